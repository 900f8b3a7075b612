//! Corners: what each of these worlds shows was wrong once.

use super::worlds::{restore, settled};
use super::*;
use crate::model::{Matcher, Reject, RejectReason, State, Test};
use crate::time::HOUR;

/// A record of `host` with the number `value` for metric `m` and label `d`.
fn disk(host: u32, d: &str, ts: Ms, value: f64) -> Decoded {
    let name = format!("h{host}");
    let labels = Labels::new([("host", name.as_str()), ("d", d)]);
    let series = vec![SeriesKey { name: Arc::from("m"), labels }];
    let id = 100 + host * 50 + u32::from(d.as_bytes()[0] % 50);
    let shape = Shape { id, generation: 0, host: Arc::from(name.as_str()), series };
    Decoded { shape: Some(Arc::new(shape)), ..number(host, ts, value) }
}

/// A record of which nothing is used but that it came.
fn word(host: u32, ts: Ms) -> Decoded {
    Decoded { shape: None, values: Vec::new(), ..number(host, ts, 0.0) }
}

fn rejected(host: u32) -> Decoded {
    Decoded { kind: Kind::Rejected, host: Arc::from(format!("h{host}")), ..Decoded::default() }
}

fn oom(limit: f64) -> Rule {
    let watch = Watch::Log { matchers: Vec::new(), pattern: None };
    Rule { watch, ..rule("oom", Function::Count, Comparison::AtLeast, limit) }
}

#[test]
fn lines_are_counted_again_after_their_series_was_swept_out() {
    let mut set = (*setup(vec![Rule { forget: HOUR, ..oom(1.0) }], false)).clone();
    set.limits.series = 2;
    let mut p = start(&Arc::new(set));
    let late = BEGIN + 3 * HOUR;
    let records = [
        (BEGIN, lines("h1", BEGIN, &["a"])),
        (BEGIN + 1, number(2, BEGIN, 1.0)),
        (late, number(2, late, 1.0)),
        // A third series: room is made for it, and what h1 had is given to it.
        (late + 1, number(3, late, 1.0)),
        (late + 10_000, number(2, late + 10_000, 1.0)),
        (late + 4 * HOUR, number(2, late + 4 * HOUR, 1.0)),
        (late + 4 * HOUR + 1, lines("h1", late + 4 * HOUR, &["b"])),
    ];
    let (signals, _) = feed(&mut p, &records);
    let told = show(&signals);
    assert_eq!(told.last().map(String::as_str), Some("25200001 oom inactive>firing S2"), "{told:?}");
}

#[test]
fn series_that_makes_room_for_another_of_its_record_does_not_lend_it_its_values() {
    let mut set = (*setup(vec![rule("hot", Function::Last, Comparison::Above, 5.0)], false)).clone();
    set.limits.series = 2;
    let mut p = start(&Arc::new(set));
    let of = |host: u32, id: u32, names: &[&str], at: Ms, values: &[f64]| {
        let record = number(host, at, 0.0);
        let series = names.iter().map(|name| key(name, &record.host)).collect();
        let shape = Shape { id, generation: 0, host: Arc::clone(&record.host), series };
        (at, Decoded { shape: Some(Arc::new(shape)), values: values.to_vec(), ..record })
    };
    let late = BEGIN + 2 * HOUR;
    let records = [
        of(1, 1, &["x"], BEGIN, &[99.0]),
        of(2, 2, &["x"], BEGIN, &[99.0]),
        of(1, 3, &["x", "m"], late, &[99.0, 1.0]),
        of(3, 4, &["m"], late + 1, &[1.0]),
        of(1, 3, &["x", "m"], late + 2, &[99.0, 1.0]),
        (late + 2_000, pulse()),
    ];
    let (signals, _) = feed(&mut p, &records);
    assert!(!show(&signals).iter().any(|line| line.contains("firing")), "{:?}", show(&signals));
}

