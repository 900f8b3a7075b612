//! Hand-written sites: which incident speaks for which, what is behind it, and which 구간 the evidence points at.
//!
//! One row per site: what stands where, what fires in which order, and what must be so of the last line's subject.

use std::sync::Arc;

use super::stand::*;
use super::*;
use crate::model::*;
use crate::time::MINUTE;

/// `id`, what it runs on, what it needs, its members, its service; empty = none.
type Place = (&'static str, &'static str, &'static [&'static str], &'static [&'static str], &'static str);
/// Rule and host (or `svc:` and a service) that fires, and how badly.
type Fires = (&'static str, &'static str, Severity);

struct Site {
    name: &'static str,
    places: &'static [Place],
    fires: &'static [Fires],
    /// Rule and host that is judged.
    of: (&'static str, &'static str),
    /// Rule and host (or domain of the storm) of what speaks for it.
    parent: Option<(&'static str, &'static str)>,
    /// The likeliest cause: its own, or the storm's that it is part of.
    cause: Option<(SuspectKind, &'static str, &'static str)>,
    domain: Domain,
}

const S1: Severity = Severity::S1;
const S2: Severity = Severity::S2;
const fn on(id: &'static str, parent: &'static str) -> Place {
    (id, parent, &[], &[], "")
}
const CLUSTER: &[Place] = &[on("vm-1", "node-1"), on("vm-2", "node-1"), on("node-1", "k-1"), on("k-1", "")];
const WEB: &[Place] = &[
    ("was-1", "node-1", &["db-1"], &[], "web"),
    ("was-2", "node-2", &["db-1"], &[], "web"),
    ("db-1", "node-3", &[], &[], "web"),
    ("lb-1", "", &[], &["was-1", "was-2"], "web"),
];
const TWINS: &[Place] = &[on("was-1", "node-1"), on("was-2", "node-1"), ("lb-1", "", &[], &["was-1", "was-2"], "")];
const STORE: &[Place] = &[
    ("was-1", "node-1", &["db-1"], &[], "web"),
    ("db-1", "node-2", &["nas-1"], &[], "web"),
    ("nas-1", "", &[], &[], ""),
    ("lb-1", "", &[], &["was-1"], "web"),
];
const SPREAD: &[Place] = &[
    ("was-1", "node-1", &[], &[], "web"),
    ("was-2", "node-2", &[], &[], "web"),
    ("lb-1", "", &[], &["was-1", "was-2"], "web"),
    on("node-1", "k-1"),
    on("node-2", "k-1"),
    on("k-1", ""),
];
const MANY: &[Place] = &[
    on("m-0", "node-9"),
    on("m-1", "node-9"),
    on("m-2", "node-9"),
    on("m-3", "node-9"),
    on("m-4", "node-9"),
    on("m-5", "node-9"),
    on("m-6", "node-9"),
    on("m-7", "node-9"),
    on("m-8", "node-9"),
    on("m-9", "node-9"),
    on("m-10", "node-9"),
];

