//! The leader's side in memory: see `store::book`, whose checks it shares.

use std::collections::BTreeMap;

use super::{Answered, Slot, Tables};
use crate::model::{
    BookCommit, BookRows, Committed, Entry, Fingerprint, Incident, IncidentState, Input, PageRow, PageState, Seat,
    SignalKey, Taken,
};
use crate::store::Result;
use crate::store::book::{backwards, check_entries, not_takable, not_waiting};
use crate::store::ledger::Chain;
use crate::store::rows::corrupt;
use crate::time::Ms;

impl Tables {
    /// Whoever sits under `epoch` is at work.
    pub(super) fn beat(&mut self, epoch: i64) -> bool {
        let sits = self.seat.epoch == epoch && epoch > 0;
        self.seat.beat += i64::from(sits);
        sits
    }

    pub(super) fn lead(&mut self, owner: &str, seen: &Seat) -> Option<BookRows> {
        let Seat { epoch, beat, .. } = self.seat;
        if (epoch, beat) != (seen.epoch, seen.beat) {
            return None;
        }
        let beat = if epoch == 0 { 0 } else { beat + 1 };
        self.seat = Seat { epoch: epoch + 1, owner: owner.to_owned(), beat };
        let open = |id: &str| self.incidents.get(id).is_some_and(is_open);
        // One that expired may not be known to the ledger yet.
        let is_of_open = |row: &PageRow| row.state != PageState::Cancelled && open(&row.page.incident);
        let pages = self.outbox.values().filter(|slot| !slot.is_final() || is_of_open(&slot.row));
        let mut pages: Vec<PageRow> = pages.map(|slot| slot.row.clone()).collect();
        pages.sort_by(|a, b| (a.page.decided, &a.page.id).cmp(&(b.page.decided, &b.page.id)));
        Some(BookRows {
            epoch: self.seat.epoch,
            cursors: self.cursors.iter().map(|((topic, partition), seq)| key(topic, *partition, *seq)).collect(),
            incidents: self.incidents.values().filter(|incident| is_open(incident)).cloned().collect(),
            chains: self.chains.values().filter(|chain| open(&chain.incident)).cloned().collect(),
            pages,
            counters: self.counters.iter().map(|(name, last)| (name.clone(), *last)).collect(),
            notes: self.notes.iter().map(|(name, json)| (name.clone(), json.clone())).collect(),
            input_no: self.ledger.last().map_or(0, |entry| entry.input_no),
            hash: self.ledger.last().map_or(Entry::GENESIS, |entry| &entry.hash).to_owned(),
        })
    }

    pub(super) fn inputs(&self, cursors: &[SignalKey], most: usize) -> Vec<Taken> {
        let rows = self.waiting.iter().take(most);
        let mut inputs: Vec<Taken> =
            rows.map(|(id, (_, input))| Taken { row: Some(*id), input: input.clone() }).collect();
        let taken: BTreeMap<(&str, i32), i64> =
            cursors.iter().map(|key| ((key.topic.as_str(), key.partition), key.seq)).collect();
        let heard = self.parts.values().map(|part| part.progress.heard).sum();
        for ((topic, partition), part) in &self.parts {
            let after = taken.get(&(topic.as_str(), *partition)).copied().unwrap_or(0);
            if part.progress.seq <= after {
                continue;
            }
            let room = most - inputs.len();
            let above = part.signals.range(after + 1..).take(room);
            // A seq that is missing would be taken too late if the reading went on behind it.
            let gapless = (after + 1..).zip(above).take_while(|(wanted, (seq, _))| wanted == *seq);
            inputs.extend(gapless.map(|(seq, (_, signal))| Taken {
                row: None,
                input: Input::Signal {
                    key: key(topic, *partition, seq),
                    signal: signal.clone(),
                    heard,
                    caught_up: part.progress.caught_up,
                    came: part.came.get(&seq).copied(),
                },
            }));
        }
        inputs
    }

    pub(super) fn commit(&mut self, commit: &BookCommit) -> Result<Committed> {
        if self.seat.epoch != commit.epoch || self.seat.epoch == 0 {
            return Ok(Committed::Fenced);
        }
        let pages = self.check_pages(commit)?;
        if !self.check_cancels(commit, &pages)? {
            return Ok(Committed::HandedMeanwhile);
        }
        let end = self.ledger.last().map_or_else(Chain::default, |entry| Chain::after(entry.input_no, &entry.hash));
        check_entries(end, &commit.entries)?;
        self.check_taken(commit)?;
        let live = self.check_live(&commit.incidents)?;
        self.live.extend(live.iter().filter_map(|(of, id)| Some((*of, (*id)?.to_owned()))));
        for closed in live.iter().filter_map(|(of, id)| id.is_none().then_some(of)) {
            self.live.remove(closed);
        }
        if let Some(step) = commit.clock {
            self.outbox.values_mut().for_each(|slot| slot.set_clock(step));
        }
        self.outbox.extend(pages);
        self.seat.beat += 1;
        self.write(commit);
        Ok(Committed::Done)
    }

