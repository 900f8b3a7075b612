//! Window functions as values: their names, and all that is known of each beside how it is computed.
//!
//! The idea: one row of [`TABLE`] a function, read by the reader of rule files (its name), the schema (its pattern), the
//! engine (how many samples it needs, what bounds its value, how series become one number) and `explain` (its PromQL).
//! To add one: a variant and a row here, and an arm in `evaluate/window.rs` that computes it. Nothing is computed here.

use std::fmt;

use crate::model::Fold;
use crate::time::{Ms, parse_duration, show_duration};

/// Window functions (SEMANTICS §2, §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Function {
    /// Value with the greatest effective time.
    Last,
    /// Mean.
    Avg,
    /// Smallest.
    Min,
    /// Greatest.
    Max,
    /// Sum.
    Sum,
    /// How many samples or lines.
    Count,
    /// Per-second increase of a counter, as Prometheus 3 extrapolates it.
    Rate,
    /// Increase of a counter, extrapolated.
    Increase,
    /// Difference of a gauge, extrapolated.
    Delta,
    /// 1 where there is no sample.
    Absent,
    /// Value with the smallest effective time.
    First,
    /// Population standard deviation.
    Stddev,
    /// How often the value was another than the one before.
    Changes,
    /// How often a counter began anew: the value was smaller than the one before.
    Resets,
    /// Slope of the least-squares line, per second.
    Slope,
    /// The value below which so many millionths of the samples lie, between two of them interpolated.
    Quantile(u32),
    /// The least-squares line's value so long after the tick, ms.
    Forecast(Ms),
}

/// What is known of a function's value before it is computed: what lets samples pass unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// It lies between the smallest and the greatest sample.
    Hull,
    /// It is a counter's increase.
    Rise,
    /// It is a counter's increase per second.
    RisePerSecond,
    /// It is the difference of two samples, extrapolated.
    Difference,
    /// It lies between 0 and half the distance of the smallest and the greatest sample.
    Deviation,
    /// Nothing that would help.
    Free,
}

/// What there is to know of a function.
#[derive(Debug, Clone, Copy)]
pub struct Facts {
    /// Its name in rule files; `NN` and `(T)` stand for its argument.
    pub name: &'static str,
    /// How many samples of one series it needs for a value.
    pub needs: usize,
    /// How the series of one identity become one number; `None` = by the worst.
    pub across: Option<Fold>,
    /// What its value lies within.
    pub bound: Bound,
    /// The value moves from tick to tick while the window's content stays.
    pub moves: bool,
    /// An empty past looks like a fall: a rule that fires below a threshold waits one window after a start.
    pub grows: bool,
    /// Its PromQL; `@` stands for the range selector, `#` for the argument.
    pub promql: &'static str,
}

/// Most functions.
const PLAIN: Facts =
    Facts { name: "", needs: 1, across: None, bound: Bound::Hull, moves: false, grows: false, promql: "" };
/// Counters, and what is extrapolated like them.
const SLOPED: Facts = Facts { needs: 2, across: Some(Fold::Sum), moves: true, ..PLAIN };

/// Every function with an example of each that takes an argument, and what is known of it.
pub const TABLE: [(Function, Facts); 17] = [
    (Function::Last, Facts { name: "last", promql: "last_over_time(@)", ..PLAIN }),
    (Function::Avg, Facts { name: "avg", across: Some(Fold::Avg), promql: "avg_over_time(@)", ..PLAIN }),
    (Function::Min, Facts { name: "min", across: Some(Fold::Min), promql: "min_over_time(@)", ..PLAIN }),
    (Function::Max, Facts { name: "max", across: Some(Fold::Max), promql: "max_over_time(@)", ..PLAIN }),
    (
        Function::Sum,
        Facts { name: "sum", across: Some(Fold::Sum), bound: Bound::Free, promql: "sum_over_time(@)", ..PLAIN },
    ),
    (
        Function::Count,
        Facts {
            name: "count",
            needs: 0,
            across: Some(Fold::Sum),
            bound: Bound::Free,
            grows: true,
            promql: "count_over_time(@)",
            ..PLAIN
        },
    ),
    (Function::Rate, Facts { name: "rate", bound: Bound::RisePerSecond, grows: true, promql: "rate(@)", ..SLOPED }),
    (Function::Increase, Facts { name: "increase", bound: Bound::Rise, grows: true, promql: "increase(@)", ..SLOPED }),
    (Function::Delta, Facts { name: "delta", bound: Bound::Difference, promql: "delta(@)", ..SLOPED }),
    (Function::Absent, Facts { name: "absent", needs: 0, bound: Bound::Free, promql: "absent_over_time(@)", ..PLAIN }),
    (Function::First, Facts { name: "first", promql: "first_over_time(@)", ..PLAIN }),
    (Function::Stddev, Facts { name: "stddev", bound: Bound::Deviation, promql: "stddev_over_time(@)", ..PLAIN }),
    (Function::Changes, Facts { name: "changes", bound: Bound::Free, grows: true, promql: "changes(@)", ..PLAIN }),
    (Function::Resets, Facts { name: "resets", bound: Bound::Free, grows: true, promql: "resets(@)", ..PLAIN }),
    (Function::Slope, Facts { name: "slope", needs: 2, bound: Bound::Free, promql: "deriv(@)", ..PLAIN }),
    (Function::Quantile(950_000), Facts { name: "pNN", promql: "quantile_over_time(#, @)", ..PLAIN }),
    (
        Function::Forecast(3_600_000),
        Facts {
            name: "forecast(T)",
            needs: 2,
            bound: Bound::Free,
            moves: true,
            promql: "predict_linear(@, #)",
            ..PLAIN
        },
    ),
];

