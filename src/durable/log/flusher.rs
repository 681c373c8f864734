//! The thread that writes the log.
//!
//! It alone writes to files once the log is open, and alone releases units of the ring, in this order:
//! a group of records becomes a frame; the frame is written; what was written is made durable if
//! a thread waits for that, or the interval has passed. Records that arrive meanwhile form the next
//! group. It allocates the file ahead (`room`), for which writers wait. When a group was written and no
//! thread waits for more, it naps, so that the next group has many records; when it then finds no record, it
//! sleeps until there is one.
//!
//! A sync covers what was written before it began: `durable` moves to the position that was written
//! then. After the first error the flusher touches no file any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::frame::{FRAME_HEADER, FrameHeader, SEGMENT_HEADER, SegmentHeader, Tail};
use super::ring::UNIT;
use super::segment::{NoRoom, Segment};
use super::shared::{Closed, FRAME_UNITS, Shared};
use crate::durable::io::IoError;
use crate::sync::{AtomicU64, Ordering};

/// How long records that no thread waits for may stay in the ring.
const NAP: Duration = Duration::from_millis(1);

/// How long the thread looks for work after a sync before it sleeps, at most.
const LONGEST_LOOK: Duration = Duration::from_micros(50);

pub(super) struct Flusher {
    pub(super) shared: Arc<Shared>,
    /// `None` until the first record is written: so that a full disk can be opened.
    pub(super) segment: Option<Segment>,
    /// The end of the segment before, if there is none; of the recovered log at first.
    pub(super) tail: Tail,
    /// The position after what is written.
    pub(super) position: u64,
    /// The checksum of the last header.
    pub(super) chain: u32,
    /// A frame: the longest group, and a header.
    pub(super) frame: Vec<u8>,
    /// When the oldest record that is not durable was written.
    pub(super) unsynced_since: Option<Instant>,
    /// How long the last sync took, until the thread has looked for work that follows it.
    pub(super) last_sync: Option<Duration>,
}

/// What a request for room got.
enum Answer {
    Room,
    Full,
    NoMemory,
}

impl Flusher {
    /// The thread's work. Ends: when the log is closed, and everything is durable or the log has
    /// failed.
    pub(super) fn run(mut self) {
        loop {
            let position = self.position;
            if let Err(error) = self.work() {
                self.shared.fail(error);
            }
            self.call_back();
            if self.is_finished() {
                break;
            }
            if self.is_followed_soon() {
                continue;
            }
            let (idle, longest) = (&self.shared.idle, self.time_until_sync());
            if self.position > position && !self.is_waited_for() {
                let nap = longest.unwrap_or(NAP).min(NAP);
                idle.nap_unless(|| self.is_urgent(), nap);
            } else {
                idle.sleep_unless(|| self.has_work(), longest);
            }
        }
        if let Some(segment) = self.segment.take()
            && !self.shared.has_failed()
        {
            let finished = segment.finish();
            finished.unwrap_or_else(|error| self.shared.fail(error));
        }
    }

