//! Saying what was read, so that it can be validated later (see `node::observation`).
//!
//! **Clearing** changes no leaf: the tree that was goes as a whole (see `swap`). So the tree
//! counts how often that began and how often it ended, before and after the store that
//! does it. An observation has the number of those that had ended, taken before the root
//! was loaded, and holds only as long as no more than those have begun: then none was
//! between its beginning and its end when the root was loaded, and none began since.
//!
//! **Validation** looks at every leaf once, after a fence: each was the same from when it was
//! read until it was looked at, so all were the same at the fence. The fence is
//! sequentially consistent: of two threads that each change a leaf and then validate what the
//! other changes, one finds the change.

use std::ptr::NonNull;

use super::descend::{Reached, Stale, search_beyond, search_within};
use crate::index::key::Key;
use crate::index::memory::Count;
use crate::index::node::{
    Delta, Found, Look, MORE, NodeRef, Observation, Portable, Search, with_search,
};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::holding::{holds, is_holding};
use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering, Wait};

/// How often a tree has been cleared.
pub(in crate::index::tree) struct Clears {
    begun: AtomicU64,
    ended: AtomicU64,
}

impl Clears {
    /// How many have ended. Who loads the root after this finds what they have left, or
    /// something later.
    #[inline]
    fn ended(&self) -> u64 {
        self.ended.load(Line::EndedAcquires.acquire())
    }

    /// How many have begun. Steady while the lock of the tree's root is owned.
    pub(in crate::index::tree) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    /// Whether no more than so many have begun.
    pub(in crate::index::tree) fn are(&self, ended: u64) -> bool {
        // Relaxed: a thread that found the new root, or learned of it from another thread, has
        // the increment before this load by happens-before, so the load returns it or a later
        // one. Of a thread that has not, nothing is promised.
        self.begun.load(Ordering::Relaxed) == ended
    }

    /// Whether the tree was cleared after `are(ended)` held. The new root is there then.
    pub(in crate::index::tree) fn have_passed(&self, ended: u64) -> bool {
        if self.are(ended) {
            return false;
        }
        let wait = Wait::new();
        // Ends: between the two counts a clearing stores the root word and waits for nothing.
        while self.ended() == ended && Line::OvertakenWaitsForTheEnd.is_enabled() {
            wait.wait();
        }
        true
    }

    pub(in crate::index::tree) fn none() -> Self {
        Self {
            begun: AtomicU64::new(0),
            ended: AtomicU64::new(0),
        }
    }

    /// Around the store that clears the tree.
    pub(in crate::index::tree) fn count(&self, clear: impl FnOnce()) {
        // SeqCst: with the store of the root they are in one order.
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

/// What became of a set of observations when a write of its owner's was taken into account.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Applied {
    /// The set says what holds after the write.
    Done,
    /// Another thread has changed the leaf, or the write has done more than it tells.
    Mismatch,
    /// There is no room for the leaves that were created.
    TooSmall,
}

impl Tree {
    /// What observations have as their incarnation; taken before the root is loaded.
    #[inline]
    pub(in crate::index::tree) fn incarnation(&self) -> u64 {
        self.clears.ended()
    }

    /// The value of a key, and the leaf that proves it or that there is none.
    #[inline(always)]
    pub fn get_observed(&self, pin: Pinned<'_>, key: &[u8]) -> (Option<u64>, Observation) {
        self.admit(pin, key);
        // Ends: as `find`.
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

    #[inline(always)]
    fn try_find_reached<'g, S: Search>(
        &self,
        pin: Pinned<'g>,
        mut key: Key<'_>,
    ) -> Result<(Option<u64>, Reached<'g>), Stale> {
        let mut root = self.root(pin);
        while key.goes_on() {
            let (found, reached) = search_beyond::<S>(root, &key)?;
            match found {
                Found::Absent => return Ok((None, reached)),
                Found::Value(value) => return Ok((Some(value), reached)),
                Found::Layer(below) => root = below,
            }
            key.shift();
        }
        search_within::<S>(root, &key)
    }

