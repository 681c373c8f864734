//! Models of held leaves.

use std::sync::Mutex;

use super::observed::holds;
use super::*;
use crate::index::node::Observation;
use crate::index::tree::write::held::Overtaken;

/// Held keys change one after the other, and room that is not used leaves nothing behind.
#[test]
fn who_holds_a_key_has_it_for_itself() {
    check(
        &[Line::UnusedRoomIsGivenBack, Line::OwnHeldIsTheSame],
        || {
            explore(|| {
                let there = numbers((0..15).map(|n| 10 * n));
                let mut model = Model::with(there.clone());
                for _ in 0..2 {
                    model.thread(|tree, pin| {
                        let key = number(70);
                        let held = tree.hold(pin, &key, false).unwrap();
                        let value = held.value().unwrap();
                        let finished = tree.finish(pin, held, Decision::Set(value + 1));
                        assert_eq!(finished, Ok(Some(value)));
                    });
                }
                // Full leaves, of which the last splits with nothing to go to the right.
                for key in [145, 5] {
                    model.thread(move |tree, pin| {
                        let key = number(key);
                        let held = tree.hold(pin, &key, true).unwrap();
                        assert!(holds(tree, &[held.now()]));
                        assert_eq!(tree.finish(pin, held, Decision::Keep), Ok(None));
                    });
                }
                for thread in std::mem::take(&mut model.threads) {
                    thread.join().unwrap();
                }
                let guard = model.tree.guard().unwrap();
                assert_eq!(model.tree.get(guard.pin(), &number(70)), Some(9));
                drop(guard);
                model.end(there);
            });
        },
    );
}

/// What the tree had before it was cleared, what the one thread sets, and the other.
const OLD: u64 = 7;
const MINE: u64 = 100;
const OTHERS: u64 = 200;

/// A key that is held below the root while the tree is cleared. The hold is before the clearing
/// or after it, by what it found; if before, and the clearing is known to be over, it is told so
/// and changes nothing, whatever was decided; if after, it is not.
fn hold_across_a_clearing(
    tree: &Tree,
    pin: Pinned<'_>,
    decision: Decision,
    is_cleared: &Mutex<bool>,
) {
    let key = number(70);
    let held = tree.hold(pin, &key, true).unwrap();
    let was_there = held.value();
    let now = held.now();
    assert!(was_there.is_none_or(|value| [OLD, OTHERS].contains(&value)));
    let (seen, leaf) = tree.get_observed(pin, &key);
    let validates = holds(tree, &[leaf]);
    let is_known = *is_cleared.lock().unwrap() || seen != was_there;
    if was_there == Some(OLD) && is_known {
        assert!(!holds(tree, &[now]));
        assert!(!holds(tree, &[]));
    }
    assert!(
        !validates || seen == was_there,
        "validated across a clearing"
    );
    match tree.finish(pin, held, decision) {
        Ok(present) => {
            assert_eq!(present, was_there);
            assert!(
                was_there != Some(OLD) || !is_known,
                "done after the clearing"
            );
        }
        Err(Overtaken) => {
            assert_eq!(was_there, Some(OLD), "held after the only clearing");
            let now = tree.get(pin, &key);
            assert!(
                [None, Some(OTHERS)].contains(&now),
                "{now:?} in a cleared tree"
            );
        }
    }
}

/// The other thread clears the tree, and then has the key for itself until it lets it go.
fn clear_and_hold(tree: &Tree, pin: Pinned<'_>, is_cleared: &Mutex<bool>) {
    tree.clear(pin).unwrap();
    *is_cleared.lock().unwrap() = true;
    let key = number(70);
    let held = tree.hold(pin, &key, true).unwrap();
    let value = held.value();
    assert!(
        [None, Some(MINE)].contains(&value),
        "{value:?} in a cleared tree"
    );
    assert_eq!(tree.get(pin, &key), value);
    let finished = tree.finish(pin, held, Decision::Set(OTHERS));
    assert_eq!(finished, Ok(value));
}

/// No two threads hold a key at once, and no write that was acknowledged after the clearing is
/// lost.
#[test]
fn a_hold_that_was_overtaken_says_so() {
    let lines = [
        Line::HoldLooksForClears,
        Line::FinishLooksForClears,
        Line::OvertakenWaitsForTheEnd,
        Line::ValidationKnowsTheHold,
    ];
    check(&lines, || {
        for decision in [Decision::Keep, Decision::Set(MINE), Decision::Remove] {
            explore(move || {
                let mut model = Model::with(numbers((0..30).map(|n| 10 * n)));
                let is_cleared = Arc::new(Mutex::new(false));
                let known = Arc::clone(&is_cleared);
                model.thread(move |tree, pin| hold_across_a_clearing(tree, pin, decision, &known));
                model.thread(move |tree, pin| clear_and_hold(tree, pin, &is_cleared));
                for thread in std::mem::take(&mut model.threads) {
                    thread.join().unwrap();
                }
                let guard = model.tree.guard().unwrap();
                let left = model.tree.get(guard.pin(), &number(70));
                drop(guard);
                model.end(left.map(|_| number(70)).into_iter().collect());
            });
        }
    });
}

