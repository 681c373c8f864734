//! The ring of memory between writers and the flusher.
//!
//! The log is one sequence of units of 16 bytes; a position counts them from the log's beginning, and
//! the number of a commit is the position of its first unit. The ring holds the units from `released`
//! on. Four counters, each a position:
//!
//! `released` ≤ `installed` ≤ `taken` ≤ `reserved` ≤ `released` + capacity
//!
//! 1. **Reserve**: a writer adds its units to `reserved` if they fit. Only then may it take them
//!    (`RoomBeforeNumber`), so the last inequality holds for what is taken.
//! 2. **Take**: one `fetch_add` of `taken` gives the position. It cannot fail. The units are zeroed
//!    (first word of each): let T be the thread whose reservation is the last in the order of
//!    `reserved` among those that have taken up to here. It found `released` + capacity ≥ everything
//!    taken so far, and acquired the flusher's zeroing (`RoomIsAcquired`). Its take comes before, or
//!    is, this one in the order of `taken`, and each take acquires those before it (`TakeIsOrdered`).
//! 3. **Fill**: the words of the body are stored, then the first word, with Release
//!    (`FilledBeforeWord`), never 0. A writer fills after its commit is installed.
//! 4. **Advance**: any thread walks from `installed` over records whose first word is not 0, and moves
//!    `installed` with one compare-exchange. It stops at `taken` (`WalkEndsAtTaken`): the slots
//!    there may hold records that were not released yet, and what lies below is zeroed or filled,
//!    since `taken` is acquired (`TakenIsAcquired`). The words it read are those of the positions it
//!    walked if `installed` has not moved meanwhile (`WalkIsUndisturbed`): units at or above it are
//!    not released. `installed` only grows, so it was not elsewhere in between. It is released and
//!    acquired (`InstalledIsReleased`, `InstalledIsAcquired`): a reader that loads it sees every
//!    commit below it.
//! 5. **Release**: the flusher copies records below `installed`, writes them, zeroes the first word
//!    of each unit, then stores `released`, with Release (`RoomAfterZeroing`).
//!
//! Every word of the ring is an atomic. The words of a body are stored and loaded relaxed: the first
//! word orders them.

use crossbeam_utils::CachePadded;

use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering};

/// Bytes of a unit.
pub(crate) const UNIT: u64 = 16;
/// Words of a unit.
const WORDS: u64 = 2;
/// Bytes of a record before its body.
pub(super) const FIRST_WORD: u64 = 8;

const KIND_SHIFT: u32 = 56;
const LENGTH_MASK: u64 = (1 << 48) - 1;

/// The first word of a record: the length of its body and of this word, in bytes, in the low 48
/// bits; its kind in the highest 8. Never 0.
pub(super) fn first_word(body: u64, kind: u8) -> u64 {
    (body + FIRST_WORD) | u64::from(kind) << KIND_SHIFT
}

/// Takes a first word apart: the length of the body, and the kind. `None` if no writer stores it.
pub(super) fn split_first_word(word: u64) -> Option<(u64, u8)> {
    let length = word & ((1 << KIND_SHIFT) - 1);
    let body = length.checked_sub(FIRST_WORD)?;
    (length <= LENGTH_MASK).then_some((body, (word >> KIND_SHIFT) as u8))
}

/// Units of a record with this body.
pub(super) fn units_of(body: u64) -> u64 {
    (body + FIRST_WORD).div_ceil(UNIT)
}

fn units_of_word(word: u64) -> u64 {
    (word & LENGTH_MASK).div_ceil(UNIT)
}

pub(super) struct Ring {
    words: Vec<AtomicU64>,
    taken: CachePadded<AtomicU64>,
    reserved: CachePadded<AtomicU64>,
    installed: CachePadded<AtomicU64>,
    released: CachePadded<AtomicU64>,
}

/// Records that the flusher writes together.
pub(super) struct Group {
    /// The position after the last.
    pub(super) end: u64,
    /// The number of the last record.
    pub(super) last: u64,
    pub(super) records: u64,
}

impl Ring {
    /// A ring of `units`, a power of two, whose first position is `base`. `None` if there is no memory.
    pub(super) fn new(units: u64, base: u64) -> Option<Self> {
        debug_assert!(units.is_power_of_two());
        let length = (units * WORDS) as usize;
        let mut words = Vec::new();
        words.try_reserve_exact(length).ok()?;
        words.resize_with(length, || AtomicU64::new(0));
        let position = || CachePadded::new(AtomicU64::new(base));
        Some(Self {
            words,
            taken: position(),
            reserved: position(),
            installed: position(),
            released: position(),
        })
    }

    pub(super) fn capacity(&self) -> u64 {
        self.words.len() as u64 / WORDS
    }

    /// A word of a record at `position`.
    fn word(&self, position: u64, index: u64) -> &AtomicU64 {
        // A power of two: the mask keeps the index in bounds.
        &self.words[(position * WORDS + index) as usize & (self.words.len() - 1)]
    }

    /// Reserves units, if there is room.
    pub(super) fn reserve(&self, units: u64) -> bool {
        let mut reserved = self.reserved.load(Ordering::Relaxed);
        // Ends: each failed exchange means that another thread has reserved or given back.
        loop {
            let released = self.released.load(Line::RoomIsAcquired.acquire());
            let limit = released + self.capacity();
            if Line::RoomBeforeNumber.is_enabled() && reserved + units > limit {
                return false;
            }
            let wanted = reserved + units;
            let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
            match (self.reserved).compare_exchange_weak(reserved, wanted, success, failure) {
                Ok(_) => return true,
                Err(current) => reserved = current,
            }
        }
    }

