//! Freeing memory that readers may still hold: guards and retirement, over seize.
//!
//! **Protocol.** A reader holds a guard of the tree's [`Domain`] while it follows
//! pointers. A writer that takes an object out of the tree first removes every
//! pointer that leads to it, then retires it. Seize frees it when every guard
//! that was held at the retirement has been refreshed or left (Hyaline-1:
//! Nikolaev and Ravindran, PLDI 2021). Loads of pointers that this rests on are
//! `SeqCst`, as seize's own `Guard::protect` makes them; entering a guard is a
//! plain store, because retiring issues a `membarrier` system call per batch.
//!
//! Guards come in two kinds. A [`Guard`] owns a slot in the collector and may
//! move between threads. A [`LocalGuard`] uses the slot of its thread, found
//! through a thread-local, and lives for one call. A [`Pin`] is the proof of
//! either that the rest of the library passes around.

mod retire;
mod thread;

use std::alloc::{Layout, alloc, dealloc};
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;
use seize::{Collector, Guard as _};

use crate::OutOfMemory;
use crate::node::Memory;
use crate::value::Destructor;

/// Counters over which the number of keys is spread.
const STRIPES: usize = 16;

/// What belongs to one tree and outlives every node of it.
pub(crate) struct Domain {
    collector: Collector,
    pub(crate) memory: Memory,
    destructor: Option<Destructor>,
    /// Keys inserted less keys removed, spread so that threads do not meet.
    keys: [CachePadded<AtomicI64>; STRIPES],
    /// The stripe that the next guard counts in.
    next_stripe: AtomicUsize,
}

impl Domain {
    /// A new domain on the heap, freed with `destroy`.
    pub(crate) fn create(destructor: Option<Destructor>) -> Result<NonNull<Self>, OutOfMemory> {
        // SAFETY: the layout is not of size zero.
        let place = unsafe { alloc(Layout::new::<Self>()) }.cast::<Self>();
        let place = NonNull::new(place).ok_or(OutOfMemory)?;
        let domain = Self {
            collector: Collector::new(),
            memory: Memory::new(),
            destructor,
            keys: std::array::from_fn(|_| CachePadded::new(AtomicI64::new(0))),
            next_stripe: AtomicUsize::new(0),
        };
        // SAFETY: freshly allocated for a domain.
        unsafe { place.write(domain) };
        // For `of`.
        let _ = place.as_ptr().expose_provenance();
        Ok(place)
    }

    /// Frees everything retired, then the domain itself.
    ///
    /// # Safety
    /// The domain came from `create`; nobody else uses it or holds a guard of it,
    /// and no node of its memory is left.
    pub(crate) unsafe fn destroy(domain: NonNull<Self>) {
        // SAFETY: by contract.
        unsafe {
            domain.drop_in_place();
            dealloc(domain.as_ptr().cast(), Layout::new::<Self>());
        }
    }

    /// Frees everything retired so far.
    ///
    /// # Safety
    /// Nobody else uses the domain or holds a guard of it.
    pub(crate) unsafe fn reclaim_all(&self) {
        // SAFETY: by contract.
        unsafe { self.collector.reclaim_all() }
    }

    /// The domain that a collector is part of.
    ///
    /// # Safety
    /// The collector is part of a living domain.
    unsafe fn of(collector: &Collector) -> &Self {
        let address = std::ptr::from_ref(collector).addr() - offset_of!(Self, collector);
        // SAFETY: every domain's provenance was exposed in `create`, and this one
        // lives.
        unsafe { &*std::ptr::with_exposed_provenance(address) }
    }

    /// Number of keys; exact when no thread is writing.
    pub(crate) fn keys(&self) -> u64 {
        let total: i64 = self
            .keys
            .iter()
            .map(|stripe| stripe.load(Ordering::Relaxed))
            .sum();
        total.max(0) as u64
    }

    /// Runs the value destructor, if there is one.
    ///
    /// # Safety
    /// As [`Destructor::destroy`].
    pub(crate) unsafe fn destroy_value(&self, value: u64) {
        if let Some(destructor) = self.destructor {
            // SAFETY: by contract.
            unsafe { destructor.destroy(value) }
        }
    }

    pub(crate) fn has_destructor(&self) -> bool {
        self.destructor.is_some()
    }

    #[inline]
    pub(crate) fn enter_local(&self) -> LocalGuard<'_> {
        match thread::state() {
            thread::State::Running => LocalGuard::Slot(self, self.collector.enter()),
            state => self.enter_local_slow(state),
        }
    }

    #[cold]
    fn enter_local_slow(&self, state: thread::State) -> LocalGuard<'_> {
        if state == thread::State::Exiting {
            return LocalGuard::Owned(self.enter());
        }
        let guard = self.collector.enter();
        thread::watch_exit();
        LocalGuard::Slot(self, guard)
    }

    pub(crate) fn enter(&self) -> Guard<'_> {
        // No thread-local is touched: an owned guard can be had at any time.
        let stripe = self.next_stripe.fetch_add(1, Ordering::Relaxed) % STRIPES;
        Guard {
            domain: self,
            stripe,
            guard: self.collector.enter_owned(),
        }
    }
}

/// Pins what is read through it until it is refreshed or dropped. May move
/// between threads; see `masstree_guard_t` in the C header.
pub struct Guard<'t> {
    domain: &'t Domain,
    stripe: usize,
    guard: seize::OwnedGuard<'t>,
}

impl Guard<'_> {
    /// The proof of being pinned that operations take.
    #[inline]
    pub fn pin(&self) -> Pin<'_> {
        Pin {
            domain: self.domain,
            stripe: self.stripe,
            via: Via::Owned(&self.guard),
        }
    }

    /// Hands what was retired under this guard over to be freed, without waiting
    /// until a batch has come together; it is freed once every guard held now has
    /// been refreshed or left, this one included.
    pub fn flush(&self) {
        self.guard.flush();
    }

    /// Lets go of everything read so far and pins anew.
    pub fn refresh(&mut self) {
        self.guard.refresh();
    }
}

/// Pins for one call, through the thread's own slot, or, in a thread that is
/// exiting, through a slot of its own. Never handed to a user: one that is
/// forgotten instead of dropped would leave the thread's count of guards too high
/// for good, and the next thread with that slot unprotected.
pub(crate) enum LocalGuard<'t> {
    Slot(&'t Domain, seize::LocalGuard<'t>),
    Owned(Guard<'t>),
}

impl LocalGuard<'_> {
    #[inline]
    pub(crate) fn pin(&self) -> Pin<'_> {
        match self {
            Self::Slot(domain, guard) => Pin {
                domain,
                stripe: guard.thread_id() % STRIPES,
                via: Via::Local(guard),
            },
            Self::Owned(guard) => guard.pin(),
        }
    }
}

#[derive(Clone, Copy)]
enum Via<'g> {
    Local(&'g seize::LocalGuard<'g>),
    Owned(&'g seize::OwnedGuard<'g>),
}

/// The proof that a guard is held for `'g`.
#[derive(Clone, Copy)]
pub struct Pin<'g> {
    domain: &'g Domain,
    stripe: usize,
    via: Via<'g>,
}

impl<'g> Pin<'g> {
    #[inline]
    pub(crate) fn domain(&self) -> &'g Domain {
        self.domain
    }

    /// Counts a key that was inserted (1) or removed (-1).
    #[inline]
    pub(crate) fn count_key(&self, change: i64) {
        self.domain.keys[self.stripe].fetch_add(change, Ordering::Relaxed);
    }
}
