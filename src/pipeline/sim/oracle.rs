//! Who must have been told by when, worked out beside the product.
//!
//! The idea: the ledger says what happened (signals taken, people's wishes, what became of pages) and what was decided
//! about it. A few plain rules over that, which share no code with book and desk, say what was owed: a page at once for
//! what opens, a page at least every two minutes for what nobody takes, none for what somebody has, an end for exactly
//! those who heard of the beginning; nothing of what is muted or hangs under another. Caps and flapping put pages together
//! or off: there only what always holds is asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::wire::input_from_json;
use crate::model::{
    BLIND, Change, Channel, Entry, Fingerprint, Incident, IncidentState, Input, LIMIT, Outcome, Page, Reason,
    SOURCE_SILENT, Severity, SignalKey, State,
};
use crate::page::S1_A_MINUTE;
use crate::pipeline::leader::{Leader, View};
use crate::time::{MINUTE, Ms};

use super::Violation;
use super::mutes::Mutes;
use super::terms::Terms;

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
    /// The ledger says that it was sent again without asking.
    pub(super) is_resent: bool,
    was_handed: bool,
}

#[derive(Debug)]
struct Known {
    incident: Incident,
    /// When somebody was last to be told, or it began to be nobody's.
    word: Ms,
    /// Since when its chain may run undisturbed.
    free: Ms,
    /// The occurrence in which the last group was told.
    last: i64,
}

/// What is known so far.
#[derive(Debug)]
pub(super) struct Oracle {
    terms: Terms,
    /// A leader that began holds back what is due: the wait has a bound of its own, which `audit` looks at.
    pub(super) is_held: bool,
    /// It held something back since a timer rang last: what time ends is not over before one does.
    was_held: bool,
    at: Ms,
    /// The latest instant so far: a clock that went back makes what was over begin again.
    latest: Ms,
    mutes: Mutes,
    incidents: BTreeMap<String, Known>,
    live: BTreeMap<Fingerprint, String>,
    pub(super) pages: BTreeMap<String, Decided>,
    /// Opened at this instant, and nobody told yet.
    owed: BTreeSet<String>,
    /// The last signal taken, per partition.
    taken: BTreeMap<i32, i64>,
}

