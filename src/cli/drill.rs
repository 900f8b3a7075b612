//! `bongsu drill`: an incident that never happened, through everything that a real one goes through (모의훈련).

use serde_json::{Value, json};

use super::output::{self, Format};
use super::service::Place;
use crate::model::{DRILL_LABEL, DRILL_PREFIX, IncidentState, spoken};
use crate::time::rfc3339_seconds;

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
    /// Drills that run: since when and until when, who started each, who has it, and who was told.
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
    let service = args.place.service()?;
    let get = |path: &str| -> anyhow::Result<Value> {
        let (status, answer) = service.get(path)?;
        anyhow::ensure!(status == 200, "the service answered {status}: {answer}");
        Ok(answer)
    };
    let all = get("/v1/incidents?limit=1000")?;
    let runs = |it: &&Value| {
        text(it, "id").starts_with(DRILL_PREFIX)
            && ["open", "acked"].contains(&it["state"].as_str().unwrap_or_default())
    };
    let mut out = std::io::stdout().lock();
    let mut any = false;
    for it in all["incidents"].as_array().into_iter().flatten().filter(runs) {
        let pages = get(&format!("/v1/pages?incident={}&limit=1000", text(it, "id")))?;
        let told = told(&pages);
        any = true;
        match args.format {
            Format::Json => {
                let mut one = it.clone();
                one["told"] = told.into();
                output::json(&mut out, one)?;
            }
            Format::Human => lines(it, &told).iter().try_for_each(|line| output::line(&mut out, line))?,
        }
    }
    if !any && args.format == Format::Human {
        output::line(&mut out, "진행 중인 훈련이 없습니다")?;
    }
    Ok(0)
}

fn text(it: &Value, name: &str) -> String {
    it[name].as_str().unwrap_or_default().to_owned()
}

/// Who was told on which channel, in the order in which they were: pages that have left.
fn told(pages: &Value) -> Vec<String> {
    let left = |page: &&Value| ["accepted", "delivered"].contains(&page["state"].as_str().unwrap_or_default());
    let mut rows: Vec<&Value> = pages["pages"].as_array().into_iter().flatten().filter(left).collect();
    rows.sort_by_key(|page| page["decided"].as_i64());
    let mut told: Vec<String> = Vec::new();
    for seat in rows.into_iter().map(|page| format!("{} ({})", text(page, "to"), text(page, "channel"))) {
        if !told.contains(&seat) {
            told.push(seat);
        }
    }
    told
}

/// What stands where, then from when until when and by whom, then who was told.
fn lines(it: &Value, told: &[String]) -> Vec<String> {
    let labels = it["labels"].as_object().into_iter().flatten().filter(|(name, _)| *name != DRILL_LABEL);
    let labels: Vec<String> = labels.filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?))).collect();
    let state = IncidentState::parse(&text(it, "state")).map_or("", IncidentState::korean);
    let head = format!("{} {} {state} {}", text(it, "id"), text(it, "severity"), text(it, "rule"));
    let taken = it["ack"]["by"].as_str().map_or_else(String::new, |by| format!(", 담당 {}", spoken(by)));
    let since = rfc3339_seconds(it["detected"].as_i64().unwrap_or_default());
    let until = it["drill"]["until"].as_i64().map_or_else(|| "-".to_owned(), rfc3339_seconds);
    let by = spoken(it["drill"]["by"].as_str().unwrap_or("-"));
    let note = it["drill"]["note"].as_str().filter(|note| !note.is_empty());
    let note = note.map_or_else(String::new, |note| format!(": {note}"));
    let told = if told.is_empty() { "아직 없음".to_owned() } else { told.join(", ") };
    vec![
        format!("{head} {}{taken}", labels.join(" ")),
        format!("  {since}부터 {until}까지, 시작 {by}{note}"),
        format!("  통보: {told}"),
    ]
}
