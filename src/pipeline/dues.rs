//! The start gate of a leader's timers: none rings before the leader knows what the log held when it began.
//!
//! The idea: after an outage everything is overdue at once, a chain's next step as well as the end of what it is about.
//! The step stands in the rows, the end is still in the log; a leader that rang first would tell people of something that
//! is over. So what is due waits until every partition that was ever read has been read to its end *since*, and until what
//! was found there has been taken. Whoever reads all of the log in the same process says so itself ([`AtEnd`]). Others say
//! so in their rows, and a row may have been written by a process that ended long ago: it counts once it is another one
//! than when the leader began. Rows of topics and partitions that the configuration no longer knows are of nobody who will
//! ever say so, and do not count ([`Places`]). The wait is bounded ([`WAIT_MAX`]): a partition that nobody reads must not
//! silence everything. Signals, and whatever else comes in, are taken meanwhile as ever.
//!
//! To its end means judged to its end: see `evaluator::judged`.
//!
//! Not here: when pages that were decided may leave (`gate`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use crate::model::Progress;
use crate::pipeline::gate::WAIT_MAX;
use crate::store::{Result, Store};
use crate::time::Ms;

/// Rows are looked at this often; within one and the same instant, whenever asked.
const LOOK_EVERY: Ms = 200;

/// A partition's row, and the epoch of whoever reads it.
type Row = (i64, Progress);

/// The latest instant as of which this process had read and judged the whole log, with all signals durable. A clone is
/// another handle on it.
#[derive(Debug, Clone)]
pub struct AtEnd(Arc<AtomicI64>);

impl Default for AtEnd {
    /// Never.
    fn default() -> Self {
        Self(Arc::new(AtomicI64::new(Ms::MIN)))
    }
}

impl AtEnd {
    /// All that there was at `at`, elapsed time, is judged.
    pub fn say(&self, at: Ms) {
        self.0.store(at, Ordering::SeqCst);
    }

    /// Elapsed time.
    fn last(&self) -> Ms {
        self.0.load(Ordering::SeqCst)
    }
}

/// What is read of the log under the present configuration; by default everything that has a row. A store outlives
/// configurations: a topic that was renamed and partitions that were taken away leave rows that nobody moves on.
#[derive(Debug, Clone, Default)]
pub struct Places(Option<Arc<BTreeMap<String, Option<i32>>>>);

impl Places {
    /// These topics and how many partitions each has; `None`: as many as it has rows (Kafka's partitions only grow).
    pub fn of(topics: impl IntoIterator<Item = (String, Option<i32>)>) -> Self {
        Self(Some(Arc::new(topics.into_iter().collect())))
    }

    /// Whether a row is of a partition that somebody is to read. Wide rules have no records of their own.
    pub fn holds(&self, topic: &str, partition: i32) -> bool {
        let known = self.0.as_ref().is_none_or(|topics| {
            topics.get(topic).is_some_and(|partitions| partitions.is_none_or(|partitions| partition < partitions))
        });
        partition >= 0 && known
    }
}

/// Whether timers may ring.
#[derive(Debug)]
pub struct Dues {
    places: Places,
    /// What is read in this process.
    at_end: AtEnd,
    /// When the leader began, elapsed time.
    began: Ms,
    /// Partitions that were not read to their end since, as they stood at the beginning; `None`: not known yet.
    unread: Option<BTreeMap<(String, i32), Row>>,
    looked: Ms,
    is_open: bool,
}

impl Dues {
    /// Closed, for a leader that begins at `now`, elapsed time, beside a reader or without one.
    pub fn closed(at_end: AtEnd, places: Places, store: &dyn Store, now: Ms) -> Self {
        // Where the store is away, it is asked again at the first look.
        Self { unread: rows(store, &places).ok(), at_end, places, began: now, looked: now, is_open: false }
    }

    /// The same again, for a leader that begins at `now`.
    pub fn anew(&self, store: &dyn Store, now: Ms) -> Self {
        Self::closed(self.at_end.clone(), self.places.clone(), store, now)
    }

    /// Whether timers ring.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// When they ring at the latest, elapsed time.
    pub fn latest(&self) -> Ms {
        self.began + WAIT_MAX
    }

    /// How long the leader has been at it at `now`.
    pub fn age(&self, now: Ms) -> Ms {
        now - self.began
    }

    /// Whether everything has been read since the beginning, or the wait is over: then what has come in is taken, and the
    /// timers ring ([`Dues::open`]).
    ///
    /// # Errors
    /// The store cannot be asked.
    pub fn may_open(&mut self, store: &dyn Store, now: Ms) -> Result<bool> {
        if self.is_open || now >= self.latest() {
            return Ok(true);
        }
        if self.at_end.last() >= self.began {
            self.unread = Some(BTreeMap::new());
            return Ok(true);
        }
        let since = now - self.looked;
        if self.unread.is_some() && since > 0 && since < LOOK_EVERY {
            return Ok(self.unread.as_ref().is_some_and(BTreeMap::is_empty));
        }
        self.looked = now;
        let there = rows(store, &self.places)?;
        let unread = self.unread.get_or_insert_with(|| there.clone());
        unread.retain(|place, before| there.get(place).is_some_and(|row| row == before || !row.1.caught_up));
        Ok(unread.is_empty())
    }

