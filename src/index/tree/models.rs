//! Model checks of a whole tree (`make check-models`): a few threads do a few operations in
//! many interleavings, on narrow nodes. Each model also runs once without each protocol line
//! on which it rests, and must fail then.
//!
//! shuttle interleaves threads and treats every atomic operation as sequentially consistent.
//! Memory orderings are checked in the loom models of single nodes.

mod accounts;
mod batches;
mod counted;
pub(crate) mod harness;
mod held;
mod held_waits;
mod hint;
mod levels;
mod long;
mod longest;
mod merged;
mod observed;
mod pops;
mod rechecks;
mod runs;

use std::sync::{Arc, Mutex};

use super::*;
use crate::index::node::{AnyNode, Entries};
use crate::index::tree::whole::nodes::{children_of, entries_of};
use crate::index::value::Values;
use crate::protocol::Line;
use crate::protocol::models::check;
use harness::{Model, assert_scanned, explore, explore_more, number, numbers, scan, tail};

/// A full leaf splits, and so does the root: two threads insert, one reads.
#[test]
fn a_split_loses_no_key() {
    let lines = [
        Line::ReadersWaitForChanges,
        Line::SplitLeafIsDirty,
        Line::ReaderMovesRight,
        Line::WriterMovesRight,
        Line::RootIsLiving,
    ];
    check(&lines, || {
        explore(|| {
            let initial = numbers((0..15).map(|n| 10 * n));
            let mut model = Model::with(initial.clone());
            let keys = initial.clone();
            model.thread(|tree, pin| _ = tree.insert(pin, &number(75), 1).unwrap());
            model.thread(|tree, pin| _ = tree.insert(pin, &number(135), 1).unwrap());
            model.thread(move |tree, pin| {
                for (value, key) in keys.iter().enumerate().rev() {
                    assert_eq!(tree.get(pin, key), Some(value as u64));
                }
                assert_scanned(tree, pin, false, &keys);
            });
            model.end([initial, numbers([75, 135])].concat());
        });
    });
}

/// Leaves and the internodes above them split while other threads descend.
#[test]
fn splits_propagate_up_while_others_descend() {
    let lines = [
        Line::ParentIsValidated,
        Line::SplitParentsAreDirty,
        Line::RootIsLiving,
    ];
    check(&lines, || {
        explore(|| {
            // Four leaves of fifteen entries under a full root.
            let initial = numbers((0..60).map(|n| 10 * n));
            let mut model = Model::with(initial.clone());
            let keys = initial.clone();
            model.thread(|tree, pin| _ = tree.insert(pin, &number(75), 1).unwrap());
            model.thread(|tree, pin| {
                _ = tree.insert(pin, &number(225), 1).unwrap();
                assert_eq!(tree.get(pin, &number(220)), Some(22));
            });
            model.thread(move |tree, pin| {
                for n in [14, 13, 29, 59, 8] {
                    assert_eq!(tree.get(pin, &keys[n]), Some(n as u64));
                }
                assert_scanned(tree, pin, true, &keys);
            });
            model.end([initial, numbers([75, 225])].concat());
        });
    });
}

/// A leaf empties and is unlinked while a key in its range is inserted and scans pass in both
/// directions.
#[test]
fn an_emptied_leaf_loses_no_insert() {
    let lines = [
        Line::EmptyLeafStaysLocked,
        Line::WriterLeavesDeleted,
        Line::DeletedIsMarked,
    ];
    check(&lines, || {
        explore(|| {
            let initial = numbers((0..45).map(|n| 10 * n));
            let mut model = Model::with(initial);
            let (first, middle, last) = (0..15, 15..30, 30..45);
            // All keys but one of the middle leaf.
            let guard = model.tree.guard().unwrap();
            for n in middle.start + 1..middle.end {
                model.tree.remove(guard.pin(), &number(10 * n));
            }
            drop(guard);
            let stay = numbers(first.chain(last).map(|n| 10 * n));
            let keys = stay.clone();
            model.thread(|tree, pin| {
                assert_eq!(tree.remove(pin, &number(150)), Some(15));
                assert_eq!(tree.insert(pin, &number(155), 2), Ok(Inserted::New));
                assert_eq!(tree.get(pin, &number(155)), Some(2));
            });
            model.thread(|tree, pin| {
                assert_eq!(tree.insert(pin, &number(205), 1), Ok(Inserted::New));
                assert_eq!(tree.get(pin, &number(205)), Some(1));
            });
            model.thread(move |tree, pin| {
                assert_scanned(tree, pin, false, &keys);
                assert_scanned(tree, pin, true, &keys);
            });
            model.end([stay, numbers([155, 205])].concat());
        });
    });
}

