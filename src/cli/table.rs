//! Columns for people: cells padded to their width on a terminal, where Hangul takes two cells.
//!
//! The idea: a table is rows of text; numbers are right-aligned because they are compared by eye. It knows nothing of
//! what it shows.

use unicode_width::UnicodeWidthStr;

/// Rows under one heading.
#[derive(Debug)]
pub(crate) struct Columns {
    rows: Vec<Vec<String>>,
    /// Columns from this one on are numbers.
    numbers_from: usize,
}

impl Columns {
    /// A table with this heading; columns from `numbers_from` on are right-aligned.
    pub(crate) fn new(heading: &[&str], numbers_from: usize) -> Self {
        Self { rows: vec![heading.iter().map(|cell| (*cell).to_owned()).collect()], numbers_from }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Whether there is nothing below the heading.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.len() < 2
    }

    /// The lines, without blanks at their ends.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width =
            |n: usize| self.rows.iter().filter_map(|row| row.get(n)).map(|cell| cell.width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let line = |row: &Vec<String>| {
            let cells = row.iter().zip(&widths).enumerate().map(|(n, (cell, width))| {
                let pad = " ".repeat(width.saturating_sub(cell.width()));
                if n < self.numbers_from { format!("{cell}{pad}") } else { format!("{pad}{cell}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        self.rows.iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hangul_takes_two_cells() {
        let mut table = Columns::new(&["rule", "pages"], 1);
        table.row(vec!["가나다".to_owned(), "7".to_owned()]);
        table.row(vec!["ab".to_owned(), "12".to_owned()]);
        assert_eq!(table.lines(), ["rule    pages", "가나다      7", "ab         12"]);
    }
}
