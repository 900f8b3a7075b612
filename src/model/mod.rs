//! The values that pass between stages, and what all of them know: labels, records, rules, signals, incidents, pages,
//! the row changes that a stage asks the store for, the inventory and the contacts.
//!
//! The idea: the pure stages are strangers to each other and meet only here, so every hand-over is a plain value.
//! Nothing in this module decides anything, reads a clock or touches the outside.

pub mod ack_code;
mod alertmanager;
mod book;
mod builtin;
mod calendar;
mod chain;
mod clock;
mod drill;
mod entry;
mod expr;
mod fits;
mod flush;
mod function;
mod interval;
mod group;
mod inventory;
mod korean;
mod labels;
mod mask;
mod mute;
mod overdue;
mod page;
mod people;
mod postgres;
mod prometheus;
mod record;
mod roster;
mod rota;
mod rule;
mod secret;
mod signal;
mod sla;
mod stamps;
mod way;
mod zone;
pub mod wire;

pub use ack_code::AckKey;
pub use alertmanager::*;
pub use book::*;
pub use builtin::*;
pub use calendar::*;
pub use chain::*;
pub use clock::*;
pub use drill::*;
pub use entry::*;
pub use expr::*;
pub use fits::*;
pub use flush::*;
pub use function::{Bound, Facts, Function, TABLE as FUNCTIONS};
pub use group::*;
pub use interval::*;
pub use inventory::*;
pub use korean::*;
pub use labels::*;
pub use mask::*;
pub use mute::*;
pub use overdue::*;
pub use page::*;
pub use people::*;
pub use postgres::*;
pub use prometheus::*;
pub use record::*;
pub use roster::*;
pub use rota::*;
pub use rule::*;
pub use secret::*;
pub use signal::*;
pub use sla::*;
pub use stamps::*;
pub use way::*;
pub use zone::*;
