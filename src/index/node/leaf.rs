//! Leaves: up to 15 entries of one layer, and links to the leaves beside.
//!
//! ```text
//! byte   0   version
//!        8   15 slices
//!      128   permutation
//!      136   15 marks, one byte spare: the kind, and above it the tag of a suffix
//!      152   15 value words: the user's, or the root of a layer
//!      272   suffix bag
//!      280   next leaf
//!      288   previous leaf
//!      296   parent (see `Lockable::parent_word`)
//!      304   low: no smaller slice belongs here, unless the leaf is its layer's
//!            first; never changes
//!      312   live slots, a bit for each: what the permutation says, for the lock's owner
//!      316   era of the tree (see `memory::keys`); never changes
//! ```
//!
//! A leaf holds the slices from its low up to the low of the next leaf. The first
//! leaf of a layer holds everything below the low of the next, whatever its own
//! low: it may have become the first when those before it were emptied. Entries with equal slices are
//! always in one leaf: at most nine that end within the slice, of lengths 0 to 8, and
//! what goes on beyond it. That is a *group* of at most [`GROUP_MAX`] entries with
//! suffixes, in their order; or, once they were more, one link to a layer that has them
//! all. So of sixteen entries two have different slices, and a full leaf can be split.
//!
//! **Reading.** [`Leaf::search`] and [`Leaf::snapshot`] load the permutation
//! (acquire), then slots it names, then validate against a version taken before.
//! The linearization point of a read is the load of the permutation, or, for a
//! present key, of its value word.
//!
//! **Changing.** An insert writes a free slot and publishes it by storing the
//! permutation; a remove only stores the permutation. Both grow the version's
//! count as the lock is let go. That store of the permutation is their
//! linearization point; for an overwrite it is the store of the value word.
//! Turning a group into a link to a layer, and splitting, change several words
//! and are made under DIRTY.
//!
//! `next` and, in the leaf after, `prev` are owned by this leaf's lock. `prev` is
//! thus owned by the lock of the leaf it names.

mod change;
mod entries;
#[cfg(all(test, loom))]
mod models;

pub(crate) use change::KeyPosition;
pub(crate) use entries::{Entries, Neighbours};
pub(super) use entries::{Image, copy_portably};

use super::Lockable;
use super::link::{Node, NodeRef, prefetch};
use super::permutation::{Permutation, WIDTH};
use super::search::{Head, Search};
use super::suffix::{Bag, BagRef};
use super::version::{Version, VersionWord};
use crate::index::key::{Key, Kind, LAYER, SLICE_LEN, SUFFIX, TAG_BITS, tag};
use crate::index::memory::Era;
use crate::protocol::Line;
use crate::sync::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering, perturb};

/// Entries with suffixes that a leaf has under one slice at most. Where races are
/// looked for, groups are small, so that they turn into layers often.
///
/// A layer of one leaf costs 320 bytes. Measured with 3,000,000 URLs of 70 bytes, of which
/// some three have their first 50 bytes in common, bytes a key: 1: 140, 3: 96, 4: 85, 6: 74.
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

/// An entry of a leaf, as it was at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'g> {
    pub(crate) slice: u64,
    pub(crate) kind: Kind,
    /// What the key has beyond the slice; empty unless the kind is `SUFFIX`.
    pub(crate) suffix: &'g [u8],
    word: *mut (),
}

impl<'g> Entry<'g> {
    /// A new entry for what `key` has left in this layer; its value is zero.
    pub(crate) fn new(key: &Key<'g>) -> Self {
        Self {
            slice: key.slice(),
            kind: key.kind(),
            suffix: key.suffix(),
            word: std::ptr::null_mut(),
        }
    }

    /// The entry with another value.
    pub(crate) fn with_value(self, value: u64) -> Self {
        debug_assert_ne!(self.kind, LAYER);
        Self {
            word: word_of(value),
            ..self
        }
    }

    /// A new entry that links to the layer below.
    pub(crate) fn link(slice: u64, root: NodeRef<'g>) -> Self {
        Self {
            slice,
            kind: LAYER,
            suffix: &[],
            word: root.as_ptr().cast(),
        }
    }

    /// The value; the kind is not `LAYER`.
    pub(crate) fn value(&self) -> u64 {
        debug_assert_ne!(self.kind, LAYER);
        value_of(self.word)
    }

