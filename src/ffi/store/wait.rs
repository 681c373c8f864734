//! # Waiting for durability
//!
//! A commit is in memory when its call returns (MASSTREE_MEMORY). Then it is written to the kernel
//! (MASSTREE_WRITTEN): it survives if this process is killed. Then a sync has made it durable
//! (MASSTREE_DURABLE): it survives if the power fails. A thread writes and syncs the log for all commits that
//! arrived meanwhile; waiting for one commit waits for all with lower numbers.

use std::ffi::c_void;

use super::handle::{StoreHandle, store_of};
use crate::durable::log::{Callback, Level};
use crate::ffi::boundary::status_of;
use crate::ffi::status::*;

/// Level of a commit: it is in memory.
pub const MASSTREE_MEMORY: u32 = 0;
/// Level of a commit: it was written to the kernel, and survives a crash of the process.
pub const MASSTREE_WRITTEN: u32 = 1;
/// Level of a commit: it survives a crash of the kernel, and a loss of power.
pub const MASSTREE_DURABLE: u32 = 2;

/// Converts a level from C.
pub(super) fn level_of(level: u32) -> Result<Level, i32> {
    match level {
        MASSTREE_MEMORY => Ok(Level::Memory),
        MASSTREE_WRITTEN => Ok(Level::Written),
        MASSTREE_DURABLE => Ok(Level::Durable),
        _ => Err(MASSTREE_INVALID),
    }
}

/// Waits until a commit, and every one with a lower number, has reached a level.
///
/// @param store   The store.
/// @param commit  The commit's number. A number above that of the last commit waits for the last one.
/// @param level   MASSTREE_MEMORY, MASSTREE_WRITTEN or MASSTREE_DURABLE.
///
/// @retval MASSTREE_OK         The commit has reached the level; in a store without a directory at once.
/// @retval MASSTREE_INVALID    store is NULL, or level is unknown.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
/// @retval MASSTREE_UNKNOWN    The log failed before the commit reached the level: whether it is found
///                             after the next opening is decided then. masstree_store_failure says what failed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_wait(
    store: *mut StoreHandle,
    commit: u64,
    level: u32,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let store = unsafe { store_of(store) }?;
        store.wait(commit, level_of(level)?)?;
        Ok(MASSTREE_OK)
    })
}

/// Waits until everything that was committed before this call is durable.
///
/// @param store  The store.
///
/// @retval MASSTREE_OK         It is.
/// @retval MASSTREE_INVALID    store is NULL.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
/// @retval MASSTREE_UNKNOWN    As masstree_store_wait.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_sync(store: *mut StoreHandle) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe { store_of(store) }?.sync()?;
        Ok(MASSTREE_OK)
    })
}

/// Returns the number up to which everything is durable.
///
/// @param store  The store.
///
/// @return The number: each commit with this number or a lower one is durable; 0 for NULL. In a store
///         without a directory, the number of the last commit.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_durable(store: *const StoreHandle) -> u64 {
    // SAFETY: as this function's contract.
    unsafe { store_of(store) }.map_or(0, |store| store.durable())
}

/// Called once when a commit is durable, or when the log has failed before.
///
/// @param commit  The commit's number.
/// @param status  MASSTREE_OK, or MASSTREE_UNKNOWN: see masstree_store_wait.
/// @param ctx     The ctx that was passed with the callback.
///
/// It is called on the thread that syncs the log, with no lock held, or inside
/// masstree_store_on_durable. It must return soon, since no commit becomes durable meanwhile; it must not
/// wait for a commit, nor close the store; and must return: no longjmp, no C++ exception, no pthread_exit.
pub type DurableCallback = Option<unsafe extern "C" fn(commit: u64, status: i32, ctx: *mut c_void)>;

/// Calls a function once when a commit, and every one with a lower number, is durable.
///
/// @param store     The store.
/// @param commit    The commit's number.
/// @param callback  The function.
/// @param ctx       Passed to it.
///
/// @retval MASSTREE_OK       The function was called, or will be, at the latest by masstree_store_close.
/// @retval MASSTREE_INVALID  store or callback is NULL.
/// @retval MASSTREE_NOMEM    Out of memory; the function is not called.
/// @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_on_durable(
    store: *mut StoreHandle,
    commit: u64,
    callback: DurableCallback,
    ctx: *mut c_void,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let store = unsafe { store_of(store) }?;
        let callback = callback.ok_or(MASSTREE_INVALID)?;
        // SAFETY: the caller guarantees that the function and `ctx` fit together, on any thread.
        let callback = unsafe { Callback::new(callback, ctx, MASSTREE_UNKNOWN) };
        store.on_durable(commit, callback)?;
        Ok(MASSTREE_OK)
    })
}
