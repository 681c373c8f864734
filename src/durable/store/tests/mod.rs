//! Tests of stores, in memory and on a disk in memory.

mod batches;
mod changes;
mod checkpoint_faults;
mod checkpoints;
mod crash;
mod drops;
mod exports;
mod imports;
mod model;
mod opening;
mod recovery;
mod threads;
mod transactions;
mod verify;

use super::*;
use crate::durable::io::Path;
use crate::durable::io::memory::Disk;
use crate::index::reclaim::Pinned;
use crate::index::tree::Range;
use crate::versioned::LATEST;

const DIRECTORY: &[u8] = b"/disk";

/// Options of a store in the directory of a disk, with a ring of 2 KiB, and files of the log of some 16 KiB.
fn on(disk: &Disk) -> StoreOptions {
    StoreOptions {
        directory: Some(Path::new(DIRECTORY).unwrap()),
        io: disk.io(),
        log_buffer_bytes: 2 << 10,
        log_segment_bytes: 1,
        ..StoreOptions::default()
    }
}

fn in_memory() -> Store {
    Store::open(StoreOptions::default()).unwrap()
}

fn tree_named<'s>(store: &'s Store, name: &str) -> &'s StoreTree {
    store.tree(name).unwrap().unwrap()
}

/// Calls `body` with a pin of a tree.
fn pinned<R>(tree: &StoreTree, body: impl FnOnce(Pinned<'_>) -> R) -> R {
    let guard = tree.index().local_guard();
    body(guard.pin())
}

fn put(store: &Store, tree: &StoreTree, key: &[u8], value: &[u8]) -> u64 {
    pinned(tree, |pin| {
        match store.put(tree, pin, key, value, Condition::None).unwrap() {
            Written::Done { number, .. } => number,
            Written::Unmet(_) => unreachable!("there is no condition"),
        }
    })
}

fn get(tree: &StoreTree, key: &[u8]) -> Option<Vec<u8>> {
    pinned(tree, |pin| {
        tree.newest(pin, key)
            .map(|version| version.bytes().to_vec())
    })
}

/// All keys of a tree with their values, as of a moment.
fn content(tree: &StoreTree) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut content = Vec::new();
    pinned(tree, |pin| {
        let visited = &mut 0;
        let versioned = tree.versioned();
        (versioned.scan_at(pin, &Range::all(), LATEST, visited, |key, version| {
            content.push((key.to_vec(), version.bytes().to_vec()));
            ControlFlow::Continue(())
        }))
        .unwrap();
    });
    content
}

fn add(batch: &mut Batch, tree: &StoreTree, key: &[u8], action: Action<'_>) {
    // SAFETY: tests keep the store as long as the batch.
    unsafe { batch.push(&Operation { tree, key, action }) }.unwrap();
}

/// Checks the tree's structure.
fn check(tree: &StoreTree) {
    pinned(tree, |pin| {
        let checked = (tree.versioned()).check(pin, &mut |problem| panic!("{problem}"));
        assert!(checked.unwrap());
    });
}
