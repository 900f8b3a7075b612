//! The book of incidents: what people deal with, one live incident per fingerprint.
//!
//! The idea: [`Book::apply`] folds one [`Input`] at a time into the incidents it holds and says what moved; the same
//! inputs at the same instants move the same things again. What must outlive a leader is in the incidents themselves,
//! in the number counters and in a few notes, all collected by [`Book::drain`] for the leader's transaction.
//! It does not know chains, people or texts (see `page`) and reads no clock: every timer is asked for by
//! [`Book::next_due`] and answered by [`Input::Due`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{
    BookCommit, Came, Change, Domain, Fingerprint, Incident, IncidentState, Input, Mode, RuleSet, builtin,
};
use crate::time::{HOUR, MINUTE, Ms};

mod blind;
mod clock;
mod drills;
pub mod group;
mod hands;
pub mod mute;
mod muting;
mod notes;
mod signals;
pub mod sla;
#[cfg(test)]
mod tests;
mod timers;

use group::Ground;
use notes::Notes;

/// An incident that is over may come back under its number for so long.
pub const REOPEN_WITHIN: Ms = 30 * MINUTE;
/// Reopenings are counted over this length for flapping.
const FLAP_WINDOW: Ms = HOUR;
/// The third reopening within [`FLAP_WINDOW`] is flapping.
const FLAP_REOPENS: usize = 3;
/// A flapping incident is calm again after so long without opening or ending.
const CALM: Ms = 30 * MINUTE;
/// A signal older than this when it is taken comes from catching up, not from now.
const LATE: Ms = MINUTE;
/// Pages of a late opening are held for at most so long.
const HOLD_LATE: Ms = MINUTE;
/// The first characters of every note of this stage.
pub const NOTES: &str = "incident/";

/// What moved, for those who tell people.
#[derive(Debug, Clone, PartialEq)]
pub struct Moved {
    /// What.
    pub change: Change,
    /// The incident after it.
    pub incident: Incident,
    /// It was acked before.
    pub was_acked: bool,
}

/// What became of one input.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decided {
    /// Changes in the order in which they happened.
    pub moved: Vec<Moved>,
    /// The input asked for something that was not so or cannot be: `false` makes the command end 1.
    pub refused: bool,
    /// One English sentence for whoever asked; empty for inputs that nobody waits for.
    pub answer: String,
}

/// What the book looks up: title and 구간 of every rule in force, which of them only watch, and what mutes.
#[derive(Debug, Clone, Default)]
pub struct Names {
    known: BTreeMap<Arc<str>, (String, Domain)>,
    shadow: BTreeSet<Arc<str>>,
    intervals: BTreeMap<Arc<str>, Ms>,
    mute: mute::Setup,
    subjects: sla::Subjects,
}

impl Names {
    /// Reads them off a rule set.
    pub fn of(rules: &RuleSet) -> Self {
        let shadow = rules.rules.iter().filter(|rule| rule.mode == Mode::Shadow);
        Self {
            known: rules.rules.iter().map(|rule| (rule.id.clone(), (rule.title.clone(), rule.domain))).collect(),
            shadow: shadow.map(|rule| rule.id.clone()).collect(),
            intervals: rules.rules.iter().map(|rule| (rule.id.clone(), rule.interval)).collect(),
            mute: mute::Setup::default(),
            subjects: sla::Subjects::default(),
        }
    }

    /// These, and what is promised of whom.
    pub fn promising(mut self, subjects: sla::Subjects) -> Self {
        self.subjects = subjects;
        self
    }

    /// These, and what mutes.
    pub fn muted_by(mut self, mute: mute::Setup) -> Self {
        self.mute = mute;
        self
    }

    /// Distance of the ticks of `rule`, ms; that of the engine's own is not known.
    fn interval(&self, rule: &str) -> Ms {
        self.intervals.get(rule).copied().unwrap_or_default()
    }

    /// Whether somebody is told of `rule`, which exists.
    fn is_told(&self, rule: &str) -> bool {
        (self.known.contains_key(rule) || builtin(rule).is_some()) && !self.is_shadow(rule)
    }

    /// Whether nobody is told of `rule`.
    fn is_shadow(&self, rule: &str) -> bool {
        self.shadow.contains(rule)
    }

    /// Title and 구간 of `rule`: its own, or the engine's, or, where the rule is gone, its id and 인프라.
    fn get(&self, rule: &str) -> (String, Domain) {
        match (self.known.get(rule), builtin(rule)) {
            (Some(known), _) => known.clone(),
            (None, Some(own)) => (own.title.to_owned(), own.domain),
            (None, None) => (rule.to_owned(), Domain::Infra),
        }
    }
}

