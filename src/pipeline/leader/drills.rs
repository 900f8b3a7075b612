//! Drills that a person starts: marked, apart from everything real, and over in time.

use super::Leader;
use super::levels::contracted;
use super::mutes::FIRST;
use super::scenes::page;
use super::stand::{Stand, T0};
use crate::model::*;
use crate::time::{HOUR, MINUTE, Ms};

const DRILL: &str = "DRL-2611-001";

fn ask(hold: Ms) -> Input {
    Input::Drill(Box::new(DrillAsk {
        rule: "cpu".to_owned(),
        labels: Labels::new([("host", "db-01"), ("drill", "false")]),
        severity: Severity::S1,
        hold,
        by: "msp-duty-1".to_owned(),
        note: "합동훈련".to_owned(),
    }))
}

#[test]
fn a_drill_goes_the_whole_way_and_ends_by_itself() {
    let mut stand = Stand::new();
    let (done, answer) = stand.input(ask(12 * MINUTE));
    assert!(done && answer.starts_with(&format!("{DRILL} 훈련을 시작했습니다(2026-11-24T")), "{answer}");
    assert_eq!(stand.heard(0), [page("msp-duty-1", "sms", "first")]);
    assert!(stand.pages[0].page.text.starts_with("[훈련]"), "{}", stand.pages[0].page.text);
    let (again, answer) = stand.input(ask(HOUR));
    assert!(!again && answer.contains(DRILL), "the same twice at once: {answer}");
    // Its chain runs on as that of a real one.
    stand.until(T0 + 5 * MINUTE);
    assert!(stand.heard(T0 + MINUTE).iter().all(|(_, _, reason)| *reason == "escalated"));
    stand.until(T0 + 12 * MINUTE - 1);
    assert_eq!(stand.incident(DRILL).state, IncidentState::Open);
    stand.until(T0 + 12 * MINUTE);
    assert_eq!(stand.incident(DRILL).state, IncidentState::Resolved);
    let ends = stand.heard(T0 + 12 * MINUTE);
    assert!(ends.contains(&page("msp-duty-1", "sms", "resolved")), "{ends:?}");
    assert!(stand.pages.iter().all(|row| row.page.text.starts_with("[훈련]")));
    // The next one is another one.
    let (_, answer) = stand.input(ask(HOUR));
    assert!(answer.starts_with("DRL-2611-002"), "{answer}");
    assert!(
        stand.input(Input::Resolve { incident: "DRL-2611-002".to_owned(), by: "a".to_owned(), note: String::new() }).0
    );
    stand.pass(2 * HOUR);
    assert_eq!(stand.n_changes(Change::Resolved), 2, "it ends once");
    stand.replays();
}

#[test]
fn a_drill_and_the_real_thing_have_nothing_to_do_with_each_other() {
    let story = |is_crashing: bool| {
        let mut stand = Stand::with(contracted());
        stand.is_crashing = is_crashing;
        stand.input(ask(8 * HOUR));
        stand.pass(40 * MINUTE);
        stand.signal("cpu", "db-01", Some(Severity::S1));
        stand.signal("cpu", "db-01", None);
        stand.pass(MINUTE);
        stand.input(Input::Due);
        stand
    };
    let (calm, crashing) = (story(false), story(true));
    assert_eq!(calm.entries, crashing.entries, "the same decisions whoever leads");
    assert_eq!(calm.incident(FIRST).state, IncidentState::Resolved);
    assert_eq!(calm.incident(DRILL).state, IncidentState::Open, "the end of the real one is not its end");
    // An S1 of 40 minutes, and no service was down.
    let down = |id: &str| calm.incident(id).sla.as_ref().and_then(|clocks| clocks.down_since);
    assert_eq!(down(DRILL), None);
    let service = |it: &(String, String)| it.0.contains("/sla/") && it.1.contains(DRILL);
    assert!(!calm.rows.notes.iter().any(service), "{:?}", calm.rows.notes);
    let mut again = Leader::load(&BookRows { epoch: 1, ..BookRows::default() }, std::sync::Arc::new(contracted()));
    again.replay(&calm.entries, |_| None).expect("byte for byte");
}

#[test]
fn a_drill_of_a_rule_that_tells_nobody_is_refused() {
    let mut stand = Stand::new();
    let Input::Drill(mut wrong) = ask(HOUR) else { unreachable!() };
    wrong.rule = "nothing".to_owned();
    let (done, answer) = stand.input(Input::Drill(wrong));
    assert!(!done && answer.contains("`nothing`"), "{answer}");
    assert_eq!(stand.heard(0), []);
}
