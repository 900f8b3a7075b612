//! The commands of DESIGN §6; no logic of their own.

pub mod check;

use std::process::ExitCode;

/// Runs the command line and gives its exit code: 0 done, 1 ran and found problems, 2 could not run.
pub fn main() -> ExitCode {
    ExitCode::from(2)
}
