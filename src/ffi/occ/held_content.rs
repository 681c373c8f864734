//! The content of a `masstree_held_t`.

use std::mem::MaybeUninit;
use std::ptr::{NonNull, addr_of_mut};

use super::held::HeldLeaf;
use crate::ffi::boundary::tree_of;
use crate::ffi::handle::TreeHandle;
use crate::ffi::index::update::{
    MASSTREE_ACTION_KEEP, MASSTREE_ACTION_REMOVE, MASSTREE_ACTION_SET,
};
use crate::ffi::status::*;
use crate::index::node::{Delta, Observation};
use crate::index::reclaim::{LocalGuard, Pinned, Slot, pin_of};
#[cfg(not(all(
    any(target_arch = "x86_64", target_arch = "aarch64"),
    target_os = "linux",
    not(any(loom, shuttle, miri))
)))]
use crate::index::tree::with_holder;
use crate::index::tree::{Decision, Held, HeldReady, HeldShort, HeldSplit, Holder, Tree};
use crate::sync::{Ordering, fence};

/// The content of a `HeldLeaf`. It is valid while the leaf is held, which the thread's `Holder`
/// records, and after the hold was finished, which `seal` records.
pub(super) struct Content {
    /// [`holding_seal_of`] this content's address while its leaf is held, and [`seal_of`] it once the
    /// hold is finished. Other memory has these values only by chance; a copy of the content does
    /// not, since it has another address.
    pub(super) seal: usize,
    /// The holder of the thread that holds the leaf. Valid while the leaf is held.
    pub(super) holder: NonNull<Holder>,
    /// Once the hold is finished, if the place is `Past`: the version that the leaf had then.
    pub(super) version_left: u64,
    pub(super) tree: NonNull<TreeHandle>,
    /// The guard's slot. If `None`, `local` is the guard, or the leaf is held without one.
    pub(super) slot: Option<NonNull<Slot>>,
    /// Whether `local` is entered.
    pub(super) is_local: bool,
    /// The flags that were passed to `masstree_hold`.
    pub(super) flags: u32,
    /// Once the hold is finished, if the place is `Short` or `Ready`: how it left the leaf.
    pub(super) left: Left,
    pub(super) place: Place,
    /// Whether the hold of a short key has split a leaf. Written if the place is `Short`, and
    /// `false` if it is `Ready`.
    pub(super) has_split: bool,
    /// The delta of the hold, with `MASSTREE_HOLD_DELTA`, if the place is `Long` or `Past`.
    pub(super) delta: MaybeUninit<Delta>,
    pub(super) created: MaybeUninit<[Observation; CREATED]>,
    /// A guard through the thread's own reservation. It must not move: pins point into it.
    pub(super) local: MaybeUninit<LocalGuard<'static>>,
}

/// How a finished hold of a short key has left the leaf.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    /// Its version is the one at which it was locked.
    Unchanged,
    /// The key was inserted or removed.
    Changed,
    /// The key was removed, and was the leaf's only entry.
    Emptied,
}

/// The number of created leaves for which a content's delta has room. Making room for a key creates
/// at most one leaf for each eight bytes of the key, and two more: so this suffices for all but
/// long keys.
pub(super) const CREATED: usize = 10;

/// The place of the key, held or finished.
pub(super) enum Place {
    /// A short key, and what the hold has split, if `has_split`; stays after the hold was finished.
    Short(HeldShort<'static>, MaybeUninit<HeldSplit>),
    /// A key for which nothing was changed; stays after the hold was finished.
    Ready(HeldReady<'static, 'static>),
    /// Any other key, while it is held.
    Long(Held<'static, 'static>),
    /// A `Long` key, after the hold was finished: observations of the leaf in which the key
    /// was located, and of the leaf that was locked.
    Past {
        original: Observation,
        now: Observation,
    },
}

const _: () = assert!(size_of::<Content>() <= size_of::<HeldLeaf>());
const _: () = assert!(align_of::<Content>() <= align_of::<HeldLeaf>());

/// Returns the seal of a hold of this thread whose content is at this address.
#[inline(always)]
pub(super) fn holding_seal_of(held: *const HeldLeaf) -> usize {
    held.addr() ^ thread_word() ^ 0x0DDB_A115_CA1E_57E5
}

/// Returns a word that differs from that of every other thread.
#[inline(always)]
fn thread_word() -> usize {
    #[cfg(all(
        any(target_arch = "x86_64", target_arch = "aarch64"),
        target_os = "linux",
        not(any(loom, shuttle, miri))
    ))]
    {
        let word;
        #[cfg(target_arch = "x86_64")]
        // SAFETY: on Linux, the first word of a thread's control block is the block's address.
        unsafe {
            std::arch::asm!(
                "mov {word}, qword ptr fs:[0]",
                word = out(reg) word,
                options(pure, readonly, nostack, preserves_flags),
            );
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: on Linux, this register has the address of the thread's control block.
        unsafe {
            std::arch::asm!(
                "mrs {word}, tpidr_el0",
                word = out(reg) word,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
        word
    }
    #[cfg(not(all(
        any(target_arch = "x86_64", target_arch = "aarch64"),
        target_os = "linux",
        not(any(loom, shuttle, miri))
    )))]
    with_holder(|holder| std::ptr::from_ref(holder).addr())
}

/// Returns the seal of a finished hold whose content is at this address.
#[inline(always)]
pub(super) fn seal_of(held: *const HeldLeaf) -> usize {
    held.addr() ^ 0x5EA1_ED0F_4A11_D0E5
}