    /// The root of the layer that the entry links to, if it does.
    pub(crate) fn layer(&self) -> Option<NodeRef<'g>> {
        if self.kind != LAYER {
            return None;
        }
        // SAFETY: an `Entry` is only made of words that belong together.
        Some(unsafe { layer_at(self.word) })
    }
}

/// The root of the layer that a link's word leads to.
///
/// # Safety
/// The word was that of a link at a moment when the guard for `'g` was held: it leads to a
/// root, living or retired after the guard was entered.
#[inline]
unsafe fn layer_at<'g>(word: *mut ()) -> NodeRef<'g> {
    // SAFETY: by contract; links are never null.
    unsafe { NodeRef::new(std::ptr::NonNull::new_unchecked(word.cast::<Node>())) }
}

/// The mark of a slot that is not live, whatever it held.
const VACANT: u8 = (1 << TAG_BITS) - 1;

/// What an entry's mark is.
#[inline]
fn mark_of(kind: Kind, suffix: &[u8]) -> u8 {
    match kind {
        SUFFIX => kind | tag(suffix) << TAG_BITS,
        _ => kind,
    }
}

/// The kind of an entry with this mark.
#[inline]
fn kind_in(mark: u8) -> Kind {
    mark & ((1 << TAG_BITS) - 1)
}

/// Takes the first of some slots, a bit for each.
#[inline]
fn next_of(slots: &mut u32) -> Option<usize> {
    let slot = slots.trailing_zeros() as usize;
    if *slots == 0 {
        return None;
    }
    *slots &= *slots - 1;
    // SAFETY: no way to search sets more bits.
    unsafe { std::hint::assert_unchecked(slot < WIDTH) };
    Some(slot)
}

fn word_of(value: u64) -> *mut () {
    std::ptr::without_provenance_mut(value as usize)
}

fn value_of(word: *mut ()) -> u64 {
    word.addr() as u64
}

/// What a leaf knows of a key.
pub(crate) enum Found<'g> {
    Absent,
    Value(u64),
    /// The key goes on in the layer with this root.
    Layer(NodeRef<'g>),
}

