//! The store in memory: the same contract over plain maps, for simulated worlds and tests.
//!
//! The idea: what stands in here is what would be on disk. A simulated crash drops everything else and goes on with the
//! same store, or with a [`MemoryStore::snapshot`] taken earlier. Every call checks first and writes afterwards, so
//! that a refusal leaves nothing behind.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::outbox::Want;
use super::reading::PURGE_MAX;
use super::rows::is_bad;
use super::{About, Purged, Result, Store, flush};
use crate::model::{
    BookCommit, BookRows, Came, ChainRow, Committed, Entry, Fingerprint, Flush, Flushed, Incident, IncidentState,
    Input, Lease, Outcome, Owned, Page, PageRow, PageState, PartFlush, Progress, RowChange, Seat, Severity, Signal,
    SignalKey, StateRow, Taken,
};
use crate::time::Ms;

mod book;
mod outbox;

/// A store that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

/// Everything durable.
#[derive(Debug, Clone, Default)]
struct Tables {
    parts: BTreeMap<(String, i32), Part>,
    states: BTreeMap<(String, Fingerprint), (i32, StateRow)>,
    /// Id of the last input.
    last_input: i64,
    waiting: BTreeMap<i64, (Ms, Input)>,
    taken: BTreeMap<i64, Answered>,
    seat: Seat,
    cursors: BTreeMap<(String, i32), i64>,
    incidents: BTreeMap<String, Incident>,
    /// The incident of each fingerprint that is not closed.
    live: BTreeMap<Fingerprint, String>,
    chains: BTreeMap<String, ChainRow>,
    outbox: BTreeMap<String, Slot>,
    counters: BTreeMap<String, i64>,
    ledger: Vec<Entry>,
    notes: BTreeMap<String, String>,
}

/// A partition.
#[derive(Debug, Clone, Default)]
struct Part {
    epoch: i64,
    known: bool,
    progress: Progress,
    signals: BTreeMap<i64, Signal>,
    came: BTreeMap<i64, Came>,
}

/// An input that was taken.
#[derive(Debug, Clone)]
struct Answered {
    at: Ms,
    done: bool,
    answer: String,
}

/// An outbox row.
#[derive(Debug, Clone)]
struct Slot {
    row: PageRow,
    /// Not to be leased before: the page's own `due`, or a later one since it was given back.
    due: Ms,
    /// The page's own, or another one since the wall clock was set.
    wanted: Ms,
    /// The same.
    deadline: Ms,
    worker: String,
    epoch: i64,
    until: Ms,
    doubt: bool,
    resent: bool,
}

impl MemoryStore {
    /// A copy as it stands now, with a life of its own.
    pub fn snapshot(&self) -> Self {
        Self { tables: Mutex::new(self.tables().clone()) }
    }

    /// An incident by its number.
    pub fn incident(&self, id: &str) -> Option<Incident> {
        self.tables().incidents.get(id).cloned()
    }

    /// A page by its id.
    pub fn page(&self, id: &str) -> Option<Page> {
        self.tables().outbox.get(id).map(|slot| slot.row.page.clone())
    }

    /// Notes whose key begins with `prefix`, by key.
    pub fn notes(&self, prefix: &str) -> Vec<(String, String)> {
        let tables = self.tables();
        let found = tables.notes.iter().filter(|(key, _)| key.starts_with(prefix));
        found.map(|(key, text)| (key.clone(), text.clone())).collect()
    }

