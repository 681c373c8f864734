//! What the integration tests share.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::ops::ControlFlow;

use masstree::{Pin, Range, Tree};

pub(crate) fn new_tree() -> Tree {
    Tree::new(None).expect("memory for an empty tree")
}

/// A number of steps that suits a build without optimisation, times
/// MASSTREE_TEST_FACTOR where that is set.
pub(crate) fn scaled(steps: usize) -> usize {
    let factor: usize = std::env::var("MASSTREE_TEST_FACTOR").map_or(1, |factor| {
        factor.parse().expect("MASSTREE_TEST_FACTOR is a number")
    });
    steps * factor
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

/// The keys of a range, in the order visited.
pub(crate) fn keys(tree: &Tree, range: &Range<'_>) -> Vec<Vec<u8>> {
    let guard = tree.guard().unwrap();
    collect(tree, guard.pin(), range)
        .into_iter()
        .map(|(key, _)| key)
        .collect()
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
        .check(tree.guard().unwrap().pin(), &mut |line| {
            faults.push_str(line)
        })
        .expect("memory for a check");
    assert!(sound, "{faults}");
}

pub(crate) fn put(tree: &Tree, key: &[u8], value: u64) -> Option<u64> {
    tree.put(tree.guard().unwrap().pin(), key, value)
        .expect("memory for a put")
}

pub(crate) fn remove(tree: &Tree, key: &[u8]) -> Option<u64> {
    tree.remove(tree.guard().unwrap().pin(), key)
}

pub(crate) fn get(tree: &Tree, key: &[u8]) -> Option<u64> {
    tree.get(tree.guard().unwrap().pin(), key)
}

/// A reproducible sequence of numbers (SplitMix64: Steele, Lea, Flood 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub(crate) fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }
}
