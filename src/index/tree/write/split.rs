//! Making room: the upper entries of a full leaf move to a new leaf after it, its parent
//! receives one more key and child, and so on up as long as parents are full.
//!
//! **Protocol.** The leaf, then every ancestor that will change, are locked
//! bottom-up: full parents and the first with room, or all up to what is above
//! the root. If the reserve does not cover what that takes, all are unlocked.
//! Otherwise all are made dirty, and only then changed, so that no reader finds
//! the leaf without the moved entries under a parent that does not point to the
//! new leaf yet. New nodes stay locked until the end. Nothing is waited for
//! between the first change and the last.
//!
//! The end of the DIRTY change of the leaf is the linearization point of the
//! insert that made it necessary.

use std::cmp::Ordering;

use arrayvec::ArrayVec;

use super::engine::{Added, Addition, Chosen, Room, record, record_created, suffix_lengths};
use super::levels::{Outgrown, with_new_root};
use super::lock::{MAX_HEIGHT, Parent, Path, lock_ancestors};
use super::reserve::{Needs, Reserve, shape_for, shapes_for_room};
use crate::index::key::SUFFIX;
use crate::index::memory::Count;
use crate::index::node::{
    Entry, Internode, Leaf, Lockable, Locked, NodeRef, Shape, WIDTH, with_search,
};
use crate::index::reclaim::{NearLeaf, Pinned};
use crate::index::tree::Tree;
use crate::protocol::Line;

/// How a full leaf and one entry more are parted.
struct Plan {
    /// Entries of the leaf that stay.
    kept: usize,
    /// Whether the new entry goes to the leaf at hand rather than the new one.
    stays: bool,
    /// The smallest slice of the new leaf.
    low: u64,
    /// Whether keys seem to arrive in ascending order.
    append: bool,
    /// A bag for the leaf at hand, if it needs one.
    kept_bag: Option<Shape>,
    /// A bag for the new leaf, if it needs one.
    moved_bag: Option<Shape>,
    /// A bag for the leaf with room for the entry, if it needs one when the entry comes.
    room_bag: Option<Shape>,
}

impl Plan {
    fn new(leaf: &Locked<'_, Leaf>, position: usize, entry: &Entry<'_>, is_room: bool) -> Self {
        let slice_at = |i: usize| match i.cmp(&position) {
            Ordering::Less => leaf.slice_at(i),
            Ordering::Equal => entry.slice,
            Ordering::Greater => leaf.slice_at(i - 1),
        };
        // Also where several threads append, each to its own range.
        let is_last = leaf.next().is_none();
        let append = position == WIDTH && (is_last || leaf.permutation().ends_in_order());
        let prepend = position == 0 && leaf.prev().is_none();
        let wanted = if append {
            WIDTH
        } else if prepend {
            1
        } else {
            WIDTH.div_ceil(2)
        };
        let left = split_point(slice_at, wanted);
        let stays = position < left;
        let mut plan = Self {
            kept: left - usize::from(stays),
            stays,
            low: slice_at(left),
            append,
            kept_bag: None,
            moved_bag: None,
            room_bag: None,
        };
        if leaf.bag().is_some() || entry.kind == SUFFIX {
            plan.add_bags(leaf, left, entry, is_room);
        }
        plan
    }

    /// Plans the bags for suffixes.
    #[inline(never)]
    fn add_bags(&mut self, leaf: &Locked<'_, Leaf>, left: usize, entry: &Entry<'_>, is_room: bool) {
        let (kept, stays) = (self.kept, self.stays);
        let mut kept_suffixes = suffix_lengths(leaf.entries().take(kept));
        let mut moved_suffixes = suffix_lengths(leaf.entries().skip(kept));
        let (side, entries) = match stays {
            true => (&mut kept_suffixes, left),
            false => (&mut moved_suffixes, WIDTH + 1 - left),
        };
        let mut for_room = None;
        if entry.kind == SUFFIX && is_room {
            for_room = Some(shapes_for_room(side, entry.suffix.len(), entries - 1));
        } else if entry.kind == SUFFIX {
            side.push(entry.suffix.len());
        }
        self.kept_bag = shape_for(&kept_suffixes, left);
        self.moved_bag = shape_for(&moved_suffixes, WIDTH + 1 - left);
        if let Some((now, then)) = for_room {
            let bag = match stays {
                true => &mut self.kept_bag,
                false => &mut self.moved_bag,
            };
            (*bag, self.room_bag) = (now, then);
        }
    }
}

