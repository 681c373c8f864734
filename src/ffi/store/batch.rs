//! # Batches
//!
//! A batch collects operations, and commits them at once: readers and the log see all of it or nothing.
//! The operations take effect in the order in which they were added, each on what those before it
//! have made. If a condition does not hold when the batch is committed, nothing is changed.
//!
//! ```c
//! masstree_batch_remove(batch, tree, "a", 1);
//! masstree_batch_put(batch, tree, "b", 1, "2", 1);
//! int32_t status = masstree_store_commit(store, batch, &commit, NULL);
//! ```

use std::ffi::c_void;
use std::ptr::NonNull;

use super::handle::{BatchHandle, StoreHandle, batch_of, store_of, store_tree_of};
use crate::durable::store::{Action, Batch, Committed, Operation, Renamed};
use crate::ffi::boundary::{key_bytes, status_of, value_bytes, write_output};
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;

/// Flag of a rename: a value of the target is displaced.
pub const MASSTREE_RENAME_FORCE: u32 = 1;

/// Adds an operation to a batch.
///
/// # Safety
/// The contract of the entry points.
pub(super) unsafe fn push<'a>(
    batch: *mut BatchHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
    action: impl FnOnce() -> Result<Action<'a>, i32>,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract; the store outlives the batch, and its trees live as
        // long as the store.
        unsafe {
            let (store, batch) = batch_of(batch)?;
            let operation = Operation {
                tree: store_tree_of(store, tree)?,
                key: key_bytes(key, key_len)?,
                action: action()?,
            };
            batch.push(&operation)?;
        }
        Ok(MASSTREE_OK)
    })
}

/// Creates an empty batch.
///
/// @param store  The store.
/// @param batch  Receives the batch, which the caller frees with masstree_batch_destroy.
///
/// @retval MASSTREE_OK       *batch is a new, empty batch.
/// @retval MASSTREE_INVALID  store or batch is NULL.
/// @retval MASSTREE_NOMEM    Out of memory.
/// @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_batch_create(
    store: *mut StoreHandle,
    batch: *mut *mut BatchHandle,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let source = store_of(store)?.source();
            if batch.is_null() {
                return Err(MASSTREE_INVALID);
            }
            let handle = BatchHandle {
                store,
                batch: Batch::new(source),
            };
            batch.write(source.make(handle)?.as_ptr());
        }
        Ok(MASSTREE_OK)
    })
}

/// Frees a batch. NULL does nothing, and neither does a batch that the parent process created before a
/// fork.
///
/// @param batch  The batch.
///
/// Thread safety: no other thread may use the batch. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_batch_destroy(batch: *mut BatchHandle) {
    // SAFETY: NULL or a live batch, which no other thread uses.
    unsafe {
        if let (Ok((store, _)), Some(handle)) = (batch_of(batch), NonNull::new(batch)) {
            store.source().drop_and_free(handle);
        }
    }
}

/// Removes all operations of a batch, and keeps its memory.
///
/// @param batch  The batch; NULL does nothing.
///
/// Thread safety: no other thread may use the batch. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_batch_clear(batch: *mut BatchHandle) {
    // SAFETY: NULL or a live batch, which no other thread uses.
    if let Some(handle) = unsafe { batch.as_mut() } {
        handle.batch.clear();
    }
}

/// Returns the number of operations of a batch.
///
/// @param batch  The batch.
///
/// @return The number; 0 for NULL.
///
/// Thread safety: no other thread may change the batch. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_batch_len(batch: *const BatchHandle) -> usize {
    // SAFETY: NULL or a live batch.
    unsafe { batch.as_ref() }.map_or(0, |handle| handle.batch.len())
}

