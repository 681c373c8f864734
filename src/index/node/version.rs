//! The version word at the start of every node: lock, state and change counter.
//!
//! ```text
//! bit 0     LOCK     a writer owns the node
//! bit 1     DIRTY    its owner is changing it in more than one step
//! bit 2     DELETED  it has left the tree, for good
//! bit 3     ROOT     it is the root of its layer
//! bit 4     LEAF     it is a leaf; never changes
//! bits 8..  COUNT    grows with every change of the node's set of keys
//! ```
//!
//! **Invariant.** Only the owner of the lock stores to the node. A change of
//! several stores that a reader could catch half done is made under DIRTY; an
//! insert or a remove in a leaf is one store to the permutation and needs no
//! DIRTY. Either way the count has grown when the lock is let go, and a node
//! never has the same count twice. An overwritten value leaves it as it was.
//!
//! **What a reader may assume.** It takes a [`VersionWord::stable`] version,
//! reads the node's words in any order, and asks [`VersionWord::validate`]. If
//! that says yes, then
//!
//! 1. no DIRTY change overlapped the reads, and
//! 2. no slot of a leaf that was live in the permutation it read was reused. For
//!    a slot is reused only after a remove took it out of the permutation; that
//!    remove let the lock go with a grown count; and the writer that reused the
//!    slot took the lock after that and fenced before its first store. A reader
//!    that saw any of that writer's stores therefore sees the grown count too.
//!
//! Both rest on fences in pairs: the writer's `fence(Release)` after it set LOCK
//! or DIRTY, before its stores, with the reader's `fence(Acquire)` after its
//! loads, before it looks at the version again. If the reader saw one of the
//! stores, it sees the version of before that store or a later one.
//!
//! Versions that readers compare are *projections* without the LOCK bit: a
//! writer that only holds the lock disturbs nobody.
//!
//! The count goes on where the memory of a node is used for another
//! ([`VersionWord::renew`]): a version is one of that place for ever.
//!
//! **Why the count cannot deceive a reader that sleeps.** It would have to sleep
//! through exactly 2^56 changes of one node, or a multiple. At one change in ten
//! nanoseconds, faster than a line travels between two cores, that takes 22
//! years.

use crate::protocol::Line;
use crate::sync::{AtomicU64, Ordering, Wait, fence, perturb};

const LOCK: u64 = 1;
const DIRTY: u64 = 1 << 1;
const DELETED: u64 = 1 << 2;
const ROOT: u64 = 1 << 3;
const LEAF: u64 = 1 << 4;
const COUNT_SHIFT: u32 = 8;
/// The bits of the count; it wraps within them.
const COUNT: u64 = u64::MAX << COUNT_SHIFT;

/// `word` with the count that occupies the bits `count` moved on by one, its
/// other bits as they were.
const fn advance(word: u64, count: u64) -> u64 {
    let one = count & count.wrapping_neg();
    (word & !count) | (word.wrapping_add(one) & count)
}

/// The state of a node at a moment. Whether it was locked makes no difference to
/// anybody who compares.
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

    #[inline]
    pub(crate) fn is_leaf(self) -> bool {
        self.0 & LEAF != 0
    }

    #[inline]
    pub(crate) fn is_root(self) -> bool {
        self.0 & ROOT != 0
    }

    #[inline]
    pub(crate) fn is_deleted(self) -> bool {
        self.0 & DELETED != 0
    }

    /// Whether this is the version of a layer's living root.
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

/// What a look at a node finds that had a version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Comparison {
    /// It has it still, and nobody is about to change it.
    Same,
    Changed,
    /// It has it still, but is locked: a change may be visible already.
    Locked,
}

/// A node's version word.
#[derive(Debug)]
#[repr(transparent)]
pub(crate) struct VersionWord(AtomicU64);

impl VersionWord {
    /// The word of a node that its maker has locked and not yet published.
    pub(crate) fn new_locked(version: Version) -> Self {
        Self(AtomicU64::new(version.0 | LOCK))
    }

    /// Makes it the word of another node in the same place, locked like a new one. Nobody
    /// else changes it.
    pub(crate) fn renew(&self, version: Version) {
        // Relaxed: a node has been deleted or was never seen before its place is used
        // again, so nobody has a version that this one has to differ from in time.
        let last = match Line::CountGoesOn.is_enabled() {
            true => self.0.load(Ordering::Relaxed) & COUNT,
            false => 0,
        };
        let state = version.0 & !COUNT | LOCK;
        (self.0).store(advance(last | state, COUNT), Ordering::Relaxed);
    }

