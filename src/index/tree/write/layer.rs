//! Going one slice deeper: keys that share a slice and go on differently, more of them
//! than a leaf keeps under one slice.
//!
//! The group of entries that was there becomes one link to a new layer, which holds
//! them and the new key. If all of them share further slices, that layer has one link
//! to yet another, and so on, down to one where they part: there they are at most
//! [`GROUP_MAX`] under each slice again, since one of them has another slice or ends in
//! it. All of it is built before another thread can reach it.
//!
//! The linearization point of the insert is the end of the DIRTY change that turns the
//! group into the link: until then readers wait for it or find the old entries, whole.
//! Values do not change meanwhile, since the leaf's lock is owned.

use std::ops::Range;

use arrayvec::ArrayVec;

use super::engine::{
    Added, Addition, Chosen, Lengths, Room, record, record_created, suffix_lengths,
};
use super::levels::has_second_link;
use super::reserve::{Needs, Reserve, shape_for, shapes_for_room};
use crate::index::key::{Key, SLICE_LEN, slice_of};
use crate::index::memory::Count;
use crate::index::node::{Entry, GROUP_MAX, Leaf, Locked, NodeRef, Shape};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;

impl Tree {
    /// Makes a layer for a key that shares a slice with as many longer keys as a leaf keeps,
    /// at the positions from `first` on: the key is inserted, or has room then. Long, since the
    /// order of its steps under the leaf's lock is the protocol.
    pub(in crate::index::tree) fn add_layer<'g>(
        &self,
        pin: Pinned<'g>,
        mut leaf: Locked<'g, Leaf>,
        first: usize,
        key: &Key<'_>,
        addition: Addition<'_>,
        reserve: &mut Reserve<'g>,
    ) -> Result<Added<'g>, Needs> {
        let group = first..first + GROUP_MAX;
        let there = leaf.entries().skip(first).take(GROUP_MAX);
        let there = there.map(|entry| (entry.suffix, entry.value()));
        let mut rests: ArrayVec<(&[u8], u64), { GROUP_MAX + 1 }> = there.collect();
        let place = rests.partition_point(|(rest, _)| *rest < key.suffix());
        rests.insert(place, (key.suffix(), 0));
        // Whatever the first and the last share, those between them do.
        let (least, greatest) = (rests[0].0, rests[GROUP_MAX].0);
        let shared = shared_slices(least, greatest);
        let (kept, room) = shapes_of_lowest(&rests, place, shared, addition.is_room());
        let stay = lengths_beside(&leaf, &group);
        let needs = Needs {
            leaves: shared + 1,
            kept,
            moved: shape_of_rest(&leaf, &stay),
            room,
            ..Needs::default()
        };
        if !reserve.covers(&needs) {
            return Err(needs);
        }
        let chosen = addition.decide();
        if let Chosen::Nothing = chosen {
            record(pin, &leaf);
            return Ok(Added::done(None));
        }

        let mut lowest = reserve.leaf(leaf.era());
        if needs.kept.is_some() {
            lowest.set_bag(reserve.kept_bag());
        }
        match chosen {
            Chosen::Key(value) => rests[place].1 = value,
            Chosen::Room | Chosen::Nothing => _ = rests.remove(place),
        }
        for (position, (rest, value)) in rests.iter().enumerate() {
            let entry = Entry::new(&below(rest, shared));
            lowest.insert(position, &entry.with_value(*value));
        }
        // The layers above it, from the lowest up; each leaf is unlocked once it has its parent.
        let mut above: Option<Locked<'g, Leaf>> = None;
        for layer in (0..shared).rev() {
            let slice = slice_of(&least[layer * SLICE_LEN..]);
            let upper = reserve.leaf(leaf.era());
            let upper = wrap(above.as_mut().unwrap_or(&mut lowest), slice, upper);
            if let Some(done) = above.replace(upper) {
                record_created(pin, &done);
            }
        }
        let root = above.as_mut().unwrap_or(&mut lowest);
        leaf.replace_group_with_link(group, NodeRef::from(root.node()));
        root.set_root(true, NodeRef::from(leaf.node()).as_ptr());
        let outgrown = has_second_link(&leaf);
        pin.count(Count::LayersMade, needs.leaves as i64);
        let old_bag = match needs.moved {
            Some(_) => leaf.renew_bag(reserve.moved_bag()),
            None if stay.is_empty() => leaf.take_bag(),
            None => None,
        };
        record(pin, &leaf);
        if let Some(root) = &above {
            record_created(pin, root);
        }
        record_created(pin, &lowest);
        if let Chosen::Room = chosen {
            lowest.publish_version();
            return Ok(Added::Room(Room {
                leaf: lowest,
                position: place,
                layers: shared + 1,
                outgrown,
                old_bag,
                bag: reserve.room_bag(&needs),
            }));
        }
        drop((lowest, above, leaf));
        if let Some(bag) = old_bag {
            // SAFETY: the leaf has another bag now or none, and only the lock's owner takes it.
            unsafe { pin.retire_bag(bag) };
        }
        Ok(Added::done(outgrown))
    }
}

