//! What writes the log: its files, and how far they are written.
//!
//! One thread at a time appends: the flusher, or a thread that waits for its record (see `lead`). The mutex
//! of [`Shared::appender`] is that role. It alone writes to files once the log is open, and alone releases
//! units of the ring, in this order: a group of records becomes a frame; the frame is written; what was
//! written is made durable if a thread waits for that, or the interval has passed. Records that arrive
//! meanwhile form the next group. It allocates the file ahead (`room`), for which writers wait.
//!
//! A sync covers what was written before it began: `durable` moves to the position that was written
//! then. After the first error no file is touched any more.

use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use super::Level;
use super::frame::{FRAME_HEADER, FrameHeader, SEGMENT_HEADER, SegmentHeader, Tail};
use super::kept::Closed;
use super::reader::LogEnd;
use super::ring::UNIT;
use super::segment::{NoRoom, Segment};
use super::shared::{FRAME_UNITS, Shared};
use crate::durable::io::IoError;
use crate::errno;
use crate::sync::Ordering;

pub(super) struct Appender {
    /// `None` until the first record is written: so that a full disk can be opened.
    segment: Option<Segment>,
    /// The end of the segment before, if there is none; of the recovered log at first.
    tail: Tail,
    /// The position after what is written.
    position: u64,
    /// The checksum of the last header.
    chain: u32,
    /// A frame: the longest group, and a header.
    frame: Vec<u8>,
    /// When the oldest record that is not durable was written.
    unsynced_since: Option<Instant>,
}

/// What a request for room got.
enum Answer {
    Room,
    Full,
    NoMemory,
}

/// What was done in a turn.
#[derive(Default)]
pub(super) struct Turn {
    pub(super) has_written: bool,
    has_synced: bool,
    has_answered: bool,
    /// The time until the next sync; `None` if there is nothing to sync, or no interval.
    pub(super) until_sync: Option<Duration>,
}

impl Turn {
    /// Whether something was done, so that there may be more to do.
    pub(super) fn was_busy(&self) -> bool {
        self.has_written || self.has_synced || self.has_answered
    }
}

/// Takes one turn, and lets the appender go. Only then does it wake threads whose records became durable: one
/// that runs at once, and has its next record soon, finds the appender free.
pub(super) fn take_turn(shared: &Shared, mut appender: MutexGuard<'_, Appender>) -> Turn {
    let mut turn = Turn::default();
    let durable = shared.reached(Level::Durable);
    // The user's table of file operations may set it.
    if let Err(error) = errno::preserve(|| appender.turn(shared, &mut turn)) {
        shared.fail(error);
    }
    // Also before a segment begins.
    turn.has_synced = shared.reached(Level::Durable) > durable;
    turn.until_sync = appender.time_until_sync(shared);
    drop(appender);
    if turn.has_synced {
        shared.synced.notify();
    }
    turn
}

impl Appender {
    /// Goes on where a log ends, with frames of at most `longest` bytes. `None` if there is no memory.
    pub(super) fn new(recovered: &LogEnd, longest: usize) -> Option<Self> {
        let mut frame = Vec::new();
        frame.try_reserve_exact(longest).ok()?;
        frame.resize(longest, 0);
        Some(Self {
            segment: None,
            tail: recovered.tail,
            position: recovered.next,
            chain: recovered.tail.chain,
            frame,
            unsynced_since: None,
        })
    }

    /// Writes what is there, syncs if that is due, and makes room if a writer asks for it, or soon will.
    fn turn(&mut self, shared: &Shared, turn: &mut Turn) -> Result<(), IoError> {
        if shared.has_failed() {
            return Ok(());
        }
        turn.has_written = self.write_group(shared)?;
        if self.is_sync_due(shared) {
            self.sync(shared)?;
        }
        let request = shared.request.load(Ordering::Acquire);
        if request > 0 {
            let answer = self.make_room(shared, request)?;
            Self::answer(shared, &answer);
            turn.has_answered = true;
        } else if turn.has_written && Self::is_room_low(shared) {
            // Ahead of need; if the disk is full, the writer that needs room is told.
            self.make_room(shared, shared.step / UNIT)?;
        }
        Ok(())
    }

    /// Writes the records that are filled as one frame; returns whether there were any.
    fn write_group(&mut self, shared: &Shared) -> Result<bool, IoError> {
        let most = (self.frame.len() - FRAME_HEADER) as u64 / UNIT;
        let Some(group) = shared.ring.group(self.position, most) else {
            return Ok(false);
        };
        let body = (group.end - self.position) * UNIT;
        let length = FRAME_HEADER + body as usize;
        let (head, rest) = (self.frame.split_first_chunk_mut()).expect("longer than a header");
        let records = &mut rest[..body as usize];
        shared.ring.copy(self.position, records);
        let header = FrameHeader {
            body_crc: crc32c::crc32c(records),
            store_id: shared.store_id,
            first: self.position,
            last: group.last,
            body,
            durable: shared.durable.load(Ordering::Relaxed),
            previous: self.chain,
        };
        let chain = header.encode(head);
        let segment = self.segment.as_mut().expect("room was granted");
        segment.append(&self.frame[..length])?;
        self.chain = chain;
        // Each record had room for a frame of its own.
        (shared.file_room).fetch_add((group.records - 1) * FRAME_UNITS, Ordering::Relaxed);
        shared.counts.count_group(group.records, length as u64);
        shared.written.store(group.end, Ordering::Release);
        if let Some(alarm) = &shared.alarm {
            alarm.reach(group.end);
        }
        shared.ring.release(self.position, group.end);
        self.position = group.end;
        self.unsynced_since.get_or_insert_with(Instant::now);
        shared.progress.notify();
        Ok(true)
    }

