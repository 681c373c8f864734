//! Commits of batches.

use std::ops::ControlFlow;

use super::batch::Batch;
use super::catalog::StoreTree;
use super::plan::{EmptyPrefix, Plan, Unfit, Unmet};
use super::record::{Change, RecordKind};
use super::{Store, StoreFault};
use crate::durable::log::{Level, Log, Place};
use crate::index::memory::{OutOfMemory, Vector};
use crate::index::reclaim::{LocalGuard, Pinned};
use crate::index::tree::Range;
use crate::versioned::{Mark, Marked, Record, Uncommitted, Version};

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Committed {
    /// It is visible, with this number. The number of a batch that changes nothing is that of the last
    /// commit that it has seen.
    Done(u64),
    /// A condition does not hold; nothing was changed.
    Failed(Unmet),
}

/// The guards of a commit, one for each of its trees, in the order of their numbers.
pub(super) struct Guards<'b> {
    of: Vector<(&'b StoreTree, LocalGuard<'b>)>,
}

impl<'b> Guards<'b> {
    pub(super) fn enter(
        store: &Store,
        trees: impl Iterator<Item = &'b StoreTree>,
    ) -> Result<Self, OutOfMemory> {
        let mut of: Vector<(&'b StoreTree, LocalGuard<'b>)> = Vector::new_in(store.source());
        for tree in trees {
            let at = of.binary_search_by_key(&tree.number(), |(tree, _)| tree.number());
            if let Err(at) = at {
                of.try_reserve(1).map_err(|_| OutOfMemory)?;
                of.insert(at, (tree, tree.index().local_guard()));
            }
        }
        Ok(Self { of })
    }

    /// Refuses a commit that names a tree which is dropped.
    pub(super) fn check_trees(&self) -> Result<(), StoreFault> {
        match self.of.iter().any(|(tree, _)| tree.life.is_over()) {
            true => Err(StoreFault::Dropped),
            false => Ok(()),
        }
    }

    /// Whether none of the trees was dropped before the commit with this number.
    pub(super) fn allow(&self, number: u64) -> bool {
        self.of.iter().all(|(tree, _)| tree.life.allows(number))
    }

    pub(super) fn pin(&self, tree: &StoreTree) -> Pinned<'_> {
        let at = (self.of).binary_search_by_key(&tree.number(), |(tree, _)| tree.number());
        self.of[at.expect("every tree of the commit has a guard")]
            .1
            .pin()
    }
}

impl Store {
    /// Commits a batch: all of its changes, if all of its conditions hold, or nothing. The caller next waits for
    /// the level of the options, or for another but memory: see [`Place::fill_to`].
    pub(crate) fn commit(&self, batch: &Batch) -> Result<Committed, StoreFault> {
        let log = self.log_to_write()?;
        // Before the conditions are judged: after a failure no write is answered, as with one key.
        log.admit()?;
        let guards = Guards::enter(self, batch.iter().map(|operation| operation.tree))?;
        // Under the guards, before the first mark: see `life`.
        guards.check_trees()?;
        // Ends: a round is repeated only if another commit has changed a key between its plan and its
        // mark, or under a prefix, so that some commit has made progress.
        loop {
            let outcome = Plan::make(batch, self.source(), |tree| guards.pin(tree))
                .map_err(Into::into)
                .and_then(|plan| self.commit_plan(log, &plan, &guards));
            match outcome {
                Ok(number) => return Ok(Committed::Done(number)),
                Err(Stopped::Unfit(Unfit::Failed(unmet))) => return Ok(Committed::Failed(unmet)),
                Err(Stopped::Unfit(Unfit::Overtaken)) => {}
                Err(Stopped::Unfit(Unfit::OutOfMemory)) => return Err(StoreFault::OutOfMemory),
                Err(Stopped::Fault(fault)) => return Err(fault),
            }
        }
    }

    fn commit_plan(&self, log: &Log, plan: &Plan<'_>, guards: &Guards<'_>) -> Result<u64, Stopped> {
        let size = size_of_record(plan).ok_or(StoreFault::TooLarge)?;
        let room = log.reserve(size).map_err(StoreFault::from)?;
        let record = self.clock.record()?;
        let mut marks = Marks::new(self, plan, guards, &record)?;
        marks.place_all(|at, newest| {
            plan.judge(at, newest.filter(|newest| !newest.is_tombstone()))
        })?;
        if size == 0 && plan.prefixes().is_empty() {
            // The conditions held together while all marks stood, and the trees were not dropped.
            guards.check_trees()?;
            return Ok(log.taken());
        }
        let place = room.take();
        let number = place.number();
        let judged = match guards.allow(number) {
            true => judge_prefixes(log, plan, guards, number),
            false => Err(StoreFault::Dropped.into()),
        };
        marks.settle(judged.is_ok().then_some(number));
        // Before the marks are resolved, which takes longer: readers at a mark look at the record.
        fill(place, plan, judged.is_ok(), self.level);
        judged.map(|()| number)
    }
}

/// The marks of a commit, of the first keys of its plan.
pub(super) struct Marks<'m> {
    plan: &'m Plan<'m>,
    guards: &'m Guards<'m>,
    record: &'m Record<'m>,
    placed: Vector<Marked<'m>>,
    /// Whether the record is decided or aborted.
    is_settled: bool,
}

