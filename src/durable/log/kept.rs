//! Which segments a log has, and what keeps old ones from being removed.
//!
//! A mutex protects everything here. No file operation is done under it.
//!
//! **The reach** of a log is a number: every record that has it or a greater one, and was written, is in the
//! segments. A cut raises the reach to the end of a segment ([`Line::ReachBeforeUnlink`]), and only then
//! removes the file. So a follower whose position is still in reach after it has failed to read a file knows that
//! the file was not removed.
//!
//! **Holds.** A follower holds the segment that it reads, and those behind it: a cut leaves them
//! ([`Line::CutLeavesHeld`]), up to a number of bytes, which the follower chooses. Beyond that, it is left behind.
//! A hold begins under the mutex, with a look at the reach: a cut comes before, and the follower is refused, or
//! afterwards, and finds the hold.
//!
//! Besides, so many bytes of old segments are left as the log's options say.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use super::reader::LogEnd;
use super::ring::UNIT;
use crate::errno;
use crate::index::memory::OutOfMemory;
use crate::protocol::Line;

/// A segment, and the part of it that has records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Closed {
    pub(super) base: u64,
    /// The position after its last record.
    pub(super) end: u64,
}

/// Why no segment is handed to a follower.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NotKept {
    /// A cut has removed what comes next.
    TooOld,
    /// There was no commit with the number, or it was lost.
    Lost,
    NoMemory,
}

struct Hold {
    id: u64,
    /// What the follower reads next is at this position or behind it.
    from: u64,
    /// The bytes of the log that the hold may keep.
    most: u64,
}

struct State {
    /// The segments before the current one, the oldest first.
    closed: VecDeque<Closed>,
    reach: u64,
    holds: Vec<Hold>,
    last_hold: u64,
}

/// The segments of a log.
pub(super) struct Kept {
    state: Mutex<State>,
    /// The bytes of old segments that a cut leaves.
    retained: u64,
    /// Where the log was opened.
    opened_at: u64,
}

impl State {
    /// Bytes of the records from `number` on, if the last segment is `current`.
    fn bytes_since(&self, number: u64, current: Closed) -> u64 {
        let units: u64 = (self.closed.iter().chain([&current]))
            .map(|segment| segment.end.saturating_sub(segment.base.max(number)))
            .sum();
        units * UNIT
    }

    fn is_held(&self, segment: Closed, current: Closed) -> bool {
        Line::CutLeavesHeld.is_enabled()
            && self.holds.iter().any(|hold| {
                hold.from < segment.end && self.bytes_since(hold.from, current) <= hold.most
            })
    }

    /// Bytes of the segments behind the oldest that lie below a number.
    fn bytes_behind_oldest(&self, number: u64) -> u64 {
        let below = self.closed.iter().take_while(|of| of.end <= number);
        let units: u64 = below.skip(1).map(|of| of.end - of.base).sum();
        units * UNIT
    }

    /// Whether a number is one that the log has skipped, since commits there were lost.
    fn is_skipped(&self, number: u64, opened_at: u64) -> bool {
        let ends = [self.reach]
            .into_iter()
            .chain(self.closed.iter().map(|of| of.end));
        let bases = (self.closed.iter().map(|of| of.base)).chain([opened_at]);
        number >= self.reach
            && (ends.zip(bases)).any(|(end, base)| end <= number && number + 1 < base)
    }
}

impl Kept {
    pub(super) fn new(recovered: &LogEnd, retained: u64) -> Result<Self, OutOfMemory> {
        let mut closed = VecDeque::new();
        let count = recovered.segments.len();
        closed.try_reserve(count).map_err(|_| OutOfMemory)?;
        closed.extend(&recovered.segments);
        Ok(Self {
            state: Mutex::new(State {
                closed,
                reach: recovered.reach,
                holds: Vec::new(),
                last_hold: 0,
            }),
            retained,
            opened_at: recovered.next,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        errno::lock(&self.state)
    }

    /// Makes sure that `close` has memory; one thread closes segments.
    pub(super) fn reserve(&self) -> bool {
        self.lock().closed.try_reserve(1).is_ok()
    }

    /// Adds a segment that is no longer written.
    pub(super) fn close(&self, segment: Closed) {
        self.lock().closed.push_back(segment);
    }

    /// Bytes of the records from `number` on.
    pub(super) fn bytes_since(&self, number: u64, current: Closed) -> u64 {
        self.lock().bytes_since(number, current)
    }

    /// The oldest segment, if it lies below `number`, is not the last, and is neither held nor retained. The reach
    /// is behind it afterwards. `current` is empty if there is no current segment.
    pub(super) fn give_up_below(&self, number: u64, current: Closed) -> Option<Closed> {
        let mut state = self.lock();
        let is_last = current.base == 0 && state.closed.len() == 1;
        let oldest = *state.closed.front().filter(|_| !is_last)?;
        let is_kept = oldest.end > number
            || state.bytes_behind_oldest(number) < self.retained
            || state.is_held(oldest, current);
        if is_kept {
            return None;
        }
        if Line::ReachBeforeUnlink.is_enabled() {
            state.reach = state.reach.max(oldest.end);
        }
        Some(oldest)
    }

    /// Forgets a segment whose file was removed.
    pub(super) fn forget(&self, removed: Closed) {
        let mut state = self.lock();
        state.reach = state.reach.max(removed.end);
        if state.closed.front() == Some(&removed) {
            state.closed.pop_front();
        }
    }

    /// From this number on, all records are in the segments.
    pub(super) fn reach(&self) -> u64 {
        self.lock().reach
    }

    /// Whether a cut has given up the record that follows `position`.
    pub(super) fn is_out_of_reach(&self, position: u64) -> bool {
        position < self.lock().reach
    }

    /// Begins a hold of what follows the record with a number; returns its id.
    pub(super) fn hold(&self, number: u64, most: u64) -> Result<u64, NotKept> {
        let mut state = self.lock();
        if number + 1 < state.reach {
            return Err(NotKept::TooOld);
        }
        if state.is_skipped(number, self.opened_at) {
            return Err(NotKept::Lost);
        }
        (state.holds.try_reserve(1)).map_err(|_| NotKept::NoMemory)?;
        state.last_hold += 1;
        let hold = Hold {
            id: state.last_hold,
            from: number + 1,
            most,
        };
        state.holds.push(hold);
        Ok(state.last_hold)
    }

    pub(super) fn end_hold(&self, id: u64) {
        self.lock().holds.retain(|hold| hold.id != id);
    }

    /// Returns the segment with what follows `position`, and holds it; `None` if there is none. Fails if it was given
    /// up.
    pub(super) fn segment_at(
        &self,
        id: u64,
        position: u64,
        current: Closed,
    ) -> Result<Option<Closed>, NotKept> {
        let mut state = self.lock();
        if position < state.reach {
            return Err(NotKept::TooOld);
        }
        let mut all = state.closed.iter().copied().chain([current]);
        let Some(found) = all.find(|segment| segment.end > position) else {
            return Ok(None);
        };
        if let Some(hold) = state.holds.iter_mut().find(|hold| hold.id == id) {
            hold.from = found.base;
        }
        Ok(Some(found))
    }
}
