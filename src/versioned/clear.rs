//! Clears a tree of a store that was dropped.
//!
//! Nothing is written to the tree any more, and it has no mark, so the clearing of the index does it; readers
//! that are in the tree go on in what was detached, under their guards.

use super::VersionedTree;
use crate::index::memory::OutOfMemory;
use crate::index::reclaim::Pinned;

impl VersionedTree<'_> {
    /// Removes everything. No write is under way, and none follows.
    pub(crate) fn clear(self, pin: Pinned<'_>) -> Result<(), OutOfMemory> {
        debug_assert!(self.is_of_store());
        self.tree.clear(pin)?;
        self.versions.counts.forget_all(pin);
        Ok(())
    }

    /// The number of the oldest open snapshot of the tree's clock.
    pub(crate) fn oldest_snapshot(self) -> Option<u64> {
        self.versions.numbers.open_snapshots().1
    }
}
