//! Writes the parts of a checkpoint: divides the keys of each tree among them, and writes what each key has at
//! the checkpoint's number.
//!
//! A part has a range of keys of each tree, and a thread of its own. The walk enters a guard for each block
//! and leaves it before the block is written: what writers displace meanwhile is freed as ever. What the
//! walk needs stays, since a snapshot with the checkpoint's number is open. Between blocks it goes on behind
//! the last key. Keys that are inserted meanwhile have greater numbers, and are passed over.

use std::ops::ControlFlow;
use std::thread;

use super::catalog::{Catalog, StoreTree};
use crate::durable::checkpoint::{MAX_PARTS, PartHeader, PartRecord, PartWriter};
use crate::durable::io::{Io, IoError, Path};
use crate::durable::threads::without_signals;
use crate::errno;
use crate::index::memory::OutOfMemory;
use crate::index::tree::{Bound, Range};

/// A part has at least so many keys, about: fewer are not worth a thread.
const LEAST_KEYS: u64 = if cfg!(test) { 4 } else { 1 << 14 };

/// Why a checkpoint is not made.
#[derive(Debug)]
pub(super) enum Abandoned {
    OutOfMemory,
    /// The log, or a sync of the directory, has failed before; or the store is being closed.
    Refused,
    Io(IoError),
}

impl From<OutOfMemory> for Abandoned {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

impl From<IoError> for Abandoned {
    fn from(error: IoError) -> Self {
        match error.is_no_memory() {
            true => Self::OutOfMemory,
            false => Self::Io(error),
        }
    }
}

/// A tree, and the keys that divide it.
struct Share<'c> {
    tree: &'c StoreTree,
    cuts: Vec<Vec<u8>>,
}

/// The trees of a checkpoint, divided into parts.
pub(super) struct Parts<'c> {
    shares: Vec<Share<'c>>,
    number: u64,
    pub(super) count: usize,
    /// The number of the tree that was made next.
    pub(super) next_tree: u32,
}

impl<'c> Parts<'c> {
    /// Divides the trees that there are after the commit `number` into at most `most` parts.
    pub(super) fn divide(
        catalog: &'c Catalog,
        number: u64,
        most: usize,
    ) -> Result<Self, OutOfMemory> {
        let mut shares = Vec::new();
        let mut outcome = Ok(());
        let mut keys = 0;
        catalog.each_at(number, |tree| {
            keys += tree.index().key_count();
            outcome = shares.try_reserve(1).map_err(|_| OutOfMemory);
            if outcome.is_err() {
                return ControlFlow::Break(());
            }
            let cuts = Vec::new();
            shares.push(Share { tree, cuts });
            ControlFlow::Continue(())
        });
        outcome?;
        let wanted = usize::try_from(keys / LEAST_KEYS).unwrap_or(most);
        let count = wanted.clamp(1, most.clamp(1, MAX_PARTS));
        for share in &mut shares {
            share.cut(count)?;
        }
        Ok(Self {
            shares,
            number,
            count,
            next_tree: catalog.next_at(number),
        })
    }