#[rustfmt::skip]
const SITES: &[Site] = &[
    Site { name: "a machine falls with its node", places: CLUSTER,
        fires: &[("gone", "node-1", S1), ("gone", "vm-1", S2)], of: ("gone", "vm-1"),
        parent: Some(("gone", "node-1")), cause: Some((SuspectKind::Incident, "gone", "node-1")), domain: Domain::Infra },
    Site { name: "a machine is seen before its node", places: CLUSTER,
        fires: &[("gone", "vm-1", S2), ("gone", "node-1", S2)], of: ("gone", "vm-1"),
        parent: Some(("gone", "node-1")), cause: Some((SuspectKind::Incident, "gone", "node-1")), domain: Domain::Infra },
    Site { name: "of node and cluster the nearer speaks", places: CLUSTER,
        fires: &[("gone", "k-1", S1), ("gone", "node-1", S1), ("gone", "vm-1", S2)], of: ("gone", "vm-1"),
        parent: Some(("gone", "node-1")), cause: Some((SuspectKind::Incident, "gone", "k-1")), domain: Domain::Infra },
    Site { name: "and the cluster for the node", places: CLUSTER,
        fires: &[("gone", "k-1", S1), ("gone", "vm-1", S2), ("gone", "node-1", S1)], of: ("gone", "node-1"),
        parent: Some(("gone", "k-1")), cause: Some((SuspectKind::Incident, "gone", "k-1")), domain: Domain::Infra },
    Site { name: "a service behind its only pool", places: WEB,
        fires: &[("lb", "lb-1", S1), ("url", "svc:web", S1)], of: ("url", "svc:web"),
        parent: Some(("lb", "lb-1")), cause: Some((SuspectKind::Incident, "lb", "lb-1")), domain: Domain::Network },
    Site { name: "a web server without its database", places: WEB,
        fires: &[("gone", "db-1", S1), ("url", "was-1", S1)], of: ("url", "was-1"),
        parent: Some(("gone", "db-1")), cause: Some((SuspectKind::Incident, "gone", "db-1")), domain: Domain::Infra },
    Site { name: "a pool whose machines all stood on one dead node", places: TWINS,
        fires: &[("gone", "node-1", S1), ("lb", "lb-1", S1)], of: ("lb", "lb-1"),
        parent: Some(("gone", "node-1")), cause: Some((SuspectKind::Incident, "gone", "node-1")), domain: Domain::Infra },
    Site { name: "a pool that has a machine left is down by itself", places: WEB,
        fires: &[("gone", "was-1", S2), ("lb", "lb-1", S1)], of: ("lb", "lb-1"),
        parent: None, cause: None, domain: Domain::Network },
    Site { name: "a busy node explains no full machine", places: CLUSTER,
        fires: &[("busy", "node-1", S1), ("busy", "vm-1", S2)], of: ("busy", "vm-1"),
        parent: None, cause: None, domain: Domain::Infra },
    Site { name: "a machine does not fall with its neighbour", places: CLUSTER,
        fires: &[("gone", "vm-2", S1), ("gone", "vm-1", S2)], of: ("gone", "vm-1"),
        parent: None, cause: None, domain: Domain::Infra },
    Site { name: "an application's failure beside a dead database's is the application's own where it needs none", places: WEB,
        fires: &[("gone", "db-1", S2), ("oom", "was-1", S1)], of: ("oom", "was-1"),
        parent: None, cause: None, domain: Domain::Infra },
    Site { name: "what may be an attack stands alone and stays one", places: CLUSTER,
        fires: &[("gone", "node-1", S1), ("login", "vm-1", S2)], of: ("login", "vm-1"),
        parent: None, cause: None, domain: Domain::Security },
    Site { name: "a node nobody watches is found by its machines", places: MANY,
        fires: &[("busy", "m-0", S2), ("busy", "m-1", S2), ("busy", "m-2", S2), ("busy", "m-3", S2), ("busy", "m-4", S2),
            ("busy", "m-5", S2), ("busy", "m-6", S2), ("busy", "m-7", S2), ("busy", "m-8", S2), ("busy", "m-9", S2),
            ("busy", "m-10", S2)], of: ("storm", "node-9"),
        parent: None, cause: Some((SuspectKind::Resource, "", "node-9")), domain: Domain::Infra },
    Site { name: "a machine falls with its cluster where nothing is known of its node", places: CLUSTER,
        fires: &[("gone", "k-1", S1), ("gone", "vm-2", S2)], of: ("gone", "vm-2"),
        parent: Some(("gone", "k-1")), cause: Some((SuspectKind::Incident, "gone", "k-1")), domain: Domain::Infra },
    Site { name: "a database without its storage, which the storage's own fault came after", places: STORE,
        fires: &[("url", "db-1", S2), ("gone", "nas-1", S1)], of: ("url", "db-1"),
        parent: Some(("gone", "nas-1")), cause: Some((SuspectKind::Incident, "gone", "nas-1")), domain: Domain::Infra },
    Site { name: "a pool whose machines stood on two nodes of one dead cluster", places: SPREAD,
        fires: &[("gone", "k-1", S1), ("lb", "lb-1", S1)], of: ("lb", "lb-1"),
        parent: Some(("gone", "k-1")), cause: Some((SuspectKind::Incident, "gone", "k-1")), domain: Domain::Infra },
    Site { name: "a web server with its node, whatever else it needs", places: SPREAD,
        fires: &[("gone", "node-1", S1), ("url", "was-1", S2)], of: ("url", "was-1"),
        parent: Some(("gone", "node-1")), cause: Some((SuspectKind::Incident, "gone", "node-1")), domain: Domain::Infra },
    Site { name: "a silent machine on a dead node", places: CLUSTER,
        fires: &[("gone", "node-1", S1), ("source-silent", "vm-1", S2)], of: ("source-silent", "vm-1"),
        parent: Some(("gone", "node-1")), cause: Some((SuspectKind::Incident, "gone", "node-1")), domain: Domain::Infra },
    Site { name: "what is busy on a machine that then fell silent", places: CLUSTER,
        fires: &[("source-silent", "vm-1", S1), ("busy", "vm-1", S2)], of: ("busy", "vm-1"),
        parent: Some(("source-silent", "vm-1")), cause: Some((SuspectKind::Incident, "source-silent", "vm-1")), domain: Domain::Infra },
    Site { name: "a crowd of silent machines is one storm of their node", places: MANY, fires: SILENT,
        of: ("storm", "node-9"),
        parent: None, cause: Some((SuspectKind::Resource, "", "node-9")), domain: Domain::Infra },
    Site { name: "and each of them hangs under it", places: MANY, fires: SILENT, of: ("source-silent", "m-3"),
        parent: Some(("storm", "node-9")), cause: Some((SuspectKind::Resource, "", "node-9")), domain: Domain::Infra },
    Site { name: "unless the node itself is known to be gone", places: MANY,
        fires: &[("gone", "node-9", S1), ("source-silent", "m-0", S2), ("source-silent", "m-1", S2),
            ("source-silent", "m-2", S2), ("source-silent", "m-3", S2), ("source-silent", "m-4", S2),
            ("source-silent", "m-5", S2), ("source-silent", "m-6", S2), ("source-silent", "m-7", S2),
            ("source-silent", "m-8", S2), ("source-silent", "m-9", S2), ("source-silent", "m-10", S2)],
        of: ("source-silent", "m-10"),
        parent: Some(("gone", "node-9")), cause: Some((SuspectKind::Incident, "gone", "node-9")), domain: Domain::Infra },
];

