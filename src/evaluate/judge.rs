//! The verdict of one instance at one tick: known or not, which severity, and when to look again.
//!
//! The idea: a pure step from (verdict, what is seen, tick) to the next verdict, so that visiting a tick at which
//! nothing changed leaves everything as it was. It never looks into windows or the log; `leaf` does that.

use crate::evaluate::instance::{Change, Instance, Verdict};
use crate::evaluate::leaf::Seen;
use crate::evaluate::plan::Compiled;
use crate::evaluate::terms::Terms;
use crate::evaluate::{Effects, QUIET, next};
use crate::model::{Cause, Ended, Level, Rule, Severity, State, Then};
use crate::time::{HOUR, Ms};

/// What becomes of an instance after a visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Look again at this tick, unless something comes before; `Ms::MAX` = only then.
    Due(Ms),
    /// It was forgotten.
    Forgotten,
}

/// Judges an instance at tick `at`. Muted, only what was observed is noted, and no verdict moves.
pub(super) fn judge(it: &mut Instance, rule: &Compiled, at: Ms, seen: &Seen, out: Option<&mut Effects>) -> Next {
    note(it, rule, at, seen);
    let Some(out) = out else {
        let gone = !it.has_row() && forgotten(it, rule, at, seen);
        return if gone { Next::Forgotten } else { Next::Due(due(it, rule, at, seen)) };
    };
    let before = it.verdict.clone();
    let mut change = Change { at, value: seen.value, ended: None };
    if forgotten(it, rule, at, seen) {
        if it.verdict.state.is_active() {
            change.ended = Some(Ended::Gone);
            it.verdict = Verdict::default();
            out.signals.extend(it.tell(rule, &before, change));
        }
        it.erase(&mut out.rows);
        return Next::Forgotten;
    }
    match cause(it, rule, at, seen) {
        Some(cause) => {
            // Of a source that never spoke nobody else tells.
            let gone = cause == Cause::SeriesGone || (cause == Cause::SourceSilent && it.never_spoke());
            change.ended = lose(&mut it.verdict, &rule.rule, at, (cause, gone));
        }
        None => {
            know(&mut it.verdict, at);
            if seen.value.is_some() && !waits(it, rule, at, seen) {
                step(&mut it.verdict, &rule.terms[it.terms], at, seen);
            }
        }
    }
    out.signals.extend(it.tell(rule, &before, change));
    if it.verdict.state == State::Inactive {
        it.verdict.occurred = None;
    }
    it.save(at, rule, &mut out.rows);
    Next::Due(due(it, rule, at, seen))
}

/// Whether a bad value says nothing yet, because its window may look empty only for want of a past. A good one counts.
fn waits(it: &Instance, rule: &Compiled, at: Ms, seen: &Seen) -> bool {
    rule.waits && at - it.began < rule.over && !it.verdict.state.is_active() && seen.bad != 0
}

/// Judges an instance of an expression: `value` is what the result holds for it, `None` is good. One that is inactive is
/// not kept.
pub(super) fn answer(it: &mut Instance, rule: &Compiled, at: Ms, value: Option<f64>, out: &mut Effects) -> Next {
    let before = it.verdict.clone();
    it.has = true;
    it.valued = Some(at);
    it.newest = Some(at);
    know(&mut it.verdict, at);
    // What an expression has left in is bad at every severity, what it has left out is good.
    let seen = Seen { value, bad: if value.is_some() { u8::MAX } else { 0 }, good: value.is_none(), ..Seen::default() };
    step(&mut it.verdict, &rule.terms[0], at, &seen);
    out.signals.extend(it.tell(rule, &before, Change { at, value, ended: None }));
    if it.verdict.state == State::Inactive {
        it.erase(&mut out.rows);
        return Next::Forgotten;
    }
    it.save(at, rule, &mut out.rows);
    Next::Due(at + rule.rule.interval)
}

/// Visits the leaf of a wide rule: it has no verdict, but a row once it is silent, as it would not come back without.
pub(super) fn leaf(it: &mut Instance, rule: &Compiled, at: Ms, seen: &Seen, out: &mut Effects) -> Next {
    note(it, rule, at, seen);
    if forgotten(it, rule, at, seen) {
        it.erase(&mut out.rows);
        return Next::Forgotten;
    }
    it.save(at, rule, &mut out.rows);
    Next::Due(due(it, rule, at, seen))
}

