//! Walks move from key to key in either direction; scans and cursors use them.
//!
//! **Protocol.** A walk reads one leaf at a time as a validated snapshot, and moves from
//! entry to entry of that copy. It holds no lock. It reads suffixes in place, since the guard
//! protects their bags. It moves through each layer from leaf to leaf. While it is in a lower
//! layer, it keeps its position in the leaves above: one [`Frame`] for each layer.
//!
//! Between two leaves the walk keeps a *boundary*: a slice. Forward, this is the low of the next
//! leaf; in reverse, the low of the leaf just read. A new boundary is never behind the old one, in
//! the walk's direction. Of the next leaf, the walk visits only entries past the boundary, even if
//! the leaf holds others by the time it is read:
//!
//! - Forward, the next leaf holds every key from its low up to the low of the leaf after
//!   it. If it has become the first leaf of its layer since, and was split below its old low,
//!   then leaves further right hold some of these keys; the walk reaches them through leaves
//!   with lows behind the boundary.
//! - In reverse, the previous leaf may have split since. The walk therefore moves right
//!   until the next leaf's low is not below the boundary. Then the leaf's snapshot holds
//!   every key from its own low up to the boundary.
//! - If the leaf was deleted, or the root of a lower layer was replaced, the walk descends
//!   again from the root of the tree to the cut that it has reached.
//!
//! A snapshot holds every entry from the leaf's low to the next leaf's low, whichever
//! direction the walk came from, so a walk may change direction at any entry. The boundary
//! matters only until the walk is at an entry, since that entry lies between the two lows.
//!
//! Therefore keys come in strict order, and a key that exists throughout the walk is met
//! exactly once. Every loop ends: steps between leaves go in one direction, and each new
//! descent requires that a writer has deleted or replaced a node.
//!
//! A *cursor's* walk must also detect that its leaf has changed since it was read, and must read
//! values again, because any time may pass between two steps. A step from one leaf to another must
//! also detect that a leaf which it left has changed before it arrived. So for each step there is a
//! moment at which its result was the next key. The walk checks this once, at the end of the step:
//! every leaf that the step passed, including the leaf above a layer whose end it reached, is
//! either its current leaf or in `left_leaves`.

pub(in crate::index::tree) mod ahead;
pub(in crate::index::tree) mod assemble;
mod current;
pub(in crate::index::tree) mod cursor;
pub(in crate::index::tree) mod delimited;
mod enter;
pub(in crate::index::tree) mod frame;
pub(in crate::index::tree) mod interrupt;
mod observed;
pub(in crate::index::tree) mod range;
pub(in crate::index::tree) mod scan;

use std::ops::ControlFlow;

use crate::index::key::{SLICE_LEN, SUFFIX, shortest};
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, Source, Vector};
use crate::index::node::{Isa, Leaf, NodeRef, Observation, Version};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::protocol::Line;
use assemble::assemble;
use frame::{Frame, LeafDeleted, next_position};
use interrupt::{CutSide, Interrupt, OwnedCut};
use range::Cut;

/// A walk under way.
pub(in crate::index::tree) struct Walk<'g> {
    for_cursor: bool,
    isa: Isa,
    /// Whether the tree's values are pointers, to be prefetched.
    values_are_memory: bool,
    /// The root of the tree when the walk began.
    root: Option<NodeRef<'g>>,
    /// In a cursor's walk: the leaves that the current step has left, with the versions at
    /// which they were read.
    left_leaves: Vector<(&'g Leaf, Version)>,
    /// The leaves that were read, if the caller records observations.
    observed: Option<Vector<Observation>>,
    incarnation: u64,
    /// About how many more keys the caller wants; decides how many leaves are prefetched.
    wanted: usize,
    /// The bytes that the layers above share, followed by the rest of the key assembled last.
    key: Vector<u8>,
    frames: Vector<Frame<'g>>,
}

impl<'g> Walk<'g> {
    pub(in crate::index::tree) fn new(tree: &Tree, for_cursor: bool, wanted: usize) -> Self {
        Self::new_in(tree, tree.allocator(), for_cursor, wanted)
    }

