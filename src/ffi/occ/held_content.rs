//! What a `masstree_held_t` contains.

use std::mem::MaybeUninit;
use std::ptr::NonNull;

use super::held::HeldLeaf;
use crate::ffi::boundary::tree_of;
use crate::ffi::handle::TreeHandle;
use crate::ffi::index::update::{
    MASSTREE_ACTION_KEEP, MASSTREE_ACTION_REMOVE, MASSTREE_ACTION_SET,
};
use crate::ffi::status::*;
use crate::index::node::{Delta, Observation};
use crate::index::reclaim::{LocalGuard, Pinned, Slot, pin_of};
use crate::index::tree::{Decision, Held, HeldShort, with_holder};

/// The content of a `HeldLeaf`: while the leaf is held, as the thread's `Holder` knows, and after
/// it was finished, as `seal` says.
pub(super) struct Content {
    /// Says that the hold was finished; nothing else in memory has this value but by chance, not
    /// even a copy of the content.
    pub(super) seal: usize,
    /// After it was finished: the version in which it left the leaf.
    pub(super) version_left: u64,
    pub(super) tree: NonNull<TreeHandle>,
    /// The guard's slot; without, `local` is the guard.
    pub(super) slot: Option<NonNull<Slot>>,
    /// Those of `masstree_hold`.
    pub(super) flags: u32,
    /// Whether a short key was removed, and was its leaf's only one.
    pub(super) is_emptied: bool,
    pub(super) place: Place,
    /// With `MASSTREE_HOLD_DELTA`, and unless the place is short: what is changed.
    pub(super) delta: MaybeUninit<Delta>,
    pub(super) created: MaybeUninit<[Observation; CREATED]>,
    /// Pins through the thread's own reservation; pins point into it, so it stays here.
    pub(super) local: MaybeUninit<LocalGuard<'static>>,
}

/// Created leaves that a delta in a content may list: a layer for each eight bytes of a key, and
/// two.
pub(super) const CREATED: usize = 10;

/// What is known of the key's place.
pub(super) enum Place {
    /// Also after it was finished.
    Short(HeldShort<'static>),
    Long(Held<'static, 'static>),
    /// Finished: the leaf in which the key was looked for, and the one that was locked.
    Past {
        original: Observation,
        now: Observation,
    },
}

const _: () = assert!(size_of::<Content>() <= size_of::<HeldLeaf>());
const _: () = assert!(align_of::<Content>() <= align_of::<HeldLeaf>());

/// The seal of a finished hold in this place.
#[inline(always)]
pub(super) fn seal_of(held: *const HeldLeaf) -> usize {
    held.addr() ^ 0x5EA1_ED0F_4A11_D0E5
}

impl Place {
    /// Whether the key can be set: if it is absent, that requires that room was made for it.
    #[inline(always)]
    pub(super) fn admits_set(&self) -> bool {
        match self {
            Self::Short(place) => place.can_set(),
            Self::Long(place) => place.value().is_some() || place.has_room(),
            Self::Past { .. } => false,
        }
    }

    pub(super) fn original(&self) -> Observation {
        match self {
            Self::Short(place) => place.now(),
            Self::Long(place) => place.original(),
            Self::Past { original, .. } => *original,
        }
    }

    pub(super) fn now(&self) -> Observation {
        match self {
            Self::Short(place) => place.now(),
            Self::Long(place) => place.now(),
            Self::Past { now, .. } => *now,
        }
    }

    /// The leaf after this decision.
    pub(super) fn next(&self, decision: Decision) -> Observation {
        match self {
            Self::Short(place) => place.next(decision),
            Self::Long(place) => place.next(decision),
            Self::Past { now, .. } => *now,
        }
    }
}

impl Content {
    /// The pin under which the leaf is held; records nothing.
    ///
    /// # Safety
    /// The guard, or this content, stays as it is during `'g`.
    #[inline(always)]
    pub(super) unsafe fn pin<'g>(&self) -> Pinned<'g> {
        match self.slot {
            // SAFETY: by contract.
            Some(slot) => unsafe { pin_of(slot) },
            // SAFETY: without a slot, there is a local guard; it stays by contract.
            None => unsafe { &*self.local.as_ptr() }.pin(),
        }
    }

    /// Leaves the local guard, if there is one.
    ///
    /// # Safety
    /// Call it once.
    #[inline(always)]
    pub(super) unsafe fn leave_local(&mut self) {
        if self.slot.is_none() {
            // SAFETY: without a slot, it was entered.
            unsafe { self.local.assume_init_drop() };
        }
    }
}

/// Returns the content of the leaf that this thread holds in `held`, or held and has finished there.
///
/// # Safety
/// `held` is NULL or readable, and the memory has not been touched since `masstree_hold`, if it was
/// passed to that.
pub(super) unsafe fn content<'c>(held: *const HeldLeaf) -> Result<&'c Content, i32> {
    if held.is_null() {
        return Err(MASSTREE_INVALID);
    }
    let content = held.cast::<Content>();
    // SAFETY: by contract.
    unsafe {
        if with_holder(|holder| holder.holds_in(held.cast())) {
            // After a fork the leaf is the parent's, and must not be touched.
            tree_of((*content).tree.as_ptr())?;
        } else if (*content).seal != seal_of(held) {
            return Err(MASSTREE_INVALID);
        }
        Ok(&*content)
    }
}

/// Converts an action from C; does not check the value.
#[inline(always)]
pub(super) fn decision_of(action: i32, value: u64) -> Result<Decision, i32> {
    match action {
        MASSTREE_ACTION_KEEP => Ok(Decision::Keep),
        MASSTREE_ACTION_SET => Ok(Decision::Set(value)),
        MASSTREE_ACTION_REMOVE => Ok(Decision::Remove),
        _ => Err(MASSTREE_INVALID),
    }
}
