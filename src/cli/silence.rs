//! `bongsu silence`: nobody is told of certain incidents for a while.

use serde_json::{Value, json};

use super::output::{self, Format};
use super::service::Place;
use crate::model::spoken;
use crate::model::wire::matcher_from_json;
use crate::time::{rfc3339_seconds as rfc3339, show_days, show_duration};

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
        Some("expired") => format!("{} 종료", rfc3339(int("until"))),
        Some("waiting") => {
            format!(
                "아직 가리지 않음({}): 다른 담당자가 `bongsu silence approve {} --by ID`",
                text("needs"),
                text("id")
            )
        }
        Some("pending") => format!("{}부터 {}까지", rfc3339(int("from")), rfc3339(int("until"))),
        _ => format!("{} 남음", show_duration(left)),
    };
    let state = match silence["state"].as_str() {
        Some("active") => "적용 중",
        Some("waiting") => "승인 대기",
        Some("pending") => "예정",
        _ => "종료",
    };
    let (id, by, reason) = (text("id"), text("by"), text("reason"));
    format!("{id} {state}: {} · 담당 {} · 사유 {reason} · {rest}", matchers.join(" "), spoken(&by))
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
    let over = show_days(int("over_ms"));
    let (n, of, s1, pages) = (int("incidents"), int("of"), int("s1"), int("pages"));
    output::line(
        &mut out,
        &format!("지난 {over}: 장애 {of}건 가운데 {n}건(중대 {s1}건)과 통보 {pages}건을 가렸을 것입니다"),
    )?;
    if answer["broad"] == Value::Bool(true) {
        output::line(&mut out, "모든 장애가 대상입니다: 다른 담당자의 승인이 필요합니다")?;
    }
    if answer["cut"] == Value::Bool(true) {
        output::line(&mut out, "기록이 많아 최근 장애와 통보만 셌습니다")?;
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
