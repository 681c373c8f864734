//! Wakes a thread when the log has grown to a position, after a time, or when it is called.
//!
//! One mutex protects everything. The flusher takes it once for each group that it has written, so
//! the thread cannot miss a group between its look at the log and its sleep.

use std::sync::{Condvar, Mutex};
use std::time::Instant;

use crate::errno;

/// Lets one thread sleep.
pub(crate) struct Alarm {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The position after what is written.
    position: u64,
    /// Where the thread wants to be woken; 0: it does not sleep.
    at: u64,
    is_called: bool,
}

impl Alarm {
    pub(crate) fn new() -> Self {
        Self {
            state: Mutex::new(State::default()),
            changed: Condvar::new(),
        }
    }

    /// The log has grown to a position.
    pub(super) fn reach(&self, position: u64) {
        let mut state = errno::lock(&self.state);
        state.position = position;
        if state.at != 0 && position >= state.at {
            self.changed.notify_one();
        }
    }

    /// Wakes the thread, or keeps it from sleeping the next time.
    pub(crate) fn call(&self) {
        errno::lock(&self.state).is_called = true;
        self.changed.notify_one();
    }

    /// Sleeps until the log has grown to a position, or `call` was called, or the time has come.
    pub(crate) fn sleep_until(&self, at: u64, deadline: Option<Instant>) {
        errno::lock(&self.state).at = at;
        let is_over = |state: &State| state.is_called || state.position >= at;
        errno::wait_until_deadline(&self.changed, &self.state, deadline, is_over);
        let mut state = errno::lock(&self.state);
        (state.at, state.is_called) = (0, false);
    }
}
