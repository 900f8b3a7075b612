//! Two instances of the whole service over three brokers and one PostgreSQL, under load: killed, stopped past their
//! session and resumed, ended and started again. Afterwards the log is replayed, and the store must hold what one
//! undisturbed run over it says, per partition and in its order; every page reached the provider once.
//!
//! Rules are local: a wide rule is held while its partitions are in two processes. `BONGSU_LONG=1` goes round 50 times.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use bongsu::log::kafka::{Config, KafkaLog};
use bongsu::log::{NewRecord, Sink};
use bongsu::model::{PageRow, PageState, Signal, WIDE};
use bongsu::store::{self, Store};
use serde_json::Value;

use crate::gateway_http::example;
use crate::kafka::{Kafka, Plan};
use crate::postgres::InPostgres;
use crate::site::{Running, Site, bongsu, eventually, json_lines, now};
use crate::sms_double::SmsDouble;
use crate::ways_out::only_nhn;

const PARTITIONS: i32 = 4;
const HOSTS: u64 = 12;
/// A job that went bad is good again so many rounds later.
const GOOD_AFTER: usize = 20;
/// A host's wave changes sides every so many rounds.
const WAVE: u64 = 12;
/// Between two rounds of records.
const PACE: Duration = Duration::from_millis(400);
/// Silence after which the brokers take a member for dead.
const SESSION: &str = "group.consumer.session.timeout.ms=6000";
/// Stops beyond the rounds at most, until one process came back with a write in hand.
const MORE_STOPS: usize = 12;
/// More than the store holds.
const ALL: usize = 1_000_000;

const RULES: &str = "  - id: job-bad
    title: 작업 실패
    domain: 인프라
    metric: job.value
    by: [host, job]
    window: { fn: last, over: 1h }
    when: above
    severity: { S2: { value: 90 } }
    no_data: { after: 2h }
  - id: wave-high
    title: 부하 과다
    domain: 응용
    metric: app.wave
    by: [host]
    window: { fn: avg, over: 3s }
    when: above
    severity: { S3: { value: 50, for: 2s } }
    recover: { value: 40, for: 1s }
";

fn rounds() -> usize {
    if std::env::var_os("BONGSU_LONG").is_some() { 50 } else { 5 }
}

/// What happens to an instance.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Kill,
    Stop,
    Restart,
}

/// One of the two.
struct Instance {
    site: Site,
    running: Option<Running>,
}

impl Instance {
    fn new(name: &str, brokers: &str, url: &str, double: &SmsDouble) -> Self {
        let site = Site::new(RULES);
        site.keep_in(url);
        let brokers: Vec<String> = brokers.split(',').map(|broker| format!("\"{broker}\"")).collect();
        let log = format!("kind: kafka, brokers: [{}], group: pair, instance: {name}", brokers.join(", "));
        let ways = only_nhn(&example(site.path("").as_path(), &double.base())).replace("timeout: 700ms", "timeout: 5s");
        let main = std::fs::read_to_string(site.path("bongsu.yaml")).unwrap();
        let main = main.replace("kind: embedded", &log).replace("partitions: 2", "partitions: 4");
        std::fs::write(site.path("bongsu.yaml"), format!("{main}{ways}limits: {{ pages_per_hour: 10000 }}\n")).unwrap();
        let running = Some(site.start());
        Self { site, running }
    }

    fn status(&self) -> Value {
        self.site.get("/v1/status")
    }

    fn partitions(&self) -> BTreeSet<i64> {
        let all = self.status()["partitions"].as_array().cloned().unwrap_or_default();
        all.iter().filter_map(|partition| partition["partition"].as_i64()).collect()
    }

    /// It has read records whose consequences are not in the store.
    fn has_in_hand(&self) -> bool {
        let all = self.status()["partitions"].as_array().cloned().unwrap_or_default();
        !all.is_empty() && all.iter().all(|it| it["caught_up"] == true && it["offset"].as_i64() < it["high"].as_i64())
    }

    fn leads(&self) -> bool {
        self.status()["leader"]["here"] == true
    }

