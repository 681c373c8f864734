//! Transactions: reads and writes of any trees of a store, between which the caller decides, and which are
//! committed at once or not at all.
//!
//! # Protocol
//!
//! **Reads.** A transaction begins with a snapshot of the store, and reads at its number `s`: a key
//! (`get`), or a range (`scan`), with its own writes in place of what the snapshot has (`accesses`). The
//! snapshot is registered as long as the transaction runs, so what is visible at `s` is neither freed nor
//! moved: bytes that a read returned stay where they are until then, and no guard is held between two calls.
//!
//! **Cursors** (`cursor`) read as scans do, step by step; what they have passed counts as a scan's range.
//!
//! **Writes** are kept in the transaction. Bytes that it copies are in blocks that do not move (`arena`).
//! All its memory counts against a limit.
//!
//! **What is validated.** A serializable transaction notes each key that it has looked up, present or absent,
//! and each range as far as a scan has read it, from its beginning. At the commit, each of these must be as
//! the snapshot had it: the newest decided version of the key, and of each key in the range, has a
//! number of at most `s`. This one rule covers:
//!
//! - keys that were present: as long as the snapshot is open, what changes them stays in the list;
//! - keys that were absent, and the gaps of ranges: a key that was inserted has a greater number, and so has a
//!   tombstone. A trim may take a key out that was inserted and removed after `s`; then it is absent, as
//!   it was at `s`. A trim removes no tombstone with a number above the installed ones, so also not
//!   one that follows the transaction's number.
//!
//! Ranges are read again instead of observing the index's leaves: observations of leaves do not change when a
//! key gets a new version, change when a leaf is split or a tombstone trimmed, and hold the guard of
//! each tree for as long as the transaction runs. Reading a range again costs a step for each of its
//! keys, which is less than the first time: nothing is copied, and no version but the first is looked at.
//!
//! **Commit.**
//!
//! 1. Everything read is validated for the first time, at a number `v` up to which everything is
//!    installed. A conflict ends the commit here, so most conflicts take no number; and it brings what is read
//!    again in step 4 into the cache.
//! 2. Room in the log is reserved. The keys that are written are marked, in the order of trees and keys,
//!    as those of a batch. A key that was also read is judged under its mark
//!    ([`Line::WrittenAreUnchanged`]), and stays as it is from then on.
//! 3. The number `n` is taken. If it follows `v` at once, nothing was committed in between.
//! 4. Otherwise, everything with a lower number is installed first ([`Line::LowerAreInstalled`]), and what is
//!    read and not written is validated again ([`Line::ValidatedAfterNumber`]; keys:
//!    [`Line::ReadsAreValidated`], ranges: [`Line::RangesAreValidated`]). A version that is installed and
//!    has a number between `s` and `n` is found, or one that has hidden it since: that one has a greater number
//!    still, and is a conflict as well. Marks of others that are not decided by now get numbers above `n`.
//! 5. The commit record is decided: the commit point. Or it is aborted, and the log's record is void.
//!
//! **Why it is serializable.** At its number, a transaction that has written reads what the state just before
//! that number has: everything it has read is unchanged between `s` and `n`, and its writes depend on nothing
//! else. Batches and single writes are judged at their numbers, too. A transaction that writes nothing is
//! equal to a reader at `s`, and is never refused. So the order of numbers is the serial order; and the
//! next opening after a crash finds a prefix of it.
//!
//! **Snapshot isolation** validates what the transaction writes instead of what it reads: in step 2, under the
//! marks. It never waits for commits with lower numbers.
//!
//! **Trees that are dropped.** A tree that was dropped before `s` is refused by each operation. One that is dropped
//! later keeps its content for the snapshot, and refuses the commit, like that of a batch (`life`).
//!
//! **No dead-lock.** While it runs, a transaction holds no lock and no mark. In a commit, marks are placed in
//! the order in which all batches place theirs, after room in the log is there. With all its marks placed it
//! waits only for commits with lower numbers, which have all their marks, and wait for still lower ones.
//!
//! **Conflicts.** A commit that is refused names a key. Some other commit with a greater number than
//! `s` has changed that key: so of transactions that refuse each other, one has got through. A repetition
//! reads at a new snapshot.

