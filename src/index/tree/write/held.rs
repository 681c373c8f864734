//! Holding a leaf: the place of a key, locked, while the user makes up its mind.
//!
//! **Protocol.** Whatever can fail or takes other locks is done first: if the key is absent
//! and may be inserted, room is made for it, by a split or a layer, as an insert would, but
//! without the key; readers see that at once. What stays locked is the one leaf that has the
//! key or its place, clean, so that readers pass. Until it is unlocked no other thread changes
//! it, so what a hold reports of it stays true: its version now, and the one it will have.
//!
//! A split may leave the leaf without a key, which no leaf in a tree is that is not locked. If
//! the key is not inserted after all, the leaf goes as one does from which the last key was
//! removed (see `collapse`).
//!
//! A bag with room for the key's suffix is made ready, but the leaf gets it with the key: if
//! the key does not come, no bag stays that is larger than the leaf's suffixes need.
//!
//! Only the thread that holds a leaf unlocks it. It holds one leaf at a time, and waits for no
//! other lock meanwhile: otherwise two threads could wait for each other.
//!
//! **Clearing** takes the lock of the root alone (see `swap`), so the lock of a leaf below
//! does not keep it off. It counts before the store of the root word that it has begun, and
//! after it that it has ended (see `observe`). A hold takes the number of clearings that have
//! ended, then loads the root, locks the leaf, and compares the number with that of those
//! that have begun. If they are equal, the leaf is in the tree at that moment, which is the
//! beginning of the hold; else the hold starts over. Finishing compares again, under the
//! leaf's lock:
//!
//! - Equal: the finish was called before the next clearing stores the root word. If that store
//!   comes before the last one of the finish, the finish counts as done just before it. So do
//!   all operations that are in the old tree then, in the order of their effects there: each
//!   has loaded the root word before that store, so was called before it, and none returned
//!   before another of them was called. A hold of the same key in the new tree comes after.
//! - Not equal: the finish changes nothing, and reports that, once the new root is stored. So
//!   a caller that learns of the clearing finds the tree cleared.
//!
//! The comparison is a relaxed load; the count is a read-modify-write before the SeqCst store
//! of the root word. For a thread that has found the new root, or learned of it from another
//! thread, the increment happens before the load, which so finds the count grown; on any
//! processor. A thread that has not may finish before the clearing, like any write.
//!
//! The store of `bulk_load` needs no count: it is made under the lock of an empty leaf that is
//! the whole tree, and deletes that leaf. No other leaf is there to be held, and this one is
//! either held, and the load waits, or found deleted by the hold.

use std::cell::Cell;

use super::engine::{Added, Addition, Decision, Room, record, with_memory};
use super::held_short::FullLeaf;
use super::levels::Outgrown;
use super::locate::Located;
use super::reserve::{Needs, Reserve, Spare};
use crate::index::key::Key;
use crate::index::memory::OutOfMemory;
use crate::index::node::{BagRef, Entry, KeyPosition, Leaf, Locked, Observation, OwnedBag};
use crate::index::reclaim::Pinned;
use crate::index::tree::Tree;
use crate::index::tree::holding::{Holder, is_holding, with_holder};
use crate::protocol::Line;
use crate::sync::Wait;

/// The place of a key, locked.
pub(crate) struct Held<'g, 'k> {
    leaf: Locked<'g, Leaf>,
    found: Option<usize>,
    position: usize,
    key: Key<'k>,
    has_room: bool,
    /// A bag for the leaf, if it needs one for the key.
    bag: Option<OwnedBag<'g>>,
    original: Observation,
    /// The leaf in which a group has turned into a link to make room.
    crowded: Option<&'g Leaf>,
    /// A layer that has grown, and the key as that layer sees it.
    outgrown: Option<(Outgrown<'g>, Key<'k>)>,
    /// To be retired, and to be freed, when no lock is held.
    old_bag: Option<BagRef<'g>>,
    spare: Option<Spare<'g>>,
}

/// The tree was cleared after the key was held; nothing was changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Overtaken;

impl Tree {
    /// Locates a key in a leaf that is in the tree at that moment; with the number of clearings
    /// before.
    fn locate_uncleared<'g, 'k>(&self, pin: Pinned<'g>, bytes: &'k [u8]) -> (u64, Located<'g, 'k>) {
        let wait = Wait::new();
        // Ends: each time around, a clearing has begun since, or has yet to count its end,
        // for which it waits for nothing.
        loop {
            let incarnation = self.incarnation();
            let located = self.locate(pin, bytes);
            if self.clears.none_since(incarnation) || !Line::HoldLooksForClears.is_enabled() {
                return (incarnation, located);
            }
            drop(located);
            wait.wait();
        }
    }

