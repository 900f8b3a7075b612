//! Who is muted, worked out beside the product.
//!
//! The idea: what people asked for and what is configured stand here as plain lists, and every live incident is asked
//! anew at the end of every instant. Nothing is remembered that could be forgotten, but when a source of inhibition was
//! last there: what it explained stays muted for a moment.

use std::collections::BTreeMap;

use crate::model::{Domain, Incident, Input, Inventory, Matcher, MuteKind, Muting, Severity, SilenceAsk, Test};
use crate::pipeline::sim::Violation;
use crate::pipeline::sim::terms::Terms;
use crate::time::{Ms, SECOND};

/// What an incident explained stays muted so long after it.
const LINGER: Ms = 10 * SECOND;

/// A silence as its owner knows it.
#[derive(Debug)]
struct Silence {
    ask: SilenceAsk,
    from: Ms,
    until: Ms,
    /// It waits for a second approver.
    waits: bool,
}

/// Everything that mutes.
#[derive(Debug)]
pub(super) struct Mutes {
    /// Somebody asked for, or planned, something that cannot be judged here.
    is_blurred: bool,
    muting: Muting,
    inventory: Inventory,
    silences: BTreeMap<String, Silence>,
    /// Since when each incident that was inhibited is no more; `None`: it still is.
    inhibited: BTreeMap<String, Option<Ms>>,
}

impl Mutes {
    pub(super) fn new(terms: &Terms) -> Self {
        Self {
            is_blurred: !terms.mutes_plainly(),
            muting: terms.muting.clone(),
            inventory: terms.inventory.clone(),
            silences: BTreeMap::new(),
            inhibited: BTreeMap::new(),
        }
    }

    /// Other planned work, inhibition or resources.
    pub(super) fn changed(&mut self, terms: &Terms) {
        self.is_blurred |= !terms.mutes_plainly();
        (self.muting, self.inventory) = (terms.muting.clone(), terms.inventory.clone());
    }