    /// [`Self::new`], with memory from `source`.
    #[inline]
    pub(in crate::index::tree) fn new_in(
        tree: &Tree,
        source: Source,
        for_cursor: bool,
        wanted: usize,
    ) -> Self {
        Self {
            for_cursor,
            isa: tree.isa,
            values_are_memory: tree.values_are_memory(),
            wanted,
            root: None,
            observed: None,
            incarnation: 0,
            left_leaves: Vector::new_in(source),
            key: Vector::new_in(source),
            frames: Vector::new_in(source),
        }
    }

    /// Forgets the walk's position. The walk uses no reference into the tree after this.
    pub(in crate::index::tree) fn reset(&mut self) {
        self.frames.clear();
        self.left_leaves.clear();
        self.key.clear();
        self.root = None;
    }

    /// Whether the walk has a position in the tree from which it can continue. It has none if the
    /// tree has been cleared since: later writes do not change the nodes to which the walk refers.
    /// (Also returns false if the root was merely split; then the walk descends again needlessly.)
    pub(in crate::index::tree) fn can_continue_in(&self, tree: &Tree, pin: Pinned<'g>) -> bool {
        !self.frames.is_empty()
            && (self.root == Some(tree.root(pin)) || !Line::CursorKnowsItsRoot.is_enabled())
    }

    /// Records the current leaf among those that the step leaves, in a cursor's walk.
    #[inline]
    fn note_left_leaf(&mut self) -> Result<(), Interrupt> {
        if self.for_cursor
            && let Some(frame) = self.frames.last()
        {
            self.left_leaves.try_reserve(1)?;
            self.left_leaves.push((frame.leaf, frame.version));
        }
        Ok(())
    }

    /// Descends from the root of the tree to the first key after `start` in the walk's
    /// direction, or to the first key of the tree if `start` is `None`. Returns whether such
    /// a key exists before `end`.
    pub(in crate::index::tree) fn seek(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        start: Option<Cut<'_>>,
        end: Option<Cut<'_>>,
        reverse: bool,
    ) -> Result<bool, OutOfMemory> {
        let mut resumed: Option<OwnedCut> = None;
        // Ends: see the module's comment.
        loop {
            let cut = resumed.as_ref().map(OwnedCut::cut).or(start);
            self.incarnation = tree.incarnation();
            let observed = self.observed().len();
            let root = tree.root(pin);
            if !Line::IncarnationBeforeRoot.is_enabled() {
                self.incarnation = tree.incarnation();
            }
            let outcome = self.try_seek(root, cut, end, reverse);
            if outcome.is_err() {
                self.reset();
            }
            match outcome {
                Ok(found) => return Ok(found),
                Err(Interrupt::OutOfMemory) => return Err(OutOfMemory),
                Err(Interrupt::Resume(again)) => {
                    // The walk did not get further: a writer is changing the nodes at the cut. This
                    // may repeat many times, so the observations must not accumulate.
                    if cut == Some(again.cut()) {
                        self.forget_observed(observed);
                    }
                    resumed = Some(again);
                }
                // No key was found; the next attempt begins at the same cut.
                Err(Interrupt::Changed) => self.forget_observed(observed),
            }
            pin.count(Count::Restarts, 1);
        }
    }

    fn try_seek(
        &mut self,
        root: NodeRef<'g>,
        start: Option<Cut<'_>>,
        end: Option<Cut<'_>>,
        reverse: bool,
    ) -> Result<bool, Interrupt> {
        self.reset();
        self.root = Some(root);
        let mut root = root;
        let mut cut_through = end.is_some();
        // Descends through the layers that the cut runs through.
        loop {
            let Ok(through) = self.enter_layer(root, start, end, cut_through, reverse)? else {
                return Err(Interrupt::Changed);
            };
            let (true, Some(frame)) = (through, self.frames.last()) else {
                return self.find(end, reverse);
            };
            let Some(entry) = frame.current() else {
                // The range ends before the cut.
                return self.find(end, reverse);
            };
            let Some(below) = entry.layer() else {
                unreachable!("cuts run through layers only");
            };
            let slice = entry.slice;
            cut_through = frame.passes(&entry, end);
            root = below;
            self.append_slice(slice)?;
        }
    }

