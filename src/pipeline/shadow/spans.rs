//! When the instances of one rule were firing, read off its signals, and how two rules differ in that.
//!
//! The idea: a *span* is one instance from firing to resolved. Two rules saw the same where spans of identities that agree
//! overlap in time; identities agree where every label that both rules have is equal, so that a rule by host can stand
//! beside one by host and mount point. Nothing here knows a store, a chain or a sentence.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::model::{Fingerprint, Labels, Severity, Signal, State};
use crate::time::Ms;

/// Spans that are kept of one rule; beyond it the oldest go.
const SPANS_MAX: usize = 20_000;

/// One instance from firing to resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Identity.
    pub labels: Labels,
    /// When it fired.
    pub from: Ms,
    /// When it was over; `None`: not yet.
    pub to: Option<Ms>,
    /// The worst severity that it had.
    pub severity: Severity,
}

impl Span {
    fn end(&self) -> Ms {
        self.to.unwrap_or(Ms::MAX)
    }
}

/// The spans of one rule.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    open: BTreeMap<Fingerprint, Span>,
    ended: VecDeque<Span>,
}

impl Spans {
    /// Takes the rule's next signal of an instance.
    pub fn take(&mut self, signal: &Signal) {
        if signal.to.is_active() {
            let severity = signal.severity.unwrap_or(Severity::S4);
            let new = || Span { labels: signal.labels.clone(), from: signal.at, to: None, severity };
            let span = self.open.entry(signal.fingerprint).or_insert_with(new);
            span.severity = span.severity.min(severity);
        } else if matches!(signal.to, State::Resolved | State::Inactive)
            && let Some(mut span) = self.open.remove(&signal.fingerprint)
        {
            span.to = Some(signal.at);
            self.ended.push_back(span);
            if self.ended.len() > SPANS_MAX {
                self.ended.pop_front();
            }
        }
    }

    /// Forgets what was over before `since`.
    pub fn forget(&mut self, since: Ms) {
        self.ended.retain(|span| span.end() >= since);
    }

    /// What lies in [`since`, …), cut there, in the order of its beginning.
    pub fn since(&self, since: Ms) -> Vec<Span> {
        let all = self.ended.iter().chain(self.open.values()).filter(|span| span.end() > since);
        let mut all: Vec<Span> = all.map(|span| Span { from: span.from.max(since), ..span.clone() }).collect();
        all.sort_by(|a, b| (a.from, &a.labels).cmp(&(b.from, &b.labels)));
        all
    }
}

/// How long `spans` were firing together up to `now`, ms: what overlaps counts for each of them.
pub fn firing(spans: &[Span], now: Ms) -> Ms {
    spans.iter().map(|span| (span.to.unwrap_or(now).min(now) - span.from).max(0)).sum()
}

/// Those of `of` that overlap with none of `others` under a label set that agrees.
pub fn alone<'a>(of: &'a [Span], others: &[Span]) -> Vec<&'a Span> {
    let common: BTreeSet<&str> = &names(of) & &names(others);
    let key = |span: &Span| span.labels.keep(|name| common.contains(name));
    let mut index: BTreeMap<Labels, Vec<(Ms, Ms)>> = BTreeMap::new();
    for other in others {
        index.entry(key(other)).or_default().push((other.from, other.end()));
    }
    let met = |span: &Span| {
        let there = index.get(&key(span));
        there.is_some_and(|there| there.iter().any(|(from, to)| *from <= span.end() && span.from <= *to))
    };
    of.iter().filter(|span| !met(span)).collect()
}

/// The label names that all have.
fn names(spans: &[Span]) -> BTreeSet<&str> {
    let of = |span: &'_ Span| -> BTreeSet<String> { span.labels.iter().map(|(name, _)| name.to_owned()).collect() };
    let Some(first) = spans.first() else { return BTreeSet::new() };
    let own = first.labels.iter().map(|(name, _)| name);
    let rest: Vec<BTreeSet<String>> = spans.iter().skip(1).map(of).collect();
    own.filter(|name| rest.iter().all(|names| names.contains(*name))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(labels: &Labels, from: State, to: State, severity: Severity, at: Ms) -> Signal {
        Signal {
            rule: "r".into(),
            fingerprint: Fingerprint::of("r", labels),
            labels: labels.clone(),
            from,
            to,
            severity: Some(severity),
            value: None,
            unknown: None,
            at,
            since: None,
            ended: None,
            acted: true,
        }
    }

    #[test]
    fn a_span_is_an_instance_from_firing_to_resolved() {
        let (a, b) = (Labels::new([("host", "a")]), Labels::new([("host", "b")]));
        let mut spans = Spans::default();
        for (labels, from, to, severity, at) in [
            (&a, State::Pending, State::Firing, Severity::S2, 10),
            (&b, State::Inactive, State::Firing, Severity::S3, 15),
            (&a, State::Firing, State::Firing, Severity::S1, 20),
            (&a, State::Firing, State::Recovering, Severity::S2, 30),
            (&a, State::Recovering, State::Resolved, Severity::S2, 40),
            (&a, State::Inactive, State::Firing, Severity::S2, 50),
        ] {
            spans.take(&signal(labels, from, to, severity, at));
        }
        let all = spans.since(0);
        let shown: Vec<_> =
            all.iter().map(|it| (it.labels.get("host").unwrap(), it.from, it.to, it.severity.code())).collect();
        assert_eq!(shown, [("a", 10, Some(40), "S1"), ("b", 15, None, "S3"), ("a", 50, None, "S2")]);
        assert_eq!(firing(&all, 60), 30 + 45 + 10);
        assert_eq!(firing(&spans.since(30), 60), 10 + 30 + 10, "cut at the beginning of the comparison");
        spans.forget(41);
        assert_eq!(spans.since(0).len(), 2);
    }

    #[test]
    fn identities_agree_where_every_label_that_both_have_is_equal() {
        let span = |pairs: &[(&str, &str)], from, to| Span {
            labels: Labels::new(pairs.iter().copied()),
            from,
            to: Some(to),
            severity: Severity::S2,
        };
        let fine = [
            span(&[("host", "a"), ("mountpoint", "/data")], 0, 10),
            span(&[("host", "a"), ("mountpoint", "/")], 20, 30),
            span(&[("host", "b"), ("mountpoint", "/")], 0, 10),
        ];
        let coarse = [span(&[("host", "a")], 5, 12), span(&[("host", "b")], 11, 12)];
        let from = |spans: Vec<&Span>| -> Vec<Ms> { spans.into_iter().map(|span| span.from).collect() };
        assert_eq!(from(alone(&fine, &coarse)), [20, 0]);
        assert_eq!(from(alone(&coarse, &fine)), [11]);
        assert_eq!(alone(&fine, &[]).len(), 3);
        // No label in common: only the time counts.
        assert_eq!(from(alone(&fine, &[span(&[("service", "x")], 8, 9)])), [20]);
    }
}
