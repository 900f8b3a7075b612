//! Wide rules that go to others, and rows of those that are gone.

use super::*;
use crate::evaluate::Wide;

struct World {
    parts: Vec<Partition>,
    wide: Wide,
    offset: i64,
    signals: Vec<Signal>,
    rows: Rows,
}

fn total() -> Arc<Setup> {
    let rule = Rule { by: Some(Vec::new()), ..rule("total", Function::Sum, Comparison::Above, 10.0) };
    let mut set = (*setup(vec![rule], false)).clone();
    set.partitions = 2;
    Arc::new(set)
}

impl World {
    fn new() -> Self {
        let setup = total();
        let start = |n| Partition::start(Arc::clone(&setup), n, None, Vec::new(), Warm::default());
        let wide = Wide::start(Arc::clone(&setup), None, Vec::new());
        Self { parts: vec![start(0), start(1)], wide, offset: 0, signals: Vec::new(), rows: Rows::default() }
    }

    /// Each of the first `hand` partitions gets a number of its own host at `at`.
    fn feed(&mut self, at: Ms, value: f64, hand: usize) {
        let (mut part, mut out) = (Effects::default(), Effects::default());
        for n in 0..hand {
            self.parts[n].apply(self.offset, BEGIN + at, &number(n as u32, BEGIN + at, value), &mut part);
            part.leaves.drain(..).for_each(|leaf| self.wide.offer(n as i32, leaf));
        }
        let clocks = self.parts[..hand].iter().enumerate().map(|(n, part)| (n as i32, part.progress().clock));
        self.wide.advance(clocks, &mut out);
        self.signals.append(&mut out.signals);
        self.rows.take(&out.rows);
        self.offset += 1;
    }
}

#[test]
fn what_is_given_up_is_unknown_until_somebody_has_all_partitions_again() {
    let mut world = World::new();
    for second in 0..5 {
        world.feed(second * 1_000 + 1, 9.0, 2);
    }
    assert_eq!(show(&world.signals), ["1000 total inactive>firing S2"]);
    let mut out = Effects::default();
    world.wide.lag(&mut out);
    assert_eq!(show(&out.signals), ["4000 total firing>firing S2 pipeline lag"], "the verdict stands");
    world.rows.take(&out.rows);
    let (progress, rows) = (world.wide.progress(), world.rows.0.values().cloned().collect());
    world.wide = Wide::start(total(), Some(&progress), rows);
    for n in 0..2 {
        world.wide.offer(n, crate::evaluate::LeafTick::live());
    }
    for second in 9..12 {
        world.feed(second * 1_000 + 1, 9.0, 2);
    }
    let told = show(&world.signals)[1..].to_vec();
    assert!(told.len() == 1 && told[0].ends_with("total firing>firing S2"), "{told:?}");
}

#[test]
fn a_row_of_a_wide_rule_that_is_gone_ends_though_there_is_no_other() {
    let mut world = World::new();
    for second in 0..5 {
        world.feed(second * 1_000 + 1, 9.0, 2);
    }
    let rows: Vec<StateRow> = world.rows.0.values().cloned().collect();
    let progress = world.wide.progress();
    let mut none = (*setup(Vec::new(), false)).clone();
    none.partitions = 1;
    let mut wide = Wide::start(Arc::new(none), Some(&progress), rows);
    wide.offer(0, crate::evaluate::LeafTick::live());
    let mut out = Effects::default();
    for second in 60..63 {
        wide.advance([(0, BEGIN + second * 1_000)].into_iter(), &mut out);
    }
    assert_eq!(show(&out.signals).len(), 1);
    assert!(show(&out.signals)[0].ends_with("total firing>resolved S2 rule_changed"));
    assert!(wide.progress().offset > progress.offset, "a place of its own, so that it is written once");
}
