//! Prefetches leaves before a walk reaches them.
//!
//! The leaves of a layer form a linked list: each must be loaded before the address of the
//! next one is known. An internode knows the addresses of all its children, so the walk
//! prefetches several leaves ahead through the internodes above, and the processor loads them
//! in parallel.
//!
//! Everything in this file is a hint. Internodes are read without validation, under the
//! walk's guard; nodes found in them are prefetched, but never read as leaves. A parent word
//! read without a lock refers to an internode that was the parent while the guard was held:
//! it may be read, whatever it holds now.

use crate::index::node::{AnyNode, Internode, Leaf, Lockable, NodeRef, Portable, WIDTH};

/// How many leaves are prefetched when a walk begins, and how many leaves ahead of the walk
/// prefetching stays.
const DISTANCE: usize = 4;

/// Most leaves hold at least this many keys.
const KEYS_A_LEAF: usize = 8;

/// The position of the next leaf to prefetch, for a walk in one layer.
pub(in crate::index::tree) struct Ahead<'g> {
    parent: Option<&'g Internode>,
    /// The index, in `parent`, of the child to prefetch next.
    position: usize,
    /// The parent after this one, already prefetched.
    next_parent: Option<&'g Internode>,
}

impl<'g> Ahead<'g> {
    pub(in crate::index::tree) const NOTHING: Self = Self {
        parent: None,
        position: 0,
        next_parent: None,
    };

    /// Begins after the child of `parent` that holds `slice`, for a walk that wants `wanted`
    /// more keys.
    pub(in crate::index::tree) fn begin(
        parent: Option<&'g Internode>,
        slice: u64,
        reverse: bool,
        wanted: usize,
    ) -> Self {
        let leaves = (wanted / KEYS_A_LEAF).min(DISTANCE);
        let Some(parent) = parent.filter(|_| leaves != 0) else {
            return Self::NOTHING;
        };
        let mut ahead = Self {
            parent: Some(parent),
            position: parent.child_index::<Portable>(slice),
            next_parent: None,
        };
        ahead.advance(parent, reverse);
        (0..leaves).for_each(|_| _ = ahead.prefetch_next(reverse));
        ahead
    }

    /// Begins after a leaf that holds `slice`.
    pub(in crate::index::tree) fn begin_after(
        leaf: &'g Leaf,
        slice: u64,
        reverse: bool,
        wanted: usize,
    ) -> Self {
        match wanted / KEYS_A_LEAF {
            0 => Self::NOTHING,
            _ => Self::begin(parent_of(leaf.any()), slice, reverse, wanted),
        }
    }

    /// Prefetches one more leaf; returns whether the address of one is known.
    #[inline]
    pub(in crate::index::tree) fn prefetch_next(&mut self, reverse: bool) -> bool {
        let Some(parent) = self.parent else {
            return false;
        };
        parent.child(self.position).prefetch_all();
        if self.position == WIDTH / 2 {
            // Prefetches the next parent now, so that it is loaded by the time this parent's
            // children have been prefetched.
            self.next_parent = sibling(parent, reverse);
            if let Some(next_parent) = self.next_parent {
                NodeRef::from(next_parent).prefetch_all();
            }
        }
        self.advance(parent, reverse);
        true
    }

    /// Moves to the next child, or to the first child of the next parent.
    #[inline]
    fn advance(&mut self, parent: &'g Internode, reverse: bool) {
        // Unused child words repeat the last child.
        let next = if reverse {
            let last = parent.child(self.position);
            (0..self.position).rev().find(|&i| parent.child(i) != last)
        } else {
            let next = self.position + 1;
            (next <= WIDTH && parent.child(next) != parent.child(self.position)).then_some(next)
        };
        if let Some(next) = next {
            self.position = next;
            return;
        }
        self.parent = self.next_parent.take().or_else(|| sibling(parent, reverse));
        self.position = if reverse { WIDTH } else { 0 };
    }
}

/// The internode above a node in the same layer.
fn parent_of(node: NodeRef<'_>) -> Option<&Internode> {
    // SAFETY: see the module's comment.
    internode(unsafe { NodeRef::load(node.parent_word()) }?)
}

fn internode(node: NodeRef<'_>) -> Option<&Internode> {
    match node.kind() {
        AnyNode::Internode(internode) => Some(internode),
        AnyNode::Leaf(_) => None,
    }
}

/// The next internode in a direction, under the same parent.
pub(in crate::index::tree) fn sibling(node: &Internode, reverse: bool) -> Option<&Internode> {
    let above = parent_of(node.any()).filter(|_| node.len() > 0)?;
    let position = above.child_index::<Portable>(node.key(0));
    let position = if reverse {
        position.checked_sub(1)?
    } else {
        position + 1
    };
    if position > WIDTH || above.child(position) == node.any() {
        return None;
    }
    internode(above.child(position))
}
