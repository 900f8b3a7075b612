//! `bongsu replay`: what the rules would have done, on a virtual clock, and what that amounts to.
//!
//! The idea: the input is read and decoded once; each run over it is one [`pass`], whether of the rules themselves, of
//! those they are compared with (`against`), or of a swept value (`sweep`). Files here print; what they print is worked
//! out in `pipeline`.

mod against;
mod chart;
mod figures;
pub(crate) mod input;
mod print;
mod svg;
mod sweep;
mod truth;
mod uncut;

use std::io::Write;
use std::path::PathBuf;

use serde_json::json;

use super::output::{self, Format};
use super::progress::Progress;
use crate::config::Loaded;
use crate::pipeline::backtest::{Backtest, Deed, Happening, Summary};
use crate::pipeline::compare::compare;
use crate::pipeline::feed::{self, Feed};
use crate::pipeline::results::Results;
use crate::time::Ms;

/// Records between two looks at what happened: what happens is kept no longer than that.
const CHUNK: usize = 1_024;

/// What `--help` says at the end.
const NOTES: &str = "\
What is printed, in this order: signals, incidents and pages as they happen; one line per rule and one per person; then \
what --against, --truth and --chart say; what of the input was rejected and why, with the first place of each reason; the
summary last.

  episodes    from firing to resolved, one for each identity
  flaps       episodes that began within 30m of the end of the one before
  to fire     from the first pending tick to firing, median and 95th percentile
  at night    pages from 22:00 to 07:00 KST
  SLA misses  incidents of which nobody was told within notify-within: S1 60s, S2 5m, S3 30m

Changes of --set and --sweep name a key of the rule as its file would have it:

  vm-cpu-high.severity.S2.value=90%
  vm-cpu-high.severity.S1.for=2m
  vm-cpu-high.window.over=10m
  vm-cpu-high.match.env==~prod|stage

Of a rule that is an expression `threshold` is the number that it compares with, threshold.2 the second of several; of the
alerts of a Prometheus file threshold, for and keep_firing_for can be changed:

  disk-full-soon.threshold=0
  HostHighCpuLoad.threshold=0.7
  HostHighCpuLoad.for=15m

Input without `log` (anything but what `bongsu record` wrote) is taken as if each record had arrived at its own time, in \
one partition; the rules about silent sources and wrong clocks do not run on it.

Exit code: 0 done, 1 nothing in the input could be used, 2 could not run.";

/// `bongsu replay`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = NOTES)]
pub(crate) struct ReplayArgs {
    /// Rules: a folder or a file.
    #[arg(long, value_name = "PATH")]
    rules: PathBuf,
    /// Input: NDJSON of records (recorded or not), or CSV with `timestamp,value`.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    input: Vec<PathBuf>,
    /// Contacts, chains, inventory and limits come from this configuration [default: configs/bongsu.yaml where it is
    /// there, else the contacts and chains that ship with the program].
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Signals before this instant are not printed, nor what they cause, and count nowhere.
    #[arg(long, value_name = "TIME", value_parser = input::instant)]
    from: Option<Ms>,
    /// Records after this instant are left out.
    #[arg(long, value_name = "TIME", value_parser = input::instant)]
    to: Option<Ms>,
    /// After the last record the clock moves on to this instant.
    #[arg(long, value_name = "TIME", value_parser = input::instant)]
    until: Option<Ms>,
    /// Metric name for CSV input.
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Labels for CSV input.
    #[arg(long, value_name = "k=v", num_args = 1.., value_parser = input::label)]
    labels: Vec<(String, String)>,
    /// Time stamps without a zone are so far from UTC, in the input and in --truth.
    #[arg(long, value_name = "±HH:MM", default_value = "+09:00", value_parser = input::zone, allow_hyphen_values = true)]
    tz: Ms,
    /// Signals only: no incidents and no pages.
    #[arg(long)]
    no_pages: bool,
    /// What people did, as NDJSON: {"at":ms,"ack":"rule","labels":{},"by":"id"}; also unack, resolve, reopen; an ack
    /// holds for 4h or its "for".
    #[arg(long, value_name = "FILE")]
    acks: Option<PathBuf>,
    /// Only what it amounts to: no line for each signal, incident and page.
    #[arg(long)]
    quiet_signals: bool,
    /// Another rule set, such as the one in force, over the same input: shows which pages --rules adds and removes, and
    /// which incidents (with --no-pages: episodes) it newly misses and newly finds.
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
    /// Changes one value of a rule of --rules before the run; may be given several times.
    #[arg(long, value_name = "RULE.path=value")]
    set: Vec<String>,
    /// Runs one rule alone with that many values from the first to the last, both included, and prints what each comes
    /// to: vm-cpu-high.severity.S2.value=80%..99%/20, or a duration: vm-cpu-high.window.over=1m..20m/20.
    #[arg(long, value_name = "RULE.path=from..to/steps", conflicts_with_all = ["against", "chart", "quiet_signals"])]
    sweep: Option<String>,
    /// Windows in which something was wrong, to score the rules against: CSV with the columns from,to and, where wanted,
    /// rule and labels (an empty field fits all), or JSON of file name to pairs of time stamps, as NAB's
    /// combined_windows.json.
    #[arg(long, value_name = "FILE")]
    truth: Option<PathBuf>,
    /// Draws value, thresholds and states over time into this folder, one SVG for each rule and identity that fired,
    /// those that fired longest first, at most 20.
    #[arg(long, value_name = "DIR")]
    chart: Option<PathBuf>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What every run over the input shares.
struct Stage<'a> {
    args: &'a ReplayArgs,
    feed: &'a Feed,
    deeds: &'a [Deed],
}

pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<u8> {
    let loaded = input::load(args, &args.rules, &args.set)?;
    // What is asked for is judged before a long input is read.
    let windows = truth::read(args)?;
    let other = args.against.as_ref().map(|path| input::load(args, path, &[])).transpose()?;
    let sweep = args.sweep.as_deref().map(|text| sweep::asked(args, text)).transpose()?;
    if let Some(folder) = &args.chart {
        chart::folder(folder)?;
    }
    let deeds = args.acks.as_deref().map(input::read_deeds).transpose()?.unwrap_or_default();
    let mut progress = Progress::new("reading");
    let how = input::reading(args, &loaded);
    let feed = feed::read(&args.input, &how, &mut |done, of| progress.at(done, of))?;
    warn(&feed);
    let stage = Stage { args, feed: &feed, deeds: &deeds };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    progress.turn_to("replaying");
    if let Some(sweep) = &sweep {
        sweep::run(&stage, sweep, windows.as_deref(), &mut progress, &mut out)?;
        out.flush()?;
        return Ok(u8::from(!feed.is_usable()));
    }
    let (results, summary, before) = both(&stage, (&loaded, other.as_ref()), &mut progress, &mut out)?;
    drop(progress);
    if !args.quiet_signals && args.format == Format::Human {
        output::line(&mut out, "")?;
    }
    figures::print(&mut out, &results, &loaded.rules, args.format)?;
    if let Some(before) = &before {
        let what = if args.no_pages { "episode" } else { "incident" };
        against::print(&mut out, &compare(before, &results, !args.no_pages), what, args.format)?;
    }
    if let Some(windows) = &windows {
        truth::print(&mut out, &results, (&loaded.rules, windows), args.format)?;
    }
    if let Some(folder) = &args.chart {
        chart::draw(&stage, &loaded, &results, folder, &mut out)?;
    }
    end(&mut out, summary, &feed, args.format)?;
    out.flush()?;
    Ok(u8::from(!feed.is_usable()))
}

/// Says on standard error that not all of the input, or none of it, can be used.
fn warn(feed: &Feed) {
    let Some((reason, first)) = feed.refusals.rows().into_iter().next() else {
        if !feed.is_usable() {
            output::note("error: the input holds no record");
        }
        return;
    };
    let total = feed.refusals.total();
    if feed.is_usable() {
        output::note(&format!("warning: {total} rejected, most of them {reason}, first at {}", first.first));
    } else {
        output::note(&format!(
            "error: nothing in the input can be used: {total} rejected, most of them {reason}, first at {}: {}\n  help: \
             write one record a line, {{\"v\":1,\"ts\":ms,\"host\":\"…\",\"points\":[[\"metric\",number]]}}; a file with \
             `timestamp,value` needs the name .csv and --metric",
            first.first, first.detail
        ));
    }
}

