//! Hand-over ③, its first half: what moves the incident stage, and the rows that it asks the store to write.
//!
//! The idea: everything that can change an incident is one [`Input`], taken in an order that the ledger keeps
//! (`input_no`), so that the same inputs give the same incidents and the same texts again.

use std::sync::Arc;

use crate::model::{
    Came, ClockStep, Domain, DrillAsk, Ended, Entry, Fingerprint, Group, Labels, Muted, Outcome, Page, PageRow,
    Severity, Signal, SilenceAsk,
};
use crate::time::Ms;

/// Anything that moves the incident stage.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// A signal of `evaluate`.
    Signal {
        /// Topic, partition and seq.
        key: SignalKey,
        /// The signal.
        signal: Signal,
        /// Sources heard in the last 10 min over all partitions when it was taken, for `blind`.
        heard: i64,
        /// Whether its partition had read everything when it was taken.
        caught_up: bool,
        /// How what raised it came in, where that was written down.
        came: Option<Came>,
    },
    /// The engine's own trouble, from outside `evaluate`: a signal of a built-in rule.
    Own(Signal),
    /// A partition has read everything: pages held back for it may leave.
    CaughtUp {
        /// Topic.
        topic: String,
        /// Partition.
        partition: i32,
    },
    /// A person took the incident.
    Ack {
        /// Its number.
        incident: String,
        /// Contact id, or who says so.
        by: String,
        /// What they noted.
        note: String,
        /// How long it holds, ms.
        hold: Ms,
    },
    /// A person took the incident by a one-time code; see [`crate::model::ack_code`].
    AckCode {
        /// Its number.
        incident: String,
        /// The occurrence that the code is of.
        occurrence: i64,
        /// How many codes had been used when it was made.
        used: i64,
        /// Contact id, or who says so.
        by: String,
        /// What they noted.
        note: String,
        /// How long it holds, ms.
        hold: Ms,
    },
    /// Whoever has the incident hands it to another person, who is told.
    Handover {
        /// Its number.
        incident: String,
        /// Who hands it over.
        by: String,
        /// Contact id of the person who has it from now on.
        to: String,
        /// What they noted.
        note: String,
        /// How long it holds from now on, ms; `None`: as long as before.
        hold: Option<Ms>,
    },
    /// The ack is taken back.
    Unack {
        /// Its number.
        incident: String,
        /// Contact id.
        by: String,
    },
    /// A person says it is over.
    Resolve {
        /// Its number.
        incident: String,
        /// Contact id.
        by: String,
        /// Why.
        note: String,
    },
    /// A person says it is not over.
    Reopen {
        /// Its number.
        incident: String,
        /// Contact id.
        by: String,
    },
    /// A person asks that nobody be told of certain incidents for a while.
    Silence(Box<SilenceAsk>),
    /// A person starts a drill.
    Drill(Box<DrillAsk>),
    /// A person ends a silence before its time.
    Expire {
        /// Its number.
        silence: String,
        /// Contact id, or who says so.
        by: String,
    },
    /// The second approver of a silence says yes.
    Approve {
        /// Its number.
        silence: String,
        /// Contact id.
        by: String,
    },
    /// `notify` leased a page: from now on the person counts as told.
    Handed {
        /// Page id.
        page: String,
    },
    /// `notify` gave a page back unsent, to try again later: it waits as before.
    GivenBack {
        /// Page id.
        page: String,
        /// It was handed over once more before the leader took this: it cannot be taken back.
        again: bool,
    },
    /// What became of a page that was handed over.
    Outcome {
        /// Page id.
        page: String,
        /// What.
        outcome: Outcome,
        /// When a sender or a receipt said so; `None` in rows of releases that did not write it down.
        at: Option<Ms>,
    },
    /// The sweeper found something that should have been done long ago.
    Swept(crate::model::Overdue),
    /// Senders measured how long a channel takes from the send to the provider's yes.
    Pace {
        /// The channel.
        channel: crate::model::Channel,
        /// 99 of 100 messages take no longer, ms.
        p99: Ms,
    },
    /// The wall clock was set: waits go on at their length. Drawn by the leader, never stored.
    Clock {
        /// Forwards, or, negative, backwards, ms.
        by: Ms,
    },
    /// Something is due: a chain step, an ack's end, a held signal. Drawn by the leader from its own rows, never stored.
    Due,
    /// Rules, contacts, chains or inventory changed: the hash of the new set.
    Reload {
        /// The hash.
        hash: String,
        /// What changed in the contacts, masked, one line each.
        contacts: Vec<String>,
    },
}

