//! Cursors of a transaction.

use std::ffi::c_void;
use std::ptr::NonNull;

use super::handle::{TxnCursorHandle, TxnHandle, store_of, store_tree_of, txn_of};
use super::txn_access::version_of;
use crate::durable::store::{Transaction, TransactionCursor};
use crate::ffi::boundary::{key_bytes, status_of, write_output};
use crate::ffi::handle::TreeHandle;
use crate::ffi::index::bytes::Slice;
use crate::ffi::index::cursor_move::decode_seek;
use crate::ffi::status::*;
use crate::ffi::versioned::read::Version;

/// Runs an operation on a cursor and returns its status.
///
/// # Safety
/// `cursor` is NULL or a live cursor; no other thread uses it or its transaction, which is live, too.
unsafe fn on_cursor(
    cursor: *mut TxnCursorHandle,
    body: impl FnOnce(&mut TransactionCursor<'static>, &mut Transaction<'static>) -> Result<i32, i32>,
) -> i32 {
    status_of(|| {
        // SAFETY: by contract; the cursor and its transaction are allocations of their own.
        unsafe {
            let handle = cursor.as_mut().ok_or(MASSTREE_INVALID)?;
            let (_, transaction) = txn_of(handle.txn)?;
            body(&mut handle.cursor, transaction)
        }
    })
}

fn moved_status(found: bool) -> i32 {
    if found { MASSTREE_OK } else { MASSTREE_END }
}

/// Opens a cursor over what a transaction reads of a tree. It is at no key yet: masstree_txn_cursor_next
/// will move it to the first key, masstree_txn_cursor_prev to the last.
///
/// @param txn     The transaction.
/// @param tree    A tree of its store.
/// @param cursor  Receives the cursor, which the caller frees with masstree_txn_cursor_close.
///
/// @retval MASSTREE_OK          *cursor is a new cursor.
/// @retval MASSTREE_INVALID     txn, tree or cursor is NULL, or the transaction has ended.
/// @retval MASSTREE_NOMEM       Out of memory.
/// @retval MASSTREE_WRONG_TREE  The tree is not of the transaction's store, or was dropped before the
///                              transaction began.
/// @retval MASSTREE_FORKED      The parent process opened the store, before a fork.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_cursor_open(
    txn: *mut TxnHandle,
    tree: *const TreeHandle,
    cursor: *mut *mut TxnCursorHandle,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract; the store outlives the transaction, and its trees live as
        // long as the store.
        unsafe {
            let (store, transaction) = txn_of(txn)?;
            let tree = store_tree_of(store, tree)?;
            if cursor.is_null() {
                return Err(MASSTREE_INVALID);
            }
            let handle = TxnCursorHandle {
                txn,
                store: (*txn).store,
                cursor: transaction.cursor(tree)?,
            };
            cursor.write(store.source().make(handle)?.as_ptr());
        }
        Ok(MASSTREE_OK)
    })
}

/// Closes and frees a cursor of a transaction. NULL does nothing, and neither does a cursor that the parent
/// process opened before a fork.
///
/// @param cursor  The cursor.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_cursor_close(cursor: *mut TxnCursorHandle) {
    // SAFETY: NULL or a live cursor, which no other thread uses; its store is open.
    unsafe {
        if let Some(handle) = NonNull::new(cursor)
            && let Ok(store) = store_of(handle.as_ref().store)
        {
            store.source().drop_and_free(handle);
        }
    }
}

