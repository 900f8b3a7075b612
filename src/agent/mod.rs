//! The collector on a monitored host: one record of numbers each few seconds, handed to the log or to a door.
//!
//! The idea: three parts that know nothing of each other. [`collect`](collector) reads `/proc` into numbers and never
//! fails as a whole; [`Queue`](queue::Queue) keeps what could not be handed over, up to a counted limit;
//! [`Agent::run`] beats, and gives the queue to a [`Deliver`], which the caller brings ([`DoorClient`] for a door).
//! Where it fails it counts, and the counts are numbers in the next record.
//!
//! Not here: containers, log files, URL probes and a spool on disk; who starts the thread (`pipeline`).

mod collector;

mod disks;

mod door;

mod mounts;

mod queue;

mod run;

mod system;

#[cfg(test)]
mod tests;

pub use collector::{Collector, Roots, host_name};
pub use door::{DoorClient, DoorError, DoorSettings};
pub use queue::Record;
pub use run::{Agent, Counts, Deliver, Delivered, Fate, Latch, Settings, Stop};
