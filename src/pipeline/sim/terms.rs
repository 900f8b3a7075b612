//! What the oracle must know of a configuration: how soon its chain speaks, and what mutes.

use crate::model::{Inventory, Muting, People};
use crate::page::PAGES_AN_HOUR;
use crate::time::Ms;

/// Pages a person and hour that no world reaches.
const MANY: usize = 5_000;

/// The terms.
#[derive(Debug)]
pub(in crate::pipeline) struct Terms {
    /// Nobody's pages are capped below S1.
    pub(super) is_roomy: bool,
    /// The longest that a chain waits before it speaks again.
    pub(super) word_within: Ms,
    /// The last group of a chain that nothing disturbs is told so soon.
    pub(super) last_within: Ms,
    /// The place of the last group of the longest chain.
    pub(super) last: i64,
    pub(super) muting: Muting,
    pub(super) inventory: Inventory,
}

impl Terms {
    /// Reads them off a configuration.
    pub(in crate::pipeline) fn of(people: &People, muting: &Muting, inventory: &Inventory) -> Self {
        let waits = people.chains.iter().flat_map(|chain| chain.steps.iter().map(|step| step.wait));
        let repeats = people.chains.iter().map(|chain| chain.last.repeat);
        let word_within = waits.chain(repeats).max().unwrap_or(0);
        let sums = people.chains.iter().map(|chain| chain.steps.iter().map(|step| step.wait).sum::<Ms>());
        let last = people.chains.iter().map(|chain| chain.steps.len()).max().unwrap_or(0);
        Self {
            is_roomy: people.pages_an_hour.unwrap_or(PAGES_AN_HOUR) >= MANY,
            word_within,
            last_within: sums.max().unwrap_or(0) + word_within,
            last: i64::try_from(last).unwrap_or(i64::MAX),
            muting: muting.clone(),
            inventory: inventory.clone(),
        }
    }
}
