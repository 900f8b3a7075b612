//! An outbox in memory that keeps the rules of the real one, and a gateway with moods.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use crate::model::{Channel, Lease, Outcome, Page, Sending, Severity, Way};
use crate::notify::{
    Address, AddressBook, Did, Gateway, LookedUp, Outbox, OutboxError, OutboxResult, Paced, Refusal, Sent, Worker,
};
use crate::time::{Clock, HOUR, ManualClock, Ms};

pub(in crate::notify) const NOW: Ms = 1_764_000_000_000;

struct Row {
    page: Page,
    waiting: bool,
    final_at: Option<Ms>,
    lease: Option<(String, Ms)>,
    epoch: i64,
    resent: bool,
    ended: bool,
    outcomes: Vec<Outcome>,
    submitted: Option<Ms>,
}

#[derive(Default)]
struct Break {
    now: bool,
    after_renewal: bool,
    /// The next call of this name is done, and its answer lost.
    lost: Option<&'static str>,
    /// The next submission's answer comes only after so long, and meanwhile another sender has the page.
    still: Option<(Arc<ManualClock>, Ms)>,
}

#[derive(Default)]
pub(super) struct FakeOutbox {
    rows: Mutex<Vec<Row>>,
    broken: Mutex<Break>,
}

impl FakeOutbox {
    fn check(&self) -> OutboxResult<()> {
        if self.broken.lock().unwrap().now { Err(OutboxError("away".to_owned())) } else { Ok(()) }
    }

    /// From the next renewal on (the last call before a send) every call fails.
    pub(super) fn break_after_next_renewal(&self) {
        self.broken.lock().unwrap().after_renewal = true;
    }

    pub(super) fn break_now(&self) {
        self.broken.lock().unwrap().now = true;
    }

    pub(super) fn lose_answer_of(&self, call: &'static str) {
        self.broken.lock().unwrap().lost = Some(call);
    }

    pub(super) fn stand_still_in_submit(&self, clock: &Arc<ManualClock>, by: Ms) {
        self.broken.lock().unwrap().still = Some((clock.clone(), by));
    }

    fn answer<T>(&self, call: &str, answer: T) -> OutboxResult<T> {
        let is_lost = self.broken.lock().unwrap().lost.take_if(|lost| *lost == call).is_some();
        if is_lost { Err(OutboxError("no answer; what it did is not known".to_owned())) } else { Ok(answer) }
    }

    pub(super) fn mend(&self) {
        *self.broken.lock().unwrap() = Break::default();
    }

    fn with<T>(&self, id: &str, f: impl FnOnce(&mut Row) -> T) -> T {
        f(self.rows.lock().unwrap().iter_mut().find(|row| row.page.id == id).unwrap())
    }

    pub(super) fn outcomes(&self, id: &str) -> Vec<Outcome> {
        self.with(id, |row| row.outcomes.clone())
    }

    pub(super) fn done_at(&self, id: &str) -> Option<Ms> {
        self.with(id, |row| row.final_at)
    }

    pub(super) fn steal(&self, id: &str) {
        self.with(id, |row| row.epoch += 1);
    }

    pub(super) fn any_ended_lease(&self) -> bool {
        self.rows.lock().unwrap().iter().any(|row| row.ended)
    }

    pub(super) fn waiting(&self) -> Vec<String> {
        self.rows.lock().unwrap().iter().filter(|row| row.waiting).map(|row| row.page.id.clone()).collect()
    }

    fn lease(row: &mut Row, worker: &str, until: Ms, unknown_before: bool) -> Lease {
        row.waiting = false;
        row.epoch += 1;
        row.lease = Some((worker.to_owned(), until));
        let (page, epoch, resent) = (row.page.clone(), row.epoch, row.resent);
        let sending = Sending { queued: Some(page.decided + 1), submitted: row.submitted, ..Sending::default() };
        Lease { page, worker: worker.to_owned(), epoch, until, unknown_before, resent, sending }
    }

    fn ours(&self, lease: &Lease, change: impl FnOnce(&mut Row)) -> bool {
        self.with(&lease.page.id, |row| {
            let ours = row.epoch == lease.epoch && row.lease.is_some() && row.final_at.is_none();
            if ours {
                change(row);
            }
            ours
        })
    }
}

impl Outbox for FakeOutbox {
    fn claim(
        &self,
        worker: &str,
        severity: Option<Severity>,
        limit: usize,
        now: Ms,
        until: Ms,
    ) -> OutboxResult<Vec<Lease>> {
        self.check()?;
        let mut rows = self.rows.lock().unwrap();
        let mut due: Vec<_> = rows
            .iter_mut()
            .filter(|row| row.waiting && row.page.due <= now && now < row.page.deadline)
            .filter(|row| severity.is_none_or(|wanted| row.page.severity == wanted))
            .collect();
        due.sort_by_key(|row| (row.page.wanted, row.page.severity));
        self.answer("claim", due.into_iter().take(limit).map(|row| Self::lease(row, worker, until, false)).collect())
    }

