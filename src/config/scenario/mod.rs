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

pub(super) use own::own;
pub(super) use read::{Known, scenarios};
pub(super) use reload::brought;
pub(super) use table::SCENARIOS;

use std::path::PathBuf;
use std::sync::Arc;

use crate::model::{
    Cause, Chain, Channel, Contact, DrillAsk, Ended, InhibitRule, Inventory, Labels, Matcher, Reason, Rota, Rule,
    Severity, SlaPlan, State, Window,
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

/// A one-time code, as somebody has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Of the newest pages.
    Newest,
    /// One that was used.
    Used,
    /// Of another occurrence of the incident.
    Expired,
}

impl Code {
    /// Its words in files, in the order of the enum.
    pub const WORDS: &'static [&'static str] = &["newest", "used", "expired"];

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Newest, Self::Used, Self::Expired];
        Self::WORDS.iter().position(|known| *known == word).and_then(|n| all.get(n).copied())
    }
}

/// A silence that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hush {
    /// What it mutes; all must fit.
    pub matchers: Vec<Matcher>,
    /// It begins so much later, ms.
    pub after: Ms,
    /// Its length from then, ms.
    pub length: Ms,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Who shall approve it.
    pub approver: Option<String>,
    /// The silence whose place it takes: of all there ever were the one at this place, counted round.
    pub replaces: Option<usize>,
    /// Whoever asks was shown that it would have hidden something of S1.
    pub hides_s1: bool,
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
        /// What they noted.
        note: String,
        /// By a code; `None` = as somebody who is known.
        code: Option<Code>,
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
        /// What they noted.
        note: String,
        /// How long it holds from now on, ms; `None` = as long as before.
        hold: Option<Ms>,
    },
    /// Says it is over.
    Resolve {
        /// Which.
        which: Which,
        /// Who.
        by: String,
        /// What they noted.
        note: String,
    },
    /// Says it is not over.
    Reopen {
        /// Which.
        which: Which,
        /// Who.
        by: String,
    },
    /// Starts a drill.
    Drill(DrillAsk),
    /// Silences what fits.
    Silence(Hush),
    /// Ends such a silence.
    Expire {
        /// Its matchers, at least these.
        matchers: Vec<Matcher>,
        /// Of those that fit, over or not, the one at this place, counted round; `None` = the newest that is not over.
        pick: Option<usize>,
        /// Who.
        by: String,
    },
    /// The second approver of such a silence says yes.
    Approve {
        /// Its matchers, at least these.
        matchers: Vec<Matcher>,
        /// Of those that fit, over or not, the one at this place, counted round; `None` = the newest that is not over.
        pick: Option<usize>,
        /// Who.
        by: String,
    },
    /// What the gateway of a channel answers from now on.
    Gateway {
        /// The channel.
        channel: Channel,
        /// The answer.
        answers: Answer,
        /// Whether it can be asked what became of a page; `None` = as before.
        look_up: Option<bool>,
        /// How long, ms; then it takes pages again. `None` = until it is told otherwise.
        length: Option<Ms>,
    },
    /// The edited files change.
    Reload(Reload),
    /// Ends in order and starts again after so long, ms.
    Restart(Ms),
    /// Is killed and starts again.
    Crash {
        /// After so long, ms.
        away: Ms,
        /// So many durable writes later; `None` = at once.
        writes: Option<usize>,
        /// Whether the write at which it dies is still made.
        kept: bool,
    },
    /// A clock jumps.
    Clock {
        /// By so much, ms.
        by: Ms,
        /// Which.
        of: ClockOf,
    },
    /// A partition is there or not.
    Partition {
        /// Which.
        partition: i32,
        /// Whether it is there.
        up: bool,
    },
    /// The disk is full, or the store cannot be reached: nothing can be written.
    Disk {
        /// The log cannot be written either.
        log: bool,
        /// Whether it is well again.
        well: bool,
        /// How long, ms; `None` = until it is told otherwise.
        length: Option<Ms>,
    },
    /// Another leader takes over, the old one does not know yet.
    Leader,
    /// A delivery report comes for the last page to somebody.
    Receipt {
        /// To whom.
        to: String,
        /// On which channel; `None` = any.
        channel: Option<Channel>,
        /// Of all that were accepted, however long ago, the one at this place, counted round; `None` = the last to them.
        pick: Option<usize>,
        /// What it says.
        fate: Fate,
    },
}

/// What the edited files become.
#[derive(Debug, Clone, PartialEq)]
pub enum Reload {
    /// The same as before.
    Same,
    /// They cannot be used.
    Broken,
    /// These parts are others.
    Parts(Arc<Own>),
    /// A file with these parts, or with mistakes.
    File(PathBuf),
}

/// Which clock jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockOf {
    /// The machine's, and with it the log's.
    Both,
    /// The log's alone.
    Log,
    /// The wall clock of the process alone.
    Wall,
}

/// What a delivery report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is on the phone.
    Delivered,
    /// It will never be: no such number.
    Failed,
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
    /// Nothing, and nothing was sent.
    Hang,
    /// Taken, but the answer is lost.
    Unknown,
    /// There is no such number.
    Refused,
}

impl Answer {
    /// Its words in files, in the order of the enum.
    pub const WORDS: &'static [&'static str] = &["ok", "500", "429", "hang", "unknown", "refused"];

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::Ok, Self::Error, Self::Busy, Self::Hang, Self::Unknown, Self::Refused];
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
