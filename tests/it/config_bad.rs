//! Bad files: each file of `tests/configs-bad` holds ten mistakes with Korean text before them, and says at the end of
//! each line (`#! id:piece`) what must be reported at which piece of it, and nothing else.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::path::{Path, PathBuf};

use bongsu::config::{self, Ask};
use proptest::prelude::*;

/// 2026-03-01 09:00 in Korea.
const NOW: i64 = 1_772_323_200_000;

type Place = (usize, usize, String);

fn found(path: &Path) -> Vec<Place> {
    let loaded = config::load(&[path.to_owned()], &Ask { env: &[], now: NOW, whole: false });
    let shown: String = loaded.problems.iter().map(|problem| problem.to_human(loaded.text(problem))).collect();
    assert!(loaded.problems.iter().all(|p| !p.message.is_empty() && config::explain(p.id).is_some()), "{shown}");
    loaded.problems.into_iter().map(|p| (p.line, p.col, p.id.to_owned())).collect()
}

/// `#! id:piece | id:piece~2`: the problem stands at the first, or the second, occurrence of the piece in the line.
fn expected(text: &str) -> Vec<Place> {
    let mut places = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let Some((line, wanted)) = line.split_once("#! ") else { continue };
        for item in wanted.split(" | ") {
            let (id, piece) = item.split_once(':').unwrap();
            let (piece, nth) = piece.split_once('~').map_or((piece, 1), |(piece, n)| (piece, n.parse().unwrap()));
            let before = line.match_indices(piece).nth(nth - 1).map(|(at, _)| &line[..at]);
            let col = before.unwrap_or_else(|| panic!("line {} has no `{piece}`", n + 1)).chars().count() + 1;
            places.push((n + 1, col, id.to_owned()));
        }
    }
    places.sort();
    places
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs-bad").join(name);
    let wanted = expected(&std::fs::read_to_string(&path).unwrap());
    assert_eq!(wanted.len(), 10, "{name} says itself that it has ten mistakes");
    let mut found = found(&path);
    found.sort();
    assert_eq!(found, wanted, "{name}");
}

#[test]
fn ten_mistakes_in_settings_are_ten_problems() {
    check("settings/bongsu.yaml");
}

#[test]
fn ten_mistakes_in_gateways_are_ten_problems() {
    check("gateways/bongsu.yaml");
}

#[test]
fn ten_mistakes_in_rules_are_ten_problems() {
    check("rules.yaml");
}

#[test]
fn ten_mistakes_in_expressions_are_ten_problems() {
    check("exprs.yaml");
}

#[test]
fn ten_mistakes_in_a_prometheus_file_are_ten_problems() {
    check("prometheus.yml");
}

#[test]
fn ten_mistakes_in_contacts_are_ten_problems() {
    check("contacts.yaml");
}

#[test]
fn ten_mistakes_in_chains_are_ten_problems() {
    check("chains.yaml");
}

#[test]
fn ten_mistakes_in_an_inventory_are_ten_problems() {
    check("inventory.yaml");
}

#[test]
fn ten_mistakes_in_a_calendar_are_ten_problems() {
    check("calendar.yaml");
}

#[test]
fn ten_mistakes_in_scenarios_are_ten_problems() {
    check("scenarios.yaml");
}

#[test]
#[cfg(unix)]
fn a_folder_that_links_back_to_itself_is_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let rule = "rules:\n  - { id: a, title: 시험, metric: m, window: { fn: avg, over: 5m }, when: above, severity: { S2: { value: 1 } } }\n";
    std::fs::create_dir(folder.path().join("안")).unwrap();
    std::fs::write(folder.path().join("a.yaml"), rule).unwrap();
    for (target, name) in [("..", "안/위"), (".", "안/여기"), ("안", "또")] {
        std::os::unix::fs::symlink(target, folder.path().join(name)).unwrap();
    }
    let loaded = config::load(&[folder.path().to_owned()], &Ask { env: &[], now: NOW, whole: false });
    assert_eq!((loaded.files.len(), loaded.rules.rules.len(), loaded.errors()), (1, 1, 0), "{:?}", loaded.problems);
}