    /// When a sender has something to do at the earliest: a page is due, a lease or the time for a page ends.
    pub fn next_due(&self) -> Option<Ms> {
        let tables = self.tables();
        let waits = tables.outbox.values().filter_map(|slot| match slot.row.state {
            PageState::Waiting => Some(slot.due.min(slot.deadline + 1)),
            PageState::Handed => Some(slot.until),
            _ => None,
        });
        waits.min()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn own(&mut self, topic: &str, partition: i32) -> Owned {
        let part = self.parts.entry((topic.to_owned(), partition)).or_default();
        part.epoch += 1;
        part.progress.caught_up = false;
        let mine = self.states.iter().filter(|((of, _), (at, _))| of == topic && *at == partition);
        Owned {
            epoch: part.epoch,
            progress: part.known.then(|| part.progress.clone()),
            rows: mine.map(|(_, (_, row))| row.clone()).collect(),
        }
    }

    /// Whether `part` may be written.
    fn admits(&self, topic: &str, part: &PartFlush) -> Result<bool> {
        flush::check_seqs(topic, part)?;
        let Some(stored) = self.parts.get(&(topic.to_owned(), part.partition)) else { return Ok(false) };
        if stored.epoch != part.epoch || stored.progress.offset != part.from {
            return Ok(false);
        }
        let before = part.progress.seq.saturating_sub_unsigned(part.signals.len() as u64);
        if before != stored.progress.seq {
            let why = format!("{before} does not follow the stored {}", stored.progress.seq);
            return Err(flush::gap(topic, part.partition, &why));
        }
        Ok(true)
    }

    fn flush(&mut self, flush: &Flush) -> Result<Flushed> {
        let mut parts: Vec<&PartFlush> = flush.parts.iter().collect();
        parts.sort_by_key(|part| part.partition);
        let mut fenced = Vec::new();
        for part in &parts {
            if !self.admits(&flush.topic, part)? {
                fenced.push(part.partition);
            }
        }
        if !fenced.is_empty() {
            return Ok(Flushed::Fenced(fenced));
        }
        for part in &parts {
            self.advance(&flush.topic, part);
        }
        for (fingerprint, (partition, row)) in flush::puts(&parts) {
            self.states.insert((flush.topic.clone(), fingerprint), (partition, row.clone()));
        }
        Ok(Flushed::Done)
    }

    fn advance(&mut self, topic: &str, part: &PartFlush) {
        for change in &part.rows {
            if let RowChange::Remove(fingerprint) = change {
                let key = (topic.to_owned(), *fingerprint);
                if self.states.get(&key).is_some_and(|(at, _)| *at == part.partition) {
                    self.states.remove(&key);
                }
            }
        }
        let stored = self.parts.entry((topic.to_owned(), part.partition)).or_default();
        stored.known = true;
        stored.progress = part.progress.clone();
        stored.signals.extend(part.signals.iter().cloned());
        stored.came.extend(part.came.iter().map(|(seq, came)| (*seq, *came)));
    }

    fn purge(&mut self, before: Ms) -> Purged {
        let mut purged = Purged::default();
        for (key, part) in &mut self.parts {
            let taken = self.cursors.get(key).copied().unwrap_or(0);
            part.signals.retain(|seq, signal| {
                let keep = signal.at >= before || *seq > taken || purged.signals >= PURGE_MAX;
                purged.signals += usize::from(!keep);
                keep
            });
            part.came.retain(|seq, _| part.signals.contains_key(seq));
        }
        self.taken.retain(|_, input| {
            let keep = input.at >= before || purged.inputs >= PURGE_MAX;
            purged.inputs += usize::from(!keep);
            keep
        });
        let incidents = &self.incidents;
        self.outbox.retain(|_, slot| {
            let page = &slot.row.page;
            let live = incidents.get(&page.incident).is_some_and(|incident| incident.state != IncidentState::Closed);
            let keep = page.decided >= before || !slot.is_final() || live || purged.pages >= PURGE_MAX;
            purged.pages += usize::from(!keep);
            keep
        });
        purged
    }
}

/// The first `most` of `all` in the order of `key`, the greatest first.
fn newest<T, K: Ord>(mut all: Vec<T>, most: usize, key: impl Fn(&T) -> K) -> Vec<T> {
    all.sort_by_key(|item| std::cmp::Reverse(key(item)));
    all.truncate(most);
    all
}

impl Store for MemoryStore {
    fn own(&self, topic: &str, partition: i32, _owner: &str) -> Result<Owned> {
        Ok(self.tables().own(topic, partition))
    }

    fn progress(&self, topic: &str, partition: i32) -> Result<Option<(i64, Progress)>> {
        let tables = self.tables();
        Ok(tables.parts.get(&(topic.to_owned(), partition)).map(|part| (part.epoch, part.progress.clone())))
    }

    fn flush(&self, flush: &Flush) -> Result<Flushed> {
        self.tables().flush(flush)
    }

    fn seat(&self) -> Result<Seat> {
        Ok(self.tables().seat.clone())
    }

    fn lead(&self, owner: &str, seen: &Seat) -> Result<Option<BookRows>> {
        Ok(self.tables().lead(owner, seen))
    }

    fn beat(&self, epoch: i64) -> Result<bool> {
        Ok(self.tables().beat(epoch))
    }

    fn give_up(&self, epoch: i64) -> Result<bool> {
        let mut tables = self.tables();
        let sat = tables.beat(epoch);
        if sat {
            tables.seat.owner.clear();
        }
        Ok(sat)
    }

    fn inputs(&self, cursors: &[SignalKey], limit: usize) -> Result<Vec<Taken>> {
        Ok(self.tables().inputs(cursors, limit))
    }

    fn cursors(&self) -> Result<Vec<SignalKey>> {
        Ok(self.tables().cursors.iter().map(|((topic, p), seq)| book::key(topic, *p, *seq)).collect())
    }

    fn partitions(&self) -> Result<Vec<(String, i32, Progress)>> {
        let tables = self.tables();
        let all = tables.parts.iter();
        Ok(all.map(|((topic, partition), part)| (topic.clone(), *partition, part.progress.clone())).collect())
    }

    fn commit(&self, commit: &BookCommit) -> Result<Committed> {
        self.tables().commit(commit)
    }

