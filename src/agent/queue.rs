//! What could not be handed over yet, oldest first.
//!
//! The idea: a bounded row of rendered records with a hole for `sent`, so that a record which waited an hour still says
//! when it was handed over. At the limit the oldest goes and is counted: the newest numbers are the ones that tell
//! whether the host is well.

use std::collections::VecDeque;

use crate::agent::run::Fate;
use crate::decode::Draft;
use crate::time::Ms;

/// A record as it is handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key: the host.
    pub key: Vec<u8>,
    /// Its value: one line of JSON, without the line's end.
    pub value: Vec<u8>,
}

#[derive(Debug)]
struct Waiting {
    key: Vec<u8>,
    head: String,
    rest: String,
}

/// The records that wait.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
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
        self.waiting.push_back(Waiting { key: draft.host.clone().into_bytes(), head, rest });
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many were given up for lack of room.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Copies of the oldest records, stamped with `sent`: at most `n_max`, and one more only while they stay below
    /// `bytes_max`.
    pub(super) fn batch(&self, n_max: usize, bytes_max: usize, sent: Ms) -> Vec<Record> {
        let mut bytes = 0;
        let stamped = self.waiting.iter().take(n_max).map(|waiting| {
            let value = format!("{}\"sent\":{sent},{}", waiting.head, waiting.rest).into_bytes();
            Record { key: waiting.key.clone(), value }
        });
        let mut batch = Vec::new();
        for record in stamped {
            bytes += record.value.len();
            if bytes > bytes_max && !batch.is_empty() {
                break;
            }
            batch.push(record);
        }
        batch
    }

    /// Takes out of the oldest records those whose fate is settled; the others keep their order.
    pub(super) fn settle(&mut self, fates: &[Fate]) {
        let mut fates = fates.iter();
        self.waiting.retain(|_| fates.next().is_none_or(|fate| *fate == Fate::Kept));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_record_is_stamped_when_it_is_handed_over() {
        let queue = queue(1, 10);
        assert_eq!(values(&queue.batch(5, 1_000, 70)), [r#"{"v":1,"ts":0,"sent":70,"host":"a","points":[]}"#]);
        assert_eq!(values(&queue.batch(5, 1_000, 90)), [r#"{"v":1,"ts":0,"sent":90,"host":"a","points":[]}"#]);
    }

    #[test]
    fn at_the_limit_the_oldest_goes_and_is_counted() {
        let queue = queue(5, 3);
        assert_eq!((queue.len(), queue.dropped()), (3, 2));
        assert!(values(&queue.batch(1, 1_000, 0))[0].contains("\"ts\":2,"));
    }

    #[test]
    fn a_batch_is_bounded_but_never_empty() {
        let queue = queue(5, 10);
        assert_eq!(queue.batch(2, 1_000, 0).len(), 2);
        assert_eq!(queue.batch(5, 1, 0).len(), 1);
        assert_eq!(queue.batch(5, 100, 0).len(), 2);
    }

    #[test]
    fn what_is_not_settled_keeps_its_order() {
        let mut queue = queue(5, 10);
        queue.settle(&[Fate::Taken, Fate::Kept, Fate::Refused]);
        let left: Vec<_> = values(&queue.batch(9, 1_000, 0)).iter().map(|v| v[12..13].to_owned()).collect();
        assert_eq!(left, ["1", "3", "4"]);
    }
}
