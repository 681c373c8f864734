//! Cursors: positions in the tree from which the caller can step in either direction, any time
//! later.
//!
//! A cursor is a walk and a copy of its current key. As long as the walk's leaf has not changed, a
//! step of the cursor is a step of the walk. Otherwise the cursor descends again from the root of
//! the tree to its key. So a step finds the next key at the moment of the step, whatever was split,
//! removed or refreshed since the last step, even if the current key itself has been removed.
//!
//! A call that fails or finds no key leaves the cursor at its old key.

use super::Walk;
use super::assemble::append;
use super::range::Cut;
use crate::index::key::Key;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, Source, Vector, with_stack};
use crate::index::node::Observation;
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;

/// The key that [`Cursor::seek`] looks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seek<'k> {
    /// The first key of the tree.
    First,
    /// The last key of the tree.
    Last,
    /// The first key that is greater or equal.
    AtLeast(&'k [u8]),
    /// The first key that is greater.
    Above(&'k [u8]),
    /// The last key that is smaller or equal.
    AtMost(&'k [u8]),
    /// The last key that is smaller.
    Below(&'k [u8]),
}

impl<'k> Seek<'k> {
    fn reverse(self) -> bool {
        matches!(self, Self::Last | Self::AtMost(_) | Self::Below(_))
    }

    fn cut(self) -> Option<Cut<'k>> {
        match self {
            Self::First | Self::Last => None,
            Self::AtLeast(key) | Self::Below(key) => Some(Cut::Before(key)),
            Self::Above(key) | Self::AtMost(key) => Some(Cut::After(key)),
        }
    }

    fn key(self) -> &'k [u8] {
        match self {
            Self::First | Self::Last => &[],
            Self::AtLeast(key) | Self::Above(key) | Self::AtMost(key) | Self::Below(key) => key,
        }
    }
}

impl Tree {
    /// Finds the key that `seek` describes, without a cursor; passes it and its value to `found`. There is
    /// a moment of the call at which that was the key. `None` if there is no such key.
    pub(crate) fn seek<R>(
        &self,
        pin: Pinned<'_>,
        seek: Seek<'_>,
        found: impl FnOnce(&[u8], u64) -> R,
    ) -> Result<Option<R>, OutOfMemory> {
        self.admit(pin, seek.key());
        let seek_in = |source| {
            let mut walk = Walk::new_in(self, source, true, 0);
            // Ends: as `Cursor::descend`.
            while walk.seek(self, pin, seek.cut(), None, seek.reverse())? {
                if let Some(value) = walk.current_value()
                    && walk.is_undisturbed()
                {
                    let (key, _) = walk.pair()?;
                    return Ok(Some(found(key, value)));
                }
            }
            Ok(None)
        };
        // SAFETY: the walk ends there, and `R` cannot borrow its key.
        unsafe { with_stack(self.allocator(), seek_in) }
    }
}

/// A position in a tree. Each call takes the tree and a pin. Before a call with a pin of
/// another guard, or after the guard was refreshed, call [`Cursor::detach`].
pub struct Cursor<'g> {
    walk: Walk<'g>,
    /// The current key, and those that the same call has visited before it.
    keys: Vector<u8>,
    /// Where the keys of the current call begin.
    first_start: usize,
    at: Option<At>,
}

/// A cursor's current key.
#[derive(Clone, Copy)]
struct At {
    /// Where the key begins and ends in `Cursor::keys`.
    start: usize,
    end: usize,
    /// The key's value; `None` if the key had been removed when the cursor looked it up again.
    value: Option<u64>,
    /// Whether `value` is valid. If not, the cursor looks the key up when the value is read.
    is_known: bool,
}

impl<'g> Cursor<'g> {
    /// A cursor of a tree, without a current key.
    pub fn new(tree: &Tree) -> Self {
        Self::new_in(tree, tree.allocator())
    }

    /// [`Self::new`], with memory from `source`.
    pub(crate) fn new_in(tree: &Tree, source: Source) -> Self {
        Self {
            walk: Walk::new_in(tree, source, true, 0),
            keys: Vector::new_in(source),
            first_start: 0,
            at: None,
        }
    }

