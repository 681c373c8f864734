//! Scans: of what is visible at a number, and of all versions.

use std::ops::ControlFlow;

use super::entry::{MAX_NUMBER, Version};
use super::list::List;
use super::range_tombstones::Covers;
use super::{LATEST, Snapshot, VersionedTree};
use crate::index::memory::OutOfMemory;
use crate::index::reclaim::Pinned;
use crate::index::tree::{Bound, Delimited, Entry, Range};

/// One end of a range of versions: a key and a number. Versions are in the order of their keys;
/// those of a key are in descending order of their numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum VersionBound<'k> {
    Open,
    Included(&'k [u8], u64),
    Excluded(&'k [u8], u64),
}

/// The versions that a scan visits, and the direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct VersionRange<'k> {
    pub(crate) lower: VersionBound<'k>,
    pub(crate) upper: VersionBound<'k>,
    /// Visits only versions with greater numbers.
    pub(crate) since: u64,
    /// Visits at most this many versions.
    pub(crate) limit: usize,
    pub(crate) reverse: bool,
}

impl<'k> VersionBound<'k> {
    fn key(self) -> Option<(&'k [u8], u64)> {
        match self {
            Self::Open => None,
            Self::Included(key, number) | Self::Excluded(key, number) => Some((key, number)),
        }
    }

    /// The keys in which versions may be within this bound.
    fn keys(self) -> Bound<'k> {
        self.key()
            .map_or(Bound::Open, |(key, _)| Bound::Included(key))
    }
}

impl VersionRange<'_> {
    /// Whether the lower bound is behind the upper.
    pub(crate) fn is_reversed(&self) -> bool {
        match (self.lower.key(), self.upper.key()) {
            (Some(lower), Some(upper)) => lower.0.cmp(upper.0).then(upper.1.cmp(&lower.1)).is_gt(),
            _ => false,
        }
    }

    /// The greatest and the smallest number of a key's versions in the range; the first is smaller
    /// if there is none.
    fn numbers(&self, key: &[u8]) -> (u64, u64) {
        let (mut highest, mut lowest) = (MAX_NUMBER, self.since.saturating_add(1));
        match self.lower {
            VersionBound::Included(of, number) if of == key => highest = number.min(highest),
            VersionBound::Excluded(of, number) if of == key => {
                highest = number.saturating_sub(1).min(highest);
            }
            _ => {}
        }
        match self.upper {
            VersionBound::Included(of, number) if of == key => lowest = number.max(lowest),
            VersionBound::Excluded(of, number) if of == key => {
                lowest = number.saturating_add(1).max(lowest);
            }
            _ => {}
        }
        (highest, lowest)
    }
}

/// What a scan at a number sees.
struct Visible<'t, 'g> {
    number: u64,
    covers: Covers<'g>,
    /// A scan reads at one number for long: a trim must not overtake it.
    _snapshot: Option<Snapshot<'t>>,
}

impl<'t, 'g> Visible<'t, 'g> {
    /// What is visible at a number; at [`LATEST`], at that of a snapshot.
    fn at(of: VersionedTree<'t>, pin: Pinned<'g>, number: u64) -> Result<Self, OutOfMemory> {
        let snapshot = (number == LATEST).then(|| of.snapshot()).transpose()?;
        let number = snapshot
            .as_ref()
            .map_or(number, |snapshot| snapshot.number());
        Ok(Self {
            number: of.versions.numbers.readable(number),
            // Before the lists: see `range_tombstones`.
            covers: of.versions.ranges.load(pin),
            _snapshot: snapshot,
        })
    }

    /// Returns the version that is visible under a key, whose word was found under the pin.
    fn version(&self, key: &[u8], word: u64) -> Option<Version<'g>> {
        // SAFETY: the word was found under the pin.
        let list: List<'g> = unsafe { List::new(word) };
        let version = list.at(self.number)?;
        let is_visible =
            !version.is_tombstone() && version.number() >= self.covers.at(key, self.number);
        is_visible.then_some(version)
    }
}

