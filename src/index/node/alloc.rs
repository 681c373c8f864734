//! Creates and frees nodes in a tree's memory.

use std::alloc::Layout;
use std::mem::{ManuallyDrop, needs_drop};
use std::ptr::NonNull;

use super::internode::Internode;
use super::leaf::{Leaf, TailedLeaf};
use super::version::VersionWord;
use crate::index::memory::Memory;

/// Writes a node to a slot. Other threads may load the slot's version word meanwhile; its count
/// continues from the slot's previous node.
///
/// # Safety
/// `N` is a kind of node. The slot is freshly allocated for it; its first word is an initialized
/// atomic, as `memory::pool` promises.
unsafe fn fill<N>(slot: NonNull<N>, node: N) {
    if cfg!(any(loom, shuttle)) {
        // Model builds do not reuse slots.
        // SAFETY: by contract.
        return unsafe { slot.write(node) };
    }
    const WORD: usize = size_of::<VersionWord>();
    let node = ManuallyDrop::new(node);
    // SAFETY: both are nodes, which begin with their version word; no other thread accesses the
    // rest of the slot.
    unsafe {
        let version = (*std::ptr::from_ref(&*node).cast::<VersionWord>()).load();
        let from = std::ptr::from_ref(&*node).cast::<u8>().add(WORD);
        let to = slot.as_ptr().cast::<u8>().add(WORD);
        to.copy_from_nonoverlapping(from, size_of::<N>() - WORD);
        slot.cast::<VersionWord>().as_ref().renew(version);
    }
}

/// Marks the version word as that of a freed node, before the node's memory is freed. Drops the
/// node's fields in model builds only: in others, other threads may still load the version word.
///
/// # Safety
/// `N` is the node's kind. No other thread uses the node, except for loads of its version word.
unsafe fn end<N>(node: NonNull<N>) {
    // SAFETY: by contract; a node begins with its version word.
    unsafe {
        node.cast::<VersionWord>().as_ref().end();
        if needs_drop::<N>() {
            node.drop_in_place();
        }
    }
}

/// Writes a new node to a slot; returns a reference to it.
///
/// # Safety
/// The contract of `fill`.
#[inline]
unsafe fn place<'g, N>(slot: NonNull<u8>, node: N) -> &'g N {
    let slot = slot.cast();
    // SAFETY: by contract.
    unsafe {
        fill(slot, node);
        slot.as_ref()
    }
}

/// [`place`] for a leaf, with or without tails.
///
/// # Safety
/// The contract of `fill`.
#[inline]
unsafe fn place_leaf<'g>(slot: NonNull<u8>, tailed: bool) -> &'g Leaf {
    // SAFETY: by contract; a tailed leaf begins with a leaf.
    unsafe {
        match tailed {
            true => {
                fill(slot.cast(), TailedLeaf::new());
                slot.cast().as_ref()
            }
            false => place(slot, Leaf::new()),
        }
    }
}

/// Returns the layout of a leaf, with or without tails.
pub(crate) const fn layout_of_leaf(tailed: bool) -> Layout {
    match tailed {
        true => Layout::new::<TailedLeaf>(),
        false => Layout::new::<Leaf>(),
    }
}

impl Memory {
    /// Returns a new leaf, with or without tails, locked and not published (see [`Leaf::new`]);
    /// `None` when out of memory.
    pub(crate) fn new_leaf<'g>(&self, tailed: bool) -> Option<&'g Leaf> {
        let slot = self.allocate_node(layout_of_leaf(tailed))?;
        // SAFETY: freshly allocated for such a leaf.
        Some(unsafe { place_leaf(slot, tailed) })
    }

    /// Returns a new internode, locked and not published (see [`Internode::new`]); `None` when out
    /// of memory.
    pub(crate) fn new_internode<'g>(&self) -> Option<&'g Internode> {
        let slot = self.allocate_node(Layout::new::<Internode>())?;
        // SAFETY: freshly allocated for an internode.
        Some(unsafe { place(slot, Internode::new()) })
    }

    /// [`Self::new_leaf`] without waiting and without calling an allocator; `None` if the pool has
    /// no free slot for the stripe, or if another thread has locked that part of the pool.
    pub(crate) fn pooled_leaf<'g>(&self, tailed: bool, stripe: usize) -> Option<&'g Leaf> {
        let slot = self.pooled_node(layout_of_leaf(tailed), stripe)?;
        // SAFETY: freshly allocated for such a leaf.
        Some(unsafe { place_leaf(slot, tailed) })
    }

    /// [`Self::new_internode`] without waiting and without calling an allocator; `None` as in
    /// [`Self::pooled_leaf`].
    pub(crate) fn pooled_internode<'g>(&self, stripe: usize) -> Option<&'g Internode> {
        let slot = self.pooled_node(Layout::new::<Internode>(), stripe)?;
        // SAFETY: freshly allocated for an internode.
        Some(unsafe { place(slot, Internode::new()) })
    }

    /// # Safety
    /// The leaf came from `new_leaf` of this memory, and no thread uses it any more. The caller
    /// frees its suffix bag.
    pub(crate) unsafe fn free_leaf(&self, leaf: NonNull<Leaf>) {
        // SAFETY: by contract; a leaf with tails is the beginning of a tailed leaf.
        unsafe {
            let tailed = leaf.as_ref().has_tails();
            match tailed {
                true => end(leaf.cast::<TailedLeaf>()),
                false => end(leaf),
            }
            self.free_node(leaf.cast(), layout_of_leaf(tailed));
        }
    }

    /// # Safety
    /// The internode came from `new_internode` of this memory, and no thread uses it any more.
    pub(crate) unsafe fn free_internode(&self, internode: NonNull<Internode>) {
        // SAFETY: by contract.
        unsafe {
            end(internode);
            self.free_node(internode.cast(), Layout::new::<Internode>());
        }
    }
}
