//! Who is told: chains by label, by severity and by hour, turns, empty steps, the 정보보안담당관. Scenes on the test stand.

use super::stand::*;
use super::*;
use crate::model::*;
use crate::time::{DAY, HOUR, MINUTE};

const S1: Option<Severity> = Some(Severity::S1);
const S2: Option<Severity> = Some(Severity::S2);
const S3: Option<Severity> = Some(Severity::S3);
const FIRST: &str = "INC-2611-001";

fn is(label: &str, value: &str) -> Matcher {
    Matcher { label: label.to_owned(), test: Test::Is, value: value.to_owned() }
}

fn step(to: Target, when: Option<When>) -> Step {
    Step { to: vec![to], by: vec![Channel::Sms], wait: 5 * MINUTE, when }
}

fn person(id: &str) -> Target {
    Target::Contact(id.to_owned())
}

fn chain(id: &str, matchers: Vec<Matcher>, steps: Vec<Step>) -> Chain {
    let last = Last { to: vec![person("boss")], by: vec![Channel::Sms], repeat: 10 * MINUTE };
    Chain { id: id.to_owned(), matchers, steps, last, digest_hour: 9, ..Chain::default() }
}

/// The people of the stand with other chains; `db-01` is a CSP's, `cpu` is of 인프라 and `intrusion` of 보안.
fn stand(change: impl FnOnce(&mut People)) -> Stand {
    let mut people = people();
    people.contacts.push(contact("officer", "NIA", "정보보안담당관", &[]));
    change(&mut people);
    let mut intrusion = (*rule("intrusion", "비인가 접근 시도")).clone();
    intrusion.domain = Domain::Security;
    let rules = RuleSet {
        hash: "1".to_owned(),
        rules: vec![rule("cpu", "CPU 사용률 과다"), Arc::new(intrusion)],
        groups: Vec::new(),
    };
    let resource = Resource {
        id: "db-01".to_owned(),
        owner: Some("CSP".to_owned()),
        kind: "vm".to_owned(),
        ..Resource::default()
    };
    let inventory = Inventory { resources: [("db-01".to_owned(), resource)].into() };
    Stand::with(World::new(rules, people, inventory))
}

fn told(stand: &Stand, since: Ms) -> Vec<(String, &'static str)> {
    stand.heard(since).into_iter().map(|(to, _, reason)| (to, reason)).collect()
}

fn to(who: &str, reason: &'static str) -> (String, &'static str) {
    (who.to_owned(), reason)
}

#[test]
fn a_chain_is_chosen_by_what_the_inventory_says_of_the_host() {
    let mut stand = stand(|people| {
        people.chains.insert(0, chain("csp", vec![is("owner", "CSP")], vec![step(person("csp-duty"), None)]));
    });
    stand.signal("cpu", "db-01", S2);
    stand.signal("cpu", "vm-77", S2);
    assert_eq!(told(&stand, T0), [to("csp-duty", "first"), to("msp-duty-1", "first")]);
}

#[test]
fn another_severity_may_lead_to_another_chain_from_its_first_step() {
    let mut stand = stand(|people| {
        people.chains.insert(0, chain("grave", vec![is("severity", "S1")], vec![step(person("owner"), None)]));
    });
    stand.signal("cpu", "db-01", S2);
    stand.pass(MINUTE);
    stand.regrade("cpu", "db-01", Severity::S1);
    let now = stand.now;
    assert_eq!(told(&stand, now), [to("msp-duty-1", "worsened"), to("owner", "worsened")]);
    stand.pass(5 * MINUTE);
    assert_eq!(told(&stand, now + 1), [to("boss", "escalated")], "the last group of the other chain");
    assert_eq!(stand.n_changes(Change::Worsened), 1);
}

#[test]
fn an_edit_of_the_chains_moves_no_incident_to_another_chain() {
    let mut stand = stand(|_| {});
    stand.signal("cpu", "db-01", S2);
    let mut people = (*stand.world.people).clone();
    people.chains.insert(0, chain("new", Vec::new(), vec![step(person("owner"), None)]));
    people.chains[0].matchers = vec![is("domain", "인프라")];
    let world = Arc::new(World::new(stand.world.rules.clone(), people, stand.world.inventory.clone()));
    stand.leader.reload(world.clone());
    stand.world = world;
    stand.input(Input::Reload { hash: "2".to_owned(), contacts: Vec::new() });
    stand.pass(MINUTE);
    let now = stand.now;
    stand.regrade("cpu", "db-01", Severity::S1);
    assert_eq!(told(&stand, now), [to("msp-duty-1", "worsened")]);
}

