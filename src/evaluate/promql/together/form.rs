//! What makes two parts of expressions equal: their form, without blanks, parentheses and the order of what has none.
//!
//! The idea: a node's form is written with the places of its children, so two nodes have one place exactly where they
//! give the same value whenever they are asked at the same time. Places are given once per rule set.
//!
//! What the inventory knows of a host (`class`, `zone`, `service`, `parent`) can be matched by every selector, and is a
//! label of the series only in an expression that names it outside of matchers: in `by`, `on`, `group_left` or a text.
//! Elsewhere it would be part of every identity, of `without` and of every matching of two vectors: a host that moves
//! would end its incidents and begin new ones, and an expression of Prometheus would mean something else.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use super::Together;
use crate::evaluate::promql::ast::{Expr, Grouping, Matching, Node, Pin, Place, SUBQUERY_STEP, Selector, Shift, What};
use crate::evaluate::promql::matcher::Matcher;
use crate::evaluate::promql::storage::{NAME, Set};
use crate::model::Inventory;

/// Gives the nodes of `exprs` their places.
pub(super) fn place(mut exprs: Vec<Expr>) -> Together {
    let mut forms = Forms::default();
    for expr in &mut exprs {
        forms.carried = carried(expr);
        forms.give(expr.root_mut());
    }
    for expr in &mut exprs {
        forms.share(expr.root_mut());
    }
    let reads = forms.reads.into_iter().map(|read| read.into_iter().collect()).collect();
    Together { exprs, reads, names: forms.names.all, sets: forms.sets.all }
}

#[derive(Default)]
struct Forms {
    known: HashMap<String, u32>,
    /// How often each place occurs.
    uses: Vec<u32>,
    reads: Vec<BTreeSet<u32>>,
    sets: Numbered<Set>,
    names: Numbered<Vec<Matcher>>,
    /// What the expression at hand names of the inventory's labels.
    carried: Vec<&'static str>,
}

/// Things, each once.
#[derive(Default)]
struct Numbered<T> {
    known: HashMap<String, u32>,
    all: Vec<T>,
}

impl<T: std::fmt::Debug> Numbered<T> {
    fn number(&mut self, one: T) -> u32 {
        let next = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        let number = *self.known.entry(format!("{one:?}")).or_insert(next);
        if number == next {
            self.all.push(one);
        }
        number
    }
}

/// The labels that the inventory adds, where an expression names them outside of matchers.
fn carried(expr: &Expr) -> Vec<&'static str> {
    let mut named: BTreeSet<String> = BTreeSet::new();
    expr.visit(&mut |node| match &node.what {
        What::Text(text) => drop(named.insert(text.clone())),
        What::Aggregate(aggregate) => named.extend(aggregate.grouping.labels.iter().cloned()),
        What::Binary(binary) => {
            named.extend(binary.matching.labels.iter().chain(&binary.matching.include).cloned());
        }
        _ => {}
    });
    Inventory::JOINED.into_iter().filter(|name| named.contains(*name)).collect()
}

/// The form of a node, and what is read in it.
struct Formed {
    text: String,
    reads: BTreeSet<u32>,
}

