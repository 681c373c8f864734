//! Imports: the trees of a directory that is not open, such as an export, are copied to a store that is in use.
//!
//! # Protocol
//!
//! The directory is opened read-only, as a store of its own: its lock, its recovery, and every check of an opening. So
//! while an import runs, memory has both. Nothing in the directory is changed.
//!
//! Every tree of the directory must be absent in the store, or empty, or be replaced, which is asked for: then it is dropped
//! first. That is judged before anything is changed. Then tree after tree is made and filled, by batches that the log's
//! buffer has room for, in the order of keys. A reader sees a tree that grows.
//!
//! **The end.** When an import succeeds, all of it is durable. One that fails or is stopped drops the trees that it has
//! begun to fill; if the log has failed, the next opening finds some of them, as after a crash. A crash leaves the trees
//! up to some key. To import again then, have them replaced: an import depends on nothing that an earlier one has left.

use std::ffi::CStr;
use std::ops::ControlFlow;

use super::batch::{Action, Batch, Operation};
use super::catalog::StoreTree;
use super::commit::Committed;
use super::open::OpenFault;
use super::record::CHANGE_HEAD;
use super::recover::{Meter, OnProgress, Phase, Progress};
use super::{Store, StoreFault, StoreOptions};
use crate::durable::io::Path;
use crate::durable::log::Level;
use crate::index::memory::OutOfMemory;
use crate::index::tree::Range;
use crate::versioned::LATEST;

/// A batch has about so many bytes, if the log's buffer is not too small. Few in tests.
const BATCH_BYTES: usize = if cfg!(test) { 256 } else { 64 << 10 };

/// What an import has copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Imported {
    pub(crate) trees: u64,
    pub(crate) keys: u64,
    /// Of keys and values.
    pub(crate) bytes: u64,
}

/// Why nothing was imported.
#[derive(Debug)]
pub(crate) enum ImportFault<'s> {
    /// The tree with this name has a key.
    Exists(&'s CStr),
    /// The directory cannot be read, or the import was stopped.
    Open(OpenFault),
    /// The store cannot be written.
    Store(StoreFault),
}

impl From<OpenFault> for ImportFault<'_> {
    fn from(fault: OpenFault) -> Self {
        Self::Open(fault)
    }
}

impl From<StoreFault> for ImportFault<'_> {
    fn from(fault: StoreFault) -> Self {
        Self::Store(fault)
    }
}

impl From<OutOfMemory> for ImportFault<'_> {
    fn from(fault: OutOfMemory) -> Self {
        Self::Store(fault.into())
    }
}

impl Store {
    /// Copies all trees of the store in a directory.
    pub(crate) fn import(
        &self,
        directory: Path,
        replaces: bool,
        progress: Option<OnProgress>,
    ) -> Result<Imported, ImportFault<'_>> {
        self.log_to_write()?;
        let from = Store::open(StoreOptions {
            directory: Some(directory),
            io: self.io.clone(),
            is_read_only: true,
            must_exist: true,
            allocator: self.allocator,
            progress,
            ..StoreOptions::default()
        })?;
        if !replaces {
            try_each(&from, |tree| self.refuse_content(tree.name()))?;
        }
        let mut import = Import {
            to: self,
            batch: Batch::new(self.source()),
            batch_bytes: 0,
            most_bytes: BATCH_BYTES.min(self.log().buffer_bytes() / 4),
            meter: Meter::new(progress),
            imported: Imported::default(),
        };
        let mut begun = 0;
        let outcome = try_each(&from, |tree| {
            begun = tree.number();
            import.copy(tree, replaces)
        });
        match outcome.and_then(|()| import.end()) {
            Ok(()) => Ok(import.imported),
            Err(fault) => {
                // An error here leaves what a crash would leave.
                let _ = try_each(&from, |tree| match tree.number() <= begun {
                    true => self.drop_tree(tree.name()).map(drop),
                    false => Ok(()),
                });
                Err(fault)
            }
        }
    }

    /// Refuses a tree that has a key.
    fn refuse_content(&self, name: &str) -> Result<(), ImportFault<'_>> {
        let Some(tree) = self.catalog.named(name) else {
            return Ok(());
        };
        let guard = tree.index().local_guard();
        let mut has_key = false;
        let visit = |_: &[u8], _| {
            has_key = true;
            ControlFlow::Break(())
        };
        (tree.versioned()).scan_at(guard.pin(), &Range::all(), LATEST, &mut 0, visit)?;
        match has_key {
            true => Err(ImportFault::Exists(tree.c_name())),
            false => Ok(()),
        }
    }
}

/// Calls a function with each tree, until it fails.
fn try_each<'f, E>(
    from: &'f Store,
    mut visit: impl FnMut(&'f StoreTree) -> Result<(), E>,
) -> Result<(), E> {
    let mut outcome = Ok(());
    from.catalog.each(|tree| {
        outcome = visit(tree);
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        }
    });
    outcome
}

struct Import<'s> {
    to: &'s Store,
    batch: Batch,
    /// The bytes of the batch's record.
    batch_bytes: usize,
    most_bytes: usize,
    meter: Meter,
    imported: Imported,
}

impl<'s> Import<'s> {
    /// Copies a tree.
    fn copy(&mut self, tree: &StoreTree, replaces: bool) -> Result<(), ImportFault<'s>> {
        if replaces {
            self.to.drop_tree(tree.name())?;
        }
        let made = self.to.tree(tree.name())?;
        let made = made.expect("a store that is written makes trees");
        let progress = self.progress();
        stopped(self.meter.report(&progress))?;
        let guard = tree.index().local_guard();
        let mut outcome = Ok(());
        let scanned = tree.versioned().scan_at(
            guard.pin(),
            &Range::all(),
            LATEST,
            &mut 0,
            |key, version| {
                outcome = self.add(made, key, version.bytes());
                match outcome {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            },
        );
        scanned?;
        outcome?;
        self.commit()?;
        self.imported.trees += 1;
        Ok(())
    }

    fn add(
        &mut self,
        tree: &'s StoreTree,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), ImportFault<'s>> {
        let bytes = key.len() + value.len();
        if self.batch_bytes + CHANGE_HEAD + bytes > self.most_bytes {
            self.commit()?;
        }
        let action = Action::Put { value };
        // SAFETY: the store outlives the batch; the key is one of a tree.
        unsafe { self.batch.push(&Operation { tree, key, action }) }?;
        self.batch_bytes += CHANGE_HEAD + bytes;
        self.imported.keys += 1;
        self.imported.bytes += bytes as u64;
        Ok(())
    }

    /// Commits the batch, and reports how far the import is.
    fn commit(&mut self) -> Result<(), ImportFault<'s>> {
        if self.batch.len() > 0 {
            if let Committed::Done(number) = self.to.commit(&self.batch)? {
                // As `commit` demands; the end of the import syncs.
                self.to.wait(number, Level::Written)?;
            }
            self.batch.clear();
            self.batch_bytes = 0;
        }
        let progress = self.progress();
        stopped(self.meter.note(&progress))
    }

    fn end(&mut self) -> Result<(), ImportFault<'s>> {
        let progress = self.progress();
        stopped(self.meter.report(&progress))?;
        Ok(self.to.sync()?)
    }

    fn progress(&self) -> Progress {
        Progress {
            bytes: self.imported.bytes,
            records: self.imported.keys,
            ..Progress::new(Phase::Import)
        }
    }
}

fn stopped<'s>(flow: ControlFlow<()>) -> Result<(), ImportFault<'s>> {
    match flow {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(OpenFault::Stopped.into()),
    }
}