impl<'m> Marks<'m> {
    pub(super) fn new(
        store: &Store,
        plan: &'m Plan<'m>,
        guards: &'m Guards<'m>,
        record: &'m Record<'m>,
    ) -> Result<Self, OutOfMemory> {
        let mut placed = Vector::new_in(store.source());
        placed.try_reserve(plan.len()).map_err(|_| OutOfMemory)?;
        Ok(Self {
            plan,
            guards,
            record,
            placed,
            is_settled: false,
        })
    }

    /// Marks the keys in ascending order. Calls `judge` under each mark, with the key's index and its newest version.
    pub(super) fn place_all<R>(
        &mut self,
        mut judge: impl FnMut(usize, Option<Version<'_>>) -> Result<(), R>,
    ) -> Result<(), Stopped<R>> {
        let plan = self.plan;
        for at in 0..plan.len() {
            let (tree, key) = plan.key(at);
            let mark = match plan.change(at) {
                Some((kind, value)) => Mark::Write(kind, value),
                None => Mark::Hold,
            };
            let judge = |newest: Option<Version<'_>>| judge(at, newest);
            let pin = self.guards.pin(tree);
            match (tree.versioned()).mark(pin, key, self.record, mark, judge) {
                Ok(marked) => self.placed.push(marked),
                Err(Uncommitted::Refused(unfit)) => return Err(Stopped::Unfit(unfit)),
                Err(Uncommitted::OutOfMemory) => return Err(OutOfMemory.into()),
                Err(Uncommitted::MarkedAlready) => unreachable!("a plan has each key once"),
            }
        }
        Ok(())
    }
}

impl Marks<'_> {
    /// Decides for a number, or aborts the commit.
    pub(super) fn settle(&mut self, number: Option<u64>) {
        match number {
            Some(number) => self.record.decide(number),
            None => self.record.abort(),
        }
        self.is_settled = true;
    }
}

impl Drop for Marks<'_> {
    /// Resolves the marks. Without a decision, the commit is aborted.
    fn drop(&mut self) {
        if !self.is_settled {
            self.record.abort();
        }
        for (at, marked) in self.placed.drain(..).enumerate() {
            let (tree, _) = self.plan.key(at);
            tree.versioned().resolve(self.guards.pin(tree), marked);
        }
    }
}

/// Refuses a commit under whose prefixes there are keys at the number before its own, or might be.
fn judge_prefixes(
    log: &Log,
    plan: &Plan<'_>,
    guards: &Guards<'_>,
    number: u64,
) -> Result<(), Stopped> {
    if plan.prefixes().is_empty() {
        return Ok(());
    }
    log.settle_before(number);
    for prefix in plan.prefixes() {
        judge_prefix(plan, prefix, guards.pin(prefix.tree), number)?;
    }
    Ok(())
}

/// First looks for keys at the number before; then for later versions. An overwrite by a later version may have
/// freed what the first look needed. Without a later version at the second look, there was none at
/// the first.
fn judge_prefix(
    plan: &Plan<'_>,
    of: &EmptyPrefix<'_>,
    pin: Pinned<'_>,
    number: u64,
) -> Result<(), Stopped> {
    let tree = of.tree.versioned();
    let mut found = false;
    let range = Range {
        prefix: of.prefix,
        ..Range::all()
    };
    tree.scan_at(pin, &range, number - 1, &mut 0, |key, _| {
        found = !plan.names(of.tree, key);
        match found {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    let mut overtaken = false;
    tree.scan_changed(pin, &range, number, |key| {
        overtaken = !plan.names(of.tree, key);
        match overtaken {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    match (overtaken, found) {
        (true, _) => Err(Unfit::Overtaken.into()),
        (false, true) => Err(of.unfit().into()),
        (false, false) => Ok(()),
    }
}

/// Why a commit stopped. `R` is what refuses it.
pub(super) enum Stopped<R = Unfit> {
    Unfit(R),
    Fault(StoreFault),
}

impl From<Unfit> for Stopped {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

impl<R> From<StoreFault> for Stopped<R> {
    fn from(fault: StoreFault) -> Self {
        Self::Fault(fault)
    }
}

impl<R> From<OutOfMemory> for Stopped<R> {
    fn from(_: OutOfMemory) -> Self {
        Self::Fault(StoreFault::OutOfMemory)
    }
}

/// The bytes of the record of a commit.
pub(super) fn size_of_record(plan: &Plan<'_>) -> Option<usize> {
    changes(plan).try_fold(0usize, |sum, change| sum.checked_add(change.size()?))
}

fn changes<'p>(plan: &'p Plan<'_>) -> impl Iterator<Item = Change<'p>> {
    (0..plan.len()).filter_map(|at| {
        let (tree, key) = plan.key(at);
        let (kind, value) = plan.change(at)?;
        Some(Change {
            tree: tree.number(),
            kind,
            key,
            value,
        })
    })
}

/// Fills the record of a commit; that of a refused one is void. `level` is what the caller waits for, if it
/// is committed.
pub(super) fn fill(place: Place<'_>, plan: &Plan<'_>, is_committed: bool, level: Level) {
    if !is_committed {
        place.fill(RecordKind::Void as u8, |_| {});
        return;
    }
    place.fill_to(level, RecordKind::Commit as u8, |writer| {
        for change in changes(plan) {
            change.encode(|bytes| writer.write(bytes));
        }
    });
}
