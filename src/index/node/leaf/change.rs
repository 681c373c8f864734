//! Changes that the owner of a leaf's lock makes; see the protocol in `leaf`.

use std::cmp;
use std::ops::Range;

use super::{
    Entry, FORM, GROUP_MAX, Leaf, VACANT, kind_in, layer_at, take_lowest, value_of, word_of,
};
use crate::index::key::{Key, Kind, LAYER, SUFFIX, rank, slice_of};
use crate::index::key_source::KeySource;
use crate::index::node::Locked;
use crate::index::node::link::NodeRef;
use crate::index::node::permutation::Permutation;
use crate::index::node::search::Search;
use crate::index::node::suffix::{BagRef, OwnedBag, Shape};
use crate::protocol::Line;
use crate::sync::{Ordering, perturb};

/// The position of a key, or of its insert, in a locked leaf.
pub(crate) enum KeyPosition<'g> {
    /// The key's own entry, in this slot.
    Present { slot: usize },
    /// The key continues in the layer with this root.
    Layer(NodeRef<'g>),
    /// An insert would exceed the group whose entries begin at this position.
    Crowded { first: usize },
    /// An insert would go to this position.
    Absent { position: usize },
}

impl<'g> Locked<'g, Leaf> {
    /// Returns the position of a key, or of its insert.
    ///
    /// Counts the smaller slices instead of searching among them, so that no branch depends on the
    /// key's position.
    #[inline]
    pub(crate) fn position_of<S: Search>(&self, key: &Key<'_>) -> KeyPosition<'g> {
        if !key.has_suffix() {
            return match self.find_short_likely_absent::<S>(key) {
                Ok(slot) => KeyPosition::Present { slot },
                Err(position) => KeyPosition::Absent { position },
            };
        }
        let leaf = self.node();
        let live = leaf.live();
        let equal = S::equal_mask(&leaf.head, key.slice()) & live;
        // The number of entries with the key's slice that are before the key; mostly 0.
        let mut before = 0;
        // The slots of entries that also have the key's rank.
        let mut same = 0_u32;
        let mut slots = equal;
        while let Some(slot) = take_lowest(&mut slots) {
            match rank(leaf.kind(slot)).cmp(&key.kind()) {
                cmp::Ordering::Less => before += 1,
                cmp::Ordering::Equal => same |= 1 << slot,
                cmp::Ordering::Greater => {}
            }
        }
        let smaller = S::less_mask(&leaf.head, key.slice()) & live;
        let position = S::ones(smaller) + before;
        if same == 0 {
            return KeyPosition::Absent { position };
        }
        self.position_in_group(position, same, key)
    }

    /// [`Locked::position_of`] for a key that ends within its slice: returns its slot, or as an
    /// error the position of its insert. Fast for present keys: most compare equal at once.
    // inline(always), as in the next function: else a hold takes 25 instructions more.
    #[inline(always)]
    pub(crate) fn find_short_likely_present<S: Search>(
        &self,
        key: &Key<'_>,
    ) -> Result<usize, usize> {
        let leaf = self.node();
        let mut slots = S::equal_mask(&leaf.head, key.slice()) & leaf.live();
        while let Some(slot) = take_lowest(&mut slots) {
            // No other entry has its length.
            if leaf.kind(slot) == key.short_kind() {
                return Ok(slot);
            }
        }
        self.find_short_likely_absent::<S>(key)
    }

    /// [`Locked::find_short_likely_present`], fast for absent keys: searches for the position, and then
    /// compares the entry there.
    #[inline(always)]
    pub(crate) fn find_short_likely_absent<S: Search>(
        &self,
        key: &Key<'_>,
    ) -> Result<usize, usize> {
        debug_assert!(!key.has_suffix());
        let leaf = self.node();
        let permutation = leaf.permutation();
        debug_assert_eq!(leaf.live_slots(), permutation.live_mask());
        let mut position = S::ones(S::less_mask(&leaf.head, key.slice()) & leaf.live());
        // Mostly one round: entries with the same slice are other short keys, or longer ones.
        while position < permutation.len() {
            // SAFETY: below the number of entries.
            let slot = unsafe { permutation.slot_unchecked(position) };
            let kind = leaf.kind(slot);
            if leaf.slice_in(slot) != key.slice() || kind > key.short_kind() {
                break;
            }
            if kind == key.short_kind() {
                return Ok(slot);
            }
            position += 1;
        }
        Err(position)
    }

    /// Returns the position of a key among the entries with its slice and rank, which are in
    /// `slots`. The first of them, in key order, is at position `first`.
    #[inline(never)]
    fn position_in_group(&self, first: usize, mut slots: u32, key: &Key<'_>) -> KeyPosition<'g> {
        let (mut group, mut position) = (0, first);
        let mut present = None;
        while let Some(slot) = take_lowest(&mut slots) {
            group += 1;
            let mark = self.mark(slot);
            if kind_in(mark) == LAYER {
                // SAFETY: kind and word belong together under the lock.
                return KeyPosition::Layer(unsafe { layer_at(self.node().word(slot)) });
            }
            match self.compare_suffix(slot, mark, key.suffix()) {
                cmp::Ordering::Less => position += 1,
                cmp::Ordering::Equal => present = Some(slot),
                cmp::Ordering::Greater => {}
            }
        }
        match present {
            Some(slot) => KeyPosition::Present { slot },
            None if group == GROUP_MAX => KeyPosition::Crowded { first },
            None => KeyPosition::Absent { position },
        }
    }

    /// The entry in a live slot.
    pub(crate) fn entry_in(&self, slot: usize) -> Entry<'g> {
        self.node().entry(slot)
    }

    /// The kind of the entry in a live slot.
    #[inline]
    pub(crate) fn kind_in(&self, slot: usize) -> Kind {
        kind_in(self.mark(slot))
    }

    /// The slice of the entry at a position.
    #[inline]
    pub(crate) fn slice_at(&self, position: usize) -> u64 {
        self.slice_in(self.permutation().slot(position))
    }

    /// The entries in key order.
    pub(crate) fn entries(&self) -> impl ExactSizeIterator<Item = Entry<'g>> + Clone {
        let leaf = self.node();
        let permutation = leaf.permutation();
        (0..permutation.len()).map(move |position| leaf.entry(permutation.slot(position)))
    }

