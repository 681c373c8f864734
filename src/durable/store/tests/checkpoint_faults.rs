//! Checkpoints when the machine crashes, when file operations fail, and when files are damaged.

use std::collections::BTreeMap;

use super::crash::{History, State, check, extend, state};
use super::*;
use crate::durable::checkpoint::{Manifest, ManifestHead, PartRecord, publish, read_manifest};
use crate::durable::io::faults::{Fault, Faults};
use crate::durable::io::memory::Random;
use crate::durable::log::LogError;
use crate::protocol::Line;
use crate::protocol::models;
use crate::testing::Sample;
use crate::versioned::MAX_COMMIT;

/// Commits, and notes that everything is durable.
fn note_durable(history: &mut History, disk: &Disk) {
    let all = history.states.len() - 1;
    history.durable.push((disk.operations(), all));
}

/// Commits with checkpoints among them.
pub(super) fn some_checkpoints() -> (Disk, History) {
    let disk = Disk::default();
    let mut history = History {
        states: vec![State::default()],
        durable: Vec::new(),
    };
    let store = Store::open(on(&disk)).unwrap();
    let mut random = Random(21);
    for _ in 0..3 {
        extend(&mut history, &disk, &store, 60, &mut random);
        store.checkpoint().unwrap();
        note_durable(&mut history, &disk);
    }
    extend(&mut history, &disk, &store, 3, &mut random);
    store.close().unwrap();
    note_durable(&mut history, &disk);
    (disk, history)
}

/// Known failure 56: a crash after any change of the disk finds a state after a commit. Without any of
/// these lines, one finds another state, or the store cannot be opened.
#[test]
fn each_step_of_a_checkpoint_is_needed() {
    let lines = [
        Line::PartsAreSynced,
        Line::ManifestIsSynced,
        Line::PartsAreNamed,
        Line::ManifestCounts,
        Line::CutAfterManifest,
    ];
    models::check(&lines, || {
        const IMAGES: usize = 6;
        let (disk, history) = some_checkpoints();
        for image in models::sample().below(IMAGES * (disk.operations() + 1)) {
            let (after, seed) = (image / IMAGES, image % IMAGES);
            let context = format!("after {after} changes, seed {seed}");
            let store = Store::open(on(&disk.images(after, seed as u64)));
            let store = store.unwrap_or_else(|why| panic!("{context}: {why:?}"));
            check(&history, &store, after, &context);
        }
    });
}

/// Writes, with a checkpoint in the middle and one at the end; returns how many keys were durable.
fn write_with_checkpoints(store: &Store) -> u8 {
    let Ok(Some(tree)) = store.tree("t") else {
        return 0;
    };
    let mut durable = 0;
    for key in 0..12u8 {
        let written = pinned(tree, |pin| {
            let put = store.put(tree, pin, &[key], &[key; 300], Condition::None);
            put.map(|_| ())
        });
        let is_durable = written.and_then(|()| match key % 6 {
            5 => store.checkpoint().or_else(|_| store.sync()),
            _ => store.sync(),
        });
        // What follows fails by its own calls only.
        store.log().end_turn();
        match is_durable {
            Ok(()) if durable == key => durable += 1,
            _ => {}
        }
    }
    durable
}

/// Each call of the table fails once: everything that was durable is found again, and if the log
/// has not failed, the next checkpoint is made, unless a sync of the directory has failed.
///
/// Put back: let the log fail with a checkpoint; try again after a sync of the directory has failed; remove
/// the old parts before the manifest counts.
#[test]
fn each_file_operation_of_a_checkpoint_fails() {
    let faults = [libc::EIO, libc::ENOSPC, libc::EINTR].map(Fault::Errno);
    let (mut abandoned, mut given_up) = (0, 0);
    for fault in faults.into_iter().chain([Fault::Short]) {
        let mut at = 0;
        loop {
            let disk = Disk::default();
            let faults = Faults::new(disk.io(), at, fault, false);
            let io = faults.io();
            let context = format!("call {at}, {fault:?}");
            let mut durable = 0;
            if let Ok(store) = Store::open(StoreOptions { io, ..on(&disk) }) {
                durable = write_with_checkpoints(&store);
                abandoned += store.checkpoint_statistics().failed;
                let log_works = store.log().failure().is_none();
                if log_works && store.checkpoint().is_err() {
                    let failure = store.failure();
                    let of_directory = failure.is_some_and(|of| of.operation == "sync_dir");
                    assert!(of_directory, "{context}");
                    given_up += 1;
                }
            }
            let store = Store::open(on(&disk)).unwrap_or_else(|why| panic!("{context}: {why:?}"));
            let tree = tree_named(&store, "t");
            for key in 0..durable {
                assert_eq!(
                    get(tree, &[key]),
                    Some(vec![key; 300]),
                    "{context}, key {key}"
                );
            }
            if !faults.has_failed() {
                break;
            }
            at += 1;
        }
        assert!(at > 30, "{at} calls");
    }
    assert!(abandoned > 10 && given_up > 1, "{abandoned} {given_up}");
}

