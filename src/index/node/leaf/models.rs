//! Model checks (`make check-models`): they explore every interleaving, and every order in which
//! the memory model lets stores become visible. Each also runs without each protocol line that
//! it names, and must then fail.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::index::key_source::KeySource;
use crate::index::memory::{HugePages, Memory, Source};
use crate::index::node::{AnyNode, Locked, OwnedBag, Portable, Shape};
use crate::protocol::Line;
use crate::protocol::models::check;
use crate::sync::AtomicU64;

const A: &[u8] = b"A";
const B: &[u8] = b"B";

/// A published leaf with the value 1 under A.
fn leaf_with_a() -> Arc<Leaf> {
    let leaf = Arc::new(Leaf::new());
    Locked::private(&*leaf).insert(0, &Entry::new(&Key::new(A)).with_value(1), &KeySource::NONE);
    leaf
}

fn get(leaf: &Leaf, key: &[u8]) -> Option<Option<u64>> {
    let version = leaf.head.version.stable();
    Some(match leaf.search::<Portable>(version, &Key::new(key))? {
        Found::Absent => None,
        Found::Value(value) => Some(value),
        Found::Layer(_) => unreachable!("the model has no layers"),
    })
}

/// Known failure 17: a slot freed by a remove is reused before a reader that saw it live
/// validates.
#[test]
fn a_reader_never_takes_a_reused_slot_for_its_key() {
    let lines = [
        Line::PermutationCounts,
        Line::FenceAfterLock,
        Line::FenceBeforeValidation,
    ];
    check(&lines, || {
        for (key, value) in [(A, 1), (B, 2)] {
            loom::model(move || {
                let leaf = leaf_with_a();
                let writer = {
                    let leaf = leaf.clone();
                    thread::spawn(move || {
                        Locked::lock(&*leaf).remove(0);
                        Locked::lock(&*leaf).insert(
                            0,
                            &Entry::new(&Key::new(B)).with_value(2),
                            &KeySource::NONE,
                        );
                    })
                };
                let seen = get(&leaf, key).flatten();
                assert!(seen.is_none_or(|seen| seen == value), "{seen:?}");
                writer.join().unwrap();
                assert_eq!(get(&leaf, A), Some(None));
                assert_eq!(get(&leaf, B), Some(Some(2)));
            });
        }
    });
}

/// An owner that publishes a version and continues changing the leaf appears to readers as two
/// owners: a reader with the version in between sees all of the first change, and a reader
/// with an earlier one sees nothing of a slot that is reused.
#[test]
fn changes_after_a_published_version_are_another_change() {
    check(&[Line::FenceAfterPublishedVersion], || {
        for (key, value) in [(A, 1), (B, 2)] {
            loom::model(move || {
                let leaf = leaf_with_a();
                let before = leaf.head.version.stable();
                let writer = {
                    let leaf = leaf.clone();
                    thread::spawn(move || {
                        let mut locked = Locked::lock(&*leaf);
                        locked.remove(0);
                        locked.publish_version();
                        locked.insert(0, &Entry::new(&Key::new(B)).with_value(2), &KeySource::NONE);
                    })
                };
                let version = leaf.head.version.stable();
                let seen = leaf.search::<Portable>(version, &Key::new(key));
                if let Some(Found::Value(seen)) = seen {
                    assert_eq!(seen, value);
                    assert!((version == before) == (key == A), "of another version");
                }
                writer.join().unwrap();
                assert_eq!(get(&leaf, A), Some(None));
                assert_eq!(get(&leaf, B), Some(Some(2)));
            });
        }
    });
}

