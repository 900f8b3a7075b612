//! `--chart`: pictures of the rule instances that fired.
//!
//! The idea: which instances are worth a picture is known only after the run, so a second run of their rules alone stops
//! at even distances, and at every beginning and end, and looks the value up as the verdict would.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use serde_json::json;

use super::svg::{self, Picture};
use super::uncut;
use super::{Stage, figures, input};
use crate::cli::output::{self, Format};
use crate::config::Loaded;
use crate::evaluate::{expression, is_local};
use crate::model::{Comparison, Fingerprint, Labels, Rule, RuleSet, Severity, State, Threshold, Watch};
use crate::pipeline::backtest::Backtest;
use crate::pipeline::feed::Feed;
use crate::pipeline::results::Results;
use crate::time::{Ms, SECOND};

/// Pictures at most.
const PICTURES_MAX: usize = 20;
/// Values of one curve, about.
const POINTS: Ms = 1_000;

const PENDING: &str = "#ffe08a";
const UNKNOWN: &str = "#cdd1d5";

/// One instance that fired, and what is collected for its picture.
struct Drawn {
    rule: Arc<Rule>,
    labels: Labels,
    fingerprint: Fingerprint,
    firing: Ms,
    values: Vec<(Ms, Option<f64>)>,
    unknown: Vec<(Ms, bool)>,
}

/// Makes the folder that is drawn into.
pub(super) fn folder(folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("make the folder `{}`", folder.display()))
}

/// Draws the instances that fired longest into `folder` and says which files were written.
pub(super) fn draw(
    stage: &Stage<'_>,
    loaded: &Loaded,
    results: &Results,
    folder: &Path,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let (mut drawn, left_out) = worst(loaded, results);
    sample(stage, loaded, results, &mut drawn)?;
    for (n, drawn) in drawn.iter().enumerate() {
        let id: String = drawn
            .rule
            .id
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' })
            .collect();
        let name = format!("{:02}-{id}-{:08x}.svg", n + 1, drawn.fingerprint.0 >> 96);
        let path = folder.join(name);
        std::fs::write(&path, svg::draw(&picture(drawn, results)))
            .with_context(|| format!("write `{}`", path.display()))?;
        match stage.args.format {
            Format::Json => output::json(
                out,
                json!({ "type": "chart", "rule": drawn.rule.id.as_ref(), "labels": drawn.labels.to_json(),
                    "file": path.display().to_string() }),
            )?,
            Format::Human => output::line(out, &format!("chart {}", path.display()))?,
        }
    }
    if left_out > 0 && stage.args.format == Format::Human {
        output::line(out, &format!("{left_out} more instances fired and were not drawn"))?;
    }
    Ok(())
}

/// The instances that fired longest, and how many more there are.
fn worst(loaded: &Loaded, results: &Results) -> (Vec<Drawn>, usize) {
    let mut firing: BTreeMap<(&str, &Labels), Ms> = BTreeMap::new();
    for episode in &results.episodes {
        *firing.entry((&episode.rule, &episode.labels)).or_default() += results.end_of(episode) - episode.fired;
    }
    let mut drawn: Vec<Drawn> = firing
        .into_iter()
        .filter_map(|((rule, labels), firing)| {
            let rule = Arc::clone(figures::rule(&loaded.rules, rule)?);
            let fingerprint = Fingerprint::of(&rule.id, labels);
            let (values, unknown) = (Vec::new(), Vec::new());
            Some(Drawn { rule, labels: labels.clone(), fingerprint, firing, values, unknown })
        })
        .collect();
    drawn.sort_by_key(|drawn| std::cmp::Reverse(drawn.firing));
    let left_out = drawn.len().saturating_sub(PICTURES_MAX);
    drawn.truncate(PICTURES_MAX);
    (drawn, left_out)
}

/// Runs the rules of `drawn` once more and looks at each instance at the instants that a picture needs.
fn sample(stage: &Stage<'_>, loaded: &Loaded, results: &Results, drawn: &mut [Drawn]) -> anyhow::Result<()> {
    let wanted: BTreeSet<Arc<str>> = drawn.iter().map(|drawn| Arc::clone(&drawn.rule.id)).collect();
    let mut loaded = loaded.clone();
    let rules = loaded.rules.rules.iter().filter(|rule| wanted.contains(&rule.id)).cloned().collect();
    loaded.rules = uncut::with_values(RuleSet { rules, ..loaded.rules });
    let mut run = input::run_of(&loaded, stage.feed, false, Vec::new())?;
    let mut stops = stops(stage, results).into_iter().peekable();
    for record in &stage.feed.records {
        if stage.args.to.is_some_and(|to| record.at.append > to) {
            continue;
        }
        while let Some(at) = stops.next_if(|at| *at < record.at.append) {
            look(&mut run, at, drawn);
        }
        Feed::give(record, &mut run);
    }
    stops.for_each(|at| look(&mut run, at, drawn));
    Ok(())
}

