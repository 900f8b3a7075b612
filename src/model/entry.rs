//! The ledger's entries: each holds the hash of the one before, so that none can be altered unseen.
//!
//! The idea: an entry is made from its predecessor's hash and from canonical bytes alone; whoever has the entries can
//! make them again. What stands in an entry is decided by the leader.

use crate::time::Ms;

/// One entry of the ledger: SHA-256(previous hash ‖ bytes), append-only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The order in which the leader took its inputs, from 1, gapless.
    pub input_no: i64,
    /// Wall time of the decision.
    pub at: Ms,
    /// What kind of input.
    pub kind: String,
    /// Canonical JSON (names sorted, no spaces): the input and what was decided.
    pub json: String,
    /// Hex of SHA-256 over the previous entry's hash (64 hex digits, 64 zeros at the start), then
    /// `input_no`, `at`, `kind`, `json`, each followed by a line feed.
    pub hash: String,
}

impl Entry {
    /// The hash that stands before the first entry.
    pub const GENESIS: &'static str = "0000000000000000000000000000000000000000000000000000000000000000";

    /// Makes the entry that follows the one whose hash is `previous`.
    pub fn after(previous: &str, input_no: i64, at: Ms, kind: &str, json: String) -> Self {
        use sha2::Digest;
        use std::fmt::Write;
        let mut hash = sha2::Sha256::new();
        hash.update(previous.as_bytes());
        hash.update(format!("{input_no}\n{at}\n{kind}\n{json}\n").as_bytes());
        let mut hex = String::with_capacity(64);
        for byte in hash.finalize() {
            write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
        }
        Self { input_no, at, kind: kind.to_owned(), json, hash: hex }
    }
}
