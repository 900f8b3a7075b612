//! `contacts.yaml` and `chains.yaml`: who can be told and in which order, as [`People`].
//!
//! The idea: each file is read alone first; [`cross`] then asks whether the two fit together: every step names people
//! that exist, every person can be told on the step's channels, the last group is never empty. Whether somebody is
//! reached at every hour is asked in [`super::reach`].

use std::collections::BTreeMap;

use super::problem::{Mark, Notes};
use super::read::{Obj, nearest};
use super::scalar;
use super::sla::SLA;
use super::table::{Kind, Table, may, must, or};
use crate::model::{Chain, Channel, Contact, Domain, Last, Severity, SeverityPlan, Step, Target};
use crate::time::{DAY, MINUTE, Ms};

const DOMAIN: Kind = Kind::Word(&["인프라", "응용", "통신", "보안"]);
const CHANNELS: Kind = Kind::List(&Kind::Word(&["sms", "mms", "mail"]), 1);

static VALID: Table = Table {
    name: "valid",
    doc: "From when to when the contact may be told.",
    keys: &[
        may("from", Kind::Date, "first day"),
        may("until", Kind::Date, "first day on which it may no longer be told"),
    ],
};

static CONTACT: Table = Table {
    name: "contact",
    doc: "One person or duty phone.",
    keys: &[
        must("id", Kind::Id, "stable id"),
        must("org", Kind::Label, "organisation: MSP, CSP, AP, 이용기관, NIA, …"),
        must("roles", Kind::List(&Kind::Label, 1), "roles, for example duty, manager, owner"),
        may("domains", Kind::List(&DOMAIN, 0), "구간 it is responsible for; left out: all"),
        must("name", Kind::Text, "name; never in a message or a log"),
        may("phone", Kind::Phone, "phone number, in quotes"),
        may("email", Kind::Mail, "e-mail address"),
        may("valid", Kind::Table(&VALID), "from when to when it may be told"),
        may("confirmed", Kind::Date, "when the number was last confirmed"),
    ],
};

/// A list of contacts, for scenario files too.
pub(super) const CONTACT_LIST: Kind = Kind::List(&Kind::Table(&CONTACT), 0);

/// The keys of `contacts.yaml`.
pub(super) static CONTACTS: Table = Table {
    name: "contacts.yaml",
    doc: "Who can be told.",
    keys: &[
        or("version", "1", Kind::Int(1, 1), "version of the format"),
        must("contacts", Kind::List(&Kind::Table(&CONTACT), 1), "the contacts"),
    ],
};

static STEP: Table = Table {
    name: "step",
    doc: "Whom to tell at once, and how long to wait for an ack.",
    keys: &[
        must("to", Kind::List(&Kind::Text, 1), "ORG/role or @contact"),
        must("by", CHANNELS, "channels, all at once"),
        or("wait", "5m", Kind::Duration(MINUTE / 6, DAY), "until the next step"),
    ],
};

