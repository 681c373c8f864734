//! Reads a log, and tells a torn end from corruption.
//!
//! The rule. Segments are read in the order of their bases; each names the end of the one before it.
//! Frames are followed from a segment's header on: each has its place's number, the checksum of the
//! header before, and its own checksums. Say this chain breaks at offset o of a segment, where the
//! record with number p was expected.
//!
//! - Something says that p was durable: a valid frame behind o, of this store, that was written when
//!   everything below some number above p was durable; or a later segment, since a segment is begun
//!   only after the one before it was synced up to the end that it names; or, where the break is the
//!   segment's header, any valid frame behind it, since that header was synced before. Then the log
//!   is **corrupt**, at o.
//! - Nothing says so: the end is **torn**. Everything from o on was not acknowledged as durable,
//!   frames behind o included: a crash may keep a later write and lose an earlier one. It is dropped.
//!
//! With salvage, a corrupt log is read up to the break, and the rest is dropped as if it were torn.
//!
//! Records are passed on by frames, once all of a frame was checked. A visitor that refuses one of them has
//! done nothing with the others: so the frame can be dropped as a whole.
//!
//! Reading changes nothing: `repair` does, when the log is opened for writing.

use super::frame::{
    FORMAT, FRAME_HEADER, NAME, SEGMENT_HEADER, SegmentHeader, Tail, base_of, segment_name,
};
use super::kept::Closed;
use super::records::Frame;
use super::ring::UNIT;
use super::scan::{Break, SegmentFile};
use super::window::Window;
use crate::durable::io::{Io, IoError, Path};

/// Where a log is corrupt, and what is wrong there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Corruption {
    pub(crate) file: Path,
    pub(crate) offset: u64,
    pub(crate) why: &'static str,
}

/// Why a log cannot be read or opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum LogError {
    Corrupt(Corruption),
    Io(IoError),
    NoMemory,
    /// The visitor has stopped reading.
    Stopped,
}

impl From<IoError> for LogError {
    fn from(error: IoError) -> Self {
        if error.is_no_memory() {
            Self::NoMemory
        } else {
            Self::Io(error)
        }
    }
}

/// Why a visitor refuses an entry of a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum VisitError {
    /// It makes no sense.
    Corrupt(&'static str),
    NoMemory,
    /// Reading is given up.
    Stopped,
}

/// Why a visitor refuses a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refusal {
    /// The record with this number makes no sense. Nothing was done with the frame.
    Corrupt {
        record: u64,
        why: &'static str,
    },
    NoMemory,
    /// Reading is given up.
    Stopped,
}

/// What was found besides the records.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// Segments that were read.
    pub(crate) segments: u64,
    pub(crate) frames: u64,
    pub(crate) records: u64,
    /// Bytes of segments, up to the last frame of each.
    pub(crate) bytes: u64,
    /// Bytes at the end that are dropped: from the first invalid byte to the last that is not zero.
    pub(crate) torn_bytes: u64,
    /// What was dropped by salvage.
    pub(crate) salvaged: Option<Corruption>,
}

/// No log comes near to this number: a greater one is damage.
const HIGHEST: u64 = 1 << 55;

/// The end of a log that was read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct LogEnd {
    /// `None` if there is no segment.
    pub(crate) store_id: Option<u64>,
    /// The first number that the log may give out next. A store raises it above what it has seen.
    pub(crate) next: u64,
    pub(crate) report: Report,
    pub(super) tail: Tail,
    /// The segments up to the one with the tail, the oldest first.
    pub(super) segments: Vec<Closed>,
    /// From this number on, all records are in those segments.
    pub(super) reach: u64,
    /// The bases of segments to remove.
    pub(super) doomed: Vec<u64>,
}

impl LogEnd {
    /// The end of a log that does not exist yet.
    pub(crate) fn new() -> Self {
        Self {
            store_id: None,
            next: 1,
            report: Report::default(),
            tail: Tail::default(),
            segments: Vec::new(),
            reach: 1,
            doomed: Vec::new(),
        }
    }

