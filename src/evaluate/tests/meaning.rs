//! What rules mean: severities, recovering, early signals, silence, lines, clock breaks, limits.

use super::*;
use crate::evaluate::Counters;
use crate::model::State;
use crate::time::HOUR;

fn every(step: Ms, values: &[f64]) -> Vec<(Ms, Decoded)> {
    let times = (0..).map(|n| BEGIN + n * step);
    times.zip(values).map(|(at, value)| (at, number(1, at, *value))).collect()
}

#[test]
fn severities_have_their_own_holds_and_fall_quietly() {
    let mut hot = rule("hot", Function::Last, Comparison::Above, 0.8);
    hot.levels = vec![level(Severity::S1, 0.9, 20_000), level(Severity::S2, 0.8, 10_000)];
    hot.recover = Recover { threshold: Some(Threshold::One(0.7)), hold: 10_000 };
    let mut p = start(&setup(vec![hot], false));
    let mut records = every(10_000, &[0.95, 0.95, 0.95, 0.85, 0.75, 0.6, 0.6]);
    records.push((BEGIN + 71_000, pulse()));
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(
        show(&signals),
        [
            "0 hot inactive>pending -",
            "10000 hot pending>firing S2",
            "20000 hot firing>firing S1",
            "30000 hot firing>firing S2",
            "40000 hot firing>recovering S2",
            "60000 hot recovering>resolved S2",
        ]
    );
    assert!(!signals[0].acted && signals[1].acted);
    assert_eq!(signals[1].since, Some(BEGIN), "it occurred when the pending began");
    assert_eq!(signals[5].from, State::Recovering);
}

#[test]
fn early_rules_fire_at_the_record_and_recover_at_a_tick() {
    let mut p = start(&setup(vec![rule("peak", Function::Max, Comparison::Above, 5.0)], false));
    let records = [
        (BEGIN, number(1, BEGIN, 1.0)),
        (BEGIN + 1_234, number(1, BEGIN + 1_234, 9.0)),
        (BEGIN + 70_000, number(1, BEGIN + 70_000, 1.0)),
        (BEGIN + 71_000, pulse()),
    ];
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(show(&signals), ["1234 peak inactive>firing S2", "70000 peak firing>resolved S2"]);
}

#[test]
fn late_sample_does_not_enter_a_window_that_has_passed_it() {
    let mut p = start(&setup(vec![rule("peak", Function::Max, Comparison::Above, 5.0)], false));
    let records = [(BEGIN + 60_500, number(1, BEGIN + 60_500, 1.0)), (BEGIN + 60_600, number(1, BEGIN, 9.0))];
    let (signals, out) = feed(&mut p, &records);
    assert_eq!(show(&signals), Vec::<String>::new());
    assert_eq!(out.counters.late, 1);
}

#[test]
fn silence_of_one_series_is_not_silence_of_its_source() {
    let mut low = rule("low", Function::Last, Comparison::Above, 5.0);
    low.no_data = NoData { after: 2 * MINUTE, then: Then::Raise(Severity::S3) };
    let mut p = start(&setup(vec![low], false));
    let mut records = vec![(BEGIN, number(1, BEGIN, 1.0)), (BEGIN, number(2, BEGIN, 1.0))];
    for n in 1..30 {
        let at = BEGIN + n * 10_000;
        let other = Decoded { shape: None, values: Vec::new(), ..number(1, at, 0.0) };
        records.push((at, other));
    }
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(
        show(&signals),
        ["120000 low inactive>firing S3 series gone", "120000 low inactive>inactive - source silent"]
    );
    assert_eq!(signals[0].labels.get("host"), Some("h1"));
}

