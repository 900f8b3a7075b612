//! Reachability: does every severity of every 구간 and resource reach a person with a number, at every minute of the
//! next 30 days? And does its first step?
//!
//! The idea: the question is asked of the values themselves, as the chain would be walked then: no estimate, no special
//! cases. Resources that no condition tells apart take the same way through the chains, so each way is walked once;
//! between two instants at which anything changes (a validity, a turn, business hours) it is walked once too. Pure;
//! `now` is passed in.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::fit::domains;
use crate::model::{Chain, Channel, Domain, Inventory, Labels, People, Severity, Target, chain_labels};
use crate::page::{Asked, Chooser, told_by};
use crate::time::{DAY, Ms};

/// How far ahead to look.
pub const AHEAD: Ms = 30 * DAY;

/// A stretch of time in which nobody with a number would be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// By this chain,
    pub chain: String,
    /// for incidents of this 구간
    pub domain: Domain,
    /// and these severities,
    pub severities: Vec<Severity>,
    /// from then on
    pub from: Ms,
    /// until then, as far as was looked.
    pub until: Ms,
    /// Resources that it is about, one of them named: (how many, which); `None` where it is about any host.
    pub resources: Concerned,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Gaps {
    /// Nobody at all would be told.
    pub nobody: Vec<Gap>,
    /// The first step, or whatever stands first at that hour, would tell nobody.
    pub first_step: Vec<Gap>,
}

/// How many resources something is about and one of them; `None`: any host.
type Concerned = Option<(usize, String)>;

/// Resources, 구간 and severity that take one way through the chains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Way {
    /// Places of the chains that may be taken, in the order of choice.
    chains: Vec<usize>,
    domain: Domain,
    severity: Severity,
}

/// Every gap between `now` and `until`, the first stretch of each, by chain and 구간.
pub fn gaps(people: &People, inventory: &Inventory, now: Ms, until: Ms) -> Gaps {
    let ways = ways(people, inventory);
    let instants = instants(people, now, until);
    let mut gaps = Gaps::default();
    for (way, resources) in &ways {
        let found = |is_reached: &dyn Fn(&Chain, Ms) -> bool| stretch(people, way, (&instants, until), is_reached);
        let told = |chain: &Chain, at: Ms| is_told(people, chain, (way.domain, way.severity), at);
        let first = |chain: &Chain, at: Ms| is_first_told(people, chain, way.domain, at);
        if let Some(at) = found(&told) {
            note(&mut gaps.nobody, way, at, resources);
        } else if let Some(at) = found(&first).filter(|_| way.severity != Severity::S4) {
            note(&mut gaps.first_step, way, at, resources);
        }
    }
    gaps
}

/// The first stretch of the next 30 days in which incidents of `domain` whose rule names `chain` tell nobody.
pub(super) fn named_gap(people: &People, chain: &str, domain: Domain, now: Ms) -> Option<Gap> {
    let chooser = Chooser::of(people);
    let instants = instants(people, now, now + AHEAD);
    let mut found = Vec::new();
    for severity in Severity::ALL {
        let labels = chain_labels(&Inventory::default(), &Labels::default(), ("", domain, severity));
        let chains = chooser.candidates(people, Asked { named: Some(chain), labels: &labels });
        let way = Way { chains, domain, severity };
        let told = |chain: &Chain, at: Ms| is_told(people, chain, (domain, severity), at);
        if let Some(at) = stretch(people, &way, (&instants, now + AHEAD), &told) {
            note(&mut found, &way, at, &None);
        }
    }
    found.into_iter().next()
}

