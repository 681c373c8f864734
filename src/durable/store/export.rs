//! Exports: the content of a store at a number, written as a checkpoint to a directory of its own, which is a
//! store afterwards.
//!
//! # Protocol
//!
//! The number is that of a snapshot, so the parts are written beside writers, as those of a checkpoint are
//! (`checkpointer`). The order is that of a checkpoint, too: parts, manifest, its name. Before its name is
//! durable, the directory has a lock file, parts and `manifest.new`: that is no store, and the next export, or an opening
//! that may make a store, removes what is left. When the name is durable, all of the store is.
//!
//! The exported store has an id of its own: it is another store, whose commits go on behind the number. It
//! has no log before its first write. Its manifest says that: everywhere else a missing log is a corruption.
//!
//! The directory is locked meanwhile, as an opening does. A directory that has a manifest or a file of a log is
//! refused before anything in it is changed.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::thread::{self, ThreadId};

use super::checkpointer::record;
use super::open::{OpenFault, lock, random};
use super::parts::{Abandoned, Parts};
use super::recover::{Meter, OnProgress, Phase, Progress};
use super::{Store, StoreOptions};
use crate::durable::checkpoint::{
    MANIFEST, Manifest, ManifestHead, PartHeader, Unpublished, publish, remove_leftovers,
    remove_parts,
};
use crate::durable::io::{Io, IoError, Path};
use crate::durable::log::is_segment;
use crate::durable::threads::default_count;
use crate::index::memory::OutOfMemory;
use crate::sync::{AtomicU64, Ordering};

/// Why a store was not exported. The directory has no new store.
#[derive(Debug)]
pub(crate) enum ExportFault {
    /// The directory has a store.
    Exists,
    Fault(OpenFault),
}

impl From<OpenFault> for ExportFault {
    fn from(fault: OpenFault) -> Self {
        Self::Fault(fault)
    }
}

impl From<OutOfMemory> for ExportFault {
    fn from(fault: OutOfMemory) -> Self {
        Self::Fault(fault.into())
    }
}

impl From<IoError> for ExportFault {
    fn from(error: IoError) -> Self {
        Self::Fault(error.into())
    }
}

impl From<Abandoned> for ExportFault {
    fn from(abandoned: Abandoned) -> Self {
        Self::Fault(match abandoned {
            Abandoned::OutOfMemory => OpenFault::OutOfMemory,
            Abandoned::Refused => OpenFault::Stopped,
            Abandoned::Io(error) => error.into(),
        })
    }
}

impl Store {
    /// Writes what the store has at a number to a directory, which becomes a store. A snapshot with the number is
    /// open; `None`: the export opens one. Returns the number.
    pub(crate) fn export(
        &self,
        number: Option<u64>,
        directory: &Path,
        progress: Option<OnProgress>,
    ) -> Result<u64, ExportFault> {
        let any = self.catalog.any();
        let snapshot = match (number, any) {
            (None, Some(tree)) => Some(tree.versioned().snapshot()?),
            _ => None,
        };
        let number = number.or(snapshot.as_ref().map(|snapshot| snapshot.number()));
        // A checkpoint has a number, also of a store without trees.
        let number = number.unwrap_or_else(|| self.last_commit()).max(1);
        let options = StoreOptions {
            io: self.io.clone(),
            ..StoreOptions::default()
        };
        let _lock = lock(&options, directory)?;
        refuse_store(&self.io, directory)?;
        let threads = default_count();
        let parts = Parts::divide(&self.catalog, number, threads)?;
        let header = PartHeader {
            store_id: random(),
            number,
            part: 0,
        };
        let written = self.write_export(&parts, &header, directory, progress);
        drop(snapshot);
        // What the snapshot kept. Without memory, the next attempt does it.
        let _ = self.catalog.clear_dropped();
        let manifest = written.inspect_err(|_| {
            remove_parts(&self.io, directory, &header, parts.count as u32);
        })?;
        match publish(&self.io, directory, &manifest) {
            Ok(()) => Ok(number),
            Err(Unpublished::Nothing(error)) => {
                remove_parts(&self.io, directory, &header, parts.count as u32);
                Err(error.into())
            }
            // It may have become a store: its files stay.
            Err(Unpublished::Unknown(error)) => Err(error.into()),
        }
    }

    /// Writes the parts, and makes their manifest.
    fn write_export(
        &self,
        parts: &Parts<'_>,
        header: &PartHeader,
        directory: &Path,
        progress: Option<OnProgress>,
    ) -> Result<Manifest, ExportFault> {
        let watch = Watch {
            owner: thread::current().id(),
            meter: RefCell::new(Meter::new(progress)),
            bytes: AtomicU64::new(0),
            is_stopped: AtomicU64::new(0),
        };
        let records = parts.write(&self.io, directory, header, &|bytes| watch.note(bytes))?;
        watch.report_end()?;
        let head = ManifestHead {
            store_id: header.store_id,
            number: header.number,
            highest: header.number,
            next_tree: parts.next_tree,
            has_log: false,
        };
        let trees = parts.trees().map(record);
        Ok(Manifest::encode(&head, trees, &records)?)
    }
}

/// Refuses a directory that has a store; removes what an export has left that did not end.
fn refuse_store(io: &Io, directory: &Path) -> Result<(), ExportFault> {
    let mut has_store = false;
    io.list(directory, &mut |name| {
        has_store |= name == MANIFEST || is_segment(name);
        Ok(())
    })?;
    match has_store {
        true => Err(ExportFault::Exists),
        false => Ok(remove_leftovers(io, directory, None)?),
    }
}

/// What the threads that write have done. The one that exports reports it.
struct Watch {
    owner: ThreadId,
    /// Only the owner uses it.
    meter: RefCell<Meter>,
    bytes: AtomicU64,
    /// Not 0: the export is to end.
    is_stopped: AtomicU64,
}

// SAFETY: only the thread that made it, and drops it, uses the meter.
unsafe impl Sync for Watch {}

impl Watch {
    /// Learns of bytes that were written; fails if the export is stopped.
    fn note(&self, bytes: u64) -> Result<(), Abandoned> {
        // Relaxed, as all here: a count, and a flag that is looked at again.
        let bytes = self.bytes.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let is_owner = thread::current().id() == self.owner;
        if is_owner && (self.meter.borrow_mut().note(&progress_of(bytes))).is_break() {
            self.is_stopped.store(1, Ordering::Relaxed);
        }
        match self.is_stopped.load(Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(Abandoned::Refused),
        }
    }

    fn report_end(&self) -> Result<(), OpenFault> {
        let bytes = self.bytes.load(Ordering::Relaxed);
        match self.meter.borrow_mut().report(&progress_of(bytes)) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(OpenFault::Stopped),
        }
    }
}

fn progress_of(bytes: u64) -> Progress {
    Progress {
        bytes,
        ..Progress::new(Phase::Export)
    }
}
