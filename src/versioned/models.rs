//! Model checks of versioned trees (`make check-models`), with shuttle: see the models of the index.

use std::ffi::c_void;
use std::sync::Arc;

use shuttle::thread;

use super::*;
use crate::index::memory::Allocator;
use crate::index::tree::TreeOptions;
use crate::index::tree::models::harness::{explore, explore_more};
use crate::protocol::Line;
use crate::protocol::models::check;

const KEY: &[u8] = b"key";

struct Subject {
    tree: Tree,
}

impl Subject {
    fn new() -> Arc<Self> {
        Self::with(Freeing::InTrims)
    }

    fn options(freeing: Freeing) -> TreeOptions {
        TreeOptions {
            values: values(),
            keeps_everything: freeing == Freeing::Never,
            ..TreeOptions::default()
        }
    }

    fn with(freeing: Freeing) -> Arc<Self> {
        Self::made(Self::options(freeing), freeing)
    }

    fn made(options: TreeOptions, freeing: Freeing) -> Arc<Self> {
        let mut tree = Tree::with_options(&options).unwrap();
        attach(&mut tree, freeing, None).unwrap();
        Arc::new(Self { tree })
    }

    fn of(&self) -> VersionedTree<'_> {
        VersionedTree::of(&self.tree).unwrap()
    }

    fn put(&self, key: &[u8], number: u64, kind: Kind) -> Result<(), Refused> {
        let put = Put {
            number,
            kind,
            digest: None,
            bytes: b"",
        };
        let guard = self.tree.guard().unwrap();
        self.of().put(guard.pin(), key, &put, false)
    }

    /// Returns the number of the value that a reader sees.
    fn seen(&self, key: &[u8], number: u64) -> Option<u64> {
        let guard = self.tree.guard().unwrap();
        match self.of().get(guard.pin(), key, number) {
            Found::Version(version) => Some(version.number()),
            _ => None,
        }
    }

    /// Deletes all keys that begin with k, at a number.
    fn remove_range(&self, number: u64) {
        let guard = self.tree.guard().unwrap();
        let of = self.of();
        of.remove_range(guard.pin(), b"k", b"l", number).unwrap();
        guard.pin().flush();
    }

    fn trim(&self, floor: u64) {
        let guard = self.tree.guard().unwrap();
        _ = self.of().trim(guard.pin(), floor, 100).unwrap();
    }

    fn check(&self) {
        let guard = self.tree.guard().unwrap();
        let sound = self.of().check(guard.pin(), &mut |line| panic!("{line}"));
        assert_eq!(sound, Ok(true));
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // SAFETY: all threads have ended.
        unsafe { detach(&self.tree) }
    }
}

