//! # Imports
//!
//! The counterpart of exports: the trees of a directory are copied to a store that is in use.

use std::ffi::{CStr, c_char, c_void};

use super::failure::{self, StoreFailure};
use super::handle::{StoreHandle, store_of};
use super::open::status;
use super::progress::{ProgressCallback, Watcher};
use crate::durable::io::Path;
use crate::durable::store::ImportFault;
use crate::ffi::boundary::{sized_output, status_of};
use crate::ffi::status::*;

/// Flag of masstree_store_import: trees that the store has are dropped first, if the directory has a tree with the name.
pub const MASSTREE_IMPORT_REPLACE: u32 = 1;

/// What masstree_store_import has copied. Start from MASSTREE_STORE_IMPORTED_INIT; struct_size works as in
/// masstree_stats_t.
#[repr(C)]
pub struct ImportedStore {
    /// sizeof(masstree_store_imported_t); MASSTREE_STORE_IMPORTED_INIT sets it.
    pub struct_size: usize,
    /// Trees.
    pub trees: u64,
    /// Keys.
    pub keys: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// The name of the tree that is not empty, with MASSTREE_EXISTS; otherwise empty.
    pub tree: [c_char; 256],
}

/// Copies all trees of a directory that is not open for writing, such as an export, to a store, beside readers and
/// writers. Each of the trees must be absent in the store, or empty, unless `flags` say that it is replaced. Their keys
/// get new commits; snapshots and numbers of the directory mean nothing in the store. Nothing in the directory is
/// changed. The content of the directory is in memory meanwhile, beside the store's.
///
/// Keys are written by many commits: readers see trees that grow. No other thread may write to these trees
/// meanwhile, or it may be overwritten. An import that fails, or is stopped, drops the trees that it has begun
/// to fill. A crash leaves them with some of their keys: import again, with MASSTREE_IMPORT_REPLACE. When MASSTREE_OK is
/// returned, everything is durable.
///
/// @param store      The store.
/// @param directory  Path of the directory. It is reached by the file operations of the store.
/// @param flags      MASSTREE_IMPORT_REPLACE, or 0.
/// @param progress   Called with how far it is, on this thread: while the directory is read, as by masstree_store_open,
///                   then with MASSTREE_PHASE_IMPORT. May be NULL.
/// @param ctx        Passed to progress.
/// @param failure    Receives what failed in the directory, with MASSTREE_FAILED and MASSTREE_CORRUPT; may be NULL. Initialise
///                   it with MASSTREE_STORE_FAILURE_INIT. What has made the store's log fail is in masstree_store_failure.
/// @param imported   Receives what was copied, with MASSTREE_OK, or what is in the way, with MASSTREE_EXISTS. May be NULL.
///
/// @retval MASSTREE_OK         Everything was copied.
/// @retval MASSTREE_EXISTS     A tree of the store is not empty, imported->tree says which; nothing was changed.
/// @retval MASSTREE_NOT_FOUND  The directory has no store.
/// @retval MASSTREE_INVALID    store or directory is NULL; flags are unknown; or a struct_size is too small.
/// @retval MASSTREE_NOMEM      Out of memory.
/// @retval MASSTREE_FORKED     The parent process opened the store, before a fork.
/// @retval MASSTREE_READ_ONLY  The store was opened read-only.
/// @retval MASSTREE_LOCKED     A store has the directory open to write.
/// @retval MASSTREE_CORRUPT    The directory is damaged; nothing was changed.
/// @retval MASSTREE_TOO_LARGE  A value does not fit into the log's buffer (log_buffer_bytes).
/// @retval MASSTREE_WRONG_TREE  Another thread has dropped one of the trees meanwhile.
/// @retval MASSTREE_FULL       The disk is full.
/// @retval MASSTREE_FAILED     A file operation failed, or the store's log had failed before.
/// @retval MASSTREE_UNKNOWN    The store's log failed at the end: the next opening finds some or all of what was copied.
/// @return The number with which progress has stopped the import.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_import(
    store: *mut StoreHandle,
    directory: *const c_char,
    flags: u32,
    progress: ProgressCallback,
    ctx: *mut c_void,
    failure: *mut StoreFailure,
    imported: *mut ImportedStore,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let store = unsafe { store_of(store) }?;
        if directory.is_null() || flags & !MASSTREE_IMPORT_REPLACE != 0 {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: a string by contract.
        let directory = unsafe { CStr::from_ptr(directory) };
        let directory = Path::new(directory.to_bytes()).map_err(|_| MASSTREE_NOMEM)?;
        // SAFETY: NULL, or as for `report` by contract.
        unsafe { failure::report(failure, None) }?;
        let output = match imported.is_null() {
            true => None,
            // SAFETY: not NULL; the rest by contract.
            false => Some(unsafe { sized_output(imported) }?),
        };
        let mut filled = ImportedStore {
            struct_size: output.as_ref().map_or(0, |output| output.size()),
            trees: 0,
            keys: 0,
            bytes: 0,
            tree: [0; 256],
        };
        let mut watcher = Watcher::new(progress, ctx);
        // SAFETY: the watcher lives on this frame, and is used again after the import; the function may be called by
        // contract.
        let on_progress = unsafe { watcher.on_progress() };
        let replaces = flags & MASSTREE_IMPORT_REPLACE != 0;
        let outcome = match store.import(directory, replaces, on_progress) {
            Ok(of) => {
                (filled.trees, filled.keys, filled.bytes) = (of.trees, of.keys, of.bytes);
                MASSTREE_OK
            }
            Err(ImportFault::Exists(name)) => {
                filled.tree = failure::text(name.to_bytes());
                MASSTREE_EXISTS
            }
            Err(ImportFault::Store(fault)) => return Err(fault.into()),
            Err(ImportFault::Open(fault)) => {
                // SAFETY: as above.
                unsafe { failure::report(failure, fault.failure()) }?;
                return Err(status(&fault, watcher.status));
            }
        };
        if let Some(output) = output {
            // SAFETY: writable by contract.
            unsafe { output.write(filled) };
        }
        Ok(outcome)
    })
}
