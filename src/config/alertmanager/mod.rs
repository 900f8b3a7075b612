//! `alertmanager.yml` of a site that moves over: read strictly, as Alertmanager 0.28 judges it, every problem at once.
//!
//! The idea: the parts that decide who is told (routes, time intervals, inhibition) become values with everything
//! inherited filled in; `bongsu route --alertmanager` asks them. How a receiver sends is not looked at.

mod matchers;
mod route;
mod table;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::files::{FileKind, Source};
use super::interval::intervals_of;
use super::near::nearest;
use super::problem::{Notes, Problem};
use super::read::{Obj, check};
use super::tree::{Data, Entry, Node};
use crate::model::{Alertmanager, InhibitRule, Matcher, Test, TimeInterval};

/// Its `check --explain` id: what Alertmanager would refuse to start with.
const REFUSED: &str = "alertmanager";

/// A file that was read.
#[derive(Debug, Clone)]
pub struct AlertmanagerFile {
    /// What it says; `None` where there is an error.
    pub config: Option<Alertmanager>,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
    /// Its text, for snippets.
    pub text: Arc<str>,
}

/// Reads the file at `path`. Never fails: what cannot be read is a problem.
pub fn alertmanager(path: &Path) -> AlertmanagerFile {
    let mut source = Source::read(path, Some(FileKind::Alertmanager));
    let config = source.root.as_ref().map(|root| read(root, &mut source.notes));
    let config = config.filter(|_| source.notes.errors() == 0);
    AlertmanagerFile { config, problems: source.notes.into_list(), text: source.file.text }
}

/// Whether a document is such a file.
pub(super) fn is_alertmanager(root: &Node) -> bool {
    let route = root.get("route");
    route.is_some_and(|route| route.get("receiver").is_some() || root.get("receivers").is_some())
}

/// The configuration of a tree; what does not fit is noted.
pub(super) fn read(root: &Node, notes: &mut Notes) -> Alertmanager {
    check(root, &table::FILE, notes);
    let file = Obj::new(root, &table::FILE);
    let intervals = named(file, notes);
    let receivers = receivers(file, notes);
    let names = route::Names { receivers: receivers.as_deref(), intervals: &intervals };
    let root = route::root(file.sub("route"), &names, notes);
    let (inhibit, inhibit_lines) = inhibits(file, notes);
    Alertmanager { root, intervals, inhibit, inhibit_lines }
}

/// Names of receivers; `None` where the file has no list of them.
fn receivers(file: Obj<'_>, notes: &mut Notes) -> Option<Vec<String>> {
    if !file.has("receivers") {
        let help = "Alertmanager would refuse it; the names in `route` are taken as they are";
        notes.warning(REFUSED, file.place(), "no `receivers`", help);
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    for item in file.list("receivers") {
        match item.get("name").and_then(Node::as_text).filter(|name| !name.is_empty()) {
            None => notes.error("missing-key", item.at, "a receiver without `name`", "name it as routes do"),
            Some(name) if names.iter().any(|known| known == name) => {
                notes.error("duplicate-id", item.at, format!("receiver `{name}` stands twice"), "keep one");
            }
            Some(name) => names.push(name.to_owned()),
        }
    }
    Some(names)
}

/// Time intervals under both keys.
fn named(file: Obj<'_>, notes: &mut Notes) -> BTreeMap<String, Vec<TimeInterval>> {
    let mut found = BTreeMap::new();
    for key in ["time_intervals", "mute_time_intervals"] {
        for item in file.subs(key) {
            let Some(name) = item.owned("name") else { continue };
            let any = intervals_of(item, "time_intervals", notes);
            if found.insert(name.clone(), any).is_some() {
                notes.error(
                    "duplicate-id",
                    item.at("name"),
                    format!("time interval `{name}` stands twice"),
                    "keep one",
                );
            }
        }
    }
    found
}

fn inhibits(file: Obj<'_>, notes: &mut Notes) -> (Vec<InhibitRule>, Vec<usize>) {
    let (mut rules, mut lines) = (Vec::new(), Vec::new());
    for item in file.subs("inhibit_rules") {
        let source = all_matchers(item, ["source_match", "source_match_re", "source_matchers"], notes);
        let target = all_matchers(item, ["target_match", "target_match_re", "target_matchers"], notes);
        rules.push(InhibitRule { source, target, equal: item.texts("equal") });
        lines.push(item.place().line);
    }
    (rules, lines)
}

/// The matchers of the three notations, sorted by label.
fn all_matchers(item: Obj<'_>, [plain, patterns, texts]: [&str; 3], notes: &mut Notes) -> Vec<Matcher> {
    let entries = |key: &str| item.get(key).map_or(&[][..], Node::entries);
    let one = |entry: &Entry, test: Test, value: String| Matcher { label: entry.key.clone(), test, value };
    let plain = entries(plain).iter().filter_map(|entry| Some(one(entry, Test::Is, entry.value.as_text()?.to_owned())));
    // Alertmanager writes these patterns so in the keys of its routes.
    let anchored = |entry: &Entry| Some(one(entry, Test::Fits, format!("^(?:{})$", entry.value.as_text()?)));
    let mut found: Vec<Matcher> = plain.chain(entries(patterns).iter().filter_map(anchored)).collect();
    for node in item.list(texts) {
        let Data::Scalar { text, .. } = &node.data else { continue };
        match matchers::matchers(text) {
            Ok(more) => found.extend(more),
            Err((at, why)) => {
                notes.error("bad-value", node.inside(at), format!("`{texts}`: {why}"), "write name=\"value\"");
            }
        }
    }
    found.sort_by(|a, b| (&a.label, &a.value).cmp(&(&b.label, &b.value)));
    found
}

/// Notes a name that is not among `known`.
fn unknown(name: &str, known: &[&str], what: &str, at: super::problem::Mark, notes: &mut Notes) {
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => format!("the file has no {what}"),
        None => format!("there are {}", known.join(", ")),
    };
    notes.error("unknown-word", at, format!("no {what} is called `{name}`"), help);
}
