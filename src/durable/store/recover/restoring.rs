//! How far the reading of a checkpoint is, which several threads do.
//!
//! The threads add what they have read to shared counters, now and then. The opening thread, which is one of them,
//! reports their sums. The first that fails, or is told to stop, says so to the others (`Restoring::stop`). They
//! look when they add something, and before each part: so what they still read is bounded, however much
//! there is.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::progress::{Meter, Phase, Progress};
use crate::durable::log::VisitError;

/// The entries after which a thread adds them. In tests, each is added.
const STEP: u64 = if cfg!(test) { 1 } else { 1024 };
/// The bytes after which a thread adds them, if the entries are long.
const STEP_BYTES: u64 = 1 << 20;

/// What the threads share.
pub(in crate::durable::store) struct Restoring {
    total: u64,
    bytes: AtomicU64,
    records: AtomicU64,
    is_stopped: AtomicBool,
}

impl Restoring {
    /// Nothing was read so far, of so many bytes.
    pub(in crate::durable::store) fn new(total: u64) -> Self {
        Self {
            total,
            bytes: AtomicU64::new(0),
            records: AtomicU64::new(0),
            is_stopped: AtomicBool::new(false),
        }
    }

    /// Stops all threads that read.
    pub(in crate::durable::store) fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
    }

    /// Whether a thread has stopped all.
    pub(in crate::durable::store) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    /// What all threads have read.
    fn progress(&self) -> Progress {
        Progress {
            phase: Phase::Checkpoint,
            // Relaxed, as all here: counters, and a flag that is looked at again.
            bytes: self.bytes.load(Ordering::Relaxed).min(self.total),
            total: self.total,
            records: self.records.load(Ordering::Relaxed),
        }
    }

    /// Reports the end, when all was read.
    pub(in crate::durable::store) fn report_end(&self, meter: &mut Meter) -> ControlFlow<()> {
        meter.report(&Progress {
            bytes: self.total,
            ..self.progress()
        })
    }
}

/// What one thread has read.
pub(in crate::durable::store) struct Reading<'r> {
    shared: &'r Restoring,
    /// Of the opening thread.
    meter: Option<&'r mut Meter>,
    bytes: u64,
    records: u64,
}

impl<'r> Reading<'r> {
    pub(in crate::durable::store) fn new(
        shared: &'r Restoring,
        meter: Option<&'r mut Meter>,
    ) -> Self {
        Self {
            shared,
            meter,
            bytes: 0,
            records: 0,
        }
    }

    /// Counts an entry of so many bytes. Fails if the opening was stopped.
    pub(in crate::durable::store) fn note(&mut self, bytes: usize) -> Result<(), VisitError> {
        self.bytes += bytes as u64;
        self.records += 1;
        if self.records < STEP && self.bytes < STEP_BYTES {
            return Ok(());
        }
        let shared = self.shared;
        shared.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        shared.records.fetch_add(self.records, Ordering::Relaxed);
        (self.bytes, self.records) = (0, 0);
        if let Some(meter) = &mut self.meter
            && meter.note(&shared.progress()).is_break()
        {
            shared.stop();
        }
        match shared.is_stopped() {
            true => Err(VisitError::Stopped),
            false => Ok(()),
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.shared.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        self.shared
            .records
            .fetch_add(self.records, Ordering::Relaxed);
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// A thread that reads entries ends with the one at which it finds that another has failed.
    ///
    /// Put back: in `stop`, store nothing; in `note`, do not look.
    #[test]
    fn a_thread_stops_when_another_has_failed() {
        let restoring = Restoring::new(100);
        let mut reading = Reading::new(&restoring, None);
        assert_eq!(reading.note(10), Ok(()));
        restoring.stop();
        assert_eq!(reading.note(10), Err(VisitError::Stopped));
    }
}
