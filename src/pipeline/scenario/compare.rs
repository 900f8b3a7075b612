//! What should have happened against what did.
//!
//! The idea: each expectation without a `count` needs a happening of its own; where several fit several, they are paired
//! so that as many as possible are met (augmenting paths). One with a `count` counts all that fit in its time.

use crate::config::{Expect, Kind, Scenario, Told, What, Which};
use crate::model::{Channel, Labels, Page, Signal};
use crate::page::ksx1001;
use crate::time::Ms;

use super::Failure;
use super::seen::{Of, Seen, Thing};
use super::words::{self, plain_text, show};

/// How far two values may differ to print the same 12 digits.
const VALUE_SLACK: f64 = 1e-11;
/// Surplus happenings that are told one by one.
const SURPLUS_TOLD: usize = 20;

/// What is not as expected.
pub(super) fn compare(scenario: &Scenario, seen: &[Seen]) -> Vec<Failure> {
    let mut failures = Vec::new();
    let singles: Vec<&Expect> = scenario.expect.iter().filter(|expect| expect.count.is_none()).collect();
    let taken = pair(&singles, seen);
    let mut used: Vec<bool> = taken.iter().map(Option::is_some).collect();
    for (n, expect) in singles.iter().enumerate() {
        if !taken.contains(&Some(n)) {
            failures.push(missing(expect, seen));
        }
    }
    for expect in scenario.expect.iter().filter(|expect| expect.count.is_some()) {
        let mut count = 0;
        for (seen, used) in seen.iter().zip(&mut used) {
            if fits(expect, seen) {
                count += 1;
                *used = true;
            }
        }
        let (least, most) = expect.count.unwrap_or_default();
        if !(least..=most).contains(&count) {
            let from = crate::time::show_duration(expect.at);
            let until = crate::time::show_duration(expect.until);
            let wanted = match (least, most) {
                (least, most) if least == most => format!("{least}"),
                (least, usize::MAX) => format!("{least} or more"),
                (least, most) => format!("{least} to {most}"),
            };
            let what =
                format!("happened {count} times from {from} to {until}, not {wanted}: {}", words::asked(&expect.what));
            failures.push(Failure { line: expect.line, what });
        }
    }
    let surplus = seen.iter().zip(&used).filter(|(seen, used)| !**used && scenario.exact.contains(&kind(seen)));
    let surplus: Vec<&Seen> = surplus.map(|(seen, _)| seen).collect();
    for seen in surplus.iter().take(SURPLUS_TOLD) {
        failures.push(Failure { line: scenario.line, what: format!("must not happen: {}", show(seen)) });
    }
    if surplus.len() > SURPLUS_TOLD {
        let what = format!("… and {} more that must not happen", surplus.len() - SURPLUS_TOLD);
        failures.push(Failure { line: scenario.line, what });
    }
    failures
}

/// For each happening the expectation that it meets: as many as possible.
fn pair(expected: &[&Expect], seen: &[Seen]) -> Vec<Option<usize>> {
    let mut taken: Vec<Option<usize>> = vec![None; seen.len()];
    for n in 0..expected.len() {
        let mut tried = vec![false; seen.len()];
        place(n, expected, seen, &mut taken, &mut tried);
    }
    taken
}

fn place(n: usize, expected: &[&Expect], seen: &[Seen], taken: &mut [Option<usize>], tried: &mut [bool]) -> bool {
    for at in 0..seen.len() {
        if tried[at] || !fits(expected[n], &seen[at]) {
            continue;
        }
        tried[at] = true;
        if taken[at].is_none_or(|other| place(other, expected, seen, taken, tried)) {
            taken[at] = Some(n);
            return true;
        }
    }
    false
}

/// What is missing, and what of its kind was nearest to it.
fn missing(expect: &Expect, seen: &[Seen]) -> Failure {
    let alike = seen.iter().filter(|seen| kind(seen) == expect_kind(expect));
    let always = Expect { at: Ms::MIN, until: Ms::MAX, ..expect.clone() };
    let who = Expect { what: bare(&expect.what), ..always.clone() };
    // First what is as expected at another time, then what is of the same instance or person, then what came near.
    let near = alike.min_by_key(|seen| (!fits(&always, seen), !fits(&who, seen), (seen.at - expect.at).abs()));
    let near =
        near.map_or_else(|| "nothing of the kind happened".to_owned(), |near| format!("nearest: {}", show(near)));
    let at = crate::time::show_duration(expect.at);
    let until = if expect.until > expect.at {
        format!(" to {}", crate::time::show_duration(expect.until))
    } else {
        String::new()
    };
    Failure {
        line: expect.line,
        what: format!("did not happen at {at}{until}: {}; {near}", words::asked(&expect.what)),
    }
}

