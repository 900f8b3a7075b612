//! One incident per fault: parents, children, storms and what people hear of them, each scene run on the test stand.

use std::sync::Arc;

use super::stand::*;
use super::*;
use crate::model::*;
use crate::time::{DAY, HOUR, MINUTE, SECOND};

const S1: Option<Severity> = Some(Severity::S1);
const S2: Option<Severity> = Some(Severity::S2);
const S3: Option<Severity> = Some(Severity::S3);

fn page(to: &str, channel: &'static str, reason: &'static str) -> (String, &'static str, &'static str) {
    (to.to_owned(), channel, reason)
}

fn bound(id: &str, domain: Domain, bonds: Bonds) -> Arc<Rule> {
    Arc::new(Rule { domain, bonds, ..(*rule(id, "이상 감지")).clone() })
}

/// 30 machines on `node-1`, 30 on `node-2`, one service each.
pub(super) fn site() -> World {
    site_of(false)
}

/// The same, under contract or not.
fn site_of(contracted: bool) -> World {
    let vm = |n: usize| Resource {
        id: format!("vm-{n:02}"),
        kind: "vm".to_owned(),
        parent: Some(format!("node-{}", 1 + n / 30)),
        service: Some(format!("svc-{}", n % 2)),
        contracted,
        ..Resource::default()
    };
    let node = |n: usize| {
        let (id, kind) = (format!("node-{n}"), "node".to_owned());
        Resource { id, kind, contracted, ..Resource::default() }
    };
    let resources = (0..60).map(vm).chain([node(1), node(2)]).map(|resource| (resource.id.clone(), resource)).collect();
    let down = Bonds { explains: Some(Explains::Below), ..Bonds::default() };
    let alike = Bonds { by: vec!["service".to_owned()], ..Bonds::default() };
    let rules = vec![
        rule("cpu", "CPU 사용률 과다"),
        bound("down", Domain::Infra, down.clone()),
        bound("hang", Domain::Infra, down),
        bound("login", Domain::Security, Bonds::default()),
        bound("slow", Domain::Infra, alike),
    ];
    let rules = RuleSet { hash: "1".to_owned(), rules, groups: Vec::new() };
    World::new(rules, people(), Inventory { resources })
}

fn parent(stand: &Stand, n: usize) -> Option<String> {
    stand.incident(&format!("INC-2611-{n:03}")).parent.clone()
}

#[test]
fn a_machine_on_a_dead_node_pages_nobody() {
    let mut stand = Stand::with(site());
    stand.signal("down", "node-1", S1);
    stand.signal("down", "vm-01", S2);
    stand.signal("cpu", "vm-40", S2);
    assert_eq!(parent(&stand, 2).as_deref(), Some("INC-2611-001"));
    assert_eq!(parent(&stand, 3), None, "on another node");
    let heard: Vec<_> = stand.pages.iter().map(|row| row.page.incident.as_str()).collect();
    assert_eq!(heard, ["INC-2611-001", "INC-2611-003"]);
    assert_eq!(stand.incident("INC-2611-001").group.tally.total, 1);
    stand.pass(HOUR);
    let of_node = stand.pages.iter().filter(|row| row.page.incident == "INC-2611-001");
    let causes: Vec<&str> =
        of_node.filter_map(|row| row.page.text.lines().find(|it| it.contains("추정원인"))).collect();
    assert!(!causes.is_empty() && causes.iter().all(|it| it.ends_with("이 장애(2건 중 2건)")), "{causes:?}");
}

#[test]
fn children_that_came_first_are_taken_back_and_those_told_hear_of_the_end() {
    let mut stand = Stand::with(site());
    stand.signal("down", "vm-01", S2);
    stand.delivers = false;
    stand.signal("down", "vm-02", S2);
    stand.signal("down", "node-1", S2);
    assert_eq!(parent(&stand, 1).as_deref(), Some("INC-2611-003"));
    let second = stand.pages.iter().find(|row| row.page.incident == "INC-2611-002").expect("it was decided");
    assert_eq!((second.state, second.detail.as_str()), (PageState::Cancelled, "attached"));
    stand.delivers = true;
    stand.settle();
    stand.pass(SECOND);
    let now = stand.now;
    stand.signal("down", "vm-01", None);
    stand.signal("down", "vm-02", None);
    assert_eq!(stand.heard(now), [page("msp-duty-1", "sms", "resolved")], "only the first one was told of");
    stand.pass(DAY);
    assert!(stand.pages.iter().all(|row| row.page.reason != Reason::Digest), "whoever heard of the node heard of it");
}

