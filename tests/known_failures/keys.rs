//! Keys of every length, and increments: rows 9 and 13.

use std::collections::BTreeSet;
use std::thread;

use masstree::{Bound, Decision, Range};

use crate::support::{assert_sound, backwards, collect, get, keys, new_tree, remove, scaled};

/// Lengths around those of slices, and of one-byte and two-byte suffix lengths.
const LENGTHS: [usize; 14] = [
    0,
    1,
    7,
    8,
    9,
    15,
    16,
    17,
    255,
    256,
    257,
    4 << 10,
    64 << 10,
    1 << 20,
];

/// Row 9. Put back: in `Shape::prefix`, use two bytes for every shift.
#[test]
fn keys_of_every_length_round_trip() {
    // Keys that differ in the first byte, or only in the last: one layer or many.
    for shared in [false, true] {
        let tree = new_tree();
        let mut model = BTreeSet::new();
        for length in LENGTHS {
            for last in [b'x', b'y'] {
                let mut key = vec![b'k'; length];
                if let Some(byte) = if shared {
                    key.last_mut()
                } else {
                    key.first_mut()
                } {
                    *byte = last;
                }
                let new = model.insert(key.clone());
                let pin = tree.guard().unwrap();
                assert_eq!(
                    tree.put(pin.pin(), &key, length as u64).unwrap().is_none(),
                    new
                );
                assert_eq!(
                    tree.put(pin.pin(), &key, 1 + length as u64),
                    Ok(Some(length as u64))
                );
            }
        }
        assert_sound(&tree);
        assert!(keys(&tree, &Range::all()).iter().eq(&model));
        assert!(keys(&tree, &backwards()).iter().rev().eq(&model));
        for key in &model {
            assert_eq!(get(&tree, key), Some(1 + key.len() as u64));
            let only = Range {
                lower: Bound::Included(key),
                limit: 1,
                ..Range::all()
            };
            assert_eq!(keys(&tree, &only), std::slice::from_ref(key));
            let only = Range {
                upper: Bound::Included(key),
                limit: 1,
                ..backwards()
            };
            assert_eq!(keys(&tree, &only), std::slice::from_ref(key));
        }
        for key in &model {
            assert_eq!(remove(&tree, key), Some(1 + key.len() as u64));
            assert_eq!(get(&tree, key), None);
        }
        assert_sound(&tree);
    }
}

/// Row 13. Put back: in `Tree::update`, look the key up first, and then write the decision
/// made for that value.
#[test]
fn no_increment_is_lost() {
    const THREADS: usize = 2;
    const KEYS: u64 = 5;
    let each = scaled(1_000_000) as u64;
    let tree = new_tree();
    thread::scope(|scope| {
        for id in 0..THREADS as u64 {
            let tree = &tree;
            scope.spawn(move || {
                let guard = tree.guard().unwrap();
                for n in 0..each {
                    let key = ((n + id) % KEYS).to_be_bytes();
                    let add = |present: Option<u64>| Decision::Set(present.unwrap_or(0) + 1);
                    tree.update(guard.pin(), &key, add).unwrap();
                    // Absent at first; inserted and removed by whichever thread comes first.
                    let toggle = |present| match present {
                        None => Decision::Set(id),
                        Some(_) => Decision::Remove,
                    };
                    if n % 8 == 0 {
                        tree.update(guard.pin(), b"toggled", toggle).unwrap();
                    }
                }
            });
        }
    });
    let guard = tree.guard().unwrap();
    let toggles = THREADS as u64 * each.div_ceil(8);
    assert_eq!(
        tree.remove(guard.pin(), b"toggled").is_some(),
        toggles % 2 == 1
    );
    let counts = collect(&tree, guard.pin(), &Range::all());
    let sum: u64 = counts.iter().map(|(_, count)| count).sum();
    assert_eq!((counts.len() as u64, sum), (KEYS, THREADS as u64 * each));
    assert_sound(&tree);
}
