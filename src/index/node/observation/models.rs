//! Model checks (`make check-models`), as those of leaves.

use loom::sync::Arc;
use loom::thread;

use super::*;
use crate::index::key::Key;
use crate::index::node::{Entry, Found, Lockable, Portable};
use crate::protocol::models::check;

const KEY: &[u8] = b"key";

fn empty_leaf() -> Arc<Leaf> {
    let leaf = Arc::new(Leaf::new());
    drop(Locked::private(&*leaf));
    leaf
}

fn insert(leaf: &Leaf) {
    Locked::lock(leaf).insert(0, &Entry::new(&Key::new(KEY)).with_value(1));
}

fn observe(leaf: &Leaf) -> Observation {
    Observation::new(leaf, NodeRef::from(leaf).version().stable(), 0)
}

/// Whether the leaf may have changed.
fn may_differ(observation: &Observation) -> bool {
    // SAFETY: the leaf lives on.
    unsafe { observation.compare() != Comparison::Same }
}

/// Who has found a key does not take an observation for good that says it was absent: also
/// not while the insert has yet to let the lock go.
#[test]
fn what_was_found_is_not_absent_any_more() {
    check(&[Line::LockedIsNotTheSame], || {
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

/// Two transactions that each insert what the other has found absent: one finds out.
#[test]
fn of_two_who_insert_what_the_other_missed_one_finds_out() {
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
            let found_out = second();
            assert!(other.join().unwrap() || found_out);
        });
    });
}

/// A leaf was deleted, and its place is another leaf's, in the same state and with the same
/// keys: who has observed the first finds a change.
#[test]
fn what_is_in_the_place_of_a_leaf_is_not_that_leaf() {
    check(&[Line::CountGoesOn], || {
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
