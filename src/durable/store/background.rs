//! The thread of a store that makes checkpoints and trims tombstones when they are due.
//!
//! It sleeps until the log has grown by so much that something may be due, until a checkpoint is due by
//! age, or until the store is closed. A checkpoint that was not made is tried again after a time, which is
//! doubled each time: what hinders it may go away.
//!
//! It also clears dropped trees that an earlier attempt had to leave.
//!
//! A key that was removed keeps a tombstone until a trim takes it out. A tree is trimmed when it has many
//! more tombstones than the last trim has left, in pieces: each under a guard of its own, and none while the store
//! is being closed. A trim leaves what a snapshot may need.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::catalog::StoreTree;
use super::checkpointer::Checkpointer;
use crate::durable::io::IoError;
use crate::durable::log::UNIT;
use crate::durable::threads::without_signals;
use crate::sync::Ordering;
use crate::versioned::{LATEST, VersionCounts};

/// Bytes of the log after which trees are looked at again.
const STEP_BYTES: u64 = if cfg!(test) { 1 << 10 } else { 1 << 20 };
/// A tree with fewer new tombstones is not trimmed.
const LEAST_TOMBSTONES: u64 = if cfg!(test) { 8 } else { 4096 };
/// Keys that a piece of a trim examines.
const PIECE: usize = 1024;
/// After a checkpoint was not made, the first time and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(64);

/// What the thread does next.
pub(super) enum Next {
    Checkpoint,
    Sleep {
        /// The position to which the log may grow meanwhile.
        at: u64,
        deadline: Option<Instant>,
    },
}

pub(super) fn start(checkpointer: &Arc<Checkpointer>) -> Result<JoinHandle<()>, IoError> {
    let builder = thread::Builder::new().name("masstree-store".into());
    let checkpointer = checkpointer.clone();
    let spawned = without_signals(|| builder.spawn(move || run(&checkpointer)));
    spawned.map_err(|error| IoError::of_thread(&error))
}

/// The thread's work. Ends: when the store is closed.
fn run(checkpointer: &Checkpointer) {
    let mut pause = FIRST_PAUSE;
    let mut paused_until = None;
    while !checkpointer.is_closing() {
        // Without memory, the next turn does it.
        let _ = checkpointer.catalog.clear_dropped();
        trim_all(checkpointer);
        match next(checkpointer, paused_until) {
            Next::Sleep { at, deadline } => checkpointer.alarm.sleep_until(at, deadline),
            Next::Checkpoint => {
                let is_made = checkpointer.run().is_ok();
                paused_until = (!is_made).then(|| Instant::now() + pause);
                pause = match is_made {
                    true => FIRST_PAUSE,
                    false => (2 * pause).min(LONGEST_PAUSE),
                };
            }
        }
    }
}

fn next(checkpointer: &Checkpointer, paused_until: Option<Instant>) -> Next {
    let log = checkpointer.log();
    let written = log.written();
    let sleep = |bytes: u64, deadline| Next::Sleep {
        at: written + (bytes.min(STEP_BYTES) / UNIT).max(1),
        deadline,
    };
    let Some(last) = checkpointer.last() else {
        return sleep(STEP_BYTES, None);
    };
    let since = log.bytes_since(last.number + 1);
    let most = checkpointer.options.log_bytes(last.bytes);
    let by_age = (checkpointer.options.age).and_then(|age| last.at.checked_add(age));
    if since == 0 {
        // With an age, the first record sets the time.
        return sleep(by_age.map_or(STEP_BYTES, |_| UNIT), None);
    }
    let now = Instant::now();
    if since < most && by_age.is_none_or(|at| now < at) {
        return sleep(most - since, by_age);
    }
    match paused_until.filter(|until| now < *until) {
        Some(until) => sleep(STEP_BYTES, Some(until)),
        None => Next::Checkpoint,
    }
}

/// Trims the trees that have many tombstones.
fn trim_all(checkpointer: &Checkpointer) {
    checkpointer.catalog.each(|tree| {
        trim(checkpointer, tree);
        match checkpointer.is_closing() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
}

fn counts(tree: &StoreTree) -> VersionCounts {
    let guard = tree.index().local_guard();
    tree.versioned().counts(guard.pin())
}

fn trim(checkpointer: &Checkpointer, tree: &StoreTree) {
    let keys = tree.index().key_count();
    let before = counts(tree).tombstones;
    let kept = tree.kept_tombstones.load(Ordering::Relaxed);
    if before.saturating_sub(kept) < LEAST_TOMBSTONES.max(keys / 8) {
        return;
    }
    // To the end of the pass that the last trim has begun, or the program. A piece does nothing while another
    // thread trims, so their count is limited.
    for _ in 0..2 * (keys as usize / PIECE + 1) {
        if checkpointer.is_closing() {
            return;
        }
        let guard = tree.index().local_guard();
        match tree.versioned().trim(guard.pin(), LATEST, PIECE) {
            Ok(trimmed) if !trimmed.ended => {}
            _ => break,
        }
    }
    let after = counts(tree).tombstones;
    tree.kept_tombstones.store(after, Ordering::Relaxed);
    checkpointer.counts.trimmed(before.saturating_sub(after));
}
