//! Batches of changes, and how they are applied to the trees.
//!
//! A batch has changes as records have them, each behind its number. They are applied some at a time: first
//! the nodes that the changes will touch are prefetched, so that the processor waits for several of them at
//! once; then the changes are made, in their order.

use arrayvec::ArrayVec;

use crate::durable::store::catalog::{Catalog, StoreTree};
use crate::durable::store::record::{Change, decode_change};
use crate::index::key::Key;
use crate::index::memory::OutOfMemory;
use crate::versioned::{Kind, Refused};

/// The bytes from which on a batch is full. Few in tests, whose logs are short.
const FULL: usize = if cfg!(test) { 256 } else { 128 << 10 };

/// The most bytes that an empty batch keeps.
const MOST_KEPT: usize = 2 * FULL;

/// Changes whose nodes are prefetched at once.
const WINDOW: usize = 32;

/// Changes, each with its number.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
}

/// A change of a batch.
struct Numbered<'b> {
    number: u64,
    change: Change<'b>,
}

impl Batch {
    /// Adds a change.
    pub(super) fn push(&mut self, number: u64, change: &Change<'_>) -> Result<(), OutOfMemory> {
        let size = change.size().ok_or(OutOfMemory)? + size_of::<u64>();
        if self.bytes.capacity() == 0 {
            (self.bytes.try_reserve(FULL + FULL / 8)).map_err(|_| OutOfMemory)?;
        }
        self.bytes.try_reserve(size).map_err(|_| OutOfMemory)?;
        self.bytes.extend_from_slice(&number.to_le_bytes());
        change.encode(|bytes| self.bytes.extend_from_slice(bytes));
        Ok(())
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL
    }

    /// Removes all changes, and frees the memory of large ones.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        if self.bytes.capacity() > MOST_KEPT {
            self.bytes = Vec::new();
        }
    }
}

/// Takes the first change off a batch.
fn split<'b>(rest: &mut &'b [u8]) -> Option<Numbered<'b>> {
    let (number, after) = rest.split_first_chunk()?;
    let (change, after) = decode_change(after).expect("a batch has what was encoded");
    *rest = after;
    let number = u64::from_le_bytes(*number);
    Some(Numbered { number, change })
}

/// Applies changes to the trees of a catalog.
pub(super) struct Applier<'s> {
    catalog: &'s Catalog,
    /// The tree of the last change.
    tree: Option<&'s StoreTree>,
}

impl<'s> Applier<'s> {
    pub(super) fn new(catalog: &'s Catalog) -> Self {
        Self {
            catalog,
            tree: None,
        }
    }

    /// Applies all changes of a batch, in their order.
    pub(super) fn apply(&mut self, batch: &Batch) -> Result<(), OutOfMemory> {
        let mut rest = batch.bytes.as_slice();
        let mut window = ArrayVec::<Numbered<'_>, WINDOW>::new();
        // Ends: each turn takes a change off.
        while let Some(next) = split(&mut rest) {
            let tree = next.change.tree;
            let is_other = (window.first()).is_some_and(|first| first.change.tree != tree);
            if is_other || window.is_full() {
                self.apply_window(&window)?;
                window.clear();
            }
            window.push(next);
        }
        self.apply_window(&window)
    }

    /// Applies changes of one tree.
    fn apply_window(&mut self, window: &[Numbered<'_>]) -> Result<(), OutOfMemory> {
        let Some(first) = window.first() else {
            return Ok(());
        };
        let tree = self.tree_numbered(first.change.tree);
        if tree.life.is_over() {
            // The reader has dropped it.
            return Ok(());
        }
        let versioned = tree.versioned();
        // What these changes overwrite may be freed when the guard is left.
        let guard = tree.index().local_guard();
        let pin = guard.pin();
        if window.len() > 1 {
            let key = |index: usize| Some(Key::new(window[index].change.key));
            tree.index().prefetch_for_writes(pin, window.len(), key);
        }
        for Numbered { number, change } in window {
            if change.kind == Kind::Tombstone {
                versioned.load_removal(pin, change.key, *number);
                continue;
            }
            match versioned.load(pin, change.key, change.kind, *number, change.value) {
                Ok(()) => {}
                Err(Refused::OutOfMemory) => return Err(OutOfMemory),
                Err(refused) => unreachable!("the reader has checked the number: {refused:?}"),
            }
        }
        Ok(())
    }

    fn tree_numbered(&mut self, number: u32) -> &'s StoreTree {
        let last = self.tree.filter(|tree| tree.number() == number);
        let tree = last.or_else(|| self.catalog.numbered(number));
        self.tree = tree;
        tree.expect("the reader has made the tree")
    }
}
