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
