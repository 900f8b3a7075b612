//! The way back: recover values and times that bring an alarm back at once, or keep it for ever.
//!
//! The idea: trigger and recovery need a distance, in value or in time; without one the same alarm comes and goes.

use super::site::View;
use super::{Found, Look, Site, check};
use crate::model::{Comparison, Function, Watch};
use crate::time::{HOUR, Ms, show_duration};

/// Good for so long and still an incident: nobody believes the list any more.
const SLOW: Ms = 6 * HOUR;

check!(FLAPPING, "flapping", Warning, Look::Rule(flapping),
    what: "Trigger and recovery are the same number, and neither has a `for`.",
    why: "A value that lies on the threshold, as values of a busy host do, opens and resolves an incident at every \
        tick: a page, an all-clear, a page, an all-clear.",
    repair: "Put `recover.value` on the good side of the threshold, or give `recover` or the severity a `for`.");

fn flapping(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let rule = view.rule;
    let Some(lowest) = rule.levels.last().filter(|_| matches!(rule.watch, Watch::Metric { .. })) else { return };
    let same = rule.recover.threshold.is_none_or(|good| good == lowest.threshold);
    // Counting functions leave the window slowly, and an exact number is a state, not a level.
    let smooth = matches!(rule.function, Function::Count | Function::Increase | Function::Absent)
        || rule.when == Comparison::Equals;
    if same && !smooth && rule.recover.hold == 0 && lowest.hold == 0 {
        let at = match rule.recover.threshold {
            Some(_) => view.item.sub("recover").at("value"),
            None => view.item.sub("severity").at(lowest.severity.code()),
        };
        let message = format!("{} begins and ends at the same value, without `for`", lowest.severity.code());
        found.say(at, message, "write recover: { value: …, for: 3m } on the good side");
    }
}

check!(SLOW_BACK, "recover-slow", Warning, Look::Rule(slow),
    what: "`recover.for` is longer than six hours.",
    why: "What was repaired at night still stands as an incident at noon: the list of open incidents stops to mean \
        anything, and the next real one in it is overlooked.",
    repair: "Minutes are enough; what comes back within 30 minutes is reopened as the same incident anyway.");

fn slow(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let hold = view.rule.recover.hold;
    if hold > SLOW {
        let message = format!("an incident stays open for {} after it is good again", show_duration(hold));
        found.say(view.item.sub("recover").at("for"), message, "write minutes");
    }
}
