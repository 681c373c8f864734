//! Threads that write, remove, read and scan at once: known failures 4, 5, 6 and 8, and a
//! general run with a model for each thread. Sizes are operation counts; no test measures
//! time.

mod support;

use std::alloc::Layout;
use std::collections::{BTreeMap, HashSet};
use std::ffi::c_void;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use masstree::{
    Allocator, Bound, Cursor, Decision, Destructor, Inserted, Pinned, Range, Seek, Tree,
    TreeOptions, Values,
};
use support::race::{WRITERS, race};
use support::{Random, assert_sound, backwards, collect, decoded, encoded, new_tree, put, scaled};

/// Scans all of a range and verifies the order on the way.
fn ordered_scan(tree: &Tree, pin: Pinned<'_>, range: &Range<'_>, mut see: impl FnMut(&[u8], u64)) {
    let mut last: Option<Vec<u8>> = None;
    tree.scan(pin, range, &mut |key, value| {
        if let Some(last) = &last {
            assert!(
                if range.reverse {
                    key < last
                } else {
                    key > last
                },
                "a scan is out of order"
            );
        }
        last = Some(key.to_vec());
        see(key, value);
        ControlFlow::Continue(())
    })
    .expect("memory for a scan");
}

/// A writer with keys of its own and a model of them, so that every acknowledged insert and
/// remove is verified. It fills and empties in turns: few keys are left in between, and whole
/// leaves and layers are removed.
fn churn(tree: &Tree, id: usize, steps: usize, keys: &[Vec<u8>]) -> BTreeMap<Vec<u8>, u64> {
    let mut random = Random(id as u64);
    let mut model = BTreeMap::new();
    let mut guard = tree.guard().unwrap();
    for step in 0..steps {
        let key = &keys[random.below(keys.len())];
        let value = step as u64;
        let pin = guard.pin();
        let emptying = step / (keys.len() * 3) % 2 == 1;
        let choice = match random.below(10) {
            choice @ 0..=7 if emptying => 4 + choice % 3,
            choice => choice % 8,
        };
        match choice {
            0..=2 => assert_eq!(
                tree.put(pin, key, value),
                Ok(model.insert(key.clone(), value))
            ),
            3 => {
                let expected = match model.get(key) {
                    Some(present) => Inserted::Present(*present),
                    None => Inserted::New,
                };
                assert_eq!(tree.insert(pin, key, value), Ok(expected));
                model.entry(key.clone()).or_insert(value);
            }
            4..=6 => assert_eq!(tree.remove(pin, key), model.remove(key)),
            _ => assert_eq!(tree.get(pin, key), model.get(key).copied()),
        }
        if step % 64 == 0 {
            guard.refresh();
        }
    }
    model
}

/// Merges sparse leaves in a stretch of the tree.
fn maintain(tree: &Tree, random: &mut Random) {
    let guard = tree.guard().unwrap();
    tree.maintain(guard.pin(), random.below(64)).unwrap();
}

/// Churns families of keys from several threads under readers and scanners.
fn churn_family(family: impl Fn(usize, usize) -> Vec<u8> + Sync, per_thread: usize, steps: usize) {
    churn_under(2, &new_tree(), family, per_thread, steps);
}

/// The third reader, if there is one, merges leaves all the time.
fn churn_under(
    readers: usize,
    tree: &Tree,
    family: impl Fn(usize, usize) -> Vec<u8> + Sync,
    per_thread: usize,
    steps: usize,
) {
    let result = Mutex::new(BTreeMap::new());
    let keys: Vec<Vec<Vec<u8>>> = (0..WRITERS)
        .map(|id| (0..per_thread).map(|n| family(id, n)).collect())
        .collect();
    race(
        readers,
        |id| {
            let model = churn(tree, id, steps, &keys[id]);
            result.lock().unwrap().extend(model);
        },
        |id, random| {
            if id == 2 {
                return maintain(tree, random);
            }
            let guard = tree.guard().unwrap();
            let range = if id == 0 { Range::all() } else { backwards() };
            ordered_scan(tree, guard.pin(), &range, |key, _| {
                assert!(
                    keys.iter().flatten().any(|known| known == key),
                    "a key that no thread wrote"
                );
            });
            let bound = &keys[random.below(WRITERS)][random.below(per_thread)];
            let range = Range {
                lower: Bound::Included(bound),
                limit: 20,
                reverse: random.below(2) == 0,
                ..Range::all()
            };
            ordered_scan(tree, guard.pin(), &range, |key, _| {
                assert!(key >= bound.as_slice())
            });
        },
    );
    assert_sound(tree);
    let guard = tree.guard().unwrap();
    let model = result.into_inner().unwrap();
    assert!(
        collect(tree, guard.pin(), &Range::all())
            .into_iter()
            .eq(model)
    );
}

