//! Memory that a write reserves before its first change.
//!
//! A write determines how much memory it needs while it holds locks. If its reserve has less, it
//! unlocks everything without having changed anything, allocates, and locates its key again. So no
//! write allocates under a lock, and no allocation can fail after the first change. The second
//! attempt has enough memory unless another writer has changed the leaf meanwhile.

use std::ptr::NonNull;

use arrayvec::ArrayVec;

use super::engine::Lengths;
use super::lock::MAX_HEIGHT;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Era, Memory};
use crate::index::node::{
    AnyNode, Chain, Form, Internode, Leaf, Lockable, Locked, NodeRef, OwnedBag, Shape, WIDTH,
};

/// The memory that a write needs.
#[derive(Default)]
pub(in crate::index::tree) struct Needs {
    pub(in crate::index::tree) leaves: usize,
    /// Leaves with tails, besides `leaves`.
    pub(in crate::index::tree) tailed: usize,
    pub(in crate::index::tree) internodes: usize,
    /// A bag for the leaf that the write located, or for the lowest leaf of the layers that it
    /// creates.
    pub(in crate::index::tree) kept: Option<Shape>,
    /// A bag for the new leaf of a split, or, if the write creates a layer, for the leaf that links
    /// to it.
    pub(in crate::index::tree) moved: Option<Shape>,
    /// A bag for the leaf in which room is made for a key; the leaf gets it if the key is inserted.
    pub(in crate::index::tree) room: Option<Shape>,
}

impl Needs {
    /// The least that the split of a leaf needs: a leaf of this form.
    pub(in crate::index::tree) fn of_split(form: Form) -> Self {
        Self {
            leaves: usize::from(!form.has_tails()),
            tailed: usize::from(form.has_tails()),
            ..Self::default()
        }
    }
}

/// The memory that a write has reserved.
pub(in crate::index::tree) struct Reserve<'d> {
    memory: &'d Memory,
    /// Leaves that are locked and not published. Their number is not limited: a long shared prefix
    /// needs a leaf for each of its slices.
    leaves: Chain<'d>,
    leaf_count: usize,
    tailed: Chain<'d>,
    tailed_count: usize,
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
            tailed: Chain::EMPTY,
            tailed_count: 0,
            internodes: ArrayVec::new(),
            kept: None,
            moved: None,
            room: None,
        }
    }

    /// Whether the reserve has the memory that a write needs.
    pub(in crate::index::tree) fn covers(&self, needs: &Needs) -> bool {
        self.leaf_count >= needs.leaves
            && self.tailed_count >= needs.tailed
            && self.internodes.len() >= needs.internodes
            && suffices(self.kept.as_ref(), needs.kept)
            && suffices(self.moved.as_ref(), needs.moved)
            && suffices(self.room.as_ref(), needs.room)
    }

    /// Adds the nodes that are lacking, if the pool has free ones for this stripe; returns whether
    /// the reserve covers the needs then. So most splits need no second attempt. Waits for nothing
    /// and calls no function of the user, so the caller may hold locks of nodes.
    pub(in crate::index::tree) fn fill_from_pool(&mut self, needs: &Needs, stripe: usize) -> bool {
        while self.leaf_count < needs.leaves
            && let Some(leaf) = self.memory.pooled_leaf(false, stripe)
        {
            self.leaves.push(NodeRef::from(leaf));
            self.leaf_count += 1;
        }
        while self.tailed_count < needs.tailed
            && let Some(leaf) = self.memory.pooled_leaf(true, stripe)
        {
            self.tailed.push(NodeRef::from(leaf));
            self.tailed_count += 1;
        }
        while self.internodes.len() < needs.internodes
            && let Some(internode) = self.memory.pooled_internode(stripe)
        {
            self.internodes.push(Locked::private(internode));
        }
        self.covers(needs)
    }

    /// Allocates what is lacking. If an allocation fails, what was allocated before stays in the
    /// reserve.
    pub(in crate::index::tree) fn fill(&mut self, needs: &Needs) -> Result<(), OutOfMemory> {
        while self.leaf_count < needs.leaves {
            let leaf = self.memory.new_leaf(false).ok_or(OutOfMemory)?;
            self.leaves.push(NodeRef::from(leaf));
            self.leaf_count += 1;
        }
        while self.tailed_count < needs.tailed {
            let leaf = self.memory.new_leaf(true).ok_or(OutOfMemory)?;
            self.tailed.push(NodeRef::from(leaf));
            self.tailed_count += 1;
        }
        while self.internodes.len() < needs.internodes {
            let internode = self.memory.new_internode().ok_or(OutOfMemory)?;
            self.internodes.push(Locked::private(internode));
        }
        provide(&mut self.kept, needs.kept, self.memory)?;
        provide(&mut self.moved, needs.moved, self.memory)?;
        provide(&mut self.room, needs.room, self.memory)
    }

    /// Takes a leaf without tails from the reserve, locked and not published, for a tree of this
    /// era.
    pub(in crate::index::tree) fn leaf(&mut self, era: Era) -> Locked<'d, Leaf> {
        self.leaf_for(Form::Plain, era)
    }

    /// [`Self::leaf`], of this form.
    pub(in crate::index::tree) fn leaf_for(&mut self, form: Form, era: Era) -> Locked<'d, Leaf> {
        let (leaves, count) = match form.has_tails() {
            true => (&mut self.tailed, &mut self.tailed_count),
            false => (&mut self.leaves, &mut self.leaf_count),
        };
        let node = leaves.pop().expect("the reserve covers the needs");
        let AnyNode::Leaf(leaf) = node.kind() else {
            unreachable!("a chain of leaves")
        };
        *count -= 1;
        let leaf = Locked::private(leaf);
        leaf.set_parent(std::ptr::null_mut());
        leaf.set_era(era);
        if form == Form::Referring {
            leaf.make_referring();
        }
        leaf
    }

    /// Takes an internode from the reserve, locked and not published.
    pub(in crate::index::tree) fn internode(&mut self) -> Locked<'d, Internode> {
        self.internodes.pop().expect("the reserve covers the needs")
    }

    /// The shape of the bag `kept`, if the reserve has one.
    pub(in crate::index::tree) fn kept_shape(&self) -> Option<Shape> {
        self.kept.as_ref().map(OwnedBag::shape)
    }

    /// Takes the bag `kept` from the reserve (see [`Needs`]).
    pub(in crate::index::tree) fn kept_bag(&mut self) -> OwnedBag<'d> {
        self.kept.take().expect("the reserve covers the needs")
    }

    /// Takes everything that is left in the reserve. The caller drops it when it holds no lock.
    pub(in crate::index::tree) fn take_spare(&mut self) -> Spare<'d> {
        let mut nodes = std::mem::replace(&mut self.leaves, Chain::EMPTY);
        self.leaf_count = 0;
        while let Some(leaf) = self.tailed.pop() {
            nodes.push(leaf);
        }
        self.tailed_count = 0;
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

    /// Takes the bag `room` from the reserve, if the write needed one (see [`Needs`]).
    pub(in crate::index::tree) fn room_bag(&mut self, needs: &Needs) -> Option<OwnedBag<'d>> {
        needs.room.and_then(|_| self.room.take())
    }

    /// Takes the bag `moved` from the reserve (see [`Needs`]).
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
                    AnyNode::Leaf(leaf) => free_unused(self.memory, leaf),
                    AnyNode::Internode(internode) => {
                        self.memory.free_internode(NonNull::from(internode));
                    }
                }
            }
        }
    }
}

