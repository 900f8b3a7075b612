//! `chains.yaml`: in which order people are told.
//!
//! The idea: the file is read alone; whether it fits to contacts, rotas and the calendar is asked in [`super::fit`].

use super::mute::INHIBITS;
use super::near::nearest;
use super::problem::{Mark, Notes};
use super::read::Obj;
use super::scalar;
use super::sla::SLA;
use super::table::{Kind, Table, may, must, or};
use super::tree::Node;
use crate::model::{Chain, Channel, Domain, Last, Severity, SeverityPlan, Step, Target, Test, When};
use crate::time::{DAY, MINUTE};

const CHANNELS: Kind = Kind::List(&Kind::Word(&["sms", "mms", "mail"]), 1);

static STEP: Table = Table {
    name: "step",
    doc: "Whom to tell at once, and how long to wait for an ack.",
    keys: &[
        must("to", Kind::List(&Kind::Text, 1), "ORG/role, @contact or rota:ID"),
        must("by", CHANNELS, "channels, all at once"),
        or("wait", "5m", Kind::Duration(MINUTE / 6, DAY), "until the next step"),
        may(
            "when",
            Kind::Text,
            "business, off, or a named time of the calendar: at other hours the step is passed over",
        ),
    ],
};

static LAST: Table = Table {
    name: "last",
    doc: "The last group, told again until somebody takes the incident.",
    keys: &[
        must("to", Kind::List(&Kind::Text, 1), "ORG/role, @contact or rota:ID"),
        must("by", CHANNELS, "channels, all at once"),
        or("repeat", "10m", Kind::Duration(MINUTE, DAY), "distance of repeats"),
    ],
};

static PLAN: Table = Table {
    name: "severity plan",
    doc: "What the chain does differently for one severity.",
    keys: &[
        may("upto", Kind::Int(0, 99), "0-based last step; the last group is then left out"),
        or("digest", "false", Kind::Bool, "deferred to the daily digest"),
        or("digest_when", "always", Kind::Word(&["always", "off"]), "off: deferred outside business hours alone"),
    ],
};

static PLANS: Table = Table {
    name: "severities",
    doc: "Differences by severity.",
    keys: &[
        may("S1", Kind::Table(&PLAN), "중대"),
        may("S2", Kind::Table(&PLAN), "보통"),
        may("S3", Kind::Table(&PLAN), "경미"),
        may("S4", Kind::Table(&PLAN), "정보"),
    ],
};

static CHAIN: Table = Table {
    name: "chain",
    doc: "Ordered steps of people to tell.",
    keys: &[
        must("id", Kind::Id, "stable id"),
        may(
            "match",
            Kind::Map(&Kind::Matcher),
            "conditions on labels, domain, severity, rule and what the inventory says of the host; without it and `when`: those whose rule names it",
        ),
        may(
            "when",
            Kind::Text,
            "business, off, or a named time of the calendar: at other hours the chain is not there",
        ),
        or("default", "false", Kind::Bool, "taken where no other fits; exactly one chain says so"),
        must("steps", Kind::List(&Kind::Table(&STEP), 0), "the steps; none: the last group is told at once"),
        must("last", Kind::Table(&LAST), "the last group; never empty"),
        may("severities", Kind::Table(&PLANS), "differences by severity"),
        or("digest_hour", "9", Kind::Int(0, 23), "hour of the daily digest, KST"),
        or("digest_on", "daily", Kind::Word(&["daily", "working_days"]), "on which days the digest leaves"),
    ],
};

/// A list of chains, for scenario files too.
pub(super) const CHAIN_LIST: Kind = Kind::List(&Kind::Table(&CHAIN), 0);

/// The keys of `chains.yaml`.
pub(super) static CHAINS: Table = Table {
    name: "chains.yaml",
    doc: "In which order people are told.",
    keys: &[
        or("version", "1", Kind::Int(1, 1), "version of the format"),
        must("chains", Kind::List(&Kind::Table(&CHAIN), 1), "the chains"),
        may("sla", Kind::Table(&SLA), "service levels"),
        may("inhibit", INHIBITS, "incidents that make others of no news"),
    ],
};

/// Places of one chain's parts, in the order of its steps, the last group at the end.
#[derive(Debug, Clone)]
pub(super) struct ChainPlaces {
    /// Where its id is.
    pub id: Mark,
    /// Where each item of each `to` is.
    pub targets: Vec<Vec<Mark>>,
    /// Where each `by` is.
    pub by: Vec<Mark>,
    /// Where each step's `when` is, or the step itself.
    pub whens: Vec<Mark>,
    /// Where the chain's own `when` is, or the chain itself.
    pub when: Mark,
}

