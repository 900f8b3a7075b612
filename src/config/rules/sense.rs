//! What can be said against one rule whose shape is right.
//!
//! The idea: one function per question, each over what could be read; none stops the others.

use super::conditions::{check_conditions, check_overrides, check_ratio, join};
use super::{Around, expr, levels, needs};
use crate::config::near::nearest;
use crate::config::problem::Notes;
use crate::config::read::Obj;
use crate::model::{Comparison, Function, Level, Severity, Threshold, builtin};
use crate::time::{MINUTE, Ms, SECOND, show_duration};

/// Bytes (KS X 1001) of a title that still leaves the rest of an alarm room in the 90 bytes of an SMS.
const TITLE_BYTES: usize = 30;
/// Below two of the shortest ticks a window would hold one sample or none.
const OVER_MIN: Ms = 2 * SECOND;
/// More panes than this save little.
const PANES_MAX: i64 = 5_000;
/// What a restore reads beyond the longest window.
const RESTORE: Ms = 10 * MINUTE;

/// Notes everything that makes no sense in the rule `item`.
pub(super) fn check(item: Obj<'_>, around: Around<'_>, notes: &mut Notes) {
    identity(item, around, notes);
    title(item, around, notes);
    missing(item, notes);
    watch(item, notes);
    window(item, around, notes);
    check_ratio(item, notes);
    check_conditions(item, around, notes);
    check_overrides(item, notes);
    expected(item, notes);
    thresholds(item, notes);
    recover(item, notes);
    expr::check(item, around.source, notes);
}

/// Keys that every rule needs, be they its own, its template's or those of its conditions.
fn missing(item: Obj<'_>, notes: &mut Notes) {
    let conditions = join(item).is_some() || item.has("expr");
    let needed = [("window", "which samples count"), ("when", "compares the value with the threshold")];
    for (key, what) in needed.into_iter().filter(|(key, _)| !conditions && !item.has(key) && !item.misspells(&[*key])) {
        notes.error("missing-key", item.place(), format!("rule without `{key}`"), format!("{key}: {what}"));
    }
    if !item.has("severity") && !item.misspells(&["severity"]) {
        let help = "severity: { S2: { value: 90% } }";
        notes.error("missing-key", item.place(), "rule without `severity`", help);
    }
    let severity = item.sub("severity");
    for name in Severity::ALL.into_iter().filter(|name| severity.has(name.code())) {
        if !conditions && !severity.sub(name.code()).has("value") {
            let message = format!("{} without `value`", name.code());
            let help = format!("severity: {{ {}: {{ value: 90% }} }}; a bare severity goes with `expr`", name.code());
            notes.error("missing-key", severity.at(name.code()), message, help);
        }
    }
}

/// The labels that the inventory knows.
const INVENTORY: [&str; 5] = ["host", "class", "zone", "service", "parent"];

/// Who is expected must be known by the inventory alone.
fn expected(item: Obj<'_>, notes: &mut Notes) {
    let no_data = item.sub("no_data");
    if !no_data.flag("expected") {
        return;
    }
    let help = format!("the inventory knows {}", INVENTORY.join(", "));
    let by = item.list("by");
    if by.is_empty() {
        notes.error("expected", no_data.at("expected"), "`expected` without `by`", format!("write by: [host]; {help}"));
    }
    for node in by.iter().filter(|node| node.as_text().is_none_or(|label| !INVENTORY.contains(&label))) {
        let message = format!("an identity by {} cannot be expected", node.describe());
        notes.error("expected", node.at, message, help.clone());
    }
    let matchers = item.get("match").or_else(|| item.sub("log").get("match")).map_or(&[][..], |node| node.entries());
    for entry in matchers.iter().filter(|entry| !INVENTORY.contains(&entry.key.as_str())) {
        let message = format!("whether `{}` fits is not known of who never spoke", entry.key);
        notes.error("expected", entry.at, message, help.clone());
    }
}

fn identity(item: Obj<'_>, around: Around<'_>, notes: &mut Notes) {
    if let Some(own) = item.text("id").and_then(builtin) {
        let message = format!("`{}` is a rule of the engine's own ({})", own.id, own.title);
        notes.error("builtin-id", item.at("id"), message, "take another id");
    }
    if let (Some(chain), Some(chains)) = (item.text("chain"), around.chains)
        && !chains.iter().any(|known| known == chain)
    {
        let words: Vec<&str> = chains.iter().map(String::as_str).collect();
        let help = match nearest(chain, &words) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are: {}", words.join(", ")),
        };
        notes.error("unknown-chain", item.at("chain"), format!("there is no chain `{chain}`"), help);
    }
    for (n, node) in item.list("by").iter().enumerate() {
        let again = node.as_text().filter(|text| item.list("by").iter().take(n).any(|o| o.as_text() == Some(text)));
        if let Some(label) = again {
            notes.warning("duplicate-id", node.at, format!("label `{label}` stands twice"), "keep one");
        }
    }
}

