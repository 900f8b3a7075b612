//! Conditions on labels, compiled.
//!
//! The idea: regular expressions are compiled once for a rule set; whether labels fit is then a look-up and a match. A
//! label that is not there is the empty string.

use regex::Regex;

use crate::model::{Labels, Matcher, Test};

/// Conditions that must all hold.
#[derive(Debug, Clone, Default)]
pub struct Checks(Vec<Check>);

#[derive(Debug, Clone)]
struct Check {
    label: String,
    wanted: bool,
    test: Want,
}

#[derive(Debug, Clone)]
enum Want {
    Text(String),
    Pattern(Regex),
}

impl Checks {
    /// Compiles them.
    pub fn of(matchers: &[Matcher]) -> Self {
        Self(matchers.iter().map(check).collect())
    }

    /// Whether all hold.
    pub fn fit(&self, labels: &Labels) -> bool {
        self.0.iter().all(|check| {
            let value = labels.get(&check.label).unwrap_or("");
            let fits = match &check.test {
                Want::Text(text) => text == value,
                Want::Pattern(pattern) => pattern.is_match(value),
            };
            fits == check.wanted
        })
    }
}

/// Compiles a pattern. One that does not compile (checked long before) fits nothing.
pub fn pattern_or_nothing(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|_| Regex::new("[^\\s\\S]").expect("a class of nothing is a valid pattern"))
}

fn check(matcher: &Matcher) -> Check {
    let test = match matcher.test {
        Test::Is | Test::IsNot => Want::Text(matcher.value.clone()),
        Test::Fits | Test::FitsNot => Want::Pattern(pattern_or_nothing(&format!("^(?s:{})$", matcher.value))),
    };
    Check { label: matcher.label.clone(), wanted: matches!(matcher.test, Test::Is | Test::Fits), test }
}
