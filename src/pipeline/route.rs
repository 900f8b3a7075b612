//! Who would be told of an incident with these labels, when, on which channel, and why not: `bongsu route`.
//!
//! The idea: nothing is estimated. The real leader takes one signal on a virtual clock, everybody's phone works, nobody
//! acks, and what it decides is the answer, muting and digests included. Beside it the chain is looked through for steps
//! that were passed, with the reason. No store, no service.

use std::sync::Arc;

use crate::config::Loaded;
use crate::model::{
    BookCommit, BookRows, Chain, Channel, Domain, Fingerprint, Input, Labels, Mode, Outcome, Reason, Rule, Severity,
    Signal, SignalKey, State, Taken, builtin,
};
use crate::page::told_by;
use crate::pipeline::leader::Leader;
use crate::pipeline::service;
use crate::time::{DAY, Ms};

/// The rule of a question that names none.
const ANY_RULE: &str = "route";
/// So far it is looked ahead: a digest on the morning after a long holiday.
const AHEAD: Ms = 12 * DAY;
/// Decisions that are looked at: more would be a chain that never comes to its end.
const ROUNDS: usize = 200;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Labels of the incident.
    pub labels: Labels,
    /// Its rule; `None`: any.
    pub rule: Option<String>,
    /// Its 구간; `None`: the rule's, else the label `domain`'s, else 인프라.
    pub domain: Option<Domain>,
    /// Its severity; `None`: the worst that the rule gives, else S1.
    pub severity: Option<Severity>,
    /// When it begins.
    pub at: Ms,
    /// What fires already: labels of incidents, `rule` and `severity` among them; left out: any rule, S1.
    pub firing: Vec<Labels>,
}

/// One page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// When it is decided.
    pub at: Ms,
    /// 0-based step; one past the last step for the last group; below 0 for a digest and for warnings of the SLA.
    pub step: i64,
    /// Why.
    pub reason: Reason,
    /// Contact id.
    pub to: String,
    /// Channel.
    pub channel: Channel,
}

/// Why a step tells nobody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passed {
    /// 0-based step; one past the last step for the last group.
    pub step: usize,
    /// `empty`: nobody is behind its names; else the time at which it counts.
    pub why: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The chain that is taken; `None` where there is none.
    pub chain: Option<Chain>,
    /// 구간 that the incident is of.
    pub domain: Domain,
    /// Its severity.
    pub severity: Severity,
    /// Pages in the order of their decision, up to the first repeat.
    pub told: Vec<Told>,
    /// Steps that tell nobody at the beginning.
    pub passed: Vec<Passed>,
    /// What mutes it at the beginning: (kind, id, why, until).
    pub muted: Option<(String, String, String, Option<Ms>)>,
    /// The rule and labels of what speaks for it: it hangs under that, or is inhibited by it.
    pub behind: Option<(String, Labels)>,
    /// By when somebody must have been told.
    pub notify_by: Option<Ms>,
    /// The rule only watches: nobody is ever told.
    pub shadow: bool,
}

/// A question that has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// No rule has that id.
    #[error("there is no rule `{0}`\n  help: leave it out to ask for any rule")]
    UnknownRule(String),
    /// A configuration without a rule.
    #[error("the configuration holds no rule\n  help: name it with -c")]
    NoRules,
}

/// Asks the leader of `loaded`.
///
/// # Errors
/// A rule that is not there.
pub fn route(loaded: &Loaded, question: &Question) -> Result<Route, RouteError> {
    let mut loaded = loaded.clone();
    for id in question.firing.iter().filter_map(|labels| labels.get("rule")) {
        if builtin(id).is_none() && loaded.rules.rules.iter().all(|rule| *rule.id != *id) {
            return Err(RouteError::UnknownRule(id.to_owned()));
        }
    }
    let (rule, domain, worst, shadow) = rule_of(&mut loaded, question)?;
    let severity = question.severity.or(worst).unwrap_or(Severity::S1);
    let world = service::world(&loaded, None);
    let mut leader = Leader::load(&BookRows { epoch: 1, ..BookRows::default() }, Arc::clone(&world));
    let asked = signal(&rule, &question.labels, severity, question.at);
    let fingerprint = asked.fingerprint;
    let firing = question.firing.iter().map(|labels| already(labels, question.at));
    let taken = firing.chain([asked]).zip(1..).map(|(signal, seq)| {
        let key = SignalKey { topic: String::new(), partition: 0, seq };
        Taken { row: None, input: Input::Signal { key, signal, heard: 1_000_000, caught_up: true, came: None } }
    });
    let commit = leader.take(&taken.collect::<Vec<_>>(), question.at);
    let incident = commit.incidents.iter().find(|incident| incident.fingerprint == fingerprint).cloned();
    let muted = incident.as_ref().and_then(|incident| incident.muted.as_ref());
    let behind = incident.as_ref().and_then(|it| it.parent.as_deref()).or(muted.map(|muted| muted.by.as_str()));
    let behind = behind.and_then(|id| leader.open_incidents().find(|it| it.id == id));
    let behind = behind.map(|it| (it.rule.to_string(), it.labels.clone()));
    let muted = muted.map(|it| (it.kind.word().to_owned(), it.by.clone(), it.why.clone(), it.until));
    let number = incident.as_ref().map_or("", |incident| incident.id.as_str());
    let chain = commit.chains.iter().find(|row| row.incident == number);
    let chain = chain.and_then(|row| crate::page::chain_of(&row.snapshot));
    let passed = chain.as_ref().map_or_else(Vec::new, |chain| passed(&loaded, chain, domain, question.at));
    let told = play(&mut leader, commit, number, question.at);
    let notify_by = leader.open_incidents().find(|it| it.id == number).and_then(|incident| incident.notify_by);
    Ok(Route { chain, domain, severity, told, passed, muted, behind, notify_by, shadow })
}