impl Forms {
    /// Gives `node` and what is in it their places.
    fn give(&mut self, node: &mut Node) -> Formed {
        let mut reads = BTreeSet::new();
        let mut inner = |forms: &mut Self, node: &mut Node| {
            let formed = forms.give(node);
            reads.extend(formed.reads);
            formed.text
        };
        let text = match &mut node.what {
            What::Number(value) => return Formed { text: format!("#{:x}", value.to_bits()), reads },
            What::Text(text) => return Formed { text: format!("{text:?}"), reads },
            What::Paren(of) => return self.give(of),
            What::Sign(sign) if !sign.minus => return self.give(&mut sign.of),
            What::Sign(sign) => format!("-{}", inner(self, &mut sign.of)),
            What::Select(selector) => {
                let names = selector.matchers.iter().filter(|matcher| matcher.name == NAME).cloned().collect();
                let one = Set { matchers: selector.matchers.clone(), carried: self.carried.clone() };
                let (set, name) = (self.sets.number(one), self.names.number(names));
                selector.set = Some(set);
                reads.insert(name);
                select(selector, set)
            }
            What::Subquery(subquery) => {
                let of = inner(self, &mut subquery.of);
                let step = subquery.step.unwrap_or(SUBQUERY_STEP);
                format!("{of}[{}:{step}]{}", subquery.over, shift(subquery.shift))
            }
            What::Call(call) => {
                let args: Vec<String> = call.args.iter_mut().map(|arg| inner(self, arg)).collect();
                format!("{}({})", call.function.name, args.join(","))
            }
            What::Aggregate(aggregate) => {
                let param = aggregate.param.as_mut().map(|param| inner(self, param)).unwrap_or_default();
                let of = inner(self, &mut aggregate.of);
                format!("{} {} ({param};{of})", aggregate.with.name, grouping(&aggregate.grouping))
            }
            What::Binary(binary) => {
                let (left, right) = (inner(self, &mut binary.left), inner(self, &mut binary.right));
                let matching = matching(&binary.matching);
                format!("({left} {} {} {matching} {right})", binary.op.text(), binary.gives_bool)
            }
        };
        let next = u32::try_from(self.uses.len()).unwrap_or(u32::MAX);
        let id = *self.known.entry(text).or_insert(next);
        if id == next {
            self.uses.push(0);
            self.reads.push(reads.clone());
        }
        self.uses[id as usize] += 1;
        node.place = Some(Place { id, shared: false });
        Formed { text: format!("%{id}"), reads }
    }

    /// Marks what is worth keeping for others.
    fn share(&self, node: &mut Node) {
        let steady = match &node.what {
            What::Subquery(subquery) => steady(&subquery.of),
            // A range is a copy of its samples, and of one that is looked at twice little else is shared.
            What::Select(selector) if selector.over.is_some() => false,
            _ => node.place.is_some_and(|place| self.uses.get(place.id as usize).is_some_and(|uses| *uses > 1)),
        };
        if let Some(place) = &mut node.place {
            place.shared = steady;
        }
        match &mut node.what {
            What::Number(_) | What::Text(_) | What::Select(_) => {}
            What::Paren(of) => self.share(of),
            What::Sign(sign) => self.share(&mut sign.of),
            What::Subquery(subquery) => self.share(&mut subquery.of),
            What::Call(call) => call.args.iter_mut().for_each(|arg| self.share(arg)),
            What::Aggregate(aggregate) => {
                aggregate.param.iter_mut().chain([&mut aggregate.of]).for_each(|of| self.share(of));
            }
            What::Binary(binary) => [&mut binary.left, &mut binary.right].into_iter().for_each(|side| self.share(side)),
        }
    }
}

/// Whether a step of it sees nothing that is newer than the step, so that it stays what it was until something older
/// comes.
fn steady(node: &Node) -> bool {
    let own = match &node.what {
        What::Select(Selector { shift, .. }) => *shift,
        What::Subquery(subquery) => subquery.shift,
        _ => Shift::default(),
    };
    own.pin.is_none() && own.offset >= 0 && node.children().into_iter().all(steady)
}

fn select(selector: &Selector, set: u32) -> String {
    let over = selector.over.map_or(String::new(), |over| format!("[{over}]"));
    format!("{{{set}}}{over}{}", shift(selector.shift))
}

fn shift(shift: Shift) -> String {
    let mut text = String::new();
    if shift.offset != 0 {
        let _ = write!(text, " offset {}", shift.offset);
    }
    match shift.pin {
        None => {}
        Some(Pin::At(time)) => drop(write!(text, " @ {time}")),
        Some(Pin::Start) => text.push_str(" @ start"),
        Some(Pin::End) => text.push_str(" @ end"),
    }
    text
}

fn listed(labels: &[String]) -> String {
    let sorted: BTreeSet<&String> = labels.iter().collect();
    format!("{sorted:?}")
}

fn grouping(grouping: &Grouping) -> String {
    format!("{} {}", if grouping.without { "without" } else { "by" }, listed(&grouping.labels))
}

fn matching(matching: &Matching) -> String {
    let on = if matching.on { "on" } else { "ignoring" };
    format!("{on} {} {:?} {}", listed(&matching.labels), matching.many, listed(&matching.include))
}
