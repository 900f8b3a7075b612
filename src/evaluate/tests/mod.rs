//! What the stage promises, as properties over whole partitions; here, what all of them build their worlds from.

mod calm;
mod corners;
mod dense;
mod expected;
mod exprs;
mod functions;
mod lag;
mod meaning;
mod panes;
mod parts;
mod reload;
mod review;
mod verdicts;
mod windows;
mod worlds;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::evaluate::{Effects, Limits, Partition, Setup, SkewPolicy, Warm};
use crate::model::{
    Comparison, Decoded, Domain, FUNCTIONS, Fingerprint, Fold, Function, Inventory, Join, Kind, Labels, Level, Line,
    Mode, NoData, Progress, Recover, RowChange, Rule, RuleSet, SeriesKey, Severity, Shape, Signal, StateRow, Then,
    Threshold, Watch,
};
use crate::time::{DAY, MINUTE, Ms, SECOND};

/// A time to begin at: a multiple of every interval.
const BEGIN: Ms = 1_764_000_000_000;

fn rule(id: &str, function: Function, when: Comparison, limit: f64) -> Rule {
    Rule {
        id: Arc::from(id),
        title: "시험".to_owned(),
        domain: Domain::Infra,
        interval: SECOND,
        watch: Watch::Metric { name: "m".to_owned(), matchers: Vec::new() },
        by: Some(vec!["host".to_owned()]),
        function,
        over: MINUTE,
        step: None,
        across: None,
        when,
        levels: vec![level(Severity::S2, limit, 0)],
        recover: Recover::default(),
        min_samples: 1,
        no_data: NoData { after: 5 * MINUTE, then: Then::Hold },
        forget: DAY,
        chain: None,
        overrides: Vec::new(),
        also: Vec::new(),
        join: Join::All,
        mode: Mode::Live,
        beside: None,
        expected: false,
        bonds: Default::default(),
    }
}

/// Every window function.
fn functions() -> Vec<Function> {
    FUNCTIONS.iter().map(|(function, _)| *function).collect()
}

fn level(severity: Severity, limit: f64, hold: Ms) -> Level {
    Level { severity, threshold: Threshold::One(limit), hold }
}

fn setup(rules: Vec<Rule>, builtins: bool) -> Arc<Setup> {
    let rules = RuleSet {
        hash: format!("{}", rules.len()),
        rules: rules.into_iter().map(Arc::new).collect(),
        groups: Vec::new(),
    };
    Arc::new(Setup {
        rules: Arc::new(rules),
        inventory: Arc::new(Inventory::default()),
        topic: "t".to_owned(),
        partitions: 1,
        limits: Limits { series: 1_000_000, series_per_rule: 1_000_000, window_memory: 1 << 30 },
        skew: SkewPolicy::Shift,
        builtins,
        source_silent: None,
    })
}

fn key(name: &str, host: &str) -> SeriesKey {
    SeriesKey { name: Arc::from(name), labels: Labels::new([("host", host)]) }
}

/// One record with one number of metric `m`.
fn number(host: u32, ts: Ms, value: f64) -> Decoded {
    let name = format!("h{host}");
    let shape = Shape { id: host, generation: 0, host: Arc::from(name.as_str()), series: vec![key("m", &name)] };
    Decoded {
        kind: Kind::Data,
        host: Arc::from(name.as_str()),
        ts,
        shape: Some(Arc::new(shape)),
        values: vec![value],
        labels: Labels::new([("host", name.as_str())]),
        ..Decoded::default()
    }
}

fn lines(host: &str, ts: Ms, texts: &[&str]) -> Decoded {
    let lines = texts.iter().map(|text| Line { ts, level: "ERROR".to_owned(), text: (*text).to_owned() }).collect();
    let labels = Labels::new([("host", host)]);
    Decoded { kind: Kind::Data, host: Arc::from(host), ts, labels, lines, ..Decoded::default() }
}

fn pulse() -> Decoded {
    Decoded { kind: Kind::Pulse, ..Decoded::default() }
}

fn start(setup: &Arc<Setup>) -> Partition {
    Partition::start(Arc::clone(setup), 0, None, Vec::new(), Warm::default())
}

/// `at after-begin: rule from→to severity cause`, what most tests compare.
fn show(signals: &[Signal]) -> Vec<String> {
    let one = |signal: &Signal| {
        let cause = signal.unknown.map_or(String::new(), |cause| format!(" {}", cause.word()));
        let ended = signal.ended.map_or(String::new(), |ended| format!(" {}", ended.word()));
        let severity = signal.severity.map_or("-", Severity::code);
        let (from, to) = (signal.from.word(), signal.to.word());
        format!("{} {} {from}>{to} {severity}{cause}{ended}", signal.at - BEGIN, signal.rule)
    };
    signals.iter().map(one).collect()
}

/// The rows as a store would have them.
#[derive(Debug, Default, Clone, PartialEq)]
struct Rows(BTreeMap<Fingerprint, StateRow>);

impl Rows {
    fn take(&mut self, changes: &[RowChange]) {
        for change in changes {
            match change {
                RowChange::Put(row) => drop(self.0.insert(row.fingerprint, (**row).clone())),
                RowChange::Remove(fingerprint) => drop(self.0.remove(fingerprint)),
            }
        }
    }
}

/// Applies (append, record) in order and gives every signal.
fn feed(partition: &mut Partition, records: &[(Ms, Decoded)]) -> (Vec<Signal>, Effects) {
    let mut out = Effects::default();
    let from = partition.progress().offset;
    for (offset, (append, record)) in (from..).zip(records) {
        partition.apply(offset, *append, record, &mut out);
    }
    (out.signals.clone(), out)
}

/// Where a partition stands, as the store keeps it.
fn stored(partition: &Partition) -> Progress {
    partition.progress()
}