#[test]
fn forgotten_identity_ends_its_episode_with_gone() {
    let mut p = start(&setup(vec![rule("hot", Function::Last, Comparison::Above, 5.0)], false));
    let mut out = Effects::default();
    p.apply(0, BEGIN, &number(1, BEGIN, 9.0), &mut out);
    p.close(BEGIN + DAY + MINUTE, &mut out);
    let mut rows = Rows::default();
    rows.take(&out.rows);
    assert_eq!(
        show(&out.signals),
        [
            "0 hot inactive>firing S2",
            "300000 hot firing>firing S2 source silent",
            "86400000 hot firing>resolved S2 gone",
        ]
    );
    assert_eq!(rows, Rows::default());
}

#[test]
fn idle_time_is_jumped_over() {
    let mut p = start(&setup(vec![rule("hot", Function::Avg, Comparison::Above, 5.0)], false));
    let (_, out) = feed(&mut p, &[(BEGIN, number(1, BEGIN, 1.0)), (BEGIN + 5 * DAY, number(1, BEGIN + 5 * DAY, 1.0))]);
    assert!(out.counters.ticks < 20, "{:?}", out.counters);
}

#[test]
fn idle_series_cost_nothing() {
    let mut p = start(&setup(vec![rule("hot", Function::Avg, Comparison::Above, 5.0)], false));
    let mut out = Effects::default();
    for host in 0..2_000 {
        p.apply(i64::from(host), BEGIN, &number(host, BEGIN, 1.0), &mut out);
    }
    p.close(BEGIN + 61_000, &mut out);
    out.clear();
    p.close(BEGIN + 200_000, &mut out);
    assert_eq!(out.counters, Counters::default());
}

#[test]
fn lines_count_and_the_same_record_counts_once() {
    let mut oom = rule("oom", Function::Count, Comparison::AtLeast, 3.0);
    oom.watch = Watch::Log { matchers: Vec::new(), pattern: Some("OOM|Memory".to_owned()) };
    let mut p = start(&setup(vec![oom], false));
    let at = BEGIN + 100;
    let first = lines("h1", at, &["OOMKilled", "OOMKilled", "fine"]);
    let records = [(at, first.clone()), (at + 500, first), (at + 900, lines("h1", at + 900, &["OutOfMemoryError"]))];
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(show(&signals), ["1000 oom inactive>firing S2"]);
    assert_eq!(signals[0].value, Some(3.0));
}

#[test]
fn empty_window_counts_zero_and_below_waits_one_window() {
    let mut few = rule("few", Function::Count, Comparison::Below, 1.0);
    few.watch = Watch::Log { matchers: Vec::new(), pattern: None };
    let mut p = start(&setup(vec![few], false));
    let mut records = vec![(BEGIN, lines("h1", BEGIN, &["a"]))];
    records.extend((1..15).map(|n| (BEGIN + n * 10_000, number(1, BEGIN + n * 10_000, 1.0))));
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(show(&signals), ["60000 few inactive>firing S2"]);
}

#[test]
fn clock_break_carries_elapsed_time_over() {
    let mut hot = rule("hot", Function::Last, Comparison::Above, 5.0);
    hot.levels = vec![level(Severity::S2, 5.0, 60_000)];
    let mut p = start(&setup(vec![hot], true));
    let mut records: Vec<(Ms, Decoded)> =
        (0..4).map(|n| (BEGIN + HOUR + n * 10_000, number(1, BEGIN + HOUR + n * 10_000, 9.0))).collect();
    records.extend((0..8).map(|n| (BEGIN + n * 10_000, number(1, BEGIN + n * 10_000, 9.0))));
    let (signals, _) = feed(&mut p, &records);
    let shown = show(&signals);
    assert_eq!(shown[0], "3600000 hot inactive>pending -");
    assert!(shown.contains(&"0 clock-break inactive>firing S3".to_owned()), "{shown:?}");
    assert!(shown.contains(&"30000 hot pending>firing S2".to_owned()), "{shown:?}");
    assert_eq!(p.progress().segment, 1);
}

