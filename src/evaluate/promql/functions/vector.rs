//! Functions of a whole vector: `scalar`, `vector`, `absent`, `absent_over_time`, `sort`.
//!
//! The idea: these look at which series there are, not at one series alone.

use std::cmp::Ordering;

use crate::evaluate::promql::ast::Kind::{Range, Scalar, Vector};
use crate::evaluate::promql::ast::What;
use crate::evaluate::promql::eval::labels::{is_meta, keep, set};
use crate::evaluate::promql::eval::{Got, Item};
use crate::evaluate::promql::functions::{Asked, Body, Function, row};
use crate::evaluate::promql::matcher::Compare;
use crate::model::Labels;

pub(super) const TABLE: &[Function] = &[
    row("vector", &[Scalar], Vector, Body::Whole(|asked| Ok(one(Labels::default(), asked.scalar(0))))),
    row(
        "scalar",
        &[Vector],
        Scalar,
        Body::Whole(|asked| {
            Ok(Got::Scalar(match asked.items(0) {
                [item] => item.value,
                _ => f64::NAN,
            }))
        }),
    ),
    row(
        "absent",
        &[Vector],
        Vector,
        Body::Whole(|asked| {
            Ok(if asked.items(0).is_empty() { one(sought(asked), 1.0) } else { Got::Vector(Vec::new()) })
        }),
    ),
    row(
        "absent_over_time",
        &[Range],
        Vector,
        Body::Whole(|asked| {
            let none = asked.tracks(0).is_none_or(|tracks| tracks.series.is_empty());
            Ok(if none { one(sought(asked), 1.0) } else { Got::Vector(Vec::new()) })
        }),
    ),
    row("sort", &[Vector], Vector, Body::Whole(|asked| Ok(sorted(asked, false)))),
    row("sort_desc", &[Vector], Vector, Body::Whole(|asked| Ok(sorted(asked, true)))),
];

fn one(labels: Labels, value: f64) -> Got {
    Got::Vector(vec![Item { labels, value, nameless: false }])
}

/// What is absent: the labels that a selector fixes with `=`; a label that is named again falls out.
fn sought(asked: &Asked<'_>) -> Labels {
    let mut labels = Labels::default();
    let Some(What::Select(selector)) = asked.call.args.first().map(|arg| &arg.bare().what) else { return labels };
    let mut fixed: Vec<&str> = Vec::new();
    for matcher in selector.matchers.iter().filter(|matcher| !is_meta(&matcher.name)) {
        if matcher.compare == Compare::Equal && !fixed.contains(&matcher.name.as_str()) {
            labels = set(&labels, &matcher.name, &matcher.value);
            fixed.push(&matcher.name);
        } else {
            labels = keep(&labels, |name| name != matcher.name);
        }
    }
    labels
}

/// By value; NaN last, whichever the direction.
fn sorted(asked: &Asked<'_>, down: bool) -> Got {
    let mut items = asked.items(0).to_vec();
    items.sort_by(|a, b| {
        let order = a.value.partial_cmp(&b.value).unwrap_or(Ordering::Equal);
        let order = if down { order.reverse() } else { order };
        a.value.is_nan().cmp(&b.value.is_nan()).then(order)
    });
    Got::Vector(items)
}
