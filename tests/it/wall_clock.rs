//! A wall clock that jumps by more than 5 s, or differs from the log's or the store's, is an incident of the engine's own; the log takes
//! its time after a minute, and everything else goes on: what waits keeps its distance from now.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread::JoinHandle;

use bongsu::config;
use bongsu::decode::Limits;
use bongsu::evaluate::{self, Setup, SkewPolicy};
use bongsu::log::{NewRecord, Sink};
use bongsu::model::{BROKEN_CONFIG, BookRows, CLOCK_BREAK, Input, Inventory, RuleSet, Severity, State, WALL_CLOCK};
use bongsu::pipeline::data_dir::DataDir;
use bongsu::pipeline::evaluator::{Evaluator, Sides};
use bongsu::pipeline::leader::{Leader, World};
use bongsu::pipeline::leading::Leading;
use bongsu::pipeline::outbox::Contacts;
use bongsu::pipeline::service::Service;
use bongsu::pipeline::shell::Shell;
use bongsu::pipeline::sim::{MemoryLog, Mortal, people};
use bongsu::pipeline::watch::{Edited, Watch};
use bongsu::store::{MemoryStore, Store};
use bongsu::telemetry::Metrics;
use bongsu::time::{Clock, HOUR, MINUTE, ManualClock, Ms, SECOND, SystemClock};

use crate::postgres::InPostgres;
use crate::site::{Site, eventually};
use crate::store_suite::{Home as _, firing};

const BEGINNING: Ms = 1_767_571_200_000;

fn watched(site: &Site) -> (config::Loaded, Edited) {
    let file = site.path("bongsu.yaml");
    let load = move || {
        config::load(std::slice::from_ref(&file), &config::Ask { env: &[], now: SystemClock.wall(), whole: true })
    };
    let loaded = load();
    let rules = loaded.rules.hash.clone();
    (loaded, Edited { load: Arc::new(load), rules })
}

/// A watch over a store that nobody leads: what it tells are inputs.
struct Post {
    clock: Arc<ManualClock>,
    shell: Shell,
    site: Site,
    told: usize,
}

impl Post {
    fn new() -> Self {
        Self::over(Arc::new(MemoryStore::default()), BEGINNING)
    }

    fn over(store: Arc<dyn Store>, now: Ms) -> Self {
        let clock = Arc::new(ManualClock::at(now));
        let metrics = Arc::new(Metrics::new(BEGINNING));
        let shell = Shell::new(store, Arc::clone(&clock) as Arc<dyn Clock>, metrics);
        Self { clock, shell, site: Site::new(""), told: 0 }
    }

    fn watch(&self) -> Watch {
        let (loaded, files) = watched(&self.site);
        let contacts = Contacts::new(Arc::new(people()));
        Watch::new(files, &loaded.files, contacts, Default::default(), self.clock.as_ref())
    }

    /// What a look told: which rule, and whether it is on.
    fn look(&mut self, watch: &mut Watch) -> Vec<(String, bool)> {
        watch.look(&self.shell.shared);
        let inputs = self.shell.shared.store.inputs(&[], 1_000).unwrap();
        let new = inputs.into_iter().skip(self.told).map(|taken| match taken.input {
            Input::Own(signal) => (signal.rule.to_string(), signal.to == State::Firing),
            other => panic!("{other:?}"),
        });
        let new: Vec<_> = new.collect();
        self.told += new.len();
        new
    }
}

fn wall_clock(on: bool) -> Vec<(String, bool)> {
    vec![(WALL_CLOCK.id.to_owned(), on)]
}

#[test]
fn a_jump_of_more_than_five_seconds_is_told_once_and_is_over_after_a_minute() {
    for hour in [HOUR, -HOUR] {
        let mut post = Post::new();
        let mut watch = post.watch();
        post.clock.step(5 * SECOND);
        assert_eq!(post.look(&mut watch), [], "five seconds are ordinary");
        post.clock.advance(2 * SECOND);
        post.clock.step(hour);
        assert_eq!(post.look(&mut watch), wall_clock(true));
        post.clock.advance(30 * SECOND);
        post.clock.step(-hour);
        assert_eq!(post.look(&mut watch), [], "it jumps again, and is one incident");
        post.clock.advance(MINUTE - 1);
        assert_eq!(post.look(&mut watch), [], "a minute since it jumped last");
        post.clock.advance(1);
        assert_eq!(post.look(&mut watch), wall_clock(false));
    }
}

