//! The functions of templates: one table, [`FUNCTIONS`].
//!
//! The idea: a function is a name, how many arguments it takes, and a pure `fn(&[Value], &Scene)`. To add one, write it
//! below and give it a line in the table; parser, help and tests read the table. `and` and `or` stand in it too, but
//! are carried out by `run`, which stops at the first argument that decides.

use std::ops::Range;

use regex::Regex;

use super::value::Value;
use super::{Problem, Scene, human, print, printf};

type Answer = Result<Value, String>;

/// A function.
pub(super) struct Function {
    /// Its name.
    pub name: &'static str,
    /// Fewest arguments.
    pub least: usize,
    /// Most arguments.
    pub most: usize,
    /// What it does.
    pub run: fn(&[Value], &Scene<'_>) -> Answer,
}

const fn function(name: &'static str, least: usize, most: usize, run: fn(&[Value], &Scene<'_>) -> Answer) -> Function {
    Function { name, least, most, run }
}

const MANY: usize = usize::MAX;

/// Every function.
pub(super) static FUNCTIONS: &[Function] = &[
    // Go's own.
    function("and", 1, MANY, |args, _| Ok(args.last().cloned().unwrap_or(Value::Nil))),
    function("or", 1, MANY, |args, _| Ok(args.last().cloned().unwrap_or(Value::Nil))),
    function("not", 1, 1, |args, _| Ok(Value::Bool(!args.iter().all(Value::is_true)))),
    function("len", 1, 1, |args, _| length(&args[0])),
    function("index", 1, MANY, |args, _| index(args)),
    function("print", 0, MANY, |args, _| print_all(args)),
    function("println", 0, MANY, |args, _| print_line(args)),
    function("printf", 1, MANY, |args, _| Ok(Value::Text(printf::printf(args[0].to_text()?, &args[1..])?))),
    function("urlquery", 0, MANY, |args, _| escaped(args)),
    function("eq", 2, MANY, |args, _| equal(args)),
    function("ne", 2, 2, |args, _| Ok(Value::Bool(!same(&args[0], &args[1])?))),
    function("lt", 2, 2, |args, _| Ok(Value::Bool(less(&args[0], &args[1])?))),
    function("le", 2, 2, |args, _| Ok(Value::Bool(less(&args[0], &args[1])? || same(&args[0], &args[1])?))),
    function("gt", 2, 2, |args, _| Ok(Value::Bool(!(less(&args[0], &args[1])? || same(&args[0], &args[1])?)))),
    function("ge", 2, 2, |args, _| Ok(Value::Bool(!less(&args[0], &args[1])?))),
    // Prometheus's.
    function("query", 1, 1, |args, scene| Ok(Value::Vector((scene.query)(args[0].to_text()?)?))),
    function("first", 1, 1, |args, _| first(&args[0])),
    function("value", 1, 1, |args, _| Ok(Value::Float(sample(&args[0])?.1))),
    function("label", 2, 2, |args, _| label(args[0].to_text()?, &args[1])),
    function("strvalue", 1, 1, |args, _| label("__value__", &args[0])),
    function("sortByLabel", 2, 2, |args, _| sorted(args[0].to_text()?, &args[1])),
    function("humanize", 1, 1, |args, _| human(&args[0], human::humanize)),
    function("humanize1024", 1, 1, |args, _| human(&args[0], human::humanize1024)),
    function("humanizeDuration", 1, 1, |args, _| human(&args[0], human::duration)),
    function("humanizePercentage", 1, 1, |args, _| human(&args[0], human::percentage)),
    function("humanizeTimestamp", 1, 1, |args, _| Ok(Value::Text(human::timestamp(args[0].to_float()?)?))),
    function("title", 1, 1, |args, _| Ok(Value::Text(title(args[0].to_text()?)))),
    function("toUpper", 1, 1, |args, _| Ok(Value::Text(args[0].to_text()?.to_uppercase()))),
    function("toLower", 1, 1, |args, _| Ok(Value::Text(args[0].to_text()?.to_lowercase()))),
    function("match", 2, 2, |args, _| Ok(Value::Bool(regex(&args[0])?.is_match(args[1].to_text()?)))),
    function("reReplaceAll", 3, 3, |args, _| replace(args)),
    function("stripPort", 1, 1, |args, _| Ok(Value::Text(strip_port(args[0].to_text()?)))),
    function("urlQueryEscape", 1, 1, |args, _| escaped(args)),
    function("parseDuration", 1, 1, |args, _| seconds(args[0].to_text()?)),
    function("safeHtml", 1, 1, |args, _| Ok(Value::Text(args[0].to_text()?.to_owned()))),
    function("externalURL", 0, 0, |_, scene| Ok(Value::Text(scene.external_url.to_owned()))),
    function("pathPrefix", 0, 0, |_, scene| Ok(Value::Text(path_of(scene.external_url)))),
    function("graphLink", 1, 1, |args, _| link(&args[0], 0)),
    function("tableLink", 1, 1, |args, _| link(&args[0], 1)),
];

