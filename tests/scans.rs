//! While writers split leaves, empty and refill leaves and layers, and a thread merges sparse
//! leaves, scans and cursors meet every key that exists throughout exactly once and in order,
//! no key that is absent throughout, and any other key at most once. "Throughout" is judged
//! for each passage: it applies not only to keys that never change, but to every key that did
//! not change during the passage (see `support/passage.rs`).
//!
//! `make check-scans SCANS=n` runs longer, in both builds, and prints how many keys were
//! verified. `SEED=s` makes the threads draw other numbers.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};

use masstree::{Cursor, Guard, Tree};
use support::passage::Keys;
use support::race::{WRITERS, race};
use support::{Random, assert_sound, from_environment, new_tree, passes, scaled, words};

/// One in this many keys is stable and belongs to no writer.
const STAYS: usize = 37;

/// A writer of its own keys, which are determined by their numbers.
struct Writer<'t> {
    tree: &'t Tree,
    keys: &'t Keys,
    guard: Guard<'t>,
    random: Random,
    id: usize,
}

impl Writer<'_> {
    /// Its keys in a stretch.
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

    /// Fills a stretch with its keys and empties it again: in order, backwards, in random
    /// order, or in one batch.
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

/// Runs passages of every kind over keys of a family, some of which are stable.
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
    let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
    let counts = &keys.counts;
    println!(
        "{name}, SEED={seed}: {} passages met {} keys, {} of which were due and never missed; \
         {} that were absent were not met",
        of(&counts.passages),
        of(&counts.met),
        of(&counts.due),
        of(&counts.absent)
    );
    assert_eq!(tree.key_count() as usize, keys.len().div_ceil(STAYS));
}

/// Keys of eight bytes.
#[test]
fn passages_over_leaves_that_split_and_empty() {
    pass_under_writers("leaves", |n| (n as u64).to_be_bytes().to_vec(), 3000, 200);
}

/// Few keys, so that the tree is a single leaf at times, and scans are as quick as writers.
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

/// Layers below layers, each with several leaves, and keys that are prefixes of others.
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

/// Suffixes of all lengths, which are moved and rewritten.
#[test]
fn passages_over_suffixes() {
    let key = |n: usize| {
        let mut key = [b"pre", &(n as u32).to_be_bytes()[..], b"fix"].concat();
        key.resize(10 + n * 37 % 400, n as u8);
        key
    };
    pass_under_writers("suffixes", key, 2000, 100);
}

/// Number of keys in a stretch: one stable key and the gap after it.
const GAP: usize = 5;

/// Steps through all keys with a cursor; returns the number of steps.
fn step_through(tree: &Tree, keys: &[Vec<u8>], reverse: bool) -> usize {
    let guard = tree.guard().expect("memory for a guard");
    let mut cursor = Cursor::new(tree);
    let mut steps = 0;
    // In reverse, the last key of all comes first.
    let mut from = reverse.then_some(keys.len());
    loop {
        let moved = cursor.step(tree, guard.pin(), reverse);
        if !moved.expect("memory for a cursor") {
            return steps;
        }
        let key = cursor.key().expect("the cursor is at a key");
        let to = keys.iter().position(|known| known == key);
        let to = to.expect("a known key");
        let comes_next = |from: usize| match reverse {
            true => to + 1 == from,
            false => to == from + 1,
        };
        assert!(
            to.is_multiple_of(GAP) || from.is_some_and(comes_next),
            "a step skipped a key that existed: from {from:?} to {to}"
        );
        from = Some(to);
        steps += 1;
    }
}

/// In each gap between stable keys, keys are inserted starting at one end and removed in the
/// opposite order: no key ever exists without those before it. So a step that meets one of
/// them must have come from the key before it, whatever leaves it passed: at some moment the
/// step's result was true. Put back: in `Cursor::arrive`, do not check that the walk is
/// undisturbed (with `--cfg masstree_perturb`).
fn step_through_gaps(family: impl Fn(usize) -> Vec<u8> + Sync, reverse: bool) {
    const GAPS: usize = 13 * WRITERS;
    const KEYS: usize = GAPS * GAP;
    let tree = new_tree();
    let keys: Vec<_> = (0..KEYS).map(family).collect();
    // Insert all keys first, so that leaves end within gaps.
    keys.iter().for_each(|key| _ = support::put(&tree, key, 0));
    let in_gaps = (0..KEYS).filter(|n| n % GAP != 0);
    in_gaps.for_each(|n| _ = support::remove(&tree, &keys[n]));
    let rounds = scaled(3000);
    let steps = AtomicUsize::new(0);
    race(
        2,
        |id| {
            let guard = tree.guard().expect("memory for a guard");
            for round in 0..rounds {
                let gap = (round * WRITERS + id) % GAPS;
                let mut own: Vec<_> = (gap * GAP + 1..(gap + 1) * GAP).collect();
                if reverse {
                    own.reverse();
                }
                for n in &own {
                    assert_eq!(tree.put(guard.pin(), &keys[*n], *n as u64), Ok(None));
                }
                for n in own.iter().rev() {
                    assert_eq!(tree.remove(guard.pin(), &keys[*n]), Some(*n as u64));
                }
            }
        },
        |_, _| {
            let taken = step_through(&tree, &keys, reverse);
            steps.fetch_add(taken, Ordering::Relaxed);
        },
    );
    assert_sound(&tree);
    println!(
        "{} steps of cursors, each true at one moment",
        steps.load(Ordering::Relaxed)
    );
}

#[test]
fn a_step_skips_no_key_inserted_before_the_one_it_meets() {
    for reverse in [false, true] {
        step_through_gaps(|n| (n as u64).to_be_bytes().to_vec(), reverse);
        let in_layers =
            |n: usize| [&(n as u64 / 13).to_be_bytes()[..], b"and more", &[n as u8]].concat();
        step_through_gaps(in_layers, reverse);
    }
}
