//! Models of observations.

use std::ops::ControlFlow;
use std::ptr::NonNull;

use super::*;
use crate::index::node::{Delta, DeltaRecorder, Observation};
use crate::index::tree::read::observe::{Applied, apply};

/// Scans a tree in a direction; returns observations of all its leaves, and the number of
/// keys.
fn observe(tree: &Tree, pin: Pinned<'_>, reverse: bool) -> (Vec<Observation>, usize) {
    let range = Range {
        reverse,
        ..Range::all()
    };
    let (mut set, mut keys) = (Vec::new(), 0);
    let go_on = |_: &[u8], _| ControlFlow::Continue(());
    let scanned = tree.scan_observed(pin, &range, &mut keys, go_on, |leaf| {
        set.push(*leaf);
        ControlFlow::Continue(())
    });
    scanned.unwrap();
    assert!(!set.is_empty());
    (set, keys)
}

pub(super) fn is_valid(tree: &Tree, set: &[Observation]) -> bool {
    // SAFETY: observed in this tree.
    unsafe { tree.validate(set) }.is_ok()
}

/// Counts the keys, then inserts one. Returns the count, if it still validates apart from the
/// inserted key.
fn count_and_insert(tree: &Tree, key: &[u8], reverse: bool) -> Option<usize> {
    let guard = tree.guard().unwrap();
    let mut room = [Observation::default(); 16];
    let mut delta = Delta::with_room(&mut room);
    // SAFETY: no other thread accesses the delta, which outlives the pin.
    let recorder = unsafe { DeltaRecorder::new(NonNull::from(&mut delta)) };
    let pin = guard.pin().with_recorder(Some(recorder));
    let (mut set, keys) = observe(tree, pin, reverse);
    assert_eq!(tree.insert(pin, key, 0), Ok(Inserted::New));
    let mut len = set.len();
    set.resize(len + room.len(), Observation::default());
    let first = NonNull::from(&mut set[0]);
    // SAFETY: the insert has filled the delta; the set has `set.len()` elements.
    let applied = unsafe { apply(&delta, first, &mut len, set.len()) };
    let is_valid = applied == Applied::Done && is_valid(tree, &set[..len]);
    is_valid.then_some(keys)
}

/// Two threads each count the keys and insert one, as if in one step: one of them counts the
/// key of the other.
fn assert_one_sees_the_other(initial: Vec<Vec<u8>>, keys: [Vec<u8>; 2]) {
    let mut model = Model::with(initial.clone());
    let counts = Arc::new(Mutex::new(Vec::new()));
    for (index, key) in keys.iter().cloned().enumerate() {
        let counts = Arc::clone(&counts);
        model.thread(move |tree, _| {
            let count = count_and_insert(tree, &key, index == 1);
            counts.lock().unwrap().extend(count);
        });
    }
    for thread in std::mem::take(&mut model.threads) {
        thread.join().unwrap();
    }
    let counts = counts.lock().unwrap();
    assert!(
        counts
            .iter()
            .all(|count| (0..2).contains(&(count - initial.len()))),
        "{counts:?}"
    );
    assert!(counts.len() < 2 || counts[0] != counts[1], "{counts:?}");
    model.end([initial, keys.to_vec()].concat());
}

/// In a leaf with room, in one that splits, in a group that becomes a layer, in an empty
/// tree.
#[test]
fn every_phantom_is_noticed() {
    check(&[Line::PermutationCounts], || {
        let tens = |count| numbers((0..count).map(|n| 10 * n));
        explore(move || assert_one_sees_the_other(tens(5), [5, 45].map(number)));
        explore(move || assert_one_sees_the_other(tens(15), [75, 135].map(number)));
        explore(|| assert_one_sees_the_other([1, 2].map(tail).to_vec(), [3, 4].map(tail)));
        explore(|| assert_one_sees_the_other(Vec::new(), [tail(1), number(1)]));
    });
}

