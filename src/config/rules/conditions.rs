//! Rules of more than one part: ratios, `all:` and `any:` of conditions, and `overrides:`.
//!
//! The idea: each becomes plain values beside those of a plain rule, so that everything which judges a rule finds its
//! first condition where it always stands. Reading and questions of sense stand side by side here, one pair for each.

use super::sense::{across, one_window, shape};
use super::{Around, comparison, fold, levels, own_levels};
use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::model::{Comparison, Condition, Function, Join, Override, Recover, Selector, Severity, Threshold, Watch};

/// A rule judges at most so many conditions.
const CONDITIONS_MAX: usize = 8;

/// The key that a rule's conditions stand under; `None` = it has none.
pub(super) fn join(item: Obj<'_>) -> Option<(&'static str, Join)> {
    [("all", Join::All), ("any", Join::Any)].into_iter().find(|(key, _)| item.has(key))
}

/// What a ratio looks at.
pub(super) fn ratio(item: Obj<'_>) -> Option<Watch> {
    let ratio = item.sub("ratio");
    let side = |key: &str| {
        let side = ratio.sub(key);
        Some(Selector { name: side.owned("metric")?, matchers: side.matchers("match") })
    };
    Some(Watch::Ratio { of: side("of")?, to: side("to")?, min: ratio.number("min").unwrap_or(0.0) })
}

/// The conditions of a rule in their order; nothing where one of them cannot be read.
pub(super) fn conditions(item: Obj<'_>) -> Vec<Condition> {
    let Some((key, _)) = join(item) else { return Vec::new() };
    let read: Vec<Option<Condition>> = item.subs(key).map(condition).collect();
    read.into_iter().collect::<Option<Vec<Condition>>>().unwrap_or_default()
}

fn condition(item: Obj<'_>) -> Option<Condition> {
    let window = item.sub("window");
    Some(Condition {
        what: Selector { name: item.owned("metric")?, matchers: item.matchers("match") },
        function: window.word("fn", Function::parse)?,
        over: window.duration("over")?,
        step: window.duration("step"),
        across: item.word("across", fold),
        when: item.word("when", comparison)?,
        thresholds: Severity::ALL.map(|severity| threshold(item, severity)),
    })
}

/// The threshold of a condition at a severity: its own for that one, or the one for all.
pub(super) fn threshold(item: Obj<'_>, severity: Severity) -> Option<Threshold> {
    item.sub("values").threshold(severity.code()).or_else(|| item.threshold("value"))
}

/// Numbers for some identities.
pub(super) fn overrides(item: Obj<'_>) -> Vec<Override> {
    let one = |other: Obj<'_>| {
        let recover = other.sub("recover");
        let own = Recover { threshold: recover.threshold("value"), hold: recover.duration("for").unwrap_or(0) };
        Override {
            matchers: other.matchers("match"),
            levels: own_levels(other),
            recover: other.has("recover").then_some(own),
            min_samples: other.count("min_samples").and_then(|n| u32::try_from(n).ok()),
        }
    };
    item.subs("overrides").map(one).collect()
}

