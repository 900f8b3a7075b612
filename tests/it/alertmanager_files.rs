//! Files of Alertmanager as people have them: mistakes at their places, whole files, the command, and chains beside them.

use std::path::Path;
use std::process::{Command, Output};

use bongsu::config::{self, Ask};
use bongsu::pipeline::route::{Question, route};
use bongsu::pipeline::taken_over::old_route;

use crate::alertmanager::{TIMES, labels, read};

#[test]
fn what_alertmanager_would_refuse_is_refused_at_its_place() {
    let text = "route:
  matchers: [ a=b ]
  active_time_intervals: [ nights ]
  group_by: [ a, a, '...' ]
  repeat_interval: 0s
  routes:
  - receiver: pagr
    match_re: { a: '[' }
    matchers: [ 'b=\"x', 'c~d' ]
    group_wait: soon
    mute_time_intervals: [ night ]
    continues: true
receivers: [ { name: pager }, { name: pager }, { webhook_configs: [] } ]
time_intervals:
- name: nights
  time_intervals: [ { times: [ { start_time: '22:00', end_time: '06:00' } ], location: Mars/Olympus } ]
- { name: nights, time_intervals: [ { weekdays: ['friday:monday'], holidays: true } ] }
inhibit_rules:
- { source_match: { a: b }, target: { c: d } }
";
    let file = read(text);
    assert!(file.config.is_none());
    let mut found: Vec<_> = file.problems.iter().map(|it| (it.line, it.col, it.id)).collect();
    found.sort_unstable();
    let wanted = [
        (2, 3, "missing-key"),
        (2, 13, "alertmanager"),
        (3, 26, "alertmanager"),
        (4, 13, "alertmanager"),
        (4, 18, "alertmanager"),
        (5, 20, "alertmanager"),
        (7, 15, "unknown-word"),
        (8, 21, "bad-regex"),
        (9, 20, "bad-value"),
        (9, 27, "bad-value"),
        (10, 17, "bad-value"),
        (11, 28, "unknown-word"),
        (12, 5, "unknown-key"),
        (13, 31, "duplicate-id"),
        (13, 48, "missing-key"),
        (16, 46, "bad-interval"),
        (16, 88, "bad-interval"),
        (17, 11, "duplicate-id"),
        (17, 50, "bad-interval"),
        (17, 68, "unknown-key"),
        (19, 29, "unknown-key"),
    ];
    assert_eq!(found, wanted, "{:#?}", file.problems);
    for (_, _, id) in wanted {
        assert!(config::explain(id).is_some(), "{id}");
    }
    let on = read("route: { receiver: pager, continue: true }\nreceivers: [ { name: pager } ]\n");
    assert_eq!(on.problems.iter().map(|it| (it.line, it.id)).collect::<Vec<_>>(), [(1, "alertmanager")]);
    let none = read("global: {}\n");
    assert_eq!(none.problems.iter().map(|it| it.id).collect::<Vec<_>>(), ["missing-key", "alertmanager"]);
}

/// Children of a root that tells X, and whether Alertmanager's newer versions would find two of its routes the same.
const SAME: &[(&str, bool)] = &[
    ("[ { matchers: [foo=bar], receiver: Y, continue: true }, { matchers: [foo=bar], receiver: Y } ]", true),
    ("[ { matchers: [foo=bar], continue: true }, { matchers: [foo=bar], receiver: X } ]", true),
    ("[ { matchers: [foo=bar] }, { matchers: [foo=bar] } ]", true),
    ("[ { match: { foo: bar }, continue: true }, { matchers: ['foo=\"bar\"'] } ]", true),
    ("[ { matchers: [a=1, b=2] }, { matchers: [b=2, a=1], group_wait: 10s } ]", true),
    ("[ { match: { a: 1 }, matchers: [b=2] }, { matchers: [a=1, b=2] } ]", true),
    ("[ { matchers: [foo=bar], group_by: ['...'] }, { matchers: [foo=bar], group_by: ['...'] } ]", true),
    ("[ { matchers: [foo=bar], group_by: [] }, { matchers: [foo=bar], group_by: [] } ]", true),
    ("[ { receiver: Y, continue: true }, { receiver: Y } ]", true),
    (
        "[ { matchers: [a=1], receiver: Y, continue: true, routes: [ { matchers: [b=2] } ] }, { matchers: [a=1], routes: [ { matchers: [b=2], receiver: Y } ] } ]",
        true,
    ),
    ("[ { matchers: [foo=bar], group_by: [a] }, { matchers: [foo=bar], group_by: [a, b] } ]", false),
    ("[ { matchers: [foo=bar], group_by: ['...'] }, { matchers: [foo=bar], group_by: [a] } ]", false),
    ("[ { matchers: [foo=bar] }, { matchers: [foo=bar], receiver: Y } ]", false),
    (
        "[ { matchers: [a=1], routes: [ { matchers: [b=2] } ] }, { matchers: [b=2], routes: [ { matchers: [a=1] } ] } ]",
        false,
    ),
    ("[ { matchers: [a=1], routes: [ { matchers: [a=1] } ] } ]", false),
    ("[ { matchers: [a=1], continue: true }, { matchers: [a=~\"1\"] } ]", false),
    ("[ { match_re: { env: prod|staging }, continue: true }, { matchers: ['env=~\"prod|staging\"'] } ]", false),
    ("[ { match: { foo: bar }, matchers: [foo=bar], continue: true }, { matchers: [foo=bar] } ]", false),
];