/// A configuration in a folder, all files right but for what `change` does.
fn folder(change: impl Fn(&str, String) -> String) -> Vec<(String, String)> {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("rules")).unwrap();
    for name in ["bongsu.yaml", "contacts.yaml", "chains.yaml", "inventory.yaml", "calendar.yaml", "rules/demo.yaml"] {
        let text = change(name, std::fs::read_to_string(shipped.join(name)).unwrap());
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let loaded = config::load(&[folder.path().to_owned()], &Ask { env: &[], now: NOW, whole: true });
    let name = |file: &str| Path::new(file).file_name().unwrap().to_string_lossy().into_owned();
    loaded.problems.iter().map(|problem| (name(&problem.file), problem.id.to_owned())).collect()
}

/// Replaces `from` by `to` in one file; everything else stays as it is shipped.
fn with(file: &'static str, from: &'static str, to: &'static str) -> Vec<String> {
    let problems = folder(|name, text| {
        assert!(name != file || text.contains(from), "{file} has no `{from}`");
        if name == file { text.replace(from, to) } else { text }
    });
    let mut ids: Vec<String> = problems.into_iter().map(|(_, id)| id).collect();
    ids.dedup();
    ids
}

#[test]
fn files_are_asked_whether_they_fit_together() {
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("chains.yaml", "NIA/owner", "NIA/owner", &[]),
        ("chains.yaml", "NIA/owner", "NIA/ownr", &["unknown-role"]),
        ("chains.yaml", "NIA/owner", "\"@msp-duty-9\"", &["unknown-contact"]),
        ("chains.yaml", "default: true", "match: { domain: 보안 }", &["no-default-chain"]),
        ("chains.yaml", "match: { domain: 통신 }", "default: true", &["several-defaults"]),
        ("contacts.yaml", "    phone: \"010-0000-0001\"\n", "", &["no-phone"]),
        ("contacts.yaml", "email: csp-duty-1@example.test", "valid: { from: 2026-01-01 }", &["no-phone"]),
        ("contacts.yaml", "    name: 바상인", "    name: 바상인\n    domains: [보안]", &["empty-step"]),
        ("contacts.yaml", "roles: [manager]", "roles: [boss]", &["unknown-role"]),
        ("chains.yaml", "default: true", "default: true\n    when: off", &["default-when"]),
        ("chains.yaml", "match: { domain: 통신 }", "when: nihgt", &["unknown-time"]),
        ("chains.yaml", "match: { domain: 통신 }", "match: { severity: S9 }", &["unknown-word"]),
        ("chains.yaml", "match: { domain: 통신 }", "match: { owner: \"=~(\" }", &["bad-regex"]),
        ("chains.yaml", "{ to: [MSP/duty], by: [sms], wait: 5m }", "{ to: [rota:duty], by: [sms] }", &["unknown-rota"]),
        ("calendar.yaml", "until: \"18:00\"", "until: \"08:00\"", &["out-of-range"]),
        ("calendar.yaml", "from: \"09:00\"", "from: 아침", &["bad-value"]),
        (
            "calendar.yaml",
            "holidays:",
            "intervals: [ { id: n, any: [ { times: [\"22:00-06:00\"] } ] } ]\nholidays:",
            &["bad-interval"],
        ),
        (
            "contacts.yaml",
            "contacts:",
            "rotas: [ { id: r, members: [nobody-1], start: 2026-01-01 } ]\ncontacts:",
            &["unknown-contact"],
        ),
        (
            "contacts.yaml",
            "contacts:",
            "rotas: [ { id: r, members: [ap-duty-1], start: 2026-01-01, fills: MSP/duty } ]\ncontacts:",
            &["unknown-role"],
        ),
        ("rules/demo.yaml", "    metric:", "    chain: genral\n    metric:", &["unknown-chain"]),
        ("rules/demo.yaml", "page: msp-duty-1", "page: msp-duty-9", &["scenario-unknown"]),
        ("rules/demo.yaml", "CPU 과다(시연)", "가상인 담당 서버", &["title-prohibited"]),
        ("rules/demo.yaml", "CPU 과다(시연)", "CPU 심각", &["national-word"]),
        ("rules/demo.yaml", "over: 30s", "over: 24h", &["window-retention"]),
        ("rules/demo.yaml", "over: 30s }", "over: 1h }\n    forget: 1h", &["forget-early"]),
        ("bongsu.yaml", "chains: chains.yaml", "chains: 없음.yaml", &["file-missing"]),
        ("bongsu.yaml", "sqlite:bongsu.db", "postgres://a:b@db.test/x", &["inline-secret"]),
        ("bongsu.yaml", "[agent, evaluate, ", "[archive, evaluate, ", &["not-yet"]),
    ];
    for (file, from, to, ids) in cases {
        assert_eq!(with(file, from, to), *ids, "{file}: {from} → {to}");
    }
}

