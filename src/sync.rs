//! Selects the atomics that the library uses: the standard library's, those of a model checker, or
//! those that report to a sanitizer (see `annotate`).
//!
//! Every word of a node that another thread may write has one of these types, so that a
//! model build sees each access: loom (`--cfg loom`) explores every interleaving and every
//! order that the memory model allows, for one node; shuttle (`--cfg shuttle`) explores many
//! random interleavings, for a whole tree.

#[cfg(all(feature = "annotate", not(any(loom, shuttle))))]
mod annotated;
mod wait;

pub(crate) use wait::Wait;

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{
    AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence,
};
#[cfg(shuttle)]
pub(crate) use shuttle::sync::atomic::{
    AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence,
};
#[cfg(not(any(loom, shuttle, feature = "annotate")))]
pub(crate) use std::sync::atomic::{
    AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering, fence,
};
#[cfg(all(feature = "annotate", not(any(loom, shuttle))))]
pub(crate) use {
    annotated::{AtomicPtr, AtomicU8, AtomicU16, AtomicU32, AtomicU64},
    std::sync::atomic::{Ordering, fence},
};

/// The threads of a shuttle model run on one thread of the system, and would share std's
/// thread-locals.
#[cfg(shuttle)]
pub(crate) use shuttle::thread_local;
#[cfg(not(shuttle))]
pub(crate) use std::thread_local;

/// Marks a point between two steps of a protocol of `node` or `tree`. Does nothing, except in a
/// build with `--cfg masstree_perturb` (`make check-stress`): there, threads pause at these points
/// at random, so that rare races become likely.
#[inline]
pub(crate) fn perturb() {
    #[cfg(masstree_perturb)]
    perturbation::maybe_stop();
}

#[cfg(masstree_perturb)]
mod perturbation {
    use std::cell::Cell;

    thread_local! {
        static RANDOM: Cell<u64> = const { Cell::new(0) };
    }

    pub(super) fn maybe_stop() {
        let drawn = RANDOM.with(|random| {
            // The address seeds each thread differently. Xorshift: Marsaglia 2003.
            let mut x = random.get().max(std::ptr::from_ref(random).addr() as u64);
            x ^= x << 13;
            x ^= x >> 7;
            x ^= x << 17;
            random.set(x);
            x >> 20
        });
        if drawn.is_multiple_of(64) {
            (0..(drawn >> 8) % 1024).for_each(|_| std::hint::spin_loop());
        }
        if drawn % 4096 == 1 {
            std::thread::yield_now();
        }
    }
}
