//! Rules of more than one part, and of more than one set of numbers: ratios, conditions, overrides.

use proptest::prelude::*;

use super::worlds::{differs, merged, restore};
use super::*;
use crate::evaluate::expression;
use crate::model::{Condition, Matcher, Override, Resource, Selector, State, Test};

fn fits(label: &str, test: Test, value: &str) -> Matcher {
    Matcher { label: label.to_owned(), test, value: value.to_owned() }
}

fn select(name: &str, matchers: Vec<Matcher>) -> Selector {
    Selector { name: name.to_owned(), matchers }
}

/// Requests by code, of one service on one host.
fn requests(host: u32, ts: Ms, (good, bad): (f64, Option<f64>)) -> Decoded {
    let name = format!("h{host}");
    let of = |code: &str| SeriesKey {
        name: Arc::from("requests"),
        labels: Labels::new([("host", name.as_str()), ("code", code), ("service", "pay")]),
    };
    let mut series = vec![of("200")];
    let mut values = vec![good];
    if let Some(bad) = bad {
        series.push(of("503"));
        values.push(bad);
    }
    let id = 40 + 2 * host + u32::from(bad.is_some());
    let shape = Shape { id, generation: 0, host: Arc::from(name.as_str()), series };
    Decoded { shape: Some(Arc::new(shape)), values, ..number(host, ts, 0.0) }
}

fn errors(by: &str, min: f64) -> Rule {
    let watch = Watch::Ratio {
        of: select("requests", vec![fits("code", Test::Fits, "5..")]),
        to: select("requests", Vec::new()),
        min,
    };
    let by = Some(vec![by.to_owned()]);
    Rule { watch, by, ..rule("errors", Function::Rate, Comparison::Above, 0.05) }
}

/// 10 requests a second on each of three hosts; of the second one in ten fails from 3 to 6 min on.
fn busy() -> Vec<(Ms, Decoded)> {
    let mut bad = 0.0;
    let mut world = Vec::new();
    for n in 0..90_i64 {
        let at = BEGIN + n * 10_000;
        if (18..36).contains(&n) {
            bad += 10.0;
        }
        for host in 0..3 {
            let failed = (host == 1 && n >= 10).then_some(bad);
            world.push((at + i64::from(host), requests(host, at, (n as f64 * 100.0, failed))));
        }
    }
    world
}

#[test]
fn a_ratio_is_of_what_each_side_is_folded_to() {
    let mut p = start(&setup(vec![errors("host", 1.0)], false));
    let (signals, out) = feed(&mut p, &busy());
    let told = show(&signals);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(signals[0].labels.get("host"), Some("h1"));
    let value = signals[0].value.unwrap();
    assert!((0.05..0.1).contains(&value), "{value}");
    assert_eq!(signals[1].to, State::Resolved);
    assert!(out.counters.thin == 0 && out.counters.visited > 0);
}

#[test]
fn a_denominator_that_is_too_small_says_nothing_and_is_counted() {
    let mut p = start(&setup(vec![errors("host", 50.0)], false));
    let (signals, out) = feed(&mut p, &busy());
    let told: Vec<String> = show(&signals).into_iter().filter(|line| !line.contains("too few samples")).collect();
    assert_eq!(told, Vec::<String>::new());
    assert!(out.counters.thin > 50, "{:?}", out.counters);
}

#[test]
fn a_wide_ratio_does_not_see_how_many_partitions_there_are() {
    // A service of three hosts: a thirtieth of all fails at most.
    let mut rule = errors("service", 1.0);
    rule.levels = vec![level(Severity::S2, 0.02, 5_000)];
    let world = busy();
    let one = merged(&[rule.clone()], &world, 1);
    assert_eq!(one.iter().filter(|signal| signal.to == State::Firing).count(), 1, "{:?}", show(&one));
    assert_eq!(one[0].labels, Labels::new([("service", "pay")]));
    assert_eq!(differs(&merged(&[rule], &world, 7), &one), None);
}

