//! The leaf that a guard remembers, so that the next write nearby skips the descent.
//!
//! **Protocol.** A remembered leaf held the slices from `low` to `last` in `version`, in the first
//! layer of the tree with this root.
//!
//! - *It may be read*: it was found under this guard, which forgets it when it is refreshed.
//! - *It still holds these slices* if its version has not changed: its range becomes smaller only
//!   by a split or when it is deleted, and either changes the version. (It may become greater.)
//!   The lock is taken only in that version.
//! - *It is still in the tree* if the tree still has this root when the write begins: clearing and
//!   bulk loading replace the root, and change no leaf. A root's address is not used again under
//!   this guard. A tree that is cleared after the write has looked at the root is cleared as if
//!   after the write, as it is for a write that descends from that root.
//!
//! A leaf is remembered only once two writes in a row have come to it: those of random keys do not
//! pay for what serves neighbours.

use std::cell::Cell;
use std::ops::RangeInclusive;

use crate::index::node::{Leaf, Locked, Node, NodeRef, Version};
use crate::protocol::Line;

/// A leaf of the first layer that was locked in a version.
#[derive(Clone, Copy)]
pub(crate) struct NearLeaf<'g> {
    pub(crate) leaf: &'g Leaf,
    pub(crate) version: Version,
}

impl<'g> NearLeaf<'g> {
    /// A locked leaf, in the version that unlocking leaves.
    #[inline(always)]
    pub(crate) fn after(leaf: &Locked<'g, Leaf>) -> Self {
        Self {
            leaf: leaf.node(),
            version: leaf.version_after(),
        }
    }
}

/// What a guard remembers. Only the thread that uses the guard accesses it.
pub(crate) struct Near {
    /// The tree's root; null if no leaf is remembered.
    root: Cell<*const Node>,
    low: Cell<u64>,
    /// The last slice, less `low`.
    span: Cell<u64>,
    version: Cell<Version>,
    /// The remembered leaf, or the one to which the last write came.
    leaf: Cell<*const Leaf>,
}

impl Near {
    pub(super) const fn new() -> Self {
        Self {
            root: Cell::new(std::ptr::null()),
            low: Cell::new(0),
            span: Cell::new(0),
            version: Cell::new(Version::NEW_LEAF),
            leaf: Cell::new(std::ptr::null()),
        }
    }

    /// Forgets everything: the guard no longer protects it.
    pub(super) fn forget(&self) {
        self.root.set(std::ptr::null());
        self.leaf.set(std::ptr::null());
    }

    /// The remembered leaf, if it held this slice in the tree with this root.
    #[inline(always)]
    pub(super) fn find<'g>(&self, root: NodeRef<'g>, slice: u64) -> Option<NearLeaf<'g>> {
        let is_under_root = match Line::NearIsUnderTheRoot.is_enabled() {
            true => std::ptr::eq(self.root.get(), root.as_ptr()),
            false => !self.root.get().is_null(),
        };
        if !is_under_root || slice.wrapping_sub(self.low.get()) > self.span.get() {
            return None;
        }
        Some(NearLeaf {
            // SAFETY: found under this guard, which was not refreshed since.
            leaf: unsafe { &*self.leaf.get() },
            version: self.version.get(),
        })
    }

    /// Returns whether the last write came to this leaf, too, and notes that this one does. Nothing
    /// is remembered after that.
    #[inline(always)]
    pub(super) fn comes_again(&self, leaf: &Leaf) -> bool {
        self.root.set(std::ptr::null());
        std::ptr::eq(self.leaf.replace(leaf), leaf)
    }

    /// Remembers a leaf that has this version once it is unlocked, and holds the slices of a range.
    #[inline(always)]
    pub(super) fn remember(
        &self,
        root: NodeRef<'_>,
        near: NearLeaf<'_>,
        range: RangeInclusive<u64>,
    ) {
        let (low, last) = range.into_inner();
        debug_assert!(low <= last);
        self.root.set(root.as_ptr());
        self.low.set(low);
        self.span.set(last - low);
        self.version.set(near.version);
        self.leaf.set(near.leaf);
    }

    /// Notes the version that the leaf of the last write has once it is unlocked, which may be
    /// remembered.
    #[inline(always)]
    pub(super) fn renew(&self, near: NearLeaf<'_>) {
        debug_assert!(std::ptr::eq(self.leaf.get(), near.leaf));
        self.version.set(near.version);
    }
}
