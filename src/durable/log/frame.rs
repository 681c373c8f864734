//! The bytes of frames and of segment headers; docs/store-format.md describes each of them. Numbers
//! are little-endian.

pub(super) use crate::durable::bytes::u64_at;
use crate::durable::bytes::{Bytes, seal, sealed, u32_at};

/// Bytes of a frame's header.
pub(super) const FRAME_HEADER: usize = 64;
/// Bytes of a segment's header.
pub(super) const SEGMENT_HEADER: usize = 80;

const FRAME_MAGIC: [u8; 8] = *b"MTFRAME1";
const SEGMENT_MAGIC: [u8; 8] = *b"MTLOGSEG";
/// The format of segments that this code writes, and the highest that it reads.
pub(super) const FORMAT: u32 = 1;

/// What precedes the records of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FrameHeader {
    pub(super) body_crc: u32,
    pub(super) store_id: u64,
    /// The number of the first record.
    pub(super) first: u64,
    /// The number of the last record.
    pub(super) last: u64,
    /// The length of the records, in bytes.
    pub(super) body: u64,
    /// Every number below this one was durable when the frame was written.
    pub(super) durable: u64,
    /// The checksum of the header before: of the previous frame, or of the segment.
    pub(super) previous: u32,
}

/// What begins a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentHeader {
    pub(super) store_id: u64,
    /// The number of the first record.
    pub(super) base: u64,
    /// While this is the last segment, only numbers below are given out.
    pub(super) limit: u64,
    pub(super) predecessor: Tail,
}

/// The end of a segment, or of the log. All members are 0 where there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Tail {
    pub(super) base: u64,
    /// In the segment's file, in bytes.
    pub(super) offset: u64,
    /// The number that a further record in the segment would have had.
    pub(super) end: u64,
    /// The checksum of the last frame's header, or of the segment's if it has no frame.
    pub(super) chain: u32,
}

impl FrameHeader {
    /// Writes the header; returns its checksum.
    pub(super) fn encode(&self, into: &mut [u8; FRAME_HEADER]) -> u32 {
        let mut bytes = Bytes(into);
        bytes.put(&FRAME_MAGIC);
        bytes.put_u32(FRAME_HEADER as u32);
        bytes.put_u32(self.body_crc);
        for word in [
            self.store_id,
            self.first,
            self.last,
            self.body,
            self.durable,
        ] {
            bytes.put_u64(word);
        }
        bytes.put_u32(self.previous);
        seal(into)
    }

    /// Reads a header, and its checksum; `None` if it is not valid.
    pub(super) fn decode(bytes: &[u8; FRAME_HEADER]) -> Option<(Self, u32)> {
        if bytes[..8] != FRAME_MAGIC || u32_at(bytes, 8) as usize != FRAME_HEADER {
            return None;
        }
        let crc = sealed(bytes)?;
        let header = Self {
            body_crc: u32_at(bytes, 12),
            store_id: u64_at(bytes, 16),
            first: u64_at(bytes, 24),
            last: u64_at(bytes, 32),
            body: u64_at(bytes, 40),
            durable: u64_at(bytes, 48),
            previous: u32_at(bytes, 56),
        };
        Some((header, crc))
    }
}

impl SegmentHeader {
    /// Writes the header; returns its checksum.
    pub(super) fn encode(&self, into: &mut [u8; SEGMENT_HEADER]) -> u32 {
        let mut bytes = Bytes(into);
        bytes.put(&SEGMENT_MAGIC);
        bytes.put_u32(FORMAT);
        bytes.put_u32(SEGMENT_HEADER as u32);
        for word in [
            self.store_id,
            self.base,
            self.limit,
            self.predecessor.base,
            self.predecessor.offset,
            self.predecessor.end,
        ] {
            bytes.put_u64(word);
        }
        bytes.put_u32(self.predecessor.chain);
        bytes.put(&[0; 8]);
        seal(into)
    }

    /// Reads a header, its checksum, and its format; `None` if it is not valid.
    pub(super) fn decode(bytes: &[u8; SEGMENT_HEADER]) -> Option<(Self, u32, u32)> {
        if bytes[..8] != SEGMENT_MAGIC || u32_at(bytes, 12) as usize != SEGMENT_HEADER {
            return None;
        }
        let crc = sealed(bytes)?;
        let header = Self {
            store_id: u64_at(bytes, 16),
            base: u64_at(bytes, 24),
            limit: u64_at(bytes, 32),
            predecessor: Tail {
                base: u64_at(bytes, 40),
                offset: u64_at(bytes, 48),
                end: u64_at(bytes, 56),
                chain: u32_at(bytes, 64),
            },
        };
        Some((header, crc, u32_at(bytes, 8)))
    }
}

const NAME_PREFIX: &[u8; 4] = b"log-";
/// Bytes of a segment's name.
pub(super) const NAME: usize = 20;

/// The name of the segment that begins at `base`.
pub(super) fn segment_name(base: u64) -> [u8; NAME] {
    let mut name = [0; NAME];
    name[..4].copy_from_slice(NAME_PREFIX);
    for (index, digit) in name[4..].iter_mut().enumerate() {
        let value = base >> (60 - 4 * index) & 0xf;
        *digit = b"0123456789abcdef"[value as usize];
    }
    name
}

/// Whether a file with this name is a segment.
pub(crate) fn is_segment(name: &[u8]) -> bool {
    base_of(name).is_some()
}

/// Returns the base that a segment's name contains; `None` if it is no name of a segment.
pub(super) fn base_of(name: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(name.strip_prefix(NAME_PREFIX)?).ok()?;
    let base = u64::from_str_radix(digits, 16).ok()?;
    (segment_name(base) == name).then_some(base)
}
