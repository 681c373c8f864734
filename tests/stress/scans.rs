//! Scans and cursors: row 8, and keys that exist throughout.

use std::sync::atomic::{AtomicUsize, Ordering};

use masstree::{Cursor, Range, Seek, Tree};

use crate::support::race::{WRITERS, race};
use crate::support::{Random, assert_sound, backwards, new_tree, put, scaled};
use crate::{maintain, ordered_scan};

/// A long key whose bytes are determined by its number, so that a torn key is noticed.
fn sealed(n: u64, len: usize) -> Vec<u8> {
    let mut key = n.to_be_bytes().to_vec();
    key.resize(len.max(8), (n % 251) as u8);
    key
}

/// Row 8. Put back: in `BagRef::append`, always write at the bag's start.
#[test]
fn scanned_keys_are_whole_while_suffix_bags_are_rewritten() {
    let tree = new_tree();
    let steps = scaled(60_000);
    let length = |n: u64| 9 + (n * 37 % 400) as usize;
    race(
        2,
        |id| {
            let mut random = Random(id as u64);
            for _ in 0..steps {
                let n = random.next() % 64;
                let guard = tree.guard().unwrap();
                let key = sealed(n, length(n));
                if random.below(2) == 0 {
                    tree.put(guard.pin(), &key, n).unwrap();
                } else {
                    tree.remove(guard.pin(), &key);
                }
            }
        },
        |id, _| {
            let guard = tree.guard().unwrap();
            let range = if id == 0 { Range::all() } else { backwards() };
            ordered_scan(&tree, guard.pin(), &range, |key, value| {
                assert_eq!(key, sealed(value, length(value)));
            });
        },
    );
    assert_sound(&tree);
}

/// Every scan sees each stable key exactly once, while keys between them are inserted and
/// removed so that leaves and layers split and vanish.
#[test]
fn every_scan_sees_stable_keys_exactly_once() {
    let tree = new_tree();
    let steps = scaled(40_000);
    let stable = |n: usize| [&b"pre"[..], &(n as u32 * 64).to_be_bytes(), b"fix and more"].concat();
    const STABLE: usize = 100;
    for n in 0..STABLE {
        put(&tree, &stable(n), n as u64);
    }
    let scans = AtomicUsize::new(0);
    race(
        2,
        |id| {
            let mut random = Random(id as u64);
            for step in 0..steps {
                // Waves: a stretch fills, then empties.
                let base = step / 2000 * 97 % (STABLE * 64);
                let n = (base + random.below(300)) as u32;
                let mut key = [&b"pre"[..], &n.to_be_bytes(), b"fix and m"].concat();
                key.push(id as u8);
                let guard = tree.guard().unwrap();
                if step / 1000 % 2 == 0 {
                    tree.put(guard.pin(), &key, u64::MAX).unwrap();
                } else {
                    tree.remove(guard.pin(), &key);
                }
            }
        },
        |id, _| {
            let guard = tree.guard().unwrap();
            let range = if id == 0 { Range::all() } else { backwards() };
            let mut seen = Vec::new();
            ordered_scan(&tree, guard.pin(), &range, |_, value| {
                if value != u64::MAX {
                    seen.push(value);
                }
            });
            if range.reverse {
                seen.reverse();
            }
            assert!(
                seen.into_iter().eq(0..STABLE as u64),
                "a stable key was not seen once"
            );
            scans.fetch_add(1, Ordering::Relaxed);
        },
    );
    assert!(scans.load(Ordering::Relaxed) > 0);
    assert_sound(&tree);
}

/// Keys that exist throughout, in order.
struct Stable(Vec<Vec<u8>>);

impl Stable {
    /// How many are below a key, and how many are not above it.
    fn around(&self, key: &[u8]) -> (usize, usize) {
        let below = self.0.partition_point(|stable| stable.as_slice() < key);
        let met = self.0.get(below).is_some_and(|stable| stable == key);
        (below, below + usize::from(met))
    }

    /// Verifies that a cursor's step has skipped none of them.
    #[track_caller]
    fn verify_step(&self, from: Option<&[u8]>, to: Option<&[u8]>, reverse: bool) {
        let (low, high) = if reverse { (to, from) } else { (from, to) };
        assert!(
            low.is_none() || high.is_none() || low < high,
            "a step went astray"
        );
        let passed = low.map_or(0, |low| self.around(low).1);
        let next = high.map_or(self.0.len(), |high| self.around(high).0);
        assert_eq!(
            passed, next,
            "a step passed over a stable key: {from:?} {to:?}"
        );
    }

