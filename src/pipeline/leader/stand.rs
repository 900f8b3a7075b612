//! A test stand for the leader: rows instead of a store, a clock that is set, people who do what they are told.
//!
//! It is as strict as a store: a commit that breaks a promise panics with what it broke.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Leader, World};
use crate::model::*;
use crate::page::{ksx1001, wording};
use crate::time::{DAY, MINUTE, Ms};

/// 2026-11-24 09:00 KST, a Tuesday.
pub(super) const T0: Ms = 1_795_478_400_000;

pub(super) struct Stand {
    pub(super) leader: Leader,
    pub(super) world: Arc<World>,
    pub(super) rows: BookRows,
    pub(super) pages: Vec<PageRow>,
    pub(super) entries: Vec<Entry>,
    pub(super) moved: Vec<(Ms, Change, String)>,
    pub(super) now: Ms,
    /// A change of leaders after every commit.
    pub(super) is_crashing: bool,
    /// Everybody's phone works: pages are handed over and accepted as soon as they are decided.
    pub(super) delivers: bool,
    /// The leader lets nothing ring yet.
    pub(super) is_closed: bool,
    pub(super) seq: i64,
    row: i64,
}

pub(super) fn contact(id: &str, org: &str, role: &str, domains: &[Domain]) -> Contact {
    Contact {
        id: id.to_owned(),
        org: org.to_owned(),
        roles: vec![role.to_owned()],
        domains: domains.to_vec(),
        name: format!("가상인{id}"),
        phone: Some("010-0000-0001".to_owned()),
        email: Some(format!("{id}@example.test")),
        ..Contact::default()
    }
}

pub(super) fn role(org: &str, role: &str) -> Target {
    Target::Role { org: org.to_owned(), role: role.to_owned() }
}

pub(super) fn people() -> People {
    let both = vec![Channel::Sms, Channel::Mail];
    let mut severities = [SeverityPlan::default(); 4];
    severities[2].upto = Some(1);
    severities[3].digest = true;
    let chain = Chain {
        id: "infra".to_owned(),
        matchers: vec![Matcher { label: "domain".to_owned(), test: Test::Is, value: "인프라".to_owned() }],
        default: true,
        steps: vec![
            Step { to: vec![role("MSP", "duty")], by: vec![Channel::Sms], wait: 5 * MINUTE, when: None },
            Step { to: vec![role("CSP", "duty"), role("AP", "duty")], by: both.clone(), wait: 5 * MINUTE, when: None },
        ],
        last: Last { to: vec![role("MSP", "manager"), role("NIA", "owner")], by: both, repeat: 10 * MINUTE },
        severities,
        digest_hour: 9,
        ..Chain::default()
    };
    People {
        pages_an_hour: None,
        sla: SlaPlan::default(),
        contacts: vec![
            contact("msp-duty-1", "MSP", "duty", &[Domain::Infra, Domain::Network]),
            contact("csp-duty", "CSP", "duty", &[]),
            contact("ap-duty", "AP", "duty", &[Domain::Application]),
            contact("boss", "MSP", "manager", &[]),
            contact("owner", "NIA", "owner", &[Domain::Infra]),
        ],
        chains: vec![chain],
        ..People::default()
    }
}

pub(super) fn rule(id: &str, title: &str) -> Arc<Rule> {
    let hold = NoData { after: MINUTE, then: Then::Hold };
    Arc::new(Rule {
        id: id.into(),
        title: title.to_owned(),
        domain: Domain::Infra,
        interval: 1_000,
        watch: Watch::Metric { name: "m".to_owned(), matchers: Vec::new() },
        by: None,
        function: Function::Last,
        over: MINUTE,
        step: None,
        across: None,
        when: Comparison::Above,
        levels: vec![Level { severity: Severity::S1, threshold: Threshold::One(0.9), hold: 0 }],
        recover: Recover::default(),
        min_samples: 1,
        no_data: hold,
        forget: DAY,
        chain: None,
        overrides: Vec::new(),
        also: Vec::new(),
        join: Join::All,
        mode: Mode::Live,
        beside: None,
        expected: false,
        bonds: Default::default(),
    })
}

