//! Reads promtool's unit-test files.
//!
//! The idea: the table has refused what has the wrong shape, which forbids the whole file as it does in promtool; what
//! is wrong with one test group's series or expected samples is kept with the group, and the others still run.

use std::path::Path;

use super::notation::{Slip, is_native, metric, number, values};
use super::table::FILE;
use super::{AlertTest, ExprTest, UnitFile, UnitGroup, UnitSeries};
use crate::config::files;
use crate::config::problem::{Level, Mark, Notes};
use crate::config::prometheus::{expression, inside, prune};
use crate::config::read::{Obj, check};
use crate::config::tree::{Node, shorten};
use crate::model::Labels;
use crate::time::{self, MINUTE, Ms};

const NATIVE: &str = "native histogram";

/// Reads the file at `path`, whose text is `source`.
pub(in crate::config) fn unit_file(path: &Path, source: &str, root: &Node, notes: &mut Notes) -> UnitFile {
    let mut root = root.clone();
    prune(&mut root, &[&FILE]);
    let mut own = notes.beside();
    check(&root, &FILE, &mut own);
    let file = Obj::new(&root, &FILE);
    let order = file.texts("group_eval_order");
    if let Some((n, node)) = file.list("group_eval_order").iter().enumerate().find(|(n, node)| {
        let earlier = order.get(..*n).unwrap_or(&[]);
        node.as_text().is_some_and(|text| earlier.iter().any(|known| known == text))
    }) {
        let message = format!("group `{}` stands twice in the order", order.get(n).map_or("", String::as_str));
        own.error("test-shape", node.at, message, "keep one of the two");
    }
    let rule_files = rule_files(path, file, &mut own);
    let interval = file.length("evaluation_interval").filter(|length| *length > 0).unwrap_or(MINUTE);
    let broken = own.clone().into_list().into_iter().filter(|problem| problem.level == Level::Error).collect();
    notes.join(own);
    let reader = Reader { source, interval };
    UnitFile {
        file: path.display().to_string(),
        rule_files,
        interval,
        order,
        fuzzy: file.flag("fuzzy_compare"),
        groups: file.subs("tests").map(|group| reader.group(group, notes)).collect(),
        broken,
    }
}

/// The files that `rule_files` stands for, from the test file's folder on.
fn rule_files(path: &Path, file: Obj<'_>, notes: &mut Notes) -> Vec<std::path::PathBuf> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut found = Vec::new();
    for node in file.list("rule_files") {
        let Some(pattern) = node.as_text() else { continue };
        let matching = files::matching(folder, pattern);
        if matching.is_empty() {
            let help = "it is taken from this file's folder on";
            notes.warning("test-no-file", node.at, format!("no file fits `{}`", shorten(pattern)), help);
        }
        // A file that several patterns name is loaded once.
        found.extend(matching.into_iter().filter(|file| !found.contains(file)).collect::<Vec<_>>());
    }
    found
}

struct Reader<'a> {
    source: &'a str,
    interval: Ms,
}