    /// Moves to the next key in a direction. Returns whether one exists before the end of the
    /// range.
    #[inline]
    pub(in crate::index::tree) fn step(
        &mut self,
        end: Option<Cut<'_>>,
        reverse: bool,
    ) -> Result<bool, Interrupt> {
        // A changed leaf is noticed where the step ends: in the leaf reached or in the leaves
        // that it left.
        self.left_leaves.clear();
        let Some(frame) = self.frames.last_mut() else {
            unreachable!("the walk is at a key");
        };
        frame.move_on(reverse);
        if frame.is_at_entry() && frame.entries.kind(frame.at) <= SUFFIX {
            return Ok(true);
        }
        self.find(end, reverse)
    }

    /// `step` for a scan's walk.
    pub(in crate::index::tree) fn step_or_resume(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        end: Option<Cut<'_>>,
        reverse: bool,
    ) -> Result<bool, OutOfMemory> {
        let outcome = self.step(end, reverse);
        self.or_resume(outcome, tree, pin, end, reverse)
    }

    /// Moves from the position at which `visit_leaf` stopped to the next key, for a scan's
    /// walk.
    #[inline]
    pub(in crate::index::tree) fn find_or_resume(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        end: Option<Cut<'_>>,
        reverse: bool,
    ) -> Result<bool, OutOfMemory> {
        let outcome = self.find(end, reverse);
        self.or_resume(outcome, tree, pin, end, reverse)
    }

    /// Descends again, in a scan's walk, if the step was interrupted.
    #[inline]
    fn or_resume(
        &mut self,
        outcome: Result<bool, Interrupt>,
        tree: &Tree,
        pin: Pinned<'g>,
        end: Option<Cut<'_>>,
        reverse: bool,
    ) -> Result<bool, OutOfMemory> {
        match outcome {
            Ok(found) => Ok(found),
            Err(Interrupt::OutOfMemory) => Err(OutOfMemory),
            Err(Interrupt::Resume(cut)) => {
                pin.count(Count::Restarts, 1);
                self.seek(tree, pin, Some(cut.cut()), end, reverse)
            }
            Err(Interrupt::Changed) => unreachable!("only a cursor is interrupted by a change"),
        }
    }

    /// Moves to the nearest key that was not visited yet: the one at the current position, if there
    /// is one, or else the next.
    fn find(&mut self, end: Option<Cut<'_>>, reverse: bool) -> Result<bool, Interrupt> {
        // Ends: see the module's comment.
        while let Some(frame) = self.frames.last_mut() {
            if frame.is_at_entry() && frame.entries.kind(frame.at) <= SUFFIX {
                frame.boundary = None;
                return Ok(true);
            }
            if let Some(entry) = frame.current() {
                let Some(root) = entry.layer() else {
                    unreachable!("an entry without a key is a link");
                };
                let slice = entry.slice;
                let cut_through = frame.passes(&entry, end);
                frame.boundary = None;
                self.note_left_leaf()?;
                self.append_slice(slice)?;
                if self
                    .enter_layer(root, None, end, cut_through, reverse)?
                    .is_err()
                {
                    return Err(self.resume_at_layer(reverse));
                }
            } else if let Some((leaf, boundary)) = frame.next_leaf(reverse) {
                self.note_left_leaf()?;
                let frame = self.frames.last_mut().expect("the walk is in a leaf");
                // A cursor that reaches the end of a leaf usually continues.
                let wanted = self.wanted.max(usize::from(self.for_cursor));
                let advanced = frame.advance(self.isa, wanted, leaf, boundary, end, reverse);
                if let Err(LeafDeleted) = advanced {
                    let (bytes, len) = shortest(boundary);
                    let shared = &self.key[..frame.depth];
                    let source = *self.key.allocator();
                    let side = CutSide::Before;
                    return Err(Interrupt::resume(source, shared, &bytes[..len], side));
                }
                self.observe()?;
            } else {
                self.note_left_leaf()?;
                self.frames.pop();
                if let Some(frame) = self.frames.last_mut() {
                    frame.move_on(reverse);
                }
                if self.for_cursor {
                    self.observe()?;
                }
            }
        }
        if self.for_cursor && !self.is_undisturbed() && Line::EndIsUndisturbed.is_enabled() {
            return Err(Interrupt::Changed);
        }
        Ok(false)
    }