    /// After a sync, looks for work for a quarter of the time that the sync took, at most [`LONGEST_LOOK`]: a
    /// thread that commits again at once needs not wake this one. Other threads run meanwhile.
    fn is_followed_soon(&mut self) -> bool {
        let Some(took) = self.last_sync.take() else {
            return false;
        };
        let (begin, longest) = (Instant::now(), LONGEST_LOOK.min(took / 4));
        // Ends: the time passes.
        while begin.elapsed() < longest {
            if self.has_work() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    fn is_finished(&self) -> bool {
        let shared = &self.shared;
        shared.closing.is_over(|| {
            let is_written = self.position == shared.ring.taken() && !self.is_unsynced();
            let is_done = shared.has_failed() || is_written;
            is_done && !shared.callbacks.is_due(self.called_back_below())
        })
    }

    fn has_work(&self) -> bool {
        self.has_record() || self.has_request()
    }

    /// Whether there is work that a thread waits for.
    fn is_urgent(&self) -> bool {
        (self.has_record() && self.is_waited_for()) || self.has_request()
    }

    /// Whether the next group has a record.
    fn has_record(&self) -> bool {
        !self.shared.has_failed() && self.shared.ring.is_filled(self.position)
    }

    /// Whether there is work besides records.
    fn has_request(&self) -> bool {
        let shared = &self.shared;
        if shared.callbacks.is_due(self.called_back_below()) || self.is_finished() {
            return true;
        }
        !shared.has_failed() && (shared.request.load(Ordering::Relaxed) > 0 || self.is_sync_due())
    }

    /// Whether a thread waits for records that are not written, or for room.
    fn is_waited_for(&self) -> bool {
        let shared = &self.shared;
        let wanted = |position: &AtomicU64| position.load(Ordering::Relaxed) > self.position;
        wanted(&shared.sync_wanted)
            || wanted(&shared.write_wanted)
            || shared.waiting.load(Ordering::Relaxed) > 0
            || shared.ring.is_half_reserved()
            || shared.is_closing()
    }

    /// Writes and syncs until there is nothing to do now. Ends: when writers and waiters pause; each
    /// turn does some of what they have asked for.
    fn work(&mut self) -> Result<(), IoError> {
        while !self.shared.has_failed() {
            let has_written = self.write_group()?;
            if self.is_sync_due() {
                self.sync()?;
                self.call_back();
            }
            let request = self.shared.request.load(Ordering::Acquire);
            if request > 0 {
                let answer = self.make_room(request)?;
                self.answer(&answer);
            } else if has_written && self.is_room_low() {
                // Ahead of need; if the disk is full, the writer that needs room is told.
                self.make_room(self.shared.step / UNIT)?;
            } else if !has_written {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Writes the records that are filled as one frame; returns whether there were any.
    fn write_group(&mut self) -> Result<bool, IoError> {
        let shared = &self.shared;
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
    fn sync(&mut self) -> Result<(), IoError> {
        let Some(segment) = &self.segment else {
            return Ok(());
        };
        let begin = Instant::now();
        segment.sync()?;
        let took = begin.elapsed();
        self.last_sync = Some(took);
        self.shared.counts.count_sync(took);
        self.shared.durable.store(self.position, Ordering::Release);
        self.unsynced_since = None;
        self.shared.synced.notify();
        Ok(())
    }

    fn is_unsynced(&self) -> bool {
        self.unsynced_since.is_some()
    }

    fn is_sync_due(&self) -> bool {
        let shared = &self.shared;
        let durable = shared.durable.load(Ordering::Relaxed);
        let is_wanted = shared.sync_wanted.load(Ordering::Acquire) > durable;
        let is_time = self.time_until_sync().is_some_and(|time| time.is_zero());
        self.is_unsynced() && (is_wanted || is_time || shared.is_closing())
    }

    /// The time until the interval passes; `None` if there is none, or everything is durable.
    fn time_until_sync(&self) -> Option<Duration> {
        let interval = self.shared.sync_interval?;
        Some(interval.saturating_sub(self.unsynced_since?.elapsed()))
    }

    /// Callbacks for numbers below this one are due.
    fn called_back_below(&self) -> u64 {
        if self.shared.has_failed() {
            u64::MAX
        } else {
            self.shared.durable.load(Ordering::Relaxed)
        }
    }

    /// Calls the callbacks that are due. Ends: each turn takes one out; a callback may add another.
    fn call_back(&self) {
        while let Some(due) = self.shared.callbacks.take_due(self.called_back_below()) {
            let is_durable = due.number < self.shared.durable.load(Ordering::Relaxed);
            due.callback.call(due.number, is_durable);
        }
    }

    fn is_room_low(&self) -> bool {
        self.shared.file_room.load(Ordering::Relaxed) < self.shared.step / UNIT / 2
    }

    fn answer(&self, answer: &Answer) {
        let fault = match answer {
            Answer::Room => 0,
            Answer::Full => libc::ENOSPC as u32,
            Answer::NoMemory => libc::ENOMEM as u32,
        };
        self.shared.refused.store(fault, Ordering::Relaxed);
        // Release pairs with the load by the thread that has asked: it finds the answer.
        self.shared.request.store(0, Ordering::Release);
        self.shared.progress.notify();
    }

    /// Allocates room in the file for `units`, or more.
    fn make_room(&mut self, units: u64) -> Result<Answer, IoError> {
        let shared = &self.shared;
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
                None => self.begin_segment(wanted, needed),
            };
            match grown {
                Ok(more) => {
                    (self.shared.file_room).fetch_add(more / UNIT, Ordering::Relaxed);
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
    fn begin_segment(&mut self, wanted: u64, needed: u64) -> Result<u64, NoRoom> {
        if self.is_unsynced() {
            self.sync().map_err(NoRoom::Failed)?;
        }
        let shared = self.shared.clone();
        if !shared.reserve_closed() {
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
            shared.close_segment(Closed {
                base: header.predecessor.base,
                end: self.position,
            });
            old.finish().map_err(NoRoom::Failed)?;
        }
        shared.current_base.store(self.position, Ordering::Release);
        Ok(allocated - fixed)
    }
}
