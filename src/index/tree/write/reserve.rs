//! Memory made ready before it is needed.
//!
//! A write that needs memory finds out how much while it holds locks, lets them
//! go without having changed anything, and comes back with the memory: no
//! allocation under a lock, and none that can fail after the first change. It
//! comes back until what it brings suffices, which is after the first time
//! unless other writers changed the place meanwhile.

use std::ptr::NonNull;

use arrayvec::ArrayVec;

use super::engine::Lengths;
use super::lock::MAX_HEIGHT;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Era, Memory};
use crate::index::node::{
    AnyNode, Chain, Internode, Leaf, Lockable, Locked, NodeRef, OwnedBag, Shape, WIDTH,
};

/// What a write needs.
#[derive(Default)]
pub(in crate::index::tree) struct Needs {
    pub(in crate::index::tree) leaves: usize,
    pub(in crate::index::tree) internodes: usize,
    /// A bag for the leaf at hand.
    pub(in crate::index::tree) kept: Option<Shape>,
    /// A bag for the leaf that a split makes, or for the one above a layer that was made.
    pub(in crate::index::tree) moved: Option<Shape>,
    /// A bag for the leaf with room for a key, from when the key comes.
    pub(in crate::index::tree) room: Option<Shape>,
}

impl Needs {
    /// What the split of a leaf needs at least.
    pub(in crate::index::tree) fn of_split() -> Self {
        Self {
            leaves: 1,
            ..Self::default()
        }
    }
}

/// What a write has.
pub(in crate::index::tree) struct Reserve<'d> {
    memory: &'d Memory,
    /// Private, locked leaves: layers for a long shared prefix may take any number.
    leaves: Chain<'d>,
    leaf_count: usize,
    internodes: ArrayVec<Locked<'d, Internode>, { MAX_HEIGHT + 1 }>,
    kept: Option<OwnedBag<'d>>,
    moved: Option<OwnedBag<'d>>,
    room: Option<OwnedBag<'d>>,
}

impl<'d> Reserve<'d> {
    pub(in crate::index::tree) fn new(memory: &'d Memory) -> Self {
        Self {
            memory,
            leaves: Chain::EMPTY,
            leaf_count: 0,
            internodes: ArrayVec::new(),
            kept: None,
            moved: None,
            room: None,
        }
    }

    pub(in crate::index::tree) fn covers(&self, needs: &Needs) -> bool {
        self.leaf_count >= needs.leaves
            && self.internodes.len() >= needs.internodes
            && suffices(self.kept.as_ref(), needs.kept)
            && suffices(self.moved.as_ref(), needs.moved)
            && suffices(self.room.as_ref(), needs.room)
    }

    /// `covers`, with nodes that the pools have ready for this stripe: so most splits take no second
    /// attempt. Waits for nothing and runs no code of the user's, so locks of nodes may be held.
    pub(in crate::index::tree) fn cover(&mut self, needs: &Needs, stripe: usize) -> bool {
        while self.leaf_count < needs.leaves
            && let Some(leaf) = self.memory.pooled_leaf(stripe)
        {
            self.leaves.push(NodeRef::from(leaf));
            self.leaf_count += 1;
        }
        while self.internodes.len() < needs.internodes
            && let Some(internode) = self.memory.pooled_internode(stripe)
        {
            self.internodes.push(Locked::private(internode));
        }
        self.covers(needs)
    }

    /// Gets what is lacking. What was got before a failure stays in the reserve.
    pub(in crate::index::tree) fn fill(&mut self, needs: &Needs) -> Result<(), OutOfMemory> {
        while self.leaf_count < needs.leaves {
            let leaf = self.memory.new_leaf().ok_or(OutOfMemory)?;
            self.leaves.push(NodeRef::from(leaf));
            self.leaf_count += 1;
        }
        while self.internodes.len() < needs.internodes {
            let internode = self.memory.new_internode().ok_or(OutOfMemory)?;
            self.internodes.push(Locked::private(internode));
        }
        provide(&mut self.kept, needs.kept, self.memory)?;
        provide(&mut self.moved, needs.moved, self.memory)?;
        provide(&mut self.room, needs.room, self.memory)
    }

