//! Who is expected by the inventory: named where it never spoke, and known the moment it does.

use super::worlds::{differs, merged_in, run_wide};
use super::*;
use crate::evaluate::Wide;
use crate::model::{Matcher, Resource, Test};

/// `h0` to `h2` and a load balancer; databases are expected to speak.
fn site(then: Then) -> Arc<Setup> {
    let matchers = vec![Matcher { label: "class".to_owned(), test: Test::Is, value: "db".to_owned() }];
    let watch = Watch::Metric { name: "m".to_owned(), matchers };
    let no_data = NoData { after: 2 * MINUTE, then };
    let hot = rule("hot", Function::Last, Comparison::Above, 8.0);
    let mut set = (*setup(vec![Rule { watch, no_data, expected: true, ..hot }], false)).clone();
    set.inventory = Arc::new(inventory(&[("h0", "db"), ("h1", "db"), ("h2", "db"), ("lb", "lb")]));
    Arc::new(set)
}

fn inventory(all: &[(&str, &str)]) -> Inventory {
    let resource = |(id, class): &(&str, &str)| {
        ((*id).to_owned(), Resource { id: (*id).to_owned(), class: Some((*class).to_owned()), ..Resource::default() })
    };
    Inventory { resources: all.iter().map(resource).collect() }
}

/// `h0` speaks all the time, `h1` from the fifth minute on, `h2` never.
fn world() -> Vec<(Ms, Decoded)> {
    let mut world = Vec::new();
    for n in 0..60_i64 {
        let at = BEGIN + n * 10_000;
        world.push((at, number(0, at, 1.0)));
        if n >= 30 {
            world.push((at + 1, number(1, at, 9.0)));
        }
    }
    world
}

fn named(signals: &[Signal]) -> Vec<String> {
    let host = |signal: &Signal| signal.labels.get("host").unwrap_or_default().to_owned();
    show(signals).into_iter().zip(signals).map(|(line, signal)| format!("{line} {}", host(signal))).collect()
}

#[test]
fn who_never_spoke_is_named_whatever_the_partitions_and_the_crashes() {
    let setup = site(Then::Hold);
    let one = merged_in(&setup, &world(), 1);
    let told = named(&one);
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].ends_with("hot inactive>inactive - source silent h1"), "{told:?}");
    assert!(told[1].ends_with("hot inactive>inactive - source silent h2"), "{told:?}");
    let silent = one[0].at - BEGIN;
    assert!((2 * MINUTE..=2 * MINUTE + 11_000).contains(&silent), "{told:?}");
    assert!(told[2..].iter().any(|line| line.ends_with("hot inactive>firing S2 h1")), "{told:?}");
    assert_eq!(differs(&merged_in(&setup, &world(), 7), &one), None);
    let want = run_wide(&setup, &world(), &[]);
    for crash in [3, 9, 14, 31, 50] {
        let got = run_wide(&setup, &world(), &[crash]);
        assert_eq!(differs(&got, &want), None, "a crash before record {crash}");
    }
}

#[test]
fn who_never_spoke_does_what_the_rule_says_of_silence() {
    let signals = merged_in(&site(Then::Raise(Severity::S3)), &world(), 1);
    let raised: Vec<&Signal> = signals.iter().filter(|signal| signal.severity == Some(Severity::S3)).collect();
    assert!(
        raised.iter().any(|signal| signal.labels.get("host") == Some("h2") && signal.acted),
        "{:?}",
        named(&signals)
    );
}

#[test]
fn who_left_the_inventory_is_forgotten() {
    let setup = site(Then::Raise(Severity::S3));
    let mut p = start(&setup);
    let mut wide = Wide::start(Arc::clone(&setup), None, Vec::new());
    let (mut part, mut out) = (Effects::default(), Effects::default());
    let mut go = |wide: &mut Wide, offset: i64, at: Ms, out: &mut Effects| {
        part.clear();
        p.apply(offset, at, &number(0, at, 1.0), &mut part);
        part.leaves.drain(..).for_each(|leaf| wide.offer(0, leaf));
        wide.advance([(0, p.progress().clock)].into_iter(), out);
    };
    for n in 0..30 {
        go(&mut wide, n, BEGIN + n * 10_000, &mut out);
    }
    let mut less = (*setup).clone();
    less.inventory = Arc::new(inventory(&[("h0", "db"), ("h1", "db")]));
    out.clear();
    wide.reload(Arc::new(less), &mut out);
    for n in 0..8_700 {
        go(&mut wide, 30 + n, BEGIN + (30 + n) * 10_000, &mut out);
    }
    assert_eq!(
        named(&out.signals)
            .iter()
            .filter(|line| line.ends_with("resolved S3 source silent gone h2") || line.ends_with("resolved S3 gone h2"))
            .count(),
        1,
        "{:?}",
        named(&out.signals)
    );
}
