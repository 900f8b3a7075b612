//! The keys of Prometheus rule files.
//!
//! The idea: as Prometheus 3 has them; what is more than it has is refused like any unknown key.

use crate::config::table::{Key, Kind, Table, may, must};

/// A rule, alerting or recording.
pub(super) static RULE: Table = Table {
    name: "Prometheus rule",
    doc: "An alert, or a recorded metric.",
    keys: &[
        may("alert", Kind::Label, "name of the alert"),
        may("record", Kind::Label, "name of the metric to record"),
        must("expr", Kind::Label, "PromQL expression"),
        may("for", Kind::Length, "an alert fires once its expression gave it for so long"),
        may("keep_firing_for", Kind::Length, "it goes on firing for so long after its expression no longer gives it"),
        may("labels", Kind::Texts, "labels to add; of an alert they may be templates"),
        may("annotations", Kind::Texts, "texts for people, templates"),
    ],
};

const NAME: Key = must("name", Kind::Label, "unique in its file");
const INTERVAL: Key = may("interval", Kind::Length, "distance of evaluations, 1m where none is given");
const LIMIT: Key = may("limit", Kind::Int(0, i64::MAX), "most alerts or series of one rule; 0: any number");
const OFFSET: Key = may("query_offset", Kind::Length, "expressions see the world so long ago");
const LABELS: Key = may("labels", Kind::Texts, "labels for every rule of the group");
const RULES: Key = may("rules", Kind::List(&Kind::Any, 0), "the rules, evaluated in this order");

static GROUP: Table = Table {
    name: "group",
    doc: "Rules evaluated one after the other.",
    keys: &[NAME, INTERVAL, LIMIT, OFFSET, LABELS, RULES],
};

static OBJECT_GROUP: Table = Table {
    name: "group",
    doc: "Rules evaluated one after the other.",
    keys: &[
        NAME,
        INTERVAL,
        LIMIT,
        OFFSET,
        LABELS,
        RULES,
        may("partial_response_strategy", Kind::Label, "Thanos's, without effect here"),
    ],
};

/// A rule file.
pub(super) static FILE: Table = Table {
    name: "Prometheus rule file",
    doc: "Groups of alerting and recording rules.",
    keys: &[may("groups", Kind::List(&Kind::Table(&GROUP), 0), "the groups")],
};

/// `spec` of a `PrometheusRule` object.
pub(super) static SPEC: Table = Table {
    name: "spec of a PrometheusRule",
    doc: "Groups of alerting and recording rules.",
    keys: &[may("groups", Kind::List(&Kind::Table(&OBJECT_GROUP), 0), "the groups")],
};
