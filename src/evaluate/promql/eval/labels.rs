//! Label sets as the evaluation changes them.
//!
//! The idea: a label with an empty value is no label, and what Prometheus keeps about a metric rather than a series
//! (its name, type and unit) goes together.

use crate::evaluate::promql::storage::NAME;
use crate::model::Labels;

/// Labels that belong to the metric, not to the series: they fall with the name.
pub(crate) const META: [&str; 3] = [NAME, "__type__", "__unit__"];

/// Whether `name` falls with the metric's name.
pub(crate) fn is_meta(name: &str) -> bool {
    name.starts_with("__") && META.contains(&name)
}

/// The set without name, type and unit.
pub(crate) fn without_meta(labels: &Labels) -> Labels {
    if labels.iter().any(|(name, _)| is_meta(name)) { keep(labels, |name| !is_meta(name)) } else { labels.clone() }
}

/// The labels whose name passes.
pub(crate) fn keep(labels: &Labels, passes: impl Fn(&str) -> bool) -> Labels {
    Labels::new(labels.iter().filter(|(name, _)| passes(name)))
}

/// The set with `name` set to `value`; an empty value removes it.
pub(crate) fn set(labels: &Labels, name: &str, value: &str) -> Labels {
    if value.is_empty() { keep(labels, |known| known != name) } else { labels.with(name, value) }
}

/// The part that `on (…)` (or, not `on`, `ignoring (…)`) compares.
pub(crate) fn matched(labels: &Labels, on: bool, names: &[String]) -> Labels {
    let listed = |name: &str| names.iter().any(|listed| listed == name);
    if on { keep(labels, listed) } else { keep(labels, |name| !is_meta(name) && !listed(name)) }
}

/// As Prometheus prints it in messages: `{a="x", b="y"}`, a name that needs quotes in quotes.
pub(crate) fn show(labels: &Labels) -> String {
    let plain = |name: &str| {
        let rest = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        rest && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let pair = |(name, value): (&str, &str)| {
        if plain(name) { format!("{name}={value:?}") } else { format!("{name:?}={value:?}") }
    };
    format!("{{{}}}", labels.iter().map(pair).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_types_and_units_go_together() {
        let labels = Labels::new([(NAME, "m"), ("__type__", "counter"), ("a", "x"), ("b.c", "y")]);
        assert_eq!(without_meta(&labels), Labels::new([("a", "x"), ("b.c", "y")]));
        assert_eq!(show(&labels), r#"{__name__="m", __type__="counter", a="x", "b.c"="y"}"#);
        assert_eq!(set(&labels, "a", "").get("a"), None);
        let names = ["a".to_owned()];
        assert_eq!(matched(&labels, true, &names), Labels::new([("a", "x")]));
        assert_eq!(matched(&labels, false, &names), Labels::new([("b.c", "y")]));
    }
}
