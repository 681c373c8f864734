//! How a key is held: as a short key if possible, under a guard or without one.

use std::ffi::c_void;
use std::ptr::{NonNull, addr_of_mut};

use super::held::{HeldLeaf, MASSTREE_HOLD_DELTA, MASSTREE_HOLD_INSERT, MASSTREE_HOLD_TRY};
use super::held_content::{CREATED, Content, Place};
use crate::ffi::boundary::{
    ValueKind, check_kind, key_bytes, status_of, tree_of, under_guard, write_output,
};
use crate::ffi::handle::{self, GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::key::SLICE_LEN;
use crate::index::node::{Delta, DeltaRecorder, Observation};
use crate::index::reclaim::{LocalGuard, Pinned, Slot, recorder_of};
use crate::index::tree::{FullLeaf, Holder, Tree, with_holder};

/// What a hold was called with.
#[derive(Clone, Copy)]
struct Call {
    tree: *mut TreeHandle,
    /// The slot of the guard; if `None`, the content's local guard is the guard.
    slot: Option<NonNull<Slot>>,
    key: &'static [u8],
    flags: u32,
    held: *mut HeldLeaf,
    value: *mut u64,
}

/// `masstree_hold` with a guard.
///
/// # Safety
/// As `masstree_hold`; `guard` is not NULL.
#[inline(never)]
pub(super) unsafe extern "C" fn hold_under(
    tree: *mut TreeHandle,
    guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    flags: u32,
    held: *mut HeldLeaf,
    value: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    let hold = |holder: &Holder| unsafe {
        check_hold(flags, held, holder)?;
        let slot = handle::slot(guard).ok_or(MASSTREE_INVALID)?;
        let is_short = !key.is_null() && key_len <= SLICE_LEN;
        let call = Call {
            tree,
            slot: Some(slot),
            key: match is_short {
                true => std::slice::from_raw_parts(key.cast(), key_len),
                false => &[],
            },
            flags,
            held,
            value,
        };
        if !is_short || recorder_of(slot).is_some() {
            return hold_guarded(call, slot, key, key_len, holder);
        }
        let (inner, pin) = under_guard(tree, slot, ValueKind::Words)?;
        hold_pinned(call, inner, pin, holder)
    };
    status_of(|| with_holder(hold))
}

/// Refuses an unknown flag, NULL for `held`, and a thread that holds a leaf.
#[inline(always)]
fn check_hold(flags: u32, held: *mut HeldLeaf, holder: &Holder) -> Result<(), i32> {
    let known = MASSTREE_HOLD_INSERT | MASSTREE_HOLD_TRY | MASSTREE_HOLD_DELTA;
    if held.is_null() || flags & !known != 0 || holder.is_holding() {
        return Err(MASSTREE_INVALID);
    }
    Ok(())
}

/// [`hold_under`] in all but the most frequent case, after [`check_hold`]. `key` and `key_len` are
/// the caller's.
///
/// # Safety
/// As `masstree_hold`; the slot is that of the guard.
#[inline(never)]
unsafe fn hold_guarded(
    call: Call,
    slot: NonNull<Slot>,
    key: *const c_void,
    key_len: usize,
    holder: &Holder,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let key = key_bytes(key, key_len)?;
        let (inner, pin) = under_guard(call.tree, slot, ValueKind::Words)?;
        let pin = pin.with_recorder(recorder_of(slot));
        hold_pinned(Call { key, ..call }, inner, pin, holder)
    }
}

/// `masstree_hold` without a guard.
///
/// # Safety
/// As `masstree_hold`.
#[inline(never)]
pub(super) unsafe extern "C" fn hold_unguarded(
    tree: *mut TreeHandle,
    _guard: *mut GuardHandle,
    key: *const c_void,
    key_len: usize,
    flags: u32,
    held: *mut HeldLeaf,
    value: *mut u64,
) -> i32 {
    // SAFETY: as this function's contract.
    let hold = |holder: &Holder| unsafe {
        check_hold(flags, held, holder)?;
        let key = key_bytes(key, key_len)?;
        let (inner, pin) = pin_in(held.cast(), tree)?;
        let call = Call {
            tree,
            slot: None,
            key,
            flags,
            held,
            value,
        };
        hold_pinned(call, inner, pin, holder)
    };
    status_of(|| with_holder(hold))
}

/// Enters a local guard in the content, for a hold in a tree of words, and returns its pin.
///
/// # Safety
/// As `masstree_hold`.
#[inline(always)]
unsafe fn pin_in<'g>(
    content: *mut Content,
    tree: *mut TreeHandle,
) -> Result<(&'g Tree, Pinned<'g>), i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let inner: &'static Tree = tree_of(tree)?;
        check_kind(inner, ValueKind::Words)?;
        let local = addr_of_mut!((*content).local).cast::<LocalGuard<'static>>();
        local.write(inner.local_guard_inlined());
        Ok((inner, (*local).pin()))
    }
}