impl VersionedTree<'_> {
    /// Visits the keys of a range that have a value or a merge operand at a number, with that
    /// version. Returns how many were visited in `visited`, also if memory runs out.
    pub(crate) fn scan_at<'g>(
        self,
        pin: Pinned<'g>,
        range: &Range<'_>,
        number: u64,
        visited: &mut usize,
        mut visit: impl FnMut(&[u8], Version<'g>) -> ControlFlow<()>,
    ) -> Result<(), OutOfMemory> {
        let all = Range {
            limit: usize::MAX,
            values_only: false,
            ..*range
        };
        if range.limit == 0 {
            return Ok(());
        }
        let seen = Visible::at(self, pin, number)?;
        self.tree.scan(pin, &all, &mut |key, word| {
            let Some(version) = seen.version(key, word) else {
                return ControlFlow::Continue(());
            };
            *visited += 1;
            visit(key, version)?;
            match *visited < range.limit {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            }
        })?;
        Ok(())
    }

    /// As [`Self::scan_at`], with keys rolled up by a delimiter; a common prefix is visited if a key that
    /// begins with it is visible. To find that key, the scan steps over all those before it that are not.
    pub(crate) fn scan_delimited_at<'g>(
        self,
        pin: Pinned<'g>,
        of: &Delimited<'_>,
        number: u64,
        visited: &mut usize,
        visit: impl FnMut(Entry<'_, Version<'g>>) -> ControlFlow<()>,
    ) -> Result<(), OutOfMemory> {
        if of.range.limit == 0 {
            return Ok(());
        }
        let seen = Visible::at(self, pin, number)?;
        let see = |key: &[u8], word| seen.version(key, word);
        self.tree.scan_delimited(pin, of, visited, see, visit)
    }

    /// Visits the versions of a range, tombstones among them. Returns how many were visited in
    /// `visited`, also if memory runs out.
    pub(crate) fn scan_versions<'g>(
        self,
        pin: Pinned<'g>,
        range: &VersionRange<'_>,
        visited: &mut usize,
        mut visit: impl FnMut(&[u8], Version<'g>) -> ControlFlow<()>,
    ) -> Result<(), OutOfMemory> {
        let keys = Range {
            lower: range.lower.keys(),
            upper: range.upper.keys(),
            reverse: range.reverse,
            ..Range::all()
        };
        if range.limit == 0 {
            return Ok(());
        }
        self.tree.scan(pin, &keys, &mut |key, word| {
            // SAFETY: the word was found under this pin.
            let list: List<'g> = unsafe { List::new(word) };
            let (highest, lowest) = range.numbers(key);
            let highest = self.versions.numbers.readable(highest);
            let mut next = match range.reverse {
                false => list.at(highest),
                true => list.newer_than(lowest - 1),
            };
            // Ends: the numbers fall or, in reverse, rise.
            while let Some(version) = next {
                if !(lowest..=highest).contains(&version.number()) {
                    break;
                }
                *visited += 1;
                visit(key, version)?;
                if *visited >= range.limit {
                    return ControlFlow::Break(());
                }
                next = match range.reverse {
                    false => version.older(),
                    true => list.newer_than(version.number()),
                };
            }
            ControlFlow::Continue(())
        })?;
        Ok(())
    }

    /// Visits the keys of a range whose newest decided version, which may be a tombstone, has a number
    /// greater than `since`. The range's limit counts for nothing.
    pub(crate) fn scan_changed(
        self,
        pin: Pinned<'_>,
        range: &Range<'_>,
        since: u64,
        mut visit: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<(), OutOfMemory> {
        let all = Range {
            limit: usize::MAX,
            values_only: false,
            ..*range
        };
        self.tree.scan(pin, &all, &mut |key, word| {
            // SAFETY: the word was found under this pin.
            let newest = unsafe { List::new(word) }.newest();
            match newest.is_some_and(|newest| newest.number() > since) {
                true => visit(key),
                false => ControlFlow::Continue(()),
            }
        })?;
        Ok(())
    }
}
