//! `defaults:` and `templates:` of a rule file, laid under its rules before anything is judged.
//!
//! The idea: what a rule does not say is copied into it from its template, then from the defaults, map by map, with the
//! places where it was written; so a problem points at the line that somebody must change, and nothing behind this knows
//! that there are templates. A list is one value: a rule's `by` replaces its template's.

use crate::config::near::nearest;
use crate::config::problem::Notes;
use crate::config::tree::{Data, Entry, Node};

/// Completes the rules of the file `root`.
pub(in crate::config) fn merge(root: &mut Node, notes: &mut Notes) {
    let defaults: Vec<Entry> = root.get("defaults").map(|node| node.entries().to_vec()).unwrap_or_default();
    let templates: Vec<Entry> = root.get("templates").map(|node| node.entries().to_vec()).unwrap_or_default();
    let Data::Map(entries) = &mut root.data else { return };
    let Some(rules) = entries.iter_mut().find(|entry| entry.key == "rules") else { return };
    let Data::List(rules) = &mut rules.value.data else { return };
    for rule in rules {
        let outer = notes.within(rule.get("id").and_then(Node::as_text).map(str::to_owned));
        if let Some((name, at)) = rule.get("use").and_then(|node| Some((node.as_text()?.to_owned(), node.at))) {
            match templates.iter().find(|template| template.key == name) {
                Some(template) => lay_under(rule, template.value.entries()),
                None => {
                    let words: Vec<&str> = templates.iter().map(|template| template.key.as_str()).collect();
                    let help = match nearest(&name, &words) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None if words.is_empty() => "this file has no `templates:`".to_owned(),
                        None => format!("there are: {}", words.join(", ")),
                    };
                    notes.error("unknown-template", at, format!("there is no template `{name}` in this file"), help);
                }
            }
        }
        let windows = rule.get("expr").is_none();
        let fitting: Vec<Entry> = defaults.iter().filter(|entry| windows || !of_windows(&entry.key)).cloned().collect();
        lay_under(rule, &fitting);
        super::expr::spread(rule);
        notes.within(outer);
    }
}

/// Whether a key is for rules with windows of their own: an expression has no use for it.
fn of_windows(key: &str) -> bool {
    matches!(key, "min_samples" | "no_data")
}

/// Gives `node` the entries that it lacks.
fn lay_under(node: &mut Node, under: &[Entry]) {
    let Data::Map(entries) = &mut node.data else { return };
    for entry in under {
        match entries.iter_mut().find(|own| own.key == entry.key) {
            None => entries.push(entry.clone()),
            Some(own) => lay_under(&mut own.value, entry.value.entries()),
        }
    }
}