/// Notes the last tick with a value: what the last visit found held until this one.
fn note(it: &mut Instance, rule: &Compiled, at: Ms, seen: &Seen) {
    if it.has {
        it.valued = it.valued.max(Some(at - rule.rule.interval));
    }
    it.has = seen.value.is_some();
    if it.has {
        it.valued = it.valued.max(Some(at));
    }
}

/// Ends an instance for a reason that is not its value.
pub(super) fn end(it: &mut Instance, rule: &Compiled, at: Ms, ended: Ended, out: &mut Effects) {
    let before = std::mem::take(&mut it.verdict);
    if before.state.is_active() {
        out.signals.extend(it.tell(rule, &before, Change { at, value: None, ended: Some(ended) }));
    }
    it.erase(&mut out.rows);
}

/// A partition is missing: nothing is known of a wide rule, and what was known stands.
pub(super) fn lag(it: &mut Instance, rule: &Compiled, at: Ms, out: &mut Effects) {
    let before = it.verdict.clone();
    it.verdict.unknown = Some(Cause::PipelineLag);
    it.verdict.unknown_since.get_or_insert(at);
    out.signals.extend(it.tell(rule, &before, Change { at, value: None, ended: None }));
    it.save(at, rule, &mut out.rows);
}

/// Judges at a record, before its tick: only the severities that need not hold, and only for the worse.
pub(super) fn early(it: &mut Instance, rule: &Compiled, at: Ms, seen: &Seen, out: &mut Effects) {
    let Some(value) = seen.value else { return };
    if cause(it, rule, at, seen).is_some() {
        return;
    }
    let levels = &rule.terms[it.terms].levels;
    let at_once = |level: &&Level| level.hold == 0 && seen.holds(level.severity);
    let Some(level) = levels.iter().find(at_once) else { return };
    let verdict = &it.verdict;
    let worse = verdict.severity.is_none_or(|severity| level.severity < severity);
    if verdict.state == State::Firing && !worse {
        return;
    }
    let before = it.verdict.clone();
    know(&mut it.verdict, at);
    for level in levels.iter().filter(at_once) {
        it.verdict.since[level.severity.index()].get_or_insert(at);
    }
    it.verdict.occurred.get_or_insert(at);
    it.verdict.recovering = None;
    it.verdict.state = State::Firing;
    if worse {
        it.verdict.severity = Some(level.severity);
    }
    out.signals.extend(it.tell(rule, &before, Change { at, value: Some(value), ended: None }));
    it.save(at, rule, &mut out.rows);
}

fn forgotten(it: &Instance, rule: &Compiled, at: Ms, seen: &Seen) -> bool {
    if it.expected {
        return false;
    }
    let limit = if seen.speaking { rule.rule.forget.min(HOUR) } else { rule.rule.forget };
    at - it.last() >= limit
}

/// Why nothing is known, judged in the order of the causes.
fn cause(it: &Instance, rule: &Compiled, at: Ms, seen: &Seen) -> Option<Cause> {
    let after = rule.rule.no_data.after;
    if seen.warm.is_some_and(|until| at < until) {
        return Some(Cause::Warming);
    }
    if it.limited || it.starved {
        return Some(Cause::Limit);
    }
    let silent = if rule.empty && !it.never_spoke() { !seen.speaking } else { at - it.last() >= after };
    if !silent {
        let valueless = !it.has && at - it.last_value() >= after;
        return (valueless && seen.value.is_none()).then_some(Cause::TooFewSamples);
    }
    if seen.rejecting {
        return Some(Cause::ParseError);
    }
    Some(if seen.speaking { Cause::SeriesGone } else { Cause::SourceSilent })
}

/// Nothing is known any more, or still: pending freezes, firing goes on, and a gone series does what the rule says.
fn lose(verdict: &mut Verdict, rule: &Rule, at: Ms, (cause, gone): (Cause, bool)) -> Option<Ended> {
    verdict.unknown = Some(cause);
    verdict.unknown_since.get_or_insert(at);
    if !gone {
        return None;
    }
    match rule.no_data.then {
        Then::Hold => None,
        Then::Raise(severity) => {
            if verdict.state.is_active() {
                verdict.severity = verdict.severity.min(Some(severity));
            } else {
                verdict.state = State::Firing;
                verdict.severity = Some(severity);
                verdict.occurred.get_or_insert(at);
            }
            None
        }
        Then::Resolve => {
            let active = verdict.state.is_active();
            let (unknown, since) = (verdict.unknown, verdict.unknown_since);
            let occurred = verdict.occurred;
            *verdict = Verdict { unknown, unknown_since: since, occurred, ..Verdict::default() };
            active.then_some(Ended::NoData)
        }
    }
}

