//! Faults to plant: a store that is wrong in one way.
//!
//! Each stands for a mistake that somebody could make in the product: a write that is left out, doubled or late, a fence
//! that does not hold, a memory that is lost. Who must notice is told in `sim_faults` and `sim_files`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bongsu::model::wire::{silence_from_json, silence_to_json};
use bongsu::model::{
    BookCommit, Committed, Flush, Flushed, Incident, IncidentState, Input, Lease, MuteKind, Outcome, Owned, Reason,
    RowChange, SignalKey, Taken,
};
use bongsu::pipeline::scenario::Over;
use bongsu::pipeline::sim::Layer;
use bongsu::store::{MemoryStore, Result, Store};
use bongsu::time::Ms;

/// One mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A changed state row is not written.
    StateRowLost,
    /// A signal does not reach the leader.
    SignalLost,
    /// Two transactions of a leader are written in the wrong order.
    CommitsReordered,
    /// A transaction of a leader is said to be written and is not.
    CommitLost,
    /// What a person asked for is taken and does nothing.
    AckForgotten,
    /// What became of a page is taken and does nothing.
    OutcomeForgotten,
    /// A decided page gets no outbox row.
    PageLost,
    /// A decided page gets two.
    PageDoubled,
    /// A page that was taken back still leaves.
    CancelLost,
    /// The last group of a chain is told nothing.
    LastGroupEmpty,
    /// Somebody hears of an end who never heard of the beginning.
    EndToAStranger,
    /// After an unknown outcome a page is sent again without asking.
    SentWithoutAsking,
    /// A page that no gateway was given is taken for one that may have been sent.
    UnsentTakenForSent,
    /// That a page is sent again without asking is not written.
    ResendUnmarked,
    /// Whoever led before may still write.
    ZombieWrites,
    /// When a chain goes on is not written.
    TimerLost,
    /// Who was told is not written.
    ToldLost,
    /// An ack is not written with its incident.
    AckLost,
    /// A number that was given is not written.
    NumberReused,
    /// What waits without an incident of its own is not written.
    NotesLost,
    /// When a silence or planned work ends is not written.
    SilenceEndSkipped,
    /// A person ends a silence, and nothing comes of it.
    ExpireForgotten,
    /// A silence that waits for its approval is written as one that needs none.
    ApprovalSkipped,
    /// What planned work muted is written as muted when the work is over.
    MaintenanceEndIgnored,
    /// What another incident mutes is written as if nothing did.
    InhibitionForgotten,
    /// What hung under another incident and no longer does is written as if it still did.
    DetachLost,
    /// What hangs under another incident is written as if it did not.
    AttachLost,
    /// How often one-time codes took an incident is not written.
    CodeUsedTwice,
    /// Other rules, and what was known of each instance is gone.
    ReloadForgets,
}

impl Fault {
    pub(crate) const ALL: [Self; 29] = [
        Self::StateRowLost,
        Self::SignalLost,
        Self::CommitsReordered,
        Self::CommitLost,
        Self::AckForgotten,
        Self::OutcomeForgotten,
        Self::PageLost,
        Self::PageDoubled,
        Self::CancelLost,
        Self::LastGroupEmpty,
        Self::EndToAStranger,
        Self::SentWithoutAsking,
        Self::UnsentTakenForSent,
        Self::ResendUnmarked,
        Self::ZombieWrites,
        Self::TimerLost,
        Self::ToldLost,
        Self::AckLost,
        Self::NumberReused,
        Self::NotesLost,
        Self::SilenceEndSkipped,
        Self::ExpireForgotten,
        Self::ApprovalSkipped,
        Self::MaintenanceEndIgnored,
        Self::InhibitionForgotten,
        Self::DetachLost,
        Self::AttachLost,
        Self::CodeUsedTwice,
        Self::ReloadForgets,
    ];
}

/// A store in memory with a mistake.
#[derive(Debug)]
pub(crate) struct Planted {
    inner: Arc<MemoryStore>,
    fault: Fault,
    calls: AtomicI64,
    held: Mutex<Option<BookCommit>>,
    seen: AtomicUsize,
    /// Incidents as they were before.
    before: Mutex<BTreeMap<String, Incident>>,
    /// Rule sets under which was evaluated.
    rules: Mutex<BTreeSet<String>>,
}

