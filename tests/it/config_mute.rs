//! Maintenance and inhibition as people write them: what is read, and every mistake at its place.

use std::path::Path;

use bongsu::config::{self, Ask, Loaded};
use bongsu::model::{Test, TimeInterval, Zone};
use bongsu::time::{KST, Ms, parse_instant};

fn load(folder: &Path, files: &[(&str, &str)]) -> Loaded {
    for (name, text) in files {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let paths: Vec<_> = files.iter().map(|(name, _)| folder.join(name)).collect();
    config::load(&paths, &Ask { env: &[], now: 1_772_323_200_000, whole: false })
}

fn at(text: &str) -> Ms {
    parse_instant(text, KST).unwrap()
}

#[test]
fn maintenance_and_inhibition_are_read_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let calendar = r#"
maintenance:
  - id: patch
    match: { zone: prod, severity: "!=S1", host: "=~db-.*" }
    windows: [ { from: 2026-12-06 02:00, until: 2026-12-06 06:00 } ]
    times:
      - { times: [ { start_time: 22:00, end_time: "24:00" } ], weekdays: ['monday:friday', sunday],
          days_of_month: ['1:5', -3:-1], months: ['january:march', 12], years: ['2026:2028'], holidays: false }
      - { location: UTC }
    reason: 정기점검
    who: boss
"#;
    let chains = "
chains: []
inhibit:
  - { source: { rule: node-down }, target: { rule: '!=node-down', domain: 인프라 }, equal: [host, zone] }
";
    let loaded = load(folder.path(), &[("calendar.yaml", calendar)]);
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let window = &loaded.muting.windows[0];
    assert_eq!((window.id.as_str(), window.reason.as_str(), window.who.as_str()), ("patch", "정기점검", "boss"));
    assert_eq!(window.once, [(at("2026-12-06 02:00"), at("2026-12-06 06:00"))]);
    let matchers: Vec<_> = window.matchers.iter().map(|m| (m.label.as_str(), m.test, m.value.as_str())).collect();
    assert_eq!(matchers, [("host", Test::Fits, "db-.*"), ("severity", Test::IsNot, "S1"), ("zone", Test::Is, "prod")]);
    let wanted = TimeInterval {
        times: vec![(22 * 60, 24 * 60)],
        weekdays: vec![(1, 5), (0, 0)],
        days_of_month: vec![(1, 5), (-3, -1)],
        months: vec![(1, 3), (12, 12)],
        years: vec![(2026, 2028)],
        holidays: Some(false),
        zone: Zone::KOREA,
    };
    assert_eq!(window.times, [wanted, TimeInterval { zone: Zone::named("UTC").unwrap(), ..TimeInterval::default() }]);

    let loaded = load(folder.path(), &[("chains.yaml", chains)]);
    let rule = &loaded.muting.inhibit[0];
    assert_eq!(
        (rule.source.len(), rule.target.len(), rule.equal.clone()),
        (1, 2, vec!["host".to_owned(), "zone".to_owned()])
    );
}

#[test]
fn every_mistake_shows_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let calendar = r#"maintenance:
  - { id: a, match: {}, windows: [ { from: 2026-12-06, until: 2026-12-05 } ], reason: 점검, who: boss }
  - { id: a, match: { host: x }, reason: 점검, who: boss, windows: [ { from: 2026-12-06, until: 2026-12-07 } ] }
  - { id: b, match: { host: x }, reason: 점검, who: boss }
  - id: c
    match: { host: "=~[" }
    times:
      - { times: [ { start_time: "18:00", end_time: "09:00" } ], weekdays: ['friday:monday', 공휴일] }
      - { days_of_month: [0, '-1:5', '5:1'], months: [13, 'march:january'], years: ['2028:2026'], hollidays: true }
    reason: 점검
"#;
    let chains = "chains: []\ninhibit:\n  - { source: {}, target: { rule: a } }\n";
    let loaded = load(folder.path(), &[("calendar.yaml", calendar), ("chains.yaml", chains)]);
    let found: Vec<_> = loaded
        .problems
        .iter()
        .filter(|problem| problem.file.ends_with("calendar.yaml") || problem.line > 1)
        .map(|problem| (problem.line, problem.col, problem.id))
        .collect();
    let wanted = [
        (2, 21, "empty-match"),
        (2, 63, "out-of-range"),
        (3, 11, "duplicate-id"),
        (4, 11, "missing-key"),
        (5, 5, "missing-key"),
        (6, 23, "bad-regex"),
        (8, 34, "bad-interval"),
        (8, 77, "bad-interval"),
        (8, 94, "bad-interval"),
        (9, 27, "bad-interval"),
        (9, 30, "bad-interval"),
        (9, 38, "bad-interval"),
        (9, 55, "bad-interval"),
        (9, 59, "bad-interval"),
        (9, 85, "bad-interval"),
        (9, 99, "unknown-key"),
        (3, 15, "empty-match"),
        (3, 5, "inhibit-all"),
    ];
    let mut left: Vec<_> = found.clone();
    for place in wanted {
        let n = left.iter().position(|found| *found == place);
        assert!(n.is_some(), "{place:?} is not among {found:?}");
        left.remove(n.unwrap());
    }
    assert_eq!(left, [], "and nothing else");
    for (_, _, id) in found {
        assert!(config::explain(id).is_some(), "`check --explain {id}` says why");
    }
}
