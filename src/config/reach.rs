//! Reachability: does every severity of every 구간 reach a person with a number at every hour of the next 30 days?
//!
//! The idea: the question is asked of the values themselves, hour by hour, as the chain would be walked then: no
//! estimate, no special cases. Pure; `now` is passed in.

use super::people::{has, meant, valid};
use crate::model::{Chain, Channel, Contact, Domain, People, Severity, Target};
use crate::time::{DAY, HOUR, Ms};

/// How far ahead to look.
const AHEAD: Ms = 30 * DAY;

/// Nobody with a number would be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// By this chain,
    pub chain: String,
    /// for incidents of this 구간
    pub domain: Domain,
    /// and these severities,
    pub severities: Vec<Severity>,
    /// from this hour on.
    pub from: Ms,
}

/// The chain that incidents of `domain` take where their rule names none.
pub fn chain_for(people: &People, domain: Domain) -> Option<&Chain> {
    let fits = people.chains.iter().find(|chain| chain.domain == Some(domain));
    fits.or_else(|| people.chains.iter().find(|chain| chain.default))
}

/// Every gap, at its first hour, by chain and 구간.
pub fn unreached(people: &People, now: Ms) -> Vec<Unreached> {
    let mut gaps = Vec::new();
    for chain in &people.chains {
        for domain in Domain::ALL {
            // A rule may name a chain for another 구간 than the one it matches; that is the rule's business.
            let asked = chain_for(people, domain).is_some_and(|taken| taken.id == chain.id);
            if !asked && chain.domain.is_some_and(|own| own != domain) {
                continue;
            }
            gaps.extend(gap(people, chain, domain, now));
        }
    }
    gaps
}

/// The first hour of the next 30 days at which `chain` tells nobody of `domain`, and for which severities.
pub(super) fn gap(people: &People, chain: &Chain, domain: Domain, now: Ms) -> Option<Unreached> {
    let start = now.div_euclid(HOUR) * HOUR;
    let mut found: Option<Unreached> = None;
    for severity in Severity::ALL {
        let candidates = told(people, chain, domain, severity);
        let hours = (0..AHEAD / HOUR).map(|n| (start + n * HOUR).max(now));
        let Some(at) = hours.into_iter().find(|at| !candidates.iter().any(|contact| valid(contact, *at))) else {
            continue;
        };
        let gap = found.get_or_insert(Unreached { chain: chain.id.clone(), domain, severities: Vec::new(), from: at });
        gap.severities.push(severity);
        gap.from = gap.from.min(at);
    }
    found
}

/// Contacts with a number whom the chain would tell at some step.
fn told<'p>(people: &'p People, chain: &Chain, domain: Domain, severity: Severity) -> Vec<&'p Contact> {
    let upto = chain.plan(severity).upto;
    let steps = chain.steps.iter().take(upto.map_or(usize::MAX, |last| last + 1)).map(|step| (&step.to, &step.by));
    let last = upto.is_none().then_some((&chain.last.to, &chain.last.by));
    let by_phone = |by: &[Channel]| by.iter().any(|channel| *channel != Channel::Mail);
    let groups: Vec<&Vec<Target>> = steps.chain(last).filter(|(_, by)| by_phone(by)).map(|(to, _)| to).collect();
    let wanted = |contact: &&Contact| {
        has(contact, Channel::Sms) && groups.iter().any(|to| to.iter().any(|target| meant(contact, target, domain)))
    };
    people.contacts.iter().filter(wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Last, SeverityPlan, Step};

    fn people(until: Option<Ms>) -> People {
        let contact = Contact {
            id: "a".to_owned(),
            org: "MSP".to_owned(),
            roles: vec!["duty".to_owned()],
            domains: Vec::new(),
            name: "가상인".to_owned(),
            phone: Some("01000000001".to_owned()),
            email: None,
            from: None,
            until,
            confirmed: None,
        };
        let to = vec![Target::Role { org: "MSP".to_owned(), role: "duty".to_owned() }];
        let chain = Chain {
            id: "c".to_owned(),
            domain: None,
            default: true,
            steps: vec![Step { to: to.clone(), by: vec![Channel::Sms], wait: HOUR }],
            last: Last { to, by: vec![Channel::Sms], repeat: HOUR },
            severities: [SeverityPlan::default(); 4],
            digest_hour: 9,
        };
        People { contacts: vec![contact], chains: vec![chain], pages_an_hour: None, ..People::default() }
    }

    #[test]
    fn a_contact_that_ends_in_a_week_leaves_a_gap_from_then_on() {
        let now = 1_764_000_000_000;
        assert_eq!(unreached(&people(None), now), []);
        let gaps = unreached(&people(Some(now + 7 * DAY)), now);
        assert_eq!(gaps.len(), 4, "one for each 구간");
        assert_eq!((gaps[0].from, gaps[0].severities.len()), (now + 7 * DAY, 4));
        assert_eq!(unreached(&people(Some(now + 31 * DAY)), now), []);
    }

    #[test]
    fn mail_alone_is_no_number() {
        let mut people = people(None);
        people.chains[0].steps[0].by = vec![Channel::Mail];
        people.chains[0].severities[2].upto = Some(0);
        let gaps = unreached(&people, 1_764_000_000_000);
        assert_eq!(gaps[0].severities, [Severity::S3], "the others go on to the last group");
    }
}