/// The first leaf under an internode that is not the first one empties: the key that bounds
/// it is in a higher internode.
#[test]
fn a_boundary_moves_with_the_first_child() {
    let lines = [Line::SeparatorMoves, Line::CollapseIsDirty];
    check(&lines, || {
        explore(|| {
            let initial = numbers((0..150).map(|n| 10 * n));
            let mut model = Model::with(initial.clone());
            let guard = model.tree.guard().unwrap();
            let (seen, pin) = (Arc::clone(&model.tree), guard.pin());
            let AnyNode::Internode(root) = seen.root(pin).kind() else {
                panic!("the tree is not high enough");
            };
            let low = root.key(0) / 10;
            let leaf = low..low + 15;
            for n in leaf.start + 1..leaf.end {
                seen.remove(pin, &number(10 * n));
            }
            drop(guard);
            let keys = numbers((0..150).filter(|n| !leaf.contains(n)).map(|n| 10 * n));
            let stay = keys.clone();
            model.thread(move |tree, pin| _ = tree.remove(pin, &number(10 * low)).unwrap());
            model.thread(move |tree, pin| {
                let new = number(10 * low + 25);
                assert_eq!(tree.insert(pin, &new, 1), Ok(Inserted::New));
                assert_eq!(tree.get(pin, &new), Some(1));
            });
            model.end([stay, numbers([10 * low + 25])].concat());
        });
    });
}

/// Keys under one slice become a layer; readers find them all the time.
#[test]
fn a_group_becomes_a_layer_atomically() {
    check(&[Line::GroupIsDirty], || {
        explore(|| {
            let mut model = Model::with([tail(0), tail(1)]);
            model.thread(|tree, pin| {
                assert_eq!(tree.insert(pin, &tail(2), 2), Ok(Inserted::New));
            });
            model.thread(|tree, pin| {
                for value in [1, 0, 1, 0] {
                    assert_eq!(tree.get(pin, &tail(value)), Some(value));
                }
            });
            model.end([0, 1, 2].map(tail).to_vec());
        });
    });
}

/// Keys under one slice become a layer, and the layer is removed again, while other threads
/// read there.
#[test]
fn layers_are_made_and_removed_under_readers() {
    check(&[Line::DeletedIsMarked], || {
        explore(|| {
            let mut model = Model::with([tail(0), tail(1), number(0)]);
            model.thread(|tree, pin| {
                assert_eq!(tree.insert(pin, &tail(2), 2), Ok(Inserted::New));
                assert_eq!(tree.remove(pin, &tail(2)), Some(2));
                assert_eq!(tree.remove(pin, &tail(1)), Some(1));
            });
            model.thread(|tree, pin| {
                assert_eq!(tree.remove(pin, &tail(0)), Some(0));
                assert_eq!(tree.insert(pin, &tail(3), 3), Ok(Inserted::New));
            });
            model.thread(|tree, pin| {
                assert!(matches!(tree.get(pin, &tail(0)), None | Some(0)));
                assert!(matches!(tree.get(pin, &tail(1)), None | Some(1)));
                assert!(matches!(tree.get(pin, &tail(2)), None | Some(2)));
                for key in scan(tree, pin, false) {
                    assert!(
                        key == number(0) || (0..4).any(|n| key == tail(n)),
                        "{key:?}"
                    );
                }
                assert_scanned(tree, pin, true, &[number(0)]);
            });
            model.end(vec![number(0), tail(3)]);
        });
    });
}

/// The last suffix of a leaf is removed, and its bag with it, while a scan reads it.
#[test]
fn a_scan_reads_whole_keys() {
    check(&[Line::BagIsDirty], || {
        explore_more(4, || {
            let mut model = Model::with([tail(0)]);
            model.thread(|tree, pin| {
                for _ in 0..4 {
                    assert_eq!(tree.remove(pin, &tail(0)), Some(0));
                    assert_eq!(tree.insert(pin, &tail(0), 0), Ok(Inserted::New));
                }
            });
            model.thread(|tree, pin| {
                for reverse in [false, true, false, true] {
                    for key in scan(tree, pin, reverse) {
                        assert_eq!(key, tail(0));
                    }
                }
            });
            model.end(vec![tail(0)]);
        });
    });
}

