//! What the console asks for, over the log, the store and what the stages last said of themselves.
//!
//! The idea: stages publish plain numbers on a [`Board`] once a second; whoever looks reads the board and the store and
//! never disturbs a stage.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::console::{
    Act, Answer, CountsView, EmptyStepView, ExplainAsk, Frame, GatewayView, Health, Incoming, Intake, IntakeError,
    LeaderView, LimitView, MutedView, PartitionView, Previewed, ReadingView, RestoreView, RulesView, ShadowView,
    SilenceView, SourceView, StatusView, View, WarmingView,
};
use crate::log::{LogError, NewRecord, Sink};
use crate::model::{Contact, Entry, Incident, Input, Matcher, PageRow, PageState, Silence};
use crate::pipeline::affairs::{filed, no_incident};
use crate::pipeline::asks::Asks;
use crate::pipeline::empty;
use crate::pipeline::explained::{Question, tell};
use crate::pipeline::outbox::Contacts;
use crate::pipeline::shadow::{InForce, Shadows};
use crate::pipeline::silences::{muted_view, preview, silence_view, silences};
use crate::pipeline::{levels, stamped};
use crate::store::Store;
use crate::telemetry::Hops;
use crate::time::{Clock, Ms, SECOND};

/// Between two looks for the leader's answer.
const ANSWER_POLL: std::time::Duration = std::time::Duration::from_millis(20);
/// A stage that has not said anything for so long is in trouble.
const SILENT_AFTER: Ms = 15 * SECOND;
/// Outbox rows that are counted for the status.
const PAGES_COUNTED_MAX: usize = 10_000;
/// Incidents that are looked at for the status.
const INCIDENTS_COUNTED_MAX: usize = 10_000;

/// The evaluator answers between two records; while its log is away it looks once a second.
const EXPLAIN_WAIT: std::time::Duration = std::time::Duration::from_secs(5);

/// What `evaluate` last said of itself.
#[derive(Debug, Clone, Default)]
pub struct Evaluation {
    /// Partitions.
    pub partitions: Vec<PartitionView>,
    /// Sources heard.
    pub sources: Vec<SourceView>,
    /// Counts since the start.
    pub counts: CountsView,
    /// Pasts that are being read again.
    pub restoring: Vec<RestoreView>,
    /// Windows that are not full yet.
    pub warming: Vec<WarmingView>,
    /// Limits reached.
    pub limits: Vec<LimitView>,
    /// Newest readings.
    pub readings: Vec<ReadingView>,
    /// The rules in force.
    pub rules: RulesView,
}

#[derive(Debug, Default)]
struct Notices {
    evaluation: Evaluation,
    /// When each stage last said something, elapsed time.
    heard: BTreeMap<&'static str, Ms>,
    troubles: BTreeMap<&'static str, String>,
    clock_difference: Option<Ms>,
    broken: Option<String>,
    /// Stages that cannot use the store.
    store_away: BTreeSet<&'static str>,
    /// When the first of them could not, elapsed time; `None`: all can.
    outage_began: Option<Ms>,
    /// Outages that are over: begin and end, elapsed time.
    outages: Vec<(Ms, Ms)>,
}

/// Where stages publish how they are.
#[derive(Debug, Default)]
pub struct Board(Mutex<Notices>);

