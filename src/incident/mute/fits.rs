//! Matchers as they are asked of an incident, and what an incident answers.
//!
//! The idea: an incident answers to its own labels, to those that the inventory joins by `host`, and to a few names of
//! its own: `rule`, `severity`, `domain` (or `구간`), `incident`, `drill`. A label that nobody has is the empty text,
//! as everywhere. Regular expressions are anchored at both ends.

use regex::Regex;

use crate::model::{Domain, Incident, Inventory, Labels, Matcher, Severity, Test};

/// Compiled size of one pattern at most.
const COMPILED_MAX: usize = 1 << 20;
/// Texts that a pattern of everything fits, and hardly another one.
const PROBES: [&str; 5] = ["", "a", "Z-9", "10.0", "가 나"];

/// One matcher.
#[derive(Debug, Clone)]
struct Fit {
    label: String,
    test: Test,
    value: String,
    pattern: Option<Regex>,
}

/// Matchers that must all fit.
#[derive(Debug, Clone, Default)]
pub struct Fits(Vec<Fit>);

impl Fits {
    /// Compiles `matchers`.
    ///
    /// # Errors
    /// A pattern is no regular expression: one sentence.
    pub fn new(matchers: &[Matcher]) -> Result<Self, String> {
        matchers.iter().map(Fit::new).collect::<Result<_, _>>().map(Self)
    }

    /// Compiles `matchers` to be asked of labels alone: names and values mean nothing but themselves.
    ///
    /// # Errors
    /// A pattern is no regular expression: one sentence.
    pub(super) fn bare(matchers: &[Matcher]) -> Result<Self, String> {
        let fits = matchers.iter().map(|it| Fit::of(it.label.clone(), it.test, it.value.clone()));
        fits.collect::<Result<_, _>>().map(Self)
    }

    /// Whether all fit; no matcher fits anything.
    pub fn fit(&self, subject: &Subject<'_>) -> bool {
        self.0.iter().all(|fit| fit.takes(subject.get(&fit.label)))
    }

    /// Whether nothing is asked that some incident would not fulfil.
    pub fn is_broad(&self) -> bool {
        self.0.iter().all(Fit::takes_all)
    }

    /// Whether `label` is asked to be exactly `value`.
    pub(super) fn names(&self, label: &str, value: &str) -> bool {
        self.0.iter().any(|fit| fit.label == label && fit.test == Test::Is && fit.value == value)
    }
}

impl Fit {
    fn new(matcher: &Matcher) -> Result<Self, String> {
        let label = if matcher.label == "구간" { "domain".to_owned() } else { matcher.label.clone() };
        // People may write severities in Korean.
        let korean = Severity::ALL.into_iter().find(|severity| severity.word() == matcher.value);
        let value = match korean {
            Some(severity) if label == "severity" => severity.code().to_owned(),
            _ => matcher.value.clone(),
        };
        Self::of(label, matcher.test, value)
    }

    fn of(label: String, test: Test, value: String) -> Result<Self, String> {
        let build = |value: &str| {
            let built = regex::RegexBuilder::new(&format!("^(?s:{value})$")).size_limit(COMPILED_MAX).build();
            built.map_err(|_| format!("`{label}{}{value}` 정규식이 아닙니다", test.sign()))
        };
        let pattern = matches!(test, Test::Fits | Test::FitsNot).then(|| build(&value)).transpose()?;
        Ok(Self { label, test, value, pattern })
    }

    fn takes(&self, value: &str) -> bool {
        let fits = || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(value));
        match self.test {
            Test::Is => self.value == value,
            Test::IsNot => self.value != value,
            Test::Fits => fits(),
            Test::FitsNot => !fits(),
        }
    }

    /// Whether it turns nearly nothing away: whatever lacks the label passes, or every word of a closed list does.
    fn takes_all(&self) -> bool {
        match self.label.as_str() {
            "severity" => Severity::ALL.iter().all(|severity| self.takes(severity.code())),
            "domain" => Domain::ALL.iter().all(|domain| self.takes(domain.word())),
            // Every incident has these, so a pattern of at least one character is one of everything, too.
            "rule" | "incident" => PROBES.iter().skip(1).all(|probe| self.takes(probe)),
            _ => self.takes("") || PROBES.iter().skip(1).all(|probe| self.takes(probe)),
        }
    }
}

/// An incident as matchers see it.
#[derive(Debug)]
pub struct Subject<'a> {
    /// `None`: labels alone are asked.
    incident: Option<&'a Incident>,
    labels: Labels,
}

impl<'a> Subject<'a> {
    /// `incident` with what `inventory` knows of its host.
    pub fn new(incident: &'a Incident, inventory: &Inventory) -> Self {
        Self { incident: Some(incident), labels: inventory.join(&incident.labels) }
    }

    /// What has labels and nothing else.
    pub(super) fn bare(labels: &Labels) -> Self {
        Self { incident: None, labels: labels.clone() }
    }

    /// What it answers to `label`; empty where it has no such label.
    pub fn get(&self, label: &str) -> &str {
        let own = self.incident.and_then(|incident| match label {
            "rule" => Some(&*incident.rule),
            "severity" => Some(incident.severity.code()),
            "domain" | "구간" => Some(incident.domain.word()),
            "incident" => Some(incident.id.as_str()),
            "drill" if incident.is_drill() => Some("true"),
            _ => None,
        });
        own.or_else(|| self.labels.get(label)).unwrap_or_default()
    }
}
