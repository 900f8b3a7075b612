//! What only Kafka has: topics that others made, permissions, and a broker that must not outlive its test.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::process::{Command, Stdio};
use std::time::Duration;

use bongsu::log::kafka::{Config, KafkaLog};
use bongsu::log::{LogError, Sink as _, Source as _};
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;

use crate::kafka::Kafka;
use crate::log_suite::{append, assigned, read, record, unique_topic};

fn log() -> KafkaLog {
    KafkaLog::new(Config::new(Kafka::shared().brokers())).unwrap()
}

fn refusal<T: std::fmt::Debug>(result: Result<T, LogError>) -> String {
    match result {
        Err(why @ LogError::Refused { .. }) => why.to_string(),
        other => panic!("a refusal was expected, not {other:?}"),
    }
}

#[test]
fn a_topic_with_its_producers_time_is_refused_with_the_command_that_helps() {
    let topic = unique_topic();
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", Kafka::shared().brokers()).create().unwrap();
    let new = [NewTopic::new(&topic, 1, TopicReplication::Fixed(1)).set("message.timestamp.type", "CreateTime")];
    let made = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(admin.create_topics(&new, &AdminOptions::new()))
        .unwrap();
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    let why = refusal(log().ensure_topic(&topic, 1, None));
    assert!(why.contains("CreateTime") && why.contains("kafka-configs.sh --bootstrap-server 127.0.0.1:"), "{why}");
    assert!(why.contains(&format!("--entity-name {topic} --add-config message.timestamp.type=LogAppendTime")), "{why}");
}

#[test]
fn a_topic_is_made_once_and_found_afterwards() {
    let topic = unique_topic();
    log().ensure_topic(&topic, 3, Some(1)).unwrap();
    log().ensure_topic(&topic, 9, None).unwrap();
    assert_eq!(log().source(&topic).unwrap().topic().unwrap().partitions, 3);
    log().check_writable(&topic).unwrap();
}

#[test]
fn a_topic_that_is_not_there_is_refused_and_not_made_by_asking() {
    let topic = unique_topic();
    let why = refusal(log().source(&topic));
    assert!(why.contains("kafka-topics.sh"), "{why}");
    refusal(log().source(&topic));
}

#[test]
fn a_topic_that_may_not_be_written_is_refused_with_the_command_that_helps() {
    let topic = unique_topic();
    log().ensure_topic(&topic, 1, None).unwrap();
    let denied = ["--add", "--deny-principal", "User:ANONYMOUS", "--operation", "Write", "--topic", &topic];
    let allowed = ["--add", "--allow-principal", "User:ANONYMOUS", "--operation", "All", "--topic", &topic];
    for args in [denied, allowed] {
        Kafka::shared().tool("org.apache.kafka.tools.AclCommand", &args);
    }
    log().check_topic(&topic).unwrap();
    let why = refusal(log().check_writable(&topic));
    assert!(why.contains("kafka-acls.sh") && why.contains(&format!("--topic {topic}")), "{why}");
}

#[test]
fn a_wrong_property_is_refused_by_name() {
    let mut config = Config::new("127.0.0.1:1");
    config.extra.insert("sasl.mechanizm".to_owned(), "PLAIN".to_owned());
    let why = refusal(KafkaLog::new(config));
    assert!(why.contains("sasl.mechanizm"), "{why}");
}

#[test]
fn progress_is_noted_for_lag_tools() {
    let topic = unique_topic();
    let mut config = Config::new(Kafka::shared().brokers());
    config.group = format!("{topic}-group");
    let log = KafkaLog::new(config.clone()).unwrap();
    log.ensure_topic(&topic, 1, None).unwrap();
    append(&log.sink(&topic).unwrap(), vec![record(0, b"h", b"1"), record(0, b"h", b"2")]);
    let mut source = log.source(&topic).unwrap();
    assigned(&mut source);
    source.seek(0, 0).unwrap();
    read(&mut source, 2);
    source.note_committed(0, 2);

    let other: rdkafka::consumer::BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", &config.brokers).set("group.id", &config.group).create().unwrap();
    let mut asked = rdkafka::TopicPartitionList::new();
    asked.add_partition(&topic, 0);
    let noted = (0..100).any(|_| {
        use rdkafka::consumer::Consumer as _;
        assert!(source.next(Duration::from_millis(50)).unwrap().is_none());
        let found = other.committed_offsets(asked.clone(), Duration::from_secs(10)).unwrap();
        found.elements()[0].offset() == rdkafka::Offset::Offset(2)
    });
    assert!(noted);
}

#[test]
fn an_unreachable_broker_is_an_error_in_time_not_a_hang() {
    let mut config = Config::new("127.0.0.1:1");
    config.extra.insert("message.timeout.ms".to_owned(), "500".to_owned());
    let log = KafkaLog::new(config).unwrap();
    let results = log.sink("metrics").unwrap().append(vec![record(0, b"h", b"x")]);
    assert!(matches!(results[..], [Err(LogError::Unavailable { .. })]), "{results:?}");
}

/// Not a test: a process that starts a broker and then waits to be killed.
#[test]
#[ignore = "the process with a broker, started by `no_broker_outlives_a_killed_test`"]
fn broker_owner() {
    use std::io::{Read as _, Write as _};
    let kafka = Kafka::start(1);
    writeln!(std::io::stdout(), "broker {}", kafka.brokers()).unwrap();
    // Ends when killed, or with the parent.
    drop(std::io::stdin().read(&mut [0]));
}

#[test]
fn no_broker_outlives_a_killed_test() {
    use std::io::{BufRead as _, BufReader};
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "log_kafka::broker_owner", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    // libtest writes the test's name without a line's end before ours.
    let port = lines.find_map(|line| line.split_once("broker ").map(|(_, brokers)| brokers.to_owned())).unwrap();
    let mut connection = std::net::TcpStream::connect(&port).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    // The kernel closes a dead broker's sockets, and the read ends. A live one would keep an idle client for minutes.
    connection.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let ended = std::io::Read::read(&mut connection, &mut [0]);
    assert!(!matches!(&ended, Err(why) if why.kind() == std::io::ErrorKind::WouldBlock), "the broker lives on");
}
