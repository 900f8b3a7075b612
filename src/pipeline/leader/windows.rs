//! Scenes of maintenance, inhibition and drills: what leaves while they hold pages back, and in which order they are asked.

use std::sync::Arc;

use super::World;
use super::mutes::{FIRST, matchers};
use super::scenes::{S1, S2, page};
use super::stand::{Stand, T0, people, rule, signal, world};
use crate::model::*;
use crate::time::{DAY, HOUR, MINUTE, Ms, SECOND};

fn with(muting: &Muting) -> Stand {
    let mut rules = world().rules;
    rules.rules.push(rule("node-down", "노드 중단"));
    let inventory = world().inventory;
    Stand::with(World::new(rules, people(), inventory).muted_by(muting))
}

/// `node-down` mutes `cpu` on the same host.
pub(super) fn inhibiting() -> Stand {
    let inhibit = InhibitRule {
        source: matchers(&["rule=node-down"]),
        target: matchers(&["rule=cpu"]),
        equal: vec!["host".to_owned()],
    };
    with(&Muting { inhibit: vec![inhibit], ..Muting::default() })
}

fn maintained(from: Ms, until: Ms, texts: &[&str]) -> Stand {
    let window = Window {
        id: "patch".to_owned(),
        matchers: matchers(texts),
        once: vec![(from, until)],
        times: Vec::new(),
        reason: "정기점검".to_owned(),
        who: "boss".to_owned(),
    };
    with(&Muting { windows: vec![window], ..Muting::default() })
}

#[test]
fn maintenance_hides_what_it_names_from_its_begin_to_its_end() {
    let mut stand = maintained(T0 + HOUR, T0 + 2 * HOUR, &["service=~.*", "host=db-01"]);
    stand.signal("cpu", "db-01", S2);
    stand.pass(HOUR);
    let now = stand.now;
    let muted = stand.incident(FIRST).muted.clone().expect("muted");
    assert_eq!((muted.kind, muted.by.as_str(), muted.until), (MuteKind::Maintenance, "patch", Some(T0 + 2 * HOUR)));
    assert_eq!((muted.who.as_str(), muted.why.as_str()), ("boss", "정기점검"));
    stand.signal("cpu", "db-02", S2);
    assert_eq!(stand.heard(now).len(), 1, "another host is not in maintenance");
    stand.ack("INC-2611-002", DAY);
    stand.signal("node-down", "db-01", S2);
    stand.pass(HOUR);
    assert!(
        stand.heard(now + 1).contains(&page("msp-duty-1", "sms", "first")),
        "what began meanwhile is told as a first"
    );
    assert_eq!(stand.incident(FIRST).muted, None);
    stand.replays();
}

#[test]
fn recurring_maintenance_comes_and_goes() {
    let nightly = TimeInterval { times: vec![(22 * 60, 24 * 60)], ..TimeInterval::default() };
    let window = Window {
        id: "nightly".to_owned(),
        matchers: matchers(&["domain=인프라", "severity!=S1"]),
        once: Vec::new(),
        times: vec![nightly],
        reason: "야간작업".to_owned(),
        who: "boss".to_owned(),
    };
    let mut stand = with(&Muting { windows: vec![window], ..Muting::default() });
    stand.is_crashing = true;
    for day in 0..2 {
        let host = format!("h{day}");
        stand.until(T0 + 13 * HOUR + day * DAY);
        stand.signal("cpu", &host, S2);
        let id = format!("INC-2611-{:03}", 2 * day + 1);
        assert_eq!(stand.muted(&id), Some((MuteKind::Maintenance, "nightly".to_owned())), "22:00");
        stand.signal("node-down", &host, S1);
        stand.until(T0 + 15 * HOUR + day * DAY);
        assert_eq!(stand.muted(&id), None, "midnight");
        for host_of in ["cpu", "node-down"] {
            stand.signal(host_of, &host, None);
        }
        stand.pass(HOUR);
    }
    stand.replays();
}

#[test]
fn a_reload_takes_windows_and_rules_of_inhibition_into_force() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S2);
    let planned = maintained(T0, T0 + HOUR, &["host=db-01"]).world;
    stand.world = Arc::clone(&planned);
    stand.leader.reload(planned);
    stand.input(Input::Reload { hash: "2".to_owned(), contacts: Vec::new() });
    assert_eq!(stand.muted(FIRST), Some((MuteKind::Maintenance, "patch".to_owned())));
    let plain = Stand::new().world;
    stand.world = Arc::clone(&plain);
    stand.leader.reload(plain);
    stand.input(Input::Reload { hash: "1".to_owned(), contacts: Vec::new() });
    assert_eq!(stand.muted(FIRST), None, "the window was taken out of the file");
}

