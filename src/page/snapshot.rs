//! A chain as canonical JSON: the snapshot that an incident keeps, so that later edits do not alter a running chain.
//!
//! The idea: `read` gives back what `write` was given, but for the conditions by which the chain was chosen: it is
//! chosen already. What cannot be read is no snapshot; what an earlier release did not write is as it was then.

use serde_json::{Value, json};

use crate::model::{Chain, Channel, Last, SeverityPlan, Step, Target, When};

/// `chain` and the occurrence of the incident from which on those told count as told, as one text.
pub(super) fn write(chain: &Chain, since: i64) -> String {
    json!({
        "since": since,
        "id": chain.id,
        "default": chain.default,
        "steps": chain.steps.iter().map(|step| json!({
            "to": targets(&step.to), "by": channels(&step.by), "wait": step.wait,
            "when": step.when.as_ref().map(When::word),
        })).collect::<Vec<_>>(),
        "last": {
            "to": targets(&chain.last.to), "by": channels(&chain.last.by), "repeat": chain.last.repeat,
        },
        "severities": chain.severities.iter().map(|plan| json!({
            "upto": plan.upto, "digest": plan.digest, "digest_off_hours": plan.digest_off_hours,
        })).collect::<Vec<_>>(),
        "digest_hour": chain.digest_hour,
        "digest_working_days": chain.digest_working_days,
    })
    .to_string()
}

/// Reads what [`write`] wrote.
pub(super) fn read(text: &str) -> Option<(Chain, i64)> {
    let value: Value = serde_json::from_str(text).ok()?;
    let plan = |plan: &Value| {
        let upto = plan.get("upto")?.as_u64().and_then(|upto| usize::try_from(upto).ok());
        let digest_off_hours = flag(plan, "digest_off_hours");
        Some(SeverityPlan { upto, digest: plan.get("digest")?.as_bool()?, digest_off_hours })
    };
    let last = value.get("last")?;
    let severities: Vec<_> = value.get("severities")?.as_array()?.iter().map(plan).collect::<Option<_>>()?;
    let chain = Chain {
        id: value.get("id")?.as_str()?.to_owned(),
        matchers: Vec::new(),
        when: None,
        default: value.get("default")?.as_bool()?,
        steps: value.get("steps")?.as_array()?.iter().map(read_step).collect::<Option<_>>()?,
        last: Last {
            to: read_targets(last.get("to")?)?,
            by: read_channels(last.get("by")?)?,
            repeat: last.get("repeat")?.as_i64()?,
        },
        severities: severities.try_into().ok()?,
        digest_hour: u8::try_from(value.get("digest_hour")?.as_u64()?).ok()?,
        digest_working_days: flag(&value, "digest_working_days"),
    };
    Some((chain, value.get("since")?.as_i64()?))
}

fn read_step(step: &Value) -> Option<Step> {
    let to = read_targets(step.get("to")?)?;
    let when = step.get("when").and_then(Value::as_str).map(When::parse);
    Some(Step { to, by: read_channels(step.get("by")?)?, wait: step.get("wait")?.as_i64()?, when })
}

/// A field that rows of earlier releases lack.
fn flag(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or(false)
}

fn targets(targets: &[Target]) -> Vec<String> {
    targets.iter().map(Target::word).collect()
}

fn read_targets(value: &Value) -> Option<Vec<Target>> {
    value.as_array()?.iter().map(|value| Target::parse(value.as_str()?)).collect()
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
            default: true,
            steps: vec![
                Step {
                    to: vec![role("MSP", "duty")],
                    by: vec![Channel::Sms, Channel::Mail],
                    wait: 300_000,
                    when: Some(When::Off),
                },
                Step { to: vec![Target::Rota("night".to_owned())], by: vec![Channel::Sms], wait: 0, when: None },
            ],
            last: Last { to: vec![Target::Contact("boss".to_owned())], by: vec![Channel::Mms], repeat: 600_000 },
            severities: [
                SeverityPlan::default(),
                SeverityPlan::default(),
                SeverityPlan { upto: Some(1), ..SeverityPlan::default() },
                SeverityPlan { upto: None, digest: true, digest_off_hours: true },
            ],
            digest_hour: 9,
            digest_working_days: true,
            ..Chain::default()
        };
        assert_eq!(read(&write(&chain, 3)), Some((chain, 3)));
        assert_eq!(read("{}"), None);
    }

    #[test]
    fn a_snapshot_of_the_first_release_reads() {
        let text = r#"{"default":true,"digest_hour":9,"domain":"인프라","id":"infra","last":{"by":["sms"],"repeat":600000,"to":["MSP/manager"]},"severities":[{"digest":false,"upto":null},{"digest":false,"upto":null},{"digest":false,"upto":1},{"digest":true,"upto":null}],"since":1,"steps":[{"by":["sms"],"to":["MSP/duty"],"wait":300000}]}"#;
        let (chain, since) = read(text).expect("a row of the first release");
        assert_eq!((chain.id.as_str(), since, chain.steps.len()), ("infra", 1, 1));
        assert_eq!((chain.steps[0].when.clone(), chain.plan(crate::model::Severity::S3).upto), (None, Some(1)));
    }
}
