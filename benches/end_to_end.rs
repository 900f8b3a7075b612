//! Records from memory through decode, windows and states, on one core: `cargo bench --bench end_to_end`.
//!
//! The workload is the one on which the peers were measured: 100,000 series (2,000 hosts × 50 metrics) sampled each 10 s,
//! 50 rules of one metric each (avg, max, min and rate over 5 m, a threshold for 2 m), about 0.1 % firing, ticks of 1 s.
//! CPU time is this thread's; what is timed is `Lanes::feed` alone, and decoding alone over the same records in the same
//! run, so that the ratio holds on a noisy machine. Windows are full before anything is measured.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::sync::Arc;

use bongsu::decode::{Decoder, Limits};
use bongsu::evaluate::{self, Counters, Setup, SkewPolicy, Warm};
use bongsu::model::{
    Comparison, Decoded, Domain, Function, Inventory, Join, Level, Mode, NoData, PULSE_KEY, Progress, Recover, Rule,
    RuleSet, Severity, Then, Threshold, Watch,
};
use bongsu::pipeline::stages::{At, Lanes};

const HOSTS: usize = 2_000;
const METRICS: usize = 50;
const INTERVAL: i64 = 10_000;
const BEGINNING: i64 = 1_767_571_200_000;
/// Rounds that fill the 5-minute windows, and rounds that are measured: a whole window, as a healthy series is visited
/// about once in it.
const FILL: i64 = 31;
const MEASURED: i64 = 30;
const IDLE_TICKS: i64 = 60;
/// Hosts whose rule fires all the time.
const FIRING: usize = 10;

struct Record {
    append: i64,
    host: usize,
    value: Vec<u8>,
}

fn limits() -> Limits {
    Limits { record_bytes: 1 << 20, shapes: 1_000_000 }
}

fn rule(n: usize, functions: &[Function]) -> Arc<Rule> {
    let function = functions[n % functions.len()];
    // Values lie between 0 and 1; counters rise by about 1 a sample.
    let limit = if function == Function::Rate { 0.2 } else { 0.999 };
    let when = if function == Function::Min { Comparison::Below } else { Comparison::Above };
    let limit = if function == Function::Min { -0.001 } else { limit };
    Arc::new(Rule {
        id: Arc::from(format!("rule-{n:02}")),
        title: "부하 측정".to_owned(),
        domain: Domain::Infra,
        interval: 1_000,
        watch: Watch::Metric { name: format!("bench.metric.{n:02}"), matchers: Vec::new() },
        by: Some(vec!["host".to_owned()]),
        function,
        over: 300_000,
        step: None,
        across: None,
        when,
        levels: vec![Level { severity: Severity::S2, threshold: Threshold::One(limit), hold: 120_000 }],
        recover: Recover::default(),
        min_samples: 1,
        no_data: NoData { after: 300_000, then: Then::Hold },
        forget: 86_400_000,
        chain: None,
        overrides: Vec::new(),
        also: Vec::new(),
        join: Join::All,
        mode: Mode::Live,
        beside: None,
        expected: false,
        bonds: Default::default(),
    })
}

fn lanes(functions: &[Function]) -> Lanes {
    lanes_of((0..METRICS).map(|n| rule(n, functions)).collect())
}

fn lanes_of(rules: Vec<Arc<Rule>>) -> Lanes {
    let setup = Setup {
        rules: Arc::new(RuleSet { hash: "bench".to_owned(), rules, groups: Vec::new() }),
        inventory: Arc::new(Inventory::default()),
        topic: "bench".to_owned(),
        partitions: 1,
        limits: evaluate::Limits { series: 1_000_000, series_per_rule: 100_000, window_memory: 1 << 30 },
        skew: SkewPolicy::Shift,
        builtins: true,
        source_silent: None,
    };
    let mut lanes = Lanes::new(Arc::new(setup), limits(), None, Vec::new());
    lanes.start(0, Some(&Progress::default()), Vec::new(), Warm { low: 0, first_append: None });
    lanes
}

/// One round of all hosts, `batch` points a record, in append order.
fn round(n: i64, batch: usize, jitter: i64, rng: &mut fastrand::Rng) -> Vec<Record> {
    let mut records = Vec::new();
    for host in 0..HOSTS {
        let beat = host as i64 * INTERVAL / HOSTS as i64;
        let ts = BEGINNING + n * INTERVAL + beat + if jitter > 0 { rng.i64(-jitter..=jitter) } else { 0 };
        for first in (0..METRICS).step_by(batch) {
            let points: Vec<String> = (first..(first + batch).min(METRICS))
                .map(|metric| {
                    let busy = host == 0 && metric % 25 == 0;
                    let value = if metric % 4 == 3 {
                        n as f64
                    } else if busy {
                        1.5
                    } else {
                        rng.f64() * 0.9
                    };
                    format!("[\"bench.metric.{metric:02}\",{value:.4}]")
                })
                .collect();
            let text = format!(
                "{{\"v\":1,\"ts\":{ts},\"sent\":{ts},\"host\":\"host-{host:04}\",\"labels\":{{\"env\":\"prod\",\"role\":\"db\",\"zone\":\"a\"}},\"points\":[{}]}}",
                points.join(",")
            );
            records.push(Record { append: ts + 50, host, value: text.into_bytes() });
        }
    }
    records.sort_by_key(|record| record.append);
    records
}

