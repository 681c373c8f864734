//! Tails: the short suffixes of a leaf, beside its other words.
//!
//! A *tailed* leaf is longer than others by a word for each slot, the slot's *tail*. A suffix of at
//! most eight bytes is the slot's tail, as a slice. Longer suffixes are in the leaf's bag, as in a
//! leaf without tails. The highest bit of a suffix's mark tells the two apart: it is set for a suffix
//! in a bag, and the bits between it and the kind are the suffix's tag; it is clear for a tail, and
//! these bits are the tail's length less one. So a search for a short suffix reads nothing but the
//! leaf, whose lines are all prefetched as soon as its address is known; a bag's lines can only be
//! prefetched after the leaf has come from memory. And an insert needs no room in a bag.
//!
//! **Protocol.** A tail is written and read like the slot's slice and mark: an insert stores it to a
//! free slot, and then publishes the slot by storing the permutation. The slot may get another tail
//! after its entry was removed. So a reader that has loaded a tail uses it only after it has
//! validated the version, and keeps a copy ([`Suffix::Tail`]), no reference. (A record in a bag
//! never changes, so readers may refer to it.)
//!
//! A *referring* leaf has references in its tails (see `references`).
//!
//! Whether a leaf has tails is decided when it is made, and never changes. Both kinds of leaves may
//! be neighbours; an entry that moves to a leaf of the other kind moves its suffix.

use std::cmp;
use std::mem::MaybeUninit;
use std::ops::Deref;

use super::references::{MAX_REFERRED, REFERRING, mark_of_reference, referred_len};
use super::{Leaf, TAILED, kind_in, mark_of};
use crate::index::key::{KIND_BITS, Kind, SLICE_LEN, SUFFIX, slice_of};
use crate::index::key_source::KeySource;
use crate::index::node::permutation::WIDTH;
use crate::index::node::suffix::BagRef;
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering};

/// The bit in the mark of a suffix that is in a bag.
pub(super) const IN_BAG: u8 = 1 << 7;

/// Where a leaf has the suffixes of its entries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Form {
    /// In its bag.
    Plain,
    /// Short ones are tails, others in its bag.
    Tailed,
    /// All but very long ones in its values (see `references`), the others in its bag.
    Referring,
}

impl Form {
    /// Returns the form of a new leaf that gets suffixes of these lengths, in a tree with these keys.
    pub(crate) fn of_new(keys: &KeySource, lengths: impl Iterator<Item = usize>) -> Self {
        let form = match keys.exists() {
            true => Self::Referring,
            false => Self::Tailed,
        };
        match lengths.filter(|&len| !form.bags(len)).count() >= MANY {
            true => form,
            false => Self::Plain,
        }
    }

    /// Whether a leaf of this form keeps a suffix of this length in its bag.
    #[inline]
    pub(crate) fn bags(self, len: usize) -> bool {
        match self {
            Self::Plain => true,
            Self::Tailed => !may_be_tail(len),
            Self::Referring => len > MAX_REFERRED,
        }
    }

    /// Whether leaves of this form are as long as those with tails.
    pub(crate) fn has_tails(self) -> bool {
        self != Self::Plain
    }
}

/// At least so many short suffixes make a new leaf a tailed one. With fewer, a bag takes less
/// memory than fifteen tails.
const MANY: usize = if cfg!(any(masstree_perturb, shuttle)) {
    1
} else {
    4
};

/// A leaf with tails.
#[repr(C)]
pub(in crate::index::node) struct TailedLeaf {
    pub(super) leaf: Leaf,
    tails: [AtomicU64; WIDTH],
}

#[cfg(not(any(loom, shuttle)))]
const _: () = assert!(size_of::<TailedLeaf>() == 448);

/// A key's bytes after its slice.
#[derive(Clone, Copy)]
pub(crate) enum Suffix<'g> {
    /// The bytes of a key, or a record in a bag.
    Bytes(&'g [u8]),
    /// A copy of a tail, and the suffix's length.
    Tail([u8; SLICE_LEN], u8),
}

