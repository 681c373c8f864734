//! Replaces the pool in builds for tools that look for invalid uses of memory.
//!
//! AddressSanitizer (`--cfg masstree_asan`) would not detect uses of a free slot in a pool,
//! nor writes beyond a slot's end. ThreadSanitizer (`--cfg masstree_tsan`) does not see that the
//! standard library's mutex orders the pool's accesses, since that library is not instrumented.
//! So in these builds each slot is an allocation of its own. It is freed when its tree ends, for
//! its first word must stay readable until then (see `pool`). A freed slot is reused only after
//! many others (at once, if the memory comes from the user's allocator), and is poisoned meanwhile
//! except for its first word.
//!
//! In models, nodes are larger than slots, and their fields must be dropped: so each node is an
//! allocation of its own, which is freed as soon as the node is.

use std::alloc::Layout;
use std::cell::UnsafeCell;
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::source::Source;
use crate::sync::Wait;

/// Slots that are freed before the first of them is reused; none if the memory comes from the
/// user's allocator, which may count it.
const QUARANTINE: usize = 256;

/// Bytes of a slot that stay readable.
const READABLE: usize = size_of::<AtomicU64>();

const FREE_AT_ONCE: bool = cfg!(any(loom, shuttle));

/// Freed slots, the first one first.
pub(super) struct Unpooled {
    source: Source,
    /// Whether a thread accesses `free`: a lock that ThreadSanitizer sees.
    busy: AtomicBool,
    free: UnsafeCell<VecDeque<(NonNull<u8>, Layout)>>,
}

// SAFETY: only the thread that has set `busy` accesses `free`, whose slots belong to the pool.
unsafe impl Send for Unpooled {}
// SAFETY: as for `Send`.
unsafe impl Sync for Unpooled {}

impl Unpooled {
    pub(super) fn new(source: Source) -> Self {
        Self {
            source,
            busy: AtomicBool::new(false),
            free: UnsafeCell::new(VecDeque::new()),
        }
    }

    fn with_free<T>(&self, work: impl FnOnce(&mut VecDeque<(NonNull<u8>, Layout)>) -> T) -> T {
        let wait = Wait::new();
        // Ends: no thread waits while it owns the lock.
        while self.busy.swap(true, Ordering::Acquire) {
            wait.wait();
        }
        // SAFETY: this thread has set `busy`.
        let result = work(unsafe { &mut *self.free.get() });
        self.busy.store(false, Ordering::Release);
        result
    }

    pub(super) fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        if FREE_AT_ONCE {
            return self.source.allocate(layout);
        }
        let quarantine = match self.source.is_the_users() {
            true => 0,
            false => QUARANTINE,
        };
        let again = self.with_free(|free| match free.len() > quarantine {
            true => free.pop_front(),
            false => None,
        });
        if let Some((slot, before)) = again {
            debug_assert_eq!(before, layout, "all nodes are alike");
            unpoison(slot, layout);
            return Some(slot);
        }
        let slot = self.source.allocate(layout)?;
        // SAFETY: freshly allocated, and large enough.
        unsafe { slot.cast::<AtomicU64>().write(AtomicU64::new(0)) };
        Some(slot)
    }

    /// Takes the place of a free slot of a pool, which a write may take under locks: allocates, but
    /// never from the user's allocator. Shuttle models get a slot at random; loom models never do.
    pub(super) fn take_ready(&self, layout: Layout) -> Option<NonNull<u8>> {
        #[cfg(loom)]
        let is_ready = false;
        #[cfg(shuttle)]
        let is_ready = shuttle::rand::Rng::gen_bool(&mut shuttle::rand::thread_rng(), 0.5);
        #[cfg(not(any(loom, shuttle)))]
        let is_ready = !self.source.is_the_users();
        is_ready.then(|| self.allocate(layout)).flatten()
    }

    /// # Safety
    /// `ptr` came from `allocate` of this with this layout, and no thread uses it any more.
    pub(super) unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        if FREE_AT_ONCE {
            // SAFETY: by contract.
            return unsafe { self.source.free(ptr, layout) };
        }
        poison(ptr, layout);
        self.with_free(|free| free.push_back((ptr, layout)));
    }
}

impl Drop for Unpooled {
    fn drop(&mut self) {
        for (slot, layout) in self.free.get_mut().drain(..) {
            unpoison(slot, layout);
            // SAFETY: it was allocated with this layout, and no thread uses it any more.
            unsafe { self.source.free(slot, layout) };
        }
    }
}

#[cfg(masstree_asan)]
unsafe extern "C" {
    fn __asan_poison_memory_region(ptr: *const u8, size: usize);
    fn __asan_unpoison_memory_region(ptr: *const u8, size: usize);
}

fn poison(slot: NonNull<u8>, layout: Layout) {
    #[cfg(masstree_asan)]
    // SAFETY: no thread uses these bytes until `unpoison`.
    unsafe {
        __asan_poison_memory_region(slot.as_ptr().add(READABLE), layout.size() - READABLE);
    }
    let _ = (slot, layout, READABLE);
}

fn unpoison(slot: NonNull<u8>, layout: Layout) {
    #[cfg(masstree_asan)]
    // SAFETY: the bytes are one allocation.
    unsafe {
        __asan_unpoison_memory_region(slot.as_ptr(), layout.size());
    }
    let _ = (slot, layout);
}