/// Holds a key under a pin, that of the guard or of the content's local guard.
///
/// # Safety
/// As `masstree_hold`.
#[inline(always)]
unsafe fn hold_pinned(
    call: Call,
    inner: &'static Tree,
    pin: Pinned<'static>,
    holder: &Holder,
) -> Result<i32, i32> {
    let may_insert = call.flags & MASSTREE_HOLD_INSERT != 0;
    // SAFETY: as this function's contract.
    unsafe {
        match inner.hold_short(pin, call.key, may_insert, holder, call.held.cast()) {
            Ok((place, present)) => {
                call.begin(Place::Short(place));
                found(present, call.value)
            }
            Err(Some(full)) if call.flags & MASSTREE_HOLD_TRY == 0 => {
                hold_split(call, inner, pin, full, holder)
            }
            Err(full) => hold_long(call, inner, pin, full),
        }
    }
}

/// Completes a `masstree_hold` for which the leaf must be split.
///
/// # Safety
/// The contract of `masstree_hold`; without a slot, the content's local guard was entered.
#[inline(never)]
unsafe fn hold_split(
    call: Call,
    inner: &'static Tree,
    pin: Pinned<'static>,
    full: FullLeaf<'static, 'static>,
    holder: &Holder,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let recorded = match call.flags & MASSTREE_HOLD_DELTA {
            0 => pin,
            _ => pin.with_recorder(Some(begin_delta(call.held.cast()))),
        };
        match inner.hold_split(recorded, call.key, full, holder, call.held.cast()) {
            Some((place, original)) => {
                call.begin(Place::Split(place, original));
                Ok(MASSTREE_NOT_FOUND)
            }
            None => hold_long(call, inner, pin, None),
        }
    }
}

/// Begins the delta of a content, and returns its recorder.
///
/// # Safety
/// The content is memory for a held leaf.
unsafe fn begin_delta(content: *mut Content) -> DeltaRecorder {
    // SAFETY: as this function's contract.
    unsafe {
        let delta = addr_of_mut!((*content).delta).cast::<Delta>();
        let created = addr_of_mut!((*content).created).cast::<Observation>();
        delta.write(Delta::new(created, CREATED));
        DeltaRecorder::new(NonNull::new_unchecked(delta))
    }
}

/// Completes a `masstree_hold` for which neither [`Tree::hold_short`] nor [`Tree::hold_split`]
/// suffices.
///
/// # Safety
/// The contract of `masstree_hold`; without a slot, the content's local guard was entered.
#[inline(never)]
unsafe fn hold_long(
    call: Call,
    inner: &'static Tree,
    pin: Pinned<'static>,
    full: Option<FullLeaf<'static, 'static>>,
) -> Result<i32, i32> {
    let content = call.held.cast::<Content>();
    let may_insert = call.flags & MASSTREE_HOLD_INSERT != 0;
    // SAFETY: as this function's contract.
    unsafe {
        let place = if call.flags & MASSTREE_HOLD_TRY != 0 {
            drop(full);
            Err(MASSTREE_BUSY)
        } else if call.flags & MASSTREE_HOLD_DELTA == 0 {
            (inner.hold_from(pin, call.key, may_insert, full)).map_err(i32::from)
        } else if pin.recorder().is_some() {
            Err(MASSTREE_INVALID)
        } else {
            let pin = pin.with_recorder(Some(begin_delta(content)));
            (inner.hold_from(pin, call.key, may_insert, full)).map_err(i32::from)
        };
        let place = match place {
            Ok(place) => place,
            Err(status) => {
                if call.slot.is_none() {
                    (*addr_of_mut!((*content).local)).assume_init_drop();
                }
                return Err(status);
            }
        };
        place.keep_in(inner, call.held.cast());
        let present = place.value();
        call.begin(Place::Long(place));
        found(present, call.value)
    }
}

impl Call {
    /// Writes the content of a new hold, except the fields that only some holds use.
    ///
    /// # Safety
    /// As `masstree_hold`; the call was not refused.
    #[inline(always)]
    unsafe fn begin(self, place: Place) {
        let content = self.held.cast::<Content>();
        // SAFETY: by contract, `held` is memory for a held leaf, and the tree is not NULL.
        unsafe {
            addr_of_mut!((*content).seal).write(0);
            addr_of_mut!((*content).tree).write(NonNull::new_unchecked(self.tree));
            addr_of_mut!((*content).slot).write(self.slot);
            addr_of_mut!((*content).flags).write(self.flags);
            addr_of_mut!((*content).place).write(place);
        }
        handle::set_held_under(self.slot);
    }
}

/// Writes the value of a held key, if the key is present, and returns the status.
///
/// # Safety
/// `value` is NULL or writable.
#[inline(always)]
unsafe fn found(present: Option<u64>, value: *mut u64) -> Result<i32, i32> {
    let Some(present) = present else {
        return Ok(MASSTREE_NOT_FOUND);
    };
    // SAFETY: as this function's contract.
    unsafe { write_output(value, present) };
    Ok(MASSTREE_OK)
}
