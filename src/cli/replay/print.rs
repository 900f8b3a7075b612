//! What happened, line by line: signals, incidents and pages as people and programs read them.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::output::{self, Format};
use crate::model::{Incident, Page, RuleSet, Signal};
use crate::pipeline::backtest::Happening;
use crate::time::{Ms, rfc3339};

/// Prints what happened from `from` on; `rules` say whose signals nobody is told of.
pub(super) fn print(
    out: &mut dyn Write,
    happened: &[Happening],
    (from, format): (Option<Ms>, Format),
    rules: &RuleSet,
) -> anyhow::Result<()> {
    for happening in happened.iter().filter(|happening| from.is_none_or(|from| happening.at() >= from)) {
        let shadow = matches!(happening, Happening::Signal(_, signal) if rules.is_shadow(&signal.rule));
        match format {
            Format::Json if shadow => {
                let mut line = json_of(happening);
                line["mode"] = "shadow".into();
                output::json(out, line)?;
            }
            Format::Json => output::json(out, json_of(happening))?,
            Format::Human if shadow => output::line(out, &format!("{} (shadow)", human(happening)))?,
            Format::Human => output::line(out, &human(happening))?,
        }
    }
    Ok(())
}

fn json_of(happening: &Happening) -> Value {
    match happening {
        Happening::Signal(_, signal) => signal_json(signal),
        Happening::Incident(at, incident) => incident_json(*at, incident),
        Happening::Page(at, page) => page_json(*at, page),
    }
}

fn signal_json(signal: &Signal) -> Value {
    let mut line = json!({
        "type": "signal", "at": signal.at, "rule": signal.rule.as_ref(), "labels": signal.labels.to_json(),
        "from": signal.from.word(), "to": signal.to.word(),
    });
    if let Some(severity) = signal.severity {
        line["severity"] = severity.code().into();
    }
    if let Some(value) = signal.value {
        line["value"] = value.into();
    }
    if let Some(cause) = signal.unknown {
        line["unknown"] = cause.word().into();
    }
    if let Some(ended) = signal.ended {
        line["reason"] = ended.word().into();
    }
    line
}

fn incident_json(at: Ms, incident: &Incident) -> Value {
    json!({
        "type": "incident", "at": at, "id": incident.id, "rule": incident.rule.as_ref(),
        "labels": incident.labels.to_json(), "state": incident.state.word(), "severity": incident.severity.code(),
    })
}

fn page_json(at: Ms, page: &Page) -> Value {
    json!({
        "type": "page", "at": at, "incident": page.incident, "reason": page.reason.word(), "step": page.step,
        "to": page.to, "channel": page.channel.word(), "text": page.text,
    })
}

fn human(happening: &Happening) -> String {
    match happening {
        Happening::Signal(_, s) => {
            let severity = s.severity.map_or("", |severity| severity.code());
            let value = s.value.map_or_else(String::new, |value| format!(" value {}", output::number(value)));
            let unknown = s.unknown.map_or_else(String::new, |cause| format!(" unknown: {}", cause.word()));
            format!(
                "{} signal   {}{} {} → {} {severity}{value}{unknown}",
                rfc3339(s.at),
                s.rule,
                s.labels,
                s.from.word(),
                s.to.word()
            )
        }
        Happening::Incident(at, i) => {
            format!(
                "{} incident {} {} {} {}{}",
                rfc3339(*at),
                i.id,
                i.state.word(),
                i.severity.code(),
                i.rule,
                i.labels
            )
        }
        Happening::Page(at, p) => {
            format!(
                "{} page     {} {} to {} by {}: {}",
                rfc3339(*at),
                p.incident,
                p.reason.word(),
                p.to,
                p.channel.word(),
                p.text
            )
        }
    }
}
