//! Two runs over one input, side by side: which pages came or went, which incidents are newly found or newly missed.
//!
//! The idea: spans are the same where rule and identity are the same and their times overlap; what has no partner on the
//! other side is the difference. Ids do not count: numbers shift with the first incident that is new.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Labels, Severity};
use crate::pipeline::results::Results;
use crate::time::Ms;

/// An incident, or an episode where no incidents were made.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// The incident's number in its own run; `None` for an episode.
    pub id: Option<String>,
    /// Rule id.
    pub rule: Arc<str>,
    /// Identity.
    pub labels: Labels,
    /// Its beginning.
    pub from: Ms,
    /// Its end; `None`: not yet.
    pub to: Option<Ms>,
    /// The worst severity that it had.
    pub severity: Option<Severity>,
}

/// Pages of one kind in the one run and in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Pages {
    /// In the run that is compared with.
    pub before: usize,
    /// In the new run.
    pub after: usize,
    /// Pages to a person at an instant that only the new run has.
    pub added: usize,
    /// Those that only the old one has.
    pub removed: usize,
}

/// How the new run differs.
#[derive(Debug, Clone, Default)]
pub struct Difference {
    /// Pages by rule and person; the empty rule for a digest of several.
    pub pages: BTreeMap<(Arc<str>, String), Pages>,
    /// Spans that only the old run has.
    pub missed: Vec<Span>,
    /// Spans that only the new run has.
    pub found: Vec<Span>,
}

/// How `after` differs from `before`. `incidents`: both runs made some; else episodes are compared.
pub fn compare(before: &Results, after: &Results, incidents: bool) -> Difference {
    let (old, new) = (spans(before, incidents), spans(after, incidents));
    Difference { pages: pages(before, after), missed: without_partner(&old, &new), found: without_partner(&new, &old) }
}

fn spans(results: &Results, incidents: bool) -> Vec<Span> {
    if incidents {
        let spans = results.affairs.values().map(|affair| Span {
            id: Some(affair.id.clone()),
            rule: Arc::clone(&affair.rule),
            labels: affair.labels.clone(),
            from: affair.opened,
            to: affair.ended,
            severity: Some(affair.severity),
        });
        return spans.collect();
    }
    let spans = results.episodes.iter().map(|episode| Span {
        id: None,
        rule: Arc::clone(&episode.rule),
        labels: episode.labels.clone(),
        from: episode.fired,
        to: episode.ended,
        severity: episode.severity,
    });
    spans.collect()
}

fn without_partner(of: &[Span], others: &[Span]) -> Vec<Span> {
    let mut index: BTreeMap<(&str, &Labels), Vec<&Span>> = BTreeMap::new();
    for other in others {
        index.entry((&other.rule, &other.labels)).or_default().push(other);
    }
    let overlap = |a: &Span, b: &Span| a.from <= b.to.unwrap_or(Ms::MAX) && b.from <= a.to.unwrap_or(Ms::MAX);
    let alone = |span: &&Span| {
        let partners = index.get(&(&*span.rule, &span.labels));
        !partners.is_some_and(|partners| partners.iter().any(|other| overlap(span, other)))
    };
    let mut found: Vec<Span> = of.iter().filter(alone).cloned().collect();
    found.sort_by(|a, b| (a.from, &a.rule, &a.labels).cmp(&(b.from, &b.rule, &b.labels)));
    found
}

/// Pages are the same where rule, identity, person, reason and instant are; of equal ones as many as both have.
fn pages(before: &Results, after: &Results) -> BTreeMap<(Arc<str>, String), Pages> {
    let mut counts: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for (results, old) in [(before, true), (after, false)] {
        for page in &results.pages {
            let key = (Arc::clone(&page.rule), page.to.clone(), page.labels.clone(), page.reason, page.at);
            let count = counts.entry(key).or_default();
            if old { count.0 += 1 } else { count.1 += 1 }
        }
    }
    let mut found: BTreeMap<(Arc<str>, String), Pages> = BTreeMap::new();
    for ((rule, to, ..), (old, new)) in counts {
        let pages = found.entry((rule, to)).or_default();
        pages.before += old;
        pages.after += new;
        pages.added += new.saturating_sub(old);
        pages.removed += old.saturating_sub(new);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::results::Episode;

    fn run(spans: &[(&str, Ms, Option<Ms>)]) -> Results {
        let episode = |(host, fired, ended): &(&str, Ms, Option<Ms>)| Episode {
            rule: Arc::from("r"),
            labels: Labels::new([("host", *host)]),
            occurred: *fired,
            fired: *fired,
            ended: *ended,
            severity: None,
            flap: false,
        };
        let mut results = Results::default();
        results.episodes = spans.iter().map(episode).collect();
        results
    }

    #[test]
    fn spans_match_by_identity_and_overlapping_time() {
        let before = run(&[("a", 0, Some(10)), ("a", 20, Some(30)), ("b", 0, None), ("c", 5, Some(6))]);
        let after = run(&[("a", 9, Some(12)), ("a", 40, None), ("b", 100, None), ("d", 5, Some(6))]);
        let found = compare(&before, &after, false);
        let show = |spans: &[Span]| -> Vec<(String, Ms)> {
            spans.iter().map(|span| (span.labels.get("host").unwrap_or("").to_owned(), span.from)).collect()
        };
        assert_eq!(show(&found.missed), [("c".to_owned(), 5), ("a".to_owned(), 20)]);
        assert_eq!(show(&found.found), [("d".to_owned(), 5), ("a".to_owned(), 40)]);
    }
}
