//! Composes the stages: purely in `stages`, `flush` and `leader`, which run, replay, test and simulation share; with logs,
//! stores and threads in the rest.
//!
//! - `evaluator`, `leading`, `node`: one role each over its hand-overs, and all of them on one thread. `dues`, `gate`: what
//!   waits at a start.
//! - `shell`, `service`, `watch`, `versions`, `front`, `sides`, `stores`, `ways`, `receipts`, `publish`, `data_dir`: the service.
//!   `spool`: the agent's file.
//! - `backtest`, `feed`, `results`, `compare`, `truth`: replay and what it amounts to. `asks`, `affairs`, `explained`, `sentences`: why
//!   an instance is as it is. `sim`: simulated worlds. `crash`: kill -9 under load.
//! - `promqltest`: PromQL test scripts. `rulerun`, `unittest`: Prometheus rules over samples in memory, and tests of them.

pub mod affairs;
mod apart;
pub mod asks;
pub mod backtest;
mod company;
pub mod compare;
pub mod crash;
pub mod data_dir;
mod dead;
pub mod dues;
pub mod empty;
pub mod evaluator;
pub mod explained;
pub mod feed;
pub mod flush;
pub mod front;
pub mod gate;
pub mod heartbeat;
pub mod latency;
pub mod leader;
pub mod leading;
pub mod levels;
mod mend;
pub mod node;
mod outages;
pub mod outbox;
pub mod paces;
mod own;
mod publish;
pub mod promqltest;
mod pulse;
pub mod receipts;
pub mod refused;
pub mod results;
pub mod roster;
pub mod route;
pub mod taken_over;
pub mod rulerun;
pub mod scenario;
mod sentences;
pub mod service;
pub mod selfwatch;
pub mod shadow;
pub mod shell;
pub mod silences;
pub mod sides;
pub mod sim;
pub mod spool;
pub mod stages;
pub mod stamped;
pub mod stores;
pub mod sweep;
mod tally;
pub mod truth;
pub mod unittest;
mod versions;
pub mod wake;
pub mod watch;
pub mod ways;
