//! Makes checkpoints of a store, one at a time: see `checkpoint` for the order in which files are written.
//!
//! The number S of a checkpoint is that of a snapshot, so every commit up to S is installed, and what
//! the snapshot sees stays while the parts are written. A checkpoint has the trees that were made by a record
//! up to S: those precede each other in the catalog, which was locked from the record's number until the
//! tree was in it. It has those of them that were not dropped by a record up to S; what such a tree has stays
//! while the snapshot is open (`life`).
//!
//! **Errors.** A checkpoint that is not made leaves the one before, and the log goes on. If the disk is full, or
//! there is no memory, the next may succeed. After a sync of the directory has failed, no other is tried before the
//! store is opened again: which files the directory has is not known (known failure 61). A failed sync of
//! a part is not tried again: the file is removed, and never counts.
//!
//! Calls that demand a checkpoint make it on their own thread, and a thread in the background (`background`)
//! makes those that are due; one waits for the other. No lock is held meanwhile. Closing the store ends the
//! thread: it abandons its checkpoint after the block that it writes.

use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::background;
use super::catalog::{Catalog, StoreTree};
use super::checkpoint_counts::{CheckpointCounts, CheckpointStatistics};
use super::failure::Failure;
use super::parts::{Abandoned, Parts};
use super::{LogCell, Store, StoreFault, StoreOptions};
use crate::durable::checkpoint::{
    Manifest, ManifestHead, PartHeader, TreeRecord, Unpublished, publish, remove_leftovers,
    remove_manifest, remove_parts,
};
use crate::durable::io::{Io, IoError, Path};
use crate::durable::log::{Alarm, Level, Log};
use crate::durable::threads::default_count;
use crate::errno;
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering};

/// How checkpoints are made.
#[derive(Clone, Copy, Default)]
pub(crate) struct CheckpointOptions {
    /// One is made when the log has so many bytes since the last; 0: the default; `u64::MAX`: never.
    pub(crate) log_bytes: u64,
    /// One is made when the last is so old, and something was committed since.
    pub(crate) age: Option<Duration>,
    /// The most parts that are written at a time; 0: the default.
    pub(crate) threads: usize,
    /// At most so many bytes are written in a second; 0: any number.
    pub(crate) bytes_per_second: u64,
}

impl CheckpointOptions {
    /// How many bytes the log may have behind a checkpoint that has `last` bytes.
    pub(super) fn log_bytes(&self, last: u64) -> u64 {
        const DEFAULT: u64 = 256 << 20;
        match self.log_bytes {
            0 => DEFAULT.max(last),
            bytes => bytes,
        }
    }
}

/// What checkpoints of a store need, and what has become of them.
pub(super) struct Checkpointer {
    pub(super) catalog: Arc<Catalog>,
    pub(super) log: LogCell,
    io: Io,
    directory: Path,
    pub(super) options: CheckpointOptions,
    /// Wakes the thread in the background.
    pub(super) alarm: Arc<Alarm>,
    state: Mutex<State>,
    changed: Condvar,
    pub(super) counts: CheckpointCounts,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    is_running: bool,
    is_closing: bool,
    last: Last,
    /// Why the last one was not made.
    failure: Option<IoError>,
    /// A sync of the directory has failed.
    is_given_up: bool,
}

/// The checkpoint that counts.
#[derive(Clone, Copy)]
pub(super) struct Last {
    /// 0: there is none.
    pub(super) number: u64,
    pub(super) bytes: u64,
    /// When it was made, or the store opened.
    pub(super) at: Instant,
}

impl Last {
    fn of(manifest: Option<&Manifest>) -> Self {
        Self {
            number: manifest.map_or(0, Manifest::number),
            bytes: manifest.map_or(0, Manifest::part_bytes),
            at: Instant::now(),
        }
    }
}

impl Store {
    /// What makes the checkpoints of this store, if it is written to a directory.
    pub(super) fn checkpointer_of(
        &self,
        options: &StoreOptions,
        manifest: Option<&Manifest>,
    ) -> Result<Option<Arc<Checkpointer>>, IoError> {
        let directory = options.directory.as_ref().filter(|_| !options.is_read_only);
        let Some(directory) = directory else {
            return Ok(None);
        };
        Ok(Some(Arc::new(Checkpointer {
            catalog: self.catalog.clone(),
            log: self.log.clone(),
            io: options.io.clone(),
            directory: directory.duplicate()?,
            options: options.checkpoints,
            alarm: Arc::new(Alarm::new()),
            state: Mutex::new(State {
                is_running: false,
                is_closing: false,
                last: Last::of(manifest),
                failure: None,
                is_given_up: false,
            }),
            changed: Condvar::new(),
            counts: CheckpointCounts::new(),
            thread: Mutex::new(None),
        })))
    }

