//! Layout of leaves and internodes, and how threads read and change one node.
//!
//! Rules of this module, on which every `unsafe` in it rests:
//!
//! - **References.** A `&'g Leaf` or `&'g Internode` refers to a node that is reachable, or was
//!   reachable when a guard that outlives `'g` was entered, or that its creator has not yet
//!   published. No node is freed while such a guard is held, so a pointer found in a node may
//!   be followed for the same `'g`.
//! - **Before validation, a reader may follow** child, sibling and bag pointers: a reachable
//!   node never contains a pointer to a retired object, because the thread that retires an object
//!   first removes every pointer to it. **It may not follow** a value word: that belongs to the
//!   user, unless the slot's kind says that it points to a layer, and a reader knows that kind and
//!   word belong together only after it has validated the version.
//! - Every word that changes after publication is an atomic. The bytes of a suffix are written
//!   once, before the store that publishes them.
//! - [`Locked`] proves that the thread owns a node's lock. Stores go through it, except those to a
//!   parent word ([`NodeRef::set_parent`]) and to the levels below.

mod alloc;
mod delta;
mod internode;
mod leaf;
mod link;
mod observation;
mod permutation;
mod racing;
mod search;
mod suffix;
mod version;

use std::mem::ManuallyDrop;
use std::ops::Deref;

pub(crate) use alloc::layout_of_leaf;
pub(crate) use delta::{Delta, DeltaRecorder};
pub(crate) use internode::Internode;
pub(crate) use leaf::{
    Entries, Entry, Form, Found, FoundSlot, GROUP_MAX, KeyPosition, Leaf, Neighbours, Suffix,
    may_be_tail,
};
pub(crate) use link::{AnyNode, Chain, Node, NodeRef, SharedChain};
pub use observation::Observation;
pub(crate) use permutation::WIDTH;
#[cfg(masstree_neon)]
pub(crate) use search::Neon;
#[cfg(masstree_avx)]
pub(crate) use search::{Avx2, Avx512};
pub(crate) use search::{Isa, Portable, Search, with_search};
pub(crate) use suffix::{Bag, BagRef, OwnedBag, Shape};
pub(crate) use version::{Comparison, Version};

use crate::protocol::Line;
use crate::sync::{AtomicPtr, AtomicU8, Ordering, fence};
use version::VersionWord;

/// Access to the words that leaves and internodes have in common.
pub(crate) trait Lockable {
    /// The version of a new node.
    const NEW: Version;

    /// Makes a node whose words are zero a new one, as `new` returns, except for its version.
    fn renew_zeroed(&self);

    fn version(&self) -> &VersionWord;

    /// A reference to the node that does not say which kind it is.
    fn any(&self) -> NodeRef<'_>;

    /// The parent: for the root of a layer, the leaf that links to the layer (null for the root of
    /// the tree); for any other node, its internode. Only the owner of the parent's lock stores
    /// this word.
    fn parent_word(&self) -> &AtomicPtr<Node>;

    /// The node's *levels below*: at least the levels of each layer to which this leaf, or a leaf
    /// under this internode, links (see `tree::write::levels`). Any thread may raise the byte; only
    /// the owner of the lock may lower it, under DIRTY.
    fn below_word(&self) -> &AtomicU8;

    /// Loads the levels below.
    fn levels_below(&self) -> u8 {
        // Relaxed: where the order matters, fences order this load.
        self.below_word().load(Ordering::Relaxed)
    }

    /// Raises the levels below to at least `levels`.
    fn raise_below(&self, levels: u8) {
        // Relaxed: the fence orders this store.
        if self.levels_below() < levels {
            self.below_word().fetch_max(levels, Ordering::Relaxed);
        }
        // Pairs with the fence in `levels_to_copy`. If this fence comes first, the thread that
        // splits loads the levels that this thread has stored, or those that another thread stored
        // and this one loaded. If the other fence comes first, the thread that splits had set DIRTY
        // before it, and this thread then loads a version with DIRTY, or a later one.
        if Line::FenceAfterLevelsAreRaised.is_enabled() {
            fence(Ordering::SeqCst);
        }
    }

    /// Whether a node still has `version`, a clean version that was loaded before its levels below
    /// were raised. If so, every later change of the node under DIRTY loads the levels that were
    /// raised in this node, and those that were raised before in nodes below it.
    fn is_as_raised(&self, version: Version) -> bool {
        self.version().validate(version) || !Line::RaisedIsValidated.is_enabled()
    }
}

