//! Rules in shadow beside the live ones: what each would have done, against what the live one did.
//!
//! The idea: nothing is kept beside what is durable already. Signals of both rules lie in the store (90 days), the instant
//! from which the two may be compared in the leader's notes, so a restart loses nothing; what was read once is not read
//! again. `spans` finds the differences, `since` the beginning, `words` says it in Korean. Nobody is told of anything here.
//!
//! Pages are an estimate, the same for both rules: each time that an incident would open or open again, the people and
//! channels of the first step of its chain at that instant. Later steps depend on whether somebody acks.

mod since;
mod spans;
mod words;

pub use since::{Meanings, NOTES, Since, meanings};
pub use spans::{Span, Spans, alone, firing};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::console::{ShadowLast, ShadowSide, ShadowView};
use crate::incident::REOPEN_WITHIN;
use crate::model::{Inventory, Labels, People, Rule, RuleSet, chain_labels};
use crate::page::{Asked, Chooser, told_by};
use crate::store::{Store, StoreError};
use crate::time::{DAY, Ms};

/// Signals are kept so long (SEMANTICS §9).
const KEPT: Ms = 90 * DAY;
/// Signals read at once.
const BITE: usize = 5_000;
/// So many openings in a row, each soon after the last end, are told of; then it is flapping, and quiet.
const OPENINGS: usize = 4;

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
            let pages = |rule: &Rule, spans: &[Span]| pages(rule, spans, force, &chooser);
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
    pages: &dyn Fn(&Rule, &[Span]) -> usize,
) -> ShadowView {
    let side = |rule: &Rule, spans: &[Span]| ShadowSide {
        episodes: spans.len(),
        firing_ms: firing(spans, now),
        open: spans.iter().filter(|span| span.to.is_none()).count(),
        pages: pages(rule, spans),
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

/// First pages that `spans` of `rule` would have been, see the file's head.
fn pages(rule: &Rule, spans: &[Span], force: InForce<'_>, chooser: &Chooser) -> usize {
    let mut before: BTreeMap<&Labels, (Ms, usize)> = BTreeMap::new();
    let mut pages = 0;
    for span in spans {
        let row = before.entry(&span.labels).or_insert((Ms::MIN, 0));
        row.1 = if row.0 > Ms::MIN && span.from - row.0 < REOPEN_WITHIN { row.1 + 1 } else { 1 };
        row.0 = span.to.unwrap_or(Ms::MAX);
        if row.1 <= OPENINGS {
            pages += told(rule, span, force, chooser);
        }
    }
    pages
}

/// How many messages the first step of the chain is.
fn told(rule: &Rule, span: &Span, force: InForce<'_>, chooser: &Chooser) -> usize {
    let labels = chain_labels(force.inventory, &span.labels, (&rule.id, rule.domain, span.severity));
    let asked = Asked { named: rule.chain.as_deref(), labels: &labels };
    let Some(chain) = chooser.choose(force.people, asked, span.from) else { return 0 };
    let plan = chain.plan(span.severity);
    if plan.digest || (plan.digest_off_hours && !force.people.calendar.is_business(span.from)) {
        return 0;
    }
    let at = span.from;
    let is_there = |when: &crate::model::When| force.people.calendar.holds(when, at);
    let steps = chain.steps.iter().filter(|step| step.when.as_ref().is_none_or(is_there));
    let mut groups = steps.map(|step| told_by(force.people, &step.to, &step.by, rule.domain, at).len());
    let first = groups.find(|count| *count > 0);
    first.unwrap_or_else(|| told_by(force.people, &chain.last.to, &chain.last.by, rule.domain, at).len())
}
