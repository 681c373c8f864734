//! Models of checks that are repeated: after waiting for a lock, after leaving a node that
//! may be deleted, and where a cursor arrives.

use super::*;
use crate::index::key::Key;
use crate::index::node::{Chain, Internode, with_search};
use crate::index::tree::read::descend::{Lines, reach};
use crate::index::tree::write::collapse::{lock_boundary, retire, unlink};
use crate::index::tree::write::lock::{Path, lock_ancestors};
use crate::sync::AtomicU64;

/// Removes keys before the threads of a model start.
pub(super) fn thin_out(model: &Model, keys: impl IntoIterator<Item = Vec<u8>>) {
    let guard = model.tree.guard().unwrap();
    for key in keys {
        assert!(model.tree.remove(guard.pin(), &key).is_some());
    }
}

/// A key of two slices; the first is the same for all.
fn below(n: u64) -> Vec<u8> {
    [&b"a slice "[..], &number(n)].concat()
}

/// A leaf empties while the leaf before it splits.
#[test]
fn a_leaf_is_unlinked_from_its_current_predecessor() {
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

/// The same under two internodes, so that the two writers lock no internode in common.
#[test]
fn a_leaf_is_unlinked_while_its_predecessor_is_locked() {
    check(&[Line::UnlinkedUnderLock], || {
        explore(|| {
            let mut model = Model::with(numbers((0..150).map(|n| 10 * n)));
            let guard = model.tree.guard().unwrap();
            let AnyNode::Internode(root) = model.tree.root(guard.pin()).kind() else {
                panic!("the tree is not high enough");
            };
            let first = root.key(0) / 10;
            drop(guard);
            // The previous internode has room for one more leaf.
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

/// An internode splits while a thread that splits a leaf of its new half waits for its lock.
#[test]
fn a_split_leaf_finds_its_current_parent() {
    check(&[Line::ParentIsStill, Line::LowestIsStored], || {
        explore_more(4, || {
            let initial = numbers((0..60).map(|n| 10 * n));
            let mut model = Model::with(initial.clone());
            for n in [75, 515] {
                model.thread(move |tree, pin| _ = tree.insert(pin, &number(n), 1).unwrap());
            }
            model.end([initial, numbers([75, 515])].concat());
        });
    });
}

/// A writer that moves to the next leaf waits for its lock while holding none: the owner of
/// that lock may be waiting for the leaf before.
#[test]
fn a_writer_that_moves_right_holds_no_other_lock() {
    check(&[Line::WriterWaitsAlone], || {
        explore(|| {
            let initial = numbers((0..15).map(|n| 10 * n));
            let mut model = Model::with(initial.clone());
            model.thread(|tree, pin| {
                assert_eq!(tree.insert(pin, &number(150), 1), Ok(Inserted::New));
                assert_eq!(tree.remove(pin, &number(150)), Some(1));
            });
            model.thread(|tree, pin| _ = tree.insert(pin, &number(155), 1).unwrap());
            model.end([initial, numbers([155])].concat());
        });
    });
}

/// A root with one child left receives another, or is removed with its layer, before that
/// child replaces it.
#[test]
fn a_root_is_replaced_only_while_it_has_one_child() {
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

/// Two writers that each turn a group of the same leaf into a link then merge that leaf.
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

/// A leaf is compacted while a writer turns a group of it into a link, and then merges it.
#[test]
fn no_merged_leaf_is_cut() {
    let other = |n: u64| [&b"another "[..], &number(n)].concat();
    let later = |n: u8| vec![b'z', n];
    check(&[Line::CutIsAlive], || {
        explore_more(4, move || {
            // Three leaves: numbers, the groups, and later keys.
            let fill = numbers((0..15).map(|n| 10 * n));
            let groups = [below(0), below(1), other(0), other(1)];
            let all = fill.into_iter().chain(groups.clone());
            let mut model = Model::with(all.chain((0..20).map(later)));
            thin_out(&model, numbers((2..15).map(|n| 10 * n)));
            thin_out(&model, (0..11).map(later));
            model.thread(|tree, pin| _ = tree.insert(pin, &below(2), 1).unwrap());
            model.thread(|tree, pin| _ = tree.compact(pin, 4, 10).unwrap());
            let rest = (11..20).map(later).collect();
            model.end([numbers([0, 10]), groups.to_vec(), vec![below(2)], rest].concat());
        });
    });
}

/// Of two trees loaded at once, exactly one replaces the empty tree.
#[test]
fn of_two_loads_one_replaces_the_empty_tree() {
    check(&[Line::DisplacedIsTheRoot], || {
        explore(|| {
            let mut model = Model::with([]);
            let loaded = Arc::new(Mutex::new(Vec::new()));
            for n in [1, 2] {
                let loaded = Arc::clone(&loaded);
                model.thread(move |tree, pin| {
                    let key = |_, hand_on: &mut dyn FnMut(&[u8])| hand_on(&number(n));
                    if tree.bulk_load(pin, 1, key, |_| Ok(n)) == Ok(LoadOutcome::Done) {
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

/// Two threads each clear the tree and then insert a key: every key is removed once, and an
/// inserted key stays unless the other thread's clearing removes it.
#[test]
fn each_clearing_detaches_the_current_root() {
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

/// Lookups in a batch begin at a root that splits, and continue below internodes that split.
#[test]
fn batches_find_keys_of_splitting_nodes() {
    let lines = [Line::BatchRootIsLiving, Line::BatchParentIsValidated];
    check(&lines, || {
        // Few schedules come between a new root and its unlocking: several of the first kind.
        for (leaves, step) in [(1, 4), (1, 3), (1, 2), (1, 5), (1, 7), (4, 4)] {
            explore(move || {
                let initial = numbers((0..15 * leaves).map(|n| 10 * n));
                let mut model = Model::with(initial.clone());
                let keys = initial.clone();
                model.thread(|tree, pin| _ = tree.insert(pin, &number(75), 1).unwrap());
                model.thread(move |tree, pin| {
                    let keys: Vec<_> = keys.iter().rev().step_by(step).collect();
                    let key_at = |index: usize| Some(Key::new(keys[index]));
                    tree.get_each(pin, keys.len(), key_at, |index, value| {
                        assert!(value.is_some(), "{:?}", keys[index]);
                    });
                });
                model.end([initial, numbers([75])].concat());
            });
        }
    });
}

/// A cursor whose leaf changes returns the right value of each key that it steps to, one by
/// one and in `step_many`.
#[test]
fn a_cursor_pairs_keys_with_their_values() {
    check(&[Line::ArrivalIsCurrent], || {
        explore(|| {
            let initial = || (0..15).map(|n| 10 * n);
            let mut model = Model::with(numbers(initial()));
            // A full leaf: the new key reuses the slot of the removed one.
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
                let found = cursor.seek(tree, pin, Seek::AtLeast(&number(10)));
                assert_eq!(found, Ok(true));
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
            model.end(numbers(initial().filter(|&n| n != 20).chain([25])));
        });
    });
}

/// Keys that a cursor takes together have their own values. The slot that is reused is one of
/// the last that it reads.
#[test]
fn keys_taken_together_have_their_own_values() {
    check(&[Line::FollowingAreCurrent], || {
        explore(|| {
            let mut model = Model::with(numbers((0..15).map(|n| 10 * n)));
            // A full leaf: the new key reuses the slot of the removed one.
            model.thread(|tree, pin| {
                assert_eq!(tree.remove(pin, &number(130)), Some(13));
                assert_eq!(tree.insert(pin, &number(135), 99), Ok(Inserted::New));
            });
            model.thread(|tree, pin| {
                let mut cursor = Cursor::new(tree);
                assert_eq!(cursor.seek(tree, pin, Seek::First), Ok(true));
                let mut steps = Vec::new();
                let take = |end, value| steps.push((end, value));
                assert_eq!(cursor.step_many(tree, pin, false, 14, take), Ok(true));
                let mut start = cursor.first_start();
                for (end, value) in steps {
                    let key = &cursor.keys()[start..end];
                    let own = if value == 99 { 135 } else { 10 * value };
                    assert_eq!(key, number(own), "has the value {value}");
                    start = end;
                }
            });
            let left = (0..15).filter(|&n| n != 13).map(|n| 10 * n);
            model.end(numbers(left.chain([135])));
        });
    });
}

/// Removes the keys of the first leaf of a layer that has two, as a remove does up to the step in
/// which the root is replaced by its only child.
fn leave_root_with_one_child(tree: &Tree, pin: Pinned<'_>, root: &Internode) {
    for n in 1..root.key(0) {
        assert!(tree.remove(pin, &below(n)).is_some());
    }
    let AnyNode::Leaf(first) = root.child(0).kind() else {
        panic!("the layer is too high");
    };
    let mut leaf = Locked::lock(first);
    leaf.remove(0);
    pin.count_keys(first, -1);
    let (mut path, mut dead) = (Path::new(), Chain::EMPTY);
    assert!(lock_ancestors(&leaf, |node| node.len() > 0, &mut path).is_none());
    let boundary = lock_boundary(&leaf, &mut path);
    assert!(unlink(leaf, None, &mut path, boundary, &mut dead).is_some());
    retire(pin, &mut dead);
}

/// The root of the only layer below the only leaf of the first.
fn only_layer<'g>(tree: &Tree, pin: Pinned<'g>) -> Option<NodeRef<'g>> {
    let AnyNode::Leaf(upper) = tree.root(pin).kind() else {
        panic!("the tree is too high");
    };
    let upper = Locked::lock(upper);
    upper.entries().find_map(|entry| entry.layer())
}

/// While a layer with an internode is removed, no leaf that is deleted is reached through it.
#[test]
fn no_deleted_leaf_is_reached_in_a_removed_layer() {
    check(&[Line::RemovedLayerIsDirty], || {
        explore(|| {
            let mut model = Model::with((0..16).map(below).chain([number(7)]));
            let tree = Arc::clone(&model.tree);
            let guard = tree.guard().unwrap();
            let layer = only_layer(&tree, guard.pin()).expect("a layer");
            let AnyNode::Internode(root) = layer.kind() else {
                panic!("the layer is not high enough");
            };
            let from = root.key(0);
            leave_root_with_one_child(&tree, guard.pin(), root);
            for n in from + 1..16 {
                assert!(tree.remove(guard.pin(), &below(n)).is_some());
            }
            drop(guard);
            model.thread(move |tree, pin| _ = tree.remove(pin, &below(from)).unwrap());
            model.thread(move |tree, pin| {
                let Some(root) = only_layer(tree, pin) else {
                    return;
                };
                // Ends: the other thread deletes the layer's root.
                while let Ok(reached) =
                    with_search!(tree.isa, S => reach::<S>(root, from, Lines::All))
                {
                    assert!(!reached.version.is_deleted());
                    shuttle::thread::yield_now();
                }
            });
            model.end(numbers([7]));
        });
    });
}

/// A cursor that steps from a leaf that has changed does not find a removed key.
#[test]
fn a_cursor_does_not_step_to_a_removed_key() {
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

/// A cursor in a layer reports the end of the tree only if at some moment no key followed:
/// not when a key was inserted in the leaf above before the layer's last key was removed.
#[test]
fn a_cursor_end_is_linearizable() {
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

/// A cursor does not stay in a cleared tree, whose leaves never change again.
#[test]
fn a_cursor_leaves_a_cleared_tree() {
    check(&[Line::CursorKnowsItsRoot], || {
        explore(|| {
            let mut model = Model::with(numbers((0..3).map(|n| 10 * n)));
            model.thread(|tree, pin| {
                let mut cursor = Cursor::new(tree);
                let found = cursor.seek(tree, pin, Seek::First).unwrap();
                tree.clear(pin).unwrap();
                if found && cursor.step(tree, pin, false).unwrap() {
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
