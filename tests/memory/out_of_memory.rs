//! Operations that fail half-way: row 18.

use std::cell::Cell;
use std::collections::BTreeMap;

use masstree::{LoadOutcome, OutOfMemory, Pinned, Range, Tree, Values};

use crate::support::{Random, assert_sound, bulk_load_bytes, collect, decoded, encoded};
use crate::{Ledger, NONE, Tally, WORDS, workload_keys};

/// Bytes by which a leaf with tails is larger than others.
const TAILS: usize = 128;

type Model = BTreeMap<Vec<u8>, u64>;

/// A running workload, in which one allocation fails.
pub(crate) struct Trial<'t> {
    ledger: &'t Ledger,
    pub(crate) tree: &'t Tree,
    pub(crate) pin: Pinned<'t>,
    pub(crate) model: Model,
    failures: usize,
}

impl Trial<'_> {
    /// Runs an operation that may run out of memory. If it does, the tree equals the model,
    /// and the same operation then succeeds.
    #[track_caller]
    pub(crate) fn attempt<T>(&mut self, mut what: impl FnMut() -> Result<T, OutOfMemory>) -> T {
        match what() {
            Ok(done) => done,
            Err(OutOfMemory) => {
                assert!(!self.ledger.is_armed(), "an allocation failed unasked");
                self.failures += 1;
                assert_eq!(self.failures, 1, "one allocation fails, not more");
                self.compare();
                what().expect("memory is available now")
            }
        }
    }

    #[track_caller]
    pub(crate) fn compare(&self) {
        assert_sound(self.tree);
        let found = collect(self.tree, self.pin, &Range::all());
        let found = found.into_iter().map(|(key, word)| {
            let value = match self.tree.holds_bytes() {
                true => decoded(self.tree.get_bytes(self.pin, &key).unwrap()),
                false => word,
            };
            (key, value)
        });
        assert!(found.eq(self.model.clone()), "the tree has changed");
    }

    /// Puts keys with values from 0 on, before any allocation fails.
    pub(crate) fn put_all(&mut self, keys: &[Vec<u8>]) {
        for (key, value) in keys.iter().zip(0..) {
            if self.tree.holds_bytes() {
                let put = self.tree.put_bytes(self.pin, key, &encoded(value));
                put.unwrap();
            } else {
                self.tree.put(self.pin, key, value).unwrap();
            }
            self.model.insert(key.clone(), value);
        }
    }
}

/// Runs `prepare` and `work` once for each allocation of `work`, each time with another of
/// them failing; `work` must make at least the given number of allocations.
pub(crate) fn sweep(
    values: Values,
    least: usize,
    prepare: impl Fn(&mut Trial<'_>),
    work: impl Fn(&mut Trial<'_>),
) {
    for nth in 0.. {
        let ledger = Ledger::new();
        let tree = ledger.tree(values);
        let empty = tree.memory_in_use();
        let mut guard = tree.guard().unwrap();
        let mut trial = Trial {
            ledger: &ledger,
            tree: &tree,
            pin: guard.pin(),
            model: Model::new(),
            failures: 0,
        };
        prepare(&mut trial);
        ledger.arm(nth);
        work(&mut trial);
        let failed = !ledger.is_armed();
        ledger.arm(NONE);
        trial.compare();
        let keys: Vec<_> = trial.model.into_keys().collect();
        for key in &keys {
            match tree.holds_bytes() {
                true => assert!(tree.remove_bytes(guard.pin(), key).is_some()),
                false => tree.discard(guard.pin(), tree.remove(guard.pin(), key).unwrap()),
            }
        }
        guard.pin().flush();
        guard.refresh();
        let in_use = tree.memory_in_use();
        // The last leaf may have tails, and a load may leave the first root to another guard.
        let left = in_use - empty;
        assert!(
            [0, TAILS, empty].contains(&left),
            "{in_use} bytes without keys, {empty} at first"
        );
        drop(guard);
        drop(tree);
        ledger.assert_balanced();
        if !failed {
            assert!(nth >= least, "{nth} allocations were made to fail");
            return;
        }
    }
}

/// Row 18. Put back: in `Tree::split`, take the new leaf from the allocator
/// instead of the reserve after marking the leaf dirty, and give up on failure.
#[test]
fn a_put_that_runs_out_of_memory_changes_nothing() {
    let keys = workload_keys(600);
    let work = |trial: &mut Trial<'_>| {
        let (tree, pin) = (trial.tree, trial.pin);
        for (key, value) in keys.iter().zip(0..) {
            let old = trial.attempt(|| tree.put(pin, key, value));
            assert_eq!(old, trial.model.insert(key.clone(), value));
        }
    };
    sweep(WORDS, 100, |_| (), work);
}

/// Keys of up to 8 bytes below a slice, and some longer ones: leaves with and without tails are
/// split, merged, and get layers below them. Put back: in `SplitPlan::add_bags`, count the suffixes
/// of the left leaf as if it had no tails, or the other way round; in `move_entries`, do not move
/// the tail; in `free_leaf`, free every leaf as one without tails; in `Reserve::take_spare`, leave
/// out the tailed leaves.
#[test]
fn short_suffixes_without_memory_change_nothing() {
    let mut random = Random(7);
    let keys: Vec<_> = (0..350)
        .map(|i| {
            let slice = random.next() % 48;
            let shared = if i % 3 == 0 {
                &b"one pref"[..]
            } else {
                &b""[..]
            };
            let mut key = [shared, &slice.to_be_bytes()].concat();
            let len = [1, 2, 7, 8, 8, 8, 9, 20][i % 8];
            key.extend(random.next().to_be_bytes().iter().cycle().take(len));
            key
        })
        .collect();
    let work = |trial: &mut Trial<'_>| {
        let (tree, pin) = (trial.tree, trial.pin);
        for (key, value) in keys.iter().zip(0..) {
            let old = trial.attempt(|| tree.put(pin, key, value));
            assert_eq!(old, trial.model.insert(key.clone(), value));
        }
        for key in keys.iter().filter(|key| key.len() % 8 != 3) {
            assert_eq!(tree.remove(pin, key), trial.model.remove(key));
        }
        while !trial.attempt(|| tree.maintain(pin, 10)).ended {}
        while !trial.attempt(|| tree.compact(pin, 14, 10)).ended {}
        for (key, value) in keys.iter().rev().zip(1000..) {
            let old = trial.attempt(|| tree.put(pin, key, value));
            assert_eq!(old, trial.model.insert(key.clone(), value));
            assert_eq!(tree.get(pin, key), Some(value));
        }
    };
    sweep(WORDS, 60, |_| (), work);
}

