//! Threads that write, remove, read and scan at once: known failures 4, 5, 6 and
//! 8, and a general run with a model per thread. Sizes are operation counts;
//! nothing is timed.

mod support;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use masstree::{Bound, Inserted, Pin, Range, Tree};
use support::{Random, assert_sound, backwards, collect, new_tree, put, scaled};

const WRITERS: usize = 3;

/// Stops the readers when the writers are done.
struct Finish(AtomicBool);

impl Finish {
    fn is_near(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs `write` on some threads and `read` over and over on others until the
/// writers are done.
fn race(readers: usize, write: impl Fn(usize) + Sync, read: impl Fn(usize, &mut Random) + Sync) {
    let finish = Finish(AtomicBool::new(false));
    let writing = AtomicUsize::new(WRITERS);
    let start = Barrier::new(WRITERS + readers);
    thread::scope(|scope| {
        for id in 0..WRITERS {
            let (finish, writing, start, write) = (&finish, &writing, &start, &write);
            scope.spawn(move || {
                start.wait();
                write(id);
                if writing.fetch_sub(1, Ordering::Relaxed) == 1 {
                    finish.0.store(true, Ordering::Relaxed);
                }
            });
        }
        for id in 0..readers {
            let (finish, start, read) = (&finish, &start, &read);
            scope.spawn(move || {
                let mut random = Random(id as u64 + 1000);
                start.wait();
                while !finish.is_near() {
                    read(id, &mut random);
                }
            });
        }
    });
}

/// Scans all of a range and verifies the order on the way.
fn ordered_scan(tree: &Tree, pin: Pin<'_>, range: &Range<'_>, mut see: impl FnMut(&[u8], u64)) {
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

/// A writer on keys of its own that keeps a model, so that every acknowledged
/// insert and remove is verified. It fills and empties in turns: few keys are left
/// in between, and whole leaves and layers vanish.
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

/// Churns families of keys from several threads under readers and scanners.
fn churn_family(family: impl Fn(usize, usize) -> Vec<u8> + Sync, per_thread: usize, steps: usize) {
    let tree = new_tree();
    let result = std::sync::Mutex::new(BTreeMap::new());
    let keys: Vec<Vec<Vec<u8>>> = (0..WRITERS)
        .map(|id| (0..per_thread).map(|n| family(id, n)).collect())
        .collect();
    race(
        2,
        |id| {
            let model = churn(&tree, id, steps, &keys[id]);
            result.lock().unwrap().extend(model);
        },
        |id, random| {
            let guard = tree.guard().unwrap();
            let range = if id == 0 { Range::all() } else { backwards() };
            ordered_scan(&tree, guard.pin(), &range, |key, _| {
                assert!(
                    keys.iter().flatten().any(|known| known == key),
                    "a key nobody wrote"
                );
            });
            let bound = &keys[random.below(WRITERS)][random.below(per_thread)];
            let range = Range {
                lower: Bound::Included(bound),
                limit: 20,
                reverse: random.below(2) == 0,
                ..Range::all()
            };
            ordered_scan(&tree, guard.pin(), &range, |key, _| {
                assert!(key >= bound.as_slice())
            });
        },
    );
    assert_sound(&tree);
    let guard = tree.guard().unwrap();
    let model = result.into_inner().unwrap();
    assert!(
        collect(&tree, guard.pin(), &Range::all())
            .into_iter()
            .eq(model)
    );
}

/// Row 4. Few leaves, so that inserts meet leaves on their way out. Put back: in
/// `lock_settled`, do not look whether the leaf is deleted.
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

/// Row 4 in a high tree: threads fill and empty windows that lie across each other,
/// so that whole subtrees vanish and boundaries move on every level while other
/// threads come down there. Put back: in `collapse::unlink`, make dirty only the
/// ancestor that loses a child and the one with the boundary (with
/// `--cfg masstree_perturb`).
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

/// Rows 5 and 6. Layers one, two and three slices deep that fill and empty all
/// the time, under scans in both directions, which must end. Put back, row 5: in
/// `Scan::advance`, look at a deleted leaf again instead of resuming (it hangs). Row 6: in
/// `Locked::move_entries`, do not give layers that move their new parent.
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
    // Many tiny layers: what links to them splits and empties too.
    churn_family(
        |id, n| {
            [
                &mixed(n / 2).to_be_bytes()[..],
                b"tail",
                &[id as u8, n as u8],
            ]
            .concat()
        },
        60,
        scaled(50_000),
    );
}

/// A long key that says of itself whether it is whole.
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

/// Keys that are there all along are seen exactly once by every scan, while keys
/// between them come and go so that leaves and layers split and vanish.
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