/// All ways that incidents may take, each with the resources that take it; a chain that only rules name is a way of its
/// own, for every 구간.
fn ways(people: &People, inventory: &Inventory) -> BTreeMap<Way, Concerned> {
    let chooser = Chooser::of(people);
    let asked: BTreeSet<&str> =
        people.chains.iter().flat_map(|chain| &chain.matchers).map(|matcher| matcher.label.as_str()).collect();
    let mut classes: BTreeMap<Labels, (usize, String)> = BTreeMap::new();
    for id in inventory.resources.keys() {
        let labels = inventory.describe(&Labels::new([("host", id.as_str())])).keep(|name| asked.contains(name));
        classes.entry(labels).or_insert_with(|| (0, id.clone())).0 += 1;
    }
    let mut ways = BTreeMap::new();
    for domain in Domain::ALL {
        for severity in Severity::ALL {
            let mut take = |labels: &Labels, named: Option<&str>, resources: Concerned| {
                // What the inventory says is in the labels already.
                let labels = chain_labels(&Inventory::default(), labels, ("", domain, severity));
                let chains = chooser.candidates(people, Asked { named, labels: &labels });
                match ways.entry(Way { chains, domain, severity }) {
                    Entry::Vacant(place) => drop(place.insert(resources)),
                    Entry::Occupied(mut known) => {
                        if let (Some((n, _)), Some((more, _))) = (known.get_mut(), resources) {
                            *n += more;
                        }
                    }
                }
            };
            take(&Labels::default(), None, None);
            let by_name = people.chains.iter().filter(|chain| !chain.is_open() || chain.default);
            let by_name = by_name.filter(|chain| domains(chain).contains(&domain));
            by_name.for_each(|chain| take(&Labels::default(), Some(&chain.id), None));
            for (labels, (n, id)) in &classes {
                take(labels, None, Some((*n, id.clone())));
            }
        }
    }
    ways
}

/// Every instant from `now` on at which another answer may begin, sorted.
fn instants(people: &People, now: Ms, until: Ms) -> Vec<Ms> {
    let mut all: BTreeSet<Ms> = [now].into();
    all.extend(people.contacts.iter().flat_map(|contact| [contact.from, contact.until]).flatten());
    let hours = people.chains.iter().any(|it| it.when.is_some() || it.steps.iter().any(|step| step.when.is_some()));
    if hours {
        all.extend(people.calendar.edges(now, until));
    }
    for rota in &people.rotas {
        let mut at = rota.next_change(now);
        while at < until {
            all.insert(at);
            at = rota.next_change(at);
        }
    }
    all.range(now..until).copied().collect()
}

/// The first stretch in which the chain that is there does not reach.
fn stretch<'p>(
    people: &'p People,
    way: &Way,
    (instants, end): (&[Ms], Ms),
    is_reached: &dyn Fn(&Chain, Ms) -> bool,
) -> Option<(&'p str, Ms, Ms)> {
    let there = |at: Ms| {
        let mut chains = way.chains.iter().filter_map(|n| people.chains.get(*n));
        chains.find(|chain| chain.when.as_ref().is_none_or(|when| people.calendar.holds(when, at)))
    };
    let reached = |at: &Ms| there(*at).is_some_and(|chain| is_reached(chain, *at));
    let from = instants.iter().copied().find(|at| !reached(at))?;
    let until = instants.iter().copied().find(|at| *at > from && reached(at)).unwrap_or(end);
    Some((there(from).map_or("", |chain| chain.id.as_str()), from, until))
}

fn is_by_phone(by: &[Channel]) -> bool {
    by.iter().any(|channel| *channel != Channel::Mail)
}

fn reaches(people: &People, (to, by): (&[Target], &[Channel]), domain: Domain, at: Ms) -> bool {
    is_by_phone(by) && told_by(people, to, by, domain, at).iter().any(|(_, channel)| *channel != Channel::Mail)
}

