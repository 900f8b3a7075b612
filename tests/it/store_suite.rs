//! Fixtures of the store suite, and the sides it runs over.
//!
//! The idea: a test is a function over a [`Home`], which opens the same durable contents as often as asked: a second
//! handle stands for a second process or for the time after a crash. A new database joins by a line in [`over_all`].

use std::path::PathBuf;
use std::sync::Arc;

use bongsu::model::*;
use bongsu::store::{MemoryStore, Store, StoreError};

/// Durable contents that can be opened.
pub(crate) trait Home {
    /// One more handle.
    fn open(&self) -> Arc<dyn Store>;
}

/// A store in memory.
#[derive(Default)]
pub(crate) struct InMemory(Arc<MemoryStore>);

impl Home for InMemory {
    fn open(&self) -> Arc<dyn Store> {
        self.0.clone()
    }
}

/// A file in a folder of its own.
pub(crate) struct InSqlite {
    folder: tempfile::TempDir,
}

impl Default for InSqlite {
    fn default() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }
}

impl InSqlite {
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("state.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }
}

impl Home for InSqlite {
    fn open(&self) -> Arc<dyn Store> {
        Arc::new(bongsu::store::open(&self.url()).unwrap())
    }
}

/// Makes a test per side of each function over `&dyn Home`.
macro_rules! over_all {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[test] fn $name() { super::$name(&crate::store_suite::InSqlite::default()); })+
        }
        mod memory {
            $(#[test] fn $name() { super::$name(&crate::store_suite::InMemory::default()); })+
        }
        mod postgres {
            $(#[test] fn $name() { super::$name(&crate::postgres::InPostgres::default()); })+
        }
    };
}
pub(crate) use over_all;

pub(crate) const TOPIC: &str = "telemetry";

pub(crate) fn labels(n: i64) -> Labels {
    Labels::new([("host", format!("host-{n:05}")), ("구간", "응용 \"A\"".to_owned())])
}

pub(crate) fn state(n: i64, at: i64) -> StateRow {
    StateRow {
        fingerprint: Fingerprint::of("vm-cpu-high", &labels(n)),
        rule: "vm-cpu-high".into(),
        labels: labels(n),
        watch: "avg system.cpu.utilization".to_owned(),
        state: State::Pending,
        severity: None,
        since: [Some(at), None, None, None],
        occurred: Some(at),
        recovering: None,
        unknown: None,
        unknown_since: None,
        newest: Some(at),
        valued: Some(at),
        again: None,
        value: Some(0.1 + 0.2),
    }
}

pub(crate) fn put(n: i64, at: i64) -> RowChange {
    RowChange::Put(Box::new(state(n, at)))
}

pub(crate) fn signal(n: i64, at: i64) -> Signal {
    Signal {
        rule: "vm-cpu-high".into(),
        labels: labels(n),
        fingerprint: Fingerprint::of("vm-cpu-high", &labels(n)),
        from: State::Pending,
        to: State::Firing,
        severity: Some(Severity::S1),
        value: Some(1.0 / 3.0),
        unknown: None,
        at,
        since: Some(at - 1),
        ended: None,
        acted: true,
    }
}

/// The rule `disk` begins to fire over one host.
pub(crate) fn firing(host: &str, severity: Severity, at: i64) -> Signal {
    let labels = Labels::new([("host", host)]);
    Signal {
        rule: "disk".into(),
        fingerprint: Fingerprint::of("disk", &labels),
        labels,
        from: State::Inactive,
        severity: Some(severity),
        value: None,
        since: None,
        ..signal(0, at)
    }
}

/// What one partition has done: makes the next part of a flush and remembers where it ends.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) partition: i32,
    pub(crate) epoch: i64,
    pub(crate) progress: Progress,
}

impl Owner {
    pub(crate) fn take(store: &dyn Store, partition: i32) -> Self {
        let owned = store.own(TOPIC, partition, "engine-1").unwrap();
        Self { partition, epoch: owned.epoch, progress: owned.progress.unwrap_or_default() }
    }

    /// The next ten records: `rows` changed, one signal per host of `hosts`.
    pub(crate) fn part(&self, rows: Vec<RowChange>, hosts: &[i64]) -> PartFlush {
        let mut progress = self.progress.clone();
        progress.offset += 10;
        progress.clock += 1_000;
        progress.seq += hosts.len() as i64;
        progress.topic_id = "topic-7".to_owned();
        progress.heard = 3;
        let seqs = self.progress.seq + 1..;
        let signals: Vec<_> = seqs.zip(hosts).map(|(seq, host)| (seq, signal(*host, progress.clock))).collect();
        // Of some nobody knows how they came.
        let came = signals.iter().filter(|(seq, _)| seq % 3 > 0).map(|(seq, _)| (*seq, came(*seq))).collect();
        let (partition, epoch, from) = (self.partition, self.epoch, self.progress.offset);
        PartFlush { partition, epoch, from, progress, rows, signals, came }
    }

