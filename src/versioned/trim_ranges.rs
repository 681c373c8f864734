//! Removes range tombstones that hide nothing.
//!
//! A range tombstone with number n is *obsolete* if it is not needed for any key that it covers and that
//! has a version with a smaller number: a newer range tombstone covers that key, and there is no reader
//! at the numbers from n to before that tombstone's. A trim examines it only if n is at or below the
//! floor, and no write at or below the floor is under way ([`Line::RangesOutliveWrites`], see
//! [`quiet`]): then no version that it would hide can arrive.
//!
//! What was found for a key stays true, so several calls may examine one tombstone: no version with a
//! number below n arrives, and no reader or snapshot appears below the floor. The newer tombstone over
//! the key may be removed in the meantime, or by the same call: but only because no version below its
//! number is left at the key, or because a third one replaces it, without a reader in between. Its
//! number is above n, so both hold for the older tombstone, too.
//!
//! [`quiet`]: super::quiet

use std::ops::{ControlFlow, Deref};

use super::VersionedTree;
use super::list::List;
use super::run::TombstoneRef;
use super::trim::{Pass, Position, Trimmed, copy};
use crate::index::memory::{OutOfMemory, Vector};
use crate::index::reclaim::Pinned;
use crate::index::tree::{Bound, Range};
use crate::protocol::Line;

/// What is known of a range tombstone.
enum Examined {
    Obsolete,
    Needed,
    /// The budget is used up at a key.
    NotYet,
}

impl VersionedTree<'_> {
    /// Collects the range tombstones that the rest of a pass examines. Returns whether it has begun to
    /// wait for writes: the next pass may examine more.
    pub(super) fn begin_ranges(
        self,
        pin: Pinned<'_>,
        floor: u64,
        position: &mut Position,
    ) -> Result<bool, OutOfMemory> {
        let source = self.tree.allocator();
        position.key.clear();
        let settled = match Line::RangesOutliveWrites.is_enabled() {
            true => self.versions.quiet().settled(),
            false => floor,
        };
        let ranges = self.versions.ranges.at_most(pin, source, floor)?;
        let count = ranges.len();
        position.ranges = ranges;
        position.ranges.retain(|of| of.number() <= settled);
        if position.ranges.len() == count {
            return Ok(false);
        }
        // SAFETY: the tree reclaims everything before it frees what it has beside its index.
        Ok(unsafe { self.versions.quiet().settle_at(pin, floor) })
    }

    /// Examines the range tombstones of a pass as long as budget is left, and removes those that are
    /// obsolete. Returns whether none is left to examine.
    pub(super) fn trim_ranges(
        self,
        pin: Pinned<'_>,
        pass: &Pass<'_, impl Deref<Target = [u64]>>,
        position: &mut Position,
        left: &mut usize,
        trimmed: &mut Trimmed,
    ) -> Result<bool, OutOfMemory> {
        let source = self.tree.allocator();
        let mut obsolete = Vector::new_in(source);
        let most = position.ranges.len().min(*left);
        obsolete.try_reserve(most).map_err(|_| OutOfMemory)?;
        let mut outcome = Ok(());
        // Ends: each round but the last takes a tombstone away.
        while *left > 0
            && let Some(&tombstone) = position.ranges.last()
        {
            match self.examine(pin, tombstone, pass, &mut position.key, left) {
                Ok(Examined::NotYet) => break,
                Ok(Examined::Obsolete) => obsolete.push(tombstone),
                Ok(Examined::Needed) => {}
                Err(OutOfMemory) => {
                    outcome = Err(OutOfMemory);
                    break;
                }
            }
            position.ranges.pop();
            position.key.clear();
            *left = left.saturating_sub(1);
        }
        if !obsolete.is_empty() {
            obsolete.sort_unstable_by_key(|tombstone| tombstone.as_ptr().addr());
            (self.versions.ranges).remove(pin, source, &obsolete)?;
            trimmed.freed += obsolete.len();
        }
        outcome.map(|()| position.ranges.is_empty())
    }

    /// Examines a range tombstone, from the key `from` on, or from its first if that is empty; stores in
    /// `from` where to go on.
    fn examine(
        self,
        pin: Pinned<'_>,
        tombstone: TombstoneRef<'_>,
        pass: &Pass<'_, impl Deref<Target = [u64]>>,
        from: &mut Vector<u8>,
        left: &mut usize,
    ) -> Result<Examined, OutOfMemory> {
        let number = tombstone.number();
        if number > pass.points.floor {
            // This call has a lower floor than the one that began the pass.
            return Ok(Examined::Needed);
        }
        let point = pass.points.at_least(number);
        let start = tombstone.lower().max(&from[..]);
        let range = Range {
            lower: Bound::Included(start),
            upper: Bound::Excluded(tombstone.upper()),
            ..Range::all()
        };
        let mut examined = Examined::Obsolete;
        let mut stopped_at = Vector::new_in(self.tree.allocator());
        let mut outcome = Ok(());
        self.tree.scan(pin, &range, &mut |key, word| {
            if *left == 0 {
                examined = Examined::NotYet;
                outcome = copy(key, &mut stopped_at);
                return ControlFlow::Break(());
            }
            *left -= 1;
            // SAFETY: the word was found under this pin.
            let list = unsafe { List::new(word) };
            let has_older = list.oldest().is_some_and(|oldest| oldest.number() < number);
            if has_older && pass.covers.at(key, point) <= number {
                examined = Examined::Needed;
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        outcome?;
        if matches!(examined, Examined::NotYet) {
            *from = stopped_at;
        }
        Ok(examined)
    }
}
