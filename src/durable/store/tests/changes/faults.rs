//! Crashes, calls that fail, and damage under a cursor.

use super::*;
use crate::durable::io::faults::{Fault, Faults};
use crate::durable::io::{OPEN_WRITE, Path};
use crate::protocol::{Line, models};
use crate::testing::Sample;

/// A replica goes on with what a crash has left: it never has more than that.
///
/// Put back: in `reached`, return `written` for `Durable`.
#[test]
fn a_replica_goes_on_after_a_crash() {
    models::check(&[Line::LogReachesCheckpoint], || {
        (0..3).for_each(crash_and_go_on)
    });
}

fn crash_and_go_on(seed: u64) {
    let disk = Disk::default();
    let store = Store::open(on(&disk)).unwrap();
    let (mut random, mut history) = (Random(seed), new_history());
    let mut changes = store.changes(0, &DURABLE).unwrap();
    let mut replicas = vec![(disk.operations(), Replica::default())];
    for _ in 0..60 {
        extend(&mut history, &disk, &store, 1, &mut random);
        let (_, mut replica) = replicas.last().unwrap().clone();
        replica.follow(&mut changes, |_| {});
        // Afterwards: an image of so many operations has what the replica has.
        replicas.push((disk.operations(), replica));
    }
    drop(changes);
    let (mut opened, mut went_on) = (0, 0);
    for after in replicas[0].0..=disk.operations() {
        let image = disk.images(after, after as u64);
        let store = Store::open(on(&image)).unwrap();
        let before = replicas.iter().rfind(|(at, _)| *at <= after);
        let mut replica = before.unwrap().1.clone();
        let number = replica.number;
        let mut changes = store.changes(number, &DURABLE).unwrap();
        replica.follow(&mut changes, |_| {});
        assert_eq!(replica.state(), state(&store), "after {after}");
        went_on += usize::from(replica.number > number);
        opened += 1;
    }
    assert!(opened > 100 && went_on > 20, "{opened}, {went_on}");
}

/// Put back: move on before a frame is read.
#[test]
fn a_call_that_failed_is_made_again() {
    for fault in [Fault::Errno(libc::EIO), Fault::Short] {
        let disk = Disk::default();
        let mut history = new_history();
        let store = Store::open(StoreOptions {
            retained_log_bytes: u64::MAX,
            ..on(&disk)
        })
        .unwrap();
        extend(&mut history, &disk, &store, 120, &mut Random(3));
        drop(store);
        let mut failed = 0;
        // Ends: when no call is left to fail.
        for at in 0.. {
            let faults = Faults::new(disk.io(), at, fault, false);
            let opened = Store::open(StoreOptions {
                io: faults.io(),
                is_read_only: true,
                must_exist: true,
                ..on(&disk)
            });
            let (Ok(store), false) = (opened, faults.has_failed()) else {
                continue;
            };
            let mut replica = Replica::default();
            // Ends: one call fails.
            let mut changes = loop {
                match store.changes(0, &DURABLE) {
                    Ok(changes) => break changes,
                    Err(ChangesFault::Io(_)) => failed += 1,
                    Err(why) => panic!("{why:?}"),
                }
            };
            loop {
                match changes.next() {
                    Ok(Some(change)) => replica.apply(&change),
                    Ok(None) => break,
                    Err(ChangesFault::Io(failure)) => {
                        assert_eq!(failure.errno, libc::EIO);
                        failed += 1;
                    }
                    Err(why) => panic!("{why:?}"),
                }
            }
            assert_eq!(replica.state(), state(&store), "{fault:?} at {at}");
            if !faults.has_failed() {
                break;
            }
        }
        let fails = fault != Fault::Short;
        assert_eq!(failed > 20, fails, "{failed}");
    }
}

/// The files of a store whose log has segments before its checkpoint; and what its changes build.
fn old_segments() -> (BTreeMap<Vec<u8>, Vec<u8>>, Replica) {
    let disk = Disk::default();
    let store = Store::open(StoreOptions {
        retained_log_bytes: u64::MAX,
        ..on(&disk)
    })
    .unwrap();
    let tree = tree_named(&store, "one");
    for key in 0..120u8 {
        put(&store, tree, &[key], &[key; 200]);
    }
    store.checkpoint().unwrap();
    let mut whole = Replica::default();
    whole.follow(&mut store.changes(0, &WRITTEN).unwrap(), |_| {});
    drop(store);
    (disk.files(), whole)
}

fn write_byte(disk: &Disk, path: &[u8], at: usize, byte: u8) {
    let path = Path::new(path).unwrap();
    let file = disk.io().open(&path, OPEN_WRITE).unwrap();
    file.write_at(&[byte], at as u64).unwrap();
}

