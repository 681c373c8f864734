//! Checkpoints: what is found behind one, and what is left of the log.

use std::time::Duration;

use super::*;
use crate::durable::io::memory::Random;

/// The files of a disk with a prefix.
fn files(disk: &Disk, prefix: &str) -> Vec<String> {
    let names = disk.files().into_keys();
    let names = names.map(|path| String::from_utf8(path[DIRECTORY.len() + 1..].to_vec()).unwrap());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// The keys and numbers of a tree.
fn numbers(tree: &StoreTree) -> Vec<(Vec<u8>, u64)> {
    let mut found = Vec::new();
    pinned(tree, |pin| {
        let (versioned, visited) = (tree.versioned(), &mut 0);
        let scanned = versioned.scan_at(pin, &Range::all(), LATEST, visited, |key, version| {
            found.push((key.to_vec(), version.number()));
            ControlFlow::Continue(())
        });
        scanned.unwrap();
    });
    found
}

fn remove(store: &Store, tree: &StoreTree, key: &[u8]) {
    pinned(tree, |pin| {
        store.remove(tree, pin, key, Condition::None).unwrap();
    });
}

/// Known failure 56. Put back: cut the log at the number of the next record; give the entries the number of the
/// checkpoint; write removed keys; leave the trees out that are empty; read the log from the beginning.
#[test]
fn a_checkpoint_replaces_the_log() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    store.checkpoint().unwrap();
    assert!(files(&disk, "checkpoint-").is_empty());
    let (one, two) = (tree_named(&store, "one"), tree_named(&store, "two"));
    tree_named(&store, "empty");
    for index in 0..400u32 {
        put(&store, one, &index.to_be_bytes(), &[7; 40]);
        put(&store, two, &index.to_be_bytes()[2..], &index.to_le_bytes());
        if index % 3 == 0 {
            remove(&store, two, &index.to_be_bytes()[2..]);
        }
    }
    store.sync().unwrap();
    let before = files(&disk, "log-").len();
    store.checkpoint().unwrap();
    assert!(before > 5 && files(&disk, "log-").len() < 3);
    assert_eq!(files(&disk, "checkpoint-").len(), 2);
    let first = files(&disk, "checkpoint-");
    store.checkpoint().unwrap();
    assert_eq!(files(&disk, "checkpoint-"), first, "nothing was committed");
    put(&store, one, b"later", b"value");
    let last = put(&store, tree_named(&store, "late"), b"key", b"value");
    let expected = [numbers(one), numbers(two)];
    let contents = [content(one), content(two)];
    store.close().unwrap();
    drop(store);
    for trees in 4..6 {
        let store = Store::open(on(&disk)).unwrap();
        assert_eq!(store.tree_count(), trees);
        let (one, two) = (tree_named(&store, "one"), tree_named(&store, "two"));
        assert_eq!([numbers(one), numbers(two)], expected);
        assert_eq!([content(one), content(two)], contents);
        assert_eq!((one.number(), two.number()), (1, 2));
        assert_eq!(tree_named(&store, "late").number(), 4);
        assert_eq!(get(tree_named(&store, "late"), b"key").unwrap(), b"value");
        assert!(store.report().records <= trees);
        [one, two].iter().for_each(|tree| check(tree));
        assert!(put(&store, tree_named(&store, "other"), b"k", b"v") > last);
        store.close().unwrap();
    }
}

/// Put back: leave the old checkpoint's files; do not remove leftovers when a store is opened.
#[test]
fn only_the_files_of_the_checkpoint_that_counts_stay() {
    let disk = Disk::default();
    let mut random = Random(3);
    let store = Store::open(on(&disk)).unwrap();
    let tree = tree_named(&store, "t");
    for round in 0..4 {
        for _ in 0..50 {
            put(&store, tree, &[random.below(100) as u8], &[round; 30]);
        }
        store.checkpoint().unwrap();
        assert_eq!(files(&disk, "checkpoint-").len(), 2);
        assert_eq!(files(&disk, "manifest"), ["manifest"]);
    }
    let (found, expected) = (files(&disk, "checkpoint-"), content(tree));
    let number = store.checkpoint_statistics().number;
    assert_ne!(number, 0);
    store.close().unwrap();
    drop(store);
    let mut left = disk.files();
    for name in [
        "manifest.new",
        "checkpoint-0000000000000009-000",
        "checkpoint-0000000000000009-fff",
    ] {
        left.insert([DIRECTORY, b"/", name.as_bytes()].concat(), vec![1, 2, 3]);
    }
    let disk = Disk::with(left.clone());
    let reading = StoreOptions {
        is_read_only: true,
        ..on(&disk)
    };
    let store = Store::open(reading).unwrap();
    assert_eq!(content(tree_named(&store, "t")), expected);
    assert_eq!(store.checkpoint(), Err(StoreFault::ReadOnly));
    assert_eq!(store.checkpoint_statistics().number, number);
    drop(store);
    assert_eq!(disk.files(), left);
    let store = Store::open(on(&disk)).unwrap();
    assert_eq!(content(tree_named(&store, "t")), expected);
    assert_eq!(files(&disk, "checkpoint-"), found);
    assert_eq!(files(&disk, "manifest"), ["manifest"]);
}

#[test]
fn a_store_in_memory_has_no_checkpoints() {
    assert_eq!(in_memory().checkpoint(), Err(StoreFault::NoDirectory));
}

