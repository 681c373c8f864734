//! Reads records from the files of a log that goes on.
//!
//! # Protocol
//!
//! **Order.** A record's number is its position, and records lie in frames, and frames in segments, by position. So
//! reading forward gives the records in the order of their numbers, and all of each: a record lies in one frame.
//!
//! **What may be read.** A follower loads a position with Acquire, `written` or `durable`, and reads frames below it
//! only. The flusher stores it, with Release, after the call that wrote or synced those frames has returned. They
//! are not written again: each frame has its own place in its file, and a file is cut behind its last frame, or
//! removed, but not used for another segment. Bytes at that position or above may change while they are read. The
//! window may have them: so everything in it is forgotten when a later position was loaded
//! ([`Line::WindowIsRenewed`]), as is the length of the file. Both positions lie between two frames.
//!
//! Durable records stay in the log whatever happens. Written ones may be lost if the machine fails.
//!
//! **Segments.** A record's segment is looked up by its position (`kept`), for each frame: a follower goes on to a
//! segment after all of the one before. The chain of checksums is followed as in recovery, from the header of the
//! first segment on, and from each segment to the next. So what is passed on is what was written. A removed file
//! may be read while it is open, which does no harm. If anything fails, the follower looks whether a cut has
//! given the segment up, and says that instead.
//!
//! **Errors.** The position moves on with the frame that was read, so a call that failed can be made again.

use std::sync::Arc;
use std::time::Instant;

use super::Level;
use super::frame::{FORMAT, FRAME_HEADER, SEGMENT_HEADER, Tail, segment_name};
use super::kept::{Closed, NotKept};
use super::reader::{Corruption, LogError};
use super::records::{Frame, Placed, placed};
use super::ring::UNIT;
use super::scan::SegmentFile;
use super::shared::{FRAME_UNITS, Shared};
use super::window::Window;
use crate::durable::io::IoError;
use crate::protocol::Line;

/// Why a log cannot be followed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FollowFault {
    /// What comes next was removed from the log.
    TooOld,
    /// The log has no commit with the number: it was lost in a crash, or never was.
    Lost,
    Log(LogError),
}

impl From<NotKept> for FollowFault {
    fn from(fault: NotKept) -> Self {
        match fault {
            NotKept::TooOld => Self::TooOld,
            NotKept::Lost => Self::Lost,
            NotKept::NoMemory => Self::Log(LogError::NoMemory),
        }
    }
}

impl From<IoError> for FollowFault {
    fn from(error: IoError) -> Self {
        Self::Log(error.into())
    }
}

/// A frame in the window.
#[derive(Clone, Copy)]
struct Current {
    /// The number of its first record.
    first: u64,
    /// Where its records are in the file.
    offset: u64,
    length: usize,
}

/// A place in a log, and the frame before it.
pub(crate) struct Follower {
    shared: Arc<Shared>,
    hold: u64,
    level: Level,
    /// The segment of `at`; `None` before the first frame.
    segment: Option<SegmentFile>,
    at: Tail,
    /// Everything below this position may be read. The window was read afterwards.
    stable: u64,
    /// Everything below this position was read, if that was all there is.
    idle_at: u64,
    window: Window,
    frame: Option<Current>,
    /// Records up to this number are left out.
    since: u64,
}

impl Follower {
    pub(super) fn new(
        shared: Arc<Shared>,
        since: u64,
        level: Level,
        most: u64,
    ) -> Result<Self, FollowFault> {
        let hold = shared.kept.hold(since, most)?;
        let at = Tail {
            end: since + 1,
            ..Tail::default()
        };
        Ok(Self {
            shared,
            hold,
            level,
            segment: None,
            at,
            stable: 0,
            idle_at: 0,
            window: Window::new(),
            frame: None,
            since,
        })
    }

    /// Reads the next frame that has a record behind the number from which the log is followed. Returns false if there
    /// is none at the level.
    pub(crate) fn advance(&mut self) -> Result<bool, FollowFault> {
        self.frame = None;
        self.find_frame().map_err(|fault| {
            // What was wrong may be right when it is read again.
            self.window.reuse();
            match self.shared.kept.is_out_of_reach(self.at.end) {
                true => FollowFault::TooOld,
                false => fault,
            }
        })
    }

    /// Ends: each turn moves to a later segment, or over a frame, up to what is stable when it gets there.
    fn find_frame(&mut self) -> Result<bool, FollowFault> {
        loop {
            if self.at.end >= self.stable && !self.renew()? {
                return Ok(false);
            }
            let current = self.shared.current();
            let place = (self.shared.kept).segment_at(self.hold, self.at.end, current)?;
            let Some(place) = place else {
                // The rest of the positions was never given out.
                self.idle_at = self.stable;
                return Ok(false);
            };
            if self.segment.is_none() || self.at.base != place.base {
                self.enter(place)?;
            } else if self.read_frame()? {
                return Ok(true);
            }
        }
    }

