//! Contacts: numbers that nobody has tried for long, and people who are about to be missing.
//!
//! The idea: an emergency contact list rots by itself; what was right on the day it was written says nothing of today.

use super::{Found, Look, Site, check};
use crate::config::fit::meant;
use crate::model::{Contact, Domain, SECURITY_OFFICER};
use crate::time::{self, DAY, Ms};

/// Ends within so long are said beforehand.
const SOON: Ms = 30 * DAY;

check!(STALE, "contact-stale", Warning, Look::Site(stale),
    what: "A number was confirmed more than a year (or `fresh_for`) ago, or never.",
    why: "People change phones. At 3 a.m. a stranger answers, or nobody, and the chain waits its five minutes.",
    repair: "Call it, then write today's date as `confirmed`.");

fn stale(site: &Site<'_>, found: &mut Found) {
    let Some(folk) = &site.folk else { return };
    found.inside(folk.contacts_source);
    for contact in folk.contacts {
        let id = &contact.value.id;
        match contact.value.confirmed {
            None => found.say(contact.at, format!("`{id}` was never confirmed"), "call it, then write confirmed: DATE"),
            Some(at) if site.now - at > folk.people.fresh_for() => {
                let message = format!("`{id}` was confirmed {} days ago", (site.now - at) / DAY);
                found.say(contact.at, message, "call it again, then write the new date");
            }
            Some(_) => {}
        }
    }
}

check!(ENDS, "contact-ends", Warning, Look::Site(ends),
    what: "A contact's validity ends within 30 days.",
    why: "From that night on its steps have one person fewer, perhaps none. Somebody has to take over before.",
    repair: "Name the successor, or write the new `valid.until`.");

fn ends(site: &Site<'_>, found: &mut Found) {
    let Some(folk) = &site.folk else { return };
    found.inside(folk.contacts_source);
    for contact in folk.contacts {
        let Some(until) = contact.value.until.filter(|until| (site.now..site.now + SOON).contains(until)) else {
            continue;
        };
        let message = format!("`{}` may be told until {} only", contact.value.id, time::rfc3339(until));
        found.say(contact.at, message, "name who takes over");
    }
}

check!(ENDED, "contact-ended", Warning, Look::Site(ended),
    what: "A contact whose validity is over still stands in the list.",
    why: "Everybody who reads the list counts one person more than will be called.",
    repair: "Delete it, or write the new `valid.until`.");

fn ended(site: &Site<'_>, found: &mut Found) {
    let Some(folk) = &site.folk else { return };
    found.inside(folk.contacts_source);
    for contact in folk.contacts {
        if let Some(until) = contact.value.until.filter(|until| *until <= site.now) {
            let message = format!("`{}` may no longer be told since {}", contact.value.id, time::rfc3339(until));
            found.say(contact.at, message, "delete it, or extend it");
        }
    }
}

check!(UNUSED, "contact-unused", Warning, Look::Site(unused),
    what: "No chain tells this contact.",
    why: "It is believed to be on call, by others and by itself, and will never hear of anything.",
    repair: "Give it a role that a chain names, or delete it.");

fn unused(site: &Site<'_>, found: &mut Found) {
    let Some(folk) = &site.folk else { return };
    found.inside(folk.contacts_source);
    let told = |contact: &Contact| {
        if contact.roles.iter().any(|role| role == SECURITY_OFFICER) {
            return true;
        }
        let groups =
            folk.chains.iter().flat_map(|(chain, _)| chain.steps.iter().map(|step| &step.to).chain([&chain.last.to]));
        groups
            .flatten()
            .any(|target| Domain::ALL.iter().any(|domain| meant(contact, target, *domain, &folk.people.rotas)))
    };
    for contact in folk.contacts.iter().filter(|contact| !told(&contact.value)) {
        found.say(contact.at, format!("no chain tells `{}`", contact.value.id), "give it a role that a chain names");
    }
}
