//! Who hears what: the chain, the caps, the texts.
//!
//! The idea: the desk is told what moved ([`Desk::moved`]), what became of pages ([`Desk::handed`], [`Desk::outcome`])
//! and that time passed ([`Desk::due`]); it answers with pages to send and pages to withdraw. A chain row per
//! incident, the outbox rows and a few notes are all it keeps, so a new leader goes on in the middle of a chain.
//! It does not know rules, signals or gateways, and it never decides what an incident is (see `incident`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::Digest as _;

use crate::model::{
    BookCommit, Cancel, Chain, ChainRow, Change, Channel, Incident, IncidentState, Last, Page, PageRow, PageState,
    People, Reason, Severity,
};
use crate::time::Ms;

use group::Seat;

mod back;
mod cap;
mod chain;
mod choose;
mod clock;
mod empty;
mod fold;
mod group;
pub mod guard;
pub mod ksx1001;
mod outbox;
mod pace;
mod pause;
mod sla;
mod size;
mod snapshot;
#[cfg(test)]
mod tests;
pub mod wording;

use cap::{Counts, Digest, Fold, FoldKey, Many};
pub use cap::{PAGES_AN_HOUR, S1_A_MINUTE};
pub use choose::{Asked, Chooser};
pub use empty::{Empty, EmptyStep, empty_notes, empty_steps};
pub use group::step as told_by;
use guard::GuardSet;

/// The first characters of every note of this stage.
pub const NOTES: &str = "page/";

/// What the desk decided.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decisions {
    /// Pages to send.
    pub pages: Vec<Page>,
    /// Pages no longer wanted; a page may have been decided in the same transaction.
    pub cancels: Vec<Cancel>,
    /// Incidents that wait for a digest, and when it leaves: their notify-within runs from then.
    pub deferred: Vec<(String, Ms)>,
    /// Incidents of which somebody was told just now: a page was accepted.
    pub told: Vec<String>,
    /// Steps that were passed because nobody is behind their names.
    pub empty: Vec<Empty>,
}

/// All incidents that are not closed, as the desk's caller has them.
pub type Incidents = BTreeMap<String, Incident>;

/// An incident and the instant: what most decisions are about.
#[derive(Debug, Clone, Copy)]
struct Call<'a> {
    incident: &'a Incident,
    now: Ms,
}

/// A chain that runs.
#[derive(Debug, Clone)]
struct Run {
    row: ChainRow,
    chain: Arc<Chain>,
    /// The occurrence from which on those told count as told: flapping reopens quietly.
    since: i64,
}

/// What the desk remembers of a page.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    incident: String,
    severity: Severity,
    reason: Reason,
    step: i64,
    round: i64,
    occurrence: i64,
    to: String,
    channel: Channel,
    decided: Ms,
    state: PageState,
}

impl Known {
    fn seat(&self) -> Seat {
        (self.to.clone(), self.channel)
    }

    fn is_for(&self, (to, channel): &Seat) -> bool {
        self.to == *to && self.channel == *channel
    }

    /// Whether a chain says it of the beginning, to whoever is next: neither an end nor a word to one who has it.
    fn is_of_chain(&self) -> bool {
        !matches!(self.reason, Reason::Resolved | Reason::Handover | Reason::Sla)
    }
}

/// Chains that run, pages that are not done, caps.
#[derive(Debug, Clone)]
pub struct Desk {
    people: Arc<People>,
    chooser: Chooser,
    guard: Arc<GuardSet>,
    runs: BTreeMap<String, Run>,
    timers: BTreeSet<(Ms, String)>,
    /// When the next channel of an incident's first telling starts.
    hurries: BTreeSet<(Ms, String)>,
    /// How long channels take, where that was measured.
    paces: BTreeMap<Channel, Ms>,
    pages: BTreeMap<String, Known>,
    pages_of: BTreeMap<String, BTreeSet<String>>,
    counts: BTreeMap<String, Counts>,
    folds: BTreeMap<FoldKey, Fold>,
    many: BTreeMap<String, Many>,
    digests: BTreeMap<String, Digest>,
    /// Steps that told nobody, by incident.
    empties: BTreeMap<String, Vec<EmptyStep>>,
    changed: BTreeSet<String>,
    changed_notes: BTreeSet<String>,
}