    /// Makes it the word of no node: what is freed has a version that no observation had, also
    /// where the node was not deleted but went with the tree around it. Nobody else changes it.
    pub(crate) fn end(&self) {
        // Relaxed: as `renew`. Living nodes are not deleted; and the count has grown, since a
        // version may have been foretold.
        let word = self.0.load(Ordering::Relaxed) & !(LOCK | DIRTY);
        (self.0).store(advance(word, COUNT) | DELETED, Ordering::Relaxed);
    }

    /// The version now, even in the midst of a change.
    #[inline]
    pub(crate) fn load(&self) -> Version {
        Version(self.0.load(Line::VersionAcquires.acquire()))
    }

    /// The version once no change is under way.
    ///
    /// Ends: whoever set DIRTY holds every lock and all memory it needs, so it
    /// clears it after a bounded number of its own steps.
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

    /// Whether what was read since `version` was taken is what the module's
    /// comment promises.
    #[inline]
    pub(crate) fn validate(&self, version: Version) -> bool {
        perturb();
        // Pairs with the release fences in `lock` and `mark_dirty`.
        if Line::FenceBeforeValidation.is_enabled() {
            fence(Ordering::Acquire);
        }
        Version(self.0.load(Ordering::Relaxed)) == version
    }

    /// Whether the node still has the version of this number.
    pub(crate) fn compare(&self, number: u64) -> Comparison {
        // All in one load: what is not locked has no change under way. Relaxed: nothing is read
        // in the node after it, and who has found what a writer published, by an acquire load,
        // finds that writer's lock or what it left.
        let word = self.0.load(Ordering::Relaxed);
        if word & !LOCK != number {
            Comparison::Changed
        } else if word & LOCK != 0 && Line::LockedIsNotTheSame.is_enabled() {
            Comparison::Locked
        } else {
            Comparison::Same
        }
    }

    /// Takes the lock; gives the version at that moment.
    ///
    /// Ends: locks are taken in one order (see `tree::lock`), so a holder waits
    /// at most for holders further on, and the furthest for none.
    pub(crate) fn lock(&self) -> Version {
        let wait = Wait::new();
        loop {
            let seen = self.0.load(Ordering::Relaxed) & !LOCK;
            // Acquire: pairs with the store in `unlock`, so that this writer sees
            // all that earlier owners stored.
            if self
                .0
                .compare_exchange_weak(
                    seen,
                    seen | LOCK,
                    Line::LockAcquires.acquire(),
                    Ordering::Relaxed,
                )
                .is_ok()
            {
                // Pairs with `validate`: see promise 2 above.
                if Line::FenceAfterLock.is_enabled() {
                    fence(Ordering::Release);
                }
                perturb();
                return Version(seen);
            }
            wait.wait();
        }
    }

    /// Announces a change of several stores. The caller owns the lock.
    pub(crate) fn mark_dirty(&self) {
        let word = self.0.load(Ordering::Relaxed);
        self.0.store(word | DIRTY, Ordering::Relaxed);
        // Pairs with `validate`: a reader that sees a later store sees DIRTY, or
        // the count of after it.
        if Line::FenceAfterDirty.is_enabled() {
            fence(Ordering::Release);
        }
        perturb();
    }

    /// Leaves `version` behind for readers, and keeps the lock. The caller owns it.
    pub(crate) fn publish(&self, version: Version) {
        perturb();
        // Release: as `unlock`. What the owner stores from here on is as if it had taken the
        // lock anew: readers of before do not have this version.
        self.0.store(version.0 & !DIRTY | LOCK, Ordering::Release);
        if Line::FenceAfterPublishedVersion.is_enabled() {
            fence(Ordering::Release);
        }
    }

    /// Lets the lock go and leaves `version` behind. The caller owns the lock.
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

    /// Known failure 22. A reader is deceived exactly when the number of changes
    /// it slept through is a multiple of the counter's range: shown in full for
    /// small counters, by the same arithmetic that nodes use.
    #[test]
    fn a_sleeping_reader_is_deceived_only_by_a_whole_turn_of_the_counter() {
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

    /// The second half of known failure 22: a whole turn is out of reach.
    #[test]
    fn a_whole_turn_of_the_counter_takes_decades() {
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
    fn a_dirty_node_validates_for_nobody() {
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