    /// A leaf of the reserve, private and locked, for the tree of an era.
    pub(in crate::index::tree) fn leaf(&mut self, era: Era) -> Locked<'d, Leaf> {
        let node = self.leaves.pop().expect("the reserve covers the needs");
        let AnyNode::Leaf(leaf) = node.kind() else {
            unreachable!("a chain of leaves")
        };
        self.leaf_count -= 1;
        let leaf = Locked::private(leaf);
        leaf.set_parent(std::ptr::null_mut());
        leaf.set_era(era);
        leaf
    }

    /// An internode of the reserve, private and locked.
    pub(in crate::index::tree) fn internode(&mut self) -> Locked<'d, Internode> {
        self.internodes.pop().expect("the reserve covers the needs")
    }

    /// The bag for the leaf at hand.
    pub(in crate::index::tree) fn kept_bag(&mut self) -> OwnedBag<'d> {
        self.kept.take().expect("the reserve covers the needs")
    }

    /// What is left over, to be freed when no lock is held any more.
    pub(in crate::index::tree) fn take_spare(&mut self) -> Spare<'d> {
        let mut nodes = std::mem::replace(&mut self.leaves, Chain::EMPTY);
        self.leaf_count = 0;
        while let Some(internode) = self.internodes.pop() {
            let node = internode.node();
            drop(internode);
            nodes.push(node.any());
        }
        Spare {
            memory: self.memory,
            nodes,
            _bags: [self.kept.take(), self.moved.take(), self.room.take()],
        }
    }

    /// The bag for the leaf with room for a key, if it was needed.
    pub(in crate::index::tree) fn room_bag(&mut self, needs: &Needs) -> Option<OwnedBag<'d>> {
        needs.room.and_then(|_| self.room.take())
    }

    /// The other bag: see [`Needs`].
    pub(in crate::index::tree) fn moved_bag(&mut self) -> OwnedBag<'d> {
        self.moved.take().expect("the reserve covers the needs")
    }
}

impl Drop for Reserve<'_> {
    fn drop(&mut self) {
        drop(self.take_spare());
    }
}

/// Memory of a reserve that was not needed.
pub(in crate::index::tree) struct Spare<'d> {
    memory: &'d Memory,
    nodes: Chain<'d>,
    _bags: [Option<OwnedBag<'d>>; 3],
}

impl Drop for Spare<'_> {
    fn drop(&mut self) {
        while let Some(node) = self.nodes.pop() {
            // SAFETY: no other thread has seen the node, and a leaf has no bag.
            unsafe {
                match node.kind() {
                    AnyNode::Leaf(leaf) => {
                        // Unlocked first: that writes to the node.
                        drop(Locked::private(leaf));
                        self.memory.free_leaf(NonNull::from(leaf));
                    }
                    AnyNode::Internode(internode) => {
                        self.memory.free_internode(NonNull::from(internode));
                    }
                }
            }
        }
    }
}

/// Bytes of suffixes that room is kept for at most before they come; none is for one
/// that is longer.
const MOST_EXPECTED: usize = 1024;

/// The shape of a bag for suffixes of these lengths, in a leaf of so many entries.
/// `None`: no bag is needed.
///
/// As long as the leaf has free slots, there is room for more: for one suffix like the
/// last, or a quarter of what is there. With room for just one, loading 5,000,000 keys of 24
/// bytes took a sixth longer, and no fewer bytes.
pub(in crate::index::tree) fn shape_for(lengths: &[usize], entries: usize) -> Option<Shape> {
    let last = *lengths.last()?;
    let quarter = lengths.iter().sum::<usize>() / 4;
    let expected = last.max(quarter.min(MOST_EXPECTED));
    let comes = entries < WIDTH && last <= MOST_EXPECTED;
    let expected = comes.then_some(expected);
    Some(Shape::for_records(lengths.iter().copied().chain(expected)))
}

/// Shapes of bags for a leaf of so many entries, with suffixes of these lengths, that is to
/// have room for one more, which may never come: the bag that it gets at once, and the one
/// that it gets when the suffix comes and does not fit into the first.
pub(in crate::index::tree) fn shapes_for_room(
    lengths: &[usize],
    suffix: usize,
    entries: usize,
) -> (Option<Shape>, Option<Shape>) {
    let now = shape_for(lengths, entries);
    let exact = Shape::for_records(lengths.iter().copied().chain([suffix]));
    if now.is_some_and(|now| now.contains(exact)) {
        return (now, None);
    }
    let mut with: Lengths = lengths.iter().copied().collect();
    with.push(suffix);
    (now, shape_for(&with, entries + 1))
}

fn suffices(bag: Option<&OwnedBag<'_>>, shape: Option<Shape>) -> bool {
    shape.is_none_or(|shape| bag.is_some_and(|bag| bag.shape().contains(shape)))
}

fn provide<'d>(
    bag: &mut Option<OwnedBag<'d>>,
    shape: Option<Shape>,
    memory: &'d Memory,
) -> Result<(), OutOfMemory> {
    if let Some(shape) = shape
        && !suffices(bag.as_ref(), Some(shape))
    {
        *bag = Some(OwnedBag::new(memory, shape).ok_or(OutOfMemory)?);
    }
    Ok(())
}
