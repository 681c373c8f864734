//! Interrupts: why a walk stops before it has found a key, and the cut at which it resumes (see
//! `walk`).

use super::assemble::append;
use super::range::Cut;
use crate::index::memory::{Source, Vector};

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
    pub(in crate::index::tree) fn cut(&self) -> Cut<'_> {
        match self.side {
            CutSide::Before => Cut::Before(&self.bytes),
            CutSide::After => Cut::After(&self.bytes),
            CutSide::AfterAll => Cut::AfterAll(&self.bytes),
        }
    }
}
