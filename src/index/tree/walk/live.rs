//! What cursors ask of a walk beside its steps: whether what it has read still holds, and what
//! is there now.

use arrayvec::ArrayVec;

use super::Walk;
use super::ahead::Ahead;
use super::assemble::{append, append_short, assemble};
use super::frame::beyond;
use crate::index::key::{SLICE_LEN, SUFFIX};
use crate::index::memory::Vector;
use crate::index::node::{NodeRef, WIDTH};
use crate::protocol::Line;

impl Walk<'_> {
    /// Whether the leaves that the last step left behind are still as they were read. Asked
    /// after the leaf it came to was found to be, too, this says that all were so at one
    /// moment: what the step came to was the next key then.
    #[inline]
    pub(in crate::index::tree) fn is_undisturbed(&self) -> bool {
        let is_current = |&(leaf, version)| NodeRef::from(leaf).version().validate(version);
        self.left.iter().all(is_current) || !Line::StepIsUndisturbed.is_enabled()
    }

    /// The value of the key that the walk is at, as it is now; nothing if the leaf has
    /// changed since it was read.
    pub(in crate::index::tree) fn live_value(&self) -> Option<u64> {
        let frame = self.frames.last()?;
        let value = frame.leaf.value_unvalidated(frame.entries.slot(frame.at));
        (frame.is_current() || !Line::ArrivalIsCurrent.is_enabled()).then_some(value)
    }

    /// Says that so many keys are wanted from here on, for which leaves ahead are asked.
    pub(in crate::index::tree) fn expect(&mut self, reverse: bool, wanted: usize) {
        self.wanted = wanted;
        if let Some(frame) = self.frames.last_mut()
            && frame.is_at_entry()
        {
            let slice = frame.entries.slice(frame.at);
            frame.ahead = Ahead::begin_after(frame.leaf, slice, reverse, wanted);
        }
    }

    /// Goes on in the leaf at hand by at most `most` keys, and appends them to others. Gives
    /// where each ends, and its value as it is now: all these keys are there at one moment.
    /// None, and the walk stays, if the leaf has changed since it was read; fewer if memory
    /// runs out.
    pub(in crate::index::tree) fn run_on(
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
        let left = frame.left(reverse).saturating_sub(1).min(most);
        let mut at = frame.at;
        // For all that end in their slices.
        let room = left * (shared.len() + SLICE_LEN);
        let has_room = keys.try_reserve(room).is_ok();
        while has_room && run.len() < left {
            let next = beyond(at, reverse);
            let kind = frame.entries.kind(next);
            let start = keys.len();
            if kind < SUFFIX {
                let slice = frame.entries.slice(next).to_be_bytes();
                // SAFETY: room was made for this key, and for those to come like it.
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
        if frame.is_current() {
            frame.at = at;
        } else {
            keys.truncate(before);
            run.clear();
        }
        run
    }
}
