//! `--sweep`: one rule alone with one value after the other, and what each comes to.
//!
//! The idea: the input is decoded already, so each value costs one run of one rule over it; two or more values run side
//! by side where there are processors. Values are written as in the rule's file and steps between them are even, so what
//! is printed can be put into the file as it stands. A value that the rule could not have says why and stops no other.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::truth::share;
use super::{ReplayArgs, Stage, figures, input, pass};
use crate::cli::output::{self, Format};
use crate::cli::progress::Progress;
use crate::cli::table::Columns;
use crate::model::{ExprGroup, ExprStep, Rule, RuleSet, Watch};
use crate::pipeline::results::{Results, is_night};
use crate::pipeline::truth::{self, Score, Window};
use crate::time::{MINUTE, Ms, parse_duration, show_duration};

/// Values of one sweep at most.
const STEPS_MAX: usize = 1_000;
/// Cells of the longest bar.
const BAR: usize = 30;

/// What is swept.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sweep {
    /// `RULE.path`.
    place: String,
    /// Values as a rule file has them.
    values: Vec<String>,
}

/// What one value comes to.
struct Point {
    value: String,
    results: Results,
    score: Option<Score>,
    /// What is wrong with a rule that has it.
    refused: Option<String>,
}

/// Reads what is to be swept. Errors: no sweep, or a place that no rule has.
pub(super) fn asked(args: &ReplayArgs, text: &str) -> anyhow::Result<Sweep> {
    let sweep = parse(text).map_err(|why| anyhow::anyhow!(why))?;
    if let Some(value) = sweep.values.first() {
        input::refusal(args, &with(args, &sweep.place, value))?;
    }
    Ok(sweep)
}

/// What is changed in the rules where the swept place has this value.
fn with(args: &ReplayArgs, place: &str, value: &str) -> Vec<String> {
    args.set.iter().cloned().chain([format!("{place}={value}")]).collect()
}

/// Runs the sweep and prints its curve.
pub(super) fn run(
    stage: &Stage<'_>,
    sweep: &Sweep,
    windows: Option<&[Window]>,
    progress: &mut Progress,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let points = points(stage, sweep, windows, progress)?;
    if let Some(why) = points.iter().map(|point| point.refused.as_deref()).collect::<Option<Vec<_>>>() {
        let why = why.first().copied().unwrap_or_default();
        anyhow::bail!(
            "none of the values of `{}` can be: {why}\n  help: sweep between values that `check` accepts",
            sweep.place
        );
    }
    let most = points.iter().map(|point| weight(stage, point)).max().unwrap_or(0);
    if stage.args.format == Format::Json {
        return points.iter().try_for_each(|point| output::json(out, json_of(&sweep.place, point)));
    }
    let scored = windows.is_some();
    let mut heading = vec!["value", "pages", "at night", "incidents", "episodes", "firing", "flaps"];
    if scored {
        heading.extend(["precision", "recall"]);
    }
    let mut table = Columns::new(&heading, 1);
    for point in &points {
        table.row(cells(point, scored));
    }
    let what = if stage.args.no_pages { "episodes" } else { "pages" };
    output::line(out, &format!("{} alone, {what} as bars", sweep.place))?;
    // The bar is the last column: its width must not move the numbers.
    for (n, line) in table.lines().iter().enumerate() {
        let weight = n.checked_sub(1).and_then(|n| points.get(n)).map_or(0, |point| weight(stage, point));
        let filled = if most == 0 { 0 } else { (weight * BAR).div_ceil(most) };
        let refused = n.checked_sub(1).and_then(|n| points.get(n)?.refused.as_ref());
        let end = refused.map_or_else(|| "█".repeat(filled), |why| format!("refused: {why}"));
        output::line(out, format!("{line}  {end}").trim_end())?;
    }
    Ok(())
}

fn weight(stage: &Stage<'_>, point: &Point) -> usize {
    if stage.args.no_pages { point.results.episodes.len() } else { point.results.pages.len() }
}

