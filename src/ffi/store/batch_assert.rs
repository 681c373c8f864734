//! Conditions of batches: a batch with one that does not hold is refused as a whole
//! (masstree_store_commit). A condition is judged on what the operations before it in the batch
//! have made.

use std::ffi::c_void;

use super::batch::push;
use super::handle::BatchHandle;
use crate::durable::store::Action;
use crate::ffi::boundary::value_bytes;
use crate::ffi::handle::TreeHandle;

/// Adds to a batch: demand that a key has no value.
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
pub unsafe extern "C" fn masstree_batch_assert_absent(
    batch: *mut BatchHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe { push(batch, tree, key, key_len, || Ok(Action::AssertAbsent)) }
}

/// Adds to a batch: demand that a key has a value.
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
pub unsafe extern "C" fn masstree_batch_assert_present(
    batch: *mut BatchHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe { push(batch, tree, key, key_len, || Ok(Action::AssertPresent)) }
}

/// Adds to a batch: demand that a key has a value that a certain commit stored. What the batch
/// itself has stored has no number yet: for it, the condition does not hold.
///
/// @param batch      The batch.
/// @param tree       A tree of the batch's store.
/// @param key        key_len bytes, which are copied; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param seqno      The commit's number: seqno of the version that was read.
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
pub unsafe extern "C" fn masstree_batch_assert_version(
    batch: *mut BatchHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
    seqno: u64,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        push(batch, tree, key, key_len, || {
            Ok(Action::AssertVersion { number: seqno })
        })
    }
}

/// Adds to a batch: demand that a key has a value, byte by byte this one.
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
pub unsafe extern "C" fn masstree_batch_assert_value(
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
            Ok(Action::AssertValue { value })
        })
    }
}

/// Adds to a batch: demand that no key that begins with certain bytes has a value. Holds only if it is
/// so at the moment of the commit: an insert by another thread comes before the batch, and makes it fail, or
/// after it. A batch with this condition waits for commits that are under way in other threads.
///
/// @param batch      The batch.
/// @param tree       A tree of the batch's store.
/// @param key        The prefix: key_len bytes, which are copied; NULL only if key_len is 0.
/// @param key_len    Length of the prefix in bytes, at most 2^32 - 1.
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
pub unsafe extern "C" fn masstree_batch_assert_prefix_empty(
    batch: *mut BatchHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe { push(batch, tree, key, key_len, || Ok(Action::AssertPrefixEmpty)) }
}