#[test]
fn lines_that_the_limit_of_series_keeps_out_are_told_and_tried_again() {
    let mut set = (*setup(vec![Rule { forget: HOUR, ..oom(1.0) }], true)).clone();
    set.limits.series = 1;
    let mut p = start(&Arc::new(set));
    let mut records = vec![(BEGIN, lines("h1", BEGIN, &["a"])), (BEGIN + 1, lines("h2", BEGIN, &["a"]))];
    records.extend((1..150).map(|n| (BEGIN + n * MINUTE, lines("h2", BEGIN + n * MINUTE, &["a"]))));
    let (signals, _) = feed(&mut p, &records);
    let told = show(&signals);
    assert!(told.iter().any(|line| line.ends_with("limit inactive>firing S3")), "{told:?}");
    assert!(signals.iter().any(|signal| signal.labels.get("host") == Some("h2")), "{told:?}");
}

#[test]
fn skew_that_is_being_learnt_anew_after_a_clock_break_stays_told() {
    let mut p = start(&setup(Vec::new(), true));
    let mut records: Vec<(Ms, Decoded)> =
        (0..5).map(|n| (BEGIN + n * 10_000, number(1, BEGIN + n * 10_000 - HOUR, 9.0))).collect();
    let back = BEGIN - 10 * MINUTE;
    records.push((back, pulse()));
    records.push((back + 25_000, pulse()));
    records.push((back + 26_000, number(1, back + 26_000 - HOUR, 9.0)));
    records.push((back + 60_000, pulse()));
    let (signals, _) = feed(&mut p, &records);
    let told: Vec<String> = show(&signals).into_iter().filter(|line| line.contains("source-skew")).collect();
    assert_eq!(told, ["0 source-skew inactive>firing S3"]);
}

#[test]
fn skew_that_a_clock_break_has_mended_is_told_once_its_source_speaks_again() {
    let mut p = start(&setup(Vec::new(), true));
    // The log's clock runs an hour ahead, and the only source seems to be behind.
    let mut records: Vec<(Ms, Decoded)> =
        (0..3).map(|n| (BEGIN + n * 10_000, number(1, BEGIN + n * 10_000 - HOUR, 9.0))).collect();
    let back = BEGIN - HOUR + 30_000;
    records.extend([0, 25_000, 50_000, 75_000].map(|after| (back + after, pulse())));
    records.push((back + 80_000, number(1, back + 80_000, 9.0)));
    records.push((back + 100_000, pulse()));
    let (signals, _) = feed(&mut p, &records);
    let told: Vec<String> = show(&signals).into_iter().filter(|line| line.contains("source-skew")).collect();
    let end = format!("{} source-skew firing>resolved S3", back + 80_000 - BEGIN);
    assert_eq!(told, ["0 source-skew inactive>firing S3".to_owned(), end]);
}

#[test]
fn skew_of_hours_ago_is_not_told_of_a_source_whose_records_are_rejected() {
    let mut p = start(&setup(Vec::new(), true));
    // All of them are off alike: it is the log's clock, and none of them is told of.
    let behind = |n, at| (at, number(n, at - HOUR, 9.0));
    let mut records: Vec<(Ms, Decoded)> = (1..4).map(|n| behind(n, BEGIN + 1_000)).collect();
    let back = BEGIN + 2 * HOUR;
    records.extend([(BEGIN + 20_000, pulse()), (back, rejected(1)), (back + 30_000, pulse())]);
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(signals.iter().filter(|signal| &*signal.rule == "source-skew").count(), 0, "{:?}", show(&signals));
    assert_eq!(signals.iter().filter(|signal| &*signal.rule == "log-skew").count(), 2, "{:?}", show(&signals));
}

