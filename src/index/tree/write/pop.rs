//! Removes the first or the last key of a range.
//!
//! **Protocol.** Locks the leaf in which the key must be: descends to the leaf that contains the end of
//! the range, and through links into deeper layers. The key is the first, or last, of that leaf's entries
//! in the range when the leaf is locked; its removal is that of any key (see `remove`). So each key goes
//! to one caller.
//!
//! Within one leaf, no key of the range is nearer to the end when the key is removed: the linearization
//! point. A descent that passes a leaf without a key in the range, or a link, does not keep that leaf
//! locked, since locks are taken in the other direction. A nearer key that is inserted there during the
//! call may be missed; one that was there before the call is not, unless another thread removes it.

mod pace;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
pub(in crate::index::tree) mod turns;

use self::turns::Memory;
use super::lock::lock_prev;
use super::remove_range::{LockedStart, Start, side_of};
use crate::index::key::{LAYER, SLICE_LEN};
use crate::index::memory::{Count, OutOfMemory};
use crate::index::node::{Leaf, Locked};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::walk::interrupt::{CutSide, OwnedCut};
use crate::index::tree::walk::range::{Cut, Range, Side};

/// What a pop has found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Popped {
    /// The key was removed; its value, which the caller owns or discards.
    Value(u64),
    /// The key was refused, and stays.
    Refused,
    /// The range has no key.
    Nothing,
}

/// A leaf that contains the last key, locked.
struct End<'g> {
    leaf: Locked<'g, Leaf>,
    position: usize,
    /// Bytes of key above the leaf's layer.
    depth: usize,
    /// As in [`LockedStart`].
    is_contended: bool,
}

/// Receives the parts of the key that a pop has found, under the lock of its leaf: those of the layers
/// above, of the slice, and the suffix. Returns whether the key is to be removed.
type Admit<'a> = &'a mut dyn FnMut([&[u8]; 3]) -> bool;

impl Tree {
    /// Removes the first key of a range, unless `admit` refuses it. Takes trees of words and byte strings.
    ///
    /// Ends: each round moves up, behind a leaf or into a layer that had no key of the range when it was
    /// locked.
    pub(crate) fn pop_first(
        &self,
        pin: Pinned<'_>,
        range: &Range<'_>,
        admit: Admit<'_>,
    ) -> Result<Popped, OutOfMemory> {
        turns::with_memory(|memory| self.pop_first_in_turn(pin, range, admit, memory))
    }

    fn pop_first_in_turn(
        &self,
        pin: Pinned<'_>,
        range: &Range<'_>,
        admit: Admit<'_>,
        memory: &Memory,
    ) -> Result<Popped, OutOfMemory> {
        let timed = memory.begin();
        self.admit(pin, &[]);
        self.must_not_hold();
        self.begin_recording(pin);
        let upper = range.upper_cut();
        let mut position = OwnedCut::new(self.allocator(), range.lower_cut())?;
        loop {
            let found = self.lock_start(pin, &mut position, upper)?;
            let Some(LockedStart {
                leaf,
                from,
                depth,
                upper,
                is_contended,
            }) = found
            else {
                return Ok(Popped::Nothing);
            };
            let start = Start {
                leaf,
                from,
                lower: position.cut().below(depth),
                upper,
            };
            let (found, rest) = start.first_in_range();
            let leaf = start.leaf;
            if let Some(at) = found {
                let turn = memory.turn(timed, &self.last_popper, &leaf, is_contended);
                let popped = self.take_popped(pin, leaf, at, position.above(depth), admit);
                memory.end(turn);
                return Ok(popped);
            }
            let next_low = leaf.node().next().map(Leaf::low);
            drop(leaf);
            if !position.move_behind(rest, next_low, depth, upper)? {
                return Ok(Popped::Nothing);
            }
        }
    }

    /// Removes the last key of a range, as [`Tree::pop_first`] removes the first.
    pub(crate) fn pop_last(
        &self,
        pin: Pinned<'_>,
        range: &Range<'_>,
        admit: Admit<'_>,
    ) -> Result<Popped, OutOfMemory> {
        turns::with_memory(|memory| self.pop_last_in_turn(pin, range, admit, memory))
    }

