//! Windows, ticks and `for`: lengths that do not fit each other or the pace at which samples come.
//!
//! The idea: a length means something only beside another one: the distance of samples, the distance of ticks.

use super::site::View;
use super::{Found, Look, Site, check};
use crate::model::{Function, Severity, Watch};
use crate::time::{MINUTE, Ms, show_duration};

/// `last` over more than this shows a value that nobody would still call the present.
const LAST_MAX: Ms = 10 * MINUTE;

check!(NOISY, "noisy-no-for", Warning, Look::Rule(noisy),
    what: "A function that one sample decides (`last`, `delta`) fires without `for`.",
    why: "One odd sample, a scrape in the middle of a restart for example, wakes somebody, and the next one is good \
        again before that person has found the lamp.",
    repair: "Give each severity a `for` of a few samples, or take a function over more samples: avg, min, max.");

fn noisy(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let rule = view.rule;
    if !matches!(rule.function, Function::Last | Function::Delta) {
        return;
    }
    // S4 waits for the morning's digest; nobody is woken by it.
    let level = rule.levels.iter().find(|level| level.hold == 0 && level.severity != Severity::S4);
    if let Some(level) = level {
        let code = level.severity.code();
        let message = format!("{code} fires on a single sample: `{}` without `for`", rule.function.name());
        found.say(view.item.sub("severity").at(code), message, "write for: 1m, or take avg");
    }
}

check!(SPARSE, "window-sparse", Warning, Look::Rule(sparse),
    what: "The window is shorter than two collections of its metric.",
    why: "It holds one sample or none: the rule flickers between a value and none, and a single lost record makes it \
        blind.",
    repair: "Make `over` at least three times `agent.every`, or let the agent collect more often.");

fn sparse(view: &View<'_>, site: &Site<'_>, found: &mut Found) {
    let Some(every) = site.every(view).filter(|every| view.rule.over < 2 * every) else { return };
    let (over, every) = (show_duration(view.rule.over), show_duration(every));
    let message = format!("a window of {over} holds one sample or none: the agent collects every {every}");
    found.say(view.item.sub("window").at("over"), message, "make it three collections long or longer");
}

check!(RATE_SHORT, "rate-window-short", Warning, Look::Rule(rate_short),
    what: "`rate`, `increase` or `delta` over fewer than four collections.",
    why: "These functions need two samples. One record that comes late leaves one, the value is gone, and the rule \
        misses the very minutes in which the network was slow.",
    repair: "Make `over` at least four times `agent.every`.");

fn rate_short(view: &View<'_>, site: &Site<'_>, found: &mut Found) {
    let pairs = matches!(view.rule.function, Function::Rate | Function::Increase | Function::Delta);
    let Some(every) = site.every(view).filter(|_| pairs) else { return };
    // Below two it is `window-sparse` already.
    if (2 * every..4 * every).contains(&view.rule.over) {
        let message = format!(
            "`{}` over {}: one lost record leaves nothing to compare, the agent collects every {}",
            view.rule.function.name(),
            show_duration(view.rule.over),
            show_duration(every)
        );
        found.say(view.item.sub("window").at("over"), message, "make it four collections long or longer");
    }
}

check!(LAST_LONG, "last-long", Warning, Look::Rule(last_long),
    what: "`last` over more than ten minutes.",
    why: "The value of a thing that went away keeps standing for as long: people are woken by, or trust, a number from \
        another world.",
    repair: "Make `over` a few collections long; what silence means is said by `no_data`.");

fn last_long(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    if view.rule.function == Function::Last && view.rule.over > LAST_MAX {
        let message = format!("`last` looks back {}: the value may be that old", show_duration(view.rule.over));
        found.say(view.item.sub("window").at("over"), message, "5m is enough for most; `no_data` says what silence is");
    }
}

check!(SAMPLES_MANY, "samples-never", Warning, Look::Rule(samples_many),
    what: "`min_samples` is more than the window can ever hold.",
    why: "The rule never has a value and never fires: it looks like a watchman and is none.",
    repair: "Lower `min_samples`, or make `over` longer: a window holds about `over` / `agent.every` samples.");

fn samples_many(view: &View<'_>, site: &Site<'_>, found: &mut Found) {
    let Some(every) = site.every(view) else { return };
    let most = view.rule.over / every;
    if i64::from(view.rule.min_samples) > most && most >= 2 {
        let message = format!(
            "`min_samples: {}`, and a window of {} holds {most}",
            view.rule.min_samples,
            show_duration(view.rule.over)
        );
        found.say(view.item.at("min_samples"), message, "lower it, or make the window longer");
    }
}

check!(FOR_BELOW_TICK, "for-below-tick", Warning, Look::Rule(for_below_tick),
    what: "`for` is shorter than the distance of ticks.",
    why: "It is looked at once per `interval`, so the wait is a whole interval, not what is written: the page comes \
        later than the file says.",
    repair: "Make `for` a multiple of `interval`, or `interval` smaller.");

fn for_below_tick(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let tick = view.rule.interval;
    let severity = view.item.sub("severity");
    let holds = view.rule.levels.iter().map(|level| (level.hold, severity.sub(level.severity.code()).at("for")));
    let recover = (view.rule.recover.hold, view.item.sub("recover").at("for"));
    for (hold, at) in holds.chain([recover]).filter(|(hold, _)| *hold > 0 && *hold < tick) {
        let (hold, tick) = (show_duration(hold), show_duration(tick));
        let message = format!("`for: {hold}` is shorter than the ticks' distance of {tick}");
        found.say(at, message, format!("write {tick}, or lower `interval`"));
    }
}

check!(TICK_COARSE, "tick-coarse", Warning, Look::Rule(tick_coarse),
    what: "The window is shorter than the distance of ticks.",
    why: "Between two ticks there is a gap that no window sees: what happens in it is never noticed.",
    repair: "Lower `interval` of the file to the window's length or below; 1s is the default and costs little.");

fn tick_coarse(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    // Lines and early functions are judged as they come, but only those that a window holds at a tick can end it.
    let rule = view.rule;
    if rule.over < rule.interval && matches!(rule.watch, Watch::Metric { .. }) {
        let (over, tick) = (show_duration(rule.over), show_duration(rule.interval));
        let message = format!("a window of {over} with a tick every {tick}: what lies between is not seen");
        found.say(
            view.item.sub("window").at("over"),
            message,
            format!("make it {tick} or longer, or lower `interval`"),
        );
    }
}
