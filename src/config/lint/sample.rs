//! Rules against recorded traffic: names that never come, conditions that nothing fits, how many instances there are.
//!
//! The idea: a recording (`bongsu record`) is read once by the decoder that the service uses, and what counts is kept:
//! every series, and every set of labels under which lines came. Each rule is then asked what it would have seen.
//! Nothing is estimated; the figures are those of the recording.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

use super::super::near::nearest;
use super::exprs::sample::identities;
use super::site::{View, matchers, metric as watched};
use super::{Found, Look, check};
use crate::decode::{Decoder, Limits, recorded};
use crate::evaluate::prometheus_labels;
use crate::evaluate::promql::{self, NAME};
use crate::model::{Decoded, Inventory, Kind, Labels, Matcher, Rule, Test, Watch};
use crate::time::Ms;

/// Lines longer than this are no records: a record may have 1 MiB, its recorded form somewhat more.
const LINE_MAX: usize = 4 << 20;

/// Why a recording cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    /// It cannot be read.
    #[error("{0}: {1}\n  = help: name a file as `bongsu record` writes it")]
    Read(String, std::io::Error),
    /// It holds nothing to compare with.
    #[error("{0}: no record could be used ({1} refused)\n  = help: name a file as `bongsu record` writes it")]
    Empty(String, usize),
}

/// What came in a recording.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Records with numbers or lines.
    pub records: usize,
    /// Lines of the file that could not be used.
    pub refused: usize,
    /// Label sets by metric, what the inventory joins included.
    series: BTreeMap<String, BTreeSet<Labels>>,
    /// Series as expressions see them, and how often each came.
    heard: BTreeMap<Labels, Heard>,
    /// Distinct log lines: labels and text.
    lines: BTreeMap<Labels, BTreeSet<String>>,
}

/// How often a series came.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// Times of its first and last sample.
    first: Ms,
    last: Ms,
    /// Its samples.
    samples: Ms,
}

impl Heard {
    /// The distance of its samples, ms; `None` of fewer than three.
    pub(super) fn pace(&self) -> Option<Ms> {
        (self.samples >= 3).then(|| (self.last - self.first) / (self.samples - 1))
    }
}

/// What a rule would have seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Its id.
    pub rule: String,
    /// Series, or sets of labels of lines, that fit it.
    pub series: usize,
    /// Instances.
    pub identities: usize,
}

impl Traffic {
    /// Reads the recording at `path`; labels are joined with `inventory` as the service does it.
    ///
    /// # Errors
    /// Where it cannot be read, or holds no record that can be used.
    pub fn read(path: &Path, inventory: &Inventory) -> Result<Self, TrafficError> {
        use std::io::BufRead as _;
        let name = path.display().to_string();
        let file = std::fs::File::open(path).map_err(|why| TrafficError::Read(name.clone(), why))?;
        let mut traffic = Self::default();
        let mut decoder = Decoder::new(Limits::default());
        let mut out = Decoded::default();
        for line in std::io::BufReader::new(file).split(b'\n') {
            let line = line.map_err(|why| TrafficError::Read(name.clone(), why))?;
            traffic.line(&line, &mut decoder, &mut out, inventory);
        }
        if traffic.records == 0 {
            return Err(TrafficError::Empty(name, traffic.refused));
        }
        Ok(traffic)
    }

    fn line(&mut self, line: &[u8], decoder: &mut Decoder, out: &mut Decoded, inventory: &Inventory) {
        if line.iter().all(u8::is_ascii_whitespace) {
            return;
        }
        let text = std::str::from_utf8(line).ok().filter(|text| text.len() <= LINE_MAX);
        let Some(record) = text.and_then(|text| recorded(text).ok()) else {
            self.refused += 1;
            return;
        };
        if record.pulse || record.state.is_some() {
            return;
        }
        let append = record.place.as_ref().map(|place| place.at).or(record.ts).unwrap_or(0);
        decoder.decode(append, &record.key, &record.body, out);
        match out.kind {
            Kind::Pulse => return,
            Kind::Rejected => {
                self.refused += 1;
                return;
            }
            Kind::Data => self.records += 1,
        }
        for key in out.shape.iter().flat_map(|shape| &shape.series) {
            let labels = inventory.join(&key.labels);
            self.series.entry(key.name.to_string()).or_default().insert(labels);
        }
        self.hear(out, inventory);
        if !out.lines.is_empty() {
            let seen = self.lines.entry(inventory.join(&out.labels)).or_default();
            seen.extend(out.lines.iter().map(|line| line.text.clone()));
        }
    }

