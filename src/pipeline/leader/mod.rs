//! The leader of the incident stage: Book and Desk composed, and the ledger of what they decided.
//!
//! The idea: inputs are taken one by one, each becomes one ledger entry (the input, what moved, which pages), and all
//! that they caused becomes one [`BookCommit`]. A due timer is an input like any other, drawn here and written down,
//! so the ledger alone gives the same incidents and pages again, whatever the batches were ([`Leader::replay`]).
//! Pure: no store, no clock. After a commit that failed the leader is dropped and loaded anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use crate::incident::{Book, Decided, Moved};
use crate::model::wire::{input_from_json, input_kind, input_to_json};
use crate::model::{
    BookCommit, BookRows, Cancel, Change, ClockStep, Entry, Incident, Input, Page, Roster, SignalKey, Taken, TakenRow,
    chain_labels,
};
use crate::page::{Asked, Decisions, Desk, Empty, EmptyStep};
use crate::pipeline::shadow::Since;
use crate::time::Ms;

#[cfg(test)]
mod back;
#[cfg(test)]
mod chains;
#[cfg(test)]
mod clocks;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod drills;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod hands;
#[cfg(test)]
mod late;
#[cfg(test)]
mod levels;
#[cfg(test)]
mod mutes;
#[cfg(test)]
mod pains;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod roster;
#[cfg(test)]
mod scenes;
#[cfg(test)]
mod stand;
#[cfg(test)]
mod starts;
#[cfg(test)]
mod storms;
#[cfg(test)]
mod topologies;
#[cfg(test)]
mod windows;
mod strangers;
mod world;

pub use world::World;
use world::{ROSTER_NOTE, WORLD_NOTE};

/// Live incidents at most, S1 aside.
pub const OPEN_INCIDENTS: usize = 10_000;

/// Timers that ring inside one instant at most this often: more would be a timer that does not move.
const DUE_ROUNDS: usize = 1_000;

/// What the last commit did, for those who print it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct View {
    /// Changes of incidents, with their instant.
    pub moved: Vec<(Ms, Change, Incident)>,
    /// Pages that the commit writes.
    pub pages: Vec<Page>,
    /// Pages of earlier commits that it takes back.
    pub cancels: Vec<Cancel>,
    /// Steps that told nobody.
    pub empty: Vec<Empty>,
}

/// The ledger and the world it was decided in do not agree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ledger entry {input_no}: {why}")]
pub struct Differs {
    /// The first entry that differs.
    pub input_no: i64,
    /// How.
    pub why: String,
}

/// Book, desk and ledger.
#[derive(Debug, Clone)]
pub struct Leader {
    world: Arc<World>,
    book: Book,
    desk: Desk,
    epoch: i64,
    cursors: BTreeMap<(String, i32), i64>,
    input_no: i64,
    hash: String,
    commit: BookCommit,
    cursors_moved: BTreeSet<(String, i32)>,
    view: View,
    /// The hash of the world that the ledger knows of; `None`: of none yet.
    known_world: Option<String>,
    /// Since when rules in shadow are compared.
    shadows: Since,
    /// The contacts of that world; `None`: it did not keep them.
    known_roster: Option<Roster>,
}

impl Leader {
    /// A leader as the store has it.
    pub fn load(rows: &BookRows, world: Arc<World>) -> Self {
        let desk_world = (world.people.clone(), world.guard.clone());
        let names = (world.names.clone(), world.ground.clone());
        let book = Book::load(&rows.incidents, &rows.counters, &rows.notes, names, world.open_incidents);
        let desk = Desk::load(&rows.incidents, &rows.chains, &rows.pages, &rows.notes, desk_world);
        let hash = if rows.input_no == 0 { Entry::GENESIS.to_owned() } else { rows.hash.clone() };
        Self {
            world,
            book,
            desk,
            epoch: rows.epoch,
            cursors: rows.cursors.iter().map(|key| ((key.topic.clone(), key.partition), key.seq)).collect(),
            input_no: rows.input_no,
            hash,
            commit: BookCommit::default(),
            cursors_moved: BTreeSet::new(),
            view: View::default(),
            shadows: Since::load(&rows.notes),
            known_world: note(rows, WORLD_NOTE).map(str::to_owned),
            known_roster: note(rows, ROSTER_NOTE).and_then(|kept| serde_json::from_str(kept).ok()),
        }
    }

