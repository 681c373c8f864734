//! Removes a key.

use super::engine::{Decision, record};
use crate::index::node::{Leaf, Locked};
use crate::index::reclaim::{HintedLeaf, Pinned};
use crate::index::tree::Tree;
use crate::protocol::Line;

impl Tree {
    /// Removes a key. Returns its value, which the caller owns or passes to
    /// [`Tree::discard`]. Allocates nothing, except that seize's lists of retired objects may grow.
    ///
    /// The linearization point is the store of the leaf's permutation. A leaf that becomes empty
    /// stays locked until it is deleted, so that no thread inserts into it meanwhile.
    // inline(always), as in put, locate and update: a remove takes 75 instructions less.
    #[inline(always)]
    pub fn remove(&self, pin: Pinned<'_>, bytes: &[u8]) -> Option<u64> {
        self.admit_words(pin, bytes);
        self.write_present(pin, bytes, |_| Decision::Remove)
    }

    /// Removes the entry at a position of a leaf, unlocks the leaf, and counts the key. `is_hinted`:
    /// as in [`Tree::change_present`].
    #[inline(always)]
    pub(in crate::index::tree) fn take_out<'g>(
        &self,
        pin: Pinned<'g>,
        mut leaf: Locked<'g, Leaf>,
        position: usize,
        is_hinted: bool,
    ) {
        leaf.remove(position);
        let is_simple = leaf.bag().is_none() && !leaf.permutation().is_empty();
        if !is_simple || pin.recorder().is_some() {
            return self.release_shrunk(pin, leaf);
        }
        if is_hinted {
            pin.renew_hint(HintedLeaf::after(&leaf));
        }
        let node = leaf.node();
        drop(leaf);
        // Counts after unlocking: see `release_shrunk`.
        pin.count_keys(node, -1);
    }

    /// Unlocks a leaf from which a key was removed, deletes it if it is empty, and counts the key.
    #[inline(never)]
    fn release_shrunk<'g>(&self, pin: Pinned<'g>, mut leaf: Locked<'g, Leaf>) {
        let node = leaf.node();
        if leaf.permutation().is_empty() {
            record(pin, &leaf);
            if let Some(recorder) = pin.recorder() {
                recorder.unlisted();
            }
            if !Line::EmptyLeafStaysLocked.is_enabled() {
                drop(leaf);
                leaf = Locked::lock(node);
            }
            self.collapse(pin, leaf);
            // The leaf is deleted but not freed before the pin ends.
            return pin.count_keys(node, -1);
        }
        let bag = leaf.take_unused_bag();
        record(pin, &leaf);
        drop(leaf);
        // Counts after unlocking, only to keep the time under the leaf's lock short: after a clear,
        // counting may wait for a mutex. The owner of that mutex waits for no lock of a node, so
        // counting under the lock would be correct, too.
        pin.count_keys(node, -1);
        if let Some(bag) = bag {
            // SAFETY: the leaf has no bag now, and only the lock's owner replaces it.
            unsafe { pin.retire_bag(bag) };
        }
    }
}