/// Row 4. Few leaves, so that inserts meet leaves that are being unlinked. Put back: in
/// `lock_reached`, do not check whether the leaf is deleted.
#[test]
fn no_acknowledged_insert_is_lost_when_leaves_empty_and_split() {
    churn_family(
        |id, n| ((n * WRITERS + id) as u64).to_be_bytes().to_vec(),
        20,
        scaled(100_000),
    );
    churn_family(
        |id, n| (mixed(n * WRITERS + id)).to_be_bytes().to_vec(),
        300,
        scaled(60_000),
    );
}

fn mixed(n: usize) -> u64 {
    (n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Row 4 in a high tree: threads fill and empty overlapping windows of keys, so that whole
/// subtrees are removed and boundaries move on every level while other threads descend there.
/// Put back: in `collapse::unlink`, mark dirty only the ancestor that loses a child and the
/// one with the boundary (with `--cfg masstree_perturb`).
#[test]
fn no_acknowledged_insert_is_lost_when_subtrees_vanish() {
    const KEYS: usize = 1500;
    const WINDOW: usize = 60;
    let tree = new_tree();
    let rounds = scaled(400);
    race(
        1,
        |id| {
            let mut random = Random(id as u64);
            let mut guard = tree.guard().unwrap();
            for round in 0..rounds {
                let from = random.below(KEYS - WINDOW);
                let own = (from..from + WINDOW).filter(|n| n % WRITERS == id);
                let mut own: Vec<_> = own.map(|n| (n as u64).to_be_bytes()).collect();
                if round % 2 == 0 {
                    random.shuffle(&mut own);
                }
                for key in &own {
                    assert_eq!(tree.insert(guard.pin(), key, 1), Ok(Inserted::New));
                    assert_eq!(tree.get(guard.pin(), key), Some(1), "an insert was lost");
                }
                for key in &own {
                    assert_eq!(tree.remove(guard.pin(), key), Some(1), "a key was lost");
                    assert_eq!(tree.get(guard.pin(), key), None);
                }
                guard.refresh();
            }
        },
        |_, _| {
            let guard = tree.guard().unwrap();
            ordered_scan(&tree, guard.pin(), &Range::all(), |_, _| ());
        },
    );
    assert_sound(&tree);
    assert_eq!(tree.key_count(), 0);
}

/// Rows 5 and 6. Layers one, two and three slices deep fill and empty all the time, under
/// scans in both directions, which must end. Put back, row 5: in `Frame::advance`, read a
/// deleted leaf again instead of resuming (it hangs). Row 6: in `Locked::move_entries`, do
/// not set the new parent of layers that move.
#[test]
fn layers_fill_and_empty_under_scans_in_both_directions() {
    let prefixes = [
        &b"one 8 by"[..],
        b"one 8 bytwo 8 by",
        b"one 8 bytwo 8 bythree by",
    ];
    churn_family(
        |id, n| [prefixes[n % 3], &[(n / 3) as u8, id as u8]].concat(),
        60,
        scaled(50_000),
    );
    // Many tiny layers, of at most twelve keys: the leaves that link to them split and empty
    // too. Groups fill, become layers, and are groups again after a layer was empty.
    churn_family(
        |id, n| {
            [
                &mixed(n / 4).to_be_bytes()[..],
                b"tail",
                &[id as u8, n as u8],
            ]
            .concat()
        },
        60,
        scaled(50_000),
    );
}

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

/// Row 4 for leaves that are merged. Put back, with `--cfg masstree_perturb`: in
/// `Locked::copy_entries_to`, do not set the new parent of layers (it hangs); in
/// `Tree::merge`, do not mark the previous leaf dirty, or do not move the boundary (`holder`
/// is `None`).
#[test]
fn no_acknowledged_insert_is_lost_when_leaves_are_merged() {
    churn_under(
        3,
        &new_tree(),
        |id, n| ((n * WRITERS + id) as u64).to_be_bytes().to_vec(),
        20,
        scaled(50_000),
    );
    churn_under(
        3,
        &new_tree(),
        |id, n| (mixed(n * WRITERS + id)).to_be_bytes().to_vec(),
        300,
        scaled(50_000),
    );
    // Layers whose links move to another leaf while they grow and are removed.
    churn_under(
        3,
        &new_tree(),
        |id, n| {
            [
                &mixed(n / 3).to_be_bytes()[..],
                b"tail",
                &[id as u8, n as u8],
            ]
            .concat()
        },
        150,
        scaled(50_000),
    );
}

/// How many times each value was destroyed.
struct Tally(Vec<AtomicUsize>);

impl Tally {
    fn new(len: usize) -> Self {
        Self((0..len).map(|_| AtomicUsize::new(0)).collect())
    }

    fn destructor(&self) -> Destructor {
        unsafe extern "C" fn count(value: u64, ctx: *mut c_void) {
            // SAFETY: the tally outlives the tree, and contains only atomics.
            let tally = unsafe { &*ctx.cast::<Tally>() };
            tally.0[value as usize].fetch_add(1, Ordering::Relaxed);
        }
        // SAFETY: the function expects this context, and may run on any thread.
        unsafe { Destructor::new(count, std::ptr::from_ref(self).cast_mut().cast()) }
    }

    #[track_caller]
    fn assert_all_once(&self) {
        for (value, destroyed) in self.0.iter().enumerate() {
            assert_eq!(destroyed.load(Ordering::Relaxed), 1, "value {value}");
        }
    }
}

/// Inserts, puts or removes a key at random, and discards each word that is not in the tree then.
fn write_or_discard(tree: &Tree, pin: Pinned<'_>, random: &mut Random, key: &[u8], value: u64) {
    match random.below(3) {
        0 => {
            if tree.insert(pin, key, value).unwrap() != Inserted::New {
                tree.discard(pin, value);
            }
        }
        1 => {
            if let Some(old) = tree.put(pin, key, value).unwrap() {
                tree.discard(pin, old);
            }
        }
        _ => {
            if let Some(old) = tree.remove(pin, key) {
                tree.discard(pin, old);
            }
            tree.discard(pin, value);
        }
    }
}

/// Threads insert, replace and remove while one clears again and again, and another
/// merges. Put back: in `free_detached`, count no keys, or destroy no values.
#[test]
fn every_value_is_destroyed_once_when_a_tree_is_cleared_under_writers() {
    let steps = scaled(20_000);
    let tally = Tally::new(WRITERS * steps);
    let options = TreeOptions {
        values: Values::words(Some(tally.destructor())),
        ..TreeOptions::default()
    };
    let tree = Tree::with_options(&options).unwrap();
    race(
        2,
        |id| {
            let mut random = Random(id as u64);
            let mut guard = tree.guard().unwrap();
            for step in 0..steps {
                let n = random.below(500);
                let key = match n % 3 {
                    0 => mixed(n).to_be_bytes().to_vec(),
                    _ => [&(n as u64 / 30).to_be_bytes()[..], b"tail", &[n as u8]].concat(),
                };
                let pin = guard.pin();
                let value = (step * WRITERS + id) as u64;
                write_or_discard(&tree, pin, &mut random, &key, value);
                if step % 64 == 0 {
                    guard.refresh();
                }
                if id == 0 && step % 300 == 0 {
                    tree.clear(guard.pin()).unwrap();
                }
            }
        },
        |id, random| match id {
            0 => {
                let guard = tree.guard().unwrap();
                let range = Range {
                    reverse: random.below(2) == 0,
                    ..Range::all()
                };
                ordered_scan(&tree, guard.pin(), &range, |_, _| ());
            }
            _ => maintain(&tree, random),
        },
    );
    support::wait_for_all(&tree);
    assert_sound(&tree);
    let guard = tree.guard().unwrap();
    let left = collect(&tree, guard.pin(), &Range::all());
    let distinct: HashSet<_> = left.iter().map(|(_, value)| value).collect();
    assert_eq!(distinct.len(), left.len(), "a value is under two keys");
    assert_eq!(tree.key_count(), left.len() as u64);
    drop(guard);
    drop(tree);
    tally.assert_all_once();
}

/// An insert that runs while the tree is cleared may insert into the old tree. The count is
/// right again when the old tree is freed. Put back: in `free_detached`, count no keys.
#[test]
fn an_insert_into_a_cleared_tree_is_uncounted_when_it_is_freed() {
    let tree = new_tree();
    for n in 0..100u64 {
        put(&tree, &n.to_be_bytes(), n);
    }
    let (inside, cleared) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            let guard = tree.guard().unwrap();
            let present = tree.update(guard.pin(), b"new", |_| {
                inside.wait();
                cleared.wait();
                Decision::Set(1)
            });
            assert_eq!(present, Ok(None));
        });
        inside.wait();
        let guard = tree.guard().unwrap();
        tree.clear(guard.pin()).unwrap();
        assert_eq!(collect(&tree, guard.pin(), &Range::all()), []);
        guard.pin().flush();
        cleared.wait();
    });
    support::wait_for_all(&tree);
    assert_eq!(tree.key_count(), 0);
    assert_sound(&tree);
}

