//! Retires leaves that were deleted together, as one object.
//!
//! Each object that is retired takes some fifty instructions, and counts itself in limbo by four atomic
//! additions. Leaves that one write has deleted are therefore chained through their parent words, and
//! retired by the address of the first one; their values and suffix bags stay in them meanwhile. A
//! pool takes its lock once for all of them.

use std::ptr::NonNull;

use super::{Domain, Pinned, Retire};
use crate::index::node::{BagRef, Chain, Leaf, layout_of_leaf};

/// The first leaf of a chain.
#[repr(transparent)]
struct FirstLeaf(Leaf);

impl Pinned<'_> {
    /// Retires leaves, their suffix bags, and their values, which are destroyed according to their kind;
    /// returns the bytes that limbo counts for them. Seize counts them as one object of a batch, however
    /// much memory they are: so the caller flushes when it has retired enough.
    ///
    /// Readers that found a leaf before it left the tree may still hold it, and what is in it. They find
    /// the leaf's version deleted.
    ///
    /// # Safety
    /// The contract of `retire_leaf`, for each of them. The chain has only leaves, and none of them
    /// has links.
    pub(crate) unsafe fn retire_leaves(self, leaves: Chain<'_>) -> usize {
        leaves.into_first().map_or(0, |first| {
            // SAFETY: by contract.
            unsafe { self.retire(first.as_ptr().cast::<FirstLeaf>()) }
        })
    }
}

/// Calls `each` for the leaves of a retired chain; `each` may free the leaf.
///
/// # Safety
/// `first` is such a chain's, and not freed yet.
unsafe fn for_each<'g>(first: *mut FirstLeaf, mut each: impl FnMut(&'g Leaf)) {
    // SAFETY: by contract.
    let mut chain = unsafe { Chain::from_first(NonNull::new_unchecked(first).cast()) };
    while let Some(node) = chain.pop() {
        // SAFETY: by the contract of `retire_leaves`.
        each(unsafe { node.leaf() });
    }
}

impl Retire for FirstLeaf {
    unsafe fn bytes(first: *mut Self, domain: &Domain) -> usize {
        let mut bytes = 0;
        // SAFETY: by contract; a leaf that is deleted keeps its entries, none of which is a link.
        unsafe {
            for_each(first, |leaf| {
                bytes += layout_of_leaf(leaf.has_tails()).size();
                bytes += leaf.bag().map_or(0, BagRef::size);
                if domain.values.destroy.is_some() {
                    let sizes = leaf.values().map(|value| (domain.values.size)(value));
                    bytes += sizes.sum::<usize>();
                }
            });
        }
        bytes
    }

    unsafe fn free(first: *mut Self, domain: &Domain) {
        let (mut plain, mut tailed) = (Chain::EMPTY, Chain::EMPTY);
        // SAFETY: by contract, no thread uses the leaves; as in `bytes`.
        unsafe {
            for_each(first, |leaf| {
                if domain.values.destroy.is_some() {
                    leaf.values().for_each(|value| domain.destroy_value(value));
                }
                if let Some(bag) = leaf.bag() {
                    bag.free(&domain.memory);
                }
                match leaf.has_tails() {
                    false => plain.push(leaf.into()),
                    true => tailed.push(leaf.into()),
                }
            });
            domain.memory.free_leaves(plain, false);
            domain.memory.free_leaves(tailed, true);
        }
    }
}
