//! Suffix bags: what a leaf's keys have beyond their slice.
//!
//! A bag is one allocation: this header, then records. A record is a length and
//! that many bytes; the header holds each slot's offset, counted in units of
//! `1 << shift` bytes so that 16 bits reach everywhere: small bags are packed to
//! the byte, and one of gigabytes wastes less than a thousandth.
//!
//! **Protocol.** Records are only ever appended, by the owner of the leaf's lock,
//! and a record's bytes are written before the release store of its offset and
//! never again. So whoever loads an offset (acquire) may read the record as plain
//! memory for as long as the bag lives, even if the slot has long been given to
//! another key: that only makes the answer stale, which the leaf's version tells.
//! When a bag has no room, the live records move to a new bag, and the old one is
//! retired.

use std::alloc::Layout;
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::permutation::WIDTH;
use crate::index::memory::{Memory, block_size};
use crate::protocol::Line;
use crate::sync::{AtomicU16, Ordering};

/// Offset of a slot without a record; no record begins so far in.
const NONE: u16 = u16::MAX;

/// Bytes from which on a bag's waste is looked after.
const LARGE: usize = 4096;

#[repr(C, align(4))]
pub(crate) struct Bag {
    shape: Shape,
    /// Units in use; only the lock's owner looks.
    used: AtomicU16,
    offsets: [AtomicU16; WIDTH],
}

/// Where the records of a bag were at one moment, slot by slot.
pub(crate) struct Offsets([u16; WIDTH]);

impl Offsets {
    pub(crate) const NONE: Self = Self([NONE; WIDTH]);
}

/// How large a bag is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(C)]
pub(crate) struct Shape {
    /// Bytes for records, in units.
    units: u16,
    /// A unit is `1 << shift` bytes.
    shift: u8,
}

impl Shape {
    /// The smallest shape with room for records of these lengths.
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

    /// With the bytes that the allocation has anyway put to use: a block of the tree's pool,
    /// or, beyond those, of glibc's malloc, whose sizes are 8 more than a multiple of 16.
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

    /// Bytes of a record's length field.
    fn prefix(shift: u8) -> usize {
        if shift == 0 { 2 } else { 4 }
    }

    /// Units of a record.
    fn units_of(len: usize, shift: u8) -> u64 {
        ((Self::prefix(shift) + len) as u64).div_ceil(1 << shift)
    }

    fn layout(self) -> Option<Layout> {
        Layout::from_size_align(size_of::<Bag>() + self.bytes(), align_of::<Bag>()).ok()
    }

    /// Whether whatever fits into a bag of the other shape fits into this.
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

    /// The bag that a word of a leaf leads to.
    ///
    /// # Safety
    /// Null, or a bag that lives for `'g`.
    #[inline]
    pub(crate) unsafe fn at(word: *mut Bag) -> Option<Self> {
        // SAFETY: by contract.
        NonNull::new(word).map(|bag| unsafe { Self::new(bag) })
    }

