//! The memory of a tree: the user's allocator or the global one ([`Source`]), the pools of nodes,
//! one for each of their sizes (`pool`), and of suffix bags (`blocks`), arrays that are allocated at
//! their first use (`lazy`), memory that a caller lends to a cursor (`arena`), and counters spread over cache lines ([`Tally`]).
//!
//! Every allocation can fail. Seize's own allocations do not come from here.

mod account;
mod arena;
mod blocks;
mod chunks;
#[cfg(all(test, not(any(loom, shuttle))))]
pub(crate) mod counting;
mod keys;
mod lazy;
mod list;
mod pages;
mod pool;
mod source;
mod tally;
mod unpooled;

use std::alloc::Layout;
use std::ptr::NonNull;
use std::sync::{Mutex, TryLockError};

use crate::errno;

pub(crate) use arena::{ARENA_ALIGN, Arena, with_stack};
pub(crate) use keys::Era;
pub use source::Allocator;
pub(crate) use source::Source;
pub(crate) use tally::{Count, KeyCell, STRIPES, Tally, own_stripe};

use crate::annotate::Owned;
use account::{Account, ChunkAccount};
use blocks::Blocks;
pub(crate) use blocks::block_size;
pub use chunks::HugePages;
use lazy::Lazy;
use pool::{POOLED, Pool, SLOT_SIZE, TAILED_SLOT_SIZE};

/// Out of memory; the call left the tree unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfMemory;

impl std::fmt::Display for OutOfMemory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("out of memory; the tree is unchanged")
    }
}

impl std::error::Error for OutOfMemory {}

/// A vector in a tree's memory; grow it only through `try_reserve`.
pub(crate) type Vector<T> = allocator_api2::vec::Vec<T, Source>;

/// Appends bytes for which the caller has reserved room. `Vec::extend_from_slice` copies them one by
/// one.
#[inline]
pub(crate) fn append(to: &mut Vector<u8>, bytes: &[u8]) {
    assert!(
        to.capacity() - to.len() >= bytes.len(),
        "the caller reserves room"
    );
    // SAFETY: room was just checked, and the copy initialises the bytes.
    unsafe {
        let end = to.as_mut_ptr().add(to.len());
        end.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
        to.set_len(to.len() + bytes.len());
    }
}

/// Locks a mutex of a pool.
fn lock<T>(mutex: &Mutex<T>) -> Owned<'_, T> {
    match mutex.try_lock() {
        Ok(guard) => Owned::from(guard),
        Err(TryLockError::Poisoned(poisoned)) => Owned::from(poisoned.into_inner()),
        Err(TryLockError::WouldBlock) => wait_for(mutex),
    }
}

/// Locks a mutex of a pool, unless another thread holds it.
fn try_lock<T>(mutex: &Mutex<T>) -> Option<Owned<'_, T>> {
    match mutex.try_lock() {
        Ok(guard) => Some(Owned::from(guard)),
        Err(_) => None,
    }
}

#[cold]
fn wait_for<T>(mutex: &Mutex<T>) -> Owned<'_, T> {
    Owned::from(errno::lock(mutex))
}

/// Whether memory that was a node's stays readable until its tree ends, reused for nodes only.
pub(crate) const NODES_STAY_READABLE: bool = POOLED && !cfg!(feature = "annotate");

/// The memory of one tree.
pub(crate) struct Memory {
    source: Source,
    pool: Pool,
    /// The pool of nodes that are larger than others: tailed leaves. Created for the first of them.
    large: Lazy<Pool, 1>,
    chunk_size: usize,
    /// The pool of suffix bags, created for the first bag. Not used unless `has_blocks`.
    blocks: Lazy<Blocks, 1>,
    has_blocks: bool,
    /// Whether values that the tree owns are blocks, too.
    values_are_blocks: bool,
    huge_pages: HugePages,
    tally: Tally,
    account: Account,
    chunks: ChunkAccount,
}