/// Functions that Prometheus has and this does not.
const ELSEWHERE: &[&str] =
    &["args", "tmpl", "stripDomain", "toTime", "toDuration", "now", "html", "js", "call", "slice"];

/// The function called `name`.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Refuses a function that is not there.
pub(super) fn known(name: &str, at: &Range<usize>) -> Result<(), Problem> {
    if find(name).is_some() {
        return Ok(());
    }
    if ELSEWHERE.contains(&name) {
        return Err(Problem::new(at.clone(), format!("function `{name}` is not taken here")).help("say it without it"));
    }
    let near = nearest(name, FUNCTIONS.iter().map(|function| function.name));
    let help =
        near.map_or_else(|| "$labels and $value begin with a `$`".to_owned(), |near| format!("did you mean `{near}`?"));
    Err(Problem::new(at.clone(), format!("function `{name}` is not defined")).help(help))
}

/// The word that is one or two edits from `name`.
pub(super) fn nearest<'w>(name: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let far = |word: &str| {
        // Length of what is left once the common beginning and end are gone: enough for a slip of the keyboard.
        let (a, b): (Vec<char>, Vec<char>) =
            (name.to_lowercase().chars().collect(), word.to_lowercase().chars().collect());
        let front = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
        let back = a[front..].iter().rev().zip(b[front..].iter().rev()).take_while(|(x, y)| x == y).count();
        a.len().max(b.len()) - front - back
    };
    words.map(|word| (far(word), word)).filter(|(far, word)| *far <= 2 && *far < word.len()).min().map(|(_, word)| word)
}

fn length(value: &Value) -> Answer {
    let count = match value {
        Value::Text(text) => text.len(),
        Value::Labels(labels) => labels.len(),
        Value::Vector(elements) => elements.len(),
        other => return Err(format!("{} has no length", other.kind())),
    };
    Ok(Value::Int(i64::try_from(count).unwrap_or(i64::MAX)))
}

fn index(args: &[Value]) -> Answer {
    let mut value = args.first().cloned().unwrap_or(Value::Nil);
    for key in args.iter().skip(1) {
        value = match (&value, key) {
            (Value::Labels(labels), Value::Text(name)) => Value::Text(labels.get(name).unwrap_or("").to_owned()),
            (Value::Vector(elements), Value::Int(n)) => {
                let found = usize::try_from(*n).ok().and_then(|n| elements.get(n));
                let (labels, value) = found.ok_or_else(|| format!("there is no element {n}"))?;
                Value::Sample(labels.clone(), *value)
            }
            (value, key) => return Err(format!("{} has no element by {}", value.kind(), key.kind())),
        };
    }
    Ok(value)
}

/// As Go's `Sprint`: a blank between two neighbours of which neither is a text.
fn print_all(args: &[Value]) -> Answer {
    let mut out = String::new();
    for (n, arg) in args.iter().enumerate() {
        let text = |value: Option<&Value>| matches!(value, Some(Value::Text(_)));
        if n > 0 && !text(Some(arg)) && !text(args.get(n - 1)) {
            out.push(' ');
        }
        out.push_str(&print::value(arg)?);
    }
    Ok(Value::Text(out))
}

fn print_line(args: &[Value]) -> Answer {
    let parts: Result<Vec<String>, String> = args.iter().map(print::value).collect();
    Ok(Value::Text(parts?.join(" ") + "\n"))
}

fn equal(args: &[Value]) -> Answer {
    let mut found = false;
    for other in args.iter().skip(1) {
        found = found || same(&args[0], other)?;
    }
    Ok(Value::Bool(found))
}

/// Whether two values of one kind are equal; of two kinds is a mistake, as in Go.
#[expect(clippy::float_cmp, reason = "`eq` compares exactly")]
fn same(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
        (Value::Int(a), Value::Int(b)) => Ok(a == b),
        (Value::Float(a), Value::Float(b)) => Ok(a == b),
        (Value::Text(a), Value::Text(b)) => Ok(a == b),
        (Value::Nil, other) | (other, Value::Nil) => Ok(*other == Value::Nil),
        _ => Err(unlike(a, b)),
    }
}