    fn reclaim(&self, worker: &str, limit: usize, now: Ms, until: Ms) -> OutboxResult<Vec<Lease>> {
        self.check()?;
        let mut rows = self.rows.lock().unwrap();
        let over = |row: &&mut Row| row.final_at.is_none() && row.lease.as_ref().is_some_and(|(_, end)| *end <= now);
        let found = rows.iter_mut().filter(over).take(limit);
        Ok(found
            .map(|row| {
                row.ended = true;
                Self::lease(row, worker, until, true)
            })
            .collect())
    }

    fn renew(&self, lease: &Lease, until: Ms) -> OutboxResult<bool> {
        self.check()?;
        let mut broken = self.broken.lock().unwrap();
        broken.now = broken.after_renewal;
        drop(broken);
        Ok(self.ours(lease, |row| row.lease = Some((lease.worker.clone(), until))))
    }

    fn submit(&self, lease: &Lease, now: Ms, until: Ms) -> OutboxResult<bool> {
        self.ours(lease, |row| row.submitted = Some(now));
        let answer = self.renew(lease, until);
        if let Some((clock, by)) = self.broken.lock().unwrap().still.take() {
            clock.advance(by);
            self.steal(&lease.page.id);
        }
        answer
    }

    fn outcome(&self, lease: &Lease, outcome: &Outcome, now: Ms) -> OutboxResult<bool> {
        self.check()?;
        let call = if *outcome == Outcome::Resent { "resent" } else { "outcome" };
        let ours = self.ours(lease, |row| {
            row.outcomes.push(outcome.clone());
            if *outcome == Outcome::Resent {
                (row.resent, row.submitted) = (true, None);
            } else {
                row.final_at = Some(now);
                row.lease = None;
            }
        });
        self.answer(call, ours)
    }

    fn give_back(&self, lease: &Lease, _why: &str, due: Ms) -> OutboxResult<bool> {
        self.check()?;
        let ours = self.ours(lease, |row| {
            row.lease = None;
            row.waiting = true;
            row.page.due = due;
            row.submitted = None;
        });
        self.answer("give_back", ours)
    }

    fn expire(&self, now: Ms) -> OutboxResult<usize> {
        self.check()?;
        let mut rows = self.rows.lock().unwrap();
        let late = rows.iter_mut().filter(|row| row.waiting && row.page.deadline <= now);
        Ok(late
            .map(|row| {
                row.waiting = false;
                row.final_at = Some(now);
                row.outcomes.push(Outcome::Failed { reason: "expired".to_owned() });
            })
            .count())
    }
}

/// A gateway's mood.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    Take,
    Busy(Option<Ms>),
    /// It cannot be reached: certainly not sent.
    Away,
    Locked,
    Never,
    /// Takes the page; the answer is lost.
    LostAfter,
    /// Does not take it; the answer is lost.
    LostBefore,
}

pub(super) struct FakeGateway {
    clock: Arc<ManualClock>,
    mood: Mutex<Answer>,
    sent: Mutex<Vec<String>>,
    taken: Mutex<Vec<String>>,
    askable: AtomicBool,
    evasive: AtomicBool,
    takes: AtomicI64,
}

impl FakeGateway {
    fn new(clock: &Arc<ManualClock>) -> Self {
        Self {
            clock: clock.clone(),
            mood: Mutex::new(Answer::Take),
            sent: Mutex::default(),
            taken: Mutex::default(),
            askable: AtomicBool::new(true),
            evasive: AtomicBool::new(false),
            takes: AtomicI64::new(0),
        }
    }

    pub(super) fn always(&self, answer: Answer) {
        *self.mood.lock().unwrap() = answer;
    }

    pub(super) fn cannot_be_asked(&self) {
        self.askable.store(false, Ordering::SeqCst);
    }

    pub(super) fn evasive(&self) {
        self.evasive.store(true, Ordering::SeqCst);
    }

    /// Each send takes so long.
    pub(super) fn slow(&self, by: Ms) {
        self.takes.store(by, Ordering::SeqCst);
    }

    pub(super) fn sent(&self) -> Vec<String> {
        self.sent.lock().unwrap().clone()
    }

    pub(super) fn taken(&self) -> Vec<String> {
        self.taken.lock().unwrap().clone()
    }
}

impl Gateway for FakeGateway {
    fn id(&self) -> &str {
        "fake"
    }

    fn serves(&self, channel: Channel) -> bool {
        channel == Channel::Sms
    }

