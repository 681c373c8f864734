//! The part of a log that clocks need, for tests and models: positions are taken in order, and filled
//! in any order.

use std::ffi::c_void;

use super::clock::{Clock, NumberSource};
use crate::index::memory::Source;
use crate::sync::{AtomicU64, Ordering};

/// A log without contents. Outlives the trees that use it.
pub(super) struct Positions {
    next: AtomicU64,
    /// The length of the record at each position, once it is filled.
    filled: Box<[AtomicU64]>,
    installed: AtomicU64,
}

impl Positions {
    /// A log of so many units.
    pub(super) fn new(units: usize) -> Self {
        Self {
            next: AtomicU64::new(1),
            filled: (0..units).map(|_| AtomicU64::new(0)).collect(),
            installed: AtomicU64::new(1),
        }
    }

    /// The clock of a store with this log.
    pub(super) fn clock(&self, source: Source) -> Clock {
        // SAFETY: by contract, it lives as long as the trees.
        let numbers = unsafe {
            NumberSource::new(
                std::ptr::from_ref(self).cast(),
                |this| of(this).next.load(Ordering::Relaxed) - 1,
                |this| of(this).installed(),
            )
        };
        Clock::of_store(source, numbers).unwrap()
    }

    pub(super) fn take(&self, units: u64) -> u64 {
        self.next.fetch_add(units, Ordering::Relaxed)
    }

    /// Reports what has taken this number as installed.
    pub(super) fn fill(&self, number: u64, units: u64) {
        self.filled[number as usize].store(units, Ordering::Release);
    }

    fn installed(&self) -> u64 {
        let mut at = self.installed.load(Ordering::Acquire);
        loop {
            match self.filled[at as usize].load(Ordering::Acquire) {
                0 => break,
                units => at += units,
            }
        }
        self.installed.fetch_max(at, Ordering::AcqRel);
        at - 1
    }
}

fn of<'p>(this: *const c_void) -> &'p Positions {
    // SAFETY: the context of `clock`.
    unsafe { &*this.cast::<Positions>() }
}