impl Memory {
    /// Takes memory from `source`. The node pool allocates `chunk_size` bytes at once (0: from
    /// 1 KiB, growing to 2 MiB, and then as `huge_pages` says). With [`HugePages::FromAllocator`], the
    /// source is the user's, and `chunk_size` is 0.
    pub(crate) fn new(source: Source, chunk_size: usize, huge_pages: HugePages) -> Self {
        // The user configures neither the allocator nor the chunks.
        let is_default = chunk_size == 0 && !source.is_the_users();
        let from_allocator = huge_pages == HugePages::FromAllocator;
        let huge_pages = match is_default || from_allocator {
            true => huge_pages,
            false => HugePages::Never,
        };
        Self {
            source,
            pool: Pool::new(source, SLOT_SIZE, chunk_size, huge_pages),
            large: Lazy::new(source),
            chunk_size,
            blocks: Lazy::new(source),
            has_blocks: (is_default || from_allocator) && POOLED,
            values_are_blocks: from_allocator && POOLED,
            huge_pages,
            tally: Tally::new(),
            account: Account::new(),
            chunks: ChunkAccount::NONE,
        }
    }

    /// Makes pools account for their chunks, from their first chunk on.
    ///
    /// # Safety
    /// The memory does not move any more.
    pub(crate) unsafe fn account_for_chunks(&mut self) {
        // SAFETY: by contract; the pools are dropped with the account.
        self.chunks = unsafe { ChunkAccount::of(&self.account) };
        self.pool.set_account(self.chunks);
    }

    /// Bytes that the tree holds: chunks of pools, and what else was allocated with `allocate_accounted`
    /// or noted. One load; see `account`.
    #[inline]
    pub(crate) fn accounted(&self) -> u64 {
        self.account.bytes()
    }

    /// Adds to the bytes that the tree holds.
    pub(crate) fn note(&self, change: i64) {
        self.account.add(change);
    }

