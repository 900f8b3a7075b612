//! Since when each rule in shadow has been what it is: the beginning of every comparison.
//!
//! The idea: a comparison is fair only from the instant at which both rules meant what they mean now, so the leader keeps
//! that instant in its notes, by the hash of both. It is no decision: the ledger does not hold it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::config::rule_hash;
use crate::model::RuleSet;
use crate::time::Ms;

/// The first characters of these notes.
pub const NOTES: &str = "shadow/";

/// What each rule in shadow and the rule beside it mean, by the id of the former.
pub type Meanings = BTreeMap<String, String>;

/// Meanings of all rules in shadow.
pub fn meanings(rules: &RuleSet) -> Meanings {
    let one = |shadow: &std::sync::Arc<crate::model::Rule>| {
        let beside = rules.beside(shadow).map_or_else(String::new, |live| rule_hash(live));
        (shadow.id.to_string(), format!("{}/{beside}", rule_hash(shadow)))
    };
    rules.shadows().map(one).collect()
}

/// The instants as the leader has noted them.
#[derive(Debug, Clone, Default)]
pub struct Since(BTreeMap<String, (Ms, String)>);

impl Since {
    /// Reads the notes, with their whole keys; others are passed over.
    pub fn load(notes: &[(String, String)]) -> Self {
        let read = |(key, text): &(String, String)| {
            let value: Value = serde_json::from_str(text).ok()?;
            let means = value.get("means")?.as_str()?.to_owned();
            Some((key.strip_prefix(NOTES)?.to_owned(), (value.get("since")?.as_i64()?, means)))
        };
        Self(notes.iter().filter_map(read).collect())
    }

    /// Since when `rule` has been compared, where it means the same still.
    pub fn of(&self, rule: &str, means: &str) -> Option<Ms> {
        self.0.get(rule).filter(|(_, known)| known == means).map(|(since, _)| *since)
    }

    /// Whether there is something to note.
    pub fn differs(&self, meanings: &Meanings) -> bool {
        self.0.len() != meanings.len() || meanings.iter().any(|(rule, means)| self.of(rule, means).is_none())
    }

    /// Notes what is new since `now`, and strikes out what is no longer in shadow.
    pub fn note(&mut self, meanings: &Meanings, now: Ms, notes: &mut Vec<(String, Option<String>)>) {
        for (rule, means) in meanings.iter().filter(|(rule, means)| self.of(rule, means).is_none()) {
            notes.push((format!("{NOTES}{rule}"), Some(json!({ "since": now, "means": means }).to_string())));
        }
        let gone = self.0.keys().filter(|rule| !meanings.contains_key(*rule));
        notes.extend(gone.map(|rule| (format!("{NOTES}{rule}"), None)));
        let since =
            |(rule, means): (&String, &String)| (rule.clone(), (self.of(rule, means).unwrap_or(now), means.clone()));
        self.0 = meanings.iter().map(since).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comparison_begins_anew_where_a_rule_means_something_else() {
        let means = |pairs: &[(&str, &str)]| -> Meanings {
            pairs.iter().map(|(rule, means)| ((*rule).to_owned(), (*means).to_owned())).collect()
        };
        let (mut since, mut notes) = (Since::default(), Vec::new());
        assert!(!since.differs(&means(&[])));
        since.note(&means(&[("a", "1"), ("b", "1")]), 10, &mut notes);
        let kept: Vec<(String, String)> = notes.drain(..).filter_map(|(key, text)| Some((key, text?))).collect();
        // As after a restart.
        let mut since = Since::load(&kept);
        assert!(!since.differs(&means(&[("a", "1"), ("b", "1")])));
        let now = means(&[("a", "1"), ("c", "1")]);
        assert!(since.differs(&now));
        since.note(&now, 20, &mut notes);
        let keys: Vec<_> = notes.iter().map(|(key, text)| (key.as_str(), text.is_some())).collect();
        assert_eq!(keys, [("shadow/c", true), ("shadow/b", false)]);
        assert_eq!((since.of("a", "1"), since.of("c", "1"), since.of("b", "1")), (Some(10), Some(20), None));
        since.note(&means(&[("a", "2")]), 30, &mut notes);
        assert_eq!((since.of("a", "2"), since.of("a", "1")), (Some(30), None));
    }
}
