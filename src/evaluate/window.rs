//! Window functions: a number from the samples of one series in one window.
//!
//! The idea: a value is a function of the window's content, bit for bit. Sums run in time order over chunks that are
//! aligned to absolute time (the first of them from its end), never as a running difference, so a restore finds the same
//! last bits, and so does who remembers the chunks ([`Memo`]) instead of reading the window.
//! To add a function: a row in the table of `model/function.rs`, and an arm in [`plain`] where one pass over the samples
//! is all it takes, or in [`of_digest`] where its value follows from what [`Digest`] keeps; then its cost does not grow
//! with the window, and it works in panes. `slope`, for example, is one line there.

use crate::evaluate::blocks::{Blocks, WORTH, chunk, fold};
use crate::evaluate::digest::Digest;
use crate::evaluate::order::{self, Order};
use crate::evaluate::panes::Panes;
use crate::evaluate::ring::{Point, Ring, Span, View};
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
    Value { value: plain(function, window, span, samples), samples }
}

fn plain(function: Function, window: View<'_>, span: Span, samples: usize) -> Option<f64> {
    let values = || window.iter().map(|point| point.value);
    match function {
        Function::Count => Some(number(samples)),
        Function::Absent => Some(if samples == 0 { 1.0 } else { 0.0 }),
        _ if samples == 0 => None,
        Function::Last => values().next_back(),
        Function::First => values().next(),
        Function::Min => values().reduce(f64::min).map(unsigned),
        Function::Max => values().reduce(f64::max).map(unsigned),
        Function::Sum => Some(sum(window, span)),
        Function::Avg => Some(sum(window, span) / number(samples)),
        Function::Rate | Function::Increase | Function::Delta => extrapolated(function, window, span),
        Function::Quantile(part) => order::of_sorted(part, window),
        Function::Stddev | Function::Changes | Function::Resets | Function::Slope | Function::Forecast(_) => {
            of_digest(function, &folded(window, span)?, span)
        }
    }
}

