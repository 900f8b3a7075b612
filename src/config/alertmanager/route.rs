//! The tree of routes: what each says itself, what it has from its parent, and what Alertmanager would refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{REFUSED, all_matchers, unknown};
use crate::config::problem::{Mark, Notes};
use crate::config::read::Obj;
use crate::model::{AlertRoute, Matcher, TimeInterval};
use crate::time::{HOUR, MINUTE, SECOND};

/// Names that a route may use.
pub(super) struct Names<'a> {
    /// Of receivers; `None`: any.
    pub receivers: Option<&'a [String]>,
    /// Of time intervals.
    pub intervals: &'a BTreeMap<String, Vec<TimeInterval>>,
}

/// The root, with everything below it.
pub(super) fn root(item: Obj<'_>, names: &Names<'_>, notes: &mut Notes) -> AlertRoute {
    for key in ["match", "match_re", "matchers", "mute_time_intervals", "active_time_intervals"] {
        if item.has(key) {
            let message = format!("the root route has `{key}`: it takes what nothing else takes, at any time");
            notes.error(REFUSED, item.at(key), message, "put it on a child");
        }
    }
    if item.flag("continue") {
        let message = "the root route has `continue`: nothing stands beside it to go on to";
        notes.error(REFUSED, item.at("continue"), message, "remove it");
    }
    if item.node().is_some() && !item.has("receiver") {
        let help = "it is told of what no other route takes";
        notes.error("missing-key", item.place(), "the root route without `receiver`", help);
    }
    let defaults = AlertRoute {
        receiver: String::new(),
        group_by: Vec::new(),
        group_by_all: false,
        group_wait: 30 * SECOND,
        group_interval: 5 * MINUTE,
        repeat_interval: 4 * HOUR,
        matchers: Vec::new(),
        continues: false,
        mute: Vec::new(),
        active: Vec::new(),
        line: 1,
        path: String::new(),
        routes: Vec::new(),
    };
    let root = route(item, &defaults, names, notes);
    same(&root, notes);
    root
}

/// Routes that later versions of Alertmanager cannot tell apart, and therefore refuse.
fn same(root: &AlertRoute, notes: &mut Notes) {
    let mut seen: BTreeMap<_, usize> = BTreeMap::new();
    for it in root.walk() {
        let by = if it.group_by_all { None } else { Some(&it.group_by) };
        if let Some(first) = seen.insert((&it.path, by, &it.receiver), it.line) {
            let message = format!("the same matchers, `group_by` and receiver as the route of line {first}");
            let help = "newer versions of Alertmanager refuse it, older ones tell the receiver twice: keep one";
            notes.warning(REFUSED, Mark::new(it.line, 1, 1), message, help);
        }
    }
}

fn route(item: Obj<'_>, parent: &AlertRoute, names: &Names<'_>, notes: &mut Notes) -> AlertRoute {
    let matchers = all_matchers(item, ["match", "match_re", "matchers"], notes);
    let (group_by, group_by_all) = grouping(item, parent, notes);
    let mut length = |key: &str, inherited, may_be_zero: bool| {
        let length = item.length(key).unwrap_or(inherited);
        if length == 0 && !may_be_zero && item.has(key) {
            notes.error(REFUSED, item.at(key), format!("`{key}` is zero"), "write how long, such as 5m");
        }
        length
    };
    let group_wait = length("group_wait", parent.group_wait, true);
    let group_interval = length("group_interval", parent.group_interval, false);
    let repeat_interval = length("repeat_interval", parent.repeat_interval, false);
    let slash = if parent.path.is_empty() { "" } else { "/" };
    let mut it = AlertRoute {
        receiver: receiver(item, parent, names, notes),
        group_by,
        group_by_all,
        group_wait,
        group_interval,
        repeat_interval,
        continues: item.flag("continue"),
        mute: intervals(item, "mute_time_intervals", names, notes),
        active: intervals(item, "active_time_intervals", names, notes),
        line: item.place().line,
        path: format!("{}{slash}{}", parent.path, shown(&matchers)),
        matchers,
        routes: Vec::new(),
    };
    it.routes = item.subs("routes").map(|child| route(child, &it, names, notes)).collect();
    it
}

fn receiver(item: Obj<'_>, parent: &AlertRoute, names: &Names<'_>, notes: &mut Notes) -> String {
    let Some(name) = item.owned("receiver").filter(|name| !name.is_empty()) else { return parent.receiver.clone() };
    if let Some(known) = names.receivers
        && !known.contains(&name)
    {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        unknown(&name, &known, "receiver", item.at("receiver"), notes);
    }
    name
}

/// Labels to group by, and whether all are. A route that names labels is no longer grouped by all of them.
fn grouping(item: Obj<'_>, parent: &AlertRoute, notes: &mut Notes) -> (Vec<String>, bool) {
    if !item.has("group_by") {
        return (parent.group_by.clone(), parent.group_by_all);
    }
    let mut seen = BTreeSet::new();
    for node in item.list("group_by") {
        let Some(name) = node.as_text() else { continue };
        if !seen.insert(name.to_owned()) {
            notes.error(REFUSED, node.at, format!("`{name}` stands twice in `group_by`"), "keep one");
        }
        if name != "..." && !crate::config::scalar::name(name) {
            notes.error("bad-value", node.at, format!("`{name}` is no label name"), "name a label");
        }
    }
    if !seen.contains("...") {
        return (seen.into_iter().collect(), false);
    }
    if seen.len() > 1 {
        let message = "`group_by` has `...`, which is every label, beside others";
        notes.error(REFUSED, item.at("group_by"), message, "keep `...` or the labels");
    }
    (parent.group_by.clone(), true)
}

fn intervals(item: Obj<'_>, key: &str, names: &Names<'_>, notes: &mut Notes) -> Vec<String> {
    for node in item.list(key) {
        let Some(name) = node.as_text().filter(|name| !names.intervals.contains_key(*name)) else { continue };
        let known: Vec<&str> = names.intervals.keys().map(String::as_str).collect();
        unknown(name, &known, "time interval", node.at, notes);
    }
    item.texts(key)
}

/// `{a="b",c=~"d"}`
fn shown(matchers: &[Matcher]) -> String {
    let mut text = "{".to_owned();
    for (n, Matcher { label, test, value }) in matchers.iter().enumerate() {
        let comma = if n == 0 { "" } else { "," };
        let _ = write!(text, "{comma}{label}{}{value:?}", test.sign());
    }
    text + "}"
}
