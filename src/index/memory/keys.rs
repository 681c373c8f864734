//! How many keys a tree has: exact whenever no thread is writing, also while trees that were
//! cleared away wait to be freed.
//!
//! **Protocol.** Clearing a tree begins an [`Era`]: every leaf has the era of the tree that it
//! is part of, which never changes, and which new leaves get from those they come from. A
//! counter is spread over cells, one a stripe; a cell has a count and the era that it counts for.
//! A write adds to a cell in one step, and sees by what was there for which era that was. If
//! that is its leaf's, it is done. Else it has met a clearing, takes the lock, and puts it right
//! ([`Keys::recount`]): a key of a tree that was cleared away is not counted, one of the present
//! tree is.
//!
//! **Why the count of a cell cannot overflow.** If one thread only inserts and another only
//! removes, the counts of two cells drift apart without limit. So the era as a leaf keeps it has
//! two bits below the number of clearings, which are [`IN_RANGE`], and a cell has there the
//! upper two bits of its count: they are the same only while the count is within ±2^31. The
//! comparison of eras thus finds that it is not, and the next write to the cell takes the lock
//! and moves its count to [`Present::carried`], which belongs to the era of the cells. A count
//! would change the cell's era 2^32 beyond the range, but until it is moved each thread adds to
//! it once more at most. A write whose leaf has the era of the cell it added to has been counted,
//! moved or not, and changes nothing else.
//!
//! **Invariant.** Under the lock all cells have one era, the newest that any thread has
//! announced, and their counts and what is carried are the sum of what was added since then.
//! Once every write has come to its end, that is the number of keys inserted into leaves of that
//! era less those removed. What was counted for an era before is forgotten with it.
//!
//! A thread that clears announces the new era after the store that clears. A write may find a
//! leaf of that era before, and then announces it itself. Orders are relaxed: only the order of
//! changes of one cell matters, and of one lock.
//!
//! **Cells of guards.** A guard has a cell in its slot, to which only the thread that uses the guard
//! adds, without a locked instruction. Clearing leaves these cells alone: a sum skips a cell of
//! another era than the present one, and the owner begins its cell again with the first key of a
//! later era. A key of an earlier era than the cell's is not counted: its tree was cleared away.
//!
//! **Why eras may repeat.** To confuse two eras takes 2^29 clearings during one call. That call
//! pins every tree that is cleared meanwhile: over three hundred gigabytes.

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

/// Cells are words of a model, at which threads change: so is the lock.
#[cfg(shuttle)]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("models end where they panic")
}

/// Bits of a cell below the number that leaves keep of an era.
const ERA_SHIFT: u32 = 32;
/// Bits of that number below the number of clearings.
const RANGE_BITS: u32 = 2;
/// What they are in every leaf, and in a cell whose count is within its range.
const IN_RANGE: u32 = 1;
/// Bits of a cell's count.
const COUNT_BITS: u32 = ERA_SHIFT + RANGE_BITS;
/// What a cell has where it counted nothing: the middle of the range.
const NOTHING: u64 = (IN_RANGE as u64) << ERA_SHIFT | 1 << (ERA_SHIFT - 1);

/// A number of the tree between two clearings, above [`IN_RANGE`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Era(u32);

impl Era {
    pub(crate) const FIRST: Self = Self(IN_RANGE);

    /// The era as a leaf keeps it.
    #[inline]
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// The era that a leaf has kept.
    #[inline]
    pub(crate) fn of_number(number: u32) -> Self {
        Self(number)
    }

    /// The era after so many clearings.
    pub(crate) fn after(clearings: u64) -> Self {
        Self((clearings as u32) << RANGE_BITS | IN_RANGE)
    }

    /// Whether it began after another.
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

    /// Adds to the count; returns for which era it counts.
    #[inline]
    fn add(&self, change: i64) -> Counted {
        Counted(self.0.fetch_add(change as u64, Ordering::Relaxed))
    }

    fn get(&self) -> Counted {
        Counted(self.0.load(Ordering::Relaxed))
    }

    /// Counts from zero, for an era.
    fn begin(&self, era: Era) {
        let word = u64::from(era.0) << ERA_SHIFT | NOTHING;
        self.0.store(word, Ordering::Relaxed);
    }
}

/// The word of a cell.
#[derive(Clone, Copy)]
struct Counted(u64);

impl Counted {
    /// Whether it counts for an era, within its range.
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

/// What the cells of a counter have in common.
pub(super) struct Keys {
    /// No lock of a node is taken while this is held.
    present: Mutex<Present>,
}

struct Present {
    /// The era of all cells.
    era: Era,
    /// Counts of that era that were moved here from cells.
    carried: i64,
}

impl Keys {
    pub(super) const fn new() -> Self {
        let (era, carried) = (Era::FIRST, 0);
        Self {
            present: Mutex::new(Present { era, carried }),
        }
    }

    /// Counts keys that came to a leaf of an era, or went from one.
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

    /// Puts right what was counted for another era than that of its leaf, and moves a count that
    /// is out of range.
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
            // In the sum, or forgotten with its era.
        } else if counted == present.era {
            cell.add(-change);
        } else if era == present.era {
            cell.add(change);
        }
    }

    /// Forgets what was counted for eras before this one.
    pub(super) fn begin<'c>(&self, cells: impl Iterator<Item = &'c Cell>, era: Era) {
        lock(&self.present).begin(cells, era);
    }

    /// `add` for a cell to which only the caller adds.
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

    /// `add_owned` for another era than the cell's, or for a count out of range.
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
        if counted.era().is_after(era) && Line::OwnedKeysHaveAnEra.is_enabled() {
            // A key of a tree that was cleared away.
            return;
        }
        // Under the lock: a sum finds the count either in the cell or in what is carried.
        let mut present = lock(&self.present);
        present.begin(cells, era);
        if counted.era() == era && present.era == era {
            present.carried += counted.count();
        }
        cell.begin(era);
        cell.add(change);
    }

    /// The number of keys; exact when no thread is writing. Under the lock, no count is being
    /// moved.
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
            // Other threads add to the cell meanwhile: what they add stays there.
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

    /// Cells of an era with these counts, and what makes their sum zero.
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
        /// Writes that began in any of the last eras count late, and some hear of an era
        /// before it has begun here; cells leave their range meanwhile, on either side. Put
        /// back: leave out `recount`, or any of its cases; in `Counted::era`, take the upper half
        /// of the word for the era; keep `carried` when an era begins.
        #[test]
        fn the_count_is_that_of_the_last_era(
            writes in prop::collection::vec((0_u64..4, 0_usize..3, prop::bool::ANY), 1..200),
            first in prop_oneof![0_u64..9, (1 << 29) - 9..(1_u64 << 29) + 9, (1 << 30) - 9..1_u64 << 30],
            drifts in prop::array::uniform3(prop::sample::select(EDGES.as_slice())),
        ) {
            let (keys, cells) = drifted(Era::after(first), drifts);
            // The last is a guard's.
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

            // The count leaves the range; later writes notice.
            keys.add(cell, cells.iter(), era, change);
            assert!(!cell.get().is_in_range_of(era));
            assert_eq!(
                (cell.get().era(), cell.get().count()),
                (era, (edge + 1) * change)
            );
            sum(change);

            // Two add before either has the lock.
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

            // A write that learns of a new era late: what it added is forgotten with the old era.
            let counted = cell.add(change);
            let next = Era::after(8);
            keys.begin(cells.iter(), next);
            keys.recount(cell, cells.iter(), era, counted.era(), change);
            sum(0);
        }
    }
}
