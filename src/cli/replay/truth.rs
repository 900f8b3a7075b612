//! `--truth`: how well each rule finds the labelled windows.

use std::io::Write;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use super::ReplayArgs;
use super::figures;
use crate::cli::output::{self, Format};
use crate::cli::table::Columns;
use crate::model::RuleSet;
use crate::pipeline::results::{Results, quantile};
use crate::pipeline::truth::{self, Score, Window};
use crate::time::rfc3339;

/// Windows and episodes that are listed of one rule; the others are counted.
const LISTED: usize = 10;

/// Reads the labelled windows of the arguments.
pub(super) fn read(args: &ReplayArgs) -> anyhow::Result<Option<Vec<Window>>> {
    let Some(path) = &args.truth else { return Ok(None) };
    let text = std::fs::read_to_string(path).with_context(|| format!("read `{}`", path.display()))?;
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let inputs: Vec<String> = args.input.iter().filter_map(|path| name(path)).collect();
    let windows = truth::read(&text, &inputs, args.tz).map_err(|why| anyhow::anyhow!("{}:{why}", path.display()))?;
    anyhow::ensure!(!windows.is_empty(), "`{}` holds no window", path.display());
    Ok(Some(windows))
}

/// Prints the score of every rule of `rules`.
pub(super) fn print(
    out: &mut dyn Write,
    results: &Results,
    (rules, windows): (&RuleSet, &[Window]),
    format: Format,
) -> anyhow::Result<()> {
    let scores: Vec<(&str, Score)> =
        rules.rules.iter().map(|rule| (rule.id.as_ref(), truth::score(results, &rule.id, windows))).collect();
    if format == Format::Json {
        return scores.iter().try_for_each(|(rule, score)| output::json(out, json_of(rule, score)));
    }
    let mut table = Columns::new(
        &["rule", "windows", "found", "missed", "false alarms", "precision", "recall", "first p50", "max"],
        1,
    );
    for (rule, score) in &scores {
        let length = |of: Option<i64>| of.map_or_else(|| "-".to_owned(), figures::short);
        table.row(vec![
            (*rule).to_owned(),
            score.windows.to_string(),
            score.hits.to_string(),
            score.missed.len().to_string(),
            score.false_alarms.len().to_string(),
            share(score.precision()),
            share(score.recall()),
            length(quantile(&score.to_detect, 0.5)),
            length(score.to_detect.last().copied()),
        ]);
    }
    output::line(out, "against the labelled windows:")?;
    figures::lines(out, &table)?;
    for (rule, score) in &scores {
        for window in score.missed.iter().take(LISTED) {
            output::line(out, &format!("missed       {rule}: {} to {}", rfc3339(window.from), rfc3339(window.to)))?;
        }
        for episode in score.false_alarms.iter().take(LISTED) {
            output::line(out, &format!("false alarm  {rule}{}: {}", episode.labels, rfc3339(episode.fired)))?;
        }
    }
    output::line(out, "")
}

/// A share as a percentage.
pub(super) fn share(of: Option<f64>) -> String {
    of.map_or_else(|| "-".to_owned(), |share| format!("{:.0} %", share * 100.0))
}

fn json_of(rule: &str, score: &Score) -> Value {
    let missed: Vec<Value> =
        score.missed.iter().map(|window| json!({ "from": window.from, "to": window.to })).collect();
    let wrong: Vec<Value> = score
        .false_alarms
        .iter()
        .map(|episode| json!({ "labels": episode.labels.to_json(), "from": episode.fired, "to": episode.ended }))
        .collect();
    json!({
        "type": "truth", "rule": rule, "windows": score.windows, "hits": score.hits, "misses": score.missed.len(),
        "episodes": score.episodes, "false_alarms": score.false_alarms.len(), "precision": score.precision(),
        "recall": score.recall(), "to_detect_p50_ms": quantile(&score.to_detect, 0.5),
        "to_detect_max_ms": score.to_detect.last(), "missed": missed, "wrong": wrong,
    })
}
