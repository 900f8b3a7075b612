//! Expressions tick by tick, on one core: `cargo bench --bench expressions`.
//!
//! Each figure is one evaluation of all rules at one tick, CPU time of this thread; `plain` evaluates every rule by itself
//! over the same windows, `together` as rules run live: equal parts once, and what no sample has touched not at all. Both
//! are measured in one run, so that the ratio holds on a noisy machine, and their results are compared.
//!
//! The last table is what one sample costs one window function where every tick brings one to each series: `read`, by
//! reading its window, and `carried on`, as it is done live; the last column is the latter against that of 2 m.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::cell::RefCell;

use bongsu::evaluate::promql::{Kept, NAME, Together, Value, Windows, instant, parse};
use bongsu::model::Labels;

const HOSTS: usize = 200;
/// Samples come each 10 s.
const EVERY: i64 = 10_000;

fn cpu() -> i64 {
    let at = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    at.tv_sec * 1_000_000_000 + at.tv_nsec
}

struct World {
    series: Vec<Labels>,
    windows: Windows,
    together: Together,
    kept: RefCell<Kept>,
    rng: fastrand::Rng,
    at: i64,
    plain: i64,
    shared: i64,
    ticks: i64,
}

impl World {
    fn new(texts: &[String]) -> Self {
        let together = Together::new(texts.iter().map(|text| parse(text).expect("it reads")).collect());
        let mut windows = Windows::default();
        windows.watch(together.sets(), &std::sync::Arc::default());
        let series = (0..HOSTS).flat_map(|host| {
            ["cpu_ratio", "net_bytes_total", "req_seconds"].map(|name| {
                let host = format!("host-{host:04}");
                Labels::new([(NAME, name), ("host", &host), ("instance", &host), ("env", "prod"), ("role", "db")])
            })
        });
        let (series, kept) = (series.collect(), RefCell::new(Kept::default()));
        let rng = fastrand::Rng::with_seed(7);
        Self { series, windows, together, kept, rng, at: 0, plain: 0, shared: 0, ticks: 0 }
    }

    /// One second; each series says something each 10 s, spread over the time in between.
    fn second(&mut self) {
        self.at += 1_000;
        for (n, labels) in self.series.iter().enumerate() {
            if self.at % EVERY == (n as i64 % 10) * 1_000 {
                let counter = n % 3 == 1;
                let value = if counter { self.at as f64 } else { self.rng.f64() };
                self.windows.insert(labels, self.at, value, usize::MAX);
            }
        }
    }

    /// One tick, both ways.
    fn tick(&mut self) {
        let began = cpu();
        let plain: Vec<_> = self.together.exprs().iter().map(|expr| instant(expr, &self.windows, self.at)).collect();
        self.plain += cpu() - began;
        let began = cpu();
        self.together.begin(&self.kept, &self.windows.touched());
        let all = 0..self.together.exprs().len();
        let shared: Vec<_> = all.map(|n| self.together.instant(n, &self.windows, &self.kept, self.at)).collect();
        self.shared += cpu() - began;
        self.ticks += 1;
        assert!(plain == shared, "both ways give the same");
        assert!(plain.iter().all(|value| matches!(value, Ok(Value::Vector(_)))), "a vector each");
    }

    /// `keep` ms fill the windows, then `ticks` ticks are measured, `interval` ms apart.
    fn run(mut self, name: &str, keep: i64, (ticks, interval): (i64, i64)) {
        for _ in 0..keep / 1_000 {
            self.second();
        }
        for n in 0..ticks + 2 {
            for _ in 0..interval / 1_000 {
                self.second();
            }
            if n == 2 {
                (self.plain, self.shared, self.ticks) = (0, 0, 0);
            }
            self.tick();
            self.windows.trim(self.at - keep - 60_000);
        }
        let per = |ns: i64| ns as f64 / self.ticks as f64 / 1_000.0;
        println!(
            "{name:<58} plain {:>9.0} µs/tick   together {:>7.0} µs/tick   {:>6.1} times less",
            per(self.plain),
            per(self.shared),
            self.plain as f64 / self.shared as f64
        );
    }
}

