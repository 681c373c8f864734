//! Finds the longest key that is a prefix of a given one.
//!
//! In each layer on the path of the given key, the keys that are prefixes of it have its slice, cut
//! off after some bytes; so they are at or before its place in the layer, and the longer is the later
//! one. The search descends to the deepest layer of the path, and then looks in the layers from there
//! upwards. In each, it looks in the leaf that holds the slice, and then, further left, only in leaves
//! that would hold one of the slices cut off.
//!
//! **Protocol.** The leaves are read one after another, each as a validated snapshot. The value is
//! loaded after the last of them, and then all leaves from that of the key that was found downwards are
//! checked: none has changed since it was read. So at the moment when the value was loaded, the
//! key had this value, and no longer one existed. The layers above do not matter. A leaf that has left
//! the tree does not pass, but for one of a tree that was cleared meanwhile: then the moment is
//! one before the clear, which had not begun when the search loaded the root.

use super::descend::{Lines, Reached, Stale, reach, search_long};
use crate::index::key::{Key, SLICE_LEN, SUFFIX};
use crate::index::memory::{Count, OutOfMemory, Source, Vector, with_stack};
use crate::index::node::{Entries, Found, Leaf, Lockable, NodeRef, Search, Version, with_search};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::protocol::Line;

/// Why an attempt failed.
enum Failed {
    OutOfMemory,
    /// A writer has changed a leaf, or replaced a root.
    Changed,
}

impl From<Stale> for Failed {
    fn from(_: Stale) -> Self {
        Self::Changed
    }
}

impl From<allocator_api2::collections::TryReserveError> for Failed {
    fn from(_: allocator_api2::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

/// A layer on the path of the given key.
struct Level<'g> {
    root: NodeRef<'g>,
    /// The leaf that holds the key's slice.
    reached: Reached<'g>,
}

/// A slice of which only the first `len` bytes are kept.
fn cut_off(slice: u64, len: usize) -> u64 {
    match len {
        0 => 0,
        SLICE_LEN.. => slice,
        _ => slice & (u64::MAX << (u64::BITS as usize - 8 * len)),
    }
}

/// The last entry that is a prefix of the key: its position, and its length in this layer.
fn last_prefix(entries: &Entries<'_>, key: &Key<'_>) -> Option<(usize, usize)> {
    (0..entries.len()).rev().find_map(|at| {
        let kind = entries.kind(at);
        let len = usize::from(kind);
        let slice = entries.slice(at);
        let is_prefix =
            len <= SLICE_LEN && kind <= key.kind() && slice == cut_off(key.slice(), len);
        if is_prefix {
            return Some((at, len));
        }
        if kind != SUFFIX || slice != key.slice() {
            return None;
        }
        let suffix = entries.suffix(at);
        let is_prefix = key.suffix().starts_with(&suffix);
        is_prefix.then_some((at, SLICE_LEN + suffix.len()))
    })
}

/// A search under way.
struct Upwards<'g> {
    /// The leaves that were read.
    leaves: Vector<(&'g Leaf, Version)>,
    entries: Entries<'g>,
}

impl<'g> Upwards<'g> {
    /// Copies a leaf, which must be unchanged since its version was taken.
    fn read<S: Search>(&mut self, leaf: &'g Leaf, version: Version) -> Result<(), Failed> {
        self.leaves.try_reserve(1)?;
        self.leaves.push((leaf, version));
        match leaf.snapshot::<S>(version, &mut self.entries) {
            Some(_) => Ok(()),
            None => Err(Failed::Changed),
        }
    }

    /// Finds the longest prefix of the key in a layer: its length in the layer, and its value.
    fn find<S: Search>(
        &mut self,
        level: &Level<'g>,
        key: &Key<'_>,
    ) -> Result<Option<(usize, u64)>, Failed> {
        let Reached { leaf, version, .. } = level.reached;
        self.read::<S>(leaf, version)?;
        let mut leaf = leaf;
        let mut len = usize::from(key.kind()).min(SLICE_LEN);
        // Ends: each round, the length decreases.
        loop {
            if let Some((at, len)) = last_prefix(&self.entries, key) {
                let slot = self.entries.slot(at);
                return Ok(Some((len, leaf.value_unvalidated(slot))));
            }
            // The leaf holds every slice from its low to the one for which it was reached.
            let low = leaf.low().min(cut_off(key.slice(), len));
            let shorter = (0..len).rfind(|&len| cut_off(key.slice(), len) < low);
            let Some(shorter) = shorter else {
                return Ok(None);
            };
            len = shorter;
            let slice = cut_off(key.slice(), len);
            let reached = reach::<S>(level.root, slice, Lines::All)?;
            leaf = reached.leaf;
            self.read::<S>(leaf, reached.version)?;
        }
    }

