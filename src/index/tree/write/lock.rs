//! The order of locks.
//!
//! A writer waits for a lock while holding others only in these directions:
//!
//! 1. from a leaf to the leaf before it ([`lock_prev`]),
//! 2. from a node to its parent ([`lock_parent`]): from a leaf or internode to
//!    its internode, from the root of a layer to the leaf that links to it.
//!
//! Steps of the first kind come before those of the second. Both follow an order
//! that no change of the tree turns round: deeper layers before upper ones, in a
//! layer lower levels before higher ones, in the leaves of a layer greater keys
//! before smaller ones. So waiting never closes a circle, and every lock is
//! eventually released. Nodes that are not published yet may be locked at any time.

use arrayvec::ArrayVec;

use crate::index::node::{AnyNode, Internode, Leaf, Lockable, Locked, NodeRef};
use crate::protocol::Line;
use crate::sync::perturb;

/// More levels than a layer of internodes can have: a root only splits after its
/// internode took fifteen splits of the level below.
pub(in crate::index::tree) const MAX_HEIGHT: usize = 32;

/// Locked internodes, from the lowest up.
pub(in crate::index::tree) type Path<'g> = ArrayVec<Locked<'g, Internode>, MAX_HEIGHT>;

/// The node above a locked one, locked.
pub(in crate::index::tree) enum Parent<'g> {
    Internode(Locked<'g, Internode>),
    /// The leaf that links to the layer whose root this is.
    Layer(Locked<'g, Leaf>),
    /// Nothing: this is the root of the tree, and its lock owns the tree's root
    /// word.
    Tree,
}

/// Locks the node above.
///
/// Ends: the parent changes only when another writer splits or collapses it, and
/// each time around one has done so.
pub(in crate::index::tree) fn lock_parent<'g, N: Lockable>(child: &Locked<'g, N>) -> Parent<'g> {
    loop {
        // SAFETY: the word holds null or the child's parent, which is not retired
        // while it has this child.
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

/// Locks the ancestors of a leaf, which `path` gets, up to the first that `is_last` holds
/// for; or, if it holds for none in the layer, what is above the layer's root too.
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

/// Locks the leaf before, if there is one.
///
/// Ends: as `lock_parent`.
pub(in crate::index::tree) fn lock_prev<'g>(leaf: &Locked<'g, Leaf>) -> Option<Locked<'g, Leaf>> {
    loop {
        let prev = leaf.node().prev()?;
        perturb();
        let locked = Locked::lock(prev);
        if leaf
            .node()
            .prev()
            .is_some_and(|now| std::ptr::eq(now, prev))
            || !Line::PrevIsStill.is_enabled()
        {
            return Some(locked);
        }
    }
}
