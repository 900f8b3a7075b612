//! What stands on what: the inventory as a graph.
//!
//! The idea: every resource is a spot. A spot runs on another (`parent`), needs others (`depends_on`), balances over
//! others (`members`) and is part of a service. All ways are followed once, when the graph is made, so that an incident
//! costs a few look-ups, however many resources there are. A parent or service that the inventory only names is a spot
//! too. The graph knows no incident.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Inventory, Labels};

/// A resource in the graph.
pub(crate) type Spot = u32;

/// Chains of parents are followed no further: no site is deeper, and a loop ends.
const DEPTH: usize = 16;

/// Labels that name a resource, the most telling first: a probe's `host` is where it runs, not what it looks at.
const NAMING: [&str; 10] =
    ["blast", "resource", "k8s.node.name", "node", "lb", "pool", "cluster", "host", "instance", "service"];

#[derive(Debug, Clone, PartialEq, Default)]
struct Node {
    id: Arc<str>,
    parent: Option<Spot>,
    children: Vec<Spot>,
    needs: Vec<Spot>,
    needed_by: Vec<Spot>,
    members: Vec<Spot>,
    pools: Vec<Spot>,
    service: Option<Spot>,
    /// Resources of it, where it is a service.
    parts: Vec<Spot>,
    /// How many resources stand on it, at any depth, itself among them.
    size: i64,
}

/// The inventory as a graph.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Topology {
    nodes: Vec<Node>,
    ids: BTreeMap<Arc<str>, Spot>,
    services: BTreeMap<Arc<str>, Spot>,
    names: BTreeMap<Arc<str>, Spot>,
    inventory: Inventory,
}

impl Topology {
    /// Makes the graph.
    pub fn of(inventory: &Inventory) -> Self {
        let mut graph = Self { inventory: inventory.clone(), ..Self::default() };
        for resource in inventory.resources.values() {
            let spot = graph.spot(&resource.id);
            if resource.kind == "service" {
                graph.services.insert(Arc::from(resource.id.as_str()), spot);
            }
            for name in &resource.known_as {
                graph.names.insert(Arc::from(name.as_str()), spot);
            }
        }
        for resource in inventory.resources.values() {
            let spot = graph.spot(&resource.id);
            if let Some(parent) = &resource.parent {
                let parent = graph.spot(parent);
                graph.node(spot).parent = Some(parent);
                graph.node(parent).children.push(spot);
            }
            if let Some(service) = &resource.service {
                let service = graph.service(service);
                graph.node(spot).service = Some(service);
                graph.node(service).parts.push(spot);
            }
            for need in &resource.depends_on {
                let need = graph.spot(need);
                graph.node(spot).needs.push(need);
                graph.node(need).needed_by.push(spot);
            }
            for member in &resource.members {
                let member = graph.spot(member);
                graph.node(spot).members.push(member);
                graph.node(member).pools.push(spot);
            }
        }
        for spot in (0..).take(graph.nodes.len()) {
            for domain in std::iter::once(spot).chain(graph.domains(spot).into_iter().filter(|at| *at != spot)) {
                graph.node(domain).size += 1;
            }
        }
        graph
    }

    fn spot(&mut self, id: &str) -> Spot {
        if let Some(spot) = self.ids.get(id) {
            return *spot;
        }
        let spot = self.add(id);
        self.ids.insert(Arc::from(id), spot);
        spot
    }

    /// Services have names of their own: one may be called like a host.
    fn service(&mut self, name: &str) -> Spot {
        if let Some(spot) = self.services.get(name) {
            return *spot;
        }
        let spot = self.add(name);
        self.services.insert(Arc::from(name), spot);
        spot
    }

    fn add(&mut self, id: &str) -> Spot {
        let spot = Spot::try_from(self.nodes.len()).unwrap_or(Spot::MAX);
        self.nodes.push(Node { id: Arc::from(id), ..Node::default() });
        spot
    }

    /// The node of a spot that was just made or looked up.
    fn node(&mut self, spot: Spot) -> &mut Node {
        &mut self.nodes[spot as usize]
    }

    fn at(&self, spot: Spot) -> Option<&Node> {
        self.nodes.get(spot as usize)
    }

