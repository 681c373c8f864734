//! # Transactions
//!
//! A transaction reads a snapshot of all trees of a store, and what it has written itself; its writes become
//! visible, and are logged, at once when it is committed. It is serializable: if another commit
//! has changed what it has read, it is refused (MASSTREE_CONFLICT), and the program runs it again, as
//! masstree_store_transact does.
//!
//! ```c
//! masstree_txn_begin(store, NULL, &txn);
//! masstree_txn_get(txn, tree, "a", 1, &version);
//! masstree_txn_put(txn, tree, "b", 1, version.value, version.value_len);
//! int32_t status = masstree_txn_commit(txn, &commit);
//! masstree_txn_destroy(txn);
//! ```
//!
//! What a transaction has read, absent keys and the gaps of ranges too, must be unchanged at its commit;
//! a transaction that writes nothing is never refused. While one runs, it holds no lock, and keeps what
//! its snapshot sees in memory, as any snapshot does. Bytes that its functions return stay readable
//! and unchanged until it ends: until it is committed, aborted, begun again or destroyed. A commit that
//! fails with an error does not end it.

use std::ffi::c_void;
use std::ptr::NonNull;

use super::handle::{StoreHandle, TxnHandle, store_of, txn_of};
use super::wait::level_of;
use crate::durable::store::{
    Conflict, DEFAULT_MOST_BYTES, Ending, Isolation, Transaction, TransactionOptions,
};
use crate::ffi::boundary::{sized_struct, status_of, write_output};
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;

/// Isolation of a transaction: serializable. Everything that it has read must be unchanged at its commit.
pub const MASSTREE_TXN_SERIALIZABLE: u32 = 0;
/// Isolation of a transaction: snapshot isolation. Only the keys that it writes must be unchanged.
pub const MASSTREE_TXN_SNAPSHOT: u32 = 1;
/// Isolation of a transaction: it writes nothing, and is never refused.
pub const MASSTREE_TXN_READ_ONLY: u32 = 2;

/// Options of a transaction. Start from MASSTREE_TXN_OPTIONS_INIT; struct_size works as in
/// masstree_options_t.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct TxnOptions {
    /// sizeof(masstree_txn_options_t); MASSTREE_TXN_OPTIONS_INIT sets it.
    pub struct_size: usize,
    /// MASSTREE_TXN_SERIALIZABLE (0), MASSTREE_TXN_SNAPSHOT or MASSTREE_TXN_READ_ONLY.
    pub isolation: u32,
    /// What the commit waits for, if that is more than the store's level: MASSTREE_MEMORY (0),
    /// MASSTREE_WRITTEN or MASSTREE_DURABLE.
    pub level: u32,
    /// Bytes of memory that the transaction may take for what it has read and written; 0: 64 MiB.
    pub max_bytes: usize,
    /// How often masstree_store_transact runs the transaction at most; 0: until it is not refused.
    pub max_attempts: u32,
    /// Must be 0.
    pub reserved: u32,
}

/// Converts options from C; returns also the number of attempts.
///
/// # Safety
/// `options` is NULL or readable.
pub(super) unsafe fn decode(options: *const TxnOptions) -> Result<(TransactionOptions, u32), i32> {
    if options.is_null() {
        return Ok((TransactionOptions::default(), 0));
    }
    // SAFETY: not NULL, and readable by contract; all zero is a valid one.
    let options = unsafe { sized_struct(options) }?;
    if options.reserved != 0 {
        return Err(MASSTREE_INVALID);
    }
    let decoded = TransactionOptions {
        isolation: match options.isolation {
            MASSTREE_TXN_SERIALIZABLE => Isolation::Serializable,
            MASSTREE_TXN_SNAPSHOT => Isolation::Snapshot,
            MASSTREE_TXN_READ_ONLY => Isolation::ReadOnly,
            _ => return Err(MASSTREE_INVALID),
        },
        most_bytes: match options.max_bytes {
            0 => DEFAULT_MOST_BYTES,
            bytes => bytes,
        },
        level: level_of(options.level)?,
    };
    Ok((decoded, options.max_attempts))
}

/// Makes the handle of a new transaction.
///
/// # Safety
/// `store` is an open store, which outlives the transaction.
pub(super) unsafe fn make(
    store: *const StoreHandle,
    options: TransactionOptions,
) -> Result<NonNull<TxnHandle>, i32> {
    // SAFETY: by contract.
    let of = unsafe { store_of(store) }?;
    let handle = TxnHandle {
        store,
        transaction: Transaction::begin(of, options)?,
    };
    Ok(of.source().make(handle)?)
}

/// Commits a transaction.
///
/// # Safety
/// `commit` is NULL or writable.
pub(super) unsafe fn commit(
    transaction: &mut Transaction<'_>,
    commit: *mut u64,
) -> Result<i32, i32> {
    match transaction.commit()? {
        Ending::Conflict => Ok(MASSTREE_CONFLICT),
        Ending::Done(number) => {
            // SAFETY: by contract.
            unsafe { write_output(commit, number) };
            transaction.reach_level(number)?;
            Ok(MASSTREE_OK)
        }
    }
}

