//! Whether contacts, rotas, chains and the calendar fit together.
//!
//! The idea: every step names people that exist, every person can be told on the step's channels, every `when` is a
//! time that exists, and the last group is never empty. Hours are not looked at here: see [`super::reach`].

use std::collections::BTreeMap;

use super::chain::ChainPlaces;
use super::near::nearest;
use super::people::Placed;
use super::problem::{Mark, Notes};
use crate::model::{Calendar, Chain, Channel, Checks, Contact, Domain, Labels, Matcher, Rota, Target, When};

/// Whether `contact` is ever meant by `target` for an incident of `domain`: its validity and its turns aside.
pub(super) fn meant(contact: &Contact, target: &Target, domain: Domain, rotas: &[Rota]) -> bool {
    match target {
        Target::Contact(id) => contact.id == *id,
        Target::Role { org, role } => contact.has_role(org, role) && contact.is_for(domain),
        Target::Rota(id) => rotas.iter().any(|rota| rota.id == *id && rota.members.contains(&contact.id)),
    }
}

/// The 구간 of the incidents that a chain may get: those that its conditions on `domain` let through.
pub(super) fn domains(chain: &Chain) -> Vec<Domain> {
    let own: Vec<Matcher> = chain.matchers.iter().filter(|matcher| matcher.label == "domain").cloned().collect();
    let checks = Checks::of(&own);
    let fits = |domain: &Domain| checks.fit(&Labels::new([("domain", domain.word())]));
    Domain::ALL.into_iter().filter(fits).collect()
}

/// Whether every `when` is a time that `calendar` knows.
pub(super) fn hours(chains: &[(Chain, ChainPlaces)], calendar: &Calendar, notes: &mut Notes) {
    for (chain, places) in chains {
        let steps = chain.steps.iter().zip(&places.whens).filter_map(|(step, at)| Some((step.when.as_ref()?, *at)));
        for (when, at) in chain.when.as_ref().map(|when| (when, places.when)).into_iter().chain(steps) {
            let When::Interval(id) = when else { continue };
            if calendar.intervals.contains_key(id) {
                continue;
            }
            let mut words: Vec<&str> = calendar.intervals.keys().map(String::as_str).collect();
            words.extend(["business", "off"]);
            let help = match nearest(id, &words) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "write business, off, or an id of `intervals` in calendar.yaml".to_owned(),
            };
            notes.error("unknown-time", at, format!("there is no time `{id}`"), help);
        }
    }
}

/// Whether chains and contacts fit together: `ours` notes problems of the chains file, `theirs` of the contacts file.
pub(super) fn cross(
    chains: &[(Chain, ChainPlaces)],
    (contacts, rotas): (&[Placed<Contact>], &[Rota]),
    ours: &mut Notes,
    theirs: &mut Notes,
) {
    let mut silent: BTreeMap<String, (Mark, Channel, bool)> = BTreeMap::new();
    for (chain, places) in chains {
        let steps = chain.steps.iter().map(|step| (&step.to, &step.by));
        for (n, (to, by)) in steps.chain([(&chain.last.to, &chain.last.by)]).enumerate() {
            let marks = places.targets.get(n).map_or(&[][..], Vec::as_slice);
            let known =
                to.iter().zip(marks).filter(|(target, at)| exists(target, **at, (contacts, rotas), ours)).count();
            if known == to.len() && !to.is_empty() {
                let at = marks.first().copied().unwrap_or(places.id);
                gaps(chain, n, (to, at), (contacts, rotas), ours);
            }
            for contact in contacts.iter().filter(|c| to.iter().any(|target| named(&c.value, target, rotas))) {
                let reached = by.iter().any(|channel| contact.value.reaches(*channel));
                for channel in by.iter().filter(|channel| !contact.value.reaches(**channel)) {
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

fn named(contact: &Contact, target: &Target, rotas: &[Rota]) -> bool {
    Domain::ALL.iter().any(|domain| meant(contact, target, *domain, rotas))
}

fn exists(target: &Target, at: Mark, (contacts, rotas): (&[Placed<Contact>], &[Rota]), notes: &mut Notes) -> bool {
    if contacts.iter().any(|contact| named(&contact.value, target, rotas)) {
        return true;
    }
    match target {
        Target::Contact(id) => {
            let ids: Vec<&str> = contacts.iter().map(|contact| contact.value.id.as_str()).collect();
            let help =
                nearest(id, &ids).map_or("see contacts.yaml".to_owned(), |near| format!("did you mean `@{near}`?"));
            notes.error("unknown-contact", at, format!("there is no contact `{id}`"), help);
        }
        Target::Rota(id) => {
            let ids: Vec<&str> = rotas.iter().map(|rota| rota.id.as_str()).collect();
            let help = nearest(id, &ids)
                .map_or("see `rotas` of contacts.yaml".to_owned(), |near| format!("did you mean `rota:{near}`?"));
            notes.error("unknown-rota", at, format!("there is no rota `{id}`"), help);
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
fn gaps(
    chain: &Chain,
    n: usize,
    (to, at): (&[Target], Mark),
    (contacts, rotas): (&[Placed<Contact>], &[Rota]),
    notes: &mut Notes,
) {
    let empty: Vec<&str> = domains(chain)
        .into_iter()
        .filter(|domain| !contacts.iter().any(|c| to.iter().any(|target| meant(&c.value, target, *domain, rotas))))
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
