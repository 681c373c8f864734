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
use super::write::Refused;
use crate::annotate::Owned;
use crate::errno;
use crate::index::memory::{OutOfMemory, Source, Vector};
use crate::index::reclaim::Pinned;
use crate::index::tree::{Bound, Decision, Range};

/// The key at which the next trim begins; empty: the first. `None` while a thread trims: the lock
/// is not held meanwhile, since a trim runs the user's allocator.
pub(super) struct TrimPosition {
    key: Mutex<Option<Vector<u8>>>,
}

impl TrimPosition {
    pub(super) fn new(source: Source) -> Self {
        Self {
            key: Mutex::new(Some(Vector::new_in(source))),
        }
    }

    /// Takes the key, unless another thread trims.
    fn take(&self) -> Option<Vector<u8>> {
        Owned::from(errno::lock(&self.key)).take()
    }

    /// Lets the next trim begin at `key`.
    fn set(&self, key: Vector<u8>) {
        *Owned::from(errno::lock(&self.key)) = Some(key);
    }
}

/// What a trim did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Trimmed {
    /// Versions that were removed.
    pub(crate) freed: usize,
    /// Whether the trim reached the last key; the next one begins at the first.
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
        if !self.points.floor_is_closed {
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
    /// Removes versions that no reader at or above `floor`, nor at a snapshot, can see, and keys
    /// without a version. Removes versions and examines keys that have none to remove, at most
    /// `budget` together, beginning where the last trim ended. Does nothing while another thread
    /// trims. Fails only if nothing was removed.
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
        if self.is_sealed() {
            return Err(Refused::Sealed);
        }
        let Some(start) = self.versions.trim.take() else {
            return Ok(trimmed);
        };
        let mut end = Vector::new_in(self.tree.allocator());
        let outcome = self.trim_from(pin, floor, budget, &start, &mut end, &mut trimmed);
        // Without memory for the key that it reached, the next trim begins where this one did.
        let reached = if outcome.is_ok() { end } else { start };
        self.versions.trim.set(reached);
        match outcome {
            Err(OutOfMemory) if trimmed.freed == 0 => Err(Refused::OutOfMemory),
            _ => Ok(trimmed),
        }
    }

    /// Trims from the key `start` on; stores in `end` at which key the next trim begins.
    fn trim_from(
        self,
        pin: Pinned<'_>,
        floor: u64,
        budget: usize,
        start: &[u8],
        end: &mut Vector<u8>,
        trimmed: &mut Trimmed,
    ) -> Result<(), OutOfMemory> {
        let highest = || self.versions.counts.highest();
        let snapshots = Vector::new_in(self.tree.allocator());
        let points = (self.versions.numbers).begin_trim(floor, highest, snapshots)?;
        let pass = Pass {
            points: &points,
            covers: self.versions.ranges.load(pin),
        };
        let range = Range {
            lower: Bound::Included(start),
            ..Range::all()
        };
        let mut left = budget;
        let mut outcome = Ok(());
        let mut stopped = false;
        self.tree.scan(pin, &range, &mut |key, word| {
            if left == 0 {
                stopped = true;
                outcome = copy(key, end);
                return ControlFlow::Break(());
            }
            // SAFETY: the word was found under this pin.
            let list = unsafe { List::new(word) };
            if pass.next_gap(key, list, Some(points.floor)).is_none() {
                left -= 1;
                return ControlFlow::Continue(());
            }
            match self.trim_key(pin, key, &pass, &mut left, &mut trimmed.freed) {
                Ok(true) => return ControlFlow::Continue(()),
                Ok(false) => outcome = copy(key, end),
                Err(OutOfMemory) => outcome = Err(OutOfMemory),
            }
            stopped = true;
            ControlFlow::Break(())
        })?;
        trimmed.ended = !stopped;
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
    /// It applies the decision before it unlocks the leaf, and retires what is returned after that.
    pub(super) unsafe fn remove_overwritten<'g>(
        self,
        pin: Pinned<'_>,
        key: &[u8],
        word: u64,
    ) -> (Decision, Option<Removed<'g>>) {
        // SAFETY: by contract.
        let list = unsafe { List::new(word) };
        if list.count() < 2 {
            return (Decision::Keep, None);
        }
        let highest = || self.versions.counts.highest();
        let Some(points) = self.versions.numbers.begin_overwrite(highest) else {
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

    /// Counts versions as removed.
    pub(super) fn discount(self, pin: Pinned<'_>, removed: &Removed<'_>) {
        for version in removed.versions() {
            self.versions.counts.count(pin, version, -1);
        }
    }
}

fn copy(key: &[u8], to: &mut Vector<u8>) -> Result<(), OutOfMemory> {
    to.try_reserve(key.len()).map_err(|_| OutOfMemory)?;
    to.extend_from_slice(key);
    Ok(())
}
