//! What a replay amounts to: one row per rule and one per person, for people and for programs.

use std::io::Write;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::cli::output::{self, Format};
use crate::cli::table::Columns;
use crate::model::{Rule, RuleSet};
use crate::pipeline::results::{PersonFigures, Results, RuleFigures, quantile};
use crate::time::{MINUTE, Ms, SECOND, show_duration};

/// What pages of several incidents are listed under.
pub(super) const DIGEST: &str = "(digest)";

/// Prints the figures of every rule of `rules` and of everybody who was told something.
pub(super) fn print(out: &mut dyn Write, results: &Results, rules: &RuleSet, format: Format) -> anyhow::Result<()> {
    let mut by_rule = results.by_rule();
    for rule in &rules.rules {
        by_rule.entry(Arc::clone(&rule.id)).or_default();
    }
    let by_person = results.by_person();
    if format == Format::Json {
        for (rule, figures) in &by_rule {
            output::json(out, rule_json(rule, figures, results))?;
        }
        for (to, figures) in &by_person {
            output::json(out, person_json(to, figures, results))?;
        }
        return Ok(());
    }
    let mut table = Columns::new(
        &["rule", "episodes", "incidents", "firing", "flaps", "to fire p50", "p95", "pages", "at night", "SLA misses"],
        1,
    );
    let mut quiet = 0;
    for (rule, figures) in &by_rule {
        if *figures == RuleFigures::default() { quiet += 1 } else { table.row(rule_cells(rule, figures)) }
    }
    if !table.is_empty() {
        lines(out, &table)?;
    }
    if quiet > 0 {
        output::line(out, &format!("{quiet} {} never fired", if quiet == 1 { "rule" } else { "rules" }))?;
    }
    let mut table = Columns::new(&["person", "pages", "a week", "at night", "nights woken"], 1);
    for (to, figures) in &by_person {
        table.row(vec![
            to.clone(),
            figures.pages.to_string(),
            results.per_week(figures.pages).map_or_else(|| "-".to_owned(), |pages| format!("{pages:.1}")),
            figures.night.to_string(),
            figures.nights.to_string(),
        ]);
    }
    if !table.is_empty() {
        output::line(out, "")?;
        lines(out, &table)?;
    }
    output::line(out, "")
}

/// Prints a table.
pub(super) fn lines(out: &mut dyn Write, table: &Columns) -> anyhow::Result<()> {
    table.lines().iter().try_for_each(|line| output::line(out, line))
}

/// The name under which a rule is listed.
pub(super) fn name(rule: &str) -> &str {
    if rule.is_empty() { DIGEST } else { rule }
}

/// The title of a rule, where the set has it.
pub(super) fn rule<'a>(rules: &'a RuleSet, id: &str) -> Option<&'a Arc<Rule>> {
    rules.rules.iter().find(|rule| *rule.id == *id)
}

fn rule_cells(rule: &str, figures: &RuleFigures) -> Vec<String> {
    let quantile = |share| quantile(&figures.to_fire, share).map_or_else(|| "-".to_owned(), short);
    vec![
        name(rule).to_owned(),
        figures.episodes.to_string(),
        figures.incidents.to_string(),
        short(figures.firing),
        figures.flaps.to_string(),
        quantile(0.5),
        quantile(0.95),
        figures.pages.to_string(),
        figures.night.to_string(),
        figures.misses.to_string(),
    ]
}

/// A length without what is below a second.
pub(super) fn short(length: Ms) -> String {
    show_duration(if length >= MINUTE { length / SECOND * SECOND } else { length })
}

#[expect(clippy::cast_precision_loss, reason = "lengths of time stay far below 2^52 ms")]
fn rule_json(rule: &str, figures: &RuleFigures, results: &Results) -> Value {
    json!({
        "type": "rule", "rule": rule, "episodes": figures.episodes, "incidents": figures.incidents,
        "firing_minutes": figures.firing as f64 / MINUTE as f64, "flaps": figures.flaps,
        "to_fire_p50_ms": quantile(&figures.to_fire, 0.5), "to_fire_p95_ms": quantile(&figures.to_fire, 0.95),
        "pages": figures.pages, "pages_per_week": results.per_week(figures.pages), "night_pages": figures.night,
        "sla_misses": figures.misses,
    })
}

fn person_json(to: &str, figures: &PersonFigures, results: &Results) -> Value {
    let by_rule: serde_json::Map<String, Value> =
        figures.by_rule.iter().map(|(rule, pages)| (rule.to_string(), (*pages).into())).collect();
    json!({
        "type": "person", "to": to, "pages": figures.pages, "pages_per_week": results.per_week(figures.pages),
        "night_pages": figures.night, "nights_woken": figures.nights, "pages_by_rule": by_rule,
    })
}
