//! The `incident` role: the one leader, between the store's inputs and its transactions.
//!
//! The idea: SQL is the truth and memory the cache. Whatever goes wrong with a transaction, the memory is thrown away and
//! loaded again, so the pure leader needs no undo, and a commit whose answer was lost is settled by what is there.
//!
//! Several processes may want to lead: one sits and moves its seat's beat on, the others watch it. A beat that a watcher
//! saw stand still for [`GONE_AFTER`] of its own time is the beat of somebody who is gone, or who is fenced when it comes
//! back; no two machines' clocks are ever compared. Whoever ends gives the seat up, and nobody waits.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::wire::input_from_json;
use crate::model::{BookCommit, BookRows, Committed, Entry, Input, Outcome, PageState, Seat, SignalKey, Taken};
use crate::pipeline::dues::{AtEnd, Dues, Places};
use crate::pipeline::gate::WAIT_MAX;
use crate::pipeline::leader::{Leader, World};
use crate::store::{Store, StoreError};
use crate::time::{Clock, Ms, SECOND, WallWatch};

/// Inputs taken in one transaction: bounds how long others wait for the store.
const INPUTS_MAX: usize = 256;
/// More inputs than ever wait.
const ALL: usize = 1_000_000;
/// After a failed transaction the next try waits so long.
const RETRY_AFTER: Ms = 250;
/// Whoever leads says so this often, idle or not: some 4 KB a second in a file's journal …
const BEAT_EVERY: Ms = SECOND;
/// … and is taken for gone after so long without a word: a late beat or two are no reason.
const GONE_AFTER: Ms = 3 * SECOND;
/// Three that each need longer than that to take over would take the seat from each other for ever: whoever lost it before
/// its first word waits twice as long the next time, up to this.
const PATIENCE_MAX: Ms = 60 * SECOND;
/// Whoever waits looks at the seat this often.
const LOOK_EVERY: Ms = 200;

/// One of those who lead a store or wait to.
#[derive(Debug)]
pub struct Leading {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    owner: String,
    world: Arc<World>,
    lead: Option<Lead>,
    /// Whether what is due is done, or waits until the log has been read.
    dues: Dues,
    wall: WallWatch,
    /// The ledger entry that would say so, where a step of the wall clock may have been written down already.
    said_at: Option<i64>,
    /// Another's seat, as it was first seen so, and when: elapsed time.
    watched: Option<(Seat, Ms)>,
    /// Not before then does it look at another's seat again.
    look_at: Ms,
    /// How long another's seat must stand still.
    patience: Ms,
    /// Who sits under our name is us, or was a process that ended.
    ours: bool,
    retry_at: Ms,
    /// Pages that the last transaction wanted to take back and that had been handed over: what is known of them is taken
    /// before anything else.
    handed_first: BTreeSet<String>,
    /// What the store said when it was last asked in vain.
    refused: Option<String>,
    /// Transactions that had to be decided again because a page was handed over meanwhile.
    pub redecided: u64,
    /// How often it found out that another had taken its seat: a write of its own was refused.
    pub fenced: u64,
}

/// What it has while it leads.
#[derive(Debug)]
struct Lead {
    leader: Leader,
    cursors: BTreeMap<(String, i32), i64>,
    epoch: i64,
    /// When it last said that it is at work, elapsed time; before its first word, when it asked for the seat.
    beat_at: Ms,
    /// It has said so at least once.
    is_heard: bool,
}

impl Lead {
    /// What a transaction takes is not asked for again.
    fn follow(&mut self, commit: &BookCommit) {
        for cursor in &commit.cursors {
            self.cursors.insert((cursor.topic.clone(), cursor.partition), cursor.seq);
        }
    }

    fn heard(&mut self, at: Ms) {
        (self.beat_at, self.is_heard) = (at, true);
    }
}