#[test]
fn a_parent_is_never_milder_than_its_worst_child() {
    let mut stand = Stand::with(site());
    stand.signal("down", "node-1", S2);
    assert!(stand.ack("INC-2611-001", HOUR).0);
    stand.pass(SECOND);
    let now = stand.now;
    stand.signal("down", "vm-01", S1);
    assert_eq!(stand.incident("INC-2611-001").severity, Severity::S1);
    assert_eq!(stand.heard(now), [page("msp-duty-1", "sms", "worsened")], "an ack does not hide the rise");
    stand.regrade("down", "node-1", Severity::S3);
    assert_eq!(stand.incident("INC-2611-001").severity, Severity::S1, "its child is as bad as before");
    stand.pass(SECOND);
    stand.signal("down", "vm-01", None);
    assert_eq!(stand.incident("INC-2611-001").severity, Severity::S3, "what its own rule says");
    assert_eq!(stand.heard(now + 1), [], "quietly");
}

#[test]
fn what_is_left_when_the_parent_is_over_speaks_for_itself() {
    let mut stand = Stand::with(site());
    stand.signal("down", "node-1", S1);
    stand.signal("down", "vm-01", S2);
    stand.signal("down", "vm-02", S2);
    stand.signal("down", "vm-02", None);
    stand.pass(20 * MINUTE);
    let now = stand.now;
    stand.signal("down", "node-1", None);
    assert_eq!(stand.incident("INC-2611-002").parent, None);
    let about: Vec<_> = stand.pages.iter().filter(|row| row.page.incident == "INC-2611-002").collect();
    assert_eq!(about.len(), 1);
    assert_eq!((about[0].page.reason, about[0].page.decided), (Reason::First, now));
    assert_eq!(stand.incident("INC-2611-002").notify_by, Some(now + 5 * MINUTE), "its time begins now");
    assert_eq!(stand.n_changes(Change::Detached), 1);
}

#[test]
fn a_child_that_had_been_told_goes_on_where_it_stood() {
    let mut stand = Stand::with(site());
    stand.signal("down", "vm-01", S2);
    stand.pass(MINUTE);
    stand.signal("down", "node-1", S1);
    stand.pass(10 * MINUTE);
    assert!(stand.pages.iter().filter(|row| row.page.incident == "INC-2611-001").count() == 1, "held");
    stand.signal("down", "node-1", None);
    let now = stand.now;
    stand.pass(4 * MINUTE);
    let about = stand.pages.iter().filter(|row| row.page.incident == "INC-2611-001" && row.page.decided > now);
    let about = about.filter(|row| row.page.decided == now + 4 * MINUTE && row.page.channel == Channel::Sms);
    assert_eq!(about.map(|row| row.page.reason).collect::<Vec<_>>(), [Reason::Escalated]);
}

#[test]
fn a_full_disk_of_a_living_machine_is_nobodys_child() {
    let mut stand = Stand::with(site());
    stand.signal("cpu", "vm-01", S2);
    stand.pass(10 * MINUTE);
    stand.signal("down", "node-1", S1);
    assert_eq!(parent(&stand, 1), None, "it began long before");
    stand.pass(10 * MINUTE);
    stand.signal("cpu", "vm-02", S2);
    assert_eq!(parent(&stand, 3), None, "a machine that is measured lives");
    stand.signal("cpu", "node-2", S1);
    stand.signal("cpu", "vm-40", S2);
    assert_eq!(parent(&stand, 5), None, "a busy node explains nothing");
}

#[test]
fn the_worst_of_security_always_stands_alone() {
    let mut stand = Stand::with(site());
    for n in 0..15 {
        stand.signal("login", &format!("vm-{n:02}"), S2);
    }
    let storm = stand.rows.incidents.iter().find(|it| &*it.rule == "storm").expect("a storm");
    assert_eq!((storm.domain, storm.group.tally.total), (Domain::Security, 15));
    let now = stand.now;
    stand.pass(SECOND);
    stand.signal("login", "vm-20", S1);
    stand.regrade("login", "vm-00", Severity::S1);
    let free = stand.rows.incidents.iter().filter(|it| it.severity == Severity::S1 && it.parent.is_none());
    assert_eq!(free.map(|it| it.id.as_str()).collect::<Vec<_>>().len(), 2);
    let told: Vec<_> = stand.pages.iter().filter(|row| row.page.decided > now).map(|row| &row.page).collect();
    assert!(told.iter().all(|page| page.severity == Severity::S1), "{told:?}");
    assert!(
        told.iter().any(|page| page.incident == "SEC-2611-017")
            && told.iter().any(|page| page.incident == "SEC-2611-001")
    );
}

