//! Why a walk leaves off before it has found a key, and where it goes on (see `walk`).

use super::assemble::append;
use super::range::Cut;
use crate::index::memory::{Source, Vector};

/// Why a walk left off.
pub(in crate::index::tree) enum Interrupt {
    OutOfMemory,
    /// What it was about to read is gone; go down again to this cut.
    Resume(OwnedCut),
    /// Where a live walk is has changed.
    Changed,
}

impl From<allocator_api2::collections::TryReserveError> for Interrupt {
    fn from(_: allocator_api2::collections::TryReserveError) -> Self {
        Self::OutOfMemory
    }
}

impl Interrupt {
    /// Left off, to go on at a cut of which these bytes are the two halves.
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

/// A cut in memory of its own.
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
    pub(in crate::index::tree) fn cut(&self) -> Cut<'_> {
        match self.side {
            CutSide::Before => Cut::Before(&self.bytes),
            CutSide::After => Cut::After(&self.bytes),
            CutSide::AfterAll => Cut::AfterAll(&self.bytes),
        }
    }
}
