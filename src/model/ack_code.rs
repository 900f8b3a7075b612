//! One-time codes for taking an incident: six digits on the phone that a person reads to the duty desk or types into the
//! phone page.
//!
//! The idea: a code is a keyed hash of (incident, occurrence, how many codes were used), so nobody has to keep it. Pure
//! stages and everything that is stored know only its *mark* (`코드<0003>`: the count), as wide as the code itself; the
//! mark becomes the code where a message leaves, and a code becomes (incident, occurrence, count) where one comes in. So
//! no row and no ledger entry holds a code, and a replay gives the same bytes with any key.

use hmac::{KeyInit, Mac};

use super::{Incident, Secret};

/// Digits of a code.
pub const CODE_DIGITS: usize = 6;
/// What stands before a mark, and before the code.
const WORD: &str = "코드";
/// Counts beyond are told apart no more: a mark must not grow.
const COUNTS: i64 = 10_000;

/// The key of all codes; instances on one store share it.
#[derive(Debug, Clone)]
pub struct AckKey(Secret);

impl AckKey {
    /// A key of `secret`.
    pub fn new(secret: Secret) -> Self {
        Self(secret)
    }

    /// The code that takes `incident` as it stands now.
    pub fn code(&self, incident: &Incident) -> String {
        self.digits(&incident.id, incident.occurrence, incident.codes_used)
    }

    fn digits(&self, incident: &str, occurrence: i64, used: i64) -> String {
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(self.0.reveal().as_bytes())
            .expect("a keyed hash takes a key of any length");
        let used = used.rem_euclid(COUNTS);
        mac.update(format!("ack\x1f{incident}\x1f{occurrence}\x1f{used}").as_bytes());
        let mut head = [0u8; 8];
        head.copy_from_slice(&mac.finalize().into_bytes()[..8]);
        // 2^64 is so much more than 10^6 that no code is noticeably likelier than another.
        format!("{:06}", u64::from_be_bytes(head) % 1_000_000)
    }
}

impl AckKey {
    /// A keyed hash of a value that must not be kept: 16 hex digits. Equal values have equal seals; without the key a
    /// seal gives nothing away.
    pub fn seal(&self, value: &str) -> String {
        let mut mac = hmac::Hmac::<sha2::Sha256>::new_from_slice(self.0.reveal().as_bytes())
            .expect("a keyed hash takes a key of any length");
        mac.update(b"seal\x1f");
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// What stands in a text for the code of an incident of which `used` codes were used.
pub fn mark(used: i64) -> String {
    format!("{WORD}<{:04}>", used.rem_euclid(COUNTS))
}

/// A page's text as it leaves: its mark becomes the code; without a key the mark goes.
pub fn fill(text: &str, incident: &str, occurrence: i64, key: Option<&AckKey>) -> String {
    let Some((at, end, used)) = find(text) else { return text.to_owned() };
    let (before, after) = (&text[..at], &text[end..]);
    match key {
        Some(key) => format!("{before}{WORD}{}{after}", key.digits(incident, occurrence, used)),
        None => {
            // A line of its own goes whole; in a sentence the blank before it goes too.
            let line = before.rfind('\n').filter(|start| before[*start..].starts_with("\n■"));
            let before = line.map_or_else(|| before.trim_end_matches(' '), |start| &before[..start]);
            format!("{before}{after}")
        }
    }
}

/// A page's text for whoever it was not sent to: where the code stood are stars.
pub fn veil(text: &str) -> String {
    find(text).map_or_else(
        || text.to_owned(),
        |(at, end, _)| format!("{}{WORD}{}{}", &text[..at], "*".repeat(CODE_DIGITS), &text[end..]),
    )
}

/// The last mark of a text: where it begins and ends, and its count.
fn find(text: &str) -> Option<(usize, usize, i64)> {
    let at = text.rfind(&format!("{WORD}<"))?;
    let digits = &text[at + WORD.len() + 1..];
    let (count, rest) = digits.split_once('>')?;
    let used = count.parse().ok().filter(|_| count.len() == CODE_DIGITS - 2)?;
    Some((at, text.len() - rest.len(), used))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> AckKey {
        AckKey::new(Secret::new(text))
    }

    #[test]
    fn a_code_is_of_one_key_incident_occurrence_and_count() {
        let one = key("k").digits("INC-2611-001", 1, 0);
        assert_eq!(one.len(), CODE_DIGITS);
        assert_eq!(one, key("k").digits("INC-2611-001", 1, 0));
        let others = [
            key("other").digits("INC-2611-001", 1, 0),
            key("k").digits("INC-2611-002", 1, 0),
            key("k").digits("INC-2611-001", 2, 0),
            key("k").digits("INC-2611-001", 1, 1),
        ];
        assert!(others.iter().all(|other| *other != one), "{one} {others:?}");
    }

    #[test]
    fn a_mark_is_as_wide_as_its_code_and_leaves_without_a_trace_where_there_is_no_key() {
        let short = format!("[긴급신고] CPU 과다 {}", mark(3));
        let filled = fill(&short, "INC-2611-001", 1, Some(&key("k")));
        assert_eq!(filled, format!("[긴급신고] CPU 과다 코드{}", key("k").digits("INC-2611-001", 1, 3)));
        assert_eq!(filled.len(), short.len());
        assert_eq!(veil(&short), "[긴급신고] CPU 과다 코드******", "others see neither mark nor code");
        assert_eq!(veil("코드<12> 없음"), "코드<12> 없음");
        assert_eq!(fill(&short, "INC-2611-001", 1, None), "[긴급신고] CPU 과다");
        let long = format!("머리\n■ 확인{}\n끝", mark(0));
        assert_eq!(fill(&long, "INC-2611-001", 1, None), "머리\n끝");
        assert_eq!(fill("코드<12> 없음", "INC-2611-001", 1, None), "코드<12> 없음", "no mark of ours");
    }
}
