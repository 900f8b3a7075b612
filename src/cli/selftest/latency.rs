//! `bongsu selftest latency`.

use serde_json::json;

use super::super::output::{self, Format};
use super::super::progress::Progress;
use crate::pipeline::latency::{self, Plan, Report};
use crate::pipeline::stamped;

/// What `--help` says at the end.
const NOTES: &str = "\
Runs the service with its embedded log, SQLite and a carrier on loopback (which answers after 20 ms and sends its receipt \
50 ms later), and sends samples that each fire a rule, at fixed times: whatever holds the service up is in the figures of \
every sample that came meanwhile. Prints, for each hop between the eight stamps of a page and for the whole way, how long \
it took.

A rule waits for its tick, once a second: up to a second of `consumed_decided` is that. With --early the rule is one that \
is judged at each record (count or max above a threshold, without `for`).

Exit code: 0 every page is on the phone with its eight stamps in order, 1 one is not, 2 could not run.";

/// `bongsu selftest latency`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = NOTES)]
pub(crate) struct LatencyArgs {
    /// How many samples, each of which makes a page.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u64).range(1..=5_000))]
    pages: u64,
    /// How many a second.
    #[arg(long, default_value_t = 20.0, value_parser = rate)]
    rate: f64,
    /// A rule that is judged at each record.
    #[arg(long)]
    early: bool,
    /// Keeps the directory with log and store, and says where it is.
    #[arg(long)]
    keep: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.parse().map_err(|_| "is no number".to_owned())?;
    if (0.1..=1_000.0).contains(&rate) { Ok(rate) } else { Err("is not between 0.1 and 1000 a second".to_owned()) }
}

pub(crate) fn run(args: &LatencyArgs) -> anyhow::Result<u8> {
    let dir = std::env::temp_dir().join(format!("bongsu-latency-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let plan = Plan { pages: args.pages, rate: args.rate, early: args.early };
    let progress = std::sync::Mutex::new(Progress::new("sending"));
    let total = usize::try_from(args.pages).unwrap_or(usize::MAX);
    let done = latency::run(&dir, plan, &|n| {
        let mut progress = progress.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        progress.at(usize::try_from(n).unwrap_or(total), total);
    });
    drop(progress);
    let is_wrong = done.as_ref().map_or(true, Report::is_wrong);
    if args.keep || (is_wrong && dir.join("data").exists()) {
        output::note(&format!("kept: {}", dir.display()));
    } else {
        std::fs::remove_dir_all(&dir)?;
    }
    print(&done?, args.format)?;
    Ok(u8::from(is_wrong))
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for example in &report.examples {
        output::note(example);
    }
    if format == Format::Json {
        return output::json(
            &mut out,
            json!({ "type": "summary", "kind": "latency", "samples": report.sent, "refused": report.refused,
                "pages": report.pages, "lost": report.lost, "incomplete": report.incomplete,
                "disordered": report.disordered, "hops": stamped::figures(&report.hops) }),
        );
    }
    let row = |name: &str, cells: [String; 5]| {
        let [pages, p50, p90, p99, max] = cells;
        format!("{name:<20} {pages:>7} {p50:>8} {p90:>8} {p99:>8} {max:>8}")
    };
    output::line(&mut out, &row("ms", ["pages", "p50", "p90", "p99", "max"].map(str::to_owned)))?;
    for it in &report.hops {
        let cells = [it.p50, it.p90, it.p99, it.max].map(|ms| ms.to_string());
        let [p50, p90, p99, max] = cells;
        output::line(&mut out, &row(it.hop.word(), [it.count.to_string(), p50, p90, p99, max]))?;
    }
    output::line(
        &mut out,
        &format!(
            "{} samples ({} refused at the door), {} pages: {} lost, {} without all stamps, {} with stamps out of order",
            report.sent, report.refused, report.pages, report.lost, report.incomplete, report.disordered
        ),
    )
}