/// The value of `function` over a window in panes; `span` begins where the first of them does.
pub(super) fn of_panes(function: Function, panes: &Panes, span: Span, lines: bool) -> Value {
    let digest = panes.digest(span.at);
    let samples = digest.as_ref().map_or(0, |digest| whole(digest.count));
    let value = match digest {
        _ if lines => of_lines(function, digest.map_or(0.0, |digest| digest.sum), span),
        None => match function {
            Function::Count => Some(0.0),
            Function::Absent => Some(1.0),
            _ => None,
        },
        Some(digest) => of_digest(function, &digest, span),
    };
    Value { value, samples }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of samples is whole and above 0")]
fn whole(count: f64) -> usize {
    count as usize
}

/// The value of `function` over what `digest` is of; `None` where a digest does not tell it.
fn of_digest(function: Function, digest: &Digest, span: Span) -> Option<f64> {
    match function {
        Function::Count => Some(digest.count),
        Function::Absent => Some(0.0),
        Function::Last => Some(digest.last.value),
        Function::First => Some(digest.first.value),
        Function::Min => Some(unsigned(digest.min)),
        Function::Max => Some(unsigned(digest.max)),
        Function::Sum => Some(unsigned(digest.sum)),
        Function::Avg => Some(unsigned(digest.sum) / digest.count),
        Function::Rate | Function::Increase | Function::Delta => {
            let lost = if function == Function::Delta { 0.0 } else { digest.lost };
            drawn_out(function, Drawn { first: digest.first, last: digest.last, gaps: digest.count - 1.0, lost }, span)
        }
        Function::Quantile(_) => None,
        Function::Stddev => Some(digest.deviation()),
        Function::Changes => Some(f64::from(digest.changes)),
        Function::Resets => Some(f64::from(digest.resets)),
        Function::Slope => digest.slope(),
        Function::Forecast(ahead) => digest.line_at(span.at + ahead),
    }
}

/// A zero without its sign, which would hang on the order in which equal values were compared.
fn unsigned(value: f64) -> f64 {
    value + 0.0
}

/// What a rule remembers of one series' window between visits, so that the next one costs less.
#[derive(Debug)]
pub(super) struct Memo {
    what: What,
    /// The window's right edge, to which it was brought up.
    at: Ms,
}

#[derive(Debug)]
enum What {
    /// For values that follow from a digest.
    Blocks(Blocks<Digest>),
    /// For quantiles.
    Order(Order),
}

impl Memo {
    /// What helps `function` with a window that holds so many samples; `None` where nothing does.
    pub(super) fn of(function: Function, over: Ms, samples: usize) -> Option<Self> {
        let what = match function {
            _ if samples < WORTH => return None,
            Function::Count | Function::Absent | Function::Last | Function::First => return None,
            Function::Quantile(_) => What::Order(Order::default()),
            _ => What::Blocks(Blocks::new(over)),
        };
        Some(Self { what, at: Ms::MIN })
    }

    /// Whether one look at a whole window costs so little that only who looks at every sample should remember it.
    pub(super) fn is_dear(function: Function) -> bool {
        matches!(
            function,
            Function::Sum
                | Function::Avg
                | Function::Min
                | Function::Max
                | Function::Rate
                | Function::Increase
                | Function::Delta
        )
    }

    /// Brings it up to `span`.
    pub(super) fn refresh(&mut self, ring: &Ring, span: Span) {
        self.at = span.at;
        match &mut self.what {
            What::Blocks(blocks) => blocks.refresh(ring, span.at),
            What::Order(order) => order.refresh(ring, span),
        }
    }

    /// Whether it was brought up to `span`, so that it knows its value.
    pub(super) fn is_of(&self, span: Span) -> bool {
        self.at == span.at
    }

    /// The value of `function`, to which it was brought up; the same that [`value`] finds.
    pub(super) fn value(&self, function: Function, window: View<'_>, span: Span) -> Value {
        let value = match (&self.what, function) {
            (What::Order(order), Function::Quantile(part)) => order.quantile(part),
            (What::Order(_), _) => None,
            (What::Blocks(blocks), _) => blocks.digest().and_then(|digest| of_digest(function, &digest, span)),
        };
        Value { value, samples: window.len() }
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

/// The digest of a window, from nothing.
fn folded(window: View<'_>, span: Span) -> Option<Digest> {
    let shift = chunk(span.over);
    let (head, others) = window.split(shift);
    fold(head.iter(), others.iter(), shift)
}

fn sum(window: View<'_>, span: Span) -> f64 {
    let shift = chunk(span.over);
    let (first, others) = window.split(shift);
    let mut total = first.iter().rev().fold(0.0, |later, point| point.value + later);
    let (mut part, mut of) = (0.0, Ms::MIN);
    for Point { time, value } in others.iter() {
        if time >> shift != of {
            total += part;
            part = 0.0;
            of = time >> shift;
        }
        part += value;
    }
    unsigned(total + part)
}

/// `rate`, `increase` and `delta` as Prometheus 3 extrapolates them to the window's edges.
fn extrapolated(function: Function, window: View<'_>, span: Span) -> Option<f64> {
    let mut samples = window.iter();
    let Point { time: first_at, value: first } = samples.next()?;
    let (mut last_at, mut last, mut gaps, mut fell) = (first_at, first, 0_usize, false);
    for Point { time, value } in samples {
        fell |= value < last;
        (last_at, last, gaps) = (time, value, gaps + 1);
    }
    // In the order in which who remembers chunks adds them up.
    let lost = if fell && function != Function::Delta { folded(window, span)?.lost } else { 0.0 };
    let (first, last) = (Point { time: first_at, value: first }, Point { time: last_at, value: last });
    drawn_out(function, Drawn { first, last, gaps: number(gaps), lost }, span)
}

/// What an extrapolation hangs on.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    first: Point,
    last: Point,
    /// Distances between samples: one less than samples.
    gaps: f64,
    /// What a counter had risen to before each reset.
    lost: f64,
}

/// The difference of the last and the first sample, drawn out to the window's edges.
fn drawn_out(function: Function, of: Drawn, span: Span) -> Option<f64> {
    let Drawn { first: Point { time: first_at, value: first }, last: Point { time: last_at, value: last }, gaps, lost } =
        of;
    if gaps < 1.0 {
        return None;
    }
    let counter = function != Function::Delta;
    let result = last - first + lost;
    let sampled = seconds(last_at - first_at);
    let gap = sampled / gaps;
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
