//! The tables that say what an edited file may hold: keys, types, units, defaults and doc text.
//!
//! The idea: one table is read three ways, as the reader's list of keys ([`super::read`]), as a JSON Schema for editors
//! ([`schema`]) and as the key reference in `--help` ([`reference`]), so the three cannot drift apart.
//! A table knows shapes only; what keys mean together is checked where they become typed values.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::model::FUNCTIONS;
use crate::time::{self, Ms};

/// The keys of one map.
#[derive(Debug)]
pub(super) struct Table {
    /// What it is called in messages, for example `rule`.
    pub name: &'static str,
    /// One sentence.
    pub doc: &'static str,
    /// Its keys, in the order in which people would write them.
    pub keys: &'static [Key],
}

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether it has to be there.
    pub need: Need,
    /// What it does, one line.
    pub doc: &'static str,
    /// Words that may stand in place of the value; whoever reads the file spreads them before this table is asked.
    pub short: &'static [&'static str],
}

/// Whether a key has to be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Need {
    /// It has.
    Must,
    /// It may be left out.
    May,
    /// Left out, it is this, as one would write it.
    Default(&'static str),
}

/// What a key takes.
#[derive(Debug)]
pub(super) enum Kind {
    /// Any text.
    Text,
    /// An id.
    Id,
    /// The name of a metric or label.
    Name,
    /// A label's value: any scalar as written.
    Label,
    /// `true` or `false`.
    Bool,
    /// A whole number in a range.
    Int(i64, i64),
    /// A length of time in a range, ms.
    Duration(Ms, Ms),
    /// A length of time that may be negative.
    Shift,
    /// A number in base units.
    Number,
    /// A number, or `[low, high]`.
    Threshold,
    /// Bytes in a range.
    Size(i64, i64),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A phone number.
    Phone,
    /// An e-mail address.
    Mail,
    /// A day or an instant.
    Date,
    /// `address:port`.
    Listen,
    /// A regular expression.
    Regex,
    /// `v`, `!=v`, `=~re` or `!~re`.
    Matcher,
    /// A window function.
    Function,
    /// Values of a scenario series.
    Values,
    /// `{ n: up|down }`.
    Partition,
    /// A stretch of the day: see [`super::interval`].
    Stretch,
    /// `hold`, `resolve` or `raise: S3`.
    Then,
    /// A map with the keys of a table.
    Table(&'static Table),
    /// A list, with at least so many items.
    List(&'static Kind, usize),
    /// A map with free keys (label names).
    Map(&'static Kind),
    /// A map of texts whose keys may be anything.
    Texts,
    /// A length of time as Prometheus writes it.
    Length,
    /// Anything: its own reader judges it.
    Any,
}

/// A key that has to be there.
pub(super) const fn must(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, need: Need::Must, doc, short: &[] }
}

/// A key that may be left out.
pub(super) const fn may(name: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, need: Need::May, doc, short: &[] }
}

/// A key with a default.
pub(super) const fn or(name: &'static str, default: &'static str, kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, need: Need::Default(default), doc, short: &[] }
}

