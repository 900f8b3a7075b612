//! Changes to expressions: the number that one compares with, and the alerts of Prometheus's files.
//!
//! The idea: an expression has no key for its threshold, so the number is found in its tree and replaced where it stands.
//! Which of several is meant is asked, never guessed.

use std::sync::Arc;

use super::{meant, no_rule, parts};
use crate::config::load::Loaded;
use crate::config::rules;
use crate::config::scalar;
use crate::evaluate::promql::{self, Cut};
use crate::model::{Rule, Watch};
use crate::time::{Ms, parse_duration};

/// The expression `text` with `value` for its threshold; `nth` is empty or counts, from 1, among several.
///
/// # Errors
/// It compares with no number, or with several and `nth` names none of them; `value` is no number.
pub(super) fn with_threshold(text: &str, nth: &[&str], value: &str) -> Result<String, String> {
    let number = scalar::number(value).ok_or_else(|| format!("`{value}` is no number, such as 0.9, 90% or 10GiB"))?;
    let expr = promql::parse(text).map_err(|why| why.to_string())?;
    let cuts = expr.cuts();
    let chosen = match (cuts.as_slice(), nth) {
        ([], _) => return Err("the expression compares with no number: there is nothing to change".to_owned()),
        ([one], []) => Some(one),
        (_, [n]) => n.parse::<usize>().ok().and_then(|n| cuts.get(n.checked_sub(1)?)),
        _ => None,
    };
    match chosen {
        Some(cut) => Ok(expr.with_number(cut.at, number)),
        None => Err(which(&cuts)),
    }
}

fn which(cuts: &[Cut<'_>]) -> String {
    let shown = |(n, cut): (usize, &Cut<'_>)| format!("threshold.{} is `{} {}`", n + 1, cut.op.text(), cut.number);
    let all: Vec<String> = cuts.iter().enumerate().map(shown).collect();
    let times = if cuts.len() == 1 { "once".to_owned() } else { format!("{} times", cuts.len()) };
    format!("the expression compares {times}: {}", all.join(", "))
}

/// Puts one change into the alert of a Prometheus file that it addresses.
///
/// # Errors
/// No rule has that id, the key is none of an alert, or the value does not fit.
pub(in crate::config) fn adjust_adopted(loaded: &mut Loaded, change: &str) -> Result<(), String> {
    let (place, value) = parts(change)?;
    let mut rules: Vec<Rule> = loaded.rules.rules.iter().map(|rule| Rule::clone(rule)).collect();
    let ids: Vec<String> = rules.iter().map(|rule| rule.id.to_string()).collect();
    let id = meant(place, &ids).ok_or_else(|| no_rule(place, &ids))?;
    let path: Vec<&str> = place[id.len() + 1..].split('.').collect();
    let rule = rules.iter_mut().find(|rule| *rule.id == **id).ok_or_else(|| no_rule(place, &ids))?;
    let length = || -> Result<Ms, String> {
        parse_duration(value).ok_or_else(|| format!("`{place}`: `{value}` is no duration, such as 30s or 5m"))
    };
    match (path.as_slice(), &mut rule.watch) {
        (["threshold", nth @ ..], Watch::Expr { text }) => {
            *text = with_threshold(text, nth, value).map_err(|why| format!("`{place}`: {why}"))?;
        }
        (["for"], _) => {
            let hold = length()?;
            rule.levels.iter_mut().for_each(|level| level.hold = hold);
        }
        (["keep_firing_for"], _) => rule.recover.hold = length()?,
        _ => {
            return Err(format!(
                "`{place}` addresses nothing: of an alert threshold, for and keep_firing_for can be changed"
            ));
        }
    }
    let groups = loaded.rules.groups.iter().map(|group| Arc::unwrap_or_clone(Arc::clone(group))).collect();
    loaded.rules = rules::set(rules, groups);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_the_one_comparison_is_replaced() {
        let of = |text: &str, nth: &[&str], value: &str| with_threshold(text, nth, value);
        assert_eq!(of("a > 0.9", &[], "80%").as_deref(), Ok("a > 0.8"));
        assert_eq!(of("a > 0.9", &["1"], "5m").as_deref(), Ok("a > 300"));
        assert_eq!(of("(a{b=\"한글\"} * 100) > (90)", &[], "95").as_deref(), Ok("(a{b=\"한글\"} * 100) > 95"));
        assert_eq!(of("a > 1 and b < 3", &["2"], "4").as_deref(), Ok("a > 1 and b < 4"));
    }

    #[test]
    fn none_and_several_are_told_apart() {
        let why = |text: &str, nth: &[&str], value: &str| with_threshold(text, nth, value).unwrap_err();
        assert!(why("absent(a)", &[], "1").contains("compares with no number"));
        assert!(why("a > b", &[], "1").contains("compares with no number"));
        let several = "compares 2 times: threshold.1 is `> 1`, threshold.2 is `< 3`";
        assert!(why("a > 1 and b < 3", &[], "1").contains(several));
        assert!(why("a > 1 and b < 3", &["3"], "1").contains(several));
        assert!(why("a > 1", &["0"], "2").contains("compares once: threshold.1 is `> 1`"));
        assert!(why("a > 1", &[], "viel").contains("is no number"));
    }
}
