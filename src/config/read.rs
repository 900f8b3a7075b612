//! Reads a marked tree by its table: every problem with its place, then typed values.
//!
//! The idea: [`check`] walks the whole tree once against the table and notes what does not fit; [`Obj`] then gives
//! typed values and stays silent about what does not fit, because it was noted already. So reading never stops, and no
//! mistake is reported twice. What values mean together is not known here.

use super::interval;
use super::near::nearest;
use super::problem::{Mark, Notes};
use super::scalar;
use super::shapes::{partition, shift, then};
use super::table::{self, Kind, Need, Table};
use super::tree::{Data, Entry, Node, Style, shorten};
use crate::model::{Function, Labels, Matcher, Test, Then, Threshold};
use crate::time::{self, Ms};

/// Notes everything in `node` that `table` does not allow.
pub(super) fn check(node: &Node, table: &'static Table, notes: &mut Notes) {
    match &node.data {
        Data::Map(_) => keys(node, table, node.at, notes),
        Data::Null => keys(node, table, node.at, notes),
        _ => wrong(node, &Kind::Table(table), table.name, notes),
    }
}

fn keys(node: &Node, table: &'static Table, at: Mark, notes: &mut Notes) {
    // Problems inside a rule carry its id, however deep they lie.
    let rule = (table.name == "rule").then(|| notes.within(node.get("id").and_then(Node::as_text).map(str::to_owned)));
    for entry in node.entries() {
        match table.key(&entry.key) {
            Some(key) => value(&entry.value, &key.kind, key.name, notes),
            None => unknown(&entry.key, entry.at, table, notes),
        }
    }
    for key in table.keys {
        // What a misspelt key was told to be is not missing, too.
        if key.need == Need::Must
            && node.get(key.name).is_none()
            && !(Obj { table, node: Some(node) }).misspells(&[key.name])
        {
            let help = format!("{}: {}", key.name, key.doc);
            notes.error("missing-key", at, format!("{} without `{}`", table.name, key.name), help);
        }
    }
    if let Some(outer) = rule {
        notes.within(outer);
    }
}

fn unknown(name: &str, at: Mark, table: &Table, notes: &mut Notes) {
    let lower = name.to_ascii_lowercase();
    if ["password", "passwd", "secret", "token", "api_key", "apikey"].iter().any(|word| lower.contains(word)) {
        let help = "put it into a file that only the service may read, and name that file";
        notes.error("inline-secret", at, format!("`{}` looks like a secret", shorten(name)), help);
        return;
    }
    let words: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
    let help = match nearest(name, &words) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{} takes: {}", table.name, words.join(", ")),
    };
    notes.error("unknown-key", at, format!("unknown key `{}` in {}", shorten(name), table.name), help);
}

fn value(node: &Node, kind: &'static Kind, name: &str, notes: &mut Notes) {
    match (kind, &node.data) {
        (Kind::Table(table), Data::Map(_)) => keys(node, table, node.at, notes),
        (Kind::List(item, min), Data::List(items)) => {
            if items.len() < *min {
                notes.error("bad-value", node.at, format!("`{name}` is empty"), format!("it needs at least {min}"));
            }
            items.iter().for_each(|node| value(node, item, name, notes));
        }
        (Kind::Map(item), Data::Map(entries)) => {
            for entry in entries {
                if !scalar::name(&entry.key) {
                    let message = format!("`{}` is no label name", shorten(&entry.key));
                    notes.error("bad-value", entry.at, message, Kind::Name.wanted());
                }
                value(&entry.value, item, &entry.key, notes);
            }
        }
        (Kind::Any, _) => {}
        (Kind::Texts, Data::Map(entries)) => {
            for entry in entries {
                if !matches!(entry.value.data, Data::Scalar { .. } | Data::Null) {
                    wrong(&entry.value, &Kind::Label, &entry.key, notes);
                }
            }
        }
        (Kind::Then, Data::Map(_)) if then(node).is_none() => wrong(node, kind, name, notes),
        (Kind::Then, Data::Map(_)) => {}
        (Kind::Partition, _) if partition(node).is_none() => wrong(node, kind, name, notes),
        (Kind::Partition, _) => {}
        (Kind::Stretch, _) => {
            if let Err((at, why)) = interval::stretch(node) {
                notes.error("bad-interval", at, why, format!("write {}", kind.wanted()));
            }
        }
        (Kind::Threshold, Data::List(items)) => range(node, items, name, notes),
        (Kind::Table(_) | Kind::List(..) | Kind::Map(_) | Kind::Texts, _) => {
            wrong(node, kind, name, notes);
        }
        (_, Data::Scalar { text, style }) => one(node, kind, (text, *style), name, notes),
        (_, _) => wrong(node, kind, name, notes),
    }
}

