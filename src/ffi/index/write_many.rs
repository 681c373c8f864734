//! Many writes in one call.

use std::ffi::c_void;

use super::batch::{Batch, Keys, each, item_ptr};
use super::bytes::Slice;
use crate::ffi::boundary::{ValueKind, deliver_or_retire, found_status, value_bytes, write_output};
use crate::ffi::handle::GuardHandle;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::index::tree::Inserted;

/// # Safety
/// As `masstree_put_many`.
unsafe fn put_many(batch: Batch, values: *const u64) -> i32 {
    if values.is_null() && batch.count != 0 {
        return MASSTREE_INVALID;
    }
    // SAFETY: by contract.
    unsafe {
        each(batch, |tree, pin, key, index| {
            let value = values.add(index).read();
            let displaced = tree.put(pin, key, value)?;
            deliver_or_retire(tree, pin, displaced, Some(value), std::ptr::null_mut());
            Ok(MASSTREE_OK)
        })
    }
}

/// # Safety
/// As `masstree_insert_many`.
unsafe fn insert_many(batch: Batch, values: *const u64, present: *mut u64) -> i32 {
    if values.is_null() && batch.count != 0 {
        return MASSTREE_INVALID;
    }
    // SAFETY: by contract.
    unsafe {
        each(batch, |tree, pin, key, index| {
            match tree.insert(pin, key, values.add(index).read())? {
                Inserted::New => Ok(MASSTREE_OK),
                Inserted::Present(word) => {
                    write_output(item_ptr(present, index), word);
                    Ok(MASSTREE_EXISTS)
                }
            }
        })
    }
}

/// # Safety
/// As `masstree_remove_many`.
unsafe fn remove_many(batch: Batch, old: *mut u64) -> i32 {
    // SAFETY: by contract.
    unsafe {
        each(batch, |tree, pin, key, index| {
            if tree.holds_bytes() {
                return Ok(found_status(tree.remove_bytes(pin, key).is_some()));
            }
            let removed = tree.remove(pin, key);
            Ok(deliver_or_retire(
                tree,
                pin,
                removed,
                None,
                item_ptr(old, index),
            ))
        })
    }
}

/// Stores several values, in the order of the arrays: of equal keys the last wins.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      count keys, as masstree_put takes them; NULL only if count is 0.
/// @param values    Their values; NULL only if count is 0.
/// @param count     How many keys.
/// @param statuses  Where what masstree_put would answer is stored for each key. NULL:
///                  not wanted.
///
/// @retval MASSTREE_OK            Everything was stored.
/// @retval MASSTREE_INVALID       tree is NULL, or keys or values is NULL with a count:
///                                nothing was done, and no status is stored. Or a key is
///                                NULL with a length; the others were tried.
/// @retval MASSTREE_NOMEM         Out of memory for some item, which is as before; the
///                                others were tried.
/// @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were tried.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
///
/// Of several errors the first is answered.
///
/// A value that is stored where it is already is not displaced: it stays the tree's.
///
/// Thread safety: any thread. Each store is atomic, the batch is not. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_put_many(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    values: *const u64,
    count: usize,
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
    unsafe { put_many(batch, values) }
}

/// masstree_put_many for integer keys (see masstree_get_u64).
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      As in masstree_get_many_u64.
/// @param stride    As in masstree_get_many_u64.
/// @param values    Their values; NULL only if count is 0.
/// @param count     How many keys.
/// @param statuses  As in masstree_put_many.
///
/// @retval MASSTREE_OK          Everything was stored.
/// @retval MASSTREE_INVALID     tree is NULL, keys or values is NULL with a count, or
///                              stride is below 8; nothing was done.
/// @retval MASSTREE_NOMEM       Out of memory for some item, which is as before; the
///                              others were tried.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED      The tree was made before a fork; nothing was done.
///
/// A value that is stored where it is already is not displaced: it stays the tree's.
///
/// Thread safety: any thread. Each store is atomic, the batch is not. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_put_many_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const c_void,
    stride: usize,
    values: *const u64,
    count: usize,
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
    unsafe { put_many(batch, values) }
}

/// masstree_put_many for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      As in masstree_put_many.
/// @param values    Their values, which are copied; NULL only if count is 0.
/// @param count     How many keys.
/// @param statuses  Where what masstree_put_bytes would answer is stored for each key.
///                  NULL: not wanted.
///
/// @retval MASSTREE_OK            Everything was stored.
/// @retval MASSTREE_INVALID       As in masstree_put_many; for values as for keys.
/// @retval MASSTREE_NOMEM         Out of memory for some item, which is as before; the
///                                others were tried.
/// @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were tried.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds words; nothing was done.
/// @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
///
/// Thread safety: any thread. Each store is atomic, the batch is not. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_put_many_bytes(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    values: *const Slice,
    count: usize,
    statuses: *mut i32,
) -> i32 {
    if values.is_null() && count != 0 {
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
        each(batch, |tree, pin, key, index| {
            let Slice { data, len } = values.add(index).read();
            tree.put_bytes(pin, key, value_bytes(data, len)?)?;
            Ok(MASSTREE_OK)
        })
    }
}