    /// There is a checkpoint at a number: if the log ends before it, or there is none, it reaches back to that only.
    pub(crate) fn begin_behind(&mut self, checkpoint: u64) {
        if self.tail.end <= checkpoint {
            self.reach = checkpoint + 1;
        }
    }

    /// Whether no segment is kept.
    pub(crate) fn is_empty(&self) -> bool {
        self.tail.base == 0
    }
}

type Visitor<'a> = &'a mut dyn FnMut(&Frame<'_>) -> Result<(), Refusal>;

/// Reads the log in a directory: passes its frames, with the records from number `from` on, in order, to
/// `visit`. If `visit` refuses a record as corrupt and `salvage` is set, the record's whole frame is
/// dropped.
pub(crate) fn read_log(
    io: &Io,
    directory: &Path,
    from: u64,
    salvage: bool,
    visit: Visitor<'_>,
) -> Result<LogEnd, LogError> {
    let mut reader = Reader {
        io,
        directory,
        from,
        salvage,
        visit,
        files: Vec::new(),
        window: Window::new(),
        before: 0,
        total: 0,
        end: LogEnd::new(),
    };
    reader.open_all()?;
    match reader.read() {
        Ok(()) => {}
        Err(LogError::Corrupt(corruption)) if salvage => reader.drop_rest(corruption)?,
        Err(error) => return Err(error),
    }
    Ok(reader.end)
}

struct Reader<'a> {
    io: &'a Io,
    directory: &'a Path,
    from: u64,
    salvage: bool,
    visit: Visitor<'a>,
    /// All segments, in the order of their bases.
    files: Vec<SegmentFile>,
    window: Window,
    /// Bytes of the segments before the one that is read.
    before: u64,
    /// Bytes of all segments to read.
    total: u64,
    end: LogEnd,
}

pub(super) fn push<T>(list: &mut Vec<T>, item: T) -> Result<(), IoError> {
    (list.try_reserve(1)).map_err(|_| IoError::no_memory())?;
    list.push(item);
    Ok(())
}

fn corrupt<T>(file: &SegmentFile, offset: u64, why: &'static str) -> Result<T, LogError> {
    Err(LogError::Corrupt(Corruption {
        file: file.path().duplicate()?,
        offset,
        why,
    }))
}