/// A fresh store with a mistake.
pub(crate) fn over(fault: Fault) -> Over {
    let memory = Arc::new(MemoryStore::default());
    Over { way: Arc::new(Planted::new(fault, Arc::clone(&memory))), memory }
}

impl Planted {
    fn new(fault: Fault, inner: Arc<MemoryStore>) -> Self {
        let (calls, seen) = (AtomicI64::new(0), AtomicUsize::new(0));
        let (before, rules) = (Mutex::default(), Mutex::default());
        Self { inner, fault, calls, held: Mutex::new(None), seen, before, rules }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// One call in `every`.
    fn now_and_then(&self, every: i64) -> bool {
        self.calls.fetch_add(1, Ordering::SeqCst) % every == every - 1
    }

    /// The commit with its mistake.
    fn spoilt(&self, mut commit: BookCommit) -> BookCommit {
        match self.fault {
            Fault::PageLost if !commit.pages.is_empty() && self.now_and_then(5) => drop(commit.pages.pop()),
            Fault::PageDoubled if !commit.pages.is_empty() && self.now_and_then(5) => {
                let mut twin = commit.pages[0].clone();
                twin.id = format!("{}x", &twin.id[..29]);
                commit.pages.push(twin);
            }
            Fault::CancelLost => commit.cancels.clear(),
            // Two steps stand before it.
            Fault::LastGroupEmpty => commit.pages.retain(|page| page.step < 2 || page.reason == Reason::Resolved),
            Fault::EndToAStranger => {
                let end = commit.pages.iter().find(|page| page.reason == Reason::Resolved && page.to == "person-1");
                if let Some(mut end) = end.cloned() {
                    end.to = "person-3".to_owned();
                    end.id = format!("{}y", &end.id[..29]);
                    commit.pages.push(end);
                }
            }
            Fault::ZombieWrites => commit.epoch = self.inner.seat().unwrap().epoch,
            Fault::TimerLost => commit.chains.iter_mut().for_each(|chain| chain.due = None),
            Fault::ToldLost => commit.chains.iter_mut().for_each(|chain| chain.told.clear()),
            Fault::AckLost => {
                for incident in commit.incidents.iter_mut().filter(|it| it.state == IncidentState::Acked) {
                    (incident.state, incident.ack) = (IncidentState::Open, None);
                }
            }
            Fault::NumberReused => commit.counters.clear(),
            Fault::NotesLost => commit.notes.clear(),
            Fault::SilenceEndSkipped => {
                for (_, edge) in commit.notes.iter_mut().filter(|(key, _)| key.ends_with("mute/edge")) {
                    *edge = edge.take().and_then(|text| Some(format!("{} -", text.split_once(' ')?.0)));
                }
            }
            Fault::ApprovalSkipped => {
                for text in commit.notes.iter_mut().filter_map(|(_, text)| text.as_mut()) {
                    if let Some(mut silence) = serde_json::from_str(text).ok().and_then(|it| silence_from_json(&it)) {
                        silence.needs = None;
                        *text = silence_to_json(&silence).to_string();
                    }
                }
            }
            Fault::CodeUsedTwice => commit.incidents.iter_mut().for_each(|it| it.codes_used = 0),
            Fault::MaintenanceEndIgnored | Fault::InhibitionForgotten | Fault::DetachLost | Fault::AttachLost => {
                self.spoil_holds(&mut commit.incidents);
            }
            _ => {}
        }
        commit
    }

    /// What holds pages back is not written as it is.
    fn spoil_holds(&self, incidents: &mut [Incident]) {
        let mut known = self.before.lock().unwrap();
        for incident in incidents {
            let before = known.insert(incident.id.clone(), incident.clone());
            let was = |kind| before.as_ref().and_then(|it| it.muted.clone()).filter(|muted| muted.kind == kind);
            match self.fault {
                Fault::MaintenanceEndIgnored if incident.muted.is_none() => {
                    incident.muted = was(MuteKind::Maintenance);
                }
                Fault::InhibitionForgotten => {
                    incident.muted = incident.muted.take().filter(|muted| muted.kind != MuteKind::Inhibition);
                }
                Fault::DetachLost if incident.parent.is_none() => {
                    incident.parent = before.and_then(|it| it.parent);
                }
                Fault::AttachLost => incident.parent = None,
                _ => {}
            }
        }
    }
}

impl Layer for Planted {
    fn under(&self) -> &dyn Store {
        self.inner.as_ref()
    }

