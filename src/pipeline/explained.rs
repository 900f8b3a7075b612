//! Why a rule instance is as it is, and who was told or why nobody was: one answer for a running service and for a
//! replay of the past.
//!
//! The idea: [`look`] reads what `evaluate` has, [`tell`] turns it and what is known of the incident into JSON with the
//! same in Korean sentences under `lines`. It looks and words; it changes nothing. `sentences` words one instance.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::evaluate::{ExprParts, Inspection, Near, expression};
use crate::model::{Incident, Labels, Page, PageState, People, Rule, RuleSet, Sending, builtin};
use crate::page::EmptyStep;
use crate::pipeline::stages::Lanes;
use crate::pipeline::{apart, company, sentences, stamped};
use crate::time::Ms;

/// Instances that are told of at most; the others are counted.
const TOLD: usize = 20;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Question {
    /// Rule id.
    pub rule: String,
    /// Labels that the identity must have.
    pub labels: Vec<(String, String)>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Looked {
    /// The rule, where the set has it.
    pub rule: Option<Arc<Rule>>,
    /// Its instances with these labels.
    pub found: Vec<Inspection>,
    /// Series that might have been meant, where there is none.
    pub near: Vec<Near>,
    /// Ids of all rules, where there is no such rule.
    pub rules: Vec<Arc<str>>,
    /// The furthest clock of the partitions at hand.
    pub clock: Ms,
    /// Of an expression: what each part of it gives.
    pub parts: Option<ExprParts>,
}

impl Looked {
    /// How many parts of an expression give anything.
    pub fn parts_found(&self) -> usize {
        let branches = self.parts.iter().flat_map(|parts| &parts.branches);
        branches.filter(|branch| branch.gives.as_ref().is_ok_and(|all| !all.is_empty())).count()
    }
}

/// What is known of what became of it.
#[derive(Debug, Clone, Default)]
pub struct Affairs<'a> {
    /// Incidents, newest last.
    pub incidents: Vec<&'a Incident>,
    /// Their pages as they stand, in the order of their decision.
    pub pages: Vec<Stands>,
    /// Contacts and chains.
    pub people: Option<&'a People>,
    /// Steps that told nobody, with the number of the incident.
    pub empty: Vec<(String, EmptyStep)>,
}

/// A page as it stands.
#[derive(Debug, Clone)]
pub struct Stands {
    /// The page.
    pub page: Page,
    /// Where it stands; `None`: in a replay nobody sends it.
    pub state: Option<PageState>,
    /// Why it failed, or the gateway's id.
    pub detail: String,
    /// The stamps of its way.
    pub sending: Sending,
}

/// Looks for what `question` asks.
pub fn look(lanes: &Lanes, rules: &RuleSet, question: &Question) -> Looked {
    let rule = rules.rules.iter().find(|rule| *rule.id == *question.rule);
    let clock = lanes.owned().filter_map(|number| Some(lanes.partition(number)?.place().1)).max().unwrap_or(0);
    let Some(rule) = rule else {
        let rules = rules.rules.iter().map(|rule| Arc::clone(&rule.id)).collect();
        return Looked { rules, clock, ..Looked::default() };
    };
    let partitions = || lanes.owned().filter_map(|number| lanes.partition(number));
    let mut found: Vec<Inspection> =
        partitions().flat_map(|partition| partition.inspect_rule(&rule.id, &question.labels)).collect();
    found.extend(lanes.wide().inspect_rule(&rule.id, &question.labels));
    found.sort_by(|a, b| a.labels.cmp(&b.labels));
    let near = if found.is_empty() {
        partitions().flat_map(|partition| partition.near(rule, &question.labels)).collect()
    } else {
        Vec::new()
    };
    let parts = lanes.wide().expression_parts(&rule.id);
    Looked { rule: Some(Arc::clone(rule)), found, near, rules: Vec::new(), clock, parts }
}

