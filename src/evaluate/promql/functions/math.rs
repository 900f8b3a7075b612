//! Functions of one number: rounding, roots, logarithms, trigonometry, clamping.
//!
//! The idea: IEEE arithmetic as it is; NaN and infinity go through.

use crate::evaluate::promql::ast::Kind::{Scalar, Vector};
use crate::evaluate::promql::eval::Got;
use crate::evaluate::promql::functions::{Body, Function, each, row};
use crate::evaluate::promql::number::{larger, smaller};

pub(super) const TABLE: &[Function] = &[
    each("abs", f64::abs),
    each("ceil", f64::ceil),
    each("floor", f64::floor),
    each("exp", f64::exp),
    each("sqrt", f64::sqrt),
    each("ln", f64::ln),
    each("log2", f64::log2),
    each("log10", f64::log10),
    each("sgn", |v| {
        if v > 0.0 {
            1.0
        } else if v < 0.0 {
            -1.0
        } else {
            v
        }
    }),
    each("sin", f64::sin),
    each("cos", f64::cos),
    each("tan", f64::tan),
    each("asin", f64::asin),
    each("acos", f64::acos),
    each("atan", f64::atan),
    each("sinh", f64::sinh),
    each("cosh", f64::cosh),
    each("tanh", f64::tanh),
    each("asinh", f64::asinh),
    each("acosh", f64::acosh),
    each("atanh", f64::atanh),
    each("deg", |v| v * 180.0 / std::f64::consts::PI),
    each("rad", |v| v * std::f64::consts::PI / 180.0),
    row("pi", &[], Scalar, Body::Whole(|_| Ok(Got::Scalar(std::f64::consts::PI)))),
    row("max_of", &[Scalar, Scalar], Scalar, Body::Whole(|a| Ok(Got::Scalar(larger(a.scalar(0), a.scalar(1)))))),
    row("min_of", &[Scalar, Scalar], Scalar, Body::Whole(|a| Ok(Got::Scalar(smaller(a.scalar(0), a.scalar(1)))))),
    Function { least: 1, ..row("round", &[Vector, Scalar], Vector, Body::EachBy(round)) },
    row("clamp", &[Vector, Scalar, Scalar], Vector, Body::EachBy(clamp)),
    row("clamp_min", &[Vector, Scalar], Vector, Body::EachBy(|v, p| p.first().map(|low| larger(*low, v)))),
    row("clamp_max", &[Vector, Scalar], Vector, Body::EachBy(|v, p| p.first().map(|high| smaller(*high, v)))),
];

/// To the nearest multiple of the parameter, halves upwards.
#[expect(clippy::unnecessary_wraps, reason = "the shape of a body")]
fn round(value: f64, params: &[f64]) -> Option<f64> {
    // By the inverse, so that 0.1 gives 2.2 and not 2.2000000000000002.
    let inverse = 1.0 / params.first().copied().unwrap_or(1.0);
    Some((value * inverse + 0.5).floor() / inverse)
}

/// Between two bounds; nothing where they are crossed.
fn clamp(value: f64, params: &[f64]) -> Option<f64> {
    let [low, high] = params else { return None };
    if high < low { None } else { Some(larger(*low, smaller(*high, value))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_rounded_upwards() {
        assert_eq!(round(-0.5, &[]), Some(0.0));
        assert_eq!(round(2.5, &[]), Some(3.0));
        assert_eq!(round(-5.25, &[0.1]), Some(-5.2));
        assert_eq!(round(7.4, &[5.0]), Some(5.0));
    }

    #[test]
    fn crossed_bounds_give_nothing() {
        assert_eq!(clamp(7.0, &[0.0, 5.0]), Some(5.0));
        assert_eq!(clamp(7.0, &[5.0, 0.0]), None);
        assert!(clamp(7.0, &[0.0, f64::NAN]).is_some_and(f64::is_nan));
    }
}
