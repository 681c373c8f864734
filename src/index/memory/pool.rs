//! Pools of nodes: slots of one size, carved from chunks.
//!
//! A thread allocates from and frees to the cache of its stripe; caches exchange bundles of
//! slots with a list that they share, so that two threads rarely contend. Caches hold no more
//! slots than are in use: bundles are small while the pool is small, and a pool of less than
//! [`CACHED_FROM`] bytes has no caches. The tree reuses the slots that it frees; the pool returns
//! no slot to the source before it is dropped with its tree. It allocates the slots of a chunk in
//! ascending order.
//!
//! **The first word of a slot** is an atomic from the moment the pool has the slot to the
//! pool's end, 0 at first. Only the thread that has allocated the slot changes it, and the pool
//! never does. So any thread may read it at any time, even when the slot is free (see
//! `node::observation`).
//!
//! Builds for sanitizers and models have no pools (see `unpooled`).

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::account::ChunkAccount;
use super::chunks::{ALIGN, Chunk, Chunks, HugePages, LARGEST_CHUNK};
use super::lazy::Lazy;
use super::source::Source;
use super::tally::{STRIPES, own_stripe};
use super::unpooled::Unpooled;
use super::{lock, try_lock};

/// Bytes of a slot of the pool of most nodes, and of the pool of tailed leaves.
pub(super) const SLOT_SIZE: usize = 320;
pub(super) const TAILED_SLOT_SIZE: usize = 448;
/// The most slots that a cache and the shared list exchange at once.
const BUNDLE: usize = 16;
/// Bytes of the first chunk, unless the user sets a size.
const FIRST_CHUNK: usize = 1 << 10;
/// A pool with at least this many bytes of chunks has caches, which take 2 KiB.
const CACHED_FROM: u64 = 16 << 10;

/// Free slots; the list does not use their first word.
type List = super::list::List<{ size_of::<AtomicU64>() }>;

/// Whether this build has pools.
pub(super) const POOLED: bool = cfg!(not(any(masstree_asan, masstree_tsan, loom, shuttle)));

/// The part of a pool that its caches share.
struct Shared {
    chunks: Chunks,
    /// Bytes of a slot.
    slot_size: usize,
    free: List,
    /// Slots of the newest chunk that were never handed out.
    fresh: *mut u8,
    fresh_len: usize,
    /// Slots that were handed out at least once.
    carved: usize,
    /// Slots of the next chunk, and the most a chunk may have.
    next_len: usize,
    largest_len: usize,
}

impl Shared {
    /// Moves a bundle of slots to an empty cache, or fewer if fewer are available.
    fn refill(&mut self, cache: &mut List) {
        let bundle = (self.carved / STRIPES).clamp(1, BUNDLE);
        if self.free.len() > 0 {
            return self.free.move_to(cache, bundle);
        }
        self.refill_fresh(cache, bundle);
    }

    /// Moves at most `most` slots that were never handed out.
    fn refill_fresh(&mut self, cache: &mut List, most: usize) {
        let count = self.fresh_len.min(most);
        for index in (0..count).rev() {
            // SAFETY: within the fresh slots, which no other thread has.
            unsafe {
                let slot = self.fresh.add(index * self.slot_size);
                slot.cast::<AtomicU64>().write(AtomicU64::new(0));
                cache.push(NonNull::new_unchecked(slot));
            }
        }
        self.fresh = self.fresh.wrapping_add(count * self.slot_size);
        self.fresh_len -= count;
        self.carved += count;
    }

    /// Takes a slot, in a pool without caches.
    fn pop(&mut self) -> Option<NonNull<u8>> {
        if let Some(slot) = self.free.pop() {
            return Some(slot);
        }
        let mut one = List::EMPTY;
        self.refill_fresh(&mut one, 1);
        one.pop()
    }

    /// Returns how many slots a new chunk should have; `None` if the pool has slots again.
    fn next_chunk_len(&self) -> Option<usize> {
        (self.free.len() == 0 && self.fresh_len == 0).then_some(self.next_len)
    }

