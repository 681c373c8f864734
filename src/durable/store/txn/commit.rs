//! Validates a transaction, and commits it.

use std::ops::ControlFlow;

use super::accesses::{Access, State};
use super::counts::Event;
use super::{Isolation, Transaction};
use crate::durable::log::{Level, Log};
use crate::durable::store::commit::{Guards, Marks, Stopped, fill, size_of_record};
use crate::durable::store::plan::{Plan, Write};
use crate::durable::store::{StoreFault, StoreTree};
use crate::index::memory::{OutOfMemory, Vector};
use crate::protocol::Line;

/// How a transaction has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ending {
    /// It is committed with this number; if it has written nothing, the number at which it has read.
    Done(u64),
    /// Another commit has changed what it has read, or written: nothing is changed. `conflict` returns the
    /// key.
    Conflict,
}

/// What refuses a commit. The key is noted.
struct Refused(Event);

impl<'s> Transaction<'s> {
    /// Commits the transaction, which has ended afterwards. After an error it has not, and may be committed
    /// again.
    pub(crate) fn commit(&mut self) -> Result<Ending, StoreFault> {
        self.commit_between(|| ())
    }

    /// [`Self::commit`]; calls `marked` when all marks stand, before the number is taken.
    pub(in crate::durable::store) fn commit_between(
        &mut self,
        marked: impl FnOnce(),
    ) -> Result<Ending, StoreFault> {
        let snapshot = self.running()?;
        if self.written == 0 {
            self.end(Event::Committed);
            return Ok(Ending::Done(snapshot));
        }
        match self.try_commit(snapshot, marked) {
            Ok(number) => {
                self.end(Event::Committed);
                Ok(Ending::Done(number))
            }
            Err(Stopped::Unfit(Refused(event))) => {
                self.end(event);
                Ok(Ending::Conflict)
            }
            Err(Stopped::Fault(fault)) => Err(fault),
        }
    }

    /// Waits until a commit has reached the level that the store's options or the transaction's demand.
    pub(crate) fn reach_level(&self, number: u64) -> Result<(), StoreFault> {
        match self.level() {
            Level::Memory => Ok(()),
            level => self.store.wait(number, level),
        }
    }

    fn level(&self) -> Level {
        self.store.level.max(self.options.level)
    }

    fn try_commit(
        &mut self,
        snapshot: u64,
        marked: impl FnOnce(),
    ) -> Result<u64, Stopped<Refused>> {
        let store = self.store;
        let log = store.log_to_write()?;
        log.admit().map_err(StoreFault::from)?;
        let guards = {
            let accessed = self.accesses.iter().map(|access| access.tree);
            let scanned = self.scanned.iter().map(|scanned| scanned.tree);
            Guards::enter(store, accessed.chain(scanned))?
        };
        // Under the guards, before the first mark: see `life`.
        guards.check_trees()?;
        let is_serializable = self.options.isolation == Isolation::Serializable;
        // Everything up to this number is installed.
        let seen = match is_serializable {
            true => log.settle(),
            false => 0,
        };
        if is_serializable {
            self.validate(&guards, snapshot)?;
        }
        let plan = Plan::of_writes(store.source(), self.writes())?;
        let size = size_of_record(&plan).ok_or(StoreFault::TooLarge)?;
        let room = log.reserve(size).map_err(StoreFault::from)?;
        let record = store.clock.record()?;
        let mut marks = Marks::new(store, &plan, &guards, &record)?;
        let mut changed = None;
        let placed = marks.place_all(|at, newest| {
            let is_changed = newest.is_some_and(|newest| newest.number() > snapshot);
            if is_changed && self.must_be_unchanged(plan.key(at)) {
                changed = Some(at);
                return Err(Refused(Event::WriteConflict));
            }
            Ok(())
        });
        if let Some(at) = changed {
            let (tree, key) = plan.key(at);
            self.note_conflict(tree, key)?;
        }
        placed?;
        marked();
        let place = room.take();
        let number = place.number();
        let valid = match (guards.allow(number), is_serializable) {
            (false, _) => Err(StoreFault::Dropped.into()),
            (true, true) => self.validate_before(log, &guards, (snapshot, seen), number),
            (true, false) => Ok(()),
        };
        marks.settle(valid.is_ok().then_some(number));
        // Before the marks are resolved, which takes longer: readers at a mark look at the record.
        fill(place, &plan, valid.is_ok(), self.level());
        valid?;
        (store.transaction_counts).add(Event::CommittedByte, size as u64);
        Ok(number)
    }