    /// The suffix of a slot, if it has one in this bag.
    #[inline]
    pub(crate) fn suffix(self, slot: usize) -> Option<&'g [u8]> {
        // Acquire: pairs with the store in `append`.
        let offset = self.header().offsets[slot].load(Ordering::Acquire);
        self.record(offset)
    }

    /// Where the records are at this moment.
    #[inline]
    pub(crate) fn offsets(self) -> Offsets {
        let offsets = &self.header().offsets;
        // Acquire: as in `suffix`.
        Offsets(std::array::from_fn(|slot| {
            offsets[slot].load(Ordering::Acquire)
        }))
    }

    /// The suffix that a slot had when the offsets of this bag were these.
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
        // SAFETY: the offset was stored after its record was written, the record
        // lies within the bag, and it is never written again.
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
        let header = self.header();
        let used = u64::from(header.used.load(Ordering::Relaxed));
        used + Shape::units_of(len, header.shape.shift) <= u64::from(header.shape.units)
    }

    /// Whether its waste is looked after.
    pub(crate) fn is_large(self) -> bool {
        self.header().shape.bytes() >= LARGE
    }

    /// Whether the bag is large, and records of slots that no longer need them take
    /// more than half of it.
    pub(crate) fn is_wasteful(self, live: impl Iterator<Item = usize>) -> bool {
        if !self.is_large() {
            return false;
        }
        let Shape { units, shift } = self.header().shape;
        live.map(|len| Shape::units_of(len, shift)).sum::<u64>() < u64::from(units / 2)
    }

    /// Gives a slot a suffix.
    ///
    /// # Safety
    /// The bag has room for it, and the caller owns the lock of its leaf or has
    /// the bag for itself.
    pub(crate) unsafe fn append(self, slot: usize, suffix: &[u8]) {
        debug_assert!(self.has_room(suffix.len()));
        let header = self.header();
        let shift = header.shape.shift;
        let used = header.used.load(Ordering::Relaxed);
        if !Line::RecordBeforeOffset.is_enabled() {
            header.offsets[slot].store(used, Ordering::Release);
            // Long enough for a model to run another thread meanwhile.
            for _ in 0..200 {
                header.used.load(Ordering::Relaxed);
            }
        }
        // SAFETY: there is room, and no offset leads there yet, so nobody reads
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
        // Release: whoever finds the offset finds the record whole.
        header.offsets[slot].store(used, Ordering::Release);
    }

    /// # Safety
    /// The bag came from this memory, and nobody uses it any more.
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

    /// Bytes of its allocation.
    pub(crate) fn size(self) -> usize {
        size_of::<Bag>() + self.header().shape.bytes()
    }
}

/// A bag that no node leads to yet; freed unless it is published.
pub(crate) struct OwnedBag<'m> {
    bag: BagRef<'m>,
    memory: &'m Memory,
}

impl<'m> OwnedBag<'m> {
    /// An empty bag, or `None` when memory runs out.
    pub(crate) fn new(memory: &'m Memory, shape: Shape) -> Option<Self> {
        let bag = memory.allocate_bag(shape.layout()?)?.cast::<Bag>();
        // SAFETY: freshly allocated with room for a header; it lives until it is
        // freed here or by whoever it is published to.
        unsafe {
            bag.write(Bag {
                shape,
                used: AtomicU16::new(0),
                offsets: std::array::from_fn(|_| AtomicU16::new(NONE)),
            });
            // A record that is read before it is written is too long.
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

    /// Gives a slot a suffix; the bag's shape has room for it.
    pub(crate) fn append(&self, slot: usize, suffix: &[u8]) {
        assert!(
            self.bag.has_room(suffix.len()),
            "a bag is made large enough"
        );
        // SAFETY: there is room, and nobody else knows of the bag.
        unsafe { self.bag.append(slot, suffix) }
    }

    /// Hands the bag to a leaf.
    pub(crate) fn publish(self) -> *mut Bag {
        let bag = self.bag.as_ptr();
        std::mem::forget(self);
        bag
    }
}

impl Drop for OwnedBag<'_> {
    fn drop(&mut self) {
        // SAFETY: it came from this memory, and no node leads to it.
        unsafe { self.bag.free(self.memory) }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;
    use crate::index::memory::Source;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn suffixes_come_back_whole(suffixes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..=15),
                                    large in 0usize..200_000) {
            let memory = Memory::new(Source::new(None), 0, false);
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

    #[test]
    fn shapes_reach_fifteen_of_the_longest_suffixes() {
        let lens = std::iter::repeat_n(u32::MAX as usize, WIDTH);
        let shape = Shape::for_records(lens.clone());
        let need: u64 = lens.map(|len| Shape::units_of(len, shape.shift)).sum();
        assert!(need <= u64::from(shape.units));
        assert!(shape.layout().is_some());
    }
}
