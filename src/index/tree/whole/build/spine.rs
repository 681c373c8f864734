//! The *spine* of a layer that is being built: its last node on each level. Nodes are only added at
//! the end of a level, so only internodes of the spine get more children. They stay locked, and
//! their unused words are wrong, until they are completed: when the next internode of their level
//! is added, or when the layer is complete. The parent words lead from the last leaf up; that of
//! the layer's root is null until the layer is complete.

use crate::index::node::{AnyNode, Internode, Leaf, Lockable, Locked, NodeRef};
use crate::index::tree::write::reserve::Reserve;
use crate::sync::Ordering;

/// The internode above a node of a layer that is being built; `None` for the layer's root.
fn parent_of<'t>(node: NodeRef<'t>) -> Option<&'t Internode> {
    // SAFETY: null, or the node's parent, which lives as long as the tree that is being built.
    let parent = unsafe { NodeRef::load(node.parent_word()) }?;
    match parent.kind() {
        AnyNode::Internode(internode) => Some(internode),
        AnyNode::Leaf(_) => unreachable!("a layer that is being built is under no leaf"),
    }
}

/// Calls `change` with an internode of the spine, which stays locked.
fn change<'t>(node: &'t Internode, change: impl FnOnce(&mut Locked<'t, Internode>)) {
    let mut locked = Locked::private(node);
    change(&mut locked);
    std::mem::forget(locked);
}

/// The number of internodes that [`append`] takes from the reserve.
pub(super) fn needed_above(last: NodeRef<'_>) -> usize {
    let (mut node, mut full) = (last, 0);
    while let Some(parent) = parent_of(node) {
        if !parent.is_full() {
            return full;
        }
        full += 1;
        node = NodeRef::from(parent);
    }
    full + 1
}

/// The height of the layer of which `last` is a node.
pub(super) fn height_above(last: NodeRef<'_>) -> usize {
    let mut node = last;
    while let Some(parent) = parent_of(node) {
        node = NodeRef::from(parent);
    }
    usize::from(node.height())
}

/// Adds `node`, whose smallest slice is `low`, after `last`, the last node of its level. Completes
/// internodes that are full. The reserve has [`needed_above`] internodes.
pub(super) fn append<'t>(
    last: NodeRef<'t>,
    node: NodeRef<'t>,
    low: u64,
    reserve: &mut Reserve<'t>,
) {
    let levels = node.levels_below();
    let (mut left, mut right) = (last, node);
    // Ends: each round climbs a level.
    loop {
        let Some(parent) = parent_of(left) else {
            let mut root = reserve.internode();
            let below = left.levels_below().max(right.levels_below());
            root.set_levels(left.height(), below);
            root.fill(&[low], &[left, right]);
            return std::mem::forget(root);
        };
        if !parent.is_full() {
            change(parent, |parent| parent.append(low, right));
            return raise(NodeRef::from(parent), levels);
        }
        let mut next = reserve.internode();
        next.set_levels(parent.level(), levels);
        next.fill(&[], &[right]);
        right = NodeRef::from(next.node());
        std::mem::forget(next);
        Locked::private(parent).complete();
        left = NodeRef::from(parent);
    }
}

/// Raises the levels below of a node and of the internodes above it to at least `levels`.
pub(super) fn raise(from: NodeRef<'_>, levels: u8) {
    let mut node = Some(from);
    while let Some(at) = node.filter(|_| levels > 0) {
        let word = match at.kind() {
            AnyNode::Leaf(leaf) => leaf.below_word(),
            AnyNode::Internode(internode) => internode.below_word(),
        };
        // Relaxed: no other thread can reach the node yet.
        let most = word.load(Ordering::Relaxed).max(levels);
        word.store(most, Ordering::Relaxed);
        node = parent_of(at).map(NodeRef::from);
    }
}

/// Completes the internode above `last`, and unlocks it. Returns it; `None` if `last` is the root of
/// the layer.
pub(super) fn complete_parent(last: NodeRef<'_>) -> Option<NodeRef<'_>> {
    let parent = parent_of(last)?;
    Locked::private(parent).complete();
    Some(NodeRef::from(parent))
}

/// Makes a node the root of its layer, to which `link` links.
pub(super) fn make_root<N: Lockable>(root: &mut Locked<'_, N>, link: Option<&Leaf>) {
    let link = link.map_or(std::ptr::null_mut(), |leaf| NodeRef::from(leaf).as_ptr());
    root.set_root(true, link);
}
