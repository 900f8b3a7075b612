//! Metrics that we know by name beyond our own agent's: OpenTelemetry's, as the collector's receivers write them.
//!
//! The idea: a check that knows unit and kind of a metric can tell `95` from `95%` and a counter from a gauge. What is
//! not here is taken as it comes: nothing is said about it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::decode::{METRICS, MetricKind};
use crate::evaluate;

/// What is known of a metric.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known {
    /// Its unit: `1` for a ratio 0..1, `s`, `By`, `ms`, or what is counted in braces.
    pub unit: &'static str,
    /// Whether it only grows.
    pub counter: bool,
    /// Labels that tell its series of one host apart.
    pub labels: &'static [&'static str],
    /// Our own agent collects it.
    pub ours: bool,
}

impl Known {
    /// A ratio between 0 and 1.
    pub(super) fn ratio(&self) -> bool {
        self.unit == "1" && !self.counter
    }
}

/// Name, unit, whether it only grows, labels beside those of the resource.
type Row = (&'static str, &'static str, bool, &'static [&'static str]);

const POD: &[&str] = &["k8s.namespace.name", "k8s.node.name", "k8s.pod.name", "k8s.pod.uid"];
const CONTAINER: &[&str] =
    &["k8s.container.name", "k8s.namespace.name", "k8s.node.name", "k8s.pod.name", "k8s.pod.uid"];
const REASON: &[&str] = &[
    "k8s.container.name",
    "k8s.container.status.reason",
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.pod.name",
    "k8s.pod.uid",
];
const NODE: &[&str] = &["k8s.node.name", "k8s.node.uid"];
const CONDITION: &[&str] = &["condition", "k8s.node.name", "k8s.node.uid"];
const VOLUME: &[&str] = &[
    "k8s.namespace.name",
    "k8s.node.name",
    "k8s.persistentvolumeclaim.name",
    "k8s.pod.name",
    "k8s.volume.name",
    "k8s.volume.type",
];
const DEPLOYMENT: &[&str] = &["k8s.deployment.name", "k8s.deployment.uid", "k8s.namespace.name"];
const DAEMONSET: &[&str] = &["k8s.daemonset.name", "k8s.daemonset.uid", "k8s.namespace.name"];
const STATEFULSET: &[&str] = &["k8s.namespace.name", "k8s.statefulset.name", "k8s.statefulset.uid"];
const JOB: &[&str] = &["k8s.job.name", "k8s.job.uid", "k8s.namespace.name"];
const DATABASE: &[&str] = &["db.namespace", "postgresql.database.name"];
const REPLICA: &[&str] = &["operation", "replication_client"];
const GROUP: &[&str] = &["group", "topic"];
const GROUP_PARTITION: &[&str] = &["group", "partition", "topic"];
const PARTITION: &[&str] = &["partition", "topic"];
const URL: &[&str] = &["http.url"];
const URL_STATUS: &[&str] = &["http.method", "http.status_class", "http.status_code", "http.url"];
const URL_ERROR: &[&str] = &["error.message", "http.url"];
const URL_TLS: &[&str] = &["http.tls.cn", "http.tls.issuer", "http.tls.san", "http.url"];
const ENDPOINT: &[&str] = &["tcpcheck.endpoint"];
const ENDPOINT_ERROR: &[&str] = &["error.code", "tcpcheck.endpoint"];
const TLS: &[&str] = &["tlscheck.target", "tlscheck.x509.cn", "tlscheck.x509.issuer", "tlscheck.x509.san"];
const ROUTE: &[&str] = &["http.request.method", "http.response.status_code", "http.route", "service.name"];