#[test]
fn newest_sample_of_a_segment_that_was_left_does_not_hide_silence() {
    let hot = Rule {
        over: HOUR,
        no_data: NoData { after: 10 * MINUTE, then: Then::Raise(Severity::S3) },
        ..rule("hot", Function::Avg, Comparison::Above, 50.0)
    };
    let mut p = start(&setup(vec![hot], false));
    let (back, late) = (30 * MINUTE, 5 * MINUTE);
    let mut records: Vec<(Ms, Decoded)> =
        (0..10).map(|n| BEGIN + n * 10_000).map(|at| (at, number(1, at, 1.0))).collect();
    // The clock falls back, and runs past where it was; samples come five minutes late.
    let again = (0..).map(|n| BEGIN - back + n * 10_000).take_while(|at| *at < BEGIN + 100_000 + 10_000);
    records.extend(again.map(|at| (at, number(1, at - late, 1.0))));
    let last = records.last().unwrap().1.ts;
    records.extend((1..200).map(|n| (BEGIN + 110_000 + n * 10_000, word(1, BEGIN + 110_000 + n * 10_000))));
    let (signals, _) = feed(&mut p, &records);
    let gone = last + 10 * MINUTE - BEGIN;
    assert_eq!(show(&signals), [format!("{gone} hot inactive>firing S3 series gone")]);
}

#[test]
fn reload_after_a_clock_break_does_not_hear_samples_of_the_segment_that_was_left() {
    let hot = Rule {
        no_data: NoData { after: 5 * MINUTE, then: Then::Raise(Severity::S3) },
        ..rule("hot", Function::Last, Comparison::Above, 50.0)
    };
    let setup = setup(vec![hot], false);
    let mut world = vec![(BEGIN, number(1, BEGIN, 1.0)), (BEGIN - 20 * MINUTE, word(1, BEGIN - 20 * MINUTE))];
    world.extend((1..60).map(|n| BEGIN - 20 * MINUTE + n * 10_000).map(|at| (at, word(1, at))));
    let (mut plain, mut again) = (start(&setup), start(&setup));
    feed(&mut plain, &world[..2]);
    feed(&mut again, &world[..2]);
    again.reload(Arc::clone(&setup), &mut Effects::default());
    let (want, got) = (feed(&mut plain, &world[2..]).0, feed(&mut again, &world[2..]).0);
    assert_eq!(show(&want), ["-900000 hot inactive>firing S3 series gone"]);
    assert_eq!(show(&got), show(&want));
}

#[test]
fn counter_that_is_reset_from_far_up_is_judged_the_same_unseen() {
    let limit = 0.12;
    let mut up = rule("up", Function::Increase, Comparison::AtLeast, limit);
    up.over = 5 * MINUTE;
    let setup = setup(vec![up], false);
    let mut values = vec![1e15, 0.0];
    values.extend((1..200).map(|n| f64::from(n.min(70)) * 0.001));
    let times = (0..).map(|n| BEGIN + n * 1_000);
    let world: Vec<(Ms, Decoded)> = times.zip(values).map(|(at, value)| (at, number(1, at, value))).collect();
    let (got, _) = feed(&mut start(&setup), &world);
    let mut plain = start(&setup);
    plain.plan.rules.iter_mut().for_each(|rule| rule.unguard());
    let (want, _) = feed(&mut plain, &world);
    assert_eq!(show(&got), show(&want));
}

#[test]
fn memory_of_series_that_nobody_watches_any_more_is_given_back() {
    let mut set =
        (*setup(vec![Rule { forget: HOUR, ..rule("hot", Function::Last, Comparison::Above, 5.0) }], false)).clone();
    set.limits.window_memory = 64;
    let mut p = start(&Arc::new(set));
    let late = BEGIN + 2 * HOUR;
    let records =
        [(BEGIN, number(1, BEGIN, 1.0)), (late, pulse()), (late + 1, number(2, late, 9.0)), (late + 2_000, pulse())];
    let (signals, _) = feed(&mut p, &records);
    let told = show(&signals);
    assert_eq!(told.last().map(String::as_str), Some("7201000 hot inactive>firing S2"), "{told:?}");
}