impl Oracle {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            mutes: Mutes::new(&terms),
            terms,
            is_held: false,
            was_held: false,
            at: 0,
            latest: 0,
            incidents: BTreeMap::new(),
            live: BTreeMap::new(),
            pages: BTreeMap::new(),
            owed: BTreeSet::new(),
            taken: BTreeMap::new(),
        }
    }

    /// Other people, resources or planned work.
    pub(super) fn changed(&mut self, terms: Terms) {
        self.mutes.changed(&terms);
        self.terms = terms.after(&self.terms);
    }

    /// Whether nobody decided what is due when it was looked at last, or does now.
    pub(super) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
        self.was_held |= is_held;
    }

    /// The instant of the last entry.
    pub(super) fn at(&self) -> Ms {
        self.at
    }

    /// Takes one entry and what was decided in it; `leader` is the shadow after it.
    pub(super) fn take(&mut self, entry: &Entry, view: &View, leader: &Leader) -> Result<(), Violation> {
        if entry.at - self.at > 10 * MINUTE {
            // A clock that was set by an hour: how long a chain ran is not known from here on.
            self.incidents.values_mut().for_each(|known| known.free = entry.at);
        }
        (self.at, self.latest) = (entry.at, self.latest.max(entry.at));
        let said = Said::of(entry)?;
        let rings = matches!(entry.kind.as_str(), "due" | "swept");
        self.was_held = self.is_held || (self.was_held && !rings);
        if let Some(said) = &said {
            self.set_clock(&said.input);
            self.hear_of_pages(&said.input);
            self.hear_of_codes(said, view)?;
            let live = self.live.values().filter_map(|id| Some(&self.incidents.get(id)?.incident));
            self.mutes.take(&said.input, (said.done, &said.answer), live, entry.at)?;
        }
        for (_, change, incident) in &view.moved {
            self.moved(*change, incident)?;
        }
        for cancel in &view.cancels {
            if let Some(decided) = self.pages.get_mut(&cancel.page) {
                decided.fate = Fate::Gone;
            }
        }
        for page in &view.pages {
            self.decided(page, leader)?;
        }
        for (n, (_, change, incident)) in view.moved.iter().enumerate() {
            // What hung under one that was muted in the same breath speaks for itself again; a storm whose members all still
            // fire is back as soon as somebody ends it, and what is back is not over.
            let is_last = view.moved.iter().skip(n + 1).all(|(.., later)| later.id != incident.id);
            match change {
                Change::Acked | Change::Muted | Change::Attached if is_last => self.nothing_waits(*change, incident)?,
                Change::Resolved if is_last && !incident.flapping => self.all_hear_of_the_end(incident, view)?,
                _ => {}
            }
        }
        if let Some(said) = &said {
            self.is_not_sent_after_all(&said.input, leader)?;
        }
        if !view.moved.is_empty() {
            let live: Vec<&Incident> = leader.open_incidents().filter(|it| it.state.is_live()).collect();
            self.mutes.see(&live, entry.at);
        }
        match said.map(|said| said.input) {
            Some(Input::Signal { key, signal, .. }) => {
                self.none_is_skipped(&key)?;
                self.signal_counts(&signal)
            }
            _ => Ok(()),
        }
    }

    /// The wall clock was set: how long nobody was told is counted by what passed.
    fn set_clock(&mut self, input: &Input) {
        if let Input::Clock { by } = input {
            self.incidents.values_mut().for_each(|known| (known.word, known.free) = (known.word + by, known.free + by));
            self.mutes.set_clock(*by, self.at);
        }
    }

    /// What is owed at the end of an instant: every decision about it was made.
    pub(super) fn judge(&mut self, leader: &Leader) -> Result<(), Violation> {
        if let Some(id) = self.owed.pop_first() {
            return Err(format!("I2: {id} was to be told of at {} and nobody was", self.at));
        }
        let live: Vec<&Incident> = leader.open_incidents().filter(|it| it.state.is_live()).collect();
        if self.at == self.latest && !self.is_held && !self.was_held {
            self.mutes.judge(&live, self.at)?;
        }
        for child in live.iter().filter(|it| it.parent.is_some()) {
            let parent = live.iter().find(|it| child.parent.as_ref() == Some(&it.id));
            if !parent.is_some_and(|it| it.severity <= child.severity && it.is_drill() == child.is_drill()) {
                return Err(format!("I4: {} hangs under {:?}, which does not speak for it", child.id, child.parent));
            }
        }
        if self.is_owed_in_time() && !self.is_held {
            live.into_iter().try_for_each(|it| self.hears_of(it))
        } else {
            Ok(())
        }
    }

    /// I4: somebody hears of what nobody has, again and again, and in the end the last group does.
    fn hears_of(&self, it: &Incident) -> Result<(), Violation> {
        let nobodys = it.state == IncidentState::Open && it.severity <= Severity::S2;
        let Some(known) = self.incidents.get(&it.id).filter(|_| nobodys && !it.flapping && !it.holds_pages()) else {
            return Ok(());
        };
        let silent = self.at - known.word;
        if silent > self.terms.word_within {
            return Err(format!("I4: {} is nobody's, and nobody was told for {silent} ms", it.id));
        }
        if known.last < it.occurrence && self.at - known.free > self.terms.last_within {
            return Err(format!("I4: {} is nobody's since {}, and its last group was not told", it.id, known.free));
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
        let fresh = || Known { incident: incident.clone(), word: at, free: at, last: 0 };
        let known = self.incidents.entry(id.clone()).or_insert_with(fresh);
        let is_free = known.incident.holds_pages() && !incident.holds_pages();
        known.incident = incident.clone();
        let speaks =
            matches!(change, Change::Opened | Change::Reopened | Change::Worsened | Change::Unacked | Change::Released);
        if speaks || is_free {
            (known.word, known.free) = (known.word.max(at), known.free.max(at));
        }
        let begins = matches!(change, Change::Opened | Change::Reopened);
        let is_late = incident.holds_pages() || incident.flapping;
        let may_leave = matches!(change, Change::Unmuted | Change::Detached | Change::Released)
            && incident.state == IncidentState::Open
            && !self.was_told(id);
        if (begins || may_leave) && !is_late && incident.severity <= Severity::S3 && self.is_owed_in_time() {
            self.owed.insert(id.clone());
        }
        if incident.state != IncidentState::Open || incident.holds_pages() {
            self.owed.remove(id);
        }
        Ok(())
    }

    /// Whether it can be said by when somebody must be told.
    const fn is_owed_in_time(&self) -> bool {
        self.terms.is_roomy && self.terms.is_plain
    }

    /// Whether a page about it was ever with a sender.
    fn was_told(&self, id: &str) -> bool {
        self.pages.values().any(|it| it.page.incident == id && it.was_handed)
    }

    fn decided(&mut self, page: &Page, leader: &Leader) -> Result<(), Violation> {
        let many = page.reason == Reason::Digest;
        if many && page.severity == Severity::S1 {
            // One page tells of all of them.
            self.owed.clear();
            for known in self.incidents.values_mut().filter(|known| known.incident.severity == Severity::S1) {
                (known.word, known.last) = (known.word.max(self.at), known.incident.occurrence);
            }
        }
        if let Some(known) = self.incidents.get_mut(&page.incident).filter(|_| !many) {
            self.owed.remove(&page.incident);
            // That time runs out is told to whoever has it, too.
            let is_of_it = matches!(page.reason, Reason::Resolved | Reason::Handover | Reason::Sla);
            if known.incident.state == IncidentState::Acked && !is_of_it {
                return Err(format!("I5: {} is somebody's, and page {} is to leave", page.incident, page.id));
            }
            let now = leader.open_incidents().find(|it| it.id == page.incident);
            if !is_of_it && now.is_some_and(Incident::holds_pages) {
                let why = now.map(|it| (&it.muted, &it.parent, it.held_until));
                return Err(format!("I5: page {} of {} is to leave, held by {why:?}", page.id, page.incident));
            }
            known.word = known.word.max(self.at);
            if page.step >= self.terms.last {
                known.last = known.last.max(page.occurrence);
            }
            self.begins_once(page)?;
        }
        let decided = Decided { page: page.clone(), fate: Fate::Waiting, is_resent: false, was_handed: false };
        match self.pages.insert(page.id.clone(), decided) {
            Some(_) => Err(format!("I3: page {} was decided twice", page.id)),
            None => Ok(()),
        }
    }

    /// I3: nobody who has a beginning hears of it again as a beginning. Whether somebody has a page of which nobody knows
    /// what became is not known: when muting ends, that counts as not told.
    fn begins_once(&self, page: &Page) -> Result<(), Violation> {
        let same = |it: &&Decided| {
            let other = &it.page;
            let of = |page: &Page| (page.occurrence, page.reason, page.channel);
            other.incident == page.incident && of(other) == of(page) && other.to == page.to
        };
        let before =
            self.pages.values().filter(same).find(|it| !matches!(it.fate, Fate::Gone | Fate::Failed | Fate::Unknown));
        match before.filter(|_| matches!(page.reason, Reason::First | Reason::Reopened)) {
            Some(before) => Err(format!("I3: page {} says what {} said before", page.id, before.page.id)),
            None => Ok(()),
        }
    }

    /// I5: a code takes an incident once, and only in the occurrence that it is of.
    fn hear_of_codes(&self, said: &Said, view: &View) -> Result<(), Violation> {
        let Input::AckCode { incident, occurrence, used, .. } = &said.input else { return Ok(()) };
        let known = self.incidents.get(incident).map(|known| &known.incident);
        let is_good = known.is_some_and(|it| (it.occurrence, it.codes_used) == (*occurrence, *used));
        let is_open = known.is_some_and(|it| it.state == IncidentState::Open);
        let took = view.moved.iter().any(|(_, change, it)| *change == Change::Acked && it.id == *incident);
        if (took && !is_good) || (is_good && is_open && !took) {
            return Err(format!("I5: a code of {incident} that is good ({is_good}) was answered: {}", said.answer));
        }
        Ok(())
    }

    fn hear_of_pages(&mut self, input: &Input) {
        let (page, fate) = match input {
            Input::Handed { page } => (page, Fate::Handed),
            Input::GivenBack { page, .. } => (page, Fate::Waiting),
            Input::Outcome { page, outcome, .. } => match outcome {
                Outcome::Accepted { .. } | Outcome::Delivered { .. } => (page, Fate::Arrived),
                Outcome::Failed { .. } => (page, Fate::Failed),
                Outcome::Unknown { .. } => (page, Fate::Unknown),
                Outcome::Resent => {
                    self.pages.entry(page.clone()).and_modify(|decided| decided.is_resent = true);
                    return;
                }
            },
            _ => return,
        };
        // What was taken back stays so: a hand-over that came to nothing before may be heard of late.
        if let Some(decided) = self.pages.get_mut(page).filter(|decided| decided.fate != Fate::Gone) {
            decided.fate = fate;
            decided.was_handed |= fate == Fate::Handed;
        }
    }

    /// I5: what came back from a sender while it was somebody's, over or quiet does not wait to be sent after all.
    fn is_not_sent_after_all(&self, input: &Input, leader: &Leader) -> Result<(), Violation> {
        let Input::GivenBack { page, again: false } = input else { return Ok(()) };
        let Some(decided) = self.pages.get(page).filter(|decided| decided.fate == Fate::Waiting) else { return Ok(()) };
        let page = &decided.page;
        let now = leader.open_incidents().find(|incident| incident.id == page.incident);
        let is_gone = |it: &Incident| it.state == IncidentState::Resolved && it.flapping && it.ack.is_none();
        let speaks = |it: &Incident| it.state == IncidentState::Open || is_gone(it);
        let is_quiet = now.is_none_or(|it| !speaks(it) || it.holds_pages());
        if is_quiet && !matches!(page.reason, Reason::Resolved | Reason::Handover | Reason::Sla | Reason::Digest) {
            return Err(format!("I5: page {} of {} came back and waits, nobody is to hear it", page.id, page.incident));
        }
        Ok(())
    }

    /// I5: what has not left when somebody takes an incident, or it is not to be told of any more, is taken back at once.
    fn nothing_waits(&self, change: Change, incident: &Incident) -> Result<(), Violation> {
        let about = |decided: &&Decided| {
            let page = &decided.page;
            let stays = matches!(page.reason, Reason::Resolved | Reason::Handover | Reason::Digest);
            page.incident == incident.id && decided.fate == Fate::Waiting && !stays
        };
        match self.pages.values().find(about) {
            Some(left) => Err(format!("I5: {} is {change:?}, and page {} still waits", incident.id, left.page.id)),
            None => Ok(()),
        }
    }

    /// Whether whoever got `page` had as many of S1 in this minute as anybody gets there: more is told in one, a moment later.
    fn is_crowded(&self, page: &Page) -> bool {
        let is_alike = |it: &&Decided| {
            let it = &it.page;
            let is_theirs = it.to == page.to && it.channel == page.channel && it.severity == Severity::S1;
            is_theirs && self.at - it.decided < MINUTE
        };
        self.pages.values().filter(is_alike).count() >= S1_A_MINUTE
    }

    /// I5: those told of the end were told of the beginning, and all whom a page of this occurrence reached are.
    fn all_hear_of_the_end(&self, incident: &Incident, view: &View) -> Result<(), Violation> {
        if !self.terms.is_roomy {
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
        for it in reached.filter(|it| it.page.reason != Reason::Digest) {
            if !ends.contains(&(it.page.to.as_str(), it.page.channel)) && !self.is_crowded(&it.page) {
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

/// What a ledger entry says was asked for.
#[derive(Debug)]
struct Said {
    input: Input,
    done: bool,
    answer: String,
}

impl Said {
    /// Reads it, where it is of a kind that anything here hangs on.
    fn of(entry: &Entry) -> Result<Option<Self>, Violation> {
        let kinds = ["signal", "handed", "given_back", "outcome", "ack_code", "silence", "expire", "approve", "clock"];
        if !kinds.contains(&entry.kind.as_str()) {
            return Ok(None);
        }
        let broken = || format!("I7: ledger entry {} holds no input", entry.input_no);
        let value: serde_json::Value = serde_json::from_str(&entry.json).map_err(|_| broken())?;
        let input = value.get("input").and_then(input_from_json).ok_or_else(broken)?;
        let done = value.get("done").and_then(serde_json::Value::as_bool).unwrap_or(false);
        let answer = value.get("answer").and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        Ok(Some(Self { input, done, answer }))
    }
}
