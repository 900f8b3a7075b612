//! What can be said of a piece of an expression without a sample: its number, its reach, its metric, its conditions.
//!
//! The idea: each question walks down one tree and answers "unknown" where it cannot know, so that a check never guesses.

use crate::config::lint::catalog::{self, Known};
use crate::evaluate::promql::{
    Binary, Call, Compare, Cut, Matcher, NAME, Node, Operator, Selector, What, constant, cut,
};

/// The metric that a selector names.
pub(super) fn metric(selector: &Selector) -> Option<&str> {
    named(&selector.matchers)
}

/// The metric that these matchers name.
pub(super) fn named(matchers: &[Matcher]) -> Option<&str> {
    let name = matchers.iter().find(|matcher| matcher.name == NAME && matcher.compare == Compare::Equal);
    name.map(|matcher| matcher.value.as_str()).filter(|name| !name.is_empty())
}

/// What is known of a selector's metric.
pub(super) fn known(selector: &Selector) -> Option<Known> {
    metric(selector).and_then(catalog::known_to_prometheus)
}

/// The selector that `node` is, parentheses and a subquery's range aside.
pub(super) fn selector(node: &Node) -> Option<&Selector> {
    match &node.bare().what {
        What::Select(selector) => Some(selector),
        _ => None,
    }
}

/// The first argument of a call that has series.
pub(super) fn series_of(call: &Call) -> Option<&Node> {
    use crate::evaluate::promql::Kind;
    call.args.iter().find(|arg| matches!(arg.kind(), Kind::Vector | Kind::Range))
}

/// The selectors below `node`.
pub(super) fn selectors(node: &Node) -> Vec<&Selector> {
    let mut found = Vec::new();
    each(node, &mut |node| {
        if let What::Select(selector) = &node.what {
            found.push(selector);
        }
    });
    found
}

/// Calls `see` with `node` and all below it.
pub(super) fn each<'n>(node: &'n Node, see: &mut impl FnMut(&'n Node)) {
    see(node);
    node.children().into_iter().for_each(|child| each(child, see));
}

/// Whether a series can be missing from the result because of its value, or because another one is there.
pub(super) fn conditional(node: &Node) -> bool {
    match &node.what {
        What::Number(_) | What::Text(_) => false,
        // Prometheus's own record of what fires: that it is there is the condition.
        What::Select(selector) => metric(selector).is_some_and(|name| name == "ALERTS"),
        What::Call(call) if call.function.name.starts_with("absent") => true,
        What::Binary(binary) => match binary.op {
            op if op.is_comparison() && !binary.gives_bool => true,
            Operator::Unless => true,
            Operator::Or => conditional(&binary.left) && conditional(&binary.right),
            _ => conditional(&binary.left) || conditional(&binary.right),
        },
        _ => node.children().into_iter().any(conditional),
    }
}

/// The comparisons that the sides of `and` and comparisons inside each other make, all of which must hold.
pub(super) fn together(node: &Node) -> Vec<Cut<'_>> {
    let node = node.bare();
    if let Some(outer) = cut(node) {
        let side = if constant(&outer.binary.right).is_some() { &outer.binary.left } else { &outer.binary.right };
        return together(side).into_iter().chain([outer]).collect();
    }
    match &node.what {
        What::Binary(binary) if binary.op == Operator::And && binary.matching.labels.is_empty() => {
            together(&binary.left).into_iter().chain(together(&binary.right)).collect()
        }
        _ => Vec::new(),
    }
}

/// Numbers from `low` to `high`; an open end is not among them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Reach {
    pub low: f64,
    pub high: f64,
    pub low_open: bool,
    pub high_open: bool,
}

impl Reach {
    pub(super) const ALL: Self = Self::of(f64::NEG_INFINITY, f64::INFINITY);

    pub(super) const fn of(low: f64, high: f64) -> Self {
        Self { low, high, low_open: false, high_open: false }
    }

    /// What a comparison leaves of it.
    pub(super) fn after(self, op: Operator, number: f64) -> Self {
        let mut left = self;
        let below = |left: &mut Self, open| {
            if number < left.high || (number == left.high && open) {
                (left.high, left.high_open) = (number, open);
            }
        };
        let above = |left: &mut Self, open| {
            if number > left.low || (number == left.low && open) {
                (left.low, left.low_open) = (number, open);
            }
        };
        match op {
            Operator::Less => below(&mut left, true),
            Operator::LessEqual => below(&mut left, false),
            Operator::Greater => above(&mut left, true),
            Operator::GreaterEqual => above(&mut left, false),
            Operator::Equal => {
                below(&mut left, false);
                above(&mut left, false);
            }
            _ => {}
        }
        left
    }

