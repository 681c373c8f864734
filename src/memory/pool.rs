//! Pools of nodes: slots of one size, carved from chunks.
//!
//! A thread takes from and gives to the cache of its stripe; caches exchange whole
//! bundles of slots with the list they share, so that two threads seldom meet. A
//! slot never goes back to the source before the pool ends, which it does with its
//! tree: what a tree gave back it uses again. The slots of a chunk are handed out in
//! ascending order.
//!
//! Chunks are small first and grow. A tree that has [`HUGE_FROM`] bytes of them gets further
//! ones as whole huge pages from the kernel (see `pages`), unless its memory comes from the
//! user's allocator or the user says no.
//!
//! With AddressSanitizer (`--cfg masstree_asan`), every slot is an allocation of its
//! own: the sanitizer could not see a use of one that lies in a list. So it is with
//! ThreadSanitizer, which does not see that the standard library's mutex orders what
//! the pool does, since that library is not instrumented; and in models, whose nodes are
//! larger.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crossbeam_utils::CachePadded;

use super::pages::{self, HUGE_PAGE};
use super::source::Source;
use super::tally::{STRIPES, own_stripe};

/// Bytes of a slot.
pub(super) const SLOT_SIZE: usize = 320;
/// What slots and chunks are aligned to, in bytes; a chunk's header takes as many.
const ALIGN: usize = 64;
/// Slots that a cache and the shared list exchange at once.
const BUNDLE: usize = 16;
/// Bytes of the first chunk and of the largest, where the user does not say.
const FIRST_CHUNK: usize = 4 << 10;
const LARGEST_CHUNK: usize = 2 << 20;
/// Bytes of chunks from which on a tree gets huge pages: what it does not use of the last one
/// is little beside that.
const HUGE_FROM: u64 = 16 << 20;
/// Bytes of the largest chunk of huge pages. Larger trees get larger chunks, so that a process
/// may have terabytes of them: the kernel maps it only so many pieces.
const LARGEST_HUGE_CHUNK: usize = 64 << 20;

const POOLED: bool = cfg!(not(any(masstree_asan, masstree_tsan, loom)));

/// A free slot.
struct Slot {
    next: Option<NonNull<Slot>>,
}

/// Free slots, the one freed last first.
struct List {
    head: Option<NonNull<Slot>>,
    len: usize,
}

impl List {
    const EMPTY: Self = Self { head: None, len: 0 };

    /// # Safety
    /// The slot is free and nobody else's.
    unsafe fn push(&mut self, slot: NonNull<Slot>) {
        // SAFETY: by contract.
        unsafe { slot.write(Slot { next: self.head }) };
        self.head = Some(slot);
        self.len += 1;
    }

    fn pop(&mut self) -> Option<NonNull<Slot>> {
        let slot = self.head?;
        // SAFETY: what is in the list is free and ours.
        self.head = unsafe { slot.as_ref() }.next;
        self.len -= 1;
        Some(slot)
    }

    fn move_to(&mut self, other: &mut Self, count: usize) {
        for _ in 0..count {
            let Some(slot) = self.pop() else { return };
            // SAFETY: it was free and in this list.
            unsafe { other.push(slot) };
        }
    }
}

/// What a chunk begins with.
struct Chunk {
    before: Option<NonNull<Chunk>>,
    layout: Layout,
    origin: Origin,
}

/// Where a chunk came from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Source,
    Kernel,
}

const _: () = assert!(size_of::<Chunk>() <= ALIGN);

/// What the caches share.
struct Shared {
    /// For the end.
    source: Source,
    free: List,
    /// Slots of the newest chunk that were never handed out.
    fresh: *mut u8,
    fresh_len: usize,
    newest: Option<NonNull<Chunk>>,
    /// Slots of the next chunk, and the most a chunk may have.
    next_len: usize,
    largest_len: usize,
}

impl Shared {
    /// Moves a bundle of slots to an empty cache, or as many as there are.
    fn provide(&mut self, cache: &mut List) {
        if self.free.len > 0 {
            return self.free.move_to(cache, BUNDLE);
        }
        let count = self.fresh_len.min(BUNDLE);
        for place in (0..count).rev() {
            // SAFETY: within the fresh slots, which nobody else has.
            unsafe {
                let slot = self.fresh.add(place * SLOT_SIZE).cast::<Slot>();
                cache.push(NonNull::new_unchecked(slot));
            }
        }
        self.fresh = self.fresh.wrapping_add(count * SLOT_SIZE);
        self.fresh_len -= count;
    }

