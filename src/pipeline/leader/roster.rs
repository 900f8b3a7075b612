//! What the ledger says of a change of the contacts.

use super::stand::*;
use super::*;
use crate::model::*;
use crate::time::MINUTE;

fn reloads(stand: &Stand) -> Vec<Value> {
    let entries = stand.entries.iter().filter(|entry| entry.kind == "reload");
    entries.map(|entry| serde_json::from_str::<Value>(&entry.json).expect("it is JSON")["input"].clone()).collect()
}

/// The world of `stand` with other contacts.
fn world(stand: &Stand, hash: &str, edit: impl FnOnce(&mut Vec<Contact>)) -> Arc<World> {
    let mut people = (*stand.world.people).clone();
    edit(&mut people.contacts);
    let mut world = World::new(stand.world.rules.clone(), people, stand.world.inventory.clone());
    world.hash = hash.to_owned();
    Arc::new(world.sealed_by(&AckKey::new(Secret::new("key"))))
}

#[test]
fn a_change_of_the_contacts_stands_in_the_ledger_masked_also_where_a_restart_brought_it() {
    let mut stand = Stand::new();
    stand.world = world(&stand, "1", |_| {});
    stand.crash();
    stand.signal("cpu", "db-01", Some(Severity::S2));
    let other = world(&stand, "2", |contacts| contacts[0].phone = Some("010-0000-0009".to_owned()));
    stand.leader.reload(other.clone());
    stand.world = other;
    stand.signal("cpu", "db-02", Some(Severity::S2));
    assert_eq!(
        reloads(&stand).last().expect("a reload")["contacts"],
        json!(["변경 msp-duty-1: 전화 010-****-0001 → 010-****-0009"])
    );

    stand.world = world(&stand, "3", |contacts| contacts[0].phone = Some("010-1111-0009".to_owned()));
    stand.crash();
    stand.pass(MINUTE);
    stand.signal("cpu", "db-03", Some(Severity::S2));
    let last = reloads(&stand).pop().expect("a reload");
    assert_eq!(last["contacts"], json!(["변경 msp-duty-1: 전화 010-****-0009 (가린 부분이 바뀜)"]));

    stand.world = world(&stand, "4", |_| {});
    stand.crash();
    stand.signal("cpu", "db-04", Some(Severity::S2));
    assert_eq!(reloads(&stand).pop().expect("a reload").get("contacts"), None, "other files than the contacts changed");
    let written: String = stand.entries.iter().map(|entry| entry.json.clone()).collect();
    assert!(!written.contains("0000-0001") && !written.contains("1111"), "no number stands in the ledger");
}

#[test]
fn after_a_release_that_kept_no_contacts_the_first_change_is_known_too() {
    let mut stand = Stand::new();
    stand.world = world(&stand, "1", |_| {});
    stand.crash();
    stand.signal("cpu", "db-01", Some(Severity::S2));
    stand.rows.notes.retain(|(key, _)| key != ROSTER_NOTE);
    stand.crash();
    stand.signal("cpu", "db-02", Some(Severity::S2));
    stand.world = world(&stand, "2", |contacts| drop(contacts.remove(0)));
    stand.crash();
    stand.signal("cpu", "db-03", Some(Severity::S2));
    let last = reloads(&stand).pop().expect("a reload");
    assert!(last["contacts"][0].as_str().is_some_and(|line| line.starts_with("삭제 msp-duty-1")), "{last}");
}
