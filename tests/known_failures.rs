//! Bugs that other implementations had. Each test names its row in the project's list and
//! says how the bug was put back to see the test fail.

mod support;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{ptr, thread};

use masstree::ffi::index::get::masstree_get;
use masstree::ffi::index::point::{masstree_put, masstree_remove};
use masstree::ffi::status::{MASSTREE_NOT_FOUND, MASSTREE_OK};
use masstree::{Bound, Cursor, Decision, Destructor, Range, Seek, Tree, TreeOptions, Values};
use support::{
    Random, assert_sound, backwards, collect, encoded, get, handle, keys, new_tree, put, remove,
    scaled, wait_for_all,
};

/// Prefixes that put keys into different layers.
const PREFIXES: [&[u8]; 3] = [b"", b"8 bytes.", b"8 bytes.and eight"];

fn numbered(prefix: &[u8], n: usize) -> Vec<u8> {
    [prefix, &(n as u64).to_be_bytes()].concat()
}

/// A tree of `n` numbered keys under a prefix, with one key on each side of the prefix.
fn layer_of(prefix: &[u8], n: usize) -> Tree {
    let tree = new_tree();
    for i in 0..n {
        put(&tree, &numbered(prefix, i), i as u64);
    }
    if !prefix.is_empty() {
        put(&tree, b"0", 0);
        put(&tree, b"9", 9);
    }
    tree
}

fn assert_scans(tree: &Tree, prefix: &[u8], expected: &[Vec<u8>]) {
    let range = Range {
        prefix,
        ..Range::all()
    };
    assert_eq!(keys(tree, &range), expected);
    let mut reversed = keys(
        tree,
        &Range {
            reverse: true,
            ..range
        },
    );
    reversed.reverse();
    assert_eq!(reversed, expected);
}

/// Row 1. Put back: in `Scan::take_over`, leave `ahead` empty when the snapshot
/// has no entries, and in `Tree::remove` do not collapse.
#[test]
fn reverse_scan_crosses_emptied_leaves() {
    let mut random = Random(1);
    for prefix in PREFIXES {
        for n in 0..=40 {
            let all: Vec<_> = (0..n).map(|i| numbered(prefix, i)).collect();
            for from in 0..=n {
                // Every run of keys that ends with the last key, and one that does not.
                for to in [n, from + random.below(n - from + 1)] {
                    let tree = layer_of(prefix, n);
                    all[from..to]
                        .iter()
                        .for_each(|key| assert!(remove(&tree, key).is_some()));
                    let left = [&all[..from], &all[to..]].concat();
                    assert_scans(&tree, prefix, &left);
                    assert_sound(&tree);
                }
            }
            let mut left = all.clone();
            let tree = layer_of(prefix, n);
            random.shuffle(&mut left);
            while let Some(key) = left.pop() {
                assert!(remove(&tree, &key).is_some());
                let mut sorted = left.clone();
                sorted.sort();
                assert_scans(&tree, prefix, &sorted);
            }
            assert_sound(&tree);
        }
    }
}

/// Row 2. Put back: in `Cut::below`, return `After` for `Before`.
#[test]
fn bounds_are_exact_at_every_key_of_a_layer_of_many_leaves() {
    for prefix in PREFIXES {
        for n in [16, 17, 40] {
            let tree = layer_of(prefix, n);
            let all: Vec<_> = (0..n).map(|i| numbered(prefix, i)).collect();
            for (i, key) in all.iter().enumerate() {
                let upward = |lower| {
                    keys(
                        &tree,
                        &Range {
                            lower,
                            prefix,
                            ..Range::all()
                        },
                    )
                };
                assert_eq!(upward(Bound::Included(key)), all[i..]);
                assert_eq!(upward(Bound::Excluded(key)), all[i + 1..]);
                let downward = |upper| {
                    let mut found = keys(
                        &tree,
                        &Range {
                            upper,
                            prefix,
                            ..backwards()
                        },
                    );
                    found.reverse();
                    found
                };
                assert_eq!(downward(Bound::Included(key)), all[..=i]);
                assert_eq!(downward(Bound::Excluded(key)), all[..i]);
            }
        }
    }
}

