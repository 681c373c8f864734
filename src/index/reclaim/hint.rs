//! The leaf that a guard remembers, so that the next write nearby skips the descent.
//!
//! **Protocol.** The guard remembers a leaf of the first layer together with a version, a range of
//! slices and the root of the tree: at that version, the leaf held these slices in the tree with
//! this root. A write may lock the leaf instead of descending, because:
//!
//! - *The leaf may be read*: it was found under this guard, which forgets it when it is refreshed.
//! - *The leaf still holds these slices.* The write locks the leaf only at the remembered version
//!   (`HintIsUnchanged`). Only a split or the deletion of the leaf makes its range smaller, and
//!   either changes the version. (The range may have become larger.)
//! - *The leaf is still in the tree.* The write uses it only if the tree's root, loaded at the
//!   beginning of the write, is the remembered one (`HintIsUnderTheRoot`): a clear or a bulk load
//!   replaces the root, and changes no leaf. The address of a root is not reused under this guard.
//!   If the tree is cleared after the write has loaded the root, the write is ordered before the
//!   clear, like a write that descends from that root.
//!
//! The guard remembers a leaf after two writes in a row have descended to it, or when a split
//! creates it for an appended key. So writes of random keys do not pay for remembering leaves that
//! they do not use again.

use std::cell::Cell;
use std::ops::RangeInclusive;

use crate::index::node::{Leaf, Locked, Node, NodeRef, Version};
use crate::protocol::Line;

/// A leaf of the first layer, and the version at which it may be locked.
#[derive(Clone, Copy)]
pub(crate) struct HintedLeaf<'g> {
    pub(crate) leaf: &'g Leaf,
    pub(crate) version: Version,
}

impl<'g> HintedLeaf<'g> {
    /// A locked leaf, with the version that it will have once it is unlocked.
    #[inline]
    pub(crate) fn after(leaf: &Locked<'g, Leaf>) -> Self {
        Self {
            leaf: leaf.node(),
            version: leaf.version_after(),
        }
    }
}

/// The leaf that a guard remembers. Only the thread that uses the guard accesses this.
pub(crate) struct LeafHint {
    /// The root of the leaf's tree; null if no leaf is remembered.
    root: Cell<*const Node>,
    /// The first slice of the range.
    low: Cell<u64>,
    /// The last slice of the range minus `low`.
    span: Cell<u64>,
    version: Cell<Version>,
    /// The remembered leaf or, if none is remembered, the leaf that the last write reached by a
    /// descent.
    leaf: Cell<*const Leaf>,
}

impl LeafHint {
    pub(super) const fn new() -> Self {
        Self {
            root: Cell::new(std::ptr::null()),
            low: Cell::new(0),
            span: Cell::new(0),
            version: Cell::new(Version::NEW_LEAF),
            leaf: Cell::new(std::ptr::null()),
        }
    }

    /// Forgets the leaf, which the guard no longer protects.
    pub(super) fn forget(&self) {
        self.root.set(std::ptr::null());
        self.leaf.set(std::ptr::null());
    }

    /// Returns the remembered leaf, if the remembered root is this one and the remembered range
    /// contains the slice.
    #[inline]
    pub(super) fn find<'g>(&self, root: NodeRef<'g>, slice: u64) -> Option<HintedLeaf<'g>> {
        let is_under_root = match Line::HintIsUnderTheRoot.is_enabled() {
            true => std::ptr::eq(self.root.get(), root.as_ptr()),
            false => !self.root.get().is_null(),
        };
        if !is_under_root || slice.wrapping_sub(self.low.get()) > self.span.get() {
            return None;
        }
        Some(HintedLeaf {
            // SAFETY: found under this guard, which has not been refreshed since.
            leaf: unsafe { &*self.leaf.get() },
            version: self.version.get(),
        })
    }

    /// Records the leaf that a write has reached by a descent, and forgets the remembered one.
    /// Returns whether it is the leaf that was remembered or recorded before.
    #[inline]
    pub(super) fn note_reached(&self, leaf: &Leaf) -> bool {
        self.root.set(std::ptr::null());
        std::ptr::eq(self.leaf.replace(leaf), leaf)
    }

    /// Remembers a leaf that holds the slices of a range, with its version once it is unlocked.
    #[inline]
    pub(super) fn remember(
        &self,
        root: NodeRef<'_>,
        hint: HintedLeaf<'_>,
        range: RangeInclusive<u64>,
    ) {
        let (low, last) = range.into_inner();
        debug_assert!(low <= last);
        self.root.set(root.as_ptr());
        self.low.set(low);
        self.span.set(last - low);
        self.version.set(hint.version);
        self.leaf.set(hint.leaf);
    }

    /// Updates the version of the leaf that this write has locked. (It has no effect if that leaf
    /// is only recorded, not remembered.)
    #[inline]
    pub(super) fn renew(&self, hint: HintedLeaf<'_>) {
        debug_assert!(std::ptr::eq(self.leaf.get(), hint.leaf));
        self.version.set(hint.version);
    }
}
