//! What a store counts about its checkpoints.

use std::time::Duration;

use crate::durable::checkpoint::Manifest;
use crate::sync::{AtomicU64, Ordering};

/// Counts since the store was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct CheckpointStatistics {
    /// Checkpoints that were begun.
    pub(crate) attempted: u64,
    /// Those that were made, or for which nothing was to do.
    pub(crate) done: u64,
    /// Those that were not made.
    pub(crate) failed: u64,
    /// Bytes of blocks that were written, also for checkpoints that were not made.
    pub(crate) bytes: u64,
    /// Entries of the last one.
    pub(crate) last_entries: u64,
    /// How long the last one took, in microseconds.
    pub(crate) last_microseconds: u64,
    /// The number of the checkpoint that counts; 0: there is none.
    pub(crate) number: u64,
    /// Tombstones that were trimmed in the background.
    pub(crate) trimmed: u64,
}

/// The counters.
pub(super) struct CheckpointCounts {
    attempted: AtomicU64,
    done: AtomicU64,
    failed: AtomicU64,
    bytes: AtomicU64,
    last_entries: AtomicU64,
    last_microseconds: AtomicU64,
    trimmed: AtomicU64,
}

// Relaxed everywhere: counts.
fn add(counter: &AtomicU64, value: u64) {
    counter.fetch_add(value, Ordering::Relaxed);
}

impl CheckpointCounts {
    pub(super) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            attempted: zero(),
            done: zero(),
            failed: zero(),
            bytes: zero(),
            last_entries: zero(),
            last_microseconds: zero(),
            trimmed: zero(),
        }
    }

    pub(super) fn attempted(&self) {
        add(&self.attempted, 1);
    }

    pub(super) fn failed(&self) {
        add(&self.failed, 1);
    }

    pub(super) fn written(&self, bytes: u64) {
        add(&self.bytes, bytes);
    }

    pub(super) fn trimmed(&self, tombstones: u64) {
        add(&self.trimmed, tombstones);
    }

    pub(super) fn done(&self) {
        add(&self.done, 1);
    }

    pub(super) fn made(&self, manifest: &Manifest, time: Duration) {
        let (entries, relaxed) = (manifest.entries(), Ordering::Relaxed);
        let microseconds = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.last_entries.store(entries, relaxed);
        self.last_microseconds.store(microseconds, relaxed);
    }

    pub(super) fn read(&self, number: u64) -> CheckpointStatistics {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CheckpointStatistics {
            attempted: load(&self.attempted),
            done: load(&self.done),
            failed: load(&self.failed),
            bytes: load(&self.bytes),
            last_entries: load(&self.last_entries),
            last_microseconds: load(&self.last_microseconds),
            number,
            trimmed: load(&self.trimmed),
        }
    }
}
