//! Recovery by several threads, from logs that are right, wrong, or too large for the memory; its progress.

use std::ffi::c_void;

use super::*;
use crate::durable::io::memory::Random;
use crate::durable::log::{LogEnd, LogOptions};
use crate::durable::store::record::{Change, encode_tree, tree_size};
use crate::durable::store::recover::MOST_THREADS;
use crate::index::memory::counting::Counting;
use crate::versioned::Kind;

/// Each tree's name, and of each key the value and its number.
type State = Vec<(String, Vec<(Vec<u8>, Vec<u8>, u64)>)>;

fn state(store: &Store) -> State {
    let mut state = State::new();
    store.each_tree(|name, tree| {
        let mut rows = Vec::new();
        pinned(tree, |pin| {
            (tree
                .versioned()
                .scan_at(pin, &Range::all(), LATEST, &mut 0, |key, version| {
                    rows.push((key.to_vec(), version.bytes().to_vec(), version.number()));
                    ControlFlow::Continue(())
                }))
            .unwrap();
        });
        state.push((name.to_str().unwrap().into(), rows));
        ControlFlow::Continue(())
    });
    state
}

fn key(random: &mut Random) -> Vec<u8> {
    match random.below(3) {
        0 => vec![b'a' + random.below(3) as u8],
        1 => format!("{:02}", random.below(40)).into_bytes(),
        _ => format!("a key that is longer than {}", random.below(100)).into_bytes(),
    }
}

/// Writes at random to some trees, of which some are made late. Returns the state.
fn write_at_random(disk: &Disk, random: &mut Random) -> State {
    let store = Store::open(on(disk)).unwrap();
    for _ in 0..600 {
        let trees = ["one", "two", "three", "four"].map(|name| tree_named(&store, name));
        let tree = trees[random.below(4)];
        let value = vec![random.below(256) as u8; [0, 7, 60, 150][random.below(4)]];
        match random.below(5) {
            0 | 1 => _ = put(&store, tree, &key(random), &value),
            2 => pinned(tree, |pin| {
                _ = store
                    .remove(tree, pin, &key(random), Condition::None)
                    .unwrap();
            }),
            3 => {
                _ = store
                    .rename(tree, &key(random), &key(random), true)
                    .unwrap()
            }
            _ => {
                let mut batch = Batch::new(store.source());
                for _ in 0..random.below(5) {
                    let tree = trees[random.below(4)];
                    match random.below(3) {
                        0 => add(&mut batch, tree, &key(random), Action::Remove),
                        _ => add(
                            &mut batch,
                            tree,
                            &key(random),
                            Action::Put { value: &value },
                        ),
                    }
                }
                _ = store.commit(&batch).unwrap();
            }
        }
    }
    store.close().unwrap();
    state(&store)
}

/// With any number of threads, the keys, values and numbers are those that were written; and no tombstone
/// and no overwritten version is left.
///
/// Put back: in `lane_of`, hash the value, too; in `load_removal`, keep the key; in `Replay::end`, hand nothing
/// on; in `apply`, leave out the last window; in `Lane::next`, take the last batch.
#[test]
fn any_number_of_threads_recovers_what_was_written() {
    for seed in 0..6 {
        let disk = Disk::default();
        let mut random = Random(seed);
        for round in 0..2 {
            let written = write_at_random(&disk, &mut random);
            for recovery_threads in [1, 2, 3, 4, 1000] {
                let options = StoreOptions {
                    recovery_threads,
                    is_read_only: round == 0,
                    must_exist: round == 0,
                    ..on(&disk)
                };
                let store = Store::open(options).unwrap();
                assert_eq!(store.recovery().threads, recovery_threads.min(MOST_THREADS));
                assert_eq!(state(&store), written);
                store.each_tree(|_, tree| {
                    check(tree);
                    let keys = content(tree).len() as u64;
                    assert_eq!(tree.index().key_count(), keys);
                    let counts = pinned(tree, |pin| tree.versioned().counts(pin));
                    assert_eq!((counts.versions, counts.tombstones), (keys, 0));
                    ControlFlow::Continue(())
                });
            }
        }
    }
}

/// A record of a test: its kind and its body.
type Raw = (u8, Vec<u8>);

fn tree_record(number: u32, name: &str) -> Raw {
    let mut body = Vec::with_capacity(tree_size(name));
    encode_tree(number, name, |bytes| body.extend_from_slice(bytes));
    (RecordKind::Tree as u8, body)
}

fn dropped_record(number: u32, name: &str) -> Raw {
    (RecordKind::Dropped as u8, tree_record(number, name).1)
}

fn change(tree: u32, key: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    let change = Change {
        tree,
        kind: Kind::Value,
        key,
        value: b"value",
    };
    change.encode(|bytes| body.extend_from_slice(bytes));
    body
}

fn commit(bodies: &[Vec<u8>]) -> Raw {
    (RecordKind::Commit as u8, bodies.concat())
}

