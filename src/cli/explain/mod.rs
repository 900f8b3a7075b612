//! `bongsu explain`: the values and reasons behind a state or an incident, now or in the past.
//!
//! The idea: now, the running service is asked, as it alone holds the windows. The past, and a service that does not run,
//! are judged again: the rules run over the log of the service (`logged`) or over recorded input (`past`) up to the instant
//! asked for, and the same look gives the same answer. Sentences are made in `pipeline`.

mod logged;
mod past;

use std::path::PathBuf;

use serde_json::{Value, json};

use super::output::{self, Format};
use super::replay::input::{instant, label, zone};
use super::service::{Away, Place};
use crate::model::Labels;
use crate::time::Ms;

/// What `--help` says at the end.
const NOTES: &str = "\
For each instance: the rule as an expression, the value and the samples in its window, each threshold with since when it \
holds or how far the value is from it, the state, what recovery still needs, why nothing is known where nothing is, the \
series behind it, and the incidents and pages that came of it, each page with the eight stamps of its way (수집, 적재, \
판독, 결정, 대기열, 발송, 접수, 도착) and how long each hop took. Where no instance fits: the series that come closest, and \
the condition that keeps them out. Of a rule that is an expression: what each part of it gives, and which samples find no \
partner on the other side.

A running service is asked about now. With --at, or while no service runs, the rules of -c judge again what its log still \
holds, and incidents and pages are those of its store. With --input the past is made again from what `bongsu record` wrote, \
with the contacts and chains of -c where that is there.

Exit code: 0 explained, 1 nothing fits, 2 could not ask.";

/// `bongsu explain`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = NOTES)]
pub(crate) struct ExplainArgs {
    /// The incident's number, for example INC-2611-001. With --input: its number in the replay, which counts from 001.
    #[arg(conflicts_with_all = ["rule", "labels"])]
    incident: Option<String>,
    /// A rule's id, instead of an incident.
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// Labels that the identity must have; left out: every identity of the rule, at most 20.
    #[arg(long, value_name = "k=v", num_args = 1.., value_parser = label)]
    labels: Vec<(String, String)>,
    /// The past: at this instant, as far back as the log reaches [with --input: its end].
    #[arg(long, value_name = "TIME", value_parser = instant)]
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
    anyhow::ensure!(
        args.incident.is_some() || args.rule.is_some(),
        "nothing to explain\n  help: name an incident (bongsu explain INC-2611-001 …, before --input), or a rule (--rule ID --labels host=db-01)"
    );
    let told = match args.at {
        _ if args.rules.is_some() => past::past(args)?,
        Some(at) => logged::logged(args, Some(at))?,
        None => now(args)?,
    };
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

/// Asks the running service; where none runs, its log and store.
fn now(args: &ExplainArgs) -> anyhow::Result<Vec<Value>> {
    let labels: Value = Labels::new(args.labels.clone()).to_json();
    let ask = match &args.incident {
        Some(incident) => json!({ "incident": incident }),
        None => json!({ "rule": args.rule, "labels": labels }),
    };
    let (status, answer) = match args.place.service()?.post("/v1/explain", &ask) {
        Err(Away::NotRunning) => {
            output::note("no service answers: judged again from its log; incidents and pages are those of its store");
            return logged::logged(args, None);
        }
        answer => answer?,
    };
    let why = || answer["error"].as_str().map_or_else(|| answer.to_string(), str::to_owned);
    match (status, &answer["explain"]) {
        (200, Value::Array(told)) => Ok(told.clone()),
        (404, _) => Ok(vec![json!({ "type": "explain", "found": false, "lines": [why()] })]),
        _ => anyhow::bail!("the service answered {status}: {}", why()),
    }
}
