//! Badges: one word and one look for a severity, and for where an incident stands.
//!
//! The idea: the word says it, the colour only repeats it.

use super::html::Html;
use crate::model::{Incident, IncidentState, Severity};

/// A severity.
pub(super) fn severity(html: &mut Html, it: Severity) {
    let look = match it {
        Severity::S1 => "bad",
        Severity::S2 => "warn",
        Severity::S3 | Severity::S4 => "info",
    };
    html.badge(look, it.word());
}

/// Where an incident stands.
pub(super) fn incident_state(html: &mut Html, it: &Incident) {
    match it.state {
        IncidentState::Open => html.badge("bad", "미확인"),
        IncidentState::Acked => html.badge("warn", "수신확인"),
        IncidentState::Resolved => html.badge("ok", "복구"),
        IncidentState::Closed => html.badge("", "종료"),
    };
    if it.flapping {
        html.raw(" ").badge("warn", "반복");
    }
    if let Some(muted) = &it.muted {
        html.raw(" ").badge("info", muted.kind.korean());
    }
}