    /// How many slots the chunk should have that is lacking now; none if slots have
    /// come in meanwhile.
    fn lacking(&self) -> Option<usize> {
        (self.free.len == 0 && self.fresh_len == 0).then_some(self.next_len)
    }

    /// Adds a chunk of so many slots, unless another has been added meanwhile.
    fn adopt(&mut self, place: NonNull<u8>, layout: Layout, origin: Origin) -> bool {
        if self.fresh_len > 0 {
            return false;
        }
        let len = slots_in(layout.size());
        let chunk = place.cast::<Chunk>();
        // SAFETY: freshly allocated, with room for the header.
        unsafe {
            chunk.write(Chunk {
                before: self.newest,
                layout,
                origin,
            });
            self.fresh = place.as_ptr().add(ALIGN);
        }
        self.newest = Some(chunk);
        self.fresh_len = len;
        self.next_len = (2 * len).min(self.largest_len);
        true
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        while let Some(chunk) = self.newest {
            // SAFETY: the chunk came from there with this layout, and the pool's slots are
            // nobody's any more.
            unsafe {
                let Chunk {
                    before,
                    layout,
                    origin,
                } = chunk.read();
                self.newest = before;
                give_back(self.source, chunk.cast(), layout, origin);
            }
        }
    }
}

/// Slots in a chunk of this size.
fn slots_in(size: usize) -> usize {
    size.saturating_sub(ALIGN) / SLOT_SIZE
}

/// # Safety
/// The chunk came from there with this layout, and nobody uses it any more.
unsafe fn give_back(source: Source, place: NonNull<u8>, layout: Layout, origin: Origin) {
    // SAFETY: by contract.
    unsafe {
        match origin {
            Origin::Source => source.free(place, layout),
            Origin::Kernel => pages::unmap(place, layout.size()),
        }
    }
}

// SAFETY: the lists lead to free slots, which belong to who holds the list.
unsafe impl Send for List {}
// SAFETY: as above; chunks belong to the pool.
unsafe impl Send for Shared {}

/// The pool of one tree.
pub(super) struct Pool {
    caches: [CachePadded<Mutex<List>>; STRIPES],
    shared: CachePadded<Mutex<Shared>>,
    source: Source,
    huge_pages: bool,
    held: AtomicU64,
}

impl Pool {
    /// A pool with chunks of `chunk_size` bytes (0: from 4 KiB up to 2 MiB, then, if
    /// `huge_pages`, of such pages).
    pub(super) fn new(source: Source, chunk_size: usize, huge_pages: bool) -> Self {
        let slots = |size: usize| slots_in(size).max(1);
        let (first, largest) = match chunk_size {
            0 => (slots(FIRST_CHUNK), slots(LARGEST_CHUNK)),
            size => (slots(size), slots(size)),
        };
        Self {
            caches: std::array::from_fn(|_| CachePadded::new(Mutex::new(List::EMPTY))),
            shared: CachePadded::new(Mutex::new(Shared {
                source,
                free: List::EMPTY,
                fresh: std::ptr::null_mut(),
                fresh_len: 0,
                newest: None,
                next_len: first,
                largest_len: largest,
            })),
            source,
            huge_pages: huge_pages && chunk_size == 0 && !source.is_the_users(),
            held: AtomicU64::new(0),
        }
    }

    /// Bytes got from the source.
    pub(super) fn held(&self) -> u64 {
        self.held.load(Ordering::Relaxed)
    }

    pub(super) fn take(&self, layout: Layout) -> Option<NonNull<u8>> {
        if !POOLED {
            return self.source.allocate(layout);
        }
        debug_assert!(layout.size() <= SLOT_SIZE && layout.align() <= ALIGN);
        // Ends: slots have come in, from which other threads may take all, but only
        // as many times as they need some.
        loop {
            {
                let mut cache = lock(&self.caches[own_stripe()]);
                if cache.len == 0 {
                    lock(&self.shared).provide(&mut cache);
                }
                if let Some(slot) = cache.pop() {
                    return Some(slot.cast());
                }
            }
            self.add_chunk()?;
        }
    }

