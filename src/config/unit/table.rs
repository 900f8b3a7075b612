//! The keys of promtool's unit-test files.

use crate::config::table::{Kind, Table, may, must, or};

static SERIES: Table = Table {
    name: "input series",
    doc: "A series, and its samples.",
    keys: &[
        must("series", Kind::Label, "name{label=\"value\",…}"),
        must("values", Kind::Label, "promtool's notation: 1+2x3 0x5 _ _x3 stale 7"),
    ],
};

static EXPECTED_ALERT: Table = Table {
    name: "expected alert",
    doc: "A firing alert.",
    keys: &[
        may("exp_labels", Kind::Texts, "its labels, alertname left out"),
        may("exp_annotations", Kind::Texts, "its annotations"),
    ],
};

static ALERT_TEST: Table = Table {
    name: "alert test",
    doc: "Which alerts of one name fire at a time.",
    keys: &[
        or("eval_time", "0", Kind::Length, "when, from the test's beginning"),
        must("alertname", Kind::Label, "name of the alert"),
        may("exp_alerts", Kind::List(&Kind::Table(&EXPECTED_ALERT), 0), "those that fire, all of them"),
        may("ignore_annotations", Kind::Bool, "their annotations are not compared"),
    ],
};

static SAMPLE: Table = Table {
    name: "expected sample",
    doc: "One series of a result.",
    keys: &[
        may("labels", Kind::Label, "name{label=\"value\",…}"),
        may("value", Kind::Label, "its value"),
        may("histogram", Kind::Label, "a native histogram, which is refused"),
    ],
};

static EXPR_TEST: Table = Table {
    name: "expression test",
    doc: "What an expression gives at a time.",
    keys: &[
        must("expr", Kind::Label, "PromQL expression"),
        or("eval_time", "0", Kind::Length, "when, from the test's beginning"),
        may("exp_samples", Kind::List(&Kind::Table(&SAMPLE), 0), "the whole result"),
    ],
};

static GROUP: Table = Table {
    name: "test group",
    doc: "Series, and what rules and expressions make of them.",
    keys: &[
        may("name", Kind::Label, "its name"),
        may("interval", Kind::Length, "distance of the samples; left out: evaluation_interval"),
        may("input_series", Kind::List(&Kind::Table(&SERIES), 0), "what comes in"),
        may("alert_rule_test", Kind::List(&Kind::Table(&ALERT_TEST), 0), "tests of alerts"),
        may("promql_expr_test", Kind::List(&Kind::Table(&EXPR_TEST), 0), "tests of expressions"),
        may("ignore_annotations", Kind::Bool, "annotations of alerts are not compared"),
        may("external_labels", Kind::Texts, "$externalLabels of templates"),
        may("external_url", Kind::Label, "$externalURL of templates"),
        may("start_timestamp", Kind::Label, "the test's beginning, RFC 3339 or seconds; left out: 1970"),
    ],
};

/// A unit-test file.
pub(super) static FILE: Table = Table {
    name: "unit-test file",
    doc: "promtool's tests of rules.",
    keys: &[
        may(
            "rule_files",
            Kind::List(&Kind::Label, 0),
            "rule files, from this file's folder on; * ? [a-z] stand for names",
        ),
        or("evaluation_interval", "1m", Kind::Length, "distance of evaluations"),
        may("group_eval_order", Kind::List(&Kind::Label, 0), "groups that are evaluated in this order"),
        may("fuzzy_compare", Kind::Bool, "values may differ in their last bit"),
        may("tests", Kind::List(&Kind::Table(&GROUP), 0), "the test groups"),
    ],
};