/// Adds to a batch: store a value under a key.
///
/// @param batch      The batch.
/// @param tree       A tree of the batch's store.
/// @param key        key_len bytes, which are copied; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, which are copied; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
///
/// @retval MASSTREE_OK            The batch has the operation.
/// @retval MASSTREE_INVALID       batch or tree is NULL; key or value is NULL and its length is not 0.
/// @retval MASSTREE_NOMEM         Out of memory; the batch is as it was.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The tree is not of the batch's store.
/// @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
///
/// Thread safety: no other thread may use the batch. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_batch_put(
    batch: *mut BatchHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        push(batch, tree, key, key_len, || {
            let value = value_bytes(value, value_len)?;
            Ok(Action::Put { value })
        })
    }
}

/// Adds to a batch: remove a key, whether or not it has a value.
///
/// @param batch      The batch.
/// @param tree       A tree of the batch's store.
/// @param key        key_len bytes, which are copied; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
///
/// @retval MASSTREE_OK            The batch has the operation.
/// @retval MASSTREE_INVALID       batch or tree is NULL; key is NULL and key_len is not 0.
/// @retval MASSTREE_NOMEM         Out of memory; the batch is as it was.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The tree is not of the batch's store.
/// @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
///
/// Thread safety: no other thread may use the batch. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_batch_remove(
    batch: *mut BatchHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe { push(batch, tree, key, key_len, || Ok(Action::Remove)) }
}

/// Adds to a batch: move the value of a key to another key of the same tree. The batch is refused if
/// the key has no value, or if the target has one and flags lacks MASSTREE_RENAME_FORCE. If both
/// keys are the same, the operation only demands that it has a value.
///
/// @param batch      The batch.
/// @param tree       A tree of the batch's store.
/// @param src        The key: src_len bytes, which are copied; NULL only if src_len is 0.
/// @param src_len    Its length in bytes, at most 2^32 - 1.
/// @param dst        The target: dst_len bytes, which are copied; NULL only if dst_len is 0.
/// @param dst_len    Its length in bytes, at most 2^32 - 1.
/// @param flags      0 or MASSTREE_RENAME_FORCE.
///
/// @retval MASSTREE_OK            The batch has the operation.
/// @retval MASSTREE_INVALID       batch or tree is NULL; src or dst is NULL and its length is not 0; flags has
///                                an unknown flag.
/// @retval MASSTREE_NOMEM         Out of memory; the batch is as it was.
/// @retval MASSTREE_KEY_TOO_LONG  src_len or dst_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The tree is not of the batch's store.
/// @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
///
/// Thread safety: no other thread may use the batch. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_batch_rename(
    batch: *mut BatchHandle,
    tree: *mut TreeHandle,
    src: *const c_void,
    src_len: usize,
    dst: *const c_void,
    dst_len: usize,
    flags: u32,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        push(batch, tree, src, src_len, || {
            Ok(Action::Rename {
                to: key_bytes(dst, dst_len)?,
                replaces: replaces(flags)?,
            })
        })
    }
}

/// Whether a rename with these flags displaces a value of its target.
pub(super) fn replaces(flags: u32) -> Result<bool, i32> {
    match flags & !MASSTREE_RENAME_FORCE {
        0 => Ok(flags & MASSTREE_RENAME_FORCE != 0),
        _ => Err(MASSTREE_INVALID),
    }
}

