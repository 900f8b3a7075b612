//! Which tests a path stands for, and the configuration around them.
//!
//! The idea: each path is loaded as `check` would load it; tests that a configuration does not name (a folder of unit
//! tests beside it) are found by walking. Scenario files that bring rules along are strangers to each other: each may call
//! its rule what it likes. Nothing is run here.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::cli::run::load_all;
use crate::config::{self, Level, Loaded, UnitFile};
use crate::time::{Clock, SystemClock};

/// Folders inside each other that are searched: a link that leads back must end somewhere.
const DEPTH_MAX: usize = 8;

/// What was found.
pub(super) struct Found {
    /// Rule and scenario files, path by path; contacts and inventory filled in.
    pub sets: Vec<Loaded>,
    /// promtool's files, with their rule files.
    pub units: Vec<Unit>,
    /// promqltest scripts: name and text.
    pub scripts: Vec<(String, String)>,
}

/// One of promtool's files.
pub(super) struct Unit {
    /// The tests.
    pub file: UnitFile,
    /// The rule files that it names, as far as they could be read.
    pub rules: Loaded,
}

impl Found {
    /// Whether there is a file of tests, even an empty one.
    pub(super) fn has_tests(&self) -> bool {
        !self.units.is_empty() || !self.scripts.is_empty() || self.sets.iter().any(|set| !set.scenarios.is_empty())
    }
}

/// Everything below `paths`; `config` is the configuration for what files do not bring along.
pub(super) fn below(paths: &[PathBuf], config: Option<&Path>) -> anyhow::Result<Found> {
    let mut found = Found { sets: Vec::new(), units: Vec::new(), scripts: Vec::new() };
    for path in paths {
        anyhow::ensure!(path.exists(), "`{}` is not there\n  help: name a folder or a file of tests", path.display());
        if path.is_dir() {
            folder(path, config, &mut found)?;
        } else if is_script(path) {
            found.scripts.push(script(path)?);
        } else {
            let loaded = load_all(std::slice::from_ref(path), false);
            found.add(loaded, path, config)?;
        }
    }
    Ok(found)
}

fn folder(path: &Path, config: Option<&Path>, found: &mut Found) -> anyhow::Result<()> {
    let mut all = Vec::new();
    walk(path, 0, &mut all)?;
    all.sort();
    for file in all.iter().filter(|file| is_script(file)) {
        found.scripts.push(script(file)?);
    }
    let mut loaded = load_all(&[path.to_owned()], false);
    let known: Vec<PathBuf> = loaded.files.iter().map(|file| file.path.clone()).collect();
    let apart = if path.join("bongsu.yaml").is_file() { BTreeSet::new() } else { strangers(&loaded) };
    if !apart.is_empty() {
        let rest: Vec<PathBuf> = known.iter().filter(|file| !apart.contains(*file)).cloned().collect();
        loaded = load_all(&rest, false);
        for file in &apart {
            let mut alone = load_all(std::slice::from_ref(file), false);
            lean(&mut alone, &loaded);
            found.add(alone, file, config)?;
        }
    }
    found.add(loaded, path, config)?;
    // Beside a configuration there may be tests that it does not name.
    for file in all.iter().filter(|file| is_yaml(file) && !known.contains(file)) {
        let beside = load_all(std::slice::from_ref(file), false);
        if !beside.unit_files.is_empty() {
            found.add(beside, file, config)?;
        }
    }
    Ok(())
}

/// The scenario files with rules of their own, where two files have a rule of one name.
fn strangers(loaded: &Loaded) -> BTreeSet<PathBuf> {
    let twice = |problem: &config::Problem| problem.id == "duplicate-id" && problem.rule.is_some();
    if !loaded.problems.iter().any(twice) {
        return BTreeSet::new();
    }
    let own = loaded.scenarios.iter().filter(|scenario| scenario.own.rules.is_some());
    own.map(|scenario| PathBuf::from(&scenario.file)).collect()
}

/// Has `alone` take from the files beside it the people, resources and calendar that it does not bring along.
fn lean(alone: &mut Loaded, beside: &Loaded) {
    if !beside.people.contacts.is_empty() {
        alone.people.clone_from(&beside.people);
        alone.calendar.clone_from(&beside.calendar);
        alone.muting.clone_from(&beside.muting);
    }
    if !beside.inventory.resources.is_empty() {
        alone.inventory.clone_from(&beside.inventory);
    }
}

impl Found {
    fn add(&mut self, mut loaded: Loaded, path: &Path, config: Option<&Path>) -> anyhow::Result<()> {
        for file in std::mem::take(&mut loaded.unit_files) {
            let rules = load_all(&file.rule_files, false);
            self.units.push(Unit { file, rules });
        }
        if loaded.people.contacts.is_empty() && !loaded.scenarios.is_empty() {
            let around = around(path, config)?;
            if loaded.rules.rules.is_empty() && loaded.refused == 0 {
                loaded.rules = around.rules;
            }
            loaded.people = around.people;
            loaded.settings = around.settings;
            loaded.calendar = around.calendar;
            loaded.muting = around.muting;
            if loaded.inventory.resources.is_empty() {
                loaded.inventory = around.inventory;
            }
        }
        self.sets.push(loaded);
        Ok(())
    }
}

/// The configuration around a file: the one that was named, else that of a folder above, else the shipped people.
fn around(path: &Path, config: Option<&Path>) -> anyhow::Result<Loaded> {
    let named = config.map(Path::to_owned);
    let start = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let above = || start.ancestors().skip(1).map(|folder| folder.join("bongsu.yaml")).find(|file| file.is_file());
    let Some(file) = named.or_else(above) else { return Ok(config::shipped(SystemClock.wall())) };
    anyhow::ensure!(file.is_file(), "configuration `{}` is not there", file.display());
    Ok(load_all(&[file], false))
}

fn ends_in(path: &Path, endings: &[&str]) -> bool {
    path.extension().is_some_and(|ending| endings.iter().any(|known| ending == *known))
}

fn is_script(path: &Path) -> bool {
    ends_in(path, &["test"])
}

fn is_yaml(path: &Path) -> bool {
    ends_in(path, &["yaml", "yml"])
}

fn script(path: &Path) -> anyhow::Result<(String, String)> {
    let text =
        std::fs::read_to_string(path).map_err(|why| anyhow::anyhow!("`{}` cannot be read: {why}", path.display()))?;
    Ok((path.display().to_string(), text))
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let entries = std::fs::read_dir(folder)
        .map_err(|why| anyhow::anyhow!("folder `{}` cannot be read: {why}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        if path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.')) {
            continue;
        }
        if !path.is_dir() {
            found.push(path);
        } else if depth < DEPTH_MAX {
            walk(&path, depth + 1, found)?;
        }
    }
    Ok(())
}

impl Found {
    /// The errors of `set` in files that hold native rules and scenarios: Prometheus's files judge themselves where a
    /// test names them.
    pub(super) fn broken<'s>(&'s self, set: &'s Loaded) -> impl Iterator<Item = &'s config::Problem> {
        let foreign = |file: &str| {
            set.rule_files.iter().any(|rules| rules.file == file)
                || self.units.iter().any(|unit| unit.file.file == file)
        };
        set.problems.iter().filter(move |problem| problem.level == Level::Error && !foreign(&problem.file))
    }
}
