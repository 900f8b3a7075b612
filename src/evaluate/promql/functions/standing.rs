//! A window function over a subquery whose steps are what they were at the last tick.
//!
//! The idea: steps lie far apart against ticks, so at most ticks the same ones are seen and none of them has changed; the
//! value of a function that hangs on its samples alone is then that of the last tick. What the evaluation took counts
//! again, as if it had been made. What hangs on the time, or has arguments that are subqueries themselves, is computed.

use super::Body;
use crate::evaluate::promql::ast::{Call, Node, Subquery, What};
use crate::evaluate::promql::eval::subquery::{self, Seen};
use crate::evaluate::promql::eval::{Got, Item, Scene};
use crate::evaluate::promql::value::Trouble;
use crate::time::Ms;

/// What the last tick gave.
#[derive(Debug)]
pub(super) struct Standing {
    seen: Seen,
    /// Bits of the call's scalars.
    params: Vec<u64>,
    /// Steps that it took.
    took: u64,
    items: Vec<Item>,
}

/// The value of a call of a window function over a subquery; `None` for any other call.
pub(super) fn eval(
    scene: &Scene<'_>,
    (call, node): (&Call, &Node),
    last: &mut Option<Standing>,
    at: Ms,
) -> Result<Option<Got>, Trouble> {
    let Some((n, inner, subquery)) = over(call) else { return Ok(None) };
    let began = scene.took();
    let mut params = Vec::new();
    for (_, arg) in call.args.iter().enumerate().filter(|(place, _)| *place != n) {
        if let Got::Scalar(value) = scene.eval(arg, at)? {
            params.push(value.to_bits());
        }
    }
    if scene.took() != began {
        return Ok(None);
    }
    let stands = |it: &&Standing| Some(it.seen) == subquery::seen(scene, subquery, inner, at) && it.params == params;
    if let Some(it) = last.as_ref().filter(stands) {
        subquery::count(scene, inner, it.took)?;
        return Ok(Some(Got::Vector(it.items.clone())));
    }
    *last = None;
    let Got::Vector(items) = super::eval(scene, call, node, at)? else { return Ok(None) };
    let got = scene.vector_of(items, &node.span)?;
    if let (Got::Vector(items), Some(seen)) = (&got, subquery::seen(scene, subquery, inner, at)) {
        *last = Some(Standing { seen, params, took: scene.took() - began, items: items.clone() });
    }
    Ok(Some(got))
}

/// Which argument is a subquery, of a function that hangs on its samples alone.
fn over(call: &Call) -> Option<(usize, &Node, &Subquery)> {
    // Its scalars are judged only where there are series.
    if call.function.name == "double_exponential_smoothing" || !matches!(call.function.body, Body::Window(_)) {
        return None;
    }
    call.args.iter().enumerate().find_map(|(n, arg)| match &arg.bare().what {
        What::Subquery(subquery) => Some((n, arg.bare(), &**subquery)),
        _ => None,
    })
}
