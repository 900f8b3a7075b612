//! The keys of Alertmanager's configuration that decide who is told: routes, time intervals, inhibition.
//!
//! The idea: what decides is read strictly, as Alertmanager names it; how a receiver sends (its `*_configs`, `global`,
//! `templates`) is taken as it is, because nothing here sends it.

use crate::config::table::{Kind, Table, may, must, or};

/// The whole file.
pub(super) static FILE: Table = Table {
    name: "alertmanager.yml",
    doc: "A configuration of Alertmanager.",
    keys: &[
        may("global", Kind::Any, "not looked at"),
        may("templates", Kind::Any, "not looked at"),
        may("tracing", Kind::Any, "not looked at"),
        must("route", Kind::Table(&ROUTE), "the root of the routes"),
        may("receivers", Kind::List(&Kind::Any, 0), "who is told; only names are looked at"),
        may("inhibit_rules", Kind::List(&Kind::Table(&INHIBIT), 0), "alerts that mute others"),
        may("time_intervals", Kind::List(&Kind::Table(&NAMED), 0), "named times"),
        may("mute_time_intervals", Kind::List(&Kind::Table(&NAMED), 0), "named times, the old key"),
    ],
};

const TEXTS: Kind = Kind::List(&Kind::Label, 0);

/// A route; its children are routes too.
pub(super) static ROUTE: Table = Table {
    name: "route",
    doc: "A node of the tree of routes.",
    keys: &[
        may("receiver", Kind::Label, "who is told; left out: the parent's"),
        may("group_by", TEXTS, "labels; `...` alone = all"),
        or("continue", "false", Kind::Bool, "ask the next siblings too"),
        may("match", Kind::Map(&Kind::Label), "labels that must be equal"),
        may("match_re", Kind::Map(&Kind::Regex), "labels that must match a pattern"),
        may("matchers", TEXTS, "label=value, !=, =~, !~"),
        may("group_wait", Kind::Length, "before the first notification; the root's default is 30s"),
        may("group_interval", Kind::Length, "between notifications; 5m"),
        may("repeat_interval", Kind::Length, "before the same is told again; 4h"),
        may("mute_time_intervals", TEXTS, "named times at which nobody is told"),
        may("active_time_intervals", TEXTS, "named times outside of which nobody is told"),
        may("wait_on_startup", Kind::Any, "not looked at"),
        may("labels", Kind::Texts, "texts for templates; not looked at"),
        may("routes", Kind::List(&Kind::Table(&ROUTE), 0), "children"),
    ],
};

/// A rule of inhibition.
pub(super) static INHIBIT: Table = Table {
    name: "inhibit rule",
    doc: "A firing source mutes targets with the same values of the `equal` labels.",
    keys: &[
        may("name", Kind::Label, "its name"),
        may("source_match", Kind::Map(&Kind::Label), "labels of the source"),
        may("source_match_re", Kind::Map(&Kind::Regex), "patterns of the source"),
        may("source_matchers", TEXTS, "matchers of the source"),
        may("target_match", Kind::Map(&Kind::Label), "labels of the target"),
        may("target_match_re", Kind::Map(&Kind::Regex), "patterns of the target"),
        may("target_matchers", TEXTS, "matchers of the target"),
        may("equal", TEXTS, "labels that must be equal on both; a missing one is empty"),
    ],
};

static NAMED: Table = Table {
    name: "named time interval",
    doc: "A time with a name.",
    keys: &[
        must("name", Kind::Label, "its name"),
        must("time_intervals", Kind::List(&Kind::Table(&SPEC), 0), "recurring times, alternatives"),
    ],
};

const RANGES: Kind = Kind::List(&Kind::Label, 0);

/// Recurring time; without a `location` it is on UTC's clock.
static SPEC: Table = Table {
    name: "time interval",
    doc: "Recurring time.",
    keys: &[
        may("times", Kind::List(&Kind::Stretch, 0), "start_time and end_time, the end not part of it"),
        may("weekdays", RANGES, "days of the week"),
        may("days_of_month", RANGES, "days of the month"),
        may("months", RANGES, "months"),
        may("years", RANGES, "years"),
        or("location", "UTC", Kind::Text, "whose clock it is"),
    ],
};
