//! Removes the keys of a range, many at a time.
//!
//! **Protocol.** A position, a cut between two keys, moves through the range from its lower end. Each
//! round locks the leaf that contains the position, in the layer through which it runs, and removes
//! those of the leaf's entries that lie in the range, by one store of its permutation: the
//! linearization point of these removes. A leaf that becomes empty stays locked until `collapse` has
//! deleted it, as after any remove. If the rest of the leaf lies in the range, the round goes on with
//! a *run*, the leaves that follow it under the same parent (see `run`). A link is never removed with
//! the entries around it: the position moves into its layer, and the writer that removes the layer's
//! last key removes the link.
//!
//! So each leaf's part of the range is removed at once, and the whole range is not: a key that another
//! thread inserts behind the position stays. A key that was in the range before the call and is not
//! inserted again is absent afterwards. A round ends before the next begins, so that no more than one
//! run of leaves is locked.

#[cfg(all(test, not(any(loom, shuttle))))]
pub(super) mod tests;

use std::ops::Range as Positions;

use arrayvec::ArrayVec;

use super::locate::lock_or_move_right;
use crate::index::key::{LAYER, SLICE_LEN, SUFFIX, shortest};
use crate::index::memory::{Count, OutOfMemory};
use crate::index::node::{Leaf, Locked, NodeRef, WIDTH, with_search};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::read::descend::{Lines, Stale, reach};
use crate::index::tree::walk::interrupt::{CutSide, OwnedCut};
use crate::index::tree::walk::range::{Cut, Range, Side};

/// The most leaves that one round changes: those under one parent.
pub(super) const MOST_LEAVES: usize = WIDTH + 1;

/// Bytes of runs, retired but not flushed, from which they are flushed. A flush interrupts other threads (see
/// `reclaim::BATCH`); and what is freed while a processor has it cached takes less time.
const FLUSHED_FROM: usize = 256 << 10;

/// Values that a round has removed from the start, to be retired once no lock is held.
pub(super) type Values = ArrayVec<u64, WIDTH>;

/// The leaf that contains the position, locked, and what of its layer lies in the range.
pub(super) struct Start<'g, 'p, 'k> {
    pub(super) leaf: Locked<'g, Leaf>,
    /// The position of the leaf's first entry that is not below `lower`.
    pub(super) from: usize,
    /// The position, as the leaf's layer sees it.
    pub(super) lower: Cut<'p>,
    /// The upper end of the range, if it is in the leaf's layer.
    pub(super) upper: Option<Cut<'k>>,
}

/// A locked leaf that contains the position.
pub(super) struct LockedStart<'g, 'k> {
    pub(super) leaf: Locked<'g, Leaf>,
    /// As in [`Start`].
    pub(super) from: usize,
    /// Bytes of key above the leaf's layer.
    pub(super) depth: usize,
    /// As in [`Start`].
    pub(super) upper: Option<Cut<'k>>,
    /// Whether another thread has changed the leaf during the descent.
    pub(super) is_contended: bool,
}

/// What follows the entries that a round removes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// The end of the leaf.
    NextLeaf,
    /// A link to a layer with keys in the range; its slice.
    Layer(u64),
    /// The end of the range.
    Nothing,
}

/// What a round has removed, and where the next begins.
pub(super) struct Round {
    pub(super) removed: usize,
    pub(super) rest: Rest,
    /// With [`Rest::NextLeaf`]: the low of that leaf, or `None` at the end of the layer.
    pub(super) next_low: Option<u64>,
    /// Bytes that it has retired as a run.
    pub(super) retired: usize,
}

/// Removes the keys of a range, in ascending order, at most `limit`, and retires their values. Holds no
/// reference into the tree between two calls of [`RangeRemoval::advance`].
pub(crate) struct RangeRemoval<'k> {
    position: OwnedCut,
    upper: Option<Cut<'k>>,
    limit: usize,
    removed: usize,
    may_run: bool,
    /// Bytes that were retired as runs since the last flush.
    unflushed: usize,
}

impl<'k> RangeRemoval<'k> {
    pub(crate) fn new(tree: &Tree, range: &Range<'k>) -> Result<Self, OutOfMemory> {
        Ok(Self {
            position: OwnedCut::new(tree.allocator(), range.lower_cut())?,
            upper: range.upper_cut(),
            limit: range.limit,
            removed: 0,
            may_run: true,
            unflushed: 0,
        })
    }

    /// The keys removed so far.
    pub(crate) fn removed(&self) -> usize {
        self.removed
    }

