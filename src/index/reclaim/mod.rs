//! Frees memory that readers may still hold: guards and retirement, over seize.
//!
//! **Protocol.** A reader holds a guard of the tree's [`Domain`] while it follows pointers. A
//! writer that takes an object out of the tree first removes every pointer to it, then retires
//! it. Seize frees it when every guard that was held at the retirement has been refreshed or
//! left (Hyaline-1: Nikolaev and Ravindran, PLDI 2021). Readers load the pointers that they follow
//! with `SeqCst`, as seize's own `Guard::protect` does; entering a guard is a plain store, because
//! retiring issues a `membarrier` system call for each batch.
//!
//! Two kinds of guards exist. A [`Guard`] owns a slot and may move between threads. A
//! [`LocalGuard`] uses its thread's reservation in seize, found through a thread-local, and
//! lives for one call. A [`Pinned`] proves that one of them is held; the functions of the tree take
//! it as an argument.

mod barrier;
mod counted_pin;
mod flush;
mod fork;
mod guard;
mod hint;
mod kept;
mod leaves;
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

pub(crate) use counted_pin::{CountedPin, counted_pin_of, pin_of_counted, refreshes_of};
pub(crate) use fork::{cannot_create_trees, generation, watch_forks};
use guard::GuardState;
pub(crate) use guard::{CountedCall, LocalGuard, pin_of, recorder_of, set_recorder};
pub use guard::{Guard, Pinned};
pub(crate) use hint::HintedLeaf;
pub(crate) use kept::UnguardedPin;
pub(crate) use retire::Retire;
pub use retire::RetiredObject;
pub(crate) use slots::Slot;

use crate::errno;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{HugePages, Memory, Source};
use crate::index::node::SharedChain;
use crate::index::value::{KindId, Values};
use kept::Keeper;
use slots::Slots;

/// How many retired objects seize collects before it tries to free them. A `membarrier`
/// interrupts every thread of the process, and is expensive in virtual machines: two threads
/// loading keys of 24 bytes were a quarter faster than with seize's 32. With 256 they were no
/// faster; with 1024, URLs were loaded more slowly, and even in a small tree up to 1023 objects
/// would wait for their batch to fill.
const BATCH: usize = 128;

/// Execute seize's first barrier of this process: index 1 if the kernel allows `membarrier`, index
/// 0 if it does not. Seize sets up a barrier when it first executes one, which may set `errno`
/// (`mlock`). So the first barrier is executed within `errno::preserve`, when a tree is created,
/// and not in a flush or a retirement.
static FIRST_BARRIERS: [Once; 2] = [const { Once::new() }; 2];

/// The part of a tree that outlives all of its nodes.
pub(crate) struct Domain {
    collector: Collector,
    pub(crate) memory: Memory,
    values: Values,
    slots: Slots,
    /// If the domain keeps everything (see `kept`).
    keeper: Option<Keeper>,
    /// Generation of the process that created the domain (see `fork`).
    pub(crate) generation: u32,
    /// Links in the list of all domains (see `fork`).
    links: fork::Links,
    /// Leaves of cleared trees that were to be freed while a thread held them without a guard.
    pub(in crate::index) held_back: SharedChain,
}

/// How many guards are held, and for how long.
pub(crate) struct HeldGuards {
    pub(crate) guards: u64,
    /// Milliseconds since the oldest was entered or last refreshed.
    pub(crate) oldest_ms: u64,
}

