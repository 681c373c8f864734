//! Makes a store's trees from its checkpoint.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use super::catalog::{Catalog, StoreTree, check_name};
use super::recover::{Meter, Reading, Restoring, thread_count};
use super::{Store, StoreOptions};
use crate::durable::checkpoint::{Entry, Manifest, corrupt_manifest, read_manifest, read_part};
use crate::durable::io::{Io, Path};
use crate::durable::log::{LogEnd, LogError, VisitError};
use crate::durable::threads::without_signals;
use crate::errno;
use crate::versioned::{LoadFault, Part, install};

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
            self.restore_content(options, directory, manifest)?;
        }
        Ok(manifest)
    }

    pub(super) fn restore_trees(
        &self,
        manifest: &Manifest,
        directory: &Path,
    ) -> Result<(), LogError> {
        for tree in manifest.trees() {
            if check_name(tree.name).is_none() {
                return Err(corrupt_manifest(
                    directory,
                    "the name of a tree is too long",
                ));
            }
            let new = self.make_tree(tree.name).map_err(|_| LogError::NoMemory)?;
            self.catalog.skip_to(tree.number - 1);
            let added = self.catalog.add(new, |_| tree.made);
            if added.map_err(|_| LogError::NoMemory)?.number() != tree.number {
                return Err(corrupt_manifest(directory, "two trees have one name"));
            }
        }
        self.catalog.skip_to(manifest.next_tree() - 1);
        Ok(())
    }

    /// Reads the parts, each thread some of them, and makes each tree of what its parts have.
    fn restore_content(
        &self,
        options: &StoreOptions,
        directory: &Path,
        manifest: &Manifest,
    ) -> Result<(), LogError> {
        let mut meter = Meter::new(options.progress);
        let restoring = Restoring::new(manifest.part_bytes());
        let mut loaded = self.read_parts(options, directory, manifest, (&restoring, &mut meter))?;
        let mut outcome = Ok(());
        self.catalog.each(|tree| {
            outcome = install_tree(tree, &mut loaded).map_err(|fault| match fault {
                LoadFault::OutOfMemory => LogError::NoMemory,
                _ => corrupt_manifest(directory, "the keys of two parts are not in order"),
            });
            match outcome {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        outcome?;
        match restoring.report_end(&mut meter) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(LogError::Stopped),
        }
    }

    /// Reads all parts; returns what each has, in their order. Notes how far it is. The first thread that
    /// fails stops the others; its error is returned.
    fn read_parts(
        &self,
        options: &StoreOptions,
        directory: &Path,
        manifest: &Manifest,
        (restoring, meter): (&Restoring, &mut Meter),
    ) -> Result<Vec<Loading<'_>>, LogError> {
        let count = manifest.part_count();
        let next = AtomicU32::new(0);
        let io = &options.io;
        let read = |meter| {
            let mut reading = Reading::new(restoring, meter);
            let take = || match restoring.is_stopped() {
                true => Err(LogError::Stopped),
                false => Ok(next.fetch_add(1, Ordering::Relaxed)),
            };
            self.read_some(io, directory, manifest, &take, &mut reading)
                .inspect_err(|_| restoring.stop())
        };
        let others = (count as usize).min(thread_count(options.recovery_threads)) - 1;
        if others == 0 {
            return in_order(read(Some(meter))?);
        }
        thread::scope(|scope| {
            let mut threads = reserved(others)?;
            for _ in 0..others {
                let builder = thread::Builder::new().name("masstree-read".into());
                let spawn = || builder.spawn_scoped(scope, || read(None));
                // Without a thread, the others read more parts.
                threads.extend(without_signals(spawn).ok());
            }
            let mut loaded = read(Some(meter));
            for thread in threads {
                let joined = errno::preserve(|| thread.join());
                loaded = both(loaded, joined.expect("the reader does not panic"));
            }
            in_order(loaded?)
        })
    }

    /// Reads the parts that `take` returns, which no other thread reads; returns what they have.
    fn read_some(
        &self,
        io: &Io,
        directory: &Path,
        manifest: &Manifest,
        take: &dyn Fn() -> Result<u32, LogError>,
        reading: &mut Reading<'_>,
    ) -> Result<Loaded<'_>, LogError> {
        let mut found = Vec::new();
        // Ends: each turn takes a part, or fails.
        loop {
            let part = take()?;
            if part >= manifest.part_count() {
                return Ok(found);
            }
            let mut loading = Loading::new(&self.catalog);
            read_part(io, directory, manifest, part, &mut |entry| {
                loading.add(&entry)?;
                reading.note(entry.key.len() + entry.value.len())
            })?;
            found.try_reserve(1).map_err(|_| LogError::NoMemory)?;
            found.push((part, loading));
        }
    }
}

