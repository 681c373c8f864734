//! Runs a transaction again until it is committed.

use std::ffi::c_void;

use super::handle::{StoreHandle, TxnHandle, store_of, txn_of};
use super::txn::{TxnOptions, commit, decode, make, masstree_txn_destroy};
use crate::durable::store::{Backoff, Turn};
use crate::ffi::boundary::status_of;
use crate::ffi::status::*;

/// What masstree_store_transact runs.
///
/// @param txn  The transaction, which the function neither commits nor ends nor destroys. What it
///             returns is readable until the function returns.
/// @param ctx  The ctx that was passed with the function.
///
/// @return MASSTREE_OK to commit; any other number to abort, which masstree_store_transact then returns.
///
/// No lock is held. The function may be called several times, each time with a new snapshot: what it changes
/// outside of the transaction is not undone. It must return (no longjmp, no C++ exception, no
/// pthread_exit): otherwise the transaction is never freed.
pub type TxnBody = Option<unsafe extern "C" fn(txn: *mut TxnHandle, ctx: *mut c_void) -> i32>;

/// Runs a transaction: calls a function, and commits what it has done. If the commit is refused, pauses a
/// moment, up to a millisecond, and calls the function again, with a new snapshot.
///
/// @param store    The store.
/// @param options  As in masstree_txn_begin; max_attempts limits the number of calls.
/// @param body     Called at least once.
/// @param ctx      Passed to body.
/// @param commit   Receives the commit's number, as in masstree_txn_commit. May be NULL.
///
/// @retval MASSTREE_OK         The transaction is committed.
/// @retval MASSTREE_CONFLICT   As many commits as max_attempts were refused; nothing was changed.
/// @retval MASSTREE_INVALID    store or body is NULL; the options are as masstree_txn_begin refuses them; or
///                             body has ended the transaction.
/// @retval MASSTREE_NOMEM      Out of memory; nothing was changed.
/// @retval MASSTREE_WRONG_TREE  As masstree_txn_commit.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
/// @retval MASSTREE_TOO_LARGE  As masstree_txn_commit.
/// @retval MASSTREE_FULL       As masstree_txn_commit.
/// @retval MASSTREE_FAILED     As masstree_txn_commit.
/// @retval MASSTREE_UNKNOWN    As masstree_txn_commit.
/// @retval MASSTREE_READ_ONLY  body has returned it; a writing function does if the store was opened read-only.
/// @retval MASSTREE_KEY_TOO_LONG  body has returned it.
/// @retval MASSTREE_NOT_FOUND  body has returned it.
/// @return The number other than MASSTREE_OK that body returned; nothing was changed.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_transact(
    store: *mut StoreHandle,
    options: *const TxnOptions,
    body: TxnBody,
    ctx: *mut c_void,
    commit: *mut u64,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract; the transaction lives until it is destroyed below.
        unsafe {
            store_of(store)?;
            let body = body.ok_or(MASSTREE_INVALID)?;
            let (options, most) = decode(options)?;
            let txn = make(store, options)?.as_ptr();
            let run = || body(txn, ctx);
            let outcome = repeat(txn, Backoff::new(most), run, commit);
            masstree_txn_destroy(txn);
            outcome
        }
    })
}

/// # Safety
/// `txn` is a live transaction, which no other thread uses; `number` is NULL or writable.
unsafe fn repeat(
    txn: *mut TxnHandle,
    mut backoff: Backoff,
    run: impl Fn() -> i32,
    number: *mut u64,
) -> Result<i32, i32> {
    // Ends: each refusal means that another commit has succeeded, and attempts may be limited.
    loop {
        let status = run();
        if status != MASSTREE_OK {
            return Ok(status);
        }
        // SAFETY: by contract. No reference to the transaction is kept over `run`.
        unsafe {
            let (_, transaction) = txn_of(txn)?;
            let status = commit(transaction, number)?;
            if status != MASSTREE_CONFLICT || backoff.refused() == Turn::Over {
                return Ok(status);
            }
            transaction.repeat()?;
        }
    }
}