impl Suffix<'_> {
    pub(super) const NONE: Self = Self::Bytes(&[]);

    /// Returns the suffix of a slot with this mark and this tail.
    #[inline]
    pub(super) fn of_tail(mark: u8, tail: u64) -> Self {
        Self::Tail(tail.to_be_bytes(), tail_len(mark) as u8)
    }
}

impl Deref for Suffix<'_> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Tail(bytes, len) => &bytes[..usize::from(*len)],
        }
    }
}

/// Whether the mark of an entry with a suffix is that of a tail. Only tailed leaves have such marks.
#[inline]
pub(super) fn marks_tail(mark: u8) -> bool {
    mark & IN_BAG == 0
}

/// The length of the suffix of an entry with this mark, that of a tail.
#[inline]
fn tail_len(mark: u8) -> usize {
    usize::from(mark >> KIND_BITS) + 1
}

/// Returns the mark of a tail of this length.
#[inline]
pub(super) fn mark_of_tail(len: usize) -> u8 {
    debug_assert!(len > 0 && may_be_tail(len));
    SUFFIX | (len as u8 - 1) << KIND_BITS
}

/// Whether a suffix of this length is a tail in a tailed leaf.
#[inline]
pub(crate) fn may_be_tail(len: usize) -> bool {
    len <= SLICE_LEN
}

