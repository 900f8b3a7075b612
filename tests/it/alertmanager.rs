//! `route --alertmanager`: routes, groups, times and inhibition answered as Alertmanager answers them.
//!
//! The trees and answers are the cases that Alertmanager publishes for its router, told as facts.

use bongsu::config::{self, AlertmanagerFile};
use bongsu::model::Labels;
use bongsu::pipeline::taken_over::{OldRoute, Quiet, old_route};
use bongsu::time::{HOUR, MINUTE, Ms, SECOND, parse_instant};

/// The tree of the published cases, in the three notations of matchers.
const TREE: &str = r#"
route:
  receiver: 'notify-def'
  routes:
  - MATCH_A
    receiver: 'notify-A'
    routes:
    - MATCH_TESTING
      receiver: 'notify-testing'
      group_by: [...]
    - MATCH_PRODUCTION
      receiver: 'notify-productionA'
      group_wait: 1m
      continue: true
    - MATCH_PRODU
      receiver: 'notify-productionB'
      group_wait: 30s
      group_interval: 5m
      repeat_interval: 1h
      group_by: ['job']
  - MATCH_BC
    group_by: ['foo', 'bar']
    group_wait: 2m
    receiver: 'notify-BC'
  - MATCH_ROLE
    group_by: ['role']
    routes:
    - MATCH_TESTING
      receiver: 'notify-testing'
      routes:
      - MATCH_LONG
        group_wait: 2m
receivers: [ { name: notify-def }, { name: notify-A }, { name: notify-testing }, { name: notify-productionA, webhook_configs: [ { url: 'http://127.0.0.1/' } ] },
  { name: notify-productionB }, { name: notify-BC } ]
"#;