    /// The lengths of the suffixes of the entries at these positions that have one.
    pub(crate) fn suffix_lengths(
        &self,
        positions: Range<usize>,
    ) -> impl Iterator<Item = usize> + Clone {
        let leaf = self.node();
        let (permutation, bag) = (leaf.permutation(), leaf.bag());
        positions.filter_map(move |position| leaf.suffix_len(permutation.slot(position), bag))
    }

    /// The value in a live slot that holds one.
    #[inline]
    pub(crate) fn value_in(&self, slot: usize) -> u64 {
        debug_assert_ne!(self.entry_in(slot).kind, LAYER);
        value_of(self.words[slot].load(Ordering::Relaxed))
    }

    /// Overwrites a value; returns the old one.
    #[inline]
    pub(crate) fn replace(&self, slot: usize, value: u64) -> u64 {
        let old = self.words[slot].load(Ordering::Relaxed);
        // Release: a thread that reads the value sees what the writing thread did before.
        let order = Line::ValueReleases.release();
        self.words[slot].store(word_of(value), order);
        value_of(old)
    }

    /// Stores the permutation, whose live slots are `live`, with the flag that `live()` has.
    #[inline]
    pub(super) fn publish(&mut self, permutation: Permutation, live: u32) {
        debug_assert_eq!(live, permutation.live_mask() | self.live() & FORM);
        if Line::PermutationCounts.is_enabled() {
            self.mark_changed();
        }
        self.live.store(live, Ordering::Relaxed);
        // Release: a thread that loads the permutation sees the contents of its live slots.
        let order = Line::PermutationReleases.release();
        self.permutation.store(permutation.word(), order);
    }

    /// Whether there is room for one more suffix; an empty suffix needs no room.
    pub(crate) fn has_room_for(&self, suffix: &[u8]) -> bool {
        suffix.is_empty()
            || self.keeps_as_tail(suffix.len())
            || self.bag().is_some_and(|bag| bag.has_room(suffix.len()))
    }

    /// Whether all suffixes in the bag, and one more of this length, fit into a bag of this shape.
    pub(crate) fn fits_with(&self, len: usize, shape: Shape) -> bool {
        match self.bag() {
            Some(bag) => bag.fits_with(len, shape),
            None => shape.contains(Shape::for_records([len].into_iter())),
        }
    }

    /// Whether no suffix of a live entry is in the bag.
    pub(crate) fn needs_no_bag(&self) -> bool {
        let mut slots = self.permutation().slots();
        slots.all(|slot| !self.is_in_bag(slot))
    }

    /// Whether records that no live entry uses take much of the bag.
    #[inline]
    pub(crate) fn wastes_its_bag(&self) -> bool {
        /// Takes a reference to the node, not to the lock's owner, which can then stay in
        /// registers.
        #[inline(never)]
        fn wastes(leaf: &Leaf, bag: BagRef<'_>) -> bool {
            let slots = leaf.permutation().slots();
            let lengths = slots.filter_map(|slot| leaf.suffix_len(slot, Some(bag)));
            bag.is_wasteful(lengths.filter(|&len| !leaf.keeps_as_tail(len)))
        }
        let leaf = self.node();
        leaf.bag().is_some_and(|bag| wastes(leaf, bag))
    }

