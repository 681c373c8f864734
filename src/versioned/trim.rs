//! Removes versions that no reader needs.
//!
//! A reader at a number sees, of a key, the newest version at or below that number and, if that is
//! a merge operand, the older ones down to the first that is none; nothing that a range tombstone
//! covers. A trim goes from the floor to each snapshot below it, in descending order, marks what
//! each sees, and removes the versions between: a run for each gap. Finding a gap costs a search
//! for each number that is read at, not a step for each version above. What is left at the old end
//! of a list and is a tombstone at or below the floor hides nothing, and is removed, too.

use std::ops::{ControlFlow, Deref};
use std::sync::Mutex;

use super::VersionedTree;
use super::change::Removed;
use super::entry::Kind;
use super::list::List;
use super::numbers::ReadPoints;
use super::range_tombstones::Covers;
use super::run::TombstoneRef;
use super::write::Refused;
use crate::annotate::Owned;
use crate::errno;
use crate::index::memory::{OutOfMemory, Source, Vector, append};
use crate::index::reclaim::Pinned;
use crate::index::tree::{Bound, Decision, Range};
use crate::sync::{AtomicU32, Ordering, Wait};

/// Where the next trim goes on. A pass visits the keys first, and then the range tombstones.
pub(super) struct Position {
    /// The next key to visit; among the range tombstones, the key of the next one from which to examine
    /// it. Empty: the first.
    pub(super) key: Vector<u8>,
    /// The range tombstones to examine, the next one last; none as long as keys are visited. Only trims
    /// free range tombstones, so they are live.
    pub(super) ranges: Vector<TombstoneRef<'static>>,
}

/// The position; `None` while a thread trims: the lock is not held meanwhile, since a trim runs the
/// user's allocator.
pub(super) struct TrimPosition {
    position: Mutex<Option<Position>>,
    /// How many threads have paused trims. Increased before the lock is taken, and loaded under it: a trim that
    /// takes the position after a thread has seen it there finds the pause.
    pauses: AtomicU32,
}

/// How often `pause` waits for a trim. One in the background ends in a few milliseconds.
const MOST_WAITS: u32 = 3000;

impl TrimPosition {
    pub(super) fn new(source: Source) -> Self {
        Self {
            position: Mutex::new(Some(Position {
                key: Vector::new_in(source),
                ranges: Vector::new_in(source),
            })),
            pauses: AtomicU32::new(0),
        }
    }

    /// Takes the position, unless another thread trims, or has paused trims.
    fn take(&self) -> Option<Position> {
        let mut position = Owned::from(errno::lock(&self.position));
        match self.pauses.load(Ordering::Relaxed) {
            0 => position.take(),
            _ => None,
        }
    }

    /// Lets the next trim go on at a position.
    fn set(&self, position: Position) {
        *Owned::from(errno::lock(&self.position)) = Some(position);
    }

    /// Waits for a trim; none begins until the result is dropped. Ends: the wait is bounded, since a trim
    /// calls the user's allocator, which may wait for this thread.
    pub(super) fn pause(&self) -> Paused<'_> {
        self.pauses.fetch_add(1, Ordering::Relaxed);
        let wait = Wait::new();
        for _ in 0..MOST_WAITS {
            if Owned::from(errno::lock(&self.position)).is_some() {
                break;
            }
            wait.wait();
        }
        Paused(self)
    }
}

/// Keeps threads from trimming.
pub(super) struct Paused<'p>(&'p TrimPosition);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.pauses.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What a trim did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trimmed {
    /// Versions and range tombstones that were removed.
    pub(crate) freed: usize,
    /// Whether the trim reached the end; the next one begins at the first key.
    pub(crate) ended: bool,
}

/// The most versions that an overwrite frees, under the lock of the key's leaf: as many as keep up
/// with the writes, and some more after a snapshot was closed.
const MOST_OF_OVERWRITE: usize = 4;

/// Consecutive versions that nothing can read.
pub(super) struct Gap {
    pub(super) highest: u64,
    pub(super) lowest: u64,
    /// The number at which the search for the next gap begins.
    resume: Option<u64>,
}

/// What trims of one pass share.
pub(super) struct Pass<'p, S> {
    pub(super) points: &'p ReadPoints<S>,
    pub(super) covers: Covers<'p>,
}

