//! Expectations and happenings in words, for whoever looks for the difference.
//!
//! The idea: what was expected is shown by the keys of its file, so that it can be found there and put right; what
//! happened is shown in one line beside it. What fits what is not known here.

use std::fmt::Display;

use crate::config::{Told, What, Which};
use crate::model::wire::twelve_digits;
use crate::model::{Channel, Labels, Page, Severity, State, ack_code};
use crate::time::show_duration;

use super::seen::{Of, Seen, Thing};

/// An expectation as its file has it.
pub(super) fn asked(what: &What) -> String {
    let mut all = Keys::default();
    match what {
        What::Signal { which, from, to, severity, value, unknown, ended } => {
            all.which("signal", which);
            all.put("from", from.map(State::word));
            all.put("to", to.map(State::word));
            all.put("severity", severity.map(Severity::code));
            all.put("value", *value);
            all.put("unknown", unknown.map(|cause| cause.map_or("none", |cause| cause.word())));
            all.put("ended", ended.map(|ended| ended.word()));
        }
        What::Incident { which, state, severity, number } => {
            all.which("incident", which);
            all.put("state", state.as_ref());
            all.put("severity", severity.map(Severity::code));
            all.put("number", number.as_ref());
        }
        What::Page(told) => all.page("page", told),
        What::Arrival(told) => all.page("arrival", told),
        What::Outcome { page, result } => {
            all.page("outcome", page);
            all.put("result", result.as_ref());
        }
    }
    all.0.join(", ")
}

/// `key: value`, one after the other; what was not asked for is left out.
#[derive(Default)]
struct Keys(Vec<String>);

impl Keys {
    fn put(&mut self, key: &str, value: Option<impl Display>) {
        self.0.extend(value.map(|value| format!("{key}: {value}")));
    }

    fn labels(&mut self, labels: &Labels) {
        let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        self.put("labels", (!pairs.is_empty()).then(|| format!("{{ {} }}", pairs.join(", "))));
    }

    fn which(&mut self, kind: &str, which: &Which) {
        self.put(kind, Some(&which.rule));
        self.labels(&which.labels);
    }

    fn page(&mut self, kind: &str, told: &Told) {
        self.put(kind, Some(told.to.as_deref().unwrap_or("anybody")));
        self.put("channel", told.channel.map(Channel::word));
        self.put("reason", told.reason.map(|reason| reason.word()));
        self.put("step", told.step);
        self.put("text", told.text.as_ref().map(|text| format!("{text:?}")));
        self.put("form", told.form.as_ref());
        self.put("bytes", told.bytes);
        self.put("severity", told.severity.map(Severity::code));
        self.put("rule", told.rule.as_ref());
        self.labels(&told.labels);
    }
}

/// What happened, in one line.
pub(super) fn show(seen: &Seen) -> String {
    let at = show_duration(seen.at);
    match &seen.thing {
        Thing::Signal(s) => {
            let unknown = s.unknown.map(|cause| format!(" unknown({})", cause.word())).unwrap_or_default();
            let (rule, labels, from, to) = (&s.rule, &s.labels, s.from.word(), s.to.word());
            let severity = s.severity.map(|severity| format!(" {}", severity.code())).unwrap_or_default();
            let value = s.value.map(|value| format!(" value {}", twelve_digits(value))).unwrap_or_default();
            let ended = s.ended.map(|ended| format!(" ended({})", ended.word())).unwrap_or_default();
            format!("at {at}, signal {rule}{labels} {from} → {to}{severity}{value}{unknown}{ended}")
        }
        Thing::Incident(i) => {
            format!("at {at}, incident {} {}{} {} {}", i.id, i.rule, i.labels, i.state.word(), i.severity.code())
        }
        Thing::Page(of) => format!("at {at}, page {}", show_page(of)),
        Thing::Arrival(of) => format!("at {at}, arrival {}", show_page(of)),
        Thing::Outcome(of, outcome) => {
            format!("at {at}, outcome {} {}: {}", outcome.word(), outcome.detail(), show_page(of))
        }
    }
}

fn show_page(of: &Of<Page>) -> String {
    let p = &of.page;
    let what = format!("to {} by {}, {} step {}", p.to, p.channel.word(), p.reason.word(), p.step);
    format!("{what}, {} {}{}: {}", p.severity.code(), of.rule, of.labels, plain_text(p))
}

/// A page's text without the mark of its one-time code, which no scenario knows.
pub(super) fn plain_text(page: &Page) -> String {
    ack_code::fill(&page.text, &page.incident, page.occurrence, None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_is_shown_by_the_keys_of_its_file() {
        let which = Which { rule: "vm-cpu".to_owned(), labels: Labels::new([("host", "웹-02")]), pick: None };
        let (to, severity) = (Some(State::Firing), Some(Severity::S1));
        let signal =
            What::Signal { which, from: None, to, severity, value: Some(0.5), unknown: Some(None), ended: None };
        let wanted = "signal: vm-cpu, labels: { host: 웹-02 }, to: firing, severity: S1, value: 0.5, unknown: none";
        assert_eq!(asked(&signal), wanted);
    }
}