    /// Whether `reserve` might succeed.
    pub(super) fn has_room(&self, units: u64) -> bool {
        let released = self.released.load(Ordering::Relaxed);
        self.reserved.load(Ordering::Relaxed) + units <= released + self.capacity()
    }

    /// Whether writers have reserved half of the ring, or more.
    pub(super) fn is_half_reserved(&self) -> bool {
        let released = self.released.load(Ordering::Relaxed);
        self.reserved.load(Ordering::Relaxed) >= released + self.capacity() / 2
    }

    /// Gives back reserved units that will not be taken.
    pub(super) fn give_back(&self, units: u64) {
        self.reserved.fetch_sub(units, Ordering::Relaxed);
    }

    /// Takes units that the caller has reserved; returns their position.
    pub(super) fn take(&self, units: u64) -> u64 {
        let order = if Line::TakeIsOrdered.is_enabled() {
            Ordering::AcqRel
        } else {
            Ordering::Relaxed
        };
        self.taken.fetch_add(units, order)
    }

    /// The position that the next record will take.
    pub(super) fn taken(&self) -> u64 {
        self.taken.load(Line::TakenIsAcquired.acquire())
    }

    /// Stores a word of the body of a record that the caller has taken; index 0 is its first word.
    pub(super) fn store(&self, position: u64, index: u64, word: u64) {
        self.word(position, index).store(word, Ordering::Relaxed);
    }

    /// Stores the first word: the record is filled.
    pub(super) fn fill(&self, position: u64, word: u64) {
        let release = Line::FilledBeforeWord.release();
        self.word(position, 0).store(word, release);
    }

    /// The contiguous filled prefix, as far as some thread has walked it.
    pub(super) fn installed(&self) -> u64 {
        self.installed.load(Line::InstalledIsAcquired.acquire())
    }

    /// Moves `installed` over filled records; returns it.
    pub(super) fn advance(&self) -> u64 {
        let mut from = self.installed();
        // Ends: when it finds no filled record; or each failed exchange means that another thread has
        // moved `installed`, which is bounded by `taken`.
        loop {
            let to = self.walk(from);
            if to == from {
                return from;
            }
            if !Line::WalkIsUndisturbed.is_enabled() {
                self.installed.store(to, Ordering::Release);
                return to;
            }
            let success = if Line::InstalledIsReleased.is_enabled() {
                Ordering::AcqRel
            } else {
                Ordering::Relaxed
            };
            let failure = Line::InstalledIsAcquired.acquire();
            match (self.installed).compare_exchange(from, to, success, failure) {
                Ok(_) => from = to,
                Err(current) => from = current,
            }
        }
    }

    /// Walks from a position over filled records.
    fn walk(&self, from: u64) -> u64 {
        let mut to = from;
        let end = if Line::WalkEndsAtTaken.is_enabled() {
            self.taken()
        } else {
            from + self.capacity()
        };
        // Ends: each turn moves at least a unit, up to `end`. If `from` is no longer `installed`, the
        // words may be any, and the exchange will fail.
        while to < end {
            let word = self.word(to, 0).load(Line::WordIsAcquired.acquire());
            if word == 0 {
                break;
            }
            to += units_of_word(word).max(1);
        }
        to
    }

    /// Whether the record at `position` is filled. Called for a position up to which records were appended:
    /// the thread that stored it has zeroed the word, or one that appended before.
    pub(super) fn is_filled(&self, position: u64) -> bool {
        self.word(position, 0).load(Ordering::Relaxed) != 0
    }

    /// Finds the records from `from` on, below `installed`, that have at most `units` together.
    /// Called by the thread that appends, which alone releases.
    pub(super) fn group(&self, from: u64, units: u64) -> Option<Group> {
        let installed = self.advance();
        let mut group = Group {
            end: from,
            last: from,
            records: 0,
        };
        // Ends: each turn moves at least a unit, up to `installed`.
        while group.end < installed {
            let word = self.word(group.end, 0).load(Ordering::Relaxed);
            let end = group.end + units_of_word(word);
            if end - from > units {
                break;
            }
            (group.last, group.end) = (group.end, end);
            group.records += 1;
        }
        (group.records > 0).then_some(group)
    }

    /// Copies the units from `from` on to `bytes`. Called by the thread that appends for units below `installed`.
    pub(super) fn copy(&self, from: u64, bytes: &mut [u8]) {
        let begin = (from * WORDS) as usize & (self.words.len() - 1);
        let (before, after) = self.words.split_at(begin);
        for (bytes, word) in bytes.chunks_exact_mut(8).zip(after.iter().chain(before)) {
            bytes.copy_from_slice(&word.load(Ordering::Relaxed).to_le_bytes());
        }
    }

    /// Zeroes units, and lets writers reserve them again. One thread at a time calls it, in order.
    pub(super) fn release(&self, from: u64, to: u64) {
        for position in from..to {
            self.word(position, 0).store(0, Ordering::Relaxed);
        }
        let release = Line::RoomAfterZeroing.release();
        self.released.store(to, release);
    }

    pub(super) fn released(&self) -> u64 {
        self.released.load(Ordering::Relaxed)
    }
}
