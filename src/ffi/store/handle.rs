//! The handles of stores and batches, and the conversions that their functions share.

use crate::durable::store::{Batch, Store, StoreFault, StoreTree, Transaction, TransactionCursor};
use crate::ffi::boundary::tree_of;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;

/// A directory that is open, or a store in memory only; and its trees.
///
/// Opened by masstree_store_open, closed by masstree_store_close. Any number of threads may use a
/// store and its trees at the same time; only masstree_store_close requires that no other thread
/// uses them.
pub struct StoreHandle {
    pub(super) store: Store,
}

/// Operations that are committed at once.
///
/// Created by masstree_batch_create, freed by masstree_batch_destroy, before its store is closed.
/// One thread at a time may use a batch. It may be committed any number of times.
pub struct BatchHandle {
    pub(super) store: *const StoreHandle,
    pub(super) batch: Batch,
}

/// Reads of a snapshot, and writes that are committed at once.
///
/// Made by masstree_txn_begin, freed by masstree_txn_destroy, before its store is closed. One thread at a
/// time may use a transaction. It may be begun again any number of times.
pub struct TxnHandle {
    pub(super) store: *const StoreHandle,
    /// Its store outlives it.
    pub(super) transaction: Transaction<'static>,
}

/// A position in what a transaction reads of a tree, from which to move key by key in either direction.
///
/// Made by masstree_txn_cursor_open, freed by masstree_txn_cursor_close, before its transaction is destroyed.
/// One thread at a time may use a transaction and its cursors.
///
/// A move finds a key of the snapshot or one that the transaction has written by then: the nearest to the
/// given one, or to the key that the cursor is at, whether or not that key still exists. What a
/// cursor has passed counts as read, as the range of a scan does: up to the key that the cursor is at, and to the
/// end of the tree if MASSTREE_END was returned. A seek, and a change of direction, begin a range of its own,
/// which takes memory of the transaction.
///
/// When the transaction is begun again, the cursor is at no key, and reads the new snapshot. A call that fails, or
/// returns MASSTREE_END, does not move the cursor.
pub struct TxnCursorHandle {
    pub(super) txn: *mut TxnHandle,
    /// The store of the transaction.
    pub(super) store: *const StoreHandle,
    pub(super) cursor: TransactionCursor<'static>,
}

impl From<StoreFault> for i32 {
    fn from(fault: StoreFault) -> i32 {
        match fault {
            StoreFault::OutOfMemory => MASSTREE_NOMEM,
            StoreFault::Full => MASSTREE_FULL,
            StoreFault::Failed => MASSTREE_FAILED,
            StoreFault::Unknown => MASSTREE_UNKNOWN,
            StoreFault::TooLarge => MASSTREE_TOO_LARGE,
            StoreFault::ReadOnly => MASSTREE_READ_ONLY,
            StoreFault::Dropped => MASSTREE_WRONG_TREE,
            StoreFault::NoDirectory | StoreFault::BadName | StoreFault::Ended => MASSTREE_INVALID,
        }
    }
}

/// Converts a store from C; refuses one that the parent process opened before a fork.
///
/// # Safety
/// `store` is NULL or an open store.
pub(super) unsafe fn store_of<'s>(store: *const StoreHandle) -> Result<&'s Store, i32> {
    // SAFETY: NULL or live by contract.
    let store = &unsafe { store.as_ref() }.ok_or(MASSTREE_INVALID)?.store;
    if store.is_forked() {
        return Err(MASSTREE_FORKED);
    }
    Ok(store)
}

/// Converts a tree of a store from C.
///
/// # Safety
/// `tree` is NULL or a live tree.
pub(super) unsafe fn store_tree_of(
    store: &Store,
    tree: *const TreeHandle,
) -> Result<&StoreTree, i32> {
    // SAFETY: by contract.
    let index = unsafe { tree_of(tree) }?;
    store.tree_of(index).ok_or(MASSTREE_WRONG_TREE)
}

/// Converts a batch from C, and its store.
///
/// # Safety
/// `batch` is NULL or a live batch that no other thread uses, and whose store is open.
pub(super) unsafe fn batch_of<'b>(
    batch: *mut BatchHandle,
) -> Result<(&'b Store, &'b mut Batch), i32> {
    // SAFETY: NULL or live by contract.
    let handle = unsafe { batch.as_mut() }.ok_or(MASSTREE_INVALID)?;
    // SAFETY: the batch's store is open.
    let store = unsafe { store_of(handle.store) }?;
    Ok((store, &mut handle.batch))
}

/// Converts a transaction from C, and its store.
///
/// # Safety
/// `txn` is NULL or a live transaction that no other thread uses, and whose store is open.
pub(super) unsafe fn txn_of<'x>(
    txn: *mut TxnHandle,
) -> Result<(&'static Store, &'x mut Transaction<'static>), i32> {
    // SAFETY: NULL or live by contract.
    let handle = unsafe { txn.as_mut() }.ok_or(MASSTREE_INVALID)?;
    // SAFETY: the transaction's store is open, and outlives it.
    let store = unsafe { store_of(handle.store) }?;
    Ok((store, &mut handle.transaction))
}