    /// Makes a checkpoint. Then everything that was committed before the call is durable, and what the
    /// log had of it is removed.
    pub(crate) fn checkpoint(&self) -> Result<(), StoreFault> {
        if self.is_read_only {
            return Err(StoreFault::ReadOnly);
        }
        let checkpointer = (self.checkpointer.as_ref()).ok_or(StoreFault::NoDirectory)?;
        match checkpointer.run() {
            Ok(()) => Ok(()),
            Err(Abandoned::OutOfMemory) => Err(StoreFault::OutOfMemory),
            Err(Abandoned::Io(error)) if may_pass(&error) => Err(StoreFault::Full),
            Err(Abandoned::Io(_) | Abandoned::Refused) => Err(StoreFault::Failed),
        }
    }

    pub(crate) fn checkpoint_statistics(&self) -> CheckpointStatistics {
        let Some(checkpointer) = &self.checkpointer else {
            return CheckpointStatistics {
                number: self.recovery.checkpoint_number,
                ..CheckpointStatistics::default()
            };
        };
        let number = errno::lock(&checkpointer.state).last.number;
        checkpointer.counts.read(number)
    }
}

impl Checkpointer {
    pub(super) fn log(&self) -> &Log {
        self.log.get().expect("opening ends with the log")
    }

    /// Makes the manifest durable that was read, which an earlier process may have renamed without a sync:
    /// what is committed from now on may need its checkpoint. If none was read, removes one that was refused.
    pub(super) fn keep(&self, manifest: Option<&Manifest>) -> Result<(), IoError> {
        match manifest {
            Some(_) if Line::FoundManifestIsSynced.is_enabled() => {
                self.io.sync_dir(&self.directory)
            }
            Some(_) => Ok(()),
            None => remove_manifest(&self.io, &self.directory),
        }
    }

    /// Removes files of checkpoints that do not count.
    pub(super) fn remove_leftovers(&self, manifest: Option<&Manifest>) -> Result<(), IoError> {
        remove_leftovers(&self.io, &self.directory, manifest)
    }

    /// Starts the thread in the background.
    pub(super) fn start(self: &Arc<Self>) -> Result<(), IoError> {
        *errno::lock(&self.thread) = Some(background::start(self)?);
        Ok(())
    }

    /// Ends the thread; the checkpoint that it makes is abandoned.
    pub(super) fn stop(&self) {
        errno::lock(&self.state).is_closing = true;
        self.changed.notify_all();
        self.alarm.call();
        let thread = errno::lock(&self.thread).take();
        if let Some(thread) = thread {
            errno::preserve(|| thread.join()).expect("the thread does not panic");
        }
    }

    pub(super) fn is_closing(&self) -> bool {
        errno::lock(&self.state).is_closing
    }

    /// The checkpoint that counts; `None` if no other can be made.
    pub(super) fn last(&self) -> Option<Last> {
        let state = errno::lock(&self.state);
        (!state.is_given_up).then_some(state.last)
    }

    /// Why the last checkpoint was not made.
    pub(super) fn failure(&self) -> Option<Failure> {
        errno::lock(&self.state)
            .failure
            .as_ref()
            .map(Failure::of_io)
    }

    /// Waits for the checkpoint that is being made, and makes one.
    pub(super) fn run(&self) -> Result<(), Abandoned> {
        let begin = Instant::now();
        self.counts.attempted();
        let outcome = self.begin().and_then(|last| self.make(&last, begin));
        self.end(&outcome);
        outcome
    }

    /// Begins: other calls wait. Returns the checkpoint that counts.
    fn begin(&self) -> Result<Last, Abandoned> {
        let mut state = errno::lock(&self.state);
        // Ends: each turn waits until another checkpoint is made or abandoned.
        while state.is_running {
            drop(state);
            errno::wait_until(&self.changed, &self.state, |state| !state.is_running);
            state = errno::lock(&self.state);
        }
        state.is_running = true;
        match state.is_given_up {
            true => Err(Abandoned::Refused),
            false => Ok(state.last),
        }
    }

