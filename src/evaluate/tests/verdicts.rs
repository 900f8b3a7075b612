//! Verdicts of the rarer kinds: ranges and exact values, several severities at once, gone and back, quarantine.

use super::*;
use crate::time::HOUR;

fn every(step: Ms, values: &[f64]) -> Vec<(Ms, Decoded)> {
    let times = (0..).map(|n| BEGIN + n * step);
    times.zip(values).map(|(at, value)| (at, number(1, at, *value))).collect()
}

fn told(rules: Vec<Rule>, mut records: Vec<(Ms, Decoded)>) -> Vec<String> {
    let end = records.last().map_or(BEGIN, |(at, _)| *at);
    records.push((end + 1_500, pulse()));
    show(&feed(&mut start(&setup(rules, false)), &records).0)
}

#[test]
fn outside_is_below_the_low_or_above_the_high_end() {
    let levels = [(Severity::S1, 0.0, 10.0), (Severity::S3, 3.0, 7.0)].map(|(severity, low, high)| Level {
        severity,
        threshold: Threshold::Range(low, high),
        hold: 0,
    });
    let odd = Rule { levels: levels.to_vec(), ..rule("odd", Function::Last, Comparison::Outside, 0.0) };
    assert_eq!(
        told(vec![odd], every(1_000, &[3.0, 2.0, 7.0, 8.0, 10.5, 10.0, 5.0])),
        [
            "1000 odd inactive>firing S3",
            "2000 odd firing>resolved S3",
            "3000 odd inactive>firing S3",
            "4000 odd firing>firing S1",
            "5000 odd firing>firing S3",
            "6000 odd firing>resolved S3",
        ]
    );
}

#[test]
fn equals_compares_exactly() {
    let off = rule("off", Function::Last, Comparison::Equals, 0.0);
    assert_eq!(
        told(vec![off], every(1_000, &[1e-300, 0.0, -0.0, 1.0])),
        ["1000 off inactive>firing S2", "3000 off firing>resolved S2"]
    );
}

#[test]
fn early_is_the_worst_severity_that_need_not_hold_and_only_rises() {
    let mut peak = rule("peak", Function::Max, Comparison::AtLeast, 5.0);
    peak.levels = vec![level(Severity::S1, 9.0, 5_000), level(Severity::S2, 7.0, 0), level(Severity::S3, 5.0, 0)];
    let at = |ms: Ms, value| (BEGIN + ms, number(1, BEGIN + ms, value));
    assert_eq!(
        told(vec![peak], vec![at(100, 5.0), at(200, 6.0), at(300, 9.5), at(400, 5.0), at(7_300, 1.0)]),
        ["100 peak inactive>firing S3", "300 peak firing>firing S2", "6000 peak firing>firing S1"]
    );
}

#[test]
fn without_recover_for_a_value_between_the_thresholds_is_not_told() {
    let mut hot = rule("hot", Function::Last, Comparison::Above, 8.0);
    hot.recover = Recover { threshold: Some(Threshold::One(6.0)), hold: 0 };
    assert_eq!(
        told(vec![hot], every(1_000, &[9.0, 7.0, 7.0, 9.0, 6.0])),
        ["0 hot inactive>firing S2", "4000 hot firing>resolved S2"]
    );
}

#[test]
fn raise_never_lowers_a_severity_and_ends_with_the_value() {
    let raise = |severity| NoData { after: MINUTE, then: Then::Raise(severity) };
    let hot = |id: &str, severity| Rule {
        over: 30_000,
        no_data: raise(severity),
        ..rule(id, Function::Last, Comparison::Above, 5.0)
    };
    let mut records = vec![(BEGIN, number(1, BEGIN, 9.0)), (BEGIN, number(2, BEGIN, 1.0))];
    for host in [1, 2] {
        let word = |at| (at, Decoded { shape: None, values: Vec::new(), ..number(host, at, 0.0) });
        records.extend((1..10).map(|n| word(BEGIN + n * 10_000)));
    }
    records.sort_by_key(|(at, _)| *at);
    let back = BEGIN + 100_000;
    records.extend([(back, number(1, back, 1.0)), (back, number(2, back, 1.0))]);
    assert_eq!(
        told(vec![hot("a", Severity::S1), hot("b", Severity::S3)], records),
        [
            "0 a inactive>firing S2",
            "0 b inactive>firing S2",
            "60000 a firing>firing S1 series gone",
            "60000 a inactive>firing S1 series gone",
            "60000 b firing>firing S2 series gone",
            "60000 b inactive>firing S3 series gone",
            "100000 a firing>resolved S1",
            "100000 a firing>resolved S1",
            "100000 b firing>resolved S2",
            "100000 b firing>resolved S3",
        ]
    );
}

#[test]
fn quarantine_drops_samples_and_lines_of_a_skewed_source_until_its_clock_is_right() {
    let mut oom = rule("oom", Function::Count, Comparison::AtLeast, 1.0);
    oom.watch = Watch::Log { matchers: Vec::new(), pattern: None };
    let mut set = (*setup(vec![rule("hot", Function::Last, Comparison::Above, 5.0), oom], true)).clone();
    set.skew = SkewPolicy::Quarantine;
    let mut p = start(&Arc::new(set));
    let off = |n: Ms| (BEGIN + n * 10_000, number(1, BEGIN + n * 10_000 - HOUR, 9.0));
    let mut records = vec![off(0), off(1), (BEGIN + 11_000, lines("h1", BEGIN + 11_000 - HOUR, &["a"]))];
    // Once its clock is right, the least lag of ten minutes says so.
    records.extend((2..5).map(|n| (BEGIN + n * 10_000, number(1, BEGIN + n * 10_000, 9.0))));
    records.push((BEGIN + 60_000, pulse()));
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(
        show(&signals),
        ["0 source-skew inactive>firing S3", "20000 hot inactive>firing S2", "20000 source-skew firing>resolved S3"]
    );
}

#[test]
fn labels_of_the_inventory_are_matched_and_name_identities() {
    let by = Some(vec!["host".to_owned(), "missing".to_owned(), "service".to_owned()]);
    let fits = crate::model::Matcher {
        label: "service".to_owned(),
        test: crate::model::Test::IsNot,
        value: "batch".to_owned(),
    };
    let watch = Watch::Metric { name: "m".to_owned(), matchers: vec![fits] };
    let mut set =
        (*setup(vec![Rule { by, watch, ..rule("hot", Function::Last, Comparison::Above, 5.0) }], false)).clone();
    let mut inventory = Inventory::default();
    for (host, service) in [("h1", "dispatch"), ("h2", "batch")] {
        let service = Some(service.to_owned());
        let resource = crate::model::Resource { id: host.to_owned(), service, ..crate::model::Resource::default() };
        inventory.resources.insert(host.to_owned(), resource);
    }
    set.inventory = Arc::new(inventory);
    let records: Vec<(Ms, Decoded)> = (1..4).map(|host| (BEGIN, number(host, BEGIN, 9.0))).collect();
    let mut p = start(&Arc::new(set));
    let mut out = Effects::default();
    feed(&mut p, &records);
    p.close(BEGIN + 1_000, &mut out);
    let named: Vec<String> = out.signals.iter().map(|signal| signal.labels.to_string()).collect();
    assert_eq!(named, [r#"{host="h1",missing="",service="dispatch"}"#, r#"{host="h3",missing="",service=""}"#]);
}
