//! The order of locks.
//!
//! A writer waits for a lock while holding others only in these directions:
//!
//! 1. from a leaf to the leaf before it ([`lock_prev`]),
//! 2. from a node to its parent ([`lock_parent`]): from a leaf or internode to
//!    its internode, from the root of a layer to the leaf that links to it.
//!
//! Steps of the first kind come before those of the second. Both follow an order that no change of
//! the tree reverses: deeper layers before upper ones, within a layer lower levels before higher
//! ones, and among the leaves of a layer greater keys before smaller ones. So threads never wait
//! for each other in a cycle, and every lock is eventually released. A writer may also lock nodes
//! that are not published yet, at any time.

use arrayvec::ArrayVec;

use crate::index::node::{AnyNode, Internode, Leaf, Lockable, Locked, NodeRef};
use crate::protocol::Line;
use crate::sync::perturb;

/// More levels than the internodes of a layer can have: a new root has one key, and splits only
/// after fifteen splits of the level below.
pub(in crate::index::tree) const MAX_HEIGHT: usize = 32;

/// Locked ancestors of a leaf within its layer, from the lowest up.
pub(in crate::index::tree) type Path<'g> = ArrayVec<Locked<'g, Internode>, MAX_HEIGHT>;

/// The node above a locked node, locked.
pub(in crate::index::tree) enum Parent<'g> {
    Internode(Locked<'g, Internode>),
    /// The node is the root of a layer: the leaf that links to this layer.
    Layer(Locked<'g, Leaf>),
    /// The node is the root of the tree: no node is above it, and its lock protects the tree's root
    /// word.
    Tree,
}

/// Locks the node above a node.
///
/// Ends: in each round, another writer has split or collapsed the parent.
pub(in crate::index::tree) fn lock_parent<'g, N: Lockable>(child: &Locked<'g, N>) -> Parent<'g> {
    loop {
        // SAFETY: the word is null or points to the child's parent, which is not retired while it
        // has this child.
        let Some(parent) = (unsafe { NodeRef::load(child.node().parent_word()) }) else {
            debug_assert!(child.is_root());
            return Parent::Tree;
        };
        perturb();
        let found = match parent.kind() {
            AnyNode::Leaf(leaf) => Parent::Layer(Locked::lock(leaf)),
            AnyNode::Internode(internode) => Parent::Internode(Locked::lock(internode)),
        };
        // SAFETY: as above.
        if unsafe { NodeRef::load(child.node().parent_word()) } == Some(parent)
            || !Line::ParentIsStill.is_enabled()
        {
            return found;
        }
    }
}

/// Locks the ancestors of a leaf, bottom-up, and appends them to `path`: up to the first for which
/// `is_last` returns true, or, if it does so for none in the layer, all of them. In the latter case
/// also locks, and returns, the node above the layer's root.
pub(in crate::index::tree) fn lock_ancestors<'g>(
    leaf: &Locked<'g, Leaf>,
    is_last: impl Fn(&Internode) -> bool,
    path: &mut Path<'g>,
) -> Option<Parent<'g>> {
    loop {
        let parent = match path.last() {
            None => lock_parent(leaf),
            Some(node) => lock_parent(node),
        };
        match parent {
            Parent::Internode(node) => {
                let last = is_last(&node);
                path.push(node);
                if last {
                    return None;
                }
            }
            above => return Some(above),
        }
    }
}

/// Locks the leaf before a leaf without waiting. `None` also if another thread owns that lock, or has split
/// or deleted the leaf before.
pub(super) fn try_lock_prev<'g>(leaf: &Locked<'g, Leaf>) -> Option<Locked<'g, Leaf>> {
    let prev = leaf.node().prev()?;
    perturb();
    let locked = Locked::lock_unchanged(prev, prev.version().load())?;
    is_still_prev(leaf, prev).then_some(locked)
}

/// Whether a leaf, now locked, is still the one before `leaf`.
fn is_still_prev(leaf: &Locked<'_, Leaf>, prev: &Leaf) -> bool {
    let current = leaf.node().prev();
    current.is_some_and(|current| std::ptr::eq(current, prev)) || !Line::PrevIsStill.is_enabled()
}

/// Locks the leaf before a leaf, if there is one.
///
/// Ends: in each round, another writer has split or deleted the leaf before.
pub(in crate::index::tree) fn lock_prev<'g>(leaf: &Locked<'g, Leaf>) -> Option<Locked<'g, Leaf>> {
    loop {
        let prev = leaf.node().prev()?;
        perturb();
        let locked = Locked::lock(prev);
        if is_still_prev(leaf, prev) {
            return Some(locked);
        }
    }
}
