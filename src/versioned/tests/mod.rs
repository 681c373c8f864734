//! Tests of versioned trees.

mod append_only;
mod batches;
mod bulk;
mod commits;
mod delimited;
mod digests;
mod groups;
mod hot_key;
mod model;
mod oracle;
mod overwrites;
mod ranges;
mod skip_map;
mod store;
mod threads;
mod trim;

use std::cell::Cell;
use std::ops::ControlFlow;

use super::*;
use crate::index::memory::Allocator;
use crate::index::reclaim::Guard;
use crate::index::tree::{Range, TreeOptions};
use crate::testing::Random;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// Counts a link that this thread has followed.
pub(super) fn count_step() {
    STEPS.set(STEPS.get() + 1);
}

/// Returns how many links `work` follows.
fn steps(work: impl FnOnce()) -> u64 {
    let before = STEPS.get();
    work();
    STEPS.get() - before
}

/// A versioned tree of a test.
struct Subject {
    tree: Tree,
}

impl Subject {
    fn new() -> Self {
        Self::with(Freeing::InTrims)
    }

    fn with(freeing: Freeing) -> Self {
        let mut tree = Tree::with_options(&TreeOptions {
            values: values(),
            keeps_everything: freeing == Freeing::Never,
            ..TreeOptions::default()
        })
        .unwrap();
        attach(&mut tree, freeing, None).unwrap();
        Self { tree }
    }

    /// A tree of a store.
    fn of_store(freeing: Freeing, clock: &Clock, allocator: Option<Allocator>) -> Self {
        let mut tree = Tree::with_options(&TreeOptions {
            values: values(),
            allocator,
            ..TreeOptions::default()
        })
        .unwrap();
        attach(&mut tree, freeing, Some(clock)).unwrap();
        Self { tree }
    }

    fn of(&self) -> VersionedTree<'_> {
        VersionedTree::of(&self.tree).unwrap()
    }

    fn guard(&self) -> Guard<'_> {
        self.tree.guard().unwrap()
    }

    fn put(&self, key: &[u8], number: u64, kind: Kind, bytes: &[u8]) -> Result<(), Refused> {
        let put = Put {
            number,
            kind,
            digest: None,
            bytes,
        };
        self.of().put(self.guard().pin(), key, &put, false)
    }

    /// Returns the value of a key at a number.
    fn value(&self, key: &[u8], number: u64) -> Option<Vec<u8>> {
        match self.of().get(self.guard().pin(), key, number) {
            Found::Version(version) => Some(version.bytes().to_vec()),
            _ => None,
        }
    }

    /// Checks the index and the lists.
    fn assert_sound(&self) {
        let guard = self.guard();
        let sound = self.of().check(guard.pin(), &mut |line| panic!("{line}"));
        assert_eq!(sound, Ok(true));
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        // SAFETY: the test has ended.
        unsafe { detach(&self.tree) }
    }
}

/// Returns a version as the oracle has it.
fn row(key: &[u8], version: Version<'_>) -> oracle::Row {
    let bytes = version.bytes().to_vec();
    (key.to_vec(), version.number(), version.kind_number(), bytes)
}
