//! One row of the embedded log: the records that one partition got in one commit, compressed and sealed by a checksum.
//!
//! The idea: a row is the unit of everything (append time, compression, damage, retention), so a quiet partition costs
//! one row of some 60 bytes per pulse and a busy one a row per 256 KiB.
//! It does not know SQLite; see `file`.

use crate::log::embedded::file::Place;
use crate::model::Batch;
use crate::time::Ms;

/// Bytes of records after which a row is closed: LZ4 gains nothing beyond, and one damaged row stays a small loss.
pub(super) const ROW_BYTES: usize = 256 * 1024;

const RAW: i64 = 0;
const LZ4: i64 = 1;

/// A row as it lies in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) place: Place,
    /// Number of records.
    pub(super) n: i64,
    /// Append time of all of them.
    pub(super) at: Ms,
    /// The highest append time of the partition up to this row: never falls, so the key order is also a time index.
    pub(super) run_max: Ms,
    pub(super) codec: i64,
    pub(super) crc: u32,
    pub(super) bytes: Vec<u8>,
}

/// What was wrong with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged;

/// Collects the records of one row.
#[derive(Debug, Default)]
pub(super) struct Packer {
    body: Vec<u8>,
    n: i64,
}

impl Packer {
    pub(super) fn push(&mut self, key: &[u8], value: &[u8]) {
        put_length(&mut self.body, key.len());
        put_length(&mut self.body, value.len());
        self.body.extend_from_slice(key);
        self.body.extend_from_slice(value);
        self.n += 1;
    }

    /// Number of records collected.
    pub(super) fn n(&self) -> i64 {
        self.n
    }

    pub(super) fn is_empty(&self) -> bool {
        self.n == 0
    }

    pub(super) fn is_full(&self) -> bool {
        self.body.len() >= ROW_BYTES
    }

    /// The row of what was collected; the packer is empty afterwards and keeps its buffer.
    pub(super) fn seal(&mut self, place: Place, at: Ms, run_max: Ms) -> Row {
        let packed = lz4_flex::block::compress_prepend_size(&self.body);
        let (codec, bytes) = if packed.len() < self.body.len() { (LZ4, packed) } else { (RAW, self.body.clone()) };
        let mut row = Row { place, n: self.n, at, run_max, codec, crc: 0, bytes };
        row.crc = row.checksum();
        self.body.clear();
        self.n = 0;
        row
    }
}

impl Row {
    fn checksum(&self) -> u32 {
        let mut crc = crc32fast::Hasher::new();
        for field in [self.place.key(), self.n, self.at, self.run_max, self.codec] {
            crc.update(&field.to_le_bytes());
        }
        crc.update(&self.bytes);
        crc.finalize()
    }

    /// Adds the records at or after offset `from` to `batch`, or nothing where the row is damaged.
    pub(super) fn unpack(&self, from: i64, batch: &mut Batch) -> Result<(), Damaged> {
        if self.checksum() != self.crc {
            return Err(Damaged);
        }
        let unpacked;
        let body = match self.codec {
            RAW => &self.bytes,
            LZ4 => {
                unpacked = lz4_flex::block::decompress_size_prepended(&self.bytes).map_err(|_| Damaged)?;
                &unpacked
            }
            _ => return Err(Damaged),
        };
        let records = split(body, self.n).ok_or(Damaged)?;
        for (offset, (key, value)) in (self.place.offset..).zip(records) {
            if offset >= from {
                batch.push(offset, self.at, key, value);
            }
        }
        Ok(())
    }
}

/// The `n` records of a body, which must hold exactly those.
fn split(mut body: &[u8], n: i64) -> Option<Vec<(&[u8], &[u8])>> {
    let mut records = Vec::new();
    for _ in 0..n {
        let key = take_length(&mut body)?;
        let value = take_length(&mut body)?;
        records.push((take(&mut body, key)?, take(&mut body, value)?));
    }
    body.is_empty().then_some(records)
}

fn take<'a>(body: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (head, rest) = body.split_at_checked(length)?;
    *body = rest;
    Some(head)
}

/// LEB128: a pulse's lengths then cost one byte each.
fn put_length(body: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        body.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    body.push(u8::try_from(length).unwrap_or(0));
}

fn take_length(body: &mut &[u8]) -> Option<usize> {
    let mut length = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, rest) = body.split_first()?;
        *body = rest;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(records: &[(&[u8], &[u8])]) -> Row {
        let mut packer = Packer::default();
        for (key, value) in records {
            packer.push(key, value);
        }
        packer.seal(Place { part: 3, offset: 40 }, 1_000, 2_000)
    }

    #[test]
    fn a_row_gives_back_its_records_from_the_wanted_offset_on() {
        let long = vec![b'x'; 300_000];
        let row = sealed(&[(b"a", b"one"), (b"", b""), (b"b", &long)]);
        let mut batch = Batch::default();
        row.unpack(41, &mut batch).unwrap();
        let found: Vec<_> = batch.slots.iter().map(|slot| (slot.offset, slot.append, batch.record(slot))).collect();
        assert_eq!(found, vec![(41, 1_000, (&b""[..], &b""[..])), (42, 1_000, (&b"b"[..], &long[..]))]);
        assert!(row.bytes.len() < 10_000, "compressed");
    }

    #[test]
    fn any_flipped_bit_is_seen_and_gives_no_record() {
        let row = sealed(&[(b"host", b"0.5"), (b"host", b"0.6")]);
        let mut batch = Batch::default();
        for bit in 0..row.bytes.len() * 8 {
            let mut bad = row.clone();
            bad.bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(bad.unpack(0, &mut batch), Err(Damaged));
        }
        for bad in [Row { n: 1, ..row.clone() }, Row { at: 1_001, ..row.clone() }, Row { codec: 7, ..row.clone() }] {
            assert_eq!(bad.unpack(0, &mut batch), Err(Damaged));
        }
        assert!(batch.slots.is_empty());
    }

    #[test]
    fn a_body_with_a_wrong_count_is_refused_even_under_a_right_checksum() {
        for n in [0, 1, 3, i64::MAX] {
            let mut row = sealed(&[(b"a", b"1"), (b"b", b"2")]);
            row.n = n;
            row.crc = row.checksum();
            assert_eq!(row.unpack(0, &mut Batch::default()), Err(Damaged), "{n}");
        }
    }
}