    /// Gets a chunk from the source, whose functions may be the user's: no lock is
    /// held meanwhile.
    #[cold]
    fn add_chunk(&self) -> Option<()> {
        let Some(len) = lock(&self.shared).lacking() else {
            return Some(());
        };
        let (place, layout, origin) = match self.map_huge() {
            Some((place, layout)) => (place, layout, Origin::Kernel),
            None => {
                let layout = Layout::from_size_align(ALIGN + len * SLOT_SIZE, ALIGN).ok()?;
                (self.source.allocate(layout)?, layout, Origin::Source)
            }
        };
        if lock(&self.shared).adopt(place, layout, origin) {
            self.held.fetch_add(layout.size() as u64, Ordering::Relaxed);
        } else {
            // SAFETY: just allocated, and nobody has seen it.
            unsafe { give_back(self.source, place, layout, origin) };
        }
        Some(())
    }

    /// A chunk of huge pages, if it is time for one and the kernel gives it.
    fn map_huge(&self) -> Option<(NonNull<u8>, Layout)> {
        let held = self.held();
        if !self.huge_pages || held < HUGE_FROM {
            return None;
        }
        let share = usize::try_from(held / 16).unwrap_or(LARGEST_HUGE_CHUNK);
        let size = share.min(LARGEST_HUGE_CHUNK).next_multiple_of(HUGE_PAGE);
        let layout = Layout::from_size_align(size, HUGE_PAGE).ok()?;
        Some((pages::map(size)?, layout))
    }

    /// # Safety
    /// `place` came from `take` of this pool with this layout, and nobody uses it any
    /// more.
    pub(super) unsafe fn give(&self, place: NonNull<u8>, layout: Layout) {
        if !POOLED {
            // SAFETY: by contract.
            return unsafe { self.source.free(place, layout) };
        }
        let mut cache = lock(&self.caches[own_stripe()]);
        // SAFETY: by contract.
        unsafe { cache.push(place.cast()) };
        if cache.len >= 4 * BUNDLE {
            cache.move_to(&mut lock(&self.shared).free, BUNDLE);
        }
    }
}

/// Nobody panics while holding one of these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::thread;

    const LAYOUT: Layout = match Layout::from_size_align(SLOT_SIZE, ALIGN) {
        Ok(layout) => layout,
        Err(_) => unreachable!(),
    };

    #[test]
    fn no_slot_is_handed_out_twice_and_each_is_used_again() {
        let pool = Pool::new(Source::new(None), 0, true);
        let mut slots = HashSet::new();
        for _ in 0..10_000 {
            assert!(slots.insert(pool.take(LAYOUT).unwrap()));
        }
        let held = pool.held();
        for &slot in &slots {
            // SAFETY: taken above, and given back once.
            unsafe { pool.give(slot, LAYOUT) };
        }
        let again = (0..10_000).map(|_| pool.take(LAYOUT).unwrap());
        let strangers = again.filter(|slot| !slots.remove(slot)).count();
        assert!(strangers < BUNDLE || !POOLED, "{strangers} were not used");
        assert_eq!(pool.held(), held);
    }

    #[test]
    fn what_one_thread_gives_another_takes() {
        let pool = Pool::new(Source::new(None), SLOT_SIZE, true);
        for _ in 0..100 {
            let slots: Vec<usize> = (0..1000)
                .map(|_| pool.take(LAYOUT).unwrap().expose_provenance().get())
                .collect();
            thread::scope(|scope| {
                scope.spawn(|| {
                    for slot in slots {
                        let slot = std::ptr::with_exposed_provenance_mut(slot);
                        // SAFETY: taken above, and given back once.
                        unsafe { pool.give(NonNull::new(slot).unwrap(), LAYOUT) };
                    }
                });
            });
        }
        // What is in use at once, and a full cache in every stripe.
        let most = 1000 + STRIPES * 5 * BUNDLE;
        assert!(pool.held() <= (most * (ALIGN + SLOT_SIZE)) as u64);
    }
}