    pub(crate) fn allocator(&self) -> Source {
        self.source
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Bytes of nodes, suffix bags, values and retired objects' records that were allocated and not
    /// freed yet, including retired ones. Exact when no thread is writing.
    pub(crate) fn in_use(&self) -> u64 {
        [
            Count::NodeBytes,
            Count::SuffixBytes,
            Count::ValueBytes,
            Count::RetiredObjectBytes,
        ]
        .map(|count| self.tally.sum(count))
        .iter()
        .sum()
    }

    /// Bytes that the pools hold from the source or the kernel, in use or not.
    pub(crate) fn pool_bytes(&self) -> u64 {
        self.pool.total_bytes()
            + self.large.get().map_or(0, |[pool]| pool.total_bytes())
            + self.blocks.get().map_or(0, |[blocks]| blocks.total_bytes())
    }

    /// The pool of nodes with this layout, if it has been made.
    #[inline]
    fn pool_for(&self, layout: Layout) -> Option<&Pool> {
        match is_large(layout) {
            true => self.large.get().map(|[pool]| pool),
            false => Some(&self.pool),
        }
    }

    /// [`Self::pool_for`], which makes the pool; `None` when out of memory.
    fn pool_made_for(&self, layout: Layout) -> Option<&Pool> {
        if !is_large(layout) {
            return Some(&self.pool);
        }
        let (chunk_size, huge_pages) = (self.chunk_size, self.huge_pages);
        let make = || {
            let mut pool = Pool::new(self.source, TAILED_SLOT_SIZE, chunk_size, huge_pages);
            pool.set_account(self.chunks);
            pool
        };
        let [pool] = self.large.get_or_make(make)?;
        Some(pool)
    }

    /// Allocates a node of at most [`TAILED_SLOT_SIZE`] bytes. All nodes that have an address, one
    /// after the other, are from one pool.
    pub(crate) fn allocate_node(&self, layout: Layout) -> Option<NonNull<u8>> {
        let ptr = self.pool_made_for(layout)?.allocate(layout)?;
        self.count_node(own_stripe(), layout.size() as i64);
        Some(ptr)
    }

    /// [`Self::allocate_node`] without waiting and without calling an allocator; `None` if the pool
    /// has no free slot for the stripe, or if another thread has locked that part of the pool.
    pub(crate) fn pooled_node(&self, layout: Layout, stripe: usize) -> Option<NonNull<u8>> {
        let ptr = self.pool_for(layout)?.take_ready(layout, stripe)?;
        self.count_node(stripe, layout.size() as i64);
        Some(ptr)
    }

    fn count_node(&self, stripe: usize, change: i64) {
        self.tally.add(stripe, Count::NodeBytes, change);
        if !POOLED {
            self.note(change);
        }
    }

    /// # Safety
    /// `ptr` came from `allocate_node` of this memory with this layout, and no thread uses it any
    /// more.
    pub(crate) unsafe fn free_node(&self, ptr: NonNull<u8>, layout: Layout) {
        self.count_node(own_stripe(), -(layout.size() as i64));
        let pool = self.pool_for(layout).expect("the node came from there");
        // SAFETY: by contract.
        unsafe { pool.free(ptr, layout) };
    }

    /// [`Self::free_node`] of many nodes. The iterator must not use this memory.
    ///
    /// # Safety
    /// As `free_node`, for each of them.
    pub(crate) unsafe fn free_nodes(
        &self,
        nodes: impl Iterator<Item = NonNull<u8>>,
        layout: Layout,
    ) {
        let Some(pool) = self.pool_for(layout) else {
            return assert_eq!(nodes.count(), 0, "the nodes came from there");
        };
        let mut bytes = 0;
        let nodes = nodes.inspect(|_| bytes += layout.size());
        // SAFETY: by contract.
        unsafe { pool.free_many(nodes, layout) };
        self.count_node(own_stripe(), -(bytes as i64));
    }

    /// Whether all nodes, suffix bags and, if they are blocks, values lie in chunks: these free them.
    /// No thread is writing.
    pub(crate) fn holds_only_chunks(&self) -> bool {
        let outside = match self.has_blocks {
            true => Count::OutsideBytes,
            false => Count::SuffixBytes,
        };
        POOLED && self.tally.sum(outside) == 0
    }

    pub(crate) fn values_are_blocks(&self) -> bool {
        self.values_are_blocks
    }

    /// Allocates a suffix bag.
    pub(crate) fn allocate_bag(&self, layout: Layout) -> Option<NonNull<u8>> {
        match self.has_blocks {
            true => self.allocate_block(layout, Count::SuffixBytes),
            false => self.allocate_accounted(layout, Count::SuffixBytes),
        }
    }

    /// Allocates memory to which a word of the tree refers, and which only `free_value` frees. It is
    /// accounted for if values are blocks.
    pub(crate) fn allocate_value(&self, layout: Layout) -> Option<NonNull<u8>> {
        match self.values_are_blocks {
            true => self.allocate_block(layout, Count::ValueBytes),
            false => self.allocate(layout, Count::ValueBytes),
        }
    }

    /// [`Self::allocate_value`], which always accounts for the bytes.
    pub(crate) fn allocate_value_accounted(&self, layout: Layout) -> Option<NonNull<u8>> {
        match self.values_are_blocks {
            true => self.allocate_block(layout, Count::ValueBytes),
            false => self.allocate_accounted(layout, Count::ValueBytes),
        }
    }

    /// Allocates a block; or, if the layout is too large for blocks, memory outside of chunks.
    fn allocate_block(&self, layout: Layout, count: Count) -> Option<NonNull<u8>> {
        let bytes = layout.size() as i64;
        if block_size(layout.size()).is_none() {
            let ptr = self.allocate_accounted(layout, Count::OutsideBytes)?;
            self.tally.add(own_stripe(), count, bytes);
            return Some(ptr);
        }
        let make = || Blocks::new(self.source, self.huge_pages, self.chunks);
        let [blocks] = self.blocks.get_or_make(make)?;
        let ptr = blocks.allocate(layout)?;
        self.tally.add(own_stripe(), count, bytes);
        Some(ptr)
    }

    /// # Safety
    /// `ptr` came from `allocate_bag` of this memory with this layout, and no thread uses it any
    /// more.
    pub(crate) unsafe fn free_bag(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: by contract.
        unsafe {
            match self.has_blocks {
                true => self.free_block(ptr, layout, Count::SuffixBytes),
                false => self.free_accounted(ptr, layout, Count::SuffixBytes),
            }
        }
    }

    /// # Safety
    /// As `free_bag`, for `allocate_value`.
    pub(crate) unsafe fn free_value(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: by contract.
        unsafe {
            match self.values_are_blocks {
                true => self.free_block(ptr, layout, Count::ValueBytes),
                false => self.free(ptr, layout, Count::ValueBytes),
            }
        }
    }

    /// # Safety
    /// As `free_bag`, for `allocate_value_accounted`.
    pub(crate) unsafe fn free_value_accounted(&self, ptr: NonNull<u8>, layout: Layout) {
        // SAFETY: by contract.
        unsafe {
            match self.values_are_blocks {
                true => self.free_block(ptr, layout, Count::ValueBytes),
                false => self.free_accounted(ptr, layout, Count::ValueBytes),
            }
        }
    }

    /// # Safety
    /// As `free_bag`, for `allocate_block`.
    unsafe fn free_block(&self, ptr: NonNull<u8>, layout: Layout, count: Count) {
        self.tally.add(own_stripe(), count, -(layout.size() as i64));
        // SAFETY: by contract.
        unsafe {
            if block_size(layout.size()).is_none() {
                return self.free_accounted(ptr, layout, Count::OutsideBytes);
            }
            let [blocks] = self.blocks.get().expect("the block came from there");
            blocks.free(ptr, layout);
        }
    }

    /// Allocates memory for a layout of non-zero size, and adds it to a counter.
    pub(crate) fn allocate(&self, layout: Layout, count: Count) -> Option<NonNull<u8>> {
        let ptr = self.source.allocate(layout)?;
        self.tally.add(own_stripe(), count, layout.size() as i64);
        Some(ptr)
    }

    /// [`Self::allocate`], which also accounts for the bytes.
    pub(crate) fn allocate_accounted(&self, layout: Layout, count: Count) -> Option<NonNull<u8>> {
        let ptr = self.source.allocate(layout)?;
        self.count_accounted(count, layout.size() as i64);
        Some(ptr)
    }

    /// # Safety
    /// As `free`; `ptr` came from `allocate_accounted`.
    pub(crate) unsafe fn free_accounted(&self, ptr: NonNull<u8>, layout: Layout, count: Count) {
        self.count_accounted(count, -(layout.size() as i64));
        // SAFETY: by contract.
        unsafe { self.source.free(ptr, layout) };
    }

    #[inline]
    fn count_accounted(&self, count: Count, change: i64) {
        let before = self.tally.add(own_stripe(), count, change);
        self.account.add_units(before, change);
    }

    /// # Safety
    /// `ptr` came from `allocate` of this memory with this layout and count, and no thread uses it
    /// any more.
    pub(crate) unsafe fn free(&self, ptr: NonNull<u8>, layout: Layout, count: Count) {
        self.tally.add(own_stripe(), count, -(layout.size() as i64));
        // SAFETY: by contract.
        unsafe { self.source.free(ptr, layout) };
    }
}

/// Whether nodes with this layout are in the pool of large nodes.
#[inline]
const fn is_large(layout: Layout) -> bool {
    if cfg!(any(loom, shuttle)) {
        // In models, nodes are larger than slots, and no pool holds them.
        return false;
    }
    layout.size() > SLOT_SIZE
}