#[test]
fn a_lasting_difference_to_the_logs_clock_is_told_until_it_is_gone() {
    let mut post = Post::new();
    let mut watch = post.watch();
    let board = Arc::clone(&post.shell.shared.board);
    for (difference, told) in [
        (None, vec![]),
        (Some(5 * SECOND), vec![]),
        (Some(-5_001), wall_clock(true)),
        (Some(HOUR), vec![]),
        (Some(5 * SECOND), wall_clock(false)),
    ] {
        board.set_clock_difference(difference);
        post.clock.advance(10 * MINUTE);
        assert_eq!(post.look(&mut watch), told, "{difference:?}");
    }
}

#[test]
fn a_process_without_a_log_sees_by_the_stores_clock_that_its_own_is_wrong() {
    let home = InPostgres::default();
    let now = SystemClock.wall();
    let mut post = Post::over(home.open(), now + MINUTE);
    let mut watch = post.watch();
    assert_eq!(post.look(&mut watch), wall_clock(true), "a minute ahead");
    assert_eq!(post.look(&mut watch), [], "once");
    // As jumps are told too, it is set right by standing still.
    post.clock.advance(-MINUTE + SystemClock.wall() - now);
    assert_eq!(post.look(&mut watch), wall_clock(false));
}

#[test]
fn a_watch_that_begins_anew_ends_what_an_earlier_one_left_open() {
    let mut post = Post::new();
    let mut watch = post.watch();
    post.clock.step(HOUR);
    assert_eq!(post.look(&mut watch), wall_clock(true));
    std::fs::write(post.site.path("rules.yaml"), "version: 1\nrules: 5\n").unwrap();
    assert_eq!(post.look(&mut watch), [], "it may still be written");
    assert_eq!(post.look(&mut watch), [(BROKEN_CONFIG.id.to_owned(), true)]);
    // The leader takes both; then the process ends, and the files are mended before the next one begins.
    let shared = &post.shell.shared;
    let world = Arc::new(World::new(RuleSet::default(), people(), Inventory::default()));
    let mut leading = Leading::new(Arc::clone(&shared.store), Arc::clone(&shared.clock), "watch", world);
    while leading.step().unwrap() {}
    assert_eq!(shared.store.incidents(10).unwrap().len(), 2);
    std::fs::write(post.site.path("rules.yaml"), "version: 1\nrules: []\n").unwrap();
    post.told = 0;
    let mut watch = post.watch();
    let mut told = post.look(&mut watch);
    told.sort();
    assert_eq!(told, [(BROKEN_CONFIG.id.to_owned(), false), (WALL_CLOCK.id.to_owned(), false)]);
    assert_eq!(post.look(&mut watch), []);
}

#[test]
fn a_pulse_that_comes_back_shows_how_far_the_clocks_are_apart() {
    let clock = Arc::new(ManualClock::at(BEGINNING));
    let log = MemoryLog::new("telemetry", 1, BEGINNING);
    let setup = Setup {
        rules: Arc::new(RuleSet::default()),
        inventory: Arc::default(),
        topic: "telemetry".to_owned(),
        partitions: 1,
        limits: evaluate::Limits { series: 100, series_per_rule: 100, window_memory: 1 << 20 },
        skew: SkewPolicy::Shift,
        builtins: true,
        source_silent: None,
    };
    let sides = Sides {
        source: Box::new(log.source()),
        pulses: Some(Arc::new(log.clone())),
        dead: None,
        store: Arc::new(MemoryStore::default()),
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
    };
    let limits = Limits { record_bytes: 1 << 20, shapes: 100 };
    let mut evaluator = Evaluator::start(sides, "pulses", Arc::new(setup), limits).unwrap();
    let mut turn = |ahead: Ms, lag: Ms| {
        clock.advance(2 * SECOND);
        log.set_now(clock.wall() - ahead);
        // What others write says nothing: it may have been on its way for hours.
        let record = NewRecord { partition: Some(0), key: b"a".to_vec(), value: b"{}".to_vec() };
        log.append(vec![record]).pop().unwrap().unwrap();
        while evaluator.step(std::time::Duration::ZERO).unwrap().heard {}
        clock.advance(2 * SECOND);
        log.set_now(clock.wall() - ahead);
        let before = log.records_from(0, 0).len();
        while log.records_from(0, 0).len() == before {
            evaluator.step(std::time::Duration::ZERO).unwrap();
        }
        // However late it is read.
        clock.advance(lag);
        log.set_now(clock.wall() - ahead);
        while evaluator.step(std::time::Duration::ZERO).unwrap().heard {}
        evaluator.clock_difference()
    };
    for (ahead, lag) in [(0, 0), (0, MINUTE), (7 * SECOND, 0), (-HOUR, MINUTE), (300, HOUR), (0, 0)] {
        assert_eq!(turn(ahead, lag), Some(ahead), "ahead {ahead}, read {lag} later");
    }
}

