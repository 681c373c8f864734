//! Runs of leaves are removed (see `write::run`) while other threads read and change them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::harness::{Model, explore, explore_more, number, numbers, scan};
use super::rechecks::thin_out;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Bound, Cursor, Inserted, Range, Seek, Tree};
use crate::protocol::Line;
use crate::protocol::models::check;

/// Removes the keys from one number up to another.
fn remove(tree: &Tree, pin: Pinned<'_>, from: u64, to: u64) -> usize {
    let (lower, upper) = (number(from), number(to));
    let range = Range {
        lower: Bound::Included(&lower),
        upper: Bound::Excluded(&upper),
        ..Range::all()
    };
    let (removed, outcome) = tree.remove_range(pin, &range);
    assert_eq!(outcome, Ok(()));
    removed
}

/// A key is inserted into a run: it stays, or it is among the keys that were removed.
#[test]
fn a_removed_run_loses_no_insert() {
    check(&[Line::RunStaysLocked], || {
        explore(|| {
            let mut model = Model::with(numbers((0..60).map(|n| 10 * n)));
            let removed = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&removed);
            model.thread(move |tree, pin| {
                counted.store(remove(tree, pin, 70, 1000), Ordering::Relaxed);
            });
            model.thread(|tree, pin| {
                assert_eq!(tree.insert(pin, &number(205), 1), Ok(Inserted::New));
            });
            model.join();
            let also = removed.load(Ordering::Relaxed) - 53;
            assert!(also <= 1);
            let kept = if also == 1 { vec![] } else { numbers([205]) };
            model.end([numbers((0..7).map(|n| 10 * n)), kept].concat());
        });
    });
}

/// After a scan has passed a run, a cursor of the same thread does not return a key of it. (150 and 160 are in
/// the run, not in the leaf at which it begins: that is changed as by any remove.)
#[test]
fn a_scan_and_a_cursor_agree_on_a_run() {
    check(&[Line::RunIsDirty], || {
        explore_more(32, || {
            let mut model = Model::with(numbers((0..45).map(|n| 10 * n)));
            model.thread(|tree, pin| assert_eq!(remove(tree, pin, 70, 440), 37));
            model.thread(|tree, pin| {
                let mut cursor = Cursor::new(tree);
                let found = cursor.seek(tree, pin, Seek::AtLeast(&number(150)));
                if found == Ok(true) && !scan(tree, pin, false).contains(&number(160)) {
                    let found = cursor.step(tree, pin, false);
                    assert!(found == Ok(false) || cursor.key() != Some(&number(160)[..]));
                }
            });
            model.end(numbers((0..7).chain(44..45).map(|n| 10 * n)));
        });
    });
}

/// Keys beside a run are found while the run leaves its parent.
#[test]
fn keys_beside_a_run_are_found() {
    check(&[Line::RunParentIsDirty], || {
        explore(|| {
            let mut model = Model::with(numbers((0..60).map(|n| 10 * n)));
            model.thread(|tree, pin| assert_eq!(remove(tree, pin, 70, 300), 23));
            model.thread(|tree, pin| {
                for n in [5, 30, 44, 59, 35] {
                    assert_eq!(tree.get(pin, &number(10 * n)), Some(n));
                }
                let scanned = scan(tree, pin, true);
                assert!(
                    numbers((30..60).map(|n| 10 * n))
                        .iter()
                        .all(|key| scanned.contains(key))
                );
            });
            model.end(numbers((0..7).chain(30..60).map(|n| 10 * n)));
        });
    });
}

/// The leaf that was to be the last of a run is deleted first.
#[test]
fn a_run_ends_at_a_leaf_of_the_tree() {
    check(&[Line::RunEndIsAlive], || {
        explore_more(4, || {
            let mut model = Model::with(numbers((0..60).map(|n| 10 * n)));
            thin_out(&model, numbers((31..45).map(|n| 10 * n)));
            model.thread(|tree, pin| _ = remove(tree, pin, 70, 440));
            model.thread(|tree, pin| _ = tree.remove(pin, &number(300)));
            model.end(numbers((0..7).chain(45..60).map(|n| 10 * n)));
        });
    });
}

/// The parent of a run splits between two of its leaves before the run is locked.
#[test]
fn a_run_has_one_parent() {
    check(&[Line::RunHasOneParent], || {
        explore_more(4, || {
            let mut model = Model::with(numbers((0..60).map(|n| 10 * n)));
            let removed = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&removed);
            model.thread(move |tree, pin| {
                counted.store(remove(tree, pin, 70, 1000), Ordering::Relaxed);
            });
            model.thread(|tree, pin| {
                assert_eq!(tree.insert(pin, &number(205), 1), Ok(Inserted::New));
            });
            model.join();
            let kept = match removed.load(Ordering::Relaxed) {
                53 => numbers([205]),
                _ => vec![],
            };
            model.end([numbers((0..7).map(|n| 10 * n)), kept].concat());
        });
    });
}

/// The tree is cleared while a run is removed: a key that is inserted behind the range after the clear stays.
#[test]
fn a_run_is_removed_beside_a_clear() {
    explore(|| {
        let mut model = Model::with(numbers((0..60).map(|n| 10 * n)));
        model.thread(|tree, pin| assert!(remove(tree, pin, 70, 1000) <= 53));
        model.thread(|tree, pin| {
            tree.clear(pin).unwrap();
            assert_eq!(tree.insert(pin, &number(5), 1), Ok(Inserted::New));
        });
        model.end(numbers([5]));
    });
}

/// A key of two slices; the first is the same for all.
fn long(n: u64) -> Vec<u8> {
    [number(60), number(n)].concat()
}

/// Between the two times at which a run's start is locked, another thread makes a layer of the keys around
/// the range's lower end: those below it stay. Put back: in `move_behind`, always enter the layer.
#[test]
fn a_range_that_begins_in_a_new_layer_spares_the_keys_below() {
    explore(|| {
        let short = || numbers((0..60).map(|n| 10 * n));
        let mut model = Model::with(short().into_iter().chain([long(2), long(5)]));
        model.thread(|tree, pin| {
            let lower = long(4);
            let range = Range {
                lower: Bound::Included(&lower),
                ..Range::all()
            };
            let (_, outcome) = tree.remove_range(pin, &range);
            assert_eq!(outcome, Ok(()));
        });
        model.thread(|tree, pin| {
            assert_eq!(tree.insert(pin, &long(3), 1), Ok(Inserted::New));
        });
        let kept = numbers((0..7).map(|n| 10 * n));
        model.end([kept, vec![long(2), long(3)]].concat());
    });
}
