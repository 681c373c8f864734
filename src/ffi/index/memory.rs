//! # Memory that readers may still hold
//!
//! Memory that readers may still hold: what waits to be freed, and waiting for it.

use std::ffi::c_void;

use crate::ffi::boundary::{For, entry, give, on_tree, tree_of};
use crate::ffi::handle::GuardHandle;
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::index::reclaim::RetiredObject;

/// Frees an object that was handed to masstree_retire.
///
/// @param object  The object.
/// @param bytes   Its size, as masstree_retire was told.
/// @param ctx     What was passed to masstree_retire.
///
/// It runs on any thread that uses the tree, inside some call to this library, with no
/// lock held. It must not call into the same tree, and must return: no longjmp, no C++
/// exception, no pthread_exit.
pub type FreeObject =
    Option<unsafe extern "C" fn(object: *mut c_void, bytes: usize, ctx: *mut c_void)>;

/// Has an object freed once nobody can hold it any more who found it in the tree: for
/// values that masstree_exchange, masstree_remove or masstree_update gave back, and for
/// whatever else of yours hangs on them. The object must not be found in the tree any
/// more by who begins to look now.
///
/// @param tree    The tree.
/// @param guard   A guard of this tree, or NULL to be pinned for this call.
/// @param object  The object; the library only hands it on.
/// @param bytes   Its size in bytes, for the statistics; 0 if that does not matter.
/// @param free    Called once, when every guard held now has been refreshed or left; by
///                the end of masstree_destroy at the latest.
/// @param ctx     Handed to free.
///
/// @retval MASSTREE_OK          The object is the library's, until it calls free.
/// @retval MASSTREE_INVALID     tree or free is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the object is still the caller's.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_retire(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    object: *mut c_void,
    bytes: usize,
    free: FreeObject,
    ctx: *mut c_void,
) -> i32 {
    entry(|| {
        let free = free.ok_or(MASSTREE_INVALID)?;
        // SAFETY: as this function's contract.
        unsafe {
            on_tree(tree, guard, For::Any, |_, pin| {
                pin.retire_object(RetiredObject::new(object, bytes, free, ctx))?;
                Ok(MASSTREE_OK)
            })
        }
    })
}

/// Hands over to be freed what was retired through a guard, or by this thread without
/// one, and has waited for company: the library frees in batches of 128 objects or more.
/// It is freed once every guard held now has been refreshed or left, this one included, and
/// every call that is under way without one has returned, by the last of them; no further
/// call is needed, however many there are.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree; or NULL for what this thread retired without one.
///
/// @retval MASSTREE_OK          It was handed over.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_flush(tree: *mut TreeHandle, guard: *mut GuardHandle) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            on_tree(tree, guard, For::Any, |_, pin| {
                pin.flush();
                Ok(MASSTREE_OK)
            })
        }
    })
}

/// Waits until every guard of the tree that is held now, by whichever thread, has been
/// refreshed or left, and every call that is under way without one has returned.
/// Whoever read something before, and could still use it, is done with it then. Guards
/// entered meanwhile are not waited for.
///
/// It waits for ever if the caller itself holds a guard of this tree, or calls it from a
/// visitor or a callback.
///
/// @param tree  The tree.
///
/// @retval MASSTREE_OK       They have.
/// @retval MASSTREE_INVALID  tree is NULL.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: any thread that holds no guard of this tree. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_barrier(tree: *mut TreeHandle) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        let tree = unsafe { tree_of(tree) }?;
        tree.wait_for_guards();
        Ok(MASSTREE_OK)
    })
}

/// Tidies up, for idle moments: looks at so many leaves (nodes of up to 15 keys), from
/// where the last call left off, and merges those that removes have left sparse, so that
/// their memory can be used again and scans read fewer nodes; and gives back the memory of
/// long keys that were removed, where another key of the leaf has kept it. What removes leave
/// empty goes at once and needs no tidying up. Also hands over garbage as masstree_flush does.
///
/// A tree whose keys come and go needs it no more than any B+tree that does not merge;
/// one that has lost most of its keys for good gains by it.
///
/// @param tree    The tree.
/// @param guard   A guard of this tree, or NULL to be pinned for this call.
/// @param limit   About how many leaves to look at; those on the way to one key, one in each
///                layer, are looked at together. 0: none.
/// @param merged  Where the number of leaves that were merged with the leaf before is
///                stored; NULL: not wanted.
///
/// @retval MASSTREE_OK          Done; there are leaves that were not looked at yet, or
///                              another thread is tidying up right now.
/// @retval MASSTREE_END         Done, to the end of the tree; the next call begins anew.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the tree holds what it held.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The tree was made before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_maintain(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    limit: usize,
    merged: *mut usize,
) -> i32 {
    entry(|| {
        // SAFETY: as this function's contract.
        unsafe {
            on_tree(tree, guard, For::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                let swept = tree.maintain(pin, limit)?;
                pin.flush();
                give(merged, swept.merged);
                Ok(if swept.ended {
                    MASSTREE_END
                } else {
                    MASSTREE_OK
                })
            })
        }
    })
}
