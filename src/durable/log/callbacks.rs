//! Functions that the flusher calls when a number is durable.
//!
//! They are called in the order of their numbers, without a lock held.

use std::collections::BinaryHeap;
use std::ffi::c_void;
use std::sync::Mutex;

use crate::errno;
use crate::sync::{AtomicU64, Ordering};

/// A function of the program, which is called once: with the number, 0 if that is durable, or `lost` if it
/// never will be since the log has failed, and the context. It must not write to the log, or wait for
/// it.
#[derive(Clone, Copy)]
pub(crate) struct Callback {
    function: unsafe extern "C" fn(number: u64, status: i32, ctx: *mut c_void),
    ctx: *mut c_void,
    lost: i32,
}

// SAFETY: the context is only passed to the function, which a program gives to be called on another
// thread.
unsafe impl Send for Callback {}

impl Callback {
    /// # Safety
    /// Any thread may call the function with the context.
    pub(crate) unsafe fn new(
        function: unsafe extern "C" fn(number: u64, status: i32, ctx: *mut c_void),
        ctx: *mut c_void,
        lost: i32,
    ) -> Self {
        Self {
            function,
            ctx,
            lost,
        }
    }

    pub(super) fn call(&self, number: u64, is_durable: bool) {
        let status = if is_durable { 0 } else { self.lost };
        // SAFETY: the contract of `new`.
        unsafe { (self.function)(number, status, self.ctx) };
    }
}

pub(super) struct Waiting {
    pub(super) number: u64,
    pub(super) callback: Callback,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    /// The lowest number is the greatest: a heap returns it first.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.number.cmp(&self.number)
    }
}

pub(super) struct Callbacks {
    waiting: Mutex<BinaryHeap<Waiting>>,
    /// The lowest number that waits; changed under the mutex.
    lowest: AtomicU64,
}

impl Callbacks {
    pub(super) fn new() -> Self {
        Self {
            waiting: Mutex::new(BinaryHeap::new()),
            lowest: AtomicU64::new(u64::MAX),
        }
    }

    fn note_lowest(&self, waiting: &BinaryHeap<Waiting>) {
        let lowest = waiting.peek().map_or(u64::MAX, |first| first.number);
        self.lowest.store(lowest, Ordering::Release);
    }

    /// Adds a callback; returns false if there is no memory.
    pub(super) fn add(&self, number: u64, callback: Callback) -> bool {
        let mut waiting = errno::lock(&self.waiting);
        if waiting.try_reserve(1).is_err() {
            return false;
        }
        waiting.push(Waiting { number, callback });
        self.note_lowest(&waiting);
        true
    }

    /// Whether a number below `end` waits.
    pub(super) fn is_due(&self, end: u64) -> bool {
        self.lowest.load(Ordering::Acquire) < end
    }

    /// Takes out the callback with the lowest number, if that is below `end`.
    pub(super) fn take_due(&self, end: u64) -> Option<Waiting> {
        if !self.is_due(end) {
            return None;
        }
        let mut waiting = errno::lock(&self.waiting);
        if waiting.peek()?.number >= end {
            return None;
        }
        let taken = waiting.pop();
        self.note_lowest(&waiting);
        taken
    }
}
