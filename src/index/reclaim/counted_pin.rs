//! The pin of an object that lives longer than a call, such as a cursor.
//!
//! It is that of a guard, or, in a domain that keeps everything, one without a guard. A guard counts how
//! often it was refreshed: when the count has changed, the object has no reference into the tree any
//! more.

use std::ptr::NonNull;

use super::guard::{PinState, Pinned};
use super::kept::UnguardedPin;
use super::slots::Slot;

/// The state of pins, which is not moved while one exists, and how often its guard was refreshed.
pub(crate) struct CountedPin {
    pub(super) state: PinState,
    pub(super) refreshes: u64,
}

impl From<UnguardedPin<'_>> for CountedPin {
    fn from(unguarded: UnguardedPin<'_>) -> Self {
        Self {
            state: unguarded.into_state(),
            refreshes: 0,
        }
    }
}

/// Returns the state of the guard that a slot holds.
///
/// # Safety
/// The slot came from `Guard::into_raw`. The result is used until the guard is dropped.
pub(crate) unsafe fn counted_pin_of(slot: NonNull<Slot>) -> NonNull<CountedPin> {
    // SAFETY: by contract.
    unsafe { NonNull::new_unchecked(&raw mut (*slot.as_ref().guard()).counted) }
}

/// Returns how many times the guard was refreshed.
///
/// # Safety
/// The guard, or the state, still exists, and the guard is not refreshed during this call.
#[inline]
pub(crate) unsafe fn refreshes_of(counted: NonNull<CountedPin>) -> u64 {
    // SAFETY: by contract.
    unsafe { (*counted.as_ptr()).refreshes }
}

/// Returns a pin.
///
/// # Safety
/// The guard, or the state, exists during `'g`, and the guard is not refreshed meanwhile; without a
/// guard, the domain exists, too.
#[inline]
pub(crate) unsafe fn pin_of_counted<'g>(counted: NonNull<CountedPin>) -> Pinned<'g> {
    // SAFETY: by contract.
    unsafe { (*counted.as_ptr()).state.pin_unguarded() }
}