impl Board {
    fn with<T>(&self, work: impl FnOnce(&mut Notices) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// A stage is at work; `trouble` says what keeps it from its work, in one Korean sentence.
    pub fn report(&self, stage: &'static str, now: Ms, trouble: Option<String>) {
        self.with(|notices| {
            notices.heard.insert(stage, now);
            match trouble {
                Some(trouble) => notices.troubles.insert(stage, trouble),
                None => notices.troubles.remove(stage),
            };
        });
    }

    /// Says whether a stage can use the store at `now`, elapsed time.
    pub fn store(&self, stage: &'static str, now: Ms, away: bool) {
        self.with(|notices| {
            if away {
                notices.store_away.insert(stage);
                notices.outage_began.get_or_insert(now);
                return;
            }
            notices.store_away.remove(stage);
            if notices.store_away.is_empty()
                && let Some(began) = notices.outage_began.take()
            {
                notices.outages.push((began, now));
            }
        });
    }

    /// Times in which some stage could not use the store, elapsed time, that nobody took yet.
    pub fn take_outages(&self) -> Vec<(Ms, Ms)> {
        self.with(|notices| std::mem::take(&mut notices.outages))
    }

    /// Publishes what `evaluate` says of itself.
    pub fn publish(&self, evaluation: Evaluation) {
        self.with(|notices| notices.evaluation = evaluation);
    }

    /// Says how far the wall clock is ahead of the log's, where something tells.
    pub fn set_clock_difference(&self, by: Option<Ms>) {
        self.with(|notices| notices.clock_difference = by);
    }

    /// How far the wall clock is ahead of the log's.
    pub fn clock_difference(&self) -> Option<Ms> {
        self.with(|notices| notices.clock_difference)
    }

    /// Says why the newest edit of the files is not in force.
    pub fn set_broken(&self, broken: Option<String>) {
        self.with(|notices| notices.broken = broken);
    }

    /// How late the log is read, ms: the latest of the partitions that have not been read to their end.
    pub fn lag(&self) -> Ms {
        self.with(|notices| {
            let late = notices.evaluation.partitions.iter().filter(|partition| !partition.caught_up);
            late.map(|partition| partition.lag_ms).max().unwrap_or(0)
        })
    }

    /// Records taken and refusals since the start.
    pub fn counted(&self) -> (u64, u64) {
        self.with(|notices| {
            let counts = &notices.evaluation.counts;
            (counts.records, counts.rejected.values().sum())
        })
    }

    /// Whether every stage is at work, and what keeps those that are not.
    pub fn health(&self, now: Ms) -> Health {
        self.with(|notices| {
            let mut troubles: Vec<String> = notices.troubles.values().cloned().collect();
            let silent = notices.heard.iter().filter(|(_, at)| now - **at > SILENT_AFTER);
            troubles.extend(silent.map(|(stage, _)| format!("{stage} 단계가 응답하지 않습니다")));
            Health { healthy: troubles.is_empty(), troubles }
        })
    }
}

/// What does not change while the service runs.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Wall time of the start.
    pub started: Ms,
    /// Roles that are on.
    pub roles: Vec<String>,
    /// Where its data lives.
    pub data_dir: String,
    /// The name under which this process leads, where it does.
    pub owner: String,
}

/// The console's view.
#[derive(Debug)]
pub struct Front {
    /// What the stages say.
    pub board: Arc<Board>,
    /// The store.
    pub store: Arc<dyn Store>,
    /// The contacts in force.
    pub contacts: Contacts,
    /// Questions to the evaluator.
    pub asks: Arc<Asks>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What does not change.
    pub standing: Standing,
    /// Gateways in order of preference.
    pub ways: Vec<Arc<crate::notify::Paced>>,
    /// Rules in shadow beside the live ones.
    pub shadows: Shadows,
    /// How long the hops of pages take.
    pub hops: Arc<Hops>,
}

impl Front {
    fn leader(&self) -> Result<Option<LeaderView>, String> {
        let seat = self.store.seat().map_err(|error| error.to_string())?;
        let here = seat.owner == self.standing.owner;
        Ok((!seat.is_free()).then_some(LeaderView { name: seat.owner, here }))
    }

    fn compared(&self) -> Result<Vec<ShadowView>, String> {
        let (rules, people, inventory) = (self.contacts.rules(), self.contacts.people(), self.contacts.inventory());
        let force = InForce { rules: &rules, people: &people, inventory: &inventory };
        self.shadows.look(self.store.as_ref(), force, self.clock.wall()).map_err(|error| error.to_string())
    }

