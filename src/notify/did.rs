//! What one step of a sender did, for whoever counts and logs it.
//!
//! The idea: a step is judged by what it says of itself; nothing here changes a row.

use super::{OutboxError, Refusal};
use crate::model::{Channel, Outcome, Passage, Severity};
use crate::time::Ms;

/// What became of one page in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// Page id.
    pub page: String,
    /// Its severity.
    pub severity: Severity,
    /// What.
    pub what: What,
    /// From the decision until now, ms.
    pub after: Ms,
    /// Its way, where a gateway took it.
    pub passage: Option<Passage>,
}

/// What became of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// An outcome was written.
    Outcome(Outcome),
    /// It was refused for now and is due again then.
    GivenBack {
        /// Why.
        reason: Refusal,
        /// When.
        due: Ms,
    },
    /// Nobody knows yet: the gateway is asked again after a while.
    Unsettled,
    /// The lease was no longer ours; nothing was sent or nothing could be written.
    Lost,
}

/// What one step did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Did {
    /// Rows that failed because they waited past their deadline.
    pub expired: usize,
    /// Pages worked on, in order.
    pub pages: Vec<Done>,
    /// How long gateways took to say yes, by channel, ms.
    pub took: Vec<(Channel, Ms)>,
    /// The outbox could not be used; nothing is lost, the next step goes on.
    pub trouble: Option<OutboxError>,
}

impl Did {
    /// Whether there was nothing to do.
    pub fn is_idle(&self) -> bool {
        self.expired == 0 && self.pages.is_empty() && self.trouble.is_none()
    }
}

/// Writes it to the program's log.
pub(super) fn report(worker: &str, did: &Did) {
    if did.expired > 0 {
        tracing::warn!(worker, pages = did.expired, "pages failed: past their deadline");
    }
    if let Some(error) = &did.trouble {
        tracing::warn!(worker, %error, "outbox not usable; trying again");
    }
    for done in &did.pages {
        let (page, severity, after) = (&done.page, done.severity.code(), done.after);
        match &done.what {
            What::Outcome(outcome) => {
                let (what, detail) = (outcome.word(), outcome.detail());
                tracing::info!(worker, page, severity, what, detail, after, "page settled");
            }
            What::GivenBack { reason, due } => {
                tracing::warn!(worker, page, severity, reason = reason.word(), due, "page refused for now");
            }
            What::Unsettled => tracing::warn!(worker, page, severity, "page's fate unknown; asking again"),
            What::Lost => tracing::warn!(worker, page, severity, "lease lost; another sender has the page"),
        }
    }
}
