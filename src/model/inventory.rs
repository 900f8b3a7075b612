//! The inventory: what is known of each resource beside its telemetry.

use std::collections::BTreeMap;

use crate::model::Labels;

/// One resource.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Resource {
    /// The `host` label of its records.
    pub id: String,
    /// vm, node, lb, …
    pub kind: String,
    /// Its class, for example `db`.
    pub class: Option<String>,
    /// Zone.
    pub zone: Option<String>,
    /// What it runs on.
    pub parent: Option<String>,
    /// The service it is part of.
    pub service: Option<String>,
    /// The outward name that messages may use.
    pub alias: Option<String>,
    /// Who owns it.
    pub owner: Option<String>,
    /// Whether an SLA covers it.
    pub contracted: bool,
    /// What it balances over, where it is a pool: ids of resources.
    pub members: Vec<String>,
    /// What it cannot work without: ids of resources.
    pub depends_on: Vec<String>,
    /// What telemetry calls it beside its id: URLs, endpoints, node names.
    pub known_as: Vec<String>,
}

/// All resources by id.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Inventory {
    /// The resources.
    pub resources: BTreeMap<String, Resource>,
}

impl Inventory {
    /// The labels that [`Inventory::join`] adds.
    pub const JOINED: [&str; 4] = ["class", "zone", "service", "parent"];

    /// The labels that the inventory adds to those of a sample, joined by `host`: `class`, `zone`, `service`, `parent`.
    /// A label that the sample has itself stays.
    pub fn join(&self, labels: &Labels) -> Labels {
        let Some(resource) = labels.get("host").and_then(|host| self.resources.get(host)) else {
            return labels.clone();
        };
        let extra = [
            ("class", &resource.class),
            ("zone", &resource.zone),
            ("service", &resource.service),
            ("parent", &resource.parent),
        ];
        let added = extra.into_iter().filter_map(|(name, value)| value.as_deref().map(|value| (name, value)));
        Labels::new(added.chain(labels.iter()))
    }

    /// All that the inventory says of the host of `labels`: what [`Inventory::join`] adds, and `kind`, `owner` and
    /// `contracted`, which are about contracts and people rather than about samples.
    pub fn describe(&self, labels: &Labels) -> Labels {
        let joined = self.join(labels);
        let Some(resource) = labels.get("host").and_then(|host| self.resources.get(host)) else { return joined };
        let contracted = if resource.contracted { "true" } else { "false" };
        let more = [("kind", resource.kind.as_str()), ("contracted", contracted)];
        let owner = resource.owner.as_deref().map(|owner| ("owner", owner));
        Labels::new(more.into_iter().chain(owner).chain(joined.iter()))
    }
}
