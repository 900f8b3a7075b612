//! `bongsu check`: everything wrong in configuration, rules, contacts, chains and scenarios, all at once.
//!
//! The idea: [`crate::config::load`] finds the problems; this only chooses the paths, prints and gives the exit code.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::config::{self, Ask, Loaded};
use crate::time::Ms;

/// Looked at where no path is given.
const DEFAULT_PATH: &str = "configs";

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Human,
    /// One object per line.
    Json,
}

/// Arguments of `bongsu check`.
#[derive(Debug, Clone, Default, Args)]
pub struct CheckArgs {
    /// A folder with bongsu.yaml, a folder of rule files, or single files; `configs` where none is given
    pub paths: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Warnings count as problems
    #[arg(long)]
    pub strict: bool,
    /// Explains a problem id and ends; `all` lists every one
    #[arg(long, value_name = "ID")]
    pub explain: Option<String>,
    /// Prints every key of every edited file and ends
    #[arg(long)]
    pub keys: bool,
}

#[derive(Serialize)]
struct Summary {
    r#type: &'static str,
    files: usize,
    rules: usize,
    refused: usize,
    errors: usize,
    warnings: usize,
}

/// Runs the command: prints to `out`, gives the exit code (0 nothing wrong, 1 problems, 2 could not run).
pub fn run(args: &CheckArgs, out: &mut dyn Write, now: Ms) -> u8 {
    // A reader that went away (`| head`) is no failure of the check.
    let code = answer(args, out, now);
    let _ = out.flush();
    code.unwrap_or(0)
}

fn answer(args: &CheckArgs, out: &mut dyn Write, now: Ms) -> std::io::Result<u8> {
    if let Some(id) = &args.explain {
        return explain(id, out);
    }
    if args.keys {
        write!(out, "{}", config::key_reference())?;
        return Ok(0);
    }
    let default = [PathBuf::from(DEFAULT_PATH)];
    let paths = if args.paths.is_empty() { &default[..] } else { &args.paths };
    if let Some(path) = paths.iter().find(|path| !path.exists()) {
        writeln!(
            out,
            "{}: no such file or folder\n  = help: name a folder with bongsu.yaml, or a file",
            path.display()
        )?;
        return Ok(2);
    }
    let env = config::environment();
    let loaded = config::load(paths, &Ask { env: &env, now, whole: false });
    match args.format {
        Format::Human => human(&loaded, out)?,
        Format::Json => json(&loaded, out)?,
    }
    let wrong = loaded.errors() > 0 || (args.strict && loaded.warnings() > 0);
    Ok(u8::from(wrong))
}

fn explain(id: &str, out: &mut dyn Write) -> std::io::Result<u8> {
    if id == "all" {
        for (id, text) in config::EXPLAINED {
            writeln!(out, "{id}: {text}")?;
        }
        return Ok(0);
    }
    match config::explain(id) {
        Some(text) => {
            writeln!(out, "{id}: {text}")?;
            Ok(0)
        }
        None => {
            writeln!(out, "`{id}`: no such problem id\n  = help: `--explain all` lists them")?;
            Ok(2)
        }
    }
}

fn human(loaded: &Loaded, out: &mut dyn Write) -> std::io::Result<()> {
    for problem in &loaded.problems {
        writeln!(out, "{}", problem.to_human(loaded.text(problem)))?;
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    let refused = if loaded.refused == 0 { String::new() } else { format!(" ({} refused)", loaded.refused) };
    writeln!(
        out,
        "{}, {}{refused}: {}, {}",
        count(loaded.files.len(), "file"),
        count(loaded.rule_count(), "rule"),
        count(loaded.errors(), "error"),
        count(loaded.warnings(), "warning")
    )
}

fn json(loaded: &Loaded, out: &mut dyn Write) -> std::io::Result<()> {
    for problem in &loaded.problems {
        writeln!(out, "{}", problem.to_json())?;
    }
    let summary = Summary {
        r#type: "summary",
        files: loaded.files.len(),
        rules: loaded.rule_count(),
        refused: loaded.refused,
        errors: loaded.errors(),
        warnings: loaded.warnings(),
    };
    writeln!(out, "{}", serde_json::to_string(&summary)?)
}
