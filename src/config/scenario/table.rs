//! The keys of scenarios.

use super::{Answer, Code};
use crate::config::table::{Kind, Table, may, must};
use crate::time::{DAY, Ms};

/// A scenario longer than a year is none.
const AT: Kind = Kind::Duration(0, YEAR);
const YEAR: Ms = 366 * DAY;
const TIMES: Kind = Kind::Int(1, 100_000);
const PLACE: Kind = Kind::Int(0, 1_000_000);
const SEVERITY: Kind = Kind::Word(&["S1", "S2", "S3", "S4"]);
const CHANNEL: Kind = Kind::Word(&["sms", "mms", "mail"]);
const STATES: &[&str] = &["inactive", "pending", "firing", "recovering", "resolved"];
const CAUSES: &[&str] =
    &["none", "warming", "limit", "pipeline lag", "too few samples", "parse error", "source silent", "series gone"];
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
    doc: "A series, a log line, or a record as it is.",
    keys: &[
        may("series", Kind::Text, "NAME{label=\"value\",…}"),
        may(
            "every",
            Kind::Duration(1, DAY),
            "distance of its samples (with `timeline` 10s); of lines or records with `times`",
        ),
        may("values", Kind::Values, "promtool's notation: 0.5x30 1+2x3 _ 7"),
        may("timeline", Kind::Values, "or in words: 0.5 for 5m, 0.5 to 0.97 for 1m, nothing for 2m, 97%"),
        may("hosts", TIMES, "it stands for so many hosts: `{n}` in its labels counts them, else `-n` follows `host`"),
        may("skew", Kind::Shift, "how far the source's clock is ahead: +2h, -30s"),
        may("late", Kind::Duration(0, YEAR), "how long each sample is under way"),
        may("line", Kind::Map(&Kind::Label), "labels of a log line's record, `host` among them"),
        may("record", Kind::Label, "a record's value as it is; `{ts}` stands for its time in epoch ms"),
        may("key", Kind::Label, "key of the record: its host"),
        may("at", AT, "when the line or record comes, or the series begins"),
        may("level", Kind::Label, "level of the line"),
        may("text", Kind::Label, "text of the line"),
        may("times", TIMES, "so many lines or records"),
    ],
};

pub(super) static DO: Table = Table {
    name: "action",
    doc: "What people and the world do.",
    keys: &[
        must("at", AT, "when"),
        may("every", Kind::Duration(1, YEAR), "again and again at this distance …"),
        may("times", TIMES, "… so many times in all …"),
        may("until", AT, "… or up to this time"),
        may("ack", Kind::Id, "rule whose incident is taken, or its number"),
        may("unack", Kind::Id, "rule whose incident is given back"),
        may("handover", Kind::Id, "rule whose incident is handed to `to`"),
        may("resolve", Kind::Id, "rule whose incident is over"),
        may("reopen", Kind::Id, "rule whose incident is not over"),
        may("silence", Kind::Map(&Kind::Matcher), "what is silenced, `for` so long"),
        may("expire", Kind::Map(&Kind::Matcher), "what its silence is about that ends"),
        may("approve", Kind::Map(&Kind::Matcher), "what its silence is about that is approved"),
        may("approver", Kind::Id, "contact who shall approve the silence"),
        may("drill", Kind::Id, "rule that a drill pretends to fire at `severity`, `for` so long [S1, 30m]"),
        may("gateway", CHANNEL, "channel whose gateway answers otherwise, `for` so long"),
        may("reload", Kind::Any, "`true`, `broken`, a file, or a map of rules, contacts, chains, resources"),
        may("rules", Kind::Any, "with `reload: true`: the rules from now on"),
        may("contacts", Kind::Any, "with `reload: true`: the contacts from now on"),
        may("chains", Kind::Any, "with `reload: true`: the chains from now on"),
        may("resources", Kind::Any, "with `reload: true`: the inventory from now on"),
        may("sla", Kind::Any, "with `reload: true`: the service levels from now on"),
        may("restart", Kind::Any, "`true`: the process ends in order and starts again, after `for`"),
        may("crash", Kind::Any, "`true`: the process is killed and starts again, after `for`"),
        may("writes", Kind::Int(0, 1_000), "it is killed so many durable writes later"),
        may("last", Kind::Word(&["lost", "kept"]), "what becomes of the write at which it is killed"),
        may("clock", Kind::Shift, "the machine's clock jumps, and with it the log's"),
        may("of", Kind::Word(&["both", "log", "wall"]), "which clock jumps"),
        may("partition", Kind::Partition, "`{ 0: down }` or `{ 0: up }`"),
        may("disk", Kind::Word(&["full", "ok"]), "store and log cannot be written, `for` so long"),
        may("store", Kind::Word(&["away", "ok"]), "the store cannot be written, `for` so long"),
        may("leader", Kind::Any, "`true`: another leader takes over, the old one does not know yet"),
        may("receipt", Kind::Id, "contact whose last page is reported on"),
        may("labels", Kind::Map(&Kind::Label), "identity of the incident"),
        may("by", Kind::Id, "contact who does it"),
        may("to", Kind::Id, "contact who gets it"),
        may("for", Kind::Duration(1, YEAR), "how long"),
        may("reason", Kind::Label, "why"),
        may("note", Kind::Label, "what they note"),
        may("channel", CHANNEL, "channel of the page reported on"),
        may("answers", Kind::Word(ANSWERS), "what the gateway or the report says"),
        may("pick", PLACE, "the one at this place of those that fit, counted round; `any` fits every rule and contact"),
        may(
            "code",
            Kind::Word(Code::WORDS),
            "taken by a one-time code: of the newest pages, or one that is good no more",
        ),
        may("severity", SEVERITY, "severity of the drill"),
        may("after", Kind::Duration(0, YEAR), "the silence begins so much later"),
        may("replaces", PLACE, "the silence whose place it takes: the one at this place of all, counted round"),
        may(
            "waits",
            Kind::Bool,
            "the silence waits where another contact must approve it; left out: approved at once, unless `approver`, `hides_s1` or an `approve` says otherwise",
        ),
        may("hides_s1", Kind::Bool, "whoever silences was shown that it hides something of S1: it needs an approver"),
        may("look_up", Kind::Bool, "whether the gateway can be asked what became of a page"),
    ],
};

