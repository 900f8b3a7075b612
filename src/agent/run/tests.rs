//! The beat in a world of one thread: waiting moves the clock, and what is away comes back at an instant.

use std::collections::VecDeque;

use super::*;
use crate::agent::Roots;
use crate::time::{MINUTE, ManualClock, SystemClock};

const START: Ms = 1_764_000_000_000;

/// A world of one thread: waiting moves the clock, delivering may cost time, the end comes at an instant.
#[derive(Debug)]
struct World {
    clock: ManualClock,
    end: Ms,
    /// Instants (after the start) between which nothing is taken.
    away: std::ops::Range<Ms>,
    answer: Delivered,
    /// How long a failing hand-over hangs.
    hang: Ms,
    /// How long a hand-over takes that succeeds.
    slow: Ms,
    tries: Mutex<Vec<(Ms, usize)>>,
    taken: Mutex<Vec<(Ms, Ms, Ms)>>,
}

/// A machine without anything to read.
fn nowhere() -> Roots {
    Roots { proc: "/nowhere".into(), cgroup: "/nowhere".into(), root: "/nowhere".into() }
}

impl World {
    fn new(end: Ms, away: std::ops::Range<Ms>) -> Self {
        let (answer, hang, slow) = (Delivered::default(), 0, 0);
        let clock = ManualClock::at(START);
        Self { clock, end, away, answer, hang, slow, tries: Mutex::default(), taken: Mutex::default() }
    }

    fn run(&self, every: Ms, queue: usize) -> Arc<Counts> {
        self.run_with(every, queue, None)
    }

    fn run_with(&self, every: Ms, queue: usize, spool: Option<Shelf>) -> Arc<Counts> {
        let settings = Settings { every, host: "a".to_owned(), labels: Vec::new(), queue };
        let mut agent = Agent::new(settings, Collector::new(nowhere(), Vec::new()));
        if let Some(shelf) = spool {
            agent = agent.with_spool(Box::new(shelf));
        }
        agent.run(&self.clock, self, self);
        agent.counts()
    }

    /// Instant of hand-over, `ts` and `sent` of what was taken, after the start.
    fn taken(&self) -> Vec<(Ms, Ms, Ms)> {
        self.taken.lock().unwrap().clone()
    }
}

/// A spool in memory, shared so that it outlives an agent.
#[derive(Debug, Clone, Default)]
struct Shelf {
    records: Arc<Mutex<VecDeque<Record>>>,
    note: Arc<Mutex<Option<Vec<u8>>>>,
    /// Instants between which the disk is full.
    full: std::ops::Range<usize>,
    pushes: usize,
}

impl Spool for Shelf {
    fn push(&mut self, records: &[Record]) -> Result<(), String> {
        self.pushes += 1;
        if self.full.contains(&self.pushes) {
            return Err("disk full".to_owned());
        }
        self.records.lock().unwrap().extend(records.iter().cloned());
        Ok(())
    }

    fn oldest(&mut self, n_max: usize, _: usize) -> Result<Vec<Record>, String> {
        Ok(self.records.lock().unwrap().iter().take(n_max.min(3)).cloned().collect())
    }

    fn settle(&mut self, n: usize) -> Result<(), String> {
        self.records.lock().unwrap().drain(..n);
        Ok(())
    }

    fn state(&mut self) -> SpoolState {
        SpoolState { records: self.records.lock().unwrap().len() as u64, ..SpoolState::default() }
    }

    fn remember(&mut self, note: &[u8]) -> Result<(), String> {
        *self.note.lock().unwrap() = Some(note.to_vec());
        Ok(())
    }

    fn remembered(&mut self) -> Result<Option<Vec<u8>>, String> {
        Ok(self.note.lock().unwrap().clone())
    }
}

/// Takes everything, and keeps the texts of the lines.
#[derive(Debug, Default)]
struct Reader(Mutex<Vec<(String, String)>>);

impl Deliver for Reader {
    fn deliver(&self, records: &[Record]) -> Delivered {
        for record in records {
            let value: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
            assert_eq!(value["sent"].as_i64().unwrap(), START, "stamped like any other");
            let source = value["labels"]["source"].as_str().unwrap_or_default().to_owned();
            let lines = value["lines"].as_array().into_iter().flatten();
            let line = |line: &serde_json::Value| (source.clone(), format!("{} {}", line[1], line[2]));
            self.0.lock().unwrap().extend(lines.map(line));
        }
        Delivered { fates: vec![Fate::Taken; records.len()], retry_after: None }
    }
}

