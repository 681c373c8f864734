//! A kind of values that another layer defines.

use std::alloc::Layout;
use std::ffi::c_void;
use std::fmt::{self, Write};
use std::ptr::{NonNull, null, null_mut};
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ffi::handle::TreeHandle;
use crate::ffi::index::bulk_load::{masstree_bulk_load, masstree_bulk_load_bytes};
use crate::ffi::index::bytes::Slice;
use crate::ffi::index::cursor::*;
use crate::ffi::index::cursor_move::*;
use crate::ffi::index::get::{masstree_contains, masstree_get};
use crate::ffi::index::inspect::masstree_check;
use crate::ffi::index::point::{masstree_put, masstree_remove};
use crate::ffi::index::scan::masstree_scan;
use crate::ffi::index::tree::masstree_clear;
use crate::ffi::index::write_many::masstree_remove_many;
use crate::ffi::status::*;
use crate::index::key_source::KeySource;
use crate::index::memory::{Count, Memory, OutOfMemory};
use crate::index::reclaim::Pinned;
use crate::index::tree::{Decision, Format, Tree, TreeOptions};
use crate::index::value::{KindId, Values};
use crate::versioned::Freeing;

/// What a word of the kind points to.
struct Pair(u64, u64);

/// Values that are pairs in the tree's memory; counts those that are destroyed.
fn pairs(destroyed: &AtomicU64) -> Values {
    Values {
        id: KindId(1 << 16),
        destroy: Some(destroy),
        size: |_| size_of::<Pair>(),
        content: |_| size_of::<Pair>(),
        show,
        owns_memory: true,
        is_only_memory: false,
        ctx: std::ptr::from_ref(destroyed).cast_mut().cast(),
        destructor: None,
        keys: KeySource::NONE,
    }
}

fn at(word: u64) -> NonNull<Pair> {
    NonNull::new(std::ptr::with_exposed_provenance_mut(word as usize)).unwrap()
}

fn make(pin: Pinned<'_>, first: u64) -> u64 {
    let memory = &pin.domain().memory;
    let place = memory.allocate(Layout::new::<Pair>(), Count::ValueBytes);
    let pair = place.unwrap().cast::<Pair>();
    // SAFETY: freshly allocated for a pair.
    unsafe { pair.write(Pair(first, 10 * first)) };
    pair.as_ptr().expose_provenance() as u64
}

unsafe fn destroy(values: &Values, memory: &Memory, word: u64) {
    // SAFETY: the word came from `make`; the counter outlives the tree.
    unsafe {
        memory.free(at(word).cast(), Layout::new::<Pair>(), Count::ValueBytes);
        let destroyed = &*values.ctx.cast::<AtomicU64>();
        destroyed.fetch_add(1, Ordering::Relaxed);
    }
}

unsafe fn show(word: u64, to: &mut dyn Write) -> fmt::Result {
    // SAFETY: the word came from `make`.
    let Pair(first, second) = unsafe { at(word).as_ref() };
    write!(to, "<{first}, {second}>")
}

fn tree_of_pairs(destroyed: &AtomicU64) -> Tree {
    Tree::with_options(&TreeOptions {
        values: pairs(destroyed),
        ..TreeOptions::default()
    })
    .unwrap()
}

fn put(tree: &Tree, pin: Pinned<'_>, key: &[u8], first: u64) {
    let word = make(pin, first);
    let displaced = tree.write(pin, key, |_| Decision::Set(word)).unwrap();
    displaced.into_iter().for_each(|old| pin.retire_value(old));
}

/// Loads two keys, then fails with the third.
fn fail_to_load(tree: &Tree, pin: Pinned<'_>) {
    let key = |index: usize, take: &mut dyn FnMut(&[u8])| take(&[index as u8]);
    let loaded = tree.bulk_load(pin, 3, key, |index| match index {
        2 => Err(OutOfMemory),
        _ => Ok(make(pin, 1)),
    });
    assert_eq!(loaded, Err(OutOfMemory));
}