#[test]
fn by_day_and_by_night_others_are_told_and_somebody_always_is() {
    let change = |people: &mut People| {
        people.chains[0].steps = vec![
            step(person("msp-duty-1"), Some(When::Business)),
            step(person("owner"), Some(When::Off)),
            step(person("csp-duty"), None),
        ];
    };
    let mut by_day = stand(change);
    by_day.signal("cpu", "db-01", S1);
    by_day.pass(5 * MINUTE);
    assert_eq!(told(&by_day, T0), [to("msp-duty-1", "first"), to("csp-duty", "escalated")]);
    let mut by_night = stand(change);
    by_night.now = T0 + 12 * HOUR;
    by_night.signal("cpu", "db-01", S1);
    assert_eq!(told(&by_night, T0), [to("owner", "first")]);
    assert_eq!(by_night.leader.view().empty, [], "a step of another hour is not missed");
    // A weekend at noon, and a day off.
    let mut off = stand(change);
    off.now = T0 + 4 * DAY + 3 * HOUR;
    off.signal("cpu", "db-01", S2);
    assert_eq!(told(&off, T0), [to("owner", "first")]);
}

#[test]
fn a_chain_of_the_night_is_not_there_by_day_and_a_chain_that_began_stays() {
    let mut stand = stand(|people| {
        let night = chain("night", Vec::new(), vec![step(person("owner"), None), step(person("csp-duty"), None)]);
        people.chains.insert(0, Chain { when: Some(When::Off), ..night });
    });
    stand.signal("cpu", "db-01", S2);
    assert_eq!(told(&stand, T0), [to("msp-duty-1", "first")]);
    stand.now = T0 + DAY - 2 * MINUTE; // 08:58
    let now = stand.now;
    stand.until(now);
    let seen = stand.pages.len();
    stand.signal("cpu", "vm-77", S2);
    stand.pass(5 * MINUTE);
    let of_it: Vec<_> = stand.pages[seen..].iter().filter(|row| row.page.incident == "INC-2611-002").collect();
    let told: Vec<&str> = of_it.iter().map(|row| row.page.to.as_str()).collect();
    assert_eq!(told, ["owner", "csp-duty"], "business hours have begun, the chain goes on as it was");
}

#[test]
fn who_has_the_duty_is_asked_when_a_step_speaks() {
    let mut stand = stand(|people| {
        people.contacts.push(contact("msp-duty-2", "MSP", "duty", &[]));
        people.rotas = vec![Rota {
            id: "duty".to_owned(),
            members: vec!["msp-duty-2".to_owned(), "msp-duty-1".to_owned()],
            start: T0 + MINUTE - DAY,
            shift: DAY,
            fills: Some(("MSP".to_owned(), "duty".to_owned())),
            covers: Vec::new(),
        }];
        people.chains[0].steps = vec![step(role("MSP", "duty"), None), step(Target::Rota("duty".to_owned()), None)];
    });
    stand.signal("cpu", "db-01", S1);
    stand.pass(5 * MINUTE);
    assert_eq!(
        told(&stand, T0),
        [to("msp-duty-2", "first"), to("msp-duty-1", "escalated")],
        "the turn changed between"
    );
}

#[test]
fn whoever_may_not_be_told_is_stood_in_for_by_the_next_in_turn() {
    let mut stand = stand(|people| {
        people.contacts.push(Contact { until: Some(T0), ..contact("gone", "MSP", "duty", &[]) });
        people.rotas = vec![Rota {
            id: "duty".to_owned(),
            members: ["gone", "owner", "msp-duty-1"].map(str::to_owned).to_vec(),
            start: T0,
            shift: DAY,
            fills: None,
            covers: Vec::new(),
        }];
        people.chains[0].steps = vec![step(Target::Rota("duty".to_owned()), None)];
    });
    stand.signal("cpu", "db-01", S1);
    assert_eq!(told(&stand, T0), [to("owner", "first")]);
}

