//! What `notify` asks for, over the store and the contacts in force: edges are strangers and meet here.

use std::sync::{Arc, PoisonError, RwLock};

use crate::model::{AckKey, Channel, Inventory, Lease, Outcome, People, RuleSet, Severity, ack_code};
use crate::notify::{Address, AddressBook, Outbox, OutboxError, OutboxResult};
use crate::store::{Store, StoreError};
use crate::time::Ms;

/// The store as an outbox. Texts leave it with the one-time codes that rows never hold.
#[derive(Debug, Clone)]
pub struct StoreOutbox {
    store: Arc<dyn Store>,
    key: Option<AckKey>,
}

impl StoreOutbox {
    /// The outbox of `store`; without a key messages have no code.
    pub fn new(store: Arc<dyn Store>, key: Option<AckKey>) -> Self {
        Self { store, key }
    }

    fn filled(&self, mut leases: Vec<Lease>) -> Vec<Lease> {
        for Lease { page, .. } in &mut leases {
            page.text = ack_code::fill(&page.text, &page.incident, page.occurrence, self.key.as_ref());
        }
        leases
    }
}

fn plain(error: StoreError) -> OutboxError {
    OutboxError(error.to_string())
}

impl Outbox for StoreOutbox {
    fn claim(
        &self,
        worker: &str,
        severity: Option<Severity>,
        limit: usize,
        now: Ms,
        until: Ms,
    ) -> OutboxResult<Vec<Lease>> {
        self.store.claim(worker, severity, limit, now, until).map(|leases| self.filled(leases)).map_err(plain)
    }

    fn reclaim(&self, worker: &str, limit: usize, now: Ms, until: Ms) -> OutboxResult<Vec<Lease>> {
        self.store.reclaim(worker, limit, now, until).map(|leases| self.filled(leases)).map_err(plain)
    }

    fn renew(&self, lease: &Lease, until: Ms) -> OutboxResult<bool> {
        self.store.renew(lease, until).map_err(plain)
    }

    fn submit(&self, lease: &Lease, now: Ms, until: Ms) -> OutboxResult<bool> {
        self.store.submit(lease, now, until).map_err(plain)
    }

    fn outcome(&self, lease: &Lease, outcome: &Outcome, now: Ms) -> OutboxResult<bool> {
        self.store.outcome(lease, outcome, now).map_err(plain)
    }

    fn give_back(&self, lease: &Lease, why: &str, due: Ms) -> OutboxResult<bool> {
        self.store.give_back(lease, why, due).map_err(plain)
    }

    fn expire(&self, now: Ms) -> OutboxResult<usize> {
        self.store.expire(now).map_err(plain)
    }
}

/// The contacts in force, with inventory and rules for whoever looks up all of them; a clone is the same book, so that a reload
/// reaches every sender.
#[derive(Debug, Clone, Default)]
pub struct Contacts {
    people: Arc<RwLock<Arc<People>>>,
    inventory: Arc<RwLock<Arc<Inventory>>>,
    rules: Arc<RwLock<Arc<RuleSet>>>,
}

impl Contacts {
    /// A book of `people`.
    pub fn new(people: Arc<People>) -> Self {
        Self { people: Arc::new(RwLock::new(people)), ..Self::default() }
    }

    /// Puts other contacts in force.
    pub fn replace(&self, people: Arc<People>) {
        *self.people.write().unwrap_or_else(PoisonError::into_inner) = people;
    }

    /// Puts another inventory and other rules in force.
    pub fn stock(&self, inventory: Arc<Inventory>, rules: Arc<RuleSet>) {
        *self.inventory.write().unwrap_or_else(PoisonError::into_inner) = inventory;
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// The rules in force.
    pub fn rules(&self) -> Arc<RuleSet> {
        Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The inventory in force.
    pub fn inventory(&self) -> Arc<Inventory> {
        Arc::clone(&self.inventory.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The contacts in force.
    pub fn people(&self) -> Arc<People> {
        Arc::clone(&self.people.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AddressBook for Contacts {
    fn address(&self, contact: &str, channel: Channel) -> Option<Address> {
        let people = self.people();
        let contact = people.contacts.iter().find(|person| person.id == contact)?;
        let address = match channel {
            Channel::Sms | Channel::Mms => contact.phone.clone(),
            Channel::Mail => contact.email.clone(),
        };
        address.map(Address)
    }
}