/// The run of the rules, and beside it on a thread of its own that of the rules they are compared with.
fn both(
    stage: &Stage<'_>,
    (loaded, other): (&Loaded, Option<&Loaded>),
    progress: &mut Progress,
    out: &mut dyn Write,
) -> anyhow::Result<(Results, Summary, Option<Results>)> {
    let args = stage.args;
    let of = stage.feed.records.len();
    std::thread::scope(|scope| {
        let beside = other.map(|other| scope.spawn(|| pass(stage, other, &mut |_, _| Ok(()))));
        let mut show = |done: usize, happened: &[Happening]| {
            progress.at(done, of);
            if args.quiet_signals {
                Ok(())
            } else {
                print::print(out, happened, (args.from, args.format), &loaded.rules)
            }
        };
        let (results, run) = pass(stage, loaded, &mut show)?;
        warn_of_deeds(&run, stage.deeds.len());
        let before = match beside {
            Some(beside) => {
                let done = beside.join().map_err(|_| anyhow::anyhow!("the run of --against stopped by a bug"))?;
                Some(done?.0)
            }
            None => None,
        };
        Ok((results, run.summary(), before))
    })
}

/// Says on standard error that some of what people did met no incident.
fn warn_of_deeds(run: &Backtest, all: usize) {
    let mut fruitless = run.fruitless();
    let Some(first) = fruitless.next() else { return };
    let (count, rule, at) = (1 + fruitless.count(), &first.act.rule, crate::time::rfc3339(first.at));
    output::note(&format!(
        "warning: {count} of {all} in --acks met no incident, first that of `{rule}` at {at}\n  help: look at the rule's \
         id, the labels and the time: an incident must be open by then"
    ));
}

/// One run over the input; `told` hears after every so many records how many were taken and what happened.
fn pass(
    stage: &Stage<'_>,
    loaded: &Loaded,
    told: &mut dyn FnMut(usize, &[Happening]) -> anyhow::Result<()>,
) -> anyhow::Result<(Results, Backtest)> {
    let Stage { args, feed, deeds } = *stage;
    let mut run = input::start(args, loaded, feed, deeds.to_vec())?;
    let mut results = Results::since(args.from);
    let mut taken = 0;
    for records in feed.records.chunks(CHUNK) {
        for record in records.iter().filter(|record| args.to.is_none_or(|to| record.at.append <= to)) {
            Feed::give(record, &mut run);
        }
        taken += records.len();
        let happened = run.drain();
        results.take(&happened);
        told(taken, &happened)?;
    }
    for (partition, until) in input::ends(args, loaded, feed) {
        run.close(partition, until);
    }
    let happened = run.drain();
    results.take(&happened);
    told(taken, &happened)?;
    results.finish(&run, input::span(args, feed));
    Ok((results, run))
}

fn end(out: &mut dyn Write, sum: Summary, feed: &Feed, format: Format) -> anyhow::Result<()> {
    let rejected = feed.refusals.total();
    for (reason, it) in feed.refusals.rows() {
        match format {
            Format::Json => output::json(
                out,
                json!({ "type": "rejected", "reason": reason, "count": it.count, "first": it.first, "detail": it.detail }),
            )?,
            Format::Human => {
                output::line(out, &format!("rejected {} × {reason}, first {}: {}", it.count, it.first, it.detail))?;
            }
        }
    }
    match format {
        Format::Json => output::json(
            out,
            json!({ "type": "summary", "records": sum.records, "samples": sum.samples, "rejected": rejected,
                "signals": sum.signals, "incidents": sum.incidents, "pages": sum.pages }),
        ),
        Format::Human => output::line(
            out,
            &format!(
                "{} records, {} samples, {rejected} rejected: {} signals, {} incidents, {} pages",
                sum.records, sum.samples, sum.signals, sum.incidents, sum.pages
            ),
        ),
    }
}
