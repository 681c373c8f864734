//! Waits until every guard that is held when the wait begins has been refreshed or left.
//!
//! The caller retires a marker, which frees nothing, through a guard that it leaves at once, and
//! flushes it. Seize calls back when none of the guards that were held at the flush is held any
//! more.

use std::ptr::NonNull;
use std::sync::{Condvar, Mutex};

use seize::Collector;

use super::{Domain, Pinned};
use crate::annotate;
use crate::errno;

#[derive(Default)]
struct Waiter {
    /// Whether seize has called back.
    done: Mutex<bool>,
    changed: Condvar,
}

impl Domain {
    /// Waits until every guard held now has been refreshed or left. The caller holds no guard of
    /// this tree.
    pub(crate) fn wait_for_guards(&self) {
        let waiter = Waiter::default();
        self.retire_marker(&waiter);
        // Ends: when those guards have been refreshed or left.
        errno::wait_until(&waiter.changed, &waiter.done, |done| *done);
        annotate::acquire(self);
    }

    fn retire_marker(&self, waiter: &Waiter) {
        let local = self.enter_local();
        let ptr = std::ptr::from_ref(waiter).cast_mut();
        // SAFETY: the waiter stays until seize has called back.
        unsafe { local.pin().retire_uncounted(ptr, call_back) };
        local.pin().flush();
    }
}

impl Pinned<'_> {
    /// Calls `call(marker)` once every guard held now, this one included, has been refreshed or left; by
    /// the time that everything is reclaimed at the latest.
    ///
    /// # Safety
    /// `call` may run on any thread, with no lock held.
    pub(crate) unsafe fn call_after_guards<T>(
        self,
        marker: NonNull<T>,
        call: unsafe fn(*mut T, &Collector),
    ) {
        // SAFETY: the marker is only passed on.
        unsafe { self.retire_uncounted(marker.as_ptr(), call) };
        self.flush();
    }
}

/// # Safety
/// The waiter's thread waits for this call.
unsafe fn call_back(waiter: *mut Waiter, _: &Collector) {
    // SAFETY: by contract. The waiter's thread cannot return before `done` is unlocked, which
    // is the last access here.
    unsafe {
        let mut done = errno::lock(&(*waiter).done);
        *done = true;
        (*waiter).changed.notify_one();
    }
}