    /// Returns the whole current key, and its value as it was when the leaf was read.
    #[inline]
    pub(in crate::index::tree) fn pair(&mut self) -> Result<(&[u8], u64), OutOfMemory> {
        let Some(frame) = self.frames.last() else {
            unreachable!("the walk is at a key");
        };
        assemble(&mut self.key, frame.depth, &frame.entries, frame.at)?;
        Ok((&self.key, frame.entries.value(frame.at)))
    }

    /// Visits at most `limit` keys of the current leaf, from the current one on, until an entry is
    /// a link or `visit` returns `Break`; adds their number to `visited`. Returns the last result
    /// of `visit`. `find_or_resume` continues from the position at which this stops.
    // inline(always), as in all of `walk`: an item of a scan takes 10 instructions less.
    #[inline(always)]
    pub(in crate::index::tree) fn visit_leaf(
        &mut self,
        values_only: bool,
        reverse: bool,
        limit: usize,
        visited: &mut usize,
        mut visit: impl FnMut(&[u8], u64) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, OutOfMemory> {
        let Some(frame) = self.frames.last_mut() else {
            unreachable!("the walk is at a key");
        };
        self.wanted = self.wanted.saturating_sub(frame.entries.len());
        let (depth, entries) = (frame.depth, &frame.entries);
        // The bytes that the layers above share stay; after them, each key overwrites the previous
        // one.
        self.key.truncate(depth);
        self.key.try_reserve(SLICE_LEN).map_err(|_| OutOfMemory)?;
        let mut at = frame.at;
        let left = frame.remaining(reverse).min(limit);
        if self.values_are_memory {
            frame.prefetch_values(reverse, 0, left);
        }
        let mut done = 0;
        let mut flow = ControlFlow::Continue(());
        while done < left {
            let kind = entries.kind(at);
            let key = if kind < SUFFIX && !values_only {
                // SAFETY: room for eight more bytes was reserved; the key has the first
                // `kind` of them.
                unsafe {
                    let start = self.key.as_mut_ptr();
                    let slice = entries.slice(at).to_be_bytes();
                    start.add(depth).cast::<[u8; SLICE_LEN]>().write(slice);
                    std::slice::from_raw_parts(start, depth + usize::from(kind))
                }
            } else if kind > SUFFIX {
                break;
            } else if values_only {
                &[][..]
            } else {
                let assembled = assemble(&mut self.key, depth, entries, at);
                if assembled.is_err() {
                    *visited += done;
                    return Err(OutOfMemory);
                }
                &self.key
            };
            done += 1;
            flow = visit(key, entries.value(at));
            if flow.is_break() {
                break;
            }
            at = next_position(at, reverse);
        }
        frame.at = at;
        *visited += done;
        Ok(flow)
    }

    /// Whether the walk's current leaf differs from the last of `leaves`, which an earlier
    /// `note_leaves` recorded.
    #[inline]
    pub(in crate::index::tree) fn is_in_another_leaf(&self, leaves: &[&'g Leaf]) -> bool {
        let leaf = self
            .frames
            .last()
            .map(|frame| std::ptr::from_ref(frame.leaf));
        leaf != leaves.last().map(|&leaf| std::ptr::from_ref(leaf))
    }

    /// Stores the walk's leaf in each layer in `leaves`. Returns how many of them, from the first
    /// layer down, were there before.
    pub(in crate::index::tree) fn note_leaves(
        &self,
        leaves: &mut Vector<&'g Leaf>,
    ) -> Result<usize, OutOfMemory> {
        let is_same = |depth: usize| {
            let before = leaves.get(depth);
            before.is_some_and(|before| std::ptr::eq(*before, self.frames[depth].leaf))
        };
        // Where a layer's leaf is unchanged, so are those above.
        let same = (0..self.frames.len()).rev().find(|&depth| is_same(depth));
        let same = same.map_or(0, |depth| depth + 1);
        leaves.truncate(same);
        leaves
            .try_reserve(self.frames.len() - same)
            .map_err(|_| OutOfMemory)?;
        leaves.extend(self.frames[same..].iter().map(|frame| frame.leaf));
        Ok(same)
    }
}
