//! Suffix bags: the bytes of a leaf's keys after their slices.
//!
//! A bag is one allocation: a header ([`Bag`]), then records. A record is a length and that many
//! bytes. The header holds each slot's offset in units of `1 << shift` bytes, so that 16 bits
//! suffice for any size: small bags are packed to the byte, and a bag of gigabytes wastes less
//! than a thousandth.
//!
//! **Protocol.** The owner of the leaf's lock only appends records. A record's bytes are
//! written before the release store of its offset, and never again. So a thread that loads an
//! offset (acquire) may read the record as plain memory for as long as the bag lives, even if
//! the slot has been reused for another key: then the result is stale, which validating the
//! leaf's version reveals. When a bag has no room, the live records are copied to a new bag, and
//! the old one is retired.

use std::alloc::Layout;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::link::prefetch_for_write;
use super::permutation::WIDTH;
use crate::index::memory::{Memory, block_size};
use crate::protocol::Line;
use crate::sync::{AtomicU16, Ordering};

/// Offset of a slot without a record; no record begins there.
const NONE: u16 = u16::MAX;

/// A bag with at least this many bytes of records is large: it is replaced when it is wasteful.
const LARGE: usize = 4096;

#[repr(C, align(4))]
pub(crate) struct Bag {
    shape: Shape,
    /// Units in use; without the lock, only a hint.
    used: AtomicU16,
    offsets: [AtomicU16; WIDTH],
}

/// The offsets of a bag's records at one moment, slot by slot.
pub(crate) struct Offsets([u16; WIDTH]);

impl Offsets {
    pub(crate) const NONE: Self = Self([NONE; WIDTH]);
}

/// The size of a bag.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub(crate) struct Shape {
    /// Bytes for records, in units.
    units: u16,
    /// A unit is `1 << shift` bytes.
    shift: u8,
}

impl Shape {
    /// Returns [`Self::for_records`] of this many records with this total length, if units are bytes.
    #[inline]
    pub(crate) fn in_bytes(records: usize, total: usize) -> Option<Self> {
        let need = records * Self::prefix(0) + total;
        (need < usize::from(NONE)).then(|| {
            Self {
                units: need as u16,
                shift: 0,
            }
            .rounded_up()
        })
    }

    /// Returns the smallest shape with room for records of these lengths.
    pub(crate) fn for_records(lens: impl Iterator<Item = usize> + Clone) -> Self {
        let mut shift = 0;
        loop {
            let need: u64 = lens.clone().map(|len| Self::units_of(len, shift)).sum();
            if need < u64::from(NONE) {
                return Self {
                    units: need as u16,
                    shift,
                }
                .rounded_up();
            }
            // Ends: fifteen lengths below 2^32 need fewer than 2^16 units of 2^20
            // bytes.
            shift += 1;
        }
    }

    /// Enlarges the shape to the usable size of its allocation: a block of the tree's pool or, for
    /// larger bags, a chunk of glibc's malloc, whose usable sizes are 8 more than a multiple of 16.
    fn rounded_up(self) -> Self {
        let size = size_of::<Bag>() + self.bytes();
        let padded = block_size(size).unwrap_or((size + 8).next_multiple_of(16) - 8);
        let units = (padded - size_of::<Bag>()) >> self.shift;
        Self {
            units: units.min(usize::from(NONE) - 1) as u16,
            ..self
        }
    }

    fn bytes(self) -> usize {
        usize::from(self.units) << self.shift
    }

    /// Size of a record's length field in bytes.
    fn prefix(shift: u8) -> usize {
        if shift == 0 { 2 } else { 4 }
    }

    /// Size of a record in units.
    fn units_of(len: usize, shift: u8) -> u64 {
        ((Self::prefix(shift) + len) as u64).div_ceil(1 << shift)
    }

    fn layout(self) -> Option<Layout> {
        Layout::from_size_align(size_of::<Bag>() + self.bytes(), align_of::<Bag>()).ok()
    }

    /// Whether all records that fit into a bag of the other shape fit into this one.
    pub(crate) fn contains(self, other: Self) -> bool {
        self.shift == other.shift && self.units >= other.units
    }
}

/// A bag that may be read for `'g`.
#[derive(Clone, Copy)]
pub(crate) struct BagRef<'g> {
    bag: NonNull<Bag>,
    pinned: PhantomData<&'g Bag>,
}