#[test]
fn more_than_ten_a_minute_on_one_node_are_one_storm() {
    let mut stand = Stand::with(site());
    stand.is_crashing = true;
    stand.signals((0..30).map(|n| signal("cpu", &format!("vm-{n:02}"), S1, T0)).collect(), 900, true);
    let storm = stand.rows.incidents.iter().find(|it| &*it.rule == "storm").expect("a storm").clone();
    assert_eq!(storm.labels.get("blast"), Some("node-1"));
    assert_eq!(
        (storm.severity, storm.group.tally.total, storm.group.tally.severities),
        (Severity::S1, 30, [30, 0, 0, 0])
    );
    let texts: Vec<_> = stand.pages.iter().map(|row| row.page.text.as_str()).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(
        texts[0].starts_with("[긴급신고][장애다발]INC-2611-012 중대/인프라 09:00 동시 다발 장애 30건"),
        "{texts:?}"
    );
    stand.pass(3 * MINUTE);
    for n in 0..30 {
        stand.signal("cpu", &format!("vm-{n:02}"), None);
    }
    assert_eq!(stand.incident(&storm.id).state, IncidentState::Resolved, "nothing is left of it");
    let ends: Vec<_> = stand.pages.iter().filter(|row| row.page.reason == Reason::Resolved).collect();
    assert_eq!(ends.len(), 1, "{ends:?}");
    stand.pass(DAY);
    let again = Leader::load(&BookRows::default(), stand.world.clone()).replay(&stand.entries, |_| None);
    assert!(again.is_ok(), "{:?}", again.err());
}

#[test]
fn a_storm_that_grows_is_told_with_its_full_size_after_a_minute() {
    let mut stand = Stand::with(site());
    for n in 0..30 {
        stand.signal("cpu", &format!("vm-{n:02}"), S2);
        stand.pass(SECOND);
    }
    let texts = |stand: &Stand| -> Vec<String> {
        let rows = stand.pages.iter().filter(|row| row.page.incident == "INC-2611-012");
        rows.map(|row| row.page.text.clone()).collect()
    };
    assert_eq!(stand.pages.len(), 11, "ten, and the storm");
    assert!(texts(&stand)[0].contains("동시 다발 장애 11건"), "{:?}", texts(&stand));
    stand.pass(MINUTE);
    let grown = texts(&stand);
    assert_eq!(grown.len(), 2, "once");
    assert!(grown[1].starts_with("[긴급신고][장애확대]") && grown[1].contains("동시 다발 장애 30건"), "{grown:?}");
}

#[test]
fn a_storm_that_calms_lets_its_few_last_go_and_holds_many() {
    let mut stand = Stand::with(site());
    stand.signals((0..30).map(|n| signal("cpu", &format!("vm-{n:02}"), S2, T0)).collect(), 900, true);
    stand.pass(2 * HOUR);
    let storm = stand.rows.incidents.iter().find(|it| &*it.rule == "storm").expect("a storm").clone();
    assert_eq!(storm.state, IncidentState::Open, "thirty dark machines are no calm");
    for n in 0..27 {
        stand.signal("cpu", &format!("vm-{n:02}"), None);
    }
    let now = stand.now;
    stand.pass(6 * MINUTE);
    assert_eq!(stand.incident(&storm.id).state, IncidentState::Resolved);
    let firsts = stand.pages.iter().filter(|row| row.page.decided >= now && row.page.reason == Reason::First);
    assert_eq!(firsts.count(), 3, "the last three have pages of their own");
}