fn main() {
    println!("{HOSTS} hosts, 3 series each, a sample each 10 s");
    let leaves = [
        "avg_over_time(cpu_ratio[5m])",
        "max_over_time(cpu_ratio[5m])",
        "stddev_over_time(req_seconds[5m])",
        "rate(net_bytes_total[5m])",
        "quantile_over_time(0.9, req_seconds[5m])",
        "sum by (role) (rate(net_bytes_total[5m]))",
        "avg by (env) (avg_over_time(cpu_ratio[5m]))",
        "max_over_time(rate(net_bytes_total[1m])[10m:30s])",
        "cpu_ratio",
        "cpu_ratio / on (host) req_seconds",
    ];
    let rules: Vec<String> =
        (0..50).map(|n| format!("{} > {}", leaves[n % leaves.len()], 2_000 + n / leaves.len())).collect();
    for interval in [1_000, 10_000, 60_000] {
        let name = format!("50 rules, 10 leaves, a tick each {} s", interval / 1_000);
        World::new(&rules).run(&name, 900_000, (20, interval));
    }
    for function in ["avg_over_time", "rate"] {
        for (over, length) in [("1m", 60_000), ("10m", 600_000), ("1h", 3_600_000), ("6h", 21_600_000)] {
            let rule = [format!("{function}(net_bytes_total[{over}]) > 1e18")];
            World::new(&rule).run(&format!("{function} over {over}, a tick each s"), length, (20, 1_000));
        }
    }
    for call in CALLS {
        let mut shortest = None;
        for (over, length) in [("2m", 120_000), ("20m", 1_200_000), ("2h", 7_200_000), ("7d", 604_800_000)] {
            per_sample(call, (over, length), &mut shortest);
        }
    }
}

/// What one sample costs, with `W` for the window.
const CALLS: [&str; 9] = [
    "max_over_time(m[W])",
    "min_over_time(m[W])",
    "quantile_over_time(0.9, m[W])",
    "rate(m[W])",
    "changes(m[W])",
    "avg_over_time(m[W])",
    "stddev_over_time(m[W])",
    "predict_linear(m[W], 3600)",
    "count_over_time(m[W])",
];

/// Some series, each of which gets a sample before each tick; a tick each 10 s.
fn per_sample(call: &str, (over, length): (&str, i64), shortest: &mut Option<f64>) {
    const SERIES: usize = 10;
    let text = call.replace('W', over);
    let together = Together::new(vec![parse(&text).expect("it reads")]);
    let (mut windows, kept) = (Windows::default(), RefCell::new(Kept::default()));
    windows.watch(together.sets(), &std::sync::Arc::default());
    let series: Vec<Labels> = (0..SERIES).map(|n| Labels::new([(NAME, "m"), ("host", &format!("host-{n}"))])).collect();
    let mut rng = fastrand::Rng::with_seed(7);
    let come = |windows: &mut Windows, at: i64, rng: &mut fastrand::Rng| {
        for labels in &series {
            let value = if call.starts_with("rate") { at as f64 } else { rng.f64() * 100.0 };
            windows.insert(labels, at, value, usize::MAX);
        }
    };
    (1..=length / EVERY).for_each(|n| come(&mut windows, n * EVERY, &mut rng));
    let (mut read, mut carried, mut reads) = (0, 0, 0);
    // Enough of them for the blocks of a week to pass by.
    let ticks = 4_000;
    for n in 0..ticks + 1 {
        let at = (length / EVERY + n) * EVERY;
        come(&mut windows, at, &mut rng);
        let began = cpu();
        together.begin(&kept, &windows.touched());
        let shared = together.instant(0, &windows, &kept, at);
        // The first one reads the window.
        carried += if n == 0 { 0 } else { cpu() - began };
        if n % 400 == 0 {
            let began = cpu();
            let plain = instant(&together.exprs()[0], &windows, at);
            (read, reads) = (read + cpu() - began, reads + 1);
            assert!(plain == shared, "both ways give the same");
        }
        if n % 6 == 0 {
            windows.trim(at - length - 60_000);
        }
    }
    let (read, carried) = (per(read, reads), per(carried, ticks));
    let first = *shortest.get_or_insert(carried);
    println!(
        "{text:<32} read {read:>9.0} ns/sample   carried on {carried:>6.0} ns/sample   {:>7.1} times less   × {:.2}",
        read / carried,
        carried / first
    );

    fn per(ns: i64, ticks: i64) -> f64 {
        ns as f64 / ticks as f64 / SERIES as f64
    }
}
