//! A secret as a value: it travels like any other and is never printed.
//!
//! The idea: one type for tokens, passwords and keys, so that no `Debug`, log line or error can show one by mistake.
//! Where secrets come from is not here.

use std::fmt;

use sha2::Digest;

/// A token, password or key: never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself, for its one legitimate recipient.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `other` is this secret. Both are hashed first, so the time tells neither length nor position.
    pub fn is(&self, other: &str) -> bool {
        let (a, b) = (sha2::Sha256::digest(self.0.as_bytes()), sha2::Sha256::digest(other.as_bytes()));
        std::hint::black_box(a.iter().zip(b.iter()).fold(0, |diff, (x, y)| diff | (x ^ y))) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
