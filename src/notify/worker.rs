//! One sender: lease, ask where the past is unknown, send, write back.
//!
//! The idea: [`Worker::step`] does at most one send, so a stop, an S1 that arrives meanwhile, or an outbox that went
//! away is noticed between any two pages. Pages leased but not yet sent wait in `queue`; each lease is renewed right
//! before its send, and a lease that cannot be renewed is not sent. A step is a function of the outbox, the gateways
//! and `now`: the clock is only asked how long the gateway took. What cannot be written is kept (`unwritten`) and
//! written before anything else is done.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::did::{Did, Done, What, report};
use super::unwritten::Verdict;
use super::{AddressBook, Gateway, LookedUp, Outbox, OutboxError, OutboxResult, Refusal, Sent, Unwritten};
use crate::model::{Channel, LEASE, Lease, Outcome, Passage, Sending, Severity};
use crate::time::{Clock, MINUTE, Ms, SECOND, WallWatch};

/// Rows leased at once below S1: enough to hide the outbox's latency, few enough to be soon free after a crash.
const BATCH: usize = 5;
/// Distance of looking for expired rows and ended leases: both are measured in tens of seconds.
const SWEEP: Ms = SECOND;
/// A lease that was extended so long ago is asked for again before its page is sent: what is left of it must be more than
/// the longest time of a call …
const ANSWER_MAX: Ms = LEASE / 3;
/// … and after so many answers that came too late the page is left for when the outbox is well again.
const ASKED_MAX: usize = 3;
/// So long after a page was decided, processes may still hold different lists of people: an edited file is read once it stands
/// still.
pub(crate) const EDIT_MAX: Ms = 10 * SECOND;
/// After an unknown answer the gateway is given this long before it is asked, or sent to, again.
const SETTLE: Ms = 5 * SECOND;
/// After so many S1 in a row whatever is wanted first has its turn: a flood of S1 must not starve the rest.
const S1_IN_A_ROW: u32 = 3;
/// The last try is made so long before the deadline.
const LAST_TRY: Ms = SECOND;
/// After the wall clock was set the leader is given so long to move what waits with it, before anything counts as late.
const SET_AFTER: Ms = LEASE;
/// Without a wake-up the outbox is looked at this often.
const POLL: Duration = Duration::from_millis(50);
/// After trouble with the outbox.
const POLL_TROUBLED: Duration = Duration::from_secs(1);

/// One sender. Several may work on one outbox, each with its own name.
pub struct Worker {
    name: String,
    outbox: Arc<dyn Outbox>,
    gateways: Vec<Arc<dyn Gateway>>,
    book: Arc<dyn AddressBook>,
    clock: Arc<dyn Clock>,
    queue: VecDeque<Lease>,
    unwritten: Unwritten,
    swept: Option<Ms>,
    wall: WallWatch,
    /// Nothing counts as late before, elapsed time.
    patient_until: Ms,
    /// How long the gateway took to take the page at hand.
    took: Cell<Option<(Channel, Ms)>>,
    /// When the page at hand was given to a gateway.
    submitted: Cell<Option<Ms>>,
    /// When what became of it was known.
    known: Cell<Option<Ms>>,
    /// S1 that were sent one after the other.
    s1_in_a_row: u32,
    /// `now` of this step and the elapsed time at its start.
    base: (Ms, Ms),
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker").field("name", &self.name).field("queued", &self.queue.len()).finish_non_exhaustive()
    }
}

impl Worker {
    /// A sender called `name`, unique among those alive. Of several gateways for one channel the first is preferred;
    /// the next one is tried where it certainly did not send a page for a fault of its own.
    pub fn new(
        name: impl Into<String>,
        outbox: Arc<dyn Outbox>,
        gateways: Vec<Arc<dyn Gateway>>,
        book: Arc<dyn AddressBook>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (name, queue, unwritten) = (name.into(), VecDeque::new(), Unwritten::default());
        Self {
            name,
            outbox,
            gateways,
            book,
            clock,
            queue,
            unwritten,
            swept: None,
            wall: WallWatch::default(),
            patient_until: Ms::MIN,
            took: Cell::new(None),
            submitted: Cell::new(None),
            known: Cell::new(None),
            s1_in_a_row: 0,
            base: (0, 0),
        }
    }