impl TailedLeaf {
    /// As [`Leaf::new`].
    pub(in crate::index::node) fn new() -> Self {
        let leaf = Leaf::new();
        leaf.live.store(TAILED, Ordering::Relaxed);
        Self {
            leaf,
            tails: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Leaf {
    /// Makes a new leaf one with tails.
    ///
    /// # Safety
    /// The leaf is in a slot for a [`TailedLeaf`].
    pub(in crate::index::node) unsafe fn renew_tails(&self) {
        self.live.store(TAILED, Ordering::Relaxed);
        for tail in self.tails() {
            tail.store(0, Ordering::Relaxed);
        }
    }

    /// Whether this is a tailed leaf.
    #[inline]
    pub(crate) fn has_tails(&self) -> bool {
        // Relaxed: the bit never changes once another thread can reach the leaf.
        self.live() & TAILED != 0
    }

    /// The leaf's form.
    #[inline]
    pub(crate) fn form(&self) -> Form {
        match (self.has_tails(), self.is_referring()) {
            (false, _) => Form::Plain,
            (true, false) => Form::Tailed,
            (true, true) => Form::Referring,
        }
    }

    /// Whether this leaf keeps a suffix of this length as a tail or a reference, not in its bag.
    #[inline]
    pub(crate) fn keeps_as_tail(&self, len: usize) -> bool {
        let live = self.live();
        live & TAILED != 0 && (may_be_tail(len) || live & REFERRING != 0 && len <= MAX_REFERRED)
    }

    /// The tails of a tailed leaf.
    #[inline]
    fn tails(&self) -> &[AtomicU64; WIDTH] {
        debug_assert!(self.has_tails());
        // SAFETY: the leaf is the first field of a tailed leaf, in the same allocation.
        unsafe { &(*std::ptr::from_ref(self).cast::<TailedLeaf>()).tails }
    }

    /// Whether what a reader loaded from this leaf counts only if the version is unchanged: always,
    /// but in a model.
    #[inline(always)]
    pub(super) fn needs_validation(&self) -> bool {
        Line::TailsAreValidated.is_enabled() || !self.has_tails()
    }

    /// The tail of a slot of a tailed leaf.
    #[inline]
    pub(super) fn tail(&self, slot: usize) -> u64 {
        // Relaxed: as slices and marks.
        self.tails()[slot].load(Ordering::Relaxed)
    }

    /// Stores the tail of a free slot. The caller owns the lock.
    #[inline]
    pub(super) fn set_tail(&self, slot: usize, tail: u64) {
        self.tails()[slot].store(tail, Ordering::Relaxed);
    }

    /// The reference in a slot of a referring leaf.
    #[inline]
    pub(super) fn reference(&self, slot: usize) -> u64 {
        // Acquire: pairs with `set_reference`.
        self.tails()[slot].load(Ordering::Acquire)
    }

    /// Stores the reference of a free slot. The caller owns the lock.
    #[inline]
    pub(super) fn set_reference(&self, slot: usize, reference: u64) {
        // Release: a reader that loads the reference sees the bytes to which it refers.
        self.tails()[slot].store(reference, Ordering::Release);
    }

    /// Copies the tails of a tailed leaf. They may be read at different moments. Not inlined: with
    /// it, a scan's step would no longer inline `snapshot`, and take 3 % more instructions.
    #[inline(never)]
    pub(super) fn copy_tails(&self, to: &mut MaybeUninit<[u64; WIDTH]>) {
        let tails = self.tails();
        to.write(std::array::from_fn(|slot| {
            tails[slot].load(Ordering::Relaxed)
        }));
    }

    /// Returns the mark of an entry with this kind and suffix in this leaf.
    #[inline]
    pub(super) fn mark_for(&self, kind: Kind, suffix: &[u8]) -> u8 {
        match kind == SUFFIX && self.keeps_as_tail(suffix.len()) {
            true if self.is_referring() => mark_of_reference(suffix),
            true => mark_of_tail(suffix.len()),
            false => mark_of(kind, suffix),
        }
    }

    /// Whether an entry with this mark has a tail.
    #[inline]
    pub(super) fn is_tail(&self, mark: u8) -> bool {
        kind_in(mark) == SUFFIX && marks_tail(mark)
    }

    /// Whether the suffix of a slot's entry is in the bag.
    #[inline]
    pub(super) fn is_in_bag(&self, slot: usize) -> bool {
        let mark = self.mark(slot);
        kind_in(mark) == SUFFIX && !self.is_tail(mark)
    }

    /// The suffix of a slot with this mark, that of a suffix.
    #[inline]
    pub(super) fn suffix(&self, slot: usize, mark: u8) -> Suffix<'_> {
        match self.is_tail(mark) {
            true if self.is_referring() => Suffix::Bytes(self.referred(slot)),
            true => Suffix::of_tail(mark, self.tail(slot)),
            false => Suffix::Bytes(self.record(slot)),
        }
    }

    /// The length of the suffix in a slot of this leaf with this bag; `None` if its entry has none.
    /// Exact under the lock.
    #[inline]
    pub(super) fn suffix_len(&self, slot: usize, bag: Option<BagRef<'_>>) -> Option<usize> {
        let mark = self.mark(slot);
        if kind_in(mark) != SUFFIX {
            return None;
        }
        Some(match self.is_tail(mark) {
            true if self.is_referring() => referred_len(self.tail(slot)),
            true => tail_len(mark),
            false => bag.map_or(0, |bag| bag.suffix_len(slot)),
        })
    }

    /// Compares the suffix of a slot with this mark, that of a suffix, with another one.
    #[inline]
    pub(super) fn compare_suffix(&self, slot: usize, mark: u8, other: &[u8]) -> cmp::Ordering {
        if !self.is_tail(mark) {
            return self.record(slot).cmp(other);
        }
        if self.is_referring() {
            return self.referred(slot).cmp(other);
        }
        let (tail, len) = (self.tail(slot), tail_len(mark));
        match may_be_tail(other.len()) {
            // Of two suffixes with the same slice, one is the other and zeros.
            true => (tail, len).cmp(&(slice_of(other), other.len())),
            false => tail.to_be_bytes()[..len].cmp(other),
        }
    }

    /// Whether a slot whose mark is that of a suffix has this suffix.
    #[inline]
    pub(super) fn has_suffix(&self, slot: usize, suffix: &[u8]) -> bool {
        if self.keeps_as_tail(suffix.len()) {
            return match self.is_referring() {
                true => self.referred(slot) == suffix,
                false => self.tail(slot) == slice_of(suffix),
            };
        }
        self.record(slot) == suffix
    }
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::index::key::Key;
    use crate::index::node::leaf::Entry;
    use crate::index::node::{Entries, Found, Locked, Portable};
    use crate::protocol::Line;
    use crate::protocol::models::check;

    /// Two keys that differ only in their tails.
    const A: &[u8] = b"a slice.A";
    const B: &[u8] = b"a slice.B";

    /// A published leaf with the value 1 under A.
    fn leaf_with_a() -> Arc<TailedLeaf> {
        let tailed = Arc::new(TailedLeaf::new());
        Locked::private(&tailed.leaf).insert(
            0,
            &Entry::new(&Key::new(A)).with_value(1),
            &KeySource::NONE,
        );
        tailed
    }

    /// Known failure 17: a search that saw a slot live takes no other key's value for its own key's.
    #[test]
    fn a_search_of_a_reused_slot_finds_no_other_value() {
        let lines = [Line::PermutationCounts];
        check(&lines, || while_a_slot_is_reused(search));
    }

    /// As [`a_search_of_a_reused_slot_finds_no_other_value`], for the slot's new key.
    #[test]
    fn a_search_of_a_reused_slot_finds_no_other_tail() {
        let lines = [Line::FenceAfterLock, Line::TailsAreValidated];
        check(&lines, || while_a_slot_is_reused(search_new));
    }

    /// As [`a_search_of_a_reused_slot_finds_no_other_value`], for snapshots.
    #[test]
    fn a_snapshot_of_a_reused_slot_has_one_tail() {
        let lines = [
            Line::PermutationCounts,
            Line::FenceAfterLock,
            Line::FenceBeforeValidation,
            Line::TailsAreValidated,
        ];
        check(&lines, || while_a_slot_is_reused(snapshot));
    }

    /// A search that finds a new slot live also finds its tail.
    #[test]
    fn a_search_finds_the_tail_of_a_new_slot() {
        let lines = [Line::PermutationReleases, Line::PermutationAcquires];
        check(&lines, || {
            while_a_slot_is_added(|leaf| {
                search(leaf);
                search_new(leaf);
            })
        });
    }

    /// Reads the leaf while another thread replaces A by B in a slot.
    fn while_a_slot_is_reused(read: fn(&Leaf)) {
        while_another(read, |leaf| {
            Locked::lock(leaf).remove(0);
            Locked::lock(leaf).insert(0, &Entry::new(&Key::new(B)).with_value(2), &KeySource::NONE);
        });
    }

    /// Reads the leaf while another thread adds B.
    fn while_a_slot_is_added(read: fn(&Leaf)) {
        while_another(read, |leaf| {
            Locked::lock(leaf).insert(1, &Entry::new(&Key::new(B)).with_value(2), &KeySource::NONE);
        });
    }

    fn while_another(read: fn(&Leaf), write: fn(&Leaf)) {
        loom::model(move || {
            let tailed = leaf_with_a();
            let writer = {
                let tailed = tailed.clone();
                thread::spawn(move || write(&tailed.leaf))
            };
            read(&tailed.leaf);
            writer.join().unwrap();
        });
    }

    /// Asserts that a search for A, if it finds something, finds A's value.
    fn search(leaf: &Leaf) {
        let version = leaf.head.version.stable();
        match leaf.search::<Portable>(version, &Key::new(A)) {
            Some(Found::Value(seen)) => assert_eq!(seen, 1),
            Some(Found::Layer(_)) => unreachable!("the model has no layers"),
            Some(Found::Absent) | None => {}
        }
    }

    /// Asserts that a search for B, if it finds something, finds B's value.
    fn search_new(leaf: &Leaf) {
        let version = leaf.head.version.stable();
        if let Some(Found::Value(seen)) = leaf.search::<Portable>(version, &Key::new(B)) {
            assert_eq!(seen, 2);
        }
    }

    /// Asserts that each key in a snapshot has its value.
    fn snapshot(leaf: &Leaf) {
        let version = leaf.head.version.stable();
        let mut entries = Entries::new();
        if leaf.snapshot::<Portable>(version, &mut entries).is_none() {
            return;
        }
        for entry in entries.iter() {
            let suffix = &*entry.suffix;
            let expected = [(&A[SLICE_LEN..], 1), (&B[SLICE_LEN..], 2)];
            assert!(expected.contains(&(suffix, entry.value())), "{suffix:?}");
        }
    }
}