impl<S: Deref<Target = [u64]>> Pass<'_, S> {
    /// Returns the first gap in a list, from the reader at `point` on; `None` if there is none.
    pub(super) fn next_gap(
        &self,
        key: &[u8],
        list: List<'_>,
        mut point: Option<u64>,
    ) -> Option<Gap> {
        // Ends: the points fall.
        while let Some(at) = point {
            let cover = self.covers.at(key, at);
            let mut next = list.at(at);
            // The number of the oldest version that the reader needs.
            let mut needed = at.saturating_add(1);
            // Ends: the numbers fall.
            while let Some(version) = next.filter(|version| version.number() >= cover) {
                needed = version.number();
                next = version.older();
                if version.kind() != Kind::Merge {
                    break;
                }
            }
            let below = self.points.below(needed.min(at));
            let lowest = below.map_or(1, |below| below + 1);
            match next.filter(|version| version.number() >= lowest) {
                Some(version) => {
                    return Some(Gap {
                        highest: version.number(),
                        lowest,
                        resume: below,
                    });
                }
                None => point = below,
            }
        }
        // What a batch has found stays until its mark is resolved.
        if !self.points.floor_is_closed || list.has_mark() {
            return None;
        }
        let oldest = list.oldest()?;
        let is_obsolete = oldest.is_tombstone() && oldest.number() <= self.points.floor;
        is_obsolete.then(|| Gap {
            highest: oldest.number(),
            lowest: oldest.number(),
            resume: None,
        })
    }
}

impl VersionedTree<'_> {
    /// Removes versions that no reader at or above `floor`, nor at a snapshot, can see, keys without a
    /// version, and range tombstones that hide nothing. Removes versions, and examines keys and range
    /// tombstones, at most `budget` together, beginning where the last trim ended. Does nothing while
    /// another thread trims. Fails only if nothing was removed.
    pub(crate) fn trim(
        self,
        pin: Pinned<'_>,
        floor: u64,
        budget: usize,
    ) -> Result<Trimmed, Refused> {
        let mut trimmed = Trimmed {
            freed: 0,
            ended: false,
        };
        if self.is_append_only() {
            return Err(Refused::AppendOnly);
        }
        if self.is_sealed() {
            return Err(Refused::Sealed);
        }
        let Some(mut position) = self.versions.trim.take() else {
            return Ok(trimmed);
        };
        let outcome = self.trim_from(pin, floor, budget, &mut position, &mut trimmed);
        self.versions.trim.set(position);
        match outcome {
            Err(OutOfMemory) if trimmed.freed == 0 => Err(Refused::OutOfMemory),
            _ => Ok(trimmed),
        }
    }

    /// Trims from a position on, and moves it to where the next trim begins; without memory for that,
    /// leaves it.
    fn trim_from(
        self,
        pin: Pinned<'_>,
        floor: u64,
        budget: usize,
        position: &mut Position,
        trimmed: &mut Trimmed,
    ) -> Result<(), OutOfMemory> {
        let highest = || self.versions.counts.highest();
        let snapshots = Vector::new_in(self.tree.allocator());
        let points = (self.versions.numbers).begin_trim(floor, highest, snapshots)?;
        let pass = Pass {
            points: &points,
            covers: self.versions.ranges.load(pin),
        };
        let mut left = budget;
        let mut more = false;
        if position.ranges.is_empty() {
            if !self.trim_keys(pin, &pass, &mut position.key, &mut left, trimmed)? {
                return Ok(());
            }
            more = self.begin_ranges(pin, points.floor, position)?;
        }
        trimmed.ended = self.trim_ranges(pin, &pass, position, &mut left, trimmed)? && !more;
        Ok(())
    }

    /// Visits keys from `start` on, as long as budget is left; stores in `start` where to go on. Returns
    /// whether it reached the last key.
    fn trim_keys(
        self,
        pin: Pinned<'_>,
        pass: &Pass<'_, impl Deref<Target = [u64]>>,
        start: &mut Vector<u8>,
        left: &mut usize,
        trimmed: &mut Trimmed,
    ) -> Result<bool, OutOfMemory> {
        let range = Range {
            lower: Bound::Included(&start[..]),
            ..Range::all()
        };
        let mut end = Vector::new_in(self.tree.allocator());
        let mut outcome = Ok(true);
        self.tree.scan(pin, &range, &mut |key, word| {
            if *left == 0 {
                outcome = copy(key, &mut end).map(|()| false);
                return ControlFlow::Break(());
            }
            // SAFETY: the word was found under this pin.
            let list = unsafe { List::new(word) };
            if pass.next_gap(key, list, Some(pass.points.floor)).is_none() {
                *left -= 1;
                return ControlFlow::Continue(());
            }
            match self.trim_key(pin, key, pass, left, &mut trimmed.freed) {
                Ok(true) => return ControlFlow::Continue(()),
                Ok(false) => outcome = copy(key, &mut end).map(|()| false),
                Err(OutOfMemory) => outcome = Err(OutOfMemory),
            }
            ControlFlow::Break(())
        })?;
        if outcome.is_ok() {
            *start = end;
        }
        outcome
    }

    /// Removes the gaps in the list of a key, as long as budget is left. Returns whether no gap is
    /// left.
    fn trim_key(
        self,
        pin: Pinned<'_>,
        key: &[u8],
        pass: &Pass<'_, impl Deref<Target = [u64]>>,
        left: &mut usize,
        freed: &mut usize,
    ) -> Result<bool, OutOfMemory> {
        let mut point = Some(pass.points.floor);
        // Ends: each round but the last removes a version, of finitely many at or below the floor.
        while *left > 0 {
            let mut removed: Option<Removed<'_>> = None;
            let mut resume = None;
            self.tree.write(pin, key, |present| {
                // SAFETY: the list does not change while the leaf is locked.
                let Some(list) = present.map(|word| unsafe { List::new(word) }) else {
                    return Decision::Keep;
                };
                let Some(gap) = pass.next_gap(key, list, point) else {
                    return Decision::Keep;
                };
                resume = gap.resume;
                // SAFETY: this thread owns the lock of the key's leaf, the decision is applied, and
                // what is removed is retired below.
                let (decision, run) = unsafe { list.remove(gap.highest, gap.lowest, *left) };
                removed = run;
                decision
            })?;
            let Some(run) = removed else {
                return Ok(true);
            };
            self.discount(pin, &run);
            *left = left.saturating_sub(run.count);
            *freed += run.count;
            // A run that the budget cut short is found again.
            if *left > 0 {
                point = resume;
            }
            run.retire(pin);
        }
        Ok(false)
    }
}

