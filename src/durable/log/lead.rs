//! Appending by a thread that waits for its record, in place of the flusher.
//!
//! To wake the flusher, to sleep, and to be woken takes two switches between threads. So a thread that is the
//! only one to wait takes the appender, if it is free, and a turn: it writes what is there, and syncs. With
//! several that wait, the flusher gathers more of their records in a group.
//!
//! The flusher stays the one that rests and is woken; a thread that leads only takes work from it.
//! 1. While a thread leads, the flusher may look for work with an old position, and find none. So the thread
//!    looks for work when it has let the appender go (`LeaderLooksAgain`), behind a fence
//!    (`FenceBeforeLeaderLooks`), and calls the flusher if there is any. If it does not find a record whose
//!    writer found the flusher awake, then its fence came before that writer's, which came before the
//!    flusher's: so the flusher looks with the position at which the thread has ended, and finds the record.
//! 2. A thread whose record lies behind one that is not filled, or did not fit into the frame, leads in vain,
//!    and then waits for the flusher, as those do that find the appender taken.
//! 3. With an interval between syncs, what it leaves unsynced begins one: the flusher is called to time it.
//! 4. A thread that commits without a pause could keep the flusher from the appender for ever. What the flusher
//!    wants to do with it, the thread does; but callbacks are the flusher's: if any waits, no thread leads.
//!
//! It takes one turn, so its wait is bounded as without it.

use super::appender::take_turn;
use super::shared::Shared;
use crate::errno;

/// Takes a turn in place of the flusher, if no other thread appends. The caller has stored what it wants, and calls
/// the flusher if it is not reached then.
pub(super) fn lead(shared: &Shared) {
    if shared.callbacks.is_due(u64::MAX) {
        return;
    }
    let Some(appender) = errno::try_lock(&shared.appender) else {
        return;
    };
    let was_unsynced = shared.is_unsynced();
    take_turn(shared, appender);
    let is_timed = shared.sync_interval.is_some();
    let begins_interval = is_timed && !was_unsynced && shared.is_unsynced();
    (shared.idle).call_if(|| begins_interval || shared.has_work());
}
