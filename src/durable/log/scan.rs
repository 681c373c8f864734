//! Reads one segment's file: its header, its frames, and what lies behind an invalid place.

use super::frame::{FRAME_HEADER, FrameHeader, SEGMENT_HEADER, SegmentHeader, Tail};
use super::ring::UNIT;
use super::window::Window;
use crate::durable::io::{File, Io, IoError, Path};

/// Bytes that a search reads at a time.
const WINDOW: usize = 1 << 16;

/// Why there is no further frame at a place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Break {
    Header,
    Chain,
    Length,
    Body,
}

impl Break {
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Header => "there is no valid header of a frame",
            Self::Chain => "the frame does not follow the one before it",
            Self::Length => "the frame is longer than its file",
            Self::Body => "the checksum of the frame's records does not match",
        }
    }
}

/// What a search has found.
#[derive(Default)]
pub(super) struct Rest {
    /// Bytes up to the last that is not zero.
    pub(super) bytes: u64,
    pub(super) has_evidence: bool,
    /// The highest number in a valid frame's header, or 0.
    pub(super) highest: u64,
}

pub(super) struct SegmentFile {
    file: File,
    pub(super) base: u64,
    length: u64,
    /// The header if it is valid, its checksum, its format.
    header: Option<(SegmentHeader, u32, u32)>,
}

impl SegmentFile {
    pub(super) fn open(io: &Io, path: &Path, base: u64) -> Result<Self, IoError> {
        let file = io.open(path, 0)?;
        let length = file.length()?;
        let mut bytes = [0; SEGMENT_HEADER];
        let read = file.read_at(&mut bytes, 0)?;
        let header = (read == SEGMENT_HEADER).then(|| SegmentHeader::decode(&bytes));
        Ok(Self {
            file,
            base,
            length,
            header: header.flatten(),
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Learns how long the file is by now.
    pub(super) fn measure(&mut self) -> Result<(), IoError> {
        self.length = self.file.length()?;
        Ok(())
    }

    pub(super) fn header(&self) -> Option<&SegmentHeader> {
        self.header.as_ref().map(|(header, ..)| header)
    }

    pub(super) fn header_crc(&self) -> u32 {
        self.header.map_or(0, |(_, crc, _)| crc)
    }

    pub(super) fn format(&self) -> u32 {
        self.header.map_or(0, |(_, _, format)| format)
    }

    /// Reads the frame at `at` into the window; returns the place after it.
    pub(super) fn frame_at(
        &self,
        at: &Tail,
        store_id: u64,
        window: &mut Window,
    ) -> Result<Result<Tail, Break>, IoError> {
        let head = window.read(&self.file, self.base, at.offset, FRAME_HEADER)?;
        let Some((header, crc)) = head.first_chunk().and_then(FrameHeader::decode) else {
            return Ok(Err(Break::Header));
        };
        let follows = header.store_id == store_id
            && header.first == at.end
            && header.previous == at.chain
            && header.body % UNIT == 0
            && header.body > 0;
        if !follows {
            return Ok(Err(Break::Chain));
        }
        let from = at.offset + FRAME_HEADER as u64;
        if header.body > self.length.saturating_sub(from) {
            return Ok(Err(Break::Length));
        }
        let length = header.body as usize;
        let body = window.read(&self.file, self.base, from, length)?;
        if body.len() != length || crc32c::crc32c(body) != header.body_crc {
            return Ok(Err(Break::Body));
        }
        Ok(Ok(Tail {
            base: at.base,
            offset: from + header.body,
            end: at.end + header.body / UNIT,
            chain: crc,
        }))
    }

    /// Searches from `from` to the file's end for valid headers of frames.
    pub(super) fn search(
        &self,
        from: u64,
        window: &mut Vec<u8>,
        is_evidence: &dyn Fn(&FrameHeader) -> bool,
    ) -> Result<Rest, IoError> {
        let mut rest = Rest::default();
        let mut at = from;
        resize(window, WINDOW)?;
        // Ends: each turn moves on by most of a window, up to the file's end.
        while at < self.length {
            let read = self.file.read_at(&mut window[..], at)?;
            let bytes = &window[..read];
            if let Some(last) = bytes.iter().rposition(|&byte| byte != 0) {
                rest.bytes = at + last as u64 + 1 - from;
            }
            for place in bytes.windows(FRAME_HEADER).step_by(UNIT as usize) {
                let place = place.first_chunk().expect("a header's length");
                if let Some((header, _)) = FrameHeader::decode(place) {
                    rest.has_evidence |= is_evidence(&header);
                    rest.highest = rest.highest.max(header.last);
                }
            }
            if read < WINDOW {
                break;
            }
            // The next window begins before this one's end: a header may lie across it.
            at += (WINDOW - FRAME_HEADER) as u64;
        }
        Ok(rest)
    }
}

pub(super) fn resize(bytes: &mut Vec<u8>, length: usize) -> Result<(), IoError> {
    let more = length.saturating_sub(bytes.len());
    bytes.try_reserve(more).map_err(|_| IoError::no_memory())?;
    bytes.resize(length, 0);
    Ok(())
}
