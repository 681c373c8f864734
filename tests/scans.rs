//! Scans and cursors meet every key that is there all the while exactly once and in
//! order, none that is away all the while, and any other at most once: while writers
//! split leaves, empty and refill leaves and layers, and a thread merges what is sparse.
//! Not only the keys that never change must be met, but whichever did not change during
//! the passage (see `support/passage.rs`).
//!
//! `make check-scans SCANS=n` runs it longer, in both builds, and prints how many keys
//! were verified. `SEED=s` makes threads draw other numbers.

mod support;

use std::sync::atomic::Ordering;

use masstree::{Guard, Tree};
use support::passage::Keys;
use support::race::{WRITERS, race};
use support::{Random, assert_sound, from_environment, new_tree, passes, scaled, words};

/// Every so many keys one stays, and is nobody's.
const STAYS: usize = 37;

/// A writer of its own keys: those whose number fits.
struct Writer<'t> {
    tree: &'t Tree,
    keys: &'t Keys,
    guard: Guard<'t>,
    random: Random,
    id: usize,
}

impl Writer<'_> {
    /// Its keys of a stretch.
    fn own(&self, from: usize, len: usize) -> Vec<usize> {
        let stretch = from..(from + len).min(self.keys.len());
        stretch
            .filter(|n| n % STAYS != 0 && n % WRITERS == self.id)
            .collect()
    }

    fn insert(&self, numbers: &[usize]) {
        for &number in numbers {
            let pin = self.guard.pin();
            let old = self
                .keys
                .change(number, |key| self.tree.put(pin, key, number as u64));
            assert_eq!(old, Ok(None));
        }
    }

    fn remove(&self, numbers: &[usize]) {
        for &number in numbers {
            let pin = self.guard.pin();
            let old = self.keys.change(number, |key| self.tree.remove(pin, key));
            assert_eq!(old, Some(number as u64));
        }
    }

    fn insert_at_once(&self, numbers: &[usize]) {
        let values: Vec<_> = numbers.iter().map(|n| *n as u64).collect();
        self.keys
            .change_many(numbers, |keys| words::put_many(self.tree, keys, &values));
    }

    fn remove_at_once(&self, numbers: &[usize]) {
        let old = self
            .keys
            .change_many(numbers, |keys| words::remove_many(self.tree, keys));
        let numbers = numbers.iter().map(|n| Some(*n as u64));
        assert!(old.into_iter().eq(numbers));
    }

    /// Fills a stretch with its keys, and empties it again: in order, backwards, all
    /// over, or all at once.
    fn fill_and_empty(&mut self) {
        let len = 1 + self.random.below(300);
        let from = self.random.below(self.keys.len());
        let mut own = self.own(from, len);
        self.arrange(&mut own);
        match self.random.below(4) {
            0 => self.insert_at_once(&own),
            _ => self.insert(&own),
        }
        self.arrange(&mut own);
        match self.random.below(4) {
            0 => self.remove_at_once(&own),
            _ => self.remove(&own),
        }
        self.guard.refresh();
    }

    fn arrange(&mut self, numbers: &mut [usize]) {
        numbers.sort_unstable();
        match self.random.below(3) {
            0 => {}
            1 => numbers.reverse(),
            _ => self.random.shuffle(numbers),
        }
    }
}

/// Passages of every kind over keys of a family, some of which stay.
fn pass_under_writers(name: &str, family: impl Fn(usize) -> Vec<u8>, len: usize, rounds: usize) {
    let seed = from_environment("SEED", 1);
    let tree = new_tree();
    let keys = Keys::new((0..len).map(family).collect());
    let guard = tree.guard().expect("memory for a guard");
    for number in (0..keys.len()).step_by(STAYS) {
        let stored = keys.change(number, |key| tree.put(guard.pin(), key, number as u64));
        assert_eq!(stored, Ok(None));
    }
    drop(guard);
    race(
        4,
        |id| {
            let mut writer = Writer {
                tree: &tree,
                keys: &keys,
                guard: tree.guard().expect("memory for a guard"),
                random: Random((seed * 100 + id) as u64),
                id,
            };
            (0..scaled(rounds)).for_each(|_| writer.fill_and_empty());
        },
        |id, random| match id {
            0 | 1 => {
                passes::scan_all(&tree, &keys, id == 0);
                passes::go_through(&tree, &keys, random, id == 1);
            }
            2 => {
                passes::scan_part(&tree, &keys, random);
                passes::scan_prefix(&tree, &keys, random);
                passes::count_part(&tree, &keys, random);
                passes::wander(&tree, &keys, random);
            }
            _ => {
                let guard = tree.guard().expect("memory for a guard");
                tree.maintain(guard.pin(), random.below(64))
                    .expect("memory for merging");
            }
        },
    );
    assert_sound(&tree);
    passes::scan_all(&tree, &keys, false);
    passes::scan_all(&tree, &keys, true);
    let of = |count: &std::sync::atomic::AtomicUsize| count.load(Ordering::Relaxed);
    let counts = &keys.counts;
    println!(
        "{name}, SEED={seed}: {} passages met {} keys, {} of which were due and never missed; \
         {} that were away were not met",
        of(&counts.passages),
        of(&counts.met),
        of(&counts.due),
        of(&counts.away)
    );
    assert_eq!(tree.key_count() as usize, keys.len().div_ceil(STAYS));
}

/// Keys of eight bytes.
#[test]
fn passages_over_leaves_that_split_and_empty() {
    pass_under_writers("leaves", |n| (n as u64).to_be_bytes().to_vec(), 3000, 200);
}

/// Few of them, so that the tree is a leaf at times, and scans are as quick as writers.
#[test]
fn passages_over_few_leaves() {
    pass_under_writers(
        "few leaves",
        |n| (n as u64).to_be_bytes().to_vec(),
        120,
        2000,
    );
}

/// Groups of 16 keys that share a slice: up to six stay in their leaf, more become a layer.
#[test]
fn passages_over_groups_that_become_layers() {
    let key = |n: usize| {
        [
            &(n as u64 / 16).to_be_bytes()[..],
            b"a tail of",
            &[n as u8 % 16],
        ]
        .concat()
    };
    pass_under_writers("groups and layers", key, 3000, 200);
}

/// Layers below layers, each with leaves of its own, and keys that are others' beginnings.
#[test]
fn passages_over_layers_below_layers() {
    let key = |n: usize| {
        let shared = &b"the first the secondthe third"[..8 * (n % 4)];
        [
            shared,
            &(n as u32 / 4).to_be_bytes(),
            &b"and a suffix"[..n % 13],
        ]
        .concat()
    };
    pass_under_writers("layers below layers", key, 2000, 200);
}

/// Suffixes of all lengths, which are moved and written anew.
#[test]
fn passages_over_suffixes() {
    let key = |n: usize| {
        let mut key = [b"pre", &(n as u32).to_be_bytes()[..], b"fix"].concat();
        key.resize(10 + n * 37 % 400, n as u8);
        key
    };
    pass_under_writers("suffixes", key, 2000, 100);
}
