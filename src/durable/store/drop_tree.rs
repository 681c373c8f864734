//! Drops trees. What a drop means beside other commits, and when the content goes, is in the comment of
//! `life`.
//!
//! The record is placed under the catalog's lock, so that a tree which is made with the name later has a record
//! behind it. What is called a dropped tree here keeps its address, its number and some KiB until the store
//! is closed; its content is cleared by the drop itself, or by whatever looks next for trees to clear:
//! another drop, a new tree, a checkpoint, or the thread in the background.

use super::catalog::{Catalog, StoreTree, check_name};
use super::record::{RecordKind, encode_tree, tree_size};
use super::{Store, StoreFault};
use crate::index::memory::OutOfMemory;

impl Store {
    /// Drops the tree with a name, with all of its keys. Returns the number of the commit; `None` if there
    /// is no such tree.
    pub(crate) fn drop_tree(&self, name: &str) -> Result<Option<u64>, StoreFault> {
        check_name(name).ok_or(StoreFault::BadName)?;
        let log = self.log_to_write()?;
        let room = log.reserve(tree_size(name))?;
        let mut number = None;
        let dropped = self.catalog.remove(name, |tree| {
            let mut placed = None;
            tree.life.end(|| {
                let place = placed.insert(room.take());
                *number.insert(place.number())
            });
            let place = placed.expect("a drop takes its number");
            place.fill(RecordKind::Dropped as u8, |writer| {
                encode_tree(tree.number(), name, |bytes| writer.write(bytes));
            });
        });
        let (Some(tree), Some(number)) = (dropped, number) else {
            return Ok(None);
        };
        let guard = tree.index().local_guard();
        // SAFETY: a tree of the catalog does not move, and reclaims everything before it is freed.
        unsafe { tree.life.await_writes(guard.pin()) };
        drop(guard);
        // Without memory the content stays for now: the tree is dropped.
        let _ = self.catalog.clear_dropped();
        Ok(Some(number))
    }
}

impl Catalog {
    /// Clears the dropped trees whose content is needed no more.
    pub(super) fn clear_dropped(&self) -> Result<(), OutOfMemory> {
        let mut outcome = Ok(());
        self.each_dropped(|tree| outcome = outcome.and(clear(tree)));
        outcome
    }
}

fn clear(tree: &StoreTree) -> Result<(), OutOfMemory> {
    let versioned = tree.versioned();
    let clear = || {
        let guard = tree.index().local_guard();
        versioned.clear(guard.pin())
    };
    tree.life.clear(|| versioned.oldest_snapshot(), clear)
}
