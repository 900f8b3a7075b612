//! What a partition has caused since its last durable flush, and the next flush made of it.
//!
//! The idea: changes are kept step by step (a step is one record and the ticks it closed) until the store has them, so
//! that a flush may end at any step, a failed one is simply made again, and rows that came and went in between cost
//! nothing. A tick that changes more rows than a flush holds is cut into several steps: in between, the store has the
//! partition in the middle of that tick (the cursor), and whoever starts from there works the tick out again; instances
//! that are durable already say nothing new, because judging a tick twice changes nothing.
//! Pure: it does not know a store or a clock; `now` says how long something has waited.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::{Came, Cursor, Fingerprint, Flush, PartFlush, Progress, RowChange, Signal};
use crate::time::{Ms, SECOND};

/// Rows in one flush: a storm must not lock other writers out for seconds (4 s were measured for 500,000 rows).
pub const FLUSH_ROWS_MAX: usize = 5_000;
/// A changed state row waits at most so long.
const ROWS_WAIT: Ms = SECOND;
/// Mere progress waits at most so long.
const PROGRESS_WAIT: Ms = 5 * SECOND;

/// How far a partition is, without the parts of [`Progress`] that do not change from record to record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mark {
    /// Offset of the next record to take.
    pub offset: i64,
    /// Partition clock.
    pub clock: Ms,
    /// Clock segment.
    pub segment: i64,
    /// Sources heard in the last 10 min.
    pub heard: i64,
}

#[derive(Debug, Default)]
struct Step {
    mark: Mark,
    /// It ends in the middle of a tick.
    cursor: Option<Cursor>,
    seq: i64,
    rows: Vec<RowChange>,
    signals: Vec<(i64, Signal)>,
}

impl Step {
    fn is_large(&self) -> bool {
        self.rows.len() > FLUSH_ROWS_MAX || self.signals.len() > FLUSH_ROWS_MAX
    }

    /// Cuts it into steps that fit a flush: signals in their order, each with its row, then the other rows by identity.
    /// All but the last end at `again`. An identity that has two signals leaves it whole: between them, its row could
    /// not say which of the two is durable.
    fn cut(self, again: Mark) -> Vec<Self> {
        let told: BTreeSet<Fingerprint> = self.signals.iter().map(|(_, signal)| signal.fingerprint).collect();
        if told.len() < self.signals.len() {
            return vec![self];
        }
        let end = (self.mark, self.seq);
        let mut rows: BTreeMap<Fingerprint, RowChange> = BTreeMap::new();
        for change in self.rows {
            rows.insert(change.fingerprint(), change);
        }
        let first = self.seq.saturating_sub_unsigned(self.signals.len() as u64);
        let empty = |seq| Self { mark: again, seq, ..Self::default() };
        let mut steps = vec![empty(first)];
        for (seq, signal) in self.signals {
            let row = rows.remove(&signal.fingerprint);
            let step = room(&mut steps, empty);
            step.cursor = Some(Cursor { tick: again.clock, fingerprint: signal.fingerprint });
            step.seq = seq;
            step.rows.extend(row);
            step.signals.push((seq, signal));
        }
        // What somebody waits for does not wait for the rest.
        if steps.last().is_some_and(|step| !step.signals.is_empty()) && !rows.is_empty() {
            let seq = self.seq;
            steps.push(empty(seq));
        }
        for (fingerprint, row) in rows {
            let step = room(&mut steps, empty);
            step.cursor = Some(Cursor { tick: again.clock, fingerprint });
            step.rows.push(row);
        }
        if let Some(last) = steps.last_mut() {
            (last.mark, last.seq) = end;
            last.cursor = None;
        }
        steps
    }
}

/// The last step where it has room, or a new one after it.
fn room(steps: &mut Vec<Step>, empty: impl Fn(i64) -> Step) -> &mut Step {
    let n = steps.len() - 1;
    if steps[n].rows.len().max(steps[n].signals.len()) >= FLUSH_ROWS_MAX {
        steps.push(empty(steps[n].seq));
    }
    steps.last_mut().expect("there is one to begin with")
}