    /// Cursor per (topic, partition): what to ask the store's inputs for.
    pub fn cursors(&self) -> Vec<SignalKey> {
        let key = |((topic, partition), seq): (&(String, i32), &i64)| SignalKey {
            topic: topic.clone(),
            partition: *partition,
            seq: *seq,
        };
        self.cursors.iter().map(key).collect()
    }

    /// Takes inputs in this order, and whatever is due at `now` before and after them.
    pub fn take(&mut self, taken: &[Taken], now: Ms) -> BookCommit {
        self.view = View::default();
        self.note_world(now);
        self.shadows.note(&self.world.shadows, now, &mut self.commit.notes);
        self.ring(now);
        for taken in taken {
            self.step(taken, now);
        }
        self.ring(now);
        self.finish()
    }

    /// Takes inputs in this order and lets no timer ring: for a leader that does not know yet what the log holds. That
    /// pages `left` comes even before another world, which might want to take them back.
    pub fn hear(&mut self, left: &[Taken], taken: &[Taken], now: Ms) -> BookCommit {
        self.view = View::default();
        for taken in left {
            self.step(taken, now);
        }
        self.note_world(now);
        for taken in taken {
            self.step(taken, now);
        }
        self.finish()
    }

    /// Does what is due at `now`, or writes down that another world is in force, or that rules in shadow are compared from
    /// now on; `None` where there is nothing of all that.
    pub fn due(&mut self, now: Ms) -> Option<BookCommit> {
        let is_due = self.next_due().is_some_and(|at| at <= now);
        let due = is_due || self.is_world_news() || self.shadows.differs(&self.world.shadows);
        due.then(|| self.take(&[], now))
    }

    /// When something is due next.
    pub fn next_due(&self) -> Option<Ms> {
        [self.book.next_due(), self.desk.next_due()].into_iter().flatten().min()
    }

    /// All incidents that are not closed, by number.
    pub fn open_incidents(&self) -> impl Iterator<Item = &Incident> {
        self.book.incidents().values()
    }

    /// What the last [`Leader::take`] or [`Leader::due`] did.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// The world in which it decides.
    pub fn world(&self) -> Arc<World> {
        Arc::clone(&self.world)
    }

    /// Everybody who was told of the present occurrence of an incident, and on which channel.
    pub fn told(&self, incident: &str) -> &[(String, crate::model::Channel)] {
        self.desk.told(incident)
    }

    /// When the chain of an incident goes on.
    pub fn chain_due(&self, incident: &str) -> Option<Ms> {
        self.desk.chain_due(incident)
    }

    /// Takes ledger entries again: every entry must come out as it is written, byte for byte. `world` gives the world
    /// of a hash where an entry is a reload; `None` keeps the present one. Returns everything that happened, entry by
    /// entry.
    pub fn replay(
        &mut self,
        entries: &[Entry],
        mut world: impl FnMut(&str) -> Option<Arc<World>>,
    ) -> Result<Vec<View>, Differs> {
        let mut views = Vec::with_capacity(entries.len());
        for entry in entries {
            let differs = |why: &str| Differs { input_no: entry.input_no, why: why.to_owned() };
            let value: Value = serde_json::from_str(&entry.json).map_err(|_| differs("is not JSON"))?;
            let input = value.get("input").and_then(input_from_json).ok_or_else(|| differs("holds no input"))?;
            if let Input::Reload { hash, .. } = &input
                && let Some(world) = world(hash)
            {
                self.reload(world);
            }
            self.view = View::default();
            self.step(&Taken { row: None, input }, entry.at);
            let commit = self.finish();
            if commit.entries.first() != Some(entry) {
                return Err(differs("another decision now"));
            }
            views.push(self.view.clone());
        }
        Ok(views)
    }

    /// Draws [`Input::Due`] until nothing is due.
    fn ring(&mut self, now: Ms) {
        for _ in 0..DUE_ROUNDS {
            if self.next_due().is_none_or(|at| at > now) {
                return;
            }
            self.step(&Taken { row: None, input: Input::Due }, now);
        }
        debug_assert!(false, "a timer does not move");
    }