    /// The pages that are new; refuses another page of a known id.
    fn check_pages(&self, commit: &BookCommit) -> Result<BTreeMap<String, Slot>> {
        let mut new: BTreeMap<String, Slot> = BTreeMap::new();
        for page in &commit.pages {
            match self.outbox.get(&page.id).or_else(|| new.get(&page.id)) {
                None => drop(new.insert(page.id.clone(), Slot::new(page.clone(), commit.queued))),
                // What was given back has another `due` in its row, not in its page.
                Some(slot) if slot.row.page == *page => {}
                Some(_) => return Err(corrupt("outbox", &page.id, "another page has this id")),
            }
        }
        Ok(new)
    }

    /// `false`: a page to cancel no longer waits.
    fn check_cancels(&self, commit: &BookCommit, new: &BTreeMap<String, Slot>) -> Result<bool> {
        let mut seen = std::collections::BTreeSet::new();
        for cancel in &commit.cancels {
            let state = self.outbox.get(&cancel.page).or_else(|| new.get(&cancel.page)).map(|slot| slot.row.state);
            let state = if seen.insert(&cancel.page) { state } else { Some(PageState::Cancelled) };
            if state != Some(PageState::Waiting) {
                return not_waiting(&cancel.page, state.map(PageState::word));
            }
        }
        Ok(true)
    }

    fn check_taken(&self, commit: &BookCommit) -> Result<()> {
        let mut seen = std::collections::BTreeSet::new();
        for row in &commit.taken {
            if !self.waiting.contains_key(&row.row) || !seen.insert(row.row) {
                return Err(not_takable(row.row));
            }
        }
        let mut moved: BTreeMap<(&str, i32), i64> = BTreeMap::new();
        for key in &commit.cursors {
            let stored = self.cursors.get(&(key.topic.clone(), key.partition)).copied();
            let at = moved.get(&(key.topic.as_str(), key.partition)).copied().or(stored);
            if at.is_some_and(|at| at > key.seq) {
                return Err(backwards(key));
            }
            moved.insert((&key.topic, key.partition), key.seq);
        }
        Ok(())
    }

    /// What becomes of [`Tables::live`]; refuses a second incident of one fingerprint.
    fn check_live<'a>(&self, incidents: &'a [Incident]) -> Result<BTreeMap<Fingerprint, Option<&'a str>>> {
        let mut changed: BTreeMap<Fingerprint, Option<&str>> = BTreeMap::new();
        let closing = incidents.iter().filter(|incident| !is_open(incident));
        for incident in closing.chain(incidents.iter().filter(|incident| is_open(incident))) {
            let of = incident.fingerprint;
            let id = changed.get(&of).copied().unwrap_or_else(|| self.live.get(&of).map(String::as_str));
            let other = id.is_some_and(|id| id != incident.id);
            match (is_open(incident), other) {
                (true, true) => {
                    return Err(corrupt("incidents", &incident.id, "another one of its fingerprint is not closed"));
                }
                (true, false) => drop(changed.insert(of, Some(&incident.id))),
                (false, true) => {}
                (false, false) => drop(changed.insert(of, None)),
            }
        }
        Ok(changed)
    }

    /// Writes what was checked.
    fn write(&mut self, commit: &BookCommit) {
        for cancel in &commit.cancels {
            if let Some(slot) = self.outbox.get_mut(&cancel.page) {
                slot.row.state = PageState::Cancelled;
                slot.row.detail.clone_from(&cancel.why);
            }
        }
        self.ledger.extend(commit.entries.iter().cloned());
        for row in &commit.taken {
            if let Some((at, _)) = self.waiting.remove(&row.row) {
                self.taken.insert(row.row, Answered { at, done: row.done, answer: row.answer.clone() });
            }
        }
        self.cursors.extend(commit.cursors.iter().map(|key| ((key.topic.clone(), key.partition), key.seq)));
        self.incidents.extend(commit.incidents.iter().map(|incident| (incident.id.clone(), incident.clone())));
        self.chains.extend(commit.chains.iter().map(|chain| (chain.incident.clone(), chain.clone())));
        self.counters.extend(commit.counters.iter().cloned());
        for (name, json) in &commit.notes {
            match json {
                Some(json) => drop(self.notes.insert(name.clone(), json.clone())),
                None => drop(self.notes.remove(name)),
            }
        }
    }

    pub(super) fn put_input(&mut self, input: Input, now: Ms) -> i64 {
        self.last_input += 1;
        self.waiting.insert(self.last_input, (now, input));
        self.last_input
    }
}

fn is_open(incident: &Incident) -> bool {
    incident.state != IncidentState::Closed
}

pub(super) fn key(topic: &str, partition: i32, seq: i64) -> SignalKey {
    SignalKey { topic: topic.to_owned(), partition, seq }
}
