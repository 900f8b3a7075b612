//! What the console needs of the rest, as traits that `pipeline` implements, and the plain values they pass.
//!
//! The idea: the console frames, asks and shows; it has no telemetry, store or rule of its own. All calls may block:
//! the console makes them on the runtime's blocking threads. [`View::health`] alone is called on every `/healthz` and
//! must answer from memory.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::model::{Contact, Entry, Incident, Input, Matcher, PageRow, Preview, Silence};
use crate::time::Ms;

/// One record on its way into the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Its source: the record's key.
    pub host: String,
    /// The record as it came.
    pub value: Vec<u8>,
}

/// Why the log did not take a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IntakeError {
    /// The queue is full: come again later.
    Full,
    /// Too long for the log.
    TooLarge,
    /// The log cannot be written now; the sentence goes to the sender.
    Other(String),
}

/// The log's writing side.
pub trait Intake: Send + Sync {
    /// Appends `records`; returns once each is durable or refused, in the same order.
    fn take(&self, records: Vec<Incoming>) -> Vec<Result<(), IntakeError>>;
}

/// Looks at a record just far enough to find its source.
pub trait Frame: Send + Sync {
    /// The host of a record, or the code of why it is none (`not-json`, `no-host`, …).
    fn frame(&self, record: &[u8]) -> Result<String, String>;
}

/// What people do to incidents.
pub trait Act: Send + Sync {
    /// Hands `input` to the leader and waits at most `wait` ms for its answer. `None`: it is stored and will be taken,
    /// but has not been yet.
    ///
    /// # Errors
    /// It could not be stored: one sentence.
    fn submit(&self, input: Input, wait: Ms) -> Result<Option<Answer>, String>;
}

/// The leader's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// Whether it did what was asked for; `false` where it was so already or the incident is unknown.
    pub done: bool,
    /// One sentence.
    pub text: String,
}

/// Why receipts were not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unposted {
    /// No such gateway, or it takes no posted receipts.
    NotHere,
    /// The secret is missing or wrong.
    Secret,
    /// The body cannot be read.
    Unreadable,
    /// It cannot be written now: one sentence.
    Away(String),
}

/// Takes receipts that gateways post.
pub trait Receipts: Send + Sync {
    /// Takes a body posted for `gateway`; `header` gives a header of the request. Says how many pages it settled.
    ///
    /// # Errors
    /// See [`Unposted`]; nothing but what was counted before was written.
    fn take(&self, gateway: &str, header: &dyn Fn(&str) -> Option<String>, body: &[u8]) -> Result<usize, Unposted>;
}

/// What there is to see. An error is one sentence.
pub trait View: Send + Sync {
    /// Whether the service does its work now, from memory.
    fn health(&self) -> Health;
    /// The state of everything.
    fn status(&self) -> Result<StatusView, String>;
    /// The newest incidents, newest first.
    fn incidents(&self, limit: usize) -> Result<Vec<Incident>, String>;
    /// The newest outbox rows, newest first; of one incident where given.
    fn pages(&self, incident: Option<&str>, limit: usize) -> Result<Vec<PageRow>, String>;
    /// Ledger entries with `input_no` above `after`, in order.
    fn ledger(&self, after: i64, limit: usize) -> Result<Vec<Entry>, String>;
    /// Why instances of a rule are as they are: one object each, with Korean sentences under `lines`.
    fn explain(&self, ask: &ExplainAsk) -> Result<Vec<serde_json::Value>, String>;
    /// All silences that are kept, newest first.
    fn silences(&self) -> Result<Vec<Silence>, String>;
    /// What matchers would have hidden in the last 30 days.
    fn preview(&self, matchers: &[Matcher]) -> Result<Previewed, String>;
    /// All contacts; the console masks what is personal.
    fn contacts(&self) -> Vec<Contact>;
}

/// What a silence would have hidden.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Previewed {
    /// How much.
    pub hides: Preview,
    /// It fits everything.
    pub broad: bool,
    /// There were more incidents or pages than were looked at: the newest were.
    pub cut: bool,
    /// Some of the incidents, newest first.
    pub incidents: Vec<Incident>,
}

/// What `POST /v1/explain` asks: an incident by its number, or a rule with labels that the identity must have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExplainAsk {
    /// The incident's number.
    pub incident: Option<String>,
    /// Rule id; empty where an incident is named.
    pub rule: String,
    /// Labels.
    pub labels: Vec<(String, String)>,
}