impl Function {
    /// What is known of it.
    pub fn facts(self) -> &'static Facts {
        let same = |other: &Self| std::mem::discriminant(other) == std::mem::discriminant(&self);
        TABLE.iter().find(|(other, _)| same(other)).map_or(&PLAIN, |(_, facts)| facts)
    }

    /// Its name in rule files, such as `avg`, `p99.9` or `forecast(4h)`.
    pub fn name(self) -> String {
        self.to_string()
    }

    /// Reads its name.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some((function, _)) = TABLE.iter().find(|(_, facts)| facts.name == text) {
            return match function {
                Self::Quantile(_) | Self::Forecast(_) => None,
                plain => Some(*plain),
            };
        }
        if let Some(ahead) = text.strip_prefix("forecast(").and_then(|rest| rest.strip_suffix(')')) {
            return parse_duration(ahead.trim()).filter(|ahead| *ahead > 0).map(Self::Forecast);
        }
        quantile(text.strip_prefix('p')?).map(Self::Quantile)
    }

    /// What it is over `range`, a range selector, in PromQL.
    pub fn promql(self, range: &str) -> String {
        let argument = match self {
            Self::Quantile(part) => (f64::from(part) / 1e6).to_string(),
            Self::Forecast(ahead) => seconds(ahead).to_string(),
            _ => String::new(),
        };
        self.facts().promql.replace('#', &argument).replace('@', range)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quantile(part) => write!(f, "p{}", f64::from(*part) / 1e4),
            Self::Forecast(ahead) => write!(f, "forecast({})", show_duration(*ahead)),
            plain => f.write_str(plain.facts().name),
        }
    }
}

/// A percentage between 0 and 100 with at most four decimals, as millionths.
fn quantile(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || whole.len() > 2 || part.len() > 4 {
        return None;
    }
    let part: u32 = format!("{part:0<4}").parse().ok()?;
    Some(whole.parse::<u32>().ok()? * 10_000 + part).filter(|part| *part > 0)
}

#[expect(clippy::cast_precision_loss, reason = "lengths of time stay far below 2^52 ms")]
fn seconds(length: Ms) -> f64 {
    length as f64 / 1_000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_what_they_are_of() {
        for (function, _) in TABLE {
            assert_eq!(Function::parse(&function.name()), Some(function), "{function}");
        }
        assert_eq!(Function::parse("p99.9"), Some(Function::Quantile(999_000)));
        assert_eq!(Function::parse("p5"), Some(Function::Quantile(50_000)));
        assert_eq!(Function::parse("forecast(1d12h)"), Some(Function::Forecast(36 * 3_600_000)));
        for wrong in ["p", "p0", "p100", "p9.", "p-5", "p99.99999", "pNN", "forecast(T)", "forecast()", "forecast(0s)"]
        {
            assert_eq!(Function::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn every_function_has_its_own_row_and_its_own_expression() {
        for (n, (function, facts)) in TABLE.iter().enumerate() {
            assert_eq!(function.facts().name, facts.name);
            assert!(
                TABLE.iter().skip(n + 1).all(|(_, other)| other.name != facts.name && other.promql != facts.promql)
            );
        }
        assert_eq!(Function::Quantile(999_000).promql("m[5m]"), "quantile_over_time(0.999, m[5m])");
        assert_eq!(Function::Forecast(14_400_000).promql("m[6h]"), "predict_linear(m[6h], 14400)");
        assert_eq!(Function::Slope.promql("m[6h]"), "deriv(m[6h])");
    }
}