/// This thread's CPU time in ns.
fn cpu() -> i64 {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    at.tv_sec * 1_000_000_000 + at.tv_nsec
}

#[derive(Default)]
struct Feeder {
    offset: i64,
    counters: Counters,
    signals: usize,
}

impl Feeder {
    fn feed(&mut self, lanes: &mut Lanes, append: i64, key: &[u8], value: &[u8]) {
        let at = At { partition: 0, offset: self.offset, append };
        self.offset += 1;
        let (counters, signals) = (&mut self.counters, &mut self.signals);
        lanes.feed(at, key, value, &mut |fed| {
            counters.add(&fed.effects.counters);
            *signals += fed.effects.signals.len();
        });
    }
}

fn run(name: &str, batch: usize, jitter: i64) {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut lanes = lanes(&[Function::Avg, Function::Max, Function::Min, Function::Rate]);
    let mut feeder = Feeder::default();
    let (mut decoder, mut decoded) = (Decoder::new(limits()), Decoded::default());
    let (mut whole, mut decode, mut samples, mut visited) = (0, 0, 0_u64, 0);
    let mut clock = i64::MIN;
    for n in 0..FILL + MEASURED {
        let records = round(n, batch, jitter, &mut rng);
        let before = feeder.counters;
        let began = cpu();
        for record in &records {
            clock = clock.max(record.append);
            let key = format_key(record.host);
            feeder.feed(&mut lanes, clock, &key, &record.value);
        }
        let fed = cpu() - began;
        let began = cpu();
        for record in &records {
            decoder.decode(record.append, &format_key(record.host), &record.value, &mut decoded);
        }
        if n >= FILL {
            whole += fed;
            decode += cpu() - began;
            samples += feeder.counters.samples - before.samples;
            visited += feeder.counters.visited - before.visited;
        }
    }
    let per = |ns: i64| ns as f64 / samples as f64;
    println!(
        "{name:<28} {:>6.2} M samples/core-s   {:>6.0} ns/sample = decode {:>4.0} + evaluate {:>4.0}   decode alone {:>6.2} M/core-s   {:.2} visits/sample   {} signals",
        1_000.0 / per(whole),
        per(whole),
        per(decode),
        per(whole - decode),
        1_000.0 / per(decode),
        visited as f64 / samples as f64,
        feeder.signals,
    );
}

/// A host's key, on the stack.
fn format_key(host: usize) -> [u8; 9] {
    let mut key = *b"host-0000";
    let (mut rest, mut place) = (host, 8);
    while rest > 0 && place > 4 {
        key[place] = b'0' + (rest % 10) as u8;
        rest /= 10;
        place -= 1;
    }
    key
}

/// 100,000 series that are silent and not yet missed: what does a tick cost?
fn idle() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut lanes = lanes(&[Function::Avg, Function::Max, Function::Min, Function::Last]);
    let mut feeder = Feeder::default();
    for n in 0..3 {
        for record in round(n, 20, 0, &mut rng) {
            feeder.feed(&mut lanes, record.append, &format_key(record.host), &record.value);
        }
    }
    let mut clock = BEGINNING + 3 * INTERVAL + 2_000;
    feeder.feed(&mut lanes, clock, PULSE_KEY, b"");
    let before = feeder.counters;
    let began = cpu();
    for _ in 0..IDLE_TICKS {
        clock += 1_000;
        feeder.feed(&mut lanes, clock, PULSE_KEY, b"");
    }
    let spent = cpu() - began;
    println!(
        "idle: 100,000 series, {:.0} ns per tick (pulse, decode and all), {} instances visited in {IDLE_TICKS} ticks",
        spent as f64 / IDLE_TICKS as f64,
        feeder.counters.visited - before.visited,
    );
}

/// One series a host that fires all the time, a sample each second: what does a sample cost, by the window's length?
fn firing() {
    for function in [Function::Avg, Function::Max, Function::Rate] {
        for minutes in [2, 20, 120, 360] {
            let mut own = Rule::clone(&rule(0, &[function]));
            (own.over, own.levels[0].hold) = (minutes * 60_000, 0);
            own.levels[0].threshold = Threshold::One(-1.0);
            let mut lanes = lanes_of(vec![Arc::new(own)]);
            let (mut feeder, mut spent, mut samples) = (Feeder::default(), 0, 0);
            for n in 0..minutes * 60 + 200 {
                for host in 0..FIRING {
                    let ts = BEGINNING + n * 1_000;
                    let text = format!(
                        "{{\"v\":1,\"ts\":{ts},\"sent\":{ts},\"host\":\"host-{host:04}\",\"points\":[[\"bench.metric.00\",{n}.5]]}}"
                    );
                    let began = cpu();
                    feeder.feed(&mut lanes, ts + 50, &format_key(host), text.as_bytes());
                    if n >= minutes * 60 {
                        spent += cpu() - began;
                        samples += 1;
                    }
                }
            }
            let per = spent as f64 / f64::from(samples);
            println!("firing, {function:?} over {minutes:>3} min of a sample each second: {per:>8.0} ns a sample");
        }
    }
}

fn main() {
    println!("2,000 hosts × 50 metrics, each 10 s; 50 rules; {MEASURED} rounds measured after {FILL}");
    run("batches of 20", 20, 0);
    run("batches of 20, ±1 s jitter", 20, 1_000);
    run("single records", 1, 0);
    run("single records, ±1 s jitter", 1, 1_000);
    idle();
    firing();
}
