//! Tests that cross module borders or need a real server. One binary; each module says why it is here.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

/// What every store must do, run over SQLite and memory: fixtures, and the list of sides.
mod store_suite;
/// Hand-over ②: fences, seqs, state rows.
mod store_evaluate;
/// The leader's transaction: inputs in order, cancels, the ledger's chain.
mod store_leader;
/// Hand-over ③: leases, outcomes, deadlines.
mod store_notify;
/// SQLite and memory give the same answers to the same random calls.
mod store_same;
/// What only a file can show: kill -9, versions, read-only, a slow second writer.
mod store_sqlite;
