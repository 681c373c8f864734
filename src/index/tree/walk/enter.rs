//! Enters a layer: reads the layer's first leaf, or the leaf that contains a cut, into a new
//! [`Frame`] (see `walk`).

use super::Walk;
use super::ahead::Ahead;
use super::assemble::append;
use super::frame::Frame;
use super::interrupt::{CutSide, Interrupt};
use super::range::Cut;
use crate::index::key::SLICE_LEN;
use crate::index::node::{Entries, Neighbours, NodeRef, with_search};
use crate::index::tree::read::descend::{Lines, Reached, Stale, move_right, reach};

impl<'g> Walk<'g> {
    /// Appends the current entry's slice to the bytes that the walk's key shares with the
    /// layer below.
    pub(super) fn append_slice(&mut self, slice: u64) -> Result<(), Interrupt> {
        let depth = self.frames.last().map_or(0, |frame| frame.depth);
        self.key.truncate(depth);
        self.key.try_reserve(SLICE_LEN)?;
        append(&mut self.key, &slice.to_be_bytes());
        Ok(())
    }

    /// Returns the interrupt for a walk that finds the root of the layer below the current entry
    /// replaced. It resumes at the cut from which the walk enters that layer: forward, before the
    /// layer's keys; in reverse, after them.
    pub(super) fn resume_at_layer(&self, reverse: bool) -> Interrupt {
        let side = if reverse {
            CutSide::AfterAll
        } else {
            CutSide::After
        };
        Interrupt::resume(*self.key.allocator(), &self.key, &[], side)
    }

    /// Reads the first leaf of the layer below the current entry, or the leaf that contains the cut
    /// `start`, and moves to an entry of it. Returns whether the cut runs through the layer of that
    /// entry.
    pub(super) fn enter_layer(
        &mut self,
        root: NodeRef<'g>,
        start: Option<Cut<'_>>,
        end: Option<Cut<'_>>,
        cut_through: bool,
        reverse: bool,
    ) -> Result<Result<bool, Stale>, Interrupt> {
        let depth = self.key.len();
        let slice = slice_to_reach(start, depth, reverse);
        let reached = with_search!(self.isa, S => reach::<S>(root, slice, Lines::All));
        let Ok(mut reached) = reached else {
            return Ok(Err(Stale));
        };
        self.reserve_frame()?;
        self.frames.push(Frame {
            depth,
            leaf: reached.leaf,
            version: reached.version,
            neighbours: Neighbours::NONE,
            entries: Entries::new(),
            at: 0,
            from: 0,
            to: 0,
            ends: false,
            cut_through,
            boundary: None,
            ahead: Ahead::begin(reached.parent, slice, reverse, self.wanted),
        });
        let Some(frame) = self.frames.last_mut() else {
            unreachable!("just pushed");
        };
        // Ends: each round, a writer has changed the leaf.
        loop {
            let Reached { leaf, version, .. } = reached;
            let neighbours =
                with_search!(self.isa, S => leaf.snapshot::<S>(version, &mut frame.entries));
            if let Some(neighbours) = neighbours {
                (frame.leaf, frame.version, frame.neighbours) = (leaf, version, neighbours);
                break;
            }
            match move_right(leaf, slice) {
                Ok(moved) => reached = moved,
                Err(Stale) => {
                    self.frames.pop();
                    return Ok(Err(Stale));
                }
            }
        }
        frame.limit(end, reverse);
        let cut_through = frame.start_at_cut(start, reverse);
        self.observe()?;
        Ok(Ok(cut_through))
    }

    /// Reserves memory for one more frame.
    #[inline]
    fn reserve_frame(&mut self) -> Result<(), Interrupt> {
        match self.frames.len() {
            // Most trees have one layer.
            0 => self.frames.try_reserve_exact(1)?,
            // Three frames: with one more, a cursor in 4 KiB of its caller's would have no room.
            1 => self.frames.try_reserve_exact(2)?,
            _ => self.frames.try_reserve(1)?,
        }
        Ok(())
    }
}

/// The slice at which a walk enters the layer that begins after `depth` bytes of key.
#[inline]
fn slice_to_reach(start: Option<Cut<'_>>, depth: usize, reverse: bool) -> u64 {
    match (start, reverse) {
        (None, false) => u64::MIN,
        (None, true) => u64::MAX,
        (Some(start), false) => start.below(depth).first_slice(),
        (Some(start), true) => start.below(depth).last_slice(),
    }
}
