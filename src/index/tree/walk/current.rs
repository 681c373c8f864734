//! Operations on a walk that only cursors use: checking that the walk's snapshot is still current,
//! and reading current values.

use arrayvec::ArrayVec;

use super::Walk;
use super::ahead::Ahead;
use super::assemble::{append, append_short, assemble};
use super::frame::next_position;
use crate::index::key::{SLICE_LEN, SUFFIX};
use crate::index::memory::Vector;
use crate::index::node::{NodeRef, WIDTH};
use crate::protocol::Line;

/// How many keys ahead of a cursor what their values point to is prefetched.
const VALUES_AHEAD: usize = 8;

impl Walk<'_> {
    /// Whether the leaves that the last step left are unchanged since they were read. The
    /// caller has first checked that the leaf which the step reached is unchanged. Then all
    /// these leaves were unchanged at the moment of that check, and at that moment the step's
    /// result was the next key.
    #[inline]
    pub(in crate::index::tree) fn is_undisturbed(&self) -> bool {
        let is_current = |&(leaf, version)| NodeRef::from(leaf).version().validate(version);
        self.left_leaves.iter().all(is_current) || !Line::StepIsUndisturbed.is_enabled()
    }

    /// Returns the current value of the current key; `None` if the leaf has changed since it
    /// was read.
    pub(in crate::index::tree) fn current_value(&self) -> Option<u64> {
        let frame = self.frames.last()?;
        let value = frame.leaf.value_unvalidated(frame.entries.slot(frame.at));
        (frame.is_current() || !Line::ArrivalIsCurrent.is_enabled()).then_some(value)
    }

    /// Where values are pointers: prefetches what those of the following keys of the current leaf point
    /// to: of the next [`VALUES_AHEAD`] at the leaf's first key, and of one more at others. A step of a
    /// cursor over 1,000,000 versions took 1.8 times as long without this.
    #[inline]
    pub(in crate::index::tree) fn prefetch_following(&self, reverse: bool) {
        if !self.values_are_memory {
            return;
        }
        let Some(frame) = self.frames.last().filter(|frame| frame.is_at_entry()) else {
            return;
        };
        let left = frame.remaining(reverse) - 1;
        if left + 1 == frame.to - frame.from {
            frame.prefetch_values(reverse, 1, left.min(VALUES_AHEAD));
        } else if left >= VALUES_AHEAD {
            frame.prefetch_values(reverse, VALUES_AHEAD, 1);
        }
    }

    /// Sets how many keys the caller wants from here on, and prefetches leaves ahead
    /// accordingly.
    pub(in crate::index::tree) fn set_wanted(&mut self, reverse: bool, wanted: usize) {
        self.wanted = wanted;
        if let Some(frame) = self.frames.last_mut()
            && frame.is_at_entry()
        {
            let slice = frame.entries.slice(frame.at);
            frame.ahead = Ahead::begin_after(frame.leaf, slice, reverse, wanted);
        }
    }

    /// Moves forward by at most `most` keys within the current leaf, and appends these keys
    /// to `keys`. Returns for each key the offset of its end in `keys`, and its current value:
    /// there is a moment at which all of these keys had these values. Returns no keys, and does not
    /// move, if the leaf has changed since it was read, since the value in a slot may then be that
    /// of another key. Returns fewer keys if memory runs out.
    pub(in crate::index::tree) fn take_following(
        &mut self,
        reverse: bool,
        most: usize,
        keys: &mut Vector<u8>,
    ) -> ArrayVec<(usize, u64), WIDTH> {
        let mut run = ArrayVec::new();
        let Some(frame) = self.frames.last_mut() else {
            unreachable!("the walk is at a key");
        };
        let (before, shared) = (keys.len(), &self.key[..frame.depth]);
        let left = frame.remaining(reverse).saturating_sub(1).min(most);
        if self.values_are_memory {
            frame.prefetch_values(reverse, 1, left);
        }
        let mut at = frame.at;
        // Enough for every key that ends in its slice.
        let room = left * (shared.len() + SLICE_LEN);
        let has_room = keys.try_reserve(room).is_ok();
        while has_room && run.len() < left {
            let next = next_position(at, reverse);
            let kind = frame.entries.kind(next);
            let start = keys.len();
            if kind < SUFFIX {
                let slice = frame.entries.slice(next).to_be_bytes();
                // SAFETY: room was reserved for this key and for the remaining short keys.
                unsafe { append_short(keys, shared, slice, usize::from(kind)) };
            } else if kind > SUFFIX {
                break;
            } else {
                append(keys, shared);
                if assemble(keys, start + shared.len(), &frame.entries, next).is_err()
                    || keys.try_reserve(room).is_err()
                {
                    keys.truncate(start);
                    break;
                }
            }
            at = next;
            let value = frame.leaf.value_unvalidated(frame.entries.slot(at));
            run.push((keys.len(), value));
        }
        if frame.is_current() || !Line::FollowingAreCurrent.is_enabled() {
            frame.at = at;
        } else {
            keys.truncate(before);
            run.clear();
        }
        run
    }
}
