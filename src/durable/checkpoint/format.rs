//! The bytes of the headers in parts; docs/store-format.md describes each of them.

use std::io::Write;

use crate::durable::bytes::{Bytes, seal, sealed, u32_at, u64_at};

/// Bytes of each header.
pub(super) const HEADER: usize = 48;

/// The format of parts and manifests that this code writes, and the highest that it reads.
pub(super) const FORMAT: u32 = 1;

const PART_MAGIC: [u8; 8] = *b"MTCHKPNT";
const BLOCK_MAGIC: [u8; 8] = *b"MTBLOCK1";
const FOOTER_MAGIC: [u8; 8] = *b"MTCHKEND";

/// Bytes of an entry before its key.
pub(super) const ENTRY_HEAD: usize = 20;

/// The most parts of a checkpoint.
pub(crate) const MAX_PARTS: usize = 1 << 12;

/// What begins a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PartHeader {
    pub(crate) store_id: u64,
    /// The number of the checkpoint.
    pub(crate) number: u64,
    /// The index of the part.
    pub(crate) part: u32,
}

/// What precedes the entries of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct BlockHeader {
    pub(super) body_crc: u32,
    /// The index of the block in its part.
    pub(super) sequence: u64,
    /// The number of the tree.
    pub(super) tree: u32,
    /// The entries of the block.
    pub(super) entries: u32,
    /// Their bytes.
    pub(super) body: u64,
    /// The checksum of the header before: of the block, or of the part.
    pub(super) previous: u32,
}

/// What ends a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Footer {
    pub(super) entries: u64,
    pub(super) blocks: u64,
    /// Where the footer begins.
    pub(super) offset: u64,
    /// As in a block.
    pub(super) previous: u32,
}

/// What the manifest says about a part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PartRecord {
    /// Bytes of the file.
    pub(crate) length: u64,
    pub(crate) entries: u64,
    /// The checksum of the footer.
    pub(crate) crc: u32,
}

/// The bytes of a header.
pub(super) type Header = [u8; HEADER];

/// Writes a header from its magic, the word after its length, and its members; returns its checksum.
fn encode(into: &mut Header, magic: &[u8; 8], word: u32, words: [u64; 3], last: u32) -> u32 {
    let mut bytes = Bytes(into);
    bytes.put(magic);
    bytes.put_u32(HEADER as u32);
    bytes.put_u32(word);
    words.iter().for_each(|&word| bytes.put_u64(word));
    bytes.put_u32(last);
    seal(into)
}

/// Returns the checksum of a header if it has the magic and is valid.
fn decode(bytes: &Header, magic: &[u8; 8]) -> Option<u32> {
    let is_known = bytes[..8] == *magic && u32_at(bytes, 8) as usize == HEADER;
    is_known.then(|| sealed(bytes)).flatten()
}

impl PartHeader {
    /// Writes the header; returns its checksum.
    pub(super) fn encode(&self, into: &mut Header) -> u32 {
        let words = [self.store_id, self.number, u64::from(self.part)];
        encode(into, &PART_MAGIC, FORMAT, words, 0)
    }

    /// Reads a header, its checksum, and its format; `None` if it is not valid.
    pub(super) fn decode(bytes: &Header) -> Option<(Self, u32, u32)> {
        let crc = decode(bytes, &PART_MAGIC)?;
        let header = Self {
            store_id: u64_at(bytes, 16),
            number: u64_at(bytes, 24),
            part: u32_at(bytes, 32),
        };
        Some((header, crc, u32_at(bytes, 12)))
    }

    /// The name of the part's file.
    pub(super) fn name(&self) -> [u8; NAME] {
        part_name(self.number, self.part)
    }
}

impl BlockHeader {
    pub(super) fn encode(&self, into: &mut Header) -> u32 {
        let counts = u64::from(self.tree) | u64::from(self.entries) << 32;
        let words = [self.sequence, counts, self.body];
        encode(into, &BLOCK_MAGIC, self.body_crc, words, self.previous)
    }

    /// Reads a header, and its checksum; `None` if it is not valid.
    pub(super) fn decode(bytes: &Header) -> Option<(Self, u32)> {
        let crc = decode(bytes, &BLOCK_MAGIC)?;
        let header = Self {
            body_crc: u32_at(bytes, 12),
            sequence: u64_at(bytes, 16),
            tree: u32_at(bytes, 24),
            entries: u32_at(bytes, 28),
            body: u64_at(bytes, 32),
            previous: u32_at(bytes, 40),
        };
        Some((header, crc))
    }
}

impl Footer {
    pub(super) fn encode(&self, into: &mut Header) -> u32 {
        let words = [self.entries, self.blocks, self.offset];
        encode(into, &FOOTER_MAGIC, 0, words, self.previous)
    }

    /// Reads a footer, and its checksum; `None` if it is not valid.
    pub(super) fn decode(bytes: &Header) -> Option<(Self, u32)> {
        let crc = decode(bytes, &FOOTER_MAGIC)?;
        let footer = Self {
            entries: u64_at(bytes, 16),
            blocks: u64_at(bytes, 24),
            offset: u64_at(bytes, 32),
            previous: u32_at(bytes, 40),
        };
        Some((footer, crc))
    }
}

/// Bytes of the name of a part.
pub(super) const NAME: usize = 31;

/// The name of a part of the checkpoint at `number`.
fn part_name(number: u64, part: u32) -> [u8; NAME] {
    let mut name = [0; NAME];
    let mut rest = &mut name[..];
    write!(rest, "checkpoint-{number:016x}-{part:03x}").expect("there are at most `MAX_PARTS`");
    name
}

/// Returns the number and the index that the name of a part contains; `None` if it is no name of a part.
pub(super) fn parse_part_name(name: &[u8]) -> Option<(u64, u32)> {
    let digits = str::from_utf8(name.strip_prefix(b"checkpoint-")?).ok()?;
    let (number, part) = digits.split_once('-')?;
    let number = u64::from_str_radix(number, 16).ok()?;
    let part = u32::from_str_radix(part, 16).ok()?;
    let is_part = (part as usize) < MAX_PARTS && part_name(number, part) == name;
    is_part.then_some((number, part))
}
