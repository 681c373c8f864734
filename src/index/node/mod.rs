//! The bytes of a node: what its words mean, how one is read and changed.
//!
//! Rules of the room, on which every `unsafe` in it rests:
//!
//! - **Who may hold a reference.** `&'g Leaf` and `&'g Internode` are handed out
//!   only for nodes that are reachable, or were when a guard that outlives `'g`
//!   was entered, or that their maker has not published yet. No node is freed
//!   while such a guard is held, so a pointer found in a node is followed for
//!   the same `'g`.
//! - **What may be followed before validation.** Child, sibling and bag pointers:
//!   a reachable node never holds one that has been retired, because whoever
//!   retires a node first takes it out of every word that leads to it. **What may
//!   not:** a value word. It is the user's unless the slot's kind says that it
//!   leads to a layer, and the two are only known to belong together once the
//!   version was validated.
//! - Every word that changes after publication is an atomic. The bytes of a
//!   suffix are written once, before the store that publishes them.
//! - [`Locked`] is the proof of owning a node's lock; only it can store.

mod alloc;
mod internode;
mod leaf;
mod link;
mod observation;
mod permutation;
mod search;
mod suffix;
mod version;

use std::ops::Deref;

pub(crate) use internode::Internode;
pub(crate) use leaf::{Entries, Entry, Found, GROUP_MAX, KeyPosition, Leaf, Neighbours};
pub(crate) use link::{AnyNode, Chain, Node, NodeRef};
pub use observation::Observation;
pub(crate) use observation::{Delta, MORE, Report};
pub(crate) use permutation::WIDTH;
#[cfg(masstree_vectors)]
pub(crate) use search::{Avx2, Avx512};
pub(crate) use search::{Isa, Portable, Search, with_search};
pub(crate) use suffix::{Bag, BagRef, OwnedBag, Shape};
pub(crate) use version::{Comparison, Version};

use crate::protocol::Line;
use crate::sync::{AtomicPtr, Ordering};
use version::VersionWord;

/// What leaves and internodes have in common.
pub(crate) trait Lockable {
    fn version(&self) -> &VersionWord;

    /// The node without its kind.
    fn any(&self) -> NodeRef<'_>;

    /// The node above: for the root of a layer, the leaf that links to the layer
    /// (null for the root of the tree); for any other node, its internode. Owned
    /// by the lock of the node it names.
    fn parent_word(&self) -> &AtomicPtr<Node>;
}

/// A node whose lock this thread owns; letting it go unlocks the node.
pub(crate) struct Locked<'g, N: Lockable> {
    node: &'g N,
    /// The version it had when it was locked, with the state that it gets; the count grows if
    /// it has changed.
    version: Version,
    changed: bool,
}

impl<'g, N: Lockable> Locked<'g, N> {
    /// Waits for the lock of a node; see `tree` for the order of locks.
    pub(crate) fn lock(node: &'g N) -> Self {
        let version = node.version().lock();
        Self {
            node,
            version,
            changed: false,
        }
    }

    /// Takes over a node that its maker has not published yet.
    pub(crate) fn private(node: &'g N) -> Self {
        debug_assert!(node.version().is_locked());
        Self {
            node,
            version: node.version().load(),
            changed: false,
        }
    }

    pub(crate) fn node(&self) -> &'g N {
        self.node
    }

    pub(crate) fn is_root(&self) -> bool {
        self.version.is_root()
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.version.is_deleted()
    }

    /// The version that the node had when it was locked, or was settled; as long as it has
    /// not become a root, or no root any more.
    #[inline]
    pub(crate) fn version_found(&self) -> Version {
        self.version
    }

    /// The version that it has once it is unlocked, if nothing more is done to it.
    #[inline]
    pub(crate) fn version_after(&self) -> Version {
        match self.changed {
            true => self.version.next(),
            false => self.version,
        }
    }

    /// Lets readers see what was changed, as if the node were unlocked and locked again at
    /// once.
    pub(crate) fn publish_version(&mut self) {
        self.version = self.version_after();
        self.changed = false;
        self.node.version().publish(self.version);
    }

    /// Readers of the node will start over once it is unlocked.
    pub(crate) fn mark_changed(&mut self) {
        self.changed = true;
    }

    /// Readers of the node wait until it is unlocked, and start over then. From
    /// here on the owner must not wait for anything.
    pub(crate) fn mark_dirty(&mut self) {
        self.version().mark_dirty();
        self.changed = true;
    }

    /// Makes it the root of its layer, or no longer that, under `parent`.
    pub(crate) fn set_root(&mut self, root: bool, parent: *mut Node) {
        self.version = self.version.with_root(root);
        self.changed = true;
        self.set_parent(parent);
    }

    /// Lets readers see that it is a root, before a word leads to it.
    pub(crate) fn publish_root(&mut self) {
        if Line::RootSaysSo.is_enabled() {
            self.publish_version();
        }
    }

    pub(crate) fn set_parent(&self, parent: *mut Node) {
        // SeqCst as every store of a pointer that `reclaim` protects; the lock of
        // the parent is held.
        self.parent_word().store(parent, Ordering::SeqCst);
    }

    /// Takes the node out of the tree for good once it is unlocked.
    pub(crate) fn delete(mut self) {
        if Line::DeletedSaysSo.is_enabled() {
            self.version = self.version.with_deleted();
        }
        self.changed = true;
    }
}

impl<N: Lockable> Deref for Locked<'_, N> {
    type Target = N;

    fn deref(&self) -> &N {
        self.node
    }
}

impl<N: Lockable> Drop for Locked<'_, N> {
    fn drop(&mut self) {
        self.node.version().unlock(self.version_after());
    }
}
