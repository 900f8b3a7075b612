//! Hand-over ③: takes pages from the outbox, gives them to a gateway, and writes back what became of them.
//!
//! The idea: a page is *handed over* when its lease commits, and from then on there are only three truths: the gateway
//! took it, it will not arrive, or nobody knows. Nobody-knows is its own case: the gateway is asked by our id before
//! anything is sent again. [`Worker`] decides nothing else; whom to tell, with which words and until when is in the
//! page.
//!
//! Not here: the outbox's rows (`store`, reached through [`Outbox`]), contacts ([`AddressBook`]), texts (`page`).

mod did;
mod email;
mod gateway;
mod handset;
#[cfg(test)]
mod tests;
mod unwritten;
mod worker;

pub use did::{Did, Done, What};
pub use email::SmtpGateway;
pub use gateway::{GatewayHealth, HttpGateway, Paced};
pub use handset::Handset;
pub use unwritten::Unwritten;
pub(crate) use worker::EDIT_MAX;
pub use worker::Worker;

use std::fmt;

use crate::model::{Channel, Fate, Lease, Outcome, Page, Severity};
use crate::time::Ms;

/// An outbox call that failed, in one sentence. Trying again later may help; nothing was half done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct OutboxError(pub String);

/// A shorthand.
pub type OutboxResult<T> = Result<T, OutboxError>;

/// What a sender asks of the outbox. All calls block and are all or nothing; times are wall time.
pub trait Outbox: Send + Sync {
    /// Leases up to `limit` pages that wait and are due, until `until`; only those of `severity` where given.
    fn claim(
        &self,
        worker: &str,
        severity: Option<Severity>,
        limit: usize,
        now: Ms,
        until: Ms,
    ) -> OutboxResult<Vec<Lease>>;
    /// Leases again pages whose lease ended without an outcome.
    fn reclaim(&self, worker: &str, limit: usize, now: Ms, until: Ms) -> OutboxResult<Vec<Lease>>;
    /// Moves a lease's end. `false`: it is no longer ours.
    fn renew(&self, lease: &Lease, until: Ms) -> OutboxResult<bool>;
    /// Moves a lease's end and keeps the instant at which its page is given to a gateway, until the page is given back or
    /// is to be resent. `false`: it is no longer ours.
    fn submit(&self, lease: &Lease, now: Ms, until: Ms) -> OutboxResult<bool>;
    /// Writes an outcome; [`Outcome::Resent`] keeps the lease. `false`: the lease is no longer ours.
    fn outcome(&self, lease: &Lease, outcome: &Outcome, now: Ms) -> OutboxResult<bool>;
    /// Gives a page back unsent, to be due again at `due`. `false`: the lease is no longer ours.
    fn give_back(&self, lease: &Lease, why: &str, due: Ms) -> OutboxResult<bool>;
    /// Fails pages that wait past their deadline; returns how many.
    fn expire(&self, now: Ms) -> OutboxResult<usize>;
}

/// Where a person is reached on one channel: a phone number or a mail address. Personal: never printed whole.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(pub String);

impl Address {
    /// As it may be printed: `010-****-0001`, `d***@example.test`.
    pub fn masked(&self) -> String {
        if self.0.contains('@') { crate::model::mask_email(&self.0) } else { crate::model::mask_phone(&self.0) }
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

/// Who is reached where.
pub trait AddressBook: Send + Sync {
    /// The address of `contact` on `channel`; `None` where it has none.
    fn address(&self, contact: &str, channel: Channel) -> Option<Address>;
}

/// Why a gateway did not take a page: a closed list, the outcome's reason and the metric's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// Our credentials, sender number or address are not welcome.
    Auth,
    /// Too many messages, or the quota is used up.
    Rate,
    /// This person cannot be reached there.
    Recipient,
    /// The text or its form.
    Content,
    /// The gateway's own trouble.
    Server,
    /// It was certainly not sent, because the gateway could not be reached in time.
    Timeout,
    /// It is past its deadline.
    Expired,
}

impl Refusal {
    /// Every reason.
    pub const ALL: [Self; 7] =
        [Self::Auth, Self::Rate, Self::Recipient, Self::Content, Self::Server, Self::Timeout, Self::Expired];

    /// Its word in rows and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::Rate => "rate",
            Self::Recipient => "recipient",
            Self::Content => "content",
            Self::Server => "server",
            Self::Timeout => "timeout",
            Self::Expired => "expired",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.word() == word)
    }

    /// Whether trying again is of no use, where the gateway does not say.
    pub const fn is_permanent(self) -> bool {
        matches!(self, Self::Auth | Self::Recipient | Self::Content | Self::Expired)
    }

    /// Whether another gateway would say the same: the fault is the message's or the person's, not the gateway's.
    pub const fn is_of_the_page(self) -> bool {
        matches!(self, Self::Recipient | Self::Content | Self::Expired)
    }
}

/// A gateway's answer to a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sent {
    /// It took the page.
    Accepted {
        /// Its own number for it; empty where it has none.
        id: String,
    },
    /// It certainly did not send it.
    Refused {
        /// Why.
        reason: Refusal,
        /// Whether trying again is of no use.
        permanent: bool,
        /// How long to wait at least before trying again, ms.
        retry_after: Option<Ms>,
    },
    /// Nobody knows whether it was sent: the answer was lost.
    Unknown {
        /// What happened.
        why: String,
    },
}

/// A gateway's answer to "did you get this page?".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookedUp {
    /// Yes.
    Accepted {
        /// Its own number for it.
        id: String,
    },
    /// Yes, and it will not arrive.
    Failed {
        /// Why.
        reason: Refusal,
    },
    /// No, and it will not turn up.
    NotThere,
    /// It cannot say now; ask again.
    Unknown,
}

/// One way out, for one channel. Calls block, each bounded by the gateway's own time-out (well below the lease of
/// 30 s). An implementation never logs an address or a credential.
pub trait Gateway: Send + Sync {
    /// Its id in the configuration.
    fn id(&self) -> &str;
    /// Whether it serves `channel`.
    fn serves(&self, channel: Channel) -> bool;
    /// Sends `page` with its id as the idempotency key.
    fn send(&self, page: &Page, address: &Address) -> Sent;
    /// Asks by our id. `None`: this gateway cannot be asked.
    fn look_up(&self, page: &Page) -> Option<LookedUp>;
    /// How often it is to be asked what became of accepted pages, and until how long after; `None`: not at all. ms.
    fn poll(&self) -> Option<(Ms, Ms)> {
        None
    }
    /// Asks what became of a page that was accepted under `id`. `None`: it was not accepted here, or nobody knows.
    fn receipt(&self, _page: &Page, _id: &str) -> Option<Fate> {
        None
    }
    /// Reads receipts that the provider posted; `header` gives a header of that request.
    ///
    /// # Errors
    /// It does not take any, it was not the provider, or the body cannot be read.
    fn told(&self, _header: &dyn Fn(&str) -> Option<String>, _body: &[u8]) -> Result<Vec<Told>, Denied> {
        Err(Denied::NotHere)
    }
}

/// One receipt that a provider posted: about a page by our id, or by the id under which it was accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Our id.
    pub page: Option<String>,
    /// The id of [`Sent::Accepted`].
    pub id: Option<String>,
    /// What became of it.
    pub fate: Fate,
}

/// Why posted receipts were not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// No such gateway, or it takes none.
    NotHere,
    /// The secret is missing or wrong.
    Secret,
    /// The body is not what the configuration describes.
    Unreadable,
}
