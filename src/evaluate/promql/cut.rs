//! The numbers that an expression compares with, and what is compared.
//!
//! The idea: people think of an alert as a value and a threshold, and the language has only filters. Where a filter
//! compares with a number it is one of these; they are found from the root down, through `and`, `or`, `unless` and
//! comparisons of comparisons, never inside of a call or an aggregation, where a number means something else.

use std::ops::Range;

use crate::evaluate::promql::ast::{Binary, Expr, Kind, Node, What};
use crate::evaluate::promql::operator::Operator;

/// A comparison with a number that filters.
#[derive(Debug, Clone, Copy)]
pub struct Cut<'n> {
    /// The comparison.
    pub binary: &'n Binary,
    /// What is compared, comparisons inside of it taken off.
    pub base: &'n Node,
    /// How, the number on the right.
    pub op: Operator,
    /// The number.
    pub number: f64,
    /// The bytes of the number.
    pub at: &'n Range<usize>,
}

/// The number that `node` is whatever the samples say.
pub fn constant(node: &Node) -> Option<f64> {
    match &node.what {
        What::Number(number) => Some(*number),
        What::Paren(inner) => constant(inner),
        What::Sign(sign) => constant(&sign.of).map(|number| if sign.minus { -number } else { number }),
        What::Binary(binary) => {
            let (left, right) = (constant(&binary.left)?, constant(&binary.right)?);
            match binary.op {
                Operator::Add => Some(left + right),
                Operator::Subtract => Some(left - right),
                Operator::Multiply => Some(left * right),
                Operator::Divide => Some(left / right),
                Operator::Modulo => Some(left % right),
                Operator::Power => Some(left.powf(right)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// `node` as a comparison that filters by a number.
pub fn cut(node: &Node) -> Option<Cut<'_>> {
    let What::Binary(binary) = &node.bare().what else { return None };
    if !binary.op.is_comparison() || binary.gives_bool {
        return None;
    }
    let (left, right) = (&binary.left, &binary.right);
    let (side, op, number, at) = match (constant(left), constant(right)) {
        (None, Some(number)) => (left, binary.op, number, &right.span),
        (Some(number), None) => (right, binary.op.mirrored(), number, &left.span),
        _ => return None,
    };
    let base = cut(side).map_or_else(|| side.bare(), |inner| inner.base);
    Some(Cut { binary, base, op, number, at })
}

fn cuts(node: &Node) -> Vec<Cut<'_>> {
    let node = node.bare();
    if let Some(outer) = cut(node) {
        let side = if outer.at == &outer.binary.right.span { &outer.binary.left } else { &outer.binary.right };
        return cuts(side).into_iter().chain([outer]).collect();
    }
    match &node.what {
        What::Binary(binary) if binary.op.is_set() => {
            [&binary.left, &binary.right].into_iter().flat_map(cuts).collect()
        }
        _ => Vec::new(),
    }
}

fn uncut(node: &Node) -> &Node {
    if let Some(one) = cut(node) {
        return uncut(one.base);
    }
    match &node.bare().what {
        What::Binary(binary) if matches!(binary.op, Operator::And | Operator::Unless) => uncut(&binary.left),
        What::Binary(binary)
            if binary.op.is_comparison() && !binary.gives_bool && binary.left.kind() == Kind::Vector =>
        {
            uncut(&binary.left)
        }
        _ => node,
    }
}

impl Expr {
    /// The numbers that it compares with, from left to right.
    pub fn cuts(&self) -> Vec<Cut<'_>> {
        let mut found = cuts(self.root());
        found.sort_by_key(|cut| cut.at.start);
        found
    }

    /// What gives the values of its result, the conditions around it taken off.
    pub fn uncut(&self) -> &Node {
        uncut(self.root())
    }

    /// Its text with another number in place of the one at `at`.
    pub fn with_number(&self, at: &Range<usize>, number: f64) -> String {
        let (before, after) = (self.text().get(..at.start).unwrap_or(""), self.text().get(at.end..).unwrap_or(""));
        format!("{before}{number}{after}")
    }
}

#[cfg(test)]
mod tests {
    use crate::evaluate::promql::parse;

    #[test]
    fn numbers_of_comparisons_are_found_from_the_root_down() {
        for (text, numbers, base) in [
            ("up == 0", "== 0", "up"),
            ("0.9 < a", "> 0.9", "a"),
            ("((a) * 100) > (90 + 5)", "> 95", "(a) * 100"),
            ("(a > 5) < 10", "> 5, < 10", "a"),
            ("sum(a > 1) > 2", "> 2", "sum(a > 1)"),
            ("a > -1 and b < 3 unless c == 1", "> -1, < 3, == 1", "a"),
            ("a > b", "", "a"),
            ("a > bool 1", "", "a > bool 1"),
            ("absent(a)", "", "absent(a)"),
            ("a > 1 or b > 2", "> 1, > 2", "a > 1 or b > 2"),
        ] {
            let expr = parse(text).unwrap();
            let found: Vec<String> =
                expr.cuts().iter().map(|cut| format!("{} {}", cut.op.text(), cut.number)).collect();
            assert_eq!(found.join(", "), numbers, "{text}");
            assert_eq!(&text[expr.uncut().span.clone()], base, "{text}");
        }
    }

    #[test]
    fn a_number_is_replaced_where_it_stands() {
        let expr = parse("b or a > (90 + 5) # 90").unwrap();
        let at = expr.cuts()[0].at.clone();
        assert_eq!(expr.with_number(&at, 0.5), "b or a > 0.5 # 90");
        assert_eq!(expr.with_number(&at, -3.0), "b or a > -3 # 90");
        assert_eq!(expr.with_number(&at, 1e12), "b or a > 1000000000000 # 90");
    }
}
