//! A service's month and the duty to tell, as tables; whole stories are told on the leader's stand.

use super::service::{Event, Service};
use crate::model::{GRADES, SlaPlan, Terms};
use crate::time::{DAY, HOUR, KST, MINUTE, Ms, parse_instant};

const AVAILABILITY: i64 = 999_200;

fn at(text: &str) -> Ms {
    parse_instant(text, KST).expect("a time")
}

/// Everything that comes to pass until `end`, with its instant in minutes after `zero`.
fn pass(service: &mut Service, end: Ms, zero: Ms) -> Vec<(i64, Event)> {
    let plan = SlaPlan::default();
    let mut found = Vec::new();
    while let Some(due) = service.next(&plan).filter(|due| *due <= end) {
        found.extend(service.due(due, &plan).into_iter().map(|event| ((due - zero) / MINUTE, event)));
    }
    found
}

#[test]
fn one_outage_reaches_the_shares_of_its_month_in_turn() {
    let begin = at("2026-01-10 03:00");
    let mut service = Service::default();
    service.begin("INC-2601-001", begin, AVAILABILITY, begin);
    let empty = begin + Terms::grade(GRADES[0]).budget(31 * DAY);
    let events = pass(&mut service, begin + HOUR, begin);
    let wanted = [
        (10, Event::Notice),
        (17, Event::Share(50, empty)),
        (26, Event::Share(75, empty)),
        (32, Event::Share(90, empty)),
        (35, Event::Spent),
    ];
    assert_eq!(events, wanted);
    let (budget, used, _) = service.month(begin + HOUR, &SlaPlan::default());
    assert_eq!((budget, used), (empty - begin, HOUR));
}

#[test]
fn shares_that_an_earlier_outage_used_are_not_told_again() {
    let begin = at("2026-01-10 03:00");
    let mut service = Service::default();
    service.begin("a", begin, AVAILABILITY, begin);
    assert_eq!(pass(&mut service, begin + 20 * MINUTE, begin).len(), 2, "notice, and half");
    service.end("a", begin + 20 * MINUTE, begin + 20 * MINUTE);
    assert_eq!(pass(&mut service, begin + 20 * MINUTE, begin), [(20, Event::NoticeOver)]);
    let next = at("2026-01-20 03:00");
    service.begin("b", next, AVAILABILITY, next);
    let shares = pass(&mut service, next + 9 * MINUTE, next);
    assert!(matches!(shares[..], [(6, Event::Share(75, _))]), "{shares:?}");
}

#[test]
fn a_new_month_begins_with_its_whole_budget() {
    let begin = at("2026-01-31 23:40");
    let mut service = Service::default();
    service.begin("a", begin, AVAILABILITY, begin);
    let events = pass(&mut service, begin + HOUR, begin);
    let shares: Vec<_> = events.iter().filter(|(_, event)| matches!(event, Event::Share(..) | Event::Spent)).collect();
    let times: Vec<i64> = shares.iter().map(|(at, _)| *at).collect();
    // January's 35.71 minutes: half after 17; February's 32.26 from midnight on: 16, 24, 29, 32 minutes later.
    assert_eq!(times, [17, 36, 44, 49, 52], "{events:?}");
}

#[test]
fn the_law_asks_for_a_notice_after_ten_minutes_or_at_fifteen_in_a_day() {
    // Outages as (first minute, length); the minutes at which a notice is due.
    for (outages, wanted) in [
        (vec![(0, 9)], vec![]),
        (vec![(0, 10)], vec![10]),
        (vec![(0, 60)], vec![10]),
        (vec![(0, 8), (60, 6)], vec![]),
        (vec![(0, 8), (60, 8)], vec![67]),
        (vec![(0, 5), (60, 5), (120, 9)], vec![125]),
        (vec![(0, 8), (23 * 60, 8)], vec![23 * 60 + 7]),
        (vec![(0, 8), (25 * 60, 9)], vec![]),
        (vec![(0, 12), (60, 4)], vec![10]),
        (vec![(0, 12), (60, 11)], vec![10, 70]),
        (vec![(0, 8), (60, 8), (120, 4)], vec![67]),
    ] {
        let zero = at("2026-03-02 00:00");
        let mut service = Service::default();
        let mut found = Vec::new();
        for (n, (first, length)) in outages.iter().enumerate() {
            let (from, to) = (zero + first * MINUTE, zero + (first + length) * MINUTE);
            service.begin(&n.to_string(), from, AVAILABILITY, from);
            found.extend(pass(&mut service, to, zero));
            service.end(&n.to_string(), to, to);
            found.extend(pass(&mut service, to, zero));
        }
        let notices: Vec<i64> = found.iter().filter(|(_, event)| *event == Event::Notice).map(|(at, _)| *at).collect();
        assert_eq!(notices, wanted, "{outages:?}");
        let over = found.iter().filter(|(_, event)| *event == Event::NoticeOver).count();
        assert_eq!(over, wanted.len(), "every notice ends with its outage: {found:?}");
    }
}

#[test]
fn incidents_of_one_service_are_one_outage() {
    let begin = at("2026-01-10 03:00");
    let mut service = Service::default();
    service.begin("a", begin, AVAILABILITY, begin);
    service.begin("b", begin + 4 * MINUTE, AVAILABILITY, begin + 4 * MINUTE);
    service.end("a", begin + 6 * MINUTE, begin + 6 * MINUTE);
    assert_eq!(service.first(), Some("b"));
    let events = pass(&mut service, begin + 15 * MINUTE, begin);
    assert_eq!(events, [(10, Event::Notice)], "ten minutes of the service, not of one incident");
    service.end("b", begin + 15 * MINUTE, begin + 15 * MINUTE);
    let (_, used, empty) = service.month(begin + HOUR, &SlaPlan::default());
    assert_eq!((used, empty), (15 * MINUTE, None));
}

#[test]
fn a_service_reads_back_as_it_was_written() {
    let begin = at("2026-01-10 03:00");
    let mut service = Service::default();
    service.begin("a", begin, AVAILABILITY, begin);
    pass(&mut service, begin + 20 * MINUTE, begin);
    let text = serde_json::to_string(&service).expect("plain numbers");
    let mut again: Service = serde_json::from_str(&text).expect("what was written");
    again.recall("a", begin);
    let plan = SlaPlan::default();
    assert_eq!(again.next(&plan), service.next(&plan));
    assert_eq!(pass(&mut again, begin + HOUR, begin), pass(&mut service, begin + HOUR, begin));
}
