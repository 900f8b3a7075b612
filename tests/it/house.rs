//! The house keeps its shape: who may import whom, how long files and functions may grow, and what a file opens with.
//!
//! The style card is the list of constants here: a rule that is not checked rots.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each stage and what it may import; a stage that is not listed may import nothing. Same-layer stages are strangers:
/// they meet through `model`.
const LAYERS: &[(&str, &[&str])] = &[
    ("time", &[]),
    ("model", &["time"]),
    ("telemetry", &["time", "model"]),
    // pure
    ("decode", &["time", "model"]),
    ("evaluate", &["time", "model"]),
    ("incident", &["time", "model"]),
    ("page", &["time", "model"]),
    // edges
    ("log", &["time", "model", "telemetry", "decode", "evaluate", "incident", "page"]),
    ("store", &["time", "model", "telemetry", "decode", "evaluate", "incident", "page"]),
    ("notify", &["time", "model", "telemetry", "decode", "evaluate", "incident", "page"]),
    ("agent", &["time", "model", "telemetry", "decode", "evaluate", "incident", "page"]),
    ("console", &["time", "model", "telemetry", "decode", "evaluate", "incident", "page"]),
    ("report", &["time", "model"]),
    // above
    ("config", &["time", "model", "decode", "evaluate", "incident", "page"]),
    (
        "pipeline",
        &[
            "time",
            "model",
            "telemetry",
            "decode",
            "evaluate",
            "incident",
            "page",
            "log",
            "store",
            "notify",
            "agent",
            "console",
            "report",
            "config",
        ],
    ),
    (
        "cli",
        &[
            "time",
            "model",
            "telemetry",
            "decode",
            "evaluate",
            "incident",
            "page",
            "log",
            "store",
            "notify",
            "agent",
            "console",
            "report",
            "config",
            "pipeline",
        ],
    ),
    ("main", &["cli"]),
];

/// What a pure stage must not touch, and what to do instead.
const IMPURE: &[(&str, &str)] = &[
    ("std::fs", "pass the content in"),
    ("std::net", "belongs to an edge"),
    ("std::env", "settings come as values"),
    ("std::thread", "only `pipeline::shell` starts threads"),
    ("std::process", "belongs to an edge"),
    ("std::sync::Mutex", "a pure stage has one owner"),
    ("std::sync::RwLock", "a pure stage has one owner"),
    ("Instant", "take `now` as an argument"),
    ("SystemTime", "take `now` as an argument"),
    ("tokio::", "belongs to an edge"),
    ("rdkafka", "belongs to `log`"),
    ("rusqlite", "belongs to an edge"),
    ("fastrand", "pass a seed or a value in"),
    ("dyn Clock", "take `now` as an argument"),
];

const PURE: &[&str] = &["model", "decode", "evaluate", "incident", "page"];
/// Pure files and folders outside the pure stages.
const PURE_PLACES: &[&str] = &[
    "src/pipeline/stages.rs",
    "src/pipeline/leader",
    "src/pipeline/flush.rs",
    "src/pipeline/own.rs",
    "src/pipeline/tally.rs",
];

const LINES_PER_FILE_MAX: usize = 500;
const LINES_PER_FUNCTION_MAX: usize = 70;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// Every source file under `src`: (path from the root, stage, text without comments at line ends).
fn files() -> Vec<(String, String, String)> {
    let mut paths = Vec::new();
    sources(&root().join("src"), &mut paths);
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root()).expect("it is below the root").display().to_string();
            let stage = name.trim_start_matches("src/").split(['/', '.']).next().unwrap_or_default().to_owned();
            let text = fs::read_to_string(&path).expect("sources are UTF-8");
            (name, stage, text)
        })
        .collect()
}

fn is_comment(line: &str) -> bool {
    line.trim_start().starts_with("//")
}

/// The stages named in `use crate::x`, `use crate::{x, y}` and plain `crate::x` paths.
fn imports(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines().filter(|line| !is_comment(line)) {
        for part in line.split("crate::").skip(1) {
            let names = part.strip_prefix('{').map_or(part, |inner| inner.split('}').next().unwrap_or(inner));
            let list = if part.starts_with('{') { names.split(',').collect() } else { vec![names] };
            for name in list {
                let head: String = name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                found.push(head);
            }
        }
    }
    found
}

