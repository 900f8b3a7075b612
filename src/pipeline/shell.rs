//! The service: the only place that starts threads, and the order in which everything ends.
//!
//! One thread per role, each a loop over a blocking turn (`Evaluator::step`, `Leading::step`, `Worker::run`), woken by
//! bells, and a small runtime for the console. What dies takes the service down with it, in order: a stage that is gone
//! must be seen, not missed.
//!
//! The end, upstream first, under one deadline: agent, door, evaluator (reads what is there, last flush), log writer,
//! leader, senders, and the console last, so that an operator can watch. Whatever does not make it is found again at the
//! next start: nothing durable depends on a clean end.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::evaluate::Setup;
use crate::notify::Worker;
use crate::pipeline::asks::Asks;
use crate::pipeline::evaluator::{EvaluateError, Evaluator};
use crate::pipeline::front::Board;
use crate::pipeline::gate::Gate;
use crate::pipeline::leader::World;
use crate::pipeline::leading::Leading;
use crate::pipeline::paces::Paces;
use crate::pipeline::publish;
use crate::pipeline::wake::{Bells, Wake};
use crate::store::Store;
use crate::telemetry::Metrics;
use crate::time::{Clock, Ms, SECOND};

/// One deadline for the whole end; well under the 30 s after which service managers kill.
const DRAIN: Ms = 10 * SECOND;
/// The evaluator waits for records at most so long before it looks at its timers.
const READ_WAIT: Duration = Duration::from_millis(50);
/// After trouble with the log.
const LOG_RETRY: Duration = Duration::from_secs(1);
/// Leader and senders look at the store this often without being woken: what other processes wrote wakes nobody.
const LEAD_POLL: Duration = Duration::from_millis(50);
/// Until it has its first partition, but no longer, an evaluator counts as starting.
const STARTING_MAX: Ms = 10 * SECOND;
/// Stages publish how they are this often.
const PUBLISH_EVERY: Ms = SECOND;

/// The months of services are read this often.
const MONTHS_EVERY: Ms = 10 * SECOND;

/// What an evaluator says of itself until it has its first partition.
pub(super) const STARTING: &str = "판정 단계를 시작하는 중입니다";

/// What every thread may need.
#[derive(Debug, Clone)]
pub struct Shared {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Own metrics.
    pub metrics: Arc<Metrics>,
    /// Where stages publish how they are.
    pub board: Arc<Board>,
    /// Wakes the leader.
    pub lead: Arc<Wake>,
    /// Wakes the senders; those of other processes look for themselves.
    pub senders: Arc<Bells>,
    /// Questions to the evaluator.
    pub asks: Arc<Asks>,
    /// What senders wait for after a start.
    pub gate: Arc<Gate>,
    /// How much the sweeper found overdue at its last look.
    pub overdue: Arc<AtomicUsize>,
    /// How long channels take.
    pub paces: Arc<Paces>,
    /// The leader is to load itself anew.
    pub anew: Arc<Mail<()>>,
    /// Why the service ends, where it was not asked to.
    ended: Sender<(&'static str, String)>,
}

/// Rules, contacts and inventory on their way to a running stage: the newest wins.
#[derive(Debug)]
pub struct Mail<T>(Mutex<Option<T>>);

impl<T> Default for Mail<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<T> Mail<T> {
    /// Leaves a value.
    pub fn put(&self, value: T) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    /// Takes it.
    pub fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A running thread of the service.
#[derive(Debug)]
pub struct Stage {
    name: &'static str,
    stop: Arc<Wake>,
    thread: JoinHandle<()>,
}

/// All threads, in the order in which they end.
#[derive(Debug)]
pub struct Shell {
    /// What the threads share.
    pub shared: Shared,
    stages: Vec<Stage>,
    ended: Receiver<(&'static str, String)>,
}

impl Shell {
    /// No thread yet.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, metrics: Arc<Metrics>) -> Self {
        let (tell, ended) = channel();
        let shared = Shared {
            store,
            clock,
            metrics,
            board: Arc::new(Board::default()),
            lead: Arc::new(Wake::default()),
            senders: Arc::default(),
            asks: Arc::new(Asks::default()),
            gate: Arc::default(),
            overdue: Arc::default(),
            paces: Arc::default(),
            anew: Arc::default(),
            ended: tell,
        };
        Self { shared, stages: Vec::new(), ended }
    }

