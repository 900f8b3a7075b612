//! What every simulated world has in common, as the file that somebody could have written: its rules, its people.
//!
//! The rules are few and between them reach every part of the engine: severities with holds and hysteresis, a mean over
//! jitter, an early count over log lines, silence that raises, and a wide rule over all partitions. Reloads bring other
//! thresholds, take rules away and add one. What a world has of its own (resources, planned work, inhibition) is in `site`.

use crate::decode::Limits;
use crate::evaluate;
use crate::model::People;
use crate::pipeline::sim::site::Site;

/// The topic of every world.
pub(super) const TOPIC: &str = "telemetry";

/// What the decoder takes.
pub(super) const LIMITS: Limits = Limits { record_bytes: 1 << 20, shapes: 10_000 };
/// What evaluation takes.
pub(super) const SERIES: evaluate::Limits =
    evaluate::Limits { series: 100_000, series_per_rule: 10_000, window_memory: 1 << 28 };

/// The hosts.
pub(super) const HOSTS: [&str; 8] = ["db-01", "db-02", "was-01", "was-02", "lb-01", "lb-02", "node-01", "node-02"];
/// Hosts that go dark together: all on one node, all on the other, all.
pub(super) const PARTS: [&[usize]; 3] = [&[0, 2, 6], &[1, 3, 7], &[0, 1, 2, 3, 4, 5, 6, 7]];

/// Persons.
pub(super) const PERSONS: usize = 3;

/// The people of every world, but for the one who hears of 보안 alone.
pub fn people() -> People {
    let mut people = People { pages_an_hour: None, ..Site::default().standing(0).people.as_ref().clone() };
    people.contacts.retain(|contact| contact.org != "NIA");
    people
}

/// The rules in one of their versions. 3: another title; 4: other thresholds; 5: without the one that pages most; 6: without
/// the wide one, and with one that looks for low values. No version looks further back than the one before. `has_bonds`:
/// they say what explains what.
pub(super) fn rules(version: usize, has_bonds: bool) -> String {
    let by = if version == 4 { -8 } else { 0 };
    let title = |id: &str| match version {
        3 => "다른 이름의 모의 규칙".to_owned(),
        _ => format!("모의 규칙 {id}"),
    };
    let head = |id: &str| format!("  - id: {id}\n    title: {}\n    min_samples: 1\n", title(id));
    let bond = |text: &str| if has_bonds { format!("    {text}\n") } else { String::new() };
    let beat = head("beat-gone") + BEAT + &bond("symptom: true");
    let lines = head("lines") + LINES;
    let high = head("value-high") + &high(by) + &bond("explains: users");
    let mean = head("value-mean") + &mean(60 - by) + &bond("group_by: [service]");
    let wide = head("wide-peak") + WIDE;
    let low = head("value-low") + LOW + &bond("group_by: [service]");
    let rules = match version {
        5 => [beat, lines, mean, wide].concat(),
        6 => [beat, lines, high, low, mean].concat(),
        _ => [beat, lines, high, mean, wide].concat(),
    };
    format!("rules:\n{rules}")
}

const BEAT: &str = "    metric: sim.beat
    by: [host]
    window: { fn: last, over: 30s }
    when: above
    severity: { S2: { value: 1000000000 } }
    no_data: { after: 1m, then: { raise: S3 } }
";

const LINES: &str = "    domain: 보안
    log: { pattern: OOM }
    by: [host]
    window: { fn: count, over: 1m }
    when: at_least
    severity: { S1: { value: 5 }, S2: { value: 3 } }
";

fn high(by: i32) -> String {
    let (worst, bad, good) = (90 + by, 80 + by, 70 + by);
    format!(
        "    metric: sim.value
    by: [host]
    window: {{ fn: last, over: 30s }}
    when: above
    severity: {{ S1: {{ value: {worst} }}, S2: {{ value: {bad}, for: 10s }} }}
    recover: {{ value: {good}, for: 5s }}
"
    )
}

fn mean(above: i32) -> String {
    format!(
        "    metric: sim.value
    by: [host]
    window: {{ fn: avg, over: 1m }}
    when: above
    severity: {{ S3: {{ value: {above}, for: 5s }} }}
"
    )
}

const WIDE: &str = "    metric: sim.value
    by: [service]
    window: { fn: max, over: 20s }
    across: max
    when: above
    severity: { S2: { value: 95 } }
";

const LOW: &str = "    metric: sim.value
    by: [host]
    window: { fn: last, over: 20s }
    when: below
    severity: { S3: { value: 20, for: 5s } }
";

/// The people in one of their versions. 1: the first step is empty; 2: the last group is empty; 3: the third person is of
/// the first step, too. The others differ by their rules.
pub(super) fn contacts(version: usize) -> String {
    let mut text = String::from("contacts:\n");
    let last = if version == 3 { "manager, duty" } else { "manager" };
    let all = [(1, "MSP", "duty"), (2, "CSP", "duty"), (3, "MSP", last), (4, "NIA", "정보보안담당관")];
    for (n, org, roles) in all.into_iter().filter(|(n, ..)| !matches!((version, *n), (1, 1) | (2, 3))) {
        text += &format!(
            "  - {{ id: person-{n}, org: {org}, roles: [{roles}], name: 가상인, phone: \"010-0000-000{n}\", \
             email: d{n}@example.test }}\n"
        );
    }
    text
}

/// Whom they tell, in which order.
pub(super) const CHAINS: &str = "chains:
  - id: all
    default: true
    steps:
      - { to: [MSP/duty], by: [sms], wait: 30s }
      - { to: [CSP/duty], by: [sms, mail], wait: 1m }
    last: { to: [MSP/manager], by: [sms], repeat: 2m }
    severities: { S3: { upto: 0 }, S4: { digest: true } }
";
