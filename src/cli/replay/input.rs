//! What a replay works on: the words of its options, rules and people, the start and the end of a run.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use serde_json::Value;

use super::ReplayArgs;
use crate::config::{self, Loaded};
use crate::evaluate::{Limits, Setup, SkewPolicy};
use crate::model::{Labels, Progress};
use crate::pipeline::backtest::{Act, Backtest, Deed, Verb};
use crate::pipeline::feed::{Feed, Reading};
use crate::pipeline::service;
use crate::time::{Clock, HOUR, KST, Ms, SystemClock, parse_duration, parse_instant};

/// The topic name of a simulated feed.
const SIMULATED: &str = "replay";
/// Where a configuration is looked for that is not named.
pub(crate) const USUAL: &str = "configs/bongsu.yaml";

/// Reads a time of the command line.
pub(crate) fn instant(text: &str) -> Result<Ms, String> {
    parse_instant(text, KST)
        .ok_or_else(|| format!("`{text}` is no time; write 2026-01-31T09:00:00+09:00 or epoch milliseconds"))
}

/// Reads a label of the command line.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is no label; write name=value"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Reads an offset from UTC of the command line.
pub(crate) fn zone(text: &str) -> Result<Ms, String> {
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

/// The rules of `path` with `changes`, with people and inventory of the configuration, or the shipped people where
/// there is none.
pub(super) fn load(args: &ReplayArgs, path: &Path, changes: &[String]) -> anyhow::Result<Loaded> {
    rules_among(path, changes, args.config.as_ref())
}

/// The rules of `path` with `changes`, with people and inventory of `config`, or of where it usually is.
pub(crate) fn rules_among(path: &Path, changes: &[String], config: Option<&PathBuf>) -> anyhow::Result<Loaded> {
    anyhow::ensure!(path.exists(), "rules `{}` are not there", path.display());
    let env = config::environment();
    let ask = config::Ask { env: &env, now: SystemClock.wall(), whole: false };
    let rules = config::load_adjusted(&[path.to_owned()], &ask, changes).map_err(|why| anyhow::anyhow!(why))?;
    crate::cli::run::refuse_broken(&rules)?;
    let usual = PathBuf::from(USUAL);
    let config = config.or_else(|| usual.exists().then_some(&usual));
    let mut base = match config {
        Some(config) => crate::cli::run::load_all(std::slice::from_ref(config), true),
        None => config::shipped(SystemClock.wall()),
    };
    crate::cli::run::refuse_broken(&base)?;
    base.rules = rules.rules;
    Ok(base)
}

/// Why the rules with `changes` could not be in force: what is wrong first; `None` where nothing is.
pub(super) fn refusal(args: &ReplayArgs, changes: &[String]) -> anyhow::Result<Option<String>> {
    let env = config::environment();
    let ask = config::Ask { env: &env, now: SystemClock.wall(), whole: false };
    let rules = config::load_adjusted(std::slice::from_ref(&args.rules), &ask, changes);
    let problems = rules.map_err(|why| anyhow::anyhow!(why))?.problems;
    Ok(problems.into_iter().find(|problem| problem.level == config::Level::Error).map(|problem| problem.message))
}

/// How the input is read.
pub(super) fn reading(args: &ReplayArgs, loaded: &Loaded) -> Reading {
    Reading {
        metric: args.metric.clone(),
        labels: Labels::new(args.labels.clone()),
        offset: args.tz,
        limits: service::decode_limits(&loaded.settings),
    }
}

/// A run that has taken nothing yet.
pub(super) fn start(args: &ReplayArgs, loaded: &Loaded, feed: &Feed, deeds: Vec<Deed>) -> anyhow::Result<Backtest> {
    run_of(loaded, feed, !args.no_pages, deeds)
}

/// A run of the rules of `loaded` over `feed` that has taken nothing yet; `pages`: with incidents and pages.
pub(crate) fn run_of(loaded: &Loaded, feed: &Feed, pages: bool, deeds: Vec<Deed>) -> anyhow::Result<Backtest> {
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
    let world = pages.then(|| service::world(loaded, None));
    let mut run = Backtest::new(Arc::new(setup), service::decode_limits(&loaded.settings), world, deeds);
    for (partition, begin) in partitions {
        let progress = Progress { offset: begin, ..Progress::default() };
        // State rows are the whole stream's: each partition keeps those whose source it meets.
        run.start(partition, Some(&progress), feed.states.clone());
    }
    Ok(run)
}

/// Where each partition's clock goes after the last record: `--until`, or for files the next tick of every rule.
pub(super) fn ends(args: &ReplayArgs, loaded: &Loaded, feed: &Feed) -> Vec<(i32, Ms)> {
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

/// First and last instant of what is replayed.
pub(super) fn span(args: &ReplayArgs, feed: &Feed) -> (Ms, Ms) {
    let counts = |at: &Ms| args.to.is_none_or(|to| *at <= to);
    let times = || feed.records.iter().filter(|record| !record.muted).map(|record| record.at.append).filter(counts);
    let (first, last) = (times().min().unwrap_or(0), times().max().unwrap_or(0));
    (first, args.until.map_or(last, |until| until.max(last)))
}

/// Reads the file of `--acks`.
pub(super) fn read_deeds(path: &Path) -> anyhow::Result<Vec<Deed>> {
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
