//! The ledger's chain: whether entries follow each other without a gap and hash to what they say.
//!
//! The idea: one [`Chain`] walks along; the store asks it before it writes, `ledger verify` while it reads. Pure.
//! It cannot see entries cut off at the end: that takes a copy of the last hash kept elsewhere.

use crate::model::Entry;

/// The place after the last entry seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    input_no: i64,
    hash: String,
}

impl Default for Chain {
    /// Before the first entry.
    fn default() -> Self {
        Self::after(0, Entry::GENESIS)
    }
}

impl Chain {
    /// After the entry `input_no` whose hash is `hash`.
    pub fn after(input_no: i64, hash: &str) -> Self {
        Self { input_no, hash: hash.to_owned() }
    }

    /// Steps over `entry`. `false`, and no step, where it is not the next one or its hash is not its own.
    pub fn step(&mut self, entry: &Entry) -> bool {
        let next = self.input_no.checked_add(1);
        let fits = next == Some(entry.input_no)
            && *entry == Entry::after(&self.hash, entry.input_no, entry.at, &entry.kind, entry.json.clone());
        if fits {
            self.input_no = entry.input_no;
            self.hash.clone_from(&entry.hash);
        }
        fits
    }
}

/// Checks a ledger from its first entry on. `Err` holds the `input_no` of the first entry that is wrong.
pub fn verify<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Result<(), i64> {
    let mut chain = Chain::default();
    match entries.into_iter().find(|entry| !chain.step(entry)) {
        Some(entry) => Err(entry.input_no),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(n: i64) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::new();
        for input_no in 1..=n {
            let previous = entries.last().map_or(Entry::GENESIS, |entry| &entry.hash).to_owned();
            entries.push(Entry::after(&previous, input_no, 100 + input_no, "ack", format!("{{\"n\":{input_no}}}")));
        }
        entries
    }

    #[test]
    fn a_whole_ledger_verifies() {
        assert_eq!(verify(&[]), Ok(()));
        assert_eq!(verify(&ledger(5)), Ok(()));
    }

    #[test]
    fn the_first_bad_entry_is_named() {
        type Damage = fn(&mut Vec<Entry>);
        let cases: [(Damage, i64); 6] = [
            (|l| l[2].json.push(' '), 3),
            (|l| l[2].at += 1, 3),
            (|l| l[2].kind = "unack".to_owned(), 3),
            (|l| drop(l.remove(2)), 4),
            (|l| l.swap(1, 2), 3),
            (|l| l[0].hash = Entry::GENESIS.to_owned(), 1),
        ];
        for (n, (damage, bad)) in cases.into_iter().enumerate() {
            let mut entries = ledger(5);
            damage(&mut entries);
            assert_eq!(verify(&entries), Err(bad), "case {n}");
        }
    }

    #[test]
    fn an_entry_hashed_anew_breaks_the_next() {
        let mut entries = ledger(5);
        let e = entries[2].clone();
        entries[2] = Entry::after(&entries[1].hash, e.input_no, e.at, &e.kind, "{}".to_owned());
        assert_eq!(verify(&entries), Err(4));
    }
}
