//! Waiting until every guard of a moment has been let go.
//!
//! The caller retires a stand-in, with nothing to be freed, through a guard that it lets go at
//! once, and hands it over. Seize calls back when no guard of that moment is held any more.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use seize::Collector;

use super::Domain;
use crate::annotate;
use crate::errno;

#[derive(Default)]
struct Waiter {
    /// Whether the stand-in was called back for.
    done: Mutex<bool>,
    changed: Condvar,
}

impl Waiter {
    fn done(&self) -> MutexGuard<'_, bool> {
        errno::keep(|| self.done.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Domain {
    /// Waits until every guard held now has been refreshed or left. The caller holds
    /// none of this tree.
    pub(crate) fn wait_for_guards(&self) {
        let waiter = Waiter::default();
        self.stand_in(&waiter);
        // Ends: when the guards of the moment have been let go, which is what the
        // caller waits for.
        let done = errno::keep(|| {
            (waiter.changed)
                .wait_while(waiter.done(), |done| !*done)
                .unwrap_or_else(PoisonError::into_inner)
        });
        drop(done);
        annotate::acquire(self);
    }

    fn stand_in(&self, waiter: &Waiter) {
        let local = self.enter_local();
        let ptr = std::ptr::from_ref(waiter).cast_mut();
        // SAFETY: the waiter stays until the stand-in was called back for.
        unsafe { local.pin().retire_uncounted(ptr, call_back) };
        local.pin().flush();
    }
}

/// # Safety
/// The waiter waits.
unsafe fn call_back(waiter: *mut Waiter, _: &Collector) {
    // SAFETY: by contract. The waiter cannot go before the lock is let go, and that is the
    // last that is done here.
    unsafe {
        let mut done = (*waiter).done();
        *done = true;
        (*waiter).changed.notify_one();
    }
}
