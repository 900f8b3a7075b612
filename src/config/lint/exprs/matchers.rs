//! Names and matchers of selectors: those that nobody sends, that fit everything, or nothing.
//!
//! The idea: a name that almost is a known one is a typing mistake; one that is like nothing known is taken as it is.

use super::facts::{known, metric};
use super::view::Written;
use crate::config::lint::{Found, Look, Site, catalog, check, labels};
use crate::config::near::nearest;
use crate::config::problem::Mark;
use crate::evaluate::prometheus_label;
use crate::evaluate::promql::{Compare, Matcher, NAME, Node, Selector, What};

/// The selectors of an expression with their nodes.
fn selectors<'w>(written: &'w Written<'_>) -> Vec<(&'w Node, &'w Selector)> {
    let one = |node: &'w Node| if let What::Select(selector) = &node.what { Some((node, selector)) } else { None };
    written.nodes().into_iter().filter_map(one).collect()
}

/// Where a matcher stands in its selector.
pub(super) fn place(written: &Written<'_>, node: &Node, matcher: &Matcher) -> Mark {
    let text = written.piece(node);
    let braces = text.find('{').unwrap_or(0);
    // The value as it stands behind the sign, its quotes aside; `None` where this is no such matcher.
    let value = |at: usize| {
        let rest = text.get(at + matcher.name.len()..)?.trim_start_matches(['"', '\'']).trim_start();
        let whole = !text.get(..at)?.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let value = rest.strip_prefix(matcher.compare.sign()).filter(|_| whole)?;
        Some(value.trim_start().trim_start_matches(['"', '\'', '`']))
    };
    let places: Vec<usize> = text.match_indices(&matcher.name).map(|(at, _)| at).filter(|at| *at >= braces).collect();
    // A value with escapes is not found as it is: the first matcher of its label and sign then.
    let exact = places.iter().find(|at| value(**at).is_some_and(|value| value.starts_with(&matcher.value)));
    let Some(at) = exact.or_else(|| places.iter().find(|at| value(**at).is_some())).copied() else {
        return written.at(&node.span);
    };
    let quoted = text.get(at..).and_then(|rest| rest.find(['"', '\'', '`']).map(|quote| at + quote)).unwrap_or(at);
    let sign = text.get(quoted..).and_then(|rest| rest.chars().next()).unwrap_or('"');
    let behind = text.get(quoted + 1..).unwrap_or("");
    let end = quoted_end(behind, sign).map_or(text.len(), |end| quoted + 1 + end);
    written.at(&(node.span.start + at..node.span.start + end))
}

/// Where the quoted text ends, its closing quote included.
fn quoted_end(text: &str, sign: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if sign != '`' => escaped = true,
            _ if c == sign => return Some(at + 1),
            _ => {}
        }
    }
    None
}

fn matchers(written: &Written<'_>, see: &mut impl FnMut(&Node, &Matcher)) {
    for (node, selector) in selectors(written) {
        selector.matchers.iter().for_each(|matcher| see(node, matcher));
    }
}

fn is_pattern(matcher: &Matcher) -> bool {
    matches!(matcher.compare, Compare::Matches | Compare::MatchesNot)
}

check!(EQUALITY, "expr-regex-equality", Warning, Look::Expr(equality),
    what: "A pattern without anything that a plain value could not say.",
    why: "Matchers are anchored: `=~\"db\"` is `db` and nothing else, not `db-01`. Whoever meant `contains` watches nothing.",
    repair: "Write `=`, or `=~\"db.*\"` for everything that begins so.");

fn equality(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    matchers(written, &mut |node, matcher| {
        let plain = !matcher.value.is_empty() && regex::escape(&matcher.value) == matcher.value;
        if is_pattern(matcher) && plain {
            let sign = if matcher.compare == Compare::Matches { "=" } else { "!=" };
            let message = format!("`{}` is `{}` and nothing else: matchers are anchored", matcher, matcher.value);
            found.say(
                place(written, node, matcher),
                message,
                format!("write {}{sign}{:?}", matcher.name, matcher.value),
            );
        }
    });
}

check!(EVERYTHING, "expr-match-everything", Warning, Look::Expr(everything),
    what: "A pattern that fits everything, or nothing at all.",
    why: "`=~\".*\"` is no condition: it fits series that lack the label, too. `!~\".*\"` lets nothing through, and an empty \
        pattern asks that the label is not there.",
    repair: "Leave it out, name values, or ask for `=~\".+\"` where the label has to be there.");

fn everything(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    matchers(written, &mut |node, matcher| {
        if !is_pattern(matcher) {
            return;
        }
        let fits = matcher.compare == Compare::Matches;
        let bare = matcher.value.trim_start_matches('^').trim_end_matches('$');
        let what = match (bare, fits) {
            (".*" | "(.*)" | ".*.*" | "(?:.*)", true) => "fits everything",
            (".*" | "(.*)" | ".*.*" | "(?:.*)", false) => "fits nothing",
            ("", true) => "asks that the label is not there",
            ("", false) => "asks only that the label is there",
            _ => return,
        };
        found.say(place(written, node, matcher), format!("`{matcher}` {what}"), "leave it out, or name values");
    });
}

