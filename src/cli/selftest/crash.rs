//! `bongsu selftest crash`.

use serde_json::json;

use super::super::output::{self, Format};
use crate::config;
use crate::pipeline::crash::{self, Ground, Report, Topic};

/// `bongsu selftest crash`.
#[derive(Debug, clap::Args)]
pub(crate) struct CrashArgs {
    /// The log that stands between load and service.
    #[arg(long, value_enum, default_value_t)]
    transport: Transport,
    /// With `--transport kafka`: its brokers, comma separated; TLS and login come by BONGSU__LOG__SECURITY__….
    #[arg(long, value_name = "HOST:PORT", required_if_eq("transport", "kafka"))]
    brokers: Option<String>,
    /// With `--transport kafka`: a topic in which nothing was ever written; made where it is missing.
    #[arg(long, value_name = "T", required_if_eq("transport", "kafka"))]
    topic: Option<String>,
    /// The store.
    #[arg(long, value_enum, default_value_t)]
    store: StoreKind,
    /// With `--store postgres`: postgres://USER@HOST/DATABASE of an empty database; its password comes by
    /// BONGSU__STORE__PASSWORD.
    #[arg(long, value_name = "URL", required_if_eq("store", "postgres"))]
    store_url: Option<String>,
    /// Where pages go.
    #[arg(long, value_enum, default_value_t)]
    gateway: GatewayKind,
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
    /// Apache Kafka, at --brokers; records are written past the service.
    Kafka,
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum StoreKind {
    /// SQLite.
    #[default]
    Sqlite,
    /// PostgreSQL, at --store-url.
    Postgres,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
enum GatewayKind {
    /// To phones of ours, which can be asked: a page arrives exactly once.
    #[default]
    Handset,
    /// To an HTTP carrier that cannot be asked: a page may arrive again, and the ledger then says `resent`.
    Http,
}

pub(crate) fn run(args: &CrashArgs) -> anyhow::Result<u8> {
    let ground = ground(args);
    let dir = std::env::temp_dir().join(format!("bongsu-crash-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = crash::run(&std::env::current_exe()?, &dir, args.kills, args.seed, ground);
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

fn ground(args: &CrashArgs) -> Ground {
    let database = match args.store {
        StoreKind::Sqlite => None,
        StoreKind::Postgres => args.store_url.clone(),
    };
    let topic = match (args.transport, &args.brokers, &args.topic) {
        (Transport::Kafka, Some(brokers), Some(name)) => Some(Topic { brokers: brokers.clone(), name: name.clone() }),
        _ => None,
    };
    let outside = database.is_some() || topic.is_some();
    let variables = if outside { config::environment() } else { Vec::new() };
    Ground { database, topic, variables, cannot_ask: args.gateway == GatewayKind::Http }
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
