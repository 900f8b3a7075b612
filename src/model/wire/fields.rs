//! Reading and writing one JSON object field by field: the small tools of the codecs beside this file.
//!
//! The idea: an optional field is absent or right, never null and never of another type, so that every reader rejects
//! garbage without saying so at each field.

use serde_json::{Map, Value};

/// An object being written.
#[derive(Default)]
pub(super) struct Writer(Map<String, Value>);

impl Writer {
    /// Starts with one field.
    pub(super) fn new(name: &str, value: impl Into<Value>) -> Self {
        Self::default().put(name, value)
    }

    /// Adds a field.
    pub(super) fn put(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    /// Adds a field where there is something to add.
    pub(super) fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.put(name, value),
            None => self,
        }
    }

    /// Adds `name` for people (12 significant digits; text where it is not finite) and `bits`, its 64 bits in hex:
    /// decimal digits would cost the last bit on the way back, and a replayed ledger must hash the same.
    pub(super) fn number(self, name: &str, value: Option<f64>) -> Self {
        let Some(value) = value else { return self };
        let shown =
            serde_json::Number::from_f64(twelve_digits(value)).map_or_else(|| value.to_string().into(), Value::Number);
        self.put(name, shown).put("bits", format!("{:016x}", value.to_bits()))
    }

    /// The object.
    pub(super) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// `value` rounded to 12 significant digits: how numbers are printed in JSON.
pub fn twelve_digits(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

/// An object being read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a>(&'a Map<String, Value>);

impl<'a> Reader<'a> {
    /// `None` unless `value` is an object.
    pub(super) fn new(value: &'a Value) -> Option<Self> {
        value.as_object().map(Self)
    }

    /// A field of any kind.
    pub(super) fn get(self, name: &str) -> Option<&'a Value> {
        self.0.get(name)
    }

    /// A text.
    pub(super) fn text(self, name: &str) -> Option<&'a str> {
        self.get(name)?.as_str()
    }

    /// A text of one's own.
    pub(super) fn string(self, name: &str) -> Option<String> {
        self.text(name).map(str::to_owned)
    }

    /// An integer.
    pub(super) fn int(self, name: &str) -> Option<i64> {
        self.get(name)?.as_i64()
    }

    /// A truth value.
    pub(super) fn flag(self, name: &str) -> Option<bool> {
        self.get(name)?.as_bool()
    }

    /// A word of a closed list.
    pub(super) fn word<T>(self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        parse(self.text(name)?)
    }

    /// `Some(None)` where the field is absent, `None` where it is there and `read` rejects it.
    pub(super) fn maybe<T>(self, name: &str, read: impl Fn(Self, &str) -> Option<T>) -> Option<Option<T>> {
        match self.get(name) {
            None => Some(None),
            Some(_) => read(self, name).map(Some),
        }
    }

    /// An integer that may be absent.
    pub(super) fn maybe_int(self, name: &str) -> Option<Option<i64>> {
        self.maybe(name, Self::int)
    }

    /// A word that may be absent.
    pub(super) fn maybe_word<T>(self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
        self.maybe(name, |reader, name| reader.word(name, &parse))
    }

    /// What [`Writer::number`] wrote.
    pub(super) fn number(self, name: &str) -> Option<Option<f64>> {
        if self.get(name).is_none() {
            return Some(None);
        }
        let bits = self.text("bits").filter(|hex| hex.len() == 16)?;
        u64::from_str_radix(bits, 16).ok().map(|bits| Some(f64::from_bits(bits)))
    }

    /// A list of which every element must be readable.
    pub(super) fn list<T>(self, name: &str, read: impl Fn(&'a Value) -> Option<T>) -> Option<Vec<T>> {
        self.get(name)?.as_array()?.iter().map(read).collect()
    }
}
