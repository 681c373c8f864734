//! Interrupts: why a walk stops before it has found a key, and the cut at which it resumes (see
//! `walk`).

use super::assemble::append;
use super::range::Cut;
use crate::index::memory::{OutOfMemory, Source, Vector};

/// Why a walk stopped.
pub(in crate::index::tree) enum Interrupt {
    OutOfMemory,
    /// The node to read next was deleted or replaced: descend again to this cut.
    Resume(OwnedCut),
    /// A leaf of a cursor's walk has changed.
    Changed,
}

impl From<allocator_api2::collections::TryReserveError> for Interrupt {
    fn from(_: allocator_api2::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

impl Interrupt {
    /// An interrupt that resumes at a cut whose bytes are `head` followed by `tail`.
    pub(in crate::index::tree) fn resume(
        source: Source,
        head: &[u8],
        tail: &[u8],
        side: CutSide,
    ) -> Self {
        let mut bytes = Vector::new_in(source);
        if bytes.try_reserve_exact(head.len() + tail.len()).is_err() {
            return Self::OutOfMemory;
        }
        append(&mut bytes, head);
        append(&mut bytes, tail);
        Self::Resume(OwnedCut { bytes, side })
    }
}

/// A cut that owns its bytes.
pub(in crate::index::tree) struct OwnedCut {
    bytes: Vector<u8>,
    side: CutSide,
}

#[derive(Clone, Copy)]
pub(in crate::index::tree) enum CutSide {
    Before,
    After,
    AfterAll,
}

impl OwnedCut {
    /// Copies a cut; without one, returns the cut before every key.
    pub(in crate::index::tree) fn new(
        source: Source,
        cut: Option<Cut<'_>>,
    ) -> Result<Self, OutOfMemory> {
        let (bytes, side) = match cut {
            None => (&[][..], CutSide::Before),
            Some(Cut::Before(bytes)) => (bytes, CutSide::Before),
            Some(Cut::After(bytes)) => (bytes, CutSide::After),
            Some(Cut::AfterAll(bytes)) => (bytes, CutSide::AfterAll),
        };
        let mut owned = Self {
            bytes: Vector::new_in(source),
            side,
        };
        owned.replace_from(0, bytes, side)?;
        Ok(owned)
    }

    /// The first bytes, those of the layers above one through which the cut runs.
    pub(in crate::index::tree) fn above(&self, depth: usize) -> &[u8] {
        &self.bytes[..depth]
    }

    /// Keeps the first `kept` bytes, and puts these behind them.
    pub(in crate::index::tree) fn replace_from(
        &mut self,
        kept: usize,
        bytes: &[u8],
        side: CutSide,
    ) -> Result<(), OutOfMemory> {
        self.bytes.truncate(kept);
        self.bytes
            .try_reserve(bytes.len())
            .map_err(|_| OutOfMemory)?;
        append(&mut self.bytes, bytes);
        self.side = side;
        Ok(())
    }

    pub(in crate::index::tree) fn cut(&self) -> Cut<'_> {
        match self.side {
            CutSide::Before => Cut::Before(&self.bytes),
            CutSide::After => Cut::After(&self.bytes),
            CutSide::AfterAll => Cut::AfterAll(&self.bytes),
        }
    }
}