    /// Takes one input: decides, and writes its ledger entry.
    fn step(&mut self, taken: &Taken, now: Ms) {
        let input = &taken.input;
        if let Input::Signal { key, .. } = input {
            let place = (key.topic.clone(), key.partition);
            if self.cursors.get(&place).is_some_and(|seq| *seq >= key.seq) {
                return;
            }
            self.cursors.insert(place.clone(), key.seq);
            self.cursors_moved.insert(place);
        }
        if let Input::Clock { by } = input {
            // Before anything is decided: what that puts on must not be moved.
            self.desk.set_clock(*by);
            self.commit.clock = Some(ClockStep { by: *by, now });
        }
        let mut decided = self.unreachable(input).unwrap_or_else(|| self.book.apply(input, now));
        if let Some(stranger) = self.stranger(input).filter(|_| !decided.refused && !decided.answer.is_empty()) {
            decided.answer = format!("{} {stranger}", decided.answer);
        }
        let mut decisions = Decisions::default();
        for moved in &decided.moved {
            let incident = &moved.incident;
            let named = self.world.chains.get(&incident.rule).map(String::as_str);
            let own = (&*incident.rule, incident.domain, incident.severity);
            let labels = chain_labels(&self.world.inventory, &incident.labels, own);
            let asked = Asked { named, labels: &labels };
            let more = self.desk.moved(moved.change, incident, moved.was_acked, asked, now);
            self.gather(more, &mut decisions, now);
        }
        // The senders' stamp and not the time at which it was heard of: who leads may have changed in between.
        let heard = if let Input::Outcome { at: Some(at), .. } = input { now.min(*at) } else { now };
        let more = match input {
            Input::Due => self.desk.due(self.book.incidents(), now),
            Input::Outcome { page, outcome, .. } => self.desk.outcome(page, outcome, self.book.incidents(), now),
            Input::Handed { page } => {
                self.desk.handed(page);
                Decisions::default()
            }
            Input::GivenBack { page, again } => self.desk.given_back(page, *again, self.book.incidents(), now),
            Input::Swept(late) => self.desk.sweep(&late.id, self.book.incidents(), now),
            Input::Pace { channel, p99 } => {
                self.desk.measured(*channel, *p99);
                Decisions::default()
            }
            _ => Decisions::default(),
        };
        self.gather(more, &mut decisions, heard);
        self.stamp(input, &mut decisions.pages);
        self.write(taken, now, &decided, decisions);
    }

    /// Every page carries how what caused it came in, as its incident has it.
    fn stamp(&self, input: &Input, pages: &mut [Page]) {
        let prompt = matches!(input, Input::Signal { .. } | Input::Own(_));
        for page in pages {
            page.came = self.book.incidents().get(&page.incident).and_then(|incident| incident.came);
            page.prompt = prompt && page.came.is_some();
        }
    }

    /// The refusal of a hand-over to somebody whom no message can reach: the book knows no people.
    fn unreachable(&self, input: &Input) -> Option<Decided> {
        let Input::Handover { to, .. } = input else { return None };
        let contact = self.world.people.contacts.iter().find(|contact| contact.id == *to);
        let answer = match contact {
            Some(contact) if contact.phone.is_some() || contact.email.is_some() => return None,
            Some(_) => format!("{to} 전화번호와 전자우편이 없어 알릴 수 없습니다. 다른 사람에게 인계하십시오."),
            None => format!("`{to}` 연락처가 없습니다. `bongsu contacts list`에서 확인하십시오."),
        };
        Some(Decided { refused: true, answer, ..Decided::default() })
    }

    /// Adds `more` to what one input decided; the book hears of first tellings and of digests.
    fn gather(&mut self, more: Decisions, all: &mut Decisions, now: Ms) {
        for incident in &more.told {
            self.book.told(incident, now);
        }
        for (incident, digest) in &more.deferred {
            self.book.defer(incident, *digest);
        }
        all.pages.extend(more.pages);
        all.cancels.extend(more.cancels);
        all.empty.extend(more.empty);
    }

