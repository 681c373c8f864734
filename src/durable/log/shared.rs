//! What writers, waiters and the flusher of a log share.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::alarm::Alarm;
use super::appender::Appender;
use super::callbacks::Callbacks;
use super::frame::FRAME_HEADER;
use super::kept::{Closed, Kept};
use super::reader::LogEnd;
use super::ring::{Ring, UNIT};
use super::signal::{Closing, Idle, Signal};
use super::statistics::Counts;
use super::{Failure, Level, LogError, LogOptions};
use crate::durable::io::{Io, IoError, Path};
use crate::sync::{AtomicU32, AtomicU64, Ordering};

/// Units of a frame's header.
pub(super) const FRAME_UNITS: u64 = FRAME_HEADER as u64 / UNIT;

pub(super) struct Shared {
    pub(super) ring: Ring,
    pub(super) io: Io,
    /// Empty for a log without a directory.
    pub(super) directory: Path,
    pub(super) store_id: u64,
    /// Bytes that a segment may have.
    pub(super) segment_bytes: u64,
    /// Bytes by which the file is allocated.
    pub(super) step: u64,
    pub(super) sync_interval: Option<Duration>,
    pub(super) alarm: Option<Arc<Alarm>>,
    /// Where the log was opened.
    pub(super) opened_at: u64,
    /// What appends; the thread that holds it is the one that does.
    pub(super) appender: Mutex<Appender>,
    pub(super) idle: Idle,
    /// Announces `written`, answers to requests, room that was given back, and failure.
    pub(super) progress: Signal,
    /// Announces `durable`, and failure.
    pub(super) synced: Signal,
    /// Positions; the thread that appends stores them. What is below is written, or durable.
    pub(super) written: AtomicU64,
    pub(super) durable: AtomicU64,
    /// What waiters want to be durable.
    pub(super) sync_wanted: AtomicU64,
    /// What waiters want to be written.
    pub(super) write_wanted: AtomicU64,
    /// Units that are allocated in the file, and that no writer holds.
    pub(super) file_room: AtomicU64,
    /// Units of the file that a writer waits for, or 0; stored by the writer that holds `turn`, and
    /// zeroed by the thread that appends, with its answer.
    pub(super) request: AtomicU64,
    /// The answer: 0, or why there is no room, as an errno.
    pub(super) refused: AtomicU32,
    /// Writers that wait for room do so one at a time: a large one is not overtaken for ever.
    pub(super) turn: Mutex<()>,
    /// How many writers wait for room.
    pub(super) waiting: AtomicU32,
    /// How many threads wait for records.
    pub(super) waiters: AtomicU32,
    failure: OnceLock<Failure>,
    has_failed: AtomicU32,
    pub(super) closing: Closing,
    pub(super) callbacks: Callbacks,
    pub(super) counts: Counts,
    pub(super) kept: Kept,
    /// 0 until the first segment is begun.
    pub(super) current_base: AtomicU64,
}

impl Shared {
    pub(super) fn new(options: LogOptions, recovered: &LogEnd) -> Result<Self, LogError> {
        let buffer = options
            .buffer_bytes
            .clamp(1 << 8, 1 << 40)
            .next_power_of_two() as u64;
        let ring = Ring::new(buffer / UNIT, recovered.next).ok_or(LogError::NoMemory)?;
        let longest = match options.directory {
            Some(_) if !options.is_read_only => {
                FRAME_HEADER + (ring.capacity() / 2 * UNIT) as usize
            }
            _ => 0,
        };
        let appender = Appender::new(recovered, longest).ok_or(LogError::NoMemory)?;
        let kept = Kept::new(recovered, options.retained_bytes).map_err(|_| LogError::NoMemory)?;
        // A segment has room for what writers can hold, each unit of the ring with a frame of its
        // own, and for the longest record or a step.
        let step = options.step_bytes.clamp(UNIT, 1 << 40) / UNIT * UNIT;
        let least = (1 + FRAME_UNITS) * buffer + buffer.max(step) + 4096;
        let position = || AtomicU64::new(recovered.next);
        Ok(Self {
            ring,
            io: options.io,
            directory: options.directory.unwrap_or(Path::empty()),
            store_id: recovered.store_id.unwrap_or(options.store_id),
            segment_bytes: options.segment_bytes.max(least) / UNIT * UNIT,
            step,
            sync_interval: options.sync_interval,
            alarm: options.alarm,
            opened_at: recovered.next,
            appender: Mutex::new(appender),
            idle: Idle::new(),
            progress: Signal::new(),
            synced: Signal::new(),
            written: position(),
            durable: position(),
            sync_wanted: AtomicU64::new(0),
            write_wanted: AtomicU64::new(0),
            file_room: AtomicU64::new(0),
            request: AtomicU64::new(0),
            refused: AtomicU32::new(0),
            turn: Mutex::new(()),
            waiting: AtomicU32::new(0),
            waiters: AtomicU32::new(0),
            failure: OnceLock::new(),
            has_failed: AtomicU32::new(0),
            closing: Closing::new(),
            callbacks: Callbacks::new(),
            counts: Counts::new(),
            kept,
            current_base: AtomicU64::new(0),
        })
    }

