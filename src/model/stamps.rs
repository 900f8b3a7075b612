//! The eight stamps of a page: when what caused it was sampled, and when each hand-over on the way to a phone happened.
//!
//! The idea: the first three ([`Came`]) are data that travel with the signal, the incident and the page, because the pure
//! stages in between have no clock; the last four ([`Sending`]) are columns of the outbox, written by whoever does that
//! hand-over. A [`Hop`] is the time between two stamps. Stamps are wall times of possibly different machines: a hop that
//! their clocks make negative counts as 0. Nothing here decides anything, and no stamp tells one signal from another.

use crate::model::{Channel, Page};
use crate::time::Ms;

/// How what caused a page came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Came {
    /// Sample time at the source, not above `appended`; the append time where the passing of time alone decided.
    pub sampled: Ms,
    /// Append time of the record.
    pub appended: Ms,
    /// When an evaluator took the record, its wall clock.
    pub consumed: Ms,
}

impl Came {
    /// What the engine noticed of itself at `at`: no record came in.
    pub const fn noticed(at: Ms) -> Self {
        Self { sampled: at, appended: at, consumed: at }
    }
}

/// What happened to a page after its decision. `None` = not yet, or by a release that did not write it down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Sending {
    /// When the leader wrote it into the outbox.
    pub queued: Option<Ms>,
    /// When the sender began to give it to the gateway; of several tries the last.
    pub submitted: Option<Ms>,
    /// When the gateway said yes, or when that was learned.
    pub accepted: Option<Ms>,
    /// When the receipt that says that it is on the phone was taken.
    pub delivered: Option<Ms>,
}

/// A place on a page's way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stamp {
    /// At the source.
    Sampled,
    /// In the log.
    Appended,
    /// At the evaluator.
    Consumed,
    /// At the leader.
    Decided,
    /// In the outbox.
    Queued,
    /// On its way to the gateway.
    Submitted,
    /// With the provider.
    Accepted,
    /// On the phone.
    Delivered,
}

impl Stamp {
    /// Every stamp, in the order of the way.
    pub const ALL: [Self; 8] = [
        Self::Sampled,
        Self::Appended,
        Self::Consumed,
        Self::Decided,
        Self::Queued,
        Self::Submitted,
        Self::Accepted,
        Self::Delivered,
    ];

    /// Its word in output and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::Appended => "appended",
            Self::Consumed => "consumed",
            Self::Decided => "decided",
            Self::Queued => "queued",
            Self::Submitted => "submitted",
            Self::Accepted => "accepted",
            Self::Delivered => "delivered",
        }
    }

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Sampled => "수집",
            Self::Appended => "적재",
            Self::Consumed => "판독",
            Self::Decided => "결정",
            Self::Queued => "대기열",
            Self::Submitted => "발송",
            Self::Accepted => "접수",
            Self::Delivered => "도착",
        }
    }
}

/// The time between two stamps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop {
    /// From here.
    pub from: Stamp,
    /// To here.
    pub to: Stamp,
}

impl Hop {
    /// The seven hops of the way, then the whole of it to the provider's yes and to the phone.
    pub const ALL: [Self; 9] = [
        Self { from: Stamp::Sampled, to: Stamp::Appended },
        Self { from: Stamp::Appended, to: Stamp::Consumed },
        Self { from: Stamp::Consumed, to: Stamp::Decided },
        Self { from: Stamp::Decided, to: Stamp::Queued },
        Self { from: Stamp::Queued, to: Stamp::Submitted },
        Self { from: Stamp::Submitted, to: Stamp::Accepted },
        Self { from: Stamp::Accepted, to: Stamp::Delivered },
        Self { from: Stamp::Sampled, to: Stamp::Accepted },
        Self { from: Stamp::Sampled, to: Stamp::Delivered },
    ];

    /// Its word in output and metrics, for example `queued_submitted`.
    pub const fn word(self) -> &'static str {
        match (self.from, self.to) {
            (Stamp::Sampled, Stamp::Appended) => "sampled_appended",
            (Stamp::Appended, _) => "appended_consumed",
            (Stamp::Consumed, _) => "consumed_decided",
            (Stamp::Decided, _) => "decided_queued",
            (Stamp::Queued, _) => "queued_submitted",
            (Stamp::Submitted, _) => "submitted_accepted",
            (Stamp::Accepted, _) => "accepted_delivered",
            (_, Stamp::Accepted) => "sampled_accepted",
            _ => "sampled_delivered",
        }
    }

    /// Whether it holds the time from the evaluator to the decision. For a page that was decided by a timer (an
    /// escalation, a held page) that is a wait on purpose and says nothing about how fast the engine is.
    pub fn has_decision(self) -> bool {
        self.from <= Stamp::Consumed && self.to >= Stamp::Decided
    }
}