fn title(item: Obj<'_>, around: Around<'_>, notes: &mut Notes) {
    let Some(title) = item.text("title") else { return };
    let at = item.at("title");
    let hits = around.guard.hits(title);
    for hit in &hits {
        let message = format!("the title goes into messages and must not hold {hit}");
        notes.error("title-prohibited", at, message, "say what happened without addresses, names and products");
    }
    for word in ["심각", "경계", "주의", "관심"] {
        if title.contains(word) && !hits.iter().any(|hit| hit.contains(word)) {
            let message = format!("`{word}` is a national alert level");
            notes.warning("national-word", at, message, "severities are 중대, 보통, 경미, 정보");
        }
    }
    match crate::page::ksx1001::len(title) {
        Err(c) => {
            let message = format!("`{c}` cannot be sent in an SMS (KS X 1001)");
            notes.warning("title-charset", at, message, "it will be replaced: choose another character");
        }
        Ok(bytes) if bytes > TITLE_BYTES => {
            let message = format!("the title has {bytes} bytes, more than the {TITLE_BYTES} that fit into an SMS");
            notes.warning("title-long", at, message, "shorten it, or the message goes as LMS");
        }
        Ok(_) => {}
    }
}

/// Keys that say what to watch.
const WATCHED: [&str; 6] = ["metric", "log", "ratio", "all", "any", "expr"];

fn watch(item: Obj<'_>, notes: &mut Notes) {
    let other = item.has("ratio") || item.has("expr") || join(item).is_some();
    match (item.has("metric"), item.has("log")) {
        (false, false) if !other && !item.misspells(&WATCHED) => {
            let help =
                "say what to watch: metric: NAME, log: { … }, ratio: { … }, all: or any: of conditions, or expr: TEXT";
            notes.error("watch", item.place(), "rule that watches nothing", help);
        }
        (true, _) | (_, true) if item.has("ratio") => {
            let help = "what is divided stands under `ratio`: of and to";
            notes.error("watch", item.key_at("ratio"), "`ratio` beside `metric` or `log`", help);
        }
        (true, true) => {
            notes.error("watch", item.key_at("log"), "a rule watches `metric` or `log`, not both", "make it two rules");
        }
        (false, true) if item.has("match") => {
            let help = "move it: log: { match: { … }, pattern: … }";
            notes.error("watch", item.key_at("match"), "conditions on log lines stand under `log`", help);
        }
        _ => {}
    }
}

fn window(item: Obj<'_>, around: Around<'_>, notes: &mut Notes) {
    let window = item.sub("window");
    let known = window.word("fn", Function::parse);
    if item.has("log") && known.is_some_and(|function| function != Function::Count) {
        let help = "log lines can be counted: fn: count";
        notes.error("log-function", window.at("fn"), "a `log` rule needs `fn: count`", help);
    }
    if let (Some(function), Some(n)) = (known, item.int("min_samples"))
        && n >= 1
        && n < i64::from(needs(function))
    {
        let message = format!("`{}` needs {} samples, `min_samples` says {n}", function.name(), needs(function));
        notes.error("min-samples", item.at("min_samples"), message, "leave it out, or raise it");
    }
    one_window(window, around, notes);
}

/// What makes no sense in a window, whichever condition it is of.
pub(super) fn one_window(window: Obj<'_>, around: Around<'_>, notes: &mut Notes) {
    let Some(over) = window.duration("over") else { return };
    panes(window, over, window.word("fn", Function::parse), notes);
    if over < OVER_MIN {
        let message = format!("a window of {} is shorter than {}", show_duration(over), show_duration(OVER_MIN));
        notes.error("window-short", window.at("over"), message, "make it longer than the distance of two samples");
    }
    if let Some(keeps) = around.keeps
        && over + RESTORE > keeps
    {
        let message =
            format!("a window of {} is longer than the log keeps ({})", show_duration(over), show_duration(keeps));
        let help = "after a restart it is unknown until it has filled: raise log.keep";
        notes.warning("window-retention", window.at("over"), message, help);
    }
}

fn panes(window: Obj<'_>, over: Ms, function: Option<Function>, notes: &mut Notes) {
    let Some(step) = window.duration("step") else { return };
    let at = window.at("step");
    if let Some(function @ Function::Quantile(_)) = function {
        let help = "leave `step` out: exact quantiles need every sample; or watch avg, max or stddev";
        notes.error("window-step", at, format!("`{}` cannot be told from panes", function.name()), help);
    }
    if step * 2 > over {
        let message = format!("panes of {} in a window of {}", show_duration(step), show_duration(over));
        notes.error("window-step", at, message, "a window holds two panes or more: make `step` shorter");
    } else if over / step > PANES_MAX {
        let message = format!("a window of {} in {} panes", show_duration(over), over / step);
        let help = "a pane takes as much memory as eight samples: make `step` longer";
        notes.warning("window-step", at, message, help);
    }
}