    /// Whether no leaf has changed since it was read.
    fn is_undisturbed(&self) -> bool {
        let is_current = |&(leaf, version): &(&Leaf, _)| leaf.version().validate(version);
        self.leaves.iter().all(is_current) || !Line::PrefixIsUndisturbed.is_enabled()
    }
}

impl Tree {
    /// Returns the length of the longest key that is a prefix of `key`, and its value. There is a moment
    /// of the call at which this was the longest one.
    pub(crate) fn longest_prefix(
        &self,
        pin: Pinned<'_>,
        key: &[u8],
    ) -> Result<Option<(usize, u64)>, OutOfMemory> {
        self.admit(pin, key);
        let search = |source| {
            // Ends: each round, a writer has changed a leaf or replaced the root of a layer.
            loop {
                let found = with_search!(self.isa, S => {
                    self.try_longest_prefix::<S>(pin, key, source)
                });
                match found {
                    Ok(found) => return Ok(found),
                    Err(Failed::OutOfMemory) => return Err(OutOfMemory),
                    Err(Failed::Changed) => pin.count(Count::Restarts, 1),
                }
            }
        };
        // SAFETY: the search ends there, and its result has no memory.
        unsafe { with_stack(self.allocator(), search) }
    }

    fn try_longest_prefix<S: Search>(
        &self,
        pin: Pinned<'_>,
        bytes: &[u8],
        source: Source,
    ) -> Result<Option<(usize, u64)>, Failed> {
        let mut levels = Vector::new_in(source);
        self.levels_of::<S>(pin, Key::new(bytes), &mut levels)?;
        let mut upwards = Upwards {
            leaves: Vector::new_in(source),
            entries: Entries::new(),
        };
        for (above, level) in levels.iter().enumerate().rev() {
            let depth = above * SLICE_LEN;
            let found = upwards.find::<S>(level, &Key::new(&bytes[depth..]))?;
            if let Some((len, value)) = found {
                let is_undisturbed = upwards.is_undisturbed();
                return match is_undisturbed {
                    true => Ok(Some((depth + len, value))),
                    false => Err(Failed::Changed),
                };
            }
        }
        match upwards.is_undisturbed() {
            true => Ok(None),
            false => Err(Failed::Changed),
        }
    }

    /// Stores the layers on the path of a key.
    fn levels_of<'g, S: Search>(
        &self,
        pin: Pinned<'g>,
        mut key: Key<'_>,
        levels: &mut Vector<Level<'g>>,
    ) -> Result<(), Failed> {
        let mut root = self.root(pin);
        // Ends: each round is a layer further down.
        loop {
            levels.try_reserve(1)?;
            if !key.has_suffix() {
                let reached = reach::<S>(root, key.slice(), Lines::All)?;
                levels.push(Level { root, reached });
                return Ok(());
            }
            let (found, reached) = search_long::<S>(root, &key)?;
            levels.push(Level { root, reached });
            let Found::Layer(below) = found else {
                return Ok(());
            };
            root = below;
            key.shift();
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::thread;

    use proptest::prelude::*;

    use super::*;
    use crate::testing::Random;

    /// Keys that often are prefixes of each other, also at the ends of slices.
    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let bytes = prop_oneof![Just(0_u8), Just(b'a'), Just(b'b'), Just(0xFF)];
        let runs = prop::collection::vec((bytes, 0..10_usize), 0..5);
        runs.prop_map(|runs| {
            let runs = runs.into_iter().map(|(byte, len)| vec![byte; len]);
            runs.collect::<Vec<_>>().concat()
        })
    }

    proptest! {
        /// Put back: in `find`, return `Ok(None)` after the first leaf; in `last_prefix`, compare
        /// lengths with `<`, or do not compare suffixes; in `try_longest_prefix`, look in the deepest
        /// level only.
        #[test]
        fn the_longest_prefix_is_that_of_the_model(
            // More than a leaf has room for under some of the slices.
            put in prop::collection::vec(keys(), 0..200),
            wanted in prop::collection::vec(keys(), 50),
        ) {
            let tree = Tree::new(None).unwrap();
            let guard = tree.guard().unwrap();
            let pin = guard.pin();
            let mut model = BTreeMap::new();
            for (value, key) in (0..).zip(put) {
                tree.put(pin, &key, value).unwrap();
                model.insert(key, value);
            }
            let longer = model.keys().map(|key| [key, &b"ab"[..]].concat());
            for key in wanted.into_iter().chain(longer) {
                let prefixes = (0..=key.len()).rev();
                let expected = prefixes
                    .filter_map(|len| Some((len, *model.get(&key[..len])?)))
                    .next();
                prop_assert_eq!(tree.longest_prefix(pin, &key), Ok(expected), "{:?}", key);
            }
        }
    }

    /// Put back: in `find`, reach the leaf of the slice itself.
    #[test]
    fn prefixes_in_other_leaves_are_found() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        let key = *b"12345678";
        for len in 0..=8 {
            // Between a prefix and the next longer one are more keys than a leaf has.
            tree.put(pin, &key[..len], len as u64).unwrap();
            for between in 0..40 {
                let between = [&key[..len], &[b'!', between]].concat();
                tree.put(pin, &between, 100).unwrap();
            }
        }
        for len in (0..=8).rev() {
            let found = tree.longest_prefix(pin, b"1234567890");
            assert_eq!(found, Ok(Some((len, len as u64))));
            assert_eq!(tree.remove(pin, &key[..len]), Some(len as u64));
        }
        assert_eq!(tree.longest_prefix(pin, b"1234567890"), Ok(None));
    }

