//! Lint: each check of the table finds something in its bad example, exactly where that says, and nothing in its good
//! one; both are judged inside the shipped configuration, by whatever else there is to find.

#![allow(clippy::unwrap_used, reason = "helpers of tests may fail like tests")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bongsu::config::{self, Ask, CHECKS, Level, Loaded, Traffic};

/// 2026-03-01 09:00 in Korea.
const NOW: i64 = 1_772_323_200_000;
/// Where the rules of an example go.
const RULES: &str = "rules/case.yaml";

/// The files of an example: what stands before the first `# file: NAME` is the rule file.
fn parts(text: &str) -> Vec<(String, String)> {
    let mut files = vec![(RULES.to_owned(), String::new())];
    for line in text.lines() {
        match line.strip_prefix("# file: ") {
            Some(name) => files.push((name.to_owned(), String::new())),
            None => {
                let body = &mut files.last_mut().unwrap().1;
                body.push_str(line.split("  #!").next().unwrap());
                body.push('\n');
            }
        }
    }
    files.retain(|(_, body)| !body.trim().is_empty());
    files
}

/// `#! piece` at the end of a line: (file, line, column of the piece).
fn marks(text: &str) -> Vec<(String, usize, usize)> {
    let (mut file, mut n, mut found) = (RULES.to_owned(), 0, Vec::new());
    for line in text.lines() {
        n += 1;
        if let Some(name) = line.strip_prefix("# file: ") {
            (file, n) = (name.to_owned(), 0);
        } else if let Some((line, piece)) = line.split_once("#! ") {
            let at = line.find(piece).unwrap_or_else(|| panic!("`{line}` has no `{piece}`"));
            found.push((file.clone(), n, line[..at].chars().count() + 1));
        }
    }
    found
}

/// Loads an example in a folder with the shipped people, inventory, calendar and settings.
fn load(folder: &Path, text: &str) -> Loaded {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("configs");
    std::fs::create_dir_all(folder.join("rules")).unwrap();
    for name in ["bongsu.yaml", "contacts.yaml", "chains.yaml", "inventory.yaml", "calendar.yaml"] {
        std::fs::copy(shipped.join(name), folder.join(name)).unwrap();
    }
    for (name, body) in parts(text) {
        std::fs::write(folder.join(name), body).unwrap();
    }
    let ask = Ask { env: &[], now: NOW, whole: true };
    let loaded = config::load(&[folder.to_owned()], &ask);
    let sample = folder.join("sample.ndjson");
    if !sample.exists() {
        return loaded;
    }
    let traffic = Traffic::read(&sample, &loaded.inventory).unwrap();
    config::load_against(&[folder.to_owned()], &ask, &traffic)
}

fn shown(loaded: &Loaded) -> String {
    loaded.problems.iter().map(|problem| problem.to_human(loaded.text(problem))).collect()
}