#[test]
fn a_storm_that_somebody_took_grows_quietly_until_it_is_worse() {
    let mut stand = Stand::with(site());
    stand.signals((0..12).map(|n| signal("cpu", &format!("vm-{n:02}"), S2, T0)).collect(), 900, true);
    let storm = stand.rows.incidents.iter().find(|it| &*it.rule == "storm").expect("a storm").id.clone();
    assert!(stand.ack(&storm, HOUR).0);
    let now = stand.now;
    stand.signals((12..30).map(|n| signal("cpu", &format!("vm-{n:02}"), S2, T0)).collect(), 900, true);
    stand.pass(20 * MINUTE);
    assert_eq!(stand.heard(now + 1), []);
    let now = stand.now;
    stand.regrade("cpu", "vm-07", Severity::S1);
    assert_eq!(stand.heard(now), [page("msp-duty-1", "sms", "worsened")]);
}

#[test]
fn ten_a_minute_are_no_storm_and_neither_are_eleven_in_two() {
    let mut stand = Stand::with(site());
    for n in 0..11 {
        stand.signal("cpu", &format!("vm-{n:02}"), S3);
        stand.pass(7 * SECOND);
    }
    assert!(stand.rows.incidents.iter().all(|it| &*it.rule != "storm"));
}

#[test]
fn alike_incidents_hang_under_the_oldest_and_the_next_one_leads_when_it_is_over() {
    let mut stand = Stand::with(site());
    for n in [0, 2, 1, 4] {
        stand.signal("slow", &format!("vm-{n:02}"), S2);
        stand.pass(MINUTE);
    }
    let parents: Vec<_> = (1..=4).map(|n| parent(&stand, n)).collect();
    assert_eq!(parents, [None, Some("INC-2611-001".to_owned()), None, Some("INC-2611-001".to_owned())]);
    let now = stand.now;
    stand.signal("slow", "vm-00", None);
    assert_eq!(parent(&stand, 4).as_deref(), Some("INC-2611-002"), "the next oldest leads");
    let told = |reason| stand.pages.iter().filter(|row| row.page.decided >= now && row.page.reason == reason).count();
    assert_eq!((told(Reason::First), told(Reason::Resolved)), (1, 1));
}

#[test]
fn a_drill_neither_leads_nor_explains_what_is_real() {
    let mut stand = Stand::with(site());
    let labels = Labels::new([("host", "vm-00")]);
    let (by, note) = ("msp-duty-1".to_owned(), String::new());
    let drill = DrillAsk { rule: "slow".to_owned(), labels, severity: Severity::S1, hold: HOUR, by, note };
    assert!(stand.input(Input::Drill(Box::new(drill))).0);
    for n in [0, 2, 4] {
        stand.pass(MINUTE);
        stand.signal("slow", &format!("vm-{n:02}"), S2);
    }
    let led = Some("INC-2611-001".to_owned());
    assert_eq!((1..=3).map(|n| parent(&stand, n)).collect::<Vec<_>>(), [None, led.clone(), led]);
    let real = stand.rows.incidents.iter().filter(|it| !it.is_drill());
    let evidence: Vec<_> = real.filter_map(|it| it.group.triage.clone()).flat_map(|it| it.evidence).collect();
    assert!(!evidence.is_empty() && evidence.iter().all(|it| it.incident.starts_with("INC")), "{evidence:?}");
}

#[test]
fn a_parent_that_is_muted_hides_nobody() {
    let mut stand = Stand::with(site());
    stand.signal("down", "node-1", S1);
    stand.signal("down", "vm-01", S1);
    stand.signal("down", "vm-02", S2);
    stand.pass(MINUTE);
    assert!(parent(&stand, 2).is_some() && parent(&stand, 3).is_some());
    let now = stand.now;
    assert!(stand.silence(&["host=node-1"], HOUR).0);
    assert!(stand.input(Input::Approve { silence: "SIL-2611-001".to_owned(), by: "boss".to_owned() }).0);
    assert!(stand.incident("INC-2611-001").muted.is_some());
    assert_eq!((parent(&stand, 2), parent(&stand, 3)), (None, None), "the silence names the node alone");
    stand.signal("down", "vm-03", S2);
    let about: Vec<_> = stand.pages.iter().filter(|row| row.page.decided >= now).collect();
    let about: Vec<_> = about.iter().map(|row| (row.page.incident.as_str(), row.page.reason)).collect();
    let firsts = ["INC-2611-002", "INC-2611-003", "INC-2611-004"].map(|id| (id, Reason::First));
    assert_eq!(about, firsts, "each speaks for itself, the node does not");
}

