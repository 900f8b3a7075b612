//! The JSON Schemas and key references of all edited files, by file.
//!
//! The idea: both are drawn from the reader's own tables; `configs/.schema/` holds what [`SCHEMAS`] gives, and a test
//! compares the two.

use super::calendar::CALENDAR;
use super::chain::CHAINS;
use super::inventory::INVENTORY;
use super::people::CONTACTS;
use super::rules::FILE;
use super::settings::SETTINGS;
use super::table::{self, Table};

/// Makes the text of a schema file.
pub type Draw = fn() -> String;

/// Name of each schema file and how to make its text.
pub const SCHEMAS: [(&str, Draw); 6] = [
    ("bongsu.schema.json", || text(&SETTINGS)),
    ("rules.schema.json", || text(&FILE)),
    ("contacts.schema.json", || text(&CONTACTS)),
    ("chains.schema.json", || text(&CHAINS)),
    ("inventory.schema.json", || text(&INVENTORY)),
    ("calendar.schema.json", || text(&CALENDAR)),
];

fn text(table: &Table) -> String {
    let mut text = serde_json::to_string_pretty(&table::schema(table)).expect("text and numbers always serialise");
    text.push('\n');
    text
}

/// Every key of every edited file, for `--help`.
pub fn key_reference() -> String {
    let tables = [&SETTINGS, &FILE, &CONTACTS, &CHAINS, &INVENTORY, &CALENDAR];
    tables.map(table::reference).join("\n")
}

#[cfg(test)]
mod tests;