#[test]
fn lines_are_records_and_are_read_on_from_their_place_by_the_next_agent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.log");
    let shelf = Shelf::default();
    let reader = Reader::default();
    let run = |text: &str| {
        use std::io::Write as _;
        std::fs::File::options().append(true).create(true).open(&path).unwrap().write_all(text.as_bytes()).unwrap();
        let labels = vec![("source".to_owned(), "host".to_owned()), ("env".to_owned(), "prod".to_owned())];
        let settings = Settings { every: 10_000, host: "a".to_owned(), labels, queue: 100 };
        let file = LogFile { path: path.clone(), labels: vec![("source".to_owned(), "app".to_owned())] };
        let agent = Agent::new(settings, Collector::new(nowhere(), Vec::new())).with_spool(Box::new(shelf.clone()));
        // It looks once and ends.
        agent.following(vec![file]).run(&ManualClock::at(START), &reader, &World::new(0, 0..0));
    };
    run("the past\n");
    run("ERROR one\n");
    run("WARN two\nhalf");
    run(" a line\n");
    let lines = reader.0.lock().unwrap().clone();
    let expected = ["\"ERROR\" \"ERROR one\"", "\"WARN\" \"WARN two\"", "\"\" \"half a line\""];
    assert_eq!(lines, expected.map(|line| ("app".to_owned(), line.to_owned())));
}

impl Stop for World {
    fn wait(&self, length: Ms) -> bool {
        self.clock.advance(length);
        self.clock.elapsed() >= self.end
    }
}

impl Deliver for World {
    fn deliver(&self, records: &[Record]) -> Delivered {
        let now = self.clock.elapsed();
        self.tries.lock().unwrap().push((now, records.len()));
        if self.away.contains(&now) {
            self.clock.advance(self.hang);
            return self.answer.clone();
        }
        self.clock.advance(self.slow);
        for record in records {
            let value: serde_json::Value = serde_json::from_slice(&record.value).unwrap();
            let at = |name: &str| value[name].as_i64().unwrap() - START;
            self.taken.lock().unwrap().push((now, at("ts"), at("sent")));
        }
        Delivered { fates: vec![Fate::Taken; records.len()], retry_after: None }
    }
}

#[test]
fn each_beat_is_one_record_with_its_own_time() {
    let world = World::new(35_000, 0..0);
    let counts = world.run(10_000, 100);
    assert_eq!(world.taken(), [0, 10_000, 20_000, 30_000].map(|at| (at, at, at)));
    assert_eq!(counts.taken.load(Ordering::Relaxed), 4);
}

#[test]
fn what_waited_arrives_in_order_with_a_fresh_sent() {
    let world = World::new(120_000, 5_000..65_000);
    world.run(10_000, 100);
    let taken = world.taken();
    let times: Vec<_> = taken.iter().map(|(_, ts, _)| *ts).collect();
    assert_eq!(times, (0..12).map(|n| n * 10_000).collect::<Vec<_>>());
    assert!(taken.iter().all(|(now, _, sent)| now == sent));
    let late = taken.iter().find(|(_, ts, _)| *ts == 10_000).unwrap();
    assert!((65_000..=100_000).contains(&late.0), "{late:?}");
}

#[test]
fn tries_grow_rarer_but_never_rarer_than_half_a_minute() {
    let world = World::new(600_000, 0..700_000);
    let counts = world.run(3_600_000, 100);
    let tries: Vec<_> = world.tries.lock().unwrap().iter().map(|(at, _)| *at).collect();
    let gaps: Vec<_> = tries.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!((500..=1_000).contains(&gaps[0]), "{gaps:?}");
    assert!(gaps.iter().skip(6).rev().skip(2).all(|gap| (15_000..=30_000).contains(gap)), "{gaps:?}");
    assert_eq!(counts.failures.load(Ordering::Relaxed), tries.len() as u64);
}

#[test]
fn the_other_side_may_ask_for_more_patience() {
    let mut world = World::new(21_000, 0..1);
    world.answer = Delivered { fates: Vec::new(), retry_after: Some(20_000) };
    world.run(60_000, 100);
    assert_eq!(world.taken(), [(20_000, 0, 20_000)]);
}

