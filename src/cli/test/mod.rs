//! `bongsu test`: scenarios beside the rules, promtool's unit tests, promqltest scripts.
//!
//! The idea: whatever its notation, a test becomes a [`Case`] with a place, a name and a verdict; printing, JUnit and the
//! exit code know nothing else. What a test asks for and this version does not answer is *refused*: counted apart, never
//! as passed, and a problem.
//!
//! - `find`: which files there are. `play`: runs them. `coverage`: what no test ever showed. `print`, `junit`: results.

mod coverage;
mod find;
mod junit;
mod play;
mod print;

use std::path::PathBuf;

use regex::Regex;

use super::output::Format;
use crate::time::Ms;

/// Looked at where no path is given.
const DEFAULT_PATH: &str = "configs";

const HELP: &str = "\
What is found below PATH:
  scenarios          `scenarios:` of rule files (Prometheus's `groups:` too) and scenario files. What a file
                     does not bring along (rules, contacts, chains, inventory) comes from the configuration:
                     -c, else the bongsu.yaml of a folder above the file, else the people that are shipped.
                     `bongsu check --keys` lists what can be fed, done and expected.
  promtool's tests   YAML with `rule_files:` or `tests:`; the verdict is promtool's. All groups of the rule
                     files are evaluated every evaluation_interval. Native histograms are refused.
  promqltest         *.test scripts of `load` and `eval`.

--run REGEX chooses scenarios and promtool's test groups by their names, evals of scripts by their expression.
Exit code: 0 all passed; 1 some failed or were refused; 2 nothing could be run.";

/// `bongsu test`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = HELP)]
pub(crate) struct TestArgs {
    /// Folders or files; `configs` where none is given
    paths: Vec<PathBuf>,
    /// Only what has a name that this fits (may be given several times: one must fit)
    #[arg(long = "run", value_name = "REGEX")]
    run: Vec<Regex>,
    /// Configuration for what scenario files do not bring along
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Writes the results as JUnit XML, too
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Lists which rules, severities, recoveries and silences no test ever showed
    #[arg(long)]
    coverage: bool,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl TestArgs {
    /// Whether something called `name` was asked for.
    fn wants(&self, name: &str) -> bool {
        self.run.is_empty() || self.run.iter().any(|wanted| wanted.is_match(name))
    }
}

/// One test.
#[derive(Debug, Clone, PartialEq)]
struct Case {
    /// The file it stands in.
    file: String,
    /// Which group of the file, from 0.
    group: usize,
    /// `expr`, `alert` or `scenario`.
    kind: &'static str,
    /// What it is called.
    name: String,
    /// When, ms on the test's own clock.
    at: Ms,
    /// How it went.
    result: Outcome,
    /// What was expected and what came, or why it was refused; each with its place.
    message: String,
}

/// How a test went.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Pass,
    Fail,
    /// Names what is not answered.
    Refused(String),
}

impl Outcome {
    const fn word(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Refused(_) => "refused",
        }
    }
}

pub(crate) fn run(args: &TestArgs) -> anyhow::Result<u8> {
    let default = [PathBuf::from(DEFAULT_PATH)];
    let paths = if args.paths.is_empty() { &default[..] } else { &args.paths };
    let found = find::below(paths, args.config.as_deref())?;
    let mut shown = coverage::Shown::default();
    let mut cases = Vec::new();
    play::scenarios(&found, args, &mut shown, &mut cases);
    play::units(&found, args, &mut shown, &mut cases);
    play::scripts(&found, args, &mut cases);
    anyhow::ensure!(
        !cases.is_empty() || found.has_tests(),
        "no tests below {}\n  help: write `scenarios:` beside the rules, or name a test file",
        paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    );
    anyhow::ensure!(
        !cases.is_empty() || args.run.is_empty(),
        "no test has a name that fits --run {}\n  help: --format json without --run lists the names",
        args.run.iter().map(|wanted| format!("`{wanted}`")).collect::<Vec<_>>().join(", ")
    );
    let coverage = args.coverage.then(|| shown.measure(&found));
    if let Some(path) = &args.junit {
        std::fs::write(path, junit::xml(&cases))
            .map_err(|why| anyhow::anyhow!("`{}` cannot be written: {why}", path.display()))?;
    }
    let mut out = std::io::stdout().lock();
    match args.format {
        Format::Human => print::human(&cases, coverage.as_ref(), &mut out)?,
        Format::Json => print::json(&cases, coverage.as_ref(), &mut out)?,
    }
    Ok(u8::from(cases.iter().any(|case| case.result != Outcome::Pass)))
}
