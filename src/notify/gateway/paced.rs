//! What stands around any gateway: how fast, how many at once, whether it is well, and for which channel it is.
//!
//! The idea: a gateway that fails three times in a row is left alone for a few seconds and then tried with one page, so
//! that a provider that hangs costs each sender a few time-outs and not one for every page behind it. What is held back
//! here was certainly not sent, and says so. Whom to try instead is the worker's part.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::model::{Channel, Fate, Page, Way};
use crate::notify::{Address, Denied, Gateway, LookedUp, Refusal, Sent, Told};
use crate::time::{Clock, Ms, SECOND};

/// Failures in a row after which it counts as failing.
const FAILURES: u32 = 3;
/// A failing gateway is tried this often: an end of the trouble is seen at most so much later.
const PAUSE: Ms = 5 * SECOND;
/// A page waits here for its turn at most so long; a tenth of its lease and little for an S1 that waits behind it.
const PATIENCE: Ms = 2 * SECOND;
/// For those before it to come back it waits less: where they hang, so would every sender, and the pages of other
/// gateways behind them. Longer than a provider takes that is well.
const PATIENCE_FULL: Ms = SECOND / 2;

/// A gateway with its pace and health.
pub struct Paced {
    inner: Arc<dyn Gateway>,
    channel: Channel,
    /// Distance of two messages, ms.
    every: Ms,
    concurrency: usize,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    turn: Condvar,
}

#[derive(Debug, Default)]
struct State {
    busy: usize,
    /// Elapsed time at which the next message may leave.
    next: Ms,
    failures: u32,
    /// Elapsed time until which nothing is tried.
    left_alone: Ms,
    last: Option<Refusal>,
    since: Option<Ms>,
    accepted: u64,
    refused: u64,
    unknown: u64,
}

/// How a gateway is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayHealth {
    /// Its id.
    pub id: String,
    /// The channel that it is for.
    pub channel: Channel,
    /// It failed several times in a row and is only tried now and then.
    pub failing: bool,
    /// Since when it has been failing, wall time.
    pub since: Option<Ms>,
    /// The last refusal's word.
    pub last: Option<&'static str>,
    /// Pages it took since the start.
    pub accepted: u64,
    /// Pages it refused.
    pub refused: u64,
    /// Pages whose answer was lost.
    pub unknown: u64,
}

impl Paced {
    /// `inner` at the pace that `way` sets, for its channel alone.
    pub fn new(inner: Arc<dyn Gateway>, way: &Way, clock: Arc<dyn Clock>) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "a rate is above 0 and the quotient is clamped")]
        let every = way.rate.map_or(0, |rate| (1_000.0 / rate).clamp(0.0, 3_600_000.0) as Ms);
        Self::with(inner, way.channel, every, way.concurrency, clock)
    }

    /// `inner` without limits.
    pub fn shown(inner: Arc<dyn Gateway>, channel: Channel, clock: Arc<dyn Clock>) -> Self {
        Self::with(inner, channel, 0, usize::MAX, clock)
    }

    fn with(inner: Arc<dyn Gateway>, channel: Channel, every: Ms, concurrency: usize, clock: Arc<dyn Clock>) -> Self {
        Self { inner, channel, every, concurrency, clock, state: Mutex::default(), turn: Condvar::new() }
    }

    /// How it is.
    pub fn health(&self) -> GatewayHealth {
        let state = self.state();
        GatewayHealth {
            id: self.inner.id().to_owned(),
            channel: self.channel,
            failing: state.failures >= FAILURES,
            since: state.since.filter(|_| state.failures >= FAILURES),
            last: state.last.map(Refusal::word),
            accepted: state.accepted,
            refused: state.refused,
            unknown: state.unknown,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for its turn; `Err` = it may not leave now.
    fn enter(&self) -> Result<(), Sent> {
        let mut state = self.state();
        let mut waited = 0;
        loop {
            let now = self.clock.elapsed();
            if state.failures >= FAILURES && now < state.left_alone {
                let reason = state.last.unwrap_or(Refusal::Server);
                return Err(Sent::Refused { reason, permanent: false, retry_after: None });
            }
            let is_full = state.busy >= self.concurrency;
            let left = if is_full { PATIENCE_FULL } else { PATIENCE } - waited;
            let wait = if is_full { left } else { state.next - now };
            if wait <= 0 && !is_full {
                state.busy += 1;
                state.next = now + self.every;
                // The one that tries whether it is well again goes alone.
                state.left_alone = now + PAUSE;
                return Ok(());
            }
            if left <= 0 || wait > left {
                let retry_after = Some(wait.max(SECOND));
                return Err(Sent::Refused { reason: Refusal::Rate, permanent: false, retry_after });
            }
            waited += wait;
            let length = Duration::from_millis(wait.unsigned_abs());
            state = self.turn.wait_timeout(state, length).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn leave(&self, sent: &Sent) {
        let (now, wall) = (self.clock.elapsed(), self.clock.wall());
        let mut state = self.state();
        state.busy = state.busy.saturating_sub(1);
        match sent {
            Sent::Accepted { .. } => {
                state.accepted += 1;
                state.recover(self.inner.id());
            }
            Sent::Refused { reason, .. } if reason.is_of_the_page() => {
                state.refused += 1;
                state.recover(self.inner.id());
            }
            Sent::Refused { reason: Refusal::Rate, retry_after, .. } => {
                state.refused += 1;
                state.last = Some(Refusal::Rate);
                state.next = state.next.max(now + retry_after.unwrap_or(SECOND));
            }
            Sent::Refused { reason, .. } => {
                state.refused += 1;
                state.fail(*reason, (now, wall), self.inner.id());
            }
            Sent::Unknown { .. } => {
                state.unknown += 1;
                state.fail(Refusal::Timeout, (now, wall), self.inner.id());
            }
        }
        drop(state);
        self.turn.notify_one();
    }
}

impl State {
    fn recover(&mut self, id: &str) {
        if self.failures >= FAILURES {
            tracing::info!(gateway = id, "the gateway is well again");
        }
        self.failures = 0;
        self.since = None;
    }

    fn fail(&mut self, reason: Refusal, (now, wall): (Ms, Ms), id: &str) {
        self.failures = self.failures.saturating_add(1);
        self.since.get_or_insert(wall);
        self.last = Some(reason);
        self.left_alone = now + PAUSE;
        if self.failures == FAILURES {
            tracing::error!(gateway = id, reason = reason.word(), "the gateway is failing; it is tried now and then");
        }
    }
}

impl Gateway for Paced {
    fn id(&self) -> &str {
        self.inner.id()
    }

    fn serves(&self, channel: Channel) -> bool {
        // A handset can show everything and serves only what it was configured for.
        let is_ours = self.channel == channel || (self.channel == Channel::Sms && channel == Channel::Mms);
        is_ours && self.inner.serves(channel)
    }

    fn send(&self, page: &Page, address: &Address) -> Sent {
        if let Err(refused) = self.enter() {
            return refused;
        }
        let sent = self.inner.send(page, address);
        self.leave(&sent);
        sent
    }

    fn look_up(&self, page: &Page) -> Option<LookedUp> {
        self.inner.look_up(page)
    }

    fn poll(&self) -> Option<(Ms, Ms)> {
        self.inner.poll()
    }

    fn receipt(&self, page: &Page, id: &str) -> Option<Fate> {
        self.inner.receipt(page, id)
    }

    fn told(&self, header: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Result<Vec<Told>, Denied> {
        self.inner.told(header, body)
    }
}

impl fmt::Debug for Paced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paced").field("id", &self.inner.id()).field("state", &self.state).finish_non_exhaustive()
    }
}
