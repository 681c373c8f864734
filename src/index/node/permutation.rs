//! The order of a leaf's entries, in one word.
//!
//! ```text
//! bits 0..4            number of live entries
//! bits 4(i+1)..4(i+2)  slot of the entry at position i, for i in 0..15
//! ```
//!
//! The word always contains each of the fifteen slots exactly once: positions below the count hold
//! the live entries in key order, the others the free slots. One store of the word publishes an
//! insert or a remove. From the Masstree paper, section 4.6.2.

/// Slots of a leaf.
pub(crate) const WIDTH: usize = 15;

const BITS: u32 = 4;

/// Returns a mask of the low `bits` bits; all of them for 64.
#[inline]
const fn low(bits: u32) -> u64 {
    if bits >= u64::BITS {
        u64::MAX
    } else {
        (1 << bits) - 1
    }
}

/// Returns the bit at which a position's entry begins.
#[inline]
const fn at(position: usize) -> u32 {
    BITS * (position as u32 + 1)
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Permutation(u64);

impl Permutation {
    /// No live entries; inserts take slots from 0 up.
    pub(crate) const EMPTY: Self = Self(0xEDCB_A987_6543_2100);

    #[inline]
    pub(crate) fn from_word(word: u64) -> Self {
        Self(word)
    }

    #[inline]
    pub(crate) fn word(self) -> u64 {
        self.0
    }

    /// Number of live entries.
    #[inline]
    pub(crate) fn len(self) -> usize {
        (self.0 & 0xF) as usize
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(crate) fn is_full(self) -> bool {
        self.len() == WIDTH
    }

    /// The slot at a position below [`WIDTH`].
    #[inline]
    pub(crate) fn slot(self, position: usize) -> usize {
        debug_assert!(position < WIDTH);
        // A rotation, since a shift by a variable would be masked by an instruction of its own.
        (self.0.rotate_right(at(position)) & 0xF) as usize
    }

    /// [`Self::slot`], which the compiler then knows to be below [`WIDTH`].
    ///
    /// # Safety
    /// The position is below [`WIDTH`].
    #[inline]
    pub(crate) unsafe fn slot_unchecked(self, position: usize) -> usize {
        let slot = self.slot(position);
        // SAFETY: by contract, it is one of the fifteen fields above the count; each holds a slot.
        unsafe { std::hint::assert_unchecked(slot < WIDTH) };
        slot
    }

    /// The live slots, in key order.
    #[inline]
    pub(crate) fn slots(
        self,
    ) -> impl DoubleEndedIterator<Item = usize> + ExactSizeIterator + Clone {
        (0..self.len()).map(move |position| self.slot(position))
    }

    /// Whether a slot is live.
    #[inline]
    pub(crate) fn is_live(self, slot: usize) -> bool {
        self.position_of(slot) < self.len()
    }

    /// The position of a slot, live or not.
    #[inline]
    pub(crate) fn position_of(self, slot: usize) -> usize {
        const ONES: u64 = 0x1111_1111_1111_1111;
        // The nibble at the slot's position becomes zero. The lowest zero nibble is found
        // exactly: borrows only affect nibbles above it.
        let differ = (self.0 >> BITS) ^ (ONES * slot as u64);
        let zero = differ.wrapping_sub(ONES) & !differ & (ONES << 3);
        (zero.trailing_zeros() / BITS) as usize
    }

    /// The live slots, one bit each.
    #[inline]
    pub(crate) fn live_mask(self) -> u32 {
        self.slots().fold(0, |mask, slot| mask | 1 << slot)
    }

    /// Whether the upper half of a full leaf's entries seem to have been inserted in ascending order,
    /// each above all earlier entries. A guess: new leaves fill slots from 0 up, but removes and
    /// splits change the order in which slots are reused.
    pub(crate) fn ends_in_order(self) -> bool {
        const HALF: u64 = u64::MAX << at(WIDTH / 2);
        (self.0 ^ Self::EMPTY.0) & HALF == 0
    }

    /// The slot that the next insert takes; meaningless when the permutation is full.
    #[inline]
    pub(crate) fn free_slot(self) -> usize {
        self.slot(self.len())
    }

    /// Makes [`Self::free_slot`] live at `position`; entries from there on move up by one. Not for
    /// a full permutation.
    #[inline]
    pub(crate) fn insert(self, position: usize) -> Self {
        let len = self.len();
        debug_assert!(position <= len && len < WIDTH);
        let slot = self.free_slot() as u64;
        // Positions begin at bit 60 at most, so no shift exceeds the word.
        let first = 1 << at(position);
        // One bit above the slot that is taken; zero if that is the last.
        let end: u64 = 1 << at(len) << BITS;
        let kept = self.0 & !end.wrapping_sub(first);
        let moved = self.0 << BITS & end.wrapping_sub(first << BITS);
        Self((kept | slot << at(position) | moved) + 1)
    }

    /// Removes the entry at `position`; its slot is the next to be reused.
    pub(crate) fn remove(self, position: usize) -> Self {
        let len = self.len();
        debug_assert!(position < len);
        let slot = self.slot(position) as u64;
        let first = 1 << at(position);
        let last: u64 = 1 << at(len - 1);
        // One bit above the last entry; zero if the permutation is full.
        let end = last << BITS;
        let kept = self.0 & !end.wrapping_sub(first);
        let moved = self.0 >> BITS & (last - first);
        Self((kept | slot << at(len - 1) | moved) - 1)
    }

    /// Returns the permutation with slots `0..len` live, in this order.
    pub(crate) fn of_first(len: usize) -> Self {
        debug_assert!(len <= WIDTH);
        Self::EMPTY.with_len(len)
    }

    /// Keeps only the first `len` entries live.
    pub(crate) fn truncate(self, len: usize) -> Self {
        debug_assert!(len <= self.len());
        self.with_len(len)
    }

    fn with_len(self, len: usize) -> Self {
        Self(self.0 & !0xF | len as u64)
    }

    /// Whether the word contains every slot exactly once, for `check`.
    pub(crate) fn is_valid(self) -> bool {
        let named = (0..WIDTH).fold(0_u32, |set, position| set | 1 << self.slot(position));
        named == low(WIDTH as u32) as u32
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ends_in_order_tells_ordered_inserts_from_others() {
        let ascending = (0..WIDTH).fold(Permutation::EMPTY, |all, last| all.insert(last));
        assert!(ascending.ends_in_order());
        // The last entry was not inserted at the end.
        let before_last = (0..WIDTH - 1).fold(Permutation::EMPTY, |all, last| all.insert(last));
        assert!((0..WIDTH - 1).all(|position| !before_last.insert(position).ends_in_order()));
        // The first entries may have been inserted in any order.
        let start = (0..WIDTH / 2).fold(Permutation::EMPTY, |all, _| all.insert(0));
        assert!(
            (WIDTH / 2..WIDTH)
                .fold(start, |all, last| all.insert(last))
                .ends_in_order()
        );
    }
    /// `len` live entries, in slots 0, 1, 2 and so on.
    fn sequential(len: usize) -> Permutation {
        Permutation(Permutation::EMPTY.0 | len as u64)
    }

    /// Live slots in order, then free slots in order of reuse.
    fn model(permutation: Permutation) -> (Vec<usize>, Vec<usize>) {
        let all: Vec<_> = (0..WIDTH)
            .map(|position| permutation.slot(position))
            .collect();
        let (live, free) = all.split_at(permutation.len());
        (live.to_vec(), free.to_vec())
    }

    proptest! {
        #[test]
        fn inserts_and_removes_agree_with_a_vector(steps in prop::collection::vec((any::<bool>(), 0usize..16), 0..80)) {
            let mut permutation = Permutation::EMPTY;
            let (mut live, mut free) = model(permutation);
            for (insert, position) in steps {
                if insert && !permutation.is_full() {
                    let position = position % (live.len() + 1);
                    let slot = free.remove(0);
                    prop_assert_eq!(permutation.free_slot(), slot);
                    live.insert(position, slot);
                    permutation = permutation.insert(position);
                } else if !insert && !live.is_empty() {
                    let position = position % live.len();
                    free.insert(0, live.remove(position));
                    permutation = permutation.remove(position);
                }
                prop_assert!(permutation.is_valid());
                prop_assert_eq!(model(permutation), (live.clone(), free.clone()));
                for slot in 0..WIDTH {
                    prop_assert_eq!(permutation.is_live(slot), live.contains(&slot));
                    prop_assert_eq!(permutation.slot(permutation.position_of(slot)), slot);
                }
            }
        }
    }

    /// Known failure 10: position arithmetic at the ends of the word.
    #[test]
    fn a_full_permutation_keeps_every_slot() {
        for position in 0..WIDTH {
            let almost = sequential(WIDTH - 1);
            let full = almost.insert(position.min(WIDTH - 1));
            assert!(full.is_full() && full.is_valid());
            assert_eq!(full.slot(position), WIDTH - 1);
            assert_eq!(full.remove(position), almost);
        }
    }

    #[test]
    fn truncation_frees_the_tail_in_order() {
        let half = sequential(WIDTH).truncate(7);
        assert_eq!(half.len(), 7);
        assert_eq!(half.free_slot(), 7);
        assert!(half.is_live(6) && !half.is_live(7));
    }
}
