//! Reads and writes of a transaction.

use std::ffi::c_void;

use super::batch::replaces;
use super::handle::{TxnHandle, store_tree_of, txn_of};
use crate::durable::store::{Moved, Seen, StoreTree, Transaction, Walk};
use crate::ffi::boundary::{found_status, key_bytes, status_of, value_bytes, write_output};
use crate::ffi::handle::TreeHandle;
use crate::ffi::index::scan::{ScanRange, control_flow, decode_with_ending};
use crate::ffi::status::*;
use crate::ffi::versioned::read::{Version, VersionVisitor};
use crate::ffi::versioned::write::MASSTREE_VERSION_VALUE;

/// What C gets of a value that a transaction has read.
pub(super) fn version_of(seen: Seen<'_>) -> Version {
    Version {
        seqno: seen.number,
        kind: MASSTREE_VERSION_VALUE,
        algorithm: 0,
        value: seen.bytes.as_ptr().cast(),
        value_len: seen.bytes.len(),
        digest: 0,
        reserved: 0,
    }
}

/// Converts the arguments of an operation, and runs it.
///
/// # Safety
/// The contract of the entry points.
unsafe fn operate(
    txn: *mut TxnHandle,
    tree: *const TreeHandle,
    key: *const c_void,
    key_len: usize,
    run: impl FnOnce(&mut Transaction<'static>, &'static StoreTree, &[u8]) -> Result<i32, i32>,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract; the store outlives the transaction, and its trees live as
        // long as the store.
        unsafe {
            let (store, transaction) = txn_of(txn)?;
            let tree = store_tree_of(store, tree)?;
            run(transaction, tree, key_bytes(key, key_len)?)
        }
    })
}

/// Looks up a key: what the transaction has written, or else what its snapshot has.
///
/// @param txn      The transaction.
/// @param tree     A tree of its store.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param version  Receives the value, whose bytes are readable until the transaction ends, and the number
///                 of its commit; 0 if the transaction has written it. May be NULL.
///
/// @retval MASSTREE_OK            The key has a value.
/// @retval MASSTREE_NOT_FOUND     The key has none.
/// @retval MASSTREE_INVALID       txn or tree is NULL; key is NULL and key_len is not 0; or the transaction
///                                has ended.
/// @retval MASSTREE_NOMEM         Out of memory; the transaction is as it was.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The tree is not of the transaction's store, or was dropped before the
///                                transaction began.
/// @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
/// @retval MASSTREE_TOO_LARGE     The transaction would take more memory than max_bytes; it is as it
///                                was.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_get(
    txn: *mut TxnHandle,
    tree: *const TreeHandle,
    key: *const c_void,
    key_len: usize,
    version: *mut Version,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        operate(txn, tree, key, key_len, |transaction, tree, key| {
            let seen = transaction.get(tree, key)?;
            if let Some(seen) = seen {
                write_output(version, version_of(seen));
            }
            Ok(found_status(seen.is_some()))
        })
    }
}

/// Visits the keys of a range that have a value, in order, each with its value: those of the snapshot, with
/// what the transaction has written. The range counts as read up to the last key that was visited, or to
/// its end: a key that another commit adds there refuses the transaction.
///
/// @param txn      The transaction.
/// @param tree     A tree of its store.
/// @param range    As in masstree_scan; MASSTREE_SCAN_KEYS_ONLY and MASSTREE_SCAN_VALUES_ONLY have no
///                 effect.
/// @param visit    Called for each key. The value's bytes are readable until the transaction ends. No lock
///                 and no guard is held: the visitor may use the transaction, and what it writes behind the key is
///                 visited. It must neither end the transaction nor destroy it.
/// @param ctx      Passed to visit.
/// @param visited  As in masstree_scan.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit, or until the
///                                visitor stopped.
/// @retval MASSTREE_INVALID       txn, tree or visit is NULL; the transaction has ended; otherwise as in
///                                masstree_scan.
/// @retval MASSTREE_NOMEM         Out of memory.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The tree is not of the transaction's store, or was dropped before the
///                                transaction began.
/// @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
/// @retval MASSTREE_TOO_LARGE     The transaction would take more memory than max_bytes.
/// @return The negative number that the visitor returned.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_scan(
    txn: *mut TxnHandle,
    tree: *const TreeHandle,
    range: *const ScanRange,
    visit: VersionVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract. No reference to the transaction is kept over a call of the
        // visitor, which may use it.
        unsafe {
            let (store, _) = txn_of(txn)?;
            let tree = store_tree_of(store, tree)?;
            let visit = visit.ok_or(MASSTREE_INVALID)?;
            let (range, _, ending) = decode_with_ending(range)?;
            let mut walk = Walk::new(tree, range, store.source());
            let mut count = 0;
            // Ends: each turn visits a key, and the range's keys of the snapshot are finite.
            let walked = loop {
                match txn_of(txn)?.1.advance(&mut walk) {
                    Ok(true) => count += 1,
                    Ok(false) => break Ok(ending.status()),
                    Err(fault) => break Err(fault.into()),
                }
                let (key, seen) = walk.item().expect("it was found");
                let version = version_of(seen);
                let result = visit(key.as_ptr().cast(), key.len(), &raw const version, ctx);
                if control_flow(result, &ending).is_break() {
                    txn_of(txn)?.1.end_scan(&mut walk);
                    break Ok(ending.status());
                }
            };
            write_output(visited, count);
            walked
        }
    })
}

