//! Who stands behind the names of a step: roles and `@contact` become people and channels.
//!
//! The idea: a step may be empty (its time is then not waited for), the last group never is: it widens until somebody
//! is found whom a message can reach.

use crate::model::{Chain, Channel, Contact, Domain, People, Severity, Target};
use crate::time::Ms;

/// A person on a channel.
pub(super) type Seat = (String, Channel);

/// The role that stands in where nobody else is left.
const DUTY: &str = "duty";

/// The chain for an incident: the one its rule names, else the first that fits its 구간, else the default one, else any.
pub(super) fn choose<'a>(people: &'a People, named: Option<&str>, domain: Domain) -> Option<&'a Chain> {
    let by_name = named.and_then(|id| people.chains.iter().find(|chain| chain.id == id));
    let fits = |chain: &&Chain| match chain.domain {
        Some(own) => own == domain,
        None => !chain.default,
    };
    by_name
        .or_else(|| people.chains.iter().find(fits))
        .or_else(|| people.chains.iter().find(|chain| chain.default))
        .or_else(|| people.chains.first())
}

/// Everybody a step tells, each once per channel, in the order of the step's names.
pub(super) fn step(people: &People, to: &[Target], by: &[Channel], domain: Domain, now: Ms) -> Vec<Seat> {
    let named = named(people, to, |contact| is_valid(contact, now) && fits_domain(contact, domain));
    seats(named, by)
}

/// Everybody the last group tells; empty only where no contact can be reached at all.
pub(super) fn last(people: &People, to: &[Target], by: &[Channel], domain: Domain, now: Ms) -> Vec<Seat> {
    let any = || people.contacts.iter();
    let is_duty = |contact: &&Contact| contact.roles.iter().any(|role| role == DUTY);
    let wider: [&dyn Fn() -> Vec<Seat>; 6] = [
        &|| step(people, to, by, domain, now),
        &|| seats(named(people, to, |contact| is_valid(contact, now)), by),
        &|| seats(any().filter(is_duty).filter(|contact| is_valid(contact, now)).collect(), by),
        &|| seats(any().filter(is_duty).filter(|contact| is_valid(contact, now)).collect(), &Channel::ALL),
        &|| seats(any().filter(|contact| is_valid(contact, now)).collect(), &Channel::ALL),
        &|| seats(any().collect(), &Channel::ALL),
    ];
    wider.iter().map(|found| found()).find(|found| !found.is_empty()).unwrap_or_default()
}

/// One person on those of the channels `by` that reach them, else on any that does.
pub(super) fn person(people: &People, id: &str, by: &[Channel]) -> Vec<Seat> {
    let named = || people.contacts.iter().filter(|contact| contact.id == id).collect();
    let found = seats(named(), by);
    if found.is_empty() { seats(named(), &Channel::ALL) } else { found }
}

/// The channel to try where `failed` did not reach a person of a step that used `by`. Each is tried once: those of `by`
/// were told already, and MMS falls back to SMS, SMS to mail, mail to SMS only where the step used mail alone.
pub(super) fn instead(people: &People, to: &str, failed: Channel, by: &[Channel]) -> Option<Channel> {
    let order: &[Channel] = match failed {
        Channel::Mms => &[Channel::Sms, Channel::Mail],
        Channel::Sms => &[Channel::Mail],
        Channel::Mail if by == [Channel::Mail] => &[Channel::Sms],
        Channel::Mail => &[],
    };
    let contact = people.contacts.iter().find(|contact| contact.id == to)?;
    order.iter().copied().find(|channel| !by.contains(channel) && reaches(contact, *channel))
}

fn named<'a>(people: &'a People, to: &[Target], fits: impl Fn(&Contact) -> bool) -> Vec<&'a Contact> {
    let mut found: Vec<&Contact> = Vec::new();
    for target in to {
        for contact in &people.contacts {
            let is_meant = match target {
                Target::Role { org, role } => contact.org == *org && contact.roles.contains(role) && fits(contact),
                // Whoever is named in person is meant in person, whatever their 구간.
                Target::Contact(id) => contact.id == *id && fits(&Contact { domains: Vec::new(), ..contact.clone() }),
            };
            if is_meant && !found.iter().any(|known| known.id == contact.id) {
                found.push(contact);
            }
        }
    }
    found
}

fn seats(contacts: Vec<&Contact>, by: &[Channel]) -> Vec<Seat> {
    let mut found: Vec<Seat> = Vec::new();
    for contact in contacts {
        for channel in by.iter().filter(|channel| reaches(contact, **channel)) {
            let seat = (contact.id.clone(), *channel);
            if !found.contains(&seat) {
                found.push(seat);
            }
        }
    }
    found
}

fn reaches(contact: &Contact, channel: Channel) -> bool {
    match channel {
        Channel::Sms | Channel::Mms => contact.phone.is_some(),
        Channel::Mail => contact.email.is_some(),
    }
}

fn is_valid(contact: &Contact, now: Ms) -> bool {
    contact.from.is_none_or(|from| from <= now) && contact.until.is_none_or(|until| now < until)
}

fn fits_domain(contact: &Contact, domain: Domain) -> bool {
    contact.domains.is_empty() || contact.domains.contains(&domain)
}

/// How far a chain goes for a severity: the last step it may use, `None` where the last group follows.
pub(super) fn upto(chain: &Chain, severity: Severity) -> Option<usize> {
    chain
        .plan(severity)
        .upto
        .map(|upto| upto.min(chain.steps.len().saturating_sub(1)))
        .filter(|_| !chain.steps.is_empty())
}

/// Whether `severity` waits for the digest. S1 never does: its first page is never delayed.
pub(super) fn is_digest(chain: &Chain, severity: Severity) -> bool {
    chain.plan(severity).digest && severity != Severity::S1
}

/// Who gets a chain's digest: its first step that is not empty, whatever the 구간; else its last group.
pub(super) fn digest(people: &People, chain: &Chain, now: Ms) -> Vec<Seat> {
    let steps = chain.steps.iter().map(|step| seats(named(people, &step.to, |it| is_valid(it, now)), &step.by));
    let first = steps.into_iter().find(|seats| !seats.is_empty());
    first.unwrap_or_else(|| last(people, &chain.last.to, &chain.last.by, Domain::Infra, now))
}
