//! Models of what is looked at again: after a lock was waited for, where a node was left that
//! may have been deleted, where a cursor arrives.

use super::*;
use crate::index::key::Key;
use crate::sync::AtomicU64;

/// Takes keys out of a tree before the threads of a model begin.
fn thin_out(model: &Model, keys: impl IntoIterator<Item = Vec<u8>>) {
    let guard = model.tree.guard().unwrap();
    for key in keys {
        assert!(model.tree.remove(guard.pin(), &key).is_some());
    }
}

/// A key that shares a slice with others, and has another one after it.
fn below(n: u64) -> Vec<u8> {
    [&b"a slice "[..], &number(n)].concat()
}

/// The leaf before one that empties splits meanwhile.
#[test]
fn a_leaf_is_unlinked_from_the_leaf_before() {
    check(&[Line::PrevIsStill], || {
        explore(|| {
            let mut model = Model::with(numbers((0..45).map(|n| 10 * n)));
            thin_out(&model, numbers((16..30).map(|n| 10 * n)));
            model.thread(|tree, pin| _ = tree.remove(pin, &number(150)).unwrap());
            model.thread(|tree, pin| _ = tree.insert(pin, &number(75), 1).unwrap());
            let stay = (0..15).chain(30..45).map(|n| 10 * n);
            model.end(numbers(stay.chain([75])));
        });
    });
}

/// As above, under another internode, which no lock of the other is above.
#[test]
fn a_leaf_is_unlinked_before_the_leaf_before_is_let_go() {
    check(&[Line::UnlinkedUnderLock], || {
        explore(|| {
            let mut model = Model::with(numbers((0..150).map(|n| 10 * n)));
            let guard = model.tree.guard().unwrap();
            let AnyNode::Internode(root) = model.tree.root(guard.pin()).kind() else {
                panic!("the tree is not high enough");
            };
            let first = root.key(0) / 10;
            drop(guard);
            // The internode before has room for one leaf more.
            let gone = (0..15).chain(first + 1..first + 15);
            thin_out(&model, numbers(gone.map(|n| 10 * n)));
            let new = number(10 * first - 75);
            let key = new.clone();
            model.thread(move |tree, pin| _ = tree.remove(pin, &number(10 * first)).unwrap());
            model.thread(move |tree, pin| _ = tree.insert(pin, &key, 1).unwrap());
            let stay = (15..first).chain(first + 15..150).map(|n| 10 * n);
            model.end([numbers(stay), vec![new]].concat());
        });
    });
}

/// An internode splits while a leaf that goes to its new half waits for it.
#[test]
fn a_leaf_finds_the_parent_that_it_has() {
    check(&[Line::ParentIsStill], || {
        explore(|| {
            let there = numbers((0..60).map(|n| 10 * n));
            let mut model = Model::with(there.clone());
            for n in [75, 515] {
                model.thread(move |tree, pin| _ = tree.insert(pin, &number(n), 1).unwrap());
            }
            model.end([there, numbers([75, 515])].concat());
        });
    });
}

/// A writer that goes on to the next leaf waits for it with no lock: the owner of that one's
/// may wait for the leaf before it.
#[test]
fn a_writer_that_goes_right_stops_nobody() {
    check(&[Line::WriterWaitsAlone], || {
        explore(|| {
            let there = numbers((0..15).map(|n| 10 * n));
            let mut model = Model::with(there.clone());
            model.thread(|tree, pin| {
                assert_eq!(tree.insert(pin, &number(150), 1), Ok(Inserted::New));
                assert_eq!(tree.remove(pin, &number(150)), Some(1));
            });
            model.thread(|tree, pin| _ = tree.insert(pin, &number(155), 1).unwrap());
            model.end([there, numbers([155])].concat());
        });
    });
}

/// A root that has one child left gets another, or goes with its layer, before that child
/// takes its place.
#[test]
fn a_root_is_replaced_as_long_as_it_has_one_child() {
    check(&[Line::LoneRootIsStill, Line::PromotedIsAlive], || {
        explore(|| {
            let mut model = Model::with(numbers((0..30).map(|n| 10 * n)));
            thin_out(&model, numbers((1..15).map(|n| 10 * n)));
            model.thread(|tree, pin| _ = tree.remove(pin, &number(0)).unwrap());
            model.thread(|tree, pin| _ = tree.insert(pin, &number(225), 1).unwrap());
            model.end(numbers((15..30).map(|n| 10 * n).chain([225])));
        });
        explore(|| {
            let mut model = Model::with((0..16).map(below).chain([number(7)]));
            thin_out(&model, (1..15).map(below));
            for n in [0, 15] {
                model.thread(move |tree, pin| _ = tree.remove(pin, &below(n)).unwrap());
            }
            model.thread(|tree, pin| _ = tree.get_observed(pin, &below(15)));
            model.end(numbers([7]));
        });
    });
}

