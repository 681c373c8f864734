//! Many writes in one call.

use std::ffi::c_void;

use super::batch::{Batch, Keys, Part, Report, each_part, item_ptr, write_each};
use super::bytes::Slice;
use super::point::remove_bytes;
use crate::ffi::boundary::{ValueKind, deliver_or_retire, value_bytes, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Decision, Inserted, Tree};
use crate::index::value::KindId;

/// # Safety
/// As `masstree_put_many`.
unsafe fn put_many(batch: Batch, values: *const u64) -> i32 {
    if values.is_null() && batch.count != 0 {
        return MASSTREE_INVALID;
    }
    // SAFETY: by contract, there are as many values as keys.
    let value = |index| unsafe { values.add(index).read() };
    let deliver = |tree: &Tree, pin: Pinned<'_>, displaced, value| {
        // SAFETY: NULL is allowed.
        unsafe { deliver_or_retire(tree, pin, displaced, Some(value), std::ptr::null_mut()) };
        MASSTREE_OK
    };
    let short = |tree: &Tree, pin: Pinned<'_>, part: &Part, report: &mut Report| {
        let decide = |index, _| Decision::Set(value(part.index(index)));
        let key_at = |index| part.short_key(index);
        tree.write_each(pin, part.count(), key_at, decide, |index, outcome| {
            let index = part.index(index);
            let status = match outcome {
                Ok(displaced) => deliver(tree, pin, displaced, value(index)),
                Err(error) => error.into(),
            };
            report.status(index, status);
        });
    };
    // SAFETY: by contract.
    unsafe {
        write_each(batch, short, |tree, pin, key, index| {
            let displaced = tree.put(pin, key, value(index))?;
            Ok(deliver(tree, pin, displaced, value(index)))
        })
    }
}

/// # Safety
/// As `masstree_insert_many`.
unsafe fn insert_many(batch: Batch, values: *const u64, present: *mut u64) -> i32 {
    if values.is_null() && batch.count != 0 {
        return MASSTREE_INVALID;
    }
    // SAFETY: by contract, there are as many values as keys.
    let value = |index| unsafe { values.add(index).read() };
    let exists = |index, word| {
        // SAFETY: by contract, there is room for as many words as keys, or `present` is NULL.
        unsafe { write_output(item_ptr(present, index), word) };
        MASSTREE_EXISTS
    };
    let short = |tree: &Tree, pin: Pinned<'_>, part: &Part, report: &mut Report| {
        let decide = |index, present: Option<u64>| match present {
            None => Decision::Set(value(part.index(index))),
            Some(_) => Decision::Keep,
        };
        let key_at = |index| part.short_key(index);
        tree.write_each(pin, part.count(), key_at, decide, |index, outcome| {
            let index = part.index(index);
            let status = match outcome {
                Ok(None) => MASSTREE_OK,
                Ok(Some(word)) => exists(index, word),
                Err(error) => error.into(),
            };
            report.status(index, status);
        });
    };
    // SAFETY: by contract.
    unsafe {
        write_each(batch, short, |tree, pin, key, index| {
            Ok(match tree.insert(pin, key, value(index))? {
                Inserted::New => MASSTREE_OK,
                Inserted::Present(word) => exists(index, word),
            })
        })
    }
}

/// # Safety
/// As `masstree_remove_many`.
unsafe fn remove_many(batch: Batch, old: *mut u64) -> i32 {
    let deliver = |tree: &Tree, pin: Pinned<'_>, removed, index| {
        // SAFETY: by contract, there is room for as many words as keys, or `old` is NULL.
        unsafe { deliver_or_retire(tree, pin, removed, None, item_ptr(old, index)) }
    };
    let item = |tree: &Tree, pin: Pinned<'_>, key: &[u8], index| {
        if !tree.holds(KindId::WORDS) {
            return remove_bytes(tree, pin, key);
        }
        Ok(deliver(tree, pin, tree.remove(pin, key), index))
    };
    let short = |tree: &Tree, pin: Pinned<'_>, part: &Part, report: &mut Report| {
        if !tree.holds(KindId::WORDS) {
            return part.each(tree, pin, report, |key, index| item(tree, pin, key, index));
        }
        let key_at = |index| part.short_key(index);
        tree.remove_each(pin, part.count(), key_at, |index, removed| {
            let index = part.index(index);
            report.status(index, deliver(tree, pin, removed, index));
        });
    };
    // SAFETY: by contract.
    unsafe { write_each(batch, short, item) }
}

/// Stores several values, in the order of the arrays: of equal keys, the last one wins.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      count keys, as masstree_put takes them; NULL only if count is 0.
/// @param values    count values; NULL only if count is 0. The tree owns those whose status is
///                  MASSTREE_OK, the caller still owns the others.
/// @param count     Number of keys.
/// @param statuses  Receives, for each key, the status that masstree_put would return. May be
///                  NULL.
///
/// @retval MASSTREE_OK            Everything was stored. The value destructor is called for displaced
///                                values, as by masstree_put.
/// @retval MASSTREE_INVALID       tree is NULL, or keys or values is NULL and count is not 0:
///                                nothing was done, and no status is stored. Or a key is NULL
///                                and its length is not 0; the other keys were tried.
/// @retval MASSTREE_NOMEM         Out of memory for an item, which is unchanged; the other
///                                items were tried.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were tried.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
///                                was done.
///
/// Storing the value that the key already has displaces nothing: the tree keeps it.
///
/// Returns the first of several errors, in the order of the keys.
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

