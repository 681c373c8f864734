//! Opening: what is found again, and what is refused.

use super::*;
use crate::durable::io::faults::{Fault, Faults};

/// Put back: hand out numbers from 1 on after opening.
#[test]
fn a_store_is_found_again() {
    let disk = Disk::default();
    let mut last = 0;
    for round in 0..4u8 {
        let store = Store::open(on(&disk)).unwrap();
        let (one, two) = (tree_named(&store, "one"), tree_named(&store, "two"));
        assert_eq!((one.number(), two.number()), (1, 2));
        for before in 0..round {
            assert_eq!(get(one, &[before]).unwrap(), [before, 1]);
            assert_eq!(get(two, &[before]), None);
        }
        let first = put(&store, one, &[round], &[round, 1]);
        assert!(first > last);
        put(&store, two, &[round], &[round, 2]);
        last = pinned(two, |pin| {
            match store.remove(two, pin, &[round], Condition::None).unwrap() {
                Written::Done { number, .. } => number,
                Written::Unmet(_) => unreachable!("the key has a value"),
            }
        });
        store.close().unwrap();
    }
    let store = Store::open(on(&disk)).unwrap();
    assert_eq!(tree_named(&store, "two").index().key_count(), 0);
}

/// Put back: lock the file after the log was read.
#[test]
fn a_directory_is_opened_once() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    assert!(matches!(Store::open(on(&disk)), Err(OpenFault::Locked)));
    let reading = StoreOptions {
        is_read_only: true,
        ..on(&disk)
    };
    assert!(matches!(Store::open(reading), Err(OpenFault::Locked)));
    drop(store);
    Store::open(on(&disk)).unwrap();
}

/// Put back: repair the log when it is opened to be read.
#[test]
fn a_store_that_is_only_read_changes_nothing() {
    let disk = Disk::default();
    let reading = |disk: &Disk| StoreOptions {
        is_read_only: true,
        must_exist: true,
        ..on(disk)
    };
    assert!(matches!(
        Store::open(reading(&disk)),
        Err(OpenFault::NotFound)
    ));
    let store = Store::open(on(&disk)).unwrap();
    put(&store, tree_named(&store, "t"), b"k", b"v");
    store.close().unwrap();
    drop(store);
    let files = disk.files();
    let one = Store::open(reading(&disk)).unwrap();
    let two = Store::open(reading(&disk)).unwrap();
    for store in [&one, &two] {
        let tree = tree_named(store, "t");
        assert_eq!(get(tree, b"k").unwrap(), b"v");
        assert!(store.tree("other").unwrap().is_none());
        let written = pinned(tree, |pin| {
            store
                .put(tree, pin, b"k", b"w", Condition::None)
                .map(|_| ())
        });
        assert_eq!(written, Err(StoreFault::ReadOnly));
        assert_eq!(
            store.commit(&Batch::new(store.source())),
            Err(StoreFault::ReadOnly)
        );
    }
    drop((one, two));
    assert_eq!(disk.files(), files);
}

#[test]
fn must_exist_makes_nothing() {
    let disk = Disk::default();
    let options = StoreOptions {
        must_exist: true,
        ..on(&disk)
    };
    assert!(matches!(Store::open(options), Err(OpenFault::NotFound)));
    assert_eq!(disk.operations(), 0);
}

#[test]
fn names_of_trees_are_checked() {
    let store = in_memory();
    for name in ["", "ключи", &"x".repeat(255)] {
        assert_eq!(tree_named(&store, name).name(), name);
    }
    for name in ["a\0b", &"x".repeat(256)] {
        assert_eq!(store.tree(name).map(|_| ()), Err(StoreFault::BadName));
    }
    let mut names = Vec::new();
    store.each_tree(|name, _| {
        names.push(name.to_str().unwrap().len());
        ControlFlow::Continue(())
    });
    assert_eq!(names, [0, 10, 255]);
}

/// Every call of the table fails once while a store is opened, written to and closed. The next
/// opening finds what was durable.
///
/// Put back: report a commit as durable when it was written.
#[test]
fn each_file_operation_fails_once() {
    for errno in [libc::EIO, libc::ENOSPC, libc::EINTR] {
        let mut at = 0;
        loop {
            let disk = Disk::default();
            let faults = Faults::new(disk.io(), at, Fault::Errno(errno), false);
            let durable = write_some(StoreOptions {
                io: faults.io(),
                ..on(&disk)
            });
            let store = Store::open(on(&disk)).expect("one fault leaves the directory usable");
            let tree = tree_named(&store, "t");
            for key in 0..durable {
                assert!(
                    get(tree, &[key]).is_some(),
                    "call {at}, errno {errno}, key {key}"
                );
            }
            if !faults.has_failed() {
                break;
            }
            at += 1;
        }
        assert!(at > 10, "{at} calls");
    }
}

/// Writes keys 0 to 9, each durable before the next; returns how many were.
fn write_some(options: StoreOptions) -> u8 {
    let Ok(store) = Store::open(options) else {
        return 0;
    };
    let Ok(Some(tree)) = store.tree("t") else {
        return 0;
    };
    let mut durable = 0;
    for key in 0..10 {
        let written = pinned(tree, |pin| {
            (store.put(tree, pin, &[key], &[0; 700], Condition::None)).map(
                |written| match written {
                    Written::Done { number, .. } => number,
                    Written::Unmet(_) => unreachable!("there is no condition"),
                },
            )
        });
        match written.and_then(|number| store.wait(number, Level::Durable)) {
            Ok(()) if durable == key => durable += 1,
            _ => {}
        }
    }
    durable
}