fn less(a: &Value, b: &Value) -> Result<bool, String> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Ok(a < b),
        (Value::Float(a), Value::Float(b)) => Ok(a < b),
        (Value::Text(a), Value::Text(b)) => Ok(a < b),
        _ => Err(unlike(a, b)),
    }
}

fn unlike(a: &Value, b: &Value) -> String {
    let hint = match (a, b) {
        (Value::Int(_), Value::Float(_)) | (Value::Float(_), Value::Int(_)) => {
            "; write the whole number with a point, as 5.0"
        }
        _ => "",
    };
    format!("{} and {} cannot be compared{hint}", a.kind(), b.kind())
}

fn first(value: &Value) -> Answer {
    match value {
        Value::Vector(elements) => match elements.first() {
            Some((labels, value)) => Ok(Value::Sample(labels.clone(), *value)),
            None => Err("the query has no answer, so there is no first element".to_owned()),
        },
        other => Err(format!("`first` is asked of a query's answer, this is {}", other.kind())),
    }
}

fn sample(value: &Value) -> Result<(&crate::model::Labels, f64), String> {
    match value {
        Value::Sample(labels, value) => Ok((labels, *value)),
        Value::Vector(_) => Err("one element is needed, this is a query's whole answer; use `first`".to_owned()),
        other => Err(format!("an element of a query's answer is needed, this is {}", other.kind())),
    }
}

fn label(name: &str, value: &Value) -> Answer {
    Ok(Value::Text(sample(value)?.0.get(name).unwrap_or("").to_owned()))
}

fn sorted(name: &str, value: &Value) -> Answer {
    let Value::Vector(elements) = value else {
        return Err(format!("`sortByLabel` is asked of a query's answer, this is {}", value.kind()));
    };
    let mut elements = elements.clone();
    elements.sort_by(|(a, _), (b, _)| a.get(name).unwrap_or("").cmp(b.get(name).unwrap_or("")));
    Ok(Value::Vector(elements))
}

fn human(value: &Value, show: fn(f64) -> String) -> Answer {
    Ok(Value::Text(show(value.to_float()?)))
}

/// The first letter of every word as a capital; letters, digits and `_` make words.
fn title(text: &str) -> String {
    let mut inside = false;
    let mut out = String::new();
    for c in text.chars() {
        if inside {
            out.push(c);
        } else {
            out.extend(c.to_uppercase());
        }
        inside = c == '_' || c.is_alphanumeric() || (!c.is_ascii() && !c.is_whitespace());
    }
    out
}

fn regex(pattern: &Value) -> Result<Regex, String> {
    /// Compiled size: a pattern above it is no text of a message.
    const COMPILED_MAX: usize = 1 << 20;
    let pattern = pattern.to_text()?;
    let built = regex::RegexBuilder::new(pattern).size_limit(COMPILED_MAX).build();
    built.map_err(|_| format!("`{pattern}` is no regular expression"))
}

fn replace(args: &[Value]) -> Answer {
    let pattern = regex(&args[0])?;
    Ok(Value::Text(pattern.replace_all(args[2].to_text()?, args[1].to_text()?).into_owned()))
}

/// `host:port` without the port; anything else as it is.
fn strip_port(text: &str) -> String {
    let plain = |host: &str| !host.contains([':', '[', ']']);
    match text.rsplit_once(':') {
        Some((host, _)) if plain(host) => host.to_owned(),
        Some((host, _)) => match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(host) if !host.contains(['[', ']']) => host.to_owned(),
            _ => text.to_owned(),
        },
        None => text.to_owned(),
    }
}

fn escaped(args: &[Value]) -> Answer {
    let parts: Result<Vec<String>, String> = args.iter().map(print::value).collect();
    Ok(Value::Text(query_escape(&parts?.concat())))
}

/// As in a URL's query: a blank is `+`, what is not plain is `%XX`.
fn query_escape(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn seconds(text: &str) -> Answer {
    let length = crate::time::parse_duration(text).ok_or_else(|| format!("`{text}` is no duration"))?;
    #[expect(clippy::cast_precision_loss, reason = "a duration of 285 years is still exact")]
    let seconds = length as f64 / 1_000.0;
    Ok(Value::Float(seconds))
}

/// The path of a URL, without a `/` at its end.
fn path_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("", |at| &rest[at..]);
    path.split(['?', '#']).next().unwrap_or("").to_owned()
}

fn link(expression: &Value, tab: u8) -> Answer {
    Ok(Value::Text(format!("/graph?g0.expr={}&g0.tab={tab}", query_escape(expression.to_text()?))))
}
