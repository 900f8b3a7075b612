//! Planted faults under simulated worlds, which must notice. A check that finds none of them is no check.

use std::collections::BTreeSet;

use bongsu::pipeline::sim::{self, Plan};

use crate::planted::{Fault, over};

/// Worlds within which a fault must be found.
const WORLDS: u64 = 500;

#[test]
fn each_planted_fault_is_found() {
    let mut missed = BTreeSet::new();
    for fault in Fault::ALL {
        let find = |seed: u64| sim::run_over(&Plan::of(seed), over(fault).way).err().map(|it| (seed, it));
        match (0..WORLDS).find_map(find) {
            Some((seed, broken)) => println!("{fault:?}: world {seed}: {}", broken.what),
            None => drop(missed.insert(format!("{fault:?}"))),
        }
    }
    assert!(missed.is_empty(), "not found within {WORLDS} worlds: {missed:?}");
}