    /// How many entries the leaf has that a key is in, or would be, and that leaf.
    pub fn leaf_size(&self, pin: Pinned<'_>, key: &[u8]) -> (usize, Observation) {
        self.admit(pin, key);
        // Ends: each time around, a writer has changed the leaf, or as `find`.
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

    /// Whether everything is as it was observed; else the place of the first that is not.
    /// The leaf that this thread holds counts as one more, in the last place: that the tree
    /// was not cleared since.
    ///
    /// # Safety
    /// The observations are of this tree.
    pub(crate) unsafe fn validate(&self, observations: &[Observation]) -> Result<(), usize> {
        #[cfg(debug_assertions)]
        assert!(
            !crate::index::tree::write::update::is_running(self),
            "an update callback must not use the tree"
        );
        Observation::fence_before_looks();
        let holds = |observation: &Observation| {
            // SAFETY: by contract.
            self.clears.are(observation.incarnation) && unsafe { is_same(observation) }
        };
        match observations
            .iter()
            .position(|observation| !holds(observation))
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
/// The observation is of a tree that lives.
unsafe fn is_same(observation: &Observation) -> bool {
    let wait = Wait::new();
    // Ends: who holds the lock lets it go, and only a change or the next takes it.
    loop {
        // SAFETY: by contract.
        match unsafe { observation.look() } {
            Look::Same => return true,
            Look::Changed => return false,
            // It may be about to change for another; whoever holds a leaf waits for nobody.
            Look::Locked if is_holding() => {
                return match holds(observation.leaf) {
                    true => Line::OwnHeldIsTheSame.is_enabled(),
                    false => !Line::HeldIsNotTheSame.is_enabled(),
                };
            }
            Look::Locked => wait.wait(),
        }
    }
}

/// Has a set of observations say what holds after a write of its owner's, as in section 4.6
/// of the Silo paper (Tu, Zheng, Kohler, Liskov, Madden, SOSP 2013): if the set has the leaf
/// as it was before the write, it gets it as it is after, and the leaves that the write
/// created. The set has `len` of `capacity` places in use.
///
/// # Safety
/// The delta is as a write has left it; the set has so many places.
pub(crate) unsafe fn apply(
    delta: &Delta,
    set: NonNull<Observation>,
    len: &mut usize,
    capacity: usize,
) -> Applied {
    if delta.before == delta.after {
        return Applied::Done;
    }
    // SAFETY: by contract, these are in use.
    let used = unsafe { std::slice::from_raw_parts_mut(set.as_ptr(), *len) };
    let mut there = used
        .iter()
        .filter(|observation| observation.leaf == delta.before.leaf)
        .peekable();
    if there.peek().is_none() {
        return Applied::Done;
    }
    if there.any(|observation| *observation != delta.before)
        || delta.flags & MORE != 0
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
    // SAFETY: by contract, so many are there, and so much room.
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

    /// Who finds the old root, and then the new one, knows that the tree was cleared in
    /// between.
    #[test]
    fn no_clearing_goes_unnoticed() {
        let lines = [
            Line::ClearBeginsBefore,
            Line::ClearEndsAfter,
            Line::EndedAcquires,
        ];
        check(&lines, || {
            loom::model(|| {
                let shared = Arc::new((Clears::none(), AtomicU64::new(0)));
                let reader = {
                    let shared = Arc::clone(&shared);
                    thread::spawn(move || {
                        let (clears, root) = &*shared;
                        let ended = clears.ended();
                        let before = root.load(Ordering::SeqCst);
                        let after = root.load(Ordering::SeqCst);
                        assert!(before == after || !clears.are(ended));
                    })
                };
                let (clears, root) = &*shared;
                clears.count(|| root.store(1, Ordering::SeqCst));
                reader.join().unwrap();
            });
        });
    }
}