impl Leading {
    /// Leads nothing yet: [`Leading::step`] takes the seat where it is free. `owner` must be this process's own: who sits
    /// under it when this one begins is taken for a process before it that ended.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, owner: &str, world: Arc<World>) -> Self {
        let dues = Dues::closed(AtEnd::default(), Places::default(), store.as_ref(), clock.elapsed());
        Self {
            dues,
            wall: WallWatch::default(),
            said_at: None,
            store,
            clock,
            owner: owner.to_owned(),
            world,
            lead: None,
            watched: None,
            look_at: 0,
            patience: GONE_AFTER,
            ours: true,
            retry_at: 0,
            handed_first: BTreeSet::new(),
            refused: None,
            redecided: 0,
            fenced: 0,
        }
    }

    /// The log is read in this process, too, by whoever says `at_end`; of its rows those of `places` count.
    #[must_use]
    pub fn beside(mut self, at_end: &AtEnd, places: &Places) -> Self {
        let (store, now) = (self.store.as_ref(), self.clock.elapsed());
        self.dues = Dues::closed(at_end.clone(), places.clone(), store, now);
        self
    }

    /// Puts other rules, contacts, chains or inventory in force.
    pub fn reload(&mut self, world: Arc<World>) {
        self.world = Arc::clone(&world);
        if let Some(lead) = &mut self.lead {
            lead.leader.reload(world);
        }
    }

    /// Throws the leader's memory away: the next turn loads it again.
    pub fn start_anew(&mut self) {
        self.lead = None;
    }

    /// The leader's memory, while it leads.
    pub fn leader(&self) -> Option<&Leader> {
        self.lead.as_ref().map(|lead| &lead.leader)
    }

    /// What keeps it from the store, until a turn succeeds.
    pub fn trouble(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// When it must act without being woken, wall time.
    pub fn next_due(&self) -> Option<Ms> {
        if self.holds_dues() {
            return Some(self.clock.wall() + self.dues.latest() - self.clock.elapsed());
        }
        self.leader().and_then(Leader::next_due)
    }

    /// Whether it leads and lets nothing ring before the log has been read.
    pub fn holds_dues(&self) -> bool {
        self.lead.is_some() && !self.dues.is_open()
    }

    /// One turn: what is due, then what waits. `true`: something was decided, there may be more. Whoever does not lead
    /// looks whether it should.
    pub fn step(&mut self) -> Result<bool, StoreError> {
        if self.clock.elapsed() < self.retry_at {
            return Ok(false);
        }
        let turn = self.turn();
        self.refused = turn.as_ref().err().map(ToString::to_string);
        match turn {
            Err(StoreError::Unavailable { what, why }) => {
                tracing::warn!(what, why, "the incident stage cannot reach the store, trying again");
                self.lead = None;
                self.retry_at = self.clock.elapsed() + RETRY_AFTER;
                Ok(false)
            }
            other => other,
        }
    }

    /// Does what is there, then gives the seat up, so that nobody has to wait for it.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        while self.lead.is_some() && self.step()? {}
        let Some(lead) = self.lead.take() else { return Ok(()) };
        match self.store.give_up(lead.epoch) {
            // Then the others see it stand still.
            Ok(_) | Err(StoreError::Unavailable { .. }) => Ok(()),
            Err(other) => Err(other),
        }
    }

    fn turn(&mut self) -> Result<bool, StoreError> {
        if !self.sit()? || !self.beat()? {
            return Ok(false);
        }
        let read = WallWatch::read(self.clock.as_ref());
        if let Some(by) = self.wall.step(read) {
            return self.set_clock(by, read.0);
        }
        // Asked before the inputs: whatever had been read by then is among them.
        let may_ring = self.dues.may_open(self.store.as_ref(), self.clock.elapsed())?;
        let Some(lead) = &self.lead else { return Ok(false) };
        let cursors: Vec<_> = lead.cursors.iter().map(|((topic, p), seq)| key(topic, *p, *seq)).collect();
        let first = self.inputs_first(&cursors)?;
        let mut taken = if first.is_empty() { self.inputs(&cursors, INPUTS_MAX)? } else { Vec::new() };
        // Not before: whatever is there happened before it is decided. And by the clock that was looked at above.
        let now = read.0 + self.clock.elapsed() - read.1;
        if !first.is_empty() {
            let (left, rest) = leaving(first);
            return self.hear(&left, &rest, now);
        }
        if !self.dues.is_open() {
            let elapsed = self.clock.elapsed();
            if elapsed < self.dues.latest() {
                taken = self.not_swept(taken, &cursors)?;
                if !taken.is_empty() || !may_ring {
                    return self.hear(&[], &taken, now);
                }
            }
            self.dues.open(elapsed);
        }
        let Some(lead) = &mut self.lead else { return Ok(false) };
        // What waits is taken together with what is due: an ack that is there when a step's time comes stops its pages
        // in the transaction that would have decided them.
        if taken.is_empty()
            && let Some(commit) = lead.leader.due(now)
        {
            return self.write(commit);
        }
        if taken.is_empty() {
            taken = caught_up(self.store.as_ref(), &lead.leader)?;
        }
        if taken.is_empty() {
            return Ok(false);
        }
        let commit = lead.leader.take(&taken, now);
        lead.follow(&commit);
        self.write(commit)
    }

    /// The wall clock was set: written down before anything else is decided by it. Where that would cancel a page that was
    /// handed over meanwhile, the word of it comes first, or both would want the first place for ever.
    fn set_clock(&mut self, by: Ms, now: Ms) -> Result<bool, StoreError> {
        // Where an answer was lost, the ledger says whether it is in there.
        if let Some(said) = self.said_at.take()
            && let Some(entry) = self.store.ledger(said - 1, 1)?.first().filter(|entry| entry.input_no == said)
            && let Some(by) = clock_of(entry)
        {
            self.wall.accept(by);
            return Ok(true);
        }
        let Some(lead) = &self.lead else { return Ok(false) };
        let cursors: Vec<_> = lead.cursors.iter().map(|((topic, p), seq)| key(topic, *p, *seq)).collect();
        // What became of it is judged by the clock as it is then.
        let (left, _) = leaving(self.inputs_first(&cursors)?);
        let Some(lead) = &mut self.lead else { return Ok(false) };
        tracing::warn!(by, "the wall clock was set: what waits is moved with it");
        let commit = lead.leader.hear(&left, &[Taken { row: None, input: Input::Clock { by } }], now);
        lead.follow(&commit);
        let wrote = commit.entries.iter().rev().find(|entry| entry.kind == "clock").map(|entry| entry.input_no);
        self.said_at = wrote;
        let done = self.write(commit)?;
        if done && self.lead.is_some() {
            self.wall.accept(by);
        }
        self.said_at = None;
        Ok(done)
    }

    /// Takes what came in while nothing may ring; of `left` the leader must know before all else.
    fn hear(&mut self, left: &[Taken], taken: &[Taken], now: Ms) -> Result<bool, StoreError> {
        let is_any = !left.is_empty() || !taken.is_empty();
        let Some(lead) = self.lead.as_mut().filter(|_| is_any) else { return Ok(false) };
        let commit = lead.leader.hear(left, taken, now);
        lead.follow(&commit);
        self.write(commit)
    }

    /// What the sweeper found waits as well: it is due, and no more than that.
    fn not_swept(&self, mut taken: Vec<Taken>, cursors: &[SignalKey]) -> Result<Vec<Taken>, StoreError> {
        let is_full = taken.len() >= INPUTS_MAX;
        let is_other = |taken: &Taken| !matches!(taken.input, Input::Swept(_));
        taken.retain(is_other);
        if taken.is_empty() && is_full {
            taken = self.inputs(cursors, ALL)?;
            taken.retain(is_other);
            taken.truncate(INPUTS_MAX);
        }
        Ok(taken)
    }

    /// After a page to cancel was handed over meanwhile: what came in about that page. It is taken first and alone, before
    /// what is due as well: what stands before it may be what wants to cancel the page, and would want it again for ever.
    fn inputs_first(&mut self, cursors: &[SignalKey]) -> Result<Vec<Taken>, StoreError> {
        let first = std::mem::take(&mut self.handed_first);
        if first.is_empty() {
            return Ok(Vec::new());
        }
        let mut taken = self.inputs(cursors, ALL)?;
        taken.retain(|taken| page_of(&taken.input).is_some_and(|(page, _)| first.contains(page)));
        Ok(taken)
    }

    fn inputs(&self, cursors: &[SignalKey], most: usize) -> Result<Vec<Taken>, StoreError> {
        let mut taken = self.store.inputs(cursors, most)?;
        mark_left_again(&mut taken);
        Ok(taken)
    }

    /// Whether it leads, after taking a seat that is free or whose owner is gone.
    fn sit(&mut self) -> Result<bool, StoreError> {
        if self.lead.is_some() {
            return Ok(true);
        }
        let asked = self.clock.elapsed();
        if asked < self.look_at {
            return Ok(false);
        }
        let seat = self.store.seat()?;
        if !self.may_take(&seat, asked) {
            self.look_at = asked + LOOK_EVERY;
            return Ok(false);
        }
        let Some(mut rows) = self.store.lead(&self.owner, &seat)? else { return Ok(false) };
        if seat.owner != self.owner {
            tracing::info!(epoch = rows.epoch, before = seat.owner, "leads the incident stage");
        }
        let is_mine = self.ours && seat.owner == self.owner;
        if !is_mine {
            // What waits was planned by another clock.
            self.wall.forget();
            self.said_at = None;
        }
        if !is_mine && self.dues.age(self.clock.elapsed()) >= WAIT_MAX {
            self.dues = self.dues.anew(self.store.as_ref(), self.clock.elapsed());
        }
        (self.ours, self.watched) = (true, None);
        if let Some(last) = self.store.ledger(rows.input_no - 1, 1)?.first() {
            self.wall.showed(last.at, WallWatch::read(self.clock.as_ref()));
        }
        as_the_ledger_has_it(&mut rows, self.store.as_ref())?;
        let cursors = rows.cursors.iter().map(|c| ((c.topic.clone(), c.partition), c.seq)).collect();
        let leader = Leader::load(&rows, Arc::clone(&self.world));
        // Said at the next turn: taking over may have lasted.
        self.lead = Some(Lead { leader, cursors, epoch: rows.epoch, beat_at: asked, is_heard: false });
        Ok(true)
    }

    /// Whether the seat, as it was when it was `asked` for, is free or its owner gone.
    fn may_take(&mut self, seat: &Seat, asked: Ms) -> bool {
        if seat.is_free() || (self.ours && seat.owner == self.owner) {
            return true;
        }
        if let Some((seen, since)) = &self.watched
            && seen == seat
        {
            return asked - since >= self.patience;
        }
        if self.watched.as_ref().is_none_or(|(seen, _)| seen.epoch != seat.epoch) {
            tracing::info!(leader = seat.owner, "another process leads the incident stage, this one waits");
        }
        // What was seen was so before the answer came: the time from then on is the shorter one.
        self.watched = Some((seat.clone(), self.clock.elapsed()));
        false
    }

    /// Says that it is at work, where that is due. `false`: another has the seat.
    fn beat(&mut self) -> Result<bool, StoreError> {
        let now = self.clock.elapsed();
        let Some(lead) = self.lead.as_mut().filter(|lead| now >= lead.beat_at + BEAT_EVERY) else { return Ok(true) };
        if self.store.beat(lead.epoch)? {
            lead.heard(now);
            self.patience = GONE_AFTER;
            return Ok(true);
        }
        self.unseated();
        Ok(false)
    }

    fn unseated(&mut self) {
        tracing::warn!("another process took the lead of the incident stage: what this one decided since is refused");
        self.fenced += 1;
        if self.lead.take().is_some_and(|lead| !lead.is_heard) {
            self.patience = (2 * self.patience).min(PATIENCE_MAX);
        }
        self.dues = self.dues.anew(self.store.as_ref(), self.clock.elapsed());
        // Should two run under one name, they must not take the seat from each other in turns.
        self.ours = false;
    }

    fn write(&mut self, mut commit: BookCommit) -> Result<bool, StoreError> {
        let now = self.clock.elapsed();
        // A wall clock may be put back between two looks; what is decided is never queued before.
        let decided = commit.pages.iter().map(|page| page.decided).max().unwrap_or(Ms::MIN);
        commit.queued = Some(self.clock.wall().max(decided));
        match self.store.commit(&commit)? {
            Committed::Done => {
                if let Some(lead) = &mut self.lead {
                    lead.heard(now);
                }
                self.patience = GONE_AFTER;
                Ok(true)
            }
            Committed::Fenced => {
                self.unseated();
                Ok(false)
            }
            Committed::HandedMeanwhile => {
                self.redecided += 1;
                self.handed_first = commit.cancels.iter().map(|cancel| cancel.page.clone()).collect();
                self.lead = None;
                Ok(true)
            }
        }
    }
}

