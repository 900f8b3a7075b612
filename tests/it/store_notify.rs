//! Hand-over ③: a page has one holder at a time, and the leader hears of everything that becomes of it.

use bongsu::model::*;
use bongsu::store::{About, StoreError};

use crate::store_suite::*;

over_all!(
    what_is_wanted_first_is_claimed_first_and_of_that_the_worst,
    a_page_that_is_late_is_never_passed_by_newer_ones,
    only_what_is_due_and_not_too_late_is_claimed,
    a_severity_can_be_asked_for,
    two_claimers_never_get_the_same_page,
    a_claim_tells_the_leader,
    each_hand_over_leaves_its_stamp,
    a_lease_that_ended_is_in_doubt,
    the_old_holder_of_a_lease_is_refused,
    an_outcome_is_written_once,
    a_page_sent_again_says_so_to_whoever_has_it_next,
    a_page_given_back_is_due_later,
    doubt_survives_being_given_back,
    a_page_that_waited_too_long_fails,
    a_renewed_lease_is_not_reclaimed,
    a_receipt_settles_an_accepted_page_once_and_tells_the_leader,
    a_receipt_is_only_for_what_was_handed_over,
    a_page_that_is_on_the_phone_before_its_sender_says_so_is_not_sent_again,
    what_waits_moves_with_the_wall_clock,
    a_clock_that_goes_back_holds_nothing_up,
);

fn three() -> Vec<Page> {
    vec![
        Page { wanted: 36, ..page("late", "INC-2611-001", Severity::S2, 90) },
        Page { wanted: 35, ..page("soon", "INC-2611-001", Severity::S3, 40) },
        Page { wanted: 34, ..page("worst", "INC-2611-001", Severity::S1, 95) },
    ]
}

fn ids(leases: &[Lease]) -> Vec<&str> {
    leases.iter().map(|lease| lease.page.id.as_str()).collect()
}

fn what_is_wanted_first_is_claimed_first_and_of_that_the_worst(home: &dyn Home) {
    let of = |id: &str, severity, wanted| Page { wanted, ..page(id, "INC-2611-001", severity, 95) };
    let pages = vec![
        of("c", Severity::S1, 70),
        of("b", Severity::S3, 50),
        of("a", Severity::S2, 50),
        of("d", Severity::S2, 50),
        of("e", Severity::S4, 20),
    ];
    let (store, _) = outbox(home, pages);
    assert_eq!(ids(&store.claim("w", None, 9, 30, 50).unwrap()), ["e", "a", "d", "b", "c"]);
    assert_eq!(ids(&store.reclaim("w", 9, 50, 80).unwrap()), ["e", "a", "d", "b", "c"]);
    let (store, _) = outbox(home, three());
    assert_eq!(ids(&store.claim("w", None, 2, 20, 50).unwrap()), ["worst", "soon"]);
    assert_eq!(ids(&store.claim("w", None, 2, 20, 50).unwrap()), ["late"]);
    assert_eq!(store.claim("w", None, 2, 20, 50).unwrap(), []);
}

fn a_page_that_is_late_is_never_passed_by_newer_ones(home: &dyn Home) {
    let old = Page { wanted: 40, ..page("old", "INC-2611-001", Severity::S3, 9_999) };
    let newer = (0..30).map(|n| Page { wanted: 41 + n, ..page(&format!("n{n}"), "INC-2611-001", Severity::S1, 9_999) });
    let (store, _) = outbox(home, newer.chain([old]).collect());
    assert_eq!(ids(&store.claim("w", None, 1, 500, 600).unwrap()), ["old"]);
}

fn only_what_is_due_and_not_too_late_is_claimed(home: &dyn Home) {
    let (store, _) = outbox(home, three());
    assert_eq!(store.claim("w", None, 9, 9, 50).unwrap(), [], "due at 10");
    assert_eq!(ids(&store.claim("w", None, 9, 41, 80).unwrap()), ["worst", "late"], "`soon` was useless after 40");
    let (store, _) = outbox(home, vec![page("edge", "INC-2611-002", Severity::S1, 60)]);
    assert_eq!(ids(&store.claim("w", None, 9, 60, 80).unwrap()), ["edge"]);
}