    /// Removes the keys of at most `rounds` more rounds, of at most [`MOST_LEAVES`] leaves each. Returns
    /// whether the range goes on. If memory for the position's bytes runs out, what was removed stays
    /// removed. Flushes what it and earlier calls have retired as runs when the removal ends, and returns
    /// earlier to do so if that is [`FLUSHED_FROM`] bytes. Takes trees of words and byte strings.
    pub(crate) fn advance(
        &mut self,
        tree: &Tree,
        pin: Pinned<'_>,
        rounds: usize,
    ) -> Result<bool, OutOfMemory> {
        let outcome = self.advance_unflushed(tree, pin, rounds);
        let flushed_from = match outcome {
            Ok(true) => FLUSHED_FROM,
            Ok(false) | Err(OutOfMemory) => 1,
        };
        if self.unflushed >= flushed_from {
            pin.flush();
            self.unflushed = 0;
        }
        outcome
    }

    /// [`RangeRemoval::advance`] without the flush.
    ///
    /// Ends: each round moves the position up, or changes nothing; the round after such a one moves it.
    fn advance_unflushed(
        &mut self,
        tree: &Tree,
        pin: Pinned<'_>,
        rounds: usize,
    ) -> Result<bool, OutOfMemory> {
        tree.admit(pin, &[]);
        tree.must_not_hold();
        if let Some(recorder) = pin.recorder() {
            tree.begin_recording(pin);
            recorder.unlisted();
        }
        for _ in 0..rounds {
            if self.removed >= self.limit {
                return Ok(false);
            }
            let found = tree.lock_start(pin, &mut self.position, self.upper)?;
            let Some(LockedStart {
                leaf,
                from,
                depth,
                upper,
                ..
            }) = found
            else {
                return Ok(false);
            };
            let start = Start {
                leaf,
                from,
                lower: self.position.cut().below(depth),
                upper,
            };
            let most = self.limit - self.removed;
            let round = tree.remove_from(pin, start, most, self.may_run);
            self.may_run = round.is_some();
            let Some(round) = round else { continue };
            self.removed += round.removed;
            let (rest, low) = (round.rest, round.next_low);
            self.unflushed += round.retired;
            if !self.position.move_behind(rest, low, depth, upper)? {
                return Ok(false);
            }
            if self.unflushed >= FLUSHED_FROM {
                break;
            }
        }
        Ok(true)
    }
}

impl Tree {
    /// Removes the keys of a range under one pin. Returns their number, also if memory runs out.
    #[cfg(all(test, not(loom)))]
    pub(in crate::index::tree) fn remove_range(
        &self,
        pin: Pinned<'_>,
        range: &Range<'_>,
    ) -> (usize, Result<(), OutOfMemory>) {
        let mut removal = match RangeRemoval::new(self, range) {
            Ok(removal) => removal,
            Err(OutOfMemory) => return (0, Err(OutOfMemory)),
        };
        // Ends: each call moves the position up.
        loop {
            match removal.advance(self, pin, usize::MAX) {
                Ok(true) => {}
                outcome => return (removal.removed(), outcome.map(|_| ())),
            }
        }
    }

