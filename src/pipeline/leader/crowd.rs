//! Ten thousand of 25,000 hosts at once: everybody responsible hears in time, nobody hears too much, and nothing is lost.
//!
//! The leader alone on a virtual clock: what the store costs is measured in `benches/storm.rs`.

use std::collections::BTreeMap;

use super::stand::{T0, people, rule, signal};
use super::*;
use crate::model::*;
use crate::time::{HOUR, MINUTE, SECOND};

const HOSTS: usize = 25_000;
const DOWN: usize = 10_000;
const NODES: usize = 250;

fn world() -> World {
    let vm = |n: usize| Resource {
        id: format!("h{n:05}"),
        kind: "vm".to_owned(),
        parent: Some(format!("node-{:03}", n % NODES)),
        ..Resource::default()
    };
    let node = |n: usize| Resource {
        id: format!("node-{n:03}"),
        kind: "node".to_owned(),
        parent: Some(format!("k-{:02}", n / 10)),
        ..Resource::default()
    };
    let resources = (0..HOSTS).map(vm).chain((0..NODES).map(node)).map(|it| (it.id.clone(), it)).collect();
    let rules = RuleSet { hash: "1".to_owned(), rules: vec![rule("down", "서버 응답 없음")], groups: Vec::new() };
    World::new(rules, people(), Inventory { resources })
}

/// Hands over and accepts every page that was decided, as long as there are any.
fn deliver(leader: &mut Leader, pages: &mut Vec<Page>, mut fresh: Vec<Page>, now: Ms) {
    while !fresh.is_empty() {
        let handed = fresh.iter().map(|page| Input::Handed { page: page.id.clone() });
        let outcome = Outcome::Accepted { id: "g".to_owned() };
        let accepted =
            fresh.iter().map(|page| Input::Outcome { page: page.id.clone(), outcome: outcome.clone(), at: None });
        let taken: Vec<Taken> = handed.chain(accepted).map(|input| Taken { row: None, input }).collect();
        pages.extend(fresh);
        fresh = leader.take(&taken, now).pages;
    }
}

#[test]
fn ten_thousand_hosts_at_once_keep_the_caps_and_the_minute_of_every_domain() {
    let mut leader = Leader::load(&BookRows { epoch: 1, ..BookRows::default() }, Arc::new(world()));
    let mut pages = Vec::new();
    let mut seq = 0;
    for batch in (0..DOWN).collect::<Vec<_>>().chunks(256) {
        let taken = batch.iter().map(|n| {
            seq += 1;
            let key = SignalKey { topic: "t".to_owned(), partition: 0, seq };
            let signal = signal("down", &format!("h{n:05}"), Some(Severity::S1), T0);
            Taken { row: None, input: Input::Signal { key, signal, heard: 25_000, caught_up: true, came: None } }
        });
        let commit = leader.take(&taken.collect::<Vec<_>>(), T0);
        deliver(&mut leader, &mut pages, commit.pages, T0);
    }
    let mut now = T0;
    while let Some(due) = leader.next_due().filter(|due| *due <= T0 + HOUR) {
        now = now.max(due);
        let commit = leader.due(now).expect("something is due");
        deliver(&mut leader, &mut pages, commit.pages, now);
    }
    let incidents: Vec<&Incident> = leader.open_incidents().collect();
    let storms: Vec<&&Incident> = incidents.iter().filter(|it| &*it.rule == "storm").collect();
    let alone = incidents.iter().filter(|it| it.parent.is_none());
    let told_late: Vec<_> = alone.filter(|it| it.notified.is_none_or(|at| at > T0 + 60 * SECOND)).collect();
    assert!(told_late.is_empty(), "{told_late:?}");
    let n_hosts = incidents.iter().filter(|it| &*it.rule == "down").count();
    let hung: i64 = storms.iter().filter(|it| it.parent.is_none()).map(|storm| weight(storm, &incidents)).sum();
    assert_eq!((n_hosts, hung), (DOWN, DOWN as i64), "each host counts once, under what speaks for it");

    let mut minutes: BTreeMap<(&str, Channel), Vec<Ms>> = BTreeMap::new();
    for page in &pages {
        minutes.entry((&page.to, page.channel)).or_default().push(page.decided);
        assert_eq!(page.severity, Severity::S1);
    }
    for (seat, at) in &minutes {
        let worst = at.iter().map(|from| at.iter().filter(|it| (0..MINUTE).contains(&(*it - from))).count()).max();
        // Ten and one summary that names the rest, and one more a minute later that may share the minute.
        assert!(worst.is_some_and(|n| n <= 12), "{seat:?}: {worst:?} in a minute");
    }
    let last =
        pages.iter().filter(|page| page.to == "msp-duty-1" && page.decided <= T0 + 2 * MINUTE).map(|page| &page.text);
    let texts: Vec<&String> = last.collect();
    assert!(texts.iter().any(|text| text.contains("장애다발")), "{texts:?}");
}

/// Hosts under a storm, at any depth.
fn weight(storm: &Incident, all: &[&Incident]) -> i64 {
    let under = all.iter().filter(|it| it.parent.as_ref() == Some(&storm.id));
    let storms: i64 = under.clone().filter(|it| &*it.rule == "storm").map(|it| weight(it, all)).sum();
    storms + under.filter(|it| &*it.rule != "storm").count() as i64
}