impl Desk {
    /// A desk as the store has it. `notes` may hold those of other stages.
    pub fn load(
        incidents: &[Incident],
        chains: &[ChainRow],
        pages: &[PageRow],
        notes: &[(String, String)],
        (people, guard): (Arc<People>, Arc<GuardSet>),
    ) -> Self {
        let mut desk = Self {
            chooser: Chooser::of(&people),
            people,
            guard,
            runs: BTreeMap::new(),
            timers: BTreeSet::new(),
            hurries: BTreeSet::new(),
            paces: BTreeMap::new(),
            pages: BTreeMap::new(),
            pages_of: BTreeMap::new(),
            counts: BTreeMap::new(),
            folds: BTreeMap::new(),
            many: BTreeMap::new(),
            digests: BTreeMap::new(),
            empties: BTreeMap::new(),
            changed: BTreeSet::new(),
            changed_notes: BTreeSet::new(),
        };
        let open: BTreeSet<&str> = incidents
            .iter()
            .filter(|incident| incident.state != IncidentState::Closed)
            .map(|incident| incident.id.as_str())
            .collect();
        for row in chains.iter().filter(|row| open.contains(row.incident.as_str())) {
            let (chain, since) = snapshot::read(&row.snapshot).unwrap_or_else(|| (nobody(), 1));
            desk.put(Run { row: row.clone(), chain: Arc::new(chain), since });
        }
        for (key, text) in notes {
            if let Some(key) = key.strip_prefix(NOTES) {
                desk.load_note(key, text);
            }
        }
        let known =
            |row: &&PageRow| open.contains(row.page.incident.as_str()) || may_come_back(row.page.reason, row.state);
        for row in pages.iter().filter(known) {
            if row.state != PageState::Cancelled && row.page.reason != Reason::Digest {
                desk.remember(&row.page, row.state);
            }
        }
        desk.changed.clear();
        desk
    }

    /// Uses other contacts, chains and deny-lists from now on; chains that run keep their steps.
    pub fn reload(&mut self, people: Arc<People>, guard: Arc<GuardSet>) {
        self.chooser = Chooser::of(&people);
        self.people = people;
        self.guard = guard;
    }

    fn hour_max(&self) -> usize {
        self.people.pages_an_hour.unwrap_or(PAGES_AN_HOUR)
    }

    /// Takes one change of an incident. `asked` chooses its chain.
    pub fn moved(
        &mut self,
        change: Change,
        incident: &Incident,
        was_acked: bool,
        asked: Asked<'_>,
        now: Ms,
    ) -> Decisions {
        let mut out = Decisions::default();
        let call = Call { incident, now };
        match change {
            Change::Opened => self.open(call, asked, &mut out),
            // Quiet; but what was to be said of it and could not be, while it was muted, is.
            Change::Reopened if incident.flapping => drop(self.resume(call, asked, &mut out)),
            Change::Reopened | Change::Flapping => self.reopen(call, change == Change::Flapping, &mut out),
            Change::Worsened => {
                if was_acked {
                    self.taken_meanwhile(&incident.id);
                }
                self.worsen(call, was_acked, asked, &mut out);
            }
            Change::Acked => {
                self.taken_meanwhile(&incident.id);
                self.hush(call, "acked", &mut out);
            }
            Change::Muted => {
                let known = incident.muted.as_ref().and_then(|muted| muted.severity);
                self.pause(call, "muted", known, &mut out);
            }
            Change::Attached => self.pause(call, "attached", None, &mut out),
            Change::Unacked | Change::Released | Change::Unmuted | Change::Detached => {
                if !self.resume(call, asked, &mut out) {
                    self.go_on(call, &mut out);
                }
            }
            Change::HandedOver => self.hand_over(call, &mut out),
            Change::Resolved => self.end(call, &mut out),
            Change::Closed => self.forget(&incident.id),
            Change::Grown => self.grow(call, asked, &mut out),
            Change::SlaWarned => self.warn(call, &mut out),
            Change::Eased | Change::Overdue | Change::AckOverdue | Change::RecoverOverdue | Change::BudgetSpent => {}
        }
        out
    }

    /// Does what is due at `now`: chain steps, folds, digests.
    pub fn due(&mut self, incidents: &Incidents, now: Ms) -> Decisions {
        let mut out = Decisions::default();
        self.due_hurries(incidents, now, &mut out);
        self.due_chains(incidents, now, &mut out);
        self.due_folds(incidents, now, &mut out);
        self.due_digests(incidents, now, &mut out);
        out
    }