    /// Takes the samples of a record as the matchers of expressions see them.
    fn hear(&mut self, out: &Decoded, inventory: &Inventory) {
        let Some(shape) = &out.shape else { return };
        for key in &shape.series {
            let (labels, time) = (inventory.join(&prometheus_labels(key)), out.ts);
            let heard = self.heard.entry(labels).or_insert(Heard { first: time, last: time, samples: 0 });
            (heard.first, heard.last) = (heard.first.min(time), heard.last.max(time));
            heard.samples += 1;
        }
    }

    /// The series as expressions see them.
    pub(super) fn heard(&self) -> impl Iterator<Item = (&Labels, &Heard)> {
        self.heard.iter()
    }

    /// The names of all metrics as expressions see them.
    pub(super) fn names(&self) -> BTreeSet<&str> {
        self.heard.keys().filter_map(|labels| labels.get(NAME)).collect()
    }

    /// What an expression would have seen.
    fn count_expr(&self, rule: &Rule, text: &str) -> Counted {
        let Ok(expr) = promql::parse(text) else {
            return Counted { rule: rule.id.to_string(), series: 0, identities: 0 };
        };
        let leaves = expr.selectors();
        let fits =
            |labels: &&Labels| leaves.iter().any(|leaf| leaf.matchers.iter().all(|matcher| matcher.accepts(labels)));
        let series = self.heard.keys().filter(fits).count();
        Counted { rule: rule.id.to_string(), series, identities: identities(&expr, self) }
    }

    /// What `rule` would have seen.
    pub fn count(&self, rule: &Rule) -> Counted {
        if let Watch::Expr { text } = &rule.watch {
            return self.count_expr(rule, text);
        }
        let fitting = self.fitting(rule);
        let identity = |labels: &&Labels| match &rule.by {
            None => (*labels).clone(),
            Some(by) => Labels::new(by.iter().map(|label| (label.as_str(), labels.get(label).unwrap_or("")))),
        };
        let identities: BTreeSet<Labels> = fitting.iter().map(identity).collect();
        Counted { rule: rule.id.to_string(), series: fitting.len(), identities: identities.len() }
    }

    /// The label sets that a rule could look at before its conditions.
    fn all(&self, rule: &Rule) -> Vec<&Labels> {
        match watched(rule) {
            Some(name) => self.series.get(name).into_iter().flatten().collect(),
            None => self.lines.keys().collect(),
        }
    }

    fn fitting(&self, rule: &Rule) -> Vec<&Labels> {
        let tests: Vec<(&Matcher, Option<Regex>)> =
            matchers(rule).iter().map(|matcher| (matcher, compiled(matcher))).collect();
        let pattern = if let Watch::Log { pattern: Some(pattern), .. } = &rule.watch { Some(pattern) } else { None };
        let pattern = pattern.and_then(|pattern| Regex::new(pattern).ok());
        let spoken = |labels: &Labels| {
            let Some(pattern) = &pattern else { return true };
            self.lines.get(labels).is_some_and(|lines| lines.iter().any(|line| pattern.is_match(line)))
        };
        let fits = |labels: &Labels| tests.iter().all(|(matcher, regex)| holds(matcher, regex.as_ref(), labels));
        self.all(rule).into_iter().filter(|labels| fits(labels) && spoken(labels)).collect()
    }
}

fn compiled(matcher: &Matcher) -> Option<Regex> {
    matches!(matcher.test, Test::Fits | Test::FitsNot).then(|| Regex::new(&format!("^(?s:{})$", matcher.value)).ok())?
}

fn holds(matcher: &Matcher, regex: Option<&Regex>, labels: &Labels) -> bool {
    let value = labels.get(&matcher.label).unwrap_or("");
    match matcher.test {
        Test::Is => value == matcher.value,
        Test::IsNot => value != matcher.value,
        Test::Fits => regex.is_some_and(|regex| regex.is_match(value)),
        Test::FitsNot => regex.is_some_and(|regex| !regex.is_match(value)),
    }
}

