//! Expressions: what is well written PromQL and still goes wrong at 3 a.m.
//!
//! The idea: every check looks at the tree of one expression ([`Written`]) and at what can be known of its pieces without
//! a sample (`facts`, `shape`); where that is not enough, nothing is said. All of them warn: what Prometheus takes is taken.
//! To add one, see [`super::CHECKS`]; its function takes a [`Written`] in place of a rule's view.

pub(super) mod conditions;
mod facts;
pub(super) mod joins;
pub(super) mod kinds;
pub(super) mod matchers;
pub(super) mod sample;
mod shape;
pub(super) mod texts;
pub(super) mod times;
pub(super) mod twins;
mod view;

pub(super) use view::{Becomes, Written};