/// Where a signal stands: gapless per partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignalKey {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Seq, from 1.
    pub seq: i64,
}

/// An input as the leader takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// The row of `inputs` it came from; `None` for signals (they have their key) and for [`Input::Due`].
    pub row: Option<i64>,
    /// The input.
    pub input: Input,
}

/// State of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum IncidentState {
    /// Nobody took it.
    Open,
    /// Somebody took it.
    Acked,
    /// Over; may be reopened for 30 minutes.
    Resolved,
    /// Over for good.
    Closed,
}

impl IncidentState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Open, Self::Acked, Self::Resolved, Self::Closed];

    /// Its word in rows and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acked => "acked",
            Self::Resolved => "resolved",
            Self::Closed => "closed",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// Open or acked.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Open | Self::Acked)
    }
}

/// One incident: at most one that is not closed per fingerprint.
#[derive(Debug, Clone, PartialEq)]
pub struct Incident {
    /// Its number, `INC-YYMM-nnn`.
    pub id: String,
    /// Of rule and identity.
    pub fingerprint: Fingerprint,
    /// Rule id.
    pub rule: Arc<str>,
    /// Identity.
    pub labels: Labels,
    /// Korean title, as the rule had it when the incident opened.
    pub title: String,
    /// 구간.
    pub domain: Domain,
    /// State.
    pub state: IncidentState,
    /// Severity now.
    pub severity: Severity,
    /// First tick of the first pending.
    pub occurred: Ms,
    /// When it fired.
    pub detected: Ms,
    /// When it was over, the last time.
    pub resolved: Option<Ms>,
    /// Why it ended, where it was not the value.
    pub ended: Option<Ended>,
    /// Who took it and until when.
    pub ack: Option<Ack>,
    /// Instants of its reopenings within the last hour, oldest first.
    pub reopened: Vec<Ms>,
    /// Quiet since it was found flapping.
    pub flapping: bool,
    /// How often it was opened: 1 at first; part of a page's id.
    pub occurrence: i64,
    /// Pages are held back until then, or until its partition has caught up.
    pub held_until: Option<Ms>,
    /// The topic and partition whose signal opened it, for catch-up.
    pub partition: Option<(String, i32)>,
    /// By when somebody must have been told (first accepted page).
    pub notify_by: Option<Ms>,
    /// When the first page was accepted.
    pub notified: Option<Ms>,
    /// Last instant at which it did not change for flapping's sake: calm since.
    pub calm_since: Option<Ms>,
    /// How many one-time codes took it so far: each is good once.
    pub codes_used: i64,
    /// Why no page about it leaves for the moment.
    pub muted: Option<Muted>,
    /// Its clocks; `None` in rows of releases that had none.
    pub sla: Option<crate::model::SlaClocks>,
    /// Number of the incident that speaks for it; stays after its end, as it was told.
    pub parent: Option<String>,
    /// What it remembers of those that it hangs together with.
    pub group: Group,
    /// How the input that changed it last came in: its pages carry this.
    pub came: Option<Came>,
    /// Who started it and until when, where it is a drill.
    pub drill: Option<crate::model::Drilled>,
}

/// Who took an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ack {
    /// Contact id.
    pub by: String,
    /// When.
    pub at: Ms,
    /// Until when it holds.
    pub until: Ms,
    /// What they noted.
    pub note: String,
}

/// Where an incident's chain stands; kept beside the incident.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChainRow {
    /// The incident.
    pub incident: String,
    /// Canonical JSON of the chain as it was when the incident opened: later edits do not alter it.
    pub snapshot: String,
    /// The step decided last; `None` before the first.
    pub step: Option<i64>,
    /// How often the last group was told.
    pub round: i64,
    /// When the next step is due; `None` where there is none (acked, over, finished).
    pub due: Option<Ms>,
    /// When the next channel starts, if nobody has been reached by then.
    pub hurry: Option<Ms>,
    /// Everybody handed a page of this incident's present occurrence: (contact, channel), in order.
    pub told: Vec<(String, crate::model::Channel)>,
    /// Where it stood when its incident was muted; `None` where it runs.
    pub paused: Option<Paused>,
}

/// A chain that waits until pages may leave again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paused {
    /// The severity that people knew.
    pub severity: Severity,
    /// What was left of the wait for its next step, ms; `None` where none was planned.
    pub left: Option<Ms>,
    /// Somebody had taken the incident, then or meanwhile.
    pub taken: bool,
    /// (contact, channel) of pages that were decided and had not left.
    pub owed: Vec<(String, crate::model::Channel)>,
}