/// What gateways answer, and what reports say.
const ANSWERS: &[&str] = &["ok", "500", "429", "hang", "unknown", "refused", "delivered", "failed"];
const _: () = assert!(ANSWERS.len() == Answer::WORDS.len() + 2);

pub(super) static EXPECT: Table = Table {
    name: "expectation",
    doc: "What must come of it.",
    keys: &[
        must("at", AT, "when"),
        may("until", AT, "or later, up to then"),
        may("count", Kind::Int(0, 1_000_000), "how often in that time; 0: never"),
        may("least", Kind::Int(0, 1_000_000), "how often at least"),
        may("most", Kind::Int(0, 1_000_000), "how often at most"),
        may("signal", Kind::Id, "rule that signals"),
        may("incident", Kind::Id, "rule whose incident it is"),
        may("page", Kind::Label, "contact who is told; `*`: whoever"),
        may("outcome", Kind::Label, "contact whose page comes to an end; `*`: whoever"),
        may("arrival", Kind::Label, "contact whose phone or mailbox gets the page; `*`: whoever"),
        may("labels", Kind::Map(&Kind::Label), "identity; of a page, that of its incident"),
        may("rule", Kind::Id, "rule of the page's incident"),
        may("from", Kind::Word(STATES), "state before"),
        may("to", Kind::Word(STATES), "state after"),
        may("state", Kind::Word(&["open", "acked", "resolved", "closed"]), "state of the incident"),
        may("severity", SEVERITY, "severity"),
        may("value", Kind::Number, "value of the signal"),
        may("unknown", Kind::Word(CAUSES), "why nothing is known; `none`: it is"),
        may("ended", Kind::Word(&["rule_changed", "no_data", "gone"]), "why it ended, where it was not the value"),
        may("number", Kind::Id, "number of the incident"),
        may("channel", CHANNEL, "channel of the page"),
        may("reason", Kind::Word(REASONS), "reason of the page"),
        may("step", Kind::Int(0, 99), "step of the chain"),
        may("text", Kind::Text, "part of the page's text"),
        may("form", Kind::Word(&["sms", "lms", "mms", "mail"]), "what kind of message the page is"),
        may("bytes", Kind::Int(0, 1_000_000), "length of the page's text, as carriers count"),
        may("result", Kind::Word(&["accepted", "delivered", "failed", "unknown", "resent"]), "what became of the page"),
    ],
};

static LIMITS: Table = Table {
    name: "limits of a scenario",
    doc: "Limits in place of the configuration's.",
    keys: &[
        may("series", TIMES, "series in all"),
        may("series_per_rule", TIMES, "series of one rule"),
        may("open_incidents", TIMES, "open incidents"),
        may("pages_per_hour", TIMES, "pages a person and hour, S1 not counted"),
        may("storm", TIMES, "new incidents a minute in one blast domain before they are a storm"),
    ],
};

static SCENARIO: Table = Table {
    name: "scenario",
    doc: "What happens on a virtual clock, and what must come of it.",
    keys: &[
        must("name", Kind::Text, "its name"),
        may("start", Kind::Date, "the instant at which its clock stands at 0; left out: a Monday, 09:00"),
        may("until", AT, "it runs so long at least; left out: to the last thing that comes in or is expected"),
        may("partitions", Kind::Int(1, 64), "partitions of the log"),
        may(
            "builtins",
            Kind::Bool,
            "the engine's own rules run too: source-silent, skew, clock, limits; left out: where one is expected or a feed has `skew`",
        ),
        may(
            "promises",
            Kind::Bool,
            "the promises are asked after: nothing lost, told twice or forgotten, everybody told who must be, the ledger \
             gives the same again",
        ),
        may("lenient", Kind::Bool, "what cannot be done, because nothing is there or it is refused, is no mistake"),
        may("limits", Kind::Table(&LIMITS), "limits in place of the configuration's"),
        must("feed", Kind::List(&Kind::Table(&FEED), 0), "what comes in"),
        may("do", Kind::List(&Kind::Table(&DO), 0), "what people and the world do"),
        must("expect", Kind::List(&Kind::Table(&EXPECT), 0), "what must come of it"),
        may(
            "exact",
            Kind::List(&Kind::Word(&["signal", "incident", "page", "outcome", "arrival"]), 0),
            "of these kinds nothing else may happen",
        ),
    ],
};

/// A list of scenarios.
pub(crate) const SCENARIOS: Kind = Kind::List(&Kind::Table(&SCENARIO), 0);
