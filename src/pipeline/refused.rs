//! What of an input was refused, by reason, with the first place of each: for whoever looks at a replay that does less than
//! it should.
//!
//! The idea: the decoder says why and where inside of a record; a person wants file, line and column. Only the first of each
//! reason is looked for in the text, so a million bad lines cost no more than counting them.

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::{Reject, RejectReason};

/// What was refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// How often.
    pub count: u64,
    /// `file:line:col` of the first.
    pub first: String,
    /// What was there.
    pub detail: String,
}

/// Refusals by the word of their reason.
#[derive(Debug, Clone, Default)]
pub struct Refusals(BTreeMap<&'static str, Refusal>);

impl Refusals {
    /// Counts what was refused of line `n` (from 1) of `path`.
    pub fn take(&mut self, path: &Path, n: usize, line: &[u8], rejects: &[Reject]) {
        for reject in rejects {
            let place = || {
                let detail = if reject.place.is_empty() || reject.detail.is_empty() {
                    format!("{}{}", reject.place, reject.detail)
                } else {
                    format!("{}: {}", reject.place, reject.detail)
                };
                (format!("{}:{n}:{}", path.display(), column(line, reject)), detail)
            };
            self.count(reject.reason.code(), place);
        }
    }

    /// Counts one refusal for a reason that is none of the decoder's; `place` gives place and detail.
    pub fn count(&mut self, reason: &'static str, place: impl FnOnce() -> (String, String)) {
        let row = self.0.entry(reason).or_insert_with(|| {
            let (first, detail) = place();
            Refusal { count: 0, first, detail }
        });
        row.count += 1;
    }

    /// By reason, the most frequent first.
    pub fn rows(&self) -> Vec<(&'static str, &Refusal)> {
        let mut rows: Vec<_> = self.0.iter().map(|(reason, refusal)| (*reason, refusal)).collect();
        rows.sort_by_key(|(reason, refusal)| (std::cmp::Reverse(refusal.count), *reason));
        rows
    }

    /// All together.
    pub fn total(&self) -> u64 {
        self.0.values().map(|refusal| refusal.count).sum()
    }
}

/// The column, from 1 and in characters, at which what was refused begins.
fn column(line: &[u8], reject: &Reject) -> usize {
    let at = match reject.reason {
        RejectReason::NotUtf8 => std::str::from_utf8(line).err().map(|wrong| wrong.valid_up_to()),
        RejectReason::NotJson | RejectReason::DuplicateKey => {
            serde_json::from_slice::<serde::de::IgnoredAny>(line).err().map(|wrong| wrong.column().saturating_sub(1))
        }
        _ => member(line, &reject.place),
    };
    let before = line.get(..at.unwrap_or(0)).unwrap_or_default();
    String::from_utf8_lossy(before).chars().count() + 1
}

/// Where the member that `place` names begins: `ts` is a key, `points[3]` the fourth item behind one.
fn member(line: &[u8], place: &str) -> Option<usize> {
    let (key, item) = match place.split_once('[') {
        Some((key, rest)) => (key, rest.trim_end_matches(']').parse::<usize>().ok()?),
        None if place.is_empty() => return None,
        None => (place, 0),
    };
    let quoted = format!("\"{key}\"");
    let found = line.windows(quoted.len()).position(|window| window == quoted.as_bytes())?;
    if !place.contains('[') {
        return Some(found);
    }
    let from = found + quoted.len() + line.get(found + quoted.len()..)?.iter().position(|byte| *byte == b'[')? + 1;
    let (mut depth, mut text, mut escaped, mut seen) = (0, false, false, 0);
    for (at, byte) in line.iter().enumerate().skip(from) {
        if text {
            text = escaped || *byte != b'"';
            escaped = *byte == b'\\' && !escaped;
            continue;
        }
        if seen == item && !byte.is_ascii_whitespace() && depth == 0 && *byte != b',' {
            return Some(at);
        }
        match byte {
            b'"' => text = true,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth -= 1,
            b',' if depth == 0 => seen += 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: &str, reason: RejectReason, place: &str) -> usize {
        column(line.as_bytes(), &Reject { reason, place: place.to_owned(), detail: String::new() })
    }

    #[test]
    fn places_are_found_in_the_line() {
        let line = r#"{"host":"가],나","points":[["a",1,{"x":"]"}], ["b","x"],7],"ts":"no"}"#;
        let of = |piece: &str| line[..line.find(piece).unwrap()].chars().count() + 1;
        assert_eq!(at(line, RejectReason::BadNumber, "points[0]"), of("[\"a\""));
        assert_eq!(at(line, RejectReason::BadPoint, "points[1]"), of("[\"b\""));
        assert_eq!(at(line, RejectReason::BadPoint, "points[2]"), of("7]"));
        assert_eq!(at(line, RejectReason::BadField, "ts"), of("\"ts\""));
        assert_eq!(at(line, RejectReason::UnknownVersion, ""), 1);
        assert_eq!(at(line, RejectReason::BadPoint, "points[9]"), 1);
        assert_eq!(at("{\"가\": 나}", RejectReason::NotJson, ""), 7);
    }

    #[test]
    fn reasons_are_counted_and_the_first_is_kept() {
        let mut refusals = Refusals::default();
        let bad = |reason| Reject { reason, place: String::new(), detail: "x".to_owned() };
        refusals.take(Path::new("a"), 3, b"{", &[bad(RejectReason::NoHost)]);
        refusals.take(Path::new("a"), 4, b"{", &[bad(RejectReason::BadPoint), bad(RejectReason::BadPoint)]);
        refusals.take(Path::new("b"), 9, b"{", &[bad(RejectReason::BadPoint)]);
        let rows: Vec<_> = refusals.rows().into_iter().map(|(why, it)| (why, it.count, it.first.as_str())).collect();
        assert_eq!(rows, [("bad-point", 3, "a:4:1"), ("no-host", 1, "a:3:1")]);
        assert_eq!(refusals.total(), 4);
    }
}