    fn end(&self, outcome: &Result<(), Abandoned>) {
        let mut state = errno::lock(&self.state);
        state.is_running = false;
        match outcome {
            Ok(()) => {
                state.failure = None;
                self.counts.done();
            }
            Err(abandoned) => {
                self.counts.failed();
                if let Abandoned::Io(error) = abandoned {
                    state.is_given_up |= is_of_directory(error);
                    state.failure = (!may_pass(error)).then(|| error.duplicate());
                }
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Makes a checkpoint, unless nothing was committed since the last.
    fn make(&self, last: &Last, begin: Instant) -> Result<(), Abandoned> {
        let Some(tree) = self.catalog.any() else {
            return Ok(());
        };
        let snapshot = tree.versioned().snapshot()?;
        let number = snapshot.number();
        if self.log().failure().is_some() {
            return Err(Abandoned::Refused);
        }
        // The parts of another checkpoint have other names than those that count.
        if number == last.number {
            return Ok(());
        }
        let threads = match self.options.threads {
            0 => default_count(),
            threads => threads,
        };
        let parts = Parts::divide(&self.catalog, number, threads)?;
        let header = PartHeader {
            store_id: self.log().store_id(),
            number,
            part: 0,
        };
        let made = self.write(&parts, &header).map_err(Unwritten::Abandoned);
        let made = made.and_then(|manifest| self.publish(manifest));
        let manifest = made.map_err(|unwritten| match unwritten {
            Unwritten::Abandoned(abandoned) => {
                remove_parts(&self.io, &self.directory, &header, parts.count as u32);
                abandoned
            }
            Unwritten::Unknown(error) => error.into(),
        })?;
        drop(snapshot);
        // What the snapshot kept. Without memory, the next attempt does it.
        let _ = self.catalog.clear_dropped();
        // Before anything else may fail: its parts must not be written again.
        errno::lock(&self.state).last = Last::of(Some(&manifest));
        self.counts.made(&manifest, begin.elapsed());
        if Line::CutAfterManifest.is_enabled() {
            self.log().cut_before(number + 1)?;
        }
        Ok(self.remove_leftovers(Some(&manifest))?)
    }

    /// Learns of bytes that were written. Waits if that was too fast; fails if the store is closed.
    fn throttle(&self, bytes: u64, sum: &AtomicU64, begin: Instant) -> Result<(), Abandoned> {
        // Relaxed: a count.
        let sum = sum.fetch_add(bytes, Ordering::Relaxed) + bytes;
        self.counts.written(bytes);
        let is_closing = |state: &State| state.is_closing;
        let is_closed = match self.options.bytes_per_second {
            0 => is_closing(&errno::lock(&self.state)),
            rate => {
                let due = Duration::from_secs_f64(sum as f64 / rate as f64);
                let deadline = begin.checked_add(due);
                errno::wait_until_deadline(&self.changed, &self.state, deadline, is_closing)
            }
        };
        match is_closed {
            true => Err(Abandoned::Refused),
            false => Ok(()),
        }
    }

    /// Writes the parts, and makes their manifest.
    fn write(&self, parts: &Parts<'_>, header: &PartHeader) -> Result<Manifest, Abandoned> {
        let (sum, begin) = (AtomicU64::new(0), Instant::now());
        let written = |bytes| self.throttle(bytes, &sum, begin);
        let records = parts.write(&self.io, &self.directory, header, &written)?;
        if Line::LogReachesCheckpoint.is_enabled() {
            let reached = self.log().wait(header.number, Level::Durable);
            reached.map_err(|_| Abandoned::Refused)?;
        }
        let head = ManifestHead {
            store_id: header.store_id,
            number: header.number,
            highest: self.log().taken(),
            next_tree: parts.next_tree,
            has_log: true,
        };
        Ok(Manifest::encode(
            &head,
            parts.trees().map(record),
            &records,
        )?)
    }

    fn publish(&self, manifest: Manifest) -> Result<Manifest, Unwritten> {
        if !Line::CutAfterManifest.is_enabled() {
            let cut = self.log().cut_before(manifest.number() + 1);
            cut.map_err(|error| Unwritten::Abandoned(error.into()))?;
        }
        match publish(&self.io, &self.directory, &manifest) {
            Ok(()) => Ok(manifest),
            Err(Unpublished::Nothing(error)) => Err(Unwritten::Abandoned(error.into())),
            Err(Unpublished::Unknown(error)) => Err(Unwritten::Unknown(error)),
        }
    }
}

/// What a manifest says about a tree.
pub(super) fn record(tree: &StoreTree) -> TreeRecord<'_> {
    TreeRecord {
        number: tree.number(),
        made: tree.made(),
        name: tree.name(),
    }
}

/// Whether a sync of the directory has failed.
fn is_of_directory(error: &IoError) -> bool {
    error.operation == "sync_dir"
}

/// Whether the disk is full, and a checkpoint can be made when there is room.
fn may_pass(error: &IoError) -> bool {
    error.is_full() && !is_of_directory(error)
}

/// Why a checkpoint does not count, or may not.
enum Unwritten {
    /// It does not: its parts go.
    Abandoned(Abandoned),
    /// It may, or the one before: both stay.
    Unknown(IoError),
}
