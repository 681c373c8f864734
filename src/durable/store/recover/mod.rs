//! Recovery: builds the trees from the log.
//!
//! # Protocol
//!
//! **One thread reads** (`replay`): the one that opens the store. It gets the log by frames whose checksums
//! are right, and checks every record of a frame, with its changes, before it does anything with the first
//!. So a frame with a record that makes no sense has no effect, and what is
//! refused, at which offset, does not depend on the number of threads. The record of a tree comes before the first
//! change of the tree, and is numbered as the trees before it: the reader makes the tree, before it hands
//! on a later record.
//!
//! A tree that is dropped stays until the end, without a name: threads may still apply its changes, which come
//! before. No later record changes it (`trees` refuses one that does). Then it is freed.
//!
//! **Several threads write** (`lane`, `apply`). The reader copies each change to a batch of the lane that
//! the hash of its tree and key selects, and hands full batches to the lane's
//! thread, in order. So the changes of a key are applied by one thread in the order of the log, where
//! their numbers ascend. A change is stored under its number; of each key only the newest version stays, and
//! a removal takes the key out: nothing older can come later. A lane has a few batches; if all are full, the
//! reader waits. So memory is bounded, whatever is in the log.
//!
//! With one thread, the reader applies a batch itself when it is full.
//!
//! **The end.** The reader hands on what is left, says that there is no more, and joins the threads; what
//! they wrote happens before that. A thread that runs out of memory marks its lane as failed, and the reader
//! finds that when it next needs a batch, or at the end. Whatever happens, the threads are joined before the
//! trees are used or freed.
//!
//! **User code.** The allocator runs on all these threads, the callback for progress on the opening one, with
//! no lock held but that of the directory's file.

mod apply;
mod lane;
mod progress;
mod replay;
mod restoring;
mod trees;
mod verify;

pub(super) use progress::Meter;
pub(crate) use progress::{OnProgress, Phase, Progress};
pub(super) use restoring::{Reading, Restoring};

use std::ops::ControlFlow;
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

use arrayvec::ArrayVec;

use super::Store;
use super::open::{OpenFault, StoreOptions};
use crate::durable::io::Path;
use crate::durable::log::{LogEnd, LogError, read_log};
use crate::durable::threads::{default_count, without_signals};
use crate::errno;
use apply::Applier;
use lane::{Abandon, Lane};
use replay::Replay;

/// The most threads that apply a log.
pub(super) const MOST_THREADS: usize = 64;

/// What recovery did, besides what the log's report says.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Recovery {
    /// The threads that have applied the log.
    pub(crate) threads: usize,
    /// How long the checkpoint was read.
    pub(crate) checkpoint: Duration,
    /// The number of the checkpoint; 0: there was none.
    pub(crate) checkpoint_number: u64,
    /// How long the log was read and applied.
    pub(crate) log: Duration,
}

/// Returns the number of threads for an option, of which 0 is the default.
pub(super) fn thread_count(wanted: usize) -> usize {
    match wanted {
        0 => default_count(),
        wanted => wanted.min(MOST_THREADS),
    }
}

impl Store {
    /// Builds the trees from the records of the log in a directory, from a number on.
    pub(super) fn replay_log(
        &self,
        options: &StoreOptions,
        directory: &Path,
        from: u64,
    ) -> Result<(LogEnd, Recovery), OpenFault> {
        let begun = Instant::now();
        let count = thread_count(options.recovery_threads);
        // With one thread, the reader needs no lane.
        let lanes = lane::lanes(if count > 1 { count } else { 0 })?;
        let mut meter = Meter::new(options.progress);
        let ((end, progress), threads) = thread::scope(|scope| {
            let _abandon = Abandon(&lanes);
            let mut threads = ArrayVec::<_, MOST_THREADS>::new();
            for lane in &lanes {
                let applier = Applier::new(&self.catalog);
                let builder = Builder::new().name("masstree-replay".into());
                let start = || builder.spawn_scoped(scope, move || lane.run(applier));
                // With fewer threads than wanted, or none, recovery takes longer.
                match without_signals(start) {
                    Ok(thread) => threads.push(thread),
                    Err(_) => break,
                }
            }
            let count = threads.len();
            let read = self.replay(options, directory, from, &lanes[..count], &mut meter);
            if let Err(OpenFault::Stopped | OpenFault::OutOfMemory) = read {
                lanes.iter().for_each(Lane::abandon);
            }
            let mut applied = Ok(());
            // All are joined, also after an error: the end of the scope is not seen by ThreadSanitizer.
            for thread in threads {
                let joined = errno::preserve(|| thread.join());
                let ended = joined.expect("replaying does not panic");
                if ended.is_err() {
                    lanes.iter().for_each(Lane::abandon);
                }
                applied = applied.and(ended);
            }
            applied?;
            Ok::<_, OpenFault>((read?, count.max(1)))
        })?;
        // SAFETY: the threads have ended, and no other has the store yet.
        unsafe { self.catalog.free_dropped() };
        match meter.report(&progress) {
            ControlFlow::Break(()) => Err(OpenFault::Stopped),
            ControlFlow::Continue(()) => Ok((
                end,
                Recovery {
                    threads,
                    checkpoint: Duration::ZERO,
                    checkpoint_number: 0,
                    log: begun.elapsed(),
                },
            )),
        }
    }

    /// Reads a log, and hands what it has on to the threads of lanes; applies it if there are none.
    fn replay(
        &self,
        options: &StoreOptions,
        directory: &Path,
        from: u64,
        lanes: &[Lane],
        meter: &mut Meter,
    ) -> Result<(LogEnd, Progress), OpenFault> {
        let mut replay = Replay::new(self, meter, lanes)?;
        let end = read_log(
            &options.io,
            directory,
            from,
            options.salvages,
            &mut |frame| replay.visit(frame),
        );
        // Also before a corruption: if memory is too short for what precedes it, that is the fault, whatever
        // the number of threads.
        let mut progress = match end {
            Err(LogError::Stopped) => return Err(OpenFault::Stopped),
            _ => replay.end()?,
        };
        progress.bytes = progress.total;
        Ok((end?, progress))
    }
}