const OLD: [(&str, &str); 7] = [
    ("MATCH_A", "match: { owner: 'team-A' }"),
    ("MATCH_TESTING", "match: { env: 'testing' }"),
    ("MATCH_PRODUCTION", "match: { env: \"production\" }"),
    ("MATCH_PRODU", "match_re: { env: \"produ.*\", job: \".*\" }"),
    ("MATCH_BC", "match_re: { owner: 'team-(B|C)' }"),
    ("MATCH_ROLE", "match: { group_by: 'role' }"),
    ("MATCH_LONG", "match: { wait: 'long' }"),
];
const NEW: [(&str, &str); 7] = [
    ("MATCH_A", r#"matchers: ['{owner="team-A"}', '{level!="critical"}']"#),
    ("MATCH_TESTING", r#"matchers: ['{env="testing"}', '{baz!~".*quux"}']"#),
    ("MATCH_PRODUCTION", r#"matchers: ['{env="production"}']"#),
    ("MATCH_PRODU", r#"matchers: [ env=~"produ.*", job=~".*"]"#),
    ("MATCH_BC", r#"matchers: [owner=~"team-(B|C)"]"#),
    ("MATCH_ROLE", r#"matchers: [group_by="role"]"#),
    ("MATCH_LONG", r#"matchers: [wait="long"]"#),
];

fn tree(words: &[(&str, &str)]) -> String {
    // The longer word first: one is the beginning of another.
    let mut words = words.to_vec();
    words.sort_by_key(|(word, _)| std::cmp::Reverse(word.len()));
    words.iter().fold(TREE.to_owned(), |text, (word, matchers)| text.replace(word, matchers))
}

pub(super) fn read(text: &str) -> AlertmanagerFile {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("alertmanager.yml");
    std::fs::write(&path, text).unwrap();
    config::alertmanager(&path)
}

pub(super) fn labels(text: &str) -> Labels {
    Labels::new(text.split_whitespace().map(|part| part.split_once('=').unwrap()))
}

fn at(text: &str) -> Ms {
    parse_instant(text, 0).unwrap()
}

/// Receiver, labels it groups by (`...` = all), group_wait, group_interval, repeat_interval.
type Taken = (&'static str, &'static str, Ms, Ms, Ms);

fn taken<'a>(route: &'a OldRoute<'_>) -> Vec<(&'a str, String, Ms, Ms, Ms)> {
    let one = |it: &'a bongsu::pipeline::taken_over::TakenOver<'_>| {
        let route = it.route;
        let by = if route.group_by_all { "...".to_owned() } else { route.group_by.join(" ") };
        (route.receiver.as_str(), by, route.group_wait, route.group_interval, route.repeat_interval)
    };
    route.taken.iter().map(one).collect()
}

const DEFAULT: (Ms, Ms, Ms) = (30 * SECOND, 5 * MINUTE, 4 * HOUR);

const fn def(receiver: &'static str, by: &'static str) -> Taken {
    (receiver, by, DEFAULT.0, DEFAULT.1, DEFAULT.2)
}

#[rustfmt::skip]
const ROUTES: &[(&str, &[Taken])] = &[
    ("owner=team-A", &[def("notify-A", "")]),
    ("owner=team-A env=unset", &[def("notify-A", "")]),
    ("owner=team-C", &[("notify-BC", "bar foo", 2 * MINUTE, DEFAULT.1, DEFAULT.2)]),
    ("owner=team-A env=testing", &[def("notify-testing", "...")]),
    ("owner=team-A env=production", &[("notify-productionA", "", MINUTE, DEFAULT.1, DEFAULT.2),
        ("notify-productionB", "job", 30 * SECOND, 5 * MINUTE, HOUR)]),
    ("group_by=role", &[def("notify-def", "role")]),
    ("env=testing group_by=role", &[def("notify-testing", "role")]),
    ("env=testing group_by=role wait=long", &[("notify-testing", "role", 2 * MINUTE, DEFAULT.1, DEFAULT.2)]),
    // Beside the published ones.
    ("", &[def("notify-def", "")]),
    ("owner=team-D", &[def("notify-def", "")]),
    ("owner=xteam-B", &[def("notify-def", "")]),
    ("owner=team-A env=produce", &[("notify-productionB", "job", 30 * SECOND, 5 * MINUTE, HOUR)]),
    ("owner=team-A group_by=role", &[def("notify-A", "")]),
];

#[test]
fn routes_take_alerts_as_in_alertmanager_in_every_notation() {
    let mixed: Vec<_> =
        OLD.iter().zip(NEW).enumerate().map(|(n, (old, new))| if n % 2 == 0 { new } else { *old }).collect();
    for words in [OLD.to_vec(), NEW.to_vec(), mixed] {
        let file = read(&tree(&words));
        assert!(file.problems.is_empty(), "{:#?}", file.problems);
        let config = file.config.unwrap();
        for (alert, wanted) in ROUTES {
            let route = old_route(&config, &labels(alert), &[], 0);
            let wanted: Vec<_> = wanted.iter().map(|it| (it.0, it.1.to_owned(), it.2, it.3, it.4)).collect();
            assert_eq!(taken(&route), wanted, "{alert}");
            assert!(route.tells());
        }
        let walked: Vec<&str> = config.root.walk().iter().map(|route| route.receiver.as_str()).collect();
        assert_eq!(
            walked,
            [
                "notify-def",
                "notify-A",
                "notify-testing",
                "notify-productionA",
                "notify-productionB",
                "notify-BC",
                "notify-def",
                "notify-testing",
                "notify-testing"
            ]
        );
    }
    // Keys of routes, as Alertmanager writes them.
    let keys = [
        (OLD, "owner=team-A env=production", "{}/{owner=\"team-A\"}/{env=~\"^(?:produ.*)$\",job=~\"^(?:.*)$\"}"),
        (OLD, "owner=team-C", "{}/{owner=~\"^(?:team-(B|C))$\"}"),
        (
            NEW,
            "owner=team-A env=testing",
            "{}/{level!=\"critical\",owner=\"team-A\"}/{baz!~\".*quux\",env=\"testing\"}",
        ),
        (
            NEW,
            "env=testing group_by=role wait=long",
            "{}/{group_by=\"role\"}/{baz!~\".*quux\",env=\"testing\"}/{wait=\"long\"}",
        ),
    ];
    for (words, alert, key) in keys {
        let config = read(&tree(&words)).config.unwrap();
        assert_eq!(old_route(&config, &labels(alert), &[], 0).taken.last().unwrap().route.path, key, "{alert}");
    }
    // Matchers that the old notation cannot say.
    let config = read(&tree(&NEW)).config.unwrap();
    for (alert, receiver) in
        [("owner=team-A level=critical", "notify-def"), ("owner=team-A env=testing baz=xquux", "notify-A")]
    {
        assert_eq!(old_route(&config, &labels(alert), &[], 0).taken[0].route.receiver, receiver, "{alert}");
    }
}

#[test]
fn groups_are_inherited_and_told_apart_by_their_labels() {
    let config = read(
        "
route:
  receiver: r
  group_by: [cluster, alertname]
  routes:
  - match: { env: parent }
    group_by: ['...']
    routes:
    - match: { env: parent, kind: child1 }
    - match: { env: parent, kind: child2 }
      group_by: ['foo']
receivers: [ { name: r } ]
",
    )
    .config
    .unwrap();
    let rows = [
        ("alertname=A cluster=c host=h", "alertname=A cluster=c"),
        ("alertname=A host=h", "alertname=A"),
        ("host=h", ""),
        ("env=parent host=h", "env=parent host=h"),
        ("env=parent kind=child1 host=h", "env=parent kind=child1 host=h"),
        ("env=parent kind=child2 host=h foo=1", "foo=1"),
    ];
    for (alert, group) in rows {
        assert_eq!(old_route(&config, &labels(alert), &[], 0).taken[0].group, labels(group), "{alert}");
    }
}

/// The documented example: developers at work, whoever is on call at other hours.
pub(super) const TIMES: &str = "
route:
  receiver: default
  routes:
  - receiver: dev-pager
    matchers: [ service=\"inhouse\" ]
    mute_time_intervals: [ offhours, holidays ]
    continue: true
  - receiver: on-call-pager
    matchers: [ service=\"inhouse\" ]
    active_time_intervals: [ offhours, holidays ]
  - receiver: night
    matchers: [ service=\"batch\" ]
    active_time_intervals: [ offhours ]
    mute_time_intervals: [ holidays ]
receivers: [ { name: default }, { name: dev-pager }, { name: on-call-pager }, { name: night } ]
time_intervals:
- name: offhours
  time_intervals:
  - times: [ { start_time: '00:00', end_time: '09:00' }, { start_time: '17:00', end_time: '24:00' } ]
    weekdays: ['monday:friday']
  - weekdays: [saturday, sunday]
mute_time_intervals:
- name: holidays
  time_intervals: [ { months: [december], days_of_month: ['25:26'] } ]
";

#[test]
fn times_keep_routes_quiet_without_ending_the_search() {
    let file = read(TIMES);
    assert!(file.problems.is_empty(), "{:#?}", file.problems);
    let config = file.config.unwrap();
    let off = || Quiet::Inactive(vec!["offhours".to_owned(), "holidays".to_owned()]);
    let muted = |name: &str| Some(Quiet::Muted(name.to_owned()));
    let rows: [(&str, &str, Vec<Option<Quiet>>); 8] = [
        ("service=inhouse", "2026-11-24T09:00", vec![None, Some(off())]),
        ("service=inhouse", "2026-11-24T16:59", vec![None, Some(off())]),
        ("service=inhouse", "2026-11-24T17:00", vec![muted("offhours"), None]),
        ("service=inhouse", "2026-11-28T12:00", vec![muted("offhours"), None]),
        ("service=inhouse", "2026-12-25T12:00", vec![muted("holidays"), None]),
        ("service=batch", "2026-11-24T12:00", vec![Some(Quiet::Inactive(vec!["offhours".to_owned()]))]),
        ("service=batch", "2026-11-24T20:00", vec![None]),
        ("service=batch", "2026-12-25T20:00", vec![muted("holidays")]),
    ];
    for (alert, instant, wanted) in rows {
        let route = old_route(&config, &labels(alert), &[], at(instant));
        let quiet: Vec<_> = route.taken.iter().map(|taken| taken.quiet.clone()).collect();
        assert_eq!(quiet, wanted, "{alert} {instant}");
        assert_eq!(route.tells(), wanted.contains(&None), "{alert} {instant}");
    }
}

#[test]
fn inhibition_is_read_in_every_notation_and_names_its_rule() {
    let file = read(
        "
route: { receiver: r }
receivers: [ { name: r } ]
inhibit_rules:
- source_match: { s1: '1' }
  target_match_re: { t1: 'a|b' }
  equal: [e]
- name: second
  source_matchers: [ 's2=1', 'sev=~\"crit.*\"' ]
  target_matchers: [ 't2!=\"\"' ]
",
    );
    assert!(file.problems.is_empty(), "{:#?}", file.problems);
    let config = file.config.unwrap();
    let firing = [labels("s1=1 e=x"), labels("s2=1 sev=critical")];
    let rows = [
        ("t1=a e=x", Some((5, 0))),
        ("t1=a e=y", None),
        ("t1=ab e=x", None),
        ("t2=z", Some((8, 1))),
        ("t2=z t1=b e=x", Some((5, 0))),
        ("t3=z", None),
    ];
    for (alert, wanted) in rows {
        let found = old_route(&config, &labels(alert), &firing, 0);
        let by = found.inhibited.as_ref().map(|it| (it.line, firing.iter().position(|other| *other == it.by).unwrap()));
        assert_eq!((by, found.tells()), (wanted, wanted.is_none()), "{alert}");
    }
}
