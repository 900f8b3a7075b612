//! What can be done in a scenario: the verbs of people and of the world, as values.
//!
//! The idea: each says what it is about by what a reader of the file sees, a rule and its labels, matchers, a place in a
//! list; which incident, silence or page that is, is known when it is done. How they are read is in `action`.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Own, Which};
use crate::model::{Channel, DrillAsk, Matcher};
use crate::time::Ms;

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
    /// Where somebody else must approve it, it waits; otherwise that is done at once.
    pub waits: bool,
}

impl Verb {
    /// The incident that somebody does something to.
    pub fn which(&self) -> Option<&Which> {
        match self {
            Self::Ack { which, .. }
            | Self::Unack { which, .. }
            | Self::Handover { which, .. }
            | Self::Resolve { which, .. }
            | Self::Reopen { which, .. } => Some(which),
            _ => None,
        }
    }
}
