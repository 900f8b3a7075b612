//! What became of accepted pages: asked for again and again, or told at the door.
//!
//! The idea: a receipt is an input like any other. Whoever learns of one writes it with the store's one transaction,
//! which takes it for a page once and ignores it when it comes again; so polling and webhook may both be on. Escalation never
//! waits for a receipt: a message that was delivered has not been read yet.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::console::{self, Unposted};
use crate::model::{Fate, Outcome, PageRow, Passage};
use crate::notify::{Denied, Gateway as _, Paced};
use crate::pipeline::wake::Wake;
use crate::store::{About, Store, StoreError};
use crate::telemetry::Metrics;
use crate::time::{Clock, HOUR, Ms};

/// Accepted pages looked at in one turn, the newest first: more than 72 h of this site's messages.
const ROWS: usize = 5_000;
/// An old message is asked about no seldomer than this.
const PAUSE_MAX: Ms = HOUR;

/// Writes receipts.
#[derive(Debug, Clone)]
pub struct Receipts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Gateways in order of preference.
    pub ways: Vec<Arc<Paced>>,
    /// Wakes the leader.
    pub wake: Arc<Wake>,
    /// Own metrics.
    pub metrics: Arc<Metrics>,
}

impl Receipts {
    /// Whether any gateway is to be asked.
    pub fn has_to_ask(&self) -> bool {
        self.ways.iter().any(|way| way.poll().is_some())
    }

    /// Writes what became of a page; `false` where there is nothing to write or it is known already.
    fn write(&self, about: &About<'_>, fate: &Fate, id: &str) -> Result<bool, StoreError> {
        let outcome = match fate {
            Fate::Pending => return Ok(false),
            Fate::Delivered => Outcome::Delivered { id: id.to_owned() },
            Fate::Failed(reason) => Outcome::Failed { reason: reason.clone() },
        };
        let written = self.store.receipt(about, &outcome, self.clock.wall())?;
        if let Some(row) = &written {
            if row.sending.delivered.is_some() {
                self.metrics.hops.delivered(&Passage::of(&row.page, &row.sending));
            }
            tracing::info!(outcome = outcome.word(), detail = outcome.detail(), "receipt taken");
            self.wake.ring();
        }
        Ok(written.is_some())
    }
}

impl console::Receipts for Receipts {
    fn take(&self, gateway: &str, header: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Result<usize, Unposted> {
        use crate::notify::Gateway;
        let way = self.ways.iter().find(|way| way.id() == gateway).ok_or(Unposted::NotHere)?;
        let told = Gateway::told(way.as_ref(), header, body).map_err(|denied| match denied {
            Denied::NotHere => Unposted::NotHere,
            Denied::Secret => Unposted::Secret,
            Denied::Unreadable => Unposted::Unreadable,
        })?;
        let mut settled = 0;
        for one in &told {
            let id = one.id.as_deref().unwrap_or("");
            let about = match (&one.page, &one.id) {
                (Some(page), _) => About::Page(page),
                (None, Some(id)) => About::Detail(id),
                (None, None) => continue,
            };
            let written = self.write(&about, &one.fate, id).map_err(|error| Unposted::Away(error.to_string()))?;
            settled += usize::from(written);
        }
        Ok(settled)
    }
}

/// Asks what became of accepted pages.
#[derive(Debug)]
pub struct Asking {
    receipts: Receipts,
    /// When a page is asked about next, wall time.
    next: BTreeMap<String, Ms>,
}

impl Asking {
    /// Nothing was asked yet.
    pub fn new(receipts: Receipts) -> Self {
        Self { receipts, next: BTreeMap::new() }
    }

    /// Asks about every page that is due, until `stop` says so; returns how many were settled.
    ///
    /// # Errors
    /// The store cannot be read or written.
    pub fn turn(&mut self, now: Ms, stop: &dyn Fn() -> bool) -> Result<usize, StoreError> {
        let Some(longest) = self.receipts.ways.iter().filter_map(|way| Some(way.poll()?.1)).max() else { return Ok(0) };
        let rows = self.receipts.store.accepted(now - longest, ROWS)?;
        let mut next = BTreeMap::new();
        let mut settled = 0;
        for row in &rows {
            let due = self.next.get(&row.page.id).copied();
            if due.is_some_and(|due| due > now) || stop() {
                next.extend(due.map(|due| (row.page.id.clone(), due)));
                continue;
            }
            let (written, due) = self.ask(row, now, due.is_some())?;
            settled += usize::from(written);
            if !written {
                next.insert(row.page.id.clone(), due);
            }
        }
        self.next = next;
        Ok(settled)
    }

    /// Asks about one page; when it was not settled, the time of the next question. The first is asked one distance
    /// after its acceptance, and the distances grow with its age.
    fn ask(&self, row: &PageRow, now: Ms, was_waited: bool) -> Result<(bool, Ms), StoreError> {
        let accepted = row.done.unwrap_or(row.page.decided);
        let age = now - accepted;
        for way in &self.receipts.ways {
            let Some((every, _)) = way.poll().filter(|(_, until)| age <= *until) else { continue };
            if !was_waited && age < every {
                return Ok((false, accepted + every));
            }
            if let Some(fate) = way.receipt(&row.page, &row.detail) {
                let written = self.receipts.write(&About::Page(&row.page.id), &fate, &row.detail)?;
                return Ok((written, now + every.max((age / 4).min(PAUSE_MAX))));
            }
        }
        Ok((false, now + PAUSE_MAX.min((age / 4).max(30_000))))
    }
}
