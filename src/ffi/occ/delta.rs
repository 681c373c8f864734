//! # What writes change
//!
//! What writes do to the leaves of a tree, for those who observe them.

use std::ptr::NonNull;

use super::observe::LeafObservation;
use crate::ffi::boundary::status_of;
use crate::ffi::handle::{self, GuardHandle};
use crate::ffi::status::*;
use crate::index::node::{Delta, Observation};
use crate::index::reclaim::{pin_of, report_to};
use crate::index::tree::{Applied, apply};

/// Flag of a delta: the write has changed leaves that are not told, or ended some. A remove
/// that leaves its leaf empty does.
pub const MASSTREE_DELTA_MORE: u32 = 1;

/// What a write of one key did to the leaves of its tree. Start from MASSTREE_DELTA_INIT, give
/// it room for created leaves, and pass it to masstree_guard_record.
#[repr(C)]
pub struct LeafDelta {
    /// sizeof(masstree_delta_t); MASSTREE_DELTA_INIT sets it. What a library does not know of
    /// a larger one it leaves as it is.
    pub struct_size: usize,
    /// Yours to set: where created leaves are stored; NULL only if created_capacity is 0.
    pub created: *mut LeafObservation,
    /// Yours to set: how many created leaves there is room for. A split creates one; a key
    /// of which more than eight bytes were shared with many others may create one for every
    /// eight bytes shared.
    pub created_capacity: usize,
    /// How many leaves the write has created. If there are more than there is room for, the
    /// rest is not told.
    pub created_count: usize,
    /// The leaf with the key, or with its place, as it was when the write locked it.
    pub before: LeafObservation,
    /// The same leaf when the write was done. Equal to `before` if the write added and
    /// removed no key: it overwrote a value, or did nothing, and then this proves why, as
    /// masstree_get_observed would (MASSTREE_NOT_FOUND of a remove, MASSTREE_EXISTS of an
    /// insert).
    pub after: LeafObservation,
    /// 0, or MASSTREE_DELTA_MORE.
    pub flags: u32,
    /// Must be 0.
    pub reserved: u32,
}

const _: () = {
    use std::mem::offset_of;
    assert!(size_of::<LeafDelta>() == size_of::<Delta>());
    assert!(offset_of!(LeafDelta, created) == offset_of!(Delta, created));
    assert!(offset_of!(LeafDelta, created_capacity) == offset_of!(Delta, created_capacity));
    assert!(offset_of!(LeafDelta, created_count) == offset_of!(Delta, created_count));
    assert!(offset_of!(LeafDelta, before) == offset_of!(Delta, before));
    assert!(offset_of!(LeafDelta, after) == offset_of!(Delta, after));
    assert!(offset_of!(LeafDelta, flags) == offset_of!(Delta, flags));
    assert!(MASSTREE_DELTA_MORE == crate::index::node::MORE);
};

/// A delta from C.
///
/// # Safety
/// `delta` is NULL or leads to as many bytes as its first field says.
unsafe fn delta_at(delta: *const LeafDelta) -> Result<NonNull<Delta>, i32> {
    let place = NonNull::new(delta.cast_mut()).ok_or(MASSTREE_INVALID)?;
    // SAFETY: by contract.
    let size = unsafe { place.cast::<usize>().read() };
    if size < size_of::<LeafDelta>() {
        return Err(MASSTREE_INVALID);
    }
    // SAFETY: by contract, the rest is there, too.
    let LeafDelta {
        created,
        created_capacity,
        reserved,
        ..
    } = unsafe { place.as_ref() };
    if *reserved != 0 || (created.is_null() && *created_capacity != 0) {
        return Err(MASSTREE_INVALID);
    }
    Ok(place.cast())
}

/// Has writes under a guard say what they do to the tree's leaves: from here on, every write
/// of one key (put, insert, replace, exchange, compare_exchange, remove, update and their
/// like, of words and of byte strings) stores that in *delta. Of a batch, the last key's is
/// stored; masstree_bulk_load and masstree_clear store nothing, and reads, and writes under
/// other guards, leave it alone. Apply it after each write, once. After a write that answers
/// an error, *delta is of no use.
///
/// @param guard  The guard; not NULL.
/// @param delta  The delta, which stays the caller's and must stay where it is, as must its
///               room for created leaves, until this is called again or the guard is left;
///               or NULL: writes say nothing any more.
///
/// @retval MASSTREE_OK       Writes under the guard say so from now on.
/// @retval MASSTREE_INVALID  guard is NULL; or in *delta, struct_size is too small, created
///                           is NULL with a capacity, or reserved is not 0.
/// @retval MASSTREE_FORKED   The tree was made before a fork.
///
/// Thread safety: the guard's thread. Since 0.1.
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
            let delta = match delta.is_null() {
                true => None,
                false => Some(delta_at(delta)?),
            };
            report_to(slot, delta);
        }
        Ok(MASSTREE_OK)
    })
}

/// Has a set of observations say what holds after a write of its owner's, so that a
/// transaction is not ended by what it wrote itself: if the set has the written leaf as it
/// was before the write, it has it as it is after the write from here on, and the leaves that
/// the write created, too. (Tu, Zheng, Kohler, Liskov, Madden: Speedy Transactions in
/// Multicore In-Memory Databases, SOSP 2013, section 4.6.)
///
/// @param delta         What the write did.
/// @param observations  The set; NULL only if capacity is 0.
/// @param count         How many observations the set has, and will have; not NULL.
/// @param capacity      How many it has room for.
///
/// @retval MASSTREE_OK         The set says what holds; it is as it was if the write changed
///                             no leaf that is in it, or if the delta has seen no write.
/// @retval MASSTREE_MISMATCH   The set has the leaf with another version: another thread has
///                             changed it after it was observed, and the transaction cannot
///                             be validated any more. Or the delta was applied before. Or it
///                             does not tell all (MASSTREE_DELTA_MORE, or more leaves created
///                             than there was room for). The set is as it was.
/// @retval MASSTREE_TOO_SMALL  The set has no room for the created leaves; it is as it was.
/// @retval MASSTREE_INVALID    delta or count is NULL, *count is over capacity, observations
///                             is NULL with a capacity; or the delta is malformed, as in
///                             masstree_guard_record.
///
/// Thread safety: any thread; the set and the delta are the caller's. Since 0.1.
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
