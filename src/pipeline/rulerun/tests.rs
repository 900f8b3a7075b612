//! What groups do, evaluation by evaluation, compared with Prometheus's behaviour worked out by hand.

use super::*;
use crate::evaluate::promql::{Matcher, Storage, is_stale};
use crate::model::RuleGroup;
use crate::time::MINUTE;

fn alert(name: &str, expr: &str, hold: Ms, keep: Ms, labels: &[(&str, &str)], notes: &[(&str, &str)]) -> GroupRule {
    GroupRule {
        name: name.to_owned(),
        expr: expr.to_owned(),
        labels: Labels::new(labels.iter().copied()),
        kind: GroupRuleKind::Alert { hold, keep, annotations: Labels::new(notes.iter().copied()) },
        line: 1,
    }
}

fn record(name: &str, expr: &str, labels: &[(&str, &str)]) -> GroupRule {
    let labels = Labels::new(labels.iter().copied());
    GroupRule { name: name.to_owned(), expr: expr.to_owned(), labels, kind: GroupRuleKind::Record, line: 2 }
}

fn group(name: &str, rules: Vec<GroupRule>) -> RuleGroup {
    RuleGroup { name: name.to_owned(), interval: None, limit: 0, query_offset: 0, rules }
}

fn manager(groups: Vec<RuleGroup>) -> Manager {
    let setting = Setting { external_labels: Labels::default(), external_url: String::new(), interval: MINUTE };
    let files = [RuleFile { file: "r.yml".to_owned(), groups }];
    Manager::new(&files, setting, &[]).unwrap()
}

fn up(memory: &mut Memory, at: Ms, value: f64) {
    memory.append(&Labels::new([(NAME, "up"), ("host", "db-01")]), at, value);
}

fn states(manager: &Manager) -> Vec<(String, bool, Ms)> {
    manager.alerts().map(|(name, alert)| (name.to_owned(), alert.firing(), alert.active_at())).collect()
}

/// Points of every series called `name`.
fn points(memory: &Memory, name: &str) -> Vec<(Ms, f64)> {
    memory.select(&[Matcher::equal(NAME, name)], Ms::MIN, Ms::MAX).into_iter().flat_map(|slice| slice.points).collect()
}

#[test]
fn an_alert_waits_fires_and_begins_again_after_a_gap() {
    let mut manager = manager(vec![group(
        "g",
        vec![alert("Down", "up == 0", 2 * MINUTE, 0, &[("severity", "S1")], &[("text", "{{ $labels.host }} 멈춤")])],
    )]);
    let mut memory = Memory::default();
    let mut seen = Vec::new();
    for (minute, value) in [0.0, 0.0, 0.0, 1.0, 0.0, 0.0].into_iter().enumerate() {
        let at = minute as Ms * MINUTE;
        up(&mut memory, at, value);
        assert_eq!(manager.evaluate(&mut memory, at), []);
        seen.push(states(&manager).first().map(|(_, firing, since)| (*firing, since / MINUTE)));
    }
    let wanted = [Some((false, 0)), Some((false, 0)), Some((true, 0)), None, Some((false, 4)), Some((false, 4))];
    assert_eq!(seen, wanted, "`for` counts from the first evaluation without a gap");
    let (_, now) = manager.alerts().next().unwrap();
    assert_eq!(now.labels, Labels::new([("alertname", "Down"), ("host", "db-01"), ("severity", "S1")]));
    assert_eq!(now.annotations, Labels::new([("text", "db-01 멈춤")]));
    let firing = memory.select(&[Matcher::equal("alertstate", "firing")], Ms::MIN, Ms::MAX);
    assert_eq!(firing.len(), 1);
    assert_eq!(firing[0].points[0], (2 * MINUTE, 1.0));
    assert!(firing[0].points[1].0 == 3 * MINUTE && is_stale(firing[0].points[1].1), "ended by a stale marker");
    let since: Vec<f64> =
        points(&memory, "ALERTS_FOR_STATE").into_iter().map(|(_, v)| v).filter(|v| !is_stale(*v)).collect();
    assert_eq!(since, [0.0, 0.0, 0.0, 240.0, 240.0]);
}

#[test]
fn keep_firing_for_bridges_and_ends() {
    let mut manager = manager(vec![group("g", vec![alert("Down", "up == 0", 0, 2 * MINUTE, &[], &[])])]);
    let mut memory = Memory::default();
    let mut firing = Vec::new();
    for (minute, value) in [0.0, 1.0, 0.0, 1.0, 1.0, 1.0].into_iter().enumerate() {
        up(&mut memory, minute as Ms * MINUTE, value);
        manager.evaluate(&mut memory, minute as Ms * MINUTE);
        firing.push(states(&manager).len());
    }
    assert_eq!(firing, [1, 1, 1, 1, 1, 0], "kept for two minutes from the first evaluation without it");
}

#[test]
fn recorded_series_have_the_rule_s_name_and_labels() {
    let mut rules = vec![record("a:b", "up", &[("team", "x"), ("host", "")]), record("later", "a:b * 2", &[])];
    rules.push(record("fixed", "1", &[]));
    let mut manager = manager(vec![group("g", rules)]);
    let mut memory = Memory::default();
    up(&mut memory, 0, 3.0);
    assert_eq!(manager.evaluate(&mut memory, 0), []);
    let all = memory.select(&[Matcher::equal("team", "x")], -1, 0);
    assert_eq!(all[0].labels, Labels::new([(NAME, "a:b"), ("team", "x")]));
    assert_eq!(points(&memory, "later"), [(0, 6.0)], "a rule sees what the one before it wrote");
    assert_eq!(points(&memory, "fixed"), [(0, 1.0)]);
    manager.evaluate(&mut memory, 10 * MINUTE);
    let ended = points(&memory, "a:b");
    assert!(ended.len() == 2 && is_stale(ended[1].1), "gone once `up` is too old: {ended:?}");
    assert_eq!(manager.showed().count(), 3);
}

