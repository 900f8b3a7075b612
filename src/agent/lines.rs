//! What a line of a log file says: its text, whatever bytes it holds, and its level; and lines in parcels.
//!
//! The idea: pure functions over bytes. A level is believed where a logger writes it (a word in capitals near the
//! beginning, `[error]`, `level=error`, `"level":"error"`), not where prose happens to say "no error".

/// Longest text of a line; the rest is cut. A stack of exceptions on one line shall not fill the record.
pub(super) const LINE_BYTES_MAX: usize = 8 * 1_024;
/// A level stands near the beginning, behind time stamps and names.
const LEVEL_BYTES: usize = 256;

/// Bytes of lines in one record: half of what a record may have.
const PARCEL_BYTES: usize = 512 * 1_024;
/// What a line takes beside its text: time, level, punctuation.
const LINE_FRAME_BYTES: usize = 32;

/// One line: its level, and its text.
pub(super) type LevelText = (&'static str, String);

/// Words of loggers and the level that they stand for.
const WORDS: [(&str, &str); 19] = [
    ("alert", "FATAL"),
    ("crit", "FATAL"),
    ("critical", "FATAL"),
    ("emerg", "FATAL"),
    ("fatal", "FATAL"),
    ("panic", "FATAL"),
    ("err", "ERROR"),
    ("error", "ERROR"),
    ("severe", "ERROR"),
    ("warn", "WARN"),
    ("warning", "WARN"),
    ("config", "INFO"),
    ("info", "INFO"),
    ("information", "INFO"),
    ("notice", "INFO"),
    ("debug", "DEBUG"),
    ("fine", "DEBUG"),
    ("trace", "DEBUG"),
    ("verbose", "DEBUG"),
];

/// The text of a line without its end, at most [`LINE_BYTES_MAX`] bytes. What is not UTF-8 is read as EUC-KR (CP949),
/// and where it is neither the bytes that fit nothing are replaced.
pub(super) fn text(line: &[u8]) -> String {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let mut text = match std::str::from_utf8(line) {
        Ok(text) => text.to_owned(),
        Err(_) => {
            let korean = encoding_rs::EUC_KR.decode_without_bom_handling_and_without_replacement(line);
            korean.map_or_else(|| String::from_utf8_lossy(line).into_owned(), std::borrow::Cow::into_owned)
        }
    };
    text.truncate(text.floor_char_boundary(LINE_BYTES_MAX));
    text
}

/// The level of a line; empty where none is written.
pub(super) fn level(text: &str) -> &'static str {
    let head = text.get(..text.floor_char_boundary(LEVEL_BYTES)).unwrap_or_default();
    let bytes = head.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let length = bytes.iter().skip(at).take_while(|byte| byte.is_ascii_alphabetic()).count();
        if let Some(word) = head.get(at..at + length).filter(|word| !word.is_empty())
            && let Some(level) = level_of(word)
            && is_written(head, at, word)
        {
            return level;
        }
        at += length.max(1);
    }
    ""
}

fn level_of(word: &str) -> Option<&'static str> {
    WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known)).map(|(_, level)| *level)
}

/// Whether the word at `at` is a logger's and not prose.
fn is_written(head: &str, at: usize, word: &str) -> bool {
    let (before, rest) = head.split_at(at);
    let after = rest.get(word.len()..).unwrap_or_default();
    let joined = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.');
    if before.ends_with(joined) || after.starts_with(|c: char| joined(c) && c != '.') {
        return false;
    }
    let bracketed = before.ends_with(['[', '<', '(']) && after.starts_with([']', '>', ')']);
    let key = before.trim_end_matches(['"', '\'', '=', ':', ' ']);
    let assigned = key.len() < before.len()
        && ["level", "lvl", "severity"].iter().any(|name| {
            key.get(key.len().saturating_sub(name.len())..).is_some_and(|end| end.eq_ignore_ascii_case(name))
        });
    bracketed || assigned || word.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// Lines in records that a door takes, whatever has to be escaped in them.
pub(super) fn parcels(lines: Vec<LevelText>) -> Vec<Vec<LevelText>> {
    let mut parcels: Vec<Vec<LevelText>> = Vec::new();
    let mut bytes = PARCEL_BYTES;
    for line in lines {
        // A control character takes six bytes, a quotation mark two.
        let text: usize = line.1.bytes().map(|byte| if byte < 0x20 { 6 } else { 2 }).sum();
        bytes += text + LINE_FRAME_BYTES;
        match parcels.last_mut() {
            Some(parcel) if bytes <= PARCEL_BYTES => parcel.push(line),
            _ => {
                bytes = text + LINE_FRAME_BYTES;
                parcels.push(vec![line]);
            }
        }
    }
    parcels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Draft;

    #[test]
    fn a_level_is_found_where_loggers_write_it() {
        let lines = [
            ("2026-11-25 12:00:00,123 ERROR [main] c.e.Dispatch - connection refused", "ERROR"),
            ("2026-11-25T12:00:00Z  WARN bongsu: waiting", "WARN"),
            ("[Tue Nov 25 12:00:00 2026] [error] [client 192.0.2.1] File does not exist", "ERROR"),
            ("time=12:00 level=warning msg=\"no error\"", "WARN"),
            ("{\"ts\":1,\"level\":\"fatal\",\"msg\":\"INFO\"}", "FATAL"),
            ("{\"severity\": \"Critical\"}", "FATAL"),
            ("Nov 25 12:00:00 db-01 postgres[7]: FATAL: too many connections", "FATAL"),
            ("SEVERE: Servlet.service() threw", "ERROR"),
            ("I am in no error at all", ""),
            ("GET /ERROR/INFO.html 200", ""),
            ("ERRORS were not found, INFO_ONLY", ""),
            ("", ""),
            ("오류 ERROR 연결 실패", "ERROR"),
        ];
        for (line, expected) in lines {
            assert_eq!(level(line), expected, "`{line}`");
        }
        assert_eq!(level(&format!("{} ERROR", "가".repeat(200))), "", "far behind the beginning");
    }

    #[test]
    fn any_bytes_become_text() {
        assert_eq!(text("연결 실패\r".as_bytes()), "연결 실패");
        assert_eq!(text(&encoding_rs::EUC_KR.encode("연결 실패").0), "연결 실패");
        assert_eq!(text(b"bad \xff\xfe end"), "bad \u{fffd}\u{fffd} end");
        assert_eq!(text(b"a\0b"), "a\0b");
        let long = text("가".repeat(LINE_BYTES_MAX).as_bytes());
        assert!(long.len() <= LINE_BYTES_MAX && long.len() > LINE_BYTES_MAX - 3);
    }

    #[test]
    fn lines_are_parcelled_so_that_a_door_takes_them() {
        let line = |text: &str, n: usize| ("", text.repeat(n));
        let lines: Vec<_> = (0..200).map(|n| line(if n % 2 == 0 { "\u{1}" } else { "x" }, 8_192)).collect();
        let parcels = parcels(lines.clone());
        assert!(parcels.len() > 1);
        for parcel in &parcels {
            let lines = parcel.iter().map(|(level, text)| (1, *level, text.clone())).collect();
            let (_, rest) = Draft { ts: 1, host: "a".to_owned(), lines, ..Draft::default() }.render();
            assert!(rest.len() <= 1 << 20, "{}", rest.len());
        }
        assert_eq!(parcels.concat(), lines);
    }
}
