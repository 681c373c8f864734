//! Where nodes and suffix bags come from, and how many bytes a tree has of them.

use std::alloc::{Layout, alloc, dealloc};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, Ordering};

use crossbeam_utils::CachePadded;

use super::internode::Internode;
use super::leaf::Leaf;

const COUNTERS: usize = 16;

/// The memory of one tree. Every allocation can fail.
pub(crate) struct Memory {
    /// Bytes in use, spread over several counters so that threads do not meet on
    /// one. Which one is chosen by address: an object is added to and taken from
    /// the same.
    in_use: [CachePadded<AtomicI64>; COUNTERS],
}

impl Memory {
    pub(crate) fn new() -> Self {
        Self {
            in_use: std::array::from_fn(|_| CachePadded::new(AtomicI64::new(0))),
        }
    }

    /// Bytes of nodes and bags that were allocated and not freed yet, retired
    /// ones included. Exact when no thread is writing.
    pub(crate) fn in_use(&self) -> usize {
        let total: i64 = self
            .in_use
            .iter()
            .map(|counter| counter.load(Ordering::Relaxed))
            .sum();
        total.max(0) as usize
    }

    fn account(&self, address: NonNull<u8>, bytes: i64) {
        // Nodes are 64-byte aligned; mix the bits above.
        let mixed = (address.addr().get() >> 6).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let counter = mixed >> (usize::BITS - COUNTERS.trailing_zeros());
        self.in_use[counter].fetch_add(bytes, Ordering::Relaxed);
    }

    /// Memory for a layout that is not of size zero.
    pub(crate) fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        debug_assert!(layout.size() != 0);
        // SAFETY: the size is not zero.
        let place = NonNull::new(unsafe { alloc(layout) })?;
        self.account(place, layout.size() as i64);
        Some(place)
    }

    /// # Safety
    /// `place` came from `allocate` of this memory with this layout, and nobody
    /// uses it any more.
    pub(crate) unsafe fn free(&self, place: NonNull<u8>, layout: Layout) {
        self.account(place, -(layout.size() as i64));
        // SAFETY: by contract.
        unsafe { dealloc(place.as_ptr(), layout) };
    }

    /// A private, locked leaf; see [`Leaf::new`].
    pub(crate) fn new_leaf<'g>(&self) -> Option<&'g Leaf> {
        let place = self.allocate(Layout::new::<Leaf>())?.cast::<Leaf>();
        // SAFETY: freshly allocated for a leaf, which lives until `free_leaf`.
        unsafe {
            place.write(Leaf::new());
            Some(place.as_ref())
        }
    }

    /// A private, locked internode; see [`Internode::new`].
    pub(crate) fn new_internode<'g>(&self) -> Option<&'g Internode> {
        let place = self
            .allocate(Layout::new::<Internode>())?
            .cast::<Internode>();
        // SAFETY: as `new_leaf`.
        unsafe {
            place.write(Internode::new());
            Some(place.as_ref())
        }
    }

    /// # Safety
    /// The leaf came from `new_leaf` of this memory; nobody uses it any more. Its
    /// suffix bag is not freed with it.
    pub(crate) unsafe fn free_leaf(&self, leaf: NonNull<Leaf>) {
        // SAFETY: by contract.
        unsafe {
            leaf.drop_in_place();
            self.free(leaf.cast(), Layout::new::<Leaf>());
        }
    }

    /// # Safety
    /// The internode came from `new_internode` of this memory; nobody uses it any
    /// more.
    pub(crate) unsafe fn free_internode(&self, internode: NonNull<Internode>) {
        // SAFETY: by contract.
        unsafe {
            internode.drop_in_place();
            self.free(internode.cast(), Layout::new::<Internode>());
        }
    }
}
