//! A record being written: the other direction of `bongsu.rs`, for the agent and for files of bare numbers.
//!
//! The idea: `sent` is the one field that is known only at hand-over, so a draft renders with a hole where it goes
//! ([`Draft::render`] returns both halves) and a record that waits is stamped anew without being built again, also when
//! it waited outside of the process ([`stamp`]).

use std::fmt::Write as _;

use crate::time::Ms;

/// What a rendered record begins with, up to the digits of its time.
const HEAD: &[u8] = b"{\"v\":1,\"ts\":";
/// What follows the hole.
const REST: &[u8] = b"\"host\":";

/// One record before it is bytes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Draft {
    /// When the numbers were taken, ms since the epoch.
    pub ts: Ms,
    /// The source.
    pub host: String,
    /// Labels of the whole record, without `host`.
    pub labels: Vec<(String, String)>,
    /// The numbers. What is not finite is left out when rendering.
    pub points: Vec<Point>,
    /// The log lines: when, level, text.
    pub lines: Vec<(Ms, &'static str, String)>,
}

/// One number of a draft.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Point {
    /// Metric name.
    pub name: String,
    /// The number.
    pub value: f64,
    /// Labels of this point alone.
    pub labels: Vec<(&'static str, String)>,
}

impl Draft {
    /// The record as text in two halves; between them goes `"sent":<ms>,`, or nothing.
    pub fn render(&self) -> (String, String) {
        let head = format!("{{\"v\":1,\"ts\":{},", self.ts);
        let mut rest = String::with_capacity(64 + self.points.len() * 64);
        rest.push_str("\"host\":");
        quote(&mut rest, &self.host);
        if !self.labels.is_empty() {
            rest.push_str(",\"labels\":");
            object(&mut rest, self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        }
        if self.lines.is_empty() || !self.points.is_empty() {
            self.render_points(&mut rest);
        }
        if !self.lines.is_empty() {
            self.render_lines(&mut rest);
        }
        rest.push('}');
        (head, rest)
    }

    fn render_points(&self, rest: &mut String) {
        rest.push_str(",\"points\":[");
        let mut first = true;
        for Point { name, value, labels } in self.points.iter().filter(|point| point.value.is_finite()) {
            rest.push_str(if first { "[" } else { ",[" });
            first = false;
            quote(rest, name);
            // `Display` of an `f64` is the shortest text that reads back as the same number, without an exponent.
            let _ = write!(rest, ",{value}");
            if !labels.is_empty() {
                rest.push(',');
                object(rest, labels.iter().map(|(name, value)| (*name, value.as_str())));
            }
            rest.push(']');
        }
        rest.push(']');
    }

    fn render_lines(&self, rest: &mut String) {
        rest.push_str(",\"lines\":[");
        for (n, (ts, level, text)) in self.lines.iter().enumerate() {
            let _ = write!(rest, "{}[{ts},", if n > 0 { "," } else { "" });
            quote(rest, level);
            rest.push(',');
            quote(rest, text);
            rest.push(']');
        }
        rest.push(']');
    }
}

/// The record `waiting`, which was rendered without `sent`, with `sent` in it; `None` where it is no such record.
pub fn stamp(waiting: &[u8], sent: Ms) -> Option<Vec<u8>> {
    let digits = waiting.strip_prefix(HEAD)?.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'-').count();
    let (head, rest) = waiting.split_at_checked(HEAD.len() + digits + 1)?;
    if digits == 0 || !head.ends_with(b",") || !rest.starts_with(REST) {
        return None;
    }
    let hole = format!("\"sent\":{sent},");
    Some([head, hole.as_bytes(), rest].concat())
}

fn object<'a>(text: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    text.push('{');
    for (n, (name, value)) in pairs.enumerate() {
        if n > 0 {
            text.push(',');
        }
        quote(text, name);
        text.push(':');
        quote(text, value);
    }
    text.push('}');
}

/// Appends `plain` as a JSON string.
pub(super) fn quote(text: &mut String, plain: &str) {
    text.push('"');
    for c in plain.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(text, "\\u{:04x}", u32::from(c));
            }
            c => text.push(c),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_draft_is_json_whatever_its_strings_hold() {
        let draft = Draft {
            ts: 1_764_000_000_000,
            host: "db\"01".to_owned(),
            labels: vec![("env".to_owned(), "생산\n\\".to_owned())],
            points: vec![
                Point { name: "a".to_owned(), value: 0.1, labels: vec![] },
                Point { name: "b".to_owned(), value: f64::NAN, labels: vec![] },
                Point { name: "c".to_owned(), value: 1e21, labels: vec![("mountpoint", "/a\tb".to_owned())] },
            ],
            lines: vec![(7, "ERROR", "say \"no\"\u{0}".to_owned()), (8, "", String::new())],
        };
        let (head, rest) = draft.render();
        let value: serde_json::Value = serde_json::from_str(&format!("{head}\"sent\":5,{rest}")).unwrap();
        assert_eq!(
            value,
            serde_json::json!({"v":1,"ts":1_764_000_000_000_i64,"sent":5,"host":"db\"01","labels":{"env":"생산\n\\"},
                "points":[["a",0.1],["c",1e21,{"mountpoint":"/a\tb"}]],
                "lines":[[7,"ERROR","say \"no\"\u{0}"],[8,"",""]]})
        );
        let lines = Draft { points: Vec::new(), ..draft }.render().1;
        assert!(lines.contains("\"lines\"") && !lines.contains("points"), "{lines}");
    }

    #[test]
    fn a_rendered_record_is_stamped_wherever_it_waited() {
        let draft = Draft { ts: -5, host: "a\"host\":".to_owned(), ..Draft::default() };
        let (head, rest) = draft.render();
        assert_eq!(stamp(format!("{head}{rest}").as_bytes(), 7), Some(format!("{head}\"sent\":7,{rest}").into_bytes()));
        for text in [
            "",
            "{}",
            "{\"v\":1,\"ts\":",
            "{\"v\":1,\"ts\":5",
            "{\"v\":1,\"ts\":,\"host\":",
            "{\"v\":1,\"ts\":5,\"x\":1}",
        ] {
            assert_eq!(stamp(text.as_bytes(), 7), None, "`{text}`");
        }
    }
}
