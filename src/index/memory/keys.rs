//! The number of keys of a tree: exact whenever no thread is writing, even while cleared trees wait
//! to be freed.
//!
//! **Protocol.** Each clearing of a tree begins an [`Era`]. Every leaf stores the era of the tree
//! to which it belongs; it never changes, and a new leaf gets the era of the leaf from which it is
//! split or which links to it. The counter is spread over cells. Each stripe has a cell, and so has
//! each guard; a cell contains a count and the era for which it counts. A write adds to the cell of
//! its stripe by one atomic add, which returns the cell's old word and so the era for which the
//! write was counted. If that is the era of the write's leaf, the write is done. Otherwise the tree
//! has been cleared; the write takes the lock and corrects the count ([`Keys::recount`]): a key of
//! a cleared tree must not be counted, a key of the present tree must be.
//!
//! **Why the count of a cell cannot overflow.** If one thread only inserts and another only
//! removes, the counts of two cells drift apart without limit. So the number of an era, as a leaf
//! stores it, has two more bits below the number of clearings, always [`IN_RANGE`]; in a cell,
//! these two bits are the upper two bits of the count, and equal to [`IN_RANGE`] only while the
//! count is within ±2^31. So a comparison of the two numbers also detects that the count is out of
//! range. Then the next write to the cell takes the lock and moves the cell's count to
//! [`Present::carried`], which belongs to the era of the cells. A count would have to go 2^32
//! beyond its range to change the cell's era; but until the count is moved, each thread adds to the
//! cell at most once more. A write that was counted for the era of its leaf needs no correction,
//! whether or not the cell's count has been moved since.
//!
//! **Invariant.** Under the lock, the cells of all stripes have the same era, the newest that any
//! thread has announced. The sum of their counts, of the counts of guards' cells with this era, and
//! of `carried` is the sum of everything that was added for this era. When no write is active, that
//! is the number of keys inserted into leaves of this era minus the number of keys removed from
//! them. The counts of earlier eras are forgotten.
//!
//! A thread that clears announces the new era after the store that clears the tree. Another write
//! may find a leaf of that era before, and then announces the era itself. The orderings are
//! relaxed: only the order of changes of a single cell matters, and the lock orders the rest.
//!
//! **Cells of guards.** A guard has a cell in its slot. Only the thread that uses the guard adds to
//! it, without a locked instruction. A clearing does not change these cells: a sum skips a cell
//! whose era is not the present one, and the first write under the guard to a leaf of a later era
//! begins the cell again for that era. A write to a leaf of an earlier era than the cell's would not be
//! counted, since the leaf's tree was cleared. No write does that: each begins at the root of its
//! moment, or at a leaf below that, so the eras of a guard's writes never go back; and a bulk load
//! counts its keys under the guard after their leaves got the era of the tree that they entered.
//!
//! **Why eras may repeat.** To confuse two eras, 2^29 clearings would have to happen during one
//! call. That call's guard keeps every tree that is cleared meanwhile: over three hundred
//! gigabytes.

#[cfg(not(shuttle))]
use std::sync::Mutex;
#[cfg(not(shuttle))]
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(shuttle)]
use shuttle::sync::{Mutex, MutexGuard};

#[cfg(not(shuttle))]
use super::lock;
use crate::protocol::Line;
#[cfg(shuttle)]
use crate::sync::{AtomicU64, Ordering};

/// In models, cells are shuttle's atomics, at which shuttle switches threads; so the lock must be
/// shuttle's, too.
#[cfg(shuttle)]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("models end where they panic")
}

/// The bit of a cell at which the number of an era, as a leaf stores it, begins.
const ERA_SHIFT: u32 = 32;
/// Bits of an era's number below the number of clearings.
const RANGE_BITS: u32 = 2;
/// The value of these bits in every leaf, and in a cell whose count is within its range.
const IN_RANGE: u32 = 1;
/// Bits of a cell's count.
const COUNT_BITS: u32 = ERA_SHIFT + RANGE_BITS;
/// The word of a cell for a count of 0: the middle of the range.
const NOTHING: u64 = (IN_RANGE as u64) << ERA_SHIFT | 1 << (ERA_SHIFT - 1);