    /// Steps about with a cursor, changing direction now and then.
    fn wander(&self, tree: &Tree, random: &mut Random) {
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        let mut cursor = Cursor::new(tree);
        let start = &self.0[random.below(self.0.len())];
        assert_eq!(cursor.seek(tree, pin, Seek::AtLeast(start)), Ok(true));
        assert_eq!(
            cursor.key(),
            Some(start.as_slice()),
            "a stable key was not found"
        );
        for _ in 0..30 {
            let reverse = random.below(2) == 0;
            for _ in 0..random.below(25) {
                let from = cursor.key().map(<[u8]>::to_vec);
                let moved = cursor.step(tree, pin, reverse).unwrap();
                let to = moved.then(|| cursor.key().unwrap());
                self.verify_step(from.as_deref(), to, reverse);
            }
            let from = cursor.key().map(<[u8]>::to_vec);
            let mut ends = Vec::new();
            let step = |end, _| ends.push(end);
            let moved = cursor.step_many(tree, pin, reverse, 9, step).unwrap();
            assert_eq!(moved, !ends.is_empty());
            let (mut last, mut start) = (from.as_deref(), cursor.first_start());
            for &end in &ends {
                let to = Some(&cursor.keys()[start..end]);
                self.verify_step(last, to, reverse);
                (last, start) = (to, end);
            }
            if ends.len() < 9 {
                self.verify_step(last, None, reverse);
            }
        }
    }

    /// Steps through the whole tree with a cursor.
    fn go_through(&self, tree: &Tree, reverse: bool) {
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        let mut cursor = Cursor::new(tree);
        let mut met = 0;
        let mut from: Option<Vec<u8>> = None;
        while cursor.step(tree, pin, reverse).unwrap() {
            let to = cursor.key().unwrap();
            self.verify_step(from.as_deref(), Some(to), reverse);
            let (below, through) = self.around(to);
            met += through - below;
            from = Some(to.to_vec());
        }
        self.verify_step(from.as_deref(), None, reverse);
        assert_eq!(met, self.0.len());
    }

    /// Scans the whole tree.
    fn scan(&self, tree: &Tree, reverse: bool) {
        let guard = tree.guard().unwrap();
        let range = Range {
            reverse,
            ..Range::all()
        };
        let mut from: Option<Vec<u8>> = None;
        ordered_scan(tree, guard.pin(), &range, |key, _| {
            self.verify_step(from.as_deref(), Some(key), reverse);
            from = Some(key.to_vec());
        });
        self.verify_step(from.as_deref(), None, reverse);
    }
}

/// Cursors and scans, in both directions, under writers that make whole stretches dense and
/// then sparse, while another thread merges sparse leaves. Put back, with `--cfg
/// masstree_perturb`: in `Frame::advance`, in reverse, read the previous leaf without
/// comparing the next one's low; in `Tree::merge`, do not mark the previous leaf dirty; in
/// `unlink`, mark no ancestor dirty.
#[test]
fn stable_keys_are_met_while_leaves_are_merged() {
    let number: fn(usize) -> Vec<u8> = |n| (n as u64).to_be_bytes().to_vec();
    let layers: fn(usize) -> Vec<u8> = |n| {
        [
            &(n as u64 / 16).to_be_bytes()[..],
            b"a tail of",
            &[n as u8 % 16],
        ]
        .concat()
    };
    let suffixes: fn(usize) -> Vec<u8> =
        |n| [b"pre", &(n as u32).to_be_bytes()[..], b"fix and more"].concat();
    let groups: fn(usize) -> Vec<u8> = |n| {
        let tail = [b"a tail and more of it", &[n as u8 % 4][..]].concat();
        [&(n as u64 / 4).to_be_bytes()[..], &tail].concat()
    };
    for key in [number, layers, suffixes, groups] {
        const KEYS: usize = 3000;
        let tree = new_tree();
        let stable = Stable((0..KEYS).step_by(37).map(key).collect());
        stable.0.iter().for_each(|key| _ = put(&tree, key, 0));
        let rounds = scaled(100);
        race(
            4,
            |id| {
                let mut random = Random(id as u64);
                let mut guard = tree.guard().unwrap();
                for _ in 0..rounds {
                    let from = random.below(KEYS - 200);
                    let own = (from..from + 200).filter(|n| n % 37 != 0 && n % WRITERS == id);
                    let mut own: Vec<_> = own.map(key).collect();
                    random.shuffle(&mut own);
                    for key in &own {
                        assert_eq!(tree.put(guard.pin(), key, 1), Ok(None));
                    }
                    random.shuffle(&mut own);
                    for key in &own {
                        assert_eq!(tree.remove(guard.pin(), key), Some(1));
                    }
                    guard.refresh();
                }
            },
            |id, random| match id {
                0 | 1 => {
                    stable.scan(&tree, id == 0);
                    stable.go_through(&tree, id == 1);
                }
                2 => stable.wander(&tree, random),
                _ => maintain(&tree, random),
            },
        );
        assert_sound(&tree);
        assert_eq!(tree.key_count(), stable.0.len() as u64);
    }
}