    /// Timers ring from now on.
    pub fn open(&mut self, now: Ms) {
        if std::mem::replace(&mut self.is_open, true) {
            return;
        }
        let unread: Vec<_> = self.unread.iter().flatten().map(|((topic, partition), _)| (topic, partition)).collect();
        match unread.is_empty() {
            true => tracing::info!(waited_ms = self.age(now), "the leader's timers ring"),
            false => tracing::warn!(?unread, "the leader's timers ring although not all of the log was read"),
        }
    }
}

/// Every partition that was ever read and still is to be.
fn rows(store: &dyn Store, places: &Places) -> Result<BTreeMap<(String, i32), Row>> {
    let mut rows = BTreeMap::new();
    for (topic, partition, _) in store.partitions()? {
        if places.holds(&topic, partition)
            && let Some(row) = store.progress(&topic, partition)?
        {
            rows.insert((topic, partition), row);
        }
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Flush, Flushed, PartFlush};
    use crate::store::MemoryStore;

    const TOPIC: &str = "t";

    /// One step of whoever reads partition 0 under `epoch`.
    fn read(store: &MemoryStore, epoch: i64, from: i64, to: i64, caught_up: bool) {
        let progress = Progress { offset: to, caught_up, ..Progress::default() };
        let part = PartFlush {
            partition: 0,
            epoch,
            from,
            progress,
            rows: Vec::new(),
            signals: Vec::new(),
            came: BTreeMap::new(),
        };
        let flush = Flush { topic: TOPIC.to_owned(), parts: vec![part] };
        assert_eq!(store.flush(&flush).expect("memory is never away"), Flushed::Done);
    }

    fn own(store: &MemoryStore) -> i64 {
        store.own(TOPIC, 0, "reader").map(|owned| owned.epoch).unwrap_or_default()
    }

    fn closed(store: &MemoryStore, now: Ms) -> Dues {
        Dues::closed(AtEnd::default(), Places::default(), store, now)
    }

    fn may_open(dues: &mut Dues, store: &MemoryStore, now: Ms) -> bool {
        dues.may_open(store, now).expect("memory is never away")
    }

    #[test]
    fn a_word_of_before_is_none_and_the_same_word_of_a_new_reader_is() {
        let store = MemoryStore::default();
        let epoch = own(&store);
        read(&store, epoch, 0, 7, true);
        let mut dues = closed(&store, 1_000);
        assert!(!may_open(&mut dues, &store, 1_000), "that may be an hour old");
        let epoch = own(&store);
        assert!(!may_open(&mut dues, &store, 1_000), "somebody has it and has not read it");
        read(&store, epoch, 7, 7, true);
        assert!(!may_open(&mut dues, &store, 1_001), "looked at a moment ago");
        assert!(may_open(&mut dues, &store, 1_000 + LOOK_EVERY), "nothing new was there");
        assert!(!dues.is_open(), "what was found is taken first");
        dues.open(2_000);
        assert!(dues.is_open() && may_open(&mut dues, &store, 2_000));
    }

    #[test]
    fn whoever_reads_all_the_time_is_at_the_end_once_its_row_moves() {
        let store = MemoryStore::default();
        let epoch = own(&store);
        read(&store, epoch, 0, 7, true);
        let mut dues = closed(&store, 0);
        read(&store, epoch, 7, 9, false);
        assert!(!may_open(&mut dues, &store, 300), "it lags");
        read(&store, epoch, 9, 12, true);
        assert!(may_open(&mut dues, &store, 600));
        read(&store, epoch, 12, 13, false);
        assert!(may_open(&mut dues, &store, 900), "what came since is not what the beginning waits for");
    }

    #[test]
    fn a_reader_of_the_same_process_says_so_itself() {
        let store = MemoryStore::default();
        own(&store);
        let at_end = AtEnd::default();
        at_end.say(999);
        let mut dues = Dues::closed(at_end.clone(), Places::default(), &store, 1_000);
        assert!(!may_open(&mut dues, &store, 1_000), "that was before");
        at_end.say(1_000);
        assert!(may_open(&mut dues, &store, 1_000));
        assert!(!may_open(&mut dues.anew(&store, 1_500), &store, 1_500), "whoever begins again has to hear it again");
    }

    #[test]
    fn a_partition_that_nobody_reads_holds_them_a_minute_and_a_new_store_not_at_all() {
        let store = MemoryStore::default();
        assert!(may_open(&mut closed(&store, 5), &store, 5), "nothing was ever read");
        own(&store);
        let mut dues = closed(&store, 0);
        assert!(!may_open(&mut dues, &store, WAIT_MAX - 1));
        assert!(may_open(&mut dues, &store, WAIT_MAX));
    }

    #[test]
    fn rows_of_what_the_configuration_no_longer_knows_hold_nothing_up() {
        let store = MemoryStore::default();
        own(&store);
        for (places, opens) in [
            (Places::of([(TOPIC.to_owned(), None)]), false),
            (Places::of([(TOPIC.to_owned(), Some(1))]), false),
            (Places::of([(TOPIC.to_owned(), Some(0))]), true),
            (Places::of([("renamed".to_owned(), None)]), true),
        ] {
            let mut dues = Dues::closed(AtEnd::default(), places.clone(), &store, 0);
            assert_eq!(may_open(&mut dues, &store, 1_000), opens, "{places:?}");
            assert_eq!(may_open(&mut dues.anew(&store, 2_000), &store, 3_000), opens, "{places:?}, the next leader");
        }
    }
}