/// "did you mean", over words that really came.
pub(super) fn advice(name: &str, words: &BTreeSet<&str>) -> String {
    let list: Vec<&str> = words.iter().copied().collect();
    match nearest(name, &list) {
        Some(near) => format!("did you mean `{near}`?"),
        None if list.len() <= 12 && !list.is_empty() => format!("there are: {}", list.join(", ")),
        None => format!("the recording has {} names", list.len()),
    }
}

check!(METRIC, "sample-metric", Warning, Look::Sample(metric),
    what: "The metric never comes in the recording.",
    why: "The rule has nothing to look at. It is as silent as a healthy one, and nobody can tell the two apart.",
    repair: "Take the name that comes, or see to it that somebody sends it.");

fn metric(view: &View<'_>, traffic: &Traffic, found: &mut Found) {
    if let Some(name) = view.metric().filter(|name| !traffic.series.contains_key(*name)) {
        let words = traffic.series.keys().map(String::as_str).collect();
        found.say(view.item.at("metric"), format!("`{name}` never comes"), advice(name, &words));
    }
}

/// Labels that come with what a rule looks at; empty where nothing comes.
fn labels<'t>(view: &View<'_>, traffic: &'t Traffic) -> BTreeSet<&'t str> {
    traffic.all(view.rule).into_iter().flat_map(|labels| labels.iter().map(|(name, _)| name)).collect()
}

check!(LABEL, "sample-label", Warning, Look::Sample(label),
    what: "A condition asks for a label that none of the series in the recording has.",
    why: "A label that is not there is the empty string: the condition fits nothing, or everything.",
    repair: "Take the label that comes.");

fn label(view: &View<'_>, traffic: &Traffic, found: &mut Found) {
    let words = labels(view, traffic);
    let conditions = view.conditions().get("match").map_or(&[][..], |node| node.entries());
    for entry in conditions.iter().filter(|entry| !words.is_empty() && !words.contains(entry.key.as_str())) {
        found.say(entry.at, format!("no series has the label `{}`", entry.key), advice(&entry.key, &words));
    }
}

check!(BY, "sample-by", Warning, Look::Sample(by),
    what: "`by` names a label that none of the series in the recording has.",
    why: "All instances melt into one: the page says that some disk is full, and not which.",
    repair: "Take the label that comes.");

fn by(view: &View<'_>, traffic: &Traffic, found: &mut Found) {
    let words = labels(view, traffic);
    for node in view.item.list("by").iter().filter(|_| !words.is_empty()) {
        if let Some(label) = node.as_text().filter(|label| !words.contains(label)) {
            found.say(node.at, format!("no series has the label `{label}`"), advice(label, &words));
        }
    }
}

check!(NOTHING, "sample-nothing", Warning, Look::Sample(nothing),
    what: "The metric or the lines come, and nothing of it fits the conditions.",
    why: "A value is misspelt, or the thing that the rule is for is no longer there. Either way it watches nothing.",
    repair: "Compare the values under `match` with those that come.");

fn nothing(view: &View<'_>, traffic: &Traffic, found: &mut Found) {
    let matchers = matchers(view.rule);
    let all = traffic.all(view.rule);
    let words = labels(view, traffic);
    // A label that is missing has been said already; of a log pattern that fits nothing one is glad.
    if matchers.is_empty() || all.is_empty() || matchers.iter().any(|matcher| !words.contains(matcher.label.as_str())) {
        return;
    }
    let tests: Vec<(&Matcher, Option<Regex>)> = matchers.iter().map(|matcher| (matcher, compiled(matcher))).collect();
    if all.iter().any(|labels| tests.iter().all(|(matcher, regex)| holds(matcher, regex.as_ref(), labels))) {
        return;
    }
    let alone = tests.iter().find(|(matcher, regex)| !all.iter().any(|labels| holds(matcher, regex.as_ref(), labels)));
    let entries = view.conditions().get("match").map_or(&[][..], |node| node.entries());
    let label =
        alone.map_or_else(|| tests.first().map(|(matcher, _)| matcher.label.as_str()), |(m, _)| Some(m.label.as_str()));
    let entry = entries.iter().find(|entry| Some(entry.key.as_str()) == label);
    let Some(entry) = entry else { return };
    let values: BTreeSet<&str> = all.iter().filter_map(|labels| labels.get(&entry.key)).collect();
    let help = advice(entry.value.as_text().unwrap_or(""), &values);
    found.say(entry.value.at, format!("{} series come, none fits", all.len()), help);
}