mod accesses;
mod arena;
mod commit;
mod counts;
mod cursor;
mod ranges;
mod retry;
mod scan;

pub(crate) use commit::Ending;
pub(crate) use counts::Event;
pub(super) use counts::TransactionCounts;
pub(crate) use cursor::TransactionCursor;
pub(crate) use retry::{Backoff, Turn};
pub(crate) use scan::Walk;

use super::{Store, StoreFault, StoreTree};
use crate::durable::log::Level;
use crate::index::memory::{OutOfMemory, Vector, append};
#[cfg(doc)]
use crate::protocol::Line;
use crate::versioned::{Found, StoreSnapshot};
use accesses::{Accesses, State};
use arena::{Arena, Kept};
use ranges::Scanned;

/// What a commit validates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Isolation {
    /// Everything that was read.
    Serializable,
    /// What was written.
    Snapshot,
    /// Nothing, and nothing is written.
    ReadOnly,
}

/// How a transaction runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TransactionOptions {
    pub(crate) isolation: Isolation,
    /// The most bytes of memory that the transaction takes.
    pub(crate) most_bytes: usize,
    /// What its commit waits for, if that is more than the store's level.
    pub(crate) level: Level,
}

/// The limit of a transaction's memory, if none is given.
pub(crate) const DEFAULT_MOST_BYTES: usize = 64 << 20;

impl Default for TransactionOptions {
    fn default() -> Self {
        Self {
            isolation: Isolation::Serializable,
            most_bytes: DEFAULT_MOST_BYTES,
            level: Level::Memory,
        }
    }
}

/// A value that a transaction has read. Its bytes stay where they are until the transaction ends.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'t> {
    /// The number of the commit that stored it; 0: the transaction did.
    pub(crate) number: u64,
    pub(crate) bytes: &'t [u8],
}

/// The key because of which a commit was refused.
pub(crate) struct Conflict<'s> {
    pub(crate) tree: &'s StoreTree,
    pub(crate) key: Vector<u8>,
}

/// Reads at a snapshot, and writes that are committed at once.
pub(crate) struct Transaction<'s> {
    store: &'s Store,
    options: TransactionOptions,
    /// `None`: the transaction has ended.
    snapshot: Option<StoreSnapshot>,
    accesses: Accesses<'s>,
    scanned: Vector<Scanned<'s>>,
    arena: Arena,
    /// Bytes of memory for accesses and ranges, besides the arena's.
    noted_bytes: usize,
    /// How many keys are written.
    written: usize,
    /// How often it has written.
    changes: u64,
    /// How often it was begun.
    begun: u64,
    conflict: Option<Conflict<'s>>,
}

// SAFETY: the trees and versions that it points to belong to the store, and any thread may use them; the
// arena's blocks are its own.
unsafe impl Send for Transaction<'_> {}

impl<'s> Transaction<'s> {
    pub(crate) fn begin(
        store: &'s Store,
        options: TransactionOptions,
    ) -> Result<Self, OutOfMemory> {
        let source = store.source();
        let mut transaction = Self {
            store,
            options,
            snapshot: None,
            accesses: Accesses::new(source),
            scanned: Vector::new_in(source),
            arena: Arena::new(source),
            noted_bytes: 0,
            written: 0,
            changes: 0,
            begun: 0,
            conflict: None,
        };
        transaction.restart()?;
        Ok(transaction)
    }

    /// Begins again, at a new snapshot, without any reads or writes. Without memory, the transaction has ended.
    pub(crate) fn restart(&mut self) -> Result<(), OutOfMemory> {
        self.abort();
        self.conflict = None;
        self.begun += 1;
        self.snapshot = Some(self.store.snapshot()?);
        self.count(Event::Begun);
        Ok(())
    }

    /// [`Self::restart`] after a refusal.
    pub(crate) fn repeat(&mut self) -> Result<(), OutOfMemory> {
        self.count(Event::Repeated);
        self.restart()
    }

