//! The manifest: which checkpoint counts, its trees, and its parts.
//!
//! A manifest is kept as its bytes, which were checked when it was read.

use super::format::{FORMAT, MAX_PARTS, PartRecord};
use crate::durable::bytes::{Bytes, seal, sealed, u32_at, u64_at};
use crate::durable::io::{Io, IoError, OPEN_NEW, OPEN_WRITE, Path};
use crate::durable::log::{Corruption, LogError};
use crate::index::memory::OutOfMemory;
use crate::protocol::Line;
use crate::versioned::MAX_COMMIT;

/// The name of the manifest.
pub(crate) const MANIFEST: &[u8] = b"manifest";
/// Its name while it is written.
pub(super) const NEW_NAME: &[u8] = b"manifest.new";

const MAGIC: [u8; 8] = *b"MTMANIFS";
/// Bytes before the trees.
const HEAD: usize = 64;
/// Bytes of a tree before its name.
const TREE_HEAD: usize = 16;
/// Bytes of a part.
const PART: usize = 24;
/// Bytes of the checksum.
const CRC: usize = 4;
/// A manifest is not longer.
const MOST_BYTES: u64 = 1 << 30;

/// What begins a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ManifestHead {
    pub(crate) store_id: u64,
    /// The number of the checkpoint.
    pub(crate) number: u64,
    /// The highest number that had been given out when the manifest was made.
    pub(crate) highest: u64,
    /// Greater than the number of any tree that was made up to the checkpoint, also of those that were dropped.
    pub(crate) next_tree: u32,
    /// Whether a log belongs to the checkpoint. One that was exported has none yet.
    pub(crate) has_log: bool,
}

/// A tree of a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TreeRecord<'m> {
    pub(crate) number: u32,
    /// The number of the commit that made it.
    pub(crate) made: u64,
    pub(crate) name: &'m str,
}

/// A manifest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Manifest {
    bytes: Vec<u8>,
}

impl Manifest {
    pub(crate) fn encode<'t>(
        head: &ManifestHead,
        trees: impl Iterator<Item = TreeRecord<'t>> + Clone,
        parts: &[PartRecord],
    ) -> Result<Self, OutOfMemory> {
        let of_trees: usize = trees.clone().map(|tree| TREE_HEAD + tree.name.len()).sum();
        let length = HEAD + of_trees + PART * parts.len() + CRC;
        let count = u32::try_from(trees.clone().count()).map_err(|_| OutOfMemory)?;
        let mut all = Vec::new();
        all.try_reserve_exact(length).map_err(|_| OutOfMemory)?;
        all.resize(length, 0);
        let mut bytes = Bytes(&mut all);
        bytes.put(&MAGIC);
        bytes.put_u32(FORMAT);
        bytes.put_u32(HEAD as u32);
        bytes.put_u64(head.store_id);
        bytes.put_u64(head.number);
        bytes.put_u64(head.highest);
        bytes.put_u32(head.next_tree);
        bytes.put_u32(count);
        bytes.put_u32(parts.len() as u32);
        bytes.put_u32(u32::from(!head.has_log));
        bytes.put_u64(length as u64);
        for tree in trees {
            bytes.put_u32(tree.number);
            bytes.put_u32(tree.name.len() as u32);
            bytes.put_u64(tree.made);
            bytes.put(tree.name.as_bytes());
        }
        for part in parts {
            bytes.put_u64(part.length);
            bytes.put_u64(part.entries);
            bytes.put_u32(part.crc);
            bytes.put_u32(0);
        }
        seal(&mut all);
        Ok(Self { bytes: all })
    }

    /// Checks the bytes of a manifest; says what is wrong, and where.
    fn decode(bytes: Vec<u8>) -> Result<Self, (usize, &'static str)> {
        if bytes.len() < HEAD + CRC || bytes[..8] != MAGIC || sealed(&bytes).is_none() {
            return Err((0, "the manifest is not valid"));
        }
        if u32_at(&bytes, 8) != FORMAT || u32_at(&bytes, 12) as usize != HEAD {
            return Err((8, "the manifest has a format that is not known"));
        }
        let manifest = Self { bytes };
        let parts = manifest.part_count() as usize;
        let mut at = HEAD;
        let (mut before, mut number) = (0, 0);
        for _ in 0..manifest.tree_count() {
            let tree = manifest.tree_at(at);
            let (tree, end) = tree.ok_or((at, "a tree of the manifest is not valid"))?;
            if tree.number <= number || tree.number >= manifest.next_tree() {
                return Err((at, "the number of a tree is out of order"));
            }
            number = tree.number;
            if tree.made <= before || tree.made > manifest.number() {
                return Err((at + 8, "a tree has a number that is not the checkpoint's"));
            }
            (before, at) = (tree.made, end);
        }
        let length = at + PART * parts + CRC;
        let is_whole = manifest.bytes.len() == length
            && u64_at(&manifest.bytes, 56) == length as u64
            && manifest.next_tree() > manifest.tree_count()
            && (manifest.number()..=MAX_COMMIT).contains(&manifest.highest())
            && u32_at(&manifest.bytes, 52) <= 1
            && (1..=MAX_PARTS).contains(&parts);
        match is_whole {
            true => Ok(manifest),
            false => Err((32, "the manifest does not fit its counts")),
        }
    }

    /// The tree whose record is at an offset, and where the next record begins.
    fn tree_at(&self, at: usize) -> Option<(TreeRecord<'_>, usize)> {
        let rest = self.bytes[..self.bytes.len() - CRC].get(at..)?;
        let (head, rest) = rest.split_at_checked(TREE_HEAD)?;
        let name = rest.get(..u32_at(head, 4) as usize)?;
        let tree = TreeRecord {
            number: u32_at(head, 0),
            made: u64_at(head, 8),
            name: str::from_utf8(name).ok()?,
        };
        Some((tree, at + TREE_HEAD + name.len()))
    }

    pub(crate) fn store_id(&self) -> u64 {
        u64_at(&self.bytes, 16)
    }

    pub(crate) fn number(&self) -> u64 {
        u64_at(&self.bytes, 24)
    }

    pub(crate) fn highest(&self) -> u64 {
        u64_at(&self.bytes, 32)
    }

    pub(crate) fn next_tree(&self) -> u32 {
        u32_at(&self.bytes, 40)
    }

    pub(crate) fn tree_count(&self) -> u32 {
        u32_at(&self.bytes, 44)
    }

    /// Whether the directory must have a log.
    pub(crate) fn has_log(&self) -> bool {
        u32_at(&self.bytes, 52) == 0
    }

    pub(crate) fn part_count(&self) -> u32 {
        u32_at(&self.bytes, 48)
    }

    /// The trees in the order of their numbers.
    pub(crate) fn trees(&self) -> impl Iterator<Item = TreeRecord<'_>> {
        let mut at = HEAD;
        (0..self.tree_count()).map(move |_| {
            let (tree, end) = self.tree_at(at).expect("checked by `decode`");
            at = end;
            tree
        })
    }

    /// What is known about a part.
    pub(super) fn part(&self, part: u32) -> PartRecord {
        let parts = PART * self.part_count() as usize;
        let at = self.bytes.len() - CRC - parts + PART * part as usize;
        PartRecord {
            length: u64_at(&self.bytes, at),
            entries: u64_at(&self.bytes, at + 8),
            crc: u32_at(&self.bytes, at + 16),
        }
    }

    /// The entries of all parts.
    pub(crate) fn entries(&self) -> u64 {
        let parts = (0..self.part_count()).map(|part| self.part(part).entries);
        parts.fold(0, u64::saturating_add)
    }

    /// The bytes of all parts.
    pub(crate) fn part_bytes(&self) -> u64 {
        let parts = (0..self.part_count()).map(|part| self.part(part).length);
        parts.fold(0, u64::saturating_add)
    }
}