#[test]
fn count_that_is_known_by_its_row_alone_wakes_when_its_source_speaks_after_a_reload() {
    let setup = setup(vec![oom(1.0)], false);
    let gone = BEGIN + 3 * HOUR;
    let world = [
        (BEGIN, lines("h1", BEGIN, &["a"])),
        (gone, pulse()),
        (gone + 1_500, pulse()),
        (gone + 2_500, word(1, gone + 2_500)),
        (gone + HOUR / 2, pulse()),
        (gone + HOUR / 2 + 2_500, word(1, gone + HOUR / 2 + 2_500)),
        (gone + HOUR / 2 + 9_000, pulse()),
    ];
    let mut first = start(&setup);
    let (mut want, out) = feed(&mut first, &world[..2]);
    let mut rows = Rows::default();
    rows.take(&out.rows);
    let mut second = restore(&setup, &world, &stored(&first), &rows);
    let (_, before) = feed(&mut second, &world[2..3]);
    let mut out = Effects::default();
    second.reload(Arc::clone(&setup), &mut out);
    let mut got = want.clone();
    got.extend(before.signals);
    got.extend(out.signals);
    got.extend(feed(&mut second, &world[3..]).0);
    want.extend(feed(&mut first, &world[2..]).0);
    assert_eq!(show(&got), show(&want));
}

#[test]
fn series_without_samples_takes_no_part_so_that_a_restart_need_not_remember_it() {
    let mean = Rule { across: Some(Fold::Avg), forget: DAY, ..rule("mean", Function::Count, Comparison::Below, 3.0) };
    let gone = rule("gone", Function::Absent, Comparison::AtLeast, 1.0);
    let setup = setup(vec![mean, gone], false);
    let mut world = vec![(BEGIN, disk(1, "b", BEGIN, 1.0))];
    world.extend((0..1_200).map(|n| BEGIN + n * 10_000).map(|at| (at, disk(1, "a", at, 1.0))));
    let mut first = start(&setup);
    let (want, out) = feed(&mut first, &world[..1_000]);
    let mut rows = Rows::default();
    rows.take(&out.rows);
    let mut second = restore(&setup, &world, &stored(&first), &rows);
    let (live, restored) = (feed(&mut first, &world[1_000..]), feed(&mut second, &world[1_000..]));
    assert_eq!(show(&restored.0), show(&live.0));
    assert_eq!(show(&want), Vec::<String>::new(), "one of its series speaks: that is enough for both");
    let mut after = rows.clone();
    rows.take(&live.1.rows);
    after.take(&restored.1.rows);
    assert_eq!(settled(&after), settled(&rows));
}

#[test]
fn rule_that_may_not_watch_a_series_any_more_says_so_at_the_next_tick() {
    let hot = Rule { over: 10 * MINUTE, ..rule("hot", Function::Avg, Comparison::Above, 50.0) };
    let raise = NoData { after: 10 * MINUTE, then: Then::Raise(Severity::S3) };
    let mut set = (*setup(vec![Rule { no_data: raise, ..hot }], false)).clone();
    set.limits.series_per_rule = 1;
    let mut p = start(&Arc::new(set));
    let records = [
        (BEGIN, disk(1, "a", BEGIN, 1.0)),
        (BEGIN + 1_500, disk(1, "a", BEGIN + 1_500, 1.0)),
        (BEGIN + 2_500, disk(1, "b", BEGIN + 2_500, 1.0)),
        (BEGIN + 9_000, pulse()),
    ];
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(show(&signals), ["3000 hot inactive>inactive - limit"]);
}

#[test]
fn absence_ends_at_the_first_tick_that_has_a_sample() {
    let mut p = start(&setup(vec![rule("gone", Function::Absent, Comparison::AtLeast, 1.0)], false));
    let mut records = vec![(BEGIN, number(1, BEGIN, 1.0))];
    records.extend((1..20).map(|n| (BEGIN + n * MINUTE, word(1, BEGIN + n * MINUTE))));
    let back = BEGIN + 20 * MINUTE;
    records.extend((0..20).map(|n| (back + n * 10_000, number(1, back + n * 10_000, 1.0))));
    let (signals, _) = feed(&mut p, &records);
    assert_eq!(show(&signals), ["60000 gone inactive>firing S2", "1200000 gone firing>resolved S2"]);
}

