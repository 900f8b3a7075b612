//! `bongsu selftest crash`.

use serde_json::{Value, json};

use super::super::output::{self, Format};
use crate::config;
use crate::pipeline::crash::{self, Ground, Pages, Passed, Report, Topic};

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
    /// Where pages go; left out: handset for one process, asked for two.
    #[arg(long, value_enum)]
    gateway: Option<GatewayKind>,
    /// Processes that share store and topic: with 2 whoever leads the incident stage is killed, and the other is timed;
    /// needs --transport kafka and --store postgres.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    instances: u8,
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum GatewayKind {
    /// To phones of ours, which can be asked: a page arrives exactly once.
    Handset,
    /// To an HTTP carrier that cannot be asked: a page may arrive again, and the ledger then says `resent`.
    Http,
    /// To an HTTP carrier that can be asked by our id: a page arrives exactly once.
    Asked,
}

pub(crate) fn run(args: &CrashArgs) -> anyhow::Result<u8> {
    let ground = ground(args)?;
    let dir = std::env::temp_dir().join(format!("bongsu-crash-{}", std::process::id()));
    std::fs::create_dir_all(&dir)?;
    let done = crash::run(&std::env::current_exe()?, &dir, args.kills, args.seed, ground);
    let wrong = done.as_ref().map_or(true, |report| report.lost + report.repeated > 0);
    // Where no service was ever started there is nothing to look at.
    let started = ["service.log", "service-one.log"].iter().any(|log| dir.join(log).exists());
    if args.keep || (wrong && started) {
        output::note(&format!("kept: {}", dir.display()));
    } else {
        std::fs::remove_dir_all(&dir)?;
    }
    let report = done?;
    print(&report, args.format)?;
    Ok(u8::from(wrong))
}

fn ground(args: &CrashArgs) -> anyhow::Result<Ground> {
    let database = match args.store {
        StoreKind::Sqlite => None,
        StoreKind::Postgres => args.store_url.clone(),
    };
    let topic = match (args.transport, &args.brokers, &args.topic) {
        (Transport::Kafka, Some(brokers), Some(name)) => Some(Topic { brokers: brokers.clone(), name: name.clone() }),
        _ => None,
    };
    let two = args.instances == 2;
    anyhow::ensure!(
        !two || (database.is_some() && topic.is_some()),
        "--instances 2: one of the two would have the log or the store for itself\n  \
         help: add --transport kafka --brokers B --topic T --store postgres --store-url U"
    );
    let pages = match args.gateway {
        None if two => Pages::Asked,
        None | Some(GatewayKind::Handset) => Pages::Handset,
        Some(GatewayKind::Http) => Pages::Deaf,
        Some(GatewayKind::Asked) => Pages::Asked,
    };
    anyhow::ensure!(
        !two || pages != Pages::Handset,
        "--instances 2: each process has phones of its own, and cannot ask those of the other\n  \
         help: leave --gateway out, or name another"
    );
    let variables = if database.is_some() || topic.is_some() { config::environment() } else { Vec::new() };
    Ok(Ground { database, topic, variables, pages, two })
}

fn print(report: &Report, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for example in &report.examples {
        output::note(example);
    }
    match format {
        Format::Json => output::json(&mut out, summary(report)),
        Format::Human => {
            let Report { kills, between, records, pages, lost, repeated, resent, ready, .. } = report;
            let (median, greatest) = (ready.median(), ready.greatest());
            output::line(
                &mut out,
                &format!(
                    "{kills} kills ({between} between a signal's commit and its page's outcome), {records} records, \
                     {pages} pages: {lost} lost, {repeated} repeated, {resent} resent; ready after {median} ms \
                     (median), {greatest} ms (greatest)"
                ),
            )?;
            report.passed.as_ref().map_or(Ok(()), |passed| output::line(&mut out, &in_words(passed)))
        }
    }
}

fn summary(report: &Report) -> Value {
    let mut summary = json!({ "type": "summary", "kind": "crash", "kills": report.kills, "between": report.between,
        "records": report.records, "pages": report.pages, "lost": report.lost, "repeated": report.repeated,
        "resent": report.resent, "ready_ms_p50": report.ready.median(), "ready_ms_max": report.ready.greatest() });
    if let (Some(passed), Some(fields)) = (&report.passed, summary.as_object_mut()) {
        for (name, times) in [
            ("take_over", &passed.led),
            ("first_decision", &passed.decided),
            ("first_page", &passed.paged),
            ("from_one_that_stood", &passed.stood),
        ] {
            fields.insert(format!("{name}_ms_p50"), times.median().into());
            fields.insert(format!("{name}_ms_max"), times.greatest().into());
        }
        fields.insert("take_overs".to_owned(), passed.led.count().into());
        fields.insert("stood_still".to_owned(), passed.stood.count().into());
        fields.insert("refused_writes".to_owned(), passed.refused.into());
        fields.insert("killed_both".to_owned(), passed.both.into());
    }
    summary
}

fn in_words(passed: &Passed) -> String {
    let ms = |times: &crash::Times| format!("{} ms (median), {} ms (greatest)", times.median(), times.greatest());
    format!(
        "{} take-overs: the other leads after {}, its first decision is durable after {}, its first page is with the \
         carrier after {}; {} leaders stood still, were followed after {} and came back, {} writes of theirs refused; both \
         killed {} times",
        passed.led.count(),
        ms(&passed.led),
        ms(&passed.decided),
        ms(&passed.paged),
        passed.stood.count(),
        ms(&passed.stood),
        passed.refused,
        passed.both
    )
}