/// What one partition has caused since its last durable flush.
#[derive(Debug)]
pub struct Pending {
    epoch: i64,
    /// The last durable progress; `offset` is what the store must still hold.
    durable: Progress,
    /// Keys of the rows that the store holds.
    stored: BTreeSet<Fingerprint>,
    steps: VecDeque<Step>,
    /// Progress after the last record, with or without changes.
    mark: Mark,
    seq: i64,
    /// How what raised the signals in `steps` came in, by seq.
    came: BTreeMap<i64, Came>,
    caught_up: bool,
    /// Since when something waits: an acted-on signal, a row, progress.
    signal_since: Option<Ms>,
    rows_since: Option<Ms>,
    moved_since: Option<Ms>,
    /// What the flush under way holds.
    in_flight: Option<InFlight>,
    /// The store has no progress of it yet.
    fresh: bool,
}

#[derive(Debug)]
struct InFlight {
    steps: usize,
    progress: Progress,
}

impl Pending {
    /// A partition taken with `epoch`, whose durable state is `progress` and the rows with the keys `stored`.
    pub fn new(epoch: i64, progress: Progress, stored: impl IntoIterator<Item = Fingerprint>) -> Self {
        let mark =
            Mark { offset: progress.offset, clock: progress.clock, segment: progress.segment, heard: progress.heard };
        Self {
            epoch,
            seq: progress.seq,
            caught_up: progress.caught_up,
            durable: progress,
            stored: stored.into_iter().collect(),
            steps: VecDeque::new(),
            mark,
            came: BTreeMap::new(),
            signal_since: None,
            rows_since: None,
            moved_since: None,
            in_flight: None,
            fresh: false,
        }
    }

    /// A partition that was never owned before: it begins at `offset`, and that is durable before anything is read.
    /// Otherwise a crash before the first flush would begin anew at a later end of the log.
    pub fn first(epoch: i64, offset: i64) -> Self {
        let mut it = Self::new(epoch, Progress::default(), []);
        it.mark.offset = offset;
        it.fresh = true;
        it
    }

    /// Whether signals wait for a flush.
    pub fn has_signals(&self) -> bool {
        self.signal_since.is_some()
    }

    /// Adds what one record or tick caused. Signals that the incident stage does not act on leave no trace here.
    /// `again`: the place from which all of it would come out again; with one, it may become durable piece by piece.
    /// `came`: how what raised a signal came in.
    pub fn push(
        &mut self,
        mark: Mark,
        again: Option<Mark>,
        (rows, signals): (&mut Vec<RowChange>, &[Signal]),
        came: &dyn Fn(&Signal) -> Came,
        now: Ms,
    ) {
        self.mark = mark;
        self.moved_since.get_or_insert(now);
        let mut acted = Vec::new();
        for signal in signals.iter().filter(|signal| signal.acted) {
            self.seq += 1;
            self.came.insert(self.seq, came(signal));
            acted.push((self.seq, signal.clone()));
        }
        if rows.is_empty() && acted.is_empty() {
            return;
        }
        if !rows.is_empty() {
            self.rows_since.get_or_insert(now);
        }
        if !acted.is_empty() {
            self.signal_since.get_or_insert(now);
        }
        let step = Step { mark, cursor: None, seq: self.seq, rows: std::mem::take(rows), signals: acted };
        match again {
            Some(again) if step.is_large() => self.steps.extend(step.cut(again)),
            _ => self.steps.push_back(step),
        }
    }

    /// Says whether everything in the log has been read; a change is worth a flush.
    pub fn set_caught_up(&mut self, caught_up: bool, now: Ms) {
        if self.caught_up != caught_up {
            self.caught_up = caught_up;
            self.rows_since.get_or_insert(now);
        }
    }

    /// When it should be flushed at the latest; `None` while nothing moved.
    pub fn due(&self) -> Option<Ms> {
        let rows = self.rows_since.map(|since| since + ROWS_WAIT);
        let moved = self.moved_since.map(|since| since + PROGRESS_WAIT);
        [self.signal_since, rows, moved].into_iter().flatten().min()
    }