/// Row 18. Put back: in `NewString::drop`, free the string whether it was stored or not; or never
/// free it.
#[test]
fn a_byte_string_without_memory_changes_nothing() {
    let keys = workload_keys(120);
    let work = |trial: &mut Trial<'_>| {
        let (tree, pin) = (trial.tree, trial.pin);
        for (key, n) in keys.iter().zip(1..) {
            let old = trial.model.get(key).copied();
            let new = encoded(n);
            match n % 4 {
                0 => {
                    let seen = trial.attempt(|| tree.replace_bytes(pin, key, &new));
                    assert_eq!(seen.map(decoded), old);
                }
                1 => {
                    // Matches every other time.
                    let expected = encoded(old.unwrap_or(0) + n / 4 % 2);
                    let seen =
                        trial.attempt(|| tree.compare_exchange_bytes(pin, key, &expected, &new));
                    let hit = n / 4 % 2 == 0;
                    let seen = seen.map(|(done, value)| (done, decoded(value)));
                    assert_eq!(seen, old.map(|old| (hit, old)));
                    if !hit {
                        continue;
                    }
                }
                2 => {
                    let seen = trial.attempt(|| tree.insert_bytes(pin, key, &new));
                    assert_eq!(seen.map(decoded), old);
                    trial.model.entry(key.clone()).or_insert(n);
                    continue;
                }
                _ => {
                    let seen = trial.attempt(|| tree.put_bytes(pin, key, &new));
                    assert_eq!(seen.map(decoded), old);
                    trial.model.insert(key.clone(), n);
                }
            }
            if let Some(value) = trial.model.get_mut(key) {
                *value = n;
            }
        }
    };
    let half = &keys[..60];
    sweep(Values::BYTES, 120, |trial| trial.put_all(half), work);
}

/// Row 18. Put back: in `Tree::clear`, allocate the note after `detach_root`.
#[test]
fn a_clear_that_runs_out_of_memory_changes_nothing() {
    let keys = workload_keys(100);
    for values in [WORDS, Values::BYTES] {
        let work = |trial: &mut Trial<'_>| {
            let (tree, pin) = (trial.tree, trial.pin);
            trial.attempt(|| tree.clear(pin));
            trial.model.clear();
        };
        sweep(values, 3, |trial| trial.put_all(&keys), work);
    }
}

