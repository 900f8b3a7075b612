//! SQLite, PostgreSQL and memory give the same answers to the same calls, sensible or not.
//!
//! The idea: a list of random calls is played against each side by the same [`Player`], which writes down every answer
//! and, at the end, everything that can be read. The records must be one and the same.

use bongsu::model::*;
use bongsu::store::{Store, StoreError};
use proptest::prelude::*;

use crate::postgres::InPostgres;
use crate::store_suite::*;

/// Of one partition: rows to put (or remove), and hosts that raise a signal.
type Part = (i32, Vec<(i64, bool)>, Vec<i64>);

/// A call with its free choices; what they mean depends on what went before.
#[derive(Debug, Clone)]
enum Call {
    Own(i32),
    Flush { parts: Vec<Part>, fault: u8 },
    Lead,
    Take(usize),
    Book { opens: Vec<i64>, closes: Vec<i64>, pages: Vec<(i64, usize)>, cancels: Vec<i64>, fault: u8 },
    Add(i64),
    Claim { worker: u8, limit: usize, severity: Option<usize> },
    Reclaim(u8),
    Settle { lease: usize, how: u8 },
    Expire,
    Purge(i64),
    Pass(i64),
    Seat(u8),
}

fn call() -> impl Strategy<Value = Call> {
    let row = (0..6_i64, any::<bool>());
    let part = (0..3_i32, prop::collection::vec(row, 0..4), prop::collection::vec(0..6_i64, 0..3));
    let few = || prop::collection::vec(0..5_i64, 0..3);
    prop_oneof![
        1 => (0..3_i32).prop_map(Call::Own),
        6 => (prop::collection::vec(part, 1..3), any::<u8>()).prop_map(|(parts, fault)| Call::Flush { parts, fault }),
        1 => Just(Call::Lead),
        3 => (0..6_usize).prop_map(Call::Take),
        4 => (few(), few(), prop::collection::vec((0..8_i64, 0..4_usize), 0..3), few(), any::<u8>())
            .prop_map(|(opens, closes, pages, cancels, fault)| Call::Book { opens, closes, pages, cancels, fault }),
        2 => (0..5_i64).prop_map(Call::Add),
        4 => (0..2_u8, 0..3_usize, prop::option::of(0..4_usize))
            .prop_map(|(worker, limit, severity)| Call::Claim { worker, limit, severity }),
        2 => (0..2_u8).prop_map(Call::Reclaim),
        4 => (any::<usize>(), any::<u8>()).prop_map(|(lease, how)| Call::Settle { lease, how }),
        1 => Just(Call::Expire),
        1 => (0..200_i64).prop_map(Call::Purge),
        3 => (1..40_i64).prop_map(Call::Pass),
        2 => any::<u8>().prop_map(Call::Seat),
    ]
}

/// Plays calls against one store.
struct Player<'a> {
    store: &'a dyn Store,
    now: i64,
    owners: Vec<Option<Owner>>,
    leader: Leader,
    leases: Vec<Lease>,
    record: Vec<String>,
}

/// An answer as it is compared: of an error only its kind, since the databases have their own words.
fn shown<T: std::fmt::Debug>(answer: Result<T, StoreError>) -> String {
    match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(StoreError::Corrupt { .. }) => "corrupt".to_owned(),
        Err(StoreError::Refused { .. }) => "refused".to_owned(),
        Err(error) => panic!("{error}"),
    }
}

impl<'a> Player<'a> {
    fn new(store: &'a dyn Store) -> Self {
        let owners = vec![None, None, None];
        Self { store, now: 10, owners, leader: Leader::take(store), leases: Vec::new(), record: Vec::new() }
    }

    fn play(mut self, calls: &[Call]) -> Vec<String> {
        for call in calls {
            let answer = self.call(call);
            self.record.push(format!("{call:?} -> {answer}"));
        }
        self.read();
        self.record
    }

