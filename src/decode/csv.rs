//! Files of bare numbers: `timestamp,value` with the series given beside the file.
//!
//! The idea: an iterator over rows that reports a bad row with its line number and goes on. The header is required and
//! says which columns count (`timestamp` and `value`, any case, any position), so that a file of something else is
//! refused at once instead of row by row. Not a general CSV reader: quotes are taken around a field, not inside it.

use crate::decode::{Draft, Point};
use crate::model::Labels;
use crate::time::{Ms, parse_instant};

/// One number of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    /// Its line, from 1.
    pub line: usize,
    /// Sample time, ms since the epoch.
    pub at: Ms,
    /// The number; finite.
    pub value: f64,
}

/// A line that cannot be used; the rest of the file can.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct CsvError {
    /// Its line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// The rows of a file, in its order.
#[derive(Debug, Clone)]
pub struct Csv<'a> {
    lines: std::iter::Enumerate<std::str::Lines<'a>>,
    columns: Option<(usize, usize)>,
    offset: Ms,
}

impl<'a> Csv<'a> {
    /// Reads `text`; time stamps without a zone are taken at `offset` from UTC. An empty file, or one without a usable
    /// header, gives one error and no rows.
    pub fn new(text: &'a str, offset: Ms) -> Self {
        Self { lines: text.trim_start_matches('\u{feff}').lines().enumerate(), columns: None, offset }
    }

    fn row(&self, line: usize, text: &str, (time, value): (usize, usize)) -> Result<Row, CsvError> {
        let bad = |what: String| CsvError { line, what };
        let field = |n: usize| text.split(',').nth(n).map(bare);
        let (Some(time), Some(value)) = (field(time), field(value)) else {
            return Err(bad("too few columns".to_owned()));
        };
        let at = parse_instant(time, self.offset).ok_or_else(|| bad(format!("`{time}` is not a time stamp")))?;
        let value: f64 = value.parse().map_err(|_| bad(format!("`{value}` is not a number")))?;
        if !value.is_finite() {
            return Err(bad(format!("`{value}` is not a finite number")));
        }
        Ok(Row { line, at, value })
    }
}

impl Iterator for Csv<'_> {
    type Item = Result<Row, CsvError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (n, text) = self.lines.next()?;
            let line = n + 1;
            let Some(columns) = self.columns else {
                self.columns = header(text);
                if self.columns.is_none() {
                    self.lines = "".lines().enumerate();
                    let what = "the header names no columns `timestamp` and `value`".to_owned();
                    return Some(Err(CsvError { line, what }));
                }
                continue;
            };
            if !text.trim().is_empty() {
                return Some(self.row(line, text, columns));
            }
        }
    }
}

impl Row {
    /// The row as a record, for readers that want bytes. The source is the label `host`, or `file` without one.
    pub fn record(&self, metric: &str, labels: &Labels) -> Vec<u8> {
        let own = labels.iter().filter(|(name, _)| *name != "host");
        let draft = Draft {
            ts: self.at,
            host: labels.get("host").unwrap_or("file").to_owned(),
            labels: own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            points: vec![Point { name: metric.to_owned(), value: self.value, labels: Vec::new() }],
            ..Draft::default()
        };
        let (head, rest) = draft.render();
        (head + &rest).into_bytes()
    }
}

fn bare(field: &str) -> &str {
    let field = field.trim();
    field.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(field)
}

/// Which columns hold time and value.
fn header(text: &str) -> Option<(usize, usize)> {
    let at = |name: &str| text.split(',').position(|field| bare(field).eq_ignore_ascii_case(name));
    Some((at("timestamp")?, at("value")?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::KST;

    fn rows(text: &str, offset: Ms) -> Vec<Result<Row, CsvError>> {
        Csv::new(text, offset).collect()
    }

    #[test]
    fn both_known_headers_are_read() {
        let plain = rows("timestamp,value\n2014-02-14 14:27:00,51.8\n", 0);
        assert_eq!(plain, [Ok(Row { line: 2, at: 1_392_388_020_000, value: 51.8 })]);
        let labelled = rows("TimeStamp,Value,Label\r\n\"2014-02-14 14:27:00\",1,0\r\n", KST);
        assert_eq!(labelled, [Ok(Row { line: 2, at: 1_392_388_020_000 - KST, value: 1.0 })]);
        let turned = rows("\u{feff}id,VALUE,timestamp\nx,2e3,1392388020000", 0);
        assert_eq!(turned, [Ok(Row { line: 2, at: 1_392_388_020_000, value: 2_000.0 })]);
    }

    #[test]
    fn a_bad_line_is_named_and_the_next_one_is_read() {
        let text =
            "timestamp,value\nyesterday,1\n2014-02-14 14:27:00,NaN\n2014-02-14 14:27:00\n\n2014-02-14 14:27:00,7\n";
        let all = rows(text, 0);
        let lines: Vec<_> = all.iter().map(|r| r.as_ref().map_or_else(|e| e.line, |r| r.line)).collect();
        assert_eq!(lines, [2, 3, 4, 6]);
        assert_eq!(all.iter().filter(|r| r.is_ok()).count(), 1);
        assert_eq!(all[0].as_ref().unwrap_err().to_string(), "line 2: `yesterday` is not a time stamp");
    }

    #[test]
    fn a_file_of_something_else_gives_one_error() {
        assert_eq!(rows("{\"v\":1}\n{\"v\":1}\n", 0).len(), 1);
        assert_eq!(rows("", 0).len(), 0);
    }

    #[test]
    fn a_row_becomes_a_record() {
        let row = Row { line: 2, at: 5, value: 1.5 };
        let labels = Labels::new([("host", "i-1"), ("zone", "a")]);
        assert_eq!(
            String::from_utf8(row.record("cpu", &labels)).unwrap(),
            r#"{"v":1,"ts":5,"host":"i-1","labels":{"zone":"a"},"points":[["cpu",1.5]]}"#
        );
    }
}