static LAST: Table = Table {
    name: "last",
    doc: "The last group, told again until somebody takes the incident.",
    keys: &[
        must("to", Kind::List(&Kind::Text, 1), "ORG/role or @contact"),
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

static MATCH: Table =
    Table { name: "match", doc: "Which incidents it fits.", keys: &[must("domain", DOMAIN, "구간 of the incident")] };

static CHAIN: Table = Table {
    name: "chain",
    doc: "Ordered steps of people to tell.",
    keys: &[
        must("id", Kind::Id, "stable id"),
        may("match", Kind::Table(&MATCH), "which incidents it fits; left out: those that name it"),
        or("default", "false", Kind::Bool, "taken where no other fits; exactly one chain says so"),
        must("steps", Kind::List(&Kind::Table(&STEP), 1), "the steps"),
        must("last", Kind::Table(&LAST), "the last group; never empty"),
        may("severities", Kind::Table(&PLANS), "differences by severity"),
        or("digest_hour", "9", Kind::Int(0, 23), "hour of the daily digest, KST"),
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
    ],
};

/// A contact with the places of what may be wrong with it.
#[derive(Debug, Clone)]
pub(super) struct Placed<T> {
    /// The value.
    pub value: T,
    /// Where its id is.
    pub at: Mark,
}

/// Places of one chain's parts, in the order of its steps, the last group at the end.
#[derive(Debug, Clone)]
pub(super) struct ChainPlaces {
    /// Where its id is.
    pub id: Mark,
    /// Where each item of each `to` is.
    pub targets: Vec<Vec<Mark>>,
    /// Where each `by` is.
    pub by: Vec<Mark>,
}

/// The contacts of a checked tree.
pub(super) fn contacts(file: Obj<'_>, notes: &mut Notes) -> Vec<Placed<Contact>> {
    let mut contacts: Vec<Placed<Contact>> = Vec::new();
    for item in file.subs("contacts") {
        let Some(id) = item.owned("id").filter(|id| scalar::id(id)) else { continue };
        let at = item.at("id");
        if let Some(first) = contacts.iter().find(|other| other.value.id == id) {
            let message = format!("contact `{id}` stands twice, first on line {}", first.at.line);
            notes.error("duplicate-id", at, message, "keep one");
            continue;
        }
        let valid = item.sub("valid");
        let (from, until) = (valid.date("from"), valid.date("until"));
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            notes.error("out-of-range", valid.at("until"), "`until` is not after `from`", "write the later day");
        }
        if !item.has("phone") && !item.has("email") {
            notes.warning("no-address", at, format!("`{id}` has neither phone nor email"), "nobody can be told so");
        }
        let domains = item.list("domains").iter().filter_map(|node| Domain::parse(node.as_text()?)).collect();
        let value = Contact {
            id,
            org: item.owned("org").unwrap_or_default(),
            roles: item.texts("roles"),
            domains,
            name: item.owned("name").unwrap_or_default(),
            phone: item.word("phone", scalar::phone),
            email: item.word("email", |text| scalar::mail(text).then(|| text.to_owned())),
            from,
            until,
            confirmed: item.date("confirmed"),
        };
        contacts.push(Placed { value, at });
    }
    contacts
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
        let mut places = ChainPlaces { id: at, targets: Vec::new(), by: Vec::new() };
        let mut group = |part: Obj<'_>, notes: &mut Notes| {
            let (to, marks) = targets(part, notes);
            places.targets.push(marks);
            places.by.push(part.at("by"));
            (to, channels(part))
        };
        let mut steps = Vec::new();
        for part in item.subs("steps") {
            let (to, by) = group(part, notes);
            steps.push(Step { to, by, wait: part.duration("wait").unwrap_or(5 * MINUTE) });
        }
        let part = item.sub("last");
        let (to, by) = group(part, notes);
        let last = Last { to, by, repeat: part.duration("repeat").unwrap_or(10 * MINUTE) };
        let severities = plans(item.sub("severities"), steps.len(), notes);
        let digest_hour = item.int("digest_hour").and_then(|n| u8::try_from(n).ok()).unwrap_or(9);
        let domain = item.sub("match").word("domain", Domain::parse);
        chains
            .push((Chain { id, domain, default: item.flag("default"), steps, last, severities, digest_hour }, places));
    }
    defaults(file, &chains, notes);
    chains
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
        let target = match (text.strip_prefix('@'), text.split_once('/')) {
            (Some(id), _) if scalar::id(id) => Some(Target::Contact(id.to_owned())),
            (None, Some((org, role))) if !org.is_empty() && !role.is_empty() && !role.contains('/') => {
                Some(Target::Role { org: org.to_owned(), role: role.to_owned() })
            }
            _ => None,
        };
        match target {
            Some(target) => {
                to.push(target);
                marks.push(node.at);
            }
            None => {
                let help = "write ORG/role (MSP/duty) or @contact";
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
        SeverityPlan { upto, digest }
    })
}

/// Whether `contact` is meant by `target` for an incident of `domain`, its validity aside.
pub(super) fn meant(contact: &Contact, target: &Target, domain: Domain) -> bool {
    match target {
        Target::Contact(id) => contact.id == *id,
        Target::Role { org, role } => {
            contact.org == *org
                && contact.roles.contains(role)
                && (contact.domains.is_empty() || contact.domains.contains(&domain))
        }
    }
}

/// Whether `contact` has an address on `channel`.
pub(super) fn has(contact: &Contact, channel: Channel) -> bool {
    match channel {
        Channel::Sms | Channel::Mms => contact.phone.is_some(),
        Channel::Mail => contact.email.is_some(),
    }
}

/// Whether `contact` may be told at `at`.
pub(super) fn valid(contact: &Contact, at: Ms) -> bool {
    contact.from.is_none_or(|from| from <= at) && contact.until.is_none_or(|until| at < until)
}

