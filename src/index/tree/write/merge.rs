//! Merging sparse leaves. Removes delete leaves that become empty; those that keep a
//! key or two stay, until [`Tree::maintain`] finds two beside each other whose keys one
//! leaf can hold with room to spare. Where a group of keys turned into a link, its leaf is
//! merged at once: else the upper layers of a tree would stay as wide as their leaves were
//! when they held the keys themselves, and one level higher.
//!
//! **Protocol.** That of `collapse`, with a leaf that is not empty: the locks are the
//! same, in the same order, the leaf before takes over the range, and before the leaf
//! is deleted its entries are put there, under DIRTY. So a thread that looks for one of
//! them finds it in the merged leaf, before that is deleted, or starts over, and waits
//! for the leaf before. A walk that has read the leaf before and not the one that goes
//! resumes at that one's low; one in reverse has remembered that low as its boundary.
//!
//! What the leaf that goes says of the levels below its links, the leaf before and the internodes
//! above that one say before the links move there: see `levels`.

use std::sync::Mutex;

use super::collapse::{lock_boundary, retire, unlink};
use super::engine::suffix_lengths;
use super::levels::raise_leaf;
use super::lock::{Path, lock_ancestors, lock_prev};
use super::reserve::{Needs, Reserve, shape_for};
use crate::annotate::Owned;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, Source, Vector};
use crate::index::node::{BagRef, Chain, Leaf, Locked};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::walk::Walk;
use crate::index::tree::walk::assemble::append;
use crate::index::tree::walk::range::Cut;
use crate::protocol::Line;

/// Leaves are merged that have at most as many keys together: some room is left, so that
/// the next few inserts do not part them again.
pub(in crate::index::tree) const MERGED: usize = 11;

/// What a sweep did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SweepOutcome {
    /// Leaves that were merged with others.
    pub merged: usize,
    /// Whether the sweep came to the end of the tree; the next begins anew.
    pub ended: bool,
}

/// Where the next sweep of a tree goes on.
pub(in crate::index::tree) struct Sweep {
    key: Mutex<Vector<u8>>,
}

impl Sweep {
    pub(in crate::index::tree) fn new(source: Source) -> Self {
        Self {
            key: Mutex::new(Vector::new_in(source)),
        }
    }
}

impl Tree {
    /// Looks at so many leaves from where the last sweep left off, merges those that are
    /// sparse, and takes bags from them that removes have left too large; at all those on the way to a key, one in each layer, if at any.
    /// Does nothing while another thread does the same.
    pub fn maintain(&self, pin: Pinned<'_>, limit: usize) -> Result<SweepOutcome, OutOfMemory> {
        self.admit(pin, &[]);
        self.must_not_hold();
        let mut swept = SweepOutcome {
            merged: 0,
            ended: false,
        };
        if limit == 0 {
            return Ok(swept);
        }
        // Not poisoned: the library aborts where it panics.
        let Ok(place) = self.sweep.key.try_lock() else {
            return Ok(swept);
        };
        let mut place = Owned::from(place);
        let mut walk = Walk::new(self, false, 0);
        let start = Cut::Before(&place);
        let mut there = walk.seek(self, pin, Some(start), None, false)?;
        let mut seen = Vector::new_in(self.source());
        let mut leaves = 0;
        while there {
            if walk.is_in_another_leaf(&seen) {
                if leaves > 0 && leaves >= limit {
                    let (key, _) = walk.pair()?;
                    let lacking = key.len().saturating_sub(place.len());
                    place.try_reserve(lacking).map_err(|_| OutOfMemory)?;
                    place.clear();
                    append(&mut place, key);
                    return Ok(swept);
                }
                let same = walk.note_leaves(&mut seen)?;
                for leaf in &seen[same..] {
                    leaves += 1;
                    swept.merged += usize::from(self.merge_if_sparse(pin, leaf)?);
                    self.shrink_bag(pin, leaf)?;
                }
            }
            there = walk.step_or_resume(self, pin, None, false)?;
        }
        place.clear();
        swept.ended = true;
        Ok(swept)
    }

