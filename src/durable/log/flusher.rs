//! The thread that writes the log when no other does.
//!
//! It appends (see `appender`), and calls the functions that wait for numbers to become durable, with no
//! lock held. When a group was written and no thread waits for more, it naps, so that the next group has many
//! records; when it then finds no record, it sleeps until there is one.
//!
//! A thread that waits for its record may append in its place (see `lead`). So it decides whether to rest by what
//! `Shared` has, without the appender.

use std::sync::Arc;
use std::time::Duration;

use super::appender::take_turn;
use super::shared::Shared;
use crate::errno;
use crate::sync::Ordering;

/// How long records that no thread waits for may stay in the ring.
const NAP: Duration = Duration::from_millis(1);

pub(super) struct Flusher {
    shared: Arc<Shared>,
}

impl Flusher {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The thread's work. Ends: when the log is closed, and everything is durable or the log has
    /// failed.
    pub(super) fn run(self) {
        let shared = &self.shared;
        let mut has_written = false;
        loop {
            let turn = take_turn(shared, errno::lock(&shared.appender));
            self.call_back();
            has_written |= turn.has_written;
            if turn.was_busy() {
                continue;
            }
            if shared.is_finished() {
                break;
            }
            self.rest(turn.until_sync, has_written);
            has_written = false;
        }
        errno::lock(&shared.appender).finish(shared);
    }

    /// Naps or sleeps; until a sync is due, at most.
    fn rest(&self, until_sync: Option<Duration>, has_written: bool) {
        let (shared, idle) = (&self.shared, &self.shared.idle);
        if has_written && !shared.is_waited_for() {
            let nap = until_sync.unwrap_or(NAP).min(NAP);
            return idle.nap_unless(|| shared.is_urgent(), nap);
        }
        // With an interval, what another thread has written meanwhile must not wait for ever.
        let is_timed = shared.sync_interval.is_some() && until_sync.is_none();
        let begins_interval = || is_timed && shared.is_unsynced();
        idle.sleep_unless(|| shared.has_work() || begins_interval(), until_sync);
    }

    /// Calls the callbacks that are due. Ends: each turn takes one out; a callback may add another.
    fn call_back(&self) {
        let shared = &self.shared;
        while let Some(due) = shared.callbacks.take_due(shared.called_back_below()) {
            let is_durable = due.number < shared.durable.load(Ordering::Relaxed);
            due.callback.call(due.number, is_durable);
        }
    }
}
