//! The tree over a storage.
//!
//! The idea: an expression is evaluated at one time, from the leaves up, and a range is the same at each step; so a
//! rule at its tick, a subquery and a graph cannot differ. Between nodes go [`Got`] values. A metric's name falls where
//! Prometheus drops it: at once, or, as its test scripts want it, at the end (`Scene::late`); two series that become one
//! are an error, never a silent choice.
//! What the functions, aggregations and operators compute stands in their tables.

pub(super) mod binary;
pub(super) mod labels;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::evaluate::promql::aggregate;
use crate::evaluate::promql::ast::{Expr, LOOK_BACK, Node, Pin, SUBQUERY_STEP, Selector, Shift, Sign, Subquery, What};
use crate::evaluate::promql::functions;
use crate::evaluate::promql::storage::{Slice, Storage, is_stale};
use crate::evaluate::promql::value::{Answer, Level, Note, Sample, Series, Trouble, Value};
use crate::model::Labels;
use crate::time::Ms;

/// One series of an instant vector between two nodes.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) labels: Labels,
    pub(super) value: f64,
    /// Its name is to go at the end.
    pub(super) nameless: bool,
}

/// One series of a range vector between two nodes; without stale markers, never empty.
#[derive(Debug, Clone)]
pub(super) struct Track {
    pub(super) labels: Labels,
    pub(super) points: Vec<(Ms, f64)>,
    /// Its name is to go at the end.
    pub(super) nameless: bool,
}

/// A range vector and its edges: (after, until].
#[derive(Debug, Clone)]
pub(super) struct Tracks {
    pub(super) series: Vec<Track>,
    pub(super) after: Ms,
    pub(super) until: Ms,
}

/// What a node gives.
#[derive(Debug, Clone)]
pub(super) enum Got {
    Scalar(f64),
    Vector(Vec<Item>),
    Range(Tracks),
    String(String),
}

/// What is the same for a whole evaluation.
pub(super) struct Scene<'a> {
    pub(super) storage: &'a dyn Storage,
    /// First and last time of the evaluation: `@ start()`, `@ end()`.
    pub(super) start: Ms,
    pub(super) end: Ms,
    /// Names fall at the end instead of at once.
    pub(super) late: bool,
    pub(super) notes: RefCell<Vec<Note>>,
}

/// Trouble at `at`: the data or the expression is wrong.
pub(super) fn trouble(at: &Range<usize>, message: impl Into<String>) -> Trouble {
    Trouble { at: at.clone(), message: message.into(), detail: String::new(), construct: None }
}

/// The value of `expr` at `at`.
pub(super) fn instant(expr: &Expr, storage: &dyn Storage, at: Ms, late: bool) -> Result<Answer, Trouble> {
    let scene = Scene { storage, start: at, end: at, late, notes: RefCell::default() };
    let root = expr.root();
    let value = match scene.eval(root, at)? {
        Got::Scalar(value) => Value::Scalar(value),
        Got::String(text) => Value::String(text),
        Got::Vector(items) => Value::Vector(scene.finish(items, &root.span)?),
        Got::Range(tracks) => Value::Matrix(
            tracks.series.into_iter().map(|track| Series { labels: track.labels, points: track.points }).collect(),
        ),
    };
    Ok(Answer { value, notes: scene.notes.into_inner() })
}

/// The values of `expr` at each step.
pub(super) fn range(expr: &Expr, storage: &dyn Storage, span: (Ms, Ms, Ms), late: bool) -> Result<Answer, Trouble> {
    let (from, to, step) = span;
    let root = expr.root();
    if step <= 0 {
        return Err(trouble(&root.span, "the step of a range is at least 1 ms"));
    }
    let scene = Scene { storage, start: from, end: to, late, notes: RefCell::default() };
    let mut series: BTreeMap<Labels, Vec<(Ms, f64)>> = BTreeMap::new();
    let mut at = from;
    while at <= to {
        match scene.eval(root, at)? {
            Got::Scalar(value) => series.entry(Labels::default()).or_default().push((at, value)),
            Got::Vector(items) => {
                for sample in scene.finish(items, &root.span)? {
                    series.entry(sample.labels).or_default().push((at, sample.value));
                }
            }
            Got::Range(_) | Got::String(_) => {
                let message = format!("a {} has no range of values", root.kind());
                return Err(trouble(&root.span, message));
            }
        }
        at = at.saturating_add(step);
    }
    let series = series.into_iter().map(|(labels, points)| Series { labels, points }).collect();
    Ok(Answer { value: Value::Matrix(series), notes: scene.notes.into_inner() })
}

