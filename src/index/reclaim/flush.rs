//! Flushes retired objects, so that they are freed even if more calls and guards are active than
//! the batch has entries.
//!
//! Seize collects retired objects in batches, one for each of its thread numbers. To flush a
//! batch, it links one entry of the batch into the list of each active reservation: of a thread
//! in a call without a guard, or of a guard. If a batch has fewer entries than reservations are
//! active, seize keeps the batch, and does not report that; the next retirement with the same
//! thread number tries again. Without another retirement, no object of the batch is ever freed.
//!
//! **Protocol.** A flush pads the batch with entries that free nothing, as many as reservations
//! may be active, and counts reservations again afterwards. Each active reservation belongs to
//! a thread that is counted before it gets its number (see `thread`), or to a guard that is
//! counted in its slot before it is made (see `slots`), and each has at most one number. So
//! seize finds at most as many active reservations as existed at the first count plus those that
//! began between the two counts. If the padding is at least that long, seize flushed the batch
//! with everything that the caller retired; and when the last of those calls and guards ends,
//! its thread frees the batch.
//!
//! The second count must include every reservation that seize found. A thread or a guard is
//! counted, then executes a release fence, then stores that its reservation is active; seize
//! loads that, then this thread executes an acquire fence, then counts again.

use std::ptr::NonNull;

use seize::Guard as _;

use super::{Domain, Pinned, thread};
use crate::annotate;
use crate::protocol::Line;
use crate::sync::{Ordering, fence};

/// Padding beyond the count, so that a few calls and guards that begin meanwhile do not require a
/// second flush.
const SPARE: u64 = 16;

/// A count of reservations that may be active.
#[derive(Clone, Copy)]
pub(super) struct Census {
    /// Threads with a thread number in seize, and guards, that exist now.
    pub(super) living: u64,
    /// Threads and guards that have ever begun.
    pub(super) begun: u64,
}

impl std::ops::Add for Census {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            living: self.living + other.living,
            begun: self.begun + other.begun,
        }
    }
}

impl Census {
    pub(super) const NONE: Self = Self {
        living: 0,
        begun: 0,
    };

    /// The most reservations that were active at any moment between this count and `later`.
    pub(super) fn most_until(self, later: Self) -> u64 {
        if !Line::NewReservationsCount.is_enabled() {
            return self.living;
        }
        self.living + (later.begun - self.begun)
    }
}

impl Domain {
    fn census(&self) -> Census {
        self.slots.census() + thread::census()
    }
}

fn free_nothing(_: *mut (), _: &seize::Collector) {}

impl Pinned<'_> {
    /// Flushes the objects retired through this guard, without waiting until a batch is full. They
    /// are freed once every guard held now, this one included, has been refreshed or left, and
    /// every call active now has ended.
    pub fn flush(&self) {
        let mut padding = self.domain().census().living + SPARE;
        // Ends: another round is needed only if more threads and guards began during the flush than
        // the padding allowed for, and the padding doubles each time.
        loop {
            self.pad(padding);
            let before = self.domain().census();
            self.flush_batch();
            // Acquire: pairs with the fences of `slots` and `thread`.
            fence(Ordering::Acquire);
            let most = before.most_until(self.domain().census());
            if most <= padding {
                return;
            }
            padding = (2 * padding).max(most + SPARE);
        }
    }

    fn flush_batch(&self) {
        annotate::release(self.domain());
        let _ignored = annotate::IgnoredAccesses::begin();
        self.on_guard(|guard| guard.flush(), |guard| guard.flush());
    }

    fn pad(&self, entries: u64) {
        for _ in 0..entries {
            // SAFETY: `free_nothing` does not access the object.
            unsafe { self.retire_uncounted(NonNull::<()>::dangling().as_ptr(), free_nothing) };
        }
    }
}
