//! The keys of scenarios.

use super::Answer;
use crate::config::table::{Kind, Table, may, must};
use crate::time::{DAY, Ms};

/// A scenario longer than a year is none.
const AT: Kind = Kind::Duration(0, YEAR);
const YEAR: Ms = 366 * DAY;
const SEVERITY: Kind = Kind::Word(&["S1", "S2", "S3", "S4"]);
const STATES: &[&str] = &["inactive", "pending", "firing", "recovering", "resolved"];
const REASONS: &[&str] = &[
    "first",
    "escalated",
    "worsened",
    "reopened",
    "flapping",
    "repeat",
    "sla",
    "resolved",
    "digest",
    "drill",
    "contact_check",
    "gateway_switched",
];

pub(super) static FEED: Table = Table {
    name: "feed",
    doc: "A series, or one log line.",
    keys: &[
        may("series", Kind::Text, "NAME{label=\"value\",…}"),
        may("every", Kind::Duration(1, DAY), "distance of its samples"),
        may("values", Kind::Values, "promtool's notation: 0.5x30 1+2x3 _ 7"),
        may("line", Kind::Map(&Kind::Label), "labels of a log line's record, `host` among them"),
        may("at", AT, "when the line comes, or the series begins"),
        may("level", Kind::Label, "level of the line"),
        may("text", Kind::Label, "text of the line"),
    ],
};

pub(super) static DO: Table = Table {
    name: "action",
    doc: "What people and the world do.",
    keys: &[
        must("at", AT, "when"),
        may("ack", Kind::Id, "rule whose incident is taken"),
        may("unack", Kind::Id, "rule whose incident is given back"),
        may("handover", Kind::Id, "rule whose incident is handed to `to`"),
        may("resolve", Kind::Id, "rule whose incident is over"),
        may("reopen", Kind::Id, "rule whose incident is not over"),
        may("silence", Kind::Map(&Kind::Label), "labels to silence"),
        may("expire", Kind::Map(&Kind::Label), "labels whose silence ends"),
        may("gateway", Kind::Word(&["sms", "mms", "mail"]), "channel whose gateway answers otherwise"),
        may("reload", Kind::Bool, "the configuration is read again"),
        may("restart", Kind::Bool, "the process ends in order and starts again"),
        may("crash", Kind::Bool, "the process is killed and starts again"),
        may("clock", Kind::Shift, "the log's clock jumps"),
        may("partition", Kind::Partition, "`{ 0: down }` or `{ 0: up }`"),
        may("leader", Kind::Bool, "another leader takes over"),
        may("receipt", Kind::Id, "contact whose last page is reported on"),
        may("labels", Kind::Map(&Kind::Label), "identity of the incident"),
        may("by", Kind::Id, "contact who does it"),
        may("to", Kind::Id, "contact who gets it"),
        may("for", Kind::Duration(1, YEAR), "how long"),
        may("reason", Kind::Label, "why"),
        may("answers", Kind::Word(Answer::WORDS), "what the gateway or receipt says"),
    ],
};

pub(super) static EXPECT: Table = Table {
    name: "expectation",
    doc: "What must come of it.",
    keys: &[
        must("at", AT, "when"),
        may("signal", Kind::Id, "rule that signals"),
        may("incident", Kind::Id, "rule whose incident it is"),
        may("page", Kind::Id, "contact who is told"),
        may("labels", Kind::Map(&Kind::Label), "identity"),
        may("from", Kind::Word(STATES), "state before"),
        may("to", Kind::Word(STATES), "state after"),
        may("state", Kind::Word(&["open", "acked", "resolved", "closed"]), "state of the incident"),
        may("severity", SEVERITY, "severity"),
        may("value", Kind::Number, "value of the signal"),
        may("channel", Kind::Word(&["sms", "mms", "mail"]), "channel of the page"),
        may("reason", Kind::Word(REASONS), "reason of the page"),
        may("step", Kind::Int(0, 99), "step of the chain"),
        may("text", Kind::Text, "part of the page's text"),
    ],
};

static SCENARIO: Table = Table {
    name: "scenario",
    doc: "What happens on a virtual clock, and what must come of it.",
    keys: &[
        must("name", Kind::Text, "its name"),
        must("feed", Kind::List(&Kind::Table(&FEED), 1), "what comes in"),
        may("do", Kind::List(&Kind::Table(&DO), 0), "what people and the world do"),
        must("expect", Kind::List(&Kind::Table(&EXPECT), 0), "what must come of it"),
        may(
            "exact",
            Kind::List(&Kind::Word(&["signal", "incident", "page"]), 0),
            "of these kinds nothing else may happen",
        ),
    ],
};

/// A list of scenarios.
pub(crate) const SCENARIOS: Kind = Kind::List(&Kind::Table(&SCENARIO), 0);
