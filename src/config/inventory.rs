//! `inventory.yaml` and `calendar.yaml`: what is watched, and the days off that cannot be computed.
//!
//! The idea: both are plain lists; what counts is that an id or a day stands once.

use std::collections::BTreeMap;

use super::guard::Guard;
use super::problem::{Mark, Notes};
use super::read::Obj;
use super::table::{Kind, Table, may, must, or};
use crate::model::{Inventory, Resource};
use crate::time::{Civil, civil};

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

static HOLIDAY: Table = Table {
    name: "holiday",
    doc: "A day off that cannot be computed, or one that is none after all.",
    keys: &[
        must("date", Kind::Date, "the day"),
        must("name", Kind::Text, "its name"),
        or("off", "true", Kind::Bool, "false = a working day although it would be computed as a day off"),
        may("announced", Kind::Date, "when it was announced"),
    ],
};

/// The keys of `calendar.yaml`.
pub(super) static CALENDAR: Table = Table {
    name: "calendar.yaml",
    doc: "Days off that cannot be computed: 임시공휴일, 선거일.",
    keys: &[
        or("version", "1", Kind::Int(1, 1), "version of the format"),
        may("holidays", Kind::List(&Kind::Table(&HOLIDAY), 0), "the days"),
    ],
};

/// A day off, or one that is none after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holiday {
    /// Its name.
    pub name: String,
    /// Whether it is a day off.
    pub off: bool,
}

/// The override list of `calendar.yaml` by (year, month, day).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calendar {
    /// The days.
    pub holidays: BTreeMap<(i32, u8, u8), Holiday>,
}

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

/// The calendar of a checked tree.
pub(super) fn calendar(file: Obj<'_>, notes: &mut Notes) -> Calendar {
    let mut holidays = BTreeMap::new();
    for item in file.subs("holidays") {
        let (Some(at), Some(name)) = (item.date("date"), item.owned("name")) else { continue };
        let Civil { year, month, day, .. } = civil(at);
        if holidays.insert((year, month, day), Holiday { name, off: item.flag("off") }).is_some() {
            let message = format!("{year:04}-{month:02}-{day:02} stands twice");
            notes.error("duplicate-id", item.at("date"), message, "keep one");
        }
    }
    Calendar { holidays }
}