    /// Adds a chunk, unless another was added meanwhile.
    fn adopt(&mut self, chunk: Chunk) -> Result<(), Chunk> {
        if self.fresh_len > 0 {
            return Err(chunk);
        }
        let size;
        (self.fresh, size) = self.chunks.adopt(chunk);
        self.fresh_len = size / self.slot_size;
        self.next_len = (2 * self.fresh_len).min(self.largest_len);
        Ok(())
    }
}

// SAFETY: fresh slots belong to the pool.
unsafe impl Send for Shared {}

/// The pool of one tree.
pub(super) struct Pool {
    caches: Lazy<CachePadded<Mutex<List>>, STRIPES>,
    shared: CachePadded<Mutex<Shared>>,
    source: Source,
    slot_size: usize,
    huge_pages: HugePages,
    total_bytes: AtomicU64,
    account: ChunkAccount,
    /// Used instead of all other fields in builds without pools.
    unpooled: Unpooled,
}

impl Pool {
    /// Makes a pool of slots of `slot_size` bytes, a multiple of 64, with chunks of `chunk_size`
    /// bytes (0: from 1 KiB up to 2 MiB, and then as `huge_pages` says).
    pub(super) fn new(
        source: Source,
        slot_size: usize,
        chunk_size: usize,
        huge_pages: HugePages,
    ) -> Self {
        let slots = |size: usize| (size.saturating_sub(ALIGN) / slot_size).max(1);
        let (first, largest) = match chunk_size {
            0 => (slots(FIRST_CHUNK), slots(LARGEST_CHUNK)),
            size => (slots(size), slots(size)),
        };
        Self {
            caches: Lazy::new(source),
            shared: CachePadded::new(Mutex::new(Shared {
                chunks: Chunks::new(source),
                slot_size,
                free: List::EMPTY,
                fresh: std::ptr::null_mut(),
                fresh_len: 0,
                carved: 0,
                next_len: first,
                largest_len: largest,
            })),
            source,
            slot_size,
            huge_pages,
            total_bytes: AtomicU64::new(0),
            account: ChunkAccount::NONE,
            unpooled: Unpooled::new(source),
        }
    }

    /// Sets where the pool accounts for its chunks.
    pub(super) fn set_account(&mut self, account: ChunkAccount) {
        self.account = account;
    }

    /// Bytes allocated from the source.
    pub(super) fn total_bytes(&self) -> u64 {
        self.total_bytes.load(Ordering::Relaxed)
    }

