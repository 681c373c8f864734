//! # Snapshots of stores
//!
//! One number for all trees, at which each stays readable as it is, and what is open.

use std::ffi::c_void;

use super::handle::{StoreHandle, store_of};
use crate::ffi::boundary::status_of;
use crate::ffi::index::scan::{Ending, control_flow};
use crate::ffi::status::*;
use crate::ffi::versioned::keep::{OfTreeOrStore, SnapshotHandle};

/// Opens a snapshot of a store: of all its trees, also those that are dropped later. It sees every commit
/// that has returned. Any thread reads any of the trees at its number (masstree_snapshot_seqno): with masstree_get_at,
/// masstree_scan_at, masstree_cursor_open_at and the like. masstree_store_export takes it, too. As long as it
/// is open, it keeps in memory what is overwritten or removed.
///
/// @param store     The store, which may be read-only.
/// @param snapshot  Receives the snapshot, which the caller frees with masstree_snapshot_close before the
///                  store is closed.
///
/// @retval MASSTREE_OK       *snapshot is a new snapshot.
/// @retval MASSTREE_INVALID  store or snapshot is NULL.
/// @retval MASSTREE_NOMEM    Out of memory.
/// @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_snapshot(
    store: *mut StoreHandle,
    snapshot: *mut *mut SnapshotHandle,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let store = unsafe { store_of(store) }?;
        if snapshot.is_null() {
            return Err(MASSTREE_INVALID);
        }
        let handle = SnapshotHandle {
            snapshot: OfTreeOrStore::Store(store.snapshot()?),
        };
        let handle = store.source().make(handle)?;
        // SAFETY: not NULL, writable by contract.
        unsafe { snapshot.write(handle.as_ptr()) };
        Ok(MASSTREE_OK)
    })
}

/// A snapshot that is open. Later versions of the library may append fields.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct OpenSnapshot {
    /// Its number.
    pub seqno: u64,
    /// How long it has been open, in milliseconds.
    pub age_ms: u64,
}

/// Called for each open snapshot of a store.
///
/// @param snapshot  The snapshot; valid during this call only.
/// @param ctx       The ctx that was passed with the visitor.
///
/// @return MASSTREE_VISIT_CONTINUE to go on; a positive number to stop; a negative one to stop, and to
///         return it (MASSTREE_OWN_STATUS or less, if it is not to be taken for a status of the library).
pub type OpenSnapshotVisitor =
    Option<unsafe extern "C" fn(snapshot: *const OpenSnapshot, ctx: *mut c_void) -> i32>;

/// Visits the open snapshots of a store, the oldest first: those of masstree_store_snapshot, of
/// masstree_snapshot_open, of transactions, and of scans and cursors of its trees at MASSTREE_SEQNO_LATEST. Each keeps
/// in memory what was overwritten or removed since.
///
/// @param store  The store.
/// @param visit  Called for each snapshot that was open when this function began, with no lock held.
/// @param ctx    Passed to visit.
///
/// @retval MASSTREE_OK       All were visited, or visit returned a positive number.
/// @retval MASSTREE_INVALID  store or visit is NULL.
/// @retval MASSTREE_NOMEM    Out of memory.
/// @retval MASSTREE_FORKED   The parent process opened the store, before a fork.
/// @return The negative number that the visitor returned.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_store_list_snapshots(
    store: *mut StoreHandle,
    visit: OpenSnapshotVisitor,
    ctx: *mut c_void,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let store = unsafe { store_of(store) }?;
        let visit = visit.ok_or(MASSTREE_INVALID)?;
        let ending = Ending::in_status();
        for open in store.open_snapshots()? {
            let snapshot = OpenSnapshot {
                seqno: open.number,
                age_ms: open.age,
            };
            // SAFETY: the visitor's contract.
            let result = unsafe { visit(&raw const snapshot, ctx) };
            if control_flow(result, &ending).is_break() {
                break;
            }
        }
        Ok(ending.status())
    })
}
