//! Snapshots: numbers at which everything stays readable.

use std::marker::PhantomData;
use std::ptr::NonNull;

use super::VersionedTree;
use super::clock::{Clock, Registered, milliseconds};
use crate::index::memory::{OutOfMemory, Source, Vector};
use crate::index::reclaim::generation;
use crate::index::tree::Tree;

/// A number at which a trim removes nothing, until the snapshot is closed.
pub(crate) struct Snapshot<'t> {
    registered: NonNull<Registered>,
    versioned: VersionedTree<'t>,
    /// The allocator of `registered`.
    source: Source,
    owns: PhantomData<Registered>,
}

// SAFETY: the list of snapshots has a lock, and the number does not change.
unsafe impl Send for Snapshot<'_> {}
// SAFETY: as for `Send`.
unsafe impl Sync for Snapshot<'_> {}

impl<'t> VersionedTree<'t> {
    /// Opens a snapshot at the visible number; in a tree from which no number was taken, at the
    /// highest number that was stored.
    pub(crate) fn snapshot(self) -> Result<Snapshot<'t>, OutOfMemory> {
        self.snapshot_in(self.tree.allocator())
    }

    /// [`Self::snapshot`], with memory from `source`.
    pub(super) fn snapshot_in(self, source: Source) -> Result<Snapshot<'t>, OutOfMemory> {
        let registered = source.make(Registered::new())?;
        let highest = || self.versions.counts.highest();
        // SAFETY: an allocation does not move; it is freed when it has left the list.
        unsafe { self.versions.numbers.add(registered, highest) };
        Ok(Snapshot {
            registered,
            versioned: self,
            source,
            owns: PhantomData,
        })
    }
}

impl Snapshot<'_> {
    pub(crate) fn number(&self) -> u64 {
        // SAFETY: live as long as the snapshot; the number does not change.
        unsafe { (*self.registered.as_ptr()).number }
    }

    pub(crate) fn tree(&self) -> &Tree {
        self.versioned.tree
    }
}

impl Drop for Snapshot<'_> {
    fn drop(&mut self) {
        let versions = self.versioned.versions;
        // SAFETY: it is in the list since it was made, and no other thread uses it.
        unsafe {
            versions.numbers.remove(self.registered);
            self.source.drop_and_free(self.registered);
        }
    }
}

/// A snapshot of all trees of a store: in each, everything that is visible at its number stays as it is, and
/// the bytes of those versions stay where they are, until the snapshot is dropped.
pub(crate) struct StoreSnapshot {
    registered: NonNull<Registered>,
    clock: Clock,
    /// The allocator of `registered`.
    source: Source,
    /// The process that opened it: see `reclaim::generation`.
    generation: u32,
}

// SAFETY: the list of snapshots has a lock, and the number does not change.
unsafe impl Send for StoreSnapshot {}
// SAFETY: as for `Send`.
unsafe impl Sync for StoreSnapshot {}

/// A snapshot that is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OpenSnapshot {
    pub(crate) number: u64,
    /// How long it has been open, in milliseconds.
    pub(crate) age: u64,
}

impl Clock {
    /// Opens a snapshot of the trees of the clock's store, with memory from `source`.
    pub(crate) fn snapshot(&self, source: Source) -> Result<StoreSnapshot, OutOfMemory> {
        let registered = source.make(Registered::new())?;
        // SAFETY: an allocation does not move; it is freed when it has left the list.
        unsafe {
            self.add(registered, || {
                unreachable!("a store's numbers are its log's")
            })
        };
        Ok(StoreSnapshot {
            registered,
            clock: self.clone(),
            source,
            generation: generation(),
        })
    }

    /// The open snapshots of a store, the oldest first: those of transactions, and of scans and cursors at the newest
    /// number, among them.
    pub(crate) fn open_snapshots(
        &self,
        source: Source,
    ) -> Result<Vector<OpenSnapshot>, OutOfMemory> {
        let mut open = Vector::new_in(source);
        // Ends: the vector grows to the number of snapshots, and another round is needed only if
        // more were opened meanwhile.
        loop {
            let count = self.locked(|state| {
                let now = milliseconds();
                let mut count = 0;
                for (number, opened) in state.opened() {
                    count += 1;
                    if open.len() < open.capacity() {
                        let age = now.saturating_sub(opened);
                        open.push(OpenSnapshot { number, age });
                    }
                }
                count
            });
            if count == open.len() {
                open.reverse();
                return Ok(open);
            }
            open.clear();
            (open.try_reserve(count + count / 2)).map_err(|_| OutOfMemory)?;
        }
    }

    /// The number of open snapshots of a store, and the oldest.
    pub(crate) fn oldest_snapshot(&self) -> (u64, Option<OpenSnapshot>) {
        let (count, oldest) = self.locked(|state| {
            let mut count = 0;
            (state.opened().inspect(|_| count += 1).last())
                .map_or((0, None), |of| (count, Some(of)))
        });
        let age = |opened| milliseconds().saturating_sub(opened);
        let oldest = oldest.map(|(number, opened)| OpenSnapshot {
            number,
            age: age(opened),
        });
        (count, oldest)
    }
}

impl StoreSnapshot {
    pub(crate) fn number(&self) -> u64 {
        // SAFETY: live as long as the snapshot; the number does not change.
        unsafe { (*self.registered.as_ptr()).number }
    }

    /// Whether it is of the store with this clock.
    pub(crate) fn is_of(&self, clock: &Clock) -> bool {
        self.clock.is_same(clock)
    }

    /// The allocator of its store.
    pub(crate) fn source(&self) -> Source {
        self.source
    }

    /// Whether the parent process opened it, before a fork.
    pub(crate) fn is_forked(&self) -> bool {
        self.generation != generation()
    }
}

impl Drop for StoreSnapshot {
    fn drop(&mut self) {
        // SAFETY: it is in the list since it was made, and no other thread uses it.
        unsafe {
            self.clock.remove(self.registered);
            self.source.drop_and_free(self.registered);
        }
    }
}
