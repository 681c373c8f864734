//! Asking for leaves before a walk comes to them.
//!
//! The way from leaf to leaf is a chain: each has to be there before the next is known. A
//! parent knows them all, so the walk asks for leaves some way ahead of it through the parents'
//! children, and the processor fetches them all at once.
//!
//! Everything here is a hint. Internodes are read without validation, under the walk's guard;
//! what is found in them is asked for, never read as a leaf. A parent word that is read without
//! a lock leads to an internode that was the parent while the guard was held: it may be read,
//! whatever it holds by now.

use crate::index::node::{AnyNode, Internode, Leaf, Lockable, NodeRef, Portable, WIDTH};

/// Leaves asked for at once when a walk begins, and how far ahead it stays.
const DISTANCE: usize = 4;

/// Keys that a leaf holds at least, more often than not.
const KEYS_A_LEAF: usize = 8;

/// Where the leaves come from that a walk in one layer has not asked for yet.
pub(in crate::index::tree) struct Ahead<'g> {
    parent: Option<&'g Internode>,
    /// The child of it that comes next.
    position: usize,
    /// The parent after this one, which was asked for.
    next_parent: Option<&'g Internode>,
}

impl<'g> Ahead<'g> {
    pub(in crate::index::tree) const NOTHING: Self = Self {
        parent: None,
        position: 0,
        next_parent: None,
    };

    /// Begins after the child of `parent` that holds `slice`, for a walk that wants so many
    /// keys more.
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
            position: parent.place_for::<Portable>(slice),
            next_parent: None,
        };
        ahead.advance(parent, reverse);
        (0..leaves).for_each(|_| _ = ahead.prefetch_next(reverse));
        ahead
    }

    /// Begins after a leaf of which a slice is known.
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

    /// Asks for one leaf more, if it knows one, and says whether it does.
    #[inline]
    pub(in crate::index::tree) fn prefetch_next(&mut self, reverse: bool) -> bool {
        let Some(parent) = self.parent else {
            return false;
        };
        parent.child(self.position).prefetch_all();
        if self.position == WIDTH / 2 {
            // By the time that this parent's children have been asked for, it will be there.
            self.next_parent = sibling(parent, reverse);
            if let Some(next_parent) = self.next_parent {
                NodeRef::from(next_parent).prefetch_all();
            }
        }
        self.advance(parent, reverse);
        true
    }

    /// Goes on to the next child, or to the next parent's first.
    #[inline]
    fn advance(&mut self, parent: &'g Internode, reverse: bool) {
        // Unused children repeat the last.
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

/// The internode above a node of the same layer.
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

/// The internode next to one, under the same parent.
fn sibling(node: &Internode, reverse: bool) -> Option<&Internode> {
    let above = parent_of(node.any())?;
    let position = above.place_for::<Portable>(node.key(0));
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
