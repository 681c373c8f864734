//! Leaves: up to 15 entries of one layer, and links to the next and the previous leaf.
//!
//! ```text
//! byte   0   version
//!        8   15 slices
//!      128   permutation
//!      136   15 marks: the kind, and in the upper bits the tag of a suffix (or, of a tail, its
//!            length: see `tails`)
//!      151   levels below: the height of the layers below (see `tree::write::levels`)
//!      152   15 value words: the user's, or the root of a layer
//!      272   suffix bag
//!      280   next leaf
//!      288   previous leaf
//!      296   parent (see `Lockable::parent_word`)
//!      304   low: the smallest slice of the leaf's range, unless the leaf is its layer's
//!            first; never changes
//!      312   live slots, one bit each: as in the permutation; only the lock's owner reads them. The
//!            highest bit says whether the leaf has tails, the next one whether these are references;
//!            they never change
//!      316   era of the tree (see `memory::keys`); never changes
//!      320   15 tails, in tailed leaves only (see `tails`)
//! ```
//!
//! A leaf's *range* is the slices from its low up to the low of the next leaf. The range of a
//! layer's first leaf begins at 0, whatever its low: it may have become the first when the leaves
//! before it were deleted. Entries with equal slices are always in one leaf: at most nine whose
//! keys end within the slice, with lengths 0 to 8, and the longer keys. The longer keys are a
//! *group* of at most [`GROUP_MAX`] entries with suffixes, ordered by suffix; or, once they were
//! more, one link to a layer that holds all of them. So among sixteen entries there are at least
//! two different slices, and a full leaf can be split.
//!
//! **Reading.** [`Leaf::search`] and [`Leaf::snapshot`] load the permutation (acquire), then read all
//! slots and ignore those that are not live in it, then validate against a version that was loaded
//! before. The
//! linearization point of a read is the load of the permutation or, for a key that exists, of its
//! value word.
//!
//! **Changing.** An insert writes a free slot and publishes it by storing the permutation; a
//! remove only stores the permutation. Both increment the version's count when the leaf is
//! unlocked. The linearization point of an insert or a remove is the store of the permutation; that
//! of an overwrite is the store of the value word. Replacing a group by a link to a layer, and
//! splitting, change several words and are made under DIRTY.
//!
//! The owner of a leaf's lock stores the leaf's `next`, and the `prev` of the next leaf. So a
//! leaf's `prev` is protected by the lock of the previous leaf.

mod change;
mod entries;
mod fill;
#[cfg(all(test, loom))]
mod models;
mod moves;
mod references;
mod search;
mod tails;

pub(crate) use change::KeyPosition;
pub(crate) use entries::{Entries, Neighbours};
pub(super) use entries::{Image, copy_portably};
use tails::IN_BAG;
pub(crate) use tails::Suffix;
pub(super) use tails::TailedLeaf;
pub(crate) use tails::{Form, may_be_tail};

use std::ops::RangeInclusive;

use super::Lockable;
use super::link::{Node, NodeRef, prefetch};
use super::permutation::{Permutation, WIDTH};
use super::search::Head;
use super::suffix::{Bag, BagRef};
use super::version::{Version, VersionWord};
use crate::index::key::{KIND_BITS, Key, Kind, LAYER, SLICE_LEN, SUFFIX, tag};
use crate::index::memory::Era;
use crate::protocol::Line;
use crate::sync::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, perturb};

/// The most entries with suffixes that a leaf has under one slice. In builds that look for
/// races, groups are small, so that they often turn into layers.
///
/// A layer of one leaf costs 320 bytes. Measured with 3,000,000 URLs of 70 bytes, of which
/// about three share their first 50 bytes; bytes per key for each maximum: 1: 140, 3: 96,
/// 4: 85, 6: 74.
pub(crate) const GROUP_MAX: usize = if cfg!(any(masstree_perturb, shuttle)) {
    2
} else {
    6
};

const _: () = assert!(SLICE_LEN + 1 + GROUP_MAX <= WIDTH);

