//! A simulated world as a scenario file: it reads, it holds where the world holds, and it fails where the world fails.

use bongsu::pipeline::scenario::Over;
use bongsu::pipeline::sim::{self, Broken, Plan, act_out, shrink_told, tell};

use crate::planted::{Fault, over};
use crate::site::bongsu;

/// Worlds within which a fault must be found.
const WORLDS: u64 = 500;
/// Runs spent on making one shorter.
const RUNS: usize = 60;

/// The first world that notices a fault, as short as it becomes.
fn broken(fault: Fault) -> Broken {
    let run = |seed: u64| sim::run_over(&Plan::of(seed), over(fault).way).err();
    let whole = *(0..WORLDS).find_map(run).expect("the fault is found");
    let before = whole.plan.inputs();
    let small = shrink_told(whole, RUNS, || over(fault));
    assert!(small.plan.inputs() * 2 < before, "{fault:?}: {} of {before} inputs are left", small.plan.inputs());
    small
}

#[test]
fn a_sound_world_is_a_sound_scenario() {
    for seed in 0..12 {
        let failures = act_out(&tell(&Plan::of(seed)), Over::default());
        assert_eq!(failures, Ok(Vec::new()), "seed {seed}");
    }
}

#[test]
fn a_broken_world_is_a_scenario_that_fails_over_the_same_fault_and_passes_without_it() {
    for fault in [Fault::AckForgotten, Fault::ExpireForgotten, Fault::PageLost, Fault::SignalLost, Fault::AckLost] {
        let small = broken(fault);
        let file = small.to_string();
        assert_eq!(small.is_told, Some(true), "{fault:?}: {file}");
        let failures = act_out(&file, over(fault)).expect("the file reads");
        assert!(!failures.is_empty(), "{fault:?}: {file}");
        assert_eq!(act_out(&file, Over::default()), Ok(Vec::new()), "{fault:?}: {file}");
    }
}

#[test]
fn such_a_file_is_one_for_the_command_line() {
    let file = broken(Fault::AckForgotten).to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("seed.yaml");
    std::fs::write(&path, &file).unwrap();
    let run = bongsu(&["test", &path.display().to_string()]);
    assert_eq!(run.status.code(), Some(0), "{file}\n{}", String::from_utf8_lossy(&run.stdout));
}
