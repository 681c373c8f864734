//! Statistics of versions, spread over cache lines by the guard that writes.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use super::VersionedTree;
use super::entry::Version;
use crate::index::memory::STRIPES;
use crate::index::reclaim::Pinned;

struct Stripe {
    versions: AtomicI64,
    tombstones: AtomicI64,
    bytes: AtomicI64,
    /// The highest number that was stored.
    highest: AtomicU64,
    /// The lowest number that was stored; `u64::MAX` if none.
    lowest: AtomicU64,
}

/// The counters of a tree.
pub(super) struct Counts {
    stripes: [CachePadded<Stripe>; STRIPES],
}

/// Statistics of the versions in a tree.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct VersionCounts {
    /// Versions in the tree.
    pub(crate) versions: u64,
    /// Those that are tombstones or weak tombstones.
    pub(crate) tombstones: u64,
    /// Bytes of the values in the versions.
    pub(crate) value_bytes: u64,
    /// The lowest number that was ever stored; 0 if none was.
    pub(crate) lowest: u64,
    /// The highest number that was ever stored; 0 if none was.
    pub(crate) highest: u64,
    pub(crate) range_tombstones: u64,
    pub(crate) snapshots: u64,
    /// The number of the oldest snapshot; 0 without one.
    pub(crate) oldest_snapshot: u64,
    /// The highest floor of a trim.
    pub(crate) floor: u64,
    /// The visible number; `LATEST` as long as no number was taken from the tree.
    pub(crate) visible: u64,
}

/// What a bulk load adds to the counters: values only.
#[derive(Clone, Copy, Default)]
pub(super) struct Loaded {
    versions: i64,
    bytes: i64,
    /// 0 if there is no version.
    lowest: u64,
    highest: u64,
}

impl Loaded {
    /// Adds a value.
    pub(super) fn add(&mut self, number: u64, bytes: usize) {
        self.join(&Self {
            versions: 1,
            bytes: bytes as i64,
            lowest: number,
            highest: number,
        });
    }

    /// Adds what another has.
    pub(super) fn join(&mut self, other: &Self) {
        self.versions += other.versions;
        self.bytes += other.bytes;
        self.highest = self.highest.max(other.highest);
        self.lowest = match self.lowest {
            0 => other.lowest,
            lowest if other.lowest == 0 => lowest,
            lowest => lowest.min(other.lowest),
        };
    }
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            stripes: std::array::from_fn(|_| {
                CachePadded::new(Stripe {
                    versions: AtomicI64::new(0),
                    tombstones: AtomicI64::new(0),
                    bytes: AtomicI64::new(0),
                    highest: AtomicU64::new(0),
                    lowest: AtomicU64::new(u64::MAX),
                })
            }),
        }
    }

    /// Counts a number that is stored, of a version or a range tombstone.
    pub(super) fn note_number(&self, pin: Pinned<'_>, number: u64) {
        let stripe = &self.stripes[pin.stripe()];
        // Release: pairs with `highest`. A reader at that number sees the write.
        if stripe.highest.load(Ordering::Relaxed) < number {
            stripe.highest.fetch_max(number, Ordering::Release);
        }
        if stripe.lowest.load(Ordering::Relaxed) > number {
            stripe.lowest.fetch_min(number, Ordering::Relaxed);
        }
    }

    /// Counts versions that were added (`change` is 1) or removed (-1).
    pub(super) fn count(&self, pin: Pinned<'_>, version: Version<'_>, change: i64) {
        let stripe = &self.stripes[pin.stripe()];
        stripe.versions.fetch_add(change, Ordering::Relaxed);
        if version.is_tombstone() {
            stripe.tombstones.fetch_add(change, Ordering::Relaxed);
        }
        let bytes = version.bytes().len() as i64;
        stripe.bytes.fetch_add(change * bytes, Ordering::Relaxed);
    }

    /// Counts what a bulk load has added to the tree.
    pub(super) fn load(&self, pin: Pinned<'_>, loaded: &Loaded) {
        if loaded.versions == 0 {
            return;
        }
        let stripe = &self.stripes[pin.stripe()];
        stripe
            .versions
            .fetch_add(loaded.versions, Ordering::Relaxed);
        stripe.bytes.fetch_add(loaded.bytes, Ordering::Relaxed);
        self.note_number(pin, loaded.lowest);
        self.note_number(pin, loaded.highest);
    }

    /// Counts that all versions were removed.
    pub(super) fn forget_all(&self, pin: Pinned<'_>) {
        let stripe = &self.stripes[pin.stripe()];
        let counts: [fn(&Stripe) -> &AtomicI64; 3] = [
            |stripe| &stripe.versions,
            |stripe| &stripe.tombstones,
            |stripe| &stripe.bytes,
        ];
        for count in counts {
            let sum = self
                .stripes
                .iter()
                .map(|of| count(of).load(Ordering::Relaxed))
                .sum();
            count(stripe).fetch_sub(sum, Ordering::Relaxed);
        }
    }

    /// The highest number that guards of this pin's stripe have stored.
    pub(super) fn highest_of(&self, pin: Pinned<'_>) -> u64 {
        self.stripes[pin.stripe()].highest.load(Ordering::Relaxed)
    }

    /// The highest number that was stored.
    pub(super) fn highest(&self) -> u64 {
        let stripes = self.stripes.iter();
        let highest = stripes.map(|stripe| stripe.highest.load(Ordering::Acquire));
        highest.max().unwrap_or(0)
    }

    fn sum(&self, count: impl Fn(&Stripe) -> &AtomicI64) -> u64 {
        let stripes = self.stripes.iter();
        let sum: i64 = stripes
            .map(|stripe| count(stripe).load(Ordering::Relaxed))
            .sum();
        sum.max(0) as u64
    }
}

impl VersionedTree<'_> {
    /// Returns the tree's statistics; exact when no thread writes.
    pub(crate) fn counts(self, pin: Pinned<'_>) -> VersionCounts {
        let counts = &self.versions.counts;
        let lowest = counts.stripes.iter();
        let lowest = lowest.map(|stripe| stripe.lowest.load(Ordering::Relaxed));
        let (snapshots, oldest) = self.versions.numbers.open_snapshots();
        VersionCounts {
            versions: counts.sum(|stripe| &stripe.versions),
            tombstones: counts.sum(|stripe| &stripe.tombstones),
            value_bytes: counts.sum(|stripe| &stripe.bytes),
            lowest: lowest
                .min()
                .filter(|&lowest| lowest != u64::MAX)
                .unwrap_or(0),
            highest: counts.highest(),
            range_tombstones: self.versions.ranges.len(pin),
            snapshots,
            oldest_snapshot: oldest.unwrap_or(0),
            floor: self.versions.numbers.reported_floor(),
            visible: self.versions.numbers.reported_visible(),
        }
    }
}