fn a_severity_can_be_asked_for(home: &dyn Home) {
    let (store, _) = outbox(home, three());
    assert_eq!(ids(&store.claim("w", Some(Severity::S3), 9, 20, 50).unwrap()), ["soon"]);
    assert_eq!(store.claim("w", Some(Severity::S4), 9, 20, 50).unwrap(), []);
}

fn two_claimers_never_get_the_same_page(home: &dyn Home) {
    let pages = (0..60).map(|n| page(&format!("p{n}"), "INC-2611-001", Severity::S2, 90)).collect();
    let (first, _) = outbox(home, pages);
    let second = home.open();
    let claim_all = |store: &dyn bongsu::store::Store, worker: &str| {
        let mut mine = Vec::new();
        loop {
            let leases = store.claim(worker, None, 3, 20, 50).unwrap();
            if leases.is_empty() {
                return mine;
            }
            mine.extend(leases.into_iter().map(|lease| lease.page.id));
        }
    };
    let mut all = std::thread::scope(|scope| {
        let other = scope.spawn(|| claim_all(&*second, "b"));
        let mut mine = claim_all(&*first, "a");
        mine.append(&mut other.join().unwrap());
        mine
    });
    assert_eq!(all.len(), 60);
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 60);
}

fn a_claim_tells_the_leader(home: &dyn Home) {
    let (store, _) = outbox(home, three());
    let lease = store.claim("w", None, 1, 20, 50).unwrap().remove(0);
    let wanted = Lease {
        page: three().remove(2),
        worker: "w".to_owned(),
        epoch: 1,
        until: 50,
        unknown_before: false,
        resent: false,
        sending: Sending { queued: Some(QUEUED), ..Sending::default() },
    };
    assert_eq!(lease, wanted);
    let inputs = store.inputs(&[], 9).unwrap();
    assert_eq!(inputs.len(), 1);
    assert_eq!(inputs[0].input, Input::Handed { page: "worst".to_owned() });
    let row = store.pages(None, 9).unwrap().into_iter().find(|row| row.page.id == "worst").unwrap();
    assert_eq!((row.state, row.handed, row.done, row.tries), (PageState::Handed, Some(20), None, 1));
}

fn a_lease_that_ended_is_in_doubt(home: &dyn Home) {
    let (store, _) = outbox(home, three());
    store.claim("dead", None, 2, 20, 50).unwrap();
    assert_eq!(store.reclaim("w", 9, 49, 80).unwrap(), []);
    let again = store.reclaim("w", 1, 50, 80).unwrap();
    assert_eq!(ids(&again), ["worst"]);
    assert_eq!((again[0].epoch, again[0].until, again[0].unknown_before), (2, 80, true));
    assert_eq!(ids(&store.reclaim("w", 9, 50, 80).unwrap()), ["soon"]);
    assert_eq!(store.inputs(&[], 9).unwrap().len(), 2, "being told is told once");
    assert_eq!(store.pages(None, 9).unwrap().iter().map(|row| row.tries).sum::<i64>(), 4);
}

fn the_old_holder_of_a_lease_is_refused(home: &dyn Home) {
    let (store, _) = outbox(home, vec![page("p", "INC-2611-001", Severity::S1, 95)]);
    let old = store.claim("w", None, 1, 20, 50).unwrap().remove(0);
    // The same worker name: only the epoch tells the two apart.
    let new = store.reclaim("w", 1, 50, 80).unwrap().remove(0);
    let accepted = Outcome::Accepted { id: "1".to_owned() };
    assert!(!store.renew(&old, 99).unwrap());
    assert!(!store.outcome(&old, &accepted, 60).unwrap());
    assert!(!store.outcome(&old, &Outcome::Resent, 60).unwrap());
    assert!(!store.give_back(&old, "rate", 60).unwrap());
    assert!(!store.renew(&Lease { worker: "other".to_owned(), ..new.clone() }, 99).unwrap());
    assert_eq!(store.inputs(&[], 9).unwrap().len(), 1);
    assert!(store.outcome(&new, &accepted, 61).unwrap());
}