#[test]
fn silent_source_is_told_once_and_resolves_when_it_speaks() {
    let mut p = start(&setup(Vec::new(), true));
    let records = [
        (BEGIN, number(1, BEGIN, 1.0)),
        (BEGIN + 300_000, pulse()),
        (BEGIN + 300_500, number(1, BEGIN + 300_400, 1.0)),
        (BEGIN + 302_000, pulse()),
    ];
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(show(&signals), ["120000 source-silent inactive>firing S2", "301000 source-silent firing>resolved S2"]);
}

#[test]
fn skewed_source_is_corrected_and_told() {
    let mut p = start(&setup(vec![rule("hot", Function::Last, Comparison::Above, 5.0)], true));
    let records: Vec<(Ms, Decoded)> =
        (0..5).map(|n| (BEGIN + n * 10_000, number(1, BEGIN + n * 10_000 - HOUR, 9.0))).collect();
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(show(&signals), ["0 hot inactive>firing S2", "0 source-skew inactive>firing S3"]);
    assert_eq!(p.sources()[0].skew, Some(HOUR));
}

#[test]
fn one_skew_of_most_sources_is_the_clock_of_the_log() {
    let mut p = start(&setup(Vec::new(), true));
    let mut records = Vec::new();
    for n in 0..5 {
        let at = BEGIN + n * 10_000;
        records.extend((0..4).map(|host| (at, number(host, at - HOUR, 1.0))));
    }
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(show(&signals), ["0 log-skew inactive>firing S3"]);
}

#[test]
fn refused_series_are_counted_and_told() {
    let mut set = (*setup(vec![rule("hot", Function::Last, Comparison::Above, 5.0)], true)).clone();
    set.limits.series = 2;
    let mut p = start(&Arc::new(set));
    let mut records: Vec<(Ms, Decoded)> = (0..4).map(|host| (BEGIN + 1, number(host, BEGIN, 9.0))).collect();
    records.push((BEGIN + 2_000, pulse()));
    let (signals, out) = feed(&mut p, &records);
    assert_eq!(out.counters.refused_series, 2);
    assert!(show(&signals).contains(&"1000 limit inactive>firing S3".to_owned()));
    assert_eq!(p.limits_hit(), [("series".to_owned(), 2, 2)]);
}

#[test]
fn new_windows_wait_unknown_for_memory_and_the_widest_rule_is_named() {
    let raise = |over| Rule {
        over,
        no_data: NoData { after: 5 * MINUTE, then: Then::Raise(Severity::S3) },
        ..rule(&format!("over-{over}"), Function::Avg, Comparison::Above, 5.0)
    };
    let mut set = (*setup(vec![raise(MINUTE), raise(30 * MINUTE)], true)).clone();
    set.limits.window_memory = 64;
    let mut p = start(&Arc::new(set));
    let (signals, _) = feed(
        &mut p,
        &[(BEGIN + 1, number(0, BEGIN, 9.0)), (BEGIN + 2, number(1, BEGIN, 9.0)), (BEGIN + 2_000, pulse())],
    );
    let mut want = vec!["1000 limit inactive>firing S3".to_owned()];
    for over in [1_800_000, 60_000] {
        want.push(format!("1000 over-{over} inactive>firing S2"));
        want.push(format!("1000 over-{over} inactive>inactive - limit"));
    }
    want.sort();
    let mut got = show(&signals);
    got.sort();
    assert_eq!(got, want);
    assert_eq!(p.limits_hit(), [("window_memory over-1800000".to_owned(), 64, 1)]);
}

#[test]
fn a_rule_at_its_limit_watches_again_what_was_left_out_once_others_are_forgotten() {
    let mut set =
        (*setup(vec![Rule { forget: HOUR, ..rule("hot", Function::Last, Comparison::Above, 5.0) }], true)).clone();
    set.limits.series_per_rule = 1;
    let mut p = start(&Arc::new(set));
    let mut records = vec![(BEGIN + 1, number(0, BEGIN, 1.0))];
    records.extend((1..130).map(|n| (BEGIN + n * MINUTE, number(1, BEGIN + n * MINUTE, 9.0))));
    let (signals, _) = feed(&mut p, &records);
    let told = show(&signals);
    assert!(told.contains(&format!("{} limit inactive>firing S3", MINUTE)), "{told:?}");
    assert!(told.iter().any(|line| line.ends_with("hot inactive>firing S2")), "{told:?}");
    assert!(told.iter().any(|line| line.ends_with("limit firing>resolved S3")), "{told:?}");
}