    fn count(&self, event: Event) {
        self.store.transaction_counts.add(event, 1);
    }

    /// Ends the transaction: nothing is changed.
    pub(crate) fn abort(&mut self) {
        if self.snapshot.is_some() {
            self.end(Event::Aborted);
        }
    }

    /// Ends the transaction, by `event`.
    fn end(&mut self, event: Event) {
        self.count(event);
        self.snapshot = None;
        self.accesses.clear();
        self.scanned.clear();
        self.arena.clear();
        self.noted_bytes = 0;
        self.written = 0;
    }

    /// What a commit was refused for, until the transaction is begun again.
    pub(crate) fn conflict(&self) -> Option<&Conflict<'s>> {
        self.conflict.as_ref()
    }

    /// The number at which it reads; `None` if it has ended.
    pub(crate) fn number(&self) -> Option<u64> {
        self.snapshot.as_ref().map(StoreSnapshot::number)
    }

    fn running(&self) -> Result<u64, StoreFault> {
        self.number().ok_or(StoreFault::Ended)
    }

    /// Returns the number at which it reads a tree. If the tree is dropped later, the snapshot keeps its
    /// content.
    fn reading(&self, tree: &StoreTree) -> Result<u64, StoreFault> {
        let number = self.running()?;
        match tree.life.allows(number) {
            true => Ok(number),
            false => Err(StoreFault::Dropped),
        }
    }

    fn writable(&self, tree: &StoreTree) -> Result<u64, StoreFault> {
        let number = self.reading(tree)?;
        self.store.log_to_write()?;
        match self.options.isolation {
            Isolation::ReadOnly => Err(StoreFault::ReadOnly),
            Isolation::Serializable | Isolation::Snapshot => Ok(number),
        }
    }

    /// Fails if the memory of the transaction would exceed the limit.
    fn admit(&self, more: usize) -> Result<(), StoreFault> {
        let used = self.arena.bytes().saturating_add(self.noted_bytes);
        match used.saturating_add(more) <= self.options.most_bytes {
            true => Ok(()),
            false => Err(StoreFault::TooLarge),
        }
    }

    /// Returns the value of a key.
    pub(crate) fn get(
        &mut self,
        tree: &'s StoreTree,
        key: &[u8],
    ) -> Result<Option<Seen<'_>>, StoreFault> {
        let number = self.reading(tree)?;
        Ok(match self.note_read(tree, key)? {
            State::Before => read_at(tree, key, number),
            State::Value(bytes) => {
                // SAFETY: the arena's bytes stay until the transaction ends, which needs `&mut self`.
                let bytes = unsafe { bytes.get() };
                Some(Seen { number: 0, bytes })
            }
            State::Absent => None,
        })
    }

    /// Notes that a key is read, unless the transaction has written it before: then what it finds depends on no other
    /// commit. Returns what the transaction has made of it.
    fn note_read(&mut self, tree: &'s StoreTree, key: &[u8]) -> Result<State, StoreFault> {
        let is_noted = self.options.isolation == Isolation::Serializable;
        match self.accesses.find(tree, key) {
            Ok(at) => {
                let access = self.accesses.get_mut(at);
                access.is_read |= is_noted && !access.is_written();
                Ok(access.state)
            }
            Err(_) if !is_noted => Ok(State::Before),
            Err(_) => {
                let access = self.access(tree, key)?;
                self.accesses.get_mut(access).is_read = true;
                Ok(State::Before)
            }
        }
    }

    /// Returns the access of a key; makes it if there is none.
    fn access(
        &mut self,
        tree: &'s StoreTree,
        key: &[u8],
    ) -> Result<accesses::Position, StoreFault> {
        let at = match self.accesses.find(tree, key) {
            Ok(at) => return Ok(at),
            Err(at) => at,
        };
        self.admit(accesses::SIZE.saturating_add(key.len()))?;
        let key = self.arena.copy(key)?;
        let at = self.accesses.insert(at, tree, key)?;
        self.noted_bytes += accesses::SIZE;
        Ok(at)
    }

    /// Stores what a key has from now on. `value`: `None` if it is removed.
    fn set(
        &mut self,
        tree: &'s StoreTree,
        key: &[u8],
        value: Option<&[u8]>,
    ) -> Result<(), StoreFault> {
        let len = value.map_or(0, <[u8]>::len);
        self.admit(accesses::SIZE.saturating_add(key.len().saturating_add(len)))?;
        let state = match value {
            Some(value) => State::Value(self.arena.copy(value)?),
            None => State::Absent,
        };
        let at = self.access(tree, key)?;
        let access = self.accesses.get_mut(at);
        if access.state == State::Before {
            self.written += 1;
        }
        access.state = state;
        self.changes += 1;
        Ok(())
    }

    /// Stores a value under a key.
    pub(crate) fn put(
        &mut self,
        tree: &'s StoreTree,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StoreFault> {
        self.writable(tree)?;
        self.set(tree, key, Some(value))
    }

    /// Stores a value under a key that has none; returns whether it had none.
    pub(crate) fn insert(
        &mut self,
        tree: &'s StoreTree,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool, StoreFault> {
        self.writable(tree)?;
        let is_absent = self.get(tree, key)?.is_none();
        if is_absent {
            self.set(tree, key, Some(value))?;
        }
        Ok(is_absent)
    }

    /// Removes a key; returns whether it had a value.
    pub(crate) fn remove(&mut self, tree: &'s StoreTree, key: &[u8]) -> Result<bool, StoreFault> {
        self.writable(tree)?;
        let is_present = self.get(tree, key)?.is_some();
        if is_present {
            self.set(tree, key, None)?;
        }
        Ok(is_present)
    }

    /// Moves the value of a key to another one, which must have none unless `replaces`.
    pub(crate) fn rename(
        &mut self,
        tree: &'s StoreTree,
        from: &[u8],
        to: &[u8],
        replaces: bool,
    ) -> Result<Moved, StoreFault> {
        self.writable(tree)?;
        let Some(seen) = self.get(tree, from)? else {
            return Ok(Moved::NoSource);
        };
        // SAFETY: the bytes stay until the transaction ends, which this function does not do.
        let value = unsafe { Kept::of(seen.bytes).get() };
        if from == to {
            return Ok(Moved::Done);
        }
        if !replaces && self.get(tree, to)?.is_some() {
            return Ok(Moved::TargetExists);
        }
        // First what may fail: an access that was made and not written changes nothing.
        let size = 2 * accesses::SIZE + from.len() + to.len();
        self.admit(size.saturating_add(value.len()))?;
        self.access(tree, from)?;
        self.set(tree, to, Some(value))?;
        let at = (self.accesses.find(tree, from)).expect("it was made above");
        let source = self.accesses.get_mut(at);
        if source.state == State::Before {
            self.written += 1;
        }
        source.state = State::Absent;
        self.changes += 1;
        Ok(Moved::Done)
    }

    fn note_conflict(&mut self, tree: &'s StoreTree, key: &[u8]) -> Result<(), OutOfMemory> {
        let mut copy = Vector::new_in(self.store.source());
        copy.try_reserve_exact(key.len()).map_err(|_| OutOfMemory)?;
        append(&mut copy, key);
        self.conflict = Some(Conflict { tree, key: copy });
        Ok(())
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        self.abort();
    }
}

/// What a transaction's rename has done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Moved {
    Done,
    /// The source has no value.
    NoSource,
    /// The target has a value.
    TargetExists,
}

/// What a key has at the number of a snapshot that is open for `'t`.
fn read_at<'t>(tree: &StoreTree, key: &[u8], number: u64) -> Option<Seen<'t>> {
    let guard = tree.index().local_guard();
    match tree.versioned().get(guard.pin(), key, number) {
        Found::Version(version) => Some(Seen {
            number: version.number(),
            // SAFETY: visible at the snapshot, so neither freed nor moved while that is open.
            bytes: unsafe { Kept::of(version.bytes()).get() },
        }),
        Found::Nothing | Found::Tombstone(_) | Found::Covered(_) => None,
    }
}