    /// The trees, in the order of their numbers.
    pub(super) fn trees(&self) -> impl Iterator<Item = &'c StoreTree> + Clone {
        self.shares.iter().map(|share| share.tree)
    }

    /// Writes all parts, each on a thread of its own. `written` is told of the bytes of each block, and may
    /// wait or fail.
    pub(super) fn write(
        &self,
        io: &Io,
        directory: &Path,
        header: &PartHeader,
        written: &(dyn Fn(u64) -> Result<(), Abandoned> + Sync),
    ) -> Result<Vec<PartRecord>, Abandoned> {
        let write = |part: usize| {
            let header = PartHeader {
                part: part as u32,
                ..*header
            };
            self.write_part(PartWriter::create(io, directory, &header)?, part, written)
        };
        let mut records = Vec::new();
        (records.try_reserve_exact(self.count)).map_err(|_| OutOfMemory)?;
        if self.count == 1 {
            records.push(write(0)?);
            return Ok(records);
        }
        thread::scope(|scope| {
            let mut threads = Vec::new();
            (threads.try_reserve_exact(self.count)).map_err(|_| OutOfMemory)?;
            for part in 1..self.count {
                let builder = thread::Builder::new().name("masstree-part".into());
                let spawn = || builder.spawn_scoped(scope, move || write(part));
                // Without a thread, this one writes the part.
                threads.push(without_signals(spawn).ok());
            }
            let mut written = write(0).map(|record| records.push(record));
            // All are joined, also after an error: the end of the scope is not seen by ThreadSanitizer.
            for (part, thread) in (1..).zip(threads) {
                let joined = thread.map(|thread| errno::preserve(|| thread.join()));
                let record = match joined {
                    Some(joined) => joined.expect("the writer does not panic"),
                    None if written.is_ok() => write(part),
                    None => continue,
                };
                written = written.and_then(|()| record.map(|record| records.push(record)));
            }
            written.map(|()| records)
        })
    }

    fn write_part(
        &self,
        mut writer: PartWriter,
        part: usize,
        written: &(dyn Fn(u64) -> Result<(), Abandoned> + Sync),
    ) -> Result<PartRecord, Abandoned> {
        for share in &self.shares {
            if let Some((lower, upper)) = share.range(part) {
                writer.begin_tree(share.tree.number());
                self.write_range(share.tree, lower, upper, &mut writer, written)?;
            }
        }
        Ok(writer.finish()?)
    }

    /// Writes the keys of a tree between two bounds.
    fn write_range(
        &self,
        tree: &StoreTree,
        lower: Bound<'_>,
        upper: Bound<'_>,
        writer: &mut PartWriter,
        written: &(dyn Fn(u64) -> Result<(), Abandoned> + Sync),
    ) -> Result<(), Abandoned> {
        let mut last: Option<Vec<u8>> = None;
        // Ends: each turn but the last writes a block of keys behind those before.
        loop {
            let range = Range {
                lower: last.as_deref().map_or(lower, Bound::Excluded),
                upper,
                ..Range::all()
            };
            last = self.fill_block(tree, &range, writer)?;
            written(writer.write_block()?)?;
            if last.is_none() {
                return Ok(());
            }
        }
    }

    /// Fills a block from the beginning of a range; returns the last key if the block is full.
    fn fill_block(
        &self,
        tree: &StoreTree,
        range: &Range<'_>,
        writer: &mut PartWriter,
    ) -> Result<Option<Vec<u8>>, OutOfMemory> {
        let guard = tree.index().local_guard();
        let mut outcome = Ok(None);
        let (tree, visited) = (tree.versioned(), &mut 0);
        tree.scan_at(guard.pin(), range, self.number, visited, |key, version| {
            match writer.push(version.number(), key, version.bytes()) {
                Ok(false) => return ControlFlow::Continue(()),
                Ok(true) => outcome = copy(key).map(Some),
                Err(OutOfMemory) => outcome = Err(OutOfMemory),
            }
            ControlFlow::Break(())
        })?;
        outcome
    }
}

fn copy(key: &[u8]) -> Result<Vec<u8>, OutOfMemory> {
    let mut copy = Vec::new();
    (copy.try_reserve_exact(key.len())).map_err(|_| OutOfMemory)?;
    copy.extend_from_slice(key);
    Ok(copy)
}

impl Share<'_> {
    /// Finds keys that divide the tree into `parts`.
    fn cut(&mut self, parts: usize) -> Result<(), OutOfMemory> {
        (self.cuts.try_reserve_exact(parts - 1)).map_err(|_| OutOfMemory)?;
        let guard = self.tree.index().local_guard();
        let mut outcome = Ok(());
        (self.tree.index()).pivots(guard.pin(), parts - 1, &mut |key| {
            outcome = copy(key).map(|key| self.cuts.push(key));
            outcome.is_ok()
        })?;
        outcome
    }

    /// The bounds of a part; `None` if the tree has fewer parts.
    fn range(&self, part: usize) -> Option<(Bound<'_>, Bound<'_>)> {
        let lower = match part.checked_sub(1) {
            None => Bound::Open,
            Some(before) => Bound::Included(self.cuts.get(before)?),
        };
        let upper = self
            .cuts
            .get(part)
            .map(|key| Bound::Excluded(key.as_slice()));
        Some((lower, upper.unwrap_or(Bound::Open)))
    }
}
