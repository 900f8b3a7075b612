//! Window functions over a selector, with what the last evaluation found.
//!
//! The idea: from tick to tick most windows hold the same samples: none came, none left. What a function made of those
//! is kept for each series beside the stamp of its part, and asked for again instead of being computed. `rate` and its
//! kin keep the change, which hangs on the samples alone, and draw it out to edges that move with the clock. Where
//! something did change, a long window is carried on (`moving`) and a short one is read where it lies. The result is
//! that of a plain evaluation, bit for bit; only remarks about it are not made here.

use std::collections::{BTreeSet, HashMap};

use crate::evaluate::promql::ast::{Call, Node, Selector, What};
use crate::evaluate::promql::eval::{Got, Item, Scene};
use crate::evaluate::promql::functions::moving::Moving;
use crate::evaluate::promql::functions::standing::{self, Standing};
use crate::evaluate::promql::functions::{Body, Function, Window};
use crate::evaluate::promql::storage::{Part, Stamp};
use crate::evaluate::promql::value::Trouble;
use crate::model::Labels;
use crate::time::Ms;

/// What is kept of one call.
#[derive(Debug, Default)]
pub(in crate::evaluate::promql) struct Kept {
    /// Bits of the scalars that it was made with.
    params: Vec<u64>,
    /// By the labels of the series.
    entries: Vec<Entry>,
    /// No two series have the same labels in the result.
    distinct: bool,
    /// Of a call over a subquery: what it gave last.
    standing: Option<Standing>,
}

/// What is kept of one series.
#[derive(Debug)]
struct Entry {
    stamp: Option<Stamp>,
    length: usize,
    /// Labels of the result.
    labels: Labels,
    /// The value, or the change that it is drawn from.
    core: Option<f64>,
    /// What is remembered of the window, so that the next value costs less.
    moving: Option<Box<Moving>>,
}

/// The value of a call of a window function over a selector or a subquery; `None` for any other call.
pub(in crate::evaluate::promql) fn eval(
    scene: &Scene<'_>,
    (call, node): (&Call, &Node),
    kept: &mut Kept,
    at: Ms,
) -> Result<Option<Got>, Trouble> {
    let Some((n, selector)) = over(call) else { return standing::eval(scene, (call, node), &mut kept.standing, at) };
    let mut params = Vec::new();
    for (_, arg) in call.args.iter().enumerate().filter(|(place, _)| *place != n) {
        if let Got::Scalar(value) = scene.eval(arg, at)? {
            params.push(value);
        }
    }
    let bits = params.iter().map(|value| value.to_bits());
    if !kept.params.iter().copied().eq(bits.clone()) {
        kept.params = bits.collect();
        // Their windows are what they were, their values are not.
        kept.entries.iter_mut().for_each(|entry| entry.length = usize::MAX);
    }
    let (after, until) = scene.edges(selector, at);
    let mut old = Old::new(std::mem::take(&mut kept.entries));
    let (mut entries, mut items) = (Vec::with_capacity(old.entries.len()), Vec::new());
    scene.parts(selector, (after, until), &mut |part| {
        let edges = Window { points: &[], after, until, at, params: &params };
        let (entry, value) = one(call.function, &part, &edges, old.take(part.stamp));
        items.extend(value.map(|value| Item { labels: entry.labels.clone(), value, nameless: false }));
        entries.push(entry);
    });
    if !old.is_used_up() {
        let all: BTreeSet<&Labels> = entries.iter().map(|entry| &entry.labels).collect();
        kept.distinct = all.len() == entries.len();
    }
    kept.entries = entries;
    if kept.distinct { Ok(Some(Got::Vector(items))) } else { scene.vector_of(items, &node.span).map(Some) }
}