/// The error of a manifest whose content makes no sense.
pub(crate) fn corrupt_manifest(directory: &Path, why: &'static str) -> LogError {
    match directory.join(MANIFEST) {
        Err(error) => error.into(),
        Ok(file) => LogError::Corrupt(Corruption {
            file,
            offset: 0,
            why,
        }),
    }
}

/// Reads the manifest of a directory; `None` if it has none.
pub(crate) fn read_manifest(io: &Io, directory: &Path) -> Result<Option<Manifest>, LogError> {
    let path = directory.join(MANIFEST)?;
    let file = match io.open(&path, 0) {
        Ok(file) => file,
        Err(error) if error.errno == libc::ENOENT => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let corrupt = |offset: usize, why| {
        Err(LogError::Corrupt(Corruption {
            file: path.duplicate()?,
            offset: offset as u64,
            why,
        }))
    };
    let length = file.length()?;
    if length > MOST_BYTES {
        return corrupt(0, "the manifest is too long");
    }
    let mut bytes = Vec::new();
    (bytes.try_reserve_exact(length as usize)).map_err(|_| LogError::NoMemory)?;
    bytes.resize(length as usize, 0);
    if file.read_at(&mut bytes, 0)? != bytes.len() {
        return corrupt(0, "the manifest is too short");
    }
    match Manifest::decode(bytes) {
        Ok(manifest) => Ok(Some(manifest)),
        Err((offset, why)) => corrupt(offset, why),
    }
}

/// Removes the manifest. The sync of the directory with which the log goes on makes that durable.
pub(crate) fn remove_manifest(io: &Io, directory: &Path) -> Result<(), IoError> {
    io.unlink_if_there(&directory.join(MANIFEST)?)
}

/// Why a manifest was not published.
#[derive(Debug)]
pub(crate) enum Unpublished {
    /// The manifest from before counts, if there is one.
    Nothing(IoError),
    /// Either counts: no file of either may be removed.
    Unknown(IoError),
}

/// Makes a manifest count whose parts are synced: see the comment of the module above.
pub(crate) fn publish(io: &Io, directory: &Path, manifest: &Manifest) -> Result<(), Unpublished> {
    let renamed = write_new(io, directory, manifest).and_then(|()| {
        let (new, name) = (directory.join(NEW_NAME)?, directory.join(MANIFEST)?);
        io.rename(&new, &name)
    });
    renamed.map_err(Unpublished::Nothing)?;
    if Line::ManifestCounts.is_enabled() {
        io.sync_dir(directory).map_err(Unpublished::Unknown)?;
    }
    Ok(())
}

/// Writes the manifest under its temporary name, durably, and makes the names of the parts durable.
fn write_new(io: &Io, directory: &Path, manifest: &Manifest) -> Result<(), IoError> {
    let path = directory.join(NEW_NAME)?;
    io.unlink_if_there(&path)?;
    let file = io.open(&path, OPEN_WRITE | OPEN_NEW)?;
    file.write_at(&manifest.bytes, 0)?;
    if Line::ManifestIsSynced.is_enabled() {
        file.sync()?;
    }
    file.close()?;
    if Line::PartsAreNamed.is_enabled() {
        io.sync_dir(directory)?;
    }
    Ok(())
}
