//! The number of keys in a tree: exact whenever no thread is writing, even while trees that a
//! clear removed wait to be freed.
//!
//! **Protocol.** Clearing a tree begins an [`Era`]. Every leaf has the era of the tree to which
//! it belongs; it never changes, and a new leaf inherits it from the leaf that it is split from
//! or that links to its layer. A counter is spread over cells, one per stripe; a cell has a
//! count and the era for which it counts. A write adds to a cell in one step, and the cell's
//! previous word says for which era it counted. If that is its leaf's era, the write is done.
//! Otherwise it ran during a clear; it takes the lock and corrects the count
//! ([`Keys::recount`]): a key of a cleared tree is not counted, one of the current tree is.
//!
//! **Invariant.** Under the lock, all cells have one era, the newest that any thread has
//! announced, and each cell's count is the sum of the changes added to it since it got that
//! era. Once every write has ended, that is the number of keys inserted into leaves of that era
//! less those removed. Counts for earlier eras are dropped.
//!
//! The clearing thread announces the new era after the store that clears, and a write may find
//! a leaf of that era before: then the write announces it itself. Orderings are relaxed: only
//! the order of changes of one cell, and of one lock, matters.
//!
//! **Why a repeated era is not mistaken for a later one.** That would take 2^24 clears during
//! one call. The call pins every tree that is cleared meanwhile: over ten gigabytes.

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

/// Cells are words of a model, where threads may switch; so is the lock.
#[cfg(shuttle)]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("models end where they panic")
}

/// Bits of a cell below its era.
const ERA_SHIFT: u32 = 40;
/// The count zero of a cell: above 0, so that a negative count does not borrow from the era.
const NOTHING: u64 = 1 << (ERA_SHIFT - 1);

/// The number of a tree's state between two clears.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Era(u32);

impl Era {
    pub(crate) const FIRST: Self = Self(0);
    const LAST: u32 = u32::MAX >> (ERA_SHIFT - 32);

    /// The era as a leaf stores it.
    #[inline]
    pub(crate) fn number(self) -> u32 {
        self.0
    }

    /// The era of a number that a leaf stores.
    #[inline]
    pub(crate) fn of_number(number: u32) -> Self {
        Self(number)
    }

    /// The era after `clearings` clears.
    pub(crate) fn after(clearings: u64) -> Self {
        Self(clearings as u32 & Self::LAST)
    }

    /// Whether it began after another.
    fn is_after(self, other: Self) -> bool {
        let distance = self.0.wrapping_sub(other.0) & Self::LAST;
        distance != 0 && distance <= Self::LAST / 2
    }
}

/// One stripe's part of the counter.
pub(super) struct Cell(AtomicU64);

impl Cell {
    pub(super) const fn new() -> Self {
        Self(AtomicU64::new(NOTHING))
    }

    /// Adds to the count; returns the era for which the cell counts.
    #[inline]
    fn add(&self, change: i64) -> Era {
        let before = self.0.fetch_add(change as u64, Ordering::Relaxed);
        Era((before >> ERA_SHIFT) as u32)
    }

    fn count(&self) -> i64 {
        let word = self.0.load(Ordering::Relaxed);
        (word & ((1 << ERA_SHIFT) - 1)) as i64 - NOTHING as i64
    }

    /// Starts counting from zero, for an era.
    fn begin(&self, era: Era) {
        let word = u64::from(era.0) << ERA_SHIFT | NOTHING;
        self.0.store(word, Ordering::Relaxed);
    }
}

/// The state that the cells of a counter share.
pub(super) struct Keys {
    /// The era of all cells. No lock of a node is taken while this is held.
    era: Mutex<Era>,
}

impl Keys {
    pub(super) const fn new() -> Self {
        Self {
            era: Mutex::new(Era::FIRST),
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
        if counted != era {
            self.recount(cell, cells, era, counted, change);
        }
    }

    /// Corrects a change that was counted for an era other than its leaf's.
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
        let mut current = lock(&self.era);
        Self::begin_locked(&mut current, cells, era);
        if counted == *current {
            cell.add(-change);
        } else if era == *current {
            cell.add(change);
        }
    }

    /// Drops the counts for eras before this one.
    pub(super) fn begin<'c>(&self, cells: impl Iterator<Item = &'c Cell>, era: Era) {
        Self::begin_locked(&mut lock(&self.era), cells, era);
    }

    fn begin_locked<'c>(current: &mut Era, cells: impl Iterator<Item = &'c Cell>, era: Era) {
        if era.is_after(*current) {
            *current = era;
            cells.for_each(|cell| cell.begin(era));
        }
    }
}

/// The number of keys; exact when no thread is writing.
pub(super) fn sum<'c>(cells: impl Iterator<Item = &'c Cell>) -> u64 {
    let total: i64 = cells.map(Cell::count).sum();
    total.max(0) as u64
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Writes that began in any of the last eras are counted late, and some see an era before
        /// it begins here. Put back: leave out `recount`, or either of its cases.
        #[test]
        fn the_count_is_that_of_the_last_era(
            writes in prop::collection::vec((0_u64..4, 0_usize..3, prop::bool::ANY), 1..200),
            first in (0..3 * u64::from(Era::LAST) / 2),
        ) {
            let cells = [Cell::new(), Cell::new(), Cell::new()];
            let keys = Keys::new();
            // A negative count stays within its cell, too.
            cells.iter().for_each(|cell| cell.begin(Era::after(first)));
            *lock(&keys.era) = Era::after(first);
            let mut expected = std::collections::BTreeMap::<u64, i64>::new();
            let mut now = first;
            for (era, stripe, inserts) in writes {
                let change = if inserts { 1 } else { -1 };
                let era = match era {
                    0 => now + 1,
                    back => now.saturating_sub(back - 1).max(first),
                };
                keys.add(&cells[stripe], cells.iter(), Era::after(era), change);
                now = now.max(era);
                *expected.entry(era).or_default() += change;
                let total: i64 = cells.iter().map(Cell::count).sum();
                prop_assert_eq!(total, *expected.get(&now).unwrap_or(&0));
                if stripe == 0 && inserts && era == now {
                    now += 1;
                    keys.begin(cells.iter(), Era::after(now));
                    prop_assert_eq!(sum(cells.iter()), 0);
                }
            }
        }
    }
}
