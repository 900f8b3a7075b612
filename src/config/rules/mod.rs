//! `rules/*.yaml`: rules as [`Rule`] values, with everything that can be said against a rule alone.
//!
//! The idea: the table has refused what has the wrong shape; here the parts of one rule are asked whether they make
//! sense together, each by its own small function, so that a rule with five mistakes gives five problems.
//! What a rule means when it runs is not known here; see `evaluate`.

mod conditions;
mod expr;
mod merge;
mod recorded;
mod sense;
mod table;

pub(super) use merge::merge;
pub(super) use table::FILE;

use super::guard::Guard;
use super::problem::{Mark, Notes};
use super::read::Obj;
use crate::model::{
    Bonds, Comparison, Condition, Domain, Explains, ExprGroup, ExprStep, Fold, Function, Join, Level, Mode, NoData,
    Recover, Rule, RuleSet, Severity, Threshold, Watch,
};
use crate::time::{HOUR, MINUTE, Ms, SECOND};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What a rule is judged against beside itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    /// Chains that a rule may name; `None` = not known, not asked.
    pub chains: Option<&'a [String]>,
    /// How long the log keeps records, ms; `None` = not known.
    pub keeps: Option<Ms>,
    /// The guard of outgoing texts.
    pub guard: &'a Guard,
    /// The file's text: an expression's mistakes have places inside of it.
    pub source: &'a str,
}

/// A rule with the place of its id.
#[derive(Debug, Clone)]
pub(super) struct PlacedRule {
    /// The rule.
    pub rule: Rule,
    /// Where its id is.
    pub at: Mark,
}

/// The rules of a checked file that could be read, problems or not; the caller leaves out those with errors.
pub(super) fn rules(file: Obj<'_>, around: Around<'_>, notes: &mut Notes) -> Vec<PlacedRule> {
    let interval = file.duration("interval").filter(|length| *length >= SECOND).unwrap_or(SECOND);
    let mut rules: Vec<PlacedRule> = Vec::new();
    for item in file.subs("rules") {
        let outer = notes.within(item.owned("id"));
        sense::check(item, around, notes);
        if let Some(rule) = rule(item, interval) {
            rules.push(PlacedRule { rule, at: item.at("id") });
        }
        notes.within(outer);
    }
    rules
}

/// A rule's value; `None` where a part that it cannot do without is missing or wrong, which was noted.
fn rule(item: Obj<'_>, interval: Ms) -> Option<Rule> {
    let Watched { watch, function, over, step, across, when, join, also } = watched(item)?;
    let levels = levels(item);
    if levels.is_empty() {
        return None;
    }
    let recover = item.sub("recover");
    let no_data = item.sub("no_data");
    let mut by = item.has("by").then(|| item.texts("by"));
    if let Some(labels) = &mut by {
        labels.sort();
        labels.dedup();
    }
    let plain = if matches!(watch, Watch::Log { .. }) { "로그 감지" } else { "임계값 초과" };
    let longest = also.iter().map(|condition| condition.over).fold(over, Ms::max);
    Some(Rule {
        id: Arc::from(item.text("id")?),
        title: item.text("title").unwrap_or(plain).trim().to_owned(),
        domain: item.word("domain", Domain::parse)?,
        interval: item.duration("interval").filter(|length| *length >= SECOND).unwrap_or(interval),
        watch,
        by,
        function,
        over,
        step,
        across,
        when,
        levels,
        recover: Recover { threshold: recover.threshold("value"), hold: recover.duration("for").unwrap_or(0) },
        min_samples: item.int("min_samples").and_then(|n| u32::try_from(n).ok()).unwrap_or_else(|| needs(function)),
        no_data: NoData {
            after: no_data.duration("after").unwrap_or_else(|| longest.max(5 * MINUTE)),
            then: no_data.then("then")?,
        },
        forget: item.duration("forget").unwrap_or(24 * HOUR),
        chain: item.owned("chain"),
        overrides: conditions::overrides(item),
        also,
        join,
        mode: if item.text("mode") == Some("shadow") { Mode::Shadow } else { Mode::Live },
        beside: item.owned("beside"),
        expected: no_data.flag("expected"),
        bonds: bonds(item),
    })
}

/// How its incidents hang together with others.
fn bonds(item: Obj<'_>) -> Bonds {
    let mut by = item.texts("group_by");
    by.sort();
    by.dedup();
    Bonds {
        explains: item.word("explains", Explains::parse),
        symptom: item.has("symptom").then(|| item.flag("symptom")),
        by,
    }
}

