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
    place: usize,
    /// The parent after this one, which was asked for.
    beside: Option<&'g Internode>,
}

impl<'g> Ahead<'g> {
    pub(in crate::index::tree) const NOTHING: Self = Self {
        parent: None,
        place: 0,
        beside: None,
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
            place: parent.child_index::<Portable>(slice),
            beside: None,
        };
        ahead.skip(parent, reverse);
        (0..leaves).for_each(|_| _ = ahead.ask(reverse));
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
    pub(in crate::index::tree) fn ask(&mut self, reverse: bool) -> bool {
        let Some(parent) = self.parent else {
            return false;
        };
        parent.child(self.place).prefetch_all();
        if self.place == WIDTH / 2 {
            // By the time that this parent's children have been asked for, it will be there.
            self.beside = beside(parent, reverse);
            if let Some(beside) = self.beside {
                NodeRef::from(beside).prefetch_all();
            }
        }
        self.skip(parent, reverse);
        true
    }

    /// Goes on to the next child, or to the next parent's first.
    #[inline]
    fn skip(&mut self, parent: &'g Internode, reverse: bool) {
        // Unused children repeat the last.
        let next = if reverse {
            let last = parent.child(self.place);
            (0..self.place).rev().find(|&i| parent.child(i) != last)
        } else {
            let next = self.place + 1;
            (next <= WIDTH && parent.child(next) != parent.child(self.place)).then_some(next)
        };
        if let Some(next) = next {
            self.place = next;
            return;
        }
        self.parent = self.beside.take().or_else(|| beside(parent, reverse));
        self.place = if reverse { WIDTH } else { 0 };
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
fn beside(node: &Internode, reverse: bool) -> Option<&Internode> {
    let above = parent_of(node.any())?;
    let place = above.child_index::<Portable>(node.key(0));
    let place = if reverse {
        place.checked_sub(1)?
    } else {
        place + 1
    };
    if place > WIDTH || above.child(place) == node.any() {
        return None;
    }
    internode(above.child(place))
}