fn reserved<T>(count: usize) -> Result<Vec<T>, LogError> {
    let mut list = Vec::new();
    (list.try_reserve_exact(count)).map_err(|_| LogError::NoMemory)?;
    Ok(list)
}

/// Returns what two threads have read, or why they did not: rather the cause than that one was stopped.
fn both<'c>(
    one: Result<Loaded<'c>, LogError>,
    other: Result<Loaded<'c>, LogError>,
) -> Result<Loaded<'c>, LogError> {
    match (one, other) {
        (Ok(mut loaded), Ok(more)) => {
            (loaded.try_reserve(more.len())).map_err(|_| LogError::NoMemory)?;
            loaded.extend(more);
            Ok(loaded)
        }
        (Err(LogError::Stopped), Err(why)) | (Err(why), _) | (_, Err(why)) => Err(why),
    }
}

/// Sorts what was read by the indexes of parts.
fn in_order(mut loaded: Loaded<'_>) -> Result<Vec<Loading<'_>>, LogError> {
    loaded.sort_unstable_by_key(|(part, _)| *part);
    let mut in_order = reserved(loaded.len())?;
    in_order.extend(loaded.into_iter().map(|(_, loading)| loading));
    Ok(in_order)
}

/// What was read of some parts, with their indexes.
type Loaded<'c> = Vec<(u32, Loading<'c>)>;

/// What was read of the trees in a part.
struct Loading<'c> {
    catalog: &'c Catalog,
    /// Numbers of trees, in ascending order.
    trees: VecDeque<(u32, Part<'c>)>,
}

impl<'c> Loading<'c> {
    fn new(catalog: &'c Catalog) -> Self {
        Self {
            catalog,
            trees: VecDeque::new(),
        }
    }

    fn add(&mut self, entry: &Entry<'_>) -> Result<(), VisitError> {
        if self
            .trees
            .back()
            .is_none_or(|(tree, _)| *tree != entry.tree)
        {
            self.begin(entry.tree)?;
        }
        let (_, part) = self.trees.back_mut().expect("it was begun");
        match part.push(entry.key, entry.number, entry.value) {
            Ok(()) => Ok(()),
            Err(LoadFault::OutOfMemory) => Err(VisitError::NoMemory),
            Err(_) => Err(VisitError::Corrupt("a key or a number is out of range")),
        }
    }

    fn begin(&mut self, number: u32) -> Result<(), VisitError> {
        let tree = self.catalog.numbered(number);
        let tree = tree.ok_or(VisitError::Corrupt(
            "a block is of a tree that there is not",
        ))?;
        let part = Part::new(tree.versioned()).map_err(|_| VisitError::NoMemory)?;
        self.trees
            .try_reserve(1)
            .map_err(|_| VisitError::NoMemory)?;
        self.trees.push_back((number, part));
        Ok(())
    }

    /// Takes what was read of a tree, if all trees with lower numbers were taken.
    fn take(&mut self, number: u32) -> Option<Part<'c>> {
        let is_next = self.trees.front()?.0 == number;
        is_next.then(|| self.trees.pop_front().expect("there is one").1)
    }
}

/// Gives a tree what was read of it.
fn install_tree<'c>(tree: &'c StoreTree, loaded: &mut [Loading<'c>]) -> Result<(), LoadFault> {
    let mut parts = Vec::new();
    (parts.try_reserve_exact(loaded.len())).map_err(|_| LoadFault::OutOfMemory)?;
    parts.extend(
        loaded
            .iter_mut()
            .filter_map(|loading| loading.take(tree.number())),
    );
    let guard = tree.index().local_guard();
    install(tree.versioned(), guard.pin(), parts)
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
        None if !salvages && manifest.has_log() => {
            return Err(corrupt_manifest(directory, "the log is missing"));
        }
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
    end.begin_behind(manifest.number());
    Ok(())
}