    /// The current key.
    pub fn key(&self) -> Option<&[u8]> {
        let at = self.at?;
        Some(&self.keys[at.start..at.end])
    }

    /// The value of the current key as the cursor found it. After [`Cursor::detach`], the
    /// value that the key has now, or `None` if it was removed.
    pub fn value(&mut self, tree: &Tree, pin: Pinned<'g>) -> Option<u64> {
        let at = self.at?;
        if !at.is_known {
            tree.admit(pin, &[]);
            let value = tree.find(pin, Key::new(&self.keys[at.start..at.end]));
            self.at = Some(At {
                value,
                is_known: true,
                ..at
            });
        }
        self.at?.value
    }

    /// Forgets every reference into the tree; the next step descends from the root.
    pub fn detach(&mut self) {
        self.walk.reset();
        if let Some(at) = &mut self.at {
            at.is_known = false;
        }
    }

    /// Starts recording the leaves that each call reads.
    pub fn observe(&mut self) {
        self.walk.start_observing();
    }

    /// The leaves that prove the result of the last call, a key or the absence of one: as
    /// long as none has changed, the same call from the same position would find the same.
    pub fn observed(&self) -> &[Observation] {
        self.walk.observed()
    }

    /// Moves to the key that `seek` describes, if it exists, and returns whether it does.
    pub fn seek(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        seek: Seek<'_>,
    ) -> Result<bool, OutOfMemory> {
        tree.admit(pin, seek.key());
        self.walk.forget_observed(0);
        // Other keys are forgotten only after the seek: `seek` may borrow the cursor's own key.
        let found = self.descend(tree, pin, seek.cut(), seek.reverse())?;
        if found {
            self.forget_other_keys();
        }
        Ok(found)
    }

    /// Moves to the next key, or to the previous one if `reverse`, and returns whether it
    /// exists. Without a current key it moves to the first key, or to the last.
    pub fn step(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        reverse: bool,
    ) -> Result<bool, OutOfMemory> {
        self.forget_other_keys();
        self.walk.forget_observed(0);
        self.step_once(tree, pin, reverse)
    }

    /// Steps at most `most` times, which must not be 0. For each step, passes to `take` the
    /// offset at which the key ends in [`Cursor::keys`], and the value. Returns whether it made at
    /// least one step. If memory runs out after the first step, it stops and returns success.
    ///
    /// Further keys in the same leaf are taken together, with one check that the leaf is
    /// unchanged.
    pub fn step_many(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        reverse: bool,
        most: usize,
        mut take: impl FnMut(usize, u64),
    ) -> Result<bool, OutOfMemory> {
        self.forget_other_keys();
        self.walk.forget_observed(0);
        self.first_start = self.keys.len();
        self.walk.set_wanted(reverse, most);
        let outcome = self.take_steps(tree, pin, reverse, most, &mut take);
        self.walk.set_wanted(reverse, 0);
        outcome
    }

    fn take_steps(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        reverse: bool,
        most: usize,
        take: &mut impl FnMut(usize, u64),
    ) -> Result<bool, OutOfMemory> {
        let mut moved = false;
        let mut left = most;
        // Ends: each round takes at least one of the remaining steps.
        loop {
            match self.step_once(tree, pin, reverse) {
                Ok(true) => {}
                Ok(false) => return Ok(moved),
                Err(OutOfMemory) if moved => return Ok(true),
                Err(OutOfMemory) => return Err(OutOfMemory),
            }
            moved = true;
            left -= 1;
            let Some(At {
                end,
                value: Some(value),
                ..
            }) = self.at
            else {
                unreachable!("the cursor has just moved to a key");
            };
            take(end, value);
            let mut start = self.keys.len();
            for (end, value) in self.walk.take_following(reverse, left, &mut self.keys) {
                self.at = Some(At {
                    start,
                    end,
                    value: Some(value),
                    is_known: true,
                });
                (start, left) = (end, left - 1);
                take(end, value);
            }
            if left == 0 {
                return Ok(true);
            }
        }
    }