    /// Locks the leaf that contains the position. If a link with keys in the range follows the position
    /// there, moves the position into that layer, and so on. Returns `None` if the range ends first.
    ///
    /// Ends: in each round, a writer has replaced a root or deleted a node, or the layer is deeper.
    pub(super) fn lock_start<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        position: &mut OwnedCut,
        upper: Option<Cut<'k>>,
    ) -> Result<Option<LockedStart<'g, 'k>>, OutOfMemory> {
        let (mut root, mut depth, mut within) = (self.root(pin), 0, upper);
        loop {
            let lower = position.cut().below(depth);
            let Ok((leaf, is_contended)) = self.lock_leaf_of(root, lower.first_slice()) else {
                pin.count(Count::Restarts, 1);
                (root, depth, within) = (self.root(pin), 0, upper);
                continue;
            };
            let from = first_above(&leaf, lower);
            let Some((slice, below)) = link_at(&leaf, from) else {
                return Ok(Some(LockedStart {
                    leaf,
                    from,
                    depth,
                    upper: within,
                    is_contended,
                }));
            };
            drop(leaf);
            within = match within.map(|cut| (cut, cut.side(slice, LAYER, &[]))) {
                Some((_, Side::Above)) => return Ok(None),
                Some((cut, Side::Through)) => Some(cut.below(SLICE_LEN)),
                Some((_, Side::Below)) | None => None,
            };
            if lower.side(slice, LAYER, &[]) != Side::Through {
                position.enter(depth, slice)?;
            }
            root = below;
            depth += SLICE_LEN;
        }
    }

    /// Locks the leaf of a layer that contains a slice. Also returns whether another thread has changed the
    /// leaf since it was reached.
    pub(super) fn lock_leaf_of<'g>(
        &self,
        root: NodeRef<'g>,
        slice: u64,
    ) -> Result<(Locked<'g, Leaf>, bool), Stale> {
        let reached = with_search!(self.isa, S => reach::<S>(root, slice, Lines::All))?;
        let leaf = lock_or_move_right(reached, slice)?;
        let is_contended = leaf.version_found() != reached.version;
        Ok((leaf, is_contended))
    }

    /// Removes what one round removes, at most `most` keys, and unlocks the leaf. `may_run`: whether a
    /// run is removed, too. Returns `None` if the run has changed so that nothing was removed; then the
    /// next round, without a run, makes progress.
    fn remove_from<'g>(
        &self,
        pin: Pinned<'g>,
        start: Start<'g, '_, '_>,
        most: usize,
        may_run: bool,
    ) -> Option<Round> {
        let candidates = match may_run && most >= MOST_LEAVES * WIDTH {
            true => start.candidates(),
            false => None,
        };
        let start = match candidates {
            Some(candidates) => match self.remove_run(pin, start, candidates) {
                Ok(round) => return Some(round),
                Err(start) => start?,
            },
            None => start,
        };
        let (positions, rest) = start.in_range(&start.leaf);
        let positions = positions.start..positions.end.min(positions.start.saturating_add(most));
        let mut leaf = start.leaf;
        let next_low = leaf.node().next().map(Leaf::low);
        let mut values = Values::new();
        let removed = self.take_entries(&mut leaf, positions, &mut values);
        self.end_round(pin, leaf, removed, values);
        Some(Round {
            removed,
            rest,
            next_low,
            retired: 0,
        })
    }

    /// Removes the entries at these positions, which are no links, from a leaf. Returns their number,
    /// and their values if the tree destroys them.
    pub(super) fn take_entries(
        &self,
        leaf: &mut Locked<'_, Leaf>,
        positions: Positions<usize>,
        values: &mut Values,
    ) -> usize {
        let removed = positions.len();
        if removed > 0 {
            self.list_values(leaf, positions.clone(), values);
            leaf.remove_many(positions);
        }
        removed
    }

    /// Lists the values at these positions, if the tree destroys them.
    fn list_values(
        &self,
        leaf: &Locked<'_, Leaf>,
        positions: Positions<usize>,
        values: &mut Values,
    ) {
        if !self.destroys_values() {
            return;
        }
        let permutation = leaf.permutation();
        for slot in positions.map(|at| permutation.slot(at)) {
            if self.values_are_memory() {
                // Retiring a value reads its size.
                leaf.prefetch_value(slot);
            }
            values.push(leaf.value_in(slot));
        }
    }

    /// Unlocks or deletes the leaf at which a round began, counts the keys that the round has removed,
    /// and retires the values that were in it.
    pub(super) fn end_round<'g>(
        &self,
        pin: Pinned<'g>,
        mut leaf: Locked<'g, Leaf>,
        removed: usize,
        values: Values,
    ) {
        let node = leaf.node();
        let mut bag = None;
        match leaf.permutation().is_empty() && removed > 0 {
            true => self.collapse(pin, leaf),
            false => {
                bag = leaf.take_unused_bag();
                drop(leaf);
            }
        }
        // The leaf may be deleted, but is not freed before the pin ends.
        pin.count_keys(node, -(removed as i64));
        if let Some(bag) = bag {
            // SAFETY: the leaf has no bag now, and only the lock's owner replaces it.
            unsafe { pin.retire_bag(bag) };
        }
        // Readers may still hold the values that they found in the leaves.
        values.into_iter().for_each(|value| pin.retire_value(value));
    }
}

