//! Values: each is destroyed once, also by clear; byte strings are whole.

use std::alloc::Layout;
use std::collections::HashSet;
use std::ffi::c_void;
use std::sync::Barrier;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::thread;

use masstree::{
    Allocator, Decision, Destructor, Inserted, Pinned, Range, Tree, TreeOptions, Values,
};

use crate::support::race::{WRITERS, race};
use crate::support::{Random, assert_sound, collect, decoded, encoded, new_tree, put, scaled};
use crate::{maintain, mixed, ordered_scan};

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
    crate::support::wait_for_all(&tree);
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
    crate::support::wait_for_all(&tree);
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
    crate::support::wait_for_all(&tree);
    assert_eq!(crate::support::keys(&tree, &Range::all()), [b"new"]);
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
