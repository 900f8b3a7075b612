//! The one place where `config` asks whether a text may leave the zone.
//!
//! The idea: titles and aliases go into messages, so they are judged when they are read, by the guard that judges the
//! finished message. This file only puts hits into words.

use std::collections::BTreeSet;

use crate::model::{Inventory, People};

/// Knows what may not leave the zone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard {
    /// Host names, services and what resources run on; names of persons.
    names: BTreeSet<String>,
}

impl Guard {
    /// The guard of a site: patterns, and the names of its resources and people.
    pub(crate) fn of(inventory: &Inventory, people: &People) -> Self {
        let hosts = inventory.resources.values().flat_map(|r| [Some(&r.id), r.parent.as_ref()]).flatten();
        let persons = people.contacts.iter().map(|contact| &contact.name);
        // Shorter names would hit ordinary words.
        Self { names: hosts.chain(persons).filter(|name| name.chars().count() > 2).cloned().collect() }
    }

    /// What in `text` must not be in a message, each hit in words; empty = nothing.
    pub(crate) fn hits(&self, text: &str) -> Vec<String> {
        let named =
            self.names.iter().filter(|name| text.contains(name.as_str())).map(|name| format!("the name `{name}`"));
        let patterns = PATTERNS.iter().filter(|(_, hit)| hit(text)).map(|(what, _)| (*what).to_owned());
        patterns.chain(named).collect()
    }
}

type Hit = fn(&str) -> bool;

const PATTERNS: [(&str, Hit); 4] = [
    ("an IP address", |text| words(text).any(|word| word.parse::<std::net::IpAddr>().is_ok())),
    ("an e-mail address", |text| text.split_whitespace().any(super::scalar::mail)),
    ("an address of a page", |text| text.contains("://")),
    ("a phone number", |text| {
        words(text).any(|word| word.contains('-') && super::scalar::phone(word).is_some_and(|digits| digits.len() >= 9))
    }),
];

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '-'))).filter(|word| word.len() > 2)
}

#[cfg(test)]
mod tests {
    use super::Guard;

    #[test]
    fn titles_with_addresses_are_hit_and_plain_ones_are_not() {
        for text in ["10.20.3.14 다운", "홍길동 010-0000-0001 연락", "https://console.test", "문의 a@example.test"]
        {
            assert!(!Guard::default().hits(text).is_empty(), "{text}");
        }
        for text in ["CPU 사용률 과다", "웹 응답없음(3회 연속)", "2026-01-01 점검", "오류 5xx 과다"]
        {
            assert!(Guard::default().hits(text).is_empty(), "{text}");
        }
    }
}