/// A key that may be left out, or be one of `short` instead of its value.
pub(super) const fn brief(name: &'static str, short: &'static [&'static str], kind: Kind, doc: &'static str) -> Key {
    Key { name, kind, need: Need::May, doc, short }
}

impl Table {
    /// Whether `name` is a key here, or in a table below.
    pub(super) fn knows(&self, name: &str) -> bool {
        let below = |kind: &Kind| match kind {
            Kind::Table(table) | Kind::List(Kind::Table(table), _) => table.knows(name),
            _ => false,
        };
        self.keys.iter().any(|key| key.name == name || below(&key.kind))
    }

    /// Looks a key up.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Kind {
    /// What would have been right, for messages: "needs …".
    pub(super) fn wanted(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Id => "an id: letters, digits, `-`, `_` and `.`, at most 64".to_owned(),
            Self::Name => "a name: letters, digits, `_`, `.`, `-`, `/`".to_owned(),
            Self::Label => "text or a number".to_owned(),
            Self::Bool => "`true` or `false`".to_owned(),
            Self::Int(min, i64::MAX) => format!("a whole number from {min} on"),
            Self::Int(min, max) => format!("a whole number from {min} to {max}"),
            Self::Duration(..) => "a duration such as `30s`, `5m`, `1h30m`".to_owned(),
            Self::Shift => "a duration with a sign, such as `+1h` or `-30s`".to_owned(),
            Self::Number => "a number such as `0.9`, `90%`, `10GiB`, `1/s`".to_owned(),
            Self::Threshold => "a number such as `0.9`, `90%`, `10GiB`, or a range `[low, high]`".to_owned(),
            Self::Size(..) => "a size such as `512MiB` or `10GB`".to_owned(),
            Self::Word(words) => format!("one of {}", words.join(", ")),
            Self::Phone => "a phone number such as \"010-0000-0001\"".to_owned(),
            Self::Mail => "an e-mail address such as name@example.test".to_owned(),
            Self::Date => "a date such as 2026-01-31 or 2026-01-31 09:00".to_owned(),
            Self::Listen => "an address with a port, such as 127.0.0.1:9480".to_owned(),
            Self::Regex => "a regular expression".to_owned(),
            Self::Matcher => "`value`, `!=value`, `=~regex` or `!~regex`".to_owned(),
            Self::Values => "values such as \"0.5x30 1+2x3 _\"".to_owned(),
            Self::Partition => "`{ n: up }` or `{ n: down }`".to_owned(),
            Self::Stretch => {
                "a stretch of the day such as \"09:00-18:00\" or { start_time: \"09:00\", end_time: \"18:00\" }"
                    .to_owned()
            }
            Self::Function => format!("one of {}", functions().join(", ")),
            Self::Then => "`hold`, `resolve` or `{ raise: S3 }`".to_owned(),
            Self::Table(table) => format!("a map ({})", names(table)),
            Self::List(..) => "a list".to_owned(),
            Self::Map(_) => "a map".to_owned(),
            Self::Texts => "a map of texts".to_owned(),
            Self::Length => "a duration such as `30s`, `5m`, `1h30m`, `1d`".to_owned(),
            Self::Any => "anything".to_owned(),
        }
    }

    /// A short word for the key reference.
    fn word(&self) -> String {
        match self {
            Self::Int(min, i64::MAX) => format!("number ≥ {min}"),
            Self::Int(min, max) => format!("number {min}..{max}"),
            Self::Duration(min, max) if *max == Ms::MAX => format!("duration ≥ {}", time::show_duration(*min)),
            Self::Duration(min, max) => {
                format!("duration {}..{}", time::show_duration(*min), time::show_duration(*max))
            }
            Self::Word(words) => words.join("|"),
            Self::List(kind, _) => format!("list of {}", kind.word()),
            Self::Map(kind) => format!("map of {}", kind.word()),
            Self::Table(_) => "map".to_owned(),
            Self::Text => "text".to_owned(),
            Self::Id => "id".to_owned(),
            Self::Name => "name".to_owned(),
            Self::Label => "label".to_owned(),
            Self::Bool => "true|false".to_owned(),
            Self::Shift => "±duration".to_owned(),
            Self::Number => "number".to_owned(),
            Self::Threshold => "number or [low, high]".to_owned(),
            Self::Size(..) => "size".to_owned(),
            Self::Phone => "phone".to_owned(),
            Self::Mail => "e-mail".to_owned(),
            Self::Date => "date".to_owned(),
            Self::Listen => "address:port".to_owned(),
            Self::Regex => "regex".to_owned(),
            Self::Matcher => "matcher".to_owned(),
            Self::Values => "values".to_owned(),
            Self::Partition => "{n: up|down}".to_owned(),
            Self::Stretch => "HH:MM-HH:MM or {start_time, end_time}".to_owned(),
            Self::Function => functions().join("|"),
            Self::Then => "hold|resolve|{raise: S3}".to_owned(),
            Self::Texts => "map of text".to_owned(),
            Self::Length => "duration".to_owned(),
            Self::Any => "any".to_owned(),
        }
    }

    fn schema(&self) -> Value {
        match self {
            Self::Label | Self::Matcher => json!({"type": ["string", "number", "boolean"]}),
            Self::Id => json!({"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}),
            Self::Name => json!({"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_./:-]*$"}),
            Self::Bool => json!({"type": "boolean"}),
            // 1_000 is a number to the reader and a text to YAML 1.2, which editors follow.
            Self::Int(min, max) => {
                let whole = match *max {
                    i64::MAX => json!({"type": "integer", "minimum": min}),
                    max => json!({"type": "integer", "minimum": min, "maximum": max}),
                };
                json!({"anyOf": [whole, {"type": "string", "pattern": "^-?[0-9]+(_[0-9]+)+$"}]})
            }
            Self::Duration(..) => json!({"type": "string", "pattern": "^(0|([0-9]+(ms|s|m|h|d|w))+)$"}),
            Self::Shift => json!({"type": "string", "pattern": "^[+-]?([0-9]+(ms|s|m|h|d|w))+$"}),
            Self::Number | Self::Size(..) => json!({"type": ["number", "string"]}),
            Self::Threshold => json!({"oneOf": [
                {"type": ["number", "string"]},
                {"type": "array", "items": {"type": ["number", "string"]}, "minItems": 2, "maxItems": 2},
            ]}),
            Self::Word(words) => json!({"enum": words}),
            Self::Values => json!({"type": ["string", "number"]}),
            Self::Partition => json!({"type": "object", "patternProperties": {"^[0-9]+$": {"enum": ["up", "down"]}},
                "additionalProperties": false, "minProperties": 1, "maxProperties": 1}),
            Self::Stretch => {
                let time = "([01][0-9]|2[0-3]):[0-5][0-9]|24:00";
                let end = json!({"type": "string", "pattern": format!("^({time})$")});
                json!({"oneOf": [
                    {"type": "string", "pattern": format!("^({time}) *- *({time})$")},
                    {"type": "object", "properties": {"start_time": end, "end_time": end},
                        "required": ["start_time", "end_time"], "additionalProperties": false},
                ]})
            }
            Self::Function => json!({"anyOf": [
                {"enum": functions().iter().filter(|name| name.bytes().all(|b| b.is_ascii_lowercase())).collect::<Vec<_>>()},
                {"type": "string", "pattern": "^p[0-9]{1,2}([.][0-9]{1,4})?$"},
                {"type": "string", "pattern": "^forecast[(]([0-9]+(ms|s|m|h|d|w))+[)]$"},
            ]}),
            Self::Mail => json!({"type": "string", "format": "email"}),
            Self::Then => json!({"oneOf": [{"enum": ["hold", "resolve"]}, {
                "type": "object", "properties": {"raise": {"enum": ["S1", "S2", "S3", "S4"]}},
                "required": ["raise"], "additionalProperties": false,
            }]}),
            Self::Table(table) => object(table),
            Self::List(kind, min) => json!({"type": "array", "items": kind.schema(), "minItems": min}),
            Self::Map(kind) => json!({"type": "object", "additionalProperties": kind.schema()}),
            Self::Any => json!({}),
            Self::Texts => json!({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}),
            Self::Length => json!({"type": "string", "pattern": "^(0|([0-9]+(ms|s|m|h|d|w|y))+)$"}),
            _ => json!({"type": "string"}),
        }
    }
}

/// Window functions by name; `NN` and `T` stand for arguments.
pub(super) fn functions() -> Vec<&'static str> {
    FUNCTIONS.iter().map(|(_, facts)| facts.name).collect()
}

fn names(table: &Table) -> String {
    table.keys.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
}

fn object(table: &Table) -> Value {
    let mut properties = serde_json::Map::new();
    for key in table.keys {
        let mut value = match key.short {
            [] => key.kind.schema(),
            words => json!({"anyOf": [{"enum": words}, key.kind.schema()]}),
        };
        if let Some(object) = value.as_object_mut() {
            object.insert("description".to_owned(), Value::from(key.doc));
            if let Need::Default(text) = key.need {
                // A default that is JSON keeps its type, everything else is text.
                let default = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
                object.insert("default".to_owned(), default);
            }
        }
        properties.insert(key.name.to_owned(), value);
    }
    let required: Vec<&str> = table.keys.iter().filter(|key| key.need == Need::Must).map(|key| key.name).collect();
    json!({
        "type": "object",
        "description": table.doc,
        "properties": properties,
        "required": required,
        "additionalProperties": false,
    })
}

/// The table as a JSON Schema (draft-07, which is what editors validate with).
pub(super) fn schema(table: &Table) -> Value {
    let mut schema = object(table);
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), Value::from("http://json-schema.org/draft-07/schema#"));
        object.insert("title".to_owned(), Value::from(table.name));
    }
    schema
}

/// The table as text for `--help`: one key a line, nested keys indented.
pub(super) fn reference(table: &Table) -> String {
    let mut out = format!("{}: {}\n", table.name, table.doc);
    list(table, 1, &mut out);
    out
}

fn list(table: &Table, depth: usize, out: &mut String) {
    for key in table.keys {
        let need = match key.need {
            Need::Must => ", required".to_owned(),
            Need::May => String::new(),
            Need::Default(text) => format!(", default {text}"),
        };
        let indent = "  ".repeat(depth);
        let short = if key.short.is_empty() { String::new() } else { format!("{} or ", key.short.join("|")) };
        let _ = writeln!(out, "{indent}{}: <{short}{}{need}> {}", key.name, key.kind.word(), key.doc);
        match &key.kind {
            Kind::Table(inner) | Kind::List(Kind::Table(inner), _) => list(inner, depth + 1, out),
            _ => {}
        }
    }
}