fn an_outcome_is_written_once(home: &dyn Home) {
    let outcomes = [
        (Outcome::Accepted { id: "gw-7".to_owned() }, PageState::Accepted, "gw-7"),
        (Outcome::Failed { reason: "recipient".to_owned() }, PageState::Failed, "recipient"),
        (Outcome::Unknown { reason: "timeout".to_owned() }, PageState::Unknown, "timeout"),
    ];
    let pages = (0..3).map(|n| page(&format!("p{n}"), "INC-2611-001", Severity::S1, 95)).collect();
    let (store, _) = outbox(home, pages);
    let leases = store.claim("w", None, 9, 20, 50).unwrap();
    for (lease, (outcome, state, detail)) in leases.iter().zip(&outcomes) {
        assert!(store.outcome(lease, outcome, 30).unwrap());
        assert!(!store.outcome(lease, outcome, 31).unwrap());
        assert!(!store.renew(lease, 90).unwrap());
        let row = store.pages(None, 9).unwrap().into_iter().find(|row| row.page.id == lease.page.id).unwrap();
        assert_eq!((row.state, row.detail.as_str(), row.done), (*state, *detail, Some(30)));
    }
    let told: Vec<Input> = store.inputs(&[], 99).unwrap().into_iter().skip(3).map(|taken| taken.input).collect();
    let wanted = leases.iter().zip(outcomes).map(|(lease, (outcome, ..))| Input::Outcome {
        page: lease.page.id.clone(),
        outcome,
        at: Some(30),
    });
    assert_eq!(told, wanted.collect::<Vec<_>>());
    assert_eq!(store.reclaim("w", 9, 500, 600).unwrap(), []);
}

fn each_hand_over_leaves_its_stamp(home: &dyn Home) {
    let pages = ["a", "b", "c", "d"].map(|id| page(id, "INC-2611-001", Severity::S1, 95)).to_vec();
    let (store, _) = outbox(home, pages);
    let stamps = |id: &str| {
        let rows = store.pages(None, 9).unwrap();
        let sending = rows.into_iter().find(|row| row.page.id == id).unwrap().sending;
        [sending.queued, sending.submitted, sending.accepted, sending.delivered]
    };
    assert_eq!(stamps("a"), [Some(QUEUED), None, None, None]);
    let leases = store.claim("w", None, 9, 20, 50).unwrap();
    let accepted = Outcome::Accepted { id: "gw".to_owned() };
    let delivered = Outcome::Delivered { id: "gw".to_owned() };
    assert!(store.submit(&leases[0], 21, 51).unwrap());
    assert!(store.give_back(&leases[0], "rate", 24).unwrap());
    assert!(!store.submit(&leases[0], 22, 52).unwrap(), "it is not ours any more");
    assert_eq!(stamps("a"), [Some(QUEUED), None, None, None], "it came back: no gateway has it");
    let again = store.claim("w", None, 1, 25, 50).unwrap().remove(0);
    assert!(store.submit(&again, 26, 90).unwrap());
    assert_eq!(store.reclaim("other", 9, 60, 99).unwrap().len(), 3, "its lease was extended");
    assert!(store.outcome(&again, &accepted, 29).unwrap());
    assert_eq!(stamps("a"), [Some(QUEUED), Some(26), Some(29), None], "of several tries the last");
    let row = store.receipt(&About::Page("a"), &delivered, 44).unwrap().unwrap();
    assert_eq!((row.sending.accepted, row.sending.delivered), (Some(29), Some(44)));
    assert_eq!(stamps("a"), [Some(QUEUED), Some(26), Some(29), Some(44)]);
    // Nobody knew of it, and then it is on the phone: it was taken by then.
    let again = store.reclaim("w", 9, 99, 120).unwrap();
    let unknown = Outcome::Unknown { reason: "lost".to_owned() };
    assert!(store.outcome(&again[0], &unknown, 100).unwrap());
    assert_eq!(stamps("b"), [Some(QUEUED), None, None, None]);
    assert!(store.receipt(&About::Page("b"), &delivered, 105).unwrap().is_some());
    assert_eq!(stamps("b"), [Some(QUEUED), None, Some(105), Some(105)]);
    let failed = Outcome::Failed { reason: "recipient".to_owned() };
    assert!(store.outcome(&again[1], &failed, 101).unwrap());
    assert_eq!(stamps("c"), [Some(QUEUED), None, None, None], "a no is no stamp");
}

