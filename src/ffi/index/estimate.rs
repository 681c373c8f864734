//! Estimates of how many keys a range has.

use super::scan::{ScanRange, decode};
use crate::ffi::boundary::{ValueKind, on_tree, sized_output, status_of};
use crate::ffi::handle::{GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::tree::{Counted, Estimate as Estimated};

/// The number of nodes that an estimate reads if the caller sets none.
const USUAL_NODES: u64 = 128;

/// About how many keys a range has, and how many bytes. Start from MASSTREE_ESTIMATE_INIT; struct_size
/// works as in masstree_options_t, and a library older than the header sets fields that it does not
/// know to 0.
#[repr(C)]
#[derive(Clone, Copy, Default)]
pub struct Estimate {
    /// sizeof(masstree_estimate_t); MASSTREE_ESTIMATE_INIT sets it.
    pub struct_size: usize,
    /// Input: how many nodes to read, beside those on the paths to the two ends of the range; a few
    /// more may be read. 0: 128, which counts ranges of about 1000 keys, and estimates larger ones to
    /// about a tenth. Four times as many halve the error; UINT64_MAX counts every range.
    pub most_nodes: u64,
    /// The number of keys.
    pub keys: u64,
    /// The bytes of these keys and their values: 8 for a word, the length of a byte string, in a
    /// versioned tree the length of the newest version. With MASSTREE_SCAN_KEYS_ONLY, those of keys
    /// only, and no value is read; with MASSTREE_SCAN_VALUES_ONLY, those of values only.
    pub bytes: u64,
    /// How far keys is from the truth at most, in nearly all cases: 2.5 standard errors. 0 if the
    /// keys were counted.
    pub keys_error: u64,
    /// The same for bytes.
    pub bytes_error: u64,
    /// The number of nodes that were read.
    pub nodes: u64,
}

/// Estimates the number of keys in a range, and their bytes, from a few of its nodes: for query
/// planners. Small ranges are counted. The cost is that of two look-ups and of reading so many nodes,
/// whatever the size of the range.
///
/// The same range of an unchanged tree has the same estimate. If no thread writes, a range without bounds
/// has exactly masstree_len keys, and an error of 0 says that keys and bytes are exact.
///
/// @param tree      The tree. Keys of a versioned tree are user keys, with tombstones or without.
/// @param guard     A guard of this tree, or NULL: then this call pins for its own duration.
/// @param range     As in masstree_scan; of a longer range, at most its limit is estimated, and the share
///                  of the bytes. MASSTREE_SCAN_REVERSE has no effect.
/// @param estimate  A struct that was initialised with MASSTREE_ESTIMATE_INIT; set most_nodes before the
///                  call. Receives the estimate.
///
/// @retval MASSTREE_OK            *estimate is filled in.
/// @retval MASSTREE_INVALID       tree or estimate is NULL, the struct_size of estimate is smaller than
///                                any version of the struct, or as in masstree_scan.
/// @retval MASSTREE_NOMEM         Out of memory for the nodes to read; *estimate is unchanged.
/// @retval MASSTREE_KEY_TOO_LONG  A bound or the prefix exceeds 2^32 - 1 bytes.
/// @retval MASSTREE_WRONG_TREE    The guard belongs to another tree.
/// @retval MASSTREE_FORKED        The parent process created the tree, before a fork.
///
/// Thread safety: any thread; takes no lock. While threads write, each node is read as it was at some
/// moment during the call, and the errors do not say how much that changes. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_estimate(
    tree: *const TreeHandle,
    guard: *mut GuardHandle,
    range: *const ScanRange,
    estimate: *mut Estimate,
) -> i32 {
    status_of(|| {
        if estimate.is_null() {
            return Err(MASSTREE_INVALID);
        }
        // SAFETY: as this function's contract; not NULL.
        unsafe {
            let output = sized_output(estimate)?;
            let most_nodes = match (*estimate).most_nodes {
                0 => USUAL_NODES,
                most => most,
            };
            let (range, keys_only) = decode(range)?;
            let counted = Counted {
                keys: !range.values_only,
                values: !keys_only,
            };
            let estimated = on_tree(tree, guard, ValueKind::Any, |tree, pin| {
                let _counted = guard.is_null().then(|| tree.count_call());
                Ok(tree.estimate(pin, &range, counted, most_nodes)?)
            })?;
            let Estimated {
                keys,
                bytes,
                keys_error,
                bytes_error,
                nodes,
            } = estimated;
            let struct_size = output.size();
            output.write(Estimate {
                struct_size,
                most_nodes: (*estimate).most_nodes,
                keys,
                bytes,
                keys_error,
                bytes_error,
                nodes,
            });
        }
        Ok(MASSTREE_OK)
    })
}