#[test]
fn somebody_with_a_number_is_reached_at_every_hour() {
    // The only duty phone ends on 10 March: S1 still reaches the next step, S3 goes on to the engineers.
    assert_eq!(
        with("contacts.yaml", "roles: [duty]", "roles: [duty]\n    valid: { until: 2026-03-10 }"),
        ["contact-ends", "tier-gap"]
    );
    let everybody = "confirmed: 2026-01-02\n    valid: { until: 2026-03-10 }";
    let mut problems = folder(|_, text| text.replace("confirmed: 2026-01-02", everybody));
    problems.retain(|(_, id)| id != "contact-ends");
    let what = "each chain for its 구간, the default one and the one of the notice for all four";
    assert_eq!(problems.len(), 11, "{what}: {problems:?}");
    assert!(problems.iter().all(|(file, id)| file == "chains.yaml" && id == "unreachable"), "{problems:?}");
}

#[test]
fn one_mistake_of_sense_is_one_problem() {
    let rule = "    window: { fn: avg, over: 5m }\n    when: above\n    severity: { S1: { value: 9 }, S2: { value: 5, for: 1m } }\n";
    let cases: &[(&str, &str, &[&str])] = &[
        ("S1: { value: 9 }", "S1: { value: 3 }", &["severity-order"]),
        ("S1: { value: 9 }", "S1: { value: 5 }", &["severity-order"]),
        ("S1: { value: 9 }", "S1: { value: [1, 2] }", &["range-needed"]),
        ("when: above", "when: outside", &["range-needed"]),
        ("when: above", "when: equals\n    recover: { value: 3 }", &[]),
        ("S2: { value: 5,", "S2: { value: 0.5,", &[]),
        ("when: above", "when: above\n    recover: { value: 7 }", &["recover-beyond"]),
        ("when: above", "when: above\n    recover: { value: 4 }", &[]),
        ("fn: avg", "fn: rate", &[]),
        ("when: above", "when: above\n    min_samples: 1", &[]),
        ("fn: avg", "fn: forecast", &["unknown-word"]),
        ("over: 5m }", "over: 5m, step: 10s }", &[]),
        ("over: 5m }", "over: 5m, step: 3m }", &["window-step"]),
        ("avg, over: 5m }", "p95, over: 5m, step: 1m }", &["window-step"]),
        ("when: above", "when: above\n    overrides: []", &[]),
        ("when: above", "when: above\n    for: 5m", &["expr-alone"]),
        ("    window", "    log: { pattern: x }\n    window", &["log-function", "watch"]),
        ("when: above", "when: above\n    title: 아주아주아주아주아주아주아주아주긴 제목", &["title-long"]),
        ("when: above", "when: above\n    title: 디스크 💾 부족", &["title-charset"]),
        ("when: above", "when: above\n    no_data: { after: 2m, then: { raise: S3 } }", &[]),
        ("when: above", "when: above\n    no_data: { then: raise }", &["bad-value"]),
        ("{ S1: { value: 9 }, S2: { value: 5, for: 1m } }", "{}", &["missing-key"]),
        ("when: above", "", &["missing-key"]),
    ];
    for (from, to, wanted) in cases {
        assert!(rule.contains(from), "{from}");
        let text = format!("rules:\n  - id: a\n    metric: m\n    by: [host]\n{}", rule.replace(from, to));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("가.yaml");
        std::fs::write(&path, text).unwrap();
        let mut ids: Vec<String> = found(&path).into_iter().map(|(_, _, id)| id).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids, *wanted, "{from} → {to}");
    }
}