/// Stores a value under a key, when the transaction is committed.
///
/// @param txn        The transaction.
/// @param tree       A tree of its store.
/// @param key        key_len bytes, which are copied; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, which are copied; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
///
/// @retval MASSTREE_OK            The transaction's reads find the value from now on.
/// @retval MASSTREE_INVALID       txn or tree is NULL; key or value is NULL and its length is not 0; or
///                                the transaction has ended.
/// @retval MASSTREE_NOMEM         As masstree_txn_get.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    As masstree_txn_get.
/// @retval MASSTREE_FORKED        As masstree_txn_get.
/// @retval MASSTREE_READ_ONLY     The transaction, or the store, is read-only.
/// @retval MASSTREE_TOO_LARGE     As masstree_txn_get.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_put(
    txn: *mut TxnHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        operate(txn, tree, key, key_len, |transaction, tree, key| {
            transaction.put(tree, key, value_bytes(value, value_len)?)?;
            Ok(MASSTREE_OK)
        })
    }
}

/// Stores a value under a key that has none, when the transaction is committed.
///
/// @param txn        The transaction.
/// @param tree       A tree of its store.
/// @param key        key_len bytes, which are copied; NULL only if key_len is 0.
/// @param key_len    Length of the key in bytes, at most 2^32 - 1.
/// @param value      value_len bytes, which are copied; NULL only if value_len is 0.
/// @param value_len  Length of the value in bytes.
///
/// @retval MASSTREE_OK            The transaction's reads find the value from now on.
/// @retval MASSTREE_EXISTS        The key has a value, for the transaction; nothing was changed.
/// @retval MASSTREE_INVALID       As masstree_txn_put.
/// @retval MASSTREE_NOMEM         As masstree_txn_get.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    As masstree_txn_get.
/// @retval MASSTREE_FORKED        As masstree_txn_get.
/// @retval MASSTREE_READ_ONLY     As masstree_txn_put.
/// @retval MASSTREE_TOO_LARGE     As masstree_txn_get.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_insert(
    txn: *mut TxnHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
    value: *const c_void,
    value_len: usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        operate(txn, tree, key, key_len, |transaction, tree, key| {
            let value = value_bytes(value, value_len)?;
            Ok(match transaction.insert(tree, key, value)? {
                true => MASSTREE_OK,
                false => MASSTREE_EXISTS,
            })
        })
    }
}

/// Removes a key, when the transaction is committed.
///
/// @param txn      The transaction.
/// @param tree     A tree of its store.
/// @param key      key_len bytes; NULL only if key_len is 0.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
///
/// @retval MASSTREE_OK            The transaction's reads do not find the key from now on.
/// @retval MASSTREE_NOT_FOUND     The key has no value, for the transaction.
/// @retval MASSTREE_INVALID       As masstree_txn_get.
/// @retval MASSTREE_NOMEM         As masstree_txn_get.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    As masstree_txn_get.
/// @retval MASSTREE_FORKED        As masstree_txn_get.
/// @retval MASSTREE_READ_ONLY     As masstree_txn_put.
/// @retval MASSTREE_TOO_LARGE     As masstree_txn_get.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_remove(
    txn: *mut TxnHandle,
    tree: *mut TreeHandle,
    key: *const c_void,
    key_len: usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        operate(txn, tree, key, key_len, |transaction, tree, key| {
            Ok(found_status(transaction.remove(tree, key)?))
        })
    }
}

/// Moves the value of a key to another key of the same tree, when the transaction is committed.
///
/// @param txn      The transaction.
/// @param tree     A tree of its store.
/// @param src      The key: src_len bytes; NULL only if src_len is 0.
/// @param src_len  Its length in bytes, at most 2^32 - 1.
/// @param dst      The target: dst_len bytes; NULL only if dst_len is 0.
/// @param dst_len  Its length in bytes, at most 2^32 - 1.
/// @param flags    0, or MASSTREE_RENAME_FORCE: a value of the target is displaced.
///
/// @retval MASSTREE_OK            The value is moved; or both keys are the same, and it has a value.
/// @retval MASSTREE_NOT_FOUND     The key has no value; nothing was changed.
/// @retval MASSTREE_EXISTS        The target has a value, and flags is 0; nothing was changed.
/// @retval MASSTREE_INVALID       As masstree_txn_get, for both keys; or flags has an unknown flag.
/// @retval MASSTREE_NOMEM         As masstree_txn_get.
/// @retval MASSTREE_KEY_TOO_LONG  src_len or dst_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    As masstree_txn_get.
/// @retval MASSTREE_FORKED        As masstree_txn_get.
/// @retval MASSTREE_READ_ONLY     As masstree_txn_put.
/// @retval MASSTREE_TOO_LARGE     As masstree_txn_get.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_rename(
    txn: *mut TxnHandle,
    tree: *mut TreeHandle,
    src: *const c_void,
    src_len: usize,
    dst: *const c_void,
    dst_len: usize,
    flags: u32,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        operate(txn, tree, src, src_len, |transaction, tree, key| {
            let to = key_bytes(dst, dst_len)?;
            Ok(match transaction.rename(tree, key, to, replaces(flags)?)? {
                Moved::Done => MASSTREE_OK,
                Moved::NoSource => MASSTREE_NOT_FOUND,
                Moved::TargetExists => MASSTREE_EXISTS,
            })
        })
    }
}
