//! The keys of rule files.
//!
//! The idea: a rule watches by one of several keys (`metric`, `log`, `ratio`, `all`, `any`, `expr`), so hardly any key is
//! needed always; the table says what there is and of which shape, `sense` what goes with what.

use crate::config::calendar::{BUSINESS_HOURS, HOLIDAYS, NAMED_TIMES};
use crate::config::chain::CHAIN_LIST;
use crate::config::inventory::RESOURCES;
use crate::config::mute::{INHIBITS, MAINTENANCES};
use crate::config::people::{CONTACT_LIST, ROTA_LIST};
use crate::config::scenario::SCENARIOS;
use crate::config::sla::SLA;
use crate::config::table::{Kind, Table, brief, may, must, or};
use crate::model::Explains;
use crate::time::{DAY, HOUR, Ms, SECOND};

/// Longest window: a year of hourly samples; what is longer belongs into a report.
const OVER_MAX: Ms = 400 * DAY;

static LEVEL: Table = Table {
    name: "severity level",
    doc: "When a severity is reached.",
    keys: &[
        may(
            "value",
            Kind::Threshold,
            "threshold: 95%, 0.95, 10GiB, 5m, 1/s; [low, high] for outside; with all and any it stands in the conditions",
        ),
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
        or(
            "expected",
            "false",
            Kind::Bool,
            "each host of the inventory that fits is waited for: one that never spoke is unknown (source silent), and \
             `then` applies to it",
        ),
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

static SELECTOR: Table = Table {
    name: "side of a ratio",
    doc: "Series of one metric.",
    keys: &[
        must("metric", Kind::Name, "metric to watch"),
        may("match", Kind::Map(&Kind::Matcher), "conditions on labels, all must fit"),
    ],
};

static RATIO: Table = Table {
    name: "ratio",
    doc: "One metric by another, each folded by `by` first. Where nothing fits `of`, the ratio is 0.",
    keys: &[
        must("of", Kind::Table(&SELECTOR), "numerator"),
        must("to", Kind::Table(&SELECTOR), "denominator"),
        or("min", "0", Kind::Number, "below it the denominator says nothing: no value, and counted"),
    ],
};

static VALUES: Table = Table {
    name: "values",
    doc: "A threshold for each severity.",
    keys: &[
        may("S1", Kind::Threshold, "중대"),
        may("S2", Kind::Threshold, "보통"),
        may("S3", Kind::Threshold, "경미"),
        may("S4", Kind::Threshold, "정보"),
    ],
};

static CONDITION: Table = Table {
    name: "condition",
    doc: "One of several things that must hold. The value that is shown is that of the first one that has one.",
    keys: &[
        must("metric", Kind::Name, "metric to watch"),
        may("match", Kind::Map(&Kind::Matcher), "conditions on labels, all must fit"),
        must("window", Kind::Table(&WINDOW), "which samples count"),
        may("across", Kind::Word(FOLDS), "how the series of one identity become one number"),
        must("when", Kind::Word(COMPARISONS), "compares the value with the threshold"),
        may("value", Kind::Threshold, "threshold at every severity"),
        may("values", Kind::Table(&VALUES), "threshold at a severity, where it is another"),
    ],
};

static OVERRIDE: Table = Table {
    name: "override",
    doc: "Other numbers for some identities. The first that fits counts; what it does not name stays the rule's.",
    keys: &[
        must("match", Kind::Map(&Kind::Matcher), "conditions on the identity's labels, joined with the inventory"),
        may("severity", Kind::Table(&LEVELS), "thresholds, in place of all of the rule's"),
        may("recover", Kind::Table(&RECOVER), "when it is good again"),
        may("min_samples", Kind::Int(1, 1_000_000), "a tick has a value from so many samples on"),
    ],
};

/// Of a rule that is an expression: all of `{ S2: { for: 0s } }`.
const SEVERITIES: &[&str] = &["S1", "S2", "S3", "S4"];
const FOLDS: &[&str] = &["sum", "avg", "max", "min"];
const COMPARISONS: &[&str] = &["above", "at_least", "below", "at_most", "equals", "outside"];

/// The keys of a rule behind its own first ones: a template has them too.
macro_rules! rule_keys {
    ($($first:expr),*) => {
        &[
            $($first,)*
            may("title", Kind::Text, "Korean title; goes into messages"),
            or("domain", "인프라", Kind::Word(&["인프라", "응용", "통신", "보안"]), "구간"),
            or("mode", "live", Kind::Word(&["live", "shadow"]), "shadow: evaluated and recorded, but nobody is told; `status` compares it with the live rule"),
            may(
                "beside",
                Kind::Id,
                "in shadow: the live rule that it is compared with; left out: the one with its id without `-shadow`",
            ),
            may("interval", Kind::Duration(SECOND, HOUR), "distance of ticks; left out: the file's"),
            may("metric", Kind::Name, "metric to watch"),
            may("match", Kind::Map(&Kind::Matcher), "conditions on labels, all must fit"),
            may("log", Kind::Table(&LOG), "log lines to watch, instead of a metric"),
            may("ratio", Kind::Table(&RATIO), "one metric by another, instead of a metric"),
            may(
                "all",
                Kind::List(&Kind::Table(&CONDITION), 1),
                "conditions that must all hold, instead of metric, window and when; while one has no value and none \
                 fails, the last verdict stands",
            ),
            may("any", Kind::List(&Kind::Table(&CONDITION), 1), "conditions of which one must hold, likewise"),
            may("by", Kind::List(&Kind::Name, 0), "identity labels; left out: every label of the series"),
            may("window", Kind::Table(&WINDOW), "which samples count; needed"),
            may("across", Kind::Word(FOLDS), "how the series of one identity become one number"),
            may("when", Kind::Word(COMPARISONS), "compares the value with the threshold; needed"),
            brief("severity", SEVERITIES, Kind::Table(&LEVELS), "thresholds; needed. The short form is for `expr` alone"),
            may("recover", Kind::Table(&RECOVER), "when it is good again"),
            may("overrides", Kind::List(&Kind::Table(&OVERRIDE), 0), "other numbers for some identities"),
            may("min_samples", Kind::Int(1, 1_000_000), "a tick has a value from so many samples on"),
            may("no_data", Kind::Table(&NO_DATA), "what silence means"),
            or("forget", "24h", Kind::Duration(HOUR, 400 * DAY), "after so long a silent identity is forgotten, 1h while its source speaks; never before its window and no_data.after"),
            may("chain", Kind::Id, "chain to tell; left out: the one that fits"),
            may(
                "explains",
                Kind::Word(Explains::WORDS),
                "what its incidents explain of others: nothing; users = symptoms of the resource and of what needs it; same = \
                 also what else is wrong with it; below = also what is wrong with all that runs on it; left out: known of \
                 the engine's own rules, of node conditions and of probes, else nothing",
            ),
            may(
                "symptom",
                Kind::Bool,
                "it is felt by users, so what the resource needs may explain it; left out: true for probes and HTTP metrics",
            ),
            may(
                "group_by",
                Kind::List(&Kind::Name, 0),
                "incidents of the rule with equal values of these labels (and of the inventory's) are one: the others \
                 hang under the oldest",
            ),
            may(
                "expr",
                Kind::Text,
                "PromQL, names as Prometheus has them, instead of metric, window and when: what is in its result is bad",
            ),
            may("for", Kind::Duration(0, 30 * DAY), "with `expr` and `severity: S2`: bad at every tick for so long"),
        ]
    };
}

/// The keys of one rule.
static RULE: Table = Table {
    name: "rule",
    doc: "What to watch, over which window, when it is bad, when it is good again.",
    keys: rule_keys![
        must("id", Kind::Id, "stable: state, silences and history hang on it"),
        may("use", Kind::Name, "template of this file whose keys it takes where it has none of its own")
    ],
};

static TEMPLATE: Table = Table {
    name: "template",
    doc: "Keys for the rules that `use` it. A rule's own keys win, map by map.",
    keys: rule_keys![],
};

static DEFAULT_RECOVER: Table = Table {
    name: "recover of defaults",
    doc: "When it is good again.",
    keys: &[may("for", Kind::Duration(0, 30 * DAY), "good at every tick for so long")],
};

static DEFAULTS: Table = Table {
    name: "defaults",
    doc: "Keys for all rules of this file that neither they nor their templates have.",
    keys: &[
        may("interval", Kind::Duration(SECOND, HOUR), "distance of ticks"),
        may("domain", Kind::Word(&["인프라", "응용", "통신", "보안"]), "구간"),
        may("chain", Kind::Id, "chain to tell"),
        may("group_by", Kind::List(&Kind::Name, 0), "labels that make incidents of one rule alike; [] in a rule: none"),
        may("no_data", Kind::Table(&NO_DATA), "what silence means"),
        may("recover", Kind::Table(&DEFAULT_RECOVER), "when it is good again"),
        may(
            "forget",
            Kind::Duration(HOUR, 400 * DAY),
            "after so long a silent identity is forgotten, 1h while its source speaks; never before its window and no_data.after",
        ),
        may("min_samples", Kind::Int(1, 1_000_000), "a tick has a value from so many samples on"),
    ],
};

/// The keys of a rule or scenario file.
pub(crate) static FILE: Table = Table {
    name: "rules file",
    doc: "Rules, and scenarios that show what they do.",
    keys: &[
        or("version", "1", Kind::Int(1, 1), "version of the format"),
        or("interval", "1s", Kind::Duration(SECOND, HOUR), "distance of ticks"),
        may("defaults", Kind::Table(&DEFAULTS), "what rules of this file do not say themselves"),
        may("templates", Kind::Map(&Kind::Table(&TEMPLATE)), "parts of rules by name, for `use`"),
        may("rules", Kind::List(&Kind::Table(&RULE), 0), "the rules"),
        may("scenarios", SCENARIOS, "what happens on a virtual clock, and what must come of it"),
        may("contacts", CONTACT_LIST, "contacts for the scenarios of this file alone"),
        may("rotas", ROTA_LIST, "rotas of these contacts"),
        may("chains", CHAIN_LIST, "chains for the scenarios of this file alone"),
        may("sla", Kind::Table(&SLA), "service levels for the scenarios of this file alone"),
        may("resources", RESOURCES, "inventory for the scenarios of this file alone"),
        may("inhibit", INHIBITS, "inhibition for the scenarios of this file alone"),
        may("maintenance", MAINTENANCES, "planned work for the scenarios of this file alone"),
        may("business", BUSINESS_HOURS, "business hours for the scenarios of this file alone"),
        may("holidays", HOLIDAYS, "days laid over the computed ones, for the scenarios of this file alone"),
        may("intervals", NAMED_TIMES, "named times for the scenarios of this file alone"),
    ],
};
