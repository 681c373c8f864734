//! What a batch comes to: for each key that it touches, the conditions on its value before the batch, and
//! the change.
//!
//! Operations are taken in order, over a map of the keys that they name. A condition on a key that the batch
//! has written is decided here; one on a key that it has not written yet is left to the commit, under
//! the key's mark. A rename needs the value of its source: if the batch has not written it, that is
//! read now, and the commit demands that it is still the newest (`was_read`); when it is not, the
//! batch is planned again.

use std::cmp::Ordering;

use super::batch::{Action, Batch, Operation};
use super::catalog::StoreTree;
use super::condition::Condition;
use crate::index::memory::{OutOfMemory, Source, Vector};
use crate::index::reclaim::Pinned;
use crate::versioned::{Kind, Version};

/// A condition of the operation `by` on the key `at`.
#[derive(Clone, Copy)]
struct Demand<'b> {
    at: usize,
    by: usize,
    condition: Condition<'b>,
    /// The plan read the key: if the condition does not hold, another commit has overtaken the plan.
    was_read: bool,
}

/// What the batch has made of a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State<'b> {
    /// As it was before.
    Before,
    Value(&'b [u8]),
    Absent,
}

/// A key that the batch names.
struct Touched<'b> {
    tree: &'b StoreTree,
    key: &'b [u8],
    state: State<'b>,
}

/// A prefix under which the operation `by` demands no key.
#[derive(Clone, Copy)]
pub(super) struct EmptyPrefix<'b> {
    pub(super) tree: &'b StoreTree,
    pub(super) prefix: &'b [u8],
    by: usize,
}

/// A condition that does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Unmet {
    /// The index of the operation.
    pub(crate) operation: usize,
    /// Whether the key has a value.
    pub(crate) is_present: bool,
}

/// Why a batch cannot be committed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unfit {
    OutOfMemory,
    /// The condition of the operation with this index does not hold.
    Failed(Unmet),
    /// Another commit has overtaken the plan.
    Overtaken,
}

impl Unfit {
    fn failed(operation: usize, is_present: bool) -> Self {
        Self::Failed(Unmet {
            operation,
            is_present,
        })
    }
}

impl From<OutOfMemory> for Unfit {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// What a transaction stores under a key.
pub(super) struct Write<'b> {
    pub(super) tree: &'b StoreTree,
    pub(super) key: &'b [u8],
    /// `None`: the key is removed.
    pub(super) value: Option<&'b [u8]>,
}

/// A planned batch: its keys in ascending order of tree and key.
pub(super) struct Plan<'b> {
    keys: Vector<Touched<'b>>,
    demands: Vector<Demand<'b>>,
    prefixes: Vector<EmptyPrefix<'b>>,
}

fn order(a: (&StoreTree, &[u8]), b: (&StoreTree, &[u8])) -> Ordering {
    (a.0.number(), a.1).cmp(&(b.0.number(), b.1))
}

fn push<T>(to: &mut Vector<T>, item: T) -> Result<(), OutOfMemory> {
    to.try_reserve(1).map_err(|_| OutOfMemory)?;
    to.push(item);
    Ok(())
}

