//! Filling an empty tree.

use std::ffi::c_void;

use super::batch::Keys;
use super::bytes::Slice;
use crate::ffi::boundary::{For, entry, give, on_tree, value_bytes};
use crate::ffi::handle::GuardHandle;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::index::memory::OutOfMemory;
use crate::index::tree::{LoadOutcome, Tree};

/// # Safety
/// As `masstree_bulk_load`; `word` may be called for each place.
unsafe fn load(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    values: For,
    keys: Keys,
    count: usize,
    offender: *mut usize,
    mut word: impl FnMut(&Tree, usize) -> Result<u64, OutOfMemory>,
) -> Result<i32, i32> {
    let keys = keys.checked(count)?;
    let blame = |place: usize| {
        // SAFETY: NULL or writable by contract.
        unsafe { give(offender, place) };
    };
    // SAFETY: by contract.
    unsafe {
        on_tree(tree, guard, values, |tree, pin| {
            for place in 0..count {
                let key = keys.at(place).inspect_err(|_| blame(place))?;
                if place > 0 && keys.at(place - 1)?.bytes() >= key.bytes() {
                    blame(place);
                    return Err(MASSTREE_UNSORTED);
                }
            }
            let loaded = tree.bulk_load(
                pin,
                count,
                |place, put| match keys.at(place) {
                    Ok(key) => put(key.bytes()),
                    Err(_) => unreachable!("every key was looked at before"),
                },
                |place| word(tree, place),
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
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      count keys in ascending order, no two equal; NULL only if count is 0.
/// @param values    Their values; NULL only if count is 0. They are the tree's only if
///                  the answer is MASSTREE_OK.
/// @param count     How many keys.
/// @param offender  Where the place of the first key that is not above the one before it
///                  is stored, if the answer is MASSTREE_UNSORTED; of the key at fault if
///                  it is MASSTREE_KEY_TOO_LONG, or MASSTREE_INVALID for a key. NULL: not
///                  wanted.
///
/// @retval MASSTREE_OK            Every key is in the tree.
/// @retval MASSTREE_EXISTS        The tree is not empty, or was not when everything was
///                                ready; nothing was changed.
/// @retval MASSTREE_INVALID       tree is NULL, keys or values is NULL with a count, or a
///                                key is NULL with a length; nothing was changed.
/// @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
/// @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; nothing was changed.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
/// @retval MASSTREE_UNSORTED      The keys do not ascend, first at *offender; nothing was
///                                changed.
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
    entry(|| {
        if values.is_null() && count != 0 {
            return Err(MASSTREE_INVALID);
        }
        let keys = Keys::Slices(keys);
        // SAFETY: as this function's contract.
        unsafe {
            load(
                tree,
                guard,
                For::Words,
                keys,
                count,
                offender,
                |_, place| Ok(values.add(place).read()),
            )
        }
    })
}

/// masstree_bulk_load for integer keys (see masstree_get_u64).
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      As in masstree_get_many_u64; ascending, no two equal.
/// @param stride    As in masstree_get_many_u64.
/// @param values    As in masstree_bulk_load.
/// @param count     How many keys.
/// @param offender  As in masstree_bulk_load.
///
/// @retval MASSTREE_OK          Every key is in the tree.
/// @retval MASSTREE_EXISTS      The tree is not empty, or was not when everything was
///                              ready; nothing was changed.
/// @retval MASSTREE_INVALID     tree is NULL, keys or values is NULL with a count, or
///                              stride is below 8; nothing was changed.
/// @retval MASSTREE_NOMEM       Out of memory; nothing was changed.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
/// @retval MASSTREE_UNSORTED    The keys do not ascend, first at *offender; nothing was
///                              changed.
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
    entry(|| {
        if values.is_null() && count != 0 {
            return Err(MASSTREE_INVALID);
        }
        let keys = Keys::Integers(keys.cast(), stride);
        // SAFETY: as this function's contract.
        unsafe {
            load(
                tree,
                guard,
                For::Words,
                keys,
                count,
                offender,
                |_, place| Ok(values.add(place).read()),
            )
        }
    })
}

/// masstree_bulk_load for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      As in masstree_bulk_load.
/// @param values    Their values, which are copied; NULL only if count is 0.
/// @param count     How many keys.
/// @param offender  As in masstree_bulk_load; also the place of a value at fault.
///
/// @retval MASSTREE_OK            Every key is in the tree.
/// @retval MASSTREE_EXISTS        The tree is not empty, or was not when everything was
///                                ready; nothing was changed.
/// @retval MASSTREE_INVALID       As in masstree_bulk_load; or a value is NULL with a
///                                length, or its length is over SIZE_MAX / 2.
/// @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
/// @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; nothing was changed.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The tree was made before a fork.
/// @retval MASSTREE_UNSORTED      The keys do not ascend, first at *offender; nothing was
///                                changed.
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
    entry(|| {
        if values.is_null() && count != 0 {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        unsafe {
            let value_at = |place: usize| {
                let Slice { data, len } = values.add(place).read();
                value_bytes(data, len)
            };
            for place in 0..count {
                value_at(place).inspect_err(|_| give(offender, place))?;
            }
            let keys = Keys::Slices(keys);
            load(
                tree,
                guard,
                For::Bytes,
                keys,
                count,
                offender,
                |tree, place| match value_at(place) {
                    Ok(value) => tree.make_bytes(value),
                    Err(_) => unreachable!("every value was looked at before"),
                },
            )
        }
    })
}
