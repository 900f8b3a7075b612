//! Warnings that a service level is at risk: whom they wake.
//!
//! The idea: a warning goes to everybody who was told so far and to those whose turn is next, and moves the chain
//! nowhere: the next step still speaks at its own time. Whoever hears of a risk hears of the end. An incident that is
//! kept quiet, or that nobody was told of yet, warns nobody.

use crate::model::Reason;

use super::chain::next_step;
use super::group::{self, Seat};
use super::{Call, Decisions, Desk, Run};

/// The step of pages that belong to no step of the chain.
pub(super) const STEP_SLA: i64 = -4;

impl Desk {
    /// A share of a clock has passed.
    pub(super) fn warn(&mut self, call: Call<'_>, out: &mut Decisions) {
        let incident = call.incident;
        let Some(run) = self.runs.get(&incident.id) else { return };
        if incident.holds_pages() || incident.flapping || run.row.step.is_none() {
            return;
        }
        let mut seats = run.row.told.clone();
        for seat in self.ahead(run, call) {
            if !seats.contains(&seat) {
                seats.push(seat);
            }
        }
        let share = incident.sla.as_ref().map_or(0, |clocks| clocks.warned);
        for (to, channel) in seats {
            self.page(call, (STEP_SLA, share, Reason::Sla), (&to, channel), out);
        }
    }

    /// Whom the next step would tell.
    fn ahead(&self, run: &Run, call: Call<'_>) -> Vec<Seat> {
        let Some((from, false)) = next_step(run, call.incident.severity) else { return Vec::new() };
        let (chain, domain) = (&run.chain, call.incident.domain);
        let limit = group::upto(chain, call.incident.severity).map_or(chain.steps.len(), |upto| upto + 1);
        let steps = chain.steps.get(from..limit).unwrap_or_default().iter();
        let found = steps.map(|step| group::step(&self.people, &step.to, &step.by, domain, call.now));
        let last = &chain.last;
        let is_open_ended = limit == chain.steps.len() && group::upto(chain, call.incident.severity).is_none();
        let at_last = || is_open_ended.then(|| group::last(&self.people, &last.to, &last.by, domain, call.now));
        found.into_iter().find(|seats| !seats.is_empty()).or_else(at_last).unwrap_or_default()
    }
}
