//! What the contacts were, masked: enough to say later what changed and never enough to reach a person.
//!
//! The idea: one row of masked cells per contact, each with a *seal*, a keyed hash of the value in full. Two rosters tell
//! by their seals that a phone number changed even where its mask did not; without the key a seal gives nothing away.
//! Comparing is here; who keeps a roster and who tells of a change is not.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{AckKey, Contact, People, mask_email, mask_name, mask_phone};
use crate::time::rfc3339;

/// The contacts of one moment.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Roster(BTreeMap<String, BTreeMap<String, Cell>>);

/// One value: as it may be shown, and its seal where there is a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cell(String, String);

impl Roster {
    /// The contacts of `people`; without `key` what masks hide is not compared.
    pub fn of(people: &People, key: Option<&AckKey>) -> Self {
        Self(people.contacts.iter().map(|contact| (contact.id.clone(), row(contact, key))).collect())
    }

    /// What `after` has otherwise, one Korean line each, by contact.
    pub fn changes(&self, after: &Self) -> Vec<String> {
        let ids: BTreeSet<&String> = self.0.keys().chain(after.0.keys()).collect();
        ids.into_iter().filter_map(|id| change(id, self.0.get(id), after.0.get(id))).collect()
    }
}

fn change(id: &str, before: Option<&BTreeMap<String, Cell>>, after: Option<&BTreeMap<String, Cell>>) -> Option<String> {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, Some(after)) => return Some(format!("추가 {id}: {}", shown(after))),
        (Some(before), None) => return Some(format!("삭제 {id}: {}", shown(before))),
        (None, None) => return None,
    };
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let cells = names.into_iter().filter_map(|name| {
        let (old, new) = (before.get(name), after.get(name));
        let text = |cell: Option<&Cell>| cell.map_or_else(|| "없음".to_owned(), |cell| cell.0.clone());
        match (text(old), text(new)) {
            (old, new) if old != new => Some(format!("{name} {old} → {new}")),
            (same, _) if is_resealed(old, new) => Some(format!("{name} {same} (가린 부분이 바뀜)")),
            _ => None,
        }
    });
    let cells: Vec<String> = cells.collect();
    (!cells.is_empty()).then(|| format!("변경 {id}: {}", cells.join(", ")))
}

/// Whether the value behind two equal masks differs; seals that only one side has say nothing.
fn is_resealed(old: Option<&Cell>, new: Option<&Cell>) -> bool {
    let seal = |cell: Option<&Cell>| cell.map(|cell| cell.1.clone()).filter(|seal| !seal.is_empty());
    matches!((seal(old), seal(new)), (Some(old), Some(new)) if old != new)
}

fn shown(row: &BTreeMap<String, Cell>) -> String {
    row.iter().map(|(name, cell)| format!("{name} {}", cell.0)).collect::<Vec<_>>().join(", ")
}

fn row(contact: &Contact, key: Option<&AckKey>) -> BTreeMap<String, Cell> {
    let sealed = |value: &str, mask: fn(&str) -> String| {
        let seal = key.map_or_else(String::new, |key| key.seal(&format!("{}\x1f{value}", contact.id)));
        Cell(mask(value), seal)
    };
    let plain = |value: String| Cell(value, String::new());
    let words = |words: Vec<&str>| (!words.is_empty()).then(|| plain(words.join("·")));
    let cells = [
        ("소속", Some(plain(contact.org.clone()))),
        ("직위", contact.position.clone().map(plain)),
        ("역할", words(contact.roles.iter().map(String::as_str).collect())),
        ("담당구간", words(contact.domains.iter().map(|domain| domain.word()).collect())),
        ("단계", contact.tier.map(|tier| plain(tier.to_string()))),
        ("성명", (!contact.name.is_empty()).then(|| sealed(&contact.name, mask_name))),
        ("전화", contact.phone.as_deref().map(|phone| sealed(phone, mask_phone))),
        ("전자우편", contact.email.as_deref().map(|email| sealed(email, mask_email))),
        ("시작", contact.from.map(|at| plain(rfc3339(at)))),
        ("종료", contact.until.map(|at| plain(rfc3339(at)))),
        ("확인", contact.confirmed.map(|at| plain(rfc3339(at)))),
    ];
    cells.into_iter().filter_map(|(name, cell)| Some((name.to_owned(), cell?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    fn people(contacts: &[(&str, &str)]) -> People {
        let contact = |(id, phone): &(&str, &str)| Contact {
            id: (*id).to_owned(),
            org: "MSP".to_owned(),
            name: "가상인".to_owned(),
            phone: Some((*phone).to_owned()),
            ..Contact::default()
        };
        People { contacts: contacts.iter().map(contact).collect(), ..People::default() }
    }

    fn changes(key: Option<&AckKey>, before: &[(&str, &str)], after: &[(&str, &str)]) -> Vec<String> {
        Roster::of(&people(before), key).changes(&Roster::of(&people(after), key))
    }

    #[test]
    fn every_change_is_one_line_without_personal_data() {
        let key = AckKey::new(Secret::new("k"));
        let before = [("a", "010-0000-0001"), ("b", "010-0000-0002"), ("c", "010-0000-0003"), ("d", "010-0000-0004")];
        let after = [("a", "010-0000-0001"), ("b", "010-0000-0009"), ("c", "010-1111-0003"), ("e", "010-0000-0005")];
        assert_eq!(
            changes(Some(&key), &before, &after),
            [
                "변경 b: 전화 010-****-0002 → 010-****-0009",
                "변경 c: 전화 010-****-0003 (가린 부분이 바뀜)",
                "삭제 d: 성명 가*인, 소속 MSP, 전화 010-****-0004",
                "추가 e: 성명 가*인, 소속 MSP, 전화 010-****-0005",
            ]
        );
        assert_eq!(changes(None, &before[2..3], &after[2..3]), Vec::<String>::new(), "nothing to compare it by");
    }

    #[test]
    fn a_kept_roster_holds_no_number_and_no_name() {
        let roster = Roster::of(&people(&[("a", "010-0000-0001")]), Some(&AckKey::new(Secret::new("k"))));
        let kept = serde_json::to_string(&roster).unwrap();
        assert!(!kept.contains("0000-0001") && !kept.contains("가상인"), "{kept}");
        assert_eq!(serde_json::from_str::<Roster>(&kept).unwrap(), roster);
    }
}
