//! `bongsu replay` from a file to its figures, as a user runs it: `cargo bench --bench replay`.
//!
//! The workload is the one that the promise names: 1,000,000 samples through 50 rules, NDJSON with 20 points a record,
//! 1,000 series of 50 hosts, 1,000 samples each at 10 s, each rule one metric, a 1 s tick, 5-minute windows, pages left
//! out. What is timed is the whole program, from its start to its last line; the best of three runs counts, because
//! whatever else the machine does can only add. The bounds are those of two cores.

#![allow(clippy::print_stdout, reason = "a bench prints its figures")]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use bongsu::time::{Clock, SystemClock};

const HOSTS: usize = 50;
const METRICS: usize = 20;
const RULES: usize = 50;
const SAMPLES: i64 = 1_000;
const INTERVAL: i64 = 10_000;
const BEGINNING: i64 = 1_767_571_200_000;
const RUNS: usize = 3;

fn input(path: &Path) {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut file = std::io::BufWriter::new(std::fs::File::create(path).expect("the file can be made"));
    for n in 0..SAMPLES {
        for host in 0..HOSTS {
            let ts = BEGINNING + n * INTERVAL + host as i64 * INTERVAL / HOSTS as i64;
            let points: Vec<String> = (0..METRICS)
                .map(|metric| {
                    // One host is busy on two metrics for half an hour; counters rise by about one a sample.
                    let busy = host == 0 && metric % 10 == 0 && (300..480).contains(&n);
                    let value = match metric % 4 {
                        3 => n as f64,
                        _ if busy => 0.97 + rng.f64() * 0.02,
                        _ => rng.f64() * 0.9,
                    };
                    format!("[\"bench.metric.{metric:02}\",{value:.4}]")
                })
                .collect();
            writeln!(
                file,
                "{{\"v\":1,\"ts\":{ts},\"sent\":{ts},\"host\":\"host-{host:02}\",\"labels\":{{\"env\":\"prod\",\"role\":\"db\"}},\
                 \"points\":[{}]}}",
                points.join(",")
            )
            .expect("the file can be written");
        }
    }
    file.flush().expect("the file can be written");
}

fn rules(path: &Path, limit: &str) {
    let mut text = "version: 1\ninterval: 1s\nrules:\n".to_owned();
    for n in 0..RULES {
        let metric = n % METRICS;
        let (function, when, limit) = match metric % 4 {
            0 => ("avg", "above", limit),
            1 => ("max", "above", "0.999"),
            2 => ("min", "below", "-0.001"),
            _ => ("rate", "above", "0.2"),
        };
        let _ = write!(
            text,
            "  - id: rule-{n:02}\n    title: 부하 측정\n    metric: bench.metric.{metric:02}\n    by: [host]\n    \
             window: {{ fn: {function}, over: 5m }}\n    when: {when}\n    \
             severity: {{ S2: {{ value: {limit}, for: {}m }} }}\n",
            2 + n / METRICS
        );
    }
    std::fs::write(path, text).expect("the file can be written");
}

/// The best time of a run, in s, and the last line that it printed.
fn run(args: &[&str]) -> (f64, String) {
    let (mut best, mut last) = (f64::MAX, String::new());
    for _ in 0..RUNS {
        let began = SystemClock.elapsed();
        let done = Command::new(env!("CARGO_BIN_EXE_bongsu")).arg("replay").args(args).output();
        let done = done.expect("the program starts");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        best = best.min((SystemClock.elapsed() - began) as f64 / 1_000.0);
        last = String::from_utf8_lossy(&done.stdout).lines().last().unwrap_or_default().to_owned();
    }
    (best, last)
}

fn main() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| -> PathBuf { dir.path().join(name) };
    input(&path("input.ndjson"));
    rules(&path("rules.yaml"), "0.95");
    rules(&path("other.yaml"), "0.9");
    let size = std::fs::metadata(path("input.ndjson")).map_or(0, |file| file.len());
    println!("1,000,000 samples, 50 rules, {} MB; best of {RUNS}", size / 1_000_000);
    let text = |name: &str| path(name).display().to_string();
    let (file, mine, other) = (text("input.ndjson"), text("rules.yaml"), text("other.yaml"));
    let base = ["--rules", &mine, "--input", &file, "--no-pages", "--quiet-signals"];
    let show = |name: &str, limit: f64, (took, last): (f64, String)| {
        let verdict = if took <= limit { "ok" } else { "TOO SLOW" };
        println!("{name:<28} {took:>6.2} s   at most {limit:>4.1} s: {verdict}   {last}");
        took
    };
    let alone = show("replay", 2.0, run(&base));
    let against: Vec<&str> = base.iter().copied().chain(["--against", &other]).collect();
    show("replay --against", (2.0 * alone).max(0.5), run(&against));
    let sweep = [&base[..5], &["--sweep", "rule-00.severity.S2.value=0.80..0.99/20"]].concat();
    show("replay --sweep of 20", 20.0, run(&sweep));
}
