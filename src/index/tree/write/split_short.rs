//! The split that most inserts of short keys need: the leaf has no bag and
//! no tails, its parent has room, and the
//! pool has a leaf.
//!
//! **Protocol.** That of `split`, with its cases left out: the writer owns the leaf's lock and locks
//! the parent; then nothing fails or waits any more. If the case is another one, it unlocks the
//! parent and returns the leaf, still locked and unchanged, for `split`.

use super::engine::Decision;
use super::lock::{Parent, lock_parent};
use super::reserve::free_unused;
use super::split::SplitPoint;
use crate::index::key::Key;
use crate::index::memory::Count;
use crate::index::node::{Internode, Leaf, Locked, NodeRef, WIDTH, with_search};
use crate::index::reclaim::{HintedLeaf, Pinned};
use crate::index::tree::Tree;
use crate::protocol::Line;

impl Tree {
    /// Splits a full leaf, which [`Tree::lock_short`] has locked, and inserts an absent short key at a
    /// position with the value that `decide` returns. Returns `None` once `decide` was called: then the
    /// write is done, and nothing is locked. Returns the leaf, still locked and unchanged, if `split`
    /// must do this; then `decide` was not called. `root` is the root from which the leaf was reached.
    ///
    /// Longer than 60 lines, for the same reason as `split`. Inlined into its only caller.
    #[inline]
    pub(super) fn split_short<'g>(
        &self,
        pin: Pinned<'g>,
        mut leaf: Locked<'g, Leaf>,
        position: usize,
        key: &Key<'_>,
        root: NodeRef<'g>,
        decide: &mut dyn FnMut(Option<u64>) -> Decision,
    ) -> Option<Locked<'g, Leaf>> {
        debug_assert!(
            pin.recorder().is_none(),
            "lock_short locks no recorded leaf"
        );
        if leaf.bag().is_some() || leaf.has_tails() {
            return Some(leaf);
        }
        let Parent::Internode(mut parent) = lock_parent(&leaf) else {
            return Some(leaf);
        };
        if parent.is_full() {
            return Some(leaf);
        }
        let memory = &pin.domain().memory;
        let Some(empty) = memory.pooled_leaf(false, pin.stripe()) else {
            return Some(leaf);
        };
        let Decision::Set(value) = decide(None) else {
            drop((leaf, parent));
            // SAFETY: no other thread has seen the leaf, and it has no bag.
            unsafe { free_unused(memory, empty) };
            return None;
        };
        let at = SplitPoint::new(&leaf, position, key.slice());
        let mut right = divide(pin, &mut leaf, &mut parent, empty, &at);
        // SAFETY: each leaf gets at least one and at most fifteen of the sixteen entries, this one
        // included.
        unsafe {
            match at.stays {
                true => leaf.insert_short(position, key, value),
                false => right.insert_short(position - at.kept, key, value),
            }
        }
        self.link(&leaf, &right, &mut parent, at.low);
        if at.append && !at.stays {
            pin.remember(root, HintedLeaf::after(&right), right.range());
        }
        let node = leaf.node();
        drop((leaf, right));
        drop(parent);
        pin.count_keys(node, 1);
        None
    }

    /// Links a new leaf, whose low this is, after the leaf that was split, and inserts it into their
    /// parent.
    #[inline]
    pub(super) fn link<'g>(
        &self,
        leaf: &Locked<'g, Leaf>,
        right: &Locked<'g, Leaf>,
        parent: &mut Locked<'g, Internode>,
        low: u64,
    ) {
        leaf.link_after(right);
        // The new low lies within the range of the leaf that is split.
        let index = with_search!(self.isa, S => parent.child_index::<S>(low));
        debug_assert!(parent.child(index) == NodeRef::from(leaf.node()));
        parent.insert(index, low, NodeRef::from(right.node()));
    }
}

/// Marks a leaf and its parent dirty, and moves entries of the leaf to an empty new one, which it
/// returns.
#[inline]
pub(super) fn divide<'g>(
    pin: Pinned<'g>,
    leaf: &mut Locked<'g, Leaf>,
    parent: &mut Locked<'g, Internode>,
    empty: &'g Leaf,
    at: &SplitPoint,
) -> Locked<'g, Leaf> {
    pin.count(Count::Splits, 1);
    if Line::SplitLeafIsDirty.is_enabled() {
        leaf.mark_dirty();
    }
    if Line::SplitParentsAreDirty.is_enabled() {
        parent.mark_dirty();
    }
    let mut right = Locked::private(empty);
    right.set_parent(std::ptr::null_mut());
    right.set_era(leaf.era());
    right.set_low(at.low);
    if at.kept < WIDTH {
        leaf.move_entries(at.kept, &mut right, pin.keys());
    }
    right
}
