//! Writes a part: blocks of entries, in ascending order of tree and key.

use super::format::{BlockHeader, ENTRY_HEAD, Footer, HEADER, Header, PartHeader, PartRecord};
use crate::durable::io::{File, Io, IoError, Path};
use crate::index::memory::OutOfMemory;
use crate::protocol::Line;

/// A block is written when its entries have so many bytes; it is longer only by its last entry.
const BLOCK_BYTES: usize = if cfg!(test) { 200 } else { 128 << 10 };

/// A part that is being written.
pub(crate) struct PartWriter {
    file: File,
    /// The block's header and entries.
    block: Vec<u8>,
    tree: u32,
    /// Entries of the block.
    count: u32,
    /// Entries and blocks that are written.
    entries: u64,
    blocks: u64,
    offset: u64,
    /// The checksum of the last header.
    chain: u32,
}

impl PartWriter {
    /// Creates the file. What an earlier checkpoint has left under its name is removed: it is no part of
    /// one that counts.
    pub(crate) fn create(io: &Io, directory: &Path, header: &PartHeader) -> Result<Self, IoError> {
        let path = directory.join(&header.name())?;
        io.unlink_if_there(&path)?;
        let mut block = Vec::new();
        (block.try_reserve_exact(HEADER + BLOCK_BYTES + BLOCK_BYTES / 4))
            .map_err(|_| IoError::no_memory())?;
        block.resize(HEADER, 0);
        let mut bytes = [0; HEADER];
        let chain = header.encode(&mut bytes);
        let file = io.create(&path)?;
        file.write_at(&bytes, 0)?;
        Ok(Self {
            file,
            block,
            tree: 0,
            count: 0,
            entries: 0,
            blocks: 0,
            offset: HEADER as u64,
            chain,
        })
    }

    /// The entries that follow are of this tree. No block is begun.
    pub(crate) fn begin_tree(&mut self, tree: u32) {
        debug_assert!(self.count == 0 && tree > self.tree);
        self.tree = tree;
    }

    /// Adds an entry to the block. Returns whether the block is full, and is to be written.
    pub(crate) fn push(
        &mut self,
        number: u64,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool, OutOfMemory> {
        let size = (ENTRY_HEAD + key.len()).checked_add(value.len());
        let size = size.ok_or(OutOfMemory)?;
        self.block.try_reserve(size).map_err(|_| OutOfMemory)?;
        let key_len = u32::try_from(key.len()).expect("keys are shorter than 4 GiB");
        self.block.extend_from_slice(&number.to_le_bytes());
        (self.block).extend_from_slice(&(value.len() as u64).to_le_bytes());
        self.block.extend_from_slice(&key_len.to_le_bytes());
        self.block.extend_from_slice(key);
        self.block.extend_from_slice(value);
        self.count += 1;
        Ok(self.block.len() - HEADER >= BLOCK_BYTES)
    }

    /// Writes the block, if it has an entry; returns its bytes.
    pub(crate) fn write_block(&mut self) -> Result<u64, IoError> {
        if self.count == 0 {
            return Ok(0);
        }
        let (head, body) = self.block.split_first_chunk_mut().expect("a header");
        let header = BlockHeader {
            body_crc: crc32c::crc32c(body),
            sequence: self.blocks,
            tree: self.tree,
            entries: self.count,
            body: body.len() as u64,
            previous: self.chain,
        };
        self.chain = header.encode(head);
        self.file.write_at(&self.block, self.offset)?;
        let written = self.block.len() as u64;
        self.offset += written;
        self.blocks += 1;
        self.entries += u64::from(self.count);
        self.block.truncate(HEADER);
        self.count = 0;
        Ok(written)
    }

    /// Ends the part, after its last block was written, and makes the file durable.
    pub(crate) fn finish(self) -> Result<PartRecord, IoError> {
        debug_assert_eq!(self.count, 0);
        let mut footer: Header = [0; HEADER];
        let crc = Footer {
            entries: self.entries,
            blocks: self.blocks,
            offset: self.offset,
            previous: self.chain,
        }
        .encode(&mut footer);
        self.file.write_at(&footer, self.offset)?;
        if Line::PartsAreSynced.is_enabled() {
            self.file.sync()?;
        }
        self.file.close()?;
        Ok(PartRecord {
            length: self.offset + HEADER as u64,
            entries: self.entries,
            crc,
        })
    }
}
