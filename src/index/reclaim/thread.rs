//! Whether this thread still has its thread-local slot in seize.
//!
//! A program may call the library from a destructor that runs when a thread exits
//! (`pthread_key_create`, C++ `thread_local`), when the destructor of seize's own
//! thread-local may have run already; seize would panic. Destructors run in the
//! reverse order of registration: [`ExitWatch`] is registered after seize's, so it has
//! run whenever seize's has. [`ExitEnd`] is registered before seize's and runs after
//! it; between the two, the thread is inside (see `fork`).
//!
//! Left: a thread whose first use of the library is in a destructor of
//! `pthread_key_create`, which glibc runs after those of thread-locals. The
//! registrations come too late and never run: the thread's slot (some hundred
//! bytes in each tree) is not reused, and glibc leaks the registrations.

use std::cell::Cell;
#[cfg(debug_assertions)]
use std::num::NonZeroU64;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

use super::fork::{self, Inside};

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// The library has not been used by this thread yet.
    New,
    /// The slot is there.
    Running,
    /// The slot may be gone.
    Exiting,
}

struct ExitWatch;

impl Drop for ExitWatch {
    fn drop(&mut self) {
        STATE.set(State::Exiting);
        let _ = EXIT_END.try_with(|end| end.inside.set(Some(fork::inside())));
    }
}

struct ExitEnd {
    /// Dropped with it.
    inside: Cell<Option<Inside>>,
}

thread_local! {
    /// Without a destructor: can be read at any time.
    static STATE: Cell<State> = const { Cell::new(State::New) };
    static EXIT_WATCH: ExitWatch = const { ExitWatch };
    static EXIT_END: ExitEnd = const { ExitEnd { inside: Cell::new(None) } };
}

/// The thread on which a call without a guard began, and must end: what it pins is that
/// thread's. In builds with debug assertions, a call that goes on elsewhere is aborted; a
/// callback that yields to a scheduler of fibers gets it there.
#[derive(Clone, Copy)]
pub(crate) struct Home {
    /// `None` where the call may go anywhere.
    #[cfg(debug_assertions)]
    thread: Option<NonZeroU64>,
}

impl Home {
    pub(super) const ANYWHERE: Self = Self {
        #[cfg(debug_assertions)]
        thread: None,
    };

    /// This thread.
    #[inline]
    pub(super) fn here() -> Self {
        Self {
            #[cfg(debug_assertions)]
            thread: Some(number()),
        }
    }

    #[inline]
    pub(super) fn must_be_here(self) {
        #[cfg(debug_assertions)]
        assert!(
            self.thread.is_none_or(|thread| thread == number()),
            "a call without a guard goes on on another thread than it began on: what it reads \
             may have been freed; where a callback may yield to a scheduler, pass a guard"
        );
    }
}

/// A number of this thread, which no other ever has. Not inlined: within one function a
/// compiler takes the address of a thread-local for constant.
#[cfg(debug_assertions)]
#[inline(never)]
fn number() -> NonZeroU64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static NUMBER: Cell<Option<NonZeroU64>> = const { Cell::new(None) };
    }
    NUMBER.get().unwrap_or_else(|| {
        let number = NonZeroU64::MIN.saturating_add(LAST.fetch_add(1, Ordering::Relaxed));
        NUMBER.set(Some(number));
        number
    })
}

#[inline]
pub(super) fn state() -> State {
    STATE.get()
}

/// To be called once in a thread, before seize registers its destructor.
pub(super) fn prepare_exit() {
    // As `watch_exit`.
    EXIT_END.with(|_| ());
}

/// To be called once in a thread, after seize registered its destructor.
pub(super) fn watch_exit() {
    // Used for the first time in this thread: its destructor has not run yet.
    EXIT_WATCH.with(|_| STATE.set(State::Running));
}
