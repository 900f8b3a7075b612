//! Hand-over ②: a flush is all or nothing, fenced by epoch and offset, and its signals have no gap.

use bongsu::model::*;

use crate::store_suite::*;

over_all!(
    a_partition_starts_empty,
    a_flush_is_found_again,
    a_new_owner_fences_the_old_one,
    one_fenced_part_keeps_the_whole_flush_out,
    a_flush_repeated_after_a_lost_answer_is_fenced_and_settled,
    a_gap_in_seq_is_refused,
    rows_are_put_and_removed,
    a_key_that_moved_is_not_removed_by_its_old_partition,
    topics_do_not_share_rows,
    healthy_rows_are_not_shown,
    the_wide_partition_is_like_any_other,
    a_flush_of_the_largest_size_is_written,
    an_empty_flush_is_done,
    lists_are_ordered_by_bytes,
);

fn a_partition_starts_empty(home: &dyn Home) {
    let store = home.open();
    assert_eq!(store.progress(TOPIC, 0).unwrap(), None);
    let owned = store.own(TOPIC, 0, "a").unwrap();
    assert_eq!(owned, Owned { epoch: 1, progress: None, rows: Vec::new() });
    assert_eq!(store.progress(TOPIC, 0).unwrap(), Some((1, Progress::default())));
}

fn a_flush_is_found_again(home: &dyn Home) {
    let store = home.open();
    let owner = Owner::take(&*store, 0);
    let mut part = owner.part(vec![put(2, 5), put(1, 5)], &[1, 2]);
    part.progress.cursor = Some(Cursor { tick: 1_000, fingerprint: Fingerprint(u128::MAX) });
    part.progress.rules = "hash".to_owned();
    part.progress.caught_up = true;
    part.progress.segment = 4;
    assert_eq!(store.flush(&flush(vec![part.clone()])).unwrap(), Flushed::Done);
    drop(store);

    let store = home.open();
    assert_eq!(store.progress(TOPIC, 0).unwrap(), Some((1, part.progress.clone())));
    assert_eq!(store.partitions().unwrap(), vec![(TOPIC.to_owned(), 0, part.progress.clone())]);
    let owned = store.own(TOPIC, 0, "b").unwrap();
    // Whether all of the log was read is for the new owner to say.
    assert_eq!((owned.epoch, owned.progress), (2, Some(Progress { caught_up: false, ..part.progress })));
    let mut rows = vec![state(1, 5), state(2, 5)];
    rows.sort_by_key(|row| row.fingerprint);
    assert_eq!(owned.rows, rows);
    assert_eq!(store.signals(TOPIC, 0, 0, 10).unwrap(), part.signals);
    assert_eq!(store.signals(TOPIC, 0, 1, 10).unwrap(), part.signals[1..]);
    assert_eq!(store.signals(TOPIC, 0, 0, 1).unwrap(), part.signals[..1]);
}

fn a_new_owner_fences_the_old_one(home: &dyn Home) {
    let store = home.open();
    let mut old = Owner::take(&*store, 0);
    assert_eq!(old.flush(&*store, vec![put(1, 1)], &[1]), Flushed::Done);
    let mut new = Owner::take(&*home.open(), 0);
    assert_eq!(old.flush(&*store, vec![put(2, 2)], &[2]), Flushed::Fenced(vec![0]));
    assert_eq!(store.signals(TOPIC, 0, 0, 9).unwrap().len(), 1, "the zombie wrote");
    assert_eq!(store.states(9).unwrap().len(), 1, "the zombie wrote");
    assert_eq!(new.flush(&*store, vec![put(2, 2)], &[2]), Flushed::Done);
    assert_eq!(store.signals(TOPIC, 0, 0, 9).unwrap().len(), 2);
}

