//! Many at once: digests, caps, storms, limits and silent sources, each scene run on the test stand.

use super::World;
use super::stand::*;
use crate::model::*;
use crate::time::{DAY, HOUR, MINUTE, SECOND};

const S1: Option<Severity> = Some(Severity::S1);
const S2: Option<Severity> = Some(Severity::S2);
const FIRST: &str = "INC-2611-001";

#[test]
fn a_deferred_severity_leaves_in_the_digest() {
    let mut stand = Stand::new();
    stand.signal("cpu", "a", Some(Severity::S4));
    stand.signal("cpu", "b", Some(Severity::S4));
    stand.signal("cpu", "b", None);
    stand.until(T0 + DAY - 1);
    assert_eq!(stand.heard(0), []);
    stand.until(T0 + DAY);
    assert_eq!(stand.heard(0), [("msp-duty-1".to_owned(), "sms", "digest")]);
    assert!(stand.pages[0].page.text.contains("장애 2건(복구 1건, 미복구 1건)"), "{}", stand.pages[0].page.text);
    assert_eq!(stand.incident(FIRST).notified, Some(T0 + DAY), "a digest tells of it");
}

#[test]
fn a_flood_below_s1_becomes_thirty_pages_and_one_summary_an_hour() {
    let mut people = people();
    people.sla.rest.warns = [false; 4]; // half of the time to recover passes within the hour
    let mut stand = Stand::with(World::new(world().rules, people, Inventory::default()));
    let flood = (0..50).map(|n| signal("cpu", &format!("h{n}"), S2, T0)).collect();
    stand.signals(flood, 900, true);
    assert_eq!(stand.heard(0).len(), 30);
    assert!(stand.ack("INC-2611-050", DAY).0);
    stand.pass(HOUR);
    let to_duty = |stand: &Stand| {
        let pages = stand.pages.iter().filter(|row| row.page.to == "msp-duty-1" && row.page.decided > T0);
        pages.map(|row| row.page.text.clone()).collect::<Vec<_>>()
    };
    assert_eq!(
        to_duty(&stand),
        ["[긴급신고][장애다발]INC-2611-031 등 19건 최고등급 보통 10:00. 관제콘솔 확인요망"],
        "none is lost, the one that was taken drops out"
    );
}

#[test]
fn an_s1_storm_is_ten_pages_and_a_summary_at_once() {
    let mut stand = Stand::new();
    let flood = (0..200).map(|n| signal("cpu", &format!("h{n}"), S1, T0)).collect();
    stand.signals(flood, 900, true);
    assert_eq!(stand.heard(T0).len(), 11);
    let last = &stand.pages[10].page;
    assert_eq!(last.text, "[긴급신고][장애다발]INC-2611-011 등 190건 최고등급 중대 09:00. 관제콘솔 확인요망");
    stand.signals((0..200).map(|n| signal("cpu", &format!("h{n}"), None, T0)).collect(), 900, true);
    stand.pass(MINUTE);
    let ends: Vec<_> = stand.pages.iter().skip(11).map(|row| row.page.text.as_str()).collect();
    assert_eq!(ends, ["[긴급신고][복구완료]INC-2611-001 등 200건 복구 09:00. 관제콘솔 확인요망"]);
}

/// A summary that counted both told of drills as real, and named one as the first of a storm.
#[test]
fn drills_over_the_cap_are_summed_up_apart_and_marked() {
    let mut stand = Stand::new();
    let flood = (0..10).map(|n| signal("cpu", &format!("h{n}"), S1, T0)).collect();
    stand.signals(flood, 900, true);
    stand.delivers = false;
    for host in ["d1", "d2"] {
        let labels = Labels::new([("host", host)]);
        let (rule, by) = ("cpu".to_owned(), "boss".to_owned());
        let ask = DrillAsk { rule, labels, severity: Severity::S1, hold: HOUR, by, note: String::new() };
        assert!(stand.input(Input::Drill(Box::new(ask))).0);
    }
    stand.signals((10..12).map(|n| signal("cpu", &format!("h{n}"), S1, T0)).collect(), 900, true);
    stand.delivers = true;
    stand.pass(MINUTE + SECOND);
    let told = stand.pages.iter().skip(10).filter(|row| row.state != PageState::Cancelled);
    let texts: Vec<&str> = told.map(|row| row.page.text.as_str()).collect();
    assert!(texts.iter().any(|text| text.starts_with("[훈련]")), "{texts:?}");
    for text in texts {
        let is_marked = text.starts_with("[훈련]");
        assert_eq!(text.contains("DRL-"), is_marked, "a drill is marked, and nothing else: {text}");
        assert!(!text.contains("등 4건") && !text.contains("등 3건"), "they are counted apart: {text}");
    }
    stand.replays();
}