/// A leaf with links splits while the root of one of its layers splits. Each split must find
/// the nodes that the other has changed.
#[test]
fn layers_of_a_split_leaf_find_their_parent() {
    check(&[Line::MovedLayersGetTheirParent], || {
        explore(|| {
            let initial = numbers((0..12).map(|n| 10 * n));
            // The layer: fifteen keys under one slice, in the upper half of the leaf.
            let slice = number(105);
            let below = |n: u64| [&slice[..], &number(n)].concat();
            let layer: Vec<_> = (0..15).map(|n| below(10 * n)).collect();
            let all = [initial, layer].concat();
            let mut model = Model::with(all.clone());
            let guard = model.tree.guard().unwrap();
            for n in [1001, 1002] {
                model.tree.put(guard.pin(), &number(n), 0).unwrap();
            }
            drop(guard);
            let (one, other) = (number(11), below(77));
            let news = vec![number(1001), number(1002), one.clone(), other.clone()];
            model.thread(move |tree, pin| _ = tree.insert(pin, &one, 1).unwrap());
            model.thread(move |tree, pin| _ = tree.insert(pin, &other, 1).unwrap());
            model.end([all, news].concat());
        });
    });
}

/// Leaves split behind a reverse scan and ahead of it: no stable key is missed or met twice.
#[test]
fn scans_cross_splits_both_ways() {
    check(&[Line::ReverseLooksRight], || {
        explore(|| {
            let initial = numbers((0..30).map(|n| 10 * n));
            let mut model = Model::with(initial.clone());
            let (keys, other) = (initial.clone(), initial.clone());
            model.thread(|tree, pin| {
                for n in [55, 56, 205] {
                    _ = tree.insert(pin, &number(n), 1).unwrap();
                }
            });
            model.thread(move |tree, pin| assert_scanned(tree, pin, true, &keys));
            model.thread(move |tree, pin| assert_scanned(tree, pin, false, &other));
            model.end([initial, numbers([55, 56, 205])].concat());
        });
    });
}

/// The first leaf empties behind a scan, and then the next leaf receives keys in its range:
/// the scan must pass over them, since otherwise it would move backwards.
#[test]
fn scans_never_move_backwards() {
    check(&[Line::BoundaryIsKept], || {
        explore(|| {
            let mut model = Model::with(numbers((0..30).map(|n| 10 * n)));
            let guard = model.tree.guard().unwrap();
            for n in (0..15).filter(|&n| n != 5) {
                model.tree.remove(guard.pin(), &number(10 * n));
            }
            drop(guard);
            model.thread(|tree, pin| {
                assert_eq!(tree.remove(pin, &number(50)), Some(5));
                assert_eq!(tree.insert(pin, &number(20), 1), Ok(Inserted::New));
            });
            let stay = numbers((15..30).map(|n| 10 * n));
            let keys = stay.clone();
            model.thread(move |tree, pin| assert_scanned(tree, pin, false, &keys));
            model.end([stay, numbers([20])].concat());
        });
    });
}

/// A slot of a group is reused for another key while a reader compares suffixes.
#[test]
fn suffixes_are_read_whole() {
    check(&[Line::RecordBeforeOffset], || {
        explore(|| {
            let mut model = Model::with([tail(0), number(0)]);
            model.thread(|tree, pin| {
                assert_eq!(tree.remove(pin, &tail(0)), Some(0));
                assert_eq!(tree.insert(pin, &tail(2), 2), Ok(Inserted::New));
            });
            model.thread(|tree, pin| {
                assert!(matches!(tree.get(pin, &tail(0)), None | Some(0)));
                assert!(matches!(tree.get(pin, &tail(2)), None | Some(2)));
                assert_scanned(tree, pin, false, &[number(0)]);
            });
            model.end(vec![number(0), tail(2)]);
        });
    });
}

/// A cursor's step between leaves returns the key that was next at some moment: when it
/// misses a key that was removed, it must not also miss a key that was inserted before that
/// removal.
#[test]
fn a_cursor_step_is_linearizable() {
    check(&[Line::StepIsUndisturbed], || {
        explore(|| {
            let mut model = Model::with(numbers((0..30).map(|n| 10 * n)));
            model.thread(|tree, pin| {
                // First a key is inserted at the end of the cursor's leaf, then the first key
                // of the next leaf is removed: at no moment is 160 the next key after 140.
                assert_eq!(tree.insert(pin, &number(145), 1), Ok(Inserted::New));
                assert_eq!(tree.remove(pin, &number(150)), Some(15));
            });
            model.thread(|tree, pin| {
                let mut cursor = Cursor::new(tree);
                assert_eq!(
                    cursor.seek(tree, pin, Seek::AtLeast(&number(140))),
                    Ok(true)
                );
                assert_eq!(cursor.step(tree, pin, false), Ok(true));
                let found = cursor.key().unwrap().to_vec();
                assert!(found == number(145) || found == number(150), "{found:?}");
            });
            let left = numbers((0..30).filter(|&n| n != 15).map(|n| 10 * n));
            model.end([left, numbers([145])].concat());
        });
    });
}

