//! How far the reading of a checkpoint is, which several threads do.
//!
//! The threads add what they have read to shared counters, now and then. The opening thread, which is one of them,
//! reports their sums; if it is told to stop, it says so to the others, which look when they add something.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::progress::{Meter, Phase, Progress};
use crate::durable::log::VisitError;

/// The entries after which a thread adds them. In tests, each is added.
const STEP: u64 = if cfg!(test) { 1 } else { 1024 };

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

    /// Counts an entry of so many bytes. Fails if the opening is stopped.
    pub(in crate::durable::store) fn note(&mut self, bytes: usize) -> Result<(), VisitError> {
        self.bytes += bytes as u64;
        self.records += 1;
        if self.records < STEP {
            return Ok(());
        }
        let shared = self.shared;
        shared.bytes.fetch_add(self.bytes, Ordering::Relaxed);
        shared.records.fetch_add(self.records, Ordering::Relaxed);
        (self.bytes, self.records) = (0, 0);
        if let Some(meter) = &mut self.meter
            && meter.note(&shared.progress()).is_break()
        {
            shared.is_stopped.store(true, Ordering::Relaxed);
        }
        match shared.is_stopped.load(Ordering::Relaxed) {
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