fn a_page_sent_again_says_so_to_whoever_has_it_next(home: &dyn Home) {
    let (store, _) = outbox(home, vec![page("p", "INC-2611-001", Severity::S1, 95)]);
    store.claim("dead", None, 1, 20, 50).unwrap();
    let second = store.reclaim("also-dead", 1, 50, 60).unwrap().remove(0);
    assert!(!second.resent);
    assert!(store.submit(&second, 50, 60).unwrap());
    assert!(store.outcome(&second, &Outcome::Resent, 51).unwrap());
    assert!(store.renew(&second, 62).unwrap(), "it keeps the lease");
    let third = store.reclaim("w", 1, 70, 90).unwrap().remove(0);
    assert!(third.resent && third.unknown_before);
    assert_eq!(third.sending.submitted, None, "no gateway was given it again");
    let last = store.inputs(&[], 9).unwrap().pop().unwrap();
    assert_eq!(last.input, Input::Outcome { page: "p".to_owned(), outcome: Outcome::Resent, at: Some(51) });
}

fn a_page_given_back_is_due_later(home: &dyn Home) {
    let (store, _) = outbox(home, vec![page("p", "INC-2611-001", Severity::S1, 95)]);
    let lease = store.claim("w", None, 1, 20, 50).unwrap().remove(0);
    assert!(store.give_back(&lease, "rate", 40).unwrap());
    assert!(!store.give_back(&lease, "rate", 41).unwrap());
    let row = store.pages(None, 1).unwrap().remove(0);
    assert_eq!((row.state, row.detail.as_str(), row.handed), (PageState::Waiting, "rate", Some(20)));
    assert_eq!(store.claim("w", None, 1, 39, 60).unwrap(), []);
    let again = store.claim("w", None, 1, 40, 60).unwrap().remove(0);
    assert_eq!((again.epoch, again.unknown_before), (2, false), "it was certainly not sent");
    assert_eq!(again.page, lease.page);
    assert_eq!(store.pages(None, 1).unwrap()[0].handed, Some(20), "when it was first leased");
}

fn doubt_survives_being_given_back(home: &dyn Home) {
    let (store, _) = outbox(home, vec![page("p", "INC-2611-001", Severity::S1, 95)]);
    store.claim("dead", None, 1, 20, 50).unwrap();
    let doubted = store.reclaim("w", 1, 50, 60).unwrap().remove(0);
    assert!(store.give_back(&doubted, "server", 70).unwrap());
    assert!(store.claim("w", None, 1, 70, 90).unwrap()[0].unknown_before);
}

fn a_page_that_waited_too_long_fails(home: &dyn Home) {
    let (store, _) = outbox(home, three());
    assert_eq!(store.expire(40).unwrap(), 0, "at its deadline it may still be sent");
    store.claim("w", Some(Severity::S1), 1, 20, 500).unwrap();
    assert_eq!(store.expire(200).unwrap(), 2, "what was handed over is the sender's");
    assert_eq!(store.expire(200).unwrap(), 0);
    let told: Vec<Input> = store.inputs(&[], 9).unwrap().into_iter().skip(1).map(|taken| taken.input).collect();
    let failed = |id: &str| Input::Outcome {
        page: id.to_owned(),
        outcome: Outcome::Failed { reason: "expired".to_owned() },
        at: Some(200),
    };
    assert_eq!(told, [failed("soon"), failed("late")]);
    let row = store.pages(None, 9).unwrap().into_iter().find(|row| row.page.id == "soon").unwrap();
    assert_eq!((row.state, row.detail.as_str(), row.done), (PageState::Failed, "expired", Some(200)));
}

fn a_renewed_lease_is_not_reclaimed(home: &dyn Home) {
    let (store, _) = outbox(home, vec![page("p", "INC-2611-001", Severity::S1, 95)]);
    let lease = store.claim("w", None, 1, 20, 50).unwrap().remove(0);
    assert!(store.renew(&lease, 80).unwrap());
    assert_eq!(store.reclaim("b", 1, 79, 99).unwrap(), []);
    assert_eq!(store.reclaim("b", 1, 80, 99).unwrap().len(), 1);
}

