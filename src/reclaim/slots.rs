//! Places for guards: where each lives, and since when it pins.
//!
//! **Protocol.** A slot is free when its `since` is 0. Who changes that from 0 owns
//! the slot, until it stores 0 again; acquire and release make what one owner did
//! with the rest of the slot precede what the next does. Anybody may read `since`:
//! that is how a guard that has been held for long is noticed.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

use crate::OutOfMemory;
use crate::memory::{STRIPES, Source, own_stripe};

const BLOCK: usize = 2 * STRIPES;

/// A place for one guard.
#[repr(align(64))]
pub(crate) struct Slot {
    /// When its owner began to pin or last refreshed, as [`now`] says; 0: free.
    since: AtomicU64,
    guard: UnsafeCell<MaybeUninit<super::OwnedPin>>,
}

// SAFETY: `guard` belongs to the slot's owner.
unsafe impl Sync for Slot {}

impl Slot {
    const FREE: Self = Self {
        since: AtomicU64::new(0),
        guard: UnsafeCell::new(MaybeUninit::uninit()),
    };

    /// Begins anew to count how long it pins.
    pub(super) fn restart(&self) {
        self.since.store(now(), Ordering::Relaxed);
    }

    /// Lets the next have the slot.
    pub(super) fn vacate(&self) {
        self.since.store(0, Ordering::Release);
    }

    pub(super) fn guard(&self) -> *mut super::OwnedPin {
        self.guard.get().cast()
    }
}

struct Block {
    slots: [Slot; BLOCK],
    next: AtomicPtr<Block>,
}

/// The slots of one tree.
pub(super) struct Slots {
    first: Block,
}

impl Slots {
    pub(super) fn new() -> Self {
        Self {
            first: Block::new(),
        }
    }

    /// A slot for the caller, which ends with `vacate`.
    #[inline]
    pub(super) fn claim(&self, source: Source) -> Result<&Slot, OutOfMemory> {
        let now = now();
        let hint = 2 * own_stripe();
        let mut block = &self.first;
        // Ends: the next block is further down a list to which blocks are added only
        // when all slots are taken.
        loop {
            for place in 0..BLOCK {
                let slot = &block.slots[(hint + place) % BLOCK];
                let claim = || {
                    let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
                    slot.since.compare_exchange(0, now, success, failure)
                };
                if slot.since.load(Ordering::Relaxed) == 0 && claim().is_ok() {
                    return Ok(slot);
                }
            }
            block = block.next_or_new(source)?;
        }
    }

    /// Slots that are taken, and since when the oldest is.
    pub(super) fn taken(&self) -> (u64, Option<u64>) {
        let mut count = 0;
        let mut oldest = None;
        let mut block = Some(&self.first);
        while let Some(Block { slots, next }) = block {
            for slot in slots {
                let since = slot.since.load(Ordering::Relaxed);
                if since != 0 {
                    count += 1;
                    oldest = Some(oldest.map_or(since, |oldest: u64| oldest.min(since)));
                }
            }
            // SAFETY: null or a block that lives as long as the slots.
            block = unsafe { next.load(Ordering::Acquire).as_ref() };
        }
        (count, oldest)
    }

    /// Frees the blocks that were added.
    ///
    /// # Safety
    /// All of them came from `source`, and no slot is in use any more.
    pub(super) unsafe fn free(&mut self, source: Source) {
        let mut block = *self.first.next.get_mut();
        while let Some(place) = NonNull::new(block) {
            // SAFETY: by contract; each block is in the list once.
            unsafe {
                block = *(*place.as_ptr()).next.get_mut();
                source.unmake(place);
            }
        }
    }
}

impl Block {
    fn new() -> Self {
        Self {
            slots: [Slot::FREE; BLOCK],
            next: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    #[cold]
    fn next_or_new(&self, source: Source) -> Result<&Self, OutOfMemory> {
        let mut next = self.next.load(Ordering::Acquire);
        if next.is_null() {
            let new = source.make(Self::new())?;
            let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
            next = match (self.next).compare_exchange(next, new.as_ptr(), success, failure) {
                Ok(_) => new.as_ptr(),
                Err(other) => {
                    // SAFETY: nobody has seen it.
                    unsafe { source.unmake(new) };
                    other
                }
            };
        }
        // SAFETY: a block of this list, which lives as long as its first.
        Ok(unsafe { &*next })
    }
}

/// Milliseconds since some moment in the past, never 0; as cheap and as coarse as can
/// be.
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
        time.tv_sec as u64 * 1000 + time.tv_nsec as u64 / 1_000_000 + 1
    }
    #[cfg(not(target_os = "linux"))]
    {
        static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
        let start = START.get_or_init(std::time::Instant::now);
        start.elapsed().as_millis() as u64 + 1
    }
}