    /// Writes of this process that were refused, as another had taken the partition.
    fn refused(&self) -> u64 {
        let metrics = self.site.text("/metrics");
        let line = metrics.lines().find_map(|line| line.strip_prefix("bongsu_fenced_partitions_total "));
        line.unwrap_or_else(|| panic!("{metrics}")).trim().parse().unwrap()
    }

    fn running(&self) -> &Running {
        self.running.as_ref().expect("it runs")
    }

    fn kill(&mut self) {
        self.running.take().expect("it runs").kill();
    }

    /// SIGTERM.
    fn end(&mut self) {
        let running = self.running.take().expect("it runs");
        assert_eq!(running.end(), Some(0), "{}", self.site.service_log());
    }

    fn begin(&mut self) {
        self.running = Some(self.site.start());
    }
}

/// What came of it.
#[derive(Debug, Default)]
struct Told {
    kills: usize,
    stops: usize,
    restarts: usize,
    refused_writes: u64,
    /// Longest time from the stop of a leader until the other led, ms.
    took_the_lead_ms: u128,
    /// Shortest time from the end of a leader until the other led, ms.
    handed_over_ms: Option<u128>,
}

/// Both, and what they share.
struct Pair {
    two: [Instance; 2],
    store: store::SqlStore,
    told: Told,
}

impl Pair {
    /// Each has some partitions, none both, and everything moves on.
    fn share(&self) {
        eventually("they share the partitions", || {
            let [a, b] = [self.two[0].partitions(), self.two[1].partitions()];
            (a.len() + b.len() == 4 && !a.is_empty() && !b.is_empty() && a.is_disjoint(&b)).then_some(())
        });
        let before = offsets(&self.store);
        eventually("each partition moves on", || {
            offsets(&self.store).iter().zip(&before).all(|(after, before)| after > before).then_some(())
        });
    }

    fn blow(&mut self, blow: Blow, victim: usize, orders: &Orders) {
        match blow {
            Blow::Kill => {
                self.two[victim].kill();
                self.two[victim].begin();
                self.told.kills += 1;
            }
            Blow::Stop => self.stop(victim, orders),
            Blow::Restart => {
                for one in [victim, 1 - victim] {
                    let led = self.two[one].leads();
                    self.two[one].end();
                    if led {
                        let took = time_until("the other leads", || self.two[1 - one].leads());
                        self.told.handed_over_ms = Some(self.told.handed_over_ms.map_or(took, |least| least.min(took)));
                    }
                    self.two[one].begin();
                    self.share();
                }
                self.told.restarts += 2;
            }
        }
        self.share();
    }

    /// Stands still until the other has everything, and comes back, with something in hand that it has not written.
    fn stop(&mut self, victim: usize, orders: &Orders) {
        let [stopped, other] = [&self.two[victim], &self.two[1 - victim]];
        let (before, led) = (stopped.refused(), stopped.leads());
        orders.calm.store(true, Ordering::SeqCst);
        eventually("it has read what is not durable yet", || stopped.has_in_hand().then_some(()));
        stopped.running().signal("-STOP");
        orders.calm.store(false, Ordering::SeqCst);
        if led {
            let took = time_until("the other leads", || other.leads());
            self.told.took_the_lead_ms = self.told.took_the_lead_ms.max(took);
        }
        eventually("the other has all partitions", || (other.partitions().len() == 4).then_some(()));
        stopped.running().signal("-CONT");
        eventually("it comes back and gets its share", || {
            let (a, b) = (stopped.partitions(), other.partitions());
            (a.len() + b.len() == 4 && !a.is_empty() && a.is_disjoint(&b)).then_some(())
        });
        self.told.stops += 1;
        self.told.refused_writes += stopped.refused() - before;
    }

    /// Until nothing is left to do.
    fn settle(&self) {
        let mut quiet = 0;
        eventually("everything is done", || {
            let done = self.two.iter().all(Instance::is_caught_up) && !self.has_work();
            quiet = if done { quiet + 1 } else { 0 };
            (quiet == 10).then_some(())
        });
    }

    fn has_work(&self) -> bool {
        let waits = |state| matches!(state, PageState::Waiting | PageState::Handed);
        let pages = self.store.pages(None, ALL).unwrap();
        pages.iter().any(|row| waits(row.state) && row.page.due <= now())
            || !self.store.inputs(&self.store.cursors().unwrap(), 1).unwrap().is_empty()
    }
}

