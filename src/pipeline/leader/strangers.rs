//! Whoever acts under a name that no contact has: what they ask for is done, and the answer says so.
//!
//! The idea: at 3 a.m. an ack must not fail because of a typing mistake in a name, and a chain must not go on waking people
//! because of one. So no name is a reason to refuse: it stands in the ledger as it was written, and the answer says that
//! nobody is called so and who may have been meant. A silence's owner is no exception: what a silence may hide is limited
//! by its end and its second approver, who must be a contact.
//!
//! Not here: approvals and hand-overs to somebody, which need a person who can be reached, and are refused elsewhere.

use super::Leader;
use crate::config::did_you_mean;
use crate::model::{Input, NAMELESS};

/// Who asks for it, where it is a person.
fn author(input: &Input) -> Option<&str> {
    let by = match input {
        Input::Ack { by, .. }
        | Input::AckCode { by, .. }
        | Input::Handover { by, .. }
        | Input::Unack { by, .. }
        | Input::Resolve { by, .. }
        | Input::Reopen { by, .. }
        | Input::Expire { by, .. } => by,
        Input::Silence(ask) => &ask.by,
        Input::Drill(ask) => &ask.by,
        _ => return None,
    };
    Some(by.as_str()).filter(|by| !NAMELESS.contains(by))
}

impl Leader {
    /// The sentence about a name that no contact has.
    pub(super) fn stranger(&self, input: &Input) -> Option<String> {
        let by = author(input)?;
        let ids: Vec<&str> = self.world.people.contacts.iter().map(|contact| contact.id.as_str()).collect();
        if ids.contains(&by) {
            return None;
        }
        let meant = did_you_mean(by, &ids).map_or_else(String::new, |id| format!("(혹시 `{id}`?)"));
        Some(format!("`{by}` 비상연락망에 없는 이름입니다{meant}. 적은 그대로 기록했습니다."))
    }
}