#[test]
fn two_series_with_one_label_set_are_an_error() {
    let mut manager = manager(vec![group(
        "g",
        vec![record("r", "up", &[("host", "all")]), alert("A", "up", 0, 0, &[("host", "all")], &[])],
    )]);
    let mut memory = Memory::default();
    up(&mut memory, 0, 1.0);
    memory.append(&Labels::new([(NAME, "up"), ("host", "db-02")]), 0, 1.0);
    let troubles = manager.evaluate(&mut memory, 0);
    assert_eq!(troubles.len(), 2);
    assert!(troubles.iter().all(|trouble| trouble.message.contains("same labels") && trouble.file == "r.yml"));
}

#[test]
fn limits_offsets_and_intervals_of_a_group_hold() {
    let limited =
        RuleGroup { limit: 1, ..group("limited", vec![record("r", "up", &[]), alert("A", "up", 0, 0, &[], &[])]) };
    let shifted =
        RuleGroup { query_offset: MINUTE, ..group("shifted", vec![record("old", "up{host=\"db-01\"}", &[])]) };
    let slow = RuleGroup { interval: Some(5 * MINUTE), ..group("slow", vec![record("slow", "1", &[])]) };
    let mut manager = manager(vec![limited, shifted, slow]);
    let mut memory = Memory::default();
    for minute in 0..6 {
        up(&mut memory, minute * MINUTE, minute as f64);
        memory.append(&Labels::new([(NAME, "up"), ("host", "db-02")]), minute * MINUTE, 1.0);
        let troubles = manager.tick(&mut memory, minute * MINUTE);
        assert_eq!(troubles.len(), 2, "{troubles:?}");
        assert!(troubles.iter().all(|trouble| trouble.message.contains("limit of 1")));
    }
    assert_eq!(points(&memory, "old").first(), Some(&(0, 0.0)), "written at the time that it saw");
    assert_eq!(points(&memory, "slow"), [(0, 1.0), (5 * MINUTE, 1.0)]);
}

#[test]
fn the_order_of_groups_is_asked_for_by_name() {
    let first = group("first", vec![record("r", "s", &[])]);
    let second = group("second", vec![record("s", "1", &[])]);
    let setting = Setting { external_labels: Labels::default(), external_url: String::new(), interval: MINUTE };
    let files = [RuleFile { file: "r.yml".to_owned(), groups: vec![first, second] }];
    let order = ["second".to_owned(), "first".to_owned()];
    let mut manager = Manager::new(&files, setting, &order).unwrap();
    let mut memory = Memory::default();
    manager.evaluate(&mut memory, 0);
    assert_eq!(points(&memory, "r"), [(0, 1.0)]);
}

#[test]
fn a_subquery_without_a_step_takes_the_interval() {
    let steps = |text: &str, step: Ms| expression(text, step).map(|expr| expr.text().to_owned()).unwrap();
    assert_eq!(steps("count_over_time(up[5m:])", MINUTE), "count_over_time(up[5m:])");
    assert_eq!(steps("count_over_time(up[5m:])", 10_000), "count_over_time(up[5m:10s])");
    let nested = "max_over_time(rate(up[1m])[5m:] offset 1m) + avg_over_time(max_over_time(up[1m:])[9m:3m])";
    let wanted = "max_over_time(rate(up[1m])[5m:1h] offset 1m) + avg_over_time(max_over_time(up[1m:1h])[9m:3m])";
    assert_eq!(steps(nested, 60 * MINUTE), wanted);
}

#[test]
fn a_series_has_one_value_at_an_instant_and_grows_forwards() {
    let shifted = RuleGroup { query_offset: MINUTE, ..group("shifted", vec![record("r", "vector(1)", &[])]) };
    let two =
        group("two", vec![record("r", "vector(1)", &[]), record("r", "vector(1)", &[]), record("r", "vector(2)", &[])]);
    let mut manager = manager(vec![two, shifted]);
    let mut memory = Memory::default();
    let troubles = manager.evaluate(&mut memory, 0);
    let told: Vec<&str> = troubles.iter().map(|trouble| trouble.message.split(':').next().unwrap()).collect();
    assert_eq!(told, ["two values at one time", "out of order"], "the same value twice is none");
    assert_eq!(points(&memory, "r"), [(0, 1.0)], "the first one stays");
}

#[test]
fn alerts_show_the_text_of_a_template_that_gives_nothing() {
    let rule = alert("A", "vector(1)", 0, 0, &[("x", "{{ $labels.none }}"), ("y", "{{ $value }}")], &[]);
    let mut manager = manager(vec![group("g", vec![rule])]);
    let mut memory = Memory::default();
    assert_eq!(manager.evaluate(&mut memory, 0), []);
    assert_eq!(manager.alerts().next().unwrap().1.labels, Labels::new([("alertname", "A"), ("y", "1")]));
    let shown = memory.select(&[Matcher::equal(NAME, "ALERTS")], -1, 0);
    assert_eq!((shown[0].labels.get("x"), shown[0].labels.get("y")), (Some("{{ $labels.none }}"), Some("1")));
}
