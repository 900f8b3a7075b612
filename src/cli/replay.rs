//! `bongsu replay`: what the rules would have done, on a virtual clock.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};

use super::output::{self, Format};
use crate::config::Loaded;
use crate::evaluate::{Limits, Setup, SkewPolicy};
use crate::model::{Incident, Labels, Page, Progress, Signal};
use crate::pipeline::backtest::{Act, Backtest, Deed, Happening, Verb};
use crate::pipeline::feed::{self, Feed, Reading};
use crate::pipeline::service;
use crate::time::{Clock, HOUR, KST, Ms, SystemClock, parse_duration, parse_instant, rfc3339};

/// The topic name of a simulated feed.
const SIMULATED: &str = "replay";
/// Lines complained about at most; more of the same help nobody.
const COMPLAINTS_SHOWN: usize = 20;

/// `bongsu replay`.
#[derive(Debug, clap::Args)]
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
    /// Signals before this instant are not printed, nor what they cause.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    from: Option<Ms>,
    /// Records after this instant are left out.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    to: Option<Ms>,
    /// After the last record the clock moves on to this instant.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    until: Option<Ms>,
    /// Metric name for CSV input.
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Labels for CSV input.
    #[arg(long, value_name = "k=v", num_args = 1.., value_parser = label)]
    labels: Vec<(String, String)>,
    /// Time stamps without a zone are so far from UTC.
    #[arg(long, value_name = "±HH:MM", default_value = "+09:00", value_parser = zone, allow_hyphen_values = true)]
    tz: Ms,
    /// Signals only: no incidents and no pages.
    #[arg(long)]
    no_pages: bool,
    /// What people did, as NDJSON: {"at":ms,"ack":"rule","labels":{},"by":"id"}.
    #[arg(long, value_name = "FILE")]
    acks: Option<PathBuf>,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn instant(text: &str) -> Result<Ms, String> {
    parse_instant(text, KST)
        .ok_or_else(|| format!("`{text}` is no time; write 2026-01-31T09:00:00+09:00 or epoch milliseconds"))
}

fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is no label; write name=value"))?;
    Ok((name.to_owned(), value.to_owned()))
}

fn zone(text: &str) -> Result<Ms, String> {
    let wrong = || format!("`{text}` is no offset; write +09:00, Z or -05:30");
    if text == "Z" || text == "UTC" {
        return Ok(0);
    }
    let (sign, rest) = match text.split_at_checked(1) {
        Some(("+", rest)) => (1, rest),
        Some(("-", rest)) => (-1, rest),
        _ => return Err(wrong()),
    };
    let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
    let length = parse_duration(&format!("{hours}h{minutes}m")).ok_or_else(wrong)?;
    if length > 14 * HOUR { Err(wrong()) } else { Ok(sign * length) }
}

pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<u8> {
    let loaded = load(args)?;
    let how = Reading { metric: args.metric.clone(), labels: Labels::new(args.labels.clone()), offset: args.tz };
    let feed = feed::read(&args.input, &how)?;
    for complaint in feed.complaints.iter().take(COMPLAINTS_SHOWN) {
        writeln!(std::io::stderr(), "{complaint}")?;
    }
    let mut run = start(args, &loaded, &feed)?;
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for record in feed.records.iter().filter(|record| args.to.is_none_or(|to| record.at.append <= to)) {
        Feed::give(record, &mut run);
        print(&mut out, run.drain(), (args, &loaded))?;
    }
    for (partition, until) in ends(args, &loaded, &feed) {
        run.close(partition, until);
    }
    print(&mut out, run.drain(), (args, &loaded))?;
    let sum = run.summary();
    let rejected = sum.rejected + feed.complaints.len() as u64;
    match args.format {
        Format::Json => output::json(
            &mut out,
            json!({ "type": "summary", "records": sum.records, "samples": sum.samples, "rejected": rejected,
                "signals": sum.signals, "incidents": sum.incidents, "pages": sum.pages }),
        )?,
        Format::Human => output::line(
            &mut out,
            &format!(
                "{} records, {} samples, {rejected} rejected: {} signals, {} incidents, {} pages",
                sum.records, sum.samples, sum.signals, sum.incidents, sum.pages
            ),
        )?,
    }
    out.flush()?;
    Ok(0)
}

