//! `bongsu check`: everything wrong in configuration, rules, contacts, chains and scenarios, all at once.
//!
//! The idea: [`crate::config::load`] finds the problems; this only chooses the paths, prints and gives the exit code.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::config::{self, Ask, Loaded, Problem, Traffic};
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
    /// A folder with bongsu.yaml, a folder of rule files, or single files, those of Prometheus and
    /// Alertmanager among them; `configs` where none is given
    pub paths: Vec<PathBuf>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Warnings count as problems
    #[arg(long)]
    pub strict: bool,
    /// Explains a problem id and ends; `all`, or none, lists every one
    #[arg(long, value_name = "ID", num_args = 0..=1, default_missing_value = "all")]
    pub explain: Option<String>,
    /// Prints every key of every edited file and ends
    #[arg(long)]
    pub keys: bool,
    /// Judges the rules against recorded traffic too: NDJSON as `bongsu record` writes it
    #[arg(long, value_name = "FILE")]
    pub sample: Option<PathBuf>,
    /// Prints the JSON Schema of a kind of file and ends: bongsu, rules, contacts, chains, inventory, calendar
    #[arg(long, value_name = "KIND", num_args = 0..=1, default_missing_value = "rules")]
    pub schema: Option<String>,
}

#[derive(Serialize)]
struct Summary {
    r#type: &'static str,
    files: usize,
    rules: usize,
    refused: usize,
    errors: usize,
    warnings: usize,
    #[serde(skip_serializing_if = "is_none")]
    silenced: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(n: &usize) -> bool {
    *n == 0
}

/// What a rule would have seen of a recording.
#[derive(Serialize)]
struct Sampled<'a> {
    r#type: &'static str,
    rule: &'a str,
    series: usize,
    identities: usize,
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
    if let Some(kind) = &args.schema {
        return schema(kind, out);
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
    let ask = Ask { env: &env, now, whole: false };
    let loaded = config::load(paths, &ask);
    // The inventory joins labels, so it has to be read before the recording.
    let traffic = args.sample.as_deref().map(|path| Traffic::read(path, &loaded.inventory)).transpose();
    let traffic = match traffic {
        Ok(traffic) => traffic,
        Err(error) => {
            writeln!(out, "{error}")?;
            return Ok(2);
        }
    };
    let loaded = traffic.as_ref().map_or(loaded, |traffic| config::load_against(paths, &ask, traffic));
    match args.format {
        Format::Human => human(&loaded, traffic.as_ref(), out)?,
        Format::Json => json(&loaded, traffic.as_ref(), out)?,
    }
    let wrong = loaded.errors() > 0 || (args.strict && loaded.warnings() > 0);
    Ok(u8::from(wrong))
}

fn explain(id: &str, out: &mut dyn Write) -> std::io::Result<u8> {
    if id == "all" {
        for (id, text) in config::EXPLAINED {
            writeln!(out, "{id}: {text}")?;
        }
        for check in config::CHECKS {
            writeln!(out, "{} ({}): {}", check.id, check.level.word(), check.what)?;
        }
        return Ok(0);
    }
    match config::explain(id) {
        Some(text) => {
            writeln!(out, "{text}")?;
            Ok(0)
        }
        None => {
            let near = config::similar(id).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            writeln!(out, "`{id}`: no such problem id\n  = help: {near}`--explain all` lists them")?;
            Ok(2)
        }
    }
}

fn schema(kind: &str, out: &mut dyn Write) -> std::io::Result<u8> {
    let name = |file: &str| file.trim_end_matches(".schema.json").to_owned();
    let wanted = kind.trim_end_matches(".yaml");
    match config::SCHEMAS.iter().find(|(file, _)| name(file) == wanted) {
        Some((_, draw)) => {
            write!(out, "{}", draw())?;
            Ok(0)
        }
        None => {
            let kinds: Vec<String> = config::SCHEMAS.iter().map(|(file, _)| name(file)).collect();
            writeln!(out, "`{kind}`: no such kind of file\n  = help: there are {}", kinds.join(", "))?;
            Ok(2)
        }
    }
}

fn human(loaded: &Loaded, traffic: Option<&Traffic>, out: &mut dyn Write) -> std::io::Result<()> {
    // A file with a mistake in each line is split once, not at each of them.
    let mut lines: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for problem in &loaded.problems {
        let text = || loaded.text(problem).unwrap_or("").lines().collect();
        let of_file = lines.entry(&problem.file).or_insert_with(text);
        writeln!(out, "{}", problem.drawn(of_file.get(problem.line.saturating_sub(1)).copied()))?;
    }
    let count = |n: usize, what: &str| format!("{n} {what}{}", if n == 1 { "" } else { "s" });
    if let Some(traffic) = traffic {
        for rule in &loaded.rules.rules {
            let seen = traffic.count(rule);
            let identities = if seen.identities == 1 { "identity" } else { "identities" };
            writeln!(out, "{}: {} series, {} {identities}", seen.rule, seen.series, seen.identities)?;
        }
        let refused = if traffic.refused == 0 { String::new() } else { format!(" ({} refused)", traffic.refused) };
        writeln!(out, "recording: {}{refused}", count(traffic.records, "record"))?;
    }
    let refused = if loaded.refused == 0 { String::new() } else { format!(" ({} refused)", loaded.refused) };
    let silenced =
        if loaded.silenced.is_empty() { String::new() } else { format!(", {} silenced", loaded.silenced.len()) };
    writeln!(
        out,
        "{}, {}{refused}: {}, {}{silenced}",
        count(loaded.files.len(), "file"),
        count(loaded.rule_count(), "rule"),
        count(loaded.errors(), "error"),
        count(loaded.warnings(), "warning")
    )
}

fn json(loaded: &Loaded, traffic: Option<&Traffic>, out: &mut dyn Write) -> std::io::Result<()> {
    let print = |problem: &Problem, out: &mut dyn Write| writeln!(out, "{}", problem.to_json());
    loaded.problems.iter().chain(&loaded.silenced).try_for_each(|problem| print(problem, out))?;
    if let Some(traffic) = traffic {
        for rule in &loaded.rules.rules {
            let seen = traffic.count(rule);
            let (rule, series, identities) = (seen.rule.as_str(), seen.series, seen.identities);
            let line = Sampled { r#type: "sampled", rule, series, identities };
            writeln!(out, "{}", serde_json::to_string(&line)?)?;
        }
    }
    let summary = Summary {
        r#type: "summary",
        files: loaded.files.len(),
        rules: loaded.rule_count(),
        refused: loaded.refused,
        errors: loaded.errors(),
        warnings: loaded.warnings(),
        silenced: loaded.silenced.len(),
    };
    writeln!(out, "{}", serde_json::to_string(&summary)?)
}