#[test]
fn the_time_to_take_a_child_stands_while_its_parent_speaks() {
    let clocks = |stand: &Stand| stand.incident("INC-2611-001").sla.clone().expect("it has clocks");
    let mut stand = Stand::with(site());
    stand.is_crashing = true;
    stand.signal("down", "vm-01", S2);
    stand.pass(4 * MINUTE);
    stand.signal("down", "node-1", S1);
    assert_eq!((clocks(&stand).ack_by, clocks(&stand).ack_left), (None, Some(6 * MINUTE)));
    stand.pass(30 * MINUTE);
    assert_eq!(clocks(&stand).missed, [], "nobody was to take it");
    assert!(stand.incident("INC-2611-002").sla.as_ref().is_some_and(|sla| sla.missed.contains(&SlaClock::Ack)));
    let now = stand.now;
    stand.signal("down", "node-1", None);
    assert_eq!(clocks(&stand).ack_by, Some(now + 6 * MINUTE));
    stand.pass(6 * MINUTE);
    assert_eq!(clocks(&stand).missed, [SlaClock::Ack]);
}

#[test]
fn a_childs_time_to_recover_runs_and_its_parent_warns_once() {
    let mut stand = Stand::with(site_of(true));
    stand.signal("down", "vm-01", S2);
    stand.signal("down", "vm-02", S2);
    stand.pass(4 * MINUTE);
    stand.signal("down", "node-1", S2);
    assert!(parent(&stand, 1).is_some() && parent(&stand, 2).is_some());
    assert!(stand.ack("INC-2611-003", 4 * HOUR).0);
    let warned = |stand: &Stand| {
        let pages = stand.pages.iter().filter(|row| row.page.reason == Reason::Sla);
        pages.map(|row| row.page.incident.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    // They began a minute before they were found, and have two hours.
    stand.until(super::stand::T0 + 59 * MINUTE - 1);
    assert_eq!(stand.n_changes(Change::SlaWarned), 0);
    stand.pass(1);
    assert_eq!(stand.n_changes(Change::SlaWarned), 1, "one word for both");
    stand.pass(25 * MINUTE);
    assert_eq!(stand.n_changes(Change::SlaWarned), 1, "and none when the node's own half is over");
    stand.pass(5 * MINUTE);
    assert_eq!(stand.n_changes(Change::SlaWarned), 2, "three quarters");
    assert_eq!(warned(&stand).into_iter().collect::<Vec<_>>(), ["INC-2611-003"]);
}

#[test]
fn very_many_that_lose_their_parent_are_one_page_and_the_grave_ones_are_heard() {
    for (is_silenced, is_crashing) in [(true, false), (true, true), (false, false), (false, true)] {
        let mut stand = Stand::with(site());
        stand.is_crashing = is_crashing;
        stand.signal("down", "node-1", S2);
        for n in 1..=24 {
            stand.signal("down", &format!("vm-{n:02}"), S2);
        }
        assert!((2..=25).all(|n| parent(&stand, n).as_deref() == Some("INC-2611-001")));
        stand.pass(5 * MINUTE);
        let now = stand.now;
        match is_silenced {
            true => assert!(stand.silence(&["host=node-1"], HOUR).0),
            false => stand.signal("down", "node-1", None),
        }
        let about = |stand: &Stand, reason| {
            let rows = stand.pages.iter().filter(|row| row.page.decided >= now && row.page.reason == reason);
            rows.map(|row| row.page.incident.clone()).collect::<Vec<_>>()
        };
        assert_eq!(about(&stand, Reason::First), ["INC-2611-026"], "one page for all of them");
        let storm = stand.incident("INC-2611-026");
        assert_eq!((&*storm.rule, storm.group.tally.live()), (STORM.id, 24));
        assert!((2..=25).all(|n| parent(&stand, n).as_deref() == Some("INC-2611-026")), "and they hang under it");
        stand.regrade("down", "vm-07", Severity::S1);
        assert_eq!(about(&stand, Reason::Worsened), ["INC-2611-026"], "what gets grave is told");
        for n in 1..=24 {
            stand.signal("down", &format!("vm-{n:02}"), None);
        }
        stand.pass(HOUR);
        let over = about(&stand, Reason::Resolved);
        assert!(over.contains(&"INC-2611-026".to_owned()), "and its end: {over:?}");
        stand.replays();
    }
}

#[test]
fn a_storm_that_is_silenced_stays_open_until_its_silence_ends_and_those_in_it_speak() {
    let mut stand = Stand::with(site());
    for n in 1..=12 {
        stand.signal("cpu", &format!("vm-{n:02}"), S2);
    }
    let storm = stand.rows.incidents.iter().find(|it| *it.rule == *STORM.id).expect("a storm").id.clone();
    stand.pass(4 * MINUTE);
    let now = stand.now;
    assert!(stand.silence(&["rule=storm"], HOUR).0);
    assert_eq!(stand.rows.incidents.iter().filter(|it| it.parent.is_some() && it.state.is_live()).count(), 0);
    let told: std::collections::BTreeSet<_> =
        stand.pages.iter().filter(|row| row.page.decided >= now).map(|row| row.page.incident.clone()).collect();
    assert!(
        !told.is_empty() && !told.contains(&storm),
        "a silence that names the storm alone hides nobody: {told:?} {storm}"
    );
    stand.pass(30 * MINUTE);
    assert!(stand.incident(&storm).state.is_live() && stand.incident(&storm).muted.is_some());
    stand.pass(30 * MINUTE + SECOND);
    assert!(!stand.incident(&storm).state.is_live(), "empty, it ends with its silence");
}

/// Two that both explain it, each raised by it to a severity that a silence hides: it went from one to the other and back
/// without end. Nobody asked not to hear of it, so it stands alone and is told.
#[test]
fn what_would_mute_its_own_parent_stands_alone() {
    let mut stand = Stand::with(site());
    stand.silence(&["host=node-1", "severity=S2"], HOUR);
    stand.signal("down", "node-1", S3);
    stand.signal("hang", "node-1", S3);
    stand.signal("cpu", "vm-01", S2);
    assert_eq!(parent(&stand, 3), None);
    let first: Vec<_> = stand.pages.iter().filter(|row| row.page.incident == "INC-2611-003").collect();
    assert!(!first.is_empty(), "somebody hears of it");
    stand.signal("cpu", "vm-02", S3);
    assert_eq!(parent(&stand, 4).as_deref(), Some("INC-2611-001"), "this one raises nothing");
    stand.regrade("cpu", "vm-02", Severity::S2);
    assert_eq!(parent(&stand, 4), None, "and now it would");
    assert_eq!(stand.muted("INC-2611-001"), None, "the node is as bad as it is itself");
    stand.replays();
}

/// The storm of what stands on a node hung under the node that is down, and the node under the storm: nobody was told.
#[test]
fn what_explains_a_storm_is_not_part_of_it() {
    let mut stand = Stand::with(site().storm_after(3));
    stand.delivers = false;
    for host in ["vm-01", "vm-02", "vm-03"] {
        stand.signal("cpu", host, S2);
    }
    stand.signal("down", "node-1", S2);
    assert_eq!(parent(&stand, 4), None, "it speaks for all of them");
    assert!(stand.pages.iter().any(|row| row.page.incident == "INC-2611-004" && row.state == PageState::Waiting));
    for n in 1..=3 {
        let mut at = n;
        while let Some(up) = parent(&stand, at) {
            at = up.trim_start_matches("INC-2611-").parse().expect("a number");
        }
        assert_eq!(at, 4, "{n} hangs under it in the end");
    }
    stand.replays();
}

/// Whoever ends a storm that goes on has it back at once: it speaks for those in it that are muted meanwhile, too.
#[test]
fn a_storm_that_comes_back_is_as_bad_as_the_worst_that_hangs_there_still() {
    let mut stand = Stand::with(site());
    for n in 1..=12 {
        stand.signal("cpu", &format!("vm-{n:02}"), if n == 12 { S1 } else { S2 });
    }
    let storm = stand.rows.incidents.iter().find(|it| *it.rule == *STORM.id).expect("a storm").id.clone();
    assert!(stand.silence(&["host=vm-12", "severity=S1"], HOUR).0);
    let resolve = Input::Resolve { incident: storm.clone(), by: "msp-duty-1".to_owned(), note: String::new() };
    assert!(stand.input(resolve).0);
    let back = stand.incident(&storm);
    assert_eq!((back.state, back.severity), (IncidentState::Open, Severity::S1));
    assert_eq!(stand.rows.incidents.iter().filter(|it| it.parent.as_ref() == Some(&storm)).count(), 12);
    stand.replays();
}