impl Domain {
    /// Creates a domain, which [`Domain::destroy`] frees, for values of a kind; one that `keeps`
    /// everything frees nothing before that. The other arguments are those of [`Memory::new`].
    pub(crate) fn create(
        values: Values,
        source: Source,
        chunk_size: usize,
        huge_pages: HugePages,
        keeps: bool,
    ) -> Result<NonNull<Self>, OutOfMemory> {
        let keeper = keeps.then(|| Keeper::new(source)).transpose()?;
        let Some(ptr) = source.allocate(Layout::new::<Self>()) else {
            if let Some(keeper) = keeper {
                // SAFETY: made above.
                unsafe { keeper.free(source) };
            }
            return Err(OutOfMemory);
        };
        let ptr = ptr.cast::<Self>();
        // Seize also initializes state of the whole process here, once.
        let collector = {
            let _seize = fork::enter_seize();
            // Both ask the kernel for `membarrier`, which may refuse.
            errno::preserve(|| {
                let barrier = &FIRST_BARRIERS[usize::from(membarrier::record_availability())];
                let collector = Collector::new().batch_size(BATCH);
                // A flush of nothing issues a barrier.
                barrier.call_once(|| collector.enter_owned().flush());
                collector
            })
        };
        // SAFETY: freshly allocated for a domain.
        unsafe {
            ptr.write(Self {
                collector,
                memory: Memory::new(source, chunk_size, huge_pages),
                values,
                slots: Slots::new(),
                keeper,
                generation: generation(),
                links: fork::Links::default(),
                held_back: SharedChain::new(),
            });
        }
        // SAFETY: no other thread has it, and it does not move.
        unsafe { (*ptr.as_ptr()).memory.account_for_chunks() };
        // `of` uses the exposed provenance.
        let _ = ptr.as_ptr().expose_provenance();
        // SAFETY: `destroy` unregisters it.
        unsafe { fork::register(ptr) };
        Ok(ptr)
    }

    /// Whether [`Domain::destroy`] frees everything that nodes and values need: their memory lies in chunks,
    /// and values need no destructor. Nothing is retired, and no thread is writing.
    pub(crate) fn frees_by_chunk(&self) -> bool {
        let Values {
            destroy,
            is_only_memory,
            ..
        } = self.values;
        let values_are = destroy.is_none() || (is_only_memory && self.memory.values_are_blocks());
        values_are && self.memory.holds_only_chunks()
    }

    /// Frees everything retired, then the domain itself.
    ///
    /// # Safety
    /// The domain came from `create`; no other thread uses it or holds a guard of it, and all
    /// nodes of its memory have been freed, or [`Domain::frees_by_chunk`].
    pub(crate) unsafe fn destroy(mut domain: NonNull<Self>) {
        // SAFETY: by contract.
        unsafe {
            fork::unregister(domain);
            let source = domain.as_ref().memory.allocator();
            domain.as_mut().slots.free(source);
            if let Some(keeper) = domain.as_mut().keeper.take() {
                keeper.free(source);
            }
            source.drop_and_free(domain);
        }
    }

    /// Frees everything retired or kept so far.
    ///
    /// # Safety
    /// No other thread uses the domain or holds a guard of it.
    pub(crate) unsafe fn reclaim_all(&self) {
        // SAFETY: by contract.
        unsafe {
            self.collector.reclaim_all();
            if let Some(keeper) = &self.keeper {
                keeper.free_all(&self.collector);
            }
        }
    }

    /// Returns the domain that contains a collector.
    ///
    /// # Safety
    /// The collector is a field of a domain that has not been freed.
    unsafe fn of(collector: &Collector) -> &Self {
        let address = std::ptr::from_ref(collector).addr() - offset_of!(Self, collector);
        // SAFETY: `create` exposed every domain's provenance, and this one has not been freed.
        unsafe { &*std::ptr::with_exposed_provenance(address) }
    }

    /// Number of keys; exact when no thread is writing.
    pub(crate) fn keys(&self) -> u64 {
        self.memory.tally().keys(self.slots.key_cells())
    }

    /// The kind of the tree's values.
    #[inline]
    pub(crate) fn values(&self) -> &Values {
        &self.values
    }

    /// Whether the tree's values are of this kind.
    #[inline]
    pub(crate) fn holds(&self, kind: KindId) -> bool {
        self.values.id == kind
    }

    /// Destroys a value according to its kind.
    ///
    /// # Safety
    /// `value` has left the tree, no reader can hold it, and it is destroyed only once.
    pub(crate) unsafe fn destroy_value(&self, value: u64) {
        if let Some(destroy) = self.values.destroy {
            // SAFETY: by contract.
            unsafe { destroy(&self.values, &self.memory, value) }
        }
    }

    /// Counts the guards held, and how long the oldest has been held.
    pub(crate) fn held_guards(&self) -> HeldGuards {
        let (guards, oldest) = self.slots.taken();
        HeldGuards {
            guards,
            oldest_ms: oldest.map_or(0, |since| slots::now().saturating_sub(since)),
        }
    }
}