impl<'g> BagRef<'g> {
    /// # Safety
    /// The bag lives for `'g`.
    pub(crate) unsafe fn new(bag: NonNull<Bag>) -> Self {
        Self {
            bag,
            pinned: PhantomData,
        }
    }

    fn header(self) -> &'g Bag {
        // SAFETY: the bag lives for 'g; its shape never changes and the rest is
        // atomic.
        unsafe { self.bag.as_ref() }
    }

    fn records(self) -> *mut u8 {
        // SAFETY: the records follow the header in the same allocation.
        unsafe { self.bag.as_ptr().add(1).cast() }
    }

    /// The bag to which a leaf's word points.
    ///
    /// # Safety
    /// Null, or a bag that lives for `'g`.
    #[inline]
    pub(crate) unsafe fn at(word: *mut Bag) -> Option<Self> {
        // SAFETY: by contract.
        NonNull::new(word).map(|bag| unsafe { Self::new(bag) })
    }

    /// The suffix of a slot, if the slot has a record in this bag.
    #[inline]
    pub(crate) fn suffix(self, slot: usize) -> Option<&'g [u8]> {
        // Acquire: pairs with the store in `append`.
        let offset = self.header().offsets[slot].load(Ordering::Acquire);
        self.record(offset)
    }

    /// Loads the offsets of all records.
    #[inline]
    pub(crate) fn offsets(self) -> Offsets {
        let offsets = &self.header().offsets;
        // Acquire: as in `suffix`.
        Offsets(std::array::from_fn(|slot| {
            offsets[slot].load(Ordering::Acquire)
        }))
    }

    /// The suffix that a slot had when `offsets` was loaded from this bag.
    #[inline]
    pub(crate) fn suffix_at(self, offsets: &Offsets, slot: usize) -> Option<&'g [u8]> {
        self.record(offsets.0[slot])
    }

    #[inline]
    fn record(self, offset: u16) -> Option<&'g [u8]> {
        if offset == NONE {
            return None;
        }
        let shift = self.header().shape.shift;
        // SAFETY: the record was written before its offset was stored, lies within the bag, and is
        // never written again.
        unsafe {
            let record = self.records().add(usize::from(offset) << shift);
            let len = if shift == 0 {
                usize::from(record.cast::<u16>().read_unaligned())
            } else {
                record.cast::<u32>().read_unaligned() as usize
            };
            debug_assert!(
                (usize::from(offset) << shift) + Shape::prefix(shift) + len
                    <= self.header().shape.bytes(),
                "a record lies within its bag"
            );
            Some(std::slice::from_raw_parts(
                record.add(Shape::prefix(shift)),
                len,
            ))
        }
    }

    /// Whether one more record of this length fits.
    pub(crate) fn has_room(self, len: usize) -> bool {
        self.fits_with(len, self.header().shape)
    }

    /// Whether all records, and one more of this length, fit into a bag of this shape. Only the lock's
    /// owner asks.
    pub(crate) fn fits_with(self, len: usize, shape: Shape) -> bool {
        let header = self.header();
        let used = u64::from(header.used.load(Ordering::Relaxed));
        header.shape.shift == shape.shift
            && used + Shape::units_of(len, shape.shift) <= u64::from(shape.units)
    }

    /// The length of a slot's suffix; 0 if the slot has no record.
    #[inline]
    pub(crate) fn suffix_len(self, slot: usize) -> usize {
        self.suffix(slot).map_or(0, <[u8]>::len)
    }

    /// Prefetches the two lines in which the next record will begin, for writing.
    #[inline]
    pub(crate) fn prefetch_room(self) {
        let header = self.header();
        let used = usize::from(header.used.load(Ordering::Relaxed)) << header.shape.shift;
        prefetch_for_write::<2>(self.records().wrapping_add(used));
    }

    /// Whether the bag is large enough to be replaced when it is wasteful.
    pub(crate) fn is_large(self) -> bool {
        self.header().shape.bytes() >= LARGE
    }

    /// Whether the bag is large, and records of live entries, with suffixes of the lengths `live`,
    /// take less than half of it.
    pub(crate) fn is_wasteful(self, live: impl Iterator<Item = usize>) -> bool {
        if !self.is_large() {
            return false;
        }
        let Shape { units, shift } = self.header().shape;
        live.map(|len| Shape::units_of(len, shift)).sum::<u64>() < u64::from(units / 2)
    }

    /// Appends a slot's suffix.
    ///
    /// # Safety
    /// The bag has room for the suffix, and the caller owns its leaf's lock, or the bag is not
    /// published.
    pub(crate) unsafe fn append(self, slot: usize, suffix: &[u8]) {
        debug_assert!(self.has_room(suffix.len()));
        let header = self.header();
        let shift = header.shape.shift;
        let used = header.used.load(Ordering::Relaxed);
        if !Line::RecordBeforeOffset.is_enabled() {
            header.offsets[slot].store(used, Ordering::Release);
            // Lets a model run another thread here.
            for _ in 0..200 {
                header.used.load(Ordering::Relaxed);
            }
        }
        // SAFETY: there is room, and no offset points there yet, so no thread reads
        // these bytes.
        unsafe {
            let record = self.records().add(usize::from(used) << shift);
            if shift == 0 {
                record.cast::<u16>().write_unaligned(suffix.len() as u16);
            } else {
                record.cast::<u32>().write_unaligned(suffix.len() as u32);
            }
            let bytes = record.add(Shape::prefix(shift));
            bytes.copy_from_nonoverlapping(suffix.as_ptr(), suffix.len());
        }
        header.used.store(
            used + Shape::units_of(suffix.len(), shift) as u16,
            Ordering::Relaxed,
        );
        // Release: a thread that loads the offset sees the whole record.
        header.offsets[slot].store(used, Ordering::Release);
    }

    /// # Safety
    /// The bag came from this memory, and no thread uses it any more.
    pub(crate) unsafe fn free(self, memory: &Memory) {
        let layout = self
            .header()
            .shape
            .layout()
            .expect("it was allocated with this layout");
        // SAFETY: by contract.
        unsafe { memory.free_bag(self.bag.cast(), layout) };
    }

    pub(crate) fn as_ptr(self) -> *mut Bag {
        self.bag.as_ptr()
    }

    /// The size of its allocation, in bytes.
    pub(crate) fn size(self) -> usize {
        size_of::<Bag>() + self.header().shape.bytes()
    }
}

