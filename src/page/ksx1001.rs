//! Counts a text message as the carriers do: KS X 1001, one byte for ASCII, two for everything else.
//!
//! The idea: `encoding_rs::EUC_KR` is really CP949, which also takes 8,822 syllables that KS X 1001 lacks and phones
//! show as `?`. KS X 1001 is exactly what it encodes to two bytes that are both at least 0xA1. A line feed counts as
//! two, since gateways may send CR LF.
//! [`normalise`] brings a text into that set before it is counted: one odd character never fails a page.

/// Bytes of `text` in KS X 1001, or the first character that it lacks.
pub fn len(text: &str) -> Result<usize, char> {
    let mut n = 0;
    for ch in text.chars() {
        n += match ch {
            '\n' => 2,
            _ if ch.is_ascii_control() => return Err(ch),
            _ if ch.is_ascii() => 1,
            _ if is_two_bytes(ch) => 2,
            _ => return Err(ch),
        };
    }
    Ok(n)
}

fn is_two_bytes(ch: char) -> bool {
    let mut buffer = [0u8; 4];
    let (bytes, _, unmappable) = encoding_rs::EUC_KR.encode(ch.encode_utf8(&mut buffer));
    !unmappable && matches!(bytes.as_ref(), [0xA1..=0xFE, 0xA1..=0xFE])
}

/// `text` with every character in KS X 1001: decomposed Hangul composed, typographic signs replaced by plain ones,
/// invisible ones dropped; a run of what is left over becomes one `□`.
pub fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut lost = false;
    for ch in compose(text) {
        if is_invisible(ch) {
            continue;
        }
        if let Some(plain) = plain(ch) {
            out.push_str(plain);
        } else if ch == '\n' || (ch.is_ascii() && !ch.is_ascii_control()) || is_two_bytes(ch) {
            out.push(ch);
        } else {
            if !lost {
                out.push('□');
            }
            lost = true;
            continue;
        }
        lost = false;
    }
    out
}

const fn is_invisible(ch: char) -> bool {
    matches!(ch, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2064}' | '\u{FE00}'..='\u{FE0F}')
        || matches!(ch, '\u{00AD}' | '\u{FEFF}' | '\r')
}

/// The plain sign that stands for a typographic one.
const fn plain(ch: char) -> Option<&'static str> {
    Some(match ch {
        '\t' | '\u{00A0}' | '\u{2000}'..='\u{200A}' | '\u{202F}' | '\u{205F}' => " ",
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{FE58}' | '\u{FE63}' => "-",
        '\u{2022}' | '\u{2027}' | '\u{2219}' | '\u{22C5}' | '\u{30FB}' => "·",
        '\u{301C}' => "~",
        '\u{20A9}' => "원",
        '\u{2033}' => "\"",
        '\u{2713}' | '\u{2714}' => "V",
        '\u{2717}' | '\u{2718}' => "X",
        'é' | 'è' | 'ê' => "e",
        'à' | 'á' | 'â' | 'ä' => "a",
        'ö' | 'ó' => "o",
        'ü' | 'ú' => "u",
        'ñ' => "n",
        'ç' => "c",
        _ => return None,
    })
}

/// Composes conjoining jamo to syllables, as file names and clipboards of some systems have them apart.
fn compose(text: &str) -> Vec<char> {
    let mut out: Vec<char> = Vec::with_capacity(text.len());
    for ch in text.chars() {
        let code = u32::from(ch);
        let joined = out.last().and_then(|last| {
            let before = u32::from(*last);
            match (before, code) {
                (0x1100..=0x1112, 0x1161..=0x1175) => {
                    char::from_u32(0xAC00 + ((before - 0x1100) * 21 + (code - 0x1161)) * 28)
                }
                (0xAC00..=0xD7A3, 0x11A8..=0x11C2) if (before - 0xAC00) % 28 == 0 => {
                    char::from_u32(before + (code - 0x11A7))
                }
                _ => None,
            }
        });
        match (joined, out.last_mut()) {
            (Some(syllable), Some(last)) => *last = syllable,
            _ => out.push(ch),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_2350_syllables_of_the_standard_count() {
        assert_eq!(('가'..='힣').filter(|ch| len(&ch.to_string()).is_ok()).count(), 2_350);
        assert_eq!(len("뷁"), Err('뷁'));
        assert_eq!(len("똠"), Err('똠'));
    }

    #[test]
    fn signs_count_as_the_carriers_count_them() {
        assert_eq!(len("a b"), Ok(3));
        assert_eq!(len("가\n나"), Ok(6));
        assert_eq!(len("·→℃①⑮■※㈜“”°×±"), Ok(26));
        for bad in ["😀", "•", "—", "₩", "é", "\u{A0}", "\u{200B}", "\t", "⑯"] {
            assert!(len(bad).is_err(), "{bad:?}");
        }
        let draft = "[긴급신고][장애발생]INC-2601-014 중대/응용구간 09:12 감지 응답없음. 관제콘솔 확인요망";
        assert_eq!(len(draft), Ok(85), "the draft's measured length");
    }

    #[test]
    fn whatever_is_normalised_can_be_counted() {
        for (text, plain) in [
            ("CPU\u{A0}•\u{200B}과다—₩1", "CPU ·과다-원1"),
            ("장애 😀😀 발생", "장애 □ 발생"),
            ("똠\u{FE0F}", "□"),
            ("\u{1112}\u{1161}\u{11AB}\u{1100}\u{1173}\u{11AF}", "한글"),
            ("a\r\nb\tc", "a\nb c"),
        ] {
            assert_eq!(normalise(text), plain);
            assert!(len(&normalise(text)).is_ok());
        }
    }
}