/// All incidents that are not closed, and what else decides about them.
#[derive(Debug, Clone)]
pub struct Book {
    names: Arc<Names>,
    ground: Arc<Ground>,
    open_max: usize,
    incidents: BTreeMap<String, Incident>,
    by_fingerprint: BTreeMap<Fingerprint, String>,
    live: BTreeSet<String>,
    timers: BTreeSet<(Ms, String)>,
    timer_of: BTreeMap<String, Ms>,
    counters: BTreeMap<String, i64>,
    notes: Notes,
    blind: blind::Silence,
    mutes: mute::Mutes,
    /// The next instant at which a window or silence begins or ends.
    mute_edge: Option<Ms>,
    mute_ends: muting::MuteEnds,
    services: sla::Services,
    /// The instant of the input at hand.
    now: Ms,
    /// How it came in, where it is a signal.
    came: Option<Came>,
    changed: BTreeSet<String>,
    counted: BTreeSet<String>,
    kin: group::Index,
    /// What was hung under what by the input at hand.
    hung: BTreeSet<(String, String)>,
    /// 구간 of the storm that is being raised.
    storm_domain: Option<Domain>,
}

impl Book {
    /// A book as the store has it. `notes` may hold those of other stages; `open_max` bounds live incidents (S1 aside).
    pub fn load(
        incidents: &[Incident],
        counters: &[(String, i64)],
        notes: &[(String, String)],
        (names, ground): (Arc<Names>, Arc<Ground>),
        open_max: usize,
    ) -> Self {
        let notes = Notes::load(notes);
        let blind = blind::Silence::load(&notes);
        let services = sla::Services::load(&notes, incidents);
        let mut book = Self {
            names,
            ground,
            open_max,
            incidents: BTreeMap::new(),
            by_fingerprint: BTreeMap::new(),
            live: BTreeSet::new(),
            timers: BTreeSet::new(),
            timer_of: BTreeMap::new(),
            counters: counters.iter().cloned().collect(),
            notes,
            blind,
            mutes: mute::Mutes::default(),
            mute_edge: None,
            mute_ends: muting::MuteEnds::default(),
            services,
            now: Ms::MIN,
            came: None,
            changed: BTreeSet::new(),
            counted: BTreeSet::new(),
            kin: group::Index::default(),
            hung: BTreeSet::new(),
            storm_domain: None,
        };
        for incident in incidents.iter().filter(|incident| incident.state != IncidentState::Closed) {
            book.put(incident.clone());
        }
        book.changed.clear();
        book.load_mutes();
        book
    }

    /// Uses other titles and another ground from now on; incidents keep the title under which they opened, and stay where
    /// they hang until something moves them.
    pub fn rename(&mut self, names: Arc<Names>, ground: Arc<Ground>) {
        (self.names, self.ground) = (names, ground);
        self.mutes.refile(&self.names.mute, self.incidents.values());
        self.kin = group::Index::of(self.incidents.values(), &self.ground);
    }

    /// Takes one input. Inputs about pages move nothing here: see [`Book::told`].
    pub fn apply(&mut self, input: &Input, now: Ms) -> Decided {
        let mut decided = Decided::default();
        self.now = now;
        self.mute_ends = self.mute_ends(input, now);
        self.hung.clear();
        self.came = match input {
            Input::Signal { came, .. } => *came,
            Input::Own(signal) => Some(Came::noticed(signal.at.min(now))),
            _ => None,
        };
        match input {
            Input::Signal { key, signal, heard, caught_up, .. } => {
                let origin = Some((key.topic.clone(), key.partition));
                let late = now - signal.at > LATE && !caught_up;
                let arrival = signals::Arrival { origin, late, now };
                if !self.fold_silence(signal, *heard, &arrival, &mut decided) {
                    self.signal(signal, &arrival, &mut decided);
                }
            }
            Input::Own(signal) => {
                self.signal(signal, &signals::Arrival { origin: None, late: false, now }, &mut decided);
            }
            Input::CaughtUp { topic, partition } => self.caught_up(topic, *partition, &mut decided),
            Input::Ack { incident, by, note, hold } => self.ack(incident, by, (note, *hold), now, &mut decided),
            Input::AckCode { incident, occurrence, used, by, note, hold } => {
                self.ack_by_code((incident, (*occurrence, *used)), by, (note, *hold), now, &mut decided);
            }
            Input::Handover { incident, by, to, note, hold } => {
                self.hand_over(incident, (by, to), (note, *hold), now, &mut decided);
            }
            Input::Unack { incident, by } => self.unack(incident, by, &mut decided),
            Input::Resolve { incident, by, note: _ } => self.resolve_by_hand(incident, by, now, &mut decided),
            Input::Reopen { incident, by } => self.reopen_by_hand(incident, by, now, &mut decided),
            Input::Clock { by } => self.set_clock(*by, &mut decided),
            Input::Due => self.due(now, &mut decided),
            Input::Silence(ask) => self.silence(ask, &mut decided),
            Input::Drill(ask) => self.drill(ask, now, &mut decided),
            Input::Expire { silence, by } => self.expire(silence, by, &mut decided),
            Input::Approve { silence, by } => self.approve(silence, by, &mut decided),
            Input::Reload { .. } => self.judge_all(&mut decided),
            Input::Swept(late) => self.sweep(&late.id, now, &mut decided),
            Input::Handed { .. } | Input::GivenBack { .. } | Input::Outcome { .. } | Input::Pace { .. } => {}
        }
        self.judge_touched(&mut decided);
        debug_assert!(self.live.len() <= self.by_fingerprint.len(), "two live incidents share a fingerprint");
        decided
    }