/// Two writers that each turn a group of a leaf into a link merge that leaf.
#[test]
fn a_leaf_is_merged_once() {
    let other = |n: u64| [&b"another "[..], &number(n)].concat();
    check(&[Line::MergedIsAlive], || {
        explore(move || {
            let fill = numbers((0..15).map(|n| 10 * n));
            let groups = [below(0), below(1), other(0), other(1)];
            let mut model = Model::with(fill.into_iter().chain(groups.clone()));
            thin_out(&model, numbers((2..15).map(|n| 10 * n)));
            model.thread(|tree, pin| _ = tree.insert(pin, &below(2), 1).unwrap());
            model.thread(move |tree, pin| _ = tree.insert(pin, &other(2), 1).unwrap());
            let news = [below(2), other(2)];
            model.end([numbers([0, 10]), groups.to_vec(), news.to_vec()].concat());
        });
    });
}

/// Of two trees that are loaded, one takes the place of the empty one.
#[test]
fn one_loaded_tree_displaces_the_empty_one() {
    check(&[Line::DisplacedIsTheRoot], || {
        explore(|| {
            let mut model = Model::with([]);
            let loaded = Arc::new(Mutex::new(Vec::new()));
            for n in [1, 2] {
                let loaded = Arc::clone(&loaded);
                model.thread(move |tree, pin| {
                    let key = |_, hand_on: &mut dyn FnMut(&[u8])| hand_on(&number(n));
                    if tree.bulk_load(pin, 1, key, |_| Ok(n)) == Ok(Loaded::Done) {
                        loaded.lock().unwrap().push(number(n));
                    }
                });
            }
            model.join();
            let loaded = std::mem::take(&mut *loaded.lock().unwrap());
            assert_eq!(loaded.len(), 1);
            model.end(loaded);
        });
    });
}

/// What two threads clear away goes once, and what they insert after that stays, if the other
/// has not cleared it away.
#[test]
fn each_clearing_takes_the_root() {
    check(&[Line::ClearedIsTheRoot], || {
        explore(|| {
            let mut model = Model::with(numbers((0..3).map(|n| 10 * n)));
            for n in [1, 2] {
                model.thread(move |tree, pin| {
                    tree.clear(pin).unwrap();
                    assert_eq!(tree.insert(pin, &number(n), n), Ok(Inserted::New));
                });
            }
            model.join();
            let guard = model.tree.guard().unwrap();
            let left = scan(&model.tree, guard.pin(), false);
            assert!(!left.is_empty());
            drop(guard);
            model.end(left);
        });
    });
}

/// Look-ups in a batch begin at a root that splits, and go on below internodes that do.
#[test]
fn batches_find_what_splits() {
    let lines = [
        Line::RootIsPublished,
        Line::BatchRootIsLiving,
        Line::BatchParentIsValidated,
    ];
    check(&lines, || {
        for leaves in [1, 4] {
            explore(move || {
                let there = numbers((0..15 * leaves).map(|n| 10 * n));
                let mut model = Model::with(there.clone());
                let keys = there.clone();
                model.thread(|tree, pin| _ = tree.insert(pin, &number(75), 1).unwrap());
                model.thread(move |tree, pin| {
                    let keys: Vec<_> = keys.iter().rev().step_by(4).collect();
                    let key_at = |place: usize| Some(Key::new(keys[place]));
                    tree.get_each(pin, keys.len(), key_at, |place, value| {
                        assert!(value.is_some(), "{:?}", keys[place]);
                    });
                });
                model.end([there, numbers([75])].concat());
            });
        }
    });
}