/// Whether some step of the chain, or its last group, tells somebody with a number.
fn is_told(people: &People, chain: &Chain, (domain, severity): (Domain, Severity), at: Ms) -> bool {
    let upto = chain.plan(severity).upto;
    let steps = chain.steps.iter().take(upto.map_or(usize::MAX, |last| last + 1));
    let mut there = steps.filter(|step| step.when.as_ref().is_none_or(|when| people.calendar.holds(when, at)));
    there.any(|step| reaches(people, (&step.to, &step.by), domain, at))
        || (upto.is_none() && reaches(people, (&chain.last.to, &chain.last.by), domain, at))
}

/// Whether what speaks first at that hour tells somebody with a number.
fn is_first_told(people: &People, chain: &Chain, domain: Domain, at: Ms) -> bool {
    let mut there =
        chain.steps.iter().filter(|step| step.when.as_ref().is_none_or(|when| people.calendar.holds(when, at)));
    let (to, by) = there.next().map_or((&chain.last.to, &chain.last.by), |step| (&step.to, &step.by));
    reaches(people, (to, by), domain, at)
}

/// Adds a gap to those of its chain and 구간.
fn note(found: &mut Vec<Gap>, way: &Way, (chain, from, until): (&str, Ms, Ms), resources: &Concerned) {
    let same = |gap: &&mut Gap| gap.chain == chain && gap.domain == way.domain && gap.resources == *resources;
    if let Some(gap) = found.iter_mut().find(same) {
        if !gap.severities.contains(&way.severity) {
            gap.severities.push(way.severity);
        }
        gap.until = if from < gap.from { until } else { gap.until };
        gap.from = gap.from.min(from);
        return;
    }
    let severities = vec![way.severity];
    let resources = resources.clone();
    found.push(Gap { chain: chain.to_owned(), domain: way.domain, severities, from, until, resources });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Contact, Cover, Last, Matcher, Resource, Rota, Step, Test, When};
    use crate::time::{HOUR, KST, parse_instant};

    fn at(text: &str) -> Ms {
        parse_instant(text, KST).expect("an instant")
    }

    fn contact(id: &str, role: &str) -> Contact {
        Contact {
            id: id.to_owned(),
            org: "MSP".to_owned(),
            roles: vec![role.to_owned()],
            phone: Some("01000000001".to_owned()),
            ..Contact::default()
        }
    }

    fn role(role: &str) -> Target {
        Target::Role { org: "MSP".to_owned(), role: role.to_owned() }
    }

    fn step(to: Target, when: Option<When>) -> Step {
        Step { to: vec![to], by: vec![Channel::Sms], wait: HOUR, when }
    }

    fn chain(id: &str, steps: Vec<Step>) -> Chain {
        let last = Last { to: vec![role("duty")], by: vec![Channel::Sms], repeat: HOUR };
        Chain { id: id.to_owned(), steps, last, ..Chain::default() }
    }

    fn people(until: Option<Ms>) -> People {
        let contact = Contact { until, ..contact("a", "duty") };
        let chain = Chain { default: true, ..chain("c", vec![step(role("duty"), None)]) };
        People { contacts: vec![contact], chains: vec![chain], ..People::default() }
    }

    fn unreached(people: &People, inventory: &Inventory, now: Ms) -> Vec<Gap> {
        gaps(people, inventory, now, now + AHEAD).nobody
    }

    fn unreached_by(people: &People, now: Ms) -> Vec<Gap> {
        unreached(people, &Inventory::default(), now)
    }

    #[test]
    fn a_contact_that_ends_in_a_week_leaves_a_gap_from_then_on() {
        let now = 1_764_000_000_000;
        assert_eq!(unreached_by(&people(None), now), []);
        let gaps = unreached_by(&people(Some(now + 7 * DAY)), now);
        assert_eq!(gaps.len(), 4, "one for each 구간");
        assert_eq!((gaps[0].from, gaps[0].until, gaps[0].severities.len()), (now + 7 * DAY, now + AHEAD, 4));
        assert_eq!(unreached_by(&people(Some(now + 31 * DAY)), now), []);
    }

    #[test]
    fn mail_alone_is_no_number() {
        let mut people = people(None);
        people.chains[0].steps[0].by = vec![Channel::Mail];
        people.chains[0].severities[2].upto = Some(0);
        let gaps = unreached_by(&people, 1_764_000_000_000);
        assert_eq!(gaps[0].severities, [Severity::S3], "the others go on to the last group");
    }

    #[test]
    fn a_chain_that_only_some_resources_take_is_asked_for_them() {
        let mut people = people(None);
        let csp = Matcher { label: "owner".to_owned(), test: Test::Is, value: "CSP".to_owned() };
        let nobody = Last { to: vec![role("gone")], by: vec![Channel::Sms], repeat: HOUR };
        let odd = Chain { matchers: vec![csp], last: nobody, ..chain("csp", vec![step(role("gone"), None)]) };
        people.chains.insert(0, odd);
        let resource = |id: &str, owner: &str| {
            (id.to_owned(), Resource { id: id.to_owned(), owner: Some(owner.to_owned()), ..Resource::default() })
        };
        let ours = Inventory { resources: [resource("vm-1", "MSP")].into() };
        assert_eq!(unreached(&people, &ours, 0), [], "no resource takes it");
        let theirs = [("lb-1", "CSP"), ("lb-2", "CSP"), ("vm-1", "MSP")].map(|(id, owner)| resource(id, owner));
        let theirs = Inventory { resources: theirs.into() };
        let gaps = unreached(&people, &theirs, 0);
        assert_eq!(gaps.len(), 4);
        assert!(gaps.iter().all(|gap| gap.chain == "csp" && gap.resources == Some((2, "lb-1".to_owned()))), "{gaps:?}");
    }

    #[test]
    fn a_night_without_a_first_step_is_a_gap_of_the_first_step_to_the_minute() {
        let mut people = people(None);
        people.contacts.push(Contact { until: Some(at("2026-11-25 20:30")), ..contact("night", "night") });
        people.chains[0].steps = vec![
            step(role("duty"), Some(When::Business)),
            step(role("night"), Some(When::Off)),
            step(role("duty"), None),
        ];
        let now = at("2026-11-24 10:00");
        let found = gaps(&people, &Inventory::default(), now, now + AHEAD);
        assert_eq!(found.nobody, [], "the last group is there");
        assert_eq!(found.first_step.len(), 4);
        let gap = &found.first_step[0];
        assert_eq!((gap.from, gap.until), (at("2026-11-25 20:30"), at("2026-11-26 09:00")));
        assert_eq!(gap.severities, [Severity::S1, Severity::S2, Severity::S3], "S4 waits for the digest");
        assert_eq!(
            gaps(&people, &Inventory::default(), now, now + DAY).first_step,
            [],
            "within a day nothing is missing"
        );
    }

    #[test]
    fn turns_are_looked_at_one_by_one() {
        let mut people = people(None);
        people.contacts = ["a", "b"].map(|id| contact(id, "duty")).to_vec();
        people.contacts[1].phone = None;
        let now = at("2026-11-24 10:00");
        let rota = Rota {
            id: "r".to_owned(),
            members: vec!["a".to_owned(), "b".to_owned()],
            start: at("2026-11-24 09:00"),
            shift: 7 * DAY,
            fills: Some(("MSP".to_owned(), "duty".to_owned())),
            covers: Vec::new(),
        };
        people.rotas = vec![rota];
        let gaps = unreached_by(&people, now);
        assert_eq!((gaps[0].from, gaps[0].until), (at("2026-12-01 09:00"), at("2026-12-08 09:00")), "the turn of b");
        let cover = |from: &str| Cover { from: at(from), until: at(from) + 7 * DAY, who: "a".to_owned() };
        people.rotas[0].covers = ["2026-12-01 09:00", "2026-12-15 09:00"].map(cover).to_vec();
        assert_eq!(unreached_by(&people, now), [], "a covers");
    }
}