/// Whether the service does its work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Health {
    /// All is well.
    pub healthy: bool,
    /// What is not, one Korean sentence each.
    pub troubles: Vec<String>,
}

/// `GET /v1/status`. Times are epoch milliseconds, lengths milliseconds.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct StatusView {
    /// The program's version.
    pub version: String,
    /// How long it has been running.
    pub uptime_ms: Ms,
    /// Roles that are on.
    pub roles: Vec<String>,
    /// Where its data lives.
    pub data_dir: String,
    /// Whether it does its work, as [`View::health`] says, and whether its store can be read.
    #[serde(flatten)]
    pub health: Health,
    /// Why the store cannot be read, where it cannot: what it alone knows is then unknown, which is not the same as none:
    /// who leads, incidents, pages, service levels, silences.
    pub unknown: Option<String>,
    /// Who leads the incident stage; `None`: nobody for the moment, or unknown.
    pub leader: Option<LeaderView>,
    /// Each partition that this process reads.
    pub partitions: Vec<PartitionView>,
    /// Sources heard.
    pub sources: Vec<SourceView>,
    /// The rules in force.
    pub rules: RulesView,
    /// What was counted since the start.
    pub counts: CountsView,
    /// Windows that are being filled from the log again, and how long that takes.
    pub restoring: Vec<RestoreView>,
    /// Windows whose beginning the log no longer held.
    pub warming: Vec<WarmingView>,
    /// Limits that were reached.
    pub limits: Vec<LimitView>,
    /// Newest readings of watched hosts, the most telling first.
    pub readings: Vec<ReadingView>,
    /// Gateways in order of preference.
    pub gateways: Vec<GatewayView>,
    /// Service levels: `incidents` with the clock that runs out first, `months` of contracted services; null: unknown.
    pub sla: serde_json::Value,
    /// How long each hop of a page's way took since the start, by channel and over all channels.
    pub hops: serde_json::Value,
    /// Silences that are not over, newest first; `None`: unknown.
    pub silences: Option<Vec<SilenceView>>,
    /// Incidents of which nobody is told for the moment; `None`: unknown.
    pub muted: Option<Vec<MutedView>>,
    /// Steps of chains that told nobody of a live incident, as nobody is behind their names; `None`: unknown.
    pub empty_steps: Option<Vec<EmptyStepView>>,
    /// Rules in shadow beside the live ones; empty where unknown.
    pub shadows: Vec<ShadowView>,
}

/// A step of a chain that told nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct EmptyStepView {
    /// Chain.
    pub chain: String,
    /// 0-based step.
    pub step: usize,
    /// It is the last group, in whose place others were told.
    #[serde(rename = "last")]
    pub is_last: bool,
    /// The names that nobody is behind.
    pub to: Vec<String>,
    /// Incidents that passed it and are not closed.
    pub incidents: Vec<String>,
}

/// What a rule would have done, or did, since the comparison began.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ShadowSide {
    /// How often an instance fired.
    pub episodes: usize,
    /// How many fire now.
    pub open: usize,
    /// How long instances fired, together.
    pub firing_ms: Ms,
    /// First pages, estimated: the first step of the chain each time that an incident would open.
    pub pages: usize,
    /// All pages, estimated, where nobody acks: each step, the repeats, and those that tell of the end.
    pub pages_unacked: usize,
}

/// The newest span that only one of the two rules has.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ShadowLast {
    /// The one in shadow has it.
    pub in_shadow: bool,
    /// Its identity.
    pub labels: serde_json::Value,
    /// Its worst severity.
    pub severity: &'static str,
    /// When it fired.
    pub from: Ms,
    /// When it was over; `None`: not yet.
    pub to: Option<Ms>,
}

/// A rule in shadow, compared with the live one that it stands beside.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ShadowView {
    /// Its id.
    pub rule: String,
    /// The live rule's id; `None`: there is none, and only the shadow's own figures are known.
    pub beside: Option<String>,
    /// Since when both mean what they mean now, at most 90 days ago.
    pub since: Ms,
    /// What it would have done.
    pub shadow: ShadowSide,
    /// What the live one did.
    pub live: Option<ShadowSide>,
    /// Spans of the shadow that the live one saw too.
    pub both: usize,
    /// Spans that only the shadow has.
    pub only_shadow: usize,
    /// Spans that only the live one has.
    pub only_live: usize,
    /// The newest difference.
    pub last: Option<ShadowLast>,
    /// The same in Korean sentences.
    pub lines: Vec<String>,
}