/// The outbox rows know more than the leader: what senders did and the ledger has not taken yet. The leader must begin
/// from what the ledger knows, or the ledger alone would not give the same decisions again.
fn as_the_ledger_has_it(rows: &mut BookRows, store: &dyn Store) -> Result<(), StoreError> {
    let mut before: BTreeMap<String, PageState> = BTreeMap::new();
    for taken in store.inputs(&rows.cursors, ALL)? {
        if let Some((page, state)) = page_of(&taken.input) {
            before.entry(page.to_owned()).or_insert(state);
        }
    }
    for row in &mut rows.pages {
        if let Some(state) = before.get(&row.page.id) {
            row.state = *state;
        }
    }
    Ok(())
}

/// Says of each page that came back whether it left again, or expired: then it cannot be taken back.
fn mark_left_again(taken: &mut [Taken]) {
    let mut left = BTreeSet::new();
    for taken in taken.iter_mut().rev() {
        if let Input::GivenBack { page, again } = &mut taken.input {
            *again = left.contains(page);
        } else if let Some((page, _)) = page_of(&taken.input).filter(|(_, was)| *was == PageState::Waiting) {
            left.insert(page.to_owned());
        }
    }
}

/// The first word of each page that left, or expired, while it was to be cancelled; and the rest, in its order.
fn leaving(taken: Vec<Taken>) -> (Vec<Taken>, Vec<Taken>) {
    let mut pages = BTreeSet::new();
    taken.into_iter().partition(|taken| {
        let about = page_of(&taken.input);
        about.is_some_and(|(page, was)| pages.insert(page.to_owned()) && was == PageState::Waiting)
    })
}