/// A cursor whose leaf changes has the value of the key that it goes to, also of those that it
/// goes on to at once.
#[test]
fn a_cursor_has_the_values_of_its_keys() {
    check(&[Line::ArrivalIsCurrent], || {
        explore(|| {
            let there = || (0..15).map(|n| 10 * n);
            let mut model = Model::with(numbers(there()));
            // A full leaf: the new key gets the slot of the old.
            model.thread(|tree, pin| {
                assert_eq!(tree.remove(pin, &number(20)), Some(2));
                assert_eq!(tree.insert(pin, &number(25), 99), Ok(Inserted::New));
            });
            let assert_value = |key: &[u8], value| match key {
                key if key == number(20) => assert_eq!(value, 2),
                key if key == number(25) => assert_eq!(value, 99),
                key => assert_eq!(key, number(10 * value)),
            };
            model.thread(move |tree, pin| {
                let mut cursor = Cursor::new(tree);
                let there = cursor.seek(tree, pin, Seek::AtLeast(&number(10)));
                assert_eq!(there, Ok(true));
                assert_eq!(cursor.step(tree, pin, false), Ok(true));
                let value = cursor.value(tree, pin).unwrap();
                assert_value(cursor.key().unwrap(), value);
            });
            model.thread(move |tree, pin| {
                let mut cursor = Cursor::new(tree);
                assert_eq!(cursor.seek(tree, pin, Seek::First), Ok(true));
                let mut steps = Vec::new();
                let outcome =
                    cursor.step_many(tree, pin, false, 3, |end, value| steps.push((end, value)));
                assert_eq!(outcome, Ok(true));
                let mut start = cursor.first_start();
                for (end, value) in steps {
                    assert_value(&cursor.keys()[start..end], value);
                    start = end;
                }
            });
            model.end(numbers(there().filter(|&n| n != 20).chain([25])));
        });
    });
}

/// A cursor that steps from a leaf that has changed since does not find what is gone.
#[test]
fn a_cursor_does_not_go_on_in_the_past() {
    check(&[Line::StepIsUndisturbed], || {
        explore(|| {
            let mut model = Model::with(numbers((0..30).map(|n| 10 * n)));
            let gone = Arc::new(AtomicU64::new(0));
            let is_gone = Arc::clone(&gone);
            model.thread(move |tree, pin| {
                assert_eq!(tree.insert(pin, &number(145), 1), Ok(Inserted::New));
                assert_eq!(tree.remove(pin, &number(150)), Some(15));
                is_gone.store(1, Ordering::SeqCst);
            });
            model.thread(move |tree, pin| {
                let mut cursor = Cursor::new(tree);
                let at = number(140);
                assert_eq!(cursor.seek(tree, pin, Seek::AtLeast(&at)), Ok(true));
                let gone = gone.load(Ordering::SeqCst) == 1;
                assert_eq!(cursor.step(tree, pin, false), Ok(true));
                let found = cursor.key().unwrap().to_vec();
                assert!(
                    found == number(145) || found == number(150) && !gone,
                    "{found:?}"
                );
            });
            let left = (0..30).filter(|&n| n != 15).map(|n| 10 * n);
            model.end(numbers(left.chain([145])));
        });
    });
}

/// A cursor in a layer comes to the end of the tree at a moment at which there is no key more:
/// not when one came in the leaf above, and the layer's last went then.
#[test]
fn the_end_that_a_cursor_comes_to_has_a_moment() {
    check(&[Line::EndIsUndisturbed], || {
        explore(|| {
            let mut model = Model::with((0..3).map(below));
            model.thread(|tree, pin| {
                assert_eq!(tree.insert(pin, b"later", 1), Ok(Inserted::New));
                assert_eq!(tree.remove(pin, &below(2)), Some(2));
            });
            model.thread(|tree, pin| {
                let mut cursor = Cursor::new(tree);
                let at = below(1);
                assert_eq!(cursor.seek(tree, pin, Seek::AtLeast(&at)), Ok(true));
                assert_eq!(cursor.step(tree, pin, false), Ok(true));
                let found = cursor.key().unwrap();
                assert!(found == below(2) || found == b"later", "{found:?}");
            });
            model.end(vec![below(0), below(1), b"later".to_vec()]);
        });
    });
}

/// A cursor does not stay in a tree that was cleared away, whose leaves do not change.
#[test]
fn a_cursor_leaves_what_was_cleared_away() {
    check(&[Line::CursorKnowsItsRoot], || {
        explore(|| {
            let mut model = Model::with(numbers((0..3).map(|n| 10 * n)));
            model.thread(|tree, pin| {
                let mut cursor = Cursor::new(tree);
                let there = cursor.seek(tree, pin, Seek::First).unwrap();
                tree.clear(pin).unwrap();
                if there && cursor.step(tree, pin, false).unwrap() {
                    assert_eq!(cursor.key().unwrap(), number(7));
                }
            });
            model.thread(|tree, pin| _ = tree.insert(pin, &number(7), 1).unwrap());
            model.join();
            let guard = model.tree.guard().unwrap();
            let left = scan(&model.tree, guard.pin(), false);
            drop(guard);
            model.end(left);
        });
    });
}