    /// Whether a key that is written must be as it was at the snapshot.
    fn must_be_unchanged(&self, (tree, key): (&StoreTree, &[u8])) -> bool {
        if !Line::WrittenAreUnchanged.is_enabled() {
            return false;
        }
        match self.options.isolation {
            Isolation::Snapshot => true,
            Isolation::Serializable | Isolation::ReadOnly => {
                (self.accesses.find(tree, key)).is_ok_and(|at| self.accesses.get(at).is_read)
            }
        }
    }

    /// What is written, in the order of trees and keys. The bytes stay until the transaction ends.
    fn writes<'w>(&'w self) -> impl Iterator<Item = Write<'s>> + 'w {
        self.accesses.iter().filter_map(|access| {
            // SAFETY: the plan is dropped before the transaction ends.
            let (key, value) = unsafe {
                match access.state {
                    State::Before => return None,
                    State::Value(value) => (access.key(), Some(value.get())),
                    State::Absent => (access.key(), None),
                }
            };
            Some(Write {
                tree: access.tree,
                key,
                value,
            })
        })
    }

    /// Validates what was read for the state before a number that was taken. `seen`: it was valid for the state
    /// at this number.
    fn validate_before(
        &mut self,
        log: &Log,
        guards: &Guards<'_>,
        (snapshot, seen): (u64, u64),
        number: u64,
    ) -> Result<(), Stopped<Refused>> {
        if number == seen + 1 || !Line::ValidatedAfterNumber.is_enabled() {
            return Ok(());
        }
        let reads_others = |of: &Self| {
            let others = |access: &Access<'_>| access.is_read && !access.is_written();
            !of.scanned.is_empty() || of.accesses.iter().any(others)
        };
        if !reads_others(self) {
            return Ok(());
        }
        if Line::LowerAreInstalled.is_enabled() {
            log.settle_before(number);
        }
        self.validate(guards, snapshot)
    }

    /// Refuses the commit if a key that was read and is not written has changed since the snapshot, or one in a
    /// range.
    fn validate(&mut self, guards: &Guards<'_>, snapshot: u64) -> Result<(), Stopped<Refused>> {
        if let Some(access) = self.changed_access(guards, snapshot) {
            // SAFETY: the transaction does not end during this call.
            self.note_conflict(access.tree, unsafe { access.key() })?;
            return Err(Stopped::Unfit(Refused(Event::KeyConflict)));
        }
        match self.is_range_changed(guards, snapshot)? {
            true => Err(Stopped::Unfit(Refused(Event::RangeConflict))),
            false => Ok(()),
        }
    }

    fn changed_access(&self, guards: &Guards<'_>, snapshot: u64) -> Option<Access<'s>> {
        if !Line::ReadsAreValidated.is_enabled() {
            return None;
        }
        // Keys that are written are judged under their marks.
        let mut others =
            (self.accesses.iter()).filter(|access| access.is_read && !access.is_written());
        let changed = others.find(|access| {
            // SAFETY: the transaction does not end during this call.
            let key = unsafe { access.key() };
            let tree = access.tree;
            tree.versioned()
                .has_changed(guards.pin(tree), key, snapshot)
        });
        changed.copied()
    }

    /// Whether a key in a range that was scanned has changed since the snapshot. Notes the key.
    fn is_range_changed(
        &mut self,
        guards: &Guards<'_>,
        snapshot: u64,
    ) -> Result<bool, OutOfMemory> {
        if !Line::RangesAreValidated.is_enabled() {
            return Ok(false);
        }
        let scans = std::mem::replace(&mut self.scanned, Vector::new_in(self.store.source()));
        let mut outcome = Ok(false);
        for scanned in &scans {
            // SAFETY: the transaction does not end during this call.
            let Some(range) = (unsafe { scanned.range() }) else {
                continue;
            };
            let (tree, pin) = (scanned.tree, guards.pin(scanned.tree));
            let walked = tree.versioned().scan_changed(pin, &range, snapshot, |key| {
                outcome = self.note_conflict(tree, key).map(|()| true);
                ControlFlow::Break(())
            });
            outcome = walked.and(outcome);
            if outcome != Ok(false) {
                break;
            }
        }
        self.scanned = scans;
        outcome
    }
}
