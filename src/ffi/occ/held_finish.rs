//! How a hold is finished: by an action, compiled for each.

use std::ptr::{NonNull, addr_of_mut};

use super::held::{HeldLeaf, MASSTREE_HOLD_DELTA};
use super::held_content::{Content, Left, Place, seal_of};
use crate::ffi::boundary::deliver_or_retire;
use crate::ffi::handle;
use crate::ffi::status::*;
use crate::index::node::DeltaRecorder;
use crate::index::reclaim::{Pinned, recorder_of};
use crate::index::tree::{Decision, HeldShort, Holder, Overtaken, Tree};

/// # Safety
/// As `masstree_held_finish`; the key can be set.
#[inline(never)]
pub(super) unsafe fn finish_setting(
    holder: &Holder,
    tree: &Tree,
    held: *mut HeldLeaf,
    value: u64,
    old: *mut u64,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe { finish_any(holder, tree, held, Decision::Set(value), old) }
}

/// # Safety
/// As `masstree_held_finish`.
#[inline(never)]
pub(super) unsafe fn finish_removing(
    holder: &Holder,
    tree: &Tree,
    held: *mut HeldLeaf,
    old: *mut u64,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe { finish_any(holder, tree, held, Decision::Remove, old) }
}

/// # Safety
/// As `masstree_held_finish`.
#[inline(never)]
pub(super) unsafe fn finish_keeping(
    holder: &Holder,
    tree: &Tree,
    held: *mut HeldLeaf,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe { finish_any(holder, tree, held, Decision::Keep, std::ptr::null_mut()) }
}

/// Applies a decision, which must be possible for the key, unlocks the leaf, and leaves the local
/// guard.
///
/// # Safety
/// As `masstree_held_finish`.
#[inline(always)]
unsafe fn finish_any(
    holder: &Holder,
    tree: &Tree,
    held: *mut HeldLeaf,
    decision: Decision,
    old: *mut u64,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let content = held.cast::<Content>();
        let pin = (*content).pin();
        let status = match &(*content).place {
            Place::Short(place, _) => finish_short(holder, tree, pin, held, place, decision, old),
            Place::Long(_) | Place::Past { .. } => finish_long(tree, pin, held, decision, old),
        };
        (*content).leave_local();
        Ok(status)
    }
}

/// Does the work of `finish_any` for a short key, but does not leave the local guard; returns the
/// status.
///
/// # Safety
/// As `masstree_held_finish`. `place` is that of the content in `held`, and `pin` its pin.
#[inline(always)]
pub(super) unsafe fn finish_short(
    holder: &Holder,
    tree: &Tree,
    pin: Pinned<'static>,
    held: *mut HeldLeaf,
    place: &HeldShort<'static>,
    decision: Decision,
    old: *mut u64,
) -> i32 {
    handle::set_held_under(None);
    let left = match decision {
        Decision::Set(_) if !place.is_present() => Left::Changed,
        Decision::Remove if place.is_present() => match place.leaf_len() {
            1 => Left::Emptied,
            _ => Left::Changed,
        },
        Decision::Set(_) => Left::Unchanged,
        Decision::Keep | Decision::Remove => match place.leaf_len() {
            // SAFETY: as this function's contract. A leaf that a split has left empty is deleted.
            0 if unsafe { (*held.cast::<Content>()).has_split } => Left::Emptied,
            _ => Left::Unchanged,
        },
    };
    let stored = match decision {
        Decision::Set(value) => Some(value),
        Decision::Keep | Decision::Remove => None,
    };
    // SAFETY: as this function's contract; `place` is not used after the content is changed.
    unsafe {
        let finished = tree.finish_short(pin, place, decision, holder);
        let content = held.cast::<Content>();
        addr_of_mut!((*content).seal).write(seal_of(held));
        let Ok(before) = finished else {
            addr_of_mut!((*content).left).write(Left::Unchanged);
            return MASSTREE_CLEARED;
        };
        addr_of_mut!((*content).left).write(left);
        match before {
            Some(word) if decision != Decision::Keep && before != stored => match old.is_null() {
                // Only the tree's own guard has this pin, and only trees of words are held.
                true => pin.retire_value(word),
                false => old.write(word),
            },
            _ => {}
        }
    }
    MASSTREE_OK
}

/// Does the work of `finish_short` for a content whose place is not `Short`.
///
/// # Safety
/// As `masstree_held_finish`.
#[inline(never)]
unsafe fn finish_long(
    tree: &Tree,
    pin: Pinned<'static>,
    held: *mut HeldLeaf,
    decision: Decision,
    old: *mut u64,
) -> i32 {
    handle::set_held_under(None);
    // SAFETY: as this function's contract.
    let content = unsafe { &mut *held.cast::<Content>() };
    let (original, now) = (content.place.original(), content.place.now());
    let next = content.place.next(decision);
    let place = std::mem::replace(&mut content.place, Place::Past { original, now });
    // SAFETY: as this function's contract.
    unsafe {
        let recorder = match content.flags & MASSTREE_HOLD_DELTA {
            0 => content.slot.and_then(|slot| recorder_of(slot)),
            _ => NonNull::new(content.delta.as_mut_ptr()).map(|delta| DeltaRecorder::new(delta)),
        };
        let pin = pin.with_recorder(recorder);
        let finished = match place {
            Place::Long(place) => tree.finish(pin, place, decision),
            Place::Short(..) | Place::Past { .. } => unreachable!("another leaf is held"),
        };
        content.version_left = match finished {
            Ok(_) => next.version,
            Err(Overtaken) => now.version,
        };
        content.seal = seal_of(held);
        match finished {
            Ok(before) => {
                let stored = match decision {
                    Decision::Set(value) => Some(value),
                    _ => None,
                };
                if decision != Decision::Keep {
                    deliver_or_retire(tree, pin, before, stored, old);
                }
                MASSTREE_OK
            }
            Err(Overtaken) => MASSTREE_CLEARED,
        }
    }
}
