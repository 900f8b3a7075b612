//! The named scenarios of `tests/scenarios`: each file alone, as `bongsu test FILE` reads it, and each scenario holds.

use std::path::PathBuf;

use bongsu::config::{self, Ask, Loaded};
use bongsu::pipeline::scenario;

/// Every scenario file of a folder, by name.
fn files(folder: &str) -> Vec<PathBuf> {
    let found = std::fs::read_dir(folder).expect("the folder is in the repository");
    let mut files: Vec<PathBuf> = found.map(|entry| entry.expect("readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    files
}

fn load(file: &PathBuf) -> Loaded {
    let ask = Ask { env: &[], now: crate::site::now(), whole: false };
    let loaded = config::load(std::slice::from_ref(file), &ask);
    assert_eq!(loaded.errors(), 0, "{}: {:?}", file.display(), loaded.problems);
    assert!(!loaded.scenarios.is_empty(), "{} holds no scenario", file.display());
    loaded
}

fn hold(folder: &str) {
    let mut told = Vec::new();
    for file in files(folder) {
        let loaded = load(&file);
        for scenario in &loaded.scenarios {
            for failure in scenario::run(scenario, &loaded) {
                told.push(format!("{}:{}: {}: {}", scenario.file, failure.line, scenario.name, failure.what));
            }
        }
    }
    assert!(told.is_empty(), "\n{}", told.join("\n"));
}

#[test]
fn troubles_of_the_field_are_no_troubles_here() {
    hold("tests/scenarios/25");
}

#[test]
fn absence_is_told_as_what_it_is() {
    hold("tests/scenarios/absence");
}

#[test]
fn reloads_behave_as_written() {
    hold("tests/scenarios/reload");
}

#[test]
fn what_speaks_for_others_and_what_does_not() {
    hold("tests/scenarios/group");
}

#[test]
fn a_drill_goes_the_whole_way_and_touches_nothing_real() {
    hold("tests/scenarios/drill");
}

#[test]
fn who_is_told_when_is_the_chains_matter() {
    hold("tests/scenarios/chain");
}

#[test]
fn scenarios_may_be_written_in_many_ways() {
    hold("tests/scenarios/language");
}
