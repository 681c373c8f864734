//! Checkpoints cut the log that is followed.

use std::cell::RefCell;
use std::ffi::{CStr, c_char, c_void};

use super::*;
use crate::durable::io::{Io, IoTable};
use crate::protocol::{Line, models};

fn log_files(disk: &Disk) -> usize {
    let prefix = [DIRECTORY, b"/log-"].concat();
    let files = disk.files();
    files
        .keys()
        .filter(|path| path.starts_with(&prefix))
        .count()
}

/// Writes some segments of the log; returns the number of the last commit, which is durable.
fn fill(store: &Store) -> u64 {
    let tree = tree_named(store, "one");
    let mut number = 0;
    for key in 0..200u8 {
        number = put(store, tree, &[key], &[key; 200]);
    }
    store.sync().unwrap();
    store.log().end_turn();
    number
}

fn is_too_old(store: &Store, since: u64) -> bool {
    matches!(store.changes(since, &DURABLE), Err(ChangesFault::TooOld))
}

/// Put back: in `hold`, compare with the base of the oldest segment.
#[test]
fn the_log_reaches_back_to_the_last_checkpoint() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    let before = fill(&store);
    store.checkpoint().unwrap();
    assert!(is_too_old(&store, 0));
    let number = store.checkpoint_statistics().number;
    let mut changes = store.changes(number, &DURABLE).unwrap();
    assert!(changes.next().unwrap().is_none());
    let after = put(&store, tree_named(&store, "one"), b"key", b"value");
    store.sync().unwrap();
    assert_eq!(changes.next().unwrap().unwrap().commit, after);
    drop(changes);
    drop(store);
    for round in 0..3 {
        let store = Store::open(on(&disk)).unwrap();
        assert!(is_too_old(&store, 0));
        assert!(before < number);
        let mut changes = store.changes(number, &DURABLE).unwrap();
        assert_eq!(changes.next().unwrap().unwrap().commit, after);
        let mut changes = store.changes(after, &DURABLE).unwrap();
        assert_eq!(changes.next().unwrap().is_some(), round > 0);
        put(&store, tree_named(&store, "one"), b"key", b"value");
        store.close().unwrap();
    }
}

/// Commits that were lost, and that never were.
///
/// Put back: in `is_skipped`, return false; in `follow`, do not compare with what was taken.
#[test]
fn numbers_of_lost_commits_are_refused() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    let tree = tree_named(&store, "one");
    let first = put(&store, tree, b"a", b"value");
    store.sync().unwrap();
    let durable = disk.operations();
    let lost = put(&store, tree, b"b", b"value");
    assert!(matches!(
        store.changes(lost + 100, &DURABLE),
        Err(ChangesFault::Lost)
    ));
    assert!(store.changes(lost, &DURABLE).is_ok());
    store.sync().unwrap();
    let image = disk.images(durable, 1);
    for _ in 0..3 {
        let store = Store::open(on(&image)).unwrap();
        assert!(matches!(
            store.changes(lost, &DURABLE),
            Err(ChangesFault::Lost)
        ));
        let last = store.last_commit();
        let mut changes = store.changes(last, &DURABLE).unwrap();
        assert!(changes.next().unwrap().is_none());
        let next = put(&store, tree_named(&store, "one"), b"c", b"value");
        store.sync().unwrap();
        assert_eq!(changes.next().unwrap().unwrap().commit, next);
        let mut changes = store.changes(first, &DURABLE).unwrap();
        let change = changes.next().unwrap().unwrap();
        assert!(change.commit > lost);
        assert!(store.changes(last, &DURABLE).is_ok());
    }
}

/// The numbers that a crash has skipped lie before the oldest segment: nothing is missing.
///
/// Put back: in `reach_before`, return the base.
#[test]
fn a_log_reaches_back_over_numbers_that_were_skipped() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    let tree = tree_named(&store, "one");
    put(&store, tree, b"a", b"value");
    store.sync().unwrap();
    let (last, durable) = (store.durable(), disk.operations());
    put(&store, tree, b"b", b"value");
    store.sync().unwrap();
    let image = disk.images(durable, 1);
    let store = Store::open(on(&image)).unwrap();
    let next = put(&store, tree_named(&store, "one"), b"c", b"value");
    store.checkpoint().unwrap();
    assert_eq!(log_files(&image), 1);
    drop(store);
    let store = Store::open(on(&image)).unwrap();
    let mut changes = store.changes(last, &DURABLE).unwrap();
    assert_eq!(changes.next().unwrap().unwrap().commit, next);
}

/// Put back: in `bytes_behind_oldest`, count the oldest, too.
#[test]
fn so_many_bytes_of_the_log_are_retained() {
    for retained in [0, 5_000, 12_000, 19_000, 26_000, 30_000, 37_000, u64::MAX] {
        let disk = Disk::default();
        let open = || {
            Store::open(StoreOptions {
                retained_log_bytes: retained,
                ..on(&disk)
            })
            .unwrap()
        };
        let mut last = 0;
        for _ in 0..3 {
            let store = open();
            last = fill(&store);
            store.checkpoint().unwrap();
        }
        let store = open();
        let kept = store.log().bytes_since(0) - store.log().bytes_since(last);
        match retained {
            0 => assert!(log_files(&disk) <= 2),
            u64::MAX => assert!(store.changes(0, &DURABLE).is_ok()),
            bytes => assert!(kept >= bytes && kept < 2 * bytes + 40_000, "{kept}"),
        }
        assert_eq!(is_too_old(&store, 0), retained != u64::MAX);
    }
}

