//! Rules beside other rules, people and scenarios: the same thing said twice, and what nobody would hear.
//!
//! The idea: each rule alone is right; only next to the others is it seen that it adds nothing but a second page.

use std::collections::BTreeMap;

use super::super::fit::domains;
use super::super::reach::named_gap;
use super::site::View;
use super::{Found, Look, Site, check};
use crate::model::{Comparison, Level, Rule, Threshold};
use crate::time;

check!(DUPLICATE, "duplicate-rule", Warning, Look::Site(duplicate),
    what: "Two rules mean the same under different ids.",
    why: "Every incident comes twice, with two numbers; whoever acks one is woken again by the other.",
    repair: "Delete one. Its id names its history, so keep the older.");

fn duplicate(site: &Site<'_>, found: &mut Found) {
    let mut before: BTreeMap<String, Vec<&View<'_>>> = BTreeMap::new();
    for view in &site.rules {
        let likes = before.entry(looks_at(view.rule)).or_default();
        let twin = likes.iter().find(|other| same(other.rule, view.rule)).copied();
        likes.push(view);
        let Some(first) = twin else { continue };
        found.within(view);
        let message = format!("means the same as `{}`", first.rule.id);
        found.say(view.item.at("id"), message, "delete one of the two");
    }
}

/// What a rule looks at, as a key: only rules of one key can see the same, and files hold thousands.
fn looks_at(rule: &Rule) -> String {
    format!("{:?} {} {:?} {:?}", rule.watch, rule.over, rule.by, rule.mode)
}

/// Whether two rules raise the same signals, to the same people or none.
fn same(one: &Rule, other: &Rule) -> bool {
    alike(one, other)
        && one.mode == other.mode
        && one.levels == other.levels
        && one.recover == other.recover
        && one.min_samples == other.min_samples
        && one.no_data == other.no_data
}

/// Whether two rules see the same values.
fn alike(one: &Rule, other: &Rule) -> bool {
    one.watch == other.watch
        && one.by == other.by
        && one.function == other.function
        && one.over == other.over
        && one.across == other.across
        && one.when == other.when
}

check!(SHADOWED, "shadowed-rule", Warning, Look::Site(shadowed),
    what: "Whenever a severity of this rule is reached, another rule has reached the same severity already.",
    why: "It adds a second incident to each bad one, and never tells anything by itself.",
    repair: "Delete it, or give it another severity: one rule can have up to four.");

fn shadowed(site: &Site<'_>, found: &mut Found) {
    let mut likes: BTreeMap<String, Vec<&View<'_>>> = BTreeMap::new();
    for view in &site.rules {
        likes.entry(looks_at(view.rule)).or_default().push(view);
    }
    for view in &site.rules {
        let others = likes.get(&looks_at(view.rule)).map_or(&[][..], Vec::as_slice);
        for level in &view.rule.levels {
            let covers = |other: &&&View<'_>| {
                other.rule.id != view.rule.id
                    && alike(other.rule, view.rule)
                    && !same(other.rule, view.rule)
                    && other
                        .rule
                        .levels
                        .iter()
                        .any(|o| o.severity == level.severity && sooner(view.rule.when, o, level))
            };
            if let Some(other) = others.iter().find(covers) {
                found.within(view);
                let code = level.severity.code();
                let message = format!("`{}` has reached {code} whenever this does", other.rule.id);
                found.say(view.item.sub("severity").at(code), message, "delete one of the two, or change its severity");
            }
        }
    }
}

/// Whether `one` is reached whenever `other` is, and not by the same words.
fn sooner(when: Comparison, one: &Level, other: &Level) -> bool {
    let (Threshold::One(a), Threshold::One(b)) = (one.threshold, other.threshold) else { return false };
    let easier = match when {
        Comparison::Above | Comparison::AtLeast => a <= b,
        Comparison::Below | Comparison::AtMost => a >= b,
        Comparison::Equals | Comparison::Outside | Comparison::Present => false,
    };
    easier && one.hold <= other.hold && (one.threshold, one.hold) != (other.threshold, other.hold)
}

check!(UNHEARD, "rule-unheard", Error, Look::Site(unheard),
    what: "The chain that a rule names tells nobody for the rule's 구간 at some hour of the next 30 days.",
    why: "The rule fires, the incident opens, the chain walks its steps, and no phone rings.",
    repair: "Name a chain whose contacts cover the rule's `domain`, or give those contacts that 구간.");

fn unheard(site: &Site<'_>, found: &mut Found) {
    let Some(folk) = &site.folk else { return };
    for view in &site.rules {
        let named = view.rule.chain.as_ref();
        let Some(chain) = named.and_then(|id| folk.people.chains.iter().find(|chain| chain.id == *id)) else {
            continue;
        };
        // What a chain does for its own 구간 is said once, at the chain.
        if domains(chain).contains(&view.rule.domain) {
            continue;
        }
        let Some(gap) = named_gap(folk.people, &chain.id, view.rule.domain, site.now) else { continue };
        let wanted = view.rule.levels.iter().map(|level| level.severity);
        let codes: Vec<_> = wanted.filter(|one| gap.severities.contains(one)).map(|one| one.code()).collect();
        if !codes.is_empty() {
            found.within(view);
            let domain = view.rule.domain.word();
            let message = format!(
                "`{}` tells nobody of {domain} {} from {} on",
                chain.id,
                codes.join(", "),
                time::rfc3339(gap.from)
            );
            found.say(view.item.at("chain"), message, "name another chain, or give its contacts this 구간");
        }
    }
}

check!(SCENARIO_MISSING, "scenario-missing", Note, Look::Site(scenario_missing),
    what: "No scenario shows what the rule does.",
    why: "Whoever changes a threshold at 3 a.m. wants to know at once whether the rule still fires when it should.",
    repair: "Write one beside the rule: a feed, and the signal that must come of it.");

fn scenario_missing(site: &Site<'_>, found: &mut Found) {
    // Single rule files are often tried out before scenarios exist.
    if site.settings.is_none() {
        return;
    }
    for view in site.rules.iter().filter(|view| !site.shown(view.rule)) {
        found.within(view);
        let message = format!("no scenario shows what `{}` does", view.rule.id);
        found.say(view.item.at("id"), message, "add one under `scenarios:`");
    }
}
