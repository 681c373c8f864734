//! Replaces a whole tree at once: clears a tree, or bulk-loads an empty one.
//!
//! **Clearing.** An empty leaf replaces the tree's root, and the old tree becomes a layer
//! below an *anchor*: a leaf to which no word of the tree refers, and which links to the old
//! root. Both happen under the lock of the old root, which owns the tree's root word. The
//! store to that word is the linearization point.
//!
//! An operation that began earlier may continue in the old tree, and may even change it: it is
//! ordered before the clearing. The old tree stays consistent, as a layer does: if its root splits
//! or is replaced, the anchor's link is updated. No operation that begins later can reach the old
//! tree. So when every guard that was held at the clearing has been left or refreshed, no thread is
//! in the old tree, and it is freed like a destroyed tree. Cursors, which keep their position
//! between two calls, detect that the tree has another root.
//!
//! **Bulk loading.** The caller builds a second tree (see `build`), which no other thread can reach.
//! Then the second tree's root replaces the empty leaf that is all of the first tree, under that
//! leaf's lock. The leaf is marked deleted, so that a thread that waits for its lock starts over.
//! The store of the root word is the linearization point of every insert, and releases the stores
//! with which the tree was built; the keys are counted after it.

use std::alloc::Layout;
use std::ptr::NonNull;

use super::build::{Builder, first_leaf};
use super::nodes::Content;
use crate::index::key::Key;
use crate::index::key_source::KeySource;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, Era};
use crate::index::node::{AnyNode, Entry, Leaf, Lockable, Locked, NodeRef};
use crate::index::reclaim::{Domain, Pinned, Retire};
use crate::index::tree::Tree;
use crate::index::tree::freeing::free_cleared;
use crate::index::tree::write::reserve::{Needs, Reserve};
use crate::protocol::Line;

/// The outcome of [`Tree::load`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadOutcome {
    /// All keys are in the tree.
    Done,
    /// The tree was not empty; nothing was changed.
    NotEmpty,
}

/// A retired object: the old tree, which a clearing has detached.
struct Detached {
    anchor: NonNull<Leaf>,
    /// Bytes that limbo counts for the old tree.
    bytes: usize,
}

impl Tree {
    /// Removes every key at once. Values are retired like those of removed keys.
    pub fn clear(&self, pin: Pinned<'_>) -> Result<(), OutOfMemory> {
        self.admit(pin, &[]);
        self.must_not_hold();
        let memory = &pin.domain().memory;
        let mut reserve = Self::leaves(pin, 2)?;
        let layout = Layout::new::<Detached>();
        let detached = memory.allocate(layout, Count::RetiredObjectBytes);
        let detached = detached.ok_or(OutOfMemory)?.cast::<Detached>();

        let (root, anchor) = (reserve.leaf(Era::FIRST), reserve.leaf(Era::FIRST));
        let (new, anchor_leaf) = (root.node(), anchor.node());
        self.detach_root(pin, root, anchor);
        memory.tally().begin_era(new.era());
        let in_limbo = memory.tally().sum(Count::LimboBytes);
        let bytes = memory.in_use().saturating_sub(in_limbo) as usize;
        // SAFETY: freshly allocated; no operation that begins from here on can reach the
        // anchor, and only this call retires it.
        unsafe {
            detached.write(Detached {
                anchor: NonNull::from(anchor_leaf),
                bytes,
            });
            pin.retire(detached.as_ptr());
        }
        pin.flush();
        Ok(())
    }