    /// What the store says; an error where it cannot be read: then none of it is known.
    fn stored(&self) -> Result<Stored, String> {
        let leader = self.leader()?;
        let mut pages: BTreeMap<String, u64> =
            PageState::ALL.into_iter().map(|state| (state.word().to_owned(), 0)).collect();
        for row in self.pages(None, PAGES_COUNTED_MAX)? {
            *pages.entry(row.state.word().to_owned()).or_default() += 1;
        }
        let (incidents, now) = (self.incidents(INCIDENTS_COUNTED_MAX)?, self.clock.wall());
        let plan = self.contacts.people().sla.clone();
        let sla = levels::standing(self.store.as_ref(), &incidents, &plan, now).map_err(|error| error.to_string())?;
        Ok(Stored {
            leader,
            open: incidents.iter().filter(|incident| incident.state.is_live()).count() as u64,
            pages,
            sla,
            silences: self.silences()?.iter().filter_map(|silence| silence_view(silence, now)).collect(),
            muted: incidents.iter().filter_map(muted_view).collect(),
            empty_steps: empty::views(&empty::of(self.store.as_ref()).map_err(|error| error.to_string())?),
        })
    }
}

/// What a status has from the store.
struct Stored {
    leader: Option<LeaderView>,
    open: u64,
    pages: BTreeMap<String, u64>,
    sla: serde_json::Value,
    silences: Vec<SilenceView>,
    muted: Vec<MutedView>,
    empty_steps: Vec<EmptyStepView>,
}

impl View for Front {
    fn health(&self) -> Health {
        self.board.health(self.clock.elapsed())
    }

    fn status(&self) -> Result<StatusView, String> {
        let (evaluation, broken) = self.board.with(|notices| (notices.evaluation.clone(), notices.broken.clone()));
        let mut counts = evaluation.counts;
        let mut health = self.health();
        // While the store is away the status is wanted most: it says what it does not know, instead of failing with it.
        let (stored, unknown) = match self.stored() {
            Ok(stored) => (Some(stored), None),
            Err(why) => (None, Some(why)),
        };
        if let Some(why) = &unknown {
            health.healthy = false;
            health.troubles.push(format!("저장소를 읽을 수 없습니다: {why}"));
        }
        counts.incidents_open = stored.as_ref().map(|stored| stored.open);
        counts.pages = stored.as_ref().map(|stored| stored.pages.clone());
        let shadows = if unknown.is_none() { self.compared().unwrap_or_default() } else { Vec::new() };
        Ok(StatusView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_ms: self.clock.wall() - self.standing.started,
            roles: self.standing.roles.clone(),
            data_dir: self.standing.data_dir.clone(),
            health,
            unknown,
            leader: stored.as_ref().and_then(|stored| stored.leader.clone()),
            partitions: evaluation.partitions,
            sources: evaluation.sources,
            rules: RulesView { broken, ..evaluation.rules },
            counts,
            restoring: evaluation.restoring,
            warming: evaluation.warming,
            limits: evaluation.limits,
            readings: evaluation.readings,
            gateways: self.ways.iter().map(|way| gateway_view(way.health())).collect(),
            sla: stored.as_ref().map(|stored| stored.sla.clone()).unwrap_or_default(),
            silences: stored.as_ref().map(|stored| stored.silences.clone()),
            empty_steps: stored.as_ref().map(|stored| stored.empty_steps.clone()),
            muted: stored.map(|stored| stored.muted),
            shadows,
            hops: stamped::figures(&self.hops.quantiles(true)),
        })
    }

    fn incidents(&self, limit: usize) -> Result<Vec<Incident>, String> {
        self.store.incidents(limit).map_err(|error| error.to_string())
    }

    fn pages(&self, incident: Option<&str>, limit: usize) -> Result<Vec<PageRow>, String> {
        self.store.pages(incident, limit).map_err(|error| error.to_string())
    }

    fn ledger(&self, after: i64, limit: usize) -> Result<Vec<Entry>, String> {
        self.store.ledger(after, limit).map_err(|error| error.to_string())
    }

    fn explain(&self, ask: &ExplainAsk) -> Result<Vec<serde_json::Value>, String> {
        let question = Question { rule: ask.rule.clone(), labels: ask.labels.clone() };
        let filed = filed(self.store.as_ref(), ask.incident.as_deref(), question, None);
        let filed = filed.map_err(|error| error.to_string())?;
        let filed = filed.ok_or_else(|| no_incident(ask.incident.as_deref().unwrap_or_default()))?;
        let question = &filed.question;
        let looked = self
            .asks
            .ask(question, EXPLAIN_WAIT)
            .ok_or("이 프로세스의 판정 단계가 답하지 않습니다. 판정을 맡은 프로세스에 물어보십시오.")?;
        let mut told = tell(question, &looked, &filed.affairs(&self.contacts.people()));
        let is_meant = |view: &&ShadowView| view.rule == question.rule || view.beside.as_ref() == Some(&question.rule);
        for view in self.compared()?.iter().filter(is_meant) {
            told.push(shadow_json(view));
        }
        Ok(told)
    }

    fn silences(&self) -> Result<Vec<Silence>, String> {
        silences(self.store.as_ref())
    }

    fn preview(&self, matchers: &[Matcher]) -> Result<Previewed, String> {
        preview(self.store.as_ref(), &self.contacts.inventory(), matchers, self.clock.wall())
    }

    fn contacts(&self) -> Vec<Contact> {
        self.contacts.people().contacts.clone()
    }
}

