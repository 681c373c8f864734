//! Learns when the writes that were under way at some moment have ended.
//!
//! **Protocol.** A write checks the floor under its guard, and stores its version under the same guard. A
//! trim that has raised the floor then passes a marker to seize, which calls back once every guard that
//! was held at that moment has been refreshed or left. A guard that is entered later belongs to writes
//! that find the new floor, and are refused. (The floor is stored and loaded with SeqCst, as `reclaim`
//! asks of pointers that are removed before a retirement.) So from the callback on, no write at or below
//! the floor is under way or follows; and what those writes have stored happens before the callback. It
//! releases [`Quiet::settled`], and readers of that acquire it.

use std::ptr::NonNull;

use seize::Collector;

use crate::index::reclaim::Pinned;
use crate::sync::{AtomicU64, Ordering};

pub(super) struct Quiet {
    /// The floor up to which no write is under way or follows.
    settled: AtomicU64,
    /// The floor of the marker that seize has; 0 if it has none.
    asked: AtomicU64,
}

impl Quiet {
    pub(super) fn new() -> Self {
        Self {
            settled: AtomicU64::new(0),
            asked: AtomicU64::new(0),
        }
    }

    /// Returns the floor up to which no write is under way or follows.
    pub(super) fn settled(&self) -> u64 {
        // Acquire: pairs with `settle`.
        self.settled.load(Ordering::Acquire)
    }

    /// Makes `floor`, which has been stored, the settled floor once the guards held now have ended.
    /// Returns whether that has begun: not while an earlier marker waits. One thread at a time.
    ///
    /// # Safety
    /// This does not move, and lives until the tree has reclaimed everything.
    pub(super) unsafe fn settle_at(&self, pin: Pinned<'_>, floor: u64) -> bool {
        if self.asked.load(Ordering::Acquire) != 0 {
            return false;
        }
        self.asked.store(floor, Ordering::Relaxed);
        // SAFETY: by contract.
        unsafe { pin.call_after_guards(NonNull::from(self), settle) };
        true
    }
}

/// # Safety
/// The contract of `Quiet::settle_at`.
unsafe fn settle(quiet: *mut Quiet, _: &Collector) {
    // SAFETY: by contract.
    let quiet = unsafe { &*quiet };
    // Relaxed: the retirement of the marker orders it.
    let floor = quiet.asked.load(Ordering::Relaxed);
    // Release: pairs with `settled`, and with the load of `asked`.
    quiet.settled.fetch_max(floor, Ordering::Release);
    quiet.asked.store(0, Ordering::Release);
}