/// A log whose frames have these records.
fn log_of(frames: &[&[Raw]]) -> Disk {
    let disk = Disk::default();
    let mut options = LogOptions::new(disk.io(), Some(Path::new(DIRECTORY).unwrap()), 7);
    options.buffer_bytes = 1 << 16;
    let log = Log::open(options, LogEnd::new()).unwrap();
    for records in frames {
        let places: Vec<_> = (records.iter())
            .map(|(_, body)| log.reserve(body.len()).unwrap().take())
            .collect();
        // The flusher sees none of them before the first is filled.
        for (place, (kind, body)) in places.into_iter().zip(*records).rev() {
            place.fill(*kind, |writer| writer.write(body));
        }
        log.sync().unwrap();
    }
    log.close().unwrap();
    disk
}

/// What is wrong with a record is found, at its offset, whatever the number of threads. Salvage drops the
/// whole frame, with the trees that it makes, and what follows.
///
/// Put back: in `visit`, check each record just before it is taken; in `check`, take no notice of the trees of
/// the same frame; compare no name of a dropped tree.
#[test]
fn a_record_that_makes_no_sense_drops_its_frame() {
    let good = [
        tree_record(1, "t"),
        commit(&[change(1, b"a"), change(1, b"b")]),
    ];
    let cut = change(1, b"z")[..20].to_vec();
    let wrong = [
        commit(&[change(1, b"x"), change(3, b"y")]),
        commit(&[change(1, b"x"), change(0, b"y")]),
        commit(&[change(1, b"x"), cut]),
        (9, Vec::new()),
        tree_record(2, "late"),
        tree_record(3, "t"),
        tree_record(3, "late"),
        tree_record(3, "zero\0"),
        tree_record(4, "other"),
        (RecordKind::Tree as u8, vec![3, 0, 0]),
        dropped_record(1, "late"),
        dropped_record(2, "t"),
        dropped_record(3, "late"),
    ];
    for wrong in &wrong {
        let before = [
            tree_record(2, "late"),
            commit(&[change(2, b"k"), change(1, b"a")]),
        ];
        let frame = [before[0].clone(), before[1].clone(), wrong.clone()];
        let disk = log_of(&[&good, &frame, &[commit(&[change(1, b"after")])]]);
        let mut failures = Vec::new();
        for threads in 1..=4 {
            let options = |salvages| StoreOptions {
                recovery_threads: threads,
                salvages,
                ..on(&disk)
            };
            match Store::open(options(false)) {
                Err(OpenFault::Corrupt(failure)) => failures.push(failure),
                other => panic!("{wrong:?}: {:?}", other.map(|_| ())),
            }
            let image = Disk::with(disk.files());
            let salvaged = StoreOptions {
                io: image.io(),
                ..options(true)
            };
            let store = Store::open(salvaged).unwrap();
            assert_eq!(store.tree_count(), 1);
            let tree = tree_named(&store, "t");
            let expected = [&b"a"[..], b"b"].map(|key| (key.to_vec(), b"value".to_vec()));
            assert_eq!(content(tree), expected);
            put(&store, tree_named(&store, "late"), b"key", b"value");
            store.close().unwrap();
            drop(store);
            let store = Store::open(on(&image)).unwrap();
            assert_eq!(get(tree_named(&store, "late"), b"key").unwrap(), b"value");
        }
        // Headers, the good frame, and the two records before.
        let units = |records: &[Raw]| {
            let bytes = records
                .iter()
                .map(|(_, body)| (8 + body.len() as u64).next_multiple_of(16));
            bytes.sum::<u64>()
        };
        let offset = 80 + 64 + units(&good) + 64 + units(&before);
        for failure in failures {
            assert_eq!(failure.offset, offset, "{wrong:?}");
        }
    }
}

/// An allocation fails while a log is replayed: opening says so, frees everything, and leaves the directory
/// as it was.
///
/// Put back: in `Lane::run`, do not abandon the lane (the test waits for ever); in `replay_log`, ignore what
/// the threads return.
#[test]
fn an_opening_without_memory_fails_and_frees_everything() {
    let disk = Disk::default();
    let written = write_at_random(&disk, &mut Random(1));
    let files = disk.files();
    let counting = Counting::default();
    // Opens with an allocation that fails; returns whether that made the opening fail.
    let open = |recovery_threads, fails_at| {
        let options = StoreOptions {
            recovery_threads,
            is_read_only: true,
            allocator: Some(counting.allocator()),
            ..on(&disk)
        };
        counting.fail_at(fails_at);
        let opened = Store::open(options);
        let left = counting.until_failure();
        counting.fail_at(0);
        let has_failed = match opened {
            Ok(store) => {
                assert_eq!(state(&store), written);
                false
            }
            Err(OpenFault::OutOfMemory) => true,
            Err(fault) => panic!("{fault:?}"),
        };
        assert_eq!(counting.live(), 0, "allocation {fails_at}");
        assert!(disk.files() == files);
        (has_failed, fails_at - left)
    };
    for recovery_threads in 1..=3 {
        let (_, count) = open(recovery_threads, u64::MAX);
        // The last ones are those of batches that are handed on at the end.
        let some = (1..count).step_by(29).chain(count - 20..=count);
        let failures = some.filter(|&fails_at| open(recovery_threads, fails_at).0);
        assert!(failures.count() > 20, "{recovery_threads} threads");
    }
}

