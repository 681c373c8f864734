//! Records the leaves that were read, so that they can be validated later (see
//! `node::observation`).
//!
//! **Clearing** changes no leaf: the old tree is detached as a whole (see `swap`). Therefore
//! the tree counts the clearings that have begun and those that have ended, before and after
//! the store that clears it. An observation contains the number that had ended, loaded before
//! the root, and is valid only as long as no more than that number have begun. Then no
//! clearing was between its beginning and its end when the root was loaded, and none has
//! begun since.
//!
//! **Validation** checks every leaf once, after a fence: each leaf was unchanged from when it
//! was read until it was checked, so all were unchanged at the fence. The fence is
//! sequentially consistent: of two threads that each change a leaf and then validate the leaf
//! that the other changes, at least one finds the change.

use std::ptr::NonNull;

use super::descend::{Reached, Stale, search_long, search_short};
use crate::index::key::Key;
use crate::index::memory::Count;
use crate::index::node::{
    Comparison, Delta, Found, NodeRef, Observation, Portable, Search, with_search,
};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::holding::{holds, is_holding};
#[cfg(debug_assertions)]
use crate::index::tree::updating::is_updating;
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering, Wait};

/// How many times a tree has been cleared.
pub(in crate::index::tree) struct Clears {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Clears {
    /// How many clearings have ended. A thread that loads the root after this finds the root
    /// that the last of them has stored, or a later one.
    #[inline]
    pub(in crate::index::tree) fn ended(&self) -> u64 {
        self.ended.load(Line::EndedAcquires.acquire())
    }

    /// How many clearings have begun. Constant while the caller owns the lock of the tree's root.
    pub(in crate::index::tree) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether no clearing has begun since `ended` of them had ended.
    pub(in crate::index::tree) fn none_since(&self, ended: u64) -> bool {
        // Relaxed: if this thread has found the new root, or has synchronized with a thread that
        // has, then the increment happens before this load, which therefore returns it or a later
        // one. Otherwise, nothing is promised.
        self.begun.load(Ordering::Relaxed) == ended
    }

    /// Whether a clearing has begun since `ended` of them had ended. If so, waits until the
    /// new root is stored.
    // inline(always): measured together with `Tree::find`.
    #[inline(always)]
    pub(in crate::index::tree) fn wait_if_any_since(&self, ended: u64) -> bool {
        if self.none_since(ended) {
            return false;
        }
        self.wait_for_the_end(ended);
        true
    }

    #[cold]
    fn wait_for_the_end(&self, ended: u64) {
        let wait = Wait::new();
        // Ends: between the two counts a clearing stores the root word and does not wait.
        while self.ended() == ended && Line::OvertakenWaitsForTheEnd.is_enabled() {
            wait.wait();
        }
    }

    pub(in crate::index::tree) fn new() -> Self {
        Self {
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }

    /// Counts a clearing before and after `clear`, which stores the new root.
    pub(in crate::index::tree) fn record(&self, clear: impl FnOnce()) {
        // SeqCst: one total order with the store of the root.
        if Line::ClearBeginsBefore.is_enabled() {
            self.begun.fetch_add(1, Ordering::SeqCst);
        }
        if !Line::ClearEndsAfter.is_enabled() {
            self.ended.fetch_add(1, Ordering::SeqCst);
        }
        clear();
        if !Line::ClearBeginsBefore.is_enabled() {
            self.begun.fetch_add(1, Ordering::SeqCst);
        }
        if Line::ClearEndsAfter.is_enabled() {
            self.ended.fetch_add(1, Ordering::SeqCst);
        }
    }
}

/// The result of applying a delta to its owner's set of observations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Applied {
    /// The set describes the leaves as they are after the write.
    Done,
    /// Another thread has changed the leaf, or the write has changed more than the delta
    /// lists.
    Mismatch,
    /// The set has no room for the leaves that the write created.
    TooSmall,
}

impl Tree {
    /// The incarnation that new observations contain; must be loaded before the root.
    #[inline]
    pub(in crate::index::tree) fn incarnation(&self) -> u64 {
        self.clears.ended()
    }

    /// Returns the value of a key, and an observation of the leaf that proves this value, or the
    /// key's absence.
    #[inline(always)]
    pub fn get_observed(&self, pin: Pinned<'_>, key: &[u8]) -> (Option<u64>, Observation) {
        self.admit(pin, key);
        // Ends: see `find`.
        loop {
            let mut incarnation = self.incarnation();
            let key = Key::new(key);
            let found = with_search!(self.isa, S => self.try_find_reached::<S>(pin, key));
            if !Line::IncarnationBeforeRoot.is_enabled() {
                incarnation = self.incarnation();
            }
            if let Ok((value, Reached { leaf, version, .. })) = found {
                return (value, Observation::new(leaf, version, incarnation));
            }
            pin.count(Count::Restarts, 1);
        }
    }

    /// [`Tree::get_observed`] for a key of at most eight bytes; returns `None` if a writer interferes.
    #[inline(always)]
    pub(crate) fn get_observed_at_once(
        &self,
        pin: Pinned<'_>,
        key: &[u8],
    ) -> Option<(Option<u64>, Observation)> {
        self.admit(pin, key);
        let mut incarnation = self.incarnation();
        let (value, Reached { leaf, version, .. }) = self.find_undisturbed(pin, &Key::new(key))?;
        if !Line::IncarnationBeforeRoot.is_enabled() {
            incarnation = self.incarnation();
        }
        Some((value, Observation::new(leaf, version, incarnation)))
    }

