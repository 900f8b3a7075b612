//! The service of a [`Site`] on one thread: its own configuration, store and embedded log in real files, and a clock that
//! the test moves. For what takes hours, and for stopping between any two hand-overs.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bongsu::config::{self, Ask};
use bongsu::log::embedded::{self, EmbeddedLog};
use bongsu::log::{NewRecord, Sink};
use bongsu::notify::{Gateway, Handset, Worker};
use bongsu::pipeline::evaluator::{Evaluator, Sides};
use bongsu::pipeline::leading::Leading;
use bongsu::pipeline::node::Node;
use bongsu::pipeline::outbox::{Contacts, StoreOutbox};
use bongsu::pipeline::{service, stores};
use bongsu::store::Store;
use bongsu::time::{Clock, ManualClock, Ms};

use crate::site::Site;

/// Turns within which a node must come to rest.
const TURNS: usize = 10_000;

/// The node, its files and its clock.
pub(crate) struct VirtualSite {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) node: Node,
    sink: Arc<dyn Sink>,
    log: EmbeddedLog,
    writer: Option<JoinHandle<()>>,
}

impl VirtualSite {
    /// Starts at wall time `at` on the site's data directory; the sender is called `worker`.
    pub(crate) fn open(site: &Site, at: Ms, worker: &str) -> Self {
        let loaded = config::load(&[site.path("bongsu.yaml")], &Ask { env: &[], now: at, whole: true });
        let problems: String = loaded.problems.iter().map(|problem| problem.to_human(loaded.text(problem))).collect();
        assert_eq!(loaded.errors(), 0, "the test's own configuration: {problems}");
        std::fs::create_dir_all(site.data()).unwrap();
        let manual = Arc::new(ManualClock::at(at));
        let clock: Arc<dyn Clock> = manual.clone();
        let mut log = embedded::Config::new(&[("telemetry", loaded.settings.log.partitions)]);
        log.retention_ms = loaded.settings.log.keep;
        log.group_wait = Duration::ZERO;
        let (log, writer) = embedded::open(&site.data().join("log.db"), &log, clock.clone()).unwrap();
        let writer = std::thread::spawn(move || writer.run());
        let sink: Arc<dyn Sink> = Arc::new(log.sink("telemetry").unwrap());
        let store = stores::open(&loaded.settings, &site.data()).unwrap();
        let sides = Sides {
            source: Box::new(log.source("telemetry").unwrap()),
            pulses: Some(sink.clone()),
            dead: None,
            store: store.clone(),
            clock: clock.clone(),
        };
        let (rules, inventory) = (Arc::new(loaded.rules.clone()), Arc::new(loaded.inventory.clone()));
        let setup = service::setup(&loaded.settings, rules, inventory, "telemetry");
        let limits = service::decode_limits(&loaded.settings);
        let evaluator = Evaluator::start(sides, "virtual", Arc::new(setup), limits).unwrap();
        let leading = Leading::new(store.clone(), clock.clone(), "virtual", service::world(&loaded, None));
        let handset = Handset::open(&site.data().join("handset"), clock.clone()).unwrap();
        let gateways: Vec<Arc<dyn Gateway>> = vec![Arc::new(handset)];
        let book = Arc::new(Contacts::new(Arc::new(loaded.people.clone())));
        let outbox = Arc::new(StoreOutbox::new(store.clone(), None));
        let worker = Worker::new(worker, outbox, gateways, book, clock);
        let node = Node { evaluator, leading, worker };
        Self { clock: manual, store, node, sink, log, writer: Some(writer) }
    }

    /// Makes records durable, each under its host.
    pub(crate) fn append(&self, records: Vec<(String, String)>) {
        let new = |(host, text): (String, String)| NewRecord {
            partition: None,
            key: host.into_bytes(),
            value: text.into_bytes(),
        };
        for done in self.sink.append(records.into_iter().map(new).collect()) {
            done.unwrap();
        }
    }

    /// One number of one host, now.
    pub(crate) fn send(&self, host: &str, metric: &str, value: f64) {
        let ts = self.clock.wall();
        let text =
            format!("{{\"v\":1,\"ts\":{ts},\"sent\":{ts},\"host\":\"{host}\",\"points\":[[\"{metric}\",{value}]]}}");
        self.append(vec![(host.to_owned(), text)]);
    }

    /// Lets `by` ms pass and everybody work until all is quiet.
    pub(crate) fn pass(&mut self, by: Ms) {
        self.clock.advance(by);
        assert!(self.node.settle(self.clock.wall(), TURNS).unwrap(), "it is never quiet");
    }
}

impl Drop for VirtualSite {
    fn drop(&mut self) {
        self.log.stop();
        drop(self.writer.take().map(JoinHandle::join));
    }
}
