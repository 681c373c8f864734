//! Writes many short keys, whose descents overlap.
//!
//! **Protocol.** The keys descend through the pipeline (see `read::pipeline`), which loads all
//! lines of their leaves for writing. Each key that arrives at its leaf is then written, before
//! the next key arrives: so the keys are written in their order, one after the other, and equal
//! keys as if by single calls. A write locks the leaf only if it is unlocked and still has the
//! version at which the key arrived, as in `short`: taking that lock does not wait, and the lines of
//! the keys behind it are on their way. Only two kinds of write wait for locks: one that splits a
//! full leaf or deletes an empty one, and one that is made by itself, as by a single call:
//!
//! - if the descent was given up, or the leaf is locked or has changed;
//! - if the tree's root is not the one from which the leaf was reached, loaded before the lock is
//!   taken (`ManyIsUnderTheRoot`). A clear replaces the root, and changes no leaf: without this
//!   check a key could be written to the tree that a clear has removed, after an earlier key of
//!   the batch was written to the new one. If the root is the same, a later clear is ordered after
//!   the write, as in `hint`;
//! - if the guard remembers a leaf for a key that would begin a block. Other keys descend even if the
//!   guard remembers their leaf;
//! - if the writes are recorded. Such a batch must not come here.
//!
//! A leaf that is full splits as in a single write. The keys on their way to leaves under the same
//! internode find it changed, and are written by themselves.

use super::engine::Decision;
use super::short::{Short, lock_if_unchanged, search_locked};
use crate::index::key::Key;
use crate::index::memory::OutOfMemory;
use crate::index::node::{Search, with_search};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::read::pipeline::{Arrival, ShortKey};
use crate::protocol::Line;

impl Tree {
    /// Calls `decide` for each of `count` short keys, in their order, with its index and value or
    /// `None`, as [`Tree::write`] does, and `done` with the index and what `write` returns. The
    /// pin has no recorder.
    #[inline]
    pub(crate) fn write_each(
        &self,
        pin: Pinned<'_>,
        count: usize,
        key_at: impl Fn(usize) -> ShortKey,
        mut decide: impl FnMut(usize, Option<u64>) -> Decision,
        mut done: impl FnMut(usize, Result<Option<u64>, OutOfMemory>),
    ) {
        self.admit_many(pin);
        let skip = |root, slice| pin.hint(root, slice).is_some();
        with_search!(self.isa, S => {
            self.descend_short::<S, true>(pin, count, &key_at, &skip, |index, arrival| {
                let mut decide = |present| decide(index, present);
                let key = arrival.key.key();
                let outcome = match self.lock_arrived::<S, false>(pin, arrival, &key) {
                    Short::Unlocked => self.write_alone(pin, arrival.key, &mut decide),
                    short => arrival.key.with_bytes(|bytes| {
                        self.write_locked(pin, bytes, key, short, decide)
                    }),
                };
                done(index, outcome);
            });
        });
    }

    /// Like [`Tree::write_each`], for removes: `done` gets the value that the key had.
    #[inline]
    pub(crate) fn remove_each(
        &self,
        pin: Pinned<'_>,
        count: usize,
        key_at: impl Fn(usize) -> ShortKey,
        mut done: impl FnMut(usize, Option<u64>),
    ) {
        self.admit_many(pin);
        let skip = |root, slice| pin.hint(root, slice).is_some();
        with_search!(self.isa, S => {
            self.descend_short::<S, true>(pin, count, &key_at, &skip, |index, arrival| {
                let key = arrival.key.key();
                let removed = match self.lock_arrived::<S, true>(pin, arrival, &key) {
                    Short::Unlocked => self.remove_alone(pin, arrival.key),
                    // The bytes are used only for `Short::Unlocked`.
                    short => self.write_present_locked(pin, &[], short, |_| Decision::Remove),
                };
                done(index, removed);
            });
        });
    }

    /// Checks the arguments of a batch of writes.
    #[inline]
    fn admit_many(&self, pin: Pinned<'_>) {
        self.admit(pin, &[]);
        self.must_not_hold();
        debug_assert!(pin.recorder().is_none());
    }

    /// Locks the leaf at which a key has arrived, if that is possible without waiting.
    #[inline]
    fn lock_arrived<'g, S: Search, const LIKELY_PRESENT: bool>(
        &self,
        pin: Pinned<'g>,
        arrival: Arrival<'g>,
        key: &Key<'_>,
    ) -> Short<'g> {
        let Some(reached) = arrival.reached else {
            return Short::Unlocked;
        };
        if self.root(pin) != arrival.root && Line::ManyIsUnderTheRoot.is_enabled() {
            return Short::Unlocked;
        }
        match lock_if_unchanged(pin, arrival.root, reached) {
            Some(leaf) => search_locked::<S, LIKELY_PRESENT>(leaf, key, arrival.root),
            None => Short::Unlocked,
        }
    }

    /// Writes a key of a batch by itself.
    #[inline(never)]
    fn write_alone(
        &self,
        pin: Pinned<'_>,
        key: ShortKey,
        decide: &mut dyn FnMut(Option<u64>) -> Decision,
    ) -> Result<Option<u64>, OutOfMemory> {
        key.with_bytes(|bytes| self.write(pin, bytes, decide))
    }

    /// Removes a key of a batch by itself.
    #[inline(never)]
    fn remove_alone(&self, pin: Pinned<'_>, key: ShortKey) -> Option<u64> {
        key.with_bytes(|bytes| self.write_present(pin, bytes, |_| Decision::Remove))
    }
}