/// A node whose lock this thread owns. Dropping it unlocks the node.
pub(crate) struct Locked<'g, N: Lockable> {
    node: &'g N,
    /// The version when the node was locked or its version last published, with later changes of
    /// ROOT and DELETED; unlocking increments the count if `changed`.
    version: Version,
    changed: bool,
}

impl<'g, N: Lockable> Locked<'g, N> {
    /// Waits for the lock of a node; `tree` defines the order of locks.
    pub(crate) fn lock(node: &'g N) -> Self {
        let version = node.version().lock();
        Self {
            node,
            version,
            changed: false,
        }
    }

    /// Locks a node if it is unlocked and its version is this one.
    #[inline]
    pub(crate) fn lock_unchanged(node: &'g N, version: Version) -> Option<Self> {
        let is_locked = node.version().lock_unchanged(version);
        // `then`, not `then_some`: dropping a `Locked` unlocks the node, even if another thread
        // owns the lock.
        is_locked.then(|| Self {
            node,
            version,
            changed: false,
        })
    }

    /// Returns the node, which stays locked, and its version, for [`Locked::resume`]. The node is
    /// unchanged.
    #[inline]
    pub(crate) fn suspend(self) -> (&'g N, Version) {
        debug_assert!(!self.changed);
        let suspended = ManuallyDrop::new(self);
        (suspended.node, suspended.version)
    }

    /// Resumes the ownership of a lock after [`Locked::suspend`].
    ///
    /// # Safety
    /// `suspend` returned `node` and `version` on this thread, and they are resumed only once.
    #[inline]
    pub(crate) unsafe fn resume(node: &'g N, version: Version) -> Self {
        debug_assert!(node.version().is_locked());
        Self {
            node,
            version,
            changed: false,
        }
    }

    /// Takes a new node, which is locked from its creation and not yet published.
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

    /// Sets or clears LOWEST in the version of an internode that is not published.
    ///
    /// Stores the version at once, not at the unlock: a reader may find the internode, through a
    /// new root, before it is unlocked.
    pub(super) fn set_lowest(&mut self, lowest: bool) {
        self.version = self.version.with_lowest(lowest);
        if Line::LowestIsStored.is_enabled() {
            self.node.version().publish(self.version);
        }
    }

    /// The version when the node was locked, or last published; valid as long as
    /// `set_root` was not called since.
    #[inline]
    pub(crate) fn version_found(&self) -> Version {
        self.version
    }

    /// The version that the node will have once it is unlocked, unless more changes follow.
    #[inline]
    pub(crate) fn version_after(&self) -> Version {
        match self.changed {
            true => self.version.next(),
            false => self.version,
        }
    }

    /// Publishes the changes so far to readers and keeps the lock, as if the node were unlocked
    /// and locked again.
    pub(crate) fn publish_version(&mut self) {
        self.version = self.version_after();
        self.changed = false;
        self.node.version().publish(self.version);
    }

    /// Makes readers of the node start over once it is unlocked.
    pub(crate) fn mark_changed(&mut self) {
        self.changed = true;
    }

    /// Makes readers of the node wait until it is unlocked, and start over then. From here on
    /// until the unlock, the owner must not wait for anything.
    pub(crate) fn mark_dirty(&mut self) {
        self.version().mark_dirty();
        self.changed = true;
    }

    /// Sets or clears ROOT, and sets the parent. ROOT becomes visible at the unlock, or at
    /// [`Self::publish_root`].
    pub(crate) fn set_root(&mut self, root: bool, parent: *mut Node) {
        self.version = self.version.with_root(root);
        self.changed = true;
        self.set_parent(parent);
    }

    /// Publishes the version with ROOT, before a pointer to the node is stored.
    pub(crate) fn publish_root(&mut self) {
        if Line::RootIsPublished.is_enabled() {
            self.publish_version();
        }
    }

    /// Executes the fence that precedes copying levels in a split or a merge, and loads the levels
    /// below of this node. The node is dirty, and so is every node that is split together with it.
    /// The fence also covers levels that the caller loads later, such as those of nodes below.
    pub(crate) fn levels_to_copy(&self) -> u8 {
        // Pairs with the fence in `raise_below`.
        if Line::FenceBeforeLevelsAreCopied.is_enabled() {
            fence(Ordering::SeqCst);
        }
        match Line::LevelsAreCopied.is_enabled() {
            true => self.levels_below(),
            false => 0,
        }
    }

    pub(crate) fn set_parent(&self, parent: *mut Node) {
        // The caller owns the lock of the parent.
        self.parent_word().store(parent, Ordering::Release);
    }

    /// Marks the node deleted and unlocks it.
    pub(crate) fn delete(mut self) {
        if Line::DeletedIsMarked.is_enabled() {
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