fn shadow_json(view: &ShadowView) -> serde_json::Value {
    let mut told = serde_json::to_value(view).unwrap_or_default();
    told["type"] = "shadow".into();
    told
}

fn gateway_view(health: crate::notify::GatewayHealth) -> GatewayView {
    GatewayView {
        id: health.id,
        channel: health.channel.word().to_owned(),
        failing: health.failing,
        since: health.since,
        last: health.last.map(str::to_owned),
        accepted: health.accepted,
        refused: health.refused,
        unknown: health.unknown,
    }
}

/// The log as the door sees it.
#[derive(Debug)]
pub struct LogIntake(pub Arc<dyn Sink>);

impl Intake for LogIntake {
    fn take(&self, records: Vec<Incoming>) -> Vec<Result<(), IntakeError>> {
        let records = records.into_iter().map(|record| NewRecord {
            partition: None,
            key: record.host.into_bytes(),
            value: record.value,
        });
        let done = self.0.append(records.collect());
        done.into_iter()
            .map(|done| match done {
                Ok(_) => Ok(()),
                Err(LogError::Full) => Err(IntakeError::Full),
                Err(LogError::TooLarge { .. }) => Err(IntakeError::TooLarge),
                Err(other) => Err(IntakeError::Other(other.to_string())),
            })
            .collect()
    }
}

/// The decoder as the door sees it.
#[derive(Debug, Clone, Copy)]
pub struct DecodeFrame;

impl Frame for DecodeFrame {
    fn frame(&self, record: &[u8]) -> Result<String, String> {
        crate::decode::frame(record).map(|framed| framed.host).map_err(|reason| reason.code().to_owned())
    }
}

/// What people do, as inputs of the leader.
#[derive(Debug)]
pub struct Desk {
    /// The store.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Wakes the leader.
    pub wake: Arc<crate::pipeline::wake::Wake>,
}

impl Act for Desk {
    fn submit(&self, input: Input, wait: Ms) -> Result<Option<Answer>, String> {
        let row = self.store.add_input(&input, self.clock.wall()).map_err(|error| error.to_string())?;
        self.wake.ring();
        let until = self.clock.elapsed() + wait;
        let pause = crate::pipeline::wake::Wake::default();
        loop {
            match self.store.answer(row).map_err(|error| error.to_string())? {
                Some((done, text)) => return Ok(Some(Answer { done, text })),
                None if self.clock.elapsed() >= until => return Ok(None),
                None => {
                    pause.wait(ANSWER_POLL);
                }
            }
        }
    }
}