/// How long it takes until something is so, ms.
fn time_until(what: &str, mut is_so: impl FnMut() -> bool) -> u128 {
    let began = Instant::now();
    eventually(what, || is_so().then_some(()));
    began.elapsed().as_millis()
}

/// How far each partition is; the virtual one of wide rules has no place in the log.
fn offsets(store: &dyn Store) -> Vec<i64> {
    let all = store.partitions().unwrap().into_iter();
    all.filter(|(_, partition, _)| *partition != WIDE).map(|(_, _, progress)| progress.offset).collect()
}

impl Instance {
    fn is_caught_up(&self) -> bool {
        let all = self.status()["partitions"].as_array().cloned().unwrap_or_default();
        !all.is_empty() && all.iter().all(|partition| partition["caught_up"] == true)
    }
}

// --- the load

/// What the load is told.
#[derive(Debug, Default)]
struct Orders {
    /// Sends what changes no rule's mind.
    calm: AtomicBool,
    stop: AtomicBool,
}

/// Sends until it is stopped, then what makes every job good again; gives the jobs whose bad record is in the log.
fn load(sink: &dyn Sink, orders: &Orders) -> BTreeSet<String> {
    let (_never, pace) = channel::<()>();
    let (mut bad, mut open) = (BTreeSet::new(), VecDeque::new());
    let (mut phase, mut stopped) = (0, false);
    while !stopped || !open.is_empty() {
        stopped = orders.stop.load(Ordering::SeqCst);
        let calm = !stopped && orders.calm.load(Ordering::SeqCst);
        let mut records: Vec<NewRecord> = (0..HOSTS).map(|host| wave(host, phase)).collect();
        if !calm {
            phase += 1;
            if stopped || open.len() > GOOD_AFTER {
                records.extend(open.pop_front().map(|one| job(one, 1)));
            }
        }
        let fresh = !calm && !stopped;
        if fresh {
            records.push(job(phase, 99));
            open.push_back(phase);
        }
        let done = sink.append(records);
        if fresh && done.last().is_some_and(Result::is_ok) {
            bad.insert(format!("{phase}"));
        }
        let _ = pace.recv_timeout(PACE);
    }
    bad
}

fn record(host: u64, labels: &str, point: &str) -> NewRecord {
    let ts = now();
    let text = format!(
        "{{\"v\":1,\"ts\":{ts},\"sent\":{ts},\"host\":\"h-{host}\",\"labels\":{{{labels}}},\"points\":[{point}]}}"
    );
    NewRecord { partition: None, key: format!("h-{host}").into_bytes(), value: text.into_bytes() }
}

fn wave(host: u64, phase: u64) -> NewRecord {
    let high = ((phase + 3 * host) / WAVE).is_multiple_of(2);
    record(host, "", &format!("[\"app.wave\",{}]", if high { 80 + host } else { host }))
}

fn job(n: u64, value: u32) -> NewRecord {
    record(n % HOSTS, &format!("\"job\":\"{n}\""), &format!("[\"job.value\",{value}]"))
}

// --- the accounts

/// What tells one signal from another.
fn word(signal: &Value) -> String {
    let part = |name: &str| signal[name].to_string();
    ["at", "rule", "labels", "from", "to", "severity", "value", "unknown"].map(part).join(" ")
}