impl OwnedCut {
    /// Moves the position behind a leaf of a layer below `depth` bytes of key, or to the link at which the
    /// leaf's entries in the range end. Returns whether the range goes on there. `next_low`: the low of the
    /// next leaf, if there is one. `upper`: the upper end of the range, if it is in that layer.
    pub(super) fn move_behind(
        &mut self,
        rest: Rest,
        next_low: Option<u64>,
        depth: usize,
        upper: Option<Cut<'_>>,
    ) -> Result<bool, OutOfMemory> {
        let is_inside = |low: u64| upper.is_none_or(|cut| low <= cut.last_slice());
        match (rest, next_low) {
            (Rest::Layer(slice), _) => {
                // If the link is newer than the last descent, the position may be in its layer already.
                if self.cut().below(depth).side(slice, LAYER, &[]) != Side::Through {
                    self.enter(depth, slice)?;
                }
            }
            (Rest::NextLeaf, Some(low)) if is_inside(low) => {
                let (bytes, len) = shortest(low);
                self.replace_from(depth, &bytes[..len], CutSide::Before)?;
            }
            (Rest::NextLeaf, None) if depth > 0 && upper.is_none() => {
                self.replace_from(depth, &[], CutSide::AfterAll)?;
            }
            (Rest::Nothing | Rest::NextLeaf, _) => return Ok(false),
        }
        Ok(true)
    }

    /// Moves the position before all keys of the layer below an entry with this slice.
    fn enter(&mut self, depth: usize, slice: u64) -> Result<(), OutOfMemory> {
        // The smallest key that is longer than the slice.
        let mut first = [0; SLICE_LEN + 1];
        first[..SLICE_LEN].copy_from_slice(&slice.to_be_bytes());
        self.replace_from(depth, &first, CutSide::Before)
    }
}

impl<'g> Start<'g, '_, '_> {
    /// The position of the first entry of the start in the range, which is no link; and what follows the
    /// position if there is none.
    pub(super) fn first_in_range(&self) -> (Option<usize>, Rest) {
        if self.from == self.leaf.permutation().len() {
            return (None, Rest::NextLeaf);
        }
        let is_above = |cut| side_of(&self.leaf, cut, self.from) == Side::Above;
        match self.upper.is_some_and(is_above) {
            true => (None, Rest::Nothing),
            false => (Some(self.from), Rest::NextLeaf),
        }
    }

    /// Whether every slice of a leaf right of the start is below the upper end of the range.
    pub(super) fn holds_all_of(&self, leaf: &Locked<'_, Leaf>) -> bool {
        let Some(upper) = self.upper else {
            return true;
        };
        let next = leaf.node().next();
        next.is_some_and(|next| next.low() <= upper.first_slice())
    }

    /// The positions of the entries of a leaf of this layer that lie in the range, up to the first
    /// link, and what follows them. The leaf is the start or right of it.
    pub(super) fn in_range(&self, leaf: &Locked<'_, Leaf>) -> (Positions<usize>, Rest) {
        let len = leaf.permutation().len();
        let is_start = std::ptr::eq(leaf.node(), self.leaf.node());
        if !is_start && self.holds_all_of(leaf) && !leaf.has_links() {
            return (0..len, Rest::NextLeaf);
        }
        let from = if is_start { self.from } else { 0 };
        for at in from..len {
            if (self.upper).is_some_and(|cut| side_of(leaf, cut, at) == Side::Above) {
                return (from..at, Rest::Nothing);
            }
            if let Some((slice, _)) = link_at(leaf, at) {
                return (from..at, Rest::Layer(slice));
            }
        }
        (from..len, Rest::NextLeaf)
    }
}

/// The side of a cut on which the entry at a position is.
pub(super) fn side_of(leaf: &Locked<'_, Leaf>, cut: Cut<'_>, at: usize) -> Side {
    let slot = leaf.permutation().slot(at);
    let (slice, kind) = (leaf.slice_at(at), leaf.kind_in(slot));
    match kind == SUFFIX && slice == cut.first_slice() {
        true => cut.side(slice, kind, &leaf.entry_in(slot).suffix),
        // Other suffixes have no influence.
        false => cut.side(slice, kind, &[]),
    }
}

/// The position of the first entry that is not below a cut.
pub(super) fn first_above(leaf: &Locked<'_, Leaf>, cut: Cut<'_>) -> usize {
    if matches!(cut, Cut::Before([])) {
        return 0;
    }
    let len = leaf.permutation().len();
    let first = (0..len).find(|&at| side_of(leaf, cut, at) != Side::Below);
    first.unwrap_or(len)
}

/// The slice of the entry at a position and the root to which it links, if it is a link.
fn link_at<'g>(leaf: &Locked<'g, Leaf>, at: usize) -> Option<(u64, NodeRef<'g>)> {
    let permutation = leaf.permutation();
    if at == permutation.len() || leaf.kind_in(permutation.slot(at)) != LAYER {
        return None;
    }
    let entry = leaf.entry_in(permutation.slot(at));
    Some((entry.slice, entry.layer()?))
}
