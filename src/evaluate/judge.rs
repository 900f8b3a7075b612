//! The verdict of one instance at one tick: known or not, which severity, and when to look again.
//!
//! The idea: a pure step from (verdict, what is seen, tick) to the next verdict, so that visiting a tick at which
//! nothing changed leaves everything as it was. How a verdict moves stands in `verdict`; here is why, what is told of it
//! and when to come again. It never looks into windows or the log; `leaf` does that.

use crate::evaluate::instance::{Change, Instance};
use crate::evaluate::leaf::Seen;
use crate::evaluate::plan::Compiled;
use crate::evaluate::verdict::Verdict;
use crate::evaluate::{Effects, QUIET, next};
use crate::model::{Cause, Ended, Level, State, Then};
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
    if seen.speaking && it.verdict.unknown == Some(Cause::SourceSilent) {
        it.again = Some(at);
    }
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
            change.ended = it.verdict.lose(rule.rule.no_data.then, at, (cause, gone));
        }
        None => {
            it.verdict.know(at);
            if seen.value.is_some() && !waits(it, rule, at, seen) {
                let terms = &rule.terms[it.terms];
                it.verdict.step(&terms.levels, terms.recover.hold, at, (seen.bad, seen.good));
            }
        }
    }
    out.signals.extend(it.tell(rule, &before, change));
    if it.verdict.state == State::Inactive {
        it.verdict.occurred = None;
        // A healthy one has no row that would keep it; without, it may have been waited for long enough.
        it.again = it.again.filter(|_| it.verdict.unknown.is_some());
        if forgotten(it, rule, at, seen) {
            it.erase(&mut out.rows);
            return Next::Forgotten;
        }
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
    let terms = &rule.terms[0];
    it.verdict.answer(&terms.levels, terms.recover.hold, at, value.is_some());
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

/// Nothing is known for a reason that is not to be seen in windows, and what was known stands.
pub(super) fn doubt(it: &mut Instance, rule: &Compiled, at: Ms, cause: Cause, out: &mut Effects) {
    let before = it.verdict.clone();
    it.verdict.lose(Then::Hold, at, (cause, false));
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
    it.verdict.know(at);
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

/// Whether it is not waited for any longer. A host that comes back after hours, or a clock that jumped over them, says
/// nothing of a series yet: it counts how long the source has been speaking without it.
fn forgotten(it: &Instance, rule: &Compiled, at: Ms, seen: &Seen) -> bool {
    let (speaking, silent) = patience(rule);
    !it.expected && at - it.missed() >= if seen.speaking { speaking } else { silent }
}

/// For how long an identity is waited for while its source speaks, and while it does not, ms. Never so short that it is
/// forgotten before its own window could say that something is missing: what comes once a day is looked for daily.
fn patience(rule: &Compiled) -> (Ms, Ms) {
    let least = rule.over + rule.rule.no_data.after;
    (rule.rule.forget.min(HOUR).max(least), rule.rule.forget.max(least))
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

/// The first tick at which something can change without a new sample.
pub(super) fn due(it: &Instance, rule: &Compiled, at: Ms, seen: &Seen) -> Ms {
    let verdict = &it.verdict;
    let after = rule.rule.no_data.after;
    let last = it.last();
    let (speaking, silent) = patience(rule);
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
    for time in [last + after, last + QUIET, it.missed() + speaking, it.missed() + silent] {
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
