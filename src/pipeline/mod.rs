//! Composes the stages: purely in `stages`, `flush` and `leader`, which run, replay, test and simulation share; with logs,
//! stores and threads in the rest.
//!
//! - `evaluator`, `leading`, `node`: one role each over its hand-overs, and all of them on one thread.
//! - `shell`, `service`, `watch`, `front`, `sides`, `stores`, `ways`, `receipts`, `publish`, `data_dir`: the service.
//!   `spool`: the agent's file.
//! - `backtest`, `feed`: replay. `sim`: simulated worlds. `crash`: kill -9 under load.
//! - `rulerun`, `unittest`: Prometheus rules over samples in memory, and promtool's tests of them.

pub mod backtest;
pub mod crash;
pub mod data_dir;
mod dead;
pub mod evaluator;
pub mod feed;
pub mod flush;
pub mod front;
pub mod leader;
pub mod leading;
mod mend;
pub mod node;
pub mod outbox;
mod own;
mod publish;
pub mod promqltest;
mod pulse;
pub mod receipts;
pub mod rulerun;
pub mod scenario;
pub mod service;
pub mod shell;
pub mod sides;
pub mod sim;
pub mod spool;
pub mod stages;
pub mod stores;
mod tally;
pub mod unittest;
pub mod wake;
pub mod watch;
pub mod ways;
