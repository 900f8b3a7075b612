//! Runs scenarios: rules against a written feed, through the same code as `replay`.
//!
//! A scenario's clock begins at 0; it is run from a fixed Monday morning, because a record of 1970 is refused, and told
//! back in its own times. What people do is done; faults of the world (gateway, crash, partition, …) belong to simulated
//! worlds and are refused here by name.

use std::sync::Arc;

use crate::config::{Expect, Feed, Kind, Loaded, Scenario, Verb, What, Which};
use crate::evaluate::Setup;
use crate::model::{ExprGroup, Labels, Line, RuleSet, Signal, State};
use crate::pipeline::backtest::{Act, Backtest, Deed, Happening, Verb as DeedVerb};
use crate::pipeline::leader::World;
use crate::pipeline::service;
use crate::pipeline::stages::At;
use crate::time::{HOUR, Ms};

/// Where a scenario's clock stands at 0: 2026-01-05 09:00 KST.
const BEGINNING: Ms = 1_767_571_200_000;
/// An ack holds so long unless it says otherwise.
const ACK_HOLD: Ms = 4 * HOUR;
/// How far two values may differ to print the same 12 digits.
const VALUE_SLACK: f64 = 1e-11;

/// An expectation that was not met, or something that happened and must not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Line in the scenario's file.
    pub line: usize,
    /// What is wrong, one sentence.
    pub what: String,
}

/// What came of a scenario.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// What was not as expected.
    pub failures: Vec<Failure>,
    /// What happened, in order, for whoever asks which rules were shown.
    pub happened: Vec<Happening>,
}

/// Runs one scenario; what its file does not bring comes from `loaded`. What was not as expected.
pub fn run(scenario: &Scenario, loaded: &Loaded) -> Vec<Failure> {
    play(scenario, loaded).failures
}

/// As [`run`], with everything that happened.
pub fn play(scenario: &Scenario, loaded: &Loaded) -> Outcome {
    let deeds = match deeds(scenario) {
        Ok(deeds) => deeds,
        Err(failure) => return Outcome { failures: vec![failure], happened: Vec::new() },
    };
    let mut run = start(scenario, loaded, deeds);
    let mut last = 0;
    for (n, (at, key, value)) in records(scenario).into_iter().enumerate() {
        last = at;
        let place = At { partition: 0, offset: n as i64, append: BEGINNING + at };
        run.feed(place, &key, &value);
    }
    let ends = scenario.expect.iter().map(|expect| expect.at).chain([last]);
    // A tick runs once the clock is past it.
    run.close(0, BEGINNING + ends.max().unwrap_or(0) + 1);
    let happened = run.drain();
    Outcome { failures: compare(scenario, &happened), happened }
}

fn start(scenario: &Scenario, loaded: &Loaded, deeds: Vec<Deed>) -> Backtest {
    let own = &scenario.own;
    let mut loaded = loaded.clone();
    if let Some(rules) = &own.rules {
        let groups = rules.iter().filter_map(ExprGroup::alone).map(Arc::new).collect();
        let rules = rules.iter().cloned().map(Arc::new).collect();
        loaded.rules = RuleSet { hash: "scenario".to_owned(), rules, groups };
    }
    loaded.people.contacts = own.contacts.clone().unwrap_or(loaded.people.contacts);
    loaded.people.chains = own.chains.clone().unwrap_or(loaded.people.chains);
    loaded.people.sla = own.sla.clone().unwrap_or(loaded.people.sla);
    loaded.inventory = own.inventory.clone().unwrap_or(loaded.inventory);
    let world: Arc<World> = service::world(&loaded);
    let limits = service::decode_limits(&loaded.settings);
    let inventory = Arc::new(loaded.inventory);
    let setup = service::setup(&loaded.settings, Arc::new(loaded.rules), inventory, "scenario");
    let setup = Setup { partitions: 1, builtins: false, ..setup };
    let mut run = Backtest::new(Arc::new(setup), limits, Some(world), deeds);
    run.start(0, Some(&crate::model::Progress::default()), Vec::new());
    run
}

fn deeds(scenario: &Scenario) -> Result<Vec<Deed>, Failure> {
    let mut deeds = Vec::new();
    for action in &scenario.actions {
        let (which, by, verb) = match &action.verb {
            Verb::Ack { which, by, hold } => (which, by, DeedVerb::Ack(hold.unwrap_or(ACK_HOLD))),
            Verb::Unack { which, by } => (which, by, DeedVerb::Unack),
            Verb::Resolve { which, by } => (which, by, DeedVerb::Resolve),
            Verb::Reopen { which, by } => (which, by, DeedVerb::Reopen),
            other => {
                let what =
                    format!("this version cannot do {other:?} in a scenario; `selftest simulate` does such things");
                return Err(Failure { line: scenario.line, what });
            }
        };
        let labels = which.labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let act = Act { rule: which.rule.clone(), labels, by: by.clone(), verb };
        deeds.push(Deed { at: BEGINNING + action.at, act });
    }
    Ok(deeds)
}

type Record = (Ms, Vec<u8>, Vec<u8>);

/// The feed as records in time order; equal times in file order.
fn records(scenario: &Scenario) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    for feed in &scenario.feed {
        match feed {
            Feed::Series { name, labels, from, every, values } => {
                for (n, value) in values.iter().enumerate() {
                    let at = from + every * n as Ms;
                    records.extend(value.map(|value| sample(at, name, labels, value)));
                }
            }
            Feed::Line { labels, at, level, text } => {
                let line = Line { ts: BEGINNING + at, level: level.clone(), text: text.clone() };
                records.push(line_record(*at, labels, &line));
            }
        }
    }
    records.sort_by_key(|(at, ..)| *at);
    records
}

