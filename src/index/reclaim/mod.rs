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
//! through a thread-local, and lives for one call. A [`Pinned`] is the proof of
//! either that the rest of the library passes around.

mod barrier;
mod fork;
mod guard;
mod hand_over;
mod membarrier;
#[cfg(all(test, loom))]
mod models;
mod retire;
mod slots;
mod thread;

use std::alloc::Layout;
use std::mem::offset_of;
use std::ptr::NonNull;
use std::sync::Once;

use seize::{Collector, Guard as _};

pub(crate) use fork::{generation, is_cut_off};
use guard::HeldGuard;
pub use guard::{Guard, Pinned};
pub(crate) use guard::{LocalGuard, Seen, pin_of, refreshes_of, report_to};
pub use retire::Note;
pub(crate) use slots::Slot;

use crate::errno;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Allocator, Memory, Source};
use crate::index::value::{ByteString, Values};
use slots::Slots;

/// How many retired objects are handed over at once. A `membarrier` interrupts every thread of
/// the process, and is dear in virtual machines: two threads that loaded keys of 24 bytes were
/// faster by a quarter than with seize's 32. With 256 they were no faster, with 1024 URLs were
/// loaded more slowly, and small trees have that much waiting.
const BATCH: usize = 128;

/// The first barrier of the process: where the kernel refuses `membarrier` (the first of the two),
/// and where it allows it. What seize needs for it is made at its first barrier, and may set
/// `errno` (`mlock`), so that barrier is not left to a flush or a retirement.
static FIRST_BARRIERS: [Once; 2] = [const { Once::new() }; 2];

/// What a tree is made with.
#[derive(Clone, Copy)]
pub struct Options {
    /// What is under its keys.
    pub values: Values,
    /// Where its memory comes from; `None`: the global allocator.
    pub allocator: Option<Allocator>,
    /// Bytes that the node pool asks for at once, at least one node's; 0: from 1 KiB,
    /// growing to 2 MiB.
    pub chunk_size: usize,
    /// Whether large trees get huge pages, where the kernel has them, the memory is not the
    /// user's and `chunk_size` is 0.
    pub huge_pages: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            values: Values::Words(None),
            allocator: None,
            chunk_size: 0,
            huge_pages: true,
        }
    }
}

/// What belongs to one tree and outlives every node of it.
pub(crate) struct Domain {
    collector: Collector,
    pub(crate) memory: Memory,
    values: Values,
    slots: Slots,
    /// Of the process that made it (see `fork`).
    pub(crate) generation: u32,
    /// Among all domains (see `fork`).
    links: fork::Links,
}

/// How long guards have been held.
pub(crate) struct Held {
    pub(crate) guards: u64,
    /// Since the oldest was entered or refreshed, in milliseconds.
    pub(crate) oldest: u64,
}

impl Domain {
    /// A new domain on the heap, freed with `destroy`.
    pub(crate) fn create(options: &Options) -> Result<NonNull<Self>, OutOfMemory> {
        let source = Source::new(options.allocator);
        let place = source.allocate(Layout::new::<Self>()).ok_or(OutOfMemory)?;
        let place = place.cast::<Self>();
        // Seize, too, makes something once in a process.
        let collector = {
            let _inside = fork::inside();
            // Both ask the kernel for `membarrier`, which may refuse.
            errno::keep(|| {
                let barrier = &FIRST_BARRIERS[usize::from(membarrier::remember())];
                let collector = Collector::new().batch_size(BATCH);
                // A flush of nothing issues a barrier.
                barrier.call_once(|| collector.enter_owned().flush());
                collector
            })
        };
        // SAFETY: freshly allocated for a domain.
        unsafe {
            place.write(Self {
                collector,
                memory: Memory::new(source, options.chunk_size, options.huge_pages),
                values: options.values,
                slots: Slots::new(),
                generation: generation(),
                links: fork::Links::default(),
            });
        }
        // For `of`.
        let _ = place.as_ptr().expose_provenance();
        // SAFETY: `destroy` forgets it.
        unsafe { fork::remember(place) };
        Ok(place)
    }

    /// Frees everything retired, then the domain itself.
    ///
    /// # Safety
    /// The domain came from `create`; nobody else uses it or holds a guard of it,
    /// and no node of its memory is left.
    pub(crate) unsafe fn destroy(mut domain: NonNull<Self>) {
        // SAFETY: by contract.
        unsafe {
            fork::forget(domain);
            let source = domain.as_ref().memory.source();
            domain.as_mut().slots.free(source);
            source.unmake(domain);
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
    pub(crate) unsafe fn of(collector: &Collector) -> &Self {
        let address = std::ptr::from_ref(collector).addr() - offset_of!(Self, collector);
        // SAFETY: every domain's provenance was exposed in `create`, and this one
        // lives.
        unsafe { &*std::ptr::with_exposed_provenance(address) }
    }

    /// Number of keys; exact when no thread is writing.
    pub(crate) fn keys(&self) -> u64 {
        self.memory.tally().keys()
    }

    /// Whether values are byte strings of the tree's.
    #[inline]
    pub(crate) fn holds_bytes(&self) -> bool {
        matches!(self.values, Values::Bytes)
    }

    /// Destroys a value as its kind asks.
    ///
    /// # Safety
    /// As [`crate::index::value::Destructor::destroy`].
    pub(crate) unsafe fn destroy_value(&self, value: u64) {
        // SAFETY: by contract.
        unsafe {
            match self.values {
                Values::Words(None) => {}
                Values::Words(Some(destructor)) => destructor.destroy(value),
                Values::Bytes => ByteString::free(&self.memory, value),
            }
        }
    }

    /// How many guards are held, and how long the oldest has been.
    pub(crate) fn held(&self) -> Held {
        let (guards, oldest) = self.slots.taken();
        Held {
            guards,
            oldest: oldest.map_or(0, |since| slots::now().saturating_sub(since)),
        }
    }
}
