//! Amounts: thresholds and functions that do not fit what the metric measures.
//!
//! The idea: unit and kind of known metrics decide; nothing is said about metrics that nobody has described.

use super::site::View;
use super::{Found, Look, Site, check};
use crate::model::{Comparison, Fold, Function, Level, Threshold, Watch};

/// The thresholds with their severity's code and the place of each.
fn thresholds<'v>(view: &'v View<'_>) -> impl Iterator<Item = (&'v Level, crate::config::problem::Mark, &'v str)> {
    let severity = view.item.sub("severity");
    view.rule.levels.iter().map(move |level| {
        let part = severity.sub(level.severity.code());
        (level, part.at("value"), part.text("value").unwrap_or(""))
    })
}

/// Whether the function's value is in the metric's own unit.
fn in_unit(function: Function) -> bool {
    matches!(function, Function::Last | Function::Avg | Function::Min | Function::Max | Function::Delta)
}

/// Whether the value is that of one series, not the sum of several.
fn single(view: &View<'_>) -> bool {
    view.rule.across != Some(Fold::Sum)
}

/// The ends of a threshold.
fn ends(threshold: Threshold) -> Vec<f64> {
    match threshold {
        Threshold::One(value) => vec![value],
        Threshold::Range(low, high) => vec![low, high],
    }
}

check!(RATIO_PERCENT, "ratio-percent", Warning, Look::Rule(ratio_percent),
    what: "A ratio from 0 to 1 is compared with a number above 1.",
    why: "`95` is ninety-five times everything: the rule can never fire, and the disk fills without a word.",
    repair: "Write the percent sign: 95% is 0.95.");

fn ratio_percent(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    if !(view.known.is_some_and(|known| known.ratio()) && in_unit(view.rule.function) && single(view)) {
        return;
    }
    for (level, at, text) in thresholds(view) {
        if ends(level.threshold).into_iter().any(|end| end > 1.0) {
            let name = view.metric().unwrap_or("");
            let help =
                if text.ends_with('%') { "100% is all of it".to_owned() } else { format!("did you mean {text}%?") };
            found.say(at, format!("`{name}` is a ratio from 0 to 1, never above `{text}`"), help);
        }
    }
}

check!(PERCENT_OF_AMOUNT, "percent-of-amount", Warning, Look::Rule(percent_of_amount),
    what: "A percentage is compared with bytes, seconds or a count.",
    why: "80% is the number 0.8: `above` fires at once and for ever, `below` never.",
    repair: "Compare the metric's share (`…utilization`) with the percentage, or write the amount: 10GiB, 5m, 100.");

fn percent_of_amount(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let Some(known) = view.known.filter(|known| known.unit != "1" && in_unit(view.rule.function)) else { return };
    for (_, at, text) in thresholds(view).filter(|(_, _, text)| text.ends_with('%')) {
        let name = view.metric().unwrap_or("");
        found.say(at, format!("`{name}` counts {}, not percent: {text}", words(known.unit)), "write the amount itself");
    }
}

check!(UNIT, "unit-mismatch", Warning, Look::Rule(unit),
    what: "The threshold is written in another unit than the metric's.",
    why: "It is a number all the same, and a wrong one by a factor of thousands: mute, or always on.",
    repair: "Write the threshold in the metric's own unit; the message says which that is.");

fn unit(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let rated = view.rule.function == Function::Rate;
    let Some(known) = view.known.filter(|_| rated || in_unit(view.rule.function)) else { return };
    for (_, at, text) in thresholds(view) {
        let (amount, per) = text.split_once('/').map_or((text, false), |(amount, _)| (amount, true));
        let bytes = amount.trim_end().ends_with('B');
        let last = amount.chars().last().unwrap_or('0');
        let span = !bytes && matches!(last, 's' | 'm' | 'h' | 'd' | 'w');
        let wrong = (bytes && known.unit != "By") || (span && known.unit != "s" && !rated) || (per && !rated);
        if wrong {
            let name = view.metric().unwrap_or("");
            let own = if rated { format!("{} a second", words(known.unit)) } else { words(known.unit) };
            let message = format!("`{text}` is no amount of `{name}`, which is in {own}");
            let help = if known.unit == "ms" { "write the number of milliseconds" } else { "write it in that unit" };
            found.say(at, message, help);
        }
    }
}

fn words(unit: &str) -> String {
    match unit {
        "1" => "a ratio".to_owned(),
        "By" => "bytes".to_owned(),
        "s" => "seconds".to_owned(),
        "ms" => "milliseconds".to_owned(),
        other => format!("{}s", other.trim_matches(|c| matches!(c, '{' | '}'))),
    }
}

