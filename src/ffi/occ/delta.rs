//! # Deltas
//!
//! Deltas: changes that writes make to observed leaves.

use std::mem::offset_of;
use std::ptr::NonNull;

use super::observe::LeafObservation;
use crate::ffi::boundary::status_of;
use crate::ffi::handle::{self, GuardHandle};
use crate::ffi::status::*;
use crate::index::node::{Delta, DeltaRecorder, Observation};
use crate::index::reclaim::{pin_of, set_recorder};
use crate::index::tree::{Applied, apply};

/// Flag of a delta: the write has changed or deleted leaves that the delta does not list. A
/// remove that leaves its leaf empty does so.
pub const MASSTREE_DELTA_MORE: u32 = 1;

/// What a write of one key changed in the leaves of its tree. Start from MASSTREE_DELTA_INIT,
/// provide an array for created leaves, and pass it to masstree_guard_record.
#[repr(C)]
pub struct LeafDelta {
    /// sizeof(masstree_delta_t); MASSTREE_DELTA_INIT sets it. A library leaves the fields of a
    /// larger struct that it does not know as they are.
    pub struct_size: usize,
    /// Input: the array for created leaves; NULL only if created_capacity is 0.
    pub created: *mut LeafObservation,
    /// Input: length of that array. A split creates one leaf; a key that shares more than eight
    /// bytes with many others may create one leaf for every eight bytes shared.
    pub created_capacity: usize,
    /// Number of leaves that the write has created. If it exceeds created_capacity, only the
    /// first created_capacity leaves are stored.
    pub created_count: usize,
    /// The leaf that contains the key, or would contain it, as it was when the write locked it.
    pub before: LeafObservation,
    /// The same leaf after the write. Equal to `before` if the write inserted and removed no
    /// key. Then the write overwrote a value, or changed nothing and this observation proves
    /// why, as that of masstree_get_observed would (for MASSTREE_NOT_FOUND of a remove, or
    /// MASSTREE_EXISTS of an insert).
    pub after: LeafObservation,
    /// 0, or MASSTREE_DELTA_MORE.
    pub flags: u32,
    /// Must be 0.
    pub reserved: u32,
}

/// The offset in the C struct at which the fields of the index's `Delta` begin.
const RECORD: usize = offset_of!(LeafDelta, created);

const _: () = {
    assert!(RECORD + size_of::<Delta>() <= size_of::<LeafDelta>());
    assert!(offset_of!(LeafDelta, created) == RECORD + offset_of!(Delta, created));
    assert!(
        offset_of!(LeafDelta, created_capacity) == RECORD + offset_of!(Delta, created_capacity)
    );
    assert!(offset_of!(LeafDelta, created_count) == RECORD + offset_of!(Delta, created_count));
    assert!(offset_of!(LeafDelta, before) == RECORD + offset_of!(Delta, before));
    assert!(offset_of!(LeafDelta, after) == RECORD + offset_of!(Delta, after));
    assert!(offset_of!(LeafDelta, flags) == RECORD + offset_of!(Delta, unlisted));
    // `Delta::unlisted` is 1 if the delta is incomplete.
    assert!(MASSTREE_DELTA_MORE == 1);
};