/// Which argument is the selector.
fn over(call: &Call) -> Option<(usize, &Selector)> {
    // Its scalars are judged only where there are series.
    let judged = call.function.name == "double_exponential_smoothing";
    if judged || !matches!(call.function.body, Body::Window(_) | Body::Moving(_) | Body::Drawn(_)) {
        return None;
    }
    call.args.iter().enumerate().find_map(|(n, arg)| match &arg.bare().what {
        What::Select(selector) if selector.over.is_some() => Some((n, selector)),
        _ => None,
    })
}

/// What is to be kept of one series, and its value.
fn one(function: &Function, part: &Part<'_>, edges: &Window<'_>, known: Option<Entry>) -> (Entry, Option<f64>) {
    let w = Window { points: part.points, ..*edges };
    let (stamp, length) = (part.stamp, part.points.len());
    let same = known.as_ref().is_some_and(|known| (known.stamp, known.length) == (stamp, length));
    let known = known.unwrap_or_else(|| Entry::new(function.result_of(part.labels)));
    // A body that hangs on the time has no value to keep, and a memory beside its samples must be at their edge.
    let moves = matches!(function.body, Body::Moving(_));
    if same && !moves {
        let value = function.drawn(&w, known.core);
        return (known, value);
    }
    let moving = Moving::on(known.moving, function.memory, part, &w);
    let core = function.carried_on(&w, moving.as_deref());
    let entry = Entry { stamp, length, labels: known.labels, core, moving };
    let value = function.drawn(&w, core);
    (entry, value)
}

/// What was kept, on its way out: the same series come in the same order most of the time.
struct Old {
    entries: Vec<Option<Entry>>,
    next: usize,
    /// Where series are, once they did not come in order.
    places: Option<HashMap<u64, usize>>,
    /// Some were not there.
    missed: bool,
}

impl Old {
    fn new(entries: Vec<Entry>) -> Self {
        let missed = entries.is_empty();
        Self { entries: entries.into_iter().map(Some).collect(), next: 0, places: None, missed }
    }

    fn take(&mut self, stamp: Option<Stamp>) -> Option<Entry> {
        let Some(series) = stamp.map(|stamp| stamp.series) else {
            self.missed = true;
            return None;
        };
        let number = |entry: &Option<Entry>| entry.as_ref().and_then(|entry| entry.stamp).map(|stamp| stamp.series);
        let at = if self.entries.get(self.next).and_then(number) == Some(series) {
            Some(self.next)
        } else {
            let places = self.places.get_or_insert_with(|| {
                let numbered = self.entries.iter().enumerate().filter_map(|(n, entry)| Some((number(entry)?, n)));
                numbered.collect()
            });
            places.get(&series).copied()
        };
        let found = at.and_then(|at| self.entries.get_mut(at).and_then(Option::take));
        self.missed |= found.is_none();
        self.next = at.map_or(self.next, |at| at + 1);
        found
    }

    /// Each series was there before; some may have gone.
    fn is_used_up(&self) -> bool {
        !self.missed
    }
}

impl Entry {
    fn new(labels: Labels) -> Self {
        Self { stamp: None, length: 0, labels, core: None, moving: None }
    }
}

impl Function {
    /// The value, or the change that it is drawn from, from what is remembered or from the samples.
    fn carried_on(&self, w: &Window<'_>, moving: Option<&Moving>) -> Option<f64> {
        match &self.body {
            Body::Drawn(drawn) => match moving.and_then(Moving::falls) {
                Some(falls) => drawn.change_of(w.points, falls),
                None => drawn.change(w.points),
            },
            _ => moving.and_then(|moving| moving.value(self.memory, w)).or_else(|| self.of_window(w)),
        }
    }

    /// The value, of which `core` is what was kept.
    fn drawn(&self, w: &Window<'_>, core: Option<f64>) -> Option<f64> {
        match &self.body {
            Body::Drawn(drawn) => drawn.out(w, core?),
            _ => core,
        }
    }

    /// The labels of a result for a series.
    fn result_of(&self, labels: &Labels) -> Labels {
        if self.keeps_name { labels.clone() } else { crate::evaluate::promql::eval::labels::without_meta(labels) }
    }
}