/// The answer: one object for each instance, or one that says why there is none.
pub fn tell(question: &Question, looked: &Looked, affairs: &Affairs<'_>) -> Vec<Value> {
    let Some(rule) = &looked.rule else { return vec![no_rule(question, looked, affairs)] };
    if let Some(drill) = affairs.incidents.last().filter(|it| it.is_drill() && looked.found.is_empty()) {
        return vec![a_drill(question, drill, affairs)];
    }
    if looked.found.is_empty() {
        return vec![no_instance(question, rule, looked, affairs)];
    }
    let all = looked.found.iter().take(TOLD).map(|seen| {
        let mine = of(affairs, &rule.id, |labels| *labels == seen.labels);
        let mut lines = sentences::instance(seen);
        lines.extend(looked.parts.iter().flat_map(|parts| apart::lines(parts, &wanted(&seen.labels))));
        lines.extend(sentences::told(Some(seen), &mine));
        let mut told = json_of(seen, &mine);
        told["lines"] = lines.into();
        if let Some(parts) = &looked.parts {
            told["parts"] = apart::json(parts, &wanted(&seen.labels));
        }
        told
    });
    let mut all: Vec<Value> = all.collect();
    let more = looked.found.len().saturating_sub(TOLD);
    if more > 0 {
        let line = format!("그 밖에 {more}개 식별자가 더 있습니다. --labels로 좁혀 주십시오.");
        all.push(json!({ "type": "explain", "rule": rule.id.as_ref(), "more": more, "lines": [line] }));
    }
    all
}

fn no_rule(question: &Question, looked: &Looked, affairs: &Affairs<'_>) -> Value {
    let mine = of(affairs, &question.rule, |labels| question.fits(labels));
    let mut lines = match builtin(&question.rule) {
        Some(own) => vec![format!("`{}`({})은 엔진 자체 규칙으로, 설정한 임계값이 없습니다.", own.id, own.title)],
        None => {
            let ids: Vec<&str> = looked.rules.iter().map(AsRef::as_ref).collect();
            vec![format!("규칙 `{}` 없음. 있는 규칙: {}", question.rule, ids.join(", "))]
        }
    };
    if builtin(&question.rule).is_some() || !mine.incidents.is_empty() {
        lines.extend(sentences::told(None, &mine));
    }
    json!({ "type": "explain", "rule": question.rule, "found": false, "lines": lines,
        "incidents": incidents_json(&mine), "pages": pages_json(&mine) })
}

/// A drill has no instance: nothing was judged, somebody said so.
fn a_drill(question: &Question, drill: &Incident, affairs: &Affairs<'_>) -> Value {
    let mine = of(affairs, &question.rule, |labels| question.fits(labels));
    let mut lines = sentences::drill(drill);
    lines.extend(sentences::told(None, &mine));
    json!({ "type": "explain", "rule": question.rule, "labels": drill.labels.to_json(), "found": true,
        "drill": drill.drill.as_ref().map(crate::model::wire::drilled_to_json), "lines": lines,
        "incidents": incidents_json(&mine), "pages": pages_json(&mine) })
}

fn no_instance(question: &Question, rule: &Rule, looked: &Looked, affairs: &Affairs<'_>) -> Value {
    let mine = of(affairs, &rule.id, |labels| question.fits(labels));
    let near: Vec<Value> = looked
        .near
        .iter()
        .map(|near| {
            json!({ "name": near.key.name.as_ref(), "labels": near.key.labels.to_json(), "misfits": near.misfits })
        })
        .collect();
    let mut lines = sentences::nothing(rule, &question.labels, &looked.near, looked.clock);
    lines.insert(2, sentences::never_judged(rule, !mine.incidents.is_empty()));
    lines.extend(looked.parts.iter().flat_map(|parts| apart::lines(parts, &question.labels)));
    if !mine.incidents.is_empty() {
        lines.extend(sentences::told(None, &mine));
    }
    let mut told = json!({ "type": "explain", "rule": rule.id.as_ref(), "found": false, "expression": expression(rule),
        "near": near, "lines": lines, "incidents": incidents_json(&mine), "pages": pages_json(&mine) });
    if let Some(parts) = &looked.parts {
        told["parts"] = apart::json(parts, &question.labels);
    }
    told
}

