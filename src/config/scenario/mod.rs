//! `scenarios:`: what happens on a virtual clock, and what must come of it, as typed values.
//!
//! The idea: everything is said here, series expanded, times in ms from the virtual epoch 0, verbs as an enum, so that
//! the runner only plays it through the pipeline. Nothing here runs anything.

mod action;
mod expect;
mod feed;
mod own;
mod read;
mod reload;
mod series;
mod table;
mod timeline;
mod verb;

pub use own::Hours;
pub(super) use own::own;
pub(super) use read::{Known, scenarios};
pub(super) use reload::brought;
pub(super) use table::SCENARIOS;
pub use verb::{Answer, ClockOf, Code, Fate, Hush, Reload, Verb};

use std::sync::Arc;

use crate::model::{
    Cause, Chain, Channel, Contact, Ended, InhibitRule, Inventory, Labels, Reason, Rota, Rule, Severity, SlaPlan,
    State, Window,
};
use crate::time::Ms;

/// One scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Scenario {
    /// Its name, unique in its file.
    pub name: String,
    /// The file it stands in.
    pub file: String,
    /// The line it begins on.
    pub line: usize,
    /// The instant at which its clock stands at 0; `None` = the usual Monday morning.
    pub start: Option<Ms>,
    /// How long it runs on at least, ms; `None` = to the last thing that comes in or is expected.
    pub until: Option<Ms>,
    /// Partitions of the log; `None` = one, or as many as the configuration has where one is named.
    pub partitions: Option<i32>,
    /// Whether the engine's own rules run, as in the service.
    pub builtins: bool,
    /// Whether the promises are asked after, too: the audit that simulated worlds are held to.
    pub promises: bool,
    /// Whether what cannot be done (nothing is there, it is refused) is no mistake.
    pub lenient: bool,
    /// Limits in place of the configuration's.
    pub limits: Limits,
    /// What comes in.
    pub feed: Vec<Feed>,
    /// What people and the world do, in file order.
    pub actions: Vec<Action>,
    /// What must come of it.
    pub expect: Vec<Expect>,
    /// Of these kinds nothing else may happen.
    pub exact: Vec<Kind>,
    /// What its file brings along; the rest comes from the configuration.
    pub own: Arc<Own>,
}

/// Limits in place of the configuration's; `None` = as there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Series in all.
    pub series: Option<usize>,
    /// Series of one rule.
    pub series_per_rule: Option<usize>,
    /// Open incidents.
    pub open_incidents: Option<usize>,
    /// Pages a person and hour.
    pub pages_per_hour: Option<usize>,
    /// New incidents a minute in one blast domain before they are a storm.
    pub storm: Option<usize>,
}

/// What a scenario file brings along; `None` = the configuration's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Own {
    /// Rules of the same file, sorted by id.
    pub rules: Option<Vec<Rule>>,
    /// Contacts.
    pub contacts: Option<Vec<Contact>>,
    /// Who of these contacts takes turns; `None` where there are none of its own.
    pub rotas: Option<Vec<Rota>>,
    /// Chains.
    pub chains: Option<Vec<Chain>>,
    /// Service levels.
    pub sla: Option<SlaPlan>,
    /// Resources.
    pub inventory: Option<Inventory>,
    /// Rules of inhibition.
    pub inhibit: Option<Vec<InhibitRule>>,
    /// Planned work.
    pub maintenance: Option<Vec<Window>>,
    /// Of the calendar.
    pub hours: Hours,
}

/// What comes in.
#[derive(Debug, Clone, PartialEq)]
pub enum Feed {
    /// Samples of one series, the first at `from`.
    Series {
        /// Metric name.
        name: String,
        /// Labels.
        labels: Labels,
        /// Time of the first sample, ms.
        from: Ms,
        /// Distance of samples, ms.
        every: Ms,
        /// The samples; `None` = missing. Series that stand for many hosts share them.
        values: Arc<[Option<f64>]>,
        /// How far the source's clock is ahead, ms.
        skew: Ms,
        /// How long each sample is under way, ms.
        late: Ms,
    },
    /// One log line.
    Line {
        /// Labels of its record.
        labels: Labels,
        /// When, ms.
        at: Ms,
        /// Level, empty where none was given.
        level: String,
        /// The text.
        text: String,
    },
    /// One record as it is, whatever it may be.
    Record {
        /// When, ms.
        at: Ms,
        /// Its key.
        key: String,
        /// Its value; `{ts}` stands for its time.
        text: String,
    },
}

/// What somebody or something does.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// When, ms.
    pub at: Ms,
    /// The line it stands on, for a failure's place.
    pub line: usize,
    /// What.
    pub verb: Verb,
}

/// An incident as a scenario names it: by rule and identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Which {
    /// Rule id.
    pub rule: String,
    /// Labels that its identity has, at least these.
    pub labels: Labels,
    /// Of those that fit and are not closed the one at this place, counted round, of whatever rule where that is [`ANY`];
    /// `None` = the newest.
    pub pick: Option<usize>,
}

/// In place of a rule or a contact, beside `pick`: whichever.
pub const ANY: &str = "any";

/// Kinds of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Signals.
    Signal,
    /// Changes of incidents.
    Incident,
    /// Pages.
    Page,
    /// What became of pages.
    Outcome,
    /// Messages that reached a phone or a mailbox.
    Arrival,
}

impl Kind {
    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "signal" => Some(Self::Signal),
            "incident" => Some(Self::Incident),
            "page" => Some(Self::Page),
            "outcome" => Some(Self::Outcome),
            "arrival" => Some(Self::Arrival),
            _ => None,
        }
    }
}

/// What must come of it; fields that are `None` are not compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// When, ms.
    pub at: Ms,
    /// Until when at the latest, ms; `at` where it must be then.
    pub until: Ms,
    /// How often in that time, at least and at most; `None` = it is one thing that must be among what happens.
    pub count: Option<(usize, usize)>,
    /// The line it stands on, for a failure's place.
    pub line: usize,
    /// What.
    pub what: What,
}

/// A result.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A signal.
    Signal {
        /// Of which instance.
        which: Which,
        /// State before.
        from: Option<State>,
        /// State after.
        to: Option<State>,
        /// Severity.
        severity: Option<Severity>,
        /// Value, compared to 12 digits.
        value: Option<f64>,
        /// Why nothing is known; `Some(None)`: it is known.
        unknown: Option<Option<Cause>>,
        /// Why it ended.
        ended: Option<Ended>,
    },
    /// An incident's state.
    Incident {
        /// Which.
        which: Which,
        /// open, acked, resolved or closed.
        state: Option<String>,
        /// Severity.
        severity: Option<Severity>,
        /// Its number.
        number: Option<String>,
    },
    /// A page's decision.
    Page(Told),
    /// What became of a page.
    Outcome {
        /// Which page.
        page: Told,
        /// accepted, delivered, failed, unknown or resent.
        result: Option<String>,
    },
    /// A message reached a phone or a mailbox.
    Arrival(Told),
}

/// A page as a scenario names it.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// To whom (contact id); `None` = anybody.
    pub to: Option<String>,
    /// On which channel.
    pub channel: Option<Channel>,
    /// Why.
    pub reason: Option<Reason>,
    /// At which step.
    pub step: Option<i64>,
    /// Part of its text.
    pub text: Option<String>,
    /// sms, lms, mms or mail.
    pub form: Option<String>,
    /// Length of its text, as carriers count.
    pub bytes: Option<usize>,
    /// Severity.
    pub severity: Option<Severity>,
    /// Rule of its incident.
    pub rule: Option<String>,
    /// Labels of its incident, at least these.
    pub labels: Labels,
}
