//! Validating observations.

use super::observe::LeafObservation;
use crate::ffi::boundary::{status_of, tree_of, write_output};
use crate::ffi::handle::TreeHandle;
use crate::ffi::status::*;
use crate::index::node::Observation;

/// Validates observations: tests whether the observed leaves are unchanged.
///
/// The call is a full fence. With MASSTREE_OK, all observations were valid at one moment during
/// this call. So if two threads each insert a key and then validate that the other's key was
/// absent, at least one of them gets MASSTREE_MISMATCH.
///
/// If another thread is changing one of the leaves, this call waits for it. But a thread that
/// holds a leaf (masstree_hold), of any tree, never waits here: it gets MASSTREE_MISMATCH if
/// another thread has locked one of the leaves, and the leaf that it holds itself is compared
/// in its current state. If the tree was cleared after the calling thread held a leaf of it,
/// the call returns MASSTREE_MISMATCH for any observations, so that the hold and what is
/// validated under it belong to the same moment. Do not call this from a callback of
/// masstree_update or masstree_get_or_insert_with.
///
/// @param tree           The tree.
/// @param observations   count observations of this tree; NULL only if count is 0.
/// @param count          Number of observations.
/// @param first_changed  Receives, with MASSTREE_MISMATCH, the index of the first observation
///                       that is not valid; or count, if all are valid but masstree_clear
///                       removed the leaf that this thread holds. May be NULL.
///
/// @retval MASSTREE_OK        All observations are valid.
/// @retval MASSTREE_MISMATCH  A leaf has changed; or this thread holds a leaf, and another
///                            thread has locked one of the leaves and may change it, or the
///                            tree was cleared since.
/// @retval MASSTREE_INVALID   tree is NULL, or observations is NULL and count is not 0.
/// @retval MASSTREE_FORKED    The parent process created the tree, before a fork.
///
/// A leaf may have changed although the keys that were read have not: another key was inserted
/// into it or removed from it, it was split, or it was merged with its neighbour.
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

/// Converts observations from C to a slice.
///
/// # Safety
/// `observations` is NULL or points to `count` of them.
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

/// Returns the current version of a leaf, for programs that store ids and versions and compare
/// them themselves. masstree_validate does more: it is a fence, waits for changes in progress,
/// and detects masstree_clear.
///
/// @param tree     The tree; or NULL, if the caller knows that the tree exists and that this
///                 process created it.
/// @param leaf     The id of a leaf of this tree, from any observation.
/// @param version  Receives the version; not NULL. If the leaf was freed since, it is a version
///                 that no observation of the leaf had.
///
/// @retval MASSTREE_OK       *version is the leaf's version.
/// @retval MASSTREE_INVALID  leaf is 0, or version is NULL.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
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
