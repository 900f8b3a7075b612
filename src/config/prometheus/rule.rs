//! One rule of a group: what fits together, and what its expression and templates say.
//!
//! The idea: every question is asked whatever the answer to the others, so that a rule with five mistakes gives five
//! problems.

use super::table::RULE;
use super::{expression, inside, joined};
use crate::config::problem::Notes;
use crate::config::read::{Obj, check};
use crate::config::tree::{Data, Node, shorten};
use crate::evaluate::promql::Kind;
use crate::evaluate::template::Template;
use crate::model::{GroupRule, GroupRuleKind, Labels};

/// Reads a rule; `None` where it has an error.
pub(super) fn read(node: &Node, shared: &Labels, source: &str, notes: &mut Notes) -> Option<GroupRule> {
    let item = Obj::new(node, &RULE);
    let name = item.owned("alert").or_else(|| item.owned("record")).unwrap_or_default();
    let outer = notes.within(Some(name.clone()).filter(|name| !name.is_empty()));
    let before = notes.errors();
    check(node, &RULE, notes);
    // What is no map was noted, and nothing else can be said of it.
    let kind = if matches!(node.data, Data::Map(_)) { kind(item, notes) } else { None };
    let expr = item.get("expr").and_then(|node| expr(node, source, notes));
    label_names(item.get("labels"), "label", notes);
    label_names(item.get("annotations"), "annotation", notes);
    if item.has("alert") {
        templates(item.get("labels"), "label", source, notes);
        templates(item.get("annotations"), "annotation", source, notes);
    }
    let sound = notes.errors() == before;
    notes.within(outer);
    Some(GroupRule {
        name,
        expr: expr.filter(|_| sound)?,
        labels: joined(shared, &texts(item.get("labels"))),
        kind: kind?,
        line: item.place().line,
    })
}

/// An alert or a recorded metric, and nothing that belongs to the other.
fn kind(item: Obj<'_>, notes: &mut Notes) -> Option<GroupRuleKind> {
    let named = |key: &str| item.text(key).is_some_and(|text| !text.is_empty());
    match (named("alert"), named("record")) {
        (true, false) => {
            let annotations = texts(item.get("annotations"));
            let length = |key: &str| item.length(key).unwrap_or(0);
            Some(GroupRuleKind::Alert { hold: length("for"), keep: length("keep_firing_for"), annotations })
        }
        (false, true) => {
            record(item, notes);
            Some(GroupRuleKind::Record)
        }
        (true, true) => {
            let help = "make two rules of it";
            notes.error("rule-kind", item.key_at("record"), "a rule has `alert` or `record`, not both", help);
            record(item, notes);
            None
        }
        (false, false) => {
            let help = "write `alert: Name` for an alert, `record: name` for a metric";
            notes.error("rule-kind", item.place(), "a rule needs `alert` or `record`", help);
            None
        }
    }
}

/// What a recording rule must not have, and its name.
fn record(item: Obj<'_>, notes: &mut Notes) {
    for key in ["for", "keep_firing_for", "annotations"] {
        let empty = item.get(key).is_some_and(|node| matches!(&node.data, Data::Map(entries) if entries.is_empty()));
        let nothing = empty || item.length(key) == Some(0);
        if item.has(key) && !nothing {
            let message = format!("`{key}` in a recording rule");
            notes.error("record-key", item.key_at(key), message, "it belongs to alerts: remove it");
        }
    }
    let name = item.text("record").unwrap_or("");
    if name.contains(['{', '}']) {
        let message = format!("`{}` has braces: is it meant as `expr`?", shorten(name));
        notes.error("record-name", item.at("record"), message, "labels of the result stand under `labels:`");
    }
}

/// The expression as text; its kind must be one that makes series.
pub(in crate::config) fn expr(node: &Node, source: &str, notes: &mut Notes) -> Option<String> {
    let text = node.as_text()?;
    if text.trim().is_empty() {
        notes.error("missing-key", node.at, "`expr` is empty", "expr: PromQL expression");
        return None;
    }
    let expr = expression(node, source, notes)?;
    if matches!(expr.kind(), Kind::Range | Kind::String) {
        let at = inside(source, node, &(0..text.len()));
        let message = format!("a rule needs numbers, this expression gives a {}", expr.kind());
        notes.error("bad-expr", at, message, "put a function such as rate(…) or last_over_time(…) around it");
        return None;
    }
    Some(text.to_owned())
}

/// Names that Prometheus 3 would not take; it takes any text but the empty one and the metric's own name.
pub(super) fn label_names(map: Option<&Node>, what: &str, notes: &mut Notes) {
    for entry in map.map_or(&[][..], Node::entries) {
        if entry.key.is_empty() || (what == "label" && entry.key == "__name__") {
            let message = format!("`{}` is no {what} name", entry.key);
            notes.error("label-name", entry.at, message, "the metric's name is set by `record`");
        }
    }
}

/// The texts of a map.
pub(super) fn texts(map: Option<&Node>) -> Labels {
    let entries = map.map_or(&[][..], Node::entries);
    Labels::new(entries.iter().filter_map(|entry| Some((entry.key.as_str(), entry.value.as_text()?))))
}

fn templates(map: Option<&Node>, what: &str, source: &str, notes: &mut Notes) {
    for entry in map.map_or(&[][..], Node::entries) {
        let Some(text) = entry.value.as_text() else { continue };
        if let Err(wrong) = Template::parse(text) {
            let at = inside(source, &entry.value, &wrong.at);
            notes.error("bad-template", at, format!("{what} `{}`: {}", shorten(&entry.key), wrong.message), wrong.help);
        }
    }
}