impl Reader<'_> {
    fn group(&self, group: Obj<'_>, notes: &mut Notes) -> UnitGroup {
        let mut own = notes.beside();
        let mut refused = None;
        let series = group.subs("input_series").filter_map(|item| self.series(item, &mut refused, &mut own)).collect();
        let start = group.get("start_timestamp").map_or(Some(0), |node| self.start(node, &mut own));
        let only_labels = group.flag("ignore_annotations");
        let alerts = group.subs("alert_rule_test").filter_map(|item| self.alert(item, only_labels, &mut own)).collect();
        let mut expressions = notes.beside();
        let exprs = group
            .subs("promql_expr_test")
            .filter_map(|item| self.expr(item, &mut refused, &mut own, &mut expressions))
            .collect();
        let broken = own.clone().into_list();
        notes.join(own);
        notes.join(expressions);
        UnitGroup {
            name: group.owned("name").unwrap_or_default(),
            line: group.place().line,
            interval: group.length("interval").filter(|length| *length > 0).unwrap_or(self.interval),
            series,
            alerts,
            exprs,
            external_labels: group.labels("external_labels"),
            external_url: group.owned("external_url").unwrap_or_default(),
            start: start.unwrap_or(0),
            refused,
            broken,
        }
    }

    /// Notes a slip at its own character of `node`.
    fn note(&self, id: &'static str, node: &Node, slip: Slip, help: &str, notes: &mut Notes) {
        let text = node.as_text().unwrap_or("");
        let byte = text.char_indices().nth(slip.at).map_or(text.len(), |(byte, _)| byte);
        notes.error(id, inside(self.source, node, &(byte..byte + 1)), slip.why, help);
    }

    fn series(
        &self,
        item: Obj<'_>,
        refused: &mut Option<(&'static str, usize)>,
        notes: &mut Notes,
    ) -> Option<UnitSeries> {
        let (series, samples) = (item.get("series")?, item.get("values")?);
        let labels = self.metric(series, notes);
        let text = samples.as_text()?;
        if is_native(text) {
            *refused = refused.or(Some((NATIVE, samples.at.line)));
            return None;
        }
        match values(text) {
            Ok(values) => Some(UnitSeries { labels: labels?, values }),
            Err(slip) => {
                self.note("bad-values", samples, slip, "promtool's notation: 1+2x3 0x5 _ _x3 stale 7", notes);
                None
            }
        }
    }

    fn metric(&self, node: &Node, notes: &mut Notes) -> Option<Labels> {
        match metric(node.as_text()?) {
            Ok(labels) => Some(labels),
            Err(slip) => {
                self.note("bad-series", node, slip, "write name{label=\"value\"}", notes);
                None
            }
        }
    }

    fn start(&self, node: &Node, notes: &mut Notes) -> Option<Ms> {
        let text = node.as_text()?;
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds beyond the calendar saturate")]
        let read = match text.parse::<f64>() {
            Ok(seconds) => Some((seconds * 1_000.0).round() as Ms),
            Err(_) => time::parse_instant(text, 0),
        };
        if read.is_none() {
            let message = format!("`{}` is no instant", shorten(text));
            notes.error("bad-value", node.at, message, "write 2026-01-05T00:00:00Z, or seconds since 1970");
        }
        read
    }

    fn alert(&self, item: Obj<'_>, only_labels: bool, notes: &mut Notes) -> Option<AlertTest> {
        let alert = item.owned("alertname")?;
        if alert.is_empty() {
            notes.error("missing-key", item.at("alertname"), "`alertname` is empty", "name the alert");
            return None;
        }
        let Mark { line, col, .. } = item.place();
        let expected = item.subs("exp_alerts").map(|one| (one.labels("exp_labels"), one.labels("exp_annotations")));
        let only_labels = only_labels || item.flag("ignore_annotations");
        Some(AlertTest { at: item.length("eval_time")?, alert, expected: expected.collect(), only_labels, line, col })
    }

    fn expr(
        &self,
        item: Obj<'_>,
        refused: &mut Option<(&'static str, usize)>,
        notes: &mut Notes,
        expressions: &mut Notes,
    ) -> Option<ExprTest> {
        let node = item.get("expr")?;
        // What is wrong with an expression fails its own test alone, where it is run.
        expression(node, self.source, expressions);
        let mut expected = Vec::new();
        for sample in item.subs("exp_samples") {
            if let Some(histogram) = sample.get("histogram") {
                *refused = refused.or(Some((NATIVE, histogram.at.line)));
                continue;
            }
            let labels = sample.get("labels").map_or(Some(Labels::default()), |node| self.metric(node, notes));
            let value = sample.get("value").map_or(Some(0.0), |node| self.value(node, notes));
            expected.extend(labels.zip(value));
        }
        let Mark { line, col, .. } = node.at;
        Some(ExprTest { at: item.length("eval_time")?, expr: node.as_text()?.to_owned(), expected, line, col })
    }

    fn value(&self, node: &Node, notes: &mut Notes) -> Option<f64> {
        let text = node.as_text()?;
        let read = number(text);
        if read.is_none() {
            let message = format!("`value` needs a number, found `{}`", shorten(text));
            notes.error("bad-value", node.at, message, "write 7, 1e3, NaN, Inf or -Inf");
        }
        read
    }
}