fn range(node: &Node, items: &[Node], name: &str, notes: &mut Notes) {
    let mut ends = Vec::new();
    for item in items {
        match item.as_text().and_then(scalar::number) {
            Some(end) => ends.push(end),
            None => return wrong(item, &Kind::Number, name, notes),
        }
    }
    match ends.as_slice() {
        [low, high] if low < high => {}
        [_, _] => notes.error("out-of-range", node.at, format!("the range of `{name}` is empty"), "write [low, high]"),
        _ => notes.error("bad-value", node.at, format!("the range of `{name}` needs two ends"), "write [low, high]"),
    }
}

/// One scalar.
fn one(node: &Node, kind: &Kind, (text, style): (&str, Style), name: &str, notes: &mut Notes) {
    let fits = match kind {
        Kind::Text => match scalar::not_text(text).filter(|_| style == Style::Plain && node.at.line > 0) {
            Some(what) => {
                let message = format!("`{name}` needs text, `{}` is {what}", shorten(text));
                return notes.error("wrong-type", node.at, message, format!("put it into quotes: \"{text}\""));
            }
            None => !text.trim().is_empty(),
        },
        Kind::Id => scalar::id(text),
        Kind::Name => scalar::name(text),
        Kind::Bool => matches!(text, "true" | "false"),
        Kind::Int(min, max) => {
            return within(scalar::int(text), (*min, *max), (node, kind, name), notes, |n| n.to_string());
        }
        Kind::Size(min, max) => {
            return within(scalar::size(text), (*min, *max), (node, kind, name), notes, |n| format!("{n} B"));
        }
        Kind::Duration(min, max) => {
            let length = time::parse_duration(text);
            return within(length, (*min, *max), (node, kind, name), notes, time::show_duration);
        }
        Kind::Shift => shift(text).is_some(),
        Kind::Length => scalar::length(text).is_some(),
        Kind::Number | Kind::Threshold => scalar::number(text).is_some(),
        Kind::Word(words) => return word(node, text, words, name, notes),
        Kind::Function => return function(node, text, name, notes),
        Kind::Phone => scalar::phone(text).is_some(),
        Kind::Mail => scalar::mail(text),
        Kind::Date => scalar::instant(text).is_some(),
        Kind::Listen => text.parse::<std::net::SocketAddr>().is_ok(),
        Kind::Regex => return regex(node, text, 0, name, notes),
        Kind::Matcher => {
            let matcher = matcher("", text);
            if matches!(matcher.test, Test::Fits | Test::FitsNot) {
                regex(node, &matcher.value, 2, name, notes);
            }
            true
        }
        Kind::Then => then(node).is_some(),
        _ => true,
    };
    if !fits {
        wrong(node, kind, name, notes);
    }
}

fn function(node: &Node, text: &str, name: &str, notes: &mut Notes) {
    if Function::parse(text).is_some() {
        return;
    }
    let help = if text.starts_with("forecast") {
        "say how far ahead, such as forecast(4h)"
    } else if text.strip_prefix('p').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
        "quantiles go from p0.0001 to p99.9999; min and max are functions of their own"
    } else {
        return word(node, text, &table::functions(), name, notes);
    };
    notes.error("unknown-word", node.at, format!("`{name}` does not take `{}`", shorten(text)), help);
}

fn word(node: &Node, text: &str, words: &[&str], name: &str, notes: &mut Notes) {
    if words.contains(&text) {
        return;
    }
    let help = match nearest(text, words) {
        Some(near) => format!("did you mean `{near}`? It takes {}", words.join(", ")),
        None => format!("it takes {}", words.join(", ")),
    };
    notes.error("unknown-word", node.at, format!("`{name}` does not take `{}`", shorten(text)), help);
}

fn within(
    read: Option<i64>,
    (min, max): (i64, i64),
    (node, kind, name): (&Node, &Kind, &str),
    notes: &mut Notes,
    show: impl Fn(i64) -> String,
) {
    match read {
        None => wrong(node, kind, name, notes),
        Some(n) if n < min => {
            let message = format!("`{name}` of {} is too small", show(n));
            notes.error("out-of-range", node.at, message, format!("it takes {} or more", show(min)));
        }
        Some(n) if n > max => {
            let message = format!("`{name}` of {} is too large", show(n));
            notes.error("out-of-range", node.at, message, format!("it takes {} or less", show(max)));
        }
        Some(_) => {}
    }
}

