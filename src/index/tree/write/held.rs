//! Holds a leaf: keeps the leaf of a key locked until the user has decided how to change the key.
//!
//! **Protocol.** A hold first does everything that can fail or takes other locks: if the key is
//! absent and may be inserted, the hold makes room for it by a split or a new layer, as an insert
//! does, but without the key. Readers see this change at once. Then only one leaf stays locked: the
//! leaf that contains the key or the position of its insert. It is clean, so readers do not wait
//! for it. No other thread changes the leaf until it is unlocked, so the observations that a hold
//! returns stay true: the leaf's version now, and the version that it will have.
//!
//! A split may leave the held leaf without any key; no unlocked leaf is empty, except the only leaf
//! of a tree. If the key is not inserted, `finish` deletes the empty leaf, as a remove deletes a
//! leaf that it has emptied (see `collapse`).
//!
//! A hold allocates a bag with room for the key's suffix, but the leaf gets the bag only together
//! with the key. So if the key is not inserted, the leaf keeps no bag that is larger than its
//! suffixes need.
//!
//! Only the thread that holds a leaf unlocks it. A thread holds one leaf at a time, and waits for
//! no other lock meanwhile: otherwise two threads could wait for each other.
//!
//! **Clearing** takes only the lock of the root (see `swap`), so a held leaf below the root does
//! not delay it. A clearing is counted as begun before it stores the root word, and as ended after
//! that store (see `observe`). A hold loads the number of clearings that have ended, loads the
//! root, locks the leaf, and compares that number with the number of clearings that have begun. If
//! the two are equal, the leaf is in the tree at that moment, which is when the hold begins;
//! otherwise the hold starts over. `finish` compares the numbers again, under the leaf's lock:
//!
//! - *Equal*: `finish` was called before the next clearing stores the root word. If that store
//!   precedes the last store of `finish`, then `finish` is ordered immediately before the clearing.
//!   So are all other operations that are in the old tree at that time, in the order of their
//!   effects there. This order is possible: each of them loaded the root word before the clearing
//!   stored it, so it was called before the clearing; and each returns after that store, so after
//!   all others of them were called. A hold of the same key in the new tree is ordered after the
//!   clearing.
//! - *Not equal*: `finish` changes nothing. It returns [`Overtaken`] only once the new root is
//!   stored, so a caller that learns of the clearing finds the tree cleared.
//!
//! `finish` compares with a relaxed load. The count of begun clearings is incremented before the
//! SeqCst store of the root word. So for a thread that has found the new root, or has learned of it
//! from another thread, the increment happens before the load, and the load returns the incremented
//! count on any processor. Another thread may finish before the clearing, as any write may.
//!
//! The store of the root word by `bulk_load` needs no count: `bulk_load` stores it under the lock
//! of an empty leaf that is the whole tree, and deletes that leaf. No other leaf of the tree can be
//! held. If a thread holds this leaf, the load waits for it; a thread that tries to hold the leaf
//! later finds it deleted.

use std::cell::Cell;

use super::engine::{Added, Addition, Decision, Room, record, with_memory};
use super::held_short::FullLeaf;
use super::levels::GrownLayer;
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

/// A locked leaf, and where in it a key is or would be inserted.
pub(crate) struct Held<'g, 'k> {
    leaf: Locked<'g, Leaf>,
    found: Option<usize>,
    position: usize,
    key: Key<'k>,
    has_room: bool,
    /// A larger bag, which the leaf gets with the key, if the key's suffix needs one.
    bag: Option<OwnedBag<'g>>,
    original: Observation,
    /// The leaf in which a link to a new layer has replaced a group, to make room.
    crowded: Option<&'g Leaf>,
    /// A layer that has grown, and the key as that layer sees it.
    grown: Option<(GrownLayer<'g>, Key<'k>)>,
    /// A bag to retire once no lock is held.
    old_bag: Option<BagRef<'g>>,
    /// Memory to free once no lock is held.
    spare: Option<Spare<'g>>,
}

/// Why no room was made for a key; the tree is unchanged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NoRoom {
    OutOfMemory,
    /// That would create more leaves than the caller admits.
    TooManyLeaves,
}

impl From<OutOfMemory> for NoRoom {
    fn from(OutOfMemory: OutOfMemory) -> Self {
        Self::OutOfMemory
    }
}

/// The tree was cleared after the hold began, so finishing the hold has changed nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Overtaken;

