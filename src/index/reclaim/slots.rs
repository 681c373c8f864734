//! Places for guards: where each lives, and since when it pins.
//!
//! **Protocol.** A slot is free when its `since` is [`FREE`]. Who changes that owns the
//! slot, until it stores `FREE` again; acquire and release make what one owner did
//! with the rest of the slot precede what the next does. While it makes or drops its
//! guard, which takes seize's mutex, the owner says so with [`IN_SEIZE`] (see `fork`).
//! Anybody may read `since`: that is how a guard that has been held for long is noticed.
//!
//! The owner counts each guard of seize's before it makes it: a hand-over (see `flush`) that
//! meets the guard also meets the count. [`Slot::census`] reads the count first. If a guard is in
//! that count, its claim of the slot is seen too, and so is the guard, unless it has left;
//! if it is not, the next census counts it among those that have begun.

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::AtomicPtr;

use super::flush::Census;
use super::fork;
use crate::annotate;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{STRIPES, Source, own_stripe};
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering, Wait, fence};

const BLOCK: usize = 2 * STRIPES;

/// States of a slot; any other number is a time, as [`now`] says it.
const FREE: u64 = 0;
const IN_SEIZE: u64 = 1;

/// A place for one guard.
#[repr(align(64))]
pub(crate) struct Slot {
    /// When its owner began to pin or last refreshed, or a state.
    since: AtomicU64,
    /// Guards that were made here, ever.
    guards: AtomicU64,
    guard: UnsafeCell<MaybeUninit<super::GuardState>>,
}

// SAFETY: `guard` belongs to the slot's owner.
unsafe impl Sync for Slot {}

