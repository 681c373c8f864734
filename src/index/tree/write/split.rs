//! Splits a full leaf: its upper entries move to a new leaf after it, and its parent gets one more
//! key and child. A parent that is full splits in the same way, and so on upwards.
//!
//! **Protocol.** The writer locks the leaf, and then, bottom-up, every ancestor that will change:
//! the full ones, and the first that has room; or, if all in the layer are full, all of them and
//! the node above the layer's root. If the reserve does not cover what the split needs, the writer
//! unlocks all of them. Otherwise it marks the leaf and the internodes dirty, and only then changes
//! them, so that no reader finds the leaf without the moved entries under a parent that does not
//! point to the new leaf yet. New nodes stay locked until the end. The writer waits for nothing
//! between its first change and its last.
//!
//! The linearization point of the insert that required the split is the end of the leaf's DIRTY
//! change.

use std::cmp::Ordering;

use arrayvec::ArrayVec;

use super::engine::{Added, Addition, Chosen, Room, bagged, record, record_created};
use super::levels::{GrownLayer, with_new_root};
use super::lock::{MAX_HEIGHT, Parent, Path, lock_ancestors};
use super::reserve::{Needs, Reserve, shape_for, shapes_for_room};
use crate::index::key::SUFFIX;
use crate::index::key_source::KeySource;
use crate::index::memory::Count;
use crate::index::node::{
    Entry, Form, Internode, Leaf, Lockable, Locked, NodeRef, Shape, WIDTH, with_search,
};
use crate::index::reclaim::{HintedLeaf, Pinned};
use crate::index::tree::Tree;
use crate::protocol::Line;

/// Where a split parts the entries of a full leaf and one new entry: how many go to the leaf (the
/// left one), and how many to the new leaf (the right one).
pub(super) struct SplitPoint {
    /// How many entries of the left leaf stay in it.
    pub(super) kept: usize,
    /// Whether the new entry goes to the left leaf.
    pub(super) stays: bool,
    /// The smallest slice of the right leaf.
    pub(super) low: u64,
    /// Whether keys seem to arrive in ascending order.
    pub(super) append: bool,
}

impl SplitPoint {
    /// For a new entry with a slice at a position.
    #[inline]
    pub(super) fn new(leaf: &Locked<'_, Leaf>, position: usize, slice: u64) -> Self {
        let slice_at = |i: usize| match i.cmp(&position) {
            Ordering::Less => leaf.slice_at(i),
            Ordering::Equal => slice,
            Ordering::Greater => leaf.slice_at(i - 1),
        };
        // Keys also arrive in order if several threads append, each to its own range: then the leaf
        // need not be the last.
        let is_last = leaf.next().is_none();
        let append = position == WIDTH && (is_last || leaf.permutation().ends_in_order());
        if append && leaf.slice_at(WIDTH - 1) != slice {
            // As below, in fewer steps.
            return Self {
                kept: WIDTH,
                stays: false,
                low: slice,
                append,
            };
        }
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
        Self {
            kept: left - usize::from(stays),
            stays,
            low: slice_at(left),
            append,
        }
    }
}

/// A [`SplitPoint`], and the bags that it takes.
struct SplitPlan {
    at: SplitPoint,
    /// The form of the right leaf.
    form: Form,
    /// A new bag for the left leaf, if it needs one.
    kept_bag: Option<Shape>,
    /// A bag for the right leaf, if it needs one.
    moved_bag: Option<Shape>,
    /// If only room is made for the entry: a larger bag for its leaf, if that leaf will need one
    /// when the entry is inserted.
    room_bag: Option<Shape>,
}

impl SplitPlan {
    fn new(
        leaf: &Locked<'_, Leaf>,
        position: usize,
        entry: &Entry<'_>,
        is_room: bool,
        keys: &KeySource,
    ) -> Self {
        let mut plan = Self {
            at: SplitPoint::new(leaf, position, entry.slice),
            form: Form::Plain,
            kept_bag: None,
            moved_bag: None,
            room_bag: None,
        };
        if leaf.bag().is_some() || leaf.has_tails() || entry.kind == SUFFIX {
            plan.add_bags(leaf, entry, is_room, keys);
        }
        plan
    }

