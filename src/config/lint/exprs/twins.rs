//! Expressions beside each other: the same twice, recordings under names that are taken, recordings read too early.
//!
//! The idea: a rule file is written alone and runs with all the others.

use std::collections::BTreeMap;

use super::facts::metric;
use super::view::{Becomes, Written};
use crate::config::lint::{Found, Look, Site, catalog, check};
use crate::evaluate::promql::What;

check!(DUPLICATE, "expr-duplicate", Warning, Look::Site(duplicate),
    what: "Two expressions are the same, and so is what becomes of them, in one file or in two.",
    why: "Every incident comes twice, with two numbers; whoever acks one is woken again by the other.",
    repair: "Delete one. An alert's name names its history, so keep the older.");

fn duplicate(site: &Site<'_>, found: &mut Found) {
    let mut first: BTreeMap<(String, String), &Written<'_>> = BTreeMap::new();
    for written in &site.exprs {
        let becomes = match written.becomes {
            Becomes::Record => format!("{} {:?}", written.name, added(written)),
            Becomes::Rule | Becomes::Alert => format!("{:?}", written.levels),
        };
        let key = (becomes, plain(written.expr.text()));
        let Some(other) = first.get(&key) else {
            first.insert(key, written);
            continue;
        };
        found.about(written.source, &written.name);
        let message = format!("means the same as `{}`", other.name);
        found.say(written.named(), message, "delete one of the two");
    }
}

/// The labels that a rule adds, as written.
fn added<'w>(written: &Written<'w>) -> Vec<(&'w str, &'w str)> {
    written.texts("labels").into_iter().map(|(name, node)| (name, node.as_text().unwrap_or(""))).collect()
}

/// An expression without comments, and without blanks outside of texts.
fn plain(text: &str) -> String {
    let (mut out, mut quote, mut comment, mut escaped) = (String::new(), None, false, false);
    for c in text.chars() {
        match (quote, c) {
            (Some(sign), _) => {
                out.push(c);
                if c == sign && !escaped {
                    quote = None;
                }
                escaped = c == '\\' && !escaped && sign != '`';
            }
            (None, '\n') => comment = false,
            (None, _) if comment => {}
            (None, '#') => comment = true,
            (None, c) if c.is_whitespace() => {}
            (None, c) => {
                out.push(c);
                if matches!(c, '"' | '\'' | '`') {
                    quote = Some(c);
                }
            }
        }
    }
    out
}

check!(RECORD_NAME, "expr-record-name", Warning, Look::Site(record_name),
    what: "A recording rule writes under the name of a metric that is collected, or that it reads itself.",
    why: "Both are in every expression that names it, and nobody can tell them apart: sums count twice, and a recording of \
        its own past never settles.",
    repair: "Give it a name of its own, as level:metric:operation: instance:node_cpu:rate5m.");

fn record_name(site: &Site<'_>, found: &mut Found) {
    for written in site.exprs.iter().filter(|written| written.becomes == Becomes::Record) {
        let name = written.name.as_str();
        let reads = written.nodes().iter().any(|node| matches!(&node.what, What::Select(s) if metric(s) == Some(name)));
        let what = match (reads, catalog::known_to_prometheus(name)) {
            (true, _) => "is what its expression reads",
            (false, Some(_)) => "is the name of a metric that is collected",
            (false, None) => continue,
        };
        found.about(written.source, name);
        found.say(written.named(), format!("`{name}` {what}"), "write level:metric:operation");
    }
}

check!(RECORD_LATE, "expr-record-late", Warning, Look::Site(record_late),
    what: "An expression reads what a later rule of its group records.",
    why: "Rules of a group run in the order of the file: it sees the value of the evaluation before, a whole interval old.",
    repair: "Move the recording above the rule that reads it.");

fn record_late(site: &Site<'_>, found: &mut Found) {
    let mut rest = site.exprs.as_slice();
    while let Some(first) = rest.first() {
        let group = rest.iter().take_while(|other| other.same_group(first)).count().max(1);
        let (own, others) = rest.split_at(group);
        within(own, found);
        rest = others;
    }
}

/// Looks at the rules of one group, which stand one behind the other.
fn within(group: &[Written<'_>], found: &mut Found) {
    let records = group.iter().enumerate().filter(|(_, written)| written.becomes == Becomes::Record);
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    records.for_each(|(n, written)| _ = first.entry(&written.name).or_insert(n));
    for (n, written) in group.iter().enumerate() {
        for node in written.nodes() {
            let What::Select(selector) = &node.what else { continue };
            let Some(name) = metric(selector) else { continue };
            if first.get(name).is_some_and(|at| *at > n) {
                found.about(written.source, &written.name);
                let message = format!("`{name}` is recorded further down: this is its value of one interval ago");
                found.say(written.at(&node.span), message, "move the recording up");
            }
        }
    }
}
