//! Slots of guards: each holds one guard, and the time at which the guard was entered or last
//! refreshed.
//!
//! **Protocol.** A slot is free when its `since` is [`FREE`]. The thread that replaces `FREE`
//! owns the slot until it stores `FREE` again; acquire and release order one owner's accesses to
//! the rest of the slot before those of the next owner. While the owner makes or drops its guard,
//! which locks seize's mutex, `since` is [`IN_SEIZE`] (see `fork`). Any thread may read `since`:
//! that is how statistics notice a guard that has been held for long.
//!
//! The owner counts each of seize's guards before it makes it: a flush (see `flush`) that finds
//! the guard's reservation active also sees the count. [`Slot::census`] reads the count first. If
//! that count includes a guard, the census also sees the slot taken, unless the guard has been
//! left; if it does not include the guard, the next census counts it among those that have begun.

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::AtomicPtr;

use super::flush::Census;
use super::fork;
use crate::annotate;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{KeyCell, STRIPES, Source, own_stripe};
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering, Wait, fence};

/// Number of slots that are allocated together.
const BLOCK: usize = STRIPES;

/// States of a slot; any other number is a time that [`now`] returned.
const FREE: u64 = 0;
const IN_SEIZE: u64 = 1;

/// Room for one guard.
#[repr(align(64))]
pub(crate) struct Slot {
    /// The time at which the guard was entered or last refreshed, or a state of the slot.
    since: AtomicU64,
    /// How many guards have ever been made in this slot.
    guards: AtomicU64,
    /// The count of keys of the slot's present and earlier guards.
    keys: KeyCell,
    guard: UnsafeCell<MaybeUninit<super::GuardState>>,
}

// SAFETY: `guard` belongs to the slot's owner.
unsafe impl Sync for Slot {}

