//! What the sweeper reads: whatever waits too long, whoever should have done it, and the leader's notes.

use bongsu::model::*;

use crate::store_suite::*;

over_all!(what_waits_too_long_is_found_in_the_rows, notes_are_read_by_the_beginning_of_their_key);

fn found(kind: OverdueKind, id: &str, due: i64) -> Overdue {
    Overdue { kind, id: id.to_owned(), due }
}

fn what_waits_too_long_is_found_in_the_rows(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(store.as_ref());
    let ack = Ack { by: "a".to_owned(), at: 1, until: 200_000, note: String::new() };
    let acked =
        Incident { state: IncidentState::Acked, ack: Some(ack), held_until: None, ..incident("INC-2611-002", 2) };
    let open = Incident { held_until: None, ack: None, state: IncidentState::Open, ..incident("INC-2611-001", 1) };
    let over = Incident { state: IncidentState::Resolved, ..incident("INC-2611-003", 3) };
    leader.commit(
        store.as_ref(),
        BookCommit {
            incidents: vec![open, acked, over],
            chains: ["INC-2611-001", "INC-2611-002", "INC-2611-003"].map(chain).to_vec(),
            pages: vec![
                page("waits", "INC-2611-001", Severity::S2, 900_000),
                page("gone", "INC-2611-001", Severity::S2, 90),
            ],
            ..BookCommit::default()
        },
    );
    let row = store.add_input(&Input::Reload { hash: "h".to_owned(), contacts: Vec::new() }, 250_000).unwrap();
    let waits = found(OverdueKind::Page, "waits", 10);
    let step = found(OverdueKind::Chain, "INC-2611-001", 300_000);
    let held = found(OverdueKind::Incident, "INC-2611-002", 200_000);
    let input = found(OverdueKind::Input, &row.to_string(), 250_000);
    assert_eq!(store.overdue(100, 9).unwrap(), []);
    assert_eq!(store.overdue(100, 10).unwrap(), std::slice::from_ref(&waits), "one page is useless by now");
    assert_eq!(store.overdue(230_000, 200_000).unwrap(), [held.clone(), waits.clone()]);
    assert_eq!(store.overdue(330_000, 300_000).unwrap(), [step, held, waits, input]);
}

fn notes_are_read_by_the_beginning_of_their_key(home: &dyn Home) {
    let store = home.open();
    let mut leader = Leader::take(store.as_ref());
    let note = |key: &str| (key.to_owned(), Some(format!("\"{key}\"")));
    let notes = ["incident/sla/a", "incident/sla/b", "incident/slate", "page/cap/x"].map(note).to_vec();
    leader.commit(store.as_ref(), BookCommit { notes, ..BookCommit::default() });
    let keys: Vec<String> = store.notes("incident/sla/").unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, ["incident/sla/a", "incident/sla/b"]);
    assert_eq!(store.notes("nothing").unwrap(), []);
}
