//! # Checkpoints
//!
//! A checkpoint is files with the content of all trees as of one commit. It replaces the log up to that
//! commit: the log's older files are removed, and opening reads the checkpoint and the log behind it.

use super::handle::{StoreHandle, store_of};
use crate::ffi::boundary::status_of;
use crate::ffi::status::*;

/// Makes a checkpoint, beside reads and writes. If one is being made, waits until that is done, and makes
/// another. Does nothing if nothing was committed since the last one.
///
/// When it returns MASSTREE_OK, everything that was committed before the call is durable. In any other
/// case the files that it has written are removed, the checkpoint before and the log are as they were, and
/// writes go on.
///
/// @param store  The store.
///
/// @retval MASSTREE_OK         The checkpoint is made.
/// @retval MASSTREE_INVALID    store is NULL, or in memory only.
/// @retval MASSTREE_NOMEM      Out of memory.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
/// @retval MASSTREE_READ_ONLY  The store was opened read-only.
/// @retval MASSTREE_FULL       The disk is full. Try again when there is room.
/// @retval MASSTREE_FAILED     A file operation failed, or the log had failed before: masstree_store_failure
///                             says what.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_checkpoint(store: *mut StoreHandle) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe { store_of(store) }?.checkpoint()?;
        Ok(MASSTREE_OK)
    })
}