    /// The keys that the last call stepped to, concatenated, from [`Cursor::first_start`] on.
    pub fn keys(&self) -> &[u8] {
        &self.keys
    }

    /// Where the first key of the last call begins in [`Cursor::keys`]: after the key from
    /// which the call started.
    pub fn first_start(&self) -> usize {
        self.first_start
    }

    fn step_once(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        reverse: bool,
    ) -> Result<bool, OutOfMemory> {
        tree.admit(pin, &[]);
        if self.at.is_some() && self.walk.can_continue_in(tree, pin) {
            let observed = self.walk.observed().len();
            let began = self.walk.observe();
            match began.and_then(|()| self.walk.step(None, reverse)) {
                Ok(true) => {
                    if let Some(arrived) = self.arrive() {
                        self.walk.prefetch_following(reverse);
                        return arrived.map(|()| true);
                    }
                }
                // No key followed at that moment. The walk has lost its position; the cursor
                // keeps its key.
                Ok(false) => return Ok(false),
                Err(_) => {}
            }
            self.walk.forget_observed(observed);
            pin.count(Count::Restarts, 1);
        }
        self.step_from_root(tree, pin, reverse)
    }

    #[cold]
    fn step_from_root(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        reverse: bool,
    ) -> Result<bool, OutOfMemory> {
        // The descent appends the new key to an empty vector, since the cut borrows a key in the
        // old one.
        let empty = Vector::new_in(*self.keys.allocator());
        let keys = std::mem::replace(&mut self.keys, empty);
        let cut = self.at.map(|at| {
            let key = &keys[at.start..at.end];
            if reverse {
                Cut::Before(key)
            } else {
                Cut::After(key)
            }
        });
        let before = self.at.take();
        let outcome = self.descend(tree, pin, cut, reverse);
        let arrived = std::mem::replace(&mut self.keys, keys);
        let (Ok(true), Some(at)) = (outcome, self.at) else {
            self.at = before;
            return outcome;
        };
        if self.keys.try_reserve(arrived.len()).is_err() {
            self.walk.reset();
            self.at = before;
            return Err(OutOfMemory);
        }
        let start = self.keys.len();
        append(&mut self.keys, &arrived);
        self.at = Some(At {
            start,
            end: self.keys.len(),
            ..at
        });
        Ok(true)
    }

    fn descend(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        cut: Option<Cut<'_>>,
        reverse: bool,
    ) -> Result<bool, OutOfMemory> {
        let observed = self.walk.observed().len();
        // Ends: each round, a writer has changed the leaf that the walk reached.
        loop {
            self.walk.forget_observed(observed);
            if !self.walk.seek(tree, pin, cut, None, reverse)? {
                return Ok(false);
            }
            if let Some(arrived) = self.arrive() {
                return arrived.map(|()| true);
            }
        }
    }

    /// Makes the walk's current key and value those of the cursor; returns `None` if a leaf of the
    /// step has changed. If memory runs out, the walk loses its position, and the cursor keeps its
    /// old key.
    #[inline]
    fn arrive(&mut self) -> Option<Result<(), OutOfMemory>> {
        let value = self.walk.current_value()?;
        if !self.walk.is_undisturbed() {
            return None;
        }
        let copied = self.walk.pair().and_then(|(key, _)| {
            let reserved = self.keys.try_reserve(key.len());
            reserved.map_err(|_| OutOfMemory)?;
            let start = self.keys.len();
            append(&mut self.keys, key);
            self.at = Some(At {
                start,
                end: self.keys.len(),
                value: Some(value),
                is_known: true,
            });
            Ok(())
        });
        if copied.is_err() {
            self.walk.reset();
        }
        Some(copied)
    }

    /// Forgets all keys but the current one.
    #[inline]
    fn forget_other_keys(&mut self) {
        let Some(at) = &mut self.at else {
            return self.keys.clear();
        };
        let len = at.end - at.start;
        if at.start != 0 {
            self.keys.copy_within(at.start..at.end, 0);
            (at.start, at.end) = (0, len);
        }
        self.keys.truncate(len);
    }
}