/// The machine's clocks, moved on or set by the test.
#[derive(Debug, Default)]
struct Warped {
    passed: AtomicI64,
    stepped: AtomicI64,
}

impl Clock for Warped {
    fn wall(&self) -> Ms {
        SystemClock.wall() + self.passed.load(Ordering::SeqCst) + self.stepped.load(Ordering::SeqCst)
    }

    fn elapsed(&self) -> Ms {
        SystemClock.elapsed() + self.passed.load(Ordering::SeqCst)
    }
}

const RULE: &str = "  - id: load-high
    title: 부하 과다
    domain: 인프라
    metric: app.load
    by: [host]
    window: { fn: last, over: 1m }
    when: above
    severity: { S1: { value: 90 } }
";

/// The service inside this process, with a clock of ours; asked to end and waited for when dropped.
struct Inside {
    site: Site,
    clock: Arc<Warped>,
    asked: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<(), String>>>,
}

impl Inside {
    fn start() -> Self {
        let site = Site::new(RULE);
        let clock = Arc::new(Warped::default());
        let (loaded, files) = watched(&site);
        assert_eq!(loaded.errors(), 0);
        let dir = DataDir::take(&site.data()).unwrap();
        let service =
            Service::start(&loaded, files, dir, Arc::clone(&clock) as Arc<dyn Clock>, &AtomicBool::new(false)).unwrap();
        let asked = Arc::new(AtomicBool::new(false));
        let asks = Arc::clone(&asked);
        let thread = std::thread::spawn(move || service.run(&asks).map_err(|error| error.to_string()));
        let it = Self { site, clock, asked, thread: Some(thread) };
        eventually("healthy", || it.site.is_healthy().then_some(()));
        it
    }

    fn send(&self, value: f64) {
        // Another machine's clock, which is right.
        let now = SystemClock.wall() + self.clock.passed.load(Ordering::SeqCst);
        let record = format!(
            "{{\"v\":1,\"ts\":{now},\"sent\":{now},\"host\":\"known-01\",\"points\":[[\"app.load\",{value}]]}}\n"
        );
        assert_eq!(self.site.send(&record)["accepted"], 1);
    }

    /// How far the partitions' clocks are from the wall clock, the furthest.
    fn furthest(&self) -> Option<Ms> {
        let status = self.site.get("/v1/status");
        let partitions = status["partitions"].as_array()?;
        let wall = self.clock.wall();
        partitions.iter().filter_map(|partition| Some((partition["clock"].as_i64()? - wall).abs())).max()
    }

    /// Lets time pass quickly until `look` gives something.
    fn in_time<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        eventually(what, || {
            self.clock.passed.fetch_add(SECOND, Ordering::SeqCst);
            look()
        })
    }

    fn is(&self, rule: &str, state: &str) -> Option<()> {
        self.site.incidents(rule).iter().any(|incident| incident["state"] == state).then_some(())
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.asked.store(true, Ordering::SeqCst);
        if let Some(Ok(Err(why))) = self.thread.take().map(JoinHandle::join) {
            println!("the service ended badly: {why}");
        }
    }
}

fn an_hour_off(hour: Ms) {
    let mut inside = Inside::start();
    inside.send(1.0);
    inside.in_time("the log tells the wall clock's time", || inside.furthest().filter(|ms| *ms < 30 * SECOND));
    inside.clock.stepped.fetch_add(hour, Ordering::SeqCst);
    eventually("an incident of the engine's own", || inside.is(WALL_CLOCK.id, "open"));
    assert!(inside.furthest() > Some(HOUR / 2), "the log keeps its time for a minute");
    // Meanwhile the log goes on, and so do pages.
    inside.send(99.0);
    inside.site.page("load-high", "first");
    inside.in_time("the log follows", || inside.furthest().filter(|ms| *ms < 30 * SECOND));
    inside.in_time("the incident is over", || inside.is(WALL_CLOCK.id, "resolved"));
    if hour < 0 {
        inside.in_time("the log's clock went back", || inside.site.incidents(CLOCK_BREAK.id).pop());
    } else {
        assert!(inside.site.incidents(CLOCK_BREAK.id).is_empty(), "a jump forward is just time");
    }
    inside.send(1.0);
    inside.in_time("it is good again", || inside.is("load-high", "resolved"));
    inside.asked.store(true, Ordering::SeqCst);
    let done = inside.thread.take().unwrap().join().unwrap();
    assert_eq!(done, Ok(()));
}

#[test]
fn a_wall_clock_an_hour_ahead_is_told_followed_and_survived() {
    an_hour_off(HOUR);
}

