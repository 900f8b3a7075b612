//! `bongsu drill`: an incident that never happened, through everything that a real one goes through (모의훈련).

use serde_json::{Value, json};

use super::output::{self, Format};
use super::service::Place;
use crate::model::DRILL_PREFIX;
use crate::time::rfc3339;

/// `bongsu drill`.
#[derive(Debug, clap::Args)]
pub(crate) struct DrillArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Start one: the people of the rule's chain are told, in messages that begin with [훈련].
    ///
    /// It has a number of its own kind (DRL-…), is taken, handed over and ended like any incident, counts for no service
    /// level, and neither mutes nor explains a real one. It ends by itself.
    Start(StartArgs),
    /// End one before its time; those who were told are told.
    Stop(StopArgs),
    /// Drills that run.
    List(ListArgs),
}

#[derive(Debug, clap::Args)]
struct StartArgs {
    /// The rule that it pretends to fire.
    #[arg(long, value_name = "ID")]
    rule: String,
    /// What it pretends to be about, for example host=db-01; again for each label.
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// At which severity: S1 to S4.
    #[arg(long, default_value = "S1")]
    severity: String,
    /// How long it lasts at most, 1m to 8h.
    #[arg(long = "for", value_name = "DURATION", default_value = "30m")]
    hold: String,
    /// Who starts it: a contact id.
    #[arg(long, value_name = "CONTACT", default_value = "operator")]
    by: String,
    /// What to note in the ledger.
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    place: Place,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct StopArgs {
    /// The drill's number, for example DRL-2611-001.
    drill: String,
    /// Who says so: a contact id.
    #[arg(long, value_name = "CONTACT", default_value = "operator")]
    by: String,
    /// What to note in the ledger.
    #[arg(long, default_value = "")]
    note: String,
    #[command(flatten)]
    place: Place,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    place: Place,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| format!("`{text}` is no NAME=VALUE"))
}

pub(crate) fn run(args: &DrillArgs) -> anyhow::Result<u8> {
    match &args.verb {
        Verb::Start(args) => start(args),
        Verb::Stop(args) => stop(args),
        Verb::List(args) => list(args),
    }
}

fn start(args: &StartArgs) -> anyhow::Result<u8> {
    let labels: serde_json::Map<String, Value> =
        args.labels.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let body = json!({ "rule": args.rule, "labels": labels, "severity": args.severity, "for": args.hold,
        "by": args.by, "note": args.note });
    args.place.submit("/v1/drills", &body, ("start", args.format))
}

fn stop(args: &StopArgs) -> anyhow::Result<u8> {
    let id = &args.drill;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    anyhow::ensure!(
        id.starts_with(DRILL_PREFIX) && id.chars().all(plain),
        "`{id}` is no drill's number\n  help: `bongsu drill list` shows those that run; `bongsu resolve` ends incidents"
    );
    let body = json!({ "by": args.by, "note": args.note });
    args.place.submit(&format!("/v1/incidents/{id}/resolve"), &body, ("stop", args.format))
}

fn list(args: &ListArgs) -> anyhow::Result<u8> {
    let (status, answer) = args.place.service()?.get("/v1/incidents?limit=1000")?;
    anyhow::ensure!(status == 200, "the service answered {status}: {answer}");
    let text = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
    let runs =
        |it: &&Value| text(it, "id").starts_with(DRILL_PREFIX) && ["open", "acked"].contains(&&*text(it, "state"));
    let mut out = std::io::stdout().lock();
    for it in answer["incidents"].as_array().into_iter().flatten().filter(runs) {
        if args.format == Format::Json {
            output::json(&mut out, it.clone())?;
            continue;
        }
        let labels = it["labels"].as_object().into_iter().flatten();
        let labels: Vec<String> =
            labels.filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?))).collect();
        let since = rfc3339(it["detected"].as_i64().unwrap_or_default());
        let line = ["id", "severity", "state", "rule"].map(|name| text(it, name)).join(" ");
        output::line(&mut out, &format!("{line} {} since {since}", labels.join(" ")))?;
    }
    Ok(0)
}
