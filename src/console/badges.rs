//! Badges: one word and one look for a severity, and for where an incident stands.
//!
//! The idea: the word says it, the colour only repeats it.

use super::html::Html;
use crate::model::{Incident, IncidentState, Severity, spoken};

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
    let look = match it.state {
        IncidentState::Open => "bad",
        IncidentState::Acked => "warn",
        IncidentState::Resolved => "ok",
        IncidentState::Closed => "",
    };
    html.badge(look, it.state.korean());
    if let Some(ack) = it.ack.as_ref().filter(|_| it.state == IncidentState::Acked) {
        html.raw(" <span class=\"sub\">").text(spoken(&ack.by)).raw("</span>");
    }
    if it.flapping {
        html.raw(" ").badge("warn", "반복");
    }
    if let Some(muted) = &it.muted {
        html.raw(" ").badge("info", muted.kind.korean());
    }
}