/// A bag to which no node points yet; dropping it frees it.
pub(crate) struct OwnedBag<'m> {
    bag: BagRef<'m>,
    memory: &'m Memory,
}

impl<'m> OwnedBag<'m> {
    /// Returns an empty bag, or `None` when out of memory.
    pub(crate) fn new(memory: &'m Memory, shape: Shape) -> Option<Self> {
        let bag = memory.allocate_bag(shape.layout()?)?.cast::<Bag>();
        // SAFETY: freshly allocated with room for a header; it lives until it is
        // freed here or, once published, through its leaf.
        unsafe {
            bag.write(Bag {
                shape,
                used: AtomicU16::new(0),
                offsets: std::array::from_fn(|_| AtomicU16::new(NONE)),
            });
            // So a record that is read before it is written has an impossible length.
            #[cfg(shuttle)]
            bag.add(1).cast::<u8>().write_bytes(0xFF, shape.bytes());
            Some(Self {
                bag: BagRef::new(bag),
                memory,
            })
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        self.bag.header().shape
    }

    /// Appends a slot's suffix; the bag's shape has room for it.
    pub(crate) fn append(&self, slot: usize, suffix: &[u8]) {
        assert!(
            self.bag.has_room(suffix.len()),
            "a bag is made large enough"
        );
        // SAFETY: there is room, and no other thread has a pointer to the bag.
        unsafe { self.bag.append(slot, suffix) }
    }

    /// Copies the records of these slots, the live ones, from the bag of a leaf whose lock the caller
    /// owns. The bag is empty and has room.
    pub(crate) fn append_all(&self, from: BagRef<'_>, slots: impl Iterator<Item = usize> + Clone) {
        let (old, new) = (from.header(), self.bag.header());
        let shift = new.shape.shift;
        let used = old.used.load(Ordering::Relaxed);
        let has_all = || {
            let units = (slots.clone()).map(|slot| Shape::units_of(from.suffix_len(slot), shift));
            units.sum::<u64>() == u64::from(used)
        };
        if old.shape.shift != shift || used > new.shape.units || !has_all() {
            for slot in slots {
                self.append(slot, from.suffix(slot).unwrap_or(&[]));
            }
            return;
        }
        // No record is dead: copies all at once.
        // SAFETY: both bags have as many bytes, and no other thread has a pointer to the new one.
        unsafe {
            let bytes = usize::from(used) << shift;
            self.bag
                .records()
                .copy_from_nonoverlapping(from.records(), bytes);
        }
        for slot in slots {
            // Relaxed: the bag's publication orders it.
            let offset = old.offsets[slot].load(Ordering::Relaxed);
            new.offsets[slot].store(offset, Ordering::Relaxed);
        }
        new.used.store(used, Ordering::Relaxed);
    }

    /// Releases ownership of the bag; the caller stores the pointer in a leaf.
    pub(crate) fn publish(self) -> *mut Bag {
        let bag = self.bag.as_ptr();
        std::mem::forget(self);
        bag
    }
}

impl Drop for OwnedBag<'_> {
    fn drop(&mut self) {
        // SAFETY: it came from this memory, and no node points to it.
        unsafe { self.bag.free(self.memory) }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::index::memory::{HugePages, Source};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn suffixes_come_back_whole(suffixes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..=15),
                                    large in 0usize..200_000) {
            let memory = Memory::new(Source::new(None), 0, HugePages::Never);
            let mut suffixes = suffixes;
            suffixes[0].resize(large, 7);
            let shape = Shape::for_records(suffixes.iter().map(Vec::len));
            let bag = OwnedBag::new(&memory, shape).unwrap();
            for (slot, suffix) in suffixes.iter().enumerate() {
                prop_assert_eq!(bag.bag.suffix(slot), None);
                bag.append(slot, suffix);
            }
            for (slot, suffix) in suffixes.iter().enumerate() {
                prop_assert_eq!(bag.bag.suffix(slot), Some(suffix.as_slice()));
            }
            drop(bag);
            prop_assert_eq!(memory.in_use(), 0);
        }
    }

    proptest! {
        /// Put back: in `append_all`, copy all records whether or not one is dead.
        #[test]
        fn a_renewed_bag_has_the_live_suffixes(
            suffixes in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..200), WIDTH),
            live in 0_u32..1 << WIDTH,
            spare in 0_usize..100,
        ) {
            let memory = Memory::new(Source::new(None), 0, HugePages::Never);
            let bag = |of: &[&[u8]]| {
                let lens = of.iter().map(|suffix| suffix.len());
                OwnedBag::new(&memory, Shape::for_records(lens.chain([spare]))).unwrap()
            };
            let all: Vec<&[u8]> = suffixes.iter().map(Vec::as_slice).collect();
            let old = bag(&all);
            for (slot, suffix) in all.iter().enumerate() {
                old.append(slot, suffix);
            }
            for live in [live, (1 << WIDTH) - 1] {
                let slots = (0..WIDTH).filter(|slot| live & 1 << slot != 0);
                let kept: Vec<&[u8]> = slots.clone().map(|slot| all[slot]).collect();
                let new = bag(&kept);
                new.append_all(old.bag, slots);
                for (slot, suffix) in all.iter().enumerate() {
                    let is_live = live & 1 << slot != 0;
                    prop_assert_eq!(new.bag.suffix(slot), is_live.then_some(*suffix));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn a_total_of_bytes_has_the_shape_of_its_records(lens in prop::collection::vec(0usize..6000, 0..=WIDTH + 1)) {
            let counted = Shape::in_bytes(lens.len(), lens.iter().sum());
            let added = Shape::for_records(lens.into_iter());
            prop_assert_eq!(counted.is_some(), added.shift == 0);
            prop_assert_eq!(counted.unwrap_or(added), added);
        }
    }

    #[test]
    fn shapes_reach_fifteen_of_the_longest_suffixes() {
        let lens = std::iter::repeat_n(u32::MAX as usize, WIDTH);
        let shape = Shape::for_records(lens.clone());
        let need: u64 = lens.map(|len| Shape::units_of(len, shape.shift)).sum();
        assert!(need <= u64::from(shape.units));
        assert!(shape.layout().is_some());
    }
}