/// Signals that the incident stage acts on, per partition, as one undisturbed run over the recorded log says, as far as
/// it was worked on: a process that ends may leave a pulse unread.
fn replayed(site: &Site, store: &dyn Store) -> BTreeMap<i32, Vec<String>> {
    let recorded = site.command(&["record"]);
    assert!(recorded.status.success(), "{}", String::from_utf8_lossy(&recorded.stderr));
    let durable: BTreeMap<i32, i64> =
        store.partitions().unwrap().into_iter().map(|(_, partition, progress)| (partition, progress.offset)).collect();
    let mut homes: BTreeMap<String, i32> = BTreeMap::new();
    let mut kept = String::new();
    for line in json_lines(&recorded) {
        let partition = i32::try_from(line["log"]["partition"].as_i64().unwrap()).unwrap();
        if line["log"]["offset"].as_i64().unwrap() >= durable[&partition] {
            continue;
        }
        kept.push_str(&format!("{line}\n"));
        if let Some(host) = line["host"].as_str() {
            let before = homes.insert(host.to_owned(), partition);
            assert!(before.is_none_or(|before| before == partition), "{host} is in two partitions");
        }
    }
    let file = site.path("recorded.ndjson");
    std::fs::write(&file, kept).unwrap();
    let show = |name: &str| site.path(name).display().to_string();
    let (rules, file, config) = (show("rules.yaml"), file.display().to_string(), show("bongsu.yaml"));
    let replay = ["replay", "--rules", &rules, "--input", &file, "-c", &config, "--no-pages", "--format", "json"];
    let run = bongsu(&replay);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut signals: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for line in json_lines(&run).iter().filter(|line| line["type"] == "signal") {
        let quiet = |state: &Value| *state == "inactive" || *state == "pending";
        if quiet(&line["from"]) && quiet(&line["to"]) {
            continue;
        }
        let host = line["labels"]["host"].as_str().unwrap_or_else(|| panic!("{line}"));
        signals.entry(homes[host]).or_default().push(word(line));
    }
    signals
}

/// The same from the store.
fn stored(store: &dyn Store) -> (BTreeMap<i32, Vec<String>>, Vec<Signal>) {
    let (mut words, mut all) = (BTreeMap::new(), Vec::new());
    for partition in 0..PARTITIONS {
        let found = store.signals("telemetry", partition, 0, ALL).unwrap();
        for (n, (seq, _)) in found.iter().enumerate() {
            assert_eq!(usize::try_from(*seq).unwrap(), n + 1, "partition {partition}: no gap in the numbers");
        }
        let signals: Vec<Signal> = found.into_iter().map(|(_, signal)| signal).collect();
        words.insert(partition, signals.iter().map(|it| word(&bongsu::model::wire::signal_to_json(it))).collect());
        all.extend(signals);
    }
    (words, all)
}

fn compare(stored: &BTreeMap<i32, Vec<String>>, replayed: &BTreeMap<i32, Vec<String>>) {
    for (partition, stored) in stored {
        let replayed = replayed.get(partition).map_or(&[][..], Vec::as_slice);
        let same = stored.iter().zip(replayed).take_while(|(a, b)| a == b).count();
        assert!(
            same == stored.len() && same == replayed.len(),
            "partition {partition}: after {same} of {} stored and {} replayed, stored {:#?}, replayed {:#?}",
            stored.len(),
            replayed.len(),
            stored.iter().skip(same).take(3).collect::<Vec<_>>(),
            replayed.iter().skip(same).take(3).collect::<Vec<_>>()
        );
    }
}

/// Every page reached the provider once, and every bad job made an incident. Gives the number of pages.
fn account_for_pages(store: &dyn Store, double: &SmsDouble, signals: &[Signal], bad: &BTreeSet<String>) -> usize {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    for message in double.messages() {
        *taken.entry(message.page).or_default() += 1;
    }
    let rows = store.pages(None, ALL).unwrap();
    let mut decided = BTreeSet::new();
    for row in &rows {
        let page = &row.page;
        let what = (&page.incident, page.step, page.round, &page.to, page.channel.word(), page.reason.word());
        assert!(decided.insert((what, page.occurrence)), "decided twice: {page:?}");
        let times = taken.remove(&page.id).unwrap_or(0);
        match row.state {
            PageState::Accepted => assert_eq!(times, 1, "{row:?}"),
            PageState::Cancelled => assert_eq!(times, 0, "{row:?}"),
            _ => panic!("a page that reached nobody: {row:?}"),
        }
    }
    assert!(taken.is_empty(), "messages that nobody decided: {taken:?}");
    let incidents = store.incidents(ALL).unwrap();
    all_decided_is_there(store, &rows, incidents.len());
    let jobs = |of: &mut dyn Iterator<Item = &bongsu::model::Labels>| -> BTreeSet<String> {
        of.filter_map(|labels| labels.get("job")).map(str::to_owned).collect()
    };
    let fired = jobs(&mut signals.iter().map(|signal| &signal.labels));
    let opened = jobs(&mut incidents.iter().map(|incident| &incident.labels));
    assert_eq!(fired, opened, "an incident for each job that fired");
    assert!(bad.is_subset(&fired), "lost: {:?}", bad.difference(&fired));
    rows.len()
}