/// Where a configuration is looked for that is not named.
const USUAL: &str = "configs/bongsu.yaml";

/// The rules of `--rules`, with people and inventory of the configuration, or the shipped people where there is none.
fn load(args: &ReplayArgs) -> anyhow::Result<Loaded> {
    anyhow::ensure!(args.rules.exists(), "rules `{}` are not there", args.rules.display());
    let rules = super::run::load_all(std::slice::from_ref(&args.rules), false);
    super::run::refuse_broken(&rules)?;
    let usual = PathBuf::from(USUAL);
    let config = args.config.as_ref().or_else(|| usual.exists().then_some(&usual));
    let mut base = match config {
        Some(config) => super::run::load_all(std::slice::from_ref(config), true),
        None => crate::config::shipped(SystemClock.wall()),
    };
    super::run::refuse_broken(&base)?;
    base.rules = rules.rules;
    Ok(base)
}

fn start(args: &ReplayArgs, loaded: &Loaded, feed: &Feed) -> anyhow::Result<Backtest> {
    let partitions = feed.partitions();
    let topic = feed.topic.clone().unwrap_or_else(|| SIMULATED.to_owned());
    let setup = Setup {
        rules: Arc::new(loaded.rules.clone()),
        inventory: Arc::new(loaded.inventory.clone()),
        topic,
        partitions: i32::try_from(partitions.len().max(1))?,
        limits: Limits {
            series: loaded.settings.limits.series,
            series_per_rule: loaded.settings.limits.series_per_rule,
            window_memory: loaded.settings.limits.window_memory,
        },
        skew: SkewPolicy::Shift,
        builtins: feed.topic.is_some(),
        source_silent: Some(crate::model::SOURCE_SILENT.severity),
    };
    let world = (!args.no_pages).then(|| service::world(loaded));
    let deeds = args.acks.as_deref().map(read_deeds).transpose()?.unwrap_or_default();
    let mut run = Backtest::new(Arc::new(setup), service::decode_limits(&loaded.settings), world, deeds);
    for (partition, begin) in partitions {
        let progress = Progress { offset: begin, ..Progress::default() };
        // State rows are the whole stream's: each partition keeps those whose source it meets.
        run.start(partition, Some(&progress), feed.states.clone());
    }
    Ok(run)
}

/// Where each partition's clock goes after the last record: `--until`, or for files the next tick of every rule.
fn ends(args: &ReplayArgs, loaded: &Loaded, feed: &Feed) -> Vec<(i32, Ms)> {
    let longest = loaded.rules.rules.iter().map(|rule| rule.interval).max().unwrap_or(0);
    let mut ends = Vec::new();
    for partition in feed.partitions().into_keys() {
        let last = feed.records.iter().rev().find(|record| record.at.partition == partition).map(|r| r.at.append);
        let until = match (args.until, &feed.topic, last) {
            (Some(until), ..) => Some(until),
            // One more than the tick itself: a tick runs once the clock is past it.
            (None, None, Some(last)) if longest > 0 => Some((last / longest + 1) * longest + 1),
            _ => None,
        };
        ends.extend(until.map(|until| (partition, until)));
    }
    ends
}

fn read_deeds(path: &std::path::Path) -> anyhow::Result<Vec<Deed>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read `{}`", path.display()))?;
    let mut deeds = Vec::new();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let deed = serde_json::from_str(line).ok().and_then(|value: Value| deed(&value));
        deeds.push(deed.with_context(|| {
            format!(
                "{}:{}: no deed; write {{\"at\":ms,\"ack\":\"rule\",\"labels\":{{}},\"by\":\"id\"}}",
                path.display(),
                n + 1
            )
        })?);
    }
    Ok(deeds)
}

