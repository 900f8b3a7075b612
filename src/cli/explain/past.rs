//! The past from recorded input: the rules run over it up to the instant that is asked for.

use std::path::Path;

use serde_json::{Value, json};

use super::ExplainArgs;
use crate::cli::output;
use crate::cli::progress::Progress;
use crate::cli::replay::input::{USUAL, rules_among, run_of};
use crate::config::Loaded;
use crate::model::{Incident, Labels, Page, Sending};
use crate::pipeline::backtest::{Backtest, Happening};
use crate::pipeline::explained::{Affairs, Question, Stands, look, tell};
use crate::pipeline::feed::{self, Feed, Reading};
use crate::pipeline::service;
use crate::time::{Ms, rfc3339};

/// Runs the rules over the input up to the instant that is asked for.
pub(super) fn past(args: &ExplainArgs) -> anyhow::Result<Vec<Value>> {
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
    let (run, pages) = run_until(&loaded, &feed, at, &mut progress)?;
    drop(progress);
    Ok(answer(args, &loaded, &run, pages))
}

/// Runs the rules over `feed` up to `at`; what became of it, and the pages that were decided.
pub(super) fn run_until(
    loaded: &Loaded,
    feed: &Feed,
    at: Ms,
    progress: &mut Progress,
) -> anyhow::Result<(Backtest, Vec<Page>)> {
    let mut run = run_of(loaded, feed, true, Vec::new())?;
    let mut pages = Vec::new();
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
    Ok((run, pages))
}

fn keep_pages(run: &mut Backtest, into: &mut Vec<Page>) {
    let pages = run.drain().into_iter().filter_map(|happening| match happening {
        Happening::Page(_, page) => Some(page),
        _ => None,
    });
    into.extend(pages);
}

fn answer(args: &ExplainArgs, loaded: &Loaded, run: &Backtest, pages: Vec<Page>) -> Vec<Value> {
    let named = args.incident.as_ref().map(|id| run.incidents().get(id));
    let question = match (named, &args.rule) {
        (Some(None), _) => {
            let id = args.incident.as_deref().unwrap_or_default();
            let line = format!("이 입력과 시각까지 장애 {id} 번호가 열리지 않았습니다. 재현의 번호는 001부터 셉니다.");
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
    tell(&question, &looked, &Affairs { incidents, pages, people: Some(&loaded.people), empty: Vec::new() })
}
