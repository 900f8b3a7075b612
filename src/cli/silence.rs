//! `bongsu silence`: nobody is told of certain incidents for a while.

use serde_json::{Value, json};

use super::output::{self, Format};
use super::service::Place;
use crate::model::wire::matcher_from_json;
use crate::time::{rfc3339, show_duration};

/// `bongsu silence`.
#[derive(Debug, clap::Args)]
pub(crate) struct SilenceArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Silence incidents; shows what it would have hidden.
    ///
    /// Matchers are label=value, label!=value, label=~regex or label!~regex, over the incident's labels, what the
    /// inventory joins (class, zone, service, parent), rule, severity (S1 or 중대), domain (or 구간) and incident; all
    /// must fit. A silence that would have hidden an S1 or much waits until another contact approves it. An S1 of 보안
    /// is hidden only by domain=보안 or incident=NUMBER. Whoever was told of a beginning is told of the end all the same.
    Add(AddArgs),
    /// Silences in force, to come and waiting for approval.
    List(ListArgs),
    /// End a silence now.
    Expire(ActArgs),
    /// Approve a silence of somebody else that waits for it.
    Approve(ActArgs),
    /// What a silence would have hidden in the last 30 days.
    Preview(PreviewArgs),
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    /// What to silence, for example host=db-01 severity=S3.
    #[arg(required = true, value_name = "MATCHER")]
    matchers: Vec<String>,
    /// How long.
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "until", required_unless_present = "until")]
    length: Option<String>,
    /// Begin, such as 2026-12-06T02:00; left out: at once.
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// End, instead of a length.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Who is answerable: a contact id.
    #[arg(long, value_name = "CONTACT")]
    by: String,
    /// Why.
    #[arg(long)]
    reason: String,
    /// Who shall approve it, where it needs a second approver.
    #[arg(long, value_name = "CONTACT")]
    approve_by: Option<String>,
    /// The silence that it takes the place of: an edit.
    #[arg(long, value_name = "NUMBER")]
    replaces: Option<String>,
    #[command(flatten)]
    place: Place,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Those that are over, too.
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    place: Place,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct ActArgs {
    /// The silence's number, for example SIL-2611-001.
    silence: String,
    /// Who says so: a contact id.
    #[arg(long, value_name = "CONTACT", default_value = "operator")]
    by: String,
    #[command(flatten)]
    place: Place,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, clap::Args)]
struct PreviewArgs {
    /// What it would be about, for example host=db-01.
    #[arg(required = true, value_name = "MATCHER")]
    matchers: Vec<String>,
    #[command(flatten)]
    place: Place,
    /// How to print it.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: &SilenceArgs) -> anyhow::Result<u8> {
    match &args.verb {
        Verb::Add(args) => add(args),
        Verb::List(args) => list(args),
        Verb::Expire(args) => act(args, "expire"),
        Verb::Approve(args) => act(args, "approve"),
        Verb::Preview(args) => preview(args),
    }
}

fn add(args: &AddArgs) -> anyhow::Result<u8> {
    let body = json!({
        "matchers": args.matchers, "for": args.length, "from": args.from, "until": args.until, "by": args.by,
        "reason": args.reason, "approve_by": args.approve_by, "replaces": args.replaces,
    });
    args.place.submit("/v1/silences", &body, ("add", args.format))
}

fn act(args: &ActArgs, verb: &'static str) -> anyhow::Result<u8> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let id = &args.silence;
    anyhow::ensure!(id.chars().all(plain), "`{id}` is no silence's number; write for example SIL-2611-001");
    args.place.submit(&format!("/v1/silences/{id}/{verb}"), &json!({ "by": args.by }), (verb, args.format))
}

fn list(args: &ListArgs) -> anyhow::Result<u8> {
    let (status, answer) = args.place.service()?.get("/v1/silences")?;
    anyhow::ensure!(status == 200, "the service answered {status}: {answer}");
    let all = answer["silences"].as_array().cloned().unwrap_or_default();
    let mut out = std::io::stdout().lock();
    for silence in all.iter().filter(|silence| args.all || silence["state"] != "expired") {
        match args.format {
            Format::Human => output::line(&mut out, &line(silence))?,
            Format::Json => output::json(&mut out, silence.clone())?,
        }
    }
    Ok(0)
}

/// A silence on one line.
pub(super) fn line(silence: &Value) -> String {
    let text = |name: &str| silence[name].as_str().unwrap_or_default().to_owned();
    let int = |name: &str| silence[name].as_i64().unwrap_or_default();
    let matchers = silence["matchers"].as_array().into_iter().flatten().filter_map(matcher_from_json);
    let matchers: Vec<String> = matchers.map(|matcher| matcher.to_string()).collect();
    let left = int("left_ms") / 1_000 * 1_000;
    let rest = match silence["state"].as_str() {
        Some("expired") => format!("ended {}", rfc3339(int("until"))),
        Some("waiting") => {
            format!(
                "mutes nothing yet ({}): another contact runs `bongsu silence approve {} --by ID`",
                text("needs"),
                text("id")
            )
        }
        Some("pending") => format!("from {} until {}", rfc3339(int("from")), rfc3339(int("until"))),
        _ => format!("{} left", show_duration(left)),
    };
    format!("{} {:8} {} · {} · {} · {rest}", text("id"), text("state"), matchers.join(" "), text("by"), text("reason"))
}

fn preview(args: &PreviewArgs) -> anyhow::Result<u8> {
    let (status, answer) = args.place.service()?.post("/v1/silences/preview", &json!({ "matchers": args.matchers }))?;
    let why = answer["error"].as_str().unwrap_or_default();
    anyhow::ensure!(status != 400, "{why}");
    anyhow::ensure!(status == 200, "the service answered {status}: {why}");
    let mut out = std::io::stdout().lock();
    if args.format == Format::Json {
        let mut answer = answer;
        answer["type"] = "preview".into();
        output::json(&mut out, answer)?;
        return Ok(0);
    }
    let int = |name: &str| answer[name].as_i64().unwrap_or_default();
    let over = show_duration(int("over_ms"));
    let (n, of, s1, pages) = (int("incidents"), int("of"), int("s1"), int("pages"));
    output::line(&mut out, &format!("in the last {over}: {n} of {of} incidents ({s1} S1), {pages} pages"))?;
    if answer["broad"] == Value::Bool(true) {
        output::line(&mut out, "it fits everything: a second approver would be asked")?;
    }
    if answer["cut"] == Value::Bool(true) {
        output::line(
            &mut out,
            "there was more than can be looked at: only the newest incidents and pages are counted",
        )?;
    }
    for incident in answer["examples"].as_array().into_iter().flatten() {
        let text = |name: &str| incident[name].as_str().unwrap_or_default().to_owned();
        let at = rfc3339(incident["detected"].as_i64().unwrap_or_default());
        output::line(
            &mut out,
            &format!("  {} {} {at} {} {}", text("id"), text("severity"), text("rule"), text("title")),
        )?;
    }
    Ok(0)
}
