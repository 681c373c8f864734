//! Models of operations that wait for a held leaf.

use std::sync::Mutex;

use super::observed::is_valid;
use super::*;
use crate::index::node::Observation;

/// An operation that needs a leaf which another thread holds.
#[derive(Clone, Copy)]
struct Waiting {
    model: fn() -> Model,
    held: fn() -> Vec<u8>,
    work: fn(&Tree, Pinned<'_>, Observation),
}

/// A model whose tree was filled with `keys`, and from which the keys in `gone` were removed again.
fn thinned(keys: impl IntoIterator<Item = Vec<u8>>, gone: Vec<Vec<u8>>) -> Model {
    let model = Model::with(keys);
    let guard = model.tree.guard().unwrap();
    for key in gone {
        model.tree.remove(guard.pin(), &key).unwrap();
    }
    drop(guard);
    model
}

/// A key in a layer of one leaf. The leaf above, with the link to this layer, also contains
/// `number(3)`.
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
        work: |tree, _, leaf| assert!(is_valid(tree, &[leaf])),
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
            assert_eq!(
                tree.bulk_load(pin, 1, key, |_| Ok(1)),
                Ok(LoadOutcome::Done)
            );
        },
    },
];

/// Every operation that waits for a held leaf, as the header says, ends after the hold is
/// finished. c-tests/held/test_held_waits.c shows that no other operation waits.
#[test]
fn operations_on_a_held_leaf_wait_for_it() {
    check(&[Line::LockedMayDiffer], || {
        for Waiting { model, held, work } in WAITING {
            explore(move || {
                let mut model = model();
                let leaf = Arc::new(Mutex::new(None));
                let is_finished = Arc::new(Mutex::new(false));
                let (observed, known) = (Arc::clone(&leaf), Arc::clone(&is_finished));
                model.thread(move |tree, pin| {
                    let key = held();
                    let held_leaf = tree.hold(pin, &key, true).unwrap();
                    *leaf.lock().unwrap() = Some(held_leaf.now());
                    (0..5).for_each(|_| shuttle::thread::yield_now());
                    *is_finished.lock().unwrap() = true;
                    assert!(tree.finish(pin, held_leaf, Decision::Keep).is_ok());
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