    fn pop_last_in_turn(
        &self,
        pin: Pinned<'_>,
        range: &Range<'_>,
        admit: Admit<'_>,
        memory: &Memory,
    ) -> Result<Popped, OutOfMemory> {
        let timed = memory.begin();
        self.admit(pin, &[]);
        self.must_not_hold();
        self.begin_recording(pin);
        let upper = range.upper_cut().unwrap_or(Cut::AfterAll(&[]));
        let mut position = OwnedCut::new(self.allocator(), Some(upper))?;
        let found = self.lock_end(pin, &mut position, range.lower_cut())?;
        let Some(End {
            leaf,
            position: at,
            depth,
            is_contended,
        }) = found
        else {
            return Ok(Popped::Nothing);
        };
        let turn = memory.turn(timed, &self.last_popper, &leaf, is_contended);
        let popped = self.take_popped(pin, leaf, at, position.above(depth), admit);
        memory.end(turn);
        Ok(popped)
    }

    /// Locks the leaf that contains the last key below a position and above `lower`. Moves the position
    /// into the layers through which it descends.
    ///
    /// Ends: in each round, a writer has replaced a root or deleted a node; or the layer is deeper; or the
    /// position has moved down.
    fn lock_end<'g>(
        &self,
        pin: Pinned<'g>,
        position: &mut OwnedCut,
        lower: Option<Cut<'_>>,
    ) -> Result<Option<End<'g>>, OutOfMemory> {
        let (mut root, mut depth, mut within) = (self.root(pin), 0, lower);
        loop {
            let upper = position.cut().below(depth);
            let Ok((leaf, is_contended)) = self.lock_leaf_of(root, upper.last_slice()) else {
                pin.count(Count::Restarts, 1);
                (root, depth, within) = (self.root(pin), 0, lower);
                continue;
            };
            let Some((leaf, at)) = last_below(leaf, upper) else {
                // The layer has no key below the position: goes on below the link to it.
                if depth == 0 {
                    return Ok(None);
                }
                position.replace_from(depth, &[], CutSide::After)?;
                (root, depth, within) = (self.root(pin), 0, lower);
                continue;
            };
            let entry = leaf.entry_in(leaf.permutation().slot(at));
            let side = within.map(|cut| (cut, cut.side(entry.slice, entry.kind, &entry.suffix)));
            if let Some((_, Side::Below)) = side {
                return Ok(None);
            }
            let Some(below) = entry.layer() else {
                let position = at;
                return Ok(Some(End {
                    leaf,
                    position,
                    depth,
                    is_contended,
                }));
            };
            within =
                side.and_then(|(cut, side)| (side == Side::Through).then(|| cut.below(SLICE_LEN)));
            drop(leaf);
            if upper.side(entry.slice, LAYER, &[]) != Side::Through {
                position.replace_from(depth, &entry.slice.to_be_bytes(), CutSide::AfterAll)?;
            }
            root = below;
            depth += SLICE_LEN;
        }
    }

    /// Removes the entry at a position of a locked leaf, if `admit` takes its key.
    fn take_popped<'g>(
        &self,
        pin: Pinned<'g>,
        leaf: Locked<'g, Leaf>,
        at: usize,
        above: &[u8],
        admit: Admit<'_>,
    ) -> Popped {
        let entry = leaf.entry_in(leaf.permutation().slot(at));
        let slice = entry.slice.to_be_bytes();
        let len = SLICE_LEN.min(usize::from(entry.kind));
        if !admit([above, &slice[..len], &entry.suffix]) {
            return Popped::Refused;
        }
        let value = entry.value();
        self.take_out(pin, leaf, at, false);
        Popped::Value(value)
    }
}

/// The position of the last entry below a cut, in this leaf or the nearest before it that has one.
///
/// Ends: each round goes to the leaf before.
fn last_below<'g>(mut leaf: Locked<'g, Leaf>, cut: Cut<'_>) -> Option<(Locked<'g, Leaf>, usize)> {
    loop {
        let is_below = |&at: &usize| side_of(&leaf, cut, at) != Side::Above;
        if let Some(at) = (0..leaf.permutation().len()).rev().find(is_below) {
            return Some((leaf, at));
        }
        leaf = lock_prev(&leaf)?;
    }
}