/// Compiles a pattern; a mistake is reported at its own column, `skip` characters after the scalar's beginning.
fn regex(node: &Node, pattern: &str, skip: usize, name: &str, notes: &mut Notes) {
    /// Compiled size: a pattern above it would cost more memory than all windows of a rule.
    const COMPILED_MAX: usize = 1 << 20;
    let Err(wrong) = regex::RegexBuilder::new(pattern).size_limit(COMPILED_MAX).build() else { return };
    let (offset, why) = match &wrong {
        // The library prints the pattern, a caret below it, and the reason on the last line.
        regex::Error::Syntax(text) => {
            let caret = text.lines().find(|line| line.contains('^') && line.chars().all(|c| matches!(c, ' ' | '^')));
            let offset = caret.and_then(|line| line.find('^')).map_or(0, |at| at.saturating_sub(4));
            (offset, text.lines().last().unwrap_or("").trim_start_matches("error: ").to_owned())
        }
        other => (0, other.to_string()),
    };
    let at = node.inside(skip + offset);
    let help = "regular expressions have no look-around and no back-references here; `\\\\` escapes";
    notes.error("bad-regex", at, format!("`{name}` does not compile: {why}"), help);
}

fn wrong(node: &Node, kind: &Kind, name: &str, notes: &mut Notes) {
    let id = match (&node.data, kind) {
        (Data::Scalar { .. }, Kind::Table(_) | Kind::List(..) | Kind::Map(_) | Kind::Texts) => "wrong-type",
        (Data::Scalar { .. }, _) => "bad-value",
        _ => "wrong-type",
    };
    let message = format!("`{name}` needs {}, found {}", short_want(kind), node.describe());
    notes.error(id, node.at, message, advice(node, kind));
}

/// What to write instead: what was meant, where that can be seen.
fn advice(node: &Node, kind: &Kind) -> String {
    let text = node.as_text().unwrap_or_default();
    match kind {
        Kind::List(..) if !text.is_empty() => format!("write a list: [{}]", shorten(text)),
        Kind::Duration(..) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("the unit is missing: {text}s, {text}m or {text}h")
        }
        Kind::Duration(..) => match scalar::spoken_duration(text) {
            Some(short) => format!("write {short}"),
            None => format!("write {}", kind.wanted()),
        },
        _ => format!("write {}", kind.wanted()),
    }
}

fn short_want(kind: &Kind) -> String {
    let wanted = kind.wanted();
    if matches!(kind, Kind::Partition | Kind::Then) {
        // What follows the first of them is no explanation.
        return wanted;
    }
    wanted.split([':', ',', '(']).next().unwrap_or("").split(" such as").next().unwrap_or("").trim_end().to_owned()
}

/// `v`, `!=v`, `=~re`, `!~re` as a matcher on `label`.
pub(super) fn matcher(label: &str, text: &str) -> Matcher {
    let (test, value) = if let Some(value) = text.strip_prefix("!=") {
        (Test::IsNot, value)
    } else if let Some(value) = text.strip_prefix("=~") {
        (Test::Fits, value)
    } else if let Some(value) = text.strip_prefix("!~") {
        (Test::FitsNot, value)
    } else {
        (Test::Is, text.strip_prefix("==").unwrap_or(text))
    };
    Matcher { label: label.to_owned(), test, value: value.to_owned() }
}

/// A map with its table: typed values by key, defaults from the table, silence about what does not fit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Obj<'a> {
    table: &'static Table,
    node: Option<&'a Node>,
}

impl<'a> Obj<'a> {
    /// Reads `node` by `table`.
    pub(super) fn new(node: &'a Node, table: &'static Table) -> Self {
        Self { table, node: Some(node) }
    }

