//! Consumer groups over a real broker: partitions move without a lost or doubled signal, whoever comes, goes or stalls.
//!
//! A [`Member`] is a source that does what a good reader does with its events; `together` turns several in one thread.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bongsu::log::kafka::{Config, GroupProtocol, Join, KafkaLog, KafkaSource};
use bongsu::log::{Event, LogError, Source as _};

use crate::kafka::{Kafka, Plan};
use crate::log_suite::{append, record, unique_topic};
use crate::site::{DEADLINE, eventually};

const PARTITIONS: i32 = 4;
/// Silence after which the broker takes a classic member for dead, ms; that of `consumer` is the harness's.
const SESSION: i64 = 4_000;
const TURN: Duration = Duration::from_millis(20);

fn log(topic: &str, instance: Option<&str>, protocol: GroupProtocol) -> KafkaLog {
    log_at(Kafka::shared().brokers(), topic, instance, protocol)
}

fn log_at(brokers: &str, topic: &str, instance: Option<&str>, protocol: GroupProtocol) -> KafkaLog {
    let mut config = Config::new(brokers);
    config.group = format!("{topic}-group");
    config.join = Some(Join { instance: instance.map(str::to_owned), protocol, session: Some(SESSION) });
    KafkaLog::new(config).unwrap()
}

struct Member {
    source: KafkaSource,
    ours: BTreeSet<i32>,
    /// Ownership events in the order in which they came.
    told: Vec<String>,
    records: usize,
    /// Revoked and not given up yet, where the member is a slow one.
    keeps: Option<Vec<i32>>,
}

impl Member {
    fn new(topic: &str, instance: Option<&str>, protocol: GroupProtocol) -> Self {
        let source = log(topic, instance, protocol).source(topic).unwrap();
        Self { source, ours: BTreeSet::new(), told: Vec::new(), records: 0, keeps: None }
    }

    fn turn(&mut self) {
        match self.source.next(TURN).unwrap() {
            Some(Event::Assigned { partition }) => {
                assert!(self.ours.insert(partition), "{partition} was assigned twice");
                self.told.push(format!("+{partition}"));
                self.source.seek(partition, 0).unwrap();
            }
            Some(Event::Revoked { partition, lost }) => {
                assert!(self.ours.remove(&partition), "{partition} was not ours");
                self.told.push(format!("{}{partition}", if lost { "!" } else { "-" }));
                match &mut self.keeps {
                    Some(kept) => kept.push(partition),
                    None => self.source.release(partition),
                }
            }
            Some(Event::Batch(batch)) => {
                assert!(self.ours.contains(&batch.partition), "a record of {}, not ours", batch.partition);
                self.records += batch.slots.len();
            }
            Some(other) => panic!("{other:?}"),
            None => {}
        }
    }
}

/// Turns the members in turn until `done`.
fn together(what: &str, members: &mut [&mut Member], mut done: impl FnMut(&[&mut Member]) -> bool) {
    let began = Instant::now();
    while !done(members) {
        let told: Vec<_> = members.iter().map(|member| &member.told).collect();
        assert!(began.elapsed() < DEADLINE, "did not happen in time: {what}; told {told:?}");
        members.iter_mut().for_each(|member| member.turn());
    }
}

fn topic() -> String {
    let topic = unique_topic();
    KafkaLog::new(Config::new(Kafka::shared().brokers())).unwrap().ensure_topic(&topic, PARTITIONS, None).unwrap();
    topic
}

fn has(n: usize) -> impl FnMut(&[&mut Member]) -> bool {
    move |members| members.iter().all(|member| member.ours.len() == n)
}

fn a_second_member_takes_half_once_the_first_gave_it_up(protocol: GroupProtocol) {
    let topic = topic();
    let mut first = Member::new(&topic, None, protocol);
    together("the first has all", &mut [&mut first], has(4));
    first.keeps = Some(Vec::new());
    let mut second = Member::new(&topic, None, protocol);
    together("two are revoked", &mut [&mut first, &mut second], |members| members[0].ours.len() == 2);
    let kept = first.keeps.take().unwrap();
    assert_eq!(kept.len(), 2, "cooperative: the others stay");
    // Several heartbeats: as long as they are not given up, nobody else gets them.
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1_500) {
        first.turn();
        second.turn();
    }
    assert!(second.ours.is_empty(), "{:?}", second.told);
    kept.iter().for_each(|partition| first.source.release(*partition));
    together("each has two", &mut [&mut first, &mut second], has(2));
    assert_eq!(second.ours, kept.iter().copied().collect());
    assert_eq!(first.told.len(), 6, "four came and two went: {:?}", first.told);

    let sink = log(&topic, None, protocol).sink(&topic).unwrap();
    append(&sink, (0..PARTITIONS).map(|partition| record(partition, b"h", b"x")).collect());
    together("each reads its own", &mut [&mut first, &mut second], |members| {
        members.iter().all(|member| member.records == 2)
    });
    drop(second);
    together("all come back", &mut [&mut first], has(4));
    assert!(!first.told.iter().any(|told| told.starts_with('!')), "nothing was lost: {:?}", first.told);
}

#[test]
fn by_the_brokers_protocol_a_second_member_takes_half_once_the_first_gave_it_up() {
    a_second_member_takes_half_once_the_first_gave_it_up(GroupProtocol::Consumer);
}

#[test]
fn by_cooperative_sticky_a_second_member_takes_half_once_the_first_gave_it_up() {
    a_second_member_takes_half_once_the_first_gave_it_up(GroupProtocol::Classic);
}

