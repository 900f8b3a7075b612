//! Watches the 비상연락망 while the service runs: numbers that a carrier refused for good, and hours of the next day in
//! which nobody, or nobody of a first step, would be told.
//!
//! The idea: each finding is an incident of its own, by contact or by chain and 구간, opened when it is found and ended
//! when a look finds it no more; an incident that an earlier run left open is found again in the store. It looks and
//! tells; whom to tell instead is the chain's business, what may be wrong in files is `check`'s.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::config::{self, Gap};
use crate::model::{
    Builtin, CONTACT_GAP, CONTACT_STALE, Channel, Contact, Inventory, Labels, PageRow, PageState, People, State,
};
use crate::pipeline::outbox::Contacts;
use crate::pipeline::shell::Shared;
use crate::pipeline::watch::own;
use crate::time::{DAY, MINUTE, Ms, SECOND};

/// Distance of looks at pages.
const PAGES_EVERY: Ms = 10 * SECOND;
/// Distance of looks at the hours ahead; a change of the files is looked at with the next look at pages.
const GAPS_EVERY: Ms = 10 * MINUTE;
/// How far ahead: who takes the morning shift can still be called.
const AHEAD: Ms = DAY;
/// Pages among which refused numbers are looked for: the newest.
const PAGES_MAX: usize = 2_000;
/// Incidents among which those of an earlier run are looked for.
const INCIDENTS_MAX: usize = 10_000;
/// What a gateway says of a number that is none.
const RECIPIENT: &str = "recipient";

/// What is wrong: which of the engine's own rules, and of whom.
type Finding = (&'static str, Labels);

/// The watch.
#[derive(Debug)]
pub struct RosterWatch {
    contacts: Contacts,
    /// Incidents that are open; `None` until the store was asked.
    open: Option<BTreeSet<Finding>>,
    looked: Option<Ms>,
    gaps: BTreeSet<Finding>,
    gaps_looked: Option<Ms>,
    /// The files that the gaps are of.
    seen: Option<(Arc<People>, Arc<Inventory>)>,
}

impl RosterWatch {
    /// A watch over the contacts in force.
    pub fn new(contacts: Contacts) -> Self {
        Self { contacts, open: None, looked: None, gaps: BTreeSet::new(), gaps_looked: None, seen: None }
    }

    /// One look, where one is due.
    pub fn look(&mut self, shared: &Shared) {
        let now = shared.clock.elapsed();
        if self.looked.is_some_and(|at| now - at < PAGES_EVERY) {
            return;
        }
        self.looked = Some(now);
        let (people, inventory) = (self.contacts.people(), self.contacts.inventory());
        self.look_ahead(&people, &inventory, (now, shared.clock.wall()));
        let Ok(pages) = shared.store.pages(None, PAGES_MAX) else { return };
        let refused = refused(&people, &pages).into_iter();
        let mut wanted: BTreeSet<Finding> =
            refused.map(|id| (CONTACT_STALE.id, Labels::new([("contact", id.as_str())]))).collect();
        wanted.extend(self.gaps.iter().cloned());
        self.settle(wanted, shared);
    }

    fn look_ahead(&mut self, people: &Arc<People>, inventory: &Arc<Inventory>, (now, wall): (Ms, Ms)) {
        let is_same =
            |(seen, stock): &(Arc<People>, Arc<Inventory>)| Arc::ptr_eq(seen, people) && Arc::ptr_eq(stock, inventory);
        let is_known = self.seen.as_ref().is_some_and(is_same);
        if is_known && self.gaps_looked.is_some_and(|at| now - at < GAPS_EVERY) {
            return;
        }
        let found = config::gaps(people, inventory, wall, wall + AHEAD);
        self.gaps = found.nobody.iter().map(|gap| finding(gap, "all")).collect();
        self.gaps.extend(found.first_step.iter().map(|gap| finding(gap, "first")));
        (self.seen, self.gaps_looked) = (Some((Arc::clone(people), Arc::clone(inventory))), Some(now));
    }

    fn settle(&mut self, wanted: BTreeSet<Finding>, shared: &Shared) {
        if self.open.is_none() {
            self.open = open(shared);
        }
        let Some(open) = &mut self.open else { return };
        for (id, labels) in wanted.difference(open) {
            tracing::warn!(rule = id, labels = ?labels, "the contacts need attention");
            own(shared, rule_of(id), labels.clone(), State::Firing);
        }
        for (id, labels) in open.difference(&wanted) {
            own(shared, rule_of(id), labels.clone(), State::Resolved);
        }
        *open = wanted;
    }
}

fn rule_of(id: &str) -> &'static Builtin {
    if id == CONTACT_STALE.id { &CONTACT_STALE } else { &CONTACT_GAP }
}

fn finding(gap: &Gap, step: &str) -> Finding {
    (CONTACT_GAP.id, Labels::new([("chain", gap.chain.as_str()), ("domain", gap.domain.word()), ("step", step)]))
}

