//! What every simulated world has in common: its rules, its people, its hosts.
//!
//! The rules are few and between them reach every part of the engine: severities with holds and hysteresis, a mean over
//! jitter, an early count over log lines, silence that raises, and a wide rule over all partitions. Reloads bring other
//! thresholds, take rules away and add one.

use std::sync::Arc;

use crate::evaluate::{Limits, Setup, SkewPolicy};
use crate::model::{
    Bonds, Chain, Channel, Comparison, Contact, Domain, Explains, Fold, Function, Inventory, Join, Last, Level, Mode,
    NoData, People, Recover, Rule, RuleSet, Severity, SeverityPlan, SlaPlan, Step, Target, Then, Threshold, Watch,
};
use crate::time::{DAY, MINUTE, Ms, SECOND};

/// The topic of every world.
pub(super) const TOPIC: &str = "telemetry";

/// The hosts.
pub(super) const HOSTS: [&str; 8] = ["db-01", "db-02", "was-01", "was-02", "lb-01", "lb-02", "node-01", "node-02"];
/// Hosts that go dark together: all on one node, all on the other, all.
pub(super) const PARTS: [&[usize]; 3] = [&[0, 2, 6], &[1, 3, 7], &[0, 1, 2, 3, 4, 5, 6, 7]];

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

/// The rules in one of their versions. 3: another title; 4: other thresholds; 5: without the one that pages most; 6: without
/// the wide one, and with one that looks for low values. No version looks further back than the one before.
pub(super) fn rules(version: usize) -> RuleSet {
    let by = if version == 4 { -8.0 } else { 0.0 };
    let mut high = rule(
        "value-high",
        "sim.value",
        Function::Last,
        30 * SECOND,
        vec![level(Severity::S1, 90.0 + by, 0), level(Severity::S2, 80.0 + by, 10 * SECOND)],
    );
    high.recover = Recover { threshold: Some(Threshold::One(70.0 + by)), hold: 5 * SECOND };
    let mean = level(Severity::S3, 60.0 - by, 5 * SECOND);
    let mean = rule("value-mean", "sim.value", Function::Avg, MINUTE, vec![mean]);
    let mut beat = rule("beat-gone", "sim.beat", Function::Last, 30 * SECOND, vec![level(Severity::S2, 1e9, 0)]);
    beat.no_data = NoData { after: MINUTE, then: Then::Raise(Severity::S3) };
    let mut lines =
        rule("lines", "", Function::Count, MINUTE, vec![level(Severity::S1, 5.0, 0), level(Severity::S2, 3.0, 0)]);
    lines.watch = Watch::Log { matchers: Vec::new(), pattern: Some("OOM".to_owned()) };
    lines.when = Comparison::AtLeast;
    lines.domain = Domain::Security;
    let mut wide = rule("wide-peak", "sim.value", Function::Max, 20 * SECOND, vec![level(Severity::S2, 95.0, 0)]);
    wide.by = Some(vec!["service".to_owned()]);
    wide.across = Some(Fold::Max);
    let mut low =
        rule("value-low", "sim.value", Function::Last, 20 * SECOND, vec![level(Severity::S3, 20.0, 5 * SECOND)]);
    low.when = Comparison::Below;
    let mut rules = match version {
        5 => vec![beat, lines, mean, wide],
        6 => vec![beat, lines, high, low, mean],
        _ => vec![beat, lines, high, mean, wide],
    };
    if version == 3 {
        rules.iter_mut().for_each(|rule| rule.title = "다른 이름의 모의 규칙".to_owned());
    }
    let hash = format!("simulated-{version}");
    RuleSet { hash, rules: rules.into_iter().map(Arc::new).collect(), groups: Vec::new() }
}

/// How the incidents of a rule hang together with others, where anything does.
pub(super) fn bonds(rule: &str) -> Bonds {
    match rule {
        "value-high" => Bonds { explains: Some(Explains::Users), ..Bonds::default() },
        "beat-gone" => Bonds { symptom: Some(true), ..Bonds::default() },
        "value-mean" | "value-low" => Bonds { by: vec!["service".to_owned()], ..Bonds::default() },
        _ => Bonds::default(),
    }
}

/// Persons.
pub(super) const PERSONS: usize = 3;

pub(super) fn contact(n: u32, org: &str, role: &str) -> Contact {
    Contact {
        id: format!("person-{n}"),
        org: org.to_owned(),
        roles: vec![role.to_owned()],
        domains: Vec::new(),
        name: "가상인".to_owned(),
        phone: Some(format!("010-0000-000{n}")),
        email: Some(format!("d{n}@example.test")),
        ..Contact::default()
    }
}

/// The people of every world.
pub fn people() -> People {
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

/// The evaluation of every world, under one version of its rules.
pub(super) fn setup(partitions: i32, version: usize) -> Setup {
    Setup {
        rules: Arc::new(rules(version)),
        inventory: Arc::new(Inventory::default()),
        topic: TOPIC.to_owned(),
        partitions,
        limits: Limits { series: 100_000, series_per_rule: 10_000, window_memory: 1 << 28 },
        skew: SkewPolicy::Shift,
        builtins: true,
        source_silent: Some(Severity::S2),
    }
}
