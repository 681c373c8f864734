//! Merges sparse leaves. A remove deletes a leaf only if the leaf becomes empty. Leaves with a few
//! keys stay, until [`Tree::maintain`] finds two neighbours whose keys fit into one leaf with room
//! to spare; `compact` merges others. When a link replaces the group of a leaf, that leaf is merged at once, if possible:
//! otherwise an upper layer would keep as many leaves as it needed while they contained the groups,
//! and so would be a level higher than necessary.
//!
//! **Protocol.** As in `collapse`, except that the leaf is not empty. The writer takes the same
//! locks in the same order, and the previous leaf takes over the leaf's range. Before the leaf is
//! deleted, its entries are copied to the previous leaf, which is DIRTY meanwhile. So a thread that
//! searches for one of these entries finds it in the old leaf before that is deleted; or starts
//! over, and waits for the previous leaf. A forward walk that has read the previous leaf, but not
//! the deleted one, resumes at the low of the deleted leaf; a reverse walk that has read the
//! deleted leaf has kept that low as its boundary.
//!
//! Before links move to the previous leaf, that leaf and the internodes above it record at least as
//! many levels below as the deleted leaf does (see `levels`).

use super::collapse::{lock_boundary, retire, unlink};
use super::engine::lengths_in_bag;
use super::levels::raise_leaf;
use super::lock::{Path, lock_ancestors, lock_prev};
use super::reserve::{Needs, Reserve, shape_for};
use super::sweep::SweepOutcome;
use crate::index::memory::Count;
use crate::index::memory::OutOfMemory;
use crate::index::node::{BagRef, Chain, Leaf, Locked};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::protocol::Line;

/// The most entries of a merged leaf: two leaves with more entries together are not merged. Fewer
/// than a full leaf has, so that the next few inserts do not split the merged leaf again.
pub(in crate::index::tree) const MOST_MERGED: usize = 11;

impl Tree {
    /// Sweeps about `limit` leaves, beginning where the last sweep ended: merges sparse leaves, and
    /// replaces bags that are too large after removes. Stops only between two keys, and a key may
    /// have a new leaf in each of its layers, so it may sweep a few leaves more. Does nothing while
    /// another thread sweeps.
    pub fn maintain(&self, pin: Pinned<'_>, limit: usize) -> Result<SweepOutcome, OutOfMemory> {
        self.sweep_leaves(pin, limit, |leaf| match may_merge(leaf) {
            true => self.merge_up_to(pin, leaf, MOST_MERGED),
            false => Ok(false),
        })
    }

    /// Merges a leaf, in which a link has replaced a group, with its neighbours, if they are sparse
    /// and the merge needs no memory. Not required for correctness.
    pub(in crate::index::tree) fn merge_around<'g>(&self, pin: Pinned<'g>, leaf: &'g Leaf) {
        let mut nothing = Reserve::new(&pin.domain().memory);
        for leaf in [leaf.next(), Some(leaf)].into_iter().flatten() {
            if may_merge(leaf) {
                _ = self.merge(pin, leaf, MOST_MERGED, &mut nothing);
            }
        }
    }

    /// Merges a leaf with the previous one if they have at most `most` entries together, and counts
    /// the merge.
    pub(super) fn merge_up_to<'g>(
        &self,
        pin: Pinned<'g>,
        leaf: &'g Leaf,
        most: usize,
    ) -> Result<bool, OutOfMemory> {
        let mut reserve = Reserve::new(&pin.domain().memory);
        // Ends: as `with_memory`.
        loop {
            match self.merge(pin, leaf, most, &mut reserve) {
                Ok(merged) => {
                    pin.count(Count::LeavesMerged, i64::from(merged));
                    return Ok(merged);
                }
                Err(needs) => reserve.fill(&needs)?,
            }
        }
    }

    /// Replaces the bag of a leaf by one of the size that its suffixes need, if the bag is
    /// wasteful. A remove, which allocates nothing, does not do this itself.
    pub(super) fn shrink_bag<'g>(
        &self,
        pin: Pinned<'g>,
        node: &'g Leaf,
    ) -> Result<(), OutOfMemory> {
        if !node.bag().is_some_and(BagRef::is_large) {
            return Ok(());
        }
        let mut reserve = Reserve::new(&pin.domain().memory);
        // Ends: as `with_memory`.
        loop {
            let leaf = Locked::lock(node);
            if leaf.is_deleted() || !leaf.wastes_its_bag() {
                return Ok(());
            }
            let lengths = lengths_in_bag(&leaf, leaf.form());
            let needs = Needs {
                kept: shape_for(&lengths, leaf.permutation().len()),
                ..Needs::default()
            };
            if reserve.covers(&needs) {
                debug_assert!(
                    needs.kept.is_some(),
                    "a leaf without suffixes has no large bag"
                );
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
        most: usize,
        reserve: &mut Reserve<'g>,
    ) -> Result<bool, Needs> {
        let mut leaf = Locked::lock(leaf);
        if leaf.is_deleted() && Line::MergedIsAlive.is_enabled() {
            return Ok(false);
        }
        let Some(mut prev) = lock_prev(&leaf) else {
            return Ok(false);
        };
        let (in_prev, moving) = (prev.permutation().len(), leaf.permutation().len());
        if in_prev + moving > most || moving == 0 {
            return Ok(false);
        }
        let moved = lengths_in_bag(&leaf, prev.form());
        let mut lengths = lengths_in_bag(&prev, prev.form());
        lengths.extend(moved.iter().copied());
        let needs = Needs {
            kept: shape_for(&lengths, in_prev + moving).filter(|_| !moved.is_empty()),
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
        let old_bag = needs.kept.and_then(|_| prev.renew_bag(reserve.kept_bag()));
        leaf.copy_entries_to(&mut prev, pin.keys());
        let mut dead = Chain::EMPTY;
        let lone_root = unlink(leaf, Some(prev), &mut path, boundary, &mut dead);
        if let Some(bag) = old_bag {
            // SAFETY: the previous leaf has a new bag, and only the owner of its lock replaces it.
            unsafe { pin.retire_bag(bag) };
        }
        retire(pin, &mut dead);
        if let Some(root) = lone_root {
            self.shrink(pin, root);
        }
        Ok(true)
    }
}

/// Whether a leaf and the previous one are sparse. Reads them without locks, so the result may be
/// wrong; `merge` checks again under the locks.
fn may_merge(leaf: &Leaf) -> bool {
    let together = |prev: &Leaf| prev.permutation().len() + leaf.permutation().len();
    leaf.prev()
        .is_some_and(|prev| together(prev) <= MOST_MERGED)
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::index::node::AnyNode;

    /// A leaf for which `may_merge` found a previous leaf may be the first leaf when it is locked.
    /// Put back: expect a previous leaf.
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
        assert!(matches!(
            tree.merge(pin, first, MOST_MERGED, &mut reserve),
            Ok(false)
        ));
        assert_eq!(tree.get(pin, b"key"), Some(1));
        assert_eq!(tree.check(pin, &mut |line| panic!("{line}")), Ok(true));
    }
}
