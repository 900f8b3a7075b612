//! `scenarios:`: what happens on a virtual clock, and what must come of it, as typed values.
//!
//! The idea: everything is said here, series expanded, times in ms from the virtual epoch 0, verbs as an enum, so that
//! the runner only plays it through the pipeline. Nothing here runs anything.

mod own;
mod read;
mod series;
mod table;

pub(super) use own::own;
pub(super) use read::{Known, scenarios};
pub(super) use table::SCENARIOS;

use std::sync::Arc;

use crate::model::{Chain, Channel, Contact, Inventory, Labels, Reason, Rule, Severity, SlaPlan, State};
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

/// What a scenario file brings along; `None` = the configuration's.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Own {
    /// Rules of the same file, sorted by id.
    pub rules: Option<Vec<Rule>>,
    /// Contacts.
    pub contacts: Option<Vec<Contact>>,
    /// Chains.
    pub chains: Option<Vec<Chain>>,
    /// Service levels.
    pub sla: Option<SlaPlan>,
    /// Resources.
    pub inventory: Option<Inventory>,
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
        /// The samples; `None` = missing.
        values: Vec<Option<f64>>,
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
}

/// What somebody or something does.
#[derive(Debug, Clone, PartialEq)]
pub struct Action {
    /// When, ms.
    pub at: Ms,
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
}

/// What can be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Verb {
    /// Takes an incident.
    Ack {
        /// Which.
        which: Which,
        /// Who.
        by: String,
        /// How long it holds, ms; `None` = the default.
        hold: Option<Ms>,
    },
    /// Gives it back.
    Unack {
        /// Which.
        which: Which,
        /// Who.
        by: String,
    },
    /// Hands it to somebody else.
    Handover {
        /// Which.
        which: Which,
        /// Who.
        by: String,
        /// To whom.
        to: String,
    },
    /// Says it is over.
    Resolve {
        /// Which.
        which: Which,
        /// Who.
        by: String,
    },
    /// Says it is not over.
    Reopen {
        /// Which.
        which: Which,
        /// Who.
        by: String,
    },
    /// Silences what fits.
    Silence {
        /// Labels.
        labels: Labels,
        /// How long, ms.
        length: Ms,
        /// Who.
        by: String,
        /// Why.
        reason: String,
    },
    /// Ends such a silence.
    Expire {
        /// Labels.
        labels: Labels,
    },
    /// What a channel's gateway answers from now on.
    Gateway {
        /// The channel.
        channel: Channel,
        /// The answer.
        answers: Answer,
    },
    /// Reads the configuration again.
    Reload,
    /// Ends in order and starts again.
    Restart,
    /// Is killed and starts again.
    Crash,
    /// The log's clock jumps, ms.
    Clock {
        /// By so much.
        by: Ms,
    },
    /// A partition is there or not.
    Partition {
        /// Which.
        partition: i32,
        /// Whether it is there.
        up: bool,
    },
    /// Another leader takes over.
    Leader,
    /// A delivery report comes for the last page to somebody.
    Receipt {
        /// To whom.
        to: String,
        /// What it says.
        answers: Answer,
    },
}

/// What a gateway answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Taken.
    Ok,
    /// An error of the gateway.
    Error,
    /// Too many.
    Busy,
    /// Nothing.
    Hang,
    /// Taken, but the answer is lost.
    Unknown,
}

impl Answer {
    /// Its words in files, in the order of the enum.
    pub const WORDS: &'static [&'static str] = &["ok", "500", "429", "hang", "unknown"];

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Ok, Self::Error, Self::Busy, Self::Hang, Self::Unknown];
        Self::WORDS.iter().position(|known| *known == word).and_then(|n| all.get(n).copied())
    }
}

/// Kinds of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Signals.
    Signal,
    /// Changes of incidents.
    Incident,
    /// Pages.
    Page,
}

impl Kind {
    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "signal" => Some(Self::Signal),
            "incident" => Some(Self::Incident),
            "page" => Some(Self::Page),
            _ => None,
        }
    }
}

/// What must come of it; fields that are `None` are not compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Expect {
    /// When, ms.
    pub at: Ms,
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
    },
    /// An incident's state.
    Incident {
        /// Which.
        which: Which,
        /// open, acked, resolved or closed.
        state: Option<String>,
        /// Severity.
        severity: Option<Severity>,
    },
    /// A page's decision.
    Page {
        /// To whom (contact id).
        to: String,
        /// On which channel.
        channel: Option<Channel>,
        /// Why.
        reason: Option<Reason>,
        /// At which step.
        step: Option<i64>,
        /// Part of its text.
        text: Option<String>,
    },
}
