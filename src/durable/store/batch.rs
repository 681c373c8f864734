//! Batches: operations that are collected, to be committed at once.
//!
//! A batch copies the keys and values of its operations. Operations are in order: each sees what
//! those before it in the batch have changed (`plan`).

use std::ops::Range;

use super::catalog::StoreTree;
use crate::index::key::MAX_KEY_LEN;
use crate::index::memory::{OutOfMemory, Source, Vector, append};

/// What an operation of a batch does or demands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Action<'b> {
    Put {
        value: &'b [u8],
    },
    Remove,
    /// Moves the value of the key to another one, which must be absent unless `replaces`.
    Rename {
        to: &'b [u8],
        replaces: bool,
    },
    /// The key has no value.
    AssertAbsent,
    /// The key has a value.
    AssertPresent,
    /// The key has a value, which the commit with this number stored.
    AssertVersion {
        number: u64,
    },
    /// The key has this value.
    AssertValue {
        value: &'b [u8],
    },
    /// No key that begins with the key has a value.
    AssertPrefixEmpty,
}

/// An operation of a batch.
#[derive(Clone, Copy)]
pub(crate) struct Operation<'b> {
    pub(crate) tree: &'b StoreTree,
    pub(crate) key: &'b [u8],
    pub(crate) action: Action<'b>,
}

/// An operation, whose bytes are in the batch: the key, and after it what the action has.
struct Stored {
    tree: *const StoreTree,
    /// The action, without its bytes.
    action: Form,
    key: Range<usize>,
    other: Range<usize>,
}

#[derive(Clone, Copy)]
enum Form {
    Put,
    Remove,
    Rename { replaces: bool },
    AssertAbsent,
    AssertPresent,
    AssertVersion { number: u64 },
    AssertValue,
    AssertPrefixEmpty,
}

/// Operations that are committed at once.
pub(crate) struct Batch {
    operations: Vector<Stored>,
    bytes: Vector<u8>,
}

// SAFETY: the trees belong to the store, which outlives the batch, and any thread may use them.
unsafe impl Send for Batch {}

impl Batch {
    pub(crate) fn new(source: Source) -> Self {
        Self {
            operations: Vector::new_in(source),
            bytes: Vector::new_in(source),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.operations.len()
    }

    /// Appends an operation. Without memory the batch stays as it is.
    ///
    /// # Safety
    /// The tree outlives the batch, and the keys of the operation are no longer than [`MAX_KEY_LEN`].
    pub(crate) unsafe fn push(&mut self, operation: &Operation<'_>) -> Result<(), OutOfMemory> {
        debug_assert!(operation.key.len() <= MAX_KEY_LEN);
        let (action, other): (Form, &[u8]) = match operation.action {
            Action::Put { value } => (Form::Put, value),
            Action::Remove => (Form::Remove, &[]),
            Action::Rename { to, replaces } => (Form::Rename { replaces }, to),
            Action::AssertAbsent => (Form::AssertAbsent, &[]),
            Action::AssertPresent => (Form::AssertPresent, &[]),
            Action::AssertVersion { number } => (Form::AssertVersion { number }, &[]),
            Action::AssertValue { value } => (Form::AssertValue, value),
            Action::AssertPrefixEmpty => (Form::AssertPrefixEmpty, &[]),
        };
        let size = (operation.key.len().checked_add(other.len())).ok_or(OutOfMemory)?;
        (self.bytes.try_reserve(size)).map_err(|_| OutOfMemory)?;
        (self.operations.try_reserve(1)).map_err(|_| OutOfMemory)?;
        let begin = self.bytes.len();
        append(&mut self.bytes, operation.key);
        let middle = self.bytes.len();
        append(&mut self.bytes, other);
        self.operations.push(Stored {
            tree: operation.tree,
            action,
            key: begin..middle,
            other: middle..self.bytes.len(),
        });
        Ok(())
    }

    /// Removes all operations, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.operations.clear();
        self.bytes.clear();
    }

    /// Returns an operation. The index is below `len`.
    pub(crate) fn get(&self, index: usize) -> Operation<'_> {
        let stored = &self.operations[index];
        let other = &self.bytes[stored.other.clone()];
        let action = match stored.action {
            Form::Put => Action::Put { value: other },
            Form::Remove => Action::Remove,
            Form::Rename { replaces } => Action::Rename {
                to: other,
                replaces,
            },
            Form::AssertAbsent => Action::AssertAbsent,
            Form::AssertPresent => Action::AssertPresent,
            Form::AssertVersion { number } => Action::AssertVersion { number },
            Form::AssertValue => Action::AssertValue { value: other },
            Form::AssertPrefixEmpty => Action::AssertPrefixEmpty,
        };
        Operation {
            // SAFETY: the contract of `push`.
            tree: unsafe { &*stored.tree },
            key: &self.bytes[stored.key.clone()],
            action,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Operation<'_>> {
        (0..self.len()).map(|index| self.get(index))
    }
}