    /// The offset up to which everything is durable.
    pub fn durable_offset(&self) -> i64 {
        self.durable.offset
    }

    /// The epoch under which the partition is owned.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// How many steps wait: a bound for back-pressure.
    pub fn backlog(&self) -> usize {
        self.steps.len()
    }

    fn compose(&mut self, partition: i32, rules: &str, topic_id: &str, budget: &mut usize) -> Option<PartFlush> {
        let mut rows: BTreeMap<Fingerprint, RowChange> = BTreeMap::new();
        let mut signals = Vec::new();
        let mut n_steps = 0;
        let mut last = None;
        for step in &self.steps {
            // The first of a flush is taken in any case: it may be one that cannot be cut.
            let first = n_steps == 0 && *budget == FLUSH_ROWS_MAX;
            let size = (rows.len() + step.rows.len()).max(signals.len() + step.signals.len());
            if !first && size > *budget {
                break;
            }
            for change in &step.rows {
                rows.insert(change.fingerprint(), change.clone());
            }
            signals.extend(step.signals.iter().cloned());
            n_steps += 1;
            last = Some((step.mark, step.seq, step.cursor));
        }
        let (mark, seq, cursor) = if n_steps == self.steps.len() { (self.mark, self.seq, None) } else { last? };
        rows.retain(|key, change| matches!(change, RowChange::Put(_)) || self.stored.contains(key));
        let progress = Progress {
            topic_id: topic_id.to_owned(),
            offset: mark.offset,
            clock: mark.clock,
            segment: mark.segment,
            seq,
            rules: rules.to_owned(),
            cursor,
            heard: mark.heard,
            // What has been read and waits for the next flush is not there to be taken.
            caught_up: self.caught_up && n_steps == self.steps.len(),
        };
        if progress == self.durable && rows.is_empty() && !self.fresh {
            return None;
        }
        let came = signals.iter().filter_map(|(seq, _)| Some((*seq, *self.came.get(seq)?))).collect();
        *budget = budget.saturating_sub(rows.len().max(signals.len()));
        self.in_flight = Some(InFlight { steps: n_steps, progress: progress.clone() });
        Some(PartFlush {
            partition,
            epoch: self.epoch,
            from: self.durable.offset,
            progress,
            rows: rows.into_values().collect(),
            signals,
            came,
        })
    }

    fn settle(&mut self, now: Ms) {
        let Some(flight) = self.in_flight.take() else { return };
        for step in self.steps.drain(..flight.steps) {
            for change in step.rows {
                match change {
                    RowChange::Put(row) => self.stored.insert(row.fingerprint),
                    RowChange::Remove(key) => self.stored.remove(&key),
                };
            }
        }
        self.came = self.came.split_off(&(flight.progress.seq + 1));
        self.durable = flight.progress;
        self.fresh = false;
        let waits = |left: bool| left.then_some(now);
        self.signal_since = waits(self.steps.iter().any(|step| !step.signals.is_empty()));
        self.rows_since = waits(!self.steps.is_empty() || self.caught_up != self.durable.caught_up);
        self.moved_since = waits(self.mark.offset != self.durable.offset);
    }
}

/// The next flush of all partitions in `lanes`, at most [`FLUSH_ROWS_MAX`] rows unless one step that cannot be cut (a
/// clock break, a reload) has more; `None` where nothing changed. Nothing is forgotten until [`settle`].
pub fn compose(topic: &str, topic_id: &str, rules: &str, lanes: &mut BTreeMap<i32, Pending>) -> Option<Flush> {
    let mut budget = FLUSH_ROWS_MAX;
    let mut parts = Vec::new();
    for (partition, pending) in lanes.iter_mut() {
        pending.in_flight = None;
        if budget == 0 {
            break;
        }
        parts.extend(pending.compose(*partition, rules, topic_id, &mut budget));
    }
    if parts.is_empty() { None } else { Some(Flush { topic: topic.to_owned(), parts }) }
}

/// Forgets what the flush that was composed last made durable.
pub fn settle(lanes: &mut BTreeMap<i32, Pending>, now: Ms) {
    for pending in lanes.values_mut() {
        pending.settle(now);
    }
}