#[test]
fn routes_that_nobody_can_tell_apart_are_told() {
    for (routes, wanted) in SAME {
        let file =
            read(&format!("route: {{ receiver: X, routes: {routes} }}\nreceivers: [ {{ name: X }}, {{ name: Y }} ]\n"));
        let told = file.problems.iter().any(|problem| problem.id == "alertmanager");
        assert_eq!((told, file.config.is_some()), (*wanted, true), "{routes}: {:#?}", file.problems);
    }
}

/// Files as sites have them: what is not about routing is left alone, whatever it holds.
#[test]
fn whole_files_are_read_with_everything_that_is_not_looked_at() {
    let file = read(
        r#"
global:
  resolve_timeout: 5m
  smtp_auth_password: "several\nlines"
  http_config: { proxy_url: 'http://127.0.0.1:1025' }
templates: [ '/etc/alertmanager/template/*.tmpl' ]
route:
  group_by: ['alertname', 'cluster', 'service']
  group_wait: 30s
  repeat_interval: 3h
  receiver: team-X-mails
  wait_on_startup: true
  labels: { reason: '{{ .GroupLabels.alertname }}' }
  routes:
    - match_re: { service: ^(foo1|foo2|baz)$ }
      receiver: team-X-mails
      routes: [ { match: { severity: critical }, receiver: team-X-pager } ]
    - match: { service: database }
      receiver: team-DB-pager
      group_by: [alertname, cluster, database]
      routes:
        - { match: { owner2: team-X }, receiver: team-X-pager, continue: true }
        - { match: { owner: team-Y }, receiver: team-Y-pager }
inhibit_rules:
  - { source_match: { severity: 'critical' }, target_match: { severity: 'warning' }, equal: ['alertname', 'cluster', 'service'] }
receivers:
  - name: 'team-X-mails'
    email_configs: [ { to: 'team-X+alerts@example.org' } ]
  - { name: 'team-X-pager', pagerduty_configs: [ { routing_key: "mysecret" } ] }
  - { name: 'team-Y-pager' }
  - { name: 'team-DB-pager' }
"#,
    );
    assert!(file.problems.is_empty(), "{:#?}", file.problems);
    let config = file.config.unwrap();
    let rows: &[(&str, &[&str])] = &[
        ("service=foo1", &["team-X-mails"]),
        ("service=foo1 severity=critical", &["team-X-pager"]),
        ("service=foo3", &["team-X-mails"]),
        ("service=database", &["team-DB-pager"]),
        ("service=database owner=team-Y", &["team-Y-pager"]),
        ("service=database owner2=team-X", &["team-X-pager"]),
        ("service=database owner=team-Y owner2=team-X", &["team-X-pager", "team-Y-pager"]),
    ];
    for (alert, receivers) in rows {
        let route = old_route(&config, &labels(alert), &[], 0);
        let found: Vec<&str> = route.taken.iter().map(|taken| taken.route.receiver.as_str()).collect();
        assert_eq!(found, *receivers, "{alert}");
    }
    // The cases of `amtool config routes test` and of its inhibition.
    let firing = [labels("alertname=alert severity=critical cluster=main service=prometheus")];
    for (severity, muted) in [("warning", true), ("panic", false), ("critical", false)] {
        let alert = labels(&format!("alertname=alert severity={severity} cluster=main service=prometheus"));
        assert_eq!(old_route(&config, &alert, &firing, 0).inhibited.is_some(), muted, "{severity}");
    }
    let config = read(
        "
route:
  receiver: default
  routes:
    - { match_re: { test: '^[12]$' }, receiver: test1, continue: true }
    - { match: { test: 2 }, receiver: test2 }
receivers: [ { name: default }, { name: test1 }, { name: test2 } ]
",
    )
    .config
    .unwrap();
    for (alert, receivers) in [("test=1", "test1"), ("test=2", "test1,test2"), ("test=volunteer", "default")] {
        let route = old_route(&config, &labels(alert), &[], 0);
        let found: Vec<&str> = route.taken.iter().map(|taken| taken.route.receiver.as_str()).collect();
        assert_eq!(found.join(","), receivers, "{alert}");
    }
}

/// What both can say: a tree of one level without `continue`, and chains of which the first that fits is taken.
const FLAT: &str = "
route:
  receiver: rest
  routes:
  - { matchers: ['team=a', 'env!=test'], receiver: first }
  - { matchers: ['team=~\"a|b\"'], receiver: second }
  - { matchers: ['service!~\"web.*\"', 'zone=edge'], receiver: third }
  - { matchers: ['owner=\"\"', 'kind=vm'], receiver: unowned }
  - { matchers: ['team=b'], receiver: never }