pub(super) fn world() -> World {
    let rules = RuleSet { hash: "1".to_owned(), rules: vec![rule("cpu", "CPU 사용률 과다")], groups: Vec::new() };
    let resource = |id: &str| (id.to_owned(), Resource { id: id.to_owned(), ..Resource::default() });
    World::new(rules, people(), Inventory { resources: [resource("db-01")].into_iter().collect() })
}

/// A signal of `rule` on `host` at `at`: from inactive to firing at `severity`, or `None`: resolved.
pub(super) fn signal(rule: &str, host: &str, severity: Option<Severity>, at: Ms) -> Signal {
    let labels = Labels::new([("host", host)]);
    Signal {
        rule: rule.into(),
        fingerprint: Fingerprint::of(rule, &labels),
        labels,
        from: if severity.is_some() { State::Inactive } else { State::Firing },
        to: if severity.is_some() { State::Firing } else { State::Resolved },
        severity: severity.or(Some(Severity::S1)),
        value: None,
        unknown: None,
        at,
        since: Some(at - MINUTE),
        ended: None,
        acted: true,
    }
}

impl Stand {
    pub(super) fn new() -> Self {
        Self::with(world())
    }

    pub(super) fn with(world: World) -> Self {
        let world = Arc::new(world);
        let rows = BookRows { epoch: 1, ..BookRows::default() };
        Self {
            leader: Leader::load(&rows, world.clone()),
            world,
            rows,
            pages: Vec::new(),
            entries: Vec::new(),
            moved: Vec::new(),
            now: T0,
            is_crashing: false,
            delivers: true,
            is_closed: false,
            seq: 0,
            row: 0,
        }
    }

    /// Takes one signal now and delivers what it causes.
    pub(super) fn signal(&mut self, rule: &str, host: &str, severity: Option<Severity>) {
        self.raw(signal(rule, host, severity, self.now));
    }

    /// The instance fires on at another severity.
    pub(super) fn regrade(&mut self, rule: &str, host: &str, severity: Severity) {
        self.raw(Signal { from: State::Firing, ..signal(rule, host, Some(severity), self.now) });
    }

    pub(super) fn raw(&mut self, signal: Signal) {
        self.signals(vec![signal], 100, true);
    }

    pub(super) fn signals(&mut self, signals: Vec<Signal>, heard: i64, caught_up: bool) {
        let mut taken = Vec::new();
        for signal in signals {
            self.seq += 1;
            let key = SignalKey { topic: "t".to_owned(), partition: 0, seq: self.seq };
            taken.push(Taken { row: None, input: Input::Signal { key, signal, heard, caught_up, came: None } });
        }
        self.take(&taken);
        self.settle();
    }

    /// Gives one input from outside; returns whether it did what it asked for, and the answer.
    pub(super) fn input(&mut self, input: Input) -> (bool, String) {
        self.row += 1;
        let commit = self.take(&[Taken { row: Some(self.row), input }]);
        self.settle();
        let row = commit.taken.first().expect("every input row is answered");
        (row.done, row.answer.clone())
    }

    pub(super) fn ack(&mut self, id: &str, hold: Ms) -> (bool, String) {
        self.input(Input::Ack { incident: id.to_owned(), by: "msp-duty-1".to_owned(), note: String::new(), hold })
    }

    /// Lets time pass until `at`, doing everything that is due at its very instant.
    pub(super) fn until(&mut self, at: Ms) {
        while let Some(due) = self.leader.next_due().filter(|due| *due <= at) {
            self.now = self.now.max(due);
            let commit = self.leader.due(self.now).expect("something is due");
            self.write(&commit);
            self.settle();
        }
        self.now = at;
    }

    pub(super) fn pass(&mut self, length: Ms) {
        self.until(self.now + length);
    }

    pub(super) fn take(&mut self, taken: &[Taken]) -> BookCommit {
        let commit = self.leader.take(taken, self.now);
        self.write(&commit);
        commit
    }

    /// Hands over and accepts every waiting page, if phones work.
    pub(super) fn settle(&mut self) {
        while self.delivers {
            let waiting = self.pages.iter().filter(|row| row.state == PageState::Waiting && row.page.due <= self.now);
            let ids: Vec<String> = waiting.map(|row| row.page.id.clone()).collect();
            if ids.is_empty() {
                return;
            }
            for id in ids {
                self.hand(&id);
                self.outcome(&id, Outcome::Accepted { id: "g".to_owned() });
            }
        }
    }