fn a_receipt_settles_an_accepted_page_once_and_tells_the_leader(home: &dyn Home) {
    let (store, _) = outbox(home, three());
    let leases = store.claim("w", None, 9, 20, 50).unwrap();
    for (lease, id) in leases.iter().zip(["a/1", "a/2", "a/3"]) {
        assert!(store.outcome(lease, &Outcome::Accepted { id: id.to_owned() }, 21).unwrap());
    }
    let ids = |rows: Vec<PageRow>| rows.into_iter().map(|row| row.page.id).collect::<Vec<_>>();
    assert_eq!(store.accepted(0, 9).unwrap().len(), 3);
    assert_eq!(store.accepted(1_000, 9).unwrap(), [], "decided before");
    let before = store.inputs(&[], 99).unwrap().len();
    let first = leases[0].page.id.as_str();
    let delivered = Outcome::Delivered { id: "a/1".to_owned() };
    let failed = Outcome::Failed { reason: "recipient".to_owned() };
    assert!(store.receipt(&About::Page(first), &delivered, 30).unwrap().is_some());
    assert!(store.receipt(&About::Page(first), &delivered, 31).unwrap().is_none(), "twice");
    assert!(store.receipt(&About::Page(first), &failed, 31).unwrap().is_none(), "settled is settled");
    assert!(store.receipt(&About::Detail("a/2"), &failed, 32).unwrap().is_some());
    assert!(store.receipt(&About::Detail("a/9"), &failed, 32).unwrap().is_none(), "nobody's");
    let inputs: Vec<Input> = store.inputs(&[], 99).unwrap().into_iter().skip(before).map(|taken| taken.input).collect();
    let second = leases[1].page.id.clone();
    let expected = [
        Input::Outcome { page: first.to_owned(), outcome: delivered, at: Some(30) },
        Input::Outcome { page: second.clone(), outcome: failed, at: Some(32) },
    ];
    assert_eq!(inputs, expected);
    assert_eq!(ids(store.accepted(0, 9).unwrap()), [leases[2].page.id.clone()]);
    let rows = store.pages(None, 9).unwrap();
    let state = |id: &str| rows.iter().find(|row| row.page.id == id).map(|row| (row.state, row.detail.as_str()));
    assert_eq!(state(first), Some((PageState::Delivered, "a/1")));
    assert_eq!(state(&second), Some((PageState::Failed, "recipient")));
}

fn a_page_that_is_on_the_phone_before_its_sender_says_so_is_not_sent_again(home: &dyn Home) {
    let pages = ["p", "q"].map(|id| page(id, "INC-2611-001", Severity::S1, 95)).to_vec();
    let (store, _) = outbox(home, pages);
    let leases = store.claim("w", None, 2, 20, 50).unwrap();
    let delivered = Outcome::Delivered { id: "gw".to_owned() };
    let failed = Outcome::Failed { reason: "recipient".to_owned() };
    assert_eq!(store.receipt(&About::Page("p"), &delivered, 21).unwrap(), None, "no gateway was given it");
    for lease in &leases {
        assert!(store.submit(lease, 22, 50).unwrap());
    }
    let early = store.receipt(&About::Page("q"), &failed, 23);
    assert!(
        matches!(early, Err(StoreError::Unavailable { .. })),
        "its sender may be trying another gateway: {early:?}"
    );
    let row = store.receipt(&About::Page("p"), &delivered, 24).unwrap().unwrap();
    assert_eq!((row.state, row.sending.accepted, row.sending.delivered), (PageState::Delivered, Some(24), Some(24)));
    assert_eq!(store.receipt(&About::Page("p"), &delivered, 25).unwrap(), None, "once");
    let accepted = Outcome::Accepted { id: "gw".to_owned() };
    let own: Vec<bool> = leases.iter().map(|lease| store.outcome(lease, &accepted, 26).unwrap()).collect();
    assert_eq!(
        own,
        leases.iter().map(|lease| lease.page.id == "q").collect::<Vec<_>>(),
        "what its sender says is no news"
    );
    assert_eq!(store.reclaim("other", 9, 500, 600).unwrap(), []);
    assert!(store.receipt(&About::Page("q"), &failed, 27).unwrap().is_some(), "posted again");
    let last = store.inputs(&[], 99).unwrap().into_iter().filter_map(|taken| match taken.input {
        Input::Outcome { page, outcome, .. } if page == "p" => Some(outcome),
        _ => None,
    });
    assert_eq!(last.collect::<Vec<_>>(), [delivered]);
}

