//! Every shipped rule has a scenario, and every shipped scenario holds.

use std::collections::BTreeSet;
use std::path::PathBuf;

use bongsu::config::{self, Ask, What};
use bongsu::pipeline::scenario;

#[test]
fn shipped_scenarios_hold_and_cover_every_rule() {
    let ask = Ask { env: &[], now: crate::site::now(), whole: true };
    let loaded = config::load(&[PathBuf::from("configs/bongsu.yaml")], &ask);
    assert_eq!(loaded.errors(), 0, "{:?}", loaded.problems);
    let mut told = Vec::new();
    let mut covered = BTreeSet::new();
    for scenario in &loaded.scenarios {
        for failure in scenario::run(scenario, &loaded) {
            told.push(format!("{}:{}: {}: {}", scenario.file, failure.line, scenario.name, failure.what));
        }
        covered.extend(scenario.expect.iter().filter_map(|expect| match &expect.what {
            What::Signal { which, .. } => Some(which.rule.clone()),
            _ => None,
        }));
    }
    assert!(told.is_empty(), "\n{}", told.join("\n"));
    let bare: Vec<_> = loaded.rules.rules.iter().filter(|rule| !covered.contains(rule.id.as_ref())).collect();
    assert!(bare.is_empty(), "rules without a scenario: {bare:?}");
}
