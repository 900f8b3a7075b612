//! Aggregations: their table, and how series are grouped.
//!
//! The idea: an aggregation is one row. To add one, add a row to [`TABLE`]: parser, type check and usage text read it.
//! A body sees the values of one group, in the order of the series' labels, or the samples where it picks some of them.

use std::collections::BTreeMap;

use crate::evaluate::promql::ast::{Aggregate, Grouping, Kind, Node};
use crate::evaluate::promql::eval::labels::is_meta;
use crate::evaluate::promql::eval::{Got, Item, Scene, trouble};
use crate::evaluate::promql::functions::note_quantile;
use crate::evaluate::promql::number::{greatest, least, mean, quantile, sum, variance};
use crate::evaluate::promql::value::Trouble;
use crate::model::Labels;
use crate::time::Ms;

/// One aggregation.
#[derive(Debug)]
pub struct Aggregator {
    /// Its name.
    pub name: &'static str,
    /// The kind of its parameter, where it takes one.
    pub param: Option<Kind>,
    does: Does,
}

/// What an aggregation does with a group.
#[derive(Debug)]
enum Does {
    /// The values and the parameter to one number.
    Fold(fn(&[f64], f64) -> f64),
    /// Some of the samples, as they are: `true` = the largest first.
    Pick(bool),
    /// How often each value is there; the parameter names the label.
    CountValues,
}

const fn fold(name: &'static str, f: fn(&[f64], f64) -> f64) -> Aggregator {
    Aggregator { name, param: None, does: Does::Fold(f) }
}

/// Every aggregation.
pub(super) const TABLE: &[Aggregator] = &[
    fold("sum", |values, _| sum(values.iter().copied())),
    fold("avg", |values, _| mean(values.iter().copied())),
    fold("min", |values, _| least(values.iter().copied())),
    fold("max", |values, _| greatest(values.iter().copied())),
    fold("count", |values, _| count(values.len())),
    fold("group", |_, _| 1.0),
    fold("stddev", |values, _| variance(values.iter().copied()).sqrt()),
    fold("stdvar", |values, _| variance(values.iter().copied())),
    Aggregator { param: Some(Kind::Scalar), ..fold("quantile", |values, phi| quantile(phi, values.to_vec())) },
    Aggregator { name: "topk", param: Some(Kind::Scalar), does: Does::Pick(true) },
    Aggregator { name: "bottomk", param: Some(Kind::Scalar), does: Does::Pick(false) },
    Aggregator { name: "count_values", param: Some(Kind::String), does: Does::CountValues },
];

/// Aggregations of Prometheus that are not answered: which series they take depends on its storage.
pub(super) const REFUSED: &[(&str, &str)] =
    &[("limitk", "aggregation limitk"), ("limit_ratio", "aggregation limit_ratio")];

impl Aggregator {
    /// How it is called, for example `topk(scalar, instant vector)`.
    pub fn usage(&self) -> String {
        let param = self.param.map(|kind| format!("{kind}, ")).unwrap_or_default();
        format!("{}({param}{})", self.name, Kind::Vector)
    }
}

fn count(n: usize) -> f64 {
    u32::try_from(n).map_or(f64::INFINITY, f64::from)
}

/// The value of an aggregation at `at`.
pub(super) fn eval(scene: &Scene<'_>, aggregate: &Aggregate, node: &Node, at: Ms) -> Result<Got, Trouble> {
    let param = aggregate.param.as_ref().map(|param| scene.eval(param, at)).transpose()?;
    let items = scene.vector(&aggregate.of, at)?;
    let number = if let Some(Got::Scalar(value)) = &param { *value } else { f64::NAN };
    let place = aggregate.param.as_ref().map_or(&node.span, |param| &param.span);
    let out = match (&aggregate.with.does, &param) {
        (Does::Fold(f), _) => {
            if param.is_some() {
                note_quantile(scene, number, place);
            }
            folded(&groups(items, &aggregate.grouping), *f, number)
        }
        (Does::Pick(largest), _) => {
            let k = how_many(number).map_err(|message| trouble(place, message))?;
            groups(items, &aggregate.grouping).into_iter().flat_map(|(_, group)| pick(group, k, *largest)).collect()
        }
        (Does::CountValues, Some(Got::String(label))) if !label.is_empty() => {
            count_values(&items, &aggregate.grouping, label)
        }
        (Does::CountValues, _) => return Err(trouble(place, "invalid label name \"\"")),
    };
    Ok(Got::Vector(out))
}

