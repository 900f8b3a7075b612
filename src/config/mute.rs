//! What mutes by configuration: `maintenance:` of `calendar.yaml` and `inhibit:` of `chains.yaml`.
//!
//! The idea: both say what they are about in matchers, never with none: what mutes everything by an oversight would be
//! noticed when it is too late. When a window is open and what follows from it is decided in `incident::mute`.

use super::interval::{INTERVALS, intervals};
use super::problem::Notes;
use super::read::Obj;
use super::table::{Kind, Table, may, must};
use crate::model::{InhibitRule, Window};

const MATCH: Kind = Kind::Map(&Kind::Matcher);

static ONCE: Table = Table {
    name: "window",
    doc: "One stretch of time; the end is not part of it.",
    keys: &[must("from", Kind::Date, "its begin, such as 2026-12-06 02:00"), must("until", Kind::Date, "its end")],
};

static MAINTENANCE: Table = Table {
    name: "maintenance",
    doc: "Planned work: nobody is told of what it matches while it lasts.",
    keys: &[
        must("id", Kind::Id, "stable id"),
        must("match", MATCH, "labels of the incidents, those of the inventory, rule, severity and domain"),
        may("windows", Kind::List(&Kind::Table(&ONCE), 1), "single windows"),
        may("times", INTERVALS, "recurring times, as `intervals` of calendar.yaml has them"),
        must("reason", Kind::Text, "why"),
        must("who", Kind::Label, "who is answerable: a contact id"),
    ],
};

/// A list of maintenance windows, for scenario files too.
pub(super) const MAINTENANCES: Kind = Kind::List(&Kind::Table(&MAINTENANCE), 0);

static INHIBIT: Table = Table {
    name: "inhibit",
    doc: "Nobody is told of a target while a source fires with the same values of the `equal` labels.",
    keys: &[
        must("source", MATCH, "the incidents that explain others"),
        must("target", MATCH, "the incidents that they explain"),
        may("equal", Kind::List(&Kind::Label, 0), "labels that must be equal on both; a missing one is empty"),
    ],
};

/// A list of inhibition rules, for scenario files too.
pub(super) const INHIBITS: Kind = Kind::List(&Kind::Table(&INHIBIT), 0);

/// The maintenance windows of a checked tree.
pub(super) fn windows(file: Obj<'_>, notes: &mut Notes) -> Vec<Window> {
    let mut found: Vec<Window> = Vec::new();
    for item in file.subs("maintenance") {
        let Some(id) = item.owned("id") else { continue };
        if found.iter().any(|other| other.id == id) {
            notes.error("duplicate-id", item.at("id"), format!("maintenance `{id}` stands twice"), "keep one");
            continue;
        }
        if !item.has("windows") && !item.has("times") {
            let help = "write `windows:` for single ones, `times:` for recurring ones";
            notes.error("missing-key", item.at("id"), format!("maintenance `{id}` has no time"), help);
        }
        let mut once = Vec::new();
        for part in item.subs("windows") {
            let (Some(from), Some(until)) = (part.date("from"), part.date("until")) else { continue };
            if until <= from {
                notes.error("out-of-range", part.at("until"), "`until` is not after `from`", "write the later instant");
            }
            once.push((from, until));
        }
        not_empty(item, "match", notes);
        found.push(Window {
            id,
            matchers: item.matchers("match"),
            once,
            times: intervals(item, "times", notes),
            reason: item.owned("reason").unwrap_or_default(),
            who: item.owned("who").unwrap_or_default(),
        });
    }
    found
}

/// The inhibition rules of a checked tree.
pub(super) fn inhibits(file: Obj<'_>, notes: &mut Notes) -> Vec<InhibitRule> {
    let mut found = Vec::new();
    for item in file.subs("inhibit") {
        not_empty(item, "source", notes);
        not_empty(item, "target", notes);
        if item.list("equal").is_empty() {
            let help = "name what ties them together, such as equal: [host]";
            notes.warning("inhibit-all", item.place(), "one source mutes every target, wherever it is", help);
        }
        found.push(InhibitRule {
            source: item.matchers("source"),
            target: item.matchers("target"),
            equal: item.texts("equal"),
        });
    }
    found
}

fn not_empty(item: Obj<'_>, key: &str, notes: &mut Notes) {
    if item.has(key) && item.matchers(key).is_empty() {
        notes.error("empty-match", item.at(key), format!("`{key}` is empty and would fit everything"), "name a label");
    }
}
