//! Fills a leaf that no other thread can reach yet, in ascending order of its entries: the entry at
//! a position is in the slot of the same number.
//!
//! The order of the stores does not matter to those who can reach the leaf: the store that publishes
//! the whole tree releases them. Only a reader without a guard may load from the memory before, since
//! this was another node's, and rejects what it has loaded (see `tree::read::unguarded`): the stores
//! are atomic, and follow the fence of `alloc`.

use std::ops::Range;

use super::{Entry, Leaf, kind_in, value_of, word_of};
use crate::index::key::{Kind, LAYER, SUFFIX, slice_of};
use crate::index::key_source::KeySource;
use crate::index::node::Locked;
use crate::index::node::link::NodeRef;
use crate::index::node::permutation::Permutation;
use crate::index::node::suffix::OwnedBag;
use crate::sync::Ordering;

impl<'g> Locked<'g, Leaf> {
    /// Writes an entry whose key ends within its slice.
    #[inline]
    pub(crate) fn fill_short(&self, slot: usize, slice: u64, kind: Kind, value: u64) {
        debug_assert!(kind < SUFFIX);
        self.fill_slot(slot, slice, kind, word_of(value));
    }

    /// Writes an entry with a suffix, but not the suffix: see [`Self::fill_suffix`].
    pub(crate) fn fill_long(&self, slot: usize, slice: u64, value: u64) {
        self.fill_slot(slot, slice, SUFFIX, word_of(value));
    }

    /// Writes the suffix of an entry. `bag`, which becomes the leaf's, has room for it unless it is
    /// kept as a tail or a reference. Without a bag, drops other suffixes.
    pub(crate) fn fill_suffix(
        &self,
        slot: usize,
        suffix: &[u8],
        bag: Option<&OwnedBag<'_>>,
        keys: &KeySource,
    ) {
        let mark = self.mark_for(SUFFIX, suffix);
        self.marks[slot].store(mark, Ordering::Relaxed);
        if self.keeps_as_tail(suffix.len()) {
            match self.is_referring() {
                true => self.refer(slot, self.value_filled(slot), suffix, keys),
                false => self.set_tail(slot, slice_of(suffix)),
            }
        } else if let Some(bag) = bag {
            bag.append(slot, suffix);
        }
    }

    /// Writes a link; its layer is set later.
    pub(crate) fn fill_link(&self, slot: usize, slice: u64) {
        self.fill_slot(slot, slice, LAYER, std::ptr::null_mut());
    }

    #[inline]
    fn fill_slot(&self, slot: usize, slice: u64, mark: u8, word: *mut ()) {
        self.head.words[slot].store(slice, Ordering::Relaxed);
        self.marks[slot].store(mark, Ordering::Relaxed);
        self.words[slot].store(word, Ordering::Relaxed);
    }

    /// Sets the layer of the link in a slot.
    pub(crate) fn fill_layer(&self, slot: usize, root: NodeRef<'_>) {
        debug_assert_eq!(self.kind_filled(slot), LAYER);
        self.words[slot].store(root.as_ptr().cast(), Ordering::Relaxed);
    }

    /// The kind of the entry in a slot that was filled.
    pub(crate) fn kind_filled(&self, slot: usize) -> Kind {
        kind_in(self.marks[slot].load(Ordering::Relaxed))
    }

    /// The value in a slot that was filled with one.
    pub(crate) fn value_filled(&self, slot: usize) -> u64 {
        value_of(self.words[slot].load(Ordering::Relaxed))
    }

    /// Moves the entries in `slots` to the first slots of another leaf that is being filled. None
    /// of them is a link.
    pub(crate) fn move_filled(&self, slots: Range<usize>, to: &Locked<'_, Leaf>) {
        for (slot, from) in slots.enumerate() {
            debug_assert_ne!(self.kind_filled(from), LAYER);
            to.fill_slot(
                slot,
                self.head.words[from].load(Ordering::Relaxed),
                self.marks[from].load(Ordering::Relaxed),
                self.words[from].load(Ordering::Relaxed),
            );
            // As if the slot had never been used.
            self.fill_slot(from, 0, 0, std::ptr::null_mut());
        }
    }

    /// Makes the first `len` slots live. `bag` has their suffixes that are not tails, if they have
    /// any.
    pub(crate) fn complete(&self, len: usize, bag: Option<OwnedBag<'_>>) {
        if let Some(bag) = bag {
            self.set_bag(bag);
        }
        let permutation = Permutation::of_first(len);
        let live = self.live() | ((1 << len) - 1);
        self.live.store(live, Ordering::Relaxed);
        self.permutation
            .store(permutation.word(), Ordering::Relaxed);
    }

    /// Makes `next` the leaf after this one; no other thread can reach either.
    pub(crate) fn chain(&self, next: &Leaf) {
        let this = std::ptr::from_ref(self.node()).cast_mut();
        next.prev.store(this, Ordering::Relaxed);
        let next = std::ptr::from_ref(next).cast_mut();
        self.next.store(next, Ordering::Relaxed);
    }

    /// The entry with the smallest key, unless the leaf is empty.
    pub(crate) fn first_entry(&self) -> Option<Entry<'g>> {
        let permutation = self.permutation();
        (!permutation.is_empty()).then(|| self.entry_in(permutation.slot(0)))
    }
}
