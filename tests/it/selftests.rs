//! The shipped proofs, as the tests run them: crashes under load, simulated worlds. Planted faults: `sim_faults`.

use std::sync::Arc;

use bongsu::decode::Limits;
use bongsu::evaluate::{self, Setup, SkewPolicy, Warm};
use bongsu::model::{Progress, RuleSet};
use bongsu::pipeline::sim::{self, INPUTS, Plan};
use bongsu::pipeline::stages::{At, Lanes};
use serde_json::Value;

use crate::kafka::Kafka;
use crate::log_suite::unique_topic;
use crate::postgres::InPostgres;
use crate::site::{bongsu, json_lines};
use crate::store_suite::Home;

/// Worlds that every test run sees; the long form is `bongsu selftest simulate`.
const WORLDS: u64 = 300;
/// Worlds that also run over SQLite.
const SQLITE_WORLDS: u64 = 10;
/// Worlds that also run over PostgreSQL.
const POSTGRES_WORLDS: u64 = 4;

#[test]
fn simulated_worlds_keep_every_promise() {
    let run = bongsu(&["selftest", "simulate", "--worlds", &WORLDS.to_string(), "--format", "json"]);
    assert_eq!(run.status.code(), Some(0), "{}", String::from_utf8_lossy(&run.stdout));
    let summary = json_lines(&run).pop().unwrap();
    assert_eq!(summary["violations"], 0);
    assert!(summary["inputs"].as_u64() >= Some(WORLDS * INPUTS as u64), "{summary}");
    assert!(
        summary["ledger_entries"].as_u64() > Some(WORLDS * 100) && summary["deaths"].as_u64() > Some(WORLDS),
        "{summary}"
    );
}

/// Worlds in which the product did something wrong once. 107, 154: the end of an incident was handed over while the
/// failure of its beginning waited: the leader wanted to take the end back, was refused, and tried the same for ever. 18:
/// after a restart in the middle of a clock break the wide rules walked through every second since the epoch. 643, 1179:
/// the same for ever again, as a clock that was set or a timer came before what had been handed over. 669, 725: one person
/// had a beginning twice. 1375, 1679, 1866, 2304: a wide rule that a reload brought told of what was over before it. 323,
/// 1034, 1160, 1328, 2438, 3336, 3370, 4920, 6386, 6719, 7441, 9844, 1_003_764, 1_006_358: what was asked was too strict.
/// 2876: as 643, with a reload.
/// 4736, 5323, 6130, 9305: opened again under a silence, and told to nobody. 3608, 5373: a storm that came back was milder
/// than what hung under it. 48, 2_004_532: a page that came back from a sender was sent though somebody had the incident
/// by then, or it had got worse; 214, 305, 633: so mended that it went round in circles. 2_001_831: the last group of a
/// chain that began anew was left out. 2_003_220: a rule over several hosts that came back judged the time before.
/// 4_005_751: a source whose first record after hours was rejected was told of for its clock of hours ago.
const ONCE_BROKEN: [u64; 40] = [
    18, 107, 154, 323, 643, 669, 725, 1034, 1179, 1375, 1679, 1866, 2304, 2876, 3608, 4736, 4920, 5323, 5373, 6130,
    6719, 9305, 1160, 1328, 2438, 3336, 3370, 6386, 7441, 9844, 1_003_764, 1_006_358, 2_001_831, 2_003_220, 2_004_532,
    48, 214, 305, 633, 4_005_751,
];

#[test]
fn worlds_that_were_broken_once_are_sound() {
    for seed in ONCE_BROKEN {
        if let Err(broken) = sim::run(seed) {
            panic!("{broken}");
        }
    }
}