/// Commits a batch: makes all of its changes at once, if all of its conditions hold, and otherwise none.
/// The batch keeps its operations.
///
/// @param store   The store.
/// @param batch   A batch of this store.
/// @param commit  Receives the commit's number. May be NULL.
/// @param failed  Receives, with MASSTREE_MISMATCH, the index of an operation whose condition does not hold;
///                the first operation has 0. May be NULL.
///
/// @retval MASSTREE_OK          The batch is committed.
/// @retval MASSTREE_MISMATCH    A condition does not hold, or a key to rename has no value, or the
///                              target of a rename has one; nothing was changed.
/// @retval MASSTREE_INVALID     store or batch is NULL, or the batch is of another store.
/// @retval MASSTREE_WRONG_TREE  A tree that the batch names was dropped; nothing was changed.
/// @retval MASSTREE_NOMEM       Out of memory; nothing was changed.
/// @retval MASSTREE_FORKED      The parent process opened the store, before a fork.
/// @retval MASSTREE_READ_ONLY   The store was opened read-only.
/// @retval MASSTREE_TOO_LARGE   The changes do not fit into the log's buffer (log_buffer_bytes);
///                              nothing was changed.
/// @retval MASSTREE_FULL        The disk is full; nothing was changed.
/// @retval MASSTREE_FAILED      The log has failed earlier; nothing was changed.
/// @retval MASSTREE_UNKNOWN     The batch is committed in memory, but the log failed before it reached
///                              the level that the options demand. *commit is written.
///
/// Thread safety: any thread, but no other one uses the batch. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_commit(
    store: *mut StoreHandle,
    batch: *mut BatchHandle,
    commit: *mut u64,
    failed: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let store = store_of(store)?;
            let (of, batch) = batch_of(batch)?;
            if !std::ptr::eq(store, of) {
                return Err(MASSTREE_INVALID);
            }
            match store.commit(batch)? {
                Committed::Failed(unmet) => {
                    write_output(failed, unmet.operation);
                    Ok(MASSTREE_MISMATCH)
                }
                Committed::Done(number) => {
                    write_output(commit, number);
                    store.reach_level(number)?;
                    Ok(MASSTREE_OK)
                }
            }
        }
    })
}

/// Moves the value of a key to another key of the same tree: readers see it under one of them at any
/// time, and so does the next opening after a crash.
///
/// @param store    The store.
/// @param tree     A tree of the store.
/// @param src      The key: src_len bytes; NULL only if src_len is 0.
/// @param src_len  Its length in bytes, at most 2^32 - 1.
/// @param dst      The target: dst_len bytes; NULL only if dst_len is 0.
/// @param dst_len  Its length in bytes, at most 2^32 - 1.
/// @param flags    0, or MASSTREE_RENAME_FORCE: a value of the target is displaced.
/// @param commit   Receives the commit's number. May be NULL.
///
/// @retval MASSTREE_OK            The value is moved; or both keys are the same, and it has a value.
/// @retval MASSTREE_NOT_FOUND     The key has no value; nothing was changed.
/// @retval MASSTREE_EXISTS        The target has a value, and flags is 0; nothing was changed.
/// @retval MASSTREE_INVALID       store or tree is NULL; src or dst is NULL and its length is not 0;
///                                flags has an unknown flag.
/// @retval MASSTREE_NOMEM         As masstree_store_put.
/// @retval MASSTREE_KEY_TOO_LONG  src_len or dst_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    As masstree_store_put.
/// @retval MASSTREE_FORKED        As masstree_store_put.
/// @retval MASSTREE_READ_ONLY     As masstree_store_put.
/// @retval MASSTREE_TOO_LARGE     As masstree_store_put.
/// @retval MASSTREE_FULL          As masstree_store_put.
/// @retval MASSTREE_FAILED        As masstree_store_put.
/// @retval MASSTREE_UNKNOWN       As masstree_store_put.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_rename(
    store: *mut StoreHandle,
    tree: *mut TreeHandle,
    src: *const c_void,
    src_len: usize,
    dst: *const c_void,
    dst_len: usize,
    flags: u32,
    commit: *mut u64,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let store = store_of(store)?;
            let tree = store_tree_of(store, tree)?;
            let key = key_bytes(src, src_len)?;
            let to = key_bytes(dst, dst_len)?;
            match store.rename(tree, key, to, replaces(flags)?)? {
                Renamed::NoSource => Ok(MASSTREE_NOT_FOUND),
                Renamed::TargetExists => Ok(MASSTREE_EXISTS),
                Renamed::Done(number) => {
                    write_output(commit, number);
                    store.reach_level(number)?;
                    Ok(MASSTREE_OK)
                }
            }
        }
    })
}
