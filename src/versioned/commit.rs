//! Commits of a store: one write, decided under the lock of the key's leaf; and loads, which recovery
//! makes of what was committed before.
//!
//! **Protocol.** Everything that can fail comes first: the version is allocated by
//! [`VersionedTree::prepare`], and the head of a long list before the leaf is locked for the last time.
//! Under the leaf's lock, a commit
//!
//! 1. lets the leaf go, and waits, if a batch has a mark on the key ([`mark`](super::mark));
//! 2. asks `decide` with the newest version of the key, which is decided;
//! 3. takes a number from `number`, which may refuse the commit once more. Nothing fails after that;
//! 4. stores the number in its version, and inserts that into the list, at its head: numbers are taken
//!    under the lock of the leaf, so it is greater than all others of the key;
//! 5. frees what the version hides, if the tree does that when it is overwritten.
//!
//! The linearization point is the store of the link to the version (see `versioned`, "Insert"). After the
//! call has returned, the caller reports the number as installed, and only then drops [`Committed`], which
//! retires what was displaced: that may run the user's allocator, and other threads may wait for the
//! report.

use super::change::Removed;
use super::clock::MAX_COMMIT;
use super::entry::{Kind, NewVersion, Version};
use super::list::{List, Long, NewHead};
use super::verdict::Record;
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
    /// The batch has a mark on this key.
    MarkedAlready,
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
    /// The live version that was the key's newest; `None` if the key was absent or deleted. Valid as long as the pin, also
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

/// What a round of a write did with a locked leaf.
enum Round<'g, R, T> {
    /// Another batch has a mark on the key, which is not decided.
    Waits(Version<'g>),
    /// The list becomes long: the write needs a head.
    NeedsHead,
    /// The same batch has a mark on the key.
    MarkedAlready,
    Done(Result<T, R>),
}

impl<'t> VersionedTree<'t> {
    /// Allocates a version that is to be committed under this pin's guard, or another one's of the tree.
    pub(crate) fn prepare<'g>(
        self,
        pin: Pinned<'g>,
        kind: Kind,
        bytes: &[u8],
    ) -> Result<NewVersion<'g>, OutOfMemory> {
        debug_assert!(self.is_of_store());
        let seed = self.versions.counts.highest_of(pin);
        NewVersion::prepare(&pin.domain().memory, seed, kind, bytes)
    }

    /// Commits a version to a key. Calls `decide` at most once, with the newest version of the key if it
    /// is live, so `None` for a tombstone; if that returns an error, changes nothing. Then calls `number` once, which
    /// returns a number taken from the clock's source, or an error: then, too, nothing is changed. Both are called under the lock of the key's leaf:
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
        number: impl FnOnce() -> Result<u64, R>,
    ) -> Result<Committed<'g>, Uncommitted<R>>
    where
        't: 'g,
    {
        let version = new.version();
        let done = self.write_newest(pin, key, None, |present, newest, head| {
            let displaced = newest.filter(|newest| !newest.is_tombstone());
            decide(displaced)?;
            let number = number()?;
            debug_assert!((1..=MAX_COMMIT).contains(&number));
            new.set_number(number);
            // SAFETY: this thread owns the lock of the key's leaf, and the decision is applied.
            let decision = unsafe { List::push(present, version, head) };
            if self.versions.freeing != Freeing::WhenOverwritten {
                return Ok((decision, (number, displaced, None)));
            }
            // SAFETY: as above; what is freed is retired when `Committed` is dropped.
            let (decision, freed) =
                unsafe { self.remove_hidden(pin, key, present, decision, number) };
            Ok((decision, (number, displaced, freed)))
        });
        let (number, displaced, freed) = done?;
        self.versions.counts.count(pin, version, 1);
        self.versions.counts.note_number(pin, number);
        new.stored();
        Ok(Committed {
            number,
            displaced,
            freed,
            tree: self,
            pin,
        })
    }

    /// Calls `act` once under the lock of a key's leaf, when no other batch has a mark on the key that is
    /// not decided; with the word under the key, its newest version, which may be a tombstone, and a head if
    /// the list becomes long by another version. Applies the decision that `act` returns, unless it returns an
    /// error. `own`: the record of the batch that writes.
    pub(super) fn write_newest<'g, R, T>(
        self,
        pin: Pinned<'g>,
        key: &[u8],
        own: Option<&Record<'_>>,
        act: impl FnOnce(
            Option<u64>,
            Option<Version<'g>>,
            &mut Option<NewHead<'g>>,
        ) -> Result<(Decision, T), R>,
    ) -> Result<T, Uncommitted<R>> {
        debug_assert!(self.is_of_store());
        let (mut head, mut act) = (None, Some(act));
        // Ends: a round needs no head after one that has allocated it; about waiting, see `mark`.
        loop {
            let mut round = Round::NeedsHead;
            self.tree.write(pin, key, |present| {
                // SAFETY: the list does not change while the leaf is locked.
                let list = present.map(|word| unsafe { List::new(word) });
                if let Some(mark) = list.and_then(List::open_mark) {
                    round = match own.is_some_and(|own| own.owns(mark)) {
                        true => Round::MarkedAlready,
                        false => Round::Waits(mark),
                    };
                    return Decision::Keep;
                }
                if head.is_none() && list.is_some_and(List::becomes_long) {
                    return Decision::Keep;
                }
                let newest = list.and_then(List::newest);
                let act = act
                    .take()
                    .expect("a round in which it is called is the last");
                match act(present, newest, &mut head) {
                    Ok((decision, done)) => {
                        round = Round::Done(Ok(done));
                        decision
                    }
                    Err(refused) => {
                        round = Round::Done(Err(refused));
                        Decision::Keep
                    }
                }
            })?;
            match round {
                Round::Waits(mark) => mark.wait_until_resolved(),
                Round::NeedsHead => head = Some(Long::make(&pin.domain().memory)?),
                Round::MarkedAlready => return Err(Uncommitted::MarkedAlready),
                Round::Done(done) => return done.map_err(Uncommitted::Refused),
            }
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
        debug_assert!(self.is_of_store());
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

    /// Takes a key out that was removed under a number before the store was opened, with all versions up to
    /// that number. Everything that was committed to the key before is loaded already, by the same thread.
    pub(crate) fn load_removal(self, pin: Pinned<'_>, key: &[u8], number: u64) {
        debug_assert!(self.is_of_store() && (1..=MAX_COMMIT).contains(&number));
        let mut removed: Option<Removed<'_>> = None;
        self.tree.write_present(pin, key, |word| {
            // SAFETY: this thread owns the lock of the key's leaf, the decision is applied, and what is
            // removed is retired below.
            let (decision, run) = unsafe { List::new(word).remove(number, 1, usize::MAX) };
            removed = run;
            decision
        });
        if let Some(removed) = removed {
            self.discount(pin, &removed);
            removed.retire(pin);
        }
    }
}