/// A remove that runs while the tree is cleared leaves one leaf of two, which becomes the
/// root of the old tree, and not of the new one. Put back: in `Tree::try_detach_root`, do not
/// make the anchor the parent of the old root (`set_parent`; it hangs).
#[test]
fn cleared_keys_do_not_come_back() {
    let tree = new_tree();
    let keys: Vec<_> = (0..16u64).map(u64::to_be_bytes).collect();
    for key in &keys {
        put(&tree, key, 1);
    }
    let (inside, cleared) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            let guard = tree.guard().unwrap();
            // The only key of the second leaf.
            let present = tree.update(guard.pin(), &keys[15], |_| {
                inside.wait();
                cleared.wait();
                Decision::Remove
            });
            assert_eq!(present, Ok(Some(1)));
        });
        inside.wait();
        tree.clear(tree.guard().unwrap().pin()).unwrap();
        put(&tree, b"new", 2);
        cleared.wait();
    });
    support::wait_for_all(&tree);
    assert_eq!(support::keys(&tree, &Range::all()), [b"new"]);
    assert_eq!(tree.key_count(), 1);
    assert_sound(&tree);
}

/// Bytes that a tree has allocated.
struct Balance(AtomicIsize);

impl Balance {
    fn allocator(&self) -> Allocator {
        unsafe extern "C" fn alloc(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
            let layout = Layout::from_size_align(size, align).expect("a valid layout");
            // SAFETY: the context is a balance that outlives the tree; the size is not
            // zero.
            unsafe {
                let balance = &(*ctx.cast::<Balance>()).0;
                balance.fetch_add(size as isize, Ordering::Relaxed);
                std::alloc::alloc(layout).cast()
            }
        }
        unsafe extern "C" fn free(place: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
            let layout = Layout::from_size_align(size, align).expect("a valid layout");
            // SAFETY: the context is a balance that outlives the tree; allocated with this
            // layout. A thread that still reads this memory is to notice.
            unsafe {
                let balance = &(*ctx.cast::<Balance>()).0;
                balance.fetch_sub(size as isize, Ordering::Relaxed);
                place.cast::<u8>().write_bytes(0xDD, size);
                std::alloc::dealloc(place.cast(), layout);
            }
        }
        let ctx = std::ptr::from_ref(self).cast_mut().cast();
        // SAFETY: the functions may run on any thread, and expect this context.
        unsafe { Allocator::new(alloc, free, ctx) }
    }
}

