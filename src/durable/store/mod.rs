//! Stores: versioned trees in memory whose changes are logged.
//!
//! # Protocol
//!
//! **Numbers.** The number of a commit is its place in the log (`log::ring`): one atomic add hands out
//! both, so the order of numbers is the order of records, and any prefix of the log is the state after
//! some commit.
//!
//! **A write of one key** (`write`) reserves room in the log and allocates its version first, since
//! both may wait or fail. Under the lock of the key's leaf it judges the newest version, takes its
//! number, and installs the version: its linearization point. After the leaf is unlocked it fills its
//! record. What is below `Log::installed` is installed: a record is filled after its version.
//!
//! **A batch** (`commit`) is planned, marks its keys in the order of tree and key, judges each under
//! its mark, takes its number, and becomes visible by one store to its commit record. Only then are
//! its marks resolved, and its log record filled. Two batches that share keys mark the first of them in the
//! same order, and a write of one key holds no mark while it waits: so no cycle of waiting exists.
//!
//! **Empty prefixes** are judged after the number was taken: once everything with a lower number is
//! installed, a scan at the number before sees all that precedes the batch. Whatever comes
//! later has a higher number. If the prefix is not empty, the batch is aborted, and its record in the log is
//! void. It waits for commits with lower numbers only, which wait for none with a higher one.
//!
//! **Durability.** A commit is in memory when its call returns. It is durable when a sync has returned that
//! covers its record (`Log::wait`). After a failure of the log no write is accepted: commits that were not
//! durable have an unknown outcome, which the next opening decides.
//!
//! **Checkpoints** (`checkpointer`) replace the log up to a number: see `checkpoint`.
//!
//! **Changes** of commits are read from the log's files (`changes`).
//!
//! **Trees** are dropped by a record of their own (`life`, `drop_tree`): it ends their changes.
//!
//! **Recovery** makes the trees of the checkpoint that counts (`restore`), and stores the changes of each record
//! of the log under its number, those of a key in the order of the log (`recover`). Numbers that are handed out
//! later are above all that were seen.

mod background;
mod batch;
mod catalog;
mod changes;
mod checkpoint_counts;
mod checkpointer;
mod commit;
mod condition;
mod drop_tree;
mod export;
mod failure;
mod import;
mod life;
mod open;
mod parts;
mod plan;
mod record;
mod recover;
mod rename;
mod restore;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
mod txn;
mod write;

pub(crate) use batch::{Action, Batch, Operation};
pub(crate) use catalog::StoreTree;
pub(crate) use changes::{Change, Changed, Changes, ChangesFault, ChangesOptions};
pub(crate) use checkpointer::CheckpointOptions;
pub(crate) use commit::Committed;
pub(crate) use condition::Condition;
pub(crate) use export::ExportFault;
pub(crate) use failure::Failure;
pub(crate) use import::ImportFault;
pub(crate) use open::{OpenFault, StoreOptions};
pub(crate) use recover::{OnProgress, Phase, Progress, Recovery};
pub(crate) use rename::Renamed;
pub(crate) use txn::{
    Backoff, Conflict, DEFAULT_MOST_BYTES, Ending, Event, Isolation, Moved, Seen, Transaction,
    TransactionCursor, TransactionOptions, Turn, Walk,
};
pub(crate) use write::Written;

use std::ffi::CStr;
use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use crate::durable::io::{File, Io};
use crate::durable::log::{Callback, Level, Log, LogFault, Report, Statistics};
use crate::index::memory::{Allocator, OutOfMemory, Source, Vector};
use crate::index::reclaim::generation;
use crate::index::tree::Tree;
use crate::versioned::{Clock, OpenSnapshot, StoreSnapshot, VersionedTree};
use catalog::{Catalog, NotAdded, check_name};
use checkpointer::Checkpointer;
use record::{RecordKind, encode_tree, tree_size};
use txn::TransactionCounts;

