//! Binary operators: one table with their spelling, how tightly they bind, and what they compute.
//!
//! The idea: an operator is a row. To add one, add it to [`Operator`] and to [`TABLE`] here (a word also becomes a
//! keyword by that), and nothing else changes: the parser reads precedence from the row and the evaluation calls it.

/// A binary operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it; `TABLE` shows their spelling")]
pub enum Operator {
    Or,
    And,
    Unless,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Atan2,
    Power,
}

/// What an operator does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Does {
    /// Sets: `and`, `or`, `unless`.
    Set,
    /// Compares: a filter, or 0 and 1 with `bool`.
    Compare(fn(f64, f64) -> bool),
    /// Computes; the result has no metric name.
    Compute(fn(f64, f64) -> f64),
}

/// One operator.
pub(super) struct Row {
    pub(super) op: Operator,
    pub(super) text: &'static str,
    /// Higher binds tighter.
    pub(super) binds: u8,
    pub(super) does: Does,
}

const fn row(op: Operator, text: &'static str, binds: u8, does: Does) -> Row {
    Row { op, text, binds, does }
}

/// How tightly a sign in front binds: as a product, so `-2^2` is −4.
pub(super) const SIGN_BINDS: u8 = 5;

/// Every operator, in the order of [`Operator`].
pub(super) const TABLE: &[Row] = &[
    row(Operator::Or, "or", 1, Does::Set),
    row(Operator::And, "and", 2, Does::Set),
    row(Operator::Unless, "unless", 2, Does::Set),
    row(Operator::Equal, "==", 3, Does::Compare(|a, b| a == b)),
    row(Operator::NotEqual, "!=", 3, Does::Compare(|a, b| a != b)),
    row(Operator::Less, "<", 3, Does::Compare(|a, b| a < b)),
    row(Operator::LessEqual, "<=", 3, Does::Compare(|a, b| a <= b)),
    row(Operator::Greater, ">", 3, Does::Compare(|a, b| a > b)),
    row(Operator::GreaterEqual, ">=", 3, Does::Compare(|a, b| a >= b)),
    row(Operator::Add, "+", 4, Does::Compute(|a, b| a + b)),
    row(Operator::Subtract, "-", 4, Does::Compute(|a, b| a - b)),
    row(Operator::Multiply, "*", 5, Does::Compute(|a, b| a * b)),
    row(Operator::Divide, "/", 5, Does::Compute(|a, b| a / b)),
    row(Operator::Modulo, "%", 5, Does::Compute(|a, b| a % b)),
    row(Operator::Atan2, "atan2", 5, Does::Compute(f64::atan2)),
    row(Operator::Power, "^", 6, Does::Compute(f64::powf)),
];

impl Operator {
    pub(super) fn row(self) -> &'static Row {
        &TABLE[self as usize]
    }

    /// As it is written.
    pub fn text(self) -> &'static str {
        self.row().text
    }

    /// `and`, `or`, `unless`.
    pub fn is_set(self) -> bool {
        matches!(self.row().does, Does::Set)
    }

    /// `==` and its like.
    pub fn is_comparison(self) -> bool {
        matches!(self.row().does, Does::Compare(_))
    }

    /// The comparison with its sides exchanged; any other as it is.
    pub(super) fn mirrored(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessEqual => Self::GreaterEqual,
            Self::Greater => Self::Less,
            Self::GreaterEqual => Self::LessEqual,
            other => other,
        }
    }

    /// `a ^ b ^ c` is `a ^ (b ^ c)`; all others go from left to right.
    pub(super) fn is_right(self) -> bool {
        self == Self::Power
    }

    /// The operator that is written `text`, in small letters.
    pub(super) fn of(text: &str) -> Option<Self> {
        TABLE.iter().find(|row| row.text == text).map(|row| row.op)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_stands_at_its_operator() {
        for (n, row) in TABLE.iter().enumerate() {
            assert_eq!(row.op as usize, n, "{}", row.text);
            assert_eq!(Operator::of(row.text), Some(row.op));
        }
    }

    #[test]
    fn arithmetic_is_ieee() {
        let compute = |op: Operator, a, b| match op.row().does {
            Does::Compute(f) => f(a, b),
            _ => unreachable!("only arithmetic is asked here"),
        };
        assert_eq!(compute(Operator::Divide, 1.0, 0.0), f64::INFINITY);
        assert!(compute(Operator::Divide, 0.0, 0.0).is_nan() && compute(Operator::Modulo, 1.0, 0.0).is_nan());
        assert_eq!(compute(Operator::Modulo, -5.0, 3.0), -2.0, "the sign of the left side");
        assert_eq!(compute(Operator::Power, 2.0, -1.0), 0.5);
        assert!((compute(Operator::Atan2, 10.0, 20.0) - 0.463_647_609_000_806_1).abs() < 1e-15);
    }
}