receivers: [ { name: rest }, { name: first }, { name: second }, { name: third }, { name: unowned }, { name: never } ]
";
const CHAINS: &str = r#"
chains:
  - { id: first, match: { team: a, env: "!=test" }, steps: &s [ { to: [MSP/duty], by: [sms] } ], last: &l { to: [MSP/duty], by: [sms] } }
  - { id: second, match: { team: "=~a|b" }, steps: *s, last: *l }
  - { id: third, match: { service: "!~web.*", zone: edge }, steps: *s, last: *l }
  - { id: unowned, match: { owner: "", kind: vm }, steps: *s, last: *l }
  - { id: never, match: { team: b }, steps: *s, last: *l }
  - { id: rest, default: true, steps: *s, last: *l }
"#;
const CONTACTS: &str = "
contacts: [ { id: d, org: MSP, roles: [duty], name: 가상인, phone: \"010-0000-0001\" } ]
";
const ANY_RULE: &str = "
rules:
  - { id: any, title: 시험, metric: m, by: [host], window: { fn: last, over: 1m }, when: above, severity: { S2: { value: 1 } } }
";

#[test]
fn a_flat_tree_and_chains_choose_alike() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("chains.yaml", CHAINS), ("contacts.yaml", CONTACTS), ("rules.yaml", ANY_RULE)];
    let paths = files.map(|(name, text)| {
        std::fs::write(folder.path().join(name), text).unwrap();
        folder.path().join(name)
    });
    let now = crate::site::now();
    let loaded = config::load(&paths, &Ask { env: &[], now, whole: false });
    assert_eq!(loaded.errors(), 0, "{:#?}", loaded.problems);
    let file = read(FLAT);
    assert!(file.problems.is_empty(), "{:#?}", file.problems);
    let config = file.config.unwrap();
    let rows = [
        ("team=a", "first"),
        ("team=a env=prod", "first"),
        ("team=a env=test", "second"),
        ("team=ab", "rest"),
        ("team=b", "second"),
        ("zone=edge", "third"),
        ("zone=edge service=web-1", "rest"),
        ("zone=edge service=a-web", "third"),
        ("zone=edge team=a", "first"),
        ("kind=vm", "unowned"),
        ("kind=vm owner=MSP", "rest"),
        ("kind=vm zone=edge", "third"),
        ("host=h", "rest"),
        ("", "rest"),
    ];
    for (alert, wanted) in rows {
        let old = old_route(&config, &labels(alert), &[], now);
        assert_eq!(old.taken[0].route.receiver, wanted, "the tree: {alert}");
        let question =
            Question { labels: labels(alert), rule: None, domain: None, severity: None, at: now, firing: Vec::new() };
        let chain = route(&loaded, &question).unwrap().chain.unwrap();
        assert_eq!(chain.id, wanted, "the chains: {alert}");
    }
}

fn bongsu(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bongsu")).args(args).current_dir(folder).output().unwrap()
}

#[test]
fn the_command_answers_in_json_and_for_people() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("am.yml"), TIMES).unwrap();
    std::fs::write(folder.path().join("broken.yml"), "route: { receiver: x }\nreceivers: []\n").unwrap();
    let ask = ["route", "--alertmanager", "am.yml", "--labels", "service=inhouse", "--at", "2026-11-24T12:00:00Z"];
    let out = bongsu(folder.path(), &[&ask[..], &["--format", "json"]].concat());
    assert_eq!(out.status.code(), Some(0), "{}", String::from_utf8_lossy(&out.stderr));
    let objects: Vec<serde_json::Value> =
        String::from_utf8(out.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(objects[0]["receivers"], serde_json::json!(["dev-pager", "on-call-pager"]));
    assert_eq!(objects[0]["told"], serde_json::json!(["dev-pager"]), "at noon");
    assert_eq!(
        (&objects[1]["muted_by"], &objects[2]["inactive_outside"][0]),
        (&serde_json::Value::Null, &"offhours".into())
    );
    assert_eq!((&objects[1]["line"], &objects[1]["group_wait_ms"]), (&5.into(), &30_000.into()));
    let out = bongsu(folder.path(), &ask);
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(
        text.contains("수신자 dev-pager · 5행") && text.contains("발송 보류: active_time_intervals offhours"),
        "{text}"
    );
    let night = ["route", "--alertmanager", "am.yml", "--labels", "service=batch", "--at", "2026-11-24T12:00:00Z"];
    let out = bongsu(folder.path(), &night);
    assert_eq!(out.status.code(), Some(1), "nobody is told");
    let out = bongsu(folder.path(), &["route", "--alertmanager", "broken.yml", "--labels", "a=b"]);
    assert_eq!(out.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&out.stderr).contains("broken.yml:1:20: error[unknown-word]"), "{out:?}");
    // `check` knows such a file by what is in it.
    for (file, code) in [("am.yml", 0), ("broken.yml", 1)] {
        let out = bongsu(folder.path(), &["check", file]);
        assert_eq!(out.status.code(), Some(code), "{}", String::from_utf8_lossy(&out.stdout));
    }
}
