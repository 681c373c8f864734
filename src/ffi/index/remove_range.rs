//! # Removing ranges

use super::scan::{ScanRange, decode};
use crate::ffi::boundary::{self, ValueKind, status_of, write_output};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::tree::RangeRemoval;
use crate::versioned::VERSIONS;

/// Rounds under one pin: without a guard, what was removed is freed after so many, while it is in the
/// processor's cache.
const ROUNDS: usize = 16;

/// Removes the keys of a range, whole leaves at a time: 4 to 13 times as fast as to remove one key after
/// the other; with byte strings, each of which is freed by itself, 1.5 to 3.5 times.
///
/// A key that is in the range when the call begins, and is not inserted again, is absent afterwards.
/// The call is not one atomic operation: the keys of one leaf (up to 15) are removed at once, the leaves
/// in ascending order, beside readers and writers. A key that another thread inserts meanwhile is
/// removed or not. If others insert ever greater keys of the range as fast as the call removes them, the
/// call goes on; the limit bounds that.
///
/// The values go to the value destructor, or their memory is freed, once every guard held now was
/// refreshed or left; with NULL for the guard, on the way, so that little memory waits. To empty the
/// whole tree at once, see masstree_clear.
///
/// @param tree     The tree, of words or byte strings.
/// @param guard    A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range    As in masstree_scan, NULL for everything. Removes at most limit keys, the first ones:
///                 so long removals can be done in parts. MASSTREE_SCAN_REVERSE is refused, other flags
///                 have no effect.
/// @param removed  Receives the number of keys removed; also with MASSTREE_NOMEM. May be NULL.
///
/// @retval MASSTREE_OK            Removed; *removed may be 0.
/// @retval MASSTREE_INVALID       As in masstree_scan; or the range has MASSTREE_SCAN_REVERSE.
/// @retval MASSTREE_NOMEM         Out of memory for the position in the range: what was removed before
///                                stays removed, and another call with the same range removes the rest.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_WRONG_KIND    The tree holds versions: see masstree_remove_range_at.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread; must not be called by a thread that holds a key (masstree_hold).
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_remove_range(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    removed: *mut usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract.
        unsafe {
            let (range, _) = decode(range)?;
            if range.reverse {
                return Err(MASSTREE_INVALID);
            }
            let mut removal = None;
            let outcome = loop {
                let goes_on = boundary::on_tree(tree, guard, ValueKind::Any, |tree, pin| {
                    if tree.holds(VERSIONS) {
                        return Err(MASSTREE_WRONG_KIND);
                    }
                    let removal = match &mut removal {
                        Some(removal) => removal,
                        None => removal.insert(RangeRemoval::new(tree, &range)?),
                    };
                    Ok(removal.advance(tree, pin, ROUNDS)?)
                });
                match goes_on {
                    Ok(true) => {}
                    Ok(false) => break Ok(MASSTREE_OK),
                    Err(status) => break Err(status),
                }
            };
            if let Ok(_) | Err(MASSTREE_NOMEM) = outcome {
                write_output(removed, removal.as_ref().map_or(0, RangeRemoval::removed));
            }
            outcome
        }
    })
}
