//! Rules in shadow beside the live ones: what each would have done, against what the live one did.
//!
//! The idea: nothing is kept beside what is durable already. Signals of both rules lie in the store (90 days), the instant
//! from which the two may be compared in the leader's notes, so a restart loses nothing; what was read once is not read
//! again. `spans` finds the differences, `since` the beginning, `words` says it in Korean. Nobody is told of anything here.
//!
//! Pages are an estimate (`pages`), the same for both rules.

mod pages;
mod since;
mod spans;
mod words;

pub use since::{Meanings, NOTES, Since, meanings};
pub use spans::{Span, Spans, alone, firing};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::console::{ShadowLast, ShadowSide, ShadowView};
use crate::model::{Inventory, People, Rule, RuleSet};
use crate::page::Chooser;
use crate::store::{Store, StoreError};
use crate::time::{DAY, Ms};

use pages::Pages;

/// Signals are kept so long (SEMANTICS §9).
const KEPT: Ms = 90 * DAY;
/// Signals read at once.
const BITE: usize = 5_000;

/// What was read of the signals, up to where.
#[derive(Debug, Default)]
struct Kept {
    of: BTreeSet<Arc<str>>,
    cursors: BTreeMap<(String, i32), i64>,
    spans: BTreeMap<Arc<str>, Spans>,
}

/// The comparisons; a look reads what is new since the last.
#[derive(Debug, Default)]
pub struct Shadows(Mutex<Kept>);

/// What is in force.
#[derive(Debug, Clone, Copy)]
pub struct InForce<'a> {
    /// Rules.
    pub rules: &'a RuleSet,
    /// Contacts and chains.
    pub people: &'a People,
    /// Resources.
    pub inventory: &'a Inventory,
}

impl Shadows {
    /// Every rule in shadow, compared with the live one that it stands beside.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn look(&self, store: &dyn Store, force: InForce<'_>, now: Ms) -> Result<Vec<ShadowView>, StoreError> {
        let pairs: Vec<(&Arc<Rule>, Option<&Arc<Rule>>)> =
            force.rules.shadows().map(|shadow| (shadow, force.rules.beside(shadow))).collect();
        let of: BTreeSet<Arc<str>> =
            pairs.iter().flat_map(|(shadow, live)| [Some(*shadow), *live]).flatten().map(|r| r.id.clone()).collect();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.of != of {
            *kept = Kept { of, ..Kept::default() };
        }
        if pairs.is_empty() {
            return Ok(Vec::new());
        }
        kept.read(store, now)?;
        let (noted, meanings) = (Since::load(&store.notes(NOTES)?), meanings(force.rules));
        let chooser = Chooser::of(force.people);
        let views = pairs.into_iter().map(|(shadow, live)| {
            let means = meanings.get(&*shadow.id).map_or("", String::as_str);
            // The leader has not noted it yet: it begins now.
            let since = noted.of(&shadow.id, means).unwrap_or(now).max(now - KEPT);
            let spans = |rule: &Arc<Rule>| kept.spans.get(&rule.id).map_or_else(Vec::new, |spans| spans.since(since));
            let pages = |rule: &Rule, spans: &[Span]| Pages::of(rule, spans, (force, &chooser), now);
            let own = spans(shadow);
            let beside = live.map(|live| (live, spans(live)));
            view(shadow, &own, beside, (since, now), &pages)
        });
        Ok(views.collect())
    }
}

impl Kept {
    fn read(&mut self, store: &dyn Store, now: Ms) -> Result<(), StoreError> {
        for (topic, partition, _) in store.partitions()? {
            let cursor = self.cursors.entry((topic.clone(), partition)).or_default();
            loop {
                let bite = store.signals(&topic, partition, *cursor, BITE)?;
                let more = bite.len() == BITE;
                for (seq, signal) in bite {
                    *cursor = seq;
                    if let Some(rule) = self.of.get(&signal.rule) {
                        self.spans.entry(Arc::clone(rule)).or_default().take(&signal);
                    }
                }
                if !more {
                    break;
                }
            }
        }
        self.spans.values_mut().for_each(|spans| spans.forget(now - KEPT));
        Ok(())
    }
}

fn view(
    shadow: &Rule,
    own: &[Span],
    live: Option<(&Arc<Rule>, Vec<Span>)>,
    (since, now): (Ms, Ms),
    pages: &dyn Fn(&Rule, &[Span]) -> Pages,
) -> ShadowView {
    let side = |rule: &Rule, spans: &[Span]| {
        let Pages { first, unacked } = pages(rule, spans);
        ShadowSide {
            episodes: spans.len(),
            firing_ms: firing(spans, now),
            open: spans.iter().filter(|span| span.to.is_none()).count(),
            pages: first,
            pages_unacked: unacked,
        }
    };
    let mut view =
        ShadowView { rule: shadow.id.to_string(), since, shadow: side(shadow, own), ..ShadowView::default() };
    if let Some((live, theirs)) = live {
        let (found, missed) = (alone(own, &theirs), alone(&theirs, own));
        let last = |spans: &[&Span], in_shadow| spans.last().map(|span| last(span, in_shadow));
        view.last = [last(&found, true), last(&missed, false)].into_iter().flatten().max_by_key(|last| last.from);
        (view.only_shadow, view.only_live) = (found.len(), missed.len());
        view.both = own.len() - found.len();
        view.beside = Some(live.id.to_string());
        view.live = Some(side(live, &theirs));
    }
    view.lines = words::lines(&view, now);
    view
}

fn last(span: &Span, in_shadow: bool) -> ShadowLast {
    ShadowLast {
        in_shadow,
        labels: span.labels.to_json(),
        severity: span.severity.code(),
        from: span.from,
        to: span.to,
    }
}