#[test]
fn a_wall_clock_an_hour_behind_is_told_followed_and_survived() {
    an_hour_off(-HOUR);
}

/// What a leader's store must tell of a step: how often it was written down.
fn steps(store: &dyn Store) -> usize {
    store.ledger(0, 1_000).unwrap().iter().filter(|entry| entry.kind == "clock").count()
}

/// The chain of [`people`] asks the second person 30 s after the first, whatever the wall clock does meanwhile, over a
/// database, and whether the answer to the leader's write gets lost or not.
fn a_chain_goes_on(by: Ms, is_answer_lost: bool) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("state.db").display());
    let store: Arc<dyn Store> = Arc::new(bongsu::store::open(&url).unwrap());
    let mortal = Arc::new(Mortal::new(Arc::clone(&store)));
    let clock = Arc::new(ManualClock::at(BEGINNING));
    let world = Arc::new(World::new(RuleSet::default(), people(), Inventory::default()));
    let (theirs, time) = (Arc::clone(&mortal) as Arc<dyn Store>, Arc::clone(&clock) as Arc<dyn Clock>);
    let mut leading = Leading::new(theirs, time, "one", Arc::clone(&world));
    store.add_input(&Input::Own(firing("db-01", Severity::S2, BEGINNING)), BEGINNING).unwrap();
    let mut work = || while leading.step().unwrap() {};
    let told = || store.pages(None, 100).unwrap().into_iter().map(|row| row.page.to).collect::<Vec<_>>();
    work();
    assert_eq!(told(), ["person-1"]);
    let before = store.pages(None, 1).unwrap().remove(0).page;
    let before = before.deadline - before.due;
    clock.advance(10 * SECOND);
    clock.step(by);
    if is_answer_lost {
        mortal.plan_crash(0, true);
    }
    work();
    assert_eq!(mortal.take_death(), is_answer_lost);
    clock.advance(SECOND);
    work();
    assert_eq!((steps(store.as_ref()), told().len()), (1, 1));
    let lease =
        store.claim("sender", None, 1, clock.wall(), clock.wall() + 30 * SECOND).unwrap().pop().expect("it waits");
    assert_eq!(lease.page.deadline - lease.page.due, before + by, "as long as before");
    clock.advance(19 * SECOND - 1);
    work();
    assert_eq!(told().len(), 1, "nothing early");
    clock.advance(1);
    work();
    let mut second = told();
    second.retain(|to| to != "person-1");
    assert_eq!(second, ["person-2"; 2], "by text and by mail");
    let entries = store.ledger(0, 1_000).unwrap();
    let mut again = Leader::load(&BookRows::default(), world);
    again.replay(&entries, |_| None).expect("the same bytes");
}

#[test]
fn a_chain_goes_on_at_its_distances_when_the_wall_clock_is_set() {
    for by in [-HOUR, HOUR, -6 * SECOND] {
        for is_answer_lost in [false, true] {
            a_chain_goes_on(by, is_answer_lost);
        }
    }
}

/// The process ends, the wall clock is set back, and another one begins: it has no look of before to compare with.
#[test]
fn a_clock_that_is_set_back_while_nobody_leads_makes_nothing_late() {
    for (by, expected) in [(-HOUR, 1), (-4 * SECOND, 0), (0, 0)] {
        let store: Arc<dyn Store> = Arc::new(MemoryStore::default());
        let clock = Arc::new(ManualClock::at(BEGINNING));
        let world = Arc::new(World::new(RuleSet::default(), people(), Inventory::default()));
        let begin = || {
            let time = Arc::clone(&clock) as Arc<dyn Clock>;
            Leading::new(Arc::clone(&store), time, "one", Arc::clone(&world))
        };
        store.add_input(&Input::Own(firing("db-01", Severity::S2, BEGINNING)), BEGINNING).unwrap();
        let mut leading = begin();
        while leading.step().unwrap() {}
        let told = || store.pages(None, 100).unwrap().len();
        assert_eq!(told(), 1);
        drop(leading);
        clock.step(by);
        let mut leading = begin();
        while leading.step().unwrap() {}
        assert_eq!(steps(store.as_ref()), expected, "{by}");
        let off = if expected == 0 { by.abs() } else { 0 };
        clock.advance(30 * SECOND + off - 1);
        while leading.step().unwrap() {}
        assert_eq!(told(), 1, "{by}: nothing early");
        clock.advance(1);
        while leading.step().unwrap() {}
        assert_eq!(told(), 3, "{by}: the second person, by text and by mail, 30 s after the first");
        let entries = store.ledger(0, 1_000).unwrap();
        Leader::load(&BookRows::default(), world).replay(&entries, |_| None).expect("the same bytes");
    }
}
