//! How a key is held: as a short key if possible, under a guard or without one.

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::ptr::{NonNull, addr_of_mut};

use super::held::{HeldLeaf, MASSTREE_HOLD_DELTA, MASSTREE_HOLD_INSERT, MASSTREE_HOLD_TRY};
use super::held_content::{CREATED, Content, Place, holding_seal_of};
use crate::ffi::boundary::{
    ValueKind, check_kind, key_bytes, status_of, tree_of, under_guard, write_output,
};
use crate::ffi::handle::{self, GuardHandle, TreeHandle};
use crate::ffi::status::*;
use crate::index::key::SLICE_LEN;
use crate::index::node::{Delta, DeltaRecorder, Observation};
use crate::index::reclaim::{Pinned, Slot, recorder_of};
use crate::index::tree::{FullLeaf, Holder, Tree, with_holder};

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
        if key.is_null() || key_len > SLICE_LEN || recorder_of(slot).is_some() {
            let key = key_bytes(key, key_len)?;
            let (inner, pin) = under_guard(tree, slot, ValueKind::Words)?;
            begin(held.cast(), tree, Some(slot), flags, holder);
            let pin = pin.with_recorder(recorder_of(slot));
            return hold_guarded(held.cast(), inner, pin, key, value, holder);
        }
        let key = std::slice::from_raw_parts(key.cast(), key_len);
        let (inner, pin) = under_guard(tree, slot, ValueKind::Words)?;
        begin(held.cast(), tree, Some(slot), flags, holder);
        hold_pinned(held.cast(), inner, pin, key, value, holder)
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

/// Writes what is known before the key is held, so that it need not stay in registers.
///
/// # Safety
/// As `masstree_hold`, whose arguments were checked; the tree is not NULL.
#[inline(always)]
unsafe fn begin(
    content: *mut Content,
    tree: *mut TreeHandle,
    slot: Option<NonNull<Slot>>,
    flags: u32,
    holder: &Holder,
) {
    // SAFETY: by contract, this is memory for a held leaf.
    unsafe {
        addr_of_mut!((*content).seal).write(0);
        addr_of_mut!((*content).holder).write(NonNull::from(holder));
        addr_of_mut!((*content).tree).write(NonNull::new_unchecked(tree));
        addr_of_mut!((*content).slot).write(slot);
        addr_of_mut!((*content).is_local).write(false);
        addr_of_mut!((*content).flags).write(flags);
    }
}

/// [`hold_under`] in all but the most frequent case, once the content is begun.
///
/// # Safety
/// As `masstree_hold`.
#[inline(never)]
unsafe fn hold_guarded(
    content: *mut Content,
    inner: &'static Tree,
    pin: Pinned<'static>,
    key: &'static [u8],
    value: *mut u64,
    holder: &Holder,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe { hold_pinned(content, inner, pin, key, value, holder) }
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
        let inner: &'static Tree = tree_of(tree)?;
        check_kind(inner, ValueKind::Words)?;
        let content = held.cast::<Content>();
        begin(content, tree, None, flags, holder);
        let may_insert = flags & MASSTREE_HOLD_INSERT != 0;
        match inner.hold_unguarded(key, may_insert, holder, content.cast()) {
            Ok((place, present)) => {
                addr_of_mut!((*content).has_split).write(false);
                complete(content, Place::Short(place, MaybeUninit::uninit()));
                found(present, value)
            }
            Err(full) => hold_local(content, inner, key, full, value, holder),
        }
    };
    status_of(|| with_holder(hold))
}

/// Completes a `masstree_hold` for which [`Tree::hold_unguarded`] does not suffice: enters the
/// content's local guard.
///
/// # Safety
/// As `hold_pinned`.
#[inline(never)]
unsafe fn hold_local(
    content: *mut Content,
    inner: &'static Tree,
    key: &'static [u8],
    full: Option<FullLeaf<'static, 'static>>,
    value: *mut u64,
    holder: &Holder,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let pin = Content::enter_local(content, inner);
        match full {
            // The leaf is in the tree, now that there is a guard: see `write::held_unguarded`.
            Some(full) if !full.is_overtaken(inner) => {
                hold_full(content, inner, pin, key, full, value, holder)
            }
            Some(full) => {
                inner.release_overtaken(full.into_leaf());
                hold_pinned(content, inner, pin, key, value, holder)
            }
            None => hold_pinned(content, inner, pin, key, value, holder),
        }
    }
}

/// Completes a hold for which the locked leaf needs room.
///
/// # Safety
/// As `hold_pinned`.
#[inline(always)]
unsafe fn hold_full(
    content: *mut Content,
    inner: &'static Tree,
    pin: Pinned<'static>,
    key: &'static [u8],
    full: FullLeaf<'static, 'static>,
    value: *mut u64,
    holder: &Holder,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        match (*content).flags & MASSTREE_HOLD_TRY == 0 {
            true => hold_split(content, inner, pin, key, full, value, holder),
            false => hold_long(content, inner, pin, key, Some(full), value, holder),
        }
    }
}