/// A key inserted while the tree is cleared may or may not exist afterwards, and no cleared
/// key comes back.
#[test]
fn cleared_keys_do_not_return() {
    check(&[Line::ClearedGoesUnderAnchor], || {
        explore(|| {
            let mut model = Model::with(numbers((0..15).map(|n| 10 * n)));
            model.thread(|tree, pin| {
                tree.clear(pin).unwrap();
                assert_eq!(tree.get(pin, &number(0)), None);
            });
            model.thread(|tree, pin| _ = tree.insert(pin, &number(75), 1).unwrap());
            for thread in std::mem::take(&mut model.threads) {
                thread.join().unwrap();
            }
            let guard = model.tree.guard().unwrap();
            let left = scan(&model.tree, guard.pin(), false);
            assert!(left.is_empty() || left == numbers([75]), "{left:?}");
            drop(guard);
            model.end(left);
        });
    });
}

/// A loaded tree replaces an empty one, or an insert comes first.
#[test]
fn a_load_loses_no_insert() {
    check(&[Line::DisplacedIsDeleted, Line::DisplacedIsEmpty], || {
        explore(|| {
            let mut model = Model::with([]);
            let keys = numbers([1, 2, 3]);
            let loaded = keys.clone();
            model.thread(move |tree, pin| {
                let key = |index: usize, hand_on: &mut dyn FnMut(&[u8])| hand_on(&loaded[index]);
                _ = tree
                    .bulk_load(pin, 3, key, |index| Ok(index as u64))
                    .unwrap();
            });
            model.thread(|tree, pin| {
                assert_eq!(tree.insert(pin, &number(7), 7), Ok(Inserted::New));
                assert_eq!(tree.get(pin, &number(7)), Some(7));
            });
            for thread in std::mem::take(&mut model.threads) {
                thread.join().unwrap();
            }
            let guard = model.tree.guard().unwrap();
            assert_eq!(scan(&model.tree, guard.pin(), false).len() % 3, 1);
            drop(guard);
        });
    });
}

/// Increments by two threads are all counted.
#[test]
fn no_increment_is_lost() {
    explore(|| {
        let mut model = Model::with([number(0)]);
        for _ in 0..2 {
            model.thread(|tree, pin| {
                let add = |old: Option<u64>| Decision::Set(old.unwrap() + 1);
                for _ in 0..2 {
                    tree.update(pin, &number(0), &add).unwrap();
                }
            });
        }
        model.thread(|tree, pin| {
            let mut last = 0;
            for _ in 0..4 {
                let now = tree.get(pin, &number(0)).unwrap();
                assert!(last <= now);
                last = now;
            }
        });
        let tree = Arc::clone(&model.tree);
        model.end(vec![number(0)]);
        let guard = tree.guard().unwrap();
        assert_eq!(tree.get(guard.pin(), &number(0)), Some(4));
    });
}

/// Operations that read nodes, rather than keys, see each node as it was at one moment. Put
/// back: in `children_of` or `entries_of`, do not check whether the node has changed.
#[test]
fn nodes_are_visited_as_of_one_moment() {
    explore(|| {
        let initial = numbers((0..45).map(|n| 10 * n));
        let mut model = Model::with(initial.clone());
        model.thread(|tree, pin| _ = tree.insert(pin, &number(75), 1).unwrap());
        model.thread(|tree, pin| {
            let AnyNode::Internode(root) = tree.root(pin).kind() else {
                panic!("the tree is not high enough");
            };
            let AnyNode::Leaf(first) = root.child(0).kind() else {
                panic!("the tree is too high");
            };
            let (keys, children) = children_of(root);
            assert!(keys[..] == [150, 300] || keys[..] == [75, 150, 300]);
            assert_eq!(children.len(), keys.len() + 1);
            assert!(children.windows(2).all(|pair| pair[0] != pair[1]));
            let mut entries = Entries::new();
            assert!(entries_of(first, &mut entries));
            let slices: Vec<_> = entries.iter().map(|entry| entry.slice).collect();
            let before: Vec<_> = (0..15).map(|n| 10 * n).collect();
            assert!(slices == before || slices == before[..8], "{slices:?}");
        });
        model.end([initial, numbers([75])].concat());
    });
}
