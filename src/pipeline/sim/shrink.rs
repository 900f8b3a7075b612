//! A failing plan made shorter while it still fails.
//!
//! The idea: take out half of the steps, then quarters, and so on down to single acts; keep whatever still breaks a
//! promise. What passes before a step that goes is waited for by the next one, so the rest keeps its times.

use super::plan::{Plan, Step};
use super::story::{act_out, tell};
use super::{Broken, run_over};
use crate::pipeline::scenario::Over;

/// Shrinks a world that broke over stores as `over` makes them, so that the file which tells of what is left fails too,
/// where that of the whole plan does ([`Broken::is_told`]).
pub fn shrink_told(broken: Broken, runs: usize, over: impl Fn() -> Over) -> Broken {
    let fails = |plan: &Plan| act_out(&tell(plan), over()).is_ok_and(|failures| !failures.is_empty());
    let is_told = fails(&cut_behind(broken.clone()).plan);
    let small = shrink(broken, runs, |plan| {
        let found = cut_behind(*run_over(plan, over().way).err()?);
        (!is_told || fails(&found.plan)).then_some(found)
    });
    Broken { is_told: Some(is_told), ..small }
}

/// Shrinks `broken` with at most `runs` runs of `run`.
pub fn shrink(broken: Broken, runs: usize, mut run: impl FnMut(&Plan) -> Option<Broken>) -> Broken {
    let mut best = cut_behind(broken);
    let mut left = runs;
    let mut size = best.plan.steps.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < best.plan.steps.len() {
            if left == 0 {
                return best;
            }
            left -= 1;
            match run(&without(&best.plan, at, size)) {
                Some(found) => best = cut_behind(found),
                None => at += size,
            }
        }
        if size == 1 {
            break;
        }
        size = size.div_ceil(2);
    }
    single_acts(best, left, &mut run)
}

fn single_acts(mut best: Broken, mut left: usize, run: &mut impl FnMut(&Plan) -> Option<Broken>) -> Broken {
    let mut at = (0, 0);
    while let Some(step) = best.plan.steps.get(at.0) {
        if left == 0 {
            break;
        }
        if at.1 >= step.acts.len() || step.acts.len() == 1 {
            at = (at.0 + 1, 0);
            continue;
        }
        left -= 1;
        let mut plan = best.plan.clone();
        plan.steps[at.0].acts.remove(at.1);
        match run(&plan) {
            Some(found) => best = cut_behind(found),
            None => at.1 += 1,
        }
    }
    best
}

/// Nothing behind the step that shows it matters, unless it shows at the very end.
fn cut_behind(mut broken: Broken) -> Broken {
    broken.plan.steps.truncate(broken.step.max(1));
    broken
}

/// The plan without `n` steps from `at` on.
fn without(plan: &Plan, at: usize, n: usize) -> Plan {
    let end = (at + n).min(plan.steps.len());
    let mut steps: Vec<Step> = plan.steps[..at].to_vec();
    let waited: i64 = plan.steps[at..end].iter().map(|step| step.pass).sum();
    let mut rest = plan.steps[end..].iter().cloned();
    steps.extend(rest.next().map(|step| Step { pass: step.pass + waited, ..step }));
    steps.extend(rest);
    Plan { steps, ..plan.clone() }
}