fn thresholds(item: Obj<'_>, notes: &mut Notes) {
    let severity = item.sub("severity");
    let levels = levels(item);
    if item.get("severity").is_some_and(|node| node.entries().is_empty() && node.as_text().is_none()) {
        let help = "write at least one: severity: { S2: { value: 90% } }";
        notes.error("missing-key", item.at("severity"), "`severity` without a level", help);
    }
    let Some(when) = item.word("when", super::comparison) else { return };
    for level in &levels {
        let at = severity.sub(level.severity.code()).at("value");
        shape(when, level.threshold, at, notes);
        if let (Comparison::Equals, Threshold::One(value)) = (when, level.threshold)
            && value.fract() != 0.0
        {
            let help = "a computed number is hardly ever exactly that: use above, below or outside";
            notes.warning("equals-fraction", at, format!("`equals` compares exactly with {value}"), help);
        }
    }
    for pair in levels.windows(2) {
        let [worse, milder] = pair else { continue };
        if let Some(why) = disorder(when, worse, milder) {
            let at = severity.sub(worse.severity.code()).at("value");
            let message = format!("{} {why} {}", worse.severity.code(), milder.severity.code());
            let help = "the worse a severity, the stricter its threshold, or the longer its `for`";
            notes.warning("severity-order", at, message, help);
        }
    }
    if item.has("by") {
        across(item, when, notes);
    }
}

/// `outside` takes a range, everything else one number.
pub(super) fn shape(when: Comparison, threshold: Threshold, at: crate::config::problem::Mark, notes: &mut Notes) {
    match (when, threshold) {
        (Comparison::Outside, Threshold::One(_)) => {
            notes.error("range-needed", at, "`when: outside` needs a range", "write value: [low, high]");
        }
        (Comparison::Outside, Threshold::Range(..)) | (_, Threshold::One(_)) => {}
        (_, Threshold::Range(..)) => {
            notes.error("range-needed", at, "a range goes with `when: outside` only", "write one number");
        }
    }
}

/// Whether `milder` can never be seen, because `worse` is reached no later.
fn disorder(when: Comparison, worse: &Level, milder: &Level) -> Option<&'static str> {
    let stricter = match (when, worse.threshold, milder.threshold) {
        (Comparison::Above | Comparison::AtLeast, Threshold::One(w), Threshold::One(m)) => w.partial_cmp(&m)?,
        (Comparison::Below | Comparison::AtMost, Threshold::One(w), Threshold::One(m)) => m.partial_cmp(&w)?,
        (Comparison::Outside, Threshold::Range(wl, wh), Threshold::Range(ml, mh)) => {
            if wl == ml && wh == mh {
                std::cmp::Ordering::Equal
            } else if wl >= ml && wh <= mh {
                std::cmp::Ordering::Less
            } else {
                std::cmp::Ordering::Greater
            }
        }
        _ => return None,
    };
    match stricter {
        std::cmp::Ordering::Less => Some("is reached sooner than"),
        std::cmp::Ordering::Equal if worse.hold <= milder.hold => Some("is reached no later than"),
        _ => None,
    }
}

/// Whether it is clear how several series of one identity become one number.
pub(super) fn across(item: Obj<'_>, when: Comparison, notes: &mut Notes) {
    let Some(function) = item.sub("window").word("fn", Function::parse) else { return };
    let folds = item.word("across", super::fold).is_none() && !item.has("across");
    let worst_is_clear = !matches!(when, Comparison::Equals | Comparison::Outside);
    let own_fold = function.facts().across.is_some();
    if folds && !worst_is_clear && !own_fold {
        let message = format!("`{}` with `when: equals` or `outside` needs `across`", function.name());
        let help = "say how several series of one identity become one number: across: max";
        notes.error("across-needed", item.at("when"), message, help);
    }
}

/// A recover value beyond the threshold would be good and bad at once.
fn recover(item: Obj<'_>, notes: &mut Notes) {
    let part = item.sub("recover");
    let (Some(when), Some(good), Some(lowest)) =
        (item.word("when", super::comparison), part.threshold("value"), levels(item).last().copied())
    else {
        return;
    };
    let at = part.at("value");
    shape(when, good, at, notes);
    if is_beyond(when, good, lowest.threshold) {
        let message = format!("`recover` is beyond the threshold of {}: good and bad at once", lowest.severity.code());
        notes.error("recover-beyond", at, message, "put it on the good side of the lowest severity's value");
    }
}

/// Whether a recover value lies on the bad side of a threshold.
pub(super) fn is_beyond(when: Comparison, good: Threshold, bad: Threshold) -> bool {
    match (when, good, bad) {
        (Comparison::Above | Comparison::AtLeast, Threshold::One(good), Threshold::One(bad)) => good > bad,
        (Comparison::Below | Comparison::AtMost, Threshold::One(good), Threshold::One(bad)) => good < bad,
        (Comparison::Outside, Threshold::Range(low, high), Threshold::Range(bad_low, bad_high)) => {
            low < bad_low || high > bad_high
        }
        _ => false,
    }
}