/// A reader sees all of an insert or nothing of it, and need not start over.
#[test]
fn an_insert_is_seen_whole_or_not_at_all() {
    check(
        &[Line::PermutationReleases, Line::PermutationAcquires],
        || {
            loom::model(|| {
                let leaf = leaf_with_a();
                let writer = {
                    let leaf = leaf.clone();
                    thread::spawn(move || {
                        Locked::lock(&*leaf).insert(
                            1,
                            &Entry::new(&Key::new(B)).with_value(2),
                            &KeySource::NONE,
                        );
                    })
                };
                let mut entries = Entries::new();
                let version = leaf.head.version.stable();
                if leaf.snapshot::<Portable>(version, &mut entries).is_some() {
                    let seen: Vec<_> = entries
                        .iter()
                        .map(|e| (e.slice, e.kind, e.value()))
                        .collect();
                    let all =
                        [(A, 1), (B, 2)].map(|(key, value)| (Key::new(key).slice(), 1, value));
                    assert!(seen == all[..1] || seen == all, "{seen:?}");
                }
                let seen = get(&leaf, B).flatten();
                assert!(seen.is_none_or(|seen| seen == 2), "{seen:?}");
                writer.join().unwrap();
                assert_eq!(get(&leaf, B), Some(Some(2)));
            });
        },
    );
}

/// A reader that finds a value sees what its writer did before storing it: a value may be a
/// pointer to an object that was made under the lock.
#[test]
fn a_value_is_seen_with_what_its_writer_stored_before() {
    check(&[Line::ValueReleases], || {
        loom::model(|| {
            let leaf = leaf_with_a();
            let record = Arc::new(AtomicU64::new(0));
            let reader = {
                let (leaf, record) = (leaf.clone(), record.clone());
                thread::spawn(move || match get(&leaf, A) {
                    Some(Some(2)) => assert_eq!(record.load(Ordering::Relaxed), 7),
                    seen => assert_eq!(seen, Some(Some(1)), "an overwrite disturbs no reader"),
                })
            };
            let locked = Locked::lock(&*leaf);
            // As the callback of an update does.
            record.store(7, Ordering::Relaxed);
            assert_eq!(locked.replace(0, 2), 1);
            drop(locked);
            reader.join().unwrap();
            assert_eq!(get(&leaf, A), Some(Some(2)));
        });
    });
}

/// One writer owns the lock at a time, and each sees the stores of the one before.
#[test]
fn a_lock_has_one_owner() {
    check(&[Line::UnlockReleases, Line::LockAcquires], || {
        loom::model(|| {
            let leaf = leaf_with_a();
            let add = |leaf: &Leaf| {
                let locked = Locked::lock(leaf);
                let value = locked.value_in(0);
                locked.replace(0, value + 1);
            };
            let other = {
                let leaf = leaf.clone();
                thread::spawn(move || add(&leaf))
            };
            add(&leaf);
            other.join().unwrap();
            assert_eq!(get(&leaf, A), Some(Some(3)));
        })
    });
}

/// Removing the bag of a leaf that became empty must not make a reader that still sees an
/// entry return its key without the suffix. Found in review.
#[test]
fn a_snapshot_never_has_a_key_without_its_suffix() {
    const LONG: &[u8] = b"longer than a slice";
    let lines = [Line::BagIsDirty];
    check(&lines, || {
        loom::model(|| {
            let leaf = Arc::new(Leaf::new());
            let memory = Memory::new(Source::new(None), 0, HugePages::Never);
            let key = Key::new(LONG);
            {
                let mut locked = Locked::private(&*leaf);
                let lengths = [key.suffix().len()];
                let shape = Shape::for_records(lengths.into_iter());
                locked.set_bag(OwnedBag::new(&memory, shape).unwrap());
                locked.insert(0, &Entry::new(&key).with_value(1), &KeySource::NONE);
            }
            let reader = {
                let leaf = leaf.clone();
                thread::spawn(move || {
                    let mut entries = Entries::new();
                    let version = leaf.head.version.stable();
                    if leaf.snapshot::<Portable>(version, &mut entries).is_some() {
                        assert!(entries.iter().all(|entry| *entry.suffix == *key.suffix()));
                    }
                })
            };
            let mut locked = Locked::lock(&*leaf);
            locked.remove(0);
            let bag = locked.take_bag().unwrap();
            drop(locked);
            reader.join().unwrap();
            // SAFETY: removed from the leaf, and the reader has ended.
            unsafe { bag.free(&memory) };
        })
    });
}