/// Writes as `write_with_checkpoints` does, with a fault in a checkpoint; makes another checkpoint, goes on in
/// another opening, and checks what crashes leave of that.
fn crash_after_fault(at: u64, sample: &Sample) -> bool {
    const IMAGES: usize = 4;
    let disk = Disk::default();
    let faults = Faults::new(disk.io(), at, Fault::Errno(libc::EIO), false);
    let io = faults.io();
    let Ok(store) = Store::open(StoreOptions { io, ..on(&disk) }) else {
        return true;
    };
    let keys = write_with_checkpoints(&store);
    if store.checkpoint_statistics().failed == 0 {
        return faults.has_failed();
    }
    let from = disk.operations();
    // Whether it is made or not.
    let _ = store.checkpoint();
    drop(store);
    let store = Store::open(on(&disk)).unwrap();
    put(&store, tree_named(&store, "t"), b"last", b"value");
    store.sync().unwrap();
    let last = disk.operations();
    drop(store);
    for image in sample.below(IMAGES * (disk.operations() + 1 - from)) {
        let (after, seed) = (from + image / IMAGES, image % IMAGES);
        let context = format!("call {at}, after {after}, seed {seed}");
        let store = Store::open(on(&disk.images(after, (8 * after + seed) as u64)));
        let store = store.unwrap_or_else(|why| panic!("{context}: {why:?}"));
        let tree = tree_named(&store, "t");
        for key in 0..keys {
            assert_eq!(get(tree, &[key]), Some(vec![key; 300]), "{context}, {key}");
        }
        assert!(after < last || get(tree, b"last").is_some(), "{context}");
    }
    true
}

/// Put back: note a checkpoint only after the log was cut, and the next one of the same number replaces its parts.
#[test]
fn what_follows_a_fault_in_a_checkpoint_survives_crashes() {
    models::check(&[Line::FoundManifestIsSynced], || {
        let sample = models::sample();
        // Ends: when no call is left to fail.
        for at in 0.. {
            if !crash_after_fault(at, &sample) {
                assert!(at > 30, "{at} calls");
                break;
            }
        }
    });
}

/// Opens a store whose files these are; returns its state.
fn open_changed(files: BTreeMap<Vec<u8>, Vec<u8>>) -> Result<State, OpenFault> {
    Store::open(on(&Disk::with(files))).map(|store| state(&store))
}

fn is_of_log(path: &[u8]) -> bool {
    path.starts_with(b"/disk/log-")
}

/// Every byte of a store is flipped, or a sample of them: those of a checkpoint, and of its manifest, are noticed
/// where they are; of the log, see its tests.
///
/// Put back: leave any member out of a checksum; do not compare a part's length; take a manifest's word for what a
/// part has.
#[test]
fn a_flipped_byte_of_a_checkpoint_is_noticed() {
    let (disk, history) = some_checkpoints();
    let files = disk.files();
    let expected = history.states.last().unwrap();
    assert_eq!(open_changed(files.clone()).unwrap(), *expected);
    let (sample, mut noticed) = (Sample::new(), 0);
    for (path, bytes) in &files {
        for at in sample.below(bytes.len()) {
            let mut flipped = files.clone();
            flipped.get_mut(path).unwrap()[at] ^= 1 << (at % 8);
            match open_changed(flipped) {
                Ok(found) => {
                    assert!(is_of_log(path), "byte {at} of {path:?}");
                    assert!(found == *expected || history.states.contains(&found));
                }
                Err(OpenFault::Corrupt(failure)) => {
                    let is_there = failure.file.bytes() == path && failure.offset <= at as u64;
                    assert!(
                        is_of_log(path) || is_there,
                        "{failure:?}, byte {at} of {path:?}"
                    );
                    noticed += 1;
                }
                Err(why) => panic!("{why:?}, byte {at} of {path:?}"),
            }
        }
    }
    assert!(noticed > sample.share(500), "{noticed}");
}

/// Put back: read to the end of the file, whatever the manifest says.
#[test]
fn a_part_that_is_missing_or_has_another_length_is_corrupt() {
    let files = some_checkpoints().0.files();
    let parts: Vec<_> = (files.keys())
        .filter(|path| !is_of_log(path) && !path.ends_with(b"lock"))
        .collect();
    assert_eq!(parts.len(), 3, "two parts, and the manifest");
    for path in parts {
        let is_manifest = path.ends_with(b"manifest");
        for change in 0..4 {
            let mut changed = files.clone();
            let bytes = changed.get_mut(path).unwrap();
            match change {
                0 => bytes.truncate(bytes.len() - 1),
                1 => bytes.truncate(0),
                2 => bytes.push(0),
                _ => _ = changed.remove(path),
            }
            // Without the manifest there is no checkpoint, but the log does not begin at its beginning.
            let Err(OpenFault::Corrupt(failure)) = open_changed(changed) else {
                panic!("change {change} of {path:?}");
            };
            let names_log = is_manifest && change == 3;
            assert_eq!(failure.file.bytes() == path, !names_log, "{failure:?}");
        }
    }
}

