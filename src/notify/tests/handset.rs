//! The handset against a real folder.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::world::{NOW, page};
use crate::model::Page;
use crate::notify::{Address, Gateway, Handset, LookedUp, Refusal, Sent};
use crate::time::ManualClock;

fn open(folder: &Path) -> Handset {
    Handset::open(folder, Arc::new(ManualClock::at(NOW))).unwrap()
}

fn address() -> Address {
    Address("010-0000-0001".to_owned())
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_page_is_one_file_with_its_text_and_a_masked_phone() {
    let folder = tempfile::tempdir().unwrap();
    let handset = open(folder.path());
    assert_eq!(handset.look_up(&page("p1")), Some(LookedUp::NotThere));
    assert_eq!(handset.send(&page("p1"), &address()), Sent::Accepted { id: "p1".to_owned() });
    assert_eq!(handset.look_up(&page("p1")), Some(LookedUp::Accepted { id: "p1".to_owned() }));
    assert_eq!(files(&folder.path().join("msp-duty-1")), ["p1.txt"]);
    let text = fs::read_to_string(folder.path().join("msp-duty-1/p1.txt")).unwrap();
    assert_eq!(
        text,
        "time: 2025-11-25T01:00:00+09:00\nchannel: SMS\nto: 010-****-0001\nbytes: 45\n\n\
         [장애발생]INC-2511-001 중대/인프라 01:00 감지\n"
    );
}

#[test]
fn a_page_sent_twice_is_still_one_file_with_the_first_text() {
    let folder = tempfile::tempdir().unwrap();
    let handset = open(folder.path());
    handset.send(&page("p1"), &address());
    let again = Page { text: "다른 글".to_owned(), ..page("p1") };
    assert_eq!(open(folder.path()).send(&again, &address()), Sent::Accepted { id: "p1".to_owned() });
    assert!(fs::read_to_string(folder.path().join("msp-duty-1/p1.txt")).unwrap().contains("INC-2511-001"));
    assert_eq!(files(&folder.path().join("msp-duty-1")), ["p1.txt"]);
}

#[test]
fn an_unfinished_file_of_a_killed_sender_is_no_page() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("msp-duty-1")).unwrap();
    fs::write(folder.path().join("msp-duty-1/p1.0.part"), "time: 20").unwrap();
    let handset = open(folder.path());
    assert!(files(&folder.path().join("msp-duty-1")).is_empty());
    assert_eq!(handset.look_up(&page("p1")), Some(LookedUp::NotThere));
    assert_eq!(handset.send(&page("p1"), &address()), Sent::Accepted { id: "p1".to_owned() });
}

#[test]
fn a_folder_that_cannot_be_written_refuses_for_now() {
    let folder = tempfile::tempdir().unwrap();
    let handset = open(folder.path());
    fs::write(folder.path().join("msp-duty-1"), "in the way").unwrap();
    let sent = handset.send(&page("p1"), &address());
    assert!(matches!(sent, Sent::Refused { reason: Refusal::Server, permanent: false, .. }), "{sent:?}");
}

#[test]
fn no_id_leaves_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("handset");
    let handset = open(&root);
    let sent = handset.send(&page("../../evil"), &address());
    assert!(matches!(sent, Sent::Refused { permanent: true, .. }));
    assert_eq!(handset.look_up(&page("../evil")), Some(LookedUp::NotThere));
    let to = Page { to: "../../evil".to_owned(), ..page("p1") };
    handset.send(&to, &address());
    assert_eq!(files(folder.path()), ["handset"]);
    assert_eq!(files(&root), ["%2E%2E%2F%2E%2E%2Fevil"]);
}

#[test]
fn of_many_senders_of_one_page_the_first_one_stays() {
    let folder = tempfile::tempdir().unwrap();
    let handset = open(folder.path());
    let read = |n: usize| fs::read_to_string(folder.path().join(format!("msp-duty-1/p{n}.txt"))).unwrap();
    let start = std::sync::Barrier::new(4);
    let send = |sender: usize| {
        start.wait();
        let one = |n: usize| {
            let text = format!("sender {sender}");
            handset.send(&Page { text, ..page(&format!("p{n}")) }, &address());
            read(n)
        };
        (0..20).map(one).collect::<Vec<_>>()
    };
    let seen: Vec<_> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..4)
            .map(|sender| {
                scope.spawn({
                    let send = &send;
                    move || send(sender)
                })
            })
            .collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert_eq!(files(&folder.path().join("msp-duty-1")).len(), 20);
    for pages in seen {
        for (n, text) in pages.into_iter().enumerate() {
            assert_eq!(text, read(n), "what was delivered is never replaced");
        }
    }
}
