//! Troubles that others' users have had for years, each run on the test stand: what must never happen here.
//!
//! Only those that no other scene shows; the whole list is in `tests/it/pains.rs`.

use super::scenes::{S1, S2, page};
use super::stand::{Stand, T0, signal};
use crate::model::*;
use crate::time::{DAY, HOUR, MINUTE, SECOND};

const FIRST: &str = "INC-2611-001";

#[test]
fn what_ended_while_nobody_led_is_told_once_and_as_of_its_true_end() {
    let mut stand = Stand::new();
    stand.signal("cpu", "db-01", S2);
    stand.pass(MINUTE);
    assert!(stand.ack(FIRST, DAY).0);
    // Nobody leads for two hours; it ended after ten minutes.
    let end = stand.now + 10 * MINUTE;
    stand.now += 2 * HOUR;
    stand.crash();
    let now = stand.now;
    stand.signals(vec![signal("cpu", "db-01", None, end)], 9, false);
    stand.crash();
    stand.input(Input::CaughtUp { topic: "t".to_owned(), partition: 0 });
    stand.pass(HOUR);
    assert_eq!(stand.heard(now), [page("msp-duty-1", "sms", "resolved")]);
    assert_eq!(stand.incident(FIRST).resolved, Some(end));
    let text = &stand.pages.iter().rfind(|row| row.page.reason == Reason::Resolved).expect("the end").page.text;
    assert!(text.contains("09:11"), "{text}");
    stand.replays();
}

#[test]
fn a_restart_tells_nobody_anything_again() {
    let mut stand = Stand::new();
    for n in 0..5 {
        stand.signal("cpu", &format!("h{n}"), if n % 2 == 0 { S1 } else { S2 });
    }
    stand.pass(SECOND);
    stand.signal("cpu", "h4", None);
    let now = stand.now;
    for _ in 0..5 {
        stand.crash();
        // What was read before is read again.
        let again = |seq| Taken {
            row: None,
            input: Input::Signal {
                key: SignalKey { topic: "t".to_owned(), partition: 0, seq },
                signal: signal("cpu", &format!("h{}", seq - 1), S1, T0),
                heard: 9,
                caught_up: true,
                came: None,
            },
        };
        let commit = stand.take(&(1..=5).map(again).collect::<Vec<_>>());
        assert_eq!((commit.pages.len(), commit.incidents.len(), commit.entries.len()), (0, 0, 0));
        stand.pass(SECOND);
    }
    assert_eq!(stand.heard(now + 1), []);
}

#[test]
fn no_cap_on_messages_holds_back_a_first_s1() {
    let mut stand = Stand::new();
    let flood = (0..60).map(|n| signal("cpu", &format!("h{n}"), S2, T0)).collect();
    stand.signals(flood, 900, true);
    let firsts = stand.heard(0).into_iter().filter(|(to, ..)| to == "msp-duty-1").count();
    assert!((30..60).contains(&firsts), "the cap of an hour is reached: {firsts}");
    stand.pass(SECOND);
    let now = stand.now;
    stand.signal("cpu", "grave", S1);
    assert_eq!(stand.heard(now), [page("msp-duty-1", "sms", "first")], "at its very instant");
}

#[test]
fn a_silence_that_was_ended_never_comes_back() {
    let mut stand = Stand::new();
    assert!(stand.silence(&["host=db-01"], DAY).0);
    assert!(stand.expire("SIL-2611-001").0);
    for n in 0..3 {
        stand.crash();
        stand.pass(HOUR);
        stand.signal("cpu", "db-01", S2);
        assert_eq!(stand.muted(&format!("INC-2611-{:03}", n + 1)), None);
        let now = stand.now;
        assert!(stand.heard(now).contains(&page("msp-duty-1", "sms", "first")), "{n}");
        stand.signal("cpu", "db-01", None);
        stand.pass(31 * MINUTE);
    }
    stand.replays();
}
