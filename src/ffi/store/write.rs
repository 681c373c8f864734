//! # Writing one key
//!
//! Each call is a commit of its own. It is visible to every thread when it returns. If the options ask
//! for more than MASSTREE_MEMORY, the call also waits for that level.
//!
//! The number of a commit is the number of the versions that it stores. Later commits have greater numbers;
//! between the numbers of two commits there are gaps.

use std::ffi::c_void;

use super::handle::{StoreHandle, store_of, store_tree_of};
use crate::durable::store::{Condition, Store, StoreTree, Written};
use crate::ffi::boundary::{key_bytes, status_of, value_bytes, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle, slot};
use crate::ffi::status::*;
use crate::ffi::versioned::read::Version;
use crate::index::reclaim::{Pinned, pin_of};

/// Runs `body` with a store, one of its trees, a pin of this call, and a key; returns the status of
/// what was written, with `unmet` if the condition did not hold.
///
/// # Safety
/// The contract of the entry points: handles are NULL or live, `key` is readable, `commit` writable.
pub(super) unsafe fn write(
    store: *const StoreHandle,
    tree: *const TreeHandle,
    key: *const c_void,
    key_len: usize,
    commit: *mut u64,
    unmet: impl FnOnce(bool) -> i32,
    body: impl for<'g> FnOnce(&Store, &'g StoreTree, Pinned<'g>, &[u8]) -> Result<Written<'g>, i32>,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let store = store_of(store)?;
            let tree = store_tree_of(store, tree)?;
            let key = key_bytes(key, key_len)?;
            let local = tree.index().local_guard();
            match body(store, tree, local.pin(), key)? {
                Written::Unmet(present) => Ok(unmet(present.is_some())),
                Written::Done { number, .. } => {
                    write_output(commit, number);
                    store.reach_level(number)?;
                    Ok(MASSTREE_OK)
                }
            }
        }
    })
}

/// Stores a value under a key, whether or not it has one.
///
/// @param store      The store.
/// @param tree       A tree of the store.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, which are copied; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
/// @param commit     Receives the commit's number. May be NULL.
///
/// @retval MASSTREE_OK            The value is stored.
/// @retval MASSTREE_INVALID       store or tree is NULL; key or value is NULL and its length is not 0.
/// @retval MASSTREE_NOMEM         Out of memory; nothing was changed.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The tree is not of this store, or was dropped.
/// @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
/// @retval MASSTREE_READ_ONLY     The store was opened read-only.
/// @retval MASSTREE_TOO_LARGE     Key and value do not fit into the log's buffer (log_buffer_bytes);
///                                nothing was changed.
/// @retval MASSTREE_FULL          The disk is full; nothing was changed. Writes work again when there is room.
/// @retval MASSTREE_FAILED        The log has failed earlier (masstree_store_failure); nothing was changed.
/// @retval MASSTREE_UNKNOWN       The value is stored in memory, but the log failed before it reached
///                                the level that the options demand. *commit is written.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_put(
    store: *mut StoreHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    commit: *mut u64,
) -> i32 {
    let unmet = |_| unreachable!("there is no condition");
    // SAFETY: as this function's contract.
    unsafe {
        write(
            store,
            tree,
            key,
            key_len,
            commit,
            unmet,
            |store, tree, pin, key| {
                let value = value_bytes(value, value_len)?;
                Ok(store.put(tree, pin, key, value, Condition::None)?)
            },
        )
    }
}

/// Stores a value under a key that has none.
///
/// @param store      The store.
/// @param tree       A tree of the store.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, which are copied; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
/// @param commit     Receives the commit's number. May be NULL.
///
/// @retval MASSTREE_OK            The value is stored.
/// @retval MASSTREE_EXISTS        The key has a value; nothing was changed.
/// @retval MASSTREE_INVALID       As masstree_store_put.
/// @retval MASSTREE_NOMEM         As masstree_store_put.
/// @retval MASSTREE_KEY_TOO_LONG  As masstree_store_put.
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
pub unsafe extern "C" fn masstree_store_insert(
    store: *mut StoreHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    commit: *mut u64,
) -> i32 {
    let unmet = |_| MASSTREE_EXISTS;
    // SAFETY: as this function's contract.
    unsafe {
        write(
            store,
            tree,
            key,
            key_len,
            commit,
            unmet,
            |store, tree, pin, key| {
                let value = value_bytes(value, value_len)?;
                Ok(store.put(tree, pin, key, value, Condition::Absent)?)
            },
        )
    }
}