/// The lengths of the suffixes that stay in the leaf when the group becomes a layer.
fn lengths_beside(leaf: &Locked<'_, Leaf>, group: &Range<usize>) -> Lengths {
    let before = suffix_lengths(leaf.entries().take(group.start));
    let after = suffix_lengths(leaf.entries().skip(group.end));
    before.into_iter().chain(after).collect()
}

/// The shape of a new bag for them, if the leaf's bag would be wasteful.
fn shape_of_rest(leaf: &Locked<'_, Leaf>, stay: &Lengths) -> Option<Shape> {
    let bag = leaf.bag()?;
    (bag.is_wasteful(stay.iter().copied()))
        .then(|| shape_for(stay, leaf.permutation().len() - GROUP_MAX + 1))
        .flatten()
}

/// Shapes of bags for the lowest leaf, which gets the rests of a group so many layers down;
/// the one at `place` is the new key's. If that is only to have room: without it, and with it.
fn shapes_of_lowest(
    rests: &[(&[u8], u64)],
    place: usize,
    shared: usize,
    is_room: bool,
) -> (Option<Shape>, Option<Shape>) {
    let suffix_of = |(rest, _): &(&[u8], u64)| {
        let key = below(rest, shared);
        key.has_suffix().then(|| key.suffix().len())
    };
    let new = suffix_of(&rests[place]).filter(|_| is_room);
    let suffixes: Lengths = (rests.iter().enumerate())
        .filter(|&(position, _)| position != place || !is_room)
        .filter_map(|(_, rest)| suffix_of(rest))
        .collect();
    match new {
        Some(suffix) => shapes_for_room(&suffixes, suffix, GROUP_MAX),
        None => (shape_for(&suffixes, GROUP_MAX + 1), None),
    }
}

/// A rest so many layers down.
fn below(rest: &[u8], layers: usize) -> Key<'_> {
    Key::new(&rest[layers * SLICE_LEN..])
}

/// Makes `upper` a layer whose only entry links to the layer of `root`.
fn wrap<'d>(
    root: &mut Locked<'d, Leaf>,
    slice: u64,
    mut upper: Locked<'d, Leaf>,
) -> Locked<'d, Leaf> {
    upper.insert(0, &Entry::link(slice, NodeRef::from(root.node())));
    root.set_root(true, NodeRef::from(upper.node()).as_ptr());
    upper
}

/// How many slices two different rests have in common before one ends or they
/// differ: as many layers lie between them.
fn shared_slices(a: &[u8], b: &[u8]) -> usize {
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    // The last shared slice must be followed by something on both sides.
    let longest = a.len().min(b.len()).saturating_sub(1);
    common.min(longest) / SLICE_LEN
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn shared_slices_are_whole_and_followed_by_more(a in prop::collection::vec(0u8..2, 1..40), len in 1usize..40) {
            let mut b = a.clone();
            b.resize(len, 1);
            let (mut left, mut right, mut expected) = (Key::new(&a), Key::new(&b), 0);
            while left.slice() == right.slice() && left.has_suffix() && right.has_suffix() {
                left.shift();
                right.shift();
                expected += 1;
            }
            prop_assume!(a != b);
            prop_assert_eq!(shared_slices(&a, &b), expected);
        }
    }
}
