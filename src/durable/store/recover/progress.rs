//! What an opening reports while it reads.

use std::ffi::c_void;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// The least time between two reports of a phase. In tests, each frame is reported.
const INTERVAL: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 50 });

/// What an opening reads, or an export writes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Phase {
    Checkpoint,
    Log,
    /// The parts of an export are written.
    Export,
    /// The trees of an import are filled.
    Import,
}

/// How far an opening is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Progress {
    pub(crate) phase: Phase,
    /// Bytes that were read in this phase.
    pub(crate) bytes: u64,
    /// Bytes to read in this phase.
    pub(crate) total: u64,
    /// Records that were read in this phase.
    pub(crate) records: u64,
}

impl Progress {
    /// Nothing was read in a phase so far.
    pub(in crate::durable::store) fn new(phase: Phase) -> Self {
        Self {
            phase,
            bytes: 0,
            total: 0,
            records: 0,
        }
    }
}

/// A function that is called with the progress of an opening, on its thread, and may stop it.
#[derive(Clone, Copy)]
pub(crate) struct OnProgress {
    function: unsafe fn(*mut c_void, &Progress) -> ControlFlow<()>,
    ctx: *mut c_void,
}

impl OnProgress {
    /// # Safety
    /// `function` may be called with `ctx` on this thread until the opening ends.
    pub(crate) unsafe fn new(
        function: unsafe fn(*mut c_void, &Progress) -> ControlFlow<()>,
        ctx: *mut c_void,
    ) -> Self {
        Self { function, ctx }
    }
}

/// Decides when to report.
pub(in crate::durable::store) struct Meter {
    to: Option<OnProgress>,
    last: Instant,
}

impl Meter {
    pub(in crate::durable::store) fn new(to: Option<OnProgress>) -> Self {
        Self {
            to,
            last: Instant::now(),
        }
    }

    /// Reports progress if the last report is some time ago.
    pub(in crate::durable::store) fn note(&mut self, progress: &Progress) -> ControlFlow<()> {
        if self.to.is_none() || self.last.elapsed() < INTERVAL {
            return ControlFlow::Continue(());
        }
        self.report(progress)
    }

    /// Reports progress: at the end of a phase.
    pub(in crate::durable::store) fn report(&mut self, progress: &Progress) -> ControlFlow<()> {
        let told = match self.to {
            // SAFETY: by the contract of `OnProgress::new`.
            Some(to) => unsafe { (to.function)(to.ctx, progress) },
            None => ControlFlow::Continue(()),
        };
        // After the call, which may take longer than the interval.
        self.last = Instant::now();
        told
    }
}
