//! The shipped configuration: it loads without a problem, its schemas are those of the reader, and no text panics.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::path::{Path, PathBuf};

use bongsu::config::{self, Ask, Loaded, SCHEMAS};
use bongsu::model::{Chain, Function, Severity, Watch};
use bongsu::time::{MINUTE, SECOND};

/// 2026-03-01 09:00 in Korea.
const NOW: i64 = 1_772_323_200_000;

fn shipped() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("configs")
}

fn load(path: &Path) -> Loaded {
    config::load(&[path.to_owned()], &Ask { env: &[], now: NOW, whole: true })
}

#[test]
fn every_shipped_file_loads_without_a_problem() {
    let loaded = load(&shipped());
    let shown: String = loaded.problems.iter().map(|problem| problem.to_human(loaded.text(problem))).collect();
    assert!(loaded.problems.is_empty(), "{shown}");
    assert_eq!((loaded.files.len(), loaded.rules.rules.len(), loaded.refused), (17, 51, 0));
}

#[test]
fn the_agents_shipped_file_loads_without_a_problem() {
    let loaded = load(&shipped().join("agent.yaml"));
    assert!(loaded.problems.is_empty(), "{:?}", loaded.problems);
    let agent = &loaded.settings.agent;
    assert_eq!(agent.to, config::AgentTo::Door("https://bongsu.example.test:9480".to_owned()));
    assert_eq!(agent.token_file, Some(shipped().join("token")), "relative to the file");
    assert_eq!((agent.every, agent.spool), (10 * SECOND, 256_000_000));
    let watched: Vec<_> = agent.processes.iter().map(|watch| (watch.name.as_str(), watch.pattern.is_some())).collect();
    assert_eq!(watched, [("postgres", false), ("dispatch-was", true)]);
    // It has no defaults beside those of the table.
    assert_eq!(agent.host, None);
}

#[test]
fn every_shipped_rule_has_a_scenario() {
    let loaded = load(&shipped());
    for rule in &loaded.rules.rules {
        let shown = loaded.scenarios.iter().any(|scenario| {
            scenario.expect.iter().any(|expect| match &expect.what {
                config::What::Signal { which, .. } => which.rule == *rule.id,
                _ => false,
            })
        });
        assert!(shown, "`{}` has no scenario", rule.id);
    }
}

#[test]
fn the_demo_rule_pages_s3_by_sms() {
    let loaded = load(&shipped());
    let rule = loaded.rules.rules.iter().find(|rule| &*rule.id == "cpu-busy-demo").unwrap();
    assert!(matches!(&rule.watch, Watch::Metric { name, .. } if name == "system.cpu.utilization"));
    assert_eq!((rule.function, rule.over, rule.interval), (Function::Avg, 30 * SECOND, SECOND));
    assert_eq!((rule.levels[0].severity, rule.levels[0].hold), (Severity::S3, 15 * SECOND));
    assert_eq!(rule.no_data.after, 5 * MINUTE, "the longer of `over` and 5m");
    let domain = rule.domain.word();
    let asks = |chain: &&Chain| chain.matchers.iter().any(|it| it.label == "domain" && it.value == domain);
    let chain = loaded.people.chains.iter().find(asks).unwrap();
    assert_eq!(chain.plan(Severity::S3).upto, Some(1));
    assert!(!chain.plan(Severity::S3).digest);
}

#[test]
fn committed_schemas_are_those_of_the_reader() {
    for (name, text) in SCHEMAS {
        let path = shipped().join(".schema").join(name);
        let wanted = text();
        // UPDATE_EXPECT=1 writes them; the environment is the test's, not the engine's.
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(committed == wanted, "{name} differs: run the test once with UPDATE_EXPECT=1");
    }
}

#[test]
fn comments_and_key_order_do_not_change_the_hash() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.yaml");
    let hash = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let loaded = load(&path);
        assert_eq!(loaded.errors(), 0, "{:?}", loaded.problems);
        loaded.rules.hash
    };
    let rule = |value: &str| {
        let watch = "rules:\n  - id: a\n    metric: m\n    window: { fn: avg, over: 5m }\n    when: above\n";
        format!("{watch}    severity: {{ S2: {{ value: {value} }} }}\n")
    };
    let turned =
        "# 설명\nrules:\n  - metric: m\n    id: a\n    when: above\n    severity: { S2: { for: 0s, value: 0.9 } }\n";
    let one = hash(&rule("90%"));
    let same = hash(&format!("{turned}    window: {{ over: 300s, fn: avg }}\n"));
    let other = hash(&rule("91%"));
    assert_eq!(one, same);
    assert_ne!(one, other);
    assert_eq!(one.len(), 64);
}
