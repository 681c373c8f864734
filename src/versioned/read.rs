//! Looks up a key at a number.

use std::ops::ControlFlow;
use std::ptr::NonNull;

use super::clock::Registered;
use super::entry::Version;
use super::list::List;
use super::range_tombstones::Covers;
use super::{LATEST, VersionCursor, VersionedTree};
use crate::index::key::Key;
use crate::index::memory::{OutOfMemory, with_stack};
use crate::index::reclaim::Pinned;
use crate::index::tree::Seek;
use crate::protocol::Line;

/// What a key has at a number.
#[derive(Clone, Copy)]
pub(crate) enum Found<'g> {
    /// No version.
    Nothing,
    /// A value, or the newest of some merge operands.
    Version(Version<'g>),
    /// The newest version is a tombstone.
    Tombstone(Version<'g>),
    /// A range tombstone with this number hides all versions, or there are none.
    Covered(u64),
}

/// Returns what a key with this list has at a number. The range tombstones were loaded before the list.
#[inline]
fn found<'g>(list: Option<List<'g>>, covers: Covers<'_>, key: &[u8], number: u64) -> Found<'g> {
    let cover = covers.at(key, number);
    let version = list.and_then(|list| list.at(number));
    match version.filter(|version| cover == 0 || version.number() >= cover) {
        None if cover == 0 => Found::Nothing,
        None => Found::Covered(cover),
        Some(version) if version.is_tombstone() => Found::Tombstone(version),
        Some(version) => Found::Version(version),
    }
}

impl<'t> VersionedTree<'t> {
    /// Returns what a key has at a number.
    #[inline]
    pub(crate) fn get<'g>(self, pin: Pinned<'g>, key: &[u8], number: u64) -> Found<'g> {
        self.get_covered(pin, key, number).0
    }

    /// [`Self::get`], which also returns the range tombstones that it has used.
    #[inline]
    fn get_covered<'g>(self, pin: Pinned<'g>, key: &[u8], number: u64) -> (Found<'g>, Covers<'g>) {
        self.read(number, |number| {
            let mut covers = self.versions.ranges.load(pin);
            let list = self.list(pin, key);
            if !Line::RangesBeforeList.is_enabled() {
                covers = self.versions.ranges.load(pin);
            }
            (found(list, covers, key, number), covers)
        })
    }

    /// Whether the newest decided version of a key, which may be a tombstone, has a number greater than
    /// `since`.
    pub(crate) fn has_changed(self, pin: Pinned<'_>, key: &[u8], since: u64) -> bool {
        let newest = self.list(pin, key).and_then(List::newest);
        newest.is_some_and(|newest| newest.number() > since)
    }

    /// Looks up several keys at one number; calls `report` with the index of each. After a trim has
    /// overtaken the reader, each is reported anew.
    pub(crate) fn get_each<'g, 'k>(
        self,
        pin: Pinned<'g>,
        count: usize,
        key_at: impl Fn(usize) -> Option<&'k [u8]>,
        number: u64,
        mut report: impl FnMut(usize, Found<'g>),
    ) {
        self.read_several(number, |number| {
            let covers = self.versions.ranges.load(pin);
            let index_key_at = |index| key_at(index).map(Key::new);
            self.tree.get_each(pin, count, index_key_at, |index, word| {
                let Some(key) = key_at(index) else { return };
                // SAFETY: the word was found under this pin.
                let list = word.map(|word| unsafe { List::new(word) });
                report(index, found(list, covers, key, number));
            });
        });
    }

    /// Calls `visit` with the versions that a reader at a number merges: operands, the newest
    /// first, down to a value or a tombstone, which is the last. Returns what the newest of them
    /// is. `visit` may be called again from the start, after `restart`, if a trim overtakes a read
    /// at [`LATEST`] before the first version was visited; it is not called before that is settled.
    pub(crate) fn get_operands<'g>(
        self,
        pin: Pinned<'g>,
        key: &[u8],
        number: u64,
        mut visit: impl FnMut(Version<'g>) -> ControlFlow<()>,
    ) -> Found<'g> {
        // Versions that are linked from one that was found are not freed before the pin ends, and
        // keep their links: the chain of the version that was found is whole. Range tombstones that were
        // loaded later might lack one that hides a part of this chain.
        let (found, covers) = self.get_covered(pin, key, number);
        let Found::Version(newest) = found else {
            if let Found::Tombstone(version) = found {
                _ = visit(version);
            }
            return found;
        };
        let cover = covers.at(key, newest.number());
        let mut next = Some(newest);
        // Ends: the numbers fall.
        while let Some(version) = next.filter(|version| version.number() >= cover) {
            let is_last = version.kind() != super::Kind::Merge;
            if visit(version).is_break() || is_last {
                break;
            }
            next = version.older();
        }
        found
    }

    /// Finds the key nearest to another one that a reader at a number sees; passes it and its version to
    /// `found`. `None` if there is no such key.
    pub(crate) fn seek<'g, R>(
        self,
        pin: Pinned<'g>,
        seek: Seek<'_>,
        number: u64,
        found: impl FnOnce(&[u8], Version<'g>) -> R,
    ) -> Result<Option<R>, OutOfMemory> {
        let seek_in = |source| {
            let cursor = self.read_several(number, |number| {
                let mut cursor = VersionCursor::visible_at(self, source, number);
                let is_there = cursor.seek(self, pin, seek, None)?;
                Ok(is_there.then_some(cursor))
            })?;
            let at = cursor.as_ref().and_then(VersionCursor::found);
            Ok(at.map(|(key, version)| found(key, version)))
        };
        // SAFETY: the cursors end there, and `R` cannot borrow their keys.
        unsafe { with_stack(self.tree.allocator(), seek_in) }
    }

    /// Whether a read at this number that has just ended found all that was visible at it. `false`:
    /// a trim to a higher floor has begun, and no snapshot is open at the number.
    #[inline]
    pub(crate) fn was_readable(self, number: u64) -> bool {
        self.versions.numbers.was_readable(number)
    }

    /// Calls `read` with the number at which a reader at `number` reads; once again, at a snapshot,
    /// if a trim or an overwrite has overtaken the reader.
    #[inline]
    pub(super) fn read<R>(self, number: u64, mut read: impl FnMut(u64) -> R) -> R {
        if number != LATEST {
            return read(self.versions.numbers.readable(number));
        }
        let visible = self.versions.numbers.visible();
        let result = read(visible);
        // After the list was read: see `Numbers::floor`.
        let checks = Line::LatestChecksFloor.is_enabled();
        if !checks || self.versions.numbers.floor() <= visible {
            return result;
        }
        self.read_at_snapshot(read)
    }

    /// [`Self::read`] for reads of several keys: in a store, a reader at [`LATEST`] finds the newest
    /// version of each key, so it would find a part of a batch that is committed meanwhile.
    #[inline]
    fn read_several<R>(self, number: u64, read: impl FnMut(u64) -> R) -> R {
        if number == LATEST && self.is_of_store() && Line::SeveralAtSnapshot.is_enabled() {
            return self.read_at_snapshot(read);
        }
        self.read(number, read)
    }

    /// Calls `read` with the number of a snapshot that is open meanwhile: nothing overtakes it.
    #[cold]
    fn read_at_snapshot<R>(self, read: impl FnOnce(u64) -> R) -> R {
        let mut registered = Registered::new();
        let snapshot = NonNull::from(&mut registered);
        let highest = || self.versions.counts.highest();
        // SAFETY: it does not move, and leaves the list below.
        unsafe { self.versions.numbers.add(snapshot, highest) };
        // SAFETY: only the list's neighbours of the snapshot write to it, and not its number.
        let number = unsafe { (*snapshot.as_ptr()).number };
        let result = read(number);
        // SAFETY: added above.
        unsafe { self.versions.numbers.remove(snapshot) };
        result
    }
}