/// Holds a key under a pin, that of the guard or of the content's local guard.
///
/// # Safety
/// As `masstree_hold`; the content is begun.
#[inline(always)]
unsafe fn hold_pinned(
    content: *mut Content,
    inner: &'static Tree,
    pin: Pinned<'static>,
    key: &'static [u8],
    value: *mut u64,
    holder: &Holder,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let may_insert = (*content).flags & MASSTREE_HOLD_INSERT != 0;
        match inner.hold_short(pin, key, may_insert, holder, content.cast()) {
            Ok((place, present)) => {
                addr_of_mut!((*content).has_split).write(false);
                complete(content, Place::Short(place, MaybeUninit::uninit()));
                found(present, value)
            }
            Err(Some(full)) => hold_full(content, inner, pin, key, full, value, holder),
            Err(None) => hold_long(content, inner, pin, key, None, value, holder),
        }
    }
}

/// Completes a `masstree_hold` for which the leaf must be split.
///
/// # Safety
/// As `hold_pinned`.
#[inline(never)]
unsafe fn hold_split(
    content: *mut Content,
    inner: &'static Tree,
    pin: Pinned<'static>,
    key: &'static [u8],
    full: FullLeaf<'static, 'static>,
    value: *mut u64,
    holder: &Holder,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        match inner.hold_split(pin, key, full, holder, content.cast()) {
            Ok((place, split)) => {
                addr_of_mut!((*content).has_split).write(true);
                complete(content, Place::Short(place, MaybeUninit::new(split)));
                Ok(MASSTREE_NOT_FOUND)
            }
            Err(full) => hold_long(content, inner, pin, key, Some(full), value, holder),
        }
    }
}

/// Writes the place of a key that is held now.
///
/// # Safety
/// As `hold_pinned`.
#[inline(always)]
unsafe fn complete(content: *mut Content, place: Place) {
    // SAFETY: as this function's contract.
    unsafe {
        addr_of_mut!((*content).place).write(place);
        addr_of_mut!((*content).seal).write(holding_seal_of(content.cast()));
        handle::set_held_under((*content).slot);
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
/// As `hold_pinned`.
#[inline(never)]
unsafe fn hold_long(
    content: *mut Content,
    inner: &'static Tree,
    pin: Pinned<'static>,
    key: &'static [u8],
    full: Option<FullLeaf<'static, 'static>>,
    value: *mut u64,
    holder: &Holder,
) -> Result<i32, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let flags = (*content).flags;
        let status = if flags & MASSTREE_HOLD_TRY != 0 {
            // Unlocks the leaf before the guard is left.
            drop(full);
            MASSTREE_BUSY
        } else if flags & MASSTREE_HOLD_DELTA != 0 && pin.recorder().is_some() {
            MASSTREE_INVALID
        } else {
            let full = match full {
                None if pin.recorder().is_none() => {
                    let may_insert = flags & MASSTREE_HOLD_INSERT != 0;
                    match inner.hold_ready(pin, key, may_insert, holder, content.cast()) {
                        Ok((ready, present)) => {
                            addr_of_mut!((*content).has_split).write(false);
                            complete(content, Place::Ready(ready));
                            return found(present, value);
                        }
                        Err(full) => Some(full),
                    }
                }
                full => full,
            };
            match hold_with_memory(content, inner, pin, key, full) {
                Ok(present) => return found(present, value),
                Err(status) => status,
            }
        };
        (*content).leave_local();
        Err(status)
    }
}

/// Completes [`hold_long`] for a hold that may need memory or change leaves; returns the key's value.
///
/// # Safety
/// As `hold_pinned`.
#[inline(never)]
unsafe fn hold_with_memory(
    content: *mut Content,
    inner: &'static Tree,
    pin: Pinned<'static>,
    key: &'static [u8],
    full: Option<FullLeaf<'static, 'static>>,
) -> Result<Option<u64>, i32> {
    // SAFETY: as this function's contract.
    unsafe {
        let flags = (*content).flags;
        let may_insert = flags & MASSTREE_HOLD_INSERT != 0;
        let (pin, most_created) = match flags & MASSTREE_HOLD_DELTA {
            0 => (pin, usize::MAX),
            _ => (pin.with_recorder(Some(begin_delta(content))), CREATED),
        };
        let held = inner.hold_from(pin, key, may_insert, full, most_created)?;
        held.keep_in(inner, content.cast());
        let present = held.value();
        complete(content, Place::Long(held));
        Ok(present)
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
