//! Reads a part, and checks all of it: headers, checksums, their chain, counts, order, and the end.

use super::format::{
    BlockHeader, ENTRY_HEAD, FORMAT, Footer, HEADER, Header, PartHeader, PartRecord,
};
use super::manifest::Manifest;
use crate::durable::bytes::{u32_at, u64_at};
use crate::durable::io::{File, Io, Path};
use crate::durable::log::{Corruption, LogError, VisitError};

/// A key of a tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Entry<'b> {
    /// The number of the tree.
    pub(crate) tree: u32,
    /// The number of the commit that stored the value.
    pub(crate) number: u64,
    pub(crate) key: &'b [u8],
    pub(crate) value: &'b [u8],
}

/// Passes the entries of a part to `visit`, in ascending order of tree and key. An error may come after some
/// of them.
pub(crate) fn read_part(
    io: &Io,
    directory: &Path,
    manifest: &Manifest,
    part: u32,
    visit: &mut dyn FnMut(Entry<'_>) -> Result<(), VisitError>,
) -> Result<(), LogError> {
    let header = PartHeader {
        store_id: manifest.store_id(),
        number: manifest.number(),
        part,
    };
    let path = directory.join(&header.name())?;
    let file = match io.open(&path, 0) {
        Ok(file) => file,
        Err(error) if error.errno == libc::ENOENT => {
            return corrupt(&path, 0, "a part of the checkpoint is missing");
        }
        Err(error) => return Err(error.into()),
    };
    let reader = PartReader {
        file,
        limits: manifest,
        record: manifest.part(part),
        offset: 0,
        chain: 0,
        entries: 0,
        blocks: 0,
        body: Vec::new(),
        last_tree: 0,
        last_key: Vec::new(),
    };
    reader.read(&header, visit)
}

fn corrupt<T>(file: &Path, offset: u64, why: &'static str) -> Result<T, LogError> {
    Err(LogError::Corrupt(Corruption {
        file: file.duplicate()?,
        offset,
        why,
    }))
}

struct PartReader<'m> {
    file: File,
    limits: &'m Manifest,
    record: PartRecord,
    offset: u64,
    chain: u32,
    entries: u64,
    blocks: u64,
    body: Vec<u8>,
    /// The tree and the key of the last entry; no tree has number 0.
    last_tree: u32,
    last_key: Vec<u8>,
}

impl PartReader<'_> {
    fn corrupt<T>(&self, why: &'static str) -> Result<T, LogError> {
        corrupt(self.file.path(), self.offset, why)
    }

    fn read(
        mut self,
        header: &PartHeader,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), VisitError>,
    ) -> Result<(), LogError> {
        if self.file.length()? != self.record.length {
            return self.corrupt("the file has another length than the manifest says");
        }
        self.read_header(header)?;
        // Ends: each turn moves over a block, to at most the footer.
        while self.offset + (HEADER as u64) < self.record.length {
            let block = self.read_block()?;
            self.visit_block(&block, visit)?;
            self.offset += HEADER as u64 + block.body;
        }
        self.read_footer()
    }

    fn header_at_offset(&self) -> Result<Header, LogError> {
        let mut bytes = [0; HEADER];
        match self.file.read_at(&mut bytes, self.offset)? {
            HEADER => Ok(bytes),
            _ => self.corrupt("the file is too short"),
        }
    }

    fn read_header(&mut self, expected: &PartHeader) -> Result<(), LogError> {
        let Some((header, crc, format)) = PartHeader::decode(&self.header_at_offset()?) else {
            return self.corrupt("the header of a part is not valid");
        };
        if format != FORMAT {
            return self.corrupt("the part has a format that is not known");
        }
        if header != *expected {
            return self.corrupt("the part belongs to another checkpoint");
        }
        self.chain = crc;
        self.offset = HEADER as u64;
        Ok(())
    }

    /// Reads the block at `offset` into `body`.
    fn read_block(&mut self) -> Result<BlockHeader, LogError> {
        let Some((block, crc)) = BlockHeader::decode(&self.header_at_offset()?) else {
            return self.corrupt("the header of a block is not valid");
        };
        if block.previous != self.chain || block.sequence != self.blocks {
            return self.corrupt("the block does not follow the one before it");
        }
        let left = self.record.length - self.offset - HEADER as u64;
        if block.body > left {
            return self.corrupt("the block is longer than the file");
        }
        let length = usize::try_from(block.body).map_err(|_| LogError::NoMemory)?;
        self.body.clear();
        (self.body.try_reserve(length)).map_err(|_| LogError::NoMemory)?;
        self.body.resize(length, 0);
        let read = (self.file).read_at(&mut self.body, self.offset + HEADER as u64)?;
        if read != length || crc32c::crc32c(&self.body) != block.body_crc {
            return self.corrupt("the entries of a block do not have its checksum");
        }
        if block.tree < self.last_tree.max(1) {
            return self.corrupt("the block is not in the order of trees");
        }
        self.chain = crc;
        self.blocks += 1;
        self.entries += u64::from(block.entries);
        Ok(block)
    }

    /// Passes the entries of the block in `body`.
    fn visit_block(
        &mut self,
        block: &BlockHeader,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), VisitError>,
    ) -> Result<(), LogError> {
        let last_key = std::mem::take(&mut self.last_key);
        let mut before = (block.tree == self.last_tree).then_some(last_key.as_slice());
        let mut rest = self.body.as_slice();
        for _ in 0..block.entries {
            let Some((entry, after)) = split_entry(block.tree, rest) else {
                return self.corrupt("an entry does not fit its block");
            };
            if before.is_some_and(|before| before >= entry.key) {
                return self.corrupt("the keys of a block are not in order");
            }
            if !(1..=self.limits.number()).contains(&entry.number) {
                return self.corrupt("an entry has a number that is not the checkpoint's");
            }
            match visit(entry) {
                Ok(()) => {}
                Err(VisitError::NoMemory) => return Err(LogError::NoMemory),
                Err(VisitError::Stopped) => return Err(LogError::Stopped),
                Err(VisitError::Corrupt(why)) => return self.corrupt(why),
            }
            before = Some(entry.key);
            rest = after;
        }
        if !rest.is_empty() || block.entries == 0 {
            return self.corrupt("a block has another count of entries than it says");
        }
        let mut key = Vec::new();
        let last = before.unwrap_or_default();
        (key.try_reserve_exact(last.len())).map_err(|_| LogError::NoMemory)?;
        key.extend_from_slice(last);
        (self.last_tree, self.last_key) = (block.tree, key);
        Ok(())
    }

    fn read_footer(&self) -> Result<(), LogError> {
        let Some((footer, crc)) = Footer::decode(&self.header_at_offset()?) else {
            return self.corrupt("the end of a part is not valid");
        };
        let expected = Footer {
            entries: self.entries,
            blocks: self.blocks,
            offset: self.offset,
            previous: self.chain,
        };
        if footer != expected || crc != self.record.crc || footer.entries != self.record.entries {
            return self.corrupt("the end of a part does not fit what precedes it");
        }
        Ok(())
    }
}

/// Splits the first entry off.
fn split_entry(tree: u32, body: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (head, rest) = body.split_first_chunk::<ENTRY_HEAD>()?;
    let value_len = usize::try_from(u64_at(head, 8)).ok()?;
    let (key, rest) = rest.split_at_checked(u32_at(head, 16) as usize)?;
    let (value, rest) = rest.split_at_checked(value_len)?;
    let entry = Entry {
        tree,
        number: u64_at(head, 0),
        key,
        value,
    };
    Some((entry, rest))
}