/// Two metrics of one host.
fn pair(host: u32, ts: Ms, m: Option<f64>, n: Option<f64>) -> Decoded {
    let name = format!("h{host}");
    let both = [("m", m), ("n", n)].into_iter().filter_map(|(metric, value)| Some((key(metric, &name), value?)));
    let (series, values): (Vec<SeriesKey>, Vec<f64>) = both.unzip();
    let id = 60 + 4 * host + 2 * u32::from(m.is_some()) + u32::from(n.is_some());
    let shape = Shape { id, generation: 0, host: Arc::from(name.as_str()), series };
    Decoded { shape: Some(Arc::new(shape)), values, ..number(host, ts, 0.0) }
}

/// `m` above 5 with `n` below 3; at S1 above 9 with below 1.
fn both(join: Join) -> Rule {
    let condition = Condition {
        what: select("n", Vec::new()),
        function: Function::Last,
        over: MINUTE,
        step: None,
        across: None,
        when: Comparison::Below,
        thresholds: [Some(Threshold::One(1.0)), Some(Threshold::One(3.0)), None, None],
    };
    let levels = vec![level(Severity::S1, 9.0, 0), level(Severity::S2, 5.0, 0)];
    Rule { also: vec![condition], join, levels, ..rule("both", Function::Last, Comparison::Above, 5.0) }
}

#[test]
fn all_of_several_conditions_must_hold_at_a_severity_or_one_of_any() {
    let steps = [(1.0, 9.0), (6.0, 9.0), (6.0, 2.0), (9.5, 2.0), (9.5, 0.5), (6.0, 0.5), (1.0, 0.5), (1.0, 9.0)];
    let world: Vec<(Ms, Decoded)> = (0..)
        .zip(steps)
        .map(|(n, (m, o))| (BEGIN + n * 10_000, pair(1, BEGIN + n * 10_000, Some(m), Some(o))))
        .chain([(BEGIN + 81_000, pulse())])
        .collect();
    let run = |join| {
        let (signals, _) = feed(&mut start(&setup(vec![both(join)], false)), &world);
        assert!(signals.iter().all(|signal| signal.value.is_some()), "the first condition's value is shown");
        show(&signals)
    };
    let all = [
        "20000 both inactive>firing S2",
        "40000 both firing>firing S1",
        "50000 both firing>firing S2",
        "60000 both firing>resolved S2",
    ];
    assert_eq!(run(Join::All), all);
    let any = ["10000 both inactive>firing S2", "30000 both firing>firing S1", "70000 both firing>resolved S1"];
    assert_eq!(run(Join::Any), any);
}

#[test]
fn a_condition_without_a_value_decides_nothing_unless_the_other_one_does() {
    let at = |n: i64| BEGIN + n * 10_000;
    let world = [
        (at(0), pair(1, at(0), Some(9.5), None)),
        (at(1), pair(1, at(1), Some(9.5), Some(2.0))),
        // From here on `n` is silent; a minute later its window is empty, and what was said stands.
        (at(9), pair(1, at(9), Some(9.5), None)),
        (at(10), pair(1, at(10), Some(1.0), None)),
        (at(11), pulse()),
    ];
    let (signals, _) = feed(&mut start(&setup(vec![both(Join::All)], false)), &world);
    assert_eq!(show(&signals), ["10000 both inactive>firing S2", "100000 both firing>resolved S2"]);
    let (signals, _) = feed(&mut start(&setup(vec![both(Join::Any)], false)), &world[..1]);
    assert_eq!(show(&signals), [""; 0]);
}

#[test]
fn what_a_rule_of_parts_is_in_promql() {
    assert_eq!(
        expression(&both(Join::All)),
        "max by (host) (last_over_time(m[1m])) > 5 and min by (host) (last_over_time(n[1m])) < 3"
    );
    assert_eq!(
        expression(&errors("service", 1.0)),
        "((sum by (service) (rate(requests{code=~\"5..\"}[1m])) or sum by (service) (rate(requests[1m])) * 0) \
         / (sum by (service) (rate(requests[1m])) >= 1)) > 0.05"
    );
}

fn important() -> Override {
    Override {
        matchers: vec![fits("class", Test::Is, "db")],
        levels: vec![level(Severity::S1, 5.0, 0)],
        recover: None,
        min_samples: None,
    }
}

