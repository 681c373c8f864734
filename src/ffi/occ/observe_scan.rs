//! Observations of the leaves that scans and cursors read.

use std::ffi::c_void;

use super::observe::LeafObservation;
use crate::ffi::boundary::{ValueKind, status_of};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::index::cursor::{CursorHandle, on_cursor};
use crate::ffi::index::scan::{
    BytesVisitor, ScanRange, Visitor, bytes_visitor, scan, word_visitor,
};
use crate::ffi::status::*;
use crate::index::node::Observation;

/// Called for each leaf that an observed scan has read, before the keys of the leaf.
///
/// @param observation  The leaf, as it was when the scan read it; valid during this call
///                     only.
/// @param ctx          The ctx that was passed to the scan.
///
/// @return As masstree_visitor_t, whose rules apply.
pub type LeafVisitor =
    Option<unsafe extern "C" fn(observation: *const LeafObservation, ctx: *mut c_void) -> i32>;

/// Converts a leaf visitor from C to a closure.
///
/// # Safety
/// The visitor may be called with `ctx` as long as the result exists.
unsafe fn leaf_visitor(
    visit: LeafVisitor,
    ctx: *mut c_void,
) -> Result<impl FnMut(&Observation) -> i32, i32> {
    let visit = visit.ok_or(MASSTREE_INVALID)?;
    // SAFETY: by contract.
    Ok(move |leaf: &Observation| unsafe { visit(&LeafObservation::of(leaf), ctx) })
}

/// Like masstree_scan; also calls a visitor with an observation of each leaf that it reads.
///
/// As long as all of these observations are valid, a scan of the same range would visit the
/// same keys. The visitor is called for one leaf at least, even if the range is empty, in both
/// directions. It may be called for a leaf more than once: if the leaf had changed in between,
/// only one of the two observations is valid.
///
/// @param tree        The tree.
/// @param guard       A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range       As in masstree_scan. With a limit, or if a visitor stops the scan, the
///                    leaves prove the keys up to the last one visited.
/// @param visit_leaf  Called for each leaf, before the keys of the leaf.
/// @param visit       Called for each key.
/// @param ctx         Passed to both visitors.
/// @param visited     As in masstree_scan.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit,
///                                or until a visitor stopped.
/// @retval MASSTREE_INVALID       As in masstree_scan; or visit_leaf is NULL.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer or for the list of leaves.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    As in masstree_scan.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that a visitor returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    visit_leaf: LeafVisitor,
    visit: Visitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            scan(
                tree,
                guard,
                range,
                ValueKind::Words,
                visited,
                Some(leaf_visitor(visit_leaf, ctx)?),
                word_visitor(visit, ctx)?,
            )
        }
    })
}

/// Like masstree_scan_observed, for a tree of byte strings.
///
/// @param tree        The tree.
/// @param guard       A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range       As in masstree_scan_observed.
/// @param visit_leaf  Called for each leaf, before the keys of the leaf.
/// @param visit       Called for each key.
/// @param ctx         Passed to both visitors.
/// @param visited     As in masstree_scan.
///
/// @retval MASSTREE_OK            The range was visited to its end, to the limit,
///                                or until a visitor stopped.
/// @retval MASSTREE_INVALID       As in masstree_scan_observed.
/// @retval MASSTREE_NOMEM         Out of memory for the key's buffer or for the list of leaves.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds words.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
/// @return The negative number that a visitor returned.
///
/// Thread safety: any thread; takes no lock. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_scan_bytes_observed(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    visit_leaf: LeafVisitor,
    visit: BytesVisitor,
    ctx: *mut c_void,
    visited: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            scan(
                tree,
                guard,
                range,
                ValueKind::Bytes,
                visited,
                Some(leaf_visitor(visit_leaf, ctx)?),
                bytes_visitor(visit, ctx)?,
            )
        }
    })
}

/// Makes a cursor record, from its next call on, the leaves that each call reads.
///
/// @param cursor  The cursor.
///
/// @retval MASSTREE_OK       The cursor records from now on.
/// @retval MASSTREE_INVALID  cursor is NULL.
/// @retval MASSTREE_WRONG_KIND  It is a cursor over versions.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_track(cursor: *mut CursorHandle) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |cursor, _| {
            cursor.refuse_versions()?;
            cursor.cursor.observe();
            Ok(MASSTREE_OK)
        })
    }
}

/// Returns observations of the leaves that the last seek, step or masstree_cursor_*_many call
/// of a cursor has read.
///
/// As long as all of them are valid, the same call from the same position would return the same
/// keys, or MASSTREE_END.
///
/// @param cursor        The cursor, for which masstree_cursor_track was called.
/// @param observations  Receives the address of the first observation. The cursor owns the
///                      array, which stays valid until its next seek or step, or until it is
///                      closed. Not NULL.
/// @param count         Receives the number of observations; not NULL.
///
/// @retval MASSTREE_OK       Both outputs are written; *count is 0 if the cursor does not
///                           record, or has made no call since masstree_cursor_track.
/// @retval MASSTREE_INVALID  cursor, observations or count is NULL.
/// @retval MASSTREE_WRONG_KIND  It is a cursor over versions.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
///
/// Thread safety: only the thread that currently uses the cursor. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_cursor_observations(
    cursor: *mut CursorHandle,
    observations: *mut *const LeafObservation,
    count: *mut usize,
) -> i32 {
    // SAFETY: as this function's contract.
    unsafe {
        on_cursor(cursor, |cursor, _| {
            if observations.is_null() || count.is_null() {
                return Err(MASSTREE_INVALID);
            }
            cursor.refuse_versions()?;
            let observed = cursor.cursor.observed();
            observations.write(observed.as_ptr().cast());
            count.write(observed.len());
            Ok(MASSTREE_OK)
        })
    }
}
