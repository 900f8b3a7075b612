//! The JSON of [`Group`]: one optional object beside an incident's other fields.
//!
//! The idea: what is usual is left out, so an incident that stands alone is written as it was before there were groups.

use serde_json::Value;

use super::fields::{Reader, Writer};
use crate::model::{Domain, Evidence, Group, Severity, Suspect, SuspectKind, Tally, Tie, Triage};

/// `None` where there is nothing to remember.
pub(super) fn write(group: &Group) -> Option<Value> {
    if *group == Group::default() {
        return None;
    }
    let said = group.said.map(|(n, at)| Value::from(vec![n, at]));
    Some(
        Writer::default()
            .maybe("tie", group.tie.map(Tie::word))
            .maybe("own", group.own.map(Severity::code))
            .maybe("tally", (group.tally != Tally::default()).then(|| tally(&group.tally)))
            .maybe("said", said)
            .maybe(
                "suspects",
                (!group.suspects.is_empty()).then(|| group.suspects.iter().map(suspect).collect::<Vec<_>>()),
            )
            .maybe("triage", group.triage.as_ref().map(triage))
            .done(),
    )
}

/// Reads what [`write`] wrote.
pub(super) fn read(value: &Value) -> Option<Group> {
    let reader = Reader::new(value)?;
    let pair = |reader: Reader<'_>, name: &str| match reader.list(name, Value::as_i64)?.as_slice() {
        [n, at] => Some((*n, *at)),
        _ => None,
    };
    Some(Group {
        tie: reader.maybe_word("tie", Tie::parse)?,
        own: reader.maybe_word("own", Severity::parse)?,
        tally: reader.maybe("tally", |reader, name| read_tally(reader.get(name)?))?.unwrap_or_default(),
        said: reader.maybe("said", pair)?,
        suspects: reader.maybe("suspects", |reader, name| reader.list(name, read_suspect))?.unwrap_or_default(),
        triage: reader.maybe("triage", |reader, name| read_triage(reader.get(name)?))?,
    })
}

fn tally(tally: &Tally) -> Value {
    Writer::new("total", tally.total)
        .put("severities", tally.severities.to_vec())
        .put("domains", tally.domains.to_vec())
        .maybe("last", tally.last)
        .done()
}

fn read_tally(value: &Value) -> Option<Tally> {
    let reader = Reader::new(value)?;
    Some(Tally {
        total: reader.int("total")?,
        severities: four(reader, "severities")?,
        domains: four(reader, "domains")?,
        last: reader.maybe_int("last")?,
    })
}

fn four(reader: Reader<'_>, name: &str) -> Option<[i64; 4]> {
    reader.list(name, Value::as_i64)?.try_into().ok()
}

/// A likely cause as rows and answers hold it.
pub fn suspect(suspect: &Suspect) -> Value {
    Writer::new("kind", suspect.kind.word())
        .put("what", suspect.what.as_str())
        .put("score", suspect.score)
        .put("covers", suspect.covers)
        .put("of", suspect.of)
        .put("first", suspect.first)
        .done()
}

fn read_suspect(value: &Value) -> Option<Suspect> {
    let reader = Reader::new(value)?;
    Some(Suspect {
        kind: reader.word("kind", SuspectKind::parse)?,
        what: reader.string("what")?,
        score: reader.int("score")?,
        covers: reader.int("covers")?,
        of: reader.int("of")?,
        first: reader.flag("first")?,
    })
}

/// A triage as rows and answers hold it.
pub fn triage(triage: &Triage) -> Value {
    let one = |it: &Evidence| {
        Writer::new("incident", it.incident.as_str())
            .put("rule", it.rule.as_ref())
            .put("relation", it.relation.as_str())
            .put("domain", it.domain.word())
            .put("points", it.points)
            .done()
    };
    Writer::new("domain", triage.domain.word())
        .put("points", triage.points.to_vec())
        .put("evidence", triage.evidence.iter().map(one).collect::<Vec<_>>())
        .done()
}

fn read_triage(value: &Value) -> Option<Triage> {
    let reader = Reader::new(value)?;
    let one = |value: &Value| {
        let reader = Reader::new(value)?;
        Some(Evidence {
            incident: reader.string("incident")?,
            rule: reader.text("rule")?.into(),
            relation: reader.string("relation")?,
            domain: reader.word("domain", Domain::parse)?,
            points: reader.int("points")?,
        })
    };
    Some(Triage {
        domain: reader.word("domain", Domain::parse)?,
        points: four(reader, "points")?,
        evidence: reader.list("evidence", one)?,
    })
}
