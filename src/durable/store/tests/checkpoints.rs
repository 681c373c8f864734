//! Checkpoints: what is found behind one, and what is left of the log.

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
