//! Dead letters: every refused record or part of one, with its reason, source and place.

use crate::log::NewRecord;
use crate::pipeline::stages::{At, Fed};

/// Adds one dead letter for each part of the record that was refused; muted records had theirs before.
pub(super) fn collect(fed: &Fed<'_>, at: At, into: &mut Vec<NewRecord>) {
    let Some(decoded) = fed.decoded.filter(|decoded| !fed.muted && !decoded.rejects.is_empty()) else { return };
    for reject in &decoded.rejects {
        let letter = serde_json::json!({
            "v": 1,
            "reason": reject.reason.code(),
            "source": decoded.host.as_ref(),
            "place": reject.place,
            "detail": reject.detail,
            "log": { "partition": at.partition, "offset": at.offset, "at": at.append },
        });
        into.push(NewRecord {
            partition: None,
            key: decoded.host.as_bytes().to_vec(),
            value: letter.to_string().into_bytes(),
        });
    }
}