    pub(super) fn hand(&mut self, id: &str) {
        let now = self.now;
        let row = self.pages.iter_mut().find(|row| row.page.id == id).expect("a page of that id");
        assert_eq!(row.state, PageState::Waiting, "{id} is handed over once");
        row.state = PageState::Handed;
        row.handed = Some(now);
        self.row += 1;
        self.take(&[Taken { row: Some(self.row), input: Input::Handed { page: id.to_owned() } }]);
    }

    /// The sender gives it back unsent.
    pub(super) fn give_back(&mut self, id: &str) {
        let row = self.pages.iter_mut().find(|row| row.page.id == id).expect("a page of that id");
        assert_eq!(row.state, PageState::Handed, "{id} is with a sender");
        row.state = PageState::Waiting;
        self.row += 1;
        self.take(&[Taken { row: Some(self.row), input: Input::GivenBack { page: id.to_owned(), again: false } }]);
    }

    /// Pages that wait or have left, by channel, of one reason and to one person.
    pub(super) fn said(&self, to: &str, reason: Reason) -> Vec<Channel> {
        let lives = |row: &&PageRow| !matches!(row.state, PageState::Cancelled | PageState::Failed);
        let rows = self.pages.iter().filter(lives).filter(|row| row.page.to == to && row.page.reason == reason);
        rows.map(|row| row.page.channel).collect()
    }

    pub(super) fn outcome(&mut self, id: &str, outcome: Outcome) {
        let row = self.pages.iter_mut().find(|row| row.page.id == id).expect("a page of that id");
        row.state = match outcome {
            Outcome::Accepted { .. } => PageState::Accepted,
            Outcome::Delivered { .. } => PageState::Delivered,
            Outcome::Failed { .. } => PageState::Failed,
            _ => PageState::Unknown,
        };
        self.row += 1;
        self.take(&[Taken { row: Some(self.row), input: Input::Outcome { page: id.to_owned(), outcome, at: None } }]);
    }

    pub(super) fn write(&mut self, commit: &BookCommit) {
        for page in &commit.pages {
            check_text(&self.world, page);
            assert!(self.pages.iter().all(|row| row.page.id != page.id), "{} is decided twice: {page:?}", page.id);
            self.pages.push(PageRow {
                page: page.clone(),
                state: PageState::Waiting,
                detail: String::new(),
                handed: None,
                done: None,
                tries: 0,
                sending: Default::default(),
            });
        }
        for cancel in &commit.cancels {
            let row =
                self.pages.iter_mut().find(|row| row.page.id == cancel.page).expect("only what exists is cancelled");
            assert_eq!(row.state, PageState::Waiting, "only what waits is cancelled");
            row.state = PageState::Cancelled;
            row.detail.clone_from(&cancel.why);
        }
        self.write_rows(commit);
        self.moved.extend(self.leader.view().moved.iter().map(|(at, change, it)| (*at, *change, it.id.clone())));
        self.check();
        if self.is_crashing {
            self.crash();
        }
    }

    fn write_rows(&mut self, commit: &BookCommit) {
        let rows = &mut self.rows;
        for incident in &commit.incidents {
            rows.incidents.retain(|known| known.id != incident.id);
            rows.incidents.push(incident.clone());
        }
        for chain in &commit.chains {
            rows.chains.retain(|known| known.incident != chain.incident);
            rows.chains.push(chain.clone());
        }
        for key in &commit.cursors {
            rows.cursors.retain(|known| (&known.topic, known.partition) != (&key.topic, key.partition));
            rows.cursors.push(key.clone());
        }
        for (name, last) in &commit.counters {
            rows.counters.retain(|(known, before)| known != name || before > last);
            rows.counters.push((name.clone(), *last));
        }
        for (key, text) in &commit.notes {
            rows.notes.retain(|(known, _)| known != key);
            rows.notes.extend(text.clone().map(|text| (key.clone(), text)));
        }
        for entry in &commit.entries {
            let before = if rows.input_no == 0 { Entry::GENESIS } else { &rows.hash };
            let again = Entry::after(before, rows.input_no + 1, entry.at, &entry.kind, entry.json.clone());
            assert_eq!(*entry, again, "the ledger is a chain");
            (rows.input_no, rows.hash) = (entry.input_no, entry.hash.clone());
            self.entries.push(entry.clone());
        }
    }

