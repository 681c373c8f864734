//! Each node's *levels below*: the height of the layers below the node. `pivots` needs it: a layer
//! that contains most keys of a tree may hang below a single leaf, and no other word in the nodes
//! above that leaf shows it.
//!
//! **Invariant.** The *levels* of a layer are the height of its root, plus the maximum of the
//! levels of the layers to which its leaves link. The height of a root that is an internode is its
//! number of levels of internodes; that of a leaf is 1 if the leaf has several links, else 0. A
//! layer with L levels contains hardly more than 15·16^L keys.
//!
//! Every node has a byte for its levels below. When no thread writes, the byte of a leaf, and the
//! bytes of all internodes above that leaf in its layer, are at least the levels of each layer to
//! which the leaf links; `check` verifies this. The byte 255 means 255 or more.
//!
//! Removes lower no byte, so a byte may be too high: `pivots` then reads some nodes in vain, and
//! its result stays correct. A split computes the bytes of both halves anew, from their children or
//! layers, so that only the half that links to a high layer keeps a high byte.
//!
//! **Where levels grow.** The levels of a layer grow in two cases: its root splits (`split`), or
//! its root is a leaf that gets a second link (`layer`). A new layer of one leaf has no levels, nor
//! has a chain of such layers. When a root's only child replaces it (`collapse`), the levels do not
//! grow. The writer first completes its change and unlocks every node, except for a leaf that it
//! holds for its user; then it raises the bytes of the nodes above the layer
//! ([`Tree::raise_levels`]). A layer of n keys causes log n such raises. A raise takes no lock. It
//! waits only for changes under DIRTY, and the threads that make these changes do not wait.
//!
//! **Raising.** The thread climbs along parent words, from the layer's root to the root of the
//! tree. At each step it raises the byte of the parent and executes a fence. Then it checks that
//! the parent is still the parent, and that the node below, whose byte it raised in the step
//! before, has not changed since. If either check fails, the thread starts over at the layer's
//! root. If that root was deleted, the thread finds the layer again by its key. If that root is no
//! longer the root, the thread stops: the writer that replaced it raises the nodes above. A thread
//! does not stop early at a byte that is already high enough: another thread may have raised that
//! byte in a climb that it must start over, so the nodes above may still be too low.
//!
//! **Raising during a split.** A split marks its nodes dirty, executes a fence F, and then loads
//! the bytes of the nodes that it distributes. A raise stores the byte of a child and executes a
//! fence (1). In the next step it loads a clean version of the parent, stores the parent's byte,
//! executes a fence (2), and loads the version again. Consider a split of the parent, in the total
//! order of the fences:
//!
//! - F precedes (1): the split may miss the child's byte. F precedes (2): the split may miss the
//!   parent's byte, or overwrite it. In both cases the raise loads, after its fence, a version of
//!   the parent with DIRTY or a later one. So it starts over, unless it loaded its clean version
//!   only after the split: then it raises the parent as the split left it or, if the child has
//!   another parent now, starts over.
//! - (2) precedes F: the split sees both bytes. Then the byte of each half covers the nodes below
//!   that half, and so does the byte of a new root.
//!
//! A split sets the byte of a new node before any child has the new node as its parent: from then
//! on a raise may reach the new node, even before the split ends. The new node itself has no parent
//! until the split stores its parent word; a raise that reaches it waits for that.
//!
//! A raise for a lower layer adds the height of each layer's root that it passes. If such a root
//! splits, either the raise sees the split and starts over, or the split copies the raised byte to
//! the new root, and the writer that splits raises the nodes above the new root.
//!
//! **Raising during a merge.** A merge moves links from a leaf to the previous leaf, which may be
//! under another internode. With all its nodes locked, it marks the leaf that it will delete dirty,
//! executes a fence, and loads that leaf's byte. Then it raises the byte of the previous leaf and
//! of the internodes above it, before it marks any other node dirty. This raise waits only for
//! changes of internodes, and the threads that make these do not wait. A thread that raises the
//! byte of the leaf to delete after the merge loaded it finds the leaf dirty or deleted.
//!
//! **Loading and clearing.** A bulk load sets the bytes of the tree that it builds, which no other
//! thread can reach, by the same invariant. A `pivots` that begins after a clear does not read the
//! cleared tree, whose bytes therefore no longer matter.

use crate::index::key::Key;
use crate::index::node::{
    AnyNode, Entries, Found, Internode, Leaf, Lockable, Locked, NodeRef, Portable, Version,
};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::read::descend::{Stale, search_long};
use crate::protocol::Line;
use crate::sync::{Ordering, Wait, fence, perturb};

/// A layer whose levels have grown.
#[derive(Clone, Copy)]
pub(in crate::index::tree) struct GrownLayer<'g> {
    /// The root of the layer.
    root: NodeRef<'g>,
}

/// Returns the byte that represents `levels`.
fn byte_of(levels: u32) -> u8 {
    levels.min(u32::from(u8::MAX)) as u8
}

fn below(node: NodeRef<'_>) -> u32 {
    u32::from(node.levels_below())
}

/// Returns the layer of a root that a split created.
pub(super) fn with_new_root<'g>(root: &Locked<'g, Internode>) -> Option<GrownLayer<'g>> {
    let root = root.node().any();
    Line::GrownLayerIsRaised
        .is_enabled()
        .then_some(GrownLayer { root })
}

