//! The collector on a monitored host: one record of numbers each few seconds, handed to the log or to a door.
//!
//! The idea: parts that know nothing of each other. [`collect`](collector) reads the machine into numbers and never
//! fails as a whole; [`Queue`](queue::Queue) and, behind it, a [`Spool`] on the disk keep what could not be handed over,
//! up to a counted limit; [`Agent::run`] beats, and gives them to a [`Deliver`]. Both come from the caller
//! ([`DoorClient`] for a door). Where it fails it counts, and the counts are numbers in the next record, beside what the
//! agent itself costs. Log files are followed beside it, and their lines are records like the others.
//!
//! Not here: the spool's file and who starts the thread (`pipeline`).

mod clock;

mod collector;

mod container;

mod cost;

mod disks;

mod door;

mod hands;

mod lines;

mod mounts;

mod pressure;

mod processes;

mod queue;

mod run;

mod spool;

mod system;

mod tail;

mod worker;

#[cfg(test)]
mod tests;

pub use collector::{Collector, Roots, host_name};
pub use door::{DoorClient, DoorError, DoorSettings};
pub use processes::Watch;
pub use queue::Record;
pub use run::{Agent, Counts, Deliver, Delivered, Fate, Latch, Settings, Stop};
pub use spool::{Spool, SpoolState};
pub use tail::LogFile;