/// `h0` is a database.
fn site(rules: Vec<Rule>) -> Arc<Setup> {
    let mut set = (*setup(rules, false)).clone();
    let db = Resource { id: "h0".to_owned(), class: Some("db".to_owned()), ..Resource::default() };
    set.inventory = Arc::new(Inventory { resources: BTreeMap::from([("h0".to_owned(), db)]) });
    Arc::new(set)
}

#[test]
fn the_first_override_that_fits_gives_the_numbers_and_changing_them_keeps_the_state() {
    let hot = rule("hot", Function::Last, Comparison::Above, 8.0);
    let other = Override { levels: vec![level(Severity::S4, 1.0, 0)], ..important() };
    let with = Rule { overrides: vec![important(), other], ..hot.clone() };
    let mut p = start(&site(vec![with.clone()]));
    let mut out = Effects::default();
    for host in 0..2 {
        p.apply(i64::from(host), BEGIN, &number(host, BEGIN, 6.0), &mut out);
    }
    p.close(BEGIN + 1_500, &mut out);
    assert_eq!(show(&out.signals), ["0 hot inactive>firing S1"]);
    assert_eq!(out.signals[0].labels.get("host"), Some("h0"));
    out.clear();
    let raised = Override { levels: vec![level(Severity::S1, 50.0, 0), level(Severity::S2, 5.5, 0)], ..important() };
    p.reload(site(vec![Rule { overrides: vec![raised], ..hot }]), &mut out);
    p.apply(2, BEGIN + 3_000, &number(0, BEGIN + 3_000, 6.0), &mut out);
    p.close(BEGIN + 5_000, &mut out);
    assert_eq!(show(&out.signals), ["2000 hot firing>firing S2"], "it did not begin anew");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]
    #[test]
    fn rules_of_parts_see_neither_crashes_nor_partitions_nor_more_visits(
        steps in prop::collection::vec(
            (0_i64..9_000, 0_u32..4, prop::option::weighted(0.8, 0_u32..12), prop::option::weighted(0.7, 0_u32..6)),
            100..250,
        ),
        crash in 10_usize..200,
    ) {
        let mut now = BEGIN;
        let mut world = Vec::new();
        for (gap, host, m, n) in steps {
            now += gap;
            world.push((now, pair(host, now, m.map(f64::from), n.map(f64::from))));
        }
        let share = Watch::Ratio { of: select("n", Vec::new()), to: select("m", Vec::new()), min: 2.0 };
        let share = Rule { watch: share, ..rule("share", Function::Avg, Comparison::Above, 0.6) };
        let rules: Vec<Rule> = [both(Join::All), both(Join::Any), share]
            .into_iter()
            .zip(["all", "any", "share"])
            .map(|(rule, id)| Rule { id: Arc::from(id), overrides: vec![important()], ..rule })
            .collect();
        let setup = site(rules.clone());
        let run = |crash: usize, busy: bool| {
            let mut p = start(&setup);
            let (mut rows, mut out, mut signals) = (Rows::default(), Effects::default(), Vec::new());
            for (offset, (append, record)) in world.iter().enumerate() {
                if offset == crash {
                    p = restore(&setup, &world, &stored(&p), &rows);
                }
                out.clear();
                while let Some(tick) = p.next_tick().filter(|tick| busy && tick < append) {
                    p.board.stir();
                    p.close(tick + 1, &mut out);
                }
                p.apply(offset as i64, *append, record, &mut out);
                signals.append(&mut out.signals);
                rows.take(&out.rows);
            }
            signals
        };
        let want = run(usize::MAX, false);
        prop_assert!(!want.is_empty());
        let (again, busy) = (run(crash, false), run(usize::MAX, true));
        prop_assert_eq!(differs(&again, &want), None);
        prop_assert_eq!(differs(&busy, &want), None);
        let wide: Vec<Rule> = rules.into_iter().map(|rule| Rule { by: Some(Vec::new()), ..rule }).collect();
        let (seven, one) = (merged(&wide, &world, 7), merged(&wide, &world, 1));
        prop_assert_eq!(differs(&seven, &one), None);
    }
}
