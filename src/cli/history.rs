//! `bongsu contacts history`: what changed in the 비상연락망, and who looked at it in full.
//!
//! The idea: changes stand in the ledger, where nobody can alter them unseen, with the reload that brought them; looks
//! stand in the data directory, noted before anything was shown. Both are printed as one list, oldest first, masked.

use std::path::Path;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::contacts::ACCESS;
use crate::store::Store;
use crate::time::{Ms, parse_instant, rfc3339};

/// Entries of the ledger that are read at once.
const PAGE: usize = 1_000;
/// The kind of ledger entries that bring changes.
const RELOAD: &str = "reload";

/// One line of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// When.
    pub(super) at: Ms,
    /// What, in Korean, masked.
    pub(super) what: String,
    /// Where it stands in the ledger; `None`: in the data directory.
    input_no: Option<i64>,
}

impl Event {
    /// For people.
    pub(super) fn line(&self) -> String {
        let place = self.input_no.map_or_else(String::new, |no| format!("  (원장 {no})"));
        format!("{}  {}{place}", rfc3339(self.at), self.what)
    }

    /// For programs.
    pub(super) fn json(&self) -> Value {
        json!({ "type": "contact-event", "at": self.at, "what": self.what, "input_no": self.input_no })
    }
}

/// Every change and every look, oldest first.
pub(super) fn events(store: &dyn Store, data_dir: &Path) -> anyhow::Result<Vec<Event>> {
    let mut events = looks(&data_dir.join(ACCESS))?;
    events.extend(changes(store)?);
    events.sort_by_key(|event| event.at);
    Ok(events)
}

fn changes(store: &dyn Store) -> anyhow::Result<Vec<Event>> {
    let (mut events, mut after) = (Vec::new(), 0);
    loop {
        let page = store.ledger(after, PAGE)?;
        let Some(last) = page.last() else { return Ok(events) };
        after = last.input_no;
        for entry in page.iter().filter(|entry| entry.kind == RELOAD) {
            let value: Value = serde_json::from_str(&entry.json).unwrap_or_default();
            let lines = value["input"]["contacts"].as_array().cloned().unwrap_or_default();
            let event = |line: &Value| {
                Some(Event { at: entry.at, what: line.as_str()?.to_owned(), input_no: Some(entry.input_no) })
            };
            events.extend(lines.iter().filter_map(event));
        }
    }
}

fn looks(path: &Path) -> anyhow::Result<Vec<Event>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("read `{}`", path.display())),
    };
    let event = |line: &str| {
        let value: Value = serde_json::from_str(line).ok()?;
        let word = |name: &str| value[name].as_str().unwrap_or("?").to_owned();
        let what = format!("{}: {} ({})", word("what"), word("by"), word("reason"));
        Some(Event { at: parse_instant(value["at"].as_str()?, 0)?, what, input_no: None })
    };
    Ok(text.lines().filter_map(event).collect())
}
