//! Expressions against recorded traffic: names and labels that never come, ranges that hold too little, sides that never
//! meet.
//!
//! The idea: the series of the recording are what the expression would select; over them it is evaluated with made-up
//! numbers, because which series meet depends on labels alone.

use std::collections::BTreeSet;

use super::facts::{each, metric};
use super::matchers::{place, recorded};
use super::times::{ranges, short};
use super::view::Written;
use crate::config::lint::sample::{Traffic, advice};
use crate::config::lint::{Found, Look, Site, check};
use crate::evaluate::promql::{self, Binary, Expr, Kind, Memory, NAME, Node, Operator, Selector, Value, What};
use crate::model::Labels;
use crate::time::{DAY, Ms, SECOND};

/// A selector that reads what comes, not what is recorded.
fn selectors<'w>(written: &'w Written<'_>, site: &Site<'_>) -> Vec<(&'w Node, &'w Selector, &'w str)> {
    let one = |node: &'w Node| {
        let What::Select(selector) = &node.what else { return None };
        let name = metric(selector).filter(|name| !recorded(site, name) && *name != "ALERTS")?;
        Some((node, selector, name))
    };
    written.nodes().into_iter().filter_map(one).collect()
}

check!(METRIC, "sample-expr-metric", Warning, Look::SampleExpr(metric_missing),
    what: "A metric of the expression never comes in the recording.",
    why: "The result is empty for ever, and that is what healthy looks like.",
    repair: "Take the name that comes, with its unit as Prometheus has it, or see to it that somebody sends it.");

fn metric_missing(written: &Written<'_>, traffic: &Traffic, site: &Site<'_>, found: &mut Found) {
    for (node, _, name) in selectors(written, site) {
        if !traffic.names().contains(name) {
            let at = node.span.start..node.span.start + name.len();
            let at = if written.piece(node).starts_with(name) { at } else { node.span.clone() };
            found.say(written.at(&at), format!("`{name}` never comes"), advice(name, &traffic.names()));
        }
    }
}

check!(LABEL, "sample-expr-label", Warning, Look::SampleExpr(label_missing),
    what: "A matcher asks for a label that none of the metric's series in the recording has.",
    why: "A label that is not there is the empty string: the matcher fits nothing, or everything.",
    repair: "Take the label that comes, with `_` for its dots.");

fn label_missing(written: &Written<'_>, traffic: &Traffic, site: &Site<'_>, found: &mut Found) {
    for (node, selector, name) in selectors(written, site) {
        let words = labels(traffic, name);
        for matcher in selector.matchers.iter().filter(|matcher| matcher.name != NAME && !words.is_empty()) {
            if !words.contains(matcher.name.as_str()) {
                let message = format!("no series has the label `{}`", matcher.name);
                found.say(place(written, node, matcher), message, advice(&matcher.name, &words));
            }
        }
    }
}

fn labels<'t>(traffic: &'t Traffic, name: &str) -> BTreeSet<&'t str> {
    let series = traffic.heard().filter(|(labels, _)| labels.get(NAME) == Some(name));
    series.flat_map(|(labels, _)| labels.iter().map(|(label, _)| label)).filter(|label| *label != NAME).collect()
}

check!(NOTHING, "sample-expr-nothing", Warning, Look::SampleExpr(nothing),
    what: "The metric comes, and none of its series fits the matchers.",
    why: "A value is misspelt, or the thing that the rule is for is no longer there. Either way it watches nothing.",
    repair: "Compare the values in the matchers with those that come.");

fn nothing(written: &Written<'_>, traffic: &Traffic, site: &Site<'_>, found: &mut Found) {
    for (node, selector, name) in selectors(written, site) {
        let words = labels(traffic, name);
        let strange = selector.matchers.iter().any(|m| m.name != NAME && !words.contains(m.name.as_str()));
        let series: Vec<&Labels> =
            traffic.heard().map(|(labels, _)| labels).filter(|labels| labels.get(NAME) == Some(name)).collect();
        let fits = |labels: &&Labels| selector.matchers.iter().all(|matcher| matcher.accepts(labels));
        if strange || series.is_empty() || series.iter().any(fits) {
            continue;
        }
        let alone = selector.matchers.iter().find(|matcher| !series.iter().any(|labels| matcher.accepts(labels)));
        let Some(matcher) = alone.or_else(|| selector.matchers.iter().find(|m| m.name != NAME)) else { continue };
        let values: BTreeSet<&str> = series.iter().filter_map(|labels| labels.get(&matcher.name)).collect();
        let message = format!("{} series come, none fits", series.len());
        found.say(place(written, node, matcher), message, advice(&matcher.value, &values));
    }
}