    /// The id of a spot.
    pub(super) fn id(&self, spot: Spot) -> &str {
        self.at(spot).map_or("", |node| &node.id)
    }

    /// The labels with what the inventory knows of their host.
    pub(super) fn join(&self, labels: &Labels) -> Labels {
        self.inventory.join(labels)
    }

    /// What an identity is about: a name that the inventory gives, else the most telling of its labels that it knows.
    pub(crate) fn find(&self, labels: &Labels) -> Option<Spot> {
        let named = labels.iter().filter(|(name, _)| *name != "host").find_map(|(_, value)| self.names.get(value));
        if let Some(spot) = named {
            return Some(*spot);
        }
        NAMING.iter().find_map(|name| {
            let value = labels.get(name)?;
            let spot = match *name {
                "service" => self.services.get(value),
                "blast" => self.ids.get(value).or_else(|| self.services.get(value)),
                _ => self.ids.get(value),
            };
            spot.copied()
        })
    }

    /// What it runs on, the nearest first.
    pub(super) fn above(&self, spot: Spot) -> Vec<Spot> {
        let up = |at: &Spot| self.at(*at)?.parent;
        let mut found = Vec::new();
        let mut next = up(&spot);
        while let Some(at) = next.filter(|at| found.len() < DEPTH && *at != spot && !found.contains(at)) {
            found.push(at);
            next = up(&at);
        }
        found
    }

    /// What its users' view of it hangs on beside what it runs on: what it needs, the pools in front of it, the only pool
    /// of its service, and what its service needs; each with what that runs on.
    pub(super) fn needs(&self, spot: Spot) -> Vec<Spot> {
        let Some(node) = self.at(spot) else { return Vec::new() };
        let mut direct: Vec<Spot> = node.needs.iter().chain(&node.pools).copied().collect();
        let service = if node.parts.is_empty() { node.service } else { Some(spot) };
        if let Some(service) = service.and_then(|service| self.at(service)) {
            direct.extend(&service.needs);
            let mut pools =
                service.parts.iter().filter(|part| self.at(**part).is_some_and(|it| !it.members.is_empty()));
            if let (Some(only), None) = (pools.next(), pools.next()) {
                direct.push(*only);
            }
        }
        let mut found: Vec<Spot> = Vec::new();
        let with_above = direct.iter().flat_map(|at| std::iter::once(*at).chain(self.above(*at)));
        for at in with_above.filter(|at| *at != spot) {
            if !found.contains(&at) {
                found.push(at);
            }
        }
        found
    }

    /// What a pool balances over.
    pub(super) fn members(&self, spot: Spot) -> &[Spot] {
        self.at(spot).map_or(&[], |node| &node.members)
    }

    /// The resources of a service.
    pub(super) fn parts(&self, spot: Spot) -> &[Spot] {
        self.at(spot).map_or(&[], |node| &node.parts)
    }

    /// The service that a resource is part of.
    pub(super) fn service_of(&self, spot: Spot) -> Option<Spot> {
        self.at(spot)?.service
    }

    /// How many resources stand on it, itself among them.
    pub(super) fn size(&self, spot: Spot) -> i64 {
        self.at(spot).map_or(1, |node| node.size)
    }

    /// What runs directly on it.
    pub(super) fn children(&self, spot: Spot) -> &[Spot] {
        self.at(spot).map_or(&[], |node| &node.children)
    }

    /// Where one fault hits many: what it runs on, the nearest first, then the pools in front of it, then its service.
    /// A resource that others run on is the first of its own.
    pub(super) fn domains(&self, spot: Spot) -> Vec<Spot> {
        let Some(node) = self.at(spot) else { return Vec::new() };
        let holds = !node.children.is_empty() || !node.members.is_empty() || !node.parts.is_empty();
        let mut found: Vec<Spot> = holds.then_some(spot).into_iter().collect();
        found.extend(self.above(spot));
        found.extend(node.pools.iter().copied());
        found.extend(node.service);
        let mut seen = BTreeSet::new();
        found.retain(|at| seen.insert(*at));
        found
    }

