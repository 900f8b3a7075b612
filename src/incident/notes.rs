//! Notes: the few things beside incidents that the stage must find again after a change of leaders.
//!
//! The idea: a map of texts that remembers which keys changed since they were last written.

use std::collections::{BTreeMap, BTreeSet};

use super::NOTES;

/// Notes by key, without the stage's prefix.
#[derive(Debug, Clone, Default)]
pub(super) struct Notes {
    rows: BTreeMap<String, String>,
    changed: BTreeSet<String>,
}

impl Notes {
    /// Takes the notes of this stage out of all notes.
    pub(super) fn load(all: &[(String, String)]) -> Self {
        let own = all.iter().filter_map(|(key, text)| Some((key.strip_prefix(NOTES)?.to_owned(), text.clone())));
        Self { rows: own.collect(), changed: BTreeSet::new() }
    }

    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.rows.get(key).map(String::as_str)
    }

    pub(super) fn put(&mut self, key: &str, text: String) {
        if self.get(key) != Some(text.as_str()) {
            self.changed.insert(key.to_owned());
            self.rows.insert(key.to_owned(), text);
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        if self.rows.remove(key).is_some() {
            self.changed.insert(key.to_owned());
        }
    }

    /// Keys (without `prefix`) and texts of the notes whose key begins with `prefix`.
    pub(super) fn under(&self, prefix: &str) -> Vec<(String, String)> {
        let from = self.rows.range(prefix.to_owned()..);
        from.map_while(|(key, text)| Some((key.strip_prefix(prefix)?.to_owned(), text.clone()))).collect()
    }

    /// Moves what changed into `out`, `None` where the note is gone.
    pub(super) fn drain(&mut self, out: &mut Vec<(String, Option<String>)>) {
        for key in std::mem::take(&mut self.changed) {
            out.push((format!("{NOTES}{key}"), self.rows.get(&key).cloned()));
        }
    }
}