impl Tree {
    /// Locates a key in a leaf that is in the tree when it is locked. Also returns the number of
    /// clearings that had ended.
    pub(super) fn locate_uncleared<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
    ) -> (u64, Located<'g, 'k>) {
        let wait = Wait::new();
        // Ends: in each iteration, another clearing has begun, or a clearing has not been counted
        // as ended yet, and will be without waiting for anything.
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

    /// [`Tree::hold_from`] for a key whose leaf is not locked yet.
    #[cfg(all(test, not(loom)))]
    pub(crate) fn hold<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
        may_insert: bool,
    ) -> Result<Held<'g, 'k>, OutOfMemory> {
        (self.hold_from(pin, bytes, may_insert, None, usize::MAX)).map_err(|_| OutOfMemory)
    }

    /// Holds a key: locks the leaf that contains the key or the position of its insert, unless
    /// [`Tree::hold_short`] or [`Tree::hold_ready`] has locked it as `full`. With `may_insert`, also makes room for an
    /// absent key, so that it can be inserted, which may create up to `most_created` leaves.
    /// Without, never fails. The caller holds no leaf yet.
    pub(crate) fn hold_from<'g, 'k>(
        &self,
        pin: Pinned<'g>,
        bytes: &'k [u8],
        may_insert: bool,
        full: Option<FullLeaf<'g, 'k>>,
        most_created: usize,
    ) -> Result<Held<'g, 'k>, NoRoom> {
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
            match self.try_hold(pin, located, may_insert, incarnation.get(), reserve) {
                // One less, since another attempt may have reserved a leaf with tails.
                Err(needs) if needs.leaves >= most_created => Ok(Err(NoRoom::TooManyLeaves)),
                held => held.map(Ok),
            }
        };
        let again = |reached, key| {
            let again = self.locate_again(reached, key);
            // A leaf of a tree that was cleared meanwhile is unlocked at once.
            again
                .filter(|_| self.clears.none_since(incarnation.get()))
                .unwrap_or_else(|| {
                    let (now, located) = self.locate_uncleared(pin, bytes);
                    incarnation.set(now);
                    located
                })
        };
        let mut held = with_memory(located, &mut reserve, attempt, again)??;
        if let Some((layer, key)) = held.grown.take() {
            self.raise_levels(pin, layer, bytes, key.layers_above(bytes));
        }
        // Memory is left over if another thread inserted the key or made room meanwhile. `finish`
        // frees it, maybe by the user's function, once no lock is held.
        held.spare = Some(reserve.take_spare());
        Ok(held.begin(self))
    }

    /// Holds a located key if the reserve covers what that needs.
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
        let (found, room) = match located.position {
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
            grown: room.grown.map(|layer| (layer, in_its_layer)),
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
    /// had. If the tree was cleared after the hold began, changes nothing and returns
    /// [`Overtaken`].
    ///
    /// An absent key can be set only if it was held with `may_insert`.
    pub(crate) fn finish<'g>(
        &self,
        pin: Pinned<'g>,
        held: Held<'g, '_>,
        decision: Decision,
    ) -> Result<Option<u64>, Overtaken> {
        with_holder(Holder::end);
        // The last comparison, under the leaf's lock: see the protocol.
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
            // Making room has split the leaf and left it empty.
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
            // SAFETY: the leaf to which the bag belonged has another bag or none, and this
            // thread holds no lock any more.
            unsafe { pin.retire_bag(bag) };
        }
        // Merges the leaf with a neighbour, as after an insert.
        if let Some(leaf) = crowded.filter(|_| pin.recorder().is_none()) {
            self.merge_around(pin, leaf);
        }
        match overtaken {
            true => Err(Overtaken),
            false => Ok(present),
        }
    }
}

/// Inserts the held key into its leaf, with the bag allocated for it, and unlocks the leaf.
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
    leaf.insert(position, &Entry::new(key).with_value(value), pin.keys());
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
    /// For a leaf in which no room has to be made.
    fn already(leaf: Locked<'g, Leaf>) -> Self {
        Self {
            leaf,
            position: 0,
            layers: 0,
            grown: None,
            old_bag: None,
            bag: None,
        }
    }
}

impl Held<'_, '_> {
    /// Records that this thread holds the leaf.
    fn begin(self, tree: &Tree) -> Self {
        self.keep_in(tree, std::ptr::null());
        self
    }

    /// Records that this thread holds the leaf, and the address at which a layer above keeps this
    /// `Held` (see [`Holder::holds_in`]).
    pub(crate) fn keep_in(&self, tree: &Tree, place: *const ()) {
        let (leaf, incarnation) = (self.leaf.node(), self.original.incarnation);
        with_holder(|holder| holder.begin(tree, leaf, incarnation, place));
    }

    /// The key's value, if the key is present.
    pub(crate) fn value(&self) -> Option<u64> {
        self.found.map(|slot| self.leaf.value_in(slot))
    }

    /// Whether an absent key can be inserted.
    pub(crate) fn has_room(&self) -> bool {
        self.has_room
    }

    /// An observation of the leaf in which the key was located, as it was before room was made.
    pub(crate) fn original(&self) -> Observation {
        self.original
    }

    /// An observation of the locked leaf, as readers see it.
    pub(crate) fn now(&self) -> Observation {
        let incarnation = self.original.incarnation;
        Observation::new(self.leaf.node(), self.leaf.version_found(), incarnation)
    }

    /// An observation of the leaf as it will be once it is unlocked after this decision, unless the
    /// decision empties it.
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

    /// Each of these operations waits for locks, so it could wait for the leaf that its own thread
    /// holds.
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
