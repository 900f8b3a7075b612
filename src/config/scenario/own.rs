//! What a scenario file brings along: its own rules, people and resources, which stand in for the configuration's.
//!
//! The idea: each part is read by the reader of its own kind of file. What a file lacks is not made up here.

use std::collections::BTreeMap;

use super::Own;
use crate::config::calendar::calendar;
use crate::config::inventory::inventory;
use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::config::rules::PlacedRule;
use crate::config::{chain, fit, mute, people, sla};
use crate::model::{Calendar, Day, Holiday, OfficeHours, Rule, TimeInterval};

/// What a scenario file says itself of the calendar; `None` = the configuration's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hours {
    /// Business hours.
    pub office: Option<OfficeHours>,
    /// Days laid over the computed ones.
    pub holidays: Option<BTreeMap<Day, Holiday>>,
    /// Named times.
    pub intervals: Option<BTreeMap<String, Vec<TimeInterval>>>,
}

impl Hours {
    /// `calendar` with these.
    pub fn laid_over(&self, calendar: &Calendar) -> Calendar {
        let mut laid = match &self.holidays {
            Some(days) => Calendar::new(days.clone(), calendar.office),
            None => calendar.clone(),
        };
        laid.office = self.office.unwrap_or(calendar.office);
        laid.intervals = self.intervals.as_ref().unwrap_or(&calendar.intervals).clone();
        laid
    }
}

/// What an incomplete 비상연락망 lacks. In the service that is a mistake; a scenario may show what comes of it.
const INCOMPLETE: &[&str] = &["unknown-role", "no-default-chain"];

/// What a checked scenario file brings along, of `rules` those that it holds itself.
pub(in crate::config) fn own(file: Obj<'_>, rules: &BTreeMap<String, PlacedRule>, notes: &mut Notes) -> Own {
    if !file.has("scenarios") {
        return Own::default();
    }
    let own_rules = file.has("rules").then(|| {
        let ids = file.subs("rules").filter_map(|rule| rule.text("id"));
        let mut own: Vec<_> = ids.filter_map(|id| rules.get(id)).map(|placed| placed.rule.clone()).collect();
        own.sort_by(|a, b| a.id.cmp(&b.id));
        own
    });
    parts(file, own_rules, notes)
}

/// The people and resources of `file`, with `rules`.
pub(super) fn parts(file: Obj<'_>, rules: Option<Vec<Rule>>, notes: &mut Notes) -> Own {
    let contacts = file.has("contacts").then(|| people::contacts(file, notes));
    let rotas = contacts.as_ref().map(|contacts| people::rotas(file, contacts, notes));
    let (mut ours, mut theirs) = (notes.beside(), notes.beside());
    let chains = file.has("chains").then(|| chain::chains(file, &mut ours));
    if let (Some(contacts), Some(chains)) = (&contacts, &chains) {
        fit::cross(chains, (contacts, rotas.as_deref().unwrap_or_default()), &mut ours, &mut theirs);
    }
    notes.join(ours.softened(INCOMPLETE));
    notes.join(theirs);
    Own {
        rules,
        contacts: contacts.map(|contacts| contacts.into_iter().map(|contact| contact.value).collect()),
        rotas,
        chains: chains.map(|chains| chains.into_iter().map(|(chain, _)| chain).collect()),
        sla: file.has("sla").then(|| sla::sla(file, notes)),
        inventory: file.has("resources").then(|| inventory(file, notes)),
        inhibit: file.has("inhibit").then(|| mute::inhibits(file, notes)),
        maintenance: file.has("maintenance").then(|| mute::windows(file, notes)),
        hours: hours(file, notes),
    }
}

/// What `file` says itself of business hours, days off and named times.
fn hours(file: Obj<'_>, notes: &mut Notes) -> Hours {
    if !["business", "holidays", "intervals"].into_iter().any(|key| file.has(key)) {
        return Hours::default();
    }
    let read = calendar(file, notes);
    Hours {
        office: file.has("business").then_some(read.office),
        holidays: file.has("holidays").then_some(read.holidays),
        intervals: file.has("intervals").then_some(read.intervals),
    }
}
