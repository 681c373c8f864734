//! Moves entries between leaves, for splits and merges. An entry keeps its suffix, whether the leaves
//! have tails or not.

use super::{Entry, Leaf};
use crate::index::key::{LAYER, SUFFIX};
use crate::index::key_source::KeySource;
use crate::index::node::link::NodeRef;
use crate::index::node::permutation::Permutation;
use crate::index::node::{Lockable, Locked};
use crate::protocol::Line;
use crate::sync::Ordering;

impl<'g> Locked<'g, Leaf> {
    /// Moves the entries from a position on to `right`, a leaf that is not published and has a bag
    /// for their suffixes. The leaf is dirty. The roots of layers whose links move get `right` as
    /// their parent.
    pub(crate) fn move_entries(
        &mut self,
        from: usize,
        right: &mut Locked<'g, Leaf>,
        keys: &KeySource,
    ) {
        let permutation = self.permutation();
        let len = permutation.len() - from;
        let mut live = self.live();
        let mut most = None;
        for to in 0..len {
            // SAFETY: below the number of entries.
            let slot = unsafe { permutation.slot_unchecked(from + to) };
            let mark = self.mark(slot);
            // The mark of an entry that ends within its slice is its kind.
            if mark < SUFFIX {
                self.copy_short(slot, mark, right, to);
            } else if right.has_tails() && self.is_tail(mark) {
                // A tail or a reference: no tree has both.
                self.copy_short(slot, mark, right, to);
                right.set_reference(to, self.tail(slot));
            } else {
                if most.is_none() && self.kind(slot) == LAYER {
                    // Before `right` becomes the parent of a layer's root: from then on, other
                    // threads may raise its levels below.
                    most = Some(right.take_levels(self, from + to));
                }
                self.move_long(slot, right, to, keys);
            }
            // A merge may return these slices to this leaf; then searches for them would compare
            // this slot.
            self.vacate(slot);
            live &= !(1 << slot);
        }
        let live_right = right.live() | ((1 << len) - 1);
        right.publish(Permutation::of_first(len), live_right);
        self.publish(permutation.truncate(from), live);
        if let Some(most) = most {
            self.set_levels(self.entries(), most);
        }
    }

    /// Sets the levels below of this leaf, which is not published, for the entries that it gets
    /// from `from`, a dirty leaf: those from a position on. Returns the levels below of `from`.
    #[cold]
    fn take_levels(&self, from: &Locked<'g, Leaf>, position: usize) -> u8 {
        let most = from.levels_to_copy();
        self.set_levels(from.entries().skip(position), most);
        most
    }

    /// Marks this leaf dirty, and returns its levels below, before a merge moves its entries to the
    /// previous leaf and deletes it.
    pub(crate) fn levels_of_merged(&mut self) -> u8 {
        if Line::MergedLeafIsDirty.is_enabled() {
            self.mark_dirty();
        }
        self.levels_to_copy()
    }

    /// Sets the levels below to the height of the highest layer to which these entries link, but to
    /// at most `most`.
    fn set_levels(&self, entries: impl Iterator<Item = Entry<'g>>, most: u8) {
        let layers = entries.filter_map(|entry| entry.layer());
        // A layer whose root is a leaf has one level or none (see `levels`): counts one, rather
        // than reading the leaf's entries.
        let levels = layers.map(|root| root.levels_below().saturating_add(root.height().max(1)));
        let levels = levels.max().unwrap_or(0).min(most);
        self.below_word().store(levels, Ordering::Relaxed);
    }

    /// Copies an entry without a suffix, or all but its tail, to a slot of a leaf that is not
    /// published.
    #[inline(always)]
    fn copy_short(&self, slot: usize, mark: u8, right: &Locked<'g, Leaf>, to: usize) {
        let slice = self.slice_in(slot);
        right.head.words[to].store(slice, Ordering::Relaxed);
        right.marks[to].store(mark, Ordering::Relaxed);
        // The word is a value or a pointer to one, never to a node or a bag.
        let word = self.words[slot].load(Ordering::Relaxed);
        right.words[to].store(word, Ordering::Relaxed);
    }

    /// Moves an entry with a suffix, or a link to a layer.
    #[inline(never)]
    fn move_long(&self, slot: usize, right: &mut Locked<'g, Leaf>, to: usize, keys: &KeySource) {
        let entry = self.entry_in(slot);
        right.write(to, &entry, keys);
        if let Some(root) = entry.layer()
            && Line::MovedLayersGetTheirParent.is_enabled()
        {
            root.set_parent(NodeRef::from(right.node()));
        }
    }

    /// Appends copies of the entries to the previous leaf, which is dirty and has room for them and
    /// their suffixes. The roots of layers whose links move get that leaf as their parent.
    pub(crate) fn copy_entries_to(&self, left: &mut Locked<'g, Leaf>, keys: &KeySource) {
        for entry in self.entries() {
            left.insert(left.permutation().len(), &entry, keys);
            if let Some(root) = entry.layer()
                && Line::MovedLayersGetTheirParent.is_enabled()
            {
                root.set_parent(NodeRef::from(left.node()));
            }
        }
    }
}
