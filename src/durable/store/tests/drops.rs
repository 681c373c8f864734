//! Trees that are dropped: beside writes, snapshots and checkpoints, and in the log.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::*;
use crate::durable::io::memory::Random;
use crate::protocol::{Line, models};

fn versions(tree: &StoreTree) -> u64 {
    pinned(tree, |pin| tree.versioned().counts(pin).versions)
}

fn is_refused(store: &Store, tree: &StoreTree) {
    pinned(tree, |pin| {
        let put = store.put(tree, pin, b"key", b"", Condition::None);
        assert_eq!(put.err(), Some(StoreFault::Dropped));
        let removed = store.remove(tree, pin, b"key", Condition::None);
        assert_eq!(removed.err(), Some(StoreFault::Dropped));
    });
    let renamed = store.rename(tree, b"key", b"other", true);
    assert_eq!(renamed.err(), Some(StoreFault::Dropped));
    for action in [Action::Put { value: b"" }, Action::AssertPrefixEmpty] {
        let other = tree_named(store, "other");
        let mut batch = Batch::new(store.source());
        add(
            &mut batch,
            other,
            b"of the batch",
            Action::Put { value: b"" },
        );
        add(&mut batch, tree, b"key", action);
        assert_eq!(store.commit(&batch), Err(StoreFault::Dropped));
        assert_eq!(get(other, b"of the batch"), None);
    }
}

fn drop_named(store: &Store, name: &str) -> u64 {
    store.drop_tree(name).unwrap().expect("there is the tree")
}

/// Put back: keep the name; number the new tree as the dropped one; clear without the counters.
#[test]
fn a_name_can_be_used_again_and_the_old_tree_is_empty_and_refuses_writes() {
    let disk = Disk::default();
    for is_on_disk in [false, true] {
        let options = match is_on_disk {
            false => StoreOptions::default(),
            true => on(&disk),
        };
        let store = Store::open(options).unwrap();
        assert_eq!(store.drop_tree("t"), Ok(None));
        let old = tree_named(&store, "t");
        put(&store, old, b"key", b"old");
        let before = put(&store, tree_named(&store, "other"), b"key", b"value");
        let dropped = drop_named(&store, "t");
        assert!(dropped > before);
        assert_eq!(store.drop_tree("t"), Ok(None));
        // The thread that looks for tombstones may have a guard of the tree. Ends: it lets the guard go.
        while is_on_disk && versions(old) > 0 {
            store.catalog.clear_dropped().unwrap();
        }
        assert_eq!((content(old), versions(old)), (vec![], 0));
        check(old);
        is_refused(&store, old);
        assert_eq!(store.tree_count(), 1);
        let new = tree_named(&store, "t");
        assert!(new.number() > old.number() && new.number() > 2);
        assert_eq!(get(new, b"key"), None);
        put(&store, new, b"key", b"new");
        assert_eq!(get(old, b"key"), None);
        assert!(store.tree_of(old.index()).is_some());
        store.close().unwrap();
    }
    // Dropped with its round: the lock of the directory is free.
    let store = Store::open(on(&disk)).unwrap();
    assert_eq!(get(tree_named(&store, "t"), b"key").unwrap(), b"new");
    assert_eq!(store.tree_count(), 2);
    // The numbers go on behind those that the log has used.
    assert_eq!(tree_named(&store, "another").number(), 4);
}

/// Put back: without each line.
#[test]
fn the_content_stays_while_a_write_or_a_snapshot_may_need_it() {
    let lines = [Line::ContentOutlivesWrites, Line::SnapshotKeepsContent];
    models::check(&lines, || {
        let store = in_memory();
        let (tree, other) = (tree_named(&store, "t"), tree_named(&store, "other"));
        put(&store, tree, b"key", b"value");
        let guard = tree.index().local_guard();
        drop_named(&store, "t");
        store.catalog.clear_dropped().unwrap();
        assert_eq!(versions(tree), 1);
        drop(guard);
        store.catalog.clear_dropped().unwrap();
        assert_eq!(versions(tree), 0);

        let tree = tree_named(&store, "t");
        put(&store, tree, b"key", b"value");
        let snapshot = other.versioned().snapshot().unwrap();
        drop_named(&store, "t");
        let later = other.versioned().snapshot().unwrap();
        assert_eq!(get(tree, b"key").unwrap(), b"value");
        drop(snapshot);
        store.catalog.clear_dropped().unwrap();
        assert_eq!(get(tree, b"key"), None);
        drop(later);
    });
}

