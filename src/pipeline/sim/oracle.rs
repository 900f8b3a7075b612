//! Who must have been told by when, worked out beside the product.
//!
//! The idea: the ledger says what happened (signals taken, people's wishes, what became of pages) and what was decided
//! about it. A few plain rules over that, which share no code with book and desk, say what was owed: a page at once for
//! what opens, a page at least every two minutes for what nobody takes, none for what somebody has, an end for exactly
//! those who heard of the beginning. Caps and flapping put pages together or off: there only what always holds is asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::wire::input_from_json;
use crate::model::{
    BLIND, Change, Channel, Entry, Fingerprint, Incident, IncidentState, Input, LIMIT, Outcome, Page, Reason,
    SOURCE_SILENT, Severity, SignalKey, State,
};
use crate::pipeline::leader::View;
use crate::time::{MINUTE, Ms};

use super::Violation;

/// The longest that the chain of a world waits before it speaks again.
const WORD_WITHIN: Ms = 2 * MINUTE;

/// How far a page came, as the ledger knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    Waiting,
    Handed,
    Arrived,
    Failed,
    Unknown,
    Gone,
}

/// A page that was decided.
#[derive(Debug)]
pub(super) struct Decided {
    pub(super) page: Page,
    pub(super) fate: Fate,
    was_handed: bool,
}

#[derive(Debug)]
struct Known {
    incident: Incident,
    /// When somebody was last to be told, or it began to be nobody's.
    word: Ms,
}

/// What is known so far.
#[derive(Debug)]
pub(super) struct Oracle {
    is_roomy: bool,
    /// A leader that began holds back what is due: the wait has a bound of its own, which `audit` looks at.
    pub(super) is_held: bool,
    at: Ms,
    incidents: BTreeMap<String, Known>,
    live: BTreeMap<Fingerprint, String>,
    pub(super) pages: BTreeMap<String, Decided>,
    /// Opened at this instant, and nobody told yet.
    owed: BTreeSet<String>,
    /// The last signal taken, per partition.
    taken: BTreeMap<i32, i64>,
}

impl Oracle {
    pub(super) fn new(is_roomy: bool) -> Self {
        Self {
            is_roomy,
            is_held: false,
            at: 0,
            incidents: BTreeMap::new(),
            live: BTreeMap::new(),
            pages: BTreeMap::new(),
            owed: BTreeSet::new(),
            taken: BTreeMap::new(),
        }
    }

    /// Takes one entry and what was decided in it.
    pub(super) fn take(&mut self, entry: &Entry, view: &View) -> Result<(), Violation> {
        if entry.at != self.at {
            self.judge()?;
            self.at = entry.at;
        }
        if entry.kind == "clock" {
            self.set_clock(entry)?;
        }
        let input = match entry.kind.as_str() {
            "signal" | "handed" | "given_back" | "outcome" => read(entry)?,
            _ => None,
        };
        if let Some(input) = &input {
            self.hear_of_pages(input);
        }
        for (_, change, incident) in &view.moved {
            self.moved(*change, incident)?;
        }
        for page in &view.pages {
            self.decided(page)?;
        }
        for cancel in &view.cancels {
            if let Some(decided) = self.pages.get_mut(&cancel.page) {
                decided.fate = Fate::Gone;
            }
        }
        for (_, change, incident) in &view.moved {
            match change {
                Change::Acked => self.nothing_waits(incident)?,
                Change::Resolved if !incident.flapping => self.all_hear_of_the_end(incident, view)?,
                _ => {}
            }
        }
        match &input {
            Some(Input::Signal { key, signal, .. }) => {
                self.none_is_skipped(key)?;
                self.signal_counts(signal)
            }
            _ => Ok(()),
        }
    }

    /// The wall clock was set: how long nobody was told is counted by what passed.
    fn set_clock(&mut self, entry: &Entry) -> Result<(), Violation> {
        if let Some(Input::Clock { by }) = read(entry)? {
            self.incidents.values_mut().for_each(|known| known.word += by);
        }
        Ok(())
    }