    pub(super) fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        if !POOLED {
            return self.unpooled.allocate(layout);
        }
        debug_assert!(layout.size() <= self.slot_size && layout.align() <= ALIGN);
        // Ends: each round adds slots. Other threads may take all of them, but only as many
        // times as they need slots.
        loop {
            if let Some(slot) = self.allocate_free() {
                return Some(slot);
            }
            self.add_chunk()?;
        }
    }

    fn allocate_free(&self) -> Option<NonNull<u8>> {
        let Some(caches) = self.caches.get() else {
            return lock(&self.shared).pop();
        };
        let mut cache = lock(&caches[own_stripe()]);
        if cache.len() == 0 {
            lock(&self.shared).refill(&mut cache);
        }
        cache.pop()
    }

    /// Takes a free slot from the cache of a stripe or, if that is empty, from the shared list.
    /// `None` if there is none, or if a lock is not free: waits for nothing, and calls no
    /// allocator.
    pub(super) fn take_ready(&self, layout: Layout, stripe: usize) -> Option<NonNull<u8>> {
        if !POOLED {
            return self.unpooled.take_ready(layout);
        }
        let Some(caches) = self.caches.get() else {
            return try_lock(&self.shared)?.pop();
        };
        let mut cache = try_lock(&caches[stripe])?;
        if cache.len() == 0 {
            try_lock(&self.shared)?.refill(&mut cache);
        }
        cache.pop()
    }

    /// Allocates a chunk from the source, whose functions may be the user's: no lock is held
    /// meanwhile, nor while a superfluous chunk is freed.
    #[cold]
    fn add_chunk(&self) -> Option<()> {
        let Some(len) = lock(&self.shared).next_chunk_len() else {
            return Some(());
        };
        let size = len.checked_mul(self.slot_size)?;
        let chunk = Chunk::new(self.source, size, self.huge_pages, self.total_bytes())?;
        let bytes = chunk.size() as u64;
        // A statement of its own, so that the mutex is unlocked before the chunk may be freed.
        let adopted = lock(&self.shared).adopt(chunk);
        match adopted {
            Ok(()) => {
                self.account.add(bytes);
                let total_bytes = self.total_bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
                if total_bytes >= CACHED_FROM {
                    // Without memory for caches, threads use the shared list.
                    let cache = || CachePadded::new(Mutex::new(List::EMPTY));
                    _ = self.caches.get_or_make(cache);
                }
            }
            Err(chunk) => chunk.free(self.source),
        }
        Some(())
    }

    /// # Safety
    /// `ptr` came from `allocate` of this pool with this layout, and no thread uses it any
    /// more.
    pub(super) unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        if !POOLED {
            // SAFETY: by contract.
            return unsafe { self.unpooled.free(ptr, layout) };
        }
        let Some(caches) = self.caches.get() else {
            // SAFETY: by contract.
            return unsafe { lock(&self.shared).free.push(ptr) };
        };
        let mut cache = lock(&caches[own_stripe()]);
        // SAFETY: by contract.
        unsafe { self.free_to(&mut cache, ptr) };
    }

    /// [`Self::free`] of many slots.
    ///
    /// # Safety
    /// As `free`, for each slot. The iterator does not use the pool.
    pub(super) unsafe fn free_many(
        &self,
        slots: impl Iterator<Item = NonNull<u8>>,
        layout: Layout,
    ) {
        // Builds without pools make no caches.
        let Some(caches) = self.caches.get() else {
            // SAFETY: by contract.
            return slots.for_each(|ptr| unsafe { self.free(ptr, layout) });
        };
        let mut cache = lock(&caches[own_stripe()]);
        // SAFETY: by contract.
        slots.for_each(|ptr| unsafe { self.free_to(&mut cache, ptr) });
    }

    /// Frees a slot to a cache, which moves a bundle to the shared list when it is full.
    ///
    /// # Safety
    /// As `free`.
    #[inline]
    unsafe fn free_to(&self, cache: &mut List, ptr: NonNull<u8>) {
        // SAFETY: by contract.
        unsafe { cache.push(ptr) };
        if cache.len() >= 4 * BUNDLE {
            cache.move_to(&mut lock(&self.shared).free, BUNDLE);
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::thread;

    const LAYOUT: Layout = match Layout::from_size_align(SLOT_SIZE, ALIGN) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    };

    #[test]
    fn no_slot_is_handed_out_twice_and_each_is_reused() {
        let pool = Pool::new(Source::new(None), SLOT_SIZE, 0, HugePages::FromKernel);
        let mut slots = HashSet::new();
        for _ in 0..10_000 {
            assert!(slots.insert(pool.allocate(LAYOUT).unwrap()));
        }
        let total_bytes = pool.total_bytes();
        for &slot in &slots {
            // SAFETY: allocated above, and freed once.
            unsafe { pool.free(slot, LAYOUT) };
        }
        let again = (0..10_000).map(|_| pool.allocate(LAYOUT).unwrap());
        let new = again.filter(|slot| !slots.remove(slot)).count();
        assert!(new < BUNDLE || !POOLED, "{new} slots were not reused");
        assert_eq!(pool.total_bytes(), total_bytes);
    }

    #[test]
    fn a_slot_that_one_thread_frees_another_reuses() {
        let pool = Pool::new(
            Source::new(None),
            SLOT_SIZE,
            SLOT_SIZE,
            HugePages::FromKernel,
        );
        for _ in 0..100 {
            let slots: Vec<usize> = (0..1000)
                .map(|_| pool.allocate(LAYOUT).unwrap().expose_provenance().get())
                .collect();
            thread::scope(|scope| {
                scope.spawn(|| {
                    for slot in slots {
                        let slot = std::ptr::with_exposed_provenance_mut(slot);
                        // SAFETY: allocated above, and freed once.
                        unsafe { pool.free(NonNull::new(slot).unwrap(), LAYOUT) };
                    }
                });
            });
        }
        // The slots in use at once, and a full cache in every stripe.
        let most = 1000 + STRIPES * 5 * BUNDLE;
        assert!(pool.total_bytes() <= (most * (ALIGN + SLOT_SIZE)) as u64);
    }
}
