//! The keys of rule files.
//!
//! The idea: what a later version will take is in the table already, as a refusal with its name, so that a rule which
//! asks for it is never half understood.

use crate::config::inventory::RESOURCES;
use crate::config::people::{CHAIN_LIST, CONTACT_LIST};
use crate::config::scenario::SCENARIOS;
use crate::config::table::{Kind, Table, later, may, must, or};
use crate::time::{DAY, HOUR, Ms, SECOND};

/// Longest window: a year of hourly samples; what is longer belongs into a report.
const OVER_MAX: Ms = 400 * DAY;

static LEVEL: Table = Table {
    name: "severity level",
    doc: "When a severity is reached.",
    keys: &[
        must("value", Kind::Threshold, "threshold: 95%, 0.95, 10GiB, 5m, 1/s; [low, high] for outside"),
        or("for", "0s", Kind::Duration(0, 30 * DAY), "bad at every tick for so long"),
    ],
};

static LEVELS: Table = Table {
    name: "severity",
    doc: "Thresholds, at least one.",
    keys: &[
        may("S1", Kind::Table(&LEVEL), "중대"),
        may("S2", Kind::Table(&LEVEL), "보통"),
        may("S3", Kind::Table(&LEVEL), "경미"),
        may("S4", Kind::Table(&LEVEL), "정보"),
    ],
};

static WINDOW: Table = Table {
    name: "window",
    doc: "Which samples count, and what becomes of them.",
    keys: &[
        must("fn", Kind::Function, "what one series' samples become"),
        must("over", Kind::Duration(0, OVER_MAX), "length, left-open"),
        may(
            "step",
            Kind::Duration(SECOND, DAY),
            "keep the window in panes of this length, for windows of days: it begins on a multiple of `step` that leaves \
             it at least `over`",
        ),
    ],
};

static RECOVER: Table = Table {
    name: "recover",
    doc: "When it is good again: no longer `when` at `value`, for `for`.",
    keys: &[
        may("value", Kind::Threshold, "left out: the lowest severity's value"),
        or("for", "0s", Kind::Duration(0, 30 * DAY), "good at every tick for so long"),
    ],
};

static NO_DATA: Table = Table {
    name: "no_data",
    doc: "What silence means.",
    keys: &[
        may(
            "after",
            Kind::Duration(SECOND, OVER_MAX),
            "unknown from this age on; left out: the longer of `over` and 5m",
        ),
        or("then", "hold", Kind::Then, "what an unknown does"),
    ],
};

static LOG: Table = Table {
    name: "log",
    doc: "Which log lines count.",
    keys: &[
        may("match", Kind::Map(&Kind::Matcher), "conditions on labels"),
        may("pattern", Kind::Regex, "regular expression that the text must contain; left out: every line"),
    ],
};

/// The keys of one rule.
static RULE: Table = Table {
    name: "rule",
    doc: "What to watch, over which window, when it is bad, when it is good again.",
    keys: &[
        must("id", Kind::Id, "stable: state, silences and history hang on it"),
        may("title", Kind::Text, "Korean title; goes into messages"),
        or("domain", "인프라", Kind::Word(&["인프라", "응용", "통신", "보안"]), "구간"),
        may("metric", Kind::Name, "metric to watch"),
        may("match", Kind::Map(&Kind::Matcher), "conditions on labels, all must fit"),
        may("log", Kind::Table(&LOG), "log lines to watch, instead of a metric"),
        may("by", Kind::List(&Kind::Name, 0), "identity labels; left out: every label of the series"),
        must("window", Kind::Table(&WINDOW), "which samples count"),
        may("across", Kind::Word(&["sum", "avg", "max", "min"]), "how the series of one identity become one number"),
        must(
            "when",
            Kind::Word(&["above", "at_least", "below", "at_most", "equals", "outside"]),
            "compares the value with the threshold",
        ),
        must("severity", Kind::Table(&LEVELS), "thresholds"),
        may("recover", Kind::Table(&RECOVER), "when it is good again"),
        may("min_samples", Kind::Int(1, 1_000_000), "a tick has a value from so many samples on"),
        may("no_data", Kind::Table(&NO_DATA), "what silence means"),
        or("forget", "24h", Kind::Duration(HOUR, 400 * DAY), "after so long a silent identity is forgotten"),
        may("chain", Kind::Id, "chain to tell; left out: the one that fits"),
        later("ratio", "quotients join with the rules issue: watch the two metrics with a rule each"),
        later("expr", "PromQL joins with the rules issue: use metric, window and severity"),
        later("for", "stands under a severity: severity: { S2: { value: …, for: 5m } }"),
        later("overrides", "join with the rules issue: write a second rule with its own `match`"),
    ],
};

/// The keys of a rule or scenario file.
pub(crate) static FILE: Table = Table {
    name: "rules file",
    doc: "Rules, and scenarios that show what they do.",
    keys: &[
        or("version", "1", Kind::Int(1, 1), "version of the format"),
        or("interval", "1s", Kind::Duration(SECOND, HOUR), "distance of ticks"),
        may("rules", Kind::List(&Kind::Table(&RULE), 0), "the rules"),
        may("scenarios", SCENARIOS, "what happens on a virtual clock, and what must come of it"),
        may("contacts", CONTACT_LIST, "contacts for the scenarios of this file alone"),
        may("chains", CHAIN_LIST, "chains for the scenarios of this file alone"),
        may("resources", RESOURCES, "inventory for the scenarios of this file alone"),
        later("groups", "Prometheus rule files join with the rules issue"),
        later("spec", "PrometheusRule objects join with the rules issue"),
    ],
};
