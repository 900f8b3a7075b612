//! How a message says how much hangs under an incident, and what the evidence points at.
//!
//! The idea: a count is a number, and everything else is one of a few fixed words; resources and rules, which the evidence
//! names, stay inside.

use crate::model::{Domain, Incident, STORM, Severity, Suspect, SuspectKind};

/// Whether it stands for many that came at once.
pub(super) fn is_storm(incident: &Incident) -> bool {
    *incident.rule == *STORM.id
}

/// For how many incidents it stands in a count.
pub(super) fn size(incident: &Incident) -> usize {
    match usize::try_from(incident.group.tally.total) {
        Ok(n) if n > 0 && is_storm(incident) => n,
        _ => 1,
    }
}

/// The title with the count, where the count is the news.
pub(super) fn titled(incident: &Incident, title: String) -> String {
    if is_storm(incident) { format!("{title} {}건", incident.group.tally.total) } else { title }
}

/// The lines of a long message, none where it stands alone and the evidence agrees with its rule.
pub(super) fn lines(incident: &Incident, text: &mut String) {
    let tally = &incident.group.tally;
    if tally.total > 0 {
        let by = Severity::ALL.into_iter().map(|severity| severity.word()).zip(tally.severities);
        text.push_str(&format!("■ 규모: 누적 {}건, 진행 {}건{}\n", tally.total, tally.live(), counts(by)));
        let by: Vec<_> = Domain::ALL.into_iter().map(Domain::word).zip(tally.domains).collect();
        if by.iter().filter(|(_, n)| *n > 0).count() > 1 {
            text.push_str(&format!("■ 구간별: {}\n", counts(by.into_iter()).trim_matches(['(', ')'])));
        }
    }
    if let Some(suspect) = incident.group.suspects.first().filter(|_| incident.group.tally.total > 0) {
        text.push_str(&format!("■ 추정원인: {}\n", worded(incident, suspect)));
    }
    if let Some(triage) = incident.group.triage.as_ref().filter(|it| it.domain != incident.domain) {
        let n = triage.evidence.iter().filter(|it| it.domain == triage.domain).count();
        text.push_str(&format!("■ 추정구간: {}(근거 {n}건)\n", triage.domain.word()));
    }
}

fn worded(incident: &Incident, suspect: &Suspect) -> String {
    let Suspect { covers, of, what, .. } = suspect;
    match suspect.kind {
        // Nothing came before it that would explain the others as well.
        SuspectKind::Incident if *what == incident.id => format!("이 장애({of}건 중 {covers}건)"),
        // The number of an incident is ours.
        SuspectKind::Incident => format!("선행 장애 {what}({of}건 중 {covers}건)"),
        SuspectKind::Resource => format!("공통 기반 장애 의심({of}건 중 {covers}건)"),
        SuspectKind::Rule => format!("동일 현상({of}건 중 {covers}건)"),
    }
}

fn counts(by: impl Iterator<Item = (&'static str, i64)>) -> String {
    let some: Vec<String> = by.filter(|(_, n)| *n > 0).map(|(word, n)| format!("{word} {n}")).collect();
    if some.is_empty() { String::new() } else { format!("({})", some.join(", ")) }
}
