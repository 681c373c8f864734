//! Memory that is freed: rows 7, 11 and 19.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::{ptr, thread};

use masstree::ffi::index::get::masstree_get;
use masstree::ffi::index::point::{masstree_put, masstree_remove};
use masstree::ffi::status::{MASSTREE_NOT_FOUND, MASSTREE_OK};
use masstree::{Destructor, Range, Tree, TreeOptions, Values};

use crate::support::{Random, assert_sound, encoded, handle, new_tree, put, scaled, wait_for_all};
use crate::{PREFIXES, numbered};

/// Bytes by which a leaf with tails is larger than others; the leaf of an empty tree may be one.
const TAILS: usize = 128;

/// Row 7. Put back: in `Tree::collapse`, return when the leaf has no previous.
#[test]
fn memory_returns_to_that_of_an_empty_tree() {
    let long = [&b"a shared prefix of more than forty bytes, as in URLs: "[..]; 3].concat();
    let mut random = Random(7);
    for prefix in [PREFIXES[0], PREFIXES[1], PREFIXES[2], &long] {
        for order in ["ascending", "descending", "random", "outside in"] {
            let tree = new_tree();
            let mut guard = tree.guard().unwrap();
            guard.pin().flush();
            let empty = tree.memory_in_use();
            let mut all: Vec<_> = (0..3000).map(|i| numbered(prefix, i * 7)).collect();
            all.extend((0..3000).map(|i| [&numbered(prefix, i), &b"and more"[..]].concat()));
            random.shuffle(&mut all);
            for key in &all {
                tree.put(guard.pin(), key, 1).unwrap();
            }
            assert!(tree.memory_in_use() > 20 * empty);
            match order {
                "ascending" => all.sort(),
                "descending" => all.sort_by(|a, b| b.cmp(a)),
                "outside in" => {
                    all.sort();
                    let half = all.len() / 2;
                    let upper: Vec<_> = all.drain(half..).rev().collect();
                    all = all
                        .into_iter()
                        .zip(upper)
                        .flat_map(<[_; 2]>::from)
                        .collect();
                }
                _ => random.shuffle(&mut all),
            }
            for key in &all {
                assert_eq!(tree.remove(guard.pin(), key), Some(1));
            }
            guard.pin().flush();
            guard.refresh();
            let in_use = tree.memory_in_use();
            assert!(
                [empty, empty + TAILS].contains(&in_use),
                "{order}: {in_use} bytes"
            );
            assert_sound(&tree);
        }
    }
}

/// A long suffix costs its own length. It is freed with its key or, if its bag holds other
/// suffixes, when the next key is inserted. Put back: in `shape_for`, reserve room for one
/// more suffix whatever its length; in `add_entry`, renew only full bags.
#[test]
fn long_suffixes_are_freed_with_their_keys() {
    const LONG: usize = 1 << 20;
    let tree = new_tree();
    let mut guard = tree.guard().unwrap();
    let empty = tree.memory_in_use();
    let long = vec![b'l'; LONG];
    tree.put(guard.pin(), &long, 1).unwrap();
    assert!(tree.memory_in_use() < empty + LONG + LONG / 4);
    tree.put(guard.pin(), b"short", 1).unwrap();
    tree.remove(guard.pin(), &long);
    guard.pin().flush();
    guard.refresh();
    assert!(tree.memory_in_use() < empty + 1000);

    tree.put(guard.pin(), &long, 1).unwrap();
    tree.put(guard.pin(), b"another suffix", 1).unwrap();
    tree.remove(guard.pin(), &long);
    tree.put(guard.pin(), b"next", 1).unwrap();
    guard.pin().flush();
    guard.refresh();
    assert!(tree.memory_in_use() < empty + 1000);
    drop(guard);
    assert_sound(&tree);
}

/// Keys of the two tests of row 11.
const GARBAGE_KEYS: u64 = 1000;
/// Writes between two refreshes of the guard.
const REFRESH: u64 = 64;