#[test]
fn a_source_mutes_its_targets_and_they_are_told_of_when_it_is_over() {
    let mut stand = inhibiting();
    stand.signal("node-down", "db-01", S1);
    stand.signal("cpu", "db-01", S2);
    stand.signal("cpu", "db-02", S2);
    assert_eq!(stand.muted("INC-2611-002"), Some((MuteKind::Inhibition, FIRST.to_owned())));
    assert_eq!(stand.muted("INC-2611-003"), None, "another host");
    stand.ack(FIRST, DAY);
    assert!(stand.muted("INC-2611-002").is_some(), "an ack of the source changes nothing");
    stand.ack("INC-2611-003", DAY);
    stand.pass(MINUTE);
    stand.signal("node-down", "db-01", None);
    let over = stand.now;
    assert_eq!(stand.heard(over), [page("msp-duty-1", "sms", "resolved")]);
    stand.pass(10 * SECOND - 1);
    assert_eq!(stand.heard(over + 1), [], "its own end may be on the way");
    stand.pass(1);
    assert_eq!(stand.heard(over + 1), [page("msp-duty-1", "sms", "first")], "it is not");
    stand.replays();
}

#[test]
fn the_domain_ties_a_source_to_its_targets_under_either_name() {
    for name in ["구간", "domain"] {
        let inhibit = InhibitRule {
            source: matchers(&["rule=node-down"]),
            target: matchers(&["rule=~cpu|url"]),
            equal: vec![name.to_owned()],
        };
        let mut rules = world().rules;
        rules.rules.push(rule("node-down", "노드 중단"));
        rules.rules.push(Arc::new(Rule { domain: Domain::Application, ..(*rule("url", "응답 없음")).clone() }));
        let muting = Muting { inhibit: vec![inhibit], ..Muting::default() };
        let mut stand = Stand::with(World::new(rules, people(), world().inventory).muted_by(&muting));
        stand.signal("node-down", "h1", S1);
        stand.signal("cpu", "h2", S2);
        stand.signal("url", "h2", S2);
        assert!(stand.muted("INC-2611-002").is_some(), "{name}: the same 구간");
        assert_eq!(stand.muted("INC-2611-003"), None, "{name}: another one");
    }
}

#[test]
fn a_target_that_ends_within_the_moment_after_its_source_is_nobodys_news() {
    let mut stand = inhibiting();
    stand.signal("node-down", "db-01", S1);
    stand.signal("cpu", "db-01", S2);
    stand.signal("node-down", "db-01", None);
    let over = stand.now;
    stand.pass(SECOND);
    stand.signal("cpu", "db-01", None);
    stand.pass(HOUR);
    assert_eq!(stand.heard(over + 1), []);
}

#[test]
fn a_target_that_was_first_keeps_its_pages_and_its_chain_pauses() {
    let mut stand = inhibiting();
    stand.signal("cpu", "db-01", S2);
    stand.pass(2 * MINUTE);
    stand.signal("node-down", "db-01", S1);
    stand.ack("INC-2611-002", DAY);
    stand.pass(HOUR);
    let now = stand.now;
    assert_eq!(stand.heard(0), [page("msp-duty-1", "sms", "first"), page("msp-duty-1", "sms", "first")]);
    stand.signal("node-down", "db-01", None);
    stand.pass(3 * MINUTE + 10 * SECOND);
    assert_eq!(stand.heard(now + 1), [page("csp-duty", "sms", "escalated"), page("csp-duty", "mail", "escalated")]);
}

#[test]
fn a_source_that_is_itself_silenced_still_explains() {
    let mut stand = inhibiting();
    stand.silence(&["rule=node-down"], HOUR);
    stand.signal("node-down", "db-01", S2);
    stand.signal("cpu", "db-01", S2);
    assert_eq!(stand.heard(0), []);
    assert_eq!(stand.muted("INC-2611-002"), Some((MuteKind::Inhibition, FIRST.to_owned())));
}

#[test]
fn a_source_that_comes_back_in_the_moment_after_it_goes_on_explaining() {
    let mut stand = inhibiting();
    stand.signal("node-down", "db-01", S2);
    stand.signal("cpu", "db-01", S2);
    stand.signal("node-down", "db-01", None);
    stand.pass(5 * SECOND);
    stand.signal("node-down", "db-01", S2);
    stand.ack(FIRST, DAY);
    let now = stand.now;
    stand.pass(HOUR);
    assert_eq!(stand.heard(now + 1), []);
    assert_eq!(stand.muted("INC-2611-002"), Some((MuteKind::Inhibition, FIRST.to_owned())));
}

