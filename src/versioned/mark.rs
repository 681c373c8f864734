//! Marks of a batch: placed on its keys, and resolved. What they mean is in the comment of [`verdict`].
//!
//! **Placing.** A mark is allocated, and placed under the lock of its key's leaf, like a commit; its number
//! is that of the batch, taken after the last mark was placed, so it is greater than those of all versions
//! below. Conditions are judged when the mark is placed, and stay as they were until it is resolved: all
//! other writers of the key wait.
//!
//! **Waiting.** A writer that meets a mark which is not decided, or one that holds the key, lets the leaf
//! go, and waits until the mark is decided or unlinked ([`Line::WriterWaitsForMark`]). That ends: all
//! batches of a store place their marks in the same order of trees and keys, so of the batches that wait
//! for each other, the one with the greatest mark waits for nothing; and after its last mark a batch
//! waits for nothing.
//!
//! **Resolving** cannot fail. The tag of a version is stored without a lock. A mark that never becomes a
//! version is unlinked under the lock of its leaf, and retired; a key that has nothing else leaves the tree.
//!
//! [`verdict`]: super::verdict

use super::change::Removed;
use super::entry::{Kind, Version};
use super::list::List;
use super::verdict::Record;
use super::{Freeing, Uncommitted, VersionedTree};
use crate::index::reclaim::Pinned;
#[cfg(doc)]
use crate::protocol::Line;

/// What a batch does with a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark<'v> {
    /// Stores a version.
    Write(Kind, &'v [u8]),
    /// Keeps other writers away, also from a key that is absent, and changes nothing.
    Hold,
}

/// A mark that is placed. It must be passed to [`VersionedTree::resolve`].
#[must_use = "writers of the key wait until it is resolved"]
pub(crate) struct Marked<'g> {
    key: &'g [u8],
    version: Version<'g>,
    record: &'g Record<'g>,
    holds: bool,
}

impl<'t> VersionedTree<'t> {
    /// Places a mark of a batch on a key. Calls `judge` at most once, under the lock of the key's leaf, with
    /// the newest version of the key, which may be a tombstone; if that returns an error, places none. It is quick,
    /// waits for nothing, and uses no tree.
    ///
    /// Waits for other batches, as long as the key has a mark of theirs. The marks of a batch are placed in
    /// the order of their trees and keys, each key once. The guard of the pin is held until the mark is
    /// resolved. What the batch may wait for, such as room in the log, it has before its first mark: a
    /// writer that waits for the mark may have the rest.
    pub(crate) fn mark<'g, R>(
        self,
        pin: Pinned<'g>,
        key: &'g [u8],
        record: &'g Record<'_>,
        mark: Mark<'_>,
        judge: impl FnOnce(Option<Version<'g>>) -> Result<(), R>,
    ) -> Result<Marked<'g>, Uncommitted<R>>
    where
        't: 'g,
    {
        let (kind, bytes, holds) = match mark {
            Mark::Write(kind, bytes) => (kind, bytes, false),
            Mark::Hold => (Kind::Value, &b""[..], true),
        };
        let new = self.prepare(pin, kind, bytes)?;
        let version = new.version();
        record.make_mark(version, holds);
        let placed = self.write_newest(pin, key, Some(record), |present, newest, head| {
            judge(newest)?;
            // SAFETY: this thread owns the lock of the key's leaf, and the decision is applied.
            Ok((unsafe { List::push(present, version, head) }, ()))
        });
        placed.inspect_err(|_| record.forget_mark())?;
        new.stored();
        Ok(Marked {
            key,
            version,
            record,
            holds,
        })
    }

    /// Resolves a mark, after its batch is decided or aborted. `pin` is of the same guard as when it was
    /// placed, or of another one that is held in addition.
    pub(crate) fn resolve(self, pin: Pinned<'_>, marked: Marked<'_>) {
        let Marked {
            key,
            version,
            record,
            holds,
        } = marked;
        match record.number().filter(|_| !holds) {
            Some(number) => {
                version.resolve_to(number);
                self.versions.counts.count(pin, version, 1);
                self.versions.counts.note_number(pin, number);
                if self.versions.freeing == Freeing::WhenOverwritten {
                    self.free_hidden(pin, key, number);
                }
            }
            None => self.unlink_mark(pin, key, version),
        }
        record.forget_mark();
    }

    /// Frees what a version of a batch hides.
    fn free_hidden(self, pin: Pinned<'_>, key: &[u8], number: u64) {
        let mut freed: Option<Removed<'_>> = None;
        self.tree.write_present(pin, key, |word| {
            // SAFETY: this thread owns the lock of the key's leaf, and the decision is applied; what is
            // freed is retired below.
            let (decision, run) = unsafe { self.remove_overwritten(pin, key, word, number) };
            freed = run;
            decision
        });
        if let Some(freed) = freed {
            self.discount(pin, &freed);
            freed.retire(pin);
        }
    }

    /// Unlinks a mark that never becomes a version, and retires it.
    fn unlink_mark(self, pin: Pinned<'_>, key: &[u8], mark: Version<'_>) {
        let mut unlinked: Option<Removed<'_>> = None;
        self.tree.write_present(pin, key, |word| {
            mark.withdraw();
            // SAFETY: this thread owns the lock of the key's leaf, and the decision is applied; what is
            // unlinked is retired below. A mark is the first version until it is resolved.
            let (decision, run) = unsafe { List::new(word).remove_first(mark) };
            unlinked = Some(run);
            decision
        });
        debug_assert!(unlinked.is_some(), "a key with a mark stays in the tree");
        if let Some(unlinked) = unlinked {
            unlinked.retire(pin);
        }
    }
}
