//! `inventory.yaml`: what is watched.
//!
//! The idea: it is a plain list; what counts is that an id stands once and that outward names may leave the house.

use std::collections::BTreeMap;

use super::guard::Guard;
use super::near::nearest;
use super::problem::{Mark, Notes};
use super::read::Obj;
use super::table::{Kind, Table, may, must, or};
use crate::model::{Inventory, Resource};

static RESOURCE: Table = Table {
    name: "resource",
    doc: "One thing that is watched.",
    keys: &[
        must("id", Kind::Id, "the `host` label of its records"),
        must("kind", Kind::Id, "vm, node, lb, …"),
        may("class", Kind::Label, "its class, for example db; joins samples as a label"),
        may("zone", Kind::Label, "zone; joins samples as a label"),
        may("parent", Kind::Label, "what it runs on; joins samples as a label"),
        may("service", Kind::Label, "the service it is part of; joins samples as a label"),
        may("alias", Kind::Text, "the outward name that messages may use"),
        may("owner", Kind::Label, "who owns it"),
        or("contracted", "false", Kind::Bool, "whether an SLA covers it"),
        may("members", Kind::List(&Kind::Label, 0), "what it balances over, for a pool: ids of resources"),
        may("depends_on", Kind::List(&Kind::Label, 0), "what it cannot work without: ids of resources"),
        may(
            "known_as",
            Kind::List(&Kind::Label, 0),
            "what telemetry calls it beside its id: URLs, endpoints, node names",
        ),
    ],
};

/// The keys of `inventory.yaml`.
pub(super) static INVENTORY: Table = Table {
    name: "inventory.yaml",
    doc: "What is watched.",
    keys: &[
        or("version", "1", Kind::Int(1, 1), "version of the format"),
        must("resources", RESOURCES, "the resources"),
    ],
};

/// A list of resources, for scenario files too.
pub(super) const RESOURCES: Kind = Kind::List(&Kind::Table(&RESOURCE), 0);

/// The inventory of a checked tree.
pub(super) fn inventory(file: Obj<'_>, notes: &mut Notes) -> Inventory {
    let guard = Guard::default();
    let mut resources: BTreeMap<String, (Resource, Mark)> = BTreeMap::new();
    for item in file.subs("resources") {
        let (Some(id), Some(kind)) = (item.owned("id"), item.owned("kind")) else { continue };
        if let Some((_, first)) = resources.get(&id) {
            let message = format!("resource `{id}` stands twice, first on line {}", first.line);
            notes.error("duplicate-id", item.at("id"), message, "keep one");
            continue;
        }
        for word in item.text("alias").map(|alias| guard.hits(alias)).unwrap_or_default() {
            let message = format!("`alias` goes into messages and holds {word}");
            notes.error("title-prohibited", item.at("alias"), message, "use an outward name such as 응용구간 서비스 A");
        }
        let resource = Resource {
            kind,
            class: item.owned("class"),
            zone: item.owned("zone"),
            parent: item.owned("parent"),
            service: item.owned("service"),
            alias: item.owned("alias"),
            owner: item.owned("owner"),
            contracted: item.flag("contracted"),
            members: item.texts("members"),
            depends_on: item.texts("depends_on"),
            known_as: item.texts("known_as"),
            id: id.clone(),
        };
        resources.insert(id, (resource, item.at("id")));
    }
    for item in file.subs("resources") {
        needs(item, &resources, notes);
    }
    Inventory { resources: resources.into_iter().map(|(id, (resource, _))| (id, resource)).collect() }
}

/// What a resource stands on must be there, and nothing may stand on itself.
fn needs(item: Obj<'_>, resources: &BTreeMap<String, (Resource, Mark)>, notes: &mut Notes) {
    let ids: Vec<&str> = resources.keys().map(String::as_str).collect();
    for (key, node) in
        ["members", "depends_on"].into_iter().flat_map(|key| item.list(key).iter().map(move |n| (key, n)))
    {
        let Some(id) = node.as_text().filter(|id| !resources.contains_key(*id)) else { continue };
        let help = match nearest(id, &ids) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name the id of a resource of this file".to_owned(),
        };
        notes.error("unknown-resource", node.at, format!("`{key}` names `{id}`, which is no resource"), help);
    }
    let (Some(id), mut above) = (item.text("id"), item.text("parent")) else { return };
    for _ in 0..=resources.len() {
        match above {
            Some(parent) if parent == id => {
                let message = format!("`{id}` runs on itself: its `parent` leads back to it");
                notes.error("parent-loop", item.at("parent"), message, "a parent is what the resource runs on");
                return;
            }
            Some(parent) => above = resources.get(parent).and_then(|(resource, _)| resource.parent.as_deref()),
            None => return,
        }
    }
}
