//! Base64 with the usual alphabet and padding (RFC 4648 §4): how bytes that are no JSON travel in recorded NDJSON.
//!
//! Two small functions rather than a dependency. Reading is strict: one text for each sequence of bytes.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `bytes` as text.
pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, &byte| (group << 8) | u32::from(byte)) << (8 * (3 - chunk.len()));
        for n in 0..4 {
            let six = (group >> (18 - 6 * n)) & 63;
            text.push(if n <= chunk.len() { char::from(ALPHABET[six as usize]) } else { '=' });
        }
    }
    text
}

/// The bytes of `text`; `None` where it is not what [`encode`] writes.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.as_bytes().chunks(4) {
        let n_letters = group.iter().take_while(|&&letter| letter != b'=').count();
        let mut bits = 0u32;
        for &letter in group.iter().take(n_letters) {
            let six = ALPHABET.iter().position(|&known| known == letter)?;
            bits = (bits << 6) | u32::try_from(six).ok()?;
        }
        bits <<= 6 * (4 - n_letters.min(4));
        let n_bytes = n_letters.checked_sub(1)?;
        bytes.extend(bits.to_be_bytes().iter().skip(1).take(n_bytes));
    }
    // Writing it again settles padding, stray bits and groups in the middle that are not full.
    if encode(&bytes) == text { Some(bytes) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_texts_read_and_write() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).as_deref(), Some(bytes.as_bytes()));
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(decode(&encode(&all)), Some(all));
    }

    #[test]
    fn what_was_not_written_by_us_is_refused() {
        for text in ["Z", "Zg", "Zg=", "Zh==", "Zg==Zg==", "Zm9v\n", "====", "Zm=v", "한글"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
