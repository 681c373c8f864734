//! # Exports
//!
//! A copy of a store in another directory, made while the store is in use: for backups, and to begin replicas.

use std::ffi::{CStr, c_char, c_void};

use super::failure::{self, StoreFailure};
use super::handle::{StoreHandle, store_of};
use super::open::status;
use super::progress::{ProgressCallback, Watcher};
use crate::durable::io::Path;
use crate::durable::store::ExportFault;
use crate::ffi::boundary::status_of;
use crate::ffi::status::*;
use crate::ffi::versioned::keep::{OfTreeOrStore, SnapshotHandle};

/// Writes the content of a store to a directory, which is a store afterwards: masstree_store_open opens it. Other threads
/// read and write meanwhile. The content is that of one commit: what a snapshot sees, or what the store has when
/// the call begins. Commits keep their numbers; the new store gives out greater ones.
///
/// The directory is made if it is absent. After a crash, as after an error, it has no store, or all of it: what
/// is left of an export that did not end is removed by the next one. When MASSTREE_OK is returned, the new store is durable.
///
/// @param store      The store, which may be in memory only, or read-only.
/// @param snapshot   A snapshot of masstree_store_snapshot, or of one of its trees; NULL: the export opens one.
/// @param directory  Path of the directory, whose parent exists. It is reached by the file operations of the store.
/// @param progress   Called with the bytes that were written, on this thread; may be NULL.
/// @param ctx        Passed to progress.
/// @param failure    Receives what failed, with MASSTREE_FAILED and MASSTREE_FULL; may be NULL. Initialise it with
///                   MASSTREE_STORE_FAILURE_INIT.
///
/// @retval MASSTREE_OK          The directory is a store.
/// @retval MASSTREE_EXISTS      The directory has a store; nothing in it was changed.
/// @retval MASSTREE_INVALID     store or directory is NULL, or the struct_size of *failure is too small.
/// @retval MASSTREE_NOMEM       Out of memory.
/// @retval MASSTREE_FORKED      The parent process opened the store, before a fork.
/// @retval MASSTREE_WRONG_TREE  The snapshot is of another store.
/// @retval MASSTREE_LOCKED      A store, or another export, has the directory open.
/// @retval MASSTREE_FULL        The disk is full.
/// @retval MASSTREE_FAILED      A file operation failed. The store itself goes on.
/// @return The number with which progress has stopped the export.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_export(
    store: *mut StoreHandle,
    snapshot: *const SnapshotHandle,
    directory: *const c_char,
    progress: ProgressCallback,
    ctx: *mut c_void,
    failure: *mut StoreFailure,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let store = unsafe { store_of(store) }?;
        if directory.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: a string by contract.
        let directory = unsafe { CStr::from_ptr(directory) };
        let directory = Path::new(directory.to_bytes()).map_err(|_| MASSTREE_NOMEM)?;
        // SAFETY: NULL or live by contract.
        let number = match unsafe { snapshot.as_ref() } {
            None => None,
            Some(handle) => {
                let is_own = match &handle.snapshot {
                    OfTreeOrStore::Tree(snapshot) => store.tree_of(snapshot.tree()).is_some(),
                    OfTreeOrStore::Store(snapshot) => store.is_own(snapshot),
                };
                if !is_own {
                    return Err(MASSTREE_WRONG_TREE);
                }
                Some(handle.number())
            }
        };
        // SAFETY: NULL, or as for `report` by contract.
        unsafe { failure::report(failure, None) }?;
        let mut watcher = Watcher::new(progress, ctx);
        // SAFETY: the watcher lives on this frame, and is used again after the export; the function may be called by
        // contract.
        let on_progress = unsafe { watcher.on_progress() };
        match store.export(number, &directory, on_progress) {
            Ok(_) => Ok(MASSTREE_OK),
            Err(ExportFault::Exists) => Err(MASSTREE_EXISTS),
            Err(ExportFault::Fault(fault)) => {
                // SAFETY: as above.
                unsafe { failure::report(failure, fault.failure()) }?;
                Err(status(&fault, watcher.status))
            }
        }
    })
}
