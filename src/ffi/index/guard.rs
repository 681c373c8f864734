//! # Guards
//!
//! `masstree_guard_t`.

use std::mem::ManuallyDrop;

use crate::ffi::boundary::{status_of, tree_of};
use crate::ffi::handle::{GuardHandle, TreeHandle, slot};
use crate::ffi::status::*;
use crate::index::reclaim::Guard;

/// A guard from C, unless it is NULL or another process's: then it is left alone.
///
/// # Safety
/// `guard` is NULL or a live guard, which this thread has for itself.
unsafe fn own_guard<'t>(guard: *mut GuardHandle) -> Option<ManuallyDrop<Guard<'t>>> {
    let slot = slot(guard)?;
    // SAFETY: the handle came from `into_raw`; the rest by contract.
    let guard = unsafe { ManuallyDrop::new(Guard::from_raw(slot)) };
    if guard.is_forked() {
        return None;
    }
    #[cfg(debug_assertions)]
    assert!(
        !crate::ffi::occ::held::is_held_under(slot),
        "masstree_held_finish has not been called"
    );
    Some(guard)
}

/// Makes a guard of a tree.
///
/// @param tree   The tree.
/// @param guard  Where the guard is stored; it is the caller's, who frees it
///               with masstree_guard_leave.
///
/// @retval MASSTREE_OK       *guard is a new guard.
/// @retval MASSTREE_INVALID  tree or guard is NULL.
/// @retval MASSTREE_NOMEM    Out of memory.
/// @retval MASSTREE_FORKED   The tree was made before a fork, by the parent process.
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

/// Lets go of everything read through the guard so far and pins anew, as if it
/// were left and entered again, but cheaper. Pointers and values read under it
/// before must not be used any more. NULL does nothing.
///
/// @param guard  The guard.
///
/// Thread safety: the thread that uses the guard at present; not from a scan's
/// visitor for the guard that scan runs under. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_guard_refresh(guard: *mut GuardHandle) {
    // SAFETY: NULL or a guard this thread has for itself, by contract.
    if let Some(mut guard) = unsafe { own_guard(guard) } {
        guard.refresh();
    }
}

/// Leaves and frees a guard. Pointers and values read under it must not be used
/// any more. NULL does nothing.
///
/// @param guard  The guard.
///
/// Thread safety: the thread that uses the guard at present, which need not be
/// the one that entered it. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_guard_leave(guard: *mut GuardHandle) {
    // SAFETY: NULL or a guard this thread has for itself, by contract.
    if let Some(guard) = unsafe { own_guard(guard) } {
        drop(ManuallyDrop::into_inner(guard));
    }
}
