//! Model checks (`make check-models`), like those of leaves.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::index::key::Key;
use crate::index::key_source::KeySource;
use crate::index::node::{Entry, Found, Lockable, Portable};
use crate::index::node::{Locked, NodeRef};
use crate::protocol::models::check;

const KEY: &[u8] = b"key";

fn empty_leaf() -> Arc<Leaf> {
    let leaf = Arc::new(Leaf::new());
    drop(Locked::private(&*leaf));
    leaf
}

fn insert(leaf: &Leaf) {
    Locked::lock(leaf).insert(
        0,
        &Entry::new(&Key::new(KEY)).with_value(1),
        &KeySource::NONE,
    );
}

fn observe(leaf: &Leaf) -> Observation {
    Observation::new(leaf, NodeRef::from(leaf).version().stable(), 0)
}

/// Whether the leaf may have changed.
fn may_differ(observation: &Observation) -> bool {
    // SAFETY: the leaf lives on.
    unsafe { observation.compare() != Comparison::Same }
}

/// A reader that has found a key does not validate an observation of its absence, even before
/// the insert has unlocked the leaf.
#[test]
fn an_absence_does_not_validate_after_the_key_was_found() {
    check(&[Line::LockedMayDiffer], || {
        loom::model(|| {
            let leaf = empty_leaf();
            let absent = observe(&leaf);
            let reader = {
                let leaf = leaf.clone();
                thread::spawn(move || {
                    let version = NodeRef::from(&*leaf).version().stable();
                    let found = leaf.search::<Portable>(version, &Key::new(KEY));
                    if let Some(Found::Value(_)) = found {
                        assert!(may_differ(&absent));
                    }
                })
            };
            insert(&leaf);
            reader.join().unwrap();
            assert!(may_differ(&absent));
        });
    });
}

/// Of two transactions that each insert a key that the other found absent, one notices.
#[test]
fn of_two_transactions_that_insert_what_the_other_missed_one_notices() {
    check(&[Line::FenceBeforeCompare], || {
        loom::model(|| {
            let leaves = [empty_leaf(), empty_leaf()];
            let absent = leaves.each_ref().map(|leaf| observe(leaf));
            let transaction = |mine: usize| {
                let (leaf, other) = (leaves[mine].clone(), absent[1 - mine]);
                move || {
                    insert(&leaf);
                    Observation::fence_before_compare();
                    may_differ(&other)
                }
            };
            let (first, second) = (transaction(0), transaction(1));
            let other = thread::spawn(first);
            let noticed = second();
            assert!(other.join().unwrap() || noticed);
        });
    });
}

/// A leaf was deleted, and its slot is reused for a leaf in the same state and with the same
/// keys: comparing an observation of the first finds a change.
#[test]
fn a_reused_slot_is_not_the_observed_leaf() {
    check(&[Line::CountContinues], || {
        loom::model(|| {
            let leaf = empty_leaf();
            insert(&leaf);
            let before = observe(&leaf);
            let owner = {
                let leaf = leaf.clone();
                thread::spawn(move || {
                    Locked::lock(&*leaf).delete();
                    leaf.version().renew(Version::NEW_LEAF);
                    drop(Locked::private(&*leaf));
                })
            };
            let differs = may_differ(&before);
            owner.join().unwrap();
            assert!(may_differ(&before), "differed then: {differs}");
        });
    });
}
