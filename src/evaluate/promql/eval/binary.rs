//! Binary operations: numbers, a vector and a number, two vectors, sets.
//!
//! The idea: two vectors meet in a map from the matched labels to the sample of the side that must be one; a second
//! sample there is an error that names both, also when nothing would have passed the comparison.

use std::collections::{BTreeMap, BTreeSet};

use crate::evaluate::promql::ast::{Binary, Many, Matching, Node};
use crate::evaluate::promql::eval::labels::{matched, set, show, without_meta};
use crate::evaluate::promql::eval::{Got, Item, Scene, trouble};
use crate::evaluate::promql::operator::{Does, Operator};
use crate::evaluate::promql::value::Trouble;
use crate::model::Labels;
use crate::time::Ms;

/// The value of a binary operation at `at`.
pub(in crate::evaluate::promql) fn eval(
    scene: &Scene<'_>,
    binary: &Binary,
    node: &Node,
    at: Ms,
) -> Result<Got, Trouble> {
    let left = scene.eval(&binary.left, at)?;
    let right = scene.eval(&binary.right, at)?;
    match (left, right) {
        (Got::Scalar(a), Got::Scalar(b)) => Ok(Got::Scalar(match binary.op.row().does {
            Does::Compute(compute) => compute(a, b),
            Does::Compare(compare) => f64::from(u8::from(compare(a, b))),
            Does::Set => return Err(trouble(&binary.at, "sets are for instant vectors")),
        })),
        (Got::Vector(items), Got::Scalar(b)) => {
            scene.vector_of(with_number(scene, binary, items, |a| (a, b)), &node.span)
        }
        (Got::Scalar(a), Got::Vector(items)) => {
            scene.vector_of(with_number(scene, binary, items, |b| (a, b)), &node.span)
        }
        (Got::Vector(left), Got::Vector(right)) if binary.op.is_set() => {
            Ok(Got::Vector(set_operation(binary.op, &binary.matching, left, right)))
        }
        (Got::Vector(left), Got::Vector(right)) => {
            let joined = join(scene, binary, &left, &right)?;
            scene.vector_of(joined, &node.span)
        }
        _ => Err(trouble(&binary.at, "an operation on something else than numbers")),
    }
}

/// Each sample with one number; `sides` puts the two in order.
fn with_number(scene: &Scene<'_>, binary: &Binary, items: Vec<Item>, sides: impl Fn(f64) -> (f64, f64)) -> Vec<Item> {
    let mut out = Vec::with_capacity(items.len());
    for mut item in items {
        let (a, b) = sides(item.value);
        let named = match binary.op.row().does {
            Does::Compute(compute) => {
                item.value = compute(a, b);
                false
            }
            Does::Compare(compare) if binary.gives_bool => {
                item.value = f64::from(u8::from(compare(a, b)));
                false
            }
            // A comparison keeps the sample of the vector, whichever side it stands on.
            Does::Compare(compare) if compare(a, b) => true,
            Does::Compare(_) | Does::Set => continue,
        };
        if !named {
            (item.labels, item.nameless) = scene.unnamed(&item.labels);
        }
        out.push(item);
    }
    out
}

fn set_operation(op: Operator, matching: &Matching, left: Vec<Item>, right: Vec<Item>) -> Vec<Item> {
    let key = |item: &Item| matched(&item.labels, matching.on, &matching.labels);
    if op == Operator::Or {
        let there: BTreeSet<Labels> = left.iter().map(key).collect();
        let more: Vec<Item> = right.into_iter().filter(|item| !there.contains(&key(item))).collect();
        return left.into_iter().chain(more).collect();
    }
    let there: BTreeSet<Labels> = right.iter().map(key).collect();
    let wanted = op == Operator::And;
    left.into_iter().filter(|item| there.contains(&key(item)) == wanted).collect()
}

fn join(scene: &Scene<'_>, binary: &Binary, left: &[Item], right: &[Item]) -> Result<Vec<Item>, Trouble> {
    let matching = &binary.matching;
    if left.is_empty() || right.is_empty() {
        return Ok(Vec::new());
    }
    let swapped = matching.many == Many::Right;
    let (many, one) = if swapped { (right, left) } else { (left, right) };
    let key = |item: &Item| matched(&item.labels, matching.on, &matching.labels);
    let mut ones: BTreeMap<Labels, &Item> = BTreeMap::new();
    for item in one {
        if let Some(other) = ones.insert(key(item), item) {
            return Err(several(binary, &key(item), item, other, if swapped { "left" } else { "right" }));
        }
    }
    let mut used: BTreeSet<(Labels, Labels)> = BTreeSet::new();
    let mut out = Vec::new();
    for item in many {
        let group = key(item);
        let Some(partner) = ones.get(&group) else { continue };
        let (a, b) = if swapped { (partner.value, item.value) } else { (item.value, partner.value) };
        let (value, passes, named) = match binary.op.row().does {
            Does::Compute(compute) => (compute(a, b), true, false),
            Does::Compare(compare) if binary.gives_bool => (f64::from(u8::from(compare(a, b))), true, scene.late),
            Does::Compare(compare) => (a, compare(a, b), true),
            Does::Set => continue,
        };
        let labels = result_labels(item, partner, matching, named);
        let mark = if matching.many == Many::Neither { Labels::default() } else { labels.clone() };
        if !used.insert((group, mark)) {
            let message = if matching.many == Many::Neither {
                "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
            } else {
                "multiple matches for labels: grouping labels must ensure unique matches"
            };
            return Err(Trouble { detail: show(&item.labels), ..trouble(&binary.at, message) });
        }
        if passes {
            out.push(Item { labels, value, nameless: binary.gives_bool });
        }
    }
    Ok(out)
}

fn result_labels(item: &Item, partner: &Item, matching: &Matching, named: bool) -> Labels {
    let mut labels = if named { item.labels.clone() } else { without_meta(&item.labels) };
    if matching.many == Many::Neither {
        let listed = |name: &str| matching.labels.iter().any(|listed| listed == name);
        labels = super::labels::keep(&labels, |name| listed(name) == matching.on);
    }
    for name in &matching.include {
        labels = set(&labels, name, partner.labels.get(name).unwrap_or_default());
    }
    labels
}

/// The side that must be one has two samples of one group.
fn several(binary: &Binary, group: &Labels, item: &Item, other: &Item, side: &str) -> Trouble {
    let mut both = [show(&item.labels), show(&other.labels)];
    both.sort();
    let [first, second] = both;
    let message = format!(
        "found duplicate series for the match group {} on the {side} hand-side of the operation: [{first}, {second}];\
         many-to-many matching not allowed: matching labels must be unique on one side",
        show(group)
    );
    trouble(&binary.at, message)
}