    /// Reserves `leaves` leaves.
    fn leaves<'g>(pin: Pinned<'g>, leaves: usize) -> Result<Reserve<'g>, OutOfMemory> {
        let mut reserve = Reserve::new(&pin.domain().memory);
        reserve.fill(&Needs {
            leaves,
            ..Needs::default()
        })?;
        Ok(reserve)
    }

    /// Replaces the current root with an empty leaf, and links the old root below the anchor.
    fn detach_root<'g>(
        &self,
        pin: Pinned<'g>,
        mut new: Locked<'g, Leaf>,
        mut anchor: Locked<'g, Leaf>,
    ) {
        new.set_root(true, std::ptr::null_mut());
        anchor.set_root(true, std::ptr::null_mut());
        // Unlocks the new root before another thread can reach it, so that no thread has to wait.
        let root = new.node();
        drop(new);
        // Ends: each round, a writer has replaced the root.
        loop {
            let detached = match self.root(pin).kind() {
                AnyNode::Leaf(leaf) => self.try_detach_root(&Locked::lock(leaf), root, &mut anchor),
                AnyNode::Internode(node) => {
                    self.try_detach_root(&Locked::lock(node), root, &mut anchor)
                }
            };
            if detached {
                return;
            }
        }
    }

    /// Whether a locked node is the root of the tree. If so, it stays the root while it is locked,
    /// and is not deleted: a writer deletes a root only after it has replaced it, under the root's
    /// lock.
    pub(in crate::index::tree) fn is_root<N: Lockable>(&self, node: &Locked<'_, N>) -> bool {
        // SAFETY: never null; the reference is only compared.
        let root = unsafe { NodeRef::load(&self.root) };
        root == Some(node.node().any())
    }

    /// Does `detach_root` if `old` is still the root, and returns whether it is.
    fn try_detach_root<'g, N: Lockable>(
        &self,
        old: &Locked<'g, N>,
        root: &'g Leaf,
        anchor: &mut Locked<'g, Leaf>,
    ) -> bool {
        if !self.is_root(old) && Line::ClearedIsTheRoot.is_enabled() {
            return false;
        }
        root.set_era(Era::after(self.clears.begun() + 1));
        let link = Entry::link(0, old.node().any());
        anchor.insert(0, &link, &KeySource::NONE);
        if Line::ClearedGoesUnderAnchor.is_enabled() {
            old.set_parent(NodeRef::from(anchor.node()).as_ptr());
        }
        self.clears.record(|| self.set_root(NodeRef::from(root)));
        true
    }

    /// Fills an empty tree with `len` keys, which must be distinct and in ascending order.
    /// Calls `value` once for each key, in order. All keys become visible at once. If the tree is
    /// not empty or memory runs out, nothing is changed, and the caller still owns the words.
    ///
    /// `key` passes the key at an index to its callback.
    pub fn bulk_load(
        &self,
        pin: Pinned<'_>,
        len: usize,
        key: impl Fn(usize, &mut dyn FnMut(&[u8])),
        mut value: impl FnMut(usize) -> Result<u64, OutOfMemory>,
    ) -> Result<LoadOutcome, OutOfMemory> {
        if !self.is_loadable(pin) {
            return Ok(LoadOutcome::NotEmpty);
        }
        let mut builder = self.builder(pin)?;
        for index in 0..len {
            let mut added = Ok(());
            key(index, &mut |key| {
                self.admit(pin, key);
                let position = builder.position_of(Key::new(key));
                let position = position.expect("the keys are in ascending order");
                added = value(index).and_then(|value| builder.insert(position, value));
            });
            added?;
        }
        self.load(pin, &mut builder)
    }

    /// Whether the tree has no keys at this moment.
    pub(crate) fn is_loadable(&self, pin: Pinned<'_>) -> bool {
        self.admit(pin, &[]);
        self.must_not_hold();
        self.era_if_empty(pin).is_some()
    }

    /// Returns a builder of keys to load into the tree.
    pub(crate) fn builder<'t>(&'t self, pin: Pinned<'_>) -> Result<Builder<'t>, OutOfMemory> {
        // If the tree is not empty now, any era will do: `publish` gives the leaves the tree's era.
        let era = self.era_if_empty(pin).unwrap_or(Era::FIRST);
        Builder::new(self, era)
    }

    /// Makes the keys of a builder those of this tree, if the tree is empty. All keys become visible
    /// at once. If the tree is not empty or memory runs out, the builder still has its keys. It takes
    /// no more keys.
    pub(crate) fn load(
        &self,
        pin: Pinned<'_>,
        builder: &mut Builder<'_>,
    ) -> Result<LoadOutcome, OutOfMemory> {
        if !self.is_loadable(pin) {
            return Ok(LoadOutcome::NotEmpty);
        }
        if builder.keys() == 0 {
            return Ok(LoadOutcome::Done);
        }
        let root = builder.complete()?;
        // Found before publishing, since afterwards other threads may change the internodes above it.
        // The pin protects the leaf.
        let first = first_leaf(root);
        if !self.publish(pin, builder, root)? {
            return Ok(LoadOutcome::NotEmpty);
        }
        count_keys(pin, first, builder.keys());
        builder.release_tree();
        Ok(LoadOutcome::Done)
    }

    /// Returns the tree's era, if the tree has no keys at this moment.
    fn era_if_empty(&self, pin: Pinned<'_>) -> Option<Era> {
        match self.root(pin).kind() {
            AnyNode::Leaf(leaf) => leaf.permutation().is_empty().then(|| leaf.era()),
            AnyNode::Internode(_) => None,
        }
    }

    /// Makes `built`, the root of a builder's complete tree, the root of this tree, if this tree
    /// is empty. Returns whether it was.
    fn publish(
        &self,
        pin: Pinned<'_>,
        builder: &mut Builder<'_>,
        built: NodeRef<'_>,
    ) -> Result<bool, OutOfMemory> {
        // Ends: each round, a writer has replaced the root.
        loop {
            let AnyNode::Leaf(leaf) = self.root(pin).kind() else {
                return Ok(false);
            };
            let mut old = Locked::lock(leaf);
            if !self.is_root(&old) && Line::DisplacedIsTheRoot.is_enabled() {
                continue;
            }
            if !leaf.permutation().is_empty() && Line::DisplacedIsEmpty.is_enabled() {
                return Ok(false);
            }
            if !builder.has_era(leaf.era()) && Line::LoadedHasTheEra.is_enabled() {
                // The tree was cleared since the builder began.
                drop(old);
                self.move_to_era(built, leaf.era())?;
                builder.set_era(leaf.era());
                continue;
            }
            old.mark_dirty();
            self.set_root(built);
            if Line::DisplacedIsDeleted.is_enabled() {
                old.delete();
            }
            // SAFETY: the root word refers to another node, and the leaf is deleted.
            unsafe { pin.retire_leaf(leaf) };
            return Ok(true);
        }
    }

    /// Moves a tree that no other thread has seen to another era.
    fn move_to_era(&self, root: NodeRef<'_>, era: Era) -> Result<(), OutOfMemory> {
        self.visit_from(root, &mut |node| {
            if let Content::Leaf(leaf, _) = node.content {
                leaf.set_era(era);
            }
        })
    }
}

/// Counts the keys of a tree that was just published, and has this leaf.
fn count_keys(pin: Pinned<'_>, leaf: &Leaf, mut keys: u64) {
    /// Within the range of a cell (see `memory::keys`).
    const MOST: u64 = 1 << 30;
    while keys > 0 {
        let some = keys.min(MOST);
        pin.count_keys(leaf, some as i64);
        keys -= some;
    }
}

impl Retire for Detached {
    unsafe fn bytes(detached: *mut Self, _: &Domain) -> usize {
        // SAFETY: by contract.
        unsafe { (*detached).bytes }
    }

    unsafe fn free(detached: *mut Self, domain: &Domain) {
        // SAFETY: by contract, no thread is in the detached tree.
        unsafe {
            let anchor = detached.read().anchor;
            let (record, layout) = (NonNull::new_unchecked(detached), Layout::new::<Self>());
            let memory = &domain.memory;
            memory.free(record.cast(), layout, Count::RetiredObjectBytes);
            free_cleared(domain, NodeRef::from(anchor.as_ref()));
        }
    }
}
