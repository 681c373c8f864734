//! Waiting until every guard of a moment has been let go.
//!
//! The caller retires stand-ins, with nothing to be freed, through a guard that it
//! lets go at once. Seize calls back for each when no guard of that moment is held
//! any more. It hands a batch over only if that has at least as many entries as there
//! are guards, so there are as many stand-ins as guards are known, and some to spare
//! for threads that are in the middle of a call. Should that not do, the batch stays
//! with this thread: so it is handed over again now and then, by when such calls have
//! ended, with more stand-ins if there are more guards.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use seize::Collector;

use super::Domain;
use crate::annotate;
use crate::errno;

/// Stand-ins beyond the number of guards.
const SPARE: usize = 64;

const FIRST_LOOK: Duration = Duration::from_millis(1);
const LAST_LOOK: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Waiter {
    /// Stand-ins not called back for yet.
    left: Mutex<usize>,
    none_left: Condvar,
}

impl Waiter {
    fn left(&self) -> MutexGuard<'_, usize> {
        errno::keep(|| self.left.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Domain {
    /// Waits until every guard held now has been refreshed or left. The caller holds
    /// none of this tree.
    pub(crate) fn wait_for_guards(&self) {
        let waiter = Waiter::default();
        let mut made = 0;
        let mut patience = FIRST_LOOK;
        // Ends: when the guards of the moment have been let go, which is what the
        // caller waits for.
        loop {
            let wanted = self.held().guards as usize + SPARE;
            self.stand_in(&waiter, wanted.saturating_sub(made));
            made = made.max(wanted);
            let left = errno::keep(|| {
                (waiter.none_left)
                    .wait_timeout_while(waiter.left(), patience, |left| *left > 0)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            });
            if *left == 0 {
                annotate::acquire(self);
                return;
            }
            drop(left);
            patience = (2 * patience).min(LAST_LOOK);
        }
    }

    /// Retires some stand-ins more, and hands over what waits in this thread.
    fn stand_in(&self, waiter: &Waiter, count: usize) {
        *waiter.left() += count;
        let local = self.enter_local();
        for _ in 0..count {
            let place = std::ptr::from_ref(waiter).cast_mut();
            // SAFETY: the waiter stays until each stand-in was called back for.
            unsafe { local.pin().retire_uncounted(place, call_back) };
        }
        local.pin().flush();
    }
}

/// # Safety
/// The waiter waits.
unsafe fn call_back(waiter: *mut Waiter, _: &Collector) {
    // SAFETY: by contract. The waiter cannot go before the lock is let go, and that is the
    // last that is done here.
    unsafe {
        let mut left = (*waiter).left();
        *left -= 1;
        if *left == 0 {
            (*waiter).none_left.notify_one();
        }
    }
}
