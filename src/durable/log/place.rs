//! What a writer holds on its way to a record: first room, then a place, which has a number.

use super::ring::{first_word, units_of};
use super::{Level, Log, Ring};

/// Room in the log for one record. It gives itself back when it is dropped. A thread holds at most
/// one at a time: while it holds room, others may wait for it.
#[must_use]
pub(crate) struct Room<'a> {
    pub(super) log: &'a Log,
    /// The body's length in bytes.
    pub(super) bytes: u64,
    /// Units that were reserved.
    pub(super) units: u64,
}

impl<'a> Room<'a> {
    /// Takes the next number. Cannot fail, and does not wait.
    pub(crate) fn take(self) -> Place<'a> {
        let bytes = self.bytes;
        self.take_of(bytes as usize)
    }

    /// As `take`, for a record of fewer bytes than were reserved.
    pub(crate) fn take_of(self, bytes: usize) -> Place<'a> {
        let (log, units) = (self.log, self.units);
        let bytes = bytes as u64;
        assert!(bytes <= self.bytes, "more than was reserved");
        std::mem::forget(self);
        let used = log.units_of(bytes);
        let number = log.ring().take(used);
        if used < units {
            log.give_back_units(units - used);
        }
        Place { log, number, bytes }
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        self.log.give_back(self.units);
    }
}

/// A record that has a number, and must be filled: everything after it in the log waits for it.
#[must_use]
pub(crate) struct Place<'a> {
    log: &'a Log,
    number: u64,
    bytes: u64,
}

impl Place<'_> {
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Fills the record, and wakes the flusher. The caller has installed the commit. Bytes that `write` does
    /// not write are zero. A log without a directory does not call `write`.
    pub(crate) fn fill(self, kind: u8, write: impl FnOnce(&mut Writer<'_>)) {
        self.fill_to(Level::Memory, kind, write);
    }

    /// As `fill`, for a caller that next waits for the record to reach a level, without waiting for anything
    /// else before. If that level needs the flusher, not this call wakes it, but the wait, if it has to: also
    /// for threads that wait for records behind this one already.
    pub(crate) fn fill_to(self, level: Level, kind: u8, write: impl FnOnce(&mut Writer<'_>)) {
        let (log, ring) = (self.log, self.log.ring());
        if log.keeps_bodies() {
            let mut writer = Writer {
                ring,
                position: self.number,
                index: 1,
                end: units_of(self.bytes) * 2,
                pending: 0,
                bits: 0,
                left: self.bytes as usize,
            };
            write(&mut writer);
            writer.finish();
        }
        ring.fill(self.number, first_word(log.stored_bytes(self.bytes), kind));
        std::mem::forget(self);
        if level == Level::Memory {
            log.filled();
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        debug_assert!(
            std::thread::panicking(),
            "the record {} was taken, and never filled",
            self.number
        );
    }
}

/// Writes the body of a record into the ring.
pub(crate) struct Writer<'a> {
    ring: &'a Ring,
    position: u64,
    /// The next word.
    index: u64,
    /// The words of the record.
    end: u64,
    /// Bytes that do not fill a word yet.
    pending: u64,
    /// Bits of `pending`.
    bits: u32,
    /// Bytes that may still be written.
    left: usize,
}

impl Writer<'_> {
    /// Appends bytes.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        assert!(bytes.len() <= self.left, "more than was reserved");
        self.left -= bytes.len();
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            let word = u64::from_le_bytes(word.try_into().expect("eight bytes"));
            self.store(self.pending | word << self.bits);
            // Two shifts: one by 64 bits would overflow.
            self.pending = word >> 1 >> (63 - self.bits);
        }
        for &byte in words.remainder() {
            self.pending |= u64::from(byte) << self.bits;
            self.bits += 8;
            if self.bits == 64 {
                self.store(self.pending);
                (self.pending, self.bits) = (0, 0);
            }
        }
    }

    fn store(&mut self, word: u64) {
        self.ring.store(self.position, self.index, word);
        self.index += 1;
    }

    /// Stores the rest of the record's words.
    fn finish(&mut self) {
        if self.bits > 0 {
            self.store(self.pending);
        }
        // Ends: each turn stores a word.
        while self.index < self.end {
            self.store(0);
        }
    }
}