/// Row 18. Put back: in `Builder::drop`, do not call `free_all`, or pass the words of a tree of
/// words to the destructor; in `Builder::insert`, do not destroy the value.
#[test]
fn a_bulk_load_that_runs_out_of_memory_leaves_the_tree_empty() {
    let mut keys = workload_keys(200);
    keys.sort();
    keys.dedup();
    let pairs: Vec<_> = keys.into_iter().zip(0..).collect();
    let destroyed = Tally::new(pairs.len());
    let words = Values::words(Some(destroyed.destructor()));
    let rounds = Cell::new(0);
    let work = |trial: &mut Trial<'_>| {
        let (tree, pin) = (trial.tree, trial.pin);
        let loaded = trial.attempt(|| {
            let key = |place: usize, put: &mut dyn FnMut(&[u8])| put(&pairs[place].0);
            tree.bulk_load(pin, pairs.len(), key, |place| Ok(pairs[place].1))
        });
        assert_eq!(loaded, LoadOutcome::Done);
        trial.model.extend(pairs.iter().cloned());
        rounds.set(rounds.get() + 1);
    };
    sweep(words, 30, |_| (), work);
    // Once with each tree, however many times loading it failed.
    destroyed.assert_all(rounds.get());

    let work = |trial: &mut Trial<'_>| {
        let tree = trial.tree;
        let loaded = trial.attempt(|| bulk_load_bytes(tree, &pairs));
        assert_eq!(loaded, LoadOutcome::Done);
        trial.model.extend(pairs.iter().cloned());
    };
    sweep(Values::BYTES, pairs.len() + 30, |_| (), work);
}

/// Keys in many layers, so that a walk has frames in all of them.
pub(crate) fn deep_keys() -> Vec<Vec<u8>> {
    let deep = (0..40).map(|n| vec![b'd'; 1 + n * 9]);
    let wide = (0..60u64).map(|n| n.to_be_bytes().to_vec());
    deep.chain(wide).collect()
}

/// Row 18. Put back: in `merge`, mark the previous leaf dirty before memory runs out, and
/// leave it dirty (it hangs); in `Locked::copy_entries_to`, omit an entry.
#[test]
fn a_sweep_that_runs_out_of_memory_loses_nothing() {
    let keys: Vec<_> = (0..400u64)
        .map(|n| {
            let long = (n as usize * 7 % 100) * usize::from(n % 3 == 0);
            [&n.to_be_bytes()[..], &vec![b's'; long]].concat()
        })
        .chain(deep_keys())
        .collect();
    let prepare = |trial: &mut Trial<'_>| {
        trial.put_all(&keys);
        for (n, key) in keys.iter().enumerate() {
            if n % 9 != 0 {
                trial.tree.remove(trial.pin, key);
                trial.model.remove(key);
            }
        }
    };
    let work = |trial: &mut Trial<'_>| {
        let (tree, pin) = (trial.tree, trial.pin);
        let mut merged = 0;
        loop {
            let swept = trial.attempt(|| tree.maintain(pin, 7));
            merged += swept.merged;
            if swept.ended {
                break;
            }
        }
        assert!(merged > 10, "{merged} leaves were merged");
    };
    sweep(WORDS, 20, prepare, work);
}

/// Row 18. Put back: in `Check::push_layer`, drop a layer when memory runs out.
#[test]
fn a_check_that_runs_out_of_memory_reports_it() {
    let keys = deep_keys();
    let work = |trial: &mut Trial<'_>| {
        let (tree, pin) = (trial.tree, trial.pin);
        let sound = trial.attempt(|| tree.check(pin, &mut |line| panic!("{line}")));
        assert!(sound);
    };
    sweep(WORDS, 2, |trial| trial.put_all(&keys), work);
}

/// Guards beyond the first few need memory. Put back: in `Slots::claim`, `expect` it.
#[test]
fn a_guard_without_memory_is_refused() {
    let work = |trial: &mut Trial<'_>| {
        let tree = trial.tree;
        let guards: Vec<_> = (0..100).map(|_| trial.attempt(|| tree.guard())).collect();
        for guard in &guards {
            assert_eq!(tree.get(guard.pin(), b"key"), Some(0));
        }
    };
    let prepare = |trial: &mut Trial<'_>| trial.put_all(&[b"key".to_vec()]);
    sweep(WORDS, 3, prepare, work);
}

/// Put back: in `Tree::with_options`, return without freeing the domain when no leaf can be
/// allocated.
#[test]
fn a_tree_that_cannot_be_created_leaks_nothing() {
    for nth in 0.. {
        let ledger = Ledger::new();
        ledger.arm(nth);
        let made = Tree::with_options(&ledger.options(WORDS));
        assert_eq!(made.is_err(), !ledger.is_armed());
        let failed = made.is_err();
        drop(made);
        ledger.assert_balanced();
        if !failed {
            assert!(nth >= 2);
            return;
        }
    }
}
