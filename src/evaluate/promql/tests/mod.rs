//! What expressions mean: syntax and types, selection, operators, aggregations, functions.
//!
//! The idea: every expected value is worked out by hand from the rule that the test is named after.

mod functions;
mod operators;
mod selection;
mod syntax;
mod moving;
mod together;

use super::*;
use crate::model::Labels;
use crate::time::SECOND;

/// Series and their values, `gap` seconds apart from 0 on: `m{a="x"} 1 2 _ stale NaN`.
fn memory(gap: Ms, lines: &[&str]) -> Memory {
    let mut memory = Memory::default();
    for line in lines {
        let (name, values) = line.split_once(' ').unwrap_or((line, ""));
        let labels = labels(name);
        for (n, word) in (0..).zip(values.split_whitespace()) {
            match word {
                "_" => {}
                "stale" => memory.append(&labels, n * gap * SECOND, stale()),
                number => memory.append(&labels, n * gap * SECOND, number.parse().unwrap()),
            }
        }
    }
    memory
}

fn labels(series: &str) -> Labels {
    if series == "{}" {
        return Labels::default();
    }
    match &parse(series).unwrap().root().what {
        What::Select(selector) => Labels::new(selector.matchers.iter().map(|m| (m.name.as_str(), m.value.as_str()))),
        _ => panic!("{series} is no series"),
    }
}

/// The result at `at` seconds as text: `3`, or `a=x:1 b=y:2` with labels and values sorted; the name is shown as `name`.
fn show(memory: &Memory, text: &str, at: Ms) -> String {
    let expr = parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
    match instant(&expr, memory, at * SECOND) {
        Ok(Value::Scalar(value)) => number(value),
        Ok(Value::String(text)) => text,
        Ok(Value::Vector(samples)) => {
            samples.iter().map(|s| format!("{}:{}", brief(&s.labels), number(s.value))).collect::<Vec<_>>().join(" ")
        }
        Ok(Value::Matrix(series)) => {
            let points = |series: &Series| {
                series
                    .points
                    .iter()
                    .map(|(t, v)| format!("{}@{}", number(*v), t / SECOND))
                    .collect::<Vec<_>>()
                    .join(",")
            };
            series.iter().map(|s| format!("{}:{}", brief(&s.labels), points(s))).collect::<Vec<_>>().join(" ")
        }
        Err(trouble) => format!("! {}", trouble.message),
    }
}

fn brief(labels: &Labels) -> String {
    let pair = |(name, value): (&str, &str)| format!("{}={value}", name.trim_matches('_'));
    labels.iter().map(pair).collect::<Vec<_>>().join(",")
}

/// Rounded to nine digits behind the point, so that 0.1 + 0.2 is 0.3.
fn number(value: f64) -> String {
    if value.is_finite() { ((value * 1e9).round() / 1e9).to_string() } else { value.to_string() }
}

/// Asserts many at once: (expression, result).
fn all(memory: &Memory, at: Ms, cases: &[(&str, &str)]) {
    for (text, wanted) in cases {
        assert_eq!(show(memory, text, at), *wanted, "{text}");
    }
}