/// What a rule looks at and compares with: its own keys, or its first condition with the others behind it.
struct Watched {
    watch: Watch,
    function: Function,
    over: Ms,
    step: Option<Ms>,
    across: Option<Fold>,
    when: Comparison,
    join: Join,
    also: Vec<Condition>,
}

fn watched(item: Obj<'_>) -> Option<Watched> {
    if let Some((_, join)) = conditions::join(item) {
        let mut all = conditions::conditions(item).into_iter();
        let Condition { what, function, over, step, across, when, .. } = all.next()?;
        let watch = Watch::Metric { name: what.name, matchers: what.matchers };
        return Some(Watched { watch, function, over, step, across, when, join, also: all.collect() });
    }
    if let Some((watch, over)) = expr::watch(item) {
        let (function, when, join) = (Function::Last, Comparison::Present, Join::All);
        return Some(Watched { watch, function, over, step: None, across: None, when, join, also: Vec::new() });
    }
    let window = item.sub("window");
    Some(Watched {
        watch: watch(item)?,
        function: window.word("fn", Function::parse)?,
        over: window.duration("over")?,
        step: window.duration("step"),
        across: item.word("across", fold),
        when: item.word("when", comparison)?,
        join: Join::All,
        also: Vec::new(),
    })
}

fn watch(item: Obj<'_>) -> Option<Watch> {
    match (item.owned("metric"), item.has("log")) {
        (None, false) if item.has("ratio") => conditions::ratio(item),
        (Some(name), false) => Some(Watch::Metric { name, matchers: item.matchers("match") }),
        (None, true) => {
            let log = item.sub("log");
            Some(Watch::Log { matchers: log.matchers("match"), pattern: log.owned("pattern") })
        }
        _ => None,
    }
}

/// The thresholds of a rule, worst severity first: with conditions those of the first one.
fn levels(item: Obj<'_>) -> Vec<Level> {
    if item.has("expr") {
        return levels_by(item, |_, _| Some(expr::ANY));
    }
    let Some((key, _)) = conditions::join(item) else { return own_levels(item) };
    let first = item.subs(key).next();
    levels_by(item, |_, name| first.and_then(|first| conditions::threshold(first, name)))
}

/// The thresholds under the `severity` of a plain rule or of an override.
fn own_levels(item: Obj<'_>) -> Vec<Level> {
    levels_by(item, |part, _| part.threshold("value"))
}

fn levels_by(item: Obj<'_>, threshold: impl Fn(Obj<'_>, Severity) -> Option<Threshold>) -> Vec<Level> {
    let severity = item.sub("severity");
    let level = |name: Severity| {
        let part = severity.has(name.code()).then(|| severity.sub(name.code()))?;
        Some(Level { severity: name, threshold: threshold(part, name)?, hold: part.duration("for").unwrap_or(0) })
    };
    Severity::ALL.into_iter().filter_map(level).collect()
}

/// How many samples a function needs to have a value.
pub(super) fn needs(function: Function) -> u32 {
    u32::try_from(function.facts().needs).unwrap_or(1).max(1)
}

fn fold(name: &str) -> Option<Fold> {
    match name {
        "sum" => Some(Fold::Sum),
        "avg" => Some(Fold::Avg),
        "max" => Some(Fold::Max),
        "min" => Some(Fold::Min),
        _ => None,
    }
}

fn comparison(name: &str) -> Option<Comparison> {
    match name {
        "above" => Some(Comparison::Above),
        "at_least" => Some(Comparison::AtLeast),
        "below" => Some(Comparison::Below),
        "at_most" => Some(Comparison::AtMost),
        "equals" => Some(Comparison::Equals),
        "outside" => Some(Comparison::Outside),
        _ => None,
    }
}

/// A rule set with its hash; `rules` are sorted by id first, so that neither file order nor comments count. An expression
/// of no group is one of its own.
pub(super) fn set(mut rules: Vec<Rule>, mut groups: Vec<ExprGroup>) -> RuleSet {
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    recorded::reach_further(&mut rules, &groups);
    let steps = groups.iter().flat_map(|group| &group.steps);
    let raised: BTreeSet<Arc<str>> = steps
        .filter_map(|step| if let ExprStep::Alert { rule, .. } = step { Some(Arc::clone(rule)) } else { None })
        .collect();
    let alone: Vec<ExprGroup> =
        rules.iter().filter(|rule| !raised.contains(&rule.id)).filter_map(ExprGroup::alone).collect();
    groups.extend(alone);
    RuleSet {
        hash: super::hash::of(&rules, &groups),
        rules: rules.into_iter().map(Arc::new).collect(),
        groups: groups.into_iter().map(Arc::new).collect(),
    }
}
