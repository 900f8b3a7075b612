//! Whether the chains reach a person at every hour, noted where the chain stands.
//!
//! The idea: `reach` finds the gaps; here each becomes a problem with its place in the chains file.

use super::{FileKind, Load};
use crate::config::loaded::told_of;
use crate::config::problem::Mark;
use crate::config::reach::{AHEAD, Gap, gaps};
use crate::config::tree::Node;
use crate::model::{Inventory, People};

impl Load<'_> {
    /// Asked last, and only where contacts and chains are right: else every mistake in them would show twice.
    pub(super) fn reach(&mut self, people: &People, inventory: &Inventory) {
        if !self.sound(FileKind::Contacts) || !self.sound(FileKind::Chains) {
            return;
        }
        let found = gaps(people, inventory, self.ask.now, self.ask.now + AHEAD);
        let Some(source) = self.sources.iter_mut().find(|source| source.kind == FileKind::Chains) else { return };
        let root = source.root.clone();
        let place = |gap: &Gap| {
            let chains = root.iter().flat_map(|root| root.get("chains").map_or(&[][..], Node::items));
            let id = chains.filter_map(|chain| chain.get("id")).find(|id| id.as_text() == Some(gap.chain.as_str()));
            id.map_or(Mark::new(1, 1, 0), |id| id.at)
        };
        let whom = "look at `valid:` and `domains:` of the contacts, at rotas, and at `upto:` and `when:` of the chain";
        for gap in &found.nobody {
            let message = format!("`{}` tells nobody with a number of {}", gap.chain, told_of(gap));
            source.notes.error("unreachable", place(gap), message, whom);
        }
        for gap in &found.first_step {
            let message = format!("the first step of `{}` tells nobody with a number of {}", gap.chain, told_of(gap));
            source.notes.warning("tier-gap", place(gap), message, whom);
        }
    }
}
