//! How high the layers below a node are, for `pivots`: a layer that holds most keys of a tree may
//! hang below one leaf of very many, and no other word of the nodes above tells which.
//!
//! **What a node says.** Each node has a byte, its *levels below*. A layer has, as its levels, the
//! height of its root (a leaf: 1 if it has several links, else 0) and the most of the layers below
//! its links: its keys are hardly more than 15·16^levels. When no thread writes, the byte of a leaf
//! and those of all internodes above it in its layer are at least the levels of each layer that
//! the leaf links to; `check` verifies it. A byte of 255 stands for that and more. Removes lower no
//! byte: keys that are gone cost `pivots` looks, no more. A split sets both halves to what their
//! children or layers say, so that the half without a high layer does not go on saying that it
//! has one.
//!
//! **Where levels grow**: the root of a layer splits (`split`), or is a leaf and gets its second
//! link (`layer`). A new layer of one leaf has none, and neither has a chain of them; where a
//! root is replaced by its only child (`collapse`), they do not grow. The writer first finishes
//! its change and unlocks everything, except for a leaf that it holds, and then raises what is
//! above ([`Tree::raise_levels`]): a layer of n keys does so log n times. Nothing is locked, and
//! nothing waited for but changes under DIRTY, whose owners wait for nothing.
//!
//! **Raising** goes up through parent words from the layer's root to the root of the tree. For each
//! step it raises the parent, executes a fence, and looks whether it still is the parent, and
//! whether the node below, which was raised before, has changed since; if so, it begins again at
//! the layer's root. If that was deleted, it finds the layer by its key; if the
//! layer has a new root, its writer raises what is above. It does not rely on what others have
//! raised: a byte may be high because of a raise that begins again elsewhere.
//!
//! **Beside splits.** A split makes its nodes dirty, executes a fence, and loads the bytes of what it
//! distributes; the raising thread stores a child's byte, executes a fence, later stores the
//! parent's, executes a fence, and loads the parent's version. If the split misses the child's
//! byte, its fence comes before the first of these; then the thread sees DIRTY or a later
//! version, and begins again. If the split misses, or overwrites, what was stored in the parent,
//! likewise. If not, each half says what the nodes below it say, and so does a new root. What a new
//! node says is stored before any node has it as its parent, for then it may be raised, though the
//! split is still under way; it has no parent itself until that is made, and raising waits for it.
//!
//! Raising for a lower layer adds the height of each root that it passes. If such a root is split,
//! either the raising thread sees that and begins again, or the split has its byte for the new
//! root, whose writer raises what is above.
//!
//! **A merge** moves links from a leaf to the one before, perhaps under another internode. With both
//! all its nodes locked, it makes the leaf that goes dirty, and loads its byte after a fence. Then it
//! raises the leaf before, and the internodes above that, before it makes any other node dirty.
//! That waits for changes of internodes only, whose owners wait for nothing. A thread that raises
//! the leaf that goes later sees DIRTY, or finds it deleted.
//!
//! A loaded tree is built by the same writes. A cleared tree is not looked at any more.

use crate::index::key::Key;
use crate::index::node::{
    AnyNode, Entries, Found, Internode, Leaf, Lockable, Locked, NodeRef, Portable, Version,
};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::read::descend::{Stale, search_long};
use crate::protocol::Line;
use crate::sync::{Ordering, Wait, fence, perturb};

/// A layer that has more levels than before.
#[derive(Clone, Copy)]
pub(in crate::index::tree) struct Outgrown<'g> {
    /// Its root.
    root: NodeRef<'g>,
}

/// The byte for so many levels.
fn byte_of(levels: u32) -> u8 {
    levels.min(u32::from(u8::MAX)) as u8
}

fn below(node: NodeRef<'_>) -> u32 {
    u32::from(node.levels_below())
}

/// The layer of a new root.
pub(super) fn with_new_root<'g>(root: &Locked<'g, Internode>) -> Option<Outgrown<'g>> {
    let root = root.node().any();
    Line::OutgrownIsRaised
        .is_enabled()
        .then_some(Outgrown { root })
}

/// The layer of a leaf that is the whole of it, if the leaf has two links, one of them new.
pub(super) fn has_second_link<'g>(leaf: &Locked<'g, Leaf>) -> Option<Outgrown<'g>> {
    let is_below = leaf.is_root() && !leaf.parent_word().load(Ordering::Relaxed).is_null();
    let links = leaf.entries().filter(|entry| entry.layer().is_some());
    let is_second = is_below && links.count() == 2 && Line::SecondLinkIsRaised.is_enabled();
    let root = leaf.node().any();
    is_second.then_some(Outgrown { root })
}

/// The levels of a root without those below it; `None` if it is no root any more, or is changing.
/// Waits for nothing.
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
    /// Raises what the nodes above a layer say of the levels below them: of the layer of this key
    /// with so many layers above it.
    pub(in crate::index::tree) fn raise_levels<'g>(
        &self,
        pin: Pinned<'g>,
        layer: Outgrown<'g>,
        bytes: &[u8],
        layers: usize,
    ) {
        let mut raised = raise_above_layer(layer.root);
        // Ends: each time around, another writer has deleted the layer's root.
        while raised.is_err() {
            raised = self.raise_again(pin, bytes, layers);
        }
    }

    /// Raises the nodes above the layer, found by its key; if it is gone, there is nothing to raise.
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

/// Raises all nodes above a layer.
fn raise_above_layer(root: NodeRef<'_>) -> Result<(), Stale> {
    let wait = Wait::new();
    // Ends: each time around, another writer has changed a node on the way, or is in the middle of
    // a split.
    loop {
        // Either this thread loads what another has raised in the root, or that one sees its new
        // version, and that it is one.
        fence(Ordering::SeqCst);
        let version = root.version().stable();
        if version.is_deleted() {
            return Err(Stale);
        }
        if !version.is_root() || climb(root, version, below(root), false) {
            // If it is no root any more: whoever has replaced it raises what is above.
            return Ok(());
        }
        wait.wait();
    }
}

/// Raises the nodes above one that had `version` and so many levels below it; all of them, or those
/// of its layer. Returns false if one of them has changed meanwhile.
fn climb(mut node: NodeRef<'_>, mut version: Version, mut levels: u32, in_layer: bool) -> bool {
    // Ends: it goes up a level each time around.
    loop {
        if in_layer && version.is_root() {
            return node.is_as_raised(version);
        }
        perturb();
        // SAFETY: null, or the node's parent, which is not retired as long as it has a child that
        // is not.
        let parent = unsafe { NodeRef::load(node.parent_word()) };
        let Some(parent) = parent else {
            // A new node of a split that is under way has no parent yet.
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
        // What was raised in the node, in the step before.
        if !node.is_as_raised(version) {
            return false;
        }
        (node, version) = (parent, found);
    }
}

/// Raises a locked leaf and the internodes above it to what another leaf of its layer says.
pub(super) fn raise_leaf(leaf: &Locked<'_, Leaf>, levels: u8) {
    leaf.below_word().fetch_max(levels, Ordering::Relaxed);
    let version = leaf.version_found();
    let wait = Wait::new();
    // Ends: as above; a split that is under way waits for nothing.
    while !climb(leaf.node().any(), version, levels.into(), true) {
        wait.wait();
    }
}