impl Scene<'_> {
    /// The value of a node at `at`.
    pub(super) fn eval(&self, node: &Node, at: Ms) -> Result<Got, Trouble> {
        match &node.what {
            What::Number(value) => Ok(Got::Scalar(*value)),
            What::Text(text) => Ok(Got::String(text.clone())),
            What::Select(selector) => Ok(self.select(selector, at)),
            What::Subquery(subquery) => self.subquery(subquery, at),
            What::Paren(inner) => self.eval(inner, at),
            What::Sign(sign) => self.sign(sign, node, at),
            What::Call(call) => self.call(call, node, at),
            What::Aggregate(aggregate) => aggregate::eval(self, aggregate, node, at),
            What::Binary(binary) => binary::eval(self, binary, node, at),
        }
    }

    /// A node of which the type check knows that it is an instant vector.
    pub(super) fn vector(&self, node: &Node, at: Ms) -> Result<Vec<Item>, Trouble> {
        match self.eval(node, at)? {
            Got::Vector(items) => Ok(items),
            _ => Err(trouble(&node.span, "an instant vector is needed here")),
        }
    }

    /// A remark; each is kept once.
    pub(super) fn note(&self, level: Level, at: &Range<usize>, message: String) {
        let note = Note { level, at: at.clone(), message };
        let mut notes = self.notes.borrow_mut();
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// A series that loses its name: its labels from here on, and whether the name is to go at the end.
    pub(super) fn unnamed(&self, labels: &Labels) -> (Labels, bool) {
        if self.late { (labels.clone(), true) } else { (labels::without_meta(labels), false) }
    }

    /// `items` as a node's result; names that are gone must not have made two series one.
    pub(super) fn vector_of(&self, items: Vec<Item>, at: &Range<usize>) -> Result<Got, Trouble> {
        if !self.late {
            unique(items.iter().map(|item| &item.labels), at)?;
        }
        Ok(Got::Vector(items))
    }

    /// The result of the whole expression.
    fn finish(&self, items: Vec<Item>, at: &Range<usize>) -> Result<Vec<Sample>, Trouble> {
        let strip = |item: Item| {
            let labels = if item.nameless { labels::without_meta(&item.labels) } else { item.labels };
            Sample { labels, value: item.value }
        };
        let samples: Vec<Sample> = items.into_iter().map(strip).collect();
        unique(samples.iter().map(|sample| &sample.labels), at)?;
        Ok(samples)
    }

    /// The end of what a selector or a subquery sees.
    fn end_of(&self, shift: Shift, at: Ms) -> Ms {
        let base = match shift.pin {
            None => at,
            Some(Pin::At(time)) => time,
            Some(Pin::Start) => self.start,
            Some(Pin::End) => self.end,
        };
        base.saturating_sub(shift.offset)
    }

    /// Time and value of the newest sample of each series that an instant selector sees.
    pub(super) fn newest(&self, selector: &Selector, at: Ms) -> Vec<(Labels, (Ms, f64))> {
        let until = self.end_of(selector.shift, at);
        let found = self.storage.select(&selector.matchers, until.saturating_sub(LOOK_BACK), until);
        let last = |slice: Slice| slice.points.last().map(|point| (slice.labels, *point));
        found.into_iter().filter_map(last).filter(|(_, (_, value))| !is_stale(*value)).collect()
    }

    fn select(&self, selector: &Selector, at: Ms) -> Got {
        let Some(over) = selector.over else {
            let item = |(labels, (_, value))| Item { labels, value, nameless: false };
            return Got::Vector(self.newest(selector, at).into_iter().map(item).collect());
        };
        let until = self.end_of(selector.shift, at);
        let after = until.saturating_sub(over);
        let mut series = Vec::new();
        for mut slice in self.storage.select(&selector.matchers, after, until) {
            slice.points.retain(|(_, value)| !is_stale(*value));
            if !slice.points.is_empty() {
                series.push(Track { labels: slice.labels, points: slice.points, nameless: false });
            }
        }
        Got::Range(Tracks { series, after, until })
    }

    /// Each step that is a multiple of the step since 1970, in (until − over, until].
    fn subquery(&self, subquery: &Subquery, at: Ms) -> Result<Got, Trouble> {
        let until = self.end_of(subquery.shift, at);
        let after = until.saturating_sub(subquery.over);
        let step = subquery.step.unwrap_or(SUBQUERY_STEP);
        let mut series: BTreeMap<Labels, Track> = BTreeMap::new();
        let mut t = (after.div_euclid(step) + 1) * step;
        while t <= until {
            for item in self.vector(&subquery.of, t)? {
                let track = series.entry(item.labels).or_insert_with_key(|labels| Track {
                    labels: labels.clone(),
                    points: Vec::new(),
                    nameless: item.nameless,
                });
                track.points.push((t, item.value));
            }
            t += step;
        }
        Ok(Got::Range(Tracks { series: series.into_values().collect(), after, until }))
    }

    fn sign(&self, sign: &Sign, node: &Node, at: Ms) -> Result<Got, Trouble> {
        match self.eval(&sign.of, at)? {
            got if !sign.minus => Ok(got),
            Got::Scalar(value) => Ok(Got::Scalar(-value)),
            Got::Vector(mut items) => {
                for item in &mut items {
                    item.value = -item.value;
                    (item.labels, item.nameless) = self.unnamed(&item.labels);
                }
                self.vector_of(items, &node.span)
            }
            Got::Range(_) | Got::String(_) => Err(trouble(&node.span, "a sign before something else than numbers")),
        }
    }

    fn call(&self, call: &crate::evaluate::promql::ast::Call, node: &Node, at: Ms) -> Result<Got, Trouble> {
        match functions::eval(self, call, node, at)? {
            Got::Vector(items) => self.vector_of(items, &node.span),
            got => Ok(got),
        }
    }
}

pub(super) fn unique<'l>(all: impl Iterator<Item = &'l Labels>, at: &Range<usize>) -> Result<(), Trouble> {
    let mut seen = BTreeSet::new();
    for labels in all {
        if !seen.insert(labels) {
            let detail = labels::show(labels);
            return Err(Trouble { detail, ..trouble(at, "vector cannot contain metrics with the same labelset") });
        }
    }
    Ok(())
}