fn spawn(
    of: &Arc<Subject>,
    work: impl FnOnce(&Subject) + Send + 'static,
) -> thread::JoinHandle<()> {
    let subject = Arc::clone(of);
    thread::spawn(move || work(&subject))
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Two groups are published while a reader opens snapshots.
#[test]
fn what_a_snapshot_sees_does_not_change() {
    check(&[Line::VisibleIsBelowPending], || {
        explore(|| {
            let subject = Subject::new();
            let writers = [b"a", b"b"].map(|key| {
                spawn(&subject, move |subject| {
                    let number = subject.of().take_numbers(1).unwrap();
                    subject.put(key, number, Kind::Value).unwrap();
                    subject.of().publish(number).unwrap();
                })
            });
            let reader = spawn(&subject, |subject| {
                let snapshot = subject.of().snapshot().unwrap();
                let see = || [b"a", b"b"].map(|key| subject.seen(key, snapshot.number()));
                let first = see();
                assert_eq!(see(), first);
            });
            join(writers.into_iter().chain([reader]));
            let both = [b"a", b"b"].map(|key| subject.seen(key, LATEST).is_some());
            assert_eq!(both, [true, true]);
        });
    });
}

/// A group is written while another thread trims.
#[test]
fn a_trim_does_not_go_beyond_pending_groups() {
    check(&[Line::FloorIsVisible], || {
        explore(|| {
            let subject = Subject::new();
            let number = subject.of().take_numbers(1).unwrap();
            let trimmer = spawn(&subject, |subject| subject.trim(LATEST));
            let writer = spawn(&subject, move |subject| {
                subject.put(KEY, number, Kind::Value).unwrap();
                subject.of().publish(number).unwrap();
            });
            join([trimmer, writer]);
        });
    });
}

/// A key is overwritten and its old version trimmed while another thread reads it.
#[test]
fn a_reader_at_the_latest_number_is_not_overtaken_by_a_trim() {
    check(
        &[Line::LatestChecksFloor, Line::FloorBeforeUnlinking],
        || {
            explore(|| {
                let subject = Subject::new();
                let first = subject.of().take_numbers(1).unwrap();
                subject.put(KEY, first, Kind::Value).unwrap();
                subject.of().publish(first).unwrap();
                let writer = spawn(&subject, |subject| {
                    let number = subject.of().take_numbers(1).unwrap();
                    subject.put(KEY, number, Kind::Value).unwrap();
                    subject.of().publish(number).unwrap();
                    subject.trim(LATEST);
                });
                let reader = spawn(&subject, |subject| {
                    assert!(subject.seen(KEY, LATEST).is_some());
                });
                join([writer, reader]);
                subject.check();
            });
        },
    );
}

/// Overwrites free what they hide, beside a reader and a snapshot.
#[test]
fn an_overwrite_frees_nothing_that_a_reader_needs() {
    check(&[Line::FloorBeforeUnlinking], || {
        explore(|| {
            let subject = Subject::with(Freeing::WhenOverwritten);
            let store = |subject: &Subject| {
                let number = subject.of().take_numbers(1).unwrap();
                subject.put(KEY, number, Kind::Value).unwrap();
                subject.of().publish(number).unwrap();
            };
            store(&subject);
            let writer = spawn(&subject, move |subject| {
                store(subject);
                store(subject);
                store(subject);
            });
            let reader = spawn(&subject, |subject| {
                assert!(subject.seen(KEY, LATEST).is_some());
            });
            let holder = spawn(&subject, |subject| {
                let snapshot = subject.of().snapshot().unwrap();
                let first = subject.seen(KEY, snapshot.number());
                assert!(first.is_some());
                assert_eq!(subject.seen(KEY, snapshot.number()), first);
            });
            join([writer, reader, holder]);
            assert_eq!(subject.seen(KEY, LATEST), Some(4));
            subject.check();
        });
    });
}

/// Known failure 55: a tombstone is trimmed while a version below it arrives.
#[test]
fn a_deleted_key_does_not_come_back() {
    check(&[Line::WritesAreAboveFloor], || {
        explore(|| {
            let subject = Subject::new();
            subject.put(KEY, 3, Kind::Tombstone).unwrap();
            let writer = spawn(&subject, |subject| _ = subject.put(KEY, 2, Kind::Value));
            let trimmer = spawn(&subject, |subject| subject.trim(3));
            join([writer, trimmer]);
            assert_eq!(subject.seen(KEY, LATEST), None);
            subject.check();
        });
    });
}

/// Known failure 53: a trim removes a version on which a reader stands.
#[test]
fn a_reader_at_a_removed_version_goes_on() {
    check(&[Line::RemovedKeepLinks], || {
        explore(|| {
            let subject = Subject::new();
            subject.put(KEY, 1, Kind::Value).unwrap();
            let snapshot = subject.of().snapshot().unwrap();
            for number in 2..=4 {
                subject.put(KEY, number, Kind::Value).unwrap();
            }
            let trimmer = spawn(&subject, |subject| subject.trim(4));
            let reader = spawn(&subject, |subject| {
                assert_eq!(subject.seen(KEY, 1), Some(1))
            });
            join([trimmer, reader]);
            assert_eq!(subject.seen(KEY, LATEST), Some(4));
            drop(snapshot);
            subject.check();
        });
    });
}

/// A list becomes long, and versions are inserted on both sides of a reader's.
#[test]
fn a_list_that_grows_loses_no_version() {
    check(&[Line::LinksBeforePublishing], || {
        explore_more(8, || {
            let subject = Subject::new();
            for number in 1..=8 {
                subject.put(KEY, 10 * number, Kind::Value).unwrap();
            }
            let writers = [25, 95].map(|number| {
                spawn(&subject, move |subject| {
                    subject.put(KEY, number, Kind::Value).unwrap()
                })
            });
            let reader = spawn(&subject, |subject| {
                for number in [10, 20, 80, 30] {
                    assert_eq!(subject.seen(KEY, number), Some(number));
                }
            });
            join(writers.into_iter().chain([reader]));
            assert_eq!(subject.seen(KEY, 29), Some(25));
            subject.check();
        });
    });
}

/// A range tombstone is removed after what it hides, beside a reader.
#[test]
fn what_a_removed_range_tombstone_hid_is_not_seen() {
    check(&[Line::RangesBeforeList], || {
        explore(|| {
            let subject = Subject::new();
            subject.put(KEY, 1, Kind::Value).unwrap();
            let snapshot = subject.of().snapshot().unwrap();
            subject.remove_range(3);
            subject.trim(3);
            subject.trim(3);
            drop(snapshot);
            let trimmer = spawn(&subject, |subject| subject.trim(3));
            let readers = [
                spawn(&subject, |subject| {
                    assert_eq!(subject.seen(KEY, LATEST), None)
                }),
                spawn(&subject, |subject| {
                    let guard = subject.tree.guard().unwrap();
                    let mut cursor =
                        VersionCursor::at_number(subject.of(), subject.of().index().allocator(), 5)
                            .unwrap();
                    assert_eq!(cursor.step(subject.of(), guard.pin(), false), Ok(false));
                }),
            ];
            join(readers.into_iter().chain([trimmer]));
            let guard = subject.tree.guard().unwrap();
            assert_eq!(subject.of().counts(guard.pin()).range_tombstones, 0);
        });
    });
}

/// Known failure 55: a range tombstone is trimmed while a version below it arrives.
#[test]
fn what_a_range_tombstone_deletes_does_not_come_back() {
    check(&[Line::RangesOutliveWrites], || {
        explore(|| {
            let subject = Subject::new();
            subject.remove_range(3);
            let writer = spawn(&subject, |subject| _ = subject.put(KEY, 2, Kind::Value));
            let trimmer = spawn(&subject, |subject| {
                subject.trim(3);
                subject.trim(3);
            });
            join([writer, trimmer]);
            assert_eq!(subject.seen(KEY, LATEST), None);
            subject.check();
        });
    });
}

/// Overwrites what it frees, and does not free it.
unsafe extern "C" fn spoil(memory: *mut c_void, size: usize, _: usize, _: *mut c_void) {
    // SAFETY: it came from `allocate`, and the tree uses it no more.
    unsafe { memory.cast::<u8>().write_bytes(0xa5, size) };
}

unsafe extern "C" fn allocate(size: usize, align: usize, _: *mut c_void) -> *mut c_void {
    let layout = std::alloc::Layout::from_size_align(size, align).unwrap();
    // SAFETY: the tree asks for no empty memory.
    unsafe { std::alloc::alloc(layout).cast() }
}

/// Writes displace suffixes and sets of range tombstones beside a reader without a guard.
#[test]
fn a_reader_without_a_guard_reads_nothing_that_was_freed() {
    check(&[Line::DisplacedIsKept], || {
        explore(|| {
            // SAFETY: any thread may call the functions.
            let allocator = unsafe { Allocator::new(allocate, spoil, std::ptr::null_mut()) };
            let options = TreeOptions {
                allocator: Some(allocator),
                ..Subject::options(Freeing::Never)
            };
            let subject = Subject::made(options, Freeing::Never);
            let long = |last: u8| [&b"more than a slice "[..], &[last]].concat();
            subject.put(&long(0), 1, Kind::Value).unwrap();
            subject.remove_range(2);
            let writer = spawn(&subject, move |subject| {
                for number in 3..6 {
                    subject
                        .put(&long(number as u8), number, Kind::Value)
                        .unwrap();
                    subject.remove_range(number);
                }
            });
            let reader = spawn(&subject, move |subject| {
                let unguarded = subject.of().unguarded().unwrap();
                for _ in 0..2 {
                    let found = subject.of().get(unguarded.pin(), &long(0), LATEST);
                    assert!(matches!(found, Found::Version(version) if version.number() == 1));
                }
            });
            join([writer, reader]);
        });
    });
}

/// A tree is sealed while another thread writes: a write that was accepted is there, and none is
/// accepted later.
#[test]
fn a_sealed_tree_keeps_what_was_accepted() {
    check(&[], || {
        explore(|| {
            let subject = Subject::new();
            let writer = spawn(&subject, |subject| {
                let stored = subject.put(KEY, 1, Kind::Value);
                assert_eq!(subject.seen(KEY, LATEST).is_some(), stored.is_ok());
            });
            let sealer = spawn(&subject, |subject| {
                subject.of().seal();
                assert_eq!(subject.put(b"other", 1, Kind::Value), Err(Refused::Sealed));
            });
            join([writer, sealer]);
        });
    });
}