/// Removes a key.
///
/// @param store    The store.
/// @param tree     A tree of the store.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param commit   Receives the commit's number. May be NULL.
///
/// @retval MASSTREE_OK            The key is removed.
/// @retval MASSTREE_NOT_FOUND     The key has no value; nothing was changed.
/// @retval MASSTREE_INVALID       store or tree is NULL; key is NULL and key_len is not 0.
/// @retval MASSTREE_NOMEM         As masstree_store_put.
/// @retval MASSTREE_KEY_TOO_LONG  As masstree_store_put.
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
pub unsafe extern "C" fn masstree_store_remove(
    store: *mut StoreHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
    commit: *mut u64,
) -> i32 {
    let unmet = |_| MASSTREE_NOT_FOUND;
    // SAFETY: as this function's contract.
    unsafe {
        write(
            store,
            tree,
            key,
            key_len,
            commit,
            unmet,
            |store, tree, pin, key| Ok(store.remove(tree, pin, key, Condition::None)?),
        )
    }
}

/// Stores a value under a key, and returns the one that it displaced.
///
/// @param store      The store.
/// @param tree       A tree of the store.
/// @param guard      A guard of the tree: what *old points to stays readable until it is refreshed or left.
/// @param key        key_len bytes; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, which are copied; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
/// @param old        Receives the displaced value and its number. Written only with MASSTREE_OK, or with
///                   MASSTREE_UNKNOWN if there was a value.
/// @param commit     Receives the commit's number. May be NULL.
///
/// @retval MASSTREE_OK            The value is stored, and *old was displaced.
/// @retval MASSTREE_NOT_FOUND     The value is stored; the key had none.
/// @retval MASSTREE_INVALID       store, tree, guard or old is NULL; key or value is NULL and its length is
///                                not 0.
/// @retval MASSTREE_NOMEM         As masstree_store_put.
/// @retval MASSTREE_KEY_TOO_LONG  As masstree_store_put.
/// @retval MASSTREE_WRONG_TREE    The tree is not of this store, or was dropped; or the guard is not of the tree.
/// @retval MASSTREE_FORKED        As masstree_store_put.
/// @retval MASSTREE_READ_ONLY     As masstree_store_put.
/// @retval MASSTREE_TOO_LARGE     As masstree_store_put.
/// @retval MASSTREE_FULL          As masstree_store_put.
/// @retval MASSTREE_FAILED        As masstree_store_put.
/// @retval MASSTREE_UNKNOWN       As masstree_store_put.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_exchange(
    store: *mut StoreHandle,
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
    old: *mut Version,
    commit: *mut u64,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let store = store_of(store)?;
            let tree = store_tree_of(store, tree)?;
            let pin = pin_of(slot(guard).ok_or(MASSTREE_INVALID)?);
            if old.is_null() {
                return Err(MASSTREE_INVALID);
            }
            if !tree.index().owns(pin) {
                return Err(MASSTREE_WRONG_TREE);
            }
            let (key, value) = (key_bytes(key, key_len)?, value_bytes(value, value_len)?);
            match store.put(tree, pin, key, value, Condition::None)? {
                Written::Unmet(_) => unreachable!("there is no condition"),
                Written::Done { number, displaced } => {
                    write_output(commit, number);
                    if let Some(displaced) = displaced {
                        old.write(Version::of(displaced));
                    }
                    store.reach_level(number)?;
                    Ok(match displaced {
                        Some(_) => MASSTREE_OK,
                        None => MASSTREE_NOT_FOUND,
                    })
                }
            }
        }
    })
}
