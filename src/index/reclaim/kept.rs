//! Objects that a domain keeps until it ends.
//!
//! **Protocol.** A domain may be created to *keep* everything: nothing that a reader may have reached
//! is freed before the domain is destroyed ([`Line::DisplacedIsKept`]). What [`Pinned::retire`] would
//! pass to seize joins a list instead, and is freed with the domain. So a reader follows pointers
//! without a guard: whatever it has reached stays readable, and a node that has left the tree stays
//! deleted, and is never reused. It finds what a reader under a guard finds that was entered before
//! the read began and left after it ended. [`UnguardedPin`] stands for such a guard.
//!
//! Writers enter guards all the same: a flush or a barrier waits for them.
//!
//! The lists come from the global allocator, as seize's do: retiring cannot fail.

use std::marker::PhantomData;
use std::ptr::NonNull;
use std::sync::Mutex;

use crossbeam_utils::CachePadded;
use seize::Collector;

use super::guard::PinState;
use super::thread::CallThread;
use super::{Domain, Pinned};
use crate::annotate::Owned;
use crate::errno;
use crate::index::memory::{OutOfMemory, STRIPES, Source, own_stripe};
use crate::protocol::Line;

/// An object, and the function that frees it.
struct Kept {
    object: *mut (),
    free: unsafe fn(*mut (), &Collector),
}

// SAFETY: objects that are retired may be freed on any thread.
unsafe impl Send for Kept {}

type Lists = [CachePadded<Mutex<Vec<Kept>>>; STRIPES];

/// What a domain keeps: lists, each for the guards of a stripe.
pub(super) struct Keeper {
    lists: NonNull<Lists>,
}

impl Keeper {
    pub(super) fn new(source: Source) -> Result<Self, OutOfMemory> {
        let lists = source.allocate_array(|| CachePadded::new(Mutex::new(Vec::new())));
        Ok(Self {
            lists: lists.ok_or(OutOfMemory)?,
        })
    }

    fn lists(&self) -> &Lists {
        // SAFETY: made by `new`, and freed by `free`.
        unsafe { self.lists.as_ref() }
    }

    /// Keeps an object.
    ///
    /// # Safety
    /// `free` frees the object, which is kept once.
    pub(super) unsafe fn keep(
        &self,
        stripe: usize,
        object: *mut (),
        free: unsafe fn(*mut (), &Collector),
    ) {
        let mut list = Owned::from(errno::lock(&self.lists()[stripe]));
        list.push(Kept { object, free });
    }

    /// Frees everything that was kept.
    ///
    /// # Safety
    /// No other thread uses the domain or holds a reference into it.
    pub(super) unsafe fn free_all(&self, collector: &Collector) {
        for list in self.lists() {
            // A statement of its own: the functions of the user's that free run without the lock.
            let kept = std::mem::take(&mut *Owned::from(errno::lock(list)));
            for Kept { object, free } in kept {
                // SAFETY: by contract, and that of `keep`.
                unsafe { free(object, collector) };
            }
        }
    }

    /// Frees the lists, which are empty.
    ///
    /// # Safety
    /// Nothing uses the keeper any more.
    pub(super) unsafe fn free(self, source: Source) {
        // SAFETY: made by `new`; the rest by contract.
        unsafe { source.drop_and_free(self.lists) }
    }
}

/// A pin without a guard, of a domain that keeps everything. Of one thread at a time.
pub(crate) struct UnguardedPin<'t> {
    state: PinState,
    domain: PhantomData<&'t Domain>,
}

impl UnguardedPin<'_> {
    /// Returns the pin, for reads only: a write needs a guard.
    #[inline]
    pub(crate) fn pin(&self) -> Pinned<'_> {
        self.state.pin_unguarded()
    }

    /// Returns the state, of which no pin exists.
    pub(super) fn into_state(self) -> PinState {
        self.state
    }
}

impl Domain {
    /// Returns a pin without a guard; `None` if the domain does not keep everything.
    #[inline]
    pub(crate) fn unguarded(&self) -> Option<UnguardedPin<'_>> {
        self.keeper.as_ref().map(|_| UnguardedPin {
            state: PinState::new(self, own_stripe(), CallThread::ANYWHERE),
            domain: PhantomData,
        })
    }

    /// Whether the domain keeps what would be retired.
    #[inline]
    pub(super) fn keeps(&self) -> bool {
        self.keeper.is_some() && Line::DisplacedIsKept.is_enabled()
    }
}

impl Pinned<'_> {
    /// Keeps an object, in a domain that keeps everything.
    ///
    /// # Safety
    /// As `Keeper::keep`.
    #[cold]
    pub(super) unsafe fn keep(self, object: *mut (), free: unsafe fn(*mut (), &Collector)) {
        let Some(keeper) = &self.domain().keeper else {
            unreachable!("the domain keeps everything");
        };
        // SAFETY: by contract.
        unsafe { keeper.keep(self.stripe(), object, free) }
    }
}
