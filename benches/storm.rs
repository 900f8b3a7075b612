//! 10,000 of 25,000 hosts down at once: how long the leader takes to take their signals in, over a file of its own.
//!
//! The idea: signals are flushed as `evaluate` would, in flushes of 500; then the leader of the service takes turns until
//! nothing waits. Prints the wall time of the leader alone, and what came of it. `cargo bench --bench storm`.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::sync::Arc;

use bongsu::model::*;
use bongsu::pipeline::leader::World;
use bongsu::pipeline::leading::Leading;
use bongsu::store::Store;
use bongsu::time::{Clock, ManualClock, Ms, SystemClock};

const T0: Ms = 1_795_478_400_000;
const HOSTS: usize = 25_000;
const DOWN: usize = 10_000;
const NODES: usize = 250;
const TOPIC: &str = "telemetry";

fn main() {
    for (what, placed) in [("in a known topology", true), ("nowhere known", false)] {
        run(what, placed);
    }
}

fn run(what: &str, placed: bool) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite:{}", folder.path().join("state.db").display());
    let store: Arc<dyn Store> = Arc::new(bongsu::store::open(&url).expect("a store"));
    flush(store.as_ref());
    let clock = Arc::new(ManualClock::at(T0 + 500));
    let world = Arc::new(world(placed));
    let mut leading = Leading::new(Arc::clone(&store), clock.clone() as Arc<dyn Clock>, "bench", world);
    let began = SystemClock.elapsed();
    while leading.step().expect("a turn") {}
    let wall = SystemClock.elapsed() - began;
    let leader = leading.leader().expect("it leads");
    let n = leader.open_incidents().filter(|it| &*it.rule == "host-down").count();
    let alone = leader.open_incidents().filter(|it| it.parent.is_none()).count();
    let pages = store.pages(None, 100_000).expect("the outbox").len();
    println!("{DOWN} signals of {HOSTS} hosts, {what}: {wall} ms, {n} open, {alone} speak, {pages} pages");
    assert_eq!(n, DOWN, "none is lost");
}

fn flush(store: &dyn Store) {
    let owned = store.own(TOPIC, 0, "bench").expect("the partition");
    let mut progress = owned.progress.unwrap_or_default();
    for chunk in (0..DOWN).collect::<Vec<_>>().chunks(500) {
        let from = progress.offset;
        let signals: Vec<_> = (progress.seq + 1..).zip(chunk.iter().map(|n| signal(*n))).collect();
        progress.offset += 500;
        progress.seq += signals.len() as i64;
        (progress.clock, progress.heard, progress.caught_up) = (T0, HOSTS as i64, true);
        progress.topic_id = "bench".to_owned();
        let part = PartFlush {
            partition: 0,
            epoch: owned.epoch,
            from,
            progress: progress.clone(),
            rows: Vec::new(),
            signals,
            came: Default::default(),
        };
        store.flush(&Flush { topic: TOPIC.to_owned(), parts: vec![part] }).expect("a flush");
    }
}

fn signal(n: usize) -> Signal {
    let labels = Labels::new([("host", format!("h{n:05}"))]);
    Signal {
        rule: "host-down".into(),
        fingerprint: Fingerprint::of("host-down", &labels),
        labels,
        from: State::Inactive,
        to: State::Firing,
        severity: Some(Severity::S1),
        value: None,
        unknown: None,
        at: T0,
        since: Some(T0),
        ended: None,
        acted: true,
    }
}

fn world(placed: bool) -> World {
    let vm = |n: usize| Resource {
        id: format!("h{n:05}"),
        kind: "vm".to_owned(),
        parent: placed.then(|| format!("node-{:03}", n % NODES)),
        ..Resource::default()
    };
    let node = |n: usize| Resource {
        id: format!("node-{n:03}"),
        kind: "node".to_owned(),
        parent: Some(format!("k-{:02}", n / 10)),
        ..Resource::default()
    };
    let resources = (0..HOSTS).map(vm).chain((0..NODES).map(node)).map(|it| (it.id.clone(), it)).collect();
    let duty = Contact {
        id: "duty".to_owned(),
        org: "MSP".to_owned(),
        roles: vec!["duty".to_owned()],
        domains: Vec::new(),
        name: "가상인".to_owned(),
        phone: Some("010-0000-0001".to_owned()),
        email: None,
        from: None,
        until: None,
        confirmed: None,
        tier: None,
        position: None,
    };
    let people = People { contacts: vec![duty], ..People::default() };
    World::new(RuleSet::default(), people, Inventory { resources })
}
