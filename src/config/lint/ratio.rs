//! Ratios: what the share is of, when there is next to nothing of it.
//!
//! The idea: a share is as trustworthy as the whole is large.

use super::site::View;
use super::{Found, Look, Site, check};
use crate::model::{Function, Severity, Watch};

check!(MIN, "ratio-min", Warning, Look::Rule(min),
    what: "A ratio of rates or counts without `min`, that pages S1 or S2.",
    why: "At 3 a.m. there are two requests, one fails, and 50 % is an outage. With `min` the ratio has no value while the \
        whole is smaller than that.",
    repair: "Say from what on the share means something: min: 1/s.");

fn min(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let Watch::Ratio { min, .. } = &view.rule.watch else { return };
    let events = matches!(view.rule.function, Function::Rate | Function::Increase | Function::Count | Function::Delta);
    let wakes = view.rule.levels.iter().any(|level| level.severity <= Severity::S2);
    if *min <= 0.0 && events && wakes {
        let message = "a share of next to nothing counts like any other: `min` is not set";
        found.say(view.item.key_at("ratio"), message, "write min: 1/s beside `of` and `to`");
    }
}
