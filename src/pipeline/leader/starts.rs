//! Scenes of a leader that has begun and lets nothing ring before the log was read: what is over in the log is no news.

use super::scenes::{S1, S2};
use super::stand::{Stand, T0, signal};
use super::windows::inhibiting;
use super::*;
use crate::model::*;
use crate::time::{HOUR, MINUTE, Ms};

const FIRST: &str = "INC-2611-001";

impl Stand {
    /// The process was away for `length` and begins again on edited files; `None`: on the same.
    fn away(&mut self, length: Ms, hash: Option<&str>) {
        self.now += length;
        if let Some(hash) = hash {
            self.world = Arc::new(World { hash: hash.to_owned(), ..(*self.world).clone() });
        }
        self.crash();
    }

    /// Takes one input while nothing rings.
    fn hear(&mut self, input: Input) {
        let commit = self.leader.hear(&[], &[Taken { row: None, input }], self.now);
        self.is_closed = true;
        self.write(&commit);
        self.is_closed = false;
    }

    fn heard_of(&mut self, rule: &str, host: &str, severity: Option<Severity>) {
        self.seq += 1;
        let key = SignalKey { topic: "t".to_owned(), partition: 0, seq: self.seq };
        let from = if severity == S1 { State::Firing } else { State::Inactive };
        let signal = Signal { from, ..signal(rule, host, severity, self.now) };
        self.hear(Input::Signal { key, signal, heard: 100, caught_up: true, came: None });
    }

    /// The log was read: whatever is due rings.
    fn rings(&mut self) {
        let commit = self.leader.due(self.now).expect("something is due");
        self.write(&commit);
        self.settle();
    }
}

/// What moves nothing.
fn nothing() -> Input {
    Input::Pace { channel: Channel::Sms, p99: 1_000 }
}

/// A silence of an hour that ran out while nobody led, over what fires.
fn silenced() -> Stand {
    let mut stand = Stand::new();
    stand.silence(&["host=db-01"], HOUR);
    stand.pass(MINUTE);
    stand.signal("cpu", "db-01", S2);
    stand
}

#[test]
fn a_reload_ends_no_silence_before_the_log_was_read() {
    for is_crashing in [false, true] {
        let mut stand = silenced();
        stand.is_crashing = is_crashing;
        stand.away(3 * HOUR, Some("2"));
        stand.hear(nothing());
        assert_eq!(stand.entries.iter().filter(|entry| entry.kind == "reload").count(), 1);
        assert!(stand.muted(FIRST).is_some(), "the silence ran out, and nobody knows yet what the log holds");
        stand.heard_of("cpu", "db-01", S1);
        assert!(stand.muted(FIRST).is_some(), "nor does another signal end it");
        stand.hear(Input::Expire { silence: "SIL-2611-009".to_owned(), by: "boss".to_owned() });
        stand.heard_of("cpu", "db-01", None);
        stand.rings();
        assert_eq!((stand.n_changes(Change::Unmuted), stand.pages.len()), (0, 0), "it was over all the time");
        stand.replays();
    }
}

#[test]
fn what_still_fires_when_the_log_was_read_is_told_at_once() {
    for hash in [None, Some("2")] {
        for is_crashing in [false, true] {
            let mut stand = silenced();
            stand.is_crashing = is_crashing;
            stand.away(3 * HOUR, hash);
            stand.hear(nothing());
            assert_eq!(stand.pages.len(), 0);
            stand.rings();
            assert_eq!(stand.heard(0).len(), 1, "{hash:?} {is_crashing}");
            stand.replays();
        }
    }
}

#[test]
fn a_moment_after_a_source_that_passed_meanwhile_ends_by_its_timer() {
    let mut stand = inhibiting();
    stand.signal("node-down", "db-01", S1);
    stand.signal("cpu", "db-01", S2);
    assert!(stand.muted("INC-2611-002").is_some());
    stand.signal("node-down", "db-01", None);
    assert!(stand.muted("INC-2611-002").is_some(), "for a moment");
    stand.away(HOUR, None);
    stand.heard_of("cpu", "db-01", S1);
    assert!(stand.muted("INC-2611-002").is_some());
    stand.heard_of("cpu", "db-01", None);
    stand.rings();
    assert_eq!(stand.n_changes(Change::Unmuted), 0);
    assert!(stand.pages.iter().all(|row| row.page.incident != "INC-2611-002"));
    stand.replays();
}

#[test]
fn another_world_is_written_down_once_and_though_nothing_happens() {
    let mut stand = Stand::new();
    stand.rings();
    assert_eq!(stand.leader.due(T0), None, "the first world is known now");
    stand.now = T0 + MINUTE;
    stand.leader.reload(Arc::new(World { hash: "2".to_owned(), ..(*stand.world).clone() }));
    let commit = stand.leader.due(stand.now).expect("the reload");
    stand.write(&commit);
    let kinds: Vec<_> = stand.entries.iter().map(|entry| (entry.kind.as_str(), entry.at)).collect();
    assert_eq!(kinds, [("reload", T0 + MINUTE)]);
    assert_eq!((stand.leader.due(stand.now), stand.leader.due(stand.now + HOUR)), (None, None));
    stand.replays();
}