/// Like masstree_put_many, for integer keys (see masstree_get_u64).
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      As in masstree_get_many_u64.
/// @param stride    As in masstree_get_many_u64.
/// @param values    count values; NULL only if count is 0. The tree owns those whose status is
///                  MASSTREE_OK, the caller still owns the others.
/// @param count     Number of keys.
/// @param statuses  As in masstree_put_many.
///
/// @retval MASSTREE_OK          Everything was stored.
/// @retval MASSTREE_INVALID     tree is NULL, keys or values is NULL and count is not 0, or
///                              stride is below 8; nothing was done.
/// @retval MASSTREE_NOMEM       Out of memory for an item, which is unchanged; the other items
///                              were tried.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork; nothing was
///                              done.
///
/// Storing the value that the key already has displaces nothing: the tree keeps it.
///
/// Returns the first of several errors, in the order of the keys.
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

/// Like masstree_put_many, for a tree of byte strings.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      As in masstree_put_many.
/// @param values    count values, which the tree copies; NULL only if count is 0.
/// @param count     Number of keys.
/// @param statuses  Receives, for each key, the status that masstree_put_bytes would return.
///                  May be NULL.
///
/// @retval MASSTREE_OK            Everything was stored.
/// @retval MASSTREE_INVALID       As in masstree_put_many; or a value is NULL and its length is not
///                                0, or its length exceeds SIZE_MAX / 2; the other keys were tried.
/// @retval MASSTREE_NOMEM         Out of memory for an item, which is unchanged; the other
///                                items were tried.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were tried.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds words; nothing was done.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
///                                was done.
///
/// Returns the first of several errors, in the order of the keys.
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
        each_part(batch, |tree, pin, part, report| {
            part.each(tree, pin, report, |key, index| {
                let Slice { data, len } = values.add(index).read();
                tree.put_bytes(pin, key, value_bytes(data, len)?)?;
                Ok(MASSTREE_OK)
            });
        })
    }
}

/// Stores several values, each only if its key is absent, in the order of the arrays: of equal
/// keys, the first one wins.
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      count keys, as masstree_insert takes them; NULL only if count is 0.
/// @param values    count values; NULL only if count is 0. The tree owns those whose status is
///                  MASSTREE_OK.
/// @param count     Number of keys.
/// @param present   Receives the existing values, each at the index of its key, where the
///                  status is MASSTREE_EXISTS. May be NULL.
/// @param statuses  Receives, for each key, the status that masstree_insert would return. May
///                  be NULL.
///
/// @retval MASSTREE_OK            Every item was tried; the status of each says whether its key
///                                was absent.
/// @retval MASSTREE_INVALID       As in masstree_put_many.
/// @retval MASSTREE_NOMEM         Out of memory for an item, which is unchanged; the other
///                                items were tried.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were tried.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
///                                was done.
///
/// Returns the first of several errors, in the order of the keys.
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

/// Like masstree_insert_many, for integer keys (see masstree_get_u64).
///
/// @param tree      The tree.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      As in masstree_get_many_u64.
/// @param stride    As in masstree_get_many_u64.
/// @param values    As in masstree_insert_many.
/// @param count     Number of keys.
/// @param present   As in masstree_insert_many.
/// @param statuses  As in masstree_insert_many.
///
/// @retval MASSTREE_OK          Every item was tried; the status of each says whether its key
///                              was absent.
/// @retval MASSTREE_INVALID     As in masstree_put_many_u64.
/// @retval MASSTREE_NOMEM       Out of memory for an item, which is unchanged; the other items
///                              were tried.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings; nothing was done.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork; nothing was
///                              done.
///
/// Returns the first of several errors, in the order of the keys.
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
/// @param tree      The tree. May hold byte strings only if old is NULL.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      count keys, as masstree_remove takes them; NULL only if count is 0.
/// @param count     Number of keys.
/// @param old       Receives the removed values, each at the index of its key, where the status
///                  is MASSTREE_OK. The caller then owns them. If NULL, the value destructor is
///                  called for them.
/// @param statuses  Receives, for each key, the status that masstree_remove would return. May
///                  be NULL.
///
/// @retval MASSTREE_OK            Every key was tried; the status of each says whether it
///                                existed.
/// @retval MASSTREE_INVALID       As in masstree_get_many.
/// @retval MASSTREE_KEY_TOO_LONG  A key exceeds 2^32 - 1 bytes; the other keys were tried.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND    The tree holds byte strings, and old is not NULL;
///                                nothing was done.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork; nothing
///                                was done.
///
/// Returns the first of several errors, in the order of the keys.
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

/// Like masstree_remove_many, for integer keys (see masstree_get_u64).
///
/// @param tree      The tree. May hold byte strings only if old is NULL.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param keys      As in masstree_get_many_u64.
/// @param stride    As in masstree_get_many_u64.
/// @param count     Number of keys.
/// @param old       As in masstree_remove_many.
/// @param statuses  As in masstree_remove_many.
///
/// @retval MASSTREE_OK          Every key was tried; the status of each says whether it
///                              existed.
/// @retval MASSTREE_INVALID     As in masstree_get_many_u64.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree; nothing was done.
/// @retval MASSTREE_WRONG_KIND  The tree holds byte strings, and old is not NULL; nothing
///                              was done.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork; nothing was
///                              done.
///
/// Returns the first of several errors, in the order of the keys.
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
