//! Gateways and phones of a scenario: one way out per channel, which answers as it is told, and what arrived.
//!
//! The idea: a phone is what a person holds, so what counts as arrived is what the gateway really sent, whatever it
//! answered. Does not decide what is sent again; that is what it shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Answer;
use crate::model::{Channel, Page};
use crate::notify::{Address, Gateway, LookedUp, Refusal, Sent};

#[derive(Debug)]
struct Phones {
    answers: Answer,
    can_be_asked: bool,
    /// Ids of pages that were sent.
    sent: BTreeSet<String>,
    /// What arrived since it was looked at last.
    arrived: Vec<Page>,
}

/// All gateways; a clone is another handle on them.
#[derive(Clone, Default)]
pub(super) struct Ways(Arc<Mutex<BTreeMap<Channel, Phones>>>);

impl fmt::Debug for Ways {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ways")
    }
}

impl Ways {
    fn with<T>(&self, channel: Channel, work: impl FnOnce(&mut Phones) -> T) -> T {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Phones { answers: Answer::Ok, can_be_asked: true, sent: BTreeSet::new(), arrived: Vec::new() };
        work(all.entry(channel).or_insert_with(new))
    }

    /// Changes what the gateway of `channel` answers, and whether it can be asked.
    pub(super) fn answer(&self, channel: Channel, answers: Answer, look_up: Option<bool>) {
        self.with(channel, |phones| {
            phones.answers = answers;
            phones.can_be_asked = look_up.unwrap_or(phones.can_be_asked);
        });
    }

    /// What arrived since the last call.
    pub(super) fn arrived(&self) -> Vec<Page> {
        Channel::ALL.into_iter().flat_map(|channel| self.with(channel, |p| std::mem::take(&mut p.arrived))).collect()
    }

    /// A gateway for each channel.
    pub(super) fn gateways(&self) -> Vec<Arc<dyn Gateway>> {
        let way = |channel| Arc::new(Way { channel, ways: self.clone() }) as Arc<dyn Gateway>;
        Channel::ALL.into_iter().map(way).collect()
    }
}

/// The gateway of one channel.
#[derive(Debug)]
struct Way {
    channel: Channel,
    ways: Ways,
}

impl Gateway for Way {
    fn id(&self) -> &str {
        self.channel.word()
    }

    fn serves(&self, channel: Channel) -> bool {
        channel == self.channel
    }

    fn send(&self, page: &Page, _address: &Address) -> Sent {
        let refused = |reason, permanent| Sent::Refused { reason, permanent, retry_after: None };
        self.ways.with(self.channel, |phones| {
            if matches!(phones.answers, Answer::Ok | Answer::Unknown) {
                phones.sent.insert(page.id.clone());
                phones.arrived.push(page.clone());
            }
            match phones.answers {
                Answer::Ok => Sent::Accepted { id: page.id.clone() },
                Answer::Error => refused(Refusal::Server, false),
                Answer::Busy => refused(Refusal::Rate, false),
                Answer::Refused => refused(Refusal::Recipient, true),
                Answer::Hang | Answer::Unknown => Sent::Unknown { why: "no answer in time".to_owned() },
            }
        })
    }

    fn look_up(&self, page: &Page) -> Option<LookedUp> {
        self.ways.with(self.channel, |phones| {
            phones.can_be_asked.then(|| match phones.answers {
                Answer::Hang => LookedUp::Unknown,
                _ if phones.sent.contains(&page.id) => LookedUp::Accepted { id: page.id.clone() },
                _ => LookedUp::NotThere,
            })
        })
    }
}