#[test]
fn severity_that_was_taken_out_of_a_rule_begins_anew_when_it_comes_back() {
    let two = Rule {
        levels: vec![level(Severity::S1, 9.0, MINUTE), level(Severity::S2, 5.0, HOUR)],
        ..rule("hot", Function::Last, Comparison::Above, 5.0)
    };
    let one = Rule { levels: vec![level(Severity::S2, 5.0, HOUR)], ..two.clone() };
    let mut p = start(&setup(vec![two.clone()], false));
    let mut out = Effects::default();
    let numbers = |from: Ms, value: f64| {
        (0..30).map(move |n| BEGIN + from + n * 2_000).map(move |at| (at, number(1, at, value))).collect::<Vec<_>>()
    };
    let (signals, _) = feed(&mut p, &numbers(0, 9.5)[..20]);
    assert_eq!(show(&signals), ["0 hot inactive>pending -"]);
    p.reload(setup(vec![one], false), &mut out);
    let (signals, _) = feed(&mut p, &numbers(60_000, 6.0));
    assert_eq!(show(&signals), Vec::<String>::new());
    p.reload(setup(vec![two], false), &mut out);
    let (signals, _) = feed(&mut p, &numbers(120_000, 9.5)[..20]);
    assert_eq!(show(&signals), Vec::<String>::new(), "its minute has only begun");
}

#[test]
fn series_that_a_rule_may_not_watch_is_tried_again_after_everybody_was_silent() {
    let hot = Rule { forget: HOUR, ..rule("hot", Function::Last, Comparison::Above, 5.0) };
    let mut set = (*setup(vec![hot], true)).clone();
    set.limits.series_per_rule = 1;
    let mut p = start(&Arc::new(set));
    let late = BEGIN + 3 * HOUR;
    let records = [
        (BEGIN, number(1, BEGIN, 1.0)),
        (BEGIN + 1, number(2, BEGIN, 9.0)),
        (BEGIN + 2 * DAY, pulse()),
        (BEGIN + 2 * DAY + late, number(2, BEGIN + 2 * DAY + late, 9.0)),
        (BEGIN + 2 * DAY + late + 2_000, pulse()),
    ];
    let (signals, _) = feed(&mut p, &records);
    let told = show(&signals);
    assert!(told.iter().any(|line| line.contains("hot inactive>firing S2")), "{told:?}");
}

#[test]
fn parse_error_is_seen_when_it_begins_and_its_row_is_that_of_a_restart() {
    let low = Rule {
        no_data: NoData { after: 2 * MINUTE, then: Then::Hold },
        ..rule("low", Function::Last, Comparison::Above, 5.0)
    };
    let setup = setup(vec![low], false);
    let mut world = vec![(BEGIN, number(1, BEGIN, 1.0))];
    world.extend((1..20).map(|n| BEGIN + n * 10_000).map(|at| (at, word(1, at))));
    let reject = Reject { reason: RejectReason::BadPoint, place: String::new(), detail: String::new() };
    let refused = Decoded { rejects: vec![reject], ..rejected(1) };
    world.push((BEGIN + 200_500, refused));
    world.push((BEGIN + 203_000, pulse()));
    let (_, out) = feed(&mut start(&setup), &world);
    let mut rows = Rows::default();
    rows.take(&out.rows);
    let cause = rows.0.values().next().and_then(|row| row.unknown);
    assert_eq!(cause, Some(crate::model::Cause::ParseError));
}

#[test]
fn window_of_a_new_series_is_never_warming() {
    let setup = setup(vec![Rule { over: HOUR, ..rule("hot", Function::Max, Comparison::Above, 5.0) }], false);
    let warm = Warm { low: 10, first_append: Some(BEGIN - MINUTE) };
    let progress = Progress { offset: 12, clock: BEGIN, ..Progress::default() };
    let mut p = Partition::start(Arc::clone(&setup), 0, Some(&progress), Vec::new(), warm);
    let mut out = Effects::default();
    p.apply(11, BEGIN, &number(1, BEGIN, 1.0), &mut out);
    p.apply(12, BEGIN + 1_000, &number(2, BEGIN + 1_000, 9.0), &mut out);
    p.apply(13, BEGIN + 3_000, &pulse(), &mut out);
    assert_eq!(show(&out.signals), ["0 hot inactive>inactive - warming", "1000 hot inactive>firing S2"]);
}