    /// Merges a leaf in which a group turned into a link with those beside it, if they are
    /// sparse and that takes no memory: nothing depends on it.
    pub(in crate::index::tree) fn merge_around<'g>(&self, pin: Pinned<'g>, leaf: &'g Leaf) {
        let mut nothing = Reserve::new(&pin.domain().memory);
        for leaf in [leaf.next(), Some(leaf)].into_iter().flatten() {
            if may_merge(leaf) {
                _ = self.merge(pin, leaf, &mut nothing);
            }
        }
    }

    /// Merges a leaf with the one before it if they are sparse, and counts it.
    fn merge_if_sparse<'g>(&self, pin: Pinned<'g>, leaf: &'g Leaf) -> Result<bool, OutOfMemory> {
        if !may_merge(leaf) {
            return Ok(false);
        }
        let mut reserve = Reserve::new(&pin.domain().memory);
        // Ends: as `write`.
        loop {
            match self.merge(pin, leaf, &mut reserve) {
                Ok(merged) => {
                    pin.count(Count::LeavesMerged, i64::from(merged));
                    return Ok(merged);
                }
                Err(needs) => reserve.fill(&needs)?,
            }
        }
    }

    /// Replaces the bag of a leaf by one of the size that its suffixes need, if its bag is large
    /// and mostly unused: a remove, which allocates nothing, has left it so.
    fn shrink_bag<'g>(&self, pin: Pinned<'g>, node: &'g Leaf) -> Result<(), OutOfMemory> {
        if !node.bag().is_some_and(BagRef::is_large) {
            return Ok(());
        }
        let mut reserve = Reserve::new(&pin.domain().memory);
        // Ends: as `write`.
        loop {
            let leaf = Locked::lock(node);
            if leaf.is_deleted() || !leaf.wastes_its_bag() {
                return Ok(());
            }
            let lengths = suffix_lengths(leaf.entries());
            let needs = Needs {
                kept: shape_for(&lengths, leaf.permutation().len()),
                ..Needs::default()
            };
            if reserve.covers(&needs) {
                debug_assert!(needs.kept.is_some(), "a leaf without suffixes wastes none");
                let old = needs.kept.and_then(|_| leaf.renew_bag(reserve.kept_bag()));
                drop(leaf);
                if let Some(bag) = old {
                    // SAFETY: the leaf has a new bag, and only the lock's owner replaces it.
                    unsafe { pin.retire_bag(bag) };
                }
                return Ok(());
            }
            drop(leaf);
            reserve.fill(&needs)?;
        }
    }

    fn merge<'g>(
        &self,
        pin: Pinned<'g>,
        leaf: &'g Leaf,
        reserve: &mut Reserve<'g>,
    ) -> Result<bool, Needs> {
        let mut leaf = Locked::lock(leaf);
        if leaf.is_deleted() && Line::MergedIsAlive.is_enabled() {
            return Ok(false);
        }
        let Some(mut prev) = lock_prev(&leaf) else {
            return Ok(false);
        };
        let (there, more) = (prev.permutation().len(), leaf.permutation().len());
        if there + more > MERGED || more == 0 {
            return Ok(false);
        }
        let moved = suffix_lengths(leaf.entries());
        let mut lengths = suffix_lengths(prev.entries());
        lengths.extend(moved.iter().copied());
        let needs = Needs {
            kept: match moved.is_empty() {
                true => None,
                false => shape_for(&lengths, there + more),
            },
            ..Needs::default()
        };
        if !reserve.covers(&needs) {
            return Err(needs);
        }
        let mut path = Path::new();
        let above = lock_ancestors(&leaf, |node| node.len() > 0, &mut path);
        debug_assert!(above.is_none(), "a layer of two leaves has an internode");
        let boundary = lock_boundary(&leaf, &mut path);

        if leaf.entries().any(|entry| entry.layer().is_some()) {
            let levels = leaf.levels_of_merged();
            if levels > 0 && Line::MergeRaisesLevels.is_enabled() {
                raise_leaf(&prev, levels);
            }
        }
        if Line::MergeIsDirty.is_enabled() {
            prev.mark_dirty();
        }
        let old_bag = match needs.kept {
            Some(_) => prev.renew_bag(reserve.kept_bag()),
            None => None,
        };
        leaf.copy_entries_to(&mut prev);
        let mut dead = Chain::EMPTY;
        let lone_root = unlink(leaf, Some(prev), &mut path, boundary, &mut dead);
        if let Some(bag) = old_bag {
            // SAFETY: the leaf has a new bag, and only the lock's owner replaces it.
            unsafe { pin.retire_bag(bag) };
        }
        retire(pin, &mut dead);
        if let Some(root) = lone_root {
            self.shrink(pin, root);
        }
        Ok(true)
    }
}

/// Whether a leaf and the one before it are sparse. Not locked: it may be wrong, and is looked
/// at again.
fn may_merge(leaf: &Leaf) -> bool {
    let together = |prev: &Leaf| prev.permutation().len() + leaf.permutation().len();
    leaf.prev().is_some_and(|prev| together(prev) <= MERGED)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::index::node::AnyNode;

    /// A leaf that had one before it when it was looked at may be the first by the time that
    /// it is locked. Put back: expect that there is one.
    #[test]
    fn the_first_leaf_is_merged_with_nothing() {
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        tree.put(pin, b"key", 1).unwrap();
        let AnyNode::Leaf(first) = tree.root(pin).kind() else {
            panic!("one leaf holds one key");
        };
        let mut reserve = Reserve::new(&pin.domain().memory);
        assert!(matches!(tree.merge(pin, first, &mut reserve), Ok(false)));
        assert_eq!(tree.get(pin, b"key"), Some(1));
        assert_eq!(tree.check(pin, &mut |line| panic!("{line}")), Ok(true));
    }
}
