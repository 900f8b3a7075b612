//! A log that is not the one that was read: made anew, cut at its end, or grown past what was read of it.
//!
//! The idea: such a log is read on from where it can be, and somebody is told; it is never skipped silently. Pure; the
//! incident about it is the evaluator's.

use crate::log::Bounds;
use crate::model::Progress;

/// Moves `resume` to where the log with `bounds` and the identity `topic_id` can be read on after `stored`. Says what
/// happened, where it did not just grow.
pub(super) fn mend(stored: &Progress, resume: &mut Progress, bounds: Bounds, topic_id: &str) -> Option<String> {
    if stored.topic_id != topic_id {
        resume.offset = bounds.low;
        return Some("the topic was made anew; reading from its first record".to_owned());
    }
    if stored.offset > bounds.high {
        resume.offset = bounds.high;
        return Some(format!("the log ends at {} below the committed {}", bounds.high, stored.offset));
    }
    if stored.offset < bounds.low {
        resume.offset = bounds.low;
        return Some(format!("records {} to {} were gone before they were read", stored.offset, bounds.low));
    }
    None
}
