//! Going from key to key, in either direction: what scans and cursors have in common.
//!
//! **Protocol.** A walk reads one leaf at a time as a validated snapshot, and goes
//! from entry to entry of the copy, holding no lock; suffixes are read in place, since
//! the guard keeps the bags. It goes through each layer from leaf to leaf, and keeps
//! its place in the leaf above while it is in a layer below: a [`Frame`] for each.
//!
//! Between leaves it remembers a *boundary slice*: forward, the low of the next
//! leaf; in reverse, the low of the leaf just read; and never one that is behind
//! the boundary it had. It goes on only to entries on the far side of the boundary,
//! whatever else the next leaf holds by then:
//!
//! - Forward, the next leaf holds everything from its low on, or, if it has become
//!   the first of its layer and was split below its low since, leaves further on
//!   do: the way there leads through leaves with lows behind the boundary.
//! - In reverse, the previous leaf may have split since, so the walk goes right
//!   until the next leaf's low is not below the boundary. Then the leaf's snapshot
//!   holds every key below the boundary down to its own low.
//! - If the leaf was deleted, or the root of a layer below has been replaced, the
//!   walk goes down again from the top of the tree to the cut it has come to.
//!
//! A snapshot holds every entry from the leaf's low to the next leaf's, whichever way
//! the walk came, so a walk may turn round at any entry. The boundary it came by
//! counts only until it is at an entry: that lies between the two lows.
//!
//! So keys come strictly in order, a key present throughout is met once, and
//! each way round ends: steps from leaf to leaf go one way, and going down again takes
//! a writer that deleted or replaced something.
//!
//! A *live* walk, a cursor's, also notices when the leaf it is in has changed since it
//! was read, and reads values anew: between two steps any time may pass. Where a step goes
//! from leaf to leaf, it notices when one that it left has changed before it arrived: so
//! there is a moment in each step at which it tells what the next key is. It notices at the
//! end of the step alone: whatever it went by until then, it is in that leaf or left it, also
//! the leaf above a layer that it has come to the end of.

pub(in crate::index::tree) mod ahead;
pub(in crate::index::tree) mod assemble;
mod current;
pub(in crate::index::tree) mod cursor;
mod enter;
pub(in crate::index::tree) mod frame;
pub(in crate::index::tree) mod interrupt;
mod observed;
pub(in crate::index::tree) mod range;
pub(in crate::index::tree) mod scan;

use std::ops::ControlFlow;

use crate::index::key::{SLICE_LEN, SUFFIX, shortest};
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, Vector};
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
    /// The root of the tree that the walk began at.
    root: Option<NodeRef<'g>>,
    /// Of a live walk: leaves that the step at hand has left behind, as they were read.
    left_leaves: Vector<(&'g Leaf, Version)>,
    /// The leaves that were read, if anybody wants to know.
    observed: Option<Vector<Observation>>,
    incarnation: u64,
    /// How many keys are still wanted, about: leaves ahead are asked for accordingly.
    wanted: usize,
    /// What the layers above share, then whatever was assembled last.
    key: Vector<u8>,
    frames: Vector<Frame<'g>>,
}

impl<'g> Walk<'g> {
    pub(in crate::index::tree) fn new(tree: &Tree, for_cursor: bool, wanted: usize) -> Self {
        let source = tree.source();
        Self {
            for_cursor,
            isa: tree.isa,
            wanted,
            root: None,
            observed: None,
            incarnation: 0,
            left_leaves: Vector::new_in(source),
            key: Vector::new_in(source),
            frames: Vector::new_in(source),
        }
    }

    /// Forgets where it is. References into the tree are not used any more.
    pub(in crate::index::tree) fn reset(&mut self) {
        self.frames.clear();
        self.left_leaves.clear();
        self.key.clear();
        self.root = None;
    }

    /// Whether the walk has a place in a tree to go on from: not one that was cleared away
    /// since, whose nodes do not change for it. (Where the root was only split, the walk
    /// goes down again in vain.)
    pub(in crate::index::tree) fn can_continue_in(&self, tree: &Tree, pin: Pinned<'g>) -> bool {
        !self.frames.is_empty()
            && (self.root == Some(tree.root(pin)) || !Line::CursorKnowsItsRoot.is_enabled())
    }