    /// Plans for suffixes: the form of the right leaf, and the bags.
    fn add_bags(
        &mut self,
        leaf: &Locked<'_, Leaf>,
        entry: &Entry<'_>,
        is_room: bool,
        keys: &KeySource,
    ) {
        let (kept, stays) = (self.at.kept, self.at.stays);
        let left = kept + usize::from(stays);
        let new = (entry.kind == SUFFIX).then(|| entry.suffix.len());
        let mut moved_suffixes = bagged(leaf.suffix_lengths(kept..WIDTH), Form::Plain);
        // A leaf that is made for an appended key is going to be filled with keys such as those
        // before it.
        self.form = match self.at.append && !stays {
            true => Form::of_new(keys, leaf.suffix_lengths(0..WIDTH).chain(new)),
            false => {
                let on_the_right = moved_suffixes.iter().copied();
                Form::of_new(keys, on_the_right.chain(new.filter(|_| !stays)))
            }
        };
        moved_suffixes.retain(|len| self.form.bags(*len));
        let mut kept_suffixes = bagged(leaf.suffix_lengths(0..kept), leaf.form());
        let (side, entries, form) = match stays {
            true => (&mut kept_suffixes, left, leaf.form()),
            false => (&mut moved_suffixes, WIDTH + 1 - left, self.form),
        };
        let new = new.filter(|&len| form.bags(len));
        let mut for_room = None;
        match new {
            Some(len) if is_room => for_room = Some(shapes_for_room(side, len, entries - 1)),
            Some(len) => side.push(len),
            None => {}
        }
        self.kept_bag = shape_for(&kept_suffixes, left);
        self.moved_bag = shape_for(&moved_suffixes, WIDTH + 1 - left);
        if let Some((at_once, with_entry)) = for_room {
            let bag = match stays {
                true => &mut self.kept_bag,
                false => &mut self.moved_bag,
            };
            (*bag, self.room_bag) = (at_once, with_entry);
        }
    }
}

/// Returns how many of the sixteen entries go to the left leaf: at least one and not all, as near
/// to `wanted` as possible, and so that equal slices stay in one leaf.
#[inline]
fn split_point(slice_at: impl Fn(usize) -> u64, wanted: usize) -> usize {
    match slice_at(wanted - 1) == slice_at(wanted) {
        true => split_point_near(slice_at, wanted),
        false => wanted,
    }
}

/// [`split_point`] if equal slices lie around `wanted`.
#[cold]
fn split_point_near(slice_at: impl Fn(usize) -> u64, wanted: usize) -> usize {
    (1..=WIDTH)
        .filter(|&left| slice_at(left - 1) != slice_at(left))
        .min_by_key(|&left| left.abs_diff(wanted))
        .expect("of sixteen entries two have different slices")
}