#[repr(C, align(64))]
pub(crate) struct Leaf {
    head: Head,
    permutation: AtomicU64,
    marks: [AtomicU8; WIDTH + 1],
    words: [AtomicPtr<()>; WIDTH],
    bag: AtomicPtr<Bag>,
    next: AtomicPtr<Leaf>,
    prev: AtomicPtr<Leaf>,
    parent: AtomicPtr<Node>,
    low: AtomicU64,
    live: AtomicU32,
    era: AtomicU32,
}

#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(size_of::<Leaf>() == 320);
#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(std::mem::offset_of!(Leaf, era) + size_of::<u32>() == size_of::<Leaf>());

/// An entry of a leaf at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'g> {
    pub(crate) slice: u64,
    pub(crate) kind: Kind,
    /// The key's bytes after the slice; empty unless the kind is `SUFFIX`.
    pub(crate) suffix: Suffix<'g>,
    word: *mut (),
}

impl<'g> Entry<'g> {
    /// Makes an entry for the rest of `key` in this layer; its value is zero.
    pub(crate) fn new(key: &Key<'g>) -> Self {
        Self {
            slice: key.slice(),
            kind: key.kind(),
            suffix: Suffix::Bytes(key.suffix()),
            word: std::ptr::null_mut(),
        }
    }

    /// Replaces the value.
    pub(crate) fn with_value(self, value: u64) -> Self {
        debug_assert_ne!(self.kind, LAYER);
        Self {
            word: word_of(value),
            ..self
        }
    }

    /// Makes an entry that links to the layer with this root.
    pub(crate) fn link(slice: u64, root: NodeRef<'g>) -> Self {
        Self {
            slice,
            kind: LAYER,
            suffix: Suffix::NONE,
            word: root.as_ptr().cast(),
        }
    }

    /// The value; the kind is not `LAYER`.
    pub(crate) fn value(&self) -> u64 {
        debug_assert_ne!(self.kind, LAYER);
        value_of(self.word)
    }

    /// The root of the layer that the entry links to; `None` if it is no link.
    pub(crate) fn layer(&self) -> Option<NodeRef<'g>> {
        if self.kind != LAYER {
            return None;
        }
        // SAFETY: kind and word of an `Entry` belong together.
        Some(unsafe { layer_at(self.word) })
    }
}

/// The root of the layer to which a link's word points.
///
/// # Safety
/// The word was that of a link at a moment when the guard for `'g` was held: it points to a
/// root that is reachable, or was retired after the guard was entered.
#[inline]
unsafe fn layer_at<'g>(word: *mut ()) -> NodeRef<'g> {
    // SAFETY: by contract; links are never null.
    unsafe { NodeRef::new(std::ptr::NonNull::new_unchecked(word.cast::<Node>())) }
}

/// The bit of the live slots' word that says whether the leaf has tails.
const TAILED: u32 = 1 << 31;

/// The bits of the live slots' word that say what the leaf's form is.
const FORM: u32 = TAILED | references::REFERRING;

/// The mark of a slot that is not live: equal to no mark that a search looks for.
const VACANT: u8 = (1 << KIND_BITS) - 1;

/// What a search for a write has found in an unlocked leaf.
pub(crate) enum FoundSlot<'g> {
    Absent,
    /// The key's value, in this slot.
    Value(usize),
    Layer(NodeRef<'g>),
}

/// Returns the mark of an entry with this kind and suffix, unless the suffix is a tail.
#[inline]
fn mark_of(kind: Kind, suffix: &[u8]) -> u8 {
    match kind {
        SUFFIX => IN_BAG | kind | tag(suffix) << KIND_BITS,
        _ => kind,
    }
}

/// Returns the kind of an entry with this mark.
#[inline]
fn kind_in(mark: u8) -> Kind {
    mark & ((1 << KIND_BITS) - 1)
}

/// Removes and returns the lowest slot of `slots`, a mask with one bit for each.
#[inline]
fn take_lowest(slots: &mut u32) -> Option<usize> {
    let slot = slots.trailing_zeros() as usize;
    if *slots == 0 {
        return None;
    }
    *slots &= *slots - 1;
    debug_assert!(slot < WIDTH);
    // SAFETY: private to this module, whose masks are those of `Search` or parts of them, and
    // `Search` sets no bit from `WIDTH` on.
    unsafe { std::hint::assert_unchecked(slot < WIDTH) };
    Some(slot)
}