/// Frees a leaf that was not needed. The caller holds no lock of a node.
///
/// # Safety
/// The leaf came from this memory, no other thread has seen it, and it has no bag.
pub(super) unsafe fn free_unused(memory: &Memory, leaf: &Leaf) {
    // Unlocked before it is freed, since unlocking writes to the node.
    drop(Locked::private(leaf));
    // SAFETY: by contract.
    unsafe { memory.free_leaf(NonNull::from(leaf)) };
}

/// The most spare bytes in a new bag, for suffixes of later inserts. If the last suffix is longer,
/// the bag has no spare bytes.
const MOST_EXPECTED: usize = 1024;

/// Returns the shape of a bag for suffixes of these lengths, in a leaf with this number of entries;
/// `None` if there are no suffixes.
///
/// If the leaf has free slots, the bag has spare room: for one more suffix as long as the last, or
/// for half of the bytes, whichever is more. With a quarter, loading 1,000,000 URLs took 5 % longer,
/// and they took 4 % less memory.
pub(in crate::index::tree) fn shape_for(lengths: &[usize], entries: usize) -> Option<Shape> {
    let last = *lengths.last()?;
    let total = lengths.iter().sum::<usize>();
    let expected = last.max((total / 2).min(MOST_EXPECTED));
    let has_spare = entries < WIDTH && last <= MOST_EXPECTED;
    let (more, expected) = match has_spare {
        true => (1, Some(expected)),
        false => (0, None),
    };
    let in_bytes = Shape::in_bytes(lengths.len() + more, total + expected.unwrap_or(0));
    Some(in_bytes.unwrap_or_else(|| Shape::for_records(lengths.iter().copied().chain(expected))))
}

/// Returns the shapes of two bags for a leaf in which a hold makes room for an entry with a suffix
/// of length `suffix`. The leaf has this number of entries, with suffixes of these lengths. It gets
/// the first bag at once. If the new suffix does not fit into the first bag, the leaf gets the
/// second one when the entry is inserted.
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