/// The log, which is opened after the trees were read. The clock points to it.
type LogCell = Arc<OnceLock<Log>>;

/// Trees in memory, and the log of their changes.
pub(crate) struct Store {
    source: Source,
    allocator: Option<Allocator>,
    catalog: Arc<Catalog>,
    /// `None` for a store without a directory, or that is only read.
    checkpointer: Option<Arc<Checkpointer>>,
    clock: Clock,
    transaction_counts: TransactionCounts,
    log: LogCell,
    io: Io,
    is_read_only: bool,
    /// What writing functions wait for.
    level: Level,
    /// What was found in the log when the store was opened.
    report: Report,
    recovery: Recovery,
    /// Keeps other stores away from the directory.
    lock: Option<File>,
    /// The process that opened the store: see `reclaim::generation`.
    generation: u32,
}

/// Why a store has done nothing; or, for `Unknown`, not all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum StoreFault {
    OutOfMemory,
    /// The disk is full.
    Full,
    /// The log has failed before.
    Failed,
    /// The log has failed before the commit reached the level that it waited for.
    Unknown,
    /// The log's buffer has no room for the record.
    TooLarge,
    /// The store is only read.
    ReadOnly,
    /// The store is in memory only.
    NoDirectory,
    /// The name of a tree is too long, or there are too many trees.
    BadName,
    /// The tree is dropped.
    Dropped,
    /// The transaction was committed, aborted, or refused, and not begun again.
    Ended,
}

impl From<OutOfMemory> for StoreFault {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl From<LogFault> for StoreFault {
    fn from(fault: LogFault) -> Self {
        match fault {
            LogFault::Full => Self::Full,
            LogFault::Failed => Self::Failed,
            LogFault::TooLarge => Self::TooLarge,
            LogFault::NoMemory => Self::OutOfMemory,
        }
    }
}

impl Store {
    pub(crate) fn source(&self) -> Source {
        self.source
    }

    /// Whether the parent process opened the store, before a fork.
    pub(crate) fn is_forked(&self) -> bool {
        self.generation != generation()
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.is_read_only
    }

    /// Whether the log has failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.log().failure().is_some()
    }

    /// The log. One of a store that is only read writes no files.
    fn log(&self) -> &Log {
        self.log.get().expect("opening ends with the log")
    }

    /// The log, for a write.
    fn log_to_write(&self) -> Result<&Log, StoreFault> {
        match self.is_read_only {
            false => Ok(self.log()),
            true => Err(StoreFault::ReadOnly),
        }
    }

    /// What was found in the log when the store was opened.
    pub(crate) fn report(&self) -> &Report {
        &self.report
    }

    /// What recovery did, besides what the report says.
    pub(crate) fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Returns the tree with a name. Makes it if there is none; a store that is only read returns `None`.
    pub(crate) fn tree(&self, name: &str) -> Result<Option<&StoreTree>, StoreFault> {
        check_name(name).ok_or(StoreFault::BadName)?;
        if let Some(tree) = self.catalog.named(name) {
            return Ok(Some(tree));
        }
        if self.is_read_only {
            return Ok(None);
        }
        // A program may drop trees only to make others; a store in memory has no thread for that.
        self.catalog.clear_dropped()?;
        let new = self.make_tree(name)?;
        let room = self.log().reserve(tree_size(name))?;
        let added = self.catalog.add(new, |number| {
            let place = room.take();
            let made = place.number();
            place.fill(RecordKind::Tree as u8, |writer| {
                encode_tree(number, name, |bytes| writer.write(bytes));
            });
            made
        });
        match added {
            Ok(tree) => Ok(Some(tree)),
            Err(NotAdded::OutOfMemory) => Err(StoreFault::OutOfMemory),
            Err(NotAdded::TooMany) => Err(StoreFault::BadName),
        }
    }

    /// Calls `visit` with the name of every tree, and the tree.
    pub(crate) fn each_tree(&self, mut visit: impl FnMut(&CStr, &StoreTree) -> ControlFlow<()>) {
        self.catalog.each(|tree| visit(tree.c_name(), tree));
    }

