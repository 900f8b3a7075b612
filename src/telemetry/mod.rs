//! The engine's own metrics and logs.
//!
//! The idea: one [`Metrics`] value made by the shell and shared by reference; stages that are pure return counts and
//! the shell adds them here. Names follow OpenMetrics: `bongsu_` first, unit last, labels from closed lists only, so
//! that no telemetry we receive can blow up the telemetry we give.

mod hops;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::model::{Channel, OverdueKind, Passage, RejectReason, Stamp};
use crate::time::{Clock, Ms, SECOND, SystemClock};
pub use hops::{Hops, Quantiles};

/// A label `reason`, from a closed list.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByReason {
    /// The reason's code.
    pub reason: &'static str,
}

/// A label `outcome`: `accepted`, `failed`, `unknown`, `resent`, `cancelled`, `retried`, `expired`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByOutcome {
    /// The outcome's word.
    pub outcome: &'static str,
}

/// A label `queue`: `door`, `flush`, `inputs`, `outbox`, …
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByQueue {
    /// The queue's name.
    pub queue: &'static str,
}

/// A label `kind`: `chain`, `incident`, `page`, `input`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByKind {
    /// The kind's word.
    pub kind: &'static str,
}

/// A label `channel`: `sms`, `mms`, `mail`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByChannel {
    /// The channel's word.
    pub channel: &'static str,
}

/// A label `clock`: `notify`, `ack`, `recover`, `month`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByClock {
    /// The clock's word.
    pub clock: &'static str,
}

/// A label `service`, from the inventory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ByService {
    /// The service's name.
    pub service: String,
}

/// The clocks of a service level that can run out.
pub const CLOCKS: [&str; 4] = ["notify", "ack", "recover", "month"];

/// Everything that the engine counts about itself. Clones of the fields share their numbers.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Records taken from the log, rejected ones included.
    pub records: Counter,
    /// Samples decoded.
    pub samples: Counter,
    /// Log lines decoded.
    pub lines: Counter,
    /// Records or parts of them that were refused, by reason.
    pub rejects: Family<ByReason, Counter>,
    /// Samples late for every window.
    pub late: Counter,
    /// Records whose key was not their host.
    pub misplaced: Counter,
    /// Records that were gone before they were read.
    pub gone: Counter,
    /// Dead letters written.
    pub dead_letters: Counter,
    /// Dead letters that the log refused.
    pub dead_letters_lost: Counter,
    /// Partitions that another process took.
    pub fenced: Counter,
    /// Times that another process took the lead of the incident stage and a write of this one was refused.
    pub lead_lost: Counter,
    /// 1 while this process leads the incident stage as far as it knows, else 0.
    pub leads: Gauge,
    /// Flushes made durable.
    pub flushes: Counter,
    /// State rows written by flushes.
    pub flush_rows: Counter,
    /// Signals that got a row.
    pub signals: Counter,
    /// Inputs taken by the incident stage.
    pub inputs: Counter,
    /// Ticks evaluated.
    pub ticks: Counter,
    /// Rule instances visited by ticks: the work that evaluation really does.
    pub visited: Counter,
    /// Pages, by what became of them.
    pub pages: Family<ByOutcome, Counter>,
    /// From a page's decision to its acceptance, seconds.
    pub page_latency: Histogram,
    /// How long each hop of a page's way takes.
    pub hops: Arc<Hops>,
    /// Pages that a provider took after the time by which they were wanted.
    pub pages_late: Family<ByChannel, Counter>,
    /// Clocks of service levels that ran out.
    pub sla_missed: Family<ByClock, Counter>,
    /// How long a service may be down this month, and how long it was, seconds.
    pub sla_budget: Family<ByService, Gauge<f64, AtomicU64>>,
    /// How long it was.
    pub sla_used: Family<ByService, Gauge<f64, AtomicU64>>,
    /// Entries that wait, by queue.
    pub queues: Family<ByQueue, Gauge>,
    /// Overdue actions that the sweeper had done, by kind.
    pub swept: Family<ByKind, Counter>,
    /// Signs of life, by what became of them: `sent`, `withheld`, `failed`.
    pub heartbeats: Family<ByOutcome, Counter>,
    /// Incidents that are open or acked.
    pub incidents_open: Gauge,
    resident: Gauge,
    cpu: Counter<f64, AtomicU64>,
    started: Gauge<i64, AtomicI64>,
}