/// The lowest and highest value that the rule can ever see; `None` = unknown.
fn reach(view: &View<'_>) -> Option<(f64, f64)> {
    let ratio = view.known.is_some_and(|known| known.ratio()) && in_unit(view.rule.function) && single(view);
    match view.rule.function {
        Function::Absent if single(view) => Some((0.0, 1.0)),
        Function::Absent => Some((0.0, f64::INFINITY)),
        Function::Count => Some((0.0, f64::INFINITY)),
        Function::Rate | Function::Increase => Some((0.0, f64::INFINITY)),
        Function::Delta => None,
        _ if ratio => Some((0.0, 1.0)),
        _ => None,
    }
}

/// Whether a comparison holds for all (`true`) or for none (`false`) of what the rule can see.
fn decided(view: &View<'_>, level: &Level) -> Option<bool> {
    let (low, high) = reach(view)?;
    let when = view.rule.when;
    let (at_low, at_high) = (when.holds(low, level.threshold), when.holds(high, level.threshold));
    match when {
        Comparison::Above | Comparison::AtLeast | Comparison::Below | Comparison::AtMost if at_low == at_high => {
            Some(at_low)
        }
        Comparison::Equals => match level.threshold {
            Threshold::One(value) if value < low || value > high => Some(false),
            _ => None,
        },
        _ => None,
    }
}

check!(ALWAYS, "always-bad", Warning, Look::Rule(always),
    what: "The condition holds for every value that the rule can see.",
    why: "It fires for everything from the first minute on; people switch it off, and others with it.",
    repair: "Look at `when` and the threshold: counts begin at 0, ratios end at 1.");

fn always(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    for (level, at, text) in thresholds(view) {
        if decided(view, level) == Some(true) {
            let message = format!("{} holds always: no value is on the good side of {text}", level.severity.code());
            found.say(at, message, "look at `when`, or raise the threshold");
        }
    }
}

check!(NEVER, "never-bad", Error, Look::Rule(never),
    what: "The condition holds for no value that the rule can see.",
    why: "It can never fire. It stands in the list, it passes the audit, and it is silent in the night it is for.",
    repair: "Look at `when` and the threshold: a count is never below 0, `absent` is 0 or 1, a ratio ends at 1.");

fn never(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    for (level, at, text) in thresholds(view) {
        // A ratio with a number above 1 has a name of its own.
        let percent = view.known.is_some_and(|known| known.ratio())
            && in_unit(view.rule.function)
            && ends(level.threshold).into_iter().any(|end| end > 1.0);
        if decided(view, level) == Some(false) && !percent {
            let message = format!("{} can never be reached: no value is beyond {text}", level.severity.code());
            found.say(at, message, "look at `when` and the threshold");
        }
    }
}

check!(COUNTER_AS_GAUGE, "counter-as-gauge", Warning, Look::Rule(counter_as_gauge),
    what: "A counter is looked at as if its number meant something by itself.",
    why: "It only grows: the rule fires once, some day after the last restart, and then for ever.",
    repair: "Ask for its growth: fn: rate (a second) or fn: increase (in the window).");

fn counter_as_gauge(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let function = view.rule.function;
    let own = in_unit(function) || function == Function::Sum;
    let Watch::Metric { name, .. } = &view.rule.watch else { return };
    let counter = view.known.map_or(name.ends_with("_total"), |known| known.counter);
    if own && counter {
        let message = format!("`{name}` is a counter: its {} says nothing", function.name());
        found.say(view.item.sub("window").at("fn"), message, "write fn: rate, or fn: increase");
    }
}

check!(GAUGE_AS_COUNTER, "gauge-as-counter", Warning, Look::Rule(gauge_as_counter),
    what: "`rate` or `increase` of a metric that goes up and down.",
    why: "Each fall is taken for a restart of the counter and added: the result is a number that never existed.",
    repair: "Take `delta` for the change of a gauge, or avg, max, last for its level.");

fn gauge_as_counter(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let counting = matches!(view.rule.function, Function::Rate | Function::Increase);
    if counting && view.known.is_some_and(|known| !known.counter) {
        let name = view.metric().unwrap_or("");
        let message = format!("`{name}` goes up and down: each fall would count as a restart");
        found.say(view.item.sub("window").at("fn"), message, "write fn: delta");
    }
}

check!(SUM_OF_GAUGE, "sum-of-gauge", Warning, Look::Rule(sum_of_gauge),
    what: "`fn: sum` adds up the samples of a level.",
    why: "The result depends on how often somebody measures: another interval of the agent, another alarm.",
    repair: "Take avg or max over time; `across: sum` adds up the series of one identity.");

fn sum_of_gauge(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let level = view.known.is_some_and(|known| !known.counter && matches!(known.unit, "1" | "By" | "s" | "ms"));
    if view.rule.function == Function::Sum && level {
        let message =
            format!("the sum of samples of `{}` depends on how often it is measured", view.metric().unwrap_or(""));
        found.say(view.item.sub("window").at("fn"), message, "write fn: avg; across: sum adds series up");
    }
}