    fn call(&mut self, call: &Call) -> String {
        match call {
            Call::Own(partition) => {
                let owned = self.store.own(TOPIC, *partition, "a").unwrap();
                let progress = owned.progress.clone().unwrap_or_default();
                let owner = Owner { partition: *partition, epoch: owned.epoch, progress };
                self.owners[*partition as usize] = Some(owner);
                format!("{owned:?}")
            }
            Call::Flush { parts, fault } => self.flush(parts, *fault),
            Call::Lead => {
                // One time in two the old leader goes on and must be fenced.
                let rows = lead(self.store, "b");
                let answer = format!("{rows:?}");
                if rows.epoch % 2 == 0 {
                    self.leader.rows = rows;
                }
                answer
            }
            Call::Take(limit) => self.take(*limit),
            Call::Book { opens, closes, pages, cancels, fault } => {
                let commit = self.book(opens, closes, pages, cancels, *fault);
                self.commit(commit)
            }
            Call::Add(n) => {
                let by = format!("duty-{n}");
                shown(self.store.add_input(&Input::Unack { incident: "INC".to_owned(), by }, self.now))
            }
            Call::Claim { worker, limit, severity } => {
                let severity = severity.map(|n| Severity::ALL[n]);
                let until = self.now + 20;
                let leases = self.store.claim(&format!("w{worker}"), severity, *limit, self.now, until).unwrap();
                self.leases.extend(leases.clone());
                format!("{leases:?}")
            }
            Call::Reclaim(worker) => {
                let leases = self.store.reclaim(&format!("w{worker}"), 2, self.now, self.now + 20).unwrap();
                self.leases.extend(leases.clone());
                format!("{leases:?}")
            }
            Call::Settle { lease, how } => self.settle(*lease, *how),
            Call::Expire => shown(self.store.expire(self.now)),
            Call::Purge(before) => shown(self.store.purge(*before)),
            Call::Seat(how) => self.seat(*how),
            Call::Pass(by) => {
                self.now += by;
                String::new()
            }
        }
    }

    fn flush(&mut self, parts: &[Part], fault: u8) -> String {
        let mut made: Vec<PartFlush> = Vec::new();
        for (partition, rows, hosts) in parts {
            let Some(owner) = &self.owners[*partition as usize] else { continue };
            if made.iter().any(|part| part.partition == *partition) {
                continue;
            }
            let mut netted = std::collections::BTreeMap::new();
            for (n, keep) in rows {
                let row = state(*n, self.now);
                netted.insert(*n, if *keep { put(*n, self.now) } else { RowChange::Remove(row.fingerprint) });
            }
            let mut part = owner.part(netted.into_values().collect(), hosts);
            match fault {
                0..=15 => part.epoch -= 1,
                16..=31 => part.from += 1,
                32..=47 => part.progress.seq += 1,
                _ => {}
            }
            made.push(part);
        }
        let answer = self.store.flush(&flush(made.clone()));
        if let Ok(Flushed::Done) = answer {
            for part in made {
                if let Some(owner) = &mut self.owners[part.partition as usize] {
                    owner.progress = part.progress;
                }
            }
        }
        shown(answer)
    }

    fn take(&mut self, limit: usize) -> String {
        let inputs = self.store.inputs(&self.leader.rows.cursors, limit).unwrap();
        let mut commit = BookCommit::default();
        let mut cursors = self.leader.rows.cursors.clone();
        for (n, taken) in (1..).zip(&inputs) {
            match (&taken.input, taken.row) {
                (Input::Signal { key, .. }, _) => {
                    cursors.retain(|old| old.partition != key.partition);
                    cursors.push(key.clone());
                }
                (_, Some(row)) => commit.taken.push(TakenRow {
                    row,
                    input_no: self.leader.rows.input_no + n,
                    done: true,
                    answer: format!("{n}"),
                }),
                (other, None) => panic!("{other:?}"),
            }
        }
        commit.cursors = cursors.clone();
        commit.entries = self.leader.entries(inputs.len() as i64);
        let answer = self.commit(commit);
        if answer == "Done" {
            self.leader.rows.cursors = cursors;
        }
        format!("{inputs:?} {answer}")
    }

