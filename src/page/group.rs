//! Who stands behind the names of a step: roles and `@contact` become people and channels.
//!
//! The idea: a step may be empty (its time is then not waited for), the last group never is: it widens until somebody
//! is found whom a message can reach.

use crate::model::{Calendar, Chain, Channel, Contact, Domain, People, SECURITY_OFFICER, Severity, Target};
use crate::time::Ms;

/// A person on a channel.
pub(super) type Seat = (String, Channel);

/// The role that stands in where nobody else is left.
const DUTY: &str = "duty";

/// Everybody a step tells, each once per channel, in the order of the step's names.
pub fn step(people: &People, to: &[Target], by: &[Channel], domain: Domain, now: Ms) -> Vec<Seat> {
    seats(named(people, to, now, |contact| contact.is_valid(now) && contact.is_for(domain)), by)
}

/// Whom an S1 of 보안 tells beside its chain, on every channel that they have.
pub(super) fn security_officers(people: &People, now: Ms) -> Vec<Seat> {
    let has_role = |contact: &&Contact| contact.roles.iter().any(|role| role == SECURITY_OFFICER);
    let officers = people.contacts.iter().filter(has_role).filter(|contact| contact.is_valid(now));
    seats(officers.collect(), &[Channel::Sms, Channel::Mail])
}

/// Everybody the last group tells; empty only where no contact can be reached at all.
pub(super) fn last(people: &People, to: &[Target], by: &[Channel], domain: Domain, now: Ms) -> Vec<Seat> {
    let any = || people.contacts.iter();
    let is_duty = |contact: &&Contact| contact.roles.iter().any(|role| role == DUTY);
    let wider: [&dyn Fn() -> Vec<Seat>; 6] = [
        &|| step(people, to, by, domain, now),
        &|| seats(named(people, to, now, |contact| contact.is_valid(now)), by),
        &|| seats(any().filter(is_duty).filter(|contact| contact.is_valid(now)).collect(), by),
        &|| seats(any().filter(is_duty).filter(|contact| contact.is_valid(now)).collect(), &Channel::ALL),
        &|| seats(any().filter(|contact| contact.is_valid(now)).collect(), &Channel::ALL),
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
    order.iter().copied().find(|channel| !by.contains(channel) && contact.reaches(*channel))
}

fn named<'a>(people: &'a People, to: &[Target], now: Ms, fits: impl Fn(&Contact) -> bool) -> Vec<&'a Contact> {
    let mut found: Vec<&Contact> = Vec::new();
    for target in to {
        let meant: Vec<&Contact> = match target {
            Target::Role { org, role } => people
                .contacts
                .iter()
                .filter(|contact| contact.has_role(org, role) && fits(contact))
                .filter(|contact| !people.is_off_duty(contact, org, role, now))
                .collect(),
            // Whoever is named in person, or has the duty, is meant whatever their 구간.
            Target::Contact(id) => {
                let anywhere = |contact: &&Contact| fits(&Contact { domains: Vec::new(), ..(*contact).clone() });
                people.contact(id).filter(anywhere).into_iter().collect()
            }
            Target::Rota(id) => {
                let rota = people.rotas.iter().find(|rota| rota.id == *id);
                rota.and_then(|rota| people.on_duty(rota, now)).into_iter().collect()
            }
        };
        for contact in meant {
            if !found.iter().any(|known| known.id == contact.id) {
                found.push(contact);
            }
        }
    }
    found
}

fn seats(contacts: Vec<&Contact>, by: &[Channel]) -> Vec<Seat> {
    let mut found: Vec<Seat> = Vec::new();
    for contact in contacts {
        for channel in by.iter().filter(|channel| contact.reaches(**channel)) {
            let seat = (contact.id.clone(), *channel);
            if !found.contains(&seat) {
                found.push(seat);
            }
        }
    }
    found
}

/// How far a chain goes for a severity: the last step it may use, `None` where the last group follows.
pub(super) fn upto(chain: &Chain, severity: Severity) -> Option<usize> {
    chain
        .plan(severity)
        .upto
        .map(|upto| upto.min(chain.steps.len().saturating_sub(1)))
        .filter(|_| !chain.steps.is_empty())
}

/// Whether `severity` waits for the digest at `now`. S1 never does: its first page is never delayed.
pub(super) fn is_digest(chain: &Chain, severity: Severity, calendar: &Calendar, now: Ms) -> bool {
    let plan = chain.plan(severity);
    plan.digest && severity != Severity::S1 && !(plan.digest_off_hours && calendar.is_business(now))
}

/// Who gets a chain's digest: its first step that is not empty, whatever the 구간; else its last group.
pub(super) fn digest(people: &People, chain: &Chain, now: Ms) -> Vec<Seat> {
    let steps = chain.steps.iter().map(|step| seats(named(people, &step.to, now, |it| it.is_valid(now)), &step.by));
    let first = steps.into_iter().find(|seats| !seats.is_empty());
    first.unwrap_or_else(|| last(people, &chain.last.to, &chain.last.by, Domain::Infra, now))
}