/// Row 3. The scan has read a link to the layer when its visitor makes the layer's root
/// split, removes the layer, or removes and recreates it. Put back: in `reach`, do not check
/// that the root is a living root.
#[test]
fn scan_enters_a_layer_at_its_current_root() {
    let prefix = PREFIXES[2];
    let after = numbered(prefix, 1 << 40);
    for reverse in [false, true] {
        for change in ["grow", "remove", "renew"] {
            let tree = layer_of(prefix, 10);
            put(&tree, &after, 1);
            let first = if reverse { b"9" } else { b"0" };
            let mut seen = Vec::new();
            let range = Range {
                reverse,
                ..Range::all()
            };
            let guard = tree.guard().unwrap();
            tree.scan(guard.pin(), &range, &mut |key, _| {
                if key == first {
                    if change != "grow" {
                        (0..10).for_each(|i| _ = remove(&tree, &numbered(prefix, i)));
                        remove(&tree, &after);
                    }
                    if change != "remove" {
                        (0..300).for_each(|i| _ = put(&tree, &numbered(prefix, i), 0));
                        put(&tree, &after, 1);
                    }
                }
                seen.push(key.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
            let mut ordered = seen.clone();
            ordered.sort();
            ordered.dedup();
            if reverse {
                ordered.reverse();
            }
            assert_eq!(seen, ordered, "{change}");
            assert!(seen.contains(&b"0".to_vec()) && seen.contains(&b"9".to_vec()));
            let present = change != "remove";
            assert_eq!(
                (0..10).all(|i| seen.contains(&numbered(prefix, i))),
                present
            );
            assert_eq!(seen.contains(&after), present);
            assert_sound(&tree);
        }
    }
}

/// Row 3, leaves: the visitor removes the leaf that the scan would read next, and the leaves
/// around it.
#[test]
fn scan_continues_when_the_next_leaf_is_deleted() {
    for prefix in PREFIXES {
        for reverse in [false, true] {
            for gap in [1, 16, 40, 95] {
                let tree = layer_of(prefix, 100);
                let at = if reverse { 99 } else { 0 };
                let gone = if reverse { 99 - gap..99 } else { 1..1 + gap };
                let mut seen = Vec::new();
                let guard = tree.guard().unwrap();
                let range = Range {
                    prefix,
                    reverse,
                    ..Range::all()
                };
                tree.scan(guard.pin(), &range, &mut |key, value| {
                    if value == at {
                        gone.clone()
                            .for_each(|i| _ = remove(&tree, &numbered(prefix, i)));
                    }
                    seen.push(key.to_vec());
                    ControlFlow::Continue(())
                })
                .unwrap();
                // The entries of the leaf read before are still visited.
                let stable = |i: &usize| !gone.contains(i);
                for i in (0..100).filter(stable) {
                    let key = numbered(prefix, i);
                    assert_eq!(seen.iter().filter(|&seen| *seen == key).count(), 1, "{i}");
                }
                assert_sound(&tree);
            }
        }
    }
}

/// Found by our own stress test: a leaf that has become the first of its layer and splits
/// below its old low sends a scan to leaves that it has passed. The visitor removes all keys
/// but one and inserts them again. Put back: in `Frame::start_at_boundary`, ignore the
/// boundary.
#[test]
fn scan_stays_in_order_when_all_leaves_are_replaced() {
    const KEYS: usize = 100;
    let mut random = Random(3);
    for round in 0..600 {
        let prefix = PREFIXES[round % 3];
        let (reverse, at) = (round % 2 == 0, random.below(KEYS) as u64);
        let stable = random.below(KEYS);
        let tree = layer_of(prefix, KEYS);
        let mut order: Vec<_> = (0..KEYS).filter(|&i| i != stable).collect();
        let mut seen = Vec::new();
        let guard = tree.guard().unwrap();
        let range = Range {
            prefix,
            reverse,
            ..Range::all()
        };
        tree.scan(guard.pin(), &range, &mut |_, value| {
            if value == at {
                random.shuffle(&mut order);
                order
                    .iter()
                    .for_each(|&i| _ = remove(&tree, &numbered(prefix, i)));
                random.shuffle(&mut order);
                order
                    .iter()
                    .for_each(|&i| _ = put(&tree, &numbered(prefix, i), i as u64));
            }
            seen.push(value);
            ControlFlow::Continue(())
        })
        .unwrap();
        if reverse {
            seen.reverse();
        }
        assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
        assert!(seen.contains(&(stable as u64)));
        assert_sound(&tree);
    }
}

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
            assert_eq!(tree.memory_in_use(), empty, "{order}");
            assert_sound(&tree);
        }
    }
}