/// All stamps of one page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamps([Option<Ms>; 8]);

impl Stamps {
    /// Those of a page and of what has happened to it.
    pub fn of(page: &Page, sending: &Sending) -> Self {
        let came = page.came;
        Self([
            came.map(|came| came.sampled),
            came.map(|came| came.appended),
            came.map(|came| came.consumed),
            Some(page.decided),
            sending.queued,
            sending.submitted,
            sending.accepted,
            sending.delivered,
        ])
    }

    /// One of them.
    pub fn get(&self, stamp: Stamp) -> Option<Ms> {
        self.0.get(stamp as usize).copied().flatten()
    }

    /// The length of a hop where both its ends are known, ms.
    pub fn hop(&self, hop: Hop) -> Option<Ms> {
        Some((self.get(hop.to)? - self.get(hop.from)?).max(0))
    }

    /// The first two neighbours among those known that are out of order: the later place has the earlier time.
    pub fn disorder(&self) -> Option<Hop> {
        let known: Vec<(Stamp, Ms)> =
            Stamp::ALL.into_iter().filter_map(|stamp| Some((stamp, self.get(stamp)?))).collect();
        known.windows(2).find(|pair| pair[1].1 < pair[0].1).map(|pair| Hop { from: pair[0].0, to: pair[1].0 })
    }

    /// The first that is not known.
    pub fn missing(&self) -> Option<Stamp> {
        Stamp::ALL.into_iter().find(|stamp| self.get(*stamp).is_none())
    }
}

/// What figures are made of: the way of one page, and which figures it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passage {
    /// Its channel.
    pub channel: Channel,
    /// See [`Page::prompt`].
    pub prompt: bool,
    /// By when it was wanted.
    pub wanted: Ms,
    /// Its stamps.
    pub stamps: Stamps,
}

impl Passage {
    /// The way of a page, as far as it has come.
    pub fn of(page: &Page, sending: &Sending) -> Self {
        let Page { channel, prompt, wanted, .. } = *page;
        Self { channel, prompt, wanted, stamps: Stamps::of(page, sending) }
    }

    /// The length of a hop where both its ends are known and it says something about the engine, ms.
    pub fn hop(&self, hop: Hop) -> Option<Ms> {
        self.stamps.hop(hop).filter(|_| self.prompt || !hop.has_decision())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps(times: [Ms; 8]) -> Stamps {
        Stamps(times.map(Some))
    }

    #[test]
    fn each_hop_is_the_time_between_its_stamps() {
        let all = stamps([1, 3, 6, 10, 15, 21, 28, 36]);
        let found: Vec<Ms> = Hop::ALL.into_iter().filter_map(|hop| all.hop(hop)).collect();
        assert_eq!(found, [2, 3, 4, 5, 6, 7, 8, 27, 35]);
        let words: std::collections::BTreeSet<&str> = Hop::ALL.into_iter().map(Hop::word).collect();
        assert_eq!(words.len(), Hop::ALL.len(), "each has a word of its own");
        for hop in Hop::ALL {
            assert_eq!(hop.word(), format!("{}_{}", hop.from.word(), hop.to.word()));
        }
        let waits: Vec<&str> = Hop::ALL.into_iter().filter(|hop| hop.has_decision()).map(Hop::word).collect();
        assert_eq!(waits, ["consumed_decided", "sampled_accepted", "sampled_delivered"]);
    }

    #[test]
    fn what_is_missing_or_out_of_order_is_named() {
        let all = stamps([1, 3, 6, 10, 15, 21, 28, 36]);
        assert_eq!((all.missing(), all.disorder()), (None, None));
        let mut late = all;
        late.0[5] = None;
        late.0[6] = Some(14);
        assert_eq!(late.missing(), Some(Stamp::Submitted));
        assert_eq!(late.disorder(), Some(Hop { from: Stamp::Queued, to: Stamp::Accepted }));
        assert_eq!(late.hop(Hop { from: Stamp::Queued, to: Stamp::Accepted }), Some(0), "clocks that differ");
    }
}