    /// Inserts an entry at a position. The leaf has a free slot, and room in its bag.
    #[inline]
    pub(crate) fn insert(&mut self, position: usize, entry: &Entry<'_>, keys: &KeySource) {
        let permutation = self.permutation();
        let slot = permutation.free_slot();
        self.write(slot, entry, keys);
        self.publish(permutation.insert(position), self.live() | 1 << slot);
    }

    /// Inserts a key that ends within its slice at a position.
    ///
    /// # Safety
    /// The leaf has a free slot.
    // inline(always), as in `remove`: else the end of a hold takes 23 instructions more.
    #[inline(always)]
    pub(crate) unsafe fn insert_short(&mut self, position: usize, key: &Key<'_>, value: u64) {
        debug_assert!(!key.has_suffix());
        let permutation = self.permutation();
        debug_assert!(!permutation.is_full());
        // SAFETY: by contract, there are fewer entries than slots.
        let slot = unsafe { permutation.slot_unchecked(permutation.len()) };
        perturb();
        self.head.words[slot].store(key.slice(), Ordering::Relaxed);
        perturb();
        self.marks[slot].store(key.short_kind(), Ordering::Relaxed);
        // Relaxed: the store of the permutation publishes the word, and the word is no pointer that
        // guards protect.
        self.words[slot].store(word_of(value), Ordering::Relaxed);
        self.publish(permutation.insert(position), self.live() | 1 << slot);
    }

    /// Writes an entry to a free slot.
    #[inline]
    pub(super) fn write(&self, slot: usize, entry: &Entry<'_>, keys: &KeySource) {
        if entry.kind == SUFFIX && self.keeps_as_tail(entry.suffix.len()) {
            match self.is_referring() {
                true => self.refer(slot, value_of(entry.word), &entry.suffix, keys),
                false => self.set_tail(slot, slice_of(&entry.suffix)),
            }
        } else if entry.kind == SUFFIX {
            let bag = self.bag().filter(|bag| bag.has_room(entry.suffix.len()));
            let bag = bag.expect("room for a suffix is made before its insert");
            // SAFETY: there is room, and this thread owns the leaf's lock.
            unsafe { bag.append(slot, &entry.suffix) };
        }
        perturb();
        self.head.words[slot].store(entry.slice, Ordering::Relaxed);
        perturb();
        let mark = self.mark_for(entry.kind, &entry.suffix);
        self.marks[slot].store(mark, Ordering::Relaxed);
        // Release, since the word may point to a layer.
        self.words[slot].store(entry.word, Ordering::Release);
    }

    /// Removes the entry at a position. Readers with an earlier permutation may still read its
    /// word and suffix.
    #[inline(always)]
    pub(crate) fn remove(&mut self, position: usize) {
        let permutation = self.permutation();
        let live = self.live() & !(1 << permutation.slot(position));
        self.publish(permutation.remove(position), live);
    }

    /// Removes the entries at these positions, none of which is a link, all at once; otherwise as
    /// [`Self::remove`].
    pub(crate) fn remove_many(&mut self, positions: Range<usize>) {
        let mut permutation = self.permutation();
        if positions.end == permutation.len() {
            let permutation = permutation.truncate(positions.start);
            let live = permutation.live_mask() | self.live() & FORM;
            return self.publish(permutation, live);
        }
        let mut live = self.live();
        for position in positions.rev() {
            live &= !(1 << permutation.slot(position));
            permutation = permutation.remove(position);
        }
        self.publish(permutation, live);
    }

    /// Whether an entry is a link to a layer.
    pub(crate) fn has_links(&self) -> bool {
        let mut slots = self.permutation().slots();
        slots.any(|slot| kind_in(self.mark(slot)) == LAYER)
    }

    /// Removes the link to the layer with this root.
    pub(crate) fn remove_link(&mut self, root: NodeRef<'_>) {
        let position = self.position_of_link(root);
        self.remove(position);
    }

    /// Changes the link to a layer so that it points to the layer's new root. Readers that have
    /// loaded the old root find that it is no longer a root, and start over.
    pub(crate) fn move_link(&self, old: NodeRef<'_>, new: NodeRef<'_>) {
        let slot = self.permutation().slot(self.position_of_link(old));
        self.words[slot].store(new.as_ptr().cast(), Ordering::Release);
    }

    fn position_of_link(&self, root: NodeRef<'_>) -> usize {
        self.entries()
            .position(|entry| entry.layer() == Some(root))
            .expect("the parent of a layer's root links to it")
    }

