//! Window functions: a number from the samples of one series in one window.
//!
//! The idea: a value is a function of the window's content, bit for bit. Sums run in time order over chunks that are
//! aligned to absolute time, never as a running difference, so a restore finds the same last bits.

use crate::evaluate::ring::{Point, Span, View};
use crate::model::Function;
use crate::time::Ms;

/// A window's value and the number of samples behind it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Value {
    /// `None` where the function has none.
    pub(super) value: Option<f64>,
    /// Samples in the window (for lines: milliseconds that have one).
    pub(super) samples: usize,
}

/// The value of `function` over one window of one series; `lines` where each sample is a number of log lines.
pub(super) fn value(function: Function, window: View<'_>, span: Span, lines: bool) -> Value {
    let samples = window.len();
    if lines {
        // Not `sum`: that of nothing is −0.
        let count = window.iter().fold(0.0, |count, lines| count + lines.value);
        return Value { value: of_lines(function, count, span), samples };
    }
    let values = || window.iter().map(|point| point.value);
    let value = match function {
        Function::Count => Some(number(samples)),
        Function::Absent => Some(if samples == 0 { 1.0 } else { 0.0 }),
        _ if samples == 0 => None,
        Function::Last => values().next_back(),
        Function::Min => values().reduce(f64::min),
        Function::Max => values().reduce(f64::max),
        Function::Sum => Some(sum(window, span)),
        Function::Avg => Some(sum(window, span) / number(samples)),
        Function::Rate | Function::Increase | Function::Delta => extrapolated(function, window, span),
    };
    Value { value, samples }
}

/// How many samples of one series the function needs for a value.
pub(super) const fn needs(function: Function) -> usize {
    match function {
        Function::Rate | Function::Increase | Function::Delta => 2,
        Function::Count | Function::Absent => 0,
        _ => 1,
    }
}

fn of_lines(function: Function, count: f64, span: Span) -> Option<f64> {
    match function {
        Function::Count | Function::Sum | Function::Increase => Some(count),
        Function::Rate => Some(count / seconds(span.over)),
        Function::Absent => Some(if count > 0.0 { 0.0 } else { 1.0 }),
        _ => None,
    }
}

#[expect(clippy::cast_precision_loss, reason = "windows hold far fewer than 2^52 samples")]
fn number(count: usize) -> f64 {
    count as f64
}

#[expect(clippy::cast_precision_loss, reason = "lengths of time stay far below 2^52 ms")]
fn seconds(length: Ms) -> f64 {
    length as f64 / 1_000.0
}

/// The length of a chunk in ms as a power of two: about a 32nd of the window.
pub(super) fn chunk(over: Ms) -> u32 {
    let part = u64::try_from(over / 32).unwrap_or(0).max(1);
    part.next_power_of_two().trailing_zeros()
}

fn sum(window: View<'_>, span: Span) -> f64 {
    let shift = chunk(span.over);
    let (mut total, mut part, mut of) = (0.0, 0.0, Ms::MIN);
    for Point { time, value } in window.iter() {
        if time >> shift != of {
            total += part;
            part = 0.0;
            of = time >> shift;
        }
        part += value;
    }
    total + part
}

/// `rate`, `increase` and `delta` as Prometheus 3 extrapolates them to the window's edges.
fn extrapolated(function: Function, window: View<'_>, span: Span) -> Option<f64> {
    let mut samples = window.iter();
    let Point { time: first_at, value: first } = samples.next()?;
    let (mut last_at, mut last, mut gaps, mut lost) = (first_at, first, 0_usize, 0.0);
    let counter = function != Function::Delta;
    for Point { time, value } in samples {
        if counter && value < last {
            lost += last;
        }
        (last_at, last, gaps) = (time, value, gaps + 1);
    }
    if gaps == 0 {
        return None;
    }
    let result = last - first + lost;
    let sampled = seconds(last_at - first_at);
    let gap = sampled / number(gaps);
    let limit = gap * 1.1;
    let mut to_start = seconds(first_at - (span.at - span.over));
    if to_start >= limit {
        to_start = gap / 2.0;
    }
    if counter && result > 0.0 && first >= 0.0 {
        // A counter was never below zero: the line is not drawn further back than to where it meets zero.
        to_start = to_start.min(sampled * (first / result));
    }
    let mut to_end = seconds(span.at - last_at);
    if to_end >= limit {
        to_end = gap / 2.0;
    }
    let mut factor = (sampled + to_start + to_end) / sampled;
    if function == Function::Rate {
        factor /= seconds(span.over);
    }
    Some(result * factor)
}