    /// Writes one input's ledger entry and its part of the commit.
    fn write(&mut self, taken: &Taken, now: Ms, decided: &Decided, decisions: Decisions) {
        let mut entry = json!({ "input": input_to_json(&taken.input) });
        let fields = entry.as_object_mut().expect("made as an object one line above");
        if !decided.moved.is_empty() {
            fields.insert("moved".to_owned(), decided.moved.iter().map(moved_to_json).collect());
        }
        if !decisions.pages.is_empty() {
            let page = |page: &Page| json!({"id": page.id, "text": page.text, "title": page.title});
            fields.insert("pages".to_owned(), decisions.pages.iter().map(page).collect());
        }
        if !decisions.cancels.is_empty() {
            let cancel = |cancel: &Cancel| Value::from(vec![cancel.page.as_str(), cancel.why.as_str()]);
            fields.insert("cancels".to_owned(), decisions.cancels.iter().map(cancel).collect());
        }
        if !decisions.empty.is_empty() {
            fields.insert("empty".to_owned(), decisions.empty.iter().map(empty_to_json).collect());
        }
        if !decided.answer.is_empty() {
            fields.insert("answer".to_owned(), decided.answer.as_str().into());
            fields.insert("done".to_owned(), (!decided.refused).into());
        }
        self.input_no += 1;
        let entry = Entry::after(&self.hash, self.input_no, now, input_kind(&taken.input), entry.to_string());
        self.hash.clone_from(&entry.hash);
        self.commit.entries.push(entry);
        if let Some(row) = taken.row {
            let answer = decided.answer.clone();
            self.commit.taken.push(TakenRow { row, input_no: self.input_no, done: !decided.refused, answer });
        }
        let moved = decided.moved.iter().map(|Moved { change, incident, .. }| (now, *change, incident.clone()));
        self.view.moved.extend(moved);
        self.view.empty.extend(decisions.empty);
        self.commit.pages.extend(decisions.pages);
        for cancel in decisions.cancels {
            // Decided and taken back in one transaction: it was never there.
            let before = self.commit.pages.len();
            self.commit.pages.retain(|page| page.id != cancel.page);
            if self.commit.pages.len() == before {
                self.commit.cancels.push(cancel);
            }
        }
    }

    /// Everything since the last call as one transaction.
    fn finish(&mut self) -> BookCommit {
        let mut commit = std::mem::take(&mut self.commit);
        commit.epoch = self.epoch;
        for (topic, partition) in std::mem::take(&mut self.cursors_moved) {
            let place = (topic, partition);
            let seq = self.cursors.get(&place).copied().unwrap_or(0);
            commit.cursors.push(SignalKey { topic: place.0, partition, seq });
        }
        self.book.drain(&mut commit);
        self.desk.drain(&mut commit);
        self.view.pages.clone_from(&commit.pages);
        self.view.cancels.clone_from(&commit.cancels);
        commit
    }
}

fn note<'a>(rows: &'a BookRows, name: &str) -> Option<&'a str> {
    rows.notes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

fn moved_to_json(moved: &Moved) -> Value {
    let Moved { change, incident, .. } = moved;
    let mut json = json!({
        "change": change_word(*change),
        "id": incident.id,
        "state": incident.state.word(),
        "severity": incident.severity.code(),
        "occurrence": incident.occurrence,
    });
    if let (Some(muted), Some(fields)) = (&incident.muted, json.as_object_mut()) {
        fields.insert("muted".to_owned(), json!([muted.kind.word(), muted.by]));
    }
    if let Some(parent) = &incident.parent {
        json["parent"] = parent.as_str().into();
    }
    json
}

fn empty_to_json(empty: &Empty) -> Value {
    let EmptyStep { chain, step, .. } = &empty.step;
    json!({ "chain": chain, "incident": empty.incident, "step": step })
}

/// The word of a change in the ledger.
pub const fn change_word(change: Change) -> &'static str {
    match change {
        Change::Opened => "opened",
        Change::Reopened => "reopened",
        Change::Flapping => "flapping",
        Change::Worsened => "worsened",
        Change::Eased => "eased",
        Change::Acked => "acked",
        Change::HandedOver => "handed_over",
        Change::Unacked => "unacked",
        Change::Resolved => "resolved",
        Change::Closed => "closed",
        Change::Released => "released",
        Change::Overdue => "overdue",
        Change::Muted => "muted",
        Change::Unmuted => "unmuted",
        Change::AckOverdue => "ack_overdue",
        Change::RecoverOverdue => "recover_overdue",
        Change::BudgetSpent => "budget_spent",
        Change::SlaWarned => "sla_warned",
        Change::Attached => "attached",
        Change::Detached => "detached",
        Change::Grown => "grown",
    }
}
