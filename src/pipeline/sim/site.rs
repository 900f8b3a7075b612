//! What a world has beside its rules and people: resources that stand on each other, planned work, inhibition; and the
//! versions of all of it that a reload goes through.
//!
//! The idea: a world is told apart by a few switches ([`Site`]) that its seed throws, so that each part is met alone and
//! together with the others. Everything here is configuration that somebody could have written; nothing is decided.

use std::sync::{Arc, OnceLock};

use crate::model::{InhibitRule, Inventory, Matcher, Muting, People, Resource, Rule, Test, Window};
use crate::pipeline::leader::World as Standing;
use crate::pipeline::sim::setting;
use crate::pipeline::sim::terms::Terms;
use crate::pipeline::sim::world::BEGINNING;
use crate::time::{MINUTE, SECOND};

/// More new incidents a minute than these are a storm in a stormy world.
const STORMY_AFTER: usize = 3;
/// How many versions there are.
pub(super) const STANDINGS: usize = 7;
/// Sites that differ.
const SITES: usize = 32;

/// What a world has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Site {
    /// Nobody's pages are capped below S1.
    pub is_roomy: bool,
    /// Resources stand on each other, and rules say what explains what.
    pub has_topology: bool,
    /// A few incidents in one place are a storm.
    pub is_stormy: bool,
    /// Work is planned.
    pub has_windows: bool,
    /// Some incidents make others of no news.
    pub inhibits: bool,
}

impl Site {
    fn number(self) -> usize {
        let switches = [self.is_roomy, self.has_topology, self.is_stormy, self.has_windows, self.inhibits];
        switches.into_iter().fold(0, |number, is_on| number * 2 + usize::from(is_on))
    }

    /// Its resources.
    pub(super) fn inventory(self) -> Inventory {
        if !self.has_topology {
            return Inventory::default();
        }
        let one = |id: &str, kind: &str, parent: Option<&str>| Resource {
            id: id.to_owned(),
            kind: kind.to_owned(),
            parent: parent.map(str::to_owned),
            service: parent.filter(|_| kind == "vm").map(|_| "front".to_owned()),
            ..Resource::default()
        };
        let pool = |id: &str, members: [&str; 2]| Resource {
            members: members.map(str::to_owned).to_vec(),
            ..one(id, "lb", None)
        };
        let needs = |id: &str, parent: &str, need: &str| Resource {
            depends_on: vec![need.to_owned()],
            ..one(id, "vm", Some(parent))
        };
        let all = [
            one("k-1", "cluster", None),
            one("node-01", "node", Some("k-1")),
            one("node-02", "node", Some("k-1")),
            one("db-01", "vm", Some("node-01")),
            one("db-02", "vm", Some("node-02")),
            needs("was-01", "node-01", "db-01"),
            needs("was-02", "node-02", "db-01"),
            pool("lb-01", ["was-01", "was-02"]),
            pool("lb-02", ["db-01", "db-02"]),
        ];
        Inventory { resources: all.into_iter().map(|it| (it.id.clone(), it)).collect() }
    }

    /// What mutes here.
    pub(super) fn muting(self) -> Muting {
        let windows = if self.has_windows { windows() } else { Vec::new() };
        let inhibit = if self.inhibits { inhibit() } else { Vec::new() };
        Muting { windows, inhibit, ..Muting::default() }
    }

    /// What the oracle must know of it.
    pub(super) fn terms(self) -> Terms {
        Terms::of(&self.people(0), &self.muting(), &self.inventory())
    }

    /// What stands outside the processes, in one of its versions.
    pub(super) fn standing(self, version: usize) -> Arc<Standing> {
        static MADE: [OnceLock<Arc<Standing>>; SITES * STANDINGS] = [const { OnceLock::new() }; SITES * STANDINGS];
        let made = &MADE[self.number() * STANDINGS + version % STANDINGS];
        Arc::clone(made.get_or_init(|| Arc::new(self.make(version % STANDINGS))))
    }

    /// The version that has a hash in the ledger.
    pub(super) fn standing_of(self, hash: &str) -> Option<Arc<Standing>> {
        (0..STANDINGS).find(|version| version_hash(*version) == hash).map(|version| self.standing(version))
    }

    fn make(self, version: usize) -> Standing {
        let mut rules = setting::rules(version);
        if self.has_topology {
            for rule in &mut rules.rules {
                *rule = Arc::new(Rule { bonds: setting::bonds(&rule.id), ..Rule::clone(rule) });
            }
        }
        let standing = Standing::new(rules, self.people(version), self.inventory()).muted_by(&self.muting());
        let mut standing = if self.is_stormy { standing.storm_after(STORMY_AFTER) } else { standing };
        standing.hash = version_hash(version);
        standing
    }

    /// 1: the first step is empty; 2: the last group is empty; 3: the third person is of the first step, too. The others
    /// differ by their rules.
    fn people(self, version: usize) -> People {
        let mut people = setting::people();
        people.pages_an_hour = self.is_roomy.then_some(10_000);
        people.contacts.push(setting::contact(4, "NIA", "정보보안담당관"));
        match version {
            1 => people.contacts.retain(|contact| contact.id != "person-1"),
            2 => people.contacts.retain(|contact| contact.id != "person-3"),
            3 => people.contacts[2].roles.push("duty".to_owned()),
            _ => {}
        }
        people
    }
}

/// The hash that the ledger has of a version.
pub(super) fn version_hash(version: usize) -> String {
    format!("standing-{version}")
}

pub(super) fn is(label: &str, value: &str) -> Matcher {
    Matcher { label: label.to_owned(), test: Test::Is, value: value.to_owned() }
}

/// Work on one machine, twice, and on another as far as S2 goes.
fn windows() -> Vec<Window> {
    let at = |from, until| (BEGINNING + from, BEGINNING + until);
    let window = |id: &str, matchers: Vec<Matcher>, once| Window {
        id: id.to_owned(),
        matchers,
        once,
        times: Vec::new(),
        reason: "정기점검".to_owned(),
        who: "person-3".to_owned(),
    };
    vec![
        window(
            "was",
            vec![is("host", "was-01")],
            vec![at(90 * SECOND, 4 * MINUTE), at(7 * MINUTE, 10 * MINUTE + 7 * SECOND)],
        ),
        window("db", vec![is("host", "db-01"), is("severity", "S2")], vec![at(3 * MINUTE, 6 * MINUTE)]),
    ]
}

fn inhibit() -> Vec<InhibitRule> {
    vec![
        InhibitRule {
            source: vec![is("rule", "value-high")],
            target: vec![is("rule", "value-mean")],
            equal: vec!["host".to_owned()],
        },
        InhibitRule {
            source: vec![is("rule", "value-high"), is("severity", "S1")],
            target: vec![is("rule", "lines")],
            equal: vec!["host".to_owned()],
        },
    ]
}
