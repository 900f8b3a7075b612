//! Random worlds: a crash anywhere changes nothing, more visits change nothing, more partitions change nothing.

use proptest::prelude::*;

use super::*;
use crate::evaluate::{Wide, horizon};
use crate::model::Matcher;
use crate::time::HOUR;

/// One step of a world: how long after the last record, what, and how.
#[derive(Debug, Clone)]
enum Step {
    Number { host: u32, value: u32, late: Ms },
    Again,
    Lines { host: u32, text: &'static str },
    Rejected { host: u32 },
    Pulse,
    Pause(Ms),
    Break(Ms),
}

fn steps(breaks: bool) -> impl Strategy<Value = Vec<(Ms, Step)>> {
    let step = prop_oneof![
        60 => (0_u32..4, 0_u32..12, prop_oneof![4 => 0_i64..900, 1 => 0_i64..90_000])
            .prop_map(|(host, value, late)| Step::Number { host, value, late }),
        4 => Just(Step::Again),
        8 => (0_u32..4, prop_oneof![Just("OOM"), Just("fine")]).prop_map(|(host, text)| Step::Lines { host, text }),
        3 => (0_u32..4).prop_map(|host| Step::Rejected { host }),
        8 => Just(Step::Pulse),
        3 => (MINUTE..12 * MINUTE).prop_map(Step::Pause),
        u32::from(breaks) => (6_000_i64..10 * MINUTE).prop_map(Step::Break),
    ];
    prop::collection::vec((prop_oneof![1 => Just(0_i64), 9 => 0_i64..7_000], step), 150..350)
}

fn world(steps: &[(Ms, Step)]) -> Vec<(Ms, Decoded)> {
    let mut now = BEGIN;
    let mut world: Vec<(Ms, Decoded)> = Vec::new();
    for (gap, step) in steps {
        now += gap;
        let record = match step {
            Step::Number { host, value, late } => {
                Decoded { sent: Some(now), ..number(*host, now - late, f64::from(*value)) }
            }
            Step::Again => world.last().map_or_else(pulse, |(_, record)| record.clone()),
            Step::Lines { host, text } => lines(&format!("h{host}"), now, &[text]),
            Step::Rejected { host } => {
                Decoded { kind: Kind::Rejected, host: Arc::from(format!("h{host}")), ..Decoded::default() }
            }
            Step::Pulse => pulse(),
            Step::Pause(pause) => {
                now += pause;
                pulse()
            }
            Step::Break(back) => {
                now -= back;
                pulse()
            }
        };
        world.push((now, record));
    }
    world
}

fn rules() -> Vec<Rule> {
    let mut found = Vec::new();
    for (n, function) in functions().into_iter().enumerate() {
        for (when, limit) in [(Comparison::Above, 6.0), (Comparison::Below, 3.0)] {
            let mut one = rule(&format!("{}-{when:?}", function.name()), function, when, limit);
            one.over = [20_000, 60_000, 150_000][n % 3];
            one.levels = vec![level(Severity::S1, limit, 15_000), level(Severity::S3, limit, 0)];
            one.recover.hold = if n % 2 == 0 { 0 } else { 20_000 };
            one.min_samples = if n % 4 == 0 { 3 } else { 1 };
            let then = [Then::Hold, Then::Raise(Severity::S2), Then::Resolve][n % 3];
            one.no_data = NoData { after: MINUTE + 30_000 * n as Ms, then };
            one.forget = HOUR;
            found.push(one);
        }
    }
    let mut oom = rule("oom", Function::Count, Comparison::AtLeast, 2.0);
    oom.watch = Watch::Log { matchers: Vec::<Matcher>::new(), pattern: Some("OOM".to_owned()) };
    found.push(oom);
    found
}

/// Runs `world` and stops being what it was at each of `crashes`: rows and progress survive, the rest is read again.
fn run(setup: &Arc<Setup>, world: &[(Ms, Decoded)], crashes: &[usize]) -> (Vec<Signal>, Rows) {
    let mut partition = start(setup);
    let (mut signals, mut rows) = (Vec::new(), Rows::default());
    let mut out = Effects::default();
    for (offset, (append, record)) in world.iter().enumerate() {
        if crashes.contains(&offset) {
            partition = restore(setup, world, &stored(&partition), &rows);
        }
        out.clear();
        partition.apply(offset as i64, *append, record, &mut out);
        signals.append(&mut out.signals);
        rows.take(&out.rows);
    }
    (signals, rows)
}

pub(super) fn restore(setup: &Arc<Setup>, world: &[(Ms, Decoded)], progress: &Progress, rows: &Rows) -> Partition {
    let kept = rows.0.values().cloned().collect();
    let mut partition = Partition::start(Arc::clone(setup), 0, Some(progress), kept, Warm::default());
    let from = progress.clock - horizon(&setup.rules);
    let begin = world.iter().position(|(append, _)| *append >= from).unwrap_or(0);
    let mut out = Effects::default();
    for (offset, (append, record)) in
        world.iter().enumerate().skip(begin).take_while(|(n, _)| (*n as i64) < progress.offset)
    {
        partition.apply(offset as i64, *append, record, &mut out);
    }
    assert!(out.signals.is_empty() && out.rows.is_empty(), "a muted replay says nothing");
    partition
}

pub(super) fn settled(rows: &Rows) -> Vec<StateRow> {
    let plain = |row: &StateRow| StateRow { newest: None, valued: None, ..row.clone() };
    rows.0.values().map(plain).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5))]
    #[test]
    fn a_crash_anywhere_changes_no_signal(
        steps in steps(true),
        crashes in prop::collection::vec(0_usize..350, 1..5),
    ) {
        let setup = setup(rules(), true);
        let world = world(&steps);
        let (want, rows) = run(&setup, &world, &[]);
        let (got, again) = run(&setup, &world, &crashes);
        prop_assert_eq!(differs(&got, &want), None);
        prop_assert_eq!(settled(&again), settled(&rows));
    }

    #[test]
    fn visiting_every_tick_changes_no_signal(steps in steps(false)) {
        let setup = setup(rules(), true);
        let world = world(&steps);
        let (want, _) = run(&setup, &world, &[]);
        let mut partition = start(&setup);
        let mut out = Effects::default();
        for (offset, (append, record)) in world.iter().enumerate() {
            while let Some(tick) = partition.next_tick().filter(|tick| tick < append) {
                partition.board.stir();
                partition.close(tick + 1, &mut out);
            }
            partition.apply(offset as i64, *append, record, &mut out);
        }
        prop_assert_eq!(differs(&out.signals, &want), None);
    }

    #[test]
    fn wide_rules_do_not_see_how_many_partitions_there_are(steps in steps(false)) {
        let mut wide: Vec<Rule> = rules().into_iter().map(|rule| Rule { by: Some(Vec::new()), ..rule }).collect();
        wide.iter_mut().for_each(|rule| rule.levels[0].hold = 5_000);
        let world = world(&steps);
        let one = merged(&wide, &world, 1);
        prop_assert!(!one.is_empty());
        let seven = merged(&wide, &world, 7);
        prop_assert_eq!(differs(&seven, &one), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5))]
    #[test]
    fn a_crash_anywhere_changes_no_signal_of_a_wide_rule(
        steps in steps(false),
        crashes in prop::collection::vec(0_usize..350, 1..4),
    ) {
        let wide: Vec<Rule> = rules().into_iter().map(|rule| Rule { by: Some(Vec::new()), ..rule }).collect();
        let setup = setup(wide, true);
        let world = world(&steps);
        let want = run_wide(&setup, &world, &[]);
        let got = run_wide(&setup, &world, &crashes);
        prop_assert_eq!(differs(&got, &want), None);
    }
}

