//! The JSON of an incident's service-level clocks.

use serde_json::Value;

use super::fields::{Reader, Writer};
use crate::model::{SlaClock, SlaClocks};

/// The clocks as a field of their incident.
pub(super) fn to_json(clocks: &SlaClocks) -> Value {
    let words: Vec<Value> = clocks.missed.iter().map(|clock| clock.word().into()).collect();
    Writer::new("terms", clocks.terms.as_str())
        .maybe("service", clocks.service.as_deref())
        .put("from", clocks.from)
        .maybe("ack_within", clocks.ack_within)
        .maybe("ack_by", clocks.ack_by)
        .maybe("ack_left", clocks.ack_left)
        .maybe("acked", clocks.acked)
        .maybe("recover_by", clocks.recover_by)
        .maybe("down_since", clocks.down_since)
        .put("warns", clocks.warns)
        .put("warned", clocks.warned)
        .maybe("tight", clocks.tight.map(|(clock, _)| clock.word()))
        .maybe("tight_by", clocks.tight.map(|(_, by)| by))
        .put("missed", words)
        .done()
}

/// Reads what [`to_json`] wrote.
pub(super) fn from_json(reader: Reader<'_>) -> Option<SlaClocks> {
    let tight = match reader.maybe_word("tight", SlaClock::parse)? {
        Some(clock) => Some((clock, reader.int("tight_by")?)),
        None => None,
    };
    Some(SlaClocks {
        terms: reader.string("terms")?,
        service: reader.maybe("service", Reader::string)?,
        from: reader.int("from")?,
        ack_within: reader.maybe_int("ack_within")?,
        ack_by: reader.maybe_int("ack_by")?,
        ack_left: reader.maybe_int("ack_left")?,
        acked: reader.maybe_int("acked")?,
        recover_by: reader.maybe_int("recover_by")?,
        down_since: reader.maybe_int("down_since")?,
        warns: reader.flag("warns")?,
        warned: reader.int("warned")?,
        tight,
        missed: reader.list("missed", |word| SlaClock::parse(word.as_str()?))?,
    })
}
