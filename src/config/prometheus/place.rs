//! Places inside a text of a YAML file: bytes of an expression or a template as line and column of the file.
//!
//! The idea: the parser gives a scalar's value and where it begins, but quotes, escapes, indentation and folding lie
//! between the two. What all of them change is white space and escapes alone; so the file is read again from the
//! scalar's beginning, and the characters that are no white space are matched one to one. Where that fails (it cannot,
//! for a file that was parsed), the scalar's own place is the answer.

use std::ops::Range;

use crate::config::problem::Mark;
use crate::config::tree::{Data, Node, Style};

/// The place in `source` of the bytes `at` of `node`'s text.
pub(in crate::config) fn inside(source: &str, node: &Node, at: &Range<usize>) -> Mark {
    let before =
        |line: usize| source.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum::<usize>().into();
    placed(source, before(node.at.line), node, at)
}

/// A text with its lines found: asked for many places, a long file is not counted through for each.
#[derive(Debug)]
pub(in crate::config) struct Lines<'s> {
    text: &'s str,
    starts: Vec<usize>,
}

impl<'s> Lines<'s> {
    /// Finds the lines of `text`.
    pub(in crate::config) fn of(text: &'s str) -> Self {
        let behind = text.match_indices('\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(behind).collect() }
    }

    /// As [`inside`].
    pub(in crate::config) fn inside(&self, node: &Node, at: &Range<usize>) -> Mark {
        let start = node.at.line.checked_sub(1).and_then(|line| self.starts.get(line));
        placed(self.text, start.copied(), node, at)
    }
}

/// The place of the bytes `at` of `node`'s text, whose line begins at `start`.
fn placed(source: &str, start: Option<usize>, node: &Node, at: &Range<usize>) -> Mark {
    let Data::Scalar { text, style } = &node.data else { return node.at };
    let Some(mut reader) = start.and_then(|start| Reader::at(source, start, node.at, *style)) else { return node.at };
    let (mut start, mut end): (Option<Mark>, Option<Mark>) = (None, None);
    let mut last = None;
    for (n, wanted) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        let Some((mark, found)) = reader.next_mark() else { return node.at };
        if found != wanted {
            return node.at;
        }
        if n >= at.start && start.is_none() {
            start = Some(mark);
        }
        if n < at.end {
            end = Some(mark);
        }
        last = Some(mark);
        if n >= at.end && start.is_some() {
            break;
        }
    }
    match (start, end, last) {
        (Some(from), Some(to), _) if to.line == from.line && to.col >= from.col => {
            Mark::new(from.line, from.col, to.col + to.len - from.col)
        }
        (Some(from), ..) => from,
        // Behind the end: something is missing there.
        (None, _, Some(last)) => Mark::new(last.line, last.col + last.len, 1),
        (None, _, None) => node.at,
    }
}

/// Walks over the characters of a scalar as it stands in the file.
struct Reader<'s> {
    rest: std::iter::Peekable<std::str::Chars<'s>>,
    line: usize,
    col: usize,
    style: Style,
}

impl<'s> Reader<'s> {
    fn at(source: &'s str, start: usize, mark: Mark, style: Style) -> Option<Self> {
        let line = source.get(start..)?;
        let skipped: usize = line.chars().take(mark.col.checked_sub(1)?).map(char::len_utf8).sum();
        let rest = line.get(skipped..)?.chars().peekable();
        let mut reader = Self { rest, line: mark.line, col: mark.col, style };
        // An anchor or a tag before the text; no text without quotes begins with these signs.
        while matches!(reader.rest.peek(), Some('&' | '!')) {
            while reader.step().is_some_and(|c| !c.is_whitespace()) {}
            while reader.rest.peek().is_some_and(|c| c.is_whitespace()) {
                reader.step();
            }
        }
        match (style, reader.rest.peek()) {
            (Style::Single, Some('\'')) | (Style::Double, Some('"')) => {
                reader.step();
            }
            // The indicator's line holds nothing of the text.
            (Style::Block, Some('|' | '>')) => while reader.step().is_some_and(|c| c != '\n') {},
            _ => {}
        }
        Some(reader)
    }