/// By name.
const OTHERS: &[Row] = &[
    ("container.cpu.usage", "{cpu}", false, CONTAINER),
    ("container.memory.rss", "By", false, CONTAINER),
    ("http.client.request.duration", "s", false, ROUTE),
    ("http.server.request.duration", "s", false, ROUTE),
    ("httpcheck.duration", "ms", false, URL),
    ("httpcheck.error", "{error}", false, URL_ERROR),
    ("httpcheck.status", "{check}", false, URL_STATUS),
    ("httpcheck.tls.cert_remaining", "s", false, URL_TLS),
    ("k8s.container.cpu_limit_utilization", "1", false, CONTAINER),
    ("k8s.container.memory_limit_utilization", "1", false, CONTAINER),
    ("k8s.container.ready", "{container}", false, CONTAINER),
    ("k8s.container.restarts", "{restart}", false, CONTAINER),
    ("k8s.container.status.reason", "{container}", false, REASON),
    ("k8s.daemonset.current_scheduled_nodes", "{node}", false, DAEMONSET),
    ("k8s.daemonset.desired_scheduled_nodes", "{node}", false, DAEMONSET),
    ("k8s.daemonset.misscheduled_nodes", "{node}", false, DAEMONSET),
    ("k8s.daemonset.ready_nodes", "{node}", false, DAEMONSET),
    ("k8s.deployment.available", "{pod}", false, DEPLOYMENT),
    ("k8s.deployment.desired", "{pod}", false, DEPLOYMENT),
    ("k8s.job.active_pods", "{pod}", false, JOB),
    ("k8s.job.failed_pods", "{pod}", false, JOB),
    ("k8s.job.successful_pods", "{pod}", false, JOB),
    ("k8s.node.condition", "{condition}", false, CONDITION),
    ("k8s.node.condition_ready", "{condition}", false, NODE),
    ("k8s.node.cpu.time", "s", true, NODE),
    ("k8s.node.cpu.usage", "{cpu}", false, NODE),
    ("k8s.node.filesystem.available", "By", false, NODE),
    ("k8s.node.filesystem.capacity", "By", false, NODE),
    ("k8s.node.filesystem.usage", "By", false, NODE),
    ("k8s.node.memory.available", "By", false, NODE),
    ("k8s.node.memory.working_set", "By", false, NODE),
    ("k8s.pod.cpu.time", "s", true, POD),
    ("k8s.pod.cpu.usage", "{cpu}", false, POD),
    ("k8s.pod.cpu_limit_utilization", "1", false, POD),
    ("k8s.pod.memory.working_set", "By", false, POD),
    ("k8s.pod.memory_limit_utilization", "1", false, POD),
    ("k8s.pod.phase", "{phase}", false, POD),
    ("k8s.statefulset.current_pods", "{pod}", false, STATEFULSET),
    ("k8s.statefulset.desired_pods", "{pod}", false, STATEFULSET),
    ("k8s.statefulset.ready_pods", "{pod}", false, STATEFULSET),
    ("k8s.volume.available", "By", false, VOLUME),
    ("k8s.volume.capacity", "By", false, VOLUME),
    ("k8s.volume.inodes", "{inode}", false, VOLUME),
    ("k8s.volume.inodes.free", "{inode}", false, VOLUME),
    ("kafka.brokers", "{broker}", false, &[]),
    ("kafka.consumer_group.lag", "{record}", false, GROUP_PARTITION),
    ("kafka.consumer_group.lag_sum", "{record}", false, GROUP),
    ("kafka.consumer_group.members", "{member}", false, &["group"]),
    ("kafka.consumer_group.offset", "{record}", false, GROUP_PARTITION),
    ("kafka.partition.current_offset", "{record}", false, PARTITION),
    ("kafka.partition.replicas", "{replica}", false, PARTITION),
    ("kafka.partition.replicas_in_sync", "{replica}", false, PARTITION),
    ("kafka.topic.partitions", "{partition}", false, &["topic"]),
    ("postgresql.backends", "{connection}", false, DATABASE),
    ("postgresql.blocks_read", "{block}", true, &["db.namespace", "postgresql.database.name", "source"]),
    ("postgresql.commits", "{transaction}", true, DATABASE),
    ("postgresql.connection.max", "{connection}", false, &[]),
    ("postgresql.db_size", "By", false, DATABASE),
    ("postgresql.deadlocks", "{deadlock}", true, DATABASE),
    ("postgresql.replication.data_delay", "By", false, &["replication_client"]),
    ("postgresql.rollbacks", "{transaction}", true, DATABASE),
    ("postgresql.temp_files", "{temp_file}", true, DATABASE),
    ("postgresql.wal.age", "s", false, &[]),
    ("postgresql.wal.lag", "s", false, REPLICA),
    ("tcpcheck.duration", "ms", false, ENDPOINT),
    ("tcpcheck.error", "{error}", true, ENDPOINT_ERROR),
    ("tcpcheck.status", "{check}", false, ENDPOINT),
    ("tlscheck.time_left", "s", false, TLS),
];

/// What is known of the metric `name`.
pub(super) fn known(name: &str) -> Option<Known> {
    if let Some(metric) = crate::decode::metric(name) {
        let counter = metric.kind == MetricKind::Counter;
        return Some(Known { unit: metric.unit, counter, labels: metric.labels, ours: true });
    }
    let at = OTHERS.binary_search_by(|row| row.0.cmp(name)).ok()?;
    OTHERS.get(at).map(|(_, unit, counter, labels)| Known { unit, counter: *counter, labels, ours: false })
}

/// What is known, by the names that expressions have for it.
static TRANSLATED: LazyLock<BTreeMap<String, Known>> = LazyLock::new(|| {
    names().into_iter().filter_map(|name| Some((evaluate::prometheus_metric(name), known(name)?))).collect()
});

/// What is known of the metric that an expression calls `name`.
pub(super) fn known_to_prometheus(name: &str) -> Option<Known> {
    TRANSLATED.get(name).copied()
}

/// The names that expressions have for all known metrics.
pub(super) fn prometheus_names() -> Vec<&'static str> {
    TRANSLATED.keys().map(String::as_str).collect()
}

/// The names of all known metrics.
pub(super) fn names() -> Vec<&'static str> {
    METRICS.iter().map(|metric| metric.name).chain(OTHERS.iter().map(|row| row.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_and_none_is_the_agents() {
        assert!(OTHERS.is_sorted_by_key(|row| row.0));
        for (name, _, _, labels) in OTHERS {
            assert!(known(name).is_some_and(|known| !known.ours), "{name}");
            assert!(labels.is_sorted(), "{name}");
        }
        assert!(known("system.cpu.utilization").is_some_and(|known| known.ours && known.ratio()));
        assert!(known("app.queue").is_none());
    }
}