impl Metrics {
    /// All at zero; `now` is the process's start, wall time.
    pub fn new(now: Ms) -> Self {
        let mut it = Self {
            registry: Registry::with_prefix("bongsu"),
            records: Counter::default(),
            samples: Counter::default(),
            lines: Counter::default(),
            rejects: Family::default(),
            late: Counter::default(),
            misplaced: Counter::default(),
            gone: Counter::default(),
            dead_letters: Counter::default(),
            dead_letters_lost: Counter::default(),
            fenced: Counter::default(),
            lead_lost: Counter::default(),
            leads: Gauge::default(),
            flushes: Counter::default(),
            flush_rows: Counter::default(),
            signals: Counter::default(),
            inputs: Counter::default(),
            ticks: Counter::default(),
            visited: Counter::default(),
            pages: Family::default(),
            // The SLA's borders (60 s, 5 min, 30 min) are edges of buckets.
            page_latency: Histogram::new([0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 1800.0]),
            hops: Arc::default(),
            pages_late: Family::default(),
            sla_missed: Family::default(),
            sla_budget: Family::default(),
            sla_used: Family::default(),
            queues: Family::default(),
            swept: Family::default(),
            heartbeats: Family::default(),
            incidents_open: Gauge::default(),
            resident: Gauge::default(),
            cpu: Counter::default(),
            started: Gauge::default(),
        };
        it.started.set(now / SECOND);
        for reason in RejectReason::ALL {
            drop(it.rejects.get_or_create(&ByReason { reason: reason.code() }));
        }
        for kind in OverdueKind::ALL {
            drop(it.swept.get_or_create(&ByKind { kind: kind.word() }));
        }
        for channel in Channel::ALL {
            drop(it.pages_late.get_or_create(&ByChannel { channel: channel.word() }));
        }
        for clock in CLOCKS {
            drop(it.sla_missed.get_or_create(&ByClock { clock }));
        }
        it.register();
        it
    }

    fn register(&mut self) {
        let r = &mut self.registry;
        r.register("records", "Records taken from the log", self.records.clone());
        r.register("samples", "Samples decoded", self.samples.clone());
        r.register("lines", "Log lines decoded", self.lines.clone());
        r.register("rejects", "Records, points and lines refused", self.rejects.clone());
        r.register("late_samples", "Samples late for every window", self.late.clone());
        r.register("misplaced_records", "Records whose key was not their host", self.misplaced.clone());
        r.register("gone_records", "Records that were gone before they were read", self.gone.clone());
        r.register("dead_letters", "Dead letters written", self.dead_letters.clone());
        r.register("dead_letters_lost", "Dead letters that the log refused", self.dead_letters_lost.clone());
        r.register("fenced_partitions", "Partitions that another process took", self.fenced.clone());
        r.register("lead_lost", "Times that another process took the lead", self.lead_lost.clone());
        r.register("leads", "1 while this process leads the incident stage", self.leads.clone());
        r.register("flushes", "Flushes made durable", self.flushes.clone());
        r.register("flush_rows", "State rows written by flushes", self.flush_rows.clone());
        r.register("signals", "Signals handed to the incident stage", self.signals.clone());
        r.register("inputs", "Inputs taken by the incident stage", self.inputs.clone());
        r.register("ticks", "Ticks evaluated", self.ticks.clone());
        r.register("visited_instances", "Rule instances visited by ticks", self.visited.clone());
        r.register("pages", "Pages by what became of them", self.pages.clone());
        r.register("page_latency_seconds", "From decision to acceptance", self.page_latency.clone());
        r.register_collector(Box::new(Arc::clone(&self.hops)));
        r.register("pages_late", "Pages taken after the time by which they were wanted", self.pages_late.clone());
        r.register("sla_missed", "Clocks of service levels that ran out", self.sla_missed.clone());
        r.register("sla_budget_seconds", "How long a service may be down this month", self.sla_budget.clone());
        r.register("sla_used_seconds", "How long a service was down this month", self.sla_used.clone());
        r.register("queue_depth", "Entries that wait", self.queues.clone());
        r.register("swept", "Overdue actions that the sweeper had done", self.swept.clone());
        r.register("heartbeats", "Signs of life by what became of them", self.heartbeats.clone());
        r.register("incidents_open", "Incidents that are open or acked", self.incidents_open.clone());
        r.register("process_resident_bytes", "Own resident memory", self.resident.clone());
        r.register("process_cpu_seconds", "Own processor time", self.cpu.clone());
        r.register("process_start_time_seconds", "When the process started", self.started.clone());
    }

    /// Counts a refusal.
    pub fn reject(&self, reason: RejectReason) {
        self.rejects.get_or_create(&ByReason { reason: reason.code() }).inc();
    }

    /// Counts what became of a page; an accepted one also with its latency, `after` ms since the decision.
    pub fn page(&self, outcome: &'static str, after: Ms) {
        self.pages.get_or_create(&ByOutcome { outcome }).inc();
        if outcome == "accepted" {
            #[expect(clippy::cast_precision_loss, reason = "a latency is far below 2^53 ms")]
            self.page_latency.observe(after.max(0) as f64 / 1e3);
        }
    }

    /// Counts the way of a page that a provider took.
    pub fn accepted(&self, passage: &Passage) {
        self.hops.accepted(passage);
        if passage.stamps.get(Stamp::Accepted).is_some_and(|at| at > passage.wanted) {
            self.pages_late.get_or_create(&ByChannel { channel: passage.channel.word() }).inc();
        }
    }

    /// Counts a clock of a service level that ran out.
    pub fn missed(&self, clock: &'static str) {
        self.sla_missed.get_or_create(&ByClock { clock }).inc();
    }