#[test]
fn each_check_finds_its_bad_example_and_not_its_good_one() {
    assert!(CHECKS.len() >= 30, "{}", CHECKS.len());
    let mut wrong = Vec::new();
    for check in CHECKS {
        let folder = tempfile::tempdir().unwrap();
        let bad = load(folder.path(), check.bad);
        let place = |file: &str| Path::new(file).strip_prefix(folder.path()).unwrap().display().to_string();
        let found: Vec<_> = bad.problems.iter().filter(|problem| problem.id == check.id).collect();
        let mut places: Vec<_> = found.iter().map(|p| (place(&p.file), p.line, p.col)).collect();
        places.dedup();
        if found.is_empty() || found.iter().any(|problem| problem.level != check.level) {
            wrong.push(format!("{}: not found in its bad example\n{}", check.id, shown(&bad)));
        } else if !marks(check.bad).is_empty() && places != marks(check.bad) {
            wrong.push(format!("{}: found at {places:?}, marked at {:?}", check.id, marks(check.bad)));
        }
        let others = bad.problems.iter().filter(|problem| problem.id != check.id && problem.level != Level::Note);
        // A comment that is none leaves what it was for.
        let others: Vec<_> = others.filter(|_| check.id != "allow-no-reason").map(|problem| problem.id).collect();
        if !others.is_empty() {
            wrong.push(format!("{}: its bad example has {others:?} too\n{}", check.id, shown(&bad)));
        }
        let folder = tempfile::tempdir().unwrap();
        let good = load(folder.path(), check.good);
        if good.problems.iter().any(|problem| problem.id == check.id || problem.level != Level::Note) {
            wrong.push(format!("{}: found in its good example\n{}", check.id, shown(&good)));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn marks_are_given_for_every_check_that_points_at_a_line_of_its_example() {
    // A mark inside a comment that silences would change the comment.
    let bare: Vec<_> = CHECKS.iter().filter(|check| marks(check.bad).is_empty()).map(|check| check.id).collect();
    assert_eq!(bare, ["allow-no-reason", "allow-unknown", "allow-unused"]);
}

#[test]
fn every_case_belongs_to_a_check() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/config/lint/cases");
    let folders: BTreeSet<String> =
        std::fs::read_dir(cases).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let ids: BTreeSet<String> = CHECKS.iter().map(|check| check.id.to_owned()).collect();
    assert_eq!(folders, ids);
}

#[test]
fn every_explanation_shows_what_why_and_both_examples() {
    for check in CHECKS {
        let text = config::explain(check.id).unwrap();
        for piece in [check.what, check.why, check.repair, "Found in:", "Not found in:"] {
            assert!(text.contains(piece), "{}: {piece}", check.id);
        }
        assert!(!text.contains("#!"), "{}: marks are for tests", check.id);
    }
}

#[test]
fn a_finding_that_is_an_error_refuses_its_rule_unless_it_is_silenced() {
    let folder = tempfile::tempdir().unwrap();
    let bad = CHECKS.iter().find(|check| check.id == "never-bad").unwrap().bad;
    let refused = load(folder.path(), bad);
    assert_eq!((refused.rules.rules.len(), refused.refused, refused.errors()), (0, 1, 1));
    let allowed = bad.replace("rules:", "rules: # bongsu: allow-file never-bad — 시험");
    let calm = load(folder.path(), &allowed);
    assert_eq!((calm.rules.rules.len(), calm.refused, calm.errors(), calm.silenced.len()), (1, 0, 0, 1));
    assert_eq!(calm.silenced[0].silenced.as_deref(), Some("시험"));
    assert!(calm.silenced[0].to_json().contains(r#""silenced":"시험""#));
}

/// The printed form, Korean before the mistakes: the caret must stand under the mistake on a terminal.
#[test]
fn ten_mistakes_are_printed_as_the_golden_file_has_them() {
    let folder = PathBuf::from("tests/configs-bad");
    let loaded = config::load(&[folder.join("rules.yaml")], &Ask { env: &[], now: NOW, whole: false });
    assert_eq!(loaded.problems.len(), 10);
    let golden = folder.join("rules.golden");
    let text = shown(&loaded);
    // UPDATE_EXPECT=1 writes it; the environment is the test's, not the engine's.
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&golden).unwrap_or_default());
    let source = std::fs::read_to_string(folder.join("rules.yaml")).unwrap();
    for problem in &loaded.problems {
        let printed = problem.to_human(Some(&source));
        let lines: Vec<&str> = printed.lines().collect();
        let line = source.lines().nth(problem.line - 1).unwrap();
        // A long line is shown from its middle on; the rest of it behind the mistake tells where.
        let rest: String = line.chars().skip(problem.col - 1).collect();
        let (_, shown) = lines[1].split_once(" | ").unwrap();
        let (_, caret) = lines[2].split_once(" | ").unwrap();
        let at = (0..shown.len()).filter(|at| shown.is_char_boundary(*at)).find(|at| rest.starts_with(&shown[*at..]));
        assert_eq!(cells(&shown[..at.unwrap()]), caret.find('^').unwrap(), "{printed}");
    }
}

/// How many cells of a terminal a text takes: Hangul is two wide.
fn cells(text: &str) -> usize {
    text.chars().map(|c| if ('\u{1100}'..='\u{d7a3}').contains(&c) { 2 } else { 1 }).sum()
}