    /// Makes durable what is written.
    fn sync(&mut self, shared: &Shared) -> Result<(), IoError> {
        let Some(segment) = &self.segment else {
            return Ok(());
        };
        let begin = Instant::now();
        segment.sync()?;
        shared.counts.count_sync(begin.elapsed());
        shared.durable.store(self.position, Ordering::Release);
        self.unsynced_since = None;
        Ok(())
    }

    fn is_sync_due(&self, shared: &Shared) -> bool {
        let is_time = || (self.time_until_sync(shared)).is_some_and(|time| time.is_zero());
        shared.is_sync_wanted() || (shared.is_unsynced() && is_time())
    }

    /// The time until the interval passes; `None` if there is none, or everything is durable.
    fn time_until_sync(&self, shared: &Shared) -> Option<Duration> {
        let interval = shared.sync_interval?;
        Some(interval.saturating_sub(self.unsynced_since?.elapsed()))
    }

    /// Closes the file of a log that has not failed.
    pub(super) fn finish(&mut self, shared: &Shared) {
        if let Some(segment) = self.segment.take()
            && !shared.has_failed()
        {
            let finished = segment.finish();
            finished.unwrap_or_else(|error| shared.fail(error));
        }
    }

    fn is_room_low(shared: &Shared) -> bool {
        shared.file_room.load(Ordering::Relaxed) < shared.step / UNIT / 2
    }

    fn answer(shared: &Shared, answer: &Answer) {
        let fault = match answer {
            Answer::Room => 0,
            Answer::Full => libc::ENOSPC as u32,
            Answer::NoMemory => libc::ENOMEM as u32,
        };
        shared.refused.store(fault, Ordering::Relaxed);
        // Release pairs with the load by the thread that has asked: it finds the answer.
        shared.request.store(0, Ordering::Release);
        shared.progress.notify();
    }

    /// Allocates room in the file for `units`, or more.
    fn make_room(&mut self, shared: &Shared, units: u64) -> Result<Answer, IoError> {
        let left = shared.file_room.load(Ordering::Relaxed);
        let needed = units.saturating_sub(left) * UNIT;
        if needed == 0 {
            return Ok(Answer::Room);
        }
        // A step, or only what is needed if the disk has no room for a step.
        for wanted in [shared.step.max(needed), needed] {
            let segment = self.segment.as_mut();
            let grown = match segment.filter(|segment| segment.growth() >= needed) {
                Some(segment) => {
                    let more = wanted.min(segment.growth());
                    segment.grow(more).map(|()| more)
                }
                None => self.begin_segment(shared, wanted, needed),
            };
            match grown {
                Ok(more) => {
                    (shared.file_room).fetch_add(more / UNIT, Ordering::Relaxed);
                    return Ok(Answer::Room);
                }
                Err(NoRoom::Full) => {}
                Err(NoRoom::Failed(error)) if error.is_no_memory() => return Ok(Answer::NoMemory),
                Err(NoRoom::Failed(error)) => return Err(error),
            }
        }
        Ok(Answer::Full)
    }

    /// Begins a segment, with room for what writers hold room for in the current one, and for `wanted`
    /// bytes, or at least `needed`; returns how many it has room for beyond what they hold.
    fn begin_segment(&mut self, shared: &Shared, wanted: u64, needed: u64) -> Result<u64, NoRoom> {
        if shared.is_unsynced() {
            self.sync(shared).map_err(NoRoom::Failed)?;
        }
        if !shared.kept.reserve() {
            return Err(NoRoom::Failed(IoError::no_memory()));
        }
        let carried = self.segment.as_ref().map_or(0, Segment::left);
        let fixed = SEGMENT_HEADER as u64 + carried;
        debug_assert!(fixed + needed <= shared.segment_bytes, "see `Shared::new`");
        let allocated = (fixed + wanted).min(shared.segment_bytes);
        let header = SegmentHeader {
            store_id: shared.store_id,
            base: self.position,
            limit: self.position + shared.segment_bytes / UNIT,
            predecessor: (self.segment.as_ref())
                .map_or(self.tail, |segment| segment.tail(self.position, self.chain)),
        };
        let (segment, chain) = Segment::create(&shared.io, &shared.directory, &header, allocated)?;
        self.chain = chain;
        if let Some(old) = self.segment.replace(segment) {
            shared.kept.close(Closed {
                base: header.predecessor.base,
                end: self.position,
            });
            old.finish().map_err(NoRoom::Failed)?;
        }
        shared.current_base.store(self.position, Ordering::Release);
        Ok(allocated - fixed)
    }
}
