//! The version word at the start of every node: lock, state and change counter.
//!
//! ```text
//! bit 0     LOCK     a writer owns the node
//! bit 1     DIRTY    the owner is changing the node in more than one step
//! bit 2     DELETED  the node has left the tree, and never returns
//! bit 3     ROOT     the node is the root of its layer
//! bit 4     LEAF     the node is a leaf; never changes
//! bit 5     LOWEST   the node is an internode above leaves; never changes once published
//! bits 8..  COUNT    grows with every change of the node's set of keys
//! ```
//!
//! **Invariant.** Only the owner of the lock stores to the node, with three exceptions: the parent
//! word (the parent's lock), a leaf's `prev` (the previous leaf's lock), and the levels below, which
//! any thread may raise. A change of several stores, of
//! which a reader could see only some, is made under DIRTY; an insert or a remove in a leaf is
//! one store to the permutation and needs no DIRTY. In both cases the unlock increments the count,
//! and a node never has the same count twice. Overwriting a value does not change the count.
//!
//! **What a reader may assume.** It loads a [`VersionWord::stable`] version, reads the node's
//! words in any order, and calls [`VersionWord::validate`]. If that returns true, then
//!
//! 1. no DIRTY change overlapped the reads, and
//! 2. no slot of a leaf that was live in the permutation it read was reused. For a slot is
//!    reused only after a remove took it out of the permutation; that remove unlocked the
//!    leaf with a grown count; and the writer that reused the slot took the lock after that
//!    and executed a fence before its first store. A reader that saw any of that writer's
//!    stores therefore sees the grown count too.
//!
//! Both rest on pairs of fences: the writer's `fence(Release)` after it set LOCK or DIRTY,
//! before its stores, pairs with the reader's `fence(Acquire)` after its loads, before it
//! loads the version again. If the reader saw one of the stores, it sees the version word that
//! was stored before it, or a later one.
//!
//! Versions that readers compare are *projections* without the LOCK bit: a writer that only
//! holds the lock makes no reader start over.
//!
//! The count continues when the memory of a node is reused for another
//! ([`VersionWord::renew`]): a pair of address and version never recurs.
//!
//! **Why a preempted reader cannot mistake a changed version for its own.** It would have to
//! be preempted for exactly 2^56 changes of one node, or a multiple. At one change in ten
//! nanoseconds, less than a cache line takes to travel between two cores, that takes 22 years.

use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering, Wait, fence, perturb};

const LOCK: u64 = 1;
const DIRTY: u64 = 1 << 1;
const DELETED: u64 = 1 << 2;
const ROOT: u64 = 1 << 3;
const LEAF: u64 = 1 << 4;
const LOWEST: u64 = 1 << 5;
const COUNT_SHIFT: u32 = 8;
/// The bits of the count, within which it wraps.
const COUNT: u64 = u64::MAX << COUNT_SHIFT;

/// Returns `word` with its count, in the bits `count`, incremented; its other bits are
/// unchanged.
const fn advance(word: u64, count: u64) -> u64 {
    let one = count & count.wrapping_neg();
    (word & !count) | (word.wrapping_add(one) & count)
}

/// A version: the state of a node at a moment. Comparisons ignore the LOCK bit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version(u64);

impl PartialEq for Version {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        (self.0 ^ other.0) & !LOCK == 0
    }
}

impl Eq for Version {}

impl Version {
    pub(crate) const NEW_LEAF: Self = Self(LEAF);
    pub(crate) const NEW_INTERNODE: Self = Self(0);
    /// No node has this version: LEAF and LOWEST exclude each other.
    pub(crate) const NONE: Self = Self(LEAF | LOWEST);

    #[inline]
    pub(crate) fn is_leaf(self) -> bool {
        self.0 & LEAF != 0
    }

    /// Whether this is the version of an internode whose children are leaves.
    #[inline]
    pub(crate) fn is_lowest(self) -> bool {
        self.0 & LOWEST != 0
    }

    #[inline]
    pub(crate) fn is_root(self) -> bool {
        self.0 & ROOT != 0
    }

    #[inline]
    pub(crate) fn is_deleted(self) -> bool {
        self.0 & DELETED != 0
    }

    /// Whether this is the version of a layer's root that is not deleted.
    #[inline]
    pub(crate) fn is_living_root(self) -> bool {
        self.0 & (ROOT | DELETED) == ROOT
    }

    /// Whether no change was under way.
    #[inline]
    pub(crate) fn is_clean(self) -> bool {
        self.0 & DIRTY == 0
    }

    pub(crate) fn with_root(self, root: bool) -> Self {
        if root {
            Self(self.0 | ROOT)
        } else {
            Self(self.0 & !ROOT)
        }
    }

    pub(crate) fn with_lowest(self, lowest: bool) -> Self {
        if lowest {
            Self(self.0 | LOWEST)
        } else {
            Self(self.0 & !LOWEST)
        }
    }