#[test]
fn a_full_queue_drops_the_oldest_and_says_so() {
    let world = World::new(100_000, 0..95_000);
    let counts = world.run(10_000, 3);
    assert_eq!(world.taken().iter().map(|(_, ts, _)| *ts).collect::<Vec<_>>(), [70_000, 80_000, 90_000]);
    assert_eq!(counts.dropped.load(Ordering::Relaxed), 7);
}

#[test]
fn what_is_refused_for_ever_does_not_block_the_rest() {
    let mut world = World::new(25_000, 0..5_000);
    world.answer = Delivered { fates: vec![Fate::Refused], retry_after: None };
    let counts = world.run(10_000, 100);
    assert_eq!(world.taken().iter().map(|(_, ts, _)| *ts).collect::<Vec<_>>(), [10_000, 20_000]);
    assert_eq!(counts.dropped.load(Ordering::Relaxed), 1);
}

#[test]
fn beats_missed_while_a_hand_over_hangs_are_not_made_up_for() {
    let mut world = World::new(100_000, 5_000..15_000);
    world.hang = 25_000;
    world.run(10_000, 100);
    let times: Vec<_> = world.taken().iter().map(|(_, ts, _)| *ts).collect();
    assert_eq!(times, [0, 10_000, 35_000, 45_000, 55_000, 65_000, 75_000, 85_000, 95_000]);
}

#[test]
fn a_closed_latch_ends_the_wait() {
    let latch = Arc::new(Latch::default());
    assert!(!latch.wait(1));
    latch.close();
    assert!(latch.wait(60_000));
}

fn tens(n: std::ops::Range<Ms>) -> Vec<Ms> {
    n.map(|n| n * 10_000).collect()
}

#[test]
fn a_spooled_record_arrives_in_order_with_a_fresh_sent() {
    let world = World::new(300_000, 5_000..205_000);
    // Without a spool a queue of one would have lost all but the newest.
    let counts = world.run_with(10_000, 1, Some(Shelf::default()));
    let taken = world.taken();
    assert_eq!(taken.iter().map(|(_, ts, _)| *ts).collect::<Vec<_>>(), tens(0..30));
    assert!(taken.iter().all(|(now, _, sent)| now == sent));
    assert_eq!((counts.dropped.load(Ordering::Relaxed), counts.queue.load(Ordering::Relaxed)), (0, 0));
}

#[test]
fn what_an_ended_agent_could_not_hand_over_comes_first_from_the_next() {
    let shelf = Shelf::default();
    World::new(35_000, 0..MINUTE).run_with(10_000, 100, Some(shelf.clone()));
    assert_eq!(shelf.records.lock().unwrap().len(), 4);
    let next = World::new(35_000, 0..5_000);
    next.run_with(10_000, 100, Some(shelf.clone()));
    let twice: Vec<_> = tens(0..4).into_iter().chain(tens(0..4)).collect();
    assert_eq!(next.taken().iter().map(|(_, ts, _)| *ts).collect::<Vec<_>>(), twice);
    assert!(shelf.records.lock().unwrap().is_empty());
}

#[test]
fn a_full_disk_leaves_records_in_memory_and_the_order_as_it_was() {
    let world = World::new(200_000, 5_000..105_000);
    let counts = world.run_with(10_000, 100, Some(Shelf { full: 3..7, ..Shelf::default() }));
    assert_eq!(world.taken().iter().map(|(_, ts, _)| *ts).collect::<Vec<_>>(), tens(0..20));
    assert_eq!(counts.dropped.load(Ordering::Relaxed), 0);
}

#[test]
fn a_refused_record_in_the_spool_does_not_block_the_rest() {
    let shelf = Shelf::default();
    let odd = |value: &str| Record { key: b"a".to_vec(), value: value.as_bytes().to_vec() };
    shelf.records.lock().unwrap().extend([odd("{}"), odd("not a record")]);
    let mut world = World::new(25_000, 0..5_000);
    world.answer = Delivered { fates: vec![Fate::Refused], retry_after: None };
    let counts = world.run_with(10_000, 100, Some(shelf));
    assert_eq!(world.taken().iter().map(|(_, ts, _)| *ts).collect::<Vec<_>>(), [10_000, 20_000]);
    assert_eq!(counts.dropped.load(Ordering::Relaxed), 3);
}

