//! What a log counts about itself.

use std::array;
use std::time::Duration;

use crate::sync::{AtomicU64, Ordering};

/// Counts of values in ranges: element n counts those from 2^(n-1) to 2^n - 1, element 0 zeroes.
pub(crate) type Histogram = [u64; 64];

/// A log's counts since it was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Records that were written; in a log without a directory, that were installed.
    pub(crate) appends: u64,
    /// Frames that were written.
    pub(crate) groups: u64,
    /// Bytes of frames.
    pub(crate) bytes: u64,
    pub(crate) syncs: u64,
    /// The duration of syncs, in microseconds.
    pub(crate) sync_microseconds: Histogram,
    /// Records of a frame.
    pub(crate) group_sizes: Histogram,
}

/// The counters; the flusher alone adds to them.
pub(super) struct Counts {
    appends: AtomicU64,
    groups: AtomicU64,
    bytes: AtomicU64,
    syncs: AtomicU64,
    sync_microseconds: [AtomicU64; 64],
    group_sizes: [AtomicU64; 64],
}

fn add(counter: &AtomicU64, value: u64) {
    counter.fetch_add(value, Ordering::Relaxed);
}

fn add_to_histogram(counters: &[AtomicU64; 64], value: u64) {
    let range = (u64::BITS - value.leading_zeros()).min(63);
    add(&counters[range as usize], 1);
}

impl Counts {
    pub(super) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            appends: zero(),
            groups: zero(),
            bytes: zero(),
            syncs: zero(),
            sync_microseconds: array::from_fn(|_| zero()),
            group_sizes: array::from_fn(|_| zero()),
        }
    }

    pub(super) fn count_group(&self, records: u64, bytes: u64) {
        add(&self.appends, records);
        add(&self.groups, 1);
        add(&self.bytes, bytes);
        add_to_histogram(&self.group_sizes, records);
    }

    pub(super) fn count_sync(&self, duration: Duration) {
        add(&self.syncs, 1);
        let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        add_to_histogram(&self.sync_microseconds, microseconds);
    }

    pub(super) fn read(&self) -> Statistics {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Statistics {
            appends: load(&self.appends),
            groups: load(&self.groups),
            bytes: load(&self.bytes),
            syncs: load(&self.syncs),
            sync_microseconds: array::from_fn(|range| load(&self.sync_microseconds[range])),
            group_sizes: array::from_fn(|range| load(&self.group_sizes[range])),
        }
    }
}
