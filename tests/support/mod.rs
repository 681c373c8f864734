//! What the integration tests share.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::ops::ControlFlow;

use masstree::{Pin, Range, Tree};

pub(crate) fn new_tree() -> Tree {
    Tree::new(None).expect("memory for an empty tree")
}

/// Everything a range holds, in the order visited.
pub(crate) fn collect(tree: &Tree, pin: Pin<'_>, range: &Range<'_>) -> Vec<(Vec<u8>, u64)> {
    let mut seen = Vec::new();
    let count = tree
        .scan(pin, range, &mut |key, value| {
            seen.push((key.to_vec(), value));
            ControlFlow::Continue(())
        })
        .expect("memory for a scan");
    assert_eq!(count, seen.len());
    seen
}

/// Every key, backwards.
pub(crate) fn backwards() -> Range<'static> {
    Range {
        reverse: true,
        ..Range::all()
    }
}

/// Panics with what `check` finds wrong.
#[track_caller]
pub(crate) fn assert_sound(tree: &Tree) {
    let mut faults = String::new();
    let sound = tree
        .check(tree.local_guard().pin(), &mut |line| faults.push_str(line))
        .expect("memory for a check");
    assert!(sound, "{faults}");
}

/// Lets go of all garbage of this tree, as far as seize's batches allow: with no
/// other guard held, every full batch is freed.
pub(crate) fn put(tree: &Tree, key: &[u8], value: u64) -> Option<u64> {
    tree.put(tree.local_guard().pin(), key, value)
        .expect("memory for a put")
}

pub(crate) fn remove(tree: &Tree, key: &[u8]) -> Option<u64> {
    tree.remove(tree.local_guard().pin(), key)
}

pub(crate) fn get(tree: &Tree, key: &[u8]) -> Option<u64> {
    tree.get(tree.local_guard().pin(), key)
}
