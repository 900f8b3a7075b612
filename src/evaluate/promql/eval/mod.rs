//! The tree over a storage.
//!
//! The idea: an expression is evaluated at one time, from the leaves up, and a range is the same at each step; so a
//! rule at its tick, a subquery and a graph cannot differ. Between nodes go [`Got`] values. A metric's name falls where
//! Prometheus drops it: at once, or, as its test scripts want it, at the end (`Scene::late`); two series that become one
//! are an error, never a silent choice.
//! What the functions, aggregations and operators compute stands in their tables; what rules that run together need not
//! compute twice, in `together`.

pub(super) mod binary;
pub(super) mod labels;
pub(super) mod subquery;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ops::Range;

use crate::evaluate::promql::aggregate;
use crate::evaluate::promql::ast::{Expr, LOOK_BACK, Node, Pin, Place, Selector, Shift, Sign, What};
use crate::evaluate::promql::functions;
use crate::evaluate::promql::storage::{Part, Sought, Storage};
use crate::evaluate::promql::together::Kept;
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
    /// Steps of subqueries that were evaluated for one time.
    steps: Cell<u64>,
    /// What is kept for the expressions that are evaluated together with this one.
    kept: Option<&'a RefCell<Kept>>,
}

/// Trouble at `at`: the data or the expression is wrong.
pub(super) fn trouble(at: &Range<usize>, message: impl Into<String>) -> Trouble {
    Trouble { at: at.clone(), message: message.into(), detail: String::new(), construct: None }
}

/// The value of `expr` at `at`.
pub(super) fn instant(expr: &Expr, storage: &dyn Storage, at: Ms, late: bool) -> Result<Answer, Trouble> {
    let scene = Scene::new(storage, (at, at), late);
    Ok(Answer { value: scene.value(expr.root(), at)?, notes: scene.notes.into_inner() })
}

/// The same, with what is kept from before and for others; no remarks are made.
pub(super) fn together(expr: &Expr, storage: &dyn Storage, kept: &RefCell<Kept>, at: Ms) -> Result<Value, Trouble> {
    let scene = Scene { kept: Some(kept), ..Scene::new(storage, (at, at), false) };
    scene.value(expr.root(), at)
}

/// The values of `expr` at each step.
pub(super) fn range(expr: &Expr, storage: &dyn Storage, span: (Ms, Ms, Ms), late: bool) -> Result<Answer, Trouble> {
    let (from, to, step) = span;
    let root = expr.root();
    if step <= 0 {
        return Err(trouble(&root.span, "the step of a range is at least 1 ms"));
    }
    let scene = Scene::new(storage, (from, to), late);
    let mut series: BTreeMap<Labels, Vec<(Ms, f64)>> = BTreeMap::new();
    // Where names go at the end, a series is until then what it was at its first step, with its name or without.
    let mut first: BTreeMap<Labels, bool> = BTreeMap::new();
    let mut next = Some(from).filter(|from| *from <= to);
    while let Some(at) = next {
        scene.steps.set(0);
        match scene.eval(root, at)? {
            Got::Scalar(value) => series.entry(Labels::default()).or_default().push((at, value)),
            Got::Vector(mut items) => {
                for item in items.iter_mut().filter(|_| late) {
                    item.nameless = *first.entry(item.labels.clone()).or_insert(item.nameless);
                }
                for sample in scene.finish(items, &root.span)? {
                    series.entry(sample.labels).or_default().push((at, sample.value));
                }
            }
            Got::Range(_) | Got::String(_) => {
                let message = format!("a {} has no range of values", root.kind());
                return Err(trouble(&root.span, message));
            }
        }
        next = at.checked_add(step).filter(|at| *at <= to);
    }
    let series = series.into_iter().map(|(labels, points)| Series { labels, points }).collect();
    Ok(Answer { value: Value::Matrix(series), notes: scene.notes.into_inner() })
}

impl<'a> Scene<'a> {
    pub(super) fn new(storage: &'a dyn Storage, (start, end): (Ms, Ms), late: bool) -> Self {
        Self { storage, start, end, late, notes: RefCell::default(), steps: Cell::default(), kept: None }
    }
}

