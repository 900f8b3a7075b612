//! `bongsu explain`: the values and reasons behind a state or an incident, now or in the past.
//!
//! The idea: now, the running service is asked, as it alone holds the windows. The past is made again: the rules run over
//! recorded input up to the instant asked for, and the same look gives the same answer. Sentences are made in `pipeline`.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::output::{self, Format};
use super::progress::Progress;
use super::replay::input::{USUAL, instant, label, rules_among, run_of, zone};
use super::service::Place;
use crate::model::{Incident, Labels, Page, Sending};
use crate::pipeline::backtest::{Backtest, Happening};
use crate::pipeline::explained::{Affairs, Question, Stands, look, tell};
use crate::pipeline::feed::{self, Feed, Reading};
use crate::pipeline::service;
use crate::time::{Ms, rfc3339};

/// What `--help` says at the end.
const NOTES: &str = "\
For each instance: the rule as an expression, the value and the samples in its window, each threshold with since when it \
holds or how far the value is from it, the state, what recovery still needs, why nothing is known where nothing is, the \
series behind it, and the incidents and pages that came of it, each page with the eight stamps of its way (수집, 적재, \
판독, 결정, 대기열, 발송, 접수, 도착) and how long each hop took. Where no instance fits: the series that come closest, and \
the condition that keeps them out.

A running service is asked about now. The past is made again from what `bongsu record` wrote, with the contacts and \
chains of -c where that is there.

Exit code: 0 explained, 1 nothing fits, 2 could not ask.";

