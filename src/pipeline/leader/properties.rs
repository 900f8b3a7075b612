//! Random weeks of the incident stage: whatever happens, the promises hold, and a change of leaders changes nothing.
//!
//! The stand checks after every commit: one live incident per fingerprint, an open S1 always has a next action, nothing
//! waits about a taken incident, ids come once, texts are clean and fit. Here are the promises about whole stories.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::stand::*;
use super::*;
use crate::model::*;
use crate::time::{HOUR, MINUTE, SECOND};

/// One thing that happens.
#[derive(Debug, Clone)]
enum Event {
    Fires(u8, Severity),
    Recovers(u8),
    Silent(u8, bool),
    LateFires(u8),
    CaughtUp,
    Ack(u8, i64),
    Unack(u8),
    Resolve(u8),
    Reopen(u8),
    /// The n-th waiting page is handed over and ends so.
    Page(u8, u8),
    /// The n-th page that a sender has comes back unsent.
    Back(u8),
    Pass(i64),
}

fn event() -> impl Strategy<Value = Event> {
    let severity = prop::sample::select(Severity::ALL.to_vec());
    let length = prop::sample::select(vec![1, SECOND, 30 * SECOND, 2 * MINUTE, 7 * MINUTE, 31 * MINUTE, 3 * HOUR]);
    prop_oneof![
        6 => (0..4u8, severity).prop_map(|(host, severity)| Event::Fires(host, severity)),
        4 => (0..4u8).prop_map(Event::Recovers),
        2 => (0..8u8, any::<bool>()).prop_map(|(host, is_back)| Event::Silent(host, is_back)),
        1 => (0..4u8).prop_map(Event::LateFires),
        1 => Just(Event::CaughtUp),
        2 => (0..6u8, prop::sample::select(vec![MINUTE, HOUR])).prop_map(|(id, hold)| Event::Ack(id, hold)),
        1 => (0..6u8).prop_map(Event::Unack),
        1 => (0..6u8).prop_map(Event::Resolve),
        1 => (0..6u8).prop_map(Event::Reopen),
        8 => (0..8u8, 0..8u8).prop_map(|(page, end)| Event::Page(page, end)),
        3 => (0..4u8).prop_map(Event::Back),
        6 => length.prop_map(Event::Pass),
    ]
}

fn happen(stand: &mut Stand, event: &Event) {
    let host = |n: u8| format!("h{n}");
    let number = |n: u8| format!("INC-2611-{n:03}");
    let by = || "boss".to_owned();
    match event {
        Event::Fires(n, severity) => {
            let known = stand.rows.incidents.iter().rev().find(|it| it.labels.get("host") == Some(&host(*n)));
            match known.is_some_and(|it| it.state.is_live()) {
                true => stand.regrade("cpu", &host(*n), *severity),
                false => stand.signal("cpu", &host(*n), Some(*severity)),
            }
        }
        Event::Recovers(n) => stand.signal("cpu", &host(*n), None),
        Event::Silent(n, is_back) => {
            let severity = (!is_back).then_some(Severity::S2);
            stand.signals(vec![signal("source-silent", &host(*n), severity, stand.now)], 8, true);
        }
        Event::LateFires(n) => {
            let at = stand.now - 5 * MINUTE;
            stand.signals(vec![signal("cpu", &host(*n), Some(Severity::S1), at)], 8, false);
        }
        Event::CaughtUp => drop(stand.input(Input::CaughtUp { topic: "t".to_owned(), partition: 0 })),
        Event::Ack(n, hold) => drop(stand.ack(&number(*n), *hold)),
        Event::Unack(n) => drop(stand.input(Input::Unack { incident: number(*n), by: by() })),
        Event::Resolve(n) => {
            drop(stand.input(Input::Resolve { incident: number(*n), by: by(), note: String::new() }));
        }
        Event::Reopen(n) => drop(stand.input(Input::Reopen { incident: number(*n), by: by() })),
        Event::Page(n, end) => {
            let waiting = stand.pages.iter().filter(|row| row.state == PageState::Waiting);
            let Some(id) = waiting.map(|row| row.page.id.clone()).nth(usize::from(*n)) else { return };
            stand.hand(&id);
            let reason = "recipient".to_owned();
            match end {
                0 => stand.outcome(&id, Outcome::Failed { reason }),
                1 => stand.outcome(&id, Outcome::Unknown { reason }),
                2 | 3 => {}
                _ => stand.outcome(&id, Outcome::Accepted { id: "g".to_owned() }),
            }
        }
        Event::Back(n) => {
            let handed = stand.pages.iter().filter(|row| row.state == PageState::Handed);
            let Some(id) = handed.map(|row| row.page.id.clone()).nth(usize::from(*n)) else { return };
            stand.give_back(&id);
        }
        Event::Pass(length) => stand.pass(*length),
    }
}

fn live(events: &[Event], is_crashing: bool) -> Stand {
    let mut stand = Stand::new();
    (stand.is_crashing, stand.delivers) = (is_crashing, false);
    for event in events {
        happen(&mut stand, event);
    }
    stand
}

/// Nobody hears of an end who did not hear of a beginning before.
fn check_ends(stand: &Stand) {
    for end in stand.pages.iter().filter(|row| row.page.reason == Reason::Resolved) {
        let told = stand.pages.iter().any(|row| {
            let is_same = row.page.incident == end.page.incident || row.page.reason == Reason::Digest;
            let is_seat = row.page.to == end.page.to && row.page.channel == end.page.channel;
            is_same && is_seat && row.handed.is_some_and(|at| at <= end.page.decided) && row.page.id != end.page.id
        });
        assert!(told, "an end without a beginning: {end:?}");
    }
}

/// Everybody who was handed a beginning and is not known to have missed it hears of the last end of it.
fn check_all_told(stand: &Stand) {
    for incident in stand.rows.incidents.iter().filter(|incident| incident.state == IncidentState::Resolved) {
        if incident.flapping {
            continue;
        }
        let about = |row: &&PageRow| row.page.incident == incident.id && row.page.occurrence == incident.occurrence;
        let reached = |row: &&PageRow| {
            row.handed.is_some() && !matches!(row.state, PageState::Failed | PageState::Waiting | PageState::Cancelled)
        };
        let begins = stand.pages.iter().filter(about).filter(reached);
        let seat = |row: &PageRow| (row.page.to.clone(), row.page.channel);
        let told: BTreeSet<_> =
            begins.filter(|row| !matches!(row.page.reason, Reason::Resolved | Reason::Digest)).map(seat).collect();
        let ends = stand.pages.iter().filter(about).filter(|row| row.page.reason == Reason::Resolved);
        let heard: BTreeSet<_> = ends.map(seat).collect();
        // Ends over the cap are in a fold; the few events of a story rarely reach it.
        let is_capped = stand.rows.notes.iter().any(|(key, text)| key.contains("/end/") && !text.contains("[]"));
        assert!(is_capped || told.is_subset(&heard), "{}: told {told:?}, heard of the end {heard:?}", incident.id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promises_hold_and_a_change_of_leaders_changes_nothing(events in prop::collection::vec(event(), 1..60)) {
        let steady = live(&events, false);
        check_ends(&steady);
        check_all_told(&steady);
        let crashing = live(&events, true);
        prop_assert_eq!(&steady.entries, &crashing.entries, "the ledger, byte for byte");
        prop_assert_eq!(&steady.pages, &crashing.pages);
        let mut again = Leader::load(&BookRows::default(), steady.world.clone());
        let views = again.replay(&steady.entries, |_| None);
        prop_assert!(views.is_ok(), "{:?}", views.err());
    }
}