    /// Every spot where a fault of `spot` may show: itself, all that runs on it, and what users reach through these.
    pub(super) fn reach(&self, spot: Spot) -> BTreeSet<Spot> {
        let mut found = BTreeSet::from([spot]);
        let mut open = vec![spot];
        while let Some(node) = open.pop().and_then(|at| self.at(at)) {
            open.extend(node.children.iter().filter(|at| found.insert(**at)));
        }
        let mut users: BTreeSet<Spot> = BTreeSet::new();
        for node in found.iter().filter_map(|at| self.at(*at)) {
            users.extend(node.needed_by.iter().chain(&node.pools).chain(&node.members).chain(&node.service));
            // What a service needs, its resources need; and a pool may be the only way to its service.
            let needing = node.needed_by.iter().copied().chain(node.service.filter(|_| !node.members.is_empty()));
            users.extend(needing.flat_map(|at| self.parts(at)));
        }
        found.extend(users);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Resource;

    fn graph() -> Topology {
        let one = |id: &str, kind: &str, parent: Option<&str>| Resource {
            id: id.to_owned(),
            kind: kind.to_owned(),
            parent: parent.map(str::to_owned),
            service: Some("dispatch".to_owned()),
            ..Resource::default()
        };
        let lb = Resource {
            members: vec!["was-01".to_owned()],
            known_as: vec!["lb.example.test:443".to_owned()],
            ..one("lb-01", "lb", None)
        };
        let was = Resource { depends_on: vec!["db-01".to_owned()], ..one("was-01", "vm", Some("node-02")) };
        let all = [one("db-01", "vm", Some("node-01")), was, lb, one("node-01", "node", Some("k-1"))];
        let resources = all.into_iter().map(|resource| (resource.id.clone(), resource)).collect();
        Topology::of(&Inventory { resources })
    }

    fn ids(graph: &Topology, spots: impl IntoIterator<Item = Spot>) -> Vec<String> {
        spots.into_iter().map(|spot| graph.id(spot).to_owned()).collect()
    }

    #[test]
    fn an_identity_is_about_what_it_names_best() {
        let graph = graph();
        let find = |pairs: &[(&str, &str)]| {
            let spot = graph.find(&Labels::new(pairs.iter().copied()));
            spot.map(|spot| graph.id(spot).to_owned())
        };
        assert_eq!(
            find(&[("host", "probe-01"), ("tcpcheck.endpoint", "lb.example.test:443")]).as_deref(),
            Some("lb-01")
        );
        assert_eq!(find(&[("host", "db-01"), ("k8s.node.name", "node-02")]).as_deref(), Some("node-02"));
        assert_eq!(find(&[("host", "nobody-knows")]), None);
        assert_eq!(find(&[("service", "dispatch")]).as_deref(), Some("dispatch"));
    }

    #[test]
    fn a_vm_runs_on_its_node_and_cluster_and_is_hit_with_them() {
        let graph = graph();
        let at = |id: &str| graph.ids[id];
        assert_eq!(ids(&graph, graph.above(at("db-01"))), ["node-01", "k-1"]);
        assert_eq!(ids(&graph, graph.domains(at("db-01"))), ["node-01", "k-1", "dispatch"]);
        assert_eq!(ids(&graph, graph.domains(at("was-01"))), ["node-02", "lb-01", "dispatch"]);
        let mut needs = ids(&graph, graph.needs(at("was-01")));
        needs.sort();
        assert_eq!(needs, ["db-01", "k-1", "lb-01", "node-01"]);
        let mut reach = ids(&graph, graph.reach(at("k-1")));
        reach.sort();
        assert_eq!(reach, ["db-01", "dispatch", "k-1", "node-01", "was-01"]);
    }

    #[test]
    fn a_loop_of_parents_ends() {
        let one = |id: &str, parent: &str| {
            let parent = Some(parent.to_owned());
            (id.to_owned(), Resource { id: id.to_owned(), parent, ..Resource::default() })
        };
        let graph = Topology::of(&Inventory { resources: [one("a", "b"), one("b", "a")].into_iter().collect() });
        assert_eq!(ids(&graph, graph.above(graph.ids["a"])), ["b"]);
    }
}