impl Slot {
    pub(super) fn free() -> Self {
        Self {
            since: AtomicU64::new(FREE),
            guards: AtomicU64::new(0),
            guard: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Whether it was free, and is the caller's now.
    #[inline]
    pub(super) fn become_taken(&self, state: u64) -> bool {
        // SeqCst: as `enter_seize`; it acquires, too.
        let (success, failure) = (Ordering::SeqCst, Ordering::Relaxed);
        let is_taken = self.since.load(Ordering::Relaxed) == FREE
            && (self.since)
                .compare_exchange(FREE, state, success, failure)
                .is_ok();
        annotate::acquire(self);
        is_taken
    }

    /// Counts the guard of seize's that its owner makes next.
    #[inline]
    pub(super) fn count_guard(&self) {
        // Relaxed: only owners store it.
        let guards = self.guards.load(Ordering::Relaxed);
        // Release: a census that sees it sees the slot taken.
        self.guards.store(guards + 1, Ordering::Release);
        // Release: a hand-over that meets the guard counts it.
        if Line::GuardCountedBeforeActive.is_enabled() {
            fence(Ordering::Release);
        }
    }

    /// Guards of seize's that may be active, and that have begun.
    pub(super) fn census(&self) -> Census {
        // Acquire: partners of `count_guard` and `vacate`.
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

    /// Begins, or begins anew, to count how long it pins; and ends being inside.
    #[inline]
    pub(super) fn hold(&self) {
        // Release: who sees nobody inside, sees that seize's mutex was let go.
        self.since.store(now(), Ordering::Release);
    }

    /// Says that its owner goes inside; waits while a thread forks.
    #[inline]
    pub(super) fn enter_seize(&self) {
        let wait = Wait::new();
        // Ends: forks do.
        loop {
            // SeqCst here and in `fork`: either this sees the fork, or the fork sees
            // this.
            self.since.swap(IN_SEIZE, Ordering::SeqCst);
            if !fork::is_forking() {
                return;
            }
            self.hold();
            wait.wait();
        }
    }

    /// Lets the next have the slot.
    #[inline]
    pub(super) fn vacate(&self) {
        annotate::release(self);
        self.since.store(FREE, Ordering::Release);
    }

    pub(super) fn guard(&self) -> *mut super::GuardState {
        self.guard.get().cast()
    }
}

struct Block {
    slots: [Slot; BLOCK],
    next: AtomicPtr<Block>,
}

/// The slots of one tree: none before the first guard.
pub(super) struct Slots {
    first: AtomicPtr<Block>,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self {
            first: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// A slot for a guard that is made next: its owner is inside. Also gives the stripe
    /// of this thread.
    #[inline]
    pub(super) fn claim_in_seize(&self, source: Source) -> Result<(&Slot, usize), OutOfMemory> {
        let stripe = own_stripe();
        let slot = self.claim(source, stripe, IN_SEIZE)?;
        if fork::is_forking() {
            slot.hold();
            slot.enter_seize();
        }
        Ok((slot, stripe))
    }

    /// A slot that begins to count, for who needs no guard of its own.
    pub(super) fn claim_counted(&self, source: Source) -> Result<&Slot, OutOfMemory> {
        self.claim(source, own_stripe(), now())
    }

    /// A free slot, which becomes the caller's and gets this state or time.
    #[inline]
    fn claim(&self, source: Source, stripe: usize, state: u64) -> Result<&Slot, OutOfMemory> {
        // Acquire: as `next_or_new`, which made the block.
        // SAFETY: null or a block that lives as long as the slots.
        if let Some(first) = unsafe { self.first.load(Ordering::Acquire).as_ref() } {
            let nearest = &first.slots[2 * stripe];
            if nearest.become_taken(state) {
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
        // Ends: the next block is further down a list to which blocks are added only
        // when all slots are taken.
        loop {
            let (before, after) = block.slots.split_at(2 * stripe);
            let mut nearest_first = after.iter().chain(before);
            if let Some(slot) = nearest_first.find(|slot| slot.become_taken(state)) {
                return Ok(slot);
            }
            block = Block::next_or_new(&block.next, source)?;
        }
    }

    fn blocks(&self) -> impl Iterator<Item = &Block> {
        let next = |block: &&Block| {
            // SAFETY: null or a block that lives as long as the slots.
            unsafe { block.next.load(Ordering::SeqCst).as_ref() }
        };
        // SAFETY: as above.
        let first = unsafe { self.first.load(Ordering::SeqCst).as_ref() };
        std::iter::successors(first, next)
    }

    /// Whether no owner is inside.
    pub(super) fn none_in_seize(&self) -> bool {
        let mut slots = self.blocks().flat_map(|block| &block.slots);
        slots.all(|slot| slot.since.load(Ordering::SeqCst) != IN_SEIZE)
    }

    /// Guards of seize's in this tree that may be active, and that have begun.
    pub(super) fn census(&self) -> Census {
        let slots = self.blocks().flat_map(|block| &block.slots);
        slots.fold(Census::NONE, |sum, slot| sum + slot.census())
    }

    /// Slots that are taken, and since when the oldest is.
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
    /// A block in memory of its own, made slot by slot: it is too large for small stacks.
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

    /// The block that a link leads to, which is made if there is none.
    #[cold]
    fn next_or_new(link: &AtomicPtr<Self>, source: Source) -> Result<&Self, OutOfMemory> {
        let mut next = link.load(Ordering::SeqCst);
        if next.is_null() {
            let new = Self::make(source)?;
            // SeqCst: as `enter_seize`, for who looks through all blocks.
            let (success, failure) = (Ordering::SeqCst, Ordering::SeqCst);
            next = match link.compare_exchange(next, new.as_ptr(), success, failure) {
                Ok(_) => new.as_ptr(),
                Err(other) => {
                    // SAFETY: nobody has seen it.
                    unsafe { source.drop_and_free(new) };
                    other
                }
            };
        }
        // SAFETY: a block of this list, which lives as long as the slots.
        Ok(unsafe { &*next })
    }
}

/// Milliseconds since some moment in the past, never a state of a slot; as cheap and as
/// coarse as can be.
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

    /// Memory that another thread uses to come first, when it is asked for the first time.
    struct Race {
        slots: Slots,
        asked: AtomicU64,
        given_back: AtomicU64,
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

    unsafe extern "C" fn give_back(ptr: *mut c_void, size: usize, align: usize, ctx: *mut c_void) {
        // SAFETY: as above.
        let race = unsafe { &*ctx.cast::<Race>() };
        race.given_back.fetch_add(1, Ordering::Relaxed);
        // SAFETY: allocated above with this layout.
        unsafe { dealloc(ptr.cast(), Layout::from_size_align(size, align).unwrap()) };
    }

    /// Two threads that find every slot taken agree on the next block. Put back: store it,
    /// whatever is there.
    #[test]
    fn a_block_that_comes_second_is_given_back() {
        let mut race = Race {
            slots: Slots::new(),
            asked: AtomicU64::new(0),
            given_back: AtomicU64::new(0),
        };
        let ctx = std::ptr::from_mut(&mut race).cast();
        // SAFETY: the functions fit, and the race outlives the source.
        let source = Source::new(Some(unsafe { Allocator::new(overtaken, give_back, ctx) }));
        // SAFETY: as in `overtaken`.
        let race = unsafe { &mut *ctx.cast::<Race>() };
        let first = Block::next_or_new(&race.slots.first, source).unwrap();
        let there = race.slots.first.load(Ordering::SeqCst);
        assert!(std::ptr::eq(first, there));
        let given_back = race.given_back.load(Ordering::Relaxed);
        assert_eq!((race.asked.load(Ordering::Relaxed), given_back), (1, 1));
        // SAFETY: the block that is left came from this source; no slot was in use.
        unsafe { race.slots.free(Source::new(None)) };
    }
}