/// Put back: take the files that are there for the log.
#[test]
fn the_log_of_a_checkpoint_must_be_there() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    put(&store, tree_named(&store, "t"), b"key", b"value");
    store.checkpoint().unwrap();
    store.close().unwrap();
    drop(store);
    let mut without = disk.files();
    without.retain(|path, _| !path.starts_with(b"/disk/log-"));
    let disk = Disk::with(without);
    let Err(OpenFault::Corrupt(failure)) = Store::open(on(&disk)) else {
        panic!("the log is missing");
    };
    assert_eq!(failure.file.bytes(), b"/disk/manifest");
    let salvaging = StoreOptions {
        salvages: true,
        ..on(&disk)
    };
    let store = Store::open(salvaging).unwrap();
    assert_eq!(get(tree_named(&store, "t"), b"key").unwrap(), b"value");
}

fn with(disk: &Disk, checkpoints: CheckpointOptions) -> Store {
    Store::open(StoreOptions {
        checkpoints,
        ..on(disk)
    })
    .unwrap()
}

/// Waits, without a limit, for what a thread will do.
fn wait_until(condition: impl Fn() -> bool) {
    let wait = crate::sync::Wait::new();
    while !condition() {
        wait.wait();
    }
}

/// Put back: in `Flusher::write_group`, do not tell the alarm; in `background::next`, compare with the
/// bytes of the whole log.
#[test]
fn checkpoints_are_made_as_the_log_grows() {
    let disk = Disk::default();
    let options = CheckpointOptions {
        log_bytes: 4 << 10,
        ..CheckpointOptions::default()
    };
    let store = with(&disk, options);
    let tree = tree_named(&store, "t");
    for round in 1..=3 {
        let before = store.checkpoint_statistics().number;
        for key in 0..100 {
            put(&store, tree, &[key], &[round; 50]);
        }
        wait_until(|| store.checkpoint_statistics().number > before);
    }
    // Those that were due meanwhile are made before the log stays short.
    wait_until(|| {
        store
            .log()
            .bytes_since(store.checkpoint_statistics().number + 1)
            < 4 << 10
    });
    store.close().unwrap();
    let statistics = store.checkpoint_statistics();
    // The first one may have been made before all keys were there.
    assert!(
        statistics.done >= 3 && statistics.bytes > 2 * 100 * 50,
        "{statistics:?}"
    );
    assert_eq!(statistics.last_entries, 100);
    let expected = content(tree);
    drop(store);
    assert_eq!(
        content(tree_named(&Store::open(on(&disk)).unwrap(), "t")),
        expected
    );
}

/// Put back: take no notice of the age if the log is short.
#[test]
fn checkpoints_are_made_by_age() {
    let disk = Disk::default();
    let options = CheckpointOptions {
        log_bytes: u64::MAX,
        age: Some(Duration::from_millis(1)),
        ..CheckpointOptions::default()
    };
    let store = with(&disk, options);
    let number = put(&store, tree_named(&store, "t"), b"key", b"value");
    wait_until(|| store.checkpoint_statistics().number >= number);
}

/// Put back: wait to the end of the throttle; leave the files.
#[test]
fn closing_abandons_a_checkpoint_that_waits() {
    let disk = Disk::default();
    let options = CheckpointOptions {
        log_bytes: 4 << 10,
        bytes_per_second: 1,
        ..CheckpointOptions::default()
    };
    let store = with(&disk, options);
    let tree = tree_named(&store, "t");
    for key in 0..200 {
        put(&store, tree, &[key], &[7; 50]);
    }
    wait_until(|| store.checkpoint_statistics().bytes > 0);
    store.close().unwrap();
    assert!(files(&disk, "checkpoint-").is_empty() && files(&disk, "manifest").is_empty());
    assert_eq!(store.checkpoint_statistics().failed, 1);
}

/// Put back: trim without comparing with what the last trim has left, and a snapshot makes the thread trim for ever.
#[test]
fn tombstones_are_trimmed_in_the_background() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    let tree = tree_named(&store, "t");
    let mut round = 0u32;
    // Ends: the log grows, so the trees are looked at again and again. A trim beside removals may leave many.
    while round < 20
        || store.checkpoint_statistics().trimmed <= 500
        || tree.index().key_count() >= 500
    {
        for key in 0..50 {
            let key = [&round.to_be_bytes()[..], &[key]].concat();
            put(&store, tree, &key, &[1; 20]);
            remove(&store, tree, &key);
        }
        round += 1;
    }
    put(&store, tree, b"stays", b"value");
    assert_eq!(content(tree).len(), 1);
    check(tree);
}

/// Put back: read keys at the latest number; open the snapshot after the trees were divided.
#[test]
fn a_checkpoint_beside_writes_is_the_state_after_a_commit() {
    let disk = Disk::default();
    let options = CheckpointOptions {
        log_bytes: 2 << 10,
        ..CheckpointOptions::default()
    };
    let store = with(&disk, options);
    let (one, two) = (tree_named(&store, "one"), tree_named(&store, "two"));
    std::thread::scope(|scope| {
        for thread in 0..2u8 {
            let store = &store;
            scope.spawn(move || {
                for round in 0..300u32 {
                    // Both trees have the same content after each commit.
                    let mut batch = Batch::new(store.source());
                    let value = round.to_le_bytes();
                    for tree in [one, two] {
                        let key = [thread, round as u8 % 40];
                        add(&mut batch, tree, &key, Action::Put { value: &value });
                    }
                    store.commit(&batch).unwrap();
                }
            });
        }
        for _ in 0..20 {
            store.checkpoint().unwrap();
        }
    });
    store.checkpoint().unwrap();
    drop(store);
    let end = disk.operations();
    for after in (0..=end).step_by(end / 50) {
        let store = Store::open(on(&disk.images(after, after as u64))).unwrap();
        let (Some(one), Some(two)) = (store.catalog.named("one"), store.catalog.named("two"))
        else {
            continue;
        };
        assert_eq!(content(one), content(two), "after {after}");
    }
}
