//! How far rules look back through what other rules record.
//!
//! The idea: a recording at T holds samples of before T, so whoever reads it needs the log from further back than its own
//! expression says. Recordings may read recordings; a ring of them is followed once around. Without this a restart would
//! read too little of the log, and nobody would be told that the value is not whole yet.

use std::collections::BTreeMap;

use crate::evaluate::promql::{self, Expr, NAME};
use crate::model::{ExprGroup, ExprStep, Rule, Watch};
use crate::time::Ms;

/// Lengthens `over` of the expressions among `rules` by what the recordings that they read look back.
pub(super) fn reach_further(rules: &mut [Rule], groups: &[ExprGroup]) {
    let recordings: Vec<(&str, Expr, Ms)> = groups
        .iter()
        .flat_map(|group| group.steps.iter().map(move |step| (group, step)))
        .filter_map(|(group, step)| match step {
            ExprStep::Record { name, expr, .. } => {
                let expr = promql::parse(expr).ok()?;
                let own = expr.look_back().saturating_add(group.behind);
                Some((name.as_str(), expr, own))
            }
            ExprStep::Alert { .. } => None,
        })
        .collect();
    if recordings.is_empty() {
        return;
    }
    let mut reach: BTreeMap<&str, Ms> = BTreeMap::new();
    // Each round follows one more recording behind another.
    for _ in 0..recordings.len() {
        let mut next: BTreeMap<&str, Ms> = BTreeMap::new();
        for (name, expr, own) in &recordings {
            let whole = own.saturating_add(through(expr, &reach));
            let known = next.entry(name).or_insert(whole);
            *known = whole.max(*known);
        }
        if next == reach {
            break;
        }
        reach = next;
    }
    for rule in rules {
        if let Watch::Expr { text } = &rule.watch
            && let Ok(expr) = promql::parse(text)
        {
            rule.over = rule.over.saturating_add(through(&expr, &reach));
        }
    }
}

/// The furthest that a recording looks back which `expr` may read.
fn through(expr: &Expr, reach: &BTreeMap<&str, Ms>) -> Ms {
    let selectors = expr.selectors();
    let reads = |name: &str| {
        selectors.iter().any(|leaf| {
            leaf.matchers.iter().filter(|matcher| matcher.name == NAME).all(|matcher| matcher.accepts_value(name))
        })
    };
    reach.iter().filter(|(name, _)| reads(name)).map(|(_, far)| *far).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use crate::config::{Ask, load};
    use crate::time::MINUTE;

    #[test]
    fn what_reads_a_recording_looks_back_through_it() {
        let folder = tempfile::tempdir().unwrap();
        let groups = "groups:\n- name: g\n  rules:\n\
            \x20 - { record: 'job:a:rate1h', expr: 'rate(a_total[1h])' }\n\
            \x20 - { record: 'job:a:max30m', expr: 'max_over_time(job:a:rate1h[30m])' }\n\
            \x20 - { record: ring, expr: 'ring + avg_over_time(a[2m])' }\n\
            \x20 - { alert: Chained, expr: 'job:a:max30m > 5' }\n\
            \x20 - { alert: Alone, expr: 'b > 5' }\n";
        let native = "version: 1\nrules:\n\
            \x20 - { id: native, title: 시험, expr: 'job:a:rate1h > 1', severity: S2 }\n\
            \x20 - { id: apart, title: 따로, expr: 'b > 1', severity: S2 }\n";
        std::fs::write(folder.path().join("g.yaml"), groups).unwrap();
        std::fs::write(folder.path().join("n.yaml"), native).unwrap();
        let ask = Ask { env: &[], now: 0, whole: false };
        let loaded = load(&[folder.path().join("g.yaml"), folder.path().join("n.yaml")], &ask);
        assert_eq!(loaded.errors(), 0, "{:?}", loaded.problems);
        let over = |id: &str| loaded.rules.rules.iter().find(|rule| *rule.id == *id).unwrap().over;
        // Its own 5 minutes, then 1 h, then 30 minutes and 1 h.
        assert_eq!((over("apart"), over("native")), (5 * MINUTE, 65 * MINUTE));
        assert_eq!((over("Alone"), over("Chained")), (5 * MINUTE, 95 * MINUTE));
    }
}
