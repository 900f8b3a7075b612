//! A leader and two senders over a real server whose answers to COMMIT are lost again and again, while they live.
//!
//! The idea: whoever lives knows what it gave to a gateway, whatever the store did not answer. So nothing is lost, nothing
//! arrives twice, nothing is sent again on suspicion and nobody is left in doubt; and the ledger is one chain that gives
//! the same decisions again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bongsu::model::{BookRows, Channel, Input, Inventory, PageState, RuleSet, Severity};
use bongsu::notify::{Gateway, Unwritten, Worker};
use bongsu::pipeline::leader::{Leader, World};
use bongsu::pipeline::leading::Leading;
use bongsu::pipeline::outbox::{Contacts, StoreOutbox};
use bongsu::pipeline::sim::{FakeGateway, people};
use bongsu::store::{self, Store};
use bongsu::time::{Clock, ManualClock, Ms, SECOND};

use crate::postgres::InPostgres;
use crate::postgres_proxy::{Cut, Proxy};
use crate::store_suite::{Home as _, firing};

const BEGINNING: Ms = 1_767_571_200_000;
const INCIDENTS: usize = 9;

/// Who works, over the cut store.
struct Process {
    clock: Arc<ManualClock>,
    leading: Leading,
    senders: Vec<Worker>,
}

impl Process {
    fn new(store: &Arc<dyn Store>, world: &Arc<World>, phone: &FakeGateway) -> Self {
        let clock = Arc::new(ManualClock::at(BEGINNING));
        let time = || Arc::clone(&clock) as Arc<dyn Clock>;
        let leading = Leading::new(Arc::clone(store), time(), "one", Arc::clone(world));
        let unwritten = Unwritten::default();
        let sender = |name: &str| {
            let gateways: Vec<Arc<dyn Gateway>> = vec![Arc::new(phone.clone())];
            let outbox = Arc::new(StoreOutbox::new(Arc::clone(store), None));
            let book = Arc::new(Contacts::new(Arc::new(people())));
            Worker::new(name, outbox, gateways, book, time()).sharing(&unwritten)
        };
        let senders = ["w1", "w2"].map(sender).into();
        Self { clock, leading, senders }
    }

    /// One turn of everybody. `false`: nobody found anything to do.
    fn turn(&mut self) -> bool {
        let led = self.leading.step().unwrap();
        let now = self.clock.wall();
        self.senders.iter_mut().fold(led, |busy, sender| {
            let did = sender.step(now);
            busy || !did.pages.is_empty() || did.trouble.is_some()
        })
    }
}

/// Every `every`-th COMMIT is cut, in all three ways in turn.
fn lives_through(every: usize, can_be_asked: bool) {
    let home = InPostgres::default();
    let direct = home.open();
    let is_over = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&is_over);
    let mut commits = 0;
    let proxy = Proxy::start(move || {
        commits += 1;
        let is_cut = commits % every == 0 && !over.load(Ordering::SeqCst);
        is_cut.then(|| [Cut::After, Cut::Late, Cut::Before][commits / every % 3])
    });
    let store: Arc<dyn Store> = Arc::new(store::open(&proxy.url(&home)).unwrap());
    let world = Arc::new(World::new(RuleSet::default(), people(), Inventory::default()));
    let phone = FakeGateway::new(can_be_asked);
    let mut process = Process::new(&store, &world, &phone);
    for n in 0..INCIDENTS {
        let (host, now) = (format!("db-{n:02}"), process.clock.wall());
        let severity = [Severity::S1, Severity::S2, Severity::S3][n % 3];
        direct.add_input(&Input::Own(firing(&host, severity, now)), now).unwrap();
        for _ in 0..8 {
            process.turn();
            process.clock.advance(400);
        }
    }
    is_over.store(true, Ordering::SeqCst);
    // Past every lease.
    for _ in 0..80 {
        process.turn();
        process.clock.advance(SECOND);
    }
    while process.turn() {
        process.clock.advance(1);
    }

    assert!(proxy.cuts() >= 8, "cut {} times", proxy.cuts());
    let entries = direct.ledger(0, 100_000).unwrap();
    assert_eq!(store::ledger::verify(&entries), Ok(()));
    Leader::load(&BookRows::default(), world).replay(&entries, |_| None).expect("the same bytes");
    assert!(entries.iter().all(|entry| !entry.json.contains("\"resent\"")), "sent again on suspicion");
    let incidents = direct.incidents(1_000).unwrap();
    assert_eq!(incidents.iter().filter(|incident| *incident.rule == *"disk").count(), INCIDENTS);
    let rows = direct.pages(None, 10_000).unwrap();
    assert!(rows.iter().filter(|row| row.page.channel == Channel::Sms).count() > INCIDENTS);
    for row in rows {
        let arrived = phone.arrivals(&row.page.id);
        match row.state {
            PageState::Accepted => assert_eq!(arrived, 1, "{row:?}"),
            PageState::Cancelled => assert_eq!(arrived, 0, "{row:?}"),
            PageState::Waiting => assert!(arrived == 0 && row.page.due > process.clock.wall(), "{row:?}"),
            _ => panic!("{arrived} times: {row:?}"),
        }
    }
}

#[test]
fn whoever_lives_through_lost_answers_loses_and_repeats_nothing() {
    for (every, can_be_asked) in [(3, false), (4, false), (5, true), (7, false)] {
        lives_through(every, can_be_asked);
    }
}