    /// A writer moves one key between a short and a long prefix, so that at each moment one of them exists.
    /// Put back: in `is_undisturbed`, return `true` (noticed in some runs; the next test notices it more often).
    #[test]
    fn one_of_two_prefixes_is_found_while_they_replace_each_other() {
        let tree = Tree::new(None).unwrap();
        let long = b"a longer key, in a layer below".as_slice();
        let wanted = [long, b" and more"].concat();
        let other = b"a longer key, besides it".as_slice();
        let is_over = AtomicBool::new(false);
        let guard = tree.guard().unwrap();
        for key in [&long[..3], other, b"a longer ke"] {
            tree.put(guard.pin(), key, key.len() as u64).unwrap();
        }
        tree.remove(guard.pin(), b"a longer ke").unwrap();
        let rounds = if cfg!(miri) { 20 } else { 5000 };
        thread::scope(|scope| {
            scope.spawn(|| {
                let guard = tree.guard().unwrap();
                for _ in 0..rounds {
                    for (new, old) in [(long, &long[..3]), (&long[..3], long)] {
                        tree.put(guard.pin(), new, new.len() as u64).unwrap();
                        tree.remove(guard.pin(), old).unwrap();
                    }
                }
                is_over.store(true, Ordering::Relaxed);
            });
            while !is_over.load(Ordering::Relaxed) {
                let found = tree.longest_prefix(guard.pin(), &wanted).unwrap();
                let (len, value) = found.expect("one of the two exists");
                assert!(len == 3 || len == long.len(), "{len}");
                assert_eq!(value, len as u64);
            }
        });
    }

    /// What a writer of the prefixes of one key does: stores or removes the one with this length; and what is
    /// the longest one afterwards.
    struct Step {
        len: usize,
        value: Option<u64>,
        longest: Option<(usize, u64)>,
    }

    fn steps(count: usize, key_len: usize) -> Vec<Step> {
        let mut random = Random(7);
        let mut present = BTreeMap::new();
        let step = |number| {
            let len = random.below(key_len + 1);
            let value = (random.below(3) == 0).then_some(number);
            match value {
                Some(value) => _ = present.insert(len, value),
                None => _ = present.remove(&len),
            }
            let longest = present.last_key_value().map(|(len, value)| (*len, *value));
            Step {
                len,
                value,
                longest,
            }
        };
        (0..count as u64).map(step).collect()
    }

    /// What is returned was the longest prefix, with this value, after a step that was neither over when the
    /// call began nor begun when it ended, or after one between these. Another thread splits and merges the
    /// leaves. Put back: in `is_undisturbed`, return `true`.
    #[test]
    fn a_longest_prefix_beside_a_writer_was_the_longest_at_one_moment() {
        let key = b"12345678123456789".as_slice();
        let tree = Tree::new(None).unwrap();
        let steps = steps(if cfg!(miri) { 50 } else { 30_000 }, key.len());
        let (begun, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let is_over = || done.load(Ordering::Acquire) == steps.len();
        thread::scope(|scope| {
            scope.spawn(|| {
                let guard = tree.guard().unwrap();
                for (number, step) in (1..).zip(&steps) {
                    begun.store(number, Ordering::Release);
                    match step.value {
                        Some(value) => _ = tree.put(guard.pin(), &key[..step.len], value).unwrap(),
                        None => _ = tree.remove(guard.pin(), &key[..step.len]),
                    }
                    done.store(number, Ordering::Release);
                }
            });
            scope.spawn(|| {
                let guard = tree.guard().unwrap();
                let mut random = Random(1);
                while !is_over() {
                    // Between the prefixes, in each layer.
                    let other = [
                        &key[..random.below(key.len())],
                        b"!",
                        &[random.below(40) as u8],
                    ]
                    .concat();
                    match random.below(2) {
                        0 => _ = tree.put(guard.pin(), &other, 0).unwrap(),
                        _ => _ = tree.remove(guard.pin(), &other),
                    }
                }
            });
            let guard = tree.guard().unwrap();
            while !is_over() {
                // A step of which this thread has seen anything has begun.
                let first = done.load(Ordering::Acquire);
                let found = tree.longest_prefix(guard.pin(), key).unwrap();
                let last = begun.load(Ordering::Acquire);
                let after = |number: usize| number.checked_sub(1).and_then(|at| steps[at].longest);
                let was_there = (first..=last).any(|number| after(number) == found);
                assert!(
                    was_there,
                    "{found:?} was not there from step {first} to {last}"
                );
            }
        });
    }
}