/// The era of a tree between two clearings: the number of clearings, followed by [`IN_RANGE`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Era(u32);

impl Era {
    pub(crate) const FIRST: Self = Self(IN_RANGE);

    /// The number of the era, as a leaf stores it.
    #[inline]
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// The era with a number that a leaf stores.
    #[inline]
    pub(crate) fn of_number(number: u32) -> Self {
        Self(number)
    }

    /// The era after this number of clearings.
    pub(crate) fn after(clearings: u64) -> Self {
        Self((clearings as u32) << RANGE_BITS | IN_RANGE)
    }

    /// Whether this era began after another.
    fn is_after(self, other: Self) -> bool {
        self.0.wrapping_sub(other.0).cast_signed() > 0
    }
}

/// A part of the counter: a stripe's, to which any thread adds, or a guard's.
pub(crate) struct Cell(AtomicU64);

impl Cell {
    pub(in crate::index) fn new() -> Self {
        Self(AtomicU64::new(NOTHING))
    }

    /// Adds to the count; returns the cell's word before, and so the era for which this was
    /// counted.
    #[inline]
    fn add(&self, change: i64) -> Counted {
        Counted(self.0.fetch_add(change as u64, Ordering::Relaxed))
    }

    fn get(&self) -> Counted {
        Counted(self.0.load(Ordering::Relaxed))
    }

    /// Begins to count for an era, from 0.
    fn begin(&self, era: Era) {
        let word = u64::from(era.0) << ERA_SHIFT | NOTHING;
        self.0.store(word, Ordering::Relaxed);
    }
}

/// The word of a cell.
#[derive(Clone, Copy)]
struct Counted(u64);

impl Counted {
    /// Whether the cell counts for an era, and its count is within the range.
    #[inline]
    fn is_in_range_of(self, era: Era) -> bool {
        (self.0 >> ERA_SHIFT) as u32 == era.0
    }

    fn era(self) -> Era {
        Era::after(self.0 >> COUNT_BITS)
    }

    fn count(self) -> i64 {
        (self.0 & ((1 << COUNT_BITS) - 1)) as i64 - NOTHING as i64
    }
}

/// The state that the cells of a counter share.
pub(super) struct Keys {
    /// No lock of a node is taken while this is held.
    present: Mutex<Present>,
}

/// The state of the newest era.
struct Present {
    /// The newest era, for which the cells of all stripes count.
    era: Era,
    /// Counts of this era that were moved here from cells.
    carried: i64,
}

impl Keys {
    pub(super) const fn new() -> Self {
        let (era, carried) = (Era::FIRST, 0);
        Self {
            present: Mutex::new(Present { era, carried }),
        }
    }