    /// Remembers that a live walk leaves the leaf it is in.
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

    /// Goes from the top of the tree to the first key beyond a cut, or in the tree,
    /// and says whether there is one before the end of the range.
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
                    // Waiting for a writer, as often as it takes.
                    if cut == Some(again.cut()) {
                        self.forget_observed(observed);
                    }
                    resumed = Some(again);
                }
                // Nothing was found, from the same cut on.
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
        // Down the layers that the cut runs through.
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

    /// Goes on to the next key in a direction, and says whether there is one before
    /// the end of the range.
    #[inline]
    pub(in crate::index::tree) fn step(
        &mut self,
        end: Option<Cut<'_>>,
        reverse: bool,
    ) -> Result<bool, Interrupt> {
        // A leaf that has changed is noticed where the step ends: there or in those it left.
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

    /// `step` for a walk that is not live.
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

    /// From where `visit_leaf` left off to the next key, for a walk that is not live.
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

    /// A walk that is not live goes down again by itself where it has to.
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
            Err(Interrupt::Changed) => unreachable!("only live walks get lost"),
        }
    }

    /// From where it is to the next key that it is not through with.
    fn find(&mut self, end: Option<Cut<'_>>, reverse: bool) -> Result<bool, Interrupt> {
        // Ends: see the module's comment.
        while let Some(frame) = self.frames.last_mut() {
            if frame.is_at_entry() && frame.entries.kind(frame.at) <= SUFFIX {
                frame.boundary = None;
                return Ok(true);
            }
            if let Some(entry) = frame.current() {
                let Some(root) = entry.layer() else {
                    unreachable!("what is no key is a link");
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
                    return Err(self.resume_past_layer(reverse));
                }
            } else if let Some((leaf, boundary)) = frame.next_leaf(reverse) {
                self.note_left_leaf()?;
                let frame = self.frames.last_mut().expect("the walk is in a leaf");
                // A cursor that comes to the end of a leaf goes on, more often than not.
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

    /// The whole key that the walk is at, and its value as it was when the leaf was
    /// read.
    #[inline]
    pub(in crate::index::tree) fn pair(&mut self) -> Result<(&[u8], u64), OutOfMemory> {
        let Some(frame) = self.frames.last() else {
            unreachable!("the walk is at a key");
        };
        assemble(&mut self.key, frame.depth, &frame.entries, frame.at)?;
        Ok((&self.key, frame.entries.value(frame.at)))
    }

    /// Visits at most `limit` keys from the one that the walk is at, as long as they follow
    /// each other in the leaf at hand and `visit` goes on; counts them. Gives whether it went
    /// on, which `find_or_resume` does from there.
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
        // Behind what the layers above share, each key is written over the one before.
        self.key.truncate(depth);
        self.key.try_reserve(SLICE_LEN).map_err(|_| OutOfMemory)?;
        let mut at = frame.at;
        let left = frame.remaining(reverse).min(limit);
        let mut done = 0;
        let mut flow = ControlFlow::Continue(());
        while done < left {
            let kind = entries.kind(at);
            let key = if kind < SUFFIX && !values_only {
                // SAFETY: there is room for eight bytes more, of which the key has as many
                // as its kind says.
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

    /// Whether the walk is in another leaf than the last of these, which it was in before,
    /// one in each layer.
    #[inline]
    pub(in crate::index::tree) fn is_in_another_leaf(&self, leaves: &[&'g Leaf]) -> bool {
        let leaf = self
            .frames
            .last()
            .map(|frame| std::ptr::from_ref(frame.leaf));
        leaf != leaves.last().map(|&leaf| std::ptr::from_ref(leaf))
    }

    /// Makes these the leaves that the walk is in, one in each layer. Gives how many, from
    /// the first layer down, are the same as before.
    pub(in crate::index::tree) fn note_leaves(
        &self,
        leaves: &mut Vector<&'g Leaf>,
    ) -> Result<usize, OutOfMemory> {
        let is_same = |depth: usize| {
            let before = leaves.get(depth);
            before.is_some_and(|before| std::ptr::eq(*before, self.frames[depth].leaf))
        };
        // Where a layer's leaf is the same, so are those above.
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
