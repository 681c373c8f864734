//! Models of observations.

use std::ops::ControlFlow;
use std::ptr::NonNull;
use std::sync::Mutex;

use super::*;
use crate::index::node::{Delta, Observation};
use crate::index::reclaim::{pin_of, report_to};
use crate::index::tree::read::observe::{Applied, apply};

/// Keys of a tree with all its leaves, as observed; in either direction.
fn observe(tree: &Tree, pin: Pin<'_>, reverse: bool) -> (Vec<Observation>, usize) {
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

pub(super) fn holds(tree: &Tree, set: &[Observation]) -> bool {
    // SAFETY: observed in this tree.
    unsafe { tree.validate(set) }.is_ok()
}

/// Counts the keys, inserts one, and says how many there were before, if that still holds but
/// for its own key.
fn count_and_insert(tree: &Tree, key: &[u8], reverse: bool) -> Option<usize> {
    let slot = tree.guard().unwrap().into_raw();
    let mut room = [Observation::default(); 16];
    let mut delta = Delta::with_room(&mut room);
    // SAFETY: the guard is not refreshed or dropped while the pin is used, and the delta
    // outlives it.
    let pin = unsafe {
        report_to(slot, Some(NonNull::from(&mut delta)));
        pin_of(slot)
    };
    let (mut set, keys) = observe(tree, pin, reverse);
    assert_eq!(tree.insert(pin, key, 0), Ok(Inserted::New));
    let mut len = set.len();
    set.resize(len + room.len(), Observation::default());
    let place = NonNull::from(&mut set[0]);
    // SAFETY: the insert has filled the delta; the set has so many places.
    let applied = unsafe { apply(&delta, place, &mut len, set.len()) };
    let holds = applied == Applied::Done && holds(tree, &set[..len]);
    // SAFETY: it came from `into_raw`; its tree lives.
    drop(unsafe { Guard::from_raw(slot) });
    holds.then_some(keys)
}

/// Of two that each count the keys and insert one, with nothing in between, the one finds the
/// key of the other.
fn one_finds_the_other(there: Vec<Vec<u8>>, keys: [Vec<u8>; 2]) {
    let mut model = Model::with(there.clone());
    let counts = Arc::new(Mutex::new(Vec::new()));
    for (place, key) in keys.iter().cloned().enumerate() {
        let counts = Arc::clone(&counts);
        model.thread(move |tree, _| {
            let count = count_and_insert(tree, &key, place == 1);
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
            .all(|count| (0..2).contains(&(count - there.len()))),
        "{counts:?}"
    );
    assert!(counts.len() < 2 || counts[0] != counts[1], "{counts:?}");
    model.end([there, keys.to_vec()].concat());
}

/// In a leaf with room, in one that splits, in a layer to come, in an empty tree.
#[test]
fn no_phantom_goes_unnoticed() {
    check(&[Line::PermutationCounts], || {
        let tens = |count| numbers((0..count).map(|n| 10 * n));
        explore(move || one_finds_the_other(tens(5), [5, 45].map(number)));
        explore(move || one_finds_the_other(tens(15), [75, 135].map(number)));
        explore(|| one_finds_the_other([1, 2].map(tail).to_vec(), [3, 4].map(tail)));
        explore(|| one_finds_the_other(Vec::new(), [tail(1), number(1)]));
    });
}

/// Who has found a key before the tree was cleared, and then finds none, does not validate.
#[test]
fn a_cleared_tree_validates_nothing() {
    check(&[], || {
        explore(|| {
            let mut model = Model::with(numbers([1]));
            model.thread(|tree, pin| tree.clear(pin).unwrap());
            model.thread(|tree, pin| {
                let (value, observation) = tree.get_observed(pin, &number(1));
                if value != tree.get(pin, &number(1)) {
                    assert!(!holds(tree, &[observation]));
                }
            });
            model.end(Vec::new());
        });
    });
}