fn a_member_that_comes_back_by_name_moves_nothing(protocol: GroupProtocol) {
    let topic = topic();
    let mut stays = Member::new(&topic, Some("stays"), protocol);
    let mut goes = Member::new(&topic, Some("goes"), protocol);
    together("each has two", &mut [&mut stays, &mut goes], has(2));
    let (before, told) = (goes.ours.clone(), stays.told.clone());
    drop(goes);
    let mut back = Member::new(&topic, Some("goes"), protocol);
    together("it has its own again", &mut [&mut stays, &mut back], |members| members[1].ours.len() == 2);
    assert_eq!(back.ours, before);
    assert_eq!(stays.told, told, "the other was not disturbed");
}

#[test]
fn by_the_brokers_protocol_a_member_that_comes_back_by_name_moves_nothing() {
    a_member_that_comes_back_by_name_moves_nothing(GroupProtocol::Consumer);
}

#[test]
fn by_cooperative_sticky_a_member_that_comes_back_by_name_moves_nothing() {
    a_member_that_comes_back_by_name_moves_nothing(GroupProtocol::Classic);
}

/// A member in a process of its own, which can be stopped; killed when dropped.
struct Apart {
    child: Child,
    told: Receiver<String>,
}

impl Apart {
    fn start(topic: &str, protocol: &str, instance: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "kafka_group::member_apart", "--nocapture"])
            .env("MEMBER", format!("{} {topic} {protocol} {instance}", Kafka::shared().brokers()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // libtest writes the test's name without a line's end before ours.
                if let Some((_, word)) = line.split_once("told ") {
                    let _ = tell.send(word.to_owned());
                }
            }
        });
        Self { child, told }
    }

    fn signal(&self, signal: &str) {
        let done = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(done.success());
    }

    fn next(&self) -> String {
        self.told.recv_timeout(DEADLINE).expect("the member says something within the deadline")
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.signal("-KILL");
        self.child.wait().unwrap();
    }
}

/// Not a test: says what it is told, until its standard input ends.
#[test]
#[ignore = "the child of the tests below"]
fn member_apart() {
    use std::io::{Read as _, Write as _};
    let Ok(plan) = std::env::var("MEMBER") else { return };
    let [brokers, topic, protocol, instance] = plan.split(' ').collect::<Vec<_>>()[..] else { panic!("{plan}") };
    let protocol = if protocol == "consumer" { GroupProtocol::Consumer } else { GroupProtocol::Classic };
    let instance = Some(instance).filter(|name| !name.is_empty());
    let source = log_at(brokers, topic, instance, protocol).source(topic).unwrap();
    let mut member = Member { source, ours: BTreeSet::new(), told: Vec::new(), records: 0, keeps: None };
    std::thread::spawn(|| {
        drop(std::io::stdin().read(&mut [0]));
        std::process::exit(0);
    });
    loop {
        member.turn();
        for word in member.told.drain(..) {
            writeln!(std::io::stdout(), "told {word}").unwrap();
        }
    }
}

fn a_member_that_stood_still_is_told_that_it_lost_its_partitions(protocol: GroupProtocol, word: &str) {
    let topic = topic();
    let apart = Apart::start(&topic, word, "");
    let came: BTreeSet<String> = (0..PARTITIONS).map(|_| apart.next()).collect();
    assert_eq!(came, (0..PARTITIONS).map(|partition| format!("+{partition}")).collect());
    apart.signal("-STOP");
    let mut other = Member::new(&topic, None, protocol);
    together("the session ended and the other has all", &mut [&mut other], has(4));
    apart.signal("-CONT");
    let lost: BTreeSet<String> = (0..PARTITIONS).map(|_| apart.next()).collect();
    assert_eq!(lost, (0..PARTITIONS).map(|partition| format!("!{partition}")).collect(), "lost, not revoked");
    together("they share", &mut [&mut other], has(2));
}

#[test]
fn by_the_brokers_protocol_a_member_that_stood_still_is_told_that_it_lost_its_partitions() {
    a_member_that_stood_still_is_told_that_it_lost_its_partitions(GroupProtocol::Consumer, "consumer");
}

#[test]
fn by_cooperative_sticky_a_member_that_stood_still_is_told_that_it_lost_its_partitions() {
    a_member_that_stood_still_is_told_that_it_lost_its_partitions(GroupProtocol::Classic, "classic");
}

#[test]
fn brokers_without_the_new_protocol_get_cooperative_sticky() {
    let old = vec!["group.coordinator.rebalance.protocols=classic".to_owned()];
    let kafka = Kafka::with(&Plan { nodes: 1, more: old, ..Plan::default() });
    let topic = unique_topic();
    KafkaLog::new(Config::new(kafka.brokers())).unwrap().ensure_topic(&topic, 2, None).unwrap();
    let source = log_at(kafka.brokers(), &topic, None, GroupProtocol::Auto).source(&topic).unwrap();
    let mut member = Member { source, ours: BTreeSet::new(), told: Vec::new(), records: 0, keeps: None };
    together("both partitions come", &mut [&mut member], has(2));
}

/// The broker's protocol refuses a name that is still taken; the one that was killed holds it until its session ends.
#[test]
fn a_member_that_was_killed_gets_its_partitions_back_under_its_name() {
    let topic = topic();
    let apart = Apart::start(&topic, "consumer", "eval-1");
    (0..PARTITIONS).for_each(|_| drop(apart.next()));
    drop(apart);
    let mut back = log(&topic, Some("eval-1"), GroupProtocol::Consumer).source(&topic).unwrap();
    let mut ours = BTreeSet::new();
    eventually("all partitions are back", || {
        match back.next(TURN) {
            Ok(Some(Event::Assigned { partition })) => {
                ours.insert(partition);
            }
            Ok(None) => {}
            Err(LogError::Unavailable { why, .. }) => assert!(why.contains("`eval-1` is still a member"), "{why}"),
            other => panic!("{other:?}"),
        }
        (ours.len() == 4).then_some(())
    });
}