#[test]
fn what_has_too_many_labels_is_left_out_and_told_and_the_others_go_on() {
    use crate::model::{Reject, RejectReason};
    let mut p = start(&setup(vec![rule("hot", Function::Last, Comparison::Above, 5.0)], true));
    let mut bad = number(0, BEGIN + MINUTE, 9.0);
    bad.rejects = vec![Reject { reason: RejectReason::LabelLimit, place: "points[1]".into(), detail: String::new() }];
    let mut records = vec![(BEGIN, number(0, BEGIN, 9.0)), (BEGIN + MINUTE, bad)];
    records.extend((2..20).map(|n| (BEGIN + n * MINUTE, number(0, BEGIN + n * MINUTE, 9.0))));
    let (signals, _) = feed(&mut p, &records);
    let limits: Vec<_> = signals.iter().filter(|signal| *signal.rule == *crate::model::LIMIT.id).collect();
    assert_eq!(limits.len(), 2, "it begins and ends: {:?}", show(&signals));
    assert!(limits.iter().all(|signal| signal.labels == Labels::new([("limit", "labels")])), "{limits:?}");
    let hot: Vec<String> = show(&signals).into_iter().filter(|line| line.contains(" hot ")).collect();
    assert_eq!(hot.len(), 1, "who fires is not touched by it: {hot:?}");
    assert_eq!(p.limits_hit(), [("labels".to_owned(), 64, 1)]);
}

#[test]
fn reload_ends_what_is_watched_otherwise_and_keeps_what_only_has_new_numbers() {
    let hot = rule("hot", Function::Last, Comparison::Above, 5.0);
    let mut p = start(&setup(vec![hot.clone(), rule("old", Function::Last, Comparison::Above, 5.0)], false));
    let mut out = Effects::default();
    p.apply(0, BEGIN, &number(1, BEGIN, 9.0), &mut out);
    p.close(BEGIN + 1_500, &mut out);
    out.clear();
    let raised = Rule { levels: vec![level(Severity::S2, 5.0, HOUR)], ..hot };
    p.reload(setup(vec![raised], false), &mut out);
    p.apply(1, BEGIN + 3_000, &number(1, BEGIN + 3_000, 9.0), &mut out);
    p.close(BEGIN + 5_000, &mut out);
    assert_eq!(show(&out.signals), ["1501 old firing>resolved S2 rule_changed"].map(|s| s.replace("1501", "1500")));
}

#[test]
fn a_reload_right_after_a_restart_ends_what_its_row_tells_of() {
    let hot = rule("hot", Function::Last, Comparison::Above, 5.0);
    let both = setup(vec![hot.clone(), rule("old", Function::Last, Comparison::Above, 5.0)], false);
    let mut p = start(&both);
    let (_, out) = feed(&mut p, &[(BEGIN, number(1, BEGIN, 9.0)), (BEGIN + 1_500, number(1, BEGIN + 1_500, 9.0))]);
    let mut rows = Rows::default();
    rows.take(&out.rows);
    let kept = rows.0.values().cloned().collect();
    let mut again = Partition::start(both, 0, Some(&stored(&p)), kept, Warm::default());
    let mut out = Effects::default();
    again.reload(setup(vec![hot], false), &mut out);
    let (signals, _) = feed(&mut again, &[(BEGIN + 1_800, number(1, BEGIN + 1_800, 9.0))]);
    assert_eq!(show(&signals), ["1500 old firing>resolved S2 rule_changed"]);
}