check!(ANCHORS, "expr-regex-anchors", Warning, Look::Expr(anchors),
    what: "`^` and `$` in a matcher, which has them by itself.",
    why: "Harmless, but it tells the next reader that matchers without them match inside a value: they do not.",
    repair: "Leave `^` and `$` out.");

fn anchors(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    matchers(written, &mut |node, matcher| {
        let value = &matcher.value;
        let ends = value.ends_with('$') && !value.ends_with("\\$");
        if is_pattern(matcher) && (value.starts_with('^') || ends) && !value.contains('|') {
            found.say(
                place(written, node, matcher),
                "matchers are anchored at both ends already",
                "leave `^` and `$` out",
            );
        }
    });
}

check!(CONTRADICTION, "expr-match-nothing", Warning, Look::Expr(contradiction),
    what: "Matchers of one label that contradict each other.",
    why: "No series fits: the alert watches nothing, and looks like one that does.",
    repair: "Write one pattern for both: host=~\"a|b\".");

fn contradiction(written: &Written<'_>, _: &Site<'_>, found: &mut Found) {
    for (node, selector) in selectors(written) {
        for exact in selector.matchers.iter().filter(|matcher| matcher.compare == Compare::Equal) {
            let against = |other: &&Matcher| other.name == exact.name && !other.accepts_value(&exact.value);
            let later = selector.matchers.iter().skip_while(|one| !std::ptr::eq(*one, exact));
            let other = later.clone().find(against).or_else(|| selector.matchers.iter().find(against));
            if let Some(other) = other {
                let message = format!("`{exact}` and `{other}`: nothing is both");
                found.say(place(written, node, other), message, "write one pattern for both");
                break;
            }
        }
    }
}

check!(METRIC_UNKNOWN, "expr-metric-unknown", Warning, Look::Expr(metric_unknown),
    what: "The metric's name is almost one that is known.",
    why: "Nobody sends a misspelt metric: the result is empty for ever, and that is what healthy looks like.",
    repair: "Take the known name, with its unit as Prometheus has it. `check --sample FILE` compares with what really comes.");

fn metric_unknown(written: &Written<'_>, site: &Site<'_>, found: &mut Found) {
    for (node, selector) in selectors(written).into_iter().filter(|(_, selector)| known(selector).is_none()) {
        let Some(name) = metric(selector).filter(|name| !recorded(site, name)) else { continue };
        let words = catalog::prometheus_names();
        // The name without its unit, or with the dots of the other form.
        let plain = |known: &&&str| ends(known, name);
        let near = words.iter().find(plain).copied().or_else(|| {
            // Exporters have names of their own that are like others': a mistake is only what is almost our agent's.
            let ours = |known: &&str| catalog::known_to_prometheus(known).is_some_and(|known| known.ours);
            let close = words.iter().copied().filter(|known| known.len().abs_diff(name.len()) <= 3 && ours(known));
            let close: Vec<&str> = close.collect();
            nearest(name, &close)
        });
        if let Some(near) = near {
            let at = node.span.start..node.span.start + name.len();
            let at = if written.piece(node).starts_with(name) { at } else { node.span.clone() };
            found.say(written.at(&at), format!("nobody is known to send `{name}`"), format!("did you mean `{near}`?"));
        }
    }
}

/// Whether `known` is `name` with a unit behind it.
fn ends(known: &str, name: &str) -> bool {
    let units = ["_ratio", "_total", "_bytes", "_seconds", "_bytes_total", "_seconds_total"];
    known.strip_prefix(name).is_some_and(|unit| units.contains(&unit))
}

/// Whether some rule records this metric.
pub(super) fn recorded(site: &Site<'_>, name: &str) -> bool {
    site.recorded.contains(name)
}

check!(LABEL_UNKNOWN, "expr-label-unknown", Warning, Look::Expr(label_unknown),
    what: "A matcher asks for a label that is almost one of the metric's.",
    why: "A label that a series lacks is the empty string: the matcher fits nothing, or everything.",
    repair: "Take the label's own name, with `_` for its dots; `check --sample FILE` shows which really come.");

fn label_unknown(written: &Written<'_>, site: &Site<'_>, found: &mut Found) {
    let extra: Vec<String> = site.settings.map_or_else(Vec::new, |settings| {
        settings.agent.labels.iter().map(|(name, _)| prometheus_label(name)).collect()
    });
    for (node, selector) in selectors(written) {
        // Only the metrics of our own agent have all their labels listed.
        let Some(known) = known(selector).filter(|known| known.ours) else { continue };
        let words: Vec<String> = labels::of_ours(&known).map(prometheus_label).collect();
        let words = words.iter().map(String::as_str).chain(["instance"]).chain(labels::JOINED);
        let words: Vec<&str> = words.collect();
        for matcher in selector.matchers.iter().filter(|matcher| matcher.name != NAME && !extra.contains(&matcher.name))
        {
            if let Some(near) = labels::meant_by(&matcher.name, &words) {
                let message = format!("`{}` has no label `{}`", metric(selector).unwrap_or(""), matcher.name);
                found.say(place(written, node, matcher), message, format!("did you mean `{near}`?"));
            }
        }
    }
}