    /// Another leader takes over, with what the store gives it.
    pub(super) fn crash(&mut self) {
        self.leader = Leader::load(&self.stored(), self.world.clone());
    }

    fn stored(&self) -> BookRows {
        let mut rows = self.rows.clone();
        rows.incidents.retain(|incident| incident.state != IncidentState::Closed);
        let open = |id: &str| rows.incidents.iter().any(|incident| incident.id == id);
        let of_open = |row: &&PageRow| row.state != PageState::Cancelled && open(&row.page.incident);
        let live = |row: &&PageRow| matches!(row.state, PageState::Waiting | PageState::Handed) || of_open(row);
        rows.pages = self.pages.iter().filter(live).cloned().collect();
        rows.chains.retain(|chain| rows.incidents.iter().any(|incident| incident.id == chain.incident));
        rows
    }

    /// What must hold after every commit.
    fn check(&self) {
        let live = self.rows.incidents.iter().filter(|incident| incident.state.is_live());
        let mut seen = BTreeMap::new();
        for incident in live {
            let other = seen.insert(incident.fingerprint, &incident.id);
            assert_eq!(other, None, "two live incidents of one fingerprint");
            let rests = incident.severity != Severity::S1 || incident.state == IncidentState::Acked;
            let acts = self.leader.chain_due(&incident.id).is_some() || incident.holds_pages() || incident.flapping;
            assert!(rests || acts, "an open S1 without a next action: {incident:?}");
        }
        for child in self.rows.incidents.iter().filter(|incident| incident.state.is_live() && incident.parent.is_some())
        {
            let parent = self.incident(child.parent.as_deref().unwrap_or_default());
            assert!(parent.state.is_live(), "{} hangs under {}, which is over", child.id, parent.id);
            assert!(parent.severity <= child.severity, "{} is milder than {}", parent.id, child.id);
        }
        let is_done = self.leader.next_due().is_none_or(|at| at > self.now);
        assert!(is_done || self.is_closed, "what was due is done");
        for row in self.pages.iter().filter(|row| row.state == PageState::Waiting) {
            let incident = self.rows.incidents.iter().find(|incident| incident.id == row.page.incident);
            let is_acked = incident.is_some_and(|incident| incident.state == IncidentState::Acked);
            let is_told_of_it = row.page.step < -1 || row.page.reason == Reason::Handover;
            assert!(!is_acked || is_told_of_it, "a page about an acked incident waits: {row:?}");
        }
    }

    // --- asking

    pub(super) fn incident(&self, id: &str) -> &Incident {
        self.rows.incidents.iter().find(|incident| incident.id == id).expect("an incident of that number")
    }

    /// `(to, channel, reason)` of the pages decided since `since`, without those taken back.
    pub(super) fn heard(&self, since: Ms) -> Vec<(String, &'static str, &'static str)> {
        let rows = self.pages.iter().filter(|row| row.page.decided >= since && row.state != PageState::Cancelled);
        rows.map(|row| (row.page.to.clone(), row.page.channel.word(), row.page.reason.word())).collect()
    }

    pub(super) fn n_changes(&self, change: Change) -> usize {
        self.moved.iter().filter(|(_, other, _)| *other == change).count()
    }
}

fn check_text(world: &World, page: &Page) {
    assert!(page.id.len() <= 30 && page.id.chars().all(|ch| ch.is_ascii_alphanumeric() || ch == '-'), "{}", page.id);
    assert!(page.deadline > page.due, "{page:?}");
    assert_eq!(world.guard.lint(&page.text), [], "{}", page.text);
    assert_eq!(world.guard.lint(&page.title), [], "{}", page.title);
    let bytes = ksx1001::len(&page.text).expect("a text of KS X 1001");
    let is_sms = page.channel == Channel::Sms && page.title.is_empty();
    let most = if is_sms { wording::SMS_BYTES } else { wording::LMS_BYTES };
    assert!(bytes <= most, "{bytes}: {}", page.text);
    let title = ksx1001::len(&page.title).expect("a title of KS X 1001");
    assert!(page.channel == Channel::Mail || title <= wording::TITLE_BYTES, "{title}: {}", page.title);
}
