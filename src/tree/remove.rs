//! Taking a key out.

use super::Tree;
use super::put::Decision;
use crate::node::{Leaf, Locked};
use crate::reclaim::Pin;

impl Tree {
    /// Removes a key; gives its value, which the caller owns or hands to
    /// [`Tree::discard`]. Needs no memory.
    ///
    /// The linearization point is the store of the leaf's permutation. A leaf
    /// that becomes empty is given back under the same lock, so that no insert
    /// can slip in between.
    pub fn remove(&self, pin: Pin<'_>, bytes: &[u8]) -> Option<u64> {
        self.write_present(pin, bytes, |_| Decision::Remove)
    }

    /// Removes the entry at a position of a leaf.
    pub(super) fn take_out<'g>(&self, pin: Pin<'g>, mut leaf: Locked<'g, Leaf>, position: usize) {
        leaf.remove(position);
        if leaf.permutation().is_empty() {
            self.collapse(pin, leaf);
        }
        pin.count_key(-1);
    }
}
