//! Handing retired objects over to be freed, however many calls are under way.
//!
//! Seize collects retired objects in batches, one for each of its thread numbers. To hand a batch
//! over, it links one entry of the batch into the list of each active reservation: of a thread in
//! a call without a guard, or of a guard. A batch with fewer entries than there are active
//! reservations stays where it is, and seize does not say so; the next retirement with the same
//! thread number tries again. If none comes, nothing of the batch is ever freed.
//!
//! **Protocol.** A hand-over pads the batch with entries that free nothing, as many as there may
//! be active reservations, and counts again after it. Each active reservation belongs to a thread
//! that is counted before it gets its number (see `thread`), or to a guard that is counted in its
//! slot before it is made (see `slots`), and none of them has two numbers. So seize meets at most
//! as many active reservations as were there at the first count and have begun between the two.
//! If the padding is not shorter, the batch was handed over, with everything that the caller
//! retired; and when the last of those calls and guards has ended, it is freed, in that thread.
//!
//! The second count must see whatever seize met. A thread or a guard is counted, then a release
//! fence, then the store that makes its reservation active; seize reads that store, then an acquire
//! fence, then the second count.

use std::ptr::NonNull;

use seize::Guard as _;

use super::guard::Via;
use super::{Domain, Pinned, thread};
use crate::annotate;
use crate::protocol::Line;
use crate::sync::{Ordering, fence};

/// Padding beyond what is counted, so that a few that begin meanwhile cost no second hand-over.
const SPARE: u64 = 16;

/// Reservations that may be active.
#[derive(Clone, Copy)]
pub(super) struct Census {
    /// Threads with a number of seize's, and guards: those that are there now.
    pub(super) living: u64,
    /// The same: those that have begun, ever.
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

    /// The most reservations that were active at some moment since, if `later` was counted
    /// at the end.
    pub(super) fn most_until(self, later: Self) -> u64 {
        if !Line::ArrivalsCount.is_enabled() {
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
    /// Hands what was retired through this guard over to be freed, without waiting
    /// until a batch has come together; it is freed once every guard held now, and every call
    /// under way, has been refreshed, left or ended, this one included.
    pub fn flush(&self) {
        let mut padding = self.domain.census().living + SPARE;
        // Ends: each time, more threads and guards have begun during a hand-over than were
        // padded for, and the padding doubles.
        loop {
            self.pad(padding);
            let before = self.domain.census();
            self.flush_batch();
            // Acquire: partner of the fences of `slots` and `thread`.
            fence(Ordering::Acquire);
            let most = before.most_until(self.domain.census());
            if most <= padding {
                return;
            }
            padding = (2 * padding).max(most + SPARE);
        }
    }

    fn flush_batch(&self) {
        annotate::release(self.domain);
        let _ignored = annotate::IgnoredAccesses::begin();
        match self.via {
            Via::Local(guard) => guard.flush(),
            Via::Owned(guard) => guard.flush(),
        }
    }

    fn pad(&self, entries: u64) {
        for _ in 0..entries {
            // SAFETY: nothing is freed.
            unsafe { self.retire_uncounted(NonNull::<()>::dangling().as_ptr(), free_nothing) };
        }
    }
}