fn one_fenced_part_keeps_the_whole_flush_out(home: &dyn Home) {
    let store = home.open();
    let owners: Vec<Owner> = (0..4).map(|partition| Owner::take(&*store, partition)).collect();
    let parts: Vec<PartFlush> =
        owners.iter().map(|owner| owner.part(vec![put(owner.partition.into(), 1)], &[1])).rev().collect();
    store.own(TOPIC, 1, "b").unwrap();
    store.own(TOPIC, 3, "b").unwrap();
    assert_eq!(store.flush(&flush(parts.clone())).unwrap(), Flushed::Fenced(vec![1, 3]));
    assert_eq!(store.states(9).unwrap(), []);
    assert_eq!(store.progress(TOPIC, 0).unwrap().unwrap().1.offset, 0);
    let rest = parts.into_iter().filter(|part| part.partition % 2 == 0).collect();
    assert_eq!(store.flush(&flush(rest)).unwrap(), Flushed::Done);
    assert_eq!(store.states(9).unwrap().len(), 2);
    let never_owned = Owner { partition: 9, epoch: 1, progress: Progress::default() };
    assert_eq!(store.flush(&flush(vec![never_owned.part(vec![], &[])])).unwrap(), Flushed::Fenced(vec![9]));
}

fn a_flush_repeated_after_a_lost_answer_is_fenced_and_settled(home: &dyn Home) {
    let store = home.open();
    let owner = Owner::take(&*store, 0);
    let part = owner.part(vec![put(1, 1)], &[1]);
    assert_eq!(store.flush(&flush(vec![part.clone()])).unwrap(), Flushed::Done);
    assert_eq!(store.flush(&flush(vec![part.clone()])).unwrap(), Flushed::Fenced(vec![0]));
    // Its own epoch and the offset it wanted: it was written, nobody took the partition.
    assert_eq!(store.progress(TOPIC, 0).unwrap(), Some((owner.epoch, part.progress)));
    assert_eq!(store.signals(TOPIC, 0, 0, 9).unwrap().len(), 1);
}

fn a_gap_in_seq_is_refused(home: &dyn Home) {
    let store = home.open();
    let mut owner = Owner::take(&*store, 0);
    assert_eq!(owner.flush(&*store, vec![], &[1, 2]), Flushed::Done);
    type Damage = fn(&mut PartFlush);
    let damages: [Damage; 5] = [
        |part| part.signals[0].0 += 1,
        |part| drop(part.signals.remove(0)),
        |part| part.signals.swap(0, 1),
        |part| part.progress.seq += 1,
        |part| part.progress.seq = i64::MIN,
    ];
    for (n, damage) in damages.into_iter().enumerate() {
        let mut part = owner.part(vec![put(1, 1)], &[3, 4]);
        damage(&mut part);
        assert!(is_corrupt(&store.flush(&flush(vec![part]))), "damage {n}");
        assert_eq!(store.progress(TOPIC, 0).unwrap().unwrap().1, owner.progress, "damage {n}");
        assert_eq!(store.states(9).unwrap(), [], "damage {n}");
    }
}

fn rows_are_put_and_removed(home: &dyn Home) {
    let store = home.open();
    let mut owner = Owner::take(&*store, 0);
    owner.flush(&*store, vec![put(1, 1), put(2, 1), put(3, 1)], &[]);
    let gone = RowChange::Remove(state(2, 0).fingerprint);
    let never_there = RowChange::Remove(Fingerprint(7));
    owner.flush(&*store, vec![put(1, 9), gone, never_there], &[]);
    let mut wanted = vec![state(1, 9), state(3, 1)];
    wanted.sort_by_key(|row| row.fingerprint);
    assert_eq!(store.own(TOPIC, 0, "b").unwrap().rows, wanted);
}

fn a_key_that_moved_is_not_removed_by_its_old_partition(home: &dyn Home) {
    let store = home.open();
    let (mut old, mut new) = (Owner::take(&*store, 0), Owner::take(&*store, 5));
    old.flush(&*store, vec![put(1, 1)], &[]);
    new.flush(&*store, vec![put(1, 2)], &[]);
    old.flush(&*store, vec![RowChange::Remove(state(1, 0).fingerprint)], &[]);
    assert_eq!(store.own(TOPIC, 0, "b").unwrap().rows, []);
    assert_eq!(store.own(TOPIC, 5, "b").unwrap().rows, [state(1, 2)]);
    // Both in one flush: the one that puts it has it.
    let (old, new) = (Owner::take(&*store, 0), Owner::take(&*store, 5));
    let remove = new.part(vec![RowChange::Remove(state(1, 0).fingerprint)], &[]);
    assert_eq!(store.flush(&flush(vec![remove, old.part(vec![put(1, 3)], &[])])).unwrap(), Flushed::Done);
    assert_eq!(store.own(TOPIC, 0, "b").unwrap().rows, [state(1, 3)]);
}

