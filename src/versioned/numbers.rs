//! Numbers: which are visible in a tree, and to which floor it was trimmed; groups and snapshots are in
//! its [`clock`]. The protocol is in the comment of `versioned`.
//!
//! [`clock`]: super::clock

use std::ops::Deref;
use std::ptr::NonNull;

use arrayvec::ArrayVec;

use super::clock::{Clock, MAX_COMMIT, NumberSource, Registered};
use super::entry::MAX_NUMBER;
use super::{Freeing, LATEST};
use crate::index::memory::{OutOfMemory, Vector};
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering};

/// The numbers of a tree.
pub(super) struct Numbers {
    clock: Clock,
    /// The greatest number below every pending group; [`LATEST`] as long as no number was taken
    /// from the tree. Stored under the lock. In a store, [`MAX_COMMIT`]: readers at [`LATEST`] find
    /// the newest version that is decided.
    visible: AtomicU64,
    /// The number below which readers without a snapshot may miss versions: the highest floor of
    /// a trim, or of an overwrite that freed versions. Stored under the lock. In a store that frees
    /// what is overwritten, [`MAX_COMMIT`].
    floor: AtomicU64,
    /// The number up to which nothing may be stored any more: the highest floor of a trim. Stored
    /// under the lock.
    write_floor: AtomicU64,
    /// The greatest number that readers read at: in a store, [`MAX_COMMIT`].
    highest: u64,
}

/// What a group could not be taken or published for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GroupFault {
    /// Too many groups are pending.
    Busy,
    /// No group begins at the number; or it would be longer than numbers are left.
    Invalid,
    /// The numbers are a store's.
    InStore,
}

/// The most snapshots that an overwrite looks at; beside more, it leaves the work to trims.
const MOST_SNAPSHOTS: usize = 16;

/// The numbers at which readers may read when a trim or an overwrite begins to free versions.
pub(super) struct ReadPoints<S> {
    pub(super) floor: u64,
    /// The numbers of snapshots below the floor, in descending order.
    pub(super) snapshots: S,
    /// Whether nothing at or below the floor may be stored any more.
    pub(super) floor_is_closed: bool,
}

/// The points of an overwrite.
pub(super) type FewPoints = ReadPoints<ArrayVec<u64, MOST_SNAPSHOTS>>;

impl<S: Deref<Target = [u64]>> ReadPoints<S> {
    /// Returns the lowest number of at least `number`, which is at most the floor, at which readers may
    /// read.
    pub(super) fn at_least(&self, number: u64) -> u64 {
        let after = self.snapshots.partition_point(|&at| at >= number);
        match after.checked_sub(1) {
            Some(lowest) => self.snapshots[lowest],
            None => self.floor,
        }
    }

    /// Returns the greatest snapshot below `number`.
    pub(super) fn below(&self, number: u64) -> Option<u64> {
        let at = self.snapshots.partition_point(|&at| at >= number);
        self.snapshots.get(at).copied()
    }
}

