//! Expressions that are evaluated together, tick by tick: what is equal in them is computed once.
//!
//! The idea: [`Together::new`] gives each node a place by its form (`form`), so that equal parts of different expressions
//! share one. [`Kept`] holds what was said there: for one tick, the value of every part that occurs twice; from tick to
//! tick, what window functions made of windows that hold the same samples (or remember of those that moved on), and the
//! steps of subqueries that no new sample could have changed. All of it may be thrown away at any time: [`Together::instant`] gives what
//! [`instant`](super::instant) gives, bit for bit, whatever was kept. Two things are not kept: errors, because they name
//! places in one text, and remarks.

mod form;

use std::cell::RefCell;
use std::collections::BTreeSet;

use super::ast::{Expr, What};
use super::eval::subquery::Steps;
use super::eval::{self, Got};
use super::functions;
use super::matcher::Matcher;
use super::storage::{Set, Storage};
use super::value::{Trouble, Value};
use crate::time::Ms;

/// Expressions with places for what is equal in them.
#[derive(Debug, Default)]
pub struct Together {
    exprs: Vec<Expr>,
    /// What each place reads: places in `names`.
    reads: Vec<Vec<u32>>,
    /// Conditions on the metric's name, each once.
    names: Vec<Vec<Matcher>>,
    /// Every selector, each once.
    sets: Vec<Set>,
}

/// What is kept of evaluations. It belongs to one [`Together`] and one storage.
#[derive(Debug, Default)]
pub struct Kept {
    /// At which time, and what.
    said: Vec<Option<(Ms, Got)>>,
    leaves: Vec<functions::Kept>,
    steps: Vec<Steps>,
}

impl Together {
    /// Gives the nodes of `exprs` their places.
    pub fn new(exprs: Vec<Expr>) -> Self {
        form::place(exprs)
    }

    /// The `n`-th expression.
    pub fn expr(&self, n: usize) -> Option<&Expr> {
        self.exprs.get(n)
    }

    /// All of them.
    pub fn exprs(&self) -> &[Expr] {
        &self.exprs
    }

    /// All selectors, for a storage that finds their series beforehand.
    pub fn sets(&self) -> &[Set] {
        &self.sets
    }

    /// The selectors of the `n`-th expression: places of [`Together::sets`], each once.
    pub fn reach(&self, n: usize) -> BTreeSet<u32> {
        let mut found = BTreeSet::new();
        if let Some(expr) = self.exprs.get(n) {
            expr.visit(&mut |node| {
                if let What::Select(selector) = &node.what {
                    found.extend(selector.set);
                }
            });
        }
        found
    }

    /// How many different parts there are to keep something of.
    pub fn places(&self) -> usize {
        self.reads.len()
    }

    /// The value of the `n`-th expression at `at`, with what is kept. Errors: as [`instant`](super::instant).
    pub fn instant(&self, n: usize, storage: &dyn Storage, kept: &RefCell<Kept>, at: Ms) -> Result<Value, Trouble> {
        match self.exprs.get(n) {
            Some(expr) => eval::together(expr, storage, kept, at),
            None => Ok(Value::Vector(Vec::new())),
        }
    }

    /// Begins a tick: a value holds for one only, and `touched` says to which metrics samples came since the last, and
    /// how old they were.
    pub fn begin(&self, kept: &RefCell<Kept>, touched: &[(Box<str>, Ms)]) {
        let mut kept = kept.borrow_mut();
        kept.said.clear();
        for (metric, from) in touched {
            self.wrote(&mut kept, metric, *from);
        }
    }

    /// A sample of time `from`, or several from it on, came to `metric` within a tick.
    pub fn wrote(&self, kept: &mut Kept, metric: &str, from: Ms) {
        let seen: Vec<bool> =
            self.names.iter().map(|names| names.iter().all(|name| name.accepts_value(metric))).collect();
        let reads = |place: usize| {
            let read = self.reads.get(place);
            read.is_none_or(|read| read.iter().any(|name| seen.get(*name as usize).copied().unwrap_or(true)))
        };
        for (place, said) in kept.said.iter_mut().enumerate().filter(|(_, said)| said.is_some()) {
            if reads(place) {
                *said = None;
            }
        }
        for (place, steps) in kept.steps.iter_mut().enumerate().filter(|(_, steps)| !steps.is_empty()) {
            if reads(place) {
                steps.forget(from);
            }
        }
    }
}

impl Kept {
    pub(super) fn said(&self, place: u32, at: Ms) -> Option<Got> {
        self.said.get(place as usize)?.as_ref().filter(|(of, _)| *of == at).map(|(_, got)| got.clone())
    }

    pub(super) fn say(&mut self, place: u32, at: Ms, got: &Got) {
        *room(&mut self.said, place) = Some((at, got.clone()));
    }

    pub(super) fn take_leaf(&mut self, place: u32) -> functions::Kept {
        std::mem::take(room(&mut self.leaves, place))
    }

    pub(super) fn put_leaf(&mut self, place: u32, leaf: functions::Kept) {
        *room(&mut self.leaves, place) = leaf;
    }

    pub(super) fn edition(&self, place: u32) -> Option<u64> {
        self.steps.get(place as usize)?.edition()
    }

    pub(super) fn take_steps(&mut self, place: u32) -> Steps {
        std::mem::take(room(&mut self.steps, place))
    }

    pub(super) fn put_steps(&mut self, place: u32, steps: Steps) {
        *room(&mut self.steps, place) = steps;
    }
}

/// The place in a list that grows as needed.
fn room<T: Default>(list: &mut Vec<T>, place: u32) -> &mut T {
    let place = place as usize;
    if list.len() <= place {
        list.resize_with(place + 1, T::default);
    }
    &mut list[place]
}
