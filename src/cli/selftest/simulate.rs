//! `bongsu selftest simulate`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::super::output::{self, Format};
use crate::pipeline::sim::{self, Broken};
use crate::time::{Clock, SystemClock};

/// Broken worlds printed in full.
const SHOWN: usize = 12;

/// `bongsu selftest simulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct SimulateArgs {
    /// How many worlds.
    #[arg(long, default_value_t = 1_000)]
    worlds: u64,
    /// Seed of the first world; the others follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &SimulateArgs) -> anyhow::Result<u8> {
    let began = SystemClock.elapsed();
    let broken = run_all(args.seed, args.worlds);
    let seconds = (SystemClock.elapsed() - began).max(1) as f64 / 1_000.0;
    let rate = (args.worlds as f64 / seconds * 10.0).round() / 10.0;
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => {
            for world in broken.iter().take(SHOWN) {
                output::json(
                    &mut out,
                    json!({ "type": "violation", "seed": world.seed, "what": world.what, "trace": world.trace }),
                )?;
            }
            output::json(
                &mut out,
                json!({ "type": "summary", "kind": "simulate", "worlds": args.worlds, "violations": broken.len(), "worlds_per_s": rate }),
            )?;
        }
        Format::Human => {
            for world in broken.iter().take(SHOWN) {
                output::line(&mut out, &world.to_string())?;
                output::line(&mut out, &format!("  again: bongsu selftest simulate --worlds 1 --seed {}", world.seed))?;
            }
            output::line(&mut out, &format!("{} worlds, {} violations, {rate} worlds/s", args.worlds, broken.len()))?;
        }
    }
    Ok(u8::from(!broken.is_empty()))
}

/// Runs the worlds on all cores; each is a function of its seed, so the order does not matter.
fn run_all(first: u64, worlds: u64) -> Vec<Broken> {
    let next = AtomicU64::new(0);
    let found = Mutex::new(Vec::new());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= worlds {
                        return;
                    }
                    if let Err(broken) = sim::run(first.wrapping_add(n), None) {
                        found.lock().unwrap_or_else(PoisonError::into_inner).push(*broken);
                    }
                }
            });
        }
    });
    let mut broken = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.sort_by_key(|world| world.seed);
    broken
}
