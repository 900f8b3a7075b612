//! Which chain an incident takes.
//!
//! The idea: the one that its rule names, else the first in file order that fits its labels and the hour, else the
//! default one. A chain that is not there at this hour (`when`) is passed over, even where a rule names it, so that a
//! night is never without a chain. Conditions are compiled once for a set of chains.

use crate::model::{Chain, Checks, Labels, People};
use crate::time::Ms;

/// What the choice is made by.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The chain that the rule names.
    pub named: Option<&'a str>,
    /// See [`crate::model::chain_labels`].
    pub labels: &'a Labels,
}

/// The conditions of a set of chains.
#[derive(Debug, Clone, Default)]
pub struct Chooser(Vec<Checks>);

impl Chooser {
    /// Compiles the conditions of the chains in force.
    pub fn of(people: &People) -> Self {
        Self(people.chains.iter().map(|chain| Checks::of(&chain.matchers)).collect())
    }

    /// Places of all chains that may be taken, in the order of choice: at any hour it is the first one that is there
    /// then. The last one is always there, unless there is no default chain.
    pub fn candidates(&self, people: &People, asked: Asked<'_>) -> Vec<usize> {
        let named = asked.named.and_then(|id| people.chains.iter().position(|chain| chain.id == id));
        // A chain without conditions is taken by name, or as the default one.
        let fits = |n: &usize| {
            let asks = people.chains.get(*n).is_some_and(|chain| chain.when.is_some() || !chain.matchers.is_empty());
            asks && self.0.get(*n).is_some_and(|checks| checks.fit(asked.labels))
        };
        let default = people.chains.iter().position(|chain| chain.default);
        let mut found: Vec<usize> = Vec::new();
        for n in named.into_iter().chain((0..people.chains.len()).filter(fits)).chain(default) {
            let is_always = people.chains.get(n).is_some_and(|chain| chain.when.is_none());
            if !found.contains(&n) {
                found.push(n);
            }
            if is_always {
                break;
            }
        }
        found
    }

    /// The chain for an incident that begins at `now`; `None` where there is no chain at all.
    pub fn choose<'p>(&self, people: &'p People, asked: Asked<'_>, now: Ms) -> Option<&'p Chain> {
        let candidates = self.candidates(people, asked);
        let mut chains = candidates.into_iter().filter_map(|n| people.chains.get(n));
        let is_there = |chain: &&Chain| chain.when.as_ref().is_none_or(|when| people.calendar.holds(when, now));
        chains.find(is_there).or_else(|| people.chains.first())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Matcher, Test, When};

    fn matchers(conditions: &[(&str, &str)]) -> Vec<Matcher> {
        let matcher = |(label, text): &(&str, &str)| {
            let tests = [("!=", Test::IsNot), ("=~", Test::Fits), ("!~", Test::FitsNot)];
            let found = tests.into_iter().find_map(|(sign, test)| Some((test, text.strip_prefix(sign)?)));
            let (test, value) = found.unwrap_or((Test::Is, text));
            Matcher { label: (*label).to_owned(), test, value: value.to_owned() }
        };
        conditions.iter().map(matcher).collect()
    }

    fn chain(id: &str, conditions: &[(&str, &str)], when: Option<When>) -> Chain {
        Chain { id: id.to_owned(), matchers: matchers(conditions), when, ..Chain::default() }
    }

    fn people() -> People {
        let chains = vec![
            chain("night", &[("severity", "=~S[34]")], Some(When::Off)),
            chain("dispatch-s1", &[("service", "dispatch"), ("severity", "S1")], None),
            chain("csp", &[("owner", "CSP"), ("zone", "!=edge"), ("class", "!~db|cache")], None),
            chain("unowned", &[("owner", ""), ("kind", "vm")], None),
            chain("network", &[("domain", "통신")], None),
            chain("network-again", &[("domain", "통신")], None),
            chain("by-name", &[], None),
            chain("day-by-name", &[], Some(When::Business)),
            Chain { default: true, ..chain("rest", &[], None) },
        ];
        People { chains, ..People::default() }
    }

    /// 2026-11-24, a Tuesday, at noon and at ten in the evening.
    const NOON: Ms = 1_795_489_200_000;
    const NIGHT: Ms = NOON + 10 * crate::time::HOUR;

    #[test]
    fn the_first_chain_that_fits_is_taken() {
        let people = people();
        let chooser = Chooser::of(&people);
        type Row = (Option<&'static str>, &'static [(&'static str, &'static str)], Ms, &'static str);
        let rows: &[Row] = &[
            (None, &[("service", "dispatch"), ("severity", "S1")], NIGHT, "dispatch-s1"),
            (None, &[("service", "dispatch"), ("severity", "S2")], NOON, "day-by-name"),
            (None, &[("service", "dispatch"), ("severity", "S2")], NIGHT, "rest"),
            (None, &[("service", "dispatch2"), ("severity", "S1")], NIGHT, "rest"),
            (None, &[("severity", "S3"), ("owner", "CSP")], NIGHT, "night"),
            (None, &[("severity", "S3"), ("owner", "CSP")], NOON, "csp"),
            (None, &[("owner", "CSP"), ("zone", "edge")], NIGHT, "rest"),
            (None, &[("owner", "CSP"), ("class", "db")], NIGHT, "rest"),
            (None, &[("owner", "CSP"), ("class", "db2")], NIGHT, "csp"), // anchored
            (None, &[("owner", "CSP"), ("class", "")], NIGHT, "csp"),
            (None, &[("kind", "vm")], NIGHT, "unowned"), // a missing label is empty
            (None, &[("kind", "vm"), ("owner", "AP")], NIGHT, "rest"),
            (None, &[("domain", "통신")], NIGHT, "network"),
            (None, &[("domain", "보안")], NIGHT, "rest"),
            (Some("by-name"), &[("service", "dispatch"), ("severity", "S1")], NIGHT, "by-name"),
            (Some("network-again"), &[("domain", "인프라")], NIGHT, "network-again"),
            (Some("day-by-name"), &[("domain", "통신")], NOON, "day-by-name"),
            (Some("day-by-name"), &[("domain", "통신")], NIGHT, "network"), // not there at night
            (Some("gone"), &[("domain", "통신")], NIGHT, "network"),
        ];
        for (named, labels, now, wanted) in rows {
            let labels = Labels::new(labels.iter().copied());
            let chosen = chooser.choose(&people, Asked { named: *named, labels: &labels }, *now);
            assert_eq!(chosen.map(|chain| chain.id.as_str()), Some(*wanted), "{named:?} {labels}");
        }
    }

    #[test]
    fn candidates_end_at_the_first_chain_that_is_always_there() {
        let people = people();
        let labels = Labels::new([("domain", "통신"), ("severity", "S3")]);
        let candidates = Chooser::of(&people).candidates(&people, Asked { named: None, labels: &labels });
        let ids: Vec<&str> = candidates.iter().map(|n| people.chains[*n].id.as_str()).collect();
        assert_eq!(ids, ["night", "network"]);
        assert_eq!(Chooser::default().choose(&People::default(), Asked { named: None, labels: &labels }, NOON), None);
    }
}
