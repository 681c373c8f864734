//! How the threads of a log sleep until there is something to do.
//!
//! **[`Idle`]**: the flusher sleeps, writers and waiters wake it. Writing is frequent, so a writer that
//! finds the flusher awake must pay a fence and a load only. The flusher declares itself idle, then looks
//! for work once more, then sleeps; a writer provides work, then looks whether the flusher is idle.
//! Between the two steps of each stands a sequentially consistent fence: if the writer's fence comes
//! first, the flusher finds the work; if the flusher's comes first, the writer finds it idle.
//!
//! After a group was written the next record is likely soon, and no thread may be waiting for it. So that
//! not every record wakes the flusher by a call of the kernel, it then naps: for a short time only
//! urgent work wakes it, which a thread waits for (`call`); a record does not (`wake`). The same fences
//! order urgent work and the nap.
//!
//! **[`Signal`]**: many threads sleep until the flusher has made progress. A thread loads the word,
//! then looks at its condition, then sleeps unless the word has changed; the flusher changes what the
//! conditions look at, then the word, then wakes. So if a thread has missed the change, its sleep ends
//! at once. The flusher saves the call of the kernel where no thread sleeps; the fences are as for
//! `Idle`: if the sleeper's comes first, it is counted; if the flusher's, the kernel finds the word
//! changed.
//!
//! **[`Closing`]**: the last thread that uses the log says that it is being closed, after every record
//! was taken. The flusher ends when it has seen that, and then finds that all is written: what it
//! found before may have been followed by a record.

use std::time::{Duration, Instant};

use super::futex::Futex;
use crate::protocol::Line;
use crate::sync::{AtomicU32, Ordering, fence};

const AWAKE: u32 = 0;
const IDLE: u32 = 1;
const NAPPING: u32 = 2;

/// Lets one thread sleep.
pub(super) struct Idle(Futex);

impl Idle {
    pub(super) fn new() -> Self {
        Self(Futex::new())
    }

    /// Wakes the thread if it is idle, but not from a nap. The caller has stored what it looks for.
    #[inline]
    pub(super) fn wake(&self) {
        let state = self.state_after_a_fence();
        if state == IDLE {
            self.wake_from(state);
        }
    }

    /// Wakes the thread, also from a nap. The caller has stored the urgent work that it looks for.
    #[inline]
    pub(super) fn call(&self) {
        let state = self.state_after_a_fence();
        if state != AWAKE {
            self.wake_from(state);
        }
    }

    /// Wakes the thread, also from a nap, if there is work that another thread has left, which did some in its
    /// place.
    pub(super) fn call_if(&self, has_work: impl Fn() -> bool) {
        if Line::FenceBeforeLeaderLooks.is_enabled() {
            fence(Ordering::SeqCst);
        }
        if Line::LeaderLooksAgain.is_enabled() && has_work() {
            self.call();
        }
    }

    #[inline]
    fn state_after_a_fence(&self) -> u32 {
        if Line::FenceBeforeIdleIsLoaded.is_enabled() {
            fence(Ordering::SeqCst);
        }
        self.0.word.load(Ordering::Relaxed)
    }

    /// If the thread is no longer in that state, another thread wakes it, or it is awake; when it rests again,
    /// it looks for work behind a later fence.
    #[cold]
    fn wake_from(&self, state: u32) {
        let (success, failure) = (Ordering::Relaxed, Ordering::Relaxed);
        let word = &self.0.word;
        if (word.compare_exchange(state, AWAKE, success, failure)).is_ok() {
            self.0.wake();
        }
    }

    /// Sleeps until `wake` or `call` is called, unless there is work; at most `longest`.
    pub(super) fn sleep_unless(&self, has_work: impl Fn() -> bool, longest: Option<Duration>) {
        self.rest(IDLE, has_work, longest);
    }

    /// Sleeps until `call` is called, unless there is urgent work; at most `longest`.
    pub(super) fn nap_unless(&self, is_urgent: impl Fn() -> bool, longest: Duration) {
        self.rest(NAPPING, is_urgent, Some(longest));
    }

    fn rest(&self, state: u32, has_work: impl Fn() -> bool, longest: Option<Duration>) {
        self.0.word.store(state, Ordering::Relaxed);
        if Line::FenceAfterIdle.is_enabled() {
            fence(Ordering::SeqCst);
        }
        if !(Line::IdleIsRechecked.is_enabled() && has_work()) {
            self.0.wait(state, longest);
        }
        self.0.word.store(AWAKE, Ordering::Relaxed);
    }
}

/// Whether the log is being closed.
pub(super) struct Closing(AtomicU32);

impl Closing {
    pub(super) fn new() -> Self {
        Self(AtomicU32::new(0))
    }

    /// Begins. No record is taken afterwards.
    pub(super) fn begin(&self) {
        // Release: who finds it begun finds every record taken.
        self.0.store(1, Ordering::Release);
    }

    pub(super) fn has_begun(&self) -> bool {
        self.0.load(Ordering::Acquire) != 0
    }

    /// Whether it has begun, and then all is done.
    pub(super) fn is_over(&self, is_done: impl Fn() -> bool) -> bool {
        let early = !Line::ClosingBeforeEnd.is_enabled() && is_done();
        let has_begun = self.has_begun();
        has_begun && (early || (Line::ClosingBeforeEnd.is_enabled() && is_done()))
    }
}

/// Lets any number of threads sleep until something has changed.
pub(super) struct Signal {
    changes: Futex,
    sleepers: AtomicU32,
}

impl Signal {
    pub(super) fn new() -> Self {
        Self {
            changes: Futex::new(),
            sleepers: AtomicU32::new(0),
        }
    }

    /// How many threads sleep, or are about to.
    #[cfg(all(test, not(any(loom, shuttle))))]
    pub(super) fn sleepers(&self) -> u32 {
        self.sleepers.load(Ordering::Relaxed)
    }

    /// Announces a change that was stored before.
    pub(super) fn notify(&self) {
        // Release pairs with the load in `sleep_until`: a thread that loads the new word finds the
        // change.
        let release = Line::ChangeBeforeWord.release();
        self.changes.word.fetch_add(1, release);
        if Line::FenceBeforeSleepers.is_enabled() {
            fence(Ordering::SeqCst);
        }
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.changes.wake();
        }
    }

    /// Sleeps until `condition` holds, whose change is announced.
    pub(super) fn sleep_until(&self, condition: impl Fn() -> bool) {
        self.sleep_until_or(condition, None);
    }

    /// Sleeps until `condition` holds, whose change is announced, or until a time.
    pub(super) fn sleep_until_or(&self, condition: impl Fn() -> bool, deadline: Option<Instant>) {
        // Ends: when the condition holds, which is what the caller waits for, or at the deadline.
        loop {
            let late = !Line::WordBeforeCondition.is_enabled() && condition();
            let seen = self.changes.word.load(Ordering::Acquire);
            if late || (Line::WordBeforeCondition.is_enabled() && condition()) {
                return;
            }
            let left = deadline.map(|end| end.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return;
            }
            self.sleepers.fetch_add(1, Ordering::Relaxed);
            if Line::FenceBeforeSleep.is_enabled() {
                fence(Ordering::SeqCst);
            }
            self.changes.wait(seen, left);
            self.sleepers.fetch_sub(1, Ordering::Relaxed);
        }
    }
}
