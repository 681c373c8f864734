//! # Guards
//!
//! Entering, refreshing and leaving guards.

use std::mem::ManuallyDrop;

use crate::ffi::boundary::{status_of, tree_of};
#[cfg(debug_assertions)]
use crate::ffi::handle::is_held_under;
use crate::ffi::handle::{GuardHandle, TreeHandle, slot};
use crate::ffi::status::*;
use crate::index::reclaim::Guard;

/// Converts a guard from C; returns `None` for NULL, and for a guard of the parent process,
/// which must not be touched.
///
/// # Safety
/// `guard` is NULL or a live guard that no other thread uses.
unsafe fn own_guard<'t>(guard: *mut GuardHandle) -> Option<ManuallyDrop<Guard<'t>>> {
    let slot = slot(guard)?;
    // SAFETY: the handle came from `into_raw`; the rest by contract.
    let guard = unsafe { ManuallyDrop::new(Guard::from_raw(slot)) };
    if guard.is_forked() {
        return None;
    }
    #[cfg(debug_assertions)]
    assert!(
        !is_held_under(slot),
        "masstree_held_finish has not been called"
    );
    Some(guard)
}

/// Enters a new guard of a tree.
///
/// @param tree   The tree.
/// @param guard  Receives the guard, which the caller frees with masstree_guard_leave.
///
/// @retval MASSTREE_OK       *guard is a new guard.
/// @retval MASSTREE_INVALID  tree or guard is NULL.
/// @retval MASSTREE_NOMEM    Out of memory.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_guard_enter(
    tree: *const TreeHandle,
    guard: *mut *mut GuardHandle,
) -> i32 {
    status_of(|| {
        // SAFETY: NULL or a live tree by contract.
        let tree = unsafe { tree_of(tree) }?;
        if guard.is_null() {
            return Err(MASSTREE_INVALID);
        }
        let slot = tree.guard()?.into_raw();
        // SAFETY: checked for NULL above; writable by contract.
        unsafe { guard.write(slot.as_ptr().cast()) };
        Ok(MASSTREE_OK)
    })
}

/// Refreshes a guard: ends its protection of everything read under it so far and begins anew,
/// like leaving and entering it, but cheaper. Do not use pointers and values that were read
/// under it before. NULL does nothing.
///
/// @param guard  The guard.
///
/// Thread safety: only the thread that currently uses the guard; not from the visitor of a scan
/// that runs under this guard. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_guard_refresh(guard: *mut GuardHandle) {
    // SAFETY: NULL or a guard that no other thread uses, by contract.
    if let Some(mut guard) = unsafe { own_guard(guard) } {
        guard.refresh();
    }
}

/// Leaves and frees a guard. Do not use pointers and values that were read under it any more.
/// NULL does nothing.
///
/// @param guard  The guard.
///
/// Thread safety: only the thread that currently uses the guard, which need not be the thread
/// that entered it. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_guard_leave(guard: *mut GuardHandle) {
    // SAFETY: NULL or a guard that no other thread uses, by contract.
    if let Some(guard) = unsafe { own_guard(guard) } {
        drop(ManuallyDrop::into_inner(guard));
    }
}