/// Row 11. Under a guard that is refreshed now and then, few values are in limbo, however many
/// were retired. Put back: in `Pinned::retire_value`, do not retire.
#[test]
fn values_in_limbo_stay_bounded_under_a_refreshed_guard() {
    let updates = scaled(1_000_000) as u64;
    let tree = Tree::with_options(&TreeOptions {
        values: Values::BYTES,
        ..TreeOptions::default()
    })
    .unwrap();
    let mut guard = tree.guard().unwrap();
    let mut most = 0;
    for n in 0..updates {
        let key = (n * 37 % GARBAGE_KEYS).to_be_bytes();
        tree.put_bytes(guard.pin(), &key, &encoded(n)).unwrap();
        if n == GARBAGE_KEYS {
            most = tree.memory_in_use();
        }
        if n % REFRESH == 0 {
            guard.refresh();
        }
        if n % 1000 == 0 && n > GARBAGE_KEYS {
            // Values have at most 76 bytes here: two batches of them are in limbo, and the
            // keys' current memory is up to twice their initial memory.
            let bound = 2 * most + 2 * REFRESH as usize * 128;
            assert!(tree.memory_in_use() < bound, "{n} updates");
        }
    }
    assert!(tree.memory_in_use() > GARBAGE_KEYS as usize * 8);
}

/// Row 11. Under a guard that is refreshed now and then, little garbage of nodes and bags is in
/// limbo, however much was retired. Put back: in `Pinned::retire_leaf` or `retire_bag`, do not
/// retire.
#[test]
fn nodes_in_limbo_stay_bounded_under_a_refreshed_guard() {
    let updates = scaled(1_000_000) as u64;
    let tree = new_tree();
    let mut guard = tree.guard().unwrap();
    let mut all: Vec<_> = (0..GARBAGE_KEYS)
        .map(|n| numbered(PREFIXES[n as usize % 3], n as usize))
        .collect();
    all.iter_mut()
        .step_by(2)
        .for_each(|key| key.extend(b"and a suffix"));
    for key in &all {
        tree.put(guard.pin(), key, 0).unwrap();
    }
    let first = tree.memory_in_use();
    for n in 0..updates {
        // Runs of a hundred keys are removed and inserted again, and with them leaves and
        // layers.
        let run = n / 200 * 100;
        let (key, is_removal) = (run + n % 100, n / 100 % 2 == 0);
        let key = &all[(key % GARBAGE_KEYS) as usize];
        if is_removal {
            assert_eq!(tree.remove(guard.pin(), key), Some(0));
        } else {
            assert_eq!(tree.put(guard.pin(), key, 0), Ok(None));
        }
        if n % REFRESH == 0 {
            guard.refresh();
        }
        if n % 1000 == 0 {
            // Leaves that split are half full at first; each batch is of nodes and bags.
            let bound = 3 * first + 2 * REFRESH as usize * 1024;
            assert!(tree.memory_in_use() < bound, "{n} removes and inserts");
        }
    }
    drop(guard);
    assert_sound(&tree);
}