fn sample(at: Ms, name: &str, labels: &Labels, value: f64) -> Record {
    let record = serde_json::json!({ "points": [[name, value]] });
    finish(at, labels, record)
}

fn line_record(at: Ms, labels: &Labels, line: &Line) -> Record {
    finish(at, labels, serde_json::json!({ "lines": [[line.ts, line.level, line.text]] }))
}

fn finish(at: Ms, labels: &Labels, mut record: serde_json::Value) -> Record {
    let host = labels.get("host").unwrap_or("scenario").to_owned();
    let rest = Labels::new(labels.iter().filter(|(name, _)| *name != "host"));
    record["v"] = 1.into();
    record["ts"] = (BEGINNING + at).into();
    record["host"] = host.as_str().into();
    record["labels"] = rest.to_json();
    (at, host.into_bytes(), record.to_string().into_bytes())
}

fn compare(scenario: &Scenario, happened: &[Happening]) -> Vec<Failure> {
    let mut used = vec![false; happened.len()];
    let mut failures = Vec::new();
    for expect in &scenario.expect {
        let found = happened.iter().zip(&used).position(|(happening, used)| !used && fits(expect, happening));
        match found {
            Some(n) => used[n] = true,
            None => failures.push(missing(expect, happened)),
        }
    }
    for (happening, used) in happened.iter().zip(&used) {
        if !used && scenario.exact.contains(&kind(happening)) {
            let what = format!("must not happen: {}", show(happening));
            failures.push(Failure { line: scenario.line, what });
        }
    }
    failures
}

/// What is missing, and what of its kind happened nearest to it.
fn missing(expect: &Expect, happened: &[Happening]) -> Failure {
    let alike = happened.iter().filter(|happening| kind(happening) == expect_kind(expect));
    let near = alike.min_by_key(|happening| (instant(happening) - expect.at).abs());
    let near =
        near.map_or_else(|| "nothing of the kind happened".to_owned(), |near| format!("nearest: {}", show(near)));
    let at = crate::time::show_duration(expect.at);
    Failure { line: expect.line, what: format!("did not happen at {at}: {:?}; {near}", expect.what) }
}

fn instant(happening: &Happening) -> Ms {
    let at = match happening {
        Happening::Signal(_, signal) => signal.at,
        Happening::Incident(at, _) | Happening::Page(at, _) => *at,
    };
    at - BEGINNING
}

fn kind(happening: &Happening) -> Kind {
    match happening {
        Happening::Signal(..) => Kind::Signal,
        Happening::Incident(..) => Kind::Incident,
        Happening::Page(..) => Kind::Page,
    }
}

fn expect_kind(expect: &Expect) -> Kind {
    match expect.what {
        What::Signal { .. } => Kind::Signal,
        What::Incident { .. } => Kind::Incident,
        What::Page { .. } => Kind::Page,
    }
}

fn is(which: &Which, rule: &str, labels: &Labels) -> bool {
    which.rule == rule && which.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
}

fn fits(expect: &Expect, happening: &Happening) -> bool {
    if expect.at != instant(happening) {
        return false;
    }
    match (&expect.what, happening) {
        (What::Signal { which, from, to, severity, value }, Happening::Signal(_, signal)) => {
            let states = from.is_none_or(|from| from == signal.from) && to.is_none_or(|to| to == signal.to);
            is(which, &signal.rule, &signal.labels)
                && states
                && severity.is_none_or(|severity| Some(severity) == signal.severity)
                && value.is_none_or(|value| same_value(value, signal))
        }
        (What::Incident { which, state, severity }, Happening::Incident(_, incident)) => {
            is(which, &incident.rule, &incident.labels)
                && state.as_deref().is_none_or(|state| state == incident.state.word())
                && severity.is_none_or(|severity| severity == incident.severity)
        }
        (What::Page { to, channel, reason, step, text }, Happening::Page(_, page)) => {
            *to == page.to
                && channel.is_none_or(|channel| channel == page.channel)
                && reason.is_none_or(|reason| reason == page.reason)
                && step.is_none_or(|step| step == page.step)
                && text.as_ref().is_none_or(|text| page.text.contains(text))
        }
        _ => false,
    }
}

fn same_value(expected: f64, signal: &Signal) -> bool {
    signal.value.is_some_and(|value| (value - expected).abs() <= VALUE_SLACK * expected.abs().max(1.0))
}

fn show(happening: &Happening) -> String {
    let at = crate::time::show_duration(instant(happening));
    match happening {
        Happening::Signal(_, s) => {
            let to = if s.to == State::Resolved { "resolved" } else { s.to.word() };
            format!("at {at}, signal {}{} {} → {to} {:?} {:?}", s.rule, s.labels, s.from.word(), s.severity, s.value)
        }
        Happening::Incident(_, i) => {
            format!("at {at}, incident {}{} {} {:?}", i.rule, i.labels, i.state.word(), i.severity)
        }
        Happening::Page(_, p) => {
            format!("at {at}, page {} {} {} step {}: {}", p.to, p.channel.word(), p.reason.word(), p.step, p.text)
        }
    }
}
