//! `inventory.yaml`: what is watched.
//!
//! The idea: it is a plain list; what counts is that an id stands once and that outward names may leave the house.

use std::collections::BTreeMap;

use super::guard::Guard;
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
            id: id.clone(),
        };
        resources.insert(id, (resource, item.at("id")));
    }
    Inventory { resources: resources.into_iter().map(|(id, (resource, _))| (id, resource)).collect() }
}