    /// What is owed at the end of an instant: every decision about it was made.
    pub(super) fn judge(&mut self) -> Result<(), Violation> {
        if let Some(id) = self.owed.pop_first() {
            return Err(format!("I2: {id} opened at {} and nobody was to be told", self.at));
        }
        if !self.is_roomy || self.is_held {
            return Ok(());
        }
        let nobodys = |it: &Incident| {
            it.state == IncidentState::Open && it.severity <= Severity::S2 && !it.flapping && !it.holds_pages()
        };
        for known in self.live.values().filter_map(|id| self.incidents.get(id)) {
            if nobodys(&known.incident) && self.at - known.word > WORD_WITHIN {
                let silent = self.at - known.word;
                return Err(format!("I4: {} is nobody's, and nobody was told for {silent} ms", known.incident.id));
            }
        }
        Ok(())
    }

    fn moved(&mut self, change: Change, incident: &Incident) -> Result<(), Violation> {
        let id = &incident.id;
        if incident.state.is_live() {
            if let Some(other) = self.live.insert(incident.fingerprint, id.clone()).filter(|other| other != id) {
                return Err(format!("I4: {id} and {other} are of one instance"));
            }
        } else if self.live.get(&incident.fingerprint) == Some(id) {
            self.live.remove(&incident.fingerprint);
        }
        if change == Change::Opened && self.incidents.contains_key(id) {
            return Err(format!("I4: number {id} was given before"));
        }
        let at = self.at;
        let fresh = || Known { incident: incident.clone(), word: at };
        let known = self.incidents.entry(id.clone()).or_insert_with(fresh);
        let is_free = known.incident.holds_pages() && !incident.holds_pages();
        known.incident = incident.clone();
        let speaks =
            matches!(change, Change::Opened | Change::Reopened | Change::Worsened | Change::Unacked | Change::Released);
        if speaks || is_free {
            known.word = self.at;
        }
        let begins = matches!(change, Change::Opened | Change::Reopened);
        let is_late = incident.holds_pages() || incident.flapping;
        if begins && !is_late && incident.severity <= Severity::S3 && self.is_roomy {
            self.owed.insert(id.clone());
        }
        if !incident.state.is_live() {
            self.owed.remove(id);
        }
        Ok(())
    }

    fn decided(&mut self, page: &Page) -> Result<(), Violation> {
        let many = page.reason == Reason::Digest;
        if many && page.severity == Severity::S1 {
            // One page tells of all of them.
            self.owed.clear();
            for known in self.incidents.values_mut().filter(|known| known.incident.severity == Severity::S1) {
                known.word = self.at;
            }
        }
        if let Some(known) = self.incidents.get_mut(&page.incident).filter(|_| !many) {
            self.owed.remove(&page.incident);
            // That time runs out is told to whoever has it, too.
            let is_of_it = matches!(page.reason, Reason::Resolved | Reason::Handover | Reason::Sla);
            if known.incident.state == IncidentState::Acked && !is_of_it {
                return Err(format!("I5: {} is somebody's, and page {} is to leave", page.incident, page.id));
            }
            known.word = self.at;
        }
        let decided = Decided { page: page.clone(), fate: Fate::Waiting, was_handed: false };
        match self.pages.insert(page.id.clone(), decided) {
            Some(_) => Err(format!("I3: page {} was decided twice", page.id)),
            None => Ok(()),
        }
    }

    fn hear_of_pages(&mut self, input: &Input) {
        let (page, fate) = match input {
            Input::Handed { page } => (page, Fate::Handed),
            Input::GivenBack { page } => (page, Fate::Waiting),
            Input::Outcome { page, outcome, .. } => match outcome {
                Outcome::Accepted { .. } | Outcome::Delivered { .. } => (page, Fate::Arrived),
                Outcome::Failed { .. } => (page, Fate::Failed),
                Outcome::Unknown { .. } => (page, Fate::Unknown),
                Outcome::Resent => return,
            },
            _ => return,
        };
        // What was taken back stays so: a hand-over that came to nothing before may be heard of late.
        if let Some(decided) = self.pages.get_mut(page).filter(|decided| decided.fate != Fate::Gone) {
            decided.fate = fate;
            decided.was_handed |= fate == Fate::Handed;
        }
    }