    /// Adds to the number of keys in leaves of an era.
    #[inline]
    pub(super) fn add<'c>(
        &self,
        cell: &'c Cell,
        cells: impl Iterator<Item = &'c Cell>,
        era: Era,
        change: i64,
    ) {
        let counted = cell.add(change);
        if !counted.is_in_range_of(era) {
            self.recount(cell, cells, era, counted.era(), change);
        }
    }

    /// Corrects a change that was counted for another era than that of the leaf, and moves the
    /// cell's count if it is out of range.
    #[cold]
    #[inline(never)]
    fn recount<'c>(
        &self,
        cell: &'c Cell,
        cells: impl Iterator<Item = &'c Cell>,
        era: Era,
        counted: Era,
        change: i64,
    ) {
        if !Line::KeysAreRecounted.is_enabled() {
            return;
        }
        let mut present = lock(&self.present);
        present.begin(cells, era);
        present.carry(cell);
        if counted == era {
            // Counted correctly: in the sum, or forgotten together with the era.
        } else if counted == present.era {
            cell.add(-change);
        } else if era == present.era {
            cell.add(change);
        }
    }

    /// Begins to count for an era, unless a later one has begun. Forgets the counts of earlier
    /// eras.
    pub(super) fn begin<'c>(&self, cells: impl Iterator<Item = &'c Cell>, era: Era) {
        lock(&self.present).begin(cells, era);
    }

    /// [`Self::add`] through a guard's cell, to which only the caller adds.
    #[inline]
    pub(super) fn add_owned<'c>(
        &self,
        cell: &Cell,
        cells: impl Iterator<Item = &'c Cell>,
        era: Era,
        change: i64,
    ) {
        let counted = cell.get();
        if counted.is_in_range_of(era) {
            let word = counted.0.wrapping_add(change as u64);
            cell.0.store(word, Ordering::Relaxed);
        } else {
            self.recount_owned(cell, cells, era, change);
        }
    }

    /// [`Self::add_owned`] if the cell counts for another era, or its count is out of range.
    #[cold]
    #[inline(never)]
    fn recount_owned<'c>(
        &self,
        cell: &Cell,
        cells: impl Iterator<Item = &'c Cell>,
        era: Era,
        change: i64,
    ) {
        let counted = cell.get();
        if counted.era().is_after(era) {
            // The leaf's tree was cleared: its keys are no longer counted.
            return;
        }
        // Under the lock, so that a sum finds the count either in the cell or in `carried`, not in
        // both.
        let mut present = lock(&self.present);
        present.begin(cells, era);
        if counted.era() == era && present.era == era {
            present.carried += counted.count();
        }
        cell.begin(era);
        cell.add(change);
    }

    /// The number of keys; exact when no thread is writing. Takes the lock, so that no count is
    /// moved while it adds them up.
    pub(super) fn sum<'c>(
        &self,
        cells: impl Iterator<Item = &'c Cell>,
        owned: impl Iterator<Item = &'c Cell>,
    ) -> u64 {
        let present = lock(&self.present);
        let owned = owned.map(Cell::get);
        let owned = owned.filter(|counted| counted.era() == present.era);
        let total = present.total(cells) + owned.map(Counted::count).sum::<i64>();
        total.max(0) as u64
    }
}

