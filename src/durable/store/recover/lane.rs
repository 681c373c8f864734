//! A queue of batches from the reader to one thread, which gives them back to be filled again.
//!
//! A mutex protects the queue; it is held to move a batch in or out. The reader waits while all batches of
//! the lane are under way, the thread while none is full.

use std::sync::{Condvar, Mutex};

use arrayvec::ArrayVec;

use super::apply::{Applier, Batch};
use crate::errno;
use crate::index::memory::OutOfMemory;

/// The batches of a lane: one is filled, one is applied, and the others even out the difference.
const BATCHES: usize = 4;

/// How far a lane is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// The reader hands on no more.
    Ended,
    /// The thread ran out of memory, or the reader gives everything up.
    Abandoned,
}

struct State {
    /// The batches to apply, the oldest first.
    full: ArrayVec<Batch, BATCHES>,
    /// Empty batches.
    free: ArrayVec<Batch, BATCHES>,
    stage: Stage,
}

/// The way of batches to a thread.
pub(super) struct Lane {
    state: Mutex<State>,
    changed: Condvar,
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                full: ArrayVec::new(),
                free: (0..BATCHES).map(|_| Batch::default()).collect(),
                stage: Stage::Open,
            }),
            changed: Condvar::new(),
        }
    }

    fn with<R>(&self, act: impl FnOnce(&mut State) -> R) -> R {
        let result = act(&mut errno::lock(&self.state));
        self.changed.notify_all();
        result
    }

    /// Returns an empty batch, and waits for one if need be; fails if the thread has failed.
    pub(super) fn empty(&self) -> Result<Batch, OutOfMemory> {
        // Ends: the thread gives back each batch that it gets, or fails.
        errno::wait_until(&self.changed, &self.state, |state| {
            !state.free.is_empty() || state.stage == Stage::Abandoned
        });
        let mut state = errno::lock(&self.state);
        match state.stage {
            Stage::Abandoned => Err(OutOfMemory),
            Stage::Open | Stage::Ended => state.free.pop().ok_or(OutOfMemory),
        }
    }

    /// Hands a batch to the thread.
    pub(super) fn hand_on(&self, batch: Batch) {
        self.with(|state| state.full.push(batch));
    }

    /// Hands on no more. The thread applies what it has.
    pub(super) fn end(&self) {
        self.with(|state| {
            if state.stage == Stage::Open {
                state.stage = Stage::Ended;
            }
        });
    }

    /// Gives up what was not applied.
    pub(super) fn abandon(&self) {
        self.with(|state| state.stage = Stage::Abandoned);
    }

    /// The next batch to apply; `None` if there is no more.
    fn next(&self) -> Option<Batch> {
        // Ends: the reader hands on a batch, or ends or abandons the lane.
        errno::wait_until(&self.changed, &self.state, |state| {
            !state.full.is_empty() || state.stage != Stage::Open
        });
        let mut state = errno::lock(&self.state);
        match state.stage {
            Stage::Abandoned => None,
            Stage::Open | Stage::Ended => state.full.pop_at(0),
        }
    }

    /// Applies the batches that the reader hands on, up to the end.
    pub(super) fn run(&self, mut applier: Applier<'_>) -> Result<(), OutOfMemory> {
        // Ends: with the lane.
        while let Some(mut batch) = self.next() {
            applier.apply(&batch).inspect_err(|_| self.abandon())?;
            batch.clear();
            self.with(|state| state.free.push(batch));
        }
        Ok(())
    }
}

/// Returns as many lanes.
pub(super) fn lanes(count: usize) -> Result<Vec<Lane>, OutOfMemory> {
    let mut lanes = Vec::new();
    (lanes.try_reserve_exact(count)).map_err(|_| OutOfMemory)?;
    lanes.extend((0..count).map(|_| Lane::new()));
    Ok(lanes)
}

/// Abandons lanes when it is dropped: so the threads of a scope end however the scope does.
pub(super) struct Abandon<'l>(pub(super) &'l [Lane]);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        self.0.iter().for_each(Lane::abandon);
    }
}
