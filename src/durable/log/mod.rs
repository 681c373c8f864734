//! The log of a store: one sequence of records, whose numbers are their positions.
//!
//! A commit's number is the position of its record, in units of 16 bytes: one step gives both, so the
//! order of numbers is the order of the log, and what survives a crash is a prefix of the commits.
//! Numbers have gaps. 0 is no number.
//!
//! 1. [`Log::reserve`], before any lock: may wait for the flusher, and may refuse.
//! 2. [`Room::take`], under the lock that orders the commits of a key: gives the number; cannot fail.
//! 3. The commit is installed in memory.
//! 4. [`Place::fill`], without a lock: the record is copied into the ring (see `ring`). So every
//!    commit up to [`Log::installed`] is installed, and a snapshot at that number is complete.
//! 5. The flusher (see `flusher`), or a thread that waits (see `lead`), writes frames of records to segments
//!    (see `appender`, `segment`), and syncs them for those that wait.
//!
//! **Failure.** The first error of a file operation is kept, and no file is touched afterwards:
//! `reserve` and `wait` answer `Failed`. A commit that was not durable by then may or may not survive. A
//! full disk is not a failure: `reserve` answers `Full`, and works again when there is room.
//!
//! **Recovery.** [`read_log`] reads the records, and decides whether the end is torn or the log is
//! corrupt (see `reader`); [`Log::open`] cuts the torn end off, durably, before it appends, and goes on
//! in a new segment. No number is used twice, not even one that was given out and lost: while a
//! segment is the last, only numbers below the limit in its header are given out, and the next log
//! begins at that limit.
//!
//! **Following.** Records that are written or durable can be read from the files while the log goes on: see
//! `follower`.
//!
//! A log without a directory has the same numbers, and no files; each record is one unit, and whatever
//! thread needs room releases installed units.

mod alarm;
mod appender;
mod callbacks;
mod cut;
mod flusher;
mod follower;
mod frame;
mod futex;
mod kept;
mod lead;
mod place;
mod reader;
mod records;
mod repair;
mod ring;
mod scan;
mod segment;
mod shared;
mod signal;
mod statistics;
mod waits;
mod window;

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;

use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub(crate) use alarm::Alarm;
pub(crate) use callbacks::Callback;
pub(crate) use follower::{FollowFault, Follower};
pub(crate) use frame::is_segment;
pub(crate) use place::{Place, Room};
pub(crate) use reader::{Corruption, LogEnd, LogError, Refusal, Report, VisitError, read_log};
pub(crate) use records::{Frame, Record};
pub(crate) use statistics::Statistics;

use crate::durable::io::{Io, IoError, Path};
use crate::durable::threads::without_signals;
use crate::errno;
use crate::sync::{Ordering, Wait};
use flusher::Flusher;
pub(crate) use ring::UNIT;
use ring::{Ring, units_of};
use shared::{FRAME_UNITS, Shared};

/// Why a log has stopped.
pub(crate) type Failure = IoError;

/// How a log is opened.
pub(crate) struct LogOptions {
    pub(crate) io: Io,
    /// `None`: nothing is written to files.
    pub(crate) directory: Option<Path>,
    /// The size of the ring, rounded up to a power of two. A record has at most half of it.
    pub(crate) buffer_bytes: usize,
    /// The size at which a segment ends, about; at least some seven times the ring.
    pub(crate) segment_bytes: u64,
    /// The file is allocated in steps of this size.
    pub(crate) step_bytes: u64,
    /// Records become durable after this time if nothing waits for them; `None`: not before the log
    /// is closed.
    pub(crate) sync_interval: Option<Duration>,
    /// Learns of each group that is written.
    pub(crate) alarm: Option<Arc<Alarm>>,
    /// Identifies a new log; a log that exists keeps its own.
    pub(crate) store_id: u64,
    /// The log is only read: it hands out numbers, and nothing is written to its directory.
    pub(crate) is_read_only: bool,
    /// The bytes of segments that `cut_before` leaves, of those that it may remove.
    pub(crate) retained_bytes: u64,
}

impl LogOptions {
    /// The defaults for a log in a directory, or for one in memory.
    pub(crate) fn new(io: Io, directory: Option<Path>, store_id: u64) -> Self {
        Self {
            io,
            directory,
            buffer_bytes: 8 << 20,
            segment_bytes: 64 << 20,
            step_bytes: 4 << 20,
            sync_interval: None,
            alarm: None,
            store_id,
            is_read_only: false,
            retained_bytes: 0,
        }
    }
}