    /// Takes what somebody asked for, with whether it was done and what was answered; `live` are the incidents that are
    /// open or acked.
    pub(super) fn take<'a>(
        &mut self,
        input: &Input,
        (done, answer): (bool, &str),
        live: impl Iterator<Item = &'a Incident>,
        at: Ms,
    ) -> Result<(), Violation> {
        match input {
            Input::Silence(ask) if done => self.begin(ask, answer, live, at),
            Input::Expire { silence, .. } => {
                let lives = self.silences.get(silence).is_some_and(|it| it.until > at);
                if lives != done {
                    return Err(format!("I5: the end of {silence}, which {} over, was answered: {answer}", not(lives)));
                }
                self.end(silence, at);
                Ok(())
            }
            Input::Approve { silence, by } if done => {
                let Some(it) = self.silences.get_mut(silence).filter(|it| it.waits && it.until > at) else {
                    return Err(format!("I5: {silence} waits for nobody, and was approved"));
                };
                if it.ask.by == *by || it.ask.approver.as_ref().is_some_and(|other| other != by) {
                    return Err(format!("I5: {silence} was approved by {by}, who may not"));
                }
                it.waits = false;
                if let Some(old) = it.ask.replaces.clone() {
                    self.end(&old, at);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The wall clock was set by `by` and is `now`: what lingers keeps its length, and a silence that had begun goes on to
    /// its end by the calendar.
    pub(super) fn set_clock(&mut self, by: Ms, now: Ms) {
        self.inhibited.values_mut().flatten().for_each(|since| *since += by);
        for silence in self.silences.values_mut().filter(|it| it.from <= now - by && it.from > now) {
            silence.from = now;
        }
    }

    fn begin<'a>(
        &mut self,
        ask: &SilenceAsk,
        answer: &str,
        mut live: impl Iterator<Item = &'a Incident>,
        at: Ms,
    ) -> Result<(), Violation> {
        let is_over = |id: &String| self.silences.get(id).is_none_or(|old| old.until <= at);
        if ask.until <= at || ask.approver.as_ref() == Some(&ask.by) || ask.replaces.as_ref().is_some_and(is_over) {
            return Err(format!("I5: {ask:?} was taken: {answer}"));
        }
        self.is_blurred |= ask.matchers.iter().any(|matcher| matcher.test != Test::Is);
        let grave = live.any(|it| it.severity == Severity::S1 && self.hides(&ask.matchers, it));
        let waits = grave || ask.hides.s1 > 0 || ask.hides.incidents > self.muting.silence_incidents;
        if let Some(old) = ask.replaces.as_ref().filter(|_| !waits) {
            self.end(old, at);
        }
        let id = answer.split(' ').next().unwrap_or_default().to_owned();
        let from = ask.from.unwrap_or(at).max(at);
        self.silences.insert(id, Silence { ask: ask.clone(), from, until: ask.until, waits });
        Ok(())
    }

    fn end(&mut self, id: &str, at: Ms) {
        if let Some(it) = self.silences.get_mut(id) {
            it.until = it.until.min(at);
        }
    }

    /// Notes who is inhibited: a source may come and go within an instant.
    pub(super) fn see(&mut self, live: &[&Incident], at: Ms) {
        for it in live.iter().filter(|_| !self.muting.inhibit.is_empty()) {
            if self.is_inhibited(it, live) {
                self.inhibited.insert(it.id.clone(), None);
            } else if let Some(since) = self.inhibited.get_mut(&it.id) {
                since.get_or_insert(at);
            }
        }
    }

    /// Every live incident is muted by what should mute it, and by nothing else.
    pub(super) fn judge(&mut self, live: &[&Incident], at: Ms) -> Result<(), Violation> {
        self.see(live, at);
        for it in live.iter().filter(|_| !self.is_blurred) {
            let is_inhibited = self.inhibited.get(&it.id) == Some(&None);
            let want = self.planned(it, at).or_else(|| is_inhibited.then_some(MuteKind::Inhibition));
            let have = it.muted.as_ref().map(|muted| muted.kind);
            let lately = self.inhibited.get(&it.id).copied().flatten();
            let lingers = have == Some(MuteKind::Inhibition) && lately.is_some_and(|since| at < since + LINGER);
            if want != have && !(want.is_none() && lingers) {
                let word = |kind: Option<MuteKind>| kind.map_or("nothing", MuteKind::word);
                let (want, have) = (word(want), word(have));
                return Err(format!("I5: at {at} {} is muted by {have}, and {want} should", it.id));
            }
        }
        Ok(())
    }

    /// The first of what is planned or asked for that mutes an incident.
    fn planned(&self, it: &Incident, at: Ms) -> Option<MuteKind> {
        let is_open = |once: &[(Ms, Ms)]| once.iter().any(|(from, until)| *from <= at && at < *until);
        let mut windows = self.muting.windows.iter().filter(|window| is_open(&window.once));
        if !it.is_drill() && windows.any(|window| self.fit(&window.matchers, it) && may(&window.matchers, it)) {
            return Some(MuteKind::Maintenance);
        }
        let mut silences = self.silences.values().filter(|it| !it.waits && it.from <= at && at < it.until);
        silences.any(|silence| self.hides(&silence.ask.matchers, it)).then_some(MuteKind::Silence)
    }

    fn hides(&self, matchers: &[Matcher], it: &Incident) -> bool {
        let is_meant = !it.is_drill() || names(matchers, "drill", "true");
        is_meant && self.fit(matchers, it) && may(matchers, it)
    }

    fn is_inhibited(&self, it: &Incident, live: &[&Incident]) -> bool {
        self.muting.inhibit.iter().any(|rule| {
            let is_source = |other: &&&Incident| {
                let equal = |label: &String| self.answer(other, label) == self.answer(it, label);
                other.id != it.id
                    && other.is_drill() == it.is_drill()
                    && self.fit(&rule.source, other)
                    && rule.equal.iter().all(equal)
            };
            self.fit(&rule.target, it) && may(&rule.target, it) && live.iter().any(|other| is_source(&other))
        })
    }

    /// All matchers here ask for equality.
    fn fit(&self, matchers: &[Matcher], it: &Incident) -> bool {
        matchers.iter().all(|matcher| self.answer(it, &matcher.label) == matcher.value)
    }

    fn answer(&self, it: &Incident, label: &str) -> String {
        match label {
            "rule" => it.rule.to_string(),
            "severity" => it.severity.code().to_owned(),
            "domain" => it.domain.word().to_owned(),
            "drill" => (if it.is_drill() { "true" } else { "" }).to_owned(),
            other => self.inventory.join(&it.labels).get(other).unwrap_or_default().to_owned(),
        }
    }
}

/// An S1 of 보안 is hidden only by what names 보안.
fn may(matchers: &[Matcher], it: &Incident) -> bool {
    let is_guarded = it.severity == Severity::S1 && it.domain == Domain::Security;
    !is_guarded || names(matchers, "domain", Domain::Security.word())
}

fn names(matchers: &[Matcher], label: &str, value: &str) -> bool {
    matchers.iter().any(|matcher| matcher.label == label && matcher.value == value)
}

const fn not(lives: bool) -> &'static str {
    if lives { "is not" } else { "is" }
}