/// One silence that is not over.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SilenceView {
    /// Its number.
    pub id: String,
    /// `active`, `pending` or `waiting` (for approval).
    pub state: String,
    /// What it mutes.
    pub matchers: String,
    /// Who is answerable.
    pub by: String,
    /// Why.
    pub reason: String,
    /// Until when.
    pub until: Ms,
    /// How long that is from now.
    pub left_ms: Ms,
}

/// One incident that is muted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct MutedView {
    /// Its number.
    pub incident: String,
    /// `maintenance`, `silence` or `inhibition`.
    pub kind: String,
    /// Id of the window or silence, or number of the incident that stands for it.
    pub by: String,
    /// Until when, where that is known.
    pub until: Option<Ms>,
}

/// Who leads the incident stage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LeaderView {
    /// The process's name: `log.instance` and its data directory's id.
    pub name: String,
    /// It is this very process.
    pub here: bool,
}

/// One gateway.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct GatewayView {
    /// Its id.
    pub id: String,
    /// The channel that it is for.
    pub channel: String,
    /// It failed several times in a row and is only tried now and then.
    pub failing: bool,
    /// Since when it has been failing.
    pub since: Option<Ms>,
    /// The last refusal's word.
    pub last: Option<String>,
    /// Pages it took since the start.
    pub accepted: u64,
    /// Pages it refused.
    pub refused: u64,
    /// Pages whose answer was lost.
    pub unknown: u64,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct PartitionView {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset of the next record to take, as it is durable.
    pub offset: i64,
    /// Offset that the log's next record gets.
    pub high: i64,
    /// The partition clock.
    pub clock: Ms,
    /// How far the clock is behind the wall clock.
    pub lag_ms: Ms,
    /// Everything has been read.
    pub caught_up: bool,
    /// Counts clock breaks.
    pub segment: i64,
}

/// One source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct SourceView {
    /// Host.
    pub host: String,
    /// Append time of its last record.
    pub last: Ms,
    /// Whether the inventory has it.
    pub known_to_inventory: bool,
    /// How far its clock is off, where that is known.
    pub skew_ms: Option<Ms>,
}

/// The rules in force.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RulesView {
    /// How many.
    pub count: usize,
    /// How many of them only watch: nobody is told.
    pub shadow: usize,
    /// Expressions that gave no result at their last tick, by rule, and why.
    pub troubles: BTreeMap<String, String>,
    /// Hash of their meaning.
    pub hash: String,
    /// Why the newest edit is not in force, where it is not.
    pub broken: Option<String>,
}

/// What was counted since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct CountsView {
    /// Records.
    pub records: u64,
    /// Samples.
    pub samples: u64,
    /// Log lines.
    pub lines: u64,
    /// Refused, by reason.
    pub rejected: BTreeMap<String, u64>,
    /// Late for every window.
    pub late: u64,
    /// Numbers that came out of order, and so were left out of windows in panes.
    pub unordered: u64,
    /// Ticks at which a ratio had no value because too little came for its denominator.
    pub thin: u64,
    /// Key was not the host.
    pub misplaced: u64,
    /// Signals that got a row.
    pub signals: u64,
    /// Incidents that are open or acked now; `None`: unknown.
    pub incidents_open: Option<u64>,
    /// Outbox rows, by state; `None`: unknown.
    pub pages: Option<BTreeMap<String, u64>>,
}

/// A partition whose past is being read again, after a start or a reload.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RestoreView {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// The rule that looks back furthest: it is for its window that so much is read.
    pub rule: String,
    /// How far that rule looks back.
    pub over_ms: Ms,
    /// Records read.
    pub done: i64,
    /// Of so many.
    pub of: i64,
    /// How long the rest takes at the pace so far; `None`: it has only begun.
    pub left_ms: Option<Ms>,
}

/// A rule whose windows are not full yet.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WarmingView {
    /// Rule id.
    pub rule: String,
    /// Until when.
    pub until: Ms,
}

/// A limit that was reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LimitView {
    /// Its name, such as `series`.
    pub name: String,
    /// Its value.
    pub limit: u64,
    /// How often something was kept out.
    pub hits: u64,
}

/// The newest value of one series.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ReadingView {
    /// Host.
    pub host: String,
    /// Metric name with what tells it from its siblings, such as a mount point.
    pub name: String,
    /// The value.
    pub value: f64,
    /// Whether it is a share between 0 and 1.
    pub ratio: bool,
    /// Its time.
    pub at: Ms,
}