/// Whoever opened an incident decided a page, and what was decided waits in the outbox, left, or was taken back because
/// the incident ended first: perhaps in the same transaction, after nobody had led for some seconds.
fn all_decided_is_there(store: &dyn Store, rows: &[PageRow], incidents: usize) {
    let there: BTreeSet<&str> = rows.iter().map(|row| row.page.id.as_str()).collect();
    let entries = store.ledger(0, ALL).unwrap();
    assert_eq!(store::ledger::verify(&entries), Ok(()));
    let (mut decided, mut taken_back, mut opened) = (BTreeSet::new(), BTreeSet::new(), 0);
    for entry in &entries {
        let entry: Value = serde_json::from_str(&entry.json).unwrap();
        let list = |name: &str| entry[name].as_array().cloned().unwrap_or_default();
        let pages = list("pages");
        if list("moved").iter().any(|moved| moved["change"] == "opened") {
            assert!(!pages.is_empty(), "nobody was to be told: {entry}");
            opened += 1;
        }
        decided.extend(pages.iter().map(|page| page["id"].as_str().unwrap().to_owned()));
        taken_back.extend(list("cancels").iter().map(|cancel| cancel[0].as_str().unwrap().to_owned()));
    }
    assert_eq!(opened, incidents);
    for page in &decided {
        assert!(there.contains(page.as_str()) || taken_back.contains(page), "decided and not there: {page}");
    }
    assert!(there.iter().all(|page| decided.contains(*page)), "in the outbox and never decided");
}

#[test]
fn two_instances_that_are_killed_stopped_and_restarted_lose_and_double_nothing() {
    let _alone = crate::kafka_cluster::alone();
    let kafka = Kafka::with(&Plan { nodes: 3, more: vec![SESSION.to_owned()], ..Plan::default() });
    let (database, double) = (InPostgres::default(), SmsDouble::start());
    let url = database.url();
    let two = ["eval-1", "eval-2"].map(|name| Instance::new(name, kafka.brokers(), &url, &double));
    let mut pair = Pair { two, store: store::open_readonly(&url).unwrap(), told: Told::default() };
    // What is sent before the first of them has begun is the past.
    eventually("all partitions are in the store", || (offsets(&pair.store).len() == 4).then_some(()));
    let sink = KafkaLog::new(Config::new(kafka.brokers())).unwrap().sink("telemetry").unwrap();
    let orders = Orders::default();
    let began = Instant::now();
    let bad = std::thread::scope(|scope| {
        let load = scope.spawn(|| load(&sink, &orders));
        // Whatever panics must not leave the load running.
        let story = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            pair.share();
            for round in 0..rounds() {
                for blow in [Blow::Kill, Blow::Stop, Blow::Restart] {
                    pair.blow(blow, round % 2, &orders);
                    println!("{:>4} s: {round} {blow:?}", began.elapsed().as_secs());
                }
            }
            // Whether a stop falls between a reading and its flush is a matter of luck, for all that helps it.
            for round in 0..MORE_STOPS {
                if pair.told.refused_writes == 0 {
                    pair.blow(Blow::Stop, round % 2, &orders);
                }
            }
        }));
        orders.stop.store(true, Ordering::SeqCst);
        let bad = load.join().unwrap();
        story.unwrap();
        bad
    });
    pair.settle();
    for one in &mut pair.two {
        one.end();
    }
    let (words, signals) = stored(&pair.store);
    compare(&words, &replayed(&pair.two[0].site, &pair.store));
    let pages = account_for_pages(&pair.store, &double, &signals, &bad);
    assert!(pair.store.seat().unwrap().is_free(), "both gave the lead up");
    println!("{} jobs, {} signals, {pages} pages; {:?}", bad.len(), signals.len(), pair.told);
    assert!(pair.told.handed_over_ms.is_some_and(|ms| ms < 3_000), "a leader that ends is not waited for");
    assert!(pair.told.refused_writes > 0, "a process that stood still wrote when it came back, and was refused");
}
