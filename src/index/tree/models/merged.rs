//! Models of leaves whose keys move to the leaf before.

use super::harness::{Model, assert_scanned, explore, number, numbers};
use crate::index::tree::Inserted;
use crate::protocol::Line;
use crate::protocol::models::check;

/// Sparse leaves are merged under scans in both directions, lookups and an insert.
#[test]
fn merged_leaves_lose_nothing() {
    let lines = [Line::MergeIsDirty, Line::DeletedIsMarked];
    check(&lines, || {
        explore(|| {
            let mut model = Model::with(numbers((0..30).map(|n| 10 * n)));
            let guard = model.tree.guard().unwrap();
            let stays = |n: &u64| n % 15 < 3;
            for n in (0..30).filter(|n| !stays(n)) {
                model.tree.remove(guard.pin(), &number(10 * n));
            }
            drop(guard);
            let stay = numbers((0..30).filter(stays).map(|n| 10 * n));
            let keys = stay.clone();
            model.thread(|tree, pin| _ = tree.maintain(pin, 10).unwrap());
            model.thread(|tree, pin| {
                assert_eq!(tree.insert(pin, &number(175), 1), Ok(Inserted::New));
                assert_eq!(tree.get(pin, &number(175)), Some(1));
            });
            model.thread(move |tree, pin| {
                assert_scanned(tree, pin, false, &keys);
                assert_scanned(tree, pin, true, &keys);
                for key in &keys {
                    assert!(tree.get(pin, key).is_some());
                }
            });
            model.end([stay, numbers([175])].concat());
        });
    });
}

/// Keys move to sparser leaves under scans in both directions, lookups, an insert and a remove.
#[test]
fn compacted_leaves_lose_nothing() {
    let lines = [Line::CutLeafIsDirty, Line::CutParentIsDirty];
    check(&lines, || {
        explore(|| {
            let mut model = Model::with(numbers((0..45).map(|n| 10 * n)));
            let guard = model.tree.guard().unwrap();
            let stays = |n: &u64| n % 15 < 10;
            for n in (0..45).filter(|n| !stays(n)) {
                model.tree.remove(guard.pin(), &number(10 * n));
            }
            drop(guard);
            let stay = numbers((0..45).filter(stays).map(|n| 10 * n));
            let keys = stay.clone();
            model.thread(|tree, pin| _ = tree.compact(pin, 14, 10).unwrap());
            model.thread(|tree, pin| {
                for n in [165, 235, 315] {
                    assert_eq!(tree.insert(pin, &number(n), 1), Ok(Inserted::New));
                    assert_eq!(tree.get(pin, &number(n)), Some(1));
                }
            });
            model.thread(move |tree, pin| {
                assert_scanned(tree, pin, false, &keys);
                assert_scanned(tree, pin, true, &keys);
                for key in &keys {
                    assert!(tree.get(pin, key).is_some());
                }
            });
            model.end([stay, numbers([165, 235, 315])].concat());
        });
    });
}
