//! The hash of a rule set: SHA-256 over a canonical form of what the rules mean.
//!
//! The idea: every field of every rule is written as canonical JSON in a fixed order, numbers by their bits, rules by
//! id; comments, key order, file names and left-out defaults are gone by then, so equal hashes mean equal results.

use serde_json::{Value, json};
use sha2::Digest;

use crate::model::{
    Comparison, Condition, Explains, ExprGroup, ExprStep, Fold, Join, Level, Matcher, Mode, Recover, Rule, Selector,
    Test, Then, Threshold, Watch,
};

/// Hex SHA-256 of `rules`, which must be sorted by id, and of the groups in their order.
pub(super) fn of(rules: &[Rule], groups: &[ExprGroup]) -> String {
    let mut hash = sha2::Sha256::new();
    for rule in rules {
        hash.update(canonical(rule).to_string().as_bytes());
        hash.update(b"\n");
    }
    for group in groups {
        hash.update(canonical_group(group).to_string().as_bytes());
        hash.update(b"\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hex SHA-256 of what one rule means.
pub fn of_rule(rule: &Rule) -> String {
    let digest = sha2::Sha256::digest(canonical(rule).to_string().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A list, not an object: its order cannot depend on a map's.
fn canonical(rule: &Rule) -> Value {
    let watch = match &rule.watch {
        Watch::Metric { name, matchers } => json!(["metric", name, fits(matchers)]),
        Watch::Log { matchers, pattern } => json!(["log", pattern, fits(matchers)]),
        Watch::Expr { text } => json!(["expr", text]),
        Watch::Ratio { of, to, min } => {
            let side = |side: &Selector| json!([side.name, fits(&side.matchers)]);
            json!(["ratio", side(of), side(to), format!("{:016x}", min.to_bits())])
        }
    };
    let then = match rule.no_data.then {
        Then::Hold => "hold",
        Then::Resolve => "resolve",
        Then::Raise(severity) => severity.code(),
    };
    let mut all = json!([
        rule.id.as_ref(),
        rule.title,
        rule.domain.word(),
        rule.interval,
        watch,
        rule.by,
        rule.function.name(),
        rule.over,
        rule.across.map(fold),
        when(rule.when),
        levels(&rule.levels),
        recover(rule.recover),
        rule.min_samples,
        [Value::from(rule.no_data.after), Value::from(then)],
        rule.forget,
        rule.chain,
    ]);
    // What a rule does not use leaves no trace: a rule of before keeps its hash.
    let mut more = |name: &str, value: Value| {
        if let Some(list) = all.as_array_mut().filter(|_| !value.is_null()) {
            list.push(json!([name, value]));
        }
    };
    more("step", json!(rule.step));
    for condition in &rule.also {
        more(if rule.join == Join::All { "all" } else { "any" }, also(condition));
    }
    for other in &rule.overrides {
        let numbers = json!([levels(&other.levels), other.recover.map(recover), other.min_samples]);
        more("override", json!([fits(&other.matchers), numbers]));
    }
    more("mode", if rule.mode == Mode::Shadow { json!("shadow") } else { Value::Null });
    more("beside", json!(rule.beside));
    more("expected", if rule.expected { json!(true) } else { Value::Null });
    let bonds = &rule.bonds;
    more("explains", json!(bonds.explains.map(Explains::word)));
    more("symptom", json!(bonds.symptom));
    more("group_by", if bonds.by.is_empty() { Value::Null } else { json!(bonds.by) });
    all
}

fn levels(levels: &[Level]) -> Value {
    levels.iter().map(|level| json!([level.severity.code(), threshold(level.threshold), level.hold])).collect()
}

fn recover(recover: Recover) -> Value {
    json!([recover.threshold.map_or(Value::Null, threshold), recover.hold])
}

fn also(of: &Condition) -> Value {
    let thresholds: Vec<Value> = of.thresholds.iter().map(|one| one.map_or(Value::Null, threshold)).collect();
    let watched = json!([of.what.name, fits(&of.what.matchers), of.function.name(), of.over, of.step]);
    json!([watched, of.across.map(fold), when(of.when), thresholds])
}

fn canonical_group(group: &ExprGroup) -> Value {
    let step = |step: &ExprStep| match step {
        ExprStep::Record { name, labels, expr } => json!(["record", name, labels.to_string(), expr]),
        ExprStep::Alert { rule, labels } => json!(["alert", rule.as_ref(), labels.to_string()]),
    };
    let steps: Vec<Value> = group.steps.iter().map(step).collect();
    json!([group.name, group.interval, group.behind, group.limit, steps])
}

fn fits(matchers: &[Matcher]) -> Value {
    let test = |matcher: &Matcher| match matcher.test {
        Test::Is => "=",
        Test::IsNot => "!=",
        Test::Fits => "=~",
        Test::FitsNot => "!~",
    };
    matchers.iter().map(|matcher| json!([matcher.label, test(matcher), matcher.value])).collect()
}

fn threshold(threshold: Threshold) -> Value {
    // By their bits: text of a number depends on who prints it.
    let bits = |n: f64| format!("{:016x}", n.to_bits());
    match threshold {
        Threshold::One(n) => json!([bits(n)]),
        Threshold::Range(low, high) => json!([bits(low), bits(high)]),
    }
}

const fn fold(fold: Fold) -> &'static str {
    match fold {
        Fold::Sum => "sum",
        Fold::Avg => "avg",
        Fold::Max => "max",
        Fold::Min => "min",
    }
}

const fn when(when: Comparison) -> &'static str {
    match when {
        Comparison::Above => "above",
        Comparison::AtLeast => "at_least",
        Comparison::Below => "below",
        Comparison::AtMost => "at_most",
        Comparison::Equals => "equals",
        Comparison::Outside => "outside",
        Comparison::Present => "present",
    }
}