impl VersionedTree<'_> {
    /// Removes versions that an overwrite has made unreadable, at most [`MOST_OF_OVERWRITE`], from
    /// the list of a key: a reader at the latest number sees the new version, one at a snapshot
    /// what it saw before. Returns what happens to the word under the key, and what was removed.
    ///
    /// # Safety
    /// The caller owns the lock of the key's leaf, and has inserted a version into the list `word`.
    /// It applies the decision before it unlocks the leaf, and retires what is returned after that. In
    /// a store, readers without a snapshot read at `latest` or above.
    pub(super) unsafe fn remove_overwritten<'g>(
        self,
        pin: Pinned<'_>,
        key: &[u8],
        word: u64,
        latest: u64,
    ) -> (Decision, Option<Removed<'g>>) {
        // SAFETY: by contract.
        let list = unsafe { List::new(word) };
        if list.count() < 2 {
            return (Decision::Keep, None);
        }
        let numbers = &self.versions.numbers;
        let points = match numbers.is_in_store() {
            true => numbers.begin_overwrite_in_store(latest),
            false => numbers.begin_overwrite(|| self.versions.counts.highest()),
        };
        let Some(points) = points else {
            return (Decision::Keep, None);
        };
        let pass = Pass {
            points: &points,
            covers: self.versions.ranges.load(pin),
        };
        let Some(gap) = pass.next_gap(key, list, Some(points.floor)) else {
            return (Decision::Keep, None);
        };
        // SAFETY: by contract.
        unsafe { list.remove(gap.highest, gap.lowest, MOST_OF_OVERWRITE) }
    }

    /// [`Self::remove_overwritten`] after an insert, which was decided for the word `present`. Returns what
    /// happens to that word.
    ///
    /// # Safety
    /// As `remove_overwritten`; the caller does not apply `decision` itself.
    pub(super) unsafe fn remove_hidden<'g>(
        self,
        pin: Pinned<'_>,
        key: &[u8],
        present: Option<u64>,
        decision: Decision,
        latest: u64,
    ) -> (Decision, Option<Removed<'g>>) {
        let word = match decision {
            Decision::Set(word) => word,
            _ => present.expect("an insert into an absent list sets the word"),
        };
        // SAFETY: by contract.
        match unsafe { self.remove_overwritten(pin, key, word, latest) } {
            (Decision::Keep, removed) => (decision, removed),
            changed => changed,
        }
    }

    /// Counts versions as removed.
    pub(super) fn discount(self, pin: Pinned<'_>, removed: &Removed<'_>) {
        for version in removed.versions() {
            self.versions.counts.count(pin, version, -1);
        }
    }
}

pub(super) fn copy(key: &[u8], to: &mut Vector<u8>) -> Result<(), OutOfMemory> {
    to.try_reserve(key.len()).map_err(|_| OutOfMemory)?;
    append(to, key);
    Ok(())
}
