//! How threads that pop at the same end of a tree take turns.
//!
//! A pop that follows another thread's waits for the cache lines that the other processor has just changed,
//! and takes twice as long as one that follows a pop of its own thread. So a thread that has met another at
//! its leaf lets that one pop alone for a while: it waits after its pop, without a lock. If both waited, no
//! thread would pop meanwhile. So a thread that has popped alone for a while, the *leader*, goes on when it
//! meets another, and only the other one waits. After [`MOST`] pops the leader waits, too, and a
//! thread that then pops alone becomes the leader.
//!
//! A thread has met another if the leaf has changed during its descent or since its own last pop from the
//! leaf, and if another thread was the last to find such a change: so it has not met itself if it inserts
//! into the leaf, and threads that pop from ranges of their own do not meet, and share no cache line. A
//! thread that works between its pops does not wait (see `pace`).
//!
//! Nothing rests on this: a pop is complete before its thread waits, the wait is bounded, and what a
//! thread remembers, or the shared word says, changes only how long it waits.

use std::cell::Cell;

use crossbeam_utils::CachePadded;

use super::pace::{Pace, Timed};
use crate::index::node::{Leaf, Locked};
use crate::sync::{AtomicU64, Ordering, Wait, thread_local};

/// Pops without meeting another thread, after which a thread is the leader.
const LEAD: u32 = 4;
/// The most pops of a leader.
const MOST: u32 = 1024;
/// How often the longest wait doubles while a thread does not pop alone.
const DOUBLINGS: u32 = 4;
/// Waits of a unit of time: all of them spin, together 127 times.
const UNIT: u32 = 7;

/// The thread that was the last to find that the leaf from which it pops has changed; 0 if none has.
pub(in crate::index::tree) struct LastPopper(CachePadded<AtomicU64>);

/// What a thread remembers of its pops.
pub(super) struct Memory {
    /// The address of the leaf from which it has popped last, and the number of the version that it has
    /// left.
    last: Cell<(usize, u64)>,
    counts: Cell<Counts>,
    pace: Pace,
}

#[derive(Clone, Copy)]
struct Counts {
    /// Pops without meeting another thread; halved when it meets one.
    alone: u32,
    /// Pops since it has waited.
    pops: u32,
    /// Waits since it was the leader.
    waits: u32,
}

/// A pop that has found its leaf, and how long its thread is to wait, in units.
#[must_use]
pub(super) struct Turn {
    timed: Option<Timed>,
    units: u64,
}

thread_local! {
    static MEMORY: Memory = const { Memory::new() };
}

/// Passes what this thread remembers to one of its pops.
pub(super) fn with_memory<T>(pop: impl FnOnce(&Memory) -> T) -> T {
    MEMORY.with(pop)
}

impl LastPopper {
    pub(in crate::index::tree) fn new() -> Self {
        Self(CachePadded::new(AtomicU64::new(0)))
    }

    /// Makes a thread the last one; returns whether another was it before.
    fn is_other(&self, thread: &Memory) -> bool {
        let this = std::ptr::from_ref(thread).addr() as u64;
        // Relaxed, and no exchange: it is a hint.
        let last = self.0.load(Ordering::Relaxed);
        if last != this {
            self.0.store(this, Ordering::Relaxed);
        }
        last != this && last != 0
    }
}

impl Memory {
    const fn new() -> Self {
        Self {
            last: Cell::new((0, 0)),
            counts: Cell::new(Counts::NEW),
            pace: Pace::new(),
        }
    }

    /// Begins a pop.
    pub(super) fn begin(&self) -> Option<Timed> {
        self.pace.begin()
    }

    /// Records that this thread pops from a leaf, whose lock it owns. `is_contended`: whether the leaf has
    /// changed while the thread descended to it.
    pub(super) fn turn(
        &self,
        timed: Option<Timed>,
        popper: &LastPopper,
        leaf: &Locked<'_, Leaf>,
        is_contended: bool,
    ) -> Turn {
        let (address, found) = (std::ptr::from_ref(leaf.node()).addr(), leaf.version_found());
        let last = self.last.replace((address, found.next().number()));
        let has_changed = last.0 == address && last.1 != found.number();
        let has_met = (is_contended || has_changed) && popper.is_other(self);
        let mut counts = self.counts.get();
        let units = counts.units(has_met, self.pace.works_between(), found.number());
        self.counts.set(counts);
        Turn { timed, units }
    }