/// Put back: in `segment_at`, leave `from`.
#[test]
fn a_cursor_keeps_what_it_has_not_read() {
    models::check(&[Line::CutLeavesHeld], || {
        let disk = Disk::default();
        let store = Store::open(on(&disk)).unwrap();
        let mut changes = store.changes(0, &DURABLE).unwrap();
        fill(&store);
        store.checkpoint().unwrap();
        let held = log_files(&disk);
        let mut replica = Replica::default();
        replica.follow(&mut changes, |_| {});
        assert_eq!(replica.state(), state(&store));
        store.checkpoint().unwrap();
        assert_eq!(log_files(&disk), held);
        fill(&store);
        replica.follow(&mut changes, |_| {});
        store.checkpoint().unwrap();
        assert!(log_files(&disk) <= 2, "{} after {held}", log_files(&disk));
        // It goes on behind a segment that was removed.
        fill(&store);
        replica.follow(&mut changes, |_| {});
        assert_eq!(replica.state(), state(&store));
    });
}

/// Put back: in `end_hold`, keep the hold; in `is_held`, take no notice of `most`.
#[test]
fn a_cursor_keeps_a_bounded_part_of_the_log() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    fill(&store);
    let bounded = ChangesOptions {
        held_bytes: 60_000,
        ..DURABLE
    };
    let mut changes = store.changes(0, &bounded).unwrap();
    assert!(changes.next().unwrap().is_some());
    store.checkpoint().unwrap();
    assert!(!is_too_old(&store, 0));
    fill(&store);
    store.checkpoint().unwrap();
    assert!(is_too_old(&store, 0));
    // The frame that it has read.
    let mut outcome = changes.next();
    while let Ok(Some(_)) = outcome {
        outcome = changes.next();
    }
    assert!(matches!(outcome, Err(ChangesFault::TooOld)));
    let ended = store.changes(store.checkpoint_statistics().number, &DURABLE);
    drop(ended);
    let files = log_files(&disk);
    fill(&store);
    store.checkpoint().unwrap();
    assert!(log_files(&disk) <= files);
}

/// Zeroes behind the last frame must not stay in the window.
///
/// Put back: in `renew`, do not measure the file.
#[test]
fn what_was_read_too_early_is_read_again() {
    models::check(&[Line::WindowIsRenewed], || {
        let disk = Disk::default();
        let options = StoreOptions {
            // The files are allocated in large steps.
            log_segment_bytes: 16 << 10,
            ..on(&disk)
        };
        let store = Store::open(options).unwrap();
        let tree = tree_named(&store, "one");
        let mut changes = store.changes(0, &DURABLE).unwrap();
        let mut replica = Replica::default();
        for key in 0..200u8 {
            put(&store, tree, &[key], &[key; 20]);
            store.sync().unwrap();
            replica.follow(&mut changes, |_| {});
            assert_eq!(replica.state(), state(&store));
        }
    });
}

thread_local! {
    static AFTER_UNLINK: RefCell<Option<Box<dyn FnMut()>>> = const { RefCell::new(None) };
}

/// A disk's operations; after a removal of a file of the log, a function is called.
fn hooked(disk: &Disk) -> Io {
    unsafe extern "C" fn unlink(ctx: *mut c_void, path: *const c_char) -> i64 {
        let disk = Disk::default();
        let unlink = disk.io().table().unlink;
        // SAFETY: all disks have the same functions; the context is that of the disk below.
        let outcome = unsafe { unlink(ctx, path) };
        // SAFETY: a path is a string.
        if unsafe { CStr::from_ptr(path) }
            .to_bytes()
            .starts_with(b"/disk/log-")
        {
            AFTER_UNLINK.with_borrow_mut(|hook| hook.iter_mut().for_each(|hook| hook()));
        }
        outcome
    }
    let io = disk.io();
    let table = IoTable {
        unlink,
        ..*io.table()
    };
    // SAFETY: the context is the disk, which is kept.
    unsafe { Io::from_table(table, Some(Arc::new(io))) }
}

/// A cursor that begins while its segment is being removed is told so.
#[test]
fn a_segment_is_given_up_before_it_is_removed() {
    models::check(&[Line::ReachBeforeUnlink], || {
        let disk = Disk::default();
        let options = StoreOptions {
            io: hooked(&disk),
            ..on(&disk)
        };
        let store = Arc::new(Store::open(options).unwrap());
        fill(&store);
        let of = store.clone();
        let hook = move || {
            let begun = of.changes(0, &DURABLE);
            let outcome = begun.and_then(|mut changes| changes.next().map(drop));
            assert!(matches!(outcome, Err(ChangesFault::TooOld)), "{outcome:?}");
        };
        AFTER_UNLINK.with_borrow_mut(|slot| *slot = Some(Box::new(hook)));
        store.checkpoint().unwrap();
        AFTER_UNLINK.with_borrow_mut(|slot| *slot = None);
    });
}
