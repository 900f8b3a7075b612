//! Muting: whether pages about an incident may leave, and if not, why.
//!
//! The idea: a predicate with a reason, asked in a fixed order: maintenance windows, silences, inhibition. It is asked
//! when an incident moves, when a source of inhibition comes or goes, and when a window or silence begins or ends; it
//! never changes what an incident is. Drills stand apart in every step: real maintenance does not hide them, a silence
//! does only where it says `drill=true` or names one, and they are no source for anything real. An S1 of 보안 is muted
//! only by what names 보안, or the incident itself, outright.
//! Which pages are withdrawn and what is said afterwards is decided in `page`.

mod fits;
mod inhibit;
mod silences;
mod windows;

use std::collections::BTreeSet;

use sha2::Digest as _;

pub use fits::{Fits, Subject};
pub use inhibit::inhibited;
pub(super) use silences::Silences;
pub use silences::{SILENCE_NOTES, hides};

use crate::model::{Domain, Incident, Inventory, MuteKind, Muting, People, Severity};
use crate::time::Ms;

/// Everything that mutes by configuration, matchers compiled, and what silences are checked against.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    windows: Vec<windows::Planned>,
    inhibit: Vec<inhibit::Rule>,
    inventory: Inventory,
    contacts: BTreeSet<String>,
    muting: Muting,
    /// Another configuration has another mark.
    pub(super) mark: String,
}

impl Setup {
    /// Compiles `muting`. What cannot be compiled mutes nothing: `check` refuses it before.
    pub fn new(muting: &Muting, inventory: &Inventory, people: &People) -> Self {
        let windows = muting.windows.iter().filter_map(|window| {
            Some(windows::Planned { window: window.clone(), fits: Fits::new(&window.matchers).ok()? })
        });
        let inhibit = muting.inhibit.iter().filter_map(inhibit::Rule::new);
        let digest = sha2::Sha256::digest(format!("{muting:?}").as_bytes());
        Self {
            windows: windows.collect(),
            inhibit: inhibit.collect(),
            inventory: inventory.clone(),
            contacts: people.contacts.iter().map(|contact| contact.id.clone()).collect(),
            muting: muting.clone(),
            mark: digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    fn is_off(&self, year: i32, month: u8, day: u8) -> bool {
        self.muting.calendar.is_off(year, month, day)
    }
}

/// What mutes an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) kind: MuteKind,
    pub(super) by: String,
    pub(super) who: String,
    pub(super) why: String,
    pub(super) until: Option<Ms>,
}

/// Silences, and live incidents filed for inhibition.
#[derive(Debug, Clone, Default)]
pub(super) struct Mutes {
    pub(super) silences: Silences,
    index: inhibit::Index,
    /// Incidents whose source of inhibition came or went.
    pub(super) touched: BTreeSet<String>,
}

impl Mutes {
    /// Files `incident` for inhibition as it is now.
    pub(super) fn file(&mut self, setup: &Setup, incident: &Incident) {
        if setup.inhibit.is_empty() {
            return;
        }
        let subject = incident.state.is_live().then(|| Subject::new(incident, &setup.inventory));
        let touched = self.index.file(&setup.inhibit, &incident.id, subject.as_ref(), incident.is_drill());
        self.touched.extend(touched);
    }

    /// Files everything anew, under another configuration.
    pub(super) fn refile<'a>(&mut self, setup: &Setup, incidents: impl Iterator<Item = &'a Incident>) {
        self.index = inhibit::Index::default();
        incidents.for_each(|incident| self.file(setup, incident));
    }

    /// What mutes `incident` at `now`: the first of the fixed order.
    pub(super) fn judge(&self, setup: &Setup, incident: &Incident, now: Ms) -> Option<Hit> {
        if !incident.state.is_live()
            || (setup.windows.is_empty() && setup.inhibit.is_empty() && self.silences.is_empty())
        {
            return None;
        }
        let subject = Subject::new(incident, &setup.inventory);
        let window = || maintenance(setup, incident, &subject, now);
        let silence = || self.silences.hit(incident, &subject, now);
        window().or_else(silence).or_else(|| self.inhibition(setup, incident))
    }

    fn inhibition(&self, setup: &Setup, incident: &Incident) -> Option<Hit> {
        let allows = |n: usize| setup.inhibit.get(n).is_some_and(|rule| may_hide(&rule.target, incident));
        let source = self.index.source(&incident.id, allows)?;
        Some(Hit {
            kind: MuteKind::Inhibition,
            by: source.to_owned(),
            who: String::new(),
            why: format!("{source}의 영향"),
            until: None,
        })
    }

    /// The next instant after `now` at which a window or a silence begins or ends.
    pub(super) fn next(&self, setup: &Setup, now: Ms) -> Option<Ms> {
        let is_off = |year, month, day| setup.is_off(year, month, day);
        let windows = setup.windows.iter().filter_map(|planned| planned.next(now, &is_off));
        windows.chain(self.silences.next(now)).min()
    }

    /// Whether anything here depends on time.
    pub(super) fn has_times(&self, setup: &Setup) -> bool {
        !setup.windows.is_empty() || !self.silences.is_empty()
    }
}

fn maintenance(setup: &Setup, incident: &Incident, subject: &Subject<'_>, now: Ms) -> Option<Hit> {
    if incident.is_drill() {
        return None;
    }
    let is_off = |year, month, day| setup.is_off(year, month, day);
    let fits = |planned: &&windows::Planned| {
        planned.fits.fit(subject) && may_hide(&planned.fits, incident) && planned.is_open(now, &is_off)
    };
    let planned = setup.windows.iter().find(fits)?;
    Some(Hit {
        kind: MuteKind::Maintenance,
        by: planned.window.id.clone(),
        who: planned.window.who.clone(),
        why: planned.window.reason.clone(),
        until: planned.next(now, &is_off),
    })
}

/// An S1 of 보안 is hidden only by what names 보안, or the incident itself.
fn may_hide(fits: &Fits, incident: &Incident) -> bool {
    let is_guarded = incident.severity == Severity::S1 && incident.domain == Domain::Security;
    !is_guarded || fits.names("domain", Domain::Security.word()) || fits.names("incident", &incident.id)
}
