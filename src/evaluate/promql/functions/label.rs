//! Functions of labels: `label_replace`, `label_join`, sorting by labels.
//!
//! The idea: values stay, label sets change; two series that become one are an error. Patterns are read as Go reads
//! them, see `matcher`.

use std::cmp::Ordering;

use crate::evaluate::promql::ast::Kind::{String, Vector};
use crate::evaluate::promql::eval::labels::set;
use crate::evaluate::promql::eval::{Got, Item, unique};
use crate::evaluate::promql::functions::{Asked, Body, Function, note_sorting, row};
use crate::evaluate::promql::matcher::whole;
use crate::evaluate::promql::storage::NAME;
use crate::evaluate::promql::value::Trouble;

pub(super) const TABLE: &[Function] = &[
    row("label_replace", &[Vector, String, String, String, String], Vector, Body::Whole(replace)),
    Function {
        least: 3,
        repeats: true,
        ..row("label_join", &[Vector, String, String, String], Vector, Body::Whole(join))
    },
    Function {
        least: 1,
        repeats: true,
        ..row("sort_by_label", &[Vector, String], Vector, Body::Whole(|a| Ok(sorted(a, false))))
    },
    Function {
        least: 1,
        repeats: true,
        ..row("sort_by_label_desc", &[Vector, String], Vector, Body::Whole(|a| Ok(sorted(a, true))))
    },
];

/// `label_replace(v, target, template, source, pattern)`: where the pattern matches the whole source value.
fn replace(asked: &Asked<'_>) -> Result<Got, Trouble> {
    let (target, template, source) = (asked.text(1), asked.text(2), asked.text(3));
    let pattern = whole(asked.text(4)).map_err(|why| Trouble {
        detail: why,
        ..asked.trouble(4, format!("invalid regular expression in label_replace(): {}", asked.text(4)))
    })?;
    if target.is_empty() {
        return Err(asked.trouble(1, "invalid destination label name in label_replace(): "));
    }
    let mut items = asked.items(0).to_vec();
    for item in &mut items {
        let value = item.labels.get(source).unwrap_or_default();
        if let Some(found) = pattern.captures(value) {
            let mut text = std::string::String::new();
            found.expand(template, &mut text);
            item.labels = set(&item.labels, target, &text);
            item.nameless &= target != NAME;
        }
    }
    changed(items, asked)
}

/// `label_join(v, target, separator, sources…)`
fn join(asked: &Asked<'_>) -> Result<Got, Trouble> {
    let (target, separator) = (asked.text(1), asked.text(2));
    if target.is_empty() {
        return Err(asked.trouble(1, "invalid destination label name in label_join(): "));
    }
    let sources: Vec<&str> = (3..asked.args.len()).map(|n| asked.text(n)).collect();
    if let Some(empty) = sources.iter().position(|source| source.is_empty()) {
        return Err(asked.trouble(3 + empty, "invalid source label name in label_join(): "));
    }
    let mut items = asked.items(0).to_vec();
    for item in &mut items {
        let values: Vec<&str> = sources.iter().map(|source| item.labels.get(source).unwrap_or_default()).collect();
        item.labels = set(&item.labels, target, &values.join(separator));
        item.nameless &= target != NAME;
    }
    changed(items, asked)
}

fn changed(items: Vec<Item>, asked: &Asked<'_>) -> Result<Got, Trouble> {
    unique(items.iter().map(|item| &item.labels), asked.span)?;
    Ok(Got::Vector(items))
}

/// By the values of the labels, runs of digits by their number; equal ones by all labels.
fn sorted(asked: &Asked<'_>, down: bool) -> Got {
    note_sorting(asked);
    let names: Vec<&str> = (1..asked.args.len()).map(|n| asked.text(n)).collect();
    let mut items = asked.items(0).to_vec();
    items.sort_by(|a, b| {
        let value = |item: &Item, name: &str| item.labels.get(name).unwrap_or_default().to_owned();
        let by_name = names.iter().map(|name| natural(&value(a, name), &value(b, name))).find(|order| order.is_ne());
        let order = by_name.unwrap_or_else(|| a.labels.cmp(&b.labels));
        if down { order.reverse() } else { order }
    });
    Got::Vector(items)
}

/// `a2` before `a10`.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut a, mut b) = (a, b);
    loop {
        let digits = |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (in_a, in_b) = (digits(a), digits(b));
        if in_a > 0 && in_b > 0 {
            let (left, right) = (a[..in_a].trim_start_matches('0'), b[..in_b].trim_start_matches('0'));
            let order = left.len().cmp(&right.len()).then(left.cmp(right));
            if order.is_ne() {
                return order;
            }
            (a, b) = (&a[in_a..], &b[in_b..]);
            continue;
        }
        match (a.chars().next(), b.chars().next()) {
            (Some(left), Some(right)) if left == right => {
                (a, b) = (&a[left.len_utf8()..], &b[right.len_utf8()..]);
            }
            (left, right) => return left.cmp(&right),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_sorted_by_their_number() {
        let mut values = ["cpu10", "cpu2", "cpu", "cpu02b", "a"];
        values.sort_by(|a, b| natural(a, b));
        assert_eq!(values, ["a", "cpu", "cpu2", "cpu02b", "cpu10"]);
    }
}