    /// Says how a service's month stands, ms.
    #[expect(clippy::cast_precision_loss, reason = "a month is far below 2^53 ms")]
    pub fn month(&self, service: &str, budget: Ms, used: Ms) {
        let by = ByService { service: service.to_owned() };
        self.sla_budget.get_or_create(&by).set(budget as f64 / 1e3);
        self.sla_used.get_or_create(&by).set(used as f64 / 1e3);
    }

    /// Counts an overdue action that the sweeper had done.
    pub fn swept(&self, kind: &'static str) {
        self.swept.get_or_create(&ByKind { kind }).inc();
    }

    /// Counts a sign of life by what became of it.
    pub fn heartbeats(&self, outcome: &'static str) {
        self.heartbeats.get_or_create(&ByOutcome { outcome }).inc();
    }

    /// Sets the depth of a queue.
    pub fn queue(&self, queue: &'static str, depth: usize) {
        self.queues.get_or_create(&ByQueue { queue }).set(i64::try_from(depth).unwrap_or(i64::MAX));
    }

    /// Everything as OpenMetrics text (content type [`Metrics::CONTENT_TYPE`]), own memory and processor time read now.
    pub fn encode(&self) -> String {
        if let Some(own) = usage() {
            self.resident.set(own.resident_bytes);
            // Counters only rise: the difference to what was shown last.
            self.cpu.inc_by((own.cpu_seconds - self.cpu.get()).max(0.0));
        }
        let mut text = String::new();
        match prometheus_client::encoding::text::encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(error) => format!("# {error}\n# EOF\n"),
        }
    }

    /// Content type of [`Metrics::encode`].
    pub const CONTENT_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

/// What this process uses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Resident memory, bytes.
    pub resident_bytes: i64,
    /// User and system time, seconds.
    pub cpu_seconds: f64,
}

/// What this process uses now; `None` where `/proc` cannot be read.
pub fn usage() -> Option<Usage> {
    let stat = procfs::process::Process::myself().ok()?.stat().ok()?;
    let resident = stat.rss.checked_mul(procfs::page_size())?;
    #[expect(clippy::cast_precision_loss, reason = "ticks of processor time are far below 2^53")]
    let cpu_seconds = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
    Some(Usage { resident_bytes: i64::try_from(resident).ok()?, cpu_seconds })
}

/// Sends the program's log lines to stderr: with colour on a terminal, else one plain line per fact. `filter` is the
/// value of `BONGSU_LOG` (such as `info`, `warn,bongsu::notify=debug`); `info` without one.
///
/// # Errors
/// The filter cannot be read, or logging was set up before.
pub fn init_logs(filter: Option<&str>) -> Result<(), String> {
    let text = filter.map(str::trim).filter(|text| !text.is_empty()).unwrap_or("info");
    let filter = tracing_subscriber::EnvFilter::builder().parse(text).map_err(|error| {
        format!(
            "BONGSU_LOG: {text:?}: {error}\n  \
             help: a level (error, warn, info, debug, trace), or parts such as bongsu::notify=debug"
        )
    })?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        // A line that cannot be written (its disk is full) would be told of on standard error itself, and that by a
        // panic: the stage would die of its own warning.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_timer(KoreanTime)
        .with_target(true);
    lines.try_init().map_err(|error| format!("logging: {error}"))
}

/// Log lines carry Korean time like all output for people.
#[derive(Debug)]
struct KoreanTime;

impl tracing_subscriber::fmt::time::FormatTime for KoreanTime {
    fn format_time(&self, writer: &mut tracing_subscriber::fmt::format::Writer<'_>) -> std::fmt::Result {
        writer.write_str(&crate::time::rfc3339(SystemClock.wall()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_encoded() {
        let metrics = Metrics::new(1_764_000_000_000);
        metrics.samples.inc_by(20);
        metrics.reject(RejectReason::BadPoint);
        metrics.page("accepted", 61_000);
        metrics.page("failed", 5);
        metrics.queue("door", 7);
        let text = metrics.encode();
        for line in [
            "bongsu_samples_total 20",
            "bongsu_rejects_total{reason=\"bad-point\"} 1",
            "bongsu_rejects_total{reason=\"not-json\"} 0",
            "bongsu_pages_total{outcome=\"accepted\"} 1",
            "bongsu_page_latency_seconds_bucket{le=\"60.0\"} 0",
            "bongsu_page_latency_seconds_bucket{le=\"300.0\"} 1",
            "bongsu_page_latency_seconds_count 1",
            "bongsu_queue_depth{queue=\"door\"} 7",
            "bongsu_process_start_time_seconds 1764000000",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
        assert!(metrics.resident.get() > 1_000_000, "own memory is read");
    }

    #[test]
    fn a_filter_that_cannot_be_read_is_explained() {
        let error = init_logs(Some("bongsu=loud=very")).unwrap_err();
        assert!(error.contains("BONGSU_LOG") && error.contains("help:"), "{error}");
    }
}
