//! Models of writes to the leaf that a guard remembers.

use super::harness::{Model, explore, number, numbers};
use crate::protocol::Line;
use crate::protocol::models::check;

/// Two writes make the guard remember their leaf. The next write, after a clearing, does not go to
/// this leaf, which is no longer in the tree.
#[test]
fn a_remembered_leaf_is_cleared_with_its_tree() {
    check(&[Line::HintIsUnderTheRoot], || {
        explore(|| {
            let mut model = Model::with(numbers(0..2));
            model.thread(|tree, pin| {
                tree.put(pin, &number(5), 5).unwrap();
                tree.put(pin, &number(6), 6).unwrap();
                tree.clear(pin).unwrap();
                tree.put(pin, &number(7), 7).unwrap();
                assert_eq!(tree.get(pin, &number(7)), Some(7));
            });
            model.thread(|tree, pin| _ = tree.remove(pin, &number(1)));
            model.end(numbers([7]));
        });
    });
}

/// Another thread splits the remembered leaf, or empties it.
#[test]
fn a_remembered_leaf_is_unchanged() {
    check(&[Line::HintIsUnchanged], || {
        explore(|| {
            let mut model = Model::with(numbers((0..20).step_by(2)));
            model.thread(|tree, pin| {
                for n in [25, 27, 29] {
                    assert_eq!(tree.put(pin, &number(n), n), Ok(None));
                    assert_eq!(tree.get(pin, &number(n)), Some(n));
                }
            });
            model.thread(|tree, pin| {
                for n in [1, 3, 5, 7] {
                    assert_eq!(tree.put(pin, &number(n), n), Ok(None));
                }
            });
            let odd = [1, 3, 5, 7, 25, 27, 29];
            model.end(numbers((0..20).step_by(2).chain(odd)));
        });
    });
}
