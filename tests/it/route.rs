//! `bongsu route`: the leader's own answer to "who would be told", over the shipped configuration and changes of it.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::path::Path;
use std::process::Command;

use bongsu::config::{self, Ask, Loaded};
use bongsu::model::{Domain, Labels, Reason, Severity, Step, Target, When};
use bongsu::pipeline::route::{Question, Route, RouteError, route};
use bongsu::time::{HOUR, KST, MINUTE, Ms, SECOND, parse_instant};

fn shipped() -> Loaded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    config::load(&[path], &Ask { env: &[], now: at("2026-03-01 09:00"), whole: true })
}

fn at(text: &str) -> Ms {
    parse_instant(text, KST).unwrap()
}

fn question(domain: Domain, severity: Severity, when: &str) -> Question {
    let labels = Labels::new([("host", "db-01")]);
    Question { labels, rule: None, domain: Some(domain), severity: Some(severity), at: at(when), firing: Vec::new() }
}

/// `(minutes after the beginning, reason, contact)` of all pages by one channel, warnings of the SLA aside.
fn told(route: &Route, channel: &str) -> Vec<(Ms, &'static str, String)> {
    let begin = route.told.first().map_or(0, |told| told.at);
    let by = route.told.iter().filter(|told| told.channel.word() == channel && told.reason != Reason::Sla);
    by.map(|told| ((told.at - begin) / MINUTE, told.reason.word(), told.to.clone())).collect()
}

#[test]
fn the_shipped_chain_is_told_step_by_step_until_the_first_repeat() {
    let question = question(Domain::Infra, Severity::S1, "2026-11-24 03:00");
    let route = route(&shipped(), &question).unwrap();
    assert_eq!(route.chain.as_ref().unwrap().id, "infra");
    let wanted = [
        (0, "first", "msp-duty-1"),
        (5, "escalated", "msp-infra-1"),
        (5, "escalated", "csp-duty-1"),
        (10, "escalated", "user-owner-1"),
        (20, "escalated", "nia-owner-1"),
        (20, "escalated", "msp-manager-1"),
        (30, "repeat", "nia-owner-1"),
        (30, "repeat", "msp-manager-1"),
    ];
    assert_eq!(told(&route, "sms"), wanted.map(|(after, why, who)| (after, why, who.to_owned())));
    let warned: Vec<_> = route.told.iter().filter(|told| told.reason == Reason::Sla).map(|told| told.at).collect();
    let half_the_month = 1_036_800; // 24 h × 30 × 0.08 % / 2, in ms
    assert_eq!(warned.first(), Some(&(question.at + half_the_month)), "half of what November has is burnt");
    assert_eq!(route.told[0].at, question.at);
    assert_eq!((route.passed.len(), route.muted.clone(), route.shadow), (0, None, false));
    assert_eq!(route.notify_by, Some(question.at + 60 * SECOND));
}

#[test]
fn a_deferred_severity_is_told_by_the_digest_of_the_morning() {
    let route = route(&shipped(), &question(Domain::Infra, Severity::S4, "2026-11-24 10:00")).unwrap();
    let pages: Vec<_> = route.told.iter().map(|told| (told.at, told.reason)).collect();
    assert_eq!(pages, [(at("2026-11-25 09:00"), Reason::Digest)]);
}

#[test]
fn a_grave_security_incident_names_the_security_officer() {
    let route = route(&shipped(), &question(Domain::Security, Severity::S1, "2026-11-24 03:00")).unwrap();
    let first: Vec<_> = route.told.iter().filter(|told| told.reason == Reason::First).collect();
    let who: Vec<_> = first.iter().map(|told| (told.to.as_str(), told.channel.word())).collect();
    assert_eq!(who, [("msp-duty-1", "sms"), ("nia-security-1", "sms"), ("nia-security-1", "mail")]);
}

