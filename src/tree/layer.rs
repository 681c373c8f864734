//! Going one slice deeper: keys that share a slice and go on differently.
//!
//! The entry of the key that was there becomes a link to a new layer that holds
//! both. If they share further slices, that layer has one link to yet another,
//! and so on; all of it is built before anybody can see it. The linearization
//! point of the insert is the end of the DIRTY change that turns the entry into
//! the link: until then readers wait for it or find the old entry.

use arrayvec::ArrayVec;

use super::Tree;
use super::put::Decide;
use super::reserve::{Needs, Reserve, shape_for};
use crate::key::{Key, SLICE_LEN, SUFFIX};
use crate::memory::Count;
use crate::node::{Entry, Leaf, Locked, NodeRef};
use crate::reclaim::Pin;

impl Tree {
    /// Inserts a key that shares a slice with the longer key in a slot.
    pub(super) fn add_layer<'d>(
        &self,
        pin: Pin<'_>,
        mut leaf: Locked<'_, Leaf>,
        slot: usize,
        key: &Key<'_>,
        decide: Decide<'_>,
        reserve: &mut Reserve<'d>,
    ) -> Result<(), Needs> {
        let there = leaf.entry_in(slot);
        let shared = shared_slices(there.suffix, key.suffix());
        let skipped = shared * SLICE_LEN;
        let present = Key::new(&there.suffix[skipped..]);
        let added = Key::new(&key.suffix()[skipped..]);
        let suffixes: ArrayVec<usize, 2> = [present, added]
            .iter()
            .filter(|rest| rest.kind() == SUFFIX)
            .map(|rest| rest.suffix().len())
            .collect();
        let needs = Needs {
            leaves: shared + 1,
            kept: shape_for(&suffixes),
            ..Needs::default()
        };
        if !reserve.covers(&needs) {
            return Err(needs);
        }
        let Some(value) = decide() else {
            return Ok(());
        };

        let mut root = reserve.leaf();
        if needs.kept.is_some() {
            root.set_bag(reserve.kept_bag());
        }
        root.insert(0, &Entry::new(&present).with_value(there.value()));
        let after = present.order_of(added.slice(), added.kind()).is_gt();
        root.insert(usize::from(after), &Entry::new(&added).with_value(value));
        for layer in (0..shared).rev() {
            let slice = Key::new(&there.suffix[layer * SLICE_LEN..]).slice();
            root = wrap(root, slice, reserve.leaf());
        }
        leaf.mark_dirty();
        leaf.become_link(slot, NodeRef::from(root.node()));
        root.set_root(true, NodeRef::from(leaf.node()).as_ptr());
        pin.count(Count::LayersMade, needs.leaves as i64);
        Ok(())
    }
}

/// Makes `upper` a layer whose only entry links to the layer of `root`.
fn wrap<'d>(
    mut root: Locked<'d, Leaf>,
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
            while left.slice() == right.slice() && left.goes_on() && right.goes_on() {
                left.shift();
                right.shift();
                expected += 1;
            }
            prop_assume!(a != b);
            prop_assert_eq!(shared_slices(&a, &b), expected);
        }
    }
}