    /// Ends a pop: waits, if another thread is to pop now. The thread owns no lock.
    pub(super) fn end(&self, turn: Turn) {
        self.pace.end(turn.timed);
        for _ in 0..turn.units {
            let wait = Wait::new();
            (0..UNIT).for_each(|_| wait.wait());
        }
        self.pace.leave();
    }
}

impl Counts {
    const NEW: Self = Self {
        alone: 0,
        pops: 0,
        waits: 0,
    };

    /// Counts a pop; returns how many units of time the thread is to wait.
    fn units(&mut self, has_met: bool, works_between: bool, version: u64) -> u64 {
        self.pops += 1;
        if !has_met {
            self.alone += 1;
            if self.alone >= LEAD {
                self.waits = 0;
            }
            return 0;
        }
        let is_leader = self.alone >= LEAD && self.pops < MOST;
        self.alone /= 2;
        if is_leader || works_between {
            return 0;
        }
        let longest = 8 << self.waits;
        (self.alone, self.pops) = (0, 0);
        self.waits = (self.waits + 1).min(DOUBLINGS);
        // Drawn from the version, which no other pop has found, so that threads draw different ones.
        // Fibonacci hashing (Knuth, The Art of Computer Programming, 6.4).
        1 + (version.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) % longest
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    /// A thread after `alone` pops, none of which met another thread.
    fn after(alone: u32) -> Counts {
        let mut counts = Counts::NEW;
        (0..alone).for_each(|_| assert_eq!(counts.units(false, false, 1), 0));
        counts
    }

    /// Put back: no leader; or LEAD reached with one pop less.
    #[test]
    fn only_a_leader_goes_on_when_it_meets_another_thread() {
        assert!(after(0).units(true, false, 1) > 0);
        assert!(after(LEAD - 1).units(true, false, 1) > 0);
        assert_eq!(after(LEAD).units(true, false, 1), 0);
    }

    /// Two leaders that meet at each pop: the one that has led for a shorter time waits first.
    /// Put back: do not halve `alone`.
    #[test]
    fn of_two_leaders_one_ends() {
        let (mut long, mut short) = (after(100), after(2 * LEAD));
        while short.units(true, false, 1) == 0 {
            assert_eq!(long.units(true, false, 1), 0);
        }
    }

    /// Put back: do not look at `works_between`.
    #[test]
    fn a_thread_that_works_between_its_pops_does_not_wait() {
        let mut counts = after(0);
        (0..100).for_each(|version| assert_eq!(counts.units(true, true, version), 0));
    }

    /// Put back: do not look at `pops`.
    #[test]
    fn a_leader_waits_in_its_turn() {
        assert_eq!(after(MOST - 2).units(true, false, 1), 0);
        assert!(after(MOST).units(true, false, 1) > 0);
    }

    /// Put back: no limit of the doublings; do not set `waits` to 0; draw from a fixed number.
    #[test]
    fn waits_grow_up_to_a_bound_until_the_thread_pops_alone() {
        let mut counts = Counts::NEW;
        let mut longest = Vec::new();
        for first in 0..20 {
            let drawn = (0..1000).map(|version| {
                let mut drawing = counts;
                drawing.units(true, false, first * 1000 + version)
            });
            longest.push(drawn.max().unwrap());
            _ = counts.units(true, false, first);
        }
        let grown = 8 << DOUBLINGS;
        assert_eq!(longest[..2], [8, 16]);
        assert_eq!(longest[19], grown);
        (0..LEAD).for_each(|_| _ = counts.units(false, false, 1));
        counts.alone = 0;
        assert!(counts.units(true, false, 1) <= 8);
    }
}
