//! The incidents around one that is explained: what speaks for it, what hangs under it, what is likely behind it.
//!
//! The idea: all of it was decided and written down by the leader; here it is worded, with its evidence.

use serde_json::{Value, json};

use crate::model::wire::{suspect_to_json, triage_to_json};
use crate::model::{Domain, Evidence, Incident, SuspectKind, Tie};

/// What is known, as JSON.
pub(super) fn json(incident: &Incident) -> Value {
    let group = &incident.group;
    json!({
        "parent": incident.parent, "tie": group.tie.map(Tie::word), "children": group.tally.total,
        "children_live": group.tally.live(),
        "suspects": group.suspects.iter().map(suspect_to_json).collect::<Vec<_>>(),
        "triage": group.triage.as_ref().map(triage_to_json),
    })
}

/// The same in sentences.
pub(super) fn lines(incident: &Incident) -> Vec<String> {
    let group = &incident.group;
    let mut lines = Vec::new();
    if let Some(parent) = &incident.parent {
        let why = match group.tie {
            Some(Tie::Storm) => "같은 범위에서 동시에 다발하여",
            Some(Tie::Alike) => "같은 묶음의 먼저 열린 장애가 있어",
            Some(Tie::Cause) | None => "이 장애를 설명하는 장애가 있어",
        };
        lines.push(format!("  {why} 상위 장애 {parent}에 묶였고, 알림은 상위 장애에서 보냅니다"));
    }
    if group.tally.total > 0 {
        lines.push(format!("  하위 장애: 누적 {}건, 진행 {}건", group.tally.total, group.tally.live()));
    }
    for (n, suspect) in group.suspects.iter().enumerate() {
        let what = match suspect.kind {
            SuspectKind::Incident => "장애",
            SuspectKind::Resource => "공통 대상",
            SuspectKind::Rule => "공통 규칙",
        };
        let first = if suspect.first { ", 가장 먼저 발생" } else { "" };
        let (of, covers, score) = (suspect.of, suspect.covers, suspect.score);
        lines.push(format!("  추정 원인 {}: {what} {} ({of}건 중 {covers}건{first}, {score}점)", n + 1, suspect.what));
    }
    if let Some(triage) = &group.triage {
        let points = Domain::ALL.into_iter().zip(triage.points).filter(|(_, n)| *n > 0);
        let points: Vec<String> = points.map(|(domain, n)| format!("{} {n}", domain.word())).collect();
        lines.push(format!("  추정 구간: {} ({})", triage.domain.word(), points.join(", ")));
        lines.extend(triage.evidence.iter().map(evidence));
    }
    lines
}

fn evidence(it: &Evidence) -> String {
    let relation = match it.relation.as_str() {
        "self" => "이 장애",
        "host" => "같은 대상",
        "above" => "상위 대상",
        "needs" => "의존 대상",
        "below" => "하위 장애",
        "service" => "같은 서비스",
        _ => "이웃 대상",
    };
    format!("    근거: {relation} {} {} {} {}점", it.incident, it.rule, it.domain.word(), it.points)
}