/// By how much an entry says that the wall clock was set.
fn clock_of(entry: &Entry) -> Option<Ms> {
    let value: serde_json::Value = serde_json::from_str(&entry.json).ok()?;
    match input_from_json(value.get("input")?)? {
        Input::Clock { by } => Some(by),
        _ => None,
    }
}

/// The page that an input is about, and the state that it was in before.
fn page_of(input: &Input) -> Option<(&str, PageState)> {
    match input {
        Input::Handed { page } => Some((page, PageState::Waiting)),
        Input::GivenBack { page, .. } => Some((page, PageState::Handed)),
        // A page that waited past its deadline was with nobody.
        Input::Outcome { page, outcome: Outcome::Failed { reason }, .. } if reason == "expired" => {
            Some((page, PageState::Waiting))
        }
        // A receipt that says so too: whether it was handed over, accepted or nobody knew decides the same. Whoever was told
        // of its incident by it stands in the incident.
        Input::Outcome { page, .. } => Some((page, PageState::Handed)),
        _ => None,
    }
}

fn key(topic: &str, partition: i32, seq: i64) -> SignalKey {
    SignalKey { topic: topic.to_owned(), partition, seq }
}

/// Pages may be held back until their partition has read everything: says so as soon as it has.
fn caught_up(store: &dyn Store, leader: &Leader) -> Result<Vec<Taken>, StoreError> {
    let held = leader.open_incidents().filter(|incident| incident.held_until.is_some());
    let waiting: BTreeSet<_> = held.filter_map(|incident| incident.partition.clone()).collect();
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let there = store.partitions()?;
    let ready = there
        .into_iter()
        .filter(|(topic, partition, progress)| progress.caught_up && waiting.contains(&(topic.clone(), *partition)));
    Ok(ready.map(|(topic, partition, _)| Taken { row: None, input: Input::CaughtUp { topic, partition } }).collect())
}
