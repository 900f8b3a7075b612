//! How series meet and melt: division, matching, grouping.
//!
//! The idea: the labels that a side can have (`shape`) decide what finds what; a divisor that can be zero, or tiny,
//! decides how loud a share is.

use super::facts::{conditional, each, metric, selector, selectors, series_of};
use super::shape::{Shape, shape};
use super::view::Written;
use crate::config::lint::{Found, Look, Site, check, labels};
use crate::evaluate::promql::{Binary, Compare, Kind, NAME, Node, Operator, What, constant};

/// Counts of what happened: zero in a quiet night.
const HAPPENED: [&str; 7] = ["rate", "increase", "irate", "delta", "idelta", "changes", "count_over_time"];

check!(DIVISION, "expr-division", Warning, Look::Expr(division),
    what: "A share of what happened, compared with a number, without a lower bound for the whole.",
    why: "At 3 a.m. there are two requests, one fails, and 50 % is an outage. With no request at all 0/0 is no number, and \
        something/0 is more than any threshold.",
    repair: "Ask for enough of it beside the share: … > 0.05 and rate(requests[5m]) > 1, or divide by (… > 1).");

fn division(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    if !written.alerts() {
        return;
    }
    let root = written.expr.root();
    each(root, &mut |node| {
        let What::Binary(binary) = &node.what else { return };
        if binary.op != Operator::Divide || constant(&binary.right).is_some() {
            return;
        }
        let name = if happened(&binary.right) && !mean(binary) && !guarded(root, node, &binary.right) {
            written.piece(&binary.right)
        } else {
            return;
        };
        let message = format!("`{}` may be next to nothing, or 0", crate::config::tree::shorten(name));
        found.say(written.at(&binary.at), message, "add … and the divisor > 1, or divide by (… > 1)");
    });
}

/// Whether it counts what happened in some time.
fn happened(node: &Node) -> bool {
    match &node.what {
        What::Paren(inner) => happened(inner),
        What::Aggregate(aggregate) => happened(&aggregate.of),
        What::Call(call) => HAPPENED.contains(&call.function.name),
        What::Binary(binary) => happened(&binary.left) || happened(&binary.right),
        _ => false,
    }
}

/// Seconds by events (`_sum` by `_count`) are a mean: a few events have one too.
fn mean(binary: &Binary) -> bool {
    let ends =
        |node: &Node, end: &str| selectors(node).iter().any(|s| metric(s).is_some_and(|name| name.ends_with(end)));
    ends(&binary.left, "_sum") && ends(&binary.right, "_count")
}

/// Whether something else in the expression, or the divisor itself, asks for enough of it.
fn guarded(root: &Node, division: &Node, divisor: &Node) -> bool {
    if conditional(divisor)
        || matches!(&divisor.bare().what, What::Call(call) if call.function.name.starts_with("clamp"))
    {
        return true;
    }
    let mut found = false;
    let whole: Vec<Option<&str>> = selectors(divisor).into_iter().map(metric).collect();
    each(root, &mut |node| {
        let What::Binary(other) = &node.what else { return };
        let apart = node.span.end <= division.span.start || node.span.start >= division.span.end;
        let asks = other.op.is_comparison() && !other.gives_bool && apart;
        found |= asks && selectors(node).iter().any(|selector| whole.contains(&metric(selector)));
    });
    found
}

check!(MATCH_LABELS, "expr-match-labels", Warning, Look::Expr(match_labels),
    what: "Two sides meet by labels that only one of them has.",
    why: "Series find each other by all their labels, or by those of `on`. What one side lacks is empty there and not on the \
        other: nothing meets, the result is empty, and the alert never fires.",
    repair: "Write on (…) or ignoring (…) with group_left, or group both sides by the same labels.");

fn match_labels(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    each(written.expr.root(), &mut |node| {
        let What::Binary(binary) = &node.what else { return };
        if binary.left.kind() != Kind::Vector || binary.right.kind() != Kind::Vector || binary.op == Operator::Or {
            return;
        }
        let (left, right) = (shape(&binary.left), shape(&binary.right));
        if let Some(label) = apart(binary, &left, &right) {
            let side = |shape: &Shape| if shape.lacks(&label) { "the left" } else { "the right" };
            let message = match label.as_str() {
                "" => "one side has no labels, the other keeps its own: nothing meets".to_owned(),
                _ => format!("{} side of `{}` has no label `{label}`: nothing meets", side(&left), binary.op.text()),
            };
            found.say(written.at(&binary.at), message, "write on (…) with what both have, and group_left where needed");
        }
    });
}

