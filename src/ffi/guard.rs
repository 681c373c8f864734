//! `masstree_guard_t`.

use super::boundary::{self, entry};
use super::status::*;
use super::tree::TreeHandle;
use crate::reclaim::Guard;

/// Pins what is read through it: nodes, and values handed to the value
/// destructor, are not freed before the guard is refreshed or left.
///
/// Made by masstree_guard_enter, freed by masstree_guard_leave. A guard is used
/// by one thread at a time, but may be handed from thread to thread (goroutines,
/// coroutines, pools). A thread may hold any number of guards, of one tree or of
/// several, and leave them in any order. Leave every guard before its tree is
/// destroyed.
///
/// Memory displaced while a guard is held waits for that guard: refresh a guard
/// that is kept for long every so often.
///
/// Operations accept NULL for a guard: they pin for that call only, which costs
/// a thread-local look-up; with a guard at hand, pass it.
pub struct GuardHandle {
    pub(super) guard: Guard<'static>,
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
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_guard_enter(
    tree: *const TreeHandle,
    guard: *mut *mut GuardHandle,
) -> i32 {
    entry(|| {
        // SAFETY: NULL or a live tree by contract.
        let tree = unsafe { tree.as_ref() }.ok_or(MASSTREE_INVALID)?;
        if guard.is_null() {
            return Err(MASSTREE_INVALID);
        }
        let handle = boundary::allocate(GuardHandle {
            guard: tree.tree.guard(),
        })?;
        // SAFETY: checked for NULL above; writable by contract.
        unsafe { guard.write(handle.as_ptr()) };
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
    if let Some(handle) = unsafe { guard.as_mut() } {
        handle.guard.refresh();
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
    // SAFETY: the handle came from `boundary::allocate`, and the caller has it
    // for itself.
    unsafe { boundary::release(guard) }
}
