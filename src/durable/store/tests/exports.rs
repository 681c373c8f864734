//! Exports: what they have, beside writers; crashes, and directories that have a store.

use super::crash::state;
use super::*;
use crate::durable::io::faults::{Fault, Faults};
use crate::durable::io::memory::Random;

const EXPORT: &[u8] = b"/export";

pub(super) fn path() -> Path {
    Path::new(EXPORT).unwrap()
}

pub(super) fn exported(disk: &Disk, is_read_only: bool) -> Result<Store, OpenFault> {
    Store::open(StoreOptions {
        directory: Some(path()),
        is_read_only,
        must_exist: true,
        ..on(disk)
    })
}

pub(super) fn fill(store: &Store, seed: u64) {
    let mut random = Random(seed);
    for _ in 0..100 {
        let tree = tree_named(store, ["one", "two"][random.below(2)]);
        let value = vec![random.below(256) as u8; random.below(60)];
        put(store, tree, &[random.below(40) as u8], &value);
    }
    drop_first_tree(store);
}

/// So that the numbers of trees have a gap.
fn drop_first_tree(store: &Store) {
    tree_named(store, "dropped");
    store.drop_tree("dropped").unwrap();
}

/// Put back: in `follow`, demand a log whatever the manifest says; let the store go on at number 1; give the export the id
/// of the store.
#[test]
fn an_export_is_a_store_with_the_content_of_its_number() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    fill(&store, 1);
    let before = state(&store);
    let snapshot = tree_named(&store, "one").versioned().snapshot().unwrap();
    fill(&store, 2);
    let number = store
        .export(Some(snapshot.number()), &path(), None)
        .unwrap();
    assert_eq!(number, snapshot.number());
    drop(snapshot);
    assert!(matches!(
        store.export(None, &path(), None),
        Err(ExportFault::Exists)
    ));
    for is_read_only in [true, false, true] {
        let copy = exported(&disk, is_read_only).unwrap();
        assert_eq!(state(&copy), before);
        assert_ne!(copy.log().store_id(), store.log().store_id());
    }
    let copy = exported(&disk, false).unwrap();
    let next = put(&copy, tree_named(&copy, "one"), b"new", b"value");
    assert!(next > number);
    assert_eq!(tree_named(&copy, "another").number(), 4);
    let after = state(&copy);
    copy.close().unwrap();
    drop(copy);
    let copy = exported(&disk, false).unwrap();
    assert_eq!(state(&copy), after);
    copy.checkpoint().unwrap();
    drop(copy);
    assert_eq!(state(&exported(&disk, true).unwrap()), after);
}

/// Put back: in `export`, publish before the parts are written.
#[test]
fn a_crash_in_an_export_leaves_no_store_or_all_of_it() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    fill(&store, 3);
    let (expected, first) = (state(&store), disk.operations());
    store.export(None, &path(), None).unwrap();
    let (mut none, mut whole) = (0, 0);
    for after in first..=disk.operations() {
        for seed in 0..8 {
            let image = disk.images(after, seed);
            match exported(&image, seed % 2 == 0) {
                Ok(copy) => {
                    assert_eq!(state(&copy), expected, "after {after} changes, seed {seed}");
                    whole += 1;
                }
                Err(OpenFault::NotFound) => {
                    none += 1;
                    // It can be exported again.
                    let store = Store::open(on(&image)).unwrap();
                    store.export(None, &path(), None).unwrap();
                    assert!(exported(&image, true).is_ok());
                }
                Err(why) => panic!("after {after} changes, seed {seed}: {why:?}"),
            }
        }
    }
    assert!(none > 20 && whole >= 8, "{none}, {whole}");
}

/// Put back: publish an export whose parts are not synced.
#[test]
fn a_failed_operation_ends_the_export_and_not_the_store() {
    let mut failed = 0;
    // Ends: when no call is left to fail.
    for at in 0.. {
        let disk = Disk::default();
        let faults = Faults::new(disk.io(), at, Fault::Errno(libc::EIO), false);
        let opened = Store::open(StoreOptions {
            io: faults.io(),
            ..on(&disk)
        });
        let Ok(store) = opened else { continue };
        if faults.has_failed() {
            continue;
        }
        let Ok(Some(tree)) = store.tree("one") else {
            continue;
        };
        let write = |key: u8| {
            pinned(tree, |pin| {
                let put = store.put(tree, pin, &[key], &[key; 30], Condition::None);
                put.is_ok()
            })
        };
        // A fault before the export is not meant, nor one of the log beside it.
        let is_synced = (0..40).all(write) && store.sync().is_ok();
        store.log().end_turn();
        if !is_synced || faults.has_failed() {
            continue;
        }
        let outcome = store.export(None, &path(), None);
        if !faults.has_failed() {
            outcome.unwrap();
            break;
        }
        failed += usize::from(outcome.is_err());
        assert!(write(0));
        store.sync().unwrap();
    }
    assert!(failed > 10, "{failed}");
}

/// Put back: leave the result of the function for progress out.
#[test]
fn an_export_reports_progress_and_can_be_stopped() {
    unsafe fn stop(ctx: *mut std::ffi::c_void, progress: &Progress) -> ControlFlow<()> {
        assert_eq!(progress.phase, Phase::Export);
        // SAFETY: the counter below.
        let left = unsafe { &mut *ctx.cast::<u32>() };
        *left = left.saturating_sub(1);
        match *left {
            0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    fill(&store, 5);
    for wanted in [1u32, 2, 1000] {
        let mut left = wanted;
        // SAFETY: the counter lives longer than the export.
        let progress = unsafe { OnProgress::new(stop, (&raw mut left).cast()) };
        let outcome = store.export(None, &path(), Some(progress));
        assert_eq!(outcome.is_ok(), wanted == 1000, "{outcome:?}");
        assert!(left < wanted);
        assert_eq!(exported(&disk, true).is_ok(), wanted == 1000);
    }
}