impl<'b> Plan<'b> {
    /// Plans a batch. What it reads stays valid under `pin_of`'s pins for `'b`.
    pub(super) fn make(
        batch: &'b Batch,
        source: Source,
        pin_of: impl Fn(&'b StoreTree) -> Pinned<'b>,
    ) -> Result<Self, Unfit> {
        let mut plan = Self {
            keys: Vector::new_in(source),
            demands: Vector::new_in(source),
            prefixes: Vector::new_in(source),
        };
        plan.collect_keys(batch)?;
        for (by, operation) in batch.iter().enumerate() {
            plan.apply(by, &operation, &pin_of)?;
        }
        plan.demands
            .sort_unstable_by_key(|demand| (demand.at, demand.by));
        Ok(plan)
    }

    /// The plan of writes in ascending order of tree and key, each key once, without any conditions.
    pub(super) fn of_writes(
        source: Source,
        writes: impl Iterator<Item = Write<'b>>,
    ) -> Result<Self, OutOfMemory> {
        let mut plan = Self {
            keys: Vector::new_in(source),
            demands: Vector::new_in(source),
            prefixes: Vector::new_in(source),
        };
        for Write { tree, key, value } in writes {
            let state = value.map_or(State::Absent, State::Value);
            push(&mut plan.keys, Touched { tree, key, state })?;
        }
        Ok(plan)
    }

    fn collect_keys(&mut self, batch: &'b Batch) -> Result<(), OutOfMemory> {
        let touched = |tree, key| Touched {
            tree,
            key,
            state: State::Before,
        };
        for Operation { tree, key, action } in batch.iter() {
            if let Action::Rename { to, .. } = action {
                push(&mut self.keys, touched(tree, to))?;
            }
            if action != Action::AssertPrefixEmpty {
                push(&mut self.keys, touched(tree, key))?;
            }
        }
        (self.keys).sort_unstable_by(|a, b| order((a.tree, a.key), (b.tree, b.key)));
        (self.keys).dedup_by(|a, b| order((a.tree, a.key), (b.tree, b.key)).is_eq());
        Ok(())
    }

    fn find(&self, tree: &StoreTree, key: &[u8]) -> Option<usize> {
        let at = (self.keys).binary_search_by(|of| order((of.tree, of.key), (tree, key)));
        at.ok()
    }

    fn apply(
        &mut self,
        by: usize,
        operation: &Operation<'b>,
        pin_of: &impl Fn(&'b StoreTree) -> Pinned<'b>,
    ) -> Result<(), Unfit> {
        let &Operation { tree, key, action } = operation;
        if action == Action::AssertPrefixEmpty {
            return self.demand_empty(by, tree, key);
        }
        let at = self.find(tree, key).expect("every key was collected");
        match action {
            Action::Put { value } => self.keys[at].state = State::Value(value),
            Action::Remove => self.keys[at].state = State::Absent,
            Action::Rename { to, replaces } => {
                return self.rename(by, at, to, replaces, pin_of(tree));
            }
            Action::AssertAbsent => return self.demand(by, at, Condition::Absent),
            Action::AssertPresent => return self.demand(by, at, Condition::Present),
            Action::AssertVersion { number } => {
                return self.demand(by, at, Condition::Version(number));
            }
            Action::AssertValue { value } => {
                return self.demand(by, at, Condition::Value(value));
            }
            Action::AssertPrefixEmpty => unreachable!("returned above"),
        }
        Ok(())
    }

    /// Demands a condition of a key as it is now: of what the batch has made of it, or of what it is before.
    fn demand(&mut self, by: usize, at: usize, condition: Condition<'b>) -> Result<(), Unfit> {
        let holds = match (self.keys[at].state, condition) {
            (State::Before, _) => {
                self.leave(by, at, condition, false)?;
                true
            }
            (State::Absent, condition) => matches!(condition, Condition::Absent),
            (State::Value(_), Condition::Present) => true,
            (State::Value(value), Condition::Value(expected)) => value == expected,
            // What the batch has written has no number yet.
            (State::Value(_), _) => false,
        };
        match holds {
            true => Ok(()),
            false => Err(Unfit::failed(by, self.keys[at].state != State::Absent)),
        }
    }

    /// Leaves a condition to the commit.
    fn leave(
        &mut self,
        by: usize,
        at: usize,
        condition: Condition<'b>,
        was_read: bool,
    ) -> Result<(), OutOfMemory> {
        let demand = Demand {
            at,
            by,
            condition,
            was_read,
        };
        push(&mut self.demands, demand)
    }

    fn rename(
        &mut self,
        by: usize,
        from: usize,
        to: &'b [u8],
        replaces: bool,
        pin: Pinned<'b>,
    ) -> Result<(), Unfit> {
        let source = &self.keys[from];
        let to = self.find(source.tree, to).expect("every key was collected");
        let value = match source.state {
            State::Value(value) => value,
            State::Absent => return Err(Unfit::failed(by, false)),
            State::Before => {
                let present = source.tree.newest(pin, source.key);
                let version = present.ok_or(Unfit::failed(by, false))?;
                let value = version.bytes();
                self.leave(by, from, Condition::Version(version.number()), true)?;
                value
            }
        };
        if from == to {
            return Ok(());
        }
        if !replaces {
            self.demand(by, to, Condition::Absent)?;
        }
        self.keys[from].state = State::Absent;
        self.keys[to].state = State::Value(value);
        Ok(())
    }

    /// Demands that no key begins with a prefix: among those that the batch has written now, and among
    /// the others at the commit.
    fn demand_empty(
        &mut self,
        by: usize,
        tree: &'b StoreTree,
        prefix: &'b [u8],
    ) -> Result<(), Unfit> {
        for key in self.under(tree, prefix) {
            if matches!(self.keys[key].state, State::Value(_)) {
                return Err(Unfit::failed(by, true));
            }
        }
        // A key that the batch has removed may be there before; one that it names later may not.
        for at in self.under(tree, prefix) {
            if self.keys[at].state == State::Before {
                self.leave(by, at, Condition::Absent, false)?;
            }
        }
        push(&mut self.prefixes, EmptyPrefix { tree, prefix, by })?;
        Ok(())
    }

    /// The keys with a prefix.
    fn under(&self, tree: &StoreTree, prefix: &[u8]) -> std::ops::Range<usize> {
        let is_before = |of: &Touched<'_>| order((of.tree, of.key), (tree, prefix)).is_lt();
        let begin = self.keys.partition_point(is_before);
        let is_under =
            |of: &Touched<'_>| of.tree.number() == tree.number() && of.key.starts_with(prefix);
        let count = self.keys[begin..].partition_point(is_under);
        begin..begin + count
    }

    /// The number of keys.
    pub(super) fn len(&self) -> usize {
        self.keys.len()
    }

    /// Returns the tree and the key at an index.
    pub(super) fn key(&self, at: usize) -> (&'b StoreTree, &'b [u8]) {
        (self.keys[at].tree, self.keys[at].key)
    }

    /// Returns what is to be stored under the key at an index.
    pub(super) fn change(&self, at: usize) -> Option<(Kind, &'b [u8])> {
        match self.keys[at].state {
            State::Before => None,
            State::Value(value) => Some((Kind::Value, value)),
            State::Absent => Some((Kind::Tombstone, &[])),
        }
    }

    /// Checks the conditions of the key at an index against its newest version.
    pub(super) fn judge(&self, at: usize, present: Option<Version<'_>>) -> Result<(), Unfit> {
        let begin = self.demands.partition_point(|demand| demand.at < at);
        let of_key = self.demands[begin..]
            .iter()
            .take_while(|demand| demand.at == at);
        for demand in of_key {
            if !demand.condition.holds(present) {
                return Err(match demand.was_read {
                    true => Unfit::Overtaken,
                    false => Unfit::failed(demand.by, present.is_some()),
                });
            }
        }
        Ok(())
    }

    /// The prefixes that must be empty.
    pub(super) fn prefixes(&self) -> &[EmptyPrefix<'b>] {
        &self.prefixes
    }

    /// Whether the batch names a key. Such keys were judged under their marks.
    pub(super) fn names(&self, tree: &StoreTree, key: &[u8]) -> bool {
        self.find(tree, key).is_some()
    }
}

impl EmptyPrefix<'_> {
    /// The fault of a prefix that is not empty.
    pub(super) fn unfit(&self) -> Unfit {
        Unfit::failed(self.by, true)
    }
}
