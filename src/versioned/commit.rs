//! Commits of a store: one write, decided under the lock of the key's leaf; and loads, which recovery
//! makes of what was committed before.
//!
//! **Protocol.** Everything that can fail comes first: the version is allocated by
//! [`VersionedTree::prepare`], and the head of a long list before the leaf is locked for the last time.
//! Under the leaf's lock, a commit
//!
//! 1. asks `decide` with the newest version of the key, which is decided;
//! 2. takes a number from `number`. Nothing fails after that;
//! 3. stores the number in its version, and inserts that into the list, at its head: numbers are taken
//!    under the lock of the leaf, so it is greater than all others of the key;
//! 4. frees what the version hides, if the tree does that when it is overwritten.
//!
//! The linearization point is the store of the link to the version (see `versioned`, "Insert"). After the
//! call has returned, the caller reports the number as installed, and only then drops [`Committed`], which
//! retires what was displaced: that may run the user's allocator, and other threads may wait for the
//! report.

use super::change::{Inserted, Removed};
use super::clock::MAX_COMMIT;
use super::entry::{Kind, NewVersion, Version};
use super::list::{List, Long};
use super::write::{Put, Refused};
use super::{Freeing, VersionedTree};
use crate::index::memory::OutOfMemory;
use crate::index::reclaim::Pinned;
use crate::index::tree::Decision;

/// Why a commit, or a mark of a batch, has changed nothing. `R` is what the caller refuses it for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Uncommitted<R> {
    OutOfMemory,
    /// The caller has decided against it.
    Refused(R),
}

impl<R> From<OutOfMemory> for Uncommitted<R> {
    fn from(_: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// What a commit did. Retires what it has freed when it is dropped: after the number was reported as
/// installed.
pub(crate) struct Committed<'g> {
    pub(crate) number: u64,
    /// The version that was the key's newest; `None` if the key had none. Valid as long as the pin, also
    /// after the drop.
    pub(crate) displaced: Option<Version<'g>>,
    pub(super) freed: Option<Removed<'g>>,
    pub(super) tree: VersionedTree<'g>,
    pub(super) pin: Pinned<'g>,
}

impl Drop for Committed<'_> {
    fn drop(&mut self) {
        if let Some(freed) = self.freed.take() {
            self.tree.discount(self.pin, &freed);
            freed.retire(self.pin);
        }
    }
}

/// What a commit did with a locked leaf.
enum Attempt<'g, R> {
    Refused(R),
    /// The list becomes long: the commit needs a head.
    NeedsHead,
    Done(Done<'g>),
}

/// What a commit has inserted.
struct Done<'g> {
    number: u64,
    displaced: Option<Version<'g>>,
    freed: Option<Removed<'g>>,
}

