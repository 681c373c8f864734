//! Verifies a directory: reads what an opening reads, with the same functions, and refuses what that refuses, but
//! keeps no key.
//!
//! The manifest, each part with its checksums, their chain and the order of its keys, the order of keys from
//! part to part, the log from the checkpoint on, each record, and that it speaks of trees that there are.
//! Trees are made without keys, to know their names. The directory is locked as for an opening that only
//! reads, and nothing in it is changed. Memory: a buffer, a key for each tree.

use super::replay::Replay;
use super::{Meter, Phase, Progress};
use crate::durable::checkpoint::{Entry, Manifest, corrupt_manifest, read_manifest, read_part};
use crate::durable::io::Path;
use crate::durable::log::{Frame, LogError, Report, VisitError, read_log};
use crate::durable::store::catalog::Catalog;
use crate::durable::store::open::lock;
use crate::durable::store::restore::follow;
use crate::durable::store::{OpenFault, Store, StoreOptions};

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Verified {
    /// The number of the checkpoint; 0 if there is none.
    pub(crate) checkpoint: u64,
    /// The trees that there are at the end of the log.
    pub(crate) trees: u64,
    /// Files of the checkpoint, and the keys in them.
    pub(crate) parts: u64,
    pub(crate) keys: u64,
    pub(crate) log: Report,
}

impl Store {
    /// Verifies the directory of the options.
    pub(crate) fn verify(mut options: StoreOptions) -> Result<Verified, OpenFault> {
        let directory = options.directory.take().unwrap_or_else(Path::empty);
        (options.is_read_only, options.must_exist) = (true, true);
        let store = Self::empty(&options)?;
        let _lock = lock(&options, &directory)?;
        let mut meter = Meter::new(options.progress);
        let mut verified = Verified::default();
        let manifest = read_manifest(&options.io, &directory)?;
        if let Some(manifest) = &manifest {
            store.restore_trees(manifest, &directory)?;
            verified.checkpoint = manifest.number();
            verified.parts = u64::from(manifest.part_count());
            verified.keys = store.verify_parts(&options, &directory, manifest, &mut meter)?;
        }
        let from = verified.checkpoint + 1;
        let mut replay = Replay::without_changes(&store, &mut meter)?;
        let visit = &mut |frame: &Frame<'_>| replay.visit(frame);
        let mut end = read_log(&options.io, &directory, from, false, visit)?;
        let mut progress = replay.end()?;
        match &manifest {
            Some(manifest) => follow(manifest, &mut end, &directory, false)?,
            None if end.store_id.is_none() => return Err(OpenFault::NotFound),
            None => {}
        }
        progress.bytes = progress.total;
        if meter.report(&progress).is_break() {
            return Err(OpenFault::Stopped);
        }
        verified.trees = store.tree_count();
        verified.log = end.report;
        Ok(verified)
    }

    /// Reads all parts; returns how many keys they have.
    fn verify_parts(
        &self,
        options: &StoreOptions,
        directory: &Path,
        manifest: &Manifest,
        meter: &mut Meter,
    ) -> Result<u64, LogError> {
        let mut keys = Keys::new(&self.catalog);
        let mut progress = Progress {
            total: manifest.part_bytes(),
            ..Progress::new(Phase::Checkpoint)
        };
        for part in 0..manifest.part_count() {
            let visit = &mut |entry: Entry<'_>| {
                keys.check(&entry)?;
                progress.records += 1;
                progress.bytes += (entry.key.len() + entry.value.len()) as u64;
                match meter.note(&progress).is_break() {
                    true => Err(VisitError::Stopped),
                    false => Ok(()),
                }
            };
            read_part(&options.io, directory, manifest, part, visit)?;
            keys.end_part().map_err(|_| LogError::NoMemory)?;
            if !keys.are_in_order {
                let why = "the keys of two parts are not in order";
                return Err(corrupt_manifest(directory, why));
            }
        }
        progress.bytes = progress.total;
        match meter.report(&progress).is_break() {
            true => Err(LogError::Stopped),
            false => Ok(progress.records),
        }
    }
}

/// The last key of each tree in the parts so far.
struct Keys<'c> {
    catalog: &'c Catalog,
    /// In the order of numbers.
    last: Vec<(u32, Vec<u8>)>,
    /// The tree, and its last key in this part; no tree has number 0.
    tree: u32,
    key: Vec<u8>,
    are_in_order: bool,
}

impl<'c> Keys<'c> {
    fn new(catalog: &'c Catalog) -> Self {
        Self {
            catalog,
            last: Vec::new(),
            tree: 0,
            key: Vec::new(),
            are_in_order: true,
        }
    }

    /// Checks that the tree of an entry is there, and, of the first of a tree in a part, that it is behind the part
    /// before.
    fn check(&mut self, entry: &Entry<'_>) -> Result<(), VisitError> {
        if entry.tree != self.tree {
            self.end_tree()?;
            if self.catalog.numbered(entry.tree).is_none() {
                return Err(VisitError::Corrupt(
                    "a block is of a tree that there is not",
                ));
            }
            self.tree = entry.tree;
            if let Ok(at) = self.find(entry.tree) {
                self.are_in_order &= self.last[at].1.as_slice() < entry.key;
            }
        }
        self.key.clear();
        (self.key.try_reserve(entry.key.len())).map_err(|_| VisitError::NoMemory)?;
        self.key.extend_from_slice(entry.key);
        Ok(())
    }

    fn find(&self, tree: u32) -> Result<usize, usize> {
        self.last.binary_search_by_key(&tree, |(tree, _)| *tree)
    }

    /// Keeps the last key of the tree.
    fn end_tree(&mut self) -> Result<(), VisitError> {
        if self.tree == 0 {
            return Ok(());
        }
        let key = std::mem::take(&mut self.key);
        match self.find(self.tree) {
            Ok(at) => self.last[at].1 = key,
            Err(at) => {
                self.last.try_reserve(1).map_err(|_| VisitError::NoMemory)?;
                self.last.insert(at, (self.tree, key));
            }
        }
        Ok(())
    }

    fn end_part(&mut self) -> Result<(), VisitError> {
        self.end_tree()?;
        self.tree = 0;
        Ok(())
    }
}