impl Present {
    fn begin<'c>(&mut self, cells: impl Iterator<Item = &'c Cell>, era: Era) {
        if era.is_after(self.era) {
            (self.era, self.carried) = (era, 0);
            cells.for_each(|cell| cell.begin(era));
        }
    }

    /// Moves a cell's count here if it is out of range.
    fn carry(&mut self, cell: &Cell) {
        let counted = cell.get();
        if !counted.is_in_range_of(self.era) {
            // Subtracts the count that it moves, rather than storing 0: other threads may add to
            // the cell meanwhile.
            cell.add(-counted.count());
            self.carried += counted.count();
        }
    }

    fn total<'c>(&self, cells: impl Iterator<Item = &'c Cell>) -> i64 {
        self.carried + cells.map(|cell| cell.get().count()).sum::<i64>()
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The last counts within the range of a cell, and those next to them.
    const EDGES: [i64; 5] = [-(1 << 31), 2 - (1 << 31), 0, (1 << 31) - 3, (1 << 31) - 1];

    /// Cells of an era with these counts, and a counter in which `carried` makes the sum 0.
    fn drifted<const CELLS: usize>(era: Era, counts: [i64; CELLS]) -> (Keys, [Cell; CELLS]) {
        let cells = counts.map(|count| {
            let cell = Cell::new();
            cell.begin(era);
            cell.add(count);
            assert!(cell.get().is_in_range_of(era));
            cell
        });
        let keys = Keys::new();
        let carried = -counts.iter().sum::<i64>();
        *lock(&keys.present) = Present { era, carried };
        (keys, cells)
    }

    fn total(keys: &Keys, cells: &[Cell]) -> i64 {
        lock(&keys.present).total(cells.iter())
    }

    proptest! {
        /// Writes that began in one of the last eras count late, and some announce an era before
        /// the clearing thread does; meanwhile counts leave their range, upwards or downwards. Put
        /// back: leave out `recount`, or any of its cases; in `Counted::era`, take the upper half
        /// of the word for the era; keep `carried` when an era begins.
        #[test]
        fn the_count_is_that_of_the_last_era(
            writes in prop::collection::vec((0_u64..4, 0_usize..3, prop::bool::ANY), 1..200),
            first in prop_oneof![0_u64..9, (1 << 29) - 9..(1_u64 << 29) + 9, (1 << 30) - 9..1_u64 << 30],
            drifts in prop::array::uniform3(prop::sample::select(EDGES.as_slice())),
        ) {
            let (keys, cells) = drifted(Era::after(first), drifts);
            // The last cell is a guard's.
            let (stripes, owned) = cells.split_at(2);
            let sum = |keys: &Keys| {
                let present = lock(&keys.present);
                let owned = owned.iter().map(Cell::get).filter(|cell| cell.era() == present.era);
                present.total(stripes.iter()) + owned.map(Counted::count).sum::<i64>()
            };
            let mut expected = std::collections::BTreeMap::<u64, i64>::new();
            let mut now = first;
            for (era, stripe, comes) in writes {
                let change = if comes { 1 } else { -1 };
                let era = match era {
                    0 => now + 1,
                    back => now.saturating_sub(back - 1).max(first),
                };
                match stripe {
                    2 => keys.add_owned(&owned[0], stripes.iter(), Era::after(era), change),
                    _ => keys.add(&stripes[stripe], stripes.iter(), Era::after(era), change),
                }
                now = now.max(era);
                *expected.entry(era).or_default() += change;
                prop_assert_eq!(sum(&keys), *expected.get(&now).unwrap_or(&0));
                if stripe == 0 && comes && era == now {
                    now += 1;
                    keys.begin(stripes.iter(), Era::after(now));
                    prop_assert_eq!(keys.sum(stripes.iter(), owned.iter()), 0);
                }
            }
        }
    }

    /// A cell counts keys that are only inserted, or only removed, beyond its range. Writes that
    /// were added out of range, before another write moved the count, are counted once, too. Put
    /// back: leave out `carry`; compare without the range bits; leave out, in `recount`, the case
    /// of a write whose era is the cell's.
    #[test]
    fn a_count_out_of_range_is_moved() {
        let era = Era::after(7);
        for change in [1, -1] {
            let edge = if change > 0 { (1 << 31) - 1 } else { 1 << 31 };
            let (keys, cells) = drifted(era, [edge * change]);
            let [cell] = &cells;
            let sum = |expected: i64| assert_eq!(total(&keys, &cells), expected);

            // The count leaves the range, which later writes detect.
            keys.add(cell, cells.iter(), era, change);
            assert!(!cell.get().is_in_range_of(era));
            assert_eq!(
                (cell.get().era(), cell.get().count()),
                (era, (edge + 1) * change)
            );
            sum(change);

            // Two writes add before either takes the lock.
            let counted = [cell.add(change), cell.add(change)];
            for counted in counted {
                assert!(!counted.is_in_range_of(era));
                keys.recount(cell, cells.iter(), era, counted.era(), change);
                sum(3 * change);
                assert!(cell.get().is_in_range_of(era));
                assert_eq!(cell.get().count(), 0, "far from either end of the range");
            }
            keys.add(cell, cells.iter(), era, -change);
            sum(2 * change);
            assert_eq!(
                keys.sum(cells.iter(), [].iter()),
                if change > 0 { 2 } else { 0 }
            );

            // A write to a leaf of a new era adds to a cell of the old one: that count is forgotten
            // with the old era.
            let counted = cell.add(change);
            let next = Era::after(8);
            keys.begin(cells.iter(), next);
            keys.recount(cell, cells.iter(), era, counted.era(), change);
            sum(0);
        }
    }
}