    /// When [`Desk::due`] has something to do.
    pub fn next_due(&self) -> Option<Ms> {
        let chain = self.timers.first().map(|(at, _)| *at);
        let hurry = self.hurries.first().map(|(at, _)| *at);
        let fold = self.folds.values().filter(|fold| !fold.members.is_empty()).map(|fold| fold.due).min();
        let digest = self.digests.values().map(|digest| digest.due).min();
        [chain, hurry, fold, digest].into_iter().flatten().min()
    }

    /// When the chain of an incident goes on; `None` where it waits for something else or is over.
    pub fn chain_due(&self, incident: &str) -> Option<Ms> {
        self.runs.get(incident)?.row.due
    }

    /// Everybody who was told of the present occurrence of an incident.
    pub fn told(&self, incident: &str) -> &[(String, Channel)] {
        self.runs.get(incident).map_or(&[], |run| &run.row.told)
    }

    /// Moves everything that changed since the last call into `commit`, each row once.
    pub fn drain(&mut self, commit: &mut BookCommit) {
        for id in std::mem::take(&mut self.changed) {
            if let Some(run) = self.runs.get(&id) {
                commit.chains.push(run.row.clone());
            }
        }
        for key in std::mem::take(&mut self.changed_notes) {
            commit.notes.push((format!("{NOTES}{key}"), self.note(&key)));
        }
    }

    /// Loses every timer, as a bug might.
    #[cfg(test)]
    pub(crate) fn lose_timers(&mut self) {
        self.timers.clear();
        self.hurries.clear();
    }

    /// Writes a run back: the only way in, so that timers and the changed set agree with it.
    fn put(&mut self, run: Run) {
        let id = run.row.incident.clone();
        let before = self.runs.get(&id).map(|before| (before.row.due, before.row.hurry)).unwrap_or_default();
        if let Some(at) = before.0 {
            self.timers.remove(&(at, id.clone()));
        }
        if let Some(at) = before.1 {
            self.hurries.remove(&(at, id.clone()));
        }
        if let Some(at) = run.row.hurry {
            self.hurries.insert((at, id.clone()));
        }
        if let Some(at) = run.row.due {
            self.timers.insert((at, id.clone()));
        }
        self.changed.insert(id.clone());
        self.runs.insert(id, run);
    }

    fn forget(&mut self, id: &str) {
        self.forget_empty(id);
        if let Some(run) = self.runs.remove(id) {
            if let Some(at) = run.row.due {
                self.timers.remove(&(at, id.to_owned()));
            }
            if let Some(at) = run.row.hurry {
                self.hurries.remove(&(at, id.to_owned()));
            }
        }
        self.changed.remove(id);
        for page in self.pages_of.get(id).cloned().unwrap_or_default() {
            if self.pages.get(&page).is_none_or(|known| !may_come_back(known.reason, known.state)) {
                self.drop_page(&page);
            }
        }
    }
}

/// Whether a page is with a sender that may give it back when its incident is closed: then it is not to be said any more.
fn may_come_back(reason: Reason, state: PageState) -> bool {
    state == PageState::Handed && reason != Reason::Resolved
}

/// The chain that a row's snapshot holds.
pub fn chain_of(snapshot: &str) -> Option<Chain> {
    snapshot::read(snapshot).map(|(chain, _)| chain)
}

/// The chain where there is none: straight to its last group, which widens to whoever can be reached.
fn nobody() -> Chain {
    Chain {
        default: true,
        last: Last { to: Vec::new(), by: vec![Channel::Sms, Channel::Mail], repeat: chain::REPEAT_DEFAULT },
        digest_hour: 9,
        ..Chain::default()
    }
}

/// What makes a page the page it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageKey<'a> {
    /// Incident number.
    pub incident: &'a str,
    /// Step.
    pub step: i64,
    /// Loop.
    pub round: i64,
    /// Contact id.
    pub to: &'a str,
    /// Channel.
    pub channel: Channel,
    /// Reason.
    pub reason: Reason,
    /// Occurrence.
    pub occurrence: i64,
}

impl PageKey<'_> {
    /// The page's id: `p-` and 112 bits of SHA-256 in hex, 30 characters that every gateway takes as a client's id.
    pub fn id(&self) -> String {
        let Self { incident, step, round, to, channel, reason, occurrence } = self;
        let (channel, reason) = (channel.word(), reason.word());
        let text = format!("{incident}\x1f{step}\x1f{round}\x1f{to}\x1f{channel}\x1f{reason}\x1f{occurrence}");
        let digest = sha2::Sha256::digest(text.as_bytes());
        let hex: String = digest.iter().take(14).map(|byte| format!("{byte:02x}")).collect();
        format!("p-{hex}")
    }
}
