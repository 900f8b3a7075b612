//! A gateway for simulated worlds: it accepts, refuses, hangs or lies, and remembers every message that reached a phone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{Channel, Page};
use crate::notify::{Address, Gateway, LookedUp, Refusal, Sent};

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mood {
    /// Takes every page.
    #[default]
    Accepts,
    /// Answers 500 without sending.
    Refuses,
    /// Sends nothing and answers nothing in time.
    Hangs,
    /// Sends, but the answer is lost.
    Loses,
    /// Says that the number is wrong.
    Rejects,
}

impl Mood {
    /// Every mood; it accepts more often than not.
    pub(super) const ALL: [Self; 8] = [
        Self::Accepts,
        Self::Accepts,
        Self::Accepts,
        Self::Accepts,
        Self::Refuses,
        Self::Hangs,
        Self::Loses,
        Self::Rejects,
    ];
}

#[derive(Debug, Default)]
struct Phone {
    mood: Mood,
    can_be_asked: bool,
    /// How often each page reached a phone.
    arrived: BTreeMap<String, usize>,
    /// Pages that reached a phone since somebody looked.
    news: Vec<String>,
    /// Pages that it was given, whatever became of them.
    given: BTreeSet<String>,
    /// Every hand-over.
    n_sent: usize,
}

/// The gateway: a clone is another handle on the same phones.
#[derive(Debug, Clone, Default)]
pub struct FakeGateway(Arc<Mutex<Phone>>);

impl FakeGateway {
    /// A gateway that accepts; `can_be_asked` says whether it keeps what it was given by our id.
    pub fn new(can_be_asked: bool) -> Self {
        let gateway = Self::default();
        gateway.with(|phone| phone.can_be_asked = can_be_asked);
        gateway
    }

    fn with<T>(&self, work: impl FnOnce(&mut Phone) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes how it answers.
    pub fn set_mood(&self, mood: Mood) {
        self.with(|phone| phone.mood = mood);
    }

    /// How often a page reached a phone.
    pub fn arrivals(&self, page: &str) -> usize {
        self.with(|phone| phone.arrived.get(page).copied().unwrap_or(0))
    }

    /// Whether it was ever given a page.
    pub fn was_given(&self, page: &str) -> bool {
        self.with(|phone| phone.given.contains(page))
    }

    /// Pages that reached a phone since the last call.
    pub fn take_news(&self) -> Vec<String> {
        self.with(|phone| std::mem::take(&mut phone.news))
    }

    /// Whether it keeps what it was given by our id.
    pub fn can_be_asked(&self) -> bool {
        self.with(|phone| phone.can_be_asked)
    }
}

impl Gateway for FakeGateway {
    fn id(&self) -> &str {
        "simulated"
    }

    fn serves(&self, _channel: Channel) -> bool {
        true
    }

    fn send(&self, page: &Page, _address: &Address) -> Sent {
        self.with(|phone| {
            let arrives = matches!(phone.mood, Mood::Accepts | Mood::Loses);
            if arrives {
                *phone.arrived.entry(page.id.clone()).or_default() += 1;
                phone.news.push(page.id.clone());
            }
            phone.n_sent += 1;
            phone.given.insert(page.id.clone());
            match phone.mood {
                Mood::Accepts => Sent::Accepted { id: format!("sim-{}", phone.n_sent) },
                Mood::Refuses => Sent::Refused { reason: Refusal::Server, permanent: false, retry_after: None },
                Mood::Rejects => Sent::Refused { reason: Refusal::Recipient, permanent: true, retry_after: None },
                Mood::Hangs | Mood::Loses => Sent::Unknown { why: "no answer in time".to_owned() },
            }
        })
    }

    fn look_up(&self, page: &Page) -> Option<LookedUp> {
        self.with(|phone| {
            if !phone.can_be_asked {
                return None;
            }
            Some(match phone.arrived.get(&page.id) {
                Some(_) => LookedUp::Accepted { id: "sim".to_owned() },
                None => LookedUp::NotThere,
            })
        })
    }
}
