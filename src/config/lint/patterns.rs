//! Patterns: regular expressions that say more, less or something else than was meant.
//!
//! The idea: matchers are anchored at both ends and log patterns are not; who learned the one writes the other wrongly.

use super::super::read::matcher;
use super::super::tree::Node;
use super::site::View;
use super::{Found, Look, Site, check};
use crate::model::{Matcher, Severity, Test, Watch};

/// Words that stand in the lines of every program on every day.
const BROAD: [&str; 8] = ["error", "warn", "warning", "fail", "failed", "exception", "timeout", "오류"];

/// The conditions that are regular expressions, with the node of each.
fn expressions<'v>(view: &'v View<'_>) -> impl Iterator<Item = (&'v Node, Matcher)> {
    let entries = view.conditions().get("match").map_or(&[][..], Node::entries);
    entries.iter().filter_map(|entry| {
        let matcher = matcher(&entry.key, entry.value.as_text()?);
        matches!(matcher.test, Test::Fits | Test::FitsNot).then_some((&entry.value, matcher))
    })
}

/// Whether nothing in `pattern` is special to a regular expression.
fn plain(pattern: &str) -> bool {
    !pattern.is_empty() && regex::escape(pattern) == pattern
}

/// The log pattern with its node.
fn pattern<'v>(view: &'v View<'_>) -> Option<(&'v Node, &'v str)> {
    let node = view.item.get("log")?.get("pattern")?;
    Some((node, node.as_text()?))
}

check!(EVERYTHING, "regex-everything", Warning, Look::Rule(everything),
    what: "A condition fits everything, or nothing at all.",
    why: "`=~.*` is no condition: the rule watches far more than its writer thought. `!~.*` lets nothing through: it \
        never fires.",
    repair: "Leave the condition out, or write the values that are meant. `=~.+` asks that the label is there.");

fn everything(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    for (node, matcher) in expressions(view) {
        // Not every pattern that fits everything is recognised; those that people write are.
        let bare = matcher.value.trim_start_matches('^').trim_end_matches('$');
        if matches!(bare, ".*" | "(.*)" | ".*.*" | "(?:.*)") {
            let what = if matcher.test == Test::Fits { "fits everything" } else { "fits nothing" };
            found.say(node.at, format!("`{}` {what}", node.as_text().unwrap_or("")), "leave it out, or name values");
        }
    }
}

check!(EQUALITY, "regex-equality", Warning, Look::Rule(equality),
    what: "A regular expression without anything that a plain value could not say.",
    why: "Conditions are anchored: `=~db` is `db` and nothing else, not `db-01`. Whoever meant `contains` watches \
        nothing.",
    repair: "Write the value without `=~`, or `=~db.*` for everything that begins so.");

fn equality(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    for (node, matcher) in expressions(view).filter(|(_, matcher)| plain(&matcher.value)) {
        let (value, sign) = (&matcher.value, if matcher.test == Test::Fits { "" } else { "!=" });
        let message =
            format!("`{}` is `{value}` and nothing else: conditions are anchored", node.as_text().unwrap_or(""));
        found.say(node.at, message, format!("write \"{sign}{value}\", or =~{value}.* for what begins so"));
    }
}

check!(ANCHORS, "regex-anchors", Warning, Look::Rule(anchors),
    what: "`^` and `$` in a condition, which has them by itself.",
    why: "Harmless, but it tells the next reader that conditions without them match inside a value: they do not.",
    repair: "Leave `^` and `$` out.");

fn anchors(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    for (node, matcher) in expressions(view) {
        let value = &matcher.value;
        let ends = value.ends_with('$') && !value.ends_with("\\$");
        if (value.starts_with('^') || ends) && !value.contains('|') {
            found.say(node.at, "conditions are anchored at both ends already", "leave `^` and `$` out");
        }
    }
}

check!(DOT, "regex-dot", Warning, Look::Rule(dot),
    what: "A dot between letters or digits, in an expression that has nothing else special.",
    why: "A dot is any character: `10.1.2.3` fits `10.112.3` too, and the wrong host is watched, or left out.",
    repair: "Write `\\.`, or the value without `=~`.");

fn dot(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    for (node, matcher) in expressions(view) {
        let value = &matcher.value;
        let inner = value.trim_end_matches(".*").trim_start_matches(".*");
        let special = inner.replace('.', "");
        let dots = inner.split('.').count() > 1 && inner.split('.').all(|part| !part.is_empty());
        if dots && regex::escape(&special).replace("\\-", "-") == special {
            found.say(node.at, format!("`.` is any character in `{value}`"), "write `\\.`, in \"…\" `\\\\.`");
        }
    }
}

check!(LOG_EVERYTHING, "log-everything", Warning, Look::Rule(log_everything),
    what: "A log rule without conditions and without a pattern: it counts every line of everybody.",
    why: "The first chatty program sets it off, and what it then says is: somebody wrote something.",
    repair: "Say whose lines (`log.match`), or which ones (`log.pattern`).");

fn log_everything(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    if let Watch::Log { matchers, pattern: None } = &view.rule.watch
        && matchers.is_empty()
    {
        found.say(view.item.key_at("log"), "counts every line of every host", "add `match` or `pattern`");
    }
}

check!(LOG_EMPTY, "log-empty-pattern", Warning, Look::Rule(log_empty),
    what: "The log pattern fits the empty text, and so every line.",
    why: "`a*` and `x|` look like conditions and are none: every line counts, the alarm means nothing.",
    repair: "Make it need something: `a+`, no empty alternative. Leave it out if every line is meant.");

fn log_empty(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let Some((node, text)) = pattern(view) else { return };
    if regex::Regex::new(text).is_ok_and(|compiled| compiled.is_match("")) {
        found.say(
            node.at,
            format!("`{text}` fits every line, an empty one too"),
            "make it need something, or leave it out",
        );
    }
}

check!(LOG_GREEDY, "log-greedy-pattern", Warning, Look::Rule(log_greedy),
    what: "A log pattern begins or ends with `.*`.",
    why: "A pattern is searched anywhere in the text already. `.*` only makes every line be read to its end, most \
        in the very storm of lines in which there is no time for it.",
    repair: "Leave the `.*` at both ends out.");

fn log_greedy(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let Some((node, text)) = pattern(view) else { return };
    let inner = text.trim_start_matches('^').trim_end_matches('$');
    let open = inner.starts_with(".*") || (inner.ends_with(".*") && !inner.ends_with("\\.*"));
    // A pattern of nothing but `.*` is `log-empty-pattern`.
    if open && inner.trim_matches(['.', '*']).len() > 1 {
        found.say(
            node.at,
            format!("`{text}`: a pattern is searched anywhere by itself"),
            "leave the `.*` at the ends out",
        );
    }
}

check!(LOG_BROAD, "log-broad-pattern", Warning, Look::Rule(log_broad),
    what: "A single line with an everyday word (error, fail, timeout, …) pages S1 or S2.",
    why: "\"0 errors\" is a line with error in it. After a week of such nights the chain's first step no longer looks.",
    repair: "Name the message that matters, or ask for many lines: value: 20.");

fn log_broad(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let Some((node, text)) = pattern(view) else { return };
    let bare = text.trim_start_matches("(?i)").to_lowercase();
    let broad = bare.split('|').all(|word| BROAD.contains(&word));
    let one = view
        .rule
        .levels
        .iter()
        .any(|level| level.severity <= Severity::S2 && view.rule.when.holds(1.0, level.threshold));
    if broad && one {
        found.say(node.at, format!("one line with `{text}` wakes somebody"), "name the message, or raise `value`");
    }
}