    /// Returns the store's tree that has this index.
    pub(crate) fn tree_of<'s>(&'s self, index: &'s Tree) -> Option<&'s StoreTree> {
        let is_own = VersionedTree::of(index)?.is_of_clock(&self.clock);
        // SAFETY: the trees with this clock are those of the store's catalog.
        is_own.then(|| unsafe { StoreTree::of_index(index) })
    }

    /// Opens a snapshot of all trees.
    pub(crate) fn snapshot(&self) -> Result<StoreSnapshot, OutOfMemory> {
        self.clock.snapshot(self.source)
    }

    /// Whether a snapshot is of this store.
    pub(crate) fn is_own(&self, snapshot: &StoreSnapshot) -> bool {
        snapshot.is_of(&self.clock)
    }

    /// The open snapshots, the oldest first.
    pub(crate) fn open_snapshots(&self) -> Result<Vector<OpenSnapshot>, OutOfMemory> {
        self.clock.open_snapshots(self.source)
    }

    /// The number of open snapshots, and the oldest.
    pub(crate) fn oldest_snapshot(&self) -> (u64, Option<OpenSnapshot>) {
        self.clock.oldest_snapshot()
    }

    /// Waits until a commit has reached the level that the options demand.
    pub(crate) fn reach_level(&self, number: u64) -> Result<(), StoreFault> {
        match self.level {
            Level::Memory => Ok(()),
            level => self.wait(number, level),
        }
    }

    /// Waits until a commit, and all before it, have reached a level.
    pub(crate) fn wait(&self, number: u64, level: Level) -> Result<(), StoreFault> {
        self.log().wait(number, level).map_err(unknown)
    }

    /// Waits until everything that was committed is durable.
    pub(crate) fn sync(&self) -> Result<(), StoreFault> {
        self.log().sync().map_err(unknown)
    }

    /// The number up to which everything is durable.
    pub(crate) fn durable(&self) -> u64 {
        self.log().durable()
    }

    /// Calls back when a commit, and all before it, are durable.
    pub(crate) fn on_durable(&self, number: u64, callback: Callback) -> Result<(), StoreFault> {
        Ok(self.log().on_durable(number, callback)?)
    }

    /// The number of the last commit that has returned, or a greater one.
    pub(crate) fn last_commit(&self) -> u64 {
        self.log().settle()
    }

    pub(crate) fn log_statistics(&self) -> Statistics {
        self.log().statistics()
    }

    /// How often something has happened to transactions since the store was opened.
    pub(crate) fn transactions(&self, event: Event) -> u64 {
        self.transaction_counts.sum(event)
    }

    pub(crate) fn tree_count(&self) -> u64 {
        self.catalog.count() as u64
    }

    /// What has made the log fail; or else, why the last checkpoint was not made.
    pub(crate) fn failure(&self) -> Option<Failure> {
        let of_log = self.log().failure().map(Failure::of_io);
        of_log.or_else(|| self.checkpointer.as_ref()?.failure())
    }

    /// Makes everything durable, and stops the log. Nothing is written afterwards.
    pub(crate) fn close(&self) -> Result<(), StoreFault> {
        self.stop_background();
        self.log().close().map_err(unknown)
    }
}

impl Store {
    fn stop_background(&self) {
        if let Some(checkpointer) = &self.checkpointer {
            checkpointer.stop();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.stop_background();
        // Opening may have failed before there was a log. A failure is reported by `close`.
        if let Some(log) = self.log.get() {
            let _ = log.close();
        }
        // SAFETY: no other thread uses the store any more.
        unsafe { self.catalog.free() };
    }
}

/// The fault of a wait: what was committed may be lost, or not.
fn unknown(fault: LogFault) -> StoreFault {
    match fault {
        LogFault::Failed => StoreFault::Unknown,
        fault => fault.into(),
    }
}
