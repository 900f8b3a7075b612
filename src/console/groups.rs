//! Incidents that hang under others, as the page shows them: under their parent, folded up, without script.
//!
//! The idea: a storm of thousands is one row with its counts; what is under it can be opened, and is listed as far as a
//! person would read.

use std::collections::{BTreeMap, BTreeSet};

use super::html::Html;
use crate::model::{Domain, Incident, SuspectKind};

/// Children listed under one incident.
const LISTED: usize = 50;

/// Children by the number of their parent.
pub(super) type Children = BTreeMap<String, Vec<Incident>>;

/// Splits `all`, newest first, into at most `most` that stand alone, those that are not over first, and what hangs under
/// these, with the numbers of all that hang.
pub(super) fn split(all: Vec<Incident>, most: usize) -> (Vec<Incident>, Children, BTreeSet<String>) {
    let hangs = |it: &Incident| it.state.is_live() && it.parent.is_some();
    let (under, tops): (Vec<Incident>, Vec<Incident>) = all.into_iter().partition(hangs);
    // One that is not over is never left out for newer ones that are.
    let (mut tops, over): (Vec<Incident>, Vec<Incident>) = tops.into_iter().partition(|it| it.state.is_live());
    tops.extend(over);
    tops.truncate(most);
    let hanging = under.iter().map(|it| it.id.clone()).collect();
    let mut children = Children::new();
    for child in under {
        let parent = child.parent.clone().unwrap_or_default();
        let known = children.entry(parent).or_default();
        if known.len() < LISTED {
            known.push(child);
        }
    }
    (tops, children, hanging)
}

/// What hangs under `it`: nothing where nothing does.
pub(super) fn under(html: &mut Html, it: &Incident, children: &Children) {
    let tally = &it.group.tally;
    if tally.total == 0 {
        return;
    }
    html.raw("<details><summary>하위 장애 ").text(&tally.total.to_string()).raw("건(진행 ");
    html.text(&tally.live().to_string()).raw("건)</summary><ul>");
    for child in children.get(&it.id).into_iter().flatten() {
        html.raw("<li><a href=\"/incidents/").text(&child.id).raw("\">").text(&child.id).raw("</a> ");
        html.text(child.severity.word()).raw(" ").text(&child.title).raw("</li>");
        under(html, child, children);
    }
    let listed = children.get(&it.id).map_or(0, Vec::len);
    let more = usize::try_from(tally.live()).unwrap_or(0).saturating_sub(listed);
    if more > 0 {
        html.raw("<li>그 밖에 ").text(&more.to_string()).raw("건</li>");
    }
    html.raw("</ul></details>");
}

/// Names and texts of what is known of the group of `it`, for its own page.
pub(super) fn facts(it: &Incident) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    if let Some(parent) = &it.parent {
        facts.push(("상위 장애", parent.clone()));
    }
    for suspect in &it.group.suspects {
        let what = match suspect.kind {
            SuspectKind::Incident => "선행 장애",
            SuspectKind::Resource => "공통 대상",
            SuspectKind::Rule => "공통 규칙",
        };
        let text = format!("{what} {} ({}건 중 {}건)", suspect.what, suspect.of, suspect.covers);
        facts.push(("추정 원인", text));
    }
    if let Some(triage) = &it.group.triage {
        let points = Domain::ALL.into_iter().zip(triage.points).filter(|(_, n)| *n > 0);
        let points: Vec<String> = points.map(|(domain, n)| format!("{} {n}", domain.word())).collect();
        facts.push(("추정 구간", format!("{} (근거 점수: {})", triage.domain.word(), points.join(", "))));
    }
    facts
}
