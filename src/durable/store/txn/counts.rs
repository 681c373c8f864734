//! What a store counts about its transactions.

use crossbeam_utils::CachePadded;

use crate::index::memory::{STRIPES, own_stripe};
use crate::sync::{AtomicU64, Ordering};

/// What happens to transactions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Event {
    Begun,
    Committed,
    /// Ended otherwise than by its commit.
    Aborted,
    /// Refused because a key that it has read has changed.
    KeyConflict,
    /// Refused because a key in a range that it has read has changed.
    RangeConflict,
    /// Refused because a key that it writes has changed.
    WriteConflict,
    /// Begun again because it was refused.
    Repeated,
    /// A byte of the log for a commit.
    CommittedByte,
}

const EVENTS: usize = Event::CommittedByte as usize + 1;

/// Counters since the store was opened, spread over several cache lines. Sums are exact while no transaction
/// begins or ends.
pub(in crate::durable::store) struct TransactionCounts {
    stripes: [CachePadded<[AtomicU64; EVENTS]>; STRIPES],
}

impl TransactionCounts {
    pub(in crate::durable::store) fn new() -> Self {
        let stripe = |_| CachePadded::new(std::array::from_fn(|_| AtomicU64::new(0)));
        Self {
            stripes: std::array::from_fn(stripe),
        }
    }

    pub(super) fn add(&self, event: Event, count: u64) {
        // Relaxed: counts.
        self.stripes[own_stripe()][event as usize].fetch_add(count, Ordering::Relaxed);
    }

    pub(in crate::durable::store) fn sum(&self, event: Event) -> u64 {
        let stripes = self.stripes.iter();
        (stripes.map(|stripe| stripe[event as usize].load(Ordering::Relaxed))).sum()
    }
}