fn cells(point: &Point, scored: bool) -> Vec<String> {
    if point.refused.is_some() {
        let blanks = if scored { 8 } else { 6 };
        return std::iter::once(point.value.clone()).chain((0..blanks).map(|_| "-".to_owned())).collect();
    }
    let results = &point.results;
    let night = results.pages.iter().filter(|page| is_night(page.at)).count();
    let flaps = results.episodes.iter().filter(|episode| episode.flap).count();
    let mut cells = vec![
        point.value.clone(),
        results.pages.len().to_string(),
        night.to_string(),
        results.affairs.len().to_string(),
        results.episodes.len().to_string(),
        figures::short(firing(results)),
        flaps.to_string(),
    ];
    if scored {
        cells.push(share(point.score.as_ref().and_then(Score::precision)));
        cells.push(share(point.score.as_ref().and_then(Score::recall)));
    }
    cells
}

fn firing(results: &Results) -> Ms {
    results.episodes.iter().map(|episode| results.end_of(episode) - episode.fired).sum()
}

#[expect(clippy::cast_precision_loss, reason = "lengths of time stay far below 2^52 ms")]
fn json_of(place: &str, point: &Point) -> serde_json::Value {
    if let Some(why) = &point.refused {
        return json!({ "type": "sweep", "path": place, "value": point.value, "refused": why });
    }
    let results = &point.results;
    let mut line = json!({
        "type": "sweep", "path": place, "value": point.value, "pages": results.pages.len(),
        "night_pages": results.pages.iter().filter(|page| is_night(page.at)).count(),
        "incidents": results.affairs.len(), "episodes": results.episodes.len(),
        "firing_minutes": firing(results) as f64 / MINUTE as f64,
        "flaps": results.episodes.iter().filter(|episode| episode.flap).count(),
    });
    if let Some(score) = &point.score {
        line["hits"] = score.hits.into();
        line["false_alarms"] = score.false_alarms.len().into();
        line["precision"] = json!(score.precision());
        line["recall"] = json!(score.recall());
    }
    line
}

/// Runs every value, as many at once as there are processors.
fn points(
    stage: &Stage<'_>,
    sweep: &Sweep,
    windows: Option<&[Window]>,
    progress: &mut Progress,
) -> anyhow::Result<Vec<Point>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(sweep.values.len());
    let next = AtomicUsize::new(0);
    let of = sweep.values.len();
    let work = |told: &mut dyn FnMut(usize)| -> anyhow::Result<Vec<(usize, Point)>> {
        let mut done = Vec::new();
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(value) = sweep.values.get(n) else { return Ok(done) };
            told(n);
            done.push((n, point(stage, &sweep.place, value, windows)?));
        }
    };
    let mut all = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(|| work(&mut |_| {}))).collect();
        let mut all = work(&mut |n| progress.at(n, of))?;
        for other in others {
            all.extend(other.join().map_err(|_| anyhow::anyhow!("a run of the sweep stopped by a bug"))??);
        }
        anyhow::Ok(all)
    })?;
    all.sort_by_key(|(n, _)| *n);
    Ok(all.into_iter().map(|(_, point)| point).collect())
}

fn point(stage: &Stage<'_>, place: &str, value: &str, windows: Option<&[Window]>) -> anyhow::Result<Point> {
    let args = stage.args;
    let changes = with(args, place, value);
    if let Some(why) = input::refusal(args, &changes)? {
        return Ok(Point { value: value.to_owned(), results: Results::default(), score: None, refused: Some(why) });
    }
    let mut loaded = input::load(args, &args.rules, &changes)?;
    let swept = loaded.rules.rules.iter().filter(|rule| place.starts_with(&format!("{}.", rule.id)));
    let Some(rule) = swept.max_by_key(|rule| rule.id.len()).cloned() else {
        anyhow::bail!("`{place}` begins with the id of no rule that was loaded");
    };
    let id = rule.id.to_string();
    loaded.rules = alone(&loaded.rules, rule);
    let (results, _) = pass(stage, &loaded, &mut |_, _| Ok(()))?;
    let score = windows.map(|windows| truth::score(&results, &id, windows));
    Ok(Point { value: value.to_owned(), results, score, refused: None })
}

