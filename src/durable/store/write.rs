//! Writes of one key.

use super::condition::Condition;
use super::record::{Change, RecordKind};
use super::{Store, StoreFault, StoreTree};
use crate::index::reclaim::Pinned;
use crate::versioned::{Kind, Uncommitted, Version};

/// What a write of one key has done.
#[derive(Clone, Copy)]
pub(crate) enum Written<'g> {
    /// The commit with this number displaced a value, or none.
    Done {
        number: u64,
        displaced: Option<Version<'g>>,
    },
    /// Nothing: the condition does not hold for this value, or for a key without one.
    Unmet(Option<Version<'g>>),
}

/// Why a write changes nothing.
enum Refused<'g> {
    Unmet(Option<Version<'g>>),
    Dropped,
}

impl Store {
    /// Stores a value under a key, if the condition holds. The caller next waits for the level of the options, as for
    /// every function that commits.
    pub(crate) fn put<'g>(
        &self,
        tree: &'g StoreTree,
        pin: Pinned<'g>,
        key: &[u8],
        value: &[u8],
        condition: Condition<'_>,
    ) -> Result<Written<'g>, StoreFault> {
        let change = Change {
            tree: tree.number(),
            kind: Kind::Value,
            key,
            value,
        };
        self.write(tree, pin, &change, condition)
    }

    /// Removes a key that has a value, if the condition holds.
    pub(crate) fn remove<'g>(
        &self,
        tree: &'g StoreTree,
        pin: Pinned<'g>,
        key: &[u8],
        condition: Condition<'_>,
    ) -> Result<Written<'g>, StoreFault> {
        let change = Change {
            tree: tree.number(),
            kind: Kind::Tombstone,
            key,
            value: &[],
        };
        let condition = match condition {
            Condition::None => Condition::Present,
            condition => condition,
        };
        self.write(tree, pin, &change, condition)
    }

    fn write<'g>(
        &self,
        tree: &'g StoreTree,
        pin: Pinned<'g>,
        change: &Change<'_>,
        condition: Condition<'_>,
    ) -> Result<Written<'g>, StoreFault> {
        let size = change.size().ok_or(StoreFault::TooLarge)?;
        let (versioned, life) = (tree.versioned(), &tree.life);
        let room = self.log_to_write()?.reserve(size)?;
        // Under the guard: see `life`.
        if life.is_over() {
            return Err(StoreFault::Dropped);
        }
        let new = versioned.prepare(pin, change.kind, change.value)?;
        let judge = |present| match condition.holds(present) {
            true => Ok(()),
            false => Err(Refused::Unmet(present)),
        };
        let mut place = None;
        let number = || {
            let number = place.insert(room.take()).number();
            match life.allows(number) {
                true => Ok(number),
                false => Err(Refused::Dropped),
            }
        };
        let committed = match versioned.commit(pin, change.key, new, judge, number) {
            Ok(committed) => committed,
            Err(Uncommitted::OutOfMemory) => return Err(StoreFault::OutOfMemory),
            Err(Uncommitted::Refused(Refused::Unmet(present))) => {
                return Ok(Written::Unmet(present));
            }
            Err(Uncommitted::Refused(Refused::Dropped)) => {
                let place = place.expect("it has its number");
                place.fill(RecordKind::Void as u8, |_| {});
                return Err(StoreFault::Dropped);
            }
            Err(Uncommitted::MarkedAlready) => unreachable!("a write of one key has no batch"),
        };
        let place = place.expect("a commit takes its number");
        place.fill_to(self.level, RecordKind::Commit as u8, |writer| {
            change.encode(|bytes| writer.write(bytes));
        });
        // Dropped only now: what was displaced is retired after the commit is reported as installed.
        Ok(Written::Done {
            number: committed.number,
            displaced: committed.displaced,
        })
    }
}