    fn send(&self, page: &Page, _address: &Address) -> Sent {
        self.clock.advance(self.takes.load(Ordering::SeqCst));
        self.sent.lock().unwrap().push(page.id.clone());
        let mood = *self.mood.lock().unwrap();
        if matches!(mood, Answer::Take | Answer::LostAfter) {
            self.taken.lock().unwrap().push(page.id.clone());
        }
        match mood {
            Answer::Take => Sent::Accepted { id: format!("gw-{}", page.id) },
            Answer::Busy(retry_after) => Sent::Refused { reason: Refusal::Server, permanent: false, retry_after },
            Answer::Away => Sent::Refused { reason: Refusal::Timeout, permanent: false, retry_after: None },
            Answer::Locked => Sent::Refused { reason: Refusal::Auth, permanent: true, retry_after: None },
            Answer::Never => Sent::Refused { reason: Refusal::Recipient, permanent: true, retry_after: None },
            Answer::LostAfter | Answer::LostBefore => Sent::Unknown { why: "no answer".to_owned() },
        }
    }

    fn look_up(&self, page: &Page) -> Option<LookedUp> {
        let page_id = page.id.as_str();
        if !self.askable.load(Ordering::SeqCst) {
            return None;
        }
        if self.evasive.load(Ordering::SeqCst) {
            return Some(LookedUp::Unknown);
        }
        let there = self.taken.lock().unwrap().iter().any(|id| id == page_id);
        Some(if there { LookedUp::Accepted { id: format!("gw-{page_id}") } } else { LookedUp::NotThere })
    }
}

struct Book;

impl AddressBook for Book {
    fn address(&self, contact: &str, _channel: Channel) -> Option<Address> {
        (contact != "nobody").then(|| Address("010-0000-0001".to_owned()))
    }
}

pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) outbox: Arc<FakeOutbox>,
    pub(super) gateway: Arc<FakeGateway>,
    gateways: Vec<Arc<dyn Gateway>>,
    worker: Option<Worker>,
}

impl World {
    pub(super) fn new() -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let gateway = Arc::new(FakeGateway::new(&clock));
        let gateways: Vec<Arc<dyn Gateway>> = vec![gateway.clone()];
        let mut world = Self { clock, outbox: Arc::default(), gateway, gateways, worker: None };
        world.new_worker();
        world
    }

    pub(super) fn make_worker(&self, name: &str) -> Worker {
        Worker::new(name, self.outbox.clone(), self.gateways.clone(), Arc::new(Book), self.clock.clone())
    }

    /// The sender's process died; another one starts.
    pub(super) fn new_worker(&mut self) {
        self.worker = Some(self.make_worker("w1"));
    }

    /// A second gateway behind the first.
    pub(super) fn second(&mut self) -> Arc<FakeGateway> {
        let second = Arc::new(FakeGateway::new(&self.clock));
        self.gateways.push(second.clone());
        self.new_worker();
        second
    }

    /// The first gateway behind its pace and health.
    pub(super) fn pace(&mut self, way: &Way) -> Arc<Paced> {
        let paced = Arc::new(Paced::new(self.gateway.clone(), way, self.clock.clone()));
        self.gateways[0] = paced.clone();
        self.new_worker();
        paced
    }

    pub(super) fn take_worker(&mut self) -> Worker {
        self.worker.take().unwrap()
    }

    pub(super) fn step(&mut self) -> Did {
        let now = self.clock.wall();
        self.worker.as_mut().unwrap().step(now)
    }

    pub(super) fn page(&self, id: &str, severity: Severity) {
        self.page_until(id, severity, NOW + HOUR);
    }

    pub(super) fn page_until(&self, id: &str, severity: Severity, deadline: Ms) {
        self.add(Page { severity, deadline, ..page(id) });
    }

    pub(super) fn page_wanted(&self, id: &str, severity: Severity, wanted: Ms) {
        self.add(Page { severity, wanted, ..page(id) });
    }

    pub(super) fn page_to(&self, id: &str, to: &str) {
        self.add(Page { to: to.to_owned(), ..page(id) });
    }

    fn add(&self, page: Page) {
        let (waiting, epoch, resent, ended) = (true, 0, false, false);
        let row = Row {
            page,
            waiting,
            final_at: None,
            lease: None,
            epoch,
            resent,
            ended,
            outcomes: Vec::new(),
            submitted: None,
        };
        self.outbox.rows.lock().unwrap().push(row);
    }
}

pub(in crate::notify) fn page(id: &str) -> Page {
    Page {
        id: id.to_owned(),
        incident: "INC-2511-001".to_owned(),
        severity: Severity::S2,
        to: "msp-duty-1".to_owned(),
        text: "[장애발생]INC-2511-001 중대/인프라 01:00 감지".to_owned(),
        wanted: NOW + HOUR,
        deadline: NOW + HOUR,
        ..Page::sample(NOW)
    }
}
