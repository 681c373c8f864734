//! Whether observations hold.

use super::observe::LeafObservation;
use crate::ffi::boundary::{status_of, tree_of, write_output};
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::index::node::Observation;

/// Says whether what was observed still holds.
///
/// The call is a full fence. If it answers MASSTREE_OK, all that was observed held at one
/// moment, during this call. So of two threads that each insert a key and then validate
/// that the other's was absent, one at least gets MASSTREE_MISMATCH.
///
/// Where a thread is about to change one of the leaves, this waits for it; but a thread that
/// holds a leaf itself (masstree_hold), of any tree, waits for nobody: it gets
/// MASSTREE_MISMATCH where another has locked a leaf, and the leaf that it holds itself is
/// compared as it is. If the tree was cleared after it held a leaf of it, nothing validates:
/// what is validated under a hold, and the hold, belong to one moment. A thread must not call this in a callback of masstree_update or
/// masstree_get_or_insert_with.
///
/// @param tree           The tree.
/// @param observations   count observations of this tree; NULL only if count is 0.
/// @param count          Their number.
/// @param first_changed  Where, with MASSTREE_MISMATCH, the index of the first is stored
///                       for which that is so; or count, if all are as they were observed
///                       and it is the leaf that this thread holds that was cleared away.
///                       NULL: not wanted.
///
/// @retval MASSTREE_OK        Everything is as it was observed.
/// @retval MASSTREE_MISMATCH  Something has changed; or, if this thread holds a leaf, another
///                            thread has locked one and may change it, or the tree was cleared
///                            since.
/// @retval MASSTREE_INVALID   tree is NULL, or observations is NULL with a count.
/// @retval MASSTREE_FORKED    The tree was made before a fork.
///
/// A leaf may have changed though the keys that were read have not: another key was added
/// to it or removed, it has split, or was merged with its neighbour.
///
/// Thread safety: any thread, with or without a guard. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_validate(
    tree: *const TreeHandle,
    observations: *const LeafObservation,
    count: usize,
    first_changed: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let tree = tree_of(tree)?;
            match tree.validate(observations_at(observations, count)?) {
                Ok(()) => Ok(MASSTREE_OK),
                Err(changed) => {
                    write_output(first_changed, changed);
                    Ok(MASSTREE_MISMATCH)
                }
            }
        }
    })
}

/// Observations from C.
///
/// # Safety
/// `observations` is NULL or points to so many.
unsafe fn observations_at<'o>(
    observations: *const LeafObservation,
    count: usize,
) -> Result<&'o [Observation], i32> {
    const LARGEST: usize = isize::MAX as usize / size_of::<Observation>();
    if count == 0 {
        return Ok(&[]);
    }
    if observations.is_null() || count > LARGEST {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: by contract; both consist of the same fields.
    Ok(unsafe { std::slice::from_raw_parts(observations.cast(), count) })
}

/// The version that a leaf has now; for programs that keep ids and versions and compare them
/// themselves. masstree_validate does more: it is a fence, waits for changes under way, and
/// knows of masstree_clear.
///
/// @param tree     The tree; or NULL, where it is known to live, and to be this process's.
/// @param leaf     The id of a leaf of this tree, from any observation.
/// @param version  Where the version is stored; not NULL. If the leaf was freed since, it is
///                 one that no observation of it had.
///
/// @retval MASSTREE_OK       *version is the leaf's version.
/// @retval MASSTREE_INVALID  leaf is 0, or version is NULL.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: any thread, with or without a guard. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_leaf_version(
    tree: *const TreeHandle,
    leaf: u64,
    version: *mut u64,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            if !tree.is_null() {
                tree_of(tree)?;
            }
            if version.is_null() {
                return Err(MASSTREE_INVALID);
            }
            let now = Observation::version_of(leaf).ok_or(MASSTREE_INVALID)?;
            version.write(now);
            Ok(MASSTREE_OK)
        }
    })
}