/// Stores several values, each only if its key is absent, in the order of the arrays:
/// of equal keys the first wins.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      count keys, as masstree_insert takes them; NULL only if count is 0.
/// @param values    Their values; NULL only if count is 0. Those are the tree's whose
///                  status is MASSTREE_OK.
/// @param count     How many keys.
/// @param present   Where the values already there are stored, each at its key's place,
///                  where the status is MASSTREE_EXISTS. NULL: not wanted.
/// @param statuses  Where what masstree_insert would answer is stored for each key. NULL:
///                  not wanted.
///
/// @retval MASSTREE_OK            Every item was tried; its status says whether the key
///                                was absent.
/// @retval MASSTREE_INVALID       As in masstree_put_many.
/// @retval MASSTREE_NOMEM         Out of memory for some item, which is as before; the
///                                others were tried.
/// @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were tried.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
///
/// Thread safety: any thread. Each insert is atomic, the batch is not. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_insert_many(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    values: *const u64,
    count: usize,
    present: *mut u64,
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
    unsafe { insert_many(batch, values, present) }
}

/// masstree_insert_many for integer keys (see masstree_get_u64).
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      As in masstree_get_many_u64.
/// @param stride    As in masstree_get_many_u64.
/// @param values    As in masstree_insert_many.
/// @param count     How many keys.
/// @param present   As in masstree_insert_many.
/// @param statuses  As in masstree_insert_many.
///
/// @retval MASSTREE_OK          Every item was tried; its status says whether the key was
///                              absent.
/// @retval MASSTREE_INVALID     As in masstree_put_many_u64.
/// @retval MASSTREE_NOMEM       Out of memory for some item, which is as before; the
///                              others were tried.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED      The tree was made before a fork; nothing was done.
///
/// Thread safety: any thread. Each insert is atomic, the batch is not. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_insert_many_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const c_void,
    stride: usize,
    values: *const u64,
    count: usize,
    present: *mut u64,
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
    unsafe { insert_many(batch, values, present) }
}

/// Removes several keys, in the order of the array.
///
/// @param tree      The tree; of byte strings too, if old is NULL.
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      count keys, as masstree_remove takes them; NULL only if count is 0.
/// @param count     How many keys.
/// @param old       Where the values that keys had are stored, each at its key's place,
///                  where the status is MASSTREE_OK; they are the caller's then. NULL: not
///                  wanted, and the value destructor is run for them.
/// @param statuses  Where what masstree_remove would answer is stored for each key. NULL:
///                  not wanted.
///
/// @retval MASSTREE_OK            Every key was tried; its status says whether it was
///                                there.
/// @retval MASSTREE_INVALID       As in masstree_get_many.
/// @retval MASSTREE_KEY_TOO_LONG  A key is over 2^32 - 1 bytes; the others were tried.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and old is not NULL;
///                                nothing was done.
/// @retval MASSTREE_FORKED        The tree was made before a fork; nothing was done.
///
/// Thread safety: any thread. Each remove is atomic, the batch is not. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_remove_many(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const Slice,
    count: usize,
    old: *mut u64,
    statuses: *mut i32,
) -> i32 {
    let batch = Batch::new(
        tree,
        guard,
        if old.is_null() {
            ValueKind::Any
        } else {
            ValueKind::Words
        },
        Keys::Slices(keys),
        count,
        statuses,
    );
    // SAFETY: as this function's contract.
    unsafe { remove_many(batch, old) }
}

/// masstree_remove_many for integer keys (see masstree_get_u64).
///
/// @param tree      The tree; of byte strings too, if old is NULL.
/// @param guard     A guard of this tree, or NULL to be pinned for this call.
/// @param keys      As in masstree_get_many_u64.
/// @param stride    As in masstree_get_many_u64.
/// @param count     How many keys.
/// @param old       As in masstree_remove_many.
/// @param statuses  As in masstree_remove_many.
///
/// @retval MASSTREE_OK          Every key was tried; its status says whether it was there.
/// @retval MASSTREE_INVALID     As in masstree_get_many_u64.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings, and old is not NULL; nothing
///                              was done.
/// @retval MASSTREE_FORKED      The tree was made before a fork; nothing was done.
///
/// Thread safety: any thread. Each remove is atomic, the batch is not. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_remove_many_u64(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    keys: *const c_void,
    stride: usize,
    count: usize,
    old: *mut u64,
    statuses: *mut i32,
) -> i32 {
    let batch = Batch::new(
        tree,
        guard,
        if old.is_null() {
            ValueKind::Any
        } else {
            ValueKind::Words
        },
        Keys::Integers(keys.cast(), stride),
        count,
        statuses,
    );
    // SAFETY: as this function's contract.
    unsafe { remove_many(batch, old) }
}