    fn book(&self, opens: &[i64], closes: &[i64], pages: &[(i64, usize)], cancels: &[i64], fault: u8) -> BookCommit {
        let of = |n: &i64, state| {
            // Two numbers per fingerprint, so that one may follow the other.
            Incident { state, ..incident(&format!("INC-2611-{n:03}"), n / 2) }
        };
        let closing = closes.iter().filter(|n| !opens.contains(n)).map(|n| of(n, IncidentState::Closed));
        let mut incidents: Vec<Incident> = opens.iter().map(|n| of(n, IncidentState::Open)).chain(closing).collect();
        incidents.sort_by(|a, b| a.id.cmp(&b.id));
        incidents.dedup_by(|a, b| a.id == b.id);
        let mut entries = self.leader.entries(2);
        if fault < 16 {
            entries[1].json.push('x');
        }
        let text = if fault % 64 == 63 { "다른 내용" } else { "내용" };
        let page = |(n, severity): &(i64, usize)| Page {
            text: text.to_owned(),
            due: 10 + n,
            ..page(&format!("p{n}"), &format!("INC-2611-{:03}", n / 2), Severity::ALL[*severity], 60 + 10 * n)
        };
        BookCommit {
            chains: incidents.iter().map(|incident| chain(&incident.id)).collect(),
            incidents,
            pages: pages.iter().map(page).collect(),
            cancels: cancels.iter().map(|n| Cancel { page: format!("p{n}"), why: "acked".to_owned() }).collect(),
            counters: vec![("INC-2611".to_owned(), i64::from(fault))],
            entries,
            notes: vec![(format!("n{}", fault % 3), (fault > 99).then(|| fault.to_string()))],
            ..BookCommit::default()
        }
    }

    fn commit(&mut self, commit: BookCommit) -> String {
        shown(self.leader.try_commit(self.store, commit))
    }

    fn settle(&mut self, lease: usize, how: u8) -> String {
        if self.leases.is_empty() {
            return String::new();
        }
        let lease = self.leases[lease % self.leases.len()].clone();
        let reason = "server".to_owned();
        let outcome = match how % 6 {
            0 => return shown(self.store.renew(&lease, self.now + 30)),
            1 => return shown(self.store.give_back(&lease, "rate", self.now + 5)),
            2 => Outcome::Accepted { id: how.to_string() },
            3 => Outcome::Failed { reason },
            4 => Outcome::Unknown { reason },
            _ => Outcome::Resent,
        };
        shown(self.store.outcome(&lease, &outcome, self.now))
    }

    /// Beats or gives up, as the leader or as one that was.
    fn seat(&self, how: u8) -> String {
        let epoch = self.leader.rows.epoch - i64::from(how % 3 == 2);
        let done = if how % 4 == 3 { self.store.give_up(epoch) } else { self.store.beat(epoch) };
        format!("{} {}", shown(done), shown(self.store.seat()))
    }

    fn read(&mut self) {
        let store = self.store;
        self.record.push(shown(store.partitions()));
        for partition in 0..3 {
            self.record.push(shown(store.signals(TOPIC, partition, 0, 999)));
            self.record.push(shown(store.own(TOPIC, partition, "z")));
        }
        self.record.push(shown(store.inputs(&[], 999)));
        for row in 1..=store.add_input(&Input::Reload { hash: String::new(), contacts: Vec::new() }, 0).unwrap() {
            self.record.push(shown(store.answer(row)));
        }
        self.record.push(shown(store.incidents(999)));
        self.record.push(shown(store.pages(None, 999)));
        self.record.push(shown(store.states(999)));
        self.record.push(shown(store.ledger(0, 999)));
        self.record.push(shown(store.lead("z", &store.seat().unwrap())));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_store_answers_the_same(calls in prop::collection::vec(call(), 1..60)) {
        let (memory, sqlite, postgres) = (InMemory::default(), InSqlite::default(), InPostgres::default());
        let wanted = Player::new(&*memory.open()).play(&calls);
        for other in [sqlite.open(), postgres.open()] {
            let found = Player::new(&*other).play(&calls);
            for (wanted, found) in wanted.iter().zip(&found) {
                prop_assert_eq!(found, wanted);
            }
            prop_assert_eq!(found.len(), wanted.len());
        }
    }
}