/// Passes on what there is.
fn read_all(changes: &mut Changes<'_>, replica: &mut Replica) -> Result<(), ChangesFault> {
    while let Some(change) = changes.next()? {
        replica.apply(&change);
    }
    Ok(())
}

/// One byte in seven of an old segment, or those of a sample, is damaged: that is found, or changes nothing. When it
/// is right again, the cursor goes on.
///
/// Put back: in `read_frame`, take no notice of a chain that breaks; in `advance`, keep the window after an error.
#[test]
fn damage_of_an_old_segment_is_found_where_it_is() {
    let (files, whole) = old_segments();
    let (path, bytes) = (files.iter())
        .find(|(path, _)| path.starts_with(b"/disk/log-"))
        .unwrap();
    let (sample, mut found) = (Sample::new(), 0);
    for at in sample.below(bytes.len().div_ceil(7)).map(|at| 7 * at) {
        let mut damaged = files.clone();
        damaged.get_mut(path).unwrap()[at] ^= 0x10;
        let disk = Disk::with(damaged);
        let opened = Store::open(on(&disk));
        let Ok(store) = opened else {
            // A header that recovery needs.
            assert!(at < 80);
            continue;
        };
        let mut replica = Replica::default();
        let mut changes = match store.changes(0, &DURABLE) {
            Err(ChangesFault::TooOld | ChangesFault::Lost) => {
                assert!(at < 80, "byte {at}");
                continue;
            }
            changes => changes.unwrap(),
        };
        match read_all(&mut changes, &mut replica) {
            Ok(()) => {}
            Err(ChangesFault::Corrupt(failure)) => {
                assert_eq!(failure.file.bytes(), path);
                assert!(failure.offset as usize <= at);
                found += 1;
                write_byte(&disk, path, at, bytes[at]);
                read_all(&mut changes, &mut replica).unwrap();
            }
            Err(why) => panic!("{why:?}"),
        }
        assert_eq!(replica.state(), whole.state(), "byte {at}");
    }
    assert!(found > sample.share(500), "{found}");
}

/// Its header is valid, and names another checksum of the frame before.
///
/// Put back: in `enter`, compare no predecessor.
#[test]
fn a_segment_that_follows_another_one_is_refused() {
    const CHAIN: usize = 64;
    const CHECKSUM: usize = 76;
    let (mut files, _) = old_segments();
    let mut logs = files
        .iter_mut()
        .filter(|(path, _)| path.starts_with(b"/disk/log-"));
    let (path, bytes) = logs.nth(1).unwrap();
    let path = path.clone();
    bytes[CHAIN] ^= 1;
    let checksum = crc32c::crc32c(&bytes[..CHECKSUM]);
    bytes[CHECKSUM..][..4].copy_from_slice(&checksum.to_le_bytes());
    let store = Store::open(on(&Disk::with(files))).unwrap();
    let mut changes = store.changes(0, &DURABLE).unwrap();
    match read_all(&mut changes, &mut Replica::default()) {
        Err(ChangesFault::Corrupt(failure)) => {
            assert_eq!(failure.file.bytes(), path);
            assert_eq!(failure.offset, 40);
        }
        outcome => panic!("{outcome:?}"),
    }
}

/// Put back: in `Follower::wait`, do not look for the failure.
#[test]
fn a_wait_ends_when_the_log_fails() {
    let mut failed = 0;
    let mut positions = 100..;
    // Ends: not all of the calls are the cursor's.
    while positions.start < 110 || failed == 0 {
        let at = positions.next().unwrap();
        let disk = Disk::default();
        let faults = Faults::new(disk.io(), at, Fault::Errno(libc::EIO), true);
        let store = Store::open(StoreOptions {
            io: faults.io(),
            ..on(&disk)
        })
        .unwrap();
        let tree = tree_named(&store, "t");
        assert!(!faults.has_failed());
        thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                let mut changes = store.changes(0, &DURABLE).unwrap();
                let mut replica = Replica::default();
                // Ends: a call fails, of the log or of the cursor.
                while changes.wait(None) && read_all(&mut changes, &mut replica).is_ok() {}
            });
            let write = || {
                let is_written = pinned(tree, |pin| {
                    let written = store.put(tree, pin, b"key", b"value", Condition::None);
                    written.is_ok()
                });
                is_written && store.sync().is_ok()
            };
            // Ends: one of the calls fails.
            while !faults.has_failed() {
                write();
            }
            failed += usize::from(!write());
            waiting.join().unwrap();
        });
    }
}
