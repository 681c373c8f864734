//! # Memory reclamation
//!
//! Retiring objects, and waiting for readers.

use std::ffi::c_void;

use crate::ffi::boundary::{ValueKind, on_tree, status_of, tree_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::reclaim::{Pinned, RetiredObject};
use crate::index::tree::SweepOutcome;

/// The most keys of a leaf, and the keys that masstree_compact puts into one unless told otherwise.
const LEAF_KEYS: usize = 15;
const USUAL_FILL: usize = 14;

/// Frees an object that was passed to masstree_retire.
///
/// @param object  The object.
/// @param bytes   Its size in bytes, as passed to masstree_retire.
/// @param ctx     The ctx that was passed to masstree_retire.
///
/// It is called on any thread that uses the tree, inside any call to this library, with no lock
/// held. It must not call into the same tree, and must return: no longjmp, no C++ exception, no
/// pthread_exit.
pub type FreeObject =
    Option<unsafe extern "C" fn(object: *mut c_void, bytes: usize, ctx: *mut c_void)>;

/// Retires an object: the library calls `free` for it once no reader can still use it. For
/// values that masstree_exchange, masstree_remove or masstree_update returned, and for other
/// objects of the program that they refer to. A reader that enters a guard after this call must
/// not be able to find the object in the tree.
///
/// @param tree    The tree.
/// @param guard   A guard of this tree, or NULL: then this call pins for its own duration.
/// @param object  The object, which the library only passes on.
/// @param bytes   Its size in bytes, for the statistics; may be 0.
/// @param free    Called once, after every guard that is held now was refreshed or left; by the
///                end of masstree_destroy at the latest.
/// @param ctx     Passed to free.
///
/// @retval MASSTREE_OK          The library owns the object until it calls free.
/// @retval MASSTREE_INVALID     tree or free is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; the caller still owns the object.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
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
    status_of(|| {
        let free = free.ok_or(MASSTREE_INVALID)?;
        // SAFETY: as this function's contract.
        unsafe {
            on_tree(tree, guard, ValueKind::Any, |_, pin| {
                pin.retire_object(RetiredObject::new(object, bytes, free, ctx))?;
                Ok(MASSTREE_OK)
            })
        }
    })
}

/// Submits an incomplete batch of retired objects for freeing: the batch of a guard, or that of
/// this thread's calls without a guard. (Without this call, a batch is submitted when it has 128
/// objects or more.) The objects are freed once every guard that is held now, including this one,
/// was refreshed or left, and every call without a guard that is running now has returned. The
/// thread that ends the last of these guards and calls frees them; no further call is needed.
///
/// @param tree   The tree.
/// @param guard  A guard of this tree; or NULL for the objects that this thread retired without
///               a guard.
///
/// @retval MASSTREE_OK          The objects were submitted.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_flush(tree: *mut TreeHandle, guard: *mut GuardHandle) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            on_tree(tree, guard, ValueKind::Any, |_, pin| {
                pin.flush();
                Ok(MASSTREE_OK)
            })
        }
    })
}

/// Waits until every guard of the tree that any thread holds now was refreshed or left, and
/// every running call without a guard has returned. No thread can then still use what it read
/// before this call. Does not wait for guards that are entered during the call.
///
/// Waits for ever if the calling thread holds a guard of this tree, or calls this from a
/// visitor or another callback.
///
/// @param tree  The tree.
///
/// @retval MASSTREE_OK       Every such guard and call has ended.
/// @retval MASSTREE_INVALID  tree is NULL.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
///
/// Thread safety: any thread that holds no guard of this tree. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_barrier(tree: *mut TreeHandle) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        let tree = unsafe { tree_of(tree) }?;
        tree.wait_for_guards();
        Ok(MASSTREE_OK)
    })
}