/// Why a record gets no room, or a wait ends without success.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogFault {
    /// The disk is full. It may be tried again.
    Full,
    /// The log has failed, or was closed; see [`Log::failure`].
    Failed,
    /// The record is longer than half of the ring.
    TooLarge,
    NoMemory,
}

/// What has happened to a record; each level includes those before it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Level {
    /// It is in memory.
    Memory,
    /// The kernel has it.
    Written,
    /// It survives a crash.
    Durable,
}

/// An open log.
pub(crate) struct Log {
    shared: Arc<Shared>,
    has_files: bool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Log {
    /// Opens a log after it was read, and repairs its end. `recovered` is what [`read_log`] has
    /// returned, or [`LogEnd::new`].
    pub(crate) fn open(options: LogOptions, recovered: LogEnd) -> Result<Self, LogError> {
        let written = (options.directory.as_ref()).filter(|_| !options.is_read_only);
        let has_files = written.is_some();
        if let Some(directory) = written {
            repair::repair(&options.io, directory, &recovered)?;
        }
        let shared = Arc::new(Shared::new(options, &recovered)?);
        let log = Self {
            shared,
            has_files,
            thread: Mutex::new(None),
        };
        if has_files {
            let started = log.start()?;
            *errno::lock(&log.thread) = Some(started);
        }
        Ok(log)
    }

    fn start(&self) -> Result<JoinHandle<()>, LogError> {
        let flusher = Flusher::new(self.shared.clone());
        let builder = thread::Builder::new().name("masstree-log".into());
        let spawned = without_signals(|| builder.spawn(|| flusher.run()));
        spawned.map_err(|error| LogError::Io(IoError::of_thread(&error)))
    }

    /// Reserves room for a record with a body of `bytes`. May wait for the flusher; so it is called
    /// without locks, and by a thread that holds no other room.
    pub(crate) fn reserve(&self, bytes: usize) -> Result<Room<'_>, LogFault> {
        let units = self.units_of(bytes as u64);
        if units > self.shared.ring.capacity() / 2 {
            return Err(LogFault::TooLarge);
        }
        self.admit()?;
        let is_overtaking = self.shared.waiting.load(Ordering::Relaxed) > 0;
        if is_overtaking || !self.try_reserve(units) {
            self.wait_for_room(units)?;
        }
        Ok(Room {
            log: self,
            bytes: bytes as u64,
            units,
        })
    }

    /// Refuses a write to a log that has failed, whatever the write would find.
    pub(crate) fn admit(&self) -> Result<(), LogFault> {
        match self.is_stopped() {
            false => Ok(()),
            true => Err(LogFault::Failed),
        }
    }

    fn is_stopped(&self) -> bool {
        self.shared.has_failed() || self.shared.is_closing()
    }

    /// Takes room in the ring, then in the file: so that what is held of the file is bounded by the ring
    /// (see `Shared::new`).
    fn try_reserve(&self, units: u64) -> bool {
        let shared = &self.shared;
        if !shared.ring.reserve(units) {
            return false;
        }
        if !self.has_files || shared.take_file_room(units + FRAME_UNITS) {
            return true;
        }
        shared.ring.give_back(units);
        shared.progress.notify();
        false
    }

    #[cold]
    fn wait_for_room(&self, units: u64) -> Result<(), LogFault> {
        let shared = &self.shared;
        shared.waiting.fetch_add(1, Ordering::Relaxed);
        let turn = errno::lock(&shared.turn);
        let result = if self.has_files {
            self.wait_for_flusher(units)
        } else {
            self.release_installed(units);
            Ok(())
        };
        drop(turn);
        shared.waiting.fetch_sub(1, Ordering::Relaxed);
        result
    }

    /// Ends: in each turn, the flusher makes room or refuses, and only writers that came before
    /// `waiting` was counted can take the room away; or holders of room release it.
    fn wait_for_flusher(&self, units: u64) -> Result<(), LogFault> {
        let (shared, cost) = (&self.shared, units + FRAME_UNITS);
        loop {
            if self.is_stopped() {
                return Err(LogFault::Failed);
            }
            if self.try_reserve(units) {
                return Ok(());
            }
            if shared.file_room.load(Ordering::Relaxed) >= cost {
                // `waiting` was counted: the flusher does not nap over a writer that waits.
                shared.idle.call();
                let may_fit = || shared.ring.has_room(units) || self.is_stopped();
                shared.progress.sleep_until(may_fit);
                continue;
            }
            shared.request.store(cost, Ordering::Release);
            shared.idle.call();
            let is_answered = || shared.request.load(Ordering::Acquire) == 0;
            (shared.progress).sleep_until(|| is_answered() || self.is_stopped());
            if !is_answered() {
                // The log is stopped. What it has refused is an earlier answer.
                continue;
            }
            match shared.refused.load(Ordering::Relaxed) as i32 {
                0 => {}
                libc::ENOMEM => return Err(LogFault::NoMemory),
                _ => return Err(LogFault::Full),
            }
        }
    }

