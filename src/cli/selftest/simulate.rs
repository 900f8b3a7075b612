//! `bongsu selftest simulate`.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::super::output::{self, Format};
use crate::pipeline::scenario::Over;
use crate::pipeline::sim::{self, Broken, Sound};
use crate::time::{Clock, SystemClock};

/// Broken worlds printed in full.
const SHOWN: usize = 5;
/// Runs spent on making each of them shorter.
const SHRINK_RUNS: usize = 400;

/// `bongsu selftest simulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct SimulateArgs {
    /// How many worlds.
    #[arg(long, default_value_t = 1_000)]
    worlds: u64,
    /// Seed of the first world; the others follow.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for what fails: each as a scenario file for `bongsu test`.
    #[arg(long)]
    out: Option<PathBuf>,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &SimulateArgs) -> anyhow::Result<u8> {
    let began = SystemClock.elapsed();
    let (broken, sum) = run_all(args.seed, args.worlds);
    let seconds = (SystemClock.elapsed() - began).max(1) as f64 / 1_000.0;
    let rate = (args.worlds as f64 / seconds * 10.0).round() / 10.0;
    let found = broken.len();
    let shown = broken.into_iter().take(SHOWN).map(|world| sim::shrink_told(world, SHRINK_RUNS, Over::default));
    let keep = |world: &Broken| {
        let Some(folder) = &args.out else { return Ok(()) };
        std::fs::create_dir_all(folder)?;
        std::fs::write(folder.join(format!("seed-{}.yaml", world.plan.seed)), world.to_string())
    };
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Json => {
            for world in shown {
                keep(&world)?;
                let (seed, inputs) = (world.plan.seed, world.plan.inputs());
                let line = json!({ "type": "violation", "seed": seed, "what": world.what, "inputs": inputs,
                    "told": world.is_told, "scenario": world.to_string() });
                output::json(&mut out, line)?;
            }
            output::json(
                &mut out,
                json!({ "type": "summary", "kind": "simulate", "worlds": args.worlds, "violations": found,
                    "worlds_per_s": rate, "inputs": sum.inputs, "ledger_entries": sum.entries,
                    "deaths": sum.deaths, "signals": sum.signals, "pages": sum.pages }),
            )?;
        }
        Format::Human => {
            for world in shown {
                keep(&world)?;
                output::line(&mut out, &world.to_string())?;
                let seed = world.plan.seed;
                output::line(&mut out, &format!("# again: bongsu selftest simulate --worlds 1 --seed {seed}"))?;
            }
            output::line(
                &mut out,
                &format!(
                    "{} worlds, {found} violations, {rate} worlds/s; {} inputs, {} ledger entries, {} deaths, \
                     {} signals, {} pages",
                    args.worlds, sum.inputs, sum.entries, sum.deaths, sum.signals, sum.pages
                ),
            )?;
        }
    }
    Ok(u8::from(found > 0))
}

/// Runs the worlds on all cores; each is a function of its seed, so the order does not matter. What was sound is added up.
fn run_all(first: u64, worlds: u64) -> (Vec<Broken>, Sound) {
    let next = AtomicU64::new(0);
    let found = Mutex::new((Vec::new(), Sound::default()));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::SeqCst);
                    if n >= worlds {
                        return;
                    }
                    let done = sim::run(first.wrapping_add(n));
                    let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
                    match done {
                        Ok(sound) => found.1.add(&sound),
                        Err(broken) => found.0.push(*broken),
                    }
                }
            });
        }
    });
    let (mut broken, sum) = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    broken.sort_by_key(|world| world.plan.seed);
    (broken, sum)
}