impl<'t> VersionedTree<'t> {
    /// Allocates a version that is to be committed under this pin's guard, or another one's of the tree.
    pub(crate) fn prepare<'g>(
        self,
        pin: Pinned<'g>,
        kind: Kind,
        bytes: &[u8],
    ) -> Result<NewVersion<'g>, OutOfMemory> {
        debug_assert!(self.is_in_store());
        let seed = self.versions.counts.highest_of(pin);
        NewVersion::prepare(&pin.domain().memory, seed, kind, bytes)
    }

    /// Commits a version to a key. Calls `decide` at most once, with the newest version of the key, which
    /// may be a tombstone; if that returns an error, changes nothing. Then calls `number` once, which
    /// returns a number taken from the clock's source. Both are called under the lock of the key's leaf:
    /// they are quick, cannot fail, wait for nothing, and use no tree.
    ///
    /// The caller then reports the number as installed, without waiting for anything, and drops what is
    /// returned.
    pub(crate) fn commit<'g, R>(
        self,
        pin: Pinned<'g>,
        key: &[u8],
        new: NewVersion<'g>,
        decide: impl FnOnce(Option<Version<'g>>) -> Result<(), R>,
        number: impl FnOnce() -> u64,
    ) -> Result<Committed<'g>, Uncommitted<R>>
    where
        't: 'g,
    {
        debug_assert!(self.is_in_store());
        let mut head = None;
        let (mut decide, mut number) = (Some(decide), Some(number));
        // Ends: a round needs no head after one that has allocated it.
        let done = loop {
            let mut attempt = Attempt::NeedsHead;
            self.tree.write(pin, key, |present| {
                // SAFETY: the list does not change while the leaf is locked.
                let list = present.map(|word| unsafe { List::new(word) });
                if head.is_none() && list.is_some_and(List::becomes_long) {
                    return Decision::Keep;
                }
                let displaced = list.and_then(List::newest);
                let decide = decide.take().expect("the last round decides");
                if let Err(refused) = decide(displaced) {
                    attempt = Attempt::Refused(refused);
                    return Decision::Keep;
                }
                let taken = number.take().expect("the last round takes the number")();
                debug_assert!((1..=MAX_COMMIT).contains(&taken));
                new.set_number(taken);
                // SAFETY: this thread owns the lock of the key's leaf, and the decision is applied;
                // what is freed is retired when `Committed` is dropped.
                let (decision, freed) =
                    unsafe { self.push(pin, key, present, new.version(), &mut head) };
                attempt = Attempt::Done(Done {
                    number: taken,
                    displaced,
                    freed,
                });
                decision
            })?;
            match attempt {
                Attempt::Refused(refused) => return Err(Uncommitted::Refused(refused)),
                Attempt::NeedsHead => head = Some(Long::make(&pin.domain().memory)?),
                Attempt::Done(done) => break done,
            }
        };
        self.versions.counts.count(pin, new.version(), 1);
        self.versions.counts.note_number(pin, done.number);
        new.stored();
        Ok(Committed {
            number: done.number,
            displaced: done.displaced,
            freed: done.freed,
            tree: self,
            pin,
        })
    }

    /// Inserts a version with the greatest number of its key, and removes what it hides if the tree frees
    /// that. Returns what happens to the word under the key, and what was removed.
    ///
    /// # Safety
    /// The contract of `List::insert`, with a head if the list becomes long; and that of
    /// `remove_overwritten`.
    unsafe fn push<'g>(
        self,
        pin: Pinned<'g>,
        key: &[u8],
        present: Option<u64>,
        new: Version<'g>,
        head: &mut Option<super::list::NewHead<'g>>,
    ) -> (Decision, Option<Removed<'g>>) {
        // SAFETY: by contract.
        let Inserted::Done(decision) = (unsafe { List::insert(present, new, head) }) else {
            unreachable!("the number is the key's greatest, and there is a head")
        };
        if self.versions.freeing != Freeing::WhenOverwritten {
            return (decision, None);
        }
        let word = match decision {
            Decision::Set(word) => word,
            _ => present.expect("an insert into an absent list sets the word"),
        };
        // SAFETY: by contract.
        let (changed, freed) = unsafe { self.remove_overwritten(pin, key, word, new.number()) };
        match changed {
            Decision::Keep => (decision, freed),
            changed => (changed, freed),
        }
    }

    /// Stores a version that was committed before the store was opened. Versions may be loaded in any
    /// order, by several threads, and more than once; until all are, nothing else is done with the tree.
    /// If the tree frees what is overwritten, only the newest of a key stay: those that a reader merges.
    pub(crate) fn load(
        self,
        pin: Pinned<'_>,
        key: &[u8],
        kind: Kind,
        number: u64,
        bytes: &[u8],
    ) -> Result<(), Refused> {
        debug_assert!(self.is_in_store());
        if !(1..=MAX_COMMIT).contains(&number) {
            return Err(Refused::Number);
        }
        let put = Put {
            number,
            kind,
            digest: None,
            bytes,
        };
        match self.insert(pin, key, &put, false, MAX_COMMIT, || Ok(())) {
            Err(Refused::Exists) => Ok(()),
            outcome => outcome,
        }
    }
}