impl Place {
    /// Whether the key can be set: it is present, or `masstree_hold` made room for it.
    #[inline(always)]
    pub(super) fn admits_set(&self) -> bool {
        match self {
            Self::Short(place, _) => place.can_set(),
            Self::Ready(held) => held.place().can_set(),
            Self::Long(place) => place.value().is_some() || place.has_room(),
            Self::Past { .. } => false,
        }
    }

    pub(super) fn original(&self) -> Observation {
        match self {
            Self::Short(place, _) => place.now(),
            Self::Ready(held) => held.place().now(),
            Self::Long(place) => place.original(),
            Self::Past { original, .. } => *original,
        }
    }

    pub(super) fn now(&self) -> Observation {
        match self {
            Self::Short(place, _) => place.now(),
            Self::Ready(held) => held.place().now(),
            Self::Long(place) => place.now(),
            Self::Past { now, .. } => *now,
        }
    }

    /// An observation of the leaf as this decision will leave it.
    pub(super) fn next(&self, decision: Decision) -> Observation {
        match self {
            Self::Short(place, _) => place.next(decision),
            Self::Ready(held) => held.place().next(decision),
            Self::Long(place) => place.next(decision),
            Self::Past { now, .. } => *now,
        }
    }
}

impl Content {
    /// What the hold has split, if it did so for a short key.
    pub(super) fn split(&self) -> Option<&HeldSplit> {
        match &self.place {
            // SAFETY: written then.
            Place::Short(_, split) if self.has_split => Some(unsafe { split.assume_init_ref() }),
            _ => None,
        }
    }

    /// An observation of the leaf in which the key was located, before room was made.
    pub(super) fn original(&self) -> Observation {
        self.split()
            .map_or_else(|| self.place.original(), HeldSplit::original)
    }

    /// The version of the leaf when the hold was finished.
    pub(super) fn version_left(&self) -> u64 {
        let is_changed = self.left != Left::Unchanged;
        match &self.place {
            Place::Short(place, _) => place.left(is_changed).version,
            Place::Ready(held) => held.place().left(is_changed).version,
            Place::Long(_) | Place::Past { .. } => self.version_left,
        }
    }

    /// Whether the leaf is held without a guard.
    #[inline(always)]
    pub(super) fn is_unguarded(&self) -> bool {
        self.slot.is_none() && !self.is_local
    }

    /// Returns a pin, without a recorder, of the guard under which the leaf is held.
    ///
    /// # Safety
    /// The leaf is held under a guard. During `'g`, the guard is neither refreshed nor left, and this
    /// content is not moved.
    #[inline(always)]
    pub(super) unsafe fn pin<'g>(&self) -> Pinned<'g> {
        match self.slot {
            // SAFETY: by contract.
            Some(slot) => unsafe { pin_of(slot) },
            // SAFETY: by contract, the local guard was entered, and does not move.
            None => unsafe { &*self.local.as_ptr() }.pin(),
        }
    }

    /// Enters the local guard, and returns its pin. What this thread loads afterwards is as new as the
    /// guard, the number of clearings, too: see `write::held_unguarded`.
    ///
    /// # Safety
    /// It is not entered, nor is there another guard; `content` does not move before it is left.
    pub(super) unsafe fn enter_local(content: *mut Self, tree: &'static Tree) -> Pinned<'static> {
        // SAFETY: as this function's contract.
        unsafe {
            let local = addr_of_mut!((*content).local).cast::<LocalGuard<'static>>();
            local.write(tree.local_guard_inlined());
            addr_of_mut!((*content).is_local).write(true);
            // Without `membarrier`, entering is a SeqCst store, which a relaxed load may overtake on
            // Arm. Pairs with the fence that seize executes before it looks at the guards.
            fence(Ordering::SeqCst);
            (*local).pin()
        }
    }

    /// Leaves the local guard, if it was entered.
    #[inline(always)]
    pub(super) fn leave_local(&mut self) {
        if self.is_local {
            self.is_local = false;
            // SAFETY: it was entered, and is left once.
            unsafe { self.local.assume_init_drop() };
        }
    }
}

/// Returns the content of `held`, in which this thread holds a leaf, or a hold was finished.
///
/// # Safety
/// `held` is NULL or readable; if it was passed to `masstree_hold`, only the library has written to
/// it since.
pub(super) unsafe fn content<'c>(held: *const HeldLeaf) -> Result<&'c Content, i32> {
    if held.is_null() {
        return Err(MASSTREE_INVALID);
    }
    let content = held.cast::<Content>();
    // SAFETY: by contract.
    unsafe {
        if (*content).seal == holding_seal_of(held) {
            // Fails in a forked child: the leaf belongs to the parent process.
            tree_of((*content).tree.as_ptr())?;
        } else if (*content).seal != seal_of(held) {
            return Err(MASSTREE_INVALID);
        }
        Ok(&*content)
    }
}

/// Converts an action from C; fails on an unknown one.
#[inline(always)]
pub(super) fn decision_of(action: i32, value: u64) -> Result<Decision, i32> {
    match action {
        MASSTREE_ACTION_KEEP => Ok(Decision::Keep),
        MASSTREE_ACTION_SET => Ok(Decision::Set(value)),
        MASSTREE_ACTION_REMOVE => Ok(Decision::Remove),
        _ => Err(MASSTREE_INVALID),
    }
}
