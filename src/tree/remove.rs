//! Taking a key out.

use super::Tree;
use crate::node::Place;
use crate::reclaim::Pin;

impl Tree {
    /// Removes a key; gives its value, which the caller owns or hands to
    /// [`Tree::discard`]. Needs no memory.
    ///
    /// The linearization point is the store of the leaf's permutation. A leaf
    /// that becomes empty is given back under the same lock, so that no insert
    /// can slip in between.
    pub fn remove(&self, pin: Pin<'_>, bytes: &[u8]) -> Option<u64> {
        self.admit(pin, bytes);
        let (mut leaf, place, _) = self.lock_leaf(pin, bytes);
        let Place::Present { position, slot } = place else {
            return None;
        };
        let value = leaf.entry_in(slot).value();
        leaf.remove(position);
        if leaf.permutation().is_empty() {
            self.collapse(pin, leaf);
        }
        pin.count_key(-1);
        Some(value)
    }
}