/// The instants to look at: even distances over what counts, and every beginning and end.
fn stops(stage: &Stage<'_>, results: &Results) -> BTreeSet<Ms> {
    let (from, to) = results.span;
    // As long as a partition reads only what fills its windows, its clock must not be moved on.
    let mut firsts: BTreeMap<i32, Ms> = BTreeMap::new();
    for record in stage.feed.records.iter().filter(|record| !record.muted) {
        firsts.entry(record.at.partition).or_insert(record.at.append);
    }
    let from = firsts.into_values().max().unwrap_or(from).max(from);
    let step = ((to - from) / POINTS).max(SECOND) / SECOND * SECOND;
    let even = (0..).map(|n| from + n * step).take_while(|at| *at <= to);
    let edges =
        results.episodes.iter().flat_map(|episode| [Some(episode.occurred), Some(episode.fired), episode.ended]);
    even.chain(edges.flatten().filter(|at| (from..=to).contains(at))).collect()
}

fn look(run: &mut Backtest, at: Ms, drawn: &mut [Drawn]) {
    let partitions: Vec<i32> = run.lanes().owned().collect();
    for partition in &partitions {
        run.close(*partition, at + 1);
    }
    run.drain();
    for drawn in drawn {
        let lanes = run.lanes();
        let seen = if is_local(&drawn.rule) {
            let one = |partition: &i32| {
                let partition = lanes.partition(*partition)?;
                partition.inspect(drawn.fingerprint, partition.last_tick(drawn.rule.interval)?)
            };
            partitions.iter().find_map(one)
        } else {
            let want: Vec<(String, String)> =
                drawn.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let of =
                |id: &str| lanes.wide().inspect_rule(id, &want).into_iter().find(|seen| seen.labels == drawn.labels);
            // An expression has a value of its own only while it is bad.
            let value = of(&uncut::id(&drawn.rule.id)).filter(|seen| seen.state != State::Inactive);
            let own = of(&drawn.rule.id);
            drawn.values.push((at, value.or_else(|| own.clone()).and_then(|seen| seen.value)));
            drawn.unknown.push((at, own.is_some_and(|seen| seen.unknown.is_some())));
            continue;
        };
        drawn.values.push((at, seen.as_ref().and_then(|seen| seen.value)));
        drawn.unknown.push((at, seen.is_some_and(|seen| seen.unknown.is_some())));
    }
}

fn picture(drawn: &Drawn, results: &Results) -> Picture {
    let rule = &drawn.rule;
    let mut lines = Vec::new();
    for level in rule.levels.iter().rev() {
        for (sign, value) in bounds(rule, level.threshold) {
            let text = format!("{} {sign} {}", level.severity.code(), svg::short(value));
            lines.push((text, value, colour(level.severity), false));
        }
    }
    for (_, value) in rule.recover.threshold.into_iter().flat_map(|threshold| ends(rule.when, threshold)) {
        lines.push((format!("회복 {}", svg::short(value)), value, "#58616a", true));
    }
    let mine = |rule: &str, labels: &Labels| *rule == *drawn.rule.id && *labels == drawn.labels;
    let mut bands = Vec::new();
    for episode in results.episodes.iter().filter(|episode| mine(&episode.rule, &episode.labels)) {
        bands.push((episode.occurred, episode.fired, PENDING));
        bands.push((episode.fired, results.end_of(episode), episode.severity.map_or("#8a949e", colour)));
    }
    let pages = results.pages.iter().filter(|page| mine(&page.rule, &page.labels)).map(|page| page.at);
    let severities = rule.levels.iter().map(|level| (word(level.severity), colour(level.severity)));
    Picture {
        title: format!("{} {}", rule.title, identity(&drawn.labels)),
        subtitle: format!("{}: {}", rule.id, expression(rule)),
        values: drawn.values.clone(),
        lines,
        bands,
        unknown: unknown(drawn),
        pages: pages.collect(),
        legend: severities.chain([("대기", PENDING), ("판정 불가", UNKNOWN)]).collect(),
    }
}

/// The numbers that a rule compares with, with the side that is bad.
fn bounds(rule: &Rule, threshold: Threshold) -> Vec<(&'static str, f64)> {
    match &rule.watch {
        Watch::Expr { text } => uncut::bounds(text),
        _ => ends(rule.when, threshold),
    }
}

/// The ends of a threshold with the side that is bad.
fn ends(when: Comparison, threshold: Threshold) -> Vec<(&'static str, f64)> {
    match (when, threshold) {
        (Comparison::Present, _) => Vec::new(),
        (Comparison::Above, Threshold::One(value)) => vec![(">", value)],
        (Comparison::AtLeast, Threshold::One(value)) => vec![("≥", value)],
        (Comparison::Below, Threshold::One(value)) => vec![("<", value)],
        (Comparison::AtMost, Threshold::One(value)) => vec![("≤", value)],
        (_, Threshold::One(value)) => vec![("=", value)],
        (_, Threshold::Range(low, high)) => vec![("<", low), (">", high)],
    }
}

/// Spans in which nothing was known.
fn unknown(drawn: &Drawn) -> Vec<(Ms, Ms, &'static str)> {
    let pairs = drawn.unknown.windows(2).filter(|pair| pair[0].1);
    pairs.map(|pair| (pair[0].0, pair[1].0, UNKNOWN)).collect()
}

fn identity(labels: &Labels) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
}

const fn colour(severity: Severity) -> &'static str {
    match severity {
        Severity::S1 => "#de3412",
        Severity::S2 => "#f08c00",
        Severity::S3 => "#9e6a00",
        Severity::S4 => "#228738",
    }
}

const fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::S1 => "중대 S1",
        Severity::S2 => "보통 S2",
        Severity::S3 => "경미 S3",
        Severity::S4 => "정보 S4",
    }
}