/// A held leaf that is the whole of an empty tree: loading waits for it, or it for the loading.
#[test]
fn loading_overtakes_no_hold() {
    check(&[Line::DisplacedIsDeleted], || {
        for decision in [Decision::Set(MINE), Decision::Keep] {
            explore(move || {
                let mut model = Model::with([]);
                let loaded = numbers([1, 2, 3]);
                model.thread(move |tree, pin| {
                    let key =
                        |place: usize, hand_on: &mut dyn FnMut(&[u8])| hand_on(&loaded[place]);
                    _ = (tree.bulk_load(pin, 3, key, |place| Ok(place as u64))).unwrap();
                });
                model.thread(move |tree, pin| {
                    let key = number(7);
                    let held = tree.hold(pin, &key, true).unwrap();
                    assert!(holds(tree, &[held.now()]));
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

/// What needs a leaf that another thread holds.
#[derive(Clone, Copy)]
struct Waiting {
    model: fn() -> Model,
    held: fn() -> Vec<u8>,
    work: fn(&Tree, Pinned<'_>, Observation),
}

/// A tree with some keys of others that are removed again.
fn thinned(keys: impl IntoIterator<Item = Vec<u8>>, gone: Vec<Vec<u8>>) -> Model {
    let model = Model::with(keys);
    let guard = model.tree.guard().unwrap();
    for key in gone {
        model.tree.remove(guard.pin(), &key).unwrap();
    }
    drop(guard);
    model
}

/// Keys of a layer of one leaf, beside which `number(3)` is in the leaf above.
fn in_layer(n: u64) -> Vec<u8> {
    [&number(5)[..], &number(10 * n)].concat()
}

fn two_leaves() -> Model {
    Model::with(numbers((0..30).map(|n| 10 * n)))
}

fn second_leaf_with_one_key() -> Model {
    thinned(
        numbers((0..30).map(|n| 10 * n)),
        numbers((16..30).map(|n| 10 * n)),
    )
}

const WAITING: [Waiting; 11] = [
    Waiting {
        model: two_leaves,
        held: || number(70),
        work: |tree, pin, _| _ = tree.put(pin, &number(20), 1).unwrap(),
    },
    Waiting {
        model: two_leaves,
        held: || number(70),
        work: |tree, pin, _| assert_eq!(tree.remove(pin, &number(25)), None),
    },
    Waiting {
        model: two_leaves,
        held: || number(70),
        work: |tree, pin, _| {
            let key = number(20);
            let held = tree.hold(pin, &key, false).unwrap();
            assert!(tree.finish(pin, held, Decision::Keep).is_ok());
        },
    },
    Waiting {
        model: two_leaves,
        held: || number(70),
        work: |tree, _, leaf| assert!(holds(tree, &[leaf])),
    },
    Waiting {
        model: second_leaf_with_one_key,
        held: || number(70),
        work: |tree, pin, _| assert_eq!(tree.remove(pin, &number(150)), Some(15)),
    },
    Waiting {
        model: second_leaf_with_one_key,
        held: || number(70),
        work: |tree, pin, _| {
            let key = number(150);
            let held = tree.hold(pin, &key, false).unwrap();
            assert!(tree.finish(pin, held, Decision::Remove).is_ok());
        },
    },
    Waiting {
        model: || {
            thinned(
                numbers((0..30).map(|n| 10 * n)),
                numbers((0..30).filter(|n| n % 15 > 2).map(|n| 10 * n)),
            )
        },
        held: || number(20),
        work: |tree, pin, _| assert_eq!(tree.maintain(pin, 10).unwrap().merged, 1),
    },
    Waiting {
        model: || Model::with((0..15).map(in_layer).chain([number(3)])),
        held: || number(3),
        work: |tree, pin, _| _ = tree.put(pin, &in_layer(20), 1).unwrap(),
    },
    Waiting {
        model: || {
            thinned(
                (0..3).map(in_layer).chain([number(3)]),
                (0..2).map(in_layer).collect(),
            )
        },
        held: || number(3),
        work: |tree, pin, _| assert_eq!(tree.remove(pin, &in_layer(2)), Some(2)),
    },
    Waiting {
        model: || Model::with(numbers([3])),
        held: || number(3),
        work: |tree, pin, _| tree.clear(pin).unwrap(),
    },
    Waiting {
        model: || Model::with([]),
        held: || number(3),
        work: |tree, pin, _| {
            let key = |_: usize, hand_on: &mut dyn FnMut(&[u8])| hand_on(&number(1));
            assert_eq!(tree.bulk_load(pin, 1, key, |_| Ok(1)), Ok(Loaded::Done));
        },
    },
];

/// What the header says waits for a held leaf ends after it is let go. That nothing else waits is
/// shown in c-tests/test_held_waits.c.
#[test]
fn what_needs_a_held_leaf_waits_for_it() {
    check(&[Line::LockedMayDiffer], || {
        for Waiting { model, held, work } in WAITING {
            explore(move || {
                let mut model = model();
                let leaf = Arc::new(Mutex::new(None));
                let is_let_go = Arc::new(Mutex::new(false));
                let (observed, known) = (Arc::clone(&leaf), Arc::clone(&is_let_go));
                model.thread(move |tree, pin| {
                    let key = held();
                    let place = tree.hold(pin, &key, true).unwrap();
                    *leaf.lock().unwrap() = Some(place.now());
                    (0..5).for_each(|_| shuttle::thread::yield_now());
                    *is_let_go.lock().unwrap() = true;
                    assert!(tree.finish(pin, place, Decision::Keep).is_ok());
                });
                model.thread(move |tree, pin| {
                    let leaf = loop {
                        let leaf = *observed.lock().unwrap();
                        match leaf {
                            Some(leaf) => break leaf,
                            None => shuttle::thread::yield_now(),
                        }
                    };
                    work(tree, pin, leaf);
                    assert!(*known.lock().unwrap());
                });
                for thread in std::mem::take(&mut model.threads) {
                    thread.join().unwrap();
                }
            });
        }
    });
}