#[test]
fn arrows_point_one_way() {
    let table: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (name, stage, text) in files() {
        if stage == "lib" {
            continue;
        }
        let Some(allowed) = table.get(stage.as_str()) else {
            wrong.push(format!("{name}: stage `{stage}` is not in the layer table"));
            continue;
        };
        for import in imports(&text) {
            if import != stage && table.contains_key(import.as_str()) && !allowed.contains(&import.as_str()) {
                wrong.push(format!("{name} imports `{import}`: pass the value through `model`"));
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Every name in the tables stands for something: what was moved must not drop out of its rule unseen.
#[test]
fn the_tables_name_what_is_there() {
    let stages = LAYERS.iter().map(|(stage, _)| stage).chain(PURE).map(|stage| format!("src/{stage}"));
    let there = |name: &str| root().join(name).exists() || root().join(format!("{name}.rs")).exists();
    let places = PURE_PLACES.iter().map(|place| (*place).to_owned());
    let missing: Vec<_> = stages.chain(places).filter(|name| !there(name)).collect();
    assert!(missing.is_empty(), "named in this file, but not there: {missing:?}");
}

/// Whether `name` is one of [`PURE_PLACES`] or lies below one.
fn is_pure_place(name: &str) -> bool {
    PURE_PLACES
        .iter()
        .any(|place| name.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// Files that exist for tests only: `#[cfg(test)] mod name;` in the file above them.
fn test_files(all: &[(String, String, String)]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, _, text) in all {
        let folder = name
            .strip_suffix("mod.rs")
            .map_or_else(|| format!("{}/", name.trim_end_matches(".rs")), std::borrow::ToOwned::to_owned);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "#[cfg(test)]") {
            if let Some(module) = pair[1].strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')) {
                found.insert(format!("{folder}{module}"));
            }
        }
    }
    found
}

#[test]
fn pure_stages_do_not_touch_the_outside() {
    let mut wrong = Vec::new();
    let all = files();
    let tests = test_files(&all);
    let for_tests = |name: &str| {
        tests.iter().any(|module| name.strip_prefix(module.as_str()).is_some_and(|rest| rest.starts_with(['/', '.'])))
    };
    for (name, stage, text) in &all {
        if !(PURE.contains(&stage.as_str()) || is_pure_place(name)) || for_tests(name) {
            continue;
        }
        // Tests stand at the end of a file; a test module that is a file of its own is declared among the others.
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or(text);
        for (n, line) in code.lines().enumerate().filter(|(_, line)| !is_comment(line)) {
            for (word, advice) in IMPURE {
                if line.contains(word) {
                    wrong.push(format!("{name}:{}: `{word}`: {advice}", n + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_file_opens_with_what_it_owns() {
    let missing: Vec<_> =
        files().into_iter().filter(|(_, _, text)| !text.starts_with("//! ")).map(|(name, ..)| name).collect();
    assert!(missing.is_empty(), "no `//!` header: {missing:?}");
}

#[test]
fn files_and_functions_stay_readable() {
    let mut wrong = Vec::new();
    for (name, _, text) in files() {
        let lines = text.lines().count();
        if lines > LINES_PER_FILE_MAX {
            wrong.push(format!("{name}: {lines} lines, at most {LINES_PER_FILE_MAX}"));
        }
        wrong.extend(long_functions(&name, &text));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Functions longer than the limit. rustfmt puts a function's closing brace under its first line's indentation.
fn long_functions(name: &str, text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let head = line.trim_start();
        let is_function =
            ["fn ", "pub fn ", "pub(crate) fn ", "pub(super) fn ", "async fn ", "pub async fn ", "const fn "]
                .iter()
                .any(|word| head.starts_with(word));
        if !is_function || is_comment(line) || head.ends_with(';') {
            continue;
        }
        let indent = &line[..line.len() - head.len()];
        let close = format!("{indent}}}");
        let Some(length) = lines[start..].iter().position(|line| *line == close) else { continue };
        if length + 1 > LINES_PER_FUNCTION_MAX {
            found.push(format!(
                "{name}:{}: function of {} lines, at most {LINES_PER_FUNCTION_MAX}",
                start + 1,
                length + 1
            ));
        }
    }
    found
}

#[test]
fn the_project_names_no_machine() {
    // A path or a private address of whoever built it has no place in a product.
    let mut paths = Vec::new();
    for dir in ["src", "tests", "benches"] {
        if root().join(dir).is_dir() {
            sources(&root().join(dir), &mut paths);
        }
    }
    let needles = [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    let mut wrong = Vec::new();
    for path in paths {
        let text = fs::read_to_string(&path).expect("sources are UTF-8");
        for (n, line) in text.lines().enumerate() {
            if needles.iter().any(|needle| line.contains(needle)) {
                wrong.push(format!("{}:{}: {line}", path.display(), n + 1));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