#[test]
fn a_long_spool_is_drained_between_the_beats() {
    let shelf = Shelf::default();
    let draft = |ts| Draft { ts, host: "a".to_owned(), ..Draft::default() }.render();
    let record = |ts| {
        let (head, rest) = draft(START - 100_000 + ts);
        Record { key: b"a".to_vec(), value: (head + &rest).into_bytes() }
    };
    shelf.records.lock().unwrap().extend((0..60).map(record));
    let mut world = World::new(100_000, 0..0);
    world.slow = 2_000;
    world.run_with(10_000, 100, Some(shelf));
    let times: Vec<_> = world.taken().iter().map(|(_, ts, _)| *ts).collect();
    assert!(times.is_sorted() && times.len() > 65, "{times:?}");
    let fresh: Vec<_> = times.into_iter().filter(|ts| *ts >= 0).collect();
    assert_eq!(fresh, tens(0..10), "no beat is missed for it");
}

/// Takes a batch and says nothing until it is let go; the first time only.
#[derive(Debug, Default)]
struct Silent {
    released: Latch,
    batches: Mutex<Vec<usize>>,
    times: Mutex<Vec<Ms>>,
}

impl Deliver for Silent {
    fn deliver(&self, records: &[Record]) -> Delivered {
        self.batches.lock().unwrap().push(records.len());
        self.released.wait(MINUTE);
        let ts = |record: &Record| serde_json::from_slice::<serde_json::Value>(&record.value).unwrap()["ts"].as_i64();
        self.times.lock().unwrap().extend(records.iter().filter_map(ts));
        Delivered { fates: vec![Fate::Taken; records.len()], retry_after: None }
    }
}

/// Runs an agent before a door that says nothing until six records were made; gives what arrived in the end.
fn before_silence(queue: usize, spool: Option<&Shelf>) -> (Vec<Ms>, Arc<Counts>) {
    let silent = Silent::default();
    let stop = Latch::default();
    let settings = Settings { every: 5, host: "a".to_owned(), labels: Vec::new(), queue };
    let mut agent = Agent::new(settings, Collector::new(nowhere(), Vec::new()));
    if let Some(shelf) = spool {
        agent = agent.with_spool(Box::new(shelf.clone()));
    }
    let counts = agent.counts();
    let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| agent.run(&SystemClock, &silent, &stop));
        let pause = Latch::default();
        let wait = |done: &dyn Fn() -> bool| {
            let deadline = SystemClock.elapsed() + MINUTE;
            while !done() {
                assert!(SystemClock.elapsed() < deadline, "{counts:?}");
                pause.wait(1);
            }
        };
        wait(&|| count(&counts.collected) >= 6);
        assert_eq!(silent.batches.lock().unwrap().len(), 1, "one batch is under way");
        if let Some(shelf) = spool {
            // Also the batch under way: nobody knows yet what becomes of it.
            wait(&|| shelf.records.lock().unwrap().len() >= 6);
        }
        silent.released.close();
        wait(&|| count(&counts.taken) >= 8 || queue < 3);
        stop.close();
    });
    let times = silent.times.lock().unwrap().clone();
    assert!(times.is_sorted_by(|a, b| a < b), "in order, each once: {times:?}");
    (times, counts)
}

#[test]
fn a_door_that_says_nothing_costs_no_measurement() {
    for queue in [2, 100] {
        let (times, counts) = before_silence(queue, None);
        let count = |number: &AtomicU64| number.load(Ordering::Relaxed);
        // What fell off a short queue is counted, even the one that was under way; nothing else is missing.
        assert!(count(&counts.collected) - times.len() as u64 <= count(&counts.dropped), "{counts:?}, {times:?}");
        assert!(queue == 2 || count(&counts.dropped) == 0, "{counts:?}");
    }
}

#[test]
fn what_waits_behind_a_silent_door_is_on_the_disk_and_arrives_once() {
    let shelf = Shelf::default();
    let (times, counts) = before_silence(100, Some(&shelf));
    assert_eq!(times.len() as u64, counts.collected.load(Ordering::Relaxed), "{times:?}");
    assert!(shelf.records.lock().unwrap().is_empty());
}
