//! Functions that do not fit what a metric is: counters, gauges, buckets.
//!
//! The idea: a counter's number means nothing and its growth everything, a gauge's the other way round. What a metric is, is
//! taken from the table of known ones, else from the ending of its name, else nothing is said.

use super::facts::{counter, each, known, metric, selector, series_of};
use super::shape::shape;
use super::view::Written;
use crate::config::lint::{Found, Look, Site, check};
use crate::evaluate::promql::{Call, Node, Operator, Selector, What};

const GROWTH: [&str; 4] = ["rate", "increase", "irate", "resets"];
const LEVEL: [&str; 11] = [
    "avg_over_time",
    "min_over_time",
    "max_over_time",
    "sum_over_time",
    "quantile_over_time",
    "stddev_over_time",
    "stdvar_over_time",
    "delta",
    "idelta",
    "deriv",
    "predict_linear",
];
/// Endings of names of things that go up and down.
const GAUGES: [&str; 8] =
    ["_ratio", "_percent", "_celsius", "_info", "_timestamp_seconds", "_created", "_free_bytes", "_available_bytes"];

check!(RATE_OF_GAUGE, "expr-rate-of-gauge", Warning, Look::Expr(rate_of_gauge),
    what: "`rate`, `increase` or `irate` of a metric that goes up and down.",
    why: "Each fall is taken for a restart of a counter and added: the result is a number that never existed.",
    repair: "Take delta or deriv for the change of a gauge, or avg_over_time for its level.");

fn rate_of_gauge(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    let gauge = |selector: &Selector| {
        let named = || metric(selector).is_some_and(|name| GAUGES.iter().any(|end| name.ends_with(end)));
        known(selector).map_or_else(named, |known| !known.counter)
    };
    calls(written, &GROWTH, &mut |call, of| {
        if let Some(selector) = selector(of).filter(|selector| gauge(selector)) {
            let name = metric(selector).unwrap_or("");
            let message = format!("`{name}` goes up and down: each fall would count as a restart");
            found.say(written.at(&call.name), message, "write delta or deriv");
        }
    });
}

fn calls<'w>(written: &'w Written<'_>, names: &[&str], see: &mut impl FnMut(&'w Call, &'w Node)) {
    each(written.expr.root(), &mut |node| {
        if let What::Call(call) = &node.what
            && names.contains(&call.function.name)
            && let Some(of) = series_of(call)
        {
            see(call, of);
        }
    });
}

check!(LEVEL_OF_COUNTER, "expr-level-of-counter", Warning, Look::Expr(level_of_counter),
    what: "A function for levels (deriv, predict_linear, delta, avg_over_time, …) of a counter.",
    why: "A counter starts again at 0 with its process. These functions take that for a fall: after a restart the forecast \
        points to the floor, and the mean is one of nothing.",
    repair: "Take rate or increase; a forecast of a rate needs a subquery: predict_linear(rate(…[5m])[1h:], …).");

fn level_of_counter(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    calls(written, &LEVEL, &mut |call, of| {
        if let Some(selector) = selector(of).filter(|selector| counter(selector)) {
            let name = metric(selector).unwrap_or("");
            let message = format!("`{name}` is a counter, `{}` is for levels", call.function.name);
            found.say(written.at(&call.name), message, "write rate or increase");
        }
    });
}

check!(RAW_COUNTER, "expr-raw-counter", Warning, Look::Expr(raw_counter),
    what: "A counter is compared as if its number meant something by itself.",
    why: "It only grows: the alert fires once, some day after the last restart, and then for ever.",
    repair: "Ask for its growth: rate(…[5m]) a second, or increase(…[5m]).");

fn raw_counter(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    if written.alerts() {
        raw(written, written.expr.root(), found);
    }
}

/// Looks at what becomes the number that is compared; that something is there is another question.
fn raw(written: &Written<'_>, node: &Node, found: &mut Found) {
    match &node.what {
        What::Select(selector) if selector.over.is_none() && counter(selector) => {
            let name = metric(selector).unwrap_or("");
            found.say(written.at(&node.span), format!("`{name}` is a counter: it only grows"), "write increase(…[5m])");
        }
        What::Paren(inner) => raw(written, inner, found),
        What::Aggregate(aggregate)
            if ["sum", "avg", "min", "max", "topk", "bottomk"].contains(&aggregate.with.name) =>
        {
            raw(written, &aggregate.of, found);
        }
        What::Binary(binary) => match binary.op {
            // The difference with what it was is its growth; two counters divided are a share of all time.
            Operator::Subtract | Operator::Divide => {}
            Operator::And | Operator::Unless => raw(written, &binary.left, found),
            _ => [&binary.left, &binary.right].into_iter().for_each(|side| raw(written, side, found)),
        },
        _ => {}
    }
}

check!(RATE_OF_SUM, "expr-rate-of-sum", Warning, Look::Expr(rate_of_sum),
    what: "`rate` or `increase` over a subquery of an aggregation.",
    why: "The sum of counters falls when one of their processes starts again, or one series ends. rate takes that for a reset \
        of the whole and adds all of it: thousands of errors that nobody made.",
    repair: "Sum rates, do not rate sums: sum(rate(x[5m])).");

fn rate_of_sum(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    calls(written, &GROWTH, &mut |call, of| {
        let What::Subquery(subquery) = &of.bare().what else { return };
        if let What::Aggregate(aggregate) = &subquery.of.bare().what {
            let (outer, inner) = (call.function.name, aggregate.with.name);
            let message = format!("`{outer}` of `{inner}`: a restart of one series looks like growth of all");
            found.say(written.at(&call.name), message, format!("write {inner}({outer}(…[5m]))"));
        }
    });
}

check!(QUANTILE_LE, "expr-quantile-le", Warning, Look::Expr(quantile_le),
    what: "`histogram_quantile` of something that has lost its label `le`.",
    why: "Without `le` there are no buckets: the result is empty, and an alert on slow answers never fires.",
    repair: "Keep it: sum by (le) (rate(…_bucket[5m])).");

fn quantile_le(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    calls(written, &["histogram_quantile", "histogram_fraction"], &mut |_, of| {
        if shape(of).lacks("le") {
            let message = "`le` is lost here, and with it the buckets";
            found.say(written.at(&of.span), message, "add le to `by`, or take it out of `without`");
        }
    });
}