    /// Replaces a group of entries by one link to a layer, and marks the leaf dirty: otherwise a
    /// reader could find the kind of a link with a word that is still a value, or the link before
    /// the layer's root has ROOT. The group's other slots become free, as after a remove.
    ///
    /// The link takes the slot that a search compares first, and the freed slots are marked
    /// vacant: otherwise each search would compare the group's slots before the link, until they
    /// are reused.
    pub(crate) fn replace_group_with_link(&mut self, group: Range<usize>, root: NodeRef<'_>) {
        if Line::GroupIsDirty.is_enabled() {
            self.mark_dirty();
        }
        let mut permutation = self.permutation();
        let (slot, kept) = (group
            .clone()
            .map(|position| (permutation.slot(position), position)))
        .min()
        .expect("a group has entries");
        self.marks[slot].store(LAYER, Ordering::Relaxed);
        perturb();
        self.words[slot].store(root.as_ptr().cast(), Ordering::Release);
        for position in group.rev().filter(|&position| position != kept) {
            self.vacate(permutation.slot(position));
            permutation = permutation.remove(position);
        }
        perturb();
        let live = permutation.live_mask() | self.live() & FORM;
        self.publish(permutation, live);
    }

    /// Marks a slot that is no longer live, so that searches skip it. The leaf is dirty.
    pub(super) fn vacate(&self, slot: usize) {
        self.marks[slot].store(VACANT, Ordering::Relaxed);
    }

    /// Copies the live suffixes to an empty bag that has room for them, and replaces the leaf's bag
    /// with it. Returns the old bag for the caller to retire.
    pub(crate) fn renew_bag(&self, bag: OwnedBag<'_>) -> Option<BagRef<'g>> {
        let leaf = self.node();
        let old = leaf.bag();
        if let Some(old) = old {
            let slots = leaf.permutation().slots();
            bag.append_all(old, slots.filter(|&slot| leaf.is_in_bag(slot)));
        }
        perturb();
        // The suffixes are the same in both bags, so readers may use either.
        self.bag.store(bag.publish(), Ordering::Release);
        old
    }

    /// Removes the bag of a leaf whose entries have no suffixes in it, and marks the leaf dirty,
    /// since readers with an earlier permutation may look for the suffixes of removed entries.
    /// Returns the bag for the caller to retire.
    pub(crate) fn take_bag(&mut self) -> Option<BagRef<'g>> {
        debug_assert!(self.needs_no_bag());
        if Line::BagIsDirty.is_enabled() {
            self.mark_dirty();
        }
        let bag = self.node().bag();
        self.bag.store(std::ptr::null_mut(), Ordering::Release);
        perturb();
        bag
    }

    /// Removes a large bag in which no entry has its suffix, as [`Self::take_bag`] does. An entry
    /// that is removed or moved to another leaf may leave such a bag behind.
    #[inline]
    pub(crate) fn take_unused_bag(&mut self) -> Option<BagRef<'g>> {
        match self.wastes_its_bag() && self.needs_no_bag() {
            true => self.take_bag(),
            false => None,
        }
    }

    /// Sets the leaf's first bag.
    pub(crate) fn set_bag(&self, bag: OwnedBag<'_>) {
        debug_assert!(self.bag().is_none());
        self.bag.store(bag.publish(), Ordering::Release);
    }

    /// Sets the low of a leaf that is not published.
    pub(crate) fn set_low(&self, low: u64) {
        self.low.store(low, Ordering::Relaxed);
    }

    /// Links `right`, a leaf that is not published, after this one.
    pub(crate) fn link_after(&self, right: &Locked<'g, Leaf>) {
        right.prev.store(
            std::ptr::from_ref(self.node()).cast_mut(),
            Ordering::Release,
        );
        let next = self.next.load(Ordering::SeqCst);
        right.next.store(next, Ordering::Release);
        let right = std::ptr::from_ref(right.node()).cast_mut();
        if let Some(next) = self.node().next() {
            next.prev.store(right, Ordering::Release);
        }
        self.next.store(right, Ordering::Release);
    }

    /// Unlinks this leaf from the list of leaves. The previous leaf, if one exists, is locked
    /// too.
    pub(crate) fn unlink(&self, prev: Option<&Locked<'g, Leaf>>) {
        self.unlink_from(prev.map(Locked::node));
    }

    /// `unlink`; models also call it without the lock.
    pub(crate) fn unlink_from(&self, prev: Option<&'g Leaf>) {
        let next = self.next.load(Ordering::SeqCst);
        let before = prev.map_or(std::ptr::null_mut(), |prev| {
            std::ptr::from_ref(prev).cast_mut()
        });
        if let Some(next) = self.node().next() {
            next.prev.store(before, Ordering::Release);
        }
        if let Some(prev) = prev {
            prev.next.store(next, Ordering::Release);
        }
    }
}