/// What an opening has reported, and after how many reports it is stopped.
struct Reports {
    seen: Vec<Progress>,
    most: usize,
}

fn report(ctx: *mut c_void, progress: &Progress) -> ControlFlow<()> {
    // SAFETY: `open_reporting` passes its reports.
    let reports = unsafe { &mut *ctx.cast::<Reports>() };
    reports.seen.push(*progress);
    match reports.seen.len() >= reports.most {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    }
}

/// Opens a store; returns the reports, too.
fn open_reporting(options: StoreOptions, most: usize) -> (Result<Store, OpenFault>, Vec<Progress>) {
    let mut reports = Reports {
        seen: Vec::new(),
        most,
    };
    let options = StoreOptions {
        // SAFETY: the reports live until the opening ends, on this thread.
        progress: Some(unsafe { OnProgress::new(report, (&raw mut reports).cast()) }),
        ..options
    };
    let opened = Store::open(options);
    (opened, reports.seen)
}

/// Put back: in `replay_log`, report no end; count no records.
#[test]
fn progress_rises_to_the_end() {
    let disk = Disk::default();
    write_at_random(&disk, &mut Random(2));
    for recovery_threads in [1, 3] {
        let options = StoreOptions {
            recovery_threads,
            ..on(&disk)
        };
        let (store, seen) = open_reporting(options, usize::MAX);
        let store = store.unwrap();
        assert!(seen.len() > 10, "{} reports", seen.len());
        assert!(seen.is_sorted_by_key(|progress| (progress.bytes, progress.records)));
        let end = seen.last().unwrap();
        assert_eq!((end.phase, end.bytes), (Phase::Log, end.total));
        assert_eq!(end.records, store.report().records);
        assert!(store.report().bytes <= end.total);
        assert!(seen.iter().all(|progress| progress.total == end.total));
    }
    let (store, seen) = open_reporting(on(&Disk::default()), usize::MAX);
    store.unwrap();
    assert_eq!(seen, [Progress::new(Phase::Log)]);
}

/// Put back: in `restore_content`, report no end; in `Reading::note`, do not look whether it is stopped.
#[test]
fn the_checkpoint_is_a_phase_of_its_own() {
    let disk = Disk::default();
    write_at_random(&disk, &mut Random(4));
    let store = Store::open(on(&disk)).unwrap();
    let keys: u64 = state(&store)
        .iter()
        .map(|(_, rows)| rows.len() as u64)
        .sum();
    store.checkpoint().unwrap();
    store.close().unwrap();
    let written = state(&store);
    drop(store);
    for recovery_threads in 1..=3 {
        let open = |most| {
            let options = StoreOptions {
                recovery_threads,
                is_read_only: true,
                ..on(&disk)
            };
            open_reporting(options, most)
        };
        let (opened, seen) = open(usize::MAX);
        assert_eq!(state(&opened.unwrap()), written);
        let of = |phase| seen.iter().filter(move |progress| progress.phase == phase);
        assert!(of(Phase::Checkpoint).is_sorted_by_key(|progress| progress.bytes));
        let end = of(Phase::Checkpoint).next_back().unwrap();
        assert_eq!((end.bytes, end.records), (end.total, keys));
        assert_eq!(of(Phase::Log).next_back(), seen.last());
        // With several threads, the others may be faster.
        let count = of(Phase::Checkpoint).count();
        assert!(count > 10 || recovery_threads > 1, "{count} reports");
        for most in 1..count {
            let (opened, seen) = open(most);
            match opened {
                Ok(store) => assert_eq!(state(&store), written),
                Err(OpenFault::Stopped) => assert_eq!(seen.len(), most),
                Err(fault) => panic!("{fault:?}"),
            }
        }
    }
}

/// Put back: in `visit`, take no notice of `Break`; abandon no lane (the test waits for ever).
#[test]
fn an_opening_is_stopped_by_its_progress() {
    let disk = Disk::default();
    let written = write_at_random(&disk, &mut Random(3));
    let files = disk.files();
    for recovery_threads in [1, 2, 4] {
        let disk = Disk::with(files.clone());
        let mut most = 1;
        // Ends: the last round is not stopped.
        loop {
            let options = StoreOptions {
                recovery_threads,
                ..on(&disk)
            };
            let (opened, seen) = open_reporting(options, most);
            if let Ok(store) = opened {
                assert_eq!(state(&store), written);
                assert!(most > 10 && most > seen.len());
                break;
            }
            assert!(matches!(opened, Err(OpenFault::Stopped)));
            assert_eq!(seen.len(), most);
            assert!(disk.files() == files);
            most += 1 + most / 8;
        }
    }
}
