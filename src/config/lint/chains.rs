//! Chains: escalations that end too soon, stand still, or go round in a circle of one.
//!
//! The idea: whether the chain reaches a phone at all is asked elsewhere (`reach`); here it is asked whether it helps.

use super::site::Folk;
use super::{Found, Look, Site, check};
use crate::config::fit::meant;
use crate::model::{Chain, Channel, Domain, Severity, Target};
use crate::time::{MINUTE, Ms, show_duration};

/// Nobody should wait longer for the next step of an S1.
const WAIT_MAX: Ms = 20 * MINUTE;

check!(UNUSED, "chain-unused", Warning, Look::Site(unused),
    what: "A chain that no rule names, no 구간 takes, and that is not the default.",
    why: "Somebody wrote down who is to be called, and it will never be read. The call goes to others.",
    repair: "Give it a `match`, name it in a rule, or delete it.");

fn unused(site: &Site<'_>, found: &mut Found) {
    let (Some(folk), Some(_)) = (&site.folk, site.settings) else { return };
    found.inside(folk.chains_source);
    for (chain, places) in folk.chains {
        let by_rule = site.rules.iter().any(|view| view.rule.chain.as_deref() == Some(chain.id.as_str()));
        let named = by_rule || folk.people.sla.outage.chain.as_deref() == Some(chain.id.as_str());
        if !chain.is_open() && !named {
            let message = format!("nothing leads to `{}`: no `match`, no rule, not the default", chain.id);
            found.say(places.id, message, "give it a match, or name it in a rule: chain: …");
        }
    }
}

check!(SHADOWED, "chain-shadowed", Warning, Look::Site(shadowed),
    what: "Two chains have the same conditions; the first in the file is always taken.",
    why: "Whoever changes the second one, a new duty phone for example, changes nothing.",
    repair: "Delete one, or take its `match` away and name it in the rules that need it.");

fn shadowed(site: &Site<'_>, found: &mut Found) {
    let Some(folk) = &site.folk else { return };
    found.inside(folk.chains_source);
    for (n, (chain, places)) in folk.chains.iter().enumerate() {
        let asks = |chain: &Chain| !chain.matchers.is_empty() || chain.when.is_some();
        let always = |other: &Chain| other.when.is_none() || other.when == chain.when;
        let same = |other: &Chain| asks(other) && other.matchers == chain.matchers && always(other);
        if let Some((first, _)) = folk.chains.iter().take(n).find(|(other, _)| same(other)) {
            let message = format!("`{}` has the same conditions and comes first", first.id);
            found.say(places.id, message, "delete one, or take its `match` away");
        }
    }
}

check!(TWICE, "chain-twice", Warning, Look::Site(twice),
    what: "A step names the same person twice.",
    why: "It tells one person where two were meant: the second pair of eyes is missing, and nobody notices.",
    repair: "Name somebody else, or drop the second target.");

fn twice(site: &Site<'_>, found: &mut Found) {
    let Some(folk) = &site.folk else { return };
    found.inside(folk.chains_source);
    for (chain, places) in folk.chains {
        let groups = chain.steps.iter().map(|step| &step.to).chain([&chain.last.to]);
        for (to, marks) in groups.zip(&places.targets) {
            for (n, (target, at)) in to.iter().zip(marks).enumerate() {
                let again = |other: &Target| people(folk, other).any(|id| people(folk, target).any(|own| own == id));
                if to.iter().take(n).any(again) {
                    found.say(*at, "somebody of this step is told by it twice", "name somebody else");
                }
            }
        }
    }
}

/// Ids of the contacts that a target means, whatever the 구간.
fn people<'f>(folk: &'f Folk<'_>, target: &'f Target) -> impl Iterator<Item = &'f str> {
    let meant = |contact| Domain::ALL.iter().any(|domain| meant(contact, target, *domain, &folk.people.rotas));
    folk.contacts.iter().filter(move |contact| meant(&contact.value)).map(|contact| contact.value.id.as_str())
}

check!(S1_ENDS, "chain-s1-ends", Warning, Look::Site(s1_ends),
    what: "The chain ends for S1 (`upto`) instead of going on until somebody acks.",
    why: "When the last step slept through it, nothing more happens: the worst incident is the one that goes quiet.",
    repair: "Take `upto` away from S1; `last` is then told again and again until somebody takes it.");

fn s1_ends(site: &Site<'_>, found: &mut Found) {
    let Some(folk) = &site.folk else { return };
    found.inside(folk.chains_source);
    for (chain, places) in folk.chains {
        if let Some(upto) = chain.plan(Severity::S1).upto {
            let message = format!("`{}` gives up an S1 after step {upto}, acked or not", chain.id);
            found.say(places.id, message, "take severities.S1.upto away");
        }
    }
}

check!(SLOW, "chain-slow", Warning, Look::Site(slow),
    what: "A step waits more than 20 minutes for the next.",
    why: "The person of that step is in the shower or under a tunnel, and the SLA's recovery time runs out unheard.",
    repair: "Five to ten minutes are usual; who needs no second step for S3 writes `upto`.");

fn slow(site: &Site<'_>, found: &mut Found) {
    let Some(folk) = &site.folk else { return };
    found.inside(folk.chains_source);
    for (chain, places) in folk.chains {
        for (n, step) in chain.steps.iter().enumerate().filter(|(_, step)| step.wait > WAIT_MAX) {
            let message = format!("step {n} of `{}` waits {}", chain.id, show_duration(step.wait));
            let at = places.targets.get(n).and_then(|marks| marks.first()).copied().unwrap_or(places.id);
            found.say(at, message, "write wait: 5m");
        }
    }
}

check!(ONE_PERSON, "chain-one-person", Warning, Look::Site(one_person),
    what: "All steps and the last group tell the same single person.",
    why: "It is no chain: one dead battery, and nobody is told however often it repeats.",
    repair: "Name somebody else in a later step and in `last`.");

fn one_person(site: &Site<'_>, found: &mut Found) {
    let Some(folk) = &site.folk else { return };
    found.inside(folk.chains_source);
    for (chain, places) in folk.chains {
        let targets = chain.steps.iter().flat_map(|step| &step.to).chain(&chain.last.to);
        let told: std::collections::BTreeSet<&str> = targets.flat_map(|target| people(folk, target)).collect();
        if told.len() == 1 {
            let message = format!("`{}` tells nobody but `{}`", chain.id, told.into_iter().collect::<String>());
            found.say(places.id, message, "name somebody else in `last`");
        }
    }
}

check!(MAIL_ONLY, "chain-mail-only", Warning, Look::Site(mail_only),
    what: "The last group is told by mail alone.",
    why: "The last group is whom the building burns for, and a mail wakes nobody.",
    repair: "Add sms to `last.by`.");

fn mail_only(site: &Site<'_>, found: &mut Found) {
    let Some(folk) = &site.folk else { return };
    found.inside(folk.chains_source);
    for (chain, places) in folk.chains {
        if chain.last.by.iter().all(|channel| *channel == Channel::Mail) {
            let at = places.by.last().copied().unwrap_or(places.id);
            found.say(at, format!("the last group of `{}` is told by mail alone", chain.id), "write by: [sms, mail]");
        }
    }
}