    /// Starts `work` on a thread of its own; it must return soon after its bell was stopped. Stages end in the order in
    /// which they were started here.
    pub fn start(
        &mut self,
        name: &'static str,
        work: impl FnOnce(&Shared, &Wake) -> Result<(), String> + Send + 'static,
    ) -> std::io::Result<Arc<Wake>> {
        let stop = Arc::new(Wake::default());
        let (shared, bell) = (self.shared.clone(), Arc::clone(&stop));
        let body = move || {
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&shared, &bell)));
            let why = match done {
                Ok(Ok(())) if bell.is_stopped() => return,
                Ok(Ok(())) => "ended by itself".to_owned(),
                Ok(Err(why)) => why,
                Err(_) => "stopped by a bug; see the lines above".to_owned(),
            };
            tracing::error!(stage = name, why, "a stage ended");
            // Nobody listens any more only when the service is ending already.
            let _ = shared.ended.send((name, why));
        };
        let thread = std::thread::Builder::new().name(format!("bongsu-{name}")).spawn(body)?;
        self.stages.push(Stage { name, stop: Arc::clone(&stop), thread });
        Ok(stop)
    }

    /// Waits until `asked` says to end or a stage ended by itself; the latter's name and reason.
    pub fn wait(&self, asked: &AtomicBool) -> Option<(&'static str, String)> {
        loop {
            match self.ended.recv_timeout(Duration::from_millis(100)) {
                Ok(ended) => return Some(ended),
                Err(_) if asked.load(Ordering::SeqCst) => return None,
                Err(_) => {}
            }
        }
    }

    /// Ends every stage in order, under one deadline. `false`: some did not make it.
    pub fn end(self) -> bool {
        let until = self.shared.clock.elapsed() + DRAIN;
        let mut clean = true;
        for stage in self.stages {
            stage.stop.stop();
            while !stage.thread.is_finished() && self.shared.clock.elapsed() < until {
                // The bell of a stage that ended is never rung: this only waits.
                Wake::default().wait(Duration::from_millis(5));
            }
            if stage.thread.is_finished() {
                clean &= stage.thread.join().is_ok();
                tracing::info!(stage = stage.name, "ended");
            } else {
                clean = false;
                tracing::warn!(
                    stage = stage.name,
                    "did not end in time; what it held is found again at the next start"
                );
            }
        }
        clean
    }
}

/// The `evaluate` role: turns until it is stopped, then what is still there, then a last flush.
pub fn evaluate(mut evaluator: Evaluator, mail: &Mail<Arc<Setup>>, shared: &Shared, stop: &Wake) -> Result<(), String> {
    let mut published: Option<Ms> = None;
    let began = shared.clock.elapsed();
    while !stop.is_stopped() {
        let reloaded = mail.take().map_or(Ok(()), |setup| evaluator.reload(setup));
        let mut away = false;
        let trouble = match reloaded.and_then(|()| evaluator.step(READ_WAIT)) {
            Ok(turn) => {
                if turn.signalled {
                    shared.lead.ring();
                }
                evaluator.trouble()
            }
            Err(EvaluateError::Log(crate::log::LogError::Unavailable { what, why })) => {
                tracing::warn!(what, why, "the log is away, trying again");
                stop.wait(LOG_RETRY);
                Some(format!("로그에 접근할 수 없습니다: {what}"))
            }
            Err(EvaluateError::Store(crate::store::StoreError::Unavailable { what, why })) => {
                away = true;
                tracing::warn!(what, why, "the store is away, trying again");
                stop.wait(LOG_RETRY);
                Some(store_away(&what))
            }
            Err(other) => return Err(other.to_string()),
        };
        shared.asks.answer(evaluator.lanes(), &evaluator.setup().rules);
        let now = shared.clock.elapsed();
        // At a first start the log's end is where work begins: what is sent before that is the past.
        let starting = evaluator.places().next().is_none() && now - began < STARTING_MAX;
        let trouble = trouble.or_else(|| starting.then(|| STARTING.to_owned()));
        if evaluator.has_judged() {
            shared.gate.has_read();
        }
        shared.board.report("evaluate", now, trouble);
        shared.board.store("evaluate", now, away || evaluator.lacks_store());
        if published.is_none_or(|before| now - before >= PUBLISH_EVERY) {
            published = Some(now);
            publish::evaluation(&evaluator, shared);
        }
    }
    drain(&mut evaluator, shared).map_err(|error| error.to_string())
}