/// Searches for a key of two slices as a reader does, in a leaf or in the layer below.
fn get_through(leaf: &Leaf, key: &[u8]) -> Option<Option<u64>> {
    let mut key = Key::new(key);
    let version = leaf.head.version.stable();
    match leaf.search::<Portable>(version, &key)? {
        Found::Absent => Some(None),
        Found::Value(value) => Some(Some(value)),
        Found::Layer(root) => {
            let AnyNode::Leaf(below) = root.kind() else {
                unreachable!("the root of this layer is a leaf")
            };
            key.shift();
            let version = below.head.version.stable();
            if !version.is_living_root() {
                return None;
            }
            Some(match below.search::<Portable>(version, &key)? {
                Found::Value(value) => Some(value),
                _ => None,
            })
        }
    }
}

/// A link to a layer replaces a group, and then a freed slot is reused. A reader finds each
/// key of the group throughout, with its value, or starts over.
#[test]
fn a_link_replaces_a_group_at_once() {
    const GROUP: [&[u8]; 2] = [b"a slice one", b"a slice two"];
    let lines = [
        Line::GroupIsDirty,
        Line::VersionAcquires,
        Line::ReadersWaitForChanges,
        Line::FenceAfterDirty,
    ];
    check(&lines, || {
        loom::model(|| {
            let memory = Memory::new(Source::new(None), 0, HugePages::Never);
            let (leaf, below) = (Arc::new(Leaf::new()), Arc::new(Leaf::new()));
            {
                let mut locked = Locked::private(&*leaf);
                let suffixes = GROUP.map(|key| Key::new(key).suffix());
                let shape = Shape::for_records(suffixes.iter().map(|suffix| suffix.len()));
                locked.set_bag(OwnedBag::new(&memory, shape).unwrap());
                for (position, key) in GROUP.into_iter().enumerate() {
                    let entry = Entry::new(&Key::new(key));
                    locked.insert(
                        position,
                        &entry.with_value(position as u64),
                        &KeySource::NONE,
                    );
                }
            }
            let writer = {
                let (leaf, below) = (leaf.clone(), below.clone());
                thread::spawn(move || {
                    let mut root = Locked::private(&*below);
                    for (position, key) in GROUP.into_iter().enumerate() {
                        let entry = Entry::new(&Key::new(Key::new(key).suffix()));
                        root.insert(
                            position,
                            &entry.with_value(position as u64),
                            &KeySource::NONE,
                        );
                    }
                    let mut locked = Locked::lock(&*leaf);
                    locked.replace_group_with_link(0..2, NodeRef::from(&*below));
                    root.set_root(true, NodeRef::from(&*leaf).as_ptr());
                    drop((root, locked));
                    Locked::lock(&*leaf).insert(
                        1,
                        &Entry::new(&Key::new(B)).with_value(7),
                        &KeySource::NONE,
                    );
                })
            };
            for (value, key) in GROUP.into_iter().enumerate() {
                let seen = get_through(&leaf, key);
                assert!(
                    seen.is_none_or(|seen| seen == Some(value as u64)),
                    "{seen:?}"
                );
            }
            writer.join().unwrap();
            for (value, key) in GROUP.into_iter().enumerate() {
                assert_eq!(get_through(&leaf, key), Some(Some(value as u64)));
            }
            assert_eq!(get(&leaf, B), Some(Some(7)));
            let bag = Locked::lock(&*leaf).take_bag().unwrap();
            // SAFETY: removed from the leaf, and no thread reads it any more.
            unsafe { bag.free(&memory) };
        })
    });
}

/// A thread raises the levels below of a leaf while a merge moves the leaf's entries to the
/// previous leaf and deletes it: either the merge reads the raised levels, or the raising thread
/// detects that the leaf has changed.
#[test]
fn levels_of_a_merged_leaf_are_copied_or_raised_again() {
    check(&[Line::MergedLeafIsDirty], || {
        loom::model(|| {
            let leaf = leaf_with_a();
            let version = leaf.version().stable();
            let merge = {
                let leaf = leaf.clone();
                thread::spawn(move || {
                    let mut locked = Locked::lock(&*leaf);
                    let levels = locked.levels_of_merged();
                    locked.delete();
                    levels
                })
            };
            leaf.raise_below(7);
            let is_raised = leaf.is_as_raised(version);
            let copied = merge.join().unwrap();
            assert!(!is_raised || copied == 7);
        });
    });
}
