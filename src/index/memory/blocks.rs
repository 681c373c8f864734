//! Blocks of many sizes for suffix bags, and in some trees for values, carved from chunks. They are adjacent to each other and,
//! in large trees, on huge pages, so that a search reads them faster than bags that malloc
//! scatters: on 5,000,000 keys of 24 bytes or more, `masstree_get` was faster by an eighth.
//!
//! Sizes are rounded up to size classes. A freed block is reused for its class. A thread allocates
//! from, and frees to, the cache of its stripe; caches exchange bundles of blocks with shared
//! lists. Small trees, with less than [`CACHED_FROM`] bytes of chunks, have no caches. A piece
//! that is larger than the largest class is an allocation of its own.

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::Mutex;

use crossbeam_utils::CachePadded;

use super::account::ChunkAccount;
use super::chunks::{Chunk, Chunks, HugePages, LARGEST_CHUNK};
use super::lazy::Lazy;
use super::list::{List, SMALLEST};
use super::lock;
use super::source::Source;
use super::tally::own_stripe;

/// The granularity of small blocks' sizes, and the alignment of all blocks, in bytes.
const STEP: usize = 16;
/// The largest size of the classes that are [`STEP`] apart.
const SMALL: usize = 512;
/// The largest size of all classes; above [`SMALL`], classes are four times [`STEP`] apart.
const LARGEST: usize = 1536;
const CLASSES: usize = SMALL / STEP + (LARGEST - SMALL) / (4 * STEP);

const _: () = assert!(STEP >= SMALLEST);

/// Number of caches: fewer than stripes, as each has a list for every class.
const CACHES: usize = 4;
/// Blocks that a cache and the shared lists exchange at once.
const BUNDLE: usize = 8;
/// Bytes of the first chunk.
const FIRST_CHUNK: usize = 2 << 10;
/// A pool with at least this many bytes of chunks has caches, which take 3.5 KiB.
const CACHED_FROM: u64 = 24 << 10;

/// Returns the size of the block for `size` bytes; `None` if no class is that large.
pub(crate) const fn block_size(size: usize) -> Option<usize> {
    match size {
        1..=SMALL => Some(size.next_multiple_of(STEP)),
        ..=LARGEST if size > SMALL => Some(size.next_multiple_of(4 * STEP)),
        _ => None,
    }
}

/// Returns the class of a block's size.
fn class_of(block: usize) -> usize {
    if block <= SMALL {
        block / STEP - 1
    } else {
        SMALL / STEP + (block - SMALL) / (4 * STEP) - 1
    }
}

/// Free blocks of every class.
type Lists = [List<0>; CLASSES];

struct Shared {
    chunks: Chunks,
    total_bytes: u64,
    free: Lists,
    /// The rest of the newest chunk, from which no block was carved yet.
    fresh: *mut u8,
    fresh_size: usize,
    next_size: usize,
}

// SAFETY: fresh memory belongs to the pool.
unsafe impl Send for Shared {}

impl Shared {
    /// Moves blocks to a cache's empty list for this size, if any are available.
    fn refill(&mut self, cache: &mut List<0>, block: usize) {
        let free = &mut self.free[class_of(block)];
        if free.len() > 0 {
            return free.move_to(cache, BUNDLE);
        }
        if let Some(fresh) = self.carve(block) {
            // SAFETY: no other thread has it.
            unsafe { cache.push(fresh) };
        }
    }

    /// Takes a block, in a pool without caches.
    fn pop(&mut self, block: usize) -> Option<NonNull<u8>> {
        let free = self.free[class_of(block)].pop();
        free.or_else(|| self.carve(block))
    }

    /// Carves a block from the rest of the newest chunk.
    fn carve(&mut self, block: usize) -> Option<NonNull<u8>> {
        if self.fresh_size < block {
            return None;
        }
        let ptr = NonNull::new(self.fresh)?;
        // The result is within the chunk, or at its end, and aligned: the chunk's start is aligned
        // for blocks, and every block's size is a multiple of that alignment.
        self.fresh = self.fresh.wrapping_add(block);
        self.fresh_size -= block;
        Some(ptr)
    }

    fn has(&self, block: usize) -> bool {
        self.free[class_of(block)].len() > 0 || self.fresh_size >= block
    }

    /// Adds a chunk for a block that was missing, unless another was added meanwhile.
    fn adopt(&mut self, chunk: Chunk, block: usize) -> Result<u64, Chunk> {
        if self.fresh_size >= block {
            return Err(chunk);
        }
        self.total_bytes += chunk.size() as u64;
        (self.fresh, self.fresh_size) = self.chunks.adopt(chunk);
        self.next_size = (2 * self.next_size).min(LARGEST_CHUNK);
        Ok(self.total_bytes)
    }
}

/// The blocks of one tree.
pub(super) struct Blocks {
    source: Source,
    huge_pages: HugePages,
    account: ChunkAccount,
    caches: Lazy<CachePadded<Mutex<Lists>>, CACHES>,
    shared: CachePadded<Mutex<Shared>>,
}

