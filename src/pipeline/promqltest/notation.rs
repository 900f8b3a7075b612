//! How a script writes series: `metric{a="b"} 1 2+3x4 _ stale`.
//!
//! The idea: the name and labels are a selector that fixes everything, so PromQL's own reader reads them; values are
//! expanded as promtool expands them: `axn` is n + 1 samples, `_` none, `stale` the end of the series.

use crate::evaluate::promql::{Compare, What, parse, stale};
use crate::model::Labels;

/// A series and the text of its values.
pub(super) fn series(line: &str) -> Result<(Labels, &str), String> {
    let end = end_of_name(line).ok_or_else(|| format!("`{line}` names no series"))?;
    let (name, values) = line.split_at(end);
    let bare: String = name.chars().filter(|c| !c.is_whitespace()).collect();
    if bare == "{}" {
        return Ok((Labels::default(), values));
    }
    let expr = parse(name).map_err(|problem| format!("`{name}`: {problem}"))?;
    let What::Select(selector) = &expr.root().what else { return Err(format!("`{name}` is no series")) };
    if selector.matchers.iter().any(|matcher| matcher.compare != Compare::Equal) {
        return Err(format!("`{name}` names more than one series"));
    }
    let set = selector.matchers.iter().filter(|matcher| !matcher.value.is_empty());
    Ok((Labels::new(set.map(|matcher| (matcher.name.as_str(), matcher.value.as_str()))), values))
}

/// What of a line's name and labels is outside of the language that is answered.
pub(super) fn outside(line: &str) -> Option<&'static str> {
    let name = line.get(..end_of_name(line)?)?;
    parse(name).err()?.construct
}

/// Where name and labels end: behind the `}` that closes them, or at the first blank.
fn end_of_name(line: &str) -> Option<usize> {
    let word = line.find(|c: char| c.is_whitespace() || c == '{').unwrap_or(line.len());
    let tail = line.get(word..)?.trim_start();
    if !tail.starts_with('{') || tail.starts_with("{{") {
        return if word == 0 { None } else { Some(word) };
    }
    let mut quote = None;
    let mut escaped = false;
    for (n, c) in line.char_indices().skip_while(|(n, _)| *n < word) {
        match quote {
            Some(mark) if c == mark && !escaped => quote = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            None if c == '}' => return Some(n + 1),
            None => {}
        }
        escaped = c == '\\' && !escaped && quote.is_some_and(|mark| mark != '`');
    }
    None
}

/// The values of a series; `None` is a time without a sample. Errors: the name of what is not read.
pub(super) fn values(text: &str) -> Result<Vec<Option<f64>>, &'static str> {
    if text.contains("{{") {
        return Err("native histogram");
    }
    let mut out = Vec::new();
    for word in text.split_whitespace() {
        item(word, &mut out).ok_or("series notation")?;
    }
    Ok(out)
}

fn item(word: &str, out: &mut Vec<Option<f64>>) -> Option<()> {
    const MOST: usize = 10_000_000;
    let (body, times) = match word.rsplit_once('x') {
        Some((body, times)) => (body, Some(times.parse::<usize>().ok().filter(|times| *times < MOST)?)),
        None => (word, None),
    };
    if body == "_" {
        out.extend(std::iter::repeat_n(None, times.unwrap_or(1)));
        return Some(());
    }
    if body == "stale" {
        out.extend(std::iter::repeat_n(Some(stale()), times.map_or(1, |times| times + 1)));
        return Some(());
    }
    let (start, step) = match number(body) {
        Some(start) => (start, 0.0),
        None => start_and_step(body).filter(|_| times.is_some())?,
    };
    let mut value = start;
    for _ in 0..=times.unwrap_or(0) {
        out.push(Some(value));
        value += step;
    }
    Some(())
}

/// `a+b` or `a-b`, where the sign of an exponent is none.
fn start_and_step(body: &str) -> Option<(f64, f64)> {
    body.char_indices().skip(1).filter(|(_, c)| matches!(c, '+' | '-')).find_map(|(n, sign)| {
        let step = number(body.get(n + 1..)?)?;
        Some((number(body.get(..n)?)?, if sign == '-' { -step } else { step }))
    })
}

/// A number with or without a sign.
pub(super) fn number(text: &str) -> Option<f64> {
    let plain = text.strip_prefix(['+', '-']).unwrap_or(text);
    let known = matches!(plain.to_ascii_lowercase().as_str(), "inf" | "nan");
    if known || plain.starts_with(|c: char| c.is_ascii_digit() || c == '.') { text.parse().ok() } else { None }
}

/// The native histogram that a classic bucket belongs to.
pub(super) fn native_of(labels: &Labels) -> Option<Labels> {
    let name = labels.get("__name__")?.strip_suffix("_bucket")?;
    let rest = labels.iter().filter(|(label, _)| *label != "le" && *label != "__name__");
    Some(Labels::new(rest.chain([("__name__", name)])))
}