    fn add_input(&self, input: &Input, now: Ms) -> Result<i64> {
        super::book::check_input(input)?;
        Ok(self.tables().put_input(input.clone(), now))
    }

    fn answer(&self, row: i64) -> Result<Option<(bool, String)>> {
        let tables = self.tables();
        match tables.taken.get(&row) {
            Some(input) => Ok(Some((input.done, input.answer.clone()))),
            None if tables.waiting.contains_key(&row) => Ok(None),
            None => Err(super::book::no_input(row)),
        }
    }

    fn claim(&self, worker: &str, severity: Option<Severity>, limit: usize, now: Ms, until: Ms) -> Result<Vec<Lease>> {
        Ok(self.tables().claim(&Want { worker, severity, limit, now, until }))
    }

    fn reclaim(&self, worker: &str, limit: usize, now: Ms, until: Ms) -> Result<Vec<Lease>> {
        Ok(self.tables().reclaim(&Want { worker, severity: None, limit, now, until }))
    }

    fn renew(&self, lease: &Lease, until: Ms) -> Result<bool> {
        Ok(self.tables().held(lease).map(|slot| slot.until = until).is_some())
    }

    fn submit(&self, lease: &Lease, now: Ms, until: Ms) -> Result<bool> {
        let mut tables = self.tables();
        let Some(slot) = tables.held(lease) else { return Ok(false) };
        slot.until = until;
        slot.row.sending.submitted = Some(now);
        Ok(true)
    }

    fn outcome(&self, lease: &Lease, outcome: &Outcome, now: Ms) -> Result<bool> {
        Ok(self.tables().outcome(lease, outcome, now))
    }

    fn give_back(&self, lease: &Lease, why: &str, due: Ms) -> Result<bool> {
        Ok(self.tables().give_back(lease, why, due))
    }

    fn expire(&self, now: Ms) -> Result<usize> {
        Ok(self.tables().expire(now))
    }

    fn incidents(&self, limit: usize) -> Result<Vec<Incident>> {
        let all = self.tables().incidents.values().cloned().collect();
        Ok(newest(all, limit, |incident: &Incident| (incident.detected, incident.id.clone())))
    }

    fn accepted(&self, since: Ms, limit: usize) -> Result<Vec<PageRow>> {
        let tables = self.tables();
        let rows = tables.outbox.values().map(|slot| &slot.row);
        let fits = |row: &&PageRow| row.state == PageState::Accepted && row.page.decided >= since;
        Ok(newest(rows.filter(fits).cloned().collect(), limit, |row: &PageRow| (row.page.decided, row.page.id.clone())))
    }

    fn receipt(&self, about: &About<'_>, outcome: &Outcome, now: Ms) -> Result<Option<PageRow>> {
        self.tables().receipt(about, outcome, now)
    }

    fn pages(&self, incident: Option<&str>, limit: usize) -> Result<Vec<PageRow>> {
        let tables = self.tables();
        let rows = tables.outbox.values().map(|slot| &slot.row);
        let all = rows.filter(|row| incident.is_none_or(|id| row.page.incident == id)).cloned().collect();
        Ok(newest(all, limit, |row: &PageRow| (row.page.decided, row.page.id.clone())))
    }

    fn overdue(&self, now: Ms, before: Ms) -> Result<Vec<crate::model::Overdue>> {
        Ok(self.tables().overdue(now, before))
    }

    fn notes(&self, prefix: &str) -> Result<Vec<(String, String)>> {
        let tables = self.tables();
        let under = tables.notes.range(prefix.to_owned()..).take_while(|(name, _)| name.starts_with(prefix));
        Ok(under.map(|(name, text)| (name.clone(), text.clone())).collect())
    }

    fn states(&self, limit: usize) -> Result<Vec<StateRow>> {
        let tables = self.tables();
        let bad = tables.states.values().map(|(_, row)| row).filter(|row| is_bad(row));
        Ok(bad.take(limit).cloned().collect())
    }

    fn ledger(&self, after: i64, limit: usize) -> Result<Vec<Entry>> {
        let tables = self.tables();
        let first = tables.ledger.partition_point(|entry| entry.input_no <= after);
        Ok(tables.ledger.iter().skip(first).take(limit).cloned().collect())
    }

    fn signals(&self, topic: &str, partition: i32, after: i64, limit: usize) -> Result<Vec<(i64, Signal)>> {
        let tables = self.tables();
        let Some(part) = tables.parts.get(&(topic.to_owned(), partition)) else { return Ok(Vec::new()) };
        let above = part.signals.range(after.saturating_add(1)..);
        Ok(above.take(limit).map(|(seq, signal)| (*seq, signal.clone())).collect())
    }

    fn purge(&self, before: Ms) -> Result<Purged> {
        Ok(self.tables().purge(before))
    }
}
