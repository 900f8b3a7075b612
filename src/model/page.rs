//! Pages: one message to one person on one channel for one reason, and what became of it.

use crate::model::{Came, Channel, Sending, Severity, Stamps};
use crate::time::Ms;

/// Why a page is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The incident opened.
    First,
    /// Nobody took it: the next step.
    Escalated,
    /// It got more severe.
    Worsened,
    /// It came back within 30 minutes.
    Reopened,
    /// It comes and goes.
    Flapping,
    /// The last group again.
    Repeat,
    /// The SLA is at risk.
    Sla,
    /// It is over.
    Resolved,
    /// Several in one.
    Digest,
    /// 모의훈련.
    Drill,
    /// Is this number still right?
    ContactCheck,
    /// Another gateway sends now.
    GatewaySwitched,
    /// Somebody handed the incident over to this person.
    Handover,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 13] = [
        Self::First,
        Self::Escalated,
        Self::Worsened,
        Self::Reopened,
        Self::Flapping,
        Self::Repeat,
        Self::Sla,
        Self::Resolved,
        Self::Digest,
        Self::Drill,
        Self::ContactCheck,
        Self::GatewaySwitched,
        Self::Handover,
    ];

    /// Its word in rows and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Escalated => "escalated",
            Self::Worsened => "worsened",
            Self::Reopened => "reopened",
            Self::Flapping => "flapping",
            Self::Repeat => "repeat",
            Self::Sla => "sla",
            Self::Resolved => "resolved",
            Self::Digest => "digest",
            Self::Drill => "drill",
            Self::ContactCheck => "contact_check",
            Self::GatewaySwitched => "gateway_switched",
            Self::Handover => "handover",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }
}

/// A page as it was decided: the row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Hash of (incident, step, loop, person, channel, reason, occurrence): the idempotency key everywhere, at most 30
    /// characters of `[A-Za-z0-9-]`.
    pub id: String,
    /// The incident's number.
    pub incident: String,
    /// Its severity at the decision.
    pub severity: Severity,
    /// Why.
    pub reason: Reason,
    /// 0-based step of the chain; one past the last step for the last group.
    pub step: i64,
    /// Which run of the last group.
    pub round: i64,
    /// Which opening of the incident.
    pub occurrence: i64,
    /// Contact id.
    pub to: String,
    /// Channel.
    pub channel: Channel,
    /// LMS title or mail subject; empty for SMS.
    pub title: String,
    /// The text.
    pub text: String,
    /// When it was decided, wall time.
    pub decided: Ms,
    /// Not to be sent before.
    pub due: Ms,
    /// By when its person should have it, from the SLA: the outbox's order.
    pub wanted: Ms,
    /// Useless after: comes from the SLA, never from a count of tries.
    pub deadline: Ms,
    /// How what caused it came in; `None` in rows of releases that did not write it down.
    pub came: Option<Came>,
    /// It was decided with the very input that caused it, and not by a timer later on.
    pub prompt: bool,
}

#[cfg(test)]
impl Page {
    /// A first SMS about an S1, decided at `at`, due at once, and of use for ten minutes: tests say what is different.
    pub(crate) fn sample(at: Ms) -> Self {
        Self {
            id: "p".to_owned(),
            incident: "INC-2611-001".to_owned(),
            severity: Severity::S1,
            reason: Reason::First,
            step: 0,
            round: 0,
            occurrence: 1,
            to: "duty-1".to_owned(),
            channel: Channel::Sms,
            title: String::new(),
            text: "[긴급신고][장애발생]INC-2611-001".to_owned(),
            decided: at,
            due: at,
            wanted: at,
            deadline: at + 10 * crate::time::MINUTE,
            came: None,
            prompt: false,
        }
    }
}

/// What became of a page that was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The gateway took it; `id` is its own number for it.
    Accepted {
        /// The gateway's id, empty where it has none.
        id: String,
    },
    /// It is on the phone: a receipt says so, after [`Outcome::Accepted`].
    Delivered {
        /// The gateway's id.
        id: String,
    },
    /// It will not arrive; may come after [`Outcome::Accepted`], as a receipt.
    Failed {
        /// Why, classified: auth, rate, recipient, content, server, timeout, expired.
        reason: String,
    },
    /// Nobody knows: the answer was lost or the sender died.
    Unknown {
        /// Why.
        reason: String,
    },
    /// Sent once more after an unknown outcome, with the same id (S1 and S2 on a gateway that cannot be asked).
    Resent,
}

impl Outcome {
    /// Its word in rows and output.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Accepted { .. } => "accepted",
            Self::Delivered { .. } => "delivered",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
            Self::Resent => "resent",
        }
    }

    /// The gateway's id or the reason.
    pub fn detail(&self) -> &str {
        match self {
            Self::Accepted { id } | Self::Delivered { id } => id,
            Self::Failed { reason } | Self::Unknown { reason } => reason,
            Self::Resent => "",
        }
    }

    /// Reads what [`Outcome::word`] and [`Outcome::detail`] gave.
    pub fn parse(word: &str, detail: &str) -> Option<Self> {
        let detail = detail.to_owned();
        match word {
            "accepted" => Some(Self::Accepted { id: detail }),
            "delivered" => Some(Self::Delivered { id: detail }),
            "failed" => Some(Self::Failed { reason: detail }),
            "unknown" => Some(Self::Unknown { reason: detail }),
            "resent" => Some(Self::Resent),
            _ => None,
        }
    }
}

/// Where an outbox row stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PageState {
    /// Not handed over yet.
    Waiting,
    /// Leased by a sender.
    Handed,
    /// The gateway took it.
    Accepted,
    /// It is on the phone.
    Delivered,
    /// It will not arrive.
    Failed,
    /// Nobody knows.
    Unknown,
    /// No longer wanted before it was handed over.
    Cancelled,
}

impl PageState {
    /// Every state.
    pub const ALL: [Self; 7] =
        [Self::Waiting, Self::Handed, Self::Accepted, Self::Delivered, Self::Failed, Self::Unknown, Self::Cancelled];

    /// Its word in rows and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Handed => "handed",
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// An outbox row as it stands: the page and its lease columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRow {
    /// The page.
    pub page: Page,
    /// Where it stands.
    pub state: PageState,
    /// Why it was cancelled, failed or is unknown; the gateway's id where it was accepted.
    pub detail: String,
    /// When it was first leased.
    pub handed: Option<Ms>,
    /// When its outcome was known.
    pub done: Option<Ms>,
    /// How often it was leased.
    pub tries: i64,
    /// The stamps of its way since the decision.
    pub sending: Sending,
}

impl PageRow {
    /// All its stamps.
    pub fn stamps(&self) -> Stamps {
        Stamps::of(&self.page, &self.sending)
    }
}

/// How long a lease holds at most, ms: three times the longest time-out of a gateway.
pub const LEASE: Ms = 30 * crate::time::SECOND;

/// A page leased to one sender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The page.
    pub page: Page,
    /// The sender.
    pub worker: String,
    /// Counts leases of this page: an outcome under an older one is refused.
    pub epoch: i64,
    /// Until when, wall time.
    pub until: Ms,
    /// An earlier lease ended without an outcome: it may have been sent already.
    pub unknown_before: bool,
    /// [`Outcome::Resent`] was written for it before: it must not be sent again without asking.
    pub resent: bool,
    /// The stamps of its way so far.
    pub sending: Sending,
}