    /// Whether no number is in it.
    pub(super) fn is_empty(self) -> bool {
        self.low > self.high || (self.low == self.high && (self.low_open || self.high_open))
    }
}

/// The numbers that `node` can give; [`Reach::ALL`] where nobody knows.
pub(super) fn reach(node: &Node) -> Reach {
    const GROWTH: Reach = Reach::of(0.0, f64::INFINITY);
    match &node.what {
        What::Paren(inner) => reach(inner),
        What::Select(selector) => match metric(selector) {
            Some("up") => Reach::of(0.0, 1.0),
            _ if ratio(node) => Reach::of(0.0, 1.0),
            _ => Reach::ALL,
        },
        What::Binary(binary) if binary.gives_bool => Reach::of(0.0, 1.0),
        What::Binary(binary) => scaled(binary),
        What::Aggregate(aggregate) => match aggregate.with.name {
            "count" => Reach::of(1.0, f64::INFINITY),
            "group" => Reach::of(1.0, 1.0),
            "stddev" | "stdvar" => GROWTH,
            "avg" | "min" | "max" | "topk" | "bottomk" => reach(&aggregate.of),
            "sum" if reach(&aggregate.of).low >= 0.0 => GROWTH,
            _ => Reach::ALL,
        },
        What::Call(call) => match call.function.name {
            "absent" | "absent_over_time" | "present_over_time" => Reach::of(1.0, 1.0),
            "rate" | "increase" | "irate" | "changes" | "resets" | "abs" | "stddev_over_time" | "stdvar_over_time" => {
                GROWTH
            }
            "count_over_time" => Reach::of(1.0, f64::INFINITY),
            "avg_over_time" | "min_over_time" | "max_over_time" | "last_over_time" | "first_over_time" => {
                call.args.first().map_or(Reach::ALL, reach)
            }
            "hour" => Reach::of(0.0, 23.0),
            "minute" => Reach::of(0.0, 59.0),
            "day_of_week" => Reach::of(0.0, 6.0),
            "day_of_month" => Reach::of(1.0, 31.0),
            "month" => Reach::of(1.0, 12.0),
            _ => Reach::ALL,
        },
        _ => Reach::ALL,
    }
}

/// A sum or product with a number.
fn scaled(binary: &Binary) -> Reach {
    let (side, number, right) = match (constant(&binary.left), constant(&binary.right)) {
        (None, Some(number)) => (reach(&binary.left), number, true),
        (Some(number), None) => (reach(&binary.right), number, false),
        _ => return Reach::ALL,
    };
    match binary.op {
        Operator::Multiply if number > 0.0 => Reach::of(side.low * number, side.high * number),
        Operator::Divide if number > 0.0 && right => Reach::of(side.low / number, side.high / number),
        Operator::Add => Reach::of(side.low + number, side.high + number),
        Operator::Subtract if right => Reach::of(side.low - number, side.high - number),
        Operator::Subtract => Reach::of(number - side.high, number - side.low),
        _ => Reach::ALL,
    }
}

/// Whether `node` is a share from 0 to 1: a metric that is one, or a mean, smallest or largest of such.
pub(super) fn ratio(node: &Node) -> bool {
    match &node.what {
        What::Paren(inner) => ratio(inner),
        What::Select(selector) => {
            known(selector).map_or_else(|| metric(selector).is_some_and(|name| name.ends_with("_ratio")), |k| k.ratio())
        }
        What::Aggregate(aggregate) => {
            matches!(aggregate.with.name, "avg" | "min" | "max" | "topk" | "bottomk") && ratio(&aggregate.of)
        }
        What::Call(call) => {
            let same = ["avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time"];
            same.contains(&call.function.name) && series_of(call).is_some_and(ratio)
        }
        _ => false,
    }
}

/// Whether a metric only grows: known so, or named so.
pub(super) fn counter(selector: &Selector) -> bool {
    let named = || metric(selector).is_some_and(|name| name.ends_with("_total") || name.ends_with("_bucket"));
    known(selector).map_or_else(named, |known| known.counter)
}
