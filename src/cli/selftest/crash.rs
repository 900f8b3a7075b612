//! `bongsu selftest crash`.

use serde_json::json;

use super::super::output::{self, Format};
use crate::config;
use crate::pipeline::crash::{self, Database, Report};

/// `bongsu selftest crash`.
#[derive(Debug, clap::Args)]
pub(crate) struct CrashArgs {
    /// The log that stands between load and service.
    #[arg(long, value_enum, default_value_t)]
    transport: Transport,
    /// The store.
    #[arg(long, value_enum, default_value_t)]
    store: StoreKind,
    /// With `--store postgres`: postgres://USER@HOST/DATABASE of an empty database; its password comes by
    /// BONGSU__STORE__PASSWORD.
    #[arg(long, value_name = "URL", required_if_eq("store", "postgres"))]
    store_url: Option<String>,
    /// How often the service is killed.
    #[arg(long, default_value_t = 20)]
    kills: u64,
    /// Seed of the instants of the kills.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keeps the directory with log, store and phones, and says where it is.
    #[arg(long)]
    keep: bool,
    /// How to print the result.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum Transport {
    /// The embedded log.
    #[default]
    Embedded,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum StoreKind {
    /// SQLite.
    #[default]
    Sqlite,
    /// PostgreSQL, at --store-url.
    Postgres,
}

pub(crate) fn run(args: &CrashArgs) -> anyhow::Result<u8> {
    let Transport::Embedded = args.transport;
    let database = match args.store {
        StoreKind::Sqlite => None,
        StoreKind::Postgres => args.store_url.clone().map(|url| Database { url, variables: config::environment() }),
    };
    let dir = std::env::temp_dir().join(format!("bongsu-crash-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = crash::run(&std::env::current_exe()?, &dir, args.kills, args.seed, database);
    let wrong = done.as_ref().map_or(true, |report| report.lost + report.repeated > 0);
    // Where no service was ever started there is nothing to look at.
    if args.keep || (wrong && dir.join("service.log").exists()) {
        output::note(&format!("kept: {}", dir.display()));
    } else {
        std::fs::remove_dir_all(&dir)?;
    }
    let report = done?;
    print(&report, args.format)?;
    Ok(u8::from(wrong))
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for example in &report.examples {
        output::note(example);
    }
    match format {
        Format::Json => output::json(
            &mut out,
            json!({ "type": "summary", "kind": "crash", "kills": report.kills, "between": report.between,
                "records": report.records, "pages": report.pages, "lost": report.lost, "repeated": report.repeated,
                "resent": report.resent, "ready_ms_p50": report.ready_ms_p50, "ready_ms_max": report.ready_ms_max }),
        ),
        Format::Human => output::line(
            &mut out,
            &format!(
                "{} kills ({} between a signal's commit and its page's outcome), {} records, {} pages: \
                 {} lost, {} repeated, {} resent; ready after {} ms (median), {} ms (greatest)",
                report.kills,
                report.between,
                report.records,
                report.pages,
                report.lost,
                report.repeated,
                report.resent,
                report.ready_ms_p50,
                report.ready_ms_max
            ),
        ),
    }
}