/// `bongsu explain`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = NOTES)]
pub(crate) struct ExplainArgs {
    /// The incident's number, for example INC-2611-001. With --input: its number in the replay, which counts from 001.
    #[arg(required_unless_present = "rule", conflicts_with_all = ["rule", "labels"])]
    incident: Option<String>,
    /// A rule's id, instead of an incident.
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Labels that the identity must have; left out: every identity of the rule, at most 20.
    #[arg(long, value_name = "k=v", num_args = 1.., value_parser = label)]
    labels: Vec<(String, String)>,
    /// The past: at this instant [default: the end of --input]. Needs --input.
    #[arg(long, value_name = "TIME", value_parser = instant, requires = "input")]
    at: Option<Ms>,
    /// The past: recorded input (`bongsu record`) or what `replay` takes; needs --rules.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "rules")]
    input: Vec<PathBuf>,
    /// The past: the rules, a folder or a file.
    #[arg(long = "rules", value_name = "PATH", requires = "input")]
    rules: Option<PathBuf>,
    /// Metric name for CSV input.
    #[arg(long, value_name = "NAME")]
    metric: Option<String>,
    /// Labels of CSV input.
    #[arg(long, value_name = "k=v", num_args = 1.., value_parser = label)]
    input_labels: Vec<(String, String)>,
    /// Time stamps of the input without a zone are so far from UTC.
    #[arg(long, value_name = "±HH:MM", default_value = "+09:00", value_parser = zone, allow_hyphen_values = true)]
    tz: Ms,
    #[command(flatten)]
    place: Place,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<u8> {
    let told = if args.rules.is_some() { past(args)? } else { now(args)? };
    let mut out = std::io::stdout().lock();
    for (n, one) in told.iter().enumerate() {
        match args.format {
            Format::Json => output::json(&mut out, one.clone())?,
            Format::Human => {
                if n > 0 {
                    output::line(&mut out, "")?;
                }
                for line in one["lines"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    output::line(&mut out, line)?;
                }
            }
        }
    }
    Ok(u8::from(!told.iter().any(|one| one["found"] == Value::Bool(true))))
}

/// Asks the running service.
fn now(args: &ExplainArgs) -> anyhow::Result<Vec<Value>> {
    let labels: Value = Labels::new(args.labels.clone()).to_json();
    let ask = match &args.incident {
        Some(incident) => json!({ "incident": incident }),
        None => json!({ "rule": args.rule, "labels": labels }),
    };
    let (status, answer) = args.place.service()?.post("/v1/explain", &ask)?;
    let why = || answer["error"].as_str().map_or_else(|| answer.to_string(), str::to_owned);
    match (status, &answer["explain"]) {
        (200, Value::Array(told)) => Ok(told.clone()),
        (404, _) => Ok(vec![json!({ "type": "explain", "found": false, "lines": [why()] })]),
        _ => anyhow::bail!("the service answered {status}: {}", why()),
    }
}

/// Runs the rules over the input up to the instant that is asked for.
fn past(args: &ExplainArgs) -> anyhow::Result<Vec<Value>> {
    let Some(rules) = &args.rules else { return Ok(Vec::new()) };
    // A configuration that was named must be there; where it usually is, it may be.
    let usual = args.place.config == Path::new(USUAL);
    let config = (!usual || args.place.config.exists()).then_some(&args.place.config);
    let loaded = rules_among(rules, &[], config)?;
    let mut progress = Progress::new("reading");
    let how = Reading {
        metric: args.metric.clone(),
        labels: Labels::new(args.input_labels.clone()),
        offset: args.tz,
        limits: service::decode_limits(&loaded.settings),
    };
    let feed = feed::read(&args.input, &how, &mut |done, of| progress.at(done, of))?;
    if let Some((reason, first)) = feed.refusals.rows().into_iter().next() {
        output::note(&format!("warning: {} rejected: {reason}, first at {}", feed.refusals.total(), first.first));
    }
    let times = || feed.records.iter().map(|record| record.at.append);
    let (Some(first), Some(last)) = (times().min(), times().max()) else { anyhow::bail!("the input holds no record") };
    let at = args.at.unwrap_or(last);
    anyhow::ensure!(
        at >= first,
        "{} is before the input begins, at {}\n  help: give input that reaches further back",
        rfc3339(at),
        rfc3339(first)
    );
    progress.turn_to("replaying");
    let mut run = run_of(&loaded, &feed, true, Vec::new())?;
    let mut pages: Vec<Page> = Vec::new();
    for (n, record) in feed.records.iter().enumerate().filter(|(_, record)| record.at.append <= at) {
        Feed::give(record, &mut run);
        progress.at(n, feed.records.len());
        keep_pages(&mut run, &mut pages);
    }
    for partition in run.lanes().owned().collect::<Vec<_>>() {
        // A tick runs once the clock is past it.
        run.close(partition, at + 1);
    }
    keep_pages(&mut run, &mut pages);
    drop(progress);
    Ok(answer(args, &loaded, &run, pages))
}

fn keep_pages(run: &mut Backtest, into: &mut Vec<Page>) {
    let pages = run.drain().into_iter().filter_map(|happening| match happening {
        Happening::Page(_, page) => Some(page),
        _ => None,
    });
    into.extend(pages);
}

fn answer(args: &ExplainArgs, loaded: &crate::config::Loaded, run: &Backtest, pages: Vec<Page>) -> Vec<Value> {
    let named = args.incident.as_ref().map(|id| run.incidents().get(id));
    let question = match (named, &args.rule) {
        (Some(None), _) => {
            let id = args.incident.as_deref().unwrap_or_default();
            let line = format!("이 입력과 시각까지 사건 {id}이(가) 열리지 않았습니다. 재현의 번호는 001부터 셉니다.");
            return vec![json!({ "type": "explain", "found": false, "incident": id, "lines": [line] })];
        }
        (Some(Some(incident)), _) => Question {
            rule: incident.rule.to_string(),
            labels: incident.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        },
        (None, rule) => Question { rule: rule.clone().unwrap_or_default(), labels: args.labels.clone() },
    };
    let looked = look(run.lanes(), &loaded.rules, &question);
    let fits = |incident: &&Incident| match &args.incident {
        Some(id) => incident.id == *id,
        None => *incident.rule == *question.rule,
    };
    let incidents: Vec<&Incident> = run.incidents().values().filter(fits).collect();
    let pages =
        pages.into_iter().map(|page| Stands { page, state: None, detail: String::new(), sending: Sending::default() });
    let pages = pages.collect();
    tell(&question, &looked, &Affairs { incidents, pages, people: Some(&loaded.people) })
}
