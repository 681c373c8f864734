//! Making and freeing nodes in a tree's memory.

use std::alloc::Layout;
use std::mem::{ManuallyDrop, needs_drop};
use std::ptr::NonNull;

use super::Lockable;
use super::internode::Internode;
use super::leaf::Leaf;
use super::version::VersionWord;
use crate::index::memory::Memory;

/// Makes a slot a node. Its version word, which others may look at, goes on from that of the
/// node that was there before.
///
/// # Safety
/// The slot is freshly allocated, for such a node; its first word is as `memory::pool` says.
unsafe fn fill<N: Lockable>(slot: NonNull<N>, node: N) {
    if cfg!(any(loom, shuttle)) {
        // Not a slot that was used before.
        // SAFETY: by contract.
        return unsafe { slot.write(node) };
    }
    const WORD: usize = size_of::<VersionWord>();
    let node = ManuallyDrop::new(node);
    let version = node.version().load();
    // SAFETY: both are nodes, which begin with their version word; the rest of the slot is
    // nobody else's.
    unsafe {
        let from = std::ptr::from_ref(&*node).cast::<u8>().add(WORD);
        let to = slot.as_ptr().cast::<u8>().add(WORD);
        to.copy_from_nonoverlapping(from, size_of::<N>() - WORD);
        slot.cast::<VersionWord>().as_ref().renew(version);
    }
}

/// Before a node's memory is given back. Only models have something to drop: elsewhere others
/// may be looking at the version word.
///
/// # Safety
/// Nobody else uses the node, but for looks at its version word.
unsafe fn end<N: Lockable>(node: NonNull<N>) {
    // SAFETY: by contract.
    unsafe {
        node.as_ref().version().end();
        if needs_drop::<N>() {
            node.drop_in_place();
        }
    }
}

impl Memory {
    /// A private, locked leaf; see [`Leaf::new`].
    pub(crate) fn new_leaf<'g>(&self) -> Option<&'g Leaf> {
        let ptr = self.allocate_node(Layout::new::<Leaf>())?.cast::<Leaf>();
        // SAFETY: freshly allocated for a leaf, which lives until `free_leaf`.
        unsafe {
            fill(ptr, Leaf::new());
            Some(ptr.as_ref())
        }
    }

    /// A private, locked internode; see [`Internode::new`].
    pub(crate) fn new_internode<'g>(&self) -> Option<&'g Internode> {
        let ptr = self
            .allocate_node(Layout::new::<Internode>())?
            .cast::<Internode>();
        // SAFETY: as `new_leaf`.
        unsafe {
            fill(ptr, Internode::new());
            Some(ptr.as_ref())
        }
    }

    /// # Safety
    /// The leaf came from `new_leaf` of this memory; nobody uses it any more. Its
    /// suffix bag is not freed with it.
    pub(crate) unsafe fn free_leaf(&self, leaf: NonNull<Leaf>) {
        // SAFETY: by contract.
        unsafe {
            end(leaf);
            self.free_node(leaf.cast(), Layout::new::<Leaf>());
        }
    }

    /// # Safety
    /// The internode came from `new_internode` of this memory; nobody uses it any
    /// more.
    pub(crate) unsafe fn free_internode(&self, internode: NonNull<Internode>) {
        // SAFETY: by contract.
        unsafe {
            end(internode);
            self.free_node(internode.cast(), Layout::new::<Internode>());
        }
    }
}
