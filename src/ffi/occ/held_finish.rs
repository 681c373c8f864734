//! How a hold is finished: by an action, compiled for each.

use std::ptr::{NonNull, addr_of_mut};

use super::held::{HeldLeaf, MASSTREE_HOLD_DELTA};
use super::held_content::{Content, Left, Place, seal_of};
use crate::ffi::boundary::{deliver_or_retire, write_output};
use crate::ffi::handle;
use crate::ffi::status::*;
use crate::index::node::DeltaRecorder;
use crate::index::reclaim::{Pinned, recorder_of};
use crate::index::tree::{Decision, HeldReady, HeldShort, Holder, Overtaken, Tree};

/// # Safety
/// As `masstree_held_finish`; the key can be set.
#[inline(never)]
pub(super) unsafe fn finish_setting(
    holder: &Holder,
    tree: &'static Tree,
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
    tree: &'static Tree,
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
    tree: &'static Tree,
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
    tree: &'static Tree,
    held: *mut HeldLeaf,
    decision: Decision,
    old: *mut u64,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let content = held.cast::<Content>();
        if (*content).is_unguarded() {
            return finish_unguarded(holder, tree, held, decision, old);
        }
        let pin = (*content).pin();
        let status = match &(*content).place {
            Place::Short(place, _) => finish_short(holder, tree, pin, held, place, decision, old),
            Place::Ready(ready) => finish_ready(holder, tree, pin, held, ready, decision, old),
            Place::Long(_) | Place::Past { .. } => finish_long(tree, pin, held, decision, old),
        };
        (*content).leave_local();
        Ok(status)
    }
}

/// `finish_any` for a short key that is held without a guard.
///
/// # Safety
/// As `masstree_held_finish`; the place is `Short`.
#[inline(never)]
pub(super) unsafe fn finish_unguarded(
    holder: &Holder,
    tree: &'static Tree,
    held: *mut HeldLeaf,
    decision: Decision,
    old: *mut u64,
) -> Result<i32, i32> {
    let content = held.cast::<Content>();
    // SAFETY: as this function's contract.
    unsafe {
        let Place::Short(place, _) = &(*content).place else {
            unreachable!("other keys are held under a guard");
        };
        let status = finish_at_once(holder, tree, held, place, decision, old);
        if let Some(status) = status {
            return Ok(status);
        }
        // A clearing that begins after this is not freed before the guard is left. If one has begun,
        // `finish_at_once` needs no guard.
        let pin = Content::enter_local(content, tree);
        let status = finish_at_once(holder, tree, held, place, decision, old)
            .unwrap_or_else(|| finish_short(holder, tree, pin, held, place, decision, old));
        (*content).leave_local();
        Ok(status)
    }
}

/// Finishes a hold without a guard, if it needs none; returns the status.
///
/// # Safety
/// As `masstree_held_finish`. `place` is that of the content in `held`.
#[inline(always)]
pub(super) unsafe fn finish_at_once(
    holder: &Holder,
    tree: &Tree,
    held: *mut HeldLeaf,
    place: &HeldShort<'static>,
    decision: Decision,
    old: *mut u64,
) -> Option<i32> {
    let destroys = old.is_null() && tree.destroys_values();
    let left = left_by(place, decision, false);
    // SAFETY: as this function's contract; `place` is not used after the content is changed.
    unsafe {
        let finished = tree.finish_unguarded(place, decision, destroys, holder)?;
        Some(match settle(held, left, finished) {
            Ok(Some(before)) if is_displaced(before, decision) => {
                write_output(old, before);
                MASSTREE_OK
            }
            Ok(_) => MASSTREE_OK,
            Err(status) => status,
        })
    }
}

/// How a decision leaves the leaf.
#[inline(always)]
fn left_by(place: &HeldShort<'_>, decision: Decision, has_split: bool) -> Left {
    match decision {
        Decision::Set(_) if !place.is_present() => Left::Changed,
        Decision::Remove if place.is_present() => match place.leaf_len() {
            1 => Left::Emptied,
            _ => Left::Changed,
        },
        Decision::Set(_) => Left::Unchanged,
        Decision::Keep | Decision::Remove => match place.leaf_len() {
            // A leaf that a split has left empty is deleted.
            0 if has_split => Left::Emptied,
            _ => Left::Unchanged,
        },
    }
}

/// Writes to the content how the hold was finished; returns the value before, or the status.
///
/// # Safety
/// As `masstree_held_finish`.
#[inline(always)]
unsafe fn settle(
    held: *mut HeldLeaf,
    left: Left,
    finished: Result<Option<u64>, Overtaken>,
) -> Result<Option<u64>, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let content = held.cast::<Content>();
        addr_of_mut!((*content).seal).write(seal_of(held));
        let Ok(before) = finished else {
            addr_of_mut!((*content).left).write(Left::Unchanged);
            return Err(MASSTREE_CLEARED);
        };
        addr_of_mut!((*content).left).write(left);
        Ok(before)
    }
}

/// Whether a decision has displaced the value that the key had.
#[inline(always)]
fn is_displaced(before: u64, decision: Decision) -> bool {
    match decision {
        Decision::Keep => false,
        Decision::Set(value) => value != before,
        Decision::Remove => true,
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
    // SAFETY: as this function's contract; `place` is not used after the content is changed.
    unsafe {
        let has_split = (*held.cast::<Content>()).has_split;
        let left = left_by(place, decision, has_split);
        let finished = tree.finish_short(pin, place, decision, holder);
        deliver(pin, held, left, finished, decision, old)
    }
}

/// [`finish_short`] for a content whose place is `Ready`.
///
/// # Safety
/// As `finish_short`.
#[inline(never)]
unsafe fn finish_ready(
    holder: &Holder,
    tree: &Tree,
    pin: Pinned<'static>,
    held: *mut HeldLeaf,
    ready: &HeldReady<'static, 'static>,
    decision: Decision,
    old: *mut u64,
) -> i32 {
    handle::set_held_under(None);
    // SAFETY: as this function's contract; `ready` is not used after the content is changed.
    unsafe {
        let left = left_by(ready.place(), decision, false);
        let finished = tree.finish_ready(pin, ready, decision, holder);
        deliver(pin, held, left, finished, decision, old)
    }
}

/// Writes to the content how the hold was finished, and delivers or retires the value that this has
/// displaced; returns the status.
///
/// # Safety
/// As `masstree_held_finish`. `pin` is that of the content in `held`.
#[inline(always)]
unsafe fn deliver(
    pin: Pinned<'static>,
    held: *mut HeldLeaf,
    left: Left,
    finished: Result<Option<u64>, Overtaken>,
    decision: Decision,
    old: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    match unsafe { settle(held, left, finished) } {
        Ok(Some(before)) if is_displaced(before, decision) => match old.is_null() {
            // Only the tree's own guard has this pin, and only trees of words are held.
            true => pin.retire_value(before),
            // SAFETY: as this function's contract.
            false => unsafe { old.write(before) },
        },
        Ok(_) => {}
        Err(status) => return status,
    }
    MASSTREE_OK
}

/// Does the work of `finish_short` for a content whose place is `Long`.
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
            _ => unreachable!("another leaf is held"),
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