impl Scene<'_> {
    /// The value of a whole expression at `at`.
    fn value(&self, root: &Node, at: Ms) -> Result<Value, Trouble> {
        Ok(match self.eval(root, at)? {
            Got::Scalar(value) => Value::Scalar(value),
            Got::String(text) => Value::String(text),
            Got::Vector(items) => Value::Vector(self.finish(items, &root.span)?),
            Got::Range(tracks) => Value::Matrix(
                tracks.series.into_iter().map(|track| Series { labels: track.labels, points: track.points }).collect(),
            ),
        })
    }

    /// How many steps of subqueries were taken so far.
    pub(super) fn took(&self) -> u64 {
        self.steps.get()
    }

    /// Where something is kept for this node: its place in what is kept. Inside a subquery nothing is.
    fn place(&self, node: &Node, at: Ms) -> Option<(&RefCell<Kept>, Place)> {
        self.kept.filter(|_| at == self.start).zip(node.place)
    }

    /// The value of a node at `at`.
    pub(super) fn eval(&self, node: &Node, at: Ms) -> Result<Got, Trouble> {
        let place = self.place(node, at).filter(|(_, place)| place.shared);
        let Some((kept, place)) = place.filter(|_| !matches!(node.what, What::Subquery(_))) else {
            return self.compute(node, at);
        };
        if let Some(got) = kept.borrow().said(place.id, at) {
            return Ok(got);
        }
        let got = self.compute(node, at)?;
        kept.borrow_mut().say(place.id, at, &got);
        Ok(got)
    }

    fn compute(&self, node: &Node, at: Ms) -> Result<Got, Trouble> {
        match &node.what {
            What::Number(value) => Ok(Got::Scalar(*value)),
            What::Text(text) => Ok(Got::String(text.clone())),
            What::Select(selector) => Ok(self.select(selector, at)),
            What::Subquery(subquery) => subquery::eval(self, subquery, node, at),
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

    /// The edges of what a selector sees: (after, until].
    pub(super) fn edges(&self, selector: &Selector, at: Ms) -> (Ms, Ms) {
        let until = self.end_of(selector.shift, at);
        (until.saturating_sub(selector.over.unwrap_or(LOOK_BACK)), until)
    }

    /// Shows the samples of a selector's series in (after, until].
    pub(super) fn parts(&self, selector: &Selector, (after, until): (Ms, Ms), see: &mut dyn FnMut(Part<'_>)) {
        self.storage.each(Sought { matchers: &selector.matchers, set: selector.set, after, until }, see);
    }

    /// Time and value of the newest sample of each series that an instant selector sees.
    pub(super) fn newest(&self, selector: &Selector, at: Ms) -> Vec<(Labels, (Ms, f64))> {
        let mut found = Vec::new();
        self.parts(selector, self.edges(selector, at), &mut |part| {
            found.extend(part.newest().map(|point| (part.labels.clone(), point)));
        });
        found
    }

    fn select(&self, selector: &Selector, at: Ms) -> Got {
        if selector.over.is_none() {
            let item = |(labels, (_, value))| Item { labels, value, nameless: false };
            return Got::Vector(self.newest(selector, at).into_iter().map(item).collect());
        }
        let (after, until) = self.edges(selector, at);
        let mut series = Vec::new();
        self.parts(selector, (after, until), &mut |part| {
            series.push(Track { labels: part.labels.clone(), points: part.points.to_vec(), nameless: false });
        });
        Got::Range(Tracks { series, after, until })
    }

    fn call(&self, call: &crate::evaluate::promql::ast::Call, node: &Node, at: Ms) -> Result<Got, Trouble> {
        if let Some((kept, place)) = self.place(node, at) {
            let mut leaf = kept.borrow_mut().take_leaf(place.id);
            let got = functions::kept(self, (call, node), &mut leaf, at);
            kept.borrow_mut().put_leaf(place.id, leaf);
            if let Some(got) = got? {
                return Ok(got);
            }
        }
        match functions::eval(self, call, node, at)? {
            Got::Vector(items) => self.vector_of(items, &node.span),
            got => Ok(got),
        }
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
