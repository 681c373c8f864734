//! Creates a layer, when a key is inserted whose slice already has a full group: [`GROUP_MAX`]
//! entries with suffixes.
//!
//! One link to the new layer replaces the group in the leaf; the layer holds the group's entries
//! and the new key. If all of these keys also share their next slice, the layer contains only a
//! link to another layer, and so on, down to the *lowest* layer, where the keys differ in their
//! slice or in whether they end within it. So there, no slice has more than [`GROUP_MAX`] entries
//! with suffixes. The writer builds all new layers before another thread can reach them.
//!
//! The linearization point of the insert is the end of the DIRTY change that replaces the group
//! with the link: until then, readers wait for it or find all of the old entries. The values of the
//! group do not change meanwhile, since the writer owns the leaf's lock.

use std::ops::Range;

use arrayvec::ArrayVec;

use super::engine::{Added, Addition, Chosen, Lengths, Room, bagged, record, record_created};
use super::levels::has_second_link;
use super::reserve::{Needs, Reserve, shape_for, shapes_for_room};
use crate::index::key::{Key, SLICE_LEN, slice_of};
use crate::index::key_source::KeySource;
use crate::index::memory::Count;
use crate::index::node::{Entry, Form, GROUP_MAX, Leaf, Locked, NodeRef, Shape};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;

impl Tree {
    /// Creates a layer for a key and the group with its slice, whose entries begin at position
    /// `first`; inserts the key there, or makes room for it. Longer than 60 lines, since the order
    /// of its steps under the leaf's lock is the protocol.
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
        let group_entries = leaf.entries().skip(first).take(GROUP_MAX);
        let group_entries: ArrayVec<Entry<'_>, GROUP_MAX> = group_entries.collect();
        let mut rests: Rests<'_> = (group_entries.iter())
            .map(|entry| (&*entry.suffix, entry.value()))
            .collect();
        let position = rests.partition_point(|(rest, _)| *rest < key.suffix());
        rests.insert(position, (key.suffix(), 0));
        // The slices that the first and the last share, those between them share, too.
        let (least, greatest) = (rests[0].0, rests[GROUP_MAX].0);
        let shared = shared_slices(least, greatest);
        let lengths = rests.iter().filter_map(|rest| suffix_below(rest, shared));
        let form = Form::of_new(pin.keys(), lengths);
        let (kept, room) = shapes_of_lowest(&rests, position, shared, form, addition.is_room());
        let stay = lengths_outside(&leaf, &group);
        let needs = Needs {
            leaves: shared + usize::from(!form.has_tails()),
            tailed: usize::from(form.has_tails()),
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

        let mut lowest = reserve.leaf_for(form, leaf.era());
        if needs.kept.is_some() {
            lowest.set_bag(reserve.kept_bag());
        }
        match chosen {
            Chosen::Key(value) => rests[position].1 = value,
            Chosen::Room | Chosen::Nothing => _ = rests.remove(position),
        }
        for (position, (rest, value)) in rests.iter().enumerate() {
            let entry = Entry::new(&below(rest, shared));
            lowest.insert(position, &entry.with_value(*value), pin.keys());
        }
        // Builds the layers above the lowest, bottom-up. Unlocks each leaf once it has its parent.
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
        let grown = has_second_link(&leaf);
        pin.count(Count::LayersCreated, shared as i64 + 1);
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
                position,
                layers: shared + 1,
                grown,
                old_bag,
                bag: reserve.room_bag(&needs),
            }));
        }
        drop((lowest, above, leaf));
        if let Some(bag) = old_bag {
            // SAFETY: the leaf has another bag now or none, and only the lock's owner replaces it.
            unsafe { pin.retire_bag(bag) };
        }
        Ok(Added::done(grown))
    }
}

/// Returns the lengths of the suffixes that stay in the leaf: those of entries outside of the
/// group.
fn lengths_outside(leaf: &Locked<'_, Leaf>, group: &Range<usize>) -> Lengths {
    let before = leaf.suffix_lengths(0..group.start);
    let after = leaf.suffix_lengths(group.end..leaf.permutation().len());
    bagged(before.chain(after), leaf.form())
}

/// Returns the shape of a new bag for the suffixes that stay in the leaf, if its present bag would
/// be wasteful.
fn shape_of_rest(leaf: &Locked<'_, Leaf>, stay: &Lengths) -> Option<Shape> {
    let bag = leaf.bag()?;
    (bag.is_wasteful(stay.iter().copied()))
        .then(|| shape_for(stay, leaf.permutation().len() - GROUP_MAX + 1))
        .flatten()
}

/// The suffixes of a group and of one more key, in order, with their values.
type Rests<'r> = ArrayVec<(&'r [u8], u64), { GROUP_MAX + 1 }>;

/// Returns the length of the suffix that a rest has `layers` layers further down, if it has one.
fn suffix_below((rest, _): &(&[u8], u64), layers: usize) -> Option<usize> {
    let key = below(rest, layers);
    key.has_suffix().then(|| key.suffix().len())
}

/// Returns shapes of bags for the leaf of the lowest layer, of this form, which gets the
/// rests of the group and of the new key (at `new_position`) without the `shared` slices. With
/// `is_room`, the first shape is for the group alone, and the second for the group and the new key,
/// if the first is too small for both.
fn shapes_of_lowest(
    rests: &[(&[u8], u64)],
    new_position: usize,
    shared: usize,
    form: Form,
    is_room: bool,
) -> (Option<Shape>, Option<Shape>) {
    let suffix_of = |rest: &(&[u8], u64)| suffix_below(rest, shared).filter(|&len| form.bags(len));
    let new = suffix_of(&rests[new_position]).filter(|_| is_room);
    let suffixes: Lengths = (rests.iter().enumerate())
        .filter(|&(position, _)| position != new_position || !is_room)
        .filter_map(|(_, rest)| suffix_of(rest))
        .collect();
    match new {
        Some(suffix) => shapes_for_room(&suffixes, suffix, GROUP_MAX),
        None => (shape_for(&suffixes, GROUP_MAX + 1), None),
    }
}

/// Returns the part of a rest that is indexed `layers` layers further down.
fn below(rest: &[u8], layers: usize) -> Key<'_> {
    Key::new(&rest[layers * SLICE_LEN..])
}

/// Makes `upper` a layer whose only entry links to the layer with the root `root`.
fn wrap<'d>(
    root: &mut Locked<'d, Leaf>,
    slice: u64,
    mut upper: Locked<'d, Leaf>,
) -> Locked<'d, Leaf> {
    let link = Entry::link(slice, NodeRef::from(root.node()));
    upper.insert(0, &link, &KeySource::NONE);
    root.set_root(true, NodeRef::from(upper.node()).as_ptr());
    upper
}

/// Returns how many whole slices two different rests share, before they differ or one of them ends:
/// the number of layers between the leaf and the lowest layer.
pub(in crate::index::tree) fn shared_slices(a: &[u8], b: &[u8]) -> usize {
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    // In both rests, at least one byte follows the last shared slice.
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