impl Blocks {
    pub(super) fn new(source: Source, huge_pages: HugePages, account: ChunkAccount) -> Self {
        Self {
            source,
            huge_pages,
            account,
            caches: Lazy::new(source),
            shared: CachePadded::new(Mutex::new(Shared {
                chunks: Chunks::new(source),
                total_bytes: 0,
                free: [List::EMPTY; CLASSES],
                fresh: std::ptr::null_mut(),
                fresh_size: 0,
                next_size: FIRST_CHUNK,
            })),
        }
    }

    /// Bytes allocated from the source.
    pub(super) fn total_bytes(&self) -> u64 {
        lock(&self.shared).total_bytes
    }

    /// Allocates a block for a layout for which [`block_size`] returns a size.
    pub(super) fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        debug_assert!(layout.align() <= STEP);
        let block = block_size(layout.size())?;
        // Ends: as in `Pool::allocate`.
        loop {
            if let Some(ptr) = self.allocate_free(block) {
                return Some(ptr);
            }
            self.add_chunk(block)?;
        }
    }

    fn allocate_free(&self, block: usize) -> Option<NonNull<u8>> {
        let Some(caches) = self.caches.get() else {
            return lock(&self.shared).pop(block);
        };
        let mut cache = lock(&caches[own_stripe() % CACHES]);
        let list = &mut cache[class_of(block)];
        if list.len() == 0 {
            lock(&self.shared).refill(list, block);
        }
        list.pop()
    }

    /// Allocates a chunk from the source, holding no lock.
    #[cold]
    fn add_chunk(&self, block: usize) -> Option<()> {
        let (size, total_bytes) = {
            let shared = lock(&self.shared);
            if shared.has(block) {
                return Some(());
            }
            (shared.next_size, shared.total_bytes)
        };
        let chunk = Chunk::new(self.source, size, self.huge_pages, total_bytes)?;
        let bytes = chunk.size() as u64;
        // A statement of its own, so that the mutex is unlocked before the chunk may be freed.
        let adopted = lock(&self.shared).adopt(chunk, block);
        if adopted.is_ok() {
            self.account.add(bytes);
        }
        match adopted {
            Ok(total_bytes) if total_bytes >= CACHED_FROM => {
                // Without memory for caches, threads use the shared lists.
                let cache = || CachePadded::new(Mutex::new([List::EMPTY; CLASSES]));
                _ = self.caches.get_or_make(cache);
            }
            Ok(_) => {}
            Err(chunk) => chunk.free(self.source),
        }
        Some(())
    }

    /// # Safety
    /// `ptr` came from `allocate` with this layout, and no thread uses it any more.
    pub(super) unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout) {
        let Some(block) = block_size(layout.size()) else {
            unreachable!("it came from here")
        };
        let class = class_of(block);
        let Some(caches) = self.caches.get() else {
            // SAFETY: by contract.
            return unsafe { lock(&self.shared).free[class].push(ptr) };
        };
        let mut cache = lock(&caches[own_stripe() % CACHES]);
        let list = &mut cache[class];
        // SAFETY: by contract.
        unsafe { list.push(ptr) };
        if list.len() >= 4 * BUNDLE {
            list.move_to(&mut lock(&self.shared).free[class], 2 * BUNDLE);
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn classes_cover_all_sizes_and_waste_little() {
        let mut before = 0;
        for size in 1..=LARGEST {
            let block = block_size(size).unwrap();
            assert!(block >= size && block - size < 4 * STEP && block.is_multiple_of(STEP));
            assert!(size > SMALL || block - size < STEP);
            let class = class_of(block);
            assert!(class == before || class == before + 1, "{size}");
            assert!(class < CLASSES);
            before = class;
        }
        assert_eq!(before, CLASSES - 1);
        assert_eq!((block_size(0), block_size(LARGEST + 1)), (None, None));
    }

    /// Each block is filled, and must be unchanged when it is freed.
    #[test]
    fn blocks_do_not_overlap_and_are_reused() {
        let blocks = Blocks::new(Source::new(None), HugePages::FromKernel, ChunkAccount::NONE);
        let layout = |i: usize| Layout::from_size_align(1 + i * 37 % LARGEST, 4).unwrap();
        let mut total_bytes = 0;
        for round in 0..3_u8 {
            let taken: Vec<_> = (0..5000)
                .map(|i| {
                    let ptr = blocks.allocate(layout(i)).unwrap();
                    assert!(ptr.addr().get().is_multiple_of(STEP));
                    let mark = (i as u8) ^ round;
                    // SAFETY: the block is ours, and that large.
                    unsafe { ptr.write_bytes(mark, layout(i).size()) };
                    (i, ptr, mark)
                })
                .collect();
            for (i, ptr, mark) in taken {
                let size = layout(i).size();
                // SAFETY: allocated above, filled, and freed once.
                unsafe {
                    let bytes = std::slice::from_raw_parts(ptr.as_ptr(), size);
                    assert!(bytes.iter().all(|&byte| byte == mark), "block {i}");
                    blocks.free(ptr, layout(i));
                }
            }
            assert!(
                round == 0 || blocks.total_bytes() == total_bytes,
                "memory was not reused"
            );
            total_bytes = blocks.total_bytes();
        }
    }
}