#[test]
fn a_waiting_summary_lets_go_of_what_somebody_took() {
    let mut stand = Stand::new();
    stand.delivers = false;
    let flood = (0..13).map(|n| signal("cpu", &format!("h{n}"), S1, T0)).collect();
    stand.signals(flood, 900, true);
    assert!(stand.pages[10].page.text.contains("INC-2611-011 등 3건"));
    assert!(stand.ack("INC-2611-012", DAY).0);
    assert_eq!(stand.pages[10].state, PageState::Cancelled);
    assert!(stand.pages[11].page.text.contains("INC-2611-011 등 2건"), "{}", stand.pages[11].page.text);
    assert!(stand.ack("INC-2611-011", DAY).0);
    assert!(stand.pages[12].page.text.contains("장애발생]INC-2611-013"), "alone it is an ordinary page");
}

#[test]
fn the_limit_of_the_book_never_mutes_an_s1() {
    let mut world = world();
    world.open_incidents = 3;
    let mut stand = Stand::with(world);
    for n in 0..6 {
        stand.signal("cpu", &format!("h{n}"), S2);
    }
    stand.signal("cpu", "bad", S1);
    let rules: Vec<_> = stand.rows.incidents.iter().map(|it| it.rule.to_string()).collect();
    assert_eq!(rules, ["cpu", "cpu", "cpu", "limit", "cpu"]);
    stand.regrade("cpu", "h5", Severity::S1);
    assert_eq!(stand.rows.incidents.len(), 6, "what was muted opens when it gets worse");
    for n in 0..6 {
        stand.signal("cpu", &format!("h{n}"), None);
    }
    let limit = stand.rows.incidents.iter().find(|it| &*it.rule == "limit").expect("the limit's own incident");
    assert_eq!(limit.state, IncidentState::Resolved, "there is room again");
}

#[test]
fn one_silent_host_waits_half_a_minute_and_then_has_its_own_incident() {
    let mut stand = Stand::new();
    stand.signals(vec![signal("source-silent", "a", S2, T0)], 61, true);
    assert_eq!(stand.rows.incidents.len(), 0);
    stand.pass(30 * SECOND);
    assert_eq!(stand.incident(FIRST).title, "수집 중단");
    stand.signals(vec![signal("source-silent", "b", S2, stand.now)], 61, true);
    stand.signals(vec![signal("source-silent", "b", None, stand.now)], 61, true);
    stand.pass(HOUR);
    assert_eq!(stand.rows.incidents.len(), 1, "a host that is back at once is no news");
    stand.signals(vec![signal("source-silent", "c", S1, stand.now)], 61, true);
    assert_eq!(stand.rows.incidents.len(), 2, "S1 does not wait");
}

#[test]
fn most_sources_silent_together_are_one_incident_and_no_other() {
    let mut stand = Stand::new();
    stand.is_crashing = true;
    for n in 0..20 {
        stand.signals(vec![signal("source-silent", &format!("h{n}"), S2, stand.now)], 30, true);
        stand.pass(SECOND);
    }
    stand.pass(10 * MINUTE);
    let rules: Vec<_> = stand.rows.incidents.iter().map(|it| it.rule.to_string()).collect();
    assert_eq!(rules, ["blind"]);
    for n in 0..19 {
        stand.signals(vec![signal("source-silent", &format!("h{n}"), None, stand.now)], 30, true);
    }
    assert_eq!(stand.incident(FIRST).state, IncidentState::Resolved);
    assert_eq!(stand.rows.incidents.len(), 1);
    stand.pass(30 * SECOND);
    assert_eq!(stand.rows.incidents.len(), 2, "the one that stays silent gets its own");
}