fn a_receipt_is_only_for_what_was_handed_over(home: &dyn Home) {
    let (store, _) = outbox(home, three());
    let delivered = Outcome::Delivered { id: String::new() };
    assert!(store.receipt(&About::Page("worst"), &delivered, 20).unwrap().is_none(), "it waits");
    let lease = store.claim("w", None, 1, 20, 50).unwrap().pop().unwrap();
    assert!(store.receipt(&About::Page("worst"), &delivered, 21).unwrap().is_none(), "its sender has it");
    assert!(store.outcome(&lease, &Outcome::Unknown { reason: "lost".to_owned() }, 22).unwrap());
    assert!(
        store.receipt(&About::Page("worst"), &delivered, 23).unwrap().is_some(),
        "nobody knew, and now somebody does"
    );
}

fn what_waits_moves_with_the_wall_clock(home: &dyn Home) {
    const HOUR: i64 = 3_600_000;
    let set = |by: i64, now: i64| BookCommit { clock: Some(ClockStep { by, now }), ..BookCommit::default() };
    let pages = || ["waits", "leased", "again"].map(|id| page(id, "INC-2611-001", Severity::S2, HOUR + 90)).to_vec();

    // Forwards: nothing is late that was not, and nobody else's lease has ended.
    let (store, mut leader) = outbox(home, pages());
    let leased = store.claim("w", None, 1, 20, HOUR).unwrap().remove(0);
    assert_eq!(leader.commit(&*store, set(2 * HOUR, 2 * HOUR + 30)), Committed::Done);
    let now = 2 * HOUR + 31;
    assert_eq!(store.expire(now).unwrap(), 0);
    assert_eq!(store.reclaim("x", 9, now, now + HOUR).unwrap(), []);
    assert_eq!(store.reclaim("x", 9, 3 * HOUR, 4 * HOUR).unwrap().len(), 1, "it ends as far away as before");
    let found = store.claim("x", None, 9, now, now + HOUR).unwrap();
    assert_eq!(found.iter().map(|lease| lease.page.deadline).collect::<Vec<_>>(), [3 * HOUR + 90; 2]);
    assert!(!store.renew(&leased, 5 * HOUR).unwrap());
    assert_eq!(store.pages(None, 9).unwrap().iter().filter(|row| row.page.deadline == HOUR + 90).count(), 3);
}

fn a_clock_that_goes_back_holds_nothing_up(home: &dyn Home) {
    const HOUR: i64 = 3_600_000;
    let pages = ["a", "b"].map(|id| page(id, "INC-2611-001", Severity::S2, 4 * HOUR)).to_vec();
    let (store, mut leader) = outbox(home, pages);
    let mut leases = store.claim("w", None, 2, 2 * HOUR, 2 * HOUR + LEASE).unwrap();
    let back = leases.pop().unwrap();
    assert!(store.give_back(&back, "server", 2 * HOUR + 5_000).unwrap());
    let clock = Some(ClockStep { by: -HOUR, now: HOUR });
    assert_eq!(leader.commit(&*store, BookCommit { clock, ..BookCommit::default() }), Committed::Done);
    assert_eq!(store.claim("x", None, 9, HOUR + 4_999, 2 * HOUR).unwrap(), []);
    let again = store.claim("x", None, 9, HOUR + 5_000, HOUR + 5_000 + LEASE).unwrap();
    assert_eq!((ids(&again), again[0].page.deadline), (vec![back.page.id.as_str()], 3 * HOUR), "five seconds later");
    assert_eq!(store.reclaim("x", 9, HOUR + LEASE - 1, 2 * HOUR).unwrap(), []);
    assert_eq!(ids(&store.reclaim("x", 9, HOUR + LEASE, 2 * HOUR).unwrap()), [leases[0].page.id.as_str()]);
}
