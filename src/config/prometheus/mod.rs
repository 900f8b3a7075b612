//! Prometheus rule files: `groups:`, or `PrometheusRule` objects of Kubernetes, several documents in a file too.
//!
//! The idea: read by a table like every other file, then judged as Prometheus judges them (`rulefmt`), but all mistakes
//! at once, and those inside expressions and templates at their own line and column. What Prometheus takes is taken.
//! Not here: what the rules do when they run.

mod adopt;
mod place;
mod rule;
mod table;

use std::collections::BTreeMap;

pub(super) use adopt::{adopt, severity};
pub(super) use place::{Lines, inside};
pub(super) use rule::expr as wanted;

use super::problem::Notes;
use super::read::{Obj, check};
use super::table::Table;
use super::tree::{Data, Node};
use crate::evaluate::promql::{self, UNQUOTED};
use crate::model::{Labels, RuleFile, RuleGroup};

/// Whether a document is one of Prometheus's rule files.
pub(super) fn is_rule_file(root: &Node) -> bool {
    root.get("groups").is_some() || is_object(root) || is_list(root)
}

fn is_object(root: &Node) -> bool {
    let kind = root.get("kind").and_then(Node::as_text);
    kind == Some("PrometheusRule") || root.get("spec").is_some_and(|spec| spec.get("groups").is_some())
}

/// A Kubernetes list that holds such objects.
fn is_list(root: &Node) -> bool {
    root.get("kind").is_some() && root.get("items").is_some_and(|items| items.items().iter().any(is_object))
}

/// A rule as it stands in a file, with its group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing<'n> {
    /// The group.
    pub group: Obj<'n>,
    /// The rule.
    pub item: Obj<'n>,
}

/// Every rule of these documents, with mistakes or without.
pub(super) fn standing(documents: &[Node]) -> Vec<Standing<'_>> {
    documents.iter().flat_map(rules_below).collect()
}

fn rules_below(root: &Node) -> Vec<Standing<'_>> {
    if is_list(root) {
        return root.get("items").map_or(&[][..], Node::items).iter().flat_map(rules_below).collect();
    }
    let (root, table) = match root.get("spec") {
        Some(spec) if is_object(root) => (spec, &table::SPEC),
        _ => (root, &table::FILE),
    };
    let groups = Obj::new(root, table).subs("groups");
    groups
        .flat_map(|group| {
            group.list("rules").iter().map(move |item| Standing { group, item: Obj::new(item, &table::RULE) })
        })
        .collect()
}

/// The labels of a rule, those of its group among them.
pub(super) fn labels_of(group: Obj<'_>, item: Obj<'_>) -> Labels {
    joined(&rule::texts(group.get("labels")), &rule::texts(item.get("labels")))
}

/// A file that was read.
#[derive(Debug)]
pub(super) struct Read {
    /// Its rules without errors.
    pub file: RuleFile,
    /// How many rules have some.
    pub refused: usize,
}

/// Reads all documents of the file called `name`, whose text is `source`.
pub(super) fn read(name: &str, source: &str, documents: &[Node], notes: &mut Notes) -> Read {
    let mut reader = Reader { source, notes, names: BTreeMap::new(), groups: Vec::new(), refused: 0 };
    for document in documents {
        let mut document = document.clone();
        prune(&mut document, &[&table::FILE, &table::SPEC, &table::RULE]);
        reader.document(&document);
    }
    let file = RuleFile { file: name.to_owned(), groups: reader.groups };
    Read { file, refused: reader.refused }
}

/// Takes out keys of `tables` that were written without a value: to Prometheus that is as if they were not there.
pub(super) fn prune(node: &mut Node, tables: &[&Table]) {
    match &mut node.data {
        Data::Map(entries) => {
            let known = |key: &str| tables.iter().any(|table| table.knows(key));
            entries.retain(|entry| entry.value.data != Data::Null || !known(&entry.key));
            entries.iter_mut().for_each(|entry| prune(&mut entry.value, tables));
        }
        Data::List(items) => items.iter_mut().for_each(|item| prune(item, tables)),
        Data::Null | Data::Scalar { .. } => {}
    }
}

struct Reader<'a> {
    source: &'a str,
    notes: &'a mut Notes,
    /// Group names so far, and the line of each.
    names: BTreeMap<String, usize>,
    groups: Vec<RuleGroup>,
    refused: usize,
}

impl Reader<'_> {
    fn document(&mut self, root: &Node) {
        if is_list(root) {
            root.get("items").map_or(&[][..], Node::items).iter().for_each(|item| self.document(item));
        } else if is_object(root) {
            match root.get("spec") {
                Some(spec) => self.groups(spec, &table::SPEC),
                None => self.notes.error(
                    "missing-key",
                    root.at,
                    "PrometheusRule without `spec`",
                    "the groups stand under spec.groups",
                ),
            }
        } else if root.get("kind").is_some() && root.get("apiVersion").is_some() {
            // Another object of the same manifest.
        } else if root.data != Data::Null {
            self.groups(root, &table::FILE);
        }
    }

    fn groups(&mut self, root: &Node, table: &'static Table) {
        check(root, table, self.notes);
        for group in Obj::new(root, table).subs("groups") {
            self.group(group);
        }
    }

    fn group(&mut self, group: Obj<'_>) {
        let name = group.owned("name").unwrap_or_default();
        if name.is_empty() && group.has("name") {
            self.notes.error("group-name", group.at("name"), "a group needs a name", "write `name: …`");
        }
        if let Some(first) = self.names.get(&name).filter(|_| !name.is_empty()) {
            let message = format!("group `{name}` stands twice in this file, first on line {first}");
            self.notes.error("duplicate-group", group.at("name"), message, "rename one");
        } else {
            self.names.insert(name.clone(), group.at("name").line);
        }
        let labels = group.get("labels");
        rule::label_names(labels, "label", self.notes);
        let shared = rule::texts(labels);
        let mut rules = Vec::new();
        for item in group.list("rules") {
            match rule::read(item, &shared, self.source, self.notes) {
                Some(rule) => rules.push(rule),
                None => self.refused += 1,
            }
        }
        self.groups.push(RuleGroup {
            name,
            interval: group.length("interval").filter(|length| *length > 0),
            limit: group.count("limit").unwrap_or(0),
            query_offset: group.length("query_offset").unwrap_or(0),
            rules,
        });
    }
}

/// An expression read, or its problem noted at its place: [`None`] then.
pub(super) fn expression(node: &Node, source: &str, notes: &mut Notes) -> Option<crate::evaluate::promql::Expr> {
    match promql::parse(node.as_text()?) {
        Ok(expr) => Some(expr),
        Err(wrong) => {
            let at = inside(source, node, &wrong.at);
            match wrong.construct {
                // Prometheus as it is usually run does not read such a name either.
                Some(UNQUOTED) => notes.error("bad-expr", at, wrong.message, wrong.help),
                Some(construct) => notes.error(
                    "expr-outside",
                    at,
                    format!("{construct} is not answered by this version: {}", wrong.message),
                    wrong.help,
                ),
                None => notes.error("bad-expr", at, wrong.message, wrong.help),
            }
            None
        }
    }
}

/// Labels of both, those of `own` winning.
fn joined(shared: &Labels, own: &Labels) -> Labels {
    Labels::new(shared.iter().chain(own.iter()))
}