#[test]
fn a_rule_with_an_error_is_refused_and_the_others_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let rule = |id: &str, value: &str| {
        let rest = "metric: m, window: { fn: avg, over: 5m }, when: above";
        format!("  - {{ id: {id}, {rest}, severity: {{ S2: {{ value: {value} }} }} }}\n")
    };
    let one = format!("rules:\n{}{}", rule("a", "1"), rule("b", "많음"));
    let two = format!("rules:\n{}{}", rule("a", "2"), rule("c", "3"));
    std::fs::write(folder.path().join("1.yaml"), one).unwrap();
    std::fs::write(folder.path().join("2.yml"), two).unwrap();
    std::fs::write(folder.path().join("README.md"), "no rules").unwrap();
    let loaded = config::load(&[folder.path().to_owned()], &Ask { env: &[], now: NOW, whole: false });
    let ids: Vec<&str> = loaded.rules.rules.iter().map(|rule| &*rule.id).collect();
    assert_eq!((ids, loaded.refused, loaded.errors()), (vec!["a", "c"], 2, 2));
}

#[test]
fn files_that_are_none_are_problems() {
    let folder = tempfile::tempdir().unwrap();
    let load = |path: PathBuf| found(&path).into_iter().map(|(_, _, id)| id).collect::<Vec<_>>();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    assert_eq!(load(folder.path().join("none.yaml")), ["file-missing"]);
    assert_eq!(load(write("a.yaml", &[0xff, 0xfe])), ["not-utf8"]);
    assert_eq!(load(write("b.yaml", "x".repeat(5 << 20).as_bytes())), ["file-too-large"]);
    assert_eq!(load(write("c.yaml", b"rules: [")), ["yaml-syntax"]);
    assert_eq!(load(write("d.yaml", b"groups: []\n")), [""; 0], "Prometheus's");
    assert_eq!(load(write("h.yaml", b"version: 1\n---\nversion: 1\n")), ["yaml-documents"]);
    assert_eq!(load(write("e.yaml", b"- a\n")), ["wrong-type"]);
    assert_eq!(load(write("f.yaml", b"")), [""; 0]);
    assert_eq!(load(write("g.yaml", "\u{feff}version: 1\r\n규칙: 1\r\n".as_bytes())), ["unknown-key"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), name in 0..7usize) {
        load_bytes(name, &bytes);
    }

    /// A shipped file with a hole, a piece twice, or bytes of another place in it.
    #[test]
    fn no_damage_panics(name in 0..7usize, at in 0.0..1.0f64, len in 0..40usize, from in 0.0..1.0f64) {
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs").join(NAMES[name]);
        let mut bytes = std::fs::read(shipped).unwrap();
        let place = |part: f64| ((bytes.len() as f64) * part) as usize;
        let (to, from) = (place(at), place(from));
        let piece: Vec<u8> = bytes.iter().skip(from).take(len).copied().collect();
        bytes.splice(to..(to + len / 2).min(bytes.len()), piece);
        load_bytes(name, &bytes);
    }
}

const NAMES: [&str; 7] = [
    "bongsu.yaml",
    "contacts.yaml",
    "chains.yaml",
    "inventory.yaml",
    "calendar.yaml",
    "rules/host.yaml",
    "rules/log.yaml",
];

fn load_bytes(name: usize, bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(Path::new(NAMES[name]).file_name().unwrap());
    std::fs::write(&path, bytes).unwrap();
    let loaded = config::load(&[path], &Ask { env: &[], now: NOW, whole: false });
    for problem in &loaded.problems {
        assert!(problem.line >= 1 && problem.col >= 1, "{problem:?}");
        assert!(!problem.to_human(loaded.text(problem)).is_empty());
    }
}
