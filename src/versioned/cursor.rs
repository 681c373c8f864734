//! Cursors over what is visible at a number, or over all versions.
//!
//! A cursor is one of the index and a position in the list of its key. It keeps a copy of the key:
//! a call that finds nothing has moved the index's cursor, and the next step begins with a seek from
//! the copy.
//!
//! A seek takes the list that the index's cursor found together with the key, and never looks the
//! key up again: an insert in between cannot move it to a key outside of what was sought.
//!
//! A move loads the range tombstones before the index's cursor moves ([`Line::RangesBeforeList`]): the
//! index's cursor reads the word of the key at which it arrives during its own move, whatever it has
//! copied of the leaf before.

use super::entry::Version;
use super::list::List;
use super::range_tombstones::Covers;
use super::{LATEST, Snapshot, VersionedTree};
use crate::index::memory::{OutOfMemory, Source, Vector, append};
use crate::index::reclaim::Pinned;
use crate::index::tree::{Cursor, Seek};
use crate::protocol::Line;

/// What a cursor stops at.
enum Stops<'t> {
    /// Keys with a value or a merge operand at a number, which a snapshot may keep.
    Visible {
        number: u64,
        snapshot: Option<Snapshot<'t>>,
    },
    /// All versions with greater numbers.
    Versions { since: u64 },
}

/// A position in a versioned tree. Before a call with a pin of another guard, or after the guard
/// was refreshed, call [`VersionCursor::detach`].
pub(crate) struct VersionCursor<'t, 'g> {
    stops: Stops<'t>,
    cursor: Cursor<'g>,
    /// The key at which the cursor is, if `at` is set.
    key: Vector<u8>,
    at: Option<At<'g>>,
    /// Whether the index's cursor is at `key`.
    is_in_place: bool,
}

struct At<'g> {
    number: u64,
    /// `None` after [`VersionCursor::detach`].
    version: Option<Version<'g>>,
}

impl<'t, 'g> VersionCursor<'t, 'g> {
    /// A cursor without a position, with memory from `source`. At [`LATEST`] it opens a snapshot for as
    /// long as it lives.
    pub(crate) fn at_number(
        of: VersionedTree<'t>,
        source: Source,
        number: u64,
    ) -> Result<Self, OutOfMemory> {
        let snapshot = (number == LATEST)
            .then(|| of.snapshot_in(source))
            .transpose()?;
        let number = snapshot
            .as_ref()
            .map_or(number, |snapshot| snapshot.number());
        let number = of.versions.numbers.readable(number);
        Ok(Self::new(of, source, Stops::Visible { number, snapshot }))
    }

    /// A cursor without a position, at a number that stays readable as long as it is used.
    pub(super) fn visible_at(of: VersionedTree<'t>, source: Source, number: u64) -> Self {
        let snapshot = None;
        Self::new(of, source, Stops::Visible { number, snapshot })
    }

    /// A cursor over versions with numbers greater than `since`.
    pub(crate) fn over_versions(of: VersionedTree<'t>, source: Source, since: u64) -> Self {
        Self::new(of, source, Stops::Versions { since })
    }

    fn new(of: VersionedTree<'t>, source: Source, stops: Stops<'t>) -> Self {
        Self {
            stops,
            cursor: Cursor::new_in(of.tree, source),
            key: Vector::new_in(source),
            at: None,
            is_in_place: false,
        }
    }

    /// Forgets every reference into the tree.
    pub(crate) fn detach(&mut self) {
        self.cursor.detach();
        if let Some(at) = &mut self.at {
            at.version = None;
        }
    }

    /// Whether the cursor stops at every version.
    pub(crate) fn is_over_versions(&self) -> bool {
        matches!(self.stops, Stops::Versions { .. })
    }

    /// The number at which the cursor reads; `LATEST` for all versions.
    pub(crate) fn number(&self) -> u64 {
        match &self.stops {
            Stops::Visible { snapshot, number } => {
                (snapshot.as_ref()).map_or(*number, |snapshot| snapshot.number())
            }
            Stops::Versions { .. } => LATEST,
        }
    }

    /// The key and the version at which the cursor is, unless it was detached.
    pub(crate) fn found(&self) -> Option<(&[u8], Version<'g>)> {
        let version = self.at.as_ref()?.version?;
        Some((&self.key[..], version))
    }

    /// The key at which the cursor is.
    pub(crate) fn key(&self) -> Option<&[u8]> {
        self.at.as_ref().map(|_| &self.key[..])
    }

