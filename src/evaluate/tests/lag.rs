//! Wide rules while a partition is not at hand.

use super::*;
use crate::evaluate::Wide;
use crate::model::PIPELINE_LAG;

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

    /// Each partition at hand gets a number of its own host at `at`.
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
fn a_missing_partition_makes_wide_rules_unknown_and_names_them_until_it_is_back() {
    let mut world = World::new();
    for second in 0..5 {
        world.feed(second * 1_000 + 1, 9.0, 2);
    }
    let firing = "1000 total inactive>firing S2";
    assert_eq!(show(&world.signals), [firing]);
    for second in 5..9 {
        world.feed(second * 1_000 + 1, 0.0, 1);
    }
    let lag = ["4000 pipeline-lag inactive>firing S3", "4000 total firing>firing S2 pipeline lag"];
    assert_eq!(show(&world.signals)[1..], lag, "told once, and the verdict stands");
    let alarm = world.rows.0.values().find(|row| *row.rule == *PIPELINE_LAG.id).unwrap();
    assert_eq!(alarm.labels.get("rules"), Some("total"));
    for second in 9..12 {
        world.feed(second * 1_000 + 1, 9.0, 2);
    }
    let back = ["pipeline-lag firing>resolved S3", "total firing>firing S2"];
    let told = show(&world.signals)[3..].to_vec();
    assert!(told.len() == 2 && back.iter().zip(&told).all(|(want, got)| got.ends_with(want)), "{told:?}");
    assert!(world.rows.0.values().all(|row| *row.rule != *PIPELINE_LAG.id));
}

#[test]
fn whoever_never_has_all_partitions_says_so_after_a_minute() {
    let mut world = World::new();
    for second in 0..5 {
        world.feed(second * 1_000 + 1, 9.0, 2);
    }
    let rows: Vec<StateRow> = world.rows.0.values().cloned().collect();
    let progress = world.wide.progress();
    world.wide = Wide::start(total(), Some(&progress), rows);
    world.wide.offer(0, crate::evaluate::LeafTick::live());
    for second in 5..90 {
        world.feed(second * 1_000 + 1, 9.0, 1);
    }
    let told: Vec<String> =
        show(&world.signals)[1..].iter().map(|line| line[line.find(' ').unwrap() + 1..].to_owned()).collect();
    assert_eq!(told, ["pipeline-lag inactive>firing S3", "total firing>firing S2 pipeline lag"]);
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