/// What makes no sense in a rule with `all` or `any`.
pub(super) fn check_conditions(item: Obj<'_>, around: Around<'_>, notes: &mut Notes) {
    let Some((key, _)) = join(item) else { return };
    for other in ["metric", "match", "log", "ratio", "window", "when", "across", "any", "overrides"] {
        if other != key && item.has(other) {
            let message = format!("`{other}` beside `{key}`");
            let help = "what is watched stands in each condition: { metric, match, window, when, value }";
            notes.error("conditions", item.key_at(other), message, help);
        }
    }
    if !item.has("by") {
        let help = "say which labels the conditions have in common: by: [host]";
        notes.error("conditions", item.key_at(key), format!("`{key}` without `by`"), help);
    }
    if item.sub("recover").has("value") {
        let help = "leave it out: it is good again when the conditions of the lowest severity no longer hold together";
        notes.error("conditions", item.sub("recover").at("value"), format!("`recover.value` beside `{key}`"), help);
    }
    let severity = item.sub("severity");
    let asked = || Severity::ALL.into_iter().filter(|name| severity.has(name.code()));
    for name in asked().filter(|name| severity.sub(name.code()).has("value")) {
        let message = format!("{} has a `value` beside `{key}`", name.code());
        let help = "thresholds stand in the conditions: value for all severities, or values: { S1: …, S2: … }";
        notes.error("conditions", severity.sub(name.code()).at("value"), message, help);
    }
    if item.subs(key).count() > CONDITIONS_MAX {
        let message = format!("`{key}` has more than {CONDITIONS_MAX} conditions");
        notes.error("conditions", item.key_at(key), message, "make it several rules");
    }
    for condition in item.subs(key) {
        one_window(condition.sub("window"), around, notes);
        let Some(when) = condition.word("when", comparison) else { continue };
        across(condition, when, notes);
        for name in asked() {
            match threshold(condition, name) {
                Some(found) => {
                    let values = condition.sub("values");
                    let at = if values.has(name.code()) { values.at(name.code()) } else { condition.at("value") };
                    shape(when, found, at, notes);
                }
                None if condition.has("value") || condition.sub("values").has(name.code()) => {}
                None => {
                    let message = format!("a condition without a value for {}", name.code());
                    notes.error(
                        "conditions",
                        condition.place(),
                        message,
                        "write value: …, or values: { S1: …, S2: … }",
                    );
                }
            }
        }
    }
}

/// What makes no sense in a ratio.
pub(super) fn check_ratio(item: Obj<'_>, notes: &mut Notes) {
    if !item.has("ratio") {
        return;
    }
    if !item.has("by") {
        let help = "say which labels both sides have in common: by: [service]";
        notes.error("ratio", item.key_at("ratio"), "`ratio` without `by`", help);
    }
    if item.has("match") {
        let help = "write it under `of` and `to`";
        notes.error("ratio", item.key_at("match"), "`match` beside `ratio`", help);
    }
    if item.sub("ratio").number("min").is_some_and(|min| min < 0.0) {
        let at = item.sub("ratio").at("min");
        notes.error("ratio", at, "`min` is below 0", "it is the least that the denominator must be");
    }
}

/// What makes no sense in the overrides of a rule.
pub(super) fn check_overrides(item: Obj<'_>, notes: &mut Notes) {
    let when = item.word("when", comparison);
    for other in item.subs("overrides") {
        if !["severity", "recover", "min_samples"].into_iter().any(|key| other.has(key)) {
            let help = "write what is different: severity, recover or min_samples";
            notes.error("override-empty", other.place(), "an override of nothing", help);
        }
        if other.get("match").is_some_and(|node| node.entries().is_empty()) {
            let help = "write whom it is for: match: { service: … }";
            notes.error("override-empty", other.at("match"), "an override for everybody", help);
        }
        let Some(when) = when else { continue };
        for level in own_levels(other) {
            shape(when, level.threshold, other.sub("severity").sub(level.severity.code()).at("value"), notes);
        }
        check_recover(item, other, when, notes);
    }
}

/// The recover value that counts for an override must lie on the good side of the thresholds that count.
fn check_recover(item: Obj<'_>, other: Obj<'_>, when: Comparison, notes: &mut Notes) {
    let recover = if other.has("recover") { other } else { item };
    let lowest = if other.has("severity") { own_levels(other) } else { levels(item) }.last().copied();
    let (Some(good), Some(lowest)) = (recover.sub("recover").threshold("value"), lowest) else { return };
    if super::sense::is_beyond(when, good, lowest.threshold) {
        let code = lowest.severity.code();
        let message = format!("with this override `recover` is beyond the threshold of {code}: good and bad at once");
        notes.error("recover-beyond", other.place(), message, "give the override a `recover` of its own");
    }
}