fn wanted(labels: &Labels) -> Vec<(String, String)> {
    labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

impl Question {
    /// Whether an identity is one of those asked for.
    fn fits(&self, labels: &Labels) -> bool {
        self.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
    }
}

/// The affairs of one rule, of the identities that are meant.
fn of<'a>(affairs: &Affairs<'a>, rule: &str, meant: impl Fn(&Labels) -> bool) -> Affairs<'a> {
    let mine = |incident: &&&Incident| *incident.rule == *rule && meant(&incident.labels);
    let incidents: Vec<&Incident> = affairs.incidents.iter().filter(mine).copied().collect();
    let theirs = |page: &Page| incidents.iter().any(|incident| incident.id == page.incident);
    let pages = affairs.pages.iter().filter(|it| theirs(&it.page)).cloned().collect();
    let is_mine = |(id, _): &&(String, EmptyStep)| incidents.iter().any(|incident| incident.id == *id);
    let empty = affairs.empty.iter().filter(is_mine).cloned().collect();
    Affairs { incidents, pages, people: affairs.people, empty }
}

fn json_of(seen: &Inspection, mine: &Affairs<'_>) -> Value {
    let rule = &seen.rule;
    let levels: Vec<Value> = rule
        .levels
        .iter()
        .map(|level| {
            json!({
                "severity": level.severity.code(), "threshold": sentences::threshold(rule.when, level.threshold),
                "for_ms": level.hold, "holds": seen.value.map(|value| rule.when.holds(value, level.threshold)),
                "distance": seen.value.and_then(|value| sentences::distance(value, level.threshold)),
                "since": seen.since[level.severity.index()],
            })
        })
        .collect();
    let series: Vec<Value> = seen
        .series
        .iter()
        .map(|series| {
            json!({ "name": series.key.name.as_ref(), "labels": series.key.labels.to_json(), "value": series.value,
                "samples": series.samples, "newest": series.newest, "last": series.last })
        })
        .collect();
    json!({
        "type": "explain", "rule": rule.id.as_ref(), "labels": seen.labels.to_json(), "at": seen.at, "found": true,
        "expression": expression(rule), "state": seen.state.word(), "value": seen.value,
        "severity": seen.severity.map(crate::model::Severity::code), "levels": levels, "occurred": seen.occurred,
        "recovering": seen.recovering, "unknown": seen.unknown.map(crate::model::Cause::word),
        "unknown_since": seen.unknown_since, "newest": seen.newest, "speaking": seen.speaking,
        "rejecting": seen.rejecting, "warming_until": seen.warm, "series": series, "series_count": seen.series_count,
        "incidents": incidents_json(mine), "pages": pages_json(mine),
    })
}

fn incidents_json(mine: &Affairs<'_>) -> Vec<Value> {
    let one = |incident: &&Incident| {
        json!({ "id": incident.id, "state": incident.state.word(), "severity": incident.severity.code(),
            "detected": incident.detected, "resolved": incident.resolved, "flapping": incident.flapping,
            "held_until": incident.held_until,
            "muted": incident.muted.as_ref().map(crate::model::wire::muted_to_json),
            "ack_by": incident.ack.as_ref().map(|ack| &ack.by),
            "empty_steps": mine.empty.iter().filter(|(id, _)| *id == incident.id).map(|(_, it)| empty_json(it))
                .collect::<Vec<_>>(),
            "group": company::json(incident) })
    };
    mine.incidents.iter().map(one).collect()
}

/// A step that told nobody.
pub fn empty_json(empty: &EmptyStep) -> Value {
    json!({ "chain": empty.chain, "step": empty.step, "last": empty.is_last, "to": empty.to })
}

fn pages_json(mine: &Affairs<'_>) -> Vec<Value> {
    let one = |it: &Stands| {
        let Stands { page, state, detail, sending } = it;
        let mut one = json!({ "incident": page.incident, "to": page.to, "channel": page.channel.word(), "reason": page.reason.word(),
            "step": page.step, "decided": page.decided, "due": page.due, "state": state.map(PageState::word),
            "wanted": page.wanted, "detail": detail });
        if let (Value::Object(all), Value::Object(way)) = (&mut one, stamped::json(page, sending)) {
            all.extend(way);
        }
        one
    };
    mine.pages.iter().map(one).collect()
}