/// Something is known again: the time in between does not count towards any `for`.
fn know(verdict: &mut Verdict, at: Ms) {
    verdict.unknown = None;
    if let Some(since) = verdict.unknown_since.take() {
        for mark in verdict.since.iter_mut().chain([&mut verdict.recovering]).flatten() {
            *mark += at - since;
        }
    }
}

/// One tick with a value.
fn step(verdict: &mut Verdict, terms: &Terms, at: Ms, seen: &Seen) {
    let mut reached: Option<Severity> = None;
    let mut holding: Option<Severity> = None;
    let current = verdict.severity;
    let mut kept = false;
    for level in &terms.levels {
        let since = &mut verdict.since[level.severity.index()];
        if !seen.holds(level.severity) {
            *since = None;
            continue;
        }
        let began = *since.get_or_insert(at);
        if at - began >= level.hold && reached.is_none() {
            reached = Some(level.severity);
        }
        if current.is_some_and(|current| level.severity <= current) {
            kept = true;
        } else if holding.is_none() {
            holding = Some(level.severity);
        }
    }
    if !verdict.state.is_active() {
        rise(verdict, at, reached, holding.is_some());
        return;
    }
    if kept || holding.is_some() {
        verdict.state = State::Firing;
        verdict.recovering = None;
        verdict.severity = match reached {
            Some(reached) if current.is_some_and(|current| reached < current) => Some(reached),
            _ if kept => current,
            _ => holding,
        };
        return;
    }
    recover(verdict, terms, at, seen.good);
}

/// Not firing: pending while any condition holds, firing with the worst that was reached.
fn rise(verdict: &mut Verdict, at: Ms, reached: Option<Severity>, holds: bool) {
    verdict.recovering = None;
    if !holds {
        verdict.state = State::Inactive;
        return;
    }
    verdict.occurred.get_or_insert(at);
    verdict.state = if reached.is_some() { State::Firing } else { State::Pending };
    verdict.severity = reached;
}

/// Firing, and no condition holds: the level stays until the recover condition has held for long enough.
fn recover(verdict: &mut Verdict, terms: &Terms, at: Ms, good: bool) {
    if terms.recover.hold > 0 {
        verdict.state = State::Recovering;
    }
    if !good {
        verdict.recovering = None;
        return;
    }
    let since = *verdict.recovering.get_or_insert(at);
    if at - since >= terms.recover.hold {
        let occurred = verdict.occurred;
        *verdict = Verdict { occurred, ..Verdict::default() };
    }
}

/// The first tick at which something can change without a new sample.
pub(super) fn due(it: &Instance, rule: &Compiled, at: Ms, seen: &Seen) -> Ms {
    let verdict = &it.verdict;
    let after = rule.rule.no_data.after;
    let last = it.last();
    let mut times = [Ms::MAX; 18];
    let mut place = 0;
    let mut add = |time: Ms| {
        if time > at && place < times.len() {
            times[place] = time;
            place += 1;
        }
    };
    for time in [seen.change, seen.warm].into_iter().flatten() {
        add(time);
    }
    // Whether its source speaks matters only to one who is silent already, or lives by its source alone.
    if rule.empty || !rule.local || verdict.unknown.is_some() {
        for time in [seen.speaks_until, seen.rejects_until].into_iter().flatten() {
            add(time);
        }
    }
    for time in [last + after, last + QUIET, last + HOUR.min(rule.rule.forget), last + rule.rule.forget] {
        add(time);
    }
    if !it.has {
        add(it.last_value() + after);
        add(it.last_value() + QUIET);
    }
    if rule.waits {
        add(it.began + rule.over);
    }
    let terms = &rule.terms[it.terms];
    for level in &terms.levels {
        if let Some(since) = verdict.since[level.severity.index()] {
            add(since + level.hold);
        }
    }
    if let Some(since) = verdict.recovering {
        add(since + terms.recover.hold);
    }
    let first = times.into_iter().min().unwrap_or(Ms::MAX);
    if first == Ms::MAX { Ms::MAX } else { next(first, rule.rule.interval) }
}
