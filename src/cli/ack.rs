//! What people do to incidents: ack, by number or by one-time code, hand over, unack, resolve, reopen.

use serde_json::{Value, json};

use super::output::Format;
use super::service::{Place, tell};

/// `bongsu ack`.
#[derive(Debug, clap::Args)]
pub(crate) struct AckArgs {
    /// The incident's number, for example INC-2611-001; with --code it may be left out.
    #[arg(required_unless_present = "code")]
    incident: Option<String>,
    /// The one-time code of its messages, as somebody on the phone reads it out.
    #[arg(long, value_name = "NNNNNN")]
    code: Option<String>,
    /// Who takes it: a contact id; a name that no contact has is taken as written,
    /// and the answer says so.
    #[arg(long, value_name = "CONTACT", default_value = "operator")]
    by: String,
    /// What to note in the ledger.
    #[arg(long, default_value = "")]
    note: String,
    /// How long it holds; afterwards the chain goes on.
    #[arg(long = "for", value_name = "DURATION", default_value = "4h", value_parser = duration)]
    hold: String,
    #[command(flatten)]
    place: Place,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// `bongsu handover`.
#[derive(Debug, clap::Args)]
pub(crate) struct HandoverArgs {
    #[command(flatten)]
    act: Act,
    /// Who has it from now on, and is told so: a contact id.
    #[arg(long, value_name = "CONTACT")]
    to: String,
    /// What to note in the ledger.
    #[arg(long, default_value = "")]
    note: String,
    /// How long it holds from now on; left out: as long as before.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    hold: Option<String>,
}

/// `bongsu unack`.
#[derive(Debug, clap::Args)]
pub(crate) struct UnackArgs {
    #[command(flatten)]
    act: Act,
}

/// `bongsu resolve`.
#[derive(Debug, clap::Args)]
pub(crate) struct ResolveArgs {
    #[command(flatten)]
    act: Act,
    /// Why it is over.
    #[arg(long, default_value = "")]
    note: String,
}

/// `bongsu reopen`.
#[derive(Debug, clap::Args)]
pub(crate) struct ReopenArgs {
    #[command(flatten)]
    act: Act,
}

#[derive(Debug, clap::Args)]
struct Act {
    /// The incident's number, for example INC-2611-001.
    incident: String,
    /// Who says so: a contact id; a name that no contact has is taken as written,
    /// and the answer says so.
    #[arg(long, value_name = "CONTACT", default_value = "operator")]
    by: String,
    #[command(flatten)]
    place: Place,
    /// How to print the answer.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn duration(text: &str) -> Result<String, String> {
    let known = crate::time::parse_duration(text).map(|_| text.to_owned());
    known.ok_or_else(|| format!("`{text}` is no duration; write for example 30m or 4h"))
}

pub(crate) fn ack(args: &AckArgs) -> anyhow::Result<u8> {
    let mut body = json!({ "by": args.by, "note": args.note, "for": args.hold });
    match (&args.incident, &args.code) {
        (Some(incident), None) => submit(&args.place, incident, "ack", &body, args.format),
        (incident, code) => {
            body["code"] = json!(code);
            body["incident"] = json!(incident);
            let (status, answer) = args.place.service()?.post("/v1/ack-code", &body)?;
            let found = answer.get("incident").and_then(Value::as_str).or(incident.as_deref()).unwrap_or_default();
            print(found, "ack", (status, &answer), args.format)
        }
    }
}

pub(crate) fn handover(args: &HandoverArgs) -> anyhow::Result<u8> {
    let act = &args.act;
    let mut body = json!({ "by": act.by, "to": args.to, "note": args.note });
    if let Some(hold) = &args.hold {
        body["for"] = json!(hold);
    }
    submit(&act.place, &act.incident, "handover", &body, act.format)
}

pub(crate) fn unack(args: &UnackArgs) -> anyhow::Result<u8> {
    let act = &args.act;
    submit(&act.place, &act.incident, "unack", &json!({ "by": act.by }), act.format)
}

pub(crate) fn resolve(args: &ResolveArgs) -> anyhow::Result<u8> {
    let act = &args.act;
    submit(&act.place, &act.incident, "resolve", &json!({ "by": act.by, "note": args.note }), act.format)
}

pub(crate) fn reopen(args: &ReopenArgs) -> anyhow::Result<u8> {
    let act = &args.act;
    submit(&act.place, &act.incident, "reopen", &json!({ "by": act.by }), act.format)
}

/// Sends it and prints the leader's answer: 0 done, 1 already so or unknown.
fn submit(place: &Place, incident: &str, verb: &str, body: &Value, format: Format) -> anyhow::Result<u8> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    anyhow::ensure!(incident.chars().all(plain), "`{incident}` is no incident number; write for example INC-2611-001");
    let (status, answer) = place.service()?.post(&format!("/v1/incidents/{incident}/{verb}"), body)?;
    print(incident, verb, (status, &answer), format)
}

fn print(incident: &str, verb: &str, answer: (u16, &Value), format: Format) -> anyhow::Result<u8> {
    tell(answer, json!({ "type": "answer", "incident": incident, "verb": verb }), format)
}
