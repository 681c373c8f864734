//! Filling an empty tree.

use std::ffi::c_void;

use super::batch::Keys;
use super::bytes::Slice;
use crate::ffi::boundary::{ValueKind, on_tree, status_of, value_bytes, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::memory::OutOfMemory;
use crate::index::tree::{LoadOutcome, Tree};

/// # Safety
/// As `masstree_bulk_load`; `word` may be called for each index.
unsafe fn load(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    values: ValueKind,
    keys: Keys,
    count: usize,
    offender: *mut usize,
    mut word: impl FnMut(&Tree, usize) -> Result<u64, OutOfMemory>,
) -> Result<i32, i32> {
    let keys = keys.checked(count)?;
    let blame = |index: usize| {
        // SAFETY: NULL or writable by contract.
        unsafe { write_output(offender, index) };
    };
    // SAFETY: by contract.
    unsafe {
        on_tree(tree, guard, values, |tree, pin| {
            for index in 0..count {
                let key = keys.at(index).inspect_err(|_| blame(index))?;
                if index > 0 && keys.at(index - 1)?.bytes() >= key.bytes() {
                    blame(index);
                    return Err(MASSTREE_UNSORTED);
                }
            }
            let loaded = tree.bulk_load(
                pin,
                count,
                |index, put| match keys.at(index) {
                    Ok(key) => put(key.bytes()),
                    Err(_) => unreachable!("every key was looked at before"),
                },
                |index| word(tree, index),
            )?;
            Ok(match loaded {
                LoadOutcome::Done => MASSTREE_OK,
                LoadOutcome::NotEmpty => MASSTREE_EXISTS,
            })
        })
    }
}

/// Fills an empty tree with sorted keys, faster than one by one, with full nodes. All
/// keys appear at once; until then, and if the call fails, the tree stays empty.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      count keys in ascending order, no two equal; NULL only if count is 0.
/// @param values    count values; NULL only if count is 0. The tree owns them only after
///                  MASSTREE_OK.
/// @param count     Number of keys.
/// @param offender  Receives the index of the offending key: with MASSTREE_UNSORTED, of the
///                  first key that is not above its predecessor; with MASSTREE_KEY_TOO_LONG,
///                  and with MASSTREE_INVALID because of a key, of that key. May be NULL.
///
/// @retval MASSTREE_OK            Every key is in the tree.
/// @retval MASSTREE_EXISTS        The tree is not empty, or another thread inserted a key
///                                during the call; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL, keys or values is NULL and count is not 0, or a
///                                key is NULL and its length is not 0; nothing was changed.
/// @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; nothing was changed.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED      The keys are not in ascending order, first at *offender;
///                                nothing was changed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_bulk_load(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    values: *const u64,
    count: usize,
    offender: *mut usize,
) -> i32 {
    status_of(|| {
        if values.is_null() && count != 0 {
            return Err(MASSTREE_INVALID);
        }
        let keys = Keys::Slices(keys);
        // SAFETY: as this function's contract.
        unsafe {
            load(
                tree,
                guard,
                ValueKind::Words,
                keys,
                count,
                offender,
                |_, index| Ok(values.add(index).read()),
            )
        }
    })
}

/// Like masstree_bulk_load, for integer keys (see masstree_get_u64).
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      As in masstree_get_many_u64; ascending, no two equal.
/// @param stride    As in masstree_get_many_u64.
/// @param values    As in masstree_bulk_load.
/// @param count     Number of keys.
/// @param offender  As in masstree_bulk_load.
///
/// @retval MASSTREE_OK          Every key is in the tree.
/// @retval MASSTREE_EXISTS      The tree is not empty, or another thread inserted a key during
///                              the call; nothing was changed.
/// @retval MASSTREE_INVALID     tree is NULL, keys or values is NULL and count is not 0, or
///                              stride is below 8; nothing was changed.
/// @retval MASSTREE_NOMEM       Out of memory; nothing was changed.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED    The keys are not in ascending order, first at *offender;
///                              nothing was changed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_bulk_load_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const c_void,
    stride: usize,
    values: *const u64,
    count: usize,
    offender: *mut usize,
) -> i32 {
    status_of(|| {
        if values.is_null() && count != 0 {
            return Err(MASSTREE_INVALID);
        }
        let keys = Keys::Integers(keys.cast(), stride);
        // SAFETY: as this function's contract.
        unsafe {
            load(
                tree,
                guard,
                ValueKind::Words,
                keys,
                count,
                offender,
                |_, index| Ok(values.add(index).read()),
            )
        }
    })
}

/// Like masstree_bulk_load, for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      As in masstree_bulk_load.
/// @param values    count values, which the tree copies; NULL only if count is 0.
/// @param count     Number of keys.
/// @param offender  As in masstree_bulk_load; also the index of an invalid value.
///
/// @retval MASSTREE_OK            Every key is in the tree.
/// @retval MASSTREE_EXISTS        The tree is not empty, or another thread inserted a key
///                                during the call; nothing was changed.
/// @retval MASSTREE_INVALID       As in masstree_bulk_load; or a value is NULL and its length
///                                is not 0, or its length exceeds SIZE_MAX / 2.
/// @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; nothing was changed.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @retval MASSTREE_UNSORTED      The keys are not in ascending order, first at *offender;
///                                nothing was changed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_bulk_load_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    values: *const Slice,
    count: usize,
    offender: *mut usize,
) -> i32 {
    status_of(|| {
        if values.is_null() && count != 0 {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        unsafe {
            let value_at = |index: usize| {
                let Slice { data, len } = values.add(index).read();
                value_bytes(data, len)
            };
            for index in 0..count {
                value_at(index).inspect_err(|_| write_output(offender, index))?;
            }
            let keys = Keys::Slices(keys);
            load(
                tree,
                guard,
                ValueKind::Bytes,
                keys,
                count,
                offender,
                |tree, index| match value_at(index) {
                    Ok(value) => tree.make_bytes(value),
                    Err(_) => unreachable!("every value was looked at before"),
                },
            )
        }
    })
}