    /// [`Tree::hold_from`] of a key whose leaf is not locked.
    #[cfg(test)]
    pub(crate) fn hold<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
        may_insert: bool,
    ) -> Result<Held<'g, 'k>, OutOfMemory> {
        self.hold_from(pin, bytes, may_insert, None)
    }

    /// Locks the leaf with a key or with its place, unless [`Tree::hold_short`] has. With `may_insert`, an absent key can be
    /// inserted then; without, memory does not run out. The caller holds no leaf yet.
    pub(crate) fn hold_from<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
        may_insert: bool,
        full: Option<FullLeaf<'g, 'k>>,
    ) -> Result<Held<'g, 'k>, OutOfMemory> {
        self.admit_words(pin, bytes);
        debug_assert!(!is_holding(), "a thread holds one leaf at a time");
        let mut reserve = Reserve::new(&pin.domain().memory);
        let (incarnation, located) = match full {
            Some(full) => {
                if let Some(recorder) = pin.recorder() {
                    recorder.begin(full.incarnation);
                }
                (full.incarnation, full.located)
            }
            None => self.locate_uncleared(pin, bytes),
        };
        let incarnation = Cell::new(incarnation);
        let attempt = |located: Located<'g, 'k>, reserve: &mut Reserve<'g>| {
            self.try_hold(pin, located, may_insert, incarnation.get(), reserve)
        };
        let again = |reached, key| {
            let again = self.locate_again(reached, key);
            // A leaf that was cleared away is unlocked at once.
            again
                .filter(|_| self.clears.none_since(incarnation.get()))
                .unwrap_or_else(|| {
                    let (now, located) = self.locate_uncleared(pin, bytes);
                    incarnation.set(now);
                    located
                })
        };
        let mut held = with_memory(located, &mut reserve, attempt, again)?;
        if let Some((layer, key)) = held.outgrown.take() {
            self.raise_levels(pin, layer, bytes, key.layers_above(bytes));
        }
        // Where another thread inserted the key meanwhile, or made room: it is freed, maybe by the
        // user's function, when no lock is held.
        held.spare = Some(reserve.take_spare());
        Ok(held.begin(self))
    }

    /// [`Tree::hold`], if the reserve covers what it needs.
    fn try_hold<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        located: Located<'g, 'k>,
        may_insert: bool,
        incarnation: u64,
        reserve: &mut Reserve<'g>,
    ) -> Result<Held<'g, 'k>, Needs> {
        let (leaf, mut key) = (located.leaf.node(), located.key);
        let original = Observation::new(leaf, located.leaf.version_found(), incarnation);
        let crowded = located.is_crowded().then_some(leaf);
        let in_its_layer = key;
        let (found, room) = match located.place {
            KeyPosition::Present { slot } => {
                record(pin, &located.leaf);
                (Some(slot), Room::already(located.leaf))
            }
            _ if !may_insert => {
                record(pin, &located.leaf);
                (None, Room::already(located.leaf))
            }
            _ => match self.add(pin, located, Addition::Room, reserve)? {
                Added::Room(room) => (None, room),
                Added::Done { .. } => unreachable!("room was asked for"),
            },
        };
        (0..room.layers).for_each(|_| key.shift());
        Ok(Held {
            crowded: crowded.filter(|_| room.layers > 0),
            outgrown: room.outgrown.map(|layer| (layer, in_its_layer)),
            found,
            position: room.position,
            key,
            has_room: may_insert,
            bag: room.bag,
            original,
            old_bag: room.old_bag,
            leaf: room.leaf,
            spare: None,
        })
    }

    /// Applies a decision to a held key, and unlocks its leaf. Returns the value that the key
    /// had; or, if the tree was cleared after the key was held, changes nothing and returns that.
    ///
    /// An absent key can be set only if it may be inserted.
    pub(crate) fn finish<'g>(
        &self,
        pin: Pinned<'g>,
        held: Held<'g, '_>,
        decision: Decision,
    ) -> Result<Option<u64>, Overtaken> {
        with_holder(Holder::end);
        // Under the leaf's lock, and for the last time: see above.
        let overtaken = Line::FinishLooksForClears.is_enabled()
            && self.clears.wait_if_any_since(held.original.incarnation);
        let decision = if overtaken { Decision::Keep } else { decision };
        let Held {
            leaf,
            found,
            position,
            key,
            has_room,
            mut bag,
            crowded,
            old_bag,
            spare,
            ..
        } = held;
        let present = found.map(|slot| leaf.value_in(slot));
        match (found, decision) {
            (Some(slot), decision) => {
                self.change_present(pin, leaf, slot, false, |_| decision);
            }
            (None, Decision::Set(value)) if has_room => {
                insert_held(pin, leaf, position, &key, value, bag.take());
            }
            // Without a key, and not the tree's only leaf: room was made.
            (None, _)
                if has_room
                    && leaf.permutation().is_empty()
                    && !self.is_root(&leaf)
                    && Line::UnusedRoomIsGivenBack.is_enabled() =>
            {
                if let Some(recorder) = pin.recorder() {
                    recorder.unlisted();
                }
                self.collapse(pin, leaf);
            }
            (None, _) => drop(leaf),
        }
        drop((bag, spare));
        if let Some(bag) = old_bag {
            // SAFETY: as where it was taken: its leaf has another or none, and no lock is
            // held any more.
            unsafe { pin.retire_bag(bag) };
        }
        // As after an insert.
        if let Some(leaf) = crowded.filter(|_| pin.recorder().is_none()) {
            self.merge_around(pin, leaf);
        }
        match overtaken {
            true => Err(Overtaken),
            false => Ok(present),
        }
    }
}