impl Numbers {
    /// The numbers of a tree with a clock of its own.
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            visible: AtomicU64::new(LATEST),
            floor: AtomicU64::new(0),
            write_floor: AtomicU64::new(0),
            highest: LATEST,
        }
    }

    /// The numbers of a tree in a store.
    pub(super) fn in_store(clock: Clock, freeing: Freeing) -> Self {
        debug_assert!(clock.numbers().is_some());
        // Overwrites raise no floor: their number may be any.
        let floor = match freeing {
            Freeing::WhenOverwritten => MAX_COMMIT,
            Freeing::InTrims | Freeing::Never => 0,
        };
        Self {
            clock,
            visible: AtomicU64::new(MAX_COMMIT),
            floor: AtomicU64::new(floor),
            write_floor: AtomicU64::new(0),
            highest: MAX_COMMIT,
        }
    }

    pub(super) fn has_clock(&self, clock: &Clock) -> bool {
        self.clock.is_same(clock)
    }

    #[inline]
    pub(super) fn is_in_store(&self) -> bool {
        self.highest != LATEST
    }

    /// Returns the number at which a reader reads that asks for `number`: the tags of marks are not
    /// mistaken for numbers at or below it.
    #[inline]
    pub(super) fn readable(&self, number: u64) -> u64 {
        number.min(self.highest)
    }

    /// The number at which readers at [`LATEST`] read: [`LATEST`] if no number was taken.
    #[inline]
    pub(super) fn visible(&self) -> u64 {
        // Acquire: pairs with the store in `publish`. A reader at this number sees every write
        // that was made before its group was published.
        self.visible.load(Line::VisibleIsAcquired.acquire())
    }

    /// The number below which readers without a snapshot may miss versions. After a load of a link
    /// over versions that a trim or an overwrite has removed, this is its floor or a higher one: it
    /// stored the floor before the link.
    #[inline]
    pub(super) fn floor(&self) -> u64 {
        self.floor.load(Ordering::Acquire)
    }

    /// Whether a caller may store a version with this number: it is above the floor and, once
    /// numbers were taken from the tree, above the visible number, so that no reader at
    /// [`LATEST`] has read at it. It need not be of a pending group. Never in a store.
    #[inline]
    pub(super) fn admits(&self, number: u64) -> bool {
        let visible = self.visible.load(Ordering::Relaxed);
        // SeqCst: see `quiet`.
        let floor = self.write_floor.load(Ordering::SeqCst);
        number > floor && (visible == LATEST || number > visible && !self.is_in_store())
    }

    /// Hands out `count` consecutive numbers, as a pending group. `highest`: the highest number in
    /// the tree, above which the first group begins.
    pub(super) fn take(&self, count: u64, highest: u64) -> Result<u64, GroupFault> {
        self.clock.locked(|state| {
            let first = state.next.max(highest + 1);
            if count == 0 || count > MAX_NUMBER || first > MAX_NUMBER - count + 1 {
                return Err(GroupFault::Invalid);
            }
            if state.pending.is_full() {
                return Err(GroupFault::Busy);
            }
            state.next = first + count;
            state.pending.push((first, first + count - 1));
            if state.pending.len() == 1 {
                // What was stored before is published.
                self.visible.store(first - 1, Ordering::Release);
            }
            Ok(first)
        })
    }

    /// Publishes the group that begins at `first`. Returns the visible number.
    pub(super) fn publish(&self, first: u64) -> Result<u64, GroupFault> {
        self.clock.locked(|state| {
            let group = state.pending.iter().position(|group| group.0 == first);
            state.pending.remove(group.ok_or(GroupFault::Invalid)?);
            let visible = match state.pending.first() {
                Some(&(lowest, _)) if Line::VisibleIsBelowPending.is_enabled() => lowest - 1,
                _ => state.next - 1,
            };
            // Release: pairs with `visible`. Writers of the groups below made their writes before
            // they published, under this lock.
            self.visible
                .store(visible, Line::VisibleIsReleased.release());
            Ok(visible)
        })
    }

    /// Adds a snapshot at the visible number to the list, or at `highest()` if no number was taken; in a
    /// store, as [`Clock::add`] says.
    ///
    /// # Safety
    /// The snapshot does not move, and is live until `remove`.
    pub(super) unsafe fn add(&self, snapshot: NonNull<Registered>, highest: impl Fn() -> u64) {
        // SAFETY: by contract.
        unsafe { self.clock.add(snapshot, || self.latest(&highest)) }
    }

    /// Removes a snapshot from the list.
    ///
    /// # Safety
    /// `add` added it, and it is removed once.
    pub(super) unsafe fn remove(&self, snapshot: NonNull<Registered>) {
        // SAFETY: by contract.
        unsafe { self.clock.remove(snapshot) }
    }

    /// Begins a trim: raises the floor to `floor`, or to the greatest number that is visible, and
    /// collects the numbers at which readers may read. `snapshots` is empty.
    pub(super) fn begin_trim(
        &self,
        floor: u64,
        highest: impl Fn() -> u64,
        mut snapshots: Vector<u64>,
    ) -> Result<ReadPoints<Vector<u64>>, OutOfMemory> {
        // Ends: the vector grows to the number of snapshots, and another round is needed only if
        // more were opened meanwhile.
        loop {
            let collected = self.clock.locked(|state| {
                let most = self.latest(&highest);
                let floor = match Line::FloorIsVisible.is_enabled() {
                    true => floor.min(most),
                    false => floor,
                };
                let mut count = 0;
                for number in state.snapshots().filter(|&number| number < floor) {
                    count += 1;
                    if snapshots.len() < snapshots.capacity() {
                        snapshots.push(number);
                    }
                }
                if count > snapshots.len() {
                    return Err(count);
                }
                raise(&self.write_floor, floor);
                raise(&self.floor, floor);
                Ok(floor)
            });
            match collected {
                Ok(floor) => {
                    snapshots.sort_unstable_by(|a, b| b.cmp(a));
                    return Ok(ReadPoints {
                        floor,
                        snapshots,
                        floor_is_closed: true,
                    });
                }
                Err(count) => {
                    snapshots.clear();
                    (snapshots.try_reserve(count + count / 2)).map_err(|_| OutOfMemory)?;
                }
            }
        }
    }

    /// Begins to free what an overwrite has made unreadable: raises the floor of readers to the
    /// greatest number that is visible, and collects the numbers at which readers may read. Writes
    /// below it stay possible. `None` if too many snapshots are open. Allocates nothing.
    pub(super) fn begin_overwrite(&self, highest: impl Fn() -> u64) -> Option<FewPoints> {
        self.clock.locked(|state| {
            let floor = self.latest(&highest);
            let points = few_points(floor, state.snapshots())?;
            raise(&self.floor, floor);
            Some(points)
        })
    }

    /// [`Self::begin_overwrite`] in a store, for a commit that has taken the number `latest`.
    pub(super) fn begin_overwrite_in_store(&self, latest: u64) -> Option<FewPoints> {
        if self.clock.none_is_open() {
            return few_points(latest, std::iter::empty());
        }
        self.clock
            .locked(|state| few_points(latest, state.snapshots()))
    }

    /// The number at which a snapshot reads that is opened now; in a store, a number that is at most
    /// that. Under the lock.
    fn latest(&self, highest: &impl Fn() -> u64) -> u64 {
        if let Some(numbers) = self.clock.numbers() {
            return numbers.installed();
        }
        match self.visible.load(Ordering::Relaxed) {
            LATEST => highest(),
            visible => visible,
        }
    }

    /// Whether a read at this number that has just ended found all that was visible at it: no trim
    /// has gone beyond the number, or a snapshot has kept it readable.
    #[inline]
    pub(super) fn was_readable(&self, number: u64) -> bool {
        number >= self.floor() || self.has_snapshot(number)
    }

    #[cold]
    fn has_snapshot(&self, number: u64) -> bool {
        self.clock
            .locked(|state| state.snapshots().any(|of| of == number))
    }

    /// The highest floor of a trim, for statistics; without a store, or of an overwrite.
    pub(super) fn reported_floor(&self) -> u64 {
        match self.is_in_store() {
            true => self.write_floor.load(Ordering::Relaxed),
            false => self.floor(),
        }
    }

    /// The visible number, for statistics: in a store, that up to which everything is installed.
    pub(super) fn reported_visible(&self) -> u64 {
        let numbers = self.clock.numbers();
        numbers.map_or_else(|| self.visible(), NumberSource::installed)
    }

    /// The number of snapshots, and the number of the oldest, for statistics.
    pub(super) fn open_snapshots(&self) -> (u64, Option<u64>) {
        self.clock
            .locked(|state| (state.snapshots().count() as u64, state.snapshots().min()))
    }
}

/// Raises a floor before versions are removed. Under the lock.
fn raise(floor: &AtomicU64, to: u64) {
    if Line::FloorBeforeUnlinking.is_enabled() && floor.load(Ordering::Relaxed) < to {
        // SeqCst, as the stores that unlink, which follow; and see `quiet`.
        floor.store(to, Ordering::SeqCst);
    }
}

/// The points of an overwrite up to `floor`; `None` if there are too many snapshots.
#[inline]
fn few_points(floor: u64, snapshots: impl Iterator<Item = u64>) -> Option<FewPoints> {
    let mut below = ArrayVec::new();
    for number in snapshots.filter(|&number| number < floor) {
        below.try_push(number).ok()?;
    }
    below.sort_unstable_by(|a, b| b.cmp(a));
    Some(ReadPoints {
        floor,
        snapshots: below,
        floor_is_closed: false,
    })
}
