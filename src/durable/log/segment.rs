//! The segment that the flusher appends to.
//!
//! A segment's header, and its name in the directory, are durable before the first frame is written,
//! and the segments before it are synced up to the end that it names. So a valid header proves
//! that its predecessor is durable, and a frame in a segment proves that its header was.
//!
//! The file is allocated ahead of what is written, in steps, up to the segment's limit: what may be
//! written can be, however full the disk becomes.

use super::frame::{SEGMENT_HEADER, SegmentHeader, Tail, segment_name};
use super::ring::UNIT;
use crate::durable::io::{File, Io, IoError, Path};

pub(super) struct Segment {
    file: File,
    /// Where the next frame is written, in bytes.
    offset: u64,
    /// Bytes that are allocated.
    allocated: u64,
    /// Bytes that may be allocated.
    limit: u64,
    base: u64,
}

/// Why a segment cannot begin or grow.
pub(super) enum NoRoom {
    /// The disk is full: it may be tried again.
    Full,
    Failed(IoError),
}

fn no_room(error: IoError) -> NoRoom {
    if error.is_full() {
        NoRoom::Full
    } else {
        NoRoom::Failed(error)
    }
}

impl Segment {
    /// Creates a segment of which `allocated` bytes are allocated; returns it and its header's
    /// checksum. Leaves no file if the disk is full.
    pub(super) fn create(
        io: &Io,
        directory: &Path,
        header: &SegmentHeader,
        allocated: u64,
    ) -> Result<(Self, u32), NoRoom> {
        let path = (directory.join(&segment_name(header.base))).map_err(NoRoom::Failed)?;
        let file = io.create(&path).map_err(no_room)?;
        if let Err(error) = file.preallocate(0, allocated) {
            drop(file);
            io.unlink(&path).map_err(NoRoom::Failed)?;
            return Err(no_room(error));
        }
        let mut bytes = [0; SEGMENT_HEADER];
        let chain = header.encode(&mut bytes);
        let made = (file.write_at(&bytes, 0))
            .and_then(|()| file.sync())
            .and_then(|()| io.sync_dir(directory));
        made.map_err(NoRoom::Failed)?;
        let segment = Self {
            file,
            offset: SEGMENT_HEADER as u64,
            allocated,
            limit: (header.limit - header.base) * UNIT,
            base: header.base,
        };
        Ok((segment, chain))
    }

    /// Bytes that may be written.
    pub(super) fn left(&self) -> u64 {
        self.allocated - self.offset
    }

    /// Bytes by which the segment may grow.
    pub(super) fn growth(&self) -> u64 {
        self.limit - self.allocated
    }

    /// Allocates more bytes.
    pub(super) fn grow(&mut self, bytes: u64) -> Result<(), NoRoom> {
        (self.file.preallocate(self.allocated, bytes)).map_err(no_room)?;
        self.allocated += bytes;
        Ok(())
    }

    /// Appends a frame.
    pub(super) fn append(&mut self, frame: &[u8]) -> Result<(), IoError> {
        debug_assert!(frame.len() as u64 <= self.left(), "room was granted");
        self.file.write_at(frame, self.offset)?;
        self.offset += frame.len() as u64;
        Ok(())
    }

    pub(super) fn sync(&self) -> Result<(), IoError> {
        self.file.sync()
    }

    /// Where the segment ends, after the frame before position `end`.
    pub(super) fn tail(&self, end: u64, chain: u32) -> Tail {
        Tail {
            base: self.base,
            offset: self.offset,
            end,
            chain,
        }
    }

    /// Gives what was allocated and not written back to the file system.
    pub(super) fn finish(self) -> Result<(), IoError> {
        self.file.truncate(self.offset)?;
        self.file.close()
    }
}