    /// I5: what has not left when somebody takes an incident is taken back in the same breath.
    fn nothing_waits(&self, incident: &Incident) -> Result<(), Violation> {
        let about = |decided: &&Decided| {
            let page = &decided.page;
            let told = matches!(page.reason, Reason::Resolved | Reason::Handover | Reason::Digest);
            page.incident == incident.id && decided.fate == Fate::Waiting && !told
        };
        match self.pages.values().find(about) {
            Some(left) => Err(format!("I5: {} was taken, and page {} still waits", incident.id, left.page.id)),
            None => Ok(()),
        }
    }

    /// I5: those told of the end were told of the beginning, and all whom a page of this occurrence reached are.
    fn all_hear_of_the_end(&self, incident: &Incident, view: &View) -> Result<(), Violation> {
        if !self.is_roomy {
            return Ok(());
        }
        let ends: BTreeSet<(&str, Channel)> = view
            .pages
            .iter()
            .filter(|page| page.incident == incident.id && page.reason == Reason::Resolved)
            .map(|page| (page.to.as_str(), page.channel))
            .collect();
        let begins =
            || self.pages.values().filter(|it| it.page.incident == incident.id && it.page.reason != Reason::Resolved);
        let storms = |to: &str| self.pages.values().any(|it| it.page.reason == Reason::Digest && it.page.to == to);
        for (to, _) in &ends {
            if !begins().any(|it| it.was_handed && it.page.to == *to) && !storms(to) {
                return Err(format!("I5: {to} hears of the end of {} and not of its beginning", incident.id));
            }
        }
        let reached = begins().filter(|it| it.fate == Fate::Arrived && it.page.occurrence == incident.occurrence);
        for it in reached.filter(|it| it.page.reason != Reason::Digest && incident.severity != Severity::S1) {
            if !ends.contains(&(it.page.to.as_str(), it.page.channel)) {
                return Err(format!("I5: {} heard of {} and does not hear of its end", it.page.to, incident.id));
            }
        }
        Ok(())
    }

    /// I1: each signal of a partition is taken once, in their order.
    fn none_is_skipped(&mut self, key: &SignalKey) -> Result<(), Violation> {
        let last = self.taken.entry(key.partition).or_insert(0);
        if key.seq != *last + 1 {
            return Err(format!("I1: partition {}: signal {} is taken after {last}", key.partition, key.seq));
        }
        *last = key.seq;
        Ok(())
    }

    /// I1: a signal that fires has an incident afterwards, and one that is good again has none.
    fn signal_counts(&self, signal: &crate::model::Signal) -> Result<(), Violation> {
        if [SOURCE_SILENT.id, BLIND.id, LIMIT.id].contains(&signal.rule.as_ref()) {
            return Ok(());
        }
        let has = self.live.contains_key(&signal.fingerprint);
        let begins = signal.to == State::Firing && signal.from != State::Firing && signal.severity.is_some();
        let ends = !signal.to.is_active() && signal.to != State::Pending;
        if (begins && !has) || (ends && has) {
            return Err(format!("I1: after {signal:?} there is {} incident", if has { "still an" } else { "no" }));
        }
        Ok(())
    }

    /// When an incident is live, its number.
    pub(super) fn incident_of(&self, page: &str) -> Option<&str> {
        self.pages.get(page).map(|decided| decided.page.incident.as_str())
    }
}

fn read(entry: &Entry) -> Result<Option<Input>, Violation> {
    let value: Option<serde_json::Value> = serde_json::from_str(&entry.json).ok();
    let input = value.as_ref().and_then(|value| input_from_json(value.get("input")?));
    input.map(Some).ok_or_else(|| format!("I7: ledger entry {} holds no input", entry.input_no))
}
