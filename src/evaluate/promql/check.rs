//! Types: which values an operator, a function and an aggregation take.
//!
//! The idea: each rule of Prometheus's type check stands here once and is asked when its node is built, so a mistake is
//! told at the smallest node that has it, with what to write instead.

use std::ops::Range;

use crate::evaluate::promql::Problem;
use crate::evaluate::promql::aggregate::Aggregator;
use crate::evaluate::promql::ast::{Binary, Kind, Many, Matching, Node, What};
use crate::evaluate::promql::functions::Function;
use crate::evaluate::promql::lexer::wrong;
use crate::evaluate::promql::operator::Operator;

/// The two sides of a binary operation; `matched` = a matching is written.
pub(super) fn binary(binary: &Binary, matched: bool) -> Result<(), Problem> {
    let op = binary.op;
    for side in [&binary.left, &binary.right] {
        if !matches!(side.kind(), Kind::Scalar | Kind::Vector) {
            let message = format!("`{}` does not take a {}", op.text(), side.kind());
            return Err(wrong(side.span.clone(), message, range_help(side.kind())));
        }
    }
    let scalars = [&binary.left, &binary.right].into_iter().filter(|side| side.kind() == Kind::Scalar).count();
    if scalars == 0 {
        return Ok(());
    }
    if op.is_set() {
        let message = format!("`{}` is for two instant vectors", op.text());
        return Err(wrong(binary.at.clone(), message, "a number becomes a vector with vector(…)"));
    }
    if matched {
        let help = "leave `on` and `ignoring` out where one side is a number";
        return Err(wrong(binary.at.clone(), "matching is for two instant vectors", help));
    }
    if scalars == 2 && op.is_comparison() && !binary.gives_bool {
        let help = format!("write `{} bool`", op.text());
        return Err(wrong(binary.at.clone(), "two numbers can only be compared with `bool`", help));
    }
    Ok(())
}

/// `group_left` and `group_right` at `at`.
pub(super) fn include(op: Operator, matching: &Matching, at: &Range<usize>) -> Result<(), Problem> {
    if op.is_set() && matching.many != Many::Neither {
        let message = format!("`{}` knows no grouping", op.text());
        return Err(wrong(at.clone(), message, "leave `group_left` or `group_right` out"));
    }
    let both = matching.include.iter().find(|label| matching.on && matching.labels.contains(label));
    match both {
        Some(label) => {
            let message = format!("label `{label}` stands in `on` and in the grouping");
            Err(wrong(at.clone(), message, "keep it in one of them"))
        }
        None => Ok(()),
    }
}

/// A sign before `of`.
pub(super) fn sign(of: &Node, span: &Range<usize>) -> Result<(), Problem> {
    match of.kind() {
        Kind::Scalar | Kind::Vector => Ok(()),
        kind => Err(wrong(span.clone(), format!("a sign before a {kind}"), range_help(kind))),
    }
}

/// The arguments of a call.
pub(super) fn call(function: &Function, args: &[Node], span: &Range<usize>) -> Result<(), Problem> {
    let most = function.takes.len();
    if args.len() < function.least || (args.len() > most && !function.repeats) {
        let wanted = match (function.least, function.repeats) {
            (least, true) => format!("at least {least}"),
            (least, false) if least == most => format!("{least}"),
            (least, false) => format!("{least} to {most}"),
        };
        let message = format!("`{}` takes {wanted} argument(s), here are {}", function.name, args.len());
        return Err(wrong(span.clone(), message, function.usage()));
    }
    for (n, arg) in args.iter().enumerate() {
        let Some(wanted) = function.takes.get(n).or(function.takes.last()) else { break };
        argument(function.name, *wanted, arg, || function.usage())?;
    }
    Ok(())
}

/// The arguments of an aggregation.
pub(super) fn aggregate(with: &Aggregator, param: Option<&Node>, of: &Node) -> Result<(), Problem> {
    if let (Some(wanted), Some(param)) = (with.param, param) {
        argument(with.name, wanted, param, || with.usage())?;
    }
    argument(with.name, Kind::Vector, of, || with.usage())
}

fn argument(name: &str, wanted: Kind, arg: &Node, usage: impl Fn() -> String) -> Result<(), Problem> {
    let kind = arg.kind();
    if kind == wanted {
        return Ok(());
    }
    let help = match (wanted, kind) {
        (Kind::Range, Kind::Vector) => match arg.bare().what {
            What::Select(_) => "give it a range, such as [5m]".to_owned(),
            _ => "make it a subquery, such as (…)[5m:]".to_owned(),
        },
        (Kind::Vector, Kind::Range) => range_help(kind),
        (Kind::Vector, Kind::Scalar) => "a number becomes a vector with vector(…)".to_owned(),
        (Kind::Scalar, Kind::Vector) => "a vector of one series becomes a number with scalar(…)".to_owned(),
        _ => usage(),
    };
    Err(wrong(arg.span.clone(), format!("`{name}` takes a {wanted} here, this is a {kind}"), help))
}

fn range_help(kind: Kind) -> String {
    match kind {
        Kind::Range => "put a function around it, such as rate(…) or max_over_time(…)".to_owned(),
        Kind::String => "texts stand only in arguments".to_owned(),
        Kind::Scalar | Kind::Vector => String::new(),
    }
}
