//! Imports: what they copy, beside writers; crashes, and calls that fail.

use super::crash::{State, state};
use super::exports::{exported, fill, path};
use super::*;
use crate::durable::io::faults::{Fault, Faults};

const OTHER: &[u8] = b"/other";

/// A disk with an export in a directory, and its state.
fn exported_disk() -> (Disk, State) {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    fill(&store, 1);
    store.export(None, &path(), None).unwrap();
    (disk.clone(), state(&store))
}

fn target(disk: &Disk) -> StoreOptions {
    StoreOptions {
        directory: Some(Path::new(OTHER).unwrap()),
        ..on(disk)
    }
}

fn imported(disk: &Disk) -> Store {
    Store::open(target(disk)).unwrap()
}

/// Put back: in `Import::copy`, leave the last batch; in `refuse_content`, find nothing; in `import`, drop no tree that is
/// replaced.
#[test]
fn an_import_is_the_inverse_of_an_export() {
    let (disk, expected) = exported_disk();
    for in_memory in [false, true] {
        let store = Store::open(match in_memory {
            true => StoreOptions {
                io: disk.io(),
                ..StoreOptions::default()
            },
            false => target(&disk),
        })
        .unwrap();
        tree_named(&store, "one");
        put(&store, tree_named(&store, "else"), b"key", b"value");
        let imported = store.import(path(), false, None).unwrap();
        let [one, two] = expected.clone().map(|rows| rows.len() as u64);
        assert_eq!((imported.trees, imported.keys), (2, one + two));
        assert!(imported.bytes > imported.keys);
        let Err(ImportFault::Exists(name)) = store.import(path(), false, None) else {
            panic!("the trees have keys");
        };
        assert_eq!(name, c"two");
        put(&store, tree_named(&store, "two"), b"another", b"value");
        store.import(path(), true, None).unwrap();
        assert_eq!(store.durable(), store.last_commit());
        store.drop_tree("else").unwrap();
        assert_eq!(state(&store), expected);
        assert_eq!(store.tree_count(), 2);
        store.close().unwrap();
    }
    assert_eq!(state(&imported(&disk)), expected);
    assert_eq!(state(&exported(&disk, true).unwrap()), expected);
}

/// Put back: write with a batch of all keys.
#[test]
fn an_import_runs_beside_writers() {
    let (disk, expected) = exported_disk();
    let store = imported(&disk);
    let tree = tree_named(&store, "busy");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..500u32 {
                put(&store, tree, &round.to_le_bytes(), &[7; 100]);
            }
        });
        scope.spawn(|| (0..5).for_each(|_| store.checkpoint().unwrap()));
        for round in 0..5 {
            store.import(path(), round > 0, None).unwrap();
        }
    });
    assert_eq!(content(tree).len(), 500);
    drop(store);
    let store = imported(&disk);
    assert_eq!(content(tree_named(&store, "busy")).len(), 500);
    store.drop_tree("busy").unwrap();
    assert_eq!(state(&store), expected);
}

/// Makes each of the first batches durable before the next one, however busy the thread of the log is. Not the last
/// one: that the import does.
struct Syncs<'s> {
    store: &'s Store,
    left: u32,
}

impl Syncs<'_> {
    unsafe fn sync(ctx: *mut std::ffi::c_void, progress: &Progress) -> ControlFlow<()> {
        // SAFETY: it was given with this function.
        let syncs = unsafe { &mut *ctx.cast::<Self>() };
        if progress.phase == Phase::Import && syncs.left > 0 {
            syncs.left -= 1;
            syncs.store.sync().unwrap();
        }
        ControlFlow::Continue(())
    }
}

/// Put back: report success before everything is durable.
#[test]
fn after_a_crash_an_import_can_be_made_again() {
    let (disk, expected) = exported_disk();
    let store = imported(&disk);
    let first = disk.operations();
    let mut syncs = Syncs {
        store: &store,
        left: 6,
    };
    // SAFETY: `syncs` lives longer than the import.
    let progress = unsafe { OnProgress::new(Syncs::sync, (&raw mut syncs).cast()) };
    store.import(path(), false, Some(progress)).unwrap();
    assert_eq!(syncs.left, 0);
    let last = disk.operations();
    drop(store);
    let mut partial = 0;
    for after in first..=last {
        let image = disk.images(after, after as u64);
        let store = imported(&image);
        let is_whole = state(&store) == expected;
        assert!(is_whole || after < last);
        partial += usize::from(!is_whole && store.tree_count() > 0);
        store.import(path(), true, None).unwrap();
        assert_eq!(state(&store), expected, "after {after}");
    }
    assert!(partial > 5, "{partial}");
}

/// Put back: in `import`, leave the trees that were begun.
#[test]
fn a_failed_or_stopped_import_leaves_nothing() {
    unsafe fn stop(ctx: *mut std::ffi::c_void, progress: &Progress) -> ControlFlow<()> {
        // SAFETY: the counter below.
        let left = unsafe { &mut *ctx.cast::<u32>() };
        *left -= u32::from(progress.phase == Phase::Import);
        match *left {
            0 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    }
    let (disk, expected) = exported_disk();
    let store = imported(&disk);
    for wanted in [1u32, 2, 5, 1000] {
        let mut left = wanted;
        // SAFETY: the counter lives longer than the import.
        let progress = unsafe { OnProgress::new(stop, (&raw mut left).cast()) };
        let outcome = store.import(path(), false, Some(progress));
        assert_eq!(outcome.is_ok(), wanted == 1000, "{outcome:?}");
        assert_eq!(store.tree_count() == 0, wanted != 1000);
    }
    assert_eq!(state(&store), expected);
    drop(store);
    let mut failed = 0;
    // Ends: when no call is left to fail.
    for at in 0.. {
        let (disk, _) = exported_disk();
        let faults = Faults::new(disk.io(), at, Fault::Errno(libc::EIO), false);
        let opened = Store::open(StoreOptions {
            io: faults.io(),
            ..target(&disk)
        });
        let (Ok(store), false) = (opened, faults.has_failed()) else {
            continue;
        };
        let outcome = store.import(path(), false, None);
        if !faults.has_failed() {
            outcome.unwrap();
            break;
        }
        match outcome {
            Err(ImportFault::Open(OpenFault::Io(_))) => assert_eq!(store.tree_count(), 0),
            Err(ImportFault::Store(StoreFault::Failed | StoreFault::Unknown)) => {}
            Ok(_) => assert_eq!(state(&store), expected),
            Err(why) => panic!("{why:?}"),
        }
        failed += 1;
    }
    assert!(failed > 10, "{failed}");
}