/// Wide signals of one partition, which is lost and restored at each of `crashes`.
pub(super) fn run_wide(setup: &Arc<Setup>, world: &[(Ms, Decoded)], crashes: &[usize]) -> Vec<Signal> {
    let mut partition = start(setup);
    let mut wide = Wide::start(Arc::clone(setup), None, Vec::new());
    let (mut signals, mut own, mut rows) = (Vec::new(), Rows::default(), Rows::default());
    let (mut part, mut out) = (Effects::default(), Effects::default());
    for now in 0..world.len() {
        let mut begin = now;
        if crashes.contains(&now) {
            let (at, merged) = (partition.progress(), wide.progress());
            let kept = |rows: &Rows| rows.0.values().cloned().collect::<Vec<_>>();
            partition = Partition::start(Arc::clone(setup), 0, Some(&at), kept(&own), Warm::default());
            wide = Wide::start(Arc::clone(setup), Some(&merged), kept(&rows));
            let from = at.clock - horizon(&setup.rules);
            begin = world.iter().position(|(append, _)| *append >= from).unwrap_or(0).min(now);
        }
        for (offset, (append, record)) in world.iter().enumerate().take(now + 1).skip(begin) {
            part.clear();
            out.clear();
            partition.apply(offset as i64, *append, record, &mut part);
            part.leaves.drain(..).for_each(|leaf| wide.offer(0, leaf));
            wide.advance([(0, partition.progress().clock)].into_iter(), &mut out);
            signals.append(&mut out.signals);
            own.take(&part.rows);
            rows.take(&out.rows);
        }
    }
    signals
}

/// The first signal that differs.
pub(super) fn differs<'a>(got: &'a [Signal], want: &'a [Signal]) -> Option<(Option<&'a Signal>, Option<&'a Signal>)> {
    let place = (0..got.len().max(want.len())).find(|n| got.get(*n) != want.get(*n))?;
    Some((got.get(place), want.get(place)))
}

/// Wide signals where hosts are spread over `partitions`; time reaches all of them as pulses.
pub(super) fn merged(rules: &[Rule], world: &[(Ms, Decoded)], partitions: i32) -> Vec<Signal> {
    merged_in(&setup(rules.to_vec(), false), world, partitions)
}

/// The same where more is set up.
pub(super) fn merged_in(setup: &Setup, world: &[(Ms, Decoded)], partitions: i32) -> Vec<Signal> {
    let mut set = setup.clone();
    set.partitions = partitions;
    let setup = Arc::new(set);
    let mut all: Vec<Partition> =
        (0..partitions).map(|n| Partition::start(Arc::clone(&setup), n, None, Vec::new(), Warm::default())).collect();
    let mut wide = Wide::start(Arc::clone(&setup), None, Vec::new());
    let idle = pulse();
    let (mut part, mut out) = (Effects::default(), Effects::default());
    for (offset, (append, record)) in world.iter().enumerate() {
        let host: i32 = record.host.trim_start_matches('h').parse().unwrap_or(0);
        for n in 0..partitions {
            let partition = &mut all[n as usize];
            part.clear();
            let mine = host % partitions == n;
            let record = if mine { record } else { &idle };
            partition.apply(offset as i64, *append, record, &mut part);
            for leaf in part.leaves.drain(..) {
                wide.offer(n, leaf);
            }
            let clocks: Vec<(i32, Ms)> =
                (0..).zip(&all).map(|(n, partition)| (n, partition.progress().clock)).collect();
            wide.advance(clocks.into_iter(), &mut out);
        }
    }
    out.signals
}