/// Eleven machines of one node, of a hundred sources: far from half, so no `blind`.
const SILENT: &[Fires] = &[
    ("source-silent", "m-0", S2),
    ("source-silent", "m-1", S2),
    ("source-silent", "m-2", S2),
    ("source-silent", "m-3", S2),
    ("source-silent", "m-4", S2),
    ("source-silent", "m-5", S2),
    ("source-silent", "m-6", S2),
    ("source-silent", "m-7", S2),
    ("source-silent", "m-8", S2),
    ("source-silent", "m-9", S2),
    ("source-silent", "m-10", S2),
];

fn rules() -> RuleSet {
    let metric = |name: &str| Watch::Metric { name: name.to_owned(), matchers: Vec::new() };
    let one = |id: &str, domain: Domain, watch: Watch, explains: Option<Explains>| {
        Arc::new(Rule {
            domain,
            watch,
            bonds: Bonds { explains, ..Bonds::default() },
            ..(*rule(id, "이상 감지")).clone()
        })
    };
    let rules = vec![
        one("gone", Domain::Infra, metric("up"), Some(Explains::Below)),
        one("busy", Domain::Infra, metric("system.cpu.utilization"), None),
        one("url", Domain::Application, metric("httpcheck.status"), None),
        one("lb", Domain::Network, metric("tcpcheck.status"), None),
        one("oom", Domain::Application, metric("app.oom"), None),
        one("login", Domain::Security, metric("auth.failures"), None),
    ];
    RuleSet { hash: "1".to_owned(), rules, groups: Vec::new() }
}

fn inventory(places: &[Place]) -> Inventory {
    let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let some = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    let one = |(id, parent, needs, members, service): &Place| {
        let (parent, service) = (some(parent), some(service));
        let (depends_on, members) = (all(needs), all(members));
        let kind = "vm".to_owned();
        let it = Resource { id: (*id).to_owned(), kind, parent, service, depends_on, members, ..Resource::default() };
        (it.id.clone(), it)
    };
    Inventory { resources: places.iter().map(one).collect() }
}

fn labels(name: &str) -> Labels {
    match name.strip_prefix("svc:") {
        Some(service) => Labels::new([("service", service)]),
        None => Labels::new([("host", name)]),
    }
}

#[test]
fn every_site_has_its_parent_its_cause_and_its_domain() {
    let mut wrong = Vec::new();
    let whole = SITES.iter().filter(|site| site.parent.is_some() && site.cause.is_some()).count();
    assert!(whole >= 12, "{whole} sites have a parent and a cause");
    for site in SITES {
        let mut stand = Stand::with(World::new(rules(), people(), inventory(site.places)));
        for (rule, host, severity) in site.fires {
            let labels = labels(host);
            let fingerprint = Fingerprint::of(rule, &labels);
            stand.raw(Signal { labels, fingerprint, ..signal(rule, host, Some(*severity), stand.now) });
            stand.pass(1_000);
        }
        // A silent source waits for others before it is an incident.
        if site.fires.iter().any(|(rule, ..)| *rule == "source-silent") {
            stand.pass(MINUTE);
        }
        let find = |rule: &str, host: &str| {
            let wanted = |it: &&Incident| {
                *it.rule == *rule && it.labels.iter().any(|(_, value)| value == host.trim_start_matches("svc:"))
            };
            stand.rows.incidents.iter().find(wanted).unwrap_or_else(|| panic!("{}: no {rule} of {host}", site.name))
        };
        let it = find(site.of.0, site.of.1);
        let parent = site.parent.map(|(rule, host)| find(rule, host).id.clone());
        wrong.extend((it.parent != parent).then(|| format!("{}: hangs under {:?}", site.name, it.parent)));
        // Members of a storm are looked at together: its suspects are theirs.
        let together = it.group.tie == Some(Tie::Storm);
        let looked = it.parent.as_deref().filter(|_| together).map_or(it, |parent| stand.incident(parent));
        let likeliest = looked.group.suspects.first().map(|it| (it.kind, it.what.clone()));
        let cause = site.cause.map(|(kind, rule, host)| match kind {
            SuspectKind::Incident => (kind, find(rule, host).id.clone()),
            _ => (kind, host.to_owned()),
        });
        wrong.extend((likeliest != cause).then(|| format!("{}: {:?}", site.name, it.group.suspects)));
        let triage = looked.group.triage.as_ref().map(|it| it.domain);
        wrong.extend((triage != Some(site.domain)).then(|| format!("{}: {:?}", site.name, looked.group.triage)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