/// Of what or of whom something is expected, and nothing more.
fn bare(what: &What) -> What {
    let told = |told: &Told| Told {
        channel: None,
        reason: None,
        step: None,
        text: None,
        form: None,
        bytes: None,
        severity: None,
        ..told.clone()
    };
    match what {
        What::Signal { which, .. } => What::Signal {
            which: which.clone(),
            from: None,
            to: None,
            severity: None,
            value: None,
            unknown: None,
            ended: None,
        },
        What::Incident { which, .. } => {
            What::Incident { which: which.clone(), state: None, severity: None, number: None }
        }
        What::Page(page) => What::Page(told(page)),
        What::Arrival(page) => What::Arrival(told(page)),
        What::Outcome { page, .. } => What::Outcome { page: told(page), result: None },
    }
}

fn kind(seen: &Seen) -> Kind {
    match seen.thing {
        Thing::Signal(..) => Kind::Signal,
        Thing::Incident(..) => Kind::Incident,
        Thing::Page(..) => Kind::Page,
        Thing::Outcome(..) => Kind::Outcome,
        Thing::Arrival(..) => Kind::Arrival,
    }
}

fn expect_kind(expect: &Expect) -> Kind {
    match expect.what {
        What::Signal { .. } => Kind::Signal,
        What::Incident { .. } => Kind::Incident,
        What::Page(_) => Kind::Page,
        What::Outcome { .. } => Kind::Outcome,
        What::Arrival(_) => Kind::Arrival,
    }
}

fn is(which: &Which, rule: &str, labels: &Labels) -> bool {
    which.rule == rule && has(&which.labels, labels)
}

fn has(wanted: &Labels, labels: &Labels) -> bool {
    wanted.iter().all(|(name, value)| labels.get(name) == Some(value))
}

fn fits(expect: &Expect, seen: &Seen) -> bool {
    if !(expect.at..=expect.until).contains(&seen.at) {
        return false;
    }
    match (&expect.what, &seen.thing) {
        (What::Signal { which, from, to, severity, value, unknown, ended }, Thing::Signal(signal)) => {
            let states = from.is_none_or(|from| from == signal.from) && to.is_none_or(|to| to == signal.to);
            is(which, &signal.rule, &signal.labels)
                && states
                && severity.is_none_or(|severity| Some(severity) == signal.severity)
                && value.is_none_or(|value| same_value(value, signal))
                && unknown.is_none_or(|unknown| unknown == signal.unknown)
                && ended.is_none_or(|ended| Some(ended) == signal.ended)
        }
        (What::Incident { which, state, severity, number }, Thing::Incident(incident)) => {
            is(which, &incident.rule, &incident.labels)
                && state.as_deref().is_none_or(|state| state == incident.state.word())
                && severity.is_none_or(|severity| severity == incident.severity)
                && number.as_ref().is_none_or(|number| *number == incident.id)
        }
        (What::Page(told), Thing::Page(page)) | (What::Arrival(told), Thing::Arrival(page)) => fits_page(told, page),
        (What::Outcome { page: told, result }, Thing::Outcome(page, outcome)) => {
            fits_page(told, page) && result.as_deref().is_none_or(|result| result == outcome.word())
        }
        _ => false,
    }
}

fn fits_page(told: &Told, of: &Of<Page>) -> bool {
    let page = &of.page;
    told.to.as_ref().is_none_or(|to| *to == page.to)
        && told.channel.is_none_or(|channel| channel == page.channel)
        && told.reason.is_none_or(|reason| reason == page.reason)
        && told.step.is_none_or(|step| step == page.step)
        && told.severity.is_none_or(|severity| severity == page.severity)
        && told.text.as_ref().is_none_or(|text| page.text.contains(text) || plain_text(page).contains(text))
        && told.form.as_ref().is_none_or(|form| form == form_of(page))
        && told.bytes.is_none_or(|bytes| ksx1001::len(&page.text) == Ok(bytes))
        && told.rule.as_ref().is_none_or(|rule| **rule == *of.rule)
        && has(&told.labels, &of.labels)
}

/// What kind of message a page is: a text message with a title is a long one.
fn form_of(page: &Page) -> &'static str {
    if page.channel == Channel::Sms && !page.title.is_empty() { "lms" } else { page.channel.word() }
}

fn same_value(expected: f64, signal: &Signal) -> bool {
    signal.value.is_some_and(|value| (value - expected).abs() <= VALUE_SLACK * expected.abs().max(1.0))
}