    /// For a log without files. Ends: places that are taken get filled, and rooms are taken or given
    /// back, without waiting for this thread.
    fn release_installed(&self, units: u64) {
        let (ring, wait) = (&self.shared.ring, Wait::new());
        while !ring.reserve(units) {
            let installed = ring.advance();
            if ring.released() == installed {
                wait.wait();
            } else {
                ring.release(ring.released(), installed);
            }
        }
    }

    /// Units of a record, which needs no room for a body that is not kept.
    fn units_of(&self, body: u64) -> u64 {
        units_of(self.stored_bytes(body))
    }

    fn stored_bytes(&self, body: u64) -> u64 {
        if self.has_files { body } else { 0 }
    }

    fn keeps_bodies(&self) -> bool {
        self.has_files
    }

    fn ring(&self) -> &Ring {
        &self.shared.ring
    }

    fn give_back(&self, units: u64) {
        if self.has_files {
            (self.shared.file_room).fetch_add(FRAME_UNITS, Ordering::Relaxed);
        }
        self.give_back_units(units);
    }

    fn give_back_units(&self, units: u64) {
        self.shared.ring.give_back(units);
        if self.has_files {
            self.shared.file_room.fetch_add(units, Ordering::Relaxed);
            self.shared.progress.notify();
        }
    }

    /// A record was filled: the flusher may write it.
    fn filled(&self) {
        if self.has_files {
            self.shared.wake_for_record();
        }
    }

    /// The number up to which every commit is installed. Later commits have higher numbers. A thread
    /// that has loaded it sees those commits. It may be lower than a commit that has returned: see
    /// `settle`.
    pub(crate) fn installed(&self) -> u64 {
        self.shared.ring.advance() - 1
    }

    /// As `installed`, not below any number that was taken before the call. Waits for writers that
    /// have taken a number, and not filled it.
    pub(crate) fn settle(&self) -> u64 {
        self.settle_to(self.shared.ring.taken())
    }

    /// Waits until every commit with a lower number is installed. The caller may have taken `number`,
    /// and not filled it.
    pub(crate) fn settle_before(&self, number: u64) {
        self.settle_to(number);
    }

    /// The highest number that was given out. `installed` reaches it.
    pub(crate) fn taken(&self) -> u64 {
        self.shared.ring.taken() - 1
    }

    /// Ends: writers fill what they have taken in a bounded number of steps, and wait at most for
    /// lower numbers.
    fn settle_to(&self, end: u64) -> u64 {
        let (ring, wait) = (&self.shared.ring, Wait::new());
        loop {
            let installed = ring.advance();
            if installed >= end {
                return installed - 1;
            }
            wait.wait();
        }
    }

    /// The bytes of the buffer. A record takes at most half of them.
    pub(crate) fn buffer_bytes(&self) -> usize {
        (self.shared.ring.capacity() * UNIT) as usize
    }

    /// Identifies the store.
    pub(crate) fn store_id(&self) -> u64 {
        self.shared.store_id
    }

    /// The error that has stopped the log.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.shared.failure()
    }

    /// Makes everything durable, calls the callbacks, and closes the files; returns whether that
    /// worked. No thread holds room, and none writes afterwards. A second call returns the same.
    pub(crate) fn close(&self) -> Result<(), LogFault> {
        self.shared.begin_closing();
        let thread = errno::lock(&self.thread).take();
        if let Some(thread) = thread {
            errno::preserve(|| thread.join()).expect("the flusher does not panic");
        }
        if self.shared.has_failed() {
            return Err(LogFault::Failed);
        }
        Ok(())
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let mut statistics = self.shared.counts.read();
        if !self.has_files {
            statistics.appends = self.shared.ring.advance() - self.shared.opened_at;
        }
        statistics
    }

    /// The position after what is written.
    pub(crate) fn written(&self) -> u64 {
        self.shared.written()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // A failure stays readable until here; `close` reports it.
        let _ = self.close();
    }
}