/// Moves a cursor of a transaction to the key nearest to a given one.
///
/// @param cursor   The cursor.
/// @param key      key_len bytes; NULL only if key_len is 0. May be the cursor's own key.
/// @param key_len  Length of the key in bytes, at most 2^32 - 1.
/// @param how      MASSTREE_SEEK_GE, MASSTREE_SEEK_GT, MASSTREE_SEEK_LE, MASSTREE_SEEK_LT,
///                 MASSTREE_SEEK_FIRST or MASSTREE_SEEK_LAST.
///
/// @retval MASSTREE_OK            The cursor is at that key.
/// @retval MASSTREE_END           No such key has a value.
/// @retval MASSTREE_INVALID       cursor is NULL, key is NULL and key_len is not 0, how is unknown, or the
///                                transaction has ended.
/// @retval MASSTREE_NOMEM         Out of memory.
/// @retval MASSTREE_KEY_TOO_LONG  key_len exceeds 2^32 - 1.
/// @retval MASSTREE_WRONG_TREE    The tree was dropped before the transaction was begun again.
/// @retval MASSTREE_FORKED        The parent process opened the store, before a fork.
/// @retval MASSTREE_TOO_LARGE     The transaction would take more memory than max_bytes.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_cursor_seek(
    cursor: *mut TxnCursorHandle,
    key: *const c_void,
    key_len: usize,
    how: u32,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |cursor, transaction| {
            let seek = decode_seek(key_bytes(key, key_len)?, how)?;
            Ok(moved_status(transaction.seek(cursor, seek)?))
        })
    }
}

/// Moves a cursor of a transaction to the next key, in ascending order; one at no key, to the first.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK          The cursor is at that key.
/// @retval MASSTREE_END         No further key has a value.
/// @retval MASSTREE_INVALID     cursor is NULL, or the transaction has ended.
/// @retval MASSTREE_NOMEM       Out of memory.
/// @retval MASSTREE_WRONG_TREE  As masstree_txn_cursor_seek.
/// @retval MASSTREE_FORKED      The parent process opened the store, before a fork.
/// @retval MASSTREE_TOO_LARGE   The transaction would take more memory than max_bytes.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_cursor_next(cursor: *mut TxnCursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |cursor, transaction| {
            Ok(moved_status(transaction.step(cursor, false)?))
        })
    }
}

/// Moves a cursor of a transaction to the key before, in ascending order; one at no key, to the last.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK          The cursor is at that key.
/// @retval MASSTREE_END         No key before has a value.
/// @retval MASSTREE_INVALID     cursor is NULL, or the transaction has ended.
/// @retval MASSTREE_NOMEM       Out of memory.
/// @retval MASSTREE_WRONG_TREE  As masstree_txn_cursor_seek.
/// @retval MASSTREE_FORKED      The parent process opened the store, before a fork.
/// @retval MASSTREE_TOO_LARGE   The transaction would take more memory than max_bytes.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_cursor_prev(cursor: *mut TxnCursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |cursor, transaction| {
            Ok(moved_status(transaction.step(cursor, true)?))
        })
    }
}

/// Returns the key that a cursor of a transaction is at.
///
/// @param cursor  The cursor.
/// @param key     Receives the key, a slice of the cursor's memory, valid until the next call that moves
///                or closes the cursor. May be NULL.
///
/// @retval MASSTREE_OK         *key is the key, which the transaction may have removed since.
/// @retval MASSTREE_NOT_FOUND  The cursor is at no key yet, or the transaction has ended.
/// @retval MASSTREE_INVALID    cursor is NULL.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_cursor_key(
    cursor: *mut TxnCursorHandle,
    key: *mut Slice,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |cursor, transaction| {
            let (bytes, _) = cursor.item(transaction).ok_or(MASSTREE_NOT_FOUND)?;
            write_output(key, Slice::of(bytes));
            Ok(MASSTREE_OK)
        })
    }
}

/// Returns the value of the key that a cursor of a transaction is at.
///
/// @param cursor   The cursor.
/// @param version  Receives the value as it was when the cursor moved to the key, and the number of its
///                 commit, as masstree_txn_get does; its bytes are readable until the transaction ends.
///                 May be NULL.
///
/// @retval MASSTREE_OK         *version is the value.
/// @retval MASSTREE_NOT_FOUND  The cursor is at no key yet, or the transaction has ended.
/// @retval MASSTREE_INVALID    cursor is NULL.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_cursor_version(
    cursor: *mut TxnCursorHandle,
    version: *mut Version,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |cursor, transaction| {
            let (_, seen) = cursor.item(transaction).ok_or(MASSTREE_NOT_FOUND)?;
            write_output(version, version_of(seen));
            Ok(MASSTREE_OK)
        })
    }
}