/// Byte strings are whole when they are found and as long as the guard is held, even after
/// their keys are removed. Put back: in `Pinned::retire_value`, free strings at once.
#[test]
fn byte_strings_are_whole_while_they_are_overwritten() {
    const KEYS: usize = 60;
    let balance = Balance(AtomicIsize::new(0));
    let options = TreeOptions {
        values: Values::BYTES,
        allocator: Some(balance.allocator()),
        ..TreeOptions::default()
    };
    let tree = Tree::with_options(&options).unwrap();
    let key = |n: usize| [&(n as u64 / 8).to_be_bytes()[..], b"tail", &[n as u8]].concat();
    let steps = scaled(30_000);
    race(
        3,
        |id| {
            let mut random = Random(id as u64);
            let mut guard = tree.guard().unwrap();
            for step in 0..steps {
                let (key, pin) = (key(random.below(KEYS)), guard.pin());
                let value = encoded(random.next());
                let old = match random.below(8) {
                    0..=3 => tree.put_bytes(pin, &key, &value).unwrap(),
                    4 => tree.replace_bytes(pin, &key, &value).unwrap(),
                    5 => tree.insert_bytes(pin, &key, &value).unwrap(),
                    6 => {
                        let current = tree.get_bytes(pin, &key).unwrap_or_default();
                        let seen = tree.compare_exchange_bytes(pin, &key, current, &value);
                        seen.unwrap().map(|(_, old)| old)
                    }
                    _ => tree.remove_bytes(pin, &key),
                };
                old.map(decoded);
                if step % 32 == 0 {
                    guard.refresh();
                }
                if id == 0 && step % 2000 == 0 {
                    tree.clear(guard.pin()).unwrap();
                }
            }
        },
        |id, random| {
            if id == 2 {
                return maintain(&tree, random);
            }
            let guard = tree.guard().unwrap();
            let found = (0..KEYS).filter_map(|n| tree.get_bytes(guard.pin(), &key(n)));
            let found: Vec<_> = found.map(|bytes| (bytes, decoded(bytes))).collect();
            for (bytes, n) in found {
                assert_eq!(decoded(bytes), n, "a value has changed");
            }
        },
    );
    assert_sound(&tree);
    drop(tree);
    assert_eq!(balance.0.load(Ordering::Relaxed), 0, "bytes left");
}