impl Slot {
    pub(super) fn free() -> Self {
        Self {
            since: AtomicU64::new(FREE),
            guards: AtomicU64::new(0),
            keys: KeyCell::new(),
            guard: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Takes the slot if it is free; returns whether the caller now owns it.
    #[inline]
    pub(super) fn try_claim(&self, state: u64) -> bool {
        // SeqCst: as in `enter_seize`; it acquires, too.
        let (success, failure) = (Ordering::SeqCst, Ordering::Relaxed);
        let is_taken = self.since.load(Ordering::Relaxed) == FREE
            && (self.since)
                .compare_exchange(FREE, state, success, failure)
                .is_ok();
        annotate::acquire(self);
        is_taken
    }

    /// Counts the guard that the owner makes next.
    #[inline]
    pub(super) fn count_guard(&self) {
        // Relaxed: only owners store it.
        let guards = self.guards.load(Ordering::Relaxed);
        // Release: a census that sees this count sees the slot taken.
        self.guards.store(guards + 1, Ordering::Release);
        // Release: a flush that finds the guard active counts it.
        if Line::GuardCountedBeforeActive.is_enabled() {
            fence(Ordering::Release);
        }
    }

    /// Counts this slot's guards that may be active, and that have begun.
    pub(super) fn census(&self) -> Census {
        // Acquire: pairs with `count_guard` and `vacate`.
        let living = || u64::from(self.since.load(Ordering::Acquire) != FREE);
        let begun = || self.guards.load(Ordering::Acquire);
        if Line::BegunCountedBeforeLiving.is_enabled() {
            let begun = begun();
            Census {
                living: living(),
                begun,
            }
        } else {
            let living = living();
            Census {
                living,
                begun: begun(),
            }
        }
    }

    /// Stores the current time as that at which the guard was entered or refreshed; ends the state
    /// `IN_SEIZE`.
    #[inline]
    pub(super) fn record_time(&self) {
        // Release: a fork that sees no owner in seize also sees seize's mutex unlocked.
        self.since.store(now(), Ordering::Release);
    }

    /// Sets `IN_SEIZE`, before the owner may lock seize's mutex. Waits while a thread forks.
    #[inline]
    pub(super) fn enter_seize(&self) {
        let wait = Wait::new();
        // Ends: every fork ends.
        loop {
            // SeqCst here and in `fork`: either this thread sees the fork, or the fork sees
            // this state.
            self.since.swap(IN_SEIZE, Ordering::SeqCst);
            if !fork::is_forking() {
                return;
            }
            self.record_time();
            wait.wait();
        }
    }

    /// Frees the slot.
    #[inline]
    pub(super) fn vacate(&self) {
        annotate::release(self);
        self.since.store(FREE, Ordering::Release);
    }

    /// The cell in which the slot's guards count keys; only the slot's owner adds to it.
    pub(super) fn keys(&self) -> &KeyCell {
        &self.keys
    }

    pub(super) fn guard(&self) -> *mut super::GuardState {
        self.guard.get().cast()
    }
}

struct Block {
    slots: [Slot; BLOCK],
    next: AtomicPtr<Block>,
}

/// The slots of one tree; no block exists before the first guard.
pub(super) struct Slots {
    first: AtomicPtr<Block>,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self {
            first: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// Takes a slot for a guard that the caller makes next, in the state `IN_SEIZE`. Also returns
    /// the stripe of this thread.
    #[inline]
    pub(super) fn claim_in_seize(&self, source: Source) -> Result<(&Slot, usize), OutOfMemory> {
        let stripe = own_stripe();
        let slot = self.claim(source, stripe, IN_SEIZE)?;
        if fork::is_forking() {
            slot.record_time();
            slot.enter_seize();
        }
        Ok((slot, stripe))
    }

    /// Takes a slot for counting a call; it holds no guard.
    pub(super) fn claim_counted(&self, source: Source) -> Result<&Slot, OutOfMemory> {
        self.claim(source, own_stripe(), now())
    }

    /// Takes a free slot and gives it this state or time.
    #[inline]
    fn claim(&self, source: Source, stripe: usize, state: u64) -> Result<&Slot, OutOfMemory> {
        // Acquire: pairs with `next_or_new`, which made the block.
        // SAFETY: null or a block that lives as long as the slots.
        if let Some(first) = unsafe { self.first.load(Ordering::Acquire).as_ref() } {
            let nearest = &first.slots[stripe];
            if nearest.try_claim(state) {
                return Ok(nearest);
            }
        }
        self.claim_elsewhere(source, stripe, state)
    }

    #[cold]
    fn claim_elsewhere(
        &self,
        source: Source,
        stripe: usize,
        state: u64,
    ) -> Result<&Slot, OutOfMemory> {
        let mut block = Block::next_or_new(&self.first, source)?;
        // Ends: each round goes on to the next block of a list, to which a block is added only
        // when all slots are taken.
        loop {
            let (before, after) = block.slots.split_at(stripe);
            let mut nearest_first = after.iter().chain(before);
            if let Some(slot) = nearest_first.find(|slot| slot.try_claim(state)) {
                return Ok(slot);
            }
            block = Block::next_or_new(&block.next, source)?;
        }
    }

    /// The cells in which present and earlier guards have counted keys.
    pub(super) fn key_cells(&self) -> impl Iterator<Item = &KeyCell> {
        let slots = self.blocks().flat_map(|block| block.slots.iter());
        slots.map(|slot| &slot.keys)
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        let next = |block: &&Block| {
            // SAFETY: null or a block that lives as long as the slots.
            unsafe { block.next.load(Ordering::SeqCst).as_ref() }
        };
        // SAFETY: null or a block that lives as long as the slots.
        let first = unsafe { self.first.load(Ordering::SeqCst).as_ref() };
        std::iter::successors(first, next)
    }

    /// Whether no slot is in the state `IN_SEIZE`.
    pub(super) fn none_in_seize(&self) -> bool {
        let mut slots = self.blocks().flat_map(|block| &block.slots);
        slots.all(|slot| slot.since.load(Ordering::SeqCst) != IN_SEIZE)
    }

    /// Counts the guards of this tree that may be active, and that have begun.
    pub(super) fn census(&self) -> Census {
        let slots = self.blocks().flat_map(|block| &block.slots);
        slots.fold(Census::NONE, |sum, slot| sum + slot.census())
    }

    /// Counts the slots that are taken; also returns the time of the oldest.
    pub(super) fn taken(&self) -> (u64, Option<u64>) {
        let slots = self.blocks().flat_map(|block| &block.slots);
        let since = slots.map(|slot| slot.since.load(Ordering::Relaxed));
        let taken = since.filter(|&since| since != FREE);
        taken.fold((0, None), |(count, oldest), since| {
            let oldest = match oldest {
                _ if since == IN_SEIZE => oldest,
                None => Some(since),
                Some(oldest) => Some(since.min(oldest)),
            };
            (count + 1, oldest)
        })
    }

    /// Frees the blocks.
    ///
    /// # Safety
    /// All of them came from `source`, and no slot is in use any more.
    pub(super) unsafe fn free(&mut self, source: Source) {
        let mut block = *self.first.get_mut();
        while let Some(ptr) = NonNull::new(block) {
            // SAFETY: by contract; each block is in the list once.
            unsafe {
                block = *(*ptr.as_ptr()).next.get_mut();
                source.drop_and_free(ptr);
            }
        }
    }
}

impl Block {
    /// Allocates a block, and initializes it slot by slot: it is too large for small stacks.
    fn make(source: Source) -> Result<NonNull<Self>, OutOfMemory> {
        let ptr = source.allocate(Layout::new::<Self>()).ok_or(OutOfMemory)?;
        let block = ptr.cast::<Self>();
        // SAFETY: freshly allocated for a block.
        unsafe {
            let slots = (&raw mut (*block.as_ptr()).slots).cast::<Slot>();
            for index in 0..BLOCK {
                slots.add(index).write(Slot::free());
            }
            (&raw mut (*block.as_ptr()).next).write(AtomicPtr::new(std::ptr::null_mut()));
        }
        Ok(block)
    }

    /// Returns the block to which a link points; makes one if the link is null.
    #[cold]
    fn next_or_new(link: &AtomicPtr<Self>, source: Source) -> Result<&Self, OutOfMemory> {
        let mut next = link.load(Ordering::SeqCst);
        if next.is_null() {
            let new = Self::make(source)?;
            // SeqCst: as in `enter_seize`, for threads that read all blocks.
            let (success, failure) = (Ordering::SeqCst, Ordering::SeqCst);
            next = match link.compare_exchange(next, new.as_ptr(), success, failure) {
                Ok(_) => new.as_ptr(),
                Err(other) => {
                    // SAFETY: no other thread has seen it.
                    unsafe { source.drop_and_free(new) };
                    other
                }
            };
        }
        // SAFETY: a block of this list, which lives as long as the slots.
        Ok(unsafe { &*next })
    }
}

/// Returns the milliseconds since a fixed moment in the past; never a number that is a state of a
/// slot. Uses the cheapest clock, which is coarse.
#[inline]
pub(super) fn now() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let mut time = MaybeUninit::<libc::timespec>::uninit();
        // SAFETY: the clock exists, so the call fills `time`.
        let time = unsafe {
            libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, time.as_mut_ptr());
            time.assume_init()
        };
        time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000 + 2
    }
    #[cfg(not(target_os = "linux"))]
    {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        let start = START.get_or_init(std::time::Instant::now);
        start.elapsed().as_millis() as u64 + 2
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use std::alloc::{alloc, dealloc};
    use std::ffi::c_void;

    use super::*;
    use crate::index::memory::Allocator;

    /// An allocator's context: at the first allocation, another thread adds a block first.
    struct Race {
        slots: Slots,
        asked: AtomicU64,
        freed: AtomicU64,
    }

    unsafe extern "C" fn overtaken(size: usize, align: usize, ctx: *mut c_void) -> *mut c_void {
        // SAFETY: the context is a race that outlives its source.
        let race = unsafe { &*ctx.cast::<Race>() };
        if race.asked.fetch_add(1, Ordering::Relaxed) == 0 {
            let other = || Block::next_or_new(&race.slots.first, Source::new(None)).is_ok();
            std::thread::scope(|scope| assert!(scope.spawn(other).join().unwrap()));
        }
        // SAFETY: a block is not empty.
        unsafe { alloc(Layout::from_size_align(size, align).unwrap()).cast() }
    }

    unsafe extern "C" fn free(ptr: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
        // SAFETY: the context is a race that outlives its source.
        let race = unsafe { &*ctx.cast::<Race>() };
        race.freed.fetch_add(1, Ordering::Relaxed);
        // SAFETY: allocated above with this layout.
        unsafe { dealloc(ptr.cast(), Layout::from_size_align(size, align).unwrap()) };
    }

    /// Two threads that find every slot taken agree on the next block. Put back: store the new
    /// block without comparing.
    #[test]
    fn a_block_that_comes_second_is_freed() {
        let mut race = Race {
            slots: Slots::new(),
            asked: AtomicU64::new(0),
            freed: AtomicU64::new(0),
        };
        let ctx = std::ptr::from_mut(&mut race).cast();
        // SAFETY: the functions match, and the race outlives the source.
        let source = Source::new(Some(unsafe { Allocator::new(overtaken, free, ctx) }));
        // SAFETY: as in `overtaken`.
        let race = unsafe { &mut *ctx.cast::<Race>() };
        let first = Block::next_or_new(&race.slots.first, source).unwrap();
        let stored = race.slots.first.load(Ordering::SeqCst);
        assert!(std::ptr::eq(first, stored));
        let freed = race.freed.load(Ordering::Relaxed);
        assert_eq!((race.asked.load(Ordering::Relaxed), freed), (1, 1));
        // SAFETY: the block that is left came from this source; no slot was in use.
        unsafe { race.slots.free(Source::new(None)) };
    }
}
