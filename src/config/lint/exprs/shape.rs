//! Which labels the result of an expression can have.
//!
//! The idea: an aggregation says which labels it leaves, a selector says nothing; from the two follows, for every node,
//! which labels its result cannot have, and that is all a check needs to say that a name is lost.

use std::collections::BTreeSet;

use crate::evaluate::promql::{Aggregate, Binary, Call, Compare, Kind, Many, NAME, Node, Operator, Selector, What};

/// The labels of a result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Shape {
    /// No others than these; `None`: whatever the series have.
    pub only: Option<BTreeSet<String>>,
    /// Not these.
    lacks: BTreeSet<String>,
}

impl Shape {
    fn only(labels: impl IntoIterator<Item = String>) -> Self {
        Self { only: Some(labels.into_iter().collect()), lacks: BTreeSet::new() }
    }

    /// Whether no series of the result has `label`.
    pub(super) fn lacks(&self, label: &str) -> bool {
        self.lacks.contains(label) || self.only.as_ref().is_some_and(|only| !only.contains(label))
    }

    fn without(mut self, labels: &[String]) -> Self {
        match &mut self.only {
            Some(only) => only.retain(|label| !labels.contains(label)),
            None => self.lacks.extend(labels.iter().cloned()),
        }
        self
    }

    fn with(mut self, labels: &[String]) -> Self {
        self.lacks.retain(|label| !labels.contains(label));
        if let Some(only) = &mut self.only {
            only.extend(labels.iter().cloned());
        }
        self
    }

    /// What a series of either can have.
    fn or(self, other: Self) -> Self {
        let lacks = self.lacks.iter().filter(|label| other.lacks(label));
        let lacks = lacks.chain(other.lacks.iter().filter(|label| self.lacks(label))).cloned().collect();
        let only = match (&self.only, &other.only) {
            (Some(one), Some(two)) => Some(one.union(two).cloned().collect()),
            _ => None,
        };
        Self { only, lacks }
    }
}

/// The labels of what `node` gives.
pub(super) fn shape(node: &Node) -> Shape {
    match &node.what {
        What::Number(_) | What::Text(_) => Shape::only([]),
        What::Select(selector) => selected(selector),
        What::Paren(inner) => shape(inner),
        What::Sign(sign) => shape(&sign.of),
        What::Subquery(subquery) => shape(&subquery.of),
        What::Call(call) => called(call),
        What::Aggregate(aggregate) => folded(aggregate),
        What::Binary(binary) => joined(binary),
    }
}

fn selected(selector: &Selector) -> Shape {
    let empty = |m: &&crate::evaluate::promql::Matcher| m.compare == Compare::Equal && m.value.is_empty();
    let lacks = selector.matchers.iter().filter(empty).map(|matcher| matcher.name.clone()).collect();
    Shape { only: None, lacks }
}

fn called(call: &Call) -> Shape {
    let text = |n: usize| match call.args.get(n).map(|arg| &arg.bare().what) {
        Some(What::Text(text)) => vec![text.clone()],
        _ => Vec::new(),
    };
    let series = call.args.iter().find(|arg| matches!(arg.kind(), Kind::Vector | Kind::Range));
    match (call.function.name, series) {
        // The labels that the selector asks for by `=` are those of what is missed.
        ("absent" | "absent_over_time", Some(of)) => match &of.bare().what {
            What::Select(selector) => {
                let equal = selector.matchers.iter().filter(|m| m.compare == Compare::Equal && m.name != NAME);
                Shape::only(equal.map(|matcher| matcher.name.clone()))
            }
            _ => Shape::only([]),
        },
        ("label_replace" | "label_join", Some(of)) => shape(of).with(&text(1)),
        ("histogram_quantile" | "histogram_fraction", Some(of)) => shape(of).without(&["le".to_owned()]),
        (_, Some(of)) => shape(of),
        (_, None) => Shape::only([]),
    }
}

fn folded(aggregate: &Aggregate) -> Shape {
    let inner = shape(&aggregate.of);
    if matches!(aggregate.with.name, "topk" | "bottomk") {
        return inner;
    }
    let labels = &aggregate.grouping.labels;
    let left = if aggregate.grouping.without {
        inner.without(labels)
    } else {
        Shape::only(labels.iter().filter(|label| !inner.lacks(label)).cloned())
    };
    match aggregate.param.as_ref().map(|param| &param.bare().what) {
        Some(What::Text(label)) => left.with(std::slice::from_ref(label)),
        _ => left,
    }
}

fn joined(binary: &Binary) -> Shape {
    let (left, right) = (shape(&binary.left), shape(&binary.right));
    match (binary.left.kind(), binary.right.kind()) {
        (Kind::Scalar, _) => return right,
        (_, Kind::Scalar) => return left,
        _ => {}
    }
    let matching = &binary.matching;
    match (binary.op, matching.many) {
        (Operator::Or, _) => left.or(right),
        (Operator::And | Operator::Unless, _) => left,
        (_, Many::Left) => left.with(&matching.include),
        (_, Many::Right) => right.with(&matching.include),
        (_, Many::Neither) if matching.on => {
            Shape::only(matching.labels.iter().filter(|label| !left.lacks(label)).cloned())
        }
        (_, Many::Neither) => left.without(&matching.labels),
    }
}