    /// The version at which the cursor is; `None` if there is none, or if a trim has removed it
    /// since the guard was refreshed.
    pub(crate) fn version(
        &mut self,
        of: VersionedTree<'_>,
        pin: Pinned<'g>,
    ) -> Option<Version<'g>> {
        let at = self.at.as_mut()?;
        if at.version.is_none() {
            let version = of.list(pin, &self.key)?.at(at.number);
            at.version = version.filter(|version| version.number() == at.number);
        }
        at.version
    }

    /// Moves to the first position in a direction from the one that `seek` describes; over all
    /// versions, from the versions of the sought key with numbers of at most `number` on, or of at
    /// least `number` in reverse. Returns whether there is one; else the cursor does not move.
    pub(crate) fn seek(
        &mut self,
        of: VersionedTree<'_>,
        pin: Pinned<'g>,
        seek: Seek<'_>,
        number: Option<u64>,
    ) -> Result<bool, OutOfMemory> {
        let reverse = matches!(seek, Seek::Last | Seek::AtMost(_) | Seek::Below(_));
        let sought = match seek {
            Seek::AtLeast(key) | Seek::AtMost(key) => {
                number.map(|number| (key, of.versions.numbers.readable(number)))
            }
            _ => None,
        };
        let covers = of.versions.ranges.load(pin);
        let found = self.cursor.seek(of.tree, pin, seek)?;
        self.is_in_place = false;
        self.settle(of, pin, covers, found, reverse, sought)
    }

    /// Moves to the next position, or to the previous one if `reverse`. Without a position, moves
    /// to the first, or to the last. Returns whether there is one; else the cursor does not move.
    pub(crate) fn step(
        &mut self,
        of: VersionedTree<'_>,
        pin: Pinned<'g>,
        reverse: bool,
    ) -> Result<bool, OutOfMemory> {
        let Some(at) = &self.at else {
            let seek = if reverse { Seek::Last } else { Seek::First };
            return self.seek(of, pin, seek, None);
        };
        if let Stops::Versions { since } = self.stops {
            let number = at.number;
            let beside = match (at.version, reverse) {
                (Some(version), false) => version.older(),
                (None, false) => of.list(pin, &self.key).and_then(|list| list.at(number - 1)),
                (_, true) => of
                    .list(pin, &self.key)
                    .and_then(|list| list.newer_than(number)),
            };
            if let Some(version) = beside.filter(|version| version.number() > since) {
                self.at = Some(At {
                    number: version.number(),
                    version: Some(version),
                });
                return Ok(true);
            }
        }
        let covers = of.versions.ranges.load(pin);
        let found = match (self.is_in_place, reverse) {
            (true, _) => self.cursor.step(of.tree, pin, reverse)?,
            (false, false) => self.cursor.seek(of.tree, pin, Seek::Above(&self.key))?,
            (false, true) => self.cursor.seek(of.tree, pin, Seek::Below(&self.key))?,
        };
        self.is_in_place = false;
        self.settle(of, pin, covers, found, reverse, None)
    }

    /// Steps the index's cursor, which has found a key or not, to the first key at which the cursor
    /// stops.
    fn settle(
        &mut self,
        of: VersionedTree<'_>,
        pin: Pinned<'g>,
        covers: Covers<'g>,
        mut found: bool,
        reverse: bool,
        sought: Option<(&[u8], u64)>,
    ) -> Result<bool, OutOfMemory> {
        // Ends: each step moves to another key in the direction.
        while found {
            if let Some(version) = self.stop(of, pin, covers, reverse, sought) {
                let key = self.cursor.key().unwrap_or_default();
                let lacking = key.len().saturating_sub(self.key.len());
                self.key.try_reserve(lacking).map_err(|_| OutOfMemory)?;
                self.key.clear();
                append(&mut self.key, key);
                self.is_in_place = true;
                self.at = Some(At {
                    number: version.number(),
                    version: Some(version),
                });
                return Ok(true);
            }
            found = self.cursor.step(of.tree, pin, reverse)?;
        }
        Ok(false)
    }

    /// Returns the version of the index cursor's key at which the cursor stops, coming from this
    /// direction.
    fn stop(
        &mut self,
        of: VersionedTree<'_>,
        pin: Pinned<'g>,
        covers: Covers<'g>,
        reverse: bool,
        sought: Option<(&[u8], u64)>,
    ) -> Option<Version<'g>> {
        // The value that was found with the key.
        let word = self.cursor.value(of.tree, pin)?;
        let key = self.cursor.key()?;
        // SAFETY: the word was found under this pin.
        let list: List<'g> = unsafe { List::new(word) };
        match self.stops {
            Stops::Visible { number, .. } => {
                let version = list.at(number).filter(|version| !version.is_tombstone())?;
                let covers = match Line::RangesBeforeList.is_enabled() {
                    true => covers,
                    false => of.versions.ranges.load(pin),
                };
                let cover = covers.at(key, number);
                (version.number() >= cover).then_some(version)
            }
            Stops::Versions { since } => {
                let sought = sought
                    .filter(|(of, _)| *of == key)
                    .map(|(_, number)| number);
                let version = match (reverse, sought) {
                    (false, None) => list.newest(),
                    (false, Some(number)) => list.at(number),
                    (true, None) => list.newer_than(since),
                    (true, Some(number)) => list.newer_than(since.max(number.saturating_sub(1))),
                };
                version.filter(|version| version.number() > since)
            }
        }
    }
}
