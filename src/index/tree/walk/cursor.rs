//! A place in the tree from which one can go on in either direction, for as long as
//! one likes.
//!
//! A cursor is a live walk and a copy of the key it is at. As long as the leaf it is in
//! has not changed, a step is one within the walk; otherwise the cursor goes down again
//! from the top of the tree to that key. So it shows what is there at the moment of
//! the step, and neither splits, nor removes, nor a guard that was refreshed can lead
//! it astray; the key itself may be gone by then.
//!
//! What fails or finds nothing leaves a cursor where it was.

use super::Walk;
use super::assemble::append;
use super::range::Cut;
use crate::index::key::Key;
use crate::index::memory::OutOfMemory;
use crate::index::memory::{Count, Vector};
use crate::index::node::Observation;
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;

/// Where a cursor goes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Seek<'k> {
    /// The first key of the tree.
    First,
    /// The last key of the tree.
    Last,
    /// The first key that is not smaller.
    AtLeast(&'k [u8]),
    /// The first key that is greater.
    Above(&'k [u8]),
    /// The last key that is not greater.
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

/// A place in a tree. Each call takes the tree and a pin; when the pin is not of the
/// same guard as before, or that guard was refreshed since, say so with
/// [`Cursor::detach`].
pub struct Cursor<'g> {
    walk: Walk<'g>,
    /// Keys it has been at: the one it is at, and those of the same call before it.
    keys: Vector<u8>,
    /// Where those of the call at hand begin.
    first_start: usize,
    at: Option<At>,
}

/// The key a cursor is at.
#[derive(Clone, Copy)]
struct At {
    /// Where it begins and ends among the keys.
    start: usize,
    end: usize,
    /// `None`: the key was found to be gone.
    value: Option<u64>,
    is_known: bool,
}

impl<'g> Cursor<'g> {
    /// A cursor of a tree, at no key yet.
    pub fn new(tree: &Tree) -> Self {
        let source = tree.source();
        Self {
            walk: Walk::new(tree, true, 0),
            keys: Vector::new_in(source),
            first_start: 0,
            at: None,
        }
    }

    /// The key it is at.
    pub fn key(&self) -> Option<&[u8]> {
        let at = self.at?;
        Some(&self.keys[at.start..at.end])
    }

    /// The value of the key it is at, as the cursor found it there; or, if the cursor was
    /// told to let go since, as it is now, if it still is.
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

    /// Forgets every reference into the tree; the next step goes down from the top.
    pub fn detach(&mut self) {
        self.walk.reset();
        if let Some(at) = &mut self.at {
            at.is_known = false;
        }
    }

    /// From here on, the cursor remembers which leaves its last call has read.
    pub fn observe(&mut self) {
        self.walk.begin_to_observe();
    }

    /// The leaves that prove what the last call found, or that it found nothing: as long as
    /// none has changed, the same call from the same place would find the same.
    pub fn observed(&self) -> &[Observation] {
        self.walk.observed()
    }

    /// Goes to a key, if there is one there, and says whether there is.
    pub fn seek(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        seek: Seek<'_>,
    ) -> Result<bool, OutOfMemory> {
        tree.admit(pin, seek.key());
        self.walk.forget_observed(0);
        // Keys stay where they are until it is done: the one it seeks may be its own.
        let found = self.go_down(tree, pin, seek.cut(), seek.reverse())?;
        if found {
            self.forget_other_keys();
        }
        Ok(found)
    }

    /// Goes on to the next key, or the previous one, and says whether there is one.
    /// From no key at all it goes to the first, or the last.
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

    /// Goes on at most `most` times, which is not 0, and gives `take` each value and where its
    /// key ends in [`Cursor::keys`]; says whether it went on at all. Memory may run out after
    /// the first step: then it stops there.
    ///
    /// What follows in the same leaf comes at once, with one look at whether it has changed.
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
        self.walk.expect(reverse, most);
        let outcome = self.take_steps(tree, pin, reverse, most, &mut take);
        self.walk.expect(reverse, 0);
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
        // Ends: each time around there are fewer left.
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
                unreachable!("it has just gone to a key");
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

    /// The keys of the steps of the last call, one after the other, from
    /// [`Cursor::first_start`] on.
    pub fn keys(&self) -> &[u8] {
        &self.keys
    }

    /// Where the first key of the last call begins: after the one that the cursor was at
    /// before.
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
                        return arrived.map(|()| true);
                    }
                }
                // Beyond the last key of a moment ago. The walk has no place any more,
                // the cursor stays.
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
        // Set aside, with the key that the cut is at; a key more goes to new memory.
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
        let outcome = self.go_down(tree, pin, cut, reverse);
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

    fn go_down(
        &mut self,
        tree: &Tree,
        pin: Pinned<'g>,
        cut: Option<Cut<'_>>,
        reverse: bool,
    ) -> Result<bool, OutOfMemory> {
        let observed = self.walk.observed().len();
        // Ends: each time around, a writer has changed the leaf that the walk came to.
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

    /// Takes over what the walk is at; `None` if that has changed already. Out of
    /// memory, the walk loses its place, and the cursor stays.
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

    /// Keeps only the key it is at.
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
