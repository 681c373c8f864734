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

use crate::node::{AnyNode, Internode, Leaf, Lockable, NodeRef, Portable, WIDTH};

/// Leaves asked for at once when a walk begins, and how far ahead it stays.
const DISTANCE: usize = 8;

/// Keys that a leaf holds at least, more often than not.
const KEYS_A_LEAF: usize = 8;

/// Where the leaves come from that a walk in one layer has not asked for yet.
pub(super) struct Ahead<'g> {
    parent: Option<&'g Internode>,
    /// The child of it that comes next.
    place: usize,
    /// The parent after this one, which was asked for.
    beside: Option<&'g Internode>,
}

impl<'g> Ahead<'g> {
    pub(super) const NOTHING: Self = Self {
        parent: None,
        place: 0,
        beside: None,
    };

    /// Begins after a leaf that holds `slice`, for a walk that wants so many keys more.
    pub(super) fn begin(leaf: &'g Leaf, slice: u64, reverse: bool, wanted: usize) -> Self {
        let leaves = (wanted / KEYS_A_LEAF).min(DISTANCE);
        let Some(parent) = parent_of(NodeRef::from(leaf)).filter(|_| leaves != 0) else {
            return Self::NOTHING;
        };
        let mut ahead = Self {
            parent: Some(parent),
            place: parent.place_for::<Portable>(slice),
            beside: None,
        };
        ahead.skip(reverse);
        (0..leaves).for_each(|_| ahead.ask(reverse));
        ahead
    }

    /// Asks for one leaf more.
    pub(super) fn ask(&mut self, reverse: bool) {
        let Some(parent) = self.parent else {
            return;
        };
        parent.child(self.place).prefetch_all();
        let left = if reverse {
            self.place
        } else {
            parent.len().saturating_sub(self.place)
        };
        if left == DISTANCE / 2 {
            self.beside = beside(parent, reverse);
            if let Some(beside) = self.beside {
                NodeRef::from(beside).prefetch_all();
            }
        }
        self.skip(reverse);
    }

    /// Goes on to the next child.
    fn skip(&mut self, reverse: bool) {
        let Some(parent) = self.parent else {
            return;
        };
        let is_last = if reverse {
            self.place == 0
        } else {
            self.place >= parent.len().min(WIDTH)
        };
        if !is_last {
            self.place = if reverse {
                self.place - 1
            } else {
                self.place + 1
            };
            return;
        }
        self.parent = self.beside.take().or_else(|| beside(parent, reverse));
        self.place = match self.parent {
            Some(parent) if reverse => parent.len().min(WIDTH),
            _ => 0,
        };
    }
}

/// The internode above a node of the same layer.
fn parent_of(node: NodeRef<'_>) -> Option<&Internode> {
    // SAFETY: see the module's comment.
    let parent = unsafe { NodeRef::load(node.parent_word()) }?;
    match parent.kind() {
        AnyNode::Internode(internode) => Some(internode),
        AnyNode::Leaf(_) => None,
    }
}

/// The internode next to one, under the same parent.
fn beside(internode: &Internode, reverse: bool) -> Option<&Internode> {
    let above = parent_of(internode.any())?;
    let place = above.place_for::<Portable>(internode.key(0));
    let place = if reverse {
        place.checked_sub(1)?
    } else {
        place + 1
    };
    if place > above.len().min(WIDTH) {
        return None;
    }
    match above.child(place).kind() {
        AnyNode::Internode(internode) => Some(internode),
        AnyNode::Leaf(_) => None,
    }
}
