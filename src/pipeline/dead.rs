//! Dead letters: every refused record or part of one, with its reason, source and place.
//!
//! The idea: a letter says where the record lies and what was wrong with it, never the record again: who wants that
//! reads it there. So a letter is short whatever came in. Muted records had theirs when they were first read.

use crate::log::NewRecord;
use crate::pipeline::stages::{At, Fed};

/// A host's name in a letter, in bytes: as long as a host's name may be.
const SOURCE_BYTES_MAX: usize = 255;
/// Longest place and detail, in bytes: together with all else a letter stays under 2 KiB.
const TEXT_BYTES_MAX: usize = 400;

/// Adds one dead letter for each part of the record that was refused.
pub(super) fn collect(topic: &str, fed: &Fed<'_>, at: At, into: &mut Vec<NewRecord>) {
    let Some(decoded) = fed.decoded.filter(|decoded| !fed.muted && !decoded.rejects.is_empty()) else { return };
    let source = cut(&decoded.host, SOURCE_BYTES_MAX);
    for reject in &decoded.rejects {
        let letter = serde_json::json!({
            "v": 1,
            "reason": reject.reason.code(),
            "source": source,
            "place": cut(&reject.place, TEXT_BYTES_MAX),
            "detail": cut(&reject.detail, TEXT_BYTES_MAX),
            "log": { "topic": topic, "partition": at.partition, "offset": at.offset, "at": at.append },
        });
        let key = source.as_bytes().to_vec();
        into.push(NewRecord { partition: None, key, value: letter.to_string().into_bytes() });
    }
}

/// The beginning of `text`, at most `bytes` long.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!((cut("봉수대", 4), cut("봉수대", 9), cut("", 4)), ("봉", "봉수대", ""));
    }
}