    /// Learns what may be read; returns false if that is nothing new.
    fn renew(&mut self) -> Result<bool, FollowFault> {
        let stable = self.shared.reached(self.level);
        if stable <= self.at.end {
            self.idle_at = self.at.end;
            return Ok(false);
        }
        if let Some(segment) = &mut self.segment {
            segment.measure()?;
        }
        // The most that the records up to there take, each in a frame of its own. In tests, more, which is not stable.
        let units = stable - self.at.end;
        let ahead = units.saturating_mul((1 + FRAME_UNITS) * UNIT);
        if Line::WindowIsRenewed.is_enabled() {
            self.window.renew(if cfg!(test) { u64::MAX } else { ahead });
        }
        self.stable = stable;
        Ok(true)
    }

    /// Opens the segment that follows, or the first.
    fn enter(&mut self, place: Closed) -> Result<(), FollowFault> {
        let (io, directory) = (&self.shared.io, &self.shared.directory);
        let path = directory.join(&segment_name(place.base))?;
        let file = SegmentFile::open(io, &path, place.base)?;
        let Some(header) = file.header() else {
            return corrupt(&file, 0, "the header of a segment is not valid");
        };
        if file.format() != FORMAT {
            return corrupt(&file, 8, "the segment has a format that is not known");
        }
        if header.base != place.base || header.store_id != self.shared.store_id {
            return corrupt(&file, 16, "the segment has the name of another");
        }
        if self.segment.is_some() && header.predecessor != self.at {
            return corrupt(&file, 40, "the segment does not follow the one before it");
        }
        self.at = Tail {
            base: header.base,
            offset: SEGMENT_HEADER as u64,
            end: header.base,
            chain: file.header_crc(),
        };
        self.segment = Some(file);
        Ok(())
    }

    /// Reads the frame at the place in the segment; returns whether it has a record that is wanted.
    fn read_frame(&mut self) -> Result<bool, FollowFault> {
        let file = self.segment.as_ref().expect("it was entered");
        let (at, store_id) = (self.at, self.shared.store_id);
        let next = match file.frame_at(&at, store_id, &mut self.window)? {
            Ok(next) => next,
            Err(broken) => return corrupt(file, at.offset, broken.why()),
        };
        let offset = at.offset + FRAME_HEADER as u64;
        let length = (next.offset - offset) as usize;
        let body = (self.window.held(at.base, offset, length)).expect("the frame was read last");
        if let Err(number) = Frame::new(at.end, body, 0) {
            let offset = offset + (number - at.end) * UNIT;
            return corrupt(file, offset, "a record does not fit its frame");
        }
        self.at = next;
        if next.end <= self.since + 1 {
            return Ok(false);
        }
        self.frame = Some(Current {
            first: at.end,
            offset,
            length,
        });
        Ok(true)
    }

    /// Returns the record at an offset in the frame, with where it lies; `None` behind the last.
    pub(crate) fn record(&self, offset: usize) -> Option<Placed<'_>> {
        placed(self.frame?.first, self.body(), offset)
    }

    /// The records of the frame, as bytes.
    pub(crate) fn body(&self) -> &[u8] {
        let held = self
            .frame
            .and_then(|frame| (self.window).held(self.at.base, frame.offset, frame.length));
        held.unwrap_or_default()
    }

    /// Returns the corruption of a record of the frame.
    pub(crate) fn corruption(&self, number: u64, why: &'static str) -> FollowFault {
        let (Some(frame), Some(file)) = (self.frame, &self.segment) else {
            return FollowFault::TooOld;
        };
        let offset = frame.offset + (number - frame.first) * UNIT;
        let corrupt: Result<(), _> = corrupt(file, offset, why);
        corrupt.expect_err("it is an error")
    }

    /// Waits until there may be more to read than was found, until a time, or until the log has failed. Returns whether
    /// there may be more.
    pub(crate) fn wait(&self, deadline: Option<Instant>) -> bool {
        let shared = &self.shared;
        let read = self.at.end.max(self.idle_at);
        let signal = match self.level {
            Level::Durable => &shared.synced,
            Level::Memory | Level::Written => &shared.progress,
        };
        let has_more = || shared.reached(self.level) > read;
        signal.sleep_until_or(|| has_more() || shared.has_failed(), deadline);
        has_more()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.shared.kept.end_hold(self.hold);
    }
}

fn corrupt<T>(file: &SegmentFile, offset: u64, why: &'static str) -> Result<T, FollowFault> {
    Err(FollowFault::Log(LogError::Corrupt(Corruption {
        file: file.path().duplicate()?,
        offset,
        why,
    })))
}