fn store_away(what: &str) -> String {
    format!("저장소에 접근할 수 없습니다: {what}")
}

/// Takes what the log still holds, without waiting for more, and makes it durable.
fn drain(evaluator: &mut Evaluator, shared: &Shared) -> Result<(), EvaluateError> {
    while evaluator.step(Duration::ZERO)?.heard {}
    if evaluator.finish()?.signalled {
        shared.lead.ring();
    }
    Ok(())
}

/// The `incident` role.
pub fn lead(mut leading: Leading, mail: &Mail<Arc<World>>, shared: &Shared, stop: &Wake) -> Result<(), String> {
    let mut published: Option<Ms> = None;
    while !stop.is_stopped() {
        if let Some(world) = mail.take() {
            leading.reload(world);
        }
        if shared.anew.take().is_some() {
            leading.start_anew();
        }
        let busy = leading.step().map_err(|error| error.to_string())?;
        if let Some(leader) = leading.leader() {
            shared.gate.is_led();
            if busy {
                publish::decided(leader.view(), shared);
                if !leader.view().pages.is_empty() {
                    shared.senders.ring();
                }
            }
            let now = shared.clock.elapsed();
            if published.is_none_or(|before| now - before >= MONTHS_EVERY) {
                published = Some(now);
                publish::months(leader, shared);
            }
        }
        shared.metrics.leads.set(i64::from(leading.leader().is_some()));
        let lost = &shared.metrics.lead_lost;
        lost.inc_by(leading.fenced.saturating_sub(lost.get()));
        let trouble = leading.trouble().map(|why| format!("저장소에 접근할 수 없습니다: {why}"));
        let now = shared.clock.elapsed();
        shared.board.store("incident", now, trouble.is_some());
        shared.board.report("incident", now, trouble);
        if !busy {
            shared.lead.wait(LEAD_POLL);
        }
    }
    leading.finish().map_err(|error| error.to_string())
}

/// The `notify` role: one sender.
pub fn send(mut worker: Worker, owner: &str, shared: &Shared, stop: &Wake) {
    while !shared.gate.is_open(shared.store.as_ref(), owner, shared.clock.elapsed()) {
        shared.board.report("notify", shared.clock.elapsed(), None);
        if stop.is_stopped() {
            return;
        }
        stop.wait(LEAD_POLL);
    }
    let mut idle_at_end = false;
    while !idle_at_end {
        let stopping = stop.is_stopped();
        let did = worker.step(shared.clock.wall());
        publish::sent(&did, shared);
        let idle = did.pages.is_empty();
        if did.trouble.is_some() || idle {
            idle_at_end = stopping;
            stop.wait(LEAD_POLL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ENGINE_DISK, Inventory, Labels, RuleSet, State};
    use crate::pipeline::sim::people;
    use crate::pipeline::watch::own;
    use crate::store::MemoryStore;
    use crate::time::SystemClock;

    #[test]
    fn a_leader_that_decides_pages_wakes_every_sender() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let mut shell = Shell::new(Arc::clone(&store), Arc::clone(&clock), Arc::new(Metrics::new(0)));
        let bells = [Arc::new(Wake::default()), Arc::new(Wake::default())];
        bells.iter().for_each(|bell| shell.shared.senders.add(Arc::clone(bell)));
        let world = Arc::new(World::new(RuleSet::default(), people(), Inventory::default()));
        let leading = Leading::new(store, clock, "one", world);
        shell.start("incident", move |shared, stop| lead(leading, &Mail::default(), shared, stop)).expect("a thread");
        let look = || Wake::default().wait(Duration::from_millis(5));
        while shell.shared.store.seat().is_ok_and(|seat| seat.is_free()) {
            look();
        }
        assert!(bells.iter().all(|bell| !bell.is_rung()), "nothing to send yet");
        own(&shell.shared, &ENGINE_DISK, Labels::default(), State::Firing);
        let rung = (0..2_000).any(|_| {
            look();
            bells.iter().all(|bell| bell.is_rung())
        });
        assert!(rung, "{:?}", shell.shared.store.inputs(&[], 10).map(|left| left.len()));
        assert!(shell.end());
    }
}
