//! The deadline drives the outbox: which page is wanted first, and when the next channel starts without waiting.
//!
//! The idea: the first telling of an incident has a deadline, its notify-within. A channel needs so long from the send
//! to the provider's yes that 99 of 100 messages make it (its *pace*, measured by the senders and told as an input, so
//! that the ledger alone gives the same decisions again; before there is a figure, a guess on the safe side). When less
//! time than that is left and nobody has been reached, waiting for this channel means missing the deadline: the next
//! channel of each person starts beside it. What was sent stays sent; a person may get both.

use crate::model::{Channel, Incident, IncidentState, PageState, Reason};
use crate::time::{MINUTE, Ms, SECOND};

use super::group;
use super::{Call, Decisions, Desk, Incidents, Known};

impl Desk {
    /// 99 of 100 messages of `channel` are taken within this time of the send, ms.
    pub(super) fn pace(&self, channel: Channel) -> Ms {
        self.paces.get(&channel).copied().unwrap_or(match channel {
            // Documented guesses: a gateway's usual time-out for texts, and a mail server that greets slowly.
            Channel::Sms => 10 * SECOND,
            Channel::Mms => 20 * SECOND,
            Channel::Mail => 30 * SECOND,
        })
    }

    /// Senders measured a channel.
    pub fn measured(&mut self, channel: Channel, p99: Ms) {
        self.paces.insert(channel, p99.clamp(0, MINUTE));
        self.changed_notes.insert(format!("pace/{}", channel.word()));
    }

    /// A first telling has just been decided: notes when its other channels have to start. Where the deadline has passed
    /// already nothing can be saved by haste, and this channel gets its usual time.
    pub(super) fn plan_hurry(&mut self, Call { incident, now }: Call<'_>) {
        let Some(by) = incident.notify_by.filter(|_| incident.notified.is_none()) else { return };
        let pending = self.pending(incident).map(|known| known.channel);
        let Some(slowest) = pending.map(|channel| self.pace(channel)).max() else { return };
        self.set_hurry(&incident.id, Some(if by > now { by - slowest } else { now + slowest }));
    }

    pub(super) fn set_hurry(&mut self, id: &str, at: Option<Ms>) {
        if let Some(run) = self.runs.get(id).filter(|run| run.row.hurry != at) {
            let mut run = run.clone();
            run.row.hurry = at;
            self.put(run);
        }
    }

    /// Starts the next channel of everybody whose page may come too late.
    pub(super) fn due_hurries(&mut self, incidents: &Incidents, now: Ms, out: &mut Decisions) {
        while let Some((at, id)) = self.hurries.first().cloned() {
            if at > now {
                break;
            }
            self.hurries.remove(&(at, id.clone()));
            self.set_hurry(&id, None);
            let waits = |it: &&Incident| it.state == IncidentState::Open && !it.holds_pages() && it.notified.is_none();
            if let Some(incident) = incidents.get(&id).filter(waits) {
                self.hurry(Call { incident, now }, out);
            }
        }
    }

    fn hurry(&mut self, call: Call<'_>, out: &mut Decisions) {
        for known in self.pending(call.incident).cloned().collect::<Vec<_>>() {
            self.say_instead(call, &known, out);
        }
    }

    /// Says what a page says on the next channel of its person. `false`: there is none.
    pub(super) fn say_instead(&mut self, call: Call<'_>, known: &Known, out: &mut Decisions) -> bool {
        let Some(run) = self.runs.get(&call.incident.id) else { return false };
        let step = usize::try_from(known.step).ok().and_then(|step| run.chain.steps.get(step));
        let by = step.map_or(&run.chain.last.by, |step| &step.by);
        let Some(next) = group::instead(&self.people, &known.to, known.channel, by) else { return false };
        // A beginning that somebody has, or may have, is no news in a later round either.
        let is_beginning = matches!(known.reason, Reason::First | Reason::Reopened);
        let has = |other: &Known| !matches!(other.state, PageState::Waiting | PageState::Failed | PageState::Cancelled);
        let said = |other: &Known| {
            let of = |it: &Known| (it.step, it.reason, it.occurrence);
            let is_again = other.round >= known.round || (is_beginning && has(other));
            // That it got worse says that it is there.
            let is_more = is_beginning && other.reason == Reason::Worsened && other.occurrence == known.occurrence;
            let is_same = of(other) == of(known) && is_again;
            let fails = other.state == PageState::Failed;
            other.to == known.to && other.channel == next && (is_same || (is_more && !fails))
        };
        // Under the present round: of an earlier one this page may have been decided and withdrawn. What was said there
        // in an earlier round is said.
        let place = (known.step, run.row.round, known.reason);
        if !self.pages_about(&call.incident.id).any(said) {
            self.page(call, place, (&known.to, next), out);
        }
        true
    }

    /// Pages about the beginning of its present occurrence of which no provider has said yes or no.
    fn pending<'a>(&'a self, incident: &Incident) -> impl Iterator<Item = &'a Known> + use<'a> {
        let occurrence = incident.occurrence;
        let is_pending = move |state| matches!(state, PageState::Waiting | PageState::Handed | PageState::Unknown);
        let about = self.pages_about(&incident.id);
        about
            .filter(move |known| known.occurrence == occurrence && known.step >= 0 && is_pending(known.state))
            .filter(|known| known.reason != Reason::Resolved)
    }
}