/// Inserts the held key into its leaf, with the bag made ready for it, and lets the leaf go.
fn insert_held<'g>(
    pin: Pinned<'g>,
    mut leaf: Locked<'g, Leaf>,
    position: usize,
    key: &Key<'_>,
    value: u64,
    bag: Option<OwnedBag<'g>>,
) {
    #[cfg(debug_assertions)]
    assert!(
        key.is_unchanged(),
        "a key must stay as it is while it is held"
    );
    let displaced = bag.and_then(|bag| leaf.renew_bag(bag));
    leaf.insert(position, &Entry::new(key).with_value(value));
    if let Some(recorder) = pin.recorder() {
        recorder.held(&leaf);
    }
    let node = leaf.node();
    drop(leaf);
    pin.count_keys(node, 1);
    if let Some(bag) = displaced {
        // SAFETY: the leaf has a new bag, and only the lock's owner replaces it.
        unsafe { pin.retire_bag(bag) };
    }
}

impl<'g> Room<'g> {
    /// Where nothing has to be made.
    fn already(leaf: Locked<'g, Leaf>) -> Self {
        Self {
            leaf,
            position: 0,
            layers: 0,
            outgrown: None,
            old_bag: None,
            bag: None,
        }
    }
}

impl Held<'_, '_> {
    fn begin(self, tree: &Tree) -> Self {
        self.keep_in(tree, std::ptr::null());
        self
    }

    /// Records where a layer above keeps the hold (see [`Holder::holds_in`]).
    pub(crate) fn keep_in(&self, tree: &Tree, place: *const ()) {
        let (leaf, incarnation) = (self.leaf.node(), self.original.incarnation);
        with_holder(|holder| holder.begin(tree, leaf, incarnation, place));
    }

    /// The key's value, if it is there.
    pub(crate) fn value(&self) -> Option<u64> {
        self.found.map(|slot| self.leaf.value_in(slot))
    }

    /// Whether an absent key can be inserted.
    pub(crate) fn has_room(&self) -> bool {
        self.has_room
    }

    /// The leaf with the key's place as it was when it was locked first, before room was
    /// made.
    pub(crate) fn original(&self) -> Observation {
        self.original
    }

    /// The leaf that is locked, as readers see it.
    pub(crate) fn now(&self) -> Observation {
        let incarnation = self.original.incarnation;
        Observation::new(self.leaf.node(), self.leaf.version_found(), incarnation)
    }

    /// The leaf as it will be once it is unlocked after this decision, unless that empties it.
    pub(crate) fn next(&self, decision: Decision) -> Observation {
        let changes = match decision {
            Decision::Keep => false,
            Decision::Set(_) => self.found.is_none(),
            Decision::Remove => self.found.is_some(),
        };
        let version = match changes {
            true => self.leaf.version_found().next(),
            false => self.leaf.version_found(),
        };
        let incarnation = self.original.incarnation;
        Observation::new(self.leaf.node(), version, incarnation)
    }
}

#[cfg(all(test, debug_assertions, not(any(loom, shuttle))))]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    /// Whatever waits for locks would wait for the leaf that this thread holds.
    #[test]
    fn a_thread_that_holds_a_leaf_and_writes_is_caught() {
        type Write = fn(&Tree, Pinned<'_>);
        let writes: [Write; 7] = [
            |tree, pin| _ = tree.put(pin, b"other", 1),
            |tree, pin| _ = tree.remove(pin, b"other"),
            |tree, pin| _ = tree.update(pin, b"other", |_| Decision::Keep),
            |tree, pin| {
                let held = tree.hold(pin, b"other", true).unwrap();
                _ = tree.finish(pin, held, Decision::Keep);
            },
            |tree, pin| _ = tree.clear(pin),
            |tree, pin| _ = tree.maintain(pin, 1),
            |tree, pin| _ = tree.bulk_load(pin, 0, |_, _| (), |_| Ok(0)),
        ];
        let tree = Tree::new(None).unwrap();
        let guard = tree.guard().unwrap();
        let pin = guard.pin();
        for (number, write) in writes.iter().enumerate() {
            let held = tree.hold(pin, b"key", true).unwrap();
            let outcome = catch_unwind(AssertUnwindSafe(|| write(&tree, pin)));
            assert!(outcome.is_err(), "write {number}");
            assert_eq!(tree.get(pin, b"other"), None);
            assert_eq!(tree.finish(pin, held, Decision::Keep), Ok(None));
            write(&tree, pin);
            tree.clear(pin).unwrap();
        }
    }
}