#[test]
fn reload_does_not_bring_back_what_was_forgotten() {
    let lines_seen = Rule { watch: Watch::Log { matchers: Vec::new(), pattern: Some("OOM".to_owned()) }, ..oom(1.0) };
    let raise = NoData { after: 5 * MINUTE, then: Then::Raise(Severity::S3) };
    let setup = setup(vec![Rule { forget: HOUR, no_data: raise, ..lines_seen }], false);
    let mut p = start(&setup);
    feed(&mut p, &[(BEGIN, lines("h1", BEGIN, &["fine"])), (BEGIN + 2 * HOUR, pulse())]);
    let mut out = Effects::default();
    p.reload(Arc::clone(&setup), &mut out);
    p.close(BEGIN + 3 * HOUR, &mut out);
    assert_eq!(show(&out.signals), Vec::<String>::new());
}

#[test]
fn clock_that_jumps_ahead_ends_nothing_that_goes_on() {
    let mut p = start(&setup(vec![rule("hot", Function::Last, Comparison::Above, 5.0)], false));
    let ahead = 3 * HOUR;
    let mut world: Vec<_> = (0..30).map(|n| BEGIN + n * 10_000).map(|at| (at, number(1, at, 9.0))).collect();
    // For half an hour the log's clock alone is wrong, and then right again.
    world.extend((30..210).map(|n| BEGIN + n * 10_000).map(|at| (at + ahead, number(1, at, 9.0))));
    world.extend((210..240).map(|n| BEGIN + n * 10_000).map(|at| (at, number(1, at, 9.0))));
    let (signals, _) = feed(&mut p, &world);
    let told = show(&signals);
    assert_eq!(
        told.iter().filter(|line| line.contains("hot")).count(),
        3,
        "fires, is in doubt, is known again: {told:?}"
    );
    assert!(told.iter().all(|line| !line.contains("resolved")), "{told:?}");
}

#[test]
fn what_stays_in_doubt_for_an_hour_while_its_host_speaks_is_gone() {
    let mut p = start(&setup(vec![rule("hot", Function::Last, Comparison::Above, 5.0)], false));
    let mut world = vec![(BEGIN, number(1, BEGIN, 9.0))];
    world.extend((1..400).map(|n| BEGIN + n * 10_000).map(|at| (at, word(1, at))));
    let (signals, _) = feed(&mut p, &world);
    let ends: Vec<Ms> = signals.iter().filter(|it| it.to == State::Resolved).map(|it| it.at - BEGIN).collect();
    assert_eq!(ends, [HOUR]);
}

#[test]
fn what_is_healthy_when_its_host_comes_back_late_is_forgotten_at_once() {
    let app = Matcher { label: "app".to_owned(), test: Test::Is, value: "a1".to_owned() };
    let watch = Watch::Log { matchers: vec![app], pattern: None };
    let setup = setup(vec![Rule { watch, ..oom(5.0) }], false);
    let said =
        |at, app| (at, Decoded { labels: lines("h1", at, &[]).labels.with("app", app), ..lines("h1", at, &["x"]) });
    let back = BEGIN + 2 * HOUR;
    let world = [said(BEGIN, "a1"), said(back, "a2"), (back + 10_000, pulse()), (back + 3 * HOUR, pulse())];
    let kept = |world: &[(Ms, Decoded)]| {
        let (signals, out) = feed(&mut start(&setup), world);
        let mut rows = Rows::default();
        rows.take(&out.rows);
        (show(&signals), rows.0.len())
    };
    // Were it kept, a look at any later tick would forget it: when somebody happens to look would decide.
    let told = ["300000 oom inactive>inactive - source silent", "7200000 oom inactive>inactive -"].map(String::from);
    assert_eq!(kept(&world[..3]), (told.to_vec(), 0));
    assert_eq!(kept(&world), (told.to_vec(), 0));
}