/// The labels of the group of a series.
fn group_of(labels: &Labels, grouping: &Grouping) -> Labels {
    let listed = |name: &str| grouping.labels.iter().any(|label| label == name);
    if grouping.without { labels.keep(|name| !listed(name) && !is_meta(name)) } else { labels.keep(listed) }
}

/// Groups in the order of their first series.
fn groups(items: Vec<Item>, grouping: &Grouping) -> Vec<(Labels, Vec<Item>)> {
    let mut index: BTreeMap<Labels, usize> = BTreeMap::new();
    let mut found: Vec<(Labels, Vec<Item>)> = Vec::new();
    for item in items {
        let labels = group_of(&item.labels, grouping);
        let at = *index.entry(labels.clone()).or_insert(found.len());
        match found.get_mut(at) {
            Some((_, group)) => group.push(item),
            None => found.push((labels, vec![item])),
        }
    }
    found
}

fn folded(groups: &[(Labels, Vec<Item>)], f: fn(&[f64], f64) -> f64, param: f64) -> Vec<Item> {
    let one = |(labels, group): &(Labels, Vec<Item>)| {
        let values: Vec<f64> = group.iter().map(|item| item.value).collect();
        // A name that is to go stays so where it is among the group's labels: one series that drops it is enough.
        let nameless = group.iter().any(|item| item.nameless);
        Item { labels: labels.clone(), value: f(&values, param), nameless }
    };
    groups.iter().map(one).collect()
}

/// The k of `topk`.
fn how_many(k: f64) -> Result<usize, String> {
    if k.is_nan() {
        return Err("Parameter value is NaN".to_owned());
    }
    let bound = 9_223_372_036_854_775_807.0;
    if k >= bound || k <= -bound {
        let flow = if k > 0.0 { "overflows" } else { "underflows" };
        return Err(format!("Scalar value {} {flow} int64", shown(k)));
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at least 0 and below 2^63")]
    Ok(k.max(0.0) as usize)
}

/// The `k` largest or smallest; NaN comes last in both directions, equal values in the order of their labels.
fn pick(mut group: Vec<Item>, k: usize, largest: bool) -> Vec<Item> {
    group.sort_by(|a, b| {
        let order = a.value.partial_cmp(&b.value).unwrap_or(std::cmp::Ordering::Equal);
        a.value.is_nan().cmp(&b.value.is_nan()).then(if largest { order.reverse() } else { order })
    });
    group.truncate(k);
    group
}

fn count_values(items: &[Item], grouping: &Grouping, label: &str) -> Vec<Item> {
    let mut grouping = grouping.clone();
    if !grouping.without {
        grouping.labels.push(label.to_owned());
    }
    let labelled = |item: &Item| Item { labels: item.labels.with(label, &shown(item.value)), ..item.clone() };
    let groups = groups(items.iter().map(labelled).collect(), &grouping);
    let mut counted = folded(&groups, |values, _| count(values.len()), 0.0);
    // What is counted is new: a name among the group's labels stays.
    counted.iter_mut().for_each(|item| item.nameless = false);
    counted
}

/// A number as a label value: all digits, no exponent.
pub(super) fn shown(value: f64) -> String {
    if value.is_infinite() { if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned() } else { value.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn k_is_a_whole_number() {
        assert_eq!((how_many(2.9), how_many(-1.0), how_many(0.5)), (Ok(2), Ok(0), Ok(0)));
        assert_eq!(how_many(f64::NAN), Err("Parameter value is NaN".to_owned()));
        assert!(how_many(1e300).is_err() && how_many(f64::NEG_INFINITY).is_err());
    }

    #[test]
    fn values_become_labels_without_exponent() {
        assert_eq!((shown(1e21).as_str(), shown(0.5).as_str()), ("1000000000000000000000", "0.5"));
        assert_eq!((shown(f64::INFINITY).as_str(), shown(f64::NAN).as_str()), ("+Inf", "NaN"));
    }
}
