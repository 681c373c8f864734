//! Counters spread over several cache lines, so that threads do not meet on one. A
//! sum is exact when nobody counts meanwhile; nothing but statistics rests on it.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;

/// Over how many lines a counter is spread.
pub(crate) const STRIPES: usize = 16;

/// What is counted.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    /// Keys inserted less keys removed.
    Keys,
    NodeBytes,
    SuffixBytes,
    /// Bytes of byte-string values.
    ValueBytes,
    /// Bytes of notes on what the user retired.
    NoteBytes,
    /// Bytes retired and not freed yet.
    LimboBytes,
    LimboObjects,
    Splits,
    /// Times an operation started over because a writer had moved what it looked
    /// for.
    Restarts,
    LayersMade,
    LayersCollapsed,
    LeavesUnlinked,
    LeavesMerged,
    /// Trees that were cleared away and not freed yet.
    Detached,
}

const COUNTS: usize = Count::Detached as usize + 1;

pub(crate) struct Tally {
    stripes: [CachePadded<[AtomicI64; COUNTS]>; STRIPES],
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            stripes: std::array::from_fn(|_| {
                CachePadded::new(std::array::from_fn(|_| AtomicI64::new(0)))
            }),
        }
    }

    #[inline]
    pub(crate) fn add(&self, stripe: usize, count: Count, change: i64) {
        self.stripes[stripe][count as usize].fetch_add(change, Ordering::Relaxed);
    }

    pub(crate) fn sum(&self, count: Count) -> u64 {
        let total: i64 = (self.stripes.iter())
            .map(|stripe| stripe[count as usize].load(Ordering::Relaxed))
            .sum();
        total.max(0) as u64
    }
}

thread_local! {
    /// Without a destructor: can be read at any time.
    static OWN_STRIPE: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// The stripe of this thread.
#[inline]
pub(crate) fn own_stripe() -> usize {
    match OWN_STRIPE.get() {
        usize::MAX => assign_stripe(),
        stripe => stripe,
    }
}

#[cold]
fn assign_stripe() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let stripe = NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES;
    OWN_STRIPE.set(stripe);
    stripe
}