#[test]
fn an_empty_step_is_passed_at_once_and_the_ledger_says_so() {
    let mut stand = stand(|people| people.chains[0].steps.insert(0, step(role("AP", "duty"), None)));
    stand.signal("cpu", "db-01", S1);
    assert_eq!(told(&stand, T0), [to("msp-duty-1", "first")], "AP/duty is not of 인프라");
    let entry = &stand.entries[0].json;
    assert!(entry.contains(r#""empty":[{"chain":"infra","incident":"INC-2611-001","step":0}]"#), "{entry}");
    let mut again = Leader::load(&BookRows { epoch: 1, ..BookRows::default() }, stand.world.clone());
    assert!(again.replay(&stand.entries, |_| None).is_ok(), "and a replay says it too");
}

#[test]
fn a_last_group_without_anybody_widens_and_is_told_of() {
    let mut stand = stand(|people| {
        people.chains[0].steps = vec![step(role("AP", "duty"), None)];
        people.chains[0].last.to = vec![role("AP", "duty")];
    });
    stand.signal("cpu", "db-01", S1);
    assert_eq!(stand.heard(T0), [("ap-duty", "sms"), ("ap-duty", "mail")].map(|(to, by)| (to.to_owned(), by, "first")));
    assert!(stand.entries[0].json.contains(r#""step":1}"#), "{}", stand.entries[0].json);
}

#[test]
fn a_grave_security_incident_goes_to_the_security_officer_too_and_they_hear_of_its_end() {
    let mut stand = stand(|_| {});
    stand.signal("intrusion", "db-01", S2);
    assert!(told(&stand, T0).iter().all(|(who, _)| who != "officer"), "not below S1");
    stand.pass(MINUTE);
    let now = stand.now;
    stand.regrade("intrusion", "db-01", Severity::S1);
    let heard = stand.heard(now);
    let officer: Vec<_> = heard.iter().filter(|(who, ..)| who == "officer").map(|(_, by, why)| (*by, *why)).collect();
    assert_eq!(officer, [("sms", "worsened"), ("mail", "worsened")]);
    stand.signal("intrusion", "db-01", None);
    assert_eq!(stand.heard(now).iter().filter(|(who, _, why)| who == "officer" && *why == "resolved").count(), 2);
    stand.now += DAY;
    let now = stand.now;
    stand.until(now);
    stand.signal("intrusion", "db-02", S1);
    let first = told(&stand, now);
    assert_eq!(first.iter().filter(|(who, why)| who == "officer" && *why == "first").count(), 2, "{first:?}");
    stand.signal("cpu", "db-02", S1);
    let officer = |row: &&PageRow| row.page.to == "officer" && row.page.incident == "INC-2611-001";
    assert_eq!(stand.pages.iter().filter(officer).count(), 0, "no business of theirs");
}

#[test]
fn a_minor_incident_of_the_night_waits_for_the_morning_of_a_working_day() {
    let change = |people: &mut People| {
        people.chains[0].severities[2] = SeverityPlan { upto: Some(1), digest: true, digest_off_hours: true };
        people.chains[0].digest_working_days = true;
    };
    let mut by_day = stand(change);
    by_day.signal("cpu", "db-01", S3);
    assert_eq!(told(&by_day, T0), [to("msp-duty-1", "first")], "in business hours it is told at once");
    let mut friday = stand(change);
    friday.now = T0 + 3 * DAY + 12 * HOUR; // Friday, 21:00
    friday.signal("cpu", "db-01", S3);
    assert_eq!(told(&friday, T0), []);
    assert_eq!(friday.incident(FIRST).notify_by, Some(T0 + 6 * DAY + 30 * MINUTE), "Monday 09:00, and half an hour");
    friday.until(T0 + 6 * DAY - 1);
    assert_eq!(told(&friday, T0), []);
    friday.until(T0 + 6 * DAY);
    assert_eq!(told(&friday, T0), [to("msp-duty-1", "digest")]);
    friday.now = T0 + 3 * DAY + 12 * HOUR + 7 * DAY;
    let now = friday.now;
    friday.until(now);
    friday.signal("cpu", "db-02", S2);
    assert_eq!(told(&friday, now), [to("msp-duty-1", "first")], "S2 never waits");
}
