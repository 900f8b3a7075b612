//! Exactly once, whatever dies when: a process that writes pages is killed again and again.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use bongsu::model::{Channel, Page, Reason, Severity};
use bongsu::notify::{Address, Gateway, Handset, LookedUp, Sent};
use bongsu::time::ManualClock;

const FOLDER: &str = "BONGSU_TEST_HANDSET";
const PAGES: usize = 300;
/// A child waits after so many pages: even one that is killed late leaves work for the next.
const PER_CHILD: usize = 30;

fn page(n: usize) -> Page {
    Page {
        id: format!("p{n}"),
        incident: "INC-2511-001".to_owned(),
        severity: Severity::S1,
        reason: Reason::First,
        step: 0,
        round: 0,
        occurrence: 1,
        to: format!("duty-{}", n % 3),
        channel: Channel::Sms,
        title: String::new(),
        text: "가".repeat(40),
        decided: 0,
        due: 0,
        wanted: 1,
        deadline: 1,
        came: None,
        prompt: false,
    }
}

fn send_all(folder: &Path, mut sent: impl FnMut(usize)) {
    let handset = Handset::open(folder, Arc::new(ManualClock::at(0))).unwrap();
    for n in 0..PAGES {
        if handset.look_up(&page(n)) == Some(LookedUp::NotThere) {
            let answer = handset.send(&page(n), &Address("010-0000-0001".to_owned()));
            assert_eq!(answer, Sent::Accepted { id: format!("p{n}") });
            sent(n);
        }
    }
}

/// The process that is killed: only runs where the other test starts it.
#[test]
#[ignore = "the child of the test below"]
fn child() {
    let folder = std::env::var_os(FOLDER).expect("the parent sets it");
    let mut count = 0;
    send_all(Path::new(&folder), |n| {
        writeln!(std::io::stdout(), "sent {n}").unwrap();
        std::io::stdout().flush().unwrap();
        count += 1;
        if count == PER_CHILD {
            // Nobody ever writes there: it waits to be killed.
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
    });
}

#[test]
fn a_killed_sender_loses_nothing_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut told = BTreeSet::new();
    for kill_after in [1, 2, 5, 11, 17, 23, 29, 30] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "notify_handset::child", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let mut count = 0;
        for n in lines.filter_map(|line| line.split_once("sent ").and_then(|(_, n)| n.parse::<usize>().ok())) {
            assert!(told.insert(n), "page {n} was sent twice");
            count += 1;
            if count == kill_after {
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success(), "it was killed");
    }
    assert!(told.len() < PAGES, "the kills came in the middle of the work");
    let mut late = 0;
    send_all(folder.path(), |n| {
        assert!(told.insert(n), "page {n} was sent twice");
        late += 1;
    });
    assert!(late > 0);
    let mut names = BTreeSet::new();
    for contact in fs::read_dir(folder.path()).unwrap() {
        for file in fs::read_dir(contact.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            assert_eq!(path.extension(), Some(OsStr::new("txt")), "{}", path.display());
            assert!(fs::read_to_string(&path).unwrap().ends_with(&format!("\n{}\n", "가".repeat(40))), "whole");
            assert!(names.insert(path.file_stem().unwrap().to_owned()), "one file per page");
        }
    }
    assert_eq!(names.len(), PAGES);
}
