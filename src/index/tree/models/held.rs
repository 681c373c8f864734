//! Models of held leaves.

use std::sync::Mutex;

use super::observed::is_valid;
use super::*;
use crate::index::node::Observation;
use crate::index::tree::with_holder;
use crate::index::tree::write::held::{Held, Overtaken};
use crate::index::tree::write::held_ready::HeldReady;
use crate::index::tree::write::held_short::HeldShort;

/// A hold, as the C boundary makes it.
enum Hold<'g, 'k> {
    Short(HeldShort<'g>, Option<u64>),
    Split(HeldShort<'g>),
    Ready(HeldReady<'g, 'k>, Option<u64>),
    Long(Held<'g, 'k>),
}

impl<'g, 'k> Hold<'g, 'k> {
    /// Holds a key, with room for it; as a short one if that is possible, and wanted.
    fn begin(tree: &Tree, pin: Pinned<'g>, key: &'k [u8], short: bool) -> Self {
        if !short {
            return Self::long(tree, pin, key);
        }
        let place = std::ptr::null();
        let held = with_holder(|holder| {
            let full = match tree.hold_short(pin, key, true, holder, place) {
                Ok((held, value)) => return Ok(Self::Short(held, value)),
                Err(Some(full)) => full,
                Err(None) => return Err(()),
            };
            match tree.hold_split(pin, key, full, holder, place) {
                Ok((held, _)) => Ok(Self::Split(held)),
                Err(_) => Err(()),
            }
        });
        held.unwrap_or_else(|()| Self::long(tree, pin, key))
    }

    fn long(tree: &Tree, pin: Pinned<'g>, key: &'k [u8]) -> Self {
        let place = std::ptr::null();
        let ready = with_holder(|holder| tree.hold_ready(pin, key, true, holder, place));
        match ready {
            Ok((held, value)) => Self::Ready(held, value),
            Err(full) => {
                let held = tree.hold_from(pin, key, true, Some(full), usize::MAX);
                Self::Long(held.unwrap())
            }
        }
    }

    fn value(&self) -> Option<u64> {
        match self {
            Self::Short(_, value) | Self::Ready(_, value) => *value,
            Self::Split(..) => None,
            Self::Long(held) => held.value(),
        }
    }

    fn now(&self) -> Observation {
        match self {
            Self::Short(held, _) | Self::Split(held) => held.now(),
            Self::Ready(held, _) => held.place().now(),
            Self::Long(held) => held.now(),
        }
    }

    /// Whether the hold has changed a leaf to make room.
    fn has_made_room(&self) -> bool {
        match self {
            Self::Short(..) | Self::Ready(..) => false,
            Self::Split(..) => true,
            Self::Long(held) => held.original() != held.now(),
        }
    }

    fn finish(
        self,
        tree: &Tree,
        pin: Pinned<'g>,
        decision: Decision,
    ) -> Result<Option<u64>, Overtaken> {
        match self {
            // SAFETY: under the same pin, by the same thread.
            Self::Short(held, _) | Self::Split(held) => {
                with_holder(|holder| unsafe { tree.finish_short(pin, &held, decision, holder) })
            }
            // SAFETY: as above.
            Self::Ready(held, _) => {
                with_holder(|holder| unsafe { tree.finish_ready(pin, &held, decision, holder) })
            }
            Self::Long(held) => tree.finish(pin, held, decision),
        }
    }
}

/// Threads that hold the same key change it one after the other, and reserved memory that a
/// hold does not use leaves no trace in the tree.
fn explore_exclusive_holds(short: bool) {
    explore(move || {
        let initial = numbers((0..15).map(|n| 10 * n));
        let mut model = Model::with(initial.clone());
        for _ in 0..2 {
            model.thread(move |tree, pin| {
                let key = number(70);
                let held = Hold::begin(tree, pin, &key, short);
                let value = held.value().unwrap();
                let finished = held.finish(tree, pin, Decision::Set(value + 1));
                assert_eq!(finished, Ok(Some(value)));
            });
        }
        // Holds in full leaves; the last leaf splits with no entry to move to the
        // right.
        for key in [145, 5] {
            model.thread(move |tree, pin| {
                let key = number(key);
                let held = Hold::begin(tree, pin, &key, short);
                assert!(is_valid(tree, &[held.now()]));
                assert_eq!(held.finish(tree, pin, Decision::Keep), Ok(None));
            });
        }
        for thread in std::mem::take(&mut model.threads) {
            thread.join().unwrap();
        }
        let guard = model.tree.guard().unwrap();
        assert_eq!(model.tree.get(guard.pin(), &number(70)), Some(9));
        drop(guard);
        model.end(initial);
    });
}

#[test]
fn a_held_key_is_exclusive() {
    let lines = [Line::UnusedRoomIsGivenBack, Line::OwnHeldIsTheSame];
    check(&lines, || explore_exclusive_holds(false));
}

/// The same, with holds that need no room.
#[test]
fn a_short_held_key_is_exclusive() {
    let lines = [Line::UnusedRoomIsGivenBack, Line::OwnHeldIsTheSame];
    check(&lines, || explore_exclusive_holds(true));
}

/// A hold that has split a leaf of a tree that is cleared then.
#[test]
fn a_hold_that_has_split_a_cleared_leaf_changes_nothing() {
    let lines = [Line::FinishLooksForClears];
    check(&lines, || explore_more(4, split_and_clear));
}

/// A hold of this key splits the only leaf, unless the tree was cleared. A thread that finds another
/// key absent knows that the tree was cleared.
fn split_and_clear() {
    let initial = numbers((0..15).map(|n| 10 * n));
    let mut model = Model::with(initial);
    let is_set = Arc::new(Mutex::new(false));
    let set = Arc::clone(&is_set);
    model.thread(move |tree, pin| {
        let key = number(75);
        let held = Hold::begin(tree, pin, &key, true);
        // Not always as `Hold::Split`: that needs the lock at once.
        let was_split = held.has_made_room();
        let is_cleared = tree.get(pin, &number(0)).is_none();
        match held.finish(tree, pin, Decision::Set(MINE)) {
            Ok(before) => {
                assert_eq!(before, None);
                assert!(!was_split || !is_cleared, "done after the clearing");
                *set.lock().unwrap() = !was_split;
            }
            Err(Overtaken) => assert_eq!(tree.get(pin, &key), None),
        }
    });
    model.thread(|tree, pin| tree.clear(pin).unwrap());
    model.join();
    let expected = is_set.lock().unwrap().then(|| number(75));
    model.end(expected.into_iter().collect());
}

/// A short hold reaches the leaf of its key beside a split that moves the key to a new leaf.
#[test]
fn a_short_hold_finds_its_key_beside_a_split() {
    check(&[Line::ParentIsValidated], || {
        explore_more(4, hold_and_split)
    });
}

fn hold_and_split() {
    let initial = numbers((0..20).map(|n| 10 * n));
    let mut model = Model::with(initial.clone());
    model.thread(|tree, pin| {
        let key = number(140);
        let held = Hold::begin(tree, pin, &key, true);
        assert_eq!(held.value(), Some(14));
        assert_eq!(held.finish(tree, pin, Decision::Keep), Ok(Some(14)));
    });
    model.thread(|tree, pin| assert_eq!(tree.put(pin, &number(75), 1), Ok(None)));
    model.end(initial.into_iter().chain([number(75)]).collect());
}

/// The value before the tree is cleared, the value that one thread sets, and the other
/// thread's.
const OLD: u64 = 7;
const MINE: u64 = 100;
const OTHERS: u64 = 200;

/// Holds a key below the root while the tree is cleared. The value found says whether the
/// hold came before or after the clearing. If before, and the clearing is known to be over,
/// `finish` must report it and change nothing, whatever the decision. If after, `finish` must
/// succeed.
fn hold_across_a_clearing(
    tree: &Tree,
    pin: Pinned<'_>,
    decision: Decision,
    is_cleared: &Mutex<bool>,
    short: bool,
) {
    let key = number(70);
    let held = Hold::begin(tree, pin, &key, short);
    let was_present = held.value();
    let now = held.now();
    assert!(was_present.is_none_or(|value| [OLD, OTHERS].contains(&value)));
    let (seen, leaf) = tree.get_observed(pin, &key);
    let validates = is_valid(tree, &[leaf]);
    let is_known = *is_cleared.lock().unwrap() || seen != was_present;
    if was_present == Some(OLD) && is_known {
        assert!(!is_valid(tree, &[now]));
        assert!(!is_valid(tree, &[]));
    }
    assert!(
        !validates || seen == was_present,
        "validated across a clearing"
    );
    match held.finish(tree, pin, decision) {
        Ok(present) => {
            assert_eq!(present, was_present);
            assert!(
                was_present != Some(OLD) || !is_known,
                "done after the clearing"
            );
        }
        Err(Overtaken) => {
            assert_eq!(was_present, Some(OLD), "held after the only clearing");
            let now = tree.get(pin, &key);
            assert!(
                [None, Some(OTHERS)].contains(&now),
                "{now:?} in a cleared tree"
            );
        }
    }
}

/// The other thread clears the tree, and then has exclusive use of the key until it finishes
/// its hold.
fn clear_and_hold(tree: &Tree, pin: Pinned<'_>, is_cleared: &Mutex<bool>, short: bool) {
    tree.clear(pin).unwrap();
    *is_cleared.lock().unwrap() = true;
    let key = number(70);
    let held = Hold::begin(tree, pin, &key, short);
    let value = held.value();
    assert!(
        [None, Some(MINE)].contains(&value),
        "{value:?} in a cleared tree"
    );
    assert_eq!(tree.get(pin, &key), value);
    let finished = held.finish(tree, pin, Decision::Set(OTHERS));
    assert_eq!(finished, Ok(value));
}

/// The protocol lines on which a hold rests while the tree is cleared.
const LINES_OF_CLEARING: [Line; 4] = [
    Line::HoldLooksForClears,
    Line::FinishLooksForClears,
    Line::OvertakenWaitsForTheEnd,
    Line::ValidationKnowsTheHold,
];

/// No two threads hold a key at once, and no write that was acknowledged after the clearing
/// is lost.
fn explore_overtaken_holds(short: bool) {
    for decision in [Decision::Keep, Decision::Set(MINE), Decision::Remove] {
        explore_more(8, move || {
            let mut model = Model::with(numbers((0..30).map(|n| 10 * n)));
            let is_cleared = Arc::new(Mutex::new(false));
            let known = Arc::clone(&is_cleared);
            model.thread(move |tree, pin| {
                hold_across_a_clearing(tree, pin, decision, &known, short);
            });
            model.thread(move |tree, pin| clear_and_hold(tree, pin, &is_cleared, short));
            for thread in std::mem::take(&mut model.threads) {
                thread.join().unwrap();
            }
            let guard = model.tree.guard().unwrap();
            let left = model.tree.get(guard.pin(), &number(70));
            drop(guard);
            model.end(left.map(|_| number(70)).into_iter().collect());
        });
    }
}

#[test]
fn a_hold_overtaken_by_a_clearing_is_reported() {
    check(&LINES_OF_CLEARING, || explore_overtaken_holds(false));
}

/// The same for short holds. The model does not include `OvertakenWaitsForTheEnd`: the code is the
/// same as above, but a short hold has fewer steps, so schedules rarely interrupt it when that wait
/// matters.
#[test]
fn a_short_hold_overtaken_by_a_clearing_is_reported() {
    let lines = [
        Line::HoldLooksForClears,
        Line::FinishLooksForClears,
        Line::ValidationKnowsTheHold,
    ];
    check(&lines, || explore_overtaken_holds(true));
}

/// A thread holds the only leaf of an empty tree while another loads the tree: the load waits for
/// the hold, or the hold for the load.
#[test]
fn a_load_does_not_overtake_a_hold() {
    check(&[Line::DisplacedIsDeleted], || {
        for decision in [Decision::Set(MINE), Decision::Keep] {
            explore(move || {
                let mut model = Model::with([]);
                let loaded = numbers([1, 2, 3]);
                model.thread(move |tree, pin| {
                    let key =
                        |index: usize, hand_on: &mut dyn FnMut(&[u8])| hand_on(&loaded[index]);
                    _ = (tree.bulk_load(pin, 3, key, |index| Ok(index as u64))).unwrap();
                });
                model.thread(move |tree, pin| {
                    let key = number(7);
                    let held = tree.hold(pin, &key, true).unwrap();
                    assert!(is_valid(tree, &[held.now()]));
                    assert_eq!(tree.finish(pin, held, decision), Ok(None));
                    let is_set = decision == Decision::Set(MINE);
                    assert_eq!(tree.get(pin, &key), is_set.then_some(MINE));
                });
                for thread in std::mem::take(&mut model.threads) {
                    thread.join().unwrap();
                }
                let guard = model.tree.guard().unwrap();
                let left = scan(&model.tree, guard.pin(), false).len();
                let possible: &[usize] = match decision {
                    Decision::Keep => &[3],
                    _ => &[1, 4],
                };
                assert!(possible.contains(&left), "{left} keys");
            });
        }
    });
}
