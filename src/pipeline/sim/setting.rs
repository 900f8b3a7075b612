//! What every simulated world has in common: its rules, its people, its hosts.
//!
//! The rules are few and between them reach every part of the engine: severities with holds and hysteresis, a mean over
//! jitter, an early count over log lines, silence that raises, and a wide rule over all partitions.

use std::sync::{Arc, OnceLock};

use crate::evaluate::{Limits, Setup, SkewPolicy};
use crate::model::{
    Chain, Channel, Comparison, Contact, Domain, Fold, Function, Inventory, Join, Last, Level, Mode, NoData, People,
    Recover, Rule, RuleSet, Severity, SeverityPlan, SlaPlan, Step, Target, Then, Threshold, Watch,
};
use crate::pipeline::leader::World as Standing;
use crate::time::{DAY, MINUTE, Ms, SECOND};

/// The topic of every world.
pub(super) const TOPIC: &str = "telemetry";

/// The hosts.
pub(super) const HOSTS: [&str; 6] = ["db-01", "db-02", "was-01", "was-02", "lb-01", "lb-02"];

fn level(severity: Severity, threshold: f64, hold: Ms) -> Level {
    Level { severity, threshold: Threshold::One(threshold), hold }
}

fn rule(id: &str, metric: &str, function: Function, over: Ms, levels: Vec<Level>) -> Rule {
    Rule {
        id: Arc::from(id),
        title: format!("모의 규칙 {id}"),
        domain: Domain::Infra,
        interval: SECOND,
        watch: Watch::Metric { name: metric.to_owned(), matchers: Vec::new() },
        by: Some(vec!["host".to_owned()]),
        function,
        over,
        step: None,
        across: None,
        when: Comparison::Above,
        levels,
        recover: Recover::default(),
        min_samples: 1,
        no_data: NoData { after: over.max(5 * MINUTE), then: Then::Hold },
        forget: DAY,
        chain: None,
        overrides: Vec::new(),
        also: Vec::new(),
        join: Join::All,
        mode: Mode::Live,
        beside: None,
        expected: false,
        bonds: Default::default(),
    }
}

/// The rules of every world.
pub(super) fn rules() -> RuleSet {
    let mut high = rule(
        "value-high",
        "sim.value",
        Function::Last,
        30 * SECOND,
        vec![level(Severity::S1, 90.0, 0), level(Severity::S2, 80.0, 10 * SECOND)],
    );
    high.recover = Recover { threshold: Some(Threshold::One(70.0)), hold: 5 * SECOND };
    let mean = rule("value-mean", "sim.value", Function::Avg, MINUTE, vec![level(Severity::S3, 60.0, 5 * SECOND)]);
    let mut beat = rule("beat-gone", "sim.beat", Function::Last, 30 * SECOND, vec![level(Severity::S2, 1e9, 0)]);
    beat.no_data = NoData { after: MINUTE, then: Then::Raise(Severity::S3) };
    let mut lines = rule("lines", "", Function::Count, MINUTE, vec![level(Severity::S2, 3.0, 0)]);
    lines.watch = Watch::Log { matchers: Vec::new(), pattern: Some("OOM".to_owned()) };
    lines.when = Comparison::AtLeast;
    let mut wide = rule("wide-peak", "sim.value", Function::Max, 20 * SECOND, vec![level(Severity::S2, 95.0, 0)]);
    wide.by = Some(vec!["service".to_owned()]);
    wide.across = Some(Fold::Max);
    let rules = vec![beat, lines, high, mean, wide];
    RuleSet { hash: "simulated".to_owned(), rules: rules.into_iter().map(Arc::new).collect(), groups: Vec::new() }
}

/// Persons.
pub(super) const PERSONS: usize = 3;
/// How many standings there are.
pub(super) const STANDINGS: usize = 4;

/// What stands outside the processes, in one of several versions; `is_roomy`: nobody's pages are capped below S1.
pub(super) fn standing(version: usize, is_roomy: bool) -> Arc<Standing> {
    static MADE: OnceLock<Vec<Arc<Standing>>> = OnceLock::new();
    let all = MADE.get_or_init(|| {
        let both = |version| [false, true].map(|is_roomy| Arc::new(make_standing(version, is_roomy)));
        (0..STANDINGS).flat_map(both).collect()
    });
    Arc::clone(&all[version % STANDINGS * 2 + usize::from(is_roomy)])
}

/// The versions. 0: as it was at first; 1: the first step is empty; 2:
/// the last group is empty; 3: another title, and the third person is of the first step, too.
fn make_standing(version: usize, is_roomy: bool) -> Standing {
    let (mut people, mut rules) = (people(), rules());
    people.pages_an_hour = is_roomy.then_some(10_000);
    match version {
        1 => people.contacts.retain(|contact| contact.id != "person-1"),
        2 => people.contacts.retain(|contact| contact.id != "person-3"),
        3 => {
            people.contacts[2].roles.push("duty".to_owned());
            for rule in &mut rules.rules {
                *rule = Arc::new(Rule { title: "다른 이름의 모의 규칙".to_owned(), ..Rule::clone(rule) });
            }
        }
        _ => {}
    }
    let mut standing = Standing::new(rules, people, Inventory::default());
    standing.hash = version_hash(version);
    standing
}

/// The hash that the ledger has of a version.
pub(super) fn version_hash(version: usize) -> String {
    format!("standing-{version}")
}

/// The people of every world.
pub fn people() -> People {
    let contact = |n: u32, org: &str, role: &str| Contact {
        id: format!("person-{n}"),
        org: org.to_owned(),
        roles: vec![role.to_owned()],
        domains: Vec::new(),
        name: "가상인".to_owned(),
        phone: Some(format!("010-0000-000{n}")),
        email: Some(format!("d{n}@example.test")),
        ..Contact::default()
    };
    let role = |org: &str, role: &str| Target::Role { org: org.to_owned(), role: role.to_owned() };
    let step = |to: Target, by: &[Channel], wait: Ms| Step { to: vec![to], by: by.to_vec(), wait, when: None };
    People {
        pages_an_hour: None,
        sla: SlaPlan::default(),
        contacts: vec![contact(1, "MSP", "duty"), contact(2, "CSP", "duty"), contact(3, "MSP", "manager")],
        chains: vec![Chain {
            id: "all".to_owned(),
            default: true,
            steps: vec![
                step(role("MSP", "duty"), &[Channel::Sms], 30 * SECOND),
                step(role("CSP", "duty"), &[Channel::Sms, Channel::Mail], MINUTE),
            ],
            last: Last { to: vec![role("MSP", "manager")], by: vec![Channel::Sms], repeat: 2 * MINUTE },
            severities: [
                SeverityPlan::default(),
                SeverityPlan::default(),
                SeverityPlan { upto: Some(0), ..SeverityPlan::default() },
                SeverityPlan { digest: true, ..SeverityPlan::default() },
            ],
            digest_hour: 9,
            ..Chain::default()
        }],
        ..People::default()
    }
}

/// The evaluation of every world.
pub(super) fn setup(partitions: i32) -> Setup {
    Setup {
        rules: Arc::new(rules()),
        inventory: Arc::new(Inventory::default()),
        topic: TOPIC.to_owned(),
        partitions,
        limits: Limits { series: 100_000, series_per_rule: 10_000, window_memory: 1 << 28 },
        skew: SkewPolicy::Shift,
        builtins: true,
        source_silent: Some(Severity::S2),
    }
}