/// A record with nothing usable in it came under another host's key. Its host was taken for a source of that partition
/// as well, and both partitions' alarms about its silence shared one state row: a restart lost one of them.
#[test]
fn a_stray_record_raises_no_silence_in_its_partition() {
    let setup = Setup {
        rules: Arc::new(RuleSet::default()),
        inventory: Arc::default(),
        topic: "telemetry".to_owned(),
        partitions: 1,
        limits: evaluate::Limits { series: 100, series_per_rule: 100, window_memory: 1 << 20 },
        skew: SkewPolicy::Shift,
        builtins: true,
        source_silent: None,
    };
    let mut lanes = Lanes::new(Arc::new(setup), Limits { record_bytes: 1 << 20, shapes: 100 }, None, Vec::new());
    lanes.start(0, Some(&Progress::default()), Vec::new(), Warm::default());
    let begin = 1_767_571_200_000;
    let mut silent = Vec::new();
    let mut feed = |offset: i64, at: i64, key: &[u8], value: String| {
        let place = At { partition: 0, offset, append: begin + at };
        lanes.feed(place, key, value.as_bytes(), &mut |fed| {
            silent.extend(fed.effects.signals.iter().map(|signal| signal.labels.get("host").unwrap_or("").to_owned()));
        });
    };
    let record = |host: &str, points: &str| format!(r#"{{"v":1,"ts":{begin},"host":"{host}","points":{points}}}"#);
    feed(0, 0, b"web-01", record("stray-01", r#"[["a","x"]]"#));
    feed(1, 1, b"", record("keyless-01", r#"[["a","x"]]"#));
    feed(2, 2, b"web-01", record("moved-01", r#"[["a",1]]"#));
    feed(3, 3, b"bad-01", record("bad-01", r#"[["a","x"]]"#));
    feed(4, 600_000, b"bongsu.pulse", String::new());
    silent.sort();
    // Those that sent something here, or have no key that says whose partition this is, are missed here.
    assert_eq!(silent, ["bad-01", "keyless-01", "moved-01"]);
}

#[test]
fn a_seed_is_a_world() {
    for seed in 1_000..1_010 {
        let (once, again) = (sim::run(seed), sim::run(seed));
        assert_eq!(once, again, "seed {seed}");
        assert!(once.is_ok_and(|sound| sound.ledger.len() == 64));
    }
}

#[test]
fn a_world_over_sqlite_leaves_the_same_ledger() {
    for seed in 0..SQLITE_WORLDS {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("world.db").display());
        let store = Arc::new(bongsu::store::open(&url).unwrap());
        let (memory, sqlite) = (sim::run(seed), sim::run_over(&Plan::of(seed), store));
        assert_eq!(memory, sqlite, "seed {seed}");
    }
}

#[test]
fn a_world_over_postgresql_leaves_the_same_ledger() {
    for seed in 0..POSTGRES_WORLDS {
        let store = InPostgres::default().open();
        let (memory, postgres) = (sim::run(seed), sim::run_over(&Plan::of(seed), store));
        assert_eq!(memory, postgres, "seed {seed}");
    }
}

#[test]
fn kill_9_under_load_loses_and_repeats_nothing() {
    let run = bongsu(&[
        "selftest",
        "crash",
        "--transport",
        "embedded",
        "--store",
        "sqlite",
        "--kills",
        "20",
        "--format",
        "json",
    ]);
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    let summary: Value = json_lines(&run).pop().unwrap_or_else(|| panic!("no summary: {text}"));
    assert_eq!((&summary["lost"], &summary["repeated"]), (&Value::from(0), &Value::from(0)), "{summary}\n{text}");
    assert!(summary["records"].as_u64() > Some(500), "{summary}");
    assert!(summary["between"].as_u64() >= Some(6), "at least 30 % of the kills hit between: {summary}");
}

#[test]
fn kill_9_before_a_carrier_that_cannot_be_asked_repeats_only_what_the_ledger_says() {
    let run = bongsu(&["selftest", "crash", "--gateway", "http", "--kills", kills(), "--format", "json"]);
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    let summary: Value = json_lines(&run).pop().unwrap_or_else(|| panic!("no summary: {text}"));
    println!("{summary}");
    assert_eq!((&summary["lost"], &summary["repeated"]), (&Value::from(0), &Value::from(0)), "{summary}\n{text}");
    assert!(summary["resent"].as_u64() > Some(0), "kills hit between a message and its outcome: {summary}");
}

/// How often the service is killed in the longer ones.
fn kills() -> &'static str {
    if std::env::var_os("BONGSU_LONG").is_some() { "200" } else { "20" }
}

#[test]
fn kill_9_over_kafka_and_postgresql_loses_and_repeats_nothing() {
    let (kafka, topic, url) = (Kafka::shared(), unique_topic(), InPostgres::default().url());
    let place = ["--transport", "kafka", "--brokers", kafka.brokers(), "--topic", &topic];
    let rest = ["--store", "postgres", "--store-url", &url, "--kills", kills(), "--format", "json"];
    let run = bongsu(&[&["selftest", "crash"][..], &place, &rest].concat());
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    let summary: Value = json_lines(&run).pop().unwrap_or_else(|| panic!("no summary: {text}"));
    println!("{summary}");
    assert_eq!((&summary["lost"], &summary["repeated"]), (&Value::from(0), &Value::from(0)), "{summary}\n{text}");
    assert!(summary["records"].as_u64() > Some(1_000) && summary["pages"].as_u64() > Some(50), "{summary}");
    assert!(summary["between"].as_u64() >= Some(4), "kills hit between a signal's commit and its page: {summary}");
    let other = InPostgres::default().url();
    let again = bongsu(&[&["selftest", "crash"][..], &place, &["--store", "postgres", "--store-url", &other]].concat());
    assert_eq!(again.status.code(), Some(2), "a topic that holds something is no place for accounts");
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains(&topic) && said.contains("holds something already"), "{said}");
}

/// The leader is killed, the other takes over; one that stood still comes back and is refused; both die at once.
#[test]
fn kill_9_of_whoever_leads_loses_and_repeats_nothing_and_the_other_takes_over_within_seconds() {
    let _alone = crate::kafka_cluster::alone();
    let (kafka, topic, url) = (Kafka::shared(), unique_topic(), InPostgres::default().url());
    let kills = if std::env::var_os("BONGSU_LONG").is_some() { "50" } else { "8" };
    let pair = ["selftest", "crash", "--instances", "2", "--kills", kills, "--format", "json"];
    let place = ["--transport", "kafka", "--brokers", kafka.brokers(), "--topic", &topic];
    let run = bongsu(&[&pair[..], &place, &["--store", "postgres", "--store-url", &url]].concat());
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    let summary: Value = json_lines(&run).pop().unwrap_or_else(|| panic!("no summary: {text}"));
    println!("{summary}");
    assert_eq!((&summary["lost"], &summary["repeated"]), (&Value::from(0), &Value::from(0)), "{summary}\n{text}");
    let number = |name: &str| summary[name].as_u64().unwrap_or_else(|| panic!("{name}: {summary}"));
    assert_eq!(number("take_overs") + number("killed_both"), number("kills"));
    assert!(number("killed_both") >= 1 && number("stood_still") >= 1 && number("pages") > 500, "{summary}");
    // It is waited for 3 s; the rest is for a machine that is busy with other tests.
    assert!((2_500..10_000).contains(&number("take_over_ms_p50")), "{summary}");
    assert!(number("first_decision_ms_p50") >= number("take_over_ms_p50"), "{summary}");
    for wrong in [
        &pair[..],
        &[&pair[..], &place, &["--store", "postgres", "--store-url", &url, "--gateway", "handset"]].concat(),
    ] {
        let refused = bongsu(wrong);
        assert_eq!(refused.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("--instances 2"));
    }
}

#[test]
fn kill_9_over_postgresql_loses_and_repeats_nothing() {
    let url = InPostgres::default().url();
    let crash = ["selftest", "crash", "--store", "postgres", "--store-url", &url, "--kills", "5", "--format", "json"];
    let run = bongsu(&crash);
    let text = String::from_utf8_lossy(&run.stderr).into_owned();
    let summary: Value = json_lines(&run).pop().unwrap_or_else(|| panic!("no summary: {text}"));
    assert_eq!((&summary["lost"], &summary["repeated"]), (&Value::from(0), &Value::from(0)), "{summary}\n{text}");
    assert!(summary["records"].as_u64() > Some(100) && summary["pages"].as_u64() > Some(0), "{summary}");
    let again = bongsu(&crash);
    assert_eq!(again.status.code(), Some(2), "a database that holds something is no place for accounts");
    assert!(String::from_utf8_lossy(&again.stderr).contains("holds something already"));
}
