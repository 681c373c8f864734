//! The end of a tree that is dropped, beside commits that write to it.
//!
//! # Protocol
//!
//! A drop is a record of the log, with a number D. A commit with a lower number changes the tree, and one with a
//! higher number does not: in memory as in the log, whatever the threads do meanwhile. So no record behind
//! D changes the tree, and replaying the log gives what memory had.
//!
//! 1. The drop announces itself ([`Line::DropIsAnnounced`]), then takes D, then stores it.
//! 2. A commit takes its number n, then asks [`Life::allows`], before it installs anything. Taking numbers is
//!    an atomic read-modify-write that acquires and releases ([`Line::TakeIsOrdered`]): if n > D, the commit has
//!    acquired the announcement, so it finds that or D. It waits while it finds the announcement
//!    ([`Line::CommitWaitsForDrop`]): its number may be lower. That wait ends: between the two stores the drop takes a
//!    number, and nothing else.
//! 3. A commit that is refused fills its place with a void record.
//!
//! **When the content goes.** A write looks whether the tree is dropped under its guard, before it touches
//! the tree, and a batch has its marks under the same guard. After D is stored, a marker is passed to
//! seize, which calls back once every guard that was held then has ended. Guards that are entered later
//! belong to writes that find the tree dropped (the loads and stores are SeqCst, as `reclaim` asks of pointers that
//! are removed before a retirement). So from the callback on no write is under way in the tree, and it has no mark
//! ([`Line::ContentOutlivesWrites`]). Snapshots with a number below D, among them those of checkpoints, see what
//! the tree has: its content goes when none is open any more ([`Line::SnapshotKeepsContent`]). No later snapshot has such
//! a number: D was taken. Readers that are still in the content hold guards, as beside any clearing.

use std::ptr::NonNull;

use seize::Collector;

use crate::index::reclaim::Pinned;
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering, Wait};

/// The end of a tree that is not dropped.
const NONE: u64 = u64::MAX;
/// The end of a tree whose drop has no number yet.
const ANNOUNCED: u64 = 0;

/// What becomes of the content.
const USED: u64 = 0;
const QUIET: u64 = 1;
const GONE: u64 = 2;

/// Whether a tree is dropped, and its content.
pub(super) struct Life {
    /// [`NONE`], [`ANNOUNCED`], or the number of the drop.
    end: AtomicU64,
    /// [`USED`]; [`QUIET`] when the tree is dropped, and no write is under way; [`GONE`] when it is cleared.
    content: AtomicU64,
}

impl Life {
    pub(super) fn new() -> Self {
        Self {
            end: AtomicU64::new(NONE),
            content: AtomicU64::new(USED),
        }
    }

    /// Whether the tree is dropped, or is just being dropped.
    pub(super) fn is_over(&self) -> bool {
        // SeqCst: see the comment of the module.
        self.end.load(Ordering::SeqCst) != NONE
    }

    /// Whether the tree has, or had, its content after the commit with this number. That is installed, or the
    /// caller has taken it, and not filled it.
    pub(super) fn allows(&self, number: u64) -> bool {
        let wait = Wait::new();
        // Ends: see the comment of the module.
        loop {
            match self.end.load(Ordering::Acquire) {
                ANNOUNCED if Line::CommitWaitsForDrop.is_enabled() => wait.wait(),
                ANNOUNCED => return true,
                end => return number < end,
            }
        }
    }

    /// Ends the life with the number that `take` takes. One thread calls it, once.
    pub(super) fn end(&self, take: impl FnOnce() -> u64) {
        if Line::DropIsAnnounced.is_enabled() {
            self.end.store(ANNOUNCED, Ordering::SeqCst);
        }
        let number = take();
        self.end.store(number, Ordering::SeqCst);
    }

    /// Learns when no write is under way in the tree. Call it after `end`, with a pin of the tree.
    ///
    /// # Safety
    /// This does not move, and lives until the tree has reclaimed everything.
    pub(super) unsafe fn await_writes(&self, pin: Pinned<'_>) {
        if !Line::ContentOutlivesWrites.is_enabled() {
            self.content.store(QUIET, Ordering::Release);
            return;
        }
        // SAFETY: by contract.
        unsafe { pin.call_after_guards(NonNull::from(self), quiet) };
    }

    /// Calls `clear` if no write is under way in the tree, no snapshot needs its content, and it was not cleared before.
    /// `oldest` returns the number of the oldest open snapshot.
    pub(super) fn clear<E>(
        &self,
        oldest: impl FnOnce() -> Option<u64>,
        clear: impl FnOnce() -> Result<(), E>,
    ) -> Result<(), E> {
        // Acquire: pairs with `quiet`, and with a clearing that ran out of memory.
        if self.content.load(Ordering::Acquire) != QUIET {
            return Ok(());
        }
        let end = self.end.load(Ordering::Acquire);
        let is_needed = oldest().is_some_and(|oldest| oldest < end);
        if is_needed && Line::SnapshotKeepsContent.is_enabled() {
            return Ok(());
        }
        // One thread clears. Relaxed on failure: then another one does.
        let (success, failure) = (Ordering::AcqRel, Ordering::Relaxed);
        if (self.content)
            .compare_exchange(QUIET, GONE, success, failure)
            .is_err()
        {
            return Ok(());
        }
        clear().inspect_err(|_| self.content.store(QUIET, Ordering::Release))
    }
}

/// # Safety
/// The contract of `Life::await_writes`.
unsafe fn quiet(life: *mut Life, _: &Collector) {
    // SAFETY: by contract. Release: pairs with `clear`.
    unsafe { &*life }.content.store(QUIET, Ordering::Release);
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::protocol::models::check;

    /// A commit takes its number beside a drop: it is allowed if its number is the lower one, and only then.
    #[test]
    fn the_order_of_numbers_decides_about_a_commit_beside_a_drop() {
        check(&[Line::DropIsAnnounced, Line::CommitWaitsForDrop], || {
            loom::model(|| {
                let shared = Arc::new((Life::new(), AtomicU64::new(1)));
                let drop = {
                    let shared = shared.clone();
                    thread::spawn(move || {
                        let (life, taken) = &*shared;
                        let mut number = 0;
                        life.end(|| {
                            number = taken.fetch_add(1, Ordering::AcqRel);
                            number
                        });
                        number
                    })
                };
                let (life, taken) = &*shared;
                let number = taken.fetch_add(1, Ordering::AcqRel);
                let is_allowed = life.allows(number);
                assert_eq!(is_allowed, number < drop.join().unwrap());
            });
        });
    }
}
