//! Fills an internode that no other thread can reach yet, child by child. Its unused words are
//! wrong until [`Locked::complete`] is called. All stores are atomic, as in a leaf that is filled.

use super::Internode;
use crate::index::node::Locked;
use crate::index::node::link::NodeRef;
use crate::sync::Ordering;

impl Locked<'_, Internode> {
    /// Adds a child after the last one, with `key` between them. The internode has children, and is
    /// not full.
    pub(crate) fn append(&self, key: u64, child: NodeRef<'_>) {
        let len = self.len();
        debug_assert!(!self.is_full());
        self.set_key(len, key);
        // Relaxed: the store that publishes the whole tree releases it.
        self.children[len + 1].store(child.as_ptr(), Ordering::Relaxed);
        let this = NodeRef::from(self.node()).as_ptr();
        child.parent_word().store(this, Ordering::Relaxed);
        self.set_len(len + 1);
    }

    /// Fills the unused words, after the last child was added.
    pub(crate) fn complete(&self) {
        self.pad();
    }
}