/// A label by which the sides must meet and that one of them cannot have; empty: all that the other has.
fn apart(binary: &Binary, left: &Shape, right: &Shape) -> Option<String> {
    let labels = &binary.matching.labels;
    if binary.matching.on {
        return labels.iter().find(|label| left.lacks(label) != right.lacks(label)).cloned();
    }
    let rest = |shape: &Shape| -> Option<Vec<String>> {
        shape.only.as_ref().map(|only| only.iter().filter(|label| !labels.contains(label)).cloned().collect())
    };
    match (rest(left), rest(right)) {
        (Some(one), Some(two)) => {
            let missing = |a: &[String], b: &[String]| a.iter().find(|label| !b.contains(label)).cloned();
            missing(&one, &two).or_else(|| missing(&two, &one))
        }
        // A series without any label is rare, one that carries a host is the rule.
        (Some(none), None) | (None, Some(none)) if none.is_empty() => Some(String::new()),
        _ => None,
    }
}

check!(BY_DROPPED, "expr-by-dropped", Warning, Look::Expr(by_dropped),
    what: "An aggregation groups by a label that what it aggregates no longer has.",
    why: "It is the empty string for all of them: they melt into one, and the page says that some disk is full, and not which.",
    repair: "Keep the label in the inner aggregation, or leave it out of the outer.");

fn by_dropped(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    each(written.expr.root(), &mut |node| {
        let What::Aggregate(aggregate) = &node.what else { return };
        let inner = shape(&aggregate.of);
        let lost = |label: &&String| !aggregate.grouping.without && inner.lacks(label);
        if let Some(label) = aggregate.grouping.labels.iter().find(lost) {
            let at = label_at(written, node, label);
            found.say(at, format!("`{label}` was dropped further inside"), "keep it there, or leave it out here");
        }
    });
}

/// Where `label` stands in the grouping of an aggregation.
fn label_at(written: &Written<'_>, node: &Node, label: &str) -> crate::config::problem::Mark {
    let text = written.piece(node);
    let word = |at: &usize| {
        let (before, after) = (text[..*at].chars().next_back(), text[at + label.len()..].chars().next());
        let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
        !part(before) && !part(after)
    };
    // Grouping stands before or behind what is aggregated, never inside of it.
    let grouping = ["by", "without"].iter().filter_map(|word| text.find(word)).min().unwrap_or(0);
    let at = text.match_indices(label).map(|(at, _)| at).filter(|at| *at >= grouping).find(word).unwrap_or(0);
    let start = node.span.start + at;
    written.at(&(start..start + label.len()))
}

check!(CARDINALITY, "expr-by-cardinality", Warning, Look::Expr(cardinality),
    what: "`by` names a label with a new value for each process, request or person.",
    why: "Each value is an incident of its own: a hundred pages for one fault, and the limit on series reached by the traffic \
        of one busy day.",
    repair: "Take what stays: instance, job, service. Pods are let pass: they are what is repaired in Kubernetes.");

fn cardinality(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    each(written.expr.root(), &mut |node| {
        let What::Aggregate(aggregate) = &node.what else { return };
        let fine = |label: &&String| labels::changes(label) && !aggregate.grouping.without;
        if let Some(label) = aggregate.grouping.labels.iter().find(fine) {
            let message = format!("`{label}` has a new value all the time: an incident for each");
            found.say(label_at(written, node, label), message, "take a label that stays, or none");
        }
    });
}

check!(TOPK, "expr-topk", Warning, Look::Expr(topk),
    what: "`topk` or `bottomk` in an alert.",
    why: "Who is among the first five changes from tick to tick: `for` begins anew, incidents end and open, and the sixth is \
        as ill as the fifth.",
    repair: "Compare with a threshold, and leave topk to graphs.");

fn topk(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    each(written.expr.root(), &mut |node| {
        let What::Aggregate(aggregate) = &node.what else { return };
        if written.alerts() && matches!(aggregate.with.name, "topk" | "bottomk") {
            let at = node.span.start..node.span.start + aggregate.with.name.len();
            let message = format!("who is in `{}` changes from tick to tick", aggregate.with.name);
            found.say(written.at(&at), message, "compare with a threshold");
        }
    });
}

check!(ABSENT_FUZZY, "expr-absent-fuzzy", Warning, Look::Expr(absent_fuzzy),
    what: "`absent` of a selector with a condition other than `=`, or of no selector.",
    why: "Its result carries the labels that are asked for by `=` alone. Of three hosts in a pattern it is silent as long as \
        one speaks, and when it speaks up it cannot name any.",
    repair: "One alert for each name that must be there, with `=`; or compare with what was there: x offset 1h unless x.");

fn absent_fuzzy(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    each(written.expr.root(), &mut |node| {
        let What::Call(call) = &node.what else { return };
        if !written.alerts() || !call.function.name.starts_with("absent") {
            return;
        }
        let Some(of) = series_of(call) else { return };
        let fuzzy = selector(of).is_some_and(|selector| {
            selector.matchers.iter().any(|matcher| matcher.name != NAME && matcher.compare != Compare::Equal)
        });
        if fuzzy {
            let message = "silent while one of all that fit speaks, and nameless when none does";
            found.say(written.at(&of.span), message, "ask by `=` for what must be there");
        }
    });
}