/// Row 19. Threads that never register or unregister: they work, some with a guard, and exit
/// with retired objects of theirs not yet handed over. Put back: in `Pinned::retire`, drop
/// what is retired through a thread's own slot (`Via::Local`; the wait never ends).
#[test]
fn exited_threads_leave_no_garbage_behind() {
    const EACH: u64 = 100;
    let threads = scaled(200) as u64;
    let destroyed = AtomicUsize::new(0);
    unsafe extern "C" fn count(_: u64, ctx: *mut std::ffi::c_void) {
        // SAFETY: the counter outlives the tree.
        let destroyed = unsafe { &*ctx.cast::<AtomicUsize>() };
        destroyed.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: function and context fit, and work on any thread.
    let destructor = unsafe { Destructor::new(count, ptr::from_ref(&destroyed).cast_mut().cast()) };
    let tree = Tree::new(Some(destructor)).unwrap();
    let mut removed = 0;
    for wave in 0..threads / 4 {
        removed += thread::scope(|scope| {
            let threads: Vec<_> = (wave * 4..wave * 4 + 4)
                .map(|id| {
                    scope.spawn({
                        let tree = &tree;
                        move || visit(tree, id, EACH)
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .sum::<usize>()
        });
    }
    wait_for_all(&tree);
    assert_sound(&tree);
    let left = tree.key_count() as usize;
    assert_eq!(left + removed, (threads * EACH) as usize);
    drop(tree);
    assert_eq!(destroyed.into_inner(), (threads * EACH) as usize);
}

/// The work of one thread of `exited_threads_leave_no_garbage_behind`; returns how many keys
/// it removed.
fn visit(tree: &Tree, id: u64, keys: u64) -> usize {
    let own =
        (0..keys).map(|n| [&(n % 7).to_be_bytes()[..], &id.to_be_bytes(), &[n as u8]].concat());
    let handle = handle(tree);
    let no_guard = ptr::null_mut();
    let mut removed = 0;
    // Every third thread exits right after leaving a guard of its own.
    let guard = id.is_multiple_of(3).then(|| tree.guard().unwrap());
    for (n, key) in (0u64..).zip(own) {
        let (bytes, len) = (key.as_ptr().cast(), key.len());
        let mut value = 0;
        // SAFETY: a live tree, no guard, and buffers of the lengths passed.
        unsafe {
            assert_eq!(masstree_put(handle, no_guard, bytes, len, n), MASSTREE_OK);
            assert_eq!(
                masstree_get(handle, no_guard, bytes, len, &raw mut value),
                MASSTREE_OK
            );
            assert_eq!(value, n);
            if n % 4 != 0 {
                assert_eq!(
                    masstree_remove(handle, no_guard, bytes, len, ptr::null_mut()),
                    MASSTREE_OK
                );
                let gone = masstree_get(handle, no_guard, bytes, len, ptr::null_mut());
                assert_eq!(gone, MASSTREE_NOT_FOUND);
                removed += 1;
            }
        }
    }
    drop(guard);
    removed
}

/// Leaves are merged whatever their entries. Put back: in `Tree::maintain`, visit only leaves
/// with keys, not those that contain only links to layers.
#[test]
fn sparse_leaves_are_merged_in_every_layer() {
    const KEYS: usize = 3000;
    type Shape = (&'static str, fn(usize) -> Vec<Vec<u8>>);
    let shapes: [Shape; 5] = [
        ("keys", |n| vec![numbered(b"", n)]),
        ("suffixes", |n| {
            vec![[&numbered(b"", n), &b"tail"[..]].concat()]
        }),
        ("a layer", |n| vec![numbered(PREFIXES[2], n)]),
        ("groups", |n| {
            let of = |more: &[u8]| [&numbered(b"", n), more].concat();
            vec![of(b"one tail"), of(b"two")]
        }),
        ("links", |n| {
            let of = |more| [&numbered(b"", n), &b"tail"[..], &[more]].concat();
            (0..8).map(of).collect()
        }),
    ];
    for (name, keys) in shapes {
        let tree = new_tree();
        let mut guard = tree.guard().unwrap();
        for key in (0..KEYS).flat_map(keys) {
            put(&tree, &key, 0);
        }
        // One key in fifteen stays: about one in each leaf.
        for key in (0..KEYS).filter(|n| n % 15 != 7).flat_map(keys) {
            assert_eq!(tree.remove(guard.pin(), &key), Some(0));
        }
        let left = || (0..KEYS).filter(|n| n % 15 == 7).flat_map(keys);
        guard.pin().flush();
        guard.refresh();
        let before = tree.memory_in_use();
        let mut looks = 0;
        while !tree.maintain(guard.pin(), 10).unwrap().ended {
            looks += 1;
            assert!(looks < KEYS);
        }
        guard.pin().flush();
        guard.refresh();
        // Two hundred leaves, where twenty would suffice.
        let given_back = before - tree.memory_in_use();
        assert!(given_back > 150 * 320, "{name}: {given_back} bytes");
        assert!(
            crate::support::keys(&tree, &Range::all())
                .into_iter()
                .eq(left()),
            "{name}"
        );
        assert_sound(&tree);
    }
}