#[test]
fn inhibition_survives_a_change_of_leaders() {
    let mut stand = inhibiting();
    stand.is_crashing = true;
    stand.signal("node-down", "db-01", S2);
    stand.signal("cpu", "db-01", S2);
    stand.ack(FIRST, DAY);
    stand.pass(HOUR);
    assert!(stand.muted("INC-2611-002").is_some());
    stand.signal("node-down", "db-01", None);
    stand.pass(MINUTE);
    assert_eq!(stand.muted("INC-2611-002"), None);
    stand.replays();
}

#[test]
fn maintenance_comes_before_a_silence_and_a_silence_before_inhibition() {
    let window = Window {
        id: "w".to_owned(),
        matchers: matchers(&["rule=cpu"]),
        once: vec![(T0, T0 + HOUR)],
        times: Vec::new(),
        reason: "점검".to_owned(),
        who: "boss".to_owned(),
    };
    let inhibit = InhibitRule {
        source: matchers(&["rule=node-down"]),
        target: matchers(&["rule=cpu"]),
        equal: vec!["host".to_owned()],
    };
    let mut stand = with(&Muting { windows: vec![window], inhibit: vec![inhibit], ..Muting::default() });
    stand.signal("node-down", "db-01", S2);
    stand.ack(FIRST, DAY);
    stand.signal("cpu", "db-01", S2);
    stand.silence(&["rule=cpu"], 2 * HOUR);
    let kind = |stand: &Stand| stand.muted("INC-2611-002").map(|(kind, _)| kind);
    assert_eq!(kind(&stand), Some(MuteKind::Maintenance));
    stand.pass(HOUR);
    assert_eq!(kind(&stand), Some(MuteKind::Silence));
    stand.pass(HOUR);
    assert_eq!(kind(&stand), Some(MuteKind::Inhibition));
    stand.signal("node-down", "db-01", None);
    stand.pass(MINUTE);
    assert_eq!(kind(&stand), None);
    assert_eq!(stand.incident("INC-2611-002").muted, None);
    let told = stand.heard(T0 + 1).into_iter().filter(|(_, _, reason)| *reason == "first").count();
    assert_eq!(told, 1, "told once, when the last of the three was over");
}

#[test]
fn drills_and_real_incidents_do_not_mute_each_other() {
    let mut stand = maintained(T0, T0 + HOUR, &["host=db-01"]);
    let drill = |rule: &str, severity| {
        let labels = Labels::new([("drill", "true"), ("host", "db-01")]);
        Signal { fingerprint: Fingerprint::of(rule, &labels), labels, ..signal(rule, "db-01", severity, T0) }
    };
    stand.raw(drill("cpu", S2));
    assert_eq!(
        (stand.muted("DRL-2611-001"), stand.heard(0).len()),
        (None, 1),
        "real maintenance does not hide a drill"
    );
    stand.silence(&["host=db-01"], HOUR);
    assert_eq!(stand.muted("DRL-2611-001"), None, "nor does a silence that does not say so");
    stand.silence(&["drill=true"], HOUR);
    assert_eq!(stand.muted("DRL-2611-001"), Some((MuteKind::Silence, "SIL-2611-002".to_owned())));
    let mut stand = inhibiting();
    stand.raw(drill("node-down", S1));
    stand.signal("cpu", "db-01", S2);
    assert_eq!(stand.muted("INC-2611-001"), None, "a drill explains nothing real");
    stand.signal("node-down", "db-01", S1);
    stand.raw(drill("cpu", S2));
    assert_eq!(
        stand.muted("DRL-2611-002"),
        Some((MuteKind::Inhibition, "DRL-2611-001".to_owned())),
        "but other drills"
    );
}

#[test]
fn a_grave_security_incident_is_hidden_only_by_what_names_it() {
    let mut rules = world().rules;
    let intrusion = Rule { domain: Domain::Security, ..(*rule("intrusion", "침입 시도")).clone() };
    rules.rules.push(Arc::new(intrusion));
    let mut stand = Stand::with(World::new(rules, people(), Inventory::default()));
    stand.silence(&["host=db-01"], HOUR);
    stand.signal("intrusion", "db-01", S1);
    assert!(!stand.heard(0).is_empty(), "not by its host");
    stand.regrade("intrusion", "db-01", Severity::S2);
    assert!(stand.muted("SEC-2611-001").is_some(), "S2 is");
    stand.regrade("intrusion", "db-01", Severity::S1);
    assert_eq!(stand.muted("SEC-2611-001"), None);
    stand.silence(&["incident=SEC-2611-001"], HOUR);
    assert_eq!(stand.muted("SEC-2611-001"), None, "S1: a second approver first");
    stand.approve("SIL-2611-002", "boss");
    assert_eq!(stand.muted("SEC-2611-001"), Some((MuteKind::Silence, "SIL-2611-002".to_owned())), "by its number");
}