/// The chains of a checked tree, with their places.
pub(super) fn chains(file: Obj<'_>, notes: &mut Notes) -> Vec<(Chain, ChainPlaces)> {
    let mut chains: Vec<(Chain, ChainPlaces)> = Vec::new();
    for item in file.subs("chains") {
        let Some(id) = item.owned("id") else { continue };
        let at = item.at("id");
        if let Some((_, first)) = chains.iter().find(|(other, _)| other.id == id) {
            let message = format!("chain `{id}` stands twice, first on line {}", first.id.line);
            notes.error("duplicate-id", at, message, "keep one");
            continue;
        }
        let whens = item.subs("steps").map(|part| part.at("when")).collect();
        let mut places = ChainPlaces { id: at, targets: Vec::new(), by: Vec::new(), whens, when: item.at("when") };
        let mut group = |part: Obj<'_>, notes: &mut Notes| {
            let (to, marks) = targets(part, notes);
            places.targets.push(marks);
            places.by.push(part.at("by"));
            (to, channels(part))
        };
        let mut steps = Vec::new();
        for part in item.subs("steps") {
            let (to, by) = group(part, notes);
            let when = part.text("when").map(When::parse);
            steps.push(Step { to, by, wait: part.duration("wait").unwrap_or(5 * MINUTE), when });
        }
        let part = item.sub("last");
        let (to, by) = group(part, notes);
        let last = Last { to, by, repeat: part.duration("repeat").unwrap_or(10 * MINUTE) };
        let severities = plans(item.sub("severities"), steps.len(), notes);
        let digest_hour = item.int("digest_hour").and_then(|n| u8::try_from(n).ok()).unwrap_or(9);
        let chain = Chain {
            id,
            matchers: item.matchers("match"),
            when: item.text("when").map(When::parse),
            default: item.flag("default"),
            steps,
            last,
            severities,
            digest_hour,
            digest_working_days: item.text("digest_on") == Some("working_days"),
        };
        conditions(item, &chain, notes);
        chains.push((chain, places));
    }
    defaults(file, &chains, notes);
    chains
}

/// Conditions that no incident can meet, and a default chain that is not always there.
fn conditions(item: Obj<'_>, chain: &Chain, notes: &mut Notes) {
    if chain.default && chain.when.is_some() {
        let message = "the default chain has a `when`: at other hours nothing would be left";
        notes.error("default-when", item.at("when"), message, "take `when` off it, or make another chain the default");
    }
    let words: [(&str, Vec<&str>); 2] = [
        ("domain", Domain::ALL.iter().map(|domain| domain.word()).collect()),
        ("severity", Severity::ALL.iter().map(|severity| severity.code()).collect()),
    ];
    let entries = item.get("match").map_or(&[][..], Node::entries);
    for (label, words) in words {
        let Some(entry) = entries.iter().find(|entry| entry.key == label) else { continue };
        let matcher = chain.matchers.iter().find(|matcher| matcher.label == label);
        let Some(matcher) = matcher.filter(|it| matches!(it.test, Test::Is | Test::IsNot)) else { continue };
        if !words.contains(&matcher.value.as_str()) {
            let help = match nearest(&matcher.value, &words) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write one of {}", words.join(", ")),
            };
            let message = format!("`{label}` does not take `{}`", matcher.value);
            notes.error("unknown-word", entry.value.at, message, help);
        }
    }
}

fn defaults(file: Obj<'_>, chains: &[(Chain, ChainPlaces)], notes: &mut Notes) {
    let mut standing = chains.iter().filter(|(chain, _)| chain.default);
    match (standing.next(), standing.next()) {
        (None, _) if file.has("chains") && !chains.is_empty() => {
            let help = "give one chain `default: true`: it is taken where no other fits";
            notes.error("no-default-chain", file.key_at("chains"), "no chain is the default", help);
        }
        (Some((first, _)), Some((_, places))) => {
            let message = format!("a second default chain beside `{}`", first.id);
            notes.error("several-defaults", places.id, message, "keep `default: true` on one chain");
        }
        _ => {}
    }
}

fn channels(part: Obj<'_>) -> Vec<Channel> {
    let mut by: Vec<Channel> = part.list("by").iter().filter_map(|node| Channel::parse(node.as_text()?)).collect();
    by.dedup();
    by
}

fn targets(part: Obj<'_>, notes: &mut Notes) -> (Vec<Target>, Vec<Mark>) {
    let (mut to, mut marks) = (Vec::new(), Vec::new());
    for node in part.list("to") {
        let Some(text) = node.as_text() else { continue };
        let target = Target::parse(text).filter(|target| !matches!(target, Target::Contact(id) if !scalar::id(id)));
        match target {
            Some(target) => {
                to.push(target);
                marks.push(node.at);
            }
            None => {
                let help = "write ORG/role (MSP/duty), @contact or rota:ID";
                notes.error("bad-value", node.at, format!("`to` does not take `{text}`"), help);
            }
        }
    }
    (to, marks)
}

fn plans(part: Obj<'_>, n_steps: usize, notes: &mut Notes) -> [SeverityPlan; 4] {
    Severity::ALL.map(|severity| {
        let plan = part.sub(severity.code());
        let upto = plan.count("upto");
        if let Some(upto) = upto
            && n_steps > 0
            && upto >= n_steps
        {
            let message = format!("`upto: {upto}` is beyond the last step, {}", n_steps - 1);
            notes.error(
                "upto-range",
                plan.at("upto"),
                message,
                "steps count from 0; leave it out to go on to the last group",
            );
        }
        let digest = plan.flag("digest");
        if digest && severity == Severity::S1 {
            notes.error("digest-s1", plan.at("digest"), "S1 cannot wait for a digest", "use it for S3 or S4");
        }
        SeverityPlan { upto, digest, digest_off_hours: plan.text("digest_when") == Some("off") }
    })
}
