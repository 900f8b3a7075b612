//! What a reload leaves alone: windows, `for` and states of every rule that did not change.

use super::*;

/// Ten minutes of one host: bad from the third minute on, with a calm minute in between.
fn records() -> Vec<(Ms, Decoded)> {
    let at = |n: Ms| BEGIN + n * 10 * SECOND;
    let value = |n: Ms| if n < 18 || (30..36).contains(&n) { 1.0 } else { 9.0 };
    (0..60).map(|n| (at(n), number(1, at(n), value(n)))).collect()
}

fn steady() -> Vec<Rule> {
    let avg = rule("avg", Function::Avg, Comparison::Above, 5.0);
    let slow = rule("slow", Function::Last, Comparison::Above, 5.0);
    vec![
        Rule { levels: vec![level(Severity::S2, 5.0, 90 * SECOND)], over: 3 * MINUTE, ..avg },
        Rule {
            levels: vec![level(Severity::S1, 5.0, 2 * MINUTE)],
            recover: Recover { threshold: None, hold: MINUTE },
            ..slow
        },
    ]
}

/// Signals of the rules that stay, with another rule put in before record `at` and taken out again after 5 more.
fn run(at: Option<usize>) -> Vec<String> {
    let other = || {
        let other = rule("other", Function::Max, Comparison::Above, 5.0);
        Rule { over: 2 * MINUTE, ..other }
    };
    let mut p = start(&setup(steady(), false));
    let mut out = Effects::default();
    for (n, (append, record)) in records().iter().enumerate() {
        if at == Some(n) {
            p.reload(setup(steady().into_iter().chain([other()]).collect(), false), &mut out);
        }
        if at.map(|at| at + 5) == Some(n) {
            p.reload(setup(steady(), false), &mut out);
        }
        p.apply(n as i64, *append, record, &mut out);
    }
    p.close(BEGIN + 11 * MINUTE, &mut out);
    show(&out.signals).into_iter().filter(|line| !line.contains(" other ")).collect()
}

#[test]
fn rules_that_did_not_change_lose_nothing_whenever_another_one_comes_or_goes() {
    let want = run(None);
    assert!(want.iter().filter(|line| line.contains(">firing")).count() == 2, "{want:?}");
    for at in 0..60 {
        assert_eq!(run(Some(at)), want, "before record {at}");
    }
}

#[test]
fn a_raised_for_keeps_a_firing_rule_firing_and_a_lowered_value_counts_from_then_on() {
    let hot = |limit: f64, hold: Ms| Rule {
        levels: vec![level(Severity::S2, limit, hold)],
        ..rule("hot", Function::Last, Comparison::Above, limit)
    };
    let mut p = start(&setup(vec![hot(5.0, 10 * SECOND)], false));
    let mut out = Effects::default();
    for n in 0..4 {
        p.apply(n, BEGIN + n * 10 * SECOND, &number(1, BEGIN + n * 10 * SECOND, 9.0), &mut out);
    }
    p.reload(setup(vec![hot(5.0, DAY)], false), &mut out);
    p.apply(4, BEGIN + 40 * SECOND, &number(1, BEGIN + 40 * SECOND, 9.0), &mut out);
    p.reload(setup(vec![hot(20.0, DAY)], false), &mut out);
    p.apply(5, BEGIN + 50 * SECOND, &number(1, BEGIN + 50 * SECOND, 9.0), &mut out);
    p.close(BEGIN + MINUTE, &mut out);
    let told: Vec<String> = show(&out.signals).into_iter().filter(|line| !line.contains(">pending")).collect();
    // The raised value is not reached any more, so it ends with the first tick after it.
    assert_eq!(told[0], "10000 hot pending>firing S2");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].contains("hot firing>resolved"), "{told:?}");
    let at: Ms = told[1].split(' ').next().and_then(|at| at.parse().ok()).unwrap();
    assert!((40 * SECOND..=50 * SECOND).contains(&at), "{told:?}");
}
