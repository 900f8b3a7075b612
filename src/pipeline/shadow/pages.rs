//! How many pages spans would have been: an estimate between two ends.
//!
//! The idea: each time that an incident would open or open again its chain is walked from that instant. Whoever acks at
//! once hears of the first step alone; where nobody ever does, each step speaks when its wait is over, then the last
//! group again and again, until the span ends and all who heard are told so. What really happens lies between the two.
//! Muting, folding, caps, digests and warnings of the SLA are not looked at: they hang on what else goes on.

use std::collections::{BTreeMap, BTreeSet};

use super::{InForce, Span};
use crate::incident::REOPEN_WITHIN;
use crate::model::{Chain, Channel, Labels, Rule, Target, chain_labels};
use crate::page::{Asked, Chooser, told_by};
use crate::time::Ms;

/// So many openings in a row, each soon after the last end, are told of; then it is flapping, and quiet.
const OPENINGS: usize = 4;

/// Pages of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Pages {
    /// Of the first steps alone.
    pub(super) first: usize,
    /// Up to `now` where nobody acks.
    pub(super) unacked: usize,
}

impl Pages {
    /// What `spans` of `rule` would have been by `now`.
    pub(super) fn of(rule: &Rule, spans: &[Span], (force, chooser): (InForce<'_>, &Chooser), now: Ms) -> Self {
        let mut before: BTreeMap<&Labels, (Ms, usize)> = BTreeMap::new();
        let mut all = Self::default();
        for span in spans {
            let row = before.entry(&span.labels).or_insert((Ms::MIN, 0));
            row.1 = if row.0 > Ms::MIN && span.from - row.0 < REOPEN_WITHIN { row.1 + 1 } else { 1 };
            row.0 = span.to.unwrap_or(Ms::MAX);
            if row.1 <= OPENINGS {
                let one = of_span(rule, span, (force, chooser), now);
                all.first += one.first;
                all.unacked += one.unacked;
            }
        }
        all
    }
}

fn of_span(rule: &Rule, span: &Span, (force, chooser): (InForce<'_>, &Chooser), now: Ms) -> Pages {
    let labels = chain_labels(force.inventory, &span.labels, (&rule.id, rule.domain, span.severity));
    let asked = Asked { named: rule.chain.as_deref(), labels: &labels };
    let Some(chain) = chooser.choose(force.people, asked, span.from) else { return Pages::default() };
    let plan = chain.plan(span.severity);
    if plan.digest || (plan.digest_off_hours && !force.people.calendar.is_business(span.from)) {
        return Pages::default();
    }
    let tell = |to: &[Target], by: &[Channel], at: Ms| told_by(force.people, to, by, rule.domain, at);
    walk(chain, plan.upto, span, now, &|when, at| force.people.calendar.holds(when, at), &tell)
}

/// Who would be told at an instant.
type Tell<'a, S> = dyn Fn(&[Target], &[Channel], Ms) -> Vec<S> + 'a;

/// Goes along `chain`: `tell` gives who would be told at an instant.
fn walk<S: Ord>(
    chain: &Chain,
    upto: Option<usize>,
    span: &Span,
    now: Ms,
    holds: &dyn Fn(&crate::model::When, Ms) -> bool,
    tell: &Tell<'_, S>,
) -> Pages {
    let until = span.to.unwrap_or(now);
    let (mut at, mut pages, mut heard) = (span.from, Pages::default(), BTreeSet::new());
    let mut told = |seats: Vec<S>, times: usize| {
        if pages.unacked == 0 {
            pages.first = seats.len();
        }
        pages.unacked += seats.len() * times;
        heard.extend(seats);
    };
    let steps = upto.map_or(chain.steps.len(), |upto| (upto + 1).min(chain.steps.len()));
    for step in chain.steps.iter().take(steps) {
        // The first is told even of a span that has no length.
        if at > until {
            break;
        }
        let counts = step.when.as_ref().is_none_or(|when| holds(when, at));
        let seats = if counts { tell(&step.to, &step.by, at) } else { Vec::new() };
        // Nobody there: passed at once.
        if !seats.is_empty() {
            told(seats, 1);
            at += step.wait;
        }
    }
    if upto.is_none() && at <= until {
        let repeats = (until - at).checked_div(chain.last.repeat).unwrap_or(0);
        told(tell(&chain.last.to, &chain.last.by, at), usize::try_from(repeats).unwrap_or(0) + 1);
    }
    if span.to.is_some() {
        pages.unacked += heard.len();
    }
    pages
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Last, Severity, Step, When};
    use crate::time::MINUTE;

    /// Tells one seat more at each step, the last group being the first seat; the second step is for other hours.
    fn walked(minutes: Ms, over: bool, upto: Option<usize>) -> (usize, usize) {
        let step = |when| Step { wait: 5 * MINUTE, when, ..Step::default() };
        let steps = vec![step(None), step(Some(When::Off)), step(None)];
        let chain = Chain { steps, last: Last { repeat: 10 * MINUTE, ..Last::default() }, ..Chain::default() };
        let end = minutes * MINUTE;
        let to = over.then_some(end);
        let span = Span { labels: Labels::default(), from: 0, to, severity: Severity::S1 };
        let tell = |_: &[Target], _: &[Channel], at: Ms| (0..=(at / MINUTE / 5) % 2).collect::<Vec<i64>>();
        let pages = walk(&chain, upto, &span, end, &|_, _| false, &tell);
        (pages.first, pages.unacked)
    }

    #[test]
    fn who_never_acks_hears_of_every_step_and_repeat_up_to_the_end() {
        assert_eq!(walked(0, false, None), (1, 1));
        assert_eq!(walked(4, true, None), (1, 2), "and of the end");
        assert_eq!(walked(5, false, None), (1, 3), "the step of other hours takes no time");
        assert_eq!(walked(29, false, None), (1, 5), "the last group at 10 and 20");
        assert_eq!(walked(29, true, None), (1, 7));
        assert_eq!(walked(29, false, Some(0)), (1, 1), "a severity that stops there");
    }
}