/// Merges sparse leaves; call it in idle moments. Visits about `limit` leaves (nodes of up to 15
/// keys), beginning where the last call ended. Merges leaves in which removes have left few keys,
/// so that their memory can be reused and scans read fewer nodes. Frees the memory of removed long
/// keys in leaves that still have other long keys. Also submits retired objects, as
/// masstree_flush does. Removes themselves free the leaves that they empty, without this call.
///
/// A tree into which keys are continuously inserted, and from which they are removed, does not
/// need this call: inserts fill its sparse leaves again. It helps a tree from which most keys
/// were removed for good.
///
/// @param tree    The tree.
/// @param guard   A guard of this tree, or NULL: then this call pins for its own duration.
/// @param limit   Approximate number of leaves to visit. The leaves on the path to one key, one
///                in each layer, are visited together. 0: none.
/// @param merged  Receives the number of leaves that were merged with the leaf before. May be
///                NULL.
///
/// @retval MASSTREE_OK          Leaves were visited, but not yet the last leaf of the tree; or
///                              nothing was done, since another thread is inside this
///                              function.
/// @retval MASSTREE_END         The last leaf of the tree was visited; the next call begins at
///                              the first.
/// @retval MASSTREE_INVALID     tree is NULL.
/// @retval MASSTREE_NOMEM       Out of memory; no key was lost.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_maintain(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    limit: usize,
    merged: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            on_tree(tree, guard, ValueKind::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                Ok(report(pin, tree.maintain(pin, limit)?, merged))
            })
        }
    })
}

/// Moves keys to leaves that have room, and frees the leaves that become empty; call it in idle
/// moments, or now and then during a long load. After inserts in random order, leaves (nodes of up
/// to 15 keys) are 70 % full: 8-byte keys take 33 bytes of nodes each, and with 14 keys in each leaf
/// 26. Otherwise as masstree_maintain, which moves no keys unless a leaf and the one before are
/// sparse: visits about `limit` leaves, beginning where the last call of either function ended, frees
/// the memory of removed long keys, and submits retired objects. Readers and writers go on meanwhile.
///
/// The memory of freed leaves is reused by later inserts of this tree, and returned when the tree is
/// destroyed. Inserts into full leaves split them again: use it where most keys have arrived, or
/// where keys arrive in other parts of the tree. masstree_bulk_load fills leaves from the start.
///
/// @param tree    The tree.
/// @param guard   A guard of this tree, or NULL: then this call pins for its own duration.
/// @param fill    Number of keys that each leaf should have, 1 to 15; 0: 14. With fewer, the next
///                inserts split fewer leaves.
/// @param limit   Approximate number of leaves to visit. The leaves on the path to one key, one
///                in each layer, are visited together. 0: none.
/// @param merged  Receives the number of leaves whose keys, or the first of them, moved to the leaf
///                before. May be NULL.
///
/// @retval MASSTREE_OK          Leaves were visited, but not yet the last leaf of the tree; or
///                              nothing was done, since another thread is inside this function or
///                              masstree_maintain.
/// @retval MASSTREE_END         The last leaf of the tree was visited; the next call begins at
///                              the first.
/// @retval MASSTREE_INVALID     tree is NULL, or fill is greater than 15.
/// @retval MASSTREE_NOMEM       Out of memory; no key was lost.
/// @retval MASSTREE_WRONG_TREE  The guard belongs to another tree.
/// @retval MASSTREE_FORKED      The parent process created the tree, before a fork.
///
/// Thread safety: any thread. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_compact(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    fill: u32,
    limit: usize,
    merged: *mut usize,
) -> i32 {
    status_of(|| {
        let fill = match fill {
            0 => USUAL_FILL,
            fill => usize::try_from(fill).map_err(|_| MASSTREE_INVALID)?,
        };
        if fill > LEAF_KEYS {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract.
        unsafe {
            on_tree(tree, guard, ValueKind::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                Ok(report(pin, tree.compact(pin, fill, limit)?, merged))
            })
        }
    })
}

/// Submits retired objects, stores how many leaves a sweep merged, and returns the sweep's status.
///
/// # Safety
/// `merged` is null or may be written.
unsafe fn report(pin: Pinned<'_>, swept: SweepOutcome, merged: *mut usize) -> i32 {
    pin.flush();
    // SAFETY: by contract.
    unsafe { write_output(merged, swept.merged) };
    match swept.ended {
        true => MASSTREE_END,
        false => MASSTREE_OK,
    }
}
