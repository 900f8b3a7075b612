//! Silences as people ask about them: which there are, and what one would have hidden.
//!
//! The idea: the leader keeps silences among its notes, so a reader needs no leader; and a preview asks the very
//! matchers that would mute, over the incidents of the last [`LOOK_BACK`], so that what is shown is what would happen.

use crate::console::{MutedView, Previewed, SilenceView};
use crate::incident::NOTES;
use crate::incident::mute::{Fits, SILENCE_NOTES, Subject, hides};
use crate::model::wire::silence_from_json;
use crate::model::{Incident, Inventory, Matcher, PageState, Preview, Severity, Silence, SilenceState};
use crate::store::Store;
use crate::time::{DAY, Ms};

/// How far a preview looks back.
const LOOK_BACK: Ms = 30 * DAY;
/// Incidents and pages that a preview looks at, at most: the newest.
const LOOKED_MAX: usize = 50_000;
/// Incidents that a preview names.
const NAMED_MAX: usize = 20;

/// All silences that are kept, the newest first.
///
/// # Errors
/// The store cannot be read: one sentence.
pub fn silences(store: &dyn Store) -> Result<Vec<Silence>, String> {
    let notes = store.notes(&format!("{NOTES}{SILENCE_NOTES}")).map_err(|error| error.to_string())?;
    let read = |(_, text): &(String, String)| silence_from_json(&serde_json::from_str(text).ok()?);
    let mut found: Vec<Silence> = notes.iter().filter_map(read).collect();
    found.sort_by(|a, b| (b.made, &b.id).cmp(&(a.made, &a.id)));
    Ok(found)
}

/// A silence that is not over, as the status shows it.
pub fn silence_view(silence: &Silence, now: Ms) -> Option<SilenceView> {
    let state = silence.state(now);
    let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
    (state != SilenceState::Expired).then(|| SilenceView {
        id: silence.id.clone(),
        state: state.word().to_owned(),
        matchers: matchers.join(" "),
        by: silence.by.clone(),
        reason: silence.reason.clone(),
        until: silence.until,
        left_ms: silence.until - now,
    })
}

/// A muted incident, as the status shows it.
pub fn muted_view(incident: &Incident) -> Option<MutedView> {
    let muted = incident.muted.as_ref().filter(|_| incident.state.is_live())?;
    Some(MutedView {
        incident: incident.id.clone(),
        kind: muted.kind.word().to_owned(),
        by: muted.by.clone(),
        until: muted.until,
    })
}

/// What `matchers` would have hidden in the 30 days before `now`, as the inventory is now.
///
/// # Errors
/// A pattern is none, or the store cannot be read: one sentence.
pub fn preview(store: &dyn Store, inventory: &Inventory, matchers: &[Matcher], now: Ms) -> Result<Previewed, String> {
    let fits = Fits::new(matchers)?;
    let away = |error: crate::store::StoreError| error.to_string();
    let since = now - LOOK_BACK;
    let all = store.incidents(LOOKED_MAX).map_err(away)?;
    let mut cut = all.len() >= LOOKED_MAX;
    let recent: Vec<_> = all.into_iter().filter(|it| it.resolved.unwrap_or(now) >= since).collect();
    let hidden: Vec<_> =
        recent.iter().filter(|it| !matchers.is_empty() && hides(&fits, it, &Subject::new(it, inventory))).collect();
    let ids: std::collections::BTreeSet<&str> = hidden.iter().map(|it| it.id.as_str()).collect();
    let pages = store.pages(None, LOOKED_MAX).map_err(away)?;
    cut |= pages.len() >= LOOKED_MAX;
    let left = |state| !matches!(state, PageState::Waiting | PageState::Cancelled);
    let n_pages = pages
        .iter()
        .filter(|row| row.page.decided >= since && left(row.state) && ids.contains(row.page.incident.as_str()))
        .count();
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    Ok(Previewed {
        hides: Preview {
            incidents: count(hidden.len()),
            s1: count(hidden.iter().filter(|it| it.severity == Severity::S1).count()),
            pages: count(n_pages),
            of: count(recent.len()),
            over: LOOK_BACK,
        },
        broad: fits.is_broad(),
        cut,
        incidents: hidden.into_iter().take(NAMED_MAX).cloned().collect(),
    })
}