fn topics_do_not_share_rows(home: &dyn Home) {
    let store = home.open();
    for topic in ["a", "b"] {
        let epoch = store.own(topic, 0, "x").unwrap().epoch;
        let owner = Owner { partition: 0, epoch, progress: Progress::default() };
        let parts = vec![owner.part(vec![put(1, if topic == "a" { 1 } else { 2 })], &[1])];
        assert_eq!(store.flush(&Flush { topic: topic.to_owned(), parts }).unwrap(), Flushed::Done);
    }
    assert_eq!(store.own("a", 0, "y").unwrap().rows, [state(1, 1)]);
    assert_eq!(store.own("b", 0, "y").unwrap().rows, [state(1, 2)]);
    let inputs = store.inputs(&[], 9).unwrap();
    assert_eq!(inputs.len(), 2);
    assert!(inputs.iter().all(|taken| matches!(taken.input, Input::Signal { heard: 6, .. })), "{inputs:?}");
}

fn healthy_rows_are_not_shown(home: &dyn Home) {
    let store = home.open();
    let mut owner = Owner::take(&*store, 0);
    let silent = StateRow { state: State::Inactive, ..state(1, 1) };
    let unknown = StateRow { state: State::Inactive, unknown: Some(Cause::SeriesGone), ..state(2, 1) };
    let rows = [&silent, &unknown].map(|row| RowChange::Put(Box::new(row.clone())));
    owner.flush(&*store, rows.to_vec(), &[]);
    assert_eq!(store.states(9).unwrap(), [unknown]);
    assert_eq!(store.states(0).unwrap(), []);
    assert_eq!(store.own(TOPIC, 0, "b").unwrap().rows.len(), 2);
}

fn the_wide_partition_is_like_any_other(home: &dyn Home) {
    let store = home.open();
    let (mut wide, mut local) = (Owner::take(&*store, WIDE), Owner::take(&*store, 0));
    assert_eq!(wide.flush(&*store, vec![put(1, 1)], &[1]), Flushed::Done);
    assert_eq!(local.flush(&*store, vec![put(2, 1)], &[2]), Flushed::Done);
    assert_eq!(store.own(TOPIC, WIDE, "b").unwrap().rows, [state(1, 1)]);
    let inputs = store.inputs(&[], 9).unwrap();
    let partitions = inputs.iter().map(|taken| match &taken.input {
        Input::Signal { key, .. } => key.partition,
        other => panic!("{other:?}"),
    });
    assert_eq!(partitions.collect::<Vec<_>>(), [WIDE, 0]);
}

fn a_flush_of_the_largest_size_is_written(home: &dyn Home) {
    let store = home.open();
    let mut owner = Owner::take(&*store, 0);
    let hosts: Vec<i64> = (0..1_501).collect();
    assert_eq!(owner.flush(&*store, (0..5_000).map(|n| put(n, 1)).collect(), &hosts), Flushed::Done);
    let again = (0..5_000).map(|n| if n % 2 == 0 { RowChange::Remove(state(n, 0).fingerprint) } else { put(n, 2) });
    assert_eq!(owner.flush(&*store, again.collect(), &hosts), Flushed::Done);
    assert_eq!(store.states(9_999).unwrap().len(), 2_500);
    let seqs: Vec<i64> = store.signals(TOPIC, 0, 0, 9_999).unwrap().into_iter().map(|(seq, _)| seq).collect();
    assert_eq!(seqs, (1..=3_002).collect::<Vec<_>>());
}

fn an_empty_flush_is_done(home: &dyn Home) {
    assert_eq!(home.open().flush(&flush(Vec::new())).unwrap(), Flushed::Done);
}

/// Not by the rules of a language, which differ between databases and change with their libraries.
fn lists_are_ordered_by_bytes(home: &dyn Home) {
    let store = home.open();
    let mut topics = ["b", "A", "가", "_x", "B-1", "a.b", "ab"];
    for topic in topics {
        store.own(topic, 0, "a").unwrap();
    }
    topics.sort_unstable();
    let found: Vec<String> = store.partitions().unwrap().into_iter().map(|(topic, ..)| topic).collect();
    assert_eq!(found, topics);
}
