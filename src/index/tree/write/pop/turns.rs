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
//! into the leaf, and threads that pop from ranges of their own do not meet, and share no cache line.
//!
//! Nothing rests on this: a pop is complete before its thread waits, the wait is bounded, and what a
//! thread remembers, or the shared word says, changes only how long it waits.

use std::cell::Cell;

use crossbeam_utils::CachePadded;

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
#[derive(Clone, Copy)]
struct Memory {
    /// The address of the leaf from which it has popped last, and the number of the version that it has
    /// left.
    leaf: usize,
    version: u64,
    /// Pops without meeting another thread; halved when it meets one.
    alone: u32,
    /// Pops since it has waited.
    pops: u32,
    /// Waits since it was the leader.
    waits: u32,
}

thread_local! {
    static MEMORY: Cell<Memory> = const {
        Cell::new(Memory { leaf: 0, version: 0, alone: 0, pops: 0, waits: 0 })
    };
}

impl LastPopper {
    pub(in crate::index::tree) fn new() -> Self {
        Self(CachePadded::new(AtomicU64::new(0)))
    }

    /// Records that this thread pops from a leaf, whose lock it owns, and returns how long it is to wait
    /// afterwards. `is_contended`: whether the leaf has changed while the thread descended to it.
    pub(super) fn turn(&self, leaf: &Locked<'_, Leaf>, is_contended: bool) -> Turn {
        MEMORY.with(|cell| {
            let mut memory = cell.get();
            let (address, found) = (std::ptr::from_ref(leaf.node()).addr(), leaf.version_found());
            let has_changed = memory.leaf == address && memory.version != found.number();
            let has_met = (is_contended || has_changed) && self.is_other(cell);
            let units = memory.units(has_met, found.number());
            memory.leaf = address;
            memory.version = found.next().number();
            cell.set(memory);
            Turn(units)
        })
    }

    /// Makes this thread the last one; returns whether another was it before.
    fn is_other(&self, cell: &Cell<Memory>) -> bool {
        let this = std::ptr::from_ref(cell).addr() as u64;
        // Relaxed, and no exchange: it is a hint.
        let last = self.0.load(Ordering::Relaxed);
        if last != this {
            self.0.store(this, Ordering::Relaxed);
        }
        last != this && last != 0
    }
}

impl Memory {
    /// Counts a pop; returns how many units of time the thread is to wait.
    fn units(&mut self, has_met: bool, version: u64) -> u64 {
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
        if is_leader {
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

/// How long a thread is to wait after a pop, in units.
#[must_use]
pub(super) struct Turn(u64);

impl Turn {
    /// Waits, if another thread is to pop now. The thread owns no lock.
    pub(super) fn end(self) {
        for _ in 0..self.0 {
            let wait = Wait::new();
            (0..UNIT).for_each(|_| wait.wait());
        }
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    const NEW: Memory = Memory {
        leaf: 0,
        version: 0,
        alone: 0,
        pops: 0,
        waits: 0,
    };

    /// A thread after `alone` pops, none of which met another thread.
    fn after(alone: u32) -> Memory {
        let mut memory = NEW;
        (0..alone).for_each(|_| assert_eq!(memory.units(false, 1), 0));
        memory
    }

    /// Put back: no leader; or LEAD reached with one pop less.
    #[test]
    fn only_a_leader_goes_on_when_it_meets_another_thread() {
        assert!(after(0).units(true, 1) > 0);
        assert!(after(LEAD - 1).units(true, 1) > 0);
        assert_eq!(after(LEAD).units(true, 1), 0);
    }

    /// Two leaders that meet at each pop: the one that has led for a shorter time waits first.
    /// Put back: do not halve `alone`.
    #[test]
    fn of_two_leaders_one_ends() {
        let (mut long, mut short) = (after(100), after(2 * LEAD));
        while short.units(true, 1) == 0 {
            assert_eq!(long.units(true, 1), 0);
        }
    }

    /// Put back: do not look at `pops`.
    #[test]
    fn a_leader_waits_in_its_turn() {
        assert_eq!(after(MOST - 2).units(true, 1), 0);
        assert!(after(MOST).units(true, 1) > 0);
    }

    /// Put back: no limit of the doublings; do not set `waits` to 0; draw from a fixed number.
    #[test]
    fn waits_grow_up_to_a_bound_until_the_thread_pops_alone() {
        let mut memory = NEW;
        let mut longest = Vec::new();
        for first in 0..20 {
            let drawn = (0..1000).map(|version| {
                let mut drawing = memory;
                drawing.units(true, first * 1000 + version)
            });
            longest.push(drawn.max().unwrap());
            _ = memory.units(true, first);
        }
        let grown = 8 << DOUBLINGS;
        assert_eq!(longest[..2], [8, 16]);
        assert_eq!(longest[19], grown);
        (0..LEAD).for_each(|_| _ = memory.units(false, 1));
        memory.alone = 0;
        assert!(memory.units(true, 1) <= 8);
    }
}
