//! Compacts leaves: moves keys to the leaf before until that has as many as wanted. After random
//! inserts, leaves are 70 % full.
//!
//! **Protocol.** Entries move to the left only with all of their leaf (see `merge` and
//! `read::descend`). So if not all of a leaf's entries fit into the previous leaf, the leaf is first
//! *cut*: split, as by an insert, but without one, so that the entries that fit stay in it. Then it
//! is merged with the previous leaf. Other threads may change both leaves between the two steps; the
//! merge checks them under its locks, and without it the cut leaves are only sparser.
//!
//! A cut locks the leaf and its parent, in that order, and marks both dirty before it changes them;
//! it does nothing if the parent is full. Nothing fails after the first change.

use super::engine::bagged;
use super::lock::{Parent, lock_parent};
use super::reserve::{Needs, Reserve, shape_for};
use super::sweep::SweepOutcome;
use crate::index::memory::{Count, OutOfMemory};
use crate::index::node::{Form, Leaf, Locked, WIDTH};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::protocol::Line;

impl Tree {
    /// Sweeps leaves as [`Tree::maintain`] does, and moves keys to the leaf before until that has
    /// `fill` of them, at most [`WIDTH`].
    pub fn compact(
        &self,
        pin: Pinned<'_>,
        fill: usize,
        limit: usize,
    ) -> Result<SweepOutcome, OutOfMemory> {
        let fill = fill.min(WIDTH);
        self.sweep_leaves(pin, limit, |leaf| self.fill_previous(pin, leaf, fill))
    }

    /// Moves entries of a leaf to the previous one until that has `fill`. Returns whether any moved.
    fn fill_previous<'g>(
        &self,
        pin: Pinned<'g>,
        leaf: &'g Leaf,
        fill: usize,
    ) -> Result<bool, OutOfMemory> {
        // Reads both leaves without locks, as `may_merge` does.
        let Some(prev) = leaf.prev() else {
            return Ok(false);
        };
        let (in_prev, here) = (prev.permutation().len(), leaf.permutation().len());
        if in_prev >= fill {
            return Ok(false);
        }
        if in_prev + here > fill && !self.cut(pin, leaf, fill - in_prev)? {
            return Ok(false);
        }
        self.merge_up_to(pin, leaf, fill)
    }

    /// Splits a leaf so that at least one entry and at most `most` stay in it. Returns `false` if no
    /// entry would move, if equal slices would be parted, or if the parent has no room.
    fn cut<'g>(&self, pin: Pinned<'g>, node: &'g Leaf, most: usize) -> Result<bool, OutOfMemory> {
        let mut reserve = Reserve::new(&pin.domain().memory);
        // Ends: as `with_memory`.
        loop {
            match self.try_cut(pin, node, most, &mut reserve) {
                Ok(done) => return Ok(done),
                Err(needs) => reserve.fill(&needs)?,
            }
        }
    }

    fn try_cut<'g>(
        &self,
        pin: Pinned<'g>,
        node: &'g Leaf,
        most: usize,
        reserve: &mut Reserve<'g>,
    ) -> Result<bool, Needs> {
        let mut leaf = Locked::lock(node);
        if leaf.is_deleted() && Line::CutIsAlive.is_enabled() {
            return Ok(false);
        }
        let len = leaf.permutation().len();
        let parts = |kept: &usize| leaf.slice_at(kept - 1) != leaf.slice_at(*kept);
        let Some(kept) = (1..=most.min(len.saturating_sub(1))).rev().find(parts) else {
            return Ok(false);
        };
        let Parent::Internode(mut parent) = lock_parent(&leaf) else {
            return Ok(false);
        };
        if parent.is_full() {
            return Ok(false);
        }
        let form = Form::of_new(pin.keys(), leaf.suffix_lengths(kept..len));
        let moved = bagged(leaf.suffix_lengths(kept..len), form);
        let needs = Needs {
            moved: shape_for(&moved, len - kept),
            ..Needs::of_split(form)
        };
        if !reserve.fill_from_pool(&needs, pin.stripe()) {
            return Err(needs);
        }
        pin.count(Count::Splits, 1);
        if Line::CutLeafIsDirty.is_enabled() {
            leaf.mark_dirty();
        }
        if Line::CutParentIsDirty.is_enabled() {
            parent.mark_dirty();
        }
        let low = leaf.slice_at(kept);
        let mut right = reserve.leaf_for(form, leaf.era());
        right.set_low(low);
        if needs.moved.is_some() {
            right.set_bag(reserve.moved_bag());
        }
        leaf.move_entries(kept, &mut right, pin.keys());
        let old_bag = leaf.take_unused_bag();
        self.link(&leaf, &right, &mut parent, low);
        drop((leaf, right, parent));
        if let Some(bag) = old_bag {
            // SAFETY: the leaf has no bag now, and only the lock's owner replaces it.
            unsafe { pin.retire_bag(bag) };
        }
        Ok(true)
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::index::node::AnyNode;

    /// The merge that follows a cut may find that the previous leaf has become full. Then the cut
    /// leaf stays, and must not keep a large bag without suffixes.
    /// Put back: leave the bag.
    #[test]
    fn a_cut_that_moves_all_suffixes_takes_the_bag() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        for number in 0..20_u64 {
            tree.put(pin, format!("a{number:02}").as_bytes(), number)
                .unwrap();
        }
        let mut long = b"z-------".to_vec();
        long.resize(6000, b'x');
        tree.put(pin, &long, 20).unwrap();
        let AnyNode::Internode(root) = tree.root(pin).kind() else {
            panic!("21 keys have two leaves");
        };
        let AnyNode::Leaf(last) = root.child(root.len()).kind() else {
            panic!("a tree of 21 keys has two levels");
        };
        assert!(last.bag().is_some());
        assert!(tree.cut(pin, last, 2).unwrap());
        assert!(last.bag().is_none());
        while !tree.maintain(pin, 10).unwrap().ended {}
        tree.put(pin, b"a190", 21).unwrap();
        assert_eq!(tree.get(pin, &long), Some(20));
        assert_eq!(tree.check(pin, &mut |line| panic!("{line}")), Ok(true));
    }
}