fn word_of(value: u64) -> *mut () {
    std::ptr::without_provenance_mut(value as usize)
}

fn value_of(word: *mut ()) -> u64 {
    word.addr() as u64
}

/// The result of searching a leaf for a key.
pub(crate) enum Found<'g> {
    Absent,
    Value(u64),
    /// The key continues in the layer with this root.
    Layer(NodeRef<'g>),
}

impl Leaf {
    /// Returns a locked, empty leaf without neighbours, for the caller to fill.
    pub(crate) fn new() -> Self {
        Self {
            head: Head::new(Self::NEW, 0),
            permutation: AtomicU64::new(Permutation::EMPTY.word()),
            marks: std::array::from_fn(|_| AtomicU8::new(0)),
            words: std::array::from_fn(|_| AtomicPtr::new(std::ptr::null_mut())),
            bag: AtomicPtr::new(std::ptr::null_mut()),
            next: AtomicPtr::new(std::ptr::null_mut()),
            prev: AtomicPtr::new(std::ptr::null_mut()),
            parent: AtomicPtr::new(std::ptr::null_mut()),
            low: AtomicU64::new(0),
            live: AtomicU32::new(0),
            era: AtomicU32::new(Era::FIRST.number()),
        }
    }

    #[inline]
    pub(crate) fn permutation(&self) -> Permutation {
        // Acquire: pairs with the store in `publish`; the slots that the permutation names
        // are written.
        Permutation::from_word(self.permutation.load(Line::PermutationAcquires.acquire()))
    }

    /// The live slots, one bit each, and the bits of [`FORM`]. Exact under the lock.
    #[inline]
    fn live(&self) -> u32 {
        self.live.load(Ordering::Relaxed)
    }

    /// The live slots, one bit each. Exact under the lock.
    pub(crate) fn live_slots(&self) -> u32 {
        self.live() & !FORM
    }

    /// Sets the era of a leaf that is not published yet.
    pub(crate) fn set_era(&self, era: Era) {
        self.era.store(era.number(), Ordering::Relaxed);
    }

    /// The era of the tree to which the leaf belongs.
    #[inline]
    pub(crate) fn era(&self) -> Era {
        Era::of_number(self.era.load(Ordering::Relaxed))
    }

    /// The smallest slice of this leaf's range, unless the leaf is its layer's first.
    #[inline]
    pub(crate) fn low(&self) -> u64 {
        self.low.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn next(&self) -> Option<&Leaf> {
        // SAFETY: null, or a leaf that may be read as long as this one; see the rules in `node`.
        unsafe { self.next.load(Ordering::SeqCst).as_ref() }
    }

    /// The range of this leaf; the caller owns its lock. (When a neighbour is deleted, the range
    /// may become larger without a change of this leaf.)
    pub(crate) fn range(&self) -> RangeInclusive<u64> {
        // The range of a layer's first leaf begins at 0. It may even end below the leaf's low: the
        // leaf got smaller slices when the leaves before it were deleted, and was then split
        // between these. A leaf that is the first stays the first.
        let low = self.prev().map_or(0, |_| self.low());
        let last = self.next().map_or(u64::MAX, |next| next.low() - 1);
        low..=last
    }

    #[inline]
    pub(crate) fn prev(&self) -> Option<&Leaf> {
        // SAFETY: null or a leaf that may be read as long as this one.
        unsafe { self.prev.load(Ordering::SeqCst).as_ref() }
    }

    #[inline]
    pub(crate) fn bag(&self) -> Option<BagRef<'_>> {
        let bag = std::ptr::NonNull::new(self.bag.load(Ordering::SeqCst))?;
        // SAFETY: bags are retired like nodes; see the rules in `node`.
        Some(unsafe { BagRef::new(bag) })
    }

    /// Prefetches the first lines of the suffix bag, if the leaf has one. With four lines
    /// instead of six, gets of 1,000,000 URLs were slower by 7 %; with eight, not faster.
    #[inline]
    pub(crate) fn prefetch_suffixes(&self) {
        let bag = self.bag.load(Ordering::Relaxed);
        // Prefetching null would make the processor walk the page table each time, for nothing.
        if !bag.is_null() {
            prefetch::<6>(bag.cast());
        }
    }