/// The rule that is asked for, its 구간, the worst severity that it gives and whether it only watches; one that is not
/// named is put among the others.
fn rule_of(loaded: &mut Loaded, question: &Question) -> Result<(String, Domain, Option<Severity>, bool), RouteError> {
    if let Some(id) = &question.rule {
        if let Some(own) = builtin(id) {
            return Ok((id.clone(), question.domain.unwrap_or(own.domain), Some(own.severity), false));
        }
        let found = loaded.rules.rules.iter_mut().find(|rule| *rule.id == **id);
        let rule = found.ok_or_else(|| RouteError::UnknownRule(id.clone()))?;
        if let Some(domain) = question.domain {
            *rule = Arc::new(Rule { domain, ..Rule::clone(rule) });
        }
        let worst = rule.levels.iter().map(|level| level.severity).min();
        return Ok((id.clone(), rule.domain, worst, rule.mode == Mode::Shadow));
    }
    let labelled = question.labels.get("domain").and_then(Domain::parse);
    let domain = question.domain.or(labelled).unwrap_or(Domain::Infra);
    let any = loaded.rules.rules.first().ok_or(RouteError::NoRules)?;
    let any = Rule { id: ANY_RULE.into(), domain, chain: None, mode: Mode::Live, ..Rule::clone(any) };
    loaded.rules.rules.push(Arc::new(any));
    Ok((ANY_RULE.to_owned(), domain, None, false))
}

/// What fires already, as it was asked.
fn already(labels: &Labels, at: Ms) -> Signal {
    let rule = labels.get("rule").unwrap_or(ANY_RULE);
    let severity = labels.get("severity").and_then(Severity::parse).unwrap_or(Severity::S1);
    let own = Labels::new(labels.iter().filter(|(name, _)| !matches!(*name, "rule" | "severity")));
    signal(rule, &own, severity, at)
}

fn signal(rule: &str, labels: &Labels, severity: Severity, at: Ms) -> Signal {
    Signal {
        rule: rule.into(),
        fingerprint: Fingerprint::of(rule, labels),
        labels: labels.clone(),
        from: State::Inactive,
        to: State::Firing,
        severity: Some(severity),
        value: None,
        unknown: None,
        at,
        since: Some(at),
        ended: None,
        acted: true,
    }
}

/// Lets time pass while nobody acks, until the last group was told again or the digest has told of incident `number`.
/// What the engine itself opens meanwhile, such as the legal notice of an outage, has chains of its own.
fn play(leader: &mut Leader, first: BookCommit, number: &str, at: Ms) -> Vec<Told> {
    let mut told = Vec::new();
    let (mut commit, mut now, mut row) = (first, at, 0);
    for _ in 0..ROUNDS {
        let mut inputs = Vec::new();
        for page in &commit.pages {
            if page.incident == number || page.reason == Reason::Digest {
                let (to, channel) = (page.to.clone(), page.channel);
                told.push(Told { at: page.decided, step: page.step, reason: page.reason, to, channel });
            }
            row += 2;
            inputs.push(Taken { row: Some(row - 1), input: Input::Handed { page: page.id.clone() } });
            let outcome = Outcome::Accepted { id: String::new() };
            inputs.push(Taken { row: Some(row), input: Input::Outcome { page: page.id.clone(), outcome, at: None } });
        }
        if told.iter().any(|page| matches!(page.reason, Reason::Repeat | Reason::Digest)) {
            break;
        }
        commit = if inputs.is_empty() {
            let Some(due) = leader.next_due().filter(|due| *due <= at + AHEAD) else { break };
            now = now.max(due);
            let Some(commit) = leader.due(now) else { break };
            commit
        } else {
            leader.take(&inputs, now)
        };
    }
    told
}

/// Steps that tell nobody at `at`, the last group included, and why.
fn passed(loaded: &Loaded, chain: &Chain, domain: Domain, at: Ms) -> Vec<Passed> {
    let people = &loaded.people;
    let mut passed = Vec::new();
    for (step, it) in chain.steps.iter().enumerate() {
        match &it.when {
            Some(when) if !people.calendar.holds(when, at) => {
                passed.push(Passed { step, why: when.word().to_owned() });
            }
            _ if told_by(people, &it.to, &it.by, domain, at).is_empty() => {
                passed.push(Passed { step, why: "empty".to_owned() });
            }
            _ => {}
        }
    }
    if told_by(people, &chain.last.to, &chain.last.by, domain, at).is_empty() {
        passed.push(Passed { step: chain.steps.len(), why: "empty".to_owned() });
    }
    passed
}