/// The number of entries that stay left: as near to `wanted` as can be without
/// parting equal slices, at least one on each side.
fn split_point(slice_at: impl Fn(usize) -> u64, wanted: usize) -> usize {
    let parts = |left: &usize| slice_at(left - 1) != slice_at(*left);
    if parts(&wanted) {
        return wanted;
    }
    (1..=WIDTH)
        .filter(parts)
        .min_by_key(|&left| left.abs_diff(wanted))
        .expect("of sixteen entries two have different slices")
}

impl Tree {
    /// Splits a full leaf for an entry at a position, which is inserted, or has room then. Long,
    /// since the order of its steps under the locks is the protocol.
    pub(in crate::index::tree) fn split<'g>(
        &self,
        pin: Pinned<'g>,
        mut leaf: Locked<'g, Leaf>,
        position: usize,
        entry: Entry<'_>,
        addition: Addition<'_>,
        reserve: &mut Reserve<'g>,
    ) -> Result<Added<'g>, Needs> {
        let least = Needs::of_split();
        if !reserve.cover(&least, pin.stripe()) {
            // Without a look at the ancestors, which may well have room.
            return Err(least);
        }
        let plan = Plan::new(&leaf, position, &entry, addition.is_room());
        let mut path = Path::new();
        let above = lock_ancestors(&leaf, |node| !node.is_full(), &mut path);
        let full = path.iter().filter(|node| node.is_full()).count();
        let needs = Needs {
            leaves: 1,
            internodes: full + usize::from(above.is_some()),
            kept: plan.kept_bag,
            moved: plan.moved_bag,
            room: plan.room_bag,
        };
        if !reserve.cover(&needs, pin.stripe()) {
            return Err(needs);
        }
        let chosen = addition.decide();
        if let Chosen::Nothing = chosen {
            record(pin, &leaf);
            return Ok(Added::done(None));
        }

        pin.count(Count::Splits, 1);
        let found = leaf.version_found();
        if Line::SplitLeafIsDirty.is_enabled() {
            leaf.mark_dirty();
        }
        if Line::SplitParentsAreDirty.is_enabled() {
            path.iter_mut().for_each(Locked::mark_dirty);
        }
        let mut right = reserve.leaf(leaf.era());
        right.set_low(plan.low);
        if plan.moved_bag.is_some() {
            right.set_bag(reserve.moved_bag());
        }
        leaf.move_entries(plan.kept, &mut right);
        // Suffixes that moved are not to stay, too.
        let old_bag = match plan.kept_bag {
            Some(_) => leaf.renew_bag(reserve.kept_bag()),
            None => leaf.take_bag(),
        };
        let place = match plan.stays {
            true => position,
            false => position - plan.kept,
        };
        if let Chosen::Key(value) = chosen {
            let target = if plan.stays { &mut leaf } else { &mut right };
            target.insert(place, &entry.with_value(value));
        }
        leaf.link_after(&right);
        let outgrown = self.add_to_parents(&mut leaf, &mut path, above, &right, &plan, reserve);
        if let Some(recorder) = pin.recorder() {
            recorder.leaf(&leaf, found);
        }
        record_created(pin, &right);
        if let Chosen::Room = chosen {
            // The other one is unlocked at once.
            let mut leaf = if plan.stays { leaf } else { right };
            leaf.publish_version();
            return Ok(Added::Room(Room {
                leaf,
                position: place,
                layers: 0,
                outgrown,
                old_bag,
                bag: reserve.room_bag(&needs),
            }));
        }
        let appended =
            (plan.append && !plan.stays).then(|| (NearLeaf::after(&right), right.range()));
        drop((leaf, right));
        path.clear();
        if let Some(bag) = old_bag {
            // SAFETY: the leaf has a new bag, and only the lock's owner replaces
            // it.
            unsafe { pin.retire_bag(bag) };
        }
        Ok(Added::Done { outgrown, appended })
    }

    /// Links the new leaf into the ancestors, which split as needed. Returns the layer if it has a
    /// new root and is below others.
    fn add_to_parents<'g>(
        &self,
        leaf: &mut Locked<'g, Leaf>,
        path: &mut Path<'g>,
        above: Option<Parent<'g>>,
        right: &Locked<'g, Leaf>,
        plan: &Plan,
        reserve: &mut Reserve<'g>,
    ) -> Option<Outgrown<'g>> {
        let mut made = ArrayVec::<Locked<'g, Internode>, MAX_HEIGHT>::new();
        let mut left = NodeRef::from(leaf.node());
        let mut new = NodeRef::from(right.node());
        let mut key = plan.low;
        for node in path.iter() {
            // The key lies within the range of the node that was split.
            let place = with_search!(self.isa, S => node.child_index::<S>(key));
            debug_assert!(node.child(place) == left);
            if !node.is_full() {
                node.insert(place, key, new);
                return None;
            }
            let mut empty = reserve.internode();
            key = node.split_insert(&mut empty, place, key, new, plan.append);
            left = NodeRef::from(node.node());
            new = NodeRef::from(empty.node());
            made.push(empty);
        }
        let above = above.expect("without an ancestor with room, the root splits");
        let mut root = reserve.internode();
        let below = match path.last() {
            Some(old) => old.levels_to_copy(),
            None => leaf.levels_to_copy(),
        };
        root.set_levels(left.height(), below.max(new.levels_below()));
        root.fill(&[key], &[left, new]);
        let word = NodeRef::from(root.node());
        match path.last_mut() {
            Some(old) => old.set_root(false, word.as_ptr()),
            None => leaf.set_root(false, word.as_ptr()),
        }
        let outgrown = match &above {
            Parent::Layer(_) => with_new_root(&root),
            _ => None,
        };
        self.replace_root(&above, left, &mut root);
        outgrown
    }

    /// Makes `new` the root of a layer in place of `old`; the node above, or
    /// nothing for the first layer, is locked, and so is `old`.
    ///
    /// Before a word points to `new`, its version says that it is a root: a reader that found
    /// one that is none would start over again and again until `new` is unlocked, without
    /// letting its owner run.
    pub(in crate::index::tree) fn replace_root<'g, N>(
        &self,
        above: &Parent<'g>,
        old: NodeRef<'g>,
        new: &mut Locked<'g, N>,
    ) where
        N: Lockable,
    {
        let root = new.node().any();
        match above {
            Parent::Layer(upper) => {
                new.set_root(true, NodeRef::from(upper.node()).as_ptr());
                new.publish_root();
                upper.move_link(old, root);
            }
            Parent::Tree => {
                new.set_root(true, std::ptr::null_mut());
                new.publish_root();
                self.set_root(root);
            }
            Parent::Internode(_) => unreachable!("a root is under no internode"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_split_parts_no_equal_slices(runs in prop::collection::vec(1usize..=15, 16), wanted in 1usize..=WIDTH) {
            let all: Vec<u64> = runs.iter().enumerate().flat_map(|(i, &n)| std::iter::repeat_n(i as u64, n)).collect();
            let slices: [u64; WIDTH + 1] = all[..WIDTH + 1].try_into().unwrap();
            let left = split_point(|i| slices[i], wanted);
            prop_assert!((1..=WIDTH).contains(&left));
            prop_assert_ne!(slices[left - 1], slices[left]);
            for other in 1..=WIDTH {
                if other.abs_diff(wanted) < left.abs_diff(wanted) {
                    prop_assert_eq!(slices[other - 1], slices[other]);
                }
            }
        }
    }
}
