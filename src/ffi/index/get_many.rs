//! # Many keys at once
//!
//! Many look-ups in one call.

use std::ffi::c_void;

use super::batch::{Batch, Keys, each_part, item_ptr};
use super::bytes::Slice;
use crate::ffi::boundary::{ValueKind, found_status, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;

/// Looks up the keys, several at a time; calls `store` with index and word of each key found.
///
/// # Safety
/// As `masstree_get_many`; `store` may be called for each index.
#[inline]
unsafe fn get_many(batch: Batch, mut store: impl FnMut(&Tree, Pinned<'_>, usize, u64)) -> i32 {
    // SAFETY: by contract.
    unsafe {
        each_part(batch, |tree, pin, part, report| {
            let is_short = part.is_short();
            if !is_short {
                part.report_malformed(report);
            }
            let found = |index, value: Option<u64>| {
                let index = part.index(index);
                report.status(index, found_status(value.is_some()));
                if let Some(value) = value {
                    store(tree, pin, index, value);
                }
            };
            if is_short {
                tree.get_each_short(pin, part.count(), |index| part.short_key(index), found);
            } else {
                tree.get_each(pin, part.count(), |index| part.key(index).ok(), found);
            }
        })
    }
}

/// Stores words in an array that may be NULL.
///
/// # Safety
/// `values` is NULL or has room for all.
unsafe fn to_words(values: *mut u64) -> impl FnMut(&Tree, Pinned<'_>, usize, u64) {
    move |_, _, index, word| {
        // SAFETY: by contract.
        unsafe { write_output(item_ptr(values, index), word) }
    }
}

/// Looks up several keys, faster than one by one.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      count keys, as masstree_get takes them; NULL only if count is 0.
/// @param count     Number of keys.
/// @param values    Receives the values, each at the index of its key; elements of keys that
///                  are not found are not written. May be NULL.
/// @param statuses  Receives, for each key, the status that masstree_get would return. May be
///                  NULL.
///
/// @retval MASSTREE_OK            Every key was looked up; the status of each says whether it
///                                was found.
/// @retval MASSTREE_INVALID       tree is NULL, or keys is NULL and count is not 0: nothing was
///                                done, and no status is stored. Or a key is NULL and its
///                                length is not 0; the other keys were looked up.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were looked up.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
///                                was done.
///
/// Returns the first of several errors, in the order of the keys.
///
/// Thread safety: any thread; takes no lock. Each look-up is atomic, the batch is not.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_many(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    count: usize,
    values: *mut u64,
    statuses: *mut i32,
) -> i32 {
    let batch = Batch::new(
        tree,
        guard,
        ValueKind::Words,
        Keys::Slices(keys),
        count,
        statuses,
    );
    // SAFETY: as this function's contract.
    unsafe { get_many(batch, to_words(values)) }
}

/// Like masstree_get_many, for integer keys (see masstree_get_u64).
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      The first key: a uint64_t in native byte order, of any alignment. NULL only if
///                  count is 0.
/// @param stride    Distance in bytes from one key to the next, at least 8: the size of the
///                  array element that contains the key.
/// @param count     Number of keys.
/// @param values    As in masstree_get_many.
/// @param statuses  As in masstree_get_many.
///
/// @retval MASSTREE_OK          Every key was looked up; the status of each says whether it was
///                              found.
/// @retval MASSTREE_INVALID     tree is NULL, keys is NULL and count is not 0, or stride is
///                              below 8; nothing was done.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork; nothing was
///                              done.
///
/// Returns the first of several errors, in the order of the keys.
///
/// Thread safety: any thread; takes no lock. Each look-up is atomic, the batch is not.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_many_u64(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    keys: *const c_void,
    stride: usize,
    count: usize,
    values: *mut u64,
    statuses: *mut i32,
) -> i32 {
    let batch = Batch::new(
        tree,
        guard,
        ValueKind::Words,
        Keys::Integers(keys.cast(), stride),
        count,
        statuses,
    );
    // SAFETY: as this function's contract.
    unsafe { get_many(batch, to_words(values)) }
}

/// Like masstree_get_many, for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree; not NULL: the values stay readable only while the
///                  guard is held.
/// @param keys      As in masstree_get_many.
/// @param count     Number of keys.
/// @param values    Receives the values, as masstree_get_bytes returns them; elements of keys
///                  that are not found are not written. May be NULL.
/// @param statuses  As in masstree_get_many.
///
/// @retval MASSTREE_OK            Every key was looked up; the status of each says whether it
///                                was found.
/// @retval MASSTREE_INVALID       tree or guard is NULL, or keys is NULL and count is not 0:
///                                nothing was done, and no status is stored. Or a key is NULL
///                                and its length is not 0; the other keys were looked up.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were looked up.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds words; nothing was done.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
///                                was done.
///
/// Returns the first of several errors, in the order of the keys.
///
/// Thread safety: any thread; takes no lock. Each look-up is atomic, the batch is not.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_get_many_bytes(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    count: usize,
    values: *mut Slice,
    statuses: *mut i32,
) -> i32 {
    if guard.is_null() {
        return MASSTREE_INVALID;
    }
    let batch = Batch::new(
        tree,
        guard,
        ValueKind::Bytes,
        Keys::Slices(keys),
        count,
        statuses,
    );
    // SAFETY: as this function's contract.
    unsafe {
        get_many(batch, |tree, pin, index, word| {
            write_output(item_ptr(values, index), Slice::of(tree.bytes_of(pin, word)));
        })
    }
}