    /// The first error is kept; all threads that wait are told.
    pub(super) fn fail(&self, error: IoError) {
        // Another error is a consequence, and is not kept.
        let _ = self.failure.set(error);
        self.has_failed.store(1, Ordering::Release);
        self.progress.notify();
        self.synced.notify();
    }

    pub(super) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Acquire) != 0
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.get()
    }

    /// Wakes the flusher if it is idle; if half of the ring is reserved, also from a nap.
    #[inline]
    pub(super) fn wake_for_record(&self) {
        match self.ring.is_half_reserved() {
            true => self.idle.call(),
            false => self.idle.wake(),
        }
    }

    /// Whether what is written is not all durable.
    pub(super) fn is_unsynced(&self) -> bool {
        self.durable.load(Ordering::Relaxed) < self.written.load(Ordering::Relaxed)
    }

    /// Whether a thread wants to be durable what is written, and is not.
    pub(super) fn is_sync_wanted(&self) -> bool {
        let durable = self.durable.load(Ordering::Relaxed);
        let is_wanted = self.sync_wanted.load(Ordering::Acquire) > durable;
        self.is_unsynced() && (is_wanted || self.is_closing())
    }

    /// Whether the log is being closed, and nothing is left to do.
    pub(super) fn is_finished(&self) -> bool {
        self.closing.is_over(|| {
            let is_written = self.written() == self.ring.taken() && !self.is_unsynced();
            let is_done = self.has_failed() || is_written;
            is_done && !self.callbacks.is_due(self.called_back_below())
        })
    }

    /// Whether there is work for the flusher, besides a sync whose time has come.
    pub(super) fn has_work(&self) -> bool {
        self.has_record() || self.has_request()
    }

    /// Whether there is work that a thread waits for.
    pub(super) fn is_urgent(&self) -> bool {
        (self.has_record() && self.is_waited_for()) || self.has_request()
    }

    /// Whether the next group has a record. May be wrong while another thread appends, which looks again
    /// when it is done.
    fn has_record(&self) -> bool {
        !self.has_failed() && self.ring.is_filled(self.written())
    }

    /// Whether there is work besides records.
    fn has_request(&self) -> bool {
        if self.callbacks.is_due(self.called_back_below()) || self.is_finished() {
            return true;
        }
        let has_failed = self.has_failed();
        !has_failed && (self.request.load(Ordering::Relaxed) > 0 || self.is_sync_wanted())
    }

    /// Whether a thread waits for records that are not written, or for room.
    pub(super) fn is_waited_for(&self) -> bool {
        let written = self.written();
        let wanted = |position: &AtomicU64| position.load(Ordering::Relaxed) > written;
        wanted(&self.sync_wanted)
            || wanted(&self.write_wanted)
            || self.waiting.load(Ordering::Relaxed) > 0
            || self.ring.is_half_reserved()
            || self.is_closing()
    }

    /// Callbacks for numbers below this one are due.
    pub(super) fn called_back_below(&self) -> u64 {
        match self.has_failed() {
            true => u64::MAX,
            false => self.durable.load(Ordering::Relaxed),
        }
    }

    /// The position after what is written.
    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    pub(super) fn begin_closing(&self) {
        self.closing.begin();
        self.idle.call();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.has_begun()
    }

    /// Takes units of the file, if there are so many.
    pub(super) fn take_file_room(&self, units: u64) -> bool {
        let mut left = self.file_room.load(Ordering::Relaxed);
        // Ends: each failed exchange means that another thread has changed the count.
        while left >= units {
            let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
            match (self.file_room).compare_exchange_weak(left, left - units, success, failure) {
                Ok(_) => return true,
                Err(current) => left = current,
            }
        }
        false
    }

    /// The segment that is written; empty if there is none.
    pub(super) fn current(&self) -> Closed {
        // Before its base: a segment that is begun in between ends behind what was written.
        let end = self.written.load(Ordering::Acquire);
        match self.current_base.load(Ordering::Acquire) {
            0 => Closed { base: 0, end: 0 },
            base => Closed { base, end },
        }
    }

    /// The position below which everything has reached a level.
    pub(super) fn reached(&self, level: Level) -> u64 {
        let position = match level {
            Level::Durable => &self.durable,
            Level::Memory | Level::Written => &self.written,
        };
        position.load(Ordering::Acquire)
    }
}
