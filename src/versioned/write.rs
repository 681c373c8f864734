//! Stores versions.

use super::change::{Inserted, Removed};
use super::entry::{Digest, Kind, MAX_NUMBER, NewVersion, Version};
use super::list::{List, Long};
use super::numbers::GroupFault;
use super::{Freeing, VersionedTree};
use crate::index::memory::OutOfMemory;
use crate::index::reclaim::Pinned;
use crate::index::tree::Decision;
use crate::protocol::Line;

/// A version to store.
#[derive(Clone, Copy)]
pub(crate) struct Put<'v> {
    pub(crate) number: u64,
    pub(crate) kind: Kind,
    pub(crate) digest: Option<Digest>,
    pub(crate) bytes: &'v [u8],
}

/// Why a write changed nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    OutOfMemory,
    /// The tree is sealed.
    Sealed,
    /// The tree is append-only.
    AppendOnly,
    /// The tree is a store's.
    InStore,
    /// The number is 0 or too great, at or below the floor of a trim, or published already.
    Number,
    /// The bytes do not contain the key, as those of the tree's versions do.
    OtherKey,
    /// The key has a version with this number.
    Exists,
    /// The key has a version with this number, which is greater.
    Newer(u64),
}

impl From<OutOfMemory> for Refused {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl VersionedTree<'_> {
    /// Refuses writes to a sealed tree and to a store's, and numbers that must not be stored any more.
    pub(super) fn admit_write(self, number: u64) -> Result<(), Refused> {
        if self.is_sealed() {
            return Err(Refused::Sealed);
        }
        let is_valid = (1..=MAX_NUMBER).contains(&number);
        match is_valid && self.versions.numbers.admits(number) {
            true => Ok(()),
            false if self.is_of_store() => Err(Refused::InStore),
            false => Err(Refused::Number),
        }
    }

    /// Stores a version of a key. With `unless_newer`, only if the key has no newer one.
    pub(crate) fn put(
        self,
        pin: Pinned<'_>,
        key: &[u8],
        put: &Put<'_>,
        unless_newer: bool,
    ) -> Result<(), Refused> {
        self.admit_write(put.number)?;
        let admit = || self.admit_write(put.number);
        self.insert(pin, key, put, unless_newer, put.number, admit)
    }

    /// [`Self::put`] without the first check; `admit` is called under the lock of the key's leaf. If
    /// overwrites free versions in a store's tree, readers read at `latest`.
    #[inline]
    pub(super) fn insert(
        self,
        pin: Pinned<'_>,
        key: &[u8],
        put: &Put<'_>,
        unless_newer: bool,
        latest: u64,
        admit: impl Fn() -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let memory = &pin.domain().memory;
        let keys = pin.keys();
        // SAFETY: bytes that are about to be stored.
        if keys.exists() && unsafe { keys.in_bytes(put.bytes).as_ref() } != key {
            return Err(Refused::OtherKey);
        }
        let new = NewVersion::make(memory, put.number, put.kind, put.digest, put.bytes)?;
        let mut head = None;
        // Ends: the second round has a head for the list, which is all that a round may lack.
        loop {
            let mut outcome = Ok(true);
            let mut removed: Option<Removed<'_>> = None;
            self.tree.write(pin, key, |present| {
                if Line::WritesAreAboveFloor.is_enabled()
                    && let Err(refused) = admit()
                {
                    outcome = Err(refused);
                    return Decision::Keep;
                }
                if unless_newer
                    && let Some(newest) = newest_of(present)
                    && newest > put.number
                {
                    outcome = Err(Refused::Newer(newest));
                    return Decision::Keep;
                }
                // SAFETY: this thread owns the lock of the key's leaf, and the decision is applied.
                match unsafe { List::insert(present, new.version(), &mut head) } {
                    Inserted::Done(decision)
                        if self.versions.freeing == Freeing::WhenOverwritten =>
                    {
                        // A snapshot that is opened from now on reads the new version.
                        self.versions.counts.note_number(pin, put.number);
                        // SAFETY: as above; what is removed is retired below.
                        let (decision, run) =
                            unsafe { self.remove_hidden(pin, key, present, decision, latest) };
                        removed = run;
                        return decision;
                    }
                    Inserted::Done(decision) => return decision,
                    Inserted::Exists => outcome = Err(Refused::Exists),
                    Inserted::NeedsHead => outcome = Ok(false),
                }
                Decision::Keep
            })?;
            if let Some(removed) = removed {
                self.discount(pin, &removed);
                removed.retire(pin);
            }
            if outcome? {
                break;
            }
            head = Some(Long::make(memory)?);
        }
        let version: Version<'_> = new.version();
        new.stored();
        self.versions.counts.count(pin, version, 1);
        self.versions.counts.note_number(pin, put.number);
        Ok(())
    }

    /// Hands out `count` consecutive numbers, as a group that is pending until it is published.
    pub(crate) fn take_numbers(self, count: u64) -> Result<u64, GroupFault> {
        if self.is_of_store() {
            return Err(GroupFault::InStore);
        }
        let highest = self.versions.counts.highest();
        self.versions.numbers.take(count, highest)
    }

    /// Publishes the group that begins at a number. Returns the visible number.
    pub(crate) fn publish(self, first: u64) -> Result<u64, GroupFault> {
        if self.is_of_store() {
            return Err(GroupFault::InStore);
        }
        self.versions.numbers.publish(first)
    }
}

/// Returns the number of the newest version in the list of a key whose leaf is locked.
fn newest_of(present: Option<u64>) -> Option<u64> {
    // SAFETY: the list does not change while the leaf is locked.
    let list = unsafe { List::new(present?) };
    list.newest().map(Version::number)
}