/// Begins a transaction: it reads the store as it is now.
///
/// @param store    The store.
/// @param options  NULL for the defaults, or a struct that was initialised with
///                 MASSTREE_TXN_OPTIONS_INIT.
/// @param txn      Receives the transaction, which the caller frees with masstree_txn_destroy.
///
/// @retval MASSTREE_OK       *txn is a transaction.
/// @retval MASSTREE_INVALID  store or txn is NULL; the isolation or the level is unknown; a reserved field
///                           is not 0; struct_size is too small, or a byte of the struct that this
///                           library does not know is not zero.
/// @retval MASSTREE_NOMEM    Out of memory.
/// @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_begin(
    store: *mut StoreHandle,
    options: *const TxnOptions,
    txn: *mut *mut TxnHandle,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            store_of(store)?;
            if txn.is_null() {
                return Err(MASSTREE_INVALID);
            }
            let (options, _) = decode(options)?;
            txn.write(make(store, options)?.as_ptr());
        }
        Ok(MASSTREE_OK)
    })
}

/// Begins a transaction again, at a new snapshot, without any reads or writes. What it has written since
/// the last commit is discarded.
///
/// @param txn  The transaction.
///
/// @retval MASSTREE_OK       It reads the store as it is now.
/// @retval MASSTREE_INVALID  txn is NULL.
/// @retval MASSTREE_NOMEM    Out of memory: the transaction has ended.
/// @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_reset(txn: *mut TxnHandle) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe { txn_of(txn) }?.1.restart()?;
        Ok(MASSTREE_OK)
    })
}

/// Commits a transaction: makes all of its writes at once, if what it depends on is unchanged. It has ended
/// afterwards, unless an error is returned other than MASSTREE_UNKNOWN: then it may be committed again.
///
/// @param txn     The transaction.
/// @param commit  Receives the commit's number; if the transaction has written nothing, the number at which
///                it has read. May be NULL.
///
/// @retval MASSTREE_OK         The transaction is committed.
/// @retval MASSTREE_CONFLICT   Another commit has changed what it depends on: nothing was changed.
///                             masstree_txn_conflict returns the key.
/// @retval MASSTREE_INVALID    txn is NULL, or the transaction has ended.
/// @retval MASSTREE_NOMEM      Out of memory; nothing was changed.
/// @retval MASSTREE_WRONG_TREE  A tree that the transaction has used was dropped; nothing was changed.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
/// @retval MASSTREE_TOO_LARGE  The writes do not fit into the log's buffer (log_buffer_bytes); nothing
///                             was changed.
/// @retval MASSTREE_FULL       The disk is full; nothing was changed.
/// @retval MASSTREE_FAILED     The log has failed earlier; nothing was changed.
/// @retval MASSTREE_UNKNOWN    The transaction is committed in memory, but the log failed before it reached
///                             the level that the options demand. *commit is written.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_commit(txn: *mut TxnHandle, commit: *mut u64) -> i32 {
    // SAFETY: as this function's contract.
    status_of(|| unsafe { self::commit(txn_of(txn)?.1, commit) })
}

/// Ends a transaction without changing anything.
///
/// @param txn  The transaction; one that has ended, or NULL, does nothing.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_abort(txn: *mut TxnHandle) {
    // SAFETY: NULL or a live transaction, which no other thread uses.
    if let Ok((_, transaction)) = unsafe { txn_of(txn) } {
        transaction.abort();
    }
}

/// Frees a transaction; one that is not committed changes nothing. NULL does nothing, and neither does a
/// transaction that the parent process began before a fork.
///
/// @param txn  The transaction.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_destroy(txn: *mut TxnHandle) {
    // SAFETY: NULL or a live transaction, which no other thread uses.
    unsafe {
        if let (Ok((store, _)), Some(handle)) = (txn_of(txn), NonNull::new(txn)) {
            store.source().drop_and_free(handle);
        }
    }
}

/// Returns the number of the snapshot that a transaction reads.
///
/// @param txn  The transaction.
///
/// @return The number; 0 if txn is NULL or the transaction has ended.
///
/// Thread safety: no other thread may change the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_seqno(txn: *const TxnHandle) -> u64 {
    // SAFETY: NULL or a live transaction.
    let handle = unsafe { txn.as_ref() };
    handle.map_or(0, |handle| handle.transaction.number().unwrap_or(0))
}

/// Returns a key because of which the last commit of a transaction was refused.
///
/// @param txn      The transaction.
/// @param tree     Receives the tree. May be NULL.
/// @param key      Receives a pointer to the key: readable until the transaction is begun again or
///                 destroyed. May be NULL.
/// @param key_len  Receives the length of the key in bytes. May be NULL.
///
/// @retval MASSTREE_OK         A commit was refused because of this key.
/// @retval MASSTREE_NOT_FOUND  No commit was refused since the transaction was begun, or begun again.
/// @retval MASSTREE_INVALID    txn is NULL.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
///
/// Thread safety: no other thread may use the transaction. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_txn_conflict(
    txn: *mut TxnHandle,
    tree: *mut *mut TreeHandle,
    key: *mut *const c_void,
    key_len: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let (_, transaction) = txn_of(txn)?;
            let conflict: &Conflict<'_> = transaction.conflict().ok_or(MASSTREE_NOT_FOUND)?;
            let index = std::ptr::from_ref(conflict.tree.index());
            write_output(tree, index.cast_mut().cast());
            write_output(key, conflict.key.as_ptr().cast());
            write_output(key_len, conflict.key.len());
        }
        Ok(MASSTREE_OK)
    })
}
