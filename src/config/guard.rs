//! The one place where `config` asks whether a text may leave the zone.
//!
//! The idea: titles and aliases go into messages, so they are judged when they are read, by the guard that judges the
//! finished message. This file only puts hits into words. Alert words and characters are left to `rules::sense`, which
//! warns of them with advice of its own.

use crate::model::{Inventory, People};
use crate::page::guard::{GuardSet, Taboo};

/// Knows what may not leave the zone.
#[derive(Debug, Clone)]
pub(crate) struct Guard(GuardSet);

impl Default for Guard {
    fn default() -> Self {
        Self(GuardSet::new([], [], []))
    }
}

impl Guard {
    /// The guard of a site: patterns, and the names of its resources and people.
    pub(crate) fn of(inventory: &Inventory, people: &People) -> Self {
        Self(GuardSet::of(inventory, people))
    }

    /// What in `text` must not be in a message, each hit in words; empty = nothing.
    pub(crate) fn hits(&self, text: &str) -> Vec<String> {
        let found = self.0.lint(text).into_iter();
        let here = found.filter(|finding| !matches!(finding.taboo, Taboo::AlertWord | Taboo::Character));
        here.map(|finding| format!("`{}` ({})", finding.piece, finding.taboo.word())).collect()
    }
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
