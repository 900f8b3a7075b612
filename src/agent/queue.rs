//! What could not be handed over yet, oldest first.
//!
//! The idea: a bounded row of rendered records with a hole for `sent`, so that a record which waited an hour still says
//! when it was handed over. At the limit the oldest goes and is counted: the newest numbers are the ones that tell
//! whether the host is well. Where there is a spool, this holds little but the newest record.

use std::collections::VecDeque;

use crate::agent::run::Fate;
use crate::decode::Draft;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key: the host.
    pub key: Vec<u8>,
    /// Its value: one line of JSON, without the line's end.
    pub value: Vec<u8>,
}

/// The records that wait, without `sent`.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Record>,
    len_max: usize,
    dropped: u64,
}

impl Queue {
    /// An empty queue for at most `len_max` records (at least one).
    pub(super) fn new(len_max: usize) -> Self {
        Self { waiting: VecDeque::new(), len_max: len_max.max(1), dropped: 0 }
    }

    /// Adds a record; the oldest makes room.
    pub(super) fn push(&mut self, draft: &Draft) {
        while self.waiting.len() >= self.len_max {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        let (head, rest) = draft.render();
        self.waiting.push_back(Record { key: draft.host.clone().into_bytes(), value: (head + &rest).into_bytes() });
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many were given up for lack of room.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Copies of the oldest records: at most `n_max`, and one more only while they stay below `bytes_max`.
    pub(super) fn oldest(&self, n_max: usize, bytes_max: usize) -> Vec<Record> {
        let mut bytes = 0;
        let fits = |record: &&Record| {
            let first = bytes == 0;
            bytes += record.value.len();
            first || bytes <= bytes_max
        };
        self.waiting.iter().take(n_max).take_while(fits).cloned().collect()
    }

    /// Takes out of the oldest records those whose fate is settled; the others keep their order.
    pub(super) fn settle(&mut self, fates: &[Fate]) {
        let mut fates = fates.iter();
        self.waiting.retain(|_| fates.next().is_none_or(|fate| *fate == Fate::Kept));
    }

    /// The oldest `n` are kept elsewhere.
    pub(super) fn forget(&mut self, n: usize) {
        self.waiting.drain(..n.min(self.waiting.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Ms;

    fn draft(ts: Ms) -> Draft {
        Draft { ts, host: "a".to_owned(), ..Draft::default() }
    }

    fn queue(n: Ms, len_max: usize) -> Queue {
        let mut queue = Queue::new(len_max);
        (0..n).for_each(|ts| queue.push(&draft(ts)));
        queue
    }

    fn values(batch: &[Record]) -> Vec<String> {
        batch.iter().map(|record| String::from_utf8(record.value.clone()).unwrap()).collect()
    }

    #[test]
    fn at_the_limit_the_oldest_goes_and_is_counted() {
        let queue = queue(5, 3);
        assert_eq!((queue.len(), queue.dropped()), (3, 2));
        assert_eq!(values(&queue.oldest(1, 1_000)), [r#"{"v":1,"ts":2,"host":"a","points":[]}"#]);
    }

    #[test]
    fn a_batch_is_bounded_but_never_empty() {
        let queue = queue(5, 10);
        assert_eq!(queue.oldest(2, 1_000).len(), 2);
        assert_eq!(queue.oldest(5, 1).len(), 1);
        assert_eq!(queue.oldest(5, 80).len(), 2);
    }

    #[test]
    fn what_is_not_settled_keeps_its_order() {
        let mut queue = queue(5, 10);
        queue.settle(&[Fate::Taken, Fate::Kept, Fate::Refused]);
        let left: Vec<_> = values(&queue.oldest(9, 1_000)).iter().map(|v| v[12..13].to_owned()).collect();
        assert_eq!(left, ["1", "3", "4"]);
        queue.forget(2);
        assert_eq!(queue.len(), 1);
    }
}