    fn step(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        if c == '\n' {
            self.line += 1;
            self.col = 1;
        } else {
            self.col += 1;
        }
        Some(c)
    }

    /// The next character that is no white space, escapes undone, and where it stands.
    fn next_mark(&mut self) -> Option<(Mark, char)> {
        loop {
            let (line, col) = (self.line, self.col);
            let c = self.step()?;
            let meant = match (self.style, c) {
                (Style::Single, '\'') => {
                    self.step();
                    '\''
                }
                (Style::Double, '\\') => self.escape()?,
                _ => c,
            };
            if !meant.is_whitespace() {
                return Some((Mark::new(line, col, if self.line == line { self.col - col } else { 1 }), meant));
            }
        }
    }

    /// What a backslash in double quotes stands for; white space where only that it is some matters.
    fn escape(&mut self) -> Option<char> {
        let c = self.step()?;
        let digits = match c {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            '0' => return Some('\0'),
            'a' => return Some('\u{7}'),
            'b' => return Some('\u{8}'),
            'e' => return Some('\u{1b}'),
            'n' | 't' | 'r' | 'v' | 'f' | 'N' | '_' | 'L' | 'P' => return Some(' '),
            other => return Some(other),
        };
        let code: String = (0..digits).map_while(|_| self.step()).collect();
        u32::from_str_radix(&code, 16).ok().and_then(char::from_u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::problem::Notes;
    use crate::config::tree;

    /// Where the first `what` of the value of `expr` stands, as the text from there on.
    fn found(source: &str, what: &str) -> String {
        let mut notes = Notes::new("a.yaml");
        let root = tree::parse(source, &mut notes).unwrap_or_else(|| panic!("{source}: {notes:?}"));
        let node = root.get("expr").unwrap();
        let start = node.as_text().unwrap().find(what).unwrap();
        let mark = inside(source, node, &(start..start + what.len()));
        let line = source.lines().nth(mark.line - 1).unwrap();
        line.chars().skip(mark.col - 1).take(mark.len).collect()
    }

    #[test]
    fn every_way_to_write_a_text_is_found_again() {
        for source in [
            "expr: 가나 + rate(x[5m])\n",
            "# 설명\n한글: 1\nexpr:    '가''나 + rate(x[5m])'\n",
            "expr: \"\\\"가\\\" \\u0041 + rate(x[5m])\"\n",
            "expr: \"a +\\n  \\\n   rate(x[5m])\"\n",
            "expr: |\n  가나\n    +\n  \trate(x[5m])\n",
            "expr: |-\n\n  가나 +\n  rate(x[5m])\n",
            "expr: >\n  a +\n  b +\n\n  rate(x[5m]) # 끝\n",
            "expr: >-   # 접음\n    a\n      + rate(x[5m])\n",
            "expr: a +\n  b + rate(x[5m])\n",
            "x: &e 'a + rate(x[5m])'\nexpr: *e\n",
            "expr: |2\n    a + rate(x[5m])\n",
            "expr: \"a\r\n  + rate(x[5m])\"\r\n",
        ] {
            assert_eq!(found(source, "rate(x[5m])"), "rate(x[5m])", "{source}");
        }
    }

    #[test]
    fn what_is_missing_is_shown_behind_the_end() {
        let source = "expr: |\n  sum(a\n";
        let mut notes = Notes::new("a.yaml");
        let root = tree::parse(source, &mut notes).unwrap();
        let node = root.get("expr").unwrap();
        let text = node.as_text().unwrap();
        assert_eq!(inside(source, node, &(text.len()..text.len())), Mark::new(2, 8, 1));
    }
}