fn deed(value: &Value) -> Option<Deed> {
    let hold = value["for"].as_str().map_or(Some(4 * HOUR), parse_duration)?;
    let verbs =
        [("ack", Verb::Ack(hold)), ("unack", Verb::Unack), ("resolve", Verb::Resolve), ("reopen", Verb::Reopen)];
    let (rule, verb) = verbs.into_iter().find_map(|(word, verb)| Some((value[word].as_str()?.to_owned(), verb)))?;
    let labels = match &value["labels"] {
        Value::Null => Labels::default(),
        labels => Labels::from_json(labels)?,
    };
    let labels = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let by = value["by"].as_str().unwrap_or("operator").to_owned();
    Some(Deed { at: value["at"].as_i64()?, act: Act { rule, labels, by, verb } })
}

fn print(out: &mut dyn Write, happened: Vec<Happening>, (args, of): (&ReplayArgs, &Loaded)) -> anyhow::Result<()> {
    let shadow = |happening: &Happening| match happening {
        Happening::Signal(_, signal) => of.rules.is_shadow(&signal.rule),
        Happening::Incident(..) | Happening::Page(..) => false,
    };
    for happening in happened {
        let at = match &happening {
            Happening::Signal(_, signal) => signal.at,
            Happening::Incident(at, _) | Happening::Page(at, _) => *at,
        };
        if args.from.is_some_and(|from| at < from) {
            continue;
        }
        match args.format {
            Format::Json => {
                let mut line = json_of(&happening);
                if shadow(&happening) {
                    line["mode"] = "shadow".into();
                }
                output::json(out, line)?;
            }
            Format::Human if shadow(&happening) => output::line(out, &format!("{} (shadow)", human(&happening)))?,
            Format::Human => output::line(out, &human(&happening))?,
        }
    }
    Ok(())
}

fn json_of(happening: &Happening) -> Value {
    match happening {
        Happening::Signal(_, signal) => signal_json(signal),
        Happening::Incident(at, incident) => incident_json(*at, incident),
        Happening::Page(at, page) => page_json(*at, page),
    }
}

fn signal_json(signal: &Signal) -> Value {
    let mut line = json!({
        "type": "signal", "at": signal.at, "rule": signal.rule.as_ref(), "labels": signal.labels.to_json(),
        "from": signal.from.word(), "to": signal.to.word(),
    });
    if let Some(severity) = signal.severity {
        line["severity"] = severity.code().into();
    }
    if let Some(value) = signal.value {
        line["value"] = value.into();
    }
    if let Some(cause) = signal.unknown {
        line["unknown"] = cause.word().into();
    }
    if let Some(ended) = signal.ended {
        line["reason"] = ended.word().into();
    }
    line
}

fn incident_json(at: Ms, incident: &Incident) -> Value {
    json!({
        "type": "incident", "at": at, "id": incident.id, "rule": incident.rule.as_ref(),
        "labels": incident.labels.to_json(), "state": incident.state.word(), "severity": incident.severity.code(),
    })
}

fn page_json(at: Ms, page: &Page) -> Value {
    json!({
        "type": "page", "at": at, "incident": page.incident, "reason": page.reason.word(), "step": page.step,
        "to": page.to, "channel": page.channel.word(), "text": page.text,
    })
}

fn human(happening: &Happening) -> String {
    match happening {
        Happening::Signal(_, s) => {
            let severity = s.severity.map_or("", |severity| severity.code());
            let value = s.value.map_or_else(String::new, |value| format!(" value {}", output::number(value)));
            let unknown = s.unknown.map_or_else(String::new, |cause| format!(" unknown: {}", cause.word()));
            format!(
                "{} signal   {}{} {} → {} {severity}{value}{unknown}",
                rfc3339(s.at),
                s.rule,
                s.labels,
                s.from.word(),
                s.to.word()
            )
        }
        Happening::Incident(at, i) => {
            format!(
                "{} incident {} {} {} {}{}",
                rfc3339(*at),
                i.id,
                i.state.word(),
                i.severity.code(),
                i.rule,
                i.labels
            )
        }
        Happening::Page(at, p) => {
            format!(
                "{} page     {} {} to {} by {}: {}",
                rfc3339(*at),
                p.incident,
                p.reason.word(),
                p.to,
                p.channel.word(),
                p.text
            )
        }
    }
}
