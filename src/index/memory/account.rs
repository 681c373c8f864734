//! The bytes that a tree's memory holds, in one counter that a caller may load after every insert.
//!
//! Pools add a chunk when they obtain it: a piece of a chunk costs nothing more. An allocation outside
//! of the pools is counted in a stripe of the [`Tally`]; whenever the sum of the stripe passes a multiple
//! of [`UNIT`], that many units are added here. So the counter is below the exact sum, by less than
//! a unit for each stripe. Nothing else depends on it: all accesses are relaxed.
//!
//! [`Tally`]: super::Tally

use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, Ordering};

/// Bytes that a stripe collects before it adds them.
const UNIT: i64 = 4 << 10;

/// The counter.
pub(super) struct Account(AtomicI64);

impl Account {
    pub(super) fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    pub(super) fn add(&self, change: i64) {
        self.0.fetch_add(change, Ordering::Relaxed);
    }

    /// Adds the units that the sum of a stripe has passed, which was `before` and changed by `change`.
    #[inline]
    pub(super) fn add_units(&self, before: i64, change: i64) {
        let units = (before + change).div_euclid(UNIT) - before.div_euclid(UNIT);
        if units != 0 {
            self.add(units * UNIT);
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed).max(0) as u64
    }
}

/// The counter to which a pool adds its chunks, if any.
#[derive(Clone, Copy)]
pub(super) struct ChunkAccount(Option<NonNull<Account>>);

// SAFETY: the account outlives the pool, and any thread may add to it.
unsafe impl Send for ChunkAccount {}
// SAFETY: as for `Send`.
unsafe impl Sync for ChunkAccount {}

impl ChunkAccount {
    pub(super) const NONE: Self = Self(None);

    /// # Safety
    /// The account does not move, and outlives what gets the result.
    pub(super) unsafe fn of(account: &Account) -> Self {
        Self(Some(NonNull::from(account)))
    }

    pub(super) fn add(self, bytes: u64) {
        if let Some(account) = self.0 {
            // SAFETY: by the contract of `of`.
            unsafe { account.as_ref() }.add(bytes as i64);
        }
    }
}