/// A long suffix costs its own length. It is freed with its key or, if its bag holds other
/// suffixes, when the next key is inserted. Put back: in `shape_for`, reserve room for one
/// more suffix whatever its length; in `put::add`, renew only full bags.
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

/// Lengths around those of slices, and of one-byte and two-byte suffix lengths.
const LENGTHS: [usize; 14] = [
    0,
    1,
    7,
    8,
    9,
    15,
    16,
    17,
    255,
    256,
    257,
    4 << 10,
    64 << 10,
    1 << 20,
];

/// Row 9. Put back: in `Shape::prefix`, use two bytes for every shift.
#[test]
fn keys_of_every_length_round_trip() {
    // Keys that differ in the first byte, or only in the last: one layer or many.
    for shared in [false, true] {
        let tree = new_tree();
        let mut model = BTreeSet::new();
        for length in LENGTHS {
            for last in [b'x', b'y'] {
                let mut key = vec![b'k'; length];
                if let Some(byte) = if shared {
                    key.last_mut()
                } else {
                    key.first_mut()
                } {
                    *byte = last;
                }
                let new = model.insert(key.clone());
                let pin = tree.guard().unwrap();
                assert_eq!(
                    tree.put(pin.pin(), &key, length as u64).unwrap().is_none(),
                    new
                );
                assert_eq!(
                    tree.put(pin.pin(), &key, 1 + length as u64),
                    Ok(Some(length as u64))
                );
            }
        }
        assert_sound(&tree);
        assert!(keys(&tree, &Range::all()).iter().eq(&model));
        assert!(keys(&tree, &backwards()).iter().rev().eq(&model));
        for key in &model {
            assert_eq!(get(&tree, key), Some(1 + key.len() as u64));
            let only = Range {
                lower: Bound::Included(key),
                limit: 1,
                ..Range::all()
            };
            assert_eq!(keys(&tree, &only), std::slice::from_ref(key));
            let only = Range {
                upper: Bound::Included(key),
                limit: 1,
                ..backwards()
            };
            assert_eq!(keys(&tree, &only), std::slice::from_ref(key));
        }
        for key in &model {
            assert_eq!(remove(&tree, key), Some(1 + key.len() as u64));
            assert_eq!(get(&tree, key), None);
        }
        assert_sound(&tree);
    }
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

/// Row 13. Put back: in `Tree::update`, look the key up first, and then write the decision
/// made for that value.
#[test]
fn no_increment_is_lost() {
    const THREADS: usize = 2;
    const KEYS: u64 = 5;
    let each = scaled(1_000_000) as u64;
    let tree = new_tree();
    thread::scope(|scope| {
        for id in 0..THREADS as u64 {
            let tree = &tree;
            scope.spawn(move || {
                let guard = tree.guard().unwrap();
                for n in 0..each {
                    let key = ((n + id) % KEYS).to_be_bytes();
                    let add = |present: Option<u64>| Decision::Set(present.unwrap_or(0) + 1);
                    tree.update(guard.pin(), &key, add).unwrap();
                    // Absent at first; inserted and removed by whichever thread comes first.
                    let toggle = |present| match present {
                        None => Decision::Set(id),
                        Some(_) => Decision::Remove,
                    };
                    if n % 8 == 0 {
                        tree.update(guard.pin(), b"toggled", toggle).unwrap();
                    }
                }
            });
        }
    });
    let guard = tree.guard().unwrap();
    let toggles = THREADS as u64 * each.div_ceil(8);
    assert_eq!(
        tree.remove(guard.pin(), b"toggled").is_some(),
        toggles % 2 == 1
    );
    let counts = collect(&tree, guard.pin(), &Range::all());
    let sum: u64 = counts.iter().map(|(_, count)| count).sum();
    assert_eq!((counts.len() as u64, sum), (KEYS, THREADS as u64 * each));
    assert_sound(&tree);
}

/// Keys alone under their slices, prefixes of others, in groups of every size, and in layers of
/// their own.
fn keys_in_groups(prefix: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut model = BTreeSet::new();
    for n in 0..40 {
        let key = numbered(prefix, n);
        let more = [
            &b""[..],
            b"x",
            b"xyz and much more",
            b"xyz and much else",
            b"xyz",
            b"w",
            b"xyz and much more than that",
            b"y and much more",
            b"z",
        ];
        for more in &more[..1 + n % 9] {
            model.insert([&key, *more].concat());
        }
    }
    model
}

/// The four ranges that a bound ends, each with the positions of its keys.
fn ranges_at(
    bound: &[u8],
    below: usize,
    through: usize,
    end: usize,
) -> [(Range<'_>, std::ops::Range<usize>); 4] {
    let all = Range::all();
    [
        (
            Range {
                lower: Bound::Included(bound),
                ..all
            },
            below..end,
        ),
        (
            Range {
                lower: Bound::Excluded(bound),
                ..all
            },
            through..end,
        ),
        (
            Range {
                upper: Bound::Included(bound),
                ..all
            },
            0..through,
        ),
        (
            Range {
                upper: Bound::Excluded(bound),
                ..all
            },
            0..below,
        ),
    ]
}

/// Row 15. Every bound that is easy to get wrong: each key, the byte strings just before and
/// just after it, and its prefixes. Put back: in `Frame::limit`, compare without suffixes; in
/// `Tree::scan`, ignore the end when only values are wanted.
#[test]
fn bounds_are_exact_whether_or_not_keys_are_wanted() {
    for prefix in PREFIXES {
        let tree = new_tree();
        let model = keys_in_groups(prefix);
        for (value, key) in (0..).zip(&model) {
            put(&tree, key, value);
        }
        let sorted: Vec<_> = model.iter().collect();
        let mut bounds: BTreeSet<Vec<u8>> = BTreeSet::new();
        for key in &model {
            for end in [key.len() - 1, key.len() / 2] {
                bounds.insert(key[..end].to_vec());
            }
            bounds.insert([key, &[0][..]].concat());
            bounds.insert([key, &[255][..]].concat());
            bounds.insert(key.clone());
        }
        for bound in &bounds {
            let below = sorted.partition_point(|&key| key < bound);
            let through = sorted.partition_point(|&key| key <= bound);
            let end = sorted.len();
            let cases = ranges_at(bound, below, through, end);
            let guard = tree.guard().unwrap();
            for (range, expected) in cases {
                for (reverse, values_only) in
                    [(false, false), (false, true), (true, false), (true, true)]
                {
                    let range = Range {
                        reverse,
                        values_only,
                        ..range
                    };
                    let seen = collect(&tree, guard.pin(), &range);
                    let mut wanted: Vec<_> = expected.clone().map(|n| n as u64).collect();
                    if reverse {
                        wanted.reverse();
                    }
                    assert!(seen.iter().map(|(_, value)| *value).eq(wanted), "{range:?}");
                    let key_of = |value: u64| {
                        if values_only {
                            &[][..]
                        } else {
                            sorted[value as usize]
                        }
                    };
                    assert!(seen.iter().all(|(key, value)| key == key_of(*value)));
                }
            }
        }
    }
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

/// Found by our own model: the leaves of a cleared tree never change again, so a cursor could
/// not notice that it was no longer in the tree. Put back: in `Cursor::step_once`, step
/// within the walk also when the tree was cleared.
#[test]
fn a_cursor_notices_that_the_tree_was_cleared() {
    for keys in [1, 3, 200u64] {
        for reverse in [false, true] {
            let tree = new_tree();
            let guard = tree.guard().unwrap();
            let pin = guard.pin();
            for n in 0..keys {
                put(&tree, &n.to_be_bytes(), n);
            }
            let mut cursor = Cursor::new(&tree);
            let start = (keys / 2).to_be_bytes();
            assert_eq!(cursor.seek(&tree, pin, Seek::AtLeast(&start)), Ok(true));
            tree.clear(pin).unwrap();
            assert_eq!(cursor.step(&tree, pin, reverse), Ok(false));
            assert_eq!(cursor.key(), Some(&start[..]));
            let other = if reverse { 0 } else { u64::MAX }.to_be_bytes();
            put(&tree, &other, 7);
            let is_found = start != other;
            assert_eq!(cursor.step(&tree, pin, reverse), Ok(is_found));
            assert_eq!(cursor.key(), Some(&other[..]));
            assert_eq!(cursor.step(&tree, pin, reverse), Ok(false));
        }
    }
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
            support::keys(&tree, &Range::all()).into_iter().eq(left()),
            "{name}"
        );
        assert_sound(&tree);
    }
}