impl Tree {
    /// Splits a full leaf, and inserts an entry at a position or makes room for it. Longer than 60
    /// lines, since the order of its steps under the locks is the protocol.
    pub(in crate::index::tree) fn split<'g>(
        &self,
        pin: Pinned<'g>,
        mut leaf: Locked<'g, Leaf>,
        position: usize,
        entry: Entry<'_>,
        addition: Addition<'_>,
        reserve: &mut Reserve<'g>,
    ) -> Result<Added<'g>, Needs> {
        let plan = SplitPlan::new(&leaf, position, &entry, addition.is_room(), pin.keys());
        let least = Needs::of_split(plan.form);
        if !reserve.fill_from_pool(&least, pin.stripe()) {
            // Does not lock the ancestors to see whether they are full: most often the parent has
            // room, and one leaf suffices.
            return Err(least);
        }
        let mut path = Path::new();
        let above = lock_ancestors(&leaf, |node| !node.is_full(), &mut path);
        let full = path.iter().filter(|node| node.is_full()).count();
        let needs = Needs {
            internodes: full + usize::from(above.is_some()),
            kept: plan.kept_bag,
            moved: plan.moved_bag,
            room: plan.room_bag,
            ..least
        };
        if !reserve.fill_from_pool(&needs, pin.stripe()) {
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
        let mut right = reserve.leaf_for(plan.form, leaf.era());
        right.set_low(plan.at.low);
        if plan.moved_bag.is_some() {
            right.set_bag(reserve.moved_bag());
        }
        leaf.move_entries(plan.at.kept, &mut right, pin.keys());
        // Frees the bytes of the moved suffixes, which the left leaf's bag still contains.
        let old_bag = match plan.kept_bag {
            Some(_) => leaf.renew_bag(reserve.kept_bag()),
            None => leaf.take_bag(),
        };
        let position_in_leaf = match plan.at.stays {
            true => position,
            false => position - plan.at.kept,
        };
        if let Chosen::Key(value) = chosen {
            let target = if plan.at.stays { &mut leaf } else { &mut right };
            target.insert(position_in_leaf, &entry.with_value(value), pin.keys());
        }
        leaf.link_after(&right);
        let grown = self.add_to_parents(&mut leaf, &mut path, above, &right, &plan, reserve);
        if let Some(recorder) = pin.recorder() {
            recorder.leaf(&leaf, found);
        }
        record_created(pin, &right);
        if let Chosen::Room = chosen {
            // Unlocks the other leaf here.
            let mut leaf = if plan.at.stays { leaf } else { right };
            leaf.publish_version();
            return Ok(Added::Room(Room {
                leaf,
                position: position_in_leaf,
                layers: 0,
                grown,
                old_bag,
                bag: reserve.room_bag(&needs),
            }));
        }
        let appended =
            (plan.at.append && !plan.at.stays).then(|| (HintedLeaf::after(&right), right.range()));
        drop((leaf, right));
        path.clear();
        if let Some(bag) = old_bag {
            // SAFETY: the leaf has another bag now or none, and only the lock's owner replaces it.
            unsafe { pin.retire_bag(bag) };
        }
        Ok(Added::Done { grown, appended })
    }

    /// Adds the new leaf to its parent. Splits the ancestors that are full. Returns the layer if it
    /// has a new root and is not the first layer.
    fn add_to_parents<'g>(
        &self,
        leaf: &mut Locked<'g, Leaf>,
        path: &mut Path<'g>,
        above: Option<Parent<'g>>,
        right: &Locked<'g, Leaf>,
        plan: &SplitPlan,
        reserve: &mut Reserve<'g>,
    ) -> Option<GrownLayer<'g>> {
        // Keeps the new internodes locked until all ancestors are changed.
        let mut new_internodes = ArrayVec::<Locked<'g, Internode>, MAX_HEIGHT>::new();
        let mut left = NodeRef::from(leaf.node());
        let mut new = NodeRef::from(right.node());
        let mut key = plan.at.low;
        for node in path.iter() {
            // The key lies within the range of the child that was split.
            let index = with_search!(self.isa, S => node.child_index::<S>(key));
            debug_assert!(node.child(index) == left);
            if !node.is_full() {
                node.insert(index, key, new);
                return None;
            }
            let mut empty = reserve.internode();
            key = node.split_insert(&mut empty, index, key, new, plan.at.append);
            left = NodeRef::from(node.node());
            new = NodeRef::from(empty.node());
            new_internodes.push(empty);
        }
        let above = above.expect("without an ancestor with room, the root splits");
        let mut root = reserve.internode();
        let below = match path.last() {
            Some(old) => old.levels_to_copy(),
            None => leaf.levels_to_copy(),
        };
        root.set_levels(left.height(), below.max(new.levels_below()));
        root.fill(&[key], &[left, new]);
        let parent = NodeRef::from(root.node()).as_ptr();
        match path.last_mut() {
            Some(old) => old.set_root(false, parent),
            None => leaf.set_root(false, parent),
        }
        let grown = match &above {
            Parent::Layer(_) => with_new_root(&root),
            _ => None,
        };
        self.replace_root(&above, left, &mut root);
        grown
    }

    /// Makes `new` the root of a layer in position_in_leaf of `old`. The caller has locked `old` and the leaf
    /// that links to the layer; for the first layer, there is no such leaf.
    ///
    /// The version of `new` has the ROOT bit before the tree or the link points to `new`. Otherwise
    /// a reader that found `new` would start over again and again until `new` is unlocked, without
    /// yielding to the thread that unlocks it.
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