/// Put back: in `write_entry` of `dump` or `free_unseen` of `swap`, know two kinds of values instead
/// of asking `Values`.
#[test]
fn values_of_another_layer_are_counted_shown_and_destroyed() {
    let destroyed = AtomicU64::new(0);
    let count = || destroyed.load(Ordering::Relaxed);
    let size = size_of::<Pair>() as u64;
    let tree = tree_of_pairs(&destroyed);
    let guard = tree.guard().unwrap();
    let pin = guard.pin();
    fail_to_load(&tree, pin);
    assert_eq!((count(), tree.counters().value_bytes), (2, 0));
    for first in [1, 2, 3] {
        put(&tree, pin, &[first as u8], first);
    }
    put(&tree, pin, &[2], 4);
    let mut shown = String::new();
    tree.dump(pin, Format::Text, &mut shown).unwrap().unwrap();
    assert!(shown.contains(" = <4, 40>"), "{shown}");
    let removed = tree.write(pin, &[3], |_| Decision::Remove).unwrap();
    pin.retire_value(removed.unwrap());
    let counters = tree.counters();
    assert_eq!(counters.value_bytes, 4 * size);
    assert_eq!(
        (counters.limbo_bytes, counters.limbo_objects),
        (2 * size, 2)
    );
    assert_eq!(count(), 2, "a guard protects what was displaced");
    pin.flush();
    drop(guard);
    let counters = tree.counters();
    assert_eq!((count(), counters.limbo_bytes), (4, 0));
    assert_eq!(counters.value_bytes, 2 * size);
    let guard = tree.guard().unwrap();
    tree.clear(guard.pin()).unwrap();
    drop(guard);
    assert_eq!((count(), tree.counters().value_bytes), (6, 0));
    let guard = tree.guard().unwrap();
    put(&tree, guard.pin(), &[1], 1);
    drop(guard);
    drop(tree);
    assert_eq!(count(), 7);
}

/// Put back: in `masstree_remove` or `masstree_cursor_value`, take what are not byte strings for
/// words. Long, since each function for words or byte strings is called once.
#[test]
fn functions_for_words_and_byte_strings_refuse_another_kind() {
    let destroyed = AtomicU64::new(0);
    let tree = tree_of_pairs(&destroyed);
    let guard = tree.guard().unwrap();
    put(&tree, guard.pin(), b"key", 1);
    drop(guard);
    let mut handle = TreeHandle::new(tree, Freeing::InTrims).unwrap();
    let tree = &raw mut handle;
    let slice = Slice::of(b"key");
    let (key, len) = (slice.data, slice.len);
    let (mut word, mut bytes) = (0_u64, Slice::of(b""));
    let (mut keys, mut count) = ([Slice::of(b"")], 0_usize);
    let mut cursor = null_mut();
    // SAFETY: the tree lives, and the arguments are valid.
    unsafe {
        assert_eq!(
            masstree_cursor_open(tree, null_mut(), &raw mut cursor),
            MASSTREE_OK
        );
        assert_eq!(masstree_cursor_first(cursor), MASSTREE_OK);
        let refused = [
            masstree_get(tree, null_mut(), key, len, &raw mut word),
            masstree_put(tree, null_mut(), key, len, 1),
            masstree_remove(tree, null_mut(), key, len, &raw mut word),
            masstree_remove(tree, null_mut(), key, len, null_mut()),
            masstree_remove_many(
                tree,
                null_mut(),
                &raw const slice,
                1,
                null_mut(),
                null_mut(),
            ),
            masstree_scan(
                tree,
                null_mut(),
                null(),
                Some(visit),
                null_mut(),
                null_mut(),
            ),
            masstree_bulk_load(
                tree,
                null_mut(),
                &raw const slice,
                &raw const word,
                1,
                null_mut(),
            ),
            masstree_bulk_load_bytes(
                tree,
                null_mut(),
                &raw const slice,
                &raw const slice,
                1,
                null_mut(),
            ),
            masstree_cursor_value(cursor, &raw mut word),
            masstree_cursor_value_bytes(cursor, &raw mut bytes),
            masstree_cursor_next_many(cursor, keys.as_mut_ptr(), &raw mut word, 1, &raw mut count),
            masstree_cursor_next_many_bytes(
                cursor,
                keys.as_mut_ptr(),
                &raw mut bytes,
                1,
                &raw mut count,
            ),
        ];
        for (number, status) in refused.into_iter().enumerate() {
            assert_eq!(status, MASSTREE_WRONG_KIND, "call {number}");
        }
        masstree_cursor_close(cursor);
        assert_eq!(masstree_contains(tree, null_mut(), key, len), MASSTREE_OK);
        assert_eq!(
            masstree_check(tree, null_mut(), None, null_mut()),
            MASSTREE_OK
        );
        assert_eq!(masstree_clear(tree, null_mut()), MASSTREE_OK);
    }
    drop(handle);
    assert_eq!(destroyed.load(Ordering::Relaxed), 1);
}

unsafe extern "C" fn visit(_: *const c_void, _: usize, _: u64, _: *mut c_void) -> i32 {
    0
}
