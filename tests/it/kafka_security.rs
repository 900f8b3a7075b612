//! TLS, SASL SCRAM and permissions against a broker that asks for them.

#![allow(clippy::unwrap_used, reason = "what a helper cannot do fails its test")]

use std::sync::OnceLock;
use std::time::Duration;

use bongsu::log::kafka::{Config, Join, KafkaLog, Login, Security, Tls};
use bongsu::log::{Event, LogError, Source as _};
use bongsu::model::Secret;

use crate::kafka::{ADMIN, Kafka, PASSWORD, Plan};
use crate::log_suite::{append, record, unique_topic};
use crate::site::eventually;

/// Whom nobody allowed anything.
const POOR: &str = "poor";

fn kafka() -> &'static Kafka {
    static SECURE: OnceLock<Kafka> = OnceLock::new();
    SECURE.get_or_init(|| Kafka::with(&Plan { nodes: 1, users: vec![ADMIN, POOR], ..Plan::default() }))
}

fn config(user: &str, password: &str) -> Config {
    let mut config = Config::new(kafka().secure());
    let login = Login { mechanism: "SCRAM-SHA-512", user: user.to_owned(), password: Secret::new(password) };
    let tls = Tls { authority: Some(kafka().authority().to_owned()), ..Tls::default() };
    config.security = Security { tls: Some(tls), login: Some(login) };
    config
}

/// What and why, and the help.
fn refusal<T: std::fmt::Debug>(result: Result<T, LogError>) -> (String, String) {
    match result {
        Err(LogError::Refused { what, why, help }) => (format!("{what}: {why}"), help),
        other => panic!("a refusal was expected, not {other:?}"),
    }
}

#[test]
fn a_user_with_the_right_password_works_over_tls() {
    let topic = unique_topic();
    let log = KafkaLog::new(config(ADMIN, PASSWORD)).unwrap();
    log.ensure_topic(&topic, 1, None).unwrap();
    append(&log.sink(&topic).unwrap(), vec![record(0, b"h", b"x")]);
    let mut source = log.source(&topic).unwrap();
    source.seek(0, 0).unwrap();
    eventually("the record comes", || {
        matches!(source.next(Duration::from_millis(50)).unwrap(), Some(Event::Batch(_))).then_some(())
    });
}

#[test]
fn a_wrong_password_is_refused_by_name_and_not_printed() {
    let log = KafkaLog::new(config(ADMIN, "not-the-password")).unwrap();
    let (why, help) = refusal(log.ensure_topic("telemetry", 1, None));
    assert!(why.contains("SCRAM-SHA-512") && why.contains("invalid credentials"), "{why}");
    assert!(help.contains("log.security") && help.contains("password"), "{help}");
    assert!(!why.contains("not-the-password") && !format!("{log:?}").contains("not-the-password"));
}

#[test]
fn a_broker_that_another_authority_signed_is_refused() {
    let other = tempfile::tempdir().unwrap();
    crate::kafka::make_certificate(other.path());
    let mut config = config(ADMIN, PASSWORD);
    config.security.tls = Some(Tls { authority: Some(other.path().join("authority.pem")), ..Tls::default() });
    let (why, help) = refusal(KafkaLog::new(config).unwrap().ensure_topic("telemetry", 1, None));
    assert!(why.contains("certificate verify failed") && help.contains("log.security.ca_file"), "{why}: {help}");
}

#[test]
fn a_missing_authority_file_is_refused_by_name() {
    let mut config = config(ADMIN, PASSWORD);
    config.security.tls = Some(Tls { authority: Some("no-such-authority.pem".into()), ..Tls::default() });
    let (why, _) = refusal(KafkaLog::new(config));
    assert!(why.contains("no-such-authority.pem"), "{why}");
}

/// Everything that a service does with its topic, once.
fn use_all(config: &Config, topic: &str) -> Result<(), LogError> {
    let log = KafkaLog::new(config.clone())?;
    log.ensure_topic(topic, 1, None)?;
    log.check_writable(topic)?;
    let mut source = log.source(topic)?;
    for _ in 0..400 {
        match source.next(Duration::from_millis(50))? {
            Some(Event::Assigned { partition }) => source.seek(partition, 0)?,
            Some(Event::Batch(_)) => return Ok(()),
            _ => {}
        }
    }
    panic!("neither a record nor a refusal");
}

/// Follows what each refusal prints until nothing is refused; what was lacking, in order.
fn follow_the_advice(config: &Config, topic: &str) -> Vec<String> {
    let mut lacked: Vec<String> = Vec::new();
    for _ in 0..12 {
        let Err(why) = use_all(config, topic) else { return lacked };
        let (why, help) = refusal::<()>(Err(why));
        let (_, lack) = why.split_once("User:poor lacks ").unwrap_or_else(|| panic!("{why}: {help}"));
        if lacked.last().is_none_or(|last| last != lack) {
            lacked.push(lack.to_owned());
        }
        let words: Vec<&str> = help.split_whitespace().collect();
        let begin = ["kafka-acls.sh", "--bootstrap-server", kafka().secure(), "--add"];
        assert_eq!(words[..4], begin, "the line can be run as it is");
        kafka().tool("org.apache.kafka.tools.AclCommand", &words[3..]);
    }
    panic!("the advice leads nowhere: {lacked:?}");
}

#[test]
fn each_missing_permission_is_named_with_the_line_that_grants_it() {
    let topic = unique_topic();
    let mut config = config(POOR, PASSWORD);
    config.group = format!("{topic}-group");
    config.join = Some(Join::default());
    let lacked = follow_the_advice(&config, &topic);
    let on_topic = |operation: &str| format!("{operation} on topic {topic}");
    let expected = [
        on_topic("Describe"),
        on_topic("Create"),
        on_topic("DescribeConfigs"),
        on_topic("Write"),
        format!("Read on group {}", config.group),
        on_topic("Read"),
    ];
    assert_eq!(lacked, expected);
}

// --- settings

/// The ids of what is wrong with `security` and these variables.
fn problems(security: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bongsu.yaml");
    let text = format!("log: {{ kind: kafka, brokers: [\"127.0.0.1:9092\"], security: {{ {security} }} }}\n");
    std::fs::write(&file, text).unwrap();
    let env: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let loaded = bongsu::config::load(&[file], &bongsu::config::Ask { env: &env, now: 0, whole: false });
    assert!(!format!("{loaded:?}").contains("geheim"), "a secret is never printed");
    let errors = loaded.problems.iter().filter(|problem| problem.level == bongsu::config::Level::Error);
    errors.map(|problem| problem.id.to_owned()).collect()
}

#[test]
fn a_login_needs_a_user_and_a_password_that_stands_elsewhere() {
    let password = [("BONGSU__LOG__SECURITY__PASSWORD", "geheim")];
    let none: [&str; 0] = [];
    assert_eq!(problems("protocol: sasl_ssl, username: bongsu", &password), none);
    assert_eq!(problems("protocol: sasl_ssl, username: bongsu, password_file: secret", &[]), none);
    assert_eq!(problems("protocol: sasl_ssl, username: bongsu", &[]), ["missing-key"]);
    assert_eq!(problems("protocol: sasl_ssl, username: bongsu, password: wort", &[]), ["inline-secret"]);
    assert_eq!(problems("username: bongsu", &[]), ["bad-value"], "a login that plaintext would not use");
    assert_eq!(problems("protocol: ssl, certificate_file: our.pem", &[]), ["missing-key"]);
    assert_eq!(problems("protocol: sasl_ssl, username: a, password_file: b, mechanism: PLAIN", &[]).len(), 1);
}
