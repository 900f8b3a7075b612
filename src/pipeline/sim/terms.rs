//! What the oracle must know of a configuration: how soon its chain speaks, and what mutes.

use crate::model::{Chain, Inventory, Matcher, Muting, People, Test};
use crate::page::PAGES_AN_HOUR;
use crate::time::Ms;

/// Pages a person and hour that no world reaches.
const MANY: usize = 5_000;

/// The terms.
#[derive(Debug, Clone)]
pub(in crate::pipeline) struct Terms {
    /// Nobody's pages are capped below S1.
    pub(super) is_roomy: bool,
    /// Whom a chain tells hangs on nothing but its steps.
    pub(super) is_plain: bool,
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
            is_plain: people.chains.iter().all(is_plain),
            is_roomy: people.pages_an_hour.unwrap_or(PAGES_AN_HOUR) >= MANY,
            word_within,
            last_within: sums.max().unwrap_or(0) + word_within,
            last: i64::try_from(last).unwrap_or(i64::MAX),
            muting: muting.clone(),
            inventory: inventory.clone(),
        }
    }

    /// These, where others held before: what was begun under them goes on at their pace.
    pub(super) fn after(self, before: &Self) -> Self {
        Self {
            is_roomy: self.is_roomy && before.is_roomy,
            is_plain: self.is_plain && before.is_plain,
            word_within: self.word_within.max(before.word_within),
            last_within: self.last_within.max(before.last_within),
            last: self.last.max(before.last),
            ..self
        }
    }

    /// Whether what mutes can be said without a calendar and without patterns.
    pub(super) fn mutes_plainly(&self) -> bool {
        let mut windows = self.muting.windows.iter();
        let is = |matchers: &[Matcher]| matchers.iter().all(|matcher| matcher.test == Test::Is);
        windows.all(|window| window.times.is_empty() && is(&window.matchers))
            && self.muting.inhibit.iter().all(|rule| is(&rule.source) && is(&rule.target))
    }
}

/// Whether a chain is the same at every hour, and tells of S1 to S3 at once.
fn is_plain(chain: &Chain) -> bool {
    let [first, second, third, _] = &chain.severities;
    chain.when.is_none()
        && chain.matchers.is_empty()
        && chain.steps.iter().all(|step| step.when.is_none())
        && [first, second, third].iter().all(|plan| !plan.digest && !plan.digest_off_hours)
        && first.upto.is_none()
        && second.upto.is_none()
}