    /// A page of `incident` was accepted at `now`: the first one stops the notify-within clock.
    pub fn told(&mut self, incident: &str, now: Ms) {
        let Some(mut incident) = self.incidents.get(incident).cloned() else { return };
        if incident.notified.is_none() {
            incident.notified = Some(now);
            let hangs = incident.parent.is_some();
            if let Some(clocks) = incident.sla.as_mut().filter(|_| incident.state == IncidentState::Open) {
                clocks.start_ack(hangs, now);
            }
            self.put(incident);
        }
    }

    /// The chain tells of `incident` in the digest that leaves at `digest`: its notify-within runs from then.
    pub fn defer(&mut self, incident: &str, digest: Ms) {
        let Some(mut incident) = self.incidents.get(incident).cloned() else { return };
        incident.notify_by = self.notify_by(&incident, digest);
        self.put(incident);
    }

    /// When [`Input::Due`] has something to do here.
    pub fn next_due(&self) -> Option<Ms> {
        let first = self.timers.first().map(|(at, _)| *at);
        let services = self.services.next_due(&self.names.subjects);
        [first, self.blind.next_due(), self.mute_edge, services].into_iter().flatten().min()
    }

    /// All incidents that are not closed, by number (and those closed since the last [`Book::drain`]).
    pub fn incidents(&self) -> &BTreeMap<String, Incident> {
        &self.incidents
    }

    /// How many are open or acked.
    pub fn n_live(&self) -> usize {
        self.live.len()
    }

    /// Moves everything that changed since the last call into `commit`, each row once.
    pub fn drain(&mut self, commit: &mut BookCommit) {
        for id in std::mem::take(&mut self.changed) {
            let Some(incident) = self.incidents.get(&id) else { continue };
            commit.incidents.push(incident.clone());
            if incident.state == IncidentState::Closed {
                self.incidents.remove(&id);
            }
        }
        for key in std::mem::take(&mut self.counted) {
            let last = self.counters.get(&key).copied().unwrap_or(0);
            commit.counters.push((key, last));
        }
        self.blind.save(&mut self.notes);
        self.save_mutes();
        self.services.save(&mut self.notes);
        self.notes.drain(&mut commit.notes);
    }

    /// Writes an incident back: the only way in, so that indexes, timers and the changed set always agree with it.
    fn put(&mut self, incident: Incident) {
        let id = incident.id.clone();
        if let Some(at) = self.timer_of.remove(&id) {
            self.timers.remove(&(at, id.clone()));
        }
        if incident.state == IncidentState::Closed {
            if self.by_fingerprint.get(&incident.fingerprint) == Some(&id) {
                self.by_fingerprint.remove(&incident.fingerprint);
            }
            self.notes.remove(&timers::overdue_key(&id));
            self.notes.remove(&drills::key(&id));
        } else {
            self.by_fingerprint.insert(incident.fingerprint, id.clone());
        }
        if let Some(at) = self.timer(&incident) {
            self.timer_of.insert(id.clone(), at);
            self.timers.insert((at, id.clone()));
        }
        if incident.state.is_live() {
            self.live.insert(id.clone());
        } else {
            self.live.remove(&id);
        }
        self.mutes.file(&self.names.mute, &incident);
        self.changed.insert(id.clone());
        self.kin.change(self.incidents.get(&id), Some(&incident), &self.ground);
        self.incidents.insert(id, incident);
    }

    /// Writes an incident back and tells of it. What mutes it from now on is known before anybody is told of the rest;
    /// what no longer does is told of afterwards; whatever it hung or hangs under counts anew.
    fn moved(&mut self, change: Change, mut incident: Incident, out: &mut Decided) {
        let before = self.incidents.get(&incident.id);
        let was_acked = before.is_some_and(|before| before.state == IncidentState::Acked);
        let known = before.filter(|before| before.state.is_live()).map(|before| before.severity);
        let hung = |it: &Incident| (it.parent.clone().filter(|_| it.state.is_live()), Some(it.severity));
        let (from, to) = (before.map_or((None, None), hung), hung(&incident));
        self.mutes.file(&self.names.mute, &incident);
        incident.came = self.came.or(incident.came);
        let begins = self.begin_muting(&mut incident, known);
        self.set_clocks(change, &mut incident);
        let id = incident.id.clone();
        self.put(incident.clone());
        out.moved.push(Moved { change, incident: incident.clone(), was_acked });
        if begins {
            out.moved.push(Moved { change: Change::Muted, incident, was_acked: false });
        } else if incident.muted.is_some() {
            self.judge(&id, out);
        }
        self.settle_around(from, to, out);
        if begins {
            self.set_free(&id, out);
        }
    }
}
