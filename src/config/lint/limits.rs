//! Limits: what the rules would keep in memory for the hosts of the inventory, and files without a version.
//!
//! The idea: an estimate from below, of what is known for certain: the hosts that are listed, the metrics whose pace
//! is known, at least one series each. Where even that is beyond a limit, the limit will be hit.

use std::collections::BTreeMap;

use super::site::View;
use super::{Found, Look, Site, check};
use crate::time::show_duration;

/// What a point of a raw window takes, bytes (SEMANTICS §2).
const POINT: i64 = 12;

/// Hosts that send what `view` watches: those of the inventory.
fn hosts(site: &Site<'_>) -> i64 {
    i64::try_from(site.inventory.resources.len()).unwrap_or(i64::MAX)
}

check!(MEMORY, "window-memory", Warning, Look::Site(memory),
    what: "The windows of the rules need more memory than `limits.window_memory` for the hosts of the inventory.",
    why: "At the limit new windows are refused: the hosts that come last, or come back after an outage, are unknown.",
    repair: "Shorten the longest windows, or raise `limits.window_memory`.");

fn memory(site: &Site<'_>, found: &mut Found) {
    let Some(settings) = site.settings else { return };
    let limit = i64::try_from(settings.limits.window_memory).unwrap_or(i64::MAX);
    // Leaves of one series share its ring, so of each metric the longest window counts.
    let mut longest: BTreeMap<&str, (&View<'_>, i64)> = BTreeMap::new();
    for view in &site.rules {
        let (Some(name), Some(every)) = (view.metric(), site.every(view)) else { continue };
        let bytes = hosts(site) * (view.rule.over / every) * POINT;
        let entry = longest.entry(name).or_insert((view, bytes));
        if bytes > entry.1 {
            *entry = (view, bytes);
        }
    }
    let all: i64 = longest.values().map(|(_, bytes)| bytes).sum();
    let Some((view, most)) = longest.values().max_by_key(|(_, bytes)| *bytes).filter(|_| all > limit) else { return };
    found.within(view);
    let message = format!(
        "the windows need {all} bytes or more for {} hosts, {most} of them this one of {}; the limit is {limit}",
        hosts(site),
        show_duration(view.rule.over)
    );
    found.say(view.item.sub("window").at("over"), message, "shorten it, or raise limits.window_memory");
}

check!(SERIES, "series-limit", Warning, Look::Site(series),
    what: "The rules watch more series than `limits.series` or `limits.series_per_rule` for the hosts of the inventory.",
    why: "At the limit the oldest stay and new ones are not watched: the host that was set up yesterday is missing.",
    repair: "Raise the limit in bongsu.yaml; a series takes a few hundred bytes.");

fn series(site: &Site<'_>, found: &mut Found) {
    let Some(settings) = site.settings else { return };
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    let ours = || site.rules.iter().filter(|view| view.known.is_some_and(|known| known.ours));
    let mut metrics: Vec<&str> = ours().filter_map(View::metric).collect();
    metrics.sort_unstable();
    metrics.dedup();
    let all = hosts(site) * count(metrics.len());
    let Some(view) = ours().next() else { return };
    let (limits, least) = (settings.limits, hosts(site));
    let message = if all > count(limits.series) {
        format!("the rules watch {all} series or more, limits.series is {}", limits.series)
    } else if least > count(limits.series_per_rule) {
        format!("a rule watches {least} series or more, limits.series_per_rule is {}", limits.series_per_rule)
    } else {
        return;
    };
    found.within(view);
    found.say(view.item.at("metric"), message, "raise the limit in bongsu.yaml");
}

check!(VERSION_MISSING, "version-missing", Note, Look::Site(version_missing),
    what: "A rule file without `version`.",
    why: "It is read as version 1 today; the day there is a second one, nobody knows which was meant.",
    repair: "Write version: 1 on the first line.");

fn version_missing(site: &Site<'_>, found: &mut Found) {
    if site.settings.is_none() {
        return;
    }
    for paper in site.papers.iter().filter(|paper| !paper.file.has("version")) {
        found.inside(paper.source);
        found.say(paper.file.place(), "no `version`", "write version: 1 first");
    }
}
