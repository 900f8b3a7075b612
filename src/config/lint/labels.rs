//! Names: metrics and labels that nobody sends, identities that are too fine or wider than they look.
//!
//! The idea: a name that almost is a known one is a typing mistake; one that is like nothing known is taken as it is.

use super::super::near::nearest;
use super::catalog;
use super::site::{View, matchers};
use super::{Found, Look, Site, check};
use crate::model::Test;

/// Labels that the inventory joins.
pub(super) const JOINED: [&str; 4] = ["class", "parent", "service", "zone"];

/// Labels with a new value for each process, request or person.
const FINE: &[&str] = &[
    "client.address",
    "client.port",
    "container.id",
    "http.request.id",
    "k8s.pod.name",
    "k8s.pod.uid",
    "message.id",
    "pid",
    "pod",
    "pod_name",
    "process.pid",
    "request.id",
    "request_id",
    "session.id",
    "session_id",
    "span_id",
    "thread.id",
    "trace_id",
    "url.full",
    "url.query",
    "user.id",
    "user_id",
];

/// What people know from elsewhere, and what it is called here.
const CALLED: &[(&str, &str)] = &[
    ("filesystem", "mountpoint"),
    ("fstype", "type"),
    ("hostname", "host"),
    ("host.name", "host"),
    ("instance", "host"),
    ("interface", "device"),
    ("mount", "mountpoint"),
    ("node", "host"),
    ("path", "mountpoint"),
    ("server", "host"),
];

check!(METRIC_UNKNOWN, "metric-unknown", Warning, Look::Rule(metric_unknown),
    what: "The metric's name is almost one that is known.",
    why: "Nobody sends a misspelt metric. The rule waits for it for ever, and nothing tells you.",
    repair: "Take the known name. `check --sample FILE` compares with what really comes.");

fn metric_unknown(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let Some(name) = view.metric().filter(|_| view.known.is_none()) else { return };
    // A name of quite another length is not meant; measuring the others costs the time of a start.
    let mut names = catalog::names();
    names.retain(|known| known.len().abs_diff(name.len()) <= 3);
    // Prometheus's way of writing: system_cpu_utilization.
    let dotted = name.replace('_', ".");
    let exact = names.iter().copied().find(|known| known.replace('_', ".") == dotted);
    if let Some(near) = exact.or_else(|| nearest(name, &names)) {
        let message = format!("nobody is known to send `{name}`");
        found.say(view.item.at("metric"), message, format!("did you mean `{near}`?"));
    }
}

/// Whether a label has a new value all the time, as expressions call it. Pods are let pass.
pub(super) fn changes(label: &str) -> bool {
    let pods = ["k8s.pod.name", "k8s.pod.uid", "pod", "pod_name"];
    FINE.iter().filter(|fine| !pods.contains(fine)).any(|fine| crate::evaluate::prometheus_label(fine) == label)
}

/// The labels of a metric of our own agent.
pub(super) fn of_ours(known: &catalog::Known) -> impl Iterator<Item = &'static str> + use<> {
    known.labels.iter().copied().chain(["host"])
}

/// The word of `words` that a label that is none of them may have been meant for.
pub(super) fn meant_by<'w>(label: &str, words: &[&'w str]) -> Option<&'w str> {
    let called = || CALLED.iter().find(|(other, _)| *other == label).map(|(_, own)| *own);
    let own = || words.iter().copied().find(|word| Some(*word) == called());
    if words.contains(&label) { None } else { own().or_else(|| nearest(label, words)) }
}