    #[inline(always)]
    fn try_find_reached<'g, S: Search>(
        &self,
        pin: Pinned<'g>,
        mut key: Key<'_>,
    ) -> Result<(Option<u64>, Reached<'g>), Stale> {
        let mut root = self.root(pin);
        while key.has_suffix() {
            let (found, reached) = search_long::<S>(root, &key)?;
            match found {
                Found::Absent => return Ok((None, reached)),
                Found::Value(value) => return Ok((Some(value), reached)),
                Found::Layer(below) => root = below,
            }
            key.shift();
        }
        search_short::<S>(root, &key)
    }

    /// Returns the number of entries in the leaf that holds a key or would hold it, and an
    /// observation of that leaf.
    pub fn leaf_size(&self, pin: Pinned<'_>, key: &[u8]) -> (usize, Observation) {
        self.admit(pin, key);
        // Ends: each round, a writer has changed the leaf or replaced a root (see `find`).
        loop {
            let incarnation = self.incarnation();
            let found = self.try_find_reached::<Portable>(pin, Key::new(key));
            if let Ok((_, Reached { leaf, version, .. })) = found {
                let size = leaf.permutation().len();
                if NodeRef::from(leaf).version().validate(version) {
                    return (size, Observation::new(leaf, version, incarnation));
                }
            }
            pin.count(Count::Restarts, 1);
        }
    }

    /// Checks that every observed leaf is unchanged; otherwise returns the index of the first one
    /// that has changed. A leaf that this thread holds counts as one more observation, at index
    /// `observations.len()`, which has changed if the tree was cleared since the hold began.
    ///
    /// # Safety
    /// The observations were made in this tree.
    pub(crate) unsafe fn validate(&self, observations: &[Observation]) -> Result<(), usize> {
        #[cfg(debug_assertions)]
        assert!(
            !is_updating(self),
            "an update callback must not use the tree"
        );
        Observation::fence_before_compare();
        let is_valid = |observation: &Observation| {
            // SAFETY: by contract.
            self.clears.none_since(observation.incarnation) && unsafe { is_unchanged(observation) }
        };
        match observations
            .iter()
            .position(|observation| !is_valid(observation))
        {
            None if self.holds_cleared() && Line::ValidationKnowsTheHold.is_enabled() => {
                Err(observations.len())
            }
            None => Ok(()),
            Some(changed) => Err(changed),
        }
    }
}

/// # Safety
/// The observation was made in a tree that is not destroyed.
unsafe fn is_unchanged(observation: &Observation) -> bool {
    let wait = Wait::new();
    // Ends: the owner releases the lock. Another thread may lock the leaf next, but then a
    // writer has made progress.
    loop {
        // SAFETY: by contract.
        match unsafe { observation.compare() } {
            Comparison::Same => return true,
            Comparison::Changed => return false,
            // The owner of the lock may be about to change the leaf. This thread must not wait for
            // it, since it holds a leaf itself.
            Comparison::Locked if is_holding() => {
                return match holds(observation.leaf) {
                    true => Line::OwnHeldIsTheSame.is_enabled(),
                    false => !Line::HeldIsNotTheSame.is_enabled(),
                };
            }
            Comparison::Locked => wait.wait(),
        }
    }
}

/// Updates a set of observations after a write by its owner, as in section 4.6 of the Silo
/// paper (Tu, Zheng, Kohler, Liskov, Madden, SOSP 2013): an observation of the leaf as it was
/// before the write becomes one of the leaf as it is after the write, and the leaves that the
/// write created are added. `len` of the set's `capacity` elements are in use.
///
/// # Safety
/// The delta is unchanged since a write filled it; `set` has room for `capacity` elements.
pub(crate) unsafe fn apply(
    delta: &Delta,
    set: NonNull<Observation>,
    len: &mut usize,
    capacity: usize,
) -> Applied {
    if delta.before == delta.after {
        return Applied::Done;
    }
    // SAFETY: by contract, the first `len` elements are initialised.
    let used = unsafe { std::slice::from_raw_parts_mut(set.as_ptr(), *len) };
    let mut matching = used
        .iter()
        .filter(|observation| observation.leaf == delta.before.leaf)
        .peekable();
    if matching.peek().is_none() {
        return Applied::Done;
    }
    if matching.any(|observation| *observation != delta.before)
        || delta.unlisted != 0
        || delta.created_count > delta.created_capacity
    {
        return Applied::Mismatch;
    }
    if delta.created_count > capacity - *len {
        return Applied::TooSmall;
    }
    for observation in used.iter_mut().filter(|one| **one == delta.before) {
        *observation = delta.after;
    }
    // SAFETY: by contract, `created` has `created_count` elements, and the set has room for
    // them.
    unsafe {
        let free = set.add(*len).as_ptr();
        free.copy_from_nonoverlapping(delta.created, delta.created_count);
    }
    *len += delta.created_count;
    Applied::Done
}

#[cfg(all(test, loom))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::protocol::models::check;

    /// A reader that finds the old root, and then the new one, detects that the tree was cleared in
    /// between.
    #[test]
    fn every_clearing_is_noticed() {
        let lines = [
            Line::ClearBeginsBefore,
            Line::ClearEndsAfter,
            Line::EndedAcquires,
        ];
        check(&lines, || {
            loom::model(|| {
                let shared = Arc::new((Clears::new(), AtomicU64::new(0)));
                let reader = {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        let (clears, root) = &*shared;
                        let ended = clears.ended();
                        let before = root.load(Ordering::SeqCst);
                        let after = root.load(Ordering::SeqCst);
                        assert!(before == after || !clears.none_since(ended));
                    })
                };
                let (clears, root) = &*shared;
                clears.record(|| root.store(1, Ordering::SeqCst));
                reader.join().unwrap();
            });
        });
    }
}
