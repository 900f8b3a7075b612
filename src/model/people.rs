//! Contacts as values: who can be told, how, and from when to when.

use crate::model::{Calendar, Chain, Domain, Rota};
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

/// The role that hears of every S1 of 보안, whatever the chain says.
pub const SECURITY_OFFICER: &str = "정보보안담당관";

/// One person or duty phone.
#[derive(Clone, PartialEq, Eq, Default)]
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
    /// 전파 단계 in the 비상연락망: 0 is told first.
    pub tier: Option<u8>,
    /// 직위.
    pub position: Option<String>,
}

impl Contact {
    /// Whether it may be told at `at`.
    pub fn is_valid(&self, at: Ms) -> bool {
        self.from.is_none_or(|from| from <= at) && self.until.is_none_or(|until| at < until)
    }

    /// Whether it has an address on `channel`.
    pub const fn reaches(&self, channel: Channel) -> bool {
        match channel {
            Channel::Sms | Channel::Mms => self.phone.is_some(),
            Channel::Mail => self.email.is_some(),
        }
    }

    /// Whether it is responsible for `domain`.
    pub fn is_for(&self, domain: Domain) -> bool {
        self.domains.is_empty() || self.domains.contains(&domain)
    }

    /// Whether it has a role in an organisation.
    pub fn has_role(&self, org: &str, role: &str) -> bool {
        self.org == org && self.roles.iter().any(|own| own == role)
    }
}

impl std::fmt::Debug for Contact {
    /// Only what is not personal.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Contact").field("id", &self.id).field("org", &self.org).finish_non_exhaustive()
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
    /// Who takes turns.
    pub rotas: Vec<Rota>,
    /// Days off, business hours and named times.
    pub calendar: Calendar,
    /// How long a confirmation of a number counts, ms; `None` = the default.
    pub fresh_for: Option<Ms>,
}

impl People {
    /// How long a confirmation of a number counts, ms: a year where nothing is said.
    pub fn fresh_for(&self) -> Ms {
        self.fresh_for.unwrap_or(365 * crate::time::DAY)
    }

    /// The contact of that id.
    pub fn contact(&self, id: &str) -> Option<&Contact> {
        self.contacts.iter().find(|contact| contact.id == id)
    }

    /// Who is on duty at `at` by a rota: whom it names, else the next of its members in order who may be told then.
    pub fn on_duty(&self, rota: &Rota, at: Ms) -> Option<&Contact> {
        rota.order(at).filter_map(|id| self.contact(id)).find(|contact| contact.is_valid(at))
    }

    /// Whether `contact` takes turns in a role and it is not its turn at `at`.
    pub fn is_off_duty(&self, contact: &Contact, org: &str, role: &str, at: Ms) -> bool {
        let mut turns = self.rotas.iter().filter(|rota| rota.has_turns(&contact.id, org, role)).peekable();
        turns.peek().is_some()
            && turns.all(|rota| self.on_duty(rota, at).is_some_and(|on_duty| on_duty.id != contact.id))
    }
}