impl Reader<'_> {
    /// Finds the segments, and reads their headers.
    fn open_all(&mut self) -> Result<(), LogError> {
        let mut bases = Vec::new();
        (self.io).list(self.directory, &mut |name| match base_of(name) {
            Some(base) if name.len() == NAME && base <= HIGHEST => push(&mut bases, base),
            _ => Ok(()),
        })?;
        bases.sort_unstable();
        for base in bases {
            let path = self.directory.join(&segment_name(base))?;
            let file = SegmentFile::open(self.io, &path, base)?;
            if let Some(header) = file.header() {
                let is_in_range = header.base < header.limit && header.limit <= HIGHEST;
                if file.format() == FORMAT && !is_in_range {
                    return corrupt(&file, 32, "the limit of a segment is out of range");
                }
                self.end.next = self.end.next.max(header.limit);
                self.end.store_id.get_or_insert(header.store_id);
            }
            push(&mut self.files, file)?;
        }
        Ok(())
    }

    fn read(&mut self) -> Result<(), LogError> {
        let Some(last) = self.files.iter().rposition(|file| file.header().is_some()) else {
            return self.check_begun(0);
        };
        let (first, last, damage) = self.to_read(last)?;
        self.end.reach = self.reach_before(first);
        for index in 0..first {
            // Where the next is not the successor, its base is at least the end.
            let (base, next) = (self.files[index].base, &self.files[index + 1]);
            let named = next.header().map(|header| header.predecessor);
            let end = named.filter(|named| named.base == base);
            let end = end.map_or(next.base, |named| named.end);
            push(&mut self.end.segments, Closed { base, end })?;
        }
        self.total = self.files[first..=last]
            .iter()
            .map(SegmentFile::length)
            .sum();
        for index in first..=last {
            self.read_segment(index, index == last)?;
            self.before += self.files[index].length();
        }
        match damage {
            Some(damage) => Err(LogError::Corrupt(damage)),
            None => self.check_begun(last + 1),
        }
    }

    /// The segments to read: the first is the last one before which there is no record from `from` on. Salvage ends
    /// before a segment whose header is damaged, and returns that damage too.
    fn to_read(&self, last: usize) -> Result<(usize, usize, Option<Corruption>), LogError> {
        let (mut end, mut damage) = (None, None);
        for index in (0..=last).rev() {
            let header = match self.checked_header(index) {
                Ok(header) => header,
                Err(LogError::Corrupt(found)) if self.salvage && index > 0 => {
                    (end, damage) = (None, Some(found));
                    continue;
                }
                Err(error) => return Err(error),
            };
            let end = *end.get_or_insert(index);
            if header.predecessor.end <= self.from {
                return Ok((index, end, damage));
            }
        }
        corrupt(&self.files[0], 40, "the segment before this one is missing")
    }

    /// From the returned number on, all records are in the segments that lead to the one at `first` without a gap: a
    /// crash may leave an old one, and not the next.
    fn reach_before(&self, first: usize) -> u64 {
        let predecessor = |index: usize| self.files[index].header().map(|of| of.predecessor);
        let mut index = first;
        // Ends: each turn moves to a lower index.
        while index > 0
            && predecessor(index - 1).is_some()
            && predecessor(index).is_some_and(|of| of.base == self.files[index - 1].base)
        {
            index -= 1;
        }
        match predecessor(index) {
            Some(before) if before.base != 0 => before.end,
            _ => self.files[index].base,
        }
    }

    /// The header of a segment, which must be valid.
    fn checked_header(&self, index: usize) -> Result<SegmentHeader, LogError> {
        let file = &self.files[index];
        let Some(header) = file.header() else {
            return corrupt(file, 0, "the header of a segment is not valid");
        };
        if file.format() != FORMAT {
            return corrupt(file, 8, "the segment has a format that is not known");
        }
        if header.base != file.base {
            return corrupt(file, 24, "the segment has the name of another");
        }
        if Some(header.store_id) != self.end.store_id {
            return corrupt(file, 16, "the segment belongs to another store");
        }
        Ok(*header)
    }

    /// Reads a segment, from its header to where its successor says it ends.
    fn read_segment(&mut self, index: usize, is_last: bool) -> Result<(), LogError> {
        let header = self.checked_header(index)?;
        let mut tail = Tail {
            base: header.base,
            offset: SEGMENT_HEADER as u64,
            end: header.base,
            chain: self.files[index].header_crc(),
        };
        push(
            &mut self.end.segments,
            Closed {
                base: header.base,
                end: header.base,
            },
        )?;
        self.end.report.segments += 1;
        self.end.report.bytes += tail.offset;
        self.end.tail = tail;
        let named = if is_last {
            None
        } else {
            Some(self.named_end(index)?)
        };
        // Ends: each turn moves over a frame.
        loop {
            if named.is_some_and(|named| named.offset == tail.offset) {
                break;
            }
            let frame = (self.files[index]).frame_at(&tail, header.store_id, &mut self.window)?;
            match frame {
                Ok(next) => {
                    self.visit_frame(index, &tail, &next)?;
                    self.end.report.bytes += next.offset - tail.offset;
                    tail = next;
                    self.keep(tail);
                }
                Err(broken) if is_last => return self.end_at(index, tail, broken),
                Err(broken) => return corrupt(&self.files[index], tail.offset, broken.why()),
            }
        }
        if named == Some(tail) {
            return Ok(());
        }
        corrupt(
            &self.files[index + 1],
            40,
            "the segment does not follow the one before it",
        )
    }

    /// The end of a segment that the next one names.
    fn named_end(&self, index: usize) -> Result<Tail, LogError> {
        let next = &self.files[index + 1];
        let header = self.checked_header(index + 1)?;
        if header.predecessor.base != self.files[index].base {
            return corrupt(next, 40, "the segment before this one is missing");
        }
        Ok(header.predecessor)
    }

    /// What was read up to here is kept.
    fn keep(&mut self, tail: Tail) {
        self.end.tail = tail;
        if let Some(last) = self.end.segments.last_mut() {
            last.end = tail.end;
        }
        self.end.next = self.end.next.max(tail.end);
        self.end.report.frames += 1;
    }

    /// Passes on the frame from `at` to `next`, which was read last.
    fn visit_frame(&mut self, index: usize, at: &Tail, next: &Tail) -> Result<(), LogError> {
        let file = &self.files[index];
        let records = at.offset + FRAME_HEADER as u64;
        let length = (next.offset - records) as usize;
        let body = self.window.held(file.base, records, length);
        let body = body.expect("the frame was read last");
        let offset = |number| records + (number - at.end) * UNIT;
        let mut frame = match Frame::new(at.end, body, self.from) {
            Ok(frame) => frame,
            Err(number) => {
                return corrupt(file, offset(number), "a record does not fit its frame");
            }
        };
        frame.read = self.before + next.offset;
        frame.total = self.total;
        match (self.visit)(&frame) {
            Ok(()) => {}
            Err(Refusal::NoMemory) => return Err(LogError::NoMemory),
            Err(Refusal::Stopped) => return Err(LogError::Stopped),
            Err(Refusal::Corrupt { record, why }) => return corrupt(file, offset(record), why),
        }
        self.end.report.records += frame.records().count() as u64;
        Ok(())
    }

    /// The chain of the last segment breaks: decides whether the end is torn.
    fn end_at(&mut self, index: usize, tail: Tail, broken: Break) -> Result<(), LogError> {
        let file = &self.files[index];
        let store_id = self.end.store_id;
        let is_evidence = |frame: &super::frame::FrameHeader| {
            Some(frame.store_id) == store_id && frame.durable > tail.end
        };
        let rest = file.search(tail.offset, self.window.reuse(), &is_evidence)?;
        if rest.has_evidence {
            return corrupt(file, tail.offset, broken.why());
        }
        self.end.report.torn_bytes += rest.bytes;
        Ok(())
    }

    /// Checks the segments from `index` on, whose headers are not valid: they were begun when a crash
    /// came, and contain no frame.
    fn check_begun(&mut self, index: usize) -> Result<(), LogError> {
        for file in &self.files[index..] {
            let store_id = self.end.store_id;
            let is_evidence = |frame: &super::frame::FrameHeader| {
                store_id.is_none_or(|store_id| frame.store_id == store_id)
            };
            let rest = file.search(0, self.window.reuse(), &is_evidence)?;
            if rest.has_evidence {
                return corrupt(file, 0, "the header of a segment is not valid");
            }
            self.end.report.torn_bytes += rest.bytes;
            push(&mut self.end.doomed, file.base)?;
        }
        Ok(())
    }

    /// Salvage: what was read up to a corruption is kept, and the rest is dropped.
    fn drop_rest(&mut self, corruption: Corruption) -> Result<(), LogError> {
        let kept = self.end.tail;
        self.end.report.torn_bytes = 0;
        self.end.doomed.clear();
        for file in self.files.iter().filter(|file| file.base >= kept.base) {
            let from = if file.base == kept.base {
                kept.offset
            } else {
                0
            };
            let rest = file.search(from, self.window.reuse(), &|_| false)?;
            self.end.report.torn_bytes += rest.bytes;
            if file.base > kept.base || kept.base == 0 {
                push(&mut self.end.doomed, file.base)?;
                self.end.next = self.end.next.max(file.base + 1);
            }
            self.end.next = self.end.next.max(rest.highest.min(HIGHEST) + 1);
        }
        self.end.report.salvaged = Some(corruption);
        Ok(())
    }
}
