//! Rules that are PromQL expressions, written in our own form: `expr`, `for`, `severity: S2`.
//!
//! The idea: the short form is spread into the long one before anything is judged, so that behind this there is one
//! form; what a rule says beside an expression and what that has no use for is told. What an expression means is known
//! to `evaluate` alone.

use crate::config::problem::Notes;
use crate::config::prometheus::wanted;
use crate::config::read::Obj;
use crate::config::tree::{Data, Entry, Node};
use crate::model::{Severity, Threshold, Watch};
use crate::time::Ms;

/// Keys that say by windows what an expression says itself.
const WINDOWS: [&str; 10] = ["metric", "match", "log", "ratio", "all", "any", "by", "window", "across", "when"];
/// Keys that need a number to compare, or a series to wait for.
const NUMBERS: [&str; 3] = ["overrides", "min_samples", "no_data"];

/// Spreads `severity: S2` and `for: 5m` of an expression into `severity: { S2: { for: 5m } }`.
pub(super) fn spread(rule: &mut Node) {
    let Some(short) = rule.get("severity").and_then(Node::as_text).and_then(Severity::parse) else { return };
    let Data::Map(entries) = &mut rule.data else { return };
    // Without an expression it lacks a threshold, and `for` is told where it stands.
    let alone = entries.iter().any(|entry| entry.key == "expr");
    let held = entries.iter().position(|entry| entry.key == "for" && alone).map(|n| entries.remove(n));
    let Some(severity) = entries.iter_mut().find(|entry| entry.key == "severity") else { return };
    let at = severity.value.at;
    let level = Node { at, data: Data::Map(held.into_iter().collect()) };
    severity.value.data = Data::Map(vec![Entry { key: short.code().to_owned(), at, value: level }]);
}

/// Notes what is wrong with a rule's expression, and what stands beside it without use.
pub(super) fn check(item: Obj<'_>, source: &str, notes: &mut Notes) {
    let Some(node) = item.get("expr") else {
        if item.has("for") {
            let help = "severity: { S2: { value: …, for: 5m } }";
            notes.error("expr-alone", item.key_at("for"), "`for` stands under a severity", help);
        }
        return;
    };
    drop(wanted(node, source, notes));
    for key in WINDOWS.into_iter().chain(NUMBERS).filter(|key| item.has(key)) {
        let message = format!("`{key}` beside `expr`");
        notes.error("expr-alone", item.key_at(key), message, "an expression says it all: take one of the two away");
    }
    if item.has("for") {
        let help = "write severity: { S2: { for: 5m } }, or severity: S2";
        notes.error("expr-alone", item.key_at("for"), "`for` beside a severity of its own", help);
    }
    let severity = item.sub("severity");
    for name in Severity::ALL.into_iter().filter(|name| severity.has(name.code())) {
        let level = severity.sub(name.code());
        if level.has("value") {
            let help = "compare in the expression: what is in its result is bad";
            notes.error("expr-alone", level.at("value"), "a threshold beside `expr`", help);
        }
    }
    if item.sub("recover").has("value") {
        let help = "recover: { for: 5m } alone";
        notes.error("expr-alone", item.sub("recover").at("value"), "a threshold beside `expr`", help);
    }
}

/// What a rule looks at, and how far back.
pub(super) fn watch(item: Obj<'_>) -> Option<(Watch, Ms)> {
    let text = item.owned("expr")?;
    let over = crate::evaluate::promql::parse(&text).ok()?.look_back();
    Some((Watch::Expr { text }, over))
}

/// The threshold of every level: the number says nothing.
pub(super) const ANY: Threshold = Threshold::One(0.0);