check!(RANGE, "sample-expr-range", Warning, Look::SampleExpr(range),
    what: "A range that holds too few samples at the pace at which they come in the recording.",
    why: "rate, increase and their like need two samples. One record that comes late leaves one: the series drops out of the \
        result, and a firing alert resolves in the middle of the outage.",
    repair: "Make the range at least four times as long as the distance of samples.");

fn range(written: &Written<'_>, traffic: &Traffic, site: &Site<'_>, found: &mut Found) {
    ranges(written, &mut |node, selector, call| {
        let Some(name) = metric(selector).filter(|name| !recorded(site, name)) else { return };
        let paces =
            traffic.heard().filter(|(labels, _)| labels.get(NAME) == Some(name)).filter_map(|(_, heard)| heard.pace());
        if let (Some(over), Some(every)) = (selector.over, paces.max()) {
            short(written, (node, over, every), call, found);
        }
    });
}

check!(JOIN, "sample-expr-join", Warning, Look::SampleExpr(join),
    what: "Two sides of the expression have series in the recording, and none of them meet, or they do not meet one to one.",
    why: "The result is empty, or an error at every evaluation: the alert never fires.",
    repair: "Write on (…) or ignoring (…), and group_left where one side has several series for one of the other.");

fn join(written: &Written<'_>, traffic: &Traffic, site: &Site<'_>, found: &mut Found) {
    let heard = selectors(written, site).len();
    // What is recorded has labels that nobody knows here.
    if heard == 0 || heard < written.expr.selectors().len() {
        return;
    }
    let scene = Made::of(&written.expr, traffic);
    each(written.expr.root(), &mut |node| {
        let What::Binary(binary) = &node.what else { return };
        let vectors = binary.left.kind() == Kind::Vector && binary.right.kind() == Kind::Vector;
        if !vectors || binary.op.is_set() {
            return;
        }
        let (left, right) = (scene.count(written.piece(&binary.left)), scene.count(written.piece(&binary.right)));
        if !matches!((left, right), (Ok(1..), Ok(1..))) {
            return;
        }
        let message = match scene.count(&met(written, binary)) {
            Ok(0) => "both sides have series, none of them meet".to_owned(),
            Ok(_) => return,
            Err(why) => why,
        };
        found.say(written.at(&binary.at), message, "write on (…), and group_left where one side has several");
    });
}

/// The two sides met, whatever their numbers.
fn met(written: &Written<'_>, binary: &Binary) -> String {
    let op = if binary.op.is_comparison() { Operator::Add } else { binary.op };
    let between = written.expr.text().get(binary.at.end..binary.right.span.start).unwrap_or("");
    let between = between.trim_start().strip_prefix("bool").unwrap_or(between);
    format!("{} {} {between} {}", written.piece(&binary.left), op.text(), written.piece(&binary.right))
}

/// The series of the recording with made-up samples, as close together as the shortest range of an expression needs.
struct Made {
    memory: Memory,
    now: Ms,
}

impl Made {
    fn of(expr: &Expr, traffic: &Traffic) -> Self {
        const NOW: Ms = 10_000 * DAY;
        const POINTS: i32 = 4;
        let leaves = expr.selectors();
        let shortest = leaves.iter().filter_map(|leaf| leaf.over).min().unwrap_or(SECOND);
        let step = (shortest / Ms::from(POINTS)).max(1);
        let mut memory = Memory::default();
        for (labels, _) in traffic.heard() {
            let reads: Vec<_> = leaves.iter().filter(|leaf| leaf.matchers.iter().all(|m| m.accepts(labels))).collect();
            for leaf in reads {
                for n in 0..POINTS {
                    memory.append(labels, NOW - leaf.offset - Ms::from(n) * step, f64::from(POINTS - n));
                }
            }
        }
        Self { memory, now: NOW }
    }

    /// How many series the expression `text` gives. Errors: why it gives none at any time.
    fn count(&self, text: &str) -> Result<usize, String> {
        let expr = promql::parse(text).map_err(|why| why.message)?;
        match promql::instant(&expr, &self.memory, self.now) {
            Ok(Value::Vector(found)) => Ok(found.len()),
            Ok(_) => Ok(1),
            Err(why) => Err(why.message),
        }
    }
}

/// How many instances an expression would have of what comes, were everything bad: its series without their conditions.
pub(in crate::config::lint) fn identities(expr: &Expr, traffic: &Traffic) -> usize {
    let text = expr.text().get(expr.uncut().span.clone()).unwrap_or("");
    Made::of(expr, traffic).count(text).unwrap_or(0)
}