/// Returns the layer of a leaf to which a link was just added, if the leaf is the root of a lower
/// layer and now has two links.
pub(super) fn has_second_link<'g>(leaf: &Locked<'g, Leaf>) -> Option<GrownLayer<'g>> {
    let is_below = leaf.is_root() && !leaf.parent_word().load(Ordering::Relaxed).is_null();
    let links = leaf.entries().filter(|entry| entry.layer().is_some());
    let is_second = is_below && links.count() == 2 && Line::SecondLinkIsRaised.is_enabled();
    let root = leaf.node().any();
    is_second.then_some(GrownLayer { root })
}

/// Returns the height of a layer's root, as the layer's levels count it, without the layers below
/// it; `None` if the node is no longer a root, is dirty, or changes meanwhile. Does not wait.
pub(in crate::index::tree) fn own_levels(root: NodeRef<'_>) -> Option<u32> {
    let version = root.version().load();
    if !version.is_living_root() || !version.is_clean() {
        return None;
    }
    match root.kind_at(version) {
        AnyNode::Internode(_) => Some(u32::from(root.height())),
        AnyNode::Leaf(leaf) => {
            let mut entries = Entries::new();
            leaf.snapshot::<Portable>(version, &mut entries)?;
            let links = entries.iter().filter(|entry| entry.layer().is_some());
            Some(u32::from(links.count() > 1))
        }
    }
}

impl Tree {
    /// Raises the levels below of all nodes above a layer that has grown. The layer contains the
    /// key `bytes`, and is below `layers` other layers.
    pub(in crate::index::tree) fn raise_levels<'g>(
        &self,
        pin: Pinned<'g>,
        layer: GrownLayer<'g>,
        bytes: &[u8],
        layers: usize,
    ) {
        let mut raised = raise_above_layer(layer.root);
        // Ends: in each iteration, another writer has deleted the layer's root.
        while raised.is_err() {
            raised = self.raise_again(pin, bytes, layers);
        }
    }

    /// Finds the layer again by its key, and raises the nodes above it. Does nothing if the tree no
    /// longer has the layer.
    fn raise_again(&self, pin: Pinned<'_>, bytes: &[u8], layers: usize) -> Result<(), Stale> {
        let mut key = Key::new(bytes);
        let mut root = self.root(pin);
        for _ in 0..layers {
            let Found::Layer(below) = search_long::<Portable>(root, &key)?.0 else {
                return Ok(());
            };
            root = below;
            key.shift();
        }
        raise_above_layer(root)
    }
}

/// Raises the levels below of all nodes above the layer of `root`.
fn raise_above_layer(root: NodeRef<'_>) -> Result<(), Stale> {
    let wait = Wait::new();
    // Ends: in each iteration, another writer has changed a node on the path, or is in the middle
    // of a split, in which it does not wait.
    loop {
        // Another thread may be raising the root's byte for a lower layer. Either this thread loads
        // the raised byte, or the other thread loads the root's new version and finds that the node
        // is a root.
        fence(Ordering::SeqCst);
        let version = root.version().stable();
        if version.is_deleted() {
            return Err(Stale);
        }
        if !version.is_root() || climb(root, version, below(root), false) {
            // If the node is no longer a root, the writer that replaced it raises the nodes above.
            return Ok(());
        }
        wait.wait();
    }
}

/// Raises the nodes above `node`, which had `version` and `levels` below it: with `in_layer`, only
/// those in its layer. Returns false if a node on the path has changed meanwhile.
fn climb(mut node: NodeRef<'_>, mut version: Version, mut levels: u32, in_layer: bool) -> bool {
    // Ends: each iteration climbs to the parent.
    loop {
        if in_layer && version.is_root() {
            return node.is_as_raised(version);
        }
        perturb();
        // SAFETY: null, or the node's parent, which is not retired before all of its children are.
        let parent = unsafe { NodeRef::load(node.parent_word()) };
        let Some(parent) = parent else {
            // The node is the root of the tree, or a new node of an active split, which has no
            // parent yet.
            return version.is_root() && node.is_as_raised(version);
        };
        if version.is_root() {
            let Some(own) = own_levels(node) else {
                return false;
            };
            levels += own;
        }
        let found = parent.version().stable();
        match parent.kind_at(found) {
            AnyNode::Leaf(leaf) => leaf.raise_below(byte_of(levels)),
            AnyNode::Internode(internode) => internode.raise_below(byte_of(levels)),
        }
        // SAFETY: as above.
        let is_parent = unsafe { NodeRef::load(node.parent_word()) } == Some(parent);
        if !is_parent && Line::RaisedIsTheParent.is_enabled() {
            return false;
        }
        // Validates the byte that the previous step raised in this node.
        if !node.is_as_raised(version) {
            return false;
        }
        (node, version) = (parent, found);
    }
}

/// Raises the byte of a locked leaf, and of the internodes above it in its layer, to `levels`, the
/// byte of the next leaf.
pub(super) fn raise_leaf(leaf: &Locked<'_, Leaf>, levels: u8) {
    leaf.below_word().fetch_max(levels, Ordering::Relaxed);
    let version = leaf.version_found();
    let wait = Wait::new();
    // Ends: in each iteration, a node on the path has changed or is dirty, and the owner of a dirty
    // node does not wait.
    while !climb(leaf.node().any(), version, levels.into(), true) {
        wait.wait();
    }
}