/// Checks a delta from C, and returns the index's `Delta` within it.
///
/// # Safety
/// `delta` is NULL, or points to a struct of as many bytes as its first field says.
pub(super) unsafe fn delta_at(delta: *const LeafDelta) -> Result<NonNull<Delta>, i32> {
    let place = NonNull::new(delta.cast_mut()).ok_or(MASSTREE_INVALID)?;
    // SAFETY: by contract.
    let size = unsafe { place.cast::<usize>().read() };
    if size < size_of::<LeafDelta>() {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: by contract, the other fields are readable, too.
    let LeafDelta {
        created,
        created_capacity,
        reserved,
        ..
    } = unsafe { place.as_ref() };
    if *reserved != 0 || (created.is_null() && *created_capacity != 0) {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: the fields of `Delta` are within the struct.
    Ok(unsafe { place.byte_add(RECORD) }.cast())
}

/// Makes writes under a guard record in *delta what they change in the leaves of the tree. From
/// now on every write of one key (put, insert, replace, exchange, compare_exchange, remove,
/// update and their variants, for words and for byte strings) overwrites *delta. A batch leaves
/// the delta of its last key; bulk loads and masstree_clear record nothing; reads, and
/// writes under other guards, do not touch *delta. Apply the delta once after each write
/// (masstree_delta_apply). After a write that returns an error, do not use it.
///
/// @param guard  The guard; not NULL.
/// @param delta  The delta, which the caller still owns. It and its array of created leaves
///               must stay at the same address until this function is called again or the guard
///               is left. NULL: writes under the guard stop recording.
///
/// @retval MASSTREE_OK       Writes under the guard record from now on.
/// @retval MASSTREE_INVALID  guard is NULL; or in *delta, struct_size is too small, created is
///                           NULL and created_capacity is not 0, or reserved is not 0.
/// @retval MASSTREE_FORKED   The parent process created the tree, before a fork.
///
/// Thread safety: only the thread that currently uses the guard. Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_guard_record(
    guard: *mut GuardHandle,
    delta: *mut LeafDelta,
) -> i32 {
    status_of(|| {
        let slot = handle::slot(guard).ok_or(MASSTREE_INVALID)?;
        // SAFETY: as this function's contract.
        unsafe {
            if pin_of(slot).domain().generation != crate::index::reclaim::generation() {
                return Err(MASSTREE_FORKED);
            }
            let recorder = match delta.is_null() {
                true => None,
                false => Some(DeltaRecorder::new(delta_at(delta)?)),
            };
            set_recorder(slot, recorder);
        }
        Ok(MASSTREE_OK)
    })
}

/// Updates a set of observations after a write of the same transaction, so that the transaction
/// is not aborted by its own write. If the set contains the written leaf as it was before the
/// write, the leaf's state after the write replaces it, and the leaves that the write created
/// are added. (Tu, Zheng, Kohler, Liskov, Madden: Speedy Transactions in Multicore In-Memory
/// Databases, SOSP 2013, section 4.6.)
///
/// @param delta         The delta of the write.
/// @param observations  The set; NULL only if capacity is 0.
/// @param count         Number of observations in the set; updated by the call; not NULL.
/// @param capacity      Number of observations that the set has room for.
///
/// @retval MASSTREE_OK         The set is up to date. It is unchanged if the write changed no
///                             leaf of the set, or if the delta has recorded no write.
/// @retval MASSTREE_MISMATCH   The set contains the leaf with another version: another thread
///                             changed it after it was observed, and the transaction can no
///                             longer be validated. Or the delta was already applied. Or the
///                             delta is incomplete (MASSTREE_DELTA_MORE, or created_count
///                             exceeds created_capacity). The set is unchanged.
/// @retval MASSTREE_TOO_SMALL  The set has no room for the created leaves; it is unchanged.
/// @retval MASSTREE_INVALID    delta or count is NULL, *count exceeds capacity, observations is
///                             NULL and capacity is not 0; or the delta is malformed, as in
///                             masstree_guard_record.
///
/// Thread safety: any thread; no other thread may use the set or the delta during the call.
/// Since 0.1.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn masstree_delta_apply(
    delta: *const LeafDelta,
    observations: *mut LeafObservation,
    count: *mut usize,
    capacity: usize,
) -> i32 {
    status_of(|| {
        // SAFETY: as this function's contract; observations consist of the same fields.
        unsafe {
            let delta = delta_at(delta)?;
            let count = count.as_mut().ok_or(MASSTREE_INVALID)?;
            if *count > capacity {
                return Err(MASSTREE_INVALID);
            }
            let set = match NonNull::new(observations.cast::<Observation>()) {
                None if capacity != 0 => return Err(MASSTREE_INVALID),
                set => set.unwrap_or(NonNull::dangling()),
            };
            Ok(match apply(delta.as_ref(), set, count, capacity) {
                Applied::Done => MASSTREE_OK,
                Applied::Mismatch => MASSTREE_MISMATCH,
                Applied::TooSmall => MASSTREE_TOO_SMALL,
            })
        }
    })
}
