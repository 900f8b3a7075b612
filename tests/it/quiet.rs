//! A quiet life costs nothing, and the end of silence does not hide what is grave: 100,000 series under five rules.
//!
//! Bytes written are the process's own, so the quiet life runs in a child of its own. Time is virtual.

use std::sync::Arc;

use bongsu::decode::Limits;
use bongsu::evaluate::{self, Setup, SkewPolicy};
use bongsu::log::{NewRecord, Sink};
use bongsu::model::{
    Comparison, Domain, Function, Inventory, Join, Level, Mode, NoData, PageState, Recover, Rule, RuleSet, Severity,
    Then, Threshold, Watch,
};
use bongsu::notify::{Gateway, Worker};
use bongsu::pipeline::evaluator::{Evaluator, Sides};
use bongsu::pipeline::leader::World;
use bongsu::pipeline::leading::Leading;
use bongsu::pipeline::node::Node;
use bongsu::pipeline::outbox::{Contacts, StoreOutbox};
use bongsu::pipeline::sim::{FakeGateway, MemoryLog, people};
use bongsu::store::Store;
use bongsu::time::{Clock, ManualClock};

const BEGINNING: i64 = 1_767_571_200_000;
const METRICS: usize = 50;
const MINUTES: i64 = 10;
const TURNS: usize = 100_000;

fn rule(n: usize) -> Arc<Rule> {
    let function = [Function::Avg, Function::Max, Function::Min, Function::Last, Function::Avg][n];
    Arc::new(Rule {
        id: Arc::from(format!("quiet-{n}")),
        title: "조용한 규칙".to_owned(),
        domain: Domain::Infra,
        interval: 1_000,
        watch: Watch::Metric { name: "quiet.metric".to_owned(), matchers: Vec::new() },
        by: Some(vec!["host".to_owned(), "n".to_owned()]),
        function,
        over: 60_000 * (n as i64 + 1),
        step: None,
        across: None,
        when: Comparison::Above,
        levels: vec![Level { severity: Severity::S1, threshold: Threshold::One(90.0), hold: 0 }],
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

struct Life {
    clock: Arc<ManualClock>,
    log: MemoryLog,
    store: Arc<dyn Store>,
    node: Node,
}

impl Life {
    fn new(store: Arc<dyn Store>) -> Self {
        let rules = RuleSet { hash: "quiet".to_owned(), rules: (0..5).map(rule).collect(), groups: Vec::new() };
        let clock = Arc::new(ManualClock::at(BEGINNING));
        let log = MemoryLog::new("telemetry", 4, BEGINNING);
        let setup = Setup {
            rules: Arc::new(rules.clone()),
            inventory: Arc::default(),
            topic: "telemetry".to_owned(),
            partitions: 4,
            limits: evaluate::Limits { series: 1_000_000, series_per_rule: 200_000, window_memory: 1 << 30 },
            skew: SkewPolicy::Shift,
            builtins: true,
            source_silent: Some(Severity::S2),
        };
        let sides = Sides {
            source: Box::new(log.source()),
            pulses: Some(Arc::new(log.clone())),
            dead: None,
            store: Arc::clone(&store),
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
        };
        let limits = Limits { record_bytes: 1 << 20, shapes: 1_000_000 };
        let evaluator = Evaluator::start(sides, "quiet", Arc::new(setup), limits).unwrap();
        let world = Arc::new(World::new(rules, people(), Inventory::default()));
        let leading = Leading::new(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>, "quiet", world);
        let gateways: Vec<Arc<dyn Gateway>> = vec![Arc::new(FakeGateway::new(true))];
        let contacts = Arc::new(Contacts::new(Arc::new(people())));
        let outbox = Arc::new(StoreOutbox::new(Arc::clone(&store), None));
        let worker = Worker::new("quiet", outbox, gateways, contacts, Arc::clone(&clock) as Arc<dyn Clock>);
        Self { clock, log, store, node: Node { evaluator, leading, worker } }
    }

    fn send(&self, hosts: usize, value: f64) {
        let ts = self.clock.wall();
        for host in 0..hosts {
            let points: Vec<String> =
                (0..METRICS).map(|n| format!("[\"quiet.metric\",{value},{{\"n\":\"{n}\"}}]")).collect();
            let text = format!("{{\"v\":1,\"ts\":{ts},\"host\":\"h-{host}\",\"points\":[{}]}}", points.join(","));
            let record = NewRecord { partition: None, key: format!("h-{host}").into_bytes(), value: text.into_bytes() };
            for done in self.log.append(vec![record]) {
                done.unwrap();
            }
        }
    }

    fn pass(&mut self, by: i64) {
        self.clock.advance(by);
        self.log.set_now(self.clock.wall());
        assert!(self.node.settle(self.clock.wall(), TURNS).unwrap(), "it is never quiet");
    }
}

/// Bytes that this process has written so far.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    let line = io.lines().find_map(|line| line.strip_prefix("wchar: ")).unwrap();
    line.trim().parse().unwrap()
}

#[test]
#[ignore = "the child of the test below"]
fn quiet_child() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("quiet.db").display());
    let mut life = Life::new(Arc::new(bongsu::store::open(&url).unwrap()));
    life.send(2_000, 10.0);
    life.pass(1_000);
    let before = written();
    for _ in 0..MINUTES {
        life.send(2_000, 10.0);
        // As often as the leader says that it is at work.
        for _ in 0..60 {
            life.pass(1_000);
        }
    }
    println!("\nwritten {}", written() - before);
}

#[test]
fn a_quiet_life_writes_less_than_a_megabyte_a_minute() {
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["quiet::quiet_child", "--exact", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{text}{}", String::from_utf8_lossy(&child.stderr));
    let bytes: i64 = text.lines().find_map(|line| line.strip_prefix("written ")).unwrap().parse().unwrap();
    assert!(bytes < MINUTES * 1_000_000, "{bytes} bytes in {MINUTES} minutes");
}

#[test]
fn an_s1_raised_while_all_come_back_from_silence_is_leased_within_two_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", dir.path().join("silent.db").display());
    let mut life = Life::new(Arc::new(bongsu::store::open(&url).unwrap()));
    for _ in 0..3 {
        life.send(400, 10.0);
        life.pass(10_000);
    }
    // Twenty minutes of nothing: every instance becomes unknown and gets a row.
    for _ in 0..20 {
        life.pass(60_000);
    }
    life.send(400, 10.0);
    life.send(1, 99.0);
    let raised = life.clock.wall();
    life.pass(500);
    life.pass(1_500);
    let pages = life.store.pages(None, 10_000).unwrap();
    let s1 = pages.iter().filter(|row| row.page.severity == Severity::S1 && row.state == PageState::Accepted);
    let first = s1.filter_map(|row| row.handed).min().expect("an S1 page was handed over");
    assert!(first - raised <= 2_000, "it took {} ms", first - raised);
}
