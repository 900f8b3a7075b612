//! `--against`: what the rules would do otherwise than another rule set, over the same input.

use std::io::Write;

use serde_json::{Value, json};

use super::figures::{self, name};
use crate::cli::output::{self, Format};
use crate::cli::table::Columns;
use crate::pipeline::compare::{Difference, Span};
use crate::time::rfc3339;

/// Prints the difference. `what`: what the spans are, `incident` or `episode`.
pub(super) fn print(out: &mut dyn Write, found: &Difference, what: &str, format: Format) -> anyhow::Result<()> {
    let added: usize = found.pages.values().map(|pages| pages.added).sum();
    let removed: usize = found.pages.values().map(|pages| pages.removed).sum();
    if format == Format::Json {
        for ((rule, to), pages) in &found.pages {
            output::json(
                out,
                json!({ "type": "pages_against", "rule": rule.as_ref(), "to": to, "before": pages.before,
                    "after": pages.after, "added": pages.added, "removed": pages.removed }),
            )?;
        }
        for (change, spans) in [("missed", &found.missed), ("found", &found.found)] {
            for span in spans {
                output::json(out, span_json(span, what, change))?;
            }
        }
        return output::json(
            out,
            json!({ "type": "against", "pages_added": added, "pages_removed": removed,
                "newly_missed": found.missed.len(), "newly_found": found.found.len() }),
        );
    }
    output::line(
        out,
        &format!(
            "against the other rules: {added} pages added, {removed} removed; {} {what}s newly missed, {} newly found",
            found.missed.len(),
            found.found.len()
        ),
    )?;
    let mut table = Columns::new(&["rule", "person", "pages before", "after", "added", "removed"], 2);
    for ((rule, to), pages) in found.pages.iter().filter(|(_, pages)| pages.added + pages.removed > 0) {
        let numbers = [pages.before, pages.after, pages.added, pages.removed];
        let cells = [name(rule).to_owned(), to.clone()];
        table.row(cells.into_iter().chain(numbers.map(|n| n.to_string())).collect());
    }
    if !table.is_empty() {
        figures::lines(out, &table)?;
    }
    for (change, spans) in [("newly missed", &found.missed), ("newly found", &found.found)] {
        for span in spans {
            let severity = span.severity.map_or("", |severity| severity.code());
            let until = span.to.map_or_else(|| "the end".to_owned(), rfc3339);
            let id = span.id.as_ref().map_or_else(String::new, |id| format!(" {id}"));
            let line = format!("{change:<12} {}{} {severity}{id}", span.rule, span.labels);
            output::line(out, &format!("{line}, {} to {until}", rfc3339(span.from)))?;
        }
    }
    output::line(out, "")
}

fn span_json(span: &Span, what: &str, change: &str) -> Value {
    json!({
        "type": format!("{what}_against"), "change": change, "rule": span.rule.as_ref(),
        "labels": span.labels.to_json(), "from": span.from, "to": span.to,
        "severity": span.severity.map(crate::model::Severity::code), "id": span.id,
    })
}
