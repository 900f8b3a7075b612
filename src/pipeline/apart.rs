//! An expression taken apart, in words: what each part of it gives, and where two sides do not meet.
//!
//! The idea: the parts stand from the leaves to the whole, each with how many series it gives, those first that agree with
//! the identity that is asked about; so the first empty one is where it ends. Evaluation is not done here.

use serde_json::{Value, json};

use crate::evaluate::ExprParts;
use crate::evaluate::promql::{Branch, Given, NAME};
use crate::model::Labels;
use crate::pipeline::sentences::number;

/// Series shown of one part, and samples without a partner.
const SHOWN: usize = 3;
/// Parts that are shown, the innermost first; an expression of more is hardly read.
const PARTS: usize = 40;
/// Characters of a part's text.
const TEXT: usize = 70;

/// What there is to say of the parts to who asks about `wanted`.
pub(super) fn lines(parts: &ExprParts, wanted: &[(String, String)]) -> Vec<String> {
    let mut lines = vec!["식의 부분별 결과:".to_owned()];
    for branch in parts.branches.iter().take(PARTS) {
        let text = text(parts, branch);
        match &branch.gives {
            Err(why) => lines.push(format!("  {text}: 계산할 수 없음 — {why}")),
            Ok(all) if all.is_empty() => lines.push(format!("  {text}: 계열 없음")),
            Ok(all) => {
                let agree: Vec<&Given> = all.iter().filter(|given| agrees(&given.labels, wanted)).collect();
                let which = if wanted.is_empty() {
                    String::new()
                } else {
                    format!(" (찾는 식별자와 맞는 것 {}개)", agree.len())
                };
                let shown: Vec<String> = agree.iter().take(SHOWN).map(|given| one(given)).collect();
                let shown = if shown.is_empty() { String::new() } else { format!(": {}", shown.join(", ")) };
                lines.push(format!("  {text}: 계열 {}개{which}{shown}", all.len()));
            }
        }
        let alone: Vec<&Labels> = branch.alone.iter().filter(|labels| agrees(labels, wanted)).collect();
        if !alone.is_empty() {
            let shown: Vec<String> = alone.iter().take(SHOWN).map(ToString::to_string).collect();
            let more = alone.len().saturating_sub(SHOWN);
            let more = if more == 0 { String::new() } else { format!(" 외 {more}개") };
            lines.push(format!("    왼쪽에만 있고 오른쪽에 짝이 없음: {}{more}", shown.join(", ")));
        }
    }
    lines
}

/// The same for programs.
pub(super) fn json(parts: &ExprParts, wanted: &[(String, String)]) -> Value {
    let one =
        |given: &Given| json!({ "labels": given.labels.to_json(), "value": given.value, "samples": given.samples });
    let part = |branch: &Branch| {
        let all = branch.gives.as_deref().unwrap_or_default();
        let agree: Vec<&Given> = all.iter().filter(|given| agrees(&given.labels, wanted)).collect();
        let alone: Vec<Value> = branch.alone.iter().take(SHOWN).map(Labels::to_json).collect();
        json!({ "text": parts.text.get(branch.span.clone()), "depth": branch.depth, "series": all.len(),
            "agree": agree.len(), "first": agree.iter().take(SHOWN).map(|given| one(given)).collect::<Vec<_>>(),
            "alone": alone, "alone_count": branch.alone.len(), "error": branch.gives.as_ref().err() })
    };
    parts.branches.iter().take(PARTS).map(part).collect()
}

/// Whether labels say nothing else than what is wanted; a label that they lack was left out by an aggregation.
fn agrees(labels: &Labels, wanted: &[(String, String)]) -> bool {
    wanted.iter().all(|(name, value)| labels.get(name).is_none_or(|own| own == value))
}

fn one(given: &Given) -> String {
    let labels = Labels::new(given.labels.iter().filter(|(name, _)| *name != NAME));
    let samples = given.samples.map_or_else(String::new, |samples| format!(" (표본 {samples}건)"));
    format!("{labels} {}{samples}", number(given.value))
}

/// The text of a part on one line.
fn text(parts: &ExprParts, branch: &Branch) -> String {
    let whole = parts.text.get(branch.span.clone()).unwrap_or_default();
    let words = whole.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.chars().count() <= TEXT {
        return words;
    }
    words.chars().take(TEXT - 1).chain(['…']).collect()
}
