//! How far a long command has come: one line on standard error, redrawn, and only on a terminal.
//!
//! The idea: whoever works says how much of how much is done as often as it likes; the line is drawn ten times a second
//! at most and is gone at the end, so nothing of it is left in a result or a log.

use std::io::{IsTerminal, Write};

use crate::time::{Clock, Ms, SystemClock};

/// Cells of the bar.
const CELLS: usize = 30;
/// Between two drawings, ms.
const EVERY: Ms = 100;

/// A line that shows progress; silent where standard error is no terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    on: bool,
    what: &'static str,
    drawn: Ms,
    anything: bool,
}

impl Progress {
    /// Nothing is drawn yet.
    pub(crate) fn new(what: &'static str) -> Self {
        Self { on: std::io::stderr().is_terminal(), what, drawn: SystemClock.elapsed(), anything: false }
    }

    /// From here on it is about something else.
    pub(crate) fn turn_to(&mut self, what: &'static str) {
        self.what = what;
    }

    /// So much of so much is done.
    pub(crate) fn at(&mut self, done: usize, of: usize) {
        if !self.on {
            return;
        }
        let now = SystemClock.elapsed();
        if now - self.drawn < EVERY {
            return;
        }
        self.drawn = now;
        self.anything = true;
        let _ = write!(std::io::stderr(), "\r{}", bar(self.what, done, of));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.anything {
            // Erases the line: what follows is the result.
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn bar(what: &str, done: usize, of: usize) -> String {
    let done = done.min(of);
    let filled = (done * CELLS).checked_div(of).unwrap_or(CELLS);
    let percent = (done * 100).checked_div(of).unwrap_or(100);
    format!("{what:<9} [{}{}] {percent:>3} %", "█".repeat(filled), "░".repeat(CELLS - filled))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_full_at_the_end_and_not_before() {
        assert!(!bar("replaying", 0, 10).contains('█') && bar("replaying", 0, 10).ends_with("  0 %"));
        assert!(bar("replaying", 9, 10).contains('░') && bar("replaying", 9, 10).ends_with(" 90 %"));
        assert!(!bar("replaying", 10, 10).contains('░') && bar("replaying", 10, 10).ends_with("100 %"));
        assert!(bar("reading", 0, 0).ends_with("100 %"));
    }
}
