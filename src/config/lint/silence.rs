//! Silence: what a rule makes of samples that do not come.
//!
//! The idea: nobody thinks of silence when a rule is written, and a rule that takes it wrongly is either mute or loud
//! in the one night when a host dies.

use super::site::View;
use super::{Found, Look, Site, check};
use crate::model::{Function, Severity, Then};
use crate::time::show_duration;

check!(NO_DATA_EARLY, "no-data-early", Warning, Look::Rule(no_data_early),
    what: "`no_data.after` is shorter than two collections or than a tick.",
    why: "Every record that comes a little late makes the instance unknown: a pending alarm freezes, and the page that \
        was due does not go out.",
    repair: "Make `after` at least three collections long, or leave it out: the default is the longer of `over` and 5m.");

fn no_data_early(view: &View<'_>, site: &Site<'_>, found: &mut Found) {
    let after = view.rule.no_data.after;
    let tick = view.rule.interval;
    let least = site.every(view).map_or(tick, |every| tick.max(2 * every));
    if after < least {
        let message = format!("unknown after {}, which one late record takes", show_duration(after));
        found.say(view.item.sub("no_data").at("after"), message, format!("write {} or more", show_duration(least)));
    }
}

check!(NO_DATA_RESOLVES, "no-data-resolves", Warning, Look::Rule(no_data_resolves),
    what: "`no_data: { then: resolve }` on a rule that pages S1 or S2.",
    why: "The host that burns falls silent, the incident ends by itself, and everybody is told that it is over.",
    repair: "Leave `then` out (hold), or raise: an unknown is not a recovery.");

fn no_data_resolves(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let worst = view.rule.levels.first().map(|level| level.severity);
    if view.rule.no_data.then == Then::Resolve && worst.is_some_and(|worst| worst <= Severity::S2) {
        let at = view.item.sub("no_data").at("then");
        found.say(at, "silence ends the incident as if it were good again", "write then: hold");
    }
}

check!(FORGET_EARLY, "forget-early", Warning, Look::Rule(forget_early),
    what: "`forget` is shorter than the window and `no_data.after` together.",
    why: "What is forgotten resolves with reason `gone`: so early, the outage would end in the books while it goes on \
          outside. The identity is kept until then, whatever `forget` says.",
    repair: "Leave `forget` out (24h), or make it longer.");

fn forget_early(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let (forget, least) = (view.rule.forget, view.rule.over + view.rule.no_data.after);
    if view.item.has("forget") && forget < least {
        let (forget, least) = (show_duration(forget), show_duration(least));
        let message = format!("kept for {least}, its window and `no_data.after`, not for {forget}");
        found.say(view.item.at("forget"), message, format!("leave it out, or write {least} or more"));
    }
}

check!(ABSENT_EVERYTHING, "absent-everything", Warning, Look::Rule(absent_everything),
    what: "`absent` without `by`: each single series must never end.",
    why: "Series end in the daily business: a disk is unmounted, a process replaced, a pod moved. Each of them pages.",
    repair: "Say what must be there: by: [host], or the label of the thing that is missed.");

fn absent_everything(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    if view.rule.function == Function::Absent && view.rule.by.is_none() {
        let at = view.item.sub("window").at("fn");
        found.say(at, "`absent` without `by` fires for every series that ends", "write by: [host]");
    }
}