    /// What is read; `None` where nothing was written.
    pub(super) fn node(&self) -> Option<&'a Node> {
        self.node
    }

    /// The node under `key`.
    pub(super) fn get(&self, key: &str) -> Option<&'a Node> {
        debug_assert!(self.table.key(key).is_some(), "`{key}` is not in the table `{}`", self.table.name);
        self.node.and_then(|node| node.get(key))
    }

    /// Everything that was written in this map.
    pub(super) fn entries(&self) -> &'a [Entry] {
        self.node.map_or(&[], Node::entries)
    }

    /// Whether `key` was written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether an unknown key was told to be one of `keys`: then that one is not missing, too.
    pub(super) fn misspells(&self, keys: &[&str]) -> bool {
        let words: Vec<&str> = self.table.keys.iter().map(|key| key.name).collect();
        let unknown = self.entries().iter().filter(|entry| self.table.key(&entry.key).is_none());
        unknown.filter_map(|entry| nearest(&entry.key, &words)).any(|near| keys.contains(&near))
    }

    /// Where the value of `key` is, or where the map begins.
    pub(super) fn at(&self, key: &str) -> Mark {
        self.get(key).map_or_else(|| self.place(), |node| node.at)
    }

    /// Where the key itself is, or where the map begins.
    pub(super) fn key_at(&self, key: &str) -> Mark {
        let entry = self.node.and_then(|node| node.entries().iter().find(|entry| entry.key == key));
        entry.map_or_else(|| self.place(), |entry| entry.at)
    }

    /// Where the map begins.
    pub(super) fn place(&self) -> Mark {
        self.node.map(|node| node.at).unwrap_or_default()
    }

    /// The text under `key`, or its default.
    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        match self.get(key) {
            Some(node) => node.as_text(),
            None => match self.table.key(key)?.need {
                Need::Default(text) => Some(text),
                _ => None,
            },
        }
    }

    /// As [`Obj::text`], owned.
    pub(super) fn owned(&self, key: &str) -> Option<String> {
        self.text(key).map(str::to_owned)
    }

    /// A word of a closed list.
    pub(super) fn word<T>(&self, key: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.text(key).and_then(parse)
    }

    /// A length of time, ms.
    pub(super) fn duration(&self, key: &str) -> Option<Ms> {
        self.text(key).and_then(time::parse_duration)
    }

    /// A length of time as Prometheus writes it, ms.
    pub(super) fn length(&self, key: &str) -> Option<Ms> {
        self.text(key).and_then(scalar::length)
    }

    /// A length of time with a sign, ms.
    pub(super) fn shift(&self, key: &str) -> Option<Ms> {
        self.text(key).and_then(shift)
    }

    /// A whole number.
    pub(super) fn int(&self, key: &str) -> Option<i64> {
        self.text(key).and_then(scalar::int)
    }

    /// A whole number that cannot be negative; what is out of range was noted.
    pub(super) fn count(&self, key: &str) -> Option<usize> {
        self.int(key).and_then(|n| usize::try_from(n).ok())
    }

    /// Bytes.
    pub(super) fn size(&self, key: &str) -> Option<i64> {
        self.text(key).and_then(scalar::size)
    }

    /// A truth value; absent is `false`.
    pub(super) fn flag(&self, key: &str) -> bool {
        self.text(key) == Some("true")
    }

    /// A day or instant.
    pub(super) fn date(&self, key: &str) -> Option<Ms> {
        self.text(key).and_then(scalar::instant)
    }

    /// A number in base units.
    pub(super) fn number(&self, key: &str) -> Option<f64> {
        self.text(key).and_then(scalar::number)
    }

    /// A number or a range.
    pub(super) fn threshold(&self, key: &str) -> Option<Threshold> {
        let node = self.get(key)?;
        match node.items() {
            [low, high] => {
                let end = |node: &Node| node.as_text().and_then(scalar::number);
                Some(Threshold::Range(end(low)?, end(high)?))
            }
            _ => node.as_text().and_then(scalar::number).map(Threshold::One),
        }
    }

    /// What an unknown does.
    pub(super) fn then(&self, key: &str) -> Option<Then> {
        self.get(key).map_or(Some(Then::Hold), then)
    }

    /// `{ n: up|down }`.
    pub(super) fn partition(&self, key: &str) -> Option<(i32, bool)> {
        self.get(key).and_then(partition)
    }

    /// The map under `key`; where there is none, one with defaults only.
    pub(super) fn sub(&self, key: &str) -> Self {
        match self.table.key(key).map(|key| &key.kind) {
            Some(Kind::Table(table) | Kind::List(Kind::Table(table), _)) => Self { table, node: self.get(key) },
            _ => *self,
        }
    }

    /// The maps of the list under `key`.
    pub(super) fn subs(&self, key: &str) -> impl Iterator<Item = Self> + use<'a> {
        let table = self.sub(key).table;
        self.list(key).iter().filter(|node| matches!(node.data, Data::Map(_))).map(move |node| Self::new(node, table))
    }

    /// The items of the list under `key`.
    pub(super) fn list(&self, key: &str) -> &'a [Node] {
        self.get(key).map_or(&[], Node::items)
    }

    /// The texts of the list under `key`.
    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        self.list(key).iter().filter_map(|node| node.as_text().map(str::to_owned)).collect()
    }

    /// The label map under `key`.
    pub(super) fn labels(&self, key: &str) -> Labels {
        let entries = self.get(key).map_or(&[][..], Node::entries);
        Labels::new(entries.iter().filter_map(|entry| Some((entry.key.as_str(), entry.value.as_text()?))))
    }

    /// The matchers under `key`, sorted by label.
    pub(super) fn matchers(&self, key: &str) -> Vec<Matcher> {
        let entries = self.get(key).map_or(&[][..], Node::entries);
        let mut matchers: Vec<Matcher> =
            entries.iter().filter_map(|entry| Some(matcher(&entry.key, entry.value.as_text()?))).collect();
        matchers.sort_by(|a, b| a.label.cmp(&b.label));
        matchers
    }
}
