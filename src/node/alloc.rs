//! Making and freeing nodes in a tree's memory.

use std::alloc::Layout;
use std::ptr::NonNull;

use super::internode::Internode;
use super::leaf::Leaf;
use crate::memory::Memory;

impl Memory {
    /// A private, locked leaf; see [`Leaf::new`].
    pub(crate) fn new_leaf<'g>(&self) -> Option<&'g Leaf> {
        let place = self.allocate_node(Layout::new::<Leaf>())?.cast::<Leaf>();
        // SAFETY: freshly allocated for a leaf, which lives until `free_leaf`.
        unsafe {
            place.write(Leaf::new());
            Some(place.as_ref())
        }
    }

    /// A private, locked internode; see [`Internode::new`].
    pub(crate) fn new_internode<'g>(&self) -> Option<&'g Internode> {
        let place = self
            .allocate_node(Layout::new::<Internode>())?
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
            self.free_node(leaf.cast(), Layout::new::<Leaf>());
        }
    }

    /// # Safety
    /// The internode came from `new_internode` of this memory; nobody uses it any
    /// more.
    pub(crate) unsafe fn free_internode(&self, internode: NonNull<Internode>) {
        // SAFETY: by contract.
        unsafe {
            internode.drop_in_place();
            self.free_node(internode.cast(), Layout::new::<Internode>());
        }
    }
}
