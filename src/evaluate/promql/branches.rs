//! An expression taken apart at one time: what each part of it gives, for whoever asks why the whole gives nothing.
//!
//! The idea: every part that gives series is evaluated by itself, from the leaves to the root, so that the first one that
//! is empty can be seen; of two sides that meet, the samples of the left one without a partner are named. What stands
//! inside a subquery is not shown: it is evaluated at other times. Nothing is decided here, and nothing kept.

use std::collections::BTreeSet;
use std::ops::Range;

use super::ast::{Binary, Expr, Kind, Node, What};
use super::eval::labels::{matched, without_meta};
use super::eval::{Got, Scene};
use super::operator::Operator;
use super::storage::Storage;
use super::value::Trouble;
use crate::model::Labels;
use crate::time::Ms;

/// What one part gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Branch {
    /// Its bytes in the text.
    pub span: Range<usize>,
    /// Around how many parts it stands: 0 for the whole.
    pub depth: usize,
    /// Its series; or why it has no value.
    pub gives: Result<Vec<Given>, String>,
    /// Of two sides that meet: samples of the left one for which the right one has none, without the metric's name.
    pub alone: Vec<Labels>,
}

/// One series that a part gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Its labels, the metric's name among them where it has one.
    pub labels: Labels,
    /// Its value; of a range the newest.
    pub value: f64,
    /// Samples behind it, where it is a range.
    pub samples: Option<usize>,
}

/// What every part of `expr` that gives series gives at `at`, each before those around it.
pub fn branches(expr: &Expr, storage: &dyn Storage, at: Ms) -> Vec<Branch> {
    let mut found = Vec::new();
    take_apart(&Scene::new(storage, (at, at), false), expr.root(), (at, 0), &mut found);
    found
}

fn take_apart(scene: &Scene<'_>, node: &Node, (at, depth): (Ms, usize), found: &mut Vec<Branch>) {
    let shown = matches!(node.kind(), Kind::Vector | Kind::Range) && !matches!(node.what, What::Paren(_));
    if !matches!(node.what, What::Subquery(_)) {
        for child in node.children() {
            take_apart(scene, child, (at, depth + usize::from(shown)), found);
        }
    }
    if shown {
        let gives = scene.eval(node, at).map(given).map_err(|trouble: Trouble| trouble.to_string());
        let alone = match &node.what {
            What::Binary(binary) if !binary.op.is_set() || binary.op == Operator::And => alone(scene, binary, at),
            _ => Vec::new(),
        };
        found.push(Branch { span: node.span.clone(), depth, gives, alone });
    }
}

fn given(got: Got) -> Vec<Given> {
    match got {
        Got::Vector(items) => {
            items.into_iter().map(|item| Given { labels: item.labels, value: item.value, samples: None }).collect()
        }
        Got::Range(tracks) => {
            let one = |track: super::eval::Track| {
                let value = track.points.last().map_or(f64::NAN, |(_, value)| *value);
                Given { samples: Some(track.points.len()), labels: track.labels, value }
            };
            tracks.series.into_iter().map(one).collect()
        }
        Got::Scalar(_) | Got::String(_) => Vec::new(),
    }
}

/// Samples of the left side that meet nobody.
fn alone(scene: &Scene<'_>, binary: &Binary, at: Ms) -> Vec<Labels> {
    let (Ok(Got::Vector(left)), Ok(Got::Vector(right))) = (scene.eval(&binary.left, at), scene.eval(&binary.right, at))
    else {
        return Vec::new();
    };
    let key = |labels: &Labels| matched(labels, binary.matching.on, &binary.matching.labels);
    let there: BTreeSet<Labels> = right.iter().map(|item| key(&item.labels)).collect();
    left.iter().filter(|item| !there.contains(&key(&item.labels))).map(|item| without_meta(&item.labels)).collect()
}