/// What a label that is not known may have been meant for.
fn meant(label: &str, words: &[&'static str]) -> Option<&'static str> {
    if words.contains(&label) {
        return None;
    }
    let called = CALLED.iter().find(|(other, own)| *other == label && words.contains(own)).map(|(_, own)| *own);
    called.or_else(|| nearest(label, words))
}

check!(LABEL_UNKNOWN, "label-unknown", Warning, Look::Rule(label_unknown),
    what: "A label under `by` or `match` is almost one that the metric has.",
    why: "A label that a series lacks is the empty string: `by` melts all disks into one, a condition fits nothing. \
        Both look right in the file.",
    repair: "Take the label's own name; `check --sample FILE` shows which labels really come.");

fn label_unknown(view: &View<'_>, site: &Site<'_>, found: &mut Found) {
    // What other programs write besides, nobody knows: only the metrics of our own agent have all their labels listed.
    let Some(known) = view.known.filter(|known| known.ours) else { return };
    let own = site.settings.map(|settings| &settings.agent.labels);
    let extra = |label: &str| own.is_some_and(|labels| labels.iter().any(|(name, _)| name == label));
    let words: Vec<&'static str> = known.labels.iter().copied().chain(JOINED).chain(["host"]).collect();
    let by = view.item.list("by").iter().filter_map(|node| Some((node.as_text()?, node.at)));
    let conditions = view.item.get("match").map_or(&[][..], |node| node.entries());
    let names = by.chain(conditions.iter().map(|entry| (entry.key.as_str(), entry.at)));
    for (label, at) in names.filter(|(label, _)| !extra(label)) {
        if let Some(near) = meant(label, &words) {
            let message = format!("`{}` has no label `{label}`", view.metric().unwrap_or(""));
            found.say(at, message, format!("did you mean `{near}`?"));
        }
    }
}

check!(CARDINALITY, "by-cardinality", Warning, Look::Rule(cardinality),
    what: "`by` names a label with a new value for each process, request or pod.",
    why: "Each value is an instance with a window and an incident of its own: a hundred pages for one fault, and the \
        limit on series reached by the traffic of one busy day.",
    repair: "Take what stays: host, service, process, k8s.container.name.");

fn cardinality(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    for node in view.item.list("by") {
        if let Some(label) = node.as_text().filter(|label| FINE.contains(label)) {
            let message = format!("`{label}` has a new value all the time: an incident for each");
            found.say(node.at, message, "take a label that stays, or none");
        }
    }
}

check!(WIDE, "by-wide", Note, Look::Rule(wide),
    what: "`by` without `host` on a metric of each host makes the rule wide.",
    why: "One number for many hosts: whoever is paged must look for the host first. And a wide rule waits until every \
        partition of the log has reached the tick.",
    repair: "Write by: [host, …] for an incident per host. If one number for all is meant, nothing is to be done.");

fn wide(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let own = view.known.is_some_and(|known| known.ours);
    if let Some(by) = view.rule.by.as_ref().filter(|by| own && !by.iter().any(|label| label == "host")) {
        let each = if by.is_empty() {
            "one value for all hosts".to_owned()
        } else {
            format!("one value per {}", by.join(", "))
        };
        found.say(view.item.at("by"), format!("a wide rule: {each}"), "write by: [host, …] for one per host");
    }
}

check!(GROUP_LABEL, "group-label", Warning, Look::Rule(group_label),
    what: "`group_by` names a label that the rule's incidents do not have.",
    why: "An incident has the labels under `by`, and what the inventory says of its host. By any other label nothing is \
        alike, so each member of the group pages for itself.",
    repair: "Add the label to `by`, or group by class, parent, service or zone.");

fn group_label(view: &View<'_>, _: &Site<'_>, found: &mut Found) {
    let Some(by) = &view.rule.by else { return };
    for node in view.item.list("group_by") {
        let has = |label: &str| by.iter().any(|own| own == label) || JOINED.contains(&label);
        if let Some(label) = node.as_text().filter(|label| !has(label)) {
            let message = format!("its incidents have no label `{label}`, so it groups nothing");
            found.say(node.at, message, "add it to `by`, or name class, parent, service or zone");
        }
    }
}

check!(MATCH_NOTHING, "match-nothing", Error, Look::Rule(match_nothing),
    what: "The conditions contradict the inventory or each other: no series can fit.",
    why: "The rule watches nothing. It was right once, until the host changed its class or its zone.",
    repair: "Compare with inventory.yaml: `class`, `zone`, `service` and `parent` are joined by `host`.");

fn match_nothing(view: &View<'_>, site: &Site<'_>, found: &mut Found) {
    let matchers = matchers(view.rule);
    let exact = |label: &str| matchers.iter().find(|matcher| matcher.label == label && matcher.test == Test::Is);
    let Some(host) = exact("host") else { return };
    let places = view.conditions().get("match").map_or(&[][..], |node| node.entries());
    let at =
        |label: &str| places.iter().find(|entry| entry.key == label).map(|entry| entry.value.at).unwrap_or_default();
    if host.value.is_empty() {
        return found.say(at("host"), "every record has a host: nothing fits `host: \"\"`", "leave the condition out");
    }
    let Some(resource) = site.inventory.resources.get(&host.value) else { return };
    let own = [&resource.class, &resource.parent, &resource.service, &resource.zone];
    for (label, own) in JOINED.into_iter().zip(own) {
        let (Some(wanted), Some(own)) = (exact(label), own) else { continue };
        if wanted.value != *own {
            let message = format!("`{}` has {label} `{own}`, so nothing fits both conditions", host.value);
            found.say(at(label), message, "drop one of the two, or correct inventory.yaml");
        }
    }
}