    fn own(&self, topic: &str, partition: i32, owner: &str) -> Result<Owned> {
        let mut owned = self.inner.own(topic, partition, owner)?;
        if self.is(Fault::ReloadForgets) && self.rules.lock().unwrap().len() > 1 {
            owned.rows.clear();
        }
        Ok(owned)
    }

    fn flush(&self, flush: &Flush) -> Result<Flushed> {
        let mut flush = flush.clone();
        self.rules.lock().unwrap().extend(flush.parts.iter().map(|part| part.progress.rules.clone()));
        if self.is(Fault::StateRowLost) && self.now_and_then(3) {
            for part in &mut flush.parts {
                if let Some(n) = part.rows.iter().position(|row| matches!(row, RowChange::Put(_))) {
                    part.rows.remove(n);
                }
            }
        }
        self.inner.flush(&flush)
    }

    fn beat(&self, epoch: i64) -> Result<bool> {
        // A zombie does not notice that it is one.
        let epoch = if self.is(Fault::ZombieWrites) { self.inner.seat()?.epoch } else { epoch };
        self.inner.beat(epoch)
    }

    fn inputs(&self, cursors: &[SignalKey], limit: usize) -> Result<Vec<Taken>> {
        let mut taken = self.inner.inputs(cursors, limit)?;
        if self.is(Fault::SignalLost) && taken.len() > 1 && self.now_and_then(5) {
            let signal = taken.iter().position(|taken| matches!(taken.input, Input::Signal { .. }));
            if let Some(at) = signal.filter(|at| at + 1 < taken.len()) {
                taken.remove(at);
            }
        }
        for input in &mut taken {
            let forgotten = match input.input {
                Input::Ack { .. } => self.is(Fault::AckForgotten),
                Input::Outcome { .. } => self.is(Fault::OutcomeForgotten),
                Input::Expire { .. } => self.is(Fault::ExpireForgotten),
                _ => false,
            };
            if forgotten {
                input.input = Input::Reload { hash: String::new(), contacts: Vec::new() };
            }
        }
        Ok(taken)
    }

    fn commit(&self, commit: &BookCommit) -> Result<Committed> {
        let commit = self.spoilt(commit.clone());
        if self.is(Fault::CommitLost) && self.now_and_then(9) {
            return Ok(Committed::Done);
        }
        if self.is(Fault::CommitsReordered) {
            let mut held = self.held.lock().unwrap();
            if let Some(earlier) = held.take() {
                self.inner.commit(&commit)?;
                return self.inner.commit(&earlier);
            }
            if self.now_and_then(7) {
                *held = Some(commit);
                return Ok(Committed::Done);
            }
        }
        self.inner.commit(&commit)
    }

    fn reclaim(&self, worker: &str, limit: usize, now: Ms, until: Ms) -> Result<Vec<Lease>> {
        let mut again = self.inner.reclaim(worker, limit, now, until)?;
        if self.is(Fault::SentWithoutAsking) {
            again.iter_mut().for_each(|lease| (lease.unknown_before, lease.resent) = (false, false));
            self.seen.fetch_add(again.len(), Ordering::SeqCst);
        }
        if self.is(Fault::UnsentTakenForSent) {
            again.iter_mut().for_each(|lease| lease.sending.submitted = Some(now));
        }
        Ok(again)
    }

    fn outcome(&self, lease: &Lease, outcome: &Outcome, now: Ms) -> Result<bool> {
        if self.is(Fault::ResendUnmarked) && *outcome == Outcome::Resent {
            return Ok(true);
        }
        self.inner.outcome(lease, outcome, now)
    }
}
