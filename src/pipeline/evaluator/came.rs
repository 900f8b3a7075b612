//! Which record a signal is due to, and when this process took it.
//!
//! The idea: the rules have no clock and say nothing of records, so it is worked out beside them, from what passes by: the
//! newest record of a signal's source, if it came since the rule's tick before; else nothing new was seen, time alone
//! decided, and it was the record that carried the log's time past the tick. It is data for people and figures: nothing is
//! decided by it, and a replay may find it different.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::model::{Came, Decoded, Kind, RuleSet, Signal, WIDE};
use crate::time::{Ms, SECOND};

/// The newest records of one partition.
#[derive(Debug, Default)]
struct Newest {
    of_source: HashMap<Arc<str>, Came>,
    of_all: Option<Came>,
}

/// The newest record of every source, by partition.
#[derive(Debug, Default)]
pub(super) struct Arrivals(BTreeMap<i32, Newest>);

impl Arrivals {
    /// Takes note of a record: appended at `append`, taken by this process at `now`, wall time.
    pub(super) fn note(&mut self, partition: i32, record: &Decoded, (append, now): (Ms, Ms)) {
        if record.kind != Kind::Data {
            return;
        }
        let came = Came { sampled: record.ts.min(append), appended: append, consumed: now };
        let newest = self.0.entry(partition).or_default();
        newest.of_all = Some(came);
        match newest.of_source.get_mut(&record.host) {
            Some(known) => *known = came,
            None => drop(newest.of_source.insert(Arc::clone(&record.host), came)),
        }
    }

    /// The partition is no longer read here.
    pub(super) fn forget(&mut self, partition: i32) {
        self.0.remove(&partition);
    }

    /// How what raised `signal` came in; `closing` is the record at hand.
    pub(super) fn of(&self, partition: i32, signal: &Signal, rules: &RuleSet, closing: Came) -> Came {
        let rule = rules.rules.iter().find(|rule| rule.id == signal.rule);
        let interval = rule.map_or(SECOND, |rule| rule.interval);
        let is_new = |came: &&Came| came.appended <= signal.at && came.appended > signal.at - interval;
        let mine = |(number, _): &(&i32, &Newest)| partition == WIDE || **number == partition;
        let newest = || self.0.iter().filter(mine).map(|(_, newest)| newest);
        let found = match signal.labels.get("host") {
            Some(host) => newest().filter_map(|it| it.of_source.get(host)).filter(is_new).max_by_key(|it| it.appended),
            // Of all sources together, or of those that a label groups: the last that was heard.
            None => newest().filter_map(|it| it.of_all.as_ref()).filter(is_new).max_by_key(|it| it.appended),
        };
        found.copied().unwrap_or(closing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Fingerprint, Labels, State};

    fn record(host: &str, ts: Ms) -> Decoded {
        Decoded { kind: Kind::Data, host: Arc::from(host), ts, ..Decoded::default() }
    }

    fn signal(host: Option<&str>, at: Ms) -> Signal {
        let labels = Labels::new(host.map(|host| ("host", host)));
        Signal {
            rule: "r".into(),
            fingerprint: Fingerprint::of("r", &labels),
            labels,
            from: State::Inactive,
            to: State::Firing,
            severity: None,
            value: None,
            unknown: None,
            at,
            since: None,
            ended: None,
            acted: true,
        }
    }

    #[test]
    fn a_signal_is_due_to_what_its_source_said_since_the_tick_before_or_to_time() {
        let (mut all, rules) = (Arrivals::default(), RuleSet::default());
        all.note(0, &record("a", 9_990), (10_200, 10_230));
        all.note(0, &record("b", 99_000), (10_400, 10_410));
        let closing = Came { sampled: 11_200, appended: 11_200, consumed: 11_260 };
        let of = |partition, host, at| all.of(partition, &signal(host, at), &rules, closing);
        assert_eq!(of(0, Some("a"), 11_000), Came { sampled: 9_990, appended: 10_200, consumed: 10_230 });
        let b = Came { sampled: 10_400, appended: 10_400, consumed: 10_410 };
        assert_eq!(of(0, Some("b"), 11_000), b, "a source whose clock is ahead sampled no later than the log had it");
        assert_eq!(of(0, Some("a"), 12_000), closing, "nothing new since the tick before: time decided");
        assert_eq!(of(0, Some("a"), 10_000), closing, "it came after the tick");
        assert_eq!(of(0, Some("c"), 11_000), closing, "never heard of");
        assert_eq!(of(1, Some("a"), 11_000), closing, "another partition");
        assert_eq!(of(WIDE, Some("a"), 11_000).consumed, 10_230, "wherever it is");
        assert_eq!(of(WIDE, None, 11_000), b, "the last of all");
        all.forget(0);
        assert_eq!(all.of(WIDE, &signal(None, 11_000), &rules, closing), closing);
    }

    #[test]
    fn a_pulse_and_what_was_refused_are_nobodys_word() {
        let mut all = Arrivals::default();
        all.note(0, &Decoded { kind: Kind::Pulse, ..record("a", 1) }, (10, 11));
        all.note(0, &Decoded { kind: Kind::Rejected, ..record("a", 1) }, (10, 11));
        let closing = Came::noticed(20);
        assert_eq!(all.of(0, &signal(Some("a"), 10), &RuleSet::default(), closing), closing);
    }
}