/// Whether chains and contacts fit together: `ours` notes problems of the chains file, `theirs` of the contacts file.
pub(super) fn cross(
    chains: &[(Chain, ChainPlaces)],
    contacts: &[Placed<Contact>],
    ours: &mut Notes,
    theirs: &mut Notes,
) {
    let mut silent: BTreeMap<String, (Mark, Channel, bool)> = BTreeMap::new();
    for (chain, places) in chains {
        let steps = chain.steps.iter().map(|step| (&step.to, &step.by));
        for (n, (to, by)) in steps.chain([(&chain.last.to, &chain.last.by)]).enumerate() {
            let marks = places.targets.get(n).map_or(&[][..], Vec::as_slice);
            let known = to.iter().zip(marks).filter(|(target, at)| exists(target, **at, contacts, ours)).count();
            if known == to.len() && !to.is_empty() {
                let at = marks.first().copied().unwrap_or(places.id);
                gaps(chain, n, (to, at), contacts, ours);
            }
            for contact in contacts.iter().filter(|c| to.iter().any(|target| named(&c.value, target))) {
                let reached = by.iter().any(|channel| has(&contact.value, *channel));
                for channel in by.iter().filter(|channel| !has(&contact.value, **channel)) {
                    let entry = silent.entry(contact.value.id.clone()).or_insert((contact.at, *channel, true));
                    entry.2 &= reached;
                }
            }
        }
    }
    for (id, (at, channel, reached)) in silent {
        let (what, help) = match channel {
            Channel::Mail => ("email", "add `email`, or take `mail` off that step"),
            _ => ("phone", "add `phone`, or take `sms` off that step"),
        };
        let message = format!("`{id}` is told by {} in a chain and has no `{what}`", channel.word());
        match (reached, channel) {
            (true, _) => theirs.warning("no-phone", at, message, help),
            (false, _) => theirs.error("no-phone", at, message, help),
        }
    }
}

fn named(contact: &Contact, target: &Target) -> bool {
    Domain::ALL.iter().any(|domain| meant(contact, target, *domain))
}

fn exists(target: &Target, at: Mark, contacts: &[Placed<Contact>], notes: &mut Notes) -> bool {
    if contacts.iter().any(|contact| named(&contact.value, target)) {
        return true;
    }
    match target {
        Target::Contact(id) => {
            let ids: Vec<&str> = contacts.iter().map(|contact| contact.value.id.as_str()).collect();
            let help =
                nearest(id, &ids).map_or("see contacts.yaml".to_owned(), |near| format!("did you mean `@{near}`?"));
            notes.error("unknown-contact", at, format!("there is no contact `{id}`"), help);
        }
        Target::Role { org, role } => {
            let all: Vec<String> = contacts
                .iter()
                .flat_map(|c| c.value.roles.iter().map(|role| format!("{}/{role}", c.value.org)))
                .collect();
            let words: Vec<&str> = all.iter().map(String::as_str).collect();
            let help = nearest(&format!("{org}/{role}"), &words)
                .map_or("give the role to a contact".to_owned(), |near| format!("did you mean `{near}`?"));
            notes.error("unknown-role", at, format!("no contact of `{org}` has the role `{role}`"), help);
        }
    }
    false
}

/// Steps and last groups that reach nobody for a 구간 that the chain may be asked for.
fn gaps(chain: &Chain, n: usize, (to, at): (&[Target], Mark), contacts: &[Placed<Contact>], notes: &mut Notes) {
    let domains: Vec<Domain> = chain.domain.map_or(Domain::ALL.to_vec(), |domain| vec![domain]);
    let empty: Vec<&str> = domains
        .into_iter()
        .filter(|domain| !contacts.iter().any(|c| to.iter().any(|target| meant(&c.value, target, *domain))))
        .map(Domain::word)
        .collect();
    if empty.is_empty() {
        return;
    }
    let whom = empty.join(", ");
    if n == chain.steps.len() {
        let message = format!("the last group of `{}` is empty for {whom}", chain.id);
        notes.error("empty-last", at, message, "name somebody without `domains`, or with these");
    } else {
        let message = format!("step {n} of `{}` reaches nobody for {whom}", chain.id);
        notes.warning("empty-step", at, message, "an empty step is skipped at once");
    }
}
