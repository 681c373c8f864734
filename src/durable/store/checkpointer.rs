//! Makes checkpoints of a store, one at a time: see `checkpoint` for the order in which files are written.
//!
//! The number S of a checkpoint is that of a snapshot, so every commit up to S is installed, and what
//! the snapshot sees stays while the parts are written. A checkpoint has the trees that were made by a record
//! up to S: those precede each other in the catalog, which was locked from the record's number until the
//! tree was in it.
//!
//! **Errors.** A checkpoint that is not made leaves the one before, and the log goes on. If the disk is full, or
//! there is no memory, the next may succeed. After a sync of the directory has failed, no other is tried before the
//! store is opened again: which files the directory has is not known (known failure 61). A failed sync of
//! a part is not tried again: the file is removed, and never counts.

use std::sync::{Arc, Condvar, Mutex};

use super::catalog::{Catalog, StoreTree};
use super::failure::Failure;
use super::parts::{Abandoned, Parts};
use super::{LogCell, Store, StoreFault, StoreOptions};
use crate::durable::checkpoint::{
    Manifest, ManifestHead, PartHeader, TreeRecord, Unpublished, publish, remove_leftovers,
    remove_parts,
};
use crate::durable::io::{Io, IoError, Path};
use crate::durable::log::Log;
use crate::errno;
use crate::protocol::Line;

/// What checkpoints of a store need, and what has become of them.
pub(super) struct Checkpointer {
    pub(super) catalog: Arc<Catalog>,
    pub(super) log: LogCell,
    pub(super) io: Io,
    pub(super) directory: Path,
    /// The most parts that are written at a time.
    pub(super) threads: usize,
    pub(super) state: Mutex<State>,
    pub(super) changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    is_running: bool,
    /// The number of the checkpoint that counts; 0: there is none.
    pub(super) number: u64,
    /// Why the last one was not made.
    failure: Option<IoError>,
    /// A sync of the directory has failed.
    is_given_up: bool,
}

impl Store {
    /// What makes the checkpoints of a store that has this one.
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
            threads: 2,
            state: Mutex::new(State {
                number: manifest.map_or(0, Manifest::number),
                ..State::default()
            }),
            changed: Condvar::new(),
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
            Err(Abandoned::Io(error)) if error.is_full() => Err(StoreFault::Full),
            Err(Abandoned::Io(_) | Abandoned::LogFailed) => Err(StoreFault::Failed),
        }
    }
}

impl Checkpointer {
    fn log(&self) -> &Log {
        self.log.get().expect("opening ends with the log")
    }

    /// Removes files of checkpoints that do not count.
    pub(super) fn remove_leftovers(&self, manifest: Option<&Manifest>) -> Result<(), IoError> {
        remove_leftovers(&self.io, &self.directory, manifest)
    }

    /// Waits for the checkpoint that is being made, and makes one.
    fn run(&self) -> Result<(), Abandoned> {
        let before = self.begin();
        let outcome = match before {
            Some(before) => self.make(before),
            None => Err(Abandoned::LogFailed),
        };
        self.end(&outcome);
        outcome.map(drop)
    }

    /// Begins: other calls wait. Returns the number of the checkpoint that counts; `None` if no other can
    /// be made.
    fn begin(&self) -> Option<u64> {
        let mut state = errno::lock(&self.state);
        // Ends: each turn waits until another checkpoint is made or abandoned.
        while state.is_running {
            drop(state);
            errno::wait_until(&self.changed, &self.state, |state| !state.is_running);
            state = errno::lock(&self.state);
        }
        state.is_running = true;
        (!state.is_given_up).then_some(state.number)
    }

    fn end(&self, outcome: &Result<u64, Abandoned>) {
        let mut state = errno::lock(&self.state);
        state.is_running = false;
        match outcome {
            Ok(number) => {
                state.number = *number;
                state.failure = None;
            }
            Err(Abandoned::Io(error)) => {
                state.is_given_up |= error.operation == "sync_dir";
                state.failure = (!error.is_full()).then(|| error.duplicate());
            }
            Err(Abandoned::OutOfMemory | Abandoned::LogFailed) => {}
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Why the last checkpoint was not made.
    pub(super) fn failure(&self) -> Option<Failure> {
        errno::lock(&self.state)
            .failure
            .as_ref()
            .map(Failure::of_io)
    }

    /// Makes a checkpoint, unless nothing was committed since the one at `before`; returns the number of
    /// the one that counts.
    fn make(&self, before: u64) -> Result<u64, Abandoned> {
        let Some(first) = self.catalog.numbered(1) else {
            return Ok(before);
        };
        let snapshot = first.versioned().snapshot()?;
        let number = snapshot.number();
        if self.log().failure().is_some() {
            return Err(Abandoned::LogFailed);
        }
        if number == before {
            return Ok(before);
        }
        let parts = Parts::divide(&self.catalog, number, self.threads)?;
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
        if Line::CutAfterManifest.is_enabled() {
            self.log().cut_before(number + 1)?;
        }
        self.remove_leftovers(Some(&manifest))?;
        Ok(number)
    }

    /// Writes the parts, and makes their manifest.
    fn write(&self, parts: &Parts<'_>, header: &PartHeader) -> Result<Manifest, Abandoned> {
        let records = parts.write(&self.io, &self.directory, header, &|_| Ok(()))?;
        let head = ManifestHead {
            store_id: header.store_id,
            number: header.number,
            highest: self.log().taken(),
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

fn record(tree: &StoreTree) -> TreeRecord<'_> {
    TreeRecord {
        made: tree.made(),
        name: tree.name(),
    }
}

/// Why a checkpoint does not count, or may not.
enum Unwritten {
    /// It does not: its parts go.
    Abandoned(Abandoned),
    /// It may, or the one before: both stay.
    Unknown(IoError),
}
