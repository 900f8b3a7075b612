//! Scenarios out of a checked tree.
//!
//! The idea: each feed, action and expectation is one of a few forms, told apart by one key; a form that fits none, or
//! lacks what it needs, is a problem with its place, and the others are read on.

use std::sync::Arc;

use super::{Action, Kind, Limits, Own, Scenario, Verb, action, expect, feed};
use crate::config::guard::Guard;
use crate::config::near::nearest;
use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::model::{BROKEN_CONFIG, CONTACT_GAP, CONTACT_STALE, GATEWAY_FAILING, OUTAGE_NOTICE, STORM, builtin};

/// Ids that scenarios of a file may name (`None` = not known, not asked), and what rules in them are judged against.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// Rules.
    pub rules: Option<&'a [String]>,
    /// Contacts.
    pub contacts: Option<&'a [String]>,
    /// The guard of outgoing texts.
    pub guard: &'a Guard,
    /// The file's text.
    pub source: &'a str,
}

/// The scenarios of `file`.
pub(crate) fn scenarios(
    file: Obj<'_>,
    name: &str,
    own: &Arc<Own>,
    known: Known<'_>,
    notes: &mut Notes,
) -> Vec<Scenario> {
    let mut found: Vec<Scenario> = Vec::new();
    for item in file.subs("scenarios") {
        let before = notes.errors();
        let title = item.owned("name").unwrap_or_default();
        if !title.is_empty() && found.iter().any(|other| other.name == title) {
            notes.error("duplicate-id", item.at("name"), format!("scenario `{title}` stands twice"), "rename one");
        }
        let mut scenario = Scenario {
            name: title,
            file: name.to_owned(),
            line: item.place().line,
            start: item.date("start"),
            until: item.duration("until"),
            partitions: item.int("partitions").and_then(|n| i32::try_from(n).ok()),
            builtins: if item.has("builtins") { item.flag("builtins") } else { needs_builtins(item) },
            promises: item.flag("promises"),
            lenient: item.flag("lenient"),
            limits: limits(item.sub("limits")),
            feed: Vec::new(),
            actions: Vec::new(),
            expect: Vec::new(),
            exact: item.list("exact").iter().filter_map(|node| Kind::parse(node.as_text()?)).collect(),
            own: Arc::clone(own),
        };
        for part in item.subs("feed") {
            scenario.feed.extend(feed::feed(part, notes));
        }
        for part in item.subs("do") {
            scenario.actions.extend(action::actions(part, known, notes));
        }
        heed_approvals(&mut scenario.actions);
        for part in item.subs("expect") {
            scenario.expect.extend(expect::expect(part, known, notes));
        }
        if notes.errors() == before {
            found.push(scenario);
        }
    }
    found
}

/// Where a scenario says who approves, its silences wait for that.
fn heed_approvals(actions: &mut [Action]) {
    if actions.iter().any(|action| matches!(action.verb, Verb::Approve { .. })) {
        for action in actions {
            if let Verb::Silence(hush) = &mut action.verb {
                hush.waits = true;
            }
        }
    }
}

/// Whether a scenario is about what only the engine's own rules do: one is expected, or the clock of a source is off.
fn needs_builtins(scenario: Obj<'_>) -> bool {
    let always = [STORM.id, OUTAGE_NOTICE.id, BROKEN_CONFIG.id, GATEWAY_FAILING.id, CONTACT_STALE.id, CONTACT_GAP.id];
    let needed = |id: &str| builtin(id).is_some() && !always.contains(&id);
    let is_expected =
        |part: Obj<'_>| ["signal", "incident", "rule"].iter().any(|key| part.text(key).is_some_and(needed));
    scenario.subs("expect").any(is_expected) || scenario.subs("feed").any(|part| part.has("skew"))
}

fn limits(part: Obj<'_>) -> Limits {
    Limits {
        series: part.count("series"),
        series_per_rule: part.count("series_per_rule"),
        open_incidents: part.count("open_incidents"),
        pages_per_hour: part.count("pages_per_hour"),
        storm: part.count("storm"),
    }
}

/// Notes that `what` lacks `key`, where it does.
pub(super) fn require(part: Obj<'_>, key: &str, what: &str, notes: &mut Notes) {
    if !part.has(key) {
        notes.error("missing-key", part.place(), format!("{what} without `{key}`"), format!("add `{key}: …`"));
    }
}

/// Notes those of `keys` that are there.
pub(super) fn refuse(part: Obj<'_>, keys: &[&str], what: &str, notes: &mut Notes) {
    for key in keys.iter().filter(|key| part.has(key)) {
        notes.error("scenario-shape", part.key_at(key), format!("`{key}` does not belong to {what}"), "remove it");
    }
}

/// The one key of `verbs` that is there; more or none is a problem.
pub(super) fn verb<'v>(part: Obj<'_>, verbs: &[&'v str], what: &str, notes: &mut Notes) -> Option<&'v str> {
    let found: Vec<&str> = verbs.iter().copied().filter(|verb| part.has(verb)).collect();
    match found.as_slice() {
        [one] => Some(one),
        [] => {
            let help = format!("it takes one of {}", verbs.join(", "));
            notes.error("scenario-shape", part.place(), format!("{what} says nothing to do or see"), help);
            None
        }
        [_, second, ..] => {
            let message = format!("`{second}` beside another of {}", verbs.join(", "));
            notes.error("scenario-shape", part.key_at(second), message, "make it two entries");
            None
        }
    }
}

/// Notes an id under `key` that `ids` does not hold.
pub(super) fn known(part: Obj<'_>, key: &str, what: &str, ids: Option<&[String]>, notes: &mut Notes) {
    let (Some(id), Some(ids)) = (part.text(key), ids) else { return };
    if ids.iter().any(|known| known == id) || (what == "rule" && builtin(id).is_some()) {
        return;
    }
    let words: Vec<&str> = ids.iter().map(String::as_str).collect();
    let help =
        nearest(id, &words).map_or_else(|| format!("no {what} has this id"), |near| format!("did you mean `{near}`?"));
    notes.error("scenario-unknown", part.at(key), format!("there is no {what} `{id}`"), help);
}