    /// Prefetches the lines to which the next suffix would be appended. The caller need not own the
    /// lock: another thread may append meanwhile.
    #[inline]
    pub(crate) fn prefetch_room(&self) {
        // Acquire: the bag's header is read.
        let bag = self.bag.load(Ordering::Acquire);
        // SAFETY: null or a bag, which is retired like nodes; see the rules in `node`.
        if let Some(bag) = unsafe { BagRef::at(bag) } {
            bag.prefetch_room();
        }
    }

    /// The slice in a slot. The caller owns the lock.
    #[inline]
    fn slice_in(&self, slot: usize) -> u64 {
        self.head.words[slot].load(Ordering::Relaxed)
    }

    #[inline]
    fn mark(&self, slot: usize) -> u8 {
        self.marks[slot].load(Ordering::Relaxed)
    }

    #[inline]
    fn kind(&self, slot: usize) -> Kind {
        kind_in(self.mark(slot))
    }

    #[inline]
    fn word(&self, slot: usize) -> *mut () {
        // SeqCst, since the word may point to a layer. It also pairs with the store of the
        // value, so that a thread that gets a value sees what the user wrote before the put.
        self.words[slot].load(Ordering::SeqCst)
    }

    /// The record of a slot in the leaf's bag.
    #[inline]
    fn record(&self, slot: usize) -> &[u8] {
        self.bag().and_then(|bag| bag.suffix(slot)).unwrap_or(&[])
    }

    fn entry(&self, slot: usize) -> Entry<'_> {
        let mark = self.mark(slot);
        let kind = kind_in(mark);
        perturb();
        Entry {
            slice: self.head.words[slot].load(Ordering::Relaxed),
            kind,
            suffix: if kind == SUFFIX {
                self.suffix(slot, mark)
            } else {
                Suffix::NONE
            },
            word: self.word(slot),
        }
    }
}

impl Leaf {
    /// The current value in a slot that held a value in a snapshot. The caller validates that the
    /// leaf has not changed since.
    #[inline]
    pub(crate) fn value_unvalidated(&self, slot: usize) -> u64 {
        value_of(self.word(slot))
    }

    /// Prefetches the first line of what the value in a slot points to. A hint: the slot may have another
    /// value by now, or none.
    #[inline]
    pub(crate) fn prefetch_value(&self, slot: usize) {
        prefetch::<1>(self.word(slot).cast_const().cast());
    }

    /// The values of a leaf that no thread changes any more, and that has no links.
    pub(crate) fn values(&self) -> impl Iterator<Item = u64> {
        let slots = self.permutation().slots();
        slots.map(|slot| value_of(self.words[slot].load(Ordering::Relaxed)))
    }

    /// Prefetches what the values of a leaf without links refer to.
    pub(crate) fn prefetch_values(&self) {
        let slots = self.permutation().slots();
        slots.for_each(|slot| self.prefetch_value(slot));
    }

    /// Whether a slot has the mark and the suffix of its entry, for `check`.
    pub(crate) fn is_marked(&self, slot: usize, entry: &Entry<'_>) -> bool {
        self.mark(slot) == self.mark_for(entry.kind, &entry.suffix)
            && (entry.kind != SUFFIX || self.has_suffix(slot, &entry.suffix))
    }
}

impl Lockable for Leaf {
    const NEW: Version = Version::NEW_LEAF;

    #[inline(always)]
    fn renew_zeroed(&self) {
        (self.permutation).store(Permutation::EMPTY.word(), Ordering::Relaxed);
        self.era.store(Era::FIRST.number(), Ordering::Relaxed);
    }

    #[inline]
    fn any(&self) -> NodeRef<'_> {
        NodeRef::from(self)
    }

    #[inline]
    fn version(&self) -> &VersionWord {
        &self.head.version
    }

    #[inline]
    fn parent_word(&self) -> &AtomicPtr<Node> {
        &self.parent
    }

    fn below_word(&self) -> &AtomicU8 {
        &self.marks[WIDTH]
    }
}