impl Leaf {
    /// A locked, empty leaf that links to nothing, for its maker to fill.
    pub(crate) fn new() -> Self {
        Self {
            head: Head::new(Version::NEW_LEAF, 0),
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
        // Acquire: pairs with the store in `publish`; what the permutation names
        // is there.
        Permutation::from_word(self.permutation.load(Line::PermutationAcquires.acquire()))
    }

    /// The live slots, a bit for each. Exact under the lock.
    #[inline]
    pub(crate) fn live(&self) -> u32 {
        self.live.load(Ordering::Relaxed)
    }

    /// Makes a leaf that its maker has not published yet part of the tree of an era.
    pub(crate) fn set_era(&self, era: Era) {
        self.era.store(era.number(), Ordering::Relaxed);
    }

    /// The era of the tree that the leaf is part of.
    #[inline]
    pub(crate) fn era(&self) -> Era {
        Era::of_number(self.era.load(Ordering::Relaxed))
    }

    /// No smaller slice belongs to this leaf, unless it is the first.
    #[inline]
    pub(crate) fn low(&self) -> u64 {
        self.low.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn next(&self) -> Option<&Leaf> {
        // SAFETY: null or a leaf that may be read as long as this one; see the
        // room's rules.
        unsafe { self.next.load(Ordering::SeqCst).as_ref() }
    }

    #[inline]
    pub(crate) fn prev(&self) -> Option<&Leaf> {
        // SAFETY: as `next`.
        unsafe { self.prev.load(Ordering::SeqCst).as_ref() }
    }

    #[inline]
    pub(crate) fn bag(&self) -> Option<BagRef<'_>> {
        let bag = std::ptr::NonNull::new(self.bag.load(Ordering::SeqCst))?;
        // SAFETY: bags are retired like nodes; see the room's rules.
        Some(unsafe { BagRef::new(bag) })
    }

    /// Asks for the first lines of the suffix bag, if there is one, before they are needed.
    #[inline]
    pub(crate) fn prefetch_suffixes(&self) {
        let bag = self.bag.load(Ordering::Relaxed);
        // The processor would look for the page of a null pointer, each time in vain.
        if !bag.is_null() {
            prefetch::<4>(bag.cast());
        }
    }

    /// Looks a key up; `None` if the leaf changed since `version`.
    #[inline(always)]
    pub(crate) fn search<S: Search>(&self, version: Version, key: &Key<'_>) -> Option<Found<'_>> {
        if key.has_suffix() {
            self.search_long::<S>(version, key)
        } else {
            let value = self.search_short::<S>(version, key)?;
            Some(value.map_or(Found::Absent, Found::Value))
        }
    }

    /// `search` for a key that ends in its slice: its value, if it is there.
    #[inline(always)]
    pub(crate) fn search_short<S: Search>(
        &self,
        version: Version,
        key: &Key<'_>,
    ) -> Option<Option<u64>> {
        debug_assert!(!key.has_suffix());
        let permutation = self.permutation();
        perturb();
        let mut slots = S::equal_mask(&self.head, key.slice());
        let mut value = None;
        while let Some(slot) = next_of(&mut slots) {
            if self.mark(slot) == key.kind() && permutation.is_live(slot) {
                value = Some(value_of(self.word(slot)));
                break;
            }
        }
        self.head.version.validate(version).then_some(value)
    }

    /// `search` for a key that goes on beyond its slice.
    ///
    /// Nearly always there is one slot with the slice, or a group; a link most often, for
    /// a key has one on its way in every layer but the last.
    #[inline(always)]
    pub(crate) fn search_long<S: Search>(
        &self,
        version: Version,
        key: &Key<'_>,
    ) -> Option<Found<'_>> {
        debug_assert!(key.has_suffix());
        let permutation = self.permutation();
        perturb();
        let mut slots = S::equal_mask(&self.head, key.slice());
        let mut found = None;
        while let Some(slot) = next_of(&mut slots) {
            let mark = self.mark(slot);
            if mark == LAYER && permutation.is_live(slot) {
                found = Some((LAYER, self.word(slot)));
                break;
            }
            if kind_in(mark) == SUFFIX {
                found = self.search_group_unvalidated(slot, slots, permutation, key);
                break;
            }
        }
        if !self.head.version.validate(version) {
            return None;
        }
        Some(match found {
            None => Found::Absent,
            // SAFETY: kind and word belong together, for the version is what it was.
            Some((LAYER, root)) => Found::Layer(unsafe { layer_at(root) }),
            Some((_, word)) => Found::Value(value_of(word)),
        })
    }

    /// Kind and word of the entry that a key leads to, its own or a link, among some slots
    /// with its slice, the first of which has or had a suffix. Of different moments unless
    /// the version is validated after.
    #[inline(always)]
    fn search_group_unvalidated(
        &self,
        first: usize,
        mut others: u32,
        permutation: Permutation,
        key: &Key<'_>,
    ) -> Option<(Kind, *mut ())> {
        let suffix = key.suffix();
        let wanted = mark_of(SUFFIX, suffix);
        let mut slot = first;
        loop {
            let mark = self.mark(slot);
            if mark == wanted && permutation.is_live(slot) && self.suffix(slot) == suffix {
                return Some((SUFFIX, self.word(slot)));
            }
            // What had a suffix may not be live any more.
            if mark == LAYER && permutation.is_live(slot) {
                return Some((LAYER, self.word(slot)));
            }
            slot = next_of(&mut others)?;
        }
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
        // SeqCst, since the word may lead to a layer. It also pairs with the
        // store of the value, so that what the user wrote before a put is there
        // after a get.
        self.words[slot].load(Ordering::SeqCst)
    }

    #[inline]
    fn suffix(&self, slot: usize) -> &[u8] {
        self.bag().and_then(|bag| bag.suffix(slot)).unwrap_or(&[])
    }

    fn entry(&self, slot: usize) -> Entry<'_> {
        let kind = self.kind(slot);
        perturb();
        Entry {
            slice: self.head.words[slot].load(Ordering::Relaxed),
            kind,
            suffix: if kind == SUFFIX {
                self.suffix(slot)
            } else {
                &[]
            },
            word: self.word(slot),
        }
    }
}

impl Leaf {
    /// The value that the entry in a slot has now, which held one in a snapshot: if the leaf
    /// has not changed since, which is the caller's to ask.
    #[inline]
    pub(crate) fn value_unvalidated(&self, slot: usize) -> u64 {
        value_of(self.word(slot))
    }

    /// Whether an entry of a snapshot has the mark in its slot that its suffix asks for, for
    /// `check`.
    pub(crate) fn is_marked(&self, slot: usize, entry: &Entry<'_>) -> bool {
        self.mark(slot) == mark_of(entry.kind, entry.suffix)
    }
}

impl Lockable for Leaf {
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
}
