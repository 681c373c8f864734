//! Threads that commit beside each other and beside readers.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;
use crate::durable::io::memory::Random;

const ACCOUNTS: usize = 16;

fn account(index: usize) -> Vec<u8> {
    format!("account {index:02}").into_bytes()
}

fn amount(bytes: &[u8]) -> i64 {
    i64::from_le_bytes(bytes.try_into().unwrap())
}

/// Moves an amount between two accounts by a batch that demands that neither has changed.
fn transfer(store: &Store, tree: &StoreTree, random: &mut Random) -> bool {
    let (from, to) = (random.below(ACCOUNTS), random.below(ACCOUNTS));
    let (from, to) = (account(from), account(to));
    if from == to {
        return false;
    }
    let (old_from, old_to) = (get(tree, &from).unwrap(), get(tree, &to).unwrap());
    let moved = random.below(10) as i64;
    let new_from = (amount(&old_from) - moved).to_le_bytes();
    let new_to = (amount(&old_to) + moved).to_le_bytes();
    let mut batch = Batch::new(store.source());
    add(
        &mut batch,
        tree,
        &from,
        Action::AssertValue { value: &old_from },
    );
    add(
        &mut batch,
        tree,
        &to,
        Action::AssertValue { value: &old_to },
    );
    add(&mut batch, tree, &from, Action::Put { value: &new_from });
    add(&mut batch, tree, &to, Action::Put { value: &new_to });
    matches!(store.commit(&batch).unwrap(), Committed::Done(_))
}

fn transfers(store: &Store) {
    let tree = tree_named(store, "t");
    for index in 0..ACCOUNTS {
        put(store, tree, &account(index), &100i64.to_le_bytes());
    }
    let ended = AtomicBool::new(false);
    let (done, walks) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        let writers: Vec<_> = (0..3u64)
            .map(|seed| {
                let (done, walks) = (&done, &walks);
                scope.spawn(move || {
                    let mut random = Random(seed);
                    let mut round = 0;
                    // Ends: the reader walks on until the writers have ended.
                    while round < 1500 || walks.load(Ordering::Relaxed) == 0 {
                        done.fetch_add(
                            transfer(store, tree, &mut random).into(),
                            Ordering::Relaxed,
                        );
                        round += 1;
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                let sum: i64 = content(tree).iter().map(|(_, value)| amount(value)).sum();
                walks.fetch_add(1, Ordering::Relaxed);
                assert_eq!(sum, 100 * ACCOUNTS as i64);
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        ended.store(true, Ordering::Relaxed);
    });
    assert!(done.into_inner() > 100);
}

/// Known failure 52. Put back: read at the greatest number that was handed out.
#[test]
fn transfers_are_seen_whole() {
    transfers(&in_memory());
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    transfers(&store);
    store.close().unwrap();
    drop(store);
    let store = Store::open(on(&disk)).unwrap();
    let tree = tree_named(&store, "t");
    let sum: i64 = content(tree).iter().map(|(_, value)| amount(value)).sum();
    assert_eq!(sum, 100 * ACCOUNTS as i64);
}

/// Put back: judge the condition before the leaf is locked.
#[test]
fn a_conditional_write_has_one_winner() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    for round in 0..300u64 {
        let key = round.to_be_bytes();
        let winners = AtomicU64::new(0);
        thread::scope(|scope| {
            for thread in 0..3u8 {
                let (store, winners, key) = (&store, &winners, &key);
                scope.spawn(move || {
                    let won = pinned(tree, |pin| {
                        let written = store.put(tree, pin, key, &[thread], Condition::Absent);
                        matches!(written.unwrap(), Written::Done { .. })
                    });
                    winners.fetch_add(won.into(), Ordering::Relaxed);
                });
            }
        });
        assert_eq!(winners.into_inner(), 1);
    }
}

/// A key that is renamed to and fro is always under one of two names.
///
/// Put back: make a rename two commits.
#[test]
fn renames_are_seen_whole() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    put(&store, tree, b"left", b"value");
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2000 {
                let there = store.rename(tree, b"left", b"right", false).unwrap();
                let back = store.rename(tree, b"right", b"left", false).unwrap();
                assert!(matches!(
                    (there, back),
                    (Renamed::Done(_), Renamed::Done(_))
                ));
            }
            ended.store(true, Ordering::Relaxed);
        });
        scope.spawn(|| {
            while !ended.load(Ordering::Relaxed) {
                assert_eq!(content(tree).len(), 1);
            }
        });
    });
}

/// Threads put keys under a prefix that each demands to be empty, and take them out again: never two at
/// a time.
///
/// Put back: judge prefixes before the number was taken.
#[test]
fn an_empty_prefix_has_one_winner() {
    let store = in_memory();
    let tree = tree_named(&store, "t");
    let (inside, met) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..3u8 {
            let (store, inside, met) = (&store, &inside, &met);
            scope.spawn(move || {
                let key = [b'p', thread];
                let mut batch = Batch::new(store.source());
                add(&mut batch, tree, b"p", Action::AssertPrefixEmpty);
                add(&mut batch, tree, &key, Action::Put { value: b"" });
                let (mut round, mut entered) = (0, 0);
                // Ends: a thread that is inside leaves, and at last no other is left.
                while round < 700 || entered < 40 {
                    round += 1;
                    if let Committed::Done(_) = store.commit(&batch).unwrap() {
                        entered += 1;
                        met.fetch_add(inside.fetch_add(1, Ordering::SeqCst), Ordering::Relaxed);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        pinned(tree, |pin| {
                            let removed = store.remove(tree, pin, &key, Condition::None).unwrap();
                            assert!(matches!(removed, Written::Done { .. }));
                        });
                    }
                }
            });
        }
    });
    assert_eq!(met.into_inner(), 0);
}

/// Batches that mark the same keys in any order end.
///
/// Put back: mark keys in the order of the operations.
#[test]
fn batches_with_the_same_keys_end() {
    let store = in_memory();
    let trees = [tree_named(&store, "1"), tree_named(&store, "2")];
    thread::scope(|scope| {
        for seed in 0..3u64 {
            let store = &store;
            scope.spawn(move || {
                let mut random = Random(seed);
                for _ in 0..1000 {
                    let mut batch = Batch::new(store.source());
                    for _ in 0..6 {
                        let key = [random.below(4) as u8];
                        let tree = trees[random.below(2)];
                        let value = &[seed as u8];
                        add(&mut batch, tree, &key, Action::Put { value });
                    }
                    assert!(matches!(store.commit(&batch).unwrap(), Committed::Done(_)));
                }
            });
        }
    });
}
