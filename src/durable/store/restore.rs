//! Makes a store's trees from its checkpoint.

use super::catalog::check_name;
use super::{Store, StoreOptions};
use crate::durable::checkpoint::{Entry, Manifest, corrupt_manifest, read_manifest, read_part};
use crate::durable::io::{Io, Path};
use crate::durable::log::{LogEnd, LogError, VisitError};
use crate::versioned::{Kind, Refused};

impl Store {
    /// Makes the trees of the checkpoint that counts, with their content; returns its manifest, or `None` if
    /// there is none.
    pub(super) fn restore(
        &self,
        options: &StoreOptions,
        directory: &Path,
    ) -> Result<Option<Manifest>, LogError> {
        let io = &options.io;
        let manifest = read_manifest(io, directory)?;
        if let Some(manifest) = &manifest {
            self.restore_trees(manifest, directory)?;
            self.restore_content(io, directory, manifest)?;
        }
        Ok(manifest)
    }

    fn restore_trees(&self, manifest: &Manifest, directory: &Path) -> Result<(), LogError> {
        for (number, tree) in (1..).zip(manifest.trees()) {
            if check_name(tree.name).is_none() {
                return Err(corrupt_manifest(
                    directory,
                    "the name of a tree is too long",
                ));
            }
            let new = self.make_tree(tree.name).map_err(|_| LogError::NoMemory)?;
            let added = self.catalog.add(new, |_| tree.made);
            if added.map_err(|_| LogError::NoMemory)?.number() != number {
                return Err(corrupt_manifest(directory, "two trees have one name"));
            }
        }
        Ok(())
    }

    fn restore_content(
        &self,
        io: &Io,
        directory: &Path,
        manifest: &Manifest,
    ) -> Result<(), LogError> {
        for part in 0..manifest.part_count() {
            let mut visit = |entry: Entry<'_>| self.restore_entry(&entry);
            read_part(io, directory, manifest, part, &mut visit)?;
        }
        Ok(())
    }

    fn restore_entry(&self, entry: &Entry<'_>) -> Result<(), VisitError> {
        let tree = self.catalog.numbered(entry.tree);
        let tree = tree.ok_or(VisitError::Corrupt(
            "a block is of a tree that there is not",
        ))?;
        let guard = tree.index().local_guard();
        let (versioned, number) = (tree.versioned(), entry.number);
        match versioned.load(guard.pin(), entry.key, Kind::Value, number, entry.value) {
            Ok(()) => Ok(()),
            Err(Refused::OutOfMemory) => Err(VisitError::NoMemory),
            Err(_) => Err(VisitError::Corrupt("a number is out of range")),
        }
    }
}

/// Lets a log go on that was read behind a checkpoint. Fails if it is not the log of the checkpoint.
pub(super) fn follow(
    manifest: &Manifest,
    end: &mut LogEnd,
    directory: &Path,
    salvages: bool,
) -> Result<(), LogError> {
    match end.store_id {
        // A checkpoint leaves the log's last file.
        None if !salvages => return Err(corrupt_manifest(directory, "the log is missing")),
        Some(id) if id != manifest.store_id() => {
            return Err(corrupt_manifest(
                directory,
                "the log belongs to another store",
            ));
        }
        _ => {}
    }
    end.store_id = Some(manifest.store_id());
    end.next = end.next.max(manifest.highest() + 1);
    Ok(())
}
