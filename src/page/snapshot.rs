//! A chain as canonical JSON: the snapshot that an incident keeps, so that later edits do not alter a running chain.
//!
//! The idea: `write` and `read` are exact inverses; what cannot be read is no snapshot.

use serde_json::{Value, json};

use crate::model::{Chain, Channel, Domain, Last, SeverityPlan, Step, Target};

/// `chain` and the occurrence of the incident from which on those told count as told, as one text.
pub(super) fn write(chain: &Chain, since: i64) -> String {
    json!({
        "since": since,
        "id": chain.id,
        "domain": chain.domain.map(Domain::word),
        "default": chain.default,
        "steps": chain.steps.iter().map(|step| json!({
            "to": targets(&step.to), "by": channels(&step.by), "wait": step.wait,
        })).collect::<Vec<_>>(),
        "last": {
            "to": targets(&chain.last.to), "by": channels(&chain.last.by), "repeat": chain.last.repeat,
        },
        "severities": chain.severities.iter().map(|plan| json!({
            "upto": plan.upto, "digest": plan.digest,
        })).collect::<Vec<_>>(),
        "digest_hour": chain.digest_hour,
    })
    .to_string()
}

/// Reads what [`write`] wrote.
pub(super) fn read(text: &str) -> Option<(Chain, i64)> {
    let value: Value = serde_json::from_str(text).ok()?;
    let plan = |plan: &Value| {
        let upto = plan.get("upto")?.as_u64().and_then(|upto| usize::try_from(upto).ok());
        Some(SeverityPlan { upto, digest: plan.get("digest")?.as_bool()? })
    };
    let last = value.get("last")?;
    let severities: Vec<_> = value.get("severities")?.as_array()?.iter().map(plan).collect::<Option<_>>()?;
    let chain = Chain {
        id: value.get("id")?.as_str()?.to_owned(),
        domain: value.get("domain")?.as_str().and_then(Domain::parse),
        default: value.get("default")?.as_bool()?,
        steps: value.get("steps")?.as_array()?.iter().map(read_step).collect::<Option<_>>()?,
        last: Last {
            to: read_targets(last.get("to")?)?,
            by: read_channels(last.get("by")?)?,
            repeat: last.get("repeat")?.as_i64()?,
        },
        severities: severities.try_into().ok()?,
        digest_hour: u8::try_from(value.get("digest_hour")?.as_u64()?).ok()?,
    };
    Some((chain, value.get("since")?.as_i64()?))
}

fn read_step(step: &Value) -> Option<Step> {
    let to = read_targets(step.get("to")?)?;
    Some(Step { to, by: read_channels(step.get("by")?)?, wait: step.get("wait")?.as_i64()? })
}

fn targets(targets: &[Target]) -> Vec<String> {
    let word = |target: &Target| match target {
        Target::Role { org, role } => format!("{org}/{role}"),
        Target::Contact(id) => format!("@{id}"),
    };
    targets.iter().map(word).collect()
}

fn read_targets(value: &Value) -> Option<Vec<Target>> {
    let target = |value: &Value| {
        let word = value.as_str()?;
        Some(match (word.strip_prefix('@'), word.split_once('/')) {
            (Some(id), _) => Target::Contact(id.to_owned()),
            (None, Some((org, role))) => Target::Role { org: org.to_owned(), role: role.to_owned() },
            (None, None) => return None,
        })
    };
    value.as_array()?.iter().map(target).collect()
}

fn channels(channels: &[Channel]) -> Vec<&'static str> {
    channels.iter().map(|channel| channel.word()).collect()
}

fn read_channels(value: &Value) -> Option<Vec<Channel>> {
    value.as_array()?.iter().map(|word| Channel::parse(word.as_str()?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_reads_back_as_it_was_written() {
        let role = |org: &str, role: &str| Target::Role { org: org.to_owned(), role: role.to_owned() };
        let chain = Chain {
            id: "infra".to_owned(),
            domain: Some(Domain::Infra),
            default: true,
            steps: vec![Step { to: vec![role("MSP", "duty")], by: vec![Channel::Sms, Channel::Mail], wait: 300_000 }],
            last: Last { to: vec![Target::Contact("boss".to_owned())], by: vec![Channel::Mms], repeat: 600_000 },
            severities: [
                SeverityPlan::default(),
                SeverityPlan::default(),
                SeverityPlan { upto: Some(1), digest: false },
                SeverityPlan { upto: None, digest: true },
            ],
            digest_hour: 9,
        };
        assert_eq!(read(&write(&chain, 3)), Some((chain, 3)));
        assert_eq!(read("{}"), None);
    }
}
