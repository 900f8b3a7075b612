//! What a series is called in PromQL.
//!
//! The idea: OpenTelemetry's translation to Prometheus: what a name may not hold becomes `_`, the unit and `_total`
//! follow. A point carries no unit, so the names whose unit is known stand in a table; a name that Prometheus itself
//! could have made is left alone. Source: the specification "Prometheus and OpenMetrics Compatibility", and the units
//! of the semantic conventions.

use crate::evaluate::promql::NAME;
use crate::model::{Labels, SeriesKey};

/// Names of the semantic conventions and what follows them.
const KNOWN: &[(&str, &str)] = &[
    ("container.cpu.time", "_seconds_total"),
    ("container.memory.usage", "_bytes"),
    ("k8s.container.cpu_limit_utilization", "_ratio"),
    ("k8s.container.memory_limit_utilization", "_ratio"),
    ("process.cpu.time", "_seconds_total"),
    ("process.memory.usage", "_bytes"),
    ("process.memory.virtual", "_bytes"),
    ("system.cpu.time", "_seconds_total"),
    ("system.cpu.utilization", "_ratio"),
    ("system.disk.io", "_bytes_total"),
    ("system.disk.io_time", "_seconds_total"),
    ("system.disk.merged", "_total"),
    ("system.disk.operation_time", "_seconds_total"),
    ("system.disk.operations", "_total"),
    ("system.filesystem.inodes.utilization", "_ratio"),
    ("system.filesystem.usage", "_bytes"),
    ("system.filesystem.utilization", "_ratio"),
    ("system.memory.usage", "_bytes"),
    ("system.memory.utilization", "_ratio"),
    ("system.network.dropped", "_total"),
    ("system.network.errors", "_total"),
    ("system.network.io", "_bytes_total"),
    ("system.network.packets", "_total"),
    ("system.paging.operations", "_total"),
    ("system.paging.usage", "_bytes"),
    ("system.paging.utilization", "_ratio"),
    ("system.uptime", "_seconds"),
];

/// The metric `name` as an expression names it.
pub fn prometheus_metric(name: &str) -> String {
    let suffix = KNOWN.binary_search_by(|(known, _)| (*known).cmp(name)).ok().and_then(|at| KNOWN.get(at));
    format!("{}{}", word(name, true), suffix.map_or("", |(_, suffix)| suffix))
}

/// The label `name` as an expression names it.
pub fn prometheus_label(name: &str) -> String {
    word(name, false)
}

/// The labels of `key` as an expression sees them, its name among them; `host` is also `instance`.
pub fn translate(key: &SeriesKey) -> Labels {
    let name = prometheus_metric(&key.name);
    let host = key.labels.get("host").filter(|_| key.labels.get("instance").is_none());
    let own = key.labels.iter().map(|(name, value)| (word(name, false), value.to_owned()));
    let instance = host.map(|host| ("instance".to_owned(), host.to_owned()));
    Labels::new(own.chain(instance).chain([(NAME.to_owned(), name)]).filter(|(_, value)| !value.is_empty()))
}

/// `text` with `_` for what a name may not hold; a colon only in a metric's name.
fn word(text: &str, metric: bool) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || (metric && c == ':');
    let mut word: String = text.chars().map(|c| if fits(c) { c } else { '_' }).collect();
    if word.starts_with(|c: char| c.is_ascii_digit()) {
        word.insert(0, '_');
    }
    word
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(KNOWN.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn names_and_labels_become_prometheuss() {
        let of = |name: &str, labels: &[(&str, &str)]| {
            translate(&SeriesKey { name: Arc::from(name), labels: Labels::new(labels.iter().copied()) }).to_string()
        };
        assert_eq!(
            of("system.filesystem.usage", &[("host", "db-01"), ("system.filesystem.state", "free")]),
            r#"{__name__="system_filesystem_usage_bytes",host="db-01",instance="db-01",system_filesystem_state="free"}"#
        );
        assert_eq!(of("node_load1", &[("instance", "a:9100")]), r#"{__name__="node_load1",instance="a:9100"}"#);
        assert_eq!(of("job:errors:rate5m", &[("a:b", "1")]), r#"{__name__="job:errors:rate5m",a_b="1"}"#);
        assert_eq!(of("3분.평균", &[]), r#"{__name__="_3____"}"#);
    }
}
