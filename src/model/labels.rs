//! Labels, the severity and domain words, and the fingerprint that names one rule instance for ever.
//!
//! The idea: a label set is sorted and immutable, so that equal sets are equal values, cheap to share and to hash.

use std::fmt;
use std::sync::Arc;

use sha2::Digest;

/// A sorted label set with unique names; a clone is a reference.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Arc<[(Box<str>, Box<str>)]>);

impl Default for Labels {
    fn default() -> Self {
        Self(Arc::from([]))
    }
}

impl Labels {
    /// Sorts `pairs` into a label set; of a name given twice the later value stays.
    pub fn new<K: Into<Box<str>>, V: Into<Box<str>>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut sorted = std::collections::BTreeMap::new();
        for (name, value) in pairs {
            sorted.insert(name.into(), value.into());
        }
        Self(sorted.into_iter().collect())
    }

    /// The value of `name`, or `None` where the set lacks it.
    pub fn get(&self, name: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(key, _)| key.as_ref().cmp(name)).ok()?;
        self.0.get(at).map(|(_, value)| value.as_ref())
    }

    /// Name and value of each label, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value.as_ref()))
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// This set with `name` set to `value`.
    pub fn with(&self, name: &str, value: &str) -> Self {
        Self::new(self.iter().chain([(name, value)]))
    }

    /// The labels whose name passes.
    pub fn keep(&self, passes: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| passes(name)).cloned().collect())
    }

    /// The labels as one JSON object, names sorted: the stored and printed form.
    pub fn to_json(&self) -> serde_json::Value {
        self.iter().map(|(name, value)| (name.to_owned(), serde_json::Value::from(value))).collect()
    }

    /// Reads what [`Labels::to_json`] wrote. `None` unless it is an object of strings.
    pub fn from_json(value: &serde_json::Value) -> Option<Self> {
        let object = value.as_object()?;
        let pairs: Option<Vec<_>> = object.iter().map(|(k, v)| Some((k.as_str(), v.as_str()?))).collect();
        Some(Self::new(pairs?))
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (n, (name, value)) in self.iter().enumerate() {
            write!(f, "{}{name}={value:?}", if n == 0 { "" } else { "," })?;
        }
        f.write_str("}")
    }
}

/// The name of one rule instance: first 128 bits of SHA-256 over the rule id, then each label sorted by name as
/// `\x1f name \x1e value` (SEMANTICS §7). Printed as 32 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u128);

impl Fingerprint {
    /// The fingerprint of `rule` for the identity `labels`.
    pub fn of(rule: &str, labels: &Labels) -> Self {
        let mut hash = sha2::Sha256::new();
        hash.update(rule.as_bytes());
        for (name, value) in labels.iter() {
            hash.update([0x1f]);
            hash.update(name.as_bytes());
            hash.update([0x1e]);
            hash.update(value.as_bytes());
        }
        let digest = hash.finalize();
        let mut first = [0u8; 16];
        first.copy_from_slice(&digest[..16]);
        Self(u128::from_be_bytes(first))
    }

    /// Reads 32 hex digits.
    pub fn parse(hex: &str) -> Option<Self> {
        if hex.len() != 32 {
            return None;
        }
        u128::from_str_radix(hex, 16).ok().map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How bad it is. `S1 < S2` in order: the smaller, the worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// 중대
    S1,
    /// 보통
    S2,
    /// 경미
    S3,
    /// 정보
    S4,
}

impl Severity {
    /// All four, worst first.
    pub const ALL: [Self; 4] = [Self::S1, Self::S2, Self::S3, Self::S4];

    /// `S1` to `S4`.
    pub const fn code(self) -> &'static str {
        match self {
            Self::S1 => "S1",
            Self::S2 => "S2",
            Self::S3 => "S3",
            Self::S4 => "S4",
        }
    }

    /// The Korean word, never one of the national alert levels.
    pub const fn word(self) -> &'static str {
        match self {
            Self::S1 => "중대",
            Self::S2 => "보통",
            Self::S3 => "경미",
            Self::S4 => "정보",
        }
    }

    /// Reads `S1` to `S4`.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.code() == code)
    }

    /// 0 for S1 to 3 for S4.
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// 구간: which part of the service an incident belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// 인프라
    Infra,
    /// 응용
    Application,
    /// 통신
    Network,
    /// 보안
    Security,
}

impl Domain {
    /// All four, in the order in which documents list them.
    pub const ALL: [Self; 4] = [Self::Infra, Self::Application, Self::Network, Self::Security];

    /// The Korean word, also the spelling in edited files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Infra => "인프라",
            Self::Application => "응용",
            Self::Network => "통신",
            Self::Security => "보안",
        }
    }

    /// Reads the Korean word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|domain| domain.word() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprint_is_frozen() {
        let labels = Labels::new([("mountpoint", "/data"), ("host", "db-01")]);
        // sha256("disk-full\x1fhost\x1edb-01\x1fmountpoint\x1e/data"), first 16 bytes
        assert_eq!(Fingerprint::of("disk-full", &labels).to_string(), "279722629b4846a23b93e3e8deb4b094");
    }

    #[test]
    fn labels_are_sorted_and_unique() {
        let labels = Labels::new([("b", "1"), ("a", "2"), ("b", "3")]);
        assert_eq!(labels.to_string(), r#"{a="2",b="3"}"#);
        assert_eq!(labels.keep(|name| name == "b").to_string(), r#"{b="3"}"#);
        assert_eq!(Labels::from_json(&labels.to_json()), Some(labels));
    }
}