/// The rule without the others; an expression with all that is recorded, as it may read that.
fn alone(all: &RuleSet, rule: Arc<Rule>) -> RuleSet {
    let needed = |step: &ExprStep| match step {
        ExprStep::Record { .. } => true,
        ExprStep::Alert { rule: other, .. } => *other == rule.id,
    };
    let cut = |group: &Arc<ExprGroup>| {
        let steps: Vec<ExprStep> = group.steps.iter().filter(|step| needed(step)).cloned().collect();
        (!steps.is_empty()).then(|| Arc::new(ExprGroup { steps, ..ExprGroup::clone(group) }))
    };
    let expression = matches!(rule.watch, Watch::Expr { .. });
    let groups = if expression { all.groups.iter().filter_map(cut).collect() } else { Vec::new() };
    RuleSet { hash: all.hash.clone(), rules: vec![rule], groups }
}

/// Reads `RULE.path=from..to/steps`.
fn parse(text: &str) -> Result<Sweep, String> {
    let wrong = || {
        format!(
            "`{text}` is no sweep; write RULE.path=from..to/steps, such as vm-cpu-high.severity.S2.value=80%..99%/20"
        )
    };
    let (place, range) = text.split_once('=').ok_or_else(wrong)?;
    let (from, rest) = range.split_once("..").ok_or_else(wrong)?;
    let (to, steps) = rest.rsplit_once('/').ok_or_else(wrong)?;
    let steps: usize = steps.parse().map_err(|_| wrong())?;
    if !(2..=STEPS_MAX).contains(&steps) {
        return Err(format!("`{text}`: a sweep has from 2 to {STEPS_MAX} values, not {steps}"));
    }
    let values = values(from, to, steps).ok_or_else(|| {
        format!(
            "`{from}..{to}`: both must be numbers with the same unit (80%..99%, 1GiB..8GiB, 10/s..90/s) or durations"
        )
    })?;
    Ok(Sweep { place: place.to_owned(), values })
}

/// `steps` values from `from` to `to`, evenly spaced.
#[expect(clippy::cast_precision_loss, reason = "lengths of time and counts of steps")]
fn values(from: &str, to: &str, steps: usize) -> Option<Vec<String>> {
    let share = |n: usize| n as f64 / (steps - 1) as f64;
    if let (Some(first), Some(last)) = (parse_duration(from), parse_duration(to))
        && (first, last) != (0, 0)
    {
        #[expect(clippy::cast_possible_truncation, reason = "between two lengths of time")]
        let at = |n: usize| first + ((last - first) as f64 * share(n)).round() as Ms;
        return Some((0..steps).map(|n| show_duration(at(n))).collect());
    }
    let split = |text: &str| {
        let digits = text.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+')).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        Some((number.parse::<f64>().ok()?, unit.to_owned()))
    };
    let ((first, unit), (last, other)) = (split(from)?, split(to)?);
    if unit != other {
        return None;
    }
    let at = |n: usize| output::number((last - first).mul_add(share(n), first));
    // Twelve digits: 0.1 steps must not print as 0.30000000000000004.
    Some((0..steps).map(|n| format!("{}{unit}", at(n))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_even_and_written_as_in_a_file() {
        let sweep = |text: &str| parse(text).map(|sweep| sweep.values.join(" "));
        assert_eq!(sweep("r.severity.S2.value=90%..92%/5").as_deref(), Ok("90% 90.5% 91% 91.5% 92%"));
        assert_eq!(sweep("r.x=0.1..0.3/3").as_deref(), Ok("0.1 0.2 0.3"));
        assert_eq!(sweep("r.x=5m..1m/3").as_deref(), Ok("5m 3m 1m"));
        assert_eq!(sweep("r.x=1GiB..3GiB/2").as_deref(), Ok("1GiB 3GiB"));
        assert_eq!(sweep("r.x=10/s..30/s/3").as_deref(), Ok("10/s 20/s 30/s"));
        assert_eq!(sweep("r.x=0..10/3").as_deref(), Ok("0 5 10"));
        for wrong in ["r.x", "r.x=1..2", "r.x=1/3", "r.x=1..2/1", "r.x=1..2%/3", "r.x=a..b/3", "r.x=1..2/9999"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