/// A thread that found a key before the tree was cleared, and then finds none, does not
/// validate.
#[test]
fn a_cleared_tree_validates_nothing() {
    check(&[Line::IncarnationBeforeRoot], || {
        explore(|| {
            let mut model = Model::with(numbers([1]));
            model.thread(|tree, pin| tree.clear(pin).unwrap());
            model.thread(|tree, pin| {
                let (value, observation) = tree.get_observed(pin, &number(1));
                if value != tree.get(pin, &number(1)) {
                    assert!(!is_valid(tree, &[observation]));
                }
            });
            model.end(Vec::new());
        });
    });
}

/// A leaf that was deleted before it was searched proves nothing, because it never changes
/// again.
#[test]
fn a_deleted_leaf_does_not_validate() {
    check(&[Line::ReaderLeavesDeleted], || {
        explore(|| {
            let mut model = Model::with(numbers((0..16).map(|n| 10 * n)));
            model.thread(|tree, pin| {
                assert_eq!(tree.remove(pin, &number(150)), Some(15));
                assert_eq!(tree.insert(pin, &number(155), 1), Ok(Inserted::New));
            });
            model.thread(|tree, pin| {
                let (value, observation) = tree.get_observed(pin, &number(155));
                if value != tree.get(pin, &number(155)) {
                    assert!(!is_valid(tree, &[observation]));
                }
            });
            let stay = numbers((0..15).map(|n| 10 * n));
            model.end([stay, numbers([155])].concat());
        });
    });
}

/// Two threads each hold a key and validate, without waiting, that the other's key is absent:
/// at most one succeeds.
#[test]
fn a_leaf_held_by_another_thread_does_not_validate() {
    check(&[Line::HeldIsNotTheSame], || {
        explore(|| {
            let mut model = Model::with(numbers((0..20).map(|n| 10 * n)));
            let guard = model.tree.guard().unwrap();
            model.tree.remove(guard.pin(), &number(10)).unwrap();
            drop(guard);
            let succeeded = Arc::new(Mutex::new(0));
            for (mine, other) in [(5, 195), (195, 5)] {
                let succeeded = Arc::clone(&succeeded);
                model.thread(move |tree, pin| {
                    let (value, absent) = tree.get_observed(pin, &number(other));
                    let key = number(mine);
                    let held = tree.hold(pin, &key, true).unwrap();
                    let validates = value.is_none() && is_valid(tree, &[absent]);
                    let decision = match validates {
                        true => Decision::Set(1),
                        false => Decision::Keep,
                    };
                    assert_eq!(tree.finish(pin, held, decision), Ok(None));
                    *succeeded.lock().unwrap() += u32::from(validates);
                });
            }
            model.join();
            assert!(*succeeded.lock().unwrap() < 2);
        });
    });
}

/// A walk that ends in a deleted leaf does not validate.
#[test]
fn a_walk_that_ends_in_a_deleted_leaf_does_not_validate() {
    check(&[Line::WalkLeavesDeleted], || {
        explore(|| {
            let mut model = Model::with(numbers((0..45).map(|n| 10 * n)));
            let guard = model.tree.guard().unwrap();
            let stays = |n: &u64| *n >= 30 || n % 15 < 3;
            for n in (0..45).filter(|n| !stays(n)) {
                model.tree.remove(guard.pin(), &number(10 * n));
            }
            drop(guard);
            model.thread(|tree, pin| {
                assert_eq!(tree.maintain(pin, 10).unwrap().merged, 1);
                assert_eq!(tree.remove(pin, &number(170)), Some(17));
            });
            model.thread(|tree, pin| {
                let lower = number(160);
                let range = Range {
                    lower: Bound::Included(&lower),
                    reverse: true,
                    ..Range::all()
                };
                let (mut set, mut keys) = (Vec::new(), 0);
                let go_on = |_: &[u8], _| ControlFlow::Continue(());
                let scanned = tree.scan_observed(pin, &range, &mut keys, go_on, |leaf| {
                    set.push(*leaf);
                    ControlFlow::Continue(())
                });
                scanned.unwrap();
                if tree.get(pin, &number(170)).is_none() && keys == 17 {
                    assert!(!is_valid(tree, &set));
                }
            });
            let left = (0..45).filter(|n| stays(n) && *n != 17).map(|n| 10 * n);
            model.end(numbers(left));
        });
    });
}