    pub(crate) fn with_deleted(self) -> Self {
        Self(self.0 | DELETED)
    }

    /// The version after one more change.
    pub(crate) fn next(self) -> Self {
        Self(advance(self.0, COUNT))
    }

    /// The version as a number, locked or not.
    #[inline]
    pub(crate) fn number(self) -> u64 {
        self.0 & !LOCK
    }
}

/// The result of comparing a node's version with an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Comparison {
    /// The same version, and no thread holds the lock.
    Same,
    Changed,
    /// The same version, but locked: a change may be visible already.
    Locked,
}

/// A node's version word.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct VersionWord(AtomicU64);

impl VersionWord {
    /// The word of a new node, locked by its creator.
    pub(crate) fn new_locked(version: Version) -> Self {
        Self(AtomicU64::new(version.0 | LOCK))
    }

    /// Makes this the word of a new node in the same slot, locked. No other thread changes the
    /// word.
    pub(crate) fn renew(&self, version: Version) {
        // Relaxed: the slot's previous node was deleted before the slot was reused, or was never
        // published, so no thread depends on seeing this store in time to tell the two apart.
        let last = match Line::CountContinues.is_enabled() {
            true => self.0.load(Ordering::Relaxed) & COUNT,
            false => 0,
        };
        let state = version.0 & !COUNT | LOCK;
        Self::fence_of_reuse();
        (self.0).store(advance(last | state, COUNT), Ordering::Relaxed);
    }

    /// Marks the slot's node as freed: sets DELETED and increments the count. So no observation
    /// equals the version of a freed slot, even if the slot's node was not deleted but freed
    /// together with its whole tree. No other thread changes the word.
    pub(crate) fn end(&self) {
        // Relaxed: as in `renew`. DELETED distinguishes the version from those of live nodes. The
        // count grows, too, since a delta may have recorded a version that the node was about to
        // get.
        let word = self.0.load(Ordering::Relaxed) & !(LOCK | DIRTY);
        Self::fence_of_reuse();
        (self.0).store(advance(word, COUNT) | DELETED, Ordering::Relaxed);
        Self::fence_of_reuse();
    }

    /// Orders the end of a node, its removal from the tree included, before the next stores to its
    /// slot: a reader without a guard that sees one of these sees that the node has ended (see
    /// `read::unguarded`). Pairs with the fence in `validate`.
    pub(crate) fn fence_of_reuse() {
        if Line::FenceOfReuse.is_enabled() {
            fence(Ordering::Release);
        }
    }

    /// Returns the current version, even during a change.
    #[inline]
    pub(crate) fn load(&self) -> Version {
        Version(self.0.load(Line::VersionAcquires.acquire()))
    }

    /// Waits until no change is under way, and returns the version.
    ///
    /// Ends: the thread that set DIRTY holds every lock and all memory it needs, so it
    /// clears DIRTY after a bounded number of its own steps.
    #[inline]
    pub(crate) fn stable(&self) -> Version {
        let version = self.load();
        if version.is_clean() || !Line::ReadersWaitForChanges.is_enabled() {
            version
        } else {
            self.await_stable()
        }
    }

    #[cold]
    #[inline(never)]
    fn await_stable(&self) -> Version {
        let wait = Wait::new();
        loop {
            let version = self.load();
            if version.is_clean() {
                return version;
            }
            wait.wait();
        }
    }

    /// Whether the reads since `version` was loaded have the properties that the module's comment
    /// promises.
    #[inline]
    pub(crate) fn validate(&self, version: Version) -> bool {
        perturb();
        // Pairs with the release fences in `lock` and `mark_dirty`.
        if Line::FenceBeforeValidation.is_enabled() {
            fence(Ordering::Acquire);
        }
        Version(self.0.load(Ordering::Relaxed)) == version
    }

    /// Compares the node's version with the version whose [`Version::number`] is `number`.
    pub(crate) fn compare(&self, number: u64) -> Comparison {
        // One load suffices: a node that is not locked is not being changed. Relaxed: no other word
        // of the node is read after this. And if this thread has seen, by an acquire load, what a
        // writer published, then it sees here that writer's lock or the version after its unlock.
        let word = self.0.load(Ordering::Relaxed);
        if word & !LOCK != number {
            Comparison::Changed
        } else if word & LOCK != 0 && Line::LockedMayDiffer.is_enabled() {
            Comparison::Locked
        } else {
            Comparison::Same
        }
    }

    /// Takes the lock; returns the version at that moment.
    ///
    /// Ends: locks are taken in one order (see `tree::lock`), so the owner of a lock waits
    /// only for owners of locks later in that order, and the owner of the last for none.
    #[inline]
    pub(crate) fn lock(&self) -> Version {
        match self.try_lock() {
            Some(version) => version,
            None => self.await_lock(),
        }
    }