    /// Shares what is known and not written yet with the other senders of this process.
    #[must_use]
    pub fn sharing(mut self, unwritten: &Unwritten) -> Self {
        self.unwritten = unwritten.clone();
        self
    }

    /// One pass at wall time `now`: sweeps when it is time to, then works on at most one page: an S1, unless several went
    /// before it, else the one that is wanted first.
    pub fn step(&mut self, now: Ms) -> Did {
        self.base = (now, self.clock.elapsed());
        if let Some(by) = self.wall.step(self.base) {
            self.wall_was_set(by);
        }
        let mut did = Did::default();
        if let Err(trouble) = self.try_step(&mut did) {
            did.trouble = Some(trouble);
        }
        did
    }

    /// Steps until `stop` is set or `wake`'s other side is gone; then gives back what it leased and did not send.
    /// `wake` may carry any number of wake-ups; without one the outbox is looked at every 50 ms. `observe` sees every
    /// step that did something.
    pub fn run(&mut self, wake: &Receiver<()>, stop: &AtomicBool, observe: &mut dyn FnMut(&Did)) {
        while !stop.load(Ordering::SeqCst) {
            let did = self.step(self.clock.wall());
            if !did.is_idle() {
                report(&self.name, &did);
                observe(&did);
            }
            let wait = match (&did.trouble, did.pages.is_empty()) {
                (Some(_), _) => POLL_TROUBLED,
                (None, true) => POLL,
                (None, false) => continue,
            };
            match wake.recv_timeout(wait) {
                Ok(()) => while wake.try_recv().is_ok() {},
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        self.give_back_queue();
    }

    /// Gives back every page that is leased and not yet sent, due at once: for an orderly stop.
    pub fn give_back_queue(&mut self) {
        let now = self.clock.wall();
        for lease in std::mem::take(&mut self.queue) {
            if let Err(error) = self.outbox.give_back(&lease, "stopping", now) {
                tracing::warn!(worker = self.name, page = lease.page.id, %error, "not given back; its lease runs out");
            }
        }
    }

    /// Wall time now, measured from the step's `now`: a clock that jumps during a send does not reach the rows.
    fn now(&self) -> Ms {
        self.base.0 + (self.clock.elapsed() - self.base.1)
    }

    /// The wall clock was set: what this sender holds moves with it, as the rows do.
    fn wall_was_set(&mut self, by: Ms) {
        self.wall.accept(by);
        self.patient_until = self.base.1 + SET_AFTER;
        for lease in &mut self.queue {
            lease.until += by;
            lease.page.deadline += by;
        }
        self.swept = None;
    }

    fn try_step(&mut self, did: &mut Did) -> OutboxResult<()> {
        let now = self.now();
        self.write_known(did)?;
        self.hold_queue(now)?;
        let is_patient = self.base.1 < self.patient_until;
        if !is_patient && self.swept.is_none_or(|at| now - at >= SWEEP || now < at) {
            did.expired = self.outbox.expire(now)?;
            self.unwritten.prune(now);
            // One at a time: each may cost a question to the gateway, and an S1 must not wait behind five of them.
            let ended = self.outbox.reclaim(&self.name, 1, now, now + LEASE)?;
            // Where one had ended, the next step looks for more at once.
            self.swept = if ended.is_empty() { Some(now) } else { None };
            for lease in ended {
                let what = self.settle(&lease)?;
                self.note(did, &lease, what);
            }
            if !did.pages.is_empty() {
                return Ok(());
            }
        }
        let Some(lease) = self.next(now)? else { return Ok(()) };
        let what = if lease.unknown_before { self.settle(&lease)? } else { self.send(&lease)? };
        self.note(did, &lease, what);
        Ok(())
    }

    /// The next page to work on: an S1 where one waits, and after several of those what is wanted first.
    fn next(&mut self, now: Ms) -> OutboxResult<Option<Lease>> {
        let claim = |severity, limit| self.outbox.claim(&self.name, severity, limit, now, now + LEASE);
        let s1_first = self.s1_in_a_row < S1_IN_A_ROW;
        if s1_first && let Some(lease) = claim(Some(Severity::S1), 1)?.pop() {
            self.s1_in_a_row += 1;
            return Ok(Some(lease));
        }
        self.s1_in_a_row = 0;
        if self.queue.is_empty() {
            // One that may be an S1 is taken alone: a sender that dies would keep the others from everybody for a while.
            self.queue = claim(None, if s1_first { BATCH } else { 1 })?.into();
        }
        Ok(self.queue.pop_front())
    }

    /// Writes what is known of this sender's pages and could not be written before.
    fn write_known(&self, did: &mut Did) -> OutboxResult<()> {
        while let Some((lease, verdict)) = self.unwritten.first_of(&self.name) {
            let what = match verdict {
                Verdict::Outcome(outcome, at) => self.write_as_of(&lease, outcome, at)?,
                Verdict::NotSent { why, due } => self.return_unsent(&lease, &why, due)?,
            };
            if what == What::Lost {
                self.unwritten.pass_on(&lease.page.id);
            } else {
                self.unwritten.forget(&lease.page.id);
                self.note(did, &lease, what);
            }
        }
        Ok(())
    }

    /// Keeps the leases of queued pages from running out behind a slow gateway: an ended lease would make a page that
    /// was never sent look like one that may have been.
    fn hold_queue(&mut self, now: Ms) -> OutboxResult<()> {
        let mut trouble = Ok(());
        for mut lease in std::mem::take(&mut self.queue) {
            if lease.until - now < LEASE / 2 {
                match self.outbox.renew(&lease, now + LEASE) {
                    Ok(true) => lease.until = now + LEASE,
                    Ok(false) => continue,
                    Err(error) => {
                        self.keep_unsent(&lease);
                        trouble = Err(error);
                        continue;
                    }
                }
            }
            self.queue.push_back(lease);
        }
        trouble
    }

    /// The outbox is away before a page was sent: it is to be sent as soon as the outbox is back.
    fn keep_unsent(&self, lease: &Lease) {
        self.unwritten.keep(lease, Verdict::NotSent { why: "outbox away".to_owned(), due: self.now() });
    }

    fn note(&self, did: &mut Did, lease: &Lease, what: What) {
        did.took.extend(self.took.take());
        let now = self.now();
        let submitted = self.submitted.take().or(lease.sending.submitted);
        let accepted = self.known.take();
        let sending = Sending { submitted, accepted, ..lease.sending };
        let is_taken = matches!(what, What::Outcome(Outcome::Accepted { .. }));
        let passage = is_taken.then(|| Passage::of(&lease.page, &sending));
        let (page, severity, after) = (lease.page.id.clone(), lease.page.severity, now - lease.page.decided);
        did.pages.push(Done { page, severity, what, after, passage });
    }

    fn gateways(&self, lease: &Lease) -> impl Iterator<Item = &Arc<dyn Gateway>> {
        let channel = lease.page.channel;
        self.gateways.iter().filter(move |gateway| gateway.serves(channel))
    }

    /// Asks every gateway that may have been given the page. A yes of one is a yes; a no needs a no of all; `None`: one
    /// of them cannot be asked.
    fn look_up(&self, lease: &Lease) -> Option<LookedUp> {
        let answers: Vec<_> = self.gateways(lease).map(|gateway| gateway.look_up(&lease.page)).collect();
        let has =
            |answer: &&Option<LookedUp>| matches!(answer, Some(LookedUp::Accepted { .. } | LookedUp::Failed { .. }));
        if let Some(found) = answers.iter().find(has) {
            return found.clone();
        }
        if answers.contains(&Some(LookedUp::Unknown)) {
            return Some(LookedUp::Unknown);
        }
        answers.into_iter().find(Option::is_none).unwrap_or(Some(LookedUp::NotThere))
    }

    /// Finds out about a page that may have been sent already: asks, and only then sends or gives up.
    fn settle(&self, lease: &Lease) -> OutboxResult<What> {
        if self.gateways(lease).next().is_none() {
            return self.write(lease, Outcome::Unknown { reason: "no gateway left to ask".to_owned() });
        }
        match self.unwritten.take(lease) {
            Some(Verdict::Outcome(outcome, at)) => return self.write_as_of(lease, outcome, at),
            Some(Verdict::NotSent { .. }) => return self.send(lease),
            None => {}
        }
        // That is written before any gateway is given the page: whoever had it died, or never knew that it did.
        if lease.sending.submitted.is_none() {
            return self.send(lease);
        }
        let late = self.now() >= lease.page.deadline;
        match self.look_up(lease) {
            Some(LookedUp::Accepted { id }) => self.write(lease, Outcome::Accepted { id }),
            Some(LookedUp::Failed { reason }) => self.write(lease, failed(reason)),
            Some(LookedUp::NotThere) => self.send(lease),
            Some(LookedUp::Unknown) if late => self
                .write(lease, Outcome::Unknown { reason: "the gateway could not say before the deadline".to_owned() }),
            Some(LookedUp::Unknown) => self.ask_again(lease),
            None if late || !may_resend(lease) => self.write(
                lease,
                Outcome::Unknown {
                    reason: "the sender ended between hand-over and answer; the gateway cannot be asked".to_owned(),
                },
            ),
            None => match self.write(lease, Outcome::Resent)? {
                What::Lost => Ok(What::Lost),
                _ => self.send(&Lease { resent: true, ..lease.clone() }),
            },
        }
    }

    /// Sends a page that was certainly not sent before (or may be sent once more), under a fresh lease.
    fn send(&self, lease: &Lease) -> OutboxResult<What> {
        if self.now() >= lease.page.deadline {
            return self.write(lease, failed(Refusal::Expired));
        }
        if self.gateways(lease).next().is_none() {
            tracing::error!(page = lease.page.id, channel = lease.page.channel.word(), "no gateway for this channel");
            return self.write(lease, failed(Refusal::Server));
        }
        let Some(address) = self.book.address(&lease.page.to, lease.page.channel) else {
            return self.without_address(lease);
        };
        // The refusal that leaves most hope: the first that may pass, else the first.
        let mut no: Option<(Refusal, bool, Option<Ms>)> = None;
        for gateway in self.gateways(lease) {
            if !self.submit(lease)? {
                return Ok(What::Lost);
            }
            let began = self.clock.elapsed();
            match gateway.send(&lease.page, &address) {
                Sent::Accepted { id } => {
                    self.took.set(Some((lease.page.channel, self.clock.elapsed() - began)));
                    return self.write(lease, Outcome::Accepted { id });
                }
                Sent::Unknown { why } => {
                    let (page, gateway_id) = (&lease.page.id, gateway.id());
                    tracing::warn!(page, gateway = gateway_id, why, "nobody knows whether a page was sent");
                    return self.after_unknown(lease, gateway.as_ref(), why);
                }
                Sent::Refused { reason, permanent: true, .. } if reason.is_of_the_page() => {
                    return self.write(lease, failed(reason));
                }
                Sent::Refused { reason, permanent, retry_after } => {
                    tracing::warn!(
                        page = lease.page.id,
                        gateway = gateway.id(),
                        reason = reason.word(),
                        "page refused"
                    );
                    if no.is_none_or(|(_, was_permanent, _)| was_permanent && !permanent) {
                        no = Some((reason, permanent, retry_after));
                    }
                }
            }
        }
        match no {
            Some((reason, false, retry_after)) => self.retry(lease, reason, retry_after),
            Some((reason, true, _)) => self.write(lease, failed(reason)),
            None => self.write(lease, failed(Refusal::Server)),
        }
    }

    /// Whoever leads chooses from the list as it is now; this process may read the edit a moment later.
    fn without_address(&self, lease: &Lease) -> OutboxResult<What> {
        let now = self.now();
        if (0..EDIT_MAX).contains(&(now - lease.page.decided)) {
            return self.return_unsent(lease, Refusal::Recipient.word(), now + SWEEP);
        }
        tracing::error!(page = lease.page.id, to = lease.page.to, "contact has no address on this channel");
        self.write(lease, failed(Refusal::Recipient))
    }

    /// Asks, right before a send, whether the page is still ours. `false`: it is not.
    fn submit(&self, lease: &Lease) -> OutboxResult<bool> {
        for _ in 0..ASKED_MAX {
            let (now, asked) = (self.now(), self.clock.elapsed());
            match self.outbox.submit(lease, now, now + LEASE) {
                // A process that stood still meanwhile has an answer of long ago: another sender may have the page.
                Ok(true) if self.clock.elapsed() - asked > ANSWER_MAX => {}
                Ok(true) => {
                    self.submitted.set(Some(now));
                    return Ok(true);
                }
                Ok(false) => return Ok(false),
                Err(error) => {
                    self.keep_unsent(lease);
                    return Err(error);
                }
            }
        }
        self.keep_unsent(lease);
        Err(OutboxError("it answers too late to send by what it says".to_owned()))
    }

    /// The answer was lost just now. A gateway that says *not there* this early may still be busy with it, so only a
    /// yes is final; all else is asked again after a while by whoever takes the ended lease.
    fn after_unknown(&self, lease: &Lease, gateway: &dyn Gateway, why: String) -> OutboxResult<What> {
        match gateway.look_up(&lease.page) {
            Some(LookedUp::Accepted { id }) => self.write(lease, Outcome::Accepted { id }),
            Some(LookedUp::Failed { reason }) => self.write(lease, failed(reason)),
            None if !may_resend(lease) => self.write(lease, Outcome::Unknown { reason: why }),
            _ => self.ask_again(lease),
        }
    }

    fn ask_again(&self, lease: &Lease) -> OutboxResult<What> {
        let ours = self.outbox.renew(lease, self.now() + SETTLE)?;
        Ok(if ours { What::Unsettled } else { What::Lost })
    }

    /// Refused for now: due again after a pause, the last time shortly before the deadline.
    fn retry(&self, lease: &Lease, reason: Refusal, retry_after: Option<Ms>) -> OutboxResult<What> {
        let now = self.now();
        let pause = pause(lease.page.severity, lease.epoch).max(retry_after.unwrap_or(0));
        let due = now.saturating_add(pause).min(lease.page.deadline - LAST_TRY);
        if due <= now {
            return self.write(lease, failed(reason));
        }
        self.return_unsent(lease, reason.word(), due)
    }

    fn return_unsent(&self, lease: &Lease, why: &str, due: Ms) -> OutboxResult<What> {
        match self.outbox.give_back(lease, why, due) {
            Ok(true) => {
                let reason = Refusal::parse(why).unwrap_or(Refusal::Timeout);
                Ok(What::GivenBack { reason, due })
            }
            Ok(false) => Ok(What::Lost),
            Err(error) => {
                self.unwritten.keep(lease, Verdict::NotSent { why: why.to_owned(), due });
                Err(error)
            }
        }
    }

    fn write(&self, lease: &Lease, outcome: Outcome) -> OutboxResult<What> {
        self.write_as_of(lease, outcome, self.now())
    }

    /// Writes an outcome that was known `at`.
    fn write_as_of(&self, lease: &Lease, outcome: Outcome, at: Ms) -> OutboxResult<What> {
        match self.outbox.outcome(lease, &outcome, at) {
            Ok(true) => {
                self.known.set(Some(at));
                Ok(What::Outcome(outcome))
            }
            Ok(false) => Ok(What::Lost),
            Err(error) => {
                // That it is about to be sent again is no outcome.
                if outcome != Outcome::Resent {
                    self.unwritten.keep(lease, Verdict::Outcome(outcome, at));
                }
                Err(error)
            }
        }
    }
}

/// Sent once more without asking: S1 and S2, once. Two texts about a serious incident are better than none.
fn may_resend(lease: &Lease) -> bool {
    lease.page.severity <= Severity::S2 && !lease.resent
}

fn failed(reason: Refusal) -> Outcome {
    Outcome::Failed { reason: reason.word().to_owned() }
}

/// The pause after the `tries`-th try: doubling from 1 s to 10 s for S1, from 5 s to a minute for the others.
fn pause(severity: Severity, tries: i64) -> Ms {
    let (first, most) = if severity == Severity::S1 { (SECOND, 10 * SECOND) } else { (5 * SECOND, MINUTE) };
    let doublings = tries.clamp(1, 8) - 1;
    (first << doublings).min(most)
}