/// Findings of an earlier run whose incidents are open; `None` where the store does not say.
fn open(shared: &Shared) -> Option<BTreeSet<Finding>> {
    let incidents = shared.store.incidents(INCIDENTS_MAX).ok()?;
    let live = incidents.into_iter().filter(|incident| incident.state.is_live());
    let ours = live.filter_map(|incident| {
        let rule = [&CONTACT_STALE, &CONTACT_GAP].into_iter().find(|rule| *rule.id == *incident.rule)?;
        Some((rule.id, incident.labels))
    });
    Some(ours.collect())
}

/// Contacts whose number a carrier refused for good, as `pages` have it: after the last page that is on their phone, and
/// after the number was confirmed.
pub fn refused(people: &People, pages: &[PageRow]) -> Vec<String> {
    let is_refused = |contact: &&Contact| {
        let theirs = pages.iter().filter(|row| row.page.to == contact.id && row.page.channel != Channel::Mail);
        let last = |fits: &dyn Fn(&PageRow) -> bool| {
            theirs.clone().filter(|row| fits(row)).map(|row| row.done.unwrap_or(row.page.decided)).max()
        };
        let refused = last(&|row| row.state == PageState::Failed && row.detail == RECIPIENT);
        // A confirmation is of a whole day: who edits the file after the refusal writes today's date.
        let good = last(&|row| row.state == PageState::Delivered).max(contact.confirmed.map(|day| day + DAY));
        refused.is_some_and(|at| good.is_none_or(|good| good < at))
    };
    people.contacts.iter().filter(is_refused).map(|contact| contact.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Chain, Domain, Input, Last, Step, Target};
    use crate::pipeline::shell::Shell;
    use crate::store::{MemoryStore, Store as _};
    use crate::telemetry::Metrics;
    use crate::time::ManualClock;

    /// 2026-11-24 09:00 KST.
    const T0: Ms = 1_795_478_400_000;

    struct Site {
        shell: Shell,
        clock: Arc<ManualClock>,
        store: Arc<MemoryStore>,
        contacts: Contacts,
        watch: RosterWatch,
    }

    fn site(until: Option<Ms>) -> Site {
        let clock = Arc::new(ManualClock::at(T0));
        let store = Arc::new(MemoryStore::default());
        let shell = Shell::new(store.clone(), clock.clone(), Arc::new(Metrics::new(0)));
        let contacts = Contacts::new(Arc::new(people(until)));
        let watch = RosterWatch::new(contacts.clone());
        Site { shell, clock, store, contacts, watch }
    }

    fn people(until: Option<Ms>) -> People {
        let contact = |id: &str, until: Option<Ms>| Contact {
            id: id.to_owned(),
            phone: Some("010-0000-0001".to_owned()),
            until,
            ..Contact::default()
        };
        let to = |id: &str| vec![Target::Contact(id.to_owned())];
        let by = vec![Channel::Sms];
        let step = Step { to: to("duty"), by: by.clone(), wait: MINUTE, when: None };
        let chain = Chain {
            id: "default".to_owned(),
            default: true,
            steps: vec![step],
            last: Last { to: to("boss"), by, repeat: MINUTE },
            ..Chain::default()
        };
        People {
            contacts: vec![contact("duty", until), contact("boss", None)],
            chains: vec![chain],
            ..People::default()
        }
    }

    impl Site {
        fn look(&mut self) {
            self.watch.look(&self.shell.shared);
            self.clock.advance(PAGES_EVERY);
        }

        fn told(&self) -> Vec<(String, String, State)> {
            let inputs = self.store.inputs(&[], 1_000).expect("memory is never away");
            let own = inputs.into_iter().filter_map(|taken| match taken.input {
                Input::Own(signal) => {
                    let who = signal.labels.get("contact").or(signal.labels.get("domain"))?.to_owned();
                    Some((signal.rule.to_string(), who, signal.to))
                }
                _ => None,
            });
            own.collect()
        }
    }

    #[test]
    fn hours_of_the_next_day_without_a_first_step_are_one_incident_for_each_domain() {
        let mut site = site(Some(T0 + 30 * 60 * MINUTE));
        site.look();
        assert_eq!(site.told(), [], "the number counts for 30 hours more");
        site.clock.advance(7 * 60 * MINUTE);
        site.look();
        site.look();
        let gap = |to: State| Domain::ALL.map(|domain| (CONTACT_GAP.id.to_owned(), domain.word().to_owned(), to));
        let mut told = site.told();
        told.sort();
        let mut wanted = gap(State::Firing).to_vec();
        wanted.sort();
        assert_eq!(told, wanted);
        site.contacts.replace(Arc::new(people(None)));
        site.look();
        let mut told = site.told().split_off(4);
        told.sort();
        let mut wanted = gap(State::Resolved).to_vec();
        wanted.sort();
        assert_eq!(told, wanted, "the edited file is looked at with the next look");
    }

    #[test]
    fn a_look_follows_the_last_by_ten_seconds() {
        let mut site = site(Some(T0 + 60 * MINUTE));
        site.look();
        let first = site.told().len();
        assert!(first > 0);
        site.contacts.replace(Arc::new(people(None)));
        site.clock.advance(-SECOND);
        site.look();
        assert_eq!(site.told().len(), first);
    }
}