    #[cold]
    #[inline(never)]
    fn await_lock(&self) -> Version {
        let wait = Wait::new();
        loop {
            wait.wait();
            if let Some(version) = self.try_lock() {
                return version;
            }
        }
    }

    /// Takes the lock, unless another thread owns it or changes the word meanwhile.
    #[inline]
    fn try_lock(&self) -> Option<Version> {
        let seen = Version(self.0.load(Ordering::Relaxed));
        self.lock_unchanged(seen).then_some(Version(seen.0 & !LOCK))
    }

    /// Takes the lock if it is free and the version is this one; returns whether it did.
    #[inline]
    pub(crate) fn lock_unchanged(&self, version: Version) -> bool {
        let seen = version.0 & !LOCK;
        // Acquire: pairs with the store in `unlock`, so that this writer sees
        // all stores of earlier owners.
        let exchanged = self.0.compare_exchange_weak(
            seen,
            seen | LOCK,
            Line::LockAcquires.acquire(),
            Ordering::Relaxed,
        );
        if exchanged.is_err() {
            return false;
        }
        // Pairs with `validate`: see promise 2 above.
        if Line::FenceAfterLock.is_enabled() {
            fence(Ordering::Release);
        }
        perturb();
        true
    }

    /// Announces a change of several stores. The caller owns the lock.
    pub(crate) fn mark_dirty(&self) {
        let word = self.0.load(Ordering::Relaxed);
        self.0.store(word | DIRTY, Ordering::Relaxed);
        // Pairs with `validate`: a reader that sees a later store sees DIRTY, or
        // a later count.
        if Line::FenceAfterDirty.is_enabled() {
            fence(Ordering::Release);
        }
        perturb();
    }

    /// Publishes `version` and keeps the lock, which the caller owns.
    pub(crate) fn publish(&self, version: Version) {
        perturb();
        // Release: as in `unlock`. For readers, the owner's later stores are those of a new owner:
        // a reader with an earlier version does not validate against this one.
        self.0.store(version.0 & !DIRTY | LOCK, Ordering::Release);
        if Line::FenceAfterPublishedVersion.is_enabled() {
            fence(Ordering::Release);
        }
    }

    /// Unlocks, leaving `version`. The caller owns the lock.
    pub(crate) fn unlock(&self, version: Version) {
        perturb();
        // Release: pairs with the load in `stable` and the exchange in `lock`.
        let order = Line::UnlockReleases.release();
        self.0.store(version.0 & !(LOCK | DIRTY), order);
    }

    /// Whether the lock is held.
    pub(crate) fn is_locked(&self) -> bool {
        self.0.load(Ordering::Relaxed) & LOCK != 0
    }
}

#[cfg(all(test, not(any(loom, shuttle))))]
mod tests {
    use super::*;

    #[test]
    fn the_count_wraps_without_touching_the_state() {
        for state in [0, LEAF, LEAF | ROOT, LEAF | DELETED, ROOT | LOCK] {
            let last = Version(COUNT | state);
            assert_eq!(last.next(), Version(state));
            assert_eq!(Version(state).next(), Version(state | 1 << COUNT_SHIFT));
        }
    }

    /// Known failure 22. A reader mistakes a changed version for its own exactly when the number
    /// of changes during its preemption is a multiple of the counter's range: shown in full for
    /// small counters, by the same arithmetic that nodes use.
    #[test]
    fn a_preempted_reader_mistakes_a_version_only_after_a_full_turn_of_the_counter() {
        for bits in 1..=10 {
            let count = ((1 << bits) - 1) << COUNT_SHIFT;
            for start in 0..1_u64 << bits {
                let seen = start << COUNT_SHIFT | LEAF;
                let mut word = seen;
                for changes in 1..=3_u64 << bits {
                    word = advance(word, count);
                    assert_eq!(word & !count, LEAF);
                    assert_eq!(word == seen, changes % (1 << bits) == 0);
                }
            }
        }
    }

    /// The second half of known failure 22: a full turn of the counter is out of reach.
    #[test]
    fn a_full_turn_of_the_counter_takes_decades() {
        let changes_per_year = 100_000_000 * 3600 * 24 * 365_u64;
        assert!((1 << COUNT.count_ones()) / changes_per_year > 20);
    }

    #[test]
    fn the_lock_bit_makes_no_difference_to_readers() {
        let word = VersionWord::new_locked(Version::NEW_LEAF);
        word.unlock(Version::NEW_LEAF);
        let seen = word.stable();
        let version = word.lock();
        assert!(word.validate(seen));
        assert_eq!(word.stable(), seen);
        word.unlock(version);
        assert!(word.validate(seen));
    }

    #[test]
    fn a_dirty_node_never_validates() {
        let word = VersionWord::new_locked(Version::NEW_LEAF);
        word.unlock(Version::NEW_LEAF);
        let seen = word.stable();
        let version = word.lock();
        word.mark_dirty();
        assert!(!word.validate(seen));
        word.unlock(version.next());
        assert!(!word.validate(seen));
    }
}
