//! Contacts and chains as values: who can be told, in which order, with which waits.

use crate::model::{Domain, Severity};
use crate::time::Ms;

/// How a person is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Text message: SMS up to 90 bytes, else LMS.
    Sms,
    /// Text message with a picture.
    Mms,
    /// E-mail.
    Mail,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Self; 3] = [Self::Sms, Self::Mms, Self::Mail];

    /// Its word in files, rows and output.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sms => "sms",
            Self::Mms => "mms",
            Self::Mail => "mail",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.word() == word)
    }
}

/// One person or duty phone.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    /// Stable id.
    pub id: String,
    /// Organisation, for example `MSP`.
    pub org: String,
    /// Roles, for example `duty`.
    pub roles: Vec<String>,
    /// 구간 it is responsible for; empty = all.
    pub domains: Vec<Domain>,
    /// Personal name: never in a message or a log.
    pub name: String,
    /// Phone number: never in a log.
    pub phone: Option<String>,
    /// E-mail address: never in a log.
    pub email: Option<String>,
    /// First instant at which it may be told.
    pub from: Option<Ms>,
    /// First instant at which it may no longer be told.
    pub until: Option<Ms>,
    /// When the number was last confirmed.
    pub confirmed: Option<Ms>,
}

impl std::fmt::Debug for Contact {
    /// Only what is not personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contact").field("id", &self.id).field("org", &self.org).finish_non_exhaustive()
    }
}

/// Whom a step names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `ORG/role`: every valid contact of that organisation and role whose domains fit.
    Role {
        /// Organisation.
        org: String,
        /// Role.
        role: String,
    },
    /// `@contact`.
    Contact(String),
}

/// One step of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Whom to tell.
    pub to: Vec<Target>,
    /// On which channels, all at once.
    pub by: Vec<Channel>,
    /// From the decision of this step to the next, ms.
    pub wait: Ms,
}

/// The last group of a chain: never empty, repeated until somebody takes the incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Last {
    /// Whom to tell.
    pub to: Vec<Target>,
    /// On which channels.
    pub by: Vec<Channel>,
    /// Distance of repeats, ms.
    pub repeat: Ms,
}

/// What a chain does differently for one severity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SeverityPlan {
    /// 0-based last step; the last group is then left out.
    pub upto: Option<usize>,
    /// Deferred to the digest.
    pub digest: bool,
}

/// Ordered steps of people to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    /// Stable id.
    pub id: String,
    /// Fits incidents of this 구간 (`None` = any).
    pub domain: Option<Domain>,
    /// Taken where no other fits.
    pub default: bool,
    /// The steps.
    pub steps: Vec<Step>,
    /// The last group.
    pub last: Last,
    /// Differences, indexed by [`Severity::index`].
    pub severities: [SeverityPlan; 4],
    /// The hour of the daily digest, 0 to 23 KST.
    pub digest_hour: u8,
}

impl Chain {
    /// What it does differently for `severity`.
    pub fn plan(&self, severity: Severity) -> SeverityPlan {
        self.severities[severity.index()]
    }
}

/// Contacts and chains in force.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct People {
    /// Contacts by id.
    pub contacts: Vec<Contact>,
    /// Chains in file order.
    pub chains: Vec<Chain>,
    /// Pages a person gets in an hour, S1 not counted; `None` = the default.
    pub pages_an_hour: Option<usize>,
    /// Service levels.
    pub sla: crate::model::SlaPlan,
}
