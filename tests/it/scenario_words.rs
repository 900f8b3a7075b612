//! What the command says of scenarios: a wrong expectation of any kind fails and shows what happened instead, and what a
//! file does not bring along comes from the configuration.

use std::path::Path;
use std::process::Command;

const RIGHT: &str = r#"interval: 10s
rules:
  - id: hot
    title: CPU 사용률 과다
    metric: m
    by: [host]
    window: { fn: last, over: 1m }
    when: above
    severity: { S1: { value: 9 }, S2: { value: 5 } }
contacts:
  - { id: duty, org: MSP, roles: [duty], name: 가상일, phone: "010-0000-0001", email: d1@example.test, confirmed: 2026-01-02 }
  - { id: boss, org: MSP, roles: [manager], name: 가상이, phone: "010-0000-0002", email: m1@example.test, confirmed: 2026-01-02 }
chains:
  - id: std
    default: true
    steps: [ { to: [MSP/duty], by: [sms], wait: 5m } ]
    last: { to: [MSP/manager], by: [sms], repeat: 10m }
scenarios:
  - name: hot
    feed: [ { series: 'm{host="a"}', every: 10s, values: "1x5 7x40 1x2" } ]
    do:
      - { at: 2m, silence: { host: b }, for: 1h, by: duty, reason: 점검 }
    expect:
      - { at: 1m, signal: hot, labels: { host: a }, from: inactive, to: firing, severity: S2, value: 7 }
      - { at: 1m, incident: hot, labels: { host: a }, state: open, severity: S2, number: INC-2601-001 }
      - { at: 1m, page: duty, channel: sms, reason: first, step: 0 }
      - { at: 1m, outcome: duty, result: accepted }
      - { at: 6m, page: boss, channel: sms, reason: escalated, text: 전파 }
      - { at: 0s, until: 8m, page: "*", count: 4 }
    exact: [page, incident, signal]
"#;

/// The rest of what happens, so that `exact` holds.
const REST: &str = r"      - { at: 7m50s, signal: hot, labels: { host: a }, from: firing, to: resolved, value: 1 }
      - { at: 7m50s, incident: hot, labels: { host: a }, state: resolved }
";

fn right() -> String {
    RIGHT.replace("    exact:", &format!("{REST}    exact:"))
}

/// Exit code and text of `bongsu test` of this file.
fn test(folder: &Path, more: &[&str]) -> (i32, String) {
    let ran = Command::new(env!("CARGO_BIN_EXE_bongsu")).arg("test").args(more).current_dir(folder).output().unwrap();
    let text = [ran.stdout, ran.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (ran.status.code().unwrap(), text)
}

fn run(text: &str) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.yaml"), text).unwrap();
    test(folder.path(), &["s.yaml"])
}

#[test]
fn a_wrong_expectation_fails_and_shows_what_happened() {
    let (code, said) = run(&right());
    assert_eq!(code, 0, "{said}");
    let signal = "at 1m, signal hot{host=\"a\"} inactive → firing S2 value 7";
    let incident = "at 1m, incident INC-2601-001 hot{host=\"a\"} open S2";
    let page = "at 1m, page to duty by sms, first step 0, S2 hot{host=\"a\"}: ";
    let wrong = [
        ("at: 1m, signal", "at: 61s, signal", signal),
        ("at: 1m, signal", "at: 59s, signal", signal),
        ("value: 7", "value: 7.001", signal),
        ("severity: S2, value", "severity: S1, value", signal),
        ("from: inactive", "from: pending", signal),
        ("labels: { host: a }, from: inactive", "labels: { host: b }, from: inactive", signal),
        ("to: firing", "to: resolved", signal),
        ("state: open", "state: acked", incident),
        ("S2, number", "S3, number", incident),
        ("001 }", "002 }", incident),
        ("page: duty", "page: boss", "at 6m, page to boss by sms, escalated step 1"),
        ("sms, reason: first", "mail, reason: first", page),
        ("reason: first", "reason: repeat", page),
        ("step: 0", "step: 1", page),
        ("result: accepted", "result: failed", "at 1m, outcome accepted"),
        ("text: 전파", "text: 복구", "page to boss by sms, escalated step 1, S2 hot{host=\"a\"}: [긴급신고]"),
        ("count: 4", "count: 5", "happened 4 times from 0s to 8m, not 5: page: anybody"),
    ];
    for (from, to, shown) in wrong {
        assert!(right().contains(from), "{from}");
        let (code, said) = run(&right().replacen(from, to, 1));
        assert_eq!(code, 1, "{to}: {said}");
        assert!(said.contains(shown), "{to}: {said}");
        assert!(!said.contains("Some("), "{to}: {said}");
    }
}

