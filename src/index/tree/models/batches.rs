//! Models of batches of short keys.

use super::harness::{Model, explore, explore_more, number, numbers, scan};
use super::*;
use crate::index::reclaim::Pinned;
use crate::protocol::models::check;

/// Puts these keys in one batch.
fn put_all(tree: &Tree, pin: Pinned<'_>, keys: &[u64]) {
    let key_at = |index: usize| ShortKey::of_integer(keys[index]);
    let decide = |_, _| Decision::Set(1);
    tree.write_each(pin, keys.len(), key_at, decide, |_, outcome| {
        assert!(outcome.is_ok());
    });
}

/// Look-ups begin at a root that splits, and continue below internodes that split.
#[test]
fn short_keys_are_found_below_splitting_nodes() {
    let lines = [Line::PipelineRootIsLiving, Line::PipelineParentIsValidated];
    check(&lines, || {
        for (leaves, step) in [(1, 4), (1, 3), (1, 2), (1, 5), (1, 7), (4, 4), (4, 7)] {
            explore(move || {
                let initial = numbers((0..15 * leaves).map(|n| 10 * n));
                let mut model = Model::with(initial.clone());
                model.thread(|tree, pin| _ = tree.insert(pin, &number(75), 1).unwrap());
                model.thread(move |tree, pin| {
                    let keys: Vec<_> = (0..15 * leaves).rev().step_by(step).collect();
                    let key_at = |index: usize| ShortKey::of_integer(10 * keys[index]);
                    tree.get_each_short(pin, keys.len(), key_at, |index, value| {
                        assert_eq!(value, Some(keys[index]));
                    });
                });
                model.end([initial, numbers([75])].concat());
            });
        }
    });
}

/// Two batches insert keys into the same leaves, which split, and so do the nodes above.
#[test]
fn batches_insert_beside_each_other() {
    explore(|| {
        let initial = numbers((0..60).map(|n| 10 * n));
        let mut model = Model::with(initial.clone());
        let (one, other) = ([75, 15, 335, 185, 76], [16, 77, 595, 184, 17]);
        model.thread(move |tree, pin| put_all(tree, pin, &one));
        model.thread(move |tree, pin| put_all(tree, pin, &other));
        model.end([initial, numbers(one), numbers(other)].concat());
    });
}

/// Two batches remove all keys, so that leaves and internodes are deleted while keys are on their
/// way to them.
#[test]
fn batches_remove_beside_each_other() {
    explore(|| {
        let mut model = Model::with(numbers(0..60));
        for first in [0, 30] {
            model.thread(move |tree, pin| {
                let key_at = |index| ShortKey::of_integer(first + index as u64);
                tree.remove_each(pin, 30, key_at, |index, removed| {
                    assert_eq!(removed, Some(first + index as u64));
                });
            });
        }
        model.end(Vec::new());
    });
}

/// A tree is cleared while a batch is written. A key of the batch that is in the new tree is
/// followed there by all later keys of the batch, also if it had to be written by itself because
/// another thread wrote to its leaf.
#[test]
fn a_batch_is_cleared_in_its_order() {
    check(&[Line::ManyIsUnderTheRoot], || {
        explore_more(2, || {
            // Two levels of internodes: keys pass the root before the clear.
            let mut model = Model::with(numbers((0..150).map(|n| 10 * n)));
            model.thread(|tree, pin| put_all(tree, pin, &[0, 400, 800, 1200]));
            model.thread(|tree, pin| {
                tree.remove(pin, &number(10)).unwrap();
                tree.clear(pin).unwrap();
            });
            model.join();
            let guard = model.tree.guard().unwrap();
            let left = scan(&model.tree, guard.pin(), false);
            let all = numbers([0, 400, 800, 1200]);
            assert!(all.ends_with(&left), "{left:?}");
            drop(guard);
            model.end(left);
        });
    });
}