/// A checkpoint has the trees that there are at its number, and opening it knows which numbers were used.
///
/// Put back: number trees from the count of those in the manifest; write the trees of now in a checkpoint at an earlier
/// number.
#[test]
fn checkpoints_leave_dropped_trees_out() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    for name in ["a", "b", "c"] {
        put(&store, tree_named(&store, name), b"key", name.as_bytes());
    }
    drop_named(&store, "c");
    drop_named(&store, "a");
    store.checkpoint().unwrap();
    store.close().unwrap();
    drop(store);
    let store = Store::open(on(&disk)).unwrap();
    assert_eq!(store.tree_count(), 1);
    assert_eq!(get(tree_named(&store, "b"), b"key").unwrap(), b"b");
    let new = tree_named(&store, "a");
    assert_eq!((new.number(), content(new)), (4, vec![]));
    let at = put(&store, new, b"key", b"new");
    drop_named(&store, "b");
    let parts = parts::Parts::divide(&store.catalog, at, 1).unwrap();
    let names: Vec<&str> = parts.trees().map(StoreTree::name).collect();
    assert_eq!((names, parts.next_tree), (vec!["b", "a"], 5));
    drop_named(&store, "a");
    store.checkpoint().unwrap();
    store.close().unwrap();
    drop(store);
    let store = Store::open(on(&disk)).unwrap();
    assert_eq!(store.tree_count(), 0);
    assert_eq!(tree_named(&store, "d").number(), 5);
}

/// Threads move values between two trees in batches, and write single keys, while another drops one of the trees and
/// makes it again. A batch that names a dropped tree changes neither, and what is in memory is what
/// the log gives.
///
/// Put back: commit a batch, or a write of one key, whatever `Life::allows` says; place the record of a drop behind
/// the catalog's lock.
#[test]
fn drops_beside_writes_leave_what_the_log_has() {
    for seed in 0..6 {
        let disk = Disk::default();
        let store = Store::open(on(&disk)).unwrap();
        tree_named(&store, "kept");
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            for writer in 0..3 {
                let (store, is_over) = (&store, &is_over);
                scope.spawn(move || write_some(store, is_over, seed * 3 + writer));
            }
            for round in 0..40 {
                if round % 8 == 7 {
                    store.checkpoint().unwrap();
                }
                // Ends: a writer makes the tree.
                while store.drop_tree("t").unwrap().is_none() {
                    thread::yield_now();
                }
            }
            is_over.store(true, Ordering::Relaxed);
        });
        let before = all(&store);
        store.close().unwrap();
        drop(store);
        let store = Store::open(on(&disk)).unwrap();
        assert_eq!(all(&store), before, "seed {seed}");
    }
}

/// Keys and their values.
type Content = Vec<(Vec<u8>, Vec<u8>)>;

fn all(store: &Store) -> BTreeMap<String, Content> {
    let mut all = BTreeMap::new();
    store.each_tree(|name, tree| {
        check(tree);
        all.insert(name.to_str().unwrap().to_owned(), content(tree));
        ControlFlow::Continue(())
    });
    all
}

fn write_some(store: &Store, is_over: &AtomicBool, seed: u64) {
    let mut random = Random(seed);
    let kept = tree_named(store, "kept");
    let mut round = 0u32;
    // Ends: the drops do.
    while !is_over.load(Ordering::Relaxed) {
        round += 1;
        let tree = tree_named(store, "t");
        let key = [random.below(20) as u8];
        let value = [seed as u8, round as u8, (round >> 8) as u8];
        if random.below(2) == 0 {
            pinned(tree, |pin| {
                match store.put(tree, pin, &key, &value, Condition::None) {
                    Ok(_) | Err(StoreFault::Dropped) => {}
                    Err(fault) => panic!("{fault:?}"),
                }
            });
            continue;
        }
        let mut batch = Batch::new(store.source());
        let own = [b"of", &[seed as u8][..]].concat();
        add(&mut batch, kept, &own, Action::Put { value: &value });
        add(&mut batch, tree, &key, Action::Put { value: &value });
        add(&mut batch, tree, &own, Action::AssertPrefixEmpty);
        match store.commit(&batch) {
            Ok(_) => assert_eq!(get(kept, &own).unwrap(), value),
            Err(StoreFault::Dropped) => assert_ne!(get(kept, &own).unwrap_or_default(), value),
            Err(fault) => panic!("{fault:?}"),
        }
    }
}