#[test]
fn files_that_bring_rules_along_are_strangers_to_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let people = right();
    let at = people.find("contacts:").unwrap()..people.find("scenarios:").unwrap();
    let (before, after) = (&people[..at.start], &people[at.end..]);
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("a.yaml", &people);
    write("b.yaml", &people.replace("title: CPU 사용률 과다", "title: 응답 지연"));
    // It takes the people of the files beside it.
    let (contacts, chains) = people[at].split_once("chains:").unwrap();
    write("c.yaml", &format!("{before}{after}"));
    write("contacts.yaml", &format!("version: 1\n{contacts}"));
    write("chains.yaml", &format!("version: 1\nchains:{chains}"));
    let (code, said) = test(folder.path(), &["."]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("3 passed, 0 failed"), "{said}");
    // What is wrong in one is told, and the others run.
    write("b.yaml", &people.replace("at: 1m, page: duty", "at: 1m, page: dutty"));
    let (code, said) = test(folder.path(), &["."]);
    assert!(code == 1 && said.contains("2 passed, 1 failed") && said.contains("dutty"), "{said}");
}

#[test]
fn what_cannot_be_done_says_what_is_not_there() {
    let silence = "{ at: 2m, silence: { host: b }, for: 1h, by: duty, reason: 점검 }";
    let cases = [
        ("{ at: 3m, ack: hott, by: duty }", "there is no rule `hott`; did you mean `hot`?"),
        ("{ at: 3m, ack: INC-2601-002, by: duty }", "at 3m, no incident of `INC-2601-002` that this could be done to"),
        ("{ at: 3m, expire: { host: b }, by: duty }", "at 3m, no silence of that is left"),
        ("{ at: 3m, reload: nowhere.yaml }", "there is no file `nowhere.yaml` to be read"),
        ("{ at: 3m, partition: 1 }", "`partition` needs `{ n: up }` or `{ n: down }`, found `1`"),
    ];
    for (action, shown) in cases {
        assert!(right().contains(silence));
        let (code, said) = run(&right().replace(silence, action));
        assert!(code == 1 && said.contains(shown), "{action}: {said}");
    }
    let lone = "scenarios:\n  - name: x\n    feed: [ { series: 'm{host=\"a\"}', every: 10s, values: \"1\" } ]\n    expect: [ { at: 0s, page: \"*\" } ]\n";
    let (code, said) = run(lone);
    assert!(code == 1 && said.contains("there are no rules: write `rules:` in this file"), "{said}");
    // Two people may want one incident: the second is told so, and it is no mistake.
    let twice = format!("{silence}\n      - {{ at: 3m, handover: hot, by: duty, to: boss }}");
    let (code, said) = run(&right().replace(silence, &twice));
    assert_eq!(code, 0, "{said}");
    let (code, said) = run(&right().replace(silence, &twice).replace("value: 7 }", "value: 8 }"));
    assert!(code == 1 && said.contains("it was refused: INC-2601-001"), "{said}");
}

#[test]
fn what_is_not_listed_must_not_happen() {
    for line in right().lines().filter(|line| REST.contains(line) || line.contains("at: 1m, incident")) {
        let (code, said) = run(&right().replacen(&format!("{line}\n"), "", 1));
        assert_eq!(code, 1, "{line}: {said}");
        assert!(said.contains("must not happen: at "), "{line}: {said}");
    }
}

#[test]
fn a_silence_that_waits_for_a_second_person_says_so() {
    let text = right()
        .replace("value: 7 }", "value: 7, unknown: limit }")
        .replace("host: b }, for", "host: \"=~.*\" }, waits: true, for");
    let (code, said) = run(&text);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("SIL-2601-001 다른 연락처의 승인을 기다립니다"), "{said}");
}

#[test]
fn what_a_scenario_file_lacks_comes_from_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for name in ["bongsu.yaml", "contacts.yaml", "chains.yaml", "inventory.yaml", "calendar.yaml"] {
        std::fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(name), at(name)).unwrap();
    }
    std::fs::create_dir(at("rules")).unwrap();
    std::fs::write(
        at("rules/prometheus.yml"),
        "groups:
  - name: g
    interval: 30s
    rules:
      - { record: job:up:sum, expr: sum by (job) (up) }
      - { alert: InstanceDown, expr: job:up:sum < 1, for: 1m, keep_firing_for: 1m, labels: { severity: critical } }
",
    )
    .unwrap();
    let scenario = "scenarios:
  - name: down
    feed: [ { series: 'up{job=\"x\",instance=\"a\"}', every: 30s, values: \"1x4 0x10 1x10\" } ]
    expect:
      - { at: 2m30s, signal: InstanceDown, labels: { job: x }, to: pending }
      - { at: 3m30s, page: msp-duty-1, channel: sms, reason: first }
";
    std::fs::write(at("rules/down.yaml"), scenario).unwrap();
    std::fs::create_dir(at("elsewhere")).unwrap();
    std::fs::write(at("elsewhere/down.yaml"), scenario).unwrap();
    // The whole configuration, a file of it, and a file of scenarios alone: below the configuration, and with `-c`.
    for more in [&["."][..], &["rules"], &["rules/down.yaml"], &["elsewhere/down.yaml", "-c", "bongsu.yaml"]] {
        let (code, said) = test(folder.path(), more);
        assert_eq!((code, said.contains("1 passed, 0 failed")), (0, true), "{more:?}: {said}");
    }
    let (code, said) = test(folder.path(), &[".", "--run", "^dwon$"]);
    assert_eq!((code, said.contains("--run")), (2, true), "{said}");
}
