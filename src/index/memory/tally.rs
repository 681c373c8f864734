//! Counters spread over several cache lines, so that threads do not contend for a cache line. A sum
//! is exact if no thread adds to the counter meanwhile; only statistics depend on sums.

use std::cell::Cell;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use crossbeam_utils::CachePadded;

pub(crate) use super::keys::Cell as KeyCell;
use super::keys::{Era, Keys};

/// Number of cache lines over which a counter is spread.
pub(crate) const STRIPES: usize = 16;

/// The counters.
#[derive(Clone, Copy)]
pub(crate) enum Count {
    NodeBytes,
    SuffixBytes,
    /// Bytes of byte-string values.
    ValueBytes,
    /// Bytes of the records of objects that the user retired.
    RetiredObjectBytes,
    /// Bytes of suffix bags and values that are not in chunks, in a tree that has blocks. Counted as
    /// suffixes and values, too.
    OutsideBytes,
    /// Bytes retired and not freed yet.
    LimboBytes,
    LimboObjects,
    Splits,
    /// How many times an operation started over because a writer had moved what it searched
    /// for.
    Restarts,
    LayersCreated,
    LayersCollapsed,
    LeavesUnlinked,
    LeavesMerged,
}

const COUNTS: usize = Count::LeavesMerged as usize + 1;

/// One cell of every counter.
struct Stripe {
    keys: KeyCell,
    counts: [AtomicI64; COUNTS],
}

pub(crate) struct Tally {
    stripes: [CachePadded<Stripe>; STRIPES],
    keys: Keys,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self {
            stripes: std::array::from_fn(|_| {
                CachePadded::new(Stripe {
                    keys: KeyCell::new(),
                    counts: std::array::from_fn(|_| AtomicI64::new(0)),
                })
            }),
            keys: Keys::new(),
        }
    }

    /// Adds to a counter. Returns the stripe's sum before.
    #[inline]
    pub(crate) fn add(&self, stripe: usize, count: Count, change: i64) -> i64 {
        self.stripes[stripe].counts[count as usize].fetch_add(change, Ordering::Relaxed)
    }

    pub(crate) fn sum(&self, count: Count) -> u64 {
        let total: i64 = (self.stripes.iter())
            .map(|stripe| stripe.counts[count as usize].load(Ordering::Relaxed))
            .sum();
        total.max(0) as u64
    }

    fn key_cells(&self) -> impl Iterator<Item = &KeyCell> {
        self.stripes.iter().map(|stripe| &stripe.keys)
    }

    /// Adds to the number of keys in leaves of an era.
    #[inline]
    pub(crate) fn add_keys(&self, stripe: usize, era: Era, change: i64) {
        let cell = &self.stripes[stripe].keys;
        self.keys.add(cell, self.key_cells(), era, change);
    }

    /// [`Self::add_keys`] through a guard's cell, to which only the caller adds.
    #[inline]
    pub(crate) fn add_keys_owned(&self, cell: &KeyCell, era: Era, change: i64) {
        self.keys.add_owned(cell, self.key_cells(), era, change);
    }

    /// Begins to count keys of an era, and forgets those of earlier ones.
    pub(crate) fn begin_era(&self, era: Era) {
        self.keys.begin(self.key_cells(), era);
    }

    /// The number of keys, given the cells of all guards (`owned`); exact when no thread is
    /// writing.
    pub(crate) fn keys<'c>(&'c self, owned: impl Iterator<Item = &'c KeyCell>) -> u64 {
        self.keys.sum(self.key_cells(), owned)
    }
}

thread_local! {
    /// No destructor: accessible at any time.
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
