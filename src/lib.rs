//! Bongsu (봉수): streaming telemetry and alerting.
//!
//! Agents push metrics and log lines into a log; rules evaluate thresholds over sliding windows; what fires becomes
//! incidents; incidents become messages to the emergency contact chain. The modules stand in the order of the data:
//!
//! - [`time`], [`model`]: clocks, and the values that pass between stages.
//! - [`log`] (edge): the log trait, embedded and Kafka.
//! - [`decode`], [`evaluate`], [`incident`], [`page`] (pure, strangers to each other): `apply(input, now) → row changes`.
//! - [`notify`], [`store`], [`agent`], [`console`] (edges, strangers to each other).
//! - [`telemetry`]: the engine's own metrics and logs.
//! - [`config`]: edited files → typed values, every problem with its place.
//! - [`pipeline`]: `stages` composes the pure stages once for run, replay, test and simulation; `shell` spawns threads.
//! - [`cli`]: the commands.
//!
//! What is deliberately not here: a consensus, a log or a database of our own, and any clock in a pure module
//! (`.clippy.toml` and the layer test hold that).

pub mod time;

pub mod model;

pub mod log;

pub mod decode;

pub mod evaluate;

pub mod incident;

pub mod page;

pub mod store;

pub mod telemetry;

pub mod notify;

pub mod agent;

pub mod console;

pub mod report;

pub mod config;

pub mod pipeline;

pub mod cli;
