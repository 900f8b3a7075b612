//! Subqueries: an expression at each step that is a multiple of the step since 1970, in (until − over, until].
//!
//! The idea: steps are absolute, so the next tick asks for nearly the same ones. Where a place is given their results
//! are kept until a sample comes that one of them would have seen. What they cost is kept too: whether an expression
//! takes too many steps must not hang on what was kept.

use std::collections::BTreeMap;

use crate::evaluate::promql::ast::{Node, SUBQUERY_STEP, Subquery};
use crate::evaluate::promql::eval::{Got, Item, Scene, Track, Tracks, trouble};
use crate::evaluate::promql::value::Trouble;
use crate::model::Labels;
use crate::time::Ms;

/// Steps of subqueries for one time; more is a mistake in a step or a range, and would block the engine.
pub const STEPS_MAX: u64 = 1_000_000;
/// Samples of steps that are kept of one subquery; more are computed anew each time.
const KEPT_MAX: usize = 1_000_000;

/// The steps of one subquery that are kept.
#[derive(Debug, Default)]
pub(in crate::evaluate::promql) struct Steps {
    at: BTreeMap<Ms, Step>,
    samples: usize,
    /// How often steps were forgotten because of a sample.
    edition: u64,
    /// Not all steps of the last evaluation found room.
    partial: bool,
}

/// Names what a subquery sees: first and last step, and the edition of what is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::evaluate::promql) struct Seen {
    first: Ms,
    last: Ms,
    edition: u64,
}

#[derive(Debug)]
struct Step {
    items: Vec<Item>,
    /// Steps that it took, itself among them.
    took: u64,
}

impl Steps {
    /// Forgets the steps at which a sample of time `from` is seen.
    pub(in crate::evaluate::promql) fn forget(&mut self, from: Ms) {
        let gone = self.at.split_off(&from);
        self.edition += u64::from(!gone.is_empty());
        for step in gone.into_values() {
            self.samples -= step.items.len();
        }
    }

    pub(in crate::evaluate::promql) fn is_empty(&self) -> bool {
        self.at.is_empty()
    }

    /// Forgets the steps at or before `edge`.
    fn trim(&mut self, edge: Ms) {
        while let Some(step) = self.at.first_entry().filter(|step| *step.key() <= edge) {
            self.samples -= step.remove().items.len();
        }
    }

    fn put(&mut self, at: Ms, step: Step) {
        if self.samples + step.items.len() <= KEPT_MAX {
            self.samples += step.items.len();
            self.at.insert(at, step);
        } else {
            self.partial = true;
        }
    }
}

/// What a subquery sees at `at`, where every step of its last evaluation is kept: as long as it is the same, so is what
/// the subquery gives.
pub(in crate::evaluate::promql) fn seen(scene: &Scene<'_>, subquery: &Subquery, node: &Node, at: Ms) -> Option<Seen> {
    let (kept, place) = scene.place(node, at).filter(|(_, place)| place.shared)?;
    let (after, until, step) = edges(scene, subquery, at);
    let edition = kept.borrow().edition(place.id)?;
    Some(Seen { first: after.div_euclid(step), last: until.div_euclid(step), edition })
}

/// The edges of a subquery, (after, until], and its step.
fn edges(scene: &Scene<'_>, subquery: &Subquery, at: Ms) -> (Ms, Ms, Ms) {
    let until = scene.end_of(subquery.shift, at);
    (until.saturating_sub(subquery.over), until, subquery.step.unwrap_or(SUBQUERY_STEP))
}

impl Steps {
    /// `None` where not all steps of the last evaluation are kept.
    pub(in crate::evaluate::promql) fn edition(&self) -> Option<u64> {
        (!self.partial && !self.at.is_empty()).then_some(self.edition)
    }
}

pub(super) fn eval(scene: &Scene<'_>, subquery: &Subquery, node: &Node, at: Ms) -> Result<Got, Trouble> {
    let (after, until, _) = edges(scene, subquery, at);
    let place = scene.place(node, at).filter(|(_, place)| place.shared);
    let mut kept = place.map(|(kept, place)| kept.borrow_mut().take_steps(place.id));
    let gathered = gather(scene, (subquery, node), kept.as_mut(), at);
    // Also where a step failed: an edition is never used again.
    if let (Some((all, place)), Some(kept)) = (place, kept) {
        all.borrow_mut().put_steps(place.id, kept);
    }
    Ok(Got::Range(Tracks { series: gathered?.sorted(), after, until }))
}

fn gather(
    scene: &Scene<'_>,
    (subquery, node): (&Subquery, &Node),
    mut kept: Option<&mut Steps>,
    at: Ms,
) -> Result<Gathered, Trouble> {
    let (after, until, step) = edges(scene, subquery, at);
    if let Some(kept) = &mut kept {
        kept.trim(after);
        kept.partial = false;
    }
    let mut gathered = Gathered::default();
    let mut t = (after.div_euclid(step) + 1) * step;
    while t <= until {
        if let Some(known) = kept.as_ref().and_then(|kept| kept.at.get(&t)) {
            count(scene, node, known.took)?;
            gathered.take(t, &known.items);
        } else {
            let before = scene.steps.get();
            count(scene, node, 1)?;
            let items = scene.vector(&subquery.of, t)?;
            gathered.take(t, &items);
            if let Some(kept) = &mut kept {
                kept.put(t, Step { items, took: scene.steps.get() - before });
            }
        }
        t += step;
    }
    Ok(gathered)
}

/// Counts steps. Errors: there are too many.
pub(in crate::evaluate::promql) fn count(scene: &Scene<'_>, node: &Node, more: u64) -> Result<(), Trouble> {
    scene.steps.set(scene.steps.get() + more);
    if scene.steps.get() > STEPS_MAX {
        let detail = "give the subquery a longer step or a shorter range".to_owned();
        return Err(Trouble { detail, ..trouble(&node.span, format!("more than {STEPS_MAX} steps of subqueries")) });
    }
    Ok(())
}

/// The series of a subquery, step by step.
#[derive(Default)]
struct Gathered {
    tracks: Vec<Track>,
    index: BTreeMap<Labels, usize>,
}

impl Gathered {
    fn take(&mut self, t: Ms, items: &[Item]) {
        for (n, item) in items.iter().enumerate() {
            // From step to step the same series come in the same order, most of the time.
            if let Some(track) = self.tracks.get_mut(n).filter(|track| track.labels == item.labels) {
                track.points.push((t, item.value));
                continue;
            }
            let at = *self.index.entry(item.labels.clone()).or_insert(self.tracks.len());
            match self.tracks.get_mut(at) {
                Some(track) => track.points.push((t, item.value)),
                None => self.tracks.push(Track {
                    labels: item.labels.clone(),
                    points: vec![(t, item.value)],
                    nameless: item.nameless,
                }),
            }
        }
    }

    fn sorted(mut self) -> Vec<Track> {
        self.tracks.sort_by(|a, b| a.labels.cmp(&b.labels));
        self.tracks
    }
}