/// Put back: forget the checkpoint's trees when the whole log is read; take an empty state for the whole log.
#[test]
fn salvage_reads_the_log_if_a_checkpoint_is_corrupt_and_the_log_is_whole() {
    let salvaging = |files| {
        Store::open(StoreOptions {
            salvages: true,
            ..on(&Disk::with(files))
        })
    };
    for is_cut in [false, true] {
        let disk = Disk::default();
        let store = Store::open(on(&disk)).unwrap();
        let tree = tree_named(&store, "one");
        for key in 0..if is_cut { 200 } else { 20u8 } {
            put(&store, tree, &[key], &[1; 100]);
        }
        store.checkpoint().unwrap();
        put(&store, tree, b"later", b"value");
        store.close().unwrap();
        let expected = state(&store);
        drop(store);
        let mut files = disk.files();
        assert_eq!(open_changed(files.clone()).unwrap(), expected);
        for (path, bytes) in &mut files {
            if path.starts_with(b"/disk/checkpoint-") {
                bytes[60] ^= 1;
            }
        }
        match (salvaging(files), is_cut) {
            (Ok(store), false) => assert_eq!(state(&store), expected),
            (Err(OpenFault::Corrupt(_)), true) => {}
            (opened, _) => panic!("{:?}, {is_cut}", opened.map(drop)),
        }
    }
}

/// After salvage, the checkpoint that was refused is gone before anything is committed: so the store opens without
/// salvage, whatever a crash leaves.
///
/// Put back: leave the manifest in `keep`.
#[test]
fn a_store_that_was_salvaged_opens_again() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    let tree = tree_named(&store, "one");
    (0..20u8).for_each(|key| _ = put(&store, tree, &[key], &[1; 100]));
    store.checkpoint().unwrap();
    store.close().unwrap();
    drop(store);
    let mut files = disk.files();
    for (path, bytes) in &mut files {
        if path.starts_with(b"/disk/checkpoint-") {
            bytes[60] ^= 1;
        }
    }
    let disk = Disk::with(files);
    let store = Store::open(StoreOptions {
        salvages: true,
        ..on(&disk)
    });
    let store = store.unwrap();
    put(&store, tree_named(&store, "one"), b"later", b"value");
    store.sync().unwrap();
    let committed = disk.operations();
    let expected = state(&store);
    drop(store);
    assert_eq!(open_changed(disk.files()).unwrap(), expected);
    for after in 0..=disk.operations() {
        for seed in 0..8 {
            match Store::open(on(&disk.images(after, seed))) {
                Ok(store) => {
                    assert!(
                        after < committed || state(&store) == expected,
                        "{after}, {seed}"
                    );
                }
                Err(OpenFault::Corrupt(_)) if after < committed => {}
                Err(why) => panic!("after {after}, seed {seed}: {why:?}"),
            }
        }
    }
}

/// Put back: take any number for the highest.
#[test]
fn a_manifest_has_no_number_that_no_commit_has() {
    for highest in [MAX_COMMIT + 1, u64::MAX] {
        let head = ManifestHead {
            store_id: 7,
            number: 1,
            highest,
            next_tree: 1,
            has_log: true,
        };
        let part = PartRecord {
            length: 96,
            entries: 0,
            crc: 0,
        };
        let disk = Disk::default();
        let manifest = Manifest::encode(&head, std::iter::empty(), &[part]).unwrap();
        let directory = Path::new(DIRECTORY).unwrap();
        disk.io().mkdir(&directory).unwrap();
        publish(&disk.io(), &directory, &manifest).unwrap();
        let read = read_manifest(&disk.io(), &directory);
        assert!(matches!(read, Err(LogError::Corrupt(_))), "{highest}");
    }
}

/// A checkpoint whose log salvage has given up opens without salvage, also if nothing was committed since.
///
/// Put back: leave out `begin_log`.
#[test]
fn a_checkpoint_whose_log_was_given_up_opens_again() {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    put(&store, tree_named(&store, "one"), b"key", b"value");
    store.checkpoint().unwrap();
    store.close().unwrap();
    let expected = state(&store);
    drop(store);
    for damage in 0..2 {
        let mut files = disk.files();
        match damage {
            0 => files.retain(|path, _| !is_of_log(path)),
            _ => (files.iter_mut().filter(|(path, _)| is_of_log(path)))
                .for_each(|(_, bytes)| bytes[0] ^= 1),
        }
        assert!(matches!(
            open_changed(files.clone()),
            Err(OpenFault::Corrupt(_))
        ));
        let salvaged = Disk::with(files);
        let options = StoreOptions {
            salvages: true,
            ..on(&salvaged)
        };
        drop(Store::open(options).unwrap());
        assert_eq!(open_changed(salvaged.files()).unwrap(), expected);
    }
}