/// What changed with an incident, for those who tell people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// New.
    Opened,
    /// Open again within 30 minutes.
    Reopened,
    /// Found flapping.
    Flapping,
    /// More severe than before.
    Worsened,
    /// Less severe: quietly.
    Eased,
    /// Somebody took it.
    Acked,
    /// Another person has it now, and must be told.
    HandedOver,
    /// The ack ran out or was taken back.
    Unacked,
    /// Over.
    Resolved,
    /// The time for reopening is over.
    Closed,
    /// Held pages may leave.
    Released,
    /// Nobody was told in time.
    Overdue,
    /// Maintenance, a silence or another incident keeps pages about it back.
    Muted,
    /// Nothing does any more.
    Unmuted,
    /// Nobody took it in time.
    AckOverdue,
    /// It was not over in time.
    RecoverOverdue,
    /// The month's budget of its service is used up.
    BudgetSpent,
    /// A share of the tighter one of these clocks has passed.
    SlaWarned,
    /// Another incident speaks for it from now on.
    Attached,
    /// It speaks for itself again.
    Detached,
    /// Much more hangs under it than was said last.
    Grown,
}

/// One transaction of the leader: the inputs it took and all that they caused.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BookCommit {
    /// The leader's epoch: with a higher one in the store nothing may be written.
    pub epoch: i64,
    /// Cursor per (topic, partition): seq of the last signal taken.
    pub cursors: Vec<SignalKey>,
    /// Rows of `inputs` taken, with the `input_no` each got and the answer for whoever waits for it.
    pub taken: Vec<TakenRow>,
    /// Incidents, new or changed.
    pub incidents: Vec<Incident>,
    /// Their chains.
    pub chains: Vec<ChainRow>,
    /// New pages.
    pub pages: Vec<Page>,
    /// When it was given to the store, wall time: the pages' stamp `queued`, and no part of what was decided.
    pub queued: Option<Ms>,
    /// Pages to cancel: each must still be waiting, or nothing is written.
    pub cancels: Vec<Cancel>,
    /// Number counters: (prefix and month such as `INC-2611`, last number given).
    pub counters: Vec<(String, i64)>,
    /// New ledger entries.
    pub entries: Vec<Entry>,
    /// The wall clock was set: outbox rows that wait are moved with it, before anything else of this is written.
    pub clock: Option<ClockStep>,
    /// Signals held back for `blind` and what else the stage must find again: (key, JSON); `None` removes.
    pub notes: Vec<(String, Option<String>)>,
}

/// An input row that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenRow {
    /// Its id.
    pub row: i64,
    /// The order it was taken in.
    pub input_no: i64,
    /// Whether it did what it asked for.
    pub done: bool,
    /// The answer, one sentence.
    pub answer: String,
}

/// A page that is no longer wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancel {
    /// Page id.
    pub page: String,
    /// Why, for people: `acked`, `resolved`, …
    pub why: String,
}

/// What became of a leader's transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// All of it is durable.
    Done,
    /// Nothing was written: another one leads.
    Fenced,
    /// Nothing was written: a page to cancel had been handed over meanwhile. Its [`Input::Handed`] is waiting: take it
    /// first, then decide again.
    HandedMeanwhile,
}

/// The leader's seat, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Seat {
    /// One higher with each taker; 0: nobody ever sat.
    pub epoch: i64,
    /// Who sits; empty: whoever sat gave it up.
    pub owner: String,
    /// Grows as long as whoever sits is at work; what it counts means nothing.
    pub beat: i64,
}

impl Seat {
    /// Nobody sits.
    pub fn is_free(&self) -> bool {
        self.owner.is_empty()
    }
}

/// What a leader finds when it takes over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BookRows {
    /// The epoch just taken.
    pub epoch: i64,
    /// Cursor per (topic, partition).
    pub cursors: Vec<SignalKey>,
    /// Incidents that are not closed.
    pub incidents: Vec<Incident>,
    /// Their chains.
    pub chains: Vec<ChainRow>,
    /// Their pages without a final outcome, and those told.
    pub pages: Vec<PageRow>,
    /// Number counters.
    pub counters: Vec<(String, i64)>,
    /// Notes.
    pub notes: Vec<(String, String)>,
    /// `input_no` of the last ledger entry, 0 where there is none.
    pub input_no: i64,
    /// Hash of the last ledger entry.
    pub hash: String,
}