#[test]
fn steps_that_tell_nobody_are_named_with_the_reason() {
    let mut loaded = shipped();
    let chain = loaded.people.chains.iter_mut().find(|chain| chain.id == "infra").unwrap();
    let step = |role: &str, when: Option<When>| Step {
        to: vec![Target::Role { org: "MSP".to_owned(), role: role.to_owned() }],
        when,
        ..chain.steps[0].clone()
    };
    chain.steps = vec![step("duty", Some(When::Business)), step("nobody", None), step("engineer", Some(When::Off))];
    let by_night = route(&loaded, &question(Domain::Infra, Severity::S2, "2026-11-24 03:00")).unwrap();
    let passed: Vec<_> = by_night.passed.iter().map(|it| (it.step, it.why.as_str())).collect();
    assert_eq!(passed, [(0, "business"), (1, "empty")]);
    assert_eq!(told(&by_night, "sms")[0], (0, "first", "msp-infra-1".to_owned()));
    let by_day = route(&loaded, &question(Domain::Infra, Severity::S2, "2026-11-24 10:00")).unwrap();
    assert_eq!(told(&by_day, "sms")[0], (0, "first", "msp-duty-1".to_owned()));
}

#[test]
fn a_rule_brings_its_severity_and_domain_and_an_unknown_one_is_an_error() {
    let rule = |id: &str| Question {
        rule: Some(id.to_owned()),
        domain: None,
        severity: None,
        ..question(Domain::Infra, Severity::S1, "2026-11-24 03:00")
    };
    let demo = route(&shipped(), &rule("cpu-busy-demo")).unwrap();
    assert_eq!((demo.severity, demo.domain), (Severity::S3, Domain::Infra));
    assert!(demo.told.iter().all(|told| told.step <= 1 && told.at < at("2026-11-24 03:00") + HOUR), "upto: 1");
    assert_eq!(route(&shipped(), &rule("cpu-bsy")), Err(RouteError::UnknownRule("cpu-bsy".to_owned())));
    assert_eq!(route(&shipped(), &rule("source-silent")).unwrap().severity, Severity::S2);
}

#[test]
fn what_fires_already_may_inhibit_it_or_speak_for_it() {
    let asked = |severity, firing: &[(&str, &str)]| Question {
        firing: vec![Labels::new(firing.iter().copied())],
        ..question(Domain::Infra, severity, "2026-11-24 03:00")
    };
    let silent = [("rule", "source-silent"), ("severity", "S1"), ("host", "db-01")];
    let behind = Some(("source-silent".to_owned(), Labels::new([("host", "db-01")])));
    let minor = route(&shipped(), &asked(Severity::S3, &silent)).unwrap();
    assert_eq!((minor.told.len(), minor.behind.clone()), (0, behind.clone()));
    assert_eq!(minor.muted.map(|(kind, ..)| kind).as_deref(), Some("inhibition"));
    // What the rule of inhibition does not name hangs under it all the same: the host is gone.
    let major = route(&shipped(), &asked(Severity::S2, &silent)).unwrap();
    assert_eq!((major.told.len(), major.behind, major.muted), (0, behind, None));
    let elsewhere = [("rule", "source-silent"), ("host", "db-02")];
    let other = route(&shipped(), &asked(Severity::S3, &elsewhere)).unwrap();
    assert_eq!((other.told.is_empty(), other.behind, other.muted), (false, None, None));
    let unknown = route(&shipped(), &asked(Severity::S3, &[("rule", "sourc-silent")]));
    assert_eq!(unknown, Err(RouteError::UnknownRule("sourc-silent".to_owned())));
}

#[test]
fn rule_and_severity_among_the_labels_are_what_they_name() {
    let asked = |labels: &[&str]| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_bongsu"));
        command.current_dir(root).args(["route", "--at", "2026-11-24T10:00", "--format", "json", "--labels"]);
        let out = command.args(labels).output().unwrap();
        (out.status.code(), String::from_utf8(out.stdout).unwrap(), String::from_utf8(out.stderr).unwrap())
    };
    let (code, answer, _) = asked(&["rule=cpu-busy-demo", "severity=S4", "host=db-01"]);
    assert!(code == Some(0) && answer.contains(r#""severity":"S4""#), "{answer}");
    let (code, _, trouble) = asked(&["severity=S9"]);
    assert!(code == Some(2) && trouble.contains("`S9` is no severity"), "{trouble}");
    let (code, _, trouble) = asked(&["rule=nobody-wrote-it"]);
    assert!(code == Some(2) && trouble.contains("there is no rule `nobody-wrote-it`"), "{trouble}");
}
