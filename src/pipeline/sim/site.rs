//! What a world has beside its rules and people: resources that stand on each other, planned work, inhibition; and the
//! versions of all of it that a reload goes through.
//!
//! The idea: a world is told apart by a few switches ([`Site`]) that its seed throws, so that each part is met alone and
//! together with the others. Everything here is a file that somebody could have written, read by the reader of such files;
//! nothing is decided.

use std::sync::{Arc, OnceLock};

use crate::config::{self, Ask, Own};
use crate::evaluate::{Setup, SkewPolicy};
use crate::model::{Inventory, Matcher, Muting, People, RuleSet, SOURCE_SILENT, Test};
use crate::pipeline::leader::World as Standing;
use crate::pipeline::sim::setting::{self, SERIES, TOPIC};
use crate::pipeline::sim::terms::Terms;
use crate::pipeline::sim::world::BEGINNING;
use crate::time::{MINUTE, Ms, SECOND, rfc3339};

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

    /// All of it in its first version, as a file of rules and people has it.
    pub(super) fn file(self) -> String {
        let mut text = self.parts(0) + setting::CHAINS;
        if self.has_topology {
            text += RESOURCES;
        }
        if self.inhibits {
            text += INHIBIT;
        }
        if self.has_windows {
            text += &windows();
        }
        text
    }

    /// What a reload brings: the rules and people of a version.
    pub(super) fn parts(self, version: usize) -> String {
        setting::rules(version, self.has_topology) + &setting::contacts(version)
    }

    /// Pages a person and hour, S1 not counted; `None`: as many as ever.
    pub(super) fn pages_an_hour(self) -> Option<usize> {
        self.is_roomy.then_some(10_000)
    }

    /// New incidents a minute in one place that are a storm; `None`: as many as ever.
    pub(super) fn storm_after(self) -> Option<usize> {
        self.is_stormy.then_some(STORMY_AFTER)
    }

    /// What the oracle must know of it.
    pub(super) fn terms(self) -> Terms {
        self.version(0).terms.clone()
    }

    /// What stands outside the processes, in one of its versions.
    pub(super) fn standing(self, version: usize) -> Arc<Standing> {
        Arc::clone(&self.version(version).standing)
    }

    /// The evaluation under one of its versions.
    pub(super) fn setup(self, partitions: i32, version: usize) -> Arc<Setup> {
        let made = self.version(version);
        Arc::new(Setup {
            rules: Arc::clone(&made.rules),
            inventory: Arc::clone(&made.inventory),
            topic: TOPIC.to_owned(),
            partitions,
            limits: SERIES,
            skew: SkewPolicy::Shift,
            builtins: true,
            source_silent: Some(SOURCE_SILENT.severity),
        })
    }

    fn version(self, version: usize) -> &'static Version {
        static MADE: [OnceLock<Version>; SITES * STANDINGS] = [const { OnceLock::new() }; SITES * STANDINGS];
        let version = version % STANDINGS;
        MADE[self.number() * STANDINGS + version].get_or_init(|| self.make(version))
    }

    /// The version that has a hash in the ledger.
    pub(super) fn standing_of(self, hash: &str) -> Option<Arc<Standing>> {
        (0..STANDINGS).find(|version| version_hash(*version) == hash).map(|version| self.standing(version))
    }

    fn make(self, version: usize) -> Version {
        let (own, parts) = (read(&self.file()), read(&self.parts(version)));
        let rules = parts.rules.iter().flatten().cloned().map(Arc::new).collect();
        let rules = RuleSet { hash: format!("simulated-{version}"), rules, groups: Vec::new() };
        let people = People {
            pages_an_hour: self.pages_an_hour(),
            contacts: parts.contacts.clone().unwrap_or_default(),
            chains: own.chains.clone().unwrap_or_default(),
            ..People::default()
        };
        let muting = Muting {
            windows: own.maintenance.clone().unwrap_or_default(),
            inhibit: own.inhibit.clone().unwrap_or_default(),
            ..Muting::default()
        };
        let inventory = own.inventory.clone().unwrap_or_default();
        let terms = Terms::of(&people, &muting, &inventory);
        let mut standing = Standing::new(rules.clone(), people, inventory.clone()).muted_by(&muting);
        if let Some(limit) = self.storm_after() {
            standing = standing.storm_after(limit);
        }
        standing.hash = version_hash(version);
        Version { rules: Arc::new(rules), inventory: Arc::new(inventory), terms, standing: Arc::new(standing) }
    }
}

/// One version of a site, made once.
#[derive(Debug)]
struct Version {
    rules: Arc<RuleSet>,
    inventory: Arc<Inventory>,
    terms: Terms,
    standing: Arc<Standing>,
}

/// What such a file says, by the reader of such files.
fn read(text: &str) -> Arc<Own> {
    let file = format!("{text}scenarios: [{{ name: world, feed: [], expect: [] }}]\n");
    let ask = Ask { env: &[], now: BEGINNING, whole: false };
    let loaded = config::load_text("world.yaml", &file, &ask);
    debug_assert_eq!(loaded.errors(), 0, "a world's file is a sound one: {:?}", loaded.problems);
    loaded.scenarios.first().map(|scenario| Arc::clone(&scenario.own)).unwrap_or_default()
}

/// The hash that the ledger has of a version.
pub(super) fn version_hash(version: usize) -> String {
    format!("standing-{version}")
}

pub(super) fn is(label: &str, value: &str) -> Matcher {
    Matcher { label: label.to_owned(), test: Test::Is, value: value.to_owned() }
}

/// On what the hosts stand, and what they need.
const RESOURCES: &str = "resources:
  - { id: k-1, kind: cluster }
  - { id: node-01, kind: node, parent: k-1 }
  - { id: node-02, kind: node, parent: k-1 }
  - { id: db-01, kind: vm, parent: node-01, service: front }
  - { id: db-02, kind: vm, parent: node-02, service: front }
  - { id: was-01, kind: vm, parent: node-01, service: front, depends_on: [db-01] }
  - { id: was-02, kind: vm, parent: node-02, service: front, depends_on: [db-01] }
  - { id: lb-01, kind: lb, members: [was-01, was-02] }
  - { id: lb-02, kind: lb, members: [db-01, db-02] }
";

/// Work on one machine, twice, and on another as far as S2 goes.
fn windows() -> String {
    let at = |after: Ms| rfc3339(BEGINNING + after);
    let window = |from, until| format!("{{ from: \"{}\", until: \"{}\" }}", at(from), at(until));
    let twice = [window(90 * SECOND, 4 * MINUTE), window(7 * MINUTE, 10 * MINUTE + 7 * SECOND)].join(", ");
    let once = window(3 * MINUTE, 6 * MINUTE);
    format!(
        "maintenance:
  - {{ id: was, match: {{ host: was-01 }}, windows: [{twice}], reason: 정기점검, who: person-3 }}
  - {{ id: db, match: {{ host: db-01, severity: S2 }}, windows: [{once}], reason: 정기점검, who: person-3 }}
"
    )
}

const INHIBIT: &str = "inhibit:
  - { source: { rule: value-high }, target: { rule: value-mean }, equal: [host] }
  - { source: { rule: value-high, severity: S1 }, target: { rule: lines }, equal: [host] }
";