    /// Flushes it, alone.
    pub(crate) fn flush(&mut self, store: &dyn Store, rows: Vec<RowChange>, hosts: &[i64]) -> Flushed {
        let part = self.part(rows, hosts);
        let after = part.progress.clone();
        let done = store.flush(&flush(vec![part])).unwrap();
        if done == Flushed::Done {
            self.progress = after;
        }
        done
    }
}

pub(crate) fn flush(parts: Vec<PartFlush>) -> Flush {
    Flush { topic: TOPIC.to_owned(), parts }
}

pub(crate) fn came(seq: i64) -> Came {
    Came { sampled: 100 * seq, appended: 100 * seq + 1, consumed: 100 * seq + 2 }
}

pub(crate) fn incident(id: &str, n: i64) -> Incident {
    Incident {
        id: id.to_owned(),
        fingerprint: Fingerprint::of("vm-cpu-high", &labels(n)),
        rule: "vm-cpu-high".into(),
        labels: labels(n),
        title: "CPU 사용률 과다".to_owned(),
        domain: Domain::Infra,
        state: IncidentState::Open,
        severity: Severity::S1,
        occurred: 1,
        detected: 10 + n,
        resolved: None,
        ended: None,
        ack: None,
        reopened: vec![1, 2],
        flapping: false,
        occurrence: 1,
        held_until: None,
        partition: Some((TOPIC.to_owned(), 0)),
        notify_by: Some(70),
        notified: None,
        calm_since: None,
        codes_used: 0,
        muted: None,
        sla: None,
        parent: None,
        group: Default::default(),
        came: None,
        drill: None,
    }
}

pub(crate) fn chain(incident: &str) -> ChainRow {
    ChainRow {
        incident: incident.to_owned(),
        snapshot: "{\"id\":\"infra\"}".to_owned(),
        step: Some(0),
        round: 0,
        due: Some(300_000),
        hurry: Some(50_000),
        told: vec![("msp-duty-1".to_owned(), Channel::Sms)],
        paused: None,
    }
}

pub(crate) fn page(id: &str, incident: &str, severity: Severity, deadline: i64) -> Page {
    Page {
        id: id.to_owned(),
        incident: incident.to_owned(),
        severity,
        reason: Reason::First,
        step: 0,
        round: 0,
        occurrence: 1,
        to: "msp-duty-1".to_owned(),
        channel: Channel::Sms,
        title: String::new(),
        text: "[중대] INC-2611-001 인프라 CPU 사용률 과다".to_owned(),
        decided: 5,
        due: 10,
        wanted: deadline,
        deadline,
        came: None,
        prompt: false,
    }
}

/// Takes the seat, whoever has it.
pub(crate) fn lead(store: &dyn Store, owner: &str) -> BookRows {
    let seen = store.seat().unwrap();
    store.lead(owner, &seen).unwrap().expect("nobody else wants the seat")
}

/// The leader: keeps the epoch and the ledger's end, so that a test states only what matters to it.
#[derive(Debug, Clone)]
pub(crate) struct Leader {
    pub(crate) rows: BookRows,
}

impl Leader {
    pub(crate) fn take(store: &dyn Store) -> Self {
        Self { rows: lead(store, "engine-1") }
    }

    /// The next `n` ledger entries.
    pub(crate) fn entries(&self, n: i64) -> Vec<Entry> {
        let mut hash = self.rows.hash.clone();
        let mut entries = Vec::new();
        for input_no in self.rows.input_no + 1..=self.rows.input_no + n {
            let entry = Entry::after(&hash, input_no, 1_000 + input_no, "ack", format!("{{\"n\":{input_no}}}"));
            hash.clone_from(&entry.hash);
            entries.push(entry);
        }
        entries
    }

    /// Commits `commit` under this leader's epoch.
    pub(crate) fn try_commit(&mut self, store: &dyn Store, commit: BookCommit) -> Result<Committed, StoreError> {
        let done = store.commit(&BookCommit { epoch: self.rows.epoch, ..commit.clone() })?;
        if let (Committed::Done, Some(last)) = (done.clone(), commit.entries.last()) {
            self.rows.input_no = last.input_no;
            self.rows.hash.clone_from(&last.hash);
        }
        Ok(done)
    }

    pub(crate) fn commit(&mut self, store: &dyn Store, commit: BookCommit) -> Committed {
        self.try_commit(store, commit).unwrap()
    }
}

/// A store whose outbox holds `pages`.
/// When the pages of [`outbox`] were written.
pub(crate) const QUEUED: i64 = 11;

pub(crate) fn outbox(home: &dyn Home, pages: Vec<Page>) -> (Arc<dyn Store>, Leader) {
    let store = home.open();
    let mut leader = Leader::take(&*store);
    assert_eq!(
        leader.commit(&*store, BookCommit { pages, queued: Some(QUEUED), ..BookCommit::default() }),
        Committed::Done
    );
    (store, leader)
}

pub(crate) fn is_corrupt<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Corrupt { .. }))
}
